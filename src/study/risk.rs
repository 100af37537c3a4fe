//! What inputs that are not known exactly make of a decision, from runs at draws of them and at their ends.
//!
//! Quantiles are those of a Latin hypercube ([`Spread::of_parts`]); how a figure's spread splits into inputs and chance is [`Split`]'s estimate over crossed
//! draws and replications. That a draw meets an objective goes by the run's verdict and, where that is undecided, by its figure; a policy that
//! outgrew its bound at a draw meets none there, and has no figure among the quantiles, which is said. A share of draws has Wilson's interval as if draws were independent, which a hypercube makes no
//! wider. One month differs from another by its inputs and by the chance of as many stretches as it has, which are taken to be independent:
//! its ends lie as far from the median as both and the error of the simulated mean together, as root sum of squares; the spread of a
//! replication being known from few of them, normal deviates are widened to Student's. The estimate of the inputs' part is unbiased for points
//! drawn independently; those of a hypercube make it up to a part in n − 1 too large. Left out: what the models' own measurements leave open by
//! itself; it is part of the chance of a replication, so that a month, over which it would stay the same, takes it for less than it is.

use crate::kernel::law::{normal_quantile, normal_sf};
use crate::report::risk::{End, Figure, Month, OfPolicy, Risk, Share};
use crate::report::sweep::{AtPoint, Point};
use crate::report::{Between, Goal, Judged, Metric, Report, shown};
use crate::stats::critical::Confidence;
use crate::stats::crossed::Split;
use crate::stats::interval::{Estimate, wilson};
use crate::stats::moments::Moments;
use crate::stats::sorting;
use crate::stats::spread::Spread;

/// One run of the study.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The figures of each policy there.
    pub point: Point,
    /// The verdict on each goal, by the policies of the point; nothing where a goal is not asked of one.
    judged: Vec<Vec<Option<Judged>>>,
    /// The figures of each replication, by policy and metric.
    singles: Vec<Vec<Vec<f64>>>,
}

impl Seen {
    /// What `report` says at these values, with the figures of its single replications by policy and metric.
    pub fn of(values: Vec<String>, report: &Report, metrics: &[Metric], singles: Vec<Vec<Vec<f64>>>) -> Seen {
        let none = || vec![None; report.scorecard.goals.len()];
        let row = |name: &str| report.scorecard.of(name).map_or_else(none, |row| row.judged.clone());
        Seen {
            point: Point::of(values, report, metrics),
            judged: report.policies.iter().map(|policy| row(&policy.name)).collect(),
            singles,
        }
    }

    /// A run without figures, because requests piled up.
    pub fn outgrown(values: Vec<String>, why: String) -> Seen {
        Seen {
            point: Point {
                values,
                policies: Vec::new(),
                outgrown: Some(why),
            },
            judged: Vec::new(),
            singles: Vec::new(),
        }
    }

    fn find(&self, policy: &str) -> Option<(usize, &AtPoint)> {
        let mut all = self.point.policies.iter().enumerate();
        all.find(|(_, of)| of.name == policy)
    }

    /// The figures of single replications.
    fn each(&self, policy: &str, metric: usize) -> Option<&[f64]> {
        let (place, _) = self.find(policy)?;
        self.singles.get(place)?.get(metric).map(Vec::as_slice)
    }

    /// A figure; NaN where there is none.
    fn figure(&self, policy: &str, metric: usize) -> f64 {
        let found = self.find(policy).and_then(|(_, of)| of.figures.get(metric));
        found.map_or(f64::NAN, |figure: &Estimate| figure.value)
    }
}

