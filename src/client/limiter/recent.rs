//! The number of recent calls, and of those that went well: slices of a rolling window in a fixed ring.
//!
//! As in Envoy's admission control a slice begins with the first call after the one before has lasted its time, and is
//! forgotten whole, `window` after it began.

use crate::kernel::time::{Span, Time};

/// Two counts over a rolling window.
#[derive(Clone, Debug)]
pub(super) struct Recent {
    ring: Box<[Slice]>,
    first: usize,
    used: usize,
    window: Span,
    slice: Span,
    total: Counts,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slice {
    began: Time,
    counts: Counts,
}

/// The number of calls, and of those that went well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) calls: u64,
    pub(super) good: u64,
}

impl Recent {
    /// An empty window. A `window` is at most some thousand slices, and a slice is longer than 0.
    pub(super) fn new(window: Span, slice: Span) -> Recent {
        // Slices begin at least a slice apart, and all within the last window.
        let most = window.nanos().div_ceil(slice.nanos().max(1)) + 1;
        Recent {
            ring: vec![Slice::default(); most as usize].into_boxed_slice(),
            first: 0,
            used: 0,
            window,
            slice,
            total: Counts::default(),
        }
    }

    /// The counts in the window at `now`.
    #[inline]
    pub(super) fn at(&mut self, now: Time) -> Counts {
        while self.used > 0 && now.since(self.ring[self.first].began) >= self.window {
            let gone = self.ring[self.first].counts;
            self.total.calls -= gone.calls;
            self.total.good -= gone.good;
            self.first = self.place(1);
            self.used -= 1;
        }
        self.total
    }

    /// The beginning of the oldest slice in the window.
    pub(super) fn oldest(&self) -> Option<Time> {
        (self.used > 0).then(|| self.ring[self.first].began)
    }

    /// Adds calls to the newest slice.
    #[inline]
    pub(super) fn add(&mut self, now: Time, calls: u64, good: u64) {
        self.at(now);
        if self.used == 0 || now.since(self.ring[self.place(self.used - 1)].began) >= self.slice {
            self.used += 1;
            self.ring[self.place(self.used - 1)] = Slice {
                began: now,
                counts: Counts::default(),
            };
        }
        let newest = self.place(self.used - 1);
        let counts = &mut self.ring[newest].counts;
        counts.calls += calls;
        counts.good += good;
        self.total.calls += calls;
        self.total.good += good;
    }

    /// The index in the ring of the slice `n` after the first.
    #[inline]
    fn place(&self, n: usize) -> usize {
        let place = self.first + n;
        if place < self.ring.len() {
            place
        } else {
            place - self.ring.len()
        }
    }
}

/// The share of many requests that `limiter` turns away at `now`.
#[cfg(test)]
pub(super) fn rejected(limiter: &mut dyn super::Limiter, now: Time) -> f64 {
    let n = 100_000;
    let rejected = (0..n).filter(|&id| {
        let ask = crate::words::Ask {
            id,
            ..crate::words::Ask::default()
        };
        limiter.ready(now, &ask) == super::Ready::Rejected
    });
    rejected.count() as f64 / n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand, a window of 3 s in slices of 1 s: slices begin at 0.5, 1.5 and 2.9 s, and go at 3.5, 4.5 and 5.9 s.
    #[test]
    fn slices_begin_with_a_call_and_go_whole() {
        let at = |ms: u64| Time::ZERO + Span::from_millis(ms);
        let mut it = Recent::new(Span::from_secs(3), Span::from_secs(1));
        for (ms, good) in [(500, 1), (1_400, 0), (1_500, 1), (2_499, 1), (2_900, 0)] {
            it.add(at(ms), 1, good);
        }
        for (ms, calls, good, oldest) in [
            (3_499, 5, 3, Some(500)),
            (3_500, 3, 2, Some(1_500)),
            (4_499, 3, 2, Some(1_500)),
            (4_500, 1, 0, Some(2_900)),
            (5_900, 0, 0, None),
        ] {
            assert_eq!(
                (it.at(at(ms)), it.oldest()),
                (Counts { calls, good }, oldest.map(at)),
                "{ms}"
            );
        }
        for ms in 6_000..20_000 {
            it.add(at(ms), 1, 0);
        }
        assert_eq!(it.at(at(19_999)).calls, 3_000);
    }
}
