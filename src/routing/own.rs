//! A policy of your own, written in Rust and registered by name.
//!
//! A program of yours makes [`OwnPolicies`], puts a policy into it under a name, and hands it to the command line
//! (`Cli::run_with`) or puts it into a loaded experiment. The experiment then asks for it by that name; `parameters` goes
//! to your code as it stands. `examples/own_policy.rs` is a complete program.
//!
//! Keeps what your code keeps.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `name` | required | a name that is registered |
//! | `parameters` | none | whatever your code reads |
//!
//! Source: your own.
//!
//! Known faults: results depend on code that no report can hash; a policy that takes randomness from anywhere but its calls
//! gives other results in each run.
//!
//! ```json
//! { "own": { "name": "least_recent", "parameters": { "rest": "2s" } } }
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{BuildPolicy, Policy};
use crate::form::build::{Built, Names, Refusal};

/// Parameters of `own`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Own {
    /// The name that it is registered under.
    pub name: String,
    /// What your code reads. Default: none.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub parameters: Value,
}

/// What makes a policy of its parameters.
type Maker = dyn Fn(&Value, &Names<'_>) -> Built<Box<dyn Policy>> + Send + Sync;

/// The policies that a program adds to simcap's, by name.
#[derive(Clone, Default)]
pub struct OwnPolicies(BTreeMap<String, Arc<Maker>>);

impl OwnPolicies {
    /// The same with `make` under `name`, in place of whatever was there: it checks the parameters, which are null if the
    /// experiment gives none, and refuses those that make no sense.
    #[must_use]
    pub fn with(
        mut self,
        name: impl Into<String>,
        make: impl Fn(&Value, &Names<'_>) -> Built<Box<dyn Policy>> + Send + Sync + 'static,
    ) -> OwnPolicies {
        self.0.insert(name.into(), Arc::new(make));
        self
    }

    /// The names in use, in order.
    pub fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }
}

impl fmt::Debug for OwnPolicies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl BuildPolicy for Own {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        let registered = names.extra().map(OwnPolicies::names).unwrap_or_default();
        let Some(make) = names.extra().and_then(|own: &OwnPolicies| own.0.get(&self.name)) else {
            let mut refusal = Refusal::unknown("registered policy", &self.name, &registered);
            if registered.is_empty() {
                refusal.message += ": this program registers none";
            }
            refusal.message +=
                " (a program of yours registers one with `OwnPolicies::with`: see examples/own_policy.rs)";
            return Err(refusal.at("name"));
        };
        make(&self.parameters, names).map_err(|r| r.at("parameters"))
    }

    fn which(&self) -> Option<&str> {
        Some(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::diagnose::Seg;
    use crate::routing::testing::*;

    fn build(own: &OwnPolicies, json: &str) -> Built<Box<dyn Policy>> {
        let spec: super::super::PolicySpec = serde_json::from_str(json).unwrap();
        let providers = ["a", "b", "c"].map(String::from);
        spec.as_dyn().build(&Names {
            providers: &providers,
            extras: &[own],
            ..Names::default()
        })
    }

    /// Everything to the provider that the parameters name.
    fn registry() -> OwnPolicies {
        OwnPolicies::default().with("fixed", |parameters, names| {
            let to = parameters["to"].as_str().ok_or_else(|| Refusal::new("no `to`"))?;
            let json = format!(r#"{{ "single": {{ "provider": "{to}" }} }}"#);
            names.provider(to).map_err(|r| r.at("to"))?;
            Ok(policy(&json))
        })
    }

    #[test]
    fn it_is_what_was_registered_with_the_parameters_of_the_file() {
        let mut fixed = build(
            &registry(),
            r#"{ "own": { "name": "fixed", "parameters": { "to": "c" } } }"#,
        )
        .unwrap();
        assert_eq!(counts(&mut *fixed, &hosts(&[]), 0, 3), [0, 0, 3, 0]);
        let spec: super::super::PolicySpec = serde_json::from_str(r#"{ "own": { "name": "fixed" } }"#).unwrap();
        assert_eq!(spec.kind(), "own fixed");
    }

    #[test]
    fn its_refusals_have_their_place() {
        let refused = |own: &OwnPolicies, json: &str| build(own, json).unwrap_err();
        let wrong = refused(
            &registry(),
            r#"{ "own": { "name": "fixed", "parameters": { "to": "d" } } }"#,
        );
        assert_eq!(wrong.message, "there is no provider `d`");
        assert_eq!(wrong.path, [Seg::from("parameters"), Seg::from("to")]);
        let none = refused(&registry(), r#"{ "own": { "name": "fixed" } }"#);
        assert_eq!(none.message, "no `to`");
        let how = "(a program of yours registers one with `OwnPolicies::with`: see examples/own_policy.rs)";
        let unknown = refused(&registry(), r#"{ "own": { "name": "fixd" } }"#);
        assert_eq!(
            (unknown.message, unknown.allowed),
            (
                format!("there is no registered policy `fixd` {how}"),
                vec!["fixed".to_owned()]
            )
        );
        let unknown = refused(&OwnPolicies::default(), r#"{ "own": { "name": "x" } }"#);
        assert_eq!(
            unknown.message,
            format!("there is no registered policy `x`: this program registers none {how}")
        );
    }
}
