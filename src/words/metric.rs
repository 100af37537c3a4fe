//! The figures of merit: what each is called in files and by people, what it is counted in, and which way is better.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Code, Unit};

/// A figure of merit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Metric {
    /// Median time to first token.
    #[serde(rename = "ttft.p50")]
    TtftP50,
    /// 95th percentile of time to first token.
    #[serde(rename = "ttft.p95")]
    TtftP95,
    /// 99th percentile of time to first token.
    #[serde(rename = "ttft.p99")]
    TtftP99,
    /// Mean time to first token.
    #[serde(rename = "ttft.mean")]
    TtftMean,
    /// Median time from arrival to last token.
    #[serde(rename = "e2e.p50")]
    E2eP50,
    /// Its 95th percentile.
    #[serde(rename = "e2e.p95")]
    E2eP95,
    /// Its 99th percentile.
    #[serde(rename = "e2e.p99")]
    E2eP99,
    /// Its mean.
    #[serde(rename = "e2e.mean")]
    E2eMean,
    /// Median wait in the client.
    #[serde(rename = "wait.p50")]
    WaitP50,
    /// Its 95th percentile.
    #[serde(rename = "wait.p95")]
    WaitP95,
    /// Its 99th percentile.
    #[serde(rename = "wait.p99")]
    WaitP99,
    /// Its mean.
    #[serde(rename = "wait.mean")]
    WaitMean,
    /// Share of requests that did not succeed.
    #[serde(rename = "error_rate")]
    ErrorRate,
    /// Requests that succeed, a second, within the counted time.
    #[serde(rename = "throughput")]
    Throughput,
    /// Of those, the ones within every latency objective.
    #[serde(rename = "goodput")]
    Goodput,
    /// Attempts for each request.
    #[serde(rename = "attempts_per_request")]
    Attempts,
    /// Dollars for 1,000 requests, failed ones included.
    #[serde(rename = "cost_per_1k")]
    CostPer1k,
    /// Dollars for a month of this traffic.
    #[serde(rename = "cost_per_month")]
    CostPerMonth,
    /// Mean probability that an answer given is a good one.
    #[serde(rename = "quality")]
    Quality,
}

impl Metric {
    /// Whether it is a percentile, which a histogram gives to the width of its buckets.
    pub const fn is_percentile(self) -> bool {
        use Metric::{E2eP50, E2eP95, E2eP99, TtftP50, TtftP95, TtftP99, WaitP50, WaitP95, WaitP99};
        matches!(
            self,
            TtftP50 | TtftP95 | TtftP99 | E2eP50 | E2eP95 | E2eP99 | WaitP50 | WaitP95 | WaitP99
        )
    }

    /// Every figure of merit, in the order of tables.
    pub const ALL: [Metric; 19] = [
        Metric::TtftP50,
        Metric::TtftP95,
        Metric::TtftP99,
        Metric::TtftMean,
        Metric::E2eP50,
        Metric::E2eP95,
        Metric::E2eP99,
        Metric::E2eMean,
        Metric::WaitP50,
        Metric::WaitP95,
        Metric::WaitP99,
        Metric::WaitMean,
        Metric::ErrorRate,
        Metric::Throughput,
        Metric::Goodput,
        Metric::Attempts,
        Metric::CostPer1k,
        Metric::CostPerMonth,
        Metric::Quality,
    ];

    /// Its name in files.
    pub const fn name(self) -> &'static str {
        match self {
            Metric::TtftP50 => "ttft.p50",
            Metric::TtftP95 => "ttft.p95",
            Metric::TtftP99 => "ttft.p99",
            Metric::TtftMean => "ttft.mean",
            Metric::E2eP50 => "e2e.p50",
            Metric::E2eP95 => "e2e.p95",
            Metric::E2eP99 => "e2e.p99",
            Metric::E2eMean => "e2e.mean",
            Metric::WaitP50 => "wait.p50",
            Metric::WaitP95 => "wait.p95",
            Metric::WaitP99 => "wait.p99",
            Metric::WaitMean => "wait.mean",
            Metric::ErrorRate => "error_rate",
            Metric::Throughput => "throughput",
            Metric::Goodput => "goodput",
            Metric::Attempts => "attempts_per_request",
            Metric::CostPer1k => "cost_per_1k",
            Metric::CostPerMonth => "cost_per_month",
            Metric::Quality => "quality",
        }
    }

    /// Its name for people.
    pub const fn title(self) -> &'static str {
        match self {
            Metric::TtftP50 => "TTFT p50",
            Metric::TtftP95 => "TTFT p95",
            Metric::TtftP99 => "TTFT p99",
            Metric::TtftMean => "TTFT mean",
            Metric::E2eP50 => "E2E p50",
            Metric::E2eP95 => "E2E p95",
            Metric::E2eP99 => "E2E p99",
            Metric::E2eMean => "E2E mean",
            Metric::WaitP50 => "wait p50",
            Metric::WaitP95 => "wait p95",
            Metric::WaitP99 => "wait p99",
            Metric::WaitMean => "wait mean",
            Metric::ErrorRate => "errors",
            Metric::Throughput => "throughput",
            Metric::Goodput => "goodput",
            Metric::Attempts => "attempts / request",
            Metric::CostPer1k => "$ / 1,000 requests",
            Metric::CostPerMonth => "$ / month",
            Metric::Quality => "quality",
        }
    }

    /// What it is counted in.
    pub const fn unit(self) -> Unit {
        match self {
            Metric::ErrorRate | Metric::Quality => Unit::Share,
            Metric::Throughput | Metric::Goodput => Unit::PerSecond,
            Metric::CostPer1k | Metric::CostPerMonth => Unit::Dollars,
            Metric::Attempts => Unit::Number,
            _ => Unit::Seconds,
        }
    }

    /// What it is counted in where all money is in `currency`.
    pub const fn unit_in(self, currency: Option<Code>) -> Unit {
        match (self.unit(), currency) {
            (Unit::Dollars, Some(code)) => Unit::Money(code),
            (unit, _) => unit,
        }
    }

    /// Its name for people where all money is in `currency`.
    pub fn title_in(self, currency: Option<Code>) -> Cow<'static, str> {
        match (self.title(), currency) {
            (title, Some(code)) if title.starts_with('$') => title.replacen('$', &code.to_string(), 1).into(),
            (title, _) => title.into(),
        }
    }

    /// Whether less of it is better.
    pub const fn lower_is_better(self) -> bool {
        !matches!(self, Metric::Throughput | Metric::Goodput | Metric::Quality)
    }

    /// The percentile that it is, from 0 to 1, if it is one.
    pub const fn percentile(self) -> Option<f64> {
        match self {
            Metric::TtftP50 | Metric::E2eP50 | Metric::WaitP50 => Some(0.5),
            Metric::TtftP95 | Metric::E2eP95 | Metric::WaitP95 => Some(0.95),
            Metric::TtftP99 | Metric::E2eP99 | Metric::WaitP99 => Some(0.99),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_have_one_name_each() {
        for metric in Metric::ALL {
            assert_eq!(
                serde_json::to_string(&metric).unwrap(),
                format!("\"{}\"", metric.name())
            );
        }
    }
}
