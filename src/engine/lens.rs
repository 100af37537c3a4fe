//! Lenses: parts of the traffic that are counted apart, because a metric asks for them.
//!
//! A lens takes in requests of some classes, those that one provider answered, those that the response cache answered or did not,
//! those of a stretch of time, or what is all of that. Which lenses there are is settled before the run; a scenario without any counts nothing here, and with some, each event
//! goes through a table of those that its class is in: nothing is looked up by name and nothing is allocated.
//!
//! A request is seen by when it arrived, and what succeeds within the counted time by when it ended, as in the [`Tally`] itself:
//! a lens of everything has the tally's own figures. Of a provider, a request is seen only as the success that it answered; its
//! attempts are seen whatever became of them.

use serde::{Deserialize, Serialize};

use crate::kernel::time::{Span, Time};
use crate::stats::histogram::Histogram;
use crate::words::metric::Times;
use crate::words::{Ask, Outcome, UNRATED};

use super::scenario::Deployment;
use super::tally::{DialogueTally, Ending, Tally, Turned, per_token};

/// A part of the traffic that is counted apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lens {
    /// The classes, by number; nothing for all.
    pub classes: Option<Vec<usize>>,
    /// Whether each combination of the traffic's tags ([`crate::words::Ask::tags`]) is counted; nothing for all.
    pub tags: Option<Vec<bool>>,
    /// The provider; nothing for all.
    pub provider: Option<usize>,
    /// Whether the requests are those that the response cache answered, or all others; nothing for both.
    pub hits: Option<bool>,
    /// Counting starts here, not before the warm-up is over.
    pub from: Time,
    /// Counting ends here, not after the last arrival.
    pub until: Time,
    /// Whether each time is put into a histogram, by [`Times::index`].
    pub times: [bool; Times::COUNT],
    /// Whether conversations and agent runs are counted, by when they began, and their turns, by when these arrived.
    pub dialogues: bool,
}

/// The lenses of a scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lenses {
    all: Vec<Lens>,
    /// By class, the lenses that it is in.
    of_class: Vec<Vec<u32>>,
}

impl Lenses {
    /// A set of these lenses, where there are this many classes.
    pub fn new(all: Vec<Lens>, classes: usize) -> Lenses {
        let is_in = |lens: &Lens, class| lens.classes.as_ref().is_none_or(|some| some.contains(&class));
        let those_of = |class| {
            (0..all.len())
                .filter(|&i| is_in(&all[i], class))
                .map(|i| i as u32)
                .collect()
        };
        let of_class = if all.is_empty() {
            Vec::new()
        } else {
            (0..classes).map(those_of).collect()
        };
        Lenses { all, of_class }
    }

    /// The numbers of the lenses that a class is in.
    fn of_class(&self, class: u16) -> &[u32] {
        self.of_class.get(usize::from(class)).map_or(&[], Vec::as_slice)
    }

    /// Each of them, in the order of their tallies.
    pub fn iter(&self) -> impl Iterator<Item = &Lens> {
        self.all.iter()
    }
}

/// What one lens has counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LensTally {
    /// How its requests ended; of a provider, the successes alone.
    pub outcomes: [u64; Outcome::COUNT],
    /// How the attempts ended.
    pub attempts: [u64; Outcome::COUNT],
    /// Requests that succeeded within its time, whenever they arrived.
    pub served: u64,
    /// Requests in `served` that kept within the latency objectives.
    pub good: u64,
    /// The histograms of times, by [`Times::index`], as far as they are asked for.
    pub times: [Option<Histogram>; Times::COUNT],
    /// Successes at providers whose quality for their class is known.
    pub rated: u64,
    /// Sum over those of the probability of a good answer, in millionths.
    pub quality: u64,
    /// Pico-dollars for the attempts and, but for a provider, for looking at answers.
    pub cost: u128,
    /// Pico-dollars for capacity reserved over its time, used or not; of some classes, none.
    pub reserved: u128,
    /// Successes that the response cache answered.
    pub hits: u64,
    /// Pico-dollars that the answers of the hits had cost when they were first given.
    pub saved: u128,
    /// The length of its time in nanoseconds, added up over replications.
    pub counted: u128,
    /// What became of conversations and agent runs, if it is asked for.
    pub dialogues: Option<DialogueTally>,
}

impl LensTally {
    fn of(lens: &Lens, fleet: &[Deployment], may_use: &[bool]) -> LensTally {
        let counted = lens.until.since(lens.from);
        let bills =
            |p: usize| lens.takes_everything() && lens.hits.is_none() && lens.provider.is_none_or(|own| own == p);
        let standing = |(p, d): (usize, &Deployment)| bills(p).then(|| d.provider.price.standing(counted, may_use[p]));
        LensTally {
            times: lens.times.map(|asked| asked.then(Histogram::default)),
            reserved: fleet.iter().enumerate().filter_map(standing).sum(),
            counted: u128::from(counted.nanos()),
            dialogues: lens.dialogues.then(DialogueTally::default),
            ..LensTally::default()
        }
    }

    /// Adds what the same lens has counted in another replication.
    pub fn merge(&mut self, other: &LensTally) {
        let counts = self.outcomes.iter_mut().chain(&mut self.attempts);
        for (a, b) in counts.zip(other.outcomes.iter().chain(&other.attempts)) {
            *a += b;
        }
        for (a, b) in self.times.iter_mut().zip(&other.times) {
            if let (Some(a), Some(b)) = (a, b) {
                a.merge(b);
            }
        }
        self.served += other.served;
        self.good += other.good;
        self.rated += other.rated;
        self.quality += other.quality;
        self.cost += other.cost;
        self.reserved += other.reserved;
        self.hits += other.hits;
        self.saved += other.saved;
        self.counted += other.counted;
        if let (Some(a), Some(b)) = (&mut self.dialogues, &other.dialogues) {
            a.merge(b);
        }
    }

