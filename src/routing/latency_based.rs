//! The lowest mean of the last latencies: LiteLLM's `latency-based-routing`.
//!
//! For each group of deployments there is a map with, for each of them, a list of latencies, a list of times to first
//! token, and the requests and tokens answered in the minute.
//!
//! - A success appends its seconds divided by its completion tokens (its seconds, if there are none). If requests
//!   `stream`, its seconds to the first token go to the other list.
//! - A timeout (the client's, or a 408 or 504) appends 1000 to the latencies. Other failures append nothing.
//! - A list keeps the last `max_latency_list_size`.
//! - Once the map exists, a deployment that may be called and is not in it gets the list `[0]`, so it is tried first.
//!   That 0 stays as a sample until newer ones push it out.
//! - The score is the mean time to first token if requests `stream` and there is one, else the mean latency. Units mix.
//! - Deployments are left out whose minute has no room for the call's input (`tpm`) or for one request more (`rpm`).
//! - One is drawn among those within `lowest_latency_buffer` of the lowest score. If none is left there is no provider
//!   to send to.
//! - The map begins with the first sample and is dropped `ttl` later, whatever has come since.
//!
//! Up to 1.80: a full list keeps its oldest samples and replaces only the last; times to first token are divided by
//! completion tokens, and their sum by the number of *latencies*; an answer without completion tokens is not recorded.
//!
//! Keeps that map for `ttl`.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `ttl` | 1 h | above 0 |
//! | `lowest_latency_buffer` | 0 | 0 or more |
//! | `max_latency_list_size` | 10 | 1 to 1000 |
//! | `limits.rpm`, `limits.tpm` | none | 1 or more |
//! | `limits.from_quotas` | false | true, false |
//! | `stream` | false | true, false |
//! | `version` | `1.109` | `1.80`, `1.109` |
//!
//! Source: LiteLLM, `router_strategy/lowest_latency.py`.
//!
//! Known faults: the winner takes all, since no other is sampled any more; one slow first call or one timeout puts a
//! deployment out for the rest of the hour; one that fails at once keeps the score 0 and draws traffic; a burst goes to
//! one deployment. Left out: `ttft_percentile`.
//!
//! ```json
//! { "latency_based": { "ttl": "1h", "lowest_latency_buffer": 0.5, "stream": true } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::litellm::{MinuteLimits, Minutes, Version};
use super::{BuildPolicy, Call, Fleet, Members, Policy, taking_part};
use crate::form::build::{Built, Names, Refusal};
use crate::form::units::Duration;
use crate::kernel::chance::index;
use crate::kernel::time::{Span, Time};
use crate::words::{Ended, Outcome, Outcomes, Unit};

/// The seconds that a timeout counts as.
const PENALTY: f64 = 1000.0;

/// The outcomes that LiteLLM raises as its `Timeout`.
const TIMEOUTS: Outcomes = Outcomes::TIMEOUTS.and(Outcomes::of(&[Outcome::RequestTimeout, Outcome::GatewayTimeout]));

/// The lowest mean of the last latencies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LatencyBased {
    /// The providers that take part. Default: every provider, in the experiment's order.
    pub providers: Members,
    /// The time for which what was learned is kept, from the first sample on. Default: 1 h.
    pub ttl: Duration,
    /// The distance above the lowest score, as a share of it, at which a deployment may still be drawn: 0 or more.
    /// Default: 0.
    pub lowest_latency_buffer: f64,
    /// The samples kept of each deployment, 1 to 1000. Default: 10.
    #[schemars(range(min = 1, max = 1000))]
    pub max_latency_list_size: u16,
    /// The `rpm` and `tpm` of deployments. Default: none given.
    pub limits: MinuteLimits,
    /// Whether requests stream, so that times to first token count. Default: false.
    pub stream: bool,
    /// The version of LiteLLM whose rules hold. Default: `1.109`.
    pub version: Version,
}

