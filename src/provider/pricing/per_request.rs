//! A flat price for each attempt, whatever its length.
//!
//! For internal endpoints whose cost is known per call, and for reports that publish "$ per 1,000 conversations" only.
//!
//! ```json
//! { "per_request": { "price": "$0.002" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::listed::Table;
use super::{BuildPrice, Price};
use crate::form::build::{Built, Names};
use crate::form::units::Money;
use crate::kernel::time::Time;
use crate::words::Usage;

/// A flat price for each attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PerRequest {
    /// The price of each attempt that is answered, also if the client hung up before its end.
    pub price: Money,
}

impl BuildPrice for PerRequest {
    fn build(&self, _table: &Table, _names: &Names<'_>) -> Built<Box<dyn Price>> {
        Ok(Box::new(Running {
            price: u64::try_from(self.price.picodollars()).unwrap_or(u64::MAX),
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    price: u64,
}

impl Price for Running {
    #[inline]
    fn of(&self, _usage: &Usage, _at: Time) -> u64 {
        self.price
    }
}
