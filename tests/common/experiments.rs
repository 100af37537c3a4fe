//! Random experiments that make sense: every part that a file can name, in any combination, and short.

use super::parts::{examples, put};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use serde_json::{Value, json};

/// The most tries of any retry rule here, times the most copies of each, times the most groups, times the most stages or targets.
pub(crate) const MOST_TRIES: u64 = 4 * 4 * 2 * MOST_TARGETS;
/// The most leaves that a tree of strategies tries one after another, which are more than a cascade has stages.
const MOST_TARGETS: u64 = 4 + 1;
const MOST_RETRIES: u64 = 3;

/// An experiment of at most some thousand requests a policy: with parts of many parameters, and with some registered parts as
/// their pages show them, so that a new one joins by itself.
pub(crate) fn experiments() -> BoxedStrategy<Value> {
    let registered = prop::sample::select(registered());
    (composed(), vec(registered, 0..4))
        .prop_map(|(mut experiment, parts)| {
            for (kind, part) in parts {
                let mut with = experiment.clone();
                place(&mut with, kind, &part);
                if fits(&with) {
                    experiment = with;
                }
            }
            experiment
        })
        .boxed()
}

/// Every registered part with its kind, but for those that a program or a file beside the experiment brings.
fn registered() -> Vec<(&'static str, Value)> {
    let mut all = Vec::new();
    for (kind, examples) in examples() {
        let apart = ["own", "script", "replay", "column"];
        let here = examples.into_iter().filter(|(name, _)| !apart.contains(name));
        all.extend(here.map(|(_, part)| (kind.name, part)));
    }
    all
}

/// Puts `part` into the experiment, with its providers and classes in place of those that the part's page speaks of.
fn place(experiment: &mut Value, kind: &str, part: &Value) {
    let names = |of: &Value| -> Vec<String> {
        of.as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| name.clone())
            .collect()
    };
    let providers = names(&experiment["providers"]);
    let classes = names(&experiment["traffic"]["classes"]);
    let mut part = part.clone();
    // A name that the experiment lacks is found by what it is refused for; a part that asks for many lacks many.
    for _ in 0..20 {
        // One policy is enough to tell: the others are not built each time.
        let mut with = experiment.clone();
        with["policies"] = json!([{ "name": "turns", "policy": "round_robin" }]);
        put_kept(&mut with, kind, &part);
        let Err(error) = assembled(&with) else { break };
        let missing = |what: &str| {
            let rest = error.split_once(&format!("there is no {what} `"))?.1;
            Some(rest.split('`').next().unwrap_or_default().to_owned())
        };
        let (name, all) = match (missing("provider"), missing("class")) {
            (Some(provider), _) => (provider, &providers),
            (_, Some(class)) => (class, &classes),
            _ => break,
        };
        let other = &all[name.len() % all.len()];
        let text = part
            .to_string()
            .replace(&format!("\"{name}\""), &format!("\"{other}\""));
        let Ok(renamed) = serde_json::from_str(&text) else {
            break;
        };
        part = renamed;
    }
    put_kept(experiment, kind, &part);
}

/// Puts `part` where one of its kind stands; what else is there stays.
fn put_kept(experiment: &mut Value, kind: &str, part: &Value) {
    if kind == "policy" {
        if let Some(policies) = experiment["policies"].as_array_mut() {
            policies.push(json!({ "name": "registered", "policy": part }));
        }
        return;
    }
    put(experiment, kind, Some(part));
}

fn assembled(experiment: &Value) -> Result<(), String> {
    let loaded = simcap::experiment::load::from_text("case.json", &experiment.to_string());
    let mut loaded = loaded.map_err(|error| error.to_string())?;
    let script = include_str!("least.rhai");
    loaded
        .add_script("least.rhai", script)
        .map_err(|error| error.to_string())?;
    simcap::experiment::assemble::assemble(&loaded)
        .map(drop)
        .map_err(|error| error.to_string())
}

/// Whether simcap takes it: not every part goes with every other.
fn fits(experiment: &Value) -> bool {
    assembled(experiment).is_ok()
}

/// An experiment of parts with many parameters.
fn composed() -> BoxedStrategy<Value> {
    (1_usize..=4, 1_usize..=4)
        .prop_flat_map(|(classes, providers)| {
            (
                (arrivals(), of((users(), 0..classes))),
                vec(class(), classes),
                vec((provider(), prop::bool::ANY), providers),
                of(vec(quota(), 0..3)),
                falling_back(client(), providers),
                policies(classes, providers),
                users(),
            )
        })
        .prop_map(
            |(((arrivals, others, duration), beside), classes, providers, account, mut client, mut policies, users)| {
                let source = |arrivals: Value, users: Option<Value>| {
                    let has_users = ["closed_loop", "conversations", "agents"]
                        .iter()
                        .any(|own| arrivals.get(own).is_some());
                    object(json!({ "arrivals": arrivals, "users": users.filter(|_| !has_users) }))
                };
                let mut traffic = source(arrivals, users);
                if let Some((users, class)) = beside {
                    let mut other = source(others, users);
                    other["classes"] = json!({ format!("c{class}"): 1 });
                    traffic = json!({ "streams": { "one": traffic, "other": other } });
                }
                let said = traffic.to_string();
                let knows_users = said.contains("\"users\"");
                if !knows_users {
                    without_users(&mut policies);
                }
                let comes_back = classes.iter().any(|class| class.get("prompts").is_some());
                if !comes_back && client.pointer("/response_cache/hits/keyed").is_some() {
                    client["response_cache"]["hits"] = json!({ "stated": { "share": 0.3 } });
                }
                let shared = account.is_some() && providers.iter().any(|(_, shares)| *shares);
                let bounded = providers
                    .iter()
                    .any(|(provider, _)| provider.get("connections").is_some());
                if !bounded && let Some(timeouts) = client["timeouts"].as_object_mut() {
                    timeouts.remove("connection");
                }
                let providers = providers.into_iter().map(|(mut provider, shares)| {
                    if shares && shared {
                        provider["account"] = json!("org");
                    }
                    if !knows_users && provider["prompt_cache"].get("returning").is_some() {
                        provider["prompt_cache"] = json!({ "random": { "hit": 0.5, "share": 0.5 } });
                    }
                    provider
                });
                let providers: Vec<Value> = providers.collect();
                let accounts = account
                    .filter(|_| shared)
                    .map_or(json!({}), |limits| json!({ "org": { "limits": limits } }));
                let named = |prefix: &str, parts: Vec<Value>| -> Value {
                    let parts = parts.into_iter().enumerate();
                    parts.map(|(i, part)| (format!("{prefix}{i}"), part)).collect()
                };
                traffic["classes"] = named("c", classes);
                traffic["tags"] = json!({ "team": { "search": 3, "chat": 2, "ops": 1 } });
                json!({
                    "name": "case",
                    "traffic": traffic,
                    "providers": named("p", providers),
                    "accounts": accounts,
                    "client": client,
                    "policies": policies,
                    "objectives": [{ "metric": "ttft.p95", "at_most": "2s" }, { "metric": "e2e.p50", "at_most": "5s" }],
                    "plan": { "duration": duration, "warmup": "0s" },
                })
            },
        )
        .boxed()
}

