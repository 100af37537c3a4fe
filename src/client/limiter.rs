//! Client-side rate limits: what a careful caller imposes on itself, so that the provider need not.

mod fixed_window;
mod token_bucket;

pub use fixed_window::FixedWindow;
pub use token_bucket::TokenBucket;

use crate::spec::registry::registry;
use std::fmt;

use crate::kernel::time::Time;
use crate::request::Ask;
use crate::spec::build::Built;

/// A limiter, as it runs. It answers when a request may pass; who waits, and how, is the admission's business.
pub trait Limiter: fmt::Debug + Send + Sync {
    /// When `ask` may pass: `now` if it may, [`Time::NEVER`] if it never can.
    fn ready_at(&mut self, now: Time, ask: &Ask) -> Time;

    /// Lets `ask` pass, and counts it.
    fn take(&mut self, now: Time, ask: &Ask);

    /// A copy in its initial state, for one replication.
    fn fresh(&self) -> Box<dyn Limiter>;
}

/// What the file says of a limiter.
pub trait BuildLimiter {
    /// Checks the parameters and makes the limiter.
    fn build(&self) -> Built<Box<dyn Limiter>>;
}

registry! {
    /// A client-side limiter.
    pub enum LimiterSpec as BuildLimiter {
        token_bucket => TokenBucket,
        fixed_window => FixedWindow,
    }
}
