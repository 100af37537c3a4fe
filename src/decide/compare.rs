//! Each policy against the first, in figures and in a sentence.
//!
//! Replications of all policies met the same requests, so differences are paired. Percentiles are of all requests, one that never
//! got its answer taking for ever. What is said of many figures at once must stand together: of what the sentences say of
//! all policies, and of all differences in the tables, no more than one report in twenty (at 95 %) names any false one (Holm's
//! method, once for each of the two). A difference that stands may still be too small to matter, and is then said to be.

use crate::report::format;
use crate::report::{Code, Comparison, Difference, Metric, PolicyReport, Unit, estimate};
use crate::stats::compare::{Paired, Side, Verdict, holm};
use crate::stats::histogram::RESOLUTION;
use crate::stats::interval::Confidence;
use crate::stats::sorting;

/// Of a share this part of the smallest relative difference that matters, in points: 0.1 points where 1 % matters.
const POINTS: f64 = 0.1;

/// A share below this has no relative difference that means anything.
const NEAR_ZERO: f64 = 0.01;

/// What is compared, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms<'a> {
    /// The metrics of the report, in its order.
    pub(super) metrics: &'a [&'a Metric],
    /// The metrics that objectives bound, of which the sentences speak too.
    pub(super) bounded: &'a [Metric],
    pub(super) confidence: Confidence,
    /// The smallest relative difference that matters.
    pub(super) matters: f64,
    /// The currency, if it is not the dollar.
    pub(super) code: Option<Code>,
    /// Whether all met as many requests: if not, nothing is said of what grows with them.
    pub(super) same_traffic: bool,
    /// Whether all say what a month costs, or nothing costs anything: if not, what is said of costs is of 1,000.
    pub(super) by_month: bool,
    /// What the costs of 1,000 are told of: requests, or answers.
    pub(super) of_1k: &'a Metric,
}

/// Whether all of these say what a month costs, or none costs anything.
pub(super) fn are_billed_by_month<'a>(policies: impl Iterator<Item = &'a PolicyReport> + Clone) -> bool {
    let value = |policy: &PolicyReport, metric: &Metric| estimate(policy, metric).value;
    let are_known = policies
        .clone()
        .all(|policy| value(policy, &Metric::COST_PER_MONTH).is_finite());
    are_known || !policies.clone().any(|policy| value(policy, &Metric::COST_PER_1K) > 0.0)
}

/// Compares every policy after the first with the first. `sides` are the figures of each policy, in the order of the metrics.
pub(super) fn compare(names: &[String], sides: &[Vec<Side>], terms: Terms<'_>) -> Vec<Comparison> {
    let Some((baseline, first)) = names.first().zip(sides.first()) else {
        return Vec::new();
    };
    let further = names.iter().zip(sides).skip(1);
    let pairs: Vec<Pair> = further
        .map(|(policy, of)| Pair {
            baseline: baseline.clone(),
            policy: policy.clone(),
            from: first.clone(),
            to: of.clone(),
        })
        .collect();
    compare_pairs(&pairs, terms)
}

/// Two policies to be compared, with the figures of each in the order of the metrics.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub(super) baseline: String,
    pub(super) policy: String,
    pub(super) from: Vec<Side>,
    pub(super) to: Vec<Side>,
}

/// Compares each pair; what is said of all of them stands together.
pub(super) fn compare_pairs(pairs: &[Pair], terms: Terms<'_>) -> Vec<Comparison> {
    let pair = |(a, b): (&Side, &Side)| Paired::compare(a, b, terms.confidence);
    let all: Vec<Vec<Paired>> = (pairs.iter())
        .map(|of| of.from.iter().zip(&of.to).map(pair).collect())
        .collect();
    let stands = standing(&all, terms);
    let policies = pairs.iter().zip(all.iter().zip(&stands));
    policies
        .map(|(of, (pairs, stands))| {
            let (policy, baseline) = (&of.policy, &of.baseline);
            let figures = terms.metrics.iter().zip(&of.from).zip(pairs.iter().zip(stands));
            let differences: Vec<Difference> = figures
                .map(|((metric, first), (paired, &stands))| difference(metric, first, paired, stands, terms.matters))
                .collect();
            Comparison {
                sentence: sentence(policy, baseline, &differences, terms),
                policy: policy.clone(),
                baseline: baseline.clone(),
                differences,
            }
        })
        .collect()
}

