//! `simcap audit` as a user calls it: the five reports' own figures against their own formulas, and files that are wrong.
//!
//! What is expected of arithmetic was computed by hand from the reports' tables; the bound on connections is Little's law.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use std::path::Path;

use serde_json::{Value, json};

use crate::common::command::{simcap, text};

/// The shipped files of claims.
const SHIPPED: [&str; 5] = [
    "customer-service",
    "ecommerce-migration",
    "load-balancer",
    "ttft-ranking",
    "latency-routing",
];

/// What comes out of the shipped files.
fn shipped() -> (Option<i32>, Value, String) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments/claims");
    let files = SHIPPED.map(|name| format!("{name}.json"));
    let mut arguments = vec!["audit", "--check", "--format", "json"];
    arguments.extend(files.iter().map(String::as_str));
    let out = simcap(&folder, &arguments);
    let said = text(&out.stderr);
    let audit = serde_json::from_str(&text(&out.stdout)).unwrap_or_else(|error| panic!("{error}: {said}"));
    (out.status.code(), audit, said)
}

/// The claim of that name in the report of that name.
fn claim<'a>(audit: &'a Value, report: &str, name: &str) -> &'a Value {
    let report = audit["reports"]
        .as_array()
        .unwrap()
        .iter()
        .find(|of| of["name"] == report);
    let claims = report.unwrap()["claims"].as_array().unwrap();
    claims
        .iter()
        .find(|claim| claim["claim"] == name)
        .unwrap_or_else(|| panic!("no claim {name}"))
}

#[test]
fn every_published_figure_comes_out_as_it_is_known_to() {
    let (code, audit, said) = shipped();
    assert_eq!(code, Some(0), "{said}");
    let near = |report: &str, name: &str, holding: &str, found: f64, factor: f64| {
        let claim = claim(&audit, report, name);
        let is_near = |of: &Value, expected: f64| (of.as_f64().unwrap() / expected - 1.0).abs() < 1e-4;
        assert_eq!(claim["holding"], holding, "{name}");
        assert!(is_near(&claim["found"]["value"], found), "{name}: {}", claim["found"]);
        assert!(is_near(&claim["factor"], factor), "{name}: {}", claim["factor"]);
    };
    let (service, balancer, routing) = ("customer-service benchmark", "load balancer", "latency-based routing");
    // 140 million tokens at $2.80, and at 0.7 × $0.42 + 0.2 × $8 + 0.1 × $15 = $3.394 a million.
    near(service, "market cost a month", "fails", 392.0, 1000.0);
    near(service, "tiered cost a month", "fails", 475.16, 64_960.0 / 475.16);
    near(
        service,
        "saving a month at 10 million conversations",
        "fails",
        8_120.0,
        1000.0,
    );
    // 50 / 45 ms, and 50 / 890 ms.
    near(balancer, "through 50 connections at 45 ms", "fails", 1_111.111, 1.08);
    near(balancer, "through 50 connections at 890 ms", "fails", 56.179_8, 21.36);
    // 15 million tokens a month at $8, at $15 and at $1.802 a million; $4,800 over $1,028 is 4.669 months.
    near(routing, "gpt-4.1 alone", "fails", 120.0, 10.0);
    near(routing, "claude-sonnet-4.5 alone", "fails", 225.0, 10.0);
    near(
        routing,
        "60 % deepseek, 30 % gemini, 10 % gpt-4.1",
        "fails",
        27.03,
        172.0 / 27.03,
    );
    let payback = 4_800.0 / 1_028.0 * 30.0 * 86_400.0;
    near(
        routing,
        "at the published saving of $1,028 a month",
        "fails",
        payback,
        5.0 * 86_400.0 / payback,
    );
    // The tiers cost $83.16 more than the market.
    let saving = claim(&audit, service, "saving a month, by the formula");
    assert!(
        (saving["found"]["value"].as_f64().unwrap() + 83.16).abs() < 1e-6,
        "{saving}"
    );
    assert_eq!((&saving["holding"], &saving["factor"]), (&json!("fails"), &Value::Null));
    // A saving of 1 − 1/7.3 is one of the rate of exchange alone.
    let one_rate = claim(&audit, "TTFT ranking", "at one rate of exchange, simulated");
    assert!(one_rate["found"]["value"].as_f64().unwrap().abs() < 1e-9, "{one_rate}");
}

fn audited(claims: &Value, arguments: &[&str]) -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("claims.json"), claims.to_string()).unwrap();
    std::fs::write(folder.path().join("two.json"), experiment().to_string()).unwrap();
    let out = simcap(folder.path(), &[&["audit", "claims.json"], arguments].concat());
    (out.status.code(), text(&out.stdout), text(&out.stderr))
}

