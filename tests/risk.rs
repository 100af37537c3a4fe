//! `simcap risk`: against quantiles and shares in closed form, against single runs, and as a user calls it.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::common::command::{simcap, text};

/// Two servers without load: one whose price and time are to be unknown, one that is dearer and always quick.
fn experiment() -> Value {
    let provider = |time: &str, price: &str| json!({ "response": { "constant": time }, "prices": { "per_request": { "price": price } } });
    let single = |name: &str| json!({ "name": name, "policy": { "single": { "provider": name } } });
    json!({
        "format": "simcap.experiment/2",
        "name": "case",
        "traffic": {
            "arrivals": { "poisson": { "rate": "5/s" } },
            "classes": { "a": { "input": { "constant": 10 }, "output": { "constant": 10 } } },
        },
        "providers": { "cheap": provider("150ms", "$0.002"), "dear": provider("100ms", "$0.004") },
        "policies": [single("cheap"), single("dear")],
        "objectives": [{ "metric": "e2e.p95", "at_most": "200ms" }],
        "plan": { "duration": "2m", "warmup": "0s", "replications": 4, "seed": 3 },
    })
}

/// What `simcap risk` finds, by its exit code and as JSON.
fn risk(folder: &Path, experiment: &Value, arguments: &[&str]) -> (i32, Value) {
    std::fs::write(folder.join("e.json"), experiment.to_string()).unwrap();
    let out = simcap(folder, &[&["risk", "e.json", "--format", "json"], arguments].concat());
    let said = text(&out.stderr);
    let found = serde_json::from_slice(&out.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    (out.status.code().unwrap(), found)
}

/// The place of a metric among those of a study.
fn place(found: &Value, metric: &str) -> usize {
    let metrics = found["metrics"].as_array().unwrap();
    metrics.iter().position(|of| of == metric).unwrap()
}

/// A price that is uniform over $1 to $3 for 1,000 requests: the cost of 1,000 has its quantiles at $1.20, $2 and $2.80, give or take a
/// part of the hypercube, and none of it is chance. Each of the 24 parts has one draw.
#[test]
fn a_cost_that_is_linear_in_a_price_has_its_quantiles() {
    let folder = tempfile::tempdir().unwrap();
    let between = "providers.cheap.prices.per_request.price=$0.001..$0.003";
    let (code, found) = risk(
        folder.path(),
        &experiment(),
        &["--between", between, "--metric", "cost_per_1k"],
    );
    assert_eq!(code, 0, "{found}");
    let figure = &found["policies"][0]["figures"][place(&found, "cost_per_1k")];
    for (quantile, expected) in [("p10", 1.2), ("p50", 2.0), ("p90", 2.8)] {
        let value = figure[quantile].as_f64().unwrap();
        assert!((value - expected).abs() < 2.0 / 24.0, "{quantile}: {value}");
    }
    assert!(figure["of_inputs"].as_f64().unwrap() > 0.999_999, "{figure}");
    // The standard deviation of a uniform law over 2, as far as 24 draws tell it.
    assert!(
        (figure["inputs"].as_f64().unwrap() - 2.0 / 12.0_f64.sqrt()).abs() < 0.04,
        "{figure}"
    );
    let numbers = found["inputs"][0]["numbers"].as_array().unwrap();
    let mut parts: Vec<u32> = numbers
        .iter()
        .map(|x| ((x.as_f64().unwrap() - 0.001) * 12_000.0) as u32)
        .collect();
    parts.sort_unstable();
    assert_eq!(parts, (0..24).collect::<Vec<_>>());
    // The other policy pays the same price throughout.
    let dear = &found["policies"][1]["figures"][place(&found, "cost_per_1k")];
    assert!(
        (dear["p90"].as_f64().unwrap() - 4.0).abs() < 1e-9 && dear["inputs"].as_f64().unwrap() < 1e-9,
        "{dear}"
    );
}

/// A time that is uniform over 100 to 300 ms keeps to 200 ms in half of the draws. In those the cheap one is the choice, in the others the dear one.
#[test]
fn the_choice_hangs_on_what_is_not_known() {
    let folder = tempfile::tempdir().unwrap();
    let (code, found) = risk(
        folder.path(),
        &experiment(),
        &[
            "--between",
            "providers.cheap.response.constant=100ms..300ms",
            "--points",
            "40",
        ],
    );
    assert_eq!(
        (code, &found["leader"], &found["nowhere"]),
        (0, &json!("cheap"), &json!(0)),
        "{found}"
    );
    let [cheap, dear] = [0, 1].map(|i| &found["policies"][i]);
    let held = |of: &Value| of["held"].as_u64().unwrap();
    // The histogram's bucket of the bound is a part of 200 ms at most, and a draw is in every 5 ms.
    assert!((19..=21).contains(&held(&cheap["holds"][0])), "{cheap}");
    assert_eq!(cheap["holds"][0], cheap["all"]);
    assert_eq!(held(&cheap["all"]), held(&cheap["cheapest"]));
    assert_eq!(
        (held(&dear["all"]), held(&cheap["cheapest"]) + held(&dear["cheapest"])),
        (40, 40)
    );
    let (lo, hi) = (
        cheap["all"]["lo"].as_f64().unwrap(),
        cheap["all"]["hi"].as_f64().unwrap(),
    );
    assert!(lo < 0.5 - 0.1 && hi > 0.5 + 0.1, "{cheap}");
    let end = &found["inputs"][0]["ends"][1];
    assert_eq!((&end["value"], &end["cheapest"]), (&json!("300ms"), &json!("dear")));
    let said = found["sentences"].to_string();
    assert!(
        said.contains("cheap is the cheapest that meets every objective in") && said.contains("= 300ms: dear"),
        "{said}"
    );
}

/// The change at an end is the difference of two runs, to the last digit.
#[test]
fn a_bar_is_the_difference_of_two_runs() {
    let folder = tempfile::tempdir().unwrap();
    let (_, found) = risk(
        folder.path(),
        &experiment(),
        &[
            "--between",
            "traffic.rate=4/s..7/s",
            "--between",
            "providers.cheap.prices.per_request.price=$0.001..$0.003",
            "--points",
            "5",
        ],
    );
    let month = |set: &[&str]| {
        simcap(
            folder.path(),
            &[&["run", "e.json", "--out", "alone", "-q"], set].concat(),
        );
        let alone = std::fs::read(folder.path().join("alone/result.json")).unwrap();
        let alone: Value = serde_json::from_slice(&alone).unwrap();
        [0, 1].map(|policy| {
            let metrics = alone["policies"][policy]["metrics"].as_array().unwrap();
            let of = metrics.iter().find(|m| m["metric"] == "cost_per_month").unwrap();
            of["estimate"]["value"].as_f64().unwrap()
        })
    };
    assert_eq!(found["metrics"][0], "cost_per_month");
    let centre = month(&[]);
    for input in found["inputs"].as_array().unwrap() {
        for end in input["ends"].as_array().unwrap() {
            let set = format!("{}={}", input["path"].as_str().unwrap(), end["value"].as_str().unwrap());
            let there = month(&["--set", &set]);
            for policy in 0..2 {
                assert_eq!(
                    end["changes"][policy].as_f64().unwrap(),
                    there[policy] - centre[policy],
                    "{set}"
                );
            }
        }
    }
    // Of $0.002 for a request at 5/s, traffic moves from −20 % to +40 %, and the price by half either way: it comes first.
    assert_eq!(found["inputs"][0]["path"], "providers.cheap.prices.per_request.price");
}

/// A bill that is uniform over $13k to $39k a month is above $32.4k, at a price of $0.0025, in a quarter of the draws. One month of it is hardly
/// less sure: 12,960,000 requests vary by 0.03 %.
#[test]
fn a_budget_is_exceeded_as_often_as_the_price_says() {
    let folder = tempfile::tempdir().unwrap();
    let between = "providers.cheap.prices.per_request.price=$0.001..$0.003";
    let mut of = experiment();
    of["plan"]["replications"] = json!(20);
    let (_, found) = risk(
        folder.path(),
        &of,
        &["--between", between, "--budget", "$32,400", "--points", "40"],
    );
    let cheap = &found["policies"][0];
    assert!(
        (8..=12).contains(&cheap["over_budget"]["held"].as_u64().unwrap()),
        "{cheap}"
    );
    let month = &cheap["month"];
    assert!((month["over_budget"].as_f64().unwrap() - 0.25).abs() < 0.05, "{month}");
    // Poisson: the standard deviation of a month's count is its root, at $0.002 each in the mean.
    let chance = month["chance"].as_f64().unwrap();
    assert!(
        (chance / (12_960_000.0_f64.sqrt() * 0.002) - 1.0).abs() < 0.35,
        "{month}"
    );
    let within = |end: &str, expected: f64| (month[end].as_f64().unwrap() / expected - 1.0).abs() < 0.06;
    assert!(
        within("p10", 12_960.0 * 1.2) && within("p90", 12_960.0 * 2.8),
        "{month}"
    );
}

/// Few short replications leave the mean of the bill open by half a per cent, which is far more than a month differs by: eight of ten intervals hold
/// the mean month, $25,920, all the same. Of forty at least 25 do with a probability of 99.7 %.
#[test]
fn one_month_is_as_unsure_as_its_simulated_mean() {
    let folder = tempfile::tempdir().unwrap();
    let held = (0..40).filter(|seed| {
        let mut of = experiment();
        of["plan"]["seed"] = json!(seed + 1);
        let between = "providers.cheap.response.constant=140ms..160ms";
        let (_, found) = risk(folder.path(), &of, &["--between", between, "--points", "6"]);
        let month = &found["policies"][0]["month"];
        let end = |of: &str| month[of].as_f64().unwrap();
        assert!(end("simulated") > 10.0 * end("chance"), "{month}");
        end("p10") <= 25_920.0 && 25_920.0 <= end("p90")
    });
    let held = held.count();
    assert!((25..=39).contains(&held), "{held} of 40");
}

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let mut of = experiment();
    of["uncertain"] = json!({
        "traffic.rate": { "between": ["4/s", "7/s"], "likely": "5/s" },
        "providers.cheap.response": { "one_of": [{ "constant": "150ms" }, { "constant": "250ms" }], "weights": [3, 1] },
    });
    let on = |threads: &str| risk(folder.path(), &of, &["--points", "8", "--threads", threads]).1;
    let (one, two) = (on("1"), on("2"));
    assert_eq!(one, two);
    // Two of eight draws have the variant of a quarter.
    assert_eq!(one["policies"][0]["all"]["held"], 6);
    assert_eq!(one["inputs"].as_array().unwrap().len(), 2);
    assert_ne!(one, risk(folder.path(), &of, &["--points", "8", "--seed", "4"]).1);
}

