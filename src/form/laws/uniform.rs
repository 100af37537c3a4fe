//! The uniform law: any value between two bounds, all equally likely.
//!
//! ```json
//! { "uniform": { "min": "100ms", "max": "300ms" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildLaw, Magnitude, refusal};
use crate::form::build::{Built, Names, Refusal};
use crate::kernel::law::{self, Law};

/// Any value between two bounds, all equally likely.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, bound = "")]
pub struct Uniform<Q: Magnitude> {
    /// The least value.
    pub min: Q,
    /// The largest value.
    pub max: Q,
}

impl<Q: Magnitude> BuildLaw for Uniform<Q> {
    fn build(&self, _names: &Names<'_>) -> Built<Box<dyn Law>> {
        let Uniform { min, max } = self;
        if min.magnitude() >= max.magnitude() {
            let text = format!("min is {min}, and must be below max, which is {max}");
            return Err(Refusal::new(text).at("min"));
        }
        let law = law::Uniform::new(min.magnitude(), max.magnitude());
        Ok(Box::new(law.map_err(refusal)?))
    }
}
