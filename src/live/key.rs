//! An API key: read from the environment, sent in one header, and kept out of everything else.
//!
//! Text that comes from an endpoint (which may quote the key that it refuses) goes through [`Key::scrub`] before it is
//! written down or shown. Its `Debug` shows nothing.

use std::fmt;

/// The text that replaces a key.
const SCRUBBED: &str = "[key]";

/// The length of a fragment of the key that is already replaced.
const TELLING: usize = 8;

/// An API key that cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(String);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SCRUBBED)
    }
}

impl Key {
    /// Reads the key from the environment variable `name`.
    ///
    /// # Errors
    /// If the variable is not set, or its value is not valid in a header; the message never quotes it.
    pub fn from_env(name: &str) -> Result<Key, String> {
        let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && !name.starts_with(|c: char| c.is_ascii_digit());
        if name.is_empty() || !is_name {
            // The name may be the key itself, given by mistake.
            return Err(
                "what is given for the environment variable that holds the API key is not a variable's name (letters, digits and _): give the \
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

    /// The key in plain text.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }

    /// A copy of `text` in which the key, and every fragment of eight or more of its letters, is replaced (an endpoint
    /// may quote a part).
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

/// The length of the common prefix, ignoring case: the code of an error may be in lower case.
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
