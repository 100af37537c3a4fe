//! The manual pages of parts, read out of their files' headers.
//!
//! A page is Markdown of few forms: paragraphs, lists, one table of parameters, blocks of JSON of which the first is its example. What
//! every page has is a test of [`crate::experiment::kinds`].

pub mod fields;
pub mod pretty;

use schemars::JsonSchema;
use serde_json::Value;

use super::registry::Kind;

/// What is known by name to its users and has parts here.
pub const PRODUCTS: [&str; 18] = [
    "LiteLLM",
    "Portkey",
    "Kong",
    "Envoy",
    "OpenRouter",
    "Helicone",
    "Bifrost",
    "TensorZero",
    "Finagle",
    "Linkerd",
    "tower",
    "NGINX",
    "vLLM",
    "SMG",
    "SGLang",
    "llm-d",
    "RouteLLM",
    "FrugalGPT",
];

/// A manual page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manual {
    /// The name of the part in a file.
    pub name: &'static str,
    /// The heading of the group that begins with it, if one does.
    pub group: Option<&'static str>,
    /// What it is, in a line.
    pub title: String,
    /// The rest, in order.
    pub blocks: Vec<Block>,
}

/// A part of a page, as it is written: names stand between backticks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// A paragraph of text.
    Text(String),
    /// An item of a list.
    Item(String),
    /// A table: its heads, then its rows.
    Table(Vec<Vec<String>>),
    /// Code, line by line.
    Code(Vec<String>),
}

/// Every page of a kind, in the order of its list.
pub fn of<K: Kind + JsonSchema>() -> Vec<Manual> {
    let schema = schemars::schema_for!(K).to_value();
    let pages = K::PAGES.iter();
    pages
        .map(|page| {
            let mut read = read(page.name, page.group, page.source);
            read.say_who_takes_part(&schema);
            read
        })
        .collect()
}

/// The page that heads `source`.
pub fn read(name: &'static str, group: Option<&'static str>, source: &str) -> Manual {
    let header = source.lines().map_while(|line| line.strip_prefix("//!"));
    let mut lines = header.map(|line| line.strip_prefix(' ').unwrap_or(line));
    let title: Vec<&str> = lines.by_ref().take_while(|line| !line.trim().is_empty()).collect();
    let title = title.join(" ");
    let mut blocks: Vec<Block> = Vec::new();
    // Whether the next line of text goes on with the last block.
    let mut goes_on = false;
    while let Some(line) = lines.next() {
        if line.starts_with("```") {
            let code = lines.by_ref().take_while(|line| !line.starts_with("```"));
            blocks.push(Block::Code(code.map(str::to_owned).collect()));
            goes_on = false;
        } else if line.trim().is_empty() {
            goes_on = false;
        } else if let Some(row) = line.strip_prefix('|') {
            table_row(&mut blocks, row);
            goes_on = false;
        } else if let Some(text) = line.strip_prefix("- ") {
            blocks.push(Block::Item(text.to_owned()));
            goes_on = true;
        } else if let (true, Some(Block::Text(text) | Block::Item(text))) = (goes_on, blocks.last_mut()) {
            *text += " ";
            *text += line.trim();
        } else {
            blocks.push(Block::Text(line.to_owned()));
            goes_on = true;
        }
    }
    Manual {
        name,
        group,
        title,
        blocks,
    }
}

/// Puts `row` into the table that `blocks` ends with, or begins one; the rule below the heads says nothing.
fn table_row(blocks: &mut Vec<Block>, row: &str) {
    let row = row.trim_end();
    let cells: Vec<String> = row
        .strip_suffix('|')
        .unwrap_or(row)
        .split('|')
        .map(|cell| cell.trim().to_owned())
        .collect();
    if cells.iter().all(|cell| cell.chars().all(|c| "-: ".contains(c))) {
        return;
    }
    match blocks.last_mut() {
        Some(Block::Table(rows)) => rows.push(cells),
        _ => blocks.push(Block::Table(vec![cells])),
    }
}

