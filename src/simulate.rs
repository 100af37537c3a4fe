//! From an experiment to its report in one call: what a program that uses the library begins with.
//!
//! [`run`] takes the text of an experiment, [`run_file`] a file with all that it names (models, a trace, scripts), and
//! [`run_loaded`] an experiment that the program has read, or changed. Replications run on the current rayon pool, and their
//! results are the same on any number of threads. They are kept in memory until the report is made; a program that runs
//! many of them hands [`replicate_into`](crate::engine::replicate::replicate_into) a sink of its own.
//!
//! The steps behind it are public as well: [`load`], [`assemble`], [`warmed`],
//! [`replicate`], [`report`](fn@crate::decide::report). Left out: progress, interruption and files of results, which the command line has.

use std::path::Path;
use std::sync::atomic::Ordering;

use crate::decide;
use crate::decide::precision::{Wanted, unseen, wanted};
use crate::engine::replicate::{Only, Runs, replicate, replicate_on};
use crate::engine::run::Control;
use crate::experiment::assemble::{Plan, assemble};
use crate::experiment::load::{self, LoadError, Loaded, Traces};
use crate::experiment::pilot::warmed;
use crate::form::own::OwnParts;
use crate::report::Report;

/// How to run an experiment, where it differs from what the experiment itself says.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Options {
    /// The number of replications, at least 1, whatever precision the plan asks for. Default: as the experiment's plan says.
    pub replications: Option<u64>,
    /// The seed of all draws. Default: as the experiment's plan says.
    pub seed: Option<u64>,
    /// The parts that the program adds to those that simcap has, for the experiment to name. Default: none.
    pub own: OwnParts,
    /// Where a trace that the experiment replays is looked for. Default: beside the experiment.
    pub traces: Traces,
}

impl Options {
    /// These options with this number of replications.
    #[must_use]
    pub fn replications(self, replications: u64) -> Options {
        Options {
            replications: Some(replications),
            ..self
        }
    }

    /// These options with this seed.
    #[must_use]
    pub fn seed(self, seed: u64) -> Options {
        Options {
            seed: Some(seed),
            ..self
        }
    }

    /// These options with these parts of the program's own.
    #[must_use]
    pub fn own(self, own: OwnParts) -> Options {
        Options { own, ..self }
    }
}

/// Why there is no report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read, or says something that it should not: with its place and what is allowed.
    #[error(transparent)]
    Experiment(#[from] LoadError),
    /// Every policy had more requests in the system than the plan's `max_in_system`, so that no replication was finished.
    #[error("{0}: there is nothing to report")]
    Outgrown(String),
}

/// Runs the experiment that `text` says, with models that are built in. Errors call the text `experiment.json`.
///
/// # Errors
/// If the text is not a sound experiment, or no replication of it was finished.
pub fn run(text: &str, options: &Options) -> Result<Report, Error> {
    let mut loaded = load::from_text("experiment.json", text)?;
    loaded.own = options.own.clone();
    run_loaded(&loaded, options)
}

/// Runs the experiment in the file at `path`, with the models, the trace and the scripts that it names.
///
/// # Errors
/// If a file cannot be read or is not sound, or no replication was finished.
pub fn run_file(path: &Path, options: &Options) -> Result<Report, Error> {
    let loaded = load::load_with(path, &options.traces, None, options.own.clone())?;
    run_loaded(&loaded, options)
}

/// Runs an experiment that has been loaded. Of `options` the replications and the seed are heeded: the parts of the program's
/// own are those of `loaded`, and its trace has been read.
///
/// # Errors
/// If the experiment is not sound, or no replication of it was finished.
pub fn run_loaded(loaded: &Loaded, options: &Options) -> Result<Report, Error> {
    run_controlled(loaded, options, &Control::default())
}

