//! `simcap report`: the page of a result, made again from its file, or of two results together; and its plots as files.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use super::many::Form;
use super::open::open;
use super::run::{differences, show};
use super::{Done, Exit, Failure, print};
use crate::decide::{join, name_of};
use crate::import::source::{self, MOST_OF_JSON};
use crate::report::{self, html, json, terminal, write};

/// Arguments of `simcap report`.
#[derive(Debug, Args)]
pub(super) struct Report {
    /// A result.json, or the folder of a run
    first: PathBuf,
    /// Another one, to be held against the first
    second: Option<PathBuf>,
    /// Write the page to this file, or into this folder if it has no ending like `.html` [default: report.html beside the result; of
    /// two results comparison.html in the current folder]
    #[arg(long, value_name = "FILE|DIR")]
    out: Option<PathBuf>,
    /// Write every plot to this folder too, as pictures in SVG
    #[arg(long, value_name = "DIR")]
    svg: Option<PathBuf>,
    /// What to print besides: the first screen, the figures of all policies, the whole result or a summary; of two results how they compare [default: of
    /// two results a table]
    #[arg(long, value_enum)]
    format: Option<Form>,
    /// Open the page
    #[arg(long)]
    open: bool,
}

impl Report {
    pub(super) fn run(self) -> Done {
        let first = file_of(&self.first);
        let (report, beside) = match &self.second {
            None => (read(&first)?, first.with_file_name("report.html")),
            Some(second) => (joined(&first, &file_of(second))?, PathBuf::from("comparison.html")),
        };
        match (self.format, &self.second) {
            (form, Some(_)) => differences(form.unwrap_or(Form::Table), &report)?,
            (Some(form), None) => show(form, terminal::screen, &report)?,
            (None, None) => {}
        }
        // What a program reads is nothing else.
        let say = |text: String| match self.format {
            None | Some(Form::Table) => print(&text),
            Some(Form::Csv | Form::Json | Form::Markdown) => {
                tell!("{}", text.trim());
                Ok(())
            }
        };
        let page = html::render(&report).context("cannot draw the report")?;
        let out = match (self.out, beside.file_name()) {
            (Some(folder), Some(name)) if is_folder(&folder) => folder.join(name),
            (Some(out), _) => out,
            (None, _) => beside,
        };
        let inputs = [Some(first.clone()), self.second.as_deref().map(file_of)];
        if inputs.iter().flatten().any(|input| write::is_same_file(&out, input)) {
            return Err(Failure::Input(format!(
                "{} is a result itself: name another file",
                out.display()
            )));
        }
        let name = out.file_name().map(|name| name.to_string_lossy().into_owned());
        let Some(name) = name else {
            return Err(Failure::Input(format!("{} is no name of a file", out.display())));
        };
        let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty());
        write::write_all(folder.unwrap_or(Path::new(".")), &[(name, page.into_bytes())])
            .with_context(|| format!("cannot write {}", out.display()))?;
        say(format!("Report: {}\n", out.display()))?;
        if let Some(folder) = &self.svg {
            let pictures = html::pictures(&report).context("cannot draw the plots")?;
            write::write_all(folder, &pictures).with_context(|| format!("cannot write to {}", folder.display()))?;
            say(format!("Plots: {} pictures in {}\n", pictures.len(), folder.display()))?;
        }
        if self.open {
            open(&out);
        }
        Ok(Exit::Fine)
    }
}

/// Whether something is to be written into `path` and not to it.
fn is_folder(path: &Path) -> bool {
    path.is_dir() || path.extension().is_none() && !path.is_file()
}

/// The result of a run: the file, or the one in a folder.
pub(super) fn file_of(given: &Path) -> PathBuf {
    if given.is_dir() {
        given.join("result.json")
    } else {
        given.to_owned()
    }
}

/// The two results of these files as one report, each named after its folder or file, or by number where that is the same.
pub(super) fn joined(first: &Path, second: &Path) -> Result<report::Report, Failure> {
    together([name_of(first), name_of(second)], [&read(first)?, &read(second)?])
}

/// The two results as one report, named so, or by number where that is the same.
pub(super) fn together(names: [String; 2], results: [&report::Report; 2]) -> Result<report::Report, Failure> {
    let names = match names {
        [a, b] if a == b => [format!("1: {a}"), format!("2: {b}")],
        names => names,
    };
    join(results[0], results[1], [&names[0], &names[1]]).map_err(|apart| Failure::Input(apart.to_string()))
}

/// The result in the file, if it says that it is of a format other than an experiment's. A file that cannot be read is none: its faults
/// are told where it is taken for an experiment.
pub(super) fn result_in(file: &Path) -> Result<Option<report::Report>, Failure> {
    let text = source::read(file, MOST_OF_JSON)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let is_result = |text: &String| {
        serde_json::from_str::<serde_json::Value>(text).is_ok_and(|value| {
            let format = value.get("format").and_then(serde_json::Value::as_str);
            format.is_some_and(|format| !format.starts_with("simcap.experiment/"))
        })
    };
    let text = text.filter(is_result);
    Ok(text
        .map(|text| json::from_json(&file.display().to_string(), &text))
        .transpose()?)
}

/// The result in a file.
pub(super) fn read(file: &Path) -> Result<report::Report, Failure> {
    let name = file.display().to_string();
    let bytes =
        source::read(file, MOST_OF_JSON).map_err(|error| Failure::Input(format!("cannot read {name}: {error}")))?;
    let text = String::from_utf8(bytes).map_err(|_| Failure::Input(format!("{name} is not text in UTF-8")))?;
    Ok(json::from_json(&name, &text)?)
}
