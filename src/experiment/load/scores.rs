//! The file of scores that an experiment's `quality` names, beside the experiment: the columns that its providers are called by.

use std::path::Path;

use super::source::{name_of, unreadable};
use super::{LoadError, Loaded};
use crate::experiment::assemble::is_asked_for;
use crate::form::diagnose::Seg;
use crate::import::scores;
use crate::import::source::{MOST_OF_LOG, Rows};
use crate::words::Input;

impl Loaded {
    /// The scores that the correlation of answers follows from, if the experiment names a file of them.
    pub(super) fn load_scores(&mut self, experiment: &Path) -> Result<(), LoadError> {
        let Some(name) = self.experiment.quality.as_ref().and_then(|q| q.pairs.clone()) else {
            return Ok(());
        };
        let at = experiment.parent().unwrap_or(Path::new("")).join(&name);
        let path = [Seg::from("quality"), Seg::from("pairs")];
        let mut source = Rows::open(&at, MOST_OF_LOG).map_err(|e| self.blame(&path, unreadable(&at, &e)))?;
        let wants = |column: &str| is_asked_for(&self.experiment, column);
        let read = scores::read(&mut source, wants).map_err(|e| LoadError::Read {
            file: at.display().to_string(),
            why: e.to_string(),
        })?;
        self.inputs.push(Input {
            name: name_of(&at),
            sha256: source.sha256(),
        });
        self.scores = Some(read);
        Ok(())
    }
}
