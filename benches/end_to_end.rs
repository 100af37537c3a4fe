//! What whole runs cost: shipped experiments cut to a short time, and a queue with three servers.
//!
//! `cargo bench --bench end_to_end -- --quick`. Throughput is requests simulated a second, on one core. An experiment
//! whose file is missing is left out. Loading a file and tabulating its laws is not timed; setting a replication up is, so
//! that a run of few requests looks slow.

use std::path::{Path, PathBuf};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use simcap::engine::run::{Control, run};
use simcap::engine::scenario::Scenario;
use simcap::engine::tally::Tally;
use simcap::experiment::load::{Loaded, Traces, from_text, load};
use simcap::kernel::time::{Span, Time};

/// An Erlang C queue at 80 % load.
const MMC: &str = r#"{
    "name": "mmc",
    "traffic": {
        "arrivals": { "poisson": { "rate": "2.4/s" } },
        "classes": { "customer": { "input": { "constant": 1 }, "output": { "constant": 1 } } }
    },
    "providers": { "servers": {
        "response": { "exponential": { "mean": "1s" } },
        "prices": { "per_request": { "price": "$0.001" } }
    } },
    "client": { "max_in_flight": 3 },
    "policies": [ { "name": "only", "policy": { "single": { "provider": "servers" } } } ],
    "plan": { "duration": "10h", "warmup": "0s" }
}"#;

/// The scenario of the first policy, for `seconds` at most.
fn first(loaded: &Loaded, seconds: u64) -> Scenario {
    let plan = simcap::experiment::assemble::assemble(loaded).unwrap_or_else(|error| panic!("{error}"));
    let mut scenario = plan.scenarios.into_iter().next().expect("an experiment has a policy");
    scenario.window.end = scenario.window.end.min(Time::ZERO + Span::from_secs(seconds));
    scenario.window.warmup = Time::ZERO;
    scenario
}

fn simulate(scenario: &Scenario) -> Tally {
    run(scenario, 1, 0, &Control::default()).expect("nobody stops it")
}

fn end_to_end(c: &mut Criterion) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join("experiments");
    let files: Vec<(&str, PathBuf, u64)> = vec![
        ("tiered", folder.join("tiered.json"), 21_600),
        ("qps-1000", folder.join("qps-1000.json"), 20),
        ("every mechanism", root.join("benches/every-mechanism.json"), 3_600),
    ];
    let mut scenarios = vec![(
        "M/M/3",
        first(&from_text("mmc.json", MMC).unwrap_or_else(|e| panic!("{e}")), 10_000),
    )];
    for (name, file, seconds) in files.into_iter().filter(|(_, file, _)| file.exists()) {
        let loaded = load(&file, &Traces::default()).unwrap_or_else(|error| panic!("{error}"));
        scenarios.push((name, first(&loaded, seconds)));
    }
    let mut group = c.benchmark_group("requests");
    for (name, scenario) in &scenarios {
        group.throughput(Throughput::Elements(simulate(scenario).requests()));
        group.bench_function(*name, |b| b.iter(|| simulate(scenario)));
    }
    group.finish();
}

criterion_group!(whole, end_to_end);
criterion_main!(whole);