/// A field of whole numbers gets whole numbers, and a factor does not, although both ends of either are whole.
#[test]
fn whole_numbers_stay_whole_where_the_field_takes_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let mut of = experiment();
    of["providers"]["cheap"]["connections"] = json!(30);
    let of_both = [
        "--between",
        "providers.cheap.connections=20..40",
        "--between",
        "traffic.scale=1..2",
        "--points",
        "6",
    ];
    let (code, found) = risk(folder.path(), &of, &of_both);
    assert_eq!(code, 0, "{found}");
    for input in found["inputs"].as_array().unwrap() {
        let whole = input["numbers"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|x| x.as_f64().unwrap().fract() == 0.0)
            .count();
        let expected = if input["path"] == "traffic.scale" { 0 } else { 6 };
        assert_eq!(whole, expected, "{input}");
    }
}

#[test]
fn a_run_says_what_is_not_known_and_how_to_carry_it_through() {
    let folder = tempfile::tempdir().unwrap();
    let mut of = experiment();
    let plain = |of: &Value| {
        std::fs::write(folder.path().join("e.json"), of.to_string()).unwrap();
        let out = simcap(folder.path(), &["run", "e.json", "--out", "alone"]);
        (out.status.code(), text(&out.stdout).replace('\n', " "))
    };
    let (_, known) = plain(&of);
    assert!(!known.contains("simcap risk"), "{known}");
    of["uncertain"] = json!({ "traffic.rate": { "between": ["4/s", "7/s"] } });
    let (code, said) = plain(&of);
    assert_eq!(code, Some(0));
    assert!(
        said.contains("not known exactly: traffic.rate.") && said.contains("`simcap risk e.json`"),
        "{said}"
    );
    // A value beyond what is possible may be run all the same.
    let beyond = simcap(
        folder.path(),
        &["run", "e.json", "--set", "traffic.rate=9/s", "--out", "beyond"],
    );
    assert_eq!(beyond.status.code(), Some(0), "{}", text(&beyond.stderr));
}

