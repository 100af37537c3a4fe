//! `simcap compare`: how the policies of a run differ, or what became of each from one run to another.
//!
//! One experiment or result: each policy against its first. Two of them, or one and a baseline: each policy that both have in the second
//! against the first. An experiment is run with the flags that are given, a result is read. The exit code is for a check of changes: of two it
//! says whether a policy now fails an objective that it did not fail, of one whether an objective fails.

use std::path::PathBuf;

use clap::Args;

use super::baseline::Baseline;
use super::{Ended, Simulate, Stop, exit, in_scratch};
use crate::cli::many::{Form, Shown};
use crate::cli::report::{file_of, result_in, together};
use crate::cli::{Done, Exit, Failure};
use crate::decide::name_of;
use crate::form::own::OwnParts;
use crate::report::{Report, csv, json, markdown, terminal};

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
    /// What to print
    #[arg(long, value_enum, default_value_t = Form::Table)]
    format: Form,
}

impl Compare {
    pub(in crate::cli) fn run(self, own: &OwnParts) -> Done {
        let stop = Stop::watch(None);
        let given = self.simulate.file.clone();
        let files = match (self.baseline, self.second) {
            (Some(baseline), _) => [Some(baseline.file()?), Some(given)],
            (None, second) => [Some(given), second],
        };
        let files: Vec<PathBuf> = files.into_iter().flatten().collect();
        let found: Vec<Option<Report>> = (files.iter())
            .map(|file| result_in(&file_of(file)))
            .collect::<Result<_, _>>()?;
        if found.iter().all(Option::is_some) {
            self.simulate.refuse_flags()?;
        }
        let mut reports = Vec::new();
        let mut ended = Ended::default();
        for (file, found) in files.into_iter().zip(found) {
            let name = name_of(&file_of(&file));
            let report = match found {
                Some(report) => report,
                None => {
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
            differences(self.format, report)?;
            return Ok(exit(report, ended));
        };
        let report = together([a.clone(), b.clone()], [first, second])?;
        differences(self.format, &report)?;
        let now_fails = report.joined.as_ref().is_some_and(|joined| joined.now_fails);
        Ok(match exit(&report, ended) {
            // What failed before fails on its own account.
            Exit::Fine | Exit::ObjectiveFailed if now_fails => Exit::ObjectiveFailed,
            Exit::Fine | Exit::ObjectiveFailed => Exit::Fine,
            other @ (Exit::BadInput | Exit::Runtime) => other,
        })
    }
}

/// Prints the differences of `report`.
pub(in crate::cli) fn differences(format: Form, report: &Report) -> Result<(), Failure> {
    format.print(&Shown {
        table: &|style| terminal::comparison(report, style),
        csv: &|| csv::compared(report),
        json: &|| Ok(json::compared(report)),
        markdown: &|| markdown::comparison(report),
    })
}

impl Simulate {
    /// Refuses flags that nothing heeds, because only results are read.
    fn refuse_flags(&self) -> Result<(), Failure> {
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
