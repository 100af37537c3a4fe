//! `simcap optimize`: against optima that are known by a closed form or by arithmetic, and as a user calls it.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use std::path::Path;

use serde_json::{Value, json};

use crate::common::command::{simcap, text};

/// What `simcap optimize` finds: its exit code, and the result.
fn optimize(folder: &Path, experiment: &Value, arguments: &[&str]) -> (i32, Value) {
    std::fs::write(folder.join("e.json"), experiment.to_string()).unwrap();
    let out = simcap(
        folder,
        &[&["optimize", "e.json", "--format", "json"], arguments].concat(),
    );
    let said = text(&out.stderr);
    let found = serde_json::from_slice(&out.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    (out.status.code().unwrap(), found)
}

fn experiment(rate: &str, providers: &Value, policies: &Value, objectives: &Value) -> Value {
    json!({
        "format": "simcap.experiment/2",
        "name": "case",
        "traffic": {
            "arrivals": { "poisson": { "rate": rate } },
            "classes": { "a": { "input": { "constant": 10 }, "output": { "constant": 10 } } },
        },
        "providers": providers,
        "policies": policies,
        "objectives": objectives,
        "plan": { "duration": "2m", "warmup": "20s", "replications": 4, "seed": 5 },
    })
}

/// The probability that a request of M/M/c waits and serves longer than `t`: Erlang's C, and the sum of a wait and a service.
fn beyond(rate: f64, service: f64, servers: u32, t: f64) -> f64 {
    let (offered, c) = (rate / service, f64::from(servers));
    // Erlang's B by its recursion.
    let blocked = (1..=servers).fold(1.0, |b, n| offered * b / (f64::from(n) + offered * b));
    let waits = blocked * c / (c - offered * (1.0 - blocked));
    let drain = c * service - rate;
    let no_wait = libm::exp(-service * t);
    let both =
        service / (service - drain) * libm::exp(-drain * t) - drain / (service - drain) * libm::exp(-service * t);
    (1.0 - waits) * no_wait + waits * both
}

/// M/M/c at 25/s with services of 100 ms, all but 5 % within 360 ms: of servers that are paid by the hour, the fewest that keep to it.
#[test]
fn the_fewest_servers_are_those_of_the_closed_form() {
    let bound = 0.36;
    let least = (3..10).find(|&c| beyond(25.0, 10.0, c, bound) <= 0.05).unwrap();
    // Neither is near the bound, so that a choice is possible at all.
    assert!(beyond(25.0, 10.0, least, bound) < 0.045 && beyond(25.0, 10.0, least - 1, bound) > 0.06);
    let server = |c: u32| {
        json!({
            "response": { "exponential": { "mean": "100ms" } },
            "load": [{ "slots": { "servers": c } }],
            "prices": { "reserved": { "units": c, "price": "$1/h" } },
        })
    };
    let of = experiment(
        "25/s",
        &json!({ "p": server(9) }),
        &json!([{ "name": "it", "policy": { "single": { "provider": "p" } } }]),
        &json!([{ "metric": "e2e.p95", "at_most": format!("{bound}s") }]),
    );
    let folder = tempfile::tempdir().unwrap();
    let values: Vec<String> = (3..10).map(|c| server(c).to_string()).collect();
    let set = format!("providers.p={}", values.join(","));
    let (code, found) = optimize(
        folder.path(),
        &of,
        &["--set", &set, "--budget", "3000000", "--out", "best"],
    );
    assert_eq!((code, &found["ended"]), (0, &json!("found")), "{found}");
    let best = std::fs::read_to_string(folder.path().join("best/best.json")).unwrap();
    let best: Value = serde_json::from_str(&best).unwrap();
    assert_eq!(best["providers"]["p"]["load"][0]["slots"]["servers"], least, "{found}");
    assert!(found["requests"].as_u64().unwrap() < 2_250_000, "{found}");
    // As the file stands there are nine, each $720 for thirty days.
    let point = |which: &str| {
        let points = found["points"].as_array().unwrap();
        points.iter().find(|point| point[which] == true).unwrap()["at"]["figures"][0]["value"]
            .as_f64()
            .unwrap()
    };
    assert!((point("is_best") - 720.0 * f64::from(least)).abs() < 1e-6, "{found}");
    assert!((point("is_today") - 720.0 * 9.0).abs() < 1e-6, "{found}");
}

/// A share `w` of requests goes to a provider that fails one in ten, the others to one that fails none and costs three times as much: with at
/// most 5.5 % of errors, the cheapest of the shares 0.1 to 0.9 is 0.5, of which 5 % fail.
#[test]
fn the_share_of_a_split_is_that_of_the_arithmetic() {
    let provider = |price: &str, faults: Value| json!({ "response": { "constant": "100ms" }, "faults": faults, "prices": { "per_request": { "price": price } } });
    let split = |w: u32| json!({ "weighted": { "weights": { "cheap": w, "dear": 10 - w } } });
    let policies: Vec<Value> = (1..10)
        .map(|w| json!({ "name": format!("w{w}"), "policy": split(w) }))
        .collect();
    let of = experiment(
        "50/s",
        &json!({
            "cheap": provider("$0.001", json!([{ "random": { "server_error": "10%" } }])),
            "dear": provider("$0.003", json!([])),
        }),
        &json!(policies),
        &json!([{ "metric": "error_rate", "at_most": "5.5%" }]),
    );
    let folder = tempfile::tempdir().unwrap();
    let (code, found) = optimize(folder.path(), &of, &["--budget", "4000000"]);
    assert_eq!(
        (code, &found["ended"], &found["best"]),
        (0, &json!("found"), &json!("w5")),
        "{found}"
    );
    assert!(found["requests"].as_u64().unwrap() < 3_000_000, "{found}");
    assert!(found["probability"].as_f64().unwrap() >= 0.95 - 1e-9, "{found}");
    let figures = |name: &str| {
        let points = found["points"].as_array().unwrap();
        points.iter().find(|point| point["name"] == name).unwrap()["at"]["figures"].clone()
    };
    // Half of 50/s at $0.001 and half at $0.003, less what a failed attempt is not billed.
    let month = 50.0 * 2_592_000.0 * (0.5 * 0.001 * 0.9 + 0.5 * 0.003);
    let cost = figures("w5")[0]["value"].as_f64().unwrap();
    assert!((cost / month - 1.0).abs() < 0.02, "{cost} {month}");
    // All of them are on the front: dearer ones fail less.
    assert!(
        found["points"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|point| point["is_on_front"] == true)
            .count()
            >= 6
    );
}

/// Answers of one second, of which one in ten hangs for a minute. Without a timeout the p95 is a minute; a timeout of t and another try make it
/// t + 1 s where the first hangs. So the p95 is at most 4 s with 2 s, and is not with 5 s or 30 s; and 0.5 s lets nothing through.
#[test]
fn a_timeout_is_neither_too_short_nor_too_long() {
    let mut of = experiment(
        "20/s",
        &json!({ "p": {
            "response": { "constant": "1s" },
            "faults": [{ "random": { "hang": "10%" } }],
            "prices": { "per_request": { "price": "$0.001" } },
        } }),
        &json!([{ "name": "it", "policy": { "single": { "provider": "p" } } }]),
        &json!([{ "metric": "e2e.p95", "at_most": "4s" }]),
    );
    of["client"] = json!({ "timeouts": { "attempt": "30s" }, "retry": { "fixed": { "tries": 4, "wait": "10ms" } } });
    let folder = tempfile::tempdir().unwrap();
    let (code, found) = optimize(
        folder.path(),
        &of,
        &[
            "--set",
            "client.timeouts.attempt=500ms,2s,5s,30s",
            "--budget",
            "1000000",
        ],
    );
    assert_eq!((code, &found["best"]), (0, &json!("it · 2s")), "{found}");
    let out = |name: &str| {
        let all = found["candidates"].as_array().unwrap();
        all.iter().find(|candidate| candidate["name"] == name).unwrap()["out"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    // All that 500 ms lets through is tries that cost, and they are more.
    assert!(!out("it · 500ms").is_empty(), "{found}");
    for name in ["it · 5s", "it · 30s"] {
        assert!(out(name).starts_with("misses E2E p95"), "{name}: {found}");
    }
}

/// Of $0.001 and 1 s, $0.0015 and 200 ms, $0.003 and 100 ms a request, at 50/s $129,600, $194,400 and $388,800 in thirty days, a second is worth the
/// first from nothing on, the second from 64,800 / 0.8 = $81,000 on, and the third from 194,400 / 0.1 = $1.944 million on.
#[test]
fn what_a_second_is_worth_decides() {
    let provider = |price: &str, takes: &str| json!({ "response": { "constant": takes }, "prices": { "per_request": { "price": price } } });
    let single = |name: &str| json!({ "name": name, "policy": { "single": { "provider": name } } });
    let of = experiment(
        "50/s",
        &json!({
            "slow": provider("$0.001", "1s"),
            "middle": provider("$0.0015", "200ms"),
            "fast": provider("$0.003", "100ms"),
        }),
        &json!([single("slow"), single("middle"), single("fast")]),
        &json!([{ "metric": "error_rate", "at_most": "1%" }]),
    );
    let folder = tempfile::tempdir().unwrap();
    for (worth, best) in [(50_000, "slow"), (200_000, "middle"), (4_000_000, "fast")] {
        let goal = format!("cost_per_month + {worth}*e2e.p95");
        let (code, found) = optimize(folder.path(), &of, &["--goal", &goal]);
        assert_eq!((code, &found["best"]), (0, &json!(best)), "{found}");
        assert_eq!(found["metrics"][0], json!(goal));
        for point in found["points"].as_array().unwrap() {
            let figure = |i: usize| point["at"]["figures"][i]["value"].as_f64().unwrap();
            let sum = figure(1) + f64::from(worth) * figure(2);
            assert!((figure(0) - sum).abs() < 1e-9 * sum, "{point}");
        }
    }
    for (goal, why) in [
        ("cost_per_month + 2*qualty", "there is no `qualty`"),
        ("0*quality", "a weight is a number above 0"),
    ] {
        let out = simcap(folder.path(), &["optimize", "e.json", "--goal", goal]);
        assert!(
            out.status.code() == Some(2) && text(&out.stderr).contains(why),
            "{}",
            text(&out.stderr)
        );
    }
}

/// Providers at prices of $1 to $12 a thousand requests, that are alike otherwise.
fn twelve() -> Value {
    let provider = |price: u32| {
        json!({
            "response": { "lognormal": { "median": "1s", "sigma": 0.5 } },
            "prices": { "per_request": { "price": format!("${}", f64::from(price) / 1000.0) } },
        })
    };
    let names: Vec<u32> = (1..13).rev().collect();
    let providers: serde_json::Map<String, Value> = names.iter().map(|n| (format!("p{n}"), provider(*n))).collect();
    let policies: Vec<Value> = (names.iter())
        .map(|n| json!({ "name": format!("to-p{n}"), "policy": { "single": { "provider": format!("p{n}") } } }))
        .collect();
    experiment(
        "20/s",
        &json!(providers),
        &json!(policies),
        &json!([{ "metric": "e2e.p95", "at_most": "4s" }]),
    )
}

#[test]
fn threads_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let with = |threads: &str| optimize(folder.path(), &twelve(), &["--threads", threads]).1;
    let one = with("1");
    assert_eq!(one["best"], "to-p1", "{one}");
    assert_eq!(one, with("3"));
}

/// The figures that are shown are those of a run with the seed that it names, to the bit.
#[test]
fn the_second_run_can_be_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let (_, found) = optimize(folder.path(), &twelve(), &["--out", "found"]);
    let retest = &found["retest"];
    assert_ne!(retest["seed"], found["seed"]);
    let [seed, replications] = ["seed", "replications"].map(|name| retest[name].to_string());
    let again = [
        "run",
        "found/best.json",
        "--seed",
        &seed,
        "--replications",
        &replications,
        "--out",
        "again",
        "-q",
    ];
    let out = simcap(folder.path(), &again);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    let again = std::fs::read(folder.path().join("again/result.json")).unwrap();
    let again: Value = serde_json::from_slice(&again).unwrap();
    assert_eq!(again["policies"].as_array().unwrap().len(), 1);
    let metrics = again["policies"][0]["metrics"].as_array().unwrap();
    let cost = metrics.iter().find(|m| m["metric"] == "cost_per_month").unwrap()["estimate"].clone();
    assert_eq!(found["points"][0]["at"]["figures"][0], cost, "{found}");
    let page = std::fs::read_to_string(folder.path().join("found/optimize.html")).unwrap();
    assert!(page.contains("<svg") && page.contains("to-p1"), "{page}");
}

#[test]
fn where_none_meets_the_objectives_the_nearest_is_named() {
    let mut of = twelve();
    of["objectives"][0]["at_most"] = "1s".into();
    let folder = tempfile::tempdir().unwrap();
    let (code, found) = optimize(folder.path(), &of, &["--policy", "to-p3", "--policy", "to-p4"]);
    assert_eq!((code, &found["ended"]), (1, &json!("nowhere")), "{found}");
    let sentence = found["sentences"][0].as_str().unwrap();
    assert!(
        sentence.contains("comes nearest: E2E p95 is ") && sentence.contains("≤ 1.00 s"),
        "{sentence}"
    );
}

/// Whichever is chosen is to keep to every objective, as the first sentence of a run has it, whoever the file asks it of.
#[test]
fn policies_that_objectives_are_not_asked_of_are_candidates() {
    let folder = tempfile::tempdir().unwrap();
    let mut of = twelve();
    let (_, all) = optimize(folder.path(), &of, &[]);
    of["objectives"][0]["policies"] = json!(["to-p9"]);
    let (_, found) = optimize(folder.path(), &of, &[]);
    assert_eq!(found["best"], all["best"]);
    assert_eq!(found["candidates"], all["candidates"]);
}

#[test]
fn a_budget_that_does_not_reach_every_candidate_chooses_none() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("e.json"), twelve().to_string()).unwrap();
    let out = simcap(
        folder.path(),
        &["optimize", "e.json", "--budget", "5000", "--out", "found"],
    );
    let said = text(&out.stderr);
    assert_eq!(out.status.code(), Some(3), "{said}");
    assert!(
        said.contains("of 12 candidates: nothing is chosen; all of them take "),
        "{said}"
    );
    assert!(!folder.path().join("found").exists());
}

