//! Models from measurement: what probes and other tools have logged, in one form; laws fitted to it; models checked against
//! what was held out.
//!
//! Nothing here touches a network or a clock: [`crate::live`] writes [`probe`]s, and this reads them, or another tool's log,
//! as a [`log::Log`].

pub mod answer;
pub mod headers;
pub mod log;
pub mod probe;
pub mod sse;
