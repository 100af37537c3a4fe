//! `simcap models`: what is built in.

use clap::Args;

use super::{Done, Exit, print};
use crate::spec::diagnose;
use crate::spec::model::{BUILT_IN, ModelFile};

/// Arguments of `simcap models`.
#[derive(Debug, Args)]
pub(super) struct Models {
    /// Print this model's file
    name: Option<String>,
}

impl Models {
    pub(super) fn run(self) -> Done {
        if let Some(name) = self.name {
            let (_, text) = BUILT_IN.iter().find(|(n, _)| *n == name).ok_or_else(|| {
                let names: Vec<&str> = BUILT_IN.iter().map(|(n, _)| *n).collect();
                super::Failure::Input(format!(
                    "there is no model `{name}` built in; there are: {}",
                    names.join(", ")
                ))
            })?;
            print(text)?;
            return Ok(Exit::Fine);
        }
        let mut lines = String::new();
        for (name, text) in BUILT_IN {
            let file: ModelFile = diagnose::parse(name, text)?;
            for (variant, model) in file.variants.iter() {
                let mark = if variant == file.default { "*" } else { " " };
                lines.push_str(&format!("{name:<18} {variant}{mark}  {}\n", model.source));
            }
        }
        print(&format!(
            "{lines}* is the variant that an experiment gets if it names none.\n"
        ))?;
        Ok(Exit::Fine)
    }
}