impl Manual {
    /// Puts the row of `providers`, which most policies have alike, into the table of parameters.
    fn say_who_takes_part(&mut self, schema: &Value) {
        let forms = schema["oneOf"].as_array();
        let parameters = forms
            .into_iter()
            .flatten()
            .find_map(|form| form["properties"].get(self.name));
        let reference = parameters.and_then(|p| p["$ref"].as_str()?.strip_prefix('#'));
        let parameters = reference.map_or(parameters, |at| schema.pointer(at));
        let Some(parameters) = parameters.filter(|p| p["properties"].get("providers").is_some()) else {
            return;
        };
        let required = parameters["required"].as_array();
        let is_required = required.is_some_and(|names| names.iter().any(|name| name == "providers"));
        let default = if is_required { "required" } else { "every provider" };
        let row = ["`providers`", default, "names, in an order that may count"].map(str::to_owned);
        let heads = ["parameter", "default", "range"].map(str::to_owned);
        let tables = self.blocks.iter_mut().filter_map(|block| match block {
            Block::Table(rows) if rows[0] == heads => Some(rows),
            Block::Text(_) | Block::Item(_) | Block::Table(_) | Block::Code(_) => None,
        });
        let mut tables: Vec<&mut Vec<Vec<String>>> = tables.collect();
        if tables
            .iter()
            .any(|rows| rows.iter().any(|row| row[0].contains("`providers`")))
        {
            return;
        }
        match tables.first_mut() {
            Some(rows) => rows.insert(1, row.to_vec()),
            None => {
                let sources = |block: &Block| matches!(block, Block::Text(text) if text.starts_with("Source"));
                let at = self.blocks.iter().position(sources).unwrap_or(self.blocks.len());
                self.blocks.insert(at, Block::Table(vec![heads.to_vec(), row.to_vec()]));
            }
        }
    }

    /// The products that have it, as the title and the sources say.
    pub fn products(&self) -> impl Iterator<Item = &'static str> {
        let said = [self.title.clone(), self.sources().unwrap_or_default().to_owned()];
        PRODUCTS
            .into_iter()
            .filter(move |product| said.iter().any(|text| names(text, product)))
    }

    /// Everything that it says in words, its title first.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        let blocks = self.blocks.iter().flat_map(|block| match block {
            Block::Text(said) | Block::Item(said) => std::slice::from_ref(said),
            Block::Table(_) | Block::Code(_) => &[],
        });
        std::iter::once(self.title.as_str()).chain(blocks.map(String::as_str))
    }

    /// The products that the title does not name already.
    pub fn other_products(&self) -> impl Iterator<Item = &'static str> {
        let title = self.title.clone();
        self.products().filter(move |product| !names(&title, product))
    }

    /// Where it comes from: from `Source:` to the end of the paragraph, or to its known faults.
    pub fn sources(&self) -> Option<&str> {
        let said = self.text_from(&["Source:", "Sources:"])?;
        Some(said.split("Known fault").next().unwrap_or(said))
    }

    /// The one part that the page shows, as JSON; nothing if it shows none.
    pub fn example(&self) -> Option<&[String]> {
        self.blocks.iter().find_map(|block| match block {
            // Other blocks show formulas.
            Block::Code(lines) if lines.first().is_some_and(|line| line.starts_with(['{', '"'])) => {
                Some(lines.as_slice())
            }
            Block::Code(_) | Block::Text(_) | Block::Item(_) | Block::Table(_) => None,
        })
    }

    /// From the first of `words` that begins a sentence to the end of its paragraph.
    pub fn text_from(&self, words: &[&str]) -> Option<&str> {
        self.blocks.iter().find_map(|block| {
            let Block::Text(text) = block else { return None };
            words.iter().find_map(|word| sentence(text, word))
        })
    }
}

/// From the sentence of `text` that begins with `word` to its end.
fn sentence<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let mut found = text.match_indices(word);
    found.find_map(|(at, _)| {
        let before = text[..at].trim_end();
        (before.is_empty() || before.ends_with(['.', '!', ')', '`'])).then(|| &text[at..])
    })
}

/// Whether `text` has `name` as a word of its own.
fn names(text: &str, name: &str) -> bool {
    let (text, name) = (text.to_lowercase(), name.to_lowercase());
    text.match_indices(&name).any(|(at, _)| {
        let joins = |c: char| c.is_alphanumeric();
        !text[..at].ends_with(joins) && !text[at + name.len()..].starts_with(joins)
    })
}

/// `text` without the marks of Markdown: backticks, double stars and the targets of links.
pub fn plain(text: &str) -> String {
    let text = text.replace("[`", "`").replace("`]", "`");
    let parts = text.split('`').enumerate();
    // Every second part stood between backticks, and stays as it is.
    parts
        .map(|(i, part)| {
            if i % 2 == 1 {
                part.to_owned()
            } else {
                linkless(part).replace("**", "")
            }
        })
        .collect()
}

/// `text` with what its links say in place of the links.
fn linkless(text: &str) -> String {
    let link = |(before, after): (&str, &str)| {
        let (target, after) = after.split_once(')')?;
        let (before, said) = before.rsplit_once('[')?;
        (!target.contains(' ')).then(|| format!("{before}{said}{}", linkless(after)))
    };
    text.split_once("](").and_then(link).unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests;
