//! Every chart of the page, drawn, with a caption that says what this run shows; a chart without data is left out.

use serde::Serialize;

use super::Figure;
use super::keys::{Key, provider_key};
use crate::report::chart::{Chart, Colour, Error, Mark, Scale, Series};
use crate::report::figures::{self, Front};
use crate::report::{Judged, Metric, Moment, PolicyReport, Report, Unit, format, shown};
use crate::stats::sorting;
use crate::words::Spending;
use crate::words::metric::Quantity;

/// A course over time: its title, its unit, what its highest level is called, and its level in a bin.
type Course = (&'static str, Unit, &'static str, fn(&Moment) -> Option<f64>);

const COURSES: [Course; 4] = [
    (
        "Share of requests that fail, over time",
        Unit::Share,
        "Highest",
        |bin| bin.error_rate,
    ),
    (
        "Attempts refused with 429, over time",
        Unit::PerSecond,
        "Highest",
        |bin| bin.limited,
    ),
    ("Mean time to last token, over time", Unit::Seconds, "Highest", |bin| {
        bin.e2e
    }),
    (
        "Requests in the system, over time",
        Unit::Number,
        "Means over replications at the end of each interval: less than the peak of one. Highest",
        |bin| Some(bin.in_system),
    ),
];

pub(super) fn pictures(report: &Report) -> Result<Vec<Figure>, Error> {
    let plain = |(chart, caption): (Chart, String)| (chart, caption, Vec::new());
    let mut drawn: Vec<(Chart, String)> = vec![
        (
            figures::tail(report, "Requests that take longer to the first token", |p| {
                &p.curves.ttft
            }),
            extremes(report, &Metric::TTFT_P99),
        ),
        (
            figures::tail(report, "Requests that take longer to the last token", |p| &p.curves.e2e),
            extremes(report, &Metric::E2E_P99),
        ),
        (
            figures::percentiles(report, "Percentiles of time to first token", Quantity::Ttft),
            extremes(report, &Metric::TTFT_P95),
        ),
        (
            figures::percentiles(report, "Percentiles of time to last token", Quantity::E2e),
            extremes(report, &Metric::E2E_P95),
        ),
    ];
    for (title, metric, best) in [
        ("Cost against latency", Metric::E2E_P95, "fastest"),
        ("Cost against quality", Metric::QUALITY, "of the best quality"),
    ] {
        let front = figures::against(report, title, &metric);
        let caption = worth(report, &front, best);
        drawn.push((front.chart, caption));
    }
    let over_time = drawn.len()..drawn.len() + COURSES.len();
    for of in &COURSES {
        let &(title, unit, _, level) = of;
        drawn.push((figures::over_time(report, title, unit, level), course(report, of)));
    }
    let mut drawn: Vec<(Chart, String, Vec<Key>)> = drawn.into_iter().map(plain).collect();
    drawn.push(bill(report));
    // Of errors that there are none nothing is drawn.
    let is_nothing = |chart: &Chart| {
        let levels = chart.series.iter().filter_map(|series| {
            let Mark::Steps(points) = &series.mark else { return None };
            Some(points)
        });
        let mut levels = levels.flatten().peekable();
        levels.peek().is_some() && levels.all(|(_, level)| level.is_nan() || *level == 0.0)
    };
    let drawn = drawn
        .into_iter()
        .enumerate()
        .filter(|(_, (chart, ..))| has_data(chart) && !is_nothing(chart));
    // Said at length once, at the first plot that has it.
    let (at_length, in_short) = ground(report);
    let mut grounds = std::iter::once(at_length.as_str()).chain(std::iter::repeat(in_short));
    drawn
        .map(|(place, (chart, caption, legend))| {
            let ground = if over_time.contains(&place) {
                grounds.next()
            } else {
                None
            };
            let note = of_factors(&chart).then_some("Logarithmic.");
            let said = [Some(caption.as_str()), ground, note].into_iter().flatten();
            let said: Vec<&str> = said.filter(|said| !said.is_empty()).collect();
            Ok(Figure {
                svg: chart.svg()?,
                size: chart.size,
                title: chart.title,
                caption: said.join(" "),
                legend,
            })
        })
        .collect()
}

