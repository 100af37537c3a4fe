//! The handbook in `docs/book`: every command in it runs, every piece of JSON loads, every link leads somewhere.
//!
//! Blocks are read in their order, in a folder of their own for each chapter. In ```` ```console ```` a line that begins with `$ simcap` is a
//! command; what stands below it is what it printed once, and is not compared, since runs are shortened here. ```` ```json ```` blocks
//! say in their first line what they are: `config=NAME` the configuration of a gateway, `claims=NAME` a file of claims, `file=NAME` a file, `wrong=NAME` one with mistakes, which the next command must
//! refuse, `part` fields in place of those of the last experiment, `policy` a policy more in it. Chapters under `manual` are
//! written by the program; their JSON is the examples of its pages, which other tests load.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::common::command::{simcap, text};

/// The chapters that people write.
const CHAPTERS: [&str; 11] = [
    "introduction",
    "first-experiment",
    "traffic",
    "your-gateway",
    "report",
    "statistics",
    "capacity",
    "claims",
    "providers",
    "faq",
    "reference",
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/book/src")
}

fn chapter(name: &str) -> String {
    fs::read_to_string(folder().join(name).with_extension("md")).unwrap()
}

/// A block of a chapter: what stands behind its fence, and its text.
fn blocks(chapter: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut lines = chapter.lines();
    while let Some(line) = lines.next() {
        if let Some(of) = line.strip_prefix("```") {
            let inside: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push((of.to_owned(), inside.join("\n")));
        }
    }
    blocks
}

/// The words of a command, as a shell would see them.
fn words(command: &str) -> Vec<String> {
    let words = command.split_whitespace();
    words.map(|word| word.trim_matches('\'').to_owned()).collect()
}

/// A server that ends with the chapter.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A chapter as it is worked through.
struct Reading {
    name: &'static str,
    folder: tempfile::TempDir,
    /// The file of the last experiment.
    latest: Option<String>,
    /// The file that has mistakes.
    wrong: Option<String>,
    /// A port that is free, in place of 8080.
    port: u16,
    servers: Vec<Server>,
}

impl Reading {
    fn of(name: &'static str) -> Reading {
        let port = TcpListener::bind(("127.0.0.1", 0))
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        Reading {
            name,
            folder: tempfile::tempdir().unwrap(),
            latest: None,
            wrong: None,
            port,
            servers: Vec::new(),
        }
    }

    fn command(&mut self, command: &str) {
        let command = command.replace("8080", &self.port.to_string());
        let (command, is_server) = match command.strip_suffix(" &") {
            Some(command) => (command, true),
            None => (command.as_str(), false),
        };
        let mut words = words(command);
        assert_eq!(words.remove(0), "simcap", "{}: {command}", self.name);
        if is_server {
            return self.serve(&words);
        }
        let reads_result = words.iter().any(|word| word.ends_with("result.json"));
        let simulates = words[0] == "diff" && words.iter().any(|word| word == "--with");
        if (["run", "compare", "drill"].contains(&words[0].as_str()) && !reads_result) || simulates {
            // A bound on replications in the text gives way to this one.
            if let Some(at) = words.iter().position(|word| word == "--replications") {
                words.drain(at..at + 2);
            }
            words.extend(["--replications", "2"].map(String::from));
        }
        if words[0] == "init" {
            self.latest = words
                .get(1)
                .filter(|word| word.ends_with(".json"))
                .cloned()
                .or(self.latest.take());
        }
        let arguments: Vec<&str> = words.iter().map(String::as_str).collect();
        let output = simcap(self.folder.path(), &arguments);
        let code = output.status.code();
        let is_wrong = self.wrong.take_if(|wrong| words.contains(wrong)).is_some();
        let fine: &[i32] = match (is_wrong, words[0].as_str()) {
            (true, _) => &[2],
            // An objective or a claim may fail, a model of few requests need not be good, and a busy machine delays probes.
            (false, "run" | "compare" | "diff" | "validate" | "calibrate" | "audit") => &[0, 1],
            (false, _) => &[0],
        };
        let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert!(
            code.is_some_and(|code| fine.contains(&code)),
            "{}: {command}: {code:?}\n{said}",
            self.name
        );
    }

