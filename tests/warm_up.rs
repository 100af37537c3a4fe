//! The plan's time begins warm and is counted whole: against closed forms and hand arithmetic.
//!
//! Left out here: what each part does with its times, which its own tests hold.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]
#![allow(clippy::disallowed_methods, reason = "a theory's last digit does not matter")]

use crate::common::{assert_holds, plan};
use serde_json::{Value, json};
use simcap::engine::replicate::replicate;
use simcap::engine::run::Control;
use simcap::engine::tally::Tally;
use simcap::experiment::assemble::{Plan, assemble};
use simcap::experiment::load::from_text;
use simcap::experiment::pilot::warmed;
use simcap::kernel::time::{Span, Time};
use simcap::report::{PolicyReport, Report};
use simcap::simulate::{self, Options};
use simcap::stats::interval::{Confidence, Estimate};
use simcap::words::{Outcome, Start};

/// An experiment of one provider that answers in 200 ms for a cent, ten times a second, with `more` put over it.
fn experiment(more: Value) -> String {
    let mut it = json!({
        "name": "warm",
        "traffic": {
            "arrivals": { "poisson": { "rate": "10/s" } },
            "classes": { "all": { "input": { "constant": 100 }, "output": { "constant": 10 } } }
        },
        "providers": { "p": {
            "response": { "exponential": { "mean": "200ms" } },
            "prices": { "per_request": { "price": "$0.01" } }
        } },
        "policies": [ { "name": "only", "policy": { "single": { "provider": "p" } } } ],
        "plan": { "duration": "2h", "replications": 10 }
    });
    merge(&mut it, more);
    it.to_string()
}

fn merge(to: &mut Value, from: Value) {
    match (to, from) {
        (Value::Object(to), Value::Object(from)) => {
            for (key, value) in from {
                let own = to.entry(&key).or_insert(Value::Null);
                // One of several kinds: the other takes its place.
                if key == "arrivals" || key == "response" {
                    *own = Value::Null;
                }
                merge(own, value);
            }
        }
        (to, from) => *to = from,
    }
}

fn run(text: &str) -> Report {
    simulate::run(text, &Options::default()).unwrap_or_else(|e| panic!("{e}"))
}

fn figure(policy: &PolicyReport, metric: &str) -> Estimate {
    let found = policy.metrics.iter().find(|m| m.metric.to_string() == metric);
    found.unwrap_or_else(|| panic!("no {metric}")).estimate
}

/// A queue of one server with exponential service of a second, at `load`, from `warmup` (a pilot's, if there is none).
fn mm1_text(load: f64, seconds: u32, replications: u32, seed: u32, warmup: Option<&str>) -> String {
    let mut it = json!({
        "traffic": { "arrivals": { "poisson": { "rate": format!("{load}/s") } } },
        "providers": { "p": {
            "response": { "exponential": { "mean": "1s" } },
            "load": [ { "slots": { "servers": 1 } } ]
        } },
        "plan": { "duration": format!("{seconds}s"), "replications": replications, "seed": seed }
    });
    if let Some(warmup) = warmup {
        it["plan"]["warmup"] = json!(warmup);
    }
    experiment(it)
}

/// The same, checked and warm.
fn mm1(load: f64, seconds: u32, replications: u32, seed: u32, warmup: Option<&str>) -> Plan {
    let loaded = from_text("queue.json", &mm1_text(load, seconds, replications, seed, warmup)).unwrap();
    warmed(&loaded, assemble(&loaded).unwrap(), &Control::default()).unwrap()
}

fn tallies(plan: &Plan) -> Vec<Tally> {
    let mut runs = replicate(&plan.scenarios, plan.seed, plan.replications, &Control::default());
    runs.remove(0).into_iter().map(|run| run.expect("it ends")).collect()
}

fn over(tallies: &[Tally], figure: impl Fn(&Tally) -> f64) -> Estimate {
    Estimate::of_replications(tallies.iter().map(|t| Some(figure(t))), Confidence::P99)
}

/// Mean requests in the system over some of the 120 bins.
fn in_system(tally: &Tally, bins: std::ops::Range<usize>) -> f64 {
    let some = &tally.series.bins()[bins];
    some.iter().map(|b| b.in_system as f64).sum::<f64>() / some.len() as f64
}

