//! Tests of what each kind of limit guarantees for any arrival pattern: never more than its bound, and the bound under
//! pressure.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Limit, LimitSpec};
use crate::kernel::time::Time;
use crate::words::Ask;

/// A limit that counts input tokens.
fn build(spec: Value) -> Box<dyn Limit> {
    let spec: LimitSpec = serde_json::from_value(spec).unwrap();
    spec.as_dyn()
        .build_all(&crate::form::build::Names::default())
        .unwrap()
        .remove(0)
}

fn ask(input: u32) -> Ask {
    Ask {
        input,
        ..Ask::default()
    }
}

/// What passes of arrivals of so many tokens, each so long after the one before: when, and how many.
fn admitted(limit: &mut dyn Limit, arrivals: &[(u64, u32)]) -> Vec<(u64, u64)> {
    let mut now = Time::ZERO;
    let mut passed = Vec::new();
    for &(gap, tokens) in arrivals {
        now = Time::from_nanos(now.nanos() + gap);
        if limit.ready_at(now, &ask(tokens)) == now {
            limit.charge(now, &ask(tokens));
            passed.push((now.nanos(), u64::from(tokens)));
        }
    }
    passed
}

/// Asserts that what passed from any one admission to any later one, both included, is within `bound` of their two times.
fn holds(passed: &[(u64, u64)], bound: impl Fn(u64, u64) -> u64) -> Result<(), TestCaseError> {
    for (i, &(from, _)) in passed.iter().enumerate() {
        let mut sum = 0;
        for &(to, tokens) in &passed[i..] {
            sum += tokens;
            prop_assert!(sum <= bound(from, to), "{} from {} to {}", sum, from, to);
        }
    }
    Ok(())
}

const MS: u64 = 1_000_000;

/// Gaps of nothing, of less than a window and of several, on no grid.
fn arrivals() -> impl Strategy<Value = Vec<(u64, u32)>> {
    let gap = prop_oneof![Just(0), 1..300 * MS, 1..20_000 * MS];
    prop::collection::vec((gap, 1_u32..6), 1..150)
}

/// Every kind, with its limit, window and slice in milliseconds.
fn every_kind(limit: u64, window: u64) -> [Value; 6] {
    let of = |ms: u64| format!("{ms}ms");
    let (unit, slices) = ("input_tokens", 4);
    [
        json!({ "token_bucket": { "unit": unit, "rate": format!("{limit}/{window}ms"), "burst": limit } }),
        json!({ "fixed_window": { "unit": unit, "limit": limit, "window": of(window) } }),
        json!({ "sliding_log": { "unit": unit, "limit": limit, "window": of(window) } }),
        json!({ "gcra": { "unit": unit, "limit": limit, "window": of(window) } }),
        json!({ "slices": { "unit": unit, "limit": limit, "window": of(slices * window), "slice": of(window) } }),
        json!({ "sliding_counter": { "unit": unit, "limit": limit, "window": of(window) } }),
    ]
}

proptest! {
    #[test]
    fn a_bucket_stays_under_its_line(arrivals in arrivals(), limit in 5_u64..40, ms in 100_u64..9000) {
        let [bucket, ..] = every_kind(limit, ms);
        let passed = admitted(&mut *build(bucket), &arrivals);
        holds(&passed, |from, to| limit + (to - from) * limit / (ms * MS))?;
    }

    #[test]
    fn gcra_stays_under_its_line(arrivals in arrivals(), limit in 5_u64..40, ms in 100_u64..9000) {
        let [_, _, _, gcra, ..] = every_kind(limit, ms);
        let passed = admitted(&mut *build(gcra), &arrivals);
        // One each interval, which is rounded down to the nanosecond.
        holds(&passed, |from, to| limit + (to - from) / (ms * MS / limit))?;
    }

    #[test]
    fn a_fixed_window_holds_in_each_of_its_own(arrivals in arrivals(), limit in 5_u64..40, ms in 100_u64..9000) {
        let [_, window, ..] = every_kind(limit, ms);
        let passed = admitted(&mut *build(window), &arrivals);
        let windows = |from: u64, to: u64| to / (ms * MS) - from / (ms * MS) + 1;
        holds(&passed, |from, to| limit * windows(from, to))?;
    }

    #[test]
    fn a_sliding_log_holds_in_any_window(arrivals in arrivals(), limit in 5_u64..40, ms in 100_u64..9000) {
        let [_, _, log, ..] = every_kind(limit, ms);
        let passed = admitted(&mut *build(log), &arrivals);
        holds(&passed, |from, to| limit * ((to - from) / (ms * MS) + 1))?;
    }

    /// The estimate forgives bursts, but never counts less than what its own window has seen.
    #[test]
    fn a_sliding_counter_holds_in_each_of_its_own(arrivals in arrivals(), limit in 5_u64..40, ms in 100_u64..9000) {
        let [.., counter] = every_kind(limit, ms);
        let passed = admitted(&mut *build(counter), &arrivals);
        holds(&passed, |from, to| limit * (to / (ms * MS) - from / (ms * MS) + 1))?;
    }

    #[test]
    fn slices_hold_in_each_slice_and_each_window(arrivals in arrivals(), limit in 20_u64..60, ms in 100_u64..9000) {
        let [_, _, _, _, slices, _] = every_kind(limit, ms);
        let passed = admitted(&mut *build(slices), &arrivals);
        let spans = |of: u64, from: u64, to: u64| to / of - from / of + 1;
        holds(&passed, |from, to| {
            let by_slice = limit.div_ceil(4) * spans(ms * MS, from, to);
            by_slice.min(limit * spans(4 * ms * MS, from, to))
        })?;
    }

    /// A refused request that comes back when it is told passes if no request came before it, and a nanosecond earlier it would
    /// not have.
    #[test]
    fn what_a_refusal_says_is_true_to_the_nanosecond(
        arrivals in arrivals(), limit in 20_u64..60, ms in 100_u64..9000, kind in 0..6_usize, tokens in 1_u32..6,
    ) {
        let mut limit = build(every_kind(limit, ms)[kind].clone());
        admitted(&mut *limit, &arrivals);
        let now = Time::from_nanos(arrivals.iter().map(|a| a.0).sum());
        let ready = limit.ready_at(now, &ask(tokens));
        prop_assert_ne!(ready, Time::NEVER);
        if ready > now {
            let just_before = Time::from_nanos(ready.nanos() - 1);
            prop_assert_eq!(limit.ready_at(just_before, &ask(tokens)), ready);
            prop_assert_eq!(limit.ready_at(ready, &ask(tokens)), ready);
        }
    }

    /// Twenty windows of far more than the limit: all of it passes, in each of them.
    #[test]
    fn pressed_hard_it_gives_all_it_has(limit in 5_u64..40, ms in 100_u64..9000, kind in 0..5_usize) {
        let mut running = build(every_kind(limit, ms)[kind].clone());
        let per_window = 10 * limit;
        let arrivals = vec![(ms * MS / per_window, 1); (20 * per_window) as usize];
        let passed: u64 = admitted(&mut *running, &arrivals).iter().map(|p| p.1).sum();
        let expected = match kind {
            // A burst, and the rate for twenty windows.
            0 | 3 => 21 * limit,
            1 | 2 => 20 * limit,
            // Five windows of four slices.
            _ => 5 * limit,
        };
        // The grid of arrivals is a tenth of an interval, so at most a few are missed or come in the last instant.
        prop_assert!(passed + 5 >= expected, "{} of {}", passed, expected);
        prop_assert!(passed <= expected + 5, "{} of {}", passed, expected);
    }
}
