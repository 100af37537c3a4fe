//! A backtest: an experiment against the log of the gateway that it is of.
//!
//! The first part of the log, in order of time, is what the providers' models are fitted to; the rest of it is predicted: its requests
//! arrive at their times and with their lengths, pass the experiment's client and policy, and what becomes of them is
//! held against what did. Latencies as the caller saw them, errors by how they ended, which model answered, and the bill against an
//! invoice. A percentile agrees by the two one-sided tests of a validation; a share by its interval and a margin of its own
//! (`shares`). What differs from the mean of the replications, and not from what single ones are like, is not held against the
//! experiment: it cannot be told.
//!
//! What a gateway's log cannot say stays as the experiment has it: quotas, prices, timeouts, users. Failures that the gateway
//! hid by trying again are in no such log, so that a provider is fitted to what came out of the gateway.

mod models;
#[cfg(feature = "plots")]
pub mod page;
mod replay;
mod shares;
pub mod text;

use serde::Serialize;

use super::log::{Log, Observation};
use super::validate::{Pairs, compare};
use crate::experiment::calibration::{Agreement, LogFile, QuantileScore, Score};
use crate::experiment::load::Loaded;
use crate::form::units::Fraction;
use crate::stats::histogram::Histogram;
use crate::words::{Code, Outcome};

pub use shares::Share;

/// Extracts a time from an observation, in seconds.
type Take = fn(&Observation) -> Option<f64>;

/// The settings of a backtest.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The relative error that still counts as equal, above 0.
    pub margin: Fraction,
    /// The share of the requests that models are fitted to, from 0 (the experiment's own models are judged, by the whole log) to below 1.
    pub fit_on: Fraction,
    /// The number of replications, at least 1.
    pub replications: u64,
    /// The seed of all draws.
    pub seed: u64,
    /// The policy that the gateway has; nothing for the experiment's only one, or its first.
    pub policy: Option<String>,
    /// Which target of the log a provider is, by their names, where their models do not say.
    pub providers: Vec<(String, String)>,
    /// What was charged for the time of the whole log, in the experiment's currency.
    pub invoice: Option<f64>,
}

/// The result of a backtest.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Backtest {
    /// The format of the result file.
    pub format: &'static str,
    /// The name of the experiment.
    pub experiment: String,
    /// The policy that was simulated.
    pub policy: String,
    /// The log's files.
    pub files: Vec<LogFile>,
    /// The number of replications.
    pub replications: u64,
    /// The seed of the draws.
    pub seed: u64,
    /// The relative error that counts as equal.
    pub margin: Fraction,
    /// Requests that models were fitted to.
    pub fitted: u64,
    /// Requests that were predicted.
    pub compared: u64,
    /// What each target of the log is in the experiment.
    pub targets: Vec<Target>,
    /// Times as the caller sees them, by quantity: `ttft`, `tpot`, `e2e`.
    pub times: Vec<Times>,
    /// Shares of requests by how they ended, of those that occur.
    pub outcomes: Vec<Share>,
    /// Shares of the answers by the model that gave them, if there are several.
    pub answers: Vec<Share>,
    /// What was spent.
    pub bill: Bill,
    /// The verdict on all that could be told.
    pub verdict: Agreement,
    /// Remarks on the backtest.
    pub notes: Vec<String>,
}

/// A target of the log, and what stands for it in the experiment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Target {
    /// The target's name in the log.
    pub name: String,
    /// The number of the target's requests in the log.
    pub requests: u64,
    /// The providers that it is in the experiment; none where its requests are left out.
    pub providers: Vec<String>,
    /// What the providers' model is of, in words.
    pub model: String,
}

/// One time, measured and predicted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Times {
    /// The name of the quantity: `ttft`, `tpot` or `e2e`.
    pub name: &'static str,
    /// The percentiles of the quantity, with the verdicts.
    pub score: Score,
    /// Between which values each of those percentiles lies in nine of ten replications, in seconds; `null` where they are too few.
    pub ranges: Vec<Option<(f64, f64)>>,
    /// The quantiles of the quantity side by side.
    pub pairs: Pairs,
}

/// What was spent, in the experiment's currency.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bill {
    /// The predicted cost of the requests that were compared.
    pub predicted: f64,
    /// Between which amounts it lies in nine of ten replications; `null` where they are too few.
    pub range: Option<(f64, f64)>,
    /// The predicted cost of the whole log: of what was compared, by the share that it has of all tokens.
    pub whole: f64,
    /// What was charged for the whole log.
    pub invoice: Option<f64>,
    /// Whether the two agree.
    pub verdict: Option<Agreement>,
    /// The currency; `null` for US dollars.
    pub currency: Option<Code>,
}

