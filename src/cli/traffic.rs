//! `simcap traffic`: what a trace of requests shows, and a model of its traffic for an experiment.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::{Args, ValueEnum};

use super::{Done, Exit, Failure, print, signals, style};
use crate::calibrate::traffic::{Description, Model, describe, fit, markdown, page, terminal};
use crate::form::diagnose::{nearest, quoted};
use crate::form::named::Named;
use crate::import::source::{MOST_OF_TRACE, Rows};
use crate::import::trace::{self, Trace, TraceError};
use crate::report::write;
use crate::traffic::arrivals::{Reading, TimeUnit, TraceColumns};
use crate::traffic::kept::Keep;

/// Arguments of `simcap traffic`.
#[derive(Debug, Args)]
pub(super) struct Traffic {
    /// Traces: CSV or JSON (lines, a list or pages of it, OpenTelemetry's spans), packed with gzip or zstd or not, of a known form or with --columns (`-` reads standard input)
    #[arg(required = true, value_name = "TRACE")]
    files: Vec<PathBuf>,
    /// Fit a model of the traffic, and write it here: the `traffic` of an experiment, as `run` takes it
    #[arg(long, value_name = "FILE")]
    fit: Option<PathBuf>,
    /// The same, into this folder: traffic.json, everything that is found as report.json, and traffic.html with pictures
    #[arg(long, value_name = "DIR", conflicts_with = "fit")]
    out: Option<PathBuf>,
    /// The columns of the time and the lengths, as `columns` in `replay` has them: time=created_at,input=prompt_tokens,output=completion_tokens; where times are
    /// numbers of another unit than seconds, unit=ms (or us, ns) too. Rows that are counts of requests: requests=count. Whose requests they are, also in a known form: user=end_user,class=model,tag.team=team_id; which are turns of one conversation: conversation=sessionId
    #[arg(long, value_name = "WHAT=COLUMN,…")]
    columns: Option<String>,
    /// Take the rows that have this value in this column; may be given several times
    #[arg(long, value_name = "COLUMN=VALUE")]
    only: Vec<String>,
    /// Leave out so many rows that are wrong, at most
    #[arg(long, value_name = "N", default_value_t = 0)]
    skip_bad_rows: u64,
    /// Seed of the draws that the model is chosen and checked by
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// What to print
    #[arg(long, value_enum, default_value_t = Form::Table)]
    format: Form,
}

/// What is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    Table,
    Json,
    Markdown,
}

/// What is found of a trace, as a file has it.
#[derive(serde::Serialize)]
struct Found<'a> {
    trace: &'a Description,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a Model>,
}

