//! Rows for every request, attempt and event, written while the replications run one after the other.
//!
//! Nothing but the requests under way is held, so that a file may be larger than memory. The order is policies, replications, and in each
//! the order in which requests end. A sample takes a request by its number and its replication alone: the same ones under every policy.

use std::ops::Range;
use std::path::Path;

use anyhow::{Context, anyhow};

use super::super::Failure;
use super::gather::not_stopped;
#[cfg(feature = "parquet")]
use crate::cli::columns::Columns;
use crate::decide::{Telling, events};
use crate::engine::run::{Control, run_watched};
use crate::engine::story::{self, Course, Teller};
use crate::engine::watch::{Both, Watch};
use crate::experiment::assemble::Plan;
use crate::experiment::load::Loaded;
use crate::kernel::chance::{hash, threshold};
use crate::kernel::time::Span;
use crate::report::story::rows;
use crate::report::write::Streamed;
use crate::report::{events as event_rows, format};
use crate::words::Ask;
#[cfg(feature = "hdr")]
use crate::words::Outcome;

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
    /// Writes the files that are asked for, of `sample` of the requests; the histograms are of all.
    pub(super) fn write(&self, asked: &Asked<'_>, sample: f64) -> Result<(), Failure> {
        let mut fleets = self.policies.iter().map(|&policy| &self.plan.scenarios[policy].fleet);
        let has_reserved = fleets.any(|fleet| fleet.iter().any(|of| of.provider.bills_by_the_hour()));
        if has_reserved && (asked.requests.is_some() || asked.attempts.is_some()) {
            tell!(
                "note: `cost` is what is paid by the request; reserved capacity, which is billed by the hour, is in no row"
            );
        }
        let head = &rows::REQUESTS[..self.columns()];
        let mut requests = (asked.requests.map(|file| Sheet::create(file, head))).transpose()?;
        let mut attempts = (asked.attempts.map(|file| Sheet::create(file, &rows::ATTEMPTS))).transpose()?;
        let mut happenings = (asked.happenings.map(|file| Sheet::create(file, &event_rows::COLUMNS))).transpose()?;
        let mut times = asked.times.map(Times::create).transpose()?;
        for &policy in &self.policies {
            for replication in self.replications.clone() {
                let of = Replication {
                    files: self,
                    policy,
                    number: replication,
                    sample: threshold(sample),
                };
                of.write(
                    requests.as_mut(),
                    attempts.as_mut(),
                    happenings.as_mut(),
                    times.as_mut(),
                )?;
            }
        }
        [requests, attempts, happenings]
            .into_iter()
            .flatten()
            .try_for_each(Sheet::finish)?;
        times.map_or(Ok(()), Times::finish)
    }
}

impl Files<'_> {
    /// How many columns a row of a request has.
    fn columns(&self) -> usize {
        let mut scenarios = self.plan.scenarios.iter();
        match scenarios.any(|scenario| !scenario.client.response_caches.of.is_empty()) {
            true => rows::REQUESTS.len(),
            false => rows::WITHOUT_CACHE,
        }
    }
}

