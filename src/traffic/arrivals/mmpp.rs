//! A Markov-modulated Poisson process: Poisson arrivals at a rate that changes by itself.
//!
//! The process is in one of several states; in each, requests come as a Poisson process of that state's rate, and it stays
//! there for an exponential time of the state's mean. Then comes the next state of the list, and after the last the first.
//! Unlike gaps of one law (`gamma`), bursts last: counts of neighbouring minutes are correlated. BurstGPT (Wang et al., 2025) and
//! ServeGen (Xiang et al., 2025) see such shifts of rate and burstiness in production traces.
//!
//! Two states, one of them without a rate, are an on-off source (an interrupted Poisson process), such as a job that runs now and then:
//! `{ "mmpp": { "states": [ { "stay": "10min" }, { "rate": "40/s", "stay": "30s" } ] } }` is silent for ten minutes on average, then
//! sends 40 a second for half a minute.
//!
//! Mean rate: Σ rate × stay / Σ stay. For two states of rates a, b that are left at the rates p, q, the variance of the count
//! over its mean tends to 1 + 2 (a − b)² p q / ((p + q)² (a q + b p)) (Fischer and Meier-Hellstern 1993). The first state is
//! drawn by the time spent in each, so that the process is stationary from the start. When states change is drawn apart from
//! the requests: it is the same for every policy and whatever the rates. Left out: changes in any other order.
//!
//! ```json
//! { "mmpp": { "states": [ { "rate": "5/s", "stay": "4min" }, { "rate": "60/s", "stay": "20s" } ] } }
//! ```

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Arrival, Arrivals, ArrivalsSpec, BuildArrivals, maybe};
use crate::form::build::{Built, Names, Refusal};
use crate::form::units::{Duration, Rate};
use crate::kernel::chance::{Key, Purpose, unit};
use crate::kernel::law::Exponential;
use crate::kernel::sampler::Sampler;
use crate::kernel::time::{Span, Time};
use crate::traffic::rows::Rows;

/// Poisson arrivals whose rate changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mmpp {
    /// The states in the order in which they follow one another, two to a hundred.
    #[schemars(extend("minItems" = 2, "maxItems" = 100))]
    pub states: Vec<MmppState>,
}

/// A state of the process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MmppState {
    /// Mean arrivals per time while the state lasts. Default: none come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// How long the state lasts on average, from 1 ms.
    pub stay: Duration,
}

impl MmppState {
    fn per_second(&self) -> f64 {
        self.rate.map_or(0.0, Rate::per_second)
    }
}

impl Mmpp {
    /// The mean time from one visit of a state to the next, in seconds, and the mean arrivals in it.
    fn cycle(&self) -> (f64, f64) {
        let mut cycle = (0.0, 0.0);
        for state in &self.states {
            let stay = state.stay.span().seconds();
            cycle = (cycle.0 + stay, cycle.1 + stay * state.per_second());
        }
        cycle
    }
}

impl BuildArrivals for Mmpp {
    fn build(&self, _trace: Option<Rows>, _names: &Names<'_>) -> Built<Box<dyn Arrivals>> {
        const FASTEST: f64 = 1e7;
        let here = |r: Refusal, i: usize| r.at(i).at("states");
        if !(2..=100).contains(&self.states.len()) {
            return Err(Refusal::new(format!("{} states: must be 2 to 100", self.states.len())).at("states"));
        }
        for (i, state) in self.states.iter().enumerate() {
            let stay = state.stay.span();
            if stay < Span::from_nanos(1_000_000) {
                return Err(here(
                    Refusal::new(format!("a stay of {stay}: must be at least 1ms")).at("stay"),
                    i,
                ));
            }
            if state.per_second() > FASTEST {
                let text = format!(
                    "{:.1e} requests a second: at most {FASTEST:.0e} are simulated",
                    state.per_second()
                );
                return Err(here(Refusal::new(text).at("rate"), i));
            }
        }
        let (seconds, arrivals) = self.cycle();
        if arrivals == 0.0 {
            return Err(Refusal::new("no state has a `rate`, so that no request ever comes").at("states"));
        }
        if arrivals < 1e-4 {
            let text = format!(
                "{:.1e} requests in a mean round of {seconds} seconds through the states: must be at least 0.0001",
                arrivals
            );
            return Err(Refusal::new(text).at("states"));
        }
        let state = |s: &MmppState| State {
            per_nano: s.per_second() / 1e9,
            stay: s.stay.span().nanos() as f64,
        };
        let law = Exponential::new(1.0, 0.0).map_err(Refusal::of)?;
        Ok(Box::new(Running {
            states: self.states.iter().map(state).collect(),
            unit: Sampler::of(&law),
            own: Key::NONE,
            now: Time::ZERO,
            state: 0,
            until: Time::ZERO,
            changes: 0,
        }))
    }

