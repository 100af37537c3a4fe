//! What a fit's picture is drawn of and its figures do not hold: single requests, and how those of each step of load ended.

use crate::calibrate::log::{Observation, Stage};
use crate::words::Outcome;

/// What stands behind a fit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    /// Pairs (input tokens that were not cached, TTFT in seconds) of the requests that were fitted.
    pub inputs: Vec<(f64, f64)>,
    /// How the requests of each step ended, in the order of the report's steps.
    pub ends: Vec<Ends>,
}

/// How the requests of a step ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// Requests sent, those that the client itself called off left out.
    pub sent: u64,
    /// Refused by a quota (429).
    pub refused: u64,
    /// Failed in another way.
    pub failed: u64,
}

impl Ends {
    /// Of single requests.
    pub(super) fn of_step(observations: &[&Observation]) -> Ends {
        let many = |is: fn(Outcome) -> bool| observations.iter().filter(|o| is(o.outcome)).count() as u64;
        let refused = many(|o| o == Outcome::RateLimited);
        let sent = many(|o| o != Outcome::Cancelled);
        Ends {
            sent,
            refused,
            failed: sent - refused - many(|o| o == Outcome::Success),
        }
    }

    /// Of a summary, which does not say how its failures failed.
    pub(super) fn of_stage(stage: &Stage) -> Ends {
        Ends {
            sent: stage.successes + stage.failures,
            refused: 0,
            failed: stage.failures,
        }
    }
}
