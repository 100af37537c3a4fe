//! Portkey's circuit breaker: a target that fails too often is out for a while, then simply back.
//!
//! Calls and failures of each target are counted from its last return on. After a failure it is out for
//! `cooldown_interval` if there were `failure_threshold` failures, or, from `minimum_requests` calls on, a share of
//! `failure_threshold_percentage`. Then it is back with nothing counted; there is no half-open. What ends while it is
//! out counts for nothing. If all targets of a strategy are out, all are let through. A strategy is a fallback group of
//! the client, or the whole fleet if there are none; a target that is in several is let through if all of any of these
//! are out.
//!
//! `failures` are failure_status_codes: by default those above 500, so a plain 500 is none; a refused connection is a 500 there.
//!
//! Source: Portkey AI gateway, `cb_config`, as documented. Its open-source gateway reads the setting and has no breaker behind it.
//! Left out: conditional strategies, which have none either.
//!
//! ```json
//! { "portkey": { "failure_threshold": 5, "cooldown_interval": "30s" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::openings::{Openings, Seen, over_openings};
use super::{BuildBreaker, FleetBreaker, Guard, Ticket};
use crate::form::build::{Built, Names, Refusal, at_least_one};
use crate::form::outcomes::OutcomeList;
use crate::form::units::{Duration, Fraction};
use crate::kernel::time::{Span, Time};
use crate::words::{Ended, Outcome, Outcomes};

/// A target that fails too often is out for a while, then back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Portkey {
    /// The failures with which a target is out, at least 1. Default: not given; this or the share must be.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub failure_threshold: Option<u32>,
    /// The share of failures with which a target is out, above 0. Default: not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_threshold_percentage: Option<Fraction>,
    /// The calls from which on the share counts. Default: 0.
    pub minimum_requests: u32,
    /// The time for which a target is out, at least 30s. Default: 30s.
    pub cooldown_interval: Duration,
    /// The outcomes of a call that are failures. Default: a 5xx other than 500, no connection in time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failures: Option<OutcomeList>,
}

impl Default for Portkey {
    fn default() -> Self {
        Portkey {
            failure_threshold: None,
            failure_threshold_percentage: None,
            minimum_requests: 0,
            cooldown_interval: Duration::from(SHORTEST),
            failures: None,
        }
    }
}

/// The shortest cooldown that is allowed.
const SHORTEST: Span = Span::from_secs(30);

/// The codes above 500; a connect timeout is a 503 there.
const ABOVE_500: Outcomes = Outcomes::of(&[
    Outcome::BadGateway,
    Outcome::Unavailable,
    Outcome::GatewayTimeout,
    Outcome::Overloaded,
    Outcome::TimeoutConnect,
]);

impl BuildBreaker for Portkey {
    fn build(&self, names: &Names<'_>) -> Built<Guard> {
        let cooldown = self.cooldown_interval.span();
        if cooldown < SHORTEST {
            let text = format!("cooldown_interval is {cooldown}, and must be at least 30s");
            return Err(Refusal::new(text).at("cooldown_interval"));
        }
        at_least_one(&[("failure_threshold", self.failure_threshold.unwrap_or(1))])?;
        if self.failure_threshold_percentage == Some(Fraction::ZERO) {
            let text = "failure_threshold_percentage is 0, and must be more";
            return Err(Refusal::new(text).at("failure_threshold_percentage"));
        }
        if self.failure_threshold.is_none() && self.failure_threshold_percentage.is_none() {
            return Err(Refusal::new(
                "needs failure_threshold or failure_threshold_percentage, or nothing is ever too much",
            ));
        }
        let providers = names.providers.len();
        let strategies = if names.groups.is_empty() {
            vec![(0..providers).collect()]
        } else {
            names.groups.to_vec()
        };
        Ok(Guard::Fleet(Box::new(Running {
            count: self.failure_threshold.map_or(u64::MAX, u64::from),
            share: self.failure_threshold_percentage.map_or(f64::INFINITY, |f| f.get()),
            minimum: u64::from(self.minimum_requests),
            cooldown,
            failures: self.failures.as_ref().map_or(ABOVE_500, OutcomeList::set),
            strategies,
            targets: vec![Target::default(); providers],
        })))
    }
}

