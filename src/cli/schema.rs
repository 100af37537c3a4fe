//! `simcap schema`: the JSON Schemas of what simcap reads and writes.

use clap::{Args, ValueEnum};
use schemars::schema_for;

use super::{Done, Exit, print};
use crate::experiment::claims::ClaimsFile;
use crate::experiment::file::Experiment;
use crate::experiment::model::ModelFile;
use crate::report::json;

/// Arguments of `simcap schema`.
#[derive(Debug, Args)]
pub(super) struct Schema {
    /// Of which file
    #[arg(value_enum, default_value_t = Of::Experiment)]
    of: Of,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Of {
    /// An experiment file
    Experiment,
    /// A provider's model file
    Model,
    /// A result file (result.json)
    Result,
    /// A file of claims for `simcap audit`
    Claims,
    /// A plan of `simcap calibrate`
    #[cfg(feature = "live")]
    Calibrate,
    /// A line of the probes.jsonl that it writes
    Probes,
}

impl Schema {
    pub(super) fn run(self) -> Done {
        let schema = match self.of {
            Of::Experiment => schema_for!(Experiment).to_value(),
            Of::Model => schema_for!(ModelFile).to_value(),
            Of::Result => json::schema(),
            Of::Claims => schema_for!(ClaimsFile).to_value(),
            #[cfg(feature = "live")]
            Of::Calibrate => schema_for!(crate::live::spec::PlanSpec).to_value(),
            Of::Probes => schema_for!(crate::calibrate::probe::Line).to_value(),
        };
        print(&format!("{schema:#}\n"))?;
        Ok(Exit::Fine)
    }
}
