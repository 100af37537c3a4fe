//! What policies know only late: that they herd as theory says, and that they hear of every call all the same.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use std::sync::{Arc, Mutex};

use crate::common::{assert_holds, interval, plan, replications};
use serde_json::{Value, json};
use simcap::engine::tally::Tally;
use simcap::experiment::assemble::assemble;
use simcap::experiment::load::from_text;
use simcap::form::own::OwnParts;
use simcap::routing::{Call, Fleet, Policy, Wants};
use simcap::words::{Ended, Outcome};

/// Ten servers of one request at a time, each with exponential work of a second and half a request a second.
fn servers(policy: Value, client: Value) -> Value {
    let server = json!({
        "response": { "exponential": { "mean": "1s" } },
        "load": [{ "slots": { "servers": 1 } }],
        "prices": { "per_request": { "price": "$0" } },
    });
    let providers: serde_json::Map<String, Value> = (0..10).map(|i| (format!("s{i}"), server.clone())).collect();
    json!({
        "name": "age",
        "traffic": {
            "arrivals": { "poisson": { "rate": "5/s" } },
            "classes": { "all": { "input": { "constant": 1 }, "output": { "constant": 1 } } },
        },
        "providers": providers,
        "client": client,
        "policies": [{ "name": "it", "policy": policy }],
        "plan": { "duration": "2000s", "warmup": "200s" },
    })
}

fn runs(policy: Value, client: Value) -> Vec<Tally> {
    replications(&plan(&servers(policy, client).to_string()).scenarios[0], 5, 10)
}

fn mean(tally: &Tally) -> f64 {
    tally.classes[0].e2e.mean().unwrap().seconds()
}

fn mean_of(policy: Value, client: Value) -> f64 {
    interval(&runs(policy, client), mean).value
}

fn random() -> Value {
    let weights: serde_json::Map<String, Value> = (0..10).map(|i| (format!("s{i}"), json!(1))).collect();
    json!({ "weighted": { "weights": weights } })
}

/// Mitzenmacher (2000), "How useful is old information?": the least loaded by old information is better than a server at random
/// while the information is young, and worse than that when it is old, because all go where the load was least. At random each server
/// is M/M/1, and takes 1/(1 − 0.5) = 2 s.
#[test]
fn the_least_loaded_herds_when_what_it_knows_is_old() {
    assert_holds("at random", &interval(&runs(random(), json!({})), mean), 2.0, 0.03);
    let times = ["1ms", "1s", "8s", "16s"].map(|every| mean_of(json!("least_in_flight"), json!({ "refresh": every })));
    assert!(
        times.windows(2).all(|pair| pair[0] < pair[1]),
        "older is worse: {times:?}"
    );
    assert!(
        times[0] < 1.2 && times[1] < 2.0,
        "young information beats chance: {times:?}"
    );
    assert!(
        times[2] > 2.3 && times[3] > 3.0,
        "old information is worse than chance: {times:?}"
    );
}

/// Two choices at random suffer less from old information than the least of all (the same article).
#[test]
fn two_choices_bear_old_information_better() {
    let with = |policy: &str| mean_of(json!(policy), json!({ "refresh": "8s" }));
    let (two, least) = (with("p2c"), with("least_in_flight"));
    assert!(two < least, "{two} s of two, {least} s of all");
}

/// A refresh of a millisecond, in which no second request comes, is as good as none.
#[test]
fn information_that_is_hardly_old_changes_nothing_much() {
    for policy in ["least_in_flight", "p2c", "peak_ewma", "least_tokens_in_flight"] {
        let (now, soon) = (
            mean_of(json!(policy), json!({})),
            mean_of(json!(policy), json!({ "refresh": "1ms" })),
        );
        assert!((now / soon - 1.0).abs() < 0.02, "{policy}: {now} and {soon}");
    }
}

