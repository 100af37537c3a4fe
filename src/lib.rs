//! simcap: a discrete-event simulation of LLM traffic routing.

pub mod client;
pub mod decide;
pub mod engine;
pub mod import;
pub mod kernel;
pub mod provider;
pub mod report;
pub mod request;
pub mod routing;
pub mod spec;
pub mod stats;
pub mod traffic;

#[cfg(all(feature = "cli", feature = "plots"))]
pub mod cli;
