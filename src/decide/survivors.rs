//! Where the times of those that were answered look better than those of all: a sentence for the first screen.
//!
//! The tables show percentiles of successes, as every product does. A policy that fails its slow requests looks fast there, so where
//! the same percentiles over all requests, with a failed one taking for ever, are notably higher, both are told.

use crate::report::{Measured, Metric, OF_SURVIVORS, PolicyReport, Unit, format};

/// A percentile over all requests that is higher by less than this share is not told.
const NOTABLE: f64 = 0.05;

/// How many policies are named.
const NAMED: usize = 4;

/// What to say, if anything.
pub(super) fn warning(policies: &[PolicyReport]) -> Option<String> {
    let all: Vec<String> = policies.iter().filter_map(of_policy).collect();
    if all.is_empty() {
        return None;
    }
    let more = match all.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!("; and {more} more policies"),
    };
    let named: Vec<String> = all.into_iter().take(NAMED).collect();
    Some(format!("{OF_SURVIVORS}: {}{more}", named.join("; ")))
}

fn of_policy(policy: &PolicyReport) -> Option<String> {
    let p95s = [Metric::TTFT_P95, Metric::E2E_P95, Metric::TTFT_P99, Metric::E2E_P99];
    let measured = p95s.iter().filter_map(|metric| {
        let found = policy.metrics.iter().find(|measured| measured.metric == *metric)?;
        differs(found).then_some(found)
    });
    let figures: Vec<String> = measured.take(2).filter_map(figure).collect();
    (!figures.is_empty()).then(|| format!("{}: {}", policy.name, figures.join(", ")))
}

fn differs(measured: &Measured) -> bool {
    let Some(all) = measured.of_all else { return false };
    all.value > (1.0 + NOTABLE) * measured.estimate.value
}

/// "E2E p95 4.20 s for 1.88 s".
fn figure(measured: &Measured) -> Option<String> {
    let text = |x: f64| {
        if x == f64::INFINITY {
            format::ENDLESS.to_owned()
        } else {
            format::value(Unit::Seconds, x)
        }
    };
    let (title, all) = (measured.metric.title(), measured.of_all?);
    Some(format!(
        "{title} {} instead of {}",
        text(all.value),
        text(measured.estimate.value)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::sample;
    use crate::stats::interval::Estimate;

    #[test]
    fn both_are_told_where_failures_flatter() {
        let mut policies = sample().policies;
        assert_eq!(warning(&policies), None);
        let mut set = |policy: usize, metric: &Metric, value| {
            let found = policies[policy]
                .metrics
                .iter_mut()
                .find(|m| m.metric == *metric)
                .unwrap();
            found.of_all = Some(Estimate::symmetric(value, None, 10, 0));
        };
        set(0, &Metric::TTFT_P95, 1.25);
        set(0, &Metric::E2E_P95, 9.9);
        set(1, &Metric::E2E_P95, f64::INFINITY);
        let said = warning(&policies).unwrap();
        let [a, b] = [0, 1].map(|i| policies[i].name.clone());
        assert!(
            said.ends_with(&format!(
                "{a}: E2E p95 9.90 s instead of 8.50 s; {b}: E2E p95 never instead of 6.38 s"
            )),
            "{said}"
        );
    }
}
