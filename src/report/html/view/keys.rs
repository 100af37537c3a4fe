//! Which colour stands for which policy and provider: by place in the experiment, over and over.

use serde::Serialize;

use crate::report::Report;
use crate::report::chart::COLOURS;

/// A name and its colour in charts.
#[derive(Clone, Serialize)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) colour: String,
    pub(super) dashed: bool,
}

pub(super) fn key_of(report: &Report, name: &str) -> Key {
    let index = report
        .policies
        .iter()
        .position(|policy| policy.name == name)
        .unwrap_or(0);
    policy_key(index, name)
}

pub(super) fn policy_key(index: usize, name: &str) -> Key {
    Key {
        name: name.into(),
        colour: format!("--p{}", index % COLOURS),
        dashed: index % (2 * COLOURS) >= COLOURS,
    }
}

pub(super) fn provider_key(index: usize, name: &str) -> Key {
    Key {
        name: name.into(),
        colour: format!("--v{}", index % COLOURS),
        dashed: false,
    }
}
