//! The stories of requests add up to what was counted, in every experiment that can be written; and what `simcap requests` prints and
//! writes of them.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use std::collections::BTreeSet;
use std::path::Path;

use crate::common;
use crate::common::command::{simcap, text};
use crate::common::experiments::experiments;
use proptest::prelude::*;
use serde_json::{Value, json};
use simcap::engine::run::{Control, run, run_watched};
use simcap::engine::scenario::Scenario;
use simcap::engine::story::{Course, Part, Step, Story, Teller, Turn};
use simcap::engine::tally::Tally;
use simcap::engine::watch::Both;
use simcap::experiment::assemble::assemble;
use simcap::experiment::load::from_text;
use simcap::kernel::time::Span;
use simcap::words::{Ask, Outcome};

/// The script that the experiments name.
const SCRIPT: &str = include_str!("common/least.rhai");

/// Every story of one replication, what its breakers did, and its tally.
fn told(scenario: &Scenario, seed: u64) -> (Vec<Story>, Course, Tally) {
    let mut stories = Vec::new();
    let mut listener = |story| {
        stories.push(story);
        true
    };
    let mut course = Course::new(usize::from(scenario.client.gateways), scenario.fleet.len());
    let everyone = |_: &Ask| true;
    let mut teller = Teller::new(&everyone, true, &mut listener);
    let mut both = Both(&mut teller, &mut course);
    let tally = run_watched(scenario, seed, 0, &Control::default(), Some(&mut both)).unwrap();
    (stories, course, tally)
}

/// What one story says of itself.
fn is_whole(story: &Story) -> Result<(), TestCaseError> {
    let mut at = story.arrived;
    for stay in &story.stays {
        prop_assert!(stay.from == at && stay.until > at, "{story:?}");
        at = stay.until;
    }
    prop_assert_eq!(at, story.ended, "{:?}", story);
    let mut parts = Span::ZERO;
    Part::ALL.iter().for_each(|&part| parts += story.time_in(part));
    prop_assert_eq!(parts, story.ended.since(story.arrived));
    let mut cost: u64 = 0;
    for (_, step) in &story.steps {
        if let Step::Looked { cost: of_judge, .. } = step {
            cost += of_judge;
        }
    }
    for attempt in &story.attempts {
        let (queue, prefill, decode) = attempt.parts();
        if let (Some(sent), Some(ended)) = (attempt.sent, attempt.ended) {
            prop_assert!(
                attempt.made <= sent && sent <= attempt.over && attempt.over <= story.ended,
                "{story:?}"
            );
            prop_assert_eq!(queue + prefill + decode, attempt.over.since(sent));
            prop_assert_eq!(attempt.over.since(sent), ended.took);
            cost += ended.cost;
        }
        let over = story.steps.iter().filter(
            |(_, step)| matches!(step, Step::Over(i) if story.attempts[*i].sending.number == attempt.sending.number),
        );
        prop_assert!(over.count() >= 1, "{story:?}");
    }
    prop_assert_eq!(cost, story.ending.cost, "{:?}", story);
    if !story.attempts.iter().any(|a| a.sending.hedge) && !story.arrival.shadow {
        let waits = story.time_in(Part::HeldBack) + story.time_in(Part::Queued) + story.time_in(Part::InLine);
        prop_assert_eq!(waits, story.ending.waited, "{:?}", story);
    }
    Ok(())
}

