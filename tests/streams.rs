//! Traffic of several streams: what each sends does not hang on the others, and what they send together is what theory says of their
//! sum.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]
#![allow(clippy::disallowed_methods, reason = "a theory's last digit does not matter")]

use std::collections::BTreeMap;

use crate::common::{assert_holds, interval, plan, replications};
use serde_json::{Value, json};
use simcap::engine::scenario::Scenario;
use simcap::engine::tally::Tally;
use simcap::kernel::chance::Chance;
use simcap::kernel::time::{Span, Time};
use simcap::stats::histogram::Histogram;
use simcap::traffic::Source;
use simcap::words::Ask;

/// An experiment of these streams and classes.
fn with(streams: &Value, classes: &Value, rest: &Value) -> Value {
    let mut whole = json!({
        "name": "streams",
        "traffic": { "streams": streams, "classes": classes },
        "providers": { "server": { "response": { "exponential": { "mean": "50ms" } }, "prices": { "per_request": { "price": "$0.001" } } } },
        "policies": [ { "name": "only", "policy": { "single": { "provider": "server" } } } ],
        "plan": { "duration": "100s", "warmup": "0s" }
    });
    for (name, value) in rest.as_object().unwrap() {
        whole[name] = value.clone();
    }
    whole
}

fn refused(experiment: &Value) -> String {
    let loaded = simcap::experiment::load::from_text("s.json", &experiment.to_string());
    let plan = loaded.and_then(|loaded| Ok(simcap::experiment::assemble::assemble(&loaded)?));
    plan.err().map(|error| error.to_string()).unwrap_or_default()
}

fn class() -> Value {
    json!({ "input": { "uniform": { "min": 1, "max": 2000 } }, "output": { "uniform": { "min": 1, "max": 500 } } })
}

fn shared(share: u32) -> Value {
    let mut class = class();
    class["share"] = json!(share);
    class
}

/// The streams of a search team, a chat team and a batch job, and two classes.
fn teams() -> (Value, Value) {
    let streams = json!({
        "search": { "arrivals": { "poisson": { "rate": "20/s" } }, "users": { "count": 50, "skew": 1 }, "tags": { "plan": "paid" } },
        "chat": { "arrivals": { "gamma": { "rate": "30/s", "cv": 2 } }, "classes": { "long": 1 }, "tags": { "plan": { "free": 3, "paid": 1 } } },
        "job": { "arrivals": { "batch": { "size": 40, "every": "10s" } }, "users": { "count": 7 }, "tags": { "plan": "paid" } }
    });
    (streams, json!({ "short": shared(3), "long": shared(1) }))
}

/// The requests of the first minute with their times, by stream.
fn requests(scenario: &Scenario) -> BTreeMap<String, Vec<(Time, Ask)>> {
    let chance = Chance::new(5, 1);
    let mut source = Source::new(&scenario.traffic, chance, chance.surroundings(4));
    let names = &scenario.traffic.tags.as_ref().unwrap().named[0];
    assert_eq!(names.name, "stream");
    let (mut all, mut ask, mut before) = (BTreeMap::<String, Vec<(Time, Ask)>>::new(), Ask::default(), Time::ZERO);
    while let Some(at) = source
        .next(&mut ask)
        .filter(|&at| at < Time::ZERO + Span::from_secs(60))
    {
        assert!(at >= before, "in order of time");
        before = at;
        let name = &names.values[names.of(ask.tags) as usize];
        all.entry(name.clone()).or_default().push((at, ask));
    }
    all
}

/// Without the number of the stream, of which tags and users are counted on.
fn plain(of: &[(Time, Ask)], scenario: &Scenario) -> Vec<(Time, Ask, String)> {
    let tags = &scenario.traffic.tags.as_ref().unwrap().named;
    let plan = tags.iter().find(|tag| tag.name == "plan").unwrap();
    let first = of.iter().map(|(_, ask)| ask.user).min().unwrap();
    let one = |&(at, ask): &(Time, Ask)| {
        let value = plan.values[plan.of(ask.tags) as usize].clone();
        let user = ask.user - first;
        (at, Ask { user, tags: 0, ..ask }, value)
    };
    of.iter().map(one).collect()
}

