//! `simcap capacity`: the highest traffic at which each policy meets its objectives, and what binds there; or the smallest value of
//! something in the file that carries a given traffic.
//!
//! Policies are searched one after the other, the replications of each point side by side. An interruption ends the search; what is
//! known until then is printed. Left out: the page of a run at the capacity, which `run --set` makes.

mod asked;

use std::path::PathBuf;

use anyhow::{Context, anyhow};
use clap::Args;

use super::many::{Form, Many, Shown, as_json, keep};
use super::run::Stop;
use super::{Done, Exit, Failure};
use crate::experiment::assemble::{Plan, assemble};
use crate::experiment::axis::Range;
use crate::experiment::load::{LoadError, Loaded, Source};
use crate::experiment::settings::Setting;
use crate::form::diagnose::nearest;
use crate::form::own::OwnParts;
use crate::report::capacity::{Capacities, Ended};
use crate::report::{Goal, Report, capacity_page};
use crate::simulate::{Options, run_controlled};
use crate::study::{Beside, Count, End, Fault, Found, Search, alone, answer};
use crate::words::Unit;
use asked::{Carried, Growth, is_of_stream};

/// Replications of the runs at the capacity and at today's traffic that say what is reached there.
const MOST_REPORTED: u64 = 40;

/// Arguments of `simcap capacity`.
#[derive(Debug, Args)]
pub(super) struct CapacityArgs {
    /// The experiment (JSON; comments are allowed; `-` reads it from standard input)
    file: PathBuf,
    /// A policy to search for; may be given several times [default: all that objectives are asked of]
    #[arg(long, value_name = "NAME")]
    policy: Vec<String>,
    /// Change a value of the experiment first, as in `simcap run`; may be given several times
    #[arg(long = "set", value_name = "PATH=VALUE")]
    set: Vec<Setting>,
    /// What grows: traffic.rate, which is all traffic, or traffic.streams.NAME.rate [default: traffic.rate]
    #[arg(long, value_name = "PATH", conflicts_with = "stream")]
    over: Option<String>,
    /// The stream that grows, while the others stay as they are [default: all of them]
    #[arg(long, value_name = "NAME")]
    stream: Option<String>,
    /// How wide an interval may be, as a share of the capacity
    #[arg(long, value_name = "SHARE", default_value = "2%", value_parser = asked::precision)]
    precision: f64,
    /// Replications at each load around the capacity [default: those of the file, and as many more as the precision takes]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(2..=4000))]
    replications: Option<u64>,
    /// Requests that may be simulated for each policy
    #[arg(long, value_name = "N", default_value = "20000000", value_parser = clap::value_parser!(u64).range(1..))]
    budget: u64,
    /// By how much the traffic grows, like 5%/month or 60%/year: when is the capacity used up?
    #[arg(long, visible_alias = "growth", value_name = "SHARE/TIME")]
    grows: Option<Growth>,
    /// The day from which it grows [default: today]
    #[arg(long, value_name = "YYYY-MM-DD", requires = "grows", value_parser = super::date::day)]
    since: Option<String>,
    /// The traffic that must be carried, like 40/s (of conversations and agent runs so many that begin), or 2x for twice that of the file
    #[arg(long, value_name = "RATE", requires = "smallest")]
    carry: Option<Carried>,
    /// A number of the file and its range, like providers[a].connections=10..200: the smallest that carries `--carry`
    #[arg(long, value_name = "PATH=LOW..HIGH", requires = "carry", conflicts_with = "grows")]
    smallest: Option<Range>,
    #[command(flatten)]
    many: Many,
    /// What to print
    #[arg(long, value_enum, default_value_t = Form::Table)]
    format: Form,
    /// Write capacity.json and capacity.html, a page with the curves, to this folder too
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// What is searched over: how the experiment is made at a value.
struct Over {
    source: Source,
    base: Loaded,
    stream: Option<String>,
    /// The range of a number, and the factor on the traffic that must be carried.
    smallest: Option<(Range, f64)>,
}

impl CapacityArgs {
    pub(super) fn run(self, own: &OwnParts) -> Done {
        let set = self.set.iter().map(|setting| {
            let (path, value) = setting.written();
            (path.to_owned(), value.to_owned())
        });
        super::refuse_twice(self.replications, self.many.seed, set)?;
        let stop = Stop::watch(None);
        let mut source = Source::read(&self.file)?;
        let traces = self.many.traces();
        let base = source.load(&self.set, &traces, None, own.clone())?;
        let plan = assemble(&base)?;
        let names = self.policies(&plan, &base)?;
        let stream = self.stream(&base)?;
        let declared = asked::rate(&base, stream.as_deref());
        let smallest = match (&self.smallest, &self.carry) {
            (Some(range), Some(carry)) => {
                let known = declared.or_else(|| asked::starts(&base, stream.as_deref()));
                Some((range.clone(), carry.times(known).map_err(Failure::Input)?))
            }
            _ => None,
        };
        let mut all = self.nothing_yet(&base, &plan, &smallest, declared, stream.as_deref());
        let mut over = Over {
            source,
            base,
            stream,
            smallest,
        };
        // A mistake in it is told before anything is run.
        for value in self.search(&over, &plan).checked() {
            assemble(&over.at(value, &names[0], &self, &traces, own)?)?;
        }
        let pool = self.many.pool()?;
        stop.simulate();
        let mut is_stopped = false;
        for name in &names {
            let search = self.search(&over, &plan);
            // Numbered as the policy alone has them.
            let goals = goals(&assemble(&over.at(search.start, name, &self, &traces, own)?)?);
            let told = |said: &str| tell!("{name}: {said}");
            let mut lever = |value: f64| over.at(value, name, &self, &traces, own);
            let found = pool.install(|| search.run(&mut lever, &stop.control, &told));
            let found = match found {
                Ok(found) => found,
                Err(Fault::Input(error)) => return Err(error.into()),
                // A search that was stopped has what it knew.
                Err(Fault::Stopped) => break,
            };
            is_stopped = found.end == End::Stopped;
            if let End::Unjudged(number) = found.end {
                let metric = goals
                    .get(number)
                    .map(|goal| goal.metric.to_string())
                    .unwrap_or_default();
                return Err(Failure::Input(format!(
                    "{name}: the objective on {metric} has no value under it, so that nothing can be judged"
                )));
            }
            let count = match &over.smallest {
                Some((range, _)) => Count::Number(range.is_whole),
                None => Count::Traffic(declared),
            };
            let mut report = |value: f64, most: u64| -> Option<Report> {
                let loaded = over.at(value, name, &self, &traces, own).ok()?;
                let mut options = Options::default().own(own.clone());
                options.replications = Some(most.min(MOST_REPORTED));
                options.seed = self.many.seed;
                pool.install(|| run_controlled(&loaded, &options, &stop.control)).ok()
            };
            let (there, today) = self.beside(&found, &plan, &mut report, is_stopped);
            if all.today.is_none() && over.smallest.is_none() {
                all.today = found.points.iter().find(|seen| seen.value == 1.0).map(|seen| seen.rate);
            }
            let beside = Beside {
                there: there.as_ref(),
                today: today.as_ref(),
            };
            answer(&mut all, name, found, &goals, count, beside);
            if is_stopped {
                break;
            }
        }
        self.show(&all)?;
        self.ended(&all, names.len(), is_stopped)
    }

