//! Validation of a model against measurements: the schedule of a log is simulated with the engine itself, and the
//! result compared with what was measured.
//!
//! For TTFT, TPOT and the whole request: p50, p95 and p99, each with the interval of its relative error and the verdict
//! of two one-sided tests (`agree`), and the distance between the distributions. The share of errors counts against the
//! model if the prediction is outside the 95 % Wilson interval of the measured one and more than a percentage point
//! off. The whole is equivalent if every percentile with enough measurements is. Only what was held out of a fit is
//! compared, where the model says what it was fitted to; the whole schedule is then simulated if the model has load,
//! quotas or a cache.

mod agree;
#[cfg(feature = "plots")]
pub mod page;
mod simulate;
mod stretch;
pub mod text;
mod workers;

use std::collections::BTreeSet;

use serde::Serialize;

use super::log::{Log, Observation};
use super::split;
use crate::experiment::calibration::{Agreement, Calibration, QuantileScore, Score};
use crate::experiment::domain::Range;
use crate::experiment::model::{ModelFile, ModelSpec};
use crate::form::units::Fraction;
use crate::kernel::time::Span;
use crate::stats::critical::Confidence;
use crate::stats::histogram::Histogram;
use crate::stats::interval::{min_samples_for_quantile, wilson};
use crate::words::Outcome;

/// Extracts a quantity from an observation.
type Take = fn(&Observation) -> Option<f64>;

/// The percentiles that are compared.
const QUANTILES: [f64; 3] = [0.5, 0.95, 0.99];

/// The largest difference in the share of errors that is ignored.
const ERROR_MARGIN: f64 = 0.01;

/// The settings of a validation.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The relative error that still counts as equal, above 0.
    pub margin: Fraction,
    /// The number of replications; `None` for as many as make the simulation's own noise negligible.
    pub replications: Option<u64>,
    /// The seed of the simulation.
    pub seed: u64,
    /// The target in the log that the model describes; `None` if there is only one.
    pub target: Option<String>,
    /// The date of the validation, for the model's calibration entry.
    pub date: String,
}

/// The result of a validation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Validation {
    /// The format of the result file.
    pub format: &'static str,
    /// The name of the model.
    pub model: String,
    /// The variant of the model.
    pub variant: String,
    /// The target in the log.
    pub target: String,
    /// The number of replications simulated.
    pub replications: u64,
    /// The calibration entry for the model file.
    pub calibration: Calibration,
    /// The measured and predicted shares of errors.
    pub errors: Errors,
    /// The Q–Q plots, by quantity.
    pub quantiles: Vec<Pairs>,
    /// About as many requests like these as would tell, where these do not; `null` where they do, or no number can be said.
    pub would_tell: Option<u64>,
    /// Remarks on the validation.
    pub notes: Vec<String>,
}

/// The share of requests that failed, measured and predicted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Errors {
    /// The measured share of errors.
    pub measured: f64,
    /// The 95 % Wilson interval of the measured share.
    pub interval: (f64, f64),
    /// The share of errors in the simulation.
    pub predicted: f64,
    /// Whether the shares differ by more than chance and a percentage point.
    pub differ: bool,
}

/// Quantiles side by side: (share, measured, predicted).
pub type Points = Vec<(f64, f64, f64)>;

/// Measured and predicted quantiles of one quantity, in seconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pairs {
    /// The name of the quantity: `ttft`, `tpot`, `e2e`.
    pub name: &'static str,
    /// Quantiles side by side: (share, measured, predicted), in seconds.
    pub points: Points,
}

impl Validation {
    /// The verdict on the validation as a whole.
    pub fn verdict(&self) -> Agreement {
        self.calibration.verdict
    }
}

