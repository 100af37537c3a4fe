//! A trace of requests described, and a model of its traffic that `run` takes.
//!
//! [`describe`] says what a trace shows: when requests came and how they bunch, how long they are, and what of it misleads. [`fit`] makes the
//! `traffic` of an experiment of it: a rate over time, a process around it and laws of lengths; and holds that against
//! the part of the trace that it was not fitted to. Where columns say whose requests they are, users, classes and tags are described, and are in the
//! model, each drawn by itself. Left out: conversations and prompts that come back, of which the traces that are read say nothing that is
//! heeded; models by tenant, for which `only` picks rows.

mod bursts;
mod cautions;
mod counts;
mod describe;
mod draw;
mod gaps;
mod held_out;
mod lengths;
mod model;
#[cfg(feature = "plots")]
pub mod page;
mod process;
mod quantiles;
mod rate;
mod text;
mod turns;
mod who;

pub use describe::{Correlated, Description, Dispersed, Extreme, Lengths, describe};
pub use held_out::{Check, Whole};
pub use lengths::LawFound;
pub use model::{Model, fit};
pub use process::Candidate;
pub use text::{markdown, terminal};
pub use turns::Turns;
pub use who::{Askers, Of, Who};

#[cfg(test)]
use crate::traffic::arrivals::Poisson;

/// Nanoseconds of a second.
const SECOND: f64 = 1e9;

/// The widths of windows, in seconds, that dispersion is told for.
const WINDOWS: [u64; 3] = [1, 10, 60];

/// Poisson arrivals of a rate a second, for tests.
#[cfg(test)]
fn poisson(per_second: f64) -> Poisson {
    Poisson {
        rate: rate::rate(per_second).unwrap(),
    }
}
