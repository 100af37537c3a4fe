//! `simcap models` and `simcap limits`: what is built in.

use clap::Args;

use super::{Done, Exit, lines, print};
use crate::experiment::model::{BUILT_IN, ModelFile};
use crate::form::build::Refusal;
use crate::form::diagnose;
use crate::provider::limits::published;

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
        let mut all = String::new();
        for (name, text) in BUILT_IN {
            let file: ModelFile = diagnose::parse(name, text)?;
            for (variant, model) in file.variants.iter() {
                let mark = if variant == file.default { "*" } else { " " };
                all += &lines(&format!("{name:<18} {variant}{mark}  "), &model.source);
            }
        }
        all += &lines("", "* is the variant that an experiment gets if it names none.");
        print(&all)?;
        Ok(Exit::Fine)
    }
}

/// Arguments of `simcap limits`.
#[derive(Debug, Args)]
pub(super) struct Limits {
    /// Print this quota in full
    name: Option<String>,
}

impl Limits {
    pub(super) fn run(self) -> Done {
        let published = published()?;
        if let Some(name) = self.name {
            let quota = published.get(&name).ok_or_else(|| {
                let refusal = Refusal::unknown("published quota", &name, &published.names());
                super::Failure::Input(refusal.message + "; `simcap limits` lists them")
            })?;
            let text = serde_json::to_string_pretty(quota).map_err(anyhow::Error::from)?;
            print(&format!("{text}\n"))?;
            return Ok(Exit::Fine);
        }
        let mut all = String::new();
        for (name, quota) in published.iter() {
            let scales = if quota.per_units.is_some() {
                "  (needs units)"
            } else if quota.per.is_some() {
                "  (needs tokens_per_minute)"
            } else {
                ""
            };
            all += &format!("{name:<30} {}{scales}\n", quota.date);
        }
        let how = "Use one as {\"preset\": {\"name\": \"…\"}} in `limits`. Published figures change: see the date, and `simcap limits NAME`.";
        all += &lines("", how);
        print(&all)?;
        Ok(Exit::Fine)
    }
}
