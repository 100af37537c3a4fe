//! What a choice found, in the form that is shown: sentences, the points that were run again, and every candidate with why it is out.

use super::front::front;
use super::select::{Chosen, Out, Selection, Tried, summed};
use crate::decide::Held;
use crate::report::optimum::{Candidate, Ended, Optimum, Point};
use crate::report::sweep::{self, AtPoint};
use crate::report::{Goal, Judged, Metric, Report, format, shown};
use crate::stats::compare::{Paired, Side};
use crate::stats::critical::Confidence;
use crate::stats::interval::Estimate;
use crate::stats::sorting;
use crate::words::{Aim, Unit};

/// The most points of the front that are run again.
const MOST_ON_FRONT: usize = 8;
/// Candidates near the best that are run again.
const NEAR: usize = 3;
/// Names in a sentence; of more it says how many.
const NAMED: usize = 4;

/// What is known of the candidates besides what the search says of them.
#[derive(Clone, Copy, Debug)]
pub struct Among<'a> {
    /// The names of the candidates.
    pub names: &'a [String],
    /// The command that runs each.
    pub commands: &'a [String],
    /// The objectives, by number in the plan.
    pub goals: &'a [Goal],
    /// The number of what the file says, with its first policy, if it is a candidate.
    pub today: Option<usize>,
    /// The command that runs the file as it is.
    pub as_it_is: &'a str,
    /// Whose figure that of the file is, in words: `today's`.
    pub of_today: &'a str,
}

/// A run of a candidate on seeds that the search never met.
#[derive(Debug)]
pub struct Again {
    /// The number of the candidate; nothing for what the file says, where that is not one.
    pub candidate: Option<usize>,
    /// What the run has to say, of the policy alone.
    pub report: Report,
}

impl Tried {
    /// By how much the objective that is broken the most is, as a share of its bound; below 0 if none is. Nothing without replications.
    fn excess(&self, goals: &[Goal]) -> Option<(f64, &Held)> {
        let of = |held| (excess(goals, held), held);
        self.held.iter().map(of).reduce(|a, b| if b.0 > a.0 { b } else { a })
    }

    fn value(&self) -> f64 {
        self.figures.first().map_or(f64::NAN, |figure| figure.value)
    }
}

/// By how much the figure of an objective is beyond its bound, as a share of it.
fn excess(goals: &[Goal], held: &Held) -> f64 {
    let Some(goal) = goals.get(held.objective) else {
        return 0.0;
    };
    let by = held.estimate.value - goal.bound;
    let by = if goal.at_most { by } else { -by };
    let share = if goal.bound == 0.0 { by } else { by / goal.bound.abs() };
    if share.is_nan() { f64::INFINITY } else { share }
}

/// The candidate that is furthest from breaking an objective, or breaks the worst of them the least.
fn nearest(selection: &Selection, goals: &[Goal]) -> Option<usize> {
    let all = selection.tried.iter().enumerate();
    let all = all.filter_map(|(i, tried)| Some((i, tried.excess(goals)?.0)));
    all.reduce(|a, b| if b.1 < a.1 { b } else { a }).map(|(i, _)| i)
}

/// The candidate that is shown first: the one that was chosen, else the cheapest of those that may be, else the nearest.
pub fn leading(selection: &Selection, goals: &[Goal], is_most: bool) -> Option<usize> {
    let cost = |i: usize| {
        let value = selection.tried[i].value();
        if is_most { -value } else { value }
    };
    let holds =
        |i: &&usize| (selection.tried[**i].excess(goals)).is_none_or(|(by, _)| by <= 0.0) && cost(**i).is_finite();
    let rivals = selection.rivals.iter().filter(holds).copied();
    let rival = || rivals.reduce(|a, b| if cost(b) < cost(a) { b } else { a });
    selection.best.or_else(rival).or_else(|| nearest(selection, goals))
}

