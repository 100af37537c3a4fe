//! The folder of a report where `--out` names none: that of the experiment's name, unless another result is there.
//!
//! The same files again, with the same seed and at least as many replications, replace their own result; another run goes to the next number
//! that is free or its own. So neither editing an experiment nor a short trial of it loses a result that was there to compare with.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::experiment::assemble::Plan;
use crate::report::Input;

/// What is read of a result.
#[derive(Deserialize)]
struct Made {
    inputs: Vec<Input>,
    seed: u64,
    replications_finished: u64,
}

/// The folder for a result made from `inputs` by `plan`: `reports/NAME`, `reports/NAME-2`, …
pub(super) fn free(name: &str, inputs: &[Input], plan: &Plan) -> PathBuf {
    let first = Path::new("reports").join(name);
    let Some(why) = why_it_stays(&first, inputs, plan) else {
        return first;
    };
    let numbered = (2_u64..).map(|number| Path::new("reports").join(format!("{name}-{number}")));
    let other = numbered
        .into_iter()
        .find(|folder| why_it_stays(folder, inputs, plan).is_none())
        .unwrap_or_else(|| first.clone());
    tell!(
        "note: {} holds the result of {why}, so this one goes to {}",
        first.display(),
        other.display()
    );
    other
}

/// Why the result that is in a folder is not replaced; nothing if none is there, or one that this run makes anew.
fn why_it_stays(folder: &Path, inputs: &[Input], plan: &Plan) -> Option<&'static str> {
    let text = std::fs::read(folder.join("result.json")).ok()?;
    // What cannot be read as a result is not one to be kept.
    let made = serde_json::from_slice::<Made>(&text).ok()?;
    let most = if plan.until.is_empty() {
        plan.replications
    } else {
        plan.at_most
    };
    if made.inputs != inputs {
        Some("other files")
    } else if made.seed != plan.seed {
        Some("another seed")
    } else if made.replications_finished > most {
        Some("more replications")
    } else {
        None
    }
}
