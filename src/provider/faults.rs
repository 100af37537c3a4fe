//! How a provider fails, and what slows it down for all requests.

mod outage;
mod overload;
mod random;
mod regimes;
mod slow_down;
mod spikes;
mod stretches;
mod time_of_day;
mod way;

pub use outage::{Answer, Outage};
pub use overload::Overload;
pub use random::Random;
pub use regimes::{Regimes, State};
pub use slow_down::SlowDown;
pub use spikes::Spikes;
pub use time_of_day::{Shape, TimeOfDay, Wave};
pub use way::{Manner, Way};

use crate::form::own::Own;
use crate::form::registry::registry;
use std::fmt;

use crate::form::build::{Built, Names, Refusal};
use crate::form::units::Duration;
use crate::kernel::chance::Key;
use crate::kernel::time::{Span, Time};
use crate::words::{Course, Outcome};

/// The running state of a source of failures. A provider may have several; the first that strikes decides.
pub trait Fault: fmt::Debug + Send + Sync {
    /// The failure of the attempt keyed by `key` that arrives at `now` beside `load` others, if it fails. Times never
    /// go back from one call to the next.
    fn strike(&mut self, now: Time, load: u32, key: Key) -> Option<Failure>;

    /// Slows down an attempt that begins at `now`, by worsening the `weather` that it finds.
    fn weather(&mut self, _now: Time, _key: Key, _weather: &mut Weather) {}

    /// Whether [`Fault::weather`] ever does anything.
    fn has_weather(&self) -> bool {
        false
    }

    /// The start and the end of an outage that is known beforehand.
    fn outage(&self) -> Option<(Time, Time)> {
        None
    }

    /// Whether it is known beforehand when the fault begins, ends or changes.
    fn is_scheduled(&self) -> bool {
        self.outage().is_some()
    }

    /// The course that the fault gives to the provider, if it is one of more than a moment and known beforehand.
    fn course(&self) -> Option<Course> {
        self.outage()
            .map(|(from, until)| Course::once("an outage", from, until))
    }

    /// What the fault does between two times that are known beforehand, in a few words without an article.
    fn stretch(&self) -> Option<Stretch> {
        self.outage().map(|(from, until)| Stretch {
            what: "outage".into(),
            from,
            until,
        })
    }

    /// Whether the fault can leave an attempt in this silence, for a timeout to end.
    fn leaves(&self, _silence: Silence) -> bool {
        false
    }

    /// A copy in its initial state, for one replication. `own` is the randomness that does not depend on requests.
    fn fresh(&self, own: Key) -> Box<dyn Fault>;
}

/// What a fault does for a time that is known beforehand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// What it does, in a few words without an article: "outage", "70 % rate limited".
    pub what: String,
    /// When it begins.
    pub from: Time,
    /// When it ends.
    pub until: Time,
}

/// The parameters of a source of failures, as an experiment gives them.
pub trait BuildFault {
    /// Checks the parameters and makes the fault.
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Fault>>;
}

/// The way in which an attempt fails.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Failure {
    /// This answer before quotas are asked, at once unless it says when: the provider is down.
    Down(Refused),
    /// Nothing at all, not even a connection: a connect timeout may end it.
    Unreachable,
    /// Gets a connection but no answer, not even a 429: the provider is down and silent. Only a timeout ends it.
    Silent,
    /// This answer when the first token would have come, unless it says when: the work was begun.
    Failed(Refused),
    /// No answer although it was let in: only a timeout ends it.
    Hang,
    /// Breaks off after this share of the time between its first token and its last.
    Truncated(f64),
    /// Gets no token after this share of the time between the first and the last: only a timeout ends it.
    Stalled(f64),
}

/// A failure that comes back by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What it is.
    pub outcome: Outcome,
    /// How long until it is back, from when the provider takes the attempt up, if not at the usual moment.
    pub after: Option<Span>,
    /// The Retry-After that comes with it.
    pub retry_after: Option<Span>,
}

impl Refused {
    /// `outcome` at the usual moment and without Retry-After.
    pub const fn plain(outcome: Outcome) -> Refused {
        Refused {
            outcome,
            after: None,
            retry_after: None,
        }
    }
}

impl Failure {
    /// The silence in which the failure leaves an attempt, if only a timeout can end it.
    pub const fn silence(self) -> Option<Silence> {
        match self {
            Failure::Unreachable => Some(Silence::Unreachable),
            Failure::Silent | Failure::Hang => Some(Silence::Unanswered),
            Failure::Stalled(_) => Some(Silence::Stalled),
            Failure::Down(_) | Failure::Failed(_) | Failure::Truncated(_) => None,
        }
    }
}

/// How far an attempt that only a timeout ends has come, which determines the timeouts that can end it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// There is no connection: any timeout ends it, the connect timeout too.
    Unreachable,
    /// There is no first token: its timeout ends it, or that of the attempt or the request.
    Unanswered,
    /// There is no further token: the idle timeout ends it, or that of the attempt or the request.
    Stalled,
}

impl Silence {
    /// Every kind of silence.
    pub const ALL: [Silence; 3] = [Silence::Unreachable, Silence::Unanswered, Silence::Stalled];
}

/// What slows a provider down for all requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weather {
    /// Factor on times to first token.
    pub ttft: f64,
    /// Factor on decode speeds.
    pub speed: f64,
    /// Nanoseconds added to the time to first token.
    pub delay: f64,
}

impl Weather {
    /// The weather that changes nothing.
    pub const FAIR: Weather = Weather {
        ttft: 1.0,
        speed: 1.0,
        delay: 0.0,
    };

    /// The combination of two kinds of weather: factors multiply, delays add up.
    #[inline]
    pub fn worsen(&mut self, by: &Weather) {
        self.ttft *= by.ttft;
        self.speed *= by.speed;
        self.delay += by.delay;
    }

    /// Checks the parameters that make up the weather.
    fn read(ttft: f64, speed: f64, delay: Duration) -> Built<Weather> {
        Ok(Weather {
            ttft: factor("ttft", ttft)?,
            speed: factor("speed", speed)?,
            delay: delay.span().nanos() as f64,
        })
    }
}

/// Accepts a factor from a thousandth to a thousand.
fn factor(name: &'static str, value: f64) -> Built<f64> {
    if (0.001..=1000.0).contains(&value) {
        Ok(value)
    } else {
        Err(Refusal::new(format!("a factor of {value}: must be 0.001 to 1000")).at(name))
    }
}

/// Refuses a duration of zero.
fn check_lasts(lasts: Duration, what: &str) -> Built<()> {
    if lasts.span() > Span::ZERO {
        return Ok(());
    }
    Err(Refusal::new(format!("{what} of 0s strikes no attempt: must be longer")).at("for"))
}

/// The factor that changes nothing: 1.
fn unchanged() -> f64 {
    1.0
}

/// The delay that changes nothing: 0.
fn at_once() -> Duration {
    Duration::from(Span::ZERO)
}

impl BuildFault for Own {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Fault>> {
        self.make("fault", names)
    }
}

registry! {
    /// A source of failures of a provider, or of slowness.
    pub enum FaultSpec as BuildFault, kind fault in "faults/" of Box<dyn Fault> {
        random => Random,
        outage => Outage,
        slow_down => SlowDown,
        time_of_day => TimeOfDay,
        spikes => Spikes,
        regimes => Regimes,
        overload => Overload,
        own in "../form/own.rs" => Own,
    }
}
