//! When requests come.
//!
//! Most processes are open: they go by the clock alone. One that [follows ends](Arrivals::follows_ends) is told when a request
//! has ended and may say what follows it, and when: a closed loop, or the next turn of a conversation. Such requests are keyed
//! by their user and their turn ([`Turn`]), not by their place in the order of arrival, which hangs on the answers.

mod agents;
mod batch;
mod closed_loop;
mod conversations;
mod curve;
mod dialogue;
mod gamma;
mod mmpp;
mod poisson;
mod profile;
mod ramp;
mod regular;
mod replay;
mod schedule;
mod spike;
mod step;
mod weibull;

pub use crate::form::units::TimeUnit;
pub use agents::{Agents, Tools};
pub use batch::Batch;
pub use closed_loop::ClosedLoop;
pub use conversations::Conversations;
pub use dialogue::{AsksAgain, History};
pub use gamma::Gamma;
pub use mmpp::{Mmpp, MmppState};
pub use poisson::Poisson;
pub use profile::{Preset, Profile};
pub use ramp::Ramp;
pub use regular::Regular;
pub use replay::{Reading, Replay, Row, TraceColumns};
pub use schedule::{Between, Point, Schedule};
pub use spike::Spike;
pub use step::Step;
pub use weibull::Weibull;

use crate::form::own::Own;
use crate::form::registry::registry;
use std::fmt;

use crate::form::build::{Built, Names};
use crate::form::units::{Count, Rate};
use crate::kernel::chance::Key;
use crate::kernel::time::{Span, Time};
use crate::traffic::rows::Rows;
use crate::words::{Course, Finished};

/// The running state of an arrival process.
pub trait Arrivals: fmt::Debug + Send + Sync {
    /// The next arrival that no answer is waited for, never before the last such; `None` when there are no more. `key` is that
    /// request's randomness, unless it has a turn.
    fn next(&mut self, key: Key) -> Option<Arrival>;

    /// Whether it is to be told how requests end ([`Arrivals::after`]). Asked once; what is not wanted is not done.
    fn follows_ends(&self) -> bool {
        false
    }

    /// A request has ended. Returns what follows it, at `ended.now` or later, if anything does. Must not allocate.
    fn after(&mut self, _ended: &Finished) -> Option<Arrival> {
        None
    }

    /// What the conversations or agent runs that its requests are turns of have in common; `None` if its requests are not turns of any.
    /// Asked once, before anything comes.
    fn dialogues(&self) -> Option<Dialogues> {
        None
    }

    /// How the request that [`Arrivals::after`] has just returned goes on from the one that ended. Asked of dialogues alone.
    fn continued(&self) -> Continued {
        Continued::default()
    }

    /// The dialogue whose request [`Arrivals::after`] has just been told of. Asked of dialogues alone.
    fn dialogue(&self) -> Option<Dialogue> {
        None
    }

    /// What it goes through by the clock, if it does not go on as it begins: the hours of a day, a schedule of rates.
    fn course(&self) -> Option<Course> {
        None
    }

    /// The recording that its requests come from, if they come from one.
    fn recorded(&self) -> Option<Recorded> {
        None
    }

    /// A copy in its initial state, for one replication. `own` is the randomness of what it goes through by itself, apart
    /// from its requests.
    fn fresh(&self, own: Key) -> Box<dyn Arrivals>;
}

/// A recording that is played, in the time in which it is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// How long all of it takes.
    pub lasts: Span,
    /// The length of the stretches that each replication is put together from anew; `None` where it is played as it is.
    pub stretches: Option<Span>,
}

/// What the parameters of an arrival process say to begin at times of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// What one is called, without an article: "spike".
    pub one: &'static str,
    /// What several are called: "spikes".
    pub several: &'static str,
    /// When each begins, in rising order. Of what comes again and again, the first time.
    pub at: Vec<Span>,
}

/// One arrival of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The time of the arrival.
    pub at: Time,
    /// Input and output tokens, if the process knows them (a replayed trace does).
    pub tokens: Option<(u32, u32)>,
    /// The user and turn of the request, if the process has users of its own: then the request's draws are keyed by
    /// them.
    pub turn: Option<Turn>,
    /// The row of the trace that it comes from, if it comes from one: it may say whose request it is.
    pub row: Option<u32>,
}

