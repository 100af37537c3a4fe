//! The parts put together, and the crank that turns them.
//!
//! [`scenario::Scenario`] is what runs, [`world::World`] its state in one replication, [`run`] the loop,
//! [`tally::Tally`] what is counted, [`replicate`] the loop over seeds and threads. Nothing here does input or output,
//! and nothing can fail: a checked scenario runs.

pub mod event;
pub mod incident;
pub mod lens;
pub mod replicate;
pub mod run;
pub mod scenario;
pub mod series;
pub mod tally;
pub mod world;