/// Which differences stand, by policy and metric: those that the sentences speak of among themselves, the others among all.
fn standing(all: &[Vec<Paired>], terms: Terms<'_>) -> Vec<Vec<bool>> {
    let spoken: Vec<bool> = terms
        .metrics
        .iter()
        .map(|metric| place(metric, terms).is_some())
        .collect();
    let ps = |only_spoken: bool| -> Vec<f64> {
        let of = all.iter().flat_map(|pairs| pairs.iter().zip(&spoken));
        of.filter(|(_, spoken)| **spoken || !only_spoken)
            .map(|(paired, _)| paired.p)
            .collect()
    };
    let mut among_spoken = holm(&ps(true), terms.confidence).into_iter();
    let mut among_all = holm(&ps(false), terms.confidence).into_iter();
    let mut one = |spoken: &bool| {
        let anywhere = among_all.next().unwrap_or(false);
        if *spoken {
            among_spoken.next().unwrap_or(false)
        } else {
            anywhere
        }
    };
    all.iter().map(|_| spoken.iter().map(&mut one).collect()).collect()
}

/// The place of a metric in the sentences, if they speak of it: some speak for themselves, and what objectives bound comes behind. Where one
/// met more requests than the other, or a run says nothing of a month, they speak of the cost of 1,000.
fn place(metric: &Metric, terms: Terms<'_>) -> Option<u8> {
    const BOUNDED: u8 = u8::MAX;
    if !terms.same_traffic && metric.grows_with_traffic() {
        return None;
    }
    let own = match metric {
        metric if !(terms.same_traffic && terms.by_month) && metric == terms.of_1k => {
            Metric::COST_PER_MONTH.as_standard()?.spoken
        }
        metric => metric.as_standard().and_then(|standard| standard.spoken),
    };
    own.or_else(|| terms.bounded.contains(metric).then_some(BOUNDED))
}

fn difference(metric: &Metric, first: &Side, paired: &Paired, stands: bool, matters: f64) -> Difference {
    let value = paired.difference.value.abs();
    let is_share = metric.unit() == Unit::Share;
    let matters = if is_share {
        value >= matters * POINTS
    } else {
        paired.relative.is_none_or(|share| share.abs() >= matters)
    };
    Difference {
        metric: metric.clone(),
        difference: paired.difference,
        relative: paired
            .relative
            .filter(|_| !is_share || first.estimate.value >= NEAR_ZERO),
        verdict: match paired.verdict {
            Verdict::Same => Verdict::Same,
            decided if stands && !is_rounding(metric, paired) => decided,
            Verdict::Lower | Verdict::Higher | Verdict::CannotTell => Verdict::CannotTell,
        },
        // What is larger than any number is.
        matters: matters || value.is_nan(),
    }
}

/// Whether the difference is one that two equal percentiles may show, each the middle of a bucket of the histogram.
fn is_rounding(metric: &Metric, paired: &Paired) -> bool {
    metric.percentile().is_some()
        && paired.verdict != Verdict::Same
        && paired.relative.is_some_and(|share| share.abs() < RESOLUTION)
}

fn sentence(policy: &str, baseline: &str, differences: &[Difference], terms: Terms<'_>) -> String {
    let mut spoken: Vec<(u8, &Difference)> = differences
        .iter()
        .filter_map(|d| Some((place(&d.metric, terms)?, d)))
        .collect();
    sorting::by_key(&mut spoken, |(place, _)| *place);
    let spoken = || spoken.iter().map(|(_, difference)| *difference);
    let is_better = |d: &Difference| (d.verdict == Verdict::Lower) == d.metric.lower_is_better();
    let decided = |d: &&Difference| matches!(d.verdict, Verdict::Lower | Verdict::Higher);
    let with_figure = |d: &Difference| with_figure(d, differences, terms.code);
    let better = spoken().filter(decided).filter(|d| d.matters && is_better(d));
    let better: Vec<String> = better.map(with_figure).collect();
    let worse = spoken().filter(decided).filter(|d| d.matters && !is_better(d));
    let worse: Vec<String> = worse.map(with_figure).collect();
    let little = spoken().filter(decided).filter(|d| !d.matters);
    let little: Vec<String> = little.map(with_figure).collect();
    let of = |verdict| spoken().filter(move |d| d.verdict == verdict && d.difference.n > 0);
    let same: Vec<String> = of(Verdict::Same).map(|d| name(&d.metric)).collect();
    let unclear: Vec<String> = of(Verdict::CannotTell).map(|d| name(&d.metric)).collect();
    let mut parts = Vec::new();
    for (what, list) in [
        ("better on ", &better),
        ("worse on ", &worse),
        ("too little to matter on ", &little),
        ("no difference seen on ", &same),
    ] {
        if !list.is_empty() {
            parts.push(format!("{what}{}", join(list)));
        }
    }
    if parts.is_empty() && !terms.same_traffic {
        return format!(
            "{policy} against {baseline}: beside what follows from the traffic, the runs cannot tell them apart."
        );
    }
    if parts.is_empty() {
        return format!("{policy} against {baseline}: the runs cannot tell them apart.");
    }
    if !unclear.is_empty() {
        parts.push(format!("the runs cannot tell on {}", join(&unclear)));
    }
    format!("{policy} against {baseline}: {}.", parts.join("; "))
}

