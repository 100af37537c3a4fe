//! The provider's prompt cache: how much of the input it has read before.

mod random;

pub use random::Random;

use std::fmt;

use crate::kernel::chance::Key;
use crate::kernel::time::Time;
use crate::request::Ask;
use crate::spec::build::Built;
use crate::spec::registry::registry;

/// A prompt cache, as it runs.
pub trait Cache: fmt::Debug + Send + Sync {
    /// Input tokens of the attempt keyed by `key` that it has; at most its input.
    fn cached(&mut self, now: Time, ask: &Ask, key: Key) -> u32;

    /// What the time to first token is multiplied by where it has any.
    fn ttft_factor(&self) -> f64 {
        1.0
    }

    /// A copy in its initial state, for one replication.
    fn fresh(&self) -> Box<dyn Cache>;
}

/// What the file says of a prompt cache.
pub trait BuildCache {
    /// Checks the parameters and makes the cache.
    fn build(&self) -> Built<Box<dyn Cache>>;
}

registry! {
    /// A provider's prompt cache.
    pub enum CacheSpec as BuildCache {
        random => Random,
    }
}
