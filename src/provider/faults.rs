//! How a provider fails.

mod outage;
mod random;

pub use outage::Outage;
pub use random::Random;

use crate::spec::registry::registry;
use std::fmt;

use crate::kernel::chance::Key;
use crate::kernel::time::Time;
use crate::request::Outcome;
use crate::spec::build::Built;

/// A source of failures, as it runs. A provider may have several; the first that strikes decides.
pub trait Fault: fmt::Debug + Send + Sync {
    /// What befalls the attempt keyed by `key` that arrives at `now` beside `load` others, if anything. Never asked of a
    /// time before one that it was asked of.
    fn strike(&mut self, now: Time, load: u32, key: Key) -> Option<Failure>;

    /// How what it stands for slows down an attempt that begins at `now`: it worsens what it finds in `weather`.
    fn weather(&mut self, _now: Time, _key: Key, _weather: &mut Weather) {}

    /// Whether it ever has a say in the weather.
    fn has_weather(&self) -> bool {
        false
    }

    /// The stretch of time, from and until, of an outage that is known beforehand.
    fn outage(&self) -> Option<(Time, Time)> {
        None
    }

    /// Whether an attempt may be left without any answer.
    fn may_hang(&self) -> bool;

    /// A copy in its initial state, for one replication. `own` is the randomness of what it goes through by itself.
    fn fresh(&self, own: Key) -> Box<dyn Fault>;
}

/// What the file says of a source of failures.
pub trait BuildFault {
    /// Checks the parameters and makes the fault.
    fn build(&self) -> Built<Box<dyn Fault>>;
}

/// What goes wrong with an attempt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Failure {
    /// This answer at once, before quotas are asked: the provider is down.
    Down(Outcome),
    /// Nothing at all, not even a connection: a connect timeout may end it.
    Unreachable,
    /// A connection but no answer, not even a 429: the provider is down and silent. Only a timeout ends it.
    Silent,
    /// This answer when the first token would have come: the work was begun.
    Failed(Outcome),
    /// No answer although it was let in: only a timeout ends it.
    Hang,
    /// The answer breaks off after this share of the time between its first token and its last.
    Truncated(f64),
    /// No token comes after this share of the time between the first and the last: only a timeout ends it.
    Stalled(f64),
}

/// What slows a provider down for everybody.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weather {
    /// Times to first token are multiplied by this.
    pub ttft: f64,
    /// Decode speeds are multiplied by this.
    pub speed: f64,
    /// Nanoseconds added to the time to first token.
    pub delay: f64,
}

impl Weather {
    /// Nothing out of the ordinary.
    pub const FAIR: Weather = Weather {
        ttft: 1.0,
        speed: 1.0,
        delay: 0.0,
    };
}

registry! {
    /// A source of failures of a provider.
    pub enum FaultSpec as BuildFault {
        random => Random,
        outage => Outage,
    }
}
