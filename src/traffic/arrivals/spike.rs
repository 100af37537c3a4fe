//! A spike: a rate that is much higher for a while, once or again and again, as after a push message or at the full hour.
//!
//! Short for a `schedule` of three points. What comes at that rate is a Poisson process unless `over` names another, whose own rate does
//! not matter. Times are those of the plan, which begin when the warm-up is over.
//!
//! ```json
//! { "spike": { "rate": "10/s", "peak": "80/s", "at": "9min", "lasts": "1min", "every": "1h" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schedule::{Between, Schedule, after_the_start, of_fields};
use super::{Arrivals, ArrivalsSpec, BuildArrivals, Planned, maybe};
use crate::form::build::{Built, Names, Refusal};
use crate::form::units::{Duration, Rate};
use crate::kernel::time::Span;
use crate::traffic::rows::Rows;

/// Arrivals whose rate is higher for a while.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spike {
    /// Mean rate of arrivals outside of the spike. Default: none come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// Mean rate of arrivals in the spike.
    pub peak: Rate,
    /// When the spike begins, above 0, counted from the beginning of the plan's time.
    pub at: Duration,
    /// How long the spike lasts, above 0.
    pub lasts: Duration,
    /// The time after which it all begins anew, longer than `at` and `lasts` together. Default: there is one spike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Duration>,
    /// The process that the rate is laid over: poisson, regular, gamma, weibull or mmpp. Its own rate does not matter. Default: poisson.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<Box<ArrivalsSpec>>,
}

impl Spike {
    fn schedule(&self) -> Schedule {
        let over = Duration::from(self.at.span() + self.lasts.span());
        let points = [
            (Duration::default(), self.rate),
            (self.at, Some(self.peak)),
            (over, self.rate),
        ];
        Schedule::through(points, Between::Steps, self.every, &self.over)
    }
}

impl BuildArrivals for Spike {
    fn build(&self, trace: Option<Rows>, names: &Names<'_>) -> Built<Box<dyn Arrivals>> {
        after_the_start(self.at)?;
        if self.lasts.span() == Span::ZERO {
            return Err(Refusal::new("a spike of no time").at("lasts"));
        }
        let built = self.schedule().build(trace, names);
        built.map_err(|r| of_fields(r, &[("at", "rate"), ("at", "peak"), ("lasts", "rate")]))
    }

    fn rate(&self) -> Option<f64> {
        self.schedule().rate()
    }

    fn rate_field(&self) -> &'static str {
        "peak"
    }

    fn planned(&self) -> Option<Planned> {
        Some(Planned {
            one: "spike",
            several: "spikes",
            at: vec![self.at.span()],
        })
    }

    fn scaled(&self, factor: f64) -> Option<ArrivalsSpec> {
        let scaled = Spike {
            rate: maybe(self.rate, factor)?,
            peak: self.peak.times(factor)?,
            ..self.clone()
        };
        Some(scaled.into())
    }
}

#[cfg(test)]
mod tests {
    use super::super::curve::tests::times;
    use super::*;
    use serde_json::json;

    fn spec(json: &serde_json::Value) -> ArrivalsSpec {
        serde_json::from_str(&json.to_string()).unwrap()
    }

    /// Regular arrivals show the curve: how many come in each stretch.
    #[test]
    fn steps_ramps_and_spikes_have_the_rates_that_they_say() {
        let over = json!({ "regular": { "rate": "7/s" } });
        let within = |arrivals: serde_json::Value, from: f64, until: f64| {
            let built = spec(&arrivals).as_dyn().build(None, &Names::default()).unwrap();
            times(&*built, 0, until).iter().filter(|t| **t > from).count()
        };
        let step = json!({ "step": { "from": "1/s", "to": "5/s", "at": "10s", "over": over } });
        assert_eq!(within(step.clone(), 0.05, 10.05), 10);
        assert_eq!(within(step, 10.05, 20.05), 50);
        let ramp = json!({ "ramp": { "from": "1/s", "to": "5/s", "at": "10s", "takes": "10s", "over": over } });
        assert_eq!(within(ramp.clone(), 0.05, 10.05), 10);
        assert_eq!(within(ramp.clone(), 10.05, 20.05), 30);
        assert_eq!(within(ramp, 20.05, 30.05), 50);
        let ramp = json!({ "ramp": { "to": "6/s", "takes": "10s", "over": over } });
        assert_eq!(within(ramp, 0.0, 10.05), 30);
        let spike = json!({ "spike": { "rate": "1/s", "peak": "9/s", "at": "5s", "lasts": "2s", "every": "10s", "over": over } });
        assert_eq!(within(spike.clone(), 5.05, 7.05), 18);
        assert_eq!(within(spike.clone(), 7.05, 15.05), 8);
        assert_eq!(within(spike.clone(), 15.05, 17.05), 18);
        assert!((spec(&spike).as_dyn().rate().unwrap() - 2.6).abs() < 1e-12);
    }

    #[test]
    fn what_makes_none_is_refused_at_its_field() {
        for (arrivals, field, message) in [
            (json!({ "step": { "to": "5/s", "at": "0s" } }), "at", "must be above 0s"),
            (
                json!({ "step": { "to": "50M/s", "at": "1s" } }),
                "to",
                "5.0e7 requests a second",
            ),
            (
                json!({ "ramp": { "to": "5/s", "takes": "0s" } }),
                "takes",
                "a ramp that takes no time is a `step`",
            ),
            (
                json!({ "ramp": { "from": "50M/s", "to": "5/s", "takes": "1s" } }),
                "from",
                "5.0e7 requests a second",
            ),
            (
                json!({ "spike": { "peak": "5/s", "at": "1s", "lasts": "0s" } }),
                "lasts",
                "a spike of no time",
            ),
            (
                json!({ "spike": { "peak": "5/s", "at": "1s", "lasts": "2s", "every": "3s" } }),
                "every",
                "3s: the last point is at 3s",
            ),
        ] {
            let refused = spec(&arrivals).as_dyn().build(None, &Names::default()).err().unwrap();
            assert!(refused.message.starts_with(message), "{}", refused.message);
            assert_eq!(refused.path, [field.into()], "{arrivals}");
        }
    }
}
