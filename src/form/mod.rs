//! How a file from outside says things: the form that every part of an experiment shares.
//!
//! JSON with comments, every mistake named by file, path, line and column ([`diagnose`]); quantities carry their
//! units and are kept exact ([`units`]); plug-ins go by name ([`registry`]).
//! External tags throughout (`"policy": "p2c"` or `{"p2c": {…}}`): internal tags, `flatten` and `untagged` buffer the
//! value in serde and lose the place of a mistake (serde issue 1621), so none of them occurs here.
//!
//! A leaf: it knows no provider, client or policy. What an experiment as a whole says is [`crate::experiment`].

pub mod bound;
pub mod build;
pub mod comments;
pub mod diagnose;
pub mod exchange;
pub mod formula;
pub mod hidden;
pub mod lasting;
pub mod laws;
pub mod layers;
pub mod manual;
pub mod named;
pub mod outcomes;
pub mod own;
pub mod patience;
pub mod per_class;
pub mod registry;
pub mod tree;
pub mod units;

/// A JSON object of `pairs`, put in one after the other: to collect them would bring a copy of the standard library's sort for each place
/// that does.
pub(crate) fn object(
    pairs: impl Iterator<Item = (String, serde_json::Value)>,
) -> serde_json::Map<String, serde_json::Value> {
    let mut object = serde_json::Map::new();
    object.extend(pairs);
    object
}
