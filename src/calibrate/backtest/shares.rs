//! Shares of requests, measured and predicted: by how they ended, and by the model that answered.
//!
//! The interval of a measured share is the wider of Wilson's, which takes requests for independent, and that of the means of twenty
//! stretches of the log by Student's law, which does not: failures come in bursts. A share agrees if its interval lies within a
//! margin of the prediction: a percentage point, or the relative margin of the share or of its rest, whichever is smaller, if that is more.

use serde::Serialize;

use super::replay::{Found, One};
use crate::calibrate::log::{Log, Observation};
use crate::experiment::calibration::Agreement;
use crate::stats::critical::Confidence;
use crate::stats::interval::{Estimate, wilson};
use crate::words::Outcome;

/// The least margin of a share.
const MARGIN: f64 = 0.01;

/// How many stretches of the log the second interval is made of.
const STRETCHES: usize = 20;

/// A share, measured and predicted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Share {
    /// What is counted: an outcome, or a target of the log.
    pub name: String,
    /// The measured share, from 0 to 1.
    pub measured: f64,
    /// The 95 % interval of the measured share.
    pub interval: (f64, f64),
    /// The mean of the replications.
    pub predicted: f64,
    /// Between which shares it lies in nine of ten replications; `null` where they are too few.
    pub range: Option<(f64, f64)>,
    /// Whether the two agree.
    pub verdict: Agreement,
}

/// Shares of requests by outcome, of those that were measured or predicted at all.
pub(super) fn outcomes(compared: &[&Observation], found: &Found, margin: f64) -> Vec<Share> {
    let one = |outcome: Outcome| {
        let hits: Vec<bool> = compared.iter().map(|o| o.outcome == outcome).collect();
        let predicted = |one: &One| one.share(one.outcomes[outcome.index()]);
        let occurs = hits.contains(&true) || found.each.iter().any(|one| one.outcomes[outcome.index()] > 0);
        occurs.then(|| share(outcome.name().replace('_', " "), &hits, found, predicted, margin))
    };
    Outcome::ALL.into_iter().filter_map(one).collect()
}

/// Shares of the answers by target, if there are several that are providers of the experiment.
pub(super) fn answers(
    log: &Log,
    compared: &[&Observation],
    found: &Found,
    matched: &[Vec<String>],
    margin: f64,
) -> Vec<Share> {
    let good: Vec<&&Observation> = compared.iter().filter(|o| o.outcome == Outcome::Success).collect();
    let targets: Vec<usize> = (0..log.targets.len()).filter(|t| !matched[*t].is_empty()).collect();
    if targets.len() < 2 {
        return Vec::new();
    }
    let one = |target: usize| {
        let hits: Vec<bool> = good.iter().map(|o| usize::from(o.target) == target).collect();
        let is_of = |name: &String| matched[target].contains(name);
        let predicted = |one: &One| {
            let named = found.providers.iter().zip(&one.answered);
            let of: u64 = named.filter(|(name, _)| is_of(name)).map(|(_, n)| n).sum();
            let all: u64 = one.answered.iter().sum();
            (all > 0).then(|| of as f64 / all as f64)
        };
        share(log.targets[target].clone(), &hits, found, predicted, margin)
    };
    targets.into_iter().map(one).collect()
}

fn share(name: String, hits: &[bool], found: &Found, predicted: impl Fn(&One) -> Option<f64>, margin: f64) -> Share {
    let (n, of) = (hits.len() as u64, hits.iter().filter(|hit| **hit).count() as u64);
    let measured = of as f64 / n.max(1) as f64;
    let interval = interval(hits, of, n);
    let range = found.range(&predicted);
    let mean = found.mean(&predicted).unwrap_or(0.0);
    // Of failures and of successes alike: 98 % for 99.98 % is a hundred times the failures.
    let bound = MARGIN.max(margin * measured.min(1.0 - measured));
    let verdict = if mean - bound <= interval.0 && interval.1 <= mean + bound {
        Agreement::Equivalent
    } else if interval.0 > mean + bound || interval.1 < mean - bound {
        super::forgiven(Agreement::NotEquivalent, measured, range)
    } else {
        Agreement::CannotTell
    };
    Share {
        name,
        measured,
        interval,
        predicted: mean,
        range,
        verdict,
    }
}

fn interval(hits: &[bool], of: u64, n: u64) -> (f64, f64) {
    let alone = wilson(of, n, Confidence::P95);
    if hits.len() < 10 * STRETCHES {
        return alone;
    }
    let stretch = |i: usize| &hits[i * hits.len() / STRETCHES..(i + 1) * hits.len() / STRETCHES];
    let share = |i: usize| {
        let of = stretch(i);
        Some(of.iter().filter(|hit| **hit).count() as f64 / of.len() as f64)
    };
    let together = Estimate::of_replications((0..STRETCHES).map(share), Confidence::P95);
    match together.half_width() {
        Some(half) => (
            alone.0.min((together.value - half).max(0.0)),
            alone.1.max((together.value + half).min(1.0)),
        ),
        None => alone,
    }
}