/// The candidates that are worth a second run, each once: the leading one, what may be better or was nearest to it, and the front.
pub fn worth(selection: &Selection, among: Among<'_>, metrics: &[Aim], is_most: bool, matters: f64) -> Vec<usize> {
    let Some(first) = leading(selection, among.goals, is_most) else {
        return Vec::new();
    };
    let mut all = vec![first];
    all.extend(among.today);
    let cost = |i: usize| {
        if is_most {
            -selection.tried[i].value()
        } else {
            selection.tried[i].value()
        }
    };
    let dearer = |i: &usize| matches!(selection.tried[*i].out, Some(Out::Dearer(_)) | None) && cost(*i).is_finite();
    let mut near: Vec<usize> = (0..selection.tried.len())
        .filter(|i| *i != first)
        .filter(dearer)
        .collect();
    sorting::by(&mut near, |&a, &b| cost(a).total_cmp(&cost(b)));
    all.extend(near.into_iter().take(NEAR));
    let figures: Vec<&[Estimate]> = selection.tried.iter().map(|tried| tried.figures.as_slice()).collect();
    let on_front = front(&figures, metrics, &lower(metrics, is_most), matters);
    // Evenly along it, both ends among them.
    let count = on_front.len().min(MOST_ON_FRONT);
    let at = |k: usize| on_front[k * (on_front.len() - 1) / count.saturating_sub(1).max(1)];
    all.extend((0..count).map(at));
    let mut once: Vec<usize> = Vec::new();
    for i in all {
        if !once.contains(&i) && selection.tried[i].replications > 0 {
            once.push(i);
        }
    }
    once
}

/// Of each metric whether less is better.
fn lower(metrics: &[Aim], is_most: bool) -> Vec<bool> {
    let of = |(i, metric): (usize, &Aim)| if i == 0 { !is_most } else { metric.lower_is_better() };
    metrics.iter().enumerate().map(of).collect()
}

/// Puts what was found into `all`, which says what was asked; `leading` is the number of the candidate that is shown first.
pub fn optimum(
    mut all: Optimum,
    selection: &Selection,
    among: Among<'_>,
    leading: Option<usize>,
    again: &[Again],
) -> Optimum {
    all.ended = match selection.ended {
        Chosen::Found => Ended::Found,
        Chosen::Open => Ended::Open,
        Chosen::Nowhere => Ended::Nowhere,
        Chosen::Spent => Ended::Spent,
        Chosen::Stopped => Ended::Interrupted,
    };
    let name = |i: usize| among.names[i].clone();
    all.best = selection.best.map(name);
    all.probability = selection.probability;
    all.requests = selection.requests;
    let most = selection
        .tried
        .iter()
        .map(|tried| tried.replications)
        .max()
        .unwrap_or(0);
    let each = |tried: &Tried| tried.requests as f64 / tried.replications.max(1) as f64;
    all.equal = (selection.tried.iter().map(each).sum::<f64>() * most as f64) as u64;
    all.points = points(
        &all,
        among,
        leading.filter(|_| selection.ended != Chosen::Nowhere),
        again,
    );
    if let Some(at) = all
        .metrics
        .iter()
        .position(|metric| metric.metric() == Some(&Metric::QUALITY))
        .filter(|at| *at > 0)
    {
        let is_said = all.points.iter().any(|point| point.at.figures[at].value.is_finite());
        let is_known = |tried: &Tried| tried.figures.get(at).is_some_and(|figure| figure.value.is_finite());
        if !is_said && !selection.tried.iter().any(is_known) {
            // It is the last of them.
            all.metrics.truncate(at);
            for point in &mut all.points {
                point.at.figures.truncate(at);
            }
        }
    }
    all.candidates = (selection.tried.iter().enumerate())
        .map(|(i, tried)| Candidate {
            name: name(i),
            replications: tried.replications,
            requests: tried.requests,
            out: tried.out.as_ref().map(|out| match out {
                Out::Fails(number) => among.goals.get(*number).map_or_else(String::new, |goal| {
                    format!(
                        "misses {} {}",
                        goal.metric.title_in(all.currency),
                        goal.bound_in(all.currency)
                    )
                }),
                Out::Dearer(than) if all.maximise => format!("less than {}", among.names[*than]),
                Out::Dearer(than) => format!("more than {}", among.names[*than]),
                Out::Same(as_this) => format!("the same as {}", among.names[*as_this]),
                Out::Valueless => format!("{} has no value", all.metrics[0].title_in(all.currency)),
                Out::Outgrown(most) => format!("more than {} requests were in the system", format::count(*most)),
            }),
            figures: tried.figures.iter().take(all.metrics.len()).copied().collect(),
        })
        .collect();
    all.sentences = sentences(&all, selection, among, leading, again);
    all.warnings = warnings(&all, selection, leading, again);
    all
}

