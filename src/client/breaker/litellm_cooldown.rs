//! LiteLLM's cooldown: a deployment that fails is left out for some seconds, and comes back with all of its traffic.
//!
//! Failures and successes of each deployment are counted in windows of 60 s, one for each of the two, each of which starts at its
//! own first event. Only a failure is a reason to look. With f and s as counted, the failure included, a deployment cools if
//!
//! | | rule |
//! |---|---|
//! | a | it was a 429, and its group has another deployment |
//! | b | s = 0 and f ≥ 1000 |
//! | c | f / (f + s) > 50 % and f + s ≥ 5, and its group has another deployment |
//! | d | it was a 401, 402 or 404, also if it is alone |
//!
//! Any other 4xx but a 408 (400, 403, 409, 413, 422) never leads to a cooldown, but counts among the failures. What the client ends by itself (its queue, the timeout of the
//! whole request, a copy called off) counts for nothing. With `allowed_fails` another rule stands in for the four: a counter that is
//! forgotten `cooldown_time` after its first failure; with more failures than allowed the deployment cools, unless it is alone.
//!
//! A cooldown lasts as long as its deployment has in `deployments`, else as long as a Retry-After in whole seconds says
//! (of any failure), else `cooldown_time`. With a length of 0 there is no cooldown. A failure that comes in meanwhile
//! is counted but prolongs nothing. There is no half-open: when it is over everything goes there again, and because f
//! still stands, one more failure is enough.
//!
//! A group is a fallback group of the client, or the whole fleet if there are none. A deployment that is in several
//! groups counts as alone if it is alone in each of them.
//!
//! Version "1.80" has no minimum of 5 requests in rule c, and takes `allowed_fails: 3` for not given, that being its own default.
//!
//! Source: LiteLLM 1.109.1, `litellm/router_utils/cooldown_handlers.py`, `cooldown_cache.py`, `litellm/constants.py`. Left
//! out: `allowed_fails_policy` (counts for each kind of exception), the limit of 200 cached counters, and the delay at which other
//! processes see a cooldown.
//!
//! ```json
//! { "litellm_cooldown": { "cooldown_time": "60s", "deployments": { "azure": "10s" } } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::openings::{Openings, over_openings};
use super::{BuildBreaker, FleetBreaker, Guard, Ticket};
use crate::form::build::{Built, Names};
use crate::form::named::Named;
use crate::form::units::Duration;
use crate::kernel::time::{Span, Time};
use crate::words::{Ended, Outcome, Outcomes};

/// Cooldowns of deployments, as LiteLLM's router has them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LitellmCooldown {
    /// The LiteLLM version whose rules hold. Default: `1.109`.
    #[serde(default)]
    pub version: Version,
    /// The failures that do not yet lead to a cooldown, instead of LiteLLM's rules by share. Default: not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_fails: Option<u32>,
    /// The length of a cooldown where neither `deployments` nor a Retry-After says so; 0s: no cooldown. Default: 5s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooldown_time: Option<Duration>,
    /// The providers with a cooldown time of their own, which goes before Retry-After. Default: none.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub deployments: Named<Duration>,
}

/// The version of LiteLLM whose rules hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Version {
    /// The rules of 1.109: a share counts from five requests on.
    #[default]
    #[serde(rename = "1.109")]
    V1_109,
    /// The rules of 1.80: a lone failure is a share of 100 %.
    #[serde(rename = "1.80")]
    V1_80,
}

/// The window in which failures and successes are counted.
const WINDOW: Span = Span::from_secs(60);
/// The value of LiteLLM's `DEFAULT_COOLDOWN_TIME_SECONDS`.
const COOLDOWN: Span = Span::from_secs(5);
/// The value of LiteLLM's `DEFAULT_FAILURE_THRESHOLD_MINIMUM_REQUESTS`.
const MINIMUM: u64 = 5;
/// The value of LiteLLM's `SINGLE_DEPLOYMENT_TRAFFIC_FAILURE_THRESHOLD`.
const ALL_FAILED: u64 = 1000;
/// The default of LiteLLM's `litellm.allowed_fails`.
const ALLOWED_BY_DEFAULT: u32 = 3;

/// The outcomes that lead to a cooldown at once (`_should_cooldown_deployment`: considered, and not a status that
/// LiteLLM retries).
const AT_ONCE: Outcomes = Outcomes::of(&[Outcome::Unauthorized, Outcome::PaymentRequired, Outcome::NotFound]);
/// The outcomes that may lead to a cooldown (`_is_cooldown_required`: 401, 402, 404, 408, 429 and all that is not a
/// 4xx).
const CONSIDERED: Outcomes = Outcomes::TRANSIENT.and(AT_ONCE);
/// The outcomes that count as failures.
const FAILURES: Outcomes = Outcomes::ANY_FAILURE;

