//! Bandits through the whole engine: what they lose against a policy that knows the best provider, and what becomes of
//! them when the best one changes.

use crate::common::{plan, replications};
use simcap::engine::tally::Tally;

/// Probability of a good answer of each provider.
const QUALITY: [f64; 3] = [0.9, 0.6, 0.5];
const SEEDS: u64 = 20;

/// So many requests a second apart, over providers that answer at once and as well as `QUALITY` says.
fn quality(policy: &str, requests: u32) -> Vec<Tally> {
    let fleet: Vec<String> = ["a", "b", "c"]
        .iter()
        .zip(QUALITY)
        .map(|(name, quality)| {
            format!(
                r#""{name}": {{ "response": {{ "constant": "100ms" }}, "quality": {{ "all": {quality} }},
                    "prices": {{ "per_token": {{ "input": "$1/Mtok", "output": "$1/Mtok" }} }} }}"#
            )
        })
        .collect();
    run(&fleet.join(","), policy, requests)
}

fn run(fleet: &str, policy: &str, requests: u32) -> Vec<Tally> {
    let text = format!(
        r#"{{
        "name": "bandits",
        "traffic": {{
            "arrivals": {{ "regular": {{ "rate": "1/s" }} }},
            "classes": {{ "all": {{ "input": {{ "constant": 1 }}, "output": {{ "constant": 1 }} }} }}
        }},
        "providers": {{ {fleet} }},
        "policies": [ {{ "name": "only", "policy": {policy} }} ],
        "plan": {{ "duration": "{requests}s", "warmup": "0s" }}
    }}"#
    );
    replications(&plan(&text).scenarios[0], 7, SEEDS)
}

fn sent(tally: &Tally, p: usize) -> f64 {
    tally.providers[p].outcomes.iter().sum::<u64>() as f64
}

/// What is lost by every call that did not go to the best, on average over seeds.
fn regret(tallies: &[Tally]) -> f64 {
    let lost = |t: &Tally| (1..3).map(|p| sent(t, p) * (QUALITY[0] - QUALITY[p])).sum::<f64>();
    tallies.iter().map(lost).sum::<f64>() / tallies.len() as f64
}

/// Auer et al. 2002, theorem 1: 8 Σ ln n / Δ + (1 + π²/3) Σ Δ.
fn auer(n: f64) -> f64 {
    let gaps = [QUALITY[0] - QUALITY[1], QUALITY[0] - QUALITY[2]];
    let sum = |f: fn(f64) -> f64| gaps.iter().map(|&gap| f(gap)).sum::<f64>();
    8.0 * libm::log(n) * sum(|gap| 1.0 / gap) + (1.0 + std::f64::consts::PI.powi(2) / 3.0) * sum(|gap| gap)
}