/// The metrics of a study: first the cost that policies are compared by, or what they are judged by where nothing costs anything; then those of
/// objectives and those `asked` for.
pub fn metrics(centre: &Report, asked: &[Metric], budget: bool) -> Vec<Metric> {
    let values = |metric: &Metric| {
        centre
            .policies
            .iter()
            .map(|policy| shown(policy, metric).0.value)
            .collect::<Vec<_>>()
    };
    let costs = [Metric::COST_PER_MONTH, Metric::COST_PER_1K]
        .into_iter()
        .find(|metric| {
            let values = values(metric);
            values.iter().all(|x| x.is_finite()) && values.iter().any(|x| *x > 0.0)
        });
    let goals = centre.scorecard.goals.iter().map(|goal| goal.metric.clone());
    let month = budget.then_some(Metric::COST_PER_MONTH);
    let mut all: Vec<Metric> = Vec::new();
    for metric in costs.into_iter().chain(goals).chain(asked.iter().cloned()).chain(month) {
        if !all.contains(&metric) {
            all.push(metric);
        }
    }
    if all.len() < 2 {
        all.extend(
            [Metric::E2E_P95, Metric::ERROR_RATE]
                .into_iter()
                .filter(|metric| !all.contains(metric))
                .collect::<Vec<_>>(),
        );
    }
    all
}

/// What is counted of the runs of a study.
struct Counting<'a> {
    metrics: &'a [Metric],
    goals: &'a [Goal],
    budget: Option<f64>,
    confidence: Confidence,
    /// Replications of a month; below 1 where a replication is longer.
    stretches: f64,
    draws: &'a [Seen],
}

