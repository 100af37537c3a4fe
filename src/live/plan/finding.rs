//! The phases of a search for an endpoint's capacity, as planned: `crate::live::run` decides how far they go.

use std::time::Duration;

/// The phases that look for an endpoint's capacity.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The probes at once of each closed loop, rising; the place is the step.
    pub levels: Vec<u64>,
    /// The phase that goes beyond, if a quota is looked for.
    pub beyond: Option<Beyond>,
}

/// The phase that goes beyond what an endpoint takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Beyond {
    /// The step of its probes.
    pub step: u32,
    /// How long it lasts.
    pub lasts: Duration,
    /// The most refusals in it.
    pub refusals: u64,
}

impl Beyond {
    /// How long no probe is sent after a refusal, so that the refusals last as long as the phase.
    pub fn gap(&self) -> Duration {
        self.lasts.div_f64(self.refusals.max(1) as f64)
    }
}

/// How many windows of a quota the phase beyond it lasts: two that are spent, and the rest of the one in which it begins.
pub(super) const WINDOWS: f64 = 2.5;

/// The most probes of the phase beyond, a second.
pub(super) const MOST_BEYOND: f64 = 40.0;

/// The probes of a closed loop with so many at once that looks for slots: enough for a mean, and for all to have waited.
pub(super) fn of_level(at_once: u64) -> usize {
    24.max(5 * at_once as usize)
}
