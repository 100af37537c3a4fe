//! `simcap run`: simulate, print, write the report.
//!
//! Replications go to a file as they finish ([`spill`]), in the output folder of `run`, so that memory does not grow with
//! their number and `--resume` goes on with those of a run that was stopped or killed.

pub(super) mod again;
mod baseline;
mod compare;
mod folder;
mod of;
mod progress;
mod spill;
mod stop;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context;
use clap::Args;

use super::many::{Form, Shown};
use super::open::open as open_page;
use super::{Done, Exit, Failure, note_unused, print, traces};
use crate::decide;
use crate::decide::precision::{Wanted, unseen, wanted};
use crate::engine::replicate::{Finished, Sink, replicate_into};
use crate::engine::run::Halt;
use crate::engine::tally::Tally;
use crate::experiment::assemble::{Plan, assemble};
use crate::experiment::estimate::estimate;
use crate::experiment::load::{Loaded, Source};
use crate::experiment::pilot::warmed;
use crate::experiment::settings::Setting;
use crate::form::own::OwnParts;
use crate::kernel::time::{Span, Time};
use crate::report::terminal::Style;
use crate::report::text::clean;
use crate::report::{Judged, Report, csv, format, html, json, markdown, terminal, write};
use baseline::Baseline;
pub(super) use compare::{Compare, differences};
use of::Of;
use spill::{Left, Spill, SpillError};
use stop::NOTHING;
pub(super) use stop::Stop;

/// The page of a report.
const PAGE: &str = "report.html";

/// Arguments of `simcap run`.
#[derive(Debug, Args)]
pub(super) struct Run {
    #[command(flatten)]
    simulate: Simulate,
    /// Write the report to this folder [default: reports/NAME, or NAME-2 and so on if the result of other files is there]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print every table, not only the first screen
    #[arg(long, short = 'v', visible_alias = "verbose")]
    full: bool,
    /// Print only what follows from the run
    #[arg(long, short, conflicts_with = "full")]
    quiet: bool,
    /// What to print: the first screen, or the figures of all policies, the whole result, or a summary; but for the first, where the report is
    /// goes to standard error
    #[arg(long, value_enum, default_value_t = Form::Table, conflicts_with_all = ["full", "quiet"])]
    format: Form,
    /// Go on with the run in that folder that was stopped or killed: its finished replications are not run again
    #[arg(long)]
    resume: bool,
    /// Open the page when it is written
    #[arg(long)]
    open: bool,
    /// Keep the result by this name too, for `simcap compare … --baseline NAME`
    #[arg(long, value_name = "NAME")]
    save_baseline: Option<Baseline>,
}

/// What to simulate, and how.
#[derive(Clone, Debug, Args)]
pub(super) struct Simulate {
    /// The experiment (JSON; comments are allowed; `-` reads it from standard input), or with --with a gateway's configuration
    pub(super) file: PathBuf,
    /// Run the gateway's configuration FILE as it is, with these assumptions (`simcap import` writes such a file)
    #[arg(long, value_name = "ASSUMPTIONS")]
    pub(super) with: Option<PathBuf>,
    /// Change a value of the experiment before it is run: plan.duration=1h, traffic.rate=40/s, traffic.scale=2, policies[NAME].client.…; may be
    /// given several times
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub(super) set: Vec<Setting>,
    /// Replications, whatever precision `plan.until` asks for [default: as the file says]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub(super) replications: Option<u64>,
    /// Seed [default: as the file says]
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    /// Threads [default: one a core]; results do not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1024))]
    pub(super) threads: Option<u64>,
    /// The trace that the experiment replays, or the folder it is in [default: the environment's SIMCAP_TRACES]
    #[arg(long, value_name = "PATH")]
    pub(super) trace: Option<PathBuf>,
    /// A price table in place of the one built in, in the form of LiteLLM's model_prices_and_context_window.json
    #[arg(long, value_name = "FILE")]
    pub(super) prices: Option<PathBuf>,
}

impl From<SpillError> for Failure {
    fn from(error: SpillError) -> Failure {
        match error {
            SpillError::Busy { .. } | SpillError::Other { .. } | SpillError::NotOne { .. } => {
                Failure::Input(error.to_string())
            }
            SpillError::Io { .. } => anyhow::Error::from(error).into(),
        }
    }
}