    fn serve(&mut self, words: &[String]) {
        let mut server = Command::new(env!("CARGO_BIN_EXE_simcap"));
        server
            .args(words)
            .current_dir(self.folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.servers.push(Server(server.spawn().unwrap()));
        let is_up = || std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok();
        let up = (0..100).any(|_| {
            std::thread::sleep(Duration::from_millis(50));
            is_up()
        });
        assert!(up, "{words:?} does not answer");
    }

    fn json(&mut self, what: &str, json: &str) {
        if let Some(file) = what.strip_prefix("file=") {
            fs::write(self.folder.path().join(file), json).unwrap();
            self.latest = Some(file.to_owned());
            return self.command(&format!("simcap check {file}"));
        }
        if let Some(file) = what.strip_prefix("config=").or(what.strip_prefix("claims=")) {
            return fs::write(self.folder.path().join(file), json).unwrap();
        }
        if let Some(file) = what.strip_prefix("wrong=") {
            fs::write(self.folder.path().join(file), json).unwrap();
            self.wrong = Some(file.to_owned());
            return;
        }
        let latest = self
            .latest
            .clone()
            .unwrap_or_else(|| panic!("{}: there is no experiment before {json}", self.name));
        let said = fs::read_to_string(self.folder.path().join(&latest)).unwrap();
        let mut experiment = without_comments(&said);
        match what {
            "part" => {
                let fields: Value =
                    serde_json::from_str(&format!("{{{json}}}")).unwrap_or_else(|e| panic!("{e}: {json}"));
                for (name, field) in fields.as_object().unwrap() {
                    experiment[name] = field.clone();
                }
            }
            "policy" => {
                let policy: Value = serde_json::from_str(json).unwrap_or_else(|e| panic!("{e}: {json}"));
                experiment["policies"].as_array_mut().unwrap().push(policy);
            }
            other => panic!("{}: a block of JSON is {other:?}", self.name),
        }
        fs::write(self.folder.path().join("with-part.json"), experiment.to_string()).unwrap();
        self.command("simcap check with-part.json");
    }
}

/// A file whose comments stand on lines of their own.
fn without_comments(text: &str) -> Value {
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect();
    serde_json::from_str(&lines.join("\n")).unwrap()
}

fn every_block_of(name: &'static str) {
    let mut reading = Reading::of(name);
    for (of, text) in blocks(&chapter(name)) {
        match of.split_once(',').unwrap_or((of.as_str(), "")) {
            ("console", "") => {
                let commands = text
                    .lines()
                    .filter(|line| line.starts_with("$ simcap"))
                    .map(|line| &line[2..]);
                commands.for_each(|command| reading.command(command));
            }
            ("json", what) => reading.json(what, &text),
            ("yaml", what) if what.starts_with("config=") => reading.json(what, &text),
            ("csv", what) if what.starts_with("file=") => {
                let file = what.trim_start_matches("file=");
                fs::write(reading.folder.path().join(file), &text).unwrap();
            }
            // A workflow of GitHub, whose action `tests/action.rs` runs.
            ("yaml", "") => {}
            other => panic!("{name} has a block of {other:?}, which no test runs"),
        }
    }
    assert!(reading.wrong.is_none(), "{name}: nothing refuses {:?}", reading.wrong);
}

#[test]
fn everything_in_the_chapters_works() {
    // The one with a measurement takes longest, and waits most of the time.
    std::thread::scope(|scope| {
        scope.spawn(|| every_block_of("providers"));
        CHAPTERS
            .into_iter()
            .filter(|name| *name != "providers")
            .for_each(every_block_of);
    });
}

/// The targets of links in `text`, outside of code.
fn links(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut in_block = false;
    for line in text.lines() {
        in_block ^= line.starts_with("```");
        if in_block {
            continue;
        }
        let outside: String = line.split('`').step_by(2).collect::<Vec<_>>().join("_");
        let targets = outside.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        found.extend(targets.map(|(target, _)| target.to_owned()));
    }
    found
}

#[test]
fn every_link_leads_somewhere_and_every_chapter_is_in_the_contents() {
    let contents = chapter("SUMMARY");
    let listed: BTreeSet<String> = links(&contents).into_iter().collect();
    let mut files = Vec::new();
    for below in ["", "manual"] {
        for entry in fs::read_dir(folder().join(below)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "md") {
                files.push(path);
            }
        }
    }
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        for link in links(&text).iter().filter(|link| !link.starts_with("http")) {
            let target = path.parent().unwrap().join(link.split('#').next().unwrap());
            assert!(target.exists(), "{}: {link} leads nowhere", path.display());
        }
        let name = path.strip_prefix(folder()).unwrap().to_str().unwrap().to_owned();
        assert!(
            name == "SUMMARY.md" || listed.contains(&name),
            "{name} is not in the contents"
        );
    }
    let written: Vec<String> = listed.into_iter().filter(|name| !name.starts_with("manual/")).collect();
    let mut chapters = CHAPTERS.map(|name| format!("{name}.md"));
    chapters.sort();
    assert_eq!(written, chapters);
}
