//! A configuration as an experiment that `simcap run` takes.
//!
//! A provider for each deployment, a class of traffic for each name that callers may ask for (tagged `model`), one policy that is
//! what the gateway does, one client with its retries, timeouts and breakers. What no configuration can say stands in a file
//! of [`assumptions`] that a person edits, or comes from logs ([`usage`] for what providers do, [`callers`] for their requests); the experiment's
//! `about` quotes it.

pub mod asked;
pub mod assumptions;
pub mod callers;
mod dropped;
mod experiment;
mod prices;
mod quantiles;
pub mod usage;

pub(in crate::gateways) use assumptions::MEDIANS;
pub use assumptions::{Assumptions, Beside};
pub use dropped::dropped;
pub use experiment::experiment;
pub use prices::built_in_prices;
pub(in crate::gateways) use prices::price_of;
