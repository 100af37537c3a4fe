//! Files from outside, bounded in what they take: traces and price tables of other makers.

pub mod prices;
pub(crate) mod python;
pub mod scores;
pub mod source;
pub mod spans;
pub mod trace;
