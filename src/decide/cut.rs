//! Conversations and agent runs that the end of the run cut off: the long ones more often than the short.

use crate::engine::scenario::Scenario;
use crate::engine::tally::{DialogueTally, Tally};
use crate::report::format;

/// A smaller share of those that began is not told.
const NOTABLE: f64 = 0.01;

/// What to say of a policy by the sum of its replications, if more than a few were cut off.
pub(super) fn warning(scenario: &Scenario, pooled: &Tally) -> Option<String> {
    let dialogues = || pooled.classes.iter().filter_map(|class| class.dialogues.as_ref());
    let cut: u64 = dialogues().map(|d| d.cut).sum();
    let begun: u64 = dialogues().map(DialogueTally::begun).sum();
    let share = cut as f64 / begun.max(1) as f64;
    (share > NOTABLE).then(|| {
        format!(
            "{}: {} of the conversations and agent runs were under way when the run ended, the long ones above all: their true times, \
             failures, turns and cost are higher than those shown, and so may the bill be. A longer `plan.duration` mends it",
            scenario.name,
            format::share(share)
        )
    })
}
