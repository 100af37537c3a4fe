//! Other people's files.

pub mod prices;
pub mod trace;
