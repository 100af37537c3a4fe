//! Limits, budgets and lines for each user, class, key or tag: what each lets through, that nothing is lost, and what is told of it.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use crate::common::{plan, replications};
use serde_json::{Value, json};
use simcap::engine::tally::Tally;
use simcap::experiment::assemble::Plan;
use simcap::gateways::import::built_in_prices;
use simcap::gateways::import::{self, Assumptions};
use simcap::gateways::{self, source};
use simcap::words::Outcome;

/// Two teams, of which `team_a` asks twice as often, 180 times a minute together, at a provider with a quota of 120 a minute.
fn tenants(client: &Value) -> Value {
    let class = |share: u32| json!({ "share": share, "input": { "constant": 10 }, "output": { "constant": 10 } });
    json!({
        "name": "tenants",
        "traffic": {
            "arrivals": { "regular": { "rate": "180/min" } },
            "classes": { "team_a": class(2), "team_b": class(1) },
        },
        "providers": { "p": {
            "response": { "constant": "100ms" },
            "prices": { "per_request": { "price": "$0.01" } },
            "limits": [{ "fixed_window": { "unit": "requests", "limit": 120, "window": "60s" } }],
        } },
        "client": client,
        "policies": [{ "name": "it", "policy": { "single": { "provider": "p" } } }],
        "plan": { "duration": "1h", "warmup": "0s", "replications": 10 },
    })
}

fn tallies(experiment: &Value, n: u64) -> (Plan, Vec<Tally>) {
    let plan = plan(&experiment.to_string());
    let tallies = replications(&plan.scenarios[0], 1, n);
    (plan, tallies)
}

fn errors(tallies: &[Tally], class: usize) -> f64 {
    let of = |outcome: Option<Outcome>| -> u64 {
        let counts = tallies.iter().map(|t| match outcome {
            Some(outcome) => t.classes[class].outcomes[outcome.index()],
            None => t.classes[class].outcomes.iter().sum(),
        });
        counts.sum()
    };
    1.0 - of(Some(Outcome::Success)) as f64 / of(None) as f64
}

/// 120 a minute of `team_a`, of which 60 may pass: half of them err. The other 60 and these fit the quota, but for the chance of the
/// classes in a minute. Without the limit, both err on a third.
#[test]
fn a_limit_of_one_tenant_lets_the_other_through() {
    let bucket = json!({ "token_bucket": { "unit": "requests", "rate": "60/min" } });
    let of_a = json!({ "each": { "per": "class", "of": ["team_a"], "limiter": bucket } });
    for (limiters, expected) in [(json!([]), [1.0 / 3.0; 2]), (json!([of_a]), [0.5, 0.0])] {
        let (_, tallies) = tallies(&tenants(&json!({ "limiters": limiters })), 10);
        for (class, expected) in expected.into_iter().enumerate() {
            let found = errors(&tallies, class);
            assert!(
                (found - expected).abs() < 0.03,
                "{limiters}: class {class} errs on {found}"
            );
        }
    }
}

/// Every request that a limit turned away ended as shed, and every counted one is counted for its identity.
#[test]
fn what_is_counted_by_identity_adds_up() {
    let limiter = json!({ "fixed_window": { "unit": "requests", "limit": 4, "window": "1m" } });
    let mut experiment = tenants(&json!({
        "limiters": [{ "each": { "per": "user", "limiter": limiter } }, { "each": { "per": "tag.tier", "of": ["free"], "limiter": { "concurrent": { "limit": 1 } } } }],
        "budgets": [{ "per": "hour", "money": "$1", "each": "class" }],
    }));
    experiment["traffic"]["users"] = json!({ "count": 40, "skew": 1 });
    experiment["traffic"]["tags"] = json!({ "tier": { "free": 0.5, "paid": 0.5 } });
    // Longer than the time between two requests, so that more than one is under way.
    experiment["providers"]["p"]["response"] = json!({ "constant": "2s" });
    let (plan, tallies) = tallies(&experiment, 4);
    let rules = &plan.scenarios[0].client.rules.all;
    let places: Vec<&str> = rules.iter().map(|rule| rule.place.as_str()).collect();
    assert_eq!(places, ["limiters[0]", "limiters[1]", "budgets[0]"]);
    assert_eq!(rules[1].what, "concurrent for tag.tier free");
    for tally in &tallies {
        let [users, tier, budget] = &tally.identities[..] else {
            panic!("{:?}", tally.identities)
        };
        assert_eq!([users.asked, budget.asked], [tally.requests(); 2]);
        assert!(tier.asked > 0 && tier.asked < tally.requests() && tier.refused > 0);
        assert_eq!(budget.refused, tally.ended(Outcome::BudgetExhausted));
        // A request may be over two limits, and is told of the first.
        assert_eq!(users.refused + tier.refused, tally.ended(Outcome::Shed));
        assert!(users.limited > 0 && users.limited <= users.identities && users.identities <= 40);
        assert_eq!(users.worst.iter().map(|of| of.refused).sum::<u64>(), users.refused);
    }
}

