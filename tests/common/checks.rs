//! What must hold of the tally of any replication without warm-up: nothing is lost, nothing is counted twice.

use proptest::prelude::*;
use simcap::engine::scenario::Scenario;
use simcap::engine::tally::Tally;
use simcap::words::{BoundKind, Outcome};

/// Everything below; `tries` is the most attempts that a request may make.
pub(crate) fn all_hold(tally: &Tally, scenario: &Scenario, tries: u64) -> Result<(), TestCaseError> {
    nothing_is_lost(tally)?;
    attempts_fit_requests(tally, scenario, tries)?;
    sums_agree(tally, scenario)?;
    identities_add_up(tally)?;
    bounds_are_kept(tally, scenario)
}

/// What limits for each identity turned away was asked, is in the counts of the identities, and ended as such.
fn identities_add_up(tally: &Tally) -> Result<(), TestCaseError> {
    for rule in &tally.identities {
        prop_assert!(rule.refused <= rule.asked && rule.asked <= tally.requests());
        prop_assert!(rule.limited <= rule.identities);
        prop_assert_eq!(rule.worst.iter().map(|of| of.refused).sum::<u64>(), rule.refused);
        prop_assert!(rule.worst.iter().all(|of| of.refused > 0 && of.refused <= of.asked));
        let ended = tally.ended(Outcome::Shed) + tally.ended(Outcome::BudgetExhausted);
        prop_assert!(rule.refused <= ended);
    }
    Ok(())
}

fn total(outcomes: &[u64]) -> u64 {
    outcomes.iter().sum()
}

/// Requests and attempts: who came has left, once.
fn nothing_is_lost(tally: &Tally) -> Result<(), TestCaseError> {
    let bins = tally.series.bins();
    let arrivals: u64 = bins.iter().map(|b| b.arrivals).sum();
    prop_assert_eq!(arrivals, tally.requests());
    // The series ends with the window; the tally follows everybody to the end.
    let ended: u64 = bins.iter().map(|b| b.successes + b.failures).sum();
    prop_assert!(ended <= arrivals);
    prop_assert!(bins.iter().map(|b| b.successes).sum::<u64>() <= tally.ended(Outcome::Success));
    prop_assert!(tally.in_system_at_end <= arrivals);
    prop_assert!(tally.in_system_at_end <= tally.peak_in_system as u64);
    let mut inside = 0;
    for bin in bins {
        inside += bin.arrivals;
        inside -= bin.successes + bin.failures;
        prop_assert_eq!(bin.in_system, inside);
    }
    let sent: u64 = (0..bins.len()).map(|i| total(tally.series.sent(i))).sum();
    prop_assert!(sent <= tally.attempts());
    Ok(())
}

/// Attempts by provider against requests by class.
fn attempts_fit_requests(tally: &Tally, scenario: &Scenario, tries: u64) -> Result<(), TestCaseError> {
    let of_attempts = |o: Outcome| tally.providers.iter().map(|p| p.outcomes[o.index()]).sum::<u64>();
    let (answers, successes) = (of_attempts(Outcome::Success), tally.ended(Outcome::Success));
    // A copy that nobody waits for is an attempt and no request.
    let copies = tally.effort.mirrored;
    prop_assert!(copies <= tally.requests());
    // An answer out of the response cache is no attempt.
    let hits: u64 = tally.classes.iter().map(|class| class.hits).sum();
    prop_assert!(successes <= answers + hits);
    if scenario.policy.wants().judges {
        // An answer may be turned down, or run out of time while it is looked at.
        let late = tally.ended(Outcome::TimeoutTotal) + tally.ended(Outcome::Abandoned);
        let lost = tally.effort.escalations + late;
        prop_assert!(answers + hits <= successes + lost + copies);
    } else {
        prop_assert!(answers + hits <= successes + copies);
        prop_assert_eq!((tally.judging, tally.effort.escalations), (0, 0));
    }
    // What only a provider can say was said in an attempt; what only the client can say never was.
    for o in [
        Outcome::ServerError,
        Outcome::ContextExceeded,
        Outcome::Overloaded,
        Outcome::Unavailable,
        Outcome::TimeoutTtft,
        Outcome::TimeoutAttempt,
    ] {
        prop_assert!(tally.ended(o) <= of_attempts(o), "{:?}", o);
    }
    // A policy over a single provider may answer with a 429 of its own, and so may the limits of a group.
    if scenario.fleet.len() > 1 && scenario.client.groups.is_none() {
        prop_assert!(tally.ended(Outcome::RateLimited) <= of_attempts(Outcome::RateLimited));
    }
    for o in [Outcome::BreakerOpen, Outcome::Shed, Outcome::QueueTimeout] {
        prop_assert_eq!(of_attempts(o), 0);
    }
    prop_assert!(tally.attempts() <= tally.requests() * tries + copies);
    Ok(())
}

