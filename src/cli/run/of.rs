//! What replications are of: everything that they depend on, for a file of them to say.

use serde::{Deserialize, Serialize};

use crate::engine::record;
use crate::kernel::time::Span;
use crate::words::Input;

/// What the first line says that the file is.
const FORMAT: &str = "simcap.replications/1";

/// Everything that replications depend on: those of equal ones are equal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Of {
    pub(super) format: String,
    pub(super) records: u16,
    pub(super) version: String,
    pub(super) seed: u64,
    /// Length of the warm-up in nanoseconds.
    pub(super) warmup: u64,
    /// Every file that was read, the experiment first.
    pub(super) inputs: Vec<Input>,
    /// The names of the policies that the program registers itself.
    pub(super) own: Vec<String>,
}

impl Of {
    pub(super) fn new(seed: u64, warmup: Span, inputs: Vec<Input>, own: Vec<String>) -> Of {
        Of {
            format: FORMAT.into(),
            records: record::VERSION,
            version: env!("CARGO_PKG_VERSION").into(),
            seed,
            warmup: warmup.nanos(),
            inputs,
            own,
        }
    }

    /// Whether a first line that says this is that of a file of replications, of whatever version.
    pub(super) fn is_one(&self) -> bool {
        self.format.starts_with("simcap.replications/")
    }

    /// In what `self`, which is now, differs from `then`; nothing if in nothing.
    pub(super) fn differences(&self, then: &Of) -> Vec<String> {
        let mut all = Vec::new();
        if (&self.version, &self.format, self.records) != (&then.version, &then.format, then.records) {
            all.push(format!(
                "they are of simcap {} ({}, records of version {}) and this is {} ({}, version {})",
                then.version, then.format, then.records, self.version, self.format, self.records
            ));
        }
        if self.seed != then.seed {
            all.push(format!("their seed is {} and this run's {}", then.seed, self.seed));
        }
        if self.warmup != then.warmup {
            let [theirs, ours] = [then.warmup, self.warmup].map(Span::from_nanos);
            all.push(format!("they warm up for {theirs} and this run for {ours}"));
        }
        for input in &self.inputs {
            let same_name: Vec<&Input> = then.inputs.iter().filter(|old| old.name == input.name).collect();
            if same_name.is_empty() {
                all.push(format!("{} was not read then", input.name));
            } else if !same_name.contains(&input) {
                all.push(format!("{} has changed", input.name));
            }
        }
        let is_gone = |old: &&Input| !self.inputs.iter().any(|input| input.name == old.name);
        all.extend(
            then.inputs
                .iter()
                .filter(is_gone)
                .map(|old| format!("{} is not read now", old.name)),
        );
        if self.own != then.own {
            all.push("other policies of the program's own are registered".into());
        }
        if all.is_empty() && self != then {
            all.push("its inputs are read in another order".into());
        }
        all
    }
}
