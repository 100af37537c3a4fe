//! The newcomer's path of the README: its commands run on the files that they name, and print what is recorded, figures aside.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use std::path::Path;

use crate::common::command::{simcap, text};

/// A text without its figures and its spacing.
fn shape(text: &str) -> Vec<String> {
    let words = text.split_whitespace().map(|word| {
        let mut out = String::new();
        for c in word.chars() {
            match c {
                '0'..='9' | '.' | ',' if out.ends_with('#') => {}
                '0'..='9' => out.push('#'),
                '─' if out.ends_with('─') => {}
                c => out.push(c),
            }
        }
        out
    });
    words.collect()
}

#[test]
fn the_path_from_a_configuration_and_a_spend_log_to_a_report_works() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let (_, path) = readme
        .split_once("### From a configuration and a spend log to a report")
        .unwrap();
    let mut blocks = path.split("\n```").skip(1).step_by(2);
    let commands = blocks.next().unwrap();
    let recorded = blocks.next().unwrap().trim_start_matches("text");
    let folder = tempfile::tempdir().unwrap();
    let files = folder.path().join("experiments/gateway");
    std::fs::create_dir_all(&files).unwrap();
    for name in ["litellm_config.yaml", "spend_logs.csv"] {
        std::fs::copy(root.join("experiments/gateway").join(name), files.join(name)).unwrap();
    }
    let mut said = String::new();
    let mut run = 0;
    for command in commands.lines().filter_map(|line| line.strip_prefix("simcap ")) {
        let words: Vec<&str> = command.split_whitespace().collect();
        let output = simcap(folder.path(), &words);
        assert!(output.status.success(), "{command}: {}", text(&output.stderr));
        said = text(&output.stdout);
        run += 1;
    }
    assert_eq!(run, 3);
    assert_eq!(shape(&said), shape(recorded), "{said}");
    assert!(folder.path().join("reports/litellm_config/report.html").exists());
}
