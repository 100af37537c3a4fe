//! What binds at a capacity: the limits that are reached there, each with what it is at today's traffic, the most reached first.
//!
//! A limit does something only while it is reached: what counts is the share of time in which it is, and of those that are reached by less
//! than a thousandth the share of them that is used. Limits that make requests wait or be refused come before what follows from them: a
//! queue that is full, a breaker that opens. Where the objective that binds is on failures, and most of these are refusals for a quota, quotas come
//! before what only makes requests wait: the time in which a quota refuses is less than that of a pool that is full.

use crate::report::capacity::Limit;
use crate::report::{BoundReport, Metric, PolicyReport, QuotaReport, Unit, format};
use crate::stats::sorting;
use crate::words::{BoundKind, Outcome};

/// A share of time below which a limit is as good as never reached.
pub(super) const HARDLY: f64 = 1e-3;

/// The limits of the policy `there`, at its capacity, that are reached or used, beside those of `today`.
pub(super) fn limits(there: &PolicyReport, today: Option<&PolicyReport>, binds: Option<&Metric>) -> Vec<Limit> {
    let by_refusals = binds.is_some_and(|metric| metric.unit() == Unit::Share) && are_refused(there);
    let same = |one: &BoundReport, other: &BoundReport| {
        (one.what, &one.provider, &one.budget) == (other.what, &other.provider, &other.budget)
    };
    let in_flight = |of: &PolicyReport, bound: &BoundReport| {
        let counts = matches!(bound.what, BoundKind::Connections | BoundKind::Capacity);
        let limit = bound.limit.filter(|limit| counts && *limit > 0)?;
        let provider = of
            .providers
            .iter()
            .find(|provider| Some(&provider.name) == bound.provider.as_ref())?;
        Some(provider.in_flight.value / limit as f64)
    };
    let mut all: Vec<(u8, Limit)> = Vec::new();
    let mut merged: Vec<&QuotaReport> = Vec::new();
    for bound in &there.bounds {
        // Which of a provider's quotas it was that was reached, the use of each says: the fullest.
        let quota = fullest(there, bound);
        if quota.is_some_and(|quota| merged.iter().any(|known| is_same(known, quota))) {
            continue;
        }
        merged.extend(quota);
        let before = today.map(|today| {
            let known = today.bounds.iter().find(|known| same(known, bound));
            known.map_or(0.0, |known| known.share.value)
        });
        let limit = Limit {
            what: quota.map_or_else(|| named(bound), QuotaReport::title),
            reached: Some(bound.share),
            reached_today: before,
            used: quota.map(|quota| quota.used.value).or_else(|| in_flight(there, bound)),
            used_today: today.and_then(|today| match quota {
                Some(quota) => today
                    .quotas
                    .iter()
                    .find(|known| is_same(known, quota))
                    .map(|known| known.used.value),
                None => in_flight(today, bound),
            }),
        };
        all.push((rank(bound.what, bound.share.value, by_refusals), limit));
    }
    for quota in there
        .quotas
        .iter()
        .filter(|quota| !merged.iter().any(|known| is_same(known, quota)))
    {
        let today = today.map(|today| {
            let known = today.quotas.iter().find(|known| is_same(known, quota));
            known.map_or(0.0, |known| known.used.value)
        });
        let limit = Limit {
            what: quota.title(),
            reached: None,
            reached_today: None,
            used: Some(quota.used.value),
            used_today: today,
        };
        all.push((2, limit));
    }
    sorting::by(&mut all, |(a, one), (b, other)| {
        let share = |limit: &Limit| limit.reached.map_or(limit.used.unwrap_or(0.0), |reached| reached.value);
        a.cmp(b).then(share(other).total_cmp(&share(one)))
    });
    all.into_iter().map(|(_, limit)| limit).collect()
}

/// Whether both are the same quota.
fn is_same(one: &QuotaReport, other: &QuotaReport) -> bool {
    (&one.provider, &one.account, &one.quota) == (&other.provider, &other.account, &other.quota)
}

/// The quota that a provider's bound is most of the time: of the provider's own, and of an account's where there is one account, that of which
/// most is used.
fn fullest<'a>(there: &'a PolicyReport, bound: &BoundReport) -> Option<&'a QuotaReport> {
    let is_quota = bound.what == BoundKind::Quota && bound.provider.is_some();
    let accounts = || there.quotas.iter().filter(|quota| quota.account.is_some());
    let one = accounts().all(|quota| Some(&quota.account) == accounts().next().map(|first| &first.account));
    let may_be =
        (there.quotas.iter()).filter(|quota| quota.provider == bound.provider || one && quota.account.is_some());
    let fullest = may_be
        .filter(|_| is_quota)
        .max_by(|a, b| a.used.value.total_cmp(&b.used.value))?;
    // Where the quota of one of several accounts is fuller, it may have been that.
    let is_known = one || accounts().all(|quota| quota.used.value < fullest.used.value);
    is_known.then_some(fullest)
}

/// Whether most requests that fail do so because they are rate limited.
fn are_refused(there: &PolicyReport) -> bool {
    let failures = (there.outcomes.iter()).filter(|of| of.outcome != Outcome::Success && of.share.value > 0.0);
    let (all, refused) = failures.fold((0.0, 0.0), |(all, refused), of| {
        let is_refused = of.outcome == Outcome::RateLimited;
        (
            all + of.share.value,
            refused + if is_refused { of.share.value } else { 0.0 },
        )
    });
    refused > 0.5 * all
}

/// What comes first: what is reached and holds requests up, what follows from that, and what is hardly reached.
fn rank(what: BoundKind, reached: f64, by_refusals: bool) -> u8 {
    match what {
        _ if reached < HARDLY => 3,
        BoundKind::Queue | BoundKind::Breaker => 1,
        BoundKind::InFlight | BoundKind::Connections | BoundKind::Capacity if by_refusals => 1,
        BoundKind::InFlight
        | BoundKind::Limiter
        | BoundKind::Connections
        | BoundKind::Quota
        | BoundKind::Capacity
        | BoundKind::Budget => 0,
    }
}

/// `openai: quota`, `a: 50 connections`, `the client's limiter`.
fn named(bound: &BoundReport) -> String {
    if let Some(budget) = &bound.budget {
        return budget.clone();
    }
    let what = match bound.limit {
        Some(limit) => format!("{} ({})", bound.what.title(), format::count(limit)),
        None => bound.what.title().to_owned(),
    };
    match &bound.provider {
        Some(provider) => format!("{provider}: {what}"),
        None => what,
    }
}
