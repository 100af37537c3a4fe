//! The result as CSV files, one table each, for spreadsheets and data frames.
//!
//! RFC 4180, UTF-8, a header line, one figure a line ("tidy": Wickham 2014), every digit of it; what does not exist is an
//! empty cell. Text that came from a file and that a spreadsheet would take for a formula gets an apostrophe before it
//! (OWASP, "CSV Injection"). Left out: texts of the report such as warnings and sources, which are in `result.json`.

use std::collections::BTreeSet;

use super::text::clean;
use super::{Code, Comparison, Judged, Judgement, PolicyReport, Ranking, Report, Unit};
use crate::stats::compare::Verdict;
use crate::stats::interval::Estimate;
use crate::stats::sorting;
use crate::words::{BoundKind, Metric};

/// The first of the [`tables`]: every figure of every policy, one a row, with its interval.
pub fn figures(report: &Report) -> String {
    metrics(&report.policies, report.code())
}

/// Every table, as the name of its file and its text.
pub fn tables(report: &Report) -> Vec<(&'static str, String)> {
    let (policies, code) = (&report.policies, report.code());
    let mut tables = vec![
        ("metrics.csv", metrics(policies, code)),
        ("outcomes.csv", outcomes(policies)),
        ("providers.csv", providers(policies)),
        ("classes.csv", classes(policies, code)),
        ("bounds.csv", bounds(policies)),
        ("incidents.csv", incidents(policies)),
        ("effort.csv", effort(policies)),
        ("series.csv", series(policies)),
        ("cdf.csv", cdf(policies)),
        ("differences.csv", differences(&report.comparisons, code)),
        ("objectives.csv", objectives(&report.objectives, code)),
    ];
    if policies.iter().any(|policy| !policy.bill.by_provider.is_empty()) {
        tables.push(("bill.csv", bill(policies, code)));
    }
    if policies.iter().any(|policy| policy.response_cache.is_some()) {
        tables.push(("response_cache.csv", response_cache(policies, code)));
    }
    if policies.iter().any(|policy| !policy.quotas.is_empty()) {
        tables.push(("quotas.csv", quotas(policies)));
    }
    if policies.iter().any(|policy| !policy.alerts.is_empty()) {
        tables.push(("alerts.csv", alerts(policies)));
    }
    if policies.iter().any(|policy| !policy.milestones.is_empty()) {
        tables.push(("milestones.csv", milestones(policies)));
    }
    if policies.iter().any(|policy| !policy.identities.is_empty()) {
        tables.push(("identities.csv", identities(policies)));
    }
    if let Some(of) = &report.ranking {
        tables.push(("ranking.csv", ranking(of, code)));
    }
    tables
}

/// The table of differences alone.
pub fn compared(report: &Report) -> String {
    differences(&report.comparisons, report.code())
}

const ESTIMATE: [&str; 4] = ["value", "lo", "hi", "n"];

fn metrics(policies: &[PolicyReport], code: Option<Code>) -> String {
    let head = ["policy", "metric", "unit"].into_iter().chain(ESTIMATE);
    let mut sheet = Sheet::new(head.chain(["requests"]));
    for policy in policies {
        for measured in &policy.metrics {
            let metric = &measured.metric;
            let mut add = |figure: &Estimate, requests: &str| {
                let first = [text(&policy.name), metric.to_string(), unit(metric.unit_in(code))];
                sheet.row(first.into_iter().chain(estimate(figure)).chain([requests.into()]));
            };
            // Which requests a percentile is of, where that makes a difference.
            match &measured.of_all {
                Some(of_all) => {
                    add(of_all, "all");
                    add(&measured.estimate, "answered");
                }
                None => add(&measured.estimate, ""),
            }
        }
    }
    sheet.finish()
}

