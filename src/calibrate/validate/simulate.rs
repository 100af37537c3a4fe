//! The schedule of a log, simulated: its times and token counts as a trace, the model as the only provider, and a
//! client with the timeouts of the measuring one.
//!
//! Requests arrive when they were sent. Missing figures are filled in and reported: token counts by the median of the
//! known ones, times by one request a minute, so that requests do not overlap. A client's timeout is the shortest wait
//! of the requests that were given up. Left out: retries, and prompts that share a prefix.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;

use crate::calibrate::log::{Observation, Timing};
use crate::engine::replicate::{Sink, replicate_into};
use crate::engine::run::{Control, Halt};
use crate::engine::tally::Tally;
use crate::experiment::assemble::assemble;
use crate::experiment::load::Loaded;
use crate::experiment::model::ModelFile;
use crate::form::diagnose::parse;
use crate::kernel::time::Span;
use crate::traffic::arrivals::Row;
use crate::words::Outcome;

/// Requests that suffice to make the simulation's own noise negligible.
const ENOUGH: u64 = 200_000;

/// The sum of all simulated replications, and their number.
pub(super) struct Simulated {
    pub(super) tally: Tally,
    pub(super) replications: u64,
    pub(super) notes: Vec<String>,
}

pub(super) fn simulate(
    model: &ModelFile,
    variant: &str,
    schedule: &[&Observation],
    replications: Option<u64>,
    seed: u64,
) -> Result<Simulated, String> {
    let mut notes = Vec::new();
    let rows = rows(schedule, &mut notes);
    let replications = replications.unwrap_or_else(|| (ENOUGH / rows.len().max(1) as u64).clamp(20, 5000));
    let loaded = experiment(model, variant, rows, schedule)?;
    let mut plan = assemble(&loaded).map_err(|e| e.to_string())?;
    for scenario in &mut plan.scenarios {
        scenario.counts_tpot = true;
    }
    let sum = Sum::default();
    replicate_into(&plan.scenarios, seed, replications, &Control::default(), &sum);
    let sum = sum.0.into_inner().unwrap_or_else(PoisonError::into_inner);
    let tally = sum.ok_or("nothing was simulated")?.map_err(outgrown)?;
    Ok(Simulated {
        tally,
        replications,
        notes,
    })
}

/// Adds replications up as they finish, so that none is held; one that outgrew its bound stands for all.
#[derive(Debug, Default)]
struct Sum(Mutex<Option<Result<Tally, Halt>>>);

impl Sink for Sum {
    fn wants(&self, _replication: u64, _scenario: usize) -> bool {
        true
    }

    fn take(&self, _replication: u64, _scenario: usize, result: Result<Tally, Halt>) {
        let mut sum = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match (&mut *sum, result) {
            (Some(Ok(sum)), Ok(tally)) => sum.merge(&tally),
            (Some(Err(_)), _) => {}
            (None, result) | (Some(Ok(_)), result @ Err(_)) => *sum = Some(result),
        }
    }
}

fn outgrown(halt: Halt) -> String {
    format!("the model cannot keep up with this schedule: {halt}")
}

fn rows(schedule: &[&Observation], notes: &mut Vec<String>) -> Vec<Row> {
    let median = |of: fn(&Observation) -> Option<u32>| {
        let mut known: Vec<u32> = schedule.iter().filter_map(|o| of(o)).collect();
        known.sort_unstable();
        (schedule.len() - known.len(), known.get(known.len() / 2).copied())
    };
    let ((no_input, input), (no_output, output)) = (median(|o| o.input), median(|o| o.output));
    for (missing, what, typical) in [(no_input, "input", input), (no_output, "output", output)] {
        match typical {
            Some(typical) if missing > 0 => notes.push(format!(
                "{missing} requests do not say their {what} tokens: simulated with the median of the others, {typical}"
            )),
            None => notes.push(format!("no request says its {what} tokens: simulated with 1")),
            Some(_) => {}
        }
    }
    let sent = |o: &Observation| o.at.map(|at| at + o.dispatch.unwrap_or(0.0));
    let mut times: Option<Vec<f64>> = schedule.iter().map(|o| sent(o)).collect();
    if times.is_none() {
        notes.push("the log has no times: simulated one request a minute, so none waits for another".to_owned());
        times = Some((0..schedule.len()).map(|i| i as f64 * 60.0).collect());
    }
    let times = times.unwrap_or_default();
    let first = times.iter().copied().fold(f64::INFINITY, f64::min);
    let row = |(o, at): (&&Observation, f64)| Row {
        at: Span::from_seconds_f64(at - first),
        input: o.input.or(input).unwrap_or(1),
        output: o
            .output
            .filter(|_| o.outcome == Outcome::Success)
            .or(output)
            .unwrap_or(1)
            .max(1),
    };
    let mut rows: Vec<Row> = schedule.iter().zip(times).map(row).collect();
    rows.sort_by_key(|r| r.at.nanos());
    rows
}

fn experiment(model: &ModelFile, variant: &str, rows: Vec<Row>, schedule: &[&Observation]) -> Result<Loaded, String> {
    let shortest = |outcomes: &[Outcome]| {
        let gave_up = schedule.iter().filter(|o| outcomes.contains(&o.outcome));
        let waits = gave_up.filter_map(|o| match o.e2e {
            Timing::AtLeast(s) if s > 0.0 => Some(s),
            Timing::Seen(_) | Timing::AtLeast(_) | Timing::Unknown => None,
        });
        waits
            .reduce(f64::min)
            .map(|s| format!("{}ns", Span::from_seconds_f64(s).nanos()))
    };
    let kinds = [
        ("ttft", shortest(&[Outcome::TimeoutTtft])),
        ("total", shortest(&[Outcome::TimeoutTotal, Outcome::TimeoutAttempt])),
    ];
    let mut timeouts: BTreeMap<&str, String> = kinds.into_iter().filter_map(|(name, s)| Some((name, s?))).collect();
    // A hang needs a timeout to end it, although no request of this log happened to have one.
    let faults = model.variants.get(variant).map(|spec| &spec.faults);
    if faults.is_some_and(|f| f.hang.share().get() + f.stalled.share().get() > 0.0) {
        timeouts.entry("total").or_insert_with(|| "1h".to_owned());
    }
    let text = json!({
        "name": "validate",
        "traffic": { "arrivals": { "replay": { "trace": "log" } }, "classes": { "all": {} } },
        "providers": { "model": { "model": "model", "variant": variant } },
        "client": { "timeouts": timeouts },
        "policies": [ { "name": "only", "policy": { "single": { "provider": "model" } } } ],
        "plan": { "duration": "87600h" }
    });
    let text = text.to_string();
    let experiment = parse("the validation's experiment", &text).map_err(|e| e.to_string())?;
    Ok(Loaded {
        file: "the validation's experiment".to_owned(),
        text,
        experiment,
        models: BTreeMap::from([("model".to_owned(), model.clone())]),
        trace: Some(Arc::from(rows)),
        scores: None,
        prices: Default::default(),
        inputs: Vec::new(),
        scripts: BTreeMap::new(),
        own: Default::default(),
    })
}
