//! Policies that are scripts: as good as those that are built in, the same on any number of threads, and exact when wrong.

#![cfg(feature = "script")]
#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use crate::common::command::{simcap, text};
use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use simcap::decide;
use simcap::engine::replicate::{Runs, replicate};
use simcap::engine::run::Control;
use simcap::experiment::assemble::assemble;
use simcap::experiment::load::{Traces, from_text, load};
use simcap::report::{Metric, Report};

const LEAST: &str = include_str!("common/least.rhai");

/// As `p2c`: two out of all, and only if one of them is closed two out of those that are open.
const P2C: &str = "
fn two(request, among) {
    let one = request.pick(among.len());
    let other = if among.len() == 1 { 0 } else { request.pick(among.len() - 1, 1) };
    if among.len() > 1 && other >= one { other += 1; }
    [among[one], among[other]]
}

fn choose(request, fleet) {
    let all = [];
    let open = [];
    for i in 0..fleet.len() {
        all.push(i);
        if fleet.open(i) { open.push(i); }
    }
    if open.is_empty() { return (); }
    let pair = two(request, all);
    if !fleet.open(pair[0]) || !fleet.open(pair[1]) { pair = two(request, open); }
    if fleet.load(pair[1]) < fleet.load(pair[0]) { pair[1] } else { pair[0] }
}
";

/// As `kong_latency` with its defaults, but for what a retry avoids where somebody else may be called.
const AVERAGE: &str = "
fn decayed(entry, now) { entry.average * exp(-(now - entry.at) / 10.0) }

fn choose(request, fleet) {
    let best = ();
    for i in 0..fleet.len() {
        if !fleet.open(i) { continue; }
        let entry = this[fleet.name(i)];
        let score = if entry == () { 0.0 } else { decayed(entry, fleet.now) };
        if best == () || score < best[1] { best = [i, score]; }
    }
    if best == () { () } else { fleet.name(best[0]) }
}

fn learn(ended) {
    let name = ended.name;
    let entry = this[name] ?? #{ average: 0.0, at: ended.now };
    let w = exp(-(ended.now - entry.at) / 10.0);
    this[name] = #{ average: entry.average * w + ended.took * (1.0 - w), at: ended.now };
}
";

fn experiment(policies: &Value) -> String {
    let provider = |mean: &str| {
        json!({
            "response": { "exponential": { "mean": mean } },
            "faults": [ { "random": { "server_error": "5%" } } ],
            "prices": { "per_request": { "price": "$0.001" } },
        })
    };
    json!({
        "name": "scripts",
        "traffic": {
            "arrivals": { "poisson": { "rate": "20/s" } },
            "classes": { "all": { "input": { "constant": 100 }, "output": { "constant": 10 } } },
        },
        "providers": { "a": provider("300ms"), "b": provider("500ms"), "c": provider("100ms") },
        "client": { "breaker": "consecutive", "retry": { "fixed": { "tries": 3 } } },
        "policies": policies,
        "plan": { "duration": "90s", "warmup": "10s", "replications": 3 },
    })
    .to_string()
}

fn script(name: &str, file: &str) -> Value {
    json!({ "name": name, "policy": { "script": { "file": file } } })
}

/// A folder with an experiment of these policies, and the script.
fn folder(policies: &Value, text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("x.json"), experiment(policies)).unwrap();
    std::fs::write(folder.path().join("route.rhai"), text).unwrap();
    folder
}

fn simulate(folder: &tempfile::TempDir, threads: usize) -> (Runs, Report) {
    let loaded = load(&folder.path().join("x.json"), &Traces::default()).unwrap();
    let plan = assemble(&loaded).unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let runs = pool.install(|| replicate(&plan.scenarios, plan.seed, plan.replications, &Control::default()));
    let report = decide::report(&loaded, &plan, &runs);
    (runs, report)
}

#[test]
fn a_script_does_what_the_policy_that_is_built_in_does_to_the_last_bit() {
    for (kind, text) in [("least_in_flight", LEAST), ("p2c", P2C)] {
        let native = json!({ "name": "native", "policy": kind });
        let (runs, report) = simulate(&folder(&json!([native, script("script", "route.rhai")]), text), 2);
        assert_eq!(runs[0], runs[1], "{kind}");
        let kinds: Vec<&str> = report.policies.iter().map(|p| p.kind.as_str()).collect();
        assert_eq!(kinds, [kind, "script route.rhai"]);
        let hash: String = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
        let script = &report.inputs[1];
        assert_eq!((script.name.as_str(), &script.sha256), ("route.rhai", &hash));
        let warned = &report.warnings;
        assert!(warned.iter().all(|w| !w.starts_with("the script")), "{warned:?}");
    }
}

