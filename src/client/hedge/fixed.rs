//! A further copy after a fixed delay, as long as there is no answer (Polly's hedging strategy: `delay` 2s, one copy).
//!
//! A delay of 0s sends all copies at once. With `on_failure` a copy also follows at once when one of several fails; when the
//! last of them fails, the retry rule decides. `budget` bounds the copies to a share of the tries of the last 10 s.
//!
//! ```json
//! { "fixed": { "delay": "2s", "most": 1, "race": "first_token" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildHedge, Hedge, Race, bounded, check_most};
use crate::client::retry_budget::Leaky;
use crate::form::build::{Built, Names};
use crate::form::units::{Duration, Fraction};
use crate::kernel::time::{Span, Time};

/// A further copy of a request after a fixed delay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Fixed {
    /// The delay before each copy. Default: 2s.
    pub delay: Duration,
    /// The most copies besides the first attempt, from 1 to 3. Default: 1.
    #[schemars(range(min = 1, max = 3))]
    pub most: u32,
    /// Whether a copy must go to another provider than those under way. Default: yes.
    pub elsewhere: bool,
    /// The event that decides the race. Default: `first_token`.
    pub race: Race,
    /// Whether another copy follows at once when one of several fails. Default: no.
    pub on_failure: bool,
    /// The most copies, as a share of the tries of the last 10 s. Default: no bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<Fraction>,
}

impl Default for Fixed {
    fn default() -> Fixed {
        Fixed {
            delay: Duration::from(Span::from_secs(2)),
            most: 1,
            elsewhere: true,
            race: Race::FirstToken,
            on_failure: false,
            budget: None,
        }
    }
}

impl BuildHedge for Fixed {
    fn build(&self, _names: &Names<'_>) -> Built<Box<dyn Hedge>> {
        check_most(self.most)?;
        Ok(Box::new(Running {
            delay: self.delay.span(),
            most: self.most,
            elsewhere: self.elsewhere,
            race: self.race,
            on_failure: self.on_failure,
            budget: self.budget.map(bounded),
            denied: 0,
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    delay: Span,
    most: u32,
    elsewhere: bool,
    race: Race,
    on_failure: bool,
    budget: Option<Leaky>,
    denied: u64,
}

impl Hedge for Running {
    fn wait(&mut self, now: Time, _class: usize) -> Option<Span> {
        if let Some(budget) = &mut self.budget {
            budget.deposit(now);
        }
        Some(self.delay)
    }

    fn fire(&mut self, now: Time, sent: u32) -> bool {
        if sent >= self.most {
            return false;
        }
        let covered = self.budget.as_mut().is_none_or(|b| b.withdraw(now));
        self.denied += u64::from(!covered);
        covered
    }

    fn wait_again(&mut self, _now: Time, _class: usize, sent: u32) -> Option<Span> {
        (sent < self.most).then_some(self.delay)
    }

    fn on_failure(&mut self, now: Time, sent: u32) -> bool {
        self.on_failure && self.fire(now, sent)
    }

    fn race(&self) -> Race {
        self.race
    }

    fn elsewhere(&self) -> bool {
        self.elsewhere
    }

    fn denied(&self) -> u64 {
        self.denied
    }

    fn fresh(&self) -> Box<dyn Hedge> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use crate::client::hedge::testing::hedge;
    use crate::kernel::time::{Span, Time};

    #[test]
    fn copies_follow_one_delay_apart_until_there_are_enough() {
        let mut rule = hedge(r#"{"fixed": {"delay": "1s", "most": 2}}"#);
        let second = Span::from_secs(1);
        assert_eq!(rule.wait(Time::ZERO, 0), Some(second));
        assert!(rule.fire(Time::ZERO, 0));
        assert_eq!(rule.wait_again(Time::ZERO, 0, 1), Some(second));
        assert!(rule.fire(Time::ZERO, 1));
        assert_eq!(rule.wait_again(Time::ZERO, 0, 2), None);
        assert!(!rule.on_failure(Time::ZERO, 1));
    }

    #[test]
    fn a_failure_may_bring_a_copy_at_once() {
        let mut rule = hedge(r#"{"fixed": {"most": 2, "on_failure": true}}"#);
        assert!(rule.on_failure(Time::ZERO, 1) && !rule.on_failure(Time::ZERO, 2));
    }

    #[test]
    fn a_budget_allows_its_share_of_the_tries() {
        let mut rule = hedge(r#"{"fixed": {"budget": "10%"}}"#);
        let mut copies = 0;
        for _ in 0..1000 {
            rule.wait(Time::ZERO, 0);
            copies += u32::from(rule.fire(Time::ZERO, 0));
        }
        assert_eq!((copies, rule.denied()), (100, 900));
    }
}
