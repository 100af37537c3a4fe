//! `simcap risk`: an experiment at draws of its inputs that are not known exactly, and at the ends of each.
//!
//! Runs are made one after the other with the same seed, the replications of each side by side: first at what the file has itself, then at the ends
//! of each input, then at the draws. An interruption ends it; what was found until then is printed.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use anyhow::{Context, anyhow};
use clap::Args;

use super::many::{Form, Many, Shown, as_json, keep};
use super::run::Stop;
use super::{Done, Exit, Failure};
use crate::decide::singles;
use crate::experiment::assemble::assemble;
use crate::experiment::file::Experiment;
use crate::experiment::load::{LoadError, Loaded, Source};
use crate::experiment::settings::Setting;
use crate::experiment::uncertain_inputs::{UncertainInput, inputs};
use crate::form::bound::Target;
use crate::form::own::OwnParts;
use crate::report::repeated::Repeated;
use crate::report::risk::{Input, Risk};
use crate::report::{Judged, Report, format, risk_page};
use crate::simulate::{self, Options, run_seen};
use crate::study::hypercube;
use crate::study::risk::{Seen, metrics, risk};
use crate::words::{Metric, Unit};

/// Arguments of `simcap risk`.
#[derive(Debug, Args)]
pub(super) struct RiskArgs {
    /// The experiment (JSON; comments are allowed; `-` reads it from standard input)
    file: PathBuf,
    /// A number that lies between two ends, all values alike: traffic.rate=25/s..45/s; stands for what the file's `uncertain` says of the path.
    /// May be given several times
    #[arg(long, value_name = "PATH=LOW..HIGH", value_parser = UncertainInput::between)]
    between: Vec<UncertainInput>,
    /// Variants of which one is true, all alike: providers[a].model=gpt-4.1,gemini-2.5-flash; may be given several times
    #[arg(long = "one-of", value_name = "PATH=A,B", value_parser = UncertainInput::one_of)]
    one_of: Vec<UncertainInput>,
    /// Draws of all inputs together
    #[arg(long, value_name = "N", default_value = "24", value_parser = clap::value_parser!(u64).range(5..=10_000))]
    points: u64,
    /// What a month may cost, like '$5,000': how often more is spent
    #[arg(long, value_name = "MONEY", value_parser = money)]
    budget: Option<f64>,
    /// A metric to show besides cost and those of the objectives; may be given several times
    #[arg(long, value_name = "METRIC")]
    metric: Vec<Metric>,
    /// Change a value of the experiment first, as in `run`; may be given several times
    #[arg(long = "set", value_name = "PATH=VALUE")]
    set: Vec<Setting>,
    /// Replications of each run [default: as the file says]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(2..=100_000))]
    replications: Option<u64>,
    #[command(flatten)]
    many: Many,
    /// What to print
    #[arg(long, value_enum, default_value_t = Form::Table)]
    format: Form,
    /// Write risk.csv, risk.json and risk.html, a page with the tornado, to this folder too
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

fn money(text: &str) -> Result<f64, String> {
    Target::Text(text.to_owned()).value(Unit::Dollars)
}

/// The runs of a study, in order: where they are made, and what they are.
struct Runs<'a> {
    make: &'a mut dyn FnMut(&[Setting]) -> Result<Loaded, LoadError>,
    options: Options,
    pool: rayon::ThreadPool,
    stop: &'a Stop,
    metrics: Vec<Metric>,
    warnings: Vec<Repeated>,
    done: usize,
    count: usize,
}

