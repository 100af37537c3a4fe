//! No retries: the first failure is the request's.
//!
//! ```json
//! "never"
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildRetry, Failed, Retry};
use crate::kernel::chance::Key;
use crate::kernel::time::Span;
use crate::spec::build::Built;

/// A rule that always gives up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Never {}

impl BuildRetry for Never {
    fn build(&self) -> Built<Box<dyn Retry>> {
        Ok(Box::new(Running))
    }
}

#[derive(Clone, Copy, Debug)]
struct Running;

impl Retry for Running {
    fn delay(&self, _failed: &Failed, _key: Key) -> Option<Span> {
        None
    }
}
