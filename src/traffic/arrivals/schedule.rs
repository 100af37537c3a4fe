//! A schedule of rates: steps, ramps and spikes at times that are given.
//!
//! Between two points the rate stays and then jumps (`"between": "steps"`, the default), or goes straight from one to the other
//! (`"lines"`). After the last point it stays, or with `every` all begins anew. What comes at that rate is a Poisson process unless
//! `over` names another, whose own rate does not matter. Times are those of the plan, which begin when the warm-up is over.
//!
//! `step`, `ramp` and `spike` are short for the commonest schedules.
//!
//! ```json
//! { "schedule": { "points": [ { "at": "0s", "rate": "5/s" }, { "at": "30min", "rate": "60/s" } ], "between": "lines" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::curve::{Curve, FASTEST, Piece};
use super::{Arrivals, ArrivalsSpec, BuildArrivals, Planned, maybe};
use crate::form::build::{Built, Names, Refusal};
use crate::form::diagnose::Seg;
use crate::form::units::{Duration, Rate};
use crate::kernel::time::Span;
use crate::traffic::rows::Rows;

/// Arrivals whose rate goes by a schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Rates and when they hold, in the order of their times; the first is at 0. One to ten thousand.
    #[schemars(extend("minItems" = 1, "maxItems" = 10_000))]
    pub points: Vec<Point>,
    /// What the rate does between two points. Default: steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub between: Option<Between>,
    /// The time after which the schedule begins anew, later than its last point. Default: the last rate stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Duration>,
    /// The process that the rate is laid over: poisson, regular, gamma, weibull or mmpp. Its own rate does not matter. Default: poisson.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<Box<ArrivalsSpec>>,
}

/// A rate, and from when on it holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// The time, counted from the beginning of the plan's.
    pub at: Duration,
    /// Mean rate of arrivals there, like "35/s". Default: none come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
}

/// How a rate gets from one point to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Between {
    /// It stays until the next point, and jumps there.
    Steps,
    /// It goes straight to the next point: a ramp.
    Lines,
}

impl Schedule {
    /// The schedule of these points.
    pub(super) fn through(
        points: impl IntoIterator<Item = (Duration, Option<Rate>)>,
        between: Between,
        every: Option<Duration>,
        over: &Option<Box<ArrivalsSpec>>,
    ) -> Schedule {
        Schedule {
            points: points.into_iter().map(|(at, rate)| Point { at, rate }).collect(),
            between: Some(between),
            every,
            over: over.clone(),
        }
    }

    /// The pieces between the points; what comes after the last is a piece of its own where it has an end.
    fn pieces(&self) -> Vec<Piece> {
        let rate = |point: &Point| point.rate.map_or(0.0, Rate::per_second);
        let lines = self.between == Some(Between::Lines);
        let after = self.every.map(|every| every.span().nanos());
        let mut pieces = Vec::new();
        for (i, point) in self.points.iter().enumerate() {
            let next = self.points.get(i + 1);
            let until = next.map(|next| next.at.span().nanos()).or(after);
            let from = rate(point);
            let to = if lines {
                // What begins anew goes back to the rate it began with.
                rate(next.or(self.every.and(self.points.first())).unwrap_or(point))
            } else {
                from
            };
            let lasts = until.map(|until| until.saturating_sub(point.at.span().nanos()));
            // Where nothing follows, any length will do: the rate stays behind it.
            let lasts = Span::from_nanos(lasts.unwrap_or(1));
            pieces.push(Piece { lasts, from, to });
        }
        pieces
    }
}

/// Refuses a change of the rate in the moment in which everything begins.
pub(super) fn after_the_start(at: Duration) -> Built<()> {
    if at.span() == Span::ZERO {
        return Err(Refusal::new("must be above 0s").at("at"));
    }
    Ok(())
}

/// A refusal in a schedule that was made of fields: at the one that its point has its time from, or its rate.
pub(super) fn of_fields(refusal: Refusal, fields: &[(&'static str, &'static str)]) -> Refusal {
    let field = match &refusal.path[..] {
        [_, Seg::Index(point), Seg::Key(what)] => fields
            .get(*point)
            .map(|(at, rate)| if what == "at" { at } else { rate }),
        _ => None,
    };
    match field {
        Some(field) => Refusal {
            path: vec![Seg::from(*field)],
            ..refusal
        },
        None => refusal,
    }
}

