//! `simcap sweep`: an experiment at every combination of values, with the same seed at each.
//!
//! Points are run one after the other, the replications of each side by side, and of each only its figures are kept: in a file of the
//! folder too ([`kept`]), so that `--resume` goes on with a sweep that was stopped or killed. An interruption
//! ends it; what was found until then is printed. Left out: the page of each point, which `run --set` makes.

mod kept;

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use anyhow::{Context, anyhow};
use clap::Args;

#[cfg(feature = "parquet")]
use super::columns::Columns;
use super::many::{Form, Many, Shown, as_json, keep};
use super::run::{Stop, again};
use super::{Done, Exit, Failure};
use crate::experiment::assemble::assemble;
use crate::experiment::axis::{Axis, points};
use crate::experiment::load::{Loaded, Source, Traces};
use crate::experiment::settings::Setting;
use crate::form::own::OwnParts;
use crate::report::repeated::Repeated;
use crate::report::sweep::{Point, Sweep};
#[cfg(feature = "parquet")]
use crate::report::write::Streamed;
use crate::report::{Report, format, sweep_page};
use crate::simulate::{self, Options, run_controlled};
use crate::words::Metric;
use kept::{Kept, Of, Ran};

/// Arguments of `simcap sweep`.
#[derive(Debug, Args)]
pub(super) struct SweepArgs {
    /// The experiment (JSON; comments are allowed; `-` reads it from standard input)
    file: PathBuf,
    /// A path and its values: traffic.rate=10..200/s:20 (twenty of them, `:20log` for equal factors), or a list with commas;
    /// traffic.scale=0.5..2:4log is a factor on all traffic, whatever its kind. Two paths with a comma between them
    /// move together: a,b=[1,10],[2,20]. Of several every combination is run
    #[arg(long = "set", value_name = "PATH=VALUES", required = true)]
    axes: Vec<Axis>,
    /// A metric to show besides those of the objectives; may be given several times [default: ttft.p95, e2e.p95, error_rate,
    /// cost_per_month where there are no objectives]
    #[arg(long, value_name = "METRIC")]
    metric: Vec<Metric>,
    /// Replications at each point [default: as the file says]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    replications: Option<u64>,
    #[command(flatten)]
    many: Many,
    /// What to print
    #[arg(long, value_enum, default_value_t = Form::Table)]
    format: Form,
    /// Write sweep.csv, sweep.json and sweep.html, a page with the curves or maps, to this folder too, and with the feature `parquet` sweep.parquet
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Go on with the sweep in that folder that was stopped or killed: its finished points are not run again
    #[arg(long, requires = "out")]
    resume: bool,
}

impl SweepArgs {
    pub(super) fn run(self, own: &OwnParts) -> Done {
        let set = self.axes.iter().map(|axis| (axis.path.clone(), axis.values.join(",")));
        super::refuse_twice(self.replications, self.many.seed, set)?;
        let stop = Stop::watch(None);
        let points = points(&self.axes).map_err(|why| Failure::Input(format!("--set: {why}")))?;
        let mut source = Source::read(&self.file)?;
        let traces = self.many.traces();
        let mut experiment = String::new();
        let mut of = Of::new(self.many.seed, self.replications, &self.axes, &self.metric).with(own.every());
        // A mistake in any of them is told before the first is run.
        for values in &points {
            let loaded = self.loaded(&mut source, values, &traces, own)?;
            assemble(&loaded)?;
            experiment = loaded.experiment.name;
            of.reads(loaded.inputs);
        }
        let (mut kept, found) = match &self.out {
            Some(folder) => {
                let (kept, found) = Kept::open(folder, &of, self.resume)?;
                (Some(kept), found)
            }
            None => (None, Vec::new()),
        };
        let pool = self.many.pool()?;
        stop.simulate();
        let mut sweep = Sweep {
            experiment,
            axes: self.shown(self.axes.iter().map(|axis| axis.path.clone())),
            metrics: Vec::new(),
            objectives: Vec::new(),
            currency: None,
            points: Vec::new(),
            warnings: Vec::new(),
        };
        let count = points.len();
        found.into_iter().for_each(|ran| add(&mut sweep, ran));
        for (number, values) in points.into_iter().enumerate().skip(sweep.points.len()) {
            let loaded = self.loaded(&mut source, &values, &traces, own)?;
            let mut options = Options::default().own(own.clone());
            options.replications = self.replications;
            options.seed = self.many.seed;
            let done = pool.install(|| run_controlled(&loaded, &options, &stop.control));
            if stop.control.stop.load(Ordering::Relaxed) {
                break;
            }
            let values = self.shown(values);
            let ran = match done {
                Ok(report) => self.ran(values, &report, &sweep)?,
                Err(simulate::Error::Outgrown(why)) => Ran {
                    point: Point {
                        values,
                        policies: Vec::new(),
                        outgrown: Some(why),
                    },
                    told: Vec::new(),
                    shown: None,
                },
                Err(simulate::Error::Experiment(error)) => return Err(error.into()),
            };
            if let Some(kept) = &mut kept {
                kept.put(&ran);
            }
            add(&mut sweep, ran);
            tell!("{} of {count} points", number + 1);
        }
        self.show(&sweep)?;
        if sweep.points.len() < count {
            let (found, all) = (format::count(sweep.points.len() as u64), format::count(count as u64));
            let go_on = match kept {
                Some(_) => format!(", which are kept. Go on with: {}", again::command()),
                None => String::new(),
            };
            return Err(anyhow!("interrupted after {found} of {all} points{go_on}").into());
        }
        if let Some(kept) = kept {
            kept.remove()?;
        }
        Ok(if sweep.fails_throughout() {
            Exit::ObjectiveFailed
        } else {
            Exit::Fine
        })
    }

