//! A step: a rate that jumps once and stays, as on the day of a launch or when another team moves in.
//!
//! Short for a `schedule` of two points. What comes at that rate is a Poisson process unless `over` names another, whose own rate does
//! not matter. Times are those of the plan, which begin when the warm-up is over.
//!
//! ```json
//! { "step": { "from": "10/s", "to": "40/s", "at": "20min" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schedule::{Between, Schedule, after_the_start, of_fields};
use super::{Arrivals, ArrivalsSpec, BuildArrivals, Planned, maybe};
use crate::form::build::{Built, Names};
use crate::form::units::{Duration, Rate};
use crate::traffic::rows::Rows;

/// Arrivals whose rate jumps once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Mean rate of arrivals before the step. Default: none come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Rate>,
    /// Mean rate of arrivals after the step.
    pub to: Rate,
    /// When the rate jumps, above 0, counted from the beginning of the plan's time.
    pub at: Duration,
    /// The process that the rate is laid over: poisson, regular, gamma, weibull or mmpp. Its own rate does not matter. Default: poisson.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<Box<ArrivalsSpec>>,
}

impl Step {
    fn schedule(&self) -> Schedule {
        let points = [(Duration::default(), self.from), (self.at, Some(self.to))];
        Schedule::through(points, Between::Steps, None, &self.over)
    }
}

impl BuildArrivals for Step {
    fn build(&self, trace: Option<Rows>, names: &Names<'_>) -> Built<Box<dyn Arrivals>> {
        after_the_start(self.at)?;
        let built = self.schedule().build(trace, names);
        built.map_err(|r| of_fields(r, &[("at", "from"), ("at", "to")]))
    }

    fn rate(&self) -> Option<f64> {
        self.schedule().rate()
    }

    fn rate_field(&self) -> &'static str {
        "to"
    }

    fn planned(&self) -> Option<Planned> {
        Some(Planned {
            one: "step",
            several: "steps",
            at: vec![self.at.span()],
        })
    }

    fn scaled(&self, factor: f64) -> Option<ArrivalsSpec> {
        let scaled = Step {
            from: maybe(self.from, factor)?,
            to: self.to.times(factor)?,
            ..self.clone()
        };
        Some(scaled.into())
    }
}
