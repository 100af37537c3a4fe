//! Sentences made fit for a page: figures that no line end tears apart, and a long description with only its start open.

use serde::Serialize;

/// A description: what is read at once, and what is folded away.
#[derive(Serialize)]
pub(super) struct Prose {
    lead: String,
    /// The heading over the rest.
    heading: &'static str,
    rest: String,
}

/// A text of so many characters is shown whole.
const WHOLE: usize = 300;

/// Splits a long text after its first sentence or two, before what it says of published and assumed figures.
pub(super) fn prose(text: &str) -> Prose {
    let all = text.len();
    let sources = |at: usize| ["Published", "Assumed"].iter().any(|word| text[at..].starts_with(word));
    let end = match sentences(text)[..] {
        _ if text.chars().count() <= WHOLE => all,
        [second, third, ..] if !sources(second) && text[..third].chars().count() <= WHOLE => third,
        [second, ..] => second,
        [] => all,
    };
    let (lead, rest) = text.split_at(end);
    Prose {
        lead: lead.trim_end().into(),
        heading: if rest.contains("Published") || rest.contains("Assumed") {
            "Published and assumed"
        } else {
            "More"
        },
        rest: rest.into(),
    }
}

/// Where each sentence but the first begins.
fn sentences(text: &str) -> Vec<usize> {
    let ends = text.match_indices(['.', '?', '!']).map(|(at, end)| at + end.len());
    let begins = ends.filter_map(|end| {
        let rest = text[end..].trim_start();
        let apart = rest.len() < text.len() - end;
        (apart && rest.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit())).then(|| text.len() - rest.len())
    });
    begins.collect()
}

/// `text` with spaces that do not break between a figure and its unit, and around `±`, `≤` and `≥`.
pub(in crate::report::html) fn unbroken(text: &str) -> String {
    let words: Vec<&str> = text.split(' ').collect();
    let mut out = String::with_capacity(text.len() + 16);
    for (index, word) in words.iter().enumerate() {
        if index > 0 {
            out.push(if belongs(words[index - 1], word) { '\u{a0}' } else { ' ' });
        }
        out += word;
    }
    // Between a sign and a dollar a line may end, unless a word joiner stands there.
    out.replace("−$", "−\u{2060}$").replace("+$", "+\u{2060}$")
}

/// Whether two neighbouring words are parts of one figure.
fn belongs(before: &str, after: &str) -> bool {
    let sign = |word: &str| matches!(word, "±" | "≤" | "≥");
    // Not "p95", whose digits belong to its letters.
    let figure = before.starts_with(|c: char| c.is_ascii_digit() || "(+−-$<".contains(c))
        && before.ends_with(|c: char| c.is_ascii_digit());
    sign(before) || sign(after) || figure && after.starts_with(|c: char| c.is_alphabetic() || c == '%')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_keeps_to_its_unit() {
        let text = "better on cost (−$3,289 ± 10, −90.2 %) and TTFT p95 (+1.31 s ± 0.01); errors ≤ 1 %";
        let expected = "better on cost (−^$3,289~±~10, −90.2~%) and TTFT p95 (+1.31~s~±~0.01); errors~≤~1~%";
        assert_eq!(unbroken(text).replace('\u{a0}', "~").replace('\u{2060}', "^"), expected);
    }

    #[test]
    fn a_short_text_is_shown_whole() {
        let found = prose("One. Two. Published: three.");
        assert_eq!(
            (found.lead.as_str(), found.rest.as_str()),
            ("One. Two. Published: three.", "")
        );
    }

    #[test]
    fn a_long_text_is_split_between_sentences_and_nothing_is_lost() {
        let tail = "x".repeat(300);
        for (text, lead) in [
            (
                format!("Does it hold 1.5 s? Four readings. One more. Published: {tail}"),
                "Does it hold 1.5 s? Four readings.",
            ),
            (format!("An hour. Published: {tail}. Assumed: y."), "An hour."),
            (format!("One. Two {tail}. Three."), "One."),
        ] {
            let found = prose(&text);
            assert_eq!(found.lead, lead);
            assert_eq!(format!("{} {}", found.lead, found.rest), text);
        }
        assert_eq!(prose(&tail.repeat(2)).rest, "");
    }
}
