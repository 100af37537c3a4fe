//! What stands for scripts where simcap is built without them.

use std::convert::Infallible;

use super::Fault;
use crate::form::build::Names;
use crate::routing::Policy;

/// A script that has been read: there is none.
#[derive(Clone, Debug)]
pub struct Program(Infallible);

impl Program {
    /// Refuses.
    ///
    /// # Errors
    /// Always.
    pub fn read(_text: &str) -> Result<Program, Fault> {
        Err(Fault {
            line: 0,
            column: 0,
            message: "this simcap is built without scripts (its feature `script`)".into(),
        })
    }

    pub(super) fn policy(&self, _names: &Names<'_>) -> Result<Box<dyn Policy>, Fault> {
        match self.0 {}
    }

    /// How often it has failed, and how first.
    pub fn trouble(&self) -> Option<(u64, String)> {
        match self.0 {}
    }
}
