//! `simcap capacity`: against closed forms, and as a user calls it.
//!
//! The larger study, over a hundred seeds, is `examples/capacity.rs`; its table stands in the handbook's chapter.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use std::path::Path;

use serde_json::{Value, json};

use crate::common::command::{simcap, text};

#[allow(
    dead_code,
    unreachable_pub,
    reason = "its main prints the whole study, and it is a program of its own"
)]
#[path = "../examples/capacity.rs"]
mod study;

use study::{cover, known};

const SEEDS: u64 = 8;

/// Of eight intervals at 95 % at least six hold the truth (with a probability of 99.4 %), and they are as narrow as asked for.
#[test]
fn intervals_hold_capacities_that_are_known() {
    for known in known(100) {
        let (held, width, _) = cover(&known, SEEDS, 0.05, 20_000_000).unwrap();
        assert!(held[0] >= 6, "{}: {held:?}", known.name);
        assert!(width <= 0.05, "{}: {width}", known.name);
    }
}

/// A server that takes 100 ms for each of ten at once: up to 100/s. Today's traffic is 20/s.
fn server() -> Value {
    json!({
        "format": "simcap.experiment/2",
        "name": "server",
        "traffic": {
            "arrivals": { "poisson": { "rate": "20/s" } },
            "classes": { "a": { "input": { "constant": 10 }, "output": { "constant": 10 } } },
        },
        "providers": { "p": {
            "response": { "constant": "100ms" },
            "load": [{ "slots": { "servers": 10 } }],
            "prices": { "per_request": { "price": "$0.001" } },
        } },
        "policies": [{ "name": "it", "policy": { "single": { "provider": "p" } } }],
        "objectives": [{ "metric": "e2e.p95", "at_most": "300ms" }],
        "plan": { "duration": "1m", "warmup": "10s", "replications": 4 },
    })
}

/// What `simcap capacity` says of `experiment`: its exit code, and what it prints.
fn capacity(folder: &Path, experiment: &Value, arguments: &[&str]) -> (i32, String, String) {
    std::fs::write(folder.join("server.json"), experiment.to_string()).unwrap();
    let out = simcap(folder, &[&["capacity", "server.json"], arguments].concat());
    (out.status.code().unwrap(), text(&out.stdout), text(&out.stderr))
}

/// The first policy of what it finds.
fn found(folder: &Path, experiment: &Value, arguments: &[&str]) -> (i32, Value) {
    let arguments = [arguments, &["--format", "json", "--precision", "10%"]].concat();
    let (code, out, said) = capacity(folder, experiment, &arguments);
    let all: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{said}"));
    (code, all["policies"][0].clone())
}

#[test]
fn it_says_how_much_and_what_binds() {
    let folder = tempfile::tempdir().unwrap();
    let (code, policy) = found(
        folder.path(),
        &server(),
        &["--grows", "5%/month", "--since", "2026-01-01"],
    );
    assert_eq!((code, &policy["ended"]), (0, &json!("found")), "{policy}");
    let value = policy["capacity"]["value"].as_f64().unwrap();
    let times = policy["times"]["value"].as_f64().unwrap();
    assert!(
        (80.0..105.0).contains(&value) && (times - value / 20.0).abs() < 1e-9,
        "{policy}"
    );
    assert_eq!(policy["objective"]["goal"]["metric"], "e2e.p95");
    assert!(
        policy["limits"][0]["what"].as_str().unwrap().contains("capacity"),
        "{policy}"
    );
    let months = policy["months"]["value"].as_f64().unwrap();
    assert!((months - libm::log(times) / libm::log(1.05)).abs() < 1e-9, "{policy}");
    // About 4.6 times today's traffic is used up after some 31 months.
    let day = policy["used_up"].as_str().unwrap();
    let whole = (day[..4].parse::<f64>().unwrap() - 2026.0) * 12.0 + day[5..7].parse::<f64>().unwrap() - 1.0;
    assert!((whole - months.floor()).abs() <= 1.0, "{day} after {months}");
}