/// A cent a request, ten cents an hour for each class: ten of each class pass in each hour, and the next hour begins anew.
#[test]
fn a_budget_of_each_begins_anew_with_its_window() {
    let mut experiment = tenants(&json!({ "budgets": [{ "per": "hour", "money": "$0.10", "each": "class" }] }));
    experiment["plan"]["duration"] = json!("3h");
    let (_, tallies) = tallies(&experiment, 3);
    for tally in &tallies {
        for class in &tally.classes {
            assert_eq!(class.outcomes[Outcome::Success.index()], 3 * 10);
        }
    }
}

/// With `providers`, those are barred for the identity that has spent its budget there, and for it alone.
#[test]
fn a_budget_at_a_provider_moves_one_identity_elsewhere() {
    let mut experiment = tenants(&json!({
        "budgets": [{ "per": "hour", "money": "$0.50", "each": "class", "of": ["team_a"], "providers": ["p"] }],
    }));
    experiment["providers"]["p"].as_object_mut().unwrap().remove("limits");
    experiment["providers"]["q"] = experiment["providers"]["p"].clone();
    experiment["policies"][0]["policy"] = json!({ "priority": { "levels": [{ "p": 1 }, { "q": 1 }] } });
    let (_, tallies) = tallies(&experiment, 2);
    for tally in &tallies {
        let all: u64 = tally.classes[0].outcomes.iter().sum();
        assert_eq!(tally.requests(), tally.ended(Outcome::Success));
        let at_q = tally.providers[1].outcomes[Outcome::Success.index()];
        assert_eq!(at_q, all - 50, "all but the first fifty of team_a");
    }
}

/// A metric by a tag of the traffic takes in the requests that carry it: a third of ten a second.
#[test]
fn metrics_are_scoped_by_a_tag_of_the_traffic() {
    let mut experiment = tenants(&json!({}));
    experiment["traffic"]["tags"] = json!({ "team": { "search": 1, "chat": 2 }, "region": { "eu": 1, "us": 1 } });
    experiment["plan"]["metrics"] = json!([
        "error_rate{tag.team=search}",
        "error_rate{tag.region=eu,tag.team=search}"
    ]);
    let (_, tallies) = tallies(&experiment, 4);
    let all: u64 = tallies.iter().map(Tally::requests).sum();
    let of = |lens: usize| -> u64 {
        tallies
            .iter()
            .map(|t| t.lenses[lens].outcomes.iter().sum::<u64>())
            .sum()
    };
    assert!(
        (of(0) as f64 / all as f64 - 1.0 / 3.0).abs() < 0.01,
        "{} of {all}",
        of(0)
    );
    assert!(
        (of(1) as f64 / all as f64 - 1.0 / 6.0).abs() < 0.01,
        "{} of {all}",
        of(1)
    );
}

/// A tag changes nothing but itself: without limits or metrics by it, results have the same bytes.
#[test]
fn a_tag_changes_no_draw() {
    let plain = tenants(&json!({}));
    let mut tagged = plain.clone();
    tagged["traffic"]["tags"] = json!({ "team": { "search": 1, "chat": 2 } });
    assert!(tallies(&plain, 2).1 == tallies(&tagged, 2).1);
}

/// In a group of `model_groups`, a limit for each answers 429, and the request falls back: what is refused at the first group is
/// answered by the second.
#[test]
fn a_limit_of_each_at_a_named_group_falls_back() {
    let mut experiment = tenants(&json!({}));
    experiment["providers"]["p"].as_object_mut().unwrap().remove("limits");
    experiment["providers"]["q"] = experiment["providers"]["p"].clone();
    let limiter = json!({ "fixed_window": { "unit": "requests", "limit": 30, "window": "1m" } });
    experiment["policies"][0]["policy"] = json!({ "model_groups": { "groups": {
        "first": { "providers": ["p"], "aliases": ["team_a", "team_b"], "fallbacks": ["second"],
                   "limiters": [{ "each": { "per": "class", "limiter": limiter } }] },
        "second": { "providers": ["q"] },
    } } });
    let (plan, tallies) = tallies(&experiment, 2);
    assert_eq!(plan.scenarios[0].client.rules.all[0].place, "first: limiters[0]");
    for tally in &tallies {
        assert_eq!(tally.requests(), tally.ended(Outcome::Success));
        assert_eq!(tally.providers[0].outcomes[Outcome::Success.index()], 2 * 30 * 60);
        let rule = &tally.identities[0];
        assert_eq!(rule.asked, tally.requests());
        assert_eq!(rule.refused, tally.providers[1].outcomes[Outcome::Success.index()]);
    }
}

