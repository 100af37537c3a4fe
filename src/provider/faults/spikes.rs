//! Spikes: short stretches, at random, in which times to first token are much longer for all requests.
//!
//! This is a reading of the claim "official endpoints spike between 45 and 2,400 ms" in a published article on
//! latency-based routing: what takes 45 ms takes up to 53 times as long. Gaps between spikes are exponential; the
//! length and the factor of each are drawn from their laws. A factor below 1 counts as 1. Spikes are the provider's
//! own: every policy meets the same ones.
//!
//! ```json
//! { "spikes": { "every": "5m", "for": { "exponential": { "mean": "10s" } }, "ttft": { "uniform": { "min": 2, "max": 53 } } } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::stretches::{Stretches, Timeline};
use super::{BuildFault, Failure, Fault, Weather};
use crate::form::build::{Built, Names, Refusal};
use crate::form::laws::LawSpec;
use crate::form::units::Duration;
use crate::kernel::chance::Key;
use crate::kernel::law::Exponential;
use crate::kernel::sampler::Sampler;
use crate::kernel::time::Time;

/// Short stretches of long times to first token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spikes {
    /// The mean time from the end of one spike to the start of the next.
    pub every: Duration,
    /// The law of the length of a spike.
    #[serde(rename = "for")]
    pub lasts: LawSpec<Duration>,
    /// The law of the factor on times to first token, drawn once for each spike.
    pub ttft: LawSpec<f64>,
}

impl BuildFault for Spikes {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Fault>> {
        let every = self.every.span().nanos() as f64;
        let gap = Exponential::new(every, 0.0).map_err(|e| Refusal::of(e).at("every"))?;
        let lasts = self.lasts.law(names).map_err(|r| r.at("for"))?;
        Ok(Box::new(Calm {
            stretches: Stretches::new(&gap, &*lasts)?,
            ttft: self.ttft.sampler(names).map_err(|r| r.at("ttft"))?,
        }))
    }
}

/// The checked spikes, before any replication.
#[derive(Clone, Debug)]
struct Calm {
    stretches: Stretches,
    ttft: Sampler,
}

impl Fault for Calm {
    fn strike(&mut self, _now: Time, _load: u32, _key: Key) -> Option<Failure> {
        None
    }

    fn has_weather(&self) -> bool {
        true
    }

    fn fresh(&self, own: Key) -> Box<dyn Fault> {
        Box::new(Running {
            timeline: self.stretches.timeline(own),
            plan: self.clone(),
        })
    }
}

#[derive(Clone, Debug)]
struct Running {
    timeline: Timeline,
    plan: Calm,
}

impl Fault for Running {
    #[inline]
    fn strike(&mut self, _now: Time, _load: u32, _key: Key) -> Option<Failure> {
        None
    }

    #[inline]
    fn weather(&mut self, now: Time, _key: Key, weather: &mut Weather) {
        if let Some(draw) = self.timeline.at(now) {
            weather.ttft *= self.plan.ttft.at(draw).max(1.0);
        }
    }

    fn has_weather(&self) -> bool {
        true
    }

    fn fresh(&self, own: Key) -> Box<dyn Fault> {
        self.plan.fresh(own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::chance::Chance;

    /// One cycle in four is a spike; over 20,000 spikes of 10 s the mean factor is that of the law.
    #[test]
    fn spikes_have_their_share_of_time_and_one_factor_each() {
        let text = r#"{"every": "30s", "for": {"constant": "10s"}, "ttft": {"uniform": {"min": 2, "max": 50}}}"#;
        let spec: Spikes = serde_json::from_str(text).unwrap();
        let chance = Chance::new(1, 0);
        let mut it = spec.build(&Names::default()).unwrap().fresh(chance.surroundings(0));
        let (mut inside, mut sum, mut changes, mut last) = (0.0, 0.0, 0, 1.0);
        let n = 800_000;
        for i in 0..n {
            let mut weather = Weather::FAIR;
            it.weather(Time::from_nanos(i * 1_000_000_000), chance.request(i), &mut weather);
            if weather.ttft > 1.0 {
                inside += 1.0;
                sum += weather.ttft;
                changes += u32::from(weather.ttft != last);
            }
            last = weather.ttft;
        }
        let share = inside / n as f64;
        assert!((share - 0.25).abs() < 0.005, "{share}");
        assert!((sum / inside - 26.0).abs() < 0.5, "{}", sum / inside);
        assert!((19_000..21_000).contains(&changes), "{changes}");
    }
}