fn ranking(ranking: &Ranking, code: Option<Code>) -> String {
    let head = ["place", "policy", "metric", "may_be_best", "unit"];
    let mut sheet = Sheet::new(head.into_iter().chain(ESTIMATE));
    for (place, row) in ranking.rows.iter().enumerate() {
        let first = [
            (place + 1).to_string(),
            text(&row.policy),
            ranking.metric.to_string(),
            row.may_be_best.to_string(),
            format!("{}, less the first", unit(ranking.metric.unit_in(code))),
        ];
        sheet.row(first.into_iter().chain(estimate(&row.behind)));
    }
    sheet.finish()
}

fn outcomes(policies: &[PolicyReport]) -> String {
    let mut sheet = Sheet::new(["policy", "outcome", "unit"].into_iter().chain(ESTIMATE));
    for policy in policies {
        for outcome in &policy.outcomes {
            let first = [text(&policy.name), outcome.outcome.name().into(), "share".into()];
            sheet.row(first.into_iter().chain(estimate(&outcome.share)));
        }
    }
    sheet.finish()
}

fn providers(policies: &[PolicyReport]) -> String {
    let mut sheet = Sheet::new(["policy", "provider", "metric", "unit"].into_iter().chain(ESTIMATE));
    for policy in policies {
        for provider in &policy.providers {
            let figures = [
                ("served", "share", &provider.served),
                ("cost", "share", &provider.cost),
                ("failed", "share", &provider.failed),
                ("in_flight", "number", &provider.in_flight),
                ("trips", "number", &provider.trips),
            ];
            let cached = provider.cached.as_ref().map(|figure| ("cached", "share", figure));
            for (name, unit, figure) in figures.into_iter().chain(cached) {
                let first = [text(&policy.name), text(&provider.name), name.into(), unit.into()];
                sheet.row(first.into_iter().chain(estimate(figure)));
            }
        }
    }
    sheet.finish()
}

fn classes(policies: &[PolicyReport], code: Option<Code>) -> String {
    let head = ["policy", "class", "metric", "unit"].into_iter().chain(ESTIMATE);
    let mut sheet = Sheet::new(head.chain(["requests"]));
    for policy in policies {
        for class in &policy.classes {
            let mut add = |name: String, in_unit: Unit, figure: &Estimate, requests: &str| {
                let first = [text(&policy.name), text(&class.name), name, unit(in_unit)];
                sheet.row(first.into_iter().chain(estimate(figure)).chain([requests.into()]));
            };
            add("share".to_owned(), Unit::Share, &class.share, "");
            for (metric, figure) in class.metrics() {
                let answered = class.of_answered(&metric);
                let in_unit = metric.unit_in(code);
                add(metric.to_string(), in_unit, figure, answered.map_or("", |_| "all"));
                if let Some(answered) = answered {
                    add(metric.to_string(), in_unit, answered, "answered");
                }
            }
        }
    }
    sheet.finish()
}

/// The bill by class, by provider, and by what the money went to.
fn bill(policies: &[PolicyReport], code: Option<Code>) -> String {
    let head = ["policy", "by", "what", "metric", "unit"];
    let mut sheet = Sheet::new(head.into_iter().chain(ESTIMATE));
    for policy in policies {
        let mut add = |by: &str, what: &str, share: &Estimate, month: &Estimate| {
            let cost = &Metric::COST_PER_MONTH;
            for (name, of, figure) in [
                ("share".to_owned(), Unit::Share, share),
                (cost.to_string(), cost.unit_in(code), month),
            ] {
                let first = [text(&policy.name), by.into(), text(what), name, unit(of)];
                sheet.row(first.into_iter().chain(estimate(figure)));
            }
        };
        for (by, rows) in [("class", &policy.bill.by_class), ("provider", &policy.bill.by_provider)] {
            for row in rows {
                add(by, row.title(), &row.share, &row.cost_per_month);
            }
        }
        for row in &policy.bill.by_purpose {
            let by = match (&row.provider, &row.class) {
                (None, None) => "purpose",
                (Some(_), _) => "provider and purpose",
                (None, Some(_)) => "class and purpose",
            };
            add(by, &row.title(), &row.share, &row.cost_per_month);
        }
    }
    sheet.finish()
}