impl Traffic {
    pub(super) fn run(self) -> Done {
        // Files are written at the end and in one go: until then nothing is there that could be kept.
        signals::watch(|| {
            tell!("error: interrupted: no model is written");
            std::process::exit(Exit::Runtime as i32)
        });
        let (reading, has_turns) = self.reading()?;
        let fits = self.fit.is_some() || self.out.is_some();
        if fits && self.files.len() > 1 {
            let many = self.files.len();
            return Err(Failure::Input(format!(
                "{many} traces, and a model is of one: give each a command of its own, or join them"
            )));
        }
        let mut found = Vec::new();
        for file in &self.files {
            let trace = read(file, &reading)?;
            let mut description = describe(&name(file), &trace);
            if has_turns {
                description = description.of_conversations(&trace);
            }
            description
                .warnings
                .iter_mut()
                .for_each(|said| *said = own_options(said, has_turns));
            let model = match fits {
                true => Some(
                    fit(&trace, &description, self.seed)
                        .map_err(|why| Failure::Input(format!("{}: {why}", file.display())))?,
                ),
                false => None,
            };
            if let Some(why) = trace.rows.trouble() {
                return Err(anyhow!("{}: {why}", file.display()).into());
            }
            found.push((description, model));
        }
        self.show(&found)?;
        let Some((description, Some(model))) = found.first() else {
            return Ok(Exit::Fine);
        };
        let traffic = model.traffic_text();
        if let Some(out) = &self.fit {
            let name = out.file_name().and_then(|name| name.to_str());
            let name = name.ok_or_else(|| Failure::Input(format!("{}: not the name of a file", out.display())))?;
            let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty());
            write::write_all(folder.unwrap_or(Path::new(".")), &[(name, &traffic)])
                .context("cannot write the model")?;
            self.wrote(out)?;
        }
        if let Some(folder) = &self.out {
            let all = json(&Found {
                trace: description,
                model: Some(model),
            })?;
            let page = page::page(description, Some(model)).context("cannot draw the trace")?;
            let files = [("traffic.json", traffic), ("report.json", all), ("traffic.html", page)];
            write::write_all(folder, &files).with_context(|| format!("cannot write to {}", folder.display()))?;
            self.wrote(&folder.join("traffic.json"))?;
        }
        Ok(Exit::Fine)
    }

    /// Says where the model is, and how an experiment takes it.
    fn wrote(&self, file: &Path) -> Result<(), Failure> {
        if self.format != Form::Table {
            return Ok(());
        }
        let page = self
            .out
            .iter()
            .map(|folder| format!("page: {}\n", folder.join("traffic.html").display()));
        let page: String = page.collect();
        let file = file.display();
        print(&format!(
            "\nThe model is in {file}: the `traffic` of an experiment, as it stands, or for one run\n  \
             simcap run mine.json --set traffic=\"$(cat {file})\"\n{page}"
        ))
    }

    fn show(&self, found: &[(Description, Option<Model>)]) -> Result<(), Failure> {
        if self.format == Form::Json {
            let all: Vec<Found<'_>> = found
                .iter()
                .map(|(trace, model)| Found {
                    trace,
                    model: model.as_ref(),
                })
                .collect();
            return print(&match all.as_slice() {
                [only] => json(only)?,
                several => json(&several)?,
            });
        }
        let style = style();
        for (i, (trace, model)) in found.iter().enumerate() {
            let text = match self.format {
                Form::Markdown => markdown(trace, model.as_ref()),
                Form::Table | Form::Json => terminal(trace, model.as_ref(), &style),
            };
            print(&format!("{}{text}", if i > 0 { "\n" } else { "" }))?;
        }
        Ok(())
    }

    /// How the files are read, and whether what is kept as the user is the conversation.
    fn reading(&self) -> Result<(Reading, bool), Failure> {
        let columns = self.columns.as_deref().map(columns).transpose();
        let columns = columns.map_err(|why| Failure::Input(format!("--columns: {why}")))?;
        let Columns { given, keep, has_turns } = columns.unwrap_or_default();
        let only = self.only.iter().map(|only| match only.split_once('=') {
            Some((column, value)) if !column.is_empty() => Ok((column.to_owned(), value.to_owned())),
            _ => Err(Failure::Input(format!(
                "--only: \"{}\" is not a column, `=` and a value, like Model=GPT-4",
                quoted(only)
            ))),
        });
        let reading = Reading {
            columns: given,
            keep,
            only: only.collect::<Result<_, _>>()?,
            skip_bad_rows: self.skip_bad_rows,
        };
        Ok((reading, has_turns))
    }
}

fn json<T: serde::Serialize>(value: &T) -> Result<String, Failure> {
    Ok(serde_json::to_string_pretty(value).context("cannot write it as JSON")? + "\n")
}

/// The last part of a path.
fn name(file: &Path) -> String {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned());
    name.unwrap_or_else(|| file.display().to_string())
}

fn read(file: &Path, reading: &Reading) -> Result<Trace, Failure> {
    let wrong = |why: String| Failure::Input(format!("{}: {why}", file.display()));
    let read = if file == Path::new("-") {
        trace::read(Rows::of(io::stdin(), MOST_OF_TRACE), reading)
    } else {
        let rows = Rows::open(file, MOST_OF_TRACE).map_err(|error| wrong(error.to_string()))?;
        trace::read(rows, reading)
    };
    read.map_err(|error| match error {
        TraceError::Unknown(_) => {
            let first = error.to_string();
            let lines: Vec<&str> = first.lines().filter(|line| !line.contains("any other: say")).collect();
            wrong(format!(
                "{}\n  any other: say which they are, like --columns time=created_at,input=prompt_tokens,output=completion_tokens",
                lines.join("\n")
            ))
        }
        error => wrong(own_options(&error.to_string(), false)),
    })
}

