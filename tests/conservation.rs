//! What must hold of every replication of every experiment, however it is put together: nothing is lost, nothing is
//! counted twice, and the same seed gives the same result.
//!
//! Experiments are made as files, so that what is tested is what a file can ask for. Warm-up is nothing, so the series,
//! which shows all of a replication, and the tally, which shows what was counted, tell of the same requests.

use crate::common::checks;
use crate::common::experiments::{MOST_TRIES, experiments};
use proptest::prelude::*;
use simcap::engine::run::{Control, run};
use simcap::engine::scenario::Scenario;
use simcap::experiment::assemble::assemble;
use simcap::experiment::load::from_text;
use simcap::words::Outcome;

/// So many cases, or more if the environment says so: `.ci/full` has sixteen times as many.
fn at_least(cases: u32) -> ProptestConfig {
    ProptestConfig::with_cases(ProptestConfig::default().cases.max(cases))
}

/// That one of the policies, as good as drawn, gives the same a second time with the same seed.
fn again(scenarios: &[Scenario], seed: u64) -> Result<(), TestCaseError> {
    let scenario = &scenarios[(seed % scenarios.len() as u64) as usize];
    let [first, second] = [(); 2].map(|()| run(scenario, seed, 0, &Control::default()));
    prop_assert!(first == second, "another result with the same seed");
    Ok(())
}

/// The script that the experiments name.
const SCRIPT: &str = include_str!("common/least.rhai");

proptest! {
    #![proptest_config(at_least(256))]

    #[test]
    fn nothing_is_lost_and_nothing_counted_twice(experiment in experiments(), seed in any::<u64>()) {
        let text = experiment.to_string();
        let mut loaded = from_text("case.json", &text).map_err(|e| TestCaseError::fail(e.to_string()))?;
        loaded.add_script("least.rhai", SCRIPT).map_err(|e| TestCaseError::fail(e.to_string()))?;
        let plan = assemble(&loaded).map_err(|e| TestCaseError::fail(e.to_string()))?;
        for scenario in &plan.scenarios {
            let tally = run(scenario, seed, 0, &Control::default()).unwrap();
            checks::all_hold(&tally, scenario, MOST_TRIES)?;
        }
        again(&plan.scenarios, seed)?;
        prop_assert_eq!(loaded.scripts["least.rhai"].trouble(), None);
    }
}

proptest! {
    #![proptest_config(at_least(64))]

    /// The same where policies know only what was so at the last refresh, or gateways tell one another now and then.
    #[test]
    fn nothing_is_lost_where_what_policies_know_is_old(
        mut experiment in experiments(),
        seed in any::<u64>(),
        every in 1_u32..5000,
        gateways in 1_u16..4,
    ) {
        let field = if gateways > 1 && every % 2 == 0 { "sync" } else { "refresh" };
        experiment["client"]["gateways"] = gateways.into();
        experiment["client"][field] = format!("{every}ms").into();
        let text = experiment.to_string();
        let mut loaded = from_text("case.json", &text).map_err(|e| TestCaseError::fail(e.to_string()))?;
        loaded.add_script("least.rhai", SCRIPT).map_err(|e| TestCaseError::fail(e.to_string()))?;
        let plan = assemble(&loaded).map_err(|e| TestCaseError::fail(e.to_string()))?;
        for scenario in &plan.scenarios {
            let tally = run(scenario, seed, 0, &Control::default()).unwrap();
            checks::all_hold(&tally, scenario, MOST_TRIES)?;
        }
        again(&plan.scenarios, seed)?;
    }
}

/// A breaker opens while a hundred thousand wait: all of them are let in and turned away in one moment.
#[test]
fn a_long_queue_that_fails_at_once_needs_no_deep_stack() {
    let experiment = serde_json::json!({
        "name": "case",
        "traffic": {
            "arrivals": { "regular": { "rate": "1000/s" } },
            "classes": { "c": { "input": { "constant": 1 }, "output": { "constant": 1 } } },
        },
        "providers": { "p": {
            "response": { "constant": "1h" },
            "prices": { "per_request": { "price": "$1" } },
        } },
        "client": {
            "max_in_flight": 1,
            "timeouts": { "attempt": "100s" },
            "breaker": { "consecutive": { "failures": 1, "open_for": "1h" } },
        },
        "policies": [{ "name": "one", "policy": { "single": { "provider": "p" } } }],
        "plan": { "duration": "100s", "warmup": "0s" },
    });
    let plan = assemble(&from_text("case.json", &experiment.to_string()).unwrap()).unwrap();
    let tally = run(&plan.scenarios[0], 1, 0, &Control::default()).unwrap();
    assert_eq!(tally.ended(Outcome::TimeoutAttempt), 1);
    assert_eq!(tally.ended(Outcome::BreakerOpen), tally.requests() - 1);
}

/// An answer that takes longer than the clock can tell ends at the end of time.
#[test]
fn an_answer_beyond_the_clock_ends() {
    let experiment = serde_json::json!({
        "name": "case",
        "traffic": {
            "arrivals": { "regular": { "rate": "1/s" } },
            "classes": { "c": { "input": { "constant": 1 }, "output": { "constant": 1000 } } },
        },
        "providers": { "p": {
            "ttft": { "constant": "1s" },
            "tps": { "constant": 1e-300 },
            "prices": { "per_request": { "price": "$1" } },
        } },
        "policies": [{ "name": "one", "policy": { "single": { "provider": "p" } } }],
        "plan": { "duration": "10s" },
    });
    let plan = assemble(&from_text("case.json", &experiment.to_string()).unwrap()).unwrap();
    let tally = run(&plan.scenarios[0], 1, 0, &Control::default()).unwrap();
    assert_eq!(tally.requests(), 9);
}
