//! Metrics by class, tag, provider and window, held against arithmetic by hand and against each other.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use crate::common::command::{simcap, text};
use serde_json::{Value, json};
use simcap::engine::replicate::replicate;
use simcap::engine::run::Control;
use simcap::report::{Judged, Metric, Report};
use simcap::words::Outcome;
use simcap::words::metric::{Key, Quantity, Statistic, Takes};

/// Ten requests a second for 80 counted seconds, of three classes with equal shares. `chat` goes to `a`, which answers after 100 ms
/// at 10 ms a token and is down from 40 s to 60 s; the others go to `b`, which answers after 200 ms at 20 ms a token.
const BY_HAND: &str = r#"{
  "name": "by-hand",
  "traffic": {
    "arrivals": { "regular": { "rate": "10/s" } },
    "classes": {
      "chat": { "share": 1, "input": { "constant": 10 }, "output": { "constant": 11 }, "tags": { "team": "search" } },
      "code": { "share": 1, "input": { "constant": 10 }, "output": { "constant": 101 }, "tags": { "team": "build" } },
      "batch, slow": { "share": 1, "input": { "constant": 10 }, "output": { "constant": 1 } }
    }
  },
  "providers": {
    "a": {
      "ttft": { "constant": "100ms" }, "tps": { "constant": 100 },
      "prices": { "per_request": { "price": "$0.01" } },
      "faults": [ { "outage": { "from": "20s", "for": "20s", "answer": "unavailable" } } ]
    },
    "b": {
      "ttft": { "constant": "200ms" }, "tps": { "constant": 50 },
      "prices": { "per_request": { "price": "$0.03" } }
    }
  },
  "policies": [ { "name": "by class", "policy": { "tiered": {
    "tiers": [
      { "name": "quick", "providers": ["a"], "classes": ["chat"] },
      { "name": "slow", "providers": ["b"], "classes": ["code", "batch, slow"] }
    ],
    "otherwise": "fail"
  } } } ],
  "objectives": [],
  "plan": {
    "duration": "80s", "warmup": "20s", "replications": 3,
    "windows": {
      "before": { "until": "20s" },
      "outage": { "from": "20s", "until": "40s" },
      "after": { "from": "40s" },
      "all": {}
    },
    "metrics": []
  }
}"#;

/// The report of an experiment that also asks for these metrics.
fn report(text: &str, objectives: &Value, metrics: &[String]) -> Report {
    let mut experiment: Value = serde_json::from_str(text).unwrap();
    experiment["objectives"] = objectives.clone();
    experiment["plan"]["metrics"] = json!(metrics);
    let loaded = simcap::experiment::load::from_text("test.json", &experiment.to_string()).unwrap();
    let plan = simcap::experiment::assemble::assemble(&loaded).unwrap_or_else(|e| panic!("{e}"));
    let runs = replicate(&plan.scenarios, plan.seed, plan.replications, &Control::default());
    simcap::decide::report(&loaded, &plan, &runs)
}

fn figure(report: &Report, policy: usize, metric: &str) -> f64 {
    let metric: Metric = metric.parse().unwrap();
    let found = report.policies[policy].metrics.iter().find(|m| m.metric == metric);
    found.unwrap_or_else(|| panic!("no {metric}")).estimate.value
}

fn near(found: f64, expected: f64) {
    assert!(
        (found - expected).abs() <= 1e-9 * expected.abs(),
        "{found} is not {expected}"
    );
}

/// The figures of one replicated run of [`BY_HAND`] for all of these metrics.
fn by_hand(objectives: &Value, metrics: &[&str]) -> impl Fn(&str) -> f64 + use<> {
    of_text(BY_HAND, objectives, metrics)
}

fn of_text(text: &str, objectives: &Value, metrics: &[&str]) -> impl Fn(&str) -> f64 + use<> {
    let metrics: Vec<String> = metrics.iter().map(|m| (*m).to_owned()).collect();
    let report = report(text, objectives, &metrics);
    move |metric| figure(&report, 0, metric)
}

