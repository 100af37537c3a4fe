//! A provider's prompt cache: how much of the input it has read before.

mod random;
mod returning;

pub use random::Random;
pub use returning::Returning;

use std::fmt;

use crate::form::build::{Built, Names};
use crate::form::own::Own;
use crate::form::registry::registry;
use crate::kernel::chance::Key;
use crate::kernel::time::Time;
use crate::words::Ask;

/// What a prompt cache does for the input of one attempt, in tokens; both counts together are at most the input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Input tokens found in the cache.
    pub cached: u32,
    /// Input tokens written to the cache, if the attempt is read.
    pub written: u32,
}

/// The running state of a prompt cache.
pub trait Cache: fmt::Debug + Send + Sync {
    /// What the cache has of the attempt keyed by `key`, which may yet be refused.
    fn look(&mut self, now: Time, ask: &Ask, key: Key) -> Found;

    /// Called after [`Cache::look`] if that attempt is admitted and read; its first token comes at `first_token`.
    fn read(&mut self, _now: Time, _ask: &Ask, _first_token: Time) {}

    /// The factor on the time to first token of an attempt for which the cache has anything.
    fn ttft_factor(&self) -> f64 {
        1.0
    }

    /// Whether the cache distinguishes users, so that the traffic must have users.
    fn needs_users(&self) -> bool {
        false
    }

    /// A copy in its initial state, for one replication.
    fn fresh(&self) -> Box<dyn Cache>;
}

/// The parameters of a prompt cache, as an experiment gives them.
pub trait BuildCache {
    /// Checks the parameters and makes the cache.
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Cache>>;
}

impl BuildCache for Own {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Cache>> {
        self.make("prompt_cache", names)
    }
}

registry! {
    /// A provider's prompt cache.
    pub enum CacheSpec as BuildCache, kind prompt_cache in "cache/" of Box<dyn Cache> {
        random => Random,
        returning => Returning,
        own in "../form/own.rs" => Own,
    }
}

/// The fewest tokens that OpenAI's cache finds.
const fn openai_least() -> u32 {
    1024
}

/// The step, in tokens, that OpenAI's cache rounds down to.
const OPENAI_STEP: u32 = 128;

const fn one() -> f64 {
    1.0
}

/// Checks the factor on the time to first token.
fn factor(ttft: f64) -> Built<f64> {
    if ttft > 0.0 && ttft <= 1.0 {
        return Ok(ttft);
    }
    let text = format!("a factor of {ttft}: must be above 0 and at most 1");
    Err(crate::form::build::Refusal::new(text).at("ttft"))
}