/// The points that were run again, the leading one first.
fn points(all: &Optimum, among: Among<'_>, best: Option<usize>, again: &[Again]) -> Vec<Point> {
    // The command makes the figure beside it.
    let seeds = all.retest.as_ref().map_or_else(String::new, |retest| {
        format!(" --seed {} --replications {}", retest.seed, retest.replications)
    });
    let mut points: Vec<Point> = (again.iter())
        .filter_map(|again| {
            let at = sweep::Point::of(Vec::new(), &again.report, &[])
                .policies
                .into_iter()
                .next()?;
            let figures = all.metrics.iter().map(|aim| figure(&again.report, aim)).collect();
            let at = AtPoint { figures, ..at };
            let is_today = again.candidate.is_none() || again.candidate == among.today;
            Some(Point {
                name: again
                    .candidate
                    .map_or_else(|| format!("{} as it is", at.name), |i| among.names[i].clone()),
                command: format!(
                    "{}{seeds}",
                    again.candidate.map_or(among.as_it_is, |i| &among.commands[i])
                ),
                is_best: best.is_some() && again.candidate == best,
                is_today,
                is_on_front: false,
                at,
            })
        })
        .collect();
    let figures: Vec<&[Estimate]> = points.iter().map(|point| point.at.figures.as_slice()).collect();
    for i in front(&figures, &all.metrics, &lower(&all.metrics, all.maximise), all.matters) {
        points[i].is_on_front = true;
    }
    points
}

/// `a, b, c and 4 others`.
fn listed(names: &[&str]) -> String {
    // One more takes no more room than to say that there is one.
    let shown = if names.len() == NAMED + 1 {
        names.len()
    } else {
        names.len().min(NAMED)
    };
    let (shown, rest) = names.split_at(shown);
    match rest.len() {
        0 => shown.join(", "),
        n => format!("{} and {} others", shown.join(", "), format::count(n as u64)),
    }
}

/// A figure of the policy of a report.
fn figure(report: &Report, aim: &Aim) -> Estimate {
    match aim {
        Aim::Metric(metric) => (report.policies.first()).map_or(Estimate::NONE, |policy| shown(policy, metric).0),
        Aim::Sum(_) => summed(aim, |metric| side(report, metric)).map_or(Estimate::NONE, |side| side.estimate),
    }
}

/// A policy's figure over all requests, and what replications add to its error.
fn side(report: &Report, metric: &Metric) -> Option<Side> {
    let measured = report
        .policies
        .first()?
        .metrics
        .iter()
        .find(|measured| measured.metric == *metric)?;
    Some(Side {
        estimate: measured.of_all.unwrap_or(measured.estimate),
        residuals: measured.residuals.iter().map(|residual| f64::from(*residual)).collect(),
    })
}

