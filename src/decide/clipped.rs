//! What was cut off when it was drawn, because numbers end there.

use crate::engine::scenario::Scenario;
use crate::engine::tally::Tally;
use crate::report::format;

/// What to say of a policy by the sum of its replications, if a length or a time of a request was cut off.
pub(super) fn warning(scenario: &Scenario, pooled: &Tally) -> Option<String> {
    let clipped = pooled.clipped;
    (clipped > 0).then(|| {
        format!(
            "{}: {} lengths or times were cut off at 2^32 − 1 tokens or 584 years, where numbers end: figures that they enter, \
             above all costs and means, say nothing",
            scenario.name,
            format::count(clipped)
        )
    })
}
