//! `simcap drill`: each failure domain of an experiment fails in turn, in every way.
//!
//! Cases are run one after the other, with the same seed, the replications of each side by side. An interruption ends it; what was found
//! until then is printed.
//!
//! What hangs is waited for without end where the client has no timeout. That is so under those policies alone that send something there:
//! the others go on as if nothing failed.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use anyhow::anyhow;
use clap::Args;

use super::many::{Form, Many, Shown, as_json, keep};
use super::run::Stop;
use super::{Done, Exit, Failure};
use crate::experiment::assemble::assemble;
use crate::experiment::drill::{Domain, Failing, domains, drill, metrics};
use crate::experiment::file::PolicyEntry;
use crate::experiment::load::{LoadError, Loaded, Source};
use crate::experiment::settings::Setting;
use crate::form::own::OwnParts;
use crate::form::units::{Duration, Fraction};
use crate::kernel::time::Span;
use crate::report::drill::{Case, Drill, Fails, OfPolicy};
use crate::report::terminal::Style;
use crate::report::text::{clean, paragraph};
use crate::report::{PolicyReport, Report, format};
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

/// What the run in which nothing fails says of those in which something does.
struct Normal {
    /// How long it warmed up.
    warmup: Duration,
    /// The providers that each policy sends something to before the failure of the other cases is over, by the name of the policy.
    used: Vec<(String, Vec<String>)>,
}

impl Normal {
    /// Of the report of that run, where a failure would begin after so many seconds and last as long.
    fn of(report: &Report, lasts: f64) -> Normal {
        let used = |policy: &PolicyReport| -> Vec<String> {
            let begins = std::iter::once(0.0).chain(policy.series.iter().map(|moment| moment.until));
            let bins = begins.zip(&policy.series);
            let before: Vec<&[f64]> = (bins.take_while(|(from, _)| *from < 2.0 * lasts))
                .map(|(_, moment)| moment.sent.as_slice())
                .collect();
            let providers = policy.providers.iter().enumerate();
            providers
                .filter(|(i, _)| before.iter().any(|sent| sent.get(*i).is_some_and(|&rate| rate > 0.0)))
                .map(|(_, provider)| provider.name.clone())
                .collect()
        };
        let policies = report.policies.iter();
        Normal {
            warmup: Duration::from(Span::from_seconds_f64(report.warmup)),
            used: policies.map(|policy| (policy.name.clone(), used(policy))).collect(),
        }
    }

    /// Whether the policy of that name sends nothing to a domain: until it does, whatever the domain does is nothing to it.
    fn is_apart(&self, policy: &str, domain: &Domain) -> bool {
        let of = self.used.iter().find(|(name, _)| name == policy);
        of.is_some_and(|(_, used)| !domain.providers.iter().any(|provider| used.contains(provider)))
    }
}

/// The case in which `domain` hangs and some client has no timeout that would end what is sent there: `empty`, with the figures of the policies
/// that do not wait without end. Those whose own client gives up are run without the others, and those that send nothing there do as they
/// do when nothing fails, with the same seed.
fn hanging(
    empty: Case,
    found: &Drill,
    normal: Option<&Normal>,
    domain: &Domain,
    drill: &Loaded,
    run: impl Fn(&Loaded) -> Result<Report, simulate::Error>,
) -> Result<Case, Failure> {
    let (Some(normal), Some(well)) = (normal, found.cases.first()) else {
        return Ok(empty);
    };
    let gives_up = |entry: &PolicyEntry| {
        let mut alone = drill.clone();
        alone.experiment.policies = vec![entry.clone()];
        assemble(&alone).is_ok()
    };
    let mut rest = drill.clone();
    rest.experiment.policies.retain(gives_up);
    // As in the other cases, whose pilot saw all policies.
    rest.experiment.plan.warmup = rest.experiment.plan.warmup.or(Some(normal.warmup));
    let mut case = empty;
    let mut ended: Vec<OfPolicy> = Vec::new();
    if !rest.experiment.policies.is_empty() {
        match run(&rest) {
            Ok(report) => ended = Case::of(None, &report, &found.metrics).policies,
            Err(simulate::Error::Outgrown(too)) => {
                case.outgrown = case.outgrown.map(|why| format!("{why}; {too}"));
            }
            Err(simulate::Error::Experiment(error)) => return Err(error.into()),
        }
    }
    let of = |policy: &OfPolicy| {
        let own = ended.iter().find(|of| of.name == policy.name);
        own.or_else(|| normal.is_apart(&policy.name, domain).then_some(policy))
            .cloned()
    };
    case.policies = well.policies.iter().filter_map(of).collect();
    if case.policies.len() == drill.experiment.policies.len() {
        case.outgrown = None;
    }
    Ok(case)
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
        let run = |drill: &Loaded| pool.install(|| run_controlled(drill, &options, &stop.control));
        stop.simulate();
        let mut normal: Option<Normal> = None;
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
            let done = run(&drill);
            if stop.control.stop.load(Ordering::Relaxed) {
                break;
            }
            let failing = case.map(|(domain, how)| Fails {
                domain: domain.name.clone(),
                name: how.name(),
                verb: how.verb(),
            });
            let of_case = match done {
                Ok(report) => {
                    found.currency = report.code();
                    if case.is_none() {
                        found.warnings = told(&report);
                        normal = Some(Normal::of(&report, found.lasts));
                    }
                    Case::of(failing, &report, &found.metrics)
                }
                Err(simulate::Error::Outgrown(why)) => Case::empty(failing, Some(why)),
                Err(simulate::Error::Experiment(error)) => match (error, case) {
                    // The experiment itself is sound: what hangs is waited for without end.
                    (LoadError::Says(why), Some((domain, Failing::Hangs))) => {
                        let empty = Case::empty(failing, Some(why.message.clone()));
                        hanging(empty, &found, normal.as_ref(), domain, &drill, run)?
                    }
                    (error, _) => return Err(error.into()),
                },
            };
            if stop.control.stop.load(Ordering::Relaxed) {
                break;
            }
            found.cases.push(of_case);
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
