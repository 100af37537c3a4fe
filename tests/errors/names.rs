//! Names of nothing: plug-ins, providers, classes, models, policies.

use insta::assert_snapshot;

use super::said;

#[test]
fn an_unknown_arrival_process() {
    assert_snapshot!(said(r#""poisson""#, r#""poison""#), @r#"
    shop.json:4:19: traffic.arrivals.poison: unknown name `poison`
        4 |     "arrivals": { "poison": { "rate": "5/s" } },
          |                   ^
       help: did you mean `poisson`?
       allowed: poisson, regular, gamma, weibull, mmpp, profile, schedule, step, ramp, spike, batch, closed_loop, conversations, agents, replay, own
    "#);
}

#[test]
fn an_unknown_law() {
    assert_snapshot!(said(r#""constant": 300"#, r#""const": 300"#), @r#"
    shop.json:6:41: traffic.classes.easy.input.const: unknown name `const`
        6 |       "easy": { "share": 70, "input": { "const": 300 }, "output": { "uniform": { "min": 50, "max": 2…
          |                                         ^
       help: did you mean `constant`?
       allowed: constant, uniform, exponential, percentiles, moments, lognormal, log_logistic, gamma, weibull, pareto, empirical, column, mixture, own
    "#);
}

#[test]
fn an_unknown_price() {
    assert_snapshot!(said(r#""per_token""#, r#""per_tokens""#), @r#"
    shop.json:22:19: providers.own.prices.per_tokens: unknown name `per_tokens`
       22 |       "prices": { "per_tokens": { "input": "$1/Mtok", "output": "$4/Mtok" } },
          |                   ^
       help: did you mean `per_token`?
       allowed: per_token, per_request, listed, reserved, own, input, output, cached_input, cache_write, long_context, batch, off_peak
    "#);
}

#[test]
fn an_unknown_limit() {
    assert_snapshot!(said(r#""fixed_window""#, r#""sliding_window""#), @r#"
    shop.json:25:11: providers.own.limits[1].sliding_window: unknown name `sliding_window`
       25 |         { "sliding_window": { "unit": "tokens", "limit": "300k", "window": "1m" } }
          |           ^
       allowed: token_bucket, fixed_window, sliding_log, sliding_counter, gcra, slices, concurrent, preset, own
    "#);
}

#[test]
fn an_unknown_fault() {
    assert_snapshot!(said(r#""outage""#, r#""outtage""#), @r#"
    shop.json:29:11: providers.own.faults[1].outtage: unknown name `outtage`
       29 |         { "outtage": { "from": "10m", "for": "5m" } }
          |           ^
       help: did you mean `outage`?
       allowed: random, outage, slow_down, time_of_day, spikes, regimes, overload, own
    "#);
}

#[test]
fn an_unknown_admission() {
    assert_snapshot!(said(r#""queue": {"#, r#""que": {"#), @r#"
    shop.json:34:20: client.admission.que: unknown name `que`
       34 |     "admission": { "que": { "capacity": 1000, "max_wait": "20s" } },
          |                    ^
       help: did you mean `queue`?
       allowed: queue, poll, one_bucket, window_poll, each, own
    "#);
}

#[test]
fn an_unknown_limiter() {
    assert_snapshot!(said(r#""limiters": [ { "token_bucket""#, r#""limiters": [ { "leaky_bucket""#), @r#"
    shop.json:35:21: client.limiters[0].leaky_bucket: unknown name `leaky_bucket`
       35 |     "limiters": [ { "leaky_bucket": { "unit": "tokens", "rate": "1M/min", "burst": 5000, "estimate":…
          |                     ^
       allowed: token_bucket, fixed_window, sliding_window, sliding_counter, gcra, gradient2, aimd, envoy_gradient, sre_throttle, envoy_admission_control, concurrent, each, own
    "#);
}

#[test]
fn an_unknown_retry() {
    assert_snapshot!(said(r#""exponential""#, r#""exponental""#), @r#"
    shop.json:38:16: client.retry.exponental: unknown name `exponental`
       38 |     "retry": { "exponental": { "tries": 3, "base": "500ms", "jitter": { "add": ["0s", "1s"] } } },
          |                ^
       help: did you mean `exponential`?
       allowed: never, fixed, exponential, litellm, portkey, bifrost, tensorzero, envoy, resilience4j_retry, openai_sdk, own
    "#);
}

#[test]
fn an_unknown_breaker() {
    assert_snapshot!(said(r#""breaker": { "consecutive": { "failures": 5, "open_for": "30s" } }"#, r#""breaker": "on""#), @r#"
    shop.json:39:16: client.breaker: unknown name `on`
       39 |     "breaker": "on"
          |                ^
       help: did you mean `own`?
       allowed: never, consecutive, litellm_cooldown, resilience4j, envoy_outlier, polly, gobreaker, helicone, rollback, health_score, hystrix, finagle_accrual, portkey, kong, smg, own
    "#);
}

#[test]
fn an_unknown_policy_kind() {
    assert_snapshot!(said(r#""weighted""#, r#""weigthed""#), @r#"
    shop.json:43:36: policies[1].policy.weigthed: unknown name `weigthed`
       43 |     { "name": "mixed", "policy": { "weigthed": { "weights": { "cheap": 7, "dear": 3 } } } },
          |                                    ^
       help: did you mean `weighted`?
       allowed: single, round_robin, smooth_round_robin, weighted, simple_shuffle, priority, chain, consistent_hash, sticky, canary, rollout, shadow, tiered, task_router, conditional, litellm_tags, litellm_pre_call_checks, by_context, complexity, route_llm, least_busy, latency_based, usage_based, least_in_flight, least_tokens_in_flight, p2c, peak_ewma, jiq, envoy_least_request, prequal, c3, helicone, kong_latency, kong_usage, kong_least_connections, latency_router, cache_affine, prompt_caching, llm_d, cost_based, openrouter, cheapest, cheapest_within, budget_paced, cascade, thompson, ucb, litellm_adaptive, model_groups, tree, pipeline, own, script
    "#);
}

#[test]
fn an_unknown_unit_of_a_limit() {
    assert_snapshot!(said(r#""unit": "requests""#, r#""unit": "request""#), @r#"
    shop.json:24:37: providers.own.limits[0].token_bucket.unit: unknown name `request`
       24 |         { "token_bucket": { "unit": "request", "rate": "1000/min" } },
          |                                     ^
       help: did you mean `requests`?
       allowed: requests, tokens, input_tokens, output_tokens, concurrent
    "#);
}

#[test]
fn an_unknown_otherwise() {
    assert_snapshot!(said(r#""otherwise": "up""#, r#""otherwise": "upwards""#), @r#"
    shop.json:53:24: policies[2].policy.tiered.otherwise: unknown name `upwards`
       53 |           "otherwise": "upwards"
          |                        ^
       allowed: fail, up, down
    "#);
}

#[test]
fn two_names_in_one_object() {
    assert_snapshot!(said(r#""single": { "provider": "dear" }"#, r#""single": { "provider": "dear" }, "round_robin": {}"#), @r#"
    shop.json:42:68: policies[0].policy.round_robin: `round_robin` stands beside `single`: give one name only
       42 |     { "name": "one", "policy": { "single": { "provider": "dear" }, "round_robin": {} } },
          |                                                                    ^
    "#);
}

#[test]
fn an_unknown_provider() {
    assert_snapshot!(said(r#""provider": "dear""#, r#""provider": "deer""#), @r#"
    shop.json:42:58: policies[0].policy.single.provider: there is no provider `deer`
       42 |     { "name": "one", "policy": { "single": { "provider": "deer" } } },
          |                                                          ^
       help: did you mean `dear`?
       allowed: cheap, dear, own
    "#);
}

#[test]
fn an_unknown_provider_with_a_weight() {
    assert_snapshot!(said(r#""weights": { "cheap": 7"#, r#""weights": { "cheep": 7"#), @r#"
    shop.json:43:63: policies[1].policy.weighted.weights.cheep: there is no provider `cheep`
       43 |     { "name": "mixed", "policy": { "weighted": { "weights": { "cheep": 7, "dear": 3 } } } },
          |                                                               ^
       help: did you mean `cheap`?
       allowed: cheap, dear, own
    "#);
}

#[test]
fn an_unknown_provider_in_a_tier() {
    assert_snapshot!(said(r#"["cheap", "own"]"#, r#"["cheap", "owned"]"#), @r#"
    shop.json:49:53: policies[2].policy.tiered.tiers[0].providers[1]: there is no provider `owned`
       49 |             { "name": "low", "providers": ["cheap", "owned"], "classes": ["easy"] },
          |                                                     ^
       help: did you mean `own`?
       allowed: cheap, dear, own
    "#);
}

#[test]
fn a_provider_twice_in_a_tier() {
    assert_snapshot!(said(r#"["cheap", "own"]"#, r#"["cheap", "cheap"]"#), @r#"
    shop.json:49:53: policies[2].policy.tiered.tiers[0].providers[1]: `cheap` is named twice
       49 |             { "name": "low", "providers": ["cheap", "cheap"], "classes": ["easy"] },
          |                                                     ^
    "#);
}

#[test]
fn an_unknown_class_in_a_tier() {
    assert_snapshot!(said(r#""classes": ["easy"]"#, r#""classes": ["easi"]"#), @r#"
    shop.json:49:73: policies[2].policy.tiered.tiers[0].classes[0]: there is no class `easi`
       49 |             { "name": "low", "providers": ["cheap", "own"], "classes": ["easi"] },
          |                                                                         ^
       help: did you mean `easy`?
       allowed: easy, hard
    "#);
}

#[test]
fn an_unknown_class_of_a_misreading() {
    assert_snapshot!(said(r#""misread": { "hard""#, r#""misread": { "herd""#), @r#"
    shop.json:52:24: policies[2].policy.tiered.misread.herd: there is no class `herd`
       52 |           "misread": { "herd": { "low": "5%" } },
          |                        ^
       help: did you mean `hard`?
       allowed: easy, hard
    "#);
}

#[test]
fn an_unknown_class_with_a_quality() {
    assert_snapshot!(said(r#""quality": { "easy""#, r#""quality": { "eazy""#), @r#"
    shop.json:17:55: providers.cheap.quality.eazy: there is no class `eazy`
       17 |     "cheap": { "model": "deepseek-v3.2", "quality": { "eazy": 0.94, "hard": "76%" } },
          |                                                       ^
       help: did you mean `easy`?
       allowed: easy, hard
    "#);
}

#[test]
fn an_unknown_variant() {
    assert_snapshot!(said(r#""model": "deepseek-v3.2","#, r#""model": "deepseek-v3.2", "variant": "R99","#), @r#"
    shop.json:17:53: providers.cheap.variant: there is no variant `R99`
       17 |     "cheap": { "model": "deepseek-v3.2", "variant": "R99", "quality": { "easy": 0.94, "hard": "76%" …
          |                                                     ^
       allowed: r0, r1, r2, r3
    "#);
}

#[test]
fn an_unknown_model() {
    assert_snapshot!(said(r#""model": "claude-sonnet-4.5""#, r#""model": "claude-sonnet-45""#), @r#"
    shop.json:18:24: providers.dear.model: there is no model `claude-sonnet-45`: no models/claude-sonnet-45.json beside this file or above it, and none built in
       18 |     "dear": { "model": "claude-sonnet-45", "connections": 50 },
          |                        ^
       help: did you mean `claude-sonnet-4.5`?
       allowed: deepseek-v3.2, gpt-4.1, claude-sonnet-4.5, gemini-2.5-flash, relay-fast, llama-3.3-70b, qwen2.5-72b
    "#);
}

#[test]
fn an_unknown_policy_of_an_objective() {
    assert_snapshot!(said(r#""policies": ["tiered"]"#, r#""policies": ["tired"]"#), @r#"
    shop.json:60:67: objectives[1].policies[0]: there is no policy `tired`
       60 |     { "metric": "cost_per_month", "at_most": "$60k", "policies": ["tired"] }
          |                                                                   ^
       help: did you mean `tiered`?
       allowed: one, mixed, tiered
    "#);
}

#[test]
fn an_unknown_tier_of_a_misreading() {
    assert_snapshot!(said(r#"{ "low": "5%" }"#, r#"{ "lower": "5%" }"#), @r#"
    shop.json:52:34: policies[2].policy.tiered.misread.hard.lower: there is no tier `lower`
       52 |           "misread": { "hard": { "lower": "5%" } },
          |                                  ^
       help: did you mean `low`?
       allowed: low, high
    "#);
}

#[test]
fn a_second_policy_of_a_name() {
    assert_snapshot!(said(r#""name": "mixed""#, r#""name": "one""#), @r#"
    shop.json:43:15: policies[1].name: a second policy named `one`
       43 |     { "name": "one", "policy": { "weighted": { "weights": { "cheap": 7, "dear": 3 } } } },
          |               ^
    "#);
}

#[test]
fn a_second_tier_of_a_name() {
    assert_snapshot!(said(r#""name": "high""#, r#""name": "low""#), @r#"
    shop.json:50:23: policies[2].policy.tiered.tiers[1].name: a second tier named `low`
       50 |             { "name": "low", "providers": ["dear"], "classes": ["hard"] }
          |                       ^
    "#);
}

#[test]
fn a_name_that_is_no_folder() {
    assert_snapshot!(said(r#""name": "shop""#, r#""name": "shop/eu""#), @r#"
    shop.json:2:11: name: `shop/eu` cannot name a folder: use at most 100 letters, digits, `-`, `_` and `.`, with no `.` at the start
        2 |   "name": "shop/eu",
          |           ^
    "#);
}

#[test]
fn a_name_that_hides() {
    assert_snapshot!(said(r#""name": "shop""#, r#""name": ".shop""#), @r#"
    shop.json:2:11: name: `.shop` cannot name a folder: use at most 100 letters, digits, `-`, `_` and `.`, with no `.` at the start
        2 |   "name": ".shop",
          |           ^
    "#);
}

#[test]
fn no_letters_in_the_name() {
    assert_snapshot!(said(r#""name": "shop""#, r#""name": """#), @r#"
    shop.json:2:11: name: `` cannot name a folder: use at most 100 letters, digits, `-`, `_` and `.`, with no `.` at the start
        2 |   "name": "",
          |           ^
    "#);
}

#[test]
fn two_laws_in_one_object() {
    assert_snapshot!(said(r#"{ "constant": 300 }"#, r#"{ "constant": 300, "uniform": { "min": 1, "max": 2 } }"#), @r#"
    shop.json:6:58: traffic.classes.easy.input.uniform: `uniform` stands beside `constant`: give one name only
        6 |       "easy": { "share": 70, "input": { "constant": 300, "uniform": { "min": 1, "max": 2 } }, "outpu…
          |                                                          ^
    "#);
}

#[test]
fn a_law_without_a_name() {
    assert_snapshot!(said(r#"{ "constant": 300 }"#, "{}"), @r#"
    shop.json:6:39: traffic.classes.easy.input: an object without a name
        6 |       "easy": { "share": 70, "input": {}, "output": { "uniform": { "min": 50, "max": 200 } } },
          |                                       ^
       allowed: constant, uniform, exponential, percentiles, moments, lognormal, log_logistic, gamma, weibull, pareto, empirical, column, mixture, own
    "#);
}