#[test]
fn a_stream_sends_the_same_whatever_stands_beside_it() {
    let (streams, classes) = teams();
    let whole = plan(&with(&streams, &classes, &json!({})).to_string());
    let all = requests(&whole.scenarios[0]);
    assert_eq!(all.len(), 3);
    for left_out in ["search", "chat", "job"] {
        let mut others = streams.as_object().unwrap().clone();
        others.remove(left_out);
        // And in another order.
        let others: Value = Value::Object(others.into_iter().rev().collect());
        let less = plan(&with(&others, &classes, &json!({})).to_string());
        let some = requests(&less.scenarios[0]);
        assert_eq!(some.len(), 2);
        for (name, of) in &some {
            assert_eq!(
                plain(of, &less.scenarios[0]),
                plain(&all[name], &whole.scenarios[0]),
                "{name} without {left_out}"
            );
        }
    }
}

/// A provider without load answers each request as it would have without the others: what is drawn there is the request's own.
#[test]
fn answers_of_a_stream_are_the_same_whatever_stands_beside_it() {
    let (streams, classes) = teams();
    let measured = json!({ "plan": { "duration": "100s", "warmup": "0s", "metrics": [ "e2e.p50{tag.stream=search}", "cost_per_1k{tag.stream=search}" ] } });
    let of = |streams: &Value| {
        let plan = plan(&with(streams, &classes, &measured).to_string());
        let tally = replications(&plan.scenarios[0], 3, 1).remove(0);
        assert_eq!(tally.lenses.len(), 1);
        tally.lenses[0].clone()
    };
    let alone = of(&json!({ "search": streams["search"] }));
    let beside = of(&json!({ "job": streams["job"], "search": streams["search"] }));
    assert!(alone.outcomes.iter().sum::<u64>() > 1500);
    assert_eq!(alone.outcomes, beside.outcomes);
    assert_eq!((alone.times, alone.cost), (beside.times, beside.cost));
}

/// Users are others in each stream, and a tag that is drawn belongs to the user.
#[test]
fn users_and_tags_are_the_streams_own() {
    let (mut streams, classes) = teams();
    streams["job"]["tags"] = json!({ "plan": { "free": 1, "paid": 1 } });
    let plan = plan(&with(&streams, &classes, &json!({})).to_string());
    let scenario = &plan.scenarios[0];
    assert_eq!(scenario.traffic.users, Some(58));
    let all = requests(scenario);
    let users = |name: &str| all[name].iter().map(|(_, ask)| ask.user);
    // Beside streams with users, one without is a single user, so that what remembers users has room for all.
    assert!(users("chat").all(|user| user == 0));
    assert!(users("job").all(|user| (1..8).contains(&user)));
    assert!(users("search").all(|user| (8..58).contains(&user)));
    let mut of_user = BTreeMap::new();
    for (_, ask) in &all["job"] {
        assert_eq!(
            *of_user.entry(ask.user).or_insert(ask.tags),
            ask.tags,
            "user {}",
            ask.user
        );
    }
    let different: std::collections::BTreeSet<_> = of_user.values().collect();
    assert_eq!(
        different.len(),
        2,
        "of seven users each plan has some, but for 2 in 128 times"
    );
    let class = |ask: &Ask| scenario.traffic.classes[usize::from(ask.class)].name.as_str();
    assert!(
        all["chat"].iter().all(|(_, ask)| class(ask) == "long"),
        "its own classes"
    );
    // Three of four are free: of 1,800 requests the share has a standard deviation of 0.01.
    let tag = &scenario.traffic.tags.as_ref().unwrap().named[1];
    let free = tag.values.iter().position(|value| value == "free").unwrap() as u32;
    let is_free = all["chat"].iter().filter(|(_, ask)| tag.of(ask.tags) == free).count();
    let share = is_free as f64 / all["chat"].len() as f64;
    assert!((share - 0.75).abs() < 0.04, "{share}");
}

