//! Two results on one page: every policy of both, and each that both have in the second against the first.
//!
//! Where both runs have the same seed, the same times and the same arrivals, replication by replication, their common random numbers pair
//! them, and a difference is known better than either figure; where not, the two are independent, and the interval of a difference is
//! wider. What became of each policy comes first, with the objectives that it fails now. Where one result has more traffic than the other,
//! goodput and the bill of a month are not a merit of a policy, and nothing is said of them. Only results of one confidence and one currency
//! are compared. Left out: policies that have no namesake in the other result, which are shown and not compared.

use std::path::Path;

use super::changes::{Changes, told};
use super::compare::{Pair, Terms, are_billed_by_month, compare_pairs};
use super::differing::{differing, is_paired, traffic, unpaired};
use crate::report::{
    Goal, Joined, Judged, Measured, Metric, PolicyReport, Report, Scorecard, Scored, Unit, cost_of_1k, format,
};
use crate::stats::compare::Side;
use crate::stats::interval::Confidence;

/// The smallest relative difference that matters where no plan says.
const MATTERS: f64 = 0.01;

/// Why two results cannot stand side by side.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum Apart {
    /// Intervals of different levels.
    #[error("the two results have intervals of different confidence, {0} and {1}: run one of them again")]
    Confidence(f64, f64),
    /// Money in different currencies.
    #[error("the two results have different currencies, {0} and {1}: figures of money cannot be compared")]
    Currency(String, String),
}

/// Both results as one report. Policies are named after the result that they are of: `names`, which are different.
///
/// # Errors
/// If the results have different confidences or currencies.
pub fn join(first: &Report, second: &Report, names: [&str; 2]) -> Result<Report, Apart> {
    let confidence = |report: &Report| Confidence::new(report.confidence).ok();
    let level = match (confidence(first), confidence(second)) {
        (Some(a), Some(b)) if a == b => a,
        _ => return Err(Apart::Confidence(first.confidence, second.confidence)),
    };
    if first.code() != second.code() {
        let code = |report: &Report| report.code().map_or_else(|| "USD".into(), |code| code.to_string());
        return Err(Apart::Currency(code(first), code(second)));
    }
    let paired = is_paired(first, second);
    let namesakes: Vec<(&PolicyReport, &PolicyReport)> = (first.policies.iter())
        .filter_map(|policy| Some((policy, second.policies.iter().find(|other| other.name == policy.name)?)))
        .collect();
    let metrics: Vec<&Metric> = namesakes.first().map_or_else(Vec::new, |(a, b)| {
        let both = a.metrics.iter().map(|measured| &measured.metric);
        both.filter(|metric| b.metrics.iter().any(|m| m.metric == **metric))
            .collect()
    });
    let named = |name: &str, of: usize| format!("{name} ({})", names[of]);
    let sides = |policy: &PolicyReport, of: usize| -> Vec<Side> {
        metrics.iter().map(|metric| side(policy, metric, of, paired)).collect()
    };
    let pairs: Vec<Pair> = (namesakes.iter())
        .map(|(a, b)| Pair {
            baseline: named(&a.name, 0),
            policy: named(&b.name, 1),
            from: sides(a, 0),
            to: sides(b, 1),
        })
        .collect();
    let traffic = traffic(first, second);
    let goals = [first, second].into_iter().flat_map(|report| &report.scorecard.goals);
    let bounded: Vec<Metric> = goals.map(|goal| goal.metric.clone()).collect();
    let of_1k = cost_of_1k(namesakes.iter().flat_map(|(a, b)| [*a, *b]));
    let terms = Terms {
        metrics: &metrics,
        bounded: &bounded,
        confidence: level,
        matters: MATTERS,
        code: first.code(),
        same_traffic: traffic.is_none(),
        of_1k: &of_1k,
        by_month: are_billed_by_month(namesakes.iter().flat_map(|(a, b)| [*a, *b])),
    };
    let both = [first, second];
    let of_each = |list: fn(&Report) -> &[String]| -> Vec<String> {
        let each = both.iter().zip(names);
        each.flat_map(|(report, name)| list(report).iter().map(move |text| format!("{name}: {text}")))
            .collect()
    };
    // How each was run, without its figures.
    let head = |of: usize| {
        Box::new(Report {
            experiment: names[of].to_owned(),
            policies: Vec::new(),
            comparisons: Vec::new(),
            ..both[of].clone()
        })
    };
    let mut report = first.clone();
    report.comparisons = compare_pairs(&pairs, terms);
    let changes: Vec<Changes> = namesakes
        .iter()
        .map(|(a, _)| Changes::of(&a.name, first, second))
        .collect();
    let told = told(
        &report.comparisons,
        &changes,
        &namesakes,
        terms,
        !second.objectives.is_empty(),
    );
    for (comparison, changes) in report.comparisons.iter_mut().zip(&changes) {
        let said = changes.in_words(first.code());
        if !said.is_empty() {
            comparison.sentence += &format!(" It {said}.");
        }
    }
    let how = if paired {
        "The same seed, times and arrivals: compared replication by replication.".to_owned()
    } else {
        format!(
            "They did not meet the same requests at the same times ({}): the two are independent, and the intervals of the differences wider \
             for it.",
            unpaired(first, second)
        )
    };
    let none = "They have no policy of the same name, and nothing is compared.";
    let what = if namesakes.is_empty() { none.to_owned() } else { how };
    let mut headline = vec![format!("{} against {}{}", names[1], names[0], told.0)];
    headline.extend(recommended(first, second, names));
    headline.extend(told.1);
    headline.extend(traffic.map(|[a, b]| {
        let rate = |x| format::value(Unit::PerSecond, x);
        format!(
            "The traffic differs: {} requests a second in {}, {} in {} ({}). Goodput and the bill of a month go with it, and are told without \
             being judged.",
            rate(a).trim_end_matches("/s"),
            names[0],
            rate(b).trim_end_matches("/s"),
            names[1],
            format::relative(b / a - 1.0)
        )
    }));
    headline.extend(differing(first, second));
    headline.push(what);
    report.scorecard = Scorecard {
        headline,
        ..both_cards(both, names)
    };
    report.joined = Some(Joined {
        paired,
        traffic,
        now_fails: changes.iter().any(Changes::is_worse),
        each: [head(0), head(1)],
    });
    report.experiment = format!("{} and {}", names[0], names[1]);
    if first.about != second.about {
        report.about.clear();
    }
    report.warnings = of_each(|report| &report.warnings);
    report.uncertain = of_each(|report| &report.uncertain);
    report.replications_finished = first.replications_finished.min(second.replications_finished);
    report.replications_planned = report.replications_finished;
    report.ranking = None;
    report.objectives.clear();
    report.policies.clear();
    for (of, one) in both.into_iter().enumerate() {
        report.policies.extend(one.policies.iter().map(|policy| PolicyReport {
            name: named(&policy.name, of),
            ..policy.clone()
        }));
        report.objectives.extend(one.objectives.iter().map(|judgement| {
            let mut judgement = judgement.clone();
            judgement.policy = named(&judgement.policy, of);
            judgement
        }));
    }
    let more = second.scheduled.iter().filter(|one| !first.scheduled.contains(one));
    report.scheduled.extend(more.cloned());
    let new = |list: &[String], text: &String| !list.contains(text);
    let more = second.assumptions.iter().filter(|text| new(&first.assumptions, text));
    report.assumptions.extend(more.cloned());
    let more = second.models.iter().filter(|note| !first.models.contains(note));
    report.models.extend(more.cloned());
    Ok(report)
}

