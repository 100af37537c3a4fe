//! The GitHub Action of `action.yml`: its steps are run as GitHub would, in a repository with two commits, with a `gh` that writes down
//! what it is asked.
//!
//! GitHub's own part is small here: values of `${{ … }}` are put in, `if` is heeded, outputs and the summary are files. Without bash or
//! git the test is skipped and says so.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use simcap::gateways::source;
use simcap::gateways::tree::Node;

const BEFORE: &str = "model_list:
  - {model_name: a, litellm_params: {model: openai/gpt-4.1, api_key: os.environ/A}}
  - {model_name: b, litellm_params: {model: openai/gpt-4.1, api_key: os.environ/B}}
router_settings: {num_retries: 1, timeout: 30, allowed_fails: 1, fallbacks: [{a: [b]}]}
";

const ASSUMPTIONS: &str = r#"{ "format": "simcap.assumptions/1", "rate": "2/s", "plan": { "duration": "2m", "replications": 3 },
  "providers": { "a": { "model": "gpt-4.1", "faults": [ { "random": { "server_error": "20%" } } ] } },
  "objectives": [ { "metric": "error_rate", "at_most": "2%" } ] }"#;

/// A stand-in for GitHub's program: writes its arguments down, and knows one comment if there is a file of that name.
const GH: &str = "#!/usr/bin/env bash
echo \"$*\" >> \"$GH_LOG\"
for argument in \"$@\"; do case $argument in *body=@*) cat \"${argument#body=@}\" >> \"$GH_LOG\" ;; esac; done
case \"$*\" in *--paginate*) [ ! -f \"$GH_LOG.comment\" ] || cat \"$GH_LOG.comment\" ;; esac
";

fn has(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success())
}

/// A workspace as an action has it.
struct Workspace {
    folder: tempfile::TempDir,
    base: String,
}

impl Workspace {
    fn with(after: &str) -> Workspace {
        let folder = tempfile::tempdir().unwrap();
        let repository = folder.path().join("repository");
        fs::create_dir_all(repository.join("gateway")).unwrap();
        fs::create_dir_all(folder.path().join("temp")).unwrap();
        let config = repository.join("gateway/litellm.yaml");
        fs::write(&config, BEFORE).unwrap();
        fs::write(repository.join("assumptions.json"), ASSUMPTIONS).unwrap();
        let git = |arguments: &[&str]| {
            let who = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
            let output = Command::new("git")
                .args(who)
                .args(arguments)
                .current_dir(&repository)
                .output()
                .unwrap();
            assert!(
                output.status.success(),
                "{arguments:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        };
        git(&["init", "--quiet"]);
        git(&["add", "--all"]);
        git(&["commit", "--quiet", "--message", "before"]);
        let base = git(&["rev-parse", "HEAD"]);
        fs::write(&config, after).unwrap();
        git(&["commit", "--quiet", "--all", "--message", "after", "--allow-empty"]);
        let bin = folder.path().join("bin");
        fs::create_dir(&bin).unwrap();
        fs::write(bin.join("gh"), GH).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(bin.join("gh"), fs::Permissions::from_mode(0o755)).unwrap();
        }
        Workspace { folder, base }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap_or_default()
    }

    /// Runs every step, and gives the exit code of the first that fails, with what it said.
    fn run(&self, action: &Node) -> (i32, String) {
        let mut known: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in [
            ("inputs.config", "gateway/litellm.yaml"),
            ("inputs.assumptions", "assumptions.json"),
            ("inputs.base", &self.base),
            ("inputs.pull-request", "17"),
            ("inputs.fail-on", "error"),
            ("inputs.simcap", env!("CARGO_BIN_EXE_simcap")),
            ("inputs.token", "no-token"),
            ("github.action_path", env!("CARGO_MANIFEST_DIR")),
        ] {
            known.insert(name.to_owned(), value.to_owned());
        }
        let steps = action.find("runs.steps").unwrap().items();
        assert!(!steps.is_empty());
        for step in steps {
            assert_eq!(step.text_of("shell"), Some("bash"), "{step:?}");
            if let Some(condition) = step.text_of("if") {
                assert_eq!(condition, "${{ inputs.pull-request != '' }}");
            }
            let mut command = Command::new("bash");
            command.args([
                "--noprofile",
                "--norc",
                "-e",
                "-o",
                "pipefail",
                "-c",
                step.text_of("run").unwrap(),
            ]);
            for entry in step.get("env").map_or(&[][..], Node::entries) {
                command.env(&entry.key, put_in(entry.value.text().unwrap(), &known));
            }
            let output = self.file("output");
            fs::write(&output, "").unwrap();
            let path = format!("{}:{}", self.file("bin").display(), std::env::var("PATH").unwrap());
            command
                .current_dir(self.file("repository"))
                .env("PATH", path)
                .env("RUNNER_TEMP", self.file("temp"))
                .env("GITHUB_OUTPUT", &output)
                .env("GITHUB_STEP_SUMMARY", self.file("summary"))
                .env("GITHUB_REPOSITORY", "house/gateway")
                .env("GH_LOG", self.file("gh"));
            let done = command.output().unwrap();
            if !done.status.success() {
                return (
                    done.status.code().unwrap(),
                    String::from_utf8_lossy(&done.stderr).into_owned(),
                );
            }
            let id = step.text_of("id").unwrap_or("");
            for line in fs::read_to_string(&output).unwrap().lines() {
                let (name, value) = line.split_once('=').unwrap();
                known.insert(format!("steps.{id}.outputs.{name}"), value.to_owned());
            }
        }
        (0, String::new())
    }
}

/// A text with the values that GitHub puts in; one that is not known is a mistake of the action.
fn put_in(text: &str, known: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, inside)) = rest.split_once("${{") {
        let (name, after) = inside.split_once("}}").unwrap();
        out += before;
        out += known.get(name.trim()).unwrap_or_else(|| panic!("nothing gives {name}"));
        rest = after;
    }
    out + rest
}