/// 20 and 50 Poisson arrivals a second: counts of 100 s have the means and the variances 2,000 and 5,000, and are independent. Of 400
/// replications a mean is known to √(2000/400) = 2.2 and √(5000/400) = 3.5, a variance to √(2/400) = 7 % and a correlation to 0.05.
#[test]
fn counts_of_each_stream_are_its_own_poissons() {
    let stream = |rate: &str| json!({ "arrivals": { "poisson": { "rate": rate } } });
    let streams = json!({ "a": stream("20/s"), "b": stream("50/s") });
    let metrics = json!(["cost_per_1k{tag.stream=a}", "cost_per_1k{tag.stream=b}"]);
    let rest = json!({ "plan": { "duration": "100s", "warmup": "0s", "metrics": metrics } });
    let plan = plan(&with(&streams, &json!({ "all": class() }), &rest).to_string());
    let runs = replications(&plan.scenarios[0], 9, 400);
    let counts = |lens: usize| -> Vec<f64> {
        let count = |tally: &Tally| tally.lenses[lens].outcomes.iter().sum::<u64>() as f64;
        runs.iter().map(count).collect()
    };
    let (a, b) = (counts(0), counts(1));
    let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
    let covariance = |a: &[f64], b: &[f64]| {
        let (ma, mb) = (mean(a), mean(b));
        a.iter().zip(b).map(|(x, y)| (x - ma) * (y - mb)).sum::<f64>() / (a.len() - 1) as f64
    };
    for (of, rate) in [(&a, 2000.0), (&b, 5000.0)] {
        let error = (rate / 400.0_f64).sqrt();
        assert!((mean(of) - rate).abs() < 3.5 * error, "{} for {rate}", mean(of));
        assert!((covariance(of, of) / rate - 1.0).abs() < 0.25, "{}", covariance(of, of));
    }
    let correlation = covariance(&a, &b) / (covariance(&a, &a) * covariance(&b, &b)).sqrt();
    assert!(correlation.abs() < 0.175, "{correlation}");
}

fn wait(tally: &Tally) -> f64 {
    let waits: Vec<&Histogram> = tally.classes.iter().map(|class| &class.wait).collect();
    let count: u64 = waits.iter().map(|wait| wait.count()).sum();
    let sum: f64 = waits
        .iter()
        .filter_map(|wait| Some(wait.mean()?.seconds() * wait.count() as f64))
        .sum();
    sum / count as f64
}

/// Three Poisson streams of 40, 30 and 20 a second are one of 90: at five servers of 50 ms (M/M/5, ρ = 0.9) the mean wait is C / (cμ − λ)
/// with Erlang's C(5, 4.5) = 0.762.
#[test]
fn the_sum_of_poisson_streams_waits_as_one_poisson_process() {
    let stream =
        |rate: &str, class: &str| json!({ "arrivals": { "poisson": { "rate": rate } }, "classes": { class: 1 } });
    let streams = json!({ "a": stream("40/s", "x"), "b": stream("30/s", "y"), "c": stream("20/s", "x") });
    let rest = json!({
        "client": { "max_in_flight": 5, "admission": "queue" },
        "plan": { "duration": "8000s", "warmup": "1000s" }
    });
    let plan = plan(&with(&streams, &json!({ "x": class(), "y": class() }), &rest).to_string());
    let runs = replications(&plan.scenarios[0], 11, 20);
    let b = (1..=5).fold(1.0, |b, k| 4.5 * b / (f64::from(k) + 4.5 * b));
    let c = b / (1.0 - 0.9 * (1.0 - b));
    assert_holds("mean wait", &interval(&runs, wait), c / 10.0, 0.05);
}