/// 10 requests a second, each answered after 100 ms for $0.001, or by the other policy after 200 ms.
fn experiment() -> Value {
    let provider =
        |time: &str| json!({ "response": { "constant": time }, "prices": { "per_request": { "price": "$0.001" } } });
    json!({
        "format": "simcap.experiment/2",
        "name": "two",
        "traffic": {
            "arrivals": { "regular": { "rate": "10/s" } },
            "classes": { "all": { "input": 10, "output": 10 } },
        },
        "providers": { "a": provider("100ms"), "b": provider("200ms") },
        "policies": [
            { "name": "quick", "policy": { "single": { "provider": "a" } } },
            { "name": "slow", "policy": { "single": { "provider": "b" } } },
        ],
        "plan": { "duration": "10s", "warmup": "1s", "replications": 3 },
    })
}

fn file(claims: &Value) -> Value {
    json!({
        "format": "simcap.claims/1",
        "name": "two providers",
        "numbers": { "price": "$1/Mtok" },
        "experiments": { "two": { "file": "two.json" }, "slower": { "file": "two.json", "set": { "providers.a.response.constant": "1s" } } },
        "claims": claims,
    })
}

fn simulated(experiment: &str, policy: &str, metric: &str) -> Value {
    json!({ "simulated": { "experiment": experiment, "policy": policy, "metric": metric } })
}

#[test]
fn a_figure_that_does_not_hold_is_a_failure_unless_it_is_expected() {
    let claims = file(&json!([
        { "claim": "mean", "published": "100ms", "found": simulated("two", "quick", "e2e.mean") },
        { "claim": "other", "published": "100ms", "found": simulated("two", "slow", "e2e.mean"), "expect": "fails" },
        { "claim": "slower", "published": "1s", "found": simulated("slower", "quick", "e2e.p50{class=all}") },
    ]));
    let (code, out, _) = audited(&claims, &[]);
    assert_eq!(code, Some(1));
    let first = "Of 3 published figures 2 hold, 1 do not, and 0 cannot be told. Worst: other (two providers), 2.00 × too low: 100 ms \
                 published, 200 ms found.";
    assert_eq!(out.lines().next(), Some(first));
    let (code, _, said) = audited(&claims, &["--check"]);
    assert_eq!(
        (code, said.trim()),
        (Some(0), "every verdict is as the files expect it")
    );
    let mut wrong = claims;
    wrong["claims"][0]["expect"] = json!("unknown");
    let (code, _, said) = audited(&wrong, &["--check"]);
    assert_eq!(code, Some(1));
    assert!(
        said.contains("two providers, mean: holds where cannot be told is expected"),
        "{said}"
    );
}

#[test]
fn one_replication_refutes_nothing() {
    let claims = file(&json!([{ "claim": "mean", "published": "9s", "found": simulated("two", "quick", "e2e.mean") }]));
    let (code, out, _) = audited(&claims, &["--replications", "1", "--full"]);
    assert_eq!(code, Some(0));
    assert!(
        out.contains("cannot be told") && out.contains("run at least 2"),
        "{out}"
    );
}

#[test]
fn results_of_runs_are_read_too() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("two.json"), experiment().to_string()).unwrap();
    let mut claims =
        file(&json!([{ "claim": "mean", "published": "100ms", "found": simulated("two", "quick", "e2e.mean") }]));
    claims["experiments"] = json!({ "two": { "file": "run/result.json" } });
    std::fs::write(folder.path().join("claims.json"), claims.to_string()).unwrap();
    assert_eq!(
        simcap(folder.path(), &["run", "two.json", "--out", "run", "-q"])
            .status
            .code(),
        Some(0)
    );
    let out = simcap(folder.path(), &["audit", "claims.json"]);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    claims["claims"][0]["found"] = simulated("two", "quick", "ttft.p42");
    std::fs::write(folder.path().join("claims.json"), claims.to_string()).unwrap();
    let out = simcap(folder.path(), &["audit", "claims.json"]);
    assert_eq!(out.status.code(), Some(2));
    assert!(
        text(&out.stderr).contains("the result has no figure of ttft.p42"),
        "{}",
        text(&out.stderr)
    );
}

