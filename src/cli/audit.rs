//! `simcap audit`: do published figures hold, by arithmetic and by simulation?
//!
//! Each experiment that claims name is run once, whatever many claims and files name it, one after the other, the replications of each side
//! by side. Formulas, laws and units are checked before anything is run. An interruption ends it without a verdict.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use anyhow::anyhow;
use clap::Args;

use super::many::{Form, Many, Shown, as_json, keep};
use super::report::result_in;
use super::run::Stop;
use super::{Done, Exit, Failure};
use crate::experiment::assemble::assemble;
use crate::experiment::claims::{Claims, RunSpec, Seen, Simulated};
use crate::experiment::load::{LoadError, Loaded, Source};
use crate::experiment::settings::Setting;
use crate::form::build::Refusal;
use crate::form::diagnose::{Error, Seg};
use crate::form::own::OwnParts;

use crate::report::audit::{Audit, FORMAT, Ran};
use crate::report::{Metric, Report, measured, write};
use crate::simulate::{Options, run_controlled};
use crate::stats::interval::Estimate;
use crate::study::audit;
use crate::words::{Code, Holding, Unit};

/// Arguments of `simcap audit`.
#[derive(Debug, Args)]
pub(super) struct AuditArgs {
    /// Files of claims (JSON; comments are allowed): published figures, and what each is held against
    #[arg(required = true, value_name = "CLAIMS")]
    files: Vec<PathBuf>,
    /// Print every figure, and where what it is held against comes from
    #[arg(long)]
    full: bool,
    /// Exit code 1 where a verdict is another than the file expects, instead of where a figure does not hold
    #[arg(long)]
    check: bool,
    /// Replications of every experiment [default: as the files say]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    replications: Option<u64>,
    #[command(flatten)]
    many: Many,
    /// What to print
    #[arg(long, value_enum, default_value_t = Form::Table)]
    format: Form,
    /// Write audit.json, audit.csv and audit.md to this folder too
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// An experiment that claims name, or the result of a run.
struct Run {
    path: PathBuf,
    /// What is changed in it, as `PATH=VALUE`.
    set: Vec<String>,
    replications: Option<u64>,
    /// What is to be run; nothing of a result.
    loaded: Option<Loaded>,
    policies: Vec<String>,
    currency: Option<Code>,
    /// The report, once it has been run.
    report: Option<Report>,
    /// Why there is none.
    outgrown: Option<String>,
}

impl AuditArgs {
    pub(super) fn run(self, own: &OwnParts) -> Done {
        let stop = Stop::watch(None);
        let files: Vec<Claims> = (self.files.iter())
            .map(|path| Claims::read(path))
            .collect::<Result<_, _>>()?;
        let mut runs: Vec<Run> = Vec::new();
        for claims in &files {
            self.load(claims, &mut runs, own)?;
            // What is wrong with a formula is told before anything is run.
            audit(claims, &|simulated| seen(claims, &runs, simulated))?;
        }
        for run in &mut runs {
            run.leave_out(&files);
        }
        let pool = self.many.pool()?;
        stop.simulate();
        let mut ran = Vec::new();
        for run in &mut runs {
            self.simulate(run, own, &pool, &stop)?;
            ran.extend(run.said());
        }
        let mut all = Audit {
            format: FORMAT.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            reports: Vec::new(),
            runs: ran,
        };
        for claims in &files {
            let audited = audit(claims, &|simulated| seen(claims, &runs, simulated))?;
            all.reports.push(audited);
        }
        self.show(&all)?;
        Ok(self.exit(&all))
    }

    /// Loads the experiments that the claims name and are not loaded yet, with the metrics that are asked of them.
    fn load(&self, claims: &Claims, runs: &mut Vec<Run>, own: &OwnParts) -> Result<(), Failure> {
        for (name, spec) in claims.said.experiments.iter() {
            if find(claims, runs, spec).is_none() {
                let run = self.open(claims, name, spec, own)?;
                runs.push(run);
            }
        }
        for (path, simulated) in claims.simulated() {
            let Some(at) = run_of(claims, runs, simulated) else {
                continue;
            };
            let run = &mut runs[at];
            policy(simulated, &run.policies)
                .map_err(|refusal| {
                    path.iter()
                        .rev()
                        .fold(refusal, |refusal, step| refusal.at(step.clone()))
                })
                .map_err(|refusal| claims.blame(refusal))?;
            run.ask(&simulated.metric)
                .map_err(|why| claims.wrong(&[&path[..], &[Seg::from("metric")]].concat(), why))?;
        }
        Ok(())
    }

