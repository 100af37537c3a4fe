//! TensorZero's configuration: what a function does when providers fail, by hand from its rules, and what is wrong in a file.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use serde_json::json;

use super::{made, of, warnings};

/// The file of the fuzz target: `large` is drawn for 70 % and asks two providers in each of three tries, `small` for 30 %, and `haiku` is after
/// both.
const EXTRACT: &str = include_str!("../../fuzz/seeds/gateway/tensorzero");

fn case(text: &str, branch: &str, when: &str) -> (u64, (f64, f64), String) {
    let gateway = of(text);
    let mut cases = gateway.groups[0].cases.iter();
    let found = cases
        .find(|case| case.branch.starts_with(branch) && case.when == when)
        .unwrap();
    (found.attempts, found.seconds, found.then.clone())
}

/// Waits of 1 to 2 s and of 2 to 4 s between three tries of six attempts, and an attempt at each of the other two variants.
#[test]
fn a_request_goes_through_providers_tries_and_variants() {
    let told = "the caller is told a 502; nobody is left out for it".to_owned();
    assert_eq!(case(EXTRACT, "", "all answer 500"), (8, (3.0, 6.0), told));
    // Three times 15 s and 120 s, and 120 s of each of the others.
    assert_eq!(case(EXTRACT, "", "all hang").1, (648.0, 651.0));
    let first = |branch: &str| case(EXTRACT, branch, "the first answers 429");
    assert_eq!(
        first("large: 70.0 %"),
        (2, (0.0, 0.0), "gpt-4.1/azure answers".to_owned())
    );
    assert_eq!(
        first("small: 30.0 %"),
        (2, (0.0, 0.0), "another variant answers".to_owned())
    );
}

#[test]
fn it_becomes_an_experiment_with_its_draw_its_retries_and_its_limits() {
    let experiment = made(
        &of(EXTRACT),
        r#"{ "format": "simcap.assumptions/1", "tags": { "user_id": { "ann": 1, "bob": 1 } } }"#,
    );
    let group = &experiment["policies"][0]["policy"]["model_groups"]["groups"]["extract"];
    let drawn = json!({ "sample_without_replacement": { "targets": [
        { "fallback": { "targets": ["gpt-4.1/openai", "gpt-4.1/azure"] }, "weight": 0.7 }, { "provider": "openai::gpt-4.1-mini", "weight": 0.3 }] } });
    assert_eq!(
        group["policy"],
        json!({ "tree": { "fallback": { "targets": [drawn, "anthropic::claude-haiku-4-5"] } } })
    );
    let openai =
        json!({ "retry": { "tensorzero": { "num_retries": 2, "max_delay": "5s" } }, "timeouts": { "attempt": "15s" } });
    assert_eq!(group["targets"]["gpt-4.1/openai"], openai);
    let client = &experiment["client"];
    assert_eq!(
        (&client["timeouts"], &client["budgets"]),
        (
            &json!({ "attempt": "120s" }),
            &json!([{ "per": "day", "money": "$50" }])
        )
    );
    let window = json!({ "fixed_window": { "unit": "requests", "limit": 60, "window": "1m", "begins": "first_use" } });
    assert_eq!(
        client["limiters"][0],
        json!({ "each": { "per": "tag.user_id", "limiter": window } })
    );
    let price = &experiment["providers"]["gpt-4.1/openai"]["prices"];
    assert_eq!(
        price,
        &json!({ "per_token": { "input": "$2/Mtok", "output": "$8/Mtok" } })
    );
}

#[test]
fn every_key_of_it_is_known_and_what_leads_nowhere_is_told() {
    let gateway = of(EXTRACT);
    let unknown = gateway
        .ledger
        .iter()
        .find(|row| row.verdict == simcap::gateways::ledger::Verdict::NotModelled);
    assert_eq!(unknown, None);
    let wrong = EXTRACT
        .replace("[\"openai\", \"azure\"]", "[\"openai\", \"azur\"]")
        .replace("[\"haiku\"]", "[\"haiku\", \"sonnet\"]")
        .replace("num_retries = 2", "num_retries = -2");
    let said = warnings(&of(&wrong));
    for expected in [
        "undefined-target: models.gpt-4.1.routing: azur",
        "undefined-target: functions.extract.experimentation: sonnet",
        "wrong-value: functions.extract.variants.large.retries.num_retries",
    ] {
        assert!(said.contains(&expected.to_owned()), "{expected}: {said:?}");
    }
}

