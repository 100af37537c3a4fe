//! `simcap validate EXPERIMENT LOG`: an experiment against the log of the gateway that it is of.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::Value;

use super::Validate;
use crate::calibrate::backtest::{Backtest, Settings, backtest, page, text};
use crate::cli::many::{Shown, as_json};
use crate::cli::measured::{measured, read};
use crate::cli::{Done, Exit, Failure, traces};
use crate::experiment::calibration::Agreement;
use crate::experiment::load::load_with;
use crate::form::comments::blank_comments;
use crate::form::own::OwnParts;
use crate::form::units::Fraction;
use crate::report::write;

/// The arguments that an experiment takes and a model does not.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Of an experiment")]
pub(super) struct Args {
    /// The share of the log's requests, the first in time, that the providers' models are fitted to; the rest is predicted. 0 judges the
    /// experiment's own models [default: 60%]
    #[arg(long, value_name = "SHARE")]
    fit_on: Option<String>,
    /// The policy that the gateway has [default: the first]
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// A provider that is this target of the log, where their names do not say; may be repeated
    #[arg(long, value_name = "NAME=TARGET")]
    provider: Vec<String>,
    /// What was charged for the time of the whole log, like $1,234.50
    #[arg(long, value_name = "AMOUNT")]
    invoice: Option<String>,
}

impl Args {
    /// Refuses what a model has no use for.
    pub(super) fn refuse(&self, model: &str) -> Result<(), Failure> {
        let given = [
            ("--fit-on", self.fit_on.is_some()),
            ("--policy", self.policy.is_some()),
            ("--provider", !self.provider.is_empty()),
            ("--invoice", self.invoice.is_some()),
        ];
        match given.iter().find(|(_, is_given)| *is_given) {
            Some((flag, _)) => Err(Failure::Input(format!(
                "{flag}: of an experiment, and {model} is not one"
            ))),
            None => Ok(()),
        }
    }

    fn fit_on(&self) -> Result<Fraction, Failure> {
        let said = self.fit_on.as_deref().unwrap_or("60%");
        let share = match said.parse::<f64>() {
            Ok(number) => serde_json::from_value(number.into()).ok(),
            Err(_) => serde_json::from_value::<Fraction>(said.into()).ok(),
        };
        share.filter(|share| share.get() < 1.0).ok_or_else(|| {
            Failure::Input(format!(
                "--fit-on: \"{said}\" is not a share from 0 to below 1, like 60% or 0.6"
            ))
        })
    }

    fn providers(&self) -> Result<Vec<(String, String)>, Failure> {
        let pair = |said: &String| {
            let (name, target) = said.split_once('=').ok_or_else(|| {
                Failure::Input(format!("--provider: \"{said}\" is not NAME=TARGET, like weu=gpt-4.1"))
            })?;
            Ok((name.to_owned(), target.to_owned()))
        };
        self.provider.iter().map(pair).collect()
    }

    fn invoice(&self) -> Result<Option<f64>, Failure> {
        let Some(said) = &self.invoice else { return Ok(None) };
        let plain = said.replace([',', ' '], "");
        let amount = plain.trim_start_matches('$').parse::<f64>().ok();
        let amount = amount.filter(|amount| amount.is_finite() && *amount > 0.0);
        let amount = amount.ok_or_else(|| {
            Failure::Input(format!(
                "--invoice: \"{said}\" is not an amount above 0 in the experiment's currency, like $1,234.50"
            ))
        })?;
        Ok(Some(amount))
    }
}

impl Validate {
    /// Whether what is to be validated is an experiment.
    pub(super) fn is_of_experiment(&self) -> bool {
        if !self.path().is_file() {
            return false;
        }
        let text = read(self.path()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let value = text.and_then(|text| serde_json::from_str::<Value>(&blank_comments(&text)).ok());
        value.is_some_and(|value| value.get("policies").is_some() || value.get("providers").is_some())
    }

    /// Holds the experiment against the log.
    pub(super) fn backtest(&self, margin: Fraction, own: &OwnParts) -> Done {
        let model = [
            ("--variant", self.variant.is_some()),
            ("--target", self.target.is_some()),
            ("--no-write", self.no_write),
        ];
        if let Some((flag, _)) = model.iter().find(|(_, is_given)| *is_given) {
            return Err(Failure::Input(format!(
                "{flag}: of a model, and {} is an experiment",
                self.model
            )));
        }
        let settings = Settings {
            margin,
            fit_on: self.backtest.fit_on()?,
            replications: self.replications.unwrap_or(20),
            seed: self.seed,
            policy: self.backtest.policy.clone(),
            providers: self.backtest.providers()?,
            invoice: self.backtest.invoice()?,
        };
        let loaded =
            load_with(self.path(), &traces(None), None, own.clone()).map_err(|e| Failure::Input(e.to_string()))?;
        let log = measured(&self.logs, self.map.as_deref())?;
        let found = backtest(&loaded, &log, &settings).map_err(Failure::Input)?;
        self.format.print(&Shown {
            table: &|style| text::text(&found, style),
            csv: &|| text::csv(&found),
            json: &|| as_json(&found),
            markdown: &|| text::markdown(&found),
        })?;
        self.say_all(&log.notes)?;
        let folder = self
            .out
            .clone()
            .unwrap_or_else(|| PathBuf::from("reports").join(format!("backtest-{}", found.experiment)));
        written(&folder, &found)?;
        self.say(&format!("report: {}\n", folder.join("backtest.html").display()))?;
        Ok(match found.verdict {
            Agreement::Equivalent | Agreement::CannotTell => Exit::Fine,
            Agreement::NotEquivalent => Exit::ObjectiveFailed,
        })
    }
}

fn written(folder: &Path, found: &Backtest) -> Result<(), Failure> {
    let json = as_json(found)?;
    let page = page::page(found).context("cannot draw the backtest")?;
    let files = [("backtest.json", json), ("backtest.html", page)];
    Ok(write::write_all(folder, &files).context("cannot write the backtest")?)
}
