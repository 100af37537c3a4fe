//! `simcap page`: one HTML file in which an experiment's numbers can be turned and are simulated again at once.
//!
//! The page carries the engine, the same library in WebAssembly, so that it works from disk, without a network. The engine is a
//! file beside the program, as releases have it, since a program that carried it would be half as large again.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use serde::Serialize;

use super::{Done, Exit, Failure, print};
use crate::experiment::assemble::assemble;
use crate::experiment::knobs::{Knob, knobs};
use crate::experiment::load::{Loaded, Source, Traces};
use crate::experiment::model::ModelFile;
use crate::experiment::settings::Setting;
use crate::form::laws::Columns;
use crate::form::own::OwnParts;
use crate::import::source;
use crate::words::{Code, Input, Metric, Unit};

/// The page, in which the marks stand for the experiment, the engine and the colours.
const PAGE: &str = include_str!("../report/what_if.html");

/// The colours of every page.
const PALETTE: &str = include_str!("../report/palette.css");

/// The name of the engine beside the program.
const ENGINE: &str = "simcap-engine.wasm";

/// What builds the engine, from the sources.
const BUILD: &str = "rustup target add wasm32-unknown-unknown && \
    cargo build --locked --profile page --target wasm32-unknown-unknown --manifest-path web/Cargo.toml";

/// Where that puts it.
const BUILT: &str = "web/target/wasm32-unknown-unknown/page/simcap_web.wasm";

/// The most values of columns that a page holds, counted as those that differ.
const MOST_OF_COLUMNS: usize = 200_000;

/// The largest engine that is read, in bytes.
const MOST_OF_ENGINE: u64 = 64_000_000;

/// Arguments of `simcap page`.
#[derive(Debug, Args)]
pub(super) struct Page {
    /// The experiment file
    file: PathBuf,
    /// Change a value of the experiment first, as in `simcap run`; may be given several times
    #[arg(long = "set", value_name = "PATH=VALUE")]
    set: Vec<Setting>,
    /// Where to write the page [default: NAME-what-if.html]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The engine in WebAssembly [default: simcap-engine.wasm beside the program]
    #[arg(long, value_name = "FILE")]
    engine: Option<PathBuf>,
}

/// What the page's script is given.
#[derive(Serialize)]
struct Data<'a> {
    name: &'a str,
    about: &'a str,
    file: Cow<'a, str>,
    text: &'a str,
    models: &'a BTreeMap<String, ModelFile>,
    columns: &'a Columns,
    inputs: &'a [Input],
    replications: u64,
    knobs: Vec<Knob>,
    metrics: Vec<Shown>,
    /// The names of the policies and what objectives bound, in the order of the file: knobs are called by them.
    policies: Vec<&'a str>,
    objectives: Vec<String>,
}

/// A column of the page's table.
#[derive(Serialize)]
struct Shown {
    metric: String,
    title: String,
    unit: String,
}

impl Page {
    pub(super) fn run(self, own: &OwnParts) -> Done {
        let loaded = Source::read(&self.file)?.load(&self.set, &Traces::default(), None, own.clone())?;
        let plan = assemble(&loaded)?;
        if let Some(what) = unknown_to_pages(&loaded) {
            let file = self.file.display();
            return Err(Failure::Input(format!(
                "{file}: {what}, which a page does not hold: use simcap run"
            )));
        }
        let engine = engine(self.engine.as_deref())?;
        let code = plan.currency.as_ref().map(|currency| currency.code);
        let data = Data {
            name: &loaded.experiment.name,
            about: &loaded.experiment.about,
            file: self
                .file
                .file_name()
                .map(|name| name.to_string_lossy())
                .unwrap_or_default(),
            text: &loaded.text,
            models: &loaded.models,
            columns: &loaded.columns,
            inputs: loaded.inputs.get(1..).unwrap_or_default(),
            replications: plan.replications,
            knobs: knobs(&loaded),
            metrics: metrics(&loaded, code),
            policies: loaded
                .experiment
                .policies
                .iter()
                .map(|policy| policy.name.as_str())
                .collect(),
            objectives: (loaded.experiment.objectives.iter())
                .map(|objective| objective.metric.title_in(code))
                .collect(),
        };
        let data = serde_json::to_string(&data).context("cannot write the experiment")?;
        let out = self
            .out
            .unwrap_or_else(|| PathBuf::from(format!("{}-what-if.html", loaded.experiment.name)));
        // In a script element nothing but "</script" and "<!--" could end the text early.
        let data = data.replace('<', "\\u003c");
        let page = filled(&data, &STANDARD.encode(engine));
        std::fs::write(&out, page).with_context(|| format!("cannot write {}", out.display()))?;
        print(&format!("Wrote {}. Open it in a browser.\n", out.display()))?;
        Ok(Exit::Fine)
    }
}

