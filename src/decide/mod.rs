//! From finished replications to a report: every figure, its interval, and what may be said of it.

mod alone;
mod bill;
mod changes;
mod classes;
mod clipped;
mod compare;
mod cut;
mod events;
mod exchange;
mod figures;
mod halted;
mod identities;
mod idle;
mod joined;
mod judge;
mod left;
mod margin;
mod measured;
mod month;
mod outside;
mod passes;
pub mod precision;
mod quotas;
mod ranking;
mod response_cache;
mod sampled;
mod scorecard;
mod shut;
mod singles;
mod steady;
mod story;
mod stretch;
mod summary;
mod supposed;
mod survivors;
mod uncertain;

pub use events::events;
pub use halted::set_aside;
pub use joined::{Apart, join, name_of};
pub use margin::{Weighed, weigh};
pub use sampled::{Held, Sampled};
pub use singles::singles;
pub use story::Telling;
#[cfg(all(feature = "cli", feature = "plots"))]
pub(crate) use summary::troubles;
pub use summary::{report, report_of};
