//! Data that a fit's charts need beyond its figures: single requests, and how the requests of each step of load ended.

use super::errors::standing_for;
use crate::calibrate::log::{Observation, Stage, Totals};
use crate::words::Outcome;

/// The data behind the charts of a fit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    /// Pairs (uncached input tokens, TTFT in seconds) of the requests that were fitted.
    pub inputs: Vec<(f64, f64)>,
    /// How the requests of each step ended, in the order of the report's steps.
    pub ends: Vec<Ends>,
}

/// The outcomes of the requests of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// Requests sent, without those that the client itself called off.
    pub sent: u64,
    /// Requests refused by a quota (429).
    pub refused: u64,
    /// Requests that failed in another way.
    pub failed: u64,
}

impl Ends {
    /// Counts the outcomes of single requests, of which there may be a sample alone.
    pub(super) fn of_step(observations: &[&Observation], totals: &[Totals]) -> Ends {
        let standing_for = standing_for(observations, totals);
        let many = |is: fn(Outcome) -> bool| {
            let these = observations.iter().zip(&standing_for).filter(|(o, _)| is(o.outcome));
            these.map(|(_, many)| many).sum::<f64>().round() as u64
        };
        let refused = many(|o| o == Outcome::RateLimited);
        let sent = many(|o| o != Outcome::Cancelled);
        Ends {
            sent,
            refused,
            failed: sent - refused - many(|o| o == Outcome::Success),
        }
    }

    /// Counts the outcomes of a summary, which does not distinguish kinds of failure.
    pub(super) fn of_stage(stage: &Stage) -> Ends {
        Ends {
            sent: stage.successes + stage.failures,
            refused: 0,
            failed: stage.failures,
        }
    }
}