/// What the stories come to, against what was counted.
fn add_up(stories: &[Story], tally: &Tally, scenario: &Scenario) -> Result<(), TestCaseError> {
    let counted = |story: &&Story| story.ending.arrived >= scenario.window.warmup;
    let served = || stories.iter().filter(|s| !s.arrival.shadow);
    let numbers: BTreeSet<u64> = served().map(|story| story.ending.ask.id).collect();
    prop_assert_eq!(numbers.len(), served().count(), "a request that ends twice");
    for (c, class) in tally.classes.iter().enumerate() {
        let own = || {
            served()
                .filter(counted)
                .filter(|s| usize::from(s.ending.ask.class) == c)
        };
        for outcome in Outcome::ALL {
            let ended = own().filter(|s| s.ending.outcome == outcome).count() as u64;
            prop_assert_eq!(ended, class.outcomes[outcome.index()], "{:?}", outcome);
        }
        prop_assert_eq!(own().map(|s| u128::from(s.ending.cost)).sum::<u128>(), class.cost);
        let good = || own().filter(|s| s.ending.outcome == Outcome::Success);
        let e2e: u128 = good().map(|s| u128::from(s.ended.since(s.arrived).nanos())).sum();
        let ttft: u128 = good().map(|s| u128::from(s.ending.ttft.nanos())).sum();
        prop_assert_eq!((e2e, ttft), (class.e2e.sum(), class.ttft.sum()));
    }
    for (p, provider) in tally.providers.iter().enumerate() {
        let all = || stories.iter().filter(counted).flat_map(|s| &s.attempts);
        let own = || all().filter(|a| a.sending.provider == p).filter_map(|a| a.ended);
        prop_assert_eq!(own().map(|ended| u128::from(ended.cost)).sum::<u128>(), provider.cost);
        for outcome in Outcome::ALL {
            let ended = own().filter(|ended| ended.outcome == outcome).count() as u64;
            prop_assert_eq!(ended, provider.outcomes[outcome.index()], "{:?}", outcome);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn stories_are_whole_and_add_up(experiment in experiments(), seed in any::<u64>()) {
        let text = experiment.to_string();
        let mut loaded = from_text("case.json", &text).map_err(|e| TestCaseError::fail(e.to_string()))?;
        loaded.add_script("least.rhai", SCRIPT).map_err(|e| TestCaseError::fail(e.to_string()))?;
        let plan = assemble(&loaded).map_err(|e| TestCaseError::fail(e.to_string()))?;
        for scenario in &plan.scenarios {
            let (stories, course, tally) = told(scenario, seed);
            prop_assert!(Ok(&tally) == run(scenario, seed, 0, &Control::default()).as_ref(), "a watcher changes nothing");
            stories.iter().try_for_each(is_whole)?;
            add_up(&stories, &tally, scenario)?;
            // A breaker may open several times at one moment, which is one change.
            for (p, provider) in tally.providers.iter().enumerate() {
                let opened = course.happenings.iter().filter(|h| h.provider == p && h.turn == Turn::Opened);
                prop_assert!(opened.count() as u64 <= provider.trips);
            }
        }
    }
}

/// Openings are as many and as long as the breakers themselves count.
#[test]
fn the_course_of_breakers_is_what_they_count() {
    let plan = common::plan(include_str!("common/everything.json"));
    for scenario in &plan.scenarios {
        let (_, course, tally) = told(scenario, 1);
        let window = scenario.window;
        for (p, provider) in tally.providers.iter().enumerate() {
            let own: Vec<_> = course.happenings.iter().filter(|h| h.provider == p).collect();
            let opened = own.iter().filter(|h| h.turn == Turn::Opened && h.at >= window.warmup);
            assert_eq!(opened.count() as u64, provider.trips, "{} at {p}", scenario.name);
            let mut open = 0;
            for (i, happening) in own.iter().enumerate().filter(|(_, h)| h.turn == Turn::Opened) {
                let next = own[i + 1..].iter().find(|h| h.turn == Turn::Returned);
                let until = next.map_or(window.end, |h| h.at).min(window.end);
                open += until.since(happening.at.max(window.warmup)).nanos();
            }
            let counted = tally
                .bounds
                .iter()
                .find(|b| b.provider == Some(p) && b.what == simcap::words::BoundKind::Breaker);
            assert_eq!(u128::from(open), counted.unwrap().time, "{} at {p}", scenario.name);
        }
    }
}

/// By hand: the first attempt goes to a provider that is out and answers after 20 ms, the retry a second later to the other, which
/// takes its first token after 400 ms and the other 49 after 980 ms: 20 + 1,000 + 400 + 980 = 2.4 s.
fn retried() -> Value {
    json!({
        "name": "retried",
        "traffic": {
            "arrivals": { "regular": { "rate": "0.1/s" } },
            "classes": { "chat": { "input": { "constant": 1000 }, "output": { "constant": 50 } } },
        },
        "providers": {
            "out": {
                "response": { "constant": "1s" }, "network": "20ms",
                "faults": [{ "outage": { "from": "0s", "for": "25s", "answer": "unavailable" } }],
                "prices": { "per_token": { "input": "$1/Mtok", "output": "$2/Mtok" } },
            },
            "up": {
                "ttft": { "constant": "400ms" }, "tps": { "constant": 50 },
                "prices": { "per_token": { "input": "$2/Mtok", "output": "$10/Mtok" } },
            },
        },
        "client": {
            "timeouts": { "total": "30s" },
            "retry": { "fixed": { "tries": 3, "wait": "1s" } },
            "breaker": { "consecutive": { "failures": 2, "open_for": "12s" } },
        },
        "policies": [
            { "name": "turns", "policy": "round_robin" },
            { "name": "up-only", "policy": { "single": { "provider": "up" } } },
        ],
        "plan": { "duration": "60s", "warmup": "0s", "replications": 2 },
    })
}

fn asked(experiment: &Value, arguments: &[&str]) -> (String, String, Option<i32>) {
    let folder = tempfile::tempdir().unwrap();
    in_folder(folder.path(), experiment, arguments)
}

fn in_folder(folder: &Path, experiment: &Value, arguments: &[&str]) -> (String, String, Option<i32>) {
    std::fs::write(folder.join("case.json"), experiment.to_string()).unwrap();
    let output = simcap(folder, &[&["requests", "case.json"], arguments].concat());
    (text(&output.stdout), text(&output.stderr), output.status.code())
}

#[test]
fn a_story_on_the_terminal() {
    let (story, notes, code) = asked(&retried(), &["--id", "0", "--policy", "turns"]);
    assert_eq!((notes.as_str(), code), ("", Some(0)));
    insta::assert_snapshot!(story, @r"
request 0 under turns (round_robin), replication 0
  policy   Each provider in turn.
  asks     class chat, 1,000 tokens in, 50 out; arrives at 00:00:10.000; has 30 s in all
  end      success after 2.400 s, first token after 1.420 s; $0.0025
  time     █ provider 1.400 s (58.3 %), · back-off 1.000 s (41.7 %)
           ·························███████████████████████████████████

    0.000 s   is let in
    0.000 s   round_robin chooses out
              saw  out: 0 under way; up: 0 under way
    0.000 s   attempt 1 goes to out
    0.020 s   attempt 1 ends: unavailable (a fault struck it)
    0.020 s   tries again after 1s
    1.020 s   round_robin chooses up
              saw  up: 0 under way; out: 0 under way
    1.020 s   attempt 2 goes to up
    2.400 s   attempt 2 ends: success, first token after 400ms
    2.400 s   ends: success

  #  provider  outcome      conn.  queue     TTFT   decode     in  out     cost
  1  out       unavailable      –      –        –        –      0    0        –
  2  up        success          –      –  0.400 s  0.980 s  1,000   50  $0.0025
  together $0.0025
");
}

#[test]
fn a_number_is_told_of_under_every_policy_and_the_same_on_any_number_of_threads() {
    let (one, _, _) = asked(&retried(), &["--id", "3", "--json", "--threads", "1"]);
    let (many, _, _) = asked(&retried(), &["--id", "3", "--json", "--threads", "5"]);
    assert_eq!(one, many);
    let stories: Value = serde_json::from_str(&one).unwrap();
    let policies: Vec<&str> = stories
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["policy"].as_str().unwrap())
        .collect();
    assert_eq!(policies, ["turns", "up-only"]);
    assert_eq!(stories[0]["arrived"], stories[1]["arrived"]);
}

#[test]
fn a_trace_parses_and_its_spans_nest() {
    let folder = tempfile::tempdir().unwrap();
    let (_, _, code) = in_folder(folder.path(), &retried(), &["--worst", "3", "--perfetto", "trace.json"]);
    assert_eq!(code, Some(0));
    let trace: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.path().join("trace.json")).unwrap()).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    let spans: Vec<(u64, u64, f64, f64)> = (events.iter().filter(|e| e["ph"] == "X"))
        .map(|e| {
            let (from, lasts) = (e["ts"].as_f64().unwrap(), e["dur"].as_f64().unwrap());
            (
                e["pid"].as_u64().unwrap(),
                e["tid"].as_u64().unwrap(),
                from,
                from + lasts,
            )
        })
        .collect();
    assert!(spans.len() > 9, "{spans:?}");
    // A nanosecond is a thousandth here.
    let before = |a: f64, b: f64| a <= b + 1e-4;
    for (i, a) in spans.iter().enumerate() {
        for b in spans[..i].iter().filter(|b| (a.0, a.1) == (b.0, b.1)) {
            let apart = before(a.3, b.2) || before(b.3, a.2);
            let inside = before(b.2, a.2) && before(a.3, b.3) || before(a.2, b.2) && before(b.3, a.3);
            assert!(apart || inside, "{a:?} {b:?}");
        }
    }
}

