//! Money, through experiment files: what is billed, what is reserved, what price lists say, and what budgets stop.

use std::sync::Arc;

use crate::common::{plan, replications};
use serde_json::{Value, json};
use simcap::decide;
use simcap::engine::replicate::replicate;
use simcap::engine::run::Control;
use simcap::engine::tally::Tally;
use simcap::experiment::assemble::assemble;
use simcap::experiment::load::{Traces, from_text, load_priced};
use simcap::form::units::TokenPrice;
use simcap::kernel::chance::Key;
use simcap::kernel::time::Time;
use simcap::provider::cache::{Cache, Found};
use simcap::report::{Metric, Report};
use simcap::words::{Ask, Outcome};

/// An experiment of one request a second for 100 s, 1,000 tokens in and 11 out, whose first token comes after 2 s and whose
/// last after 3, with the fields of `provider` and of `more`.
fn experiment(provider: &Value, more: &Value) -> Value {
    let mut p = json!({ "ttft": { "constant": "2s" }, "tps": { "constant": 10 } });
    merge(&mut p, provider);
    let mut all = json!({
        "name": "money",
        "traffic": {
            "arrivals": { "regular": { "rate": "1/s" } },
            "classes": { "c": { "input": { "constant": 1000 }, "output": { "constant": 11 } } },
        },
        "providers": { "p": p },
        "policies": [{ "name": "one", "policy": { "single": { "provider": "p" } } }],
        "plan": { "duration": "100s", "warmup": "0s", "replications": 2 },
    });
    merge(&mut all, more);
    all
}

fn merge(to: &mut Value, from: &Value) {
    for (name, value) in from.as_object().into_iter().flatten() {
        to[name] = value.clone();
    }
}

fn tally(experiment: &Value) -> Tally {
    replications(&plan(&experiment.to_string()).scenarios[0], 1, 1).remove(0)
}

fn report(experiment: &Value) -> Report {
    let loaded = from_text("test.json", &experiment.to_string()).unwrap_or_else(|e| panic!("{e}"));
    let plan = assemble(&loaded).unwrap_or_else(|e| panic!("{e}"));
    let runs = replicate(
        &plan.scenarios,
        plan.seed,
        plan.replications,
        &Arc::new(Control::default()),
    );
    decide::report(&loaded, &plan, &runs)
}

fn figure(report: &Report, policy: usize, metric: Metric) -> f64 {
    let metrics = &report.policies[policy].metrics;
    metrics
        .iter()
        .find(|m| m.metric == metric)
        .expect("every metric is there")
        .estimate
        .value
}

/// $1/M × 1,000 in and $10/M × 11 out, billed by what the provider bills when its caller hangs up.
#[test]
fn a_caller_that_hangs_up_is_billed_for_what_the_provider_says() {
    let (input, each) = (1000, |output: u128| 1_000_000 * 1000 + 10_000_000 * output);
    for (hung_up, timeout, outputs) in [
        // Before the first token, mid-stream (first token and six more), and after the last.
        ("written", "1s", Some(0)),
        ("written", "2600ms", Some(7)),
        ("written", "4s", Some(11)),
        ("whole", "1s", Some(11)),
        ("whole", "2600ms", Some(11)),
        ("nothing", "1s", None),
        ("nothing", "2600ms", None),
        ("nothing", "4s", Some(11)),
    ] {
        let tally = tally(&experiment(
            &json!({ "hung_up": hung_up, "prices": { "per_token": { "input": "$1/Mtok", "output": "$10/Mtok" } } }),
            &json!({ "client": { "timeouts": { "attempt": timeout } } }),
        ));
        let (requests, provider) = (u128::from(tally.requests()), &tally.providers[0]);
        let (cost, read, written) = match outputs {
            Some(output) => (each(output), input, output),
            None => (0, 0, 0),
        };
        assert_eq!(
            (provider.cost, provider.input, provider.output),
            (cost * requests, read * requests, written * requests),
            "{hung_up} {timeout}"
        );
        let in_time = timeout == "4s";
        assert_eq!(tally.ended(Outcome::Success) == tally.requests(), in_time);
    }
}