#[test]
fn a_script_that_learns_is_the_same_on_any_number_of_threads() {
    let folder = folder(&json!([script("script", "route.rhai")]), AVERAGE);
    let (_, one) = simulate(&folder, 1);
    for threads in [2, 4] {
        let (_, more) = simulate(&folder, threads);
        assert_eq!(
            serde_json::to_string(&one).unwrap(),
            serde_json::to_string(&more).unwrap(),
            "{threads} threads"
        );
    }
    assert!(one.warnings.iter().all(|w| !w.contains("script")), "{:?}", one.warnings);
    let served: Vec<_> = one.policies[0].providers.iter().map(|p| p.served).collect();
    assert!(served.iter().all(|n| n.value > 0.0), "{served:?}");
}

/// What `simcap check` says of an experiment with this script, without the folder.
fn said(script_text: &str) -> String {
    let folder = folder(&json!([script("script", "route.rhai")]), script_text);
    let output = simcap(folder.path(), &["check", "x.json"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stdout));
    let said = text(&output.stderr);
    said.lines().next().unwrap().to_owned()
}

#[test]
fn mistakes_of_a_script_are_told_with_line_and_column() {
    for (script, expected) in [
        (
            "fn choose(request, fleet) {\n    let x = ;\n}",
            "error: route.rhai:2:13: Unexpected ';'",
        ),
        (
            "fn choose(request, fleet) {\n    nobody\n}",
            "error: route.rhai:2:5: Undefined variable: nobody",
        ),
        (
            "fn choose(request, fleet) { 2.0 ** 3.0 }",
            "error: route.rhai:1:33: Unknown operator: '**'",
        ),
        (
            "fn choose(request, fleet) { eval(\"0\") }",
            "error: route.rhai:1:29: reserved keyword 'eval' is disabled",
        ),
        (
            "fn choose(request, fleet) { let x = Fn(\"a\"); x = Fn(\"a\").curry(x); 0 }",
            "error: route.rhai:1:58: Expecting name of a property",
        ),
        (
            "fn chose(request, fleet) { 0 }",
            "error: route.rhai: it defines no `fn choose(request, fleet)`",
        ),
        (
            "let turn = 0;\nfn choose(request, fleet) { 0 }",
            "error: route.rhai:1:1: only functions may stand here: nothing outside them would ever run",
        ),
        (
            "fn choose(request, fleet) { 0 }\nfn lern(ended) { }",
            "error: route.rhai: nothing calls `lern`: did you mean `learn`?",
        ),
        (
            "fn choose(request, fleet) { 0 }\nfn learn() { }",
            "error: route.rhai: `learn` takes one parameter: `fn learn(ended)`",
        ),
    ] {
        assert_eq!(said(script), expected, "{script}");
    }
    for (script, expected) in [
        (
            "fn choose(request, fleet) {\n    fleet.load(3)\n}",
            "route.rhai:2:11: there is no provider 3: they are 0 to 2",
        ),
        (
            "fn choose(request, fleet) { 7 }",
            "route.rhai: choose returned 7: providers are 0 to 2",
        ),
        (
            "fn choose(request, fleet) { \"d\" }",
            "route.rhai: choose returned \"d\": there is no provider of that name",
        ),
        (
            "fn choose(request, fleet) { true }",
            "route.rhai: choose returned a bool: must be an index, a name or ()",
        ),
        (
            "fn choose(request, fleet) { 0 }",
            "route.rhai: choose returned a, which is not open: ask fleet.open first",
        ),
        (
            "fn choose(request, fleet) { request.pick(0) }",
            "route.rhai:1:37: there is no number below 0 to pick",
        ),
        (
            "fn choose(request, fleet) {\n    loop { }\n}",
            "route.rhai: Too many operations",
        ),
        (
            "fn choose(request, fleet) { let a = []; loop { a.push(1); } }",
            "route.rhai: Size of array/BLOB too large",
        ),
        (
            "fn choose(request, fleet) {\n    let x = [];\n    for i in 0..9000 { x = [x]; }\n    0\n}",
            "route.rhai:3:29: arrays and maps in one another are deeper than 16",
        ),
        (
            "fn choose(request, fleet) {\n    let x = #{};\n    loop { x = #{a: x}; }\n}",
            "route.rhai:3:21: arrays and maps in one another are deeper than 16",
        ),
        (
            "fn choose(request, fleet) {\n    this.x = [];\n    for i in 0..20 { this.x = [this.x]; }\n    ()\n}",
            "route.rhai: arrays and maps in one another are deeper than 16",
        ),
        (
            "fn choose(request, fleet) {\n    let x = [];\n    x.pad(1600, 0);\n    loop { let y = x; }\n}",
            "route.rhai: Too many operations",
        ),
        (
            "fn choose(request, fleet) { timestamp() }",
            "route.rhai:1:29: Function not found: timestamp ()",
        ),
    ] {
        let said = said(script);
        let (place, rest) = said
            .split_once("policies[0].policy.script.file: ")
            .unwrap_or(("", &said));
        assert!(place.starts_with("error: x.json:1:"), "{said}");
        assert!(rest.starts_with(expected), "{said}");
    }
}