    fn rate(&self) -> Option<f64> {
        let (seconds, arrivals) = self.cycle();
        Some(arrivals / seconds)
    }

    fn rate_field(&self) -> &'static str {
        "states"
    }

    fn scaled(&self, factor: f64) -> Option<ArrivalsSpec> {
        let mut scaled = self.clone();
        for state in &mut scaled.states {
            state.rate = maybe(state.rate, factor)?;
        }
        Some(scaled.into())
    }
}

#[derive(Clone, Copy, Debug)]
struct State {
    per_nano: f64,
    stay: f64,
}

#[derive(Clone, Debug)]
struct Running {
    states: Arc<[State]>,
    /// Exponential of mean 1.
    unit: Sampler,
    own: Key,
    now: Time,
    state: usize,
    until: Time,
    /// States entered so far, which number their draws.
    changes: u64,
}

impl Running {
    fn enter(&mut self, state: usize) {
        self.changes += 1;
        let stay = self.unit.draw(self.own.part(self.changes), Purpose::Weather) * self.states[state].stay;
        self.state = state;
        self.until += Span::from_nanos((stay + 0.5) as u64);
    }
}

impl Arrivals for Running {
    /// A request comes once the rate, summed over time, has reached an exponential of mean 1: exact for any path of the rate.
    fn next(&mut self, key: Key) -> Option<Arrival> {
        let mut left = self.unit.draw(key, Purpose::Gap);
        loop {
            let rate = self.states[self.state].per_nano;
            let stays = self.until.since(self.now).nanos() as f64;
            if rate * stays >= left {
                self.now += Span::from_nanos((left / rate + 0.5) as u64);
                return Some(Arrival::at(self.now));
            }
            if self.until == Time::NEVER {
                return None;
            }
            left -= rate * stays;
            self.now = self.until;
            self.enter((self.state + 1) % self.states.len());
        }
    }

    fn fresh(&self, own: Key) -> Box<dyn Arrivals> {
        let mut fresh = Running { own, ..self.clone() };
        let total: f64 = self.states.iter().map(|s| s.stay).sum();
        let mut drawn = unit(own.draw(Purpose::Weather)) * total;
        let first = self.states.iter().position(|state| {
            drawn -= state.stay;
            drawn < 0.0
        });
        // What is left of an exponential stay is as long as a whole one.
        fresh.enter(first.unwrap_or(0));
        Box::new(fresh)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::chance::Chance;

    const BURSTS: &str = r#"{ "states": [ { "rate": "2/s", "stay": "6s" }, { "rate": "20/s", "stay": "2s" } ] }"#;

    fn spec(json: &str) -> Mmpp {
        serde_json::from_str(json).unwrap()
    }

    /// Arrivals of each of `replications` in `0..seconds`.
    fn counts(json: &str, replications: u64, seconds: u64) -> Vec<f64> {
        let built = spec(json).build(None, &Names::default()).unwrap();
        let count = |replication| {
            let chance = Chance::new(1, replication);
            let mut arrivals = built.fresh(chance.surroundings(4));
            let inside =
                |n: &u64| arrivals.next(chance.request(*n)).unwrap().at < Time::ZERO + Span::from_secs(seconds);
            (0..).take_while(inside).count() as f64
        };
        (0..replications).map(count).collect()
    }

    fn mean_and_variance(of: &[f64]) -> (f64, f64) {
        let n = of.len() as f64;
        let mean = of.iter().sum::<f64>() / n;
        (mean, of.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0))
    }

