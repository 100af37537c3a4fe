//! The tests from outside that compute and wait for nothing, as one program: linked once, and run side by side.
//!
//! `tests/house.rs` fails if a file is in neither this list nor that of `live.rs`.

mod admission;
mod balancing;
mod bandits;
mod bounds;
mod cascade;
mod cautions;
mod cli;
mod closed_loop;
mod common;
mod conservation;
mod determinism;
mod ends;
mod errors;
mod faults;
mod fit;
mod gateways;
mod golden;
mod golden_resilience;
mod hedging;
mod house;
mod huge;
mod kubecon;
mod latency_router;
mod limits;
mod load;
mod mechanisms;
mod metrics;
mod own;
mod pacing;
mod parts;
mod pipelines;
mod prices;
mod prompt_cache;
mod queueing_theory;
mod replay;
mod resume;
mod retries;
mod retry_storm;
mod rollout;
mod scripts;
mod shadow;
mod trees;
mod validate;
mod words;
