//! How fast the whole engine is: CPU time per request of the first policy of an experiment, one core, least of some rounds.
//!
//! `cargo run --release --example speed [experiment.json [rounds]]`. The clock is the CPU time of this thread as Linux
//! counts it, so that other processes' turns do not count; elsewhere it prints nothing useful. It leaves out replications
//! in parallel and the report.

use std::error::Error;
use std::path::Path;

use simcap::engine::run::{Control, run};
use simcap::spec::{assemble::assemble, load::load};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let file = args.next().unwrap_or_else(|| "experiments/tiered.json".to_owned());
    let rounds: u64 = args.next().map_or(Ok(7), |n| n.parse())?;
    let loaded = load(Path::new(&file), &[])?;
    let plan = assemble(&loaded)?;
    let mut least = f64::INFINITY;
    for _ in 0..rounds {
        let start = cpu_nanos()?;
        let tally = run(&plan.scenarios[0], 1, 0, &Control::default()).ok_or("stopped")?;
        let requests: u64 = tally.series.bins().iter().map(|bin| bin.arrivals).sum();
        least = least.min((cpu_nanos()? - start) as f64 / requests as f64);
    }
    println!("{least:.1} ns a request, {:.2} million a second", 1e3 / least);
    Ok(())
}

/// Nanoseconds that this thread has had the processor.
fn cpu_nanos() -> Result<u64, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(stat.split_whitespace().next().ok_or("no figure")?.parse()?)
}
