//! A budget for each provider in a window (LiteLLM's `provider_budget_config`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildFilter, Filter};

use crate::form::build::{Built, Names, Refusal};
use crate::form::named::Named;
use crate::form::units::{Duration, Money};
use crate::kernel::time::{Span, Time};
use crate::routing::{Call, Fleet, Wants};
use crate::words::{Course, Ended};

/// Leaves out a provider that has spent its budget.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// The budget of a window, by provider. A provider that is not named has none.
    pub budgets: Named<Money>,
    /// The length of a window; they follow each other from the start of the plan's time. Default: 24 h.
    #[serde(default = "a_day")]
    pub per: Duration,
}

fn a_day() -> Duration {
    Duration::from(Span::from_secs(86_400))
}

impl BuildFilter for Budget {
    fn build(&self, _order: &[usize], names: &Names<'_>) -> Built<Box<dyn Filter>> {
        if self.per.span() == Span::ZERO {
            return Err(Refusal::new("0s: must be longer than nothing").at("per"));
        }
        let mut budgets = vec![u128::MAX; names.providers.len()];
        for (name, &budget) in self.budgets.iter() {
            let provider = names.provider(name).map_err(|r| r.at(name).at("budgets"))?;
            budgets[provider] = names.money(budget);
        }
        Ok(Box::new(Running {
            per: self.per.span(),
            origin: names.origin,
            window: 0,
            spent: vec![0; budgets.len()],
            budgets,
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    budgets: Vec<u128>,
    per: Span,
    /// The beginning of the first window: before it nothing is charged.
    origin: Time,
    window: u64,
    spent: Vec<u128>,
}

impl Running {
    fn turn(&mut self, now: Time) {
        let window = now.since(self.origin).nanos() / self.per.nanos();
        if window != self.window {
            self.window = window;
            self.spent.fill(0);
        }
    }
}

impl Filter for Running {
    fn sift(&mut self, left: &mut Vec<usize>, _call: &Call, fleet: &Fleet<'_>) {
        self.turn(fleet.now());
        left.retain(|&p| self.spent[p] < self.budgets[p]);
    }

    fn wants(&self) -> Wants {
        Wants::LEARNS
    }

    fn learn(&mut self, ended: &Ended) {
        self.turn(ended.now);
        if ended.now >= self.origin {
            self.spent[ended.provider] += u128::from(ended.cost);
        }
    }

    fn course(&self) -> Option<Course> {
        Some(Course::repeats("the window of a filter's budgets", self.per))
    }

    fn fresh(&self) -> Box<dyn Filter> {
        Box::new(self.clone())
    }
}