fn bounds(policies: &[PolicyReport]) -> String {
    let head = ["policy", "what", "provider", "limit", "unit"];
    let mut sheet = Sheet::new(head.into_iter().chain(ESTIMATE));
    for policy in policies {
        for bound in &policy.bounds {
            let first = [
                text(&policy.name),
                kind(bound.what).into(),
                bound.provider.as_deref().map(text).unwrap_or_default(),
                bound.limit.map(|limit| limit.to_string()).unwrap_or_default(),
                "share of time".into(),
            ];
            sheet.row(first.into_iter().chain(estimate(&bound.share)));
        }
    }
    sheet.finish()
}

fn quotas(policies: &[PolicyReport]) -> String {
    let head = ["policy", "provider", "account", "quota", "unit"];
    let mut sheet = Sheet::new(head.into_iter().chain(ESTIMATE));
    for policy in policies {
        for quota in &policy.quotas {
            let of = [&quota.provider, &quota.account].map(|name| name.as_deref().map(text).unwrap_or_default());
            let [provider, account] = of;
            let first = [
                text(&policy.name),
                provider,
                account,
                text(&quota.quota),
                "share used".into(),
            ];
            sheet.row(first.into_iter().chain(estimate(&quota.used)));
        }
    }
    sheet.finish()
}

fn alerts(policies: &[PolicyReport]) -> String {
    let head = ["policy", "budget", "share", "passed", "unit"];
    let mut sheet = Sheet::new(head.into_iter().chain(ESTIMATE));
    for policy in policies {
        for alert in &policy.alerts {
            let first = [
                text(&policy.name),
                text(&alert.budget),
                number(alert.share),
                alert.passed.to_string(),
                "seconds".into(),
            ];
            sheet.row(first.into_iter().chain(estimate(&alert.at)));
        }
    }
    sheet.finish()
}

fn identities(policies: &[PolicyReport]) -> String {
    let head = ["policy", "place", "what", "identity", "asked", "refused", "unit"];
    let mut sheet = Sheet::new(head.into_iter().chain(ESTIMATE));
    for policy in policies {
        for of in &policy.identities {
            let first = [text(&policy.name), text(&of.place), text(&of.what)];
            let all = first.clone().into_iter();
            let all = all.chain([String::new(), String::new(), String::new(), "share refused".into()]);
            sheet.row(all.chain(estimate(&of.refused)));
            for row in &of.worst {
                let own = [
                    text(&row.name),
                    row.asked.to_string(),
                    row.refused.to_string(),
                    "share refused".into(),
                ];
                let value = [number(row.share()), String::new(), String::new(), String::new()];
                sheet.row(first.clone().into_iter().chain(own).chain(value));
            }
        }
    }
    sheet.finish()
}

fn milestones(policies: &[PolicyReport]) -> String {
    let mut sheet = Sheet::new(["policy", "milestone", "passed", "unit"].into_iter().chain(ESTIMATE));
    for policy in policies {
        for milestone in &policy.milestones {
            let first = [
                text(&policy.name),
                text(&milestone.what),
                milestone.passed.to_string(),
                "seconds".into(),
            ];
            sheet.row(first.into_iter().chain(estimate(&milestone.at)));
        }
    }
    sheet.finish()
}

fn incidents(policies: &[PolicyReport]) -> String {
    let head = ["policy", "provider", "from", "until", "metric", "unit"];
    let mut sheet = Sheet::new(head.into_iter().chain(ESTIMATE));
    for policy in policies {
        for incident in &policy.incidents {
            let figures = [
                ("ejected", "share", &incident.ejected),
                ("time_to_eject", "seconds", &incident.time_to_eject),
                ("leaked", "number", &incident.leaked),
                ("error_rate", "share", &incident.error_rate),
                ("recovered", "share", &incident.recovered),
                ("time_to_recover", "seconds", &incident.time_to_recover),
                (
                    "time_to_return",
                    "seconds",
                    incident.time_to_return.as_ref().unwrap_or(&Estimate::NONE),
                ),
            ];
            for (figure, unit, value) in figures {
                let first = [
                    text(&policy.name),
                    text(&incident.provider),
                    number(incident.from),
                    number(incident.until),
                    figure.into(),
                    unit.into(),
                ];
                sheet.row(first.into_iter().chain(estimate(value)));
            }
        }
    }
    sheet.finish()
}

