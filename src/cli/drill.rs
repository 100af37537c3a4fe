//! `simcap drill`: each failure domain of an experiment fails in turn, in every way.
//!
//! Cases are run one after the other, with the same seed, the replications of each side by side. An interruption ends it; what was found
//! until then is printed.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use anyhow::anyhow;
use clap::Args;

use super::many::{Form, Many, Shown, as_json, keep};
use super::run::Stop;
use super::{Done, Exit, Failure};
use crate::experiment::assemble::assemble;
use crate::experiment::drill::{Domain, Failing, domains, drill, metrics};
use crate::experiment::load::{LoadError, Loaded, Source};
use crate::experiment::settings::Setting;
use crate::form::own::OwnParts;
use crate::form::units::{Duration, Fraction};
use crate::report::drill::{Case, Drill, Fails};
use crate::report::terminal::Style;
use crate::report::text::{clean, paragraph};
use crate::report::{Report, format};
use crate::simulate::{self, Options, run_controlled};

/// Arguments of `simcap drill`.
#[derive(Debug, Args)]
pub(super) struct DrillArgs {
    /// The experiment (JSON; comments are allowed; `-` reads it from standard input)
    file: PathBuf,
    /// What fails: a provider, or `account NAME` or `host NAME` for all of its providers; may be given several times [default: each in turn]
    #[arg(long, value_name = "NAME")]
    of: Vec<String>,
    /// How it fails: answers 500 or 429 at once, is slow (first tokens take ten times as long, others five times), or hangs (accepts and
    /// never answers)
    #[arg(long, value_name = "WAY", value_delimiter = ',', default_values = Failing::ALL.map(Failing::name), value_parser = way)]
    fails: Vec<Failing>,
    /// How long a failure lasts; it comes after as long a time in which all is well, and is followed by twice as long
    #[arg(long = "for", value_name = "DURATION", default_value = "10m", value_parser = span)]
    lasts: Duration,
    /// Change a number or a part of the experiment, as in `run`
    #[arg(long = "set", value_name = "PATH=VALUE")]
    set: Vec<Setting>,
    /// Replications of each case [default: as the file says, at most 10]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    replications: Option<u64>,
    #[command(flatten)]
    many: Many,
    /// The share of requests that may fail in any failure, like 5%: exit code 1 if under every policy more do
    #[arg(long, value_name = "SHARE", value_parser = share)]
    errors_at_most: Option<Fraction>,
    /// Print every table
    #[arg(long)]
    full: bool,
    /// What to print
    #[arg(long, value_enum, default_value_t = Form::Table)]
    format: Form,
    /// Write drill.csv, drill.json and drill.md to this folder too
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Replications of a case where nothing says how many.
const REPLICATIONS: u64 = 10;

fn way(text: &str) -> Result<Failing, String> {
    let found = Failing::ALL.into_iter().find(|way| way.name() == text);
    found.ok_or_else(|| format!("must be one of {}", Failing::ALL.map(Failing::name).join(", ")))
}

fn span(text: &str) -> Result<Duration, String> {
    let span: Duration = text.parse().map_err(|why| format!("{why}"))?;
    if span.span().nanos() == 0 {
        return Err("must be longer than nothing".to_owned());
    }
    Ok(span)
}

fn share(text: &str) -> Result<Fraction, String> {
    text.parse().map_err(|why| format!("{why}"))
}

/// What to know of every case: what the run in which nothing fails is warned of, and what fails in it all the same.
fn told(report: &Report) -> Vec<String> {
    let mut all: Vec<String> = report.warnings.iter().take(3).cloned().collect();
    let own = report.policies.iter().flat_map(|policy| &policy.incidents);
    if let Some(incident) = own.clone().find(|incident| incident.from < report.counted) {
        all.push(format!(
            "the experiment's own outage of {} strikes in every case, {} after the start: put it off, or leave it out",
            incident.provider,
            format::span(incident.from)
        ));
    }
    all
}

impl DrillArgs {
    pub(super) fn run(self, own: &OwnParts) -> Done {
        let set = self.set.iter().map(Setting::written);
        let set = set.map(|(path, value)| (path.to_owned(), value.to_owned()));
        super::refuse_twice(self.replications, self.many.seed, set)?;
        let stop = Stop::watch(None);
        let mut source = Source::read(&self.file)?;
        let loaded = source.load(&self.set, &self.many.traces(), None, own.clone())?;
        // What is wrong with the experiment itself is told before anything is changed in it.
        assemble(&loaded).map_err(LoadError::Says)?;
        let wanted = self.domains(&loaded)?;
        let failing = self.fails.iter().copied();
        let cases = wanted
            .iter()
            .flat_map(|domain| failing.clone().map(move |how| (domain, how)));
        let cases: Vec<Option<(&Domain, Failing)>> = std::iter::once(None).chain(cases.map(Some)).collect();
        let mut options = Options::default().own(own.clone());
        let replications = (self.replications).unwrap_or(loaded.experiment.plan.replications.min(REPLICATIONS));
        options.replications = Some(replications);
        options.seed = self.many.seed;
        let pool = self.many.pool()?;
        stop.simulate();
        let mut found = Drill {
            experiment: loaded.experiment.name.clone(),
            lasts: self.lasts.span().seconds(),
            replications,
            metrics: metrics(&loaded.experiment),
            currency: None,
            cases: Vec::new(),
            warnings: Vec::new(),
        };
        let count = cases.len();
        for (number, case) in cases.into_iter().enumerate() {
            let drill = drill(&loaded, self.lasts.span(), case).map_err(|refusal| Failure::Input(refusal.message))?;
            let done = pool.install(|| run_controlled(&drill, &options, &stop.control));
            if stop.control.stop.load(Ordering::Relaxed) {
                break;
            }
            let failing = case.map(|(domain, how)| Fails {
                domain: domain.name.clone(),
                name: how.name(),
                verb: how.verb(),
            });
            match done {
                Ok(report) => {
                    found.currency = report.code();
                    if case.is_none() {
                        found.warnings = told(&report);
                    }
                    found.cases.push(Case::of(failing, &report, &found.metrics));
                }
                Err(simulate::Error::Outgrown(why)) => found.cases.push(Case::empty(failing, Some(why))),
                // The experiment itself is sound: what hangs is waited for without end.
                Err(simulate::Error::Experiment(LoadError::Says(why)))
                    if case.is_some_and(|(_, how)| how == Failing::Hangs) =>
                {
                    found.cases.push(Case::empty(failing, Some(why.message.clone())));
                }
                Err(simulate::Error::Experiment(error)) => return Err(error.into()),
            }
            tell!("{} of {count} cases", number + 1);
        }
        self.show(&found)?;
        if found.cases.len() < count {
            let (ended, all) = (format::count(found.cases.len() as u64), format::count(count as u64));
            return Err(anyhow!("interrupted after {ended} of {all} cases").into());
        }
        Ok(match self.errors_at_most {
            Some(most) if found.all_exceed(most.get()) => Exit::ObjectiveFailed,
            Some(_) | None => Exit::Fine,
        })
    }

