//! The exponential law: memoryless, so that how long something has taken says nothing of how long it will take.
//!
//! The law of gaps between the calls of many independent users, and the service time of textbook queues. Its coefficient of
//! variation is 1.
//!
//! ```json
//! { "exponential": { "mean": "300ms", "shift": "100ms" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildLaw, Magnitude, refusal, shift};
use crate::form::build::{Built, Names};
use crate::kernel::law::{self, Law};

/// The exponential law, which is memoryless.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, bound = "")]
pub struct Exponential<Q: Magnitude> {
    /// The mean, without the shift.
    pub mean: Q,
    /// A floor that is added to every value. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shift: Option<Q>,
}

impl<Q: Magnitude> BuildLaw for Exponential<Q> {
    fn build(&self, _names: &Names<'_>) -> Built<Box<dyn Law>> {
        let law = law::Exponential::new(self.mean.magnitude(), shift(&self.shift));
        Ok(Box::new(law.map_err(refusal)?))
    }
}