impl Counting<'_> {
    /// Whether the policy keeps to the goal of that number at `seen`; nothing where it is not asked of it.
    fn holds(&self, seen: &Seen, policy: &str, goal: usize) -> Option<bool> {
        let Some((place, _)) = seen.find(policy) else {
            return Some(false);
        };
        let of = &self.goals[goal];
        Some(match seen.judged[place][goal]? {
            Judged::Pass => true,
            Judged::Fail => false,
            Judged::Undecided => {
                let metric = self.metrics.iter().position(|metric| *metric == of.metric);
                let value = metric.map_or(f64::NAN, |metric| seen.figure(policy, metric));
                if of.at_most {
                    value <= of.bound
                } else {
                    value >= of.bound
                }
            }
        })
    }

    fn meets(&self, seen: &Seen, policy: &str) -> bool {
        seen.find(policy).is_some() && (0..self.goals.len()).all(|goal| self.holds(seen, policy, goal) != Some(false))
    }

    /// The best by the first metric of the policies that meet every objective, the first of equals.
    fn cheapest<'s>(&self, seen: &'s Seen) -> Option<&'s str> {
        let side = if self.metrics[0].lower_is_better() { 1.0 } else { -1.0 };
        let meeting = seen.point.policies.iter().filter(|of| self.meets(seen, &of.name));
        let valued = meeting.filter_map(|of| Some((&of.name, side * of.figures.first()?.value)));
        let best = valued
            .filter(|(_, value)| !value.is_nan())
            .reduce(|a, b| if b.1 < a.1 { b } else { a });
        best.map(|(name, _)| name.as_str())
    }

    fn share(&self, holds: impl Fn(&Seen) -> bool) -> Share {
        self.share_of_known(|seen| Some(holds(seen)))
    }

    /// The share of the draws of which it is known.
    fn share_of_known(&self, holds: impl Fn(&Seen) -> Option<bool>) -> Share {
        let known: Vec<bool> = self.draws.iter().filter_map(holds).collect();
        let (held, of) = (known.iter().filter(|holds| **holds).count() as u64, known.len() as u64);
        let (lo, hi) = wilson(held, of, self.confidence);
        Share { held, of, lo, hi }
    }

    fn figure(&self, policy: &str, metric: usize) -> Figure {
        let means: Vec<f64> = self.draws.iter().map(|seen| seen.figure(policy, metric)).collect();
        let spread = Spread::of(&means);
        let singles = self.draws.iter().filter_map(|seen| seen.each(policy, metric));
        let singles: Vec<&[f64]> = singles.filter(|of| !of.is_empty()).collect();
        let each = singles.iter().map(|of| of.len()).min().unwrap_or(0);
        let crossed: Vec<&[f64]> = singles.iter().map(|of| &of[..each]).collect();
        let split = Split::of(&crossed);
        let all = Spread::of(&crossed.concat());
        let ends = all.of_parts(0.1).zip(all.of_parts(0.9)).filter(|_| crossed.len() > 4);
        Figure {
            p10: spread.of_parts(0.1),
            p50: spread.of_parts(0.5),
            p90: spread.of_parts(0.9),
            inputs: split.map(|split| split.points.max(0.0).sqrt()),
            chance: split.map(|split| split.chance.sqrt()),
            of_inputs: split.and_then(|split| split.share()),
            single: ends.map(Between::new),
        }
    }

    /// The replications that every draw has.
    fn replications(&self, policy: &str, metric: usize) -> usize {
        let counts = self
            .draws
            .iter()
            .filter_map(|seen| Some(seen.each(policy, metric)?.len()));
        counts.filter(|count| *count > 0).min().unwrap_or(0)
    }

    /// What one month costs, of which `figure` has the means.
    fn month(&self, policy: &str, metric: usize, figure: &Figure) -> Option<Month> {
        let ((p10, p50), p90) = figure.p10.zip(figure.p50).zip(figure.p90)?;
        let single = figure.chance.unwrap_or(0.0);
        let chance = single / self.stretches.sqrt();
        // Every draw meets the same replications, so that the error of their mean is the same at all.
        let replications = self.replications(policy, metric);
        let simulated = single / (replications.max(1) as f64).sqrt();
        let error = libm::hypot(chance, simulated);
        // The spread of a replication is known from few of them.
        let wider = match Confidence::new(0.8) {
            Ok(middle) if replications > 1 => middle.t(replications - 1),
            _ => normal_quantile(0.9),
        };
        let reach = |x: f64| libm::hypot(x, wider * error);
        let means = self
            .draws
            .iter()
            .map(|seen| seen.figure(policy, metric))
            .filter(|mean| !mean.is_nan());
        let means: Vec<f64> = means.collect();
        let above = |budget: f64| {
            // A normal deviate of which the same part lies beyond: of a wider spread.
            let scale = error * wider / normal_quantile(0.9);
            let one = |mean: &f64| match scale > 0.0 {
                true => normal_sf((budget - mean) / scale),
                false => f64::from(u8::from(*mean > budget)),
            };
            means.iter().map(one).sum::<f64>() / means.len() as f64
        };
        Some(Month {
            p10: p50 - reach(p50 - p10),
            p90: p50 + reach(p90 - p50),
            chance,
            simulated,
            over_budget: self.budget.map(above),
        })
    }

    fn policy(&self, name: &str) -> OfPolicy {
        let figures: Vec<Figure> = (0..self.metrics.len())
            .map(|metric| self.figure(name, metric))
            .collect();
        let asked = |goal: usize| {
            let is_asked = |seen: &Seen| {
                seen.find(name)
                    .is_none_or(|(place, _)| seen.judged[place][goal].is_some())
            };
            self.draws.iter().any(is_asked)
        };
        let holds = (0..self.goals.len())
            .map(|goal| asked(goal).then(|| self.share(|seen| self.holds(seen, name, goal) == Some(true))));
        let cost = self.metrics.iter().position(|metric| *metric == Metric::COST_PER_MONTH);
        let cost = cost.filter(|metric| figures[*metric].p50.is_some());
        OfPolicy {
            name: name.to_owned(),
            holds: holds.collect(),
            all: (!self.goals.is_empty()).then(|| self.share(|seen| self.meets(seen, name))),
            cheapest: self.share(|seen| self.cheapest(seen) == Some(name)),
            over_budget: (self.budget.zip(cost)).map(|(budget, metric)| {
                let cost = |seen: &Seen| Some(seen.figure(name, metric)).filter(|cost| !cost.is_nan());
                self.share_of_known(|seen| cost(seen).map(|cost| cost > budget))
            }),
            month: cost.and_then(|metric| self.month(name, metric, &figures[metric])),
            figures,
        }
    }
}

