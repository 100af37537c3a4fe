//! The command line: one thin file a subcommand. The only place that prints.

/// Writes a line to standard error; a program whose standard error is closed goes on.
macro_rules! tell {
    ($($said:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($said)*);
    }};
}

mod audit;
#[cfg(feature = "live")]
mod calibrate;
mod capacity;
mod check;
#[cfg(feature = "parquet")]
mod columns;
#[cfg(feature = "completions")]
mod completions;
mod date;
mod diff;
mod drill;
mod examples;
mod explain;
mod export;
mod fit;
mod import;
mod init;
mod kinds;
mod list;
mod many;
mod measured;
#[cfg(feature = "live")]
mod mock;
mod open;
mod optimize;
mod page;
mod policies;
mod report;
mod requests;
mod risk;
mod run;
mod schema;
mod signals;
mod sweep;
mod templates;
mod traffic;
mod validate;

use std::ffi::OsString;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::OnceLock;

use clap::{Parser, Subcommand, ValueEnum};

use crate::experiment::load::{LoadError, Loaded, Traces};
use crate::experiment::settings::is_same_path;
use crate::form::own::OwnParts;
use crate::report::terminal::Style;
use crate::report::text::paragraph;

/// Try LLM routing strategies on simulated providers before production meets them.
#[derive(Debug, Parser)]
#[command(name = "simcap", version, about, after_help = examples::SIMCAP, after_long_help = examples::SIMCAP)]
pub struct Cli {
    /// When to colour what is printed; `auto` does on a terminal, unless NO_COLOR is set or TERM is "dumb"
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: Color,
    #[command(subcommand)]
    command: Command,
}

/// When to colour what is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

/// What `--color` says, for all that is printed.
static COLOR: OnceLock<Color> = OnceLock::new();

#[derive(Debug, Subcommand)]
enum Command {
    /// Run an experiment: tables here, a report in reports/NAME.
    #[command(after_help = examples::RUN)]
    Run(run::Run),
    /// Run an experiment (or read a result.json, or two) and print only how its policies compare.
    #[command(after_help = examples::COMPARE)]
    Compare(run::Compare),
    /// Run an experiment at many values of one or several of its numbers, and say how far each policy carries.
    #[command(after_help = examples::SWEEP)]
    Sweep(Box<sweep::SweepArgs>),
    /// Let each provider, account and host fail in turn, and say what every policy makes of it.
    #[command(after_help = examples::DRILL)]
    Drill(drill::DrillArgs),
    /// Search for the highest traffic at which each policy meets its objectives, and say what binds there.
    #[command(after_help = examples::CAPACITY)]
    Capacity(Box<capacity::CapacityArgs>),
    /// Choose among policies and values of the file the cheapest that meets every objective, and say how sure that is.
    #[command(after_help = examples::OPTIMIZE)]
    Optimize(Box<optimize::OptimizeArgs>),
    /// Carry inputs that are not known exactly through: how far they move the bill, the objectives and the choice, and which of them most.
    #[command(after_help = examples::RISK)]
    Risk(Box<risk::RiskArgs>),
    /// Hold published figures against arithmetic and simulation: which hold, and by what factor are others off?
    #[command(after_help = examples::AUDIT)]
    Audit(audit::AuditArgs),
    /// Make the page of a result again, or one page of two results.
    #[command(after_help = examples::REPORT)]
    Report(report::Report),
    /// Tell the story of single requests: what the policy saw and chose, each wait, attempt and bill.
    #[command(after_help = examples::REQUESTS)]
    Requests(Box<requests::Requests>),
    /// Hold a model against measurements, or an experiment against its gateway's log: does a simulation of the same schedule predict them?
    #[command(after_help = examples::VALIDATE)]
    Validate(validate::Validate),
    /// Write a page in which an experiment's numbers can be turned, simulated at once.
    #[command(after_help = examples::PAGE)]
    Page(page::Page),
    /// Check an experiment without running it.
    #[command(after_help = examples::CHECK)]
    Check(check::Check),
    /// Fit a provider model to logs of measurements, and say how good it is.
    #[command(after_help = examples::FIT)]
    Fit(fit::Fit),
    /// Probe real endpoints, within a bound on cost: what models are made from.
    #[cfg(feature = "live")]
    Calibrate(Box<calibrate::Calibrate>),
    /// Describe a trace of requests, and fit a model of its traffic for an experiment.
    #[command(after_help = examples::TRAFFIC)]
    Traffic(traffic::Traffic),
    /// Print the JSON Schema of a file.
    #[command(after_help = examples::SCHEMA)]
    Schema(schema::Schema),
    /// Explain a gateway's configuration: what it does when providers fail, and what in it does nothing.
    #[command(after_help = examples::EXPLAIN)]
    Explain(explain::Explain),
    /// Make an experiment of a gateway's configuration, with what it cannot know as a file of assumptions.
    #[command(after_help = examples::IMPORT)]
    Import(import::Import),
    /// Say what changes from one configuration of a gateway to another, in words and simulated.
    #[command(after_help = examples::DIFF)]
    Diff(diff::Diff),
    /// Write what an experiment changed back into the configuration that it was imported from.
    #[command(after_help = examples::EXPORT)]
    Export(export::Export),
    /// Write a commented experiment to start from.
    #[command(after_help = examples::INIT)]
    Init(init::Init),
    /// List the kinds of mechanisms that a file may name, or the parameters of one.
    #[command(after_help = examples::KINDS)]
    Kinds(kinds::Kinds),
    /// List the routing policies, those of a product, or the manual page of one.
    #[command(after_help = examples::POLICIES)]
    Policies(policies::Policies),
    /// List the models that are built in.
    #[command(after_help = examples::MODELS)]
    Models(list::Models),
    /// List the published quotas that are built in.
    #[command(after_help = examples::LIMITS)]
    Limits(list::Limits),
    /// Serve models, or an experiment's providers, as an OpenAI-compatible server.
    #[cfg(feature = "live")]
    Mock(mock::Mock),
    /// Print what a shell needs to complete simcap's arguments.
    #[cfg(feature = "completions")]
    #[command(after_help = examples::COMPLETIONS)]
    Completions(completions::Completions),
}

