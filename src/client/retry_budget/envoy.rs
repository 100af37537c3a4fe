//! Envoy's retry budget (`circuit_breaker.proto` RetryBudget, `resource_manager_impl.h`): at any moment not more retries than
//! `budget_percent` of the attempts under way, rounded down, and at least `min_retry_concurrency`.
//!
//! A retry counts from when it is decided, its back-off included, until its answer begins or it fails (measured on 1.40); attempts count from when they are sent,
//! retries among them. Before a failed retry is followed by another, it is over.
//!
//! ```json
//! { "envoy": { "budget_percent": "20%", "min_retry_concurrency": 3 } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildRetryBudget, RetryBudget};
use crate::form::build::{Built, Names};
use crate::form::units::Fraction;
use crate::kernel::time::Time;

/// The retry budget of Envoy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Envoy {
    /// The most retries at once, as a share of the attempts under way. Default: 20%.
    pub budget_percent: Fraction,
    /// The retries at once that are always allowed. Default: 3.
    pub min_retry_concurrency: u32,
}

impl Default for Envoy {
    fn default() -> Envoy {
        Envoy {
            budget_percent: Fraction::new(0.2).unwrap_or(Fraction::ZERO),
            min_retry_concurrency: 3,
        }
    }
}

impl BuildRetryBudget for Envoy {
    fn build(&self, _names: &Names<'_>) -> Built<Box<dyn RetryBudget>> {
        Ok(Box::new(Running {
            share: self.budget_percent.get(),
            least: u64::from(self.min_retry_concurrency),
            active: 0,
            retries: 0,
        }))
    }
}

#[derive(Clone, Copy, Debug)]
struct Running {
    share: f64,
    least: u64,
    active: u64,
    retries: u64,
}

impl RetryBudget for Running {
    #[inline]
    fn sent(&mut self, _now: Time, _attempt: u32) {
        self.active += 1;
    }

    #[inline]
    fn ended(&mut self) {
        self.active = self.active.saturating_sub(1);
    }

    fn withdraw(&mut self, _now: Time) -> bool {
        let most = ((self.share * self.active as f64) as u64).max(self.least);
        let allowed = self.retries < most;
        self.retries += u64::from(allowed);
        allowed
    }

    fn over(&mut self) {
        self.retries = self.retries.saturating_sub(1);
    }

    fn over_at_headers(&self) -> bool {
        true
    }

    fn fresh(&self) -> Box<dyn RetryBudget> {
        Box::new(Running {
            active: 0,
            retries: 0,
            ..*self
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_at_once_are_a_share_of_what_is_under_way_and_never_below_the_least() {
        let mut budget = Envoy::default().build(&Names::default()).unwrap();
        let mut active = 0;
        let mut allowed = 0;
        for (level, most) in [(0, 3), (15, 3), (19, 3), (20, 4), (100, 20)] {
            (active..level).for_each(|n| budget.sent(Time::ZERO, n));
            active = level;
            while budget.withdraw(Time::ZERO) {
                allowed += 1;
            }
            assert_eq!(allowed, most, "of {level} under way");
        }
        budget.over();
        assert!(budget.withdraw(Time::ZERO) && !budget.withdraw(Time::ZERO));
        (0..50).for_each(|_| budget.ended());
        (0..10).for_each(|_| budget.over());
        assert!(!budget.withdraw(Time::ZERO), "ten are still counted, and ten may be");
        budget.over();
        assert!(budget.withdraw(Time::ZERO));
    }
}