impl Run {
    pub(super) fn run(self, own: &OwnParts) -> Done {
        let stop = Stop::watch(Some(again::command()));
        let (loaded, plan, pool) = self.simulate.plan(own, &stop)?;
        let scenarios = plan.scenarios.len();
        let folder = self
            .out
            .unwrap_or_else(|| folder::free(&loaded.experiment.name, &loaded.inputs, &plan));
        // Before the work, lest it be lost.
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot write the report to {}", folder.display()))?;
        let spill = open(&folder, &loaded, &plan, self.resume)?;
        let Simulated { report, mut ended } = simulate(&loaded, plan, &pool, &spill, &stop)?;
        let is_complete = spill.is_complete(scenarios);
        let Some(report) = report else {
            let mut why = ended.nothing();
            if is_complete || spill.len() == 0 {
                // There is nothing to go on with. A file that stays would do no harm.
                let _ = spill.remove();
            } else {
                let finished = format::count(spill.len() as u64);
                why += &format!(
                    ", but {finished} are kept of some policies. Go on with: {}",
                    again::command()
                );
            }
            return Err(anyhow::anyhow!(why).into());
        };
        let done = write(&report, &folder, &stop)?;
        let table = match (self.full, self.quiet) {
            (true, _) => terminal::full,
            (false, true) => terminal::headline,
            (false, false) => terminal::screen,
        };
        show(self.format, table, &report)?;
        // What a program reads is nothing else.
        let say = |text: String| match self.format {
            Form::Table => print(&text),
            Form::Csv | Form::Json | Form::Markdown => {
                tell!("{}", text.trim());
                Ok(())
            }
        };
        if self.open && done == Written::All {
            open_page(&folder.join(PAGE));
        }
        match done {
            Written::All if self.quiet => {}
            Written::All => say(format!("\nReport: {}\n", folder.join(PAGE).display()))?,
            Written::ButThePage => say(format!("\nReport, without its page: {}\n", folder.display()))?,
        }
        ended.interrupted = !is_complete || done == Written::ButThePage;
        if ended.interrupted {
            say(format!(
                "\nInterrupted: the finished replications are kept. Go on with: {}\n",
                again::command()
            ))?;
        } else {
            // What is left of it would only be in the way of the next run.
            let gone = spill.remove();
            gone.with_context(|| format!("cannot remove {}", folder.join(spill::NAME).display()))?;
            // A result that was interrupted is nothing to hold others against.
            if let Some(baseline) = &self.save_baseline {
                let kept = baseline.save(json::to_json(&report))?;
                say(format!("Baseline: {}\n", kept.display()))?;
            }
        }
        Ok(exit(&report, ended))
    }
}

impl Simulate {
    /// What is to be run, with its warm-up, and the threads to run it on.
    pub(super) fn plan(&self, own: &OwnParts, stop: &Stop) -> Result<(Loaded, Plan, rayon::ThreadPool), Failure> {
        let set = self.set.iter().map(Setting::written);
        let set = set.map(|(path, value)| (path.to_owned(), value.to_owned()));
        super::refuse_twice(self.replications, self.seed, set)?;
        let loaded = match &self.with {
            Some(with) => super::import::loaded(&self.file, with, &self.set)?,
            None => Source::read(&self.file)?.load(
                &self.set,
                &traces(self.trace.clone()),
                self.prices.as_deref(),
                own.clone(),
            )?,
        };
        note_unused(&loaded, self.prices.as_deref());
        let mut plan = assemble(&loaded)?;
        if let Some(replications) = self.replications {
            // A number that is given is kept.
            plan.replications = replications;
            plan.until.clear();
        }
        plan.seed = self.seed.unwrap_or(plan.seed);
        let estimate = estimate(&loaded, &plan, super::threads(self.threads));
        estimate.check(&loaded)?;
        estimate
            .warnings()
            .iter()
            .for_each(|warning| tell!("note: {}", clean(warning)));
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(self.threads.unwrap_or(0) as usize)
            .build()
            .context("cannot start the threads")?;
        let plan = pool.install(|| warmed(&loaded, plan, &stop.control))?;
        Ok((loaded, plan, pool))
    }
}

