//! The tables, as text: those with everything that was measured, and the short one that the project's README shows.

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

/// Rows of the README's table: the engines' names here, and what they are called there.
const README: &[(&[&str], &str)] = &[
    (&[BASE], "bare loop: heap, draws, histogram"),
    (&["simcap kernel, all its own"], "**simcap's kernel**, all its own"),
    (&["desque 0.4"], "desque 0.4"),
    (&["simcap, whole engine"], "simcap, the whole engine"),
    (&["nexosim 1.0, one thread"], "nexosim 1.0"),
    (&["SimPy, store", "SimPy, resource"], "SimPy, store / resource"),
];

/// Prints the README's table, in Markdown: of this run and of nothing else.
pub fn print_readme(engines: &[EngineRow], bare: &[RouterRow], whole: &SimcapRow) {
    let named = |name: &&str| engines.iter().find(|row| row.engine.name == *name).and_then(nanos);
    let base = named(&BASE).unwrap_or(f64::NAN);
    println!("\n| M/M/1, one core, per customer | ns | against the bare loop |\n|---|---|---|");
    for (names, label) in README {
        match names.iter().map(named).collect::<Option<Vec<f64>>>() {
            Some(nanos) => print_row(label, &nanos, base),
            None => println!("| {label} | skipped | |"),
        }
    }
    let base = bare.first().map_or(f64::NAN, |row| row.best.nanos);
    println!("\n| LLM router, one core, per request | ns | against the bare router |\n|---|---|---|");
    print_row("bare router, by hand for one scenario", &[base], base);
    match whole {
        Ok(best) => print_row("**simcap**, `experiments/tiered.json`", &[best.nanos], base),
        Err(_) => println!("| **simcap**, `experiments/tiered.json` | skipped | |"),
    }
}

fn print_row(label: &str, nanos: &[f64], base: f64) {
    let digits = |x: f64, at_most: f64, few: usize| {
        if x < at_most {
            format!("{x:.few$}")
        } else {
            format!("{x:.0}")
        }
    };
    let times: Vec<String> = nanos.iter().map(|ns| digits(*ns, 100.0, 1)).collect();
    let ratios: Vec<String> = nanos.iter().map(|ns| digits(ns / base, 10.0, 2)).collect();
    println!("| {label} | {} | {} |", times.join(" / "), ratios.join(" / "));
}

fn nanos(row: &EngineRow) -> Option<f64> {
    row.best.as_ref().ok().map(|best| best.nanos)
}
