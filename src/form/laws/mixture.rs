//! One of several laws, drawn by weight for each value.
//!
//! Of the 16 series of TTFTs of llmperf-leaderboard 2023 twelve are described best, by AIC, by two lognormals: a body, and a
//! slow mode that a few answers fall into. A body with a power-law tail is a mixture too.
//!
//! ```json
//! { "mixture": { "components": [
//!     { "weight": 97, "law": { "lognormal": { "median": "150ms", "sigma": 0.35, "shift": "400ms" } } },
//!     { "weight": 3, "law": { "lognormal": { "median": "12s", "sigma": 0.8 } } } ] } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildLaw, LawSpec, Magnitude, refusal};
use crate::form::build::{Built, Names, Refusal};
use crate::kernel::law::{self, Law};

/// One of several laws, by weight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, bound = "")]
pub struct Mixture<Q: Magnitude> {
    /// The laws and their weights.
    pub components: Vec<Component<Q>>,
}

/// One part of a mixture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, bound = "")]
pub struct Component<Q: Magnitude> {
    /// The weight of this part; only proportions matter.
    pub weight: f64,
    /// The law of this part.
    pub law: Box<LawSpec<Q>>,
}

impl<Q: Magnitude> BuildLaw for Mixture<Q> {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Law>> {
        let mut parts = Vec::with_capacity(self.components.len());
        for (i, part) in self.components.iter().enumerate() {
            let here = |r: Refusal| r.at(i).at("components");
            if !(part.weight >= 0.0 && part.weight.is_finite()) {
                let text = format!("a weight of {}: must be 0 or more", part.weight);
                return Err(here(Refusal::new(text).at("weight")));
            }
            let law = part.law.law(names).map_err(|r| here(r.at("law")))?;
            parts.push((part.weight, law));
        }
        Ok(Box::new(law::Mixture::new(parts).map_err(refusal)?))
    }
}
