//! The columns of files that laws of an experiment name.
//!
//! A file lies beside the experiment, or where `--trace` or SIMCAP_TRACES leads if that is a folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::source::{name_of, unreadable};
use super::trace::Traces;
use super::{LoadError, Loaded};
use crate::form::diagnose::{self, Seg};
use crate::form::laws::Columns;
use crate::import::source::{MOST_OF_TRACE, Rows};
use crate::import::trace::{self, TraceError};
use crate::words::Input;

/// A column that was read.
#[derive(Clone, Debug)]
pub(super) struct Read {
    found: PathBuf,
    column: String,
    values: Arc<[f64]>,
    input: Input,
}

/// A column that a law names, and where that stands.
struct Named {
    path: Vec<Seg>,
    file: String,
    column: String,
}

impl Loaded {
    /// Gives the column of this name in `file` its values, in any order: for experiments that are not files.
    pub fn add_column(&mut self, file: &str, column: &str, values: Vec<f64>) {
        self.columns
            .insert(file.to_owned(), column.to_owned(), Columns::ordered(values));
    }

    /// Loads the columns that laws name: `before` keeps what was read for the experiment before.
    pub(super) fn load_columns(
        &mut self,
        experiment: &Path,
        traces: &Traces,
        before: &mut Vec<Read>,
    ) -> Result<(), LoadError> {
        let mut named = Vec::new();
        if self.text.contains("\"column\"") {
            let says: Value = diagnose::parse(&self.file, &self.text)?;
            columns_in(&says, Vec::new(), &mut named);
        }
        for Named { path, file, column } in named {
            if self.columns.has(&file, &column) {
                continue;
            }
            let of = |field: &'static str| [path.as_slice(), &[Seg::from(field)]].concat();
            let beside = experiment.parent().unwrap_or(Path::new("")).join(&file);
            let found = traces.beside_or_below(&beside, &file).unwrap_or(beside);
            let is_it = |read: &Read| read.found == found && read.column == column;
            let known = match before.iter().position(is_it) {
                Some(known) => known,
                None => {
                    let mut source = Rows::open(&found, MOST_OF_TRACE)
                        .map_err(|e| self.blame(&of("file"), unreadable(&found, &e)))?;
                    let values = trace::column(&mut source, &column).map_err(|error| {
                        let is_of_name = matches!(error, TraceError::Column(..) | TraceError::Twice(..));
                        let read = LoadError::Read {
                            file: found.display().to_string(),
                            why: error.to_string(),
                        };
                        if is_of_name {
                            self.blame(&of("column"), read)
                        } else {
                            read
                        }
                    })?;
                    before.push(Read {
                        input: Input {
                            name: name_of(&found),
                            sha256: source.sha256(),
                        },
                        found,
                        column: column.clone(),
                        values: Columns::ordered(values),
                    });
                    before.len() - 1
                }
            };
            let read = before[known].clone();
            if !self.inputs.contains(&read.input) {
                self.inputs.push(read.input);
            }
            self.columns.insert(file, column, read.values);
        }
        Ok(())
    }
}

/// Whether it is a part of a program's own, whose parameters are its own affair. Other things may have that name.
fn is_own_part(fields: &serde_json::Map<String, Value>) -> bool {
    let own = fields.get("own").filter(|_| fields.len() == 1);
    own.is_some_and(|own| own.get("name").is_some_and(Value::is_string))
}

/// Every `{ "column": { "file": …, "column": … } }` in what the experiment says. Laws are found by what they look like, so that nothing
/// that holds laws need know of columns.
fn columns_in(says: &Value, path: Vec<Seg>, found: &mut Vec<Named>) {
    let step = |seg: Seg| [path.as_slice(), &[seg]].concat();
    match says {
        Value::Object(fields) => {
            let text = |field: &str| Some(fields.get("column")?.get(field)?.as_str()?.to_owned());
            if let (1, Some(file), Some(column)) = (fields.len(), text("file"), text("column")) {
                let path = step(Seg::from("column"));
                found.push(Named { path, file, column });
            } else if !is_own_part(fields) {
                for (name, field) in fields {
                    columns_in(field, step(Seg::from(name.as_str())), found);
                }
            }
        }
        Value::Array(elements) => {
            for (i, element) in elements.iter().enumerate() {
                columns_in(element, step(Seg::from(i)), found);
            }
        }
        _ => {}
    }
}
