//! The latency router of the article on latency-based routing: each fault that was published with it, by
//! itself, against the same router with that fault mended.

use crate::common::{interval, plan, replications};
use simcap::engine::tally::Tally;
use simcap::kernel::time::Span;
use simcap::stats::interval::Estimate;
use simcap::words::Outcome;

const REPLICATIONS: u64 = 20;

/// Twenty requests a second for ten minutes to `providers`, by the router with `mends` mended, each tried at most `tries` times.
fn run(providers: &str, mends: &str, tries: u32) -> Vec<Tally> {
    let text = format!(
        r#"{{
        "name": "router",
        "traffic": {{
            "arrivals": {{ "poisson": {{ "rate": "20/s" }} }},
            "classes": {{ "all": {{ "input": {{ "constant": 1 }}, "output": {{ "constant": 1 }} }} }}
        }},
        "providers": {{ {providers} }},
        "client": {{ "retry": {{ "fixed": {{ "tries": {tries}, "wait": "1ms", "on": ["retryable"] }} }} }},
        "policies": [ {{ "name": "only", "policy": {{ "latency_router": {{ "mends": [{mends}] }} }} }} ],
        "plan": {{ "duration": "10m", "warmup": "0s" }}
    }}"#
    );
    replications(&plan(&text).scenarios[0], 1, REPLICATIONS)
}

/// A provider that answers after `time`, and what else there is to say of it.
fn provider(name: &str, time: &str, more: &str) -> String {
    format!(
        r#""{name}": {{ "response": {{ "constant": "{time}" }}, "prices": {{ "per_request": {{ "price": "$0" }} }} {more} }}"#
    )
}

/// The share of attempts that went to provider `p`.
fn share(tallies: &[Tally], p: usize) -> Estimate {
    let of = |t: &Tally, p: usize| t.providers[p].outcomes.iter().sum::<u64>() as f64;
    interval(tallies, |t| of(t, p) / t.attempts() as f64)
}

/// The one listed first takes everything, though the other is four times as fast; with exploration it keeps one call in thirty
/// seconds, twenty of 12,000.
#[test]
fn without_exploration_the_first_one_used_takes_everything() {
    let fleet = [provider("slow", "800ms", ""), provider("fast", "200ms", "")].join(",");
    let (published, mended) = (run(&fleet, "", 1), run(&fleet, r#""exploration""#, 1));
    assert_eq!(share(&published, 1).value, 0.0);
    assert!(share(&mended, 1).lo.unwrap() > 0.99, "{:?}", share(&mended, 1));
    let e2e = |t: &Tally| t.classes[0].e2e.mean().unwrap().seconds();
    let saved = interval(&published, e2e).value - interval(&mended, e2e).value;
    assert!((saved - 0.6).abs() < 0.01, "{saved}");
}

/// Who leads turns from 200 to 800 ms after five minutes; the other takes 300 ms. With 50 samples, k of them new, the weighted
/// mean passes 300 ms once the new ones have a sixth of the weight Σ 1/(1 + 0.1·i): 16 of them if they stand last, 4 if
/// they stand first. Twelve more requests take 800 ms.
#[test]
fn with_the_oldest_sample_first_a_change_is_seen_late() {
    let weight = |i: usize| 1.0 / (1.0 + 0.1 * i as f64);
    let all: f64 = (0..50).map(weight).sum();
    let needed = |of_new: &dyn Fn(usize) -> f64| (1..50).find(|&k| of_new(k) > all / 6.0).unwrap();
    let last = needed(&|k| (50 - k..50).map(weight).sum());
    let first = needed(&|k| (0..k).map(weight).sum());
    assert_eq!((last, first), (16, 4));
    let slows = r#", "faults": [ { "slow_down": { "from": "5m", "for": "5m", "delay": "600ms" } } ]"#;
    let fleet = [provider("leads", "200ms", slows), provider("other", "300ms", "")].join(",");
    let (published, mended) = (
        run(&fleet, r#""exploration""#, 1),
        run(&fleet, r#""exploration", "weights""#, 1),
    );
    let late = |tallies: &[Tally]| {
        let slow = |t: &Tally| {
            t.requests() as f64 * (1.0 - t.classes[0].e2e.fraction_at_most(Span::from_millis(400)).unwrap())
        };
        interval(tallies, slow).value
    };
    let (published, mended) = (late(&published), late(&mended));
    assert!((published - mended - 12.0).abs() < 1.5, "{published} {mended}");
}

/// A minute of outage: as published nobody is ever sent there again; mended, the first call half a minute after it finds it well.
#[test]
fn an_ejection_is_for_ever() {
    let fails = r#", "faults": [ { "outage": { "from": "1m", "for": "1m", "answer": "unavailable" } } ]"#;
    let fleet = [provider("fast", "200ms", fails), provider("slow", "800ms", "")].join(",");
    let (published, mended) = (run(&fleet, "", 2), run(&fleet, r#""ejection""#, 2));
    // A tenth of the time before the outage; and all but the outage and at most the 30 s after it.
    let (lost, back) = (share(&published, 0), share(&mended, 0));
    assert!((lost.value - 0.1).abs() < 0.01, "{lost:?}");
    assert!((0.84..0.91).contains(&back.value), "{back:?}");
}

/// A minute of outage in which every answer is an error at once: two tries of one request go to the same provider, and it takes both to
/// have it ejected; elsewhere the second succeeds.
#[test]
fn a_retry_goes_where_the_try_before_it_failed() {
    let fails = r#", "faults": [ { "outage": { "from": "1m", "for": "1m", "answer": "unavailable" } } ]"#;
    let fleet = [provider("fast", "200ms", fails), provider("slow", "800ms", "")].join(",");
    let (published, mended) = (run(&fleet, "", 2), run(&fleet, r#""retry""#, 2));
    let failed = |tallies: &[Tally]| interval(tallies, |t| (t.requests() - t.ended(Outcome::Success)) as f64);
    let published = failed(&published);
    assert!(
        published.lo.unwrap() > 0.5 && published.hi.unwrap() <= 1.2,
        "{published:?}"
    );
    assert_eq!(failed(&mended).value, 0.0);
}