/// The rows of a CSV file as its header names their cells.
fn rows(file: &Path) -> Vec<std::collections::BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(file).unwrap();
    reader.deserialize().map(Result::unwrap).collect()
}

/// An amount with twelve decimals, in millionths of a millionth.
fn pico(amount: &str) -> u128 {
    amount.replace('.', "").parse().unwrap()
}

/// Of a try that the budget of retries denies the story says so: without it a request ends after one attempt for no reason.
#[test]
fn a_try_that_the_budget_denies_is_told() {
    let mut experiment = retried();
    experiment["client"]["retry_budget"] = json!({ "envoy": { "budget_percent": "0%", "min_retry_concurrency": 0 } });
    let (story, _, code) = asked(
        &experiment,
        &["--outcome", "unavailable", "--first", "1", "--policy", "turns"],
    );
    assert_eq!(code, Some(0));
    assert!(
        story.contains("the budget of retries is spent: it may not try again"),
        "{story}"
    );
}

/// Beside a provider that could not take an attempt stands why: which of its group, a budget or an earlier attempt.
#[test]
fn why_a_provider_could_not_take_an_attempt_is_told() {
    let mut experiment = retried();
    experiment["client"]["retry"]["fixed"]["where"] = json!("elsewhere");
    experiment["client"]["fallback"] =
        json!({ "groups": [{ "providers": ["out", "up"] }, { "providers": ["third"] }] });
    experiment["providers"]["third"] = experiment["providers"]["up"].clone();
    let (stories, _, code) = asked(&experiment, &["--id", "0", "--policy", "turns", "--json"]);
    assert_eq!(code, Some(0));
    let stories: Value = serde_json::from_str(&stories).unwrap();
    let steps = stories[0]["steps"].as_array().unwrap();
    let choices = steps.iter().filter(|step| step["what"] == "choice");
    let why: Vec<Vec<&Value>> = choices
        .map(|step| {
            step["seen"]
                .as_array()
                .unwrap()
                .iter()
                .map(|seen| &seen["left_out"])
                .collect()
        })
        .collect();
    let (none, group, failed) = (&Value::Null, &json!("not in its group"), &json!("has just failed it"));
    assert_eq!(why, [[none, group, none], [failed, group, none]], "{steps:?}");
}

