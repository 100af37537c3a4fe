//! Daily rhythm: times to first token and decode speeds that follow the time of day.
//!
//! A day has 24 hours and repeats. `hourly` gives a factor for each hour, from midnight on, which holds for the whole hour.
//! `wave` is a cosine between `peak`, at the hour `at`, and `trough`, twelve hours later, in steps of five minutes. The
//! factor is that of the moment at which an attempt begins. `start` is the time of day at which counting begins; what
//! comes before it, the warm-up, has the hours before.
//!
//! Leaves out days of the week.
//!
//! ```json
//! { "time_of_day": { "start": "9h", "ttft": { "wave": { "peak": 1.6, "trough": 0.8, "at": "15h" } } } }
//! ```

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildFault, Failure, Fault, Weather, factor};
use crate::form::build::{Built, Names, Refusal};
use crate::form::units::Duration;
use crate::kernel::chance::Key;
use crate::kernel::time::{Span, Time};
use crate::words::Course;

const DAY: u64 = 24 * 3600 * 1_000_000_000;
/// The number of steps in a day, each of five minutes.
const STEPS: u64 = 288;

/// Factors that follow the time of day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimeOfDay {
    /// The time of day at which counting begins, below 24h. Default: that of the plan's `starts`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Duration>,
    /// Factor on times to first token. Default: 1 all day.
    #[serde(default)]
    pub ttft: Option<Shape>,
    /// Factor on decode speeds. Default: 1 all day.
    #[serde(default)]
    pub speed: Option<Shape>,
}

/// The course of a factor over a day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// One factor for each of the 24 hours from midnight on, 0.001 to 1000.
    Hourly(Vec<f64>),
    /// A factor that follows a cosine over the day.
    Wave(Wave),
}

/// A cosine over a day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wave {
    /// The factor at the hour `at`, 0.001 to 1000.
    pub peak: f64,
    /// The factor twelve hours later, 0.001 to 1000.
    pub trough: f64,
    /// The time of day at which the factor is `peak`, below 24h.
    pub at: Duration,
}

/// Checks a time of day and converts it to nanoseconds.
fn clock(name: &'static str, time: Duration) -> Built<u64> {
    let nanos = time.span().nanos();
    if nanos < DAY {
        Ok(nanos)
    } else {
        Err(Refusal::new("a time of day must be below 24h").at(name))
    }
}

impl Shape {
    /// The factor in each step of the day, from midnight on.
    fn steps(&self) -> Built<Vec<f64>> {
        match self {
            Shape::Hourly(hours) => {
                if hours.len() != 24 {
                    let text = format!("{} factors: must be 24, one for each hour", hours.len());
                    return Err(Refusal::new(text).at("hourly"));
                }
                for (i, &hour) in hours.iter().enumerate() {
                    if !(0.001..=1000.0).contains(&hour) {
                        let text = format!("a factor of {hour}: must be 0.001 to 1000");
                        return Err(Refusal::new(text).at(i).at("hourly"));
                    }
                }
                Ok((0..STEPS).map(|i| hours[(i * 24 / STEPS) as usize]).collect())
            }
            Shape::Wave(wave) => {
                let here = |r: Refusal| r.at("wave");
                let peak = factor("peak", wave.peak).map_err(here)?;
                let trough = factor("trough", wave.trough).map_err(here)?;
                let at = clock("at", wave.at).map_err(here)? as f64 / DAY as f64;
                let of = |step: u64| {
                    let turn = (step as f64 + 0.5) / STEPS as f64 - at;
                    let height = libm::cos(turn * 2.0 * std::f64::consts::PI);
                    (peak + trough) / 2.0 + (peak - trough) / 2.0 * height
                };
                Ok((0..STEPS).map(of).collect())
            }
        }
    }
}

