//! simcap: a discrete-event simulation of LLM traffic routing.

pub mod kernel;
pub mod spec;