/// Which stream, which of its user's requests and which tags: what bills by team and by conversation are added up from.
#[test]
fn rows_say_the_stream_the_turn_and_the_tags() {
    let folder = tempfile::tempdir().unwrap();
    let mut experiment = retried();
    let classes = experiment["traffic"]["classes"].take();
    experiment["traffic"] = json!({
        "classes": classes,
        "tags": { "team": { "search": 1 } },
        "streams": {
            "batch": { "arrivals": { "regular": { "rate": "0.1/s" } } },
            "people": { "arrivals": { "closed_loop": { "users": 2, "think": { "constant": "5s" } } } },
        },
    });
    let (_, errors, code) = in_folder(folder.path(), &experiment, &["--export", "r.csv"]);
    assert_eq!((errors.as_str(), code), ("", Some(0)));
    let found = rows(&folder.path().join("r.csv"));
    assert!(found.iter().all(|row| row["tags"] == "team=search"));
    let turns = |stream: &str| -> BTreeSet<String> {
        let own = found.iter().filter(|row| row["stream"] == stream);
        own.map(|row| row["turn"].clone()).collect()
    };
    assert_eq!(turns("batch"), [String::new()].into());
    let people = turns("people");
    assert!(
        people.len() > 2 && (0..people.len()).all(|turn| people.contains(&turn.to_string())),
        "{people:?}"
    );
}

