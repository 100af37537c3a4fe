//! The cheapest provider that is good enough and fast enough.
//!
//! For a call those providers take part whose known quality for its class is at least `quality`, and whose price for
//! the call (as `cheapest` reckons it) is within the class's `cost_budget`, if it has one. Of these the ones that keep
//! to the latency bound are taken by price, the cheapest first. The bound is `latency`, or else the class's
//! `latency_budget`, or else there is none.
//!
//! A provider keeps to the bound for a class if at least `percentile` of its last answers to that class came within it:
//! of the last 50, none older than `window`. A failure counts as too late. One with fewer than `explore` such answers
//! is taken to keep to it, so a new one is tried as soon as it is the cheapest. One that does not gets a single call
//! when its last answer is `probe_after` old; if that is in time it begins anew. If none keeps to the bound, the one
//! that does so most often is taken, or none (`otherwise`). A retry goes elsewhere if it can.
//!
//! Keeps of each provider and class its last 50 answers, for `window`.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `latency` | the class's budget | above 0; one figure, or one for each class |
//! | `quality` | 0 | 0 to 1; one figure, or one for each class |
//! | `percentile` | 95 % | 0 to 1 |
//! | `measures` | `end` | `end`, `first_token` |
//! | `window` | 5 min | above 0 |
//! | `explore` | 5 | 1 to 50 |
//! | `probe_after` | 30 s | 0 or more |
//! | `output` | 500 | 0 or more |
//! | `otherwise` | `fastest` | `fastest`, `fail` |
//!
//! Source: what the objectives of a service ask for, put as a rule; no product's own.
//!
//! Known faults: it sends everything to one provider until that is too slow, and only then learns it; with few answers
//! a percentile says little; it refuses providers that are not sold by the token.
//!
//! ```json
//! { "cheapest_within": { "latency": "3s", "quality": { "chat": 0.8, "code": 0.9 }, "percentile": "90%" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildPolicy, Call, Fleet, Measures, Members, Policy, lowest, prices, taking_part};
use crate::form::build::{Built, Names, Refusal};
use crate::form::per_class::PerClass;
use crate::form::units::{Duration, Fraction};
use crate::kernel::time::{Span, Time};
use crate::words::UNRATED;
use crate::words::{Ended, Outcome, Unit};

/// The number of answers that are kept.
const SAMPLES: usize = 50;

/// The cheapest provider that is good enough and fast enough.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CheapestWithin {
    /// The providers that take part; of equals the first here wins. Default: every provider, in the experiment's order.
    pub providers: Members,
    /// The latency bound: one figure, or one for each class. Default: the class's `latency_budget`, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency: Option<PerClass<Duration>>,
    /// The probability of a good answer that a provider must have: one figure, or one for each class. Default: 0.
    pub quality: PerClass<Fraction>,
    /// The share of answers that must keep to the bound. Default: 95 %.
    pub percentile: Fraction,
    /// The time that must keep to the bound. Default: `end`.
    pub measures: Measures,
    /// The time for which an answer counts. Default: 5 min.
    pub window: Duration,
    /// The number of answers below which a provider is taken to keep to the bound, 1 to 50. Default: 5.
    #[schemars(range(min = 1, max = 50))]
    pub explore: u32,
    /// The time after its last answer at which a provider that does not keep to the bound gets another call. Default:
    /// 30 s.
    pub probe_after: Duration,
    /// The output tokens expected of a call without `max_tokens`. Default: 500.
    pub output: u32,
    /// The provider that is taken if none keeps to the bound. Default: `fastest`.
    pub otherwise: NoneWithin,
}

/// The provider that is taken if none keeps to the bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoneWithin {
    /// The provider that keeps to the bound most often.
    #[default]
    Fastest,
    /// No provider: the request fails.
    Fail,
}

impl Default for CheapestWithin {
    fn default() -> Self {
        CheapestWithin {
            providers: Members::default(),
            latency: None,
            quality: PerClass::All(Fraction::ZERO),
            percentile: Fraction::new(0.95).unwrap_or(Fraction::ONE),
            measures: Measures::default(),
            window: Duration::from(Span::from_secs(300)),
            explore: 5,
            probe_after: Duration::from(Span::from_secs(30)),
            output: 500,
            otherwise: NoneWithin::default(),
        }
    }
}

