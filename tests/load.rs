//! What load, prompts and their cache do to a provider, from the experiment file to the tally: closed forms, each within the
//! run's own 99 % interval, and the rules that a user counts on.

#![allow(clippy::disallowed_methods, reason = "a theory's last digit does not matter")]

use crate::common::{assert_holds, interval, plan, replications};
use simcap::engine::tally::Tally;
use simcap::experiment::assemble::assemble;
use simcap::experiment::load::from_text;
use simcap::experiment::model::{BUILT_IN, ModelFile};
use simcap::stats::histogram::Histogram;
use simcap::words::BoundKind;
use simcap::words::Outcome;

/// Poisson arrivals at `rate` a second at one provider with these fields, and a client with those.
fn text(rate: &str, provider: &str, client: &str) -> String {
    format!(
        r#"{{
        "name": "load",
        "traffic": {{
            "arrivals": {{ "poisson": {{ "rate": "{rate}" }} }},
            "classes": {{ "all": {{ "input": {{ "constant": 2000 }}, "output": {{ "constant": 101 }} }} }}
        }},
        "providers": {{ "p": {{ {provider}, "prices": {{ "per_token": {{ "input": "$3/Mtok", "output": "$15/Mtok", "cached_input": "$0.30/Mtok" }} }} }} }},
        "client": {{ {client} }},
        "policies": [ {{ "name": "only", "policy": {{ "single": {{ "provider": "p" }} }} }} ],
        "plan": {{ "duration": "8000s", "warmup": "1000s" }}
    }}"#
    )
}

fn runs(rate: &str, provider: &str, client: &str) -> Vec<Tally> {
    replications(&plan(&text(rate, provider, client)).scenarios[0], 11, 20)
}

fn run(rate: &str, provider: &str, client: &str) -> Tally {
    replications(&plan(&text(rate, provider, client)).scenarios[0], 7, 1).remove(0)
}

fn mean(of: &Histogram) -> f64 {
    of.mean().expect("some were answered").seconds()
}

fn ttft(tally: &Tally) -> f64 {
    mean(&tally.classes[0].ttft)
}

/// Seconds from the first token to the last.
fn decoding(tally: &Tally) -> f64 {
    mean(&tally.classes[0].e2e) - ttft(tally)
}

fn share(tally: &Tally, outcome: Outcome) -> f64 {
    tally.ended(outcome) as f64 / tally.requests() as f64
}

/// Probability that an arrival has to wait in M/M/c (Erlang C), from Erlang B by its recursion.
fn erlang_c(servers: u32, load: f64) -> f64 {
    let b = (1..=servers).fold(1.0, |b, k| load * b / (f64::from(k) + load * b));
    let c = f64::from(servers);
    b / (1.0 - load / c * (1.0 - b))
}

/// λ = 80, μ = 100: the time in the system is exponential with rate μ − λ.
#[test]
fn one_slot_is_the_queue_mm1() {
    let runs = runs(
        "80/s",
        r#""response": { "exponential": { "mean": "10ms" } }, "load": [ { "slots": { "servers": 1 } } ]"#,
        "",
    );
    let gap = 20.0;
    assert_holds("mean time in system", &interval(&runs, ttft), 1.0 / gap, 0.02);
    let p95 = |t: &Tally| t.classes[0].ttft.quantile(0.95).expect("some").seconds();
    assert_holds(
        "p95 of the time in system",
        &interval(&runs, p95),
        20f64.ln() / gap,
        0.03,
    );
}

/// Five slots at ρ = 0.9, on the far side of a network of 30 ms that is not theirs: Wq = C / (cμ − λ).
#[test]
fn five_slots_wait_as_long_as_erlang_says() {
    let runs = runs(
        "90/s",
        r#""ttft": { "exponential": { "mean": "50ms" } }, "tps": { "constant": 1e12 }, "network": "30ms",
           "load": [ { "slots": { "servers": 5 } } ]"#,
        "",
    );
    let wait = erlang_c(5, 4.5) / 10.0;
    assert_holds("mean wait", &interval(&runs, |t| ttft(t) - 0.08), wait, 0.05);
}