#[test]
fn scoped_figures_are_those_of_their_part_of_the_traffic() {
    let cases = [
        // A class, from what is counted by class.
        ("ttft.mean{class=chat}", 0.1),
        ("e2e.mean{class=chat}", 0.1 + 10.0 * 0.010),
        ("e2e.mean{class=code}", 0.2 + 100.0 * 0.020),
        ("e2e.mean{class='batch, slow'}", 0.2),
        ("tpot.mean{class=chat}", 0.010),
        ("tpot.mean{class=code}", 0.020),
        ("cost_per_1k{class=code}", 30.0),
        ("error_rate{class=code}", 0.0),
        ("share.success{class=code}", 1.0),
        ("attempts_per_request{class=chat}", 1.0),
        // A tag, and what is left of it.
        ("ttft.mean{tag.team=search}", 0.1),
        ("e2e.mean{tag.team=build}", 2.2),
        ("e2e.mean{tag.team=other}", 0.2),
        ("cost_per_1k{tag.team=other}", 30.0),
        // A provider. The batch has no token after the first.
        ("ttft.mean{provider=a}", 0.1),
        ("ttft.mean{provider=b}", 0.2),
        ("tpot.mean{provider=b}", 0.020),
        ("e2e.mean{class=code,provider=b}", 2.2),
        ("attempts.success{provider=b}", 1.0),
        ("attempts.unavailable{provider=b}", 0.0),
        // A window: 20 s of 10 a second before, of which the two classes of `b` are answered in it or soon after.
        ("error_rate{class=chat,window=before}", 0.0),
        ("error_rate{class=chat,window=outage}", 1.0),
        ("share.unavailable{class=chat,window=outage}", 1.0),
        ("attempts.unavailable{provider=a,window=outage}", 1.0),
        ("attempts.unavailable{provider=a,window=after}", 0.0),
        ("cost_per_1k{class=chat,window=before}", 10.0),
        ("cost_per_1k{class=chat,window=outage}", 0.0),
        ("cost_per_month{provider=a,window=outage}", 0.0),
    ];
    let ends = "throughput{provider=a,window=outage}";
    let asked: Vec<&str> = cases.iter().map(|(metric, _)| *metric).chain([ends]).collect();
    let found = by_hand(&json!([]), &asked);
    // What was under way when it began ends in it: of two arrivals within 200 ms, in 20 s.
    assert!(found(ends) <= 2.0 / 20.0, "{}", found(ends));
    for (metric, expected) in cases {
        assert!(
            (found(metric) - expected).abs() < 1e-9,
            "{metric}: {} is not {expected}",
            found(metric)
        );
    }
}

/// What classes, the values of a tag, providers and windows cost and get through adds up to the whole. A minute with an outage in it
/// has no month: what a month costs is of the same without the outage.
#[test]
fn parts_add_up_to_the_whole() {
    let values = [
        ["class=chat", "class=code", "class='batch, slow'"],
        ["tag.team=search", "tag.team=build", "tag.team=other"],
        ["window=before", "window=outage", "window=after"],
    ];
    let quantities = ["cost_per_month", "throughput", "goodput"];
    let of = |quantity: &str, value: &str| format!("{quantity}{{{value}}}");
    let asked = quantities.map(|q| values.map(|v| v.map(|v| of(q, v))));
    let mut asked: Vec<String> = asked.into_iter().flatten().flatten().collect();
    asked.extend(
        quantities
            .iter()
            .flat_map(|q| ["provider=a", "provider=b"].map(|p| of(q, p))),
    );
    let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
    let objectives = json!([{ "metric": "e2e.p50", "at_most": "1s" }]);
    let fault = r#"{ "outage": { "from": "20s", "for": "20s", "answer": "unavailable" } }"#;
    assert!(BY_HAND.contains(fault));
    let calm = of_text(&BY_HAND.replace(fault, ""), &objectives, &asked);
    let outage = by_hand(&objectives, &asked);
    assert!(outage("cost_per_month").is_nan());
    for quantity in quantities {
        let found = |metric: &str| match quantity {
            "cost_per_month" => calm(metric),
            _ => outage(metric),
        };
        let sum = |values: &[&str]| values.iter().map(|v| found(&of(quantity, v))).sum::<f64>();
        near(sum(&values[0]), found(quantity));
        near(sum(&values[1]), found(quantity));
        near(sum(&["provider=a", "provider=b"]), found(quantity));
        // A rate of each window, for its part of the 80 s.
        let windows = values[2].iter().zip([0.25, 0.25, 0.5]);
        near(
            windows.map(|(v, share)| share * found(&of(quantity, v))).sum(),
            found(quantity),
        );
    }
    assert!(outage("goodput") < outage("throughput") && outage("goodput") > 0.0);
}