fn action() -> Option<Node> {
    if !has("bash") || !has("git") {
        eprintln!("skipped: there is no bash or no git to run the action's steps");
        return None;
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("action.yml");
    Some(source::open(&path).unwrap().documents.remove(0))
}

#[test]
fn a_pull_request_that_breaks_an_objective_is_told_and_fails() {
    let Some(action) = action() else { return };
    let workspace = Workspace::with(
        &BEFORE
            .replace("num_retries: 1", "num_retries: 0")
            .replace(", fallbacks: [{a: [b]}]", ""),
    );
    let (code, said) = workspace.run(&action);
    assert_eq!(code, 1, "{said}");
    let asked = workspace.read("gh");
    assert!(
        asked.contains("api --paginate repos/house/gateway/issues/17/comments"),
        "{asked}"
    );
    assert!(asked.contains("pr comment 17 --repo house/gateway"), "{asked}");
    let summary = workspace.read("summary");
    assert!(summary.starts_with("### simcap: litellm.yaml"), "{summary}");
    assert!(
        summary.contains("| every group: retries | litellm (retries 1) | never |"),
        "{summary}"
    );
    assert!(summary.contains("| pass | **fail** |"), "{summary}");
    let comment = workspace.read("temp/simcap-comment.md");
    assert_eq!(comment, format!("<!-- simcap diff gateway/litellm.yaml -->\n{summary}"));
}

#[test]
fn a_later_push_writes_the_same_comment_anew() {
    let Some(action) = action() else { return };
    let workspace = Workspace::with(&BEFORE.replace("timeout: 30", "timeout: 20"));
    fs::write(workspace.file("gh.comment"), "4711\n4712\n").unwrap();
    let (code, said) = workspace.run(&action);
    assert_eq!(code, 0, "{said}");
    let asked = workspace.read("gh");
    assert!(
        asked.contains("--method PATCH repos/house/gateway/issues/comments/4711"),
        "{asked}"
    );
    assert!(!asked.contains("pr comment"), "{asked}");
}

#[test]
fn what_cannot_be_read_is_told_and_fails() {
    let Some(action) = action() else { return };
    let workspace = Workspace::with("model_list: [");
    let (code, _) = workspace.run(&action);
    assert_eq!(code, 2);
    let summary = workspace.read("summary");
    assert!(
        summary.contains("nothing is compared") && summary.contains("litellm.yaml: line 2: is no YAML"),
        "{summary}"
    );
}
