//! The critical values behind intervals: quantiles of Student's t and of the normal distribution.
//!
//! They come from `statrs`, whose logarithms and exponentials are the platform's: their last bits change with the
//! processor and the system library. So every value is rounded to nine significant digits, which is more than an interval
//! can use and less than the platforms agree on; it is then the same everywhere, but for the rare value (about 1 in 10^5)
//! that lies within their disagreement of a rounding boundary.
//!
//! `statrs` 0.19 loses digits from about 2,000 degrees of freedom on (0.3 % of the value at a million), so beyond 1,000
//! the quantile comes from the normal one by the series of Fisher and Cornish (Abramowitz and Stegun 26.7.5).

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Gamma, Normal, StudentsT};

/// Degrees of freedom up to which `statrs` is trusted.
const EXACT_DF: usize = 1000;

/// A two-sided confidence level: the share of intervals that must hold the true value.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Confidence(f64);

/// A confidence level outside its range.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("a confidence level is a number from 0.5 to 0.9999, such as 0.95; found {0}")]
pub struct BadConfidence(pub f64);

impl Confidence {
    /// The confidence level of 90 %.
    pub const P90: Confidence = Confidence(0.90);
    /// The confidence level of 95 %, the default.
    pub const P95: Confidence = Confidence(0.95);
    /// The confidence level of 99 %.
    pub const P99: Confidence = Confidence(0.99);

    /// A level from 0.5 to 0.9999; anything else, NaN included, is an error.
    pub fn new(level: f64) -> Result<Confidence, BadConfidence> {
        if (0.5..=0.9999).contains(&level) {
            Ok(Confidence(level))
        } else {
            Err(BadConfidence(level))
        }
    }

    /// The level that each of `intervals` simultaneous intervals needs for all together to have this one (Bonferroni).
    #[must_use]
    pub fn shared_by(self, intervals: usize) -> Confidence {
        Confidence(1.0 - (1.0 - self.0) / intervals.max(1) as f64)
    }

    /// The level as a share, such as 0.95.
    pub fn level(self) -> f64 {
        self.0
    }

    /// The probability left out on each side, such as 0.025.
    pub fn tail(self) -> f64 {
        (1.0 - self.0) / 2.0
    }

    /// Student's t such that the middle of the distribution with `df` degrees of freedom holds this level; infinite for
    /// `df = 0`, where no interval is finite.
    pub fn t(self, df: usize) -> f64 {
        if df > EXACT_DF {
            return nine_digits(t_from_normal(self.deviate(), df as f64));
        }
        StudentsT::new(0.0, 1.0, df as f64).map_or(f64::INFINITY, |t| nine_digits(-t.inverse_cdf(self.tail())))
    }

    /// The upper limit of a Poisson mean of which one event was seen: with more, so few would be seen too seldom (the exact limits of Garwood,
    /// *Biometrika* 28, 1936).
    pub fn most_of_one(self) -> f64 {
        let events = Gamma::new(2.0, 1.0);
        events.map_or(f64::INFINITY, |events| {
            nine_digits(events.inverse_cdf(1.0 - self.tail()))
        })
    }

    /// The standard normal deviate such that the middle of the distribution holds this level.
    pub fn z(self) -> f64 {
        nine_digits(self.deviate())
    }

    /// The normal deviate with all its digits.
    fn deviate(self) -> f64 {
        -Normal::standard().inverse_cdf(self.tail())
    }
}

impl Default for Confidence {
    fn default() -> Confidence {
        Confidence::P95
    }
}

impl TryFrom<f64> for Confidence {
    type Error = BadConfidence;
    fn try_from(level: f64) -> Result<Confidence, BadConfidence> {
        Confidence::new(level)
    }
}

impl From<Confidence> for f64 {
    fn from(confidence: Confidence) -> f64 {
        confidence.0
    }
}

/// The probability that Student's t with `df` degrees of freedom is further from zero than `t`; to nine digits, as the critical values.
/// `df` is at least 1.
pub fn two_sided(t: f64, df: usize) -> f64 {
    let beyond = if df > EXACT_DF {
        // Fisher's first term brings t to a normal deviate, good to 1e-6 of the probability from 1,000 degrees of freedom up.
        let df = df as f64;
        Normal::standard().cdf(-t.abs() * (1.0 - 1.0 / (4.0 * df)) / (1.0 + t * t / (2.0 * df)).sqrt())
    } else {
        StudentsT::new(0.0, 1.0, df as f64).map_or(0.5, |dist| dist.cdf(-t.abs()))
    };
    nine_digits(2.0 * beyond)
}

