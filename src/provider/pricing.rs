//! Pricing: what an attempt costs.
//!
//! A complete answer is billed in full; one that breaks off, for its input and for the tokens written by then. An
//! answer that the caller hung up on, because of a timeout or because another copy was answered first, is billed as the
//! provider's `hung_up` says: by default like one that breaks off, with no token before the first and then at a steady
//! speed; its input counts even while it waits in the provider's queue. A 429, a 4xx, a 5xx and a hang cost nothing.

pub mod bare;
pub mod exchange;
pub mod listed;
mod off_peak;
mod per_request;
mod per_token;
mod reserved;

pub use listed::Listed;
pub use off_peak::{Hours, OffPeak};
pub use per_request::PerRequest;
pub use per_token::{LongContext, PerToken};
pub use reserved::Reserved;

use crate::form::own::Own;
use crate::form::registry::registry;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::form::build::{Built, Names};
use crate::kernel::time::{Span, Time};
use crate::words::{Course, Usage};

/// A tariff. It is stateless: equal usage at the same time always costs the same.
pub trait Price: fmt::Debug + Send + Sync {
    /// Pico-dollars for an attempt with this usage that ends at `at`.
    fn of(&self, usage: &Usage, at: Time) -> u64;

    /// Pico-dollars for having it for so long, used or not: reserved capacity. `may_be_used` says whether the policy may send there at all.
    fn standing(&self, _for_so_long: Span, _may_be_used: bool) -> u128 {
        0
    }

    /// The course of the price over the hours of a day or the days of a week, if it has one.
    fn course(&self) -> Option<Course> {
        None
    }

    /// Pico-dollars for one token of input and one of output, where it is sold by the token: what a client reads in a
    /// price list.
    fn per_token(&self) -> Option<(u64, u64)> {
        None
    }
}

/// The parameters of a tariff, as an experiment gives them.
pub trait BuildPrice {
    /// Checks the parameters and makes the tariff; `table` holds the listed prices.
    fn build(&self, table: &listed::Table, names: &Names<'_>) -> Built<Box<dyn Price>>;
}

/// What a provider bills when the caller hangs up on an answer, because of its own timeout or because another copy of
/// the request was answered first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HungUp {
    /// Bills the input, and the output written by then, none before the first token: the rule for streams.
    #[default]
    Written,
    /// Bills the whole answer, which is written to its end: the rule for calls that do not stream.
    Whole,
    /// Bills nothing at all.
    Nothing,
}

impl BuildPrice for Own {
    fn build(&self, _table: &listed::Table, names: &Names<'_>) -> Built<Box<dyn Price>> {
        self.make("price", names)
    }
}

registry! {
    /// A provider's tariff.
    pub enum PriceSpec as BuildPrice, kind price in "pricing/" of Box<dyn Price> {
        per_token => PerToken,
        per_request => PerRequest,
        listed => Listed,
        reserved => Reserved,
        own in "../form/own.rs" => Own,
    }
}
