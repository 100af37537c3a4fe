//! The report of a run: figures by replication, put into intervals.

use crate::client::budget::{Alert, Allowance};
use crate::engine::incident::Incident;
use crate::engine::replicate::{Finished, Runs};
use crate::engine::scenario::{Deployment, Scenario};
use crate::engine::tally::{ClassTally, Tally};
use crate::experiment::assemble::Plan;
use crate::experiment::caveats;
use crate::experiment::load::Loaded;
use crate::experiment::uncertain_inputs;
use crate::kernel::time::Span;
use crate::report::json::FORMAT;
use crate::report::{
    AlertReport, Bill, BoundReport, CacheReport, ClassReport, Currency, Curves, EffortReport, IdentityReport,
    IncidentReport, Measured, Metric, MilestoneReport, Moment, OutcomeShare, PolicyReport, ProviderReport, QuotaReport,
    Ranking, Report, Scheduled, Steady, SupposedReport, Unit, cache_warning, cost_of_1k, format,
};
use crate::routing::Milestone;
use crate::stats::compare::Side;
use crate::stats::histogram::Histogram;
use crate::stats::quantile::Of;
use crate::stats::sorting;
use crate::words::{BoundKind, EffortKind, Outcome, Start};

use super::alone::{alone, missed};
use super::compare::{Terms, are_billed_by_month, compare};
use super::figures::MONTH_DAYS;
use super::measured::Gathered;
use super::month::Month;
use super::passes::{Asking, Each, Figure, Pooled, Replications, ask};
use super::ranking::{ranking, together};
use super::scorecard::{Given, scorecard};
use super::steady::{self, Story};
use super::uncertain::{self, Uncertain};
use super::{
    bill, classes, clipped, cut, exchange, identities, idle, joined, judge, outside, quotas, response_cache, shut,
    stretch, supposed, survivors,
};

/// Points of a distribution function that a report keeps.
const CURVE_POINTS: usize = 200;

/// What `runs` of `plan` have to say.
///
/// Only replications that every policy finished are used, so that all are compared on the same traffic.
pub fn report(loaded: &Loaded, plan: &Plan, runs: &Runs) -> Report {
    let Ok(report) = report_of(loaded, plan, runs);
    report
}

