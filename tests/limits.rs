//! Quotas through an experiment file: shared by an account, atomic, corrected, by the name of a tier.

use crate::common::{plan, replications};
use simcap::engine::tally::Tally;
use simcap::words::BoundKind;
use simcap::words::Outcome;

/// One replication of `seconds` with so many regular arrivals a second of 100 tokens in and 100 out, 900 allowed, spread in turn
/// over the providers `a` and `b` (given by their own fields), with these accounts and client fields.
fn run(rate: u32, seconds: u32, a: &str, b: &str, accounts: &str, client: &str) -> Tally {
    let text = format!(
        r#"{{
        "name": "case",
        "traffic": {{ "arrivals": {{ "regular": {{ "rate": "{rate}/s" }} }}, "classes": {{
            "all": {{ "input": {{ "constant": 100 }}, "output": {{ "constant": 100 }}, "max_output": 900 }} }} }},
        "providers": {{
            "a": {{ "prices": {{ "per_request": {{ "price": "$0" }} }}, {a} }},
            "b": {{ "prices": {{ "per_request": {{ "price": "$0" }} }}, {b} }} }},
        "accounts": {{ {accounts} }},
        "client": {{ {client} }},
        "policies": [ {{ "name": "only", "policy": "round_robin" }} ],
        "plan": {{ "duration": "{seconds}s", "warmup": "0s" }}
    }}"#
    );
    replications(&plan(&text).scenarios[0], 1, 1).remove(0)
}

const QUICK: &str = r#""response": { "constant": "1ms" }"#;

fn of(provider: usize, outcome: Outcome, tally: &Tally) -> u64 {
    tally.providers[provider].outcomes[outcome.index()]
}

