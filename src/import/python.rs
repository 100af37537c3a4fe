//! JSON as Python writes it: `NaN`, `Infinity` and `-Infinity`, which RFC 8259 forbids, taken as missing figures.
//!
//! Most tools that measure LLMs are written in Python, whose `json` writes these three for floats that are not finite
//! (`allow_nan`, its default): a mean of nothing, a rate without a bound. They become `null`, at the length of the text
//! that they replace, so that the columns of later mistakes are those of the file; only a `NaN` with no space or comma and
//! space behind it makes its line longer, by one byte. What stands in strings is left alone.

use std::borrow::Cow;

use serde_json::Value;

/// What Python writes for floats that are not finite, the longest first.
const NOT_FINITE: [&[u8]; 3] = [b"-Infinity", b"Infinity", b"NaN"];

/// The text with `null` for every such literal, and how many there were.
pub(crate) fn as_json(bytes: &[u8]) -> (Cow<'_, [u8]>, u64) {
    let begins = bytes.trim_ascii_start().first();
    let has = |word: &[u8]| bytes.windows(word.len()).any(|window| window == word);
    if !matches!(begins, Some(b'{' | b'[')) || !(has(b"NaN") || has(b"Infinity")) {
        return (Cow::Borrowed(bytes), 0);
    }
    let (mut text, mut many) = (Vec::with_capacity(bytes.len()), 0);
    let (mut in_string, mut at) = (false, 0);
    while let Some(&byte) = bytes.get(at) {
        let rest = &bytes[at..];
        if in_string && byte == b'\\' {
            text.extend(rest.iter().take(2));
            at += 2;
            continue;
        }
        in_string ^= byte == b'"';
        let literal = NOT_FINITE.iter().find(|word| !in_string && rest.starts_with(word));
        let Some(word) = literal else {
            text.push(byte);
            at += 1;
            continue;
        };
        many += 1;
        text.extend_from_slice(b"null");
        at += word.len();
        match word.len().checked_sub(4) {
            Some(more) => text.extend(std::iter::repeat_n(b' ', more)),
            None if bytes[at..].starts_with(b", ") => {
                text.push(b',');
                at += 2;
            }
            None if bytes.get(at) == Some(&b' ') => at += 1,
            None => {}
        }
    }
    (Cow::Owned(text), many)
}

/// One value of JSON as Python writes it, if it is one.
pub(crate) fn one(bytes: &[u8]) -> Option<Value> {
    serde_json::from_slice(&as_json(bytes).0).ok()
}

/// What a reader says of `many` such figures.
pub(crate) fn note(many: u64) -> Option<String> {
    (many > 0).then(|| format!("{many} figures that stand as NaN or Infinity, as Python writes them, count as missing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `json.dumps` of Python 3 for nan, inf and -inf.
    #[test]
    fn what_python_writes_becomes_null_in_its_place() {
        let text = r#"{"a": NaN, "b": [Infinity, -Infinity], "NaN": "Infinity \" NaN", "c": NaN}"#;
        let (json, many) = as_json(text.as_bytes());
        assert_eq!(many, 4);
        let expected = r#"{"a": null,"b": [null    , null     ], "NaN": "Infinity \" NaN", "c": null}"#;
        assert_eq!(String::from_utf8_lossy(&json), expected);
        assert_eq!(json.len(), text.len() + 1);
        assert_eq!(one(text.as_bytes()).unwrap()["b"], serde_json::json!([null, null]));
    }

    #[test]
    fn other_text_is_as_it_was() {
        for text in ["", "a,b\nNaN,Infinity\n", r#"{"a": "NaN"}"#, r#"{"x":"\\"#] {
            let (json, many) = as_json(text.as_bytes());
            assert_eq!((&*json, many), (text.as_bytes(), 0));
        }
    }
}
