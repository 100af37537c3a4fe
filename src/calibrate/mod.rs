//! Models from measurement: what probes and other tools have logged, in one form; laws fitted to it; models checked against
//! what was held out.
//!
//! Nothing here touches a network or a clock: [`crate::live`] writes [`probe`]s, and [`logs`] reads them, or another tool's
//! log, as a [`log::Log`]; [`split`] says which part of it is for fitting, and [`validate`] holds a model against the rest;
//! [`backtest`] does so with a whole experiment.

// A match on outcomes that has a wildcard takes a new outcome for whatever stands there.
#![cfg_attr(not(test), deny(clippy::wildcard_enum_match_arm))]

pub mod answer;
pub mod backtest;
pub mod fit;
pub mod headers;
pub mod log;
pub mod logs;
pub mod probe;
pub mod split;
pub mod sse;
pub mod traffic;
pub mod validate;
