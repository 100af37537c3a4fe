//! Secrets that stand in a configuration in plain text: where they are, and texts without them.
//!
//! A value is one by its key (`api_key`, `password`, `webhook`), by where it stands (a Kubernetes `Secret`, the `auth` of a plugin, the `keys` of
//! a provider) or by what it is (a password in an address, `Bearer …`). A reference to what is elsewhere (`os.environ/X`, `env.X`, `${X}`,
//! `{vault://…}`) is none. A warning is given of those that could be real; what is printed of a file shows none at all, real or not. Left out:
//! secrets that stand in comments.

use super::source::Config;
use super::tree::{Entry, Node, Place, Value};
use super::warning::Warning;
use super::yaml;

/// Endings of keys whose values are secrets, without case and without what parts their words.
const KEYS: &[&str] = &[
    "apikey",
    "accesskey",
    "masterkey",
    "secretkey",
    "privatekey",
    "saltkey",
    "signingkey",
    "encryptionkey",
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "authorization",
    "webhook",
    "webhookurl",
    "webhookurls",
    "serviceaccountjson",
];

/// Beginnings of values that are keys of providers and services.
const BEGINNINGS: &[&str] = &["sk-", "ghp_", "xoxb-", "xoxp-", "glpat-", "hf_", "gsk_"];

/// Parts of addresses that let whatever knows them post a message.
const HOOKS: &[&str] = &["hooks.slack.com/services/", "/api/webhooks/", "webhook.office.com/"];

/// What stands where a key is needed and none is meant.
const DUMMIES: &[&str] = &[
    "none",
    "dummy",
    "empty",
    "fake",
    "not-needed",
    "anything",
    "placeholder",
    "changeme",
    "lm-studio",
    "ollama",
    "sk-1234",
];

/// What is printed in the place of a secret.
const MASK: &str = "***";

/// The shortest text that could be a real secret, and the shortest key by its beginning.
const SHORTEST: usize = 8;
const SHORTEST_KEY: usize = 12;

/// A secret of a configuration.
struct Secret<'a> {
    path: String,
    entry: &'a Entry,
    /// The text that is secret, of a value or in it.
    text: &'a str,
}

/// Warnings of the secrets that stand in a configuration.
pub(super) fn warnings(config: &Config) -> Vec<Warning> {
    let all = config.documents.iter().flat_map(of);
    let real = all.filter(|secret| could_be_real(secret.text));
    real.map(|secret| Warning::new("secret-in-file", secret.path, Some(secret.entry.at)))
        .collect()
}

/// A unified diff of two texts of one file, in which secrets are masked.
pub fn masked(diff: &str, before: &str, after: &str) -> String {
    let (before, after) = (lines(before), lines(after));
    let (mut old, mut new) = (0, 0);
    let (mut left_old, mut left_new) = (0, 0);
    let mut out = String::with_capacity(diff.len());
    for line in diff.split_inclusive('\n') {
        if left_old == 0 && left_new == 0 {
            if let Some([from, to]) = header(line) {
                (old, left_old) = from;
                (new, left_new) = to;
            }
            out += line;
            continue;
        }
        let (own, number) = match line.chars().next() {
            Some('-') => (&before, old),
            Some(' ' | '+') => (&after, new),
            _ => {
                out += line;
                continue;
            }
        };
        out += &line[..1];
        out += own.get(number).map_or(&line[1..], String::as_str);
        if !line.starts_with('+') {
            (old, left_old) = (old + 1, left_old - 1);
        }
        if !line.starts_with('-') {
            (new, left_new) = (new + 1, left_new - 1);
        }
    }
    out
}

/// The first lines, from 0, and the numbers of lines of both sides of a hunk.
fn header(line: &str) -> Option<[(usize, usize); 2]> {
    let mut sides = line.strip_prefix("@@ -")?.split(" @@").next()?.split(" +").map(|side| {
        let (from, count) = side.split_once(',').unwrap_or((side, "1"));
        let from: usize = from.parse().ok()?;
        Some((from.saturating_sub(1), count.parse().ok()?))
    });
    Some([sides.next()??, sides.next()??])
}