/// A provider that never answers bills nothing, whatever it says of callers who hang up.
#[test]
fn a_hang_costs_nothing() {
    for hung_up in ["written", "whole", "nothing"] {
        let tally = tally(&experiment(
            &json!({
                "hung_up": hung_up,
                "faults": [{ "random": { "hang": 1 } }],
                "prices": { "per_request": { "price": "$1" } },
            }),
            &json!({ "client": { "timeouts": { "attempt": "10s" } } }),
        ));
        assert_eq!(
            (tally.cost(), tally.ended(Outcome::TimeoutAttempt)),
            (0, tally.requests())
        );
    }
}

/// Half of every input is in the cache.
#[derive(Debug)]
struct Half;

impl Cache for Half {
    fn look(&mut self, _now: Time, ask: &Ask, _key: Key) -> Found {
        let cached = ask.input / 2;
        Found {
            cached,
            written: ask.input - cached,
        }
    }

    fn fresh(&self) -> Box<dyn Cache> {
        Box::new(Half)
    }
}

/// Claude Sonnet's prices: 500 read from the cache at $0.3/M and 500 written to it at $3.75/M, or without a cache 1,000 at $3/M.
#[test]
fn what_is_not_read_from_a_cache_is_written_to_it_if_there_is_one() {
    let prices = json!({ "prices": { "listed": { "model": "claude-sonnet-4-5" } } });
    let text = experiment(&prices, &json!({})).to_string();
    let mut plan = plan(&text);
    let scenario = &mut plan.scenarios[0];
    let output = 11 * 15_000_000;
    let each = |tally: Tally| tally.cost() / u128::from(tally.requests());
    assert_eq!(each(replications(scenario, 1, 1).remove(0)), 3_000_000_000 + output);
    let fleet = Arc::get_mut(&mut scenario.fleet).expect("one policy, one user");
    fleet[0].provider.cache = Some(Box::new(Half));
    assert_eq!(
        each(replications(scenario, 1, 1).remove(0)),
        150_000_000 + 1_875_000_000 + output
    );
}

/// Two policies, of which only the second may send to the reserved provider, and a third that may send anywhere: what is signed already the
/// first pays for too. 50 units at $1/h are $36,000 in 30 days.
#[test]
fn reserved_capacity_is_paid_where_it_may_be_used() {
    let priced = |committed: bool| {
        let reserved = json!({ "price": "$1/h", "units": 50, "committed": committed });
        let experiment = experiment(
            &json!({ "prices": { "per_request": { "price": "$0.01" } } }),
            &json!({
                "providers": {
                    "paid": { "response": { "constant": "1s" }, "prices": { "per_request": { "price": "$0.01" } } },
                    "reserved": { "response": { "constant": "1s" }, "prices": { "reserved": reserved } },
                },
                "policies": [
                    { "name": "pays", "policy": { "single": { "provider": "paid" } } },
                    { "name": "falls back", "policy": { "chain": { "providers": ["paid", "reserved"] } } },
                    { "name": "anywhere", "policy": "round_robin" },
                ],
                "plan": { "duration": "72s", "warmup": "28s", "replications": 2 },
            }),
        );
        let report = report(&experiment);
        [0, 1, 2].map(|policy| figure(&report, policy, Metric::COST_PER_MONTH))
    };
    for (committed, first) in [(false, 25_920.0), (true, 61_920.0)] {
        for (found, expected) in priced(committed)
            .into_iter()
            .zip([first, 61_920.0, 36_000.0 + 12_960.0])
        {
            assert!((found / expected - 1.0).abs() < 1e-9, "{committed}: {found} {expected}");
        }
    }
}

