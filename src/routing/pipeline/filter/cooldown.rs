//! A rest after failures, without a breaker: all traffic returns when it is over.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildFilter, Filter};

use crate::form::build::{Built, Names, Refusal};
use crate::form::outcomes::OutcomeList;
use crate::form::units::Duration;
use crate::kernel::time::{Span, Time};
use crate::routing::{Call, Fleet, Wants};
use crate::words::{Ended, Outcome, Outcomes};

/// Leaves out a provider that has failed several times in a row, for a while.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Cooldown {
    /// The failures in a row, at least 1. Default: 1.
    #[schemars(range(min = 1))]
    pub failures: u32,
    /// The length of the rest, where no Retry-After says so. Default: 5 s.
    pub lasts: Duration,
    /// The outcomes that are failures. Default: failures of the provider, 429, and what LiteLLM rests on besides: 401,
    /// 402 and 404.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on: Option<OutcomeList>,
}

impl Default for Cooldown {
    fn default() -> Self {
        Cooldown {
            failures: 1,
            lasts: Duration::from(Span::from_secs(5)),
            on: None,
        }
    }
}

impl BuildFilter for Cooldown {
    fn build(&self, _order: &[usize], names: &Names<'_>) -> Built<Box<dyn Filter>> {
        if self.failures == 0 {
            return Err(Refusal::new("0 failures: must be 1 or more").at("failures"));
        }
        let no_use = [Outcome::Unauthorized, Outcome::PaymentRequired, Outcome::NotFound];
        let default = Outcomes::TRANSIENT.and(Outcomes::of(&no_use));
        Ok(Box::new(Running {
            failures: self.failures,
            lasts: self.lasts.span(),
            on: OutcomeList::set_or(self.on.as_ref(), default, "on")?,
            states: vec![(0, Time::ZERO); names.providers.len()],
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    failures: u32,
    lasts: Span,
    on: Outcomes,
    /// The failures in a row, and until when the provider rests.
    states: Vec<(u32, Time)>,
}

impl Filter for Running {
    fn sift(&mut self, left: &mut Vec<usize>, _call: &Call, fleet: &Fleet<'_>) {
        left.retain(|&p| fleet.now() >= self.states[p].1);
    }

    fn wants(&self) -> Wants {
        Wants::LEARNS
    }

    fn learn(&mut self, ended: &Ended) {
        let (failed, until) = &mut self.states[ended.provider];
        if ended.outcome == Outcome::Success {
            *failed = 0;
        } else if self.on.contains(ended.outcome) {
            *failed += 1;
            if *failed >= self.failures {
                *failed = 0;
                *until = (*until).max(ended.now + ended.retry_after.unwrap_or(self.lasts));
            }
        }
    }

    fn fresh(&self) -> Box<dyn Filter> {
        Box::new(self.clone())
    }
}
