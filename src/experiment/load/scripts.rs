//! The scripts of policies, in the experiment's folder.

use std::path::{Component, Path};

use serde_json::Value;

use super::source::{input, unreadable};
use super::{LoadError, Loaded};
use crate::form::diagnose::{self, Seg};
use crate::import::source::{self, MOST_OF_SCRIPT};
use crate::routing::script::{Fault, Program};

impl Loaded {
    /// Adds the script that the experiment calls `name`: for experiments that are not files.
    ///
    /// # Errors
    /// If it is not a script, or not one of a policy.
    pub fn add_script(&mut self, name: &str, text: &str) -> Result<(), LoadError> {
        let program = Program::read(text).map_err(|fault| misread(name, text, &fault))?;
        self.inputs.push(input(Path::new(name), text.as_bytes()));
        self.scripts.insert(name.to_owned(), program);
        Ok(())
    }

    /// The scripts that policies name, in any depth, from the experiment's folder.
    pub(super) fn load_scripts(&mut self, experiment: &Path) -> Result<(), LoadError> {
        let mut found = Vec::new();
        for (i, entry) in self.experiment.policies.iter().enumerate() {
            let path = vec![Seg::from("policies"), Seg::from(i), Seg::from("policy")];
            let says = serde_json::to_value(&entry.policy).unwrap_or_default();
            scripts_in(&says, path, &mut found);
        }
        for (path, name) in found {
            if self.scripts.contains_key(&name) {
                continue;
            }
            let inside = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
            if !Path::new(&name).components().all(inside) {
                let why = "a script must lie in the experiment's folder, or below it";
                return Err(diagnose::Error::at(&self.file, &self.text, &path, why).into());
            }
            let at = experiment.parent().unwrap_or(Path::new("")).join(&name);
            let bytes = source::read(&at, MOST_OF_SCRIPT).map_err(|e| self.blame(&path, unreadable(&at, &e)))?;
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let program = Program::read(&text).map_err(|fault| misread(&at.display().to_string(), &text, &fault))?;
            self.inputs.push(input(&at, &bytes));
            self.scripts.insert(name, program);
        }
        Ok(())
    }
}

/// Every `{ "script": { "file": … } }` in what a policy says, with the place of its file. Policies inside others are found by
/// what they look like, so that no policy that holds others need know of scripts.
fn scripts_in(says: &Value, path: Vec<Seg>, found: &mut Vec<(Vec<Seg>, String)>) {
    let step = |seg: Seg| [path.as_slice(), &[seg]].concat();
    match says {
        Value::Object(fields) => {
            if let (1, Some(Value::String(file))) = (fields.len(), says.pointer("/script/file")) {
                let at = [path.as_slice(), &[Seg::from("script"), Seg::from("file")]].concat();
                found.push((at, file.clone()));
            } else if !fields.contains_key("own") {
                for (name, field) in fields {
                    scripts_in(field, step(Seg::from(name.as_str())), found);
                }
            }
        }
        Value::Array(elements) => {
            for (i, element) in elements.iter().enumerate() {
                scripts_in(element, step(Seg::from(i)), found);
            }
        }
        _ => {}
    }
}

fn misread(file: &str, text: &str, fault: &Fault) -> LoadError {
    if fault.line == 0 {
        return LoadError::Read {
            file: file.to_owned(),
            why: fault.message.clone(),
        };
    }
    diagnose::Error::in_line(file, text, fault.line, fault.column, fault.message.clone()).into()
}