/// Makes the report from replications wherever they are kept: they are read one by one, twice, and none is held.
///
/// # Errors
/// If one that is finished cannot be read.
pub fn report_of<F: Finished>(loaded: &Loaded, plan: &Plan, runs: &F) -> Result<Report, F::Error> {
    let scenarios = 0..plan.scenarios.len();
    let complete: Vec<u64> = (0..runs.planned())
        // Without a policy no replication says anything.
        .filter(|&r| !scenarios.is_empty() && scenarios.clone().all(|s| runs.has(r, s)))
        .collect();
    let replications = |s: usize| Replications::new(runs, &complete, s);
    let mut all: Vec<Pooled> = Vec::new();
    for (s, scenario) in plan.scenarios.iter().enumerate() {
        let gathered = Gathered::new(plan.metrics.iter().cloned().chain(classes::measures(scenario)));
        let pooled = replications(s).pool(gathered)?;
        all.extend(pooled.map(|mut pooled| {
            pooled.look_at_growth(plan, s);
            pooled
        }));
    }
    let months: Vec<Month> = (plan.scenarios.iter().zip(&mut all))
        .map(|(scenario, pooled)| {
            let month = Month::of(scenario, &pooled.tally);
            month.correct(&plan.metrics, pooled);
            month
        })
        .collect();
    let story = |scenario: &Scenario| match (plan.start, plan.is_recorded) {
        (_, true) => Story::Replayed,
        (Start::Empty, _) => Story::Empty,
        _ if steady::changes(scenario) => Story::Scheduled,
        _ => Story::None,
    };
    let mut policies: Vec<PolicyReport> = Vec::new();
    let mut sides: Vec<Vec<Side>> = Vec::new();
    for (s, pooled) in all.iter_mut().enumerate() {
        let scenario = &plan.scenarios[s];
        let is_uncertain = uncertain::is_uncertain(plan);
        // Figures of classes are not compared; what their replications add is asked for where it goes into their intervals.
        let count = if is_uncertain {
            pooled.gathered.count()
        } else {
            plan.metrics.len()
        };
        let mut compared = pooled.gathered.compared(count, plan.confidence);
        let look = |tally: &Tally| pooled.gathered.residuals(tally, &mut compared);
        let terms = Asking {
            confidence: plan.confidence,
            is_uncertain,
        };
        let mut parts = ask(&replications(s), terms, look, |each| {
            Parts::of(plan, scenario, pooled, &months[s], each)
        })?;
        if is_uncertain {
            pooled.gathered.leave_open(Uncertain::of(&compared.sides, &complete));
            compared.sides.truncate(plan.metrics.len());
            for (i, side) in compared.sides.iter_mut().enumerate() {
                side.estimate = pooled.gathered.estimate(i, Of::Everything, plan.confidence);
            }
            classes::measure(plan, &pooled.gathered, &mut parts.classes);
        }
        let mut policy = policy(plan, s, pooled, &months[s], parts, story(scenario));
        policy.alone = alone(plan, &compared);
        policy.missed = missed(plan, s, &compared);
        for (measured, side) in policy.metrics.iter_mut().zip(&compared.sides) {
            measured.residuals = joined::residuals(side);
        }
        policies.push(policy);
        sides.push(compared.sides);
    }
    let currency = plan
        .currency
        .as_ref()
        .map(|billing| exchange::currency(billing, plan, &all, &months));
    let names: Vec<String> = policies.iter().map(|p| p.name.clone()).collect();
    let outside = outside::outside(plan, &all);
    let metrics: Vec<&Metric> = plan.metrics.iter().map(|m| &m.metric).collect();
    let bounded: Vec<Metric> = plan.objectives.iter().map(|o| o.metric.clone()).collect();
    let window = plan.scenarios.first().map(|s| s.window);
    let gathered: Vec<&Gathered> = all.iter().map(|pooled| &pooled.gathered).collect();
    let ranking = (loaded.experiment.rank_by.as_ref()).and_then(|metric| ranked(metric, &names, plan, &all, &sides));
    let scorecard = scorecard(&Given {
        plan,
        gathered: &gathered,
        policies: &policies,
        sides: &sides,
        ranking: ranking.as_ref(),
        code: currency.as_ref().map(|c| c.code),
    });
    Ok(Report {
        format: FORMAT.into(),
        version: env!("CARGO_PKG_VERSION").into(),
        experiment: loaded.experiment.name.clone(),
        about: loaded.experiment.about.clone(),
        inputs: loaded.inputs.clone(),
        given: loaded.given(),
        seed: plan.seed,
        replications_planned: runs.planned(),
        replications_finished: complete.len() as u64,
        confidence: plan.confidence.level(),
        warmup: window.map_or(0.0, |w| w.warmup.seconds()),
        start: plan.start,
        counted: window.map_or(0.0, |w| w.counted().seconds()),
        month_days: MONTH_DAYS,
        warnings: (idle::nothing_came(plan, &all).into_iter())
            .chain(troubles(loaded))
            .chain(uncertain_inputs::sentence(loaded))
            .chain(outside::sentences(plan, &outside))
            .chain(caveats::sentences(plan))
            .chain(stretch::warning(
                plan,
                &loaded.experiment.plan.starts.unwrap_or_default(),
            ))
            .chain(stretch::behind(loaded, plan))
            .chain(uncertain::warning(plan, complete.len()))
            .chain(warnings(
                plan,
                runs.planned(),
                &all,
                &months,
                &policies,
                currency.as_ref(),
            ))
            .collect(),
        assumptions: plan.assumptions.clone(),
        models: plan.models.clone(),
        outside,
        comparisons: compare(
            &names,
            &sides,
            Terms {
                metrics: &metrics,
                bounded: &bounded,
                confidence: plan.confidence,
                matters: plan.matters,
                code: currency.as_ref().map(|c| c.code),
                same_traffic: true,
                by_month: are_billed_by_month(policies.iter()),
                of_1k: &cost_of_1k(policies.iter()),
            },
        ),
        ranking,
        currency,
        asked: loaded.experiment.plan.metrics.clone(),
        objectives: judge::judge(plan, &gathered),
        scorecard,
        uncertain: uncertain::sentences(&policies),
        joined: None,
        scheduled: plan.scenarios.first().map_or_else(Vec::new, scheduled),
        policies,
    })
}