/// Two policies: only the second uses the reserved provider, and both pay for it, as the contract is signed. 50 units at $1/h are $36,000 in 30
/// days.
#[test]
fn committed_capacity_costs_the_same_used_or_not() {
    let experiment = experiment(
        &json!({ "prices": { "per_request": { "price": "$0.01" } } }),
        &json!({
            "providers": {
                "paid": { "response": { "constant": "1s" }, "prices": { "per_request": { "price": "$0.01" } } },
                "reserved": { "response": { "constant": "1s" }, "prices": { "reserved": { "price": "$1/h", "units": 50, "committed": true } } },
            },
            "policies": [
                { "name": "pays", "policy": { "single": { "provider": "paid" } } },
                { "name": "has", "policy": { "single": { "provider": "reserved" } } },
            ],
            "plan": { "duration": "72s", "warmup": "28s", "replications": 2 },
        }),
    );
    let report = report(&experiment);
    let near = |found: f64, expected: f64| assert!((found / expected - 1.0).abs() < 1e-9, "{found} {expected}");
    // One request a second at a cent is $25,920 in 30 days.
    near(figure(&report, 0, Metric::COST_PER_MONTH), 36_000.0 + 25_920.0);
    near(figure(&report, 1, Metric::COST_PER_MONTH), 36_000.0);
    // $50/h over 72 s is $1, for 72 requests.
    near(figure(&report, 0, Metric::COST_PER_1K), 1000.0 / 72.0 + 10.0);
    near(figure(&report, 1, Metric::COST_PER_1K), 1000.0 / 72.0);
    let shares = |policy: usize| report.policies[policy].providers.iter().map(|p| p.cost.value);
    near(shares(0).sum(), 1.0);
    near(shares(0).nth(1).unwrap(), 36_000.0 / 61_920.0);
    assert_eq!(shares(1).collect::<Vec<_>>(), [0.0, 1.0]);
    assert!(report.policies[0].providers[1].used(), "it cost something");
    let csv = simcap::report::csv::tables(&report);
    let (_, metrics) = csv.iter().find(|(name, _)| *name == "metrics.csv").unwrap();
    assert!(metrics.contains("has,cost_per_month,dollars,36000"), "{metrics}");
}

/// The prices that providers publish, as LiteLLM 1.109.1 lists them, in dollars per million tokens.
#[test]
fn the_built_in_table_says_what_is_published() {
    let text = experiment(&json!({ "prices": { "listed": { "model": "gpt-4.1" } } }), &json!({})).to_string();
    let loaded = from_text("test.json", &text).unwrap();
    let table = &loaded.prices.models;
    let price = |dollars: &str| format!("${dollars}/Mtok").parse::<TokenPrice>().unwrap();
    for (model, input, output, cached, write) in [
        ("gpt-4o", "2.5", "10", "1.25", None),
        ("gpt-4o-mini", "0.15", "0.6", "0.075", None),
        ("gpt-4.1", "2", "8", "0.5", None),
        ("gpt-4.1-mini", "0.4", "1.6", "0.1", None),
        ("gpt-4.1-nano", "0.1", "0.4", "0.025", None),
        ("o3", "2", "8", "0.5", None),
        ("o4-mini", "1.1", "4.4", "0.275", None),
        ("gpt-5", "1.25", "10", "0.125", None),
        ("gpt-5.1", "1.25", "10", "0.125", None),
        ("gpt-5-mini", "0.25", "2", "0.025", None),
        ("gpt-5-nano", "0.05", "0.4", "0.005", None),
        ("gpt-5.2", "1.75", "14", "0.175", None),
        ("gpt-5.4", "2.5", "15", "0.25", None),
        ("gpt-5.5", "5", "30", "0.5", None),
        ("gpt-6-sol", "2", "10", "0.2", Some("2.5")),
        ("claude-haiku-4-5", "1", "5", "0.1", Some("1.25")),
        ("claude-sonnet-4-5", "3", "15", "0.3", Some("3.75")),
        ("claude-sonnet-4-6", "3", "15", "0.3", Some("3.75")),
        ("claude-opus-4-5", "5", "25", "0.5", Some("6.25")),
        ("claude-sonnet-5", "2", "10", "0.2", Some("2.5")),
        ("claude-opus-5-5", "4", "20", "0.2", Some("5")),
        ("claude-haiku-5-5", "0.1", "0.5", "0.01", Some("0.125")),
        ("gemini-2.5-pro", "1.25", "10", "0.125", None),
        ("gemini-2.5-flash", "0.3", "2.5", "0.03", None),
        ("gemini-2.5-flash-lite", "0.1", "0.4", "0.01", None),
        ("gemini-3.1-pro-preview", "2", "12", "0.2", None),
        ("gemini-3.8-flash", "0.75", "3.75", "0.075", None),
        ("mistral/mistral-large-latest", "0.5", "1.5", "0.05", None),
        ("deepseek-chat", "0.28", "0.42", "0.028", None),
        ("deepseek-v4-pro", "1.32", "3.96", "0.044", None),
        ("xai/grok-4.3", "1.25", "2.5", "0.2", None),
        ("moonshot/kimi-k3", "3", "15", "0.3", Some("3")),
        ("azure/gpt-4o", "2.5", "10", "1.25", None),
    ] {
        let found = &table[model].standard;
        assert_eq!((found.input, found.output), (price(input), price(output)), "{model}");
        assert_eq!(
            (found.cached_input, found.cache_write),
            (Some(price(cached)), write.map(price)),
            "{model}"
        );
    }
    for (model, above, input, output) in [
        ("gpt-5.4", 272_000, "5", "22.5"),
        ("claude-haiku-5-5", 100_000, "0.5", "2.5"),
        ("gemini-2.5-pro", 200_000, "2.5", "15"),
        ("xai/grok-4.3", 199_999, "2.5", "5"),
    ] {
        let step = &table[model].standard.long_context[0];
        assert_eq!(
            (step.above.get(), step.input, step.output),
            (above, Some(price(input)), Some(price(output))),
            "{model}"
        );
    }
    assert_eq!(table["gpt-4.1"].batch.as_ref().unwrap().input, price("1"));
    assert_eq!(loaded.inputs[1].name, "prices.json", "its hash is in the result");
}