/// Student's t from the normal deviate of the same probability; good to ten digits from 1,000 degrees of freedom up.
fn t_from_normal(z: f64, df: f64) -> f64 {
    let s = z * z;
    let g1 = (s + 1.0) / 4.0;
    let g2 = ((5.0 * s + 16.0) * s + 3.0) / 96.0;
    let g3 = (((3.0 * s + 19.0) * s + 17.0) * s - 15.0) / 384.0;
    let g4 = ((((79.0 * s + 776.0) * s + 1482.0) * s - 1920.0) * s - 945.0) / 92_160.0;
    z * (1.0 + (g1 + (g2 + (g3 + g4 / df) / df) / df) / df)
}

/// Rounds to nine significant digits, by way of decimal text because that is exact on every platform.
fn nine_digits(x: f64) -> f64 {
    format!("{x:.8e}").parse().unwrap_or(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_event_allows_a_mean_of_five_and_a_half() {
        // scipy.stats.chi2.ppf([0.75, 0.95, 0.975, 0.995], 4) / 2
        for (level, most) in [
            (0.5, 2.69263453),
            (0.9, 4.74386452),
            (0.95, 5.57164339),
            (0.99, 7.43012950),
        ] {
            let found = Confidence::new(level).unwrap().most_of_one();
            assert!((found / most - 1.0).abs() < 1e-8, "{level}: {found}");
        }
    }

    // python3 tests/oracle/stats.py critical
    const T: [(usize, f64, f64); 7] = [
        (1, 12.7062047, 63.6567412),
        (2, 4.30265273, 9.9248432),
        (5, 2.57058184, 4.03214298),
        (9, 2.26215716, 3.24983554),
        (29, 2.04522964, 2.7563859),
        (99, 1.98421695, 2.62640546),
        (999, 1.96234146, 2.58075964),
    ];

    #[test]
    fn student_t_agrees_with_scipy_to_nine_digits() {
        for (df, at_975, at_995) in T {
            assert_eq!(
                (Confidence::P95.t(df), Confidence::P99.t(df)),
                (at_975, at_995),
                "df {df}"
            );
        }
    }

    #[test]
    fn student_t_holds_at_the_ends_of_the_range() {
        let (low, high) = (Confidence(0.5), Confidence(0.9999));
        assert_eq!((low.t(1), high.t(1)), (1.0, 6366.19767));
        assert_eq!((low.t(1_000_000), high.t(1_000_000)), (0.674489996, 3.89060758));
    }

    #[test]
    fn student_t_agrees_with_scipy_on_both_sides_of_the_series() {
        assert_eq!(
            [1000, 1001, 100_000].map(|df| Confidence::P95.t(df)),
            [1.96233908, 1.96233671, 1.95998771]
        );
        assert_eq!(
            [1000, 1001].map(|df| Confidence(0.9999).t(df)),
            [3.90634374, 3.90632794]
        );
    }

    #[test]
    fn probabilities_agree_with_scipy() {
        // 2 * scipy.stats.t.sf(t, df)
        for (t, df, p) in [
            (2.0, 3, 0.13932596855884374),
            (5.0, 19, 7.949974998417639e-05),
            (0.0, 7, 1.0),
            (3.0, 5000, 0.002713109024285791),
        ] {
            assert!(
                (two_sided(t, df) - p).abs() < 2e-6 * p + 1e-12,
                "{t} {df}: {}",
                two_sided(t, df)
            );
        }
    }

    #[test]
    fn the_normal_deviate_agrees_with_scipy_to_nine_digits() {
        let levels = [
            Confidence(0.5),
            Confidence::P90,
            Confidence::P95,
            Confidence::P99,
            Confidence(0.9999),
        ];
        assert_eq!(
            levels.map(Confidence::z),
            [0.67448975, 1.64485363, 1.95996398, 2.5758293, 3.89059189]
        );
    }

    #[test]
    fn no_degrees_of_freedom_leave_everything_possible() {
        assert_eq!(Confidence::P95.t(0), f64::INFINITY);
    }

    #[test]
    fn a_level_that_is_none_is_refused_and_says_what_is_allowed() {
        assert!(
            [0.0, 0.49, 1.0, 95.0]
                .iter()
                .all(|&level| Confidence::new(level).is_err())
        );
        assert!(Confidence::new(f64::NAN).is_err());
        let error = serde_json::from_str::<Confidence>("95").unwrap_err().to_string();
        assert!(
            error.contains("from 0.5 to 0.9999") && error.contains("found 95"),
            "{error}"
        );
    }
}
