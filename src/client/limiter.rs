//! Client-side rate limits: what a careful caller imposes on itself, so that the provider need not.

mod aimd;
mod concurrent;
mod counted;
mod each;
mod envoy_admission_control;
mod envoy_gradient;
mod fixed_window;
mod gcra;
mod gradient2;
mod latencies;
mod recent;
mod sliding_counter;
mod sliding_window;
mod slots;
mod sre_throttle;
mod token_bucket;

pub use aimd::Aimd;
pub use concurrent::Concurrent;
pub use each::{Each, Over};
pub use envoy_admission_control::EnvoyAdmissionControl;
pub use envoy_gradient::EnvoyGradient;
pub use fixed_window::FixedWindow;
pub use gcra::Gcra;
pub use gradient2::Gradient2;
pub use sliding_counter::SlidingCounter;
pub use sliding_window::SlidingWindow;
pub use sre_throttle::SreThrottle;
pub use token_bucket::TokenBucket;

use crate::form::own::Own;
use crate::form::registry::registry;
use std::fmt;

use crate::form::build::{Built, Names};
use crate::kernel::chance::Key;
use crate::kernel::time::Time;
use crate::words::{Ask, Outcome};

use super::identity::Whose;

/// A limiter, as it runs. It answers when a request may pass; which requests wait, and how, is up to the admission
/// discipline.
pub trait Limiter: fmt::Debug + Send + Sync {
    /// Whether `ask` may pass at `now`. Takes nothing.
    fn ready(&mut self, now: Time, ask: &Ask) -> Ready;

    /// Lets `ask` pass, and counts it.
    fn take(&mut self, now: Time, ask: &Ask);

    /// Takes back a request that it let pass but that was not let in after all, because a limit asked later refused. A
    /// rate stays spent; a limiter that counts requests inside counts it out again.
    fn give_back(&mut self) {}

    /// Called when the limiter has answered [`Ready::Rejected`] and the request is turned away.
    fn turned_away(&mut self, _now: Time) {}

    /// Called when a request that was let in has ended. Limiters that learn, or that count the requests inside,
    /// listen.
    fn leave(&mut self, _done: &Done) {}

    /// Whether the limiter listens to [`Limiter::leave`].
    fn listens(&self) -> bool {
        false
    }

    /// Whether it answers from now on as one would that has seen nothing: then it need not be kept. A limiter that never says so is
    /// kept for every identity that was once seen.
    fn is_as_new(&mut self, _now: Time) -> bool {
        false
    }

    /// What it tells apart, if it has a state for each identity, and the kind of limiter that each has.
    fn tells_apart(&self) -> Option<(&Whose, &'static str)> {
        None
    }

    /// The identity whose limit `ask` was over when it was last asked about, if that turned it away.
    fn refused(&self, _ask: &Ask) -> Option<u32> {
        None
    }

    /// A copy in its initial state, for one replication. `own` is the randomness of its own choices.
    fn fresh(&self, own: Key) -> Box<dyn Limiter>;
}

/// Whether a request may pass a limiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// The request may pass now.
    Now,
    /// The request may pass at this time, not before.
    At(Time),
    /// The request may pass once a request inside has ended, not before.
    WhenOneLeaves,
    /// The request is turned away at once; another like it may pass.
    Rejected,
    /// The request can never pass.
    Never,
}

impl Ready {
    /// The answer for a request that may pass from `at` on; [`Time::NEVER`] for never.
    #[inline]
    pub fn from(now: Time, at: Time) -> Ready {
        if at <= now {
            Ready::Now
        } else if at == Time::NEVER {
            Ready::Never
        } else {
            Ready::At(at)
        }
    }
}

/// A request that was let in and has ended.
#[derive(Clone, Copy, Debug)]
pub struct Done {
    /// The time at which the request ended.
    pub now: Time,
    /// The time at which the request was let in.
    pub entered: Time,
    /// The outcome of the request.
    pub outcome: Outcome,
    /// The request as [`Limiter::take`] saw it.
    pub ask: Ask,
    /// The number of requests in flight when it was let in, itself included.
    pub in_flight: u32,
}

impl Done {
    /// A request that succeeded at `now` and about which nothing else is known.
    pub fn at(now: Time) -> Done {
        Done {
            now,
            entered: now,
            outcome: Outcome::Success,
            ask: Ask::default(),
            in_flight: 1,
        }
    }
}

/// The parameters of a limiter, as the file gives them.
pub trait BuildLimiter {
    /// Checks the parameters and makes the limiter.
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Limiter>>;
}

impl BuildLimiter for Own {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Limiter>> {
        self.make("limiter", names)
    }
}

registry! {
    /// A client-side limiter, which a request must pass to be let in.
    pub enum LimiterSpec as BuildLimiter, kind limiter in "limiter/" of Box<dyn Limiter> {
        token_bucket => TokenBucket,
        fixed_window => FixedWindow,
        sliding_window => SlidingWindow,
        sliding_counter => SlidingCounter,
        gcra => Gcra,
        gradient2 => Gradient2,
        aimd => Aimd,
        envoy_gradient => EnvoyGradient,
        sre_throttle => SreThrottle,
        envoy_admission_control => EnvoyAdmissionControl,
        concurrent => Concurrent,
        each => Each,
        own in "../form/own.rs" => Own,
    }
}