impl Default for LatencyBased {
    fn default() -> Self {
        LatencyBased {
            providers: Members::default(),
            ttl: Duration::from(Span::from_secs(3600)),
            lowest_latency_buffer: 0.0,
            max_latency_list_size: 10,
            limits: MinuteLimits::default(),
            stream: false,
            version: Version::default(),
        }
    }
}

impl BuildPolicy for LatencyBased {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        if self.ttl.span() == Span::ZERO {
            return Err(Refusal::new("a map that is dropped at once: must be longer than nothing").at("ttl"));
        }
        let buffer = self.lowest_latency_buffer;
        if !(buffer >= 0.0 && buffer.is_finite()) {
            return Err(Refusal::new(format!("a buffer of {buffer}: must be 0 or more")).at("lowest_latency_buffer"));
        }
        let size = usize::from(self.max_latency_list_size);
        if !(1..=1000).contains(&size) {
            return Err(Refusal::new(format!("{size} samples: must be 1 to 1000")).at("max_latency_list_size"));
        }
        let providers = names.providers.len();
        // A provider in several groups learns for the first of them.
        let map_of = |p: usize| names.groups.iter().position(|g| g.contains(&p)).unwrap_or(0);
        let lists = Lists {
            size,
            keeps_oldest: self.version == Version::V1_80,
            lengths: vec![0; providers],
            samples: vec![0.0; providers * size],
        };
        Ok(Box::new(Running {
            order: taking_part(&self.providers, names)?,
            ttl: self.ttl.span(),
            buffer,
            stream: self.stream,
            version: self.version,
            minutes: Minutes::new(self.limits.given(names)?),
            map_of: (0..providers).map(map_of).collect(),
            dropped: vec![Time::NEVER; names.groups.len().max(1)],
            listed: vec![false; providers],
            latencies: lists.clone(),
            firsts: lists,
            means: vec![0.0; providers],
            scores: vec![0.0; providers],
        }))
    }
}

/// The last samples of each provider.
#[derive(Clone, Debug)]
struct Lists {
    size: usize,
    /// Whether a full list keeps its oldest samples instead of its newest.
    keeps_oldest: bool,
    lengths: Vec<usize>,
    samples: Vec<f64>,
}

impl Lists {
    fn push(&mut self, p: usize, sample: f64) {
        let list = &mut self.samples[p * self.size..(p + 1) * self.size];
        if self.lengths[p] < self.size {
            list[self.lengths[p]] = sample;
            self.lengths[p] += 1;
            return;
        }
        if !self.keeps_oldest {
            list.copy_within(1.., 0);
        }
        list[self.size - 1] = sample;
    }

    fn sum(&self, p: usize) -> f64 {
        self.samples[p * self.size..][..self.lengths[p]].iter().sum()
    }
}

#[derive(Clone, Debug)]
struct Running {
    order: Vec<usize>,
    ttl: Span,
    buffer: f64,
    stream: bool,
    version: Version,
    minutes: Minutes,
    /// The map, one for each group, that each provider is in.
    map_of: Vec<usize>,
    /// The time at which each map is dropped; [`Time::NEVER`] if there is none.
    dropped: Vec<Time>,
    /// Whether each provider is in its map.
    listed: Vec<bool>,
    latencies: Lists,
    firsts: Lists,
    /// The score that each provider's lists come to: worked out when they change, which is seldom beside how often it
    /// is read.
    means: Vec<f64>,
    /// Scratch space: infinite for a provider that cannot be chosen.
    scores: Vec<f64>,
}

impl Running {
    /// Drops the maps whose time is up.
    fn expire(&mut self, now: Time) {
        for map in 0..self.dropped.len() {
            if now <= self.dropped[map] {
                continue;
            }
            self.dropped[map] = Time::NEVER;
            for p in 0..self.map_of.len() {
                if self.map_of[p] == map {
                    self.listed[p] = false;
                    self.latencies.lengths[p] = 0;
                    self.firsts.lengths[p] = 0;
                    self.means[p] = 0.0;
                    self.minutes.forget(p);
                }
            }
        }
    }

