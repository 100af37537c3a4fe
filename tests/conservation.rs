//! What must hold of every replication of every experiment, however it is put together: nothing is lost, nothing is
//! counted twice, and the same seed gives the same result.
//!
//! Experiments are made as files, so that what is tested is what a file can ask for. Warm-up is nothing, so the series,
//! which shows all of a replication, and the tally, which shows what was counted, tell of the same requests.

#[path = "common/experiments.rs"]
mod experiments;

use experiments::experiments;
use proptest::prelude::*;
use simcap::engine::run::{Control, run};
use simcap::engine::scenario::Scenario;
use simcap::engine::tally::Tally;
use simcap::experiment::assemble::assemble;
use simcap::experiment::load::from_text;
use simcap::words::BoundKind;
use simcap::words::Outcome;

/// The script that the experiments name.
const SCRIPT: &str = include_str!("common/least.rhai");

fn total(outcomes: &[u64]) -> u64 {
    outcomes.iter().sum()
}

/// Requests and attempts: who came has left, once.
fn nothing_is_lost(tally: &Tally) -> Result<(), TestCaseError> {
    let bins = tally.series.bins();
    let arrivals: u64 = bins.iter().map(|b| b.arrivals).sum();
    prop_assert_eq!(arrivals, tally.requests());
    // The series ends with the window; the tally follows everybody to the end.
    let ended: u64 = bins.iter().map(|b| b.successes + b.failures).sum();
    prop_assert!(ended <= arrivals);
    prop_assert!(bins.iter().map(|b| b.successes).sum::<u64>() <= tally.ended(Outcome::Success));
    prop_assert!(tally.in_system_at_end <= arrivals);
    prop_assert!(tally.in_system_at_end <= tally.peak_in_system as u64);
    let mut inside = 0;
    for bin in bins {
        inside += bin.arrivals;
        inside -= bin.successes + bin.failures;
        prop_assert_eq!(bin.in_system, inside);
    }
    let sent: u64 = (0..bins.len()).map(|i| total(tally.series.sent(i))).sum();
    prop_assert!(sent <= tally.attempts());
    Ok(())
}

/// Attempts by provider against requests by class.
fn attempts_fit_requests(tally: &Tally, scenario: &Scenario, tries: u64) -> Result<(), TestCaseError> {
    let of_attempts = |o: Outcome| tally.providers.iter().map(|p| p.outcomes[o.index()]).sum::<u64>();
    let (answers, successes) = (of_attempts(Outcome::Success), tally.ended(Outcome::Success));
    // A copy that nobody waits for is an attempt and no request.
    let copies = tally.effort.mirrored;
    prop_assert!(copies <= tally.requests());
    prop_assert!(successes <= answers);
    if scenario.policy.wants().judges {
        // An answer may be turned down, or run out of time while it is looked at.
        let lost = tally.effort.escalations + tally.ended(Outcome::TimeoutTotal);
        prop_assert!(answers <= successes + lost + copies);
    } else {
        prop_assert!(answers <= successes + copies);
        prop_assert_eq!((tally.judging, tally.effort.escalations), (0, 0));
    }
    // What only a provider can say was said in an attempt; what only the client can say never was.
    for o in [
        Outcome::RateLimited,
        Outcome::ServerError,
        Outcome::ContextExceeded,
        Outcome::Overloaded,
        Outcome::Unavailable,
        Outcome::TimeoutTtft,
        Outcome::TimeoutAttempt,
    ] {
        prop_assert!(tally.ended(o) <= of_attempts(o), "{:?}", o);
    }
    for o in [Outcome::BreakerOpen, Outcome::Shed, Outcome::QueueTimeout] {
        prop_assert_eq!(of_attempts(o), 0);
    }
    prop_assert!(tally.attempts() <= tally.requests() * tries + copies);
    Ok(())
}

/// Times and money.
fn sums_agree(tally: &Tally) -> Result<(), TestCaseError> {
    let billed: u128 = tally.providers.iter().map(|p| p.cost).sum();
    let by_class: u128 = tally.classes.iter().map(|c| c.cost).sum();
    prop_assert_eq!(billed + tally.judging, by_class + tally.mirrored);
    let reserved: u128 = tally.providers.iter().map(|p| p.reserved).sum();
    prop_assert_eq!(billed + tally.judging + reserved, tally.cost());
    prop_assert!(tally.good <= tally.served && tally.served <= tally.ended(Outcome::Success));
    for class in &tally.classes {
        let successes = class.outcomes[Outcome::Success.index()];
        prop_assert_eq!(class.ttft.count(), successes);
        prop_assert_eq!(class.e2e.count(), successes);
        prop_assert_eq!(
            class.wait.count(),
            total(&class.outcomes) - class.outcomes[Outcome::Shed.index()]
        );
        prop_assert!(class.ttft.max() <= class.e2e.max());
        prop_assert!(class.rated <= successes);
        prop_assert!(class.quality <= class.rated * 1_000_000);
    }
    for provider in &tally.providers {
        let billable = total(&provider.outcomes) > 0;
        prop_assert!(billable || (provider.cost, provider.input, provider.output, provider.busy) == (0, 0, 0, 0));
    }
    Ok(())
}

/// No bound holds for longer than was counted, and one that is never reached for no time.
fn bounds_are_kept(tally: &Tally, scenario: &Scenario) -> Result<(), TestCaseError> {
    prop_assert_eq!(tally.counted, u128::from(scenario.window.end.nanos()));
    for bound in &tally.bounds {
        prop_assert!(bound.time <= tally.counted, "{:?}", bound);
        let trips = bound.provider.map_or(0, |p| tally.providers[p].trips);
        prop_assert!(
            bound.what != BoundKind::Breaker || trips > 0 || bound.time == 0,
            "{:?}",
            bound
        );
    }
    // Every request is over by its timeout, so connections are in use no longer than from the start until then.
    let over = scenario.window.end + scenario.client.timeouts.total;
    for (provider, deployment) in tally.providers.iter().zip(&*scenario.fleet) {
        let connections = u128::from(scenario.pools[deployment.pool].connections.most);
        prop_assert!(provider.busy <= connections * u128::from(over.nanos()));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn nothing_is_lost_and_nothing_counted_twice(experiment in experiments(), seed in any::<u64>()) {
        let text = experiment.to_string();
        let mut loaded = from_text("case.json", &text).map_err(|e| TestCaseError::fail(e.to_string()))?;
        loaded.add_script("least.rhai", SCRIPT).map_err(|e| TestCaseError::fail(e.to_string()))?;
        let plan = assemble(&loaded).map_err(|e| TestCaseError::fail(e.to_string()))?;
        for scenario in &plan.scenarios {
            let tally = run(scenario, seed, 0, &Control::default()).unwrap();
            nothing_is_lost(&tally)?;
            attempts_fit_requests(&tally, scenario, experiments::MOST_TRIES)?;
            sums_agree(&tally)?;
            bounds_are_kept(&tally, scenario)?;
            let again = run(scenario, seed, 0, &Control::default()).unwrap();
            prop_assert!(tally == again, "another result with the same seed");
        }
        prop_assert_eq!(loaded.scripts["least.rhai"].trouble(), None);
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