/// What the leading candidate is beside what the file says: `31 % less than today's $5,950 (naive)`.
fn beside(all: &Optimum, leading: Option<usize>, among: Among<'_>, again: &[Again]) -> Option<String> {
    let of = |candidate: Option<usize>| again.iter().find(|again| again.candidate == candidate);
    let (own, today) = (of(leading)?, of(among.today)?);
    let metric = &all.metrics[0];
    let of = |report: &Report| summed(metric, |metric| side(report, metric));
    let (a, b) = (of(&today.report)?, of(&own.report)?);
    let confidence = Confidence::new(all.confidence).unwrap_or_default();
    let paired = Paired::compare(&a, &b, confidence);
    let unit = metric.unit_in(all.currency);
    let (value, name) = (
        format::value(unit, a.estimate.value),
        &today.report.policies.first()?.name,
    );
    let misses = today
        .report
        .scorecard
        .of(name)
        .filter(|row| row.overall == Judged::Fail);
    let misses = misses.map_or("", |_| ", which misses an objective");
    Some(match paired.relative {
        _ if leading == among.today => return None,
        Some(by)
            if paired
                .difference
                .lo
                .zip(paired.difference.hi)
                .is_some_and(|(lo, hi)| lo > 0.0 || hi < 0.0) =>
        {
            let word = if by < 0.0 { "less" } else { "more" };
            format!(
                "{} {word} than {} {value} ({name}{misses})",
                format::share(by.abs()),
                among.of_today
            )
        }
        _ => format!("not to be told from {} {value} ({name}{misses})", among.of_today),
    })
}

/// What follows, a sentence for each thing; the answer first.
fn sentences(
    all: &Optimum,
    selection: &Selection,
    among: Among<'_>,
    leading: Option<usize>,
    again: &[Again],
) -> Vec<String> {
    let metric = &all.metrics[0];
    let unit = metric.unit_in(all.currency);
    let title = metric.title_in(all.currency);
    let which = match (all.maximise, metric) {
        (true, _) => "Highest",
        (false, Aim::Metric(metric)) if metric.unit() == Unit::Dollars => "Cheapest",
        (false, Aim::Metric(_)) => "Lowest",
        (false, Aim::Sum(_)) => "Best",
    };
    let meets = if all.objectives.is_empty() {
        "of all"
    } else {
        "that meets every objective"
    };
    let (count, plural) = match among.names.len() {
        1 => ("1".to_owned(), ""),
        n => (format::count(n as u64), "s"),
    };
    let names = |which: &[usize]| listed(&which.iter().map(|i| among.names[*i].as_str()).collect::<Vec<_>>());
    let figure = |i: usize| {
        let own = all.points.iter().find(|point| point.name == among.names[i]);
        own.and_then(|point| point.at.figures.first().copied())
            .or_else(|| selection.tried[i].figures.first().copied())
            .unwrap_or(Estimate::NONE)
    };
    let mut said = Vec::new();
    let likely = |probability: f64| {
        format!(
            "probability of correct selection at least {}",
            format::share(probability)
        )
    };
    match (leading, selection.best) {
        (None, _) => said.push(format!("Nothing is known of any candidate, of {count}.")),
        (Some(i), best) if selection.ended != Chosen::Nowhere => {
            let beside = beside(all, leading, among, again)
                .map(|beside| format!(", {beside}"))
                .unwrap_or_default();
            let figure = format::plus_minus(unit, &figure(i));
            let same = if Some(i) == among.today {
                ", which is what the file says"
            } else {
                ""
            };
            let name = &among.names[i];
            match (selection.ended, best) {
                (Chosen::Found, _) => said.push(format!(
                    "{which} {meets}: {name}{same}, at {figure} ({title}){beside}; {}.",
                    match among.names.len() {
                        1 => "it is the only candidate".to_owned(),
                        _ => likely(selection.probability.unwrap_or(0.0)),
                    }
                )),
                (_, Some(_)) => {
                    let (rivals, be) = (&selection.rivals, if all.maximise { "more" } else { "cheaper" });
                    let probability = selection.probability.filter(|p| *p >= 0.5);
                    let probability = probability.map_or_else(|| "which is best cannot be told yet".to_owned(), likely);
                    said.push(format!(
                        "{which} so far {meets}: {name}{same}, at {figure} ({title}){beside}; {probability}. {} may be {be}: {}.",
                        format::count(rivals.len() as u64),
                        names(rivals)
                    ));
                }
                (_, None) => said.push(format!(
                    "Which candidates meet every objective cannot be told yet, of {}. {which} of those that do in the mean: {name}{same}, at \
                     {figure} ({title}){beside}.",
                    names(&selection.rivals)
                )),
            }
        }
        (Some(i), _) => {
            let broken = selection.tried[i].excess(among.goals).map(|(by, held)| {
                let goal = &among.goals[held.objective];
                let (title, unit) = (goal.metric.title_in(all.currency), goal.metric.unit_in(all.currency));
                let by = if by.is_finite() {
                    format!(", {} beyond it", format::share(by))
                } else {
                    String::new()
                };
                let figure = format::plus_minus(unit, &held.estimate);
                format!(
                    "{title} is {figure}, and the objective {}{by}",
                    goal.bound_in(all.currency)
                )
            });
            said.push(format!(
                "{} {} comes nearest: {}.",
                match among.names.len() {
                    1 => "The only candidate does not meet every objective.".to_owned(),
                    _ => format!("None of the {count} candidates meets every objective."),
                },
                among.names[i],
                broken.unwrap_or_default()
            ));
        }
    }
    let even: Vec<usize> = (0..among.names.len())
        .filter(|i| selection.best.is_some_and(|best| best != *i) && !selection.rivals.contains(i))
        .filter(|i| matches!(selection.tried[*i].out, None | Some(Out::Same(_))))
        .filter(|i| {
            selection
                .best
                .is_some_and(|best| is_near(all, &selection.tried[*i], &selection.tried[best]))
        })
        .collect();
    if selection.ended == Chosen::Found && !even.is_empty() {
        said.push(format!(
            "As good in that to within {}, as far as can be told, whatever else they do: {}.",
            format::share(all.matters),
            names(&even)
        ));
    }
    let again = all.retest.as_ref().map(|retest| {
        format!(
            "; {} of them, run again on seeds of their own ({} replications, seed {}), {}",
            format::count(all.points.len() as u64),
            format::count(retest.replications),
            retest.seed,
            format::count(retest.requests)
        )
    });
    let equal = if all.equal > all.requests {
        format!(
            " As many replications of each as the last had would have been {}.",
            format::count(all.equal)
        )
    } else {
        String::new()
    };
    said.push(format!(
        "{count} candidate{plural} took {} simulated requests{}.{equal}",
        format::count(all.requests),
        again.unwrap_or_default()
    ));
    said
}