/// Of five gateways each knows its own calls at once; what the others have under way it knows not at all, or as of the last sync.
#[test]
fn gateways_that_tell_one_another_choose_better() {
    let with = |client: Value| mean_of(json!("least_in_flight"), client);
    let one = with(json!({}));
    let apart = with(json!({ "gateways": 5 }));
    let synced = with(json!({ "gateways": 5, "sync": "100ms" }));
    assert!(one < synced && synced < apart, "{one}, {synced}, {apart} s");
    assert!(synced < 1.0 + (apart - 1.0) * 0.6, "{one}, {synced}, {apart} s");
}

/// What a policy that keeps a book of its calls has seen.
#[derive(Clone, Debug, Default)]
struct Book {
    sent: u64,
    learned: u64,
    ended: u64,
    wrong: u64,
}

/// Sends in turn, leaves the number of each call in its ticket, and expects it back.
#[derive(Debug)]
struct Keeps {
    book: Arc<Mutex<Book>>,
    open: std::collections::BTreeMap<u64, usize>,
    next: u64,
}

impl Policy for Keeps {
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        Some((call.draw() % fleet.len() as u64) as usize)
    }

    fn wants(&self) -> Wants {
        Wants::LEARNS.and(Wants::ENDS)
    }

    fn learn(&mut self, _ended: &Ended) {
        self.book.lock().unwrap().learned += 1;
    }

    fn sent(&mut self, call: &Call, provider: usize) {
        self.next += 1;
        call.ticket.set(self.next);
        self.open.insert(self.next, provider);
        self.book.lock().unwrap().sent += 1;
    }

    fn ended(&mut self, ended: &Ended) {
        let mut book = self.book.lock().unwrap();
        book.ended += 1;
        book.wrong += u64::from(self.open.remove(&ended.ticket) != Some(ended.provider));
    }

    fn fresh(&self) -> Box<dyn Policy> {
        Box::new(Keeps {
            book: Arc::clone(&self.book),
            open: std::collections::BTreeMap::new(),
            next: 0,
        })
    }
}

/// With whatever age, every call that a policy is told of ends once, with the ticket that it left.
#[test]
fn every_call_that_is_told_late_ends_once() {
    let pool = json!({ "timeouts": { "attempt": "2s", "connection": "1s" }, "retry": { "fixed": { "tries": 3, "wait": "100ms" } } });
    for age in [
        json!({}),
        json!({ "refresh": "700ms" }),
        json!({ "refresh": "1h" }),
        json!({ "sync": "1s", "gateways": 3 }),
    ] {
        let mut client = pool.clone();
        client.as_object_mut().unwrap().extend(age.as_object().unwrap().clone());
        let mut experiment = servers(json!({ "own": { "name": "keeps" } }), client);
        for provider in experiment["providers"].as_object_mut().unwrap().values_mut() {
            provider["connections"] = json!(1);
            provider["line"] = json!(2);
        }
        let book = Arc::new(Mutex::new(Book::default()));
        let shared = Arc::clone(&book);
        let mut loaded = from_text("age.json", &experiment.to_string()).unwrap();
        loaded.own = OwnParts::default().policy("keeps", move |_, _| {
            Ok(Box::new(Keeps {
                book: Arc::clone(&shared),
                open: std::collections::BTreeMap::new(),
                next: 0,
            }) as Box<dyn Policy>)
        });
        let plan = assemble(&loaded).unwrap();
        let tally = replications(&plan.scenarios[0], 1, 1).remove(0);
        let book = book.lock().unwrap().clone();
        assert_eq!((book.sent, book.wrong), (book.ended, 0), "{age}");
        assert!(
            book.sent > tally.requests() && tally.ended(Outcome::Success) > 0,
            "{age}"
        );
        let told = if age.get("sync").is_some() { 3 } else { 1 };
        assert!(book.learned > 0 && book.learned.is_multiple_of(told), "{age}: {book:?}");
    }
}
