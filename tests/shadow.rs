//! Mirrored copies, whose answer is not waited for: they change nothing of what is served, are paid for, and are
//! counted once.

use crate::common::{plan, replications};
use simcap::engine::tally::Tally;
use simcap::words::Outcome;

/// What serves: slow at times, now and then failing.
const OLD: &str = r#"{ "ttft": { "lognormal": { "median": "400ms", "sigma": 0.8 } }, "tps": { "constant": 80 }, "connections": 4,
    "faults": [ { "random": { "server_error": 0.1 } }, { "random": { "hang": 0.02 } } ],
    "prices": { "per_token": { "input": "$1/Mtok", "output": "$5/Mtok" } } }"#;
/// What the copies go to.
const NEW: &str = r#"{ "ttft": { "lognormal": { "median": "900ms", "sigma": 0.5 } }, "tps": { "constant": 50 },
    "faults": [ { "random": { "server_error": 0.05 } } ],
    "prices": { "per_token": { "input": "$2/Mtok", "output": "$9/Mtok" } } }"#;
const RETRIES: &str = r#""timeouts": { "total": "20s", "ttft": "5s" }, "retry": { "fixed": { "tries": 3, "wait": "100ms" } },
    "breaker": { "consecutive": { "failures": 3 } }, "max_in_flight": 6"#;
const SERVES: &str = r#"{ "single": { "provider": "old" } }"#;
const EVERY_SECOND: &str = r#"{ "regular": { "rate": "1/s" } }"#;

/// One replication of 1,000 s after 100 s of warm-up.
fn run(arrivals: &str, old: &str, new: &str, client: &str, policy: &str) -> Tally {
    let text = format!(
        r#"{{
        "name": "case",
        "traffic": {{ "arrivals": {arrivals}, "classes": {{ "all": {{
            "input": {{ "uniform": {{ "min": 1, "max": 1000 }} }}, "output": {{ "uniform": {{ "min": 1, "max": 200 }} }} }} }} }},
        "providers": {{ "old": {old}, "new": {new} }},
        "client": {{ {client} }},
        "policies": [ {{ "name": "only", "policy": {policy} }} ],
        "plan": {{ "duration": "1000s", "warmup": "100s" }}
    }}"#
    );
    replications(&plan(&text).scenarios[0], 1, 1).remove(0)
}