/// Open arrivals of 12 a second beside ten users who think for a second, at one exponential server of 25 ms. In the product form of
/// mixed networks (Baskett, Chandy, Muntz and Palacios 1975) users meet a server of 25 ms / (1 − 0.3), and open requests take
/// 25 ms (1 + Q) / (1 − 0.3), where Q is how many of the users' requests are there on average (Reiser and Lavenberg 1980).
#[test]
fn users_who_wait_go_beside_open_arrivals_as_mixed_networks_say() {
    let streams = json!({
        "desk": { "arrivals": { "closed_loop": { "users": 10, "think": { "exponential": { "mean": "1s" } } } }, "classes": { "asked": 1 } },
        "open": { "arrivals": { "poisson": { "rate": "12/s" } }, "classes": { "sent": 1 } }
    });
    let mut rest = json!({
        "client": { "max_in_flight": 1, "admission": "queue" },
        "plan": { "duration": "2000s", "warmup": "100s" }
    });
    rest["providers"] = json!({ "server": { "response": { "exponential": { "mean": "25ms" } }, "prices": { "per_request": { "price": "$0" } } } });
    let plan = plan(&with(&streams, &json!({ "asked": class(), "sent": class() }), &rest).to_string());
    let runs = replications(&plan.scenarios[0], 5, 20);
    let s = 0.025 / (1.0 - 0.3);
    let (mut throughput, mut queue) = (0.0, 0.0);
    for users in 1..=10 {
        let response = s * (1.0 + queue);
        throughput = f64::from(users) / (response + 1.0);
        queue = throughput * response;
    }
    let of_users = |t: &Tally| t.classes[0].e2e.count() as f64 * 1e9 / t.counted as f64;
    assert_holds("throughput of the users", &interval(&runs, of_users), throughput, 0.01);
    let mean = |class: usize| move |t: &Tally| t.classes[class].e2e.mean().unwrap().seconds();
    assert_holds(
        "response of the users",
        &interval(&runs, mean(0)),
        queue / throughput,
        0.03,
    );
    assert_holds(
        "response of the others",
        &interval(&runs, mean(1)),
        s * (1.0 + queue),
        0.03,
    );
}

/// What each of two limits of one rate turns away: of 20 a second at 5 a second with next to no burst about three quarters, and of 2 a
/// second nearly nothing; streams need no tag besides themselves for it.
#[test]
fn each_stream_has_a_limit_of_its_own() {
    let stream = |rate: &str| json!({ "arrivals": { "regular": { "rate": rate } } });
    let streams = json!({ "loud": stream("20/s"), "quiet": stream("2/s") });
    let limiter = json!({ "token_bucket": { "unit": "requests", "rate": "5/s", "burst": 1 } });
    let metrics = json!(["error_rate{tag.stream=loud}", "error_rate{tag.stream=quiet}"]);
    let rest = json!({
        "client": { "limiters": [ { "each": { "per": "tag.stream", "limiter": limiter } } ] },
        "plan": { "duration": "100s", "warmup": "0s", "metrics": metrics }
    });
    let plan = plan(&with(&streams, &json!({ "all": class() }), &rest).to_string());
    let tally = replications(&plan.scenarios[0], 3, 1).remove(0);
    let share = |lens: usize| {
        let outcomes = tally.lenses[lens].outcomes;
        1.0 - outcomes[simcap::words::Outcome::Success as usize] as f64 / outcomes.iter().sum::<u64>() as f64
    };
    assert!((share(0) - 0.75).abs() < 0.01, "{}", share(0));
    assert_eq!(share(1), 0.0);
}

