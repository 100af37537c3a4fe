//! Providers: endpoints that take time, refuse, fail and bill.
//!
//! A provider never sees the event set. It is asked once, when an attempt arrives, and answers what will become of it.

// A match on outcomes that has a wildcard takes a new outcome for whatever stands there.
#![cfg_attr(not(test), deny(clippy::wildcard_enum_match_arm))]

pub mod cache;
pub mod endpoint;
pub mod faults;
pub mod latency;
pub mod limits;
pub mod load;
pub mod pricing;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kernel::sampler::Sampler;
use crate::kernel::time::Span;

/// A provider as scenarios share it: everything that does not change during a run.
#[derive(Debug)]
pub struct Provider {
    /// The provider's name in the experiment.
    pub name: String,
    /// The latency model: how long answers take.
    pub latency: Box<dyn latency::Latency>,
    /// The load models, applied in this order.
    pub load: Vec<Box<dyn load::Load>>,
    /// The prompt cache, if it has one.
    pub cache: Option<Box<dyn cache::Cache>>,
    /// Network overhead, in nanoseconds, which a refusal takes too.
    pub network: Sampler,
    /// The provider's own quotas.
    pub limits: Vec<Box<dyn limits::Limit>>,
    /// The sources of its failures and slowness.
    pub faults: Vec<Box<dyn faults::Fault>>,
    /// The number of the account whose quotas it shares.
    pub account: Option<usize>,
    /// What its latency and its own faults may be instead, where they were fitted to few measurements.
    pub drawn: Option<Drawn>,
    /// The tariff by which it bills.
    pub price: Box<dyn pricing::Price>,
    /// What it bills when the caller hangs up.
    pub hung_up: pricing::HungUp,
    /// The most input and output tokens together; `u64::MAX` for no limit.
    pub context_window: u64,
    /// The form in which it states Retry-After.
    pub retry_after: RetryAfter,
    /// Probability of a good answer, in millionths, by class; [`UNRATED`](crate::words::UNRATED) where it is unknown.
    pub quality: Vec<u32>,
}

impl Provider {
    /// Whether it bills for time that passes, as for reserved capacity, beside what it bills for attempts.
    pub fn bills_by_the_hour(&self) -> bool {
        self.price.standing(Span::from_secs(3600), true) > 0
    }
}

/// How one possible provider answers, and the sources of its failures and slowness.
pub type Possible = (Box<dyn latency::Latency>, Vec<Box<dyn faults::Fault>>);

/// What a provider may be, as far as the measurements tell that its model was fitted to: each replication takes one of them.
#[derive(Debug)]
pub struct Drawn {
    /// The number of the model, which providers of one model share.
    pub model: u64,
    /// The possible ones, at least one: latency, and the sources of failures and slowness.
    pub all: Vec<Possible>,
}

/// The form in which a 429 says when to come back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RetryAfter {
    /// In whole seconds, rounded up, at least one: the HTTP header.
    #[default]
    Seconds,
    /// In milliseconds, rounded up (`retry-after-ms`: Azure, OpenAI).
    Milliseconds,
    /// Without any such header (Vertex AI).
    None,
}

impl RetryAfter {
    /// The value of the header for a wait of `wait`; `None` when the wait has no end.
    fn header(self, wait: Span) -> Option<Span> {
        let round_up = |unit: u64| Span::from_nanos(wait.nanos().div_ceil(unit).max(1).saturating_mul(unit));
        match self {
            _ if wait == Span::FOREVER || wait.nanos() > u64::MAX / 2 => None,
            RetryAfter::Seconds => Some(round_up(1_000_000_000)),
            RetryAfter::Milliseconds => Some(round_up(1_000_000)),
            RetryAfter::None => None,
        }
    }

    /// What the header of a failure reads that asks for `wait` by itself, whatever the provider says of its quotas: rounded up to
    /// milliseconds where it has that header, else to seconds.
    fn worded(self, wait: Span) -> Span {
        let round_up = |unit: u64| Span::from_nanos(wait.nanos().div_ceil(unit).saturating_mul(unit));
        match self {
            RetryAfter::Seconds | RetryAfter::None => round_up(1_000_000_000),
            RetryAfter::Milliseconds => round_up(1_000_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_rounds_up_to_what_the_header_can_say() {
        let wait = Span::from_nanos(1_200_000_001);
        assert_eq!(RetryAfter::Seconds.header(wait), Some(Span::from_secs(2)));
        assert_eq!(RetryAfter::Milliseconds.header(wait), Some(Span::from_millis(1201)));
        assert_eq!(RetryAfter::None.header(wait), None);
        assert_eq!(RetryAfter::Seconds.header(Span::FOREVER), None);
        let worded = |it: RetryAfter| it.worded(wait);
        assert_eq!(worded(RetryAfter::Seconds), Span::from_secs(2));
        assert_eq!(worded(RetryAfter::None), Span::from_secs(2));
        assert_eq!(worded(RetryAfter::Milliseconds), Span::from_millis(1201));
        assert_eq!(RetryAfter::Seconds.worded(Span::ZERO), Span::ZERO);
    }
}
