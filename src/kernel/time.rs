//! Simulated time: integer nanoseconds, so that sums are exact and the order of events is total.
//!
//! [`Time`] is an instant since the start of a replication, [`Span`] a duration. They cannot be mixed up, and
//! neither can be negative. 64 bits of nanoseconds are 584 years.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};

use serde::{Deserialize, Serialize};

/// An instant of simulated time, in nanoseconds since the start of the replication.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Time(u64);

/// A length of simulated time, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span(u64);

impl Time {
    /// The instant at which every replication starts.
    pub const ZERO: Time = Time(0);
    /// Later than any event: used for "not scheduled".
    pub const NEVER: Time = Time(u64::MAX);

    /// The instant `nanos` nanoseconds after the start.
    #[inline]
    pub const fn from_nanos(nanos: u64) -> Time {
        Time(nanos)
    }

    /// Nanoseconds since the start of the replication.
    #[inline]
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// Seconds since the start of the replication.
    #[inline]
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// Seconds from `origin` to this instant; negative if it is the earlier one.
    #[inline]
    pub fn seconds_after(self, origin: Time) -> f64 {
        (i128::from(self.0) - i128::from(origin.0)) as f64 / 1e9
    }

    /// The time passed since `earlier`; zero if `earlier` is later.
    #[inline]
    pub const fn since(self, earlier: Time) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Span {
    /// The span of length zero.
    pub const ZERO: Span = Span(0);
    /// Longer than anything: used for "no limit".
    pub const FOREVER: Span = Span(u64::MAX);

    /// A span of `nanos` nanoseconds.
    #[inline]
    pub const fn from_nanos(nanos: u64) -> Span {
        Span(nanos)
    }

    /// A span of `millis` milliseconds.
    #[inline]
    pub const fn from_millis(millis: u64) -> Span {
        Span(millis * 1_000_000)
    }

    /// A span of `secs` whole seconds.
    #[inline]
    pub const fn from_secs(secs: u64) -> Span {
        Span(secs * 1_000_000_000)
    }

    /// A span of `secs` seconds, rounded to the nearest nanosecond; negative and NaN become zero, too long becomes
    /// [`Span::FOREVER`].
    #[inline]
    pub fn from_seconds_f64(secs: f64) -> Span {
        // A float-to-integer cast saturates and maps NaN to 0.
        Span((secs * 1e9 + 0.5) as u64)
    }

    /// The length of this span in nanoseconds.
    #[inline]
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// The length of this span in seconds.
    #[inline]
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// This span `n` times over, capped at [`Span::FOREVER`].
    #[inline]
    pub const fn times(self, n: u64) -> Span {
        Span(self.0.saturating_mul(n))
    }
}

impl Add<Span> for Time {
    type Output = Time;
    #[inline]
    fn add(self, span: Span) -> Time {
        Time(self.0.saturating_add(span.0))
    }
}

impl AddAssign<Span> for Time {
    #[inline]
    fn add_assign(&mut self, span: Span) {
        *self = *self + span;
    }
}

impl Add for Span {
    type Output = Span;
    #[inline]
    fn add(self, other: Span) -> Span {
        Span(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Span {
    #[inline]
    fn add_assign(&mut self, other: Span) {
        *self = *self + other;
    }
}

impl Sub for Span {
    type Output = Span;
    #[inline]
    fn sub(self, other: Span) -> Span {
        Span(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for Span {
    /// Three significant digits in the unit that a person would choose: `250ms`, `1.5s`, `10m`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scale, unit) = match self.0 {
            0 => return f.write_str("0s"),
            n if n < 1_000 => (1.0, "ns"),
            n if n < 1_000_000 => (1e3, "us"),
            n if n < 1_000_000_000 => (1e6, "ms"),
            n if n < 120_000_000_000 => (1e9, "s"),
            n if n < 7_200_000_000_000 => (60e9, "m"),
            n if n < 172_800_000_000_000 => (3600e9, "h"),
            _ => (86_400e9, "d"),
        };
        let value = self.0 as f64 / scale;
        let digits = if value >= 100.0 {
            0
        } else if value >= 10.0 {
            1
        } else {
            2
        };
        let text = format!("{value:.digits$}");
        let text = if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.')
        } else {
            &text
        };
        write!(f, "{text}{unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_never_goes_below_zero_nor_wraps() {
        let early = Time::from_nanos(5);
        assert_eq!(early.since(Time::from_nanos(9)), Span::ZERO);
        assert_eq!(Time::NEVER + Span::from_secs(1), Time::NEVER);
        let origin = Time::from_nanos(2_500_000_000);
        assert_eq!([Time::ZERO, origin].map(|t| t.seconds_after(origin)), [-2.5, 0.0]);
    }

    #[test]
    fn odd_floats_become_legal_spans() {
        assert_eq!(Span::from_seconds_f64(-1.0), Span::ZERO);
        assert_eq!(Span::from_seconds_f64(f64::NAN), Span::ZERO);
        assert_eq!(Span::from_seconds_f64(f64::INFINITY), Span::FOREVER);
        assert_eq!(Span::from_seconds_f64(1.5e-9), Span::from_nanos(2));
    }

    #[test]
    fn spans_read_as_a_person_writes_them() {
        let shown: Vec<_> = [
            0,
            250_000_000,
            1_500_000_000,
            600_000_000_000,
            86_400_000_000_000,
            12_345,
        ]
        .map(|n| Span::from_nanos(n).to_string())
        .into();
        assert_eq!(shown, ["0s", "250ms", "1.5s", "10m", "24h", "12.3us"]);
    }
}
