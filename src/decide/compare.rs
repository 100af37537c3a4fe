//! Each policy against the first, in figures and in a sentence.
//!
//! Replications of all policies met the same requests, so differences are taken replication by replication. "Better" is
//! said of a figure only where the interval of its paired difference excludes zero and every replication has the figure;
//! intervals are not widened for the number of figures compared.

use crate::report::format;
use crate::report::{Code, Comparison, Difference, Metric};
use crate::stats::compare::{Paired, Verdict};
use crate::stats::histogram::RESOLUTION;
use crate::stats::interval::Confidence;

/// One column of figures for each metric of the report, in its order, by replication.
pub(super) type Columns = Vec<Vec<Option<f64>>>;

/// Compares every policy after the first with the first.
pub(super) fn compare(
    names: &[String],
    metrics: &[&Metric],
    columns: &[Columns],
    confidence: Confidence,
    code: Option<Code>,
) -> Vec<Comparison> {
    let Some((baseline, first)) = names.first().zip(columns.first()) else {
        return Vec::new();
    };
    let others = names.iter().zip(columns).skip(1);
    others
        .map(|(policy, columns)| {
            let differences: Vec<Difference> = metrics
                .iter()
                .zip(first.iter().zip(columns))
                .map(|(&metric, (first, column))| {
                    let paired = Paired::compare(first, column, confidence);
                    Difference {
                        metric: metric.clone(),
                        difference: paired.difference,
                        relative: paired.relative,
                        verdict: if paired.difference.undefined > 0 || is_rounding(metric, &paired) {
                            Verdict::CannotTell
                        } else {
                            paired.verdict
                        },
                    }
                })
                .collect();
            let sentence = sentence(policy, baseline, &differences, code);
            Comparison {
                policy: policy.clone(),
                baseline: baseline.clone(),
                differences,
                sentence,
            }
        })
        .collect()
}

/// Whether the difference is one that two equal percentiles may show, each the middle of a bucket of the histogram.
fn is_rounding(metric: &Metric, paired: &Paired) -> bool {
    metric.percentile().is_some()
        && paired.verdict != Verdict::Same
        && paired.relative.is_some_and(|share| share.abs() < RESOLUTION)
}

fn sentence(policy: &str, baseline: &str, differences: &[Difference], code: Option<Code>) -> String {
    let mut spoken: Vec<(u8, &Difference)> = differences
        .iter()
        .filter_map(|d| Some((d.metric.as_standard()?.spoken?, d)))
        .collect();
    spoken.sort_by_key(|(place, _)| *place);
    let spoken = || spoken.iter().map(|(_, difference)| *difference);
    let is_better = |d: &Difference| (d.verdict == Verdict::Lower) == d.metric.lower_is_better();
    let decided = |d: &&Difference| matches!(d.verdict, Verdict::Lower | Verdict::Higher);
    let with_figure = |d: &Difference| {
        let relative = d
            .relative
            .map(|r| format!(", {}", format::relative(r)))
            .unwrap_or_default();
        let fewer = if d.metric == Metric::COST_PER_MONTH && d.verdict == Verdict::Lower {
            answers_fewer(differences)
        } else {
            String::new()
        };
        format!(
            "{} ({}{relative}{fewer})",
            name(&d.metric),
            format::difference(d.metric.unit_in(code), &d.difference)
        )
    };
    let better: Vec<String> = spoken()
        .filter(decided)
        .filter(|d| is_better(d))
        .map(with_figure)
        .collect();
    let worse: Vec<String> = spoken()
        .filter(decided)
        .filter(|d| !is_better(d))
        .map(with_figure)
        .collect();
    let same: Vec<String> = spoken()
        .filter(|d| d.verdict == Verdict::Same)
        .map(|d| name(&d.metric))
        .collect();
    let unclear: Vec<String> = spoken()
        .filter(|d| d.verdict == Verdict::CannotTell && d.difference.n > 0)
        .map(|d| name(&d.metric))
        .collect();
    let mut parts = Vec::new();
    for (what, list) in [
        ("better on ", &better),
        ("worse on ", &worse),
        ("no difference seen on ", &same),
    ] {
        if !list.is_empty() {
            parts.push(format!("{what}{}", join(list)));
        }
    }
    if parts.is_empty() {
        return format!("{policy} against {baseline}: the runs cannot tell them apart.");
    }
    if !unclear.is_empty() {
        parts.push(format!("the runs cannot tell on {}", join(&unclear)));
    }
    format!("{policy} against {baseline}: {}.", parts.join("; "))
}

