//! From a path to the trees of a configuration: the file, what it includes, and what it is wrapped in.
//!
//! A LiteLLM file may stand by itself, under `proxy_config` in the values of a Helm chart, or as a text in a ConfigMap; `include` is
//! followed as LiteLLM 1.109.1 does (`proxy/common_utils/config_includes.py`): relative to the file that says it, each file once, lists
//! are extended and every other value is replaced. Files are bounded before they are read.

use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::tree::{Entry, Node, Place, Value};
use super::{Refused, toml, yaml};
use crate::form::diagnose::quoted;
use crate::import::source;

/// The most files that one configuration includes.
const MOST_FILES: usize = 64;

/// A configuration with all that it includes.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The files, as they are called; places name them by number.
    pub files: Vec<String>,
    /// The documents of the file.
    pub documents: Vec<Node>,
    /// The values of the chart around it, if it was in one.
    pub chart: Option<Node>,
    /// Where the first alias stands.
    pub alias: Option<Place>,
    /// Keys that stand in one mapping more than once.
    pub repeated: Vec<(Place, String)>,
    /// Sections of an earlier file that an included one replaces.
    pub replaced: Vec<(Place, String)>,
    /// The SHA-256 of the file's text, in hexadecimal digits; of what it includes nothing is in it.
    pub sha256: String,
}