/// The policies in order of `metric`; `sides` are their figures at the report's level, in the order of its metrics.
fn ranked(metric: &Metric, names: &[String], plan: &Plan, all: &[Pooled], sides: &[Vec<Side>]) -> Option<Ranking> {
    let at = plan.metrics.iter().position(|known| known.metric == *metric)?;
    let together = together(plan.confidence, names.len());
    let of = |(pooled, sides): (&Pooled, &Vec<Side>)| Side {
        estimate: pooled.gathered.estimate(at, Of::Everything, together),
        residuals: sides[at].residuals.clone(),
    };
    let sides: Vec<Side> = all.iter().zip(sides).map(of).collect();
    ranking(metric, names, &sides.iter().collect::<Vec<_>>(), together)
}

/// A sentence for each script that has failed, and each trace that could not be read back.
pub(crate) fn troubles(loaded: &Loaded) -> impl Iterator<Item = String> {
    let lost = loaded.traces.iter().filter_map(|(name, rows)| {
        let why = rows.trouble()?;
        Some(format!(
            "{name}: rows of the trace could not be read back, and its requests end before them: {why}"
        ))
    });
    let failed = loaded.scripts.iter().filter_map(|(name, program)| {
        let (times, first) = program.trouble()?;
        let times = if times == 1 {
            "once".into()
        } else {
            format!("{times} times")
        };
        Some(format!("the script {name} failed {times}, first at {first}"))
    });
    failed.chain(lost)
}

fn warnings(
    plan: &Plan,
    planned: u64,
    all_pooled: &[Pooled],
    months: &[Month],
    policies: &[PolicyReport],
    currency: Option<&Currency>,
) -> Vec<String> {
    let by_budget = |((scenario, pooled), month): ((&Scenario, &Pooled), &Month)| {
        let shut = shut::sentence(scenario, &pooled.tally, pooled.replications);
        let sentence = shut.or_else(|| Some(month.partial()?.to_owned()))?;
        Some(format!("{}: {sentence}", scenario.name))
    };
    let scenarios = plan.scenarios.iter().zip(all_pooled).zip(months);
    let mut all: Vec<String> = scenarios.filter_map(by_budget).collect();
    let finished = all_pooled.first().map_or(0, |pooled| pooled.replications);
    if (finished as u64) < planned {
        all.push(format!("partial: {finished} of {planned} replications were finished"));
    }
    if finished == 1 {
        all.push("one replication: no figure has an interval, and no policy can be called better".into());
    }
    all.extend(cache_warning(policies));
    all.extend(survivors::warning(policies));
    all.extend(oversized(plan, all_pooled));
    all.extend(currency.into_iter().flat_map(exchange::sentences));
    all.extend(plan.cautions.iter().cloned());
    let of_each = || plan.scenarios.iter().zip(all_pooled.iter().map(|pooled| &pooled.tally));
    all.extend(of_each().filter_map(|(scenario, pooled)| idle::warning(scenario, pooled)));
    all.extend(of_each().filter_map(|(scenario, pooled)| clipped::warning(scenario, pooled)));
    all.extend(of_each().filter_map(|(scenario, pooled)| cut::warning(scenario, pooled)));
    let numbered = policies.iter().enumerate();
    all.extend(numbered.filter_map(|(number, policy)| supposed::sentence(plan, number, policy)));
    for policy in policies.iter().filter(|p| !p.steady.settled) {
        let unsettled = format!("{}: {}", policy.name, policy.steady.why);
        // What sent nothing, or got nothing to send, is told of already.
        let is_told = policy.attempts == 0;
        if !is_told && !all.contains(&unsettled) {
            all.push(unsettled);
        }
    }
    all
}

/// A sentence for each provider whose quota, and one if the client's limiters, never have room for some: under the policy
/// where that is the largest share.
fn oversized(plan: &Plan, all_pooled: &[Pooled]) -> Vec<String> {
    let worst = |part: &dyn Fn(&Tally) -> u64, whole: &dyn Fn(&Tally) -> u64| {
        let shares = plan.scenarios.iter().zip(all_pooled).filter_map(|(scenario, pooled)| {
            let share = share(part(&pooled.tally) as f64, whole(&pooled.tally) as f64)?;
            Some((share, scenario.name.clone()))
        });
        shares
            .filter(|(share, _)| *share > 0.0)
            .reduce(|a, b| if b.0 > a.0 { b } else { a })
    };
    let at_limiters = worst(&|t| t.oversized, &Tally::requests).map(|(share, name)| {
        format!(
            "{name}: {} of requests are larger than a limiter of the client ever holds, and are shed",
            format::tick(Unit::Share, share)
        )
    });
    let fleet = plan.scenarios.first().map_or(&[][..], |s| &s.fleet[..]);
    let at_providers = fleet.iter().enumerate().filter_map(|(i, deployment)| {
        let attempts = |t: &Tally| t.providers[i].outcomes.iter().sum::<u64>();
        worst(&|t| t.providers[i].oversized, &attempts).map(|(share, name)| {
            format!(
                "{name}: {} of attempts at {} are larger than its quota can ever hold, and are refused however long they wait",
                format::tick(Unit::Share, share),
                deployment.provider.name
            )
        })
    });
    at_limiters.into_iter().chain(at_providers).collect()
}

