//! Single changes of small texts.

use super::*;

fn steps(path: &str) -> Vec<Step> {
    let step = |word: &str| match word.parse() {
        Ok(number) => Step::Item(number),
        Err(_) => Step::Key(word.to_owned()),
    };
    path.split('.').map(step).collect()
}

/// The text with a value at a path; none where it is `-`.
fn set(text: &str, path: &str, value: &str) -> Result<String, Why> {
    let places = Places::of(text).unwrap();
    let value: Option<Value> = (value != "-").then(|| serde_json::from_str(value).unwrap());
    Editor::of(text, &places).set(places.roots[0], &steps(path), value.as_ref())
}

#[test]
fn only_the_value_changes() {
    for (text, path, value, after) in [
        ("a: 1 # x\n", "a", "2", "a: 2 # x\n"),
        ("a: &x  1\nb: *x\n", "b", "2", "a: &x  1\nb: 2\n"),
        ("a: 'x'\n", "a", "\"it's\"", "a: 'it''s'\n"),
        ("a:\nb: 2", "a", "1", "a: 1\nb: 2"),
        ("a: ~\nb: 2", "a", "1", "a: 1\nb: 2"),
        ("a: {b: 1}", "a.c", "\"x\"", "a: {b: 1, c: x}"),
        ("a: {}", "a.c.d", "2", "a: {c: {d: 2}}"),
        ("a:\r\n  b: 1", "a.c", "2", "a:\r\n  b: 1\r\n  c: 2"),
        (
            "a:\n  - b: 1 # one\n  - b: 2\n",
            "a.0.c",
            "3",
            "a:\n  - b: 1 # one\n    c: 3\n  - b: 2\n",
        ),
        ("a: 1\n# end\n", "b.c", "2", "a: 1\nb:\n  c: 2\n# end\n"),
        ("a: {x: 1}\n", "b.c", "2", "a: {x: 1}\nb: {c: 2}\n"),
        ("- a: 1\n  b: 2\n", "0.a", "-", "- b: 2\n"),
        (
            "{\"a\":1,\"b\":[1, 2]}",
            "c",
            "\"x\"",
            "{\"a\":1,\"b\":[1, 2],\"c\": \"x\"}",
        ),
        ("{\n  \"a\": 1\n}", "c", "2", "{\n  \"a\": 1,\n  \"c\": 2\n}"),
        ("a: [1, 2, 3]", "a", "[1, 5, 2, 3]", "a: [1, 5, 2, 3]"),
        ("a: [1, 2, 3]", "a", "[2, 3]", "a: [2, 3]"),
        ("a: [1, 2, 3]", "a", "[1]", "a: [1]"),
        ("a: []", "a", "[\"x\"]", "a: [x]"),
        ("a: ['x']", "a", "[]", "a: []"),
        ("a: 1\nb: 2 # gone\nc: 3\n", "b", "-", "a: 1\nc: 3\n"),
        ("{a: 1, b: 2, c: 3}", "a", "-", "{b: 2, c: 3}"),
        ("{a: 1, b: 2, c: 3}", "c", "-", "{a: 1, b: 2}"),
    ] {
        assert_eq!(set(text, path, value).as_deref(), Ok(after), "{text:?}");
    }
}

#[test]
fn what_is_shared_is_unshared_or_refused_with_its_line() {
    let text = "x: &x {a: 1, b: {c: 2}}\ny: *x\nz: {<<: *x}\n";
    let with = |from: &str, to: &str| text.replace(from, to);
    assert_eq!(set(text, "y.a", "5").unwrap(), with("y: *x", "y: {<<: *x, a: 5}"));
    assert_eq!(set(text, "z.a", "5").unwrap(), with("{<<: *x}", "{<<: *x, a: 5}"));
    let line = |path: &str| set(text, path, "5").unwrap_err().line;
    assert_eq!((line("y.b.c"), line("z.b.c")), (2, 3));
    assert_eq!(set("a: |\n  x\n", "a", "\"y\"").unwrap_err().line, 1);
}