#[test]
fn regret_grows_like_a_logarithm_and_that_of_chance_linearly() {
    let (few, many) = (1_000, 10_000);
    let of = |policy: &str| [few, many].map(|n| regret(&quality(policy, n)));
    let [random, at_ten] = of(r#"{ "weighted": { "weights": { "a": 1, "b": 1, "c": 1 } } }"#);
    assert!((at_ten / random - 10.0).abs() < 0.5, "chance: {random}, {at_ten}");
    let [ucb, ucb_at_ten] = of(r#""ucb""#);
    assert!(ucb_at_ten < 3.0 * ucb, "UCB1: {ucb}, {ucb_at_ten}");
    assert!(ucb <= auer(f64::from(few)) && ucb_at_ten <= auer(f64::from(many)));
    let [thompson, thompson_at_ten] = of(r#""thompson""#);
    assert!(
        thompson_at_ten < 3.0 * thompson,
        "Thompson: {thompson}, {thompson_at_ten}"
    );
    assert!(
        thompson_at_ten < ucb_at_ten && ucb_at_ten < at_ten / 4.0,
        "{thompson_at_ten} {ucb_at_ten} {at_ten}"
    );
}

/// Of the last quarter of the calls by far the most go to the best, whatever the seed; with feedback on a tenth of the answers
/// too, only later.
#[test]
fn the_best_is_found() {
    for (policy, least) in [
        (r#""thompson""#, 0.95),
        (r#""ucb""#, 0.8),
        (r#"{ "thompson": { "feedback": 0.1 } }"#, 0.8),
        (r#"{ "ucb": { "feedback": 0.1, "exploration": 0.5 } }"#, 0.7),
    ] {
        let (early, late) = (quality(policy, 7_500), quality(policy, 10_000));
        for (before, all) in early.iter().zip(&late) {
            let share = (sent(all, 0) - sent(before, 0)) / 2_500.0;
            assert!(share > least, "{policy}: {share}");
        }
    }
}

/// For 2,000 s the first answers in 1 s and the second in 5 s; from then on the first takes 10 s.
fn share_after_drift(policy: &str, rest: &str) -> f64 {
    let price = r#""prices": { "per_request": { "price": "$0" } }"#;
    let fleet = format!(
        r#""a": {{ "response": {{ "constant": "1s" }}, {price},
                 "faults": [ {{ "slow_down": {{ "from": "2000s", "for": "100h", "ttft": 10, "speed": 0.1 }} }} ] }},
           "b": {{ "response": {{ "constant": "5s" }}, {price} }}"#
    );
    let reward = r#""reward": { "quality": 0, "latency": 1, "max_latency": "10s" }"#;
    let policy = format!(r#"{{ "{policy}": {{ {reward}{rest} }} }}"#);
    let (early, late) = (run(&fleet, &policy, 2_500), run(&fleet, &policy, 3_000));
    let share = |(before, all): (&Tally, &Tally)| (sent(all, 1) - sent(before, 1)) / 500.0;
    early.iter().zip(&late).map(share).sum::<f64>() / SEEDS as f64
}

/// 500 s after the change whoever forgets goes to the second; whoever does not, to the first: its mean is still the better.
#[test]
fn whoever_forgets_notices_a_change() {
    for (policy, rest) in [
        ("thompson", r#", "discount": 0.98"#),
        ("thompson", r#", "window": 100"#),
        ("ucb", r#", "discount": 0.98, "exploration": 0.1"#),
        ("ucb", r#", "window": 100, "exploration": 0.1"#),
    ] {
        let share = share_after_drift(policy, rest);
        assert!(share > 0.7, "{policy}{rest}: {share}");
    }
    for (policy, rest) in [("thompson", ""), ("ucb", r#", "exploration": 0.1"#)] {
        let share = share_after_drift(policy, rest);
        assert!(share < 0.2, "{policy}{rest}: {share}");
    }
}

/// The price is worth 0.3: answers better by 0.7 are worth 0.49, answers better by 0.2 no more than 0.14.
#[test]
fn litellms_router_weighs_quality_against_price() {
    let fleet = |better: f64| {
        let provider = |name: &str, quality: f64, price: u32| {
            format!(
                r#""{name}": {{ "response": {{ "constant": "100ms" }}, "quality": {{ "all": {quality} }},
                    "prices": {{ "per_token": {{ "input": "${price}/Mtok", "output": "$1/Mtok" }} }} }}"#
            )
        };
        [provider("cheap", 0.9 - better, 1), provider("dear", 0.9, 9)].join(",")
    };
    let dear = |better: f64| {
        let policy = r#"{ "litellm_adaptive": { "feedback": 1 } }"#;
        let tallies = run(&fleet(better), policy, 3_000);
        tallies.iter().map(|t| sent(t, 1)).sum::<f64>() / 3_000.0 / SEEDS as f64
    };
    let (worth_it, not) = (dear(0.7), dear(0.2));
    assert!(worth_it > 0.8 && not < 0.05, "{worth_it} {not}");
}
