//! Every chart of the page, drawn, with a caption; a chart without data is left out.

use super::Figure;
use crate::report::chart::{Chart, Colour, Error};
use crate::report::{Metric, Report, Unit, figures, format};

pub(super) fn pictures(report: &Report) -> Result<Vec<Figure>, Error> {
    let within = "Share of requests that needed at most this long.";
    let interval = format!(
        "Whiskers are {} intervals.",
        format::tick(Unit::Share, report.confidence)
    );
    let warmup = if report.warmup > 0.0 {
        " Shaded: warm-up, not counted."
    } else {
        ""
    };
    let ttft = [Metric::TtftP50, Metric::TtftP95, Metric::TtftP99];
    let e2e = [Metric::E2eP50, Metric::E2eP95, Metric::E2eP99];
    let charts: [(Chart, String); 8] = [
        (
            figures::distribution(report, "Time to first token", |policy| &policy.curves.ttft),
            within.into(),
        ),
        (
            figures::distribution(report, "Time to last token", |policy| &policy.curves.e2e),
            within.into(),
        ),
        (
            figures::percentiles(report, "Percentiles of time to first token", &ttft),
            interval.clone(),
        ),
        (
            figures::percentiles(report, "Percentiles of time to last token", &e2e),
            interval.clone(),
        ),
        (
            figures::trade_off(report, "Cost against latency", Metric::E2eP95, Metric::CostPerMonth),
            format!("Lower left is better. {interval}"),
        ),
        (
            figures::over_time(report, "Errors over time", Unit::Share, |bin| bin.error_rate),
            format!("Share of the requests ending then that failed.{warmup}"),
        ),
        (
            figures::over_time(report, "Latency over time", Unit::Seconds, |bin| bin.e2e),
            format!("Mean time to last token of the successes ending then.{warmup}"),
        ),
        (
            figures::over_time(report, "Requests in the system", Unit::Number, |bin| {
                Some(bin.in_system)
            }),
            format!("Rising to the end: it does not keep up.{warmup}"),
        ),
    ];
    let drawn = charts.into_iter().filter(|(chart, _)| has_data(chart));
    drawn
        .map(|(chart, caption)| {
            Ok(Figure {
                svg: chart.svg()?,
                title: chart.title,
                caption,
            })
        })
        .collect()
}

pub(super) fn shares(report: &Report) -> Result<Vec<Figure>, Error> {
    let charts = report
        .policies
        .iter()
        .map(|policy| figures::provider_shares(report, policy, &policy.name));
    charts
        .filter(has_data)
        .map(|chart| {
            Ok(Figure {
                svg: chart.svg()?,
                title: chart.title,
                caption: String::new(),
            })
        })
        .collect()
}

fn has_data(chart: &Chart) -> bool {
    let of_data = |colour| colour != Colour::Grid;
    chart
        .series
        .iter()
        .any(|series| of_data(series.colour) && !series.mark.is_empty())
}