#[test]
fn what_makes_no_sense_is_refused_at_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let rate = |of: Value| json!({ "traffic.rate": of });
    for (uncertain, path, why) in [
        (
            rate(json!({})),
            "uncertain[\"traffic.rate\"]",
            "give `between` with two ends, or `one_of`",
        ),
        (
            rate(json!({ "between": ["4/s"] })),
            "between",
            "1 values: must be the two ends",
        ),
        (
            rate(json!({ "between": ["7/s", "4/s"] })),
            "between",
            "the first must be the smaller one",
        ),
        (
            rate(json!({ "between": ["4/s", "7/min"] })),
            "between",
            "give both in one unit",
        ),
        (
            rate(json!({ "between": ["4/s", "fast"] })),
            "between[1]",
            "fast is no number with a unit",
        ),
        (
            rate(json!({ "between": ["4/s", "7/s"], "likely": "8/s" })),
            "likely",
            "8/s does not lie between 4/s and 7/s",
        ),
        (
            rate(json!({ "between": ["4/s", "7/s"], "weights": [1] })),
            "weights",
            "give `likely`",
        ),
        (
            rate(json!({ "between": ["6/s", "7/s"] })),
            "uncertain",
            "the file has 5/s at `traffic.rate`, which is not in 6/s to 7/s",
        ),
        (
            rate(json!({ "between": ["-1/s", "7/s"] })),
            "between[0]",
            "at -1/s the experiment makes no sense",
        ),
        (
            rate(json!({ "one_of": ["5/s", "6/s"], "weights": [1] })),
            "weights",
            "1 weights of 2 variants",
        ),
        (
            rate(json!({ "one_of": ["5/s", "6/s"], "weights": [1, 0] })),
            "weights[1]",
            "must be above 0",
        ),
        (
            rate(json!({ "one_of": ["5/s", "5/s"] })),
            "one_of[1]",
            "stands there twice",
        ),
        (
            rate(json!({ "one_of": ["6/s", "7/s"] })),
            "uncertain",
            "none of the variants",
        ),
        (
            json!({ "plan.seed": { "between": [1, 2] } }),
            "uncertain[\"plan.seed\"]",
            "how an experiment is run is no input",
        ),
        (
            json!({ "providers.cheap.response.constant.x": { "between": [1, 2] } }),
            "uncertain",
            "is a value of its own, without a `x`",
        ),
        (
            json!({ "providers.cheap": { "one_of": [experiment()["providers"]["cheap"], experiment()["providers"]["cheap2"]] } }),
            "one_of",
            "the experiment makes no sense",
        ),
        (
            json!({ "traffic.rate": { "between": ["4/s", "7/s"] }, "traffic[rate]": { "between": ["4/s", "7/s"] } }),
            "uncertain",
            "is the same path",
        ),
    ] {
        let mut of = experiment();
        of["uncertain"] = uncertain.clone();
        std::fs::write(folder.path().join("e.json"), serde_json::to_string_pretty(&of).unwrap()).unwrap();
        let out = simcap(folder.path(), &["check", "e.json"]);
        let said = text(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{uncertain}: {said}");
        assert!(
            said.contains("e.json:") && said.contains(path) && said.contains(why),
            "{uncertain}: {said}"
        );
    }
    std::fs::write(folder.path().join("e.json"), experiment().to_string()).unwrap();
    for (arguments, why) in [
        (&["risk", "e.json"][..], "says of nothing that it is not known"),
        (
            &["risk", "e.json", "--between", "traffic.rate=6..7/s"],
            "the file has 5/s",
        ),
        (
            &["risk", "e.json", "--between", "traffic.rate=7"],
            "a path, `=` and two ends",
        ),
        (
            &["risk", "e.json", "--one-of", "traffic.rate=5/s"],
            "1 variants: must be 2 to 64",
        ),
        (
            &["risk", "e.json", "--between", "providers[chaep].connections=1..2"],
            "connections",
        ),
    ] {
        let out = simcap(folder.path(), arguments);
        assert_eq!(out.status.code(), Some(2), "{arguments:?}");
        assert!(text(&out.stderr).contains(why), "{arguments:?}: {}", text(&out.stderr));
    }
}

