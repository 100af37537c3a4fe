//! Policies by load against what is known of them: the supermarket model, and a server that turns slow.

mod common;

use common::{plan, replications};
use simcap::engine::tally::Tally;

/// Poisson arrivals at 0.9 of what `servers` can do, each a single server of mean 1 s with a line of its own.
fn queues(servers: u32, policy: &str) -> f64 {
    let fleet: Vec<String> = (0..servers)
        .map(|i| {
            format!(
                r#""s{i}": {{ "connections": 1, "response": {{ "exponential": {{ "mean": "1s" }} }}, "prices": {{ "per_request": {{ "price": "$0" }} }} }}"#
            )
        })
        .collect();
    let text = format!(
        r#"{{
        "name": "queues",
        "traffic": {{
            "arrivals": {{ "poisson": {{ "rate": "{}/s" }} }},
            "classes": {{ "all": {{ "input": {{ "constant": 1 }}, "output": {{ "constant": 1 }} }} }}
        }},
        "providers": {{ {} }},
        "policies": [ {{ "name": "only", "policy": {policy} }} ],
        "plan": {{ "duration": "1100s", "warmup": "100s" }}
    }}"#,
        servers * 9 / 10,
        fleet.join(","),
    );
    let runs = replications(&plan(&text).scenarios[0], 5, 2);
    let mean = |t: &Tally| t.classes[0].e2e.mean().expect("it served").seconds();
    runs.iter().map(mean).sum::<f64>() / runs.len() as f64
}

/// With many servers at load ρ a call's mean time is 1/(1 − ρ) under a random choice and Σ ρ^(2^i − 2), i = 1, 2, …, under the
/// power of two choices (Mitzenmacher 1996): 10 and 2.614 service times at ρ = 0.9. Whoever sees all queues does better still.
#[test]
fn two_choices_are_nearly_as_good_as_all_and_far_better_than_one() {
    let theory: f64 = (1..12).map(|i| 0.9_f64.powi((1 << i) - 2)).sum();
    let random = queues(200, r#""simple_shuffle""#);
    let two = queues(200, r#""p2c""#);
    let idle = queues(200, r#""jiq""#);
    let all = queues(200, r#""least_in_flight""#);
    assert!((random / 10.0 - 1.0).abs() < 0.15, "random: {random}");
    assert!((two / theory - 1.0).abs() < 0.03, "two choices: {two}, theory {theory}");
    assert!(1.0 <= all && all <= idle && idle < two, "{all} {idle} {two}");
}

/// One of five servers takes 2 s where the others take 0.1 s. Peak EWMA soon leaves it alone; two choices on load alone keep
/// sending to it until calls pile up there.
#[test]
fn peak_ewma_avoids_a_slow_server() {
    let share = |policy: &str| {
        let server = |name: &str, time: &str| {
            format!(
                r#""{name}": {{ "response": {{ "constant": "{time}" }}, "prices": {{ "per_request": {{ "price": "$0" }} }} }}"#
            )
        };
        let fleet = ["a", "b", "c", "d"].map(|name| server(name, "100ms")).join(",");
        let text = format!(
            r#"{{
            "name": "slow",
            "traffic": {{
                "arrivals": {{ "poisson": {{ "rate": "20/s" }} }},
                "classes": {{ "all": {{ "input": {{ "constant": 1 }}, "output": {{ "constant": 1 }} }} }}
            }},
            "providers": {{ {}, {} }},
            "policies": [ {{ "name": "only", "policy": {policy} }} ],
            "plan": {{ "duration": "1000s", "warmup": "0s" }}
        }}"#,
            server("slow", "2s"),
            fleet,
        );
        let tally = replications(&plan(&text).scenarios[0], 1, 1).remove(0);
        let of = |p: usize| tally.providers[p].outcomes.iter().sum::<u64>();
        of(0) as f64 / tally.attempts() as f64
    };
    let (random, two, ewma) = (share(r#""simple_shuffle""#), share(r#""p2c""#), share(r#""peak_ewma""#));
    assert!((random - 0.2).abs() < 0.02, "{random}");
    assert!(
        two < random / 2.0 && ewma < two / 2.0,
        "random {random}, two choices {two}, Peak EWMA {ewma}"
    );
}
