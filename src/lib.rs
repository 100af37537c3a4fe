//! simcap: a discrete-event simulation of LLM traffic routing.

pub mod kernel;
pub mod spec;
pub mod request;
pub mod traffic;
pub mod provider;
pub mod client;
pub mod routing;
pub mod engine;
pub mod stats;
