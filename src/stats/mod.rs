//! What may be concluded from replications.

pub mod critical;
pub mod histogram;
pub mod interval;
pub mod moments;
