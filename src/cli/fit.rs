//! `simcap fit`: from logs of measurements to a provider model, with the evidence.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::date::day;
use super::measured::measured;
use super::{Done, Exit, Failure, print, style};
use crate::calibrate::fit::compare::{Fitted, experiment};
use crate::calibrate::fit::page::page;
use crate::calibrate::fit::{self, Family, FitReport, Given, Options};
use crate::calibrate::log::Log;
use crate::calibrate::logs::MAP_HELP;
use crate::experiment::calibration::Calibration;
use crate::experiment::model::{BUILT_IN, ModelFile};
use crate::form::build::Names;
use crate::form::diagnose;
use crate::form::tree::{self, Tree};
use crate::form::units::TokenPrice;
use crate::import::source::{self, MOST_OF_JSON};
use crate::kernel::calendar::date;
use crate::provider::pricing::PerToken;
use crate::report::text::paragraph;
use crate::report::write::write_all;

/// Arguments of `simcap fit`.
#[derive(Debug, Args)]
pub(super) struct Fit {
    /// Logs of measurements: simcap's probes, or the reports of other tools
    #[arg(required = true, value_name = "LOG")]
    logs: Vec<PathBuf>,
    /// The model's name [default: the target's]
    #[arg(long)]
    name: Option<String>,
    /// The target among those of the log; needed if there are several
    #[arg(long)]
    target: Option<String>,
    /// Where to write the model [default: NAME.json]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write the experiment that runs these models too, ready for `simcap run`; of a log with several targets, a model of each and
    /// the comparison of all. Models lie beside it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["out", "name"])]
    experiment: Option<PathBuf>,
    /// Write the report with its pictures to this folder [default: reports/fit-NAME]
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// When it was measured, for the model to say [default: the day of its first request, if the log says]
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    date: Option<String>,
    /// Take prices from this model: a file, or the name of one built in [default: the prices that the probes were counted with]
    #[arg(long, value_name = "MODEL", conflicts_with_all = ["price_input", "price_output"])]
    prices_from: Option<String>,
    /// The price of input, like "$0.42/Mtok"
    #[arg(long, value_name = "PRICE", requires = "price_output")]
    price_input: Option<TokenPrice>,
    /// The price of output
    #[arg(long, value_name = "PRICE", requires = "price_input")]
    price_output: Option<TokenPrice>,
    /// The share of requests, in alternating blocks, that is kept out for `simcap validate`
    #[arg(long, value_name = "SHARE", default_value_t = 0.3, value_parser = share)]
    holdout: f64,
    /// The most requests that the server works on at once (vLLM's --max-num-seqs), further ones waiting: what lies below
    /// saturation does not show it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    slots: Option<u32>,
    /// Which columns of a CSV hold what, like at=when:Europe/Berlin,ttft=first_ms:ms,e2e=total:s,output=tokens (all: --help)
    #[arg(long, value_name = "FIELD=COLUMN:UNIT,…", long_help = MAP_HELP)]
    map: Option<String>,
    /// Fit this family and no other
    #[arg(long, value_enum, default_value_t = Choice::Auto)]
    family: Choice,
    /// The seed of the bootstrap behind the p-values
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Refits behind each p-value; 0 for no test
    #[arg(long, value_name = "N", default_value_t = fit::REFITS as u32, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    refits: u32,
    /// Print the whole report as JSON instead
    #[arg(long)]
    json: bool,
}

/// A family, or the choice among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Choice {
    /// The best by AIC and test
    Auto,
    Lognormal,
    Gamma,
    Weibull,
    ShiftedLognormal,
    ShiftedGamma,
    ShiftedWeibull,
    TwoLognormals,
    ParetoTail,
    Empirical,
}

impl Choice {
    fn family(self) -> Option<Family> {
        Some(match self {
            Choice::Auto => return None,
            Choice::Lognormal => Family::Lognormal,
            Choice::Gamma => Family::Gamma,
            Choice::Weibull => Family::Weibull,
            Choice::ShiftedLognormal => Family::ShiftedLognormal,
            Choice::ShiftedGamma => Family::ShiftedGamma,
            Choice::ShiftedWeibull => Family::ShiftedWeibull,
            Choice::TwoLognormals => Family::TwoLognormals,
            Choice::ParetoTail => Family::ParetoTail,
            Choice::Empirical => Family::Empirical,
        })
    }
}

/// A share that leaves something to fit.
fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(x) if (0.0..=0.9).contains(&x) => Ok(x),
        _ => Err("a share from 0 to 0.9, like 0.3".into()),
    }
}