/// The classes' tallies, the lenses and the whole tally count the same things alike, whatever happens to a request: all figures of
/// a window of everything are those without it, with every mechanism at work.
#[test]
fn a_window_of_everything_is_everything() {
    let mut experiment: Value = serde_json::from_str(include_str!("common/everything.json")).unwrap();
    experiment["plan"]["windows"] = json!({ "all": {} });
    experiment["plan"]["replications"] = json!(2);
    let classes: Vec<String> = experiment["traffic"]["classes"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    let mut metrics = Vec::new();
    // Of dialogues there are tests of their own.
    let of_requests = |quantity: &Quantity| Metric::OF_DIALOGUES.iter().all(|metric| metric.quantity() != *quantity);
    for quantity in Quantity::ALL.into_iter().filter(of_requests) {
        let statistics = match quantity.row().takes {
            Takes::Nothing => vec![Statistic::Whole],
            Takes::Statistic => vec![Statistic::Mean, "e2e.p90".parse::<Metric>().unwrap().statistic()],
            Takes::Outcome => Outcome::ALL.map(Statistic::Outcome).to_vec(),
        };
        metrics.extend(
            statistics
                .into_iter()
                .map(|statistic| Metric::new(quantity, statistic).unwrap()),
        );
    }
    // A plan may ask for 256: of the class, not every outcome.
    let one = metrics.iter().filter(|m| m.row().takes != Takes::Outcome);
    let of_class = one.map(|m| m.clone().within(Key::Class, classes[0].clone()));
    let metrics: Vec<Metric> = metrics.iter().cloned().chain(of_class).collect();
    let asked: Vec<String> = (metrics.iter())
        .flat_map(|m| [m.to_string(), m.clone().within(Key::Window, "all").to_string()])
        .collect();
    let objectives = json!([{ "metric": "e2e.p90", "at_most": "2s" }, { "metric": "tpot.mean", "at_most": "30ms" }]);
    let report = report(&experiment.to_string(), &objectives, &asked);
    let mut told = 0;
    for policy in 0..report.policies.len() {
        for metric in &metrics {
            let whole = figure(&report, policy, &metric.to_string());
            let window = figure(&report, policy, &metric.clone().within(Key::Window, "all").to_string());
            assert!(
                whole == window || whole.is_nan() && window.is_nan(),
                "{metric}: {whole} {window}"
            );
            told += usize::from(whole.is_finite() && whole > 0.0);
        }
    }
    assert!(told > 20 * report.policies.len(), "{told}");
}

/// One server for each request, 20 ms exponential: 1 - exp(-15/20) of 90 a second are answered within 15 ms.
const EXPONENTIAL: &str = r#"{
  "name": "exponential",
  "traffic": {
    "arrivals": { "poisson": { "rate": "90/s" } },
    "classes": { "all": { "input": { "constant": 100 }, "output": { "constant": 50 } } }
  },
  "providers": { "server": {
    "response": { "exponential": { "mean": "20ms" } },
    "prices": { "per_request": { "price": "$0.001" } }
  } },
  "policies": [ { "name": "only", "policy": { "single": { "provider": "server" } } } ],
  "plan": { "duration": "100s", "warmup": "20s", "replications": 10 }
}"#;