#[test]
fn traffic_that_is_too_much_today_is_searched_below_it() {
    let mut experiment = server();
    experiment["traffic"]["arrivals"]["poisson"]["rate"] = "180/s".into();
    let folder = tempfile::tempdir().unwrap();
    let (code, policy) = found(folder.path(), &experiment, &[]);
    let value = policy["capacity"]["value"].as_f64().unwrap();
    assert_eq!(code, 1, "{policy}");
    assert!(
        (80.0..105.0).contains(&value) && policy["times"]["value"].as_f64().unwrap() < 1.0,
        "{policy}"
    );
}

#[test]
fn where_nothing_feels_load_there_is_no_answer() {
    let mut experiment = server();
    experiment["providers"]["p"].as_object_mut().unwrap().remove("load");
    let folder = tempfile::tempdir().unwrap();
    let (code, out, _) = capacity(folder.path(), &experiment, &[]);
    assert!(code == 0 && out.contains("latency never feels load"), "{code} {out}");
}

/// Five in a hundred fail whatever comes, or answers take 100 ms where 50 are allowed.
#[test]
fn what_fails_at_any_traffic_is_said_to() {
    let mut faulty = server();
    faulty["providers"]["p"]["faults"] = json!([{ "random": { "server_error": "5%" } }]);
    faulty["objectives"] = json!([{ "metric": "error_rate", "at_most": "1%" }]);
    let mut slow = server();
    slow["objectives"] = json!([{ "metric": "e2e.p95", "at_most": "50ms" }]);
    for (experiment, says) in [
        (faulty, "misses errors at any traffic"),
        (slow, "misses E2E p95 at any traffic"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (code, out, _) = capacity(folder.path(), &experiment, &[]);
        assert!(
            code == 1 && out.contains(says) && out.contains("nearly idle"),
            "{code} {out}"
        );
    }
}

/// A quota of 10/s that begins with a minute's worth: in one minute it lets through twice what it refills.
#[test]
fn a_burst_at_the_beginning_is_no_capacity() {
    let mut experiment = server();
    let of = |burst: u32| json!([{ "token_bucket": { "unit": "requests", "rate": "600/min", "burst": burst } }]);
    experiment["objectives"] = json!([{ "metric": "error_rate", "at_most": "1%" }]);
    experiment["traffic"]["arrivals"]["poisson"]["rate"] = "5/s".into();
    experiment["plan"]["warmup"] = "0s".into();
    let folder = tempfile::tempdir().unwrap();
    experiment["providers"]["p"]["limits"] = of(600);
    let (_, policy) = found(folder.path(), &experiment, &[]);
    let warnings = policy["warnings"].to_string();
    assert!(warnings.contains("the burst that it begins with"), "{policy}");
    experiment["providers"]["p"]["limits"] = of(10);
    let (_, policy) = found(folder.path(), &experiment, &[]);
    assert!(
        !policy["warnings"].to_string().contains("the burst that it begins with"),
        "{policy}"
    );
}

#[test]
fn the_smallest_number_that_carries_a_traffic() {
    let mut experiment = server();
    experiment["providers"]["p"]["connections"] = 5.into();
    experiment["providers"]["p"].as_object_mut().unwrap().remove("load");
    let folder = tempfile::tempdir().unwrap();
    let smallest = ["--carry", "100/s", "--smallest", "providers[p].connections=2..60"];
    let (code, policy) = found(folder.path(), &experiment, &smallest);
    let value = policy["capacity"]["value"].as_f64().unwrap();
    // Ten of 100 ms each would be busy all the time.
    assert!(
        code == 0 && (11.0..=15.0).contains(&value) && value.fract() == 0.0,
        "{policy}"
    );
}

/// So many conversations an hour are carried as so many times those of the file.
#[test]
fn a_rate_of_conversations_is_carried() {
    let mut experiment = server();
    let starts = json!({ "poisson": { "rate": "3600/h" } });
    experiment["traffic"]["arrivals"] =
        json!({ "conversations": { "starts": starts, "turns": { "constant": 2 }, "think": { "constant": "1s" } } });
    experiment["providers"]["p"]["connections"] = 5.into();
    experiment["providers"]["p"].as_object_mut().unwrap().remove("load");
    let folder = tempfile::tempdir().unwrap();
    let smallest = |carry: &'static str| ["--carry", carry, "--smallest", "providers[p].connections=1..40"];
    let (code, of_rate) = found(folder.path(), &experiment, &smallest("7200/h"));
    let (_, of_factor) = found(folder.path(), &experiment, &smallest("2x"));
    assert_eq!((code, &of_rate["capacity"]), (0, &of_factor["capacity"]), "{of_rate}");
}

#[test]
fn threads_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let with = |threads: &str| {
        let arguments = ["--format", "json", "--precision", "10%", "--threads", threads];
        capacity(folder.path(), &server(), &arguments).1
    };
    let one = with("1");
    assert!(one.contains("simcap.capacity/1"), "{one}");
    assert_eq!(one, with("3"));
}

