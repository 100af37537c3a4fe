//! Prompt caches that remember the user behind a request, and policies that go by them: closed forms, and where
//! affinity loses.

use crate::common::{assert_holds, interval, plan, replications};
use simcap::engine::tally::Tally;
use simcap::experiment::assemble::assemble;
use simcap::experiment::load::from_text;
use simcap::stats::interval::{Confidence, Estimate};

/// Users' requests a second, and the life of a prompt, in seconds.
const RATE: f64 = 0.01;
const LIFE: f64 = 100.0;

/// 2,000 tokens of input of which 1,500 return, 100 of output; read in 1 ms a token after 0.5 s. Prices as Anthropic's.
fn experiment(users: &str, rate: f64, provider: &str, policies: &str) -> String {
    let fleet = ["a", "b", "c", "d"].map(|name| {
        format!(
            r#""{name}": {{ "ttft": {{ "constant": "500ms" }}, "prefill": 1000, "tps": {{ "constant": 100 }},
                "prompt_cache": {{ "returning": {{ "prefix": 1500, "granularity": 1, "ttl": "{LIFE}s" }} }},
                "prices": {{ "per_token": {{ "input": "$3/Mtok", "output": "$15/Mtok", "cached_input": "$0.30/Mtok", "cache_write": "$3.75/Mtok" }} }}
                {provider} }}"#
        )
    });
    format!(
        r#"{{
        "name": "affinity",
        "traffic": {{
            "arrivals": {{ "poisson": {{ "rate": "{rate}/s" }} }},
            "classes": {{ "all": {{ "input": {{ "constant": 2000 }}, "output": {{ "constant": 100 }} }} }},
            "users": {users}
        }},
        "providers": {{ {} }},
        "policies": [ {policies} ],
        "plan": {{ "duration": "5000s", "warmup": "1000s" }}
    }}"#,
        fleet.join(",")
    )
}

fn hits(tally: &Tally) -> f64 {
    let cached: u128 = tally.providers.iter().map(|p| p.cached).sum();
    cached as f64 / 1500.0 / tally.requests() as f64
}

fn ttft(tally: &Tally) -> f64 {
    tally.classes[0].ttft.mean().expect("it served").seconds()
}

fn cost(tally: &Tally) -> f64 {
    tally.cost() as f64 / tally.requests() as f64 / 1e12
}