impl Arrival {
    /// An arrival at `at` of which the process says nothing else.
    #[inline]
    pub const fn at(at: Time) -> Arrival {
        Arrival {
            at,
            tokens: None,
            turn: None,
            row: None,
        }
    }
}

/// What the conversations or agent runs of one process have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialogues {
    /// Input tokens before the first message of each: the system prompt.
    pub before: u32,
}

/// How a request goes on from the one before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Continued {
    /// Input tokens that come before the new message.
    pub before: u32,
    /// The tokens at the beginning that are those of the last prompt and its answer, part of `before`.
    pub resent: u32,
    /// Input tokens of the new message; `None` if the class says how many.
    pub message: Option<u32>,
}

/// A conversation or an agent run, as it stands after one of its requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialogue {
    /// When its first request arrived.
    pub began: Time,
    /// How it stands.
    pub state: Standing,
}

/// How a conversation or an agent run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Another request follows.
    GoesOn,
    /// The last request has been answered.
    Done,
    /// A request failed, and is not sent again.
    Failed,
    /// The user left, because an answer took too long to begin.
    Left,
}

/// A turn of a user: what keys a request whose time hangs on answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The user, from 0.
    pub user: u32,
    /// The number of the request among the user's, from 0 to 2³¹ − 1, after which they begin anew.
    pub number: u32,
}

impl Turn {
    /// Marks the numbers of requests that are turns: no count of arrivals gets there.
    const MARK: u64 = 1 << 63;
    const LAST: u32 = u32::MAX >> 1;

    /// The number of its request ([`crate::words::Ask::id`]), which no other request has.
    #[inline]
    pub const fn id(self) -> u64 {
        Turn::MARK | (self.number as u64) << 32 | self.user as u64
    }

    /// The turn whose request has the number `id`, if that is a turn's.
    #[inline]
    pub const fn of(id: u64) -> Option<Turn> {
        if id & Turn::MARK == 0 {
            return None;
        }
        Some(Turn {
            user: id as u32,
            number: ((id & !Turn::MARK) >> 32) as u32,
        })
    }

    /// The next turn of the user whose turn ended.
    #[inline]
    #[must_use]
    pub const fn next(self) -> Turn {
        Turn {
            number: self.number.wrapping_add(1) & Turn::LAST,
            ..self
        }
    }
}

/// The parameters of an arrival process, as an experiment gives them.
pub trait BuildArrivals {
    /// Checks the parameters and makes the process. `trace` holds the rows of the trace that [`BuildArrivals::trace`]
    /// names.
    fn build(&self, trace: Option<Rows>, names: &Names<'_>) -> Built<Box<dyn Arrivals>>;

    /// Mean arrivals a second, where the parameters say so. If it [follows ends](BuildArrivals::follows_ends), the most that
    /// can come: answers that take time make it less.
    fn rate(&self) -> Option<f64>;

    /// The process with `factor` times the requests: rates, users or sizes of batches, and a trace played that much faster. Nothing
    /// where it cannot be told, as of a program's own, or where nothing would be left.
    fn scaled(&self, factor: f64) -> Option<ArrivalsSpec>;

    /// The smallest step of the factor by which it can be [scaled](BuildArrivals::scaled): 1/40 for 40 users. 0 if any can.
    fn step(&self) -> f64 {
        0.0
    }

    /// The parameter at which a rate that is too high is refused.
    fn rate_field(&self) -> &'static str {
        "rate"
    }

    /// Whether arrivals hang on how requests end ([`Arrivals::follows_ends`]).
    fn follows_ends(&self) -> bool {
        false
    }

    /// Whether load is bounded by users that wait for their answers: nothing comes from a user while its request is under way.
    fn is_closed(&self) -> bool {
        self.follows_ends()
    }

    /// Whether its requests are turns of conversations or agent runs ([`Arrivals::dialogues`]).
    fn has_dialogues(&self) -> bool {
        false
    }

    /// How many conversations or agent runs begin in a second in the mean; `None` where there are none, or that is not known.
    fn starts(&self) -> Option<f64> {
        None
    }

