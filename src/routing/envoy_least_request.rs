//! Envoy's `least_request`: the least busy of a few; with unequal weights, turns by weight over calls.
//!
//! - Equal weights, `n_choices`: `choice_count` draws out of those that are open, the same one possibly twice; the one
//!   with the fewest calls wins, the first drawn of equals. `full_scan`: the fewest of all, equals by chance.
//! - Unequal weights, or an `active_request_bias` that is given: weighted turns. Each provider has a deadline; the
//!   earliest goes next, of equals the one that has waited longest, and gets a new one 1/w later, w = weight / (calls +
//!   1)^bias as it then is.
//! - `slow_start`: one that is let in again after its breaker kept it out has its w multiplied by
//!   max(`min_weight`, (max(t, 1 s)/`window`)^(1/`aggression`)) for `window`, t since then. While there is such a one,
//!   turns are weighted.
//!
//! Calls are the client's own, under way or in line. A retry is a choice like any other.
//!
//! Keeps a deadline a provider and, for slow start, since when it has been back.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `weights` | 1 each | above 0 |
//! | `choice_count` | 2 | 1 to 1,000 |
//! | `selection_method` | `n_choices` | `n_choices`, `full_scan` |
//! | `active_request_bias` | none, which means 1 | 0 or more |
//! | `slow_start.window` | required | above 0 |
//! | `slow_start.aggression` | 1 | above 0 |
//! | `slow_start.min_weight` | 10 % | 0 to 1 |
//!
//! Source: Envoy `load_balancing_policies/least_request/least_request_lb.cc`, `common/edf_scheduler.h`, "Slow start
//! mode". Known faults: in weighted turns the calls are looked at only when a provider has had its turn, not when the
//! next is chosen, so a burst does not see itself; two draws of the same provider do not give a choice. Left out: turns
//! begin at the first in the list instead of at a random place; slow start of providers that are new.
//!
//! ```json
//! { "envoy_least_request": { "weights": { "a": 3, "b": 1 }, "slow_start": { "window": "60s" } } }
//! ```

use rand::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildPolicy, Call, Fleet, Members, Policy, Wants, lowest, lowest_drawn, taking_part};
use crate::form::build::{Built, Names, Refusal};
use crate::form::named::Named;
use crate::form::units::{Count, Duration, Fraction};
use crate::kernel::chance::{Purpose, index};
use crate::kernel::time::{Span, Time};

/// The least busy of a few, or weighted turns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EnvoyLeastRequest {
    /// The providers that take part, in this order. Default: every provider, in the experiment's order.
    pub providers: Members,
    /// The `load_balancing_weight` of providers, above 0. Default: 1 each.
    pub weights: Named<f64>,
    /// The number of providers that are drawn, at most 1,000. Default: 2.
    #[schemars(extend("maximum" = 1_000))]
    pub choice_count: Count,
    /// The way in which the least busy is found. Default: `n_choices`.
    pub selection_method: SelectionMethod,
    /// The exponent of the calls against a weight, 0 or more. Default: none, which means 1 where weights are unequal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_request_bias: Option<f64>,
    /// The slow start of a provider that is back after its breaker kept it out. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow_start: Option<SlowStart>,
}

/// The way in which Envoy looks for the least busy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SelectionMethod {
    /// Among a few that are drawn.
    #[default]
    NChoices,
    /// Among all that are open.
    FullScan,
}

/// The slow start of a provider that is back after its breaker kept it out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlowStart {
    /// The length of the slow start, above 0.
    pub window: Duration,
    /// The speed at which the share grows, above 0; 1 is evenly. Default: 1.
    #[serde(default = "one")]
    pub aggression: f64,
    /// The least share of its weight that the provider has. Default: 10 %.
    #[serde(default = "tenth")]
    pub min_weight: Fraction,
}

/// The most providers that are drawn: each takes a draw, in every choice.
const MOST_CHOICES: u64 = 1000;

fn two() -> Count {
    const TWO: Count = Count::new(2).expect("not 0");
    TWO
}

fn one() -> f64 {
    1.0
}

fn tenth() -> Fraction {
    Fraction::new(0.1).unwrap_or(Fraction::ZERO)
}

impl Default for EnvoyLeastRequest {
    fn default() -> Self {
        EnvoyLeastRequest {
            providers: Members::default(),
            weights: Named::default(),
            choice_count: two(),
            selection_method: SelectionMethod::default(),
            active_request_bias: None,
            slow_start: None,
        }
    }
}