impl Runs<'_> {
    /// The run with these values, and its report; nothing if it was interrupted.
    fn at(
        &mut self,
        values: Vec<String>,
        settings: &[Setting],
        asked: (&[Metric], bool),
    ) -> Result<Option<(Seen, Option<Report>)>, Failure> {
        let loaded = (self.make)(settings)?;
        let mut each = Vec::new();
        let mut wanted = self.metrics.clone();
        let done = self.pool.install(|| {
            run_seen(&loaded, &self.options, &self.stop.control, &mut |plan, runs| {
                // Of the first run it is not known yet which are looked at.
                if wanted.is_empty() {
                    wanted = plan.metrics.iter().map(|measure| measure.metric.clone()).collect();
                }
                let Ok(of) = singles(plan, runs, &wanted);
                each = of;
            })
        });
        if self.stop.control.stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        self.done += 1;
        tell!("{} of {} runs", self.done, self.count);
        match done {
            Ok(report) => {
                if self.metrics.is_empty() {
                    self.metrics = metrics(&report, asked.0, asked.1);
                }
                let places: Vec<Option<usize>> = (self.metrics.iter())
                    .map(|metric| wanted.iter().position(|known| known == metric))
                    .collect();
                let of_metrics = |of: &Vec<Vec<f64>>| {
                    let one = |place: &Option<usize>| place.and_then(|place| of.get(place).cloned());
                    places.iter().map(|place| one(place).unwrap_or_default()).collect()
                };
                let each = each.iter().map(of_metrics).collect();
                let label = if values.is_empty() {
                    "the file's own values".to_owned()
                } else {
                    values.join(" · ")
                };
                Repeated::note(&mut self.warnings, &label, report.told());
                Ok(Some((Seen::of(values, &report, &self.metrics, each), Some(report))))
            }
            Err(simulate::Error::Outgrown(why)) => {
                Repeated::note(&mut self.warnings, &values.join(" · "), std::iter::once(why.clone()));
                Ok(Some((Seen::outgrown(values, why), None)))
            }
            Err(simulate::Error::Experiment(error)) => Err(error.into()),
        }
    }
}

