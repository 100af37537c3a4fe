//! What limits for each identity did: shares over replications, and the identities that were turned away most.

use crate::engine::scenario::Scenario;
use crate::engine::tally::{Counts, Tally};
use crate::report::{IdentityReport, IdentityRow};
use crate::stats::sorting;

use super::passes::{Each, Figure};

/// The most identities that a report names for one limit.
const MOST: usize = 10;

/// The reports of a policy whose replications add up to `pooled`.
pub(super) fn identities(scenario: &Scenario, pooled: &Tally, each: Each<'_>) -> Vec<IdentityReport> {
    let rules = scenario.client.rules.all.iter().zip(&pooled.identities).enumerate();
    rules
        .map(|(i, (rule, of))| {
            let mut worst: Vec<&Counts> = of.worst.iter().collect();
            sorting::by_key(&mut worst, |of| (std::cmp::Reverse(of.refused), of.identity));
            let row = |of: &&Counts| IdentityRow {
                name: rule.whose.name(of.identity),
                asked: of.asked,
                refused: of.refused,
            };
            IdentityReport {
                place: rule.place.clone(),
                what: rule.what.clone(),
                refused: each(&|t| Figure::Share(t.identities[i].refused as f64, t.identities[i].asked as f64)),
                identities: each(&|t| Figure::Each(Some(t.identities[i].identities as f64))),
                limited: each(&|t| Figure::Each(Some(t.identities[i].limited as f64))),
                worst: worst.iter().take(MOST).map(row).collect(),
            }
        })
        .collect()
}