/// One place, answers of a second, and user 0 asks for most of it: in one line all wait alike, in lines of their own the others wait as if
/// they were nearly alone.
#[test]
fn lines_of_each_keep_a_flood_to_itself() {
    let experiment = |admission: Value| {
        json!({
            "name": "flood",
            "traffic": {
                "arrivals": { "poisson": { "rate": "1.5/s" } },
                "classes": {
                    "flood": { "share": 13, "input": { "constant": 10 }, "output": { "constant": 10 } },
                    "other": { "share": 2, "input": { "constant": 10 }, "output": { "constant": 10 } },
                },
            },
            "providers": { "p": { "response": { "constant": "1s" }, "prices": { "per_request": { "price": "$0" } } } },
            "client": { "max_in_flight": 1, "admission": admission },
            "policies": [{ "name": "it", "policy": { "single": { "provider": "p" } } }],
            "plan": { "duration": "20m", "warmup": "0s" },
        })
    };
    let wait = |admission: Value| {
        let (_, tallies) = tallies(&experiment(admission), 3);
        let waits = |class: usize| tallies[0].classes[class].wait.mean().unwrap().seconds();
        [waits(0), waits(1)]
    };
    let [flood, other] = wait(json!({ "queue": {} }));
    assert!(
        (flood / other - 1.0).abs() < 0.2 && other > 100.0,
        "{flood} and {other} s in one line"
    );
    let [flood, other] = wait(json!({ "each": { "per": "class" } }));
    assert!(
        flood > 100.0 && other < 2.5,
        "{flood} and {other} s in lines of their own"
    );
}

/// The experiment that a configuration of a gateway is, under what is assumed by default.
fn imported(text: &str) -> Value {
    let config = source::from_text("gateway.yaml", text).unwrap_or_else(|refused| panic!("{refused}"));
    let gateway = gateways::read(&config, None).unwrap_or_else(|refused| panic!("{refused}"));
    let assumed = Assumptions::of(&gateway, &built_in_prices());
    let experiment = import::experiment(&gateway, &assumed, "imported");
    plan(&experiment.to_string());
    experiment
}

const LITELLM: &str = "
model_list:
  - {model_name: a, litellm_params: {model: openai/gpt-4.1, api_key: os.environ/A}}
litellm_settings:
  default_key_generate_params: {rpm_limit: 60, tpm_limit: 20000, max_parallel_requests: 5, max_budget: 10, budget_duration: 7d}
  default_team_params: {max_budget: 100, budget_duration: 1d}
  max_budget: 500
  budget_duration: 30d
";

/// Each key's minute begins with its first request; tokens count when the answer is there; budgets are of the whole proxy, of each key and
/// of each team, which are assumed to be one.
#[test]
fn litellms_keys_and_teams_have_limits_of_their_own() {
    let experiment = imported(LITELLM);
    let window = |of: Value| json!({ "each": { "per": "key", "limiter": { "fixed_window": of } } });
    assert_eq!(
        experiment["client"]["limiters"],
        json!([
            window(json!({ "unit": "requests", "limit": 60, "window": "1m", "begins": "first_use" })),
            window(json!({ "unit": "tokens", "limit": 20000, "window": "1m", "begins": "first_use", "charge": { "at": "end" } })),
            { "each": { "per": "key", "limiter": { "concurrent": { "limit": 5 } } } },
        ])
    );
    assert_eq!(
        experiment["client"]["budgets"],
        json!([
            { "per": "month", "money": "$500" },
            { "per": "week", "money": "$10", "each": "key" },
            { "per": "day", "money": "$100", "each": "tag.team" },
        ])
    );
    assert_eq!(
        experiment["traffic"]["tags"],
        json!({ "key": { "all": 1 }, "team": { "all": 1 } })
    );
}

const ENVOY: &str = "
apiVersion: aigateway.envoyproxy.io/v1beta1
kind: AIGatewayRoute
metadata: {name: desk}
spec:
  rules:
    - matches: [{headers: [{type: Exact, name: x-ai-eg-model, value: large}]}]
      backendRefs: [{name: azure, modelNameOverride: gpt-4.1}]
  llmRequestCosts: [{metadataKey: spent, type: TotalToken}]