    fn open(&self, claims: &Claims, name: &str, spec: &RunSpec, own: &OwnParts) -> Result<Run, Failure> {
        let at = |field: &str| [Seg::from("experiments"), Seg::from(name), Seg::from(field)];
        let wrong = |field: &str, why: String| -> Error { claims.wrong(&at(field), why) };
        let path = claims.folder.join(&spec.file);
        let mut run = Run {
            set: settings(spec),
            replications: spec.replications,
            loaded: None,
            policies: Vec::new(),
            currency: None,
            report: None,
            outgrown: None,
            path,
        };
        if let Some(report) = result_in(&run.path)? {
            if !run.set.is_empty() || run.replications.is_some() {
                let why = "is a result, in which nothing can be changed: name the experiment".to_owned();
                return Err(wrong("file", why).into());
            }
            run.policies = report.policies.iter().map(|policy| policy.name.clone()).collect();
            run.currency = report.code();
            run.report = Some(report);
            return Ok(run);
        }
        let settings: Vec<Setting> = (run.set.iter())
            .map(|text| text.parse::<Setting>())
            .collect::<Result<_, _>>()
            .map_err(|error| wrong("set", error.why().to_owned()))?;
        let loaded = Source::read(&run.path)
            .map_err(|error| match error {
                LoadError::Read { file, why } => Failure::from(wrong("file", format!("cannot read {file}: {why}"))),
                error => error.into(),
            })?
            .load(&settings, &self.many.traces(), None, own.clone())
            .map_err(|error| match error {
                LoadError::Set(why) => Failure::from(wrong("set", why)),
                error => error.into(),
            })?;
        let plan = assemble(&loaded)?;
        run.policies = plan.scenarios.iter().map(|scenario| scenario.name.clone()).collect();
        run.currency = plan.currency.as_ref().map(|billing| billing.code);
        run.loaded = Some(loaded);
        Ok(run)
    }

    fn simulate(&self, run: &mut Run, own: &OwnParts, pool: &rayon::ThreadPool, stop: &Stop) -> Result<(), Failure> {
        let Some(loaded) = &run.loaded else { return Ok(()) };
        if loaded.experiment.policies.is_empty() {
            return Ok(());
        }
        let mut options = Options::default().own(own.clone());
        options.replications = self.replications.or(run.replications);
        options.seed = self.many.seed;
        let done = pool.install(|| run_controlled(loaded, &options, &stop.control));
        if stop.control.stop.load(Ordering::Relaxed) {
            return Err(anyhow!("interrupted: nothing is audited").into());
        }
        match done {
            Ok(report) => run.report = Some(report),
            Err(crate::Error::Outgrown(why)) => run.outgrown = Some(why),
            Err(crate::Error::Experiment(error)) => return Err(error.into()),
        }
        Ok(())
    }

    fn show(&self, all: &Audit) -> Result<(), Failure> {
        self.format.print(&Shown {
            table: &|style| all.text(style.width, style.colour, self.full),
            csv: &|| all.csv(),
            json: &|| as_json(all),
            markdown: &|| all.markdown(),
        })?;
        let Some(folder) = &self.out else { return Ok(()) };
        keep(
            folder,
            &[
                ("audit.csv", all.csv()),
                ("audit.json", as_json(all)?),
                ("audit.md", all.markdown()),
            ],
        )
    }

    fn exit(&self, all: &Audit) -> Exit {
        let is_bad = if self.check {
            let surprises = all.surprises();
            surprises.iter().for_each(|said| tell!("{said}"));
            if surprises.is_empty() {
                tell!("every verdict is as the files expect it");
            }
            !surprises.is_empty()
        } else {
            all.count(Holding::Fails) > 0
        };
        if is_bad { Exit::ObjectiveFailed } else { Exit::Fine }
    }
}

impl Run {
    /// Asks for a metric.
    fn ask(&mut self, metric: &Metric) -> Result<(), String> {
        let Some(loaded) = &mut self.loaded else {
            let report = self.report.as_ref();
            let has =
                report.is_some_and(|report| report.policies.iter().any(|policy| measured(policy, metric).is_some()));
            return if has {
                Ok(())
            } else {
                Err(format!("the result has no figure of {metric}"))
            };
        };
        let asked = &mut loaded.experiment.plan.metrics;
        if metric.as_standard().is_some() || asked.contains(metric) {
            return Ok(());
        }
        asked.push(metric.clone());
        assemble(loaded).map(|_| ()).map_err(|error| error.message.clone())
    }