#[test]
fn one_stream_grows_beside_another() {
    let mut experiment = server();
    let arrivals = |rate: &str| json!({ "arrivals": { "poisson": { "rate": rate } } });
    let traffic = experiment["traffic"].as_object_mut().unwrap();
    traffic.remove("arrivals");
    traffic.insert(
        "streams".into(),
        json!({ "a": arrivals("10/s"), "b": arrivals("40/s") }),
    );
    let folder = tempfile::tempdir().unwrap();
    let (_, policy) = found(folder.path(), &experiment, &["--stream", "a"]);
    let value = policy["capacity"]["value"].as_f64().unwrap();
    assert!((40.0..65.0).contains(&value), "{policy}");
    let (_, same) = found(folder.path(), &experiment, &["--over", "traffic.streams.a.rate"]);
    assert_eq!(policy, same);
}

#[test]
fn a_page_shows_the_curve_and_other_forms_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--precision", "10%", "--out", "found", "--format", "markdown"];
    let (_, out, _) = capacity(folder.path(), &server(), &arguments);
    assert!(out.contains("| policy |"), "{out}");
    let page = std::fs::read_to_string(folder.path().join("found/capacity.html")).unwrap();
    assert!(page.contains("<svg") && page.contains("it carries"), "{page}");
    assert!(folder.path().join("found/capacity.json").exists());
}

#[test]
fn what_cannot_be_answered_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut without = server();
    without["objectives"] = json!([]);
    for (experiment, arguments, said) in [
        (&without, &[][..], "`objectives`"),
        (&server(), &["--policy", "itt"], "did you mean it?"),
        (&server(), &["--stream", "a"], "no streams"),
        (&server(), &["--over", "plan.duration"], "--smallest"),
        (&server(), &["--carry", "40/s"], "--smallest"),
        (
            &server(),
            &["--carry", "40/s", "--smallest", "providers[q].connections=1..9"],
            "q",
        ),
        (&server(), &["--grows", "fast"], "5%/month"),
    ] {
        let (code, _, error) = capacity(folder.path(), experiment, arguments);
        assert!(code == 2 && error.contains(said), "{arguments:?}: {code} {error}");
    }
}

#[test]
fn a_budget_that_is_spent_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let (code, out, error) = capacity(folder.path(), &server(), &["--budget", "10000"]);
    assert!(
        code == 3 && error.contains("--budget") && out.contains("budget"),
        "{code} {out} {error}"
    );
}

/// Forty users of a closed loop: what grows is they, and neither they nor what is carried is in proportion to the requests that come.
#[test]
fn users_who_wait_are_counted_in_users() {
    let folder = tempfile::tempdir().unwrap();
    let mut experiment = server();
    experiment["traffic"]["arrivals"] =
        json!({ "closed_loop": { "users": 40, "think": { "exponential": { "mean": "1s" } } } });
    experiment["objectives"] = json!([{ "metric": "e2e.mean", "at_most": "200ms" }]);
    let (code, said, _) = capacity(folder.path(), &experiment, &["--precision", "10%"]);
    assert_eq!(code, 0, "{said}");
    let (_, policy) = found(folder.path(), &experiment, &[]);
    let (users, times) = (
        policy["counted"]["value"].as_f64().unwrap(),
        policy["times"]["value"].as_f64().unwrap(),
    );
    assert!((users - 40.0 * times).abs() < 1e-9, "{policy}");
    // N = X (R + Z): with R of 200 ms ten servers of 100 ms are nearly always busy.
    assert!((100.0..121.0).contains(&users), "{users}");
    let first = said.lines().next().unwrap();
    assert!(
        first.starts_with(&format!("it carries {} users", users.floor())) && first.contains("today's 40; all requests"),
        "{said}"
    );
}