    /// What is to fail.
    fn domains(&self, loaded: &Loaded) -> Result<Vec<Domain>, Failure> {
        let all = domains(&loaded.experiment);
        if self.of.is_empty() {
            return Ok(all);
        }
        let names: Vec<String> = all.iter().map(|domain| domain.name.clone()).collect();
        let one = |name: &String| match all.iter().find(|domain| domain.name == *name) {
            Some(domain) => Ok(domain.clone()),
            None => {
                let refusal = crate::form::build::Refusal::unknown("failure domain", name, &names);
                Err(Failure::Input(format!(
                    "--of: {}; there are {}",
                    refusal.message,
                    names.join(", ")
                )))
            }
        };
        self.of.iter().map(one).collect()
    }

    fn show(&self, all: &Drill) -> Result<(), Failure> {
        let table = |style: &Style| {
            let head = format!(
                "{}: each failure lasts {}, {} replications of each case. Slow: first tokens take ten times as long, others five times.",
                all.experiment,
                format::span(all.lasts),
                format::count(all.replications)
            );
            let head = paragraph("", &clean(&head), style.width);
            format!("{head}\n{}", all.text(style.width, style.colour, self.full))
        };
        self.format.print(&Shown {
            table: &table,
            csv: &|| all.csv(),
            json: &|| as_json(all),
            markdown: &|| all.markdown(),
        })?;
        let Some(folder) = &self.out else { return Ok(()) };
        keep(
            folder,
            &[
                ("drill.csv", all.csv()),
                ("drill.json", as_json(all)?),
                ("drill.md", all.markdown()),
            ],
        )
    }
}