impl BuildPolicy for CheapestWithin {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        if self.window.span() == Span::ZERO {
            return Err(Refusal::new("0s: must be longer than nothing").at("window"));
        }
        if !(1..=SAMPLES as u32).contains(&self.explore) {
            let text = format!("{}: must be from 1 to {SAMPLES}", self.explore);
            return Err(Refusal::new(text).at("explore"));
        }
        let everybody = taking_part(&self.providers, names)?;
        let asks = |c: usize| names.asks.get(c);
        let bounds = match &self.latency {
            Some(latency) => {
                let bounds = latency.by_class(names).map_err(|r| r.at("latency"))?;
                if bounds.iter().any(|b| b.span() == Span::ZERO) {
                    return Err(Refusal::new("0s: must be longer than nothing").at("latency"));
                }
                bounds.into_iter().map(|b| Some(b.span())).collect()
            }
            None => (0..names.classes.len()).map(|c| asks(c)?.latency_budget).collect(),
        };
        let wanted = self.quality.by_class(names).map_err(|r| r.at("quality"))?;
        let mut order = Vec::new();
        for (c, wanted) in wanted.into_iter().enumerate() {
            let least = wanted.get() * 1e6;
            let mut able = Vec::new();
            for &p in &everybody {
                let known = names.known.get(p).and_then(|k| k.quality.get(c)).copied();
                match known.unwrap_or(UNRATED) {
                    _ if least == 0.0 => able.push(p),
                    UNRATED => {
                        let (provider, class) = (&names.providers[p], &names.classes[c]);
                        return Err(Refusal::new(format!(
                            "the quality of provider `{provider}` for class `{class}` is not known: give it in the \
                             provider's `quality`, or leave it out of `providers`"
                        ))
                        .at("quality"));
                    }
                    quality if f64::from(quality) + 0.5 >= least => able.push(p),
                    _ => {}
                }
            }
            if able.is_empty() {
                let class = &names.classes[c];
                return Err(Refusal::new(format!("no provider is that good for class `{class}`")).at("quality"));
            }
            order.push(able);
        }
        Ok(Box::new(Running {
            prices: prices(&everybody, names)?,
            order,
            bounds,
            budgets: (0..names.classes.len()).map(|c| asks(c)?.cost_budget).collect(),
            states: vec![State::NEW; names.providers.len() * names.classes.len()],
            providers: names.providers.len(),
            rule: Rule {
                percentile: self.percentile.get(),
                window: self.window.span(),
                explore: self.explore as usize,
            },
            measures: self.measures,
            probe_after: self.probe_after.span(),
            output: self.output,
            otherwise: self.otherwise,
        }))
    }
}

/// The rule by which a provider keeps to a bound.
#[derive(Clone, Copy, Debug)]
struct Rule {
    percentile: f64,
    window: Span,
    explore: usize,
}

/// The last answers of one provider to one class.
#[derive(Clone, Debug)]
struct State {
    /// The times of the answers, and whether each was in time; a ring.
    answers: [(Time, bool); SAMPLES],
    stored: usize,
    next: usize,
    probe_at: Time,
}

impl State {
    const NEW: State = State {
        answers: [(Time::ZERO, false); SAMPLES],
        stored: 0,
        next: 0,
        probe_at: Time::ZERO,
    };

    fn store(&mut self, now: Time, in_time: bool) {
        self.answers[self.next] = (now, in_time);
        self.next = (self.next + 1) % SAMPLES;
        self.stored = (self.stored + 1).min(SAMPLES);
    }

    /// The number of recent answers, and of those that were in time.
    fn recent(&self, now: Time, window: Span) -> (usize, usize) {
        let recent = self.answers[..self.stored]
            .iter()
            .filter(|(at, _)| now.since(*at) <= window);
        recent.fold((0, 0), |(n, good), (_, in_time)| (n + 1, good + usize::from(*in_time)))
    }

    fn keeps_to(&self, now: Time, rule: &Rule) -> bool {
        let (n, good) = self.recent(now, rule.window);
        n < rule.explore || good as f64 >= rule.percentile * n as f64
    }
}

