//! Levels: LiteLLM's `order`, Envoy's priorities without overprovisioning.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildFilter, Filter};

use crate::form::build::{Built, Names, Refusal};
use crate::routing::{Call, Fleet};

/// Keeps only the first level that has a provider left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// The levels, first choice first. A provider that is on none comes last.
    #[schemars(length(min = 1))]
    pub levels: Vec<Vec<String>>,
}

impl BuildFilter for Order {
    fn build(&self, _order: &[usize], names: &Names<'_>) -> Built<Box<dyn Filter>> {
        if self.levels.is_empty() {
            return Err(Refusal::new("there must be at least one level").at("levels"));
        }
        let mut levels = vec![usize::MAX; names.providers.len()];
        for (i, level) in self.levels.iter().enumerate() {
            for (j, name) in level.iter().enumerate() {
                let here = |r: Refusal| r.at(j).at(i).at("levels");
                let provider = names.provider(name).map_err(here)?;
                if levels[provider] != usize::MAX {
                    return Err(here(Refusal::new(format!("`{name}` is on a level already"))));
                }
                levels[provider] = i;
            }
        }
        Ok(Box::new(Running(levels)))
    }
}

#[derive(Clone, Debug)]
struct Running(Vec<usize>);

impl Filter for Running {
    fn sift(&mut self, left: &mut Vec<usize>, _call: &Call, _fleet: &Fleet<'_>) {
        let lowest = left.iter().map(|&p| self.0[p]).min();
        left.retain(|&p| Some(self.0[p]) == lowest);
    }

    fn fresh(&self) -> Box<dyn Filter> {
        Box::new(self.clone())
    }
}
