//! The only place with a network and a wall clock: probes of real endpoints, and a mock that serves modelled ones.
//!
//! A [`spec`] becomes a [`plan`]; [`run`] sends its probes, each a [`client`]'s, and hands on what they measured, which the
//! [`journal`] keeps and the [`summary`] sums up.

// A match on outcomes that has a wildcard takes a new outcome for whatever stands there.
#![cfg_attr(not(test), deny(clippy::wildcard_enum_match_arm))]
#![allow(clippy::disallowed_methods, reason = "this is where the wall clock belongs")]

pub mod client;
pub mod journal;
pub mod key;
pub mod mock;
pub mod money;
pub mod plan;
pub mod prompts;
pub mod run;
pub mod short;
pub mod spec;
mod stream;
pub mod summary;
mod wire;
