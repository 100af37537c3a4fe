//! llm-d's weighted scorers, as far as a client can know them: short queue and cached beginning.
//!
//! Each provider gets a score from 0 to 1 for its queue and one for the beginning of the prompt, times `queue` and `prefix`;
//! the highest sum takes the call, of equals one is drawn.
//!
//! - Queue: (largest − own)/(largest − smallest) of the client's calls under way or in line; 1 where all are equal.
//! - Beginning: the share of the input that it is believed to have: `shared` tokens, by default the whole input, if the same
//!   user was sent there at most `ttl` ago; else 0.
//!
//! A retry goes elsewhere if it can; llm-d itself makes none.
//!
//! Keeps one time for each user and provider, for `ttl`.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `queue` | 2 | 0 or more |
//! | `prefix` | 3 | 0 or more |
//! | `shared` | the whole input | at least 1 |
//! | `ttl` | for ever | above 0 |
//!
//! Source: llm-d router, `pkg/epp/framework/plugins/scheduling/scorer` (queue, prefix) with the weights of its default profile.
//! There a beginning is known by hashes of its blocks and forgotten by use instead of time; here it is a user. Left out:
//! the score of 1 − KV-cache use with weight 2, which only the server's own metrics tell, and what is in the server's line from
//! other clients.
//!
//! Known faults: one call more or less counts as much as a hundred, as the queue's score is relative; as the weights are, a
//! whole cached beginning outweighs the longest line.
//!
//! ```json
//! { "llm_d": { "queue": 2, "prefix": 3, "shared": 2000, "ttl": "5m" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildPolicy, Call, Fleet, Members, Policy, Wants, lowest_drawn, taking_part, users, weight};
use crate::form::build::{Built, Names, Refusal};
use crate::form::units::{Count, Duration};
use crate::kernel::time::{Span, Time};

/// The most users times providers, which take 160 MB.
const MOST: usize = 20_000_000;

/// The highest sum of weighted scores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LlmD {
    /// The providers that take part. Default: every provider.
    pub providers: Members,
    /// The weight of a short queue. Default: 2.
    #[schemars(range(min = 0))]
    pub queue: f64,
    /// The weight of a cached beginning. Default: 3.
    #[schemars(range(min = 0))]
    pub prefix: f64,
    /// The number of tokens that all prompts of a user begin with. Default: the whole input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared: Option<Count>,
    /// The time after a user's last prompt at a provider for which it is believed cached there. Default: for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Duration>,
}

impl Default for LlmD {
    fn default() -> Self {
        LlmD {
            providers: Members::default(),
            queue: 2.0,
            prefix: 3.0,
            shared: None,
            ttl: None,
        }
    }
}

