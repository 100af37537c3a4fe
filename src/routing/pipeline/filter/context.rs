//! Whether the request fits the context window (LiteLLM's pre-call checks).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildFilter, Filter};

use crate::form::build::{Built, Names};
use crate::routing::{Call, Fleet};

/// Leaves out a provider whose context window is too small for the input and `max_output`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Context {}

impl BuildFilter for Context {
    fn build(&self, _order: &[usize], names: &Names<'_>) -> Built<Box<dyn Filter>> {
        let window = |p: usize| names.known.get(p).map_or(u64::MAX, |known| known.context_window);
        Ok(Box::new(Running((0..names.providers.len()).map(window).collect())))
    }
}

#[derive(Clone, Debug)]
struct Running(Vec<u64>);

impl Filter for Running {
    fn sift(&mut self, left: &mut Vec<usize>, call: &Call, _fleet: &Fleet<'_>) {
        let tokens = u64::from(call.input) + u64::from(call.max_output.unwrap_or(0));
        left.retain(|&p| tokens <= self.0[p]);
    }

    fn fresh(&self) -> Box<dyn Filter> {
        Box::new(self.clone())
    }
}