/// The files that are asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked<'a> {
    pub(super) requests: Option<&'a Path>,
    pub(super) attempts: Option<&'a Path>,
    pub(super) happenings: Option<&'a Path>,
    /// An interval log of HdrHistogram.
    pub(super) times: Option<&'a Path>,
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
        mut times: Option<&mut Times>,
    ) -> Result<(), Failure> {
        let Files {
            loaded, plan, control, ..
        } = self.files;
        let scenario = &plan.scenarios[self.policy];
        let columns = self.files.columns();
        let telling = Telling::new(loaded, plan, self.policy, self.number);
        let mut trouble = None;
        let mut course = Course::new(usize::from(scenario.client.gateways), scenario.fleet.len());
        let tells_stories = requests.is_some() || attempts.is_some() || times.is_some();
        let (has_times, has_rows) = (times.is_some(), requests.is_some() || attempts.is_some());
        let is_wanted = |ask: &Ask| has_times || self.takes(ask);
        if let Some(times) = &mut times {
            times.begin(&scenario.name, self.number, scenario.window.counted())?;
        }
        let mut listener = |story: story::Story| {
            if story.ending.arrived < scenario.window.warmup {
                return true;
            }
            let write = || -> anyhow::Result<()> {
                if let Some(times) = &mut times {
                    times.record(&story)?;
                }
                if !has_rows || !self.takes(&story.ending.ask) {
                    return Ok(());
                }
                let story = telling.tell(&story, &[]);
                if let Some(sheet) = &mut requests {
                    sheet.row(rows::request(&story).into_iter().take(columns))?;
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
            return Err(error.context("cannot write a row").into());
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
                tell!(
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

/// A file of rows: CSV, or Parquet where its name ends so.
enum Sheet {
    Csv {
        rows: csv::Writer<Streamed>,
        file: String,
    },
    #[cfg(feature = "parquet")]
    Parquet {
        columns: Columns,
        file: String,
    },
}

impl Sheet {
    fn create(path: &Path, head: &[(&str, rows::Kind)]) -> Result<Sheet, Failure> {
        let file = path.display().to_string();
        let is_parquet = path.extension().is_some_and(|of| of.eq_ignore_ascii_case("parquet"));
        if is_parquet && !cfg!(feature = "parquet") {
            return Err(without(&file, "parquet"));
        }
        let streamed = Streamed::create(path).with_context(|| format!("cannot write {file}"))?;
        #[cfg(feature = "parquet")]
        if is_parquet {
            let columns = Columns::create(streamed, head)?;
            return Ok(Sheet::Parquet { columns, file });
        }
        let mut rows = csv::Writer::from_writer(streamed);
        rows.write_record(head.iter().map(|(name, _)| name))
            .context("cannot write a row")?;
        Ok(Sheet::Csv { rows, file })
    }

    fn row(&mut self, cells: impl IntoIterator<Item = String>) -> anyhow::Result<()> {
        match self {
            Sheet::Csv { rows, .. } => Ok(rows.write_record(cells)?),
            #[cfg(feature = "parquet")]
            Sheet::Parquet { columns, .. } => columns.row(cells),
        }
    }

    fn finish(self) -> Result<(), Failure> {
        match self {
            Sheet::Csv { rows, file } => {
                let done = rows.into_inner().map_err(|error| error.into_error());
                let done = done.and_then(Streamed::finish);
                Ok(done.with_context(|| format!("cannot write {file}"))?)
            }
            #[cfg(feature = "parquet")]
            Sheet::Parquet { columns, file } => Ok(columns.finish().with_context(|| format!("cannot write {file}"))?),
        }
    }
}

/// That the program has no such feature.
fn without(file: &str, feature: &str) -> Failure {
    Failure::Input(format!(
        "{file}: this simcap is built without the feature `{feature}`: cargo install --path . --features {feature}"
    ))
}

/// The times of all successes, for an interval log.
struct Times {
    #[cfg(feature = "hdr")]
    file: std::path::PathBuf,
    #[cfg(feature = "hdr")]
    intervals: Vec<super::hdr::Interval>,
}

#[cfg(feature = "hdr")]
impl Times {
    fn create(file: &Path) -> Result<Times, Failure> {
        Ok(Times {
            file: file.to_owned(),
            intervals: Vec::new(),
        })
    }

    fn begin(&mut self, policy: &str, replication: u64, counted: Span) -> anyhow::Result<()> {
        self.intervals
            .push(super::hdr::Interval::new(policy, replication, counted)?);
        Ok(())
    }

    fn record(&mut self, story: &story::Story) -> anyhow::Result<()> {
        match self.intervals.last_mut() {
            Some(interval) if story.ending.outcome == Outcome::Success => {
                interval.record(story.ending.ttft, story.ended.since(story.ending.arrived))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn finish(self) -> Result<(), Failure> {
        Ok(super::hdr::write(&self.file, &self.intervals)?)
    }
}

#[cfg(not(feature = "hdr"))]
impl Times {
    fn create(file: &Path) -> Result<Times, Failure> {
        Err(without(&file.display().to_string(), "hdr"))
    }

    fn begin(&mut self, _policy: &str, _replication: u64, _counted: Span) -> anyhow::Result<()> {
        Ok(())
    }

    fn record(&mut self, _story: &story::Story) -> anyhow::Result<()> {
        Ok(())
    }

    fn finish(self) -> Result<(), Failure> {
        Ok(())
    }
}
