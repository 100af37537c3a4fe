//! `simcap optimize`: of policies and values of the file, the cheapest that meets every objective, how sure that is, and what trades cost.
//!
//! Candidates meet the same replications and are screened as they get more of them; what is left, what was near and the front are run again
//! on another seed, and those figures are shown. An interruption ends it; what is known until then is printed. Left out: the page of a
//! run of a point, which `run` with its settings makes.

mod candidates;

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use anyhow::{Context, anyhow};
use clap::Args;

use super::many::{Form, Many, Shown, as_json, keep};
use super::run::Stop;
use super::{Done, Exit, Failure};
use crate::experiment::assemble::{Plan, assemble};
use crate::experiment::axis::Axis;
use crate::experiment::load::{LoadError, Loaded, Source, Traces};
use crate::experiment::pilot::warmed;
use crate::experiment::settings::Setting;
use crate::form::own::OwnParts;
use crate::kernel::time::Time;
use crate::report::optimum::{Ended, Optimum, Retest};
use crate::report::{Goal, Judged, format, optimum_page};
use crate::simulate::{Options, run_controlled};
use crate::study::{Again, Among, Choose, Chosen, Fault, Out, Selection, Tried, Warmth, leading, optimum, worth};
use crate::words::{Aim, Metric, Start, Unit};
use candidates::{Candidates, best_file, settled};

/// The share of the budget that the search may take; the rest is for the run on another seed.
const OF_SEARCH: f64 = 0.75;
/// Replications of the run on another seed, at least.
const AGAIN: u64 = 10;