/// How many succeed in 1,000 s of ten arrivals a second at two quick providers that share these limits.
fn passes(rate: u32, limits: &str) -> u64 {
    let provider = format!(r#"{QUICK}, "account": "org""#);
    let account = format!(r#""org": {{ "limits": [ {limits} ] }}"#);
    run(rate, 1000, &provider, &provider, &account, "").ended(Outcome::Success)
}

/// One a second for two providers together. With a quota each, twice as much passes.
#[test]
fn an_account_is_one_quota_for_all_its_providers() {
    let bucket = r#"{ "token_bucket": { "unit": "requests", "rate": "1/s", "burst": 1 } }"#;
    let shared = passes(10, bucket);
    let own = format!(r#"{QUICK}, "limits": [ {bucket} ]"#);
    let apart = run(10, 1000, &own, &own, "", "").ended(Outcome::Success);
    assert!((999..=1001).contains(&shared), "{shared}");
    assert!((1998..=2002).contains(&apart), "{apart}");
}

/// A hundred requests in all at `a`'s own quota, and one every ten seconds from the account. If what the account refuses were
/// charged to the own quota, that would be empty after a hundred arrivals.
#[test]
fn what_the_account_refuses_costs_the_provider_nothing() {
    let a = format!(
        r#"{QUICK}, "account": "org",
        "limits": [ {{ "fixed_window": {{ "unit": "requests", "limit": 100, "window": "10d" }} }} ]"#
    );
    let account = r#""org": { "limits": [ { "fixed_window": { "unit": "requests", "limit": 1, "window": "10s" } } ] }"#;
    let tally = run(2, 900, &a, QUICK, account, "");
    assert_eq!(of(0, Outcome::Success, &tally), 90);
    assert_eq!(of(0, Outcome::RateLimited, &tally), 810);
}

/// The other way round: what `a`'s own quota refuses leaves the account to `b`. Every arrival but `a`'s refusals passes.
#[test]
fn what_the_provider_refuses_costs_the_account_nothing() {
    let a = format!(
        r#"{QUICK}, "account": "org",
        "limits": [ {{ "fixed_window": {{ "unit": "requests", "limit": 1, "window": "100s" }} }} ]"#
    );
    let b = format!(r#"{QUICK}, "account": "org""#);
    let account =
        r#""org": { "limits": [ { "fixed_window": { "unit": "requests", "limit": 400, "window": "10d" } } ] }"#;
    let tally = run(2, 300, &a, &b, account, "");
    assert_eq!(of(0, Outcome::Success, &tally), 3);
    assert_eq!(of(1, Outcome::RateLimited, &tally), 0);
}

/// Two limits in one list: requests refused for their tokens take nothing from the quota of requests.
#[test]
fn limits_of_one_list_are_charged_together_or_not_at_all() {
    let requests = r#"{ "fixed_window": { "unit": "requests", "limit": 100, "window": "10d" } }"#;
    let tokens = r#"{ "fixed_window": { "unit": "input_tokens", "limit": 100, "window": "20s" } }"#;
    for limits in [format!("{requests}, {tokens}"), format!("{tokens}, {requests}")] {
        assert_eq!(passes(5, &limits), 50);
    }
}

/// 2,000 tokens a second; each request reserves 1,000 and uses 200. Uncorrected two a second pass; corrected all ten do; with
/// nothing of the output reserved at the start, and never corrected, all ten again.
#[test]
fn what_is_reserved_decides_how_much_passes() {
    let of = |charge: &str| {
        passes(
            10,
            &format!(
                r#"{{ "token_bucket": {{ "unit": "tokens", "rate": "2000/s", "burst": 2000, "charge": {{ {charge} }} }} }}"#
            ),
        )
    };
    let rows = [
        ("", 2_000),
        (r#""reconcile": true"#, 10_000),
        (r#""reserve": "input""#, 10_000),
        (r#""reserve": { "estimate": 500 }"#, 4_000),
        (r#""at": "end""#, 10_000),
    ];
    for (charge, expected) in rows {
        let passed = of(charge);
        assert!(passed.abs_diff(expected) <= 5, "{charge}: {passed}");
    }
}

/// 1,000 tokens a minute charged at the end, answers of 200 tokens that take 10 s, ten arrivals a second: a hundred are under way
/// before the first is charged, twenty times the quota.
#[test]
fn charged_at_the_end_a_minute_lets_in_all_who_come_before_the_first_answer() {
    let limit = r#""limits": [ { "fixed_window": { "unit": "tokens", "limit": 1000, "window": "1m", "charge": { "at": "end" } } } ]"#;
    let a = format!(r#""response": {{ "constant": "10s" }}, {limit}"#);
    let tally = run(20, 60, &a, QUICK, "", "");
    let passed = of(0, Outcome::Success, &tally);
    assert!((100..=106).contains(&passed), "{passed}");
}

/// Failures that cost nothing: half of the attempts fail, and as many succeed as the quota has.
#[test]
fn failed_requests_can_be_free() {
    let provider = |charge: &str| {
        format!(
            r#"{QUICK}, "faults": [ {{ "random": {{ "server_error": 0.5 }} }} ],
            "limits": [ {{ "fixed_window": {{ "unit": "requests", "limit": 100, "window": "100s", "charge": {{ {charge} }} }} }} ]"#
        )
    };
    let free = run(10, 1000, &provider(r#""failed_requests": false"#), QUICK, "", "");
    assert_eq!(of(0, Outcome::Success, &free), 1000);
    let counted = run(10, 1000, &provider(""), QUICK, "", "");
    let sent = of(0, Outcome::Success, &counted) + of(0, Outcome::ServerError, &counted);
    assert_eq!(sent, 1000);
}

/// Three at once for a second each. A full one says no time, so that a retry rule that waits for Retry-After has none.
#[test]
fn requests_at_once_are_bounded() {
    let a = r#""response": { "constant": "999ms" }, "limits": [ { "concurrent": { "limit": 3 } } ]"#;
    let tally = run(20, 100, a, QUICK, "", "");
    assert_eq!(of(0, Outcome::Success, &tally), 300);
    assert_eq!(of(0, Outcome::RateLimited, &tally), 700);
}

/// A caller that gives up leaves its place to the next.
#[test]
fn a_place_is_free_when_the_caller_hangs_up() {
    let a = r#""response": { "constant": "100s" }, "limits": [ { "concurrent": { "limit": 1 } } ]"#;
    let tally = run(2, 100, a, QUICK, "", r#""timeouts": { "attempt": "900ms" }"#);
    assert_eq!(of(0, Outcome::TimeoutAttempt, &tally), 100);
    assert_eq!(of(0, Outcome::RateLimited, &tally), 0);
}

/// Anthropic's first tier for Sonnet: 50 requests a minute, of which a minute's worth at once. Its 8,000 output tokens are no
/// bound here (5,000 are used), nor is its input.
#[test]
fn a_preset_is_the_quota_of_its_tier() {
    let passed = passes(5, r#"{ "preset": { "name": "anthropic/sonnet-4.x/tier-1" } }"#);
    let expected = 50 + 1000 * 50 / 60;
    assert!(passed.abs_diff(expected) <= 1, "{passed}");
}

/// What was bought decides: 10,000 tokens a minute reserve ten requests a minute, and 60 requests a minute are more than that.
#[test]
fn azure_standard_reserves_and_never_corrects() {
    let passed = passes(
        5,
        r#"{ "preset": { "name": "azure-openai/standard", "tokens_per_minute": "10k" } }"#,
    );
    assert_eq!(passed, 17 * 10);
}

/// Ten a second at a limiter of 5 a second, for each kind of limiter: the client lets as many through as it may.
#[test]
fn client_limiters_hold_the_rate() {
    for (kind, most) in [
        (
            r#"{ "sliding_window": { "unit": "requests", "limit": 5, "window": "1s" } }"#,
            5,
        ),
        (
            r#"{ "sliding_counter": { "unit": "requests", "limit": 5, "window": "1s" } }"#,
            5,
        ),
        (r#"{ "gcra": { "unit": "requests", "limit": 5, "window": "1s" } }"#, 5),
        (
            r#"{ "fixed_window": { "unit": "tokens", "limit": 1000, "window": "1s", "charge": { "at": "end" } } }"#,
            5,
        ),
    ] {
        let client = format!(r#""limiters": [ {kind} ], "admission": {{ "queue": {{ "max_wait": "100ms" }} }}"#);
        let tally = run(10, 1000, QUICK, QUICK, "", &client);
        let passed = tally.ended(Outcome::Success);
        let expected = most * 1000;
        assert!(passed.abs_diff(expected) <= expected / 50 + 10, "{kind}: {passed}");
    }
}

/// An arrival a second at `a` from 0.5 s on, with 1.7 s of work and one place: let in, refused, let in. The place is taken for
/// 1.7 s of every 2, but for the last time, of which 1.5 s are within the 100 s.
#[test]
fn the_time_that_a_quota_of_requests_at_once_is_full_is_counted() {
    let place = r#""limits": [ { "concurrent": { "limit": 1 } } ]"#;
    let account = r#""org": { "limits": [ { "concurrent": { "limit": 1 } } ] }"#;
    let work = r#""response": { "constant": "1700ms" }"#;
    let quota = |tally: &Tally| -> Vec<_> {
        let of_kind = tally
            .bounds
            .iter()
            .filter(|b| b.what == BoundKind::Quota && b.limit.is_some());
        of_kind.map(|b| (b.provider, b.limit, b.time)).collect()
    };
    let own = run(2, 100, &format!("{work}, {place}"), QUICK, "", "");
    let full = 49 * 1_700_000_000 + 1_500_000_000;
    assert_eq!(of(0, Outcome::RateLimited, &own), 50);
    assert_eq!(quota(&own), [(Some(0), Some(1), full)]);
    let shared = run(2, 100, &format!(r#"{work}, "account": "org""#), QUICK, account, "");
    assert_eq!(quota(&shared), [(Some(0), Some(1), full)]);
}

/// Requests of 100 tokens in and 900 allowed out: a burst of 999 never fits one, of 1,000 does.
#[test]
fn attempts_that_no_quota_of_their_provider_ever_fits_are_counted() {
    let bucket =
        |burst: u32| format!(r#"{{ "token_bucket": {{ "unit": "tokens", "rate": "1M/s", "burst": {burst} }} }}"#);
    let own = |burst: u32| format!(r#"{QUICK}, "limits": [ {} ]"#, bucket(burst));
    let tally = run(10, 100, &own(999), &own(1000), "", "");
    assert_eq!(tally.providers[0].oversized, 500);
    assert_eq!(of(0, Outcome::RateLimited, &tally), 500);
    assert_eq!((tally.providers[1].oversized, tally.oversized), (0, 0));
    let full = r#""limits": [ { "concurrent": { "limit": 1 } } ], "response": { "constant": "10s" }"#;
    let tally = run(10, 100, full, QUICK, "", "");
    assert!(of(0, Outcome::RateLimited, &tally) > 400 && tally.providers[0].oversized == 0);
    let client = format!(r#""limiters": [ {} ]"#, bucket(999));
    let tally = run(10, 100, QUICK, QUICK, "", &client);
    assert_eq!((tally.oversized, tally.ended(Outcome::Shed)), (999, 999));
}
