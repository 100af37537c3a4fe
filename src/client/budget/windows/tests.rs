//! Budgets step by step in virtual time, against what the gateways document.

use super::*;
use crate::client::budget::{Budget, Verdict};
use crate::form::build::Known;
use crate::words::{Ask, Ended, Outcome, Usage};

const PICO: u64 = 1_000_000_000_000;

/// The budgets of a client with three providers: a at $2 + $8 for a million tokens, b at $0.28 + $0.42, c at $1 + $1.
fn budgets(text: &str) -> Built<(Box<dyn Budget>, Vec<Alert>)> {
    let specs: Vec<BudgetSpec> = serde_json::from_str(text).unwrap();
    let known = [(2_000_000, 8_000_000), (280_000, 420_000), (1_000_000, 1_000_000)].map(|price| Known {
        price: Some(price),
        ..Known::default()
    });
    let providers = ["a", "b", "c"].map(str::to_owned);
    let names = Names {
        providers: &providers,
        known: &known,
        ..Names::default()
    };
    let built = build(&specs, &names)?;
    Ok((built.running.expect("at least one"), built.alerts))
}

fn at(seconds: u64) -> Time {
    Time::ZERO + Span::from_secs(seconds)
}

/// What happens, and what is said after it: at the way in, and of whom.
struct Step(u64, Option<(usize, u64, u32)>, Verdict, [bool; 3]);

fn check(text: &str, steps: &[Step]) -> Box<dyn Budget> {
    let (mut budget, _) = budgets(text).unwrap();
    for (i, Step(seconds, spent, verdict, barred)) in steps.iter().enumerate() {
        let now = at(*seconds);
        if let Some((provider, dollars, tokens)) = *spent {
            let mut ended = Ended::new(now, provider, Outcome::Success);
            ended.cost = dollars * PICO;
            ended.usage = Usage {
                input: tokens,
                ..Usage::default()
            };
            budget.spent(&ended);
        }
        assert_eq!(budget.offer(now, &Ask::default()), *verdict, "step {i}");
        let found = budget
            .barred(now, &Ask::default())
            .map_or(vec![false; 3], <[bool]>::to_vec);
        assert_eq!(found, barred, "step {i}");
    }
    budget
}

const NONE: [bool; 3] = [false; 3];
const ALL: [bool; 3] = [true; 3];

#[test]
fn a_spent_budget_rejects_until_its_window_ends() {
    use Verdict::{Pass, Reject};
    check(
        r#"[{ "per": "hour", "money": "$10" }]"#,
        &[
            Step(0, None, Pass, NONE),
            Step(10, Some((0, 9, 0)), Pass, NONE),
            // At the budget is over it, and what was in flight comes on top.
            Step(20, Some((1, 1, 0)), Reject, ALL),
            Step(30, Some((2, 5, 0)), Reject, ALL),
            Step(3599, None, Reject, ALL),
            // The next window has all of it again: nothing is carried on, neither way.
            Step(3600, None, Pass, NONE),
            Step(3700, Some((0, 9, 0)), Pass, NONE),
            // Windows in which nothing happens pass too.
            Step(4 * 3600 - 1, Some((0, 10, 0)), Reject, ALL),
            Step(4 * 3600, None, Pass, NONE),
        ],
    );
}

#[test]
fn tokens_count_like_money_and_the_first_to_be_spent_decides() {
    use Verdict::{Pass, Reject};
    check(
        r#"[{ "per": "day", "money": "$10", "tokens": 1000 }]"#,
        &[
            Step(0, Some((0, 1, 999)), Pass, NONE),
            Step(1, Some((0, 1, 1)), Reject, ALL),
            Step(86_400, None, Pass, NONE),
            Step(86_401, Some((0, 10, 0)), Reject, ALL),
        ],
    );
}

#[test]
fn a_queueing_budget_says_when_the_next_window_begins() {
    use Verdict::{Pass, Wait};
    check(
        r#"[{ "per": "hour", "money": "$10", "on_exhausted": "queue" }]"#,
        &[
            Step(10, Some((0, 10, 0)), Wait(at(3600)), NONE),
            Step(3599, None, Wait(at(3600)), NONE),
            Step(3600, None, Pass, NONE),
            Step(3700, Some((0, 10, 0)), Wait(at(7200)), NONE),
        ],
    );
}

#[test]
fn a_provider_s_budget_counts_and_bars_nobody_else() {
    use Verdict::Pass;
    check(
        r#"[{ "per": "day", "money": "$10", "providers": ["a", "c"] }]"#,
        &[
            Step(0, Some((1, 50, 0)), Pass, NONE),
            Step(1, Some((0, 5, 0)), Pass, NONE),
            Step(2, Some((2, 5, 0)), Pass, [true, false, true]),
            Step(86_400, None, Pass, NONE),
        ],
    );
}

#[test]
fn once_spent_only_the_cheapest_is_left() {
    use Verdict::Pass;
    let text = r#"[{ "per": "day", "money": "$100", "on_exhausted": "cheapest" }]"#;
    check(
        text,
        &[
            Step(0, Some((0, 99, 0)), Pass, NONE),
            Step(1, Some((0, 1, 0)), Pass, [true, false, true]),
            Step(2, Some((1, 50, 0)), Pass, [true, false, true]),
            Step(86_400, None, Pass, NONE),
        ],
    );
    let among = r#"[{ "per": "day", "money": "$100", "on_exhausted": "cheapest", "providers": ["a", "c"] }]"#;
    check(among, &[Step(1, Some((0, 100, 0)), Pass, [true, false, false])]);
}

#[test]
fn several_budgets_hold_at_once() {
    use Verdict::{Pass, Reject, Wait};
    check(
        r#"[{ "per": "hour", "money": "$10", "providers": ["a"] },
            { "per": "hour", "money": "$20", "on_exhausted": "cheapest" },
            { "per": "day", "money": "$30", "on_exhausted": "queue" },
            { "per": "month", "money": "$60" }]"#,
        &[
            Step(1, Some((0, 10, 0)), Pass, [true, false, false]),
            Step(2, Some((2, 10, 0)), Pass, [true, false, true]),
            Step(3, Some((1, 10, 0)), Wait(at(86_400)), [true, false, true]),
            // The hours are over, the day is not.
            Step(3600, None, Wait(at(86_400)), NONE),
            Step(86_400, None, Pass, NONE),
            Step(86_401, Some((2, 30, 0)), Reject, ALL),
        ],
    );
}

#[test]
fn a_share_is_passed_once_and_for_all_windows() {
    let text = r#"[{ "per": "hour", "money": "$10", "alerts": [0.5, "90%"] }, { "per": "day", "tokens": 100, "alerts": [1] }]"#;
    let budget = check(
        text,
        &[
            Step(1, Some((0, 4, 10)), Verdict::Pass, NONE),
            Step(3601, Some((0, 4, 10)), Verdict::Pass, NONE),
            Step(3602, Some((0, 1, 10)), Verdict::Pass, NONE),
            Step(3603, Some((0, 3, 10)), Verdict::Pass, NONE),
            Step(7201, Some((0, 9, 10)), Verdict::Pass, NONE),
        ],
    );
    // Four dollars in the first hour; five in the second, then eight; nine in the third.
    assert_eq!(budget.alerts(), [Some(at(3602)), Some(at(7201)), None]);
    let (_, alerts) = budgets(text).unwrap();
    let words: Vec<_> = alerts.iter().map(|a| (a.budget.as_str(), a.share)).collect();
    assert_eq!(
        words,
        [("$10 an hour", 0.5), ("$10 an hour", 0.9), ("100 tokens a day", 1.0)]
    );
}
