//! Where a JSON path lies in the text: a walk over the bytes that stops at the named place.
//!
//! Parsing keeps no positions, so a mistake found later (a share that does not sum to one, a name that nothing bears)
//! is looked up in the text again. The walk trusts nothing: on text that is not JSON, or does not hold the path, it
//! stops at the deepest place it could reach. It does not recurse, so no depth is too deep for it.

use std::collections::BTreeSet;
use std::fmt;

/// One step of a JSON path: into an object or into a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seg {
    /// The member of this name.
    Key(String),
    /// The element of this index, from 0.
    Index(usize),
}

impl From<&str> for Seg {
    fn from(key: &str) -> Seg {
        Seg::Key(key.to_string())
    }
}

impl From<usize> for Seg {
    fn from(index: usize) -> Seg {
        Seg::Index(index)
    }
}

/// Whether a key stands in a path as it is, without brackets and quotes.
pub(crate) fn is_plain(key: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '$');
    !key.is_empty() && key.chars().all(plain)
}

/// A path as people write it: `providers[0].price`, and `models["gpt-4.1"]` for a key that is not a plain word.
pub(super) struct Shown<'a>(pub(super) &'a [Seg]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (depth, seg) in self.0.iter().enumerate() {
            match seg {
                Seg::Index(index) => write!(f, "[{index}]")?,
                Seg::Key(key) if !is_plain(key) => write!(f, "[{key:?}]")?,
                Seg::Key(key) if depth == 0 => f.write_str(key)?,
                Seg::Key(key) => write!(f, ".{key}")?,
            }
        }
        Ok(())
    }
}

/// Byte offsets of a value and of its key, if it is a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) key: Option<usize>,
    pub(super) value: usize,
    /// How many steps of the path were found.
    pub(super) depth: usize,
}

/// The place of `path` in `json` (without comments), or of the deepest part of it that is there.
pub(super) fn locate(json: &str, path: &[Seg]) -> Place {
    let mut walk = Walk::new(json);
    let mut place = Place {
        key: None,
        value: walk.at,
        depth: 0,
    };
    for seg in path {
        let found = match seg {
            Seg::Key(key) => walk.enter_member(key),
            Seg::Index(index) => walk.enter_element(*index),
        };
        let Some(key) = found else { break };
        place = Place {
            key,
            value: walk.at,
            depth: place.depth + 1,
        };
    }
    place
}

/// A key that occurs twice in one object.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Duplicate {
    pub(super) path: Vec<Seg>,
    pub(super) key: String,
    /// Byte offset of the second occurrence.
    pub(super) offset: usize,
}

/// The first key of `json` (without comments) that its object already has.
pub(super) fn find_duplicate(json: &str) -> Option<Duplicate> {
    let mut walk = Walk::new(json);
    let mut path = Vec::new();
    // The keys seen in each open object; `None` for an open list.
    let mut open: Vec<Option<BTreeSet<String>>> = Vec::new();
    loop {
        // Here a value begins, or the bracket that holds it ends at once.
        match walk.peek()? {
            b'{' => {
                walk.at += 1;
                open.push(Some(BTreeSet::new()));
                path.push(Seg::Key(String::new()));
            }
            b'[' => {
                walk.at += 1;
                open.push(None);
                path.push(Seg::Index(0));
                if walk.next_mark()? != b']' {
                    continue;
                }
            }
            _ => walk.skip_value()?,
        }
        // After a value or an opening brace: close what ends here, then step to the next value.
        loop {
            match walk.next_mark()? {
                b'}' | b']' => {
                    walk.at += 1;
                    open.pop()?;
                    path.pop()?;
                    continue;
                }
                b',' => {
                    walk.at += 1;
                    if let Some(Seg::Index(index)) = path.last_mut() {
                        *index += 1;
                    }
                }
                _ => {}
            }
            walk.skip_space();
            break;
        }
        if let Some(Some(keys)) = open.last_mut() {
            let offset = walk.at;
            let key = walk.key()?;
            *path.last_mut()? = Seg::Key(key.clone());
            if !keys.insert(key.clone()) {
                return Some(Duplicate { path, key, offset });
            }
        }
    }
}

/// The byte offset of the innermost bracket or string quote that is never closed.
pub(super) fn find_unclosed(json: &str) -> Option<usize> {
    let mut walk = Walk::new(json);
    let mut open = Vec::new();
    while let Some(byte) = walk.peek() {
        match byte {
            b'"' => {
                let start = walk.at;
                if walk.skip_string().is_none() {
                    return Some(start);
                }
                continue;
            }
            b'{' | b'[' => open.push(walk.at),
            b'}' | b']' => {
                open.pop();
            }
            _ => {}
        }
        walk.at += 1;
    }
    open.pop()
}