/// One of these words.
fn word(words: &'static [&'static str]) -> BoxedStrategy<Value> {
    prop::sample::select(words).prop_map(Value::from).boxed()
}

/// An object of `fields` without those that are null.
fn object(fields: Value) -> Value {
    match fields {
        Value::Object(fields) => fields.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        other => other,
    }
}

/// The users of a source, or none.
fn users() -> BoxedStrategy<Option<Value>> {
    of((1_u32..100, 0.0..3.0_f64))
        .prop_map(|users| users.map(|(count, skew)| json!({ "count": count, "skew": skew })))
        .boxed()
}

/// When requests come from one source and from another, and for how long: some thousand requests at most.
fn arrivals() -> BoxedStrategy<(Value, Value, Value)> {
    let timing = prop_oneof![
        (1_u32..60, Just("20s")),
        (1_u32..15, Just("2m")),
        (100_u32..1500, Just("700ms")),
    ];
    (timing, 0..9, 0..9, 0.3..3.0_f64).prop_map(|((rate, duration), one, other, cv)| {
        let (users, think) = (1 + rate % 20, format!("{}ms", (1500.0 / cv) as u32));
        let rate = format!("{rate}/s");
        let arrivals = |kind: i32| match kind {
            0 => json!({ "poisson": { "rate": rate } }),
            1 => json!({ "regular": { "rate": rate } }),
            2 => json!({ "mmpp": { "states": [ { "rate": rate, "stay": "400ms" }, { "stay": think } ] } }),
            3 => json!({ "closed_loop": object(json!({
                "users": users, "think": { "exponential": { "mean": think } }, "ramp": (cv > 1.0).then_some("1s"),
            })) }),
            4 => json!({ "weibull": { "rate": rate, "cv": cv } }),
            5 => json!({ "schedule": {
                "points": [ { "at": "0s", "rate": rate }, { "at": think, "rate": "3/s" } ],
                "between": if cv > 1.0 { "lines" } else { "steps" },
                "every": (users > 9).then_some("9s"),
            } }),
            6 => json!({ "profile": { "preset": "office", "peak": rate, "over": { "gamma": { "rate": "1/s", "cv": cv } } } }),
            7 => json!({ "batch": object(json!({ "size": users, "every": "6s", "spread": (cv > 1.0).then_some(&think) })) }),
            _ => json!({ "gamma": { "rate": rate, "cv": cv } }),
        };
        (arrivals(one), arrivals(other), json!(duration))
    }).boxed()
}

fn class() -> BoxedStrategy<Value> {
    let prompts = of((1_u32..100, 0.0..2.0_f64));
    (
        1_u32..10,
        0_u8..4,
        1_u32..2000,
        1_u32..500,
        of(1_u32..300),
        prompts,
        of(0_u32..9000),
    )
        .prop_map(|(share, priority, input, output, max_output, prompts, patience)| {
            object(json!({
                "prompts": prompts.map(|(count, skew)| json!({ "count": count, "skew": skew })),
                "share": share,
                "priority": priority,
                "input": { "constant": input },
                "output": { "uniform": { "min": 1, "max": output + 1 } },
                "max_output": max_output,
                "patience": patience.map(|ms| json!({ "uniform": { "min": "0s", "max": format!("{}ms", ms + 1) } })),
            }))
        })
        .boxed()
}

fn provider() -> BoxedStrategy<Value> {
    let latency = prop_oneof![
        (1_u32..3000, vec(load(false), 0..3)).prop_map(|(ms, load)| {
            json!({ "response": { "exponential": { "mean": format!("{ms}ms") } }, "load": load })
        }),
        (1_u32..2000, 10_u32..300, of(500_u32..50_000), vec(load(true), 0..4)).prop_map(|(ms, tps, prefill, load)| {
            let ttft = json!({ "lognormal": { "median": format!("{ms}ms"), "sigma": 0.6 } });
            object(json!({ "ttft": ttft, "tps": { "constant": tps }, "prefill": prefill, "load": load }))
        }),
    ];
    let prices = prop_oneof![
        Just(json!({ "per_token": { "input": "$1/Mtok", "output": "$5/Mtok" } })),
        Just(json!({ "per_request": { "price": "$0.002" } })),
        (1_u32..3000, of(0_u32..100)).prop_map(|(above, off)| {
            json!({ "per_token": object(json!({
                "input": "$1.25/Mtok", "output": "$10/Mtok", "cached_input": "$0.125/Mtok", "per_request": "$0.0001",
                "long_context": [ { "above": above, "input": "$2.5/Mtok" } ], "batch": off.map(|off| format!("{off}%")),
            })) })
        }),
        (0_u32..100, 1_u32..20)
            .prop_map(|(price, units)| json!({ "reserved": { "price": format!("${price}/h"), "units": units } })),
        word(&["gpt-4.1", "claude-haiku-5-5", "gemini-2.5-pro"])
            .prop_map(|model| json!({ "listed": { "model": model } })),
    ];
    let rest = (
        of(0_u32..50),
        of(1_u32..20),
        vec(quota(), 0..3),
        vec(fault(), 0..3),
        of(500_u32..5000),
        word(&["seconds", "milliseconds", "none"]),
        of(0.0..=1.0_f64),
        (of(prompt_cache()), word(&["written", "whole", "nothing"])),
    );
    (latency, prices, rest)
        .prop_map(|(mut provider, prices, rest)| {
            let (network, connections, limits, faults, window, retry_after, quality, (prompt_cache, hung_up)) = rest;
            let others = object(json!({
                "prices": prices,
                "hung_up": hung_up,
                "network": network.map(|ms| format!("{ms}ms")),
                "connections": connections,
                "limits": limits,
                "faults": faults,
                "context_window": window,
                "retry_after": retry_after,
                "quality": quality.map(|q| json!({ "c0": q })),
                "prompt_cache": prompt_cache,
            }));
            if let (Value::Object(provider), Value::Object(others)) = (&mut provider, others) {
                provider.extend(others);
            }
            provider
        })
        .boxed()
}