#[derive(Clone, Debug)]
struct Running {
    prices: Vec<(u64, u64)>,
    /// The providers that are good enough, by class.
    order: Vec<Vec<usize>>,
    bounds: Vec<Option<Span>>,
    budgets: Vec<Option<u64>>,
    /// The states by class and provider.
    states: Vec<State>,
    providers: usize,
    rule: Rule,
    measures: Measures,
    probe_after: Span,
    output: u32,
    otherwise: NoneWithin,
}

impl Running {
    /// The price of `call` at provider `p`, if it is within the class's budget.
    #[inline]
    fn price(&self, call: &Call, p: usize) -> Option<u128> {
        let (input, output) = self.prices[p];
        let written = call.max_output.unwrap_or(self.output);
        let price = u128::from(call.input) * u128::from(input) + u128::from(written) * u128::from(output);
        self.budgets[call.class]
            .is_none_or(|most| price <= u128::from(most))
            .then_some(price)
    }

    fn state(&self, call: &Call, p: usize) -> &State {
        &self.states[call.class * self.providers + p]
    }

    fn keeps_to(&self, call: &Call, p: usize, now: Time) -> bool {
        self.bounds[call.class].is_none() || self.state(call, p).keeps_to(now, &self.rule)
    }

    /// The choice among the providers that `may` allows.
    fn among(&self, call: &Call, fleet: &Fleet<'_>, may: impl Fn(usize) -> bool) -> Option<usize> {
        let (order, now) = (&self.order[call.class], fleet.now());
        let within = lowest(order, |p| {
            fleet.tell(p, || {
                let price = self.price(call, p).map_or(f64::INFINITY, |price| price as f64 * 1e-12);
                ("price of the call", Unit::Dollars, price)
            });
            fleet.tell(p, || {
                let (n, good) = self.state(call, p).recent(now, self.rule.window);
                ("share within the bound", Unit::Share, good as f64 / n.max(1) as f64)
            });
            (may(p) && self.keeps_to(call, p, now))
                .then(|| self.price(call, p))
                .flatten()
        });
        if within.is_some() || self.otherwise == NoneWithin::Fail {
            return within;
        }
        lowest(order, |p| {
            let price = self.price(call, p).filter(|_| may(p))?;
            let (n, good) = self.state(call, p).recent(now, self.rule.window);
            Some((-(good as f64) / n.max(1) as f64, price))
        })
    }
}