/// A user's requests are Poisson at rate λ, and at each of n providers that chance chooses at λ/n. A request follows within τ
/// of the one before with probability 1 − e^(−λτ), so that e^(λτ) requests in the mean share one writing; the first of
/// them finds nothing, nor do the λw in the mean that come before its first token, after w: a share of 1 − (1 + λw)e^(−λτ)
/// hits. Each hit saves 1.5 s of reading and, of 1,500 tokens, the difference of $3.45/M.
#[test]
fn affinity_hits_as_often_as_the_closed_form_says() {
    let users = 100.0;
    let policies = r#"
        { "name": "chance", "policy": "simple_shuffle" },
        { "name": "affine", "policy": "cache_affine" },
        { "name": "pinned", "policy": "prompt_caching" },
        { "name": "scorers", "policy": "llm_d" }"#;
    let text = experiment(&format!(r#"{{ "count": {users} }}"#), users * RATE, "", policies);
    let plan = plan(&text);
    let runs: Vec<Vec<Tally>> = plan.scenarios.iter().map(|s| replications(s, 3, 12)).collect();
    let share = |rate: f64| 1.0 - (1.0 + rate * 2.5) * libm::exp(-rate * LIFE);
    for (which, rate) in [(0, RATE / 4.0), (1, RATE), (3, RATE)] {
        let (name, runs) = (&plan.scenarios[which].name, &runs[which]);
        let expected = share(rate);
        assert_holds(name, &interval(runs, hits), expected, 0.05);
        assert_holds(name, &interval(runs, ttft), 2.5 - 1.5 * expected, 0.05);
        let missed = (1500.0 * 3.75 + 500.0 * 3.0 + 100.0 * 15.0) / 1e6;
        assert_holds(
            name,
            &interval(runs, cost),
            missed - expected * 1500.0 * 3.45 / 1e6,
            0.05,
        );
    }
    // Paired by replication: all policies meet the same requests.
    let pairs = |better: usize, worse: usize, figure: fn(&Tally) -> f64| {
        let each = runs[better].iter().zip(&runs[worse]);
        Estimate::of_replications(each.map(|(a, b)| Some(figure(a) - figure(b))), Confidence::P99)
    };
    for better in 1..4 {
        let name = &plan.scenarios[better].name;
        assert!(pairs(better, 0, hits).lo.expect("an interval") > 0.2, "{name}");
        assert!(pairs(better, 0, ttft).hi.expect("an interval") < -0.3, "{name}");
        assert!(pairs(better, 0, cost).hi.expect("an interval") < -0.001, "{name}");
    }
}

/// The first of three users asks 36/49 of 3.5 times a second; the four slots of one provider, 2 s a call at best, do 2 a second.
/// Held to one provider they wait without end while others are idle; the rule for uneven load sends them on.
#[test]
fn a_hot_user_needs_the_rule_for_uneven_load() {
    let slots = r#", "load": [ { "slots": { "servers": 4 } } ]"#;
    let policies = r#"
        { "name": "held", "policy": { "cache_affine": { "balance_abs_threshold": 1000000 } } },
        { "name": "pinned", "policy": { "prompt_caching": { "policy": "p2c" } } },
        { "name": "uneven", "policy": { "cache_affine": { "balance_abs_threshold": 8 } } },
        { "name": "turns", "policy": "round_robin" }"#;
    let plan = plan(&experiment(r#"{ "count": 3, "skew": 2 }"#, 3.5, slots, policies));
    let [held, pinned, uneven, turns] = &plan
        .scenarios
        .iter()
        .map(|s| interval(&replications(s, 3, 5), ttft))
        .collect::<Vec<_>>()[..]
    else {
        panic!("four policies");
    };
    assert!(held.value > 20.0 && pinned.value > 20.0, "{held:?} {pinned:?}");
    assert!(uneven.hi.expect("an interval") < 5.0, "{uneven:?}");
    assert!(turns.hi.expect("an interval") < 3.0, "{turns:?}");
}

/// One request a minute is let in and its prompt kept for 5 s. What is refused meanwhile, once a second, is not read: if it were,
/// the next one let in would mostly find it.
#[test]
fn what_is_refused_warms_no_cache() {
    let quota = r#", "limits": [ { "fixed_window": { "unit": "requests", "limit": 1, "window": "1m" } } ]"#;
    let single = r#"{ "name": "one", "policy": { "single": { "provider": "a" } } }"#;
    let text = experiment(r#"{ "count": 1 }"#, 1.0, quota, single).replace(r#""100s""#, r#""5s""#);
    let tally = replications(&plan(&text).scenarios[0], 1, 1).remove(0);
    assert!(tally.providers[0].input > 80 * 2000, "one a minute was let in");
    assert_eq!(tally.providers[0].cached, 0);
}

fn refusal(text: &str) -> String {
    let loaded = from_text("test.json", text).unwrap_or_else(|e| panic!("{e}"));
    assemble(&loaded).expect_err("it makes no sense").to_string()
}

#[test]
fn without_users_there_is_nobody_to_remember() {
    let single = r#"{ "name": "one", "policy": { "single": { "provider": "a" } } }"#;
    let text = experiment("null", 1.0, "", single);
    let said = refusal(&text);
    let what = "providers.a.prompt_cache: `returning` goes by who asks, and the traffic has no users: give `users` in \
                `traffic`, like {\"count\": 1000}";
    assert!(said.contains(what), "{said}");
    for policy in ["cache_affine", "prompt_caching", "llm_d"] {
        let text = experiment("null", 1.0, "", &format!(r#"{{ "name": "it", "policy": "{policy}" }}"#));
        let text = text.replace("prefix", "hit").replace("returning", "random");
        let text = text.replace(
            r#""hit": 1500, "granularity": 1, "ttl": "100s""#,
            r#""hit": 0.5, "share": 1"#,
        );
        let said = refusal(&text);
        let what = format!(
            "policies[0].policy.{policy}: there are no users to tell apart: give `users` in `traffic`, \
             like {{\"count\": 1000}}"
        );
        assert!(said.contains(&what), "{said}");
    }
}
