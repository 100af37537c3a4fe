//! The gateway's response cache through experiment files: closed forms, what a hit passes by, and where it is told.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use serde_json::{Value, json};
use simcap::engine::replicate::replicate;
use simcap::engine::run::Control;
use simcap::engine::tally::Tally;
use simcap::experiment::assemble::assemble;
use simcap::experiment::load::from_text;
use simcap::report::{Metric, Report};
use simcap::words::Outcome;

use crate::common::command::simcap;
use crate::common::{assert_holds, interval, plan, replications};

/// One request a tenth of a second of one class, to a provider that answers after `response` for a cent.
fn experiment(response: &str, client: Value) -> Value {
    json!({
        "name": "cache",
        "traffic": {
            "arrivals": { "poisson": { "rate": "10/s" } },
            "classes": { "chat": { "input": { "constant": 100 }, "output": { "constant": 10 } } },
        },
        "providers": { "p": {
            "response": { "constant": response }, "prices": { "per_request": { "price": "$0.01" } }, "quality": { "chat": 0.9 },
        } },
        "client": client,
        "policies": [{ "name": "cached", "policy": { "single": { "provider": "p" } } }],
        "plan": { "duration": "20m", "warmup": "5m", "replications": 4 },
    })
}

fn stated(share: f64) -> Value {
    json!({ "hits": { "stated": { "share": share } } })
}

fn tallies(experiment: &Value, n: u64) -> Vec<Tally> {
    replications(&plan(&experiment.to_string()).scenarios[0], 1, n)
}

fn hits(tally: &Tally) -> f64 {
    tally.classes.iter().map(|class| class.hits).sum::<u64>() as f64 / tally.requests() as f64
}

fn report(experiment: &Value) -> Report {
    let loaded = from_text("cache.json", &experiment.to_string()).unwrap_or_else(|e| panic!("{e}"));
    let plan = assemble(&loaded).unwrap_or_else(|e| panic!("{e}"));
    let runs = replicate(&plan.scenarios, plan.seed, plan.replications, &Control::default());
    simcap::decide::report(&loaded, &plan, &runs)
}

fn figure(report: &Report, metric: &str) -> f64 {
    let metric: Metric = metric.parse().unwrap();
    let found = report.policies[0].metrics.iter().find(|m| m.metric == metric);
    found.unwrap_or_else(|| panic!("{metric}")).estimate.value
}

/// The share of hits of 100 prompts by 1/k^0.7 where one that comes x times in a life is found with probability h(x).
fn expected(h: impl Fn(f64) -> f64, calls_in_a_life: f64) -> f64 {
    let weight = |k: u32| libm::pow(f64::from(k), -0.7);
    let all: f64 = (1..=100).map(weight).sum();
    (1..=100)
        .map(|k| weight(k) / all)
        .map(|p| p * h(p * calls_in_a_life))
        .sum()
}

/// Poisson arrivals at rate λ of a prompt and answers that take next to no time: λT/(1 + λT) where a life counts from a write, 1 − e^(−λT)
/// where it counts from the last use; of g gateways with caches of their own each meets λ/g.
#[test]
fn hits_are_as_many_as_the_closed_forms_say() {
    let case = |from: &str, gateways: u32, per_gateway: bool| {
        let store = json!({ "keyed": { "ttl": "20s", "lives_from": from } });
        let client = json!({
            "gateways": gateways, "response_cache": { "hits": store, "per_gateway": per_gateway },
        });
        let mut it = experiment("1us", client);
        it["traffic"]["classes"]["chat"]["prompts"] = json!({ "count": 100, "skew": 0.7 });
        interval(&tallies(&it, 8), hits)
    };
    let written = |x: f64| x / (1.0 + x);
    let renewed = |x: f64| 1.0 - libm::exp(-x);
    assert_holds(
        "from a write",
        &case("last_write", 1, false),
        expected(written, 200.0),
        0.02,
    );
    assert_holds(
        "from the last use",
        &case("last_use", 1, false),
        expected(renewed, 200.0),
        0.02,
    );
    assert_holds(
        "four that share",
        &case("last_write", 4, false),
        expected(written, 200.0),
        0.02,
    );
    assert_holds(
        "four apart",
        &case("last_write", 4, true),
        expected(written, 50.0),
        0.03,
    );
}

