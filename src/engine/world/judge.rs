//! Judged answers, which are accepted, or rejected and asked for again; and graded answers, from which a policy learns.
//!
//! Whether an answer is good is drawn once for each attempt, with the quality that its provider has for the class. The
//! judge does not see that: it accepts a good answer and a bad one with probabilities of its own. The quality that is
//! reported of an accepted answer is the probability that it is good given the acceptance (Bayes' rule). The caller
//! gets nothing before the judge has seen the whole answer, so its first token comes with its last.

use crate::engine::event::Event;
use crate::kernel::chance::{Purpose, unit};
use crate::kernel::time::{Span, Time};
use crate::words::UNRATED;
use crate::words::{Ended, Outcome};

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
        let request = &mut self.requests[slot];
        request.notes = call.notes.get();
        request.quality = UNJUDGED;
        let Some(judge) = judge else { return false };
        let quality = self.scenario.fleet[way.provider as usize].provider.quality[usize::from(request.ask.class)];
        let key = request.key.attempt(u64::from(way.number));
        let is_good = quality == UNRATED || is_good(key.draw(Purpose::Good), quality);
        let takes = if is_good { judge.takes_good } else { judge.takes_bad };
        request.turned_down = unit(key.draw(Purpose::Judge)) >= takes;
        request.quality = if request.turned_down {
            given(quality, 1.0 - judge.takes_good, 1.0 - judge.takes_bad)
        } else {
            given(quality, judge.takes_good, judge.takes_bad)
        };
        if judge.keeps {
            // Of two answers kept as a last resort the later wins: it comes from the better model.
            request.kept = way.provider;
            request.kept_quality = request.quality;
        }
        request.hedge_at = Time::NEVER;
        request.cost = request.cost.saturating_add(judge.cost);
        request.place = Place::Between;
        let deadline = request.deadline;
        if request.arrived >= self.scenario.window.warmup {
            self.tally.judging += u128::from(judge.cost);
        }
        self.retry_over(slot);
        if judge.looks == Span::ZERO {
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
        request.same = false;
        request.memory = 0;
        if request.arrived >= self.scenario.window.warmup {
            self.tally.effort.escalations += 1;
        }
        self.route(slot);
    }

    /// A copy of `ended` with the answer's grade, if it is graded.
    pub(super) fn graded(&self, slot: u32, ended: &Ended) -> Ended {
        let way = &self.attempts[slot].way;
        let quality = self.scenario.fleet[ended.provider].provider.quality[usize::from(ended.class)];
        let key = self.requests[way.request].key.attempt(u64::from(way.number));
        let asked =
            ended.outcome == Outcome::Success && quality != UNRATED && key.draw(Purpose::Grade) <= self.wants.grades;
        Ended {
            grade: asked.then(|| is_good(key.draw(Purpose::Good), quality)),
            ..*ended
        }
    }
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
