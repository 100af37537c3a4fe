//! A figure with its confidence interval, or the reason why it has none.
//!
//! Replications are independent, so their mean has a Student t interval (Law, *Simulation Modeling and Analysis*, ch. 9).
//! A proportion has Wilson's score interval (Wilson 1927), which stays inside 0..=1 and does not collapse at either end. How
//! many samples a quantile needs is the distribution-free bound of order statistics. Left out: intervals from one long run
//! (batch means) and simultaneous intervals for many figures; each interval here stands for itself.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize};

pub use super::critical::{BadConfidence, Confidence};
use super::moments::Moments;

/// A figure with its confidence interval, whose ends need not lie at equal distances.
///
/// A replication in which the figure does not exist (the time to recover, where nothing recovered) is counted in `undefined`
/// and takes no further part: the estimate is then about the replications that do have the figure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Estimate {
    /// The figure; NaN when no replication defines it, and infinite where it is larger than any number: a percentile beyond
    /// which only requests lie that never got their answer.
    pub value: f64,
    /// The lower end of the interval; `None` when it cannot be known. Infinite when the whole interval is.
    pub lo: Option<f64>,
    /// The upper end of the interval; `None` when it cannot be known, or there is none.
    pub hi: Option<f64>,
    /// The number of replications that define the figure.
    pub n: usize,
    /// The number of replications that do not define the figure.
    pub undefined: usize,
}

/// How an estimate stands in a file: JSON has neither NaN nor infinity.
#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Estimate")]
struct Written {
    /// The figure; null when no replication defines it, and where `infinite` says that it is larger than any number.
    value: Option<f64>,
    /// The lower end of the confidence interval; null when it cannot be known.
    lo: Option<f64>,
    /// The upper end of the confidence interval; null when it cannot be known, or there is none.
    hi: Option<f64>,
    /// The number of replications that define the figure.
    n: usize,
    /// The number of replications that do not define the figure.
    #[serde(default)]
    undefined: usize,
    /// What of it is larger than any number, because too many requests never got their answer: the figure, or its whole interval.
    /// Absent where everything is finite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    infinite: Option<Infinite>,
}

/// What of an estimate is larger than any number.
#[derive(Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Infinite {
    /// The figure, while its interval holds finite values too.
    Value,
    /// The figure and its whole interval.
    Interval,
}

impl From<Estimate> for Written {
    fn from(it: Estimate) -> Written {
        let finite = |x: f64| x.is_finite().then_some(x);
        Written {
            value: finite(it.value),
            lo: it.lo.and_then(finite),
            hi: it.hi.and_then(finite),
            n: it.n,
            undefined: it.undefined,
            infinite: match it.lo {
                Some(f64::INFINITY) => Some(Infinite::Interval),
                _ if it.value == f64::INFINITY => Some(Infinite::Value),
                _ => None,
            },
        }
    }
}

impl From<Written> for Estimate {
    fn from(it: Written) -> Estimate {
        let (value, lo) = match it.infinite {
            Some(Infinite::Interval) => (f64::INFINITY, Some(f64::INFINITY)),
            Some(Infinite::Value) => (f64::INFINITY, it.lo),
            None => (it.value.unwrap_or(f64::NAN), it.lo),
        };
        Estimate {
            value,
            lo,
            hi: it.hi,
            n: it.n,
            undefined: it.undefined,
        }
    }
}

impl JsonSchema for Estimate {
    fn schema_name() -> Cow<'static, str> {
        Written::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Written::json_schema(generator)
    }
}

impl Estimate {
    /// A figure that does not exist.
    pub const NONE: Estimate = Estimate {
        value: f64::NAN,
        lo: None,
        hi: None,
        n: 0,
        undefined: 0,
    };

    /// The Student t interval of one figure per replication, in the order of replications. `None` and numbers that are
    /// not finite mean that the replication does not define the figure.
    pub fn of_replications(values: impl IntoIterator<Item = Option<f64>>, confidence: Confidence) -> Estimate {
        let mut of = Values::default();
        values.into_iter().for_each(|value| of.add(value));
        of.estimate(confidence)
    }

    /// A figure with an interval that reaches as far to either side; without one if `half_width` is not finite.
    pub fn symmetric(value: f64, half_width: Option<f64>, n: usize, undefined: usize) -> Estimate {
        let half_width = half_width.filter(|half_width| half_width.is_finite());
        Estimate {
            value,
            lo: half_width.map(|half_width| value - half_width),
            hi: half_width.map(|half_width| value + half_width),
            n,
            undefined,
        }
    }

    /// The figure and its interval times `times`, over `over`; both above zero.
    #[must_use]
    pub fn scaled(self, times: f64, over: f64) -> Estimate {
        Estimate {
            value: self.value * times / over,
            lo: self.lo.map(|lo| lo * times / over),
            hi: self.hi.map(|hi| hi * times / over),
            ..self
        }
    }