/// The lines of a text with their ends, in which secrets are masked.
fn lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    let Ok(read) = yaml::read("", 0, 0, text) else {
        return lines;
    };
    for secret in read.documents.iter().flat_map(of) {
        let pieces = || secret.text.lines().map(str::trim).filter(|piece| !piece.is_empty());
        let first = secret.entry.at.line.max(1) as usize - 1;
        let last = (secret.entry.value.at.line as usize).max(first + 1) + pieces().count();
        let mut hidden = false;
        for (number, line) in lines.iter_mut().enumerate().take(last).skip(first) {
            // What stands before the value on its own line is not part of it.
            let from = match number == first {
                true => line.find(&secret.entry.key).map_or(0, |at| at + secret.entry.key.len()),
                false => 0,
            };
            let mut rest = line[from..].to_owned();
            for piece in pieces() {
                let escaped = serde_json::json!(piece).to_string();
                let forms = [piece, &escaped[1..escaped.len() - 1], &piece.replace('\'', "''")];
                if let Some(form) = forms.into_iter().find(|form| rest.contains(*form)) {
                    rest = rest.replacen(form, MASK, 1);
                }
            }
            hidden |= rest != line[from..];
            line.replace_range(from.., &rest);
        }
        // Text that is written in a way of its own, like one folded over several lines, goes as a whole.
        if !hidden {
            let end = (secret.entry.value.at.line as usize).max(first + 1);
            for line in lines.iter_mut().take(end).skip(first) {
                let ends = line.len() - line.trim_end_matches(['\r', '\n']).len();
                let end = line[line.len() - ends..].to_owned();
                *line = format!("{MASK}{end}");
            }
        }
    }
    lines
}

/// The secrets of a document, dummies included.
fn of(document: &Node) -> Vec<Secret<'_>> {
    let mut found = Vec::new();
    let is_secret = document.text_of("kind") == Some("Secret");
    walk(document, "", is_secret, &mut found);
    found
}

fn walk<'a>(node: &'a Node, path: &str, is_secret: bool, found: &mut Vec<Secret<'a>>) {
    match &node.value {
        Value::Scalar { .. } => {}
        Value::List(items) => {
            for (number, item) in items.iter().enumerate() {
                walk(item, &format!("{path}[{number}]"), is_secret, found);
            }
        }
        Value::Map(entries) => {
            for entry in entries {
                let own = match path {
                    "" => entry.key.clone(),
                    path => format!("{path}.{}", entry.key),
                };
                let data = is_secret && ["data", "stringData"].contains(&path);
                let texts = entry.value.text().map(|text| vec![text]);
                // A list of addresses under one key is as secret as one of them.
                let texts = texts.unwrap_or_else(|| entry.value.items().iter().filter_map(Node::text).collect());
                for text in texts {
                    if let Some(text) = secret(path, &entry.key, text, data) {
                        let path = own.clone();
                        found.push(Secret { path, entry, text });
                    }
                }
                walk(&entry.value, &own, is_secret, found);
            }
        }
    }
}

/// What of a value is secret, if anything is.
fn secret<'a>(path: &str, key: &str, text: &'a str, is_data: bool) -> Option<&'a str> {
    if refers(text) {
        return None;
    }
    if let Some(password) = password(text) {
        return (!refers(password)).then_some(password);
    }
    let plain = |text: &str| -> String {
        let letters = text.chars().filter(char::is_ascii_alphanumeric);
        letters.map(|c| c.to_ascii_lowercase()).collect()
    };
    let key = plain(key);
    let above = path
        .rsplit('.')
        .next()
        .unwrap_or("")
        .to_ascii_lowercase()
        .replace('_', "");
    let is_plain_value = text.parse::<f64>().is_ok() || ["true", "false"].contains(&text);
    let by_key = KEYS.iter().any(|ending| key.ends_with(ending)) && !is_plain_value;
    let by_place = is_data
        || (above == "auth" && key.ends_with("value"))
        || (key == "value" && (above.starts_with("keys[") || above.starts_with("virtualkeys[")))
        || (key.starts_with("inline")
            && ["privatekey", "secret", "token", "password"]
                .iter()
                .any(|of| above.contains(of)));
    let by_value = HOOKS.iter().any(|hook| text.contains(hook))
        || bearer(text)
        || (text.len() >= SHORTEST_KEY
            && BEGINNINGS.iter().any(|start| text.starts_with(start))
            && !text.contains(' '));
    (by_key || by_place || by_value).then_some(text)
}

/// Whether a text is a reference to what is elsewhere.
fn refers(text: &str) -> bool {
    let starts = [
        "os.environ/",
        "$",
        "env.",
        "env::",
        "{",
        "secret:",
        "hashicorp",
        "vault",
        "dynamic::",
        "path::",
    ];
    starts.iter().any(|start| text.starts_with(start)) || ["${", "{vault", "{{"].iter().any(|of| text.contains(of))
}