fn effort(policies: &[PolicyReport]) -> String {
    let mut sheet = Sheet::new(["policy", "what", "unit"].into_iter().chain(ESTIMATE));
    for policy in policies {
        for effort in &policy.effort {
            let first = [
                text(&policy.name),
                effort.what.name().into(),
                "per 1000 requests".into(),
            ];
            sheet.row(first.into_iter().chain(estimate(&effort.per_1k)));
        }
    }
    sheet.finish()
}

fn response_cache(policies: &[PolicyReport], code: Option<Code>) -> String {
    let mut sheet = Sheet::new(["policy", "what", "unit"].into_iter().chain(ESTIMATE));
    for policy in policies {
        let Some(cache) = &policy.response_cache else { continue };
        let age = cache.age.as_ref().map(|age| &age.mean);
        let figures = [
            ("hits", Unit::Share, Some(&cache.hits)),
            (
                "saved_per_month",
                Metric::COST_PER_MONTH.unit_in(code),
                Some(&cache.saved_per_month),
            ),
            ("wrong", Unit::Share, cache.wrong.as_ref()),
            ("mean_age", Unit::Seconds, age),
        ];
        for (what, of, figure) in figures {
            let Some(figure) = figure else { continue };
            let first = [text(&policy.name), what.into(), unit(of)];
            sheet.row(first.into_iter().chain(estimate(figure)));
        }
    }
    sheet.finish()
}

/// One line a bin of time, with a column for what was sent to each provider.
fn series(policies: &[PolicyReport]) -> String {
    let mut providers: Vec<&str> = Vec::new();
    let mut known = BTreeSet::new();
    for provider in policies.iter().flat_map(|policy| &policy.providers) {
        if known.insert(provider.name.as_str()) {
            providers.push(&provider.name);
        }
    }
    let head = ["policy", "until", "arrivals", "error_rate", "e2e", "in_system"].map(str::to_owned);
    let sent = providers.iter().map(|name| format!("sent to {name}"));
    let mut sheet = Sheet::new(head.into_iter().chain(sent));
    for policy in policies {
        let named = policy.providers.iter().enumerate();
        let places = sorting::map(named.map(|(place, provider)| (provider.name.as_str(), place)));
        let columns: Vec<Option<usize>> = providers.iter().map(|name| places.get(name).copied()).collect();
        for moment in &policy.series {
            let first = [
                text(&policy.name),
                number(moment.until),
                number(moment.arrivals),
                moment.error_rate.map(number).unwrap_or_default(),
                moment.e2e.map(number).unwrap_or_default(),
                number(moment.in_system),
            ];
            let sent = columns.iter().map(|index| {
                let sent = index.and_then(|index| moment.sent.get(index));
                sent.copied().map(number).unwrap_or_default()
            });
            sheet.row(first.into_iter().chain(sent));
        }
    }
    sheet.finish()
}

fn cdf(policies: &[PolicyReport]) -> String {
    let mut sheet = Sheet::new(["policy", "time", "seconds", "share"]);
    for policy in policies {
        let curves = &policy.curves;
        for (name, curve) in [("ttft", &curves.ttft), ("e2e", &curves.e2e), ("wait", &curves.wait)] {
            for &(seconds, share) in curve {
                sheet.row([text(&policy.name), name.into(), number(seconds), number(share)]);
            }
        }
    }
    sheet.finish()
}