    /// Half the width of the interval, if it has two finite ends.
    pub fn half_width(&self) -> Option<f64> {
        let (lo, hi) = self.lo.zip(self.hi)?;
        Some((hi - lo) / 2.0).filter(|half_width| half_width.is_finite())
    }

    /// Half the width as a share of the figure: how precise the estimate is. `None` without an interval, or at 0.
    pub fn relative_half_width(&self) -> Option<f64> {
        self.half_width()
            .map(|half_width| half_width / self.value.abs())
            .filter(|share| share.is_finite())
    }

    /// Why there is no interval, as a clause for a reader; `None` when there is one.
    pub fn why_no_interval(&self) -> Option<String> {
        if self.lo.is_some() || self.hi.is_some() {
            return None;
        }
        Some(match (self.n, self.undefined) {
            (0, 0) => "there were no replications".into(),
            (0, undefined) => format!("none of the {undefined} replications defines this figure"),
            (1, 0) => "one replication says nothing about spread: run at least 2".into(),
            (1, undefined) => format!("only 1 of {} replications defines this figure", undefined + 1),
            _ if self.value.is_nan() => {
                "one of the two has no end: too many of its requests never got their answer".into()
            }
            _ => "the values are too large for their spread to be computed".into(),
        })
    }
}

/// The values of one figure, replication after replication: all that their [`Estimate`] needs of them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Values {
    moments: Moments,
    undefined: usize,
}

impl Values {
    /// Takes the value of one more replication, as in [`Estimate::of_replications`].
    pub fn add(&mut self, value: Option<f64>) {
        match value.filter(|value| value.is_finite()) {
            Some(value) => self.moments.add(value),
            None => self.undefined += 1,
        }
    }

    /// The Student t interval of the values so far.
    pub fn estimate(&self, confidence: Confidence) -> Estimate {
        let n = self.moments.n() as usize;
        let half_width = self.moments.standard_error().map(|error| {
            if error > 0.0 {
                error * confidence.t(n - 1)
            } else {
                error
            }
        });
        let mean = self.moments.mean().unwrap_or(f64::NAN);
        Estimate::symmetric(mean, half_width, n, self.undefined)
    }
}

/// Wilson's score interval for the probability behind `successes` out of `trials`, both ends within 0..=1.
///
/// Assumes independent trials. No trials leave everything possible: (0, 1). More successes than trials count as all.
pub fn wilson(successes: u64, trials: u64, confidence: Confidence) -> (f64, f64) {
    if trials == 0 {
        return (0.0, 1.0);
    }
    let share = successes.min(trials) as f64 / trials as f64;
    wilson_of_share(share, trials as f64, confidence)
}

/// Wilson's score interval for a share of `n` trials, where `n` need not be whole: the effective sample size of an
/// autocorrelated series.
pub fn wilson_of_share(share: f64, n: f64, confidence: Confidence) -> (f64, f64) {
    let z2 = confidence.z() * confidence.z();
    let centre = share + z2 / (2.0 * n);
    let reach = (z2 * (share * (1.0 - share) / n + z2 / (4.0 * n * n))).sqrt();
    let scale = 1.0 + z2 / n;
    // At either end the interval touches it exactly, which rounding would miss.
    let lo = if share <= 0.0 { 0.0 } else { (centre - reach) / scale };
    let hi = if share >= 1.0 { 1.0 } else { (centre + reach) / scale };
    (lo, hi)
}

/// The fewest independent samples for which the sample's extremes bound the `q` quantile at this confidence, whatever the
/// distribution: the smallest `n` with `max(q, 1 - q)^n` at most the tail probability. With fewer, the interval would have
/// no end on the far side and the quantile is not estimable.
///
/// At 95 %: 72 for p95, 368 for p99, 3,688 for p99.9. `u64::MAX` when `q` is not strictly between 0 and 1.
pub fn min_samples_for_quantile(q: f64, confidence: Confidence) -> u64 {
    if !(q > 0.0 && q < 1.0) {
        return u64::MAX;
    }
    (libm::log(confidence.tail()) / libm::log(q.max(1.0 - q))).ceil() as u64
}