impl Policy for Running {
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        let now = fleet.now();
        let elsewhere = |p: usize| call.last != Some(p) && fleet.is_open_to_calls(p);
        let due = |&p: &usize| {
            elsewhere(p)
                && self.price(call, p).is_some()
                && now >= self.state(call, p).probe_at
                && !self.keeps_to(call, p, now)
        };
        let probe = self.order[call.class].iter().copied().find(due);
        if let Some(p) = probe {
            self.states[call.class * self.providers + p].probe_at = now + self.probe_after;
            return probe;
        }
        self.among(call, fleet, elsewhere)
            .or_else(|| self.among(call, fleet, |p| fleet.is_open_to_calls(p)))
    }

    fn learn(&mut self, ended: &Ended) {
        let class = usize::from(ended.class);
        let Some(bound) = self.bounds[class] else { return };
        if ended.outcome == Outcome::Cancelled {
            return;
        }
        let took = match self.measures {
            Measures::End => ended.took,
            Measures::FirstToken => ended.took.min(ended.first_token),
        };
        let in_time = ended.outcome == Outcome::Success && took <= bound;
        let state = &mut self.states[class * self.providers + ended.provider];
        if in_time && !state.keeps_to(ended.now, &self.rule) {
            *state = State::NEW;
        }
        state.store(ended.now, in_time);
        state.probe_at = ended.now + self.probe_after;
    }

    fn fresh(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::PolicySpec;
    use super::super::testing::*;
    use super::*;
    use crate::form::build::{Asked, Known};

    /// a, b, c cost 1, 2, 3 a token and are good with 0.5, 0.8, 0.9; class y has budgets.
    fn built(json: &str) -> Built<Box<dyn Policy>> {
        let (providers, classes) = (["a", "b", "c"].map(String::from), ["x", "y"].map(String::from));
        let known = [(1, 500_000), (2, 800_000), (3, 900_000)].map(|(price, quality)| Known {
            price: Some((price, price)),
            quality: vec![quality; 2],
            ..Known::default()
        });
        let asks = [None, Some(2000)].map(|cost_budget| Asked {
            cost_budget,
            latency_budget: cost_budget.map(|_| Span::from_secs(2)),
            ..Asked::default()
        });
        let spec: PolicySpec = serde_json::from_str(json).unwrap();
        spec.as_dyn().build(&Names {
            providers: &providers,
            classes: &classes,
            known: &known,
            asks: &asks,
            ..Names::default()
        })
    }

    fn ends(policy: &mut dyn Policy, p: usize, class: u16, seconds: u64, millis: u64) {
        let mut ended = Ended::new(Time::ZERO + Span::from_secs(seconds), p, Outcome::Success);
        (ended.took, ended.class) = (Span::from_millis(millis), class);
        policy.learn(&ended);
    }

    fn next(policy: &mut dyn Policy, class: usize, seconds: u64, closed: &[usize]) -> Option<usize> {
        let hosts = hosts(closed);
        let call = Call {
            max_output: Some(1000),
            ..call(0, class)
        };
        policy.choose(&call, &Fleet::new(&hosts, None, Time::ZERO + Span::from_secs(seconds)))
    }

    #[test]
    fn the_cheapest_that_is_good_enough() {
        for (quality, chosen) in [("0", 0), ("0.8", 1), (r#""90%""#, 2)] {
            let mut policy = built(&format!(r#"{{"cheapest_within": {{"quality": {quality}}}}}"#)).unwrap();
            assert_eq!(next(&mut *policy, 0, 0, &[]), Some(chosen), "{quality}");
        }
        let mut policy = built(r#"{"cheapest_within": {"quality": 0.8}}"#).unwrap();
        assert_eq!(next(&mut *policy, 0, 0, &[1, 2]), None, "a is not good enough");
        assert_eq!(next(&mut *policy, 1, 0, &[1]), None, "c is above the class's budget");
    }

    #[test]
    fn who_is_too_slow_is_ruled_out_probed_and_taken_back() {
        let mut policy = built(r#"{"cheapest_within": {"latency": "1s", "explore": 2}}"#).unwrap();
        ends(&mut *policy, 0, 0, 0, 1500);
        assert_eq!(next(&mut *policy, 0, 0, &[]), Some(0), "one answer says nothing");
        ends(&mut *policy, 0, 0, 0, 1500);
        assert_eq!(next(&mut *policy, 0, 1, &[]), Some(1));
        assert_eq!(
            next(&mut *policy, 1, 1, &[]),
            Some(0),
            "another class is another matter"
        );
        assert_eq!(next(&mut *policy, 0, 30, &[]), Some(0), "one call");
        assert_eq!(next(&mut *policy, 0, 30, &[]), Some(1));
        ends(&mut *policy, 0, 0, 31, 1000);
        assert_eq!(next(&mut *policy, 0, 31, &[]), Some(0));
    }

    #[test]
    fn with_nobody_in_time_the_fastest_or_nobody_is_taken() {
        for (otherwise, chosen) in [("fastest", Some(1)), ("fail", None)] {
            let json = format!(
                r#"{{"cheapest_within": {{"providers": ["a", "b"], "explore": 4, "otherwise": "{otherwise}"}}}}"#
            );
            let mut policy = built(&json).unwrap();
            for late in 0..4 {
                ends(&mut *policy, 0, 1, 0, 3000);
                ends(&mut *policy, 1, 1, 0, if late > 0 { 3000 } else { 1000 });
            }
            assert_eq!(next(&mut *policy, 1, 1, &[]), chosen);
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (rest, message) in [
            (r#""quality": 0.95"#, "no provider is that good for class `x`"),
            (r#""explore": 51"#, "51: must be from 1 to 50"),
            (r#""latency": "0s""#, "0s: must be longer than nothing"),
        ] {
            let json = format!(r#"{{"cheapest_within": {{{rest}}}}}"#);
            assert_eq!(built(&json).err().unwrap().message, message);
        }
        let unknown = build(r#"{"cheapest_within": {"quality": 0.5}}"#).err().unwrap();
        assert!(
            unknown
                .message
                .starts_with("the quality of provider `a` for class `x` is not known")
        );
    }
}