impl BuildPolicy for EnvoyLeastRequest {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        let order = taking_part(&self.providers, names)?;
        let mut weights = vec![1.0; names.providers.len()];
        for (name, &value) in self.weights.iter() {
            let here = |r: Refusal| r.at(name).at("weights");
            let provider = names.provider(name).map_err(here)?;
            weights[provider] = positive("weight", value).map_err(here)?;
        }
        let choices = self.choice_count.get();
        if choices > MOST_CHOICES {
            let text = format!("{choices} choices: must be at most {MOST_CHOICES}; `full_scan` looks at all");
            return Err(Refusal::new(text).at("choice_count"));
        }
        let bias = self.active_request_bias.unwrap_or(1.0);
        if !(bias >= 0.0 && bias.is_finite()) {
            return Err(Refusal::new(format!("a bias of {bias}: must be 0 or more")).at("active_request_bias"));
        }
        let equal = order.iter().all(|&p| weights[p] == weights[order[0]]);
        let slow_start = self.slow_start.as_ref().map(|s| s.running(weights.len()));
        Ok(Box::new(Running {
            by_turns: !equal || self.active_request_bias.is_some(),
            draws: match self.selection_method {
                SelectionMethod::NChoices => Some(choices),
                SelectionMethod::FullScan => None,
            },
            turns: weights.iter().map(|weight| (1.0 / weight, 0)).collect(),
            at: 0.0,
            taken: 0,
            slow_start: slow_start.transpose().map_err(|r| r.at("slow_start"))?,
            order,
            weights,
            bias,
        }))
    }
}

impl SlowStart {
    fn running(&self, providers: usize) -> Built<Back> {
        if self.window.span() == Span::ZERO {
            return Err(Refusal::new("0s: must be longer than nothing").at("window"));
        }
        let aggression = positive("aggression", self.aggression).map_err(|r| r.at("aggression"))?;
        Ok(Back {
            window: self.window.span(),
            exponent: 1.0 / aggression,
            least: self.min_weight.get(),
            closed: vec![false; providers],
            since: vec![None; providers],
            number: 0,
        })
    }
}

fn positive(what: &str, value: f64) -> Built<f64> {
    if value > 0.0 && value.is_finite() {
        return Ok(value);
    }
    let article = if what.starts_with('a') { "an" } else { "a" };
    Err(Refusal::new(format!("{article} {what} of {value}: must be above 0")))
}

/// The providers that are back after having been kept out.
#[derive(Clone, Debug)]
struct Back {
    window: Span,
    exponent: f64,
    least: f64,
    closed: Vec<bool>,
    since: Vec<Option<Time>>,
    /// The number of providers in slow start.
    number: usize,
}

impl Back {
    /// Updates which providers are back at the time of `fleet`.
    fn look(&mut self, order: &[usize], fleet: &Fleet<'_>) {
        self.number = 0;
        for &p in order {
            let closed = !fleet.breaker_permits(p);
            if self.closed[p] && !closed {
                self.since[p] = Some(fleet.now());
            }
            self.closed[p] = closed;
            self.since[p] = self.since[p].filter(|&since| fleet.now().since(since) < self.window);
            self.number += usize::from(self.since[p].is_some());
        }
    }

    fn factor(&self, p: usize, now: Time) -> f64 {
        self.since[p].map_or(1.0, |since| {
            let passed = now.since(since).seconds().max(1.0) / self.window.seconds();
            libm::pow(passed, self.exponent).max(self.least).min(1.0)
        })
    }
}

#[derive(Clone, Debug)]
struct Running {
    order: Vec<usize>,
    weights: Vec<f64>,
    by_turns: bool,
    /// The number of providers that are drawn; all are looked at if there is none.
    draws: Option<u64>,
    bias: f64,
    /// The deadline of each provider, and the number of turns after which it got it.
    turns: Vec<(f64, u64)>,
    /// The deadline of the last turn.
    at: f64,
    taken: u64,
    slow_start: Option<Back>,
}

impl Running {
    #[inline]
    fn turn(&mut self, fleet: &Fleet<'_>) -> Option<usize> {
        // A deadline that has passed while its provider was kept out gives no right to several turns.
        let chosen = lowest(&self.order, |p| {
            let (deadline, taken) = self.turns[p];
            fleet.is_open_to_calls(p).then(|| (deadline.max(self.at), taken))
        })?;
        let calls = f64::from(fleet.load(chosen)) + 1.0;
        let mut weight = if self.bias == 1.0 {
            self.weights[chosen] / calls
        } else {
            self.weights[chosen] / libm::pow(calls, self.bias)
        };
        if let Some(back) = &self.slow_start {
            weight *= back.factor(chosen, fleet.now());
        }
        self.at = self.at.max(self.turns[chosen].0);
        self.taken += 1;
        self.turns[chosen] = (self.at + 1.0 / weight, self.taken);
        Some(chosen)
    }

    #[inline]
    fn draw(&self, draws: u64, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        let mut chance = call.attempt.stream(Purpose::Route);
        let n = self.order.len();
        let all_open = self.order.iter().all(|&p| fleet.is_open_to_calls(p));
        let open = || self.order.iter().copied().filter(|&p| fleet.is_open_to_calls(p));
        let number = if all_open { n } else { open().count() };
        if number == 0 {
            return None;
        }
        let mut best: Option<(u32, usize)> = None;
        for _ in 0..draws {
            let at = index(chance.next_u64(), number);
            let p = if all_open { self.order[at] } else { open().nth(at)? };
            let calls = fleet.load(p);
            if best.is_none_or(|(fewest, _)| calls < fewest) {
                best = Some((calls, p));
            }
        }
        best.map(|(_, p)| p)
    }
}

