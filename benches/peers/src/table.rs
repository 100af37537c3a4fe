//! The tables, as text.

use crate::measure::{EngineRow, RouterRow, Scale, SimcapRow};
use crate::mm1::{self, BASE};

/// Prints the M/M/1 table, with every row's ratio to the bare loop.
pub fn print_mm1(scale: &Scale, rows: &[EngineRow]) {
    let base = rows.iter().find(|row| row.engine.name == BASE).and_then(nanos);
    println!(
        "M/M/1, rho {}, first come first served: CPU time per customer (two events), one core, least of {} rounds",
        mm1::ARRIVAL_RATE,
        scale.rounds
    );
    println!(
        "{:<30} {:>9} {:>9} {:>8}  {:<21} {:>9} {:>14} {:>7}",
        "engine", "ns", "million/s", "x bare", "pending events", "customers", "mean sojourn", "p99"
    );
    for row in rows {
        let engine = row.engine;
        match &row.best {
            Ok(best) => {
                let Some(outcome) = best.outcome else { continue };
                println!(
                    "{:<30} {:>9.1} {:>9.3} {:>8.2}  {:<21} {:>9} {:>6.3}{}± {:<5.2} {:>7.1}",
                    engine.name,
                    best.nanos,
                    1e3 / best.nanos,
                    best.nanos / base.unwrap_or(f64::NAN),
                    engine.pending,
                    outcome.customers,
                    outcome.mean_sojourn,
                    if engine.own_draws { '*' } else { ' ' },
                    2.0 * mm1::standard_error(outcome.customers),
                    outcome.p99_sojourn,
                );
            }
            Err(reason) => println!("{:<30} skipped: {reason}", engine.name),
        }
    }
    println!(
        "theory: mean sojourn {:.0}, p99 46.1; ± is two standard errors; * has draws of its own\n",
        mm1::MEAN_SOJOURN
    );
}

/// Prints the router table.
pub fn print_router(scale: &Scale, rows: &[RouterRow]) {
    println!(
        "bare LLM router, 3 providers, no framework: CPU time per request, one core, {} requests, least of {} rounds",
        scale.requests, scale.rounds
    );
    println!(
        "{:<30} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>8} {:>9}",
        "load", "ns", "million/s", "in flight", "TTFT s", "E2E s", "p99 E2E", "wait s", "failed", "$/1,000"
    );
    for row in rows {
        let Some(outcome) = &row.best.outcome else { continue };
        println!(
            "{:<30} {:>9.1} {:>9.3} {:>9.0} {:>9.3} {:>9.3} {:>9.2} {:>9.4} {:>7.3}% {:>9.3}",
            row.load.name,
            row.best.nanos,
            1e3 / row.best.nanos,
            // Little's law.
            row.load.rate * outcome.e2e.mean(),
            outcome.ttft.mean(),
            outcome.e2e.mean(),
            outcome.e2e.quantile(0.99),
            outcome.wait.mean(),
            100.0 * outcome.failed as f64 / outcome.requests as f64,
            1e3 * outcome.dollars / outcome.requests as f64,
        );
    }
}

/// Prints simcap's engine on its own experiment, against the bare router's smaller load. The loads differ, see the README.
pub fn print_simcap(bare: &[RouterRow], whole: &SimcapRow) {
    println!("\nsimcap's whole engine, experiments/tiered.json, first policy: CPU time per request, one core");
    match whole {
        Ok(best) => {
            let Some(outcome) = &best.outcome else { return };
            println!(
                "{:<30} {:>9.1} ns {:>9.3} million/s {:>7.2} x bare, {} requests, at most {} at once, {:.3}% failed",
                "simcap, whole engine",
                best.nanos,
                1e3 / best.nanos,
                best.nanos / bare.first().map_or(f64::NAN, |row| row.best.nanos),
                outcome.requests,
                outcome.peak,
                100.0 * outcome.failed,
            );
        }
        Err(reason) => println!("simcap, whole engine skipped: {reason}"),
    }
}

fn nanos(row: &EngineRow) -> Option<f64> {
    row.best.as_ref().ok().map(|best| best.nanos)
}
