//! The bill of a policy by class and by provider, each of which adds up to all that is billed.
//!
//! Reserved capacity and mirrored copies belong to no class, and have rows of their own among the classes; judging answers belongs to
//! no provider, and has one among the providers.

use super::figures::{MONTH_DAYS, PICO};
use super::month::Month;
use super::passes::{Each, Figure};
use crate::engine::scenario::Scenario;
use crate::engine::tally::Tally;
use crate::report::{Bill, BillRow, Billed};

/// Pico-dollars of a part of the bill: for attempts, and for capacity that is reserved.
type Part = (u128, u128);

/// The bill of `scenario`; `pooled` says which rows have anything in them.
pub(super) fn bill(scenario: &Scenario, pooled: &Tally, month: &Month, each: Each<'_>) -> Bill {
    if pooled.cost() == 0 {
        return Bill::default();
    }
    let row = |what, name: Option<&str>, part: &dyn Fn(&Tally) -> Part| {
        let (attempts, standing) = part(pooled);
        (attempts + standing > 0).then(|| BillRow {
            what,
            name: name.map(str::to_owned),
            share: each(&|t| {
                let (attempts, standing) = part(t);
                Figure::Portion((attempts + standing) as f64, t.cost() as f64)
            }),
            cost_per_month: each(&|t| {
                let (attempts, standing) = part(t);
                let Some(factor) = month.attempts() else {
                    return Figure::Each(None);
                };
                let cost = (attempts as f64 * factor + standing as f64) / PICO;
                Figure::Ratio(cost * MONTH_DAYS * 86_400.0, t.counted as f64 / 1e9)
            }),
        })
    };
    let classes = scenario.traffic.classes.iter().enumerate();
    let by_class = classes.filter_map(|(i, class)| row(Billed::Class, Some(&class.name), &|t| (t.classes[i].cost, 0)));
    let reserved = row(Billed::Reserved, None, &|t| {
        (0, t.providers.iter().map(|p| p.reserved).sum())
    });
    let mirrored = row(Billed::Mirrored, None, &|t| (t.mirrored, 0));
    let by_class = by_class.chain(reserved).chain(mirrored).collect();
    let providers = scenario.fleet.iter().enumerate();
    let by_provider = providers.filter_map(|(i, deployment)| {
        let part = |t: &Tally| (t.providers[i].cost, t.providers[i].reserved);
        row(Billed::Provider, Some(&deployment.provider.name), &part)
    });
    let judging = row(Billed::Judging, None, &|t| (t.judging, 0));
    Bill {
        by_class,
        by_provider: by_provider.chain(judging).collect(),
    }
}