/// The page with the experiment and the engine in it.
fn filled(data: &str, engine: &str) -> String {
    let (head, rest) = PAGE.split_once("@DATA@").unwrap_or((PAGE, ""));
    let (middle, tail) = rest.split_once("@ENGINE@").unwrap_or((rest, ""));
    [head.replace("@PALETTE@", PALETTE).as_str(), data, middle, engine, tail].concat()
}

/// What of the experiment the engine cannot be given.
fn unknown_to_pages(loaded: &Loaded) -> Option<&'static str> {
    if !loaded.pairs.is_empty() {
        return Some("its lengths are those of a trace");
    }
    if !loaded.traces.is_empty() {
        return Some("it replays a trace");
    }
    if !loaded.scripts.is_empty() {
        return Some("a policy is a script");
    }
    if loaded.columns.distinct() > MOST_OF_COLUMNS {
        return Some("its columns have more than 200,000 values that differ");
    }
    loaded.scores.as_ref().map(|_| "its answers follow a file of scores")
}

/// The engine at `given`, or the one beside the program.
fn engine(given: Option<&Path>) -> Result<Vec<u8>, Failure> {
    let beside = || Some(std::env::current_exe().ok()?.parent()?.join(ENGINE));
    let Some(path) = given
        .map(Path::to_owned)
        .or_else(|| beside().filter(|path| path.is_file()))
    else {
        return Err(Failure::Input(format!(
            "there is no {ENGINE} beside the program: give one with --engine. Releases have it; from the sources, build it with\n    \
             {BUILD}\nand give --engine {BUILT}"
        )));
    };
    let bytes =
        source::read(&path, MOST_OF_ENGINE).map_err(|error| Failure::Input(format!("{}: {error}", path.display())))?;
    if bytes.starts_with(b"\0asm") {
        Ok(bytes)
    } else {
        Err(Failure::Input(format!("{}: not a WebAssembly module", path.display())))
    }
}

/// The metrics that the page shows: those of the main table, and those of objectives that it lacks.
fn metrics(loaded: &Loaded, code: Option<Code>) -> Vec<Shown> {
    let standard = Metric::standard().filter(|(_, standard)| standard.page.is_some());
    let mut shown: Vec<Metric> = standard.map(|(metric, _)| metric).collect();
    for objective in &loaded.experiment.objectives {
        if !shown.contains(&objective.metric) {
            shown.push(objective.metric.clone());
        }
    }
    let each = shown.iter().map(|metric| Shown {
        metric: metric.to_string(),
        title: metric.title_in(code),
        unit: unit(metric.unit_in(code)),
    });
    each.collect()
}

/// What the page's script calls the unit.
fn unit(unit: Unit) -> String {
    match unit {
        Unit::Seconds => "seconds".to_owned(),
        Unit::Share => "share".to_owned(),
        Unit::PerSecond => "per_second".to_owned(),
        Unit::Dollars => "dollars".to_owned(),
        Unit::Number => "number".to_owned(),
        Unit::Money(code) => code.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_each_mark_once() {
        for mark in ["@DATA@", "@ENGINE@", "@PALETTE@"] {
            assert_eq!(PAGE.matches(mark).count(), 1, "{mark}");
        }
        let page = filled("{}", "AAAA");
        assert!(page.contains(">{}</script>") && page.contains(">AAAA</script>"));
        assert!(page.contains("--p0: ") && !page.contains("@PALETTE@"));
    }
}
