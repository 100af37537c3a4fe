//! A run that its budget shut off: what it says first.
//!
//! It has not settled, whatever its queues do: everything after the budget was spent is a part of a window that the run does not
//! see the end of. A run that counts whole windows has seen both parts, and is none.

use super::month::{clock, covers};
use crate::engine::scenario::Scenario;
use crate::engine::tally::Tally;
use crate::report::{Unit, format};
use crate::words::Outcome;

/// What became of the run, by the sum of its replications, if a budget was spent when half of them or more ended, and they do
/// not count whole windows of it: of several, the one that was spent first.
pub(super) fn sentence(scenario: &Scenario, pooled: &Tally, replications: usize) -> Option<String> {
    let counted = scenario.window.counted();
    let allowances = scenario.client.allowances.iter().zip(&pooled.budgets);
    let shut = allowances.filter(|(allowance, tally)| {
        // Of a budget for each identity, some have spent it and others go on.
        allowance.each.is_none()
            && tally.shut > 0
            && 2 * tally.shut >= replications as u64
            && !covers(counted, allowance.window)
    });
    let after = |tally: &crate::engine::tally::BudgetTally| tally.time as f64 / 1e9 / tally.spent as f64;
    let (allowance, tally) = shut.min_by(|(_, a), (_, b)| after(a).total_cmp(&after(b)))?;
    let refused = pooled.ended(Outcome::BudgetExhausted);
    let effect = match (refused, pooled.requests()) {
        (1.., all) => {
            let share = format::tick(Unit::Share, refused as f64 / all as f64);
            format!("{share} of all requests were refused for it")
        }
        _ => "what follows is not the course of a whole window".to_owned(),
    };
    Some(format!(
        "its budget of {} was spent after {}, and the run ends before there is money again: {effect}",
        allowance.budget,
        clock(after(tally)),
    ))
}