    /// How many users it has of its own; `None` if it knows of none.
    fn users(&self) -> Option<u32> {
        None
    }

    /// The trace it replays, as the file names it.
    fn trace(&self) -> Option<&str> {
        None
    }

    /// How the trace's file is read.
    fn reading(&self) -> Reading {
        Reading::default()
    }

    /// Whether arrivals come to an end by themselves: those of a trace that is played once.
    fn ends(&self) -> bool {
        false
    }

    /// What begins at times of the plan that the parameters say, if anything does.
    fn planned(&self) -> Option<Planned> {
        None
    }
}

impl BuildArrivals for Own {
    fn build(&self, _trace: Option<Rows>, names: &Names<'_>) -> Built<Box<dyn Arrivals>> {
        self.make("arrivals", names)
    }

    fn rate(&self) -> Option<f64> {
        None
    }

    fn scaled(&self, _factor: f64) -> Option<ArrivalsSpec> {
        None
    }
}

/// A whole number times `factor`, to the nearest; nothing if that is none, or too large.
fn times(count: Count, factor: f64) -> Option<Count> {
    let scaled = (count.get() as f64 * factor).round();
    (1.0..1e15)
        .contains(&scaled)
        .then(|| Count::new(scaled as u64))
        .flatten()
}

/// A rate that may be left out, times `factor`; nothing if it is given and cannot be scaled.
fn maybe(rate: Option<Rate>, factor: f64) -> Option<Option<Rate>> {
    match rate {
        None => Some(None),
        Some(rate) => Some(Some(rate.times(factor)?)),
    }
}

registry! {
    /// An arrival process.
    pub enum ArrivalsSpec as BuildArrivals, kind arrivals in "arrivals/" of Box<dyn Arrivals> {
        poisson => Poisson,
        regular => Regular,
        gamma => Gamma,
        weibull => Weibull,
        mmpp => Mmpp,
        profile => Profile,
        schedule => Schedule,
        step => Step,
        ramp => Ramp,
        spike => Spike,
        batch => Batch,
        closed_loop => ClosedLoop,
        conversations => Conversations,
        agents => Agents,
        replay => Replay,
        own in "../form/own.rs" => Own,
    }
}

/// A renewal process: independent gaps of one law, in nanoseconds.
#[derive(Clone, Debug)]
struct Renewal {
    gap: crate::kernel::sampler::Sampler,
    now: Time,
}

impl Arrivals for Renewal {
    #[inline]
    fn next(&mut self, key: Key) -> Option<Arrival> {
        let gap = self.gap.draw(key, crate::kernel::chance::Purpose::Gap);
        self.now += Span::from_nanos((gap + 0.5) as u64);
        Some(Arrival::at(self.now))
    }

    fn fresh(&self, _own: Key) -> Box<dyn Arrivals> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_known_again_by_the_number_of_its_request() {
        for (user, number) in [(0, 0), (7, 0), (0, 7), (u32::MAX, i32::MAX as u32)] {
            let turn = Turn { user, number };
            assert_eq!(Turn::of(turn.id()), Some(turn));
        }
        assert_eq!(Turn::of(0), None);
        assert_eq!(Turn::of(100_000_000_000), None, "the most requests of a replication");
    }

    #[test]
    fn each_process_can_be_taken_times_a_factor() {
        for page in ArrivalsSpec::PAGES {
            let Some(json) = page.source.split("```json").nth(1) else {
                continue;
            };
            let json = json.split("```").next().unwrap().replace("//!", "");
            let spec: ArrivalsSpec = serde_json::from_str(&json).unwrap();
            let scaled = spec.as_dyn().scaled(2.0);
            if page.name == "own" {
                assert_eq!(scaled, None);
                continue;
            }
            let scaled = scaled.unwrap();
            assert_ne!(scaled, spec, "{}", page.name);
            assert_eq!(spec.as_dyn().scaled(1.0), Some(spec.clone()), "{}", page.name);
            if let Some(rate) = spec.as_dyn().rate() {
                let twice = scaled.as_dyn().rate().unwrap();
                assert!((twice / rate - 2.0).abs() < 1e-6, "{}: {rate} {twice}", page.name);
            }
        }
    }
}
