//! Writes the manual pages of simcap and of each subcommand, in roff, which `man` shows.
//!
//! ```sh
//! cargo run --example man -- ~/.local/share/man/man1
//! ```
//!
//! They are made from the same descriptions as `--help`. For packages of simcap; the program itself does not carry what makes them.

use std::path::Path;
use std::{env, fs, io};

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use simcap::cli::Cli;

fn main() -> io::Result<()> {
    let Some(folder) = env::args_os().nth(1) else {
        return Err(io::Error::other("give the folder to write the pages into"));
    };
    let folder = Path::new(&folder);
    fs::create_dir_all(folder)?;
    let mut command = Cli::command();
    command.build();
    write(folder, "simcap", &command)?;
    for subcommand in command
        .get_subcommands()
        .filter(|subcommand| subcommand.get_name() != "help")
    {
        write(folder, &format!("simcap-{}", subcommand.get_name()), subcommand)?;
    }
    Ok(())
}

/// Writes the page of one command.
fn write(folder: &Path, name: &str, command: &Command) -> io::Result<()> {
    let mut page = Vec::new();
    Man::new(command.clone()).title(name).render(&mut page)?;
    fs::write(folder.join(format!("{name}.1")), page)
}
