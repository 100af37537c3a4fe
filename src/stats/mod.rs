//! What may be concluded from replications.

pub mod histogram;
pub mod moments;
