//! The schedule of a log, simulated: its times and token counts as a trace, the model as the only provider, and a
//! client with the timeouts of the measuring one.
//!
//! Requests arrive when they were sent, stretch by stretch ([`super::stretch`]), or in a closed loop when others end
//! ([`super::workers`]). A client that paused for a Retry-After does here
//! too: what it would have sent meanwhile ends as `breaker_open` and never reaches the endpoint. Missing figures are filled in and reported: token counts by the median of the
//! known ones, times by one request a minute, so that requests do not overlap. A client's timeout is the shortest wait
//! of the requests that were given up. Left out: retries, and prompts that share a prefix.

use crate::stats::sorting;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use super::stretch::{self, sent};
use super::workers::{self, Workers};
use crate::calibrate::log::{Observation, Timing};
use crate::engine::replicate::{Sink, replicate_into};
use crate::engine::run::{Control, Halt};
use crate::engine::tally::Tally;
use crate::experiment::assemble::assemble_after;
use crate::experiment::load::Loaded;
use crate::experiment::model::{ModelFile, ModelSpec};
use crate::experiment::uncertainty::Uncertainty;
use crate::form::build::Names;
use crate::form::diagnose::parse;
use crate::form::own::OwnParts;
use crate::kernel::chance::hash;
use crate::kernel::time::Span;
use crate::provider::load::LoadSpec;
use crate::traffic::arrivals::{Arrivals, Row};
use crate::words::Outcome;

/// Requests that suffice to make the simulation's own noise negligible.
const ENOUGH: u64 = 200_000;

/// The pause of simcap's probes after a refusal that does not say how long.
const PAUSE: &str = "1s";

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
    // What is judged is the model as it stands, not what it might be as well.
    let mut exact = model.clone();
    if let Some(spec) = exact.variants.get_mut(variant) {
        spec.uncertainty = Uncertainty::default();
    }
    let model = &exact;
    let spec = model.variants.get(variant).ok_or("no such variant")?;
    let mut notes = Vec::new();
    let known = Known::of(schedule, &mut notes);
    let replications = replications.unwrap_or_else(|| (ENOUGH / schedule.len().max(1) as u64).clamp(20, 5000));
    let stretches = stretch::stretches(schedule, spec);
    if stretches.len() > 1 {
        notes.push(format!(
            "{} stretches of measurements, far apart in time, are simulated one by one",
            stretches.len()
        ));
    }
    let client = |stretch: &Vec<&Observation>| (stretch::pauses(stretch), workers::of(stretch));
    let clients: Vec<(bool, Option<u32>)> = stretches.iter().map(client).collect();
    if clients.iter().any(|(waits, _)| *waits) {
        notes.push("the measuring client waited where it was refused, and so does the simulated one".to_owned());
    }
    let sum = Sum::default();
    for (number, (stretch, (waits, workers))) in stretches.iter().zip(clients).enumerate() {
        match workers {
            Some(n) => notes.push(format!(
                "{} requests were a closed loop of {n}: the simulated ones follow the simulated answers",
                stretch.len()
            )),
            None => notes.extend(queued(spec, stretch)),
        }
        let leads = stretch::leads(stretch, schedule, spec);
        for (i, lead) in leads.iter().enumerate() {
            // The replications are dealt out to the places where a window may begin.
            let share = (replications + (leads.len() - 1 - i) as u64) / leads.len() as u64;
            let rows = known.rows(stretch, *lead);
            let loaded = experiment(model, variant, rows, schedule, (waits, workers))?;
            let mut plan = assemble_after(&loaded, Span::ZERO).map_err(|e| e.to_string())?;
            for scenario in &mut plan.scenarios {
                scenario.counts_tpot = true;
            }
            let seed = if number + i == 0 {
                seed
            } else {
                hash(seed, (number * leads.len() + i) as u64)
            };
            replicate_into(&plan.scenarios, seed, share, &Control::default(), &sum);
        }
    }
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

/// What stands in for figures that a log does not have.
struct Known {
    input: Option<u32>,
    output: Option<u32>,
    timed: bool,
}

impl Known {
    fn of(schedule: &[&Observation], notes: &mut Vec<String>) -> Known {
        let median = |of: fn(&Observation) -> Option<u32>| {
            let mut known: Vec<u32> = schedule.iter().filter_map(|o| of(o)).collect();
            known.sort_unstable();
            (schedule.len() - known.len(), known.get(known.len() / 2).copied())
        };
        let ((no_input, input), (no_output, output)) = (median(|o| o.input), median(|o| o.output));
        for (missing, what, typical) in [(no_input, "input", input), (no_output, "output", output)] {
            match typical {
                Some(typical) if missing > 0 => notes.push(format!(
                    "{missing} requests failed or do not say their {what} tokens: simulated with the median of the others, {typical}"
                )),
                None => notes.push(format!("no request says its {what} tokens: simulated with 1")),
                Some(_) => {}
            }
        }
        let timed = schedule.iter().all(|o| sent(o).is_some());
        if !timed {
            notes.push("the log has no times: simulated one request a minute, so none waits for another".to_owned());
        }
        Known { input, output, timed }
    }

