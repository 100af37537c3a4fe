//! What conversations and agent runs have in common: requests that follow each other's answers and send again what was said before.
//!
//! A dialogue begins when its start process says so and has a number of turns that is drawn as it begins. The first turn's input is the
//! system prompt and a message of its class's input law. When a turn has been answered, the next comes after a pause; its input is what
//! was said so far (the last prompt and its answer, as far as [`History`] keeps them) and a new message. When a turn fails, it is sent
//! again unchanged with some probability, or the dialogue has failed. All turns have the class and the tags of the first.
//!
//! Draws are keyed by the dialogue and the turn, so that two policies meet the same dialogues with the same turns, lengths and pauses, at
//! times that hang on their answers. What is kept of a dialogue under way is when it began.

use std::collections::VecDeque;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Arrival, Arrivals, ArrivalsSpec, Continued, Dialogue, Dialogues, Standing, Turn};
use crate::form::build::{Built, Names, Refusal};
use crate::form::laws::LawSpec;
use crate::form::units::{Count, Duration, Fraction};
use crate::kernel::chance::{Key, Purpose, threshold};
use crate::kernel::law::Tail;
use crate::kernel::sampler::Sampler;
use crate::kernel::time::{Span, Time};
use crate::words::{Course, Finished, Outcome};

/// What is sent again of what was said before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum History {
    /// All of it: the input grows with every turn.
    #[default]
    Whole,
    /// Nothing: every turn has the system prompt and its message alone.
    None,
    /// At most so many tokens: the oldest are dropped, so that beyond it a prompt cache finds the system prompt alone.
    Window(Count),
    /// What is longer than a bound is replaced by a summary of it. The call that writes the summary is not simulated.
    Summary {
        /// The most tokens that are sent again as they are.
        above: Count,
        /// The tokens of the summary that then stands for them.
        to: Count,
    },
}

/// Whether and when a turn that failed is sent again, as it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AsksAgain {
    /// The probability that a failed turn is sent again, 0 to 1.
    pub share: Fraction,
    /// The time from the failure until it is sent again.
    pub after: LawSpec<Duration>,
    /// How often one turn is sent again at most, 1 to 3. Default: 1.
    #[serde(default = "once")]
    #[schemars(extend("maximum" = 3))]
    pub most: Count,
}

fn once() -> Count {
    Count::ONE
}

/// What comes between an answer and the next turn.
#[derive(Clone, Debug)]
pub(super) enum Between {
    /// A person thinks, and writes a message as the class says.
    Thinks(Sampler),
    /// Tools run side by side, and their results are the message.
    Tools {
        calls: Sampler,
        latency: Sampler,
        result: Sampler,
    },
}

/// What dialogues are made of, checked.
#[derive(Clone, Debug)]
pub(super) struct Parts {
    /// How many turns each has.
    pub(super) turns: Sampler,
    pub(super) between: Between,
    /// Input tokens of the system prompt.
    pub(super) system: u32,
    pub(super) history: History,
    /// How long a user waits for a first token before it leaves.
    pub(super) patience: Option<Sampler>,
    pub(super) again: Option<Again>,
}

/// What [`AsksAgain`] says, checked.
#[derive(Clone, Debug)]
pub(super) struct Again {
    below: u64,
    after: Sampler,
    most: u32,
}

/// The most turns of a dialogue, without those that are sent again; more are cut there.
pub(super) const MOST_TURNS: u32 = 1 << 10;

/// The most tools that run side by side.
pub(super) const MOST_CALLS: u32 = 64;

/// The least pause after a turn that took no time.
const AT_LEAST: Span = Span::from_nanos(1_000_000);

/// What is drawn for a dialogue apart from its requests: a part of the randomness each, beside the pauses.
const TURNS: u64 = 1;
const PATIENCE: u64 = 2;
const AGAIN: u64 = 3;
const CALLS: u64 = 4;

impl AsksAgain {
    pub(super) fn build(&self, names: &Names<'_>) -> Built<Again> {
        let most = self.most.get();
        if most > 3 {
            return Err(Refusal::new(format!("{most} times: must be 1 to 3")).at("most"));
        }
        Ok(Again {
            below: threshold(self.share.get()),
            after: self.after.sampler(names).map_err(|r| r.at("after"))?,
            most: most as u32,
        })
    }
}

impl History {
    fn check(self) -> Built<()> {
        match self {
            History::Summary { above, to } if to >= above => {
                let text = format!("a summary of {to} tokens, of no more than {above}: must be shorter");
                Err(Refusal::new(text).at("to").at("summary").at("history"))
            }
            History::Whole | History::None | History::Window(_) | History::Summary { .. } => Ok(()),
        }
    }

    /// Of `said` tokens, the number that is sent again, and how many of these are a beginning that a prompt cache may know; both without
    /// the system prompt.
    fn keeps(self, said: u32) -> (u32, u32) {
        let tokens = |count: Count| u32::try_from(count.get()).unwrap_or(u32::MAX);
        match self {
            History::Whole => (said, said),
            History::None => (0, 0),
            History::Window(most) if said > tokens(most) => (tokens(most), 0),
            History::Summary { above, to } if said > tokens(above) => (tokens(to), 0),
            History::Window(_) | History::Summary { .. } => (said, said),
        }
    }
}

