//! What load does to a provider: who waits, who is slowed down, who is turned away.
//!
//! Each takes the service that an attempt would get alone and makes of it what it gets among others. Like everything at a
//! provider it decides when the attempt arrives: a caller's own timeouts are known then and count; one called off later,
//! because another copy of its request was answered first, is taken to have stayed.

use std::fmt;

use super::latency::{Service, Start};
use crate::request::{Ask, Outcome};
use crate::spec::build::Built;

/// What load does, as it runs.
pub trait Load: fmt::Debug + Send + Sync {
    /// What becomes of an attempt that starts like this and would get `service` alone.
    ///
    /// # Errors
    /// How it is turned away, if it is.
    fn place(&mut self, start: &Start<'_>, service: Service, ask: &Ask) -> Result<Service, Outcome>;

    /// A copy in its initial state, for one replication.
    fn fresh(&self) -> Box<dyn Load>;
}

/// What the file says of a dependence on load.
pub trait BuildLoad {
    /// Checks the parameters and makes it.
    fn build(&self) -> Built<Box<dyn Load>>;
}