    /// The reports of runs at the value that was found, and at what the file says.
    fn beside(
        &self,
        found: &Found,
        plan: &Plan,
        report: &mut dyn FnMut(f64, u64) -> Option<Report>,
        is_stopped: bool,
    ) -> (Option<Report>, Option<Report>) {
        if is_stopped {
            return (None, None);
        }
        let planned = self.replications.unwrap_or(plan.replications);
        let there = found.value.is_finite().then(|| report(found.value, found.replications));
        let today = self.smallest.is_none().then(|| report(1.0, planned));
        (there.flatten(), today.flatten())
    }

    fn search(&self, over: &Over, plan: &Plan) -> Search {
        let step = over.base.experiment.traffic.origins();
        let moved = step.filter(|origin| over.stream.is_none() || origin.name == over.stream.as_deref());
        let (start, range, step) = match &over.smallest {
            Some((range, _)) => {
                let step = if range.is_whole { 1.0 } else { 0.0 };
                (range.high, (range.low, range.high), step)
            }
            None => (
                1.0,
                (1e-3, 1e3),
                moved.map(|origin| origin.arrivals.as_dyn().step()).fold(0.0, f64::max),
            ),
        };
        Search {
            start,
            range,
            is_relief: over.smallest.is_some(),
            step,
            seed: Some(self.many.seed.unwrap_or(plan.seed)),
            replications: self.replications,
            precision: self.precision,
            budget: self.budget,
        }
    }