/// Ten a second for two hours at a cent: $720, of which a warm-up takes nothing. A tenth less would be 72 away.
#[test]
fn the_bill_is_of_the_whole_duration() {
    let report = run(&experiment(json!({ "plan": { "warmup": "12m" } })));
    assert_eq!(
        (report.counted, report.warmup, report.start),
        (7200.0, 720.0, Start::Given)
    );
    let policy = &report.policies[0];
    let requests = policy.requests as f64 / report.replications_finished as f64;
    // Four standard deviations of the mean of ten Poisson counts of 72,000.
    assert!(
        (requests - 72_000.0).abs() < 4.0 * (72_000.0f64 / 10.0).sqrt(),
        "{requests}"
    );
    let per_month = figure(policy, "cost_per_month").value;
    assert!((per_month / (720.0 * 12.0 * 30.0) - 1.0).abs() < 0.005, "{per_month}");
    assert!((policy.series.last().unwrap().until - 7200.0).abs() < 1e-6);
}

/// At a load of 0.8 a queue of one server has 4 requests in it, from the first bin on as later; empty it begins below.
#[test]
fn a_queue_starts_as_full_as_it_is() {
    let warm = mm1(0.8, 3000, 200, 3, None);
    assert_eq!(warm.start, Start::Pilot);
    let warm = tallies(&warm);
    assert_holds("at first", &over(&warm, |t| in_system(t, 0..2)), 4.0, 0.3);
    assert_holds("in the first tenth", &over(&warm, |t| in_system(t, 0..12)), 4.0, 0.2);
    assert_holds("in the end", &over(&warm, |t| in_system(t, 108..120)), 4.0, 0.2);
    assert_holds("in all", &over(&warm, |t| in_system(t, 0..120)), 4.0, 0.08);
    // Time in the system is exponential with a mean of 1 / (1 − 0.8) seconds.
    let e2e = |q: f64| over(&warm, move |t| t.classes[0].e2e.quantile(q).unwrap().seconds());
    let mean = over(&warm, |t| t.classes[0].e2e.mean().unwrap().seconds());
    assert_holds("mean time", &mean, 5.0, 0.08);
    assert_holds("p95 of the time", &e2e(0.95), 5.0 * 20f64.ln(), 0.1);
    let empty = mm1(0.8, 3000, 200, 3, Some("0s"));
    assert_eq!(
        (empty.start, empty.scenarios[0].window.warmup),
        (Start::Empty, Time::ZERO)
    );
    let first = over(&tallies(&empty), |t| in_system(t, 0..1));
    assert!(first.hi.unwrap() < 3.6, "{first:?}");
}

/// The pilot is of the plan's seed and of nothing else: the same length, and so the same report, on one thread and on four.
#[test]
fn a_pilot_finds_the_same_on_any_number_of_threads() {
    let text = experiment(json!({ "plan": { "duration": "10m", "replications": 3 } }));
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        simcap::report::json::to_json(&pool.install(|| run(&text)))
    };
    let one = on(1);
    assert_eq!(one, on(4));
    let report = run(&text);
    assert!(
        report.start == Start::Pilot && report.warmup > 1.0 && report.warmup <= 150.0,
        "{}",
        report.warmup
    );
    // Whatever the experiment schedules changes nothing of what the pilot finds.
    let fault = json!([{ "outage": { "from": "0s", "for": "5m" } }]);
    let out = run(&experiment(json!({
        "plan": { "duration": "10m", "replications": 3 },
        "providers": { "p": { "faults": fault } }
    })));
    assert_eq!(out.warmup, report.warmup);
}

/// The longest that one policy needs is the warm-up of all.
#[test]
fn policies_warm_up_alike() {
    let of = |policies: Value| {
        let more = json!({
            "providers": { "q": {
                "response": { "exponential": { "mean": "20s" } },
                "prices": { "per_request": { "price": "$0.01" } }
            } },
            "policies": policies
        });
        run(&experiment(more)).warmup
    };
    let single = |name: &str| json!({ "name": name, "policy": { "single": { "provider": name } } });
    let (fast, slow) = (of(json!([single("p")])), of(json!([single("q")])));
    assert!(slow > 10.0 * fast, "{slow} {fast}");
    assert_eq!(of(json!([single("p"), single("q")])), slow);
}

/// Requests pile up without end: a tenth of the duration, and it is said.
#[test]
fn an_overload_gets_no_more_than_a_tenth() {
    let plan = mm1(1.5, 2000, 3, 1, None);
    let window = plan.scenarios[0].window;
    assert_eq!(
        (plan.start, window.warmup),
        (Start::Cut, Time::ZERO + Span::from_secs(200))
    );
    assert_eq!(window.counted(), Span::from_secs(2000));
}

