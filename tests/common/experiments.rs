//! Random experiments that make sense: every part that a file can name, in any combination, and short.

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use serde_json::{Value, json};

/// The most tries of any retry rule here, times the most copies of each, times the most groups.
pub(crate) const MOST_TRIES: u64 = 4 * 4 * 2;
const MOST_RETRIES: u64 = 3;

/// An experiment of at most some thousand requests a policy.
pub(crate) fn experiments() -> impl Strategy<Value = Value> {
    (1_usize..=4, 1_usize..=4)
        .prop_flat_map(|(classes, providers)| {
            (
                arrivals(),
                vec(class(), classes),
                vec(provider(), providers),
                falling_back(client(), providers),
                policies(classes, providers),
            )
        })
        .prop_map(|((arrivals, duration), classes, providers, client, policies)| {
            let named = |prefix: &str, parts: Vec<Value>| -> Value {
                let parts = parts.into_iter().enumerate();
                parts.map(|(i, part)| (format!("{prefix}{i}"), part)).collect()
            };
            json!({
                "name": "case",
                "traffic": { "arrivals": arrivals, "classes": named("c", classes) },
                "providers": named("p", providers),
                "client": client,
                "policies": policies,
                "objectives": [{ "metric": "ttft.p95", "at_most": "2s" }, { "metric": "e2e.p50", "at_most": "5s" }],
                "plan": { "duration": duration, "warmup": "0s" },
            })
        })
}

/// One of these words.
fn word(words: &'static [&'static str]) -> impl Strategy<Value = Value> {
    prop::sample::select(words).prop_map(Value::from)
}

/// An object of `fields` without those that are null.
fn object(fields: Value) -> Value {
    match fields {
        Value::Object(fields) => fields.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        other => other,
    }
}

/// When requests come, and for how long: some thousand requests at most.
fn arrivals() -> impl Strategy<Value = (Value, Value)> {
    let timing = prop_oneof![
        (1_u32..60, Just("20s")),
        (1_u32..15, Just("2m")),
        (100_u32..1500, Just("700ms")),
    ];
    (timing, 0..3, 0.3..3.0_f64).prop_map(|((rate, duration), kind, cv)| {
        let rate = format!("{rate}/s");
        let arrivals = match kind {
            0 => json!({ "poisson": { "rate": rate } }),
            1 => json!({ "regular": { "rate": rate } }),
            _ => json!({ "gamma": { "rate": rate, "cv": cv } }),
        };
        (arrivals, json!(duration))
    })
}

fn class() -> impl Strategy<Value = Value> {
    (1_u32..10, 0_u8..4, 1_u32..2000, 1_u32..500, of(1_u32..300)).prop_map(
        |(share, priority, input, output, max_output)| {
            object(json!({
                "share": share,
                "priority": priority,
                "input": { "constant": input },
                "output": { "uniform": { "min": 1, "max": output + 1 } },
                "max_output": max_output,
            }))
        },
    )
}

fn provider() -> impl Strategy<Value = Value> {
    let latency = prop_oneof![
        (1_u32..3000).prop_map(|ms| json!({ "response": { "exponential": { "mean": format!("{ms}ms") } } })),
        (1_u32..2000, 10_u32..300).prop_map(|(ms, tps)| {
            let ttft = json!({ "lognormal": { "median": format!("{ms}ms"), "sigma": 0.6 } });
            json!({ "ttft": ttft, "tps": { "constant": tps } })
        }),
    ];
    let prices = prop_oneof![
        Just(json!({ "per_token": { "input": "$1/Mtok", "output": "$5/Mtok" } })),
        Just(json!({ "per_request": { "price": "$0.002" } })),
    ];
    let rest = (
        of(0_u32..50),
        of(1_u32..20),
        vec(limit(), 0..3),
        vec(fault(), 0..3),
        of(500_u32..5000),
        word(&["seconds", "milliseconds", "none"]),
        of(0.0..=1.0_f64),
    );
    (latency, prices, rest).prop_map(|(mut provider, prices, rest)| {
        let (network, connections, limits, faults, window, retry_after, quality) = rest;
        let others = object(json!({
            "prices": prices,
            "network": network.map(|ms| format!("{ms}ms")),
            "connections": connections,
            "limits": limits,
            "faults": faults,
            "context_window": window,
            "retry_after": retry_after,
            "quality": quality.map(|q| json!({ "c0": q })),
        }));
        if let (Value::Object(provider), Value::Object(others)) = (&mut provider, others) {
            provider.extend(others);
        }
        provider
    })
}