impl RiskArgs {
    pub(super) fn run(self, own: &OwnParts) -> Done {
        let set = self.set.iter().map(Setting::written);
        let set = set.map(|(path, value)| (path.to_owned(), value.to_owned()));
        super::refuse_twice(self.replications, self.many.seed, set)?;
        let stop = Stop::watch(None);
        let mut source = Source::read(&self.file)?;
        let traces = self.many.traces();
        let base = source.load(&self.set, &traces, None, own.clone())?;
        let mut make = |settings: &[Setting]| {
            let settings = [self.set.as_slice(), settings].concat();
            let mut loaded = source.load(&settings, &traces, None, own.clone())?;
            self.prepare(&mut loaded.experiment);
            Ok(loaded)
        };
        let plan = assemble(&make(&[])?)?;
        let given = [self.between.as_slice(), &self.one_of].concat();
        let unknown = inputs(&base, &given, &mut make)?;
        if unknown.is_empty() {
            return Err(Failure::Input(format!(
                "{} says of nothing that it is not known: give it `uncertain`, or --between PATH=LOW..HIGH or --one-of PATH=A,B",
                base.file
            )));
        }
        let seed = self.many.seed.unwrap_or(plan.seed);
        let draws = draws(&unknown, seed, self.points as usize)?;
        // A mistake in any of them is told before the first is run.
        for (_, settings) in &draws {
            assemble(&make(settings)?)?;
        }
        let mut options = Options::default().own(own.clone());
        options.replications = self.replications;
        options.seed = Some(seed);
        let ends: Vec<Vec<_>> = unknown.iter().map(UncertainInput::ends).collect();
        let mut runs = Runs {
            make: &mut make,
            options,
            pool: self.many.pool()?,
            stop: &stop,
            metrics: Vec::new(),
            warnings: Vec::new(),
            done: 0,
            count: 1 + ends.iter().map(Vec::len).sum::<usize>() + draws.len(),
        };
        stop.simulate();
        let asked = (self.metric.as_slice(), self.budget.is_some());
        let (centre, report) = match runs.at(Vec::new(), &[], asked)? {
            Some((seen, Some(report))) => (seen, report),
            Some((seen, None)) => {
                let why = seen.point.outgrown.unwrap_or_default();
                return Err(anyhow!("at the file's own values: {why}").into());
            }
            None => return Err(anyhow!("interrupted: nothing is known").into()),
        };
        let mut at_ends: Vec<Vec<(String, Seen)>> = vec![Vec::new(); unknown.len()];
        let mut all = self.nothing_yet(&report, &unknown, &draws);
        let mut seen = Vec::new();
        'runs: {
            for ((input, ends), found) in unknown.iter().zip(ends).zip(&mut at_ends) {
                for end in ends {
                    let value = UncertainInput::shown(&end);
                    let Some((one, _)) = runs.at(vec![value.clone()], &[input.set(&end)?], asked)? else {
                        break 'runs;
                    };
                    found.push((value, one));
                }
            }
            for (values, settings) in draws {
                let Some((one, _)) = runs.at(values, &settings, asked)? else {
                    break 'runs;
                };
                seen.push(one);
            }
        }
        let is_whole = runs.done == runs.count;
        all.metrics = runs.metrics;
        all.warnings = runs.warnings;
        let names: Vec<String> = base
            .experiment
            .policies
            .iter()
            .map(|entry| entry.name.clone())
            .collect();
        let month = report.month_days * 86_400.0;
        let all = risk(all, &names, centre, at_ends, seen, month);
        self.show(&all)?;
        if !is_whole {
            let (found, planned) = (format::count(all.draws.len() as u64), format::count(self.points));
            return Err(anyhow!("interrupted after {found} of {planned} draws").into());
        }
        let fails = report
            .objectives
            .iter()
            .any(|objective| objective.judged == Judged::Fail);
        Ok(if fails { Exit::ObjectiveFailed } else { Exit::Fine })
    }

    /// What a run of the study has besides: the metrics that are asked for, and no more to say of what is not known.
    fn prepare(&self, experiment: &mut Experiment) {
        experiment.uncertain = crate::form::named::Named::default();
        let standard = |metric: &&Metric| metric.as_standard().is_none() && !experiment.plan.metrics.contains(metric);
        let missing: Vec<Metric> = self.metric.iter().filter(standard).cloned().collect();
        experiment.plan.metrics.extend(missing);
    }

    fn nothing_yet(&self, report: &Report, unknown: &[UncertainInput], draws: &[Draw]) -> Risk {
        let input = |(i, input): (usize, &UncertainInput)| Input {
            path: input.path.clone(),
            own: input.own.as_ref().map(UncertainInput::shown),
            possible: input.in_words(),
            unit: input.unit(),
            numbers: draws
                .iter()
                .filter_map(|(values, _)| input.number(&values[i].clone().into()))
                .collect(),
            ends: Vec::new(),
        };
        let dollar = report.currency.as_ref().map_or(1.0, |currency| currency.per_dollar);
        Risk {
            format: "simcap.risk/1".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            experiment: report.experiment.clone(),
            seed: report.seed,
            replications: report.replications_finished,
            counted: report.counted,
            confidence: report.confidence,
            currency: report.code(),
            planned: draws.len(),
            metrics: Vec::new(),
            objectives: report.scorecard.goals.clone(),
            budget: self.budget.map(|budget| budget * dollar),
            leader: String::new(),
            is_met: false,
            moved: 0,
            sentences: Vec::new(),
            warnings: Vec::new(),
            assumptions: report.assumptions.clone(),
            inputs: unknown.iter().enumerate().map(input).collect(),
            centre: crate::report::sweep::Point::of(Vec::new(), report, &[]),
            policies: Vec::new(),
            nowhere: 0,
            untold: 0,
            draws: Vec::new(),
        }
    }

    fn show(&self, all: &Risk) -> Result<(), Failure> {
        self.format.print(&Shown {
            table: &|style| all.text(style.width, style.colour),
            csv: &|| all.csv(),
            json: &|| as_json(all),
            markdown: &|| all.markdown(),
        })?;
        let Some(folder) = &self.out else { return Ok(()) };
        let page = risk_page::page(all).context("cannot draw the study")?;
        keep(
            folder,
            &[
                ("risk.csv", all.csv()),
                ("risk.json", as_json(all)?),
                ("risk.html", page),
            ],
        )
    }
}

/// A draw: the values as they are shown, and as they are set.
type Draw = (Vec<String>, Vec<Setting>);

/// The draws of all inputs together.
fn draws(unknown: &[UncertainInput], seed: u64, points: usize) -> Result<Vec<Draw>, LoadError> {
    let names: Vec<&str> = unknown.iter().map(|input| input.path.as_str()).collect();
    let shares = hypercube(seed, &names, points);
    let at = |point: usize| {
        let values = unknown
            .iter()
            .zip(&shares)
            .map(|(input, shares)| (input, input.value(shares[point])));
        let values: Vec<_> = values.collect();
        let settings = values.iter().map(|(input, value)| input.set(value));
        let settings = settings.collect::<Result<_, _>>()?;
        let shown = values.iter().map(|(_, value)| UncertainInput::shown(value)).collect();
        Ok((shown, settings))
    };
    (0..points).map(at).collect()
}