/// The report of policy number `number`.
fn policy(plan: &Plan, number: usize, pooled: &Pooled, month: &Month, parts: Parts, story: Story) -> PolicyReport {
    let scenario = &plan.scenarios[number];
    let sum = &pooled.tally;
    let mut metrics: Vec<Measured> = (0..plan.metrics.len())
        .map(|i| pooled.gathered.measured(i, plan.confidence))
        .collect();
    let code = plan.currency.as_ref().map(|billing| billing.code);
    month.note(&plan.metrics, &mut metrics, code);
    PolicyReport {
        name: scenario.name.clone(),
        kind: plan.kinds[number].clone(),
        requests: sum.requests(),
        attempts: sum.attempts(),
        metrics,
        outcomes: parts.outcomes,
        providers: parts.providers,
        classes: parts.classes,
        bill: parts.bill,
        bounds: parts.bounds,
        quotas: parts.quotas,
        alerts: parts.alerts,
        milestones: parts.milestones,
        identities: parts.identities,
        incidents: parts.incidents,
        effort: parts.effort,
        response_cache: parts.response_cache,
        supposed: parts.supposed,
        alone: Vec::new(),
        missed: Vec::new(),
        steady: match shut::sentence(scenario, sum, pooled.replications) {
            Some(why) => Steady { settled: false, why },
            None => steady::verdict(story.with_budgets(sum), scenario, &sum.series, &pooled.course),
        },
        curves: Curves {
            ttft: curve(sum, |c| &c.ttft),
            e2e: curve(sum, |c| &c.e2e),
            wait: curve(sum, |c| &c.wait),
        },
        series: series(sum, pooled.replications),
    }
}

/// What a policy's report says by estimates over replications.
struct Parts {
    outcomes: Vec<OutcomeShare>,
    providers: Vec<ProviderReport>,
    classes: Vec<ClassReport>,
    bill: Bill,
    bounds: Vec<BoundReport>,
    quotas: Vec<QuotaReport>,
    alerts: Vec<AlertReport>,
    milestones: Vec<MilestoneReport>,
    identities: Vec<IdentityReport>,
    incidents: Vec<IncidentReport>,
    effort: Vec<EffortReport>,
    response_cache: Option<CacheReport>,
    supposed: Vec<SupposedReport>,
}

impl Parts {
    fn of(plan: &Plan, scenario: &Scenario, all: &Pooled, month: &Month, each: Each<'_>) -> Parts {
        let pooled = &all.tally;
        Parts {
            outcomes: outcomes(pooled, each),
            providers: providers(scenario, each),
            classes: classes::classes(plan, scenario, &all.gathered, each),
            bill: bill::bill(scenario, pooled, month, each),
            bounds: bounds(scenario, pooled, each),
            quotas: quotas::quotas(scenario, pooled, each),
            alerts: alerts(scenario, pooled, each),
            milestones: milestones(scenario, pooled, each),
            identities: identities::identities(scenario, pooled, each),
            incidents: incidents(scenario, pooled, each),
            effort: effort(pooled, each),
            response_cache: response_cache::response_cache(scenario, pooled, month, each),
            supposed: supposed::supposed(pooled, each),
        }
    }
}

