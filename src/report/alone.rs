//! What single replications are like: how widely one day differs from another, beside how well the mean of all is known.
//!
//! A mean may be known to 1 % and every tenth day be twice as dear. Intervals of figures say the first; what is here says the second.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::table::{Cell, Table, Tone};
use super::text::clean;
use super::{Metric, Report, Unit, format};
use crate::stats::interval::nan_if_null;

/// A figure of single replications.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Alone {
    /// The metric of each replication by itself; a percentile is of all its requests, one that never got its answer taking for ever.
    pub metric: Metric,
    /// Replications that define the figure.
    pub n: u64,
    /// The median over replications; null where half of them have no end.
    #[serde(deserialize_with = "nan_if_null")]
    #[schemars(with = "Option<f64>")]
    pub median: f64,
    /// The ends between which a further replication lies in eight of ten cases, from order statistics; absent with fewer than 9
    /// replications.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eight_of_ten: Option<Between>,
    /// The ends between which a further replication lies in nine of ten cases; absent with fewer than 19 replications.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nine_of_ten: Option<Between>,
}

/// Two ends, in the metric's unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Between {
    /// The lower end; null if it is above every number.
    pub lo: Option<f64>,
    /// The upper end; null if it is above every number.
    pub hi: Option<f64>,
}

/// How often single replications miss an objective that is asked of the policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Missed {
    /// The metric that the objective bounds.
    pub metric: Metric,
    /// The bound of the objective, in the metric's unit.
    pub bound: f64,
    /// Whether the bound is an upper one.
    pub at_most: bool,
    /// Replications that miss the objective by themselves.
    pub missed: u64,
    /// Replications that define the figure.
    pub of: u64,
    /// The lower end of Wilson's interval of the probability that a replication misses it, at the report's confidence.
    pub lo: f64,
    /// The upper end of that interval: above 0 even where none missed it.
    pub hi: f64,
}

impl Between {
    /// From `lo` to `hi`, of which infinite ones are above every number.
    pub(crate) fn new((lo, hi): (f64, f64)) -> Between {
        let finite = |x: f64| Some(x).filter(|x| x.is_finite());
        Between {
            lo: finite(lo),
            hi: finite(hi),
        }
    }
}

impl Missed {
    /// How many replications miss the objective, and how many may: `4 of 20` and `8.1 % to 42 %`.
    pub fn words(&self) -> (String, String) {
        let percent = |share: f64| format::tick(Unit::Share, share);
        (
            format!("{} of {}", format::count(self.missed), format::count(self.of)),
            format!("{} to {}", percent(self.lo), percent(self.hi)),
        )
    }
}

/// What a replication that counts so many seconds is called.
pub(crate) fn stretch(seconds: f64) -> String {
    match seconds {
        3_600.0 => "hour".to_owned(),
        86_400.0 => "day".to_owned(),
        604_800.0 => "week".to_owned(),
        2_592_000.0 => "month of 30 days".to_owned(),
        other => format!("stretch of {}", format::span(other)),
    }
}

/// What several replications that count so many seconds are called.
pub(crate) fn stretches(seconds: f64) -> String {
    let one = stretch(seconds);
    match one.split_once(" of ") {
        Some((first, rest)) if first == "stretch" => format!("{first}es of {rest}"),
        Some((first, rest)) => format!("{first}s of {rest}"),
        None => one + "s",
    }
}

/// The figures of single replications and their title, if there are enough of them for any.
pub(super) fn table(report: &Report) -> Option<(String, Table)> {
    let first = report.policies.first()?;
    let is_nine = report
        .policies
        .iter()
        .flat_map(|policy| &policy.alone)
        .any(|alone| alone.nine_of_ten.is_some());
    let ends = |alone: &Alone| if is_nine { alone.nine_of_ten } else { alone.eight_of_ten };
    let mut table = Table::new("policy");
    let shown: Vec<&Metric> = first
        .alone
        .iter()
        .map(|alone| &alone.metric)
        .filter(|metric| report.says(metric))
        .collect();
    for metric in &shown {
        table.column("", &clean(&metric.title_in(report.code())));
    }
    for policy in &report.policies {
        let cells = shown.iter().map(|metric| {
            let alone = policy.alone.iter().find(|alone| alone.metric == **metric);
            let Some(between) = alone.and_then(ends) else {
                return Cell::new(format::NONE).tone(Tone::Dim);
            };
            let unit = metric.unit_in(report.code());
            let end = |end: Option<f64>| end.map_or(format::ENDLESS.to_owned(), |end| format::value(unit, end));
            Cell::new(format!("{} to {}", end(between.lo), end(between.hi)))
        });
        table.row(&clean(&policy.name), cells);
    }
    if shown.is_empty()
        || report
            .policies
            .iter()
            .all(|policy| policy.alone.iter().all(|alone| ends(alone).is_none()))
    {
        return None;
    }
    let times = if is_nine { "9" } else { "8" };
    let title = format!(
        "One {} alone: {times} of 10 lie between (order statistics over replications)",
        stretch(report.counted)
    );
    Some((title, table))
}
