//! The documentation speaks plainly: each doc stands alone, in the terms of the field, and a provider is a thing.
//!
//! Docs are what an editor shows one at a time, of a Rust item or, through the JSON Schema, of a field in an
//! experiment. The rules hold for every comment in the folders of [`DONE`], tests left out, and for the headers of
//! `tests`; [`PEOPLE`] names the files that may say "who", because they say it of people. Left out: what
//! no list of words can find, such as a wrong unit.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use std::fs;
use std::path::Path;

/// The folders that keep the rules. Of `tests` the headers do.
const DONE: [&str; 4] = ["benches", "examples", "fuzz", "src"];

/// Words for persons, which stand for a provider, an attempt or a request when they stand in a comment.
const PERSONS: [&str; 9] = [
    "who",
    "whom",
    "whoever",
    "whomever",
    "nobody",
    "somebody",
    "anybody",
    "everybody",
    "someone",
];

/// The files that speak of people, and the words that they may use for them.
const PEOPLE: [(&str, &[&str]); 9] = [
    ("src/calibrate/logs/mod.rs", &["who"]),
    ("src/calibrate/logs/twice.rs", &["who"]),
    ("src/engine/world/follow.rs", &["who"]),
    ("src/kernel/chance.rs", &["who"]),
    ("src/traffic/arrivals/closed_loop.rs", &["who"]),
    ("src/traffic/arrivals/poisson.rs", &["who"]),
    ("src/traffic/mod.rs", &["who"]),
    ("src/traffic/users.rs", &["who"]),
    ("tests/words.rs", &["who"]),
];

/// Beginnings of a doc that leans on the line before it.
const LEANING: [&str; 9] = [
    "Its ",
    "See ",
    "The same ",
    "The same.",
    "As [`",
    "As `",
    "Of these",
    "Of those",
    "Likewise",
];

/// Words after "is no" that make a comparison of it: "is no longer".
const COMPARISONS: [&str; 5] = ["longer", "more", "less", "later", "earlier"];

/// A comment: the lines of one kind that follow each other, joined.
#[derive(Debug, PartialEq)]
struct Comment {
    /// The number of its first line, from 1.
    line: usize,
    /// Whether it is documentation (`///` or `//!`).
    is_doc: bool,
    text: String,
}

/// The comments of a file, without those of the module of tests at its foot.
fn comments(file: &str) -> Vec<Comment> {
    let end = file.find("#[cfg(test)]\nmod tests {").unwrap_or(file.len());
    let mut comments: Vec<Comment> = Vec::new();
    let mut last = "";
    for (number, line) in file[..end].lines().enumerate() {
        let line = line.trim_start();
        let kind = ["//!", "///", "//"]
            .into_iter()
            .find(|kind| line.starts_with(kind))
            .unwrap_or("");
        let text = line[kind.len()..].trim();
        match comments.last_mut() {
            _ if kind.is_empty() => {}
            Some(comment) if kind == last => {
                comment.text.push(' ');
                comment.text.push_str(text);
            }
            _ => comments.push(Comment {
                line: number + 1,
                is_doc: kind != "//",
                text: text.to_owned(),
            }),
        }
        last = kind;
    }
    comments
}

/// The words of a text, without punctuation.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '.')
        .map(|word| word.trim_matches('.'))
}

/// Whether a word is the number of a field report, which only `models/README.md` explains: R0 to R4, or a part of one.
fn is_report(word: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    word.strip_prefix('R').is_some_and(|number| {
        let (report, part) = number.split_once('.').unwrap_or((number, "0"));
        matches!(report, "0" | "1" | "2" | "3" | "4") && digits(part)
    })
}

