//! `simcap man`: manual pages in roff, which `man` shows: of simcap, and of each subcommand.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Command, CommandFactory};
use clap_mangen::Man as Roff;

use super::{Cli, Done, Exit, print};

/// Arguments of `simcap man`.
#[derive(Debug, Args)]
pub(super) struct Man {
    /// Write the page of each subcommand into this folder, as simcap.1, simcap-run.1 and so on [default: print simcap's own]
    folder: Option<PathBuf>,
}

impl Man {
    pub(super) fn run(self) -> Done {
        let mut pages = pages()?;
        let Some(folder) = self.folder else {
            print(&pages.swap_remove(0).1)?;
            return Ok(Exit::Fine);
        };
        let shown = folder.display();
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make the folder {shown}"))?;
        for (name, page) in &pages {
            std::fs::write(folder.join(name), page).with_context(|| format!("cannot write {name} in {shown}"))?;
        }
        print(&format!("Wrote {} pages to {shown}.\n", pages.len()))?;
        Ok(Exit::Fine)
    }
}

/// The file of each page and its text, simcap's own first.
fn pages() -> Result<Vec<(String, String)>, anyhow::Error> {
    let mut command = Cli::command();
    command.build();
    let mut pages = vec![page("simcap", &command)?];
    for subcommand in command
        .get_subcommands()
        .filter(|subcommand| subcommand.get_name() != "help")
    {
        pages.push(page(&format!("simcap-{}", subcommand.get_name()), subcommand)?);
    }
    Ok(pages)
}

fn page(name: &str, command: &Command) -> Result<(String, String), anyhow::Error> {
    let mut page = Vec::new();
    Roff::new(command.clone()).title(name).render(&mut page)?;
    Ok((format!("{name}.1"), String::from_utf8_lossy(&page).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subcommand_has_a_page_with_its_examples() {
        let pages = pages().unwrap();
        let subcommands = Cli::command().get_subcommands().count();
        assert_eq!(pages.len(), subcommands + 1);
        for (name, page) in pages {
            assert!(
                page.contains(".TH simcap") && page.contains("Examples:"),
                "{name}: {page}"
            );
        }
    }
}
