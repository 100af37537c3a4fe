//! A policy of your own as a script beside the experiment, in Rhai.
//!
//! The file defines `fn choose(request, fleet)`, which returns the index of a provider, its name, or `()` if it would send
//! the call nowhere, and if it wants to learn `fn learn(ended)`. Both may keep what they like in the map `this`, which
//! is empty when a replication begins: what is not in it yet reads as `()`, as in `this.turn ?? 0`.
//!
//! - `request` has class (its name), user, priority, input, max_output (or `()`), attempts (made before), last (the index of
//!   the provider of the last one, or `()`), failure (how that ended, as in "rate_limited", or `()`), rejected (answers that a
//!   judge has turned down) and hedge (whether this is a further copy). `request.pick(n)` draws a whole number below n, `request.unit()` one from 0 to 1; they give the same each time for the same attempt,
//!   and `request.pick(n, k)` and `request.unit(k)` are further draws, k = 0 being the first.
//! - `fleet` has now (in seconds), `fleet.len()`, `fleet.name(i)`, `fleet.index(name)`, and for each provider
//!   `fleet.open(i)`, `fleet.in_flight(i)`, `fleet.in_line(i)`, `fleet.load(i)` (both together), and
//!   `fleet.input_price(i)` and `fleet.output_price(i)`: dollars for a million tokens, or `()`.
//! - `ended` has now, provider (its index), name (the provider's), outcome (as in "success"), ok (whether it is that),
//!   took, first_token and retry_after (in seconds), input and output (tokens billed), cost (in dollars), class (its
//!   name), attempt (0 is a request's first) and grade (whether the answer was good, where it is graded).
//!
//! What is not known is `()`. There is no clock, no other chance, no file and no module; beside what the language has
//! there are `sqrt`, `exp`, `ln`, `pow`, `floor`, `ceil`, `round`, `to_float` and `to_int`. A constant is a function:
//! `fn limit() { 5 }`. A call may take 100,000 steps. To
//! read a variable that holds an array or a map is a step more for every 64 elements in it, in any depth; a value holds at most
//! 2,000 elements of arrays and as many of maps, and none deeper than 16 levels. There is no `curry`.
//!
//! The script is read and tried on sample calls before anything runs. If it fails all the same, that request is sent
//! nowhere, the report says where the script first failed, and `simcap run` ends with exit code 3. To choose a provider
//! that is not open is such a failure.
//!
//! Keeps what it puts into `this`, for the replication.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `file` | required | a file, from the experiment's folder |
//!
//! Source: your own; the language is Rhai 1.27 (rhai.rs).
//!
//! Known faults: it is slow. `least_in_flight` as a script takes 33 µs for a decision over 10 providers, 235 times the
//! 140 ns of the one that is built in, and in proportion to the calls that it makes of `fleet`. An endless loop and what
//! grows too large are told without their line.
//!
//! ```json
//! { "script": { "file": "route.rhai" } }
//! ```

#[cfg(feature = "script")]
mod language;
#[cfg_attr(feature = "script", path = "script/program.rs")]
#[cfg_attr(not(feature = "script"), path = "script/without.rs")]
mod program;
#[cfg(feature = "script")]
mod work;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildPolicy, Policy};
use crate::form::build::{Built, Names, Refusal};
pub use program::Program;

/// The scripts that have been read, by the name that the experiment gives them.
pub type Scripts = BTreeMap<String, Program>;

/// The parameters of a policy that is a script.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// The script's file, from the experiment's folder.
    pub file: String,
}

/// A fault in a script, and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The line, from 1; 0 if the fault is not on a line.
    pub line: usize,
    /// The column in characters, from 1; 0 if the fault is not at a column.
    pub column: usize,
    /// The fault in words.
    pub message: String,
}

impl Fault {
    /// The fault on one line, with the file.
    pub fn in_file(&self, file: &str) -> String {
        match (self.line, self.column) {
            (0, _) => format!("{file}: {}", self.message),
            (line, 0) => format!("{file}:{line}: {}", self.message),
            (line, column) => format!("{file}:{line}:{column}: {}", self.message),
        }
    }
}

impl BuildPolicy for Script {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        let program = names
            .extra()
            .and_then(|scripts: &Scripts| scripts.get(&self.file))
            .ok_or_else(|| {
                Refusal::new(format!(
                    "the script {} has not been loaded: an experiment that is no file has no folder",
                    self.file
                ))
                .at("file")
            })?;
        program
            .policy(names)
            .map_err(|fault| Refusal::new(fault.in_file(&self.file)).at("file"))
    }

    fn which(&self) -> Option<&str> {
        Some(&self.file)
    }
}
