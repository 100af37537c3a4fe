//! The engine: runs a checked scenario, event by event, and counts what happens.
//!
//! [`scenario::Scenario`] is what runs, [`world::World`] its state in one replication, [`run`] the loop,
//! [`tally::Tally`] what is counted, [`record`] its form in a file, [`replicate`] the loop over seeds and threads, and where its
//! results go. Nothing here does input or output, and nothing can fail: a checked scenario runs.

// A match on outcomes that has a wildcard takes a new outcome for whatever stands there.
#![cfg_attr(not(test), deny(clippy::wildcard_enum_match_arm))]

pub mod event;
pub mod incident;
pub mod lens;
pub mod record;
pub mod replicate;
pub mod run;
pub mod scenario;
pub mod series;
pub mod story;
pub mod tally;
pub mod ties;
pub mod watch;
pub mod world;
