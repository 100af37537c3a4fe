//! The effect of load on a provider: which attempts wait, are slowed down, or are rejected.
//!
//! Three questions, each asked of every entry of the list in order: when the work of an attempt begins, beside how many
//! others ([`Load::enter`]); how much slower it then is ([`Load::slow`]); and, once the answer and the caller's patience are
//! known, how long it occupies the provider ([`Load::stay`]). Like everything at a provider this is decided when the attempt
//! arrives: a caller's own timeouts are known then and count; one called off later, because another copy of its request was
//! answered first, is taken to have stayed.

mod batching;
mod cold_start;
mod slots;
mod throughput;

pub use batching::Batching;
pub use cold_start::ColdStart;
pub use slots::Slots;
pub use throughput::Throughput;

use std::fmt;

use super::latency::{Service, Start};
use crate::form::build::{Built, Names};
use crate::form::own::Own;
use crate::form::registry::registry;
use crate::kernel::chance::Key;
use crate::kernel::time::{Span, Time};
use crate::words::{Ask, Outcome};

/// The running state of a load model.
pub trait Load: fmt::Debug + Send + Sync {
    /// Admits the attempt keyed by `key`, as far as this model is concerned: it may delay the start of its work, and
    /// then sets how many others are in service at that time.
    ///
    /// # Errors
    /// The outcome with which the attempt is rejected, if it is.
    fn enter(&mut self, _start: &mut Start<'_>, _key: Key) -> Result<(), Outcome> {
        Ok(())
    }

    /// The service of an attempt that starts like this; `service` is what it would get without load.
    fn slow(&mut self, _start: &Start<'_>, service: Service, _ask: &Ask) -> Service {
        service
    }

    /// Reports how long the most recently admitted attempt stays. Not called for attempts rejected elsewhere or that
    /// hang.
    fn stay(&mut self, _stay: &Stay) {}

    /// How long the model was at its capacity, up to `now`, if it has one.
    fn full(&self, _now: Time) -> Option<Full> {
        None
    }

    /// How many attempts it serves at once, if that is bounded: for estimates.
    fn servers(&self) -> Option<Servers> {
        None
    }

    /// Whether it is about decode speed, which an answer that comes whole does not have.
    fn needs_decoding(&self) -> bool {
        false
    }

    /// A copy in its initial state, for one replication.
    fn fresh(&self) -> Box<dyn Load>;
}

/// What serves so many attempts at once, with a line before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Servers {
    /// The most at once.
    pub at_once: u64,
    /// The most that wait, if there is a bound.
    pub line: Option<u64>,
}

/// What was at its bound, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// The value of the bound, where it is a number of attempts.
    pub limit: Option<u64>,
    /// The time spent at the bound.
    pub time: Span,
}

/// The stay of an attempt at a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stay {
    /// The time at which the attempt arrived.
    pub came: Time,
    /// The time at which its work is done, if nothing stops it.
    pub done: Time,
    /// The time at which its caller leaves, with the answer or without.
    pub left: Time,
}

/// The parameters of a load model, as an experiment gives them.
pub trait BuildLoad {
    /// Checks the parameters and makes it.
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Load>>;
}

impl BuildLoad for Own {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Load>> {
        self.make("load", names)
    }
}

registry! {
    /// What load does to a provider.
    pub enum LoadSpec as BuildLoad, kind load in "load/" of Box<dyn Load> {
        slots => Slots,
        batching => Batching,
        throughput => Throughput,
        cold_start => ColdStart,
        own in "../form/own.rs" => Own,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::kernel::chance::Chance;
    use crate::provider::faults::Weather;
    use crate::provider::latency::Patience;

    /// The start of an attempt at time 0, alone at the provider and with endless patience.
    pub(crate) const ALONE: Start<'static> = Start {
        now: Time::ZERO,
        wait: Span::ZERO,
        network: Span::from_millis(100),
        in_service: 0,
        weather: Weather::FAIR,
        patience: &Patience {
            connect: Span::FOREVER,
            ttft: Span::FOREVER,
            idle: Span::FOREVER,
            attempt: Span::FOREVER,
            total: Span::FOREVER,
        },
    };

    /// First token after 1 s, 100 ms of it network; the last after 3.
    pub(crate) const SERVICE: Service = Service {
        first_token: Span::from_secs(1),
        last_token: Span::from_secs(3),
    };

    /// The time `secs` after the start.
    pub(crate) fn at(secs: u64) -> Time {
        Time::ZERO + Span::from_secs(secs)
    }

    /// The randomness of some attempt.
    pub(crate) fn key() -> Key {
        Chance::new(1, 0).request(0)
    }
}