fn limit() -> impl Strategy<Value = Value> {
    let unit = || word(&["requests", "tokens", "input_tokens", "output_tokens"]);
    prop_oneof![
        (unit(), 1_u32..100_000, of(1_u32..20_000)).prop_map(|(unit, rate, burst)| {
            json!({ "token_bucket": object(json!({ "unit": unit, "rate": format!("{rate}/min"), "burst": burst })) })
        }),
        (unit(), 1_u32..20_000, 100_u32..60_000).prop_map(|(unit, limit, window)| {
            json!({ "fixed_window": { "unit": unit, "limit": limit, "window": format!("{window}ms") } })
        }),
    ]
}

fn fault() -> impl Strategy<Value = Value> {
    prop_oneof![
        (0.0..0.5_f64, 0.0..0.3_f64)
            .prop_map(|(error, hang)| json!({ "random": { "server_error": error, "hang": hang } })),
        (0_u32..20_000, 1_u32..20_000, word(&["refused", "hang"])).prop_map(|(from, lasts, answer)| {
            json!({ "outage": { "from": format!("{from}ms"), "for": format!("{lasts}ms"), "answer": answer } })
        }),
    ]
}

/// A client with a timeout that ends a hang.
fn client() -> impl Strategy<Value = Value> {
    let ms = |most: u32| (1..most).prop_map(|ms| format!("{ms}ms"));
    let admission = prop_oneof![
        (of(1_u32..50), word(&["priority", "fifo"]), of(ms(20_000))).prop_map(|(capacity, order, wait)| {
            json!({ "queue": object(json!({ "capacity": capacity, "order": order, "max_wait": wait })) })
        }),
        (20_u32..500, 0_u32..6, ms(10_000))
            .prop_map(|(base, ceiling, wait)| json!({ "poll": { "base": format!("{base}ms"), "ceiling": ceiling, "max_wait": wait } })),
        (1_u32..3000, 1_u32..50)
            .prop_map(|(rate, burst)| json!({ "one_bucket": { "rate": format!("{rate}/min"), "burst": burst } })),
    ];
    let limiter = prop_oneof![
        limit(),
        (1_u32..100_000, 1_u32..500).prop_map(|(rate, estimate)| {
            json!({ "token_bucket": { "unit": "tokens", "rate": format!("{rate}/min"), "burst": 5000, "estimate": estimate } })
        }),
    ];
    let timeouts =
        (of(ms(3000)), of(ms(3000)), of(ms(8000)), ms(30_000)).prop_map(|(connection, ttft, attempt, total)| {
            object(json!({ "connection": connection, "ttft": ttft, "attempt": attempt, "total": total }))
        });
    let jitter = prop_oneof![
        word(&["none", "full", "equal"]),
        Just(json!({ "add": ["0s", "1s"] })),
        Just(json!({ "plus_minus": "20%" })),
    ];
    let rule = word(&["at_least", "wait", "scale", "power", "ignore"]);
    let retry = prop_oneof![
        Just(json!("never")),
        (1..=MOST_RETRIES + 1, 0_u32..2000, jitter, rule, of(ms(2000))).prop_map(
            |(tries, base, jitter, rule, without)| {
                json!({ "exponential": object(json!({
                "tries": tries, "base": format!("{base}ms"), "jitter": jitter, "retry_after": rule,
                "without_retry_after": without,
            })) })
            }
        ),
    ];
    let retry = prop_oneof![
        retry,
        (0..=MOST_RETRIES, any::<bool>())
            .prop_map(|(n, flag)| json!({ "portkey": { "attempts": n, "use_retry_after_header": flag } })),
        (0..=MOST_RETRIES, any::<bool>()).prop_map(
            |(n, flag)| json!({ "envoy": { "num_retries": n, "retry_on": ["retryable"], "rate_limited": flag } })
        ),
        (0..=MOST_RETRIES, word(&["anew", "same"]))
            .prop_map(|(n, to)| json!({ "fixed": { "tries": n + 1, "wait": "0s", "where": to } })),
        (0..=MOST_RETRIES).prop_map(
            |n| json!({ "exponential": { "tries": n + 1, "jitter": "decorrelated", "on": ["retryable", "shed"] } })
        ),
        (0..=MOST_RETRIES).prop_map(
            |n| json!({ "litellm": { "num_retries": n, "retry_policy": { "rate_limit_error_retries": 3 } } })
        ),
        (0..=MOST_RETRIES).prop_map(|n| json!({ "bifrost": { "max_retries": n } })),
        (0..=MOST_RETRIES).prop_map(|n| json!({ "tensorzero": { "num_retries": n } })),
        (0..=MOST_RETRIES).prop_map(|n| json!({ "openai_sdk": { "max_retries": n } })),
        (0..=MOST_RETRIES)
            .prop_map(|n| json!({ "resilience4j_retry": { "max_attempts": n + 1, "randomization": 0.5 } })),
    ];
    let retry_budget = prop_oneof![
        (0_u32..20, 0.0..=1.0_f64)
            .prop_map(|(min, share)| json!({ "finagle": { "min_per_second": min, "share": share } })),
        (0_u32..20, 0.0..=1.0_f64)
            .prop_map(|(min, share)| json!({ "envoy": { "min_retry_concurrency": min, "budget_percent": share } })),
    ];
    let breaker = prop_oneof![
        Just(json!("never")),
        (1_u32..6, 0_u32..10_000, 1_u32..4, word(&["guarded", "unguarded"])).prop_map(
            |(failures, open, successes, half)| {
                json!({ "consecutive": {
                "failures": failures, "open_for": format!("{open}ms"), "successes": successes, "half_open": half,
            } })
            }
        ),
    ];
    let way_in = (admission, vec(limiter, 0..3), of(1_u32..100));
    (way_in, timeouts, retry, of(retry_budget), of(hedge()), breaker).prop_map(
        |((admission, limiters, max_in_flight), timeouts, retry, retry_budget, hedge, breaker)| {
            object(json!({
                "admission": admission,
                "limiters": limiters,
                "max_in_flight": max_in_flight,
                "timeouts": timeouts,
                "retry": retry,
                "retry_budget": retry_budget,
                "hedge": hedge,
                "breaker": breaker,
            }))
        },
    )
}

