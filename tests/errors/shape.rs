//! Files in which something is unknown or of another kind.

use insta::assert_snapshot;

use super::said;

#[test]
fn an_unknown_field_at_the_top() {
    assert_snapshot!(said(r#""objectives": ["#, r#""objective": ["#), @r#"
    shop.json:58:3: objective: unknown field `objective`
       58 |   "objective": [
          |   ^
       help: did you mean `objectives`?
       allowed: $schema, format, name, about, imported, currency, traffic, providers, accounts, hosts, quality, client, policies, rank_by, objectives, uncertain, plan
    "#);
}

#[test]
fn an_unknown_field_of_traffic() {
    assert_snapshot!(said(r#""arrivals": {"#, r#""arrival": {"#), @r#"
    shop.json:4:5: traffic.arrival: unknown field `arrival`
        4 |     "arrival": { "poisson": { "rate": "5/s" } },
          |     ^
       help: did you mean `arrivals`?
       allowed: arrivals, streams, scale, classes, users, tags
    "#);
}

#[test]
fn an_unknown_field_of_a_class() {
    assert_snapshot!(said(r#""share": 70"#, r#""weight": 70"#), @r#"
    shop.json:6:17: traffic.classes.easy.weight: unknown field `weight`
        6 |       "easy": { "weight": 70, "input": { "constant": 300 }, "output": { "uniform": { "min": 50, "max…
          |                 ^
       allowed: share, priority, input, output, pairs, max_output, prompts, patience, tags, asks, cost_budget, latency_budget, provider
    "#);
}

#[test]
fn an_unknown_field_of_a_provider() {
    assert_snapshot!(said(r#""connections": 50"#, r#""conections": 50"#), @r#"
    shop.json:18:45: providers.dear.conections: unknown field `conections`
       18 |     "dear": { "model": "claude-sonnet-4.5", "conections": 50 },
          |                                             ^
       help: did you mean `connections`?
       allowed: model, variant, connections, line, host, account, ttft, prefill, tps, network, response, load, prompt_cache, prices, billed_at, hung_up, limits, faults, context_window, retry_after, quality
    "#);
}

#[test]
fn an_unknown_field_of_the_client() {
    assert_snapshot!(said(r#""max_in_flight""#, r#""max_inflight""#), @r#"
    shop.json:36:5: client.max_inflight: unknown field `max_inflight`
       36 |     "max_inflight": 100,
          |     ^
       help: did you mean `max_in_flight`?
       allowed: admission, limiters, max_in_flight, gateways, refresh, sync, gateway_time, response_cache, timeouts, retry, retry_budget, hedge, breaker, fallback, budgets, input_window
    "#);
}

#[test]
fn an_unknown_timeout() {
    assert_snapshot!(said(r#""total": "60s""#, r#""totals": "60s""#), @r#"
    shop.json:37:19: client.timeouts.totals: unknown field `totals`
       37 |     "timeouts": { "totals": "60s" },
          |                   ^
       help: did you mean `total`?
       allowed: connection, connect, ttft, idle, attempt, total
    "#);
}

#[test]
fn an_unknown_field_of_a_policy() {
    assert_snapshot!(said(r#""weights": {"#, r#""wieghts": {"#), @r#"
    shop.json:43:50: policies[1].policy.weighted.wieghts: unknown field `wieghts`
       43 |     { "name": "mixed", "policy": { "weighted": { "wieghts": { "cheap": 7, "dear": 3 } } } },
          |                                                  ^
       help: did you mean `weights`?
       allowed: weights
    "#);
}

#[test]
fn an_unknown_field_of_an_objective() {
    assert_snapshot!(said(r#""at_most": "3s""#, r#""atmost": "3s""#), @r#"
    shop.json:59:29: objectives[0].atmost: unknown field `atmost`
       59 |     { "metric": "ttft.p95", "atmost": "3s" },
          |                             ^
       help: did you mean `at_most`?
       allowed: metric, at_most, at_least, policies
    "#);
}

#[test]
fn an_unknown_field_of_the_plan() {
    assert_snapshot!(said(r#""replications""#, r#""repetitions""#), @r#"
    shop.json:62:47: plan.repetitions: unknown field `repetitions`
       62 |   "plan": { "duration": "1h", "warmup": "5m", "repetitions": 20, "seed": 1, "confidence": 0.95 }
          |                                               ^
       help: did you mean `replications`?
       allowed: duration, warmup, starts, replications, until, at_most, seed, max_in_system, confidence, matters, windows, metrics
    "#);
}

#[test]
fn an_unknown_field_of_a_law() {
    assert_snapshot!(said(r#""median": 900, "sigma""#, r#""median": 900, "stdev""#), @r#"
    shop.json:10:50: traffic.classes.hard.input.lognormal.stdev: unknown field `stdev`
       10 |         "input": { "lognormal": { "median": 900, "stdev": 0.7 } },
          |                                                  ^
       allowed: median, sigma, shift
    "#);
}

#[test]
fn an_unknown_field_of_a_retry() {
    assert_snapshot!(said(r#""tries": 3"#, r#""max_tries": 3"#), @r#"
    shop.json:38:33: client.retry.exponential.max_tries: unknown field `max_tries`
       38 |     "retry": { "exponential": { "max_tries": 3, "base": "500ms", "jitter": { "add": ["0s", "1s"] } }…
          |                                 ^
       help: did you mean `tries`?
       allowed: tries, base, factor, max, jitter, jitter_on, retry_after, without_retry_after, on, tries_by, where
    "#);
}

#[test]
fn a_field_in_the_wrong_case() {
    assert_snapshot!(said(r#""duration": "1h""#, r#""Duration": "1h""#), @r#"
    shop.json:62:13: plan.Duration: unknown field `Duration`
       62 |   "plan": { "Duration": "1h", "warmup": "5m", "replications": 20, "seed": 1, "confidence": 0.95 }
          |             ^
       help: did you mean `duration`?
       allowed: duration, warmup, starts, replications, until, at_most, seed, max_in_system, confidence, matters, windows, metrics
    "#);
}

#[test]
fn a_number_for_a_name() {
    assert_snapshot!(said(r#""name": "shop""#, r#""name": 3"#), @r#"
    shop.json:2:11: name: invalid type: 3, expected a string
        2 |   "name": 3,
          |           ^
    "#);
}

#[test]
fn a_list_for_the_providers() {
    assert_snapshot!(said(r#""providers": {"#, r#""providers": ["#), @r#"
    shop.json:17:12: providers: expected `,` or `]`
       17 |     "cheap": { "model": "deepseek-v3.2", "quality": { "easy": 0.94, "hard": "76%" } },
          |            ^
       help: in a list stand values alone; a name with a value stands in an object, {…}
    "#);
}

#[test]
fn a_string_for_a_list() {
    assert_snapshot!(said(r#""providers": ["dear"]"#, r#""providers": "dear""#), @r#"
    shop.json:50:44: policies[2].policy.tiered.tiers[1].providers: invalid type: string "dear", expected a list
       50 |             { "name": "high", "providers": "dear", "classes": ["hard"] }
          |                                            ^
    "#);
}

#[test]
fn a_string_for_a_number() {
    assert_snapshot!(said(r#""share": 70"#, r#""share": "70""#), @r#"
    shop.json:6:26: traffic.classes.easy.share: invalid type: string "70", expected a number
        6 |       "easy": { "share": "70", "input": { "constant": 300 }, "output": { "uniform": { "min": 50, "ma…
          |                          ^
    "#);
}

#[test]
fn a_fraction_for_a_whole_number() {
    assert_snapshot!(said(r#""replications": 20"#, r#""replications": 2.5"#), @r#"
    shop.json:62:63: plan.replications: invalid type: 2.5, expected a whole number from 0
       62 |   "plan": { "duration": "1h", "warmup": "5m", "replications": 2.5, "seed": 1, "confidence": 0.95 }
          |                                                               ^
    "#);
}

#[test]
fn a_negative_seed() {
    assert_snapshot!(said(r#""seed": 1"#, r#""seed": -1"#), @r#"
    shop.json:62:75: plan.seed: invalid value: -1, expected a whole number from 0
       62 |   "plan": { "duration": "1h", "warmup": "5m", "replications": 20, "seed": -1, "confidence": 0.95 }
          |                                                                           ^
    "#);
}

#[test]
fn null_for_a_name() {
    assert_snapshot!(said(r#""provider": "dear""#, r#""provider": null"#), @r#"
    shop.json:42:58: policies[0].policy.single.provider: invalid type: null, expected a string
       42 |     { "name": "one", "policy": { "single": { "provider": null } } },
          |                                                          ^
    "#);
}

#[test]
fn a_number_for_a_plugin() {
    assert_snapshot!(said(r#"{ "poisson": { "rate": "5/s" } }"#, "5"), @r#"
    shop.json:4:17: traffic.arrivals: invalid type: 5, expected a name, or an object with one name and its parameters
        4 |     "arrivals": 5,
          |                 ^
    "#);
}

#[test]
fn a_list_for_a_law() {
    assert_snapshot!(said(r#"{ "constant": 300 }"#, "[300]"), @r#"
    shop.json:6:39: traffic.classes.easy.input: invalid type: a list, expected a value, or an object with one name and its parameters
        6 |       "easy": { "share": 70, "input": [300], "output": { "uniform": { "min": 50, "max": 200 } } },
          |                                       ^
    "#);
}

#[test]
fn no_plugin_in_the_object() {
    assert_snapshot!(said(r#"{ "consecutive": { "failures": 5, "open_for": "30s" } }"#, "{}"), @r#"
    shop.json:39:16: client.breaker: an object without a name
       39 |     "breaker": {}
          |                ^
       allowed: never, consecutive, litellm_cooldown, resilience4j, envoy_outlier, polly, gobreaker, helicone, rollback, health_score, hystrix, finagle_accrual, portkey, kong, smg, own
    "#);
}

#[test]
fn a_list_for_the_plan() {
    assert_snapshot!(said(r#"{ "duration": "1h", "warmup": "5m", "replications": 20, "seed": 1, "confidence": 0.95 }"#, r#"["1h"]"#), @r#"
    shop.json:62:11: plan: invalid type: a list, expected an object with the names of its fields
       62 |   "plan": ["1h"]
          |           ^
    "#);
}

#[test]
fn a_list_for_a_class() {
    assert_snapshot!(said(r#"{ "share": 70, "input": { "constant": 300 }, "output": { "uniform": { "min": 50, "max": 200 } } }"#, r#"[70, 1, { "constant": 300 }, { "constant": 300 }, 5]"#), @r#"
    shop.json:6:15: traffic.classes.easy: invalid type: a list, expected an object with the names of its fields
        6 |       "easy": [70, 1, { "constant": 300 }, { "constant": 300 }, 5],
          |               ^
    "#);
}

#[test]
fn a_list_for_parameters() {
    assert_snapshot!(said(r#"{ "provider": "dear" }"#, r#"["dear"]"#), @r#"
    shop.json:42:44: policies[0].policy.single: invalid type: a list, expected an object with the names of its fields
       42 |     { "name": "one", "policy": { "single": ["dear"] } },
          |                                            ^
    "#);
}

#[test]
fn a_list_for_a_laws_parameters() {
    assert_snapshot!(said(r#"{ "min": 50, "max": 200 }"#, "[50, 200]"), @r#"
    shop.json:6:83: traffic.classes.easy.output.uniform: invalid type: a list, expected an object with the names of its fields
        6 |       "easy": { "share": 70, "input": { "constant": 300 }, "output": { "uniform": [50, 200] } },
          |                                                                                   ^
    "#);
}

#[test]
fn a_number_for_a_laws_parameters() {
    assert_snapshot!(said(r#"{ "constant": 300 }"#, r#"{ "lognormal": 300 }"#), @r#"
    shop.json:6:54: traffic.classes.easy.input.lognormal: invalid type: 300, expected an object
        6 |       "easy": { "share": 70, "input": { "lognormal": 300 }, "output": { "uniform": { "min": 50, "max…
          |                                                      ^
    "#);
}

#[test]
fn an_object_for_a_word() {
    assert_snapshot!(said(r#""otherwise": "up""#, r#""otherwise": { "up": {} }"#), @r#"
    shop.json:53:32: policies[2].policy.tiered.otherwise.up: invalid type: an object, expected nothing: write the name alone
       53 |           "otherwise": { "up": {} }
          |                                ^
    "#);
}

#[test]
fn three_in_a_pair() {
    assert_snapshot!(said(r#"{ "constant": 300 }"#, r#"{ "empirical": { "quantiles": [[0, 10, 5], [1, 900]] } }"#), @r#"
    shop.json:6:78: traffic.classes.easy.input.empirical.quantiles[0][2]: the list has too many values
        6 | …hare": 70, "input": { "empirical": { "quantiles": [[0, 10, 5], [1, 900]] } }, "output": { "uniform":…
          |                                                             ^
    "#);
}

#[test]
fn a_list_for_a_plugin() {
    assert_snapshot!(said(r#"{ "poisson": { "rate": "5/s" } }"#, r#"["poisson"]"#), @r#"
    shop.json:4:17: traffic.arrivals: invalid type: a list, expected a name, or an object with one name and its parameters
        4 |     "arrivals": ["poisson"],
          |                 ^
    "#);
}

#[test]
fn several_mistakes() {
    let text = super::GOOD
        .replacen("\"median\": 900", "\"medain\": 900", 1)
        .replacen("\"replications\": 20", "\"replications\": \"twenty\"", 1)
        .replacen("\"tries\": 3", "\"tires\": 3", 1);
    assert_snapshot!(super::said_of(&text), @r#"
    shop.json:10:35: traffic.classes.hard.input.lognormal.medain: unknown field `medain`
       10 |         "input": { "lognormal": { "medain": 900, "sigma": 0.7 } },
          |                                   ^
       help: did you mean `median`?
       allowed: median, sigma, shift
    shop.json:38:33: client.retry.exponential.tires: unknown field `tires`
       38 |     "retry": { "exponential": { "tires": 3, "base": "500ms", "jitter": { "add": ["0s", "1s"] } } },
          |                                 ^
       help: did you mean `tries`?
       allowed: tries, base, factor, max, jitter, jitter_on, retry_after, without_retry_after, on, tries_by, where
    shop.json:62:63: plan.replications: invalid type: string "twenty", expected a whole number from 0
       62 | …plan": { "duration": "1h", "warmup": "5m", "replications": "twenty", "seed": 1, "confidence": 0.95 }
          |                                                             ^
    3 mistakes
    "#);
}

/// What reads well and makes no sense is told in one go too, where each can be checked apart from the others.
#[test]
fn several_mistakes_of_meaning() {
    let mut file: serde_json::Value = serde_json::from_str(super::GOOD).unwrap();
    file["plan"]["replications"] = 0.into();
    file["policies"][0] = serde_json::json!({ "name": "one", "policy": { "single": { "provider": "nearr" } } });
    file["policies"][1] = serde_json::json!({ "name": "one", "policy": "round_robin" });
    file["objectives"] = serde_json::json!([]);
    let said = super::said_of(&file.to_string());
    for part in [
        "policies[0].policy.single.provider: there is no provider `nearr`",
        "policies[1].name: a second policy named `one`",
        "plan.replications: 0 replications: must be 1 to 100000",
        "3 mistakes",
    ] {
        assert!(said.contains(part), "{part} is not in:\n{said}");
    }
}
