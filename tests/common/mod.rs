//! Running experiments from their text, for tests that look at what came out.

pub(crate) mod checks;
pub(crate) mod command;
pub(crate) mod experiments;
pub(crate) mod parts;
pub(crate) mod script;
pub(crate) mod traces;

use simcap::engine::run::{Control, run};
use simcap::engine::scenario::Scenario;
use simcap::engine::tally::Tally;
use simcap::experiment::assemble::{Plan, assemble};
use simcap::experiment::load::from_text;
use simcap::stats::interval::{Confidence, Estimate};

/// The checked form of an experiment.
pub(crate) fn plan(text: &str) -> Plan {
    let loaded = from_text("test.json", text).unwrap_or_else(|e| panic!("{e}"));
    assemble(&loaded).unwrap_or_else(|e| panic!("{e}"))
}

/// The replications of one scenario.
pub(crate) fn replications(scenario: &Scenario, seed: u64, n: u64) -> Vec<Tally> {
    (0..n)
        .map(|r| run(scenario, seed, r, &Control::default()).expect("nobody stopped it"))
        .collect()
}

/// The 99 % interval of a figure over replications.
pub(crate) fn interval(tallies: &[Tally], figure: impl Fn(&Tally) -> f64) -> Estimate {
    Estimate::of_replications(tallies.iter().map(|t| Some(figure(t))), Confidence::P99)
}

/// Asserts that the closed form lies in the run's own 99 % interval, and that the interval is narrow enough to mean
/// something.
pub(crate) fn assert_holds(what: &str, estimate: &Estimate, theory: f64, narrow: f64) {
    let (lo, hi) = (estimate.lo.expect("an interval"), estimate.hi.expect("an interval"));
    assert!(
        lo <= theory && theory <= hi,
        "{what}: theory {theory}, simulated {lo} to {hi}"
    );
    assert!(
        (hi - lo) / 2.0 <= narrow * theory,
        "{what}: {lo} to {hi} is too wide to tell anything"
    );
}