/// A file of one's own replaces the built-in table, and its name and hash are in the result.
#[test]
fn a_price_file_replaces_the_table() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let listed = experiment(
        &json!({ "prices": { "listed": { "model": "house/small", "batch": true } } }),
        &json!({}),
    );
    let file = write("case.json", &listed.to_string());
    let prices = write(
        "mine.json",
        r#"{ "sample_spec": { "input_cost_per_token": 0.0, "output_cost_per_token": 0.0 },
             "dall-e": { "output_cost_per_image": 0.04 },
             "house/small": { "input_cost_per_token": 1.25e-06, "output_cost_per_token": 1e-05,
                "input_cost_per_token_batches": 6.25e-07, "output_cost_per_token_batches": 5e-06 } }"#,
    );
    let loaded = load_priced(&file, &Traces::default(), Some(&prices)).unwrap();
    assert_eq!(loaded.inputs[1].name, "mine.json");
    let plan = assemble(&loaded).unwrap();
    let tally = replications(&plan.scenarios[0], 1, 1).remove(0);
    assert_eq!(
        tally.cost(),
        u128::from(tally.requests()) * (625_000 * 1000 + 5_000_000 * 11)
    );

    let listed = |model: &str| {
        let text = experiment(&json!({ "prices": { "listed": { "model": model } } }), &json!({})).to_string();
        let file = write("case.json", &text);
        let loaded = load_priced(&file, &Traces::default(), Some(&prices)).unwrap();
        assemble(&loaded).unwrap_err().to_string()
    };
    assert!(listed("house/smal").contains("did you mean `house/small`?"));
    assert!(listed("dall-e").contains("`dall-e` is in the price table, but at no flat price by the token"));

    let broken = write(
        "broken.json",
        "{\n  \"m\": { \"input_cost_per_token\": \"$2\", \"output_cost_per_token\": 1 }\n}",
    );
    let said = load_priced(&file, &Traces::default(), Some(&broken))
        .unwrap_err()
        .to_string();
    assert!(
        said.contains(
            "broken.json:2:34: m.input_cost_per_token: \"$2\" is not a price: must be a number of dollars a token"
        ),
        "{said}"
    );
}

