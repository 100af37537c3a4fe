//! Quantities, numbers and laws that are out of range or lack their unit.

use insta::assert_snapshot;

use super::said;

#[test]
fn a_rate_without_a_unit() {
    assert_snapshot!(said(r#""rate": "5/s""#, r#""rate": 5"#), @r#"
    shop.json:4:40: traffic.arrivals.poisson.rate: the number 5 is not a rate: it has no unit; write a count (k, M, G allowed), `/` and a time in s, min, h, day, week or month (30 days), like "1000/min" or "2.4M/month"
        4 |     "arrivals": { "poisson": { "rate": 5 } },
          |                                        ^
    "#);
}

#[test]
fn a_rate_with_a_wrong_unit() {
    assert_snapshot!(said(r#""rate": "5/s""#, r#""rate": "5 rps""#), @r#"
    shop.json:4:40: traffic.arrivals.poisson.rate: "5 rps" is not a rate: write it as "5/s"; write a count (k, M, G allowed), `/` and a time in s, min, h, day, week or month (30 days), like "1000/min" or "2.4M/month"
        4 |     "arrivals": { "poisson": { "rate": "5 rps" } },
          |                                        ^
    "#);
}

#[test]
fn a_rate_of_zero() {
    assert_snapshot!(said(r#""rate": "5/s""#, r#""rate": "0/s""#), @r#"
    shop.json:4:40: traffic.arrivals.poisson.rate: "0/s" is not a rate: it is zero; write a count (k, M, G allowed), `/` and a time in s, min, h, day, week or month (30 days), like "1000/min" or "2.4M/month"
        4 |     "arrivals": { "poisson": { "rate": "0/s" } },
          |                                        ^
    "#);
}

#[test]
fn a_negative_rate() {
    assert_snapshot!(said(r#""rate": "5/s""#, r#""rate": "-5/s""#), @r#"
    shop.json:4:40: traffic.arrivals.poisson.rate: "-5/s" is not a rate: it may not be negative; write a count (k, M, G allowed), `/` and a time in s, min, h, day, week or month (30 days), like "1000/min" or "2.4M/month"
        4 |     "arrivals": { "poisson": { "rate": "-5/s" } },
          |                                        ^
    "#);
}

#[test]
fn a_rate_beyond_any_computer() {
    assert_snapshot!(said(r#""rate": "5/s""#, r#""rate": "5G/s""#), @r#"
    shop.json:4:40: traffic.arrivals.poisson.rate: 5.0e9 requests a second: at most 1e7 are simulated
        4 |     "arrivals": { "poisson": { "rate": "5G/s" } },
          |                                        ^
    "#);
}

#[test]
fn a_duration_without_a_unit() {
    assert_snapshot!(said(r#""total": "60s""#, r#""total": 60"#), @r#"
    shop.json:37:28: client.timeouts.total: the number 60 is not a duration: it has no unit; write a number and one of ns, us, ms, s, m, h, d, like "250ms"
       37 |     "timeouts": { "total": 60 },
          |                            ^
    "#);
}

#[test]
fn a_duration_in_quotes_without_a_unit() {
    assert_snapshot!(said(r#""total": "60s""#, r#""total": "60""#), @r#"
    shop.json:37:28: client.timeouts.total: "60" is not a duration: it has no unit; write a number and one of ns, us, ms, s, m, h, d, like "250ms"
       37 |     "timeouts": { "total": "60" },
          |                            ^
    "#);
}

#[test]
fn a_duration_with_a_wrong_unit() {
    assert_snapshot!(said(r#""total": "60s""#, r#""total": "60sec""#), @r#"
    shop.json:37:28: client.timeouts.total: "60sec" is not a duration: unknown unit `sec`; write a number and one of ns, us, ms, s, m, h, d, like "250ms"
       37 |     "timeouts": { "total": "60sec" },
          |                            ^
    "#);
}

#[test]
fn a_negative_duration() {
    assert_snapshot!(said(r#""network": "20ms""#, r#""network": "-20ms""#), @r#"
    shop.json:21:18: providers.own.network: "-20ms" is not a duration: it may not be negative; write a number and one of ns, us, ms, s, m, h, d, like "250ms"
       21 |       "network": "-20ms",
          |                  ^
    "#);
}

#[test]
fn a_duration_beyond_the_clock() {
    assert_snapshot!(said(r#""max_wait": "20s""#, r#""max_wait": "300000d""#), @r#"
    shop.json:34:61: client.admission.queue.max_wait: "300000d" is not a duration: it is longer than 584 years; write a number and one of ns, us, ms, s, m, h, d, like "250ms"
       34 |     "admission": { "queue": { "capacity": 1000, "max_wait": "300000d" } },
          |                                                             ^
    "#);
}

#[test]
fn a_price_without_a_unit() {
    assert_snapshot!(said(r#""input": "$1/Mtok""#, r#""input": 1.0"#), @r#"
    shop.json:22:43: providers.own.prices.per_token.input: the number 1.0 is not a price of tokens: it has no unit; write `$`, a number and one of /tok, /ktok, /Mtok, like "$0.42/Mtok"
       22 |       "prices": { "per_token": { "input": 1.0, "output": "$4/Mtok" } },
          |                                           ^
    "#);
}

#[test]
fn a_price_for_no_number_of_tokens() {
    assert_snapshot!(said(r#""input": "$1/Mtok""#, r#""input": "$1""#), @r#"
    shop.json:22:43: providers.own.prices.per_token.input: "$1" is not a price of tokens: it does not say for how many tokens; write `$`, a number and one of /tok, /ktok, /Mtok, like "$0.42/Mtok"
       22 |       "prices": { "per_token": { "input": "$1", "output": "$4/Mtok" } },
          |                                           ^
    "#);
}

#[test]
fn a_price_in_another_currency() {
    assert_snapshot!(said(r#""input": "$1/Mtok""#, r#""input": "€1/Mtok""#), @r#"
    shop.json:22:43: providers.own.prices.per_token.input: "€1/Mtok" is not a price of tokens: it does not begin with `$`; write `$`, a number and one of /tok, /ktok, /Mtok, like "$0.42/Mtok"
       22 |       "prices": { "per_token": { "input": "€1/Mtok", "output": "$4/Mtok" } },
          |                                           ^
    "#);
}

#[test]
fn a_percentage_above_all() {
    assert_snapshot!(said(r#""server_error": "1%""#, r#""server_error": "101%""#), @r#"
    shop.json:28:39: providers.own.faults[0].random.server_error: "101%" is not a fraction: it is above 100%; write a number from 0 to 1 or a percentage, like 0.7 or "70%"
       28 |         { "random": { "server_error": "101%", "hang": 0.001 } },
          |                                       ^
    "#);
}

#[test]
fn a_fraction_above_one() {
    assert_snapshot!(said(r#""hard": "76%""#, r#""hard": 76"#), @r#"
    shop.json:17:77: providers.cheap.quality.hard: the number 76 is not a fraction: it is above 1; write a number from 0 to 1 or a percentage, like 0.7 or "70%"
       17 |     "cheap": { "model": "deepseek-v3.2", "quality": { "easy": 0.94, "hard": 76 } },
          |                                                                             ^
    "#);
}

#[test]
fn a_count_of_zero() {
    assert_snapshot!(said(r#""connections": 50"#, r#""connections": 0"#), @r#"
    shop.json:18:60: providers.dear.connections: the number 0 is not a count: it is zero; write a whole number above 0 (in quotes with k, M or G), like 8000 or "8k"
       18 |     "dear": { "model": "claude-sonnet-4.5", "connections": 0 },
          |                                                            ^
    "#);
}

#[test]
fn a_count_that_is_not_whole() {
    assert_snapshot!(said(r#""max_in_flight": 100"#, r#""max_in_flight": 1.5"#), @r#"
    shop.json:36:22: client.max_in_flight: the number 1.5 is not a count: it is not written as a whole number; write a whole number above 0 (in quotes with k, M or G), like 8000 or "8k"
       36 |     "max_in_flight": 1.5,
          |                      ^
    "#);
}

#[test]
fn a_count_with_a_wrong_suffix() {
    assert_snapshot!(said(r#""limit": "300k""#, r#""limit": "300K""#), @r#"
    shop.json:25:56: providers.own.limits[1].fixed_window.limit: "300K" is not a count: unknown suffix `K`; write a whole number above 0 (in quotes with k, M or G), like 8000 or "8k"
       25 |         { "fixed_window": { "unit": "tokens", "limit": "300K", "window": "1m" } }
          |                                                        ^
    "#);
}

#[test]
fn a_priority_too_high() {
    assert_snapshot!(said(r#""priority": 2"#, r#""priority": 16"#), @r#"
    shop.json:9:21: traffic.classes.hard.priority: priority 16: must be 0 to 15
        9 |         "priority": 16,
          |                     ^
    "#);
}

#[test]
fn a_priority_beyond_a_byte() {
    assert_snapshot!(said(r#""priority": 2"#, r#""priority": 300"#), @r#"
    shop.json:9:21: traffic.classes.hard.priority: invalid value: 300, expected a whole number from 0 to 255
        9 |         "priority": 300,
          |                     ^
    "#);
}

#[test]
fn more_output_than_can_be_counted() {
    assert_snapshot!(said(r#""max_output": 2000"#, r#""max_output": "5G""#), @r#"
    shop.json:12:23: traffic.classes.hard.max_output: 5000000000 tokens: at most 4294967295 can be counted
       12 |         "max_output": "5G"
          |                       ^
    "#);
}

#[test]
fn a_negative_share() {
    assert_snapshot!(said(r#""share": 70"#, r#""share": -70"#), @r#"
    shop.json:6:26: traffic.classes.easy.share: a share of -70: must be above 0
        6 |       "easy": { "share": -70, "input": { "constant": 300 }, "output": { "uniform": { "min": 50, "max…
          |                          ^
    "#);
}

#[test]
fn a_share_of_zero() {
    assert_snapshot!(said(r#""share": 70"#, r#""share": 0"#), @r#"
    shop.json:6:26: traffic.classes.easy.share: a share of 0: must be above 0
        6 |       "easy": { "share": 0, "input": { "constant": 300 }, "output": { "uniform": { "min": 50, "max":…
          |                          ^
    "#);
}

#[test]
fn no_share() {
    assert_snapshot!(said(r#""share": 70, "#, ""), @r#"
    shop.json:6:15: traffic.classes.easy: `share` is missing: of several classes each has one
        6 |       "easy": { "input": { "constant": 300 }, "output": { "uniform": { "min": 50, "max": 200 } } },
          |               ^
    "#);
}

#[test]
fn a_negative_sigma() {
    assert_snapshot!(said(r#""median": 900, "sigma": 0.7"#, r#""median": 900, "sigma": -0.7"#), @r#"
    shop.json:10:59: traffic.classes.hard.input.lognormal.sigma: sigma must be above 0 and finite, but is -0.7
       10 |         "input": { "lognormal": { "median": 900, "sigma": -0.7 } },
          |                                                           ^
    "#);
}

#[test]
fn a_median_of_no_time() {
    assert_snapshot!(said(r#""median": "800ms""#, r#""median": "0s""#), @r#"
    shop.json:20:46: providers.own.response.lognormal.median: median must be above 0 and finite, but is 0
       20 |       "response": { "lognormal": { "median": "0s", "sigma": 0.4, "shift": "200ms" } },
          |                                              ^
    "#);
}

#[test]
fn a_negative_constant() {
    assert_snapshot!(said(r#""constant": 300"#, r#""constant": -300"#), @r#"
    shop.json:6:53: traffic.classes.easy.input.constant: value must be at least 0 and finite, but is -300
        6 |       "easy": { "share": 70, "input": { "constant": -300 }, "output": { "uniform": { "min": 50, "max…
          |                                                     ^
    "#);
}

#[test]
fn an_empty_range() {
    assert_snapshot!(said(r#""min": 50, "max": 200"#, r#""min": 200, "max": 50"#), @r#"
    shop.json:6:92: traffic.classes.easy.output.uniform.min: min is 200, and must be below max, which is 50
        6 | …: { "share": 70, "input": { "constant": 300 }, "output": { "uniform": { "min": 200, "max": 50 } } },
          |                                                                                 ^
    "#);
}

#[test]
fn an_empty_range_of_time() {
    assert_snapshot!(said(r#"{ "lognormal": { "median": "800ms", "sigma": 0.4, "shift": "200ms" } }"#, r#"{ "uniform": { "min": "2s", "max": "1500ms" } }"#), @r#"
    shop.json:20:41: providers.own.response.uniform.min: min is 2s, and must be below max, which is 1.5s
       20 |       "response": { "uniform": { "min": "2s", "max": "1500ms" } },
          |                                         ^
    "#);
}

#[test]
fn a_gamma_shape_out_of_range() {
    assert_snapshot!(said(r#"{ "constant": 300 }"#, r#"{ "gamma": { "mean": 300, "shape": 0.001 } }"#), @r#"
    shop.json:6:74: traffic.classes.easy.input.gamma.shape: shape must be from 0.01 to 100000, but is 0.001
        6 | …{ "share": 70, "input": { "gamma": { "mean": 300, "shape": 0.001 } }, "output": { "uniform": { "min"…
          |                                                             ^
    "#);
}

#[test]
fn quantiles_that_do_not_rise() {
    assert_snapshot!(said(r#"{ "constant": 300 }"#, r#"{ "empirical": { "quantiles": [[0, 10], [0.5, 300], [0.4, 400], [1, 900]] } }"#), @r#"
    shop.json:6:91: traffic.classes.easy.input.empirical.quantiles[2]: a pair must have a higher share, and no lower a value, than the pair before it
        6 | …nput": { "empirical": { "quantiles": [[0, 10], [0.5, 300], [0.4, 400], [1, 900]] } }, "output": { "u…
          |                                                             ^
    "#);
}

#[test]
fn quantiles_that_begin_late() {
    assert_snapshot!(said(r#"{ "constant": 300 }"#, r#"{ "empirical": { "quantiles": [[0.1, 10], [1, 900]] } }"#), @r#"
    shop.json:6:69: traffic.classes.easy.input.empirical.quantiles: the first pair must be of share 0 and the last of share 1
        6 | …sy": { "share": 70, "input": { "empirical": { "quantiles": [[0.1, 10], [1, 900]] } }, "output": { "u…
          |                                                             ^
    "#);
}

#[test]
fn no_quantiles() {
    assert_snapshot!(said(r#"{ "constant": 300 }"#, r#"{ "empirical": { "quantiles": [] } }"#), @r#"
    shop.json:6:69: traffic.classes.easy.input.empirical.quantiles: the first pair must be of share 0 and the last of share 1
        6 | …sy": { "share": 70, "input": { "empirical": { "quantiles": [] } }, "output": { "uniform": { "min": 5…
          |                                                             ^
    "#);
}

#[test]
fn an_empty_mixture() {
    assert_snapshot!(said(r#"{ "constant": 300 }"#, r#"{ "mixture": { "components": [] } }"#), @r#"
    shop.json:6:68: traffic.classes.easy.input.mixture.components: a mixture needs a part with a weight above 0
        6 | …asy": { "share": 70, "input": { "mixture": { "components": [] } }, "output": { "uniform": { "min": 5…
          |                                                             ^
    "#);
}

#[test]
fn a_negative_weight_in_a_mixture() {
    assert_snapshot!(said(r#"{ "constant": 300 }"#, r#"{ "mixture": { "components": [{ "weight": -1, "law": { "constant": 300 } }] } }"#), @r#"
    shop.json:6:81: traffic.classes.easy.input.mixture.components[0].weight: a weight of -1: must be 0 or more
        6 | …e": 70, "input": { "mixture": { "components": [{ "weight": -1, "law": { "constant": 300 } }] } }, "o…
          |                                                             ^
    "#);
}

#[test]
fn a_bad_part_of_a_mixture() {
    assert_snapshot!(said(r#"{ "constant": 300 }"#, r#"{ "mixture": { "components": [{ "weight": 1, "law": { "exponential": { "mean": 0 } } }] } }"#), @r#"
    shop.json:6:118: traffic.classes.easy.input.mixture.components[0].law.exponential.mean: mean must be above 0 and finite, but is 0
        6 | …onents": [{ "weight": 1, "law": { "exponential": { "mean": 0 } } }] } }, "output": { "uniform": { "m…
          |                                                             ^
    "#);
}

#[test]
fn a_cv_out_of_range() {
    assert_snapshot!(said(r#"{ "poisson": { "rate": "5/s" } }"#, r#"{ "gamma": { "rate": "5/s", "cv": 40 } }"#), @r#"
    shop.json:4:51: traffic.arrivals.gamma.cv: cv is 40, and must lie between 0.05 and 4
        4 |     "arrivals": { "gamma": { "rate": "5/s", "cv": 40 } },
          |                                                   ^
    "#);
}

#[test]
fn a_sleep_too_short_to_poll() {
    assert_snapshot!(said(r#""queue": { "capacity": 1000, "max_wait": "20s" }"#, r#""poll": { "base": "10us" }"#), @r#"
    shop.json:34:38: client.admission.poll.base: base is 10us, and must be at least 1ms
       34 |     "admission": { "poll": { "base": "10us" } },
          |                                      ^
    "#);
}

#[test]
fn a_speed_at_which_nothing_ends() {
    assert_snapshot!(said(r#""model": "deepseek-v3.2""#, r#""model": "deepseek-v3.2", "tps": { "constant": 0 }"#), @r#"
    shop.json:17:49: providers.cheap.tps: at 0 tokens a second no answer ever ends: must be above 0
       17 |     "cheap": { "model": "deepseek-v3.2", "tps": { "constant": 0 }, "quality": { "easy": 0.94, "hard"…
          |                                                 ^
    "#);
}
