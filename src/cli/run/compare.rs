//! `simcap compare`: how the policies of a run differ, or what became of each from one run to another.
//!
//! One experiment or result: each policy against its first. Two of them, or one and a baseline: each policy that both have in the second
//! against the first. An experiment is run with the flags that are given, a result is read. The exit code is for a check of changes: of two it
//! says whether a policy now fails an objective that it did not fail, of one whether an objective fails.

use std::path::{Path, PathBuf};

use clap::Args;

use super::baseline::Baseline;
use super::{Ended, Simulate, Stop, exit, in_scratch};
use crate::cli::report::file_of;
use crate::cli::{Done, Exit, Failure, print, style};
use crate::decide::{join, name_of};
use crate::form::own::OwnParts;
use crate::import::source::{self, MOST_OF_JSON};
use crate::report::{Report, json, terminal};

/// Arguments of `simcap compare`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Compare {
    #[command(flatten)]
    simulate: Simulate,
    /// Another experiment or result: each policy that both have in this one against the first
    #[arg(conflicts_with = "baseline")]
    second: Option<PathBuf>,
    /// Hold the experiment or result against the one that `simcap run --save-baseline NAME` kept
    #[arg(long, value_name = "NAME")]
    baseline: Option<Baseline>,
}

impl Compare {
    pub(in crate::cli) fn run(self, own: &OwnParts) -> Done {
        let stop = Stop::watch(None);
        let given = self.simulate.file.clone();
        let files = match (self.baseline, self.second) {
            (Some(baseline), _) => [Some(baseline.file()?), Some(given)],
            (None, second) => [Some(given), second],
        };
        let mut sides = Vec::new();
        for file in files.iter().flatten() {
            sides.push((name_of(&file_of(file)), Side::of(file)?));
        }
        self.simulate.is_heeded(&sides)?;
        let mut reports = Vec::new();
        let mut ended = Ended::default();
        for ((name, side), file) in sides.into_iter().zip(files.into_iter().flatten()) {
            let report = match side {
                Side::Result(report) => *report,
                Side::Experiment => {
                    let simulate = Simulate {
                        file,
                        ..self.simulate.clone()
                    };
                    let (loaded, plan, pool) = simulate.plan(own, &stop)?;
                    let (report, how) = in_scratch(&loaded, plan, &pool, &stop)?;
                    ended.interrupted |= how.interrupted;
                    ended.troubles.extend(how.troubles);
                    report
                }
            };
            reports.push((name, report));
        }
        let [(a, first), (b, second)] = &reports[..] else {
            let report = &reports[0].1;
            print(&terminal::comparison(report, &style()))?;
            return Ok(exit(report, ended));
        };
        let names = if a == b {
            [format!("1: {a}"), format!("2: {b}")]
        } else {
            [a.clone(), b.clone()]
        };
        let report = join(first, second, [&names[0], &names[1]]).map_err(|apart| Failure::Input(apart.to_string()))?;
        print(&terminal::comparison(&report, &style()))?;
        let now_fails = report.joined.as_ref().is_some_and(|joined| joined.now_fails);
        Ok(match exit(&report, ended) {
            // What failed before fails on its own account.
            Exit::Fine | Exit::ObjectiveFailed if now_fails => Exit::ObjectiveFailed,
            Exit::Fine | Exit::ObjectiveFailed => Exit::Fine,
            other @ (Exit::BadInput | Exit::Runtime) => other,
        })
    }
}

/// What is compared.
enum Side {
    Experiment,
    Result(Box<Report>),
}

impl Side {
    /// What the file, or the folder of a run, holds. Any other file is taken for an experiment, whose reader says what is wrong with it.
    fn of(given: &Path) -> Result<Side, Failure> {
        let file = file_of(given);
        let text = source::read(&file, MOST_OF_JSON)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok());
        let Some(text) = text else {
            return Ok(Side::Experiment);
        };
        let is_result = serde_json::from_str::<serde_json::Value>(&text).is_ok_and(|value| {
            let format = value.get("format").and_then(serde_json::Value::as_str);
            format.is_some_and(|format| !format.starts_with("simcap.experiment/"))
        });
        if !is_result {
            return Ok(Side::Experiment);
        }
        Ok(Side::Result(Box::new(json::from_json(
            &file.display().to_string(),
            &text,
        )?)))
    }
}

impl Simulate {
    /// Refuses flags that nothing heeds, because only results are read.
    fn is_heeded(&self, sides: &[(String, Side)]) -> Result<(), Failure> {
        if sides.iter().any(|(_, side)| matches!(side, Side::Experiment)) {
            return Ok(());
        }
        let given = [
            ("--replications", self.replications.is_some()),
            ("--seed", self.seed.is_some()),
            ("--threads", self.threads.is_some()),
            ("--trace", self.trace.is_some()),
            ("--prices", self.prices.is_some()),
            ("--with", self.with.is_some()),
            ("--set", !self.set.is_empty()),
        ];
        match given.into_iter().find(|(_, given)| *given) {
            None => Ok(()),
            Some((flag, _)) => Err(Failure::Input(format!(
                "{} is a result, of which {flag} changes nothing: give the experiment",
                self.file.display()
            ))),
        }
    }
}