impl BuildBreaker for LitellmCooldown {
    fn build(&self, names: &Names<'_>) -> Built<Guard> {
        let mut lasts = vec![None; names.providers.len()];
        for (name, duration) in self.deployments.iter() {
            let provider = names.provider(name).map_err(|r| r.at(name).at("deployments"))?;
            lasts[provider] = Some(duration.span());
        }
        let old = self.version == Version::V1_80;
        let everybody: Vec<usize> = (0..lasts.len()).collect();
        let groups = if names.groups.is_empty() {
            std::slice::from_ref(&everybody)
        } else {
            names.groups
        };
        let alone = |p: &usize| groups.iter().filter(|g| g.contains(p)).all(|g| g.len() == 1);
        let states = (lasts.into_iter().enumerate())
            .map(|(p, lasts)| State {
                lasts,
                alone: alone(&p),
                ..State::default()
            })
            .collect();
        Ok(Guard::Fleet(Box::new(Running {
            minimum: if old { 0 } else { MINIMUM },
            allowed_fails: (self.allowed_fails)
                .filter(|&n| !old || n != ALLOWED_BY_DEFAULT)
                .map(u64::from),
            cooldown_time: self.cooldown_time.map_or(COOLDOWN, |d| d.span()),
            states,
        })))
    }
}

#[derive(Clone, Debug)]
struct Running {
    minimum: u64,
    allowed_fails: Option<u64>,
    cooldown_time: Span,
    states: Vec<State>,
}

/// The state of one deployment.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// The deployment's own cooldown time, if it has one.
    lasts: Option<Span>,
    /// Whether the deployment is alone in its group.
    alone: bool,
    failures: Counter,
    successes: Counter,
    /// The failures held against `allowed_fails`.
    held: Counter,
    openings: Openings,
}

/// A number that is forgotten a fixed time after it was first counted.
#[derive(Clone, Copy, Debug, Default)]
struct Counter {
    count: u64,
    until: Time,
}

impl Counter {
    fn get(&self, now: Time) -> u64 {
        if now < self.until { self.count } else { 0 }
    }

    fn add(&mut self, now: Time, lasts: Span) {
        if now >= self.until {
            *self = Counter {
                count: 0,
                until: now + lasts,
            };
        }
        self.count += 1;
    }
}

impl Running {
    /// Whether the failure just counted is a reason to cool.
    fn cools(&mut self, provider: usize, now: Time, outcome: Outcome) -> bool {
        let state = &mut self.states[provider];
        if let Some(allowed) = self.allowed_fails {
            if state.alone {
                return false;
            }
            if state.held.get(now) + 1 > allowed {
                return true;
            }
            state.held.add(now, self.cooldown_time);
            return false;
        }
        let (f, s) = (state.failures.get(now), state.successes.get(now));
        if AT_ONCE.contains(outcome) || (outcome == Outcome::RateLimited && !state.alone) {
            return true;
        }
        (s == 0 && f >= ALL_FAILED) || (!state.alone && f > s && f + s >= self.minimum)
    }
}

impl FleetBreaker for Running {
    #[inline]
    fn permits(&self, provider: usize, now: Time) -> bool {
        !self.states[provider].openings.is_open(now)
    }

    #[inline]
    fn sent(&mut self, _provider: usize, _now: Time) -> Ticket {
        Ticket::default()
    }

    #[inline]
    fn record(&mut self, _ticket: Ticket, ended: &Ended) {
        let (now, outcome) = (ended.now, ended.outcome);
        let state = &mut self.states[ended.provider];
        if outcome == Outcome::Success {
            state.successes.add(now, WINDOW);
            return;
        }
        if !FAILURES.contains(outcome) {
            return;
        }
        state.failures.add(now, WINDOW);
        let whole_seconds = |d: &Span| d.nanos().is_multiple_of(1_000_000_000);
        let lasts = (state.lasts)
            .or(ended.retry_after.filter(whole_seconds))
            .unwrap_or(self.cooldown_time);
        if !CONSIDERED.contains(outcome) || lasts == Span::ZERO || !self.cools(ended.provider, now, outcome) {
            return;
        }
        let openings = &mut self.states[ended.provider].openings;
        if !openings.is_open(now) {
            openings.open(now, now + lasts);
        }
    }