    /// Called when the lists of provider `p` have changed.
    fn weigh(&mut self, p: usize) {
        let latencies = self.latencies.lengths[p];
        let firsts = self.firsts.lengths[p];
        self.means[p] = if self.stream && firsts > 0 {
            let number = if self.version == Version::V1_80 {
                latencies
            } else {
                firsts
            };
            self.firsts.sum(p) / number as f64
        } else if latencies > 0 {
            self.latencies.sum(p) / latencies as f64
        } else {
            0.0
        };
    }

    /// Called when the map of provider `p` is written to.
    fn enter(&mut self, now: Time, p: usize) {
        self.listed[p] = true;
        let dropped = &mut self.dropped[self.map_of[p]];
        if *dropped == Time::NEVER {
            *dropped = now + self.ttl;
        }
    }
}

impl Policy for Running {
    #[inline]
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        self.expire(fleet.now());
        self.minutes.turn(fleet.now());
        let mut lowest = f64::INFINITY;
        for i in 0..self.order.len() {
            let p = self.order[i];
            self.scores[i] = f64::INFINITY;
            if !fleet.is_open_to_calls(p) {
                continue;
            }
            if !self.listed[p] && self.dropped[self.map_of[p]] != Time::NEVER {
                self.listed[p] = true;
                self.latencies.push(p, 0.0);
                self.weigh(p);
            }
            if self.minutes.has_room(p, call.input) {
                self.scores[i] = self.means[p];
                fleet.tell(p, || ("mean of its samples", Unit::Seconds, self.means[p]));
                lowest = lowest.min(self.scores[i]);
            }
        }
        let scores = &self.scores[..self.order.len()];
        let most = lowest + lowest * self.buffer;
        let near = |score: f64| score < f64::INFINITY && score <= most;
        let number = scores.iter().filter(|&&score| near(score)).count();
        let nth = index(call.draw(), number);
        let chosen = scores.iter().enumerate().filter(|&(_, &score)| near(score)).nth(nth);
        chosen.map(|(i, _)| self.order[i])
    }

    fn learn(&mut self, ended: &Ended) {
        self.expire(ended.now);
        let (p, tokens) = (ended.provider, f64::from(ended.usage.output));
        if TIMEOUTS.contains(ended.outcome) {
            self.enter(ended.now, p);
            self.latencies.push(p, PENALTY);
            self.weigh(p);
        }
        let old = self.version == Version::V1_80;
        if ended.outcome != Outcome::Success || (old && tokens == 0.0) {
            return;
        }
        self.enter(ended.now, p);
        let took = ended.took.seconds();
        self.latencies.push(p, if tokens > 0.0 { took / tokens } else { took });
        if let Some(first) = ended.ttft().filter(|_| self.stream) {
            self.firsts.push(p, if old { first / tokens } else { first });
        }
        self.weigh(p);
        self.minutes.turn(ended.now);
        self.minutes.add_request(p);
        self.minutes.add_tokens(ended);
    }

    fn fresh(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Policy;
    use super::super::testing::*;
    use crate::kernel::time::{Span, Time};
    use crate::words::{Ended, Outcome};

    fn at(seconds: u64) -> Time {
        Time::ZERO + Span::from_secs(seconds)
    }

    /// An answer of `tokens` after `millis`, the first of them after a tenth of that.
    fn ends(policy: &mut dyn Policy, now: Time, provider: usize, outcome: Outcome, millis: u64, tokens: u32) {
        let mut ended = Ended::new(now, provider, outcome);
        ended.took = Span::from_millis(millis);
        ended.first_token = Span::from_millis(millis / 10);
        ended.usage.output = tokens;
        policy.learn(&ended);
    }

    /// The providers drawn out of many calls at `now`.
    fn drawn(policy: &mut dyn Policy, closed: &[usize], now: Time) -> Vec<usize> {
        let hosts = hosts(closed);
        let mut seen: Vec<usize> = (0..100).filter_map(|id| choose_by(policy, &hosts, now, id)).collect();
        seen.sort_unstable();
        seen.dedup();
        seen
    }

    fn two(parameters: &str) -> Box<dyn Policy> {
        policy(&format!(
            r#"{{"latency_based": {{"providers": ["a", "b"]{parameters}}}}}"#
        ))
    }

    #[test]
    fn nothing_known_is_uniform_then_the_untried_go_first_then_the_winner_takes_all() {
        let mut policy = policy(r#""latency_based""#);
        assert_eq!(drawn(&mut *policy, &[], at(0)), [0, 1, 2]);
        ends(&mut *policy, at(1), 0, Outcome::Success, 300, 1);
        assert_eq!(drawn(&mut *policy, &[], at(1)), [1, 2]);
        ends(&mut *policy, at(2), 1, Outcome::Success, 200, 1);
        assert_eq!(drawn(&mut *policy, &[], at(2)), [2]);
        ends(&mut *policy, at(3), 2, Outcome::Success, 400, 1);
        assert_eq!(drawn(&mut *policy, &[], at(3)), [1], "0.3, (0 + 0.2)/2, (0 + 0.4)/2");
        assert_eq!(drawn(&mut *policy, &[1], at(3)), [2]);
    }

    /// 0.3 s against samples of 0.5 s after the phantom 0: (0 + 0.5)/2, 1/3, 1.5/4 … only two answers undo its lead.
    #[test]
    fn the_phantom_sample_stays_in_the_mean() {
        let mut policy = two("");
        ends(&mut *policy, at(0), 0, Outcome::Success, 300, 1);
        assert_eq!(drawn(&mut *policy, &[], at(0)), [1]);
        ends(&mut *policy, at(1), 1, Outcome::Success, 500, 1);
        assert_eq!(drawn(&mut *policy, &[], at(1)), [1], "0.25");
        ends(&mut *policy, at(2), 1, Outcome::Success, 500, 1);
        assert_eq!(drawn(&mut *policy, &[], at(2)), [0], "0.333");
    }

    #[test]
    fn ten_newer_samples_push_the_phantom_out() {
        for (version, winner) in [("1.109", 0), ("1.80", 1)] {
            let mut policy = two(&format!(r#", "version": "{version}""#));
            ends(&mut *policy, at(0), 0, Outcome::Success, 300, 1);
            drawn(&mut *policy, &[], at(0));
            // With the phantom the mean is 0.27 × 9/10 + 0.05 = 0.29, without it 0.32.
            for _ in 0..9 {
                ends(&mut *policy, at(1), 1, Outcome::Success, 270, 1);
            }
            ends(&mut *policy, at(1), 1, Outcome::Success, 320 * 10 - 270 * 9, 1);
            assert_eq!(drawn(&mut *policy, &[], at(1)), [winner], "{version}");
        }
    }

    #[test]
    fn latency_is_by_completion_token() {
        let mut policy = two("");
        ends(&mut *policy, at(0), 0, Outcome::Success, 1000, 100);
        ends(&mut *policy, at(0), 1, Outcome::Success, 500, 10);
        assert_eq!(drawn(&mut *policy, &[], at(0)), [0], "10 ms a token against 50");
    }

    #[test]
    fn one_timeout_costs_an_hour_and_other_failures_nothing() {
        let mut policy = two("");
        ends(&mut *policy, at(0), 0, Outcome::Success, 900, 1);
        ends(&mut *policy, at(0), 1, Outcome::Success, 100, 1);
        ends(&mut *policy, at(1), 1, Outcome::ServerError, 1, 0);
        assert_eq!(drawn(&mut *policy, &[], at(1)), [1]);
        ends(&mut *policy, at(2), 1, Outcome::TimeoutAttempt, 1, 0);
        assert_eq!(drawn(&mut *policy, &[], at(2)), [0]);
        assert_eq!(drawn(&mut *policy, &[], at(3600)), [0]);
        assert_eq!(drawn(&mut *policy, &[], at(3601)), [0, 1], "the map is gone");
    }

    #[test]
    fn samples_do_not_prolong_the_maps_life() {
        let mut policy = two(r#", "ttl": "10s""#);
        ends(&mut *policy, at(1), 0, Outcome::Success, 100, 1);
        ends(&mut *policy, at(1), 1, Outcome::Success, 200, 1);
        ends(&mut *policy, at(9), 0, Outcome::Success, 100, 1);
        assert_eq!(drawn(&mut *policy, &[], at(11)), [0]);
        assert_eq!(drawn(&mut *policy, &[], at(12)), [0, 1]);
    }

    /// a is first to its first token but slower per token.
    #[test]
    fn streams_are_compared_by_their_first_token() {
        for (stream, winner) in [(false, 1), (true, 0)] {
            let mut policy = two(&format!(r#", "stream": {stream}"#));
            ends(&mut *policy, at(0), 0, Outcome::Success, 1000, 10);
            ends(&mut *policy, at(0), 1, Outcome::Success, 2000, 100);
            assert_eq!(drawn(&mut *policy, &[], at(0)), [winner], "{stream}");
        }
    }

    /// A timeout is no sample of a first token: with streams it goes unseen, and in 1.80 it even makes the mean smaller.
    #[test]
    fn streams_do_not_see_timeouts() {
        for (version, winner) in [("1.109", 0), ("1.80", 1)] {
            let mut policy = two(&format!(r#", "stream": true, "version": "{version}""#));
            ends(&mut *policy, at(0), 0, Outcome::Success, 1000, 1);
            ends(&mut *policy, at(0), 1, Outcome::Success, 1500, 1);
            ends(&mut *policy, at(0), 1, Outcome::TimeoutAttempt, 1500, 0);
            assert_eq!(drawn(&mut *policy, &[], at(0)), [winner], "{version}");
        }
    }

    #[test]
    fn the_buffer_widens_the_draw() {
        let mut policy = two(r#", "lowest_latency_buffer": 0.5"#);
        ends(&mut *policy, at(0), 0, Outcome::Success, 100, 1);
        ends(&mut *policy, at(0), 1, Outcome::Success, 149, 1);
        assert_eq!(drawn(&mut *policy, &[], at(0)), [0, 1]);
        ends(&mut *policy, at(0), 1, Outcome::Success, 160, 1);
        assert_eq!(drawn(&mut *policy, &[], at(0)), [0]);
    }

    #[test]
    fn a_full_minute_leaves_the_others_or_nobody() {
        let mut policy = two(r#", "limits": {"rpm": {"a": 1, "b": 1}}"#);
        ends(&mut *policy, at(0), 0, Outcome::Success, 100, 1);
        assert_eq!(drawn(&mut *policy, &[], at(0)), [1]);
        ends(&mut *policy, at(0), 1, Outcome::Success, 100, 1);
        assert_eq!(drawn(&mut *policy, &[], at(59)), [0_usize; 0]);
        assert_eq!(drawn(&mut *policy, &[], at(60)), [1], "0.1 against (0 + 0.1)/2");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (parameters, message) in [
            (
                r#", "ttl": "0s""#,
                "a map that is dropped at once: must be longer than nothing",
            ),
            (r#", "lowest_latency_buffer": -1"#, "a buffer of -1: must be 0 or more"),
            (r#", "max_latency_list_size": 1001"#, "1001 samples: must be 1 to 1000"),
        ] {
            let json = format!(r#"{{"latency_based": {{"providers": ["a"]{parameters}}}}}"#);
            assert_eq!(build(&json).err().unwrap().message, message);
        }
    }
}