/// The password of an address, `scheme://user:password@host`.
fn password(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("://")?;
    let (user, _) = rest.split(['/', '?']).next()?.rsplit_once('@')?;
    let (_, password) = user.split_once(':')?;
    (!password.is_empty()).then_some(password)
}

/// Whether a text has a bearer's token.
fn bearer(text: &str) -> bool {
    let at = text.find("Bearer ").map(|at| at + "Bearer ".len());
    at.is_some_and(|at| text[at..].trim().len() >= SHORTEST)
}

fn could_be_real(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    text.len() >= SHORTEST && !DUMMIES.iter().any(|dummy| lower.contains(dummy))
}

/// The places of warnings of secrets that are there already.
pub(super) fn told(warnings: &[Warning]) -> Vec<Option<Place>> {
    let own = warnings.iter().filter(|warning| warning.kind.code == "secret-in-file");
    own.map(|warning| warning.at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateways::export::unified::unified;
    use crate::gateways::source::from_text;

    fn found(text: &str) -> Vec<String> {
        let config = from_text("x.yaml", text).unwrap();
        let all = warnings(&config);
        all.into_iter().map(|warning| warning.subject).collect()
    }

    #[test]
    fn secrets_are_known_by_their_keys_places_and_forms() {
        let text = "general_settings:\n  master_key: sk-SECRETSECRET2\n  database_url: postgresql://llm:SECRETSECRET3@db:5432/litellm\n\
            \x20 alert_webhook: https://hooks.slack.com/services/T0/B0/SECRETSECRET4\n  max_token: 10000000000\n\
            environment_variables:\n  LANGFUSE_SECRET_KEY: sk-lf-SECRETSECRET5\n  OTEL_HEADERS: authorization=Bearer SECRETSECRET6\n\
            \x20 PORT: 4000\n  REDIS_PASSWORD: os.environ/PW\n  DATABASE_URL: postgresql://llm:${PW}@db/litellm\n";
        assert_eq!(
            found(text),
            [
                "general_settings.master_key",
                "general_settings.database_url",
                "general_settings.alert_webhook",
                "environment_variables.LANGFUSE_SECRET_KEY",
                "environment_variables.OTEL_HEADERS",
            ]
        );
        let secret = "kind: Secret\nmetadata: {name: openai-key-of-x}\nstringData: {apiKey: sk-k8s-top-secret}\ndata: {other: c2VjcmV0c2VjcmV0}\n";
        assert_eq!(found(secret), ["stringData.apiKey", "data.other"]);
        assert_eq!(
            found("a: {auth: {header_value: Bearer abcdefghijkl}}"),
            ["a.auth.header_value"]
        );
        assert_eq!(
            found("a: {auth: {header_value: 'Bearer ${{ env \"X\" }}'}}"),
            Vec::<String>::new()
        );
        assert_eq!(found("api_key: sk-1234"), Vec::<String>::new());
    }

    #[test]
    fn a_difference_shows_none_and_everything_else() {
        let before = "a:\n  api_key: sk-1234\n  url: postgresql://u:pass@db/x\n  timeout: 30\n  private_key: |\n    LINE ONE\n    LINE TWO\n\
            \x20 many: {password: abc, left: abcd}\n  json: {\"api_key\": \"a\\\"b\"}\nend: 1\n";
        let after = before.replace("timeout: 30", "timeout: 9");
        let shown = masked(&unified("x", before, &after), before, &after);
        let expected = "--- x\n+++ x\n@@ -1,7 +1,7 @@\n a:\n   api_key: ***\n   url: postgresql://u:***@db/x\n-  timeout: 30\n+  timeout: 9\n\
            \x20  private_key: |\n     ***\n     ***\n";
        assert_eq!(shown, expected);
        let after = before.replace("end: 1", "end: 2");
        let shown = masked(&unified("x", before, &after), before, &after);
        assert!(shown.contains("\n   many: {password: ***, left: abcd}\n"), "{shown}");
        assert!(shown.contains("\n   json: {\"api_key\": \"***\"}\n"), "{shown}");
        assert!(
            shown.contains("\n-end: 1\n+end: 2\n") && !shown.contains("LINE"),
            "{shown}"
        );
    }
}