/// An objective on any percentile bounds goodput, as one on any other does.
#[test]
fn any_latency_objective_bounds_goodput() {
    let goodput = |metric: &str| {
        let report = report(EXPONENTIAL, &json!([{ "metric": metric, "at_most": "15ms" }]), &[]);
        (figure(&report, 0, "goodput"), figure(&report, 0, "throughput"))
    };
    let p95 = goodput("ttft.p95");
    assert!((p95.0 / p95.1 - 0.527_633_447).abs() < 0.02, "{p95:?}");
    for metric in ["ttft.p90", "ttft.p99.9", "ttft.mean", "e2e.p90", "ttft.p90{class=all}"] {
        assert_eq!(goodput(metric), p95, "{metric}");
    }
    // These are of no request as a whole, or are no latency.
    let report = report(
        &EXPONENTIAL.replace(
            "\"duration\"",
            "\"windows\": { \"late\": { \"from\": \"60s\" } }, \"duration\"",
        ),
        &json!([
            { "metric": "ttft.p90{provider=server}", "at_most": "15ms" },
            { "metric": "ttft.p90{window=late}", "at_most": "15ms" },
            { "metric": "ttft.p90", "at_least": "15ms" },
            { "metric": "error_rate", "at_most": "1%" }
        ]),
        &[],
    );
    assert_eq!(figure(&report, 0, "goodput"), figure(&report, 0, "throughput"));
}

/// Of one scope the loosest bound counts, and of several scopes each.
#[test]
fn objectives_of_a_class_bound_its_own_goodput() {
    let classes = ["chat", "code", "'batch, slow'"];
    let asked = classes.map(|c| [format!("goodput{{class={c}}}"), format!("throughput{{class={c}}}")]);
    let asked: Vec<String> = asked.into_iter().flatten().collect();
    let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
    let good = |objectives: Value| {
        let found = by_hand(&objectives, &asked);
        classes.map(|c| found(&format!("goodput{{class={c}}}")) / found(&format!("throughput{{class={c}}}")))
    };
    let bound = |metric: &str, at_most: &str| json!({ "metric": metric, "at_most": at_most });
    assert_eq!(good(json!([bound("e2e.p95{class=code}", "2s")])), [1.0, 0.0, 1.0]);
    assert_eq!(
        good(json!([bound("e2e.p95{tag.team=search}", "100ms")])),
        [0.0, 1.0, 1.0]
    );
    assert_eq!(good(json!([bound("tpot.p90", "15ms")])), [1.0, 0.0, 1.0]);
    let loosest = [bound("e2e.p50", "1s"), bound("e2e.p99", "3s")];
    assert_eq!(good(json!(loosest)), [1.0, 1.0, 1.0]);
    let both = [
        bound("e2e.p50", "3s"),
        bound("e2e.p99{class=code}", "2s"),
        bound("ttft.mean{class=chat}", "50ms"),
    ];
    assert_eq!(good(json!(both)), [0.0, 0.0, 1.0]);
}

/// Nothing waits where nothing is capped: the wait is 0 and the objective passes, whatever the times to first token are.
#[test]
fn an_objective_is_judged_by_its_own_figure() {
    let report = report(EXPONENTIAL, &json!([{ "metric": "wait.p90", "at_most": "15ms" }]), &[]);
    let judgement = &report.objectives[0];
    assert_eq!((judgement.judged, judgement.estimate.value), (Judged::Pass, 0.0));
    assert!(figure(&report, 0, "ttft.p50") > 0.01);
}

/// Only what is asked for is counted apart.
#[test]
fn what_is_not_asked_for_is_not_counted() {
    let tally = |metrics: Value| {
        let mut experiment: Value = serde_json::from_str(BY_HAND).unwrap();
        experiment["plan"]["metrics"] = metrics;
        let loaded = simcap::experiment::load::from_text("test.json", &experiment.to_string()).unwrap();
        let plan = simcap::experiment::assemble::assemble(&loaded).unwrap();
        simcap::engine::run::run(&plan.scenarios[0], 1, 0, &Control::default()).unwrap()
    };
    let none = tally(json!([
        "ttft.p90",
        "e2e.mean{class=chat}",
        "cost_per_month{tag.team=search}"
    ]));
    assert!(none.lenses.is_empty() && none.classes[0].tpot.is_none());
    let tokens = tally(json!(["tpot.p90"]));
    assert!(tokens.lenses.is_empty() && tokens.classes[0].tpot.is_some());
    let lens = tally(json!([
        "e2e.p50{window=after}",
        "e2e.p99{window=after}",
        "error_rate{window=after}"
    ]));
    assert_eq!(lens.lenses.len(), 1);
    assert_eq!(
        lens.lenses[0].times.each_ref().map(Option::is_some),
        [false, true, false, false, false]
    );
}