/// Equal requests under way all ask the provider: of a single prompt with answers that take D and live for T from the last write, a cycle
/// begins with a miss, λD more miss while it is answered, and the last of these writes D after it came.
#[test]
fn requests_under_way_find_nothing() {
    let client = json!({ "response_cache": { "hits": { "keyed": { "ttl": "20s", "lives_from": "first_write" } } } });
    let mut it = experiment("2s", client);
    it["traffic"]["classes"]["chat"]["prompts"] = json!({ "count": 1 });
    // 1 + 2 × 10 misses, and hits from 2 s to 22 s after the first.
    let theory = 200.0 / (200.0 + 21.0);
    assert_holds("one prompt", &interval(&tallies(&it, 12), hits), theory, 0.02);
}

/// A hit costs nothing, takes the lookup and the gateway's own time, and passes budgets, limiters, breakers and providers by.
#[test]
fn a_hit_passes_everything_by() {
    let client = json!({
        "response_cache": { "hits": { "stated": { "share": 1 } }, "lookup": { "constant": "4ms" } },
        "gateway_time": { "call": { "constant": "6ms" } },
        "limiters": [{ "token_bucket": { "unit": "requests", "rate": "1/h", "burst": 1 } }],
        "max_in_flight": 1,
        "timeouts": { "total": "1m" },
        "admission": { "queue": { "capacity": 1 } },
    });
    let mut it = experiment("50ms", client);
    it["traffic"]["arrivals"] = json!({ "regular": { "rate": "10/s" } });
    it["plan"] = json!({ "duration": "1m", "warmup": "0s", "starts": null });
    it["plan"].as_object_mut().unwrap().remove("starts");
    let tally = &tallies(&it, 1)[0];
    let class = &tally.classes[0];
    // The first is answered 60 ms after it came, before the second comes.
    assert_eq!(
        (tally.requests(), tally.ended(Outcome::Success), tally.attempts()),
        (599, 599, 1)
    );
    assert_eq!((class.hits, class.wrong, class.saved), (598, 0, 598 * 10_000_000_000));
    assert_eq!(tally.cost(), 10_000_000_000);
    assert_eq!(class.e2e.sum(), (60 + 598 * 10) * 1_000_000);
    assert_eq!(class.ttft.sum(), class.e2e.sum(), "the first token comes with the last");
    assert_eq!((class.rated, class.quality), (599, 599 * 900_000));
}

/// A request that has no time for the lookup runs into its own timeout, hit or not.
#[test]
fn a_lookup_that_takes_too_long_is_a_timeout() {
    let client = json!({
        "response_cache": { "hits": { "stated": { "share": 0.5 } }, "lookup": { "constant": "3s" } },
        "timeouts": { "total": "2s" },
    });
    let tally = &tallies(&experiment("50ms", client), 1)[0];
    assert_eq!(tally.ended(Outcome::TimeoutTotal), tally.requests());
    assert_eq!((tally.attempts(), tally.classes[0].hits), (0, 0));
}

#[test]
fn wrong_answers_are_worth_nothing() {
    let mut cache = stated(0.5);
    cache["mode"] = json!("semantic");
    cache["wrong"] = json!(0.1);
    let report = report(&experiment("50ms", json!({ "response_cache": cache })));
    let told = report.policies[0].response_cache.as_ref().unwrap();
    assert!((told.wrong.unwrap().value - 0.1).abs() < 0.01, "{told:?}");
    // 0.9, and nothing of one answer in twenty.
    assert!((figure(&report, "quality") - 0.9 * 0.95).abs() < 0.005);
    assert_eq!(told.age, None, "a stated share knows no ages");
}