/// The faults of a comment, in words; `people` are the words for persons that its file may use.
fn faults(comment: &Comment, people: &[&str]) -> Vec<String> {
    let text = &comment.text;
    let mut faults = Vec::new();
    for word in words(text) {
        let lower = word.to_lowercase();
        if PERSONS.contains(&lower.as_str()) && !people.contains(&lower.as_str()) {
            faults.push(format!("\"{word}\": a provider, an attempt or a request is a thing"));
        }
        if is_report(word) {
            faults.push(format!("\"{word}\": name the article that this number stands for"));
        }
    }
    let plain: Vec<String> = words(text)
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    for (i, pair) in plain.windows(2).enumerate() {
        let denies = matches!(pair[0].as_str(), "is" | "are" | "was" | "were") && pair[1] == "no";
        let exists = i > 0 && plain[i - 1] == "there";
        let compares = plain
            .get(i + 2)
            .is_some_and(|next| COMPARISONS.contains(&next.as_str()));
        if denies && !exists && !compares {
            faults.push(format!("\"{} no\": say \"{} not\"", pair[0], pair[0]));
        }
    }
    if comment.is_doc {
        if let Some(beginning) = LEANING.iter().find(|beginning| text.starts_with(*beginning)) {
            faults.push(format!("begins with \"{}\": a doc stands alone", beginning.trim()));
        }
        if plain.len() < 3 {
            faults.push("fewer than three words".to_owned());
        }
    }
    faults
}

/// Adds the faults of a file to `found`, those of the comments for which `of` holds.
fn read(root: &Path, path: &Path, of: fn(&Comment) -> bool, found: &mut Vec<String>) {
    let name = path.strip_prefix(root).unwrap().display().to_string();
    let people = PEOPLE
        .iter()
        .find(|(file, _)| *file == name)
        .map_or(&[][..], |(_, words)| *words);
    let comments = comments(&fs::read_to_string(path).unwrap());
    for comment in comments.into_iter().filter(of) {
        for fault in faults(&comment, people) {
            found.push(format!("{name}:{}: {fault}: {}", comment.line, comment.text));
        }
    }
}

/// Adds the faults of the files under `folder` to `found`, but for those of tests.
fn walk(root: &Path, folder: &Path, of: fn(&Comment) -> bool, found: &mut Vec<String>) {
    let mut paths: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            if path.file_name().is_none_or(|name| name != "target") {
                walk(root, &path, of, found);
            }
        } else if path.extension().is_some_and(|e| e == "rs") && path.file_stem().is_none_or(|stem| stem != "tests") {
            read(root, &path, of, found);
        }
    }
}

#[test]
fn comments_speak_plainly() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in DONE {
        walk(root, &root.join(folder), |_| true, &mut found);
    }
    walk(root, &root.join("tests"), |comment| comment.line == 1, &mut found);
    assert!(found.is_empty(), "{} faults:\n{}", found.len(), found.join("\n"));
}

/// Each rule, on a comment that breaks it and on one like it that does not.
#[test]
fn each_rule_finds_its_fault() {
    let is_faulty = |text: &str| {
        let comments = comments(text);
        assert_eq!(comments.len(), 1, "{text}");
        !faults(&comments[0], &[]).is_empty()
    };
    for (faulty, fine) in [
        (
            "/// Calls the provider if nobody waits.",
            "/// Calls the provider if no request waits.",
        ),
        ("// Who is late is shed.", "// A late request is shed."),
        ("/// A 404 is no fault.", "/// A 404 is not a fault."),
        (
            "/// They are no\n/// candidates for it.",
            "/// There are no candidates for it.",
        ),
        (
            "//! R0's limiter, as published.",
            "//! R5 and RFC 9110 are not field reports.",
        ),
        ("/// A rule of R2.4, as published.", "/// A rule of 2.4, as published."),
        ("/// Its mean, in seconds.", "/// The mean in seconds."),
        (
            "/// See `hedges_planned` for this.",
            "/// The planned hedges (see `hedges`).",
        ),
        ("/// Whose.", "/// The provider's number."),
        ("/// The\n/// mean.", "// The mean."),
    ] {
        assert!(is_faulty(faulty), "{faulty}");
        assert!(!is_faulty(fine), "{fine}");
    }
}

/// Code, strings and the tests at the foot of a file are not comments; a change of kind begins a new one.
#[test]
fn only_comments_are_read() {
    let file = "//! One.\n\nlet who = \"// nobody\";\n/// Two\n/// lines.\n// Three.\n#[cfg(test)]\nmod tests {\n// nobody\n}\n";
    let read: Vec<_> = comments(file).into_iter().map(|c| (c.line, c.is_doc, c.text)).collect();
    assert_eq!(
        read,
        [
            (1, true, "One.".to_owned()),
            (4, true, "Two lines.".to_owned()),
            (6, false, "Three.".to_owned()),
        ]
    );
}