/// Validates a variant of a model against a log.
///
/// # Errors
/// If there is no such variant or target, or nothing to compare; in words.
pub fn validate(model: &ModelFile, variant: &str, log: &Log, settings: &Settings) -> Result<Validation, String> {
    let spec = model.variants.get(variant).ok_or_else(|| {
        format!(
            "the model has no variant `{variant}`; it has {}",
            model.variants.names().join(", ")
        )
    })?;
    let mut notes = Vec::new();
    let target = target(log, settings.target.as_deref(), model, spec, &mut notes)?;
    let (compared, held_out) = held_out(spec, log, &mut notes);
    let of_target = |log: &'_ Log| -> Vec<Observation> {
        let all = log
            .observations
            .iter()
            .filter(|o| o.target == target && o.outcome != Outcome::Cancelled);
        all.cloned().collect()
    };
    let measured = of_target(&compared);
    if measured.iter().filter(|o| o.outcome == Outcome::Success).count() == 0 {
        let name = &log.targets[usize::from(target)];
        let why = if log.stages.is_empty() {
            ""
        } else {
            " (it keeps percentiles alone)"
        };
        return Err(format!(
            "the log has no single requests of `{name}` that succeeded{why}: nothing to compare with"
        ));
    }
    let stateful = !spec.load.is_empty() || !spec.limits.is_empty() || spec.prompt_cache.is_some();
    let all = if stateful {
        // Warm-up requests have used quotas and filled lines all the same.
        let warmups = log.warmups.iter().filter(|o| o.target == target && o.at.is_some());
        warmups.cloned().chain(of_target(log)).collect()
    } else {
        measured.clone()
    };
    let schedule: Vec<&Observation> = all.iter().collect();
    let simulated = simulate::simulate(model, variant, &schedule, settings.replications, settings.seed)?;
    outside(spec, &measured, &mut notes);
    notes.extend(simulated.notes);
    let class = simulated.tally.classes.first().ok_or("nothing was simulated")?;
    let margin = settings.margin.get();
    let none = Histogram::default();
    let quantities: [(&'static str, Take, &Histogram); 3] = [
        ("ttft", |o| o.ttft.seen(), &class.ttft),
        ("tpot", |o| o.tpot, class.tpot.as_ref().unwrap_or(&none)),
        ("e2e", |o| o.e2e.seen(), &class.e2e),
    ];
    let mut scores = Vec::new();
    let mut quantiles = Vec::new();
    for (name, of, predicted) in quantities {
        let good = measured.iter().filter(|o| o.outcome == Outcome::Success);
        let values: Vec<f64> = good.filter_map(of).filter(|x| *x > 0.0).collect();
        if let Some((score, points)) = compare(&values, predicted, margin) {
            scores.push((name.to_owned(), score));
            quantiles.push(Pairs { name, points });
        }
    }
    if scores.is_empty() {
        return Err("the log has neither TTFT nor end-to-end times: nothing to compare with".to_owned());
    }
    let errors = errors(&measured, &class.outcomes);
    let calibration = Calibration {
        date: settings.date.clone(),
        files: log.files(),
        held_out,
        probes: measured.len() as u64,
        rate: rate(&schedule),
        margin: settings.margin,
        verdict: overall(&scores, &errors),
        metrics: scores.into_iter().collect(),
    };
    Ok(Validation {
        format: "simcap.validation/1",
        model: model.model.clone(),
        variant: variant.to_owned(),
        target: log.targets[usize::from(target)].clone(),
        replications: simulated.replications,
        would_tell: would_tell(&calibration),
        calibration,
        errors,
        quantiles,
        notes,
    })
}

