//! A scheduled slow-down: between two moments every answer takes longer, without failing.
//!
//! Times to first token are multiplied by `ttft` and lengthened by `delay`, decode speeds multiplied by `speed`, for
//! attempts that begin during the slow-down; an attempt that began earlier keeps its pace.
//!
//! ```json
//! { "slow_down": { "from": "30m", "for": "10m", "ttft": 4, "speed": 0.5, "delay": "200ms" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildFault, Failure, Fault, Stretch, Weather, at_once, check_lasts, unchanged};
use crate::form::build::{Built, Names};
use crate::form::units::Duration;
use crate::kernel::chance::Key;
use crate::kernel::time::Time;
use crate::words::Course;

/// A stretch of time in which the provider is slow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlowDown {
    /// Start of the slow-down, in the plan's time: 0s is when counting begins.
    pub from: Duration,
    /// Length of the slow-down, above zero.
    #[serde(rename = "for")]
    pub lasts: Duration,
    /// Factor on times to first token, 0.001 to 1000. Default: 1.
    #[serde(default = "unchanged")]
    pub ttft: f64,
    /// Factor on decode speeds, 0.001 to 1000. Default: 1.
    #[serde(default = "unchanged")]
    pub speed: f64,
    /// Delay added to times to first token. Default: 0s.
    #[serde(default = "at_once")]
    pub delay: Duration,
}

impl BuildFault for SlowDown {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Fault>> {
        check_lasts(self.lasts, "a slow-down")?;
        let from = names.origin + self.from.span();
        Ok(Box::new(Running {
            from,
            until: from + self.lasts.span(),
            weather: Weather::read(self.ttft, self.speed, self.delay)?,
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    from: Time,
    until: Time,
    weather: Weather,
}

impl Fault for Running {
    #[inline]
    fn strike(&mut self, _now: Time, _load: u32, _key: Key) -> Option<Failure> {
        None
    }

    #[inline]
    fn weather(&mut self, now: Time, _key: Key, weather: &mut Weather) {
        if now >= self.from && now < self.until {
            weather.worsen(&self.weather);
        }
    }

    fn has_weather(&self) -> bool {
        true
    }

    fn is_scheduled(&self) -> bool {
        true
    }

    fn course(&self) -> Option<Course> {
        Some(Course::once("a slow-down", self.from, self.until))
    }

    fn stretch(&self) -> Option<Stretch> {
        Some(Stretch {
            what: "slow-down".into(),
            from: self.from,
            until: self.until,
        })
    }

    fn fresh(&self, _own: Key) -> Box<dyn Fault> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::chance::Chance;

    #[test]
    fn it_begins_and_ends_on_time_and_adds_to_other_weather() {
        let text = r#"{"from": "10s", "for": "5s", "ttft": 4, "speed": 0.5, "delay": "200ms"}"#;
        let spec: SlowDown = serde_json::from_str(text).unwrap();
        let mut it = spec.build(&Names::default()).unwrap();
        let key = Chance::new(1, 0).request(0);
        let before = Weather {
            ttft: 2.0,
            speed: 0.5,
            delay: 1.0,
        };
        let slow = Weather {
            ttft: 8.0,
            speed: 0.25,
            delay: 2e8 + 1.0,
        };
        for (secs, expected) in [(9, before), (10, slow), (14, slow), (15, before)] {
            let now = Time::from_nanos(secs * 1_000_000_000);
            let mut weather = before;
            it.weather(now, key, &mut weather);
            assert_eq!((it.strike(now, 0, key), weather), (None, expected), "at {secs} s");
        }
    }
}