---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: BackendTrafficPolicy
metadata: {name: desk}
spec:
  rateLimit:
    type: Global
    global:
      rules:
        - clientSelectors: [{headers: [{name: x-tenant, type: Distinct}]}]
          limit: {requests: 200000, unit: Hour}
          cost: {request: {from: Number, number: 0}, response: {from: Metadata, metadata: {key: spent}}}
        - clientSelectors: [{headers: [{name: x-tier, value: free}]}]
          limit: {requests: 10, unit: Minute}
---
apiVersion: aigateway.envoyproxy.io/v1beta1
kind: AIServiceBackend
metadata: {name: azure}
spec: {schema: {name: AzureOpenAI}}
";

#[test]
fn envoys_distinct_headers_are_tags() {
    let experiment = imported(ENVOY);
    let limiters = experiment["client"]["limiters"].as_array().unwrap();
    assert_eq!(limiters[0]["each"]["per"], "tag.x-tenant");
    let window = &limiters[0]["each"]["limiter"]["fixed_window"];
    assert_eq!((&window["limit"], &window["window"]), (&json!(200_000), &json!("1h")));
    assert_eq!(limiters[1]["each"]["of"], json!(["free"]));
    assert_eq!(
        experiment["traffic"]["tags"],
        json!({ "x-tenant": { "all": 1 }, "x-tier": { "free": 1 } })
    );
}

const KONG: &str = r#"
_format_version: "3.0"
consumers: [{username: acme}, {username: globex}]
plugins:
  - name: ai-proxy-advanced
    config:
      targets: [{route_type: llm/v1/chat, model: {provider: openai, name: gpt-4.1}}]
  - name: ai-rate-limiting-advanced
    config: {identifier: consumer, window_type: sliding, llm_providers: [{name: openai, limit: [50000], window_size: [60]}]}
"#;

#[test]
fn kongs_consumers_have_a_limit_each() {
    let experiment = imported(KONG);
    let each = &experiment["client"]["limiters"][0]["each"];
    assert_eq!(each["per"], "tag.consumer");
    assert_eq!(each["limiter"]["sliding_counter"]["limit"], 50_000);
    assert_eq!(
        experiment["traffic"]["tags"],
        json!({ "consumer": { "acme": 1, "globex": 1 } })
    );
    let all = imported(&KONG.replace("identifier: consumer", "identifier: service"));
    assert_eq!(all["client"]["limiters"][0]["sliding_counter"]["limit"], 50_000);
}

const BIFROST: &str = r#"{
  "$schema": "https://www.getbifrost.ai/schema", "version": 2,
  "providers": { "openai": { "keys": [{ "name": "main", "value": "env.K", "models": ["*"], "weight": 1 }] } },
  "governance": {
    "rate_limits": [{ "id": "slow", "request_max_limit": 20, "request_reset_duration": "1h" }],
    "virtual_keys": [
      { "id": "vk-shop", "rate_limit_id": "slow", "provider_configs": [
          { "provider": "openai", "weight": 1, "allowed_models": ["gpt-4.1"], "budget": { "max_limit": 50, "reset_duration": "1d" } }] },
      { "id": "vk-desk", "budget": { "max_limit": 7, "reset_duration": "1w" }, "provider_configs": [
          { "provider": "openai", "weight": 1, "allowed_models": ["gpt-4.1"] }] }] } }"#;

/// A virtual key is what its classes carry as `key`; its budget at a provider bars that provider for it alone.
#[test]
fn bifrosts_virtual_keys_have_limits_and_budgets() {
    let experiment = imported(BIFROST);
    assert_eq!(
        experiment["traffic"]["classes"]["vk-shop gpt-4.1"]["tags"],
        json!({ "key": "vk-shop" })
    );
    assert!(experiment["traffic"].get("tags").is_none(), "the classes have it");
    let each = &experiment["client"]["limiters"][0]["each"];
    assert_eq!((&each["per"], &each["of"]), (&json!("key"), &json!(["vk-shop"])));
    assert_eq!(each["limiter"]["fixed_window"]["begins"], "first_use");
    assert_eq!(
        experiment["client"]["budgets"],
        json!([
            { "per": "day", "money": "$50", "providers": ["openai/main"], "each": "key", "of": ["vk-shop"] },
            { "per": "week", "money": "$7", "each": "key", "of": ["vk-desk"] },
        ])
    );
}