    /// The policies to search for, all of which have an objective.
    fn policies(&self, plan: &Plan, base: &Loaded) -> Result<Vec<String>, Failure> {
        if plan.objectives.is_empty() {
            return Err(Failure::Input(format!(
                "{}: `objectives`: there are none, and a capacity is the traffic at which they just hold: give some, like \"objectives\": \
                 [{{ \"metric\": \"e2e.p95\", \"at_most\": \"5s\" }}, {{ \"metric\": \"error_rate\", \"at_most\": \"1%\" }}]",
                base.file
            )));
        }
        let names: Vec<&str> = plan.scenarios.iter().map(|scenario| &*scenario.name).collect();
        let is_judged = |name: &str| {
            let number = names.iter().position(|known| *known == name);
            number.is_some_and(|number| {
                plan.objectives
                    .iter()
                    .any(|objective| objective.policies.contains(&number))
            })
        };
        for name in &self.policy {
            if !names.contains(&name.as_str()) {
                let near = nearest(name, names.iter().copied()).map(|near| format!("; did you mean {near}?"));
                return Err(Failure::Input(format!(
                    "--policy {name}: there is no such policy, but {}{}",
                    names.join(", "),
                    near.unwrap_or_default()
                )));
            }
            if !is_judged(name) {
                return Err(Failure::Input(format!("--policy {name}: no objective is asked of it")));
            }
        }
        let chosen = names.iter().filter(|name| {
            let is_chosen = self.policy.is_empty() || self.policy.iter().any(|wanted| wanted == *name);
            is_chosen && is_judged(name)
        });
        Ok(chosen.map(|name| (*name).to_owned()).collect())
    }

    /// The stream that grows; nothing if all traffic does.
    fn stream(&self, base: &Loaded) -> Result<Option<String>, Failure> {
        let (flag, name) = match (&self.over, &self.stream) {
            (Some(path), _) => match is_of_stream(path).map_err(Failure::Input)? {
                Some(name) => ("--over", name),
                None => return Ok(None),
            },
            (None, Some(name)) => ("--stream", name.clone()),
            (None, None) => return Ok(None),
        };
        let known = base.experiment.traffic.streams.names();
        if known.contains(&name) {
            return Ok(Some(name));
        }
        Err(Failure::Input(if known.is_empty() {
            format!("{flag} {name}: the traffic has no streams")
        } else {
            let near = nearest(&name, known.iter().map(String::as_str));
            let near = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            format!("{flag} {name}: there is no such stream, but {}{near}", known.join(", "))
        }))
    }

