//! A filter for the provider where the last attempt failed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildFilter, Filter};

use crate::form::build::{Built, Names};
use crate::routing::{Call, Fleet};

/// Leaves out the provider where the last attempt went, unless no other is left.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotLast {}

impl BuildFilter for NotLast {
    fn build(&self, _order: &[usize], _names: &Names<'_>) -> Built<Box<dyn Filter>> {
        Ok(Box::new(Running))
    }
}

#[derive(Clone, Copy, Debug)]
struct Running;

impl Filter for Running {
    fn sift(&mut self, left: &mut Vec<usize>, call: &Call, _fleet: &Fleet<'_>) {
        if left.len() > 1 {
            left.retain(|&p| call.last != Some(p));
        }
    }

    fn fresh(&self) -> Box<dyn Filter> {
        Box::new(*self)
    }
}
