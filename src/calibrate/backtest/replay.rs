//! The rest of the log, simulated: its requests at their times and with their lengths, in each replication the same.
//!
//! Each target's requests are of the classes that ask for it (`asks`, or the class's name), where every target has such; otherwise the
//! experiment's classes are dealt out by their shares. A length that the log does not have, or has of a failure, is the median of the others.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde_json::json;

use super::Settings;
use crate::calibrate::log::{Log, Observation};
use crate::engine::replicate::{Sink, replicate_into};
use crate::engine::run::{Control, Halt};
use crate::engine::tally::Tally;
use crate::experiment::assemble::assemble_after;
use crate::experiment::file::StreamSpec;
use crate::experiment::load::Loaded;
use crate::form::named::Named;
use crate::kernel::time::Span;
use crate::stats::histogram::Histogram;
use crate::traffic::arrivals::{ArrivalsSpec, Row};
use crate::words::Outcome;

/// The percentiles of single replications that are kept.
const QUANTILES: [f64; 3] = [0.5, 0.95, 0.99];

/// The quantities whose percentiles are kept.
const QUANTITIES: [&str; 3] = ["ttft", "tpot", "e2e"];

/// What one replication came to.
#[derive(Clone, Debug)]
pub(super) struct One {
    number: u64,
    quantiles: [[Option<f64>; QUANTILES.len()]; QUANTITIES.len()],
    /// Requests by outcome.
    pub(super) outcomes: [u64; Outcome::COUNT],
    /// Attempts that were answered, by provider.
    pub(super) answered: Vec<u64>,
    /// What was spent, in the experiment's currency.
    pub(super) cost: f64,
}

impl One {
    /// The `q` quantile of a quantity, in seconds, if it is one that is kept.
    pub(super) fn quantile(&self, name: &str, q: f64) -> Option<f64> {
        let row = QUANTITIES.iter().position(|known| *known == name)?;
        self.quantiles[row][QUANTILES.iter().position(|known| *known == q)?]
    }

    /// The share of its requests that `count` counts.
    pub(super) fn share(&self, count: u64) -> Option<f64> {
        let all: u64 = self.outcomes.iter().sum();
        (all > 0).then(|| count as f64 / all as f64)
    }
}

/// All replications together, and one by one.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) ttft: Histogram,
    pub(super) tpot: Histogram,
    pub(super) e2e: Histogram,
    /// The names of the providers.
    pub(super) providers: Vec<String>,
    pub(super) each: Vec<One>,
}

impl Found {
    /// The mean of a figure over the replications that have it.
    pub(super) fn mean(&self, of: impl Fn(&One) -> Option<f64>) -> Option<f64> {
        let all: Vec<f64> = self.each.iter().filter_map(of).collect();
        (!all.is_empty()).then(|| all.iter().sum::<f64>() / all.len() as f64)
    }

    /// Between which values a figure of one replication lies with a probability of at least 0.9: the k-th smallest and the k-th largest of
    /// n bound another one with the probability (n + 1 − 2k)/(n + 1), whatever the law (David and Nagaraja, Order Statistics, 7.3). Nothing
    /// below 19 replications, or where some replication lacks the figure.
    pub(super) fn range(&self, of: impl Fn(&One) -> Option<f64>) -> Option<(f64, f64)> {
        let all: Option<Vec<f64>> = self.each.iter().map(of).collect();
        let mut all = all?;
        all.sort_by(f64::total_cmp);
        let k = (all.len() + 1) / 20;
        Some((*all.get(k.checked_sub(1)?)?, *all.get(all.len() - k)?))
    }
}

