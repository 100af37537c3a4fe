//! A stand-in for scripts where simcap is built without them.

use std::convert::Infallible;

use super::Fault;
use crate::form::build::Names;
use crate::routing::Policy;

/// A script that has been read: in this build there is none.
#[derive(Clone, Debug)]
pub struct Program(Infallible);

impl Program {
    /// Refuses to read a script, as this build has no scripts.
    ///
    /// # Errors
    /// In every case: this build has no scripts.
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

    /// The number of failures, and the earliest in words.
    pub fn trouble(&self) -> Option<(u64, String)> {
        match self.0 {}
    }

    /// Forgets the failures so far.
    pub fn forget_trouble(&self) {
        match self.0 {}
    }
}
