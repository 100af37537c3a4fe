//! From finished replications to a report: every figure, its interval, and what may be said of it.

mod clipped;
mod compare;
mod exchange;
mod figures;
mod halted;
mod idle;
mod judge;
mod measured;
mod ranking;
mod steady;
mod summary;

pub use halted::set_aside;
pub use summary::report;
#[cfg(all(feature = "cli", feature = "plots"))]
pub(crate) use summary::troubles;
