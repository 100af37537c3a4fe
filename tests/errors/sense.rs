//! Files that read well and make no sense.

use insta::assert_snapshot;

use super::{GOOD, said, said_of};

#[test]
fn a_class_in_no_tier() {
    assert_snapshot!(said(r#""classes": ["hard"]"#, r#""classes": []"#), @r#"
    shop.json:48:20: policies[2].policy.tiered.tiers: class `hard` belongs to no tier: list it in the `classes` of one
       48 |           "tiers": [
          |                    ^
    "#);
}

#[test]
fn a_class_in_two_tiers() {
    assert_snapshot!(said(r#""classes": ["hard"]"#, r#""classes": ["hard", "easy"]"#), @r#"
    shop.json:50:74: policies[2].policy.tiered.tiers[1].classes[1]: class `easy` belongs to tier `low` already
       50 |             { "name": "high", "providers": ["dear"], "classes": ["hard", "easy"] }
          |                                                                          ^
    "#);
}

#[test]
fn a_misreading_of_its_own_tier() {
    assert_snapshot!(said(r#"{ "low": "5%" }"#, r#"{ "high": "5%" }"#), @r#"
    shop.json:52:42: policies[2].policy.tiered.misread.hard.high: `high` is this class's own tier; give only the wrong ones
       52 |           "misread": { "hard": { "high": "5%" } },
          |                                          ^
    "#);
}

#[test]
fn misreadings_of_more_than_all() {
    assert_snapshot!(said(r#""providers": ["dear"], "classes": ["hard"] }
          ],
          "misread": { "hard": { "low": "5%" } }"#, r#""providers": ["dear"], "classes": ["hard"] },
            { "name": "top", "providers": ["dear"] }
          ],
          "misread": { "hard": { "low": "60%", "top": 0.5 } }"#), @r#"
    shop.json:53:32: policies[2].policy.tiered.misread.hard: the probabilities add up to 1.1, more than 1
       53 |           "misread": { "hard": { "low": "60%", "top": 0.5 } },
          |                                ^
    "#);
}

#[test]
fn a_tier_without_providers() {
    assert_snapshot!(said(r#""providers": ["dear"]"#, r#""providers": []"#), @r#"
    shop.json:50:44: policies[2].policy.tiered.tiers[1].providers: a tier needs at least one provider
       50 |             { "name": "high", "providers": [], "classes": ["hard"] }
          |                                            ^
    "#);
}

#[test]
fn no_tiers() {
    assert_snapshot!(said(r#""tiers": [
            { "name": "low", "providers": ["cheap", "own"], "classes": ["easy"] },
            { "name": "high", "providers": ["dear"], "classes": ["hard"] }
          ]"#, r#""tiers": []"#), @r#"
    shop.json:48:20: policies[2].policy.tiered.tiers: there must be at least one tier
       48 |           "tiers": [],
          |                    ^
    "#);
}

#[test]
fn weights_all_zero() {
    assert_snapshot!(said(r#"{ "cheap": 7, "dear": 3 }"#, r#"{ "cheap": 0, "dear": 0 }"#), @r#"
    shop.json:43:61: policies[1].policy.weighted.weights: at least one weight must be above 0
       43 |     { "name": "mixed", "policy": { "weighted": { "weights": { "cheap": 0, "dear": 0 } } } },
          |                                                             ^
    "#);
}

#[test]
fn a_negative_weight() {
    assert_snapshot!(said(r#""cheap": 7"#, r#""cheap": -7"#), @r#"
    shop.json:43:72: policies[1].policy.weighted.weights.cheap: a weight of -7: must be 0 or more
       43 |     { "name": "mixed", "policy": { "weighted": { "weights": { "cheap": -7, "dear": 3 } } } },
          |                                                                        ^
    "#);
}

#[test]
fn no_weights() {
    assert_snapshot!(said(r#"{ "cheap": 7, "dear": 3 }"#, "{}"), @r#"
    shop.json:43:61: policies[1].policy.weighted.weights: at least one weight must be above 0
       43 |     { "name": "mixed", "policy": { "weighted": { "weights": {} } } },
          |                                                             ^
    "#);
}

#[test]
fn an_objective_without_a_bound() {
    assert_snapshot!(said(r#", "at_most": "3s""#, ""), @r#"
    shop.json:59:5: objectives[0]: no bound: give `at_most` or `at_least`
       59 |     { "metric": "ttft.p95" },
          |     ^
    "#);
}

#[test]
fn an_objective_with_two_bounds() {
    assert_snapshot!(said(r#""at_most": "3s""#, r#""at_most": "3s", "at_least": "1s""#), @r#"
    shop.json:59:58: objectives[0].at_least: `at_least` beside `at_most`: give one, and the other in an objective of its own
       59 |     { "metric": "ttft.p95", "at_most": "3s", "at_least": "1s" },
          |                                                          ^
    "#);
}

#[test]
fn an_objective_in_another_unit() {
    assert_snapshot!(said(r#""at_most": "3s""#, r#""at_most": "3%""#), @r#"
    shop.json:59:40: objectives[0].at_most: "3%" is not a duration: unknown unit `%`; write a number and one of ns, us, ms, s, m, h, d, like "250ms"
       59 |     { "metric": "ttft.p95", "at_most": "3%" },
          |                                        ^
    "#);
}

#[test]
fn an_objective_without_a_unit() {
    assert_snapshot!(said(r#""at_most": "3s""#, r#""at_most": 3"#), @r#"
    shop.json:59:40: objectives[0].at_most: the number 3 has no unit: write a string like "1.5s"
       59 |     { "metric": "ttft.p95", "at_most": 3 },
          |                                        ^
    "#);
}

#[test]
fn a_share_of_errors_above_all() {
    assert_snapshot!(said(r#""metric": "ttft.p95", "at_most": "3s""#, r#""metric": "error_rate", "at_most": 3"#), @r#"
    shop.json:59:42: objectives[0].at_most: 3 is not a share: write 0 to 1, or a string like "1%"
       59 |     { "metric": "error_rate", "at_most": 3 },
          |                                          ^
    "#);
}

#[test]
fn a_plain_number_with_a_unit() {
    assert_snapshot!(said(r#""metric": "ttft.p95", "at_most": "3s""#, r#""metric": "attempts_per_request", "at_most": "3s""#), @r#"
    shop.json:59:52: objectives[0].at_most: "3s" is not a plain number: write one without quotes, like 1.2
       59 |     { "metric": "attempts_per_request", "at_most": "3s" },
          |                                                    ^
    "#);
}

#[test]
fn money_without_dollars() {
    assert_snapshot!(said(r#""$60k""#, "60000"), @r#"
    shop.json:60:46: objectives[1].at_most: the number 60000 has no unit: write a string like "$20k"
       60 |     { "metric": "cost_per_month", "at_most": 60000, "policies": ["tiered"] }
          |                                              ^
    "#);
}

#[test]
fn a_confidence_out_of_range() {
    assert_snapshot!(said(r#""confidence": 0.95"#, r#""confidence": 95"#), @r#"
    shop.json:62:92: plan.confidence: a confidence level is a number from 0.5 to 0.9999, such as 0.95; found 95
       62 |   "plan": { "duration": "1h", "warmup": "5m", "replications": 20, "seed": 1, "confidence": 95 }
          |                                                                                            ^
    "#);
}

#[test]
fn a_warmup_of_decades() {
    assert_snapshot!(said(r#""warmup": "5m""#, r#""warmup": "7300d""#), @r#"
    shop.json:62:41: plan.warmup: a warm-up of 7300d: at most ten years
       62 |   "plan": { "duration": "1h", "warmup": "7300d", "replications": 20, "seed": 1, "confidence": 0.95 }
          |                                         ^
    "#);
}

#[test]
fn no_duration() {
    assert_snapshot!(said(r#""duration": "1h", "#, ""), @r#"
    shop.json:62:11: plan: `duration` is missing: how long to simulate, like "1h"
       62 |   "plan": { "warmup": "5m", "replications": 20, "seed": 1, "confidence": 0.95 }
          |           ^
    "#);
}

#[test]
fn a_duration_of_nothing() {
    assert_snapshot!(said(r#""duration": "1h""#, r#""duration": "0s""#), @r#"
    shop.json:62:25: plan.duration: 0s is not between 1ns and ten years
       62 |   "plan": { "duration": "0s", "warmup": "5m", "replications": 20, "seed": 1, "confidence": 0.95 }
          |                         ^
    "#);
}

#[test]
fn a_duration_of_decades() {
    assert_snapshot!(said(r#""duration": "1h""#, r#""duration": "7300d""#), @r#"
    shop.json:62:25: plan.duration: 7300d is not between 1ns and ten years
       62 |   "plan": { "duration": "7300d", "warmup": "5m", "replications": 20, "seed": 1, "confidence": 0.95 }
          |                         ^
    "#);
}

#[test]
fn no_replications() {
    assert_snapshot!(said(r#""replications": 20"#, r#""replications": 0"#), @r#"
    shop.json:62:63: plan.replications: 0 replications: must be 1 to 100000
       62 |   "plan": { "duration": "1h", "warmup": "5m", "replications": 0, "seed": 1, "confidence": 0.95 }
          |                                                               ^
    "#);
}

#[test]
fn a_hang_without_a_timeout() {
    assert_snapshot!(said(r#""timeouts": { "total": "60s" }"#, r#""timeouts": { "connection": "60s" }"#), @r#"
    shop.json:37:17: client.timeouts: provider `own` may hang, and the client has no timeout that would end it: give "ttft", "attempt" or "total"
       37 |     "timeouts": { "connection": "60s" },
          |                 ^
    "#);
}

#[test]
fn a_hang_without_any_timeouts() {
    assert_snapshot!(said(r#""timeouts": { "total": "60s" },"#, ""), @r#"
    shop.json:33:13: client.timeouts: provider `own` may hang, and the client has no timeout that would end it: give "ttft", "attempt" or "total"
       33 |   "client": {
          |             ^
    "#);
}

#[test]
fn a_response_beside_a_ttft() {
    assert_snapshot!(said(r#""network": "20ms""#, r#""ttft": { "constant": "1s" }"#), @r#"
    shop.json:21:15: providers.own.ttft: `ttft` beside `response`: give one or the other
       21 |       "ttft": { "constant": "1s" },
          |               ^
    "#);
}

#[test]
fn no_prices() {
    assert_snapshot!(said(r#""prices": { "per_token": { "input": "$1/Mtok", "output": "$4/Mtok" } },"#, ""), @r#"
    shop.json:19:12: providers.own: `prices` is missing, and there is no model to take it from: give one, like {"per_token": {"input": "$1/Mtok", "output": "$4/Mtok"}}
       19 |     "own": {
          |            ^
    "#);
}

#[test]
fn no_latency() {
    assert_snapshot!(said(r#""response": { "lognormal": { "median": "800ms", "sigma": 0.4, "shift": "200ms" } },"#, ""), @r#"
    shop.json:19:12: providers.own: `ttft` is missing, and there is no model to take it from: give `ttft` and `tps`, or `response`
       19 |     "own": {
          |            ^
    "#);
}

#[test]
fn a_variant_of_no_model() {
    assert_snapshot!(said(r#""network": "20ms""#, r#""variant": "R0""#), @r#"
    shop.json:21:18: providers.own.variant: a variant of no model: give `model` too
       21 |       "variant": "R0",
          |                  ^
    "#);
}

#[test]
fn faults_of_more_than_all() {
    assert_snapshot!(said(r#""server_error": "1%", "hang": 0.001"#, r#""server_error": "60%", "hang": 0.5"#), @r#"
    shop.json:28:21: providers.own.faults[0].random: the probabilities add up to 1.1, more than 1
       28 |         { "random": { "server_error": "60%", "hang": 0.5 } },
          |                     ^
    "#);
}

#[test]
fn no_classes() {
    assert_snapshot!(said(r#""classes": {
      "easy": { "share": 70, "input": { "constant": 300 }, "output": { "uniform": { "min": 50, "max": 200 } } },
      "hard": {
        "share": 30,
        "priority": 2,
        "input": { "lognormal": { "median": 900, "sigma": 0.7 } },
        "output": { "lognormal": { "median": 400, "sigma": 0.5 } },
        "max_output": 2000
      }
    }"#, r#""classes": {}"#), @r#"
    shop.json:5:16: traffic.classes: 0 classes: must be 1 to 1000
        5 |     "classes": {}
          |                ^
    "#);
}

#[test]
fn no_input() {
    assert_snapshot!(said(r#""input": { "constant": 300 }, "#, ""), @r#"
    shop.json:6:15: traffic.classes.easy: `input` is missing: a law of tokens, like {"constant": 300}
        6 |       "easy": { "share": 70, "output": { "uniform": { "min": 50, "max": 200 } } },
          |               ^
    "#);
}

#[test]
fn an_outage_of_nothing() {
    assert_snapshot!(said(r#"{ "outage": { "from": "10m", "for": "5m" } }"#, r#"{ "outage": { "from": "10m", "for": "5m", "share": 0 } }"#), @r#"
    shop.json:29:60: providers.own.faults[1].outage.share: an outage of nothing: must be above 0
       29 |         { "outage": { "from": "10m", "for": "5m", "share": 0 } }
          |                                                            ^
    "#);
}

#[test]
fn a_slow_down_by_a_factor_of_nothing() {
    assert_snapshot!(said(r#"{ "outage": { "from": "10m", "for": "5m" } }"#, r#"{ "slow_down": { "from": "10m", "for": "5m", "speed": 0 } }"#), @r#"
    shop.json:29:63: providers.own.faults[1].slow_down.speed: a factor of 0: must be 0.001 to 1000
       29 |         { "slow_down": { "from": "10m", "for": "5m", "speed": 0 } }
          |                                                               ^
    "#);
}

#[test]
fn a_day_of_twelve_hours() {
    assert_snapshot!(said(r#"{ "outage": { "from": "10m", "for": "5m" } }"#, r#"{ "time_of_day": { "ttft": { "hourly": [1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1] } } }"#), @r#"
    shop.json:29:48: providers.own.faults[1].time_of_day.ttft.hourly: 12 factors: must be 24, one for each hour
       29 |         { "time_of_day": { "ttft": { "hourly": [1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1] } } }
          |                                                ^
    "#);
}

#[test]
fn an_hour_with_a_factor_of_nothing() {
    assert_snapshot!(said(r#"{ "outage": { "from": "10m", "for": "5m" } }"#, r#"{ "time_of_day": { "speed": { "hourly": [1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1] } } }"#), @r#"
    shop.json:29:71: providers.own.faults[1].time_of_day.speed.hourly[7]: a factor of 0: must be 0.001 to 1000
       29 | …time_of_day": { "speed": { "hourly": [1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,…
          |                                                             ^
    "#);
}

#[test]
fn a_wave_that_peaks_at_thirty_o_clock() {
    assert_snapshot!(said(r#"{ "outage": { "from": "10m", "for": "5m" } }"#, r#"{ "time_of_day": { "ttft": { "wave": { "peak": 2, "trough": 1, "at": "30h" } } } }"#), @r#"
    shop.json:29:78: providers.own.faults[1].time_of_day.ttft.wave.at: a time of day must be below 24h
       29 |         { "time_of_day": { "ttft": { "wave": { "peak": 2, "trough": 1, "at": "30h" } } } }
          |                                                                              ^
    "#);
}

#[test]
fn a_day_on_which_nothing_changes() {
    assert_snapshot!(said(r#"{ "outage": { "from": "10m", "for": "5m" } }"#, r#"{ "time_of_day": { "start": "9h" } }"#), @r#"
    shop.json:29:26: providers.own.faults[1].time_of_day: nothing follows the time of day: give "ttft", "speed" or both
       29 |         { "time_of_day": { "start": "9h" } }
          |                          ^
    "#);
}

#[test]
fn spikes_without_end() {
    assert_snapshot!(said(r#"{ "outage": { "from": "10m", "for": "5m" } }"#, r#"{ "spikes": { "every": "1m", "for": { "pareto": { "min": "1s", "alpha": 1 } }, "ttft": { "constant": 9 } } }"#), @r#"
    shop.json:29:21: providers.own.faults[1].spikes: one comes every inf s in the mean: must be 1 s to 365 days
       29 |         { "spikes": { "every": "1m", "for": { "pareto": { "min": "1s", "alpha": 1 } }, "ttft": { "co…
          |                     ^
    "#);
}

#[test]
fn spikes_without_a_gap() {
    assert_snapshot!(said(r#"{ "outage": { "from": "10m", "for": "5m" } }"#, r#"{ "spikes": { "every": "0s", "for": { "constant": "1s" }, "ttft": { "constant": 9 } } }"#), @r#"
    shop.json:29:32: providers.own.faults[1].spikes.every: mean must be above 0 and finite, but is 0
       29 |         { "spikes": { "every": "0s", "for": { "constant": "1s" }, "ttft": { "constant": 9 } } }
          |                                ^
    "#);
}

#[test]
fn incidents_within_a_second() {
    assert_snapshot!(said(r#"{ "outage": { "from": "10m", "for": "5m" } }"#, r#"{ "regimes": { "between": { "constant": "10ms" }, "repair": { "constant": "10ms" } } }"#), @r#"
    shop.json:29:22: providers.own.faults[1].regimes: one comes every 0.02 s in the mean: must be 1 s to 365 days
       29 |         { "regimes": { "between": { "constant": "10ms" }, "repair": { "constant": "10ms" } } }
          |                      ^
    "#);
}

#[test]
fn a_regime_of_more_faults_than_attempts() {
    assert_snapshot!(said(r#"{ "outage": { "from": "10m", "for": "5m" } }"#, r#"{ "regimes": { "degraded": { "faults": { "hang": 0.6, "stalled": "60%" } } } }"#), @r#"
    shop.json:29:48: providers.own.faults[1].regimes.degraded.faults: the probabilities add up to 1.2, more than 1
       29 |         { "regimes": { "degraded": { "faults": { "hang": 0.6, "stalled": "60%" } } } }
          |                                                ^
    "#);
}

#[test]
fn a_regime_too_slow() {
    assert_snapshot!(said(r#"{ "outage": { "from": "10m", "for": "5m" } }"#, r#"{ "regimes": { "outage": { "ttft": 5000 } } }"#), @r#"
    shop.json:29:44: providers.own.faults[1].regimes.outage.ttft: a factor of 5000: must be 0.001 to 1000
       29 |         { "regimes": { "outage": { "ttft": 5000 } } }
          |                                            ^
    "#);
}

#[test]
fn an_overload_that_is_full_too_early() {
    assert_snapshot!(said(r#"{ "outage": { "from": "10m", "for": "5m" } }"#, r#"{ "overload": { "above": 10, "full": 10 } }"#), @r#"
    shop.json:29:46: providers.own.faults[1].overload.full: full at 10: must be above `above`, which is 10
       29 |         { "overload": { "above": 10, "full": 10 } }
          |                                              ^
    "#);
}

/// The first-token timeout does not end a stall in an answer, nor the connect timeout a hang.
#[test]
fn a_silence_that_no_timeout_ends() {
    let left = |fault: &str, timeouts: &str| {
        let text = GOOD
            .replacen(r#"{ "random": { "server_error": "1%", "hang": 0.001 } }"#, fault, 1)
            .replacen(r#""timeouts": { "total": "60s" }"#, timeouts, 1);
        said_of(&text)
    };
    let stall = r#"{ "random": { "stalled": "1%" } }"#;
    assert_snapshot!(left(stall, r#""timeouts": { "ttft": "60s" }"#), @r#"
    shop.json:37:17: client.timeouts: provider `own` may stall in an answer, and the client has no timeout that would end it: give "idle", "attempt" or "total"
       37 |     "timeouts": { "ttft": "60s" },
          |                 ^
    "#);
    assert_snapshot!(left(stall, r#""timeouts": { "idle": "60s" }"#), @"nothing is wrong");
    let unreachable = r#"{ "outage": { "from": "1s", "for": "1s", "answer": "unreachable" } }"#;
    assert_snapshot!(left(unreachable, r#""timeouts": { "idle": "60s" }"#), @r#"
    shop.json:37:17: client.timeouts: provider `own` may be unreachable, and the client has no timeout that would end it: give "connect", "ttft", "attempt" or "total"
       37 |     "timeouts": { "idle": "60s" },
          |                 ^
    "#);
    assert_snapshot!(left(unreachable, r#""timeouts": { "connect": "60s" }"#), @"nothing is wrong");
    let hang = r#"{ "outage": { "from": "1s", "for": "1s", "answer": "hang" } }"#;
    assert_snapshot!(left(hang, r#""timeouts": { "connect": "60s", "idle": "60s" }"#), @r#"
    shop.json:37:17: client.timeouts: provider `own` may hang, and the client has no timeout that would end it: give "ttft", "attempt" or "total"
       37 |     "timeouts": { "connect": "60s", "idle": "60s" },
          |                 ^
    "#);
}