/// The file of replications in `folder`, after saying what was there.
fn open(folder: &Path, loaded: &Loaded, plan: &Plan, resume: bool) -> Result<Spill, Failure> {
    let warmup = plan
        .scenarios
        .first()
        .map_or(Span::ZERO, |s| s.window.warmup.since(Time::ZERO));
    let of = Of::new(plan.seed, warmup, loaded.inputs.clone(), loaded.own.every());
    let (spill, left) = Spill::open(folder, &of, plan.replications, resume)?;
    let Left { replications, cut } = left;
    let all = plan.replications.saturating_mul(plan.scenarios.len() as u64);
    let count = |n: usize| format::count(n as u64);
    if resume && cut > 0 {
        tell!("note: the last replication was not written to its end: its {cut} bytes are cut off");
    }
    if resume && replications == 0 {
        tell!("note: {} holds no unfinished run: it begins anew", folder.display());
    } else if resume {
        tell!(
            "note: going on with {} replications that are finished, of {} over all policies",
            count(replications),
            format::count(all)
        );
    } else if replications > 0 {
        tell!(
            "note: {} held an unfinished run, of which {} replications were finished: begun anew, as --resume was not given",
            folder.display(),
            count(replications)
        );
    }
    Ok(spill)
}

/// How a simulation ended.
#[derive(Debug, Default)]
struct Ended {
    /// Whether it was interrupted, or its report was.
    interrupted: bool,
    /// The policies that outgrew their bound and the scripts that failed in it, in sentences.
    troubles: Vec<String>,
}

impl Ended {
    /// Why there is nothing to report.
    fn nothing(&self) -> String {
        match self.troubles.as_slice() {
            [] => NOTHING.to_owned(),
            troubles => format!("{}: there is nothing to report", troubles.join("\n")),
        }
    }
}

/// What a simulation has to say.
struct Simulated {
    /// Nothing if no replication is finished.
    report: Option<Report>,
    ended: Ended,
}

/// Runs what `spill` does not have yet, and reports what is finished then.
fn simulate(
    loaded: &Loaded,
    mut plan: Plan,
    pool: &rayon::ThreadPool,
    spill: &Spill,
    stop: &Stop,
) -> Result<Simulated, Failure> {
    let keeping = Keeping {
        loaded,
        spill,
        requests: AtomicU64::new(0),
    };
    let each = plan.scenarios.first().map_or(0, |s| s.window.end.nanos());
    let there = each.saturating_mul(spill.len() as u64);
    stop.control.simulated.store(there, Ordering::Relaxed);
    let (mut report, outgrown) = loop {
        stop.simulate();
        progress::beside(&plan, &stop.control, &keeping.requests, || {
            pool.install(|| replicate_into(&plan.scenarios, plan.seed, plan.replications, &stop.control, &keeping));
        });
        stop.report();
        if let Some(trouble) = spill.trouble() {
            tell!("note: replications were kept in memory, and cannot be gone on with: {trouble}");
        }
        let (finished, outgrown) = decide::set_aside(&mut plan, spill);
        let mut report = decide::report_of(loaded, &plan, &finished).context("cannot read a replication again")?;
        let is_stopped = stop.control.stop.load(Ordering::Relaxed);
        match wanted(&report, &plan.until, plan.at_most) {
            // What outgrew its bound would do so again, and may be all that there is.
            Wanted::More(replications) if outgrown.is_empty() && !is_stopped => {
                tell!(
                    "{} replications, for the precision that is asked for",
                    format::count(replications)
                );
                plan.replications = replications;
                spill.plan(replications);
            }
            Wanted::TooMany(why) => {
                report.warnings.push(why);
                break (report, outgrown);
            }
            Wanted::More(_) | Wanted::Enough => break (report, outgrown),
        }
    };
    report.warnings.extend(unseen(&report, &plan.until));
    report.warnings.splice(0..0, outgrown.iter().cloned());
    let is_something = report.replications_finished > 0;
    let mut troubles = outgrown;
    if is_something {
        troubles.extend(decide::troubles(loaded));
    }
    Ok(Simulated {
        report: is_something.then_some(report),
        ended: Ended {
            interrupted: false,
            troubles,
        },
    })
}

