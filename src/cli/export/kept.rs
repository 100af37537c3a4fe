//! What `simcap export` has written beside an experiment, so that it may write it again.
//!
//! A file that is there may come from elsewhere. One that export wrote and that has not changed since is known by the SHA-256 of its text, which
//! stands in `exported.json` beside the experiment, under the file's path.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::gateways::source::sha256;
use crate::import::source::{MOST_OF_JSON, read};
use crate::report::write::write_all;

/// The name of the record.
const NAME: &str = "exported.json";
/// The name of its form.
const FORMAT: &str = "simcap.exported/1";

/// The folder of the experiment at `path`; none if it came by standard input.
fn folder(path: &Path) -> Option<PathBuf> {
    let own = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    (path != Path::new("-")).then(|| own.unwrap_or(Path::new(".")).to_owned())
}

fn files(folder: &Path) -> Map<String, Value> {
    let bytes = read(&folder.join(NAME), MOST_OF_JSON).unwrap_or_default();
    let of: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let known = of.get("format").and_then(Value::as_str) == Some(FORMAT);
    let files = of.get("files").and_then(Value::as_object).filter(|_| known);
    files.cloned().unwrap_or_default()
}

fn key(file: &Path) -> String {
    file.canonicalize()
        .unwrap_or_else(|_| file.to_owned())
        .display()
        .to_string()
}

/// Whether `file`, which holds `text`, is what an export of the experiment wrote.
pub(super) fn is_ours(experiment: &Path, file: &Path, text: &str) -> bool {
    let known = folder(experiment).map(|folder| files(&folder)).unwrap_or_default();
    known.get(&key(file)).and_then(Value::as_str) == Some(&sha256(text))
}

/// Remembers that an export of the experiment wrote `text` to `file`. Where it cannot be, the next one asks for --force.
pub(super) fn remember(experiment: &Path, file: &Path, text: &str) {
    let Some(folder) = folder(experiment) else { return };
    let mut all = files(&folder);
    all.insert(key(file), json!(sha256(text)));
    let record = format!("{:#}\n", json!({ "format": FORMAT, "files": all }));
    // It is for convenience: a folder that takes no file is not worth a failure.
    let _ = write_all(&folder, &[(NAME, record)]);
}