impl BuildPolicy for LlmD {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        let users = users(names)?;
        let providers = names.providers.len();
        let beliefs = (users as usize).saturating_mul(providers);
        if beliefs > MOST {
            let text =
                format!("{users} users and {providers} providers: this policy keeps at most {MOST} pairs of them");
            return Err(Refusal::new(text));
        }
        if self.ttl.is_some_and(|ttl| ttl.span() == Span::ZERO) {
            return Err(Refusal::new("0s: must be longer than nothing").at("ttl"));
        }
        Ok(Box::new(Running {
            order: taking_part(&self.providers, names)?,
            queue: weight(self.queue).map_err(|r| r.at("queue"))?,
            prefix: weight(self.prefix).map_err(|r| r.at("prefix"))?,
            shared: self.shared.map_or(f64::INFINITY, |tokens| tokens.get() as f64),
            ttl: self.ttl.map_or(Span::FOREVER, Duration::span),
            providers,
            sent: vec![Time::NEVER; beliefs],
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    order: Vec<usize>,
    queue: f64,
    prefix: f64,
    shared: f64,
    ttl: Span,
    providers: usize,
    /// The time at which each user was last sent to each provider; [`Time::NEVER`] if it was not.
    sent: Vec<Time>,
}

impl Running {
    /// The provider with the highest sum among those that this call may go to.
    fn best(&self, call: &Call, fleet: &Fleet<'_>, takes: impl Fn(usize) -> bool) -> Option<usize> {
        let loads = || self.order.iter().filter(|&&p| takes(p)).map(|&p| fleet.load(p));
        let (least, most) = (loads().min()?, loads().max()?);
        let input = f64::from(call.input).max(1.0);
        let matched = self.shared.min(input) / input;
        let sent = &self.sent[call.user as usize * self.providers..][..self.providers];
        lowest_drawn(&self.order, call.draw(), |p| {
            if !takes(p) {
                return None;
            }
            let queue = if most == least {
                1.0
            } else {
                f64::from(most - fleet.load(p)) / f64::from(most - least)
            };
            let is_known = sent[p] != Time::NEVER && fleet.now().since(sent[p]) <= self.ttl;
            let beginning = if is_known { matched } else { 0.0 };
            Some(-(self.queue * queue + self.prefix * beginning))
        })
    }
}

impl Policy for Running {
    #[inline]
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        let elsewhere = |p: usize| call.last != Some(p) && fleet.is_open_to_calls(p);
        let chosen = self
            .best(call, fleet, elsewhere)
            .or_else(|| self.best(call, fleet, |p| fleet.is_open_to_calls(p)))?;
        self.sent[call.user as usize * self.providers + chosen] = fleet.now();
        Some(chosen)
    }

    fn wants(&self) -> Wants {
        Wants::NOTHING
    }

    fn fresh(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    fn goes(policy: &mut dyn Policy, loads: [u32; 3], closed: &[usize], seconds: u64, last: Option<usize>) -> usize {
        let mut hosts = hosts(closed);
        for (host, n) in hosts.iter_mut().zip(loads) {
            host.in_flight = n;
        }
        let call = Call {
            user: 7,
            input: 1000,
            last,
            ..call(0, 0)
        };
        let now = Time::ZERO + Span::from_secs(seconds);
        policy.choose(&call, &Fleet::new(&hosts, None, now)).unwrap()
    }

    /// With a at the longest queue and b at the shortest: a scores 3 × matched, b 2, c 2 × its place between them.
    #[test]
    fn the_weighted_sum_decides() {
        for (parameters, loads, to) in [
            ("", [9, 0, 1], 0),
            (r#""shared": 667"#, [9, 0, 1], 0),
            (r#""shared": 666"#, [9, 0, 1], 1),
            (r#""prefix": 1.9"#, [9, 0, 1], 1),
            (r#""prefix": 0.5"#, [8, 10, 4], 2),
            (r#""prefix": 1.5"#, [8, 10, 4], 0),
        ] {
            let mut policy = policy(&format!(r#"{{"llm_d": {{{parameters}}}}}"#));
            assert_eq!(goes(&mut *policy, [0, 1, 1], &[], 0, None), 0, "the shortest queue");
            assert_eq!(goes(&mut *policy, loads, &[], 1, None), to, "{parameters} {loads:?}");
        }
    }

    #[test]
    fn a_beginning_is_forgotten_and_a_retry_goes_elsewhere() {
        let mut policy = policy(r#"{"llm_d": {"ttl": "10s"}}"#);
        assert_eq!(goes(&mut *policy, [0, 1, 1], &[], 0, None), 0);
        assert_eq!(goes(&mut *policy, [1, 0, 1], &[], 10, None), 0);
        assert_eq!(goes(&mut *policy, [1, 0, 1], &[], 10, Some(0)), 1);
        assert_eq!(goes(&mut *policy, [1, 9, 9], &[1, 2], 10, Some(0)), 0, "no other");
        assert_eq!(goes(&mut *policy, [1, 1, 0], &[], 21, None), 2);
    }

    /// Of 30,000 draws among three the standard deviation is 82.
    #[test]
    fn chance_parts_equals() {
        let mut policy = policy(r#"{"llm_d": {"prefix": 0}}"#);
        let hosts = hosts(&[]);
        let mut counts = [0_u32; 3];
        for id in 0..30_000 {
            let call = Call { user: 1, ..call(id, 0) };
            counts[policy.choose(&call, &Fleet::new(&hosts, None, Time::ZERO)).unwrap()] += 1;
        }
        assert!(counts.iter().all(|n| n.abs_diff(10_000) < 330), "{counts:?}");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (parameters, refusal) in [
            (
                r#"{"queue": -1}"#,
                Refusal::new("a weight of -1: must be 0 or more").at("queue"),
            ),
            (
                r#"{"ttl": "0s"}"#,
                Refusal::new("0s: must be longer than nothing").at("ttl"),
            ),
        ] {
            let json = format!(r#"{{"llm_d": {parameters}}}"#);
            assert_eq!(build(&json).unwrap_err(), refusal);
        }
    }
}