fn differences(comparisons: &[Comparison], code: Option<Code>) -> String {
    let head = ["policy", "baseline", "metric", "unit"].into_iter().chain(ESTIMATE);
    let mut sheet = Sheet::new(head.chain(["relative", "verdict"]));
    for comparison in comparisons {
        for difference in &comparison.differences {
            let metric = &difference.metric;
            let first = [
                text(&comparison.policy),
                text(&comparison.baseline),
                metric.to_string(),
                unit(metric.unit_in(code)),
            ];
            let last = [
                difference.relative.map(number).unwrap_or_default(),
                verdict(difference.verdict).into(),
            ];
            sheet.row(first.into_iter().chain(estimate(&difference.difference)).chain(last));
        }
    }
    sheet.finish()
}

fn objectives(objectives: &[Judgement], code: Option<Code>) -> String {
    let head = ["policy", "metric", "unit", "side", "bound"]
        .into_iter()
        .chain(ESTIMATE);
    let mut sheet = Sheet::new(head.chain(["judged"]));
    for objective in objectives {
        let first = [
            text(&objective.policy),
            objective.metric.to_string(),
            unit(objective.metric.unit_in(code)),
            if objective.at_most { "at_most" } else { "at_least" }.into(),
            number(objective.bound),
        ];
        let judged = judged(objective.judged).into();
        sheet.row(first.into_iter().chain(estimate(&objective.estimate)).chain([judged]));
    }
    sheet.finish()
}

/// A table under construction.
struct Sheet(::csv::Writer<Vec<u8>>);

impl Sheet {
    fn new(head: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Sheet {
        let mut sheet = Sheet(::csv::Writer::from_writer(Vec::new()));
        sheet.row(head);
        sheet
    }

    fn row(&mut self, cells: impl IntoIterator<Item = impl AsRef<[u8]>>) {
        // Memory takes every byte, and every row of a table has as many cells as its head: neither error can occur.
        let _ = self.0.write_record(cells);
    }

    fn finish(self) -> String {
        let bytes = self.0.into_inner().unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// Text from a file, made harmless for spreadsheets and terminals.
pub(crate) fn text(from_file: &str) -> String {
    let formula = from_file.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let mark = if formula { "'" } else { "" };
    let harmless = |c: char| match c {
        '\t' | '\r' | '\n' => c.to_string(),
        c => clean(c.encode_utf8(&mut [0; 4])),
    };
    format!("{mark}{}", from_file.chars().map(harmless).collect::<String>())
}

/// A table of this head and these rows.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut sheet = Sheet::new(head);
    rows.iter().for_each(|row| sheet.row(row));
    sheet.finish()
}

/// The shortest digits that are read back as the same number.
pub(crate) fn number(x: f64) -> String {
    match x {
        f64::INFINITY => "inf".into(),
        x if x.is_finite() => x.to_string(),
        _ => String::new(),
    }
}

fn estimate(estimate: &Estimate) -> [String; 4] {
    let optional = |x: Option<f64>| x.map(number).unwrap_or_default();
    [
        number(estimate.value),
        optional(estimate.lo),
        optional(estimate.hi),
        estimate.n.to_string(),
    ]
}

pub(crate) fn unit(unit: Unit) -> String {
    match unit {
        Unit::Seconds => "seconds".into(),
        Unit::Share => "share".into(),
        Unit::PerSecond => "per second".into(),
        Unit::Dollars => "dollars".into(),
        Unit::Money(code) => code.to_string(),
        Unit::Number => "number".into(),
    }
}

const fn kind(what: BoundKind) -> &'static str {
    match what {
        BoundKind::InFlight => "in_flight",
        BoundKind::Limiter => "limiter",
        BoundKind::Queue => "queue",
        BoundKind::Connections => "connections",
        BoundKind::Quota => "quota",
        BoundKind::Capacity => "capacity",
        BoundKind::Breaker => "breaker",
        BoundKind::Budget => "budget",
    }
}

const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Lower => "lower",
        Verdict::Higher => "higher",
        Verdict::CannotTell => "cannot_tell",
        Verdict::Same => "same",
    }
}

const fn judged(judged: Judged) -> &'static str {
    match judged {
        Judged::Pass => "pass",
        Judged::Fail => "fail",
        Judged::Undecided => "undecided",
    }
}

#[cfg(test)]
mod tests;