/// How far the interval of the mean difference of figures from the same replications reaches; nothing of fewer than two.
fn paired_reach(one: &[f64], other: &[f64], confidence: Confidence) -> Option<f64> {
    let mut differences = Moments::default();
    let pairs = one.iter().zip(other).map(|(a, b)| b - a);
    pairs
        .filter(|difference| difference.is_finite())
        .for_each(|difference| differences.add(difference));
    Some(confidence.t(differences.n().max(1) as usize - 1) * differences.standard_error()?)
        .filter(|reach| reach.is_finite())
}

/// Fills in what follows from the runs: `all` has the inputs and what was asked, `ends` the runs at the ends of each input.
///
/// `names` are those of the policies, in the experiment's order; the ends are those of the inputs of `all`, in their order.
pub fn risk(
    mut all: Risk,
    names: &[String],
    centre: Seen,
    ends: Vec<Vec<(String, Seen)>>,
    draws: Vec<Seen>,
    month: f64,
) -> Risk {
    let (metrics, goals) = (all.metrics.clone(), all.objectives.clone());
    let counting = Counting {
        metrics: &metrics,
        goals: &goals,
        budget: all.budget,
        confidence: Confidence::new(all.confidence).unwrap_or_default(),
        stretches: month / all.counted,
        draws: &draws,
    };
    all.policies = names.iter().map(|name| counting.policy(name)).collect();
    let met = counting.cheapest(&centre).map(str::to_owned);
    all.is_met = met.is_some();
    let most = |share: &dyn Fn(&OfPolicy) -> u64| {
        let best = all
            .policies
            .iter()
            .reduce(|a, b| if share(b) > share(a) { b } else { a });
        best.map(|policy| policy.name.clone()).unwrap_or_default()
    };
    all.leader = met.unwrap_or_else(|| most(&|policy| policy.all.map_or(policy.cheapest.held, |share| share.held)));
    let leader = all.leader.clone();
    all.nowhere = counting.share(|seen| counting.cheapest(seen).is_none()).held;
    let is_untold = |seen: &Seen| {
        let found = seen.find(&leader);
        found.is_some_and(|(place, of)| {
            of.meets == Some(Judged::Undecided) && !seen.judged[place].contains(&Some(Judged::Fail))
        })
    };
    all.untold = counting.share(is_untold).held;
    let is_moved = |metric: &usize| {
        let own = centre.figure(&leader, *metric);
        let mut all = ends.iter().flatten();
        all.any(|(_, seen)| (seen.figure(&leader, *metric) - own).abs() > 0.0)
    };
    all.moved = (0..metrics.len()).find(is_moved).unwrap_or(0);
    for (input, ends) in all.inputs.iter_mut().zip(ends) {
        let change = |seen: &Seen, name: &String| seen.figure(name, all.moved) - centre.figure(name, all.moved);
        let reach = |centre: &Seen, seen: &Seen, name: &str| {
            let each = |of: &'_ Seen| of.each(name, all.moved).map(<[f64]>::to_vec);
            paired_reach(&each(centre)?, &each(seen)?, counting.confidence)
        };
        let one = |(value, seen): (String, Seen)| End {
            value,
            changes: names.iter().map(|name| change(&seen, name)).collect(),
            reaches: names.iter().map(|name| reach(&centre, &seen, name)).collect(),
            cheapest: counting.cheapest(&seen).map(str::to_owned),
            at: seen.point,
        };
        input.ends = ends.into_iter().map(one).collect();
    }
    let lead = names.iter().position(|name| *name == leader).unwrap_or(0);
    let order: Vec<f64> = all.inputs.iter().map(|input| input.swing(lead)).collect();
    let mut places: Vec<usize> = (0..order.len()).collect();
    sorting::by(&mut places, |a, b| order[*b].total_cmp(&order[*a]));
    all.draws = draws.into_iter().map(|seen| seen.point).collect();
    for point in &mut all.draws {
        point.values = places.iter().filter_map(|i| point.values.get(*i).cloned()).collect();
    }
    all.inputs = places.into_iter().map(|i| all.inputs[i].clone()).collect();
    all.centre = centre.point;
    all.tell();
    all
}
