//! Results that are kept by name, to hold later ones against: `run --save-baseline NAME`, `compare … --baseline NAME`.
//!
//! A baseline is the `result.json` of a run, copied to `reports/baselines/NAME/`. A later one of the same name replaces it. Left out: what is
//! beside the result, which `simcap report` draws again.

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::cli::Failure;
use crate::form::diagnose::nearest;
use crate::report::write::write_all;

/// Where baselines are.
const FOLDER: &str = "reports/baselines";
/// The file of a result.
const RESULT: &str = "result.json";

/// The name of a baseline, which is that of a folder.
#[derive(Clone, Debug)]
pub(super) struct Baseline(String);

impl std::str::FromStr for Baseline {
    type Err = String;

    fn from_str(text: &str) -> Result<Baseline, String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let is_name =
            text.chars().all(plain) && text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.len() <= 100;
        if is_name {
            Ok(Baseline(text.to_owned()))
        } else {
            Err("a baseline's name begins with a letter or a digit and has up to 100 of A–Z, a–z, 0–9, `-`, `_` and `.`".into())
        }
    }
}

impl Baseline {
    fn folder(&self) -> PathBuf {
        Path::new(FOLDER).join(&self.0)
    }

    /// Keeps the text of a result under this name, and says where.
    pub(super) fn save(&self, result: String) -> Result<PathBuf, Failure> {
        let folder = self.folder();
        let written = write_all(&folder, &[(RESULT.to_owned(), result.into_bytes())]);
        written.with_context(|| format!("cannot keep the baseline in {}", folder.display()))?;
        Ok(folder)
    }

    /// The file of the result of this name.
    pub(super) fn file(&self) -> Result<PathBuf, Failure> {
        let file = self.folder().join(RESULT);
        if file.is_file() {
            return Ok(file);
        }
        let kept = std::fs::read_dir(FOLDER).into_iter().flatten().flatten();
        let kept = kept.filter(|entry| entry.path().join(RESULT).is_file());
        let mut kept: Vec<String> = kept
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        kept.sort();
        let which = match (kept.as_slice(), nearest(&self.0, kept.iter().map(String::as_str))) {
            ([], _) => format!(
                "none is kept in {FOLDER}; `simcap run … --save-baseline {}` keeps one",
                self.0
            ),
            (_, Some(near)) => format!("did you mean `{near}`?"),
            (all, None) => format!("kept are {}", all.join(", ")),
        };
        Err(Failure::Input(format!("no baseline is called `{}`: {which}", self.0)))
    }
}
