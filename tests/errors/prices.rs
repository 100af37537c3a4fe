//! Prices, currencies and budgets that make no sense. Of each the place and the message are compared; the rest is as everywhere.

use super::said;

const PER_TOKEN: &str = r#"{ "per_token": { "input": "$1/Mtok", "output": "$4/Mtok" } }"#;
const TIMEOUTS: &str = r#""timeouts": { "total": "60s" },"#;

#[track_caller]
fn check(from: &str, to: &str, line: &str) {
    let said = said(from, to);
    let first = said.lines().next().unwrap_or_default();
    let (_, found) = first.split_once(": ").unwrap_or_default();
    assert_eq!(found, line, "{said}");
}

#[test]
fn marks_that_fall() {
    check(
        PER_TOKEN,
        r#"{ "per_token": { "input": "$1/Mtok", "output": "$4/Mtok", "long_context": [ { "above": "200k", "input": "$2/Mtok" }, { "above": "128k", "input": "$3/Mtok" } ] } }"#,
        "providers.own.prices.per_token.long_context[1].above: marks must rise: 128000 comes after 200000",
    );
}

#[test]
fn a_discount_beyond_pico_dollars() {
    check(
        PER_TOKEN,
        r#"{ "per_token": { "input": "$0.000001/Mtok", "output": "$4/Mtok", "batch": "50%" } }"#,
        "providers.own.prices.per_token.batch: $0.000001/Mtok less this is not a whole number of pico-dollars a token",
    );
}

#[test]
fn a_model_without_a_listed_price() {
    let said = said(PER_TOKEN, r#"{ "listed": { "model": "gpt-4.2" } }"#);
    assert!(
        said.starts_with(
            "shop.json:22:40: providers.own.prices.listed.model: there is no price in the table for `gpt-4.2`\n"
        ),
        "{said}"
    );
    assert!(
        said.contains("did you mean `gpt-4.1`?") && said.contains("claude-haiku-5-5, "),
        "{said}"
    );
}

#[test]
fn a_model_without_a_batch_price() {
    check(
        PER_TOKEN,
        r#"{ "listed": { "model": "moonshot/kimi-k3", "batch": true } }"#,
        "providers.own.prices.listed.batch: the price table has no batch price of `moonshot/kimi-k3`",
    );
}

#[test]
fn a_price_of_no_time() {
    check(
        PER_TOKEN,
        r#"{ "reserved": { "price": "$1" } }"#,
        "providers.own.prices.reserved.price: \"$1\" is not a price of time: it has no time; write `$`, a number (k, M, G allowed), `/` and a time in s, min, h or day, like \"$1/h\" or \"$730/30d\"",
    );
}

#[test]
fn a_rate_of_exchange_without_a_currency() {
    check(
        r#""network": "20ms""#,
        r#""billed_at": 1"#,
        "providers.own.billed_at: `billed_at` without a `currency` of the experiment",
    );
}

#[test]
fn a_currency_that_is_none() {
    let name = r#""name": "shop","#;
    check(
        name,
        r#""name": "shop", "currency": { "code": "yuan", "per_dollar": 7.3 },"#,
        "currency.code: `yuan` is not the code of a currency: must be three capital letters, like \"CNY\"",
    );
    check(
        name,
        r#""name": "shop", "currency": { "code": "CNY", "per_dollar": 0 },"#,
        "currency.per_dollar: 0 for a dollar: must be at least 0.000001 and at most 1000000",
    );
}

#[test]
fn budgets_that_make_no_sense() {
    for (budget, message) in [
        (
            r#"{ "per": "day" }"#,
            "client.budgets[0]: a budget of nothing in particular: give `money`, `tokens` or both",
        ),
        (
            r#"{ "per": "day", "money": "$0" }"#,
            "client.budgets[0].money: $0: a budget must be above nothing",
        ),
        (
            r#"{ "per": "day", "money": "$1", "alerts": [0] }"#,
            "client.budgets[0].alerts[0]: a share of 0 is passed before anything is spent: must be above 0",
        ),
        (
            r#"{ "per": "day", "money": "$1", "providers": [] }"#,
            "client.budgets[0].providers: a budget for no provider: name one, or leave it out for all",
        ),
        (
            r#"{ "per": "day", "money": "$1", "providers": ["chea"] }"#,
            "client.budgets[0].providers[0]: there is no provider `chea`",
        ),
        (
            r#"{ "per": "day", "money": "$1", "providers": ["cheap"], "on_exhausted": "queue" }"#,
            "client.budgets[0].on_exhausted: `queue` holds every request up, whichever provider would serve it: leave `providers` out",
        ),
    ] {
        let said = said(TIMEOUTS, &format!("{TIMEOUTS} \"budgets\": [ {budget} ],"));
        let first = said.lines().next().unwrap_or_default();
        let (_, found) = first.split_once(": ").unwrap_or_default();
        assert_eq!(found, message, "{said}");
    }
}