/// With a stated half at a cent a request: 10/s × 30 days × $0.01 × ½ saved, and the others paid.
#[test]
fn figures_are_of_hits_of_misses_and_of_all() {
    let mut it = experiment(
        "1s",
        json!({ "response_cache": { "hits": { "stated": { "share": 0.5 } }, "lookup": { "constant": "10ms" } } }),
    );
    it["plan"]["metrics"] = json!([
        "share.cache_hit",
        "share.cache_hit{class=chat}",
        "saved_per_month",
        "e2e.p50{cache=hit}",
        "e2e.mean{cache=miss}",
        "cost_per_1k{cache=miss}",
        "cost_per_1k{cache=hit}",
        "throughput{cache=hit}",
        "attempts_per_request{cache=miss}",
        "error_rate{cache=miss}",
    ]);
    let report = report(&it);
    let near = |metric: &str, value: f64| {
        let found = figure(&report, metric);
        assert!((found - value).abs() <= 0.02 * value, "{metric}: {found} for {value}");
    };
    near("share.cache_hit", 0.5);
    near("share.cache_hit{class=chat}", 0.5);
    near("saved_per_month", 10.0 * 30.0 * 86_400.0 * 0.01 * 0.5);
    near("cost_per_month", 10.0 * 30.0 * 86_400.0 * 0.01 * 0.5);
    near("e2e.p50{cache=hit}", 0.010);
    near("e2e.mean{cache=miss}", 1.010);
    near("e2e.p95{cache=miss}", 1.010);
    near("cost_per_1k{cache=miss}", 10.0);
    near("cost_per_1k{cache=hit}", 0.0);
    near("throughput{cache=hit}", 5.0);
    near("attempts_per_request{cache=miss}", 1.0);
    near("error_rate{cache=miss}", 0.0);
    let said = report
        .warnings
        .iter()
        .find(|w| w.starts_with(simcap::report::OF_HITS))
        .unwrap();
    assert!(
        said.contains("% hits)") && said.contains("E2E p95 1.01 s instead of 1.01 s"),
        "{said}"
    );
    let told = report.policies[0].response_cache.as_ref().unwrap();
    assert!((told.saved_per_month.value - 129_600.0).abs() < 2600.0, "{told:?}");
}

/// Without a cache nothing is said of one.
#[test]
fn nothing_is_told_where_there_is_none() {
    let it = experiment("50ms", json!({}));
    let text = simcap::report::json::to_json(&report(&it));
    assert!(!text.contains("response_cache") && !text.contains("cache="), "{text}");
}

/// What a fallback answers is kept under the fallback: while the group itself fails, its requests find nothing.
#[test]
fn groups_keep_answers_by_the_name_that_gave_them() {
    let down = json!([{ "outage": { "from": "0s", "for": "1h", "answer": "unavailable" } }]);
    let provider = |faults: Value| {
        json!({
            "response": { "constant": "50ms" }, "prices": { "per_request": { "price": "$0.01" } }, "faults": faults,
        })
    };
    let case = |faults: Value, cache: Value, of_group: Value| {
        let mut it = experiment("50ms", json!({ "response_cache": cache }));
        // Without a warm-up, in which the group would be well and give answers.
        it["plan"] = json!({ "duration": "20m", "warmup": "0s" });
        it["providers"] = json!({ "a": provider(faults), "b": provider(json!([])) });
        let mut groups =
            json!({ "chat": { "providers": ["a"], "fallbacks": ["spare"] }, "spare": { "providers": ["b"] } });
        if !of_group.is_null() {
            groups["chat"]["client"] = json!({ "response_cache": of_group["value"] });
        }
        it["policies"] = json!([{ "name": "groups", "policy": { "model_groups": { "groups": groups } } }]);
        tallies(&it, 1).remove(0)
    };
    let well = case(json!([]), stated(0.5), Value::Null);
    assert!((hits(&well) - 0.5).abs() < 0.02);
    let failing = case(down, stated(0.5), Value::Null);
    assert_eq!(
        (hits(&failing), failing.ended(Outcome::Success)),
        (0.0, failing.requests())
    );
    // A group may have a cache of its own, or none.
    let own = case(json!([]), stated(0.5), json!({ "value": stated(0.2) }));
    assert!((hits(&own) - 0.2).abs() < 0.02);
    assert_eq!(hits(&case(json!([]), stated(0.5), json!({ "value": null }))), 0.0);
    let only = case(json!([]), Value::Null, json!({ "value": stated(0.2) }));
    assert!((hits(&only) - 0.2).abs() < 0.02);
}

