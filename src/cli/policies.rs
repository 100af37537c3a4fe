//! `simcap policies`: every routing policy, those of one product, or the manual page of one.

use std::io::IsTerminal;

use clap::Args;

use super::{Done, Exit, Failure, environment, print, terminal_width};
use crate::form::diagnose::nearest;
use crate::form::manual::{self, Block, Manual, PRODUCTS, plain};
use crate::form::own::OwnParts;
use crate::form::registry::Kind;
use crate::report::text::{paragraph, width};
use crate::routing::PolicySpec;

/// Arguments of `simcap policies`.
#[derive(Debug, Args)]
pub(super) struct Policies {
    /// Show the manual page of the policy of this name, or list those of this product (LiteLLM, Portkey, Kong, Envoy, …)
    name: Option<String>,
}

impl Policies {
    pub(super) fn run(self, own: &OwnParts) -> Done {
        let pages = manual::of::<PolicySpec>();
        let columns = columns();
        let text = match &self.name {
            None => list(&pages, own, columns),
            Some(name) => {
                let of_product = product(name).map(|product| having(&pages, product, columns));
                match pages.iter().find(|page| letters(page.name) == letters(name)) {
                    Some(policy) => page(policy, &pages, columns),
                    None => of_product
                        .or_else(|| speaking_of(&pages, name, columns))
                        .ok_or_else(|| Failure::Input(unknown(name, &pages)))?,
                }
            }
        };
        print(&text)?;
        Ok(Exit::Fine)
    }
}

/// As wide as standard output is; 80 where it is not a terminal.
pub(super) fn columns() -> usize {
    let given = environment("COLUMNS").and_then(|c| c.to_str()?.parse().ok());
    let terminal = || {
        if std::io::stdout().is_terminal() {
            terminal_width()
        } else {
            80
        }
    };
    given.unwrap_or_else(terminal).clamp(40, 120)
}

/// The product of this name, however it is spelt.
fn product(name: &str) -> Option<&'static str> {
    PRODUCTS.into_iter().find(|product| letters(product) == letters(name))
}

/// Letters and digits of `text`, in lower case.
fn letters(text: &str) -> String {
    let kept = text.chars().filter(|c| c.is_alphanumeric());
    kept.collect::<String>().to_lowercase()
}

/// The policies whose pages speak of `name`: what another product, or the literature, calls them.
fn speaking_of(pages: &[Manual], name: &str, columns: usize) -> Option<String> {
    let wanted = letters(name);
    let speaks = |page: &&Manual| page.words().any(|text| letters(text).contains(&wanted));
    let found: Vec<&Manual> = pages.iter().filter(speaks).collect();
    if wanted.len() < 3 || found.is_empty() {
        return None;
    }
    let mut text = format!("no policy is called `{name}`; these pages speak of it:\n");
    for page in found {
        text += &line(page, pages, columns);
    }
    Some(text + "\n`simcap policies NAME` shows one.\n")
}

fn unknown(name: &str, pages: &[Manual]) -> String {
    let lower = name.to_lowercase();
    let names = pages.iter().map(|page| page.name);
    let hint = nearest(&lower, names.chain(PRODUCTS));
    let hint = hint.map_or(String::new(), |near| format!("\nhelp: did you mean `{near}`?"));
    format!("there is no policy `{name}`, nor a product of that name{hint}\nhelp: `simcap policies` lists all")
}

fn list(pages: &[Manual], own: &OwnParts, columns: usize) -> String {
    let mut text = String::new();
    for page in pages {
        if let Some(group) = page.group {
            text += &format!("{}{group}\n", if text.is_empty() { "" } else { "\n" });
        }
        text += &line(page, pages, columns);
    }
    let registered = own.names(<PolicySpec as Kind>::KIND);
    if !registered.is_empty() {
        text += &paragraph("\nRegistered in this program: ", &registered.join(", "), columns);
    }
    let more =
        "`simcap policies NAME` shows one; the name of a product, as in `simcap policies litellm`, lists those it has.";
    text + "\n" + &paragraph("", more, columns)
}