#[test]
fn rows_add_up_to_what_was_billed_and_samples_are_the_same_under_every_policy() {
    let folder = tempfile::tempdir().unwrap();
    let all = ["--export", "r.csv", "--attempts", "a.csv", "--events", "e.csv"];
    let (_, errors, code) = in_folder(folder.path(), &retried(), &all);
    assert_eq!((errors.as_str(), code), ("", Some(0)));
    let (requests, attempts) = (rows(&folder.path().join("r.csv")), rows(&folder.path().join("a.csv")));
    let plan = common::plan(&retried().to_string());
    let mut billed = 0;
    let mut ended = 0;
    for scenario in &plan.scenarios {
        for replication in 0..2 {
            let tally = run(scenario, plan.seed, replication, &Control::default()).unwrap();
            billed += tally.providers.iter().map(|p| p.cost).sum::<u128>();
            ended += tally.requests();
        }
    }
    assert_eq!(requests.len() as u64, ended);
    assert!(billed > 0);
    assert_eq!(attempts.iter().map(|row| pico(&row["cost"])).sum::<u128>(), billed);
    assert_eq!(requests.iter().map(|row| pico(&row["cost"])).sum::<u128>(), billed);
    let parts = ["held_back", "queued", "connection", "at_provider", "back_off", "judged"];
    for row in &requests {
        let nanos = |cell: &str| row[cell].replace('.', "").parse::<u64>().unwrap();
        assert_eq!(
            parts.iter().map(|part| nanos(part)).sum::<u64>(),
            nanos("e2e"),
            "{row:?}"
        );
    }
    let events = rows(&folder.path().join("e.csv"));
    let first: Vec<(&str, &str)> = (events
        .iter()
        .filter(|e| e["policy"] == "turns" && e["replication"] == "0"))
    .map(|e| (e["event"].as_str(), e["at"].as_str()))
    .collect();
    assert_eq!(
        first[..3],
        [
            ("incident_began", "0.000000000"),
            ("ejected", "20.020000000"),
            ("breaker_opened", "20.020000000")
        ]
    );

    let half = ["--export", "r.csv", "--sample", "50%"];
    in_folder(folder.path(), &retried(), &half);
    let sampled = rows(&folder.path().join("r.csv"));
    assert!(sampled.len() < requests.len());
    let of = |policy: &str| -> BTreeSet<(String, String)> {
        let own = sampled.iter().filter(|row| row["policy"] == policy);
        own.map(|row| (row["replication"].clone(), row["request"].clone()))
            .collect()
    };
    assert_eq!(of("turns"), of("up-only"));
}

#[test]
fn hostile_names_are_text() {
    let mut experiment = retried();
    let (formula, escape) = ("=HYPERLINK(\"x\")", "\u{1b}[31m<script>\u{202e}");
    experiment["policies"][0]["name"] = json!(escape);
    experiment["providers"] = json!({ formula: experiment["providers"]["up"], "out": experiment["providers"]["out"] });
    experiment["policies"][1]["policy"] = json!({ "single": { "provider": formula } });
    let folder = tempfile::tempdir().unwrap();
    let (story, notes, code) = in_folder(
        folder.path(),
        &experiment,
        &["--worst", "2", "--attempts", "a.csv", "--perfetto", "t.json"],
    );
    assert_eq!(code, Some(0), "{notes}");
    for c in ['\u{1b}', '\u{202e}'] {
        assert!(!story.contains(c) && !notes.contains(c), "{story:?} {notes:?}");
    }
    let attempts = rows(&folder.path().join("a.csv"));
    assert!(attempts.iter().any(|row| row["provider"] == format!("'{formula}")));
    assert!(attempts.iter().all(|row| !row["provider"].starts_with('=')));
    let trace: Value = serde_json::from_str(&std::fs::read_to_string(folder.path().join("t.json")).unwrap()).unwrap();
    assert!(trace["traceEvents"].as_array().unwrap().len() > 9);
}

#[test]
fn what_cannot_be_told_says_what_there_is() {
    let refusals: [&[&str]; 6] = [
        &["--policy", "turn"],
        &["--outcome", "timeout"],
        &["--class", "chats"],
        &["--id", "6"],
        &["--replication", "2"],
        &["--sample", "1%"],
    ];
    let said = refusals.map(|arguments| {
        let (_, errors, code) = asked(&retried(), arguments);
        assert_eq!(code, Some(2), "{arguments:?}");
        errors
    });
    let expected = [
        "error: --policy: there is no policy `turn`; there are: turns, up-only\n",
        "error: --outcome: there is no outcome `timeout`; there are: success, ",
        "error: --class: there is no class `chats`; there are: chat\n",
        "error: under `turns` there is no request 6: it has 5 arrivals, ",
        "error: replication 2: case.json has 2, from 0 to 1\n",
        "error: --sample is for the rows of --export and --attempts, and neither is given\n",
    ];
    for (said, expected) in said.iter().zip(expected) {
        assert!(said.starts_with(expected), "{said}");
    }
}