impl BuildArrivals for Schedule {
    fn build(&self, _trace: Option<Rows>, names: &Names<'_>) -> Built<Box<dyn Arrivals>> {
        let here = |r: Refusal, i: usize| r.at(i).at("points");
        if !(1..=10_000).contains(&self.points.len()) {
            return Err(Refusal::new(format!("{} points: must be 1 to 10000", self.points.len())).at("points"));
        }
        for (i, point) in self.points.iter().enumerate() {
            let at = point.at.span();
            let before = i.checked_sub(1).map(|before| self.points[before].at.span());
            match before {
                None if at > Span::ZERO => {
                    return Err(here(Refusal::new("the first point must be at 0s").at("at"), i));
                }
                Some(before) if at <= before => {
                    return Err(here(Refusal::new("not after the point before it").at("at"), i));
                }
                None | Some(_) => {}
            }
            if let Some(rate) = point.rate.map(Rate::per_second).filter(|rate| *rate > FASTEST) {
                let text = format!("{rate:.1e} requests a second: at most {FASTEST:.0e} are simulated");
                return Err(here(Refusal::new(text).at("rate"), i));
            }
        }
        let last = self.points.last().map_or(Span::ZERO, |point| point.at.span());
        if let Some(every) = self.every.filter(|every| every.span() <= last) {
            let text = format!("{every}: the last point is at {last}, and must come before that");
            return Err(Refusal::new(text).at("every"));
        }
        if self.points.iter().all(|point| point.rate.is_none()) {
            return Err(Refusal::new("no point has a `rate`, so that no request ever comes").at("points"));
        }
        let curve = Curve {
            pieces: self.pieces().into(),
            repeats: self.every.is_some(),
            begins: Span::ZERO,
            grows: 0.0,
            what: "a schedule of rates",
        };
        curve.arrivals(self.over.as_deref(), names)
    }

    /// The mean of one that repeats, and the highest of another: how long it lasts is the plan's affair.
    fn rate(&self) -> Option<f64> {
        if self.every.is_some() {
            return Some(Curve::mean(&self.pieces()));
        }
        self.points
            .iter()
            .filter_map(|point| point.rate.map(Rate::per_second))
            .reduce(f64::max)
    }

    fn rate_field(&self) -> &'static str {
        "points"
    }

    /// Of one that begins anew a run of less sees a part, which is said of all that has a course.
    fn planned(&self) -> Option<Planned> {
        self.every.is_none().then(|| Planned {
            one: "point of the schedule",
            several: "points of the schedule",
            at: self.points.iter().map(|point| point.at.span()).collect(),
        })
    }

    fn scaled(&self, factor: f64) -> Option<ArrivalsSpec> {
        let mut scaled = self.clone();
        for point in &mut scaled.points {
            point.rate = maybe(point.rate, factor)?;
        }
        Some(scaled.into())
    }
}

#[cfg(test)]
mod tests {
    use super::super::curve::tests::times;
    use super::*;

    fn spec(json: &str) -> Schedule {
        serde_json::from_str(json).unwrap()
    }

    /// Regular arrivals show the curve: how many come in each stretch.
    #[test]
    fn steps_jump_and_lines_climb_and_both_begin_anew() {
        let points = r#""points": [ { "at": "0s", "rate": "1/s" }, { "at": "10s", "rate": "5/s" } ],
            "over": { "regular": { "rate": "7/s" } }"#;
        let within = |more: &str, from: f64, until: f64| {
            let spec = spec(&format!("{{ {points} {more} }}"));
            let built = spec.build(None, &Names::default()).unwrap();
            times(&*built, 0, until).iter().filter(|t| **t > from).count()
        };
        assert_eq!(within("", 0.05, 10.05), 10);
        assert_eq!(within("", 10.05, 100.05), 450, "the last rate stays");
        assert_eq!(within(r#", "between": "lines""#, 0.05, 10.05), 30);
        assert_eq!(within(r#", "every": "20s""#, 0.05, 20.05), 60);
        assert_eq!(within(r#", "every": "20s""#, 20.05, 30.05), 10, "begins anew");
        assert_eq!(
            within(r#", "every": "20s", "between": "lines""#, 10.05, 20.05),
            30,
            "back to where it began"
        );
        assert_eq!(spec(&format!(r#"{{ {points}, "every": "20s" }}"#)).rate(), Some(3.0));
    }

    #[test]
    fn what_makes_no_schedule_is_refused() {
        for (json, message) in [
            (r#"{ "points": [] }"#, "0 points: must be 1 to 10000"),
            (
                r#"{ "points": [ { "at": "1s", "rate": "1/s" } ] }"#,
                "the first point must be at 0s",
            ),
            (
                r#"{ "points": [ { "at": "0s" }, { "at": "0s", "rate": "1/s" } ] }"#,
                "not after the point before it",
            ),
            (
                r#"{ "points": [ { "at": "0s" }, { "at": "9s" } ] }"#,
                "no point has a `rate`, so that no request ever comes",
            ),
            (
                r#"{ "points": [ { "at": "0s", "rate": "1/s" }, { "at": "9s" } ], "every": "9s" }"#,
                "9s: the last point is at 9s, and must come before that",
            ),
        ] {
            assert_eq!(
                spec(json).build(None, &Names::default()).err().unwrap().message,
                message
            );
        }
    }
}