/// Simulates the requests `compared`.
pub(super) fn replay(
    loaded: &mut Loaded,
    log: &Log,
    compared: &[&Observation],
    matched: &[Vec<String>],
    settings: &Settings,
    notes: &mut Vec<String>,
) -> Result<Found, String> {
    for (number, name) in log.targets.iter().enumerate() {
        let left_out = log
            .observations
            .iter()
            .filter(|o| usize::from(o.target) == number)
            .count();
        if matched[number].is_empty() && left_out > 0 {
            notes.push(format!(
                "{left_out} requests of {name} are left out, which no provider of the experiment is: --provider NAME={name} says which is"
            ));
        }
    }
    let plan = &mut loaded.experiment.plan;
    (plan.duration, plan.warmup) = (None, None);
    (plan.windows, plan.metrics) = (Named::default(), Vec::new());
    (plan.until, plan.at_most) = (Named::default(), None);
    loaded.experiment.objectives.clear();
    loaded.experiment.rank_by = None;
    traffic(loaded, log, compared, matched, notes)?;
    let mut plan = assemble_after(loaded, Span::ZERO).map_err(|e| e.to_string())?;
    for scenario in &mut plan.scenarios {
        scenario.counts_tpot = true;
    }
    let sum = Sum::default();
    replicate_into(
        &plan.scenarios,
        settings.seed,
        settings.replications,
        &Control::default(),
        &sum,
    );
    let kept = sum.0.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(halt) = kept.halted {
        return Err(format!("the experiment cannot keep up with this traffic: {halt}"));
    }
    let mut each = kept.each;
    each.sort_by_key(|one| one.number);
    Ok(Found {
        ttft: kept.ttft,
        tpot: kept.tpot,
        e2e: kept.e2e,
        providers: loaded.experiment.providers.names(),
        each,
    })
}

/// Puts the requests into the place of the experiment's arrivals.
fn traffic(
    loaded: &mut Loaded,
    log: &Log,
    compared: &[&Observation],
    matched: &[Vec<String>],
    notes: &mut Vec<String>,
) -> Result<(), String> {
    let rows = rows(compared, notes);
    let traffic = &mut loaded.experiment.traffic;
    let replay = |name: &str| -> Result<ArrivalsSpec, String> {
        serde_json::from_value(json!({ "replay": { "trace": name } })).map_err(|e| e.to_string())
    };
    for name in traffic.classes.names() {
        if let Some(class) = traffic.classes.get_mut(&name) {
            (class.input, class.output) = (None, None);
        }
    }
    let classes = if traffic.tags.is_empty() {
        classes(loaded, log, compared, matched)
    } else {
        None
    };
    let traffic = &mut loaded.experiment.traffic;
    loaded.traces = BTreeMap::new();
    let Some(classes) = classes.filter(|classes| classes.len() > 1) else {
        if !traffic.streams.is_empty() {
            return Err("the experiment's traffic is streams, and the log's requests are of none: every target of the log needs classes that \
                        ask for it (`asks`)"
                .to_owned());
        }
        if traffic.classes.len() > 1 {
            notes.push(
                "the log does not say of which class a request is: classes are dealt out by their shares".to_owned(),
            );
        }
        traffic.arrivals = Some(replay("log")?);
        let rows = rows.into_iter().map(|(_, row)| row).collect();
        loaded.traces.insert("log".to_owned(), rows);
        return Ok(());
    };
    let users = traffic.users.take();
    let mut streams = Vec::new();
    for (target, names) in classes {
        let name = format!("log-{}", target + 1);
        let weights = names.iter().map(|class| {
            let share = traffic.classes.get(class).and_then(|class| class.share);
            (class.clone(), share.unwrap_or(1.0))
        });
        let stream = StreamSpec {
            arrivals: replay(&name)?,
            classes: weights.collect(),
            users: users.clone(),
            tags: Named::default(),
        };
        streams.push((name.clone(), stream));
        let own = rows.iter().filter(|(of, _)| *of == target).map(|(_, row)| *row);
        loaded.traces.insert(name, own.collect());
    }
    for name in traffic.classes.names() {
        if let Some(class) = traffic.classes.get_mut(&name) {
            class.share = None;
        }
    }
    traffic.arrivals = None;
    traffic.streams = streams.into_iter().collect();
    Ok(())
}

