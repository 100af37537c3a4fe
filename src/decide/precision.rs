//! Replications until figures are known well enough: how many more a report asks for.
//!
//! After each round the interval of every figure is held against the precision that is asked for; the next round has as many as the widest
//! of them needs by the law of 1/√n, and a tenth more, but at least a quarter more and at most three times as many. So there are few looks, each at the
//! whole sample, and intervals hold what they should nearly as often as in a run of a fixed length; `docs/book/src/statistics.md` has
//! how often. A figure of nothing (no request failed) has no relative precision and asks for none.
//!
//! Source: the sequential procedure for a relative precision in Law, Simulation Modeling and Analysis (5th edition, 2015), 9.4.1, with rounds in
//! place of single replications.

use crate::report::{Report, Unit, format, shown};
use crate::stats::interval::Estimate;
use crate::words::Metric;

/// What a report asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Wanted {
    /// Nothing more: every figure is known well enough.
    Enough,
    /// So many replications in all.
    More(u64),
    /// More than there may be, in a sentence.
    TooMany(String),
}

/// How far the interval of `estimate` reaches, as a share of its value; nothing if that is 0 or endless.
fn reach(estimate: &Estimate) -> Option<f64> {
    let value = estimate.value;
    if value == 0.0 || !value.is_finite() {
        return None;
    }
    match (estimate.lo, estimate.hi) {
        (Some(lo), Some(hi)) if lo.is_finite() && hi.is_finite() => Some((hi - value).max(value - lo) / value.abs()),
        _ => Some(f64::INFINITY),
    }
}

/// What `report` asks for in order to know the metrics of `until` as well as they say, with at most so many replications.
pub fn wanted(report: &Report, until: &[(Metric, f64)], at_most: u64) -> Wanted {
    let n = report.replications_finished;
    let mut widest: Option<(f64, String)> = None;
    for policy in &report.policies {
        for (metric, precision) in until {
            // More replications of the same rows would agree too.
            let is_replayed = policy.metrics.iter().any(|of| of.metric == *metric && of.replayed);
            let Some(reach) = reach(&shown(policy, metric).0).filter(|_| !is_replayed) else {
                continue;
            };
            let factor = reach / precision;
            if factor > 1.0 && widest.as_ref().is_none_or(|(most, _)| factor > *most) {
                let (reached, asked) = (
                    format::value(Unit::Share, reach),
                    format::value(Unit::Share, *precision),
                );
                let what = format!("{} of {} to ±{reached}, not ±{asked}", metric.title(), policy.name);
                widest = Some((factor, what));
            }
        }
    }
    let Some((factor, what)) = widest else {
        return Wanted::Enough;
    };
    let needed = n as f64 * factor * factor * 1.1;
    if n >= at_most {
        let would = if needed.is_finite() {
            format!("; about {} would tell (`plan.at_most`)", format::count(needed as u64))
        } else {
            String::new()
        };
        return Wanted::TooMany(format!(
            "{} replications, the most that `until` may take, tell {what}{would}",
            format::count(n)
        ));
    }
    let next = (needed as u64).clamp(n + n.div_ceil(4), 3 * n);
    Wanted::More(next.min(at_most))
}

/// A sentence for each metric of `until` that is a share of which nothing was seen: it has no relative precision to go by, and a bound.
pub fn unseen(report: &Report, until: &[(Metric, f64)]) -> Vec<String> {
    let mut said = Vec::new();
    for policy in &report.policies {
        for (metric, _) in until.iter().filter(|(metric, _)| metric.unit() == Unit::Share) {
            let estimate = shown(policy, metric).0;
            if let (0.0, Some(hi)) = (estimate.value, estimate.hi) {
                said.push(format!(
                    "{}: nothing of {} was seen in {} requests, so that `plan.until` has no precision to go by: it is at most {} ({} confidence)",
                    policy.name,
                    metric.title(),
                    format::count(policy.requests),
                    format::share(hi),
                    format::share(report.confidence)
                ));
            }
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::sample;

    fn of(reach: f64, n: u64) -> Report {
        let mut report = sample();
        report.replications_finished = n;
        for policy in &mut report.policies {
            for measured in &mut policy.metrics {
                measured.of_all = None;
                measured.estimate = Estimate::symmetric(2.0, Some(2.0 * reach), n as usize, 0);
            }
        }
        report
    }

    #[test]
    fn the_next_round_is_as_long_as_it_must_be_and_not_too_long() {
        let until = [(Metric::E2E_P95, 0.02)];
        for (reach, n, expected) in [
            (0.019, 20, Wanted::Enough),
            // (0.025 / 0.02)² · 20 · 1.1 = 34.4.
            (0.025, 20, Wanted::More(34)),
            (0.0201, 20, Wanted::More(25)),
            (0.2, 20, Wanted::More(60)),
            (0.2, 400, Wanted::More(1000)),
        ] {
            assert_eq!(wanted(&of(reach, n), &until, 1000), expected, "{reach} of {n}");
        }
        let Wanted::TooMany(said) = wanted(&of(0.04, 1000), &until, 1000) else {
            panic!()
        };
        assert!(
            said.starts_with("1,000 replications, the most that `until` may take, tell E2E p95 of "),
            "{said}"
        );
        assert!(
            said.ends_with("to ±4.00 %, not ±2.00 %; about 4,400 would tell (`plan.at_most`)"),
            "{said}"
        );
    }

    #[test]
    fn a_figure_of_nothing_asks_for_nothing() {
        let mut report = of(0.5, 20);
        for measured in report.policies.iter_mut().flat_map(|policy| &mut policy.metrics) {
            measured.estimate.value = 0.0;
        }
        assert_eq!(wanted(&report, &[(Metric::ERROR_RATE, 0.02)], 1000), Wanted::Enough);
        let said = unseen(&report, &[(Metric::ERROR_RATE, 0.02), (Metric::E2E_P95, 0.02)]);
        assert_eq!(said.len(), report.policies.len());
        assert!(
            said[0].contains(": nothing of errors was seen in ") && said[0].contains("it is at most "),
            "{said:?}"
        );
    }
}