/// What the reader of traces says of the members of `replay`, in the options of this command.
fn own_options(said: &str, has_turns: bool) -> String {
    let mut said = said.to_owned();
    if has_turns {
        said = said.replace("they are taken for those of one user", "they are of no conversation");
    }
    for (in_replay, here) in [
        (
            r#"`"keep": \{ "user": "([^"]+)" \}` in `replay` keeps it"#,
            "`--columns user=$1` tells it",
        ),
        (
            r"(which requests are of one conversation \(`([^`]+)`\)) is not heeded",
            "$1: `--columns conversation=$2` tells it",
        ),
        (
            r#"`"keep": \{ "tags": \{ "([^"]+)": "([^"]+)" \} \}` in `replay` keeps it"#,
            "`--columns tag.$1=$2` tells it",
        ),
    ] {
        let is_known = regex_lite::Regex::new(in_replay);
        said = is_known.map_or(said.clone(), |pattern| pattern.replace_all(&said, here).into_owned());
    }
    for (in_replay, here) in [
        (
            "are replayed together; `only` in `replay` takes those of one",
            "are described together; `--only` takes those of one",
        ),
        (
            "are replayed like the others; `only` in `replay` takes those of one",
            "are described like the others; `--only` takes those of one",
        ),
        (
            "`only` in `replay` takes those of one value",
            "`--only` takes those of one value",
        ),
        ("are replayed like the others", "are described like the others"),
    ] {
        said = said.replace(in_replay, here);
    }
    for unit in ["ms", "us", "ns"] {
        let in_replay = format!("say in `replay` which columns are which, with \"unit\": \"{unit}\"");
        let here = format!(
            "say which columns are which, with unit={unit}, like --columns time=created_at,input=prompt_tokens,output=completion_tokens,unit={unit}"
        );
        said = said.replace(&in_replay, &here);
    }
    said
}

/// The names of what a column may be, besides tags.
const WHAT: [&str; 8] = [
    "time",
    "input",
    "output",
    "unit",
    "requests",
    "user",
    "class",
    CONVERSATION,
];

/// The name of the column that says which requests are turns of one conversation.
const CONVERSATION: &str = "conversation";

/// How the name of what a tag's column is begins.
const TAG: &str = "tag.";

/// What `--columns` says.
#[derive(Debug, Default)]
struct Columns {
    given: Option<TraceColumns>,
    keep: Option<Keep>,
    /// Whether what is kept as the user is the conversation.
    has_turns: bool,
}