/// The shipped example fits one screen, says the answer first, and has a page, rows and JSON of the same.
#[test]
fn the_first_screen_is_one_and_the_folder_has_all() {
    let folder = tempfile::tempdir().unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments/risk.json");
    let out = Command::new(env!("CARGO_BIN_EXE_simcap"))
        .args([
            "risk",
            file.to_str().unwrap(),
            "--points",
            "10",
            "--replications",
            "2",
            "--set",
            "plan.duration=3m",
            "--out",
            "there",
        ])
        .args(["--budget", "$50k"])
        .current_dir(folder.path())
        .env("COLUMNS", "80")
        .output()
        .unwrap();
    let said = text(&out.stdout);
    assert!(matches!(out.status.code(), Some(0 | 1)), "{}", text(&out.stderr));
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines.len() <= 40, "{} lines:\n{said}", lines.len());
    assert!(lines.iter().all(|line| line.chars().count() <= 80), "{said}");
    assert!(
        lines[0].starts_with("own-first is the cheapest that meets every objective in"),
        "{said}"
    );
    for name in ["traffic.rate", "providers.hosted.ttft", "│"] {
        assert!(said.contains(name), "{said}");
    }
    let read = |name: &str| std::fs::read_to_string(folder.path().join("there").join(name)).unwrap();
    // The namespace of SVG is a name, and no address that is asked.
    let page = read("risk.html").replace("http://www.w3.org/", "");
    assert!(page.matches("<svg").count() >= 3 && !page.contains("http://"), "{page}");
    let json: Value = serde_json::from_str(&read("risk.json")).unwrap();
    assert_eq!(json["format"], "simcap.risk/1");
    // The file's own run, five ends, ten draws: two policies and three metrics each, and a head.
    assert_eq!(read("risk.csv").lines().count(), 1 + 16 * 6);
}
