//! `simcap export`: what an experiment changed about a gateway's configuration, written back into the file.

mod kept;

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use super::{Done, Exit, Failure, print, traces};
use crate::experiment::file::Imported;
use crate::experiment::load::load;
use crate::form::diagnose::{nearest, printable};
use crate::gateways::export::unified::unified;
use crate::gateways::export::{Exported, NotWritten, Target, export};
use crate::gateways::import::built_in_prices;
use crate::gateways::secrets::masked;
use crate::gateways::source::{self, Config};
use crate::report::write::write_all;

/// Arguments of `simcap export`.
#[derive(Debug, Args)]
pub(super) struct Export {
    /// The experiment that `simcap import` wrote, with your changes
    experiment: PathBuf,
    /// The policy to write [default: the only one]
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// The configuration that the experiment was imported from
    #[arg(long, value_name = "CONFIG")]
    into: PathBuf,
    /// The product [default: as its keys tell]
    #[arg(long, value_name = "NAME")]
    product: Option<String>,
    /// Write keys too that were approximated when they were read
    #[arg(long)]
    accept: bool,
    /// Write the configuration, and do not only print what would change
    #[arg(long, conflicts_with = "out")]
    write: bool,
    /// Write the configuration to this file, and leave CONFIG as it is; a file that is there is replaced only if an export wrote it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace the file of --out whatever it is
    #[arg(long, requires = "out")]
    force: bool,
}

impl Export {
    pub(super) fn run(self) -> Done {
        let loaded = load(&self.experiment, &traces(None))?;
        let policies = &loaded.experiment.policies;
        let entry = match (&self.policy, policies.as_slice()) {
            (Some(name), _) => policies.iter().find(|entry| entry.name == *name).ok_or_else(|| {
                let names = policies.iter().map(|entry| entry.name.as_str());
                let near = nearest(name, names.clone());
                let near = near.map_or_else(String::new, |near| format!(": did you mean `{}`?", printable(near)));
                let all = names.map(printable).collect::<Vec<_>>().join(", ");
                Failure::Input(format!(
                    "{} has no policy `{}`{near} (it has {all})",
                    loaded.file,
                    printable(name)
                ))
            })?,
            (None, [one]) => one,
            (None, several) => {
                let names: Vec<&str> = several.iter().map(|entry| entry.name.as_str()).collect();
                return Err(Failure::Input(format!(
                    "{} has several policies: name one with --policy ({})",
                    loaded.file,
                    names.join(", ")
                )));
            }
        };
        if let Some(imported) = &loaded.experiment.imported {
            self.compare(imported, &source::open(&self.into)?);
        }
        let target = Target::of(&loaded.experiment, entry);
        let made = export(
            &self.into,
            self.product.as_deref(),
            &built_in_prices(),
            target,
            self.accept,
        );
        let Exported {
            files,
            written,
            open,
            renamed,
        } = made.map_err(|error| match error {
            NotWritten::Read(refused) => Failure::from(refused),
            NotWritten::Settings(lines) => Failure::Input(format!(
                "nothing is written, since not all of it can be:\n  {}",
                lines.join("\n  ")
            )),
        })?;
        if files.is_empty() {
            print("nothing to change\n")?;
        }
        for (name, before, after) in &files {
            print(&masked(&unified(name, before, after), before, after))?;
        }
        written.iter().chain(&open).for_each(|line| tell!("note: {line}"));
        for (from, to) in &renamed {
            tell!(
                "note: {} is {} in the file, and so when it is imported again",
                printable(from),
                printable(to)
            );
        }
        self.put(&files)?;
        Ok(Exit::Fine)
    }

    /// Tells of a configuration that is not the one that was imported.
    fn compare(&self, imported: &Imported, config: &Config) {
        if imported.sha256 == config.sha256 {
            return;
        }
        let (from, into) = (printable(&imported.from), self.into.display());
        let name = |path: &Path| path.file_name().map(std::ffi::OsStr::to_owned);
        if name(Path::new(&imported.from)) == name(&self.into) {
            tell!(
                "note: {into} has changed since it was imported; what it says otherwise than the experiment is changed too"
            );
        } else {
            tell!(
                "note: the experiment was imported from {from}, and {into} is another file; what it says otherwise than the experiment is \
                 changed too"
            );
        }
    }

    /// Refuses to replace a file that no export of this experiment wrote.
    fn refuse_other(&self, out: &Path, text: &str) -> Result<(), Failure> {
        let Ok(there) = std::fs::read_to_string(out) else {
            // A file that is not text was written by something else; a pipe is written to.
            let is_other = std::fs::metadata(out).is_ok_and(|at| at.is_file() && at.len() > 0);
            return match is_other && !self.force {
                true => Err(self.other(out)),
                false => Ok(()),
            };
        };
        let is_file = std::fs::metadata(out).is_ok_and(|at| at.is_file());
        let may = self.force || !is_file || there.is_empty() || there == text;
        match may || kept::is_ours(&self.experiment, out, &there) {
            true => Ok(()),
            false => Err(self.other(out)),
        }
    }

    fn other(&self, out: &Path) -> Failure {
        Failure::Input(format!(
            "{} is there and is not what an export of {} wrote: give another name, or --force to replace it",
            out.display(),
            self.experiment.display()
        ))
    }

    /// Writes the files where that is asked for.
    fn put(&self, files: &[(String, String, String)]) -> Result<(), Failure> {
        if let Some(out) = &self.out {
            let text = match files {
                [] => std::fs::read_to_string(&self.into)
                    .with_context(|| format!("cannot read {}", self.into.display()))?,
                [(name, _, after)] if *name == self.into.display().to_string() => after.clone(),
                _ => {
                    let names: Vec<&str> = files.iter().map(|(name, ..)| name.as_str()).collect();
                    return Err(Failure::Input(format!(
                        "what changes lies in {}, which the configuration includes: write it with --write",
                        names.join(", ")
                    )));
                }
            };
            self.refuse_other(out, &text)?;
            put(out, text.clone())?;
            kept::remember(&self.experiment, out, &text);
            return Ok(());
        }
        if self.write {
            for (name, _, after) in files {
                put(&PathBuf::from(name), after.clone())?;
            }
        }
        Ok(())
    }
}

/// Writes a file, whole or not at all; one that is there keeps its permissions, and stays where a link leads.
fn put(named: &Path, text: String) -> Result<(), Failure> {
    let path = &named.canonicalize().unwrap_or_else(|_| named.to_owned());
    let before = std::fs::metadata(path).map(|there| there.permissions());
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let Some(name) = name else {
        return Err(Failure::Input(format!("{} is not the name of a file", path.display())));
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    write_all(folder.unwrap_or(Path::new(".")), &[(name, text)])
        .with_context(|| format!("cannot write {}", path.display()))?;
    if let Ok(permissions) = before {
        std::fs::set_permissions(path, permissions)
            .with_context(|| format!("cannot give {} its permissions again", path.display()))?;
    }
    tell!("wrote {}", named.display());
    Ok(())
}
