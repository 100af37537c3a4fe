//! `simcap validate`: a model against measurements, and what came of it written into the model file; or an experiment against the log of
//! its gateway ([`backtest`]).

mod backtest;

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use super::many::{Form, Shown, as_json};
use super::measured::{measured, read};
use super::{Done, Exit, Failure, print, style};
use crate::calibrate::validate::{Settings, Validation, page, text, validate};
use crate::experiment::calibration::Agreement;
use crate::experiment::model::{BUILT_IN, ModelFile};
use crate::form::build::Names;
use crate::form::diagnose;
use crate::form::own::OwnParts;
use crate::form::units::Fraction;
use crate::report::text::paragraph;
use crate::report::write;

/// Arguments of `simcap validate`.
#[derive(Debug, Args)]
pub(super) struct Validate {
    /// The model: its file, or the name of one that is built in; or an experiment, to be held against the log of its gateway
    #[arg(value_name = "MODEL|EXPERIMENT")]
    model: String,
    /// Measurements: simcap's own probes, or the log of a tool that is recognised by its content
    #[arg(required = true, value_name = "LOG")]
    logs: Vec<PathBuf>,
    /// The variant [default: the model's own default]
    #[arg(long, value_name = "NAME")]
    variant: Option<String>,
    /// The target in the logs that the model is of, if there are several
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// The relative error that still counts as equal
    #[arg(long, value_name = "SHARE", default_value = "10%")]
    margin: String,
    /// Which columns of a CSV hold what, like at=when:Europe/Berlin,ttft=first_ms:ms,e2e=total:s,output=tokens (all: --help)
    #[arg(long, value_name = "FIELD=COLUMN:UNIT,…", long_help = crate::calibrate::logs::MAP_HELP)]
    map: Option<String>,
    /// Replications [default: as many as make the simulation's own chance negligible]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    replications: Option<u64>,
    /// Seed of the simulation's draws
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Write the report to this folder [default: reports/validate-MODEL]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Leave the model file as it is
    #[arg(long)]
    no_write: bool,
    /// What to print
    #[arg(long, value_enum, default_value_t = Form::Table)]
    format: Form,
    #[command(flatten)]
    backtest: backtest::Args,
}

impl Validate {
    pub(super) fn run(self, own: &OwnParts) -> Done {
        let margin: Option<Fraction> = serde_json::from_value(self.margin.as_str().into()).ok();
        let margin = margin.filter(|m| m.get() > 0.0 && m.get() < 1.0);
        let Some(margin) = margin else {
            let found = &self.margin;
            return Err(Failure::Input(format!(
                "--margin: \"{found}\" is not a share above 0 and below 1, like 10% or 0.1"
            )));
        };
        if self.is_of_experiment() {
            return self.backtest(margin, own);
        }
        self.backtest.refuse(&self.model)?;
        let mut model = self.model()?;
        let variant = self.variant.clone().unwrap_or_else(|| model.default.clone());
        let settings = Settings {
            margin,
            replications: self.replications,
            seed: self.seed,
            target: self.target.clone(),
            date: super::date::today(),
        };
        let log = measured(&self.logs, self.map.as_deref())?;
        let found = validate(&model, &variant, &log, &settings).map_err(Failure::Input)?;
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
            .unwrap_or_else(|| PathBuf::from("reports").join(format!("validate-{}", model.model)));
        report(&folder, &found)?;
        self.say(&format!("report: {}\n", folder.join("validation.html").display()))?;
        let tells = found.verdict() != Agreement::CannotTell;
        if !tells && !self.no_write && self.path().is_file() {
            let kept = match model.variants.get(&variant).and_then(|spec| spec.calibration.as_ref()) {
                Some(before) => format!("; the score that it has stays: {}", before.sentence()),
                None => String::new(),
            };
            self.say(&paragraph(
                "",
                &format!(
                    "{}: no score is written, as these measurements do not tell{kept}",
                    self.model
                ),
                style().width,
            ))?;
        }
        if tells && !self.no_write && self.path().is_file() {
            if let Some(spec) = model.variants.get_mut(&variant) {
                spec.calibration = Some(found.calibration.clone());
            }
            self.write(&model)?;
        }
        Ok(match found.verdict() {
            Agreement::Equivalent | Agreement::CannotTell => Exit::Fine,
            Agreement::NotEquivalent => Exit::ObjectiveFailed,
        })
    }

    fn path(&self) -> &Path {
        Path::new(&self.model)
    }

    fn model(&self) -> Result<ModelFile, Failure> {
        let name = self.model.as_str();
        let built_in = BUILT_IN.iter().find(|(known, _)| *known == name);
        let (text, file) = match built_in {
            Some((_, text)) if !self.path().is_file() => ((*text).as_bytes().to_vec(), name),
            _ => (read(self.path())?, name),
        };
        let model: ModelFile = diagnose::parse_bytes(file, &text)?;
        let text = String::from_utf8_lossy(&text);
        model
            .check(&Names::default())
            .map_err(|refusal| refusal.error(file, &text))?;
        Ok(model)
    }

    fn write(&self, model: &ModelFile) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(model).context("cannot put the model into JSON")? + "\n";
        let (folder, name) = (self.path().parent().unwrap_or(Path::new("")), self.path().file_name());
        let folder = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        };
        let name = name.unwrap_or_default().to_string_lossy();
        write::write_all(folder, &[(name.as_ref(), text.as_bytes())]).context("cannot write the model")?;
        self.say(&format!("calibration written to {}\n", self.model))
    }

    /// Says something beside the result: behind it in a table, and on standard error where the result is for another program.
    fn say(&self, text: &str) -> Result<(), Failure> {
        if self.format == Form::Table {
            return print(text);
        }
        tell!("{}", text.trim_end());
        Ok(())
    }

    /// Says what was noted of the log.
    fn say_all(&self, notes: &[String]) -> Result<(), Failure> {
        let note = |note: &String| self.say(&format!("note: {}\n", crate::report::text::clean(note)));
        notes.iter().try_for_each(note)
    }
}

fn report(folder: &Path, found: &Validation) -> Result<(), Failure> {
    let json = as_json(found)?;
    let page = page::page(found).context("cannot draw the validation")?;
    let files = [("validation.json", json), ("validation.html", page)];
    Ok(write::write_all(folder, &files).context("cannot write the validation")?)
}
