//! Judged answers, which are accepted, or rejected and asked for again; and graded answers, from which a policy learns.
//!
//! Whether an answer is good is drawn once for each attempt, with the quality that its provider has for the class and, where answers
//! hang together ([`crate::engine::ties`]), with the difficulty of the request, which is drawn once for all attempts at it. The
//! judge does not see either: it accepts a good answer and a bad one with probabilities of its own. The quality that is
//! reported of an accepted answer is the probability that it is good given the acceptance (Bayes' rule) and, if earlier answers to
//! its request were turned down, given that ([`super::belief`]). The caller gets nothing before the judge has seen the whole
//! answer, so its first token comes with its last. An answer that is handed over because nothing better followed has the quality
//! that it was thought to have when it was turned down.

use crate::client::retry::To;
use crate::engine::event::Event;
use crate::engine::tally::Supposed;
use crate::engine::ties::SUPPOSED;
use crate::engine::watch::What;
use crate::kernel::chance::{Purpose, inner_unit, unit};
use crate::kernel::copula;
use crate::kernel::time::{Span, Time};
use crate::routing::Judge;
use crate::words::UNRATED;
use crate::words::{Ended, Outcome};

use super::belief::{AnswerOf, Thoughts};
use super::{Place, UNJUDGED, Way, World};

impl World<'_> {
    /// Handles the complete answer to the attempt that went this `way`. Returns whether a judge looks at it: then its
    /// decision has been scheduled.
    #[inline(never)]
    pub(super) fn is_looked_at(&mut self, way: Way) -> bool {
        let slot = way.request;
        let request = &self.requests[slot];
        let call = request.call(false);
        let judge = self.gateways[usize::from(request.gateway)].policy.judge(&call);
        let class = usize::from(request.ask.class);
        let quality = self.scenario.fleet[way.provider as usize].provider.quality[class];
        let request = &mut self.requests[slot];
        request.notes = call.notes.get();
        request.quality = UNJUDGED;
        request.supposed = false;
        let Some(judge) = judge else {
            if request.doubted && quality != UNRATED {
                self.think(way, quality, None);
            }
            return false;
        };
        let key = request.key.attempt(u64::from(way.number));
        let is_good = quality == UNRATED || self.is_good(way, quality);
        let request = &mut self.requests[slot];
        let takes = if judge.hard > 0.0 {
            judge.takes(is_good, inner_unit(request.key.draw(Purpose::Difficulty)))
        } else if is_good {
            judge.takes_good
        } else {
            judge.takes_bad
        };
        request.turned_down = unit(key.draw(Purpose::Judge)) >= takes;
        self.think(way, quality, Some(&judge));
        let request = &mut self.requests[slot];
        if judge.keeps {
            // Of two answers kept as a last resort the later wins: it comes from the better model.
            request.kept = way.provider;
            request.kept_quality = request.quality;
            request.kept_supposed = request.supposed;
            if request.supposed {
                self.supposed[slot as usize][KEPT] = self.supposed[slot as usize][NOW];
            }
        }
        request.hedge_at = Time::NEVER;
        request.cost = request.cost.saturating_add(judge.cost);
        request.place = Place::Between;
        let deadline = request.deadline;
        if request.arrived >= self.scenario.window.warmup {
            self.tally.judging += u128::from(judge.cost);
        }
        self.note(slot, |_| What::Looked {
            looks: judge.looks,
            cost: judge.cost,
        });
        self.retry_over(slot);
        if judge.looks == Span::ZERO && !(self.is_impatient && self.now >= deadline) {
            self.judged(slot);
        } else {
            self.push_unless_late(slot, self.now + judge.looks, deadline, Event::Judged(slot));
        }
        true
    }

    /// Handles the judge's decision on the answer to the request in `slot`: the caller gets it, or the request is
    /// routed again.
    pub(super) fn judged(&mut self, slot: u32) {
        let request = &mut self.requests[slot];
        if !request.turned_down {
            let ttft = self.now.since(request.arrived);
            self.finish_request(slot, Outcome::Success, ttft);
            return self.admit();
        }
        request.turned_down = false;
        request.failure = Outcome::Success;
        request.rejected = request.rejected.saturating_add(1);
        request.tries = 0;
        request.to = To::Anew;
        request.memory = 0;
        if request.arrived >= self.scenario.window.warmup {
            self.tally.effort.escalations += 1;
        }
        self.note(slot, |_| What::TurnedDown);
        self.route(slot);
    }

    /// A copy of `ended` with the answer's grade, if it is graded.
    pub(super) fn graded(&self, slot: u32, ended: &Ended) -> Ended {
        let way = self.attempts[slot].way;
        let quality = self.scenario.fleet[ended.provider].provider.quality[usize::from(ended.class)];
        let key = self.requests[way.request].key.attempt(u64::from(way.number));
        let asked =
            ended.outcome == Outcome::Success && quality != UNRATED && key.draw(Purpose::Grade) <= self.wants.grades;
        Ended {
            grade: asked.then(|| self.is_good(way, quality)),
            ..*ended
        }
    }

    /// Whether the answer to the attempt that went this `way` is good, of a known `quality` in millionths.
    fn is_good(&self, way: Way, quality: u32) -> bool {
        let request = &self.requests[way.request];
        let draw = request.key.attempt(u64::from(way.number)).draw(Purpose::Good);
        let loading = (self.scenario.ties).loading(way.provider as usize, usize::from(request.ask.class));
        if loading == 0.0 {
            return is_good(draw, quality);
        }
        let difficulty = inner_unit(request.key.draw(Purpose::Difficulty));
        unit(draw) < copula::given(f64::from(quality) / 1e6, loading, difficulty)
    }

    /// Notes what is thought of the answer of `quality` millionths to the attempt that went this `way`, now that its `judge`, if it has
    /// one, has accepted it or turned it down; and what that tells of the request's next answer.
    fn think(&mut self, way: Way, quality: u32, judge: Option<&Judge>) {
        let slot = way.request;
        let request = &mut self.requests[slot];
        let (doubted, turned_down) = (request.doubted, request.turned_down);
        if let Some(judge) = judge {
            // What is turned down is so with one less the probabilities.
            request.quality = if turned_down {
                given(quality, 1.0 - judge.takes_good, 1.0 - judge.takes_bad)
            } else {
                given(quality, judge.takes_good, judge.takes_bad)
            };
        }
        let hard = judge.map_or(0.0, |judge| judge.hard);
        let tells = judge.is_some_and(Judge::tells);
        if quality == UNRATED || !(doubted || tells) {
            return;
        }
        let answer = AnswerOf {
            provider: way.provider as usize,
            class: usize::from(request.ask.class),
        };
        let scenario = self.scenario;
        if doubted || hard > 0.0 {
            let verdict = judge.map(|judge| (judge, !turned_down));
            let thoughts = self.beliefs.thoughts(scenario, slot, doubted, answer, verdict);
            let is_tied = scenario.ties.loading(answer.provider, answer.class) > 0.0;
            let request = &mut self.requests[slot];
            request.supposed = true;
            if is_tied || hard > 0.0 {
                request.quality = (thoughts[0].quality * 1e6 + 0.5) as u32;
            }
            if slot as usize >= self.supposed.len() {
                self.supposed.resize(slot as usize + 1, Default::default());
            }
            self.supposed[slot as usize][NOW] = supposed(&thoughts);
        }
        if let (Some(judge), true, true) = (judge, tells, turned_down) {
            self.beliefs.turned_down(scenario, slot, doubted, answer, judge);
            self.requests[slot].doubted = true;
        }
    }

    /// Counts what a request of `class` that ended well in `slot`, with an answer of `quality` millionths, would be worth under other
    /// correlations.
    #[inline(never)]
    pub(super) fn suppose(&mut self, slot: u32, class: u16, quality: u32) {
        let request = &self.requests[slot];
        let hangs = request.supposed;
        let all = if hangs {
            self.supposed[slot as usize][NOW]
        } else {
            [Supposed::certain(quality); SUPPOSED.len()]
        };
        self.tally.classes[usize::from(class)].suppose(&all, hangs);
    }
}