    /// Leaves policies out that no claim names: draws are keyed, so that the others meet the same without them.
    fn leave_out(&mut self, files: &[Claims]) {
        let mut named = vec![false; self.policies.len()];
        for claims in files {
            for (_, simulated) in claims.simulated() {
                let spec = claims.said.experiments.get(&simulated.experiment);
                if spec.is_some_and(|spec| self.is(claims, spec))
                    && let Ok(name) = policy(simulated, &self.policies)
                    && let Some(at) = self.policies.iter().position(|known| known == name)
                {
                    named[at] = true;
                }
            }
        }
        let Some(loaded) = &mut self.loaded else { return };
        let kept: Vec<&String> = self
            .policies
            .iter()
            .zip(named)
            .filter_map(|(name, is)| is.then_some(name))
            .collect();
        let experiment = &mut loaded.experiment;
        experiment.policies.retain(|entry| kept.contains(&&entry.name));
        experiment
            .objectives
            .retain_mut(|objective| match &mut objective.policies {
                None => true,
                Some(names) => {
                    names.retain(|name| kept.contains(&name));
                    !names.is_empty()
                }
            });
    }

    /// Whether it is of what a file of claims names.
    fn is(&self, claims: &Claims, spec: &RunSpec) -> bool {
        let path = claims.folder.join(&spec.file);
        let is_file = self.path == path || write::is_same_file(&self.path, &path);
        is_file && self.set == settings(spec) && self.replications == spec.replications
    }

    fn said(&self) -> Option<Ran> {
        let report = self.report.as_ref()?;
        Some(Ran {
            file: self.path.display().to_string(),
            set: self.set.clone(),
            replications: report.replications_finished,
            counted: report.counted,
            seed: report.seed,
            confidence: report.confidence,
        })
    }
}

/// The changes of an experiment, as `PATH=VALUE`.
fn settings(spec: &RunSpec) -> Vec<String> {
    spec.set.iter().map(|(path, value)| format!("{path}={value}")).collect()
}

/// The run of that experiment, if it is there.
fn find(claims: &Claims, runs: &[Run], spec: &RunSpec) -> Option<usize> {
    runs.iter().position(|run| run.is(claims, spec))
}

fn run_of(claims: &Claims, runs: &[Run], simulated: &Simulated) -> Option<usize> {
    find(claims, runs, claims.said.experiments.get(&simulated.experiment)?)
}

/// The name of the policy that a figure is of.
fn policy<'a>(simulated: &Simulated, policies: &'a [String]) -> Result<&'a str, Refusal> {
    match (&simulated.policy, policies) {
        (Some(name), _) => {
            let found = policies.iter().find(|known| *known == name);
            let found = found.ok_or_else(|| Refusal::unknown("policy", name, policies).at("policy"))?;
            Ok(found)
        }
        (None, [only]) => Ok(only),
        (None, _) => Err(Refusal::new(format!(
            "has no `policy`, and the experiment has {}: {}",
            policies.len(),
            policies.join(", ")
        ))),
    }
}

/// A simulated figure as far as it is known.
fn seen(claims: &Claims, runs: &[Run], simulated: &Simulated) -> Seen {
    let nothing = |note: Option<&str>, unit: Unit| Seen {
        estimate: Estimate::NONE,
        unit,
        note: note.map(str::to_owned),
        source: String::new(),
    };
    let metric = &simulated.metric;
    let Some(run) = run_of(claims, runs, simulated).map(|at| &runs[at]) else {
        return nothing(None, metric.unit());
    };
    let unit = metric.unit_in(run.currency);
    let Ok(name) = policy(simulated, &run.policies) else {
        return nothing(None, unit);
    };
    let source = format!("{}: {name}, {metric}", file_name(&run.path));
    let Some(report) = &run.report else {
        return Seen {
            source,
            ..nothing(run.outgrown.as_deref(), unit)
        };
    };
    let of_policy = report.policies.iter().find(|policy| policy.name == name);
    let figure = of_policy.and_then(|policy| measured(policy, metric));
    let Some((estimate, note)) = figure else {
        let why = "more requests in the system than the experiment allows";
        return Seen {
            source,
            ..nothing(Some(why), unit)
        };
    };
    Seen {
        estimate,
        unit,
        note: note.map(str::to_owned).or_else(|| estimate.why_no_interval()),
        source,
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(
        || path.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    )
}
