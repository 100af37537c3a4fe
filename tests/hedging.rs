//! Hedging through experiment files: which copy wins, what is paid for, and what it does to the tail.

use crate::common::{assert_holds, interval, plan, replications};
use simcap::engine::tally::Tally;
use simcap::kernel::time::Span;
use simcap::words::Outcome;

/// Replications of 50 requests a second of `output` tokens at these providers, in turns, with this client.
fn run_all(output: u32, providers: &str, client: &str, n: u64) -> Vec<Tally> {
    let text = format!(
        r#"{{
        "name": "case",
        "traffic": {{ "arrivals": {{ "poisson": {{ "rate": "50/s" }} }}, "classes": {{ "all": {{ "input": {{ "constant": 100 }}, "output": {{ "constant": {output} }} }} }} }},
        "providers": {{ {providers} }},
        "client": {{ {client} }},
        "policies": [ {{ "name": "only", "policy": {{ "tiered": {{ "tiers": [ {{ "name": "all", "providers": ["slow", "fast"], "classes": ["all"] }} ] }} }} }} ],
        "plan": {{ "duration": "180s", "warmup": "20s" }}
    }}"#
    );
    replications(&plan(&text).scenarios[0], 1, n)
}

/// The same law at both, nothing to pay.
fn twins(latency: &str) -> String {
    let one = |name: &str| format!(r#""{name}": {{ {latency}, "prices": {{ "per_request": {{ "price": "$0" }} }} }}"#);
    format!("{}, {}", one("slow"), one("fast"))
}

fn attempts(tally: &Tally, provider: usize, outcome: Outcome) -> u64 {
    tally.providers[provider].outcomes[outcome.index()]
}

/// Providers of constant speed: tokens at 10 a second, the first after 5 s at the slow one and 1 s at the fast.
fn constant(slow: &str, fast: &str) -> String {
    let one = |name: &str, ttft: &str| {
        format!(
            r#""{name}": {{ "ttft": {{ "constant": "{ttft}" }}, "tps": {{ "constant": 10 }}, "prices": {{ "per_token": {{ "input": "$1/Mtok", "output": "$1/Mtok" }} }} }}"#
        )
    };
    format!("{}, {}", one("slow", slow), one("fast", fast))
}

/// All go to the slow one first; its copy leaves at 2 s and has its first token at 3 s, before the original.
#[test]
fn the_first_token_decides_and_the_loser_is_called_off_then() {
    let client = r#""hedge": { "fixed": { "delay": "2s" } }"#;
    let tally = run_all(11, &constant("5s", "1s"), client, 1).remove(0);
    let n = tally.requests();
    assert_eq!(attempts(&tally, 0, Outcome::Cancelled), n);
    assert_eq!(attempts(&tally, 1, Outcome::Success), n);
    assert_eq!((tally.effort.hedges, tally.effort.hedges_won), (n, n));
    assert_eq!(tally.classes[0].ttft.max(), Some(Span::from_secs(3)));
    // Whoever was called off had read the input and written nothing.
    assert_eq!(tally.providers[0].output, 0);
    assert_eq!(tally.providers[0].input, u128::from(100 * n));
}

/// The original has its first token at 1.5 s, before the copy would leave at 2 s.
#[test]
fn no_copy_follows_the_first_token() {
    let client = r#""hedge": { "fixed": { "delay": "2s" } }"#;
    let tally = run_all(101, &constant("1500ms", "1s"), client, 1).remove(0);
    assert_eq!((tally.effort.hedges, tally.attempts()), (0, tally.requests()));
}

/// The original writes 41 tokens from 1 s to 5 s. Its copy leaves at 2 s for a twin that needs as long, and is called off when the
/// original ends, at 5 s: it has had tokens from 3 s to 5 s, 21 of them.
#[test]
fn the_loser_is_billed_for_what_it_had_written() {
    let client = r#""hedge": { "fixed": { "delay": "2s", "race": "answer" } }"#;
    let tally = run_all(41, &constant("1s", "1s"), client, 1).remove(0);
    let n = tally.requests();
    assert_eq!((tally.effort.hedges, tally.effort.hedges_won), (n, 0));
    assert_eq!(tally.providers[0].output, u128::from(41 * n));
    assert_eq!(tally.providers[1].output, u128::from(21 * n));
    assert_eq!(tally.cost(), u128::from(n) * 1_000_000 * (100 + 41 + 100 + 21));
}

/// A copy at once: the answer takes the lesser of two independent exponentials, whose mean is half of one's.
#[test]
fn two_copies_at_once_take_the_lesser_of_their_times() {
    let providers = twins(r#""response": { "exponential": { "mean": "1s" } }"#);
    let client = r#""hedge": { "fixed": { "delay": "0s" } }"#;
    let tallies = run_all(1, &providers, client, 10);
    let mean = |t: &Tally| t.classes[0].e2e.mean().unwrap().seconds();
    assert_holds("mean", &interval(&tallies, mean), 0.5, 0.02);
    let p99 = |t: &Tally| t.classes[0].e2e.quantile(0.99).unwrap().seconds();
    assert_holds("p99", &interval(&tallies, p99), libm::log(100.0) / 2.0, 0.03);
}

/// One answer in ten takes 10 s instead of 100 ms. Hedged after 1 s, it takes 1.1 s nine times in ten: the 99th percentile falls
/// from 10 s to 1.1 s, and what is left beyond is one in a hundred.
#[test]
fn the_tail_of_a_bimodal_provider_falls() {
    let law = r#""response": { "mixture": { "components": [ { "weight": 9, "law": { "constant": "100ms" } }, { "weight": 1, "law": { "constant": "10s" } } ] } }"#;
    let slow = |tallies: &[Tally]| {
        interval(tallies, |t| {
            let e2e = &t.classes[0].e2e;
            let above: u64 = e2e.iter().filter(|(v, _)| v.seconds() > 2.0).map(|(_, n)| n).sum();
            above as f64 / e2e.count() as f64
        })
    };
    let plain = run_all(1, &twins(law), "", 10);
    assert_holds("share of slow answers", &slow(&plain), 0.1, 0.03);
    let hedged = run_all(1, &twins(law), r#""hedge": { "fixed": { "delay": "1s" } }"#, 10);
    assert_holds("share of slow answers, hedged", &slow(&hedged), 0.01, 0.15);
    let extra = |t: &Tally| t.effort.hedges as f64 / t.requests() as f64;
    assert_holds("extra load", &interval(&hedged, extra), 0.1, 0.03);
    let p98 = hedged[0].classes[0].e2e.quantile(0.98).unwrap().seconds();
    assert!((p98 - 1.1).abs() < 0.01, "{p98}");
}

/// Copies that never win, so that nothing is observed cut short: of n requests and p n copies, all of them observed, 5 % lie beyond
/// the delay; so do p of the requests and, being memoryless, p of the copies when the original calls them off. p = 0.05.
#[test]
fn a_percentile_costs_what_lies_beyond_it() {
    let one = |name: &str, law: &str| {
        format!(r#""{name}": {{ "response": {law}, "prices": {{ "per_request": {{ "price": "$0" }} }} }}"#)
    };
    let providers = format!(
        "{}, {}",
        one("slow", r#"{ "exponential": { "mean": "1s" } }"#),
        one("fast", r#"{ "constant": "1h" }"#)
    );
    let tallies = run_all(1, &providers, r#""hedge": "percentile""#, 10);
    let extra = |t: &Tally| t.effort.hedges as f64 / t.requests() as f64;
    assert_holds("extra load", &interval(&tallies, extra), 0.05, 0.05);
}

/// Both copies are cut off by the timeout of the whole request: in that moment no further one is sent, though failures call for
/// one.
#[test]
fn no_copy_is_sent_when_time_is_up() {
    let providers = twins(r#""response": { "constant": "1h" }"#);
    let client = r#""timeouts": { "total": "2s" }, "hedge": { "fixed": { "delay": "1s", "most": 3, "on_failure": true, "elsewhere": false } }"#;
    let tally = run_all(1, &providers, client, 1).remove(0);
    let n = tally.requests();
    assert_eq!(tally.ended(Outcome::TimeoutTotal), n);
    assert_eq!((tally.effort.hedges, tally.attempts()), (n, 2 * n));
}

/// 3 % of the tries, less what a window of some 15 copies loses to whole ones.
#[test]
fn a_budget_bounds_the_copies() {
    let providers = twins(r#""response": { "constant": "1s" }"#);
    let client = r#""hedge": { "fixed": { "delay": "500ms", "budget": "3%" } }"#;
    let tallies = run_all(1, &providers, client, 10);
    let found = interval(&tallies, |t| t.effort.hedges as f64 / t.requests() as f64);
    assert!(found.hi.unwrap() <= 0.03 && found.lo.unwrap() > 0.028, "{found:?}");
    assert!(tallies[0].effort.denied > 0);
}

/// One connection to each: the copy of a request that waits in line for it leaves the line when the original is answered, and is
/// never sent.
#[test]
fn a_copy_in_line_is_never_sent_once_there_is_an_answer() {
    let one = |name: &str, more: &str| {
        format!(
            r#""{name}": {{ "response": {{ "constant": "10ms" }}, {more} "prices": {{ "per_request": {{ "price": "$0" }} }} }}"#
        )
    };
    let providers = format!("{}, {}", one("slow", r#""connections": 1,"#), one("fast", ""));
    let client = r#""hedge": { "fixed": { "delay": "5ms", "elsewhere": false, "most": 3 } }"#;
    let tally = run_all(1, &providers, client, 1).remove(0);
    assert!(tally.effort.hedges > 0);
    assert_eq!(attempts(&tally, 0, Outcome::Cancelled), 0);
    assert_eq!(attempts(&tally, 0, Outcome::Success), tally.requests());
}
