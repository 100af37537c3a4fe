//! Every chart of the page, drawn, with a caption; a chart without data is left out.

use serde::Serialize;

use super::Figure;
use super::keys::{Key, provider_key};
use crate::report::chart::{Chart, Colour, Error, Mark, Scale, Series};
use crate::report::{Metric, Report, Unit, figures, format};
use crate::words::metric::Quantity;

pub(super) fn pictures(report: &Report) -> Result<Vec<Figure>, Error> {
    let within = "Share of requests that needed at most this long.";
    let interval = format!(
        "Whiskers are {} intervals.",
        format::tick(Unit::Share, report.confidence)
    );
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
            figures::percentiles(report, "Percentiles of time to first token", Quantity::Ttft),
            interval.clone(),
        ),
        (
            figures::percentiles(report, "Percentiles of time to last token", Quantity::E2e),
            interval.clone(),
        ),
        (
            figures::trade_off(
                report,
                "Cost against latency",
                &Metric::E2E_P95,
                &Metric::COST_PER_MONTH,
            ),
            format!("Lower left is better. {interval}"),
        ),
        (
            figures::over_time(report, "Errors over time", Unit::Share, |bin| bin.error_rate),
            "Share of the requests ending then that failed.".into(),
        ),
        (
            figures::over_time(report, "Latency over time", Unit::Seconds, |bin| bin.e2e),
            "Mean time to last token of the successes ending then.".into(),
        ),
        (
            figures::over_time(report, "Requests in the system", Unit::Number, |bin| {
                Some(bin.in_system)
            }),
            "Rising to the end where it queues: it does not keep up.".into(),
        ),
    ];
    // Of errors that there are none nothing is drawn.
    let is_nothing = |chart: &Chart| {
        let levels = chart.series.iter().filter_map(|series| {
            let Mark::Steps(points) = &series.mark else { return None };
            Some(points)
        });
        let mut levels = levels.flatten().peekable();
        levels.peek().is_some() && levels.all(|(_, level)| level.is_nan() || *level == 0.0)
    };
    let drawn = charts
        .into_iter()
        .filter(|(chart, _)| has_data(chart) && !is_nothing(chart));
    drawn
        .map(|(chart, caption)| {
            let note = if of_factors(&chart) { " Logarithmic." } else { "" };
            Ok(Figure {
                svg: chart.svg()?,
                title: chart.title,
                caption: caption + note,
            })
        })
        .collect()
}

/// Where one policy's attempts go.
#[derive(Serialize)]
pub(super) struct Shares {
    figure: Figure,
    /// The providers that got any.
    legend: Vec<Key>,
    /// How many got none.
    unused: usize,
}

pub(super) fn shares(report: &Report) -> Result<Vec<Shares>, Error> {
    let charts = report
        .policies
        .iter()
        .map(|policy| (policy, figures::provider_shares(report, policy, &policy.name)));
    charts
        .filter(|(_, chart)| has_data(chart))
        .map(|(policy, chart)| {
            let sent = |index: usize| {
                policy
                    .series
                    .iter()
                    .any(|bin| bin.sent.get(index).is_some_and(|sent| *sent > 0.0))
            };
            let used = policy.providers.iter().enumerate().filter(|(index, _)| sent(*index));
            let legend: Vec<Key> = used
                .map(|(index, provider)| provider_key(index, &provider.name))
                .collect();
            Ok(Shares {
                unused: policy.providers.len() - legend.len(),
                legend,
                figure: Figure {
                    svg: chart.svg()?,
                    title: chart.title,
                    caption: String::new(),
                },
            })
        })
        .collect()
}

/// Whether it has a logarithmic axis that a reader may not expect: figures that are apart by orders of magnitude.
fn of_factors(chart: &Chart) -> bool {
    let line = |series: &Series| matches!(series.mark, Mark::Line(_));
    !chart.series.iter().any(line) && (chart.x.scale == Scale::Log || chart.y.scale == Scale::Log)
}

fn has_data(chart: &Chart) -> bool {
    let of_data = |colour| colour != Colour::Grid;
    chart
        .series
        .iter()
        .any(|series| of_data(series.colour) && !series.mark.is_empty())
}
