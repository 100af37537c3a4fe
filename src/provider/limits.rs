//! A provider's quotas: how much it takes per minute before it answers 429.

#[cfg(test)]
mod bounds;
mod charge;
mod concurrent;
mod fixed_window;
mod gcra;
mod ledger;
mod preset;
mod slices;
mod sliding_counter;
mod sliding_log;
mod token_bucket;

pub use charge::{At, Charge, Reserve};
pub use concurrent::Concurrent;
pub use fixed_window::FixedWindow;
pub use gcra::Gcra;
pub use preset::{Preset, Published, published};
pub use slices::Slices;
pub use sliding_counter::SlidingCounter;
pub use sliding_log::SlidingLog;
pub use token_bucket::TokenBucket;
pub(crate) use token_bucket::bucket;

use crate::form::own::Own;
use crate::form::registry::registry;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::load::Full;
use crate::form::build::{Built, Names};
use crate::kernel::time::Time;
use crate::words::{Ask, Left, Usage};

/// A quota, as it runs.
///
/// A provider asks all its limits before it charges any, so that several limits are atomic.
pub trait Limit: fmt::Debug + Send + Sync {
    /// When `ask` would fit: `now` if it does, [`Time::NEVER`] if it never can.
    fn ready_at(&mut self, now: Time, ask: &Ask) -> Time;

    /// Charges `ask`, which fits.
    fn charge(&mut self, now: Time, ask: &Ask);

    /// An attempt that was charged has left: what was reserved may be corrected.
    fn settle(&mut self, _now: Time, _spent: &Spent) {}

    /// Whether [`Limit::settle`] does anything.
    fn listens(&self) -> bool {
        false
    }

    /// What it counts.
    fn unit(&self) -> Unit;

    /// How long it was full, up to `now`, if it is one of requests at once: when it has room again, nobody knows beforehand.
    fn full(&self, _now: Time) -> Option<Full> {
        None
    }

    /// What rate-limit headers say of it, if it is told.
    fn left(&mut self, _now: Time) -> Option<Left> {
        None
    }

    /// How much it lets through in a minute in the long run, for clients that are told; `None` where that is not a rate, or
    /// one by the day.
    fn per_minute(&self) -> Option<u64>;

    /// A copy in its initial state, for one replication.
    fn fresh(&self) -> Box<dyn Limit>;
}

/// An attempt that was charged and has left.
#[derive(Clone, Copy, Debug)]
pub struct Spent {
    /// Which it was, as [`Limit::charge`] saw it.
    pub ask: Ask,
    /// When it was charged.
    pub since: Time,
    /// What it used; nothing if it was not answered.
    pub usage: Usage,
}

/// What the file says of a limit, before it runs.
pub trait BuildLimit {
    /// Checks the parameters and makes the limits: one, unless the name stands for several.
    fn build_all(&self, names: &Names<'_>) -> Built<Vec<Box<dyn Limit>>>;
}

/// What the file says of a limit that is just one.
pub trait BuildOne {
    /// Checks the parameters and makes the limit.
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Limit>>;
}

impl<T: BuildOne> BuildLimit for T {
    fn build_all(&self, names: &Names<'_>) -> Built<Vec<Box<dyn Limit>>> {
        Ok(vec![self.build(names)?])
    }
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Requests.
    Requests,
    /// Input and output tokens.
    Tokens,
    /// Input tokens.
    InputTokens,
    /// Output tokens.
    OutputTokens,
    /// Requests at once: what the limit `concurrent` counts, and no other.
    Concurrent,
}

impl Unit {
    /// How much of this unit the caller knows that `ask` may take: its input, and for output the `max_tokens` it sends.
    /// Without `max_tokens` it knows nothing of the output, and counts none.
    #[inline]
    pub fn known(self, ask: &Ask) -> u64 {
        let output = ask.max_output.unwrap_or(0);
        match self {
            Unit::Requests | Unit::Concurrent => 1,
            Unit::Tokens => u64::from(ask.input) + u64::from(output),
            Unit::InputTokens => u64::from(ask.input),
            Unit::OutputTokens => u64::from(output),
        }
    }
}

impl BuildOne for Own {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Limit>> {
        self.make("limit", names)
    }
}

registry! {
    /// A quota of a provider.
    pub enum LimitSpec as BuildLimit, kind limit in "limits/" of Box<dyn Limit> {
        token_bucket => TokenBucket,
        fixed_window => FixedWindow,
        sliding_log => SlidingLog,
        sliding_counter => SlidingCounter,
        gcra => Gcra,
        slices => Slices,
        concurrent => Concurrent,
        preset => Preset,
        own in "../form/own.rs" => Own,
    }
}
