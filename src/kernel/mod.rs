//! Time, order and chance: what every discrete-event simulation needs, knowing nothing of LLMs.

pub mod law;
pub mod table;
pub mod time;