#[test]
fn traffic_that_says_too_much_or_too_little_is_refused() {
    let (streams, classes) = teams();
    let case = |change: &dyn Fn(&mut Value), message: &str| {
        let mut experiment = with(&streams, &classes, &json!({}));
        change(&mut experiment["traffic"]);
        let error = refused(&experiment);
        assert!(error.contains(message), "{error}\nand not: {message}");
    };
    case(
        &|t| t["arrivals"] = json!({ "poisson": { "rate": "1/s" } }),
        "traffic.arrivals: beside `streams`, which have arrivals of their own: make this a stream too",
    );
    case(
        &|t| t["users"] = json!({ "count": 3 }),
        "traffic.users: beside `streams`, which have users of their own: give these to the streams they ask in",
    );
    case(
        &|t| drop(t.as_object_mut().unwrap().remove("streams")),
        "traffic: `arrivals` is missing: when requests come, like",
    );
    case(
        &|t| t["streams"]["chat"]["classes"] = json!({ "lng": 1 }),
        "traffic.streams.chat.classes.lng: there is no class `lng`",
    );
    case(
        &|t| t["streams"]["chat"]["classes"] = json!({ "long": 0 }),
        "traffic.streams.chat.classes.long: a weight of 0: must be above 0",
    );
    case(
        &|t| t["streams"]["chat"]["tags"] = json!({}),
        "traffic.streams.chat: `job` has a tag `plan`, and this stream has none: give it to each",
    );
    case(
        &|t| t["streams"]["chat"]["tags"]["stream"] = json!("x"),
        "traffic.streams.chat.tags.stream: the tag `stream` is the name of the stream",
    );
    case(
        &|t| t["tags"] = json!({ "plan": { "a": 1 } }),
        "traffic.streams.chat.tags.plan: the stream has a tag `plan`, and so has all traffic",
    );
    case(
        &|t| t["classes"]["long"]["tags"] = json!({ "plan": "x" }),
        "traffic.classes.long.tags.plan: the class has a tag `plan`, and so have the streams",
    );
    case(
        &|t| {
            for name in ["search", "job"] {
                t["streams"][name]["classes"] = json!({ "long": 1 });
            }
            for name in ["short", "long"] {
                t["classes"][name].as_object_mut().unwrap().remove("share");
            }
        },
        "traffic.classes.short: no stream has requests of this class",
    );
    case(
        &|t| {
            t["streams"]["search"]["arrivals"] = json!({ "closed_loop": { "users": 3, "think": { "constant": "1s" } } })
        },
        "traffic.streams.search.users: `closed_loop` has users of its own, 3: leave this out",
    );
}

/// A trace beside drawn requests: its rows come at their times with their lengths, the others as they would without it, and the run ends
/// with the trace.
#[test]
fn a_trace_is_a_stream_among_others() {
    let row = |second: u64| simcap::traffic::arrivals::Row {
        at: Span::from_secs(second),
        input: 700 + second as u32,
        output: 9,
    };
    let rows: Vec<_> = (0..50).map(row).collect();
    let drawn = json!({ "arrivals": { "poisson": { "rate": "20/s" } } });
    let both = json!({ "log": { "arrivals": { "replay": { "trace": "log.csv" } } }, "drawn": drawn });
    let assembled = |streams: &Value, class: Value| {
        let rest = json!({ "plan": { "warmup": "0s", "duration": "10min" } });
        let text = with(streams, &json!({ "all": class }), &rest).to_string();
        let mut loaded = simcap::experiment::load::from_text("s.json", &text).unwrap();
        loaded.traces.insert("log.csv".into(), rows.iter().copied().collect());
        simcap::experiment::assemble::assemble(&loaded)
    };
    let whole = assembled(&both, class()).unwrap();
    let scenario = &whole.scenarios[0];
    assert!((scenario.window.counted().seconds() - 49.0).abs() < 0.001);
    let all = requests(scenario);
    let of_log: Vec<(Time, u32, u32)> = all["log"]
        .iter()
        .map(|(at, ask)| (*at, ask.input, ask.output))
        .collect();
    let expected: Vec<_> = rows
        .iter()
        .map(|row| (Time::ZERO + row.at, row.input, row.output))
        .collect();
    assert_eq!(of_log, expected);
    let alone = assembled(&json!({ "drawn": drawn }), class()).unwrap();
    let without_tags =
        |of: &[(Time, Ask)]| -> Vec<(Time, Ask)> { of.iter().map(|&(at, ask)| (at, Ask { tags: 0, ..ask })).collect() };
    assert_eq!(
        without_tags(&requests(&alone.scenarios[0])["drawn"]),
        without_tags(&all["drawn"])
    );
    // Lengths may only be left out where every request of the class has them from a trace.
    let said = |streams: &Value, class: Value| assembled(streams, class).err().map(|error| error.message.clone());
    assert!(said(&both, json!({})).unwrap().starts_with("`input` is missing"));
    let log = json!({ "log": both["log"] });
    assert_eq!(said(&log, json!({})), None);
    assert_eq!(
        said(&log, class()).unwrap(),
        "the trace has its own lengths: leave this out"
    );
}