impl BuildFault for TimeOfDay {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Fault>> {
        let of = |name: &'static str, shape: &Option<Shape>| match shape {
            None => Ok(vec![1.0; STEPS as usize]),
            Some(shape) => shape.steps().map_err(|r| r.at(name)),
        };
        if self.ttft.is_none() && self.speed.is_none() {
            return Err(Refusal::new(
                "nothing follows the time of day: give \"ttft\", \"speed\" or both",
            ));
        }
        let (ttft, speed) = (of("ttft", &self.ttft)?, of("speed", &self.speed)?);
        Ok(Box::new(Running {
            start: match self.start {
                Some(start) => (clock("start", start)? + DAY - names.origin.nanos() % DAY) % DAY,
                None => names.calendar.time_of_day().nanos(),
            },
            steps: ttft.into_iter().zip(speed).collect(),
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    /// The time of day at which a replication begins.
    start: u64,
    /// The factors on TTFT and on speed, by step.
    steps: Arc<[(f64, f64)]>,
}

impl Fault for Running {
    #[inline]
    fn strike(&mut self, _now: Time, _load: u32, _key: Key) -> Option<Failure> {
        None
    }

    #[inline]
    fn weather(&mut self, now: Time, _key: Key, weather: &mut Weather) {
        let time = (now.nanos() % DAY + self.start) % DAY;
        let (ttft, speed) = self.steps[(time / (DAY / STEPS)) as usize];
        weather.ttft *= ttft;
        weather.speed *= speed;
    }

    fn has_weather(&self) -> bool {
        true
    }

    fn course(&self) -> Option<Course> {
        Some(Course::repeats("the time of day", Span::from_nanos(DAY)))
    }

    fn fresh(&self, _own: Key) -> Box<dyn Fault> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::chance::Chance;

    /// The factors on TTFT and on speed, so many hours after the start of the replication.
    fn at(fault: &mut dyn Fault, hours: f64) -> (f64, f64) {
        let mut weather = Weather::FAIR;
        let now = Time::from_nanos((hours * 3.6e12) as u64);
        fault.weather(now, Chance::new(1, 0).request(0), &mut weather);
        (weather.ttft, weather.speed)
    }

    fn built(text: &str) -> Box<dyn Fault> {
        serde_json::from_str::<TimeOfDay>(text)
            .unwrap()
            .build(&Names::default())
            .unwrap()
    }

    #[test]
    fn each_hour_has_its_factor_and_the_day_repeats() {
        let hours: Vec<String> = (1..=24).map(|h| h.to_string()).collect();
        let hours = hours.join(",");
        let mut it = built(&format!(
            r#"{{"start": "22h", "ttft": {{"hourly": [{hours}]}}, "speed": {{"hourly": [{hours}]}}}}"#
        ));
        for (after, factor) in [
            (0.0, 23.0),
            (0.99, 23.0),
            (1.0, 24.0),
            (2.0, 1.0),
            (24.0, 23.0),
            (50.5, 1.0),
        ] {
            assert_eq!(at(&mut *it, after), (factor, factor), "after {after} h");
        }
    }

    /// Within half a step of five minutes of the cosine: 1.2 + 0.4 cos.
    #[test]
    fn a_wave_is_a_cosine_about_its_peak() {
        let mut it = built(r#"{"start": "9h", "ttft": {"wave": {"peak": 1.6, "trough": 0.8, "at": "15h"}}}"#);
        for (after, factor) in [(0.0, 1.2), (6.0, 1.6), (12.0, 1.2), (18.0, 0.8), (30.0, 1.6)] {
            let (ttft, speed) = at(&mut *it, after);
            assert!((ttft - factor).abs() < 0.005, "after {after} h: {ttft}");
            assert_eq!(speed, 1.0);
        }
        let mean = (0..288)
            .map(|i| at(&mut *it, (f64::from(i) + 0.5) / 12.0).0)
            .sum::<f64>()
            / 288.0;
        assert!((mean - 1.2).abs() < 1e-9, "{mean}");
    }
}
