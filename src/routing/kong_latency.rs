//! The lowest moving average of latency: Kong's `latency` balancer.
//!
//! When a call ends after `rtt`, average = average·w + rtt·(1−w), w = e^(−Δt/decay), Δt since the provider's last call
//! ended. A choice compares the averages, decayed in the same way towards 0 and divided by the weights, and takes the
//! lowest, the first of equals. Every provider begins at 0. A retry does not go where the last attempt failed.
//!
//! Keeps one number and one time a provider, for about `decay`.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `decay` | 10 s (fixed in Kong) | above 0 |
//! | `weights` | 100 each | above 0 |
//!
//! Source: Kong 3.x, `kong/runloop/balancer/latency.lua`, as it stood until its set of candidates was mended: it is
//! described as power of two choices, but goes through all of them.
//!
//! Known faults: no peak rule and no count of calls under way, so a burst herds onto one; a provider that is left alone
//! decays towards 0 and is tried again after some `decay`s however slow it is; failures count with their time. Left
//! out: `lowest-latency` of the enterprise plug-in, whose source is closed; that a target that failed twice ago in the
//! same request is avoided too.
//!
//! ```json
//! { "kong_latency": { "weights": { "a": 100, "b": 50 } } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildPolicy, Call, Fleet, Members, Policy, lowest, taking_part, weight};
use crate::form::build::{Built, Names, Refusal};
use crate::form::named::Named;
use crate::form::units::Duration;
use crate::kernel::time::{Span, Time};
use crate::words::{Ended, Unit};

/// The lowest exponentially weighted moving average of latency.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KongLatency {
    /// The providers that take part; of equals the first here wins. Default: every provider, in the experiment's order.
    pub providers: Members,
    /// The time in which an average falls to 1/e. Default: 10 s.
    pub decay: Duration,
    /// The weights by which averages are divided, above 0. Default: 100 each.
    pub weights: Named<f64>,
}

impl Default for KongLatency {
    fn default() -> Self {
        KongLatency {
            providers: Members::default(),
            decay: Duration::from(Span::from_secs(10)),
            weights: Named::default(),
        }
    }
}

impl BuildPolicy for KongLatency {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        if self.decay.span() == Span::ZERO {
            return Err(Refusal::new("0s: must be longer than nothing").at("decay"));
        }
        Ok(Box::new(Running {
            order: taking_part(&self.providers, names)?,
            decay: self.decay.span().nanos() as f64,
            averages: vec![(0.0, Time::ZERO); names.providers.len()],
            weights: weights(&self.weights, names)?,
        }))
    }
}

/// The weights of all providers as Kong has them, of which some are given.
pub(super) fn weights(given: &Named<f64>, names: &Names<'_>) -> Built<Vec<f64>> {
    let mut weights = vec![100.0; names.providers.len()];
    for (name, &value) in given.iter() {
        let here = |r: Refusal| r.at(name).at("weights");
        let provider = names.provider(name).map_err(here)?;
        weights[provider] = weight(value).map_err(here)?;
        if value == 0.0 {
            return Err(here(Refusal::new("a weight of 0: must be above 0")));
        }
    }
    Ok(weights)
}

#[derive(Clone, Debug)]
struct Running {
    order: Vec<usize>,
    decay: f64,
    weights: Vec<f64>,
    /// The averages in nanoseconds, and when a call last ended.
    averages: Vec<(f64, Time)>,
}

impl Running {
    #[inline]
    fn average(&self, p: usize, now: Time, rtt: f64) -> f64 {
        let (average, at) = self.averages[p];
        let w = libm::exp(-(now.since(at).nanos() as f64) / self.decay);
        average * w + rtt * (1.0 - w)
    }
}

impl Policy for Running {
    #[inline]
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        let score = |p: usize| {
            let score = self.average(p, fleet.now(), 0.0) / self.weights[p];
            fleet.tell(p, || ("moving average over the weight", Unit::Seconds, score * 1e-9));
            score
        };
        let open = |p: usize| fleet.is_open_to_calls(p);
        lowest(&self.order, |p| (call.last != Some(p) && open(p)).then(|| score(p)))
            .or_else(|| call.last.filter(|&last| self.order.contains(&last) && open(last)))
    }

    #[inline]
    fn learn(&mut self, ended: &Ended) {
        let average = self.average(ended.provider, ended.now, ended.took.nanos() as f64);
        self.averages[ended.provider] = (average, ended.now);
    }

    fn fresh(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use crate::words::Outcome;

    fn ends(policy: &mut dyn Policy, seconds: u64, p: usize, millis: u64) -> Option<usize> {
        let now = Time::ZERO + Span::from_secs(seconds);
        let mut ended = Ended::new(now, p, Outcome::Success);
        ended.took = Span::from_millis(millis);
        policy.learn(&ended);
        choose_at(policy, &hosts(&[]), now)
    }

    /// Decay 10 s, from 0: an answer of 1 s at 10 s gives 0.632 s. At 20 s that has become 0.233 s.
    #[test]
    fn averages_decay_and_the_lowest_wins() {
        let mut policy = policy(r#""kong_latency""#);
        assert_eq!(choose_at(&mut *policy, &hosts(&[]), Time::ZERO), Some(0));
        assert_eq!(ends(&mut *policy, 10, 0, 1000), Some(1));
        assert_eq!(ends(&mut *policy, 10, 1, 500), Some(2));
        assert_eq!(ends(&mut *policy, 10, 2, 2000), Some(1), "0.632, 0.316, 1.264");
        assert_eq!(ends(&mut *policy, 20, 1, 1000), Some(0), "0.233, 0.116 + 0.632");
    }

    #[test]
    fn weights_divide() {
        let mut policy = policy(r#"{"kong_latency": {"providers": ["a", "b"], "weights": {"b": 20}}}"#);
        ends(&mut *policy, 10, 0, 1000);
        assert_eq!(ends(&mut *policy, 10, 1, 250), Some(0), "1000/100 against 250/20");
        assert_eq!(
            ends(&mut *policy, 10, 0, 1000),
            Some(0),
            "no time has passed: nothing is learned"
        );
    }

    #[test]
    fn a_retry_goes_elsewhere_if_there_is_an_elsewhere() {
        let mut policy = policy(r#""kong_latency""#);
        let mut next = |closed: &[usize]| {
            let hosts = hosts(closed);
            let call = Call {
                last: Some(0),
                ..call(0, 0)
            };
            policy.choose(&call, &Fleet::new(&hosts, None, Time::ZERO))
        };
        assert_eq!(next(&[]), Some(1));
        assert_eq!(next(&[1, 2]), Some(0));
    }
}