    fn nothing_yet(
        &self,
        base: &Loaded,
        plan: &Plan,
        smallest: &Option<(Range, f64)>,
        declared: Option<f64>,
        stream: Option<&str>,
    ) -> Capacities {
        let lever = match (smallest, stream) {
            (Some((range, _)), _) => range.path.clone(),
            (None, Some(stream)) => format!("traffic of {stream}"),
            (None, None) => "traffic".to_owned(),
        };
        Capacities {
            format: "simcap.capacity/1".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            experiment: base.experiment.name.clone(),
            lever,
            unit: if smallest.is_some() {
                Unit::Number
            } else {
                Unit::PerSecond
            },
            today: declared.filter(|_| smallest.is_none()),
            is_declared: declared.is_some(),
            counted_in: asked::counted_in(base, stream).filter(|_| smallest.is_none() && declared.is_none()),
            carries: smallest
                .as_ref()
                .map(|(_, times)| declared.map_or(f64::NAN, |declared| declared * times)),
            growth: self.grows.map(Growth::a_month),
            since: self
                .grows
                .map(|_| self.since.clone().unwrap_or_else(super::date::today)),
            seed: self.many.seed.unwrap_or(plan.seed),
            confidence: plan.confidence.level(),
            precision: self.precision,
            currency: plan.currency.as_ref().map(|billing| billing.code),
            assumptions: plan.assumptions.clone(),
            policies: Vec::new(),
        }
    }

    fn show(&self, all: &Capacities) -> Result<(), Failure> {
        self.format.print(&Shown {
            table: &|style| all.text(style.width, style.colour),
            csv: &|| all.csv(),
            json: &|| as_json(all),
            markdown: &|| all.markdown(),
        })?;
        let Some(folder) = &self.out else { return Ok(()) };
        let page = capacity_page::page(all).context("cannot make the page")?;
        keep(folder, &[("capacity.json", as_json(all)?), ("capacity.html", page)])
    }

    fn ended(&self, all: &Capacities, asked: usize, is_stopped: bool) -> Done {
        if is_stopped || all.policies.len() < asked {
            return Err(anyhow!("interrupted after {} of {asked} policies", all.policies.len()).into());
        }
        let spent = all
            .policies
            .iter()
            .filter(|policy| policy.ended == Ended::Spent)
            .count();
        if spent > 0 {
            let why = format!(
                "the budget of {} requests was spent before the capacity of {spent} of {asked} policies was known: give more with --budget, \
                 or a shorter plan.duration",
                crate::report::format::count(self.budget)
            );
            return Err(anyhow!(why).into());
        }
        Ok(if all.fails() { Exit::ObjectiveFailed } else { Exit::Fine })
    }
}

impl Search {
    /// The values that are sure to be looked at.
    fn checked(&self) -> Vec<f64> {
        match self.is_relief {
            true => vec![self.range.0, self.range.1],
            false => vec![self.start, self.start * 1.000_1],
        }
    }
}

impl Over {
    /// The experiment with the policy `name` alone, at this value.
    fn at(
        &mut self,
        value: f64,
        name: &str,
        args: &CapacityArgs,
        traces: &crate::experiment::load::Traces,
        own: &OwnParts,
    ) -> Result<Loaded, LoadError> {
        let (mut loaded, factor) = match &self.smallest {
            None => (self.base.clone(), value),
            Some((range, factor)) => {
                let smallest = Setting::new(&range.path, &range.written(value));
                let smallest = smallest.map_err(|error| LoadError::Set(error.to_string()))?;
                let settings = [args.set.as_slice(), &[smallest]].concat();
                (self.source.load(&settings, traces, None, own.clone())?, *factor)
            }
        };
        let traffic = loaded.experiment.traffic.scaled(factor, self.stream.as_deref());
        loaded.experiment.traffic = traffic.map_err(|why| LoadError::Set(format!("{}: {why}", loaded.file)))?;
        Ok(alone(loaded, name))
    }
}

/// The objectives, by number in the plan.
fn goals(plan: &Plan) -> Vec<Goal> {
    let goal = |objective: &crate::experiment::assemble::Objective| Goal {
        metric: objective.metric.clone(),
        bound: objective.bound,
        at_most: objective.at_most,
    };
    plan.objectives.iter().map(goal).collect()
}
