//! What the gateway's response cache did: hits, what they saved, how many were wrong and how old.
//!
//! A hit saves what the request cost that its answer was first given to. Capacity that is reserved costs the same with a cache, so none
//! of it is saved; what a cache does to load, and load to latency, is in the other figures of the policy.

use crate::client::response_cache::Mode;
use crate::engine::scenario::Scenario;
use crate::engine::tally::{ClassTally, Tally};
use crate::kernel::time::Span;
use crate::report::{AgeReport, CacheReport};

use super::figures::{MONTH_DAYS, PICO};
use super::month::Month;
use super::passes::{Each, Figure};

/// What the response caches of `scenario` did in the replications whose sum is `pooled`; nothing if it has none.
pub(super) fn response_cache(
    scenario: &Scenario,
    pooled: &Tally,
    month: &Month,
    each: Each<'_>,
) -> Option<CacheReport> {
    let caches = &scenario.client.response_caches.of;
    if caches.is_empty() {
        return None;
    }
    let is_semantic = caches.iter().any(|cache| cache.mode == Mode::Semantic);
    let ages = pooled.ages.as_ref().filter(|ages| ages.count() > 0);
    let seconds = |span: Option<Span>| span.map_or(0.0, Span::seconds);
    Some(CacheReport {
        hits: each(&|t| Figure::Share(hits(t), t.requests() as f64)),
        saved_per_month: each(&|t| match month.is_figure() {
            false => Figure::Each(None),
            true => {
                let saved = sum(t, |class| class.saved) / PICO;
                Figure::Ratio(saved * MONTH_DAYS * 86_400.0, t.counted as f64 / 1e9)
            }
        }),
        wrong: is_semantic.then(|| each(&|t| Figure::Share(sum(t, |class| u128::from(class.wrong)), hits(t)))),
        age: ages.map(|ages| AgeReport {
            mean: each(&|t| {
                let (sum, count) = t.ages.as_ref().map_or((0, 0), |ages| (ages.sum(), ages.count()));
                Figure::Ratio(sum as f64 / 1e9, count as f64)
            }),
            p50: seconds(ages.quantile(0.5)),
            p95: seconds(ages.quantile(0.95)),
            max: seconds(ages.max()),
        }),
    })
}

fn sum(tally: &Tally, of: impl Fn(&ClassTally) -> u128) -> f64 {
    tally.classes.iter().map(of).sum::<u128>() as f64
}

fn hits(tally: &Tally) -> f64 {
    sum(tally, |class| u128::from(class.hits))
}
