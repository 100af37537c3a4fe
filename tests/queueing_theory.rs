//! The engine against closed forms, each within the run's own 99 % interval.
//!
//! One provider with a law of its own for the whole answer, and a cap on requests in flight: that is a queue with so many
//! servers. Everything runs through the experiment file, so units, building, engine and tally are all in it.

#![allow(clippy::disallowed_methods, reason = "a theory's last digit does not matter")]

use crate::common::{assert_holds, interval, plan, replications};
use simcap::engine::tally::Tally;
use simcap::stats::histogram::Histogram;
use simcap::words::BoundKind;
use simcap::words::Outcome;

/// A queue: Poisson arrivals at `rate` a second, `servers`, a service law, and more of the client if wanted.
fn queue(rate: &str, servers: u32, service: &str, admission: &str) -> Vec<Tally> {
    let text = format!(
        r#"{{
        "name": "queue",
        "traffic": {{
            "arrivals": {{ "poisson": {{ "rate": "{rate}" }} }},
            "classes": {{ "all": {{ "input": {{ "constant": 1 }}, "output": {{ "constant": 1 }} }} }}
        }},
        "providers": {{ "server": {{ "response": {service}, "prices": {{ "per_request": {{ "price": "$0" }} }} }} }},
        "client": {{ "max_in_flight": {servers}, "admission": {admission} }},
        "policies": [ {{ "name": "only", "policy": {{ "single": {{ "provider": "server" }} }} }} ],
        "plan": {{ "duration": "8000s", "warmup": "1000s" }}
    }}"#
    );
    replications(&plan(&text).scenarios[0], 11, 20)
}

fn waits(tally: &Tally) -> &Histogram {
    &tally.classes[0].wait
}

fn mean(of: &Histogram) -> f64 {
    of.mean().expect("requests waited or not").seconds()
}

fn quantile(of: &Histogram, q: f64) -> f64 {
    of.quantile(q).expect("requests waited or not").seconds()
}

/// Probability that an arrival has to wait in M/M/c (Erlang C), from Erlang B by its recursion.
fn erlang_c(servers: u32, load: f64) -> f64 {
    let b = (1..=servers).fold(1.0, |b, k| load * b / (f64::from(k) + load * b));
    let c = f64::from(servers);
    b / (1.0 - load / c * (1.0 - b))
}

