//! How much of each quota was used over the counted time, the most used first.
//!
//! What was charged to it, or the time of all that it let in at once, over what it has room for in the long run; a burst may take the
//! share beyond that for a while. Left out: quotas that nothing was charged to, and those of a program's own that do not say what they have room for.

use crate::engine::scenario::Scenario;
use crate::engine::tally::Tally;
use crate::kernel::time::Time;
use crate::provider::limits::{Limit, Unit};
use crate::report::{QuotaReport, format};
use crate::stats::sorting;

use super::passes::{Each, Figure};

/// The use of every quota of `scenario`.
pub(super) fn quotas(scenario: &Scenario, pooled: &Tally, each: Each<'_>) -> Vec<QuotaReport> {
    let own = scenario.fleet.iter().flat_map(|of| {
        let provider = &of.provider;
        provider.limits.iter().map(|limit| (Some(&provider.name), None, limit))
    });
    let shared = scenario.accounts.iter();
    let shared = shared.flat_map(|of| of.limits.iter().map(|limit| (None, Some(&of.name), limit)));
    let mut all: Vec<QuotaReport> = (own.chain(shared).zip(&pooled.used).enumerate())
        .filter(|(_, (_, used))| **used > 0)
        .filter_map(|(i, ((provider, account, limit), _))| {
            let most = limit.most(scenario.window.counted())?;
            Some(QuotaReport {
                provider: provider.cloned(),
                account: account.cloned(),
                quota: words(limit.as_ref()),
                used: each(&|t| Figure::Portion(t.used[i] as f64, most as f64)),
            })
        })
        .collect();
    sorting::by(&mut all, |a, b| b.used.value.total_cmp(&a.used.value));
    all
}

/// "12,000 input tokens a minute", "5 requests at once".
fn words(limit: &dyn Limit) -> String {
    let unit = limit.unit();
    let per_minute = limit.per_minute().map(|rate| (rate, "a minute".to_owned()));
    let window = || {
        limit
            .window()
            .map(|(most, over)| (most, format!("in {}", format::span(over.seconds()))))
    };
    let at_once = || limit.full(Time::ZERO).and_then(|full| full.limit);
    match (unit, per_minute.or_else(window)) {
        (Unit::Concurrent, _) => format!("{} {}", at_once().map(format::count).unwrap_or_default(), unit.words()),
        (_, Some((most, over))) => format!("{} {} {over}", format::count(most), unit.words()),
        (_, None) => unit.words().to_owned(),
    }
}
