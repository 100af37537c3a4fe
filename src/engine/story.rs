//! The story of a request: what happened to it, in order, and what each attempt at it cost.
//!
//! A [`Teller`] is a [`Watch`] that follows the requests it is asked for, from arrival to end, and hands each story on when it is whole,
//! in the order of the ends. It holds the stories of requests under way and no others. What it takes of a story's time is a
//! partition: at each moment a request is in one [`Part`], so that the parts add up to the time from arrival to end to the nanosecond.
//! Where several copies of a request are out at once, it is at a provider as long as one of them is.

mod course;
mod find;

use std::fmt;

pub use course::{Course, Happening, Turn};
pub use find::{Found, Rank, Search};

use super::tally::Hit;
use super::watch::{Arrival, By, Choice, Ending, Fate, Held, Sending, Watch, What};
use crate::kernel::time::{Span, Time};
use crate::routing::{Ground, KeptOut};
use crate::words::{Ask, Ended, Outcome};

/// Where a request is at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Looked up in the response cache, or on its way out of it.
    Cache,
    /// Asleep before the gate or inside it: a budget or a limiter holds it back.
    HeldBack,
    /// In the admission queue.
    Queued,
    /// In line for a connection.
    InLine,
    /// At a provider.
    AtProvider,
    /// Backing off before the next try, or until the caller learns of the failure.
    BackingOff,
    /// An answer is looked at by a judge.
    Judged,
}

impl Part {
    /// All of them, in the order of their tables.
    pub const ALL: [Part; 7] = [
        Part::Cache,
        Part::HeldBack,
        Part::Queued,
        Part::InLine,
        Part::AtProvider,
        Part::BackingOff,
        Part::Judged,
    ];
}

/// What happened to one request.
#[derive(Clone, Debug)]
pub struct Story {
    /// How the request arrived.
    pub arrival: Arrival,
    /// When it arrived.
    pub arrived: Time,
    /// What happened, in order, with its times.
    pub steps: Vec<(Time, Step)>,
    /// The choices of a provider that steps speak of; none if they are not asked for.
    pub choices: Vec<Chosen>,
    /// The attempts that steps speak of, in the order in which they were made.
    pub attempts: Vec<Attempt>,
    /// Where it was, one stay after the other from its arrival to its end; none is empty.
    pub stays: Vec<Stay>,
    /// When it ended.
    pub ended: Time,
    /// How it ended.
    pub ending: Ending,
}

impl Story {
    /// How long it was in `part`.
    pub fn time_in(&self, part: Part) -> Span {
        let mut all = Span::ZERO;
        for stay in self.stays.iter().filter(|stay| stay.part == part) {
            all += stay.until.since(stay.from);
        }
        all
    }
}

/// A time that a request spent in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stay {
    /// Where it was.
    pub part: Part,
    /// When it began.
    pub from: Time,
    /// When it was over.
    pub until: Time,
}

/// One thing that happened to a request.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// The response cache has an answer for it.
    Found {
        /// How long until it has the answer.
        after: Span,
        /// What it is.
        hit: Hit,
    },
    /// The response cache has nothing for it.
    Missed,
    /// It sleeps before it is let in.
    Asleep(Held),
    /// It stands in the admission queue, with so many others before and behind it.
    Queued(usize),
    /// What is for each identity turns it away: the number of the rule, and of the identity.
    Limited(u16, u32),
    /// It is let in.
    LetIn,
    /// A provider is chosen: the index among the choices.
    Chose(usize),
    /// An attempt stands in line for a connection: the index among the attempts.
    InLine(usize),
    /// An attempt goes to its provider: the index among the attempts.
    Sent(usize),
    /// An attempt is over: the index among the attempts.
    Over(usize),
    /// It backs off before it tries again.
    TriesAgain {
        /// How long it waits.
        after: Span,
        /// Whether it stays at the provider that failed.
        same: bool,
    },
    /// A budget of retries is spent, and denies it a further try.
    Denied,
    /// It gives up where it is; the caller learns of it later.
    GivesUp {
        /// How much later.
        after: Span,
    },
    /// It goes to the next group of providers, of this number.
    FallsBack(u8),
    /// The policy sends it elsewhere.
    Detour,
    /// A judge looks at its answer.
    Looked {
        /// How long that takes.
        looks: Span,
        /// Pico-dollars that it costs.
        cost: u64,
    },
    /// The judge has turned its answer down.
    TurnedDown,
}

/// A choice of a provider, with what the policy saw.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// The provider, and what named it; nothing if none could take the attempt.
    pub chosen: Option<(usize, By)>,
    /// Whether the attempt is a further copy of a request under way.
    pub hedge: bool,
    /// Every provider as it was seen.
    pub seen: Vec<Glance>,
    /// What the policy went by, as far as it says.
    pub grounds: Vec<Ground>,
}