/// An outage from 0 s on strikes the first request that is counted and none before it; a minute later it is over. With answers in
/// no time to speak of, those struck are those that arrive in it.
#[test]
fn a_scheduled_outage_begins_with_the_counting() {
    let more = json!({
        "traffic": { "arrivals": { "regular": { "rate": "10/s" } } },
        "providers": { "p": {
            "response": { "constant": "1ms" },
            "faults": [ { "outage": { "from": "0s", "for": "60s" } } ]
        } },
        "plan": { "duration": "10m", "warmup": "5m", "replications": 1, "windows": {
            "out": { "until": "60s" }, "rest": { "from": "60s" }
        }, "metrics": ["error_rate{window=out}", "error_rate{window=rest}"] }
    });
    let report = run(&experiment(more));
    let policy = &report.policies[0];
    let errors = |window: &str| figure(policy, &format!("error_rate{{window={window}}}")).value;
    assert_eq!((errors("out"), errors("rest")), (1.0, 0.0));
    let incident = &policy.incidents[0];
    assert_eq!((incident.from, incident.until), (0.0, 60.0));
    // Nothing of the warm-up is struck: the provider was well when counting began.
    assert_eq!(incident.error_rate.value, 1.0);
}

/// A budget of $360 an hour, spent at $0.10 a second: a tenth of it is gone after six minutes, whatever was billed in the warm-up, and
/// half of it after half an hour.
#[test]
fn a_budget_is_whole_when_counting_begins() {
    let budgets = json!([{ "per": "hour", "money": "$360", "alerts": ["10%", "50%"] }]);
    let more = json!({
        "traffic": { "arrivals": { "regular": { "rate": "10/s" } } },
        "providers": { "p": { "response": { "constant": "1ms" } } },
        "client": { "budgets": budgets },
        "plan": { "duration": "50m", "warmup": "45m", "replications": 1 }
    });
    let report = run(&experiment(more));
    let policy = &report.policies[0];
    let at: Vec<f64> = policy.alerts.iter().map(|a| a.at.value.round()).collect();
    assert_eq!(at, [360.0, 1800.0]);
    assert_eq!(figure(policy, "error_rate").value, 0.0);
}

/// Budgets that policies keep: none is charged for the warm-up.
#[test]
fn budgets_of_policies_are_whole_when_counting_begins() {
    let cheap = json!({ "response": { "constant": "1ms" }, "prices": { "per_request": { "price": "$0.001" } } });
    let filter = json!({ "name": "filter", "policy": { "pipeline": {
        "filters": [ { "budget": { "budgets": { "p": "$30" }, "per": "10m" } } ], "pick": "first"
    } } });
    let paced = json!({ "name": "paced", "policy": { "budget_paced": {
        "providers": ["p", "q"], "money": "$30", "per": "10m", "every": "1s", "law": "in_proportion"
    } } });
    let more = json!({
        "traffic": { "arrivals": { "regular": { "rate": "10/s" } } },
        "providers": { "p": { "response": { "constant": "1ms" } }, "q": cheap },
        "policies": [filter, paced],
        "plan": { "duration": "10m", "warmup": "7m", "replications": 1 }
    });
    let loaded = from_text("warm.json", &experiment(more)).unwrap();
    let plan = assemble(&loaded).unwrap();
    let runs = replicate(&plan.scenarios, plan.seed, 1, &Control::default());
    let spent = |policy: usize| {
        let tally = runs[policy][0].as_ref().unwrap();
        let [p, q] = [0, 1].map(|provider| tally.providers[provider].cost as f64 / 1e12);
        (p, p + q, tally.ended(Outcome::Success))
    };
    // Ten a second at a cent: $30 are gone after five of the ten minutes, to a request.
    let (dollars, _, served) = spent(0);
    assert!((dollars - 30.0).abs() < 0.02 && served == 6000, "{dollars} {served}");
    // Spread over the whole time, of both, and spent to within a few steps.
    let (_, dollars, served) = spent(1);
    assert!((29.5..30.2).contains(&dollars) && served == 6000, "{dollars} {served}");
}

/// The first stage begins with the counting, after a warm-up on the old side alone.
#[test]
fn a_rollout_begins_with_the_counting() {
    let more = json!({
        "traffic": { "arrivals": { "regular": { "rate": "10/s" } } },
        "providers": { "q": { "response": { "constant": "1ms" }, "prices": { "per_request": { "price": "$0.01" } } } },
        "policies": [ { "name": "only", "policy": { "rollout": {
            "old": { "single": { "provider": "p" } }, "new": { "single": { "provider": "q" } }, "by": "request",
            "stages": [ { "share": "10%", "hold": "5m" }, { "share": "100%" } ]
        } } } ],
        "plan": { "duration": "10m", "warmup": "20m", "replications": 1 }
    });
    let report = run(&experiment(more));
    let policy = &report.policies[0];
    let at: Vec<f64> = policy.milestones.iter().take(2).map(|m| m.at.value.round()).collect();
    assert_eq!(at, [0.0, 300.0]);
    // A tenth of the first half and all of the second.
    let served = policy.providers.iter().find(|p| p.name == "q").unwrap().served.value;
    assert!((served - 0.55).abs() < 0.02, "{served}");
}