/// [`run_loaded`], watched and stopped by `control`: of a run that is stopped the report is that of the replications that were finished.
///
/// # Errors
/// As [`run_loaded`].
pub fn run_controlled(loaded: &Loaded, options: &Options, control: &Control) -> Result<Report, Error> {
    run_seen(loaded, options, control, &mut |_, _| {})
}

/// [`run_controlled`], of which `see` is shown the plan and the replications that the report is of.
///
/// # Errors
/// As [`run_loaded`].
pub(crate) fn run_seen(
    loaded: &Loaded,
    options: &Options,
    control: &Control,
    see: &mut dyn FnMut(&Plan, &Only<'_, Runs>),
) -> Result<Report, Error> {
    let mut plan = assemble(loaded).map_err(LoadError::Says)?;
    if let Some(replications) = options.replications {
        plan.replications = replications.max(1);
        plan.until.clear();
    }
    plan.seed = options.seed.unwrap_or(plan.seed);
    let mut plan = warmed(loaded, plan, control).map_err(LoadError::Says)?;
    let mut runs = replicate(&plan.scenarios, plan.seed, plan.replications, control);
    loop {
        let (finished, outgrown) = decide::set_aside(&mut plan, &runs);
        let Ok(mut report) = decide::report_of(loaded, &plan, &finished);
        if report.replications_finished == 0 {
            return Err(Error::Outgrown(outgrown.join("\n")));
        }
        let is_stopped = control.stop.load(Ordering::Relaxed);
        match wanted(&report, &plan.until, plan.at_most) {
            // What outgrew its bound would do so again.
            Wanted::More(replications) if outgrown.is_empty() && !is_stopped => {
                drop(finished);
                plan.replications = replications;
                runs = replicate_on(&plan.scenarios, plan.seed, runs, replications, control);
                continue;
            }
            Wanted::TooMany(why) => report.warnings.push(why),
            Wanted::More(_) | Wanted::Enough => {}
        }
        report.warnings.extend(unseen(&report, &plan.until));
        report.warnings.splice(0..0, outgrown);
        see(&plan, &finished);
        return Ok(report);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Metric;

    const TEXT: &str = r#"{
        "name": "one-server",
        "traffic": {
            "arrivals": { "poisson": { "rate": "50/s" } },
            "classes": { "all": { "input": { "constant": 1 }, "output": { "constant": 1 } } }
        },
        "providers": { "server": {
            "response": { "constant": "10ms" },
            "prices": { "per_request": { "price": "$0.001" } }
        } },
        "policies": [ { "name": "only", "policy": { "single": { "provider": "server" } } } ],
        "plan": { "duration": "20s", "replications": 4, "seed": 3 }
    }"#;

    #[test]
    fn options_take_the_place_of_the_plan() {
        let report = run(TEXT, &Options::default()).unwrap();
        assert_eq!((report.replications_finished, report.seed), (4, 3));
        let report = run(TEXT, &Options::default().replications(2).seed(9)).unwrap();
        assert_eq!((report.replications_finished, report.seed), (2, 9));
        let e2e = report.policies[0].metrics.iter().find(|m| m.metric == Metric::E2E_MEAN);
        assert!((e2e.unwrap().estimate.value - 0.01).abs() < 1e-9);
    }

    #[test]
    fn a_mistake_has_its_place() {
        let wrong = run(&TEXT.replace("50/s", "50 apples"), &Options::default()).unwrap_err();
        let said = wrong.to_string();
        assert!(
            said.contains("experiment.json") && said.contains("traffic.arrivals.poisson.rate"),
            "{said}"
        );
    }

    #[test]
    fn nothing_finished_is_no_report() {
        // The bound is looked at every few thousand events.
        let text = TEXT
            .replace("\"seed\": 3", "\"seed\": 3, \"max_in_system\": 1")
            .replace("10ms", "9s")
            .replace("50/s", "5000/s");
        let wrong = run(&text, &Options::default()).unwrap_err();
        assert!(
            matches!(&wrong, Error::Outgrown(why) if why.contains("only")),
            "{wrong}"
        );
    }
}