#[test]
fn what_makes_no_sense_is_refused_at_its_place() {
    let refused = |edit: &dyn Fn(&mut Value)| {
        let mut it = experiment("50ms", json!({ "response_cache": stated(0.5) }));
        edit(&mut it);
        let loaded = from_text("x.json", &it.to_string()).unwrap_or_else(|e| panic!("{e}"));
        let error = assemble(&loaded).unwrap_err();
        (error.path.clone(), error.message.clone())
    };
    let (path, message) = refused(&|it| it["client"]["response_cache"]["wrong"] = json!(0.1));
    assert_eq!(path, "client.response_cache.wrong");
    assert!(
        message.starts_with("an exact cache gives no wrong answers"),
        "{message}"
    );
    let (path, message) = refused(&|it| it["client"]["response_cache"]["hits"] = json!("keyed"));
    assert_eq!(path, "client.response_cache.hits.keyed");
    assert!(
        message.starts_with("no class says which prompts come back"),
        "{message}"
    );
    let (path, message) = refused(&|it| {
        let group = json!({ "providers": ["p"], "targets": { "p": { "response_cache": stated(0.1) } } });
        it["policies"][0]["policy"] = json!({ "model_groups": { "groups": { "chat": group } } });
    });
    assert_eq!(
        path,
        "policies[0].policy.model_groups.groups.chat.targets.p.response_cache"
    );
    assert!(message.contains("give it to the group"), "{message}");
    let (path, message) = refused(&|it| it["plan"]["metrics"] = json!(["e2e.p95{cache=misses}"]));
    assert_eq!(
        (path.as_str(), message.as_str()),
        ("plan.metrics[0]", "there is no value of `cache`: `misses`")
    );
}

#[test]
fn a_story_and_its_row_tell_of_the_cache() {
    let folder = tempfile::tempdir().unwrap();
    let client = json!({ "response_cache": { "hits": { "keyed": { "ttl": "1h" } }, "lookup": { "constant": "5ms" } } });
    let mut it = experiment("1s", client);
    it["traffic"]["classes"]["chat"]["prompts"] = json!({ "count": 1 });
    it["plan"] = json!({ "duration": "1m", "warmup": "0s", "replications": 1 });
    std::fs::write(folder.path().join("cache.json"), it.to_string()).unwrap();
    let run = |arguments: &[&str]| {
        let output = simcap(folder.path(), arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let said = run(&["requests", "cache.json", "--id", "300"]);
    assert!(
        said.contains("the response cache has an answer") && said.contains("r response cache 0.005 s"),
        "{said}"
    );
    assert!(said.contains("nothing paid"), "{said}");
    let missed = run(&["requests", "cache.json", "--id", "0"]);
    assert!(missed.contains("the response cache has no answer for it"), "{missed}");
    run(&["requests", "cache.json", "--export", "rows.csv"]);
    let rows = std::fs::read_to_string(folder.path().join("rows.csv")).unwrap();
    assert!(rows.lines().next().unwrap().ends_with(",cost,response_cache"), "{rows}");
    assert!(
        rows.lines().nth(300).unwrap().ends_with(",0.000000000000,0.005000000"),
        "{rows}"
    );
}
