//! Studies: questions about an experiment that take many runs of it.
//!
//! `search` looks for the value of a lever (a factor on the traffic, a number of the file) at which a policy just meets its objectives.
//! What a lever does is the caller's: it makes the experiment at a value. Points are run one after the other, the replications of each
//! side by side, with the same seed at each, so that neighbours meet the same draws. Left out: sweeps, which the command line makes of
//! single runs.

mod answer;
mod binds;
mod burst;
mod noise;
mod point;
mod root;
mod search;

pub use answer::{Beside, Count, answer};
pub use point::{Fault, Lever, Seen, alone};
pub use search::{End, Found, Search, Told};
