//! Remarks of a fit beside its figures: what differs within the sample, and what the sample cannot determine.

use super::report::{FitReport, Quantity};
use crate::calibrate::log::Observation;
use crate::report::format;

/// Seconds of a day: a shorter measurement says nothing about the next day.
const DAY: f64 = 86_400.0;

/// Adds notes, and what cannot be determined, to a fit to `used`; `no_speed` says why there is no decode speed.
pub(super) fn tell(report: &mut FitReport, used: &[&Observation], no_speed: Option<String>) {
    let (mut notes, mut unknown) = (Vec::new(), Vec::new());
    for quantity in &report.quantities {
        of_quantity(quantity, &mut notes, &mut unknown);
    }
    if used.is_empty() {
        unknown.push("autocorrelation, drift, outliers and errors by kind: there are only summaries".to_owned());
    } else {
        of_time(report, used, &mut unknown);
    }
    if !report.quantities.iter().any(|q| q.name == "tps") {
        unknown.push(no_speed.unwrap_or_else(|| "the decode speed: no summary has a time per token".to_owned()));
    }
    if report.prefill.is_none() {
        unknown.push("what a longer prompt costs: inputs do not vary, or are not told".to_owned());
    }
    if report.concurrency.is_none() && report.load.is_none() {
        unknown.push("what load does to the decode speed: requests in flight do not vary, or are not told".to_owned());
    }
    if report.quotas.is_empty() {
        let refused = report.retry_after.as_ref().map_or(0, |r| r.refusals);
        unknown.push(match refused {
            0 => "the quotas: nothing was refused and no header told them".to_owned(),
            n => format!(
                "the quotas: {n} refusals are too few, or not in order of time, and are taken for chance; more of them, in a \
                 closed loop or at a steady rate above the quota, would tell"
            ),
        });
    } else if report.quotas.iter().any(|quota| quota.from.contains("refusals over")) {
        unknown.push(
            "what a quota that no header told counts: tokens cannot be told from requests of a like number of tokens"
                .to_owned(),
        );
    }
    if report.load.is_none() && report.steps.iter().any(|step| step.saturated.is_some()) {
        unknown.push(
            "what happens beyond saturation: say --slots, the most requests that the server works on at once"
                .to_owned(),
        );
    }
    unknown.push("how much of TTFT is network: only the sum was measured".to_owned());
    report.notes.extend(notes);
    report.cannot_tell = unknown;
}

fn of_quantity(quantity: &Quantity, notes: &mut Vec<String>, unknown: &mut Vec<String>) {
    let title = quantity.title();
    if let Some(serial) = &quantity.serial {
        if serial.is_correlated() {
            notes.push(format!(
                "{title}: values are autocorrelated ({:+.2} at lag 1), so {} of them are worth {:.0}; intervals are as wide as that \
                 makes them, and the p-values, which take values to be independent, are too small",
                serial.lag_1,
                quantity.seen + quantity.censored,
                serial.effective
            ));
        }
        for p in quantity.percentiles.iter().filter(|p| !p.is_estimable()) {
            let label = format!(
                "{title} p{}",
                format::tick(crate::report::Unit::Number, 100.0 * p.share)
            );
            unknown.push(if serial.effective < p.needed as f64 {
                format!(
                    "{label}: not estimable from {:.0} independent values; it takes {}",
                    serial.effective.floor(),
                    format::count(p.needed)
                )
            } else {
                format!("{label}: hidden by censoring")
            });
        }
    }
    let value = |x: f64| shown(quantity, x);
    let regimes = &quantity.regimes;
    if regimes.slow_outliers + regimes.fast_outliers > 0 && quantity.name == "ttft" {
        notes.push(format!(
            "{title}: {} values far above the rest and {} far below (3.5 median deviations of the logarithm); all are kept",
            regimes.slow_outliers, regimes.fast_outliers
        ));
    }
    if regimes.stretches.len() > 1 {
        let levels: Vec<String> = regimes
            .stretches
            .iter()
            .map(|s| format!("{} values at {}", s.values, value(s.median)))
            .collect();
        notes.push(format!(
            "{title}: its level changed ({}); one law for all of it is their mixture, in no order",
            levels.join(", then ")
        ));
    }
    if let Some(hours) = &regimes.hours {
        notes.push(format!(
            "{title}: hours of the day differ (p = {:.4}): median {} at {:02}h UTC, {} at {:02}h; the law is of all hours",
            hours.p,
            value(hours.slowest_median),
            hours.slowest,
            value(hours.fastest_median),
            hours.fastest
        ));
    }
    for held in quantity
        .candidates
        .iter()
        .filter(|c| c.floor_held && Some(c.family) == quantity.taken)
    {
        notes.push(format!(
            "{title}: the likelihood of {} has no maximum below the least value; its floor is held just under it",
            held.family.name()
        ));
    }
}

fn of_time(report: &FitReport, used: &[&Observation], unknown: &mut Vec<String>) {
    if used.iter().any(|o| o.at.is_none()) {
        unknown.push(
            "saturation, drift and time of day: the log has no times, and its order may not be that of time".to_owned(),
        );
        return;
    }
    let first = used.iter().filter_map(|o| o.at).fold(f64::INFINITY, f64::min);
    let last = used.iter().filter_map(|o| o.at).fold(0.0, f64::max);
    if last - first < DAY {
        unknown.push(format!(
            "time of day, and one day against another: the measurement lasts {}",
            format::span(last - first)
        ));
    }
    if report.steps.len() == 1 && report.steps[0].saturated.is_none() {
        unknown.push("where saturation begins: there is one step of load".to_owned());
    }
}

/// A value of this quantity for a reader.
pub(super) fn shown(quantity: &Quantity, x: f64) -> String {
    match quantity.name {
        "ttft" => format::value(crate::report::Unit::Seconds, x),
        _ => format!("{} tokens/s", format::value(crate::report::Unit::Number, x)),
    }
}