/// Holds `loaded` against `log`.
///
/// # Errors
/// If the log has no times, none of its targets is a provider of the experiment, nothing can be fitted or compared, or the experiment
/// does not stand with those models; in words.
pub fn backtest(loaded: &Loaded, log: &Log, settings: &Settings) -> Result<Backtest, String> {
    let mut notes = Vec::new();
    let mut loaded = loaded.clone();
    let policy = chosen(&mut loaded, settings.policy.as_deref())?;
    let ordered = in_order(log)?;
    let matched = models::matched(&loaded, log, &settings.providers)?;
    let known: Vec<&Observation> = ordered
        .into_iter()
        .filter(|o| !matched[usize::from(o.target)].is_empty())
        .collect();
    let first = (known.len() as f64 * settings.fit_on.get()).round() as usize;
    let (fitted, compared) = known.split_at(first.min(known.len()));
    if !compared.iter().any(|o| o.outcome == Outcome::Success) {
        return Err("nothing of the log that was answered is left to compare with: say a smaller --fit-on".to_owned());
    }
    let models = models::fit(&mut loaded, log, fitted, &matched, &mut notes)?;
    let found = replay::replay(&mut loaded, log, compared, &matched, settings, &mut notes)?;

    let margin = settings.margin.get();
    let quantities: [(&'static str, Take, &Histogram); 3] = [
        ("ttft", |o| o.ttft.seen(), &found.ttft),
        ("tpot", |o| o.tpot, &found.tpot),
        ("e2e", |o| o.e2e.seen(), &found.e2e),
    ];
    let mut times = Vec::new();
    for (name, of, predicted) in quantities {
        let good = compared.iter().filter(|o| o.outcome == Outcome::Success);
        let values: Vec<f64> = good.filter_map(|o| of(o)).filter(|x| *x > 0.0).collect();
        let Some((mut score, points)) = compare(&values, predicted, margin) else {
            continue;
        };
        let ranges: Vec<Option<(f64, f64)>> = (score.quantiles.iter())
            .map(|q| found.range(|one| one.quantile(name, q.q)))
            .collect();
        for (q, range) in score.quantiles.iter_mut().zip(&ranges) {
            q.verdict = narrowed(forgiven(q.verdict, q.measured, *range), q.measured, *range, margin);
        }
        let pairs = Pairs { name, points };
        times.push(Times {
            name,
            score,
            ranges,
            pairs,
        });
    }
    notes.extend(
        quantities
            .iter()
            .filter_map(|(name, of, _)| unlevel(name, *of, fitted, compared, margin)),
    );
    let outcomes = shares::outcomes(compared, &found, margin);
    let answers = shares::answers(log, compared, &found, &matched, margin);
    let bill = bill(
        &known,
        compared,
        &found,
        settings,
        loaded.experiment.currency.as_ref().and_then(|c| Code::new(&c.code)),
    );
    // A percentile beyond p95 takes many requests to agree: only that it differs counts.
    let counts = |q: &&QuantileScore| q.q <= 0.95 || q.verdict == Agreement::NotEquivalent;
    let judged = (times.iter().flat_map(|t| &t.score.quantiles))
        .filter(counts)
        .map(|q| q.verdict)
        .chain(outcomes.iter().chain(&answers).map(|share| share.verdict))
        .chain(bill.verdict);
    let verdict = judged.max().unwrap_or(Agreement::CannotTell);
    Ok(Backtest {
        format: "simcap.backtest/1",
        experiment: loaded.experiment.name.clone(),
        policy,
        files: log.files(),
        replications: settings.replications,
        seed: settings.seed,
        margin: settings.margin,
        fitted: fitted.len() as u64,
        compared: compared.len() as u64,
        targets: models::told(log, &matched, &models),
        times,
        outcomes,
        answers,
        bill,
        verdict,
        notes,
    })
}

/// Leaves the policy that is meant, and gives its name.
fn chosen(loaded: &mut Loaded, named: Option<&str>) -> Result<String, String> {
    let policies = &mut loaded.experiment.policies;
    let names: Vec<String> = policies.iter().map(|policy| policy.name.clone()).collect();
    let name = match named {
        Some(name) => name.to_owned(),
        None => names.first().cloned().unwrap_or_default(),
    };
    policies.retain(|policy| policy.name == name);
    if policies.is_empty() {
        return Err(format!(
            "the experiment has no policy `{name}`; it has {}",
            names.join(", ")
        ));
    }
    Ok(name)
}

/// What was sent and not called off, in order of time.
fn in_order(log: &Log) -> Result<Vec<&Observation>, String> {
    let sent = |o: &&Observation| o.outcome != Outcome::Cancelled;
    let mut all: Vec<&Observation> = log.observations.iter().filter(sent).collect();
    if all.is_empty() {
        return Err("the log has no single requests".to_owned());
    }
    if all.iter().any(|o| o.at.is_none()) {
        return Err("the log does not say when its requests were sent: nothing can be replayed".to_owned());
    }
    let at = |o: &&Observation| o.at.unwrap_or(0.0) + o.dispatch.unwrap_or(0.0);
    all.sort_by(|a, b| at(a).total_cmp(&at(b)));
    Ok(all)
}

/// What differs from the mean of the replications, and is what a single one may be like, cannot be told.
fn forgiven(verdict: Agreement, measured: f64, range: Option<(f64, f64)>) -> Agreement {
    match (verdict, range) {
        (Agreement::NotEquivalent, Some((lo, hi))) if lo <= measured && measured <= hi => Agreement::CannotTell,
        (verdict, _) => verdict,
    }
}

/// What agrees in the mean, and of which single replications may be further off than the margin, cannot be told.
fn narrowed(verdict: Agreement, measured: f64, range: Option<(f64, f64)>, margin: f64) -> Agreement {
    let is_within = |x: f64| x / measured <= 1.0 + margin && measured / x <= 1.0 + margin;
    match (verdict, range) {
        (Agreement::Equivalent, Some((lo, hi))) if !(is_within(lo) && is_within(hi)) => Agreement::CannotTell,
        (verdict, _) => verdict,
    }
}

/// That the log's own median is another in the part that models are fitted to than in the rest: what differs by as much is not the models' fault.
fn unlevel(name: &str, of: Take, fitted: &[&Observation], compared: &[&Observation], margin: f64) -> Option<String> {
    /// Fewer answers than this have no median to speak of.
    const LEAST: usize = 100;
    let median = |part: &[&Observation]| {
        let good = part.iter().filter(|o| o.outcome == Outcome::Success);
        let mut values: Vec<f64> = good.filter_map(|o| of(o)).filter(|x| *x > 0.0).collect();
        values.sort_by(f64::total_cmp);
        (values.len() >= LEAST).then(|| values[values.len() / 2])
    };
    let (before, after) = (median(fitted)?, median(compared)?);
    let is_level = after / before <= 1.0 + margin && before / after <= 1.0 + margin;
    (!is_level).then(|| {
        let seconds = |x| crate::report::format::value(crate::words::Unit::Seconds, x);
        format!(
            "the log is not level: its own {} p50 is {} in the part that models are fitted to and {} in the rest. Nothing that is fitted to the \
             first can be right for both",
            name.to_uppercase(),
            seconds(before),
            seconds(after)
        )
    })
}

/// The most that a bill may be off and agree: money adds up over all requests, where a percentile is of a few.
const OF_MONEY: f64 = 0.05;

fn bill(
    known: &[&Observation],
    compared: &[&Observation],
    found: &replay::Found,
    settings: &Settings,
    currency: Option<Code>,
) -> Bill {
    let tokens = |of: &[&Observation]| {
        of.iter()
            .map(|o| f64::from(o.input.unwrap_or(0)) + f64::from(o.output.unwrap_or(0)))
            .sum::<f64>()
    };
    let (all, part) = (tokens(known), tokens(compared));
    let times = if part > 0.0 {
        all / part
    } else {
        known.len() as f64 / compared.len().max(1) as f64
    };
    let predicted = found.mean(|one| Some(one.cost)).unwrap_or(0.0);
    let range = found.range(|one| Some(one.cost));
    let whole = predicted * times;
    let verdict = settings.invoice.map(|invoice| {
        let bound = settings.margin.get().min(OF_MONEY);
        let (lo, hi) = range.map_or((whole, whole), |(lo, hi)| (lo * times, hi * times));
        let within = |x: f64| x / invoice <= 1.0 + bound && invoice / x <= 1.0 + bound;
        if within(lo) && within(hi) {
            Agreement::Equivalent
        } else if within(whole) || (lo <= invoice && invoice <= hi) {
            Agreement::CannotTell
        } else {
            Agreement::NotEquivalent
        }
    });
    Bill {
        predicted,
        range,
        whole,
        invoice: settings.invoice,
        verdict,
        currency,
    }
}