impl Policy for Running {
    #[inline]
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        if let Some(back) = &mut self.slow_start {
            back.look(&self.order, fleet);
        }
        if self.by_turns || self.slow_start.as_ref().is_some_and(|back| back.number > 0) {
            return self.turn(fleet);
        }
        match self.draws {
            Some(draws) => self.draw(draws, call, fleet),
            None => lowest_drawn(&self.order, call.draw(), |p| {
                fleet.is_open_to_calls(p).then(|| fleet.load(p))
            }),
        }
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

    fn turns(policy: &mut dyn Policy, in_flight: [u32; 3], n: usize) -> Vec<usize> {
        let mut hosts = hosts(&[]);
        for (host, n) in hosts.iter_mut().zip(in_flight) {
            host.in_flight = n;
        }
        let turn = |_| choose_at(policy, &hosts, Time::ZERO).unwrap();
        (0..n).map(turn).collect()
    }

    /// Two draws with replacement out of three: the busiest is alone in a ninth, the idlest is in five.
    #[test]
    fn equal_weights_draw_with_replacement() {
        let mut busy = hosts(&[]);
        (busy[0].in_flight, busy[1].in_flight) = (2, 1);
        let [a, b, c, _] = counts(&mut *policy(r#""envoy_least_request""#), &busy, 0, 90_000);
        // Four standard deviations are under 600.
        let near = |n: u64, expected: u64| n.abs_diff(expected) < 600;
        assert!(near(a, 10_000) && near(b, 30_000) && near(c, 50_000), "{a} {b} {c}");
        let full = r#"{"envoy_least_request": {"selection_method": "full_scan"}}"#;
        assert_eq!(counts(&mut *policy(full), &busy, 0, 9), [0, 0, 9, 0]);
    }

    #[test]
    fn the_closed_are_not_drawn() {
        let json = r#"{"envoy_least_request": {"choice_count": 3}}"#;
        let [a, b, c, none] = counts(&mut *policy(json), &hosts(&[1]), 0, 20_000);
        assert!(b == 0 && none == 0 && a.abs_diff(c) < 600, "{a} {b} {c}");
        assert_eq!(counts(&mut *policy(json), &hosts(&[0, 1, 2]), 0, 5), [0, 0, 0, 5]);
    }

    /// Deadlines with weights 4, 1, 1: a at 1/4, 2/4 and 3/4, then all at 1, where b and c have waited longer than a.
    #[test]
    fn unequal_weights_take_turns() {
        let mut policy = policy(r#"{"envoy_least_request": {"weights": {"a": 4}}}"#);
        assert_eq!(turns(&mut *policy, [0; 3], 12), [0, 0, 0, 1, 2, 0, 0, 0, 0, 1, 2, 0]);
    }

    /// Three calls there make a weight of 4 one of 1; with bias 0 they make no difference, with 2 it is a quarter.
    #[test]
    fn calls_lower_a_weight_by_the_bias() {
        for (bias, share) in [("0", 80), ("1", 50), ("2", 20)] {
            let json = format!(
                r#"{{"envoy_least_request": {{"providers": ["a", "b"], "weights": {{"a": 4}}, "active_request_bias": {bias}}}}}"#
            );
            let taken = turns(&mut *policy(&json), [3, 0, 0], 100);
            let first = taken.iter().filter(|&&p| p == 0).count();
            assert!(first.abs_diff(share) <= 2, "bias {bias}: {first}");
        }
    }

    /// Back for 0, 5 and 10 s of 10: a tenth, a half, the whole of a weight of 1 beside another.
    #[test]
    fn one_that_is_back_starts_slowly() {
        let json = r#"{"envoy_least_request": {"providers": ["a", "b"], "active_request_bias": 0,
            "slow_start": {"window": "10s"}}}"#;
        let mut policy = policy(json);
        let at = |s: u64| Time::ZERO + Span::from_secs(s);
        assert_eq!(choose_at(&mut *policy, &hosts(&[0]), at(0)), Some(1));
        let mut share = |s: u64| {
            let taken = (0..110).map(|_| choose_at(&mut *policy, &hosts(&[]), at(s)));
            taken.filter(|&p| p == Some(0)).count()
        };
        let shares = [share(1), share(6), share(11)];
        for (share, expected) in shares.into_iter().zip([10_usize, 37, 55]) {
            assert!(share.abs_diff(expected) <= 3, "{shares:?}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (json, path, message) in [
            (
                r#"{"active_request_bias": -1}"#,
                vec!["active_request_bias"],
                "a bias of -1: must be 0 or more",
            ),
            (
                r#"{"weights": {"a": 0}}"#,
                vec!["weights", "a"],
                "a weight of 0: must be above 0",
            ),
            (
                r#"{"slow_start": {"window": "1s", "aggression": 0}}"#,
                vec!["slow_start", "aggression"],
                "an aggression of 0: must be above 0",
            ),
        ] {
            let refusal = build(&format!(r#"{{"envoy_least_request": {json}}}"#)).err().unwrap();
            let expected = path.iter().rev().fold(Refusal::new(message), |r, &step| r.at(step));
            assert_eq!(refusal, expected);
        }
    }
}