/// Runs `plan`, of which nothing stays but the report.
fn in_scratch(loaded: &Loaded, plan: Plan, pool: &rayon::ThreadPool, stop: &Stop) -> Result<(Report, Ended), Failure> {
    let (spill, scenarios) = (Spill::scratch(plan.replications), plan.scenarios.len());
    let Simulated { report, mut ended } = simulate(loaded, plan, pool, &spill, stop)?;
    let report = report.with_context(|| ended.nothing())?;
    ended.interrupted = !spill.is_complete(scenarios);
    Ok((report, ended))
}

/// The report of `plan`, if every replication was finished.
pub(super) fn whole(loaded: &Loaded, plan: Plan, pool: &rayon::ThreadPool, stop: &Stop) -> Result<Report, Failure> {
    let (report, ended) = in_scratch(loaded, plan, pool, stop)?;
    match (ended.interrupted, ended.troubles.as_slice()) {
        (false, []) => Ok(report),
        (true, _) => Err(anyhow::anyhow!("interrupted: nothing is compared").into()),
        (false, troubles) => Err(anyhow::anyhow!(troubles.join("\n")).into()),
    }
}

/// Hands replications on to their file.
struct Keeping<'a> {
    loaded: &'a Loaded,
    spill: &'a Spill,
    /// Requests simulated so far.
    requests: AtomicU64,
}

impl Sink for Keeping<'_> {
    fn wants(&self, replication: u64, scenario: usize) -> bool {
        !self.spill.has(replication, scenario)
    }

    fn take(&self, replication: u64, scenario: usize, result: Result<Tally, Halt>) {
        let tally = match result {
            Ok(tally) => tally,
            Err(halt) => return self.spill.note_halt(replication, scenario, halt),
        };
        self.requests.fetch_add(tally.requests(), Ordering::Relaxed);
        // How often a script failed is in no tally. One that has, may have failed in this replication.
        let again = decide::troubles(self.loaded).next().is_some();
        self.spill.put(replication, scenario, tally, again);
    }
}

/// What of a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    All,
    /// There was no time to draw it.
    ButThePage,
}

/// Writes `report` into `folder`: its page last, because that takes longest.
fn write(report: &Report, folder: &Path, stop: &Stop) -> Result<Written, Failure> {
    // The folder is this run's alone: it holds the file of replications.
    write::sweep(folder);
    let write = |files: &[(String, Vec<u8>)]| {
        write::write_all(folder, files).with_context(|| format!("cannot write the report to {}", folder.display()))
    };
    let mut files = vec![
        ("result.json".to_owned(), json::to_json(report).into_bytes()),
        ("summary.md".to_owned(), markdown::render(report).into_bytes()),
    ];
    files.extend(
        csv::tables(report)
            .into_iter()
            .map(|(name, text)| (name.to_owned(), text.into_bytes())),
    );
    write(&files)?;
    // A page of an earlier run would not be that of these files.
    match std::fs::remove_file(folder.join(PAGE)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(anyhow::Error::from(error)
                .context(format!("cannot replace {}", folder.join(PAGE).display()))
                .into());
        }
        Ok(()) | Err(_) => {}
    }
    if stop.hurries() {
        return Ok(Written::ButThePage);
    }
    let page = html::render(report).context("cannot draw the report")?;
    write(&[(PAGE.to_owned(), page.into_bytes())])?;
    Ok(Written::All)
}

/// Prints a result in that form; `table` makes the text of it.
pub(super) fn show(format: Form, table: fn(&Report, &Style) -> String, report: &Report) -> Result<(), Failure> {
    format.print(&Shown {
        table: &|style| table(report, style),
        csv: &|| csv::figures(report),
        json: &|| Ok(json::to_json(report)),
        markdown: &|| markdown::render(report),
    })
}

/// How a run ends whose report is `report`, after saying what made it end badly.
fn exit(report: &Report, ended: Ended) -> Exit {
    ended.troubles.iter().for_each(|trouble| tell!("error: {trouble}"));
    if ended.interrupted || !ended.troubles.is_empty() {
        Exit::Runtime
    } else if report.objectives.iter().any(|o| o.judged == Judged::Fail) {
        Exit::ObjectiveFailed
    } else {
        Exit::Fine
    }
}