/// What became of the policy that the first result recommends: the cheapest that meets every objective.
fn recommended(first: &Report, second: &Report, names: [&str; 2]) -> Option<String> {
    let [before, now] = [first, second].map(|report| report.scorecard.cheapest.as_deref());
    match (before, now) {
        (None, None) => None,
        (Some(before), Some(now)) if before == now => None,
        (Some(before), Some(now)) => Some(format!(
            "The cheapest that meets every objective was {before} in {}, and is {now} in {}.",
            names[0], names[1]
        )),
        (Some(before), None) => {
            let row = second.scorecard.of(before);
            let what = match row.map(|row| row.overall) {
                Some(Judged::Fail) => "fails one",
                Some(Judged::Pass | Judged::Undecided) => "is not known to",
                None => "is missing",
            };
            Some(format!(
                "{before} was the cheapest that meets every objective in {}; in {} it {what}, and no policy is known to meet them all.",
                names[0], names[1]
            ))
        }
        (None, Some(now)) => Some(format!(
            "In {} {now} is the cheapest that meets every objective; in {} no policy was known to meet them all.",
            names[1], names[0]
        )),
    }
}

/// How the policies of both results stand on the objectives of either: one row for each policy of the first, and then of the second.
fn both_cards(both: [&Report; 2], names: [&str; 2]) -> Scorecard {
    let mut goals: Vec<Goal> = Vec::new();
    for goal in both.iter().flat_map(|report| &report.scorecard.goals) {
        if !goals.contains(goal) {
            goals.push(goal.clone());
        }
    }
    let mut rows = Vec::new();
    for (report, name) in both.into_iter().zip(names) {
        let card = &report.scorecard;
        for policy in &report.policies {
            let own = card.of(&policy.name);
            let judged = |goal: &Goal| {
                let at = card.goals.iter().position(|known| known == goal)?;
                own?.judged.get(at).copied().flatten()
            };
            rows.push(Scored {
                policy: format!("{} ({name})", policy.name),
                judged: goals.iter().map(judged).collect(),
                overall: own.map_or(Judged::Undecided, |row| row.overall),
            });
        }
    }
    Scorecard {
        goals,
        rows,
        ..Scorecard::default()
    }
}

