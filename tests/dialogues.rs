//! Conversations and agent runs: against arithmetic, a queueing network with a product form, and the maximum of exponentials.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use crate::common::{assert_holds, interval, plan, replications};
use simcap::engine::tally::{DialogueTally, Tally};
use simcap::simulate::Options;

/// Dialogues, 1/s at equal distances unless `starts` says otherwise, of one class of 50 tokens in and 20 out, at one provider.
fn experiment(arrivals: &str, provider: &str, client: &str, policy: &str) -> String {
    format!(
        r#"{{
        "name": "dialogues",
        "traffic": {{
            "arrivals": {arrivals},
            "classes": {{ "only": {{ "input": 50, "output": 20 }} }}
        }},
        "providers": {{ {provider} }},
        "client": {client},
        "policies": [ {{ "name": "only", "policy": {policy} }} ],
        "plan": {{ "duration": "1000s", "warmup": "100s" }}
    }}"#
    )
}

const REGULAR: &str = r#"{ "regular": { "rate": "1/s" } }"#;
const PRICE: &str = r#""prices": { "per_request": { "price": "$0.001" } }"#;

fn one(arrivals: &str, provider: &str) -> Vec<Tally> {
    let provider = format!(r#""p": {{ {provider}, {PRICE} }}"#);
    let text = experiment(arrivals, &provider, "{}", r#""round_robin""#);
    replications(&plan(&text).scenarios[0], 7, 1)
}

fn dialogues(tally: &Tally) -> &DialogueTally {
    tally.classes[0].dialogues.as_ref().expect("dialogues are counted")
}

/// Three turns of 2 s with 10 s between them are 26 s. One that begins in the last 26 s is cut. Turns and their money are those of
/// counted requests.
#[test]
fn constant_conversations_are_what_arithmetic_says() {
    let arrivals = format!(r#"{{ "conversations": {{ "starts": {REGULAR}, "turns": 3, "think": "10s" }} }}"#);
    let tally = &one(&arrivals, r#""response": "2s""#)[0];
    let d = dialogues(tally);
    assert_eq!(d.begun(), 1000);
    assert_eq!((d.failed, d.left), (0, 0));
    // The third turn of one that begins at t arrives at t + 24.
    assert!((23..=25).contains(&d.cut), "{}", d.cut);
    assert_eq!(d.turns, 3000, "as many as in any stretch of a thousand seconds");
    assert_eq!(d.cost, 3000 * 1_000_000_000);
    let took = d.time.mean().unwrap().seconds();
    assert!((took - 26.0).abs() < 1e-6, "{took}");
}

/// Input tokens of the three turns of a conversation, from the tokens that were billed: a system prompt of 100, messages of 50, answers
/// of 20.
#[test]
fn what_is_sent_again_is_what_history_says() {
    for (history, turns) in [
        (r#""whole""#, [150, 220, 290]),
        (r#""none""#, [150, 150, 150]),
        (r#"{ "window": 80 }"#, [150, 220, 230]),
        (r#"{ "summary": { "above": 80, "to": 30 } }"#, [150, 220, 180]),
    ] {
        let arrivals = format!(
            r#"{{ "conversations": {{ "starts": {REGULAR}, "turns": 3, "think": "10s", "system": 100, "history": {history} }} }}"#
        );
        let tally = &one(&arrivals, r#""response": "2s""#)[0];
        let input = tally.providers[0].input;
        assert_eq!(input, 1000 * turns.iter().sum::<u128>(), "{history}");
    }
}

/// Of a queueing network with a product form (Baskett, Chandy, Muntz and Palacios 1975): dialogues of four turns go round between one
/// exponential server and a place to think; the server sees the response of M/M/1 at their rate, however turns are spread.
#[test]
fn a_server_that_conversations_come_back_to_is_an_mm1() {
    let arrivals = r#"{ "conversations": { "starts": { "poisson": { "rate": "8/s" } }, "turns": 4, "think": "3s" } }"#;
    let provider = format!(r#""p": {{ "response": {{ "exponential": {{ "mean": "25ms" }} }}, {PRICE} }}"#);
    let client = r#"{ "max_in_flight": 1, "admission": "queue" }"#;
    let text = experiment(arrivals, &provider, client, r#""round_robin""#);
    let runs = replications(&plan(&text).scenarios[0], 3, 64);
    let response = 0.025 / (1.0 - 0.8);
    let of_turns = |t: &Tally| t.classes[0].e2e.mean().unwrap().seconds();
    assert_holds("response", &interval(&runs, of_turns), response, 0.03);
    let of_all = |t: &Tally| dialogues(t).time.mean().unwrap().seconds();
    assert_holds("dialogue", &interval(&runs, of_all), 4.0 * response + 9.0, 0.01);
}

/// A user with 3 s of patience leaves when the first token comes after 5.
#[test]
fn a_user_leaves_after_an_answer_that_was_too_long_in_coming() {
    let with = |patience: &str| {
        let arrivals = format!(
            r#"{{ "conversations": {{ "starts": {REGULAR}, "turns": 3, "think": "1s", "patience": "{patience}" }} }}"#
        );
        let tally = one(&arrivals, r#""ttft": "5s", "tps": 20"#).remove(0);
        let d = dialogues(&tally);
        (d.left, d.turns, d.time.count())
    };
    let (left, turns, done) = with("3s");
    assert_eq!((left, turns, done), (1000, 1000, 0));
    let (left, turns, done) = with("5s");
    assert!(left == 0 && turns == 3000 && done > 900, "{left} {turns} {done}");
}

/// Where everything fails and half of the failures are sent again, at most three times: 1 + 1/2 + 1/4 + 1/8 turns.
#[test]
fn a_failed_turn_is_sent_again_as_often_as_it_may() {
    let again = r#""after_failure": { "share": 0.5, "after": "1s", "most": 3 }"#;
    let arrivals = format!(
        r#"{{ "conversations": {{ "starts": {{ "poisson": {{ "rate": "10/s" }} }}, "turns": 3, "think": "1s", {again} }} }}"#
    );
    let provider =
        format!(r#""p": {{ "response": "1s", "faults": [ {{ "random": {{ "server_error": 1 }} }} ], {PRICE} }}"#);
    let text = experiment(&arrivals, &provider, "{}", r#""round_robin""#);
    let runs = replications(&plan(&text).scenarios[0], 3, 16);
    let each = |t: &Tally| dialogues(t).turns as f64 / dialogues(t).begun() as f64;
    assert_holds("turns", &interval(&runs, each), 1.875, 0.01);
    assert!(runs.iter().all(|t| dialogues(t).time.count() == 0));
}

/// Three tools of an exponential second each take 1 + 1/2 + 1/3 in the mean, and bring three results of 10 tokens.
#[test]
fn tools_side_by_side_take_as_long_as_the_slowest() {
    let arrivals = r#"{ "agents": { "starts": { "poisson": { "rate": "10/s" } }, "calls": 4,
        "tools": { "side_by_side": 3, "latency": { "exponential": { "mean": "1s" } }, "result": 10 } } }"#;
    let provider = format!(r#""p": {{ "response": "2s", {PRICE} }}"#);
    let text = experiment(arrivals, &provider, "{}", r#""round_robin""#);
    let runs = replications(&plan(&text).scenarios[0], 3, 16);
    let time = |t: &Tally| dialogues(t).time.mean().unwrap().seconds();
    let expected = 4.0 * 2.0 + 3.0 * (1.0 + 0.5 + 1.0 / 3.0);
    assert_holds("run", &interval(&runs, time), expected, 0.01);
    // 50, and 70 more for what was asked and answered and 30 of results; each further call 20 and 30 more.
    let input = |t: &Tally| t.providers[0].input as f64 / dialogues(t).turns as f64;
    assert_holds(
        "input",
        &interval(&runs, input),
        (50.0 + 100.0 + 150.0 + 200.0) / 4.0,
        0.01,
    );
}

/// Of a conversation at one provider each prompt finds the one before it; between two that take turns, the one before that.
#[test]
fn a_prompt_cache_finds_what_it_read_of_the_conversation() {
    let cache =
        r#""prompt_cache": { "returning": { "history": true, "min_tokens": 1, "granularity": 1, "ttl": "1h" } }"#;
    let arrivals = format!(r#"{{ "conversations": {{ "starts": {REGULAR}, "turns": 3, "think": "10s" }} }}"#);
    let tally = &one(&arrivals, &format!(r#""response": "2s", {cache}"#))[0];
    // 50, then 70 of which 50 are known and a message, then 140 of which 120 are.
    assert_eq!(tally.providers[0].cached, 1000 * (50 + 120));
    let answers = cache.replace(r#""history": true"#, r#""history": true, "answers": true"#);
    let tally = &one(&arrivals, &format!(r#""response": "2s", {answers}"#))[0];
    assert_eq!(tally.providers[0].cached, 1000 * (70 + 140), "answers too");
    let two =
        format!(r#""a": {{ "response": "2s", {cache}, {PRICE} }}, "b": {{ "response": "2s", {cache}, {PRICE} }}"#);
    let text = experiment(&arrivals, &two, "{}", r#"{ "sticky": { "policy": "round_robin" } }"#);
    let tally = &replications(&plan(&text).scenarios[0], 7, 1)[0];
    let cached: u128 = tally.providers.iter().map(|p| p.cached).sum();
    assert_eq!(
        cached,
        1000 * (50 + 120),
        "a sticky policy keeps a conversation where it was"
    );
}

/// A stream of conversations beside another stream has the same turns: their number, tokens and pauses.
#[test]
fn a_stream_beside_them_changes_nothing() {
    let streams = |other: &str| {
        let text = format!(
            r#"{{
            "name": "dialogues",
            "traffic": {{
                "streams": {{
                    {other}
                    "talk": {{ "classes": {{ "talk": 1 }}, "arrivals": {{ "conversations": {{
                        "starts": {{ "poisson": {{ "rate": "2/s" }} }}, "turns": {{ "uniform": {{ "min": 1, "max": 6 }} }}, "think": {{ "exponential": {{ "mean": "5s" }} }} }} }} }}
                }},
                "classes": {{
                    "talk": {{ "input": {{ "uniform": {{ "min": 1, "max": 100 }} }}, "output": {{ "uniform": {{ "min": 1, "max": 100 }} }} }},
                    "job": {{ "input": 5, "output": 5 }}
                }}
            }},
            "providers": {{ "p": {{ "response": {{ "exponential": {{ "mean": "1s" }} }}, {PRICE} }} }},
            "policies": [ {{ "name": "only", "policy": "round_robin" }} ],
            "plan": {{ "duration": "1000s", "warmup": "100s" }}
        }}"#
        );
        replications(&plan(&text).scenarios[0], 11, 1).remove(0)
    };
    let job = r#""job": { "classes": { "job": 1 }, "arrivals": { "poisson": { "rate": "3/s" } } },"#;
    let idle = r#""job": { "classes": { "job": 1 }, "arrivals": { "regular": { "rate": "1/1000s" } } },"#;
    let (beside, alone) = (streams(job), streams(idle));
    let talk = |t: &Tally| t.classes[0].clone();
    assert_eq!(talk(&beside), talk(&alone));
    assert!(talk(&alone).dialogues.unwrap().begun() > 1800);
}

/// Metrics of dialogues by class, tag and window are those of their part, and need dialogues to be of.
#[test]
fn metrics_of_dialogues_have_scopes() {
    let report = |text: &str| simcap::simulate::run(text, &Options::default());
    let text = |metrics: &str, arrivals: &str| {
        let provider = format!(r#""p": {{ "response": "2s", {PRICE} }}"#);
        experiment(arrivals, &provider, "{}", r#""round_robin""#)
            .replace(r#""only": { "input""#, r#""only": { "tags": { "team": "x" }, "input""#)
            .replace(r#""warmup": "100s""#, &format!(r#""warmup": "100s", "replications": 2, "windows": {{ "first": {{ "until": "500s" }} }}, "metrics": {metrics}"#))
    };
    let arrivals = format!(r#"{{ "conversations": {{ "starts": {REGULAR}, "turns": 3, "think": "10s" }} }}"#);
    let metrics = r#"["dialogue_time.mean{class=only}", "dialogue_time.p95{window=first}", "turns_per_dialogue{tag.team=x}", "cost_per_dialogue{window=first}"]"#;
    let found = report(&text(metrics, &arrivals)).unwrap();
    for (metric, expected) in [
        ("dialogue_time.mean{class=only}", 26.0),
        ("dialogue_time.p95{window=first}", 26.0),
        ("turns_per_dialogue{tag.team=x}", 3.0),
        ("cost_per_dialogue{window=first}", 0.003),
        ("dialogue_failures", 0.0),
    ] {
        let of = found.policies[0]
            .metrics
            .iter()
            .find(|m| m.metric.to_string() == metric);
        let value = of.unwrap().estimate.value;
        assert!((value - expected).abs() <= 0.002 * expected, "{metric}: {value}");
    }
    let none = format!(r#"{{ "conversations": {{ "starts": {REGULAR}, "turns": 0, "think": "10s" }} }}"#);
    let refused = report(&text("[]", &none)).unwrap_err().to_string();
    assert!(refused.contains("turns: most would have none"), "{refused}");
    let refused = report(&text(metrics, r#"{ "poisson": { "rate": "1/s" } }"#))
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("the traffic has neither `conversations` nor `agents`"),
        "{refused}"
    );
}
