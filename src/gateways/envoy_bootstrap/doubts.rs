//! What in a bootstrap does nothing, or not what it seems to do.

use super::Notes;
use super::clusters::Cluster;
use super::routes::Route;
use crate::gateways::warning::Warning;

/// Adds the warnings that follow from routes and clusters together.
pub(super) fn of(routes: &[Route<'_>], notes: &mut Notes) {
    for route in routes {
        of_timeouts(route, notes);
        of_retries(route, notes);
    }
    let mut seen: Vec<&str> = Vec::new();
    for (cluster, _) in routes.iter().flat_map(|route| &route.clusters) {
        if !seen.contains(&cluster.name.as_str()) {
            seen.push(&cluster.name);
            of_cluster(cluster, notes);
        }
    }
    let mut timeouts: Vec<Option<f64>> = routes.iter().map(|route| route.timeout).collect();
    timeouts.dedup();
    if let (true, Some(route)) = (timeouts.len() > 1, routes.first()) {
        notes.warn("longest-timeout-for-all", "", route.timeout_at.unwrap_or(route.at));
    }
}

fn of_timeouts(route: &Route<'_>, notes: &mut Notes) {
    let Some(total) = route.timeout else {
        return;
    };
    let said = match route.timeout_at {
        Some(_) => format!("{total} s"),
        None => format!("{total} s, which is Envoy's own where nothing is said"),
    };
    let at = Some(route.timeout_at.unwrap_or(route.at));
    notes
        .warnings
        .push(Warning::new("stream-timeout", &route.name, at).saying(said));
}

fn of_retries(route: &Route<'_>, notes: &mut Notes) {
    let retry = &route.retry;
    let levels = route
        .clusters
        .iter()
        .map(|(cluster, _)| cluster.levels())
        .max()
        .unwrap_or(1);
    let hosts = route
        .clusters
        .iter()
        .map(|(cluster, _)| cluster.hosts.len())
        .max()
        .unwrap_or(1);
    let Some(at) = retry.at.filter(|_| retry.is_any()) else {
        if levels > 1 {
            notes.warn("priority-without-retry", &route.name, route.at);
        }
        return;
    };
    let on_at = retry.on_at.unwrap_or(at);
    if retry.of(429) == 0 {
        notes.warn("429-is-not-retried", &route.name, on_at);
    }
    let longer = |key: &str, s: Option<f64>| {
        let (s, total) = (s?, route.timeout?);
        let what = format!("{key} {s} s, the route's timeout {total} s");
        (s >= total).then(|| Warning::new("timeout-never-strikes", &route.name, Some(at)).saying(what))
    };
    notes.warnings.extend(longer("per_try_timeout", retry.per_try));
    notes
        .warnings
        .extend(longer("per_try_idle_timeout", retry.per_try_idle));
    if retry.longest_try().is_none() && retry.of_hangs() > 0 {
        notes.warn("no-per_try_timeout", &route.name, at);
    }
    if retry.of_hangs() > 0 {
        notes.warn("post-is-retried", &route.name, on_at);
    }
    if hosts > 1 && retry.previous_hosts.is_none() {
        notes.warn("retry-may-stay", &route.name, at);
    }
    if levels > 1 && retry.per_level.is_none() {
        notes.warn("retry-stays-on-its-level", &route.name, at);
    }
    for (cluster, _) in &route.clusters {
        if cluster.retry_budget.is_none() && cluster.max_retries <= 3 {
            let said = match cluster.max_retries_at {
                Some(_) => format!("max_retries is {}", cluster.max_retries),
                None => "max_retries is 3 where nothing is said".to_owned(),
            };
            let at = Some(cluster.max_retries_at.unwrap_or(cluster.at));
            notes
                .warnings
                .push(Warning::new("retries-are-bounded", &cluster.name, at).saying(said));
        }
    }
}

fn of_cluster(cluster: &Cluster<'_>, notes: &mut Notes) {
    let hosts = cluster.hosts.len();
    match cluster.node.entry("outlier_detection") {
        None if hosts > 1 && cluster.node.get("health_checks").is_none() => {
            notes.warn("no-outlier-detection", &cluster.name, cluster.at);
        }
        None => {}
        Some(entry) => {
            notes.warn("429-is-not-an-outlier", &cluster.name, entry.at);
            let most = entry.value.number_of("max_ejection_percent").unwrap_or(10.0);
            let one = 100.0 / hosts as f64;
            if one > most && !entry.value.flag("always_eject_one_host") {
                let said = format!(
                    "one of {hosts} is {} %, and max_ejection_percent is {most}",
                    one.round()
                );
                let warning = Warning::new("never-ejects", &cluster.name, Some(entry.at)).saying(said);
                notes.warnings.push(warning);
            }
        }
    }
    if let Some(at) = cluster.no_pending_at {
        notes.warn("max_pending_requests-0", &cluster.name, at);
    }
    if cluster.node.text_of("type") == Some("STRICT_DNS") {
        notes.warn("dns-is-one-host", &cluster.name, cluster.at);
    }
    if cluster.node.get("load_assignment").is_none() {
        notes.warn("endpoints-not-in-file", &cluster.name, cluster.at);
    }
    let by_locality = cluster
        .node
        .find("common_lb_config.locality_weighted_lb_config")
        .is_some();
    let weighted = super::items(cluster.node, "load_assignment.endpoints")
        .iter()
        .find_map(|of| of.entry("load_balancing_weight"));
    if let Some(entry) = weighted.filter(|_| !by_locality) {
        notes.warn(
            "no-effect",
            &format!("{} load_balancing_weight of a locality", cluster.name),
            entry.at,
        );
    }
}
