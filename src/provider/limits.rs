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
pub use fixed_window::{Begins, FixedWindow};
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
use crate::kernel::time::{Span, Time};
use crate::words::{Ask, Left, Usage};

/// The running state of a quota.
///
/// A provider asks all its limits before it charges any, so that several limits are atomic.
pub trait Limit: fmt::Debug + Send + Sync {
    /// The earliest time at which `ask` fits: `now` if it does already, [`Time::NEVER`] if it never can.
    fn ready_at(&mut self, now: Time, ask: &Ask) -> Time;

    /// Charges `ask`, which fits.
    fn charge(&mut self, now: Time, ask: &Ask);

    /// Corrects the charge of an attempt that has left.
    fn settle(&mut self, _now: Time, _spent: &Spent) {}

    /// Whether [`Limit::settle`] does anything.
    fn listens(&self) -> bool {
        false
    }

    /// The unit that the limit counts.
    fn unit(&self) -> Unit;

    /// How long a concurrency limit was full, up to `now`; `None` for rate limits. When it will have room again is not
    /// known beforehand.
    fn full(&self, _now: Time) -> Option<Full> {
        None
    }

    /// What rate-limit headers say of the limit, if it is told.
    fn left(&mut self, _now: Time) -> Option<Left> {
        None
    }

    /// The long-run rate per minute, for clients that are told; `None` where the limit is not a rate, or is one by the
    /// day.
    fn per_minute(&self) -> Option<u64>;

    /// How much it lets through at once, and how long until all of that may be used again: what it bounds is seen only in a run
    /// of that length. `None` for limits that are not of a time.
    fn window(&self) -> Option<(u64, Span)> {
        None
    }

    /// All that was taken of it up to `now`, in its own unit; of a limit on requests at once, their nanoseconds.
    fn used(&self, _now: Time) -> u128 {
        0
    }

    /// The most of [`Limit::used`] that so long a time has room for in the long run; `None` where that is not known.
    fn most(&self, _over: Span) -> Option<u128> {
        None
    }

    /// A copy in its initial state, for one replication.
    fn fresh(&self) -> Box<dyn Limit>;
}

/// An attempt that was charged and has left.
#[derive(Clone, Copy, Debug)]
pub struct Spent {
    /// The size of the attempt, as [`Limit::charge`] saw it.
    pub ask: Ask,
    /// The time at which it was charged.
    pub since: Time,
    /// The tokens that it used; zero if it was not answered.
    pub usage: Usage,
}

/// The parameters of a limit, as an experiment gives them.
pub trait BuildLimit {
    /// Checks the parameters and makes the limits: one, unless the name stands for several.
    fn build_all(&self, names: &Names<'_>) -> Built<Vec<Box<dyn Limit>>>;
}

/// The parameters of a kind that stands for exactly one limit.
pub trait BuildOne {
    /// Checks the parameters and makes the limit.
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Limit>>;
}

impl<T: BuildOne> BuildLimit for T {
    fn build_all(&self, names: &Names<'_>) -> Built<Vec<Box<dyn Limit>>> {
        Ok(vec![self.build(names)?])
    }
}

/// The unit that a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Requests, whatever their size.
    Requests,
    /// Input and output tokens together.
    Tokens,
    /// Input tokens only.
    InputTokens,
    /// Output tokens only.
    OutputTokens,
    /// Concurrent requests: counted by the limit `concurrent` only.
    Concurrent,
}

impl Unit {
    /// What it counts, in the plural.
    pub const fn words(self) -> &'static str {
        match self {
            Unit::Requests => "requests",
            Unit::Tokens => "tokens",
            Unit::InputTokens => "input tokens",
            Unit::OutputTokens => "output tokens",
            Unit::Concurrent => "requests at once",
        }
    }

    /// How much of this unit the caller knows that `ask` may take: its input, and for output the `max_tokens` it sends.
    /// Without `max_tokens` the output is unknown, and counts as zero.
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
