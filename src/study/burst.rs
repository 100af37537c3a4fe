//! What of a capacity is the burst with which a quota begins: a longer plan has the same burst, and carries less.
//!
//! A quota that was used to more than it refills in the counted time gave the rest out of what it held at the beginning. The rest is a share
//! of the plan, and goes down as one over its length.

use crate::report::capacity::{Capacities, Capacity};
use crate::report::{PolicyReport, Report, Unit, format};

/// A sentence on the quota whose burst is the largest share of what `policy` carries in the run that `report` is of; nothing where that is
/// less than half the precision that was asked for.
pub(super) fn warning(all: &Capacities, capacity: &Capacity, report: &Report, policy: &PolicyReport) -> Option<String> {
    let least = all.precision / 2.0;
    let over = policy.quotas.iter().map(|quota| (quota, quota.used.value - 1.0));
    let (quota, over) = over.reduce(|a, b| if b.1 > a.1 { b } else { a })?;
    if over.is_nan() || over <= least {
        return None;
    }
    let served = |name: &String| policy.providers.iter().find(|provider| provider.name == *name);
    let part = quota
        .provider
        .as_ref()
        .and_then(served)
        .map(|provider| provider.served.value);
    let value = capacity.capacity.value;
    let of = part
        .filter(|_| capacity.times.is_some() && value.is_finite())
        .map(|part| {
            let rate = |x: f64| format::value(Unit::PerSecond, x);
            format!(
                ": {} of the {} found",
                rate(value * part * over / (1.0 + over)),
                rate(value)
            )
        });
    Some(format!(
        "{}: {} gives {} more than it refills in {}, which is the burst that it begins with{}. A longer plan carries less: from a \
         `plan.duration` of {} on, the burst is less than {}",
        capacity.policy,
        quota.title(),
        format::share(over),
        format::span(report.counted),
        of.unwrap_or_default(),
        format::span(whole_minutes(report.counted * over / least)),
        format::share(least)
    ))
}

/// Seconds, rounded up to whole minutes; from two hours on to whole hours.
fn whole_minutes(seconds: f64) -> f64 {
    let unit = if seconds >= 7200.0 { 3600.0 } else { 60.0 };
    (seconds / unit).ceil() * unit
}
