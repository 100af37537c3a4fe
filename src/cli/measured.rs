//! Logs of measurements, as several subcommands read them.

use std::path::{Path, PathBuf};

use super::Failure;
use crate::calibrate::log::Log;
use crate::calibrate::logs::{self, Mapping};
use crate::import::source::{self, MOST_OF_LOG};
use crate::import::trace::whole;

/// The bytes of a file named on the command line.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    source::read(path, MOST_OF_LOG).map_err(|why| Failure::Input(format!("{}: {why}", path.display())))
}

/// What stands in these logs, joined. `map` says which columns of a CSV hold what, if they are such files.
pub(super) fn measured(paths: &[PathBuf], map: Option<&str>) -> Result<Log, Failure> {
    let mapping = map.map(Mapping::parse).transpose();
    let mapping = mapping.map_err(|why| Failure::Input(format!("--map: {why}")))?;
    let mut all = Vec::with_capacity(paths.len());
    for path in paths {
        let file = path.display().to_string();
        let bytes = whole(read(path)?, MOST_OF_LOG).map_err(|why| Failure::Input(format!("{file}: {why}")))?;
        let log = match &mapping {
            Some(mapping) => logs::read_mapped(&file, &bytes, mapping),
            None => logs::read(&file, &bytes),
        };
        all.push(log.map_err(|e| Failure::Input(e.to_string()))?);
    }
    logs::join(all).map_err(|e| Failure::Input(e.to_string()))
}
