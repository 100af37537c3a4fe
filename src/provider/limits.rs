//! A provider's quotas: how much it takes per minute before it answers 429.

mod fixed_window;
mod token_bucket;

pub use fixed_window::FixedWindow;
pub use token_bucket::TokenBucket;
pub(crate) use token_bucket::bucket;

use crate::spec::registry::registry;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kernel::time::Time;
use crate::request::{Ask, Left, Usage};
use crate::spec::build::Built;

/// A quota, as it runs.
///
/// A provider asks all its limits before it charges any, so that several limits are atomic.
pub trait Limit: fmt::Debug + Send + Sync {
    /// When `ask` would fit: `now` if it does, [`Time::NEVER`] if it never can.
    fn ready_at(&mut self, now: Time, ask: &Ask) -> Time;

    /// Charges `ask`, which fits.
    fn charge(&mut self, now: Time, ask: &Ask);

    /// An attempt that was charged has left, after this usage: what was reserved may be corrected.
    fn settle(&mut self, _now: Time, _ask: &Ask, _usage: &Usage) {}

    /// What it counts.
    fn unit(&self) -> Unit;

    /// What rate-limit headers say of it, if it is told.
    fn left(&mut self, _now: Time) -> Option<Left> {
        None
    }

    /// How much it lets through in a minute in the long run, for clients that are told; `None` where that is not a rate.
    fn per_minute(&self) -> Option<u64>;

    /// A copy in its initial state, for one replication.
    fn fresh(&self) -> Box<dyn Limit>;
}

/// What the file says of a limit, before it runs.
pub trait BuildLimit {
    /// Checks the parameters and makes the limit.
    fn build(&self) -> Built<Box<dyn Limit>>;
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
    /// Requests at once.
    Concurrent,
}

impl Unit {
    /// How much of this unit a provider reserves for `ask`: its input, and for output the `max_tokens` sent along.
    /// Without `max_tokens` it is taken to guess the output right.
    #[inline]
    pub fn reserved(self, ask: &Ask) -> u64 {
        self.amount(ask, ask.max_output.unwrap_or(ask.output))
    }

    /// How much of this unit the caller knows that `ask` may take: its input, and for output the `max_tokens` it sends.
    /// Without `max_tokens` it knows nothing of the output, and counts none.
    #[inline]
    pub fn known(self, ask: &Ask) -> u64 {
        self.amount(ask, ask.max_output.unwrap_or(0))
    }

    #[inline]
    fn amount(self, ask: &Ask, output: u32) -> u64 {
        match self {
            Unit::Requests | Unit::Concurrent => 1,
            Unit::Tokens => u64::from(ask.input) + u64::from(output),
            Unit::InputTokens => u64::from(ask.input),
            Unit::OutputTokens => u64::from(output),
        }
    }
}

registry! {
    /// A quota of a provider.
    pub enum LimitSpec as BuildLimit {
        token_bucket => TokenBucket,
        fixed_window => FixedWindow,
    }
}
