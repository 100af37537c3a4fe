//! `simcap run` and `simcap compare`: simulate, print, write the report.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Done, Exit, Failure, note_unused, print, style, traces};
use crate::decide;
use crate::engine::replicate::{Runs, replicate};
use crate::engine::run::Control;
use crate::experiment::assemble::{Plan, assemble};
use crate::experiment::estimate::estimate;
use crate::experiment::load::{Loaded, load_priced};
use crate::import::source::{self, MOST_OF_JSON};
use crate::report::{Judged, Report, csv, format, html, json, terminal, write};
use crate::routing::own::OwnPolicies;

/// Arguments of `simcap run`.
#[derive(Debug, Args)]
pub(super) struct Run {
    #[command(flatten)]
    simulate: Simulate,
    /// Write the report to this folder [default: reports/NAME]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Arguments of `simcap compare`.
#[derive(Debug, Args)]
pub(super) struct Compare {
    #[command(flatten)]
    simulate: Simulate,
}

/// What to simulate, and how.
#[derive(Debug, Args)]
struct Simulate {
    /// The experiment (JSON; comments are allowed)
    file: PathBuf,
    /// Replications [default: as the file says]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    replications: Option<u64>,
    /// Seed [default: as the file says]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Threads [default: one a core]; results do not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1024))]
    threads: Option<u64>,
    /// The trace that the experiment replays, or the folder it is in [default: the environment's SIMCAP_TRACES]
    #[arg(long, value_name = "PATH")]
    trace: Option<PathBuf>,
    /// A price table in place of the one built in, in the form of LiteLLM's model_prices_and_context_window.json
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
}

impl Run {
    pub(super) fn run(self, own: &OwnPolicies) -> Done {
        let out = self.out;
        let (report, ended) = self.simulate.report(own, |name| {
            // Before the work, lest it be lost.
            let folder = out.clone().unwrap_or_else(|| PathBuf::from("reports").join(name));
            std::fs::create_dir_all(&folder).with_context(|| format!("cannot write the report to {}", folder.display()))
        })?;
        let folder = out.unwrap_or_else(|| PathBuf::from("reports").join(&report.experiment));
        let page = html::render(&report).context("cannot draw the report")?;
        let mut files = vec![
            ("result.json".to_owned(), json::to_json(&report).into_bytes()),
            ("report.html".to_owned(), page.into_bytes()),
        ];
        files.extend(
            csv::tables(&report)
                .into_iter()
                .map(|(name, text)| (name.to_owned(), text.into_bytes())),
        );
        write::write_all(&folder, &files)
            .with_context(|| format!("cannot write the report to {}", folder.display()))?;
        print(&terminal::full(&report, &style()))?;
        print(&format!("\nReport: {}\n", folder.join("report.html").display()))?;
        Ok(exit(&report, ended))
    }
}

impl Compare {
    pub(super) fn run(self, own: &OwnPolicies) -> Done {
        let (report, ended) = match self.result()? {
            Some(report) => (report, Ended::default()),
            None => self.simulate.report(own, |_| Ok(()))?,
        };
        print(&terminal::comparison(&report, &style()))?;
        Ok(exit(&report, ended))
    }

    /// The report that the file holds, if it is a result of an earlier run rather than an experiment.
    fn result(&self) -> Result<Option<Report>, Failure> {
        let file = self.simulate.file.display().to_string();
        let bytes = source::read(&self.simulate.file, MOST_OF_JSON);
        let Some(text) = bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok()) else {
            return Ok(None);
        };
        let is_result = serde_json::from_str::<serde_json::Value>(&text).is_ok_and(|v| v.get("format").is_some());
        if !is_result {
            return Ok(None);
        }
        Ok(Some(json::from_json(&file, &text)?))
    }
}

/// How a simulation ended.
#[derive(Debug, Default)]
struct Ended {
    /// Whether somebody interrupted it.
    interrupted: bool,
    /// The policies that outgrew their bound and the scripts that failed in it, in sentences.
    troubles: Vec<String>,
}

