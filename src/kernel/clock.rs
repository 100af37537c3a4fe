//! Clocks that add up how long something was at its bound.
//!
//! [`BoundClock`] is told when the bound is reached and when it is left. [`SpanClock`] is for spans that are known in
//! advance: it counts overlapping spans once, and can be read before they have ended.

use std::collections::VecDeque;

use super::time::{Span, Time};

/// Adds up how long something was at its bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BoundClock {
    total: Span,
    since: Option<Time>,
}

impl BoundClock {
    /// Records that the bound is reached. Has no effect if it was reached already.
    #[inline(always)]
    pub fn enter(&mut self, now: Time) {
        self.since.get_or_insert(now);
    }

    /// Records that the bound is left. Has no effect if it was not reached.
    #[inline]
    pub fn leave(&mut self, now: Time) {
        if let Some(since) = self.since.take() {
            self.total += now.since(since);
        }
    }

    /// The total time at the bound, up to `now`.
    pub fn total(&self, now: Time) -> Span {
        self.total + self.since.map_or(Span::ZERO, |since| now.since(since))
    }
}

/// Adds up spans of time that are known when they begin or earlier; where they overlap, the time counts once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpanClock {
    /// The total length of the merged spans that have ended.
    before: Span,
    /// Merged spans, each from its start to its end, that may not have ended; in order, disjoint.
    runs: VecDeque<(Time, Time)>,
}

impl SpanClock {
    /// Adds the span from `from` to `until`, which becomes known at `now`. `from` must not be earlier than that of the
    /// previous span.
    #[inline]
    pub fn add(&mut self, now: Time, from: Time, until: Time) {
        if let Some((_, last)) = self.runs.back_mut()
            && from <= *last
        {
            *last = until.max(*last);
            return;
        }
        while let Some(&(began, ended)) = self.runs.front()
            && ended <= now
        {
            self.before += ended.since(began);
            self.runs.pop_front();
        }
        self.runs.push_back((from, until.max(from)));
    }

    /// The total time covered by the spans, up to `now`.
    pub fn total(&self, now: Time) -> Span {
        let part = |&(from, until): &(Time, Time)| until.min(now).since(from);
        self.runs.iter().map(part).fold(self.before, |sum, part| sum + part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_spans_have_in_common_counts_once_and_only_what_is_over() {
        let mut clock = SpanClock::default();
        let at = Time::from_nanos;
        for (from, until) in [(10, 20), (12, 15), (15, 25), (25, 30), (40, 40), (50, 60)] {
            clock.add(at(from), at(from), at(until));
        }
        let read = [49, 50, 53, 60, 100].map(|now| clock.total(at(now)).nanos());
        assert_eq!(read, [20, 20, 23, 30, 30]);
        let mut first = SpanClock::default();
        first.add(at(10), at(10), Time::NEVER);
        assert_eq!([5, 10, 17].map(|now| first.total(at(now)).nanos()), [0, 0, 7]);
    }

    /// Two spans that are known long before they begin, and a reading between them and before the second.
    #[test]
    fn what_is_still_to_come_does_not_count_yet() {
        let mut clock = SpanClock::default();
        let at = Time::from_nanos;
        for (from, until) in [(10, 20), (30, 40), (50, 60)] {
            clock.add(at(1), at(from), at(until));
        }
        let read = [5, 15, 25, 35, 100].map(|now| clock.total(at(now)).nanos());
        assert_eq!(read, [0, 5, 10, 15, 30]);
    }
}