/// JSON has no NaN and writes it as null; this reads it back.
pub(crate) fn nan_if_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[Option<f64>]) -> Estimate {
        Estimate::of_replications(values.iter().copied(), Confidence::P95)
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-8 * b.abs()
    }

    #[test]
    fn the_interval_agrees_with_scipy() {
        // python3 tests/oracle/stats.py estimate
        let estimate = of(&[12.1, 11.4, 13.0, 12.7, 11.9].map(Some));
        assert!(close(estimate.value, 12.22) && close(estimate.half_width().unwrap(), 0.792138813696937));
        assert!(close(estimate.lo.unwrap(), 11.427861186303064) && close(estimate.hi.unwrap(), 13.012138813696938));
    }

    #[test]
    fn replications_without_the_figure_are_counted_and_left_out() {
        let estimate = of(&[Some(1.0), None, Some(3.0), Some(f64::NAN), Some(f64::INFINITY)]);
        assert_eq!((estimate.value, estimate.n, estimate.undefined), (2.0, 2, 3));
    }

    #[test]
    fn equal_values_have_an_interval_of_no_width() {
        let estimate = of(&[Some(0.1); 3]);
        assert_eq!(
            (estimate.lo, estimate.hi, estimate.why_no_interval()),
            (Some(0.1), Some(0.1), None)
        );
    }

    #[test]
    fn a_missing_interval_says_why() {
        let why = |values: &[Option<f64>]| of(values).why_no_interval().unwrap();
        assert_eq!(why(&[]), "there were no replications");
        assert_eq!(why(&[None, None]), "none of the 2 replications defines this figure");
        assert_eq!(
            why(&[Some(1.0)]),
            "one replication says nothing about spread: run at least 2"
        );
        assert_eq!(
            why(&[None, Some(1.0), None]),
            "only 1 of 3 replications defines this figure"
        );
        assert_eq!(
            why(&[Some(1e200), Some(-1e200)]),
            "the values are too large for their spread to be computed"
        );
    }

    #[test]
    fn precision_is_relative_to_the_mean_and_unknown_at_zero() {
        let of = |value| Estimate::symmetric(value, Some(1.0), 9, 0).relative_half_width();
        assert_eq!((of(-4.0), of(0.0)), (Some(0.25), None));
    }

    #[test]
    fn estimates_survive_json_even_without_a_mean() {
        let some = of(&[Some(1.0), None, Some(2.5)]);
        let back: Estimate = serde_json::from_str(&serde_json::to_string(&some).unwrap()).unwrap();
        assert_eq!(back, some);
        let text = serde_json::to_string(&of(&[None])).unwrap();
        assert_eq!(text, r#"{"value":null,"lo":null,"hi":null,"n":0,"undefined":1}"#);
        assert!(serde_json::from_str::<Estimate>(&text).unwrap().value.is_nan());
    }

    #[test]
    fn infinity_is_a_word_in_json() {
        for (lo, text) in [
            (
                Some(2.0),
                r#"{"value":null,"lo":2.0,"hi":null,"n":3,"undefined":0,"infinite":"value"}"#,
            ),
            (
                Some(f64::INFINITY),
                r#"{"value":null,"lo":null,"hi":null,"n":3,"undefined":0,"infinite":"interval"}"#,
            ),
        ] {
            let estimate = Estimate {
                value: f64::INFINITY,
                lo,
                n: 3,
                ..Estimate::NONE
            };
            assert_eq!(serde_json::to_string(&estimate).unwrap(), text);
            assert_eq!(serde_json::from_str::<Estimate>(text).unwrap(), estimate);
        }
    }

    #[test]
    fn wilson_agrees_with_scipy() {
        // python3 tests/oracle/stats.py wilson
        for (successes, trials, lo, hi) in [
            (0, 10, 0.0, 0.27753279986288926),
            (1, 10, 0.017876213095072896, 0.4041500267952385),
            (10, 10, 0.7224672001371109, 1.0),
            (7, 20, 0.1811918241010821, 0.5671457233147637),
            (990, 1000, 0.9816905311296852, 0.9945592455544706),
        ] {
            let found = wilson(successes, trials, Confidence::P95);
            assert!(
                close(found.0, lo) && close(found.1, hi),
                "{successes} of {trials}: {found:?}"
            );
        }
    }

    #[test]
    fn no_trials_leave_every_proportion_possible() {
        assert_eq!(wilson(0, 0, Confidence::P95), (0.0, 1.0));
    }

    #[test]
    fn a_quantile_needs_the_known_number_of_samples() {
        // python3 tests/oracle/stats.py samples
        let need = |q| min_samples_for_quantile(q, Confidence::P95);
        assert_eq!(
            [0.5, 0.9, 0.95, 0.99, 0.999, 0.01].map(need),
            [6, 36, 72, 368, 3688, 368]
        );
        assert_eq!(min_samples_for_quantile(0.99, Confidence::P99), 528);
    }

    #[test]
    fn the_ends_of_a_distribution_are_never_estimable() {
        let need = |q| min_samples_for_quantile(q, Confidence::P95);
        assert_eq!([0.0, 1.0, -1.0, f64::NAN].map(need), [u64::MAX; 4]);
    }
}