/// The name of a figure with its difference, absolute and relative.
fn with_figure(d: &Difference, differences: &[Difference], code: Option<Code>) -> String {
    if d.difference.value.is_nan() {
        let which = if d.verdict == Verdict::Higher {
            "its"
        } else {
            "the other's"
        };
        return format!(
            "{} ({which} is beyond any bound: too many requests fail)",
            name(&d.metric)
        );
    }
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
}

/// What became of a policy in the figures that the sentences speak of, without figures: "better on quality; worse on errors". Nothing where no
/// difference stands and matters.
pub(super) fn in_short(of: &Comparison, terms: Terms<'_>) -> Option<String> {
    let spoken = of
        .differences
        .iter()
        .filter_map(|d| Some((place(&d.metric, terms)?, d)));
    let decided = |d: &Difference| d.matters && matches!(d.verdict, Verdict::Lower | Verdict::Higher);
    let mut spoken: Vec<(u8, &Difference)> = spoken.filter(|(_, d)| decided(d)).collect();
    sorting::by_key(&mut spoken, |(place, _)| *place);
    let names = |better: bool| -> Vec<String> {
        let is_better = |d: &Difference| (d.verdict == Verdict::Lower) == d.metric.lower_is_better();
        let those = spoken.iter().filter(|(_, d)| is_better(d) == better);
        those.map(|(_, d)| name(&d.metric)).collect()
    };
    let parts = [("better on ", names(true)), ("worse on ", names(false))];
    let parts = parts.iter().filter(|(_, list)| !list.is_empty());
    let parts: Vec<String> = parts.map(|(what, list)| format!("{what}{}", join(list))).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
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

    fn side(values: &[f64]) -> Side {
        Side::of_replications(values, Confidence::P95)
    }

    static OF_1K: Metric = Metric::COST_PER_1K;

    fn terms<'a>(metrics: &'a [&'a Metric], by_month: bool) -> Terms<'a> {
        Terms {
            metrics,
            bounded: &[],
            confidence: Confidence::P95,
            matters: 0.01,
            code: None,
            same_traffic: true,
            by_month,
            of_1k: &OF_1K,
        }
    }

    /// The standard metrics and another one, of policies in which every metric is 1 but for those given.
    fn compared(another: Metric, policies: &[&[(Metric, [f64; 3])]]) -> Vec<Comparison> {
        let metrics: Vec<Metric> = Metric::standard().map(|(m, _)| m).chain([another]).collect();
        let of = |special: &[(Metric, [f64; 3])], m: &Metric| {
            let found = special.iter().find(|(s, _)| s == m);
            side(&found.map_or([1.0; 3], |(_, v)| *v))
        };
        let sides: Vec<Vec<Side>> = std::iter::once(&[] as &[(Metric, [f64; 3])])
            .chain(policies.iter().copied())
            .map(|special| metrics.iter().map(|m| of(special, m)).collect())
            .collect();
        let names: Vec<String> = ["a", "b", "c"].iter().take(sides.len()).map(|n| (*n).into()).collect();
        let metrics: Vec<&Metric> = metrics.iter().collect();
        let terms = terms(&metrics, true);
        compare(&names, &sides, terms)
    }

    fn sentence_of(special: &[(Metric, [f64; 3])]) -> String {
        compared(Metric::E2E_MEAN.within(Key::Class, "c"), &[special])
            .remove(0)
            .sentence
    }

    #[test]
    fn a_sentence_says_what_the_intervals_say() {
        let sentence = sentence_of(&[
            (Metric::TTFT_P95, [0.5, 0.501, 0.499]),
            (Metric::COST_PER_MONTH, [1.5, 1.5, 1.501]),
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
            (Metric::QUALITY, [1.1, 1.1, 1.1]),
            (Metric::ERROR_RATE, [1.1, 1.1, 1.1]),
        ]);
        let (better, worse) = (sentence.find("better on quality"), sentence.find("worse on errors"));
        assert!(better.is_some() && better < worse, "{sentence}");
    }

    #[test]
    fn what_is_certain_may_be_too_little_to_matter() {
        let sentence = sentence_of(&[(Metric::COST_PER_MONTH, [1.005; 3]), (Metric::ERROR_RATE, [1.0005; 3])]);
        assert!(
            sentence.starts_with("b against a: too little to matter on errors (+0.050 pp"),
            "{sentence}"
        );
        assert!(sentence.contains(" and monthly cost (+$0.005"), "{sentence}");
    }

    /// p is 0.036 for one comparison of three replications: it stands alone, and not beside another that does not.
    #[test]
    fn many_comparisons_ask_for_more_of_each() {
        let weak: &[(Metric, [f64; 3])] = &[(Metric::ERROR_RATE, [1.5, 1.6, 1.9])];
        let noise: &[(Metric, [f64; 3])] = &[
            (Metric::ERROR_RATE, [0.9, 1.3, 0.9]),
            (Metric::TTFT_P95, [0.9, 1.3, 0.9]),
        ];
        let verdict = |policies: &[&[(Metric, [f64; 3])]]| {
            let first = compared("ttft.p50{class=c}".parse().unwrap(), policies).remove(0);
            let found = first.differences.into_iter().find(|d| d.metric == Metric::ERROR_RATE);
            found.unwrap().verdict
        };
        assert_eq!(verdict(&[weak]), Verdict::CannotTell, "six figures are spoken of");
        let certain: &[(Metric, [f64; 3])] = &[(Metric::ERROR_RATE, [1.5, 1.501, 1.5])];
        assert_eq!(verdict(&[certain, noise]), Verdict::Higher);
    }

    #[test]
    fn a_rate_near_zero_has_no_relative_difference() {
        let paired = |a: [f64; 3]| {
            let (a, b) = (side(&a), side(&[0.5; 3]));
            let paired = Paired::compare(&a, &b, Confidence::P95);
            difference(&Metric::ERROR_RATE, &a, &paired, true, 0.01).relative
        };
        assert_eq!(paired([0.001; 3]), None);
        assert!(paired([0.25; 3]).is_some_and(|share| (share - 1.0).abs() < 1e-9));
    }

    /// 0.05 % may be the width of a bucket, 0.2 % is not; a cost has no buckets.
    #[test]
    fn percentiles_in_one_bucket_are_not_told_apart() {
        let verdict = |metric: &str, b: f64| {
            let metric: Metric = metric.parse().unwrap();
            let comparison = compared(metric.clone(), &[&[(metric.clone(), [b; 3])]]).remove(0);
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

    /// A run that says nothing of a month would leave out a price that is a fifth higher.
    #[test]
    fn without_the_bill_of_a_month_that_of_1000_requests_is_told() {
        let names = ["a".to_owned(), "b".to_owned()];
        let metrics = [&Metric::COST_PER_1K];
        let told = |by_month: bool| {
            let terms = terms(&metrics, by_month);
            let sides = [vec![side(&[1.0, 1.01, 0.99])], vec![side(&[1.2, 1.212, 1.188])]];
            compare(&names, &sides, terms).remove(0).sentence
        };
        assert!(
            told(false).starts_with("b against a: worse on $ / 1,000 requests (+$0.20"),
            "{}",
            told(false)
        );
        assert_eq!(told(true), "b against a: the runs cannot tell them apart.");
    }

    #[test]
    fn with_one_replication_nothing_is_told() {
        let names = ["a".to_owned(), "b".to_owned()];
        let metrics = [&Metric::TTFT_P95];
        let terms = terms(&metrics, true);
        let comparison = compare(&names, &[vec![side(&[1.0])], vec![side(&[2.0])]], terms).remove(0);
        assert_eq!(comparison.sentence, "b against a: the runs cannot tell them apart.");
    }
}