/// The SHA-256 of a text in hexadecimal digits.
pub fn sha256(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Opens the configuration at `path`.
///
/// # Errors
/// If a file cannot be read or is not YAML or JSON.
pub fn open(path: &Path) -> Result<Config, Refused> {
    open_with(path, &mut |path| text_of(path, &path.display().to_string()))
}

/// Opens the configuration at `path` with the texts of files that `read` gives.
///
/// # Errors
/// As [`open`], and those of `read`.
pub fn open_with(path: &Path, read: &mut dyn FnMut(&Path) -> Result<String, Refused>) -> Result<Config, Refused> {
    let text = read(path)?;
    let mut config = Config {
        sha256: sha256(&text),
        ..Config::default()
    };
    config.documents = config.add(path.display().to_string(), 0, &text)?;
    config.unwrap_it()?;
    config.include(path, read)?;
    Ok(config)
}

/// A configuration from its text alone: `include` is not followed.
///
/// # Errors
/// As [`open`].
pub fn from_text(name: &str, text: &str) -> Result<Config, Refused> {
    let mut config = Config {
        sha256: sha256(text),
        ..Config::default()
    };
    config.documents = config.add(name.to_owned(), 0, text)?;
    config.unwrap_it()?;
    Ok(config)
}

/// The text of a file, which is bounded.
pub(super) fn text_of(path: &Path, name: &str) -> Result<String, Refused> {
    let read = match path == Path::new("-") {
        true => source::piped(yaml::MOST_BYTES),
        false => source::read(path, yaml::MOST_BYTES),
    };
    let bytes = read.map_err(|error| {
        let what = match error.kind() {
            io::ErrorKind::NotFound => "there is no such file".to_owned(),
            _ => error.to_string(),
        };
        Refused::whole(name, what)
    })?;
    String::from_utf8(bytes).map_err(|_| Refused::whole(name, "is not UTF-8"))
}

impl Config {
    /// The name of the file that `at` is in.
    pub fn file(&self, at: Place) -> &str {
        self.files.get(usize::from(at.file)).map_or("", String::as_str)
    }

    /// The first document, which is all that most products read.
    pub fn first(&self) -> Option<&Node> {
        self.documents.first()
    }

    fn add(&mut self, name: String, before: u32, text: &str) -> Result<Vec<Node>, Refused> {
        let file = self.files.len() as u16;
        let read = match toml::is_toml(&name, text) {
            true => toml::read(&name, file, text)?,
            false => yaml::read(&name, file, before, text)?,
        };
        self.files.push(name);
        self.alias = self.alias.or(read.alias);
        self.repeated.extend(read.repeated);
        Ok(read.documents)
    }

    /// Takes a configuration out of a chart's values or of a ConfigMap.
    fn unwrap_it(&mut self) -> Result<(), Refused> {
        if let Some(inner) = self.first().and_then(|node| node.get("proxy_config")).cloned() {
            self.chart = self.documents.drain(..).next();
            self.documents = vec![inner];
            return Ok(());
        }
        let is_map = |node: &&Node| node.text_of("kind") == Some("ConfigMap");
        let Some(data) = self.documents.iter().find(is_map).and_then(|node| node.get("data")) else {
            return Ok(());
        };
        let is_config = |entry: &&Entry| entry.value.text().is_some_and(|text| text.contains("model_list"));
        let Some(entry) = data.entries().iter().find(is_config).cloned() else {
            return Ok(());
        };
        // A block's text begins below its mark.
        let text = entry.value.text().unwrap_or("").to_owned();
        let name = self.files.remove(0);
        self.documents = self.add(name, entry.at.line, &text)?;
        Ok(())
    }

    fn include(&mut self, path: &Path, read: &mut dyn FnMut(&Path) -> Result<String, Refused>) -> Result<(), Refused> {
        let mut seen = vec![path.to_owned()];
        let mut pending = self.first().map_or_else(Vec::new, |node| included(node, path));
        while !pending.is_empty() {
            let (file, at) = pending.remove(0);
            if seen.contains(&file) {
                continue;
            }
            if self.files.len() >= MOST_FILES {
                return Err(Refused::at(
                    self.file(at),
                    at.line,
                    format!("it includes more than {MOST_FILES} files"),
                ));
            }
            let name = file.display().to_string();
            let text = read(&file).map_err(|refused| {
                Refused::at(
                    self.file(at),
                    at.line,
                    format!("includes {}: {}", quoted(&name), refused.what),
                )
            })?;
            let Some(node) = self.add(name, 0, &text)?.into_iter().next() else {
                continue;
            };
            pending.extend(included(&node, &file));
            seen.push(file);
            self.merge(node);
        }
        Ok(())
    }

    fn merge(&mut self, node: Node) {
        let Value::Map(more) = node.value else { return };
        let Some(Node {
            value: Value::Map(entries),
            ..
        }) = self.documents.first_mut()
        else {
            return;
        };
        for entry in more.into_iter().filter(|entry| entry.key != "include") {
            let there = entries.iter_mut().find(|e| e.key == entry.key);
            match (there, entry.value.value) {
                (
                    Some(Entry {
                        value:
                            Node {
                                value: Value::List(items),
                                ..
                            },
                        ..
                    }),
                    Value::List(further),
                ) => {
                    items.extend(further);
                }
                (Some(there), value) => {
                    self.replaced.push((there.at, entry.key));
                    (there.at, there.value.value) = (entry.at, value);
                }
                (None, value) => {
                    let value = Node {
                        at: entry.value.at,
                        value,
                    };
                    entries.push(Entry { value, ..entry });
                }
            }
        }
    }
}

/// The files that `node`, in the file at `path`, includes.
fn included(node: &Node, path: &Path) -> Vec<(PathBuf, Place)> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let items = node.get("include").map_or(&[][..], Node::items);
    let file = |item: &Node| Some((folder.join(item.text()?), item.at));
    items.iter().filter_map(file).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn includes_extend_lists_and_replace_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("a.yaml", "include: [b.yaml]\nmodel_list: [1]\ns: {x: 1}\n");
        write("b.yaml", "include: [a.yaml, b.yaml]\nmodel_list: [2]\n\ns: {y: 1}\n");
        let config = open(&folder.path().join("a.yaml")).unwrap();
        let first = config.first().unwrap();
        assert_eq!(first.get("model_list").unwrap().texts(), ["1", "2"]);
        assert!(first.find("s.x").is_none() && first.find("s.y").is_some());
        assert_eq!(first.entry("s").unwrap().at, Place { file: 1, line: 4 });
        assert_eq!(config.replaced, [(Place { file: 0, line: 3 }, "s".to_owned())]);
        write("a.yaml", "\ninclude: [nobody.yaml]\n");
        let refused = open(&folder.path().join("a.yaml")).unwrap_err().to_string();
        assert!(refused.contains("a.yaml: line 2: includes"), "{refused}");
    }

    #[test]
    fn a_config_map_and_a_chart_are_unwrapped() {
        let map = "kind: ConfigMap\ndata:\n  config.yaml: |\n    model_list:\n      - model_name: a\n";
        let config = from_text("map.yaml", map).unwrap();
        let models = config.first().unwrap().get("model_list").unwrap();
        assert_eq!(models.items()[0].entry("model_name").unwrap().at.line, 5);
        let chart = from_text("values.yaml", "replicaCount: 3\nproxy_config: {model_list: []}").unwrap();
        assert_eq!(chart.chart.unwrap().count_of("replicaCount"), Some(3));
        assert!(chart.documents[0].get("model_list").is_some());
    }
}
