//! Cascades through the whole engine: closed forms of their cost, quality and latency, and every way a stage can go wrong.

use crate::common::{plan, replications};
use simcap::engine::tally::Tally;
use simcap::kernel::time::Span;
use simcap::stats::histogram::Histogram;
use simcap::words::Outcome;

/// One replication of 20,000 requests of one class over these providers, with these client fields and stages.
fn run(providers: &str, client: &str, stages: &str) -> Tally {
    let text = format!(
        r#"{{
        "name": "cascade",
        "traffic": {{
            "arrivals": {{ "regular": {{ "rate": "20/s" }} }},
            "classes": {{ "all": {{ "input": {{ "constant": 1 }}, "output": {{ "constant": 1 }} }} }}
        }},
        "providers": {{ {providers} }},
        "client": {{ {client} }},
        "policies": [ {{ "name": "only", "policy": {{ "cascade": {{ "stages": [ {stages} ] }} }} }} ],
        "plan": {{ "duration": "1000s", "warmup": "100s" }}
    }}"#
    );
    let tally = replications(&plan(&text).scenarios[0], 1, 1).remove(0);
    let billed: u128 = tally.providers.iter().map(|p| p.cost).sum();
    let by_class: u128 = tally.classes.iter().map(|c| c.cost).sum();
    assert_eq!(billed + tally.judging, by_class + tally.mirrored, "no money is lost");
    tally
}

fn provider(name: &str, takes: &str, price: &str, rest: &str) -> String {
    format!(
        r#""{name}": {{ "response": {{ "constant": "{takes}" }}, "prices": {{ "per_request": {{ "price": "{price}" }} }}{rest} }}"#
    )
}

/// A small and a large provider, with what else is said of each.
fn two(small: &str, large: &str) -> String {
    [
        provider("small", "1s", "$1", small),
        provider("large", "2s", "$10", large),
    ]
    .join(",")
}

