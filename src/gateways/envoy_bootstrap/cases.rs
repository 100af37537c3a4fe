//! What becomes of a request when hosts fail, in closed form.
//!
//! A retry stays in the cluster that was drawn. It chooses among all hosts of the priority anew, unless `previous_hosts` leaves out those
//! that were tried; with `previous_priorities` the next priority follows after every `update_frequency` attempts. One request does not change
//! which priority has enough healthy hosts.

use super::clusters::Cluster;
use super::routes::Route;
use crate::gateways::model::Case;

/// What happens when something fails, and how long a request takes at worst.
pub(super) fn of(route: &Route<'_>) -> (Vec<Case>, f64) {
    let hosts: usize = route.clusters.iter().map(|(cluster, _)| cluster.hosts.len()).sum();
    let mut cases = Vec::new();
    if hosts > 1 {
        // Of several clusters the one that has least to fall back on.
        let on_first = |cluster: &Cluster<'_>| cluster.each_level().first().map_or(0, |level| on(cluster, *level));
        let least = route.clusters.iter().min_by_key(|(cluster, _)| on_first(cluster));
        if let Some((cluster, _)) = least {
            let first = on_first(cluster);
            for (when, code) in [("one answers 429", 429), ("one answers 500", 500)] {
                cases.push(one_fails(route, when, code, first, cluster.levels()));
            }
        }
    }
    let all = |one, many| if hosts > 1 { many } else { one };
    let case = |when, code: u64, then: &str| {
        let retries = route.retry.of(code);
        Case::new(when, retries + 1, (0.0, route.retry.waits(retries)), then)
    };
    cases.extend([
        case(
            all("it answers 429", "all answer 429"),
            429,
            "the caller is told the last 429; no host is left out for it",
        ),
        case(
            all("it answers 500", "all answer 500"),
            500,
            "the caller is told the last 500",
        ),
        case(
            all("it answers 503", "all answer 503"),
            503,
            "the caller is told the last 503",
        ),
    ]);
    let total = route.timeout.unwrap_or(f64::INFINITY);
    let tried = route.retry.longest_try();
    let hung = tried
        .unwrap_or(total)
        .min(total)
        .min(route.idle.unwrap_or(f64::INFINITY));
    let retries = if tried.is_some() { route.retry.of_hangs() } else { 0 };
    let worst = (hung * (retries + 1) as f64 + route.retry.waits(retries)).min(total);
    let made = if hung > 0.0 && worst.is_finite() {
        (worst / hung).ceil() as u64
    } else {
        1
    };
    let attempts = made.clamp(1, retries + 1);
    cases.push(Case::new(
        all("it hangs", "all hang"),
        attempts,
        (worst, worst),
        "the caller is told a 504",
    ));
    (cases, worst)
}

/// The hosts of `cluster` on `level`.
fn on(cluster: &Cluster<'_>, level: u64) -> usize {
    cluster.hosts.iter().filter(|host| host.level == level).count()
}

/// What becomes of a request whose first attempt meets one of the first priority's `first` hosts that fails, while the others are well.
fn one_fails(route: &Route<'_>, when: &'static str, code: u64, first: usize, levels: usize) -> Case {
    let retries = route.retry.of(code);
    let told = format!("the caller is told the {code}");
    let alone = if route.clusters.len() > 1 {
        "it may be alone in its cluster, where retries stay"
    } else {
        "it is alone on its priority, where retries stay until it is ejected"
    };
    let next = route.retry.per_level.filter(|n| levels > 1 && n.max(&1) <= &retries);
    let (attempts, then) = match next {
        _ if retries == 0 => (1, format!("{told}: it is not tried again")),
        Some(1) => (2, "the next priority answers".to_owned()),
        // A host that was tried is drawn again only if so many draws find no other.
        _ if first > 1 && route.retry.previous_hosts.is_some() => (2, "another of its priority answers".to_owned()),
        Some(n) => (n + 1, "the next priority answers".to_owned()),
        None if first > 1 => (
            retries + 1,
            format!("each retry chooses a host anew, which may be the same one; if it always is, {told}"),
        ),
        None if levels > 1 || route.clusters.len() > 1 => (retries + 1, format!("{alone}; {told}")),
        None => (retries + 1, told),
    };
    Case::new(when, attempts, (0.0, route.retry.waits(attempts - 1)), then)
}
