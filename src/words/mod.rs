//! The words that every part shares: what is asked and how it ends, the figures of merit and their units, and where a run's
//! inputs come from.
//!
//! A leaf: only time, from [`crate::kernel`], is used here. Each list that must be complete is one table.

mod bound;
mod course;
mod effort;
mod holding;
pub mod metric;
mod outcome;
mod provenance;
mod request;
mod spending;
mod start;
mod unit;

pub use bound::BoundKind;
pub use course::{Course, Lasts};
pub use effort::EffortKind;
pub use holding::Holding;
pub use metric::{Aim, Metric};
pub use outcome::{Blame, Outcome, Outcomes, Row, Seen, Statuses, outcome_of, outcome_of_words};
pub use provenance::{Input, ModelNote, Standing};
pub use request::{Ask, Ended, Finished, Headers, Left, UNRATED, Usage};
pub use spending::Spending;
pub use start::Start;
pub use unit::{Code, Unit, grouped};