/// The process that begins dialogues: one that has a rate by itself.
///
/// # Errors
/// If it follows ends itself, or replays a trace.
pub(super) fn starts(spec: &ArrivalsSpec, names: &Names<'_>) -> Built<Box<dyn Arrivals>> {
    let here = |r: Refusal| r.at(spec.name()).at("starts");
    let view = spec.as_dyn();
    if view.follows_ends() || view.trace().is_some() {
        let text = format!(
            "`{}` cannot say when dialogues begin: give a process that goes by the clock, like poisson or profile",
            spec.name()
        );
        return Err(here(Refusal::new(text)));
    }
    view.build(None, names).map_err(here)
}

/// How many turns dialogues have, by the law that `field` holds.
///
/// # Errors
/// If most have none.
pub(super) fn turns(law: &LawSpec<f64>, field: &'static str, names: &Names<'_>) -> Built<Sampler> {
    let median = law.law(names).map_err(|r| r.at(field))?.quantile(Tail::Lower(0.5));
    if median < 0.5 {
        return Err(Refusal::new("most would have none: it must be 1 or more").at(field));
    }
    law.tokens(names).map_err(|r| r.at(field))
}

/// Requests a second, if every turn is answered and sent once.
pub(super) fn rate(starts: &ArrivalsSpec, turns: &LawSpec<f64>) -> Option<f64> {
    let mean = turns.law(&Names::default()).ok()?.mean();
    Some(starts.as_dyn().rate()? * mean.clamp(1.0, f64::from(MOST_TURNS)))
}

/// What a page of dialogues says of itself as an arrival process, the number of whose turns is in the field `$turns`.
macro_rules! of_dialogues {
    ($Page:ident, $turns:ident) => {
        fn rate(&self) -> Option<f64> {
            dialogue::rate(&self.starts, &self.$turns)
        }

        fn rate_field(&self) -> &'static str {
            "starts"
        }

        fn scaled(&self, factor: f64) -> Option<ArrivalsSpec> {
            let starts = Box::new(self.starts.as_dyn().scaled(factor)?);
            Some(
                $Page {
                    starts,
                    ..self.clone()
                }
                .into(),
            )
        }

        fn step(&self) -> f64 {
            self.starts.as_dyn().step()
        }

        fn follows_ends(&self) -> bool {
            true
        }

        fn is_closed(&self) -> bool {
            false
        }

        fn has_dialogues(&self) -> bool {
            true
        }

        fn starts(&self) -> Option<f64> {
            self.starts.as_dyn().rate()
        }

        fn users(&self) -> Option<u32> {
            Some($crate::traffic::stream::MOST_DIALOGUES)
        }

        fn planned(&self) -> Option<$crate::traffic::arrivals::Planned> {
            self.starts.as_dyn().planned()
        }
    };
}
pub(super) use of_dialogues;

impl Parts {
    /// The process, if its parts make sense together.
    pub(super) fn over(self, starts: Box<dyn Arrivals>) -> Built<Box<dyn Arrivals>> {
        self.history.check()?;
        Ok(Box::new(Running {
            parts: self,
            starts,
            own: Key::NONE,
            first: 0,
            open: VecDeque::new(),
            continued: Continued::default(),
            told: None,
        }))
    }

    /// How many turns the dialogue has to which `key` belongs.
    fn count(&self, key: Key) -> u32 {
        self.turns.count(key.part(TURNS), Purpose::User, 1).min(MOST_TURNS)
    }

    /// The time from an answer to the turn of `key`, and the tokens of its message unless the class says them.
    fn next(&self, key: Key) -> (Span, Option<u32>) {
        match &self.between {
            Between::Thinks(law) => (span(law, key), None),
            Between::Tools { calls, latency, result } => {
                let calls = calls.count(key.part(CALLS), Purpose::User, 1).min(MOST_CALLS);
                let each = (0..u64::from(calls)).map(|i| key.attempt(i));
                let (slowest, tokens) = each.fold((Span::ZERO, 0_u32), |(slowest, tokens), key| {
                    let result = result.count(key, Purpose::Input, 0);
                    (slowest.max(span(latency, key)), tokens.saturating_add(result))
                });
                (slowest, Some(tokens))
            }
        }
    }

    /// What goes on from a turn that was answered.
    fn goes_on(&self, ended: &Finished, message: Option<u32>) -> Continued {
        let said = ended.ask.input.saturating_add(ended.ask.output);
        let system = self.system.min(said);
        let (before, resent) = self.history.keeps(said - system);
        Continued {
            before: self.system.saturating_add(before),
            resent: system + resent,
            message,
        }
    }
}

fn span(law: &Sampler, key: Key) -> Span {
    Span::from_nanos((law.draw(key, Purpose::Gap) + 0.5) as u64)
}

