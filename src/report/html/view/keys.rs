//! Which colour stands for which policy and provider: by place in the experiment, over and over. Of many policies only the leading ones
//! have a colour.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::report::Report;
use crate::report::chart::COLOURS;
use crate::stats::sorting;

/// A name and its colour in charts.
#[derive(Clone, Serialize)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) colour: String,
    pub(super) dashed: bool,
    /// Whether it is one of those that charts name.
    pub(super) named: bool,
}

/// The keys of a report's policies.
pub(super) struct Keys<'a> {
    keys: Vec<Key>,
    places: BTreeMap<&'a str, usize>,
}

impl<'a> Keys<'a> {
    pub(super) fn of(report: &'a Report) -> Keys<'a> {
        let named = report.policies.iter().zip(report.colours());
        let keys = named.map(|(policy, colour)| Key {
            name: policy.name.clone(),
            colour: colour.map_or("--rest".into(), |colour| format!("--p{}", colour % COLOURS)),
            dashed: colour.is_some_and(|colour| colour >= COLOURS),
            named: colour.is_some(),
        });
        let places = report.policies.iter().enumerate();
        Keys {
            keys: keys.collect(),
            places: sorting::map(places.map(|(place, policy)| (policy.name.as_str(), place))),
        }
    }

    /// The key of the policy at that place of the experiment.
    pub(super) fn at(&self, place: usize) -> Key {
        self.keys[place].clone()
    }

    /// The key of the policy of that name, or of the first where there is none.
    pub(super) fn of_name(&self, name: &str) -> Key {
        self.at(self.places.get(name).copied().unwrap_or(0))
    }
}

pub(super) fn provider_key(index: usize, name: &str) -> Key {
    Key {
        name: name.into(),
        colour: format!("--v{}", index % COLOURS),
        dashed: false,
        named: true,
    }
}