/// The name of the result in `file`: that of its folder, or of the file where it is not called `result.json`.
pub fn name_of(file: &Path) -> String {
    let stem = file.file_stem().unwrap_or_default();
    let folder = file.parent().and_then(Path::file_name).filter(|_| stem == "result");
    folder.unwrap_or(stem).to_string_lossy().into_owned()
}

/// A policy's figure over all requests. What replications add to it is the result's, or where the two are independent, nothing that
/// hangs together.
fn side(policy: &PolicyReport, metric: &Metric, of: usize, paired: bool) -> Side {
    let found = policy.metrics.iter().find(|measured| measured.metric == *metric);
    let residuals = |measured: &Measured| match measured.residuals.as_slice() {
        own @ [_, ..] if paired => own.iter().map(|residual| f64::from(*residual)).collect(),
        // Without spread they are not correlated; unequal, they are not the same.
        _ => vec![of as f64],
    };
    Side {
        residuals: found.map(residuals).unwrap_or_default(),
        estimate: found.map_or(crate::stats::interval::Estimate::NONE, |measured| {
            measured.of_all.unwrap_or(measured.estimate)
        }),
    }
}

/// What each replication adds to a figure's error, in as many digits as its correlation with that of another run needs; none where it
/// cannot be told.
pub(super) fn residuals(side: &Side) -> Vec<f32> {
    let all: Vec<f32> = side.residuals.iter().map(|residual| *residual as f32).collect();
    if all.iter().all(|residual| residual.is_finite()) {
        all
    } else {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::sample;
    use crate::stats::compare::Verdict;

    fn with_residuals() -> Report {
        let mut report = sample();
        let n = report.replications_finished as usize;
        for measured in report.policies.iter_mut().flat_map(|policy| &mut policy.metrics) {
            measured.residuals = (0..n).map(|i| (i % 3) as f32 - 1.0).collect();
        }
        report
    }

    #[test]
    fn the_same_run_twice_is_the_same_and_another_seed_is_independent() {
        let first = with_residuals();
        let joined = join(&first, &first, ["a", "b"]).unwrap();
        assert_eq!(joined.policies.len(), 2 * first.policies.len());
        assert_eq!(joined.comparisons.len(), first.policies.len());
        assert_eq!(joined.comparisons[0].policy, format!("{} (b)", first.policies[0].name));
        assert!(
            joined
                .scorecard
                .headline
                .last()
                .unwrap()
                .contains("replication by replication")
        );
        let known = joined.comparisons[0].differences.iter().filter(|d| d.difference.n > 1);
        assert!(known.clone().count() > 0 && known.clone().all(|d| d.verdict == Verdict::Same));
        let mut other = first.clone();
        other.seed += 1;
        let joined = join(&first, &other, ["a", "b"]).unwrap();
        assert!(joined.scorecard.headline.last().unwrap().contains("independent"));
        // √2 of either interval, as two independent errors of one size add up.
        let alone = first.policies[0].metrics[0].estimate;
        let difference = joined.comparisons[0].differences[0].difference;
        let reach = alone.half_width().unwrap() * 2f64.sqrt();
        assert!((difference.half_width().unwrap() - reach).abs() < 1e-9 * reach);
        assert_eq!(joined.comparisons[0].differences[0].verdict, Verdict::CannotTell);
    }

    #[test]
    fn each_result_is_headed_by_how_it_was_run_itself() {
        let (first, mut second) = (sample(), sample());
        (second.seed, second.counted, second.replications_finished) = (43, 3600.0, 7);
        (second.inputs[0].name, second.inputs[0].sha256) = ("other.json".into(), "f".repeat(64));
        let joined = join(&first, &second, ["old", "new"]).unwrap();
        let style = crate::report::terminal::Style {
            width: 200,
            colour: false,
        };
        let text = crate::report::terminal::comparison(&joined, &style);
        let heads: Vec<&str> = text
            .lines()
            .take(2)
            .map(|line| line.split(" simulated").next().unwrap())
            .collect();
        assert_eq!(
            heads,
            ["old: 10 replications × 10 min", "new: 7 of 10 replications × 60 min"]
        );
        assert!(text.lines().nth(1).unwrap().contains("seed 43"), "{text}");
        #[cfg(feature = "plots")]
        {
            let page = crate::report::html::render(&joined).unwrap().replace('\u{a0}', " ");
            let facts: Vec<&str> = page.split("<ul class=\"facts\">").skip(1).collect();
            assert!(
                facts[0].starts_with("<li><b>old</b></li><li>10 replications</li><li>10 min"),
                "{}",
                facts[0]
            );
            assert!(
                facts[1].starts_with("<li><b>new</b></li><li>7 of 10 replications</li><li>60 min"),
                "{}",
                facts[1]
            );
            assert!(facts[1].contains("seed 43") && !facts[0].contains("seed 43"));
            let inputs = page.split_once("<h2>Inputs of new</h2>").unwrap().1;
            assert!(
                inputs.contains("other.json") && !inputs.contains("support-chat.json"),
                "{inputs}"
            );
        }
    }

    #[test]
    fn the_verdict_comes_first_with_the_objectives_that_fail_now() {
        let (first, mut second) = (with_residuals(), with_residuals());
        let judged = second.objectives.iter_mut().find(|o| o.judged == Judged::Pass).unwrap();
        judged.judged = Judged::Fail;
        let (policy, goal) = (judged.policy.clone(), judged.goal());
        let joined = join(&first, &second, ["a", "b"]).unwrap();
        let said = &joined.scorecard.headline;
        let n = first.policies.len();
        assert_eq!(
            said[0],
            format!("b against a: 1 of {n} policies now fails an objective that did not fail.")
        );
        let line = said
            .iter()
            .find(|line| line.starts_with(&format!("{policy}: ")))
            .unwrap();
        let words = format!("now fails {} {}", goal.metric.title_in(None), goal.bound_in(None));
        assert!(line.contains(&words), "{line}");
        // The figures are the same, and that nothing differs would be no answer beside it.
        assert!(line.contains("no difference is certain; now fails"), "{line}");
        assert_eq!(joined.scorecard.goals, first.scorecard.goals);
        assert_eq!(joined.scorecard.rows.len(), joined.policies.len());
    }

    #[test]
    fn a_policy_has_one_colour_in_two_results() {
        let report = sample();
        let joined = join(&report, &report, ["a", "b"]).unwrap();
        // A page has eight colours.
        let apart = [0, 1, 2].map(|colour| Some(colour + 8));
        assert_eq!(joined.colours()[..3], [Some(0), Some(1), Some(2)]);
        assert_eq!(joined.colours()[3..], apart);
    }

    #[test]
    fn more_traffic_is_no_merit_of_a_policy() {
        let (first, mut second) = (with_residuals(), with_residuals());
        for policy in &mut second.policies {
            policy.requests *= 2;
            for measured in &mut policy.metrics {
                if measured.metric.grows_with_traffic() {
                    let e = &mut measured.estimate;
                    (e.value, e.lo, e.hi) = (2.0 * e.value, e.lo.map(|x| 2.0 * x), e.hi.map(|x| 2.0 * x));
                }
            }
        }
        let joined = join(&first, &second, ["a", "b"]).unwrap();
        let told = joined.comparisons.iter().map(|c| &c.sentence);
        for sentence in told
            .chain(&joined.scorecard.headline)
            .filter(|s| !s.starts_with("The traffic differs"))
        {
            assert!(
                !sentence.contains("goodput") && !sentence.contains("monthly cost"),
                "{sentence}"
            );
        }
        assert!(
            joined
                .scorecard
                .headline
                .iter()
                .any(|s| s.starts_with("The traffic differs: "))
        );
        let traffic = joined.joined.unwrap().traffic.unwrap();
        assert!((traffic[1] / traffic[0] - 2.0).abs() < 1e-12);
        assert!(
            join(&first, &first, ["a", "b"])
                .unwrap()
                .joined
                .unwrap()
                .traffic
                .is_none()
        );
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let (first, mut second) = (sample(), sample());
        second.confidence = 0.99;
        assert!(matches!(join(&first, &second, ["a", "b"]), Err(Apart::Confidence(..))));
    }

    #[test]
    fn a_result_has_the_name_of_its_folder() {
        assert_eq!(name_of(Path::new("reports/old/result.json")), "old");
        assert_eq!(name_of(Path::new("x/before.json")), "before");
        assert_eq!(name_of(Path::new("result.json")), "result");
    }
}
