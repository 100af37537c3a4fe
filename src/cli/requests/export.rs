//! Rows for every request, attempt and event, written while the replications run one after the other.
//!
//! Nothing but the requests under way is held, so that a file may be larger than memory. The order is policies, replications, and in each
//! the order in which requests end. A sample takes a request by its number and its replication alone: the same ones under every policy.

use std::ops::Range;
use std::path::Path;

use anyhow::{Context, anyhow};

use super::super::Failure;
use super::gather::not_stopped;
use crate::decide::{Telling, events};
use crate::engine::run::{Control, run_watched};
use crate::engine::story::{self, Course, Teller};
use crate::engine::watch::{Both, Watch};
use crate::experiment::assemble::Plan;
use crate::experiment::load::Loaded;
use crate::kernel::chance::{hash, threshold};
use crate::report::story::rows;
use crate::report::write::Streamed;
use crate::report::{events as event_rows, format};
use crate::words::Ask;

/// Keeps samples apart from every other use of a request's number.
const SALT: u64 = 0x73_61_6d_70_6c_65;

/// What is written from.
pub(super) struct Files<'a> {
    pub(super) loaded: &'a Loaded,
    pub(super) plan: &'a Plan,
    pub(super) policies: Vec<usize>,
    pub(super) replications: Range<u64>,
    pub(super) control: &'a Control,
}

impl Files<'_> {
    /// Writes the files that are asked for, of `sample` of the requests.
    pub(super) fn write(
        &self,
        requests: Option<&Path>,
        attempts: Option<&Path>,
        happenings: Option<&Path>,
        sample: f64,
    ) -> Result<(), Failure> {
        let mut requests = requests.map(|file| Sheet::create(file, &rows::REQUESTS)).transpose()?;
        let mut attempts = attempts.map(|file| Sheet::create(file, &rows::ATTEMPTS)).transpose()?;
        let mut happenings = (happenings.map(|file| Sheet::create(file, &event_rows::COLUMNS))).transpose()?;
        for &policy in &self.policies {
            for replication in self.replications.clone() {
                let of = Replication {
                    files: self,
                    policy,
                    number: replication,
                    sample: threshold(sample),
                };
                of.write(requests.as_mut(), attempts.as_mut(), happenings.as_mut())?;
            }
        }
        [requests, attempts, happenings]
            .into_iter()
            .flatten()
            .try_for_each(Sheet::finish)
    }
}

/// One replication under one policy.
struct Replication<'a> {
    files: &'a Files<'a>,
    policy: usize,
    number: u64,
    /// The share of requests that are taken, as a bound on what their number is hashed to.
    sample: u64,
}

impl Replication<'_> {
    fn takes(&self, ask: &Ask) -> bool {
        hash(ask.id, SALT.wrapping_add(self.number)) <= self.sample
    }

    fn write(
        &self,
        mut requests: Option<&mut Sheet>,
        mut attempts: Option<&mut Sheet>,
        happenings: Option<&mut Sheet>,
    ) -> Result<(), Failure> {
        let Files {
            loaded, plan, control, ..
        } = self.files;
        let scenario = &plan.scenarios[self.policy];
        let telling = Telling::new(loaded, plan, self.policy, self.number);
        let mut trouble = None;
        let mut course = Course::new(usize::from(scenario.client.gateways), scenario.fleet.len());
        let tells_stories = requests.is_some() || attempts.is_some();
        let is_wanted = |ask: &Ask| self.takes(ask);
        let mut listener = |story: story::Story| {
            if story.ending.arrived < scenario.window.warmup {
                return true;
            }
            let story = telling.tell(&story, &[]);
            let write = || -> csv::Result<()> {
                if let Some(sheet) = &mut requests {
                    sheet.row(rows::request(&story))?;
                }
                if let Some(sheet) = &mut attempts {
                    for (i, attempt) in story.attempts.iter().enumerate() {
                        sheet.row(rows::attempt(&story, i, attempt))?;
                    }
                }
                Ok(())
            };
            trouble = { write }().err();
            trouble.is_none()
        };
        let mut teller = Teller::new(&is_wanted, false, &mut listener);
        let mut both;
        let watch: Option<&mut dyn Watch> = match (tells_stories, happenings.is_some()) {
            (true, true) => {
                both = Both(&mut teller, &mut course);
                Some(&mut both)
            }
            (true, false) => Some(&mut teller),
            (false, true) => Some(&mut course),
            (false, false) => None,
        };
        let done = run_watched(scenario, plan.seed, self.number, control, watch);
        drop(teller);
        if let Some(error) = trouble {
            return Err(anyhow::Error::from(error).context("cannot write a row").into());
        }
        let tally = match done {
            Ok(tally) => tally,
            Err(halt) => {
                not_stopped(Some(halt))?;
                return Err(anyhow!(
                    "`{}` in replication {}: {halt}: no file is written",
                    scenario.name,
                    self.number
                )
                .into());
            }
        };
        if let Some(sheet) = happenings {
            for event in events(scenario, self.number, &tally, &course.happenings) {
                sheet.row(event_rows::row(&event)).context("cannot write a row")?;
            }
            if course.more > 0 {
                eprintln!(
                    "note: under `{}` {} more changes of breakers in replication {} are left out",
                    crate::report::text::clean(&scenario.name),
                    format::count(course.more),
                    self.number
                );
            }
        }
        Ok(())
    }
}

/// A CSV file that is written row by row.
struct Sheet {
    rows: csv::Writer<Streamed>,
    file: String,
}

impl Sheet {
    fn create(file: &Path, head: &[&str]) -> Result<Sheet, Failure> {
        let name = file.display().to_string();
        let streamed = Streamed::create(file).with_context(|| format!("cannot write {name}"))?;
        let mut sheet = Sheet {
            rows: csv::Writer::from_writer(streamed),
            file: name,
        };
        sheet.row(head).context("cannot write a row")?;
        Ok(sheet)
    }

    fn row(&mut self, cells: impl IntoIterator<Item = impl AsRef<[u8]>>) -> csv::Result<()> {
        self.rows.write_record(cells)
    }

    fn finish(self) -> Result<(), Failure> {
        let done = self.rows.into_inner().map_err(|error| error.into_error());
        let done = done.and_then(Streamed::finish);
        Ok(done.with_context(|| format!("cannot write {}", self.file))?)
    }
}