/// A provider as a policy sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glance {
    /// Attempts under way there.
    pub in_flight: u32,
    /// Attempts in line for a connection to it.
    pub in_line: u32,
    /// Whether its breaker lets a call through.
    pub permits: bool,
    /// What else keeps the call from it, if anything does.
    pub kept_out: Option<KeptOut>,
}

/// One attempt at a request.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// Where it goes, and its number.
    pub sending: Sending,
    /// When it was made: when its wait for a connection began, or when it was sent.
    pub made: Time,
    /// When it was sent, if it was.
    pub sent: Option<Time>,
    /// What was decided when it was sent.
    pub fate: Option<Fate>,
    /// When it was over.
    pub over: Time,
    /// How it ended.
    pub outcome: Outcome,
    /// What it came to, if it was sent: its bill, its times.
    pub ended: Option<Ended>,
}

impl Attempt {
    /// The time at the provider: in the provider's own queue, from there to the first token or its end, and from the first token on.
    pub fn parts(&self) -> (Span, Span, Span) {
        let (Some(fate), Some(ended)) = (&self.fate, &self.ended) else {
            return (Span::ZERO, Span::ZERO, Span::ZERO);
        };
        let first = ended.first_token.min(ended.took);
        let wait = fate.wait.min(first);
        (wait, first - wait, ended.took - first)
    }
}

/// What a teller does with a story that is whole. Returning `false` ends the telling: no other story is begun.
pub type Listener<'a> = dyn FnMut(Story) -> bool + 'a;

/// Follows requests and tells their stories.
pub struct Teller<'a> {
    wanted: &'a dyn Fn(&Ask) -> bool,
    tells_choices: bool,
    listener: &'a mut Listener<'a>,
    listens: bool,
    /// The story of the request in each slot, if it is followed.
    open: Vec<Option<Box<Open>>>,
}

/// A story that is not whole.
struct Open {
    story: Story,
    /// Where the request is if none of its attempts is out, and since when it is where it is.
    place: Part,
    since: Time,
    away: usize,
    in_line: usize,
}

impl fmt::Debug for Teller<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Teller")
            .field("open", &self.open.len())
            .finish_non_exhaustive()
    }
}

impl<'a> Teller<'a> {
    /// Tells the stories of the requests that are `wanted` to `listener`, with what the policy saw at each choice if `tells_choices`.
    pub fn new(wanted: &'a dyn Fn(&Ask) -> bool, tells_choices: bool, listener: &'a mut Listener<'a>) -> Teller<'a> {
        Teller {
            wanted,
            tells_choices,
            listener,
            listens: true,
            open: Vec::new(),
        }
    }

    fn begin(&mut self, now: Time, slot: u32, arrival: &Arrival) {
        let slot = slot as usize;
        if slot >= self.open.len() {
            self.open.resize_with(slot + 1, || None);
        }
        let follows = self.listens && (self.wanted)(&arrival.ask);
        self.open[slot] = follows.then(|| Box::new(Open::new(now, arrival)));
    }
}

impl Open {
    fn new(now: Time, arrival: &Arrival) -> Open {
        // A mirrored copy is made when its request is routed.
        Open {
            story: Story {
                arrival: *arrival,
                arrived: now,
                steps: Vec::new(),
                choices: Vec::new(),
                attempts: Vec::new(),
                stays: Vec::new(),
                ended: now,
                ending: Ending {
                    ask: arrival.ask,
                    arrived: now,
                    outcome: Outcome::Cancelled,
                    ttft: Span::ZERO,
                    waited: Span::ZERO,
                    cost: 0,
                    shadow: arrival.shadow,
                },
            },
            place: Part::BackingOff,
            since: now,
            away: 0,
            in_line: 0,
        }
    }

    /// Counts the time up to `now` for the part that the request was in.
    fn pass(&mut self, now: Time) {
        let part = match (self.away, self.in_line) {
            (0, 0) => self.place,
            (0, _) => Part::InLine,
            _ => Part::AtProvider,
        };
        let from = std::mem::replace(&mut self.since, now);
        match self.story.stays.last_mut() {
            _ if from == now => {}
            Some(last) if last.part == part => last.until = now,
            _ => self.story.stays.push(Stay { part, from, until: now }),
        }
    }

    /// The attempt of this number: the last, since a refused one gives its number back.
    fn find(&self, number: u32) -> Option<usize> {
        self.story.attempts.iter().rposition(|a| a.sending.number == number)
    }

    fn make(&mut self, now: Time, sending: &Sending) -> usize {
        self.story.attempts.push(Attempt {
            sending: *sending,
            made: now,
            sent: None,
            fate: None,
            over: now,
            outcome: Outcome::Cancelled,
            ended: None,
        });
        self.story.attempts.len() - 1
    }

