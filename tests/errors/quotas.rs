//! Accounts and quotas that make no sense.

use insta::assert_snapshot;

use super::said;

/// What is said of this limit in the place of the good file's bucket.
#[track_caller]
fn limit(text: &str) -> String {
    said(
        r#"{ "token_bucket": { "unit": "requests", "rate": "1000/min" } }"#,
        text,
    )
}

#[test]
fn an_unknown_account() {
    let text = r#""accounts": { "org": { "limits": [ { "token_bucket": { "unit": "requests", "rate": "1/s" } } ] } }, "client": {"#;
    let good = super::GOOD.replacen(r#""client": {"#, text, 1);
    assert_snapshot!(super::said_of(&good.replacen(r#""network": "20ms","#, r#""account": "orgs","#, 1)), @r#"
    shop.json:21:18: providers.own.account: there is no account `orgs`
       21 |       "account": "orgs",
          |                  ^
       help: did you mean `org`?
       allowed: org
    "#);
}

#[test]
fn an_account_when_there_is_none() {
    assert_snapshot!(said(r#""network": "20ms","#, r#""account": "org","#), @r#"
    shop.json:21:18: providers.own.account: there is no account `org`: none is defined; define it in `accounts`, beside `providers`
       21 |       "account": "org",
          |                  ^
    "#);
}

#[test]
fn an_account_with_a_bad_limit() {
    assert_snapshot!(said(r#""client": {"#, r#""accounts": { "org": { "limits": [ { "gcra": { "unit": "requests", "limit": "2G", "window": "1s" } } ] } }, "client": {"#), @r#"
    shop.json:33:79: accounts.org.limits[0].gcra.limit: 2000000000 in 1s are more than one a nanosecond
       33 | …g": { "limits": [ { "gcra": { "unit": "requests", "limit": "2G", "window": "1s" } } ] } }, "client":…
          |                                                             ^
    "#);
}

#[test]
fn an_unknown_preset() {
    assert_snapshot!(limit(r#"{ "preset": { "name": "anthropic/sonnet-4/tier-2" } }"#), @r#"
    shop.json:24:31: providers.own.limits[0].preset.name: there is no published quota `anthropic/sonnet-4/tier-2`
       24 |         { "preset": { "name": "anthropic/sonnet-4/tier-2" } },
          |                               ^
       help: did you mean `anthropic/sonnet-4.x/tier-2`?
       allowed: anthropic/sonnet-4.x/tier-1, anthropic/sonnet-4.x/tier-2, anthropic/sonnet-4.x/tier-3, anthropic/sonnet-4.x/tier-4, anthropic/haiku-4.5/tier-1, anthropic/haiku-4.5/tier-2, anthropic/haiku-4.5/tier-3, anthropic/haiku-4.5/tier-4, anthropic/opus-4.x/tier-1, anthropic/opus-4.x/tier-4, openai/gpt-5/tier-1, openai/gpt-5/tier-2, openai/gpt-5/tier-3, openai/gpt-5/tier-4, openai/gpt-5/tier-5, gemini/2.5-flash/free, gemini/2.5-flash/tier-1, gemini/2.5-flash/tier-2, gemini/2.5-flash/tier-3, gemini/2.5-pro/tier-1, azure-openai/standard, azure-openai/ptu, azure-openai/ptu/gpt-4.1, azure-openai/ptu/gpt-4.1-mini, azure-openai/ptu/gpt-4.1-nano, azure-openai/ptu/gpt-5, groq/llama-3.3-70b/free
    "#);
}

#[test]
fn a_preset_that_needs_to_know_what_was_bought() {
    assert_snapshot!(limit(r#"{ "preset": { "name": "azure-openai/ptu" } }"#), @r#"
    shop.json:24:21: providers.own.limits[0].preset: `azure-openai/ptu` goes by the tokens a minute that were bought: give `tokens_per_minute`
       24 |         { "preset": { "name": "azure-openai/ptu" } },
          |                     ^
    "#);
}

#[test]
fn a_preset_that_does_not() {
    assert_snapshot!(limit(r#"{ "preset": { "name": "openai/gpt-5/tier-1", "tokens_per_minute": "1M" } }"#), @r#"
    shop.json:24:75: providers.own.limits[0].preset.tokens_per_minute: `openai/gpt-5/tier-1` does not go by tokens a minute that were bought
       24 |         { "preset": { "name": "openai/gpt-5/tier-1", "tokens_per_minute": "1M" } },
          |                                                                           ^
    "#);
}

#[test]
fn a_rate_of_requests_at_once() {
    assert_snapshot!(limit(r#"{ "token_bucket": { "unit": "concurrent", "rate": "1000/min" } }"#), @r#"
    shop.json:24:37: providers.own.limits[0].token_bucket.unit: requests at once are not a rate: give `concurrent` (of a provider) or `max_in_flight` (of a client) instead
       24 |         { "token_bucket": { "unit": "concurrent", "rate": "1000/min" } },
          |                                     ^
    "#);
}

#[test]
fn a_limiter_of_requests_at_once() {
    assert_snapshot!(said(r#""unit": "tokens", "rate": "1M/min", "burst": 5000, "estimate": 500"#, r#""unit": "concurrent", "rate": "1M/min""#), @r#"
    shop.json:35:47: client.limiters[0].token_bucket.unit: requests at once are not a rate: give `concurrent` (of a provider) or `max_in_flight` (of a client) instead
       35 |     "limiters": [ { "token_bucket": { "unit": "concurrent", "rate": "1M/min" } } ],
          |                                               ^
    "#);
}

#[test]
fn an_estimate_in_a_quota_of_requests() {
    assert_snapshot!(limit(r#"{ "gcra": { "unit": "requests", "limit": 5, "window": "1s", "charge": { "reserve": { "estimate": 4 } } } }"#), @r#"
    shop.json:24:92: providers.own.limits[0].gcra.charge.reserve: an estimate is of tokens; this limit counts requests
       24 | …": { "unit": "requests", "limit": 5, "window": "1s", "charge": { "reserve": { "estimate": 4 } } } },
          |                                                                              ^
    "#);
}

#[test]
fn an_estimate_beyond_the_limit() {
    assert_snapshot!(limit(r#"{ "sliding_log": { "unit": "tokens", "limit": 500, "window": "1m", "charge": { "reserve": { "estimate": 501 } } } }"#), @r#"
    shop.json:24:99: providers.own.limits[0].sliding_log.charge.reserve: an estimate of 501 never fits a limit of 500
       24 | … { "unit": "tokens", "limit": 500, "window": "1m", "charge": { "reserve": { "estimate": 501 } } } },
          |                                                                            ^
    "#);
}

#[test]
fn a_correction_of_what_was_charged_at_the_end() {
    assert_snapshot!(limit(r#"{ "fixed_window": { "unit": "tokens", "limit": 500, "window": "1m", "charge": { "at": "end", "reconcile": true } } }"#), @r#"
    shop.json:24:115: providers.own.limits[0].fixed_window.charge.reconcile: what is charged at the end needs no correction
       24 | … { "unit": "tokens", "limit": 500, "window": "1m", "charge": { "at": "end", "reconcile": true } } },
          |                                                                                           ^
    "#);
}

#[test]
fn a_reservation_for_the_end() {
    assert_snapshot!(limit(r#"{ "fixed_window": { "unit": "tokens", "limit": 500, "window": "1m", "charge": { "at": "end", "reserve": "input" } } }"#), @r#"
    shop.json:24:113: providers.own.limits[0].fixed_window.charge.reserve: what is charged at the end is not reserved
       24 | …{ "unit": "tokens", "limit": 500, "window": "1m", "charge": { "at": "end", "reserve": "input" } } },
          |                                                                                        ^
    "#);
}

#[test]
fn more_than_one_a_nanosecond() {
    assert_snapshot!(limit(r#"{ "gcra": { "unit": "tokens", "limit": "2G", "window": "1s" } }"#), @r#"
    shop.json:24:48: providers.own.limits[0].gcra.limit: 2000000000 in 1s are more than one a nanosecond
       24 |         { "gcra": { "unit": "tokens", "limit": "2G", "window": "1s" } },
          |                                                ^
    "#);
}

#[test]
fn a_burst_beyond_time() {
    assert_snapshot!(limit(r#"{ "gcra": { "unit": "tokens", "limit": 1, "window": "365d", "burst": 1000 } }"#), @r#"
    shop.json:24:78: providers.own.limits[0].gcra.burst: a burst of 1000 is more than comes in 584 years
       24 |         { "gcra": { "unit": "tokens", "limit": 1, "window": "365d", "burst": 1000 } },
          |                                                                              ^
    "#);
}

#[test]
fn slices_that_do_not_fit() {
    assert_snapshot!(limit(r#"{ "slices": { "unit": "requests", "limit": 600, "slice": "7s" } }"#), @r#"
    shop.json:24:66: providers.own.limits[0].slices.slice: a window of 1m cannot be cut into slices of 7s
       24 |         { "slices": { "unit": "requests", "limit": 600, "slice": "7s" } },
          |                                                                  ^
    "#);
}

#[test]
fn nobody_at_once() {
    assert_snapshot!(limit(r#"{ "concurrent": { "limit": 0 } }"#), @r#"
    shop.json:24:36: providers.own.limits[0].concurrent.limit: the number 0 is not a count: it is zero; write a whole number above 0 (in quotes with k, M or G), like 8000 or "8k"
       24 |         { "concurrent": { "limit": 0 } },
          |                                    ^
    "#);
}

#[test]
fn a_sliding_window_of_nothing() {
    assert_snapshot!(said(r#"{ "token_bucket": { "unit": "tokens", "rate": "1M/min", "burst": 5000, "estimate": 500 } }"#, r#"{ "sliding_window": { "unit": "tokens", "limit": 5, "window": "0s" } }"#), @r#"
    shop.json:35:81: client.limiters[0].sliding_window.window: a window must be longer than nothing
       35 |     "limiters": [ { "sliding_window": { "unit": "tokens", "limit": 5, "window": "0s" } } ],
          |                                                                                 ^
    "#);
}