    /// What is kept of the run at these values.
    fn ran(&self, values: Vec<String>, report: &Report, sweep: &Sweep) -> Result<Ran, Failure> {
        let is_first = sweep.metrics.is_empty();
        let metrics = if is_first {
            self.metrics(report)?
        } else {
            sweep.metrics.clone()
        };
        Ok(Ran {
            point: Point::of(values, report, &metrics),
            told: report.told().collect(),
            shown: is_first.then(|| (metrics, report.scorecard.goals.clone(), report.code())),
        })
    }

    /// What belongs to the axes that are shown, of something for each: those of one value say what all points have, unless no axis has more.
    fn shown(&self, of_each: impl IntoIterator<Item = String>) -> Vec<String> {
        let several = |axis: &Axis| axis.values.len() > 1;
        let is_shown = |axis: &Axis| several(axis) || !self.axes.iter().any(several);
        let of_each = self.axes.iter().zip(of_each);
        of_each.filter(|(axis, _)| is_shown(axis)).map(|(_, of)| of).collect()
    }

    /// The experiment at one point.
    fn loaded(
        &self,
        source: &mut Source,
        values: &[String],
        traces: &Traces,
        own: &OwnParts,
    ) -> Result<Loaded, Failure> {
        let settings = self.axes.iter().zip(values);
        let settings = settings.map(|(axis, value)| Setting::new(&axis.path, value));
        let settings: Vec<Setting> = (settings.collect::<Result<_, _>>()).map_err(|e| Failure::Input(e.to_string()))?;
        Ok(source.load(&settings, traces, None, own.clone())?)
    }

    /// The metrics that are shown: those of objectives and those asked for.
    fn metrics(&self, report: &Report) -> Result<Vec<Metric>, Failure> {
        let goals = report.scorecard.goals.iter().map(|goal| goal.metric.clone());
        let mut metrics: Vec<Metric> = Vec::new();
        for metric in goals.chain(self.metric.iter().cloned()) {
            if !metrics.contains(&metric) {
                metrics.push(metric);
            }
        }
        if metrics.is_empty() {
            metrics = vec![
                Metric::TTFT_P95,
                Metric::E2E_P95,
                Metric::ERROR_RATE,
                Metric::COST_PER_MONTH,
            ];
        }
        let known = |metric: &Metric| {
            report
                .policies
                .iter()
                .any(|p| p.metrics.iter().any(|m| m.metric == *metric))
        };
        match self.metric.iter().find(|metric| !known(metric)) {
            Some(metric) => Err(Failure::Input(format!(
                "--metric {metric}: the run does not record it: add it to `plan.metrics`"
            ))),
            None => Ok(metrics),
        }
    }

    fn show(&self, sweep: &Sweep) -> Result<(), Failure> {
        self.format.print(&Shown {
            table: &|style| sweep.text(style.width, style.colour),
            csv: &|| sweep.csv(),
            json: &|| as_json(sweep),
            markdown: &|| sweep.markdown(),
        })?;
        let Some(folder) = &self.out else { return Ok(()) };
        let page = sweep_page::page(sweep).context("cannot draw the sweep")?;
        keep(
            folder,
            &[
                ("sweep.csv", sweep.csv()),
                ("sweep.json", as_json(sweep)?),
                ("sweep.html", page),
            ],
        )?;
        #[cfg(feature = "parquet")]
        sheet(&folder.join("sweep.parquet"), sweep)?;
        Ok(())
    }
}

/// Puts a point behind those of the sweep.
fn add(sweep: &mut Sweep, ran: Ran) {
    if let Some((metrics, objectives, currency)) = ran.shown {
        sweep.metrics = metrics;
        sweep.objectives = objectives;
        sweep.currency = currency;
    }
    Repeated::note(&mut sweep.warnings, &ran.point.values.join(" · "), ran.told.into_iter());
    sweep.points.push(ran.point);
}

/// Writes the rows of the sweep as Parquet.
#[cfg(feature = "parquet")]
fn sheet(path: &std::path::Path, sweep: &Sweep) -> Result<(), Failure> {
    let write = || {
        let mut columns = Columns::create(Streamed::create(path)?, &sweep.head())?;
        sweep.rows().into_iter().try_for_each(|row| columns.row(row))?;
        columns.finish()
    };
    Ok(write().with_context(|| format!("cannot write {}", path.display()))?)
}
