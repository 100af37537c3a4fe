//! Other people's files.

pub mod trace;
