//! Smooth weighted round robin, as nginx does it: in proportion to weights, and as evenly as can be.
//!
//! Each provider has a weight and a current weight, 0 at first. At each choice every open one adds its weight to its
//! current weight; the largest wins, of equals the first; the winner takes the sum of the weights off. Weights 5, 1, 1
//! give a a b a c a a. `weighted` has the same shares and draws them at random; `round_robin` has no weights.
//!
//! A retry leaves out where the last attempt went while another is open; nginx leaves out every provider that this
//! request has tried.
//!
//! With `max_fails`, a provider's effective weight stands for its weight: a failure takes weight/max_fails (whole number)
//! off it, not below 0; each choice that a provider is open to adds 1 until it has its weight again. A failure is one
//! that a breaker would count (5xx, a timeout of the attempt, a lost connection; no 429); nginx says which in
//! `proxy_next_upstream`. Its other use of `max_fails`, to leave a server out for `fail_timeout`, is a breaker's.
//!
//! Keeps two whole numbers a provider, for the whole run. A closed provider keeps its current weight meanwhile.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `weights` | 1 each | whole numbers, 1 to 1000000 |
//! | `max_fails` | none: weights stay as they are | 1 or more; nginx 1 |
//!
//! Source: nginx 1.31 `src/http/ngx_http_upstream_round_robin.c`, `ngx_http_upstream_get_peer` and
//! `ngx_http_upstream_free_round_robin_peer`. Known faults: it does not see load, so slow providers pile up calls; with
//! `max_fails` 1 one failure takes all of a weight, which comes back by 1 a choice, so a provider of weight 100 needs a
//! hundred choices.
//!
//! ```json
//! { "smooth_round_robin": { "weights": { "large": 5, "small": 1, "spare": 1 }, "max_fails": 3 } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildPolicy, Call, Fleet, Policy, Wants};
use crate::form::build::{Built, Names, Refusal};
use crate::form::named::Named;
use crate::form::units::Count;
use crate::words::Ended;

const MOST: u64 = 1_000_000;

/// Smooth weighted round robin, as in nginx.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SmoothRoundRobin {
    /// The weight of each provider that takes part. Default: every provider, all alike.
    pub weights: Named<Count>,
    /// The number of failures that take all of a weight. Default: failures take nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_fails: Option<Count>,
}

impl BuildPolicy for SmoothRoundRobin {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        let peer = |(provider, weight): (usize, u64)| Peer {
            provider,
            weight: weight as i64,
            effective: weight as i64,
            current: 0,
        };
        Ok(Box::new(Running {
            peers: whole_weights(&self.weights, names)?.into_iter().map(peer).collect(),
            max_fails: self.max_fails.map(|most| i64::try_from(most.get()).unwrap_or(i64::MAX)),
        }))
    }
}

/// The providers that take part, and their weights: those `given`, or all with 1.
pub(super) fn whole_weights(given: &Named<Count>, names: &Names<'_>) -> Built<Vec<(usize, u64)>> {
    if given.is_empty() {
        return Ok(names.everybody().into_iter().map(|p| (p, 1)).collect());
    }
    let one = |(name, weight): (&str, &Count)| {
        let here = |r: Refusal| r.at(name).at("weights");
        let provider = names.provider(name).map_err(here)?;
        let weight = weight.get();
        if weight > MOST {
            return Err(here(Refusal::new(format!("a weight of {weight}: at most {MOST}"))));
        }
        Ok((provider, weight))
    };
    given.iter().map(one).collect()
}

#[derive(Clone, Copy, Debug)]
struct Peer {
    provider: usize,
    weight: i64,
    effective: i64,
    current: i64,
}

#[derive(Clone, Debug)]
struct Running {
    peers: Vec<Peer>,
    max_fails: Option<i64>,
}

impl Running {
    #[inline]
    fn pick(&mut self, open: impl Fn(usize) -> bool) -> Option<usize> {
        let (mut best, mut total): (Option<usize>, i64) = (None, 0);
        for i in 0..self.peers.len() {
            let peer = &mut self.peers[i];
            if !open(peer.provider) {
                continue;
            }
            peer.current += peer.effective;
            total += peer.effective;
            peer.effective += i64::from(peer.effective < peer.weight);
            let current = peer.current;
            if best.is_none_or(|b| current > self.peers[b].current) {
                best = Some(i);
            }
        }
        let best = &mut self.peers[best?];
        best.current -= total;
        Some(best.provider)
    }
}