#[test]
fn mistakes_have_their_place() {
    let one = |claim: Value| file(&json!([claim]));
    let found = |found: Value| one(json!({ "claim": "c", "published": "$1", "found": found }));
    let deep = format!("{}1{}", "(".repeat(5_000), ")".repeat(5_000));
    let deep_within = format!("{}$1{}", "(".repeat(400), ")".repeat(400));
    let with = |field: &str, value: Value| {
        let mut file = one(json!({ "claim": "c", "published": "$1", "found": "a" }));
        file[field] = value;
        file
    };
    for (claims, path, why) in [
        (found(json!("$1 / (2 - 2)")), "claims[0].found", "a division by zero"),
        (found(json!("prize * 3")), "claims[0].found", "did you mean `price`?"),
        (
            found(json!("3s")),
            "claims[0].found",
            "time, where the published figure is money",
        ),
        (found(json!("$1 + 3s")), "claims[0].found", "time added to money"),
        (found(json!(deep)), "claims[0].found", "more than 1000 characters"),
        (found(json!(deep_within)), "claims[0].found", "more than 32 brackets"),
        (
            found(simulated("tow", "quick", "e2e.mean")),
            "claims[0].found.simulated.experiment",
            "did you mean `two`?",
        ),
        (
            found(simulated("two", "quik", "e2e.mean")),
            "claims[0].found.simulated.policy",
            "did you mean `quick`?",
        ),
        (
            found(simulated("two", "quick", "e2e.mean{class=al}")),
            "claims[0].found.simulated.metric",
            "al",
        ),
        (
            found(simulated("two", "quick", "e2e.maen")),
            "claims[0].found.simulated.metric",
            "e2e",
        ),
        (
            found(json!({ "simulated": { "experiment": "two", "metric": "e2e.mean" } })),
            "claims[0].found.simulated",
            "policy",
        ),
        (found(json!({ "simulate": {} })), "claims[0].found", "simulated"),
        (
            found(json!({ "law": { "of": { "p50": "2s", "p95": "1s" }, "statistic": "mean" } })),
            "claims[0].found.law.of",
            "must be above",
        ),
        (
            found(json!({ "law": { "of": "1s", "statistic": "mode" } })),
            "claims[0].found.law.statistic",
            "mode",
        ),
        (
            one(json!({ "claim": "c", "published": 1, "at_most": 2 })),
            "claims[0]",
            "one of",
        ),
        (
            one(json!({ "claim": "c", "publishd": 1 })),
            "claims[0].publishd",
            "published",
        ),
        (
            one(json!({ "claim": "c", "published": "$1 * $1", "found": "$1" })),
            "claims[0].published",
            "money to the power of 2",
        ),
        // A number on itself, two on each other, and one on a later one.
        (
            with("numbers", json!({ "a": "a" })),
            "numbers.a",
            "no number `a` before this one",
        ),
        (
            with("numbers", json!({ "a": "b", "b": "a" })),
            "numbers.a",
            "no number `b` before this one",
        ),
        (with("numbers", json!({ "max": 1 })), "numbers.max", "function"),
        (with("numbers", json!({ "a-b": 1 })), "numbers.a-b", "letters"),
        (
            with("experiments", json!({ "x": { "file": "tow.json" } })),
            "experiments.x.file",
            "two.json",
        ),
        (
            with(
                "experiments",
                json!({ "x": { "file": "two.json", "set": { "plan.duraton": "1s" } } }),
            ),
            "two.json with --set",
            "duration",
        ),
        (with("format", json!("simcap.claims/9")), "format", "simcap.claims/1"),
        (with("claims", json!([])), "claims", "at least one"),
    ] {
        let (code, _, said) = audited(&claims, &[]);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(path) && said.contains(why), "{path}, {why}: {said}");
        assert!(said.len() < 4_000, "{} bytes", said.len());
    }
}

#[test]
fn every_form_says_the_same_of_each_figure() {
    let claims = file(&json!([
        { "table": "times", "claim": "=mean", "published": "100ms", "found": simulated("two", "quick", "e2e.mean"), "note": "noted" },
        { "claim": "not measured", "at_most": 4 },
    ]));
    let out = |form: &str| audited(&claims, &["--format", form]).1;
    let rows: Vec<Vec<String>> = (csv::Reader::from_reader(out("csv").as_bytes()).records())
        .map(|row| row.unwrap().iter().map(str::to_owned).collect())
        .collect();
    assert_eq!(
        (rows.len(), rows[0][2].as_str(), rows[0][11].as_str()),
        (2, "'=mean", "holds")
    );
    assert_eq!(
        (rows[1][3].as_str(), rows[1][11].as_str()),
        ("at_most", "cannot be told")
    );
    assert!(
        out("markdown").contains("| =mean | 100 ms ±5.00 ms | 100 ms | holds |"),
        "{}",
        out("markdown")
    );
    let full = audited(&claims, &["--full"]).1;
    assert!(
        full.contains("two.json: quick, e2e.mean") && full.contains("noted"),
        "{full}"
    );
}
