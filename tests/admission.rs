//! The way in under overload: limits that learn, throttles, orders and drops, each against what theory says of it.

use crate::common::{assert_holds, interval, plan, replications};
use simcap::engine::tally::Tally;
use simcap::stats::histogram::Histogram;
use simcap::words::BoundKind;
use simcap::words::Outcome;

/// Replications of 900 s and a first 100 that does not count: arrivals, classes, fields of the one provider and of the client.
fn runs(arrivals: &str, classes: &str, provider: &str, client: &str, n: u64) -> Vec<Tally> {
    let text = format!(
        r#"{{
        "name": "case",
        "traffic": {{ "arrivals": {arrivals}, "classes": {{ {classes} }} }},
        "providers": {{ "p": {{ {provider}, "prices": {{ "per_request": {{ "price": "$0" }} }} }} }},
        "client": {{ {client} }},
        "policies": [ {{ "name": "only", "policy": {{ "single": {{ "provider": "p" }} }} }} ],
        "plan": {{ "duration": "900s", "warmup": "100s" }}
    }}"#
    );
    replications(&plan(&text).scenarios[0], 7, n)
}

const ALL: &str = r#""all": { "input": { "constant": 1 }, "output": { "constant": 1 } }"#;

fn poisson(rate: u32) -> String {
    format!(r#"{{ "poisson": {{ "rate": "{rate}/s" }} }}"#)
}

fn share(tally: &Tally, outcome: Outcome) -> f64 {
    tally.ended(outcome) as f64 / tally.requests() as f64
}

fn seconds(of: &Histogram, q: f64) -> f64 {
    of.quantile(q).expect("some succeed").seconds()
}

fn bound(tally: &Tally, what: BoundKind) -> f64 {
    let found = tally.bounds.iter().find(|b| b.what == what).expect("there is one");
    found.time as f64 / tally.counted as f64
}

/// A provider behind twenty connections that each do one a second, at twice what that can serve: the twenty-first to be let in
/// waits for a connection. Nearly nobody waits before the limiter.
fn overloaded(limiter: &str) -> Tally {
    let client = format!(r#""admission": {{ "queue": {{ "capacity": 1 }} }}, "limiters": [ {limiter} ]"#);
    let provider = r#""response": { "constant": "1s" }, "connections": 20"#;
    runs(&poisson(40), ALL, provider, &client, 1).remove(0)
}

/// Without a limit the wait grows by half a second each second; with any of these the twenty are kept busy, or nearly, and nobody
/// is let in to wait long.
#[test]
fn a_limit_that_learns_bounds_the_latency_of_an_overloaded_provider() {
    let none = overloaded("");
    assert!(seconds(&none.classes[0].e2e, 0.5) > 400.0);
    for (limiter, longest) in [
        // Its most is 200 in flight, 10 s; it swings below 100.
        (r#"{ "gradient2": { "min": 5 } }"#, 7.0),
        // Two seconds at a limit of 40; forty calls more are done, and let in as many more, before the first late one is.
        (r#"{ "aimd": { "min": 5, "timeout": "2s" } }"#, 4.2),
        (
            r#"{ "envoy_gradient": { "update_interval": "2s", "min_rtt_interval": "5m" } }"#,
            3.5,
        ),
    ] {
        let tally = overloaded(limiter);
        let (rate, p99) = (tally.served as f64 / 900.0, seconds(&tally.classes[0].e2e, 0.99));
        assert!(p99 < longest, "{limiter}: p99 {p99} s");
        // After an overshoot AIMD goes down to its least, and idles some of the connections.
        assert!(rate > 16.0 && rate <= 20.1, "{limiter}: {rate} a second");
        let binds = bound(&tally, BoundKind::Limiter);
        assert!(binds > 0.4, "{limiter} binds {binds} of the time");
    }
}

/// Where L·g + √(L·g) = L with g = m(1 + b)/s and, by Little, s = L/20: L·g = 20·1.25·m, so L = 25m + √(25m). The least latency
/// m of exactly 1 s counts as the middle of its bin, 1.05 s: L = 31.4, and calls take 31.4/20 = 1.57 s. The share that is
/// measured at concurrency 3, ten minutes apart, is left out by looking at the median.
#[test]
fn envoys_gradient_settles_a_buffer_and_a_root_above_the_knee() {
    let spec = r#"{ "envoy_gradient": { "update_interval": "5s", "min_rtt_interval": "10m" } }"#;
    let median = seconds(&overloaded(spec).classes[0].e2e, 0.5);
    assert!((median - 1.57).abs() < 0.08, "{median}");
}

/// A backend that accepts 20 of 100 a second, a = 0.2. With p turned away and k = 2: p = 1 − k·a = 0.6, since what was accepted
/// does not hang on p as long as enough is sent. So it is sent 40, twice what it accepts.
#[test]
fn the_sre_throttle_sends_k_times_what_is_accepted() {
    let provider = r#""response": { "constant": "10ms" }, "limits": [ { "token_bucket": { "unit": "requests", "rate": "20/s", "burst": 20 } } ]"#;
    let client = r#""limiters": [ { "sre_throttle": { "window": "30s" } } ]"#;
    let runs = runs(&poisson(100), ALL, provider, client, 12);
    assert_holds("turned away", &interval(&runs, |t| share(t, Outcome::Shed)), 0.6, 0.005);
    assert_holds(
        "refused",
        &interval(&runs, |t| share(t, Outcome::RateLimited)),
        0.2,
        0.01,
    );
}

/// Six of ten that are sent succeed, whatever is turned away: p = 1 − 0.6/0.95. A quota of 25 of 100 a second, a success only if
/// passed: 0.25/(1 − p) of what is sent, so (1 − p)² = 0.25/0.95. The +1 and the lag of the window cost a little.
#[test]
fn envoys_admission_control_turns_away_as_many_as_its_success_rate_lacks() {
    let failing = r#""response": { "constant": "10ms" }, "faults": [ { "random": { "server_error": 0.4 } } ]"#;
    let client = r#""limiters": [ { "envoy_admission_control": {} } ]"#;
    let tallies = runs(&poisson(100), ALL, failing, client, 12);
    let away = interval(&tallies, |t| share(t, Outcome::Shed));
    assert!((away.value - (1.0 - 0.6 / 0.95)).abs() < 0.004, "{away:?}");
    let quota = r#""response": { "constant": "10ms" }, "limits": [ { "token_bucket": { "unit": "requests", "rate": "25/s", "burst": 25 } } ]"#;
    let client = r#""limiters": [ { "envoy_admission_control": { "failures": [429] } } ]"#;
    let tallies = runs(&poisson(100), ALL, quota, client, 12);
    let away = interval(&tallies, |t| share(t, Outcome::Shed));
    assert!((away.value - (1.0 - (0.25f64 / 0.95).sqrt())).abs() < 0.004, "{away:?}");
}

/// Two classes with strict priority before one exponential server of 100 a second, 40 a second each: with W0 = ρ/μ the remaining
/// work found, Wq₁ = W0/(1 − ρ₁) and Wq₂ = W0/((1 − ρ₁)(1 − ρ)) (Cobham 1954).
#[test]
fn two_priorities_wait_as_cobham_says() {
    let classes = r#""high": { "share": 1, "priority": 0, "input": { "constant": 1 }, "output": { "constant": 1 } },
        "low": { "share": 1, "priority": 1, "input": { "constant": 1 }, "output": { "constant": 1 } }"#;
    let provider = r#""response": { "exponential": { "mean": "10ms" } }"#;
    let runs = runs(&poisson(80), classes, provider, r#""max_in_flight": 1"#, 24);
    let wait = |class: usize| move |t: &Tally| t.classes[class].wait.mean().expect("some").seconds();
    let (remaining, first, all) = (0.8 / 100.0, 0.4, 0.8);
    assert_holds("high", &interval(&runs, wait(0)), remaining / (1.0 - first), 0.02);
    assert_holds(
        "low",
        &interval(&runs, wait(1)),
        remaining / ((1.0 - first) * (1.0 - all)),
        0.08,
    );
}

/// Three classes that each want all of the server: it is shared 5 : 3 : 2, each served exactly its share of turns.
#[test]
fn an_overloaded_server_is_shared_by_weight() {
    let class = |n: u8| {
        format!(
            r#""c{n}": {{ "share": 1, "priority": {n}, "input": {{ "constant": 1 }}, "output": {{ "constant": 1 }} }}"#
        )
    };
    let classes = [class(0), class(1), class(2)].join(", ");
    let client = r#""max_in_flight": 1, "admission": { "queue": {
        "order": { "weighted_fair": { "weights": [5, 3, 2] } }, "max_wait": "20s" } }"#;
    let provider = r#""response": { "exponential": { "mean": "10ms" } }"#;
    let tally = runs(&poisson(300), &classes, provider, client, 1).remove(0);
    let served = |class: usize| {
        tally.classes[class].outcomes[Outcome::Success.index()] as f64 / tally.ended(Outcome::Success) as f64
    };
    for (class, weight) in [0.5, 0.3, 0.2].into_iter().enumerate() {
        // What waits at either end of the counted time is a hundredth.
        assert!((served(class) - weight).abs() < 0.01, "{class}: {}", served(class));
    }
}

/// M/M/1/6 at ρ = 1.25: whoever is turned away, the number in the system goes as before, so the loss is that of Erlang's
/// formula, (1 − ρ)ρ⁶/(1 − ρ⁷). Only who waits is dropped, so the wait of those who are served is another.
#[test]
fn dropping_the_oldest_loses_as_many_as_rejecting_the_newest() {
    let rho = 1.25f64;
    let loss = (1.0 - rho) * rho.powi(6) / (1.0 - rho.powi(7));
    for shed in ["reject", "drop_oldest", "drop_lowest"] {
        let client =
            format!(r#""max_in_flight": 1, "admission": {{ "queue": {{ "capacity": 5, "shed": "{shed}" }} }}"#);
        let provider = r#""response": { "exponential": { "mean": "10ms" } }"#;
        let runs = runs(&poisson(125), ALL, provider, &client, 16);
        assert_holds(shed, &interval(&runs, |t| share(t, Outcome::Shed)), loss, 0.01);
    }
}

/// A server of 100 a second at 130 a second: without control the line grows without end. CoDel sheds what is too much; the
/// thirty a second are reached after (30 · 0.1)² = 9 drops, so the wait of those who are served stays at a few targets.
#[test]
fn codel_keeps_the_standing_wait_near_its_target() {
    let provider = r#""response": { "constant": "10ms" }"#;
    let client = r#""max_in_flight": 1, "admission": { "queue": { "codel": { "target": "20ms" } } }"#;
    let tally = runs(&poisson(130), ALL, provider, client, 1).remove(0);
    let rate = tally.served as f64 / 900.0;
    assert!(rate > 98.0, "{rate}");
    let shed = share(&tally, Outcome::Shed);
    assert!((shed - 30.0 / 130.0).abs() < 0.02, "{shed}");
    let median = seconds(&tally.classes[0].e2e, 0.5);
    assert!((0.02..0.1).contains(&median), "{median}");
}

/// Ten a second against a window of 60 a minute: what gets in is the window, and the others sleep.
#[test]
fn a_polled_window_lets_in_what_it_holds() {
    let client = r#""admission": { "window_poll": { "limit": 60, "max_wait": "5m" } }"#;
    let tally = runs(&poisson(10), ALL, r#""response": { "constant": "1ms" }"#, client, 1).remove(0);
    let rate = tally.served as f64 / 900.0;
    assert!(rate > 0.95 && rate <= 1.01, "{rate}");
    assert!(bound(&tally, BoundKind::Limiter) > 0.99);
    assert_eq!(
        tally.ended(Outcome::Success) + tally.ended(Outcome::QueueTimeout),
        tally.requests()
    );
}

/// A bucket smaller than every request sheds them all, and is what binds; one that is only full now and then is not.
#[test]
fn a_limiter_too_small_for_any_request_is_what_binds() {
    let large = r#""all": { "input": { "constant": 500 }, "output": { "constant": 1 } }"#;
    let binds = |burst: u32| {
        let client = format!(
            r#""limiters": [ {{ "token_bucket": {{ "unit": "input_tokens", "rate": "1M/s", "burst": {burst} }} }} ]"#
        );
        let tally = runs(&poisson(10), large, r#""response": { "constant": "1ms" }"#, &client, 1).remove(0);
        (share(&tally, Outcome::Shed), bound(&tally, BoundKind::Limiter))
    };
    assert_eq!(binds(499), (1.0, 1.0));
    assert!(binds(5000).1 < 0.01);
}