/// What load does to a provider, of one that streams or of one that does not.
fn load(streams: bool) -> BoxedStrategy<Value> {
    let full = word(&["overloaded", "unavailable", "rate_limited"]);
    let table = || (1_u32..50, 0.5..5.0_f64).prop_map(|(most, factor)| json!([[1, 1], [most + 1, factor]]));
    (
        0..if streams { 4 } else { 3 },
        (1_u32..20, of(0_u32..20), full, word(&["finish", "abort"])),
        (table(), of(table())),
        (0_u32..5000, 0_u32..5000, word(&["wait", "unavailable"])),
        1_u32..2000,
    )
        .prop_map(
            |(kind, slots, (step, ttft), (idle, extra, until_warm), tokens)| match kind {
                0 => {
                    let (servers, queue, when_full, on_hang_up) = slots;
                    json!({ "slots": object(json!({
                    "servers": servers, "queue": queue, "when_full": when_full, "on_hang_up": on_hang_up,
                })) })
                }
                1 => json!({ "batching": object(json!({ "step": step, "ttft": ttft })) }),
                2 => json!({ "cold_start": {
                "idle": format!("{idle}ms"), "extra": { "constant": format!("{extra}ms") }, "until_warm": until_warm,
            } }),
                _ => json!({ "throughput": { "tokens": format!("{tokens}/s") } }),
            },
        )
        .boxed()
}

fn prompt_cache() -> BoxedStrategy<Value> {
    let random = (0.0..=1.0_f64, 0.0..=1.0_f64, 0_u32..1500, 1_u32..200, 0.1..=1.0_f64).prop_map(
        |(hit, share, min_tokens, granularity, ttft)| {
            json!({ "random": {
                "hit": hit, "share": share, "min_tokens": min_tokens, "granularity": granularity, "ttft": ttft,
            } })
        },
    );
    let returning = (0.0..=1.0_f64, 0_u32..500, prop::bool::ANY, 1_u32..20, 0.1..=1.0_f64).prop_map(
        |(share, min_tokens, refresh, capacity, ttft)| {
            json!({ "returning": {
                "share": share, "common": min_tokens, "min_tokens": min_tokens, "granularity": 1, "ttl": "15s",
                "refresh": refresh, "capacity": capacity, "ttft": ttft,
            } })
        },
    );
    prop_oneof![random, returning].boxed()
}

/// What an attempt costs a quota; the ordinary way half the time.
fn charge() -> BoxedStrategy<Value> {
    let start = (
        word(&["max_tokens", "input"]),
        prop::bool::ANY,
        0.0..=1.0_f64,
        prop::bool::ANY,
    );
    prop_oneof![
        Just(Value::Null),
        start.prop_map(|(reserve, reconcile, cached, failed)| {
            json!({ "reserve": reserve, "reconcile": reconcile, "cached_weight": cached, "failed_requests": failed })
        }),
        prop::bool::ANY.prop_map(|failed| json!({ "at": "end", "failed_requests": failed })),
    ]
    .boxed()
}

/// A limit that a client can hold as well.
fn limit() -> BoxedStrategy<Value> {
    let unit = || word(&["requests", "tokens", "input_tokens", "output_tokens"]);
    let windows = |names: &'static [&'static str]| {
        (
            prop::sample::select(names),
            unit(),
            1_u32..20_000,
            100_u32..60_000,
            charge(),
        )
            .prop_map(|(name, unit, limit, window, charge)| {
                json!({ name: object(json!({
                    "unit": unit, "limit": limit, "window": format!("{window}ms"), "charge": charge,
                })) })
            })
    };
    prop_oneof![
        (unit(), 1_u32..100_000, of(1_u32..20_000)).prop_map(|(unit, rate, burst)| {
            json!({ "token_bucket": object(json!({ "unit": unit, "rate": format!("{rate}/min"), "burst": burst })) })
        }),
        windows(&["fixed_window", "sliding_counter", "gcra"]),
    ]
    .boxed()
}

/// A provider's quota.
fn quota() -> BoxedStrategy<Value> {
    let unit = || word(&["requests", "tokens", "input_tokens", "output_tokens"]);
    prop_oneof![
        3 => limit(),
        1 => (unit(), 1_u32..100_000, charge()).prop_map(|(unit, rate, charge)| {
            json!({ "token_bucket": object(json!({ "unit": unit, "rate": format!("{rate}/min"), "charge": charge })) })
        }),
        1 => (unit(), 1_u32..20_000, 100_u32..60_000, charge()).prop_map(|(unit, limit, window, charge)| {
            json!({ "sliding_log": object(json!({
                "unit": unit, "limit": limit, "window": format!("{window}ms"), "charge": charge,
            })) })
        }),
        1 => (unit(), 1_u32..20_000, word(&["1s", "10s"]), charge()).prop_map(|(unit, limit, slice, charge)| {
            json!({ "slices": object(json!({ "unit": unit, "limit": limit, "slice": slice, "charge": charge })) })
        }),
        1 => (1_u32..50).prop_map(|limit| json!({ "concurrent": { "limit": limit } })),
        1 => word(&["anthropic/haiku-4.5/tier-1", "gemini/2.5-flash/tier-1", "groq/llama-3.3-70b/free"])
            .prop_map(|name| json!({ "preset": { "name": name } })),
    ]
    .boxed()
}