/// The target that the model is of: the one that is named, the only one of the log, or the one that the model says.
fn target(
    log: &Log,
    named: Option<&str>,
    model: &ModelFile,
    spec: &ModelSpec,
    notes: &mut Vec<String>,
) -> Result<u16, String> {
    let names = log.targets.join(", ");
    let place = |name: &str| u16::try_from(log.targets.iter().position(|t| t == name)?).ok();
    match (named, &log.targets[..]) {
        (None, [_]) => Ok(0),
        (None, []) => Err("the log has no requests".to_owned()),
        (None, _) => {
            let fitted = spec.fitted_on.as_ref().map(|on| on.target.as_str());
            let own = fitted.into_iter().chain([model.model.as_str()]).find_map(place);
            let own = own.ok_or_else(|| {
                format!("the log has several targets, and --target says which the model is of: {names}")
            })?;
            notes.push(format!(
                "of the log's targets ({names}) `{}` is taken, which the model is of; --target names another",
                log.targets[usize::from(own)]
            ));
            Ok(own)
        }
        (Some(name), _) => place(name).ok_or_else(|| format!("the log has no target `{name}`; it has {names}")),
    }
}

/// The part of the log to compare with, and whether the model was fitted to none of it.
fn held_out(spec: &ModelSpec, log: &Log, notes: &mut Vec<String>) -> (Log, bool) {
    let here: BTreeSet<&str> = log.sources.iter().map(|s| s.sha256.as_str()).collect();
    let Some(fitted) = &spec.fitted_on else {
        return (log.clone(), true);
    };
    let there: BTreeSet<&str> = fitted.files.iter().map(|f| f.sha256.as_str()).collect();
    if here.is_disjoint(&there) {
        return (log.clone(), true);
    }
    let share = fitted.held_out.get();
    if here == there && share > 0.0 {
        notes.push(format!(
            "the model was fitted to {:.0} % of this log: compared with the rest",
            (1.0 - share) * 100.0
        ));
        return (split::held_out(log, share).1, true);
    }
    notes.push("the model was fitted to this log or part of it: this is not held out".to_owned());
    (log.clone(), false)
}

/// Adds notes on requests unlike those that the model was fitted to.
fn outside(spec: &ModelSpec, measured: &[Observation], notes: &mut Vec<String>) {
    let mut check = |range: Option<Range>, of: fn(&Observation) -> Option<u32>, what: &str| {
        let Some(range) = range else { return };
        let n = measured.iter().filter_map(of).filter(|x| !range.holds(*x)).count();
        if n > 0 {
            notes.push(format!(
                "{n} of {} requests have {what} outside {} to {}, which the model was fitted to",
                measured.len(),
                range.least,
                range.most
            ));
        }
    };
    if let Some(fitted) = &spec.fitted_on {
        check(fitted.input, |o| o.input, "input tokens");
        check(fitted.output, |o| o.output, "output tokens");
        check(fitted.in_flight, |o| o.in_flight, "requests in flight");
    }
    let cached = measured.iter().filter(|o| o.cached.is_some_and(|c| c > 0)).count();
    if cached > 0 && spec.prompt_cache.is_none() {
        notes.push(format!(
            "{cached} requests were served in part from a prompt cache, and the model has none"
        ));
    }
}

/// Compares one quantity, if both sides have it: its score, and pairs of quantiles.
pub(super) fn compare(values: &[f64], predicted: &Histogram, margin: f64) -> Option<(Score, Points)> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    // A duration of zero has no ratio to anything.
    let predict = |q: f64| predicted.quantile(q).map(|s| s.seconds()).filter(|x| *x > 0.0);
    predict(0.5).filter(|_| !sorted.is_empty())?;
    let below = |x: f64| predicted.fraction_at_most(Span::from_seconds_f64(x)).unwrap_or(0.0);
    // Just before a value is in the bucket before it: a histogram cannot resolve more.
    let before = |x: f64| below(x * (1.0 - 1.0 / 1024.0));
    let quantiles = QUANTILES.into_iter().filter_map(|q| {
        let (predicted, measured) = (predict(q)?, agree::quantile(&sorted, q));
        let interval = agree::interval(values, &sorted, q).map(|(lo, hi)| (predicted / hi, predicted / lo));
        Some(QuantileScore {
            q,
            predicted,
            measured,
            error: predicted / measured - 1.0,
            interval: interval.map(|(lo, hi)| (lo - 1.0, hi - 1.0)),
            verdict: interval.map_or(Agreement::CannotTell, |ratio| agree::verdict(ratio, margin)),
        })
    });
    let score = Score {
        n: sorted.len() as u64,
        ks: agree::distance(&sorted, below, before),
        quantiles: quantiles.collect(),
    };
    let n = sorted.len().min(199);
    let shares = (0..n).map(|i| (i as f64 + 0.5) / n as f64);
    let points = shares.filter_map(|q| Some((q, agree::quantile(&sorted, q), predict(q)?)));
    Some((score, points.collect()))
}