/// Arguments of `simcap optimize`.
#[derive(Debug, Args)]
pub(super) struct OptimizeArgs {
    /// The experiment (JSON; comments are allowed; `-` reads it from standard input)
    file: PathBuf,
    /// A path and its values, as in `simcap sweep`: every combination of values, with every policy, is a candidate. One value alone changes the
    /// file first
    #[arg(long = "set", value_name = "PATH=VALUES")]
    axes: Vec<Axis>,
    /// A policy that may be chosen; may be given several times [default: all, each judged by every objective]
    #[arg(long, value_name = "NAME")]
    policy: Vec<String>,
    /// What is to be as low as can be [default: cost_per_month]
    #[arg(long, visible_alias = "minimize", value_name = "METRIC", conflicts_with = "maximise")]
    minimise: Option<Metric>,
    /// What is to be as high as can be, such as quality or goodput
    #[arg(long, visible_alias = "maximize", value_name = "METRIC")]
    maximise: Option<Metric>,
    /// Several metrics, each times what a unit of it is worth, whose sum is to be as low as can be: `cost_per_month + 2000*e2e.p95` takes a
    /// second of p95 for as bad as 2,000 a month
    #[arg(long, value_name = "SUM", conflicts_with_all = ["minimise", "maximise"], allow_hyphen_values = true)]
    goal: Option<Aim>,
    /// The most replications of a candidate, of which all begin with four
    #[arg(long, value_name = "N", default_value = "256", value_parser = clap::value_parser!(u64).range(4..=100_000))]
    replications: u64,
    /// Requests that may be simulated, a quarter of them for the run on another seed
    #[arg(long, value_name = "N", default_value = "20000000", value_parser = clap::value_parser!(u64).range(1..))]
    budget: u64,
    #[command(flatten)]
    many: Many,
    /// What to print
    #[arg(long, value_enum, default_value_t = Form::Table)]
    format: Form,
    /// Write optimize.json, optimize.html, a page with the front, and best.json, the experiment as it was chosen, to this folder too
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl OptimizeArgs {
    pub(super) fn run(self, own: &OwnParts) -> Done {
        let set = self.axes.iter().map(|axis| (axis.path.clone(), axis.values.join(",")));
        super::refuse_twice(None, self.many.seed, set)?;
        self.refuse_givens()?;
        let stop = Stop::watch(None);
        let mut source = Source::read(&self.file)?;
        let traces: Traces = self.many.traces();
        // A single value is a change of the file, and no choice.
        let fixed = settled(&self.axes, None).into_iter();
        let fixed: Result<Vec<Setting>, _> = fixed.map(|(path, value)| Setting::new(path, value)).collect();
        let fixed = fixed.map_err(|error| Failure::Input(error.to_string()))?;
        let base = asked_of_all(source.load(&fixed, &traces, None, own.clone())?);
        let plan = assemble(&base)?;
        let metric = self.maximise.as_ref().or(self.minimise.as_ref()).cloned();
        let goal = self.goal.clone().or(metric.map(Aim::Metric));
        let metrics = metrics(&plan, goal.unwrap_or(Aim::Metric(Metric::COST_PER_MONTH)));
        let mut candidates = Candidates::of(&self, (source, traces, own.clone()), &base, &plan, &metrics)?;
        let pool = self.many.pool()?;
        stop.simulate();
        let goals: Vec<Goal> = (plan.objectives.iter())
            .map(|objective| Goal {
                metric: objective.metric.clone(),
                bound: objective.bound,
                at_most: objective.at_most,
            })
            .collect();
        let choose = Choose {
            metrics: metrics.clone(),
            is_most: self.maximise.is_some(),
            matters: plan.matters,
            confidence: plan.confidence,
            most: self.replications,
            budget: (self.budget as f64 * OF_SEARCH) as u64,
            seed: self.many.seed.unwrap_or(plan.seed),
            warmth: pool.install(|| warmth(&base, &plan, &stop))?,
        };
        let count = candidates.len();
        let told = |said: &str| tell!("{said}");
        let mut at = |i: usize| candidates.at(i);
        let selection = pool.install(|| choose.run((count, goals.len()), &mut at, &stop.control, &told));
        let selection = match selection {
            Ok(selection) => selection,
            Err(Fault::Input(error)) => return Err(error.into()),
            Err(Fault::Stopped) => return Err(anyhow!("interrupted: nothing is chosen").into()),
        };
        self.is_worth_telling(&selection)?;
        let (names, commands, today) = candidates.named();
        let among = Among {
            names: &names,
            of_today: if fixed.is_empty() {
                "today's"
            } else {
                "that of the file as --set changes it,"
            },
            commands: &commands,
            goals: &goals,
            today: candidates.today(),
            as_it_is: &today,
        };
        self.has_values(&selection, &names, &metrics[0])?;
        let first = leading(&selection, &goals, choose.is_most);
        let mut all = nothing_yet(&base, &plan, &choose, &candidates, goals.clone());
        let which = worth(&selection, among, &metrics, choose.is_most, choose.matters);
        let again = self.again(&mut all, &selection, &which, &mut candidates, &pool, &stop)?;
        let mut all = optimum(all, &selection, among, first, &again);
        all.warnings
            .extend(self.costs_nothing(&metrics[0], &candidates, &selection, choose.matters));
        let best = match (first, all.ended) {
            (Some(i), Ended::Found | Ended::Open | Ended::Spent | Ended::Interrupted) => {
                Some(best_file(&mut candidates, i)?)
            }
            _ => None,
        };
        self.show(&all, best)?;
        self.ended(&all)
    }

    /// Refuses to choose what is given: traffic, what is asked, and how long is simulated.
    fn refuse_givens(&self) -> Result<(), Failure> {
        let several = self.axes.iter().filter(|axis| axis.values.len() > 1);
        let given = |path: &str| {
            let first = path.split(['.', '[']).next().unwrap_or_default();
            ["traffic", "objectives", "plan", "rank_by"]
                .contains(&first)
                .then(|| first.to_owned())
        };
        let of = |axis: &'_ Axis| axis.paths().iter().find_map(|path| given(path));
        match several.filter_map(|axis| Some((&axis.path, of(axis)?))).next() {
            None => Ok(()),
            Some((path, first)) => Err(Failure::Input(format!(
                "--set {path}: `{first}` is what is given, and not a choice: `simcap sweep` shows the figures at several values of it{}",
                if first == "traffic" {
                    ", `simcap capacity` the most that is carried"
                } else {
                    ""
                }
            ))),
        }
    }

    /// Refuses to name the best of candidates of which some were never looked at.
    fn is_worth_telling(&self, selection: &Selection) -> Result<(), Failure> {
        let (all, seen) = (
            selection.tried.len(),
            selection.tried.iter().filter(|tried| tried.replications > 0).count(),
        );
        let of = format!(
            "{} of {} candidates",
            format::count(seen as u64),
            format::count(all as u64)
        );
        match selection.ended {
            _ if seen == all => Ok(()),
            Chosen::Stopped => Err(anyhow!("interrupted after {of}: nothing is chosen").into()),
            Chosen::Spent => {
                let needed = selection.requests as f64 / seen.max(1) as f64 * all as f64 / OF_SEARCH;
                Err(anyhow!(
                    "the budget of {} simulated requests was spent after {of}: nothing is chosen; all of them take {} (--budget), or name fewer",
                    format::count(self.budget),
                    format::count(needed.ceil() as u64)
                )
                .into())
            }
            Chosen::Found | Chosen::Open | Chosen::Nowhere => Ok(()),
        }
    }

    /// What may be raised without a price, where costs are to be low: no price follows from it, none is changed with it, and bills are the same
    /// along it, as far as they are told apart.
    fn costs_nothing(
        &self,
        goal: &Aim,
        candidates: &Candidates,
        selection: &Selection,
        matters: f64,
    ) -> Option<String> {
        let is_of_costs = goal.unit_in(None) == Unit::Dollars && self.maximise.is_none();
        let has_step = |path: &str, names: &[&str]| path.split(['.', '[', ']']).any(|step| names.contains(&step));
        let is_free = |axis: &Axis| {
            let paths = axis.paths();
            let is_unpriced =
                |path: &String| path.starts_with("providers") && has_step(path, &["load", "limits", "connections"]);
            paths.iter().any(is_unpriced) && !paths.iter().any(|path| has_step(path, &["prices"]))
        };
        // A sum of costs and others differs by the others too.
        let is_bill = goal.metric().is_some();
        let bill = |i: usize| selection.tried.get(i)?.figures.first().copied();
        let differ = |(a, b): &(usize, usize)| {
            let (Some(a), Some(b)) = (bill(*a), bill(*b)) else {
                return false;
            };
            let (low, high) = if a.value <= b.value { (a, b) } else { (b, a) };
            let are_apart = low.hi.zip(high.lo).is_some_and(|(hi, lo)| hi < lo);
            are_apart && high.value - low.value > matters * low.value.abs()
        };
        let is_paid = |place: usize| is_bill && candidates.along(place).iter().any(differ);
        let several = (self.axes.iter().enumerate()).filter(|(_, axis)| is_of_costs && axis.values.len() > 1);
        let free: Vec<&str> = several
            .filter(|(place, axis)| is_free(axis) && !is_paid(*place))
            .map(|(_, axis)| axis.path.as_str())
            .collect();
        (!free.is_empty()).then(|| {
            format!(
                "no price of the file follows from {}: more of it is free here, unless you change `prices` with it",
                free.join(", ")
            )
        })
    }

    /// Refuses a figure to go by that no candidate has.
    fn has_values(&self, selection: &Selection, names: &[String], goal: &Aim) -> Result<(), Failure> {
        let has_none = |tried: &Tried| tried.out == Some(Out::Valueless);
        match selection.tried.iter().position(has_none) {
            Some(i)
                // What fails an objective is out for that, whether it has a value or none.
                if !selection.tried.iter().any(|tried| {
                    tried.figures.first().is_some_and(|figure| !figure.value.is_nan())
                }) =>
            {
                Err(Failure::Input(format!(
                    "{goal} has no value under {}, so that nothing can be chosen by it: name another with --minimise, such as cost_per_1k_answers",
                    names[i]
                )))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Runs the candidates `which`, and what the file says, on another seed, as far as the budget goes.
    fn again(
        &self,
        all: &mut Optimum,
        selection: &Selection,
        which: &[usize],
        candidates: &mut Candidates,
        pool: &rayon::ThreadPool,
        stop: &Stop,
    ) -> Result<Vec<Again>, Failure> {
        if selection.ended == Chosen::Stopped || which.is_empty() {
            return Ok(Vec::new());
        }
        let each = |i: &usize| selection.tried[*i].requests as f64 / selection.tried[*i].replications.max(1) as f64;
        let most = selection
            .tried
            .iter()
            .map(|tried| tried.replications)
            .max()
            .unwrap_or(0);
        let left = self.budget.saturating_sub(selection.requests) as f64;
        // With what the file says, whose requests are about as many.
        let needs = which.iter().map(each).sum::<f64>() * (1.0 + 1.0 / which.len() as f64);
        let replications = (left / needs.max(1.0)).floor().min(most.max(AGAIN) as f64) as u64;
        if replications < 2 {
            return Ok(Vec::new());
        }
        let seed = all.seed.wrapping_add(1);
        let mut found = Vec::new();
        let mut wanted: Vec<Option<usize>> = which.iter().map(|i| Some(*i)).collect();
        if candidates.today().is_none() {
            wanted.push(None);
        }
        let mut requests = 0;
        for candidate in wanted {
            let loaded = match candidate {
                Some(i) => candidates.at(i)?,
                None => candidates.base(),
            };
            let mut options = Options::default().replications(replications).seed(seed);
            options.own = loaded.own.clone();
            // What outgrew its bound there has no figures.
            let Ok(report) = pool.install(|| run_controlled(&loaded, &options, &stop.control)) else {
                continue;
            };
            if stop.control.stop.load(Ordering::Relaxed) {
                break;
            }
            requests += report.policies.iter().map(|policy| policy.requests).sum::<u64>();
            found.push(Again { candidate, report });
        }
        all.retest = (!found.is_empty()).then_some(Retest {
            seed,
            replications,
            requests,
        });
        Ok(found)
    }

    fn show(&self, all: &Optimum, best: Option<String>) -> Result<(), Failure> {
        self.format.print(&Shown {
            table: &|style| all.text(style.width, style.colour),
            csv: &|| all.csv(),
            json: &|| as_json(all),
            markdown: &|| all.markdown(),
        })?;
        let Some(folder) = &self.out else { return Ok(()) };
        let page = optimum_page::page(all).context("cannot make the page")?;
        let mut files = vec![("optimize.json", as_json(all)?), ("optimize.html", page)];
        files.extend(best.map(|text| ("best.json", text)));
        keep(folder, &files)
    }

    fn ended(&self, all: &Optimum) -> Done {
        let missed = all
            .points
            .iter()
            .any(|point| point.is_best && point.at.meets == Some(Judged::Fail));
        match all.ended {
            Ended::Interrupted => {
                Err(anyhow!("interrupted after {} simulated requests", format::count(all.requests)).into())
            }
            Ended::Spent if all.best.is_none() => {
                let budget = format::count(self.budget);
                Err(anyhow!("the budget of {budget} simulated requests was spent before anything was known").into())
            }
            Ended::Nowhere => Ok(Exit::ObjectiveFailed),
            Ended::Found | Ended::Open | Ended::Spent if missed => Ok(Exit::ObjectiveFailed),
            Ended::Found | Ended::Open | Ended::Spent => Ok(Exit::Fine),
        }
    }
}

/// The experiment with every objective asked of every policy: whichever is chosen is to keep to them.
fn asked_of_all(mut loaded: Loaded) -> Loaded {
    loaded
        .experiment
        .objectives
        .iter_mut()
        .for_each(|objective| objective.policies = None);
    loaded
}

/// What is kept of each candidate: what is to be low, what that is a sum of, a latency, errors and quality.
fn metrics(plan: &Plan, goal: Aim) -> Vec<Aim> {
    let asked = |is: &dyn Fn(&Metric) -> bool, standard: Metric| {
        let goals = plan.objectives.iter().map(|objective| &objective.metric);
        goals.into_iter().find(|metric| is(metric)).cloned().unwrap_or(standard)
    };
    let latency = asked(&|metric| metric.unit() == Unit::Seconds, Metric::E2E_P95);
    let errors = asked(
        &|metric| metric.unit() == Unit::Share && metric.lower_is_better(),
        Metric::ERROR_RATE,
    );
    let terms: Vec<Metric> = goal.terms().into_iter().map(|(_, metric)| metric.clone()).collect();
    let mut all = vec![goal];
    for aim in terms
        .into_iter()
        .chain([latency, errors, Metric::QUALITY])
        .map(Aim::Metric)
    {
        if !all.contains(&aim) {
            all.push(aim);
        }
    }
    all
}

/// The warm-up that all candidates share: that which a pilot of the file's own policies finds, where the plan leaves it open.
fn warmth(base: &Loaded, plan: &Plan, stop: &Stop) -> Result<Option<Warmth>, Failure> {
    if plan.start != Start::Unpiloted {
        return Ok(None);
    }
    let plan = warmed(base, assemble(base)?, &stop.control).map_err(LoadError::Says)?;
    let scenario = plan.scenarios.first();
    Ok(scenario.map(|scenario| (scenario.window.warmup.since(Time::ZERO), plan.start)))
}

fn nothing_yet(base: &Loaded, plan: &Plan, choose: &Choose, candidates: &Candidates, objectives: Vec<Goal>) -> Optimum {
    Optimum {
        format: "simcap.optimum/1".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        experiment: base.experiment.name.clone(),
        maximise: choose.is_most,
        metrics: choose.metrics.clone(),
        objectives,
        axes: candidates.axes(),
        currency: plan.currency.as_ref().map(|billing| billing.code),
        seed: choose.seed,
        retest: None,
        confidence: plan.confidence.level(),
        matters: choose.matters,
        ended: Ended::Interrupted,
        best: None,
        probability: None,
        sentences: Vec::new(),
        warnings: Vec::new(),
        assumptions: plan.assumptions.clone(),
        points: Vec::new(),
        candidates: Vec::new(),
        requests: 0,
        equal: 0,
    }
}