/// Dialogues under way.
#[derive(Debug)]
struct Running {
    parts: Parts,
    starts: Box<dyn Arrivals>,
    own: Key,
    /// The number of the oldest dialogue in `open`.
    first: u32,
    /// When each began from that one on; [`Time::NEVER`] if it is over.
    open: VecDeque<Time>,
    /// What was said of the request and the dialogue that it was told of last.
    continued: Continued,
    told: Option<Dialogue>,
}

impl Running {
    /// The randomness of a turn, apart from that of its request.
    fn key(&self, dialogue: u32, turn: u32) -> Key {
        let turn = Turn {
            user: dialogue,
            number: turn,
        };
        self.own.part(turn.id())
    }

    /// The dialogue is over: it and those before it that are over too are forgotten.
    fn close(&mut self, dialogue: u32) {
        if let Some(began) = self.open.get_mut(dialogue.wrapping_sub(self.first) as usize) {
            *began = Time::NEVER;
        }
        while self.open.front() == Some(&Time::NEVER) {
            self.open.pop_front();
            self.first = self.first.wrapping_add(1);
        }
    }

    /// The turn after `ended`, or how the dialogue stands without one.
    fn follows(&mut self, ended: &Finished, turn: Turn) -> Result<Arrival, Standing> {
        let (number, tries) = (turn.number % MOST_TURNS, turn.number / MOST_TURNS);
        let key = self.key(turn.user, number);
        let pause = |pause: Span| {
            if ended.now == ended.arrived {
                pause.max(AT_LEAST)
            } else {
                pause
            }
        };
        let numbered = |number| Turn { number, ..turn };
        if ended.outcome == Outcome::Abandoned {
            return Err(Standing::Left);
        }
        if ended.outcome != Outcome::Success {
            let again = self.parts.again.as_ref().filter(|again| tries < again.most);
            let key = key.part(AGAIN).attempt(u64::from(tries));
            let again = again.filter(|again| key.draw(Purpose::User) < again.below);
            let again = again.ok_or(Standing::Failed)?;
            self.continued = Continued {
                resent: ended.ask.resent,
                ..Continued::default()
            };
            return Ok(Arrival {
                at: ended.now + pause(span(&again.after, key)),
                tokens: Some((ended.ask.input, ended.ask.output)),
                turn: Some(numbered(turn.number + MOST_TURNS)),
                row: None,
            });
        }
        if let Some(patience) = &self.parts.patience
            && ended.ttft > span(patience, key.part(PATIENCE))
        {
            return Err(Standing::Left);
        }
        if number + 1 >= self.parts.count(self.key(turn.user, 0)) {
            return Err(Standing::Done);
        }
        let (after, message) = self.parts.next(self.key(turn.user, number + 1));
        self.continued = self.parts.goes_on(ended, message);
        Ok(Arrival {
            at: ended.now + pause(after),
            tokens: None,
            turn: Some(numbered(number + 1)),
            row: None,
        })
    }
}

impl Arrivals for Running {
    fn next(&mut self, key: Key) -> Option<Arrival> {
        let start = self.starts.next(key)?;
        let user = self.first.wrapping_add(self.open.len() as u32);
        self.open.push_back(start.at);
        Some(Arrival {
            at: start.at,
            tokens: None,
            turn: Some(Turn { user, number: 0 }),
            row: None,
        })
    }

    fn follows_ends(&self) -> bool {
        true
    }

    fn after(&mut self, ended: &Finished) -> Option<Arrival> {
        let turn = Turn::of(ended.ask.id)?;
        let began = *self.open.get(turn.user.wrapping_sub(self.first) as usize)?;
        let follows = self.follows(ended, turn);
        let state = match &follows {
            Ok(_) => Standing::GoesOn,
            Err(over) => {
                self.close(turn.user);
                *over
            }
        };
        self.told = Some(Dialogue { began, state });
        follows.ok()
    }

    fn dialogues(&self) -> Option<Dialogues> {
        Some(Dialogues {
            before: self.parts.system,
        })
    }

    fn continued(&self) -> Continued {
        self.continued
    }

    fn dialogue(&self) -> Option<Dialogue> {
        self.told
    }

    fn course(&self) -> Option<Course> {
        self.starts.course()
    }

    fn fresh(&self, own: Key) -> Box<dyn Arrivals> {
        Box::new(Running {
            parts: self.parts.clone(),
            // Apart from the keys of dialogues, which are marked as turns.
            starts: self.starts.fresh(own),
            own,
            first: 0,
            open: VecDeque::new(),
            continued: Continued::default(),
            told: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_what_was_said() {
        let count = |n| Count::new(n).unwrap();
        let summary = History::Summary {
            above: count(1000),
            to: count(200),
        };
        for (history, said, expected) in [
            (History::Whole, 5000, (5000, 5000)),
            (History::None, 5000, (0, 0)),
            (History::Window(count(4000)), 4000, (4000, 4000)),
            (History::Window(count(4000)), 4001, (4000, 0)),
            (summary, 1000, (1000, 1000)),
            (summary, 1001, (200, 0)),
        ] {
            assert_eq!(history.keeps(said), expected, "{history:?} of {said}");
        }
    }
}
