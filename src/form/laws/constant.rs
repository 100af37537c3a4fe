//! Always the same value: for what does not vary, or should not while something else is looked at.
//!
//! The value alone stands for it: `"320ms"`, or `500` where there are tokens.
//!
//! ```json
//! { "constant": "320ms" }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildLaw, Magnitude, refusal};
use crate::form::build::{Built, Names};
use crate::kernel::law::{self, Law};
use crate::kernel::sampler::Sampler;

/// Always this value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent, bound = "")]
pub struct Constant<Q: Magnitude>(pub Q);

impl<Q: Magnitude> BuildLaw for Constant<Q> {
    fn build(&self, _names: &Names<'_>) -> Built<Box<dyn Law>> {
        Ok(Box::new(law::Constant::new(self.0.magnitude()).map_err(refusal)?))
    }

    fn sampler(&self, names: &Names<'_>) -> Built<Sampler> {
        self.build(names)?;
        Ok(Sampler::Constant(self.0.magnitude()))
    }
}