/// Small, judged like this, then large.
fn small_then_large(judge: &str) -> String {
    format!(r#"{{ "providers": ["small"], "judge": {{ {judge} }} }}, {{ "providers": ["large"] }}"#)
}

const DOWN: &str = r#", "faults": [ { "random": { "server_error": 1 } } ]"#;

fn per_request(tally: &Tally, picodollars: u128) -> f64 {
    picodollars as f64 / 1e12 / tally.requests() as f64
}

/// Whether a share of the requests is `p`, to four standard deviations.
fn assert_share(tally: &Tally, what: &str, count: u64, p: f64) {
    let n = tally.requests() as f64;
    let sd = (p * (1.0 - p) / n).sqrt();
    assert!(
        (count as f64 / n - p).abs() <= 4.0 * sd,
        "{what}: {} not {p}",
        count as f64 / n
    );
}

fn sent(tally: &Tally, p: usize) -> u64 {
    tally.providers[p].outcomes.iter().sum()
}

/// Stages of $1, $3 and $10, judges of $0.1 and $0.2 that accept 0.6 and 0.5: the second is reached by 0.4, the third by 0.2.
#[test]
fn costs_and_latencies_add_up() {
    let providers = [
        provider("a", "1s", "$1", ""),
        provider("b", "2s", "$3", ""),
        provider("c", "4s", "$10", ""),
    ]
    .join(",");
    let stages = r#"
        { "providers": ["a"], "judge": { "accept": 0.6, "looks": "100ms", "cost": "$0.1" } },
        { "providers": ["b"], "judge": { "accept": 0.5, "looks": "200ms", "cost": "$0.2" } },
        { "providers": ["c"] }"#;
    let tally = run(&providers, "", stages);
    assert_eq!(tally.ended(Outcome::Success), tally.requests());
    assert_share(&tally, "reach the second", sent(&tally, 1), 0.4);
    assert_share(&tally, "reach the third", sent(&tally, 2), 0.2);
    assert_eq!(tally.effort.escalations, sent(&tally, 1) + sent(&tally, 2));
    assert_eq!(
        tally.judging,
        u128::from(sent(&tally, 0) + 2 * sent(&tally, 1)) * 100_000_000_000
    );
    // 1.1 + 0.4·3.2 + 0.2·10; the variance of what one costs is under 21, so four standard deviations of the mean are 0.13.
    let cost = per_request(&tally, tally.cost());
    assert!((cost - 4.38).abs() < 0.13, "{cost}");
    let e2e = &tally.classes[0].e2e;
    for (share, millis) in [(0.58, 1100), (0.62, 3300), (0.78, 3300), (0.82, 7300)] {
        let at = e2e.quantile(share).expect("it served").seconds();
        assert!((at * 1000.0 / f64::from(millis) - 1.0).abs() < 2e-3, "{share}: {at}");
    }
    assert_eq!(tally.effort.retries + tally.effort.fallbacks, 0);
}

/// Of answers good with 0.7 a judge that takes 0.9 of the good and 0.2 of the others takes 0.69; good in the end are 0.63 of
/// these and, of the other 0.31, what the large one gets right: 0.63 + 0.31·0.95.
#[test]
fn the_final_quality_is_bayess() {
    let providers = two(r#", "quality": { "all": 0.7 }"#, r#", "quality": { "all": 0.95 }"#);
    let tally = run(
        &providers,
        "",
        &small_then_large(r#""takes_good": 0.9, "takes_bad": 0.2"#),
    );
    assert_share(&tally, "escalated", tally.effort.escalations, 0.31);
    let class = &tally.classes[0];
    assert_eq!(class.rated, tally.requests());
    let good = class.quality as f64 / 1e6 / class.rated as f64;
    // A request counts 0.63/0.69 or 0.95: a standard deviation of 0.017 each.
    assert!(
        (good - 0.9245).abs() < 4.0 * 0.017 / (class.rated as f64).sqrt(),
        "{good}"
    );
}

/// The first token of a judged answer comes with its last and the judge's leave; that of one nobody looks at when it comes.
#[test]
fn nothing_is_streamed_that_may_be_turned_down() {
    let streams = |name: &str| {
        format!(
            r#""{name}": {{ "ttft": {{ "constant": "1s" }}, "tps": {{ "constant": 1 }}, "prices": {{ "per_request": {{ "price": "$1" }} }} }}"#
        )
    };
    let providers = [streams("small"), streams("large")].join(",");
    let longest = |times: &Histogram| times.max().expect("it served").seconds();
    let ttft = |accept: u32| {
        let tally = run(
            &providers,
            "",
            &small_then_large(&format!(r#""accept": {accept}, "looks": "500ms""#)),
        );
        (longest(&tally.classes[0].ttft), longest(&tally.classes[0].e2e))
    };
    let (first, last) = ttft(1);
    assert_eq!(first, last);
    let (first_of_two, last_of_two) = ttft(0);
    assert!(
        (first_of_two - (last + 1.0)).abs() < 0.01,
        "{first_of_two} {last_of_two}"
    );
}

#[test]
fn the_deadline_strikes_while_the_judge_looks() {
    let judge = r#""accept": 1, "looks": "10s", "cost": "$0.5""#;
    let tally = run(
        &two("", ""),
        r#""timeouts": { "total": "5s" }"#,
        &small_then_large(judge),
    );
    assert_eq!(tally.ended(Outcome::TimeoutTotal), tally.requests());
    assert_eq!(
        per_request(&tally, tally.cost()),
        1.5,
        "the answer and the look are paid for"
    );
    let just = run(
        &two("", ""),
        r#""timeouts": { "total": "11001ms" }"#,
        &small_then_large(judge),
    );
    assert_eq!(just.ended(Outcome::Success), just.requests());
}

/// Nothing better follows: the caller gets the answer that was turned down, which is a good one with 0.7·0.1/0.31.
#[test]
fn an_answer_turned_down_is_better_than_none() {
    let providers = two(r#", "quality": { "all": 0.7 }"#, DOWN);
    let judge = r#""takes_good": 0.9, "takes_bad": 0.2"#;
    let kept = run(&providers, "", &small_then_large(judge));
    assert_eq!(kept.ended(Outcome::Success), kept.requests());
    let good = kept.classes[0].quality as f64 / 1e6 / kept.requests() as f64;
    // 0.9130 or 0.2258: a standard deviation of 0.32.
    assert!(
        (good - 0.7).abs() < 4.0 * 0.32 / (kept.requests() as f64).sqrt(),
        "{good}"
    );
    let lost = run(
        &providers,
        "",
        &small_then_large(&format!(r#"{judge}, "keeps": false"#)),
    );
    assert_eq!(lost.ended(Outcome::ServerError), lost.effort.escalations);
    assert_share(&lost, "lost", lost.ended(Outcome::ServerError), 0.31);
}

/// The second stage's judge keeps nothing: what the first kept is not forgotten over it, nor is its quality.
#[test]
fn what_is_kept_stays_kept() {
    let providers = [
        provider("a", "1s", "$1", r#", "quality": { "all": 0.25 }"#),
        provider("b", "1s", "$1", r#", "quality": { "all": 1 }"#),
        provider("c", "1s", "$1", DOWN),
    ]
    .join(",");
    let stages = r#"
        { "providers": ["a"], "judge": { "accept": 0 } },
        { "providers": ["b"], "judge": { "accept": 0, "keeps": false } },
        { "providers": ["c"] }"#;
    let tally = run(&providers, "", stages);
    assert_eq!(tally.ended(Outcome::Success), tally.requests());
    assert_eq!(tally.classes[0].quality, 250_000 * tally.requests());
}

/// Half of the small one's answers fail; a second try is made; with a quarter both fail, and the next stage follows.
#[test]
fn tries_are_made_within_a_stage_and_then_the_next_follows() {
    let half = r#", "faults": [ { "random": { "server_error": 0.5 } } ]"#;
    let retry = r#""retry": { "fixed": { "tries": 2, "wait": "0s" } }"#;
    let tally = run(&two(half, ""), retry, &small_then_large(r#""accept": 0.5"#));
    assert_eq!(tally.ended(Outcome::Success), tally.requests());
    assert_share(&tally, "tried again", tally.effort.retries, 0.5);
    assert_share(&tally, "failed twice", tally.effort.fallbacks, 0.25);
    assert_share(&tally, "turned down", tally.effort.escalations, 0.375);
    assert_eq!(sent(&tally, 1), tally.effort.fallbacks + tally.effort.escalations);
}

/// The small one is down from the start: its breaker opens, and the large one answers without a judge.
#[test]
fn a_stage_behind_an_open_breaker_is_passed_over() {
    let client = r#""breaker": { "consecutive": { "failures": 5, "open_for": "1h" } }"#;
    let tally = run(
        &two(DOWN, ""),
        client,
        &small_then_large(r#""accept": 0, "cost": "$1""#),
    );
    assert_eq!(tally.ended(Outcome::Success), tally.requests());
    assert_eq!((sent(&tally, 0), tally.judging, tally.effort.escalations), (0, 0, 0));
}

/// The first of two is slow; its copy goes to the other, wins, and is what the judge looks at: once a request.
#[test]
fn a_judge_looks_at_the_winner_of_a_race() {
    let providers = [
        provider("slow", "5s", "$1", ""),
        provider("fast", "1s", "$1", ""),
        provider("large", "1s", "$1", ""),
    ]
    .join(",");
    let stages = r#"
        { "providers": ["slow", "fast"], "judge": { "accept": 0.5, "cost": "$1" } },
        { "providers": ["large"] }"#;
    let client = r#""hedge": { "fixed": { "delay": "2s", "race": "answer", "elsewhere": true } }"#;
    let tally = run(&providers, client, stages);
    assert_eq!(tally.ended(Outcome::Success), tally.requests());
    assert_eq!(
        (tally.effort.hedges, tally.effort.hedges_won),
        (tally.requests(), tally.requests())
    );
    assert_eq!(tally.judging, u128::from(tally.requests()) * 1_000_000_000_000);
    assert_share(&tally, "turned down", tally.effort.escalations, 0.5);
    let slow = &tally.providers[0];
    assert_eq!(slow.outcomes[Outcome::Cancelled.index()], tally.requests());
}

/// A copy was due 3 s after the first stage's attempt; by then the request is in line for the second, which it has not reached.
#[test]
fn a_copy_planned_in_one_stage_is_not_sent_in_the_next() {
    let providers = two("", r#", "connections": 39"#);
    let client = r#""hedge": { "fixed": { "delay": "3s" } }, "timeouts": { "total": "30s" }"#;
    let tally = run(&providers, client, &small_then_large(r#""accept": 0"#));
    assert!(tally.classes[0].e2e.max() > Some(Span::from_secs(3)));
    assert_eq!((tally.effort.hedges, tally.effort.hedges_stranded), (0, 0));
}
