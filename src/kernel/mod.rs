//! Time, order and chance: what every discrete-event simulation needs, knowing nothing of LLMs.

pub mod beta;
pub mod bucket;
pub mod calendar;
pub mod chance;
pub mod clock;
pub mod copula;
pub mod law;
pub mod lru;
pub mod queue;
pub mod sampler;
pub mod slab;
pub mod table;
pub mod time;