/// The clock runs backwards into the warm-up: a provider that takes 100 s before 8 o'clock and 0.1 s from then on, counted from 8 o'clock
/// on, begins full of requests of the hour before.
#[test]
fn the_day_before_comes_before() {
    let mut hourly = vec![1.0; 24];
    hourly[7] = 1000.0;
    let more = json!({
        "traffic": { "arrivals": { "regular": { "rate": "10/s" } } },
        "providers": { "p": {
            "response": null, "ttft": { "constant": "100ms" }, "tps": { "constant": 1000 },
            "faults": [ { "time_of_day": { "start": "8h", "ttft": { "hourly": hourly } } } ]
        } },
        "plan": { "duration": "10m", "warmup": "90s", "replications": 1 }
    });
    let mut it: Value = serde_json::from_str(&experiment(more)).unwrap();
    it["providers"]["p"].as_object_mut().unwrap().remove("response");
    let plan = plan(&it.to_string());
    let tally = &tallies(&plan)[0];
    // What came in ninety seconds waits 100 s each, the last of it until 100 s; a bin is 5 s long.
    let held: Vec<u64> = [0, 1, 2, 30].map(|bin| tally.series.bins()[bin].in_system).into();
    let ranges = [899..=903, 899..=903, 849..=853, 0..=2];
    assert!(held.iter().zip(ranges).all(|(n, range)| range.contains(n)), "{held:?}");
}

/// A quota by the hour that is used up in the warm-up refuses, until its window ends, which is when counting begins.
#[test]
fn a_quota_runs_through_and_turns_with_the_plans_time() {
    let more = json!({
        "traffic": { "arrivals": { "regular": { "rate": "10/s" } } },
        "providers": { "p": {
            "response": { "constant": "1ms" },
            "limits": [ { "fixed_window": { "unit": "requests", "limit": 1000, "window": "10m" } } ]
        } },
        "plan": { "duration": "20m", "warmup": "7m", "replications": 1, "windows": {
            "open": { "until": "95s" }, "shut": { "from": "105s", "until": "10m" }
        }, "metrics": ["error_rate{window=open}", "error_rate{window=shut}"] }
    });
    let report = run(&experiment(more));
    let errors = |window: &str| figure(&report.policies[0], &format!("error_rate{{window={window}}}")).value;
    assert_eq!((errors("open"), errors("shut")), (0.0, 1.0));
    assert_eq!(figure(&report.policies[0], "error_rate").value, 1.0 - 2000.0 / 12_000.0);
}

/// How often the verdict is wrong: M/M/1 queues of 20 replications of so many service times, warm after a pilot and from empty, by load.
/// Prints the table of `decide/steady.rs`.
#[test]
#[ignore = "takes minutes: a table for the documentation"]
fn the_errors_of_the_verdict() {
    for load in [0.5, 0.8, 0.9, 0.95, 1.05, 1.2] {
        row(load, 9000, 40);
    }
    for (load, seconds) in [(0.5, 40), (0.8, 300), (0.9, 1000), (0.95, 4000)] {
        row(load, seconds, 40);
    }
}

/// Warm after a pilot none of ten sound queues is called unsettled; from empty, so short that a tenth is missing, all are.
#[test]
fn the_verdict_tells_what_is_biased() {
    assert_eq!(row(0.8, 3000, 10)[0], 0);
    assert_eq!(row(0.9, 1000, 10)[1], 10);
    assert_eq!(row(1.2, 1000, 10), [10, 10]);
}

/// How many of so many runs are called unsettled, warm and from empty.
fn row(load: f64, seconds: u32, runs: u32) -> [u32; 2] {
    let cells = [None, Some("1ms")].map(|warmup| {
        let (mut unsettled, mut mean, mut length) = (0, 0.0, 0.0);
        for seed in 0..runs {
            let report = run(&mm1_text(load, seconds, 20, seed, warmup));
            let policy = &report.policies[0];
            unsettled += u32::from(!policy.steady.settled);
            length += report.warmup / f64::from(runs);
            mean += policy.series.iter().map(|m| m.in_system).sum::<f64>() / 120.0 / f64::from(runs);
        }
        (unsettled, length, mean / (load / (1.0 - load)) - 1.0)
    });
    let [(warm, length, bias), (empty, _, missing)] = cells;
    println!(
        "//! | {load} | {seconds} s | {length:.0} s | {:+.1} % | {warm} of {runs} | {:+.1} % | {empty} of {runs} |",
        bias * 1e2,
        missing * 1e2
    );
    [warm, empty]
}
