//! Envoy's admission control (`admission_control.cc` of the HTTP filter of that name): it turns requests away by chance
//! when too few of those that were let through went well.
//!
//! Over the last `window`, in slices of a second, it counts the `n` requests that were done and the `s` of them that went well.
//! A request is turned away with probability
//!
//! ```text
//! p = min(max_rejection, ((n − s/success_rate)/(n + 1))^(1/aggression)), or 0 if that is negative,
//! ```
//!
//! drawn with four digits. What it turns away itself is not counted. No request is turned away while fewer than `rps`
//! requests a second were done: `n` over the whole seconds since the oldest slice began. As in Envoy a request went
//! well unless its status was a 5xx, so 429s count as successes unless `failures` says otherwise; one without an answer
//! did not go well. A request that waits is asked at the head of its line, or when it polls.
//!
//! ```json
//! { "envoy_admission_control": { "success_rate": "95%", "failures": ["5xx", "timeout", 429] } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::recent::Recent;
use super::{BuildLimiter, Done, Limiter, Ready};
use crate::form::build::{Built, Names, Refusal};
use crate::form::outcomes::OutcomeList;
use crate::form::units::{Duration, Fraction};
use crate::kernel::chance::{Key, Purpose};
use crate::kernel::time::{Span, Time};
use crate::words::{Ask, Outcome, Outcomes};

/// The resolution of the draw: four decimal digits.
const ACCURACY: u64 = 10_000;

/// A probabilistic throttle that watches the success rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EnvoyAdmissionControl {
    /// The window in which requests are counted, 1s to 1h. Default: 30s.
    pub window: Duration,
    /// The success rate below which requests are turned away, at least 0.01. Default: 0.95.
    pub success_rate: Fraction,
    /// The steepness of the rejection: 1 is in proportion, more is steeper. 1 to 100. Default: 1.
    pub aggression: f64,
    /// The highest probability of being turned away. Default: 0.8.
    pub max_rejection: Fraction,
    /// The requests a second below which none is turned away. Default: 0.
    pub rps: u32,
    /// The outcomes that did not go well. Default: every 5xx, timeouts, lost connections and broken answers, and what
    /// found no provider or budget.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failures: Option<OutcomeList>,
}

impl Default for EnvoyAdmissionControl {
    fn default() -> Self {
        let fraction = |value| Fraction::new(value).unwrap_or(Fraction::ONE);
        EnvoyAdmissionControl {
            window: Duration::from(Span::from_secs(30)),
            success_rate: fraction(0.95),
            aggression: 1.0,
            max_rejection: fraction(0.8),
            rps: 0,
            failures: None,
        }
    }
}

/// The outcomes other than those with a status below 500.
fn not_below_500() -> Outcomes {
    (Outcome::ALL.into_iter())
        .filter(|o| o.status().is_none_or(|status| status >= 500))
        .fold(Outcomes::NONE, |all, o| all.and(Outcomes::of(&[o])))
}

