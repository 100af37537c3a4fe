//! The models that an experiment names: beside it, in a folder `models` above it, or built in.

use std::path::{Path, PathBuf};

use super::source::{input, read};
use super::{LoadError, Loaded};
use crate::experiment::model::{BUILT_IN, ModelFile};
use crate::form::build::Names;
use crate::form::diagnose::{self, Seg};
use crate::form::own::OwnParts;
use crate::words::Input;

impl Loaded {
    /// Loads every model that a provider names and that is not there yet.
    pub(super) fn load_models(&mut self, experiment: &Path) -> Result<(), LoadError> {
        for (name, provider) in self.experiment.providers.iter() {
            let Some(model) = provider.model.clone() else { continue };
            if self.models.contains_key(&model) {
                continue;
            }
            let path = [Seg::from("providers"), Seg::from(name), Seg::from("model")];
            let Some((file, input)) = find_model(experiment, &model, &self.own).map_err(|e| self.blame(&path, e))?
            else {
                let names = BUILT_IN.map(|(name, _)| name);
                let message = format!(
                    "there is no model `{model}`: no models/{model}.json beside this file or above it, and none built in"
                );
                return Err(diagnose::Error::at(&self.file, &self.text, &path, message)
                    .with_allowed(&model, names)
                    .into());
            };
            self.inputs.push(input);
            self.models.insert(model, file);
        }
        Ok(())
    }
}

/// The model that an experiment at `experiment` means by `name`, which may have parts of the caller's `own`; nothing if there
/// is none.
///
/// # Errors
/// If its file cannot be read or does not say what it should.
pub fn find_model(experiment: &Path, name: &str, own: &OwnParts) -> Result<Option<(ModelFile, Input)>, LoadError> {
    if name.ends_with(".json") {
        return read_model(&experiment.parent().unwrap_or(Path::new("")).join(name), own).map(Some);
    }
    if let Some(at) = nearest_model(experiment, name) {
        return read_model(&at, own).map(Some);
    }
    let Some((_, text)) = BUILT_IN.iter().find(|(built_in, _)| *built_in == name) else {
        return Ok(None);
    };
    let input = input(Path::new(&format!("{name}.json")), text.as_bytes());
    Ok(Some((diagnose::parse(name, text)?, input)))
}

fn read_model(path: &Path, own: &OwnParts) -> Result<(ModelFile, Input), LoadError> {
    let bytes = read(path)?;
    let file = path.display().to_string();
    let model: ModelFile = diagnose::parse_bytes(&file, &bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let names = Names {
        extras: &[own],
        ..Names::default()
    };
    model.check(&names).map_err(|refusal| refusal.error(&file, &text))?;
    Ok((model, input(path, &bytes)))
}

/// `models/NAME.json` in the experiment's folder or the nearest folder above it.
fn nearest_model(experiment: &Path, name: &str) -> Option<PathBuf> {
    let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if !is_plain || experiment.as_os_str().is_empty() {
        return None;
    }
    let folder = std::path::absolute(experiment).ok()?;
    folder
        .ancestors()
        .skip(1)
        .map(|f| f.join("models").join(format!("{name}.json")))
        .find(|p| p.is_file())
}
