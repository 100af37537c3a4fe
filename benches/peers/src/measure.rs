//! The stopwatch: CPU time per customer or request, the least of several interleaved rounds.
//!
//! The clock is the CPU time of the thread, so that other processes' turns do not count. In each round every row runs
//! once, so that a slow spell of the machine meets all rows; the least of a row's rounds is the one that was disturbed
//! least. Every round does the same work from the same seed. It leaves out confidence intervals: read ratios.

use std::time::Duration;

use cpu_time::ThreadTime;

use crate::bare_router::{self, Load, Model};
use crate::mm1::{self, Engine, Run};
use crate::simcap_router;

const SEED: u64 = 1;

/// How much work a run of this program does.
pub struct Scale {
    /// Customers of the M/M/1 in each round; a slow engine serves its share of them.
    pub customers: u64,
    /// Requests through the router in each round.
    pub requests: u64,
    /// Rounds, of which the least counts.
    pub rounds: u32,
}

/// What one row of the M/M/1 table shows, or why it was skipped.
pub struct EngineRow {
    /// The engine that was timed.
    pub engine: &'static Engine,
    /// Nanoseconds per customer and what was found.
    pub best: Result<Best<mm1::Outcome>, String>,
}

/// What one row of the router table shows.
pub struct RouterRow {
    /// The load that was simulated.
    pub load: &'static Load,
    /// Nanoseconds per request and what was found.
    pub best: Best<bare_router::Outcome>,
}

/// What the row of simcap's engine shows, or why there is none.
pub type SimcapRow = Result<Best<simcap_router::Outcome>, String>;

/// The least time of the rounds so far.
pub struct Best<T> {
    /// Nanoseconds per unit of work; infinite before the first round.
    pub nanos: f64,
    /// What the last round found; `None` before the first.
    pub outcome: Option<T>,
}

impl Scale {
    /// About half a minute.
    pub const FULL: Scale = Scale {
        customers: 2_000_000,
        requests: 2_000_000,
        rounds: 9,
    };
    /// A few seconds.
    pub const QUICK: Scale = Scale {
        customers: 400_000,
        requests: 400_000,
        rounds: 3,
    };
}

impl<T> Best<T> {
    fn none() -> Best<T> {
        Best {
            nanos: f64::INFINITY,
            outcome: None,
        }
    }

    fn add(&mut self, outcome: T, cpu: Duration, units: u64) {
        self.nanos = self.nanos.min(cpu.as_nanos() as f64 / units as f64);
        self.outcome = Some(outcome);
    }
}

/// Times all `engines`.
pub fn mm1(engines: &'static [Engine], scale: &Scale) -> Vec<EngineRow> {
    let mut rows: Vec<_> = engines
        .iter()
        .map(|engine| EngineRow {
            engine,
            best: Ok(Best::none()),
        })
        .collect();
    for _ in 0..scale.rounds {
        for row in &mut rows {
            let Ok(best) = &mut row.best else { continue };
            let customers = scale.customers / row.engine.share;
            match timed(&row.engine.run, customers) {
                Ok((outcome, cpu)) => best.add(outcome, cpu, outcome.customers),
                Err(reason) => row.best = Err(reason),
            }
        }
    }
    rows
}

/// Times the bare router under all `loads`, and simcap's engine on its own experiment.
pub fn router(loads: &'static [Load], scale: &Scale) -> (Vec<RouterRow>, SimcapRow) {
    let scenario = simcap_router::scenario();
    let mut whole = Best::none();
    let models: Vec<_> = loads.iter().map(Model::new).collect();
    let mut rows: Vec<_> = loads
        .iter()
        .map(|load| RouterRow {
            load,
            best: Best::none(),
        })
        .collect();
    for _ in 0..scale.rounds {
        for (row, model) in rows.iter_mut().zip(&models) {
            let start = ThreadTime::now();
            let outcome = bare_router::run(model, scale.requests, SEED);
            row.best.add(outcome, start.elapsed(), scale.requests);
        }
        if let Ok(scenario) = &scenario {
            let start = ThreadTime::now();
            let outcome = simcap_router::run(scenario, SEED);
            let (cpu, requests) = (start.elapsed(), outcome.requests);
            whole.add(outcome, cpu, requests);
        }
    }
    (rows, scenario.map(|_| whole))
}

fn timed(run: &Run, customers: u64) -> Result<(mm1::Outcome, Duration), String> {
    match run {
        Run::Inside(run) => {
            let start = ThreadTime::now();
            let outcome = run(customers, SEED);
            Ok((outcome, start.elapsed()))
        }
        Run::Outside(run) => run(customers, SEED),
    }
}