/// A migration report of half a million requests of 150 tokens in and 350 out: "official" bills 7.3 yuan for a dollar of the
/// list price and the relay 1, so that "86.3 % saved" is 1 − 1/7.3, whatever the model.
#[test]
fn a_saving_that_is_an_exchange_rate_is_called_one() {
    let provider = |fields: &Value| {
        let mut provider = json!({ "response": { "constant": "1s" }, "prices": { "listed": { "model": "gpt-4.1" } } });
        merge(&mut provider, fields);
        provider
    };
    let experiment = experiment(
        &json!({}),
        &json!({
            "currency": { "code": "CNY", "per_dollar": 7.3 },
            "traffic": {
                "arrivals": { "regular": { "rate": "500k/30d" } },
                "classes": { "c": { "input": { "constant": 150 }, "output": { "constant": 350 } } },
            },
            "providers": { "official": provider(&json!({})), "relay": provider(&json!({ "billed_at": 1 })) },
            "policies": [
                { "name": "official", "policy": { "single": { "provider": "official" } } },
                { "name": "relay", "policy": { "single": { "provider": "relay" } } },
            ],
            "objectives": [{ "metric": "cost_per_month", "at_most": "$1550" }],
            "plan": { "duration": "3d", "warmup": "0s", "replications": 2 },
        }),
    );
    let report = report(&experiment);
    let near = |found: f64, expected: f64| assert!((found / expected - 1.0).abs() < 1e-3, "{found} {expected}");
    // 150 × $2/M + 350 × $8/M = $0.0031 a request, $1,550 a month.
    near(figure(&report, 0, Metric::COST_PER_MONTH), 1550.0 * 7.3);
    near(figure(&report, 1, Metric::COST_PER_MONTH), 1550.0);
    near(report.objectives[0].bound, 1550.0 * 7.3);
    let currency = report.currency.as_ref().unwrap();
    assert_eq!(
        (currency.code.to_string().as_str(), currency.exchange.len()),
        ("CNY", 1)
    );
    near(currency.exchange[0].relative.unwrap(), -0.863);
    assert!(currency.exchange[0].relative_at_one_rate.unwrap().abs() < 1e-9);
    let said = "relay against official: cost differs by −86.3 %; at one rate of exchange, 7.3 CNY for a dollar of every \
        price, it would by 0 %: CNY\u{a0}9,765 a month is exchange rate alone";
    assert_eq!(
        report.warnings.iter().filter(|w| *w == said).count(),
        1,
        "{:?}",
        report.warnings
    );
    let style = simcap::report::terminal::Style {
        width: 160,
        colour: false,
    };
    let page = simcap::report::terminal::full(&report, &style);
    assert!(page.contains("CNY/month") && page.contains("CNY\u{a0}11,315"), "{page}");
    // A dollar stands only where the rate of exchange does.
    let dollars: Vec<&str> = page.lines().filter(|line| line.contains('$')).collect();
    assert!(dollars.iter().all(|line| line.contains("$1 = ")), "{dollars:?}");
    let html = simcap::report::html::render(&report).unwrap();
    assert!(html.contains("CNY / 1,000"));
    let csv = simcap::report::csv::tables(&report);
    let (_, metrics) = csv.iter().find(|(name, _)| *name == "metrics.csv").unwrap();
    assert!(metrics.contains("relay,cost_per_month,CNY,"), "{metrics}");
    let json = simcap::report::json::to_json(&report);
    assert_eq!(
        simcap::report::json::from_json("result.json", &json).unwrap().currency,
        report.currency
    );
}

