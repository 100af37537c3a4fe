//! Comments in JSON files: blanked out before parsing, so that no place in the file moves.
//!
//! The rule is that of JSONC (the comments of Visual Studio Code's settings files): `// to the end of the line` and
//! `/* to the closing mark */`, outside strings, not nested. Each byte of a comment becomes one space, line ends stay,
//! so every line, column and byte offset of what remains is that of the original.
//! A block comment that never ends is left as it is, for the JSON parser to complain of. JSONC's trailing commas are
//! not taken.

use std::borrow::Cow;

/// `text` with its comments replaced by spaces: as many bytes, as many lines.
pub fn blank_comments(text: &str) -> Cow<'_, str> {
    let mut blanked = String::new();
    let mut copied = 0;
    let mut rest = Scan {
        bytes: text.as_bytes(),
        at: 0,
    };
    while let Some((start, end)) = rest.next_comment() {
        // Both ends lie beside ASCII marks or at the end of the text, so they are character boundaries.
        blanked.push_str(&text[copied..start]);
        blanked.extend(
            text[start..end]
                .bytes()
                .map(|byte| if byte == b'\n' { '\n' } else { ' ' }),
        );
        copied = end;
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    blanked.push_str(&text[copied..]);
    Cow::Owned(blanked)
}

/// A walk over the bytes that knows strings from the rest.
struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    /// The next comment outside strings, as a range of bytes without its line end.
    fn next_comment(&mut self) -> Option<(usize, usize)> {
        while self.at < self.bytes.len() {
            let start = self.at;
            match &self.bytes[start..] {
                [b'"', ..] => self.skip_string(),
                [b'/', b'/', tail @ ..] => {
                    let length = tail.iter().position(|&byte| byte == b'\n').unwrap_or(tail.len());
                    self.at = start + 2 + length;
                    return Some((start, self.at));
                }
                [b'/', b'*', tail @ ..] => {
                    let Some(length) = tail.windows(2).position(|pair| pair == b"*/") else {
                        self.at = self.bytes.len();
                        return None;
                    };
                    self.at = start + 2 + length + 2;
                    return Some((start, self.at));
                }
                _ => self.at += 1,
            }
        }
        None
    }

    /// Steps over the string that begins here, or to the end of the text if it never ends.
    fn skip_string(&mut self) {
        self.at += 1;
        while let Some(&byte) = self.bytes.get(self.at) {
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == b'"' {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(text: &str, blanked: &str) {
        assert_eq!(blank_comments(text), blanked);
    }

    #[test]
    fn comments_become_spaces() {
        check("1 // one\n2", "1       \n2");
        check("1 /* a\nb */ 2", "1     \n     2");
        check("[/**/1,/***/2]", "[    1,     2]");
        check("1 //", "1   ");
        check("/* // */ 1 // /* \n", "         1       \n");
    }

    #[test]
    fn a_comment_of_wide_letters_keeps_its_bytes() {
        check("/*é€*/1", "         1");
    }

    #[test]
    fn strings_are_no_comments() {
        check(r#"{"a": "http://x"}"#, r#"{"a": "http://x"}"#);
        check(r#"["\"//", "/*"] // x"#, r#"["\"//", "/*"]     "#);
        check(r#"["\\"//"#, r#"["\\"  "#);
    }

    #[test]
    fn what_is_unfinished_stays() {
        check("1 /* x", "1 /* x");
        check("1 /*/", "1 /*/");
        check("\"a // b", "\"a // b");
        check("\"a\\", "\"a\\");
        check("1 / 2", "1 / 2");
    }

    #[test]
    fn without_comments_nothing_is_copied() {
        assert!(matches!(blank_comments("{\"a\": 1}"), Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn no_place_ever_moves(text in r#"([/*"\\\n é1]|//|/\*|\*/){0,40}"#) {
            let blanked = blank_comments(&text);
            prop_assert_eq!(blanked.len(), text.len());
            for (was, is) in text.bytes().zip(blanked.bytes()) {
                prop_assert!(was == is || is == b' ');
                prop_assert_eq!(was == b'\n', is == b'\n');
            }
        }
    }
}
