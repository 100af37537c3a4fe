//! Client-side rate limits: what a careful caller imposes on itself, so that the provider need not.

mod aimd;
mod counted;
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

/// A limiter, as it runs. It answers when a request may pass; who waits, and how, is the admission's business.
pub trait Limiter: fmt::Debug + Send + Sync {
    /// Whether `ask` may pass at `now`. Takes nothing.
    fn ready(&mut self, now: Time, ask: &Ask) -> Ready;

    /// Lets `ask` pass, and counts it.
    fn take(&mut self, now: Time, ask: &Ask);

    /// A request that it let pass was not let in after all: a limit asked later refused. What is a rate stays spent; who
    /// counts who is inside counts it out again.
    fn give_back(&mut self) {}

    /// It has answered [`Ready::Rejected`], and the request is turned away.
    fn turned_away(&mut self, _now: Time) {}

    /// A request that was let in is done. Limiters that learn or that count who is inside listen.
    fn leave(&mut self, _done: &Done) {}

    /// Whether it listens to [`Limiter::leave`].
    fn listens(&self) -> bool {
        false
    }

    /// A copy in its initial state, for one replication. `own` is the randomness of its own choices.
    fn fresh(&self, own: Key) -> Box<dyn Limiter>;
}

/// Whether a request may pass a limiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// Now.
    Now,
    /// Not before this time.
    At(Time),
    /// Not before somebody inside is done.
    WhenOneLeaves,
    /// It is turned away, now and at once; another like it may pass.
    Rejected,
    /// Never.
    Never,
}

impl Ready {
    /// From the first moment at which it may pass; [`Time::NEVER`] for never.
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

/// A request that was let in and is done.
#[derive(Clone, Copy, Debug)]
pub struct Done {
    /// When.
    pub now: Time,
    /// When it was let in.
    pub entered: Time,
    /// How it ended.
    pub outcome: Outcome,
    /// Which it was, as [`Limiter::take`] saw it.
    pub ask: Ask,
    /// How many were in flight when it was let in, itself included.
    pub in_flight: u32,
}

impl Done {
    /// A request that succeeded at `now` and of which nothing else is known.
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

/// What the file says of a limiter.
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
    /// A client-side limiter.
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
        own in "../form/own.rs" => Own,
    }
}