/// What to add to a lower bill where it is lower because less is answered.
fn answers_fewer(differences: &[Difference]) -> String {
    let throughput = differences.iter().find(|d| d.metric == Metric::THROUGHPUT);
    match throughput.and_then(|d| d.relative) {
        Some(change) if change < -0.01 => format!(", answering {} fewer requests", format::share(-change)),
        _ => String::new(),
    }
}

fn name(metric: &Metric) -> String {
    if *metric == Metric::COST_PER_MONTH {
        "monthly cost".into()
    } else {
        metric.title()
    }
}

/// "a", "a and b", "a, b and c".
fn join(list: &[String]) -> String {
    match list {
        [] => String::new(),
        [one] => one.clone(),
        [init @ .., last] => format!("{} and {last}", init.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::metric::Key;

    /// Columns in which every metric is constant, but for those given.
    fn columns(metrics: &[Metric], special: &[(Metric, [f64; 3])]) -> Columns {
        let of = |m: &Metric| special.iter().find(|(s, _)| s == m).map_or([1.0; 3], |(_, v)| *v);
        metrics.iter().map(|m| of(m).map(Some).to_vec()).collect()
    }

    /// The standard metrics and another one, one policy against another in which all are 1 but for those given.
    fn compared(another: Metric, special: &[(Metric, [f64; 3])]) -> Comparison {
        let names = ["a".to_owned(), "b".to_owned()];
        let metrics: Vec<Metric> = Metric::standard().map(|(m, _)| m).chain([another]).collect();
        let all = [columns(&metrics, &[]), columns(&metrics, special)];
        let metrics: Vec<&Metric> = metrics.iter().collect();
        compare(&names, &metrics, &all, Confidence::P95, None).remove(0)
    }

    fn sentence_of(special: &[(Metric, [f64; 3])]) -> String {
        compared(Metric::E2E_MEAN.within(Key::Class, "c"), special).sentence
    }

    #[test]
    fn a_sentence_says_what_the_intervals_say() {
        let sentence = sentence_of(&[
            (Metric::TTFT_P95, [0.5, 0.51, 0.49]),
            (Metric::COST_PER_MONTH, [1.5, 1.5, 1.51]),
            (Metric::ERROR_RATE, [0.5, 1.0, 1.5]),
        ]);
        assert!(sentence.starts_with("b against a: better on TTFT p95 ("), "{sentence}");
        assert!(sentence.contains("; worse on monthly cost (+$0.50"), "{sentence}");
        assert!(
            sentence.ends_with("; no difference seen on E2E p95, quality and goodput; the runs cannot tell on errors."),
            "{sentence}"
        );
    }

    #[test]
    fn more_quality_is_better_and_more_errors_worse() {
        let sentence = sentence_of(&[
            (Metric::QUALITY, [1.1, 1.11, 1.1]),
            (Metric::ERROR_RATE, [1.1, 1.11, 1.1]),
        ]);
        let (better, worse) = (sentence.find("better on quality"), sentence.find("worse on errors"));
        assert!(better.is_some() && better < worse, "{sentence}");
    }

    /// 0.05 % may be the width of a bucket, 0.2 % is not; a cost has no buckets.
    #[test]
    fn percentiles_in_one_bucket_are_not_told_apart() {
        let verdict = |metric: &str, b: f64| {
            let metric: Metric = metric.parse().unwrap();
            let comparison = compared(metric.clone(), &[(metric.clone(), [b; 3])]);
            let difference = comparison.differences.into_iter().find(|d| d.metric == metric);
            difference.unwrap().verdict
        };
        for percentile in ["ttft.p95", "ttft.p90", "e2e.p99.9{class=chat}", "tpot.p5{window=w}"] {
            assert_eq!(verdict(percentile, 1.0005), Verdict::CannotTell);
            assert_eq!(verdict(percentile, 1.002), Verdict::Higher);
            assert_eq!(verdict(percentile, 1.0), Verdict::Same);
        }
        assert_eq!(verdict("cost_per_month", 1.0005), Verdict::Higher);
        assert_eq!(verdict("ttft.mean{class=chat}", 1.0005), Verdict::Higher);
    }

    #[test]
    fn with_one_replication_nothing_is_told() {
        let names = ["a".to_owned(), "b".to_owned()];
        let one = |x: f64| vec![vec![Some(x)]];
        let columns = [one(1.0), one(2.0)];
        let comparison = compare(&names, &[&Metric::TTFT_P95], &columns, Confidence::P95, None).remove(0);
        assert_eq!(comparison.sentence, "b against a: the runs cannot tell them apart.");
    }
}
