//! The command line that goes on with this run.

use std::ffi::OsString;

/// The program's own command line with `--resume`, as a shell takes it.
pub(in crate::cli) fn command() -> String {
    of(std::env::args_os())
}

fn of(arguments: impl IntoIterator<Item = OsString>) -> String {
    let mut all: Vec<String> = arguments
        .into_iter()
        .map(|argument| quoted(&argument.to_string_lossy()))
        .collect();
    if !all.iter().any(|argument| argument == "--resume") {
        all.push("--resume".into());
    }
    all.join(" ")
}

/// `text` in single quotes, unless it needs none.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_quoted_for_a_shell_and_asks_once_to_go_on() {
        let of = |arguments: &[&str]| super::of(arguments.iter().map(OsString::from));
        assert_eq!(of(&["simcap", "run", "a b.json"]), "simcap run 'a b.json' --resume");
        assert_eq!(
            of(&["simcap", "run", "--resume", "it's"]),
            r"simcap run --resume 'it'\''s'"
        );
    }
}