/// Of two quotas the one that is reached is named, and the other is next.
#[test]
fn the_quota_that_is_reached_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut experiment = server();
    experiment["providers"]["p"]["load"] = json!([]);
    experiment["providers"]["p"]["limits"] = json!([
        { "token_bucket": { "unit": "requests", "rate": "3000/min", "burst": 10 } },
        { "token_bucket": { "unit": "tokens", "rate": "90000/min", "burst": 1000 } },
    ]);
    experiment["objectives"] = json!([{ "metric": "error_rate", "at_most": "5%" }]);
    let (_, policy) = found(folder.path(), &experiment, &[]);
    let limits: Vec<&str> = (policy["limits"].as_array().unwrap().iter())
        .map(|limit| limit["what"].as_str().unwrap())
        .collect();
    assert!(
        limits[0].contains("3,000 requests") && limits[1].contains("90,000 tokens") && limits.len() == 2,
        "{limits:?}"
    );
}

/// Traffic that comes in one of three stretches: its mean is not what must be carried.
#[test]
fn traffic_that_is_uneven_is_said_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let mut experiment = server();
    experiment["traffic"]["arrivals"] = json!({ "schedule": { "points": [
        { "at": "0s", "rate": "10/s" }, { "at": "20s", "rate": "40/s" }, { "at": "40s", "rate": "10/s" },
    ] } });
    let (_, said, _) = capacity(folder.path(), &experiment, &["--precision", "10%"]);
    let second = said.lines().nth(1).unwrap();
    assert!(second.starts_with("Traffic is uneven then: "), "{said}");
    let (_, said, _) = capacity(folder.path(), &server(), &["--precision", "10%"]);
    assert!(!said.contains("uneven"), "{said}");
}

/// Erlang's formula with twenty more servers than today has 95 % of requests within 9.05 s at 31 of them and within 6.94 s at 32.
#[test]
fn the_smallest_number_of_servers_meets_the_objective() {
    let folder = tempfile::tempdir().unwrap();
    let mut experiment = server();
    experiment["traffic"]["arrivals"]["poisson"]["rate"] = json!("5/s");
    experiment["providers"]["p"]["response"] = json!({ "exponential": { "mean": "2s" } });
    experiment["objectives"][0]["at_most"] = json!("8s");
    experiment["plan"] = json!({ "duration": "30m", "replications": 10, "seed": 3 });
    let range = "providers[p].load[0].slots.servers=4..200";
    for seed in ["1", "2"] {
        let asked = ["--carry", "15/s", "--smallest", range, "--seed", seed];
        let (_, found) = found(folder.path(), &experiment, &asked);
        assert_eq!(found["capacity"]["value"], json!(32.0), "{found}");
        let there = found["objective"]["there"]["value"].as_f64().unwrap();
        assert!((there / 6.94 - 1.0).abs() < 0.1, "{there}");
    }
}

/// Twenty servers of two seconds serve ten a second, and no objective on errors feels what waits for them.
#[test]
fn a_queue_that_grows_is_no_capacity() {
    let folder = tempfile::tempdir().unwrap();
    let mut experiment = server();
    experiment["traffic"]["arrivals"]["poisson"]["rate"] = json!("5/s");
    experiment["providers"]["p"]["response"] = json!({ "exponential": { "mean": "2s" } });
    experiment["providers"]["p"]["load"][0]["slots"]["servers"] = json!(20);
    experiment["objectives"] = json!([{ "metric": "error_rate", "at_most": "5%" }]);
    experiment["plan"] = json!({ "duration": "30m", "replications": 10 });
    let (_, found) = found(folder.path(), &experiment, &[]);
    assert_eq!(found["ended"], json!("overloaded"), "{found}");
    let carried = found["capacity"]["value"].as_f64().unwrap();
    assert!((9.3..=10.3).contains(&carried), "{carried}");
    experiment["traffic"]["arrivals"]["poisson"]["rate"] = json!("20/s");
    let out = run(folder.path(), &experiment);
    assert!(
        out.contains("Undecided, because requests pile up for as long as it is run"),
        "{out}"
    );
}