#[test]
fn what_is_asked_for_is_in_every_form_of_the_report() {
    let folder = tempfile::tempdir().unwrap();
    let mut experiment: Value = serde_json::from_str(BY_HAND).unwrap();
    experiment["plan"]["metrics"] = json!(["e2e.p99.9{class=chat,window=before}", "tpot.p90", "ttft.mean"]);
    experiment["objectives"] = json!([{ "metric": "share.unavailable{class=chat}", "at_most": "90%" }]);
    experiment["rank_by"] = json!("ttft.p10");
    let other = json!({ "name": "all to b", "policy": { "single": { "provider": "b" } } });
    experiment["policies"].as_array_mut().unwrap().push(other);
    std::fs::write(folder.path().join("x.json"), experiment.to_string()).unwrap();
    let output = simcap(folder.path(), &["run", "x.json", "--full"]);
    assert_eq!(text(&output.stderr), "");
    let printed = text(&output.stdout);
    let read = |name: &str| std::fs::read_to_string(folder.path().join("reports/by-hand").join(name)).unwrap();
    let (result, page): (Value, String) = (serde_json::from_str(&read("result.json")).unwrap(), read("report.html"));
    let metrics = result["policies"][0]["metrics"].as_array().unwrap();
    let names: Vec<&str> = metrics.iter().map(|m| m["metric"].as_str().unwrap()).collect();
    let beyond = [
        "share.unavailable{class=chat}",
        "ttft.p10",
        "e2e.p99.9{class=chat,window=before}",
        "tpot.p90",
    ];
    assert_eq!(names[20..], beyond);
    assert_eq!(names[19], "quality");
    let different = result["comparisons"][0]["differences"].as_array().unwrap();
    assert_eq!(different.len(), names.len());
    for name in beyond {
        let metric: Metric = name.parse().unwrap();
        let in_csv = if name.contains(',') {
            format!("\"{name}\"")
        } else {
            name.to_owned()
        };
        assert!(read("metrics.csv").contains(&format!("by class,{in_csv},")), "{name}");
        assert!(read("differences.csv").contains(&format!(",{in_csv},")), "{name}");
        assert!(printed.contains(&metric.title()), "{name} in:\n{printed}");
        assert!(page.contains(&metric.title()), "{name}");
    }
    // Standard, shown in no table of the terminal but when it is asked for.
    assert!(printed.contains("TTFT mean"));
    assert!(printed.contains("Asked for besides") && page.contains("Asked for besides"));
    let shown = simcap(folder.path(), &["compare", "reports/by-hand/result.json"]);
    assert!(text(&shown.stdout).contains("TPOT p90"), "{}", text(&shown.stderr));
}

#[test]
fn a_class_of_which_many_fail_has_a_percentile_over_all_its_requests() {
    let report = report(BY_HAND, &json!([]), &[]);
    let class = |name: &str| {
        report.policies[0]
            .classes
            .iter()
            .find(|class| class.name == name)
            .unwrap()
    };
    // A quarter of `chat` fails, so that the slowest 5 % of all never got an answer; those that did got it after 0.1 s and 11 tokens.
    let chat = class("chat");
    assert_eq!(chat.ttft_p95_of_all.unwrap().value, f64::INFINITY);
    assert_eq!(chat.e2e_p95_of_all.unwrap().value, f64::INFINITY);
    assert!((chat.ttft_p95.value - 0.1).abs() < 0.001, "{:?}", chat.ttft_p95);
    assert_eq!(class("code").ttft_p95_of_all, None);
}
