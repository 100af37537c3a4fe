//! What a model file says of its own worth: how well it predicted measurements.
//!
//! `simcap validate` writes [`Calibration`], and reports quote it by [`Calibration::sentence`]. A variant without it is uncalibrated,
//! and every report says so. What a variant was fitted to is in [`super::domain`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::form::named::Named;
use crate::form::units::Fraction;
use crate::words::grouped;

/// A file of measurements.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogFile {
    /// The name of the file.
    pub name: String,
    /// SHA-256 of the file's bytes, in hexadecimal.
    pub sha256: String,
}

/// How well a simulation of the same schedule predicted measurements.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// The day of the validation.
    pub date: String,
    /// The files of measurements that the model was compared with.
    pub files: Vec<LogFile>,
    /// Whether the model was fitted to none of these observations, as far as it says.
    pub held_out: bool,
    /// The number of observations that the model was compared with.
    pub probes: u64,
    /// Requests a second while they were sent. Default: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// The relative error that still counts as equal.
    pub margin: Fraction,
    /// The verdict over all metrics.
    pub verdict: Agreement,
    /// The scores of `ttft`, `tpot` and `e2e`: those that were measured.
    pub metrics: Named<Score>,
}

/// Whether prediction and measurement agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Agreement {
    /// The error lies within the margin.
    Equivalent,
    /// The measurements do not say.
    CannotTell,
    /// The error lies beyond the margin.
    NotEquivalent,
}

impl Agreement {
    /// The verdict in words.
    pub const fn words(self) -> &'static str {
        match self {
            Agreement::Equivalent => "equivalent",
            Agreement::CannotTell => "cannot tell",
            Agreement::NotEquivalent => "not equivalent",
        }
    }
}

/// How well one quantity was predicted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Score {
    /// The number of requests in which the quantity was measured.
    pub n: u64,
    /// The greatest distance between the two distribution functions (Kolmogorov and Smirnov).
    pub ks: f64,
    /// The scores of the percentiles.
    pub quantiles: Vec<QuantileScore>,
}

/// How well one percentile was predicted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QuantileScore {
    /// The percentile as a share: 0.95 is p95.
    pub q: f64,
    /// The predicted value, in seconds.
    pub predicted: f64,
    /// The measured value, in seconds.
    pub measured: f64,
    /// The relative error: predicted over measured, less 1.
    pub error: f64,
    /// The 90 % interval of the relative error, whose two ends are the two one-sided tests at 5 %; none from too few
    /// measurements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<(f64, f64)>,
    /// The verdict of the two one-sided tests.
    pub verdict: Agreement,
}

impl QuantileScore {
    /// The largest error that the measurements leave possible: the farther end of the interval.
    pub fn at_most(&self) -> Option<f64> {
        self.interval.map(|(lo, hi)| lo.abs().max(hi.abs()))
    }
}

impl Calibration {
    /// What reports quote: "p95 TTFT predicted within 3 % (1,200 held-out probes, 2026-11-21): equivalent within 10 %". The
    /// percentile is the highest of TTFT (or else of the whole request) up to p95 that the measurements allow to be judged.
    pub fn sentence(&self) -> String {
        let judged = |s: &Score| {
            let upto = s.quantiles.iter().filter(|q| q.q <= 0.95);
            let found = upto.filter_map(|q| Some((q.q, q.at_most()?)));
            found.max_by(|a, b| a.0.total_cmp(&b.0))
        };
        let first = [("ttft", "TTFT"), ("e2e", "E2E")]
            .into_iter()
            .find_map(|(name, title)| {
                let (q, error) = judged(self.metrics.get(name)?)?;
                Some(format!("p{:.0} {title} predicted within {}", q * 100.0, percent(error)))
            });
        let told = match self.verdict {
            Agreement::CannotTell => "too few to tell",
            judged => judged.words(),
        };
        let at = self.rate.map_or(String::new(), |rate| format!(" at {rate}/s"));
        let held_out = if self.held_out { "held-out" } else { "not held-out" };
        format!(
            "{} ({} {held_out} probes{at}, {}): {told} within {}",
            first.unwrap_or_else(|| "too few measurements for a percentile".to_owned()),
            grouped(&self.probes.to_string()),
            self.date,
            percent(self.margin.get()),
        )
    }
}

/// A share in percent, rounded up to a whole one: no error is told smaller than it is.
fn percent(share: f64) -> String {
    format!("{:.0} %", (share * 100.0 - 1e-9).ceil().max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calibration(quantiles: Vec<QuantileScore>) -> Calibration {
        let score = Score {
            n: 1200,
            ks: 0.02,
            quantiles,
        };
        Calibration {
            date: "2026-11-21".into(),
            files: Vec::new(),
            held_out: true,
            probes: 1200,
            rate: None,
            margin: Fraction::new(0.1).unwrap(),
            verdict: Agreement::Equivalent,
            metrics: [("ttft".to_owned(), score)].into_iter().collect(),
        }
    }

    fn quantile(q: f64, interval: Option<(f64, f64)>) -> QuantileScore {
        QuantileScore {
            q,
            predicted: 1.0,
            measured: 1.0,
            error: 0.0,
            interval,
            verdict: Agreement::Equivalent,
        }
    }

    #[test]
    fn the_sentence_claims_no_more_than_the_interval_allows() {
        let c = calibration(vec![
            quantile(0.5, Some((0.0, 0.01))),
            quantile(0.95, Some((-0.021, 0.028))),
            quantile(0.99, Some((-0.2, 0.2))),
        ]);
        assert_eq!(
            c.sentence(),
            "p95 TTFT predicted within 3 % (1,200 held-out probes, 2026-11-21): equivalent within 10 %"
        );
        let few = calibration(vec![quantile(0.5, Some((0.0, 0.04))), quantile(0.95, None)]);
        let at_a_rate = Calibration {
            rate: Some(3.6),
            ..few.clone()
        };
        assert!(
            at_a_rate
                .sentence()
                .contains("(1,200 held-out probes at 3.6/s, 2026-11-21)")
        );
        assert!(few.sentence().starts_with("p50 TTFT predicted within 4 % ("));
        assert!(
            calibration(Vec::new())
                .sentence()
                .starts_with("too few measurements for a percentile (")
        );
    }
}