/// Times and money.
fn sums_agree(tally: &Tally, scenario: &Scenario) -> Result<(), TestCaseError> {
    let billed: u128 = tally.providers.iter().map(|p| p.cost).sum();
    let by_class: u128 = tally.classes.iter().map(|c| c.cost).sum();
    prop_assert_eq!(billed + tally.judging, by_class + tally.mirrored);
    let reserved: u128 = tally.providers.iter().map(|p| p.reserved).sum();
    prop_assert_eq!(billed + tally.judging + reserved, tally.cost());
    prop_assert!(tally.good <= tally.served && tally.served <= tally.ended(Outcome::Success));
    for class in &tally.classes {
        let successes = class.outcomes[Outcome::Success.index()];
        prop_assert_eq!(class.ttft.count(), successes);
        prop_assert_eq!(class.e2e.count(), successes);
        prop_assert_eq!(
            class.wait.count(),
            total(&class.outcomes) - class.outcomes[Outcome::Shed.index()]
        );
        prop_assert!(class.ttft.max() <= class.e2e.max());
        prop_assert!(class.rated <= successes);
        prop_assert!(class.wrong <= class.hits && class.hits <= successes);
        prop_assert!(class.hits > 0 || class.saved == 0);
        prop_assert!(class.quality <= class.rated * 1_000_000);
    }
    let has_cache = !scenario.client.response_caches.of.is_empty();
    prop_assert!(has_cache || tally.classes.iter().all(|class| class.hits == 0));
    if let Some(ages) = &tally.ages {
        prop_assert_eq!(ages.count(), tally.classes.iter().map(|class| class.hits).sum::<u64>());
    }
    for provider in &tally.providers {
        let billable = total(&provider.outcomes) > 0;
        prop_assert!(billable || (provider.cost, provider.input, provider.output, provider.busy) == (0, 0, 0, 0));
    }
    Ok(())
}

/// No bound holds for longer than was counted, and one that is never reached for no time.
fn bounds_are_kept(tally: &Tally, scenario: &Scenario) -> Result<(), TestCaseError> {
    prop_assert_eq!(tally.counted, u128::from(scenario.window.end.nanos()));
    for bound in &tally.bounds {
        prop_assert!(bound.time <= tally.counted, "{:?}", bound);
        let trips = bound.provider.map_or(0, |p| tally.providers[p].trips);
        prop_assert!(
            bound.what != BoundKind::Breaker || trips > 0 || bound.time == 0,
            "{:?}",
            bound
        );
    }
    // Every request is over by its timeout, so connections are in use no longer than from the start until then.
    let over = scenario.window.end + scenario.client.timeouts.total;
    for (provider, deployment) in tally.providers.iter().zip(&*scenario.fleet) {
        let connections = u128::from(scenario.pools[deployment.pool].connections.most);
        prop_assert!(provider.busy <= connections * u128::from(over.nanos()));
    }
    Ok(())
}
