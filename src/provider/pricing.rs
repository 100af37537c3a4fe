//! What an attempt costs.
//!
//! An answer given is billed in full. One that a client's timeout cut short is billed for its input and for the tokens
//! written by then: none before the first, then at a steady speed. A 429, a 4xx, a 5xx and a hang cost nothing.

mod per_request;
mod per_token;

pub use per_request::PerRequest;
pub use per_token::PerToken;

use crate::spec::registry::registry;
use std::fmt;

use crate::request::Ask;

/// A tariff. Stateless: the same usage always costs the same.
pub trait Price: fmt::Debug + Send + Sync {
    /// Pico-dollars for an attempt that read `ask.input` tokens and wrote `written` of its output tokens.
    fn of(&self, ask: &Ask, written: u32) -> u64;
}

/// What the file says of a tariff.
pub trait BuildPrice {
    /// Makes the tariff.
    fn build(&self) -> Box<dyn Price>;
}

registry! {
    /// A provider's tariff.
    pub enum PriceSpec as BuildPrice {
        per_token => PerToken,
        per_request => PerRequest,
    }
}