/// The worst by the whole time, by the first token, and those of an outcome, against the same asked of all stories.
#[test]
fn what_is_found_is_what_all_stories_say() {
    let folder = tempfile::tempdir().unwrap();
    let everything: Value = serde_json::from_str(include_str!("common/everything.json")).unwrap();
    let plan = common::plan(&everything.to_string());
    let (stories, _, _) = told(&plan.scenarios[1], plan.seed);
    let mut counted: Vec<&Story> = stories
        .iter()
        .filter(|s| s.ending.arrived >= plan.scenarios[1].window.warmup)
        .collect();
    let ids = |arguments: &[&str]| -> Vec<u64> {
        let (json, _, code) = in_folder(
            folder.path(),
            &everything,
            &[&["--policy", "mix", "--json"], arguments].concat(),
        );
        assert_eq!(code, Some(0));
        let told: Value = serde_json::from_str(&json).unwrap();
        told.as_array()
            .unwrap()
            .iter()
            .map(|s| s["id"].as_u64().unwrap())
            .collect()
    };
    let timed_out = counted.iter().filter(|s| s.ending.outcome == Outcome::TimeoutTotal);
    let first: Vec<u64> = timed_out.map(|s| s.ending.ask.id).take(10).collect();
    assert_eq!(ids(&["--outcome", "timeout_total"]), first);
    // One that failed takes for ever.
    counted.sort_by_key(|s| std::cmp::Reverse((s.ending.outcome != Outcome::Success, s.ended.since(s.arrived))));
    let worst: Vec<u64> = counted.iter().map(|s| s.ending.ask.id).take(7).collect();
    assert_eq!(ids(&["--worst", "7"]), worst);
    let answered = counted.iter().filter(|s| s.ending.outcome == Outcome::Success);
    let slowest: Vec<u64> = answered.map(|s| s.ending.ask.id).take(7).collect();
    assert_eq!(ids(&["--worst", "7", "--outcome", "success"]), slowest);
    assert_ne!(worst, slowest);
}

/// Of policies that go by a figure: what it is called, and whether the least of it is chosen.
#[test]
fn what_a_policy_went_by_names_the_one_that_it_chose() {
    let kinds = [
        (json!({ "p2c": {} }), "load, of the two drawn", true),
        (json!({ "cost_based": {} }), "a million tokens in and as many out", true),
        (json!({ "kong_usage": {} }), "used so far", true),
        (json!({ "ucb": {} }), "upper bound of the mean reward", false),
        (json!({ "thompson": {} }), "reward drawn", false),
    ];
    let provider = |price: &str, ttft: &str| {
        json!({ "ttft": { "constant": ttft }, "tps": { "constant": 50 }, "quality": { "all": 0.9 },
                "prices": { "per_token": { "input": price, "output": price } } })
    };
    for (policy, what, least) in kinds {
        let experiment = json!({
            "name": "grounds",
            "traffic": { "arrivals": { "poisson": { "rate": "5/s" } },
                         "classes": { "all": { "input": { "constant": 10 }, "output": { "constant": 20 } } } },
            "providers": { "a": provider("$3/Mtok", "100ms"), "b": provider("$1/Mtok", "300ms"), "c": provider("$2/Mtok", "1s") },
            "policies": [ { "name": "only", "policy": policy } ],
            "plan": { "duration": "60s", "replications": 1, "warmup": "0s" }
        });
        let loaded = from_text("grounds.json", &experiment.to_string()).unwrap();
        let plan = assemble(&loaded).unwrap();
        let (stories, _, _) = told(&plan.scenarios[0], 1);
        let mut choices = 0;
        for choice in stories.iter().flat_map(|story| &story.choices) {
            let of: Vec<_> = choice.grounds.iter().filter(|ground| ground.what == what).collect();
            let Some((chosen, _)) = choice.chosen else { continue };
            let Some(own) = of.iter().find(|ground| ground.provider == chosen) else {
                assert!(of.is_empty(), "{what}: nothing of the one that was chosen: {of:?}");
                continue;
            };
            choices += 1;
            let is_best = |other: f64| if least { own.value <= other } else { own.value >= other };
            assert!(
                of.iter().all(|ground| is_best(ground.value)),
                "{what}: {chosen} of {of:?}"
            );
        }
        assert!(choices > 100, "{what}: {choices} choices");
    }
}