/// Any way to fail at random.
const WAYS: [&str; 20] = [
    "server_error",
    "hang",
    "bad_gateway",
    "unavailable",
    "gateway_timeout",
    "overloaded",
    "rate_limited",
    "request_timeout",
    "connection_error",
    "truncated",
    "stalled",
    "content_filtered",
    "unauthorized",
    "payment_required",
    "forbidden",
    "not_found",
    "conflict",
    "payload_too_large",
    "unprocessable",
    "bad_request",
];

/// Probabilities of up to three ways to fail, together below 1; those that come back may say after how long, and those with a
/// status what their Retry-After is.
fn random() -> BoxedStrategy<Value> {
    let manner = (of(0_u32..3_000), of(0_u32..5_000), any::<bool>());
    vec((prop::sample::select(&WAYS[..]), 0.0..0.3_f64, manner), 0..=3)
        .prop_map(|ways| {
            let one = |(way, share, (after, header, law)): (&str, f64, (Option<u32>, Option<u32>, bool))| {
                let comes_back = !["hang", "truncated", "stalled"].contains(&way);
                let after = after.filter(|_| comes_back).map(|ms| match law {
                    true => json!({ "uniform": { "min": format!("{ms}ms"), "max": format!("{}ms", ms + 500) } }),
                    false => json!(format!("{ms}ms")),
                });
                let header = header.filter(|_| comes_back && way != "connection_error");
                let said = match (&after, header) {
                    (None, None) => json!(share),
                    _ => object(
                        json!({ "share": share, "after": after, "retry_after": header.map(|ms| format!("{ms}ms")) }),
                    ),
                };
                (way.to_owned(), said)
            };
            ways.into_iter().map(one).collect()
        })
        .boxed()
}

fn fault() -> BoxedStrategy<Value> {
    let answer = || {
        word(&[
            "refused",
            "hang",
            "unavailable",
            "connection_error",
            "unreachable",
            "overloaded",
            "rate_limited",
        ])
    };
    let state = || {
        (random(), 0.5..5.0_f64)
            .prop_map(|(faults, factor)| json!({ "faults": faults, "ttft": factor, "speed": 1.0 / factor }))
    };
    prop_oneof![
        random().prop_map(|random| json!({ "random": random })),
        (0_u32..20_000, 1_u32..20_000, answer(), of(0.01..=1.0_f64)).prop_map(|(from, lasts, answer, share)| {
            json!({ "outage": object(json!({ "from": format!("{from}ms"), "for": format!("{lasts}ms"), "answer": answer, "share": share })) })
        }),
        (0_u32..20_000, 1_u32..20_000, 0.5..5.0_f64).prop_map(|(from, lasts, factor)| {
            json!({ "slow_down": { "from": format!("{from}ms"), "for": format!("{lasts}ms"), "ttft": factor, "speed": 1.0 / factor } })
        }),
        (0_u32..24, 0.5..2.0_f64).prop_map(|(start, peak)| {
            json!({ "time_of_day": { "start": format!("{start}h"), "ttft": { "wave": { "peak": peak, "trough": 1, "at": "15h" } } } })
        }),
        (1_u32..30, 1_u32..5000).prop_map(|(every, lasts)| {
            let lasts = json!({ "exponential": { "mean": format!("{lasts}ms") } });
            json!({ "spikes": { "every": format!("{every}s"), "for": lasts, "ttft": { "uniform": { "min": 1, "max": 20 } } } })
        }),
        (state(), state(), 0.0..=1.0_f64).prop_map(|(degraded, outage, share)| {
            let law = |median: &str| json!({ "lognormal": { "median": median, "sigma": 1.2 } });
            json!({ "regimes": {
                "between": law("5s"), "repair": law("2s"), "outage_share": share, "degraded": degraded, "outage": outage,
            } })
        }),
        (0_u32..20, of(20_u32..50), answer()).prop_map(|(above, full, answer)| {
            json!({ "overload": object(json!({ "above": above, "full": full, "answer": answer })) })
        }),
    ].boxed()
}

/// A queue of any order and any way to shed.
fn queue() -> BoxedStrategy<Value> {
    let order = prop_oneof![
        word(&["priority", "fifo", "lifo"]),
        vec(1_u32..9, 1..5).prop_map(|weights| json!({ "weighted_fair": { "weights": weights } })),
        (1_u32..5000).prop_map(|step| json!({ "aging": { "step": format!("{step}ms") } })),
    ];
    let codel = (1_u32..500, 1_u32..2000)
        .prop_map(|(target, interval)| json!({ "target": format!("{target}ms"), "interval": format!("{interval}ms") }));
    let deadline = (0_u32..5000, 0_u32..10_000).prop_map(
        |(expected, more)| json!({ "expected": format!("{expected}ms"), "within": format!("{}ms", expected + more) }),
    );
    let shed = word(&["reject", "drop_oldest", "drop_lowest"]);
    (of(1_u32..50), order, shed, of(codel), of(deadline), of(1_u32..20_000))
        .prop_map(|(capacity, order, shed, codel, deadline, wait)| {
            json!({ "queue": object(json!({
                "capacity": capacity, "order": order, "shed": shed, "codel": codel, "deadline": deadline,
                "max_wait": wait.map(|ms| format!("{ms}ms")),
            })) })
        })
        .boxed()
}

/// A limit on concurrency that learns.
fn adaptive() -> BoxedStrategy<Value> {
    (0..3, 1_u32..20, 0_u32..100, 1_u32..5000)
        .prop_map(|(kind, min, more, ms)| match kind {
            0 => {
                json!({ "gradient2": { "min": min, "initial": min + more, "max": min + 2 * more, "long_window": ms } })
            }
            1 => json!({ "aimd": { "min": min, "initial": min, "max": min + more, "timeout": format!("{ms}ms") } }),
            _ => json!({ "envoy_gradient": {
            "min": min, "max": min + more, "update_interval": format!("{ms}ms"),
            "min_rtt_interval": format!("{}ms", 7 * ms), "min_rtt_requests": 1 + more,
        } }),
        })
        .boxed()
}

/// A throttle that turns away by chance.
fn throttle() -> BoxedStrategy<Value> {
    (any::<bool>(), 1.0..5.0_f64, 1_u32..60).prop_map(|(sre, factor, window)| {
        if sre {
            json!({ "sre_throttle": { "k": factor, "window": format!("{window}s") } })
        } else {
            json!({ "envoy_admission_control": { "aggression": factor, "window": format!("{window}s"), "rps": window / 4 } })
        }
    }).boxed()
}

