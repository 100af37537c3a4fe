//! The only place with a network and a wall clock: probes of real endpoints, and a mock that serves modelled ones.
#![allow(clippy::disallowed_methods, reason = "this is where the wall clock belongs")]

pub mod mock;