impl Fit {
    pub(super) fn run(self) -> Done {
        let log = measured(&self.logs, self.map.as_deref())?;
        let targets: Vec<Option<&str>> = match (&self.experiment, &self.target) {
            (Some(_), None) => log.targets.iter().map(|name| Some(name.as_str())).collect(),
            (_, target) => vec![target.as_deref()],
        };
        let mut made = Vec::new();
        for target in targets {
            made.push(self.model(&log, target)?);
        }
        if self.json {
            let reports: Vec<&FitReport> = made.iter().map(|made| &made.report).collect();
            let json = match reports.as_slice() {
                [only] => serde_json::to_string_pretty(only),
                several => serde_json::to_string_pretty(several),
            };
            print(&(json.context("cannot write the report as JSON")? + "\n"))?;
        }
        if let Some(file) = &self.experiment {
            let next = compared(file, &log, &made)?;
            if !self.json {
                print(&next)?;
            }
        }
        Ok(Exit::Fine)
    }

    /// Fits a model of one target, writes it, and says so.
    fn model(&self, log: &Log, target: Option<&str>) -> Result<Made, Failure> {
        let (prices, assumed_prices) = self.prices(log, target)?;
        let free = prices.is_none();
        let first = log
            .observations
            .iter()
            .filter_map(|o| o.unix)
            .fold(f64::INFINITY, f64::min);
        let date = self.date.clone().unwrap_or_else(|| {
            if first.is_finite() {
                date((first / 86_400.0).floor() as i64)
            } else {
                String::new()
            }
        });
        let from = assumed_prices.clone().filter(|_| !free);
        let options = Options {
            target: target.map(str::to_owned),
            name: self.name.clone().unwrap_or_default(),
            family: self.family.family(),
            seed: self.seed,
            refits: self.refits as usize,
            given: Given {
                date,
                prices: prices.unwrap_or_else(|| PerToken::new(TokenPrice::default(), TokenPrice::default())),
                assumed_prices,
                held_out: self.holdout,
                slots: self.slots,
            },
        };
        let (mut report, model) = fit::fit(log, &options).map_err(|e| Failure::Input(e.to_string()))?;
        model
            .check(&Names::default())
            .map_err(|refusal| Failure::Input(format!("the fitted model does not build: {}", refusal.message)))?;
        let file = format!("{}.json", plain(&report.name));
        let out = match (&self.out, &self.experiment) {
            (Some(out), _) => out.clone(),
            (None, Some(experiment)) => experiment.with_file_name(&file),
            (None, None) => PathBuf::from(&file),
        };
        if self.experiment.as_ref() == Some(&out) {
            return Err(Failure::Input(format!(
                "{}: the model of {} would be written there too: give the experiment another name",
                out.display(),
                report.target
            )));
        }
        spare(&out)?;
        report.notes.extend(lost(&out));
        let text = serde_json::to_string_pretty(&model).context("cannot write the model as JSON")? + "\n";
        let (dir, name) = (
            out.parent().unwrap_or(Path::new("")),
            out.file_name().and_then(|n| n.to_str()),
        );
        let name = name.ok_or_else(|| Failure::Input(format!("{}: not the name of a file", out.display())))?;
        let dir = if dir.as_os_str().is_empty() {
            Path::new(".")
        } else {
            dir
        };
        let folder = self
            .report
            .clone()
            .unwrap_or_else(|| PathBuf::from("reports").join(format!("fit-{}", plain(&report.name))));
        let json = serde_json::to_string_pretty(&report).context("cannot write the report as JSON")? + "\n";
        let page = page(&report).context("cannot draw the fit")?;
        write_all(dir, &[(name, text)]).context("cannot write the model")?;
        write_all(&folder, &[("fit.json", &json), ("fit.html", &page)]).context("cannot write the report")?;
        if !self.json {
            print(&fit::terminal(&report, &style()))?;
            let page = folder.join("fit.html");
            print(&format!(
                "\nThe model is in {}.\nreport: {}\n",
                out.display(),
                page.display()
            ))?;
            let prices = match &from {
                Some(from) => format!("Its prices are {from}."),
                None if free => {
                    "It has no prices: whatever it answers is free. Say --prices-from MODEL, or --price-input and \
                                 --price-output."
                        .to_owned()
                }
                None => String::new(),
            };
            if !prices.is_empty() {
                print(&paragraph("", &prices, style().width))?;
            }
        }
        Ok(Made {
            report,
            provider: plain(file.trim_end_matches(".json")),
            file,
        })
    }

