//! The price that a table lists for a model: by the token, with its long-context steps and cache prices.
//!
//! The table is the one built in (`models/prices.json`, some models of LiteLLM 1.109.1 as taken on 2026-11-21), or the file
//! that `--prices` names, which replaces it: LiteLLM's public `model_prices_and_context_window.json` as it is.
//! `batch` takes the table's batch price, and is refused for a model that has none.
//!
//! ```json
//! { "listed": { "model": "gpt-4.1" } }
//! ```

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildPrice, PerToken, Price};
use crate::form::build::{Built, Names, Refusal};
use crate::form::diagnose::nearest;

/// The price that the table lists for a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// The model, by its name in the table: "gpt-4.1", "azure/gpt-4o".
    pub model: String,
    /// Whether the model is called through the batch API, at its price. Default: no.
    #[serde(default)]
    pub batch: bool,
}

/// Prices by model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// The models that are sold by the token.
    pub models: BTreeMap<String, Prices>,
    /// The other models that the table names.
    pub others: BTreeSet<String>,
    /// The source of the table and its date.
    pub source: String,
}

/// One model's prices.
#[derive(Clone, Debug, PartialEq)]
pub struct Prices {
    /// The prices of the standard API.
    pub standard: PerToken,
    /// The prices of the batch API, if the model is sold that way.
    pub batch: Option<PerToken>,
    /// What the table says of its price that is not read, and may change a bill: fields and values.
    pub unread: Vec<String>,
}

/// Up to this many models an error lists all names; beyond it, only the nearest name.
const FEW: usize = 60;

impl BuildPrice for Listed {
    fn build(&self, table: &Table, names: &Names<'_>) -> Built<Box<dyn Price>> {
        let here = |r: Refusal| r.at("model");
        let Some(prices) = table.models.get(&self.model) else {
            if table.others.contains(&self.model) {
                let text = format!(
                    "`{}` is in the price table, but at no flat price by the token",
                    self.model
                );
                return Err(here(Refusal::new(text)));
            }
            return Err(here(table.unknown(&self.model)));
        };
        let per_token = match (&prices.batch, self.batch) {
            (Some(batch), true) => batch,
            (None, true) => {
                let text = format!("the price table has no batch price of `{}`", self.model);
                return Err(Refusal::new(text).at("batch"));
            }
            (_, false) => &prices.standard,
        };
        per_token.build(table, names)
    }
}

impl Table {
    fn unknown(&self, name: &str) -> Refusal {
        let mut names: Vec<String> = self.models.keys().cloned().collect();
        if names.len() > FEW {
            let near = nearest(name, names.iter().map(String::as_str)).map(str::to_owned);
            names = near.into_iter().collect();
        }
        Refusal::unknown("price in the table for", name, &names)
    }
}
