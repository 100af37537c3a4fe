//! Batches: many requests at once, again and again or at times that are given.
//!
//! A nightly job, a queue that is drained, an evaluation run. The requests of a batch come all at the same instant, or at equal distances
//! over `spread`. Beside traffic of another kind it is a stream of its own. Left out: batches of a size that is drawn.
//!
//! ```json
//! { "batch": { "size": 2000, "every": "24h", "first": "2h", "spread": "1min" } }
//! ```

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Arrival, Arrivals, ArrivalsSpec, BuildArrivals, Planned, times};
use crate::form::build::{Built, Names, Refusal};
use crate::form::units::{Count, Duration};
use crate::kernel::chance::Key;
use crate::kernel::time::{Span, Time};
use crate::traffic::rows::Rows;
use crate::words::Course;

/// Many requests at once, again and again or at given times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// How many requests a batch has, at most ten million.
    #[schemars(extend("maximum" = 10_000_000))]
    pub size: Count,
    /// The time from one batch to the next. Either this or `at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Duration>,
    /// When the first batch comes, of those that come `every` so often, counted from the beginning of the plan's time. Default: at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Duration>,
    /// The times at which batches come, in rising order, counted from the beginning of the plan's time. Either this or `every`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Vec<Duration>>,
    /// The time over which the requests of a batch come, at equal distances. Default: all at the same instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<Duration>,
}

const MOST: u64 = 10_000_000;

impl BuildArrivals for Batch {
    fn build(&self, _trace: Option<Rows>, names: &Names<'_>) -> Built<Box<dyn Arrivals>> {
        let size = self.size.get();
        if size > MOST {
            return Err(Refusal::new(format!("{size} requests: must be 1 to {MOST}")).at("size"));
        }
        let spread = self.spread.map_or(Span::ZERO, Duration::span);
        let first = self.first.map_or(Span::ZERO, Duration::span);
        let (times, every) = match (&self.at, self.every) {
            (None, None) => return Err(Refusal::new("`every` or `at` is missing: when a batch comes")),
            (Some(_), Some(_)) => return Err(Refusal::new("either `every` or `at`, not both").at("at")),
            (Some(_), None) if self.first.is_some() => {
                return Err(Refusal::new("`at` has the first one already: leave this out").at("first"));
            }
            (Some(at), None) => (at.iter().map(|at| at.span()).collect::<Vec<_>>(), None),
            (None, Some(every)) => (vec![first], Some(every.span())),
        };
        if times.is_empty() {
            return Err(Refusal::new("no time at all: at least one").at("at"));
        }
        if let Some(i) = (1..times.len()).find(|&i| times[i] <= times[i - 1]) {
            return Err(Refusal::new("not after the time before it").at(i).at("at"));
        }
        let closest = times.windows(2).map(|two| two[1].nanos() - two[0].nanos());
        let closest = closest.chain(every.map(Span::nanos)).min();
        if every == Some(Span::ZERO) || closest.is_some_and(|gap| spread.nanos() > gap) {
            let text = "a batch must be over before the next one begins";
            return Err(Refusal::new(text).at(if every == Some(Span::ZERO) { "every" } else { "spread" }));
        }
        Ok(Box::new(Running {
            size,
            spread,
            times: times.into(),
            every,
            origin: names.origin,
            batch: 0,
            sent: 0,
        }))
    }

    /// The mean of those that come again and again. Those at given times have none.
    fn rate(&self) -> Option<f64> {
        let every = self.every?.span().seconds();
        (every > 0.0).then(|| self.size.get() as f64 / every)
    }

    fn rate_field(&self) -> &'static str {
        "every"
    }

    fn scaled(&self, factor: f64) -> Option<ArrivalsSpec> {
        let size = times(self.size, factor)?;
        Some(Batch { size, ..self.clone() }.into())
    }

    fn step(&self) -> f64 {
        1.0 / self.size.get() as f64
    }

    fn planned(&self) -> Option<Planned> {
        let first = self.first.map_or(Span::ZERO, Duration::span);
        Some(Planned {
            one: "batch",
            several: "batches",
            at: match &self.at {
                Some(at) => at.iter().map(|at| at.span()).collect(),
                None => vec![first],
            },
        })
    }
}

#[derive(Clone, Debug)]
struct Running {
    size: u64,
    spread: Span,
    times: Arc<[Span]>,
    /// From the last of `times` on.
    every: Option<Span>,
    origin: Time,
    batch: u64,
    sent: u64,
}

impl Running {
    /// When batch number `n` begins, after the beginning of the plan's time.
    fn begins(&self, n: u64) -> Option<Span> {
        let known = usize::try_from(n).ok().and_then(|n| self.times.get(n).copied());
        known.or_else(|| {
            let beyond = n - (self.times.len() as u64 - 1);
            let after = self.every?.nanos().checked_mul(beyond)?;
            Some(Span::from_nanos(self.times.last()?.nanos().checked_add(after)?))
        })
    }
}

impl Arrivals for Running {
    fn next(&mut self, _key: Key) -> Option<Arrival> {
        if self.sent == self.size {
            self.sent = 0;
            self.batch += 1;
        }
        let within = u128::from(self.spread.nanos()) * u128::from(self.sent) / u128::from(self.size);
        let at = self.origin + self.begins(self.batch)? + Span::from_nanos(within as u64);
        self.sent += 1;
        (at < Time::NEVER).then_some(Arrival::at(at))
    }

    fn course(&self) -> Option<Course> {
        Some(match self.every {
            Some(every) => Course::repeats("a batch", every),
            None => {
                let at = |time: Option<&Span>| time.map_or(self.origin, |time| self.origin + *time);
                let ends = at(self.times.last());
                Course::once(
                    "a list of batches",
                    at(self.times.first()),
                    ends + self.spread + Span::from_nanos(1),
                )
            }
        })
    }

    fn fresh(&self, _own: Key) -> Box<dyn Arrivals> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::curve::tests::times;
    use super::*;

    fn build(json: &str) -> Built<Box<dyn Arrivals>> {
        let spec: Batch = serde_json::from_str(json).unwrap();
        spec.build(None, &Names::default())
    }

    #[test]
    fn batches_come_when_they_should() {
        let again = build(r#"{ "size": 4, "every": "1min", "first": "10s", "spread": "2s" }"#).unwrap();
        assert_eq!(
            times(&*again, 0, 75.0),
            [10.0, 10.5, 11.0, 11.5, 70.0, 70.5, 71.0, 71.5]
        );
        let listed = build(r#"{ "size": 2, "at": ["1s", "5s"] }"#).unwrap();
        assert_eq!(times(&*listed, 0, 75.0), [1.0, 1.0, 5.0, 5.0]);
    }

    #[test]
    fn what_makes_no_batches_is_refused() {
        for (json, message) in [
            (r#"{ "size": 2 }"#, "`every` or `at` is missing: when a batch comes"),
            (
                r#"{ "size": 2, "at": ["1s"], "every": "1s" }"#,
                "either `every` or `at`, not both",
            ),
            (r#"{ "size": 2, "at": ["2s", "1s"] }"#, "not after the time before it"),
            (
                r#"{ "size": 2, "every": "1s", "spread": "2s" }"#,
                "a batch must be over before the next one begins",
            ),
        ] {
            assert_eq!(build(json).err().unwrap().message, message);
        }
    }
}
