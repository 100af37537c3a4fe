//! A replication over time: counts in equal bins of simulated time.
//!
//! The bins cover the counted time, which begins when the warm-up is over. An end is counted in the bin in which it happens; what
//! ends after the window goes uncounted, and what happens in the warm-up goes into a bin of its own that is not shown, so that
//! nothing has to be asked at each event. The number of bins is fixed, so memory is too.

use serde::{Deserialize, Serialize};

use crate::kernel::time::{Span, Time};

use super::scenario::Window;

/// The number of bins of a replication.
pub const BINS: usize = 120;

/// The number of bins with that of the warm-up.
const ALL: usize = BINS + 1;

/// Counts over time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Series {
    width: Span,
    current: usize,
    current_ends: Time,
    /// The bin of the warm-up, and those of the counted time.
    bins: Vec<Bin>,
    /// Attempts sent, by bin, that of the warm-up first, and provider.
    sent: Vec<u64>,
    providers: usize,
}

/// What happened in one bin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bin {
    /// Requests that arrived in the bin.
    pub arrivals: u64,
    /// Requests that succeeded in the bin.
    pub successes: u64,
    /// Requests that failed in the bin.
    pub failures: u64,
    /// Attempts that ended as `rate_limited` in the bin.
    pub limited: u64,
    /// Nanoseconds from arrival to end, added up over the requests that succeeded.
    pub e2e: u128,
    /// Pico-dollars for the requests that ended in the bin.
    pub cost: u128,
    /// Requests in the system at the bin's end.
    pub in_system: u64,
}

impl Bin {
    /// Adds the counts of another bin.
    pub fn merge(&mut self, other: &Bin) {
        self.arrivals += other.arrivals;
        self.successes += other.successes;
        self.failures += other.failures;
        self.limited += other.limited;
        self.e2e += other.e2e;
        self.cost += other.cost;
        self.in_system += other.in_system;
    }

    /// The mean nanoseconds from arrival to end of the requests that succeeded in the bin.
    pub fn e2e_mean(&self) -> Option<f64> {
        (self.successes > 0).then(|| self.e2e as f64 / self.successes as f64)
    }

    /// The share that failed of the requests that ended in the bin.
    pub fn error_share(&self) -> Option<f64> {
        let ended = self.successes + self.failures;
        (ended > 0).then(|| self.failures as f64 / ended as f64)
    }

    /// The mean pico-dollars for a request that ended in the bin.
    pub fn cost_each(&self) -> Option<f64> {
        let ended = self.successes + self.failures;
        (ended > 0).then(|| self.cost as f64 / ended as f64)
    }
}

impl Series {
    /// Creates empty bins for the counted part of `window`, for `providers` providers.
    pub fn new(window: Window, providers: usize) -> Series {
        let width = Span::from_nanos(window.counted().nanos().div_ceil(BINS as u64).max(1));
        let warms_up = window.warmup > Time::ZERO;
        Series {
            width,
            current: usize::from(!warms_up),
            current_ends: if warms_up { window.warmup } else { Time::ZERO + width },
            bins: vec![Bin::default(); ALL],
            sent: vec![0; ALL * providers],
            providers,
        }
    }

    /// The end of the current bin; [`Time::NEVER`] after the last bin.
    #[inline]
    pub fn current_ends(&self) -> Time {
        self.current_ends
    }

    /// Closes the current bin, with `in_system` requests in the system.
    pub fn close_bin(&mut self, in_system: usize) {
        if let Some(bin) = self.bins.get_mut(self.current) {
            bin.in_system = in_system as u64;
        }
        self.current += 1;
        self.current_ends = if self.current < ALL {
            self.current_ends + self.width
        } else {
            Time::NEVER
        };
    }

    /// The bin that the current time is in; `None` once the window is over.
    #[inline]
    pub fn bin(&mut self) -> Option<&mut Bin> {
        self.bins.get_mut(self.current)
    }

    /// Counts an attempt sent to `provider`.
    #[inline]
    pub fn send(&mut self, provider: usize) {
        if let Some(count) = self.sent.get_mut(self.current * self.providers + provider) {
            *count += 1;
        }
    }

    /// The bins of the counted time in order.
    pub fn bins(&self) -> &[Bin] {
        &self.bins[1..]
    }

    /// Attempts sent in bin `bin` of the counted time, by provider.
    pub fn sent(&self, bin: usize) -> &[u64] {
        &self.sent[(bin + 1) * self.providers..(bin + 2) * self.providers]
    }

    /// The length of one bin.
    pub fn width(&self) -> Span {
        self.width
    }

    /// A figure of each bin; where there is none, that of the bin before, and of the first that has one before that. Empty if none
    /// has any.
    pub fn filled(&self, of: impl Fn(&Bin) -> Option<f64>) -> Vec<f64> {
        let Some(mut last) = self.bins().iter().find_map(&of) else {
            return Vec::new();
        };
        let carry = |bin: &Bin| {
            last = of(bin).unwrap_or(last);
            last
        };
        self.bins().iter().map(carry).collect()
    }

    /// Whether it has as many bins as it should, for one that was read.
    pub(super) fn is_whole(&self) -> bool {
        self.bins.len() == ALL && self.providers.checked_mul(ALL) == Some(self.sent.len())
    }

    /// Adds the counts of another replication of the same scenario.
    pub fn merge(&mut self, other: &Series) {
        for (a, b) in self.bins.iter_mut().zip(&other.bins) {
            a.merge(b);
        }
        for (a, b) in self.sent.iter_mut().zip(&other.sent) {
            *a += b;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_cover_the_window_and_no_more() {
        let window = |warmup| Window {
            warmup: Time::from_nanos(warmup),
            end: Time::from_nanos(warmup + 1200),
        };
        let mut series = Series::new(window(0), 2);
        assert_eq!(series.current_ends(), Time::from_nanos(10));
        let mut warm = Series::new(window(35), 2);
        assert_eq!(warm.current_ends(), Time::from_nanos(35));
        warm.send(0);
        warm.close_bin(7);
        assert_eq!((warm.current_ends(), warm.sent(0)), (Time::from_nanos(45), &[0, 0][..]));
        assert_eq!(warm.bins().len(), BINS);
        for i in 0..BINS {
            series.send(1);
            if let Some(bin) = series.bin() {
                bin.arrivals += 1;
            }
            series.close_bin(i);
        }
        assert_eq!((series.current_ends(), series.bin()), (Time::NEVER, None));
        series.send(0);
        assert!(
            series
                .bins()
                .iter()
                .enumerate()
                .all(|(i, b)| b.arrivals == 1 && b.in_system == i as u64)
        );
        assert_eq!(series.sent(BINS - 1), [0, 1]);
    }
}