/// Whether the figure of `one` may be as good as that of the best, to within what matters: its interval reaches so far.
fn is_near(all: &Optimum, one: &Tried, best: &Tried) -> bool {
    let Some(figure) = one.figures.first() else {
        return false;
    };
    let room = all.matters * best.value().abs();
    if all.maximise {
        figure.hi.unwrap_or(figure.value) >= best.value() - room
    } else {
        figure.lo.unwrap_or(figure.value) <= best.value() + room
    }
}

/// What changes the verdict.
fn warnings(all: &Optimum, selection: &Selection, leading: Option<usize>, again: &[Again]) -> Vec<String> {
    let mut said = Vec::new();
    let own = again
        .iter()
        .find(|again| leading.is_some() && again.candidate == leading);
    if selection.ended != Chosen::Nowhere
        && let Some(point) = all.points.iter().find(|point| point.is_best)
        && let Some(judged @ (Judged::Fail | Judged::Undecided)) = point.at.meets
    {
        let what = point.at.fails.join(", ");
        said.push(if judged == Judged::Fail {
            format!("{}: the run on seeds of its own says that it misses {what}", point.name)
        } else {
            format!(
                "{}: the run on seeds of its own cannot tell on {what}: more replications may",
                point.name
            )
        });
    }
    match selection.ended {
        Chosen::Spent => said.push(
            "the budget of simulated requests was spent: more (--budget), or a shorter `plan.duration`, would tell"
                .to_owned(),
        ),
        Chosen::Open => said.push("more replications of those that remain would tell: --replications".to_owned()),
        Chosen::Found | Chosen::Nowhere | Chosen::Stopped => {}
    }
    if all.retest.is_none() && leading.is_some() {
        said.push(
            "nothing was run again on seeds of its own: figures are the search's, and that of the best is the luckier for having been \
             chosen"
                .to_owned(),
        );
    }
    said.extend(own.into_iter().flat_map(|again| again.report.told()));
    said
}
