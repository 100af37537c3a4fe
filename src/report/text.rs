//! Lines of text from names and sentences that came out of files.
//!
//! Whatever a file says, it must not steer the terminal: control characters and those that turn the reading direction
//! (Unicode TR 36, "bidirectional text spoofing") are shown as the replacement character. Width is counted in
//! characters. Left out: double-width and combining characters, which are counted as one.

/// `text` without characters that would act on a terminal; line breaks and tabs become spaces.
pub fn clean(text: &str) -> String {
    let cleaned = text.chars().map(|c| match c {
        '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => ' ',
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER,
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    });
    cleaned.collect()
}

/// JSON on lines of its own, in which what would act on a terminal is written as an escape: it says the same.
pub fn escaped(json: &str) -> String {
    let mut all = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && clean(c.encode_utf8(&mut [0; 4])) != c.to_string() {
            all += &format!("\\u{:04x}", u32::from(c));
        } else {
            all.push(c);
        }
    }
    all
}

/// How many columns `text` takes.
pub fn width(text: &str) -> usize {
    text.chars().count()
}

/// `text` in at most `limit` columns: its middle is cut out if it is longer, as names often differ at their ends.
pub fn fit(text: &str, limit: usize) -> String {
    let length = width(text);
    if length <= limit {
        return text.to_owned();
    }
    let Some(kept) = limit.checked_sub(1) else {
        return String::new();
    };
    let head = kept - kept / 2;
    let start = text.chars().take(head);
    let end = text.chars().skip(length - kept / 2);
    start.chain(['…']).chain(end).collect()
}

/// `text` cleaned and broken between words into lines of at most `limit` columns, the first after `first` and the others
/// after as many spaces; every line ends in a newline. A word that is longer than a line is left whole.
pub fn paragraph(first: &str, text: &str, limit: usize) -> String {
    let mut lines = first.to_owned();
    let indent = width(first);
    let mut column = indent;
    for word in clean(text).split_whitespace() {
        let taken = width(word);
        if column > indent && column + 1 + taken > limit {
            lines.push('\n');
            lines.push_str(&" ".repeat(indent));
            column = indent;
        }
        if column > indent {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(word);
        column += taken;
    }
    lines.truncate(lines.trim_end().len());
    lines.push('\n');
    lines
}

/// The mark of footnote number `index`, from 0: a number raised above the line, from 1.
pub(crate) fn mark(index: usize) -> String {
    const RAISED: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let digits = (index + 1).to_string();
    digits.bytes().map(|digit| RAISED[usize::from(digit - b'0')]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_a_file_reaches_the_terminal_as_a_command() {
        assert_eq!(clean("a\u{1b}[31mb\u{7}\r\nc\u{202e}d\u{9b}"), "a�[31mb�  c�d�");
    }

    #[test]
    fn json_with_escapes_says_the_same() {
        let name = "a\u{202e}b\u{9b}c\u{7f}\u{2028}é";
        let json = serde_json::to_string(name).unwrap();
        assert_eq!(escaped(&json), "\"a\\u202eb\\u009bc\\u007f\\u2028é\"");
        assert_eq!(serde_json::from_str::<String>(&escaped(&json)).unwrap(), name);
    }

    #[test]
    fn long_names_keep_both_ends() {
        assert_eq!(fit("weighted-round-robin-3", 9), "weig…in-3");
        assert_eq!(fit("größer", 6), "größer");
        assert_eq!(fit("größer", 4), "gr…r");
        assert_eq!([fit("größer", 1), fit("größer", 0)], ["…", ""]);
    }

    #[test]
    fn paragraphs_break_between_words_and_align() {
        assert_eq!(paragraph("- ", "one two three four", 9), "- one two\n  three\n  four\n");
        assert_eq!(
            paragraph("- ", "incomprehensibilities of x", 8),
            "- incomprehensibilities\n  of x\n"
        );
    }

    #[test]
    fn marks_go_beyond_nine() {
        assert_eq!([0, 8, 9, 11].map(mark), ["¹", "⁹", "¹⁰", "¹²"]);
    }
}