    over_openings!(each states);
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Watch, at};
    use super::*;

    const DEFAULT: &str = r#""litellm_cooldown""#;

    fn failure(now: u64, provider: usize, outcome: Outcome, retry_after: Option<f64>) -> Ended {
        Ended {
            retry_after: retry_after.map(Span::from_seconds_f64),
            ..Ended::new(at(now), provider, outcome)
        }
    }

    /// When calls reach provider 0, which always answers so, if one is offered each 100 ms: in milliseconds.
    fn hits(watch: &mut Watch, until: u64, outcome: Outcome, retry_after: Option<f64>) -> Vec<u64> {
        let mut hits = Vec::new();
        for now in (0..until).step_by(100) {
            if watch.permits(0, at(now)) {
                let ticket = watch.sent(0, at(now));
                watch.record(ticket, &failure(now, 0, outcome, retry_after));
                hits.push(now);
            }
        }
        hits
    }

    #[test]
    fn a_429_cools_at_once_for_its_retry_after_or_five_seconds() {
        let of = |retry_after| hits(&mut Watch::new(DEFAULT, 2), 11_000, Outcome::RateLimited, retry_after);
        // Measured: 0, 2.7, 4.8 and 0, 5.5, 10.7 s, with the client's own time.
        assert_eq!(of(Some(2.0))[..3], [0, 2_000, 4_000]);
        assert_eq!(of(None), [0, 5_000, 10_000]);
        // A Retry-After that is not a whole number of seconds does not parse.
        assert_eq!(of(Some(1.5)), [0, 5_000, 10_000]);
        // Nothing to wait is no cooldown.
        assert_eq!(of(Some(0.0)).len(), 110);
    }

    #[test]
    fn a_dead_deployment_of_two_gets_five_hits_and_then_one_each_cooldown() {
        let seen = hits(&mut Watch::new(DEFAULT, 2), 75_000, Outcome::ServerError, None);
        assert_eq!(seen[..8], [0, 100, 200, 300, 400, 5_400, 10_400, 15_400]);
        // The failures' window ends at 60 s: it takes five again.
        assert_eq!(
            seen[14..],
            [50_400, 55_400, 60_400, 60_500, 60_600, 60_700, 60_800, 65_800, 70_800]
        );
    }

    #[test]
    fn only_a_failure_is_a_reason_to_look() {
        let mut watch = Watch::new(DEFAULT, 2);
        // Three of five have failed, but the fifth call is a success; the thirteenth makes it 7 of 13.
        let seen = watch.run(0, 0, 50, "FFFssssssFFFF.");
        assert_eq!(seen, "ooooooooooooox");
    }

    #[test]
    fn the_share_counts_the_successes_before() {
        for (successes, failures) in [(0, 5), (2, 3), (4, 5), (8, 9)] {
            let mut watch = Watch::new(DEFAULT, 2);
            watch.run(0, 0, 100, &"s".repeat(successes));
            let seen = watch.run(0, 10_000, 100, &"F".repeat(12));
            assert_eq!(seen.find('x'), Some(failures), "after {successes} successes");
        }
    }

    #[test]
    fn the_windows_of_failures_and_successes_end_apart() {
        let mut watch = Watch::new(DEFAULT, 2);
        // 20 successes from 0 on, 5 failures from 50 s on: a fifth. At 60 s the successes are forgotten.
        watch.run(0, 0, 100, &"s".repeat(20));
        assert_eq!(watch.run(0, 50_000, 100, "FFFFF."), "oooooo");
        assert_eq!(watch.run(0, 61_000, 100, "F."), "ox");
    }

    #[test]
    fn whoever_is_alone_cools_only_when_it_must() {
        let of = |json: &str, outcome| hits(&mut Watch::new(json, 1), 3_000, outcome, None).len();
        assert_eq!(of(DEFAULT, Outcome::ServerError), 30);
        assert_eq!(of(DEFAULT, Outcome::RateLimited), 30);
        assert_eq!(of(DEFAULT, Outcome::Unauthorized), 1);
        assert_eq!(
            of(r#"{"litellm_cooldown": {"allowed_fails": 2}}"#, Outcome::ServerError),
            30
        );
        // A thousand failures and no success.
        let seen = hits(&mut Watch::new(DEFAULT, 1), 59_000, Outcome::ServerError, None);
        assert_eq!(seen.len(), 590);
        let mut fast = Watch::new(DEFAULT, 1);
        assert_eq!(fast.run(0, 0, 10, &"F".repeat(1001)).find('x'), Some(1000));
    }

    /// LiteLLM 1.106.2 in process: 429, 401 and 404 cool at once (402 by its source), 400, 403, 409 and 422 never, a 5xx, a 408,
    /// a timeout or a refused connection by its share: at the fifth of five.
    #[test]
    fn each_status_cools_at_once_or_by_its_share_or_never() {
        for outcome in Outcome::ALL.into_iter().filter(|&o| o != Outcome::Success) {
            let hits = hits(&mut Watch::new(DEFAULT, 2), 4_000, outcome, None).len();
            let expected = match outcome.status() {
                Some(401 | 402 | 404 | 429) => 1,
                Some(408) => 5,
                Some(400..500) => 40,
                Some(_) => 5,
                None if outcome.is_provider_failure() => 5,
                None => 40,
            };
            assert_eq!(hits, expected, "{outcome:?}");
        }
    }

    #[test]
    fn alone_means_alone_in_every_fallback_group() {
        let cools = |groups: &[Vec<usize>]| {
            let mut watch = Watch::in_groups(DEFAULT, 3, groups);
            watch.call(0, at(0), Outcome::RateLimited);
            !watch.permits(0, at(1))
        };
        assert!(cools(&[]));
        assert!(cools(&[vec![0, 1], vec![2]]));
        assert!(!cools(&[vec![0], vec![1, 2]]));
        assert!(cools(&[vec![0], vec![0, 2]]));
    }

    #[test]
    fn what_the_caller_did_wrong_or_the_client_ended_cools_nothing() {
        let mut watch = Watch::new(DEFAULT, 2);
        assert_eq!(watch.run(0, 0, 100, "ccccccccQQQQxxxx."), "ooooooooooooooooo");
        // Yet a 400 is a failure: eight of them, and the next 500 makes nine of nine.
        assert_eq!(watch.run(0, 2_000, 100, "F."), "ox");
    }

    #[test]
    fn a_failure_during_a_cooldown_counts_and_prolongs_nothing() {
        let mut watch = Watch::new(DEFAULT, 2);
        let late = watch.sent(0, at(0));
        watch.run(0, 0, 100, "FFFFF");
        watch.record(late, &failure(3_000, 0, Outcome::ServerError, None));
        assert_eq!(
            (watch.permits(0, at(5_399)), watch.permits(0, at(5_400))),
            (false, true)
        );
        assert_eq!(
            (watch.trips(0), watch.time_open(0, at(60_000))),
            (1, Span::from_secs(5))
        );
    }

    #[test]
    fn allowed_fails_are_counted_for_a_cooldown_time() {
        let mut watch = Watch::new(r#"{"litellm_cooldown": {"allowed_fails": 2}}"#, 2);
        // Two in five seconds are allowed; the third cools, whatever succeeds between.
        assert_eq!(watch.run(0, 0, 1_000, "FsFsF."), "ooooox");
        // Back at 9 s; the two of before were forgotten at 5 s.
        assert_eq!(watch.run(0, 9_000, 100, "FFF."), "ooox");
        // Two in five seconds and a third after them: allowed.
        let mut slow = Watch::new(r#"{"litellm_cooldown": {"allowed_fails": 2}}"#, 2);
        assert_eq!(slow.run(0, 0, 2_600, "FFFFFF."), "ooooooo");
    }

    #[test]
    fn a_deployments_own_time_goes_before_retry_after() {
        let json = r#"{"litellm_cooldown": {"cooldown_time": "20s", "deployments": {"p0": "10s"}}}"#;
        let mut watch = Watch::new(json, 3);
        for (provider, retry_after, back) in [(0, Some(2.0), 10_000), (1, Some(2.0), 2_000), (2, None, 20_000)] {
            watch.record(
                Ticket::default(),
                &failure(0, provider, Outcome::RateLimited, retry_after),
            );
            let seen = (watch.permits(provider, at(back - 1)), watch.permits(provider, at(back)));
            assert_eq!(seen, (false, true), "provider {provider}");
        }
    }

    #[test]
    fn the_older_version_cools_on_a_lone_failure_and_knows_no_three() {
        let mut old = Watch::new(r#"{"litellm_cooldown": {"version": "1.80"}}"#, 2);
        assert_eq!(old.run(0, 0, 100, "F."), "ox");
        let mut three = Watch::new(r#"{"litellm_cooldown": {"version": "1.80", "allowed_fails": 3}}"#, 2);
        assert_eq!(three.run(0, 0, 100, "F."), "ox");
    }
}
