//! Client-side throttling as in Google's "Site Reliability Engineering" (2016), chapter 21, "Handling Overload".
//!
//! Over the last `window` the client counts the requests that it was asked for, those included that it turned away itself, and
//! those that the backend accepted. A request is turned away with probability max(0, (requests − k·accepts)/(requests + 1)).
//! Against a backend that accepts a share `a < 1/k` of what is asked for, the client then turns away 1 − k·a, and the backend sees
//! `k` times what it accepts. If instead the backend refuses a fixed share of whatever it is sent, and it is more than
//! 1 − 1/k, the client ends up turning away nearly everything.
//!
//! A request counts as asked for when it is let in or turned away, and as accepted when it is done and did not end in an
//! outcome of `refusals`. One that waits is asked at the head of its line, or when it polls. The window is kept in 120
//! slices, each forgotten whole.
//!
//! ```json
//! { "sre_throttle": { "k": 2, "window": "2m" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::recent::Recent;
use super::slots::OVERLOAD;
use super::{BuildLimiter, Done, Limiter, Ready};
use crate::form::build::{Built, Names, Refusal};
use crate::form::outcomes::OutcomeList;
use crate::form::units::Duration;
use crate::kernel::chance::{Key, Purpose, unit};
use crate::kernel::time::{Span, Time};
use crate::words::{Ask, Outcomes};

/// The number of slices of the window.
const SLICES: u64 = 120;

/// A probabilistic throttle that lets through `k` times what is accepted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SreThrottle {
    /// The requests that may be sent for each one accepted, 1 to 1000. Default: 2.
    pub k: f64,
    /// The window in which requests are counted, at least 1ms. Default: 2m.
    pub window: Duration,
    /// The outcomes by which a request was not accepted. Default: 429, 503, 529 and timeouts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusals: Option<OutcomeList>,
}

impl Default for SreThrottle {
    fn default() -> Self {
        SreThrottle {
            k: 2.0,
            window: Duration::from(Span::from_secs(120)),
            refusals: None,
        }
    }
}

impl BuildLimiter for SreThrottle {
    fn build(&self, _names: &Names<'_>) -> Built<Box<dyn Limiter>> {
        if !(1.0..=1000.0).contains(&self.k) {
            return Err(Refusal::new(format!("k is {}, and must lie between 1 and 1000", self.k)).at("k"));
        }
        if self.window.span() < Span::from_millis(1) {
            return Err(Refusal::new(format!("window is {}, and must be at least 1ms", self.window)).at("window"));
        }
        let window = self.window.span();
        Ok(Box::new(Running {
            recent: Recent::new(window, Span::from_nanos(window.nanos().div_ceil(SLICES))),
            k: self.k,
            refusals: OutcomeList::set_or(self.refusals.as_ref(), OVERLOAD, "refusals")?,
            own: None,
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    recent: Recent,
    k: f64,
    refusals: Outcomes,
    own: Option<Key>,
}

impl Limiter for Running {
    fn ready(&mut self, now: Time, ask: &Ask) -> Ready {
        let counts = self.recent.at(now);
        let excess = counts.calls as f64 - self.k * counts.good as f64;
        if excess <= 0.0 {
            return Ready::Now;
        }
        let reject = excess / (counts.calls as f64 + 1.0);
        match self.own {
            Some(own) if unit(own.part(ask.id).draw(Purpose::Throttle)) < reject => Ready::Rejected,
            _ => Ready::Now,
        }
    }

    fn take(&mut self, now: Time, _ask: &Ask) {
        self.recent.add(now, 1, 0);
    }

    fn turned_away(&mut self, now: Time) {
        self.recent.add(now, 1, 0);
    }

    fn leave(&mut self, done: &Done) {
        if !self.refusals.contains(done.outcome) {
            self.recent.add(done.now, 0, 1);
        }
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
    use crate::words::Outcome;

    /// By hand from the formula, k = 2: at each second some are let in, some turned away, and some are done, accepted or not.
    /// The window forgets the first second after 120. Five standard deviations of a share of 100,000 are 0.008.
    #[test]
    fn it_turns_away_as_many_as_the_formula_says() {
        let spec: SreThrottle = serde_json::from_str("{}").unwrap();
        let mut it = spec
            .build(&Names::default())
            .unwrap()
            .fresh(Chance::new(1, 0).surroundings(0));
        for (second, sent, away, accepted, refused, share) in [
            (0, 0, 0, 0, 0, 0.0),
            // (10 − 2·6)/11 is negative.
            (1, 10, 0, 6, 4, 0.0),
            // (30 − 2·8)/31.
            (2, 20, 0, 2, 18, 14.0 / 31.0),
            // What was turned away counts: (50 − 2·8)/51.
            (3, 0, 20, 0, 0, 34.0 / 51.0),
            // A success and an error of the server are accepted, a 429 is not: (60 − 2·18)/61.
            (4, 10, 0, 10, 0, 24.0 / 61.0),
            // (50 − 2·12)/51: the first ten and the six accepted are forgotten.
            (121, 0, 0, 0, 0, 26.0 / 51.0),
            (124, 0, 0, 0, 0, 0.0),
        ] {
            let now = Time::ZERO + Span::from_secs(second);
            (0..sent).for_each(|_| it.take(now, &Ask::default()));
            (0..away).for_each(|_| it.turned_away(now));
            for i in 0..accepted + refused {
                let outcome = match i {
                    _ if i >= accepted => Outcome::RateLimited,
                    0 => Outcome::ServerError,
                    _ => Outcome::Success,
                };
                it.leave(&Done {
                    outcome,
                    ..Done::at(now)
                });
            }
            let found = rejected(&mut *it, now);
            assert!((found - share).abs() < 0.008, "at {second} s: {found}, not {share}");
        }
    }
}