#[derive(Clone, Debug)]
struct Running {
    count: u64,
    share: f64,
    minimum: u64,
    cooldown: Span,
    failures: Outcomes,
    strategies: Vec<Vec<usize>>,
    targets: Vec<Target>,
}

#[derive(Clone, Debug, Default)]
struct Target {
    calls: u64,
    failures: u64,
    openings: Openings,
}

impl FleetBreaker for Running {
    #[inline]
    fn permits(&self, provider: usize, now: Time) -> bool {
        let out = |&p: &usize| self.targets[p].openings.is_open(now);
        !out(&provider) || (self.strategies.iter()).any(|all| all.contains(&provider) && all.iter().all(out))
    }

    #[inline]
    fn sent(&mut self, _provider: usize, _now: Time) -> Ticket {
        Ticket::default()
    }

    #[inline]
    fn record(&mut self, _ticket: Ticket, ended: &Ended) {
        let seen = Seen::of(ended.outcome, self.failures);
        let target = &mut self.targets[ended.provider];
        if seen == Seen::Nothing || target.openings.is_open(ended.now) {
            return;
        }
        target.calls += 1;
        if seen == Seen::Failure {
            target.failures += 1;
            let too_large = target.calls >= self.minimum && target.failures as f64 >= self.share * target.calls as f64;
            if target.failures >= self.count || too_large {
                target.openings.open(ended.now, ended.now + self.cooldown);
                (target.calls, target.failures) = (0, 0);
            }
        }
    }

    over_openings!(each targets);
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Watch, at};
    use super::*;

    fn watch(fields: &str) -> Watch {
        Watch::new(&format!(r#"{{"portkey": {{{fields}}}}}"#), 2)
    }

    #[test]
    fn failures_are_counted_since_the_target_came_back() {
        let mut it = watch(r#""failure_threshold": 3"#);
        // A 500, a 429, a timeout and a refused connection are none; successes take nothing off.
        assert_eq!(it.run(0, 0, 1_000, "FrtCUsUsG."), "ooooooooox");
        assert_eq!((it.permits(0, at(37_999)), it.permits(0, at(38_000))), (false, true));
        // It is back with all its traffic, and needs three again.
        assert_eq!(it.run(0, 38_000, 100, "UUU."), "ooox");
        assert_eq!((it.trips(0), it.time_open(0, at(39_200))), (2, Span::from_secs(31)));
    }

    #[test]
    fn a_share_counts_from_enough_calls_on() {
        let fields = r#""failure_threshold_percentage": "50%", "minimum_requests": 4"#;
        assert_eq!(watch(fields).run(0, 0, 100, "UUsU."), "oooox");
        // The success that completes the four is no reason to look.
        assert_eq!(watch(fields).run(0, 0, 100, "UUUs."), "ooooo");
        assert_eq!(watch(fields).run(0, 0, 100, "sssUUU."), "oooooox");
    }

    #[test]
    fn if_all_are_out_all_are_let_through() {
        let json = r#"{"portkey": {"failure_threshold": 1}}"#;
        let mut it = Watch::in_groups(json, 3, &[vec![0, 1], vec![2]]);
        it.run(0, 0, 0, "U");
        assert_eq!(it.open_to_calls(3, at(0)), "xoo");
        it.run(1, 0, 0, "U");
        assert_eq!(it.open_to_calls(3, at(0)), "ooo");
        // One who is alone is never out.
        it.run(2, 0, 0, "U");
        assert_eq!((it.open_to_calls(3, at(0)), it.trips(2)), ("ooo".to_owned(), 1));
    }
}