/// The classes of each target's requests, if every target has some.
fn classes(
    loaded: &Loaded,
    log: &Log,
    compared: &[&Observation],
    matched: &[Vec<String>],
) -> Option<Vec<(usize, Vec<String>)>> {
    let mut targets: Vec<usize> = compared.iter().map(|o| usize::from(o.target)).collect();
    targets.sort_unstable();
    targets.dedup();
    let last = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
    let each = targets.into_iter().map(|target| {
        let asked = |(name, asks): (&str, Option<&str>)| {
            let asks = asks.unwrap_or(name);
            last(asks) == last(&log.targets[target]) || matched[target].iter().any(|provider| provider == asks)
        };
        let all = loaded.experiment.traffic.classes.iter();
        let names: Vec<String> = all
            .filter(|(name, class)| asked((name, class.asks.as_deref())))
            .map(|(name, _)| name.to_owned())
            .collect();
        (!names.is_empty()).then_some((target, names))
    });
    each.collect()
}

/// The requests with their targets, from the first on.
fn rows(compared: &[&Observation], notes: &mut Vec<String>) -> Vec<(usize, Row)> {
    let median = |of: fn(&Observation) -> Option<u32>| {
        let mut known: Vec<u32> = compared.iter().filter_map(|o| of(o)).collect();
        known.sort_unstable();
        (
            compared.len() - known.len(),
            known.get(known.len() / 2).copied().unwrap_or(1),
        )
    };
    let ((no_input, input), (no_output, output)) = (median(|o| o.input), median(|o| o.output));
    for (many, what, typical) in [(no_input, "input", input), (no_output, "output", output)] {
        if many > 0 {
            notes.push(format!(
                "{many} requests failed or do not say their {what} tokens: simulated with the median of the others, {typical}"
            ));
        }
    }
    let at = |o: &Observation| o.at.unwrap_or(0.0) + o.dispatch.unwrap_or(0.0);
    let first = compared.first().map_or(0.0, |o| at(o));
    let row = |o: &&Observation| {
        let row = Row {
            at: Span::from_seconds_f64(at(o) - first),
            input: o.input.unwrap_or(input),
            output: o.output.unwrap_or(output).max(1),
        };
        (usize::from(o.target), row)
    };
    compared.iter().map(row).collect()
}

/// Adds replications up as they finish, and keeps of each the figures that are compared.
#[derive(Debug, Default)]
struct Sum(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    ttft: Histogram,
    tpot: Histogram,
    e2e: Histogram,
    each: Vec<One>,
    halted: Option<Halt>,
}

impl Sink for Sum {
    fn wants(&self, _replication: u64, _scenario: usize) -> bool {
        true
    }

    fn take(&self, replication: u64, _scenario: usize, result: Result<Tally, Halt>) {
        let tally = match result {
            Ok(tally) => tally,
            Err(halt) => {
                self.0.lock().unwrap_or_else(PoisonError::into_inner).halted = Some(halt);
                return;
            }
        };
        let mut of_all: [Histogram; 3] = Default::default();
        let mut outcomes = [0; Outcome::COUNT];
        for class in &tally.classes {
            of_all[0].merge(&class.ttft);
            class.tpot.iter().for_each(|tpot| of_all[1].merge(tpot));
            of_all[2].merge(&class.e2e);
            outcomes.iter_mut().zip(class.outcomes).for_each(|(sum, n)| *sum += n);
        }
        let money = |pico: u128| pico as f64 * 1e-12;
        let providers = tally.providers.iter();
        let one = One {
            number: replication,
            quantiles: std::array::from_fn(|i| QUANTILES.map(|q| of_all[i].quantile(q).map(|s| s.seconds()))),
            outcomes,
            answered: providers
                .clone()
                .map(|p| p.outcomes[Outcome::Success.index()])
                .collect(),
            cost: providers.map(|p| money(p.cost + p.reserved)).sum::<f64>() + money(tally.judging),
        };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let [ttft, tpot, e2e] = of_all;
        kept.ttft.merge(&ttft);
        kept.tpot.merge(&tpot);
        kept.e2e.merge(&e2e);
        kept.each.push(one);
    }
}