    /// Frees what only counting needs.
    pub fn pack(&mut self) {
        self.times.iter_mut().flatten().for_each(Histogram::pack);
        self.dialogues.iter_mut().for_each(DialogueTally::pack);
    }

    fn end(&mut self, of: &Seen, end: &Ending) {
        self.outcomes[end.outcome.index()] += 1;
        let mut time = |which: Times, value: Span| {
            if let Some(histogram) = &mut self.times[which.index()] {
                histogram.record(value);
            }
        };
        if end.outcome != Outcome::Shed {
            time(Times::Wait, end.waited);
        }
        if end.outcome == Outcome::Success {
            time(Times::Ttft, end.ttft);
            time(Times::E2e, end.e2e);
            if let Some(span) = per_token(end.ttft, end.e2e, of.output) {
                time(Times::Tpot, span);
            }
            if end.quality != UNRATED {
                self.rated += 1;
                self.quality += u64::from(end.quality);
            }
            if let Some(hit) = &end.hit {
                self.hits += 1;
                self.saved += u128::from(hit.saved);
            }
        }
    }
}

/// What lenses look at of a request or an attempt.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// The class of the request.
    pub class: u16,
    /// The values of the traffic's tags.
    pub tags: u32,
    /// When the request arrived.
    pub arrived: Time,
    /// The provider that answered the request, or that the attempt was sent to.
    pub provider: u32,
    /// Output tokens of the request.
    pub output: u32,
    /// Whether the response cache answered the request.
    pub is_hit: bool,
}

impl Tally {
    /// The tallies of `lenses`, nothing counted yet.
    pub(super) fn of_lenses(lenses: &Lenses, fleet: &[Deployment], may_use: &[bool]) -> Vec<LensTally> {
        lenses.iter().map(|lens| LensTally::of(lens, fleet, may_use)).collect()
    }

    /// A counted request has ended: the lenses that it is in count it.
    #[cold]
    #[inline(never)]
    pub fn see_end(&mut self, lenses: &Lenses, of: &Seen, end: &Ending) {
        for &i in lenses.of_class(of.class) {
            let (lens, tally) = (&lenses.all[i as usize], &mut self.lenses[i as usize]);
            if !lens.spans(of.arrived) || !lens.is_of(of) {
                continue;
            }
            match lens.provider {
                None => {
                    tally.end(of, end);
                    tally.cost += u128::from(end.cost);
                }
                Some(p) if end.outcome == Outcome::Success && p == of.provider as usize => tally.end(of, end),
                Some(_) => {}
            }
        }
    }

    /// A request has succeeded at `now`, within the counted time.
    #[cold]
    #[inline(never)]
    pub fn see_served(&mut self, lenses: &Lenses, of: &Seen, now: Time, good: bool) {
        for &i in lenses.of_class(of.class) {
            let (lens, tally) = (&lenses.all[i as usize], &mut self.lenses[i as usize]);
            if lens.spans(now) && lens.takes(of.provider) && lens.is_of(of) {
                tally.served += 1;
                tally.good += u64::from(good);
            }
        }
    }

    /// A turn of a dialogue has ended, and with it perhaps the dialogue: the lenses that ask for dialogues count it.
    #[cold]
    #[inline(never)]
    pub(super) fn see_turn(&mut self, lenses: &Lenses, ask: &Ask, turned: &Turned) {
        for &i in lenses.of_class(ask.class) {
            let (lens, tally) = (&lenses.all[i as usize], &mut self.lenses[i as usize]);
            let Some(dialogues) = &mut tally.dialogues else {
                continue;
            };
            if lens.tags.as_ref().is_some_and(|some| !some[ask.tags as usize]) {
                continue;
            }
            if let Some(cost) = turned.cost.filter(|_| lens.spans(turned.arrived)) {
                dialogues.turn(cost);
            }
            if let Some(end) = turned.end.filter(|_| lens.spans(turned.began)) {
                dialogues.end(end);
            }
        }
    }

    /// An attempt at a counted request is over, and was billed. `shadow` says that no caller waits for it: then it is the cost
    /// of no class.
    #[cold]
    #[inline(never)]
    pub fn see_attempt(&mut self, lenses: &Lenses, of: &Seen, outcome: Outcome, cost: u64, shadow: bool) {
        for &i in lenses.of_class(of.class) {
            let (lens, tally) = (&lenses.all[i as usize], &mut self.lenses[i as usize]);
            if lens.spans(of.arrived) && lens.takes(of.provider) && lens.is_of(of) {
                tally.attempts[outcome.index()] += 1;
                // A caller's request brings its bill along when it ends.
                let is_of_all = lens.takes_everything() && lens.hits.is_none();
                let is_billed_here = match lens.provider {
                    Some(_) => !shadow || is_of_all,
                    None => shadow && is_of_all,
                };
                if is_billed_here {
                    tally.cost += u128::from(cost);
                }
            }
        }
    }
}

impl Lens {
    fn spans(&self, at: Time) -> bool {
        self.from <= at && at < self.until
    }

    /// Whether it counts every class and every tag.
    fn takes_everything(&self) -> bool {
        self.classes.is_none() && self.tags.is_none()
    }

    /// Whether it looks at requests like this one, as far as tags and the response cache are concerned.
    fn is_of(&self, of: &Seen) -> bool {
        self.tags.as_ref().is_none_or(|some| some[of.tags as usize]) && self.hits.is_none_or(|hits| hits == of.is_hit)
    }

    fn takes(&self, provider: u32) -> bool {
        self.provider.is_none_or(|own| own == provider as usize)
    }
}