/// Of variants with weights those without one come after all that are drawn, and one of weight 0 never does.
#[test]
fn weights_of_variants_say_who_is_drawn_and_who_comes_after() {
    let of_weights = "[functions.f]\ntype = \"chat\"\n[functions.f.variants.a]\nmodel = \"openai::a\"\nweight = 1\n[functions.f.variants.b]\n\
        model = \"openai::b\"\n[functions.f.variants.c]\nmodel = \"openai::c\"\nweight = 0\n";
    let gateway = of(of_weights);
    assert_eq!(
        gateway.groups[0].policy,
        json!({ "tree": { "fallback": { "targets": ["openai::a", "openai::b"] } } })
    );
    assert_eq!(case(of_weights, "", "all answer 429").0, 2);
}

/// `get_active_limits`: of the rules that match those with `always`, and those of the highest priority alone.
#[test]
fn a_rule_of_a_higher_priority_puts_others_aside() {
    let text = "[models.m]\nrouting = [\"a\"]\n[models.m.providers.a]\ntype = \"openai\"\nmodel_name = \"gpt-4.1\"\n\
        [[rate_limiting.rules]]\npriority = 0\ntokens_per_minute = 10\n\
        [[rate_limiting.rules]]\npriority = 5\nmodel_inferences_per_minute = 60\nscope = [{ tag_key = \"user\", tag_value = \"tensorzero::each\" }]\n\
        [[rate_limiting.rules]]\npriority = 9\nmodel_inferences_per_minute = 600\nscope = [{ tag_key = \"user\", tag_value = \"ann\" }]\n\
        [[rate_limiting.rules]]\nalways = true\ncost_per_day = 5.0\n";
    let gateway = of(text);
    let limiters = gateway.client["limiters"].as_array().unwrap();
    // Whoever has the tag is not bound by the first rule, and every request of an experiment has it.
    let bounds: Vec<u64> = limiters
        .iter()
        .map(|of| of["each"]["limiter"]["fixed_window"]["limit"].as_u64().unwrap())
        .collect();
    assert_eq!(bounds, [60, 600]);
    assert_eq!(limiters[1]["each"]["of"], json!(["ann"]));
    assert_eq!(gateway.facts["budgets"], json!([{ "per": "day", "money": "$5" }]));
    let said: Vec<&str> = gateway.limits.iter().map(|limit| limit.beyond.as_str()).collect();
    assert_eq!(
        said[0],
        "not looked at: the rule of line 9 has a higher priority, of each user"
    );
    assert!(
        said[1].ends_with("; the rule of line 13 stands in its place of the user ann, where a simulation has both"),
        "{said:?}"
    );
    assert!(
        !said[2].contains("the rule of line") && !said[3].contains("the rule of line"),
        "{said:?}"
    );
}

/// A stream is bounded by what `streaming` says, and not by what `non_streaming` does.
#[test]
fn a_function_that_streams_has_the_times_of_streams() {
    let text = EXTRACT.replace(
        "streaming.ttft_ms = 3000",
        "streaming.ttft_ms = 3000, streaming.total_ms = 60000",
    );
    let targets = |streams: &str| {
        let assumed = format!(
            r#"{{ "format": "simcap.assumptions/1", "tags": {{ "user_id": {{ "ann": 1 }} }}, "streams": {streams} }}"#
        );
        let experiment = made(&of(&text), &assumed);
        experiment["policies"][0]["policy"]["model_groups"]["groups"]["extract"]["targets"]["gpt-4.1/openai"]["timeouts"].clone()
    };
    assert_eq!(targets("true"), json!({ "ttft": "3s", "attempt": "60s" }));
    assert_eq!(targets("false"), json!({ "attempt": "15s" }));
    let gateway = of(&text);
    assert!(
        gateway.ask.contains(&"which functions stream".to_owned()),
        "{:?}",
        gateway.ask
    );
}