    /// The requests of one stretch as a trace whose first row is `lead` seconds after the start.
    fn rows(&self, stretch: &[&Observation], lead: f64) -> Vec<Row> {
        let time = |(i, o): (usize, &&Observation)| match sent(o).filter(|_| self.timed) {
            Some(at) => at,
            None => i as f64 * 60.0,
        };
        let times: Vec<f64> = stretch.iter().enumerate().map(time).collect();
        let first = times.iter().copied().fold(f64::INFINITY, f64::min);
        let row = |(o, at): (&&Observation, f64)| Row {
            at: Span::from_seconds_f64(at - first + lead),
            input: o.input.or(self.input).unwrap_or(1),
            output: o
                .output
                .filter(|_| o.outcome == Outcome::Success)
                .or(self.output)
                .unwrap_or(1)
                .max(1),
        };
        let mut rows: Vec<Row> = stretch.iter().zip(times).map(row).collect();
        sorting::by_key(&mut rows, |r| r.at.nanos());
        rows
    }
}

/// A note where most requests waited for a slot.
///
/// Replayed at their times, they wait for what the model's mean time of an answer is off by, added up request after request.
fn queued(spec: &ModelSpec, stretch: &[&Observation]) -> Option<String> {
    let slots = spec.load.iter().find_map(|load| {
        let LoadSpec::slots(slots) = load else { return None };
        Some(slots.servers.get())
    })?;
    let many = stretch
        .iter()
        .filter(|o| o.in_flight.is_some_and(|n| u64::from(n) > slots))
        .count();
    (2 * many > stretch.len()).then(|| {
        format!(
            "{many} of {} requests were sent with every slot taken: their waits add up what the model's mean time of an answer is off by, \
             and say more of that than of each answer; compare at a rate below saturation",
            stretch.len()
        )
    })
}

/// The experiment of one stretch; the timeouts are those of the whole `schedule`, and the client waits where it is refused if it `waits`, and
/// `workers`, if there are some, send one request after another.
fn experiment(
    model: &ModelFile,
    variant: &str,
    rows: Vec<Row>,
    schedule: &[&Observation],
    (waits, workers): (bool, Option<u32>),
) -> Result<Loaded, String> {
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
    let mut timeouts = sorting::map(kinds.into_iter().filter_map(|(name, s)| Some((name, s?))));
    // A hang needs a timeout to end it, although no request of this log happened to have one.
    let faults = model.variants.get(variant).map(|spec| &spec.faults);
    if faults.is_some_and(|f| f.hang.share().get() + f.stalled.share().get() > 0.0) {
        timeouts.entry("total").or_insert_with(|| "1h".to_owned());
    }
    // Out for the Retry-After of a refusal, and for nothing else: a share above 100 % there is not.
    let breaker = json!({ "helicone": { "ratio": "100%", "grace": "0s", "retry_after": PAUSE } });
    let client = if waits {
        json!({ "timeouts": timeouts, "breaker": breaker })
    } else {
        json!({ "timeouts": timeouts })
    };
    // Workers bring the lengths of the log as a trace does; a class has some besides.
    let (arrivals, class) = match workers {
        Some(_) => (
            json!({ "own": { "name": "workers" } }),
            json!({ "input": { "constant": 1 }, "output": { "constant": 1 } }),
        ),
        None => (json!({ "replay": { "trace": "log" } }), json!({})),
    };
    let text = json!({
        "name": "validate",
        "traffic": { "arrivals": arrivals, "classes": { "all": class } },
        "providers": { "model": { "model": "model", "variant": variant } },
        "client": client,
        "policies": [ { "name": "only", "policy": { "single": { "provider": "model" } } } ],
        "plan": { "duration": "87600h" }
    });
    let rows: Arc<[Row]> = Arc::from(rows);
    let text = text.to_string();
    let experiment = parse("the validation's experiment", &text).map_err(|e| e.to_string())?;
    Ok(Loaded {
        file: "the validation's experiment".to_owned(),
        text,
        experiment,
        models: BTreeMap::from([("model".to_owned(), model.clone())]),
        traces: match workers {
            Some(_) => BTreeMap::new(),
            None => BTreeMap::from([("log".to_owned(), rows.iter().copied().collect())]),
        },
        kept: BTreeMap::new(),
        pairs: BTreeMap::new(),
        columns: Default::default(),
        notes: Vec::new(),
        scores: None,
        prices: Default::default(),
        inputs: Vec::new(),
        scripts: BTreeMap::new(),
        own: match workers {
            Some(many) => {
                let workers = Workers::new(rows, many);
                let make = move |_: &Value, _: &Names<'_>| Ok(Box::new(workers.clone()) as Box<dyn Arrivals>);
                OwnParts::default().arrivals("workers", make)
            }
            None => OwnParts::default(),
        },
    })
}