/// A position in JSON text; every step returns `None` where the text is not JSON.
struct Walk<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Walk<'a> {
    fn new(text: &'a str) -> Walk<'a> {
        let mut walk = Walk { text, at: 0 };
        walk.skip_space();
        walk
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn next_mark(&mut self) -> Option<u8> {
        self.skip_space();
        self.peek()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, mark: u8) -> Option<()> {
        (self.next_mark()? == mark).then(|| self.at += 1)
    }

    /// Steps over a string.
    fn skip_string(&mut self) -> Option<()> {
        self.eat(b'"')?;
        loop {
            match self.peek()? {
                b'\\' => self.at += 2,
                b'"' => {
                    self.at += 1;
                    return Some(());
                }
                _ => self.at += 1,
            }
        }
    }

    /// Reads a key and steps over its colon, to where the value begins.
    fn key(&mut self) -> Option<String> {
        self.skip_space();
        let start = self.at;
        self.skip_string()?;
        let key = serde_json::from_str(self.text.get(start..self.at)?).ok()?;
        self.eat(b':')?;
        self.skip_space();
        Some(key)
    }

    /// Steps over a whole value.
    fn skip_value(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.next_mark()? {
                b'"' => self.skip_string()?,
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1)?;
                    self.at += 1;
                }
                b',' | b':' if depth > 0 => self.at += 1,
                b',' | b':' => return None,
                _ => {
                    while self.peek().is_some_and(|byte| !b"\"{}[],: \t\r\n".contains(&byte)) {
                        self.at += 1;
                    }
                }
            }
            if depth == 0 {
                return Some(());
            }
        }
    }

    /// From an object to the value of its member `wanted`; gives the offset of the key.
    fn enter_member(&mut self, wanted: &str) -> Option<Option<usize>> {
        self.eat(b'{')?;
        loop {
            self.skip_space();
            let offset = self.at;
            if self.key()? == wanted {
                return Some(Some(offset));
            }
            self.skip_value()?;
            self.eat(b',')?;
        }
    }

    /// From a list to its element `wanted`; an element has no key.
    fn enter_element(&mut self, wanted: usize) -> Option<Option<usize>> {
        self.eat(b'[')?;
        for _ in 0..wanted {
            self.skip_value()?;
            self.eat(b',')?;
        }
        (self.next_mark()? != b']').then_some(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = r#" {"a": [1, {"b.c": "x,]"}, []], "é\"\u0041": {"d": -1.5e3}, "last": null}"#;

    /// The text that begins at the place of `path`, and the path's depth there.
    #[track_caller]
    fn check(path: &[Seg], depth: usize, begins: &str) {
        let place = locate(TEXT, path);
        assert_eq!(place.depth, depth);
        assert!(TEXT[place.value..].starts_with(begins), "{}", &TEXT[place.value..]);
    }

    #[test]
    fn paths_are_found() {
        check(&[], 0, "{\"a\"");
        check(&["a".into(), 0.into()], 2, "1,");
        check(&["a".into(), 1.into(), "b.c".into()], 3, "\"x,]\"");
        check(&["a".into(), 2.into()], 2, "[]],");
        check(&["é\"A".into(), "d".into()], 2, "-1.5e3}");
        check(&["last".into()], 1, "null}");
    }

    #[test]
    fn what_is_not_there_gives_its_parent() {
        check(&["a".into(), 3.into(), "x".into()], 1, "[1, {");
        check(&["a".into(), 2.into(), 0.into()], 2, "[]]");
        check(&["a".into(), "b".into()], 1, "[1, {");
        check(&["nowhere".into()], 0, "{\"a\"");
        check(&[0.into()], 0, "{\"a\"");
    }

    #[test]
    fn the_key_has_its_own_place() {
        let key = locate(TEXT, &["last".into()]).key.unwrap();
        assert!(TEXT[key..].starts_with("\"last\""));
    }

    #[test]
    fn odd_keys_are_quoted_in_a_path() {
        let path = ["a_b".into(), 2.into(), "gpt-4.1".into(), "c-d".into(), "".into()];
        assert_eq!(Shown(&path).to_string(), r#"a_b[2]["gpt-4.1"].c-d[""]"#);
    }

    #[track_caller]
    fn check_duplicate(text: &str, expected: Option<(&str, usize)>) {
        let found = find_duplicate(text).map(|found| (Shown(&found.path).to_string(), found.offset));
        assert_eq!(found, expected.map(|(path, offset)| (path.to_string(), offset)));
    }

    #[test]
    fn duplicates_are_found_at_any_depth() {
        check_duplicate(r#"{"a": 1, "a": 2}"#, Some(("a", 9)));
        check_duplicate(r#"[[], {}, {"a": {"b": [], "c": {}, "b": 1}}]"#, Some(("[2].a.b", 34)));
        check_duplicate(r#"{"a": [{"b": 1}, {"b": 2}], "b": {"a": 3}}"#, None);
        check_duplicate(r#"{"a": 1, "\u0061": 2}"#, Some(("a", 9)));
        check_duplicate("[1, \"x\", {}]", None);
        check_duplicate("{\"a\" 1", None);
    }

    #[test]
    fn the_innermost_open_bracket_is_found() {
        assert_eq!(find_unclosed(r#"{"a": [1, "]""#), Some(6));
        assert_eq!(find_unclosed(r#"{"a": [1]"#), Some(0));
        assert_eq!(find_unclosed(r#"{"a": "x"#), Some(6));
        assert_eq!(find_unclosed("{}"), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_walk_panic(text in r#"([\[\]{}:,"\\ aé1]|"a":){0,60}"#, index in 0_usize..4) {
            let place = locate(&text, &["a".into(), index.into(), "a".into()]);
            prop_assert!(text.is_char_boundary(place.value));
            find_duplicate(&text);
            find_unclosed(&text);
        }

        #[test]
        fn an_element_is_where_it_was_put(
            before in prop::collection::vec(r#"[0-9]{1,3}|"[a\]]{0,3}"|\[\[1\],\{"k":\[\]\}\]"#, 0..5),
        ) {
            let mut text = String::from("{\"list\" : [");
            for element in &before {
                text += element;
                text += " ,\n";
            }
            let expected = text.len();
            text += "true]}";
            let place = locate(&text, &["list".into(), before.len().into()]);
            prop_assert_eq!((place.value, place.depth), (expected, 2));
        }
    }
}