/// It goes wrong only when the clock says so, which no sample tries.
const LATE: &str = "
fn choose(request, fleet) {
    if fleet.now > 1000.0 { throw \"too late\"; }
    if fleet.now > 50.0 && fleet.now < 51.0 { throw \"a bad second\"; }
    for i in 0..fleet.len() { if fleet.open(i) { return i; } }
}
";

#[test]
fn a_script_that_fails_in_a_run_is_exit_code_3_and_a_warning() {
    let folder = folder(&json!([script("script", "route.rhai")]), LATE);
    let output = simcap(folder.path(), &["run", "x.json", "--threads", "2"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    let said = text(&output.stderr);
    assert!(said.starts_with("error: the script route.rhai failed "), "{said}");
    assert!(said.contains(" times, first at 50."), "{said}");
    assert!(said.ends_with("s, in line 4, column 47: a bad second\n"), "{said}");
    let result = std::fs::read(folder.path().join("reports/scripts/result.json")).unwrap();
    let result: Value = serde_json::from_slice(&result).unwrap();
    assert!(said.contains(result["warnings"][0].as_str().unwrap()), "{said}");
    let again = simcap(folder.path(), &["run", "x.json", "--threads", "1"]);
    assert_eq!(text(&again.stderr), said, "whichever thread fails first");
}

#[test]
fn a_script_lies_in_the_folder_of_its_experiment() {
    let folder = folder(&json!([script("script", "../route.rhai")]), LEAST);
    let output = simcap(folder.path(), &["check", "x.json"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stdout));
    let said = text(&output.stderr);
    assert!(
        said.contains("a script must lie in the experiment's folder, or below it"),
        "{said}"
    );
}

#[test]
fn a_script_that_is_not_there_is_a_mistake_of_the_line_that_names_it() {
    let folder = folder(&json!([script("script", "rout.rhai")]), LEAST);
    let output = simcap(folder.path(), &["check", "x.json"]);
    let said = text(&output.stderr);
    let expected =
        "policies[0].policy.script.file: cannot read rout.rhai: there is no such file; did you mean route.rhai?";
    assert!(said.lines().next().unwrap().ends_with(expected), "{said}");
}

#[test]
fn an_experiment_that_is_no_file_is_given_its_scripts() {
    let text = experiment(&json!([script("script", "route.rhai")]));
    let mut loaded = from_text("x.json", &text).unwrap();
    let said = assemble(&loaded).unwrap_err().to_string();
    assert!(said.contains("the script route.rhai has not been loaded: an experiment that is no file has no folder"));
    loaded.add_script("route.rhai", LEAST).unwrap();
    assert_eq!(assemble(&loaded).unwrap().kinds, ["script route.rhai"]);
}

#[test]
fn the_example_runs_and_keeps_away_from_whoever_fails() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/script.json");
    let loaded = load(&file, &Traces::default()).unwrap();
    let plan = assemble(&loaded).unwrap();
    let runs = replicate(&plan.scenarios, plan.seed, 2, &Control::default());
    let report = decide::report(&loaded, &plan, &runs);
    let warned = &report.warnings;
    assert!(warned.iter().all(|w| !w.starts_with("the script")), "{warned:?}");
    assert_eq!(report.inputs[1].name, "route.rhai");
    let failures = |policy: usize| {
        let mut metrics = report.policies[policy].metrics.iter();
        metrics.find(|m| m.metric == Metric::ERROR_RATE).unwrap().estimate.value
    };
    assert!(failures(0) < 0.6 * failures(1), "{} {}", failures(0), failures(1));
}