/// Two slots and room for three to wait at ρ = 1.25: P(turned away) from the birth-death chain of M/M/2/5.
#[test]
fn a_full_line_turns_away_as_many_as_theory_says() {
    let runs = runs(
        "250/s",
        r#""response": { "exponential": { "mean": "10ms" } }, "load": [ { "slots": { "servers": 2, "queue": 3 } } ]"#,
        "",
    );
    let mut weights = vec![1.0f64];
    for n in 1..=5 {
        weights.push(weights[n - 1] * 2.5 / (n as f64).min(2.0));
    }
    let blocked = weights[5] / weights.iter().sum::<f64>();
    assert_holds(
        "share overloaded",
        &interval(&runs, |t| share(t, Outcome::Overloaded)),
        blocked,
        0.01,
    );
    for tally in &runs {
        assert_eq!(
            tally.ended(Outcome::Overloaded) + tally.ended(Outcome::Success),
            tally.requests()
        );
    }
}

/// The answer is a lognormal first token and 0.5 ms of decoding, and both take the slot: Wq = λ E[S²] / (2 (1 − ρ))
/// (Pollaczek-Khinchine).
#[test]
fn the_first_token_waits_as_pollaczek_and_khinchine_say() {
    let runs = runs(
        "70/s",
        r#""ttft": { "lognormal": { "median": "7ms", "sigma": 0.8 } }, "tps": { "constant": 200000 },
           "load": [ { "slots": { "servers": 1 } } ]"#,
        "",
    );
    let first = 0.007 * (0.64f64 / 2.0).exp();
    let variance = first * first * (0.64f64.exp() - 1.0);
    let whole = first + 0.0005;
    let wait = 70.0 * (variance + whole * whole) / (2.0 * (1.0 - 70.0 * whole));
    assert_holds("mean wait", &interval(&runs, |t| ttft(t) - first), wait, 0.04);
}