    /// The model's prices, if they were given, and where they are from if that is an assumption.
    fn prices(&self, log: &Log, target: Option<&str>) -> Result<(Option<PerToken>, Option<String>), Failure> {
        if let (Some(input), Some(output)) = (self.price_input, self.price_output) {
            return Ok((Some(PerToken::new(input, output)), None));
        }
        let Some(from) = &self.prices_from else {
            // Which target is meant if none is named is for the fit to say.
            let target = target.or(log.targets.first().map(String::as_str));
            return Ok(match target.and_then(|target| log.prices.get(target)) {
                Some(prices) => (Some(prices.clone()), Some(OF_THE_RUN.to_owned())),
                None => {
                    let why = "no prices were given: all is free. Say --prices-from MODEL, or --price-input and --price-output";
                    (None, Some(why.to_owned()))
                }
            });
        };
        let model: ModelFile = match BUILT_IN.iter().find(|(name, _)| name == from) {
            Some((name, text)) => diagnose::parse(name, text)?,
            None => {
                let names: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
                let bytes = source::read(Path::new(from), MOST_OF_JSON).map_err(|e| {
                    let known = names.join(", ");
                    Failure::Input(format!("{from}: {e}, and it is not a built-in model: {known}"))
                })?;
                diagnose::parse_bytes(from, &bytes)?
            }
        };
        let variant = model.variants.get(&model.default);
        let variant = variant.ok_or_else(|| Failure::Input(format!("{from}: no variant `{}`", model.default)))?;
        Ok((
            Some(variant.prices.clone()),
            Some(format!("those of {} ({})", model.model, variant.source)),
        ))
    }
}

/// A model that was written.
struct Made {
    report: FitReport,
    /// The model's file, without its folder.
    file: String,
    /// A name for it in an experiment.
    provider: String,
}

/// Refuses to write a model over what is there and is none, as a plan of the target's name would be.
fn spare(out: &Path) -> Result<(), Failure> {
    let Ok(bytes) = source::read(out, MOST_OF_JSON) else {
        return Ok(());
    };
    match diagnose::parse_bytes::<ModelFile>(&out.display().to_string(), &bytes) {
        Ok(_) => Ok(()),
        Err(_) => Err(Failure::Input(format!(
            "{}: it is there already and is no model: --out writes elsewhere",
            out.display()
        ))),
    }
}

/// Writes the experiment that runs the models, and says what comes next. One that is there stays as it is: it may have been
/// worked on, and it names the models by their files.
fn compared(file: &Path, log: &Log, made: &[Made]) -> Result<String, Failure> {
    let next = format!("Next: simcap check {0}, and then simcap run {0}\n", file.display());
    if file.exists() {
        let there = file.display();
        return Ok(format!("\n{there} was there already and stays as it was. {next}"));
    }
    let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or("compare");
    let fitted: Vec<Fitted<'_>> = made
        .iter()
        .map(|made| Fitted {
            report: &made.report,
            provider: &made.provider,
            file: &made.file,
        })
        .collect();
    let text = experiment(&plain(stem), log, &fitted);
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let name = file.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| Failure::Input(format!("{}: not the name of a file", file.display())))?;
    write_all(folder, &[(name, text)]).context("cannot write the experiment")?;
    Ok(format!("\nThe experiment is in {}. {next}", file.display()))
}

/// Where prices are from that the log says.
const OF_THE_RUN: &str = "those that `simcap calibrate` counted the probes with: its arguments', its plan's or the table's \
                          that is built in";

/// What is lost with the model that is about to be written over, if that is one with a score.
fn lost(out: &Path) -> Vec<String> {
    let bytes = source::read(out, MOST_OF_JSON).ok();
    let tree: Option<Tree> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let model: Option<ModelFile> = tree.and_then(|tree| tree::read(&tree).ok());
    let scores = model.iter().flat_map(|model| model.variants.iter());
    let scores = scores.filter_map(|(name, variant)| Some((name, variant.calibration.as_ref()?)));
    let note = |(name, score): (&str, &Calibration)| {
        format!(
            "the model that was in {} had a score ({name}: {}): it belonged to its old parameters and is gone with them; \
             `simcap validate` gives the new model its own",
            out.display(),
            score.sentence()
        )
    };
    scores.map(note).collect()
}

/// A file's name from a model's: what no file system likes becomes a hyphen.
fn plain(name: &str) -> String {
    let plain = |c: char| {
        if c.is_alphanumeric() || ".-_".contains(c) {
            c
        } else {
            '-'
        }
    };
    let name: String = name.chars().map(plain).collect();
    name.trim_start_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_that_of_a_file_here() {
        assert_eq!(plain("meta/llama 3:70b"), "meta-llama-3-70b");
        assert_eq!(plain("../x"), "-x");
    }
}