/// Where the money goes, with the colours of its parts and the largest part that is not an answer of a first attempt.
fn bill(report: &Report) -> (Chart, String, Vec<Key>) {
    let chart = figures::waterfall(report, "What the bill is for");
    let besides = report.policies.iter().flat_map(|policy| {
        let totals = policy.bill.totals();
        totals.map(move |row| (row.share.value, row.purpose, policy))
    });
    let besides = besides.filter(|(share, purpose, _)| *purpose != Spending::First && share.is_finite());
    // Capacity that is used is answers too, where it is known how much of it was not.
    let tells = besides.clone().any(|(_, purpose, _)| purpose == Spending::Idle);
    let wasted = besides
        .clone()
        .filter(|(_, purpose, _)| !(tells && *purpose == Spending::Reserved));
    let most = wasted.max_by(|a, b| a.0.total_cmp(&b.0));
    let besides_capacity = if tells { " and capacity in use" } else { "" };
    let caption = most.map_or(String::new(), |(share, purpose, policy)| {
        let share = format::value(Unit::Share, share);
        let at = policy.bill.by_purpose.iter().filter(|row| row.purpose == purpose);
        let at = at.filter_map(|row| Some((row.share.value, row.provider.as_ref()?)));
        let at = match at.collect::<Vec<_>>().as_slice() {
            [] => String::new(),
            [(_, one)] => format!(", all at {one}"),
            several => {
                let each = several
                    .iter()
                    .map(|(share, of)| format!("{} at {of}", format::share(*share)));
                format!(" ({})", each.collect::<Vec<_>>().join(", "))
            }
        };
        format!(
            "Largest besides answers of first attempts{besides_capacity}: {}, {share} under {}{at}.",
            purpose.title(),
            policy.name
        )
    });
    let is_there = |purpose: &Spending| *purpose == Spending::First || besides.clone().any(|row| row.1 == *purpose);
    let legend = Spending::ALL.into_iter().filter(is_there);
    (
        chart,
        caption,
        legend.map(|p| provider_key(p.index(), p.title())).collect(),
    )
}

/// How the parts of one policy's bill add up to it; nothing if it is for answers of first attempts alone.
pub(super) fn waterfall(report: &Report, policy: &PolicyReport) -> Result<Option<Figure>, Error> {
    if !policy.bill.has_purposes() {
        return Ok(None);
    }
    let chart = figures::steps_to_bill(report, policy, &format!("The bill of {} step by step", policy.name));
    Ok(Some(Figure {
        svg: chart.svg()?,
        size: chart.size,
        title: chart.title,
        caption: String::new(),
        legend: Vec::new(),
    }))
}

/// Which policy has the lowest and which the highest figure; nothing where fewer than two have different ones.
fn extremes(report: &Report, metric: &Metric) -> String {
    let words = |value: f64| match value {
        f64::INFINITY => format::ENDLESS.to_owned(),
        value => format::value(metric.unit_in(report.code()), value),
    };
    let known = report
        .policies
        .iter()
        .map(|policy| (policy, shown(policy, metric).0.value));
    let known: Vec<_> = known.filter(|(_, value)| !value.is_nan()).collect();
    let least = known.iter().map(|(_, value)| *value).min_by(f64::total_cmp);
    let most = known.iter().map(|(_, value)| *value).max_by(f64::total_cmp);
    let Some((least, most)) = least.zip(most).map(|(least, most)| (words(least), words(most))) else {
        return String::new();
    };
    if least == most {
        return String::new();
    }
    let under = |level: &str| {
        let those = known.iter().filter(|(_, value)| words(*value) == level);
        among(those.map(|(policy, _)| policy.name.as_str()))
    };
    format!(
        "Lowest {}: {least} under {}; highest: {most} under {}.",
        metric.title_in(report.code()),
        under(&least),
        under(&most)
    )
}

/// The first of some names, and how many more there are.
fn among<'a>(mut names: impl Iterator<Item = &'a str>) -> String {
    let first = names.next().unwrap_or_default();
    match names.count() {
        0 => first.to_owned(),
        n => format!("{first} and {n} more"),
    }
}

/// What a front shows: which policies are on it, which are dominated, and which have no place in it.
fn worth(report: &Report, front: &Front, best: &str) -> String {
    let names = |places: &[usize]| {
        let mut names: Vec<&str> = places.iter().map(|&p| report.policies[p].name.as_str()).collect();
        // The whole list would be longer than the picture.
        const MOST: usize = 3;
        let more = names.len().saturating_sub(MOST);
        names.truncate(MOST);
        let list = names.join(", ");
        if more > 0 {
            format!("{list} and {more} more")
        } else {
            list
        }
    };
    let mut sentences = Vec::new();
    match front.front.as_slice() {
        [] => {}
        [alone] => sentences.push(format!(
            "Cheapest and {best}: {}{}.",
            names(&[*alone]),
            failing(report, *alone)
        )),
        several => sentences.push(format!("On the line: {}.", names(several))),
    }
    if !front.dominated.is_empty() {
        sentences.push(format!(
            "Another is cheaper, faster and as good for {}.",
            names(&front.dominated)
        ));
    }
    if !front.failing.is_empty() {
        sentences.push(format!(
            "Not on the line, as they fail the objective on errors: {}.",
            names(&front.failing)
        ));
    }
    if !front.endless.is_empty() {
        sentences.push(format!(
            "Not shown, as too many requests fail: {}.",
            names(&front.endless)
        ));
    }
    sentences.join(" ")
}