/// M/M/1 at λ = 80, μ = 100 whose callers hang up after τ = 50 ms.
///
/// Where dead work is finished the line is that of M/M/1, and P(time in system > τ) = e^(−(μ−λ)τ). Where it is aborted the work
/// in line is a dam of height τ, which overflows with probability P₀ e^(−(μ−λ)τ), with P₀ = (1 − ρ) / (1 − ρ e^(−(μ−λ)τ)) the
/// share of time that it is empty.
#[test]
fn callers_who_hang_up_are_as_many_as_theory_says() {
    let runs = |on_hang_up: &str| {
        let provider = format!(
            r#""response": {{ "exponential": {{ "mean": "10ms" }} }},
               "load": [ {{ "slots": {{ "servers": 1, "on_hang_up": "{on_hang_up}" }} }} ]"#
        );
        runs("80/s", &provider, r#""timeouts": { "attempt": "50ms" }"#)
    };
    let beyond = (-20.0 * 0.05f64).exp();
    let late = |t: &Tally| share(t, Outcome::TimeoutAttempt);
    assert_holds("late, finished", &interval(&runs("finish"), late), beyond, 0.01);
    let empty = 0.2 / (1.0 - 0.8 * beyond);
    assert_holds("late, aborted", &interval(&runs("abort"), late), empty * beyond, 0.01);
}

/// Half as much again as one slot can do, and nobody waits longer than five services. Work that stops with its caller leaves
/// the slot to those who still wait; work that is finished for nobody keeps the line longer than anybody waits.
#[test]
fn under_overload_finishing_dead_work_leaves_next_to_nothing() {
    let good = |on_hang_up: &str| {
        let provider = format!(
            r#""response": {{ "constant": "10ms" }},
               "load": [ {{ "slots": {{ "servers": 1, "on_hang_up": "{on_hang_up}" }} }} ]"#
        );
        share(
            &run("150/s", &provider, r#""timeouts": { "attempt": "50ms" }"#),
            Outcome::Success,
        )
    };
    assert!(good("abort") > 0.4, "{}", good("abort"));
    assert!(good("finish") < 0.01, "{}", good("finish"));
}

/// A metastable failure: at 60 % of capacity, callers who wait 20 services and try four times, and five seconds without any
/// answer. Where dead work is finished the retries keep the line longer than anybody waits, for hours after the cause has
/// gone; where it is aborted, or without the cause, all is well.
#[test]
fn retries_keep_an_overload_alive_where_dead_work_is_finished() {
    let good = |on_hang_up: &str, faults: &str| {
        let provider = format!(
            r#""response": {{ "constant": "10ms" }}, "faults": [ {faults} ],
               "load": [ {{ "slots": {{ "servers": 1, "on_hang_up": "{on_hang_up}" }} }} ]"#
        );
        let client = r#""timeouts": { "attempt": "200ms" },
            "retry": { "exponential": { "tries": 4, "base": "10ms", "jitter": "none" } }"#;
        share(&run("60/s", &provider, client), Outcome::Success)
    };
    let cause = r#"{ "outage": { "from": "0s", "for": "5s", "answer": "hang" } }"#;
    assert!(good("finish", "") > 0.999, "{}", good("finish", ""));
    assert!(good("abort", cause) > 0.998, "{}", good("abort", cause));
    assert!(good("finish", cause) < 0.1, "{}", good("finish", cause));
}

/// A first token in 100 ms, then a hundred in a second, for eight at once.
const STREAM: &str = r#""ttft": { "constant": "100ms" }, "tps": { "constant": 100 }"#;
const EIGHT: &str = r#""max_in_flight": 8"#;

/// Eight in the batch are half of the way from 1 to 2.
#[test]
fn a_batch_is_as_slow_as_its_size_says() {
    let load = r#""load": [ { "batching": { "step": [[1, 1], [15, 2]], "ttft": [[8, 5]] } } ]"#;
    let tally = run("10/s", &format!("{STREAM}, {load}"), EIGHT);
    assert!((decoding(&tally) - 1.5).abs() < 1e-6, "{}", decoding(&tally));
    // Each takes 0.5 s and 1.5 s, eight at once: four a second.
    assert!((tally.served as f64 / 8000.0 - 4.0).abs() < 0.01, "{}", tally.served);
}

/// Eight slots always full, and four in line: the batch is of eight.
#[test]
fn who_waits_for_a_slot_is_not_in_the_batch() {
    let load =
        r#""load": [ { "slots": { "servers": 8, "queue": 4 } }, { "batching": { "step": [[1, 1], [15, 2]] } } ]"#;
    let tally = run("100/s", &format!("{STREAM}, {load}"), "");
    assert!((decoding(&tally) - 1.5).abs() < 1e-6, "{}", decoding(&tally));
    // 0.15 s to the first token and 1.5 s after it hold a slot, though the file gives `slots` before what lengthens them.
    let rate = tally.served as f64 / 8000.0;
    assert!((rate - 8.0 / 1.65).abs() < 0.01, "{rate}");
}

/// 400 tokens a second for eight: 50 for each, half of what it could do. 4,000 bind nobody.
#[test]
fn a_token_ceiling_is_shared() {
    for (ceiling, seconds) in [("400/s", 2.0), ("4000/s", 1.0)] {
        let load = format!(r#""load": [ {{ "throughput": {{ "tokens": "{ceiling}" }} }} ]"#);
        let tally = run("10/s", &format!("{STREAM}, {load}"), EIGHT);
        assert!((decoding(&tally) - seconds).abs() < 1e-6, "{}", decoding(&tally));
    }
}

/// One request each 100 s.
#[test]
fn a_provider_left_alone_has_to_start_again() {
    let wait = |idle: &str| {
        let load =
            format!(r#""load": [ {{ "cold_start": {{ "idle": "{idle}", "extra": {{ "constant": "20s" }} }} }} ]"#);
        let text = text("36/h", &format!("{STREAM}, {load}"), "").replace("poisson", "regular");
        ttft(&replications(&plan(&text).scenarios[0], 7, 1)[0])
    };
    assert!((wait("60s") - 20.1).abs() < 1e-6, "{}", wait("60s"));
    assert!((wait("99s") - 0.1).abs() < 1e-6, "{}", wait("99s"));
}

/// 2,000 tokens of input read at 10,000 a second, of which the cache has 12 steps of 128 if it has any.
#[test]
fn a_prompt_takes_its_time_and_what_is_cached_takes_none_and_costs_less() {
    let stream = format!(r#"{STREAM}, "prefill": 10000"#);
    let cached = |fields: &str| {
        let cache = format!(r#"{stream}, "prompt_cache": {{ "random": {{ "share": "80%", {fields} }} }}"#);
        run("5/s", &cache, "")
    };
    for (tally, first, unread) in [
        (run("5/s", &stream, ""), 0.3, 2000),
        (cached(r#""hit": 0"#), 0.3, 2000),
        (cached(r#""hit": 1, "min_tokens": 1537"#), 0.3, 2000),
        (cached(r#""hit": 1"#), 0.1464, 464),
        (cached(r#""hit": 1, "ttft": 0.5"#), 0.0732, 464),
    ] {
        assert!((ttft(&tally) - first).abs() < 1e-6, "{} {first}", ttft(&tally));
        let one = unread * 3_000_000 + (2000 - unread) * 300_000 + 101 * 15_000_000;
        assert_eq!(tally.cost(), u128::from(tally.requests()) * one);
    }
}

/// A model file says them too; an experiment's own take their place.
#[test]
fn a_model_file_may_say_what_load_does() {
    let (name, model) = BUILT_IN[0];
    let mut model: serde_json::Value = serde_json::from_str(model).expect("built in");
    for (_, variant) in model["variants"].as_object_mut().expect("variants") {
        variant["load"] = serde_json::json!([{ "slots": { "servers": 8 } }, { "throughput": { "tokens": "9k/s" } }]);
        variant["prompt_cache"] = serde_json::json!({ "random": { "hit": 0.5, "share": 1 } });
        variant["prefill"] = 5000.into();
    }
    let built = |model: &serde_json::Value, fields: &str| {
        let provider = format!(r#""model": "{name}"{fields}"#);
        let mut loaded = from_text("test.json", &text("5/s", &provider, "")).unwrap_or_else(|e| panic!("{e}"));
        let file: ModelFile = serde_json::from_value(model.clone()).expect("a model");
        file.check(&simcap::form::build::Names::default())
            .map_err(|refusal| refusal.message)?;
        loaded.models.insert(name.to_owned(), file);
        let plan = assemble(&loaded).unwrap_or_else(|e| panic!("{e}"));
        let provider = &plan.scenarios[0].fleet[0].provider;
        Ok::<_, String>((provider.load.len(), provider.cache.is_some()))
    };
    assert_eq!(built(&model, ""), Ok((2, true)));
    assert_eq!(built(&model, r#", "load": []"#), Ok((0, true)));
    let variant = model["default"].as_str().expect("a name").to_owned();
    model["variants"][&variant]["prefill"] = 0.into();
    assert_eq!(built(&model, ""), Err("0 tokens a second: must be above 0".to_owned()));
}

/// Everything at once, and a client that gives up: two runs agree, and who came has left.
#[test]
fn all_of_it_together_adds_up() {
    let provider = r#""ttft": { "mixture": { "components": [
            { "weight": 95, "law": { "lognormal": { "median": "150ms", "sigma": 0.4, "shift": "200ms" } } },
            { "weight": 5, "law": { "pareto": { "min": "600ms", "alpha": 1.5 } } } ] } },
        "tps": { "lognormal": { "median": 80, "sigma": 0.1 } }, "prefill": 20000, "network": "20ms",
        "prompt_cache": { "random": { "hit": "50%", "share": "90%" } },
        "load": [
            { "cold_start": { "idle": "10s", "extra": { "exponential": { "mean": "5s" } } } },
            { "slots": { "servers": 16, "queue": 30, "on_hang_up": "abort" } },
            { "batching": { "step": [[1, 1], [16, 1.8]] } },
            { "throughput": { "tokens": "900/s" } } ]"#;
    let client = r#""timeouts": { "ttft": "3s", "attempt": "20s" },
        "retry": { "exponential": { "tries": 3, "base": "100ms", "jitter": "full" } }"#;
    let tally = run("9/s", provider, client);
    assert!(
        tally == run("9/s", provider, client),
        "another result with the same seed"
    );
    let ended: u64 = Outcome::ALL.into_iter().map(|o| tally.ended(o)).sum();
    assert_eq!(ended, tally.requests());
    let billed: u128 = tally.providers.iter().map(|p| p.cost).sum();
    assert_eq!(billed, tally.cost());
    for outcome in [Outcome::Success, Outcome::Overloaded, Outcome::TimeoutTtft] {
        assert!(tally.providers[0].outcomes[outcome.index()] > 0, "{outcome:?}");
    }
}

/// What was at its bound, with its limit, in nanoseconds.
fn bounds(tally: &Tally, what: BoundKind) -> Vec<(Option<u64>, u128)> {
    let of_kind = tally.bounds.iter().filter(|b| b.what == what);
    of_kind.map(|b| (b.limit, b.time)).collect()
}

const S: u128 = 1_000_000_000;

/// One arrival a second, each 2.5 s of work. Of three slots, one is free but half of the time: from second 2 on all three are
/// taken in the first half of each second. Of two, none ever is free again.
#[test]
fn the_time_that_all_slots_are_taken_is_counted() {
    let full = |servers: u32| {
        let text = regular(
            "1/s",
            &format!(
                r#""response": {{ "constant": "2500ms" }}, "load": [ {{ "slots": {{ "servers": {servers} }} }} ]"#
            ),
        );
        bounds(&replications(&plan(&text).scenarios[0], 1, 1)[0], BoundKind::Capacity)
    };
    assert_eq!(full(2), [(Some(2), 100 * S)]);
    assert_eq!(full(3), [(Some(3), 50 * S)]);
    assert_eq!(full(4), [(Some(4), 0)]);
}

/// Answers of 101 tokens at 100 a second, the first after a second: two in service most of the time, under a ceiling of 150 a
/// second, are slowed down; one alone is not.
#[test]
fn the_time_that_the_ceiling_slows_answers_down_is_counted() {
    let full = |rate: &str, ceiling: &str| {
        let text = regular(
            rate,
            &format!(
                r#""ttft": {{ "constant": "1s" }}, "tps": {{ "constant": 100 }},
                   "load": [ {{ "throughput": {{ "tokens": "{ceiling}" }} }} ]"#
            ),
        );
        bounds(&replications(&plan(&text).scenarios[0], 1, 1)[0], BoundKind::Capacity)
    };
    assert_eq!(full("1/s", "1000/s"), [(None, 0)]);
    assert_eq!(full("1/s", "150/s"), [(None, 100 * S)]);
    // Alone, with 2 s of service every 10: 50 a second make 3 s of it.
    assert_eq!(full("0.1/s", "50/s"), [(None, 30 * S)]);
}

/// Regular arrivals at one provider; a hundred seconds are counted after a hundred of warm-up.
fn regular(rate: &str, provider: &str) -> String {
    text(rate, provider, "")
        .replace("poisson", "regular")
        .replace("8000s", "100s")
        .replace("1000s", "100s")
}
