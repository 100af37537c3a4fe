//! An alternating renewal process of gaps and stretches of time, generated as time goes on.
//!
//! Gaps and stretches have a law each, and every draw comes from the key of the provider's own randomness, in order of
//! time: all policies meet the same stretches, however often they ask. A replication begins in the midst of the
//! process: it has run for a hundred mean cycles, and an even share of one more, before the replication starts, so that
//! the first hour is like any other hour and not always the beginning of a gap.

use rand::Rng;

use crate::form::build::{Built, Refusal};
use crate::kernel::chance::{Key, Purpose, Stream, unit};
use crate::kernel::law::Law;
use crate::kernel::sampler::Sampler;
use crate::kernel::time::{Span, Time};

/// Mean cycles that pass before a replication starts.
const BEFORE: f64 = 100.0;
/// The shortest and the longest mean cycle, in nanoseconds: a second and a year.
const CYCLES: std::ops::RangeInclusive<f64> = 1e9..=3.1536e16;

/// The laws of gaps and stretches, before any replication.
#[derive(Clone, Debug)]
pub(super) struct Stretches {
    gap: Sampler,
    length: Sampler,
    /// The mean of a gap and a stretch together, in nanoseconds.
    cycle: f64,
}

impl Stretches {
    /// Creates gaps and stretches of these laws, in nanoseconds.
    ///
    /// # Errors
    /// If a mean is infinite, or both together are below a second or above a year.
    pub(super) fn new(gap: &dyn Law, length: &dyn Law) -> Built<Stretches> {
        let cycle = gap.mean() + length.mean();
        if !CYCLES.contains(&cycle) {
            return Err(Refusal::new(format!(
                "one comes every {} s in the mean: must be 1 s to 365 days",
                cycle / 1e9
            )));
        }
        Ok(Stretches {
            gap: Sampler::of(gap),
            length: Sampler::of(length),
            cycle,
        })
    }

    /// The timeline that the key `own` determines.
    pub(super) fn timeline(&self, own: Key) -> Timeline {
        let mut stream = own.stream(Purpose::Weather);
        let before = Span::from_nanos(((BEFORE + unit(stream.next_u64())) * self.cycle) as u64);
        Timeline {
            laws: self.clone(),
            stream,
            before,
            turns: Time::ZERO,
            stretch: Some(0),
        }
    }
}

/// The gaps and stretches of one replication, generated up to the current time.
#[derive(Clone, Debug)]
pub(super) struct Timeline {
    laws: Stretches,
    stream: Stream,
    /// How long the process has run when the replication starts. The process's clock is ahead by that much.
    before: Span,
    /// When the current gap or stretch ends, on the process's clock.
    turns: Time,
    /// The uniform draw of the current stretch; `None` in a gap.
    stretch: Option<u64>,
}

impl Timeline {
    /// The uniform draw of the stretch at `now`, if there is one. Times never go back from one call to the next.
    #[inline]
    pub(super) fn at(&mut self, now: Time) -> Option<u64> {
        let now = now + self.before;
        while now >= self.turns && self.turns != Time::NEVER {
            self.turn();
        }
        self.stretch
    }

    fn turn(&mut self) {
        let law = if self.stretch.is_some() {
            self.stretch = None;
            &self.laws.gap
        } else {
            self.stretch = Some(self.stream.next_u64());
            &self.laws.length
        };
        let lasts = (law.at(self.stream.next_u64()) + 0.5) as u64;
        self.turns += Span::from_nanos(lasts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::chance::Chance;
    use crate::kernel::law::{Exponential, Gamma, Uniform};

    const SECOND: f64 = 1e9;

    fn timeline(of: &Stretches, replication: u64) -> Timeline {
        of.timeline(Chance::new(3, replication).surroundings(0))
    }

    /// Renewal theory: the share of time in stretches is the mean stretch over the mean cycle, at the start as at any time.
    /// Four standard deviations of a share of 0.25 among 4,000 are 0.027.
    #[test]
    fn a_replication_begins_in_the_midst_of_it() {
        let gap = Gamma::new(30.0 * SECOND, 0.25, 0.0).unwrap();
        let length = Uniform::new(0.0, 20.0 * SECOND).unwrap();
        let of = Stretches::new(&gap, &length).unwrap();
        for secs in [0, 1, 7, 100] {
            let inside = (0..4000)
                .filter(|&r| {
                    let now = Time::from_nanos(secs * 1_000_000_000);
                    timeline(&of, r).at(now).is_some()
                })
                .count();
            let share = inside as f64 / 4000.0;
            assert!((share - 0.25).abs() < 0.027, "at {secs} s: {share}");
        }
    }

    /// The index of dispersion of counts, variance over mean, tends to the squared coefficient of variation of a cycle:
    /// 1 for exponential gaps, 4 for gamma gaps of shape 1/4.
    #[test]
    fn stretches_cluster_as_their_gaps_vary() {
        let short = Uniform::new(0.0, 0.001 * SECOND).unwrap();
        let laws: [(&dyn Law, f64); 2] = [
            (&Exponential::new(10.0 * SECOND, 0.0).unwrap(), 1.0),
            (&Gamma::new(10.0 * SECOND, 0.25, 0.0).unwrap(), 4.0),
        ];
        for (gap, expected) in laws {
            let of = Stretches::new(gap, &short).unwrap();
            let counts: Vec<f64> = (0..1500)
                .map(|r| {
                    let mut it = timeline(&of, r);
                    it.at(Time::ZERO);
                    let end = Time::ZERO + it.before + Span::from_secs(5000);
                    let mut count = 0.0;
                    while it.turns < end {
                        it.turn();
                        count += f64::from(u8::from(it.stretch.is_some()));
                    }
                    count
                })
                .collect();
            let mean = counts.iter().sum::<f64>() / 1500.0;
            let variance = counts.iter().map(|c| (c - mean).powi(2)).sum::<f64>() / 1499.0;
            let dispersion = variance / mean;
            assert!((mean - 500.0).abs() < 5.0, "{mean}");
            // The standard error of a variance among 1,500 is 3.7 %.
            assert!(
                (dispersion / expected - 1.0).abs() < 0.15,
                "{dispersion}, not {expected}"
            );
        }
    }

    #[test]
    fn who_asks_seldom_meets_the_same_stretches_as_who_asks_often() {
        let gap = Exponential::new(20.0 * SECOND, 0.0).unwrap();
        let length = Exponential::new(10.0 * SECOND, 0.0).unwrap();
        let of = Stretches::new(&gap, &length).unwrap();
        let (mut often, mut seldom) = (timeline(&of, 1), timeline(&of, 1));
        let mut other = timeline(&of, 2);
        let mut differs = false;
        for secs in 0..10_000 {
            let now = Time::from_nanos(secs * 1_000_000_000);
            let met = often.at(now);
            if secs % 37 == 0 {
                assert_eq!(met, seldom.at(now), "at {secs} s");
                differs |= met != other.at(now);
            }
        }
        assert!(differs, "another replication has its own");
    }
}
