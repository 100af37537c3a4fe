//! A ramp: a rate that goes straight from one to another and stays there, as in a load test or a migration.
//!
//! Short for a `schedule` of lines. What comes at that rate is a Poisson process unless `over` names another, whose own rate does not
//! matter. Times are those of the plan, which begin when the warm-up is over.
//!
//! ```json
//! { "ramp": { "from": "5/s", "to": "60/s", "takes": "30min" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schedule::{Between, Schedule, of_fields};
use super::{Arrivals, ArrivalsSpec, BuildArrivals, Planned, maybe};
use crate::form::build::{Built, Names, Refusal};
use crate::form::units::{Duration, Rate};
use crate::kernel::time::Span;
use crate::traffic::rows::Rows;

/// Arrivals whose rate goes from one to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ramp {
    /// Mean rate of arrivals at the beginning of the ramp, and before. Default: none come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Rate>,
    /// Mean rate of arrivals at the end of the ramp, and after.
    pub to: Rate,
    /// How long the ramp takes, above 0.
    pub takes: Duration,
    /// When the ramp begins, counted from the beginning of the plan's time. Default: there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Duration>,
    /// The process that the rate is laid over: poisson, regular, gamma, weibull or mmpp. Its own rate does not matter. Default: poisson.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<Box<ArrivalsSpec>>,
}

impl Ramp {
    fn schedule(&self) -> Schedule {
        let begins = self.at.filter(|at| at.span() > Span::ZERO);
        let from = begins.map_or(Span::ZERO, Duration::span);
        let before = begins.map(|_| (Duration::default(), self.from));
        let ramp = [
            (Duration::from(from), self.from),
            (Duration::from(from + self.takes.span()), Some(self.to)),
        ];
        Schedule::through(before.into_iter().chain(ramp), Between::Lines, None, &self.over)
    }
}

impl BuildArrivals for Ramp {
    fn build(&self, trace: Option<Rows>, names: &Names<'_>) -> Built<Box<dyn Arrivals>> {
        if self.takes.span() == Span::ZERO {
            return Err(Refusal::new("a ramp that takes no time is a `step`").at("takes"));
        }
        let schedule = self.schedule();
        let fields = [("at", "from"), ("at", "from"), ("takes", "to")];
        let built = schedule.build(trace, names);
        built.map_err(|r| of_fields(r, &fields[3 - schedule.points.len()..]))
    }

    fn rate(&self) -> Option<f64> {
        self.schedule().rate()
    }

    fn rate_field(&self) -> &'static str {
        "to"
    }

    fn planned(&self) -> Option<Planned> {
        Some(Planned {
            one: "ramp",
            several: "ramps",
            at: vec![self.at.map_or(Span::ZERO, Duration::span)],
        })
    }

    fn scaled(&self, factor: f64) -> Option<ArrivalsSpec> {
        let scaled = Ramp {
            from: maybe(self.from, factor)?,
            to: self.to.times(factor)?,
            ..self.clone()
        };
        Some(scaled.into())
    }
}