impl Cli {
    /// Does what the arguments say.
    pub fn run(self) -> ExitCode {
        self.run_with(&OwnParts::default())
    }

    /// The same, with parts of the caller's own, which files name as `own`.
    pub fn run_with(self, own: &OwnParts) -> ExitCode {
        let _ = COLOR.set(self.color);
        let done = match self.command {
            Command::Run(run) => run.run(own),
            Command::Compare(compare) => compare.run(own),
            Command::Sweep(sweep) => sweep.run(own),
            Command::Drill(drill) => drill.run(own),
            Command::Capacity(capacity) => capacity.run(own),
            Command::Optimize(optimize) => optimize.run(own),
            Command::Risk(risk) => risk.run(own),
            Command::Audit(audit) => audit.run(own),
            Command::Requests(requests) => requests.run(own),
            Command::Report(report) => report.run(),
            Command::Validate(validate) => validate.run(own),
            Command::Page(page) => page.run(own),
            Command::Check(check) => check.run(own),
            Command::Fit(fit) => fit.run(),
            #[cfg(feature = "live")]
            Command::Calibrate(calibrate) => calibrate.run(),
            Command::Traffic(traffic) => traffic.run(),
            Command::Schema(schema) => schema.run(),
            Command::Explain(explain) => explain.run(),
            Command::Import(import) => import.run(),
            Command::Diff(diff) => diff.run(),
            Command::Export(export) => export.run(),
            Command::Init(init) => init.run(),
            Command::Kinds(kinds) => kinds.run(own),
            Command::Policies(policies) => policies.run(own),
            Command::Models(models) => models.run(),
            Command::Limits(limits) => limits.run(),
            #[cfg(feature = "live")]
            Command::Mock(mock) => mock.run(),
            #[cfg(feature = "completions")]
            Command::Completions(completions) => completions.run(),
        };
        match done {
            Ok(exit) => exit.into(),
            Err(failure) => {
                tell!("{failure}");
                failure.exit().into()
            }
        }
    }
}

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Exit {
    Fine = 0,
    ObjectiveFailed = 1,
    BadInput = 2,
    Runtime = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Why a command could not do its work.
#[derive(Debug)]
enum Failure {
    /// What came in is wrong.
    Input(String),
    /// The machine would not.
    Runtime(anyhow::Error),
}

impl Failure {
    fn exit(&self) -> Exit {
        match self {
            Failure::Input(_) => Exit::BadInput,
            Failure::Runtime(_) => Exit::Runtime,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Input(text) => write!(f, "error: {text}"),
            Failure::Runtime(error) => write!(f, "error: {error:#}"),
        }
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Failure {
        Failure::Input(error.to_string())
    }
}

impl From<crate::form::diagnose::Error> for Failure {
    fn from(error: crate::form::diagnose::Error) -> Failure {
        Failure::Input(error.to_string())
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Failure {
        Failure::Runtime(error)
    }
}

type Done = Result<Exit, Failure>;

/// Prints to standard output. A reader that has gone away (`| head`) is not a failure.
fn print(text: &str) -> Result<(), Failure> {
    match io::stdout()
        .write_all(text.as_bytes())
        .and_then(|()| io::stdout().flush())
    {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(anyhow::Error::from(error)
            .context("cannot write to standard output")
            .into()),
        _ => Ok(()),
    }
}

/// How many replications run at once: as many as asked for, or one a core.
fn threads(asked: Option<u64>) -> u64 {
    asked.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, |n| n.get() as u64))
}

/// `text` after `first`, without what would act on a terminal, in lines that fit one: a pipe gets one line.
fn lines(first: &str, text: &str) -> String {
    paragraph(first, text, columns().map_or(usize::MAX, fitting))
}

/// How wide the terminal is, if standard output is one; or what COLUMNS says.
fn columns() -> Option<usize> {
    let said = environment("COLUMNS").and_then(|c| c.to_str()?.parse().ok());
    said.or_else(|| io::stdout().is_terminal().then(terminal_width))
}

fn fitting(columns: usize) -> usize {
    columns.clamp(60, 240)
}

/// As wide and as colourful as standard output is.
fn style() -> Style {
    let terminal = io::stdout().is_terminal();
    let is_dumb = environment("TERM").is_some_and(|term| term == "dumb");
    let colour = match COLOR.get() {
        Some(Color::Always) => true,
        Some(Color::Never) => false,
        Some(Color::Auto) | None => terminal && !is_dumb && environment("NO_COLOR").is_none(),
    };
    Style {
        width: fitting(columns().unwrap_or(160)),
        colour,
    }
}

fn terminal_width() -> usize {
    terminal_size::terminal_size().map_or(80, |(width, _)| usize::from(width.0))
}

/// Says on standard error that a price table was given and no provider's prices are taken from it.
fn note_unused(loaded: &Loaded, prices: Option<&Path>) {
    if let Some(file) = prices
        && !loaded.uses_listed_prices()
    {
        tell!(
            "note: nothing of the price table {} is used: no provider has `listed` prices",
            file.display()
        );
    }
}

/// Refuses a number that a flag says and `--set` too, since only one of them could hold. `set` has the paths of `--set` and what is put there.
fn refuse_twice(
    replications: Option<u64>,
    seed: Option<u64>,
    set: impl Iterator<Item = (String, String)>,
) -> Result<(), Failure> {
    let flags = [
        ("--replications", "plan.replications", replications),
        ("--seed", "plan.seed", seed),
    ];
    for (path, value) in set {
        for (flag, of, given) in flags {
            if let Some(given) = given
                && is_same_path(of, &path)
            {
                return Err(Failure::Input(format!(
                    "{flag} {given} and --set {path}={value} are two values for one thing: leave one of them out"
                )));
            }
        }
    }
    Ok(())
}

/// Where to look for traces: where `--trace` says and nowhere else, or else under SIMCAP_TRACES.
fn traces(given: Option<PathBuf>) -> Traces {
    Traces {
        given,
        below: environment("SIMCAP_TRACES").map(PathBuf::from),
    }
}

/// The environment variable `name`. One that is empty counts as unset.
fn environment(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}