/// That a policy fails an objective, in brackets, if it does.
fn failing(report: &Report, place: usize) -> &'static str {
    let row = report.scorecard.of(&report.policies[place].name);
    match row.map(|row| row.overall) {
        Some(Judged::Fail) => " (which fails an objective)",
        Some(Judged::Pass | Judged::Undecided) | None => "",
    }
}

/// Where a course over time is highest: under which policy for longest, and when if that is one bin alone.
fn highest(report: &Report, unit: Unit, what: &str, level: fn(&Moment) -> Option<f64>) -> Option<String> {
    let finite = |bin: &Moment| level(bin).filter(|level| level.is_finite());
    let bins = report.policies.iter().flat_map(|policy| &policy.series);
    let most = format::value(unit, bins.filter_map(finite).max_by(f64::total_cmp)?);
    // Figures that look the same are the same to a reader.
    let there = |policy: &PolicyReport| -> Vec<f64> {
        let bins = policy
            .series
            .iter()
            .filter(|bin| finite(bin).is_some_and(|l| format::value(unit, l) == most));
        bins.map(|bin| bin.until).collect()
    };
    let mut all: Vec<(&PolicyReport, Vec<f64>)> = report.policies.iter().map(|p| (p, there(p))).collect();
    all.retain(|(_, bins)| !bins.is_empty());
    sorting::by_key(&mut all, |(_, bins)| std::cmp::Reverse(bins.len()));
    let names = among(all.iter().map(|(policy, _)| policy.name.as_str()));
    Some(match &all[..] {
        [(_, bins)] if bins.len() == 1 => format!("{what}: {most} under {names}, at {}.", format::span(bins[0])),
        _ => format!("{what}: {most} under {names}."),
    })
}

/// What a course over time shows: where it is highest, and where it has a gap.
fn course(report: &Report, course: &Course) -> String {
    let &(_, unit, what, level) = course;
    let highest = highest(report, unit, what, level);
    let is_silent = |policy: &PolicyReport| {
        policy
            .series
            .iter()
            .any(|bin| level(bin).is_none_or(|level| !level.is_finite()))
    };
    let silent = report.policies.iter().filter(|policy| is_silent(policy));
    let silent = among(silent.map(|policy| policy.name.as_str()));
    let silent = (!silent.is_empty() && unit == Unit::Seconds)
        .then(|| format!("Of answered requests alone; no line where none was answered ({silent})."));
    highest.into_iter().chain(silent).collect::<Vec<_>>().join(" ")
}

/// What is grey in plots over time and what ticks are, at length and in short.
fn ground(report: &Report) -> (String, &'static str) {
    let stretches = report.stretches().into_iter().map(|stretch| {
        let (from, until) = (format::span(stretch.from), format::span(stretch.until));
        format!("{} at {}, {from} to {until}", stretch.what, stretch.provider)
    });
    let stretches: Vec<String> = stretches.collect();
    let happens = |policy: &PolicyReport| {
        !(policy.incidents.is_empty() && policy.milestones.is_empty() && policy.alerts.is_empty())
    };
    let ticks = "Ticks: when something happened under the policy of the colour.";
    let grey = || format!("Grey ground: {}.", stretches.join("; "));
    match (stretches.is_empty(), report.policies.iter().any(happens)) {
        (true, false) => (String::new(), ""),
        (true, true) => (ticks.to_owned(), "Ticks as before."),
        (false, false) => (grey(), "Grey ground as before."),
        (false, true) => (format!("{} {ticks}", grey()), "Grey ground and ticks as before."),
    }
}

/// Where one policy's attempts go.
#[derive(Serialize)]
pub(super) struct Shares {
    pub(super) figure: Figure,
    /// The providers that got any.
    pub(super) legend: Vec<Key>,
    /// How many got none.
    unused: usize,
}

pub(super) fn shares(report: &Report) -> Result<Vec<Shares>, Error> {
    let policies = report.order().into_iter().map(|place| &report.policies[place]);
    let charts = policies.map(|policy| (policy, figures::provider_shares(report, policy, &policy.name)));
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
                    size: chart.size,
                    title: chart.title,
                    caption: refused(policy),
                    legend: Vec::new(),
                },
            })
        })
        .collect()
}

/// How many of the attempts that are drawn were refused, if any were.
fn refused(policy: &PolicyReport) -> String {
    let bins = || policy.series.iter();
    let sent: f64 = bins().flat_map(|bin| &bin.sent).filter(|sent| sent.is_finite()).sum();
    let limited: f64 = bins().filter_map(|bin| bin.limited).sum();
    if limited > 0.0 && sent > 0.0 {
        format!("{} of them refused with 429.", format::share(limited / sent))
    } else {
        String::new()
    }
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
        .filter(|series| !matches!(series.mark, Mark::Ticks(_)))
        .any(|series| of_data(series.colour) && !series.mark.is_empty())
}
