//! Reserved capacity: a number of units at an hourly price, used or not, and no price for what passes through them.
//!
//! Examples are Azure's provisioned throughput (PTU) at its hourly rate, Bedrock's provisioned throughput, and a GPU of
//! one's own. The cost is `price` × `units` × the counted time, to the pico-dollar, rounded down, under every policy that may
//! send to the provider, whether it does or not; one that names other providers alone does not pay, unless the capacity is `committed`. The throughput of the units is set by the provider's `limits` and latency.
//! Left out: terms of a month or a year, and spilling over to pay as you go (that is a second provider).
//!
//! ```json
//! { "reserved": { "price": "$1/h", "units": 50 } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::listed::Table;
use super::{BuildPrice, Price};
use crate::form::build::{Built, Names};
use crate::form::units::{Count, MoneyRate};
use crate::kernel::time::{Span, Time};
use crate::words::Usage;

/// Reserved capacity at a price by time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reserved {
    /// The price of each unit: "$1/h", "$730/30d".
    pub price: MoneyRate,
    /// The number of units. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub units: Option<Count>,
    /// Whether it is paid in any case, because the contract is signed: then policies that never send there pay for it too. Default: false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub committed: bool,
}

impl BuildPrice for Reserved {
    fn build(&self, _table: &Table, _names: &Names<'_>) -> Built<Box<dyn Price>> {
        Ok(Box::new(Running {
            price: self.price,
            units: self.units.map_or(1, Count::get),
            committed: self.committed,
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    price: MoneyRate,
    units: u64,
    committed: bool,
}

impl Price for Running {
    #[inline]
    fn of(&self, _usage: &Usage, _at: Time) -> u64 {
        0
    }

    fn standing(&self, for_so_long: Span, may_be_used: bool) -> u128 {
        if may_be_used || self.committed {
            self.price.picodollars_over(for_so_long, self.units)
        } else {
            0
        }
    }

    /// One more token costs nothing.
    fn per_token(&self) -> Option<(u64, u64)> {
        Some((0, 0))
    }
}