/// Two providers at $10 and at $1 for 1,000 calls of this traffic, and these fields of the client.
fn with_budget(client: &Value, more: &Value) -> Value {
    let provider = |dollars: u32| {
        json!({
            "response": { "constant": "1s" },
            "prices": { "per_token": { "input": format!("${dollars}/Mtok"), "output": "$0/Mtok" } },
        })
    };
    let mut experiment = experiment(
        &json!({}),
        &json!({
            "providers": { "dear": provider(10), "cheap": provider(1) },
            "client": client,
            "policies": [{ "name": "one", "policy": { "weighted": { "weights": { "dear": 1 } } } }],
            "plan": { "duration": "2h", "warmup": "0s", "replications": 2 },
        }),
    );
    merge(&mut experiment, more);
    experiment
}

/// A cent a request, one a second, an hour: $9 are spent by the 900th answer. The 901st is under way then.
#[test]
fn a_spent_budget_rejects_and_overshoots_by_what_is_in_flight() {
    let tally = tally(&with_budget(
        &json!({ "budgets": [{ "per": "hour", "money": "$9", "alerts": [0.5, 2e-1] }] }),
        &json!({}),
    ));
    let (ok, rejected) = (tally.ended(Outcome::Success), tally.ended(Outcome::BudgetExhausted));
    assert_eq!(ok + rejected, tally.requests());
    // In both hours; an attempt that is under way as the hour ends is charged to the next.
    let cents = tally.cost() / 10_000_000_000;
    assert!((1800..=1804).contains(&cents), "{cents}");
    assert_eq!(u128::from(ok), cents);
    assert_eq!(tally.alerts.iter().map(|a| a.passed).collect::<Vec<_>>(), [1, 1]);
    let seconds = |i: usize| tally.alerts[i].time / 1_000_000_000;
    assert!(
        (450..=452).contains(&seconds(0)) && (180..=182).contains(&seconds(1)),
        "{:?}",
        tally.alerts
    );
}

/// Who comes after the budget is spent waits for the next hour: nobody is lost, unless the wait is too long.
#[test]
fn a_queueing_budget_holds_everybody_until_the_next_window() {
    let client = |max_wait: &str| {
        json!({
            "admission": { "queue": { "max_wait": max_wait } },
            "budgets": [{ "per": "hour", "money": "$9", "on_exhausted": "queue" }],
        })
    };
    let patient = tally(&with_budget(
        &client("2h"),
        &json!({ "plan": { "duration": "1h", "warmup": "0s" } }),
    ));
    assert_eq!(patient.ended(Outcome::Success), patient.requests());
    let longest = patient.classes[0].wait.max().unwrap().seconds();
    assert!((2695.0..2700.0).contains(&longest), "{longest}");
    let hasty = tally(&with_budget(
        &client("10m"),
        &json!({ "plan": { "duration": "1h", "warmup": "0s" } }),
    ));
    // Those of the last ten minutes still make it.
    let lost = hasty.ended(Outcome::QueueTimeout);
    assert!((2095..=2102).contains(&lost), "{lost}");
}

/// A router with a daily budget of $100 (here $9 an hour), after which everything goes to the cheapest model.
#[test]
fn a_spent_budget_leaves_the_cheapest() {
    let more = json!({
        "policies": [{ "name": "turns", "policy": "round_robin" }],
        "plan": { "duration": "1h", "warmup": "0s" },
    });
    let budget = json!({ "budgets": [{ "per": "hour", "money": "$9", "on_exhausted": "cheapest" }] });
    let tally = tally(&with_budget(&budget, &more));
    assert_eq!(tally.ended(Outcome::Success), tally.requests());
    let calls = |i: usize| tally.providers[i].outcomes[Outcome::Success.index()];
    // 1.1 cents a pair: 819 pairs cost $9.009, then all goes to the cheap one.
    assert!((817..=820).contains(&calls(1)), "{}", calls(1));
    assert_eq!(calls(0) + calls(1), tally.requests());
}