/// How a run ends whose report is `report`, after saying what made it end badly.
fn exit(report: &Report, ended: Ended) -> Exit {
    ended.troubles.iter().for_each(|trouble| eprintln!("error: {trouble}"));
    if ended.interrupted || !ended.troubles.is_empty() {
        Exit::Runtime
    } else if report.objectives.iter().any(|o| o.judged == Judged::Fail) {
        Exit::ObjectiveFailed
    } else {
        Exit::Fine
    }
}

impl Simulate {
    /// Simulates, after `before` was called with the experiment's name. Also says how it ended.
    fn report(
        self,
        own: &OwnPolicies,
        before: impl FnOnce(&str) -> anyhow::Result<()>,
    ) -> Result<(Report, Ended), Failure> {
        let mut loaded = load_priced(&self.file, &traces(self.trace), self.prices.as_deref())?;
        loaded.own = own.clone();
        note_unused(&loaded, self.prices.as_deref());
        let mut plan = assemble(&loaded)?;
        plan.replications = self.replications.unwrap_or(plan.replications);
        plan.seed = self.seed.unwrap_or(plan.seed);
        let estimate = estimate(&loaded, &plan, super::threads(self.threads));
        estimate.check(&loaded)?;
        estimate
            .warnings()
            .iter()
            .for_each(|warning| eprintln!("note: {warning}"));
        before(&loaded.experiment.name)?;
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(self.threads.unwrap_or(0) as usize)
            .build()
            .context("cannot start the threads")?;
        let control = Arc::new(Control::default());
        let on_interrupt = Arc::clone(&control);
        // A second interrupt ends the program at once.
        let handler = move || {
            if on_interrupt.stop.swap(true, Ordering::Relaxed) {
                std::process::exit(130);
            }
        };
        // Without a handler an interrupt just ends the program, as it would any other.
        let _ = ctrlc::set_handler(handler);
        let mut runs = watched(&plan, &control, || {
            pool.install(|| replicate(&plan.scenarios, plan.seed, plan.replications, &control))
        });
        let outgrown = decide::set_aside(&mut plan, &mut runs);
        finish(&loaded, &plan, &runs, control.stop.load(Ordering::Relaxed), outgrown)
    }
}

/// The report of `runs`, without what has `outgrown` its bound.
fn finish(
    loaded: &Loaded,
    plan: &Plan,
    runs: &Runs,
    interrupted: bool,
    outgrown: Vec<String>,
) -> Result<(Report, Ended), Failure> {
    let mut report = decide::report(loaded, plan, runs);
    if report.replications_finished == 0 {
        let why = if outgrown.is_empty() {
            "interrupted before any replication was finished".to_owned()
        } else {
            outgrown.join("\n")
        };
        return Err(anyhow::anyhow!("{why}: there is nothing to report").into());
    }
    report.warnings.splice(0..0, outgrown.iter().cloned());
    let troubles = outgrown.into_iter().chain(decide::troubles(loaded)).collect();
    Ok((report, Ended { interrupted, troubles }))
}

/// Does `work` beside a progress bar, if standard error is a terminal.
fn watched(plan: &Plan, control: &Control, work: impl FnOnce() -> Runs) -> Runs {
    if !std::io::stderr().is_terminal() {
        return work();
    }
    let each = plan.scenarios.first().map_or(0, |s| s.window.end.nanos());
    let total = each
        .saturating_mul(plan.scenarios.len() as u64)
        .saturating_mul(plan.replications);
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {percent:>3} %  {eta} left") {
        bar.set_style(style);
    }
    #[allow(
        clippy::disallowed_methods,
        reason = "the command line tells a person how long it took"
    )]
    let began = Instant::now();
    let done = AtomicBool::new(false);
    let runs = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                bar.set_position(control.simulated.load(Ordering::Relaxed));
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        let runs = work();
        done.store(true, Ordering::Relaxed);
        runs
    });
    bar.finish_and_clear();
    let requests: u64 = runs
        .iter()
        .flatten()
        .flatten()
        .map(crate::engine::tally::Tally::requests)
        .sum();
    let seconds = began.elapsed().as_secs_f64();
    eprintln!(
        "{} requests in {seconds:.1} s ({:.1} million/s)",
        format::count(requests),
        requests as f64 / seconds / 1e6
    );
    runs
}