/// A client with a timeout that ends a hang.
fn client() -> BoxedStrategy<Value> {
    let ms = |most: u32| (1..most).prop_map(|ms| format!("{ms}ms"));
    let admission = prop_oneof![
        queue(),
        queue().prop_map(|line| json!({ "each": { "per": "class", "queue": line["queue"] } })),
        (1_u32..500, 100_u32..60_000, ms(20_000)).prop_map(|(limit, window, wait)| {
            json!({ "window_poll": { "limit": limit, "window": format!("{window}ms"), "max_wait": wait } })
        }),
        (20_u32..500, 0_u32..6, ms(10_000))
            .prop_map(|(base, ceiling, wait)| json!({ "poll": { "base": format!("{base}ms"), "ceiling": ceiling, "max_wait": wait } })),
        (1_u32..3000, 1_u32..50)
            .prop_map(|(rate, burst)| json!({ "one_bucket": { "rate": format!("{rate}/min"), "burst": burst } })),
    ];
    let inner = prop_oneof![
        limit(),
        (1_u32..20).prop_map(|limit| json!({ "concurrent": { "limit": limit } }))
    ];
    let limiter = prop_oneof![
        limit(),
        (inner, word(&["refuse", "wait"]), word(&["class", "tag.team"]))
            .prop_map(|(limiter, over, per)| json!({ "each": { "per": per, "limiter": limiter, "over": over } })),
        (word(&["requests", "tokens"]), 1_u32..5000, charge()).prop_map(|(unit, limit, charge)| {
            json!({ "sliding_window": object(json!({ "unit": unit, "limit": limit, "window": "10s", "charge": charge })) })
        }),
        adaptive(),
        throttle(),
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
        (0..=MOST_RETRIES, any::<bool>(), of(0_u32..9)).prop_map(|(n, flag, most)| {
            json!({ "envoy": { "num_retries": n, "retry_on": ["retryable"], "rate_limited": flag, "max_retries": most } })
        }),
        (1..=MOST_RETRIES, any::<bool>()).prop_map(
            |(n, last)| json!({ "fixed": { "tries": n + 1, "wait": "1ms", "where": { "redispatch": if last { -1 } else { 1 } } } })
        ),
        (0..=MOST_RETRIES, word(&["anew", "same", "elsewhere"]))
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
    let budget = (
        1_u32..2000,
        of(1_u32..5_000_000),
        word(&["reject", "queue"]),
        prop::bool::ANY,
        of(word(&["class", "tag.team"])),
    )
        .prop_map(|(millis, tokens, then, own, each)| {
            let own = own && then == "reject";
            let alerts = if each.is_some() { json!([]) } else { json!(["50%", 1]) };
            object(json!({
                "per": "hour", "money": format!("$0.{millis:04}"), "tokens": tokens, "on_exhausted": then,
                "providers": own.then_some(["p0"]), "alerts": alerts, "each": each,
            }))
        });
    let way_in = (admission, vec(limiter, 0..3), of(1_u32..100), of(response_cache()));
    let after = (timeouts, retry, of(retry_budget), of(hedge()));
    (way_in, after, breaker(), vec(budget, 0..3))
        .prop_map(
            |(
                (admission, limiters, max_in_flight, response_cache),
                (timeouts, retry, retry_budget, hedge),
                breaker,
                budgets,
            )| {
                object(json!({
                    "admission": admission,
                    "limiters": limiters,
                    "max_in_flight": max_in_flight,
                    "response_cache": response_cache,
                    "timeouts": timeouts,
                    "retry_budget": retry_budget.filter(|_| retry != "never"),
                    "retry": retry,
                    "hedge": hedge,
                    "breaker": breaker,
                    "budgets": budgets,
                }))
            },
        )
        .boxed()
}

/// A response cache of the gateway.
fn response_cache() -> BoxedStrategy<Value> {
    let store = prop_oneof![
        (0.0..=1.0_f64).prop_map(|share| json!({ "stated": { "share": share } })),
        (
            of(1_u32..20_000),
            of(1_u32..40),
            word(&["last_write", "first_write", "last_use"]),
            word(&["oldest", "least_recent"])
        )
            .prop_map(|(ttl, entries, from, evicts)| {
                json!({ "keyed": object(json!({
                    "ttl": ttl.map(|ms| format!("{ms}ms")), "entries": entries, "lives_from": from, "evicts": evicts,
                })) })
            }),
    ];
    (store, of(0.0..=1.0_f64), of(1_u32..500), prop::bool::ANY).prop_map(|(store, wrong, lookup, own)| {
        object(json!({
            "hits": store, "mode": if wrong.is_some() { "semantic" } else { "exact" }, "wrong": wrong, "per_gateway": own,
            "lookup": lookup.map(|ms| json!({ "exponential": { "mean": format!("{ms}ms") } })),
        }))
    }).boxed()
}

/// What keeps calls from a provider that fails.
fn breaker() -> BoxedStrategy<Value> {
    let ms = |least: u32, most: u32| (least..most).prop_map(|ms| format!("{ms}ms"));
    let counted = (1_u32..6, 0_u32..10_000, 1_u32..4, word(&["guarded", "unguarded"])).prop_map(
        |(failures, open, successes, half)| {
            json!({ "consecutive": {
                "failures": failures, "open_for": format!("{open}ms"), "successes": successes, "half_open": half,
            } })
        },
    );
    let cooldown = (word(&["1.109", "1.80"]), of(0_u32..5), of(ms(0, 9000)), any::<bool>()).prop_map(
        |(version, allowed, time, own)| {
            json!({ "litellm_cooldown": object(json!({
                "version": version, "allowed_fails": allowed, "cooldown_time": time,
                "deployments": own.then(|| json!({ "p0": "3s" })),
            })) })
        },
    );
    let sliding = (
        (word(&["count_based", "time_based"]), 1_u32..30, 1_u32..30, 0.01..=1.0_f64, 0.01..=1.0_f64),
        (ms(0, 3000), 1_u32..5, ms(0, 5000), ms(0, 9000), any::<bool>()),
    )
        .prop_map(|((kind, size, minimum, failed, slow), (slow_from, trials, half, open, automatic))| {
            json!({ "resilience4j": {
                "sliding_window_type": kind, "sliding_window_size": size, "minimum_number_of_calls": minimum,
                "failure_rate_threshold": failed, "slow_call_rate_threshold": slow, "slow_call_duration_threshold": slow_from,
                "permitted_calls_in_half_open": trials, "max_wait_in_half_open": half, "wait_duration_in_open_state": open,
                "automatic_transition": automatic, "record": ["5xx", "timeout", 429], "ignore": [400],
            } })
        });
    let outlier = (
        (0_u32..6, 0_u32..6, 0_u32..6, any::<bool>(), ms(1, 9000)),
        (ms(0, 5000), 0.0..=1.0_f64, any::<bool>(), 0_u32..20, 0.0..=1.0_f64, 0.0..=1.0_f64),
    )
        .prop_map(|((server, gateway, local, split, interval), (base, most, one, volume, enforcing, panic))| {
            json!({ "envoy_outlier": {
                "consecutive_5xx": server, "consecutive_gateway_failure": gateway, "consecutive_local_origin_failure": local,
                "split_external_local_origin_errors": split, "interval": interval, "base_ejection_time": base,
                "max_ejection_time_jitter": "500ms", "max_ejection_percent": most, "always_eject_one_host": one,
                "success_rate_minimum_hosts": 2, "success_rate_request_volume": volume,
                "failure_percentage_minimum_hosts": 1, "failure_percentage_request_volume": volume,
                "enforcing_failure_percentage": enforcing, "enforcing_consecutive_gateway_failure": enforcing,
                "panic_threshold": panic,
            } })
        });
    let others = prop_oneof![
        (0.01..=1.0_f64, 2_u32..20, ms(500, 9000), ms(500, 9000)).prop_map(|(ratio, minimum, sampling, open)| {
            json!({ "polly": {
                "failure_ratio": ratio, "minimum_throughput": minimum, "sampling_duration": sampling, "break_duration": open,
            } })
        }),
        (0_u32..6, ms(0, 5000), ms(1, 9000), 1_u32..4).prop_map(|(failures, interval, open, trials)| {
            json!({ "gobreaker": {
                "consecutive_failures": failures, "interval": interval, "timeout": open, "max_requests": trials,
            } })
        }),
        (0.0..=1.0_f64, 0_u32..20, 1_u32..20, ms(0, 5000)).prop_map(|(ratio, minimum, looks, grace)| {
            json!({ "helicone": {
                "ratio": ratio, "minimum": minimum, "window": format!("{}ms", 500 * looks), "interval": "500ms",
                "retry_after": "1s", "grace": grace,
            } })
        }),
        (0.0..=1.0_f64, 1_u32..30, of(ms(0, 9000))).prop_map(|(rate, window, close)| {
            json!({ "rollback": object(json!({ "primary": "p0", "error_rate": rate, "window": window, "close_after": close })) })
        }),
        (1_u32..20, 0.0..=1.0_f64, ms(0, 9000), 1_u32..20).prop_map(|(volume, share, sleep, looks)| {
            json!({ "hystrix": {
                "request_volume_threshold": volume, "error_threshold_percentage": share, "sleep_window": sleep,
                "rolling_window": format!("{}ms", 250 * looks), "snapshot_interval": "250ms",
            } })
        }),
        (0.0..=1.0_f64, ms(10, 9000), 0_u32..9, 1_u32..6, ms(1, 9000)).prop_map(|(rate, window, least, row, dead)| {
            json!({ "finagle_accrual": {
                "success_rate": rate, "window": window, "minimum_requests": least, "consecutive_failures": row,
                "mark_dead_for": dead, "mark_dead_for_max": "20s",
            } })
        }),
        (1_u32..6, of(0.01..=1.0_f64), 0_u32..9).prop_map(|(failures, share, least)| {
            json!({ "portkey": object(json!({
                "failure_threshold": failures, "failure_threshold_percentage": share, "minimum_requests": least,
            })) })
        }),
        (0_u32..6, ms(1, 9000)).prop_map(|(fails, out)| {
            json!({ "kong": { "max_fails": fails, "fail_timeout": out, "failures": ["5xx", "timeout"] } })
        }),
        (1_u32..6, 1_u32..4, ms(0, 9000)).prop_map(|(failures, successes, open)| {
            json!({ "smg": { "failure_threshold": failures, "success_threshold": successes, "timeout": open } })
        }),
        of(ms(0, 9000)).prop_map(|probe| json!({ "health_score": object(json!({ "probe_after": probe })) })),
    ];
    prop_oneof![Just(json!("never")), counted, cooldown, sliding, outlier, others].boxed()
}

/// Copies at once, after a while, or once enough was seen.
fn hedge() -> BoxedStrategy<Value> {
    let common = (
        1_u32..=3,
        any::<bool>(),
        word(&["first_token", "answer"]),
        any::<bool>(),
        of(0.0..0.5_f64),
    );
    (common, prop_oneof![Just(0_u32), 1_u32..3000], any::<bool>())
        .prop_map(|((most, elsewhere, race, on_failure, budget), ms, fixed)| {
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
        })
        .boxed()
}

/// The client of an experiment with so many providers: it may fall back from some of them to the others.
fn falling_back(client: BoxedStrategy<Value>, providers: usize) -> impl Strategy<Value = Value> {
    let split = of((0..providers, word(&["first", "last"]), 1_u8..4));
    (client, split)
        .prop_map(move |(mut client, split)| {
            if let Some((at, tells, most)) = split {
                let names = |from: usize, to: usize| (from..to).map(|i| format!("p{i}")).collect::<Vec<_>>();
                let mut groups = vec![json!({ "providers": names(0, at + 1) })];
                if at + 1 < providers {
                    groups.push(
                        json!({ "providers": names(at + 1, providers), "on": ["retryable", 400, "breaker_open"] }),
                    );
                }
                client["fallback"] = json!({ "groups": groups, "tells": tells, "most": most });
            }
            client
        })
        .boxed()
}

/// The same policies for a traffic without users: those that can tell requests apart instead do.
fn without_users(policies: &mut Value) {
    if let Some(policies) = policies.as_array_mut() {
        let knows_users = |entry: &Value| {
            ["sticky", "prompt_caching", "cache_affine", "llm_d"]
                .iter()
                .any(|kind| entry["policy"].get(kind).is_some())
        };
        policies.retain(|entry| !knows_users(entry));
        for entry in policies {
            if let Some(ring) = entry["policy"].get_mut("consistent_hash") {
                ring["by"] = json!("request");
            }
            if let Some(canary) = entry["policy"].get_mut("canary") {
                canary["by"] = json!("request");
                canary["processes"] = json!(1);
            }
        }
    }
}

/// One policy of each kind.
fn policies(classes: usize, providers: usize) -> BoxedStrategy<Value> {
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
        let otherwise_too = otherwise.clone();
        let low: Vec<String> = (0..=split).map(name).collect();
        let high: Vec<String> = (split..providers).map(name).collect();
        let of_tier = |tier: usize| -> Vec<String> {
            (0..classes)
                .filter(|&c| homes[c] == tier)
                .map(|c| format!("c{c}"))
                .collect()
        };
        let wrong = if homes[0] == 0 { "high" } else { "low" };
        let weighed = weights.clone();
        let all: Vec<String> = (0..providers).map(name).collect();
        let judge = json!({ "accept": misread, "looks": format!("{}ms", 700 * split), "cost": "$0.0003", "keeps": one == 0 });
        let stages = json!([
            { "providers": low.clone(), "judge": judge },
            { "policy": "least_tokens_in_flight", "judge": { "accept": 0.5 } },
            { "providers": high.clone() },
        ]);
        let reward = json!({ "quality": 0, "cost": 1, "latency": 2 });
        let levels: Vec<Value> = all.iter().map(|p| json!({ p: 2 })).collect();
        let limits = json!({ "rpm": { name(one): 30 }, "tpm": { name(0): 20_000 }, "from_quotas": misread > 0.5 });
        let version = if misread > 0.5 { "1.80" } else { "1.109" };
        let sticks = ["insist", "move", "return"][one % 3];
        let tagged = json!({ name(0): ["paid", "default"], name(one): ["free"] });
        let most = 1 + split as u32 * 700;
        let general = weights.clone();
        let scores: Value = (0..classes)
            .map(|c| (format!("c{c}"), json!({ "uniform": { "min": 0, "max": 0.3 + misread } })))
            .collect();
        let generation = if misread > 0.5 { "v1" } else { "v2" };
        let on_failure = match split {
            0 => json!("roll_back"),
            1 => json!("pause"),
            _ => json!({ "retry_after": "3s" }),
        };
        let rollout = json!({ "rollout": {
            "old": "least_tokens_in_flight",
            "new": { "single": { "provider": name(one) } },
            "stages": [ { "share": 0.3, "hold": "1s", "min_requests": 5 }, { "share": 1, "hold": "5s" } ],
            "gates": {
                "error_rate": { "at_most": misread, "window": 10, "min_requests": 3 },
                "ttft": { "at_most": "2s", "window": 10 },
                "e2e": { "times_old": 1.5, "window": 10 },
            },
            "on_failure": on_failure,
            "rollback_takes": "500ms",
            "by": if split == 0 { "user" } else { "request" },
        } });
        let paced = (providers > 1).then(|| {
            let law = if split == 0 { "fixed_step" } else { "in_proportion" };
            json!({ "name": "paced", "policy": { "budget_paced": {
                "providers": &all, "money": "$0.05", "per": "10s", "every": "300ms", "law": law, "shape": [1, 2],
            } } })
        });
        // One value each: a macro of all of them would be too deep.
        let mut policies = vec![
            json!({ "name": "single", "policy": { "single": { "provider": name(one) } } }),
            json!({ "name": "turns", "policy": "round_robin" }),
            json!({ "name": "script", "policy": { "script": { "file": "least.rhai" } } }),
            json!({ "name": "weighted", "policy": { "weighted": { "weights": weights } } }),
            json!({ "name": "tiered", "policy": { "tiered": {
                "tiers": [
                    { "name": "low", "providers": low, "classes": of_tier(0) },
                    { "name": "high", "providers": high, "classes": of_tier(1) },
                ],
                "misread": { "c0": { wrong: misread } },
                "otherwise": otherwise,
            } } }),
            json!({ "name": "shuffle", "policy": { "simple_shuffle": { "weights": weighed, "limits": limits, "version": version } } }),
            json!({ "name": "least-busy", "policy": { "least_busy": { "version": version } } }),
            json!({ "name": "latency", "policy": { "latency_based": {
                "ttl": "10s", "lowest_latency_buffer": misread, "limits": limits, "stream": split == 0, "version": version,
            } } }),
            json!({ "name": "usage", "policy": { "usage_based": { "version": generation, "limits": limits } } }),
            json!({ "name": "cost", "policy": { "cost_based": { "limits": limits } } }),
            json!({ "name": "jsq", "policy": "least_in_flight" }),
            json!({ "name": "p2c", "policy": "p2c" }),
            json!({ "name": "tokens", "policy": { "least_tokens_in_flight": object(json!({
                "choices": (split == 0).then_some(2), "output": if misread > 0.5 { "expected" } else { "max_tokens" },
            })) } }),
            json!({ "name": "ewma", "policy": { "peak_ewma": { "measures": if split == 0 { "end" } else { "first_token" } } } }),
            json!({ "name": "jiq", "policy": "jiq" }),
            json!({ "name": "kong", "policy": "kong_latency" }),
            json!({ "name": "scores", "policy": { "latency_router": { "mended": split == 0, "probe_after": "2s" } } }),
            json!({ "name": "levels", "policy": { "priority": { "levels": levels.clone() } } }),
            json!({ "name": "envoy-levels", "policy": { "priority": {
                "levels": levels, "overprovisioning": 1.4, "attempts_per_level": 1 + split, "previous_hosts": 2,
            } } }),
            json!({ "name": "tasks", "policy": { "task_router": {
                "tasks": { "one": { "provider": name(one), "classes": ["c0"] }, "none": { "provider": name(0) } },
                "weights": general, "cheapest": name(0), "mended": split == 0, "misread": { "c0": { "none": misread } },
            } } }),
            json!({ "name": "conditions", "policy": { "conditional": {
                "conditions": [
                    { "when": { "class": "c0", "input": { "$lt": most } }, "then": "p2c" },
                    { "when": { "$or": [ { "user": { "$in": [1, 2, 3] } }, { "priority": 0 } ] }, "then": "latency_based" },
                ],
                "default": "least_tokens_in_flight", "mended": split == 0,
            } } }),
            json!({ "name": "groups", "client": { "fallback": null }, "policy": { "model_groups": { "max_fallbacks": 1 + split, "groups": {
                "c0": { "providers": [name(one)], "fallbacks": ["*"], "client": { "breaker": "litellm_cooldown" } },
                "*": { "providers": all, "policy": "p2c", "content_policy_fallbacks": ["c0"],
                       "targets": { name(0): { "timeouts": { "attempt": "20s" }, "retry": { "fixed": { "tries": 2, "wait": "0s" } } } } },
            } } } }),
            json!({ "name": "tags", "policy": { "litellm_tags": { "tags": tagged, "policy": "least_busy" } } }),
            json!({ "name": "checks", "policy": { "litellm_pre_call_checks": { "policy": "peak_ewma", "mended": split == 0 } } }),
            json!({ "name": "bands", "policy": { "by_context": {
                "bands": [ { "up_to": most, "policy": { "single": { "provider": name(one) } } }, { "providers": [name(0)] } ],
                "counts": "input_and_output", "otherwise": otherwise_too,
            } } }),
            json!({ "name": "scores-of-prompts", "policy": { "complexity": {
                "tiers": { "SIMPLE": { "providers": [name(0)] }, "MEDIUM": { "policy": "latency_router" } },
                "score": scores, "reasoning": { "c0": misread },
            } } }),
            json!({ "name": "chain", "policy": { "chain": { "providers": all } } }),
            json!({ "name": "smooth", "policy": { "smooth_round_robin": { "weights": { name(0): 3 }, "max_fails": 2 } } }),
            json!({ "name": "ring", "policy": { "consistent_hash": object(json!({
                "replicas": 20, "balance_factor": (misread > 0.5).then_some(1.0 + misread),
            })) } }),
            json!({ "name": "sticky", "policy": { "sticky": {
                "policy": "least_busy", "ttl": "3s", "refresh": split == 0, "on_failure": sticks,
            } } }),
            json!({ "name": "canary", "policy": { "canary": {
                "share": misread, "canary": { "single": { "provider": name(one) } }, "stable": "least_tokens_in_flight",
                "processes": 1 + split, "otherwise": if split == 0 { "fail" } else { "other_side" },
            } } }),
            json!({ "name": "shadow", "policy": { "shadow": { "policy": "least_tokens_in_flight", "to": name(one), "share": misread } } }),
            json!({ "name": "cascade", "policy": { "cascade": { "stages": stages } } }),
            json!({ "name": "sides", "policy": { "route_llm": {
                "strong": [name(one)], "weak": ["p0"], "strong_share": misread, "otherwise": "other",
            } } }),
            json!({ "name": "thompson", "policy": { "thompson": { "reward": reward.clone(), "discount": 0.99 } } }),
            json!({ "name": "ucb", "policy": { "ucb": { "reward": reward, "contexts": "none", "window": 20 } } }),
            json!({ "name": "prequal", "policy": { "prequal": {
                "rtt": if split == 0 { "0s" } else { "20ms" }, "pool": 1 + split, "probes": 16.0 * misread, "removes": 3.0 * misread,
                "max_age": "5s", "q_rif": misread,
            } } }),
            json!({ "name": "c3", "policy": { "c3": { "clients": 1 + split, "alpha": 0.9 } } }),
            json!({ "name": "envoy", "policy": { "envoy_least_request": {
                "weights": { name(0): 1 + split }, "choice_count": 1 + split, "slow_start": { "window": "5s", "aggression": 1.5 },
                "selection_method": if misread > 0.5 { "full_scan" } else { "n_choices" },
            } } }),
            json!({ "name": "helicone", "policy": { "helicone": {
                "strategy": if split == 0 { "model_latency" } else { "provider_latency" },
            } } }),
            json!({ "name": "connections", "policy": { "kong_least_connections": { "weights": { name(0): 1 + split } } } }),
            json!({ "name": "kong-usage", "policy": { "kong_usage": {
                "tokens_count_strategy": if split == 0 { "cost" } else { "total_tokens" }, "window": "3s",
            } } }),
            json!({ "name": "pinned", "policy": { "prompt_caching": {
                "policy": "p2c", "min_tokens": 200, "ttl": "20s", "mended": split == 0,
            } } }),
            json!({ "name": "affine", "policy": { "cache_affine": {
                "balance_abs_threshold": one, "prefix": 300, "max_users": 5, "ttl": "30s", "mended": split == 0,
                "otherwise": if split == 0 { "smallest_tree" } else { "fewest_calls" },
            } } }),
            json!({ "name": "scorers", "policy": { "llm_d": { "shared": 300, "ttl": "30s" } } }),
            json!({ "name": "rollout", "policy": rollout }),
            json!({ "name": "pipeline", "policy": { "pipeline": {
                "filters": [
                    { "cooldown": { "lasts": "1s" } },
                    { "budget": { "budgets": { name(one): "$0.01" }, "per": "5s" } },
                    "context", "limits", "headers", { "order": { "levels": [[name(split)]] } }, "not_last",
                ],
                "scores": [{ "latency": { "weight": misread, "window": 3 } }, "in_flight", "throughput", "errors"],
                "pick": if split == 0 { json!("p2c") } else { json!({ "weighted": { "power": 2 } }) },
                "relax": misread > 0.5,
            } } }),
            json!({ "name": "tree", "policy": { "tree": { "fallback": { "targets": [
                { "loadbalance": { "targets": [ { "provider": name(one), "weight": 2 }, { "peak_ewma": {}, "weight": misread } ] } },
                { "sample_without_replacement": { "targets": [{ "least_tokens_in_flight": {} }, name(0)], "on": ["retryable", 400] } },
                { "fallback": { "targets": [name(split)] } },
                name(0),
            ] } } } }),
        ];
        policies.extend(paced);
        Value::Array(policies)
    }).boxed()
}
