//! `simcap import`: an experiment out of a gateway's configuration, with assumptions and a verdict on every key.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use super::{Done, Exit, Failure, lines, print};
use crate::experiment::assemble::assemble;
use crate::experiment::load::{Loaded, from_text};
use crate::experiment::settings::Setting;
use crate::form::diagnose::printable;
use crate::gateways::import::asked::{Asked, asked};
use crate::gateways::import::{Assumptions, Beside, assumptions, built_in_prices, callers, dropped, experiment, usage};
use crate::gateways::ledger::Verdict;
use crate::gateways::source::Config;
use crate::gateways::{self, Gateway, show, source};
use crate::import::source::{MOST_OF_JSON, read};
use crate::report::write::write_all;
use crate::stats::sorting;

/// The file of assumptions.
const ASSUMED: &str = "assumptions.json";

/// What an experiment is called that was there before, and may have been edited.
const BEFORE: &str = "experiment.before.json";

/// Arguments of `simcap import`.
#[derive(Debug, Args)]
pub(super) struct Import {
    /// The configuration of a gateway (YAML or JSON)
    config: PathBuf,
    /// The product [default: as its keys tell]
    #[arg(long, value_name = "NAME")]
    product: Option<String>,
    /// Write to this folder [default: the configuration's name]; assumptions that are there are kept and used
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Take rates, lengths, models and their latency from logs of the gateway (LiteLLM's spend logs, which also name the callers, or any that `simcap fit` reads; a trace with `hash_ids`)
    #[arg(long, value_name = "LOG", num_args = 1..)]
    usage: Vec<PathBuf>,
}

impl Import {
    pub(super) fn run(self) -> Done {
        let config = source::open(&self.config)?;
        let gateway = gateways::read(&config, self.product.as_deref())?;
        if gateway.groups.iter().all(|group| group.members.is_empty()) {
            let file = self.config.display().to_string();
            let what = format!(
                "as {} reads it, leads to no provider: there is nothing to simulate; `simcap explain` says what is wrong with it",
                gateway.product.title
            );
            return Err(gateways::Refused::whole(&file, what).into());
        }
        if let Some(what) = gateways::lacks(&gateway) {
            return Err(gateways::Refused::whole(&self.config.display().to_string(), what).into());
        }
        let name = name(&self.config);
        let folder = self.out.unwrap_or_else(|| PathBuf::from(&name));
        let base = Assumptions::of(&gateway, &built_in_prices());
        let mut assumed = base.clone();
        let mut notes = Vec::new();
        let there = folder.join(ASSUMED);
        let kept = text_of(&there)?;
        if !self.usage.is_empty() {
            // What is said of callers is one thing: where a file says what else of it, what is in the log goes into that.
            let is_said = kept.as_ref().is_some_and(|text| !text.contains("\"callers\""));
            notes = learn(&self.usage, &gateway, &mut assumed, !is_said)?;
            if is_said {
                notes.push(format!(
                    "{} was there and says nothing of callers: the log's are not told apart; delete it for a stream of each",
                    there.display()
                ));
            }
        }
        if let Some(text) = &kept {
            let called = sorting::map(assumed.providers.keys().map(|name| (name.clone(), name.clone())));
            assumed = assumed.read_beside(&there.display().to_string(), text, &Beside { other: base, called })?;
            notes.push(format!("{} was there: what it says is kept", there.display()));
        }
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot write to {}", folder.display()))?;
        let text = made(&config, &gateway, &assumed, &name);
        let path = folder.join("experiment.json");
        if std::fs::read_to_string(&path).is_ok_and(|before| before != text) {
            let kept = folder.join(BEFORE);
            std::fs::rename(&path, &kept).with_context(|| format!("cannot keep {}", path.display()))?;
            notes.push(format!(
                "{} was there and says something else: it is {} now",
                path.display(),
                kept.display()
            ));
        }
        let files = [
            ("experiment.json", text.clone()),
            (ASSUMED, assumed.to_json()),
            ("keys.md", show::ledger(&gateway) + &show::assumed(&assumed.because)),
        ];
        write_all(&folder, &files).with_context(|| format!("cannot write to {}", folder.display()))?;
        let loaded = from_text(&path.display().to_string(), &text)?;
        notes.iter().for_each(|note| tell!("note: {}", printable(note)));
        print(&format!(
            "{}Next: edit {}, then simcap run {}\n",
            summary(&gateway),
            there.display(),
            path.display()
        ))?;
        assemble(&loaded)?;
        Ok(Exit::Fine)
    }
}

/// The text of a file, if it is there.
fn text_of(path: &Path) -> Result<Option<String>, Failure> {
    if !path.exists() {
        return Ok(None);
    }
    let bytes = read(path, MOST_OF_JSON).map_err(|why| Failure::Input(format!("{}: {why}", path.display())))?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Takes what logs tell into the assumptions; callers are told apart if `each`.
fn learn(logs: &[PathBuf], gateway: &Gateway, assumed: &mut Assumptions, each: bool) -> Result<Vec<String>, Failure> {
    let identities = assumptions::told_apart(gateway);
    let (mut rows, mut others, mut all_rows) = (Vec::new(), Vec::new(), true);
    for path in logs {
        let of = asked(&super::measured::read(path)?, &identities);
        let is_trace = of.as_ref().is_some_and(|of| of.iter().all(|row| row.model.is_none()));
        if is_trace && gateway.groups.len() > 1 {
            let what = "its requests name no model, and the configuration has several groups: which of them they ask for is not known";
            return Err(Failure::Input(format!("{}: {what}", path.display())));
        }
        if !is_trace {
            others.push(path.clone());
        }
        all_rows &= of.is_some();
        rows.extend(of.into_iter().flatten());
    }
    let mut notes = Vec::new();
    if !others.is_empty() {
        let log = super::measured::measured(&others, None)?;
        if let Some(why) = usage::strange(gateway, &log) {
            let files: Vec<String> = others.iter().map(|path| path.display().to_string()).collect();
            return Err(Failure::Input(format!("{}: {why}", files.join(", "))));
        }
        notes = usage::learn(assumed, gateway, &log);
        notes.extend(log.notes);
    }
    if all_rows && each {
        rows.sort_by(|a: &Asked, b| a.at.total_cmp(&b.at));
        notes.extend(callers::learn(assumed, gateway, &rows, &identities));
    }
    Ok(notes)
}

/// What became of the keys.
fn summary(gateway: &Gateway) -> String {
    let of = |verdict| gateway.ledger.iter().filter(|row| row.verdict == verdict).count();
    let words = [
        Verdict::Modelled,
        Verdict::Approximated,
        Verdict::Ignored,
        Verdict::NotModelled,
        Verdict::NoEffect,
    ]
    .map(|verdict| format!("{} {}", of(verdict), verdict.words()));
    let counts = format!(
        "{} keys of {}: {}.",
        gateway.ledger.len(),
        gateway.product.title,
        words.join(", ")
    );
    let mut text = lines("", &counts);
    for row in gateway.ledger.iter().filter(|row| row.verdict == Verdict::NotModelled) {
        let how = match row.how.as_str() {
            "" => String::new(),
            how => format!(" ({how})"),
        };
        text += &lines("  not modelled: ", &format!("{}{how}", printable(&row.path)));
    }
    if !gateway.left_out.is_empty() {
        text += &lines("  left out: ", &gateway.left_out.join(", "));
    }
    text + &lines("  no configuration says: ", &gateway.ask.join("; "))
}

/// `assumed` with what the file at `path` says in its place.
fn with(assumed: Assumptions, path: &Path) -> Result<Assumptions, Failure> {
    let file = path.display().to_string();
    let bytes = read(path, MOST_OF_JSON).map_err(|why| Failure::Input(format!("{file}: {why}")))?;
    Ok(assumed.read(&file, &String::from_utf8_lossy(&bytes))?)
}

/// The text of the experiment, which says what it was imported from.
fn made(config: &Config, gateway: &Gateway, assumed: &Assumptions, name: &str) -> String {
    let mut of = experiment(gateway, assumed, name);
    of["imported"] = serde_json::json!({ "from": gateway.files.first(), "sha256": config.sha256 });
    let unpriced = assumed.unpriced();
    if !unpriced.is_empty() {
        of["imported"]["unpriced"] = serde_json::json!(unpriced);
    }
    let dropped = dropped(gateway);
    if !dropped.is_empty() {
        of["imported"]["not_modelled"] = serde_json::json!(dropped);
    }
    format!("{of:#}\n")
}

/// The experiment that the configuration at `config` is, with the assumptions at `path` and then the values of `set`.
pub(super) fn loaded(config: &Path, path: &Path, set: &[Setting]) -> Result<Loaded, Failure> {
    let read = source::open(config)?;
    let gateway = gateways::read(&read, None)?;
    let assumed = with(Assumptions::of(&gateway, &built_in_prices()), path)?;
    let mut text = made(&read, &gateway, &assumed, &name(config));
    let mut called = format!("the experiment of {} with {}", config.display(), path.display());
    if !set.is_empty() {
        // What is wrong without a value of another is told of as such.
        from_text(&called, &text)?;
        for setting in set {
            text = setting.put(&text).map_err(|error| Failure::Input(error.to_string()))?;
        }
        called += " and --set";
    }
    Ok(from_text(&called, &text)?)
}

/// A name for an experiment, from a path.
pub(super) fn name(path: &Path) -> String {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("gateway");
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || "-_.".contains(c) {
            c
        } else {
            '-'
        }
    };
    let name: String = stem
        .trim_start_matches(['.', '-'])
        .chars()
        .take(100)
        .map(plain)
        .collect();
    if name.is_empty() { "gateway".to_owned() } else { name }
}