impl Policy for Running {
    #[inline]
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        self.pick(|p| call.last != Some(p) && fleet.is_open_to_calls(p))
            .or_else(|| self.pick(|p| fleet.is_open_to_calls(p)))
    }

    fn wants(&self) -> Wants {
        Wants {
            learns: self.max_fails.is_some(),
            ..Wants::NOTHING
        }
    }

    fn learn(&mut self, ended: &Ended) {
        if let Some(max_fails) = self.max_fails
            && ended.outcome.is_provider_failure()
            && let Some(peer) = self.peers.iter_mut().find(|p| p.provider == ended.provider)
        {
            peer.effective = (peer.effective - peer.weight / max_fails).max(0);
        }
    }

    fn fresh(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use crate::kernel::time::Time;
    use crate::words::Outcome;

    fn choices(policy: &mut dyn Policy, closed: &[usize], n: usize) -> String {
        let hosts = hosts(closed);
        let name = |p: Option<usize>| p.map_or('-', |p| ['a', 'b', 'c'][p]);
        (0..n).map(|_| name(choose_at(policy, &hosts, Time::ZERO))).collect()
    }

    fn fails(policy: &mut dyn Policy, outcome: Outcome) {
        policy.learn(&Ended::new(Time::ZERO, 0, outcome));
    }

    /// The sequence that nginx 1.3.1 brought in, in the words of its change, twice over.
    #[test]
    fn five_one_one_is_nginxs_sequence() {
        let mut policy = policy(r#"{"smooth_round_robin": {"weights": {"a": 5, "b": 1, "c": 1}}}"#);
        assert_eq!(choices(&mut *policy, &[], 14), "aabacaaaabacaa");
    }

    #[test]
    fn without_weights_everybody_in_turn() {
        assert_eq!(choices(&mut *policy(r#""smooth_round_robin""#), &[], 7), "abcabca");
    }

    /// By hand: a closed, b and c of 1 and 1 take turns; then a goes on from 0.
    #[test]
    fn who_is_closed_is_left_out_and_keeps_its_place() {
        let mut policy = policy(r#"{"smooth_round_robin": {"weights": {"a": 5, "b": 1, "c": 1}}}"#);
        assert_eq!(choices(&mut *policy, &[0], 4), "bcbc");
        assert_eq!(choices(&mut *policy, &[], 7), "aabacaa");
        assert_eq!(choices(&mut *policy, &[0, 1, 2], 2), "--");
    }

    #[test]
    fn a_retry_goes_elsewhere_if_it_can() {
        let mut policy = policy(r#"{"smooth_round_robin": {"weights": {"a": 5, "b": 1}}}"#);
        let mut retry = |closed: &[usize]| {
            let (hosts, last) = (hosts(closed), Some(0));
            policy.choose(&Call { last, ..call(0, 0) }, &Fleet::new(&hosts, None, Time::ZERO))
        };
        assert_eq!([retry(&[]), retry(&[1])], [Some(1), Some(0)]);
    }

    /// By hand, weights 4 and 2: after two failures of max_fails 2 a has nothing, and 1 more at each choice. Current weights
    /// after adding: (0, 2) b, (1, 2) b, (3, 1) a, (2, 3) b, (6, 0) a.
    #[test]
    fn a_failure_takes_a_part_of_the_weight_which_comes_back_by_one() {
        let json = r#"{"smooth_round_robin": {"weights": {"a": 4, "b": 2}, "max_fails": 2}}"#;
        let mut policy = policy(json);
        fails(&mut *policy, Outcome::ServerError);
        fails(&mut *policy, Outcome::TimeoutTtft);
        fails(&mut *policy, Outcome::ServerError);
        assert_eq!(choices(&mut *policy, &[], 5), "bbaba");
    }

    #[test]
    fn only_a_failure_of_the_provider_lowers_it_and_only_if_asked() {
        for (json, outcome) in [
            (
                r#"{"smooth_round_robin": {"weights": {"a": 4, "b": 2}, "max_fails": 1}}"#,
                Outcome::Cancelled,
            ),
            (
                r#"{"smooth_round_robin": {"weights": {"a": 4, "b": 2}, "max_fails": 1}}"#,
                Outcome::ContextExceeded,
            ),
            (
                r#"{"smooth_round_robin": {"weights": {"a": 4, "b": 2}}}"#,
                Outcome::ServerError,
            ),
        ] {
            let mut policy = policy(json);
            fails(&mut *policy, outcome);
            assert_eq!(choices(&mut *policy, &[], 3), "aba", "{outcome:?}");
        }
    }

    #[test]
    fn weights_out_of_range_are_refused() {
        let refusal = build(r#"{"smooth_round_robin": {"weights": {"a": 2000000}}}"#)
            .err()
            .unwrap();
        assert_eq!(refusal.message, "a weight of 2000000: at most 1000000");
        let refusal = build(r#"{"smooth_round_robin": {"weights": {"z": 2}}}"#).err().unwrap();
        assert_eq!(refusal.message, "there is no provider `z`");
    }
}