/// A policy in a line of the list, with the products that its title does not name.
fn line(page: &Manual, pages: &[Manual], columns: usize) -> String {
    let wide = pages.iter().map(|p| p.name.len()).max().unwrap_or(0);
    let products: Vec<&str> = page.other_products().collect();
    let products = if products.is_empty() {
        String::new()
    } else {
        format!(" ({})", products.join(", "))
    };
    paragraph(
        &format!("  {:wide$}  ", page.name),
        &(plain(&page.title) + &products),
        columns,
    )
}

/// What `product` has.
fn having(pages: &[Manual], product: &str, columns: usize) -> String {
    let has = |page: &&Manual| page.products().any(|p| p == product);
    if !pages.iter().any(|page| has(&page)) {
        return format!("{product} has none of the policies that simcap knows.\n");
    }
    let mut text = format!("{product} has\n");
    for page in pages.iter().filter(has) {
        text += &line(page, pages, columns);
    }
    text + "\n`simcap policies NAME` shows one.\n"
}

fn page(policy: &Manual, pages: &[Manual], columns: usize) -> String {
    let mut text = paragraph("", &format!("{}: {}", policy.name, plain(&policy.title)), columns);
    text += &body(policy, columns);
    if let Some(example) = policy.example() {
        text += "\nIn an experiment:\n";
        text += &entry(policy.name, example, columns);
    }
    let mut more = format!("`simcap kinds {}` says what each parameter means.", policy.name);
    if let Some(product) = product(policy.name) {
        let has = |page: &&Manual| page.name != policy.name && page.products().any(|p| p == product);
        let others: Vec<&str> = pages.iter().filter(has).map(|page| page.name).collect();
        if !others.is_empty() {
            more += &format!(" {product} also has {}.", others.join(", "));
        }
    }
    text + "\n" + &paragraph("", &more, columns)
}

/// What a page says between its title and its example.
pub(super) fn body(policy: &Manual, columns: usize) -> String {
    let mut text = String::new();
    let mut item_before = false;
    for block in &policy.blocks {
        let is_item = matches!(block, Block::Item(_));
        if !(matches!(block, Block::Code(_)) || is_item && item_before) {
            text += "\n";
        }
        item_before = is_item;
        match block {
            Block::Text(said) => text += &paragraph("", &plain(said), columns),
            Block::Item(said) => text += &paragraph("  - ", &plain(said), columns),
            Block::Table(rows) => text += &table(rows, columns),
            Block::Code(_) => {}
        }
    }
    text
}

/// Columns as wide as their widest cell, but for the last, which is broken where the line ends.
fn table(rows: &[Vec<String>], columns: usize) -> String {
    let cell = |row: &[String], i: usize| row.get(i).map_or(String::new(), |cell| plain(cell));
    let last = rows.iter().map(Vec::len).max().unwrap_or(1) - 1;
    let wide: Vec<usize> = (0..last)
        .map(|i| rows.iter().map(|row| width(&cell(row, i))).max().unwrap_or(0))
        .collect();
    let line = |row: &Vec<String>| {
        let first: String = (wide.iter().enumerate())
            .map(|(i, wide)| format!("  {:wide$}", cell(row, i)))
            .collect();
        paragraph(&(first + "  "), &cell(row, last), columns)
    };
    rows.iter().map(line).collect()
}

/// The entry of `policies` that uses the policy as `example` shows it: in one line if it fits.
fn entry(name: &str, example: &[String], columns: usize) -> String {
    let joined: Vec<&str> = example.iter().map(|line| line.trim()).collect();
    let short = format!(
        "  \"policies\": [ {{ \"name\": \"{name}\", \"policy\": {} }} ]\n",
        joined.join(" ")
    );
    if width(&short) <= columns + 1 {
        return short;
    }
    let lines: String = example.iter().map(|line| format!("    {line}\n")).collect();
    format!("  \"policies\": [ {{ \"name\": \"{name}\", \"policy\":\n{lines}  }} ]\n")
}