    fn step(&mut self, now: Time, step: Step) {
        self.story.steps.push((now, step));
    }

    fn over(&mut self, now: Time, at: usize, outcome: Outcome, ended: Option<Ended>) {
        let attempt = &mut self.story.attempts[at];
        attempt.over = now;
        attempt.outcome = outcome;
        attempt.ended = ended;
        self.step(now, Step::Over(at));
    }

    fn note(&mut self, now: Time, what: &What) {
        self.pass(now);
        match *what {
            What::Arrived(_) | What::Ended(_) => {}
            What::Found { after, hit } => {
                self.place = Part::Cache;
                self.step(now, Step::Found { after, hit });
            }
            What::Missed { after } => {
                if after > Span::ZERO {
                    self.place = Part::Cache;
                }
                self.step(now, Step::Missed);
            }
            What::Asleep(held) => {
                self.place = Part::HeldBack;
                self.step(now, Step::Asleep(held));
            }
            What::Queued { queued } => {
                self.place = Part::Queued;
                self.step(now, Step::Queued(queued));
            }
            What::Limited { rule, identity } => self.step(now, Step::Limited(rule, identity)),
            What::LetIn => {
                if self.place == Part::Cache {
                    self.place = Part::BackingOff;
                }
                self.step(now, Step::LetIn);
            }
            What::InLine(sending) => {
                let at = self.make(now, &sending);
                self.in_line += 1;
                self.step(now, Step::InLine(at));
            }
            What::Refused(sending) => {
                let at = self.make(now, &sending);
                self.over(now, at, Outcome::Shed, None);
            }
            What::Sent(sending, fate) => {
                let waiting = self.find(sending.number).filter(|&at| {
                    let attempt = &self.story.attempts[at];
                    attempt.sent.is_none() && self.in_line > 0 && attempt.outcome != Outcome::Shed
                });
                let at = match waiting {
                    Some(at) => {
                        self.in_line -= 1;
                        at
                    }
                    None => self.make(now, &sending),
                };
                self.away += 1;
                let attempt = &mut self.story.attempts[at];
                attempt.sent = Some(now);
                attempt.fate = Some(fate);
                self.step(now, Step::Sent(at));
            }
            What::LeftLine { number, outcome } => {
                if let Some(at) = self.find(number) {
                    self.in_line -= 1;
                    self.over(now, at, outcome, None);
                }
            }
            What::Closed(ended) => {
                if let Some(at) = self.find(ended.attempt) {
                    self.away -= 1;
                    self.over(now, at, ended.outcome, Some(ended));
                }
            }
            What::TriesAgain { after, same, .. } => {
                self.place = Part::BackingOff;
                self.step(now, Step::TriesAgain { after, same });
            }
            What::Denied => self.step(now, Step::Denied),
            What::GivesUp { after, .. } => {
                self.place = Part::BackingOff;
                self.step(now, Step::GivesUp { after });
            }
            What::FallsBack(group) => self.step(now, Step::FallsBack(group)),
            What::Detour => self.step(now, Step::Detour),
            What::Looked { looks, cost } => {
                self.place = Part::Judged;
                self.step(now, Step::Looked { looks, cost });
            }
            What::TurnedDown => self.step(now, Step::TurnedDown),
        }
    }
}

impl Watch for Teller<'_> {
    fn note(&mut self, now: Time, slot: u32, what: &What) {
        if let What::Arrived(arrival) = what {
            return self.begin(now, slot, arrival);
        }
        let Some(open) = self.open.get_mut(slot as usize) else {
            return;
        };
        let Some(followed) = open else { return };
        followed.note(now, what);
        if let What::Ended(ending) = what
            && let Some(mut whole) = open.take()
        {
            whole.story.ended = now;
            whole.story.ending = *ending;
            self.listens = self.listens && (self.listener)(whole.story);
        }
    }

    fn choose(&mut self, slot: u32, choice: &Choice<'_>) {
        if !self.tells_choices {
            return;
        }
        let Some(Some(open)) = self.open.get_mut(slot as usize) else {
            return;
        };
        let fleet = choice.fleet;
        let glance = |p| Glance {
            in_flight: fleet.in_flight(p),
            in_line: fleet.in_line(p),
            permits: fleet.breaker_permits(p),
            kept_out: fleet.kept_out(p),
        };
        let at = open.story.choices.len();
        open.story.choices.push(Chosen {
            chosen: choice.chosen,
            hedge: choice.call.hedge,
            seen: (0..fleet.len()).map(glance).collect(),
            grounds: choice.grounds.take(),
        });
        let now = fleet.now();
        open.step(now, Step::Chose(at));
    }
}
