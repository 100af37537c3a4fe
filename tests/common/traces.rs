//! Files of the folder that SIMCAP_TRACES leads to, which not every machine has.

use std::io::Write;
use std::path::{Path, PathBuf};

/// The file or folder `name` in that folder, or anywhere below it. Without it, or where the variable is unset or empty, the
/// calling test is to return: that it is skipped has been said aloud.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("SIMCAP_TRACES").filter(|folder| !folder.is_empty()) else {
        return skipped(&format!(
            "SIMCAP_TRACES is not set, and {name} is in the folder it would lead to"
        ));
    };
    below(Path::new(&folder), name).or_else(|| {
        let folder = Path::new(&folder).display();
        skipped(&format!("SIMCAP_TRACES leads to {folder}, where there is no {name}"))
    })
}

/// Says why a test is skipped.
pub(crate) fn skipped<T>(why: &str) -> Option<T> {
    // Straight to the stream: what a passing test prints with eprintln! is swallowed.
    let _ = std::io::stderr().write_all(format!("SKIPPED: {why}\n").as_bytes());
    None
}

fn below(folder: &Path, name: &str) -> Option<PathBuf> {
    let direct = folder.join(name);
    if direct.exists() {
        return Some(direct);
    }
    let mut folders: Vec<PathBuf> = std::fs::read_dir(folder)
        .ok()?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    folders.iter().find_map(|folder| below(folder, name))
}