fn errors(measured: &[Observation], outcomes: &[u64; Outcome::COUNT]) -> Errors {
    let failed = measured.iter().filter(|o| o.outcome != Outcome::Success).count() as u64;
    let n = measured.len() as u64;
    // What a client that pauses does not send never reaches the endpoint.
    let unsent = outcomes[Outcome::BreakerOpen.index()];
    let all = outcomes.iter().sum::<u64>() - unsent;
    let predicted = 1.0 - outcomes[Outcome::Success.index()] as f64 / all.max(1) as f64;
    let interval = wilson(failed, n, Confidence::P95);
    let share = failed as f64 / n.max(1) as f64;
    let outside = predicted < interval.0 || predicted > interval.1;
    Errors {
        measured: share,
        interval,
        predicted,
        differ: outside && (predicted - share).abs() > ERROR_MARGIN,
    }
}

/// Requests a second of a schedule while it was under way, to two digits: pauses of a minute and more are none of it.
fn rate(schedule: &[&Observation]) -> Option<f64> {
    let times: Option<Vec<f64>> = schedule.iter().map(|o| stretch::sent(o)).collect();
    let mut times = times.filter(|times| times.len() >= 2)?;
    times.sort_by(f64::total_cmp);
    let gaps = times.windows(2).map(|pair| pair[1] - pair[0]).filter(|gap| *gap < 60.0);
    let (seconds, many) = gaps.fold((0.0, 0), |(seconds, many), gap| (seconds + gap, many + 1));
    (seconds > 0.0).then(|| format!("{:.1e}", f64::from(many) / seconds).parse().unwrap_or(0.0))
}

/// How many requests like these would tell, where they do not: as many as narrow the interval of each percentile up to p95, by the
/// square root of their number, until it lies on one side of the margin. Nothing if they do tell, or the error is the margin itself.
fn would_tell(calibration: &Calibration) -> Option<u64> {
    let margin = libm::log1p(calibration.margin.get());
    let undecided =
        (calibration.metrics.iter()).flat_map(|(_, score)| score.quantiles.iter().map(move |q| (score.n, q)));
    let undecided = undecided.filter(|(_, q)| q.q <= 0.95 && q.verdict == Agreement::CannotTell);
    let needed = undecided.filter_map(|(n, q)| {
        let per_value = calibration.probes as f64 / n.max(1) as f64;
        let Some((lo, hi)) = q.interval else {
            let least = min_samples_for_quantile(q.q, Confidence::P95);
            return Some(least as f64 * per_value);
        };
        let width = (libm::log1p(hi) - libm::log1p(lo)) / 2.0;
        let room = (margin - libm::log1p(q.error).abs()).abs();
        (room > 0.05 * margin).then(|| n as f64 * (width / room) * (width / room) * per_value)
    });
    needed
        .reduce(f64::max)
        .filter(|_| calibration.verdict == Agreement::CannotTell)
        .map(|n| n.ceil() as u64)
}

fn overall(scores: &[(String, Score)], errors: &Errors) -> Agreement {
    let judged = scores
        .iter()
        .flat_map(|(_, s)| &s.quantiles)
        .filter(|q| q.interval.is_some());
    let worst = judged.map(|q| q.verdict).max();
    if errors.differ {
        Agreement::NotEquivalent
    } else {
        worst.unwrap_or(Agreement::CannotTell)
    }
}

#[cfg(test)]
mod tests;
