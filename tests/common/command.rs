//! The program as a user calls it.

use std::path::Path;
use std::process::{Command, Output};

/// What `simcap` with these arguments does in `folder`, where nobody has said how wide the terminal is.
pub(crate) fn simcap(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_simcap"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("COLUMNS")
        .output()
        .expect("it runs")
}

/// What it printed.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("it prints text")
}