/// What `simcap run` prints of an experiment.
fn run(folder: &Path, experiment: &Value) -> String {
    std::fs::write(folder.join("run.json"), experiment.to_string()).unwrap();
    text(&simcap(folder, &["run", "run.json", "--out", "out"]).stdout)
}

/// Of a quota and a pool that is full twice as long the quota comes first where it is refusals that break the objective.
#[test]
fn what_refuses_comes_before_what_makes_wait() {
    let folder = tempfile::tempdir().unwrap();
    let mut experiment = server();
    let quota = json!([{ "token_bucket": { "unit": "requests", "rate": "600/min", "burst": 1 } }]);
    experiment["traffic"]["arrivals"]["poisson"]["rate"] = json!("5/s");
    experiment["providers"]["p"]["response"] = json!({ "constant": "1s" });
    experiment["providers"]["p"]["load"][0]["slots"]["servers"] = json!(5);
    experiment["providers"]["p"]["limits"] = quota;
    experiment["objectives"] = json!([{ "metric": "error_rate", "at_most": "30%" }]);
    experiment["plan"] = json!({ "duration": "10m", "replications": 10 });
    let (_, found) = found(folder.path(), &experiment, &[]);
    let limits: Vec<&str> = (found["limits"].as_array().unwrap().iter())
        .map(|limit| limit["what"].as_str().unwrap())
        .collect();
    assert_eq!(
        limits,
        ["p: 600 requests a minute", "p: the provider's capacity (5)"],
        "{found}"
    );
}

/// Two providers of one account have one quota between them, which is named once.
#[test]
fn the_quota_of_an_account_is_named_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut experiment = server();
    let provider = json!({ "account": "acct", "response": { "constant": "1s" }, "prices": { "per_request": { "price": "$0.01" } } });
    experiment["accounts"] =
        json!({ "acct": { "limits": [{ "token_bucket": { "unit": "requests", "rate": "240/min", "burst": 1 } }] } });
    experiment["providers"] = json!({ "a": provider, "b": provider });
    experiment["policies"] = json!([{ "name": "ab", "policy": "round_robin" }]);
    experiment["objectives"] = json!([{ "metric": "error_rate", "at_most": "5%" }]);
    let (_, found) = found(folder.path(), &experiment, &[]);
    let limits = found["limits"].as_array().unwrap();
    assert_eq!(limits.len(), 1, "{found}");
    assert_eq!(limits[0]["what"], json!("acct: 240 requests a minute"));
}

/// By the formula of the machine repairman 26 users have a mean of 1.94 s, and 27 one of 2.09 s.
#[test]
fn the_figures_are_those_of_the_users_that_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut experiment = server();
    experiment["traffic"]["arrivals"] =
        json!({ "closed_loop": { "users": 20, "think": { "exponential": { "mean": "5s" } } } });
    experiment["providers"]["p"]["response"] = json!({ "exponential": { "mean": "1s" } });
    experiment["providers"]["p"]["load"][0]["slots"]["servers"] = json!(4);
    experiment["objectives"] = json!([{ "metric": "e2e.mean", "at_most": "2s" }]);
    experiment["plan"] = json!({ "duration": "1h", "warmup": "5m", "replications": 10 });
    let (_, found) = found(folder.path(), &experiment, &["--seed", "2"]);
    assert_eq!(found["counted"]["value"], json!(26.0), "{found}");
    let there = found["objective"]["there"]["value"].as_f64().unwrap();
    assert!((there / 1.936 - 1.0).abs() < 0.03, "{there}");
}