/// Where what is supposed of the answer just given is kept, and where that of the answer kept as a last resort.
const NOW: usize = 0;
pub(super) const KEPT: usize = 1;

/// What is thought under the correlations that are not simulated, in whole numbers.
fn supposed(thoughts: &Thoughts) -> [Supposed; SUPPOSED.len()] {
    std::array::from_fn(|i| {
        let thought = &thoughts[1 + i];
        Supposed {
            weight: (thought.weight * 1e6 + 0.5) as u64,
            quality: (thought.weight * thought.quality * 1e6 + 0.5) as u64,
        }
    })
}

/// Draws whether an answer of `quality` millionths is good.
fn is_good(draw: u64, quality: u32) -> bool {
    unit(draw) * 1e6 < f64::from(quality)
}

/// The probability, in millionths, that an answer of prior `quality` is good, given an event that has probability
/// `if_good` for a good answer and `if_bad` for a bad one.
fn given(quality: u32, if_good: f64, if_bad: f64) -> u32 {
    if quality == UNRATED {
        return UNRATED;
    }
    let q = f64::from(quality) / 1e6;
    let (good, bad) = (q * if_good, (1.0 - q) * if_bad);
    if good + bad > 0.0 {
        (good / (good + bad) * 1e6 + 0.5) as u32
    } else {
        quality
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_judge_says_changes_what_is_thought_of_an_answer() {
        assert_eq!(given(500_000, 0.9, 0.1), 900_000);
        assert_eq!(given(800_000, 0.9, 0.4), 900_000);
        assert_eq!(
            given(800_000, 0.5, 0.5),
            800_000,
            "a judge that tosses a coin tells nothing"
        );
        assert_eq!(given(0, 0.9, 0.0), 0, "what cannot happen tells nothing");
        assert_eq!(given(UNRATED, 0.9, 0.1), UNRATED);
    }

    #[test]
    fn an_answer_is_as_often_good_as_its_quality_says() {
        assert!(!is_good(0, 0) && is_good(u64::MAX, 1_000_000));
        assert!(is_good(1 << 62, 250_001) && !is_good(1 << 62, 250_000));
    }
}
