//! A replication over time: counts in equal bins of simulated time.
//!
//! Warm-up is included: the series is what shows whether it was cut rightly. An end is counted in the bin in which it
//! happens; what ends after the window goes uncounted. The number of bins is fixed, so memory is too.

use serde::{Deserialize, Serialize};

use crate::kernel::time::{Span, Time};

/// The number of bins of a replication.
pub const BINS: usize = 120;

/// Counts over time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Series {
    width: Span,
    current: usize,
    current_ends: Time,
    bins: Vec<Bin>,
    /// Attempts sent, by bin and provider.
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
    /// Nanoseconds from arrival to end, added up over the requests that succeeded.
    pub e2e: u128,
    /// Requests in the system at the bin's end.
    pub in_system: u64,
}

impl Series {
    /// Creates empty bins from the start to `end`, for `providers` providers.
    pub fn new(end: Time, providers: usize) -> Series {
        let width = Span::from_nanos(end.nanos().div_ceil(BINS as u64).max(1));
        Series {
            width,
            current: 0,
            current_ends: Time::ZERO + width,
            bins: vec![Bin::default(); BINS],
            sent: vec![0; BINS * providers],
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
        self.current_ends = if self.current < BINS {
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

    /// All bins in the order of time.
    pub fn bins(&self) -> &[Bin] {
        &self.bins
    }

    /// Attempts sent in bin `bin`, by provider.
    pub fn sent(&self, bin: usize) -> &[u64] {
        &self.sent[bin * self.providers..(bin + 1) * self.providers]
    }

    /// The length of one bin.
    pub fn width(&self) -> Span {
        self.width
    }

    /// Whether it has as many bins as it should, for one that was read.
    pub(super) fn is_whole(&self) -> bool {
        self.bins.len() == BINS && self.providers.checked_mul(BINS) == Some(self.sent.len())
    }

    /// Adds the counts of another replication of the same scenario.
    pub fn merge(&mut self, other: &Series) {
        for (a, b) in self.bins.iter_mut().zip(&other.bins) {
            a.arrivals += b.arrivals;
            a.successes += b.successes;
            a.failures += b.failures;
            a.e2e += b.e2e;
            a.in_system += b.in_system;
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
        let mut series = Series::new(Time::from_nanos(1200), 2);
        assert_eq!(series.current_ends(), Time::from_nanos(10));
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
