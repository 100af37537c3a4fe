//! `simcap explain`: what a gateway's configuration does when providers fail, and what in it does nothing.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Done, Exit, Failure, print, style};
use crate::form::diagnose::{nearest, printable};
use crate::gateways::model::Group;
use crate::gateways::warning::{Level, Warning};
use crate::gateways::{self, Gateway, show, source};

/// Arguments of `simcap explain`.
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The configuration of a gateway (YAML or JSON)
    config: PathBuf,
    /// The product [default: as its keys tell]
    #[arg(long, value_name = "NAME")]
    product: Option<String>,
    /// How to print it
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// Exit with 1 if there is a warning of this level or above
    #[arg(long, value_name = "LEVEL", default_value = "error")]
    fail_on: FailOn,
    /// Tell of every group and every note, and what no configuration says
    #[arg(long)]
    full: bool,
    /// Tell of this group alone: all that happens in it, its limits and the warnings about it; may be given several times
    #[arg(long, value_name = "NAME", conflicts_with = "full")]
    group: Vec<String>,
}

/// How to print an explanation.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Text,
    Json,
    Markdown,
    Sarif,
}

/// The level of warnings that makes the command fail.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum FailOn {
    Warning,
    Error,
    Never,
}

impl From<gateways::Refused> for Failure {
    fn from(refused: gateways::Refused) -> Failure {
        Failure::Input(refused.to_string())
    }
}

impl Explain {
    pub(super) fn run(self) -> Done {
        let gateway = gateways::read(&source::open(&self.config)?, self.product.as_deref())?;
        if let Some(what) = gateways::lacks(&gateway) {
            let file = self.config.display().to_string();
            return Err(gateways::Refused::whole(&file, what).into());
        }
        let text = match self.format {
            Format::Text if !self.group.is_empty() => show::groups(&gateway, &style(), &self.asked(&gateway)?),
            _ if !self.group.is_empty() => {
                let what = "--group is for the text; the other formats have every group";
                return Err(Failure::Input(what.to_owned()));
            }
            Format::Text => show::text(&gateway, &style(), self.full),
            Format::Json => show::json(&gateway),
            Format::Markdown => show::markdown(&gateway),
            Format::Sarif => show::sarif(&gateway),
        };
        print(&text)?;
        Ok(self.fail_on.exit(&gateway))
    }
}

impl Explain {
    /// The groups that are asked for, by their names or by other names of theirs.
    fn asked<'a>(&self, gateway: &'a Gateway) -> Result<Vec<&'a Group>, Failure> {
        let one = |name: &String| {
            let alias = gateway.aliases.iter().find(|(alias, _)| alias == name);
            let name = alias.map_or(name, |(_, group)| group);
            let found = gateway.groups.iter().find(|group| group.name == *name);
            found.ok_or_else(|| {
                let names = || gateway.groups.iter().map(|group| group.name.as_str());
                let near = nearest(name, names());
                let near = near.map_or_else(String::new, |near| format!(": did you mean `{}`?", printable(near)));
                let all = show::some(names(), ", ");
                let (file, name) = (self.config.display(), printable(name));
                Failure::Input(format!("{file} has no group `{name}`{near} (it has {all})"))
            })
        };
        self.group.iter().map(one).collect()
    }
}

impl FailOn {
    fn exit(self, gateway: &Gateway) -> Exit {
        if self.fails(gateway.warnings.iter()) {
            Exit::ObjectiveFailed
        } else {
            Exit::Fine
        }
    }

    /// Whether one of these warnings makes the command fail.
    pub(super) fn fails<'a>(self, warnings: impl Iterator<Item = &'a Warning>) -> bool {
        let worst = warnings.map(|warning| warning.kind.level).min();
        match self {
            FailOn::Warning => worst.is_some_and(|level| level <= Level::Warning),
            FailOn::Error => worst == Some(Level::Error),
            FailOn::Never => false,
        }
    }
}
