//! No retries: the first failure is the failure of the request.
//!
//! ```json
//! "never"
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildRetry, Failed, Next, Retry};
use crate::client::view::Fleet;
use crate::form::build::{Built, Names};
use crate::kernel::chance::Key;

/// A rule that always gives up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Never {}

impl BuildRetry for Never {
    fn build(&self, _names: &Names<'_>) -> Built<Box<dyn Retry>> {
        Ok(Box::new(Running))
    }
}

#[derive(Clone, Copy, Debug)]
struct Running;

impl Retry for Running {
    fn next(&mut self, _failed: &Failed, _fleet: &Fleet<'_>, _key: Key, _memory: &mut u64) -> Next {
        Next::STOP
    }

    fn fresh(&self) -> Box<dyn Retry> {
        Box::new(Running)
    }
}