/// Copies at once, after a while, or once enough was seen.
fn hedge() -> impl Strategy<Value = Value> {
    let common = (
        1_u32..=3,
        any::<bool>(),
        word(&["first_token", "answer"]),
        any::<bool>(),
        of(0.0..0.5_f64),
    );
    (common, prop_oneof![Just(0_u32), 1_u32..3000], any::<bool>()).prop_map(
        |((most, elsewhere, race, on_failure, budget), ms, fixed)| {
            let mut hedge = object(json!({
                "most": most, "elsewhere": elsewhere, "race": race, "on_failure": on_failure, "budget": budget,
            }));
            if fixed {
                hedge["delay"] = json!(format!("{ms}ms"));
                json!({ "fixed": hedge })
            } else {
                hedge["min_samples"] = json!(5);
                hedge["window"] = json!("5s");
                hedge["percentile"] = json!(0.5);
                json!({ "percentile": hedge })
            }
        },
    )
}

/// The client of an experiment with so many providers: it may fall back from some of them to the others.
fn falling_back(client: impl Strategy<Value = Value>, providers: usize) -> impl Strategy<Value = Value> {
    let split = of((0..providers, word(&["first", "last"]), 0_u8..3));
    (client, split).prop_map(move |(mut client, split)| {
        if let Some((at, tells, most)) = split {
            let names = |from: usize, to: usize| (from..to).map(|i| format!("p{i}")).collect::<Vec<_>>();
            let mut groups = vec![json!({ "providers": names(0, at + 1) })];
            if at + 1 < providers {
                groups.push(json!({ "providers": names(at + 1, providers), "on": ["retryable", 400, "breaker_open"] }));
            }
            client["fallback"] = json!({ "groups": groups, "tells": tells, "most": most });
        }
        client
    })
}

/// One policy of each kind.
fn policies(classes: usize, providers: usize) -> impl Strategy<Value = Value> {
    let tiers = (
        0..providers,
        vec(0..2_usize, classes),
        word(&["fail", "up", "down"]),
        0.0..=1.0_f64,
    );
    (0..providers, vec(0_u32..5, providers), tiers).prop_map(move |(one, weights, tiers)| {
        let name = |i: usize| format!("p{i}");
        let weights: Value = weights
            .iter()
            .enumerate()
            .map(|(i, weight)| (name(i), json!(weight + u32::from(i == one))))
            .collect();
        let (split, homes, otherwise, misread) = tiers;
        let low: Vec<String> = (0..=split).map(name).collect();
        let high: Vec<String> = (split..providers).map(name).collect();
        let of_tier = |tier: usize| -> Vec<String> {
            (0..classes)
                .filter(|&c| homes[c] == tier)
                .map(|c| format!("c{c}"))
                .collect()
        };
        let wrong = if homes[0] == 0 { "high" } else { "low" };
        json!([
            { "name": "single", "policy": { "single": { "provider": name(one) } } },
            { "name": "turns", "policy": "round_robin" },
            { "name": "weighted", "policy": { "weighted": { "weights": weights } } },
            { "name": "tiered", "policy": { "tiered": {
                "tiers": [
                    { "name": "low", "providers": low, "classes": of_tier(0) },
                    { "name": "high", "providers": high, "classes": of_tier(1) },
                ],
                "misread": { "c0": { wrong: misread } },
                "otherwise": otherwise,
            } } },
        ])
    })
}