/// A provider's own budget bars that provider alone; where the policy knows no other, requests end with `budget_exhausted`.
#[test]
fn a_provider_s_budget_sends_requests_elsewhere() {
    let budget = json!({ "budgets": [{ "per": "hour", "tokens": "100k", "providers": ["dear"] }] });
    let turns = json!({ "policies": [{ "name": "turns", "policy": "round_robin" }], "plan": { "duration": "1h", "warmup": "0s" } });
    let both = tally(&with_budget(&budget, &turns));
    assert_eq!(both.ended(Outcome::Success), both.requests());
    let dear = both.providers[1].input / 1000;
    // 100 calls of 1,011 tokens, and what is in flight.
    assert!((99..=101).contains(&dear), "{dear}");
    let alone = tally(&with_budget(
        &budget,
        &json!({ "plan": { "duration": "1h", "warmup": "0s" } }),
    ));
    assert_eq!(
        alone.ended(Outcome::BudgetExhausted),
        alone.requests() - alone.ended(Outcome::Success)
    );
    assert!((99..=101).contains(&alone.ended(Outcome::Success)));
}

/// Alerts are in the report with an interval, in every form.
#[test]
fn alerts_are_reported() {
    let budget = json!({ "budgets": [{ "per": "day", "money": "$100", "alerts": [0.5, 0.75, 0.9] }] });
    let poisson = json!({ "traffic": {
        "arrivals": { "poisson": { "rate": "1/s" } },
        "classes": { "c": { "input": { "constant": 1000 }, "output": { "constant": 11 } } },
    } });
    let report = report(&with_budget(&budget, &poisson));
    let alerts = &report.policies[0].alerts;
    assert_eq!(alerts.iter().map(|a| a.passed).collect::<Vec<_>>(), [2, 0, 0]);
    // $50 are 5,000 requests: 5,000 s, give or take some standard deviations of 71 s.
    assert!(
        (alerts[0].at.value - 5000.0).abs() < 250.0 && alerts[0].at.half_width().is_some(),
        "{alerts:?}"
    );
    let style = simcap::report::terminal::Style {
        width: 160,
        colour: false,
    };
    let page = simcap::report::terminal::full(&report, &style);
    assert!(page.contains("$100 a day") && page.contains("2 of 2"), "{page}");
    let csv = simcap::report::csv::tables(&report);
    assert!(
        csv.iter()
            .any(|(name, text)| *name == "alerts.csv" && text.contains("one,$100 a day,0.5,2,seconds,"))
    );
    assert!(
        simcap::report::html::render(&report)
            .unwrap()
            .contains("50 % of $100 a day")
    );
    let json = simcap::report::json::to_json(&report);
    assert_eq!(
        simcap::report::json::from_json("result.json", &json).unwrap().policies[0]
            .alerts
            .len(),
        3
    );
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    /// Whatever the traffic, a window's spend is below its budget and one bill for each attempt that can be under way.
    #[test]
    fn a_budget_is_exceeded_by_no_more_than_what_is_in_flight(
        rate in 1_u32..20, in_flight in 1_u128..20, seconds in 1_u32..30, budget in 1_u128..200, seed in proptest::num::u64::ANY,
    ) {
        let more = json!({
            "traffic": {
                "arrivals": { "poisson": { "rate": format!("{rate}/s") } },
                "classes": { "c": { "input": { "constant": 1000 }, "output": { "constant": 11 } } },
            },
            "providers": { "dear": {
                "response": { "uniform": { "min": "1s", "max": format!("{}s", seconds + 1) } },
                "prices": { "per_request": { "price": "$0.1" } },
            } },
            "plan": { "duration": "10m", "warmup": "0s" },
        });
        let client = json!({ "max_in_flight": in_flight as u64, "budgets": [{ "per": "day", "money": format!("${budget}") }] });
        let scenario = &plan(&with_budget(&client, &more).to_string()).scenarios[0];
        let tally = replications(scenario, seed, 1).remove(0);
        let dime = 100_000_000_000;
        proptest::prop_assert!(tally.cost() < budget * 10 * dime + in_flight * dime, "{}", tally.cost());
        proptest::prop_assert_eq!(tally.ended(Outcome::Success) + tally.ended(Outcome::BudgetExhausted), tally.requests());
    }
}
