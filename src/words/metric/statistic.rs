//! What is asked of a quantity: the mean or a percentile of a distribution, one outcome among all, or the number itself.

use std::fmt;

use super::Takes;
use crate::words::Outcome;

/// What is asked of a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Statistic {
    /// The number itself, of a quantity that is one.
    Whole,
    /// A percentile of the distribution.
    Percentile(Percentile),
    /// The mean of the distribution.
    Mean,
    /// The share that ended with this outcome.
    Outcome(Outcome),
}

/// A percentile, strictly between 0 and 100, in millionths of a percent: what a file says in at most six decimals is kept as
/// it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percentile(u32);

/// Millionths in a percent, and the decimals that they give.
const PER_PERCENT: u32 = 1_000_000;
const DECIMALS: usize = 6;

impl Percentile {
    /// The percentile of a number as it is written after the `p`: `95`, `99.9`.
    pub fn read(text: &str) -> Option<Percentile> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str, most| (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole, 2) || !digits(decimals, DECIMALS) {
            return None;
        }
        let millionths: u32 = format!("{decimals:0<DECIMALS$}").parse().ok()?;
        let all = whole.parse::<u32>().ok()? * PER_PERCENT + millionths;
        (all > 0).then_some(Percentile(all))
    }

    /// The share of values at or below it, strictly between 0 and 1: the number nearest to what is written.
    pub const fn share(self) -> f64 {
        self.0 as f64 / (100 * PER_PERCENT) as f64
    }
}

impl fmt::Display for Percentile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, millionths) = (self.0 / PER_PERCENT, self.0 % PER_PERCENT);
        if millionths == 0 {
            write!(f, "p{whole}")
        } else {
            let decimals = format!("{millionths:0DECIMALS$}");
            write!(f, "p{whole}.{}", decimals.trim_end_matches('0'))
        }
    }
}

impl Statistic {
    /// A percentile of whole percent: 1 to 99.
    pub(super) const fn percent(percent: u32) -> Statistic {
        Statistic::Percentile(Percentile(percent * PER_PERCENT))
    }

    /// The percentile that it is, if it is one.
    pub const fn percentile(self) -> Option<Percentile> {
        match self {
            Statistic::Percentile(percentile) => Some(percentile),
            Statistic::Whole | Statistic::Mean | Statistic::Outcome(_) => None,
        }
    }

    /// Whether a quantity that takes this can be asked for it.
    pub const fn suits(self, takes: Takes) -> bool {
        match self {
            Statistic::Whole => matches!(takes, Takes::Nothing),
            Statistic::Percentile(_) | Statistic::Mean => matches!(takes, Takes::Statistic),
            Statistic::Outcome(_) => matches!(takes, Takes::Outcome),
        }
    }

    /// What a file says after the dot, for a quantity that takes this.
    pub(super) fn read(text: &str, takes: Takes) -> Option<Statistic> {
        match takes {
            Takes::Nothing => None,
            Takes::Statistic if text == "mean" => Some(Statistic::Mean),
            Takes::Statistic => Percentile::read(text.strip_prefix('p')?).map(Statistic::Percentile),
            Takes::Outcome => (Outcome::ALL.into_iter())
                .find(|outcome| outcome.name() == text)
                .map(Statistic::Outcome),
        }
    }
}

impl fmt::Display for Statistic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Statistic::Whole => Ok(()),
            Statistic::Percentile(percentile) => percentile.fmt(f),
            Statistic::Mean => f.write_str("mean"),
            Statistic::Outcome(outcome) => f.write_str(outcome.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_number_that_is_written() {
        for (text, share, shown) in [
            ("50", 0.5, "p50"),
            ("95", 0.95, "p95"),
            ("99.9", 0.999, "p99.9"),
            ("99.90", 0.999, "p99.9"),
            ("05", 0.05, "p5"),
            ("0.000001", 1e-8, "p0.000001"),
            ("99.999999", 0.999_999_99, "p99.999999"),
        ] {
            let read = Percentile::read(text).unwrap();
            assert_eq!((read.share(), read.to_string().as_str()), (share, shown));
        }
    }

    #[test]
    fn what_is_not_between_0_and_100_is_no_percentile() {
        for text in [
            "0",
            "100",
            "0.0",
            "",
            ".",
            "9.",
            ".9",
            "-1",
            "+5",
            "5e1",
            "99.9999999",
            "9 9",
            "٩",
        ] {
            assert_eq!(Percentile::read(text), None, "{text}");
        }
    }
}