fn share(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

fn outcomes(pooled: &Tally, each: Each<'_>) -> Vec<OutcomeShare> {
    let of = |outcome: Outcome| OutcomeShare {
        outcome,
        share: each(&|t| Figure::Share(t.ended(outcome) as f64, t.requests() as f64)),
    };
    Outcome::ALL
        .into_iter()
        .filter(|&o| pooled.ended(o) > 0)
        .map(of)
        .collect()
}

fn providers(scenario: &Scenario, each: Each<'_>) -> Vec<ProviderReport> {
    let success = Outcome::Success.index();
    let one = |(i, name): (usize, &str)| {
        let served = |t: &Tally| t.providers[i].outcomes[success] as f64;
        let attempts = |t: &Tally| t.providers[i].outcomes.iter().sum::<u64>() as f64;
        let cost = |t: &Tally| (t.providers[i].cost + t.providers[i].reserved) as f64;
        // An attempt that was called off because another was faster has not failed.
        let failed = |t: &Tally| attempts(t) - served(t) - t.providers[i].outcomes[Outcome::Cancelled.index()] as f64;
        ProviderReport {
            name: name.to_owned(),
            served: each(&|t| Figure::Share(served(t), t.ended(Outcome::Success) as f64)),
            cost: each(&|t| Figure::Portion(cost(t), t.cost() as f64)),
            failed: each(&|t| Figure::Share(failed(t), attempts(t))),
            in_flight: each(&|t| Figure::Ratio(t.providers[i].busy as f64, t.counted as f64)),
            cached: (scenario.fleet[i].provider.cache.is_some())
                .then(|| each(&|t| Figure::Portion(t.providers[i].cached as f64, t.providers[i].input as f64))),
            trips: each(&|t| Figure::Each(Some(t.providers[i].trips as f64))),
        }
    };
    scenario
        .fleet
        .iter()
        .map(|d| d.provider.name.as_str())
        .enumerate()
        .map(one)
        .collect()
}

fn bounds(scenario: &Scenario, pooled: &Tally, each: Each<'_>) -> Vec<BoundReport> {
    // The bounds of budgets are in the order of the budgets.
    let first = pooled.bounds.iter().position(|bound| bound.what == BoundKind::Budget);
    let budget = |i: usize, what: BoundKind| {
        let at = i - first.filter(|_| what == BoundKind::Budget)?;
        Some(scenario.client.allowances.get(at)?.budget.clone())
    };
    let mut all: Vec<BoundReport> = pooled
        .bounds
        .iter()
        .enumerate()
        .filter(|(_, bound)| bound.time > 0)
        .map(|(i, bound)| BoundReport {
            what: bound.what,
            provider: bound.provider.map(|p| scenario.fleet[p].provider.name.clone()),
            limit: bound.limit,
            budget: budget(i, bound.what),
            share: each(&|t| Figure::Portion(t.bounds[i].time as f64, t.counted as f64)),
        })
        .collect();
    sorting::by(&mut all, |a, b| b.share.value.total_cmp(&a.share.value));
    all
}

fn alerts(scenario: &Scenario, pooled: &Tally, each: Each<'_>) -> Vec<AlertReport> {
    let one = |(i, alert): (usize, &Alert)| AlertReport {
        budget: alert.budget.clone(),
        share: alert.share,
        passed: pooled.alerts[i].passed,
        at: each(&|t| Figure::Each((t.alerts[i].passed > 0).then(|| t.alerts[i].time as f64 / 1e9))),
    };
    let watched: Vec<AlertReport> = scenario.client.alerts.iter().enumerate().map(one).collect();
    // A budget that was spent was passed whole, watched or not.
    let whole = |(i, allowance): (usize, &Allowance)| AlertReport {
        budget: allowance.budget.clone(),
        share: 1.0,
        passed: pooled.budgets[i].spent,
        at: each(&|t| Figure::Each((t.budgets[i].spent > 0).then(|| t.budgets[i].time as f64 / 1e9))),
    };
    let is_told = |alert: &AlertReport| watched.iter().any(|of| of.budget == alert.budget && of.share >= 1.0);
    let spent = scenario.client.allowances.iter().enumerate().map(whole);
    let spent: Vec<AlertReport> = spent.filter(|alert| alert.passed > 0 && !is_told(alert)).collect();
    watched.into_iter().chain(spent).collect()
}

fn milestones(scenario: &Scenario, pooled: &Tally, each: Each<'_>) -> Vec<MilestoneReport> {
    let one = |(i, milestone): (usize, Milestone)| MilestoneReport {
        what: milestone.what,
        passed: pooled.milestones[i].passed,
        at: each(&|t| Figure::Each((t.milestones[i].passed > 0).then(|| t.milestones[i].time as f64 / 1e9))),
    };
    scenario.policy.milestones().into_iter().enumerate().map(one).collect()
}

fn incidents(scenario: &Scenario, pooled: &Tally, each: Each<'_>) -> Vec<IncidentReport> {
    let one = |(i, incident): (usize, &Incident)| IncidentReport {
        provider: scenario.fleet[incident.provider].provider.name.clone(),
        from: incident.from.seconds_after(scenario.window.warmup),
        until: incident.until.seconds_after(scenario.window.warmup),
        ejected: each(&|t| Figure::Share(t.incidents[i].ejected as f64, 1.0)),
        time_to_eject: each(&|t| Figure::Each(t.incidents[i].seconds_to_eject())),
        leaked: each(&|t| Figure::Each(Some(t.incidents[i].leaked as f64))),
        error_rate: each(&|t| Figure::Share(t.incidents[i].errors as f64, t.incidents[i].requests as f64)),
        recovered: each(&|t| Figure::Share(t.incidents[i].recovered as f64, 1.0)),
        time_to_recover: each(&|t| Figure::Each(t.incidents[i].seconds_to_recover())),
        time_to_return: Some(each(&|t| Figure::Each(t.incidents[i].seconds_to_return()))),
    };
    pooled.incidents.iter().enumerate().map(one).collect()
}

/// What is to go wrong at providers at times that are known beforehand, before arrivals end.
fn scheduled(scenario: &Scenario) -> Vec<Scheduled> {
    let window = scenario.window;
    let of_provider = |deployment: &Deployment| {
        let provider = &deployment.provider;
        let stretches = provider.faults.iter().filter_map(|fault| fault.stretch());
        let within = stretches.filter(|stretch| stretch.from < window.end && stretch.from < stretch.until);
        let named = within.map(|stretch| Scheduled {
            provider: provider.name.clone(),
            what: stretch.what,
            from: stretch.from.seconds_after(window.warmup),
            until: stretch.until.seconds_after(window.warmup),
        });
        named.collect::<Vec<_>>()
    };
    let mut all: Vec<Scheduled> = scenario.fleet.iter().flat_map(of_provider).collect();
    sorting::by(&mut all, |a, b| a.from.total_cmp(&b.from));
    all
}

fn effort(pooled: &Tally, each: Each<'_>) -> Vec<EffortReport> {
    let of = |what: EffortKind| EffortReport {
        what,
        per_1k: each(&|t| Figure::Ratio(t.effort.of(what) as f64 * 1e3, t.requests() as f64)),
    };
    EffortKind::ALL
        .into_iter()
        .filter(|&kind| pooled.effort.of(kind) > 0)
        .map(of)
        .collect()
}

/// A distribution function through at most [`CURVE_POINTS`] points: every bucket, or equal steps of share with the tail's
/// last points kept.
fn curve(pooled: &Tally, which: fn(&ClassTally) -> &Histogram) -> Vec<(f64, f64)> {
    let mut sum = Histogram::new();
    for class in &pooled.classes {
        sum.merge(which(class));
    }
    let total = sum.count() as f64;
    let mut points: Vec<(f64, f64)> = Vec::new();
    let (mut below, mut last_share) = (0u64, -1.0);
    let largest = sum.max().unwrap_or(Span::ZERO);
    for (value, count) in sum.iter() {
        below += count;
        let share = below as f64 / total;
        // Equal steps in the body; in the tail, steps that shrink with what is left.
        let step = (1.0 / CURVE_POINTS as f64).min((1.0 - share) / 20.0);
        if share - last_share >= step || value >= largest {
            points.push((value.min(largest).seconds(), share));
            last_share = share;
        }
    }
    // A first step of some height is drawn as one.
    if let Some(&(value, share)) = points.first()
        && share > 0.01
    {
        points.insert(0, (value, 0.0));
    }
    thin(points)
}

/// At most [`CURVE_POINTS`] of the points, evenly, the last one kept.
fn thin(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let every = points.len().div_ceil(CURVE_POINTS).max(1);
    let last = points.len().saturating_sub(1);
    points
        .into_iter()
        .enumerate()
        .filter(|(i, _)| i % every == 0 || *i == last)
        .map(|(_, p)| p)
        .collect()
}

fn series(pooled: &Tally, replications: usize) -> Vec<Moment> {
    let seconds = pooled.series.width().seconds();
    let per_second = |count: u64| count as f64 / seconds / replications as f64;
    let one = |(i, bin): (usize, &crate::engine::series::Bin)| Moment {
        until: (i + 1) as f64 * seconds,
        arrivals: per_second(bin.arrivals),
        error_rate: share(bin.failures as f64, (bin.failures + bin.successes) as f64),
        limited: Some(per_second(bin.limited)),
        e2e: share(bin.e2e as f64 / 1e9, bin.successes as f64),
        in_system: bin.in_system as f64 / replications as f64,
        sent: pooled.series.sent(i).iter().map(|&n| per_second(n)).collect(),
    };
    pooled.series.bins().iter().enumerate().map(one).collect()
}
