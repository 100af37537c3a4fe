//! The folder of a report where `--out` names none: that of the experiment's name, unless the result of other files is there.
//!
//! The same files again, with whatever seed or number of replications, replace their own result; others go to the next number that
//! is free or theirs. So editing an experiment and running it again loses no result that was there to compare with.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::report::Input;

/// What is read of a result.
#[derive(Deserialize)]
struct Made {
    inputs: Vec<Input>,
}

/// The folder for a result made from `inputs`: `reports/NAME`, `reports/NAME-2`, …
pub(super) fn free(name: &str, inputs: &[Input]) -> PathBuf {
    let first = Path::new("reports").join(name);
    if is_free(&first, inputs) {
        return first;
    }
    let numbered = (2_u64..).map(|number| Path::new("reports").join(format!("{name}-{number}")));
    let other = numbered
        .into_iter()
        .find(|folder| is_free(folder, inputs))
        .unwrap_or_else(|| first.clone());
    tell!(
        "note: {} holds the result of other files, so this one goes to {}",
        first.display(),
        other.display()
    );
    other
}

/// Whether no result is there, or one of the same files.
fn is_free(folder: &Path, inputs: &[Input]) -> bool {
    let Ok(text) = std::fs::read(folder.join("result.json")) else {
        return true;
    };
    // What cannot be read as a result is not one to be kept.
    serde_json::from_slice::<Made>(&text).map_or(true, |made| made.inputs == inputs)
}
