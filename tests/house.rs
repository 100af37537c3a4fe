//! The house keeps its own rules: which folder may use which, and what every file must have.
//!
//! The table of folders in ARCHITECTURE.md is the rule; the imports are read from the source. Code for tests alone (modules
//! behind `cfg(test)`) may use whatever it likes.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The files of the library, with their paths from `src`, in order.
fn sources() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&src, &mut found);
    found.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        (path.strip_prefix(&src).unwrap().to_owned(), text)
    };
    found.into_iter().map(read).collect()
}

/// The modules that are declared behind `cfg(test)`, as paths from `src` without their ending.
fn only_for_tests(sources: &[(PathBuf, String)]) -> BTreeSet<PathBuf> {
    let mut modules = BTreeSet::new();
    for (path, text) in sources {
        let stem = path.file_stem().unwrap();
        let inside = if stem == "mod" || stem == "lib" || stem == "main" {
            path.parent().unwrap().to_owned()
        } else {
            path.with_extension("")
        };
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for pair in lines.windows(2) {
            let name = pair[1]
                .trim_start_matches("pub(crate) ")
                .trim_start_matches("pub(super) ");
            if let ("#[cfg(test)]", Some(name)) = (pair[0], name.strip_prefix("mod ").and_then(|m| m.strip_suffix(';')))
            {
                modules.insert(inside.join(name));
            }
        }
    }
    modules
}

/// The code of a file without comments and without the module of its tests at the foot.
fn code(text: &str) -> String {
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    let lines = text[..end].lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The first names behind `crate::` in `code`, those of a braced list too.
fn used(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let name = |text: &str| -> String { text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect() };
        match rest.strip_prefix('{') {
            None => drop(found.insert(name(rest))),
            Some(list) => {
                let mut depth = 0;
                let mut start = true;
                for (i, c) in list.char_indices() {
                    match c {
                        '}' if depth == 0 => break,
                        '{' => depth += 1,
                        '}' => depth -= 1,
                        ',' if depth == 0 => start = true,
                        _ if start && !c.is_whitespace() => {
                            found.insert(name(&list[i..]));
                            start = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    found
}

/// What ARCHITECTURE.md allows: by folder, those it may use; `None` for everything.
fn allowed() -> BTreeMap<String, Option<BTreeSet<String>>> {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md")).unwrap();
    let names = |cell: &str| -> BTreeSet<String> { cell.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
    let rows = page.lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix("| `")?.split('|').collect();
        let folder = cells.first()?.trim().strip_suffix("/`")?;
        let may = cells.get(2)?.trim();
        Some((folder.to_owned(), (may != "everything").then(|| names(may))))
    });
    rows.collect()
}

#[test]
fn folders_use_only_what_the_table_allows() {
    let (sources, allowed) = (sources(), allowed());
    let tests = only_for_tests(&sources);
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for (path, text) in &sources {
        let mut parts = path.iter().map(|part| part.to_str().unwrap());
        let (Some(folder), Some(_)) = (parts.next(), parts.next()) else {
            continue;
        };
        seen.insert(folder.to_owned());
        let behind_cfg_test = path.ancestors().any(|a| tests.contains(&a.with_extension("")));
        let Some(may) = allowed.get(folder) else {
            wrong.push(format!("{folder} has no row in the table"));
            continue;
        };
        let Some(may) = may else { continue };
        if behind_cfg_test {
            continue;
        }
        for name in used(&code(text)) {
            if name != folder && allowed.contains_key(&name) && !may.contains(&name) {
                wrong.push(format!("{} uses {name}", path.display()));
            }
        }
    }
    wrong.extend(
        allowed
            .keys()
            .filter(|f| !seen.contains(*f))
            .map(|f| format!("there is no folder {f}")),
    );
    assert!(
        wrong.is_empty(),
        "against the table of ARCHITECTURE.md:\n{}",
        wrong.join("\n")
    );
}

/// What a folder may use stands above it in the table, so that there is no circle.
#[test]
fn the_table_has_no_circle() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md")).unwrap();
    let order: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split("/`").next())
        .collect();
    for (folder, may) in allowed() {
        let place = |name: &str| order.iter().position(|n| *n == name);
        for name in may.unwrap_or_default() {
            assert!(place(&name).is_some(), "{folder} may use {name}, which has no row");
            assert!(
                place(&name) < place(&folder),
                "{folder} may use {name}, which stands below it"
            );
        }
    }
}

#[test]
fn every_file_says_what_it_is() {
    let sources = sources();
    let silent: Vec<_> = (sources.iter())
        .filter(|(_, text)| !text.trim_start().starts_with("//!"))
        .map(|(path, _)| path.display().to_string())
        .collect();
    assert!(silent.is_empty(), "without a header: {silent:?}");
}

/// Cargo finds no test by itself (`autotests`), so a file that nothing names would be silent.
#[test]
fn every_file_of_tests_is_in_a_program() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let programs = ["all", "live"];
    let named: Vec<String> = (programs.iter())
        .map(|program| fs::read_to_string(folder.join(program).with_extension("rs")).unwrap())
        .collect();
    let is_named = |file: &str| {
        named
            .iter()
            .any(|text| text.lines().any(|line| line == format!("mod {file};")))
    };
    let files = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let tests = files.filter(|path| path.extension().is_some_and(|e| e == "rs") || path.join("mod.rs").exists());
    let names = tests.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned());
    let silent: Vec<String> = names
        .filter(|name| !programs.contains(&name.as_str()) && !is_named(name))
        .collect();
    assert!(silent.is_empty(), "neither all.rs nor live.rs names {silent:?}");
}

#[test]
fn the_reader_of_imports_reads_them() {
    let text = "use crate::a::B;\nuse crate::{c, d::{E, F}, g};\n// crate::h\nfn f() { crate::i::j() }\n#[cfg(test)]\nmod tests {\n use crate::k;\n}";
    let found: Vec<String> = used(&code(text)).into_iter().collect();
    assert_eq!(found, ["a", "c", "d", "g", "i"]);
}