/// Reads `time=…,input=…,output=…`, `unit=…` and `requests=…`, and `user=…` or `conversation=…`, `class=…,tag.NAME=…`.
fn columns(text: &str) -> Result<Columns, String> {
    let mut given: [Option<String>; 8] = [const { None }; 8];
    let mut tags: Vec<(String, String)> = Vec::new();
    for part in text.split(',') {
        let Some((what, column)) = part.split_once('=') else {
            return Err(format!("\"{}\" is not WHAT=COLUMN, like time=created_at", quoted(part)));
        };
        let (what, column) = (what.trim(), column.trim().to_owned());
        let twice = format!("`{}` is there twice", quoted(what));
        if let Some(tag) = what.strip_prefix(TAG).filter(|tag| !tag.is_empty()) {
            if tags.iter().any(|(known, _)| known == tag) {
                return Err(twice);
            }
            tags.push((tag.to_owned(), column));
            continue;
        }
        let place = WHAT.iter().position(|known| *known == what);
        let Some(place) = place else {
            let near = nearest(what, WHAT).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            return Err(format!(
                "`{}` is not one of {}, {TAG}NAME{near}",
                quoted(what),
                WHAT.join(", ")
            ));
        };
        if given[place].replace(column).is_some() {
            return Err(twice);
        }
    }
    let [time, input, output, unit, requests, user, class, conversation] = given;
    if user.is_some() && conversation.is_some() {
        return Err("`user` and `conversation` are told one at a time: give each a command of its own".to_owned());
    }
    let has_turns = conversation.is_some();
    let user = user.or(conversation);
    let keep = (user.is_some() || class.is_some() || !tags.is_empty()).then(|| Keep {
        user,
        names: false,
        class,
        classes: Named::default(),
        tags: tags.into_iter().collect(),
    });
    if keep.is_some()
        && [&time, &input, &output, &unit, &requests]
            .iter()
            .all(|given| given.is_none())
    {
        return Ok(Columns {
            given: None,
            keep,
            has_turns,
        });
    }
    let need = |what: &str, column: Option<String>| {
        column
            .filter(|column| !column.is_empty())
            .ok_or_else(|| format!("`{what}` is missing: time, input and output are needed"))
    };
    let unit = match unit.as_deref() {
        None | Some("s") => TimeUnit::Seconds,
        Some("ms") => TimeUnit::Milliseconds,
        Some("us") => TimeUnit::Microseconds,
        Some("ns") => TimeUnit::Nanoseconds,
        Some(other) => return Err(format!("unit: \"{}\" is not one of s, ms, us, ns", quoted(other))),
    };
    let columns = TraceColumns {
        time: need("time", time)?,
        input: need("input", input)?,
        output: need("output", output)?,
        requests,
        unit,
    };
    Ok(Columns {
        given: Some(columns),
        keep,
        has_turns,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_said_as_a_replay_says_them() {
        let found = columns("time=created_at,input=prompt, output=answer,unit=ms").unwrap();
        assert_eq!(found.keep, None);
        let found = found.given.unwrap();
        let of = (
            found.time.as_str(),
            found.input.as_str(),
            found.output.as_str(),
            found.unit,
        );
        assert_eq!(of, ("created_at", "prompt", "answer", TimeUnit::Milliseconds));
        for (text, wrong) in [
            (
                "time=a,input=b",
                "`output` is missing: time, input and output are needed",
            ),
            ("time", "\"time\" is not WHAT=COLUMN, like time=created_at"),
            (
                "tim=a",
                "`tim` is not one of time, input, output, unit, requests, user, class, conversation, tag.NAME; did you mean `time`?",
            ),
            ("time=a,time=b", "`time` is there twice"),
            ("tag.team=a,tag.team=b", "`tag.team` is there twice"),
            ("user=a,time=b", "`input` is missing: time, input and output are needed"),
            (
                "time=a,input=b,output=c,unit=h",
                "unit: \"h\" is not one of s, ms, us, ns",
            ),
            (
                "user=a,conversation=b",
                "`user` and `conversation` are told one at a time: give each a command of its own",
            ),
        ] {
            assert_eq!(columns(text).unwrap_err(), wrong);
        }
        let found = columns("user=end_user,class=model,tag.team=team_id,tag.key=api_key").unwrap();
        assert_eq!((found.given, found.has_turns), (None, false));
        let keep = found.keep.unwrap();
        assert_eq!(
            (keep.user.as_deref(), keep.class.as_deref()),
            (Some("end_user"), Some("model"))
        );
        let tags: Vec<(&str, &str)> = keep.tags.iter().map(|(tag, column)| (tag, column.as_str())).collect();
        assert_eq!(tags, [("team", "team_id"), ("key", "api_key")]);
        let found = columns("conversation=sessionId").unwrap();
        assert!(found.has_turns && found.keep.unwrap().user.as_deref() == Some("sessionId"));
    }

    #[test]
    fn what_is_said_of_a_replay_is_said_of_this_command() {
        let said = own_options(
            "which requests are of one conversation (`Session ID`) is not heeded",
            false,
        );
        assert_eq!(
            said,
            "which requests are of one conversation (`Session ID`): `--columns conversation=Session ID` tells it"
        );
        let said = own_options(
            "3 of 9 rows say nothing in `s`: they are taken for those of one user",
            true,
        );
        assert_eq!(said, "3 of 9 rows say nothing in `s`: they are of no conversation");
    }
}
