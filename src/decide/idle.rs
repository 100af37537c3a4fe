//! What did nothing in a run: a policy that sent nothing, a hedge that never fired.

use crate::engine::scenario::Scenario;
use crate::engine::tally::Tally;
use crate::words::Outcome;

/// What to say of a policy by its `runs`, if something that was to act never did.
pub(super) fn warning(scenario: &Scenario, runs: &[&Tally]) -> Option<String> {
    let sum = |of: &dyn Fn(&Tally) -> u64| runs.iter().map(|t| of(t)).sum::<u64>();
    let name = &scenario.name;
    if sum(&|t| t.requests()) == 0 {
        return None;
    }
    if sum(&|t| t.attempts()) == 0 {
        let ended = |o: Outcome| sum(&|t| t.ended(o));
        let most = Outcome::ALL.into_iter().max_by_key(|&o| ended(o))?;
        return Some(format!(
            "{name}: not one attempt was made: every request failed before it could be sent, most as `{}`",
            most.name()
        ));
    }
    let planned = sum(&|t| t.effort.hedges_planned);
    let stranded = sum(&|t| t.effort.hedges_stranded);
    if scenario.client.hedge.is_none() || sum(&|t| t.effort.hedges) > 0 {
        None
    } else if planned == 0 {
        Some(format!(
            "{name}: the hedge never fired: no class ever had `min_samples` observations within its `window`"
        ))
    } else if stranded > 0 {
        Some(format!(
            "{name}: the hedge never fired: when a copy was due, the policy had no provider to send it to \
             (with `elsewhere`, none but those under way)"
        ))
    } else {
        None
    }
}
