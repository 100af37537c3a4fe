//! The provider's prompt cache: how much of the input it has read before.

use std::fmt;

use crate::kernel::chance::Key;
use crate::kernel::time::Time;
use crate::request::Ask;
use crate::spec::build::Built;

/// A prompt cache, as it runs.
pub trait Cache: fmt::Debug + Send + Sync {
    /// Input tokens of the attempt keyed by `key` that it has; at most its input.
    fn cached(&mut self, now: Time, ask: &Ask, key: Key) -> u32;

    /// A copy in its initial state, for one replication.
    fn fresh(&self) -> Box<dyn Cache>;
}

/// What the file says of a prompt cache.
pub trait BuildCache {
    /// Checks the parameters and makes the cache.
    fn build(&self) -> Built<Box<dyn Cache>>;
}
