//! Regimes: a provider alternates between normal times and incidents, each a degradation or an outage.
//!
//! The time between incidents and the time to repair have a law each. An incident is an outage with probability
//! `outage_share`, otherwise a degradation, from its beginning to its end. In each state attempts fail independently
//! with the probabilities of `faults`, and are slowed down by its factors. The timeline comes from the provider's own
//! randomness only, so that every policy meets the same one; it is stationary from the start of a replication.
//!
//! The default laws come from the incidents that providers published: OpenAI, March 2021 to August 2024, 329 incidents with
//! a duration, repair time 1.28 h in the median and 2.84 h in the mean, gap between incidents 30 h and 93 h, coefficient of
//! variation 2.5 (data of Chu et al., ICPE 2025, arXiv 2501.12469). Lognormal laws with those medians and means: heavy-tailed
//! repairs, incidents in clusters; exponential laws with the same means understate both. In the same data 99.926 % of time
//! was free of major outages while 3.0 % was under repair, hence an outage share of one in forty. How much fails in a
//! degradation is not published: the defaults there are assumptions.
//!
//! Left out: the daily and weekly rhythm of incidents, and incidents of several providers at once.
//!
//! ```json
//! { "regimes": { "between": { "lognormal": { "median": "2h", "sigma": 1.5 } }, "repair": { "lognormal": { "median": "5m", "sigma": 1.26 } },
//!   "outage_share": "20%", "degraded": { "faults": { "server_error": "5%" }, "ttft": 2 } } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::random::{Odds, Random};
use super::stretches::{Stretches, Timeline};
use super::{BuildFault, Failure, Fault, Silence, Weather, at_once, unchanged};
use crate::form::build::{Built, Names};
use crate::form::laws::{LawSpec, Lognormal};
use crate::form::units::{Duration, Fraction};
use crate::kernel::chance::{Key, threshold};
use crate::kernel::time::{Span, Time};

/// A provider that alternates between normal times, degradations and outages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Regimes {
    /// Time from the end of one incident to the start of the next. Default: lognormal, median 30h, sigma 1.5.
    #[serde(default = "between")]
    pub between: LawSpec<Duration>,
    /// Time from the start of an incident to its end. Default: lognormal, median 1.28h, sigma 1.263.
    #[serde(default = "repair")]
    pub repair: LawSpec<Duration>,
    /// Probability that an incident is an outage. Default: 0.025.
    #[serde(default = "one_in_forty")]
    pub outage_share: Fraction,
    /// The state of normal times. Default: nothing fails, nothing is slow.
    #[serde(default)]
    pub normal: Box<State>,
    /// The state during a degradation. Default: 5 % server errors, times to first token twice as long.
    #[serde(default = "degraded")]
    pub degraded: Box<State>,
    /// The state during an outage. Default: every attempt gets a 503 at once.
    #[serde(default = "outage")]
    pub outage: Box<State>,
}

/// The failures and slowness of a provider in one state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Probabilities of the ways to fail. Default: nothing fails.
    #[serde(default)]
    pub faults: Random,
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

impl Default for State {
    /// The state in which nothing fails and nothing is slow.
    fn default() -> State {
        State {
            faults: Random::default(),
            ttft: 1.0,
            speed: 1.0,
            delay: at_once(),
        }
    }
}

fn hours(hours: f64) -> Duration {
    Duration::from(Span::from_seconds_f64(hours * 3600.0))
}

fn between() -> LawSpec<Duration> {
    LawSpec::lognormal(Lognormal {
        median: hours(30.0),
        sigma: 1.5,
        shift: None,
    })
}

fn repair() -> LawSpec<Duration> {
    LawSpec::lognormal(Lognormal {
        median: hours(1.28),
        sigma: 1.263,
        shift: None,
    })
}

fn share(value: f64) -> Fraction {
    Fraction::new(value).unwrap_or(Fraction::ZERO)
}

fn one_in_forty() -> Fraction {
    share(0.025)
}

fn degraded() -> Box<State> {
    Box::new(State {
        faults: Random {
            server_error: share(0.05).into(),
            ..Random::default()
        },
        ttft: 2.0,
        ..State::default()
    })
}

fn outage() -> Box<State> {
    Box::new(State {
        faults: Random {
            unavailable: Fraction::ONE.into(),
            ..Random::default()
        },
        ..State::default()
    })
}

impl State {
    fn build(&self, names: &Names<'_>) -> Built<Running> {
        Ok(Running {
            odds: self.faults.odds(names).map_err(|r| r.at("faults"))?,
            weather: Weather::read(self.ttft, self.speed, self.delay)?,
        })
    }
}

impl BuildFault for Regimes {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Fault>> {
        let between = self.between.law(names).map_err(|r| r.at("between"))?;
        let repair = self.repair.law(names).map_err(|r| r.at("repair"))?;
        Ok(Box::new(Plan {
            incidents: Stretches::new(&*between, &*repair)?,
            outage_below: threshold(self.outage_share.get()),
            states: [
                self.normal.build(names).map_err(|r| r.at("normal"))?,
                self.degraded.build(names).map_err(|r| r.at("degraded"))?,
                self.outage.build(names).map_err(|r| r.at("outage"))?,
            ],
        }))
    }
}

