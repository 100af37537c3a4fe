//! JSON for people: what fits into a line stands in one, and members keep the order of their file.

use serde_json::Value;

use crate::form::tree::Tree;

/// `tree` in lines of at most `columns` characters where it can be broken. The first stands behind `before` characters, the others
/// behind `indent` blanks.
pub fn pretty(tree: &Tree, before: usize, indent: usize, columns: usize) -> String {
    let short = in_a_line(tree);
    let (open, close, parts): (_, _, Vec<(Option<&str>, &Tree)>) = match tree {
        Tree::Object(members) if !members.is_empty() => (
            '{',
            '}',
            members
                .iter()
                .map(|(name, value)| (Some(name.as_str()), value))
                .collect(),
        ),
        Tree::List(items) if !items.is_empty() => ('[', ']', items.iter().map(|item| (None, item)).collect()),
        _ => return short,
    };
    if before + short.chars().count() <= columns {
        return short;
    }
    let inner = " ".repeat(indent + 2);
    let lines: Vec<String> = (parts.into_iter())
        .map(|(name, value)| {
            let name = name.map_or(String::new(), |name| format!("{}: ", Value::from(name)));
            // A comma may follow.
            let before = inner.len() + name.chars().count() + 1;
            format!("{inner}{name}{}", pretty(value, before, inner.len(), columns))
        })
        .collect();
    format!("{open}\n{}\n{}{close}", lines.join(",\n"), " ".repeat(indent))
}

fn in_a_line(tree: &Tree) -> String {
    match tree {
        Tree::Null => "null".to_owned(),
        Tree::Truth(truth) => truth.to_string(),
        Tree::Unsigned(number) => number.to_string(),
        Tree::Negative(number) => number.to_string(),
        Tree::Float(number) => Value::from(*number).to_string(),
        Tree::Text(text) => Value::from(text.as_str()).to_string(),
        Tree::List(items) if items.is_empty() => "[]".to_owned(),
        Tree::List(items) => format!("[{}]", items.iter().map(in_a_line).collect::<Vec<_>>().join(", ")),
        Tree::Object(members) if members.is_empty() => "{}".to_owned(),
        Tree::Object(members) => {
            let member =
                |(name, value): &(String, Tree)| format!("{}: {}", Value::from(name.as_str()), in_a_line(value));
            format!("{{ {} }}", members.iter().map(member).collect::<Vec<_>>().join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_stands_in_a_line_and_reads_as_the_same() {
        let text = r#"{"z": [1, -2, 0.5, null, true], "a": {"é\"": {}, "list": []}}"#;
        let tree: Tree = serde_json::from_str(text).unwrap();
        assert_eq!(
            pretty(&tree, 0, 0, 80),
            r#"{ "z": [1, -2, 0.5, null, true], "a": { "é\"": {}, "list": [] } }"#
        );
        let narrow = pretty(&tree, 2, 2, 22);
        let lines = [
            "{",
            "    \"z\": [",
            "      1,",
            "      -2,",
            "      0.5,",
            "      null,",
            "      true",
            "    ],",
            "    \"a\": {",
            "      \"é\\\"\": {},",
            "      \"list\": []",
            "    }",
            "  }",
        ];
        assert_eq!(narrow.lines().collect::<Vec<_>>(), lines);
        assert_eq!(serde_json::from_str::<Tree>(&narrow).unwrap(), tree);
    }
}