#[test]
fn a_budget_is_kept_and_mistakes_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let (code, found) = optimize(folder.path(), &twelve(), &["--budget", "170000"]);
    let spent = found["requests"].as_u64().unwrap() + found["retest"]["requests"].as_u64().unwrap_or(0);
    assert!(spent <= 170_000 && [0, 3].contains(&code), "{code} {found}");
    std::fs::write(folder.path().join("e.json"), twelve().to_string()).unwrap();
    for (arguments, said) in [
        (&["--policy", "to-p99"][..], "did you mean"),
        (
            &["--set", "plan.duration=1m,2m"],
            "`plan` is what is given, and not a choice",
        ),
        (
            &["--set", "traffic.rate=1/s,2/s"],
            "`simcap capacity` the most that is carried",
        ),
        (
            &["--set", "objectives[0].at_most=1s,9s"],
            "`objectives` is what is given",
        ),
        (&["--minimise", "cost_per_dialogue"], "cost_per_dialogue"),
    ] {
        let out = simcap(folder.path(), &[&["optimize", "e.json"], arguments].concat());
        assert_eq!(out.status.code(), Some(2), "{arguments:?}: {}", text(&out.stderr));
        assert!(text(&out.stderr).contains(said), "{arguments:?}: {}", text(&out.stderr));
    }
}

