//! Remarks of a fit beside its figures: what differs within the sample, and what the sample cannot determine.

use super::FitError;
use super::family::Params;
use super::percentiles::Percentile;
use super::quantile_table::LEAST;
use super::report::{FitReport, Quantity};
use crate::calibrate::log::{Observation, Stage};
use crate::experiment::domain::number;
use crate::report::format;
use crate::stats::critical::Confidence;
use crate::stats::interval::wilson_of_share;

/// Seconds of a day: a shorter measurement says nothing about the next day.
const DAY: f64 = 86_400.0;

/// Seconds of a minute, the window of most quotas.
const MINUTE: f64 = 60.0;

/// Why there is no law of TTFT: none of `seen` is left, of which `waited` were sent while every slot was taken, or the
/// percentiles of `stages` are too few.
pub(super) fn no_ttft(target: String, seen: usize, waited: usize, stages: &[&Stage]) -> FitError {
    let mut summaries = stages.iter().filter_map(|s| s.ttft.as_ref()).peekable();
    if seen > 0 {
        let why = format!(
            "{seen} requests have one, but none that could be used is left: {waited} of them found every slot taken, and \
             others are of saturated steps or held out; measure at a lower rate"
        );
        return FitError::TooLittle(target, why);
    }
    if summaries.peek().is_none() {
        return FitError::NoTtft(target);
    }
    let told: Vec<String> = summaries
        .map(|summary| {
            let shares = summary
                .quantiles
                .iter()
                .filter(|(share, _)| *share > 0.0 && *share < 1.0);
            let names: Vec<String> = shares.map(|(share, _)| format!("p{}", 100.0 * share)).collect();
            if names.is_empty() {
                "no percentile".to_owned()
            } else {
                names.join(", ")
            }
        })
        .collect();
    let why = format!(
        "it takes {LEAST} percentiles or more that all summaries have, each with a request or more beyond it, and there are: \
         {}. Measure with more of them (vLLM: --metric-percentiles 50,90,95,99), or keep single requests (--save-detailed)",
        told.join("; ")
    );
    FitError::TooLittle(target, why)
}

/// The fewest requests under way that nearly all found, where those are many.
fn always_busy(used: &[&Observation]) -> Option<u32> {
    const MANY: u32 = 4;
    let mut there: Vec<u32> = used.iter().filter_map(|o| o.in_flight).collect();
    there.sort_unstable();
    there.get(there.len() / 10).copied().filter(|least| *least >= MANY)
}

/// Adds notes, and what cannot be determined, to a fit to `used`; `no_speed` says why there is no decode speed, and
/// `sampled` that the log keeps a sample of its requests.
pub(super) fn tell(report: &mut FitReport, used: &[&Observation], no_speed: Option<String>, sampled: bool) {
    let (mut notes, mut unknown) = (Vec::new(), Vec::new());
    for quantity in &report.quantities {
        of_quantity(quantity, &mut notes, &mut unknown);
    }
    if used.is_empty() {
        unknown.push("autocorrelation, drift, outliers and errors by kind: there are only summaries".to_owned());
    } else {
        of_time(report, used, sampled, &mut unknown);
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
                "the quotas: {n} refusals are too few, or not in order of time, and are taken for chance; more of \
                 them, sent on without a pause as `simcap calibrate --find quota` does, would tell"
            ),
        });
    } else if report.quotas.iter().any(|quota| quota.from.contains("refusals over")) {
        unknown.push(
            "what a quota that no header told counts: tokens cannot be told from requests of a like number of tokens"
                .to_owned(),
        );
    }
    let slots = report.slots.as_ref();
    let has_slots = slots.is_some_and(|found| found.slots.is_some());
    if report.load.is_none() && !has_slots && report.steps.iter().any(|step| step.saturated.is_some()) {
        unknown.push(
            "what happens beyond saturation: say --slots, the most requests that the server works on at once, or measure it with \
             `simcap calibrate --find slots`"
                .to_owned(),
        );
    } else if let Some(found) = slots.filter(|found| found.slots.is_none()) {
        unknown.push(format!(
            "how many requests are served at once: {} or more, since nothing waited; `simcap calibrate --find slots` goes on \
             until something does",
            found.least
        ));
    } else if !has_slots && let Some(at_once) = always_busy(used) {
        unknown.push(format!(
            "whether requests waited for a slot: nearly all were sent with {at_once} or more under way, so their TTFT may be a \
             queue's; a step with few at once beside would tell"
        ));
    }
    let longest = report.steps.iter().filter_map(|step| step.lasts).fold(0.0, f64::max);
    if longest > 0.0 && longest < MINUTE && !report.quotas.iter().any(|quota| quota.from.contains("header")) {
        unknown.push(format!(
            "a quota by the minute: no step of load lasts one (the longest {}), so the rate at which 429s begin, or do not, is not \
             that of such a quota; steps of 90 s or more, or `simcap calibrate --find quota`, show it",
            format::span(longest)
        ));
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
    if let Some(drift) = &regimes.drift {
        notes.push(format!(
            "{title}: it {} by {} % from the first request to the last, over {} (95 %: times {:.2} to {:.2}): the law is of all of that time, \
             and a longer measurement would tell whether it goes on",
            if drift.factor > 1.0 { "grew" } else { "fell" },
            number(100.0 * (drift.factor - 1.0).abs()),
            format::span(drift.seconds),
            drift.low,
            drift.high
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
    unknown.extend(quantity.percentiles.iter().filter_map(|p| between_modes(quantity, p)));
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

/// That a percentile lies in either of two modes, for all that the measurements say of their weights.
fn between_modes(quantity: &Quantity, p: &Percentile) -> Option<String> {
    let (Params::Two(two), Some(serial)) = (&quantity.params, &quantity.serial) else {
        return None;
    };
    // Of the quick mode 39 in 40 lie below, of the slow one above.
    let quick = libm::exp(two.mu[0] + 1.96 * two.sigma[0]);
    let slow = libm::exp(two.mu[1] - 1.96 * two.sigma[1]);
    let (low, high) = wilson_of_share(two.weight, serial.effective, Confidence::P95);
    (slow > quick && low < p.share && p.share < high).then(|| {
        format!(
            "{} p{}: it is {} or {}, since the slow mode has {:.1} % of the requests, or {:.1} to {:.1} for all that is known",
            quantity.title(),
            format::tick(crate::report::Unit::Number, 100.0 * p.share),
            shown(quantity, quick),
            shown(quantity, slow),
            100.0 * (1.0 - two.weight),
            100.0 * (1.0 - high),
            100.0 * (1.0 - low)
        )
    })
}

fn of_time(report: &FitReport, used: &[&Observation], sampled: bool, unknown: &mut Vec<String>) {
    if sampled {
        unknown.push(
            "saturation, drift and requests in flight: the log keeps a sample of its requests, and what was between them is gone"
                .to_owned(),
        );
        return;
    }
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
