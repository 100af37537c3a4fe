//! The words that answers are made of; each is one token.

use crate::kernel::chance::{hash, index};

/// Plain lower-case words, which need no escape in JSON.
const WORDS: [&str; 64] = [
    "a", "about", "after", "air", "all", "and", "answer", "at", "before", "between", "book", "by", "call", "city",
    "close", "cold", "day", "each", "early", "earth", "far", "few", "field", "first", "for", "from", "garden", "good",
    "green", "hand", "high", "house", "in", "into", "is", "it", "large", "last", "late", "light", "little", "long",
    "many", "morning", "near", "new", "of", "often", "old", "on", "open", "other", "over", "river", "road", "small",
    "some", "stone", "the", "then", "there", "time", "under", "water",
];

/// Word number `i` of the answer with this `salt`: the same at every call.
pub(super) fn word(salt: u64, i: u32) -> &'static str {
    WORDS[index(hash(u64::from(i), salt), WORDS.len())]
}

/// Appends token number `i` of that answer to `text`: the word, with a space before all but the first.
pub(super) fn push_token(text: &mut String, salt: u64, i: u32) {
    if i > 0 {
        text.push(' ');
    }
    text.push_str(word(salt, i));
}

/// The number of tokens in `text`.
pub(super) fn count(text: &str) -> u64 {
    text.split_whitespace().count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_tokens_are_counted_as_were_written() {
        let mut text = String::new();
        (0..1000).for_each(|i| push_token(&mut text, 3, i));
        assert_eq!(count(&text), 1000);
        assert!(text.bytes().all(|b| b == b' ' || b.is_ascii_lowercase()));
        assert_eq!(count("  two\n\twords "), 2);
    }
}
