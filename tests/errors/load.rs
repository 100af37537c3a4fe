//! Loads, caches and prompt speeds that make no sense.

use insta::assert_snapshot;

use super::said;

/// What is said of the provider with `response` after it got these fields too.
#[track_caller]
fn said_of_own(fields: &str) -> String {
    said(r#""network": "20ms""#, &format!(r#""network": "20ms", {fields}"#))
}

#[test]
fn a_prompt_speed_beside_a_whole_answer() {
    assert_snapshot!(said_of_own(r#""prefill": 9000"#), @r#"
    shop.json:21:37: providers.own.prefill: `prefill` beside `response`: give one or the other
       21 |       "network": "20ms", "prefill": 9000,
          |                                     ^
    "#);
}

#[test]
fn a_prompt_speed_of_nothing() {
    assert_snapshot!(said(r#""connections": 50"#, r#""prefill": 0"#), @r#"
    shop.json:18:56: providers.dear.prefill: 0 tokens a second: must be above 0
       18 |     "dear": { "model": "claude-sonnet-4.5", "prefill": 0 },
          |                                                        ^
    "#);
}

#[test]
fn a_token_ceiling_beside_a_whole_answer() {
    assert_snapshot!(said_of_own(r#""load": [ { "throughput": { "tokens": "900/s" } } ]"#), @r#"
    shop.json:21:52: providers.own.load[0].throughput: `throughput` beside `response`: an answer that comes whole has no decode speed
       21 |       "network": "20ms", "load": [ { "throughput": { "tokens": "900/s" } } ],
          |                                                    ^
    "#);
}

#[test]
fn more_slots_than_there_can_be() {
    assert_snapshot!(said_of_own(r#""load": [ { "slots": { "servers": "2M" } } ]"#), @r#"
    shop.json:21:60: providers.own.load[0].slots.servers: 2000000 slots: at most 1000000
       21 |       "network": "20ms", "load": [ { "slots": { "servers": "2M" } } ],
          |                                                            ^
    "#);
}

#[test]
fn an_unknown_load() {
    assert_snapshot!(said_of_own(r#""load": [ { "slot": { "servers": 2 } } ]"#), @r#"
    shop.json:21:38: providers.own.load[0].slot: unknown name `slot`
       21 |       "network": "20ms", "load": [ { "slot": { "servers": 2 } } ],
          |                                      ^
       help: did you mean `slots`?
       allowed: slots, batching, throughput, cold_start, own
    "#);
}

#[test]
fn a_batch_without_factors() {
    assert_snapshot!(said_of_own(r#""load": [ { "batching": { "step": [] } } ]"#), @r#"
    shop.json:21:60: providers.own.load[0].batching.step: no pairs: give at least one, like [1, 1]
       21 |       "network": "20ms", "load": [ { "batching": { "step": [] } } ],
          |                                                            ^
    "#);
}

#[test]
fn a_batch_that_shrinks() {
    assert_snapshot!(said_of_own(r#""load": [ { "batching": { "step": [[8, 2], [1, 1]] } } ]"#), @r#"
    shop.json:21:69: providers.own.load[0].batching.step[1]: 1 in service after 8: must be more from pair to pair
       21 |       "network": "20ms", "load": [ { "batching": { "step": [[8, 2], [1, 1]] } } ],
          |                                                                     ^
    "#);
}

#[test]
fn a_batch_that_takes_no_time() {
    assert_snapshot!(said_of_own(r#""load": [ { "batching": { "step": [[1, 1]], "ttft": [[1, 0]] } } ]"#), @r#"
    shop.json:21:79: providers.own.load[0].batching.ttft[0]: a factor of 0: must be above 0 and at most 1000000
       21 |       "network": "20ms", "load": [ { "batching": { "step": [[1, 1]], "ttft": [[1, 0]] } } ],
          |                                                                               ^
    "#);
}

#[test]
fn a_start_without_a_law() {
    assert_snapshot!(said_of_own(r#""load": [ { "cold_start": { "idle": "1m", "extra": { "exponential": { "mean": "0s" } } } } ]"#), @r#"
    shop.json:21:104: providers.own.load[0].cold_start.extra.exponential.mean: mean must be above 0 and finite, but is 0
       21 | …20ms", "load": [ { "cold_start": { "idle": "1m", "extra": { "exponential": { "mean": "0s" } } } } ],
          |                                                                                       ^
    "#);
}

#[test]
fn a_cache_that_slows_down() {
    assert_snapshot!(said_of_own(r#""prompt_cache": { "random": { "hit": 0.5, "share": 1, "ttft": 1.5 } }"#), @r#"
    shop.json:21:88: providers.own.prompt_cache.random.ttft: a factor of 1.5: must be above 0 and at most 1
       21 |       "network": "20ms", "prompt_cache": { "random": { "hit": 0.5, "share": 1, "ttft": 1.5 } },
          |                                                                                        ^
    "#);
}