/// The running form of a state.
#[derive(Clone, Debug)]
struct Running {
    odds: Odds,
    weather: Weather,
}

const NORMAL: usize = 0;
const DEGRADED: usize = 1;
const OUTAGE: usize = 2;

/// The checked regimes, before any replication.
#[derive(Clone, Debug)]
struct Plan {
    incidents: Stretches,
    outage_below: u64,
    states: [Running; 3],
}

impl Fault for Plan {
    fn strike(&mut self, _now: Time, _load: u32, _key: Key) -> Option<Failure> {
        None
    }

    fn has_weather(&self) -> bool {
        self.states.iter().any(|s| s.weather != Weather::FAIR)
    }

    fn leaves(&self, silence: Silence) -> bool {
        self.states.iter().any(|s| s.odds.leaves(silence))
    }

    fn fresh(&self, own: Key) -> Box<dyn Fault> {
        Box::new(Course {
            timeline: self.incidents.timeline(own),
            plan: self.clone(),
        })
    }
}

/// The regimes of one replication.
#[derive(Clone, Debug)]
struct Course {
    timeline: Timeline,
    plan: Plan,
}

impl Course {
    #[inline]
    fn state(&mut self, now: Time) -> usize {
        match self.timeline.at(now) {
            None => NORMAL,
            Some(draw) if draw < self.plan.outage_below => OUTAGE,
            Some(_) => DEGRADED,
        }
    }
}

impl Fault for Course {
    #[inline]
    fn strike(&mut self, now: Time, _load: u32, key: Key) -> Option<Failure> {
        let state = self.state(now);
        self.plan.states[state].odds.strike(key)
    }

    #[inline]
    fn weather(&mut self, now: Time, _key: Key, weather: &mut Weather) {
        let state = self.state(now);
        weather.worsen(&self.plan.states[state].weather);
    }

    fn has_weather(&self) -> bool {
        self.plan.has_weather()
    }

    fn leaves(&self, silence: Silence) -> bool {
        self.plan.leaves(silence)
    }

    fn fresh(&self, own: Key) -> Box<dyn Fault> {
        self.plan.fresh(own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::chance::Chance;
    use crate::provider::faults::Refused;
    use crate::words::Outcome;

    fn spec(text: &str) -> Regimes {
        serde_json::from_str(text).unwrap()
    }

    /// Renewal theory: mean repair over mean cycle, times the share of each kind. Repairs are lognormal and gaps gamma of
    /// shape 1/4; over 40,000 cycles of 400 s the share of time under repair has a standard deviation of about 0.0022.
    #[test]
    fn each_state_has_its_share_of_time_in_the_long_run() {
        let text = r#"{
            "between": { "gamma": { "mean": "300s", "shape": 0.25 } }, "repair": { "lognormal": { "median": "60.653s", "sigma": 1 } },
            "outage_share": 0.2, "degraded": { "ttft": 3 }, "outage": { "faults": { "overloaded": 1 } } }"#;
        let chance = Chance::new(4, 0);
        let mut it = spec(text)
            .build(&Names::default())
            .unwrap()
            .fresh(chance.surroundings(0));
        let (mut slow, mut down) = (0.0, 0.0);
        let n = 1_600_000;
        for i in 0..n {
            let (now, key) = (Time::from_nanos(i * 10_000_000_000), chance.request(i));
            let struck = it.strike(now, 0, key);
            let mut weather = Weather::FAIR;
            it.weather(now, key, &mut weather);
            match struck {
                None => slow += f64::from(u8::from(weather.ttft == 3.0)),
                Some(failure) => {
                    assert_eq!(failure, Failure::Down(Refused::plain(Outcome::Overloaded)));
                    assert_eq!(weather, Weather::FAIR, "the states keep apart");
                    down += 1.0;
                }
            }
        }
        // The repair's mean is 60.653 s times the square root of e: 100 s.
        let (slow, down) = (slow / n as f64, down / n as f64);
        assert!((slow - 0.2).abs() < 0.01, "{slow}");
        assert!((down - 0.05).abs() < 0.005, "{down}");
    }

    /// The published means and medians (OpenAI): 30 h and 93 h between incidents, 1.28 h and 2.84 h to repair.
    #[test]
    fn the_default_laws_have_the_published_medians_and_means() {
        use crate::kernel::law::Tail;
        let it = Regimes::deserialize(serde_json::json!({})).unwrap();
        let hour = 3.6e12;
        for (law, median, mean) in [(it.between, 30.0, 93.0), (it.repair, 1.28, 2.84)] {
            let law = law.law(&Names::default()).unwrap();
            assert!((law.quantile(Tail::Lower(0.5)) / hour / median - 1.0).abs() < 1e-6);
            assert!((law.mean() / hour / mean - 1.0).abs() < 0.01, "{}", law.mean() / hour);
        }
    }
}
