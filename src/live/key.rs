//! An API key: read from the environment, sent in one header, and kept out of everything else.
//!
//! What comes from outside and is written down or shown (an endpoint may quote the key that it refuses) goes through
//! [`Key::scrub`] first. Its `Debug` shows nothing.

use std::fmt;

/// What stands in place of a key.
const SCRUBBED: &str = "[key]";

/// So many letters in a row of a key give it away.
const TELLING: usize = 8;

/// A key.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(String);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SCRUBBED)
    }
}

impl Key {
    /// The key in the environment variable `name`.
    ///
    /// # Errors
    /// If there is none, or it holds what no header may; the message never quotes it.
    pub fn from_env(name: &str) -> Result<Key, String> {
        let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && !name.starts_with(|c: char| c.is_ascii_digit());
        if name.is_empty() || !is_name {
            // It may be the key itself.
            return Err(
                "what is given for the environment variable that holds the API key is no variable's name (letters, digits and _): give the \
                 name, never the key"
                    .into(),
            );
        }
        let says = |what: &str| format!("the environment variable {name} {what}");
        let key = match std::env::var(name) {
            Ok(key) => key.trim().to_owned(),
            Err(std::env::VarError::NotPresent) => {
                return Err(says("is not set: put the API key there (export it), never into a file"));
            }
            Err(std::env::VarError::NotUnicode(_)) => return Err(says("is not text")),
        };
        if key.is_empty() {
            return Err(says("is empty: put the API key there"));
        }
        if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(says("holds spaces or other characters that no API key has"));
        }
        Ok(Key(key))
    }

    /// The key itself.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }

    /// `text` without the key, and without any eight letters in a row of it (an endpoint may quote a part).
    pub fn scrub(&self, text: &str) -> String {
        let key = self.0.as_bytes();
        let telling = TELLING.min(key.len());
        let bytes = text.as_bytes();
        let mut out = String::new();
        let mut kept = 0;
        let mut at = 0;
        while at + telling <= bytes.len() {
            // The key is ASCII, so a match begins and ends between characters.
            let longest = (0..=key.len() - telling)
                .map(|from| common(&key[from..], &bytes[at..]))
                .max()
                .unwrap_or(0);
            if longest >= telling {
                out.push_str(&text[kept..at]);
                out.push_str(SCRUBBED);
                at += longest;
                kept = at;
            } else {
                at += 1;
            }
        }
        out.push_str(&text[kept..]);
        out
    }
}

/// How many bytes at the start are the same, but for their case: an error's code may be written in small letters.
fn common(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_the_key_nor_a_telling_part_of_it_survives() {
        let key = Key("sk-abcdefghijklmnop".into());
        for (text, clean) in [
            ("wrong key sk-abcdefghijklmnop, sorry", "wrong key [key], sorry"),
            ("sk-abcdefghijklmnopsk-abcdefghijklmnop", "[key][key]"),
            ("it begins sk-abcdef…", "it begins [key]…"),
            ("it ends …ijklmnop.", "it ends …[key]."),
            ("SK-ABCDEFGHIJKLMNOP in capitals", "[key] in capitals"),
            ("sk-abcd***mnop", "sk-abcd***mnop"),
            ("é€🦀 nothing", "é€🦀 nothing"),
            ("", ""),
        ] {
            assert_eq!(key.scrub(text), clean);
        }
        assert_eq!(Key("abc".into()).scrub("xabcx"), "x[key]x");
    }

    #[test]
    fn a_key_is_never_shown() {
        assert_eq!(format!("{:?}", Some(Key("sk-abcdefghijklmnop".into()))), "Some([key])");
    }
}