impl BuildLimiter for EnvoyAdmissionControl {
    fn build(&self, _names: &Names<'_>) -> Built<Box<dyn Limiter>> {
        let window = self.window.span();
        if !(Span::from_secs(1)..=Span::from_secs(3600)).contains(&window) {
            let text = format!("window is {}, and must lie between 1s and 1h", self.window);
            return Err(Refusal::new(text).at("window"));
        }
        if self.success_rate.get() < 0.01 {
            let text = format!("success_rate is {}, and must be at least 0.01", self.success_rate.get());
            return Err(Refusal::new(text).at("success_rate"));
        }
        if !(1.0..=100.0).contains(&self.aggression) {
            let text = format!("aggression is {}, and must lie between 1 and 100", self.aggression);
            return Err(Refusal::new(text).at("aggression"));
        }
        Ok(Box::new(Running {
            recent: Recent::new(window, Span::from_secs(1)),
            success_rate: self.success_rate.get(),
            exponent: 1.0 / self.aggression,
            max: self.max_rejection.get(),
            rps: u64::from(self.rps),
            failures: OutcomeList::set_or(self.failures.as_ref(), not_below_500(), "failures")?,
            own: None,
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    recent: Recent,
    success_rate: f64,
    exponent: f64,
    max: f64,
    rps: u64,
    failures: Outcomes,
    own: Option<Key>,
}

impl Running {
    /// The probability of being turned away at `now`.
    fn rejection(&mut self, now: Time) -> f64 {
        let counts = self.recent.at(now);
        let excess = counts.calls as f64 - counts.good as f64 / self.success_rate;
        let age = self.recent.oldest().map_or(Span::ZERO, |began| now.since(began));
        let seconds = (age.nanos() / 1_000_000_000).max(1);
        if excess <= 0.0 || counts.calls / seconds < self.rps {
            return 0.0;
        }
        let mut reject = excess / (counts.calls as f64 + 1.0);
        if self.exponent < 1.0 {
            reject = libm::pow(reject, self.exponent);
        }
        reject.min(self.max)
    }
}

impl Limiter for Running {
    fn ready(&mut self, now: Time, ask: &Ask) -> Ready {
        let reject = self.rejection(now);
        match self.own {
            Some(own) if reject * ACCURACY as f64 > (own.part(ask.id).draw(Purpose::Throttle) % ACCURACY) as f64 => {
                Ready::Rejected
            }
            _ => Ready::Now,
        }
    }

    fn take(&mut self, _now: Time, _ask: &Ask) {}

    fn leave(&mut self, done: &Done) {
        let good = !self.failures.contains(done.outcome);
        self.recent.add(done.now, 1, u64::from(good));
    }

    fn listens(&self) -> bool {
        true
    }

    fn fresh(&self, own: Key) -> Box<dyn Limiter> {
        Box::new(Running {
            own: Some(own),
            ..self.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::recent::rejected;
    use super::*;
    use crate::kernel::chance::Chance;

    /// By hand from the formula. Five standard deviations of a share of 100,000 are 0.008.
    fn check(json: &str, steps: &[(u64, u64, u64, f64)]) {
        let spec: EnvoyAdmissionControl = serde_json::from_str(json).unwrap();
        let mut it = spec
            .build(&Names::default())
            .unwrap()
            .fresh(Chance::new(1, 0).surroundings(0));
        for &(second, good, bad, share) in steps {
            let now = Time::ZERO + Span::from_secs(second);
            for i in 0..good + bad {
                let outcome = match i {
                    _ if i >= good => Outcome::ServerError,
                    0 => Outcome::RateLimited,
                    _ => Outcome::Success,
                };
                it.leave(&Done {
                    outcome,
                    ..Done::at(now)
                });
            }
            let found = rejected(&mut *it, now);
            assert!(
                (found - share).abs() < 0.008,
                "{json} at {second} s: {found}, not {share}"
            );
        }
    }

    #[test]
    fn it_turns_away_as_many_as_the_formula_says() {
        let half = "\"success_rate\": 0.5";
        check(
            &format!("{{{half}}}"),
            &[
                (0, 0, 0, 0.0),
                // 10 − 5/0.5 = 0; a 429 went well.
                (1, 5, 5, 0.0),
                // (20 − 14)/21, after rounding to the draw's four digits.
                (2, 2, 8, 6.0 / 21.0),
                // At most 80 %: (40 − 2·7)/41 is less, (240 − 14)/241 is not.
                (3, 0, 20, 26.0 / 41.0),
                (4, 0, 200, 0.8),
                // The first slices are forgotten: (220 − 0)/221 too.
                (32, 0, 0, 0.8),
                (34, 0, 0, 0.0),
            ],
        );
        check(
            &format!("{{{half}, \"aggression\": 2}}"),
            &[(1, 5, 5, 0.0), (2, 2, 8, (6.0f64 / 21.0).sqrt())],
        );
        // 20 in a second are 20 a second; over the 3 s since then 6.
        check(
            &format!("{{{half}, \"rps\": 7}}"),
            &[(1, 7, 13, 6.0 / 21.0), (2, 0, 0, 6.0 / 21.0), (4, 0, 0, 0.0)],
        );
    }
}
