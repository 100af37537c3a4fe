//! What did nothing in a run: traffic of which nothing came, a policy that sent nothing, a hedge that never fired.

use crate::engine::scenario::Scenario;
use crate::engine::tally::Tally;
use crate::experiment::assemble::Plan;
use crate::report::format;
use crate::words::Outcome;

use super::passes::Pooled;

/// That no request came under any policy; `all` are the sums of their replications.
pub(super) fn nothing_came(plan: &Plan, all: &[Pooled]) -> Option<String> {
    let counted = plan.scenarios.first()?.window.counted();
    let is_so = !all.is_empty() && all.iter().all(|pooled| pooled.tally.requests() == 0);
    is_so.then(|| {
        format!(
            "no request came in the {} that are counted: there is nothing to judge, and no figure says anything of this traffic",
            format::span(counted.seconds())
        )
    })
}

/// What to say of a policy by the sum of its replications, if something that was to act never did.
pub(super) fn warning(scenario: &Scenario, pooled: &Tally) -> Option<String> {
    let name = &scenario.name;
    if pooled.requests() == 0 {
        return None;
    }
    if pooled.attempts() == 0 {
        let most = Outcome::ALL.into_iter().max_by_key(|&o| pooled.ended(o))?;
        return Some(format!(
            "{name}: not one attempt was made: every request failed before it could be sent, most as `{}`",
            most.name()
        ));
    }
    let effort = &pooled.effort;
    if scenario.client.hedge.is_none() || effort.hedges > 0 {
        None
    } else if effort.hedges_planned == 0 {
        Some(format!(
            "{name}: the hedge never fired: no class ever had `min_samples` observations within its `window`"
        ))
    } else if effort.hedges_stranded > 0 {
        Some(format!(
            "{name}: the hedge never fired: when a copy was due, the policy had no provider to send it to \
             (with `elsewhere`, none but those under way)"
        ))
    } else {
        None
    }
}