/// Of the policies of policy-zoo at twelve quiet minutes the cheapest that keeps to the objectives, with at most a third of the requests that as many
/// replications of each would take.
#[test]
fn the_best_of_the_zoo_takes_a_third() {
    let folder = tempfile::tempdir().unwrap();
    let zoo = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments/policy-zoo.json");
    let zoo = zoo.to_str().unwrap();
    let arguments = [
        "optimize",
        zoo,
        "--minimise",
        "cost_per_1k",
        "--format",
        "json",
        "--set",
        "plan.duration=12m",
        "--replications",
        "64",
    ];
    let out = simcap(folder.path(), &arguments);
    let found: Value = serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(&out.stderr)));
    let of = |name: &str| found[name].as_u64().unwrap();
    assert!(
        3 * of("requests") <= of("equal"),
        "{} of {}",
        of("requests"),
        of("equal")
    );
}

/// What is free to raise is warned of; not where a price moves with it, and not where bills differ along it.
#[test]
fn what_is_paid_for_is_not_called_free() {
    let folder = tempfile::tempdir().unwrap();
    let warned = |prices: Value, set: &str| {
        let own = json!({
            "response": { "exponential": { "mean": "100ms" } },
            "load": [{ "slots": { "servers": 30, "queue": 0 } }],
            "prices": prices,
        });
        let of = experiment(
            "20/s",
            &json!({ "own": own }),
            &json!([{ "name": "it", "policy": { "single": { "provider": "own" } } }]),
            &json!([{ "metric": "error_rate", "at_most": "90%" }]),
        );
        let (code, found) = optimize(folder.path(), &of, &["--set", set, "--budget", "1000000"]);
        assert_eq!(code, 0, "{found}");
        let warnings = found["warnings"].to_string();
        warnings.contains("no price of the file follows from")
    };
    let by_the_hour = || json!({ "reserved": { "units": 30, "price": "$2/h" } });
    let by_request = || json!({ "per_request": { "price": "$0.01" } });
    let slots = "providers[own].load[0].slots.servers";
    let units = "providers[own].prices.reserved.units";
    // Two requests are under way at a time: of thirty servers or forty none is refused.
    assert!(warned(by_the_hour(), &format!("{slots}=30,40")));
    assert!(warned(by_request(), &format!("{slots}=30,40")));
    assert!(!warned(by_the_hour(), &format!("{slots},{units}=[30,30],[40,40]")));
    // Of one server or three many are, and are not paid for.
    assert!(!warned(by_request(), &format!("{slots}=1,3")));
}