fn shadow(to: &str, share: f64) -> String {
    format!(r#"{{ "shadow": {{ "policy": {SERVES}, "to": "{to}", "share": {share} }} }}"#)
}

/// A provider that takes this long and costs a cent a request.
fn takes(time: &str, more: &str) -> String {
    format!(
        r#"{{ "response": {{ "constant": "{time}" }}, "prices": {{ "per_request": {{ "price": "$0.01" }} }}{more} }}"#
    )
}

fn attempts(tally: &Tally, provider: usize) -> u64 {
    tally.providers[provider].outcomes.iter().sum()
}

/// With retries, hangs, a breaker that opens and a queue: whatever a request meets is the same but for the copies.
#[test]
fn what_is_served_is_bit_for_bit_the_same_and_costs_what_the_copies_do() {
    let poisson = r#"{ "poisson": { "rate": "3/s" } }"#;
    let plain = run(poisson, OLD, NEW, RETRIES, SERVES);
    for share in [1.0, 0.3] {
        let copied = run(poisson, OLD, NEW, RETRIES, &shadow("new", share));
        assert!(
            plain.effort.retries > 100 && plain.providers[0].trips > 0,
            "the case is a rich one"
        );
        assert_eq!(copied.classes, plain.classes);
        assert_eq!(copied.providers[0], plain.providers[0]);
        assert_eq!(copied.bounds, plain.bounds);
        assert_eq!(
            (
                copied.served,
                copied.good,
                copied.in_system_at_end,
                copied.peak_in_system
            ),
            (plain.served, plain.good, plain.in_system_at_end, plain.peak_in_system)
        );
        assert_eq!(copied.series.bins(), plain.series.bins());
        assert_eq!((plain.mirrored, plain.effort.mirrored), (0, 0));
        assert_eq!(copied.cost() - plain.cost(), copied.mirrored);
        assert_eq!(copied.providers[1].cost, copied.mirrored);
        assert!(copied.mirrored > 0);
    }
}

/// As many copies as requests that were let in after the warm-up: no retry is copied again.
#[test]
fn each_request_is_copied_once_however_often_it_is_tried() {
    let fails = takes("10ms", r#", "faults": [ { "random": { "server_error": 0.999999 } } ]"#);
    let client = r#""retry": { "fixed": { "tries": 3, "wait": "100ms" } }"#;
    let tally = run(EVERY_SECOND, &fails, &takes("30s", ""), client, &shadow("new", 1.0));
    assert_eq!(tally.requests(), 1000);
    assert_eq!((attempts(&tally, 0), attempts(&tally, 1)), (3000, 1000));
    assert_eq!(tally.effort.mirrored, 1000);
    assert_eq!(tally.ended(Outcome::ServerError), 1000);
    assert_eq!(tally.mirrored, 1000 * 10_000_000_000, "a cent each");
    // A copy stays for 30 s, so there would be as many at once if they counted.
    assert!(tally.series.bins().iter().all(|b| b.in_system <= 1));
}

/// It is hung up when the request's own time is over, though the request was answered long before.
#[test]
fn a_copy_ends_with_the_deadline_of_its_request() {
    let client = r#""timeouts": { "total": "3s" }"#;
    let tally = run(
        EVERY_SECOND,
        &takes("100ms", ""),
        &takes("100s", ""),
        client,
        &shadow("new", 1.0),
    );
    assert_eq!(tally.ended(Outcome::Success), 1000);
    assert_eq!(tally.providers[1].outcomes[Outcome::TimeoutTotal.index()], 1000);
    // Three seconds each, the last ones beyond the end of the window; those of the warm-up reach into it.
    assert!(tally.providers[1].busy.abs_diff(3_000_000_000_000) < 10_000_000_000);
    assert_eq!(tally.in_system_at_end, 0);
}

/// One connection and ten seconds for each: nine in ten find it taken and are not sent.
#[test]
fn no_copy_waits_for_a_connection() {
    let new = takes("10s", r#", "connections": 1"#);
    let tally = run(EVERY_SECOND, &takes("100ms", ""), &new, "", &shadow("new", 1.0));
    assert!((95..=105).contains(&tally.effort.mirrored), "{}", tally.effort.mirrored);
    assert_eq!(tally.effort.mirrored, attempts(&tally, 1));
    assert_eq!(tally.ended(Outcome::Success), 1000);
}

/// Where both want the only connection, the request has it.
#[test]
fn a_copy_takes_no_connection_that_its_request_needs() {
    let old = takes("500ms", r#", "connections": 1"#);
    let tally = run(EVERY_SECOND, &old, &takes("1s", ""), "", &shadow("old", 1.0));
    assert_eq!(tally.effort.mirrored, 0);
    assert_eq!(tally.classes[0].wait.max().map_or(0, |wait| wait.nanos()), 0);
    assert_eq!(tally.ended(Outcome::Success), 1000);
}

/// A provider whose copies all fail serves no worse for it, and its breaker knows of none.
#[test]
fn no_breaker_hears_of_a_copy() {
    let fails = takes("10ms", r#", "faults": [ { "random": { "server_error": 0.999999 } } ]"#);
    let client = r#""breaker": { "consecutive": { "failures": 2 } }"#;
    let tally = run(EVERY_SECOND, &takes("100ms", ""), &fails, client, &shadow("new", 1.0));
    assert_eq!((tally.effort.mirrored, tally.providers[1].trips), (1000, 0));
    assert_eq!(tally.ended(Outcome::Success), 1000);
}