    /// Rates a = 2 and b = 20 left at p = 1/6 and q = 1/2: the mean is (2·6 + 20·2) / 8 = 6.5 a second; the index of
    /// dispersion I = 1 + 2·18²·(1/12) / ((4/9)·(2/2 + 20/6)) = 29.04 for long times, and for a time t it is
    /// I − (I − 1)·(1 − exp(−r t)) / (r t) with r = p + q (Fischer and Meier-Hellstern 1993): 28.62 for 100 s. The variance
    /// of a sample variance of n nearly normal counts is 2/n of its square: for 2,000, 3.2 %.
    #[test]
    fn the_mean_rate_and_the_dispersion_of_counts_are_those_of_theory() {
        assert!((spec(BURSTS).rate().unwrap() - 6.5).abs() < 1e-12);
        let (mean, variance) = mean_and_variance(&counts(BURSTS, 2000, 100));
        let (limit, rt): (f64, f64) = (1.0 + 2.0 * 324.0 / 12.0 / (4.0 / 9.0 * 13.0 / 3.0), 200.0 / 3.0);
        let dispersion = limit - (limit - 1.0) * (1.0 - libm::exp(-rt)) / rt;
        let error = (dispersion * 650.0 / 2000.0).sqrt();
        assert!((mean - 650.0).abs() < 3.5 * error, "{mean} ± {error}");
        let found = variance / mean;
        assert!((found / dispersion - 1.0).abs() < 0.12, "{found}, theory {dispersion}");
    }

    /// The first second is like any other: it has 6.5 requests on average, too.
    #[test]
    fn the_process_is_stationary_from_the_start() {
        let (mean, variance) = mean_and_variance(&counts(BURSTS, 4000, 1));
        let error = (variance / 4000.0).sqrt();
        assert!((mean - 6.5).abs() < 3.5 * error, "{mean} ± {error}");
    }

    /// On for a mean of 1 s in 4 at 8/s: 2 a second, and the gaps within a burst are Poisson's.
    #[test]
    fn two_states_of_which_one_is_silent_are_on_and_off() {
        let json = r#"{ "states": [ { "stay": "3s" }, { "rate": "8/s", "stay": "1s" } ] }"#;
        let (mean, variance) = mean_and_variance(&counts(json, 1000, 100));
        let error = (variance / 1000.0).sqrt();
        assert!((mean - 200.0).abs() < 3.5 * error, "{mean} ± {error}");
    }

    #[test]
    fn states_change_at_the_same_times_whatever_the_rates() {
        let changes = |json: &str| {
            let built = spec(json).build(None, &Names::default()).unwrap();
            let spec: Mmpp = spec(json);
            assert!(spec.rate().is_some());
            let mut arrivals = built.fresh(Chance::new(3, 0).surroundings(4));
            // A busy state shows where it begins and ends to within a gap of about 1 ms.
            let times: Vec<f64> = (0..40_000)
                .map(|n| arrivals.next(Chance::new(3, 0).request(n)).unwrap().at.seconds())
                .collect();
            times.windows(2).find(|w| w[1] - w[0] > 0.1).map(|w| w[0])
        };
        let slow = changes(r#"{ "states": [ { "stay": "5s" }, { "rate": "1000/s", "stay": "5s" } ] }"#).unwrap();
        let fast = changes(r#"{ "states": [ { "stay": "5s" }, { "rate": "4000/s", "stay": "5s" } ] }"#).unwrap();
        assert!((slow - fast).abs() < 0.02, "{slow} {fast}");
    }

    #[test]
    fn states_that_make_no_process_are_refused() {
        for (json, message) in [
            (
                r#"{ "states": [ { "rate": "1/s", "stay": "1s" } ] }"#,
                "1 states: must be 2 to 100",
            ),
            (
                r#"{ "states": [ { "stay": "1s" }, { "stay": "2s" } ] }"#,
                "no state has a `rate`, so that no request ever comes",
            ),
            (
                r#"{ "states": [ { "rate": "1/s", "stay": "1us" }, { "stay": "1s" } ] }"#,
                "a stay of 1us: must be at least 1ms",
            ),
        ] {
            assert_eq!(
                spec(json).build(None, &Names::default()).err().unwrap().message,
                message
            );
        }
    }
}
