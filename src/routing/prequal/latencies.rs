//! The latency of a provider at about a given number of requests in flight: what Prequal's servers keep of themselves.

use crate::kernel::time::{Span, Time};

/// The number of answers that are kept.
const KEPT: usize = 32;

/// The last answers of one provider.
#[derive(Clone, Debug)]
pub(super) struct Latencies {
    samples: [Sample; KEPT],
    number: usize,
    next: usize,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Time,
    latency: Span,
    rif: u32,
}

impl Latencies {
    pub(super) const NEW: Latencies = Latencies {
        samples: [Sample {
            at: Time::ZERO,
            latency: Span::ZERO,
            rif: 0,
        }; KEPT],
        number: 0,
        next: 0,
    };

    #[inline]
    pub(super) fn push(&mut self, rif: u32, latency: Span, at: Time) {
        self.samples[self.next] = Sample { at, latency, rif };
        self.next = (self.next + 1) % KEPT;
        self.number = (self.number + 1).min(KEPT);
    }

    /// The median latency of the `recent` answers whose number of requests in flight was `rif` ± 1; if there are none,
    /// of those at the nearest number; 0 without answers.
    #[inline]
    pub(super) fn at(&self, rif: u32, now: Time, recent: Span) -> Span {
        let mut near = [Span::ZERO; KEPT];
        let (mut number, mut reach) = (0, u32::MAX);
        for sample in &self.samples[..self.number] {
            let away = sample.rif.abs_diff(rif).max(1);
            if away > reach || now.since(sample.at) > recent {
                continue;
            }
            if away < reach {
                (number, reach) = (0, away);
            }
            near[number] = sample.latency;
            number += 1;
        }
        if number == 0 {
            return Span::ZERO;
        }
        *near[..number].select_nth_unstable(number / 2).1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `prequal-server`'s own test, in milliseconds.
    #[test]
    fn the_median_is_of_recent_answers_nearby() {
        let ms = Span::from_millis;
        let at = |t: u64| Time::ZERO + ms(t);
        let mut latencies = Latencies::NEW;
        latencies.push(5, ms(1000), at(0));
        for (rif, latency) in [(4, 10), (5, 30), (6, 20), (9, 999)] {
            latencies.push(rif, ms(latency), at(150));
        }
        assert_eq!(latencies.at(5, at(200), ms(100)), ms(20));
        assert_eq!(latencies.at(20, at(200), ms(100)), ms(999), "the nearest there is");
        assert_eq!(latencies.at(5, at(10_000), ms(100)), Span::ZERO);
    }

    #[test]
    fn old_answers_are_overwritten() {
        let mut latencies = Latencies::NEW;
        for i in 0..40 {
            latencies.push(2, Span::from_millis(i), Time::ZERO);
        }
        // 8 to 39.
        assert_eq!(latencies.at(2, Time::ZERO, Span::from_secs(1)), Span::from_millis(24));
    }
}
