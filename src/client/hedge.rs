//! Hedging: a second copy of a request that takes long, sent elsewhere or again; the first answer wins (Dean and Barroso,
//! "The tail at scale", 2013).
//!
//! The copies that lose are called off and billed for what they had written by then.

mod fixed;
mod percentile;

pub use fixed::Fixed;
pub use percentile::Percentile;

use std::fmt;

use super::retry_budget::Leaky;
use crate::form::build::{Built, Names, Refusal};
use crate::form::own::Own;
use crate::form::registry::registry;
use crate::form::units::Fraction;
use crate::kernel::time::{Span, Time};
use crate::words::Ended;

/// A hedging rule, as it runs.
pub trait Hedge: fmt::Debug + Send + Sync {
    /// Called when a request of class `class` is sent at `now`, for the first time or again; returns after how
    /// long a copy may follow.
    fn wait(&mut self, now: Time, class: usize) -> Option<Span>;

    /// Whether to send one more copy now that the wait is over and no answer has come; `sent` copies have been sent of
    /// this try.
    fn fire(&mut self, now: Time, sent: u32) -> bool;

    /// Called when a copy of a request of class `class` has just been sent, `sent` of them so far; returns after
    /// how long yet another may follow.
    fn wait_again(&mut self, now: Time, class: usize, sent: u32) -> Option<Span>;

    /// Whether to send one more copy at once when one has failed while another is under way; `sent` have been sent.
    fn on_failure(&mut self, _now: Time, _sent: u32) -> bool {
        false
    }

    /// Called when an attempt has ended. Rules that learn listen.
    fn ended(&mut self, _ended: &Ended) {}

    /// The event that decides the race between copies.
    fn race(&self) -> Race;

    /// Whether a copy must go to another provider than those under way.
    fn elsewhere(&self) -> bool;

    /// The number of copies that the rule has denied for want of a budget.
    fn denied(&self) -> u64 {
        0
    }

    /// A copy in its initial state, for one replication.
    fn fresh(&self) -> Box<dyn Hedge>;
}

/// The event that decides the race between copies of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Race {
    /// The first token: the others are called off as soon as one has it, and none is sent after it.
    #[default]
    FirstToken,
    /// The end of the whole answer.
    Answer,
}

/// The parameters of a hedging rule, as the file gives them.
pub trait BuildHedge {
    /// Checks the parameters against the experiment's names and makes the rule.
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Hedge>>;
}

impl BuildHedge for Own {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Hedge>> {
        self.make("hedge", names)
    }
}

registry! {
    /// The hedging rule, by which further copies of a request are sent.
    pub enum HedgeSpec as BuildHedge, kind hedge in "hedge/" of Box<dyn Hedge> {
        fixed => Fixed,
        percentile => Percentile,
        own in "../form/own.rs" => Own,
    }
}

/// Refuses more copies than there is room for.
fn check_most(most: u32) -> Built<()> {
    if (1..=3).contains(&most) {
        return Ok(());
    }
    Err(Refusal::new(format!("most is {most}, and must lie between 1 and 3")).at("most"))
}

/// A bucket that allows copies for `share` of the tries of the last 10 s.
fn bounded(share: Fraction) -> Leaky {
    Leaky::new(Span::from_secs(10), 0, share)
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// The rule that `json` describes, over the classes x and y.
    pub(crate) fn hedge(json: &str) -> Box<dyn Hedge> {
        let spec: HedgeSpec = serde_json::from_str(json).unwrap();
        let names = ["x", "y"].map(String::from);
        let names = Names {
            classes: &names,
            ..Names::default()
        };
        spec.as_dyn().build(&names).unwrap()
    }
}
