//! `simcap completions`: a script that lets a shell complete subcommands, options and their values.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, Done, Exit, print};

/// Arguments of `simcap completions`.
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// For which shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self) -> Done {
        print(&script(self.shell))?;
        Ok(Exit::Fine)
    }
}

fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "simcap", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn every_shell_gets_a_script_with_every_subcommand() {
        let command = Cli::command();
        for shell in Shell::value_variants() {
            let script = script(*shell);
            for subcommand in command.get_subcommands() {
                assert!(script.contains(subcommand.get_name()), "{shell} lacks {subcommand}");
            }
            assert!(script.contains("replications"), "{shell}");
        }
    }
}
