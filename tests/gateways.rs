//! Several gateways side by side: what each knows by itself, and what that costs.

use crate::common::{interval, plan, replications};
use simcap::engine::tally::Tally;
use simcap::words::Outcome;

fn run(gateways: &str, policy: &str, provider: &str, breaker: &str, rate: f64, seconds: u32, n: u64) -> Vec<Tally> {
    let text = format!(
        r#"{{
        "name": "gateways",
        "traffic": {{
            "arrivals": {{ "poisson": {{ "rate": "{rate}/s" }} }},
            "classes": {{ "all": {{ "input": {{ "constant": 1 }}, "output": {{ "constant": 1 }} }} }}
        }},
        "providers": {{ "a": {{ {provider} }}, "b": {{ {provider} }} }},
        "client": {{ {gateways} "breaker": {breaker} }},
        "policies": [ {{ "name": "only", "policy": {policy} }} ],
        "plan": {{ "duration": "{seconds}s", "warmup": "0s" }}
    }}"#
    );
    replications(&plan(&text).scenarios[0], 7, n)
}

const SERVER: &str = r#""response": { "exponential": { "mean": "1s" } }, "load": [ { "slots": { "servers": 1 } } ],
    "prices": { "per_request": { "price": "$0" } }"#;

fn mean(tally: &Tally) -> f64 {
    tally.classes[0].e2e.mean().expect("it served").seconds()
}

/// Two servers of 1/s each and 1.6 requests a second, sent to whichever has fewer. One gateway sees both queues, and a call
/// takes little more than under one line for both, M/M/2: 1/(1 − 0.8²) s. A thousand gateways see hardly more than their own
/// last call: the choice is by chance, and 1/(1 − 0.8) s it takes.
#[test]
fn who_sees_only_its_own_calls_balances_no_load() {
    let gateways = |n: &str| run(n, r#""least_in_flight""#, SERVER, r#""never""#, 1.6, 20_000, 8);
    let (one, many) = (
        interval(&gateways(""), mean),
        interval(&gateways(r#""gateways": 1000,"#), mean),
    );
    let one_line = 1.0 / (1.0 - 0.8 * 0.8);
    let (least, most) = (one.lo.unwrap(), one.hi.unwrap());
    assert!(one_line < most && least < 1.1 * one_line, "one gateway: {one:?}");
    let (least, most) = (many.lo.unwrap(), many.hi.unwrap());
    assert!(least < 5.0 && 4.6 < most && most < 5.6, "a thousand: {many:?}");
}

/// A breaker that opens after five failures in a row and stays open: each gateway finds out by itself.
#[test]
fn every_gateway_trips_its_own_breaker() {
    let fails = r#""response": { "constant": "1ms" }, "faults": [ { "random": { "server_error": 1 } } ],
        "prices": { "per_request": { "price": "$0" } }"#;
    let breaker = r#"{ "consecutive": { "failures": 5, "open_for": "100000s" } }"#;
    for (gateways, each) in [("", 1), (r#""gateways": 4,"#, 4)] {
        let policy = r#"{ "single": { "provider": "a" } }"#;
        let tally = run(gateways, policy, fails, breaker, 1.0, 1000, 1).remove(0);
        assert_eq!(tally.providers[0].outcomes[Outcome::ServerError.index()], 5 * each);
        assert_eq!(tally.providers[0].trips, each);
        assert_eq!(tally.ended(Outcome::BreakerOpen), tally.requests() - 5 * each);
    }
}

/// Each gateway takes turns by itself, and is off by one call at most; so three of them together by three.
#[test]
fn each_gateway_turns_its_own_wheel() {
    let quick = r#""response": { "constant": "1ms" }, "prices": { "per_request": { "price": "$0" } }"#;
    let share = |gateways: &str| {
        let tally = run(gateways, r#""round_robin""#, quick, r#""never""#, 10.0, 1000, 1).remove(0);
        let of = |p: usize| tally.providers[p].outcomes[Outcome::Success.index()];
        (of(0), of(1))
    };
    let (a, b) = share("");
    assert!(a - b <= 1, "{a} {b}");
    let (a, b) = share(r#""gateways": 3,"#);
    assert!(a.abs_diff(b) <= 3, "{a} {b}");
}
