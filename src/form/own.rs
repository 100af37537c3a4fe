//! A part of your own, written in Rust and registered by name: a policy, a breaker, a limiter, a law, a part of any kind.
//!
//! A program of yours makes [`OwnParts`], puts parts into it under their names (`OwnParts::policy`, `OwnParts::breaker`,
//! `OwnParts::law`: one method for each kind that `simcap kinds` lists) and hands it to the command line
//! (`Cli::run_with`) or puts it into a loaded experiment. The file then asks for a part by its name, wherever one of that kind may
//! stand; `parameters` goes to your code as it stands. `examples/own_policy.rs` and `examples/own_latency.rs` are complete
//! programs.
//!
//! Keeps what your code keeps.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `name` | required | a name that is registered for this kind |
//! | `parameters` | none | whatever your code reads |
//!
//! Source: your own.
//!
//! Known faults: results depend on code that no report can hash; a part that takes randomness from anywhere but the keys
//! and calls that it is given has other results in each run.
//!
//! ```json
//! { "own": { "name": "least_recent", "parameters": { "rest": "2s" } } }
//! ```

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::build::{Built, Names, Refusal};

/// A part that the running program registers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Own {
    /// The name that it is registered under.
    pub name: String,
    /// What your code reads. Default: none.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub parameters: Value,
}

/// What makes a part of its parameters.
type Maker<T> = dyn Fn(&Value, &Names<'_>) -> Built<T> + Send + Sync;

/// The parts that a program adds to simcap's, by kind and name.
///
/// Each kind of part has a method of its name, which its registry declares.
#[derive(Clone, Default)]
pub struct OwnParts(BTreeMap<(&'static str, String), Arc<dyn Any + Send + Sync>>);

impl OwnParts {
    /// These parts and `make` as the part of this kind called `name`.
    #[must_use]
    pub(crate) fn with<T: 'static>(
        mut self,
        kind: &'static str,
        name: impl Into<String>,
        make: impl Fn(&Value, &Names<'_>) -> Built<T> + Send + Sync + 'static,
    ) -> OwnParts {
        let make: Arc<Maker<T>> = Arc::new(make);
        self.0.insert((kind, name.into()), Arc::new(make));
        self
    }

    /// The names in use for a kind, in order.
    pub fn names(&self, kind: &str) -> Vec<String> {
        let of_kind = self.0.keys().filter(|(of, _)| *of == kind);
        of_kind.map(|(_, name)| name.clone()).collect()
    }

    /// Every part with its kind, in order: `policy least_recent`.
    pub fn every(&self) -> Vec<String> {
        self.0.keys().map(|(kind, name)| format!("{kind} {name}")).collect()
    }

    /// What makes the part of this kind called `name`.
    fn maker<T: 'static>(&self, kind: &'static str, name: &str) -> Option<&Arc<Maker<T>>> {
        self.0.get(&(kind, name.to_owned()))?.downcast_ref()
    }
}

impl fmt::Debug for OwnParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Own {
    /// The part of this `kind` that the program has registered, made of the parameters.
    ///
    /// # Errors
    /// If none of the name is registered for the kind, and those of its maker.
    pub(crate) fn make<T: 'static>(&self, kind: &'static str, names: &Names<'_>) -> Built<T> {
        let parts: Option<&OwnParts> = names.extra();
        let Some(make) = parts.and_then(|parts| parts.maker::<T>(kind, &self.name)) else {
            let registered = parts.map(|parts| parts.names(kind)).unwrap_or_default();
            let what = kind.replace('_', " ");
            let mut refusal = Refusal::unknown(&format!("registered {what}"), &self.name, &registered);
            if registered.is_empty() {
                refusal.message += ": this program registers none";
            }
            refusal.message +=
                &format!(" (a program of yours registers one with `OwnParts::{kind}`: see examples/own_policy.rs)");
            return Err(refusal.at("name"));
        };
        make(&self.parameters, names).map_err(|r| r.at("parameters"))
    }
}