/// λ = 80, μ = 100: ρ = 0.8. Wq = ρ / (μ − λ) = 40 ms; P(W > t) = ρ e^(−(μ−λ)t).
#[test]
fn mm1_waits_as_long_as_theory_says() {
    let runs = queue("80/s", 1, r#"{ "exponential": { "mean": "10ms" } }"#, r#""queue""#);
    let (rho, gap) = (0.8f64, 20.0f64);
    assert_holds("mean wait", &interval(&runs, |t| mean(waits(t))), rho / gap, 0.02);
    for q in [0.5, 0.95, 0.99] {
        let theory = (rho / (1.0 - q)).ln() / gap;
        assert_holds(
            &format!("p{} of the wait", q * 100.0),
            &interval(&runs, |t| quantile(waits(t), q)),
            theory,
            0.04,
        );
    }
    // Time in the system is exponential with rate μ − λ.
    let e2e = |t: &Tally| mean(&t.classes[0].e2e);
    assert_holds("mean time in system", &interval(&runs, e2e), 1.0 / gap, 0.02);
    let p95 = |t: &Tally| quantile(&t.classes[0].e2e, 0.95);
    assert_holds(
        "p95 of the time in system",
        &interval(&runs, p95),
        20f64.ln() / gap,
        0.03,
    );
}

/// Five servers at ρ = 0.9: Wq = C / (cμ − λ); P(W > t) = C e^(−(cμ−λ)t).
#[test]
fn mmc_waits_as_long_as_erlang_says() {
    let runs = queue("90/s", 5, r#"{ "exponential": { "mean": "50ms" } }"#, r#""queue""#);
    let (c, gap) = (erlang_c(5, 4.5), 10.0f64);
    assert_holds("mean wait", &interval(&runs, |t| mean(waits(t))), c / gap, 0.05);
    assert_holds(
        "p95 of the wait",
        &interval(&runs, |t| quantile(waits(t), 0.95)),
        (c / 0.05).ln() / gap,
        0.06,
    );
    let waited = |t: &Tally| {
        1.0 - waits(t)
            .fraction_at_most(simcap::kernel::time::Span::ZERO)
            .expect("some")
    };
    assert_holds("share that waits", &interval(&runs, waited), c, 0.02);
    // Little's law: mean requests at the provider = load.
    let busy = |t: &Tally| t.providers[0].busy as f64 / t.counted as f64;
    assert_holds("mean in flight", &interval(&runs, busy), 4.5, 0.01);
}

/// Two servers and room for three to wait at ρ = 1.25: P(blocked) from the birth-death chain of M/M/2/5.
#[test]
fn mmck_turns_away_as_many_as_theory_says() {
    let runs = queue(
        "250/s",
        2,
        r#"{ "exponential": { "mean": "10ms" } }"#,
        r#"{ "queue": { "capacity": 3 } }"#,
    );
    let (load, servers) = (2.5f64, 2.0f64);
    let mut weights = vec![1.0f64];
    for n in 1..=5 {
        weights.push(weights[n - 1] * load / (n as f64).min(servers));
    }
    let blocked = weights[5] / weights.iter().sum::<f64>();
    let shed = |t: &Tally| t.ended(Outcome::Shed) as f64 / t.requests() as f64;
    assert_holds("share shed", &interval(&runs, shed), blocked, 0.01);
}

/// Lognormal service of mean m and squared coefficient of variation v: Wq = λ m² (1 + v) / (2 (1 − ρ))
/// (Pollaczek-Khinchine).
#[test]
fn mg1_with_lognormal_service_waits_as_pollaczek_and_khinchine_say() {
    let sigma = 0.8f64;
    let runs = queue(
        "70/s",
        1,
        r#"{ "lognormal": { "median": "8ms", "sigma": 0.8 } }"#,
        r#""queue""#,
    );
    let m = 0.008 * (sigma * sigma / 2.0).exp();
    let v = (sigma * sigma).exp() - 1.0;
    let rho = 70.0 * m;
    let theory = 70.0 * m * m * (1.0 + v) / (2.0 * (1.0 - rho));
    assert_holds("mean wait", &interval(&runs, |t| mean(waits(t))), theory, 0.04);
}

/// Constant service halves the wait of M/M/1.
#[test]
fn md1_waits_half_as_long() {
    let runs = queue("80/s", 1, r#"{ "constant": "10ms" }"#, r#""queue""#);
    assert_holds(
        "mean wait",
        &interval(&runs, |t| mean(waits(t))),
        0.8 / 20.0 / 2.0,
        0.02,
    );
}

/// A provider that answers at once, under a bucket of 20 a second that holds 40.
fn bucket(arrivals: &str) -> Vec<Tally> {
    let text = format!(
        r#"{{
        "name": "bucket",
        "traffic": {{
            "arrivals": {{ "{arrivals}": {{ "rate": "50/s" }} }},
            "classes": {{ "all": {{ "input": {{ "constant": 1 }}, "output": {{ "constant": 1 }} }} }}
        }},
        "providers": {{ "p": {{
            "response": {{ "constant": "10ms" }}, "prices": {{ "per_request": {{ "price": "$0" }} }},
            "limits": [ {{ "token_bucket": {{ "unit": "requests", "rate": "1200/min", "burst": 40 }} }} ]
        }} }},
        "policies": [ {{ "name": "only", "policy": {{ "single": {{ "provider": "p" }} }} }} ],
        "plan": {{ "duration": "2000s", "warmup": "200s" }}
    }}"#
    );
    replications(&plan(&text).scenarios[0], 5, 10)
}

/// Under overload a bucket stays nearly empty: what it admits is the refill of the counted time, up to one token.
#[test]
fn a_token_bucket_admits_its_rate_under_overload() {
    for tally in bucket("poisson") {
        let admitted = tally.ended(Outcome::Success) as f64;
        assert!((admitted - 20.0 * 2000.0).abs() <= 5.0, "{admitted}");
    }
}

/// One arrival each 20 ms, one token each 50 ms. In each 100 ms one request goes at 0 and one at 60; the refusal at 20 lasts
/// until 50 and the one at 80 until 100: half of the time.
#[test]
fn a_quota_refuses_for_as_long_as_its_token_is_missing() {
    let tally = &bucket("regular")[0];
    let quota = tally
        .bounds
        .iter()
        .find(|b| b.what == BoundKind::Quota)
        .expect("it has a quota");
    assert!(
        (quota.time as f64 / tally.counted as f64 - 0.5).abs() < 1e-3,
        "{}",
        quota.time
    );
}

/// The published breaker under independent failures with probability p and instant answers: closed is a walk up by one
/// with p and down by one with 1 − p, reflected at 0, until 5; open lasts 30 s; half-open until three successes, whatever
/// fails in between.
#[test]
fn a_breaker_is_open_as_long_as_its_chain_says() {
    let (p, rate) = (0.6f64, 20.0f64);
    let text = r#"{
        "name": "breaker",
        "traffic": {
            "arrivals": { "poisson": { "rate": "20/s" } },
            "classes": { "all": { "input": { "constant": 1 }, "output": { "constant": 1 } } }
        },
        "providers": { "p": {
            "response": { "constant": "0s" }, "prices": { "per_request": { "price": "$0" } },
            "faults": [ { "random": { "server_error": 0.6 } } ]
        } },
        "client": { "breaker": { "consecutive": { "failures": 5, "open_for": "30s", "successes": 3, "half_open": "unguarded" } } },
        "policies": [ { "name": "only", "policy": { "single": { "provider": "p" } } } ],
        "plan": { "duration": "39900s", "warmup": "100s" }
    }"#;
    let runs = replications(&plan(text).scenarios[0], 3, 20);
    // Mean steps from surplus k to 5, by first-step analysis: d(k) = steps from k to k + 1.
    // d(0) = 1 + (1−p) d(0); d(k) = 1 + (1−p)(d(k−1) + d(k)).
    let mut d = [1.0 / p, 0.0, 0.0, 0.0, 0.0];
    for k in 1..5 {
        d[k] = (1.0 + (1.0 - p) * d[k - 1]) / p;
    }
    // It trips at a call; half-open starts with the first call after the 30 s and lasts until the third success, which
    // falls on a call too; then the next `steps` calls. So a cycle is 30 s and (3/(1−p) + steps) gaps.
    let steps: f64 = d.iter().sum();
    let closed = (3.0 / (1.0 - p) + steps) / rate;
    let open = |t: &Tally| {
        let bound = t
            .bounds
            .iter()
            .find(|b| b.what == BoundKind::Breaker)
            .expect("it has a breaker");
        bound.time as f64 / t.counted as f64
    };
    assert_holds("open share", &interval(&runs, open), 30.0 / (30.0 + closed), 0.01);
    let refused = |t: &Tally| t.ended(Outcome::BreakerOpen) as f64 / t.requests() as f64;
    assert_holds("share refused", &interval(&runs, refused), 30.0 / (30.0 + closed), 0.01);
}
