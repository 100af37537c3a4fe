//! What serde says, in the words of JSON, and what was probably meant.
//!
//! serde names Rust's types ("expected u32", "invalid type: map"); a file has numbers, names, lists and objects. The
//! lists of allowed names that serde puts into its sentence are taken out of it, so that they can be searched for the
//! nearest one. A sentence of an unknown form is kept as it is.

/// A serde message taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Explained {
    pub(super) message: String,
    /// The unknown name and the names that are allowed in its place.
    pub(super) found: Option<String>,
    pub(super) allowed: Vec<String>,
}

/// Takes a message of serde's, without its position, apart.
pub(super) fn explain(message: &str) -> Explained {
    // A list with fewer values than the fields that it was taken for.
    if message.starts_with("invalid length ") && message.contains(", expected struct ") {
        return explain("invalid type: sequence, expected struct");
    }
    let (head, allowed) = match message.rsplit_once(", expected ") {
        Some((head, tail)) => match names(tail) {
            Some(allowed) => (head.to_string(), allowed),
            None => (
                format!("{}, expected {}", plain_found(head), plain_expected(tail)),
                Vec::new(),
            ),
        },
        None => (message.to_string(), Vec::new()),
    };
    for (prefix, plain) in [
        ("unknown field `", "unknown field"),
        ("unknown variant `", "unknown name"),
    ] {
        let Some(rest) = head.strip_prefix(prefix) else {
            continue;
        };
        // serde writes "…`, there are no fields" where nothing is allowed.
        let Some(found) = rest
            .strip_suffix('`')
            .or_else(|| Some(rest.rsplit_once("`, there are no ")?.0))
        else {
            continue;
        };
        let message = if allowed.is_empty() {
            format!("{plain} `{found}`: nothing is allowed here")
        } else {
            format!("{plain} `{found}`")
        };
        return Explained {
            message,
            found: Some(found.to_string()),
            allowed,
        };
    }
    Explained {
        message: head,
        found: None,
        allowed,
    }
}

/// The names in serde's "one of `a`, `b`", "`a` or `b`" or "`a`".
fn names(tail: &str) -> Option<Vec<String>> {
    let (list, separator) = match tail.strip_prefix("one of ") {
        Some(list) => (list, "`, `"),
        None => (tail, "` or `"),
    };
    let list = list.strip_prefix('`')?.strip_suffix('`')?;
    Some(list.split(separator).map(str::to_string).collect())
}

/// "invalid type: map" as "invalid type: an object".
fn plain_found(head: &str) -> String {
    let Some((kind, found)) = head.split_once(": ").filter(|(kind, _)| kind.starts_with("invalid ")) else {
        return head.to_string();
    };
    let plain = match found {
        "map" => "an object",
        "sequence" => "a list",
        "unit value" => "null",
        "unit variant" => "a bare name",
        _ => match found.split_once(" `") {
            Some(("boolean" | "integer" | "floating point", value)) => value.trim_end_matches('`'),
            _ => found,
        },
    };
    format!("{kind}: {plain}")
}

/// "u32" as "a whole number from 0 to 4294967295".
fn plain_expected(tail: &str) -> String {
    let unsigned = |max: u64| format!("a whole number from 0 to {max}");
    match tail {
        "u8" => unsigned(u8::MAX.into()),
        "u16" => unsigned(u16::MAX.into()),
        "u32" => unsigned(u32::MAX.into()),
        "u64" | "usize" => "a whole number from 0".into(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".into(),
        "f32" | "f64" => "a number".into(),
        "a boolean" => "true or false".into(),
        "a sequence" => "a list".into(),
        "a map" => "an object".into(),
        "unit" => "nothing: write the name alone".into(),
        "string or map" => "a name or an object".into(),
        "newtype variant" => "an object with one name and its value".into(),
        _ if tail.starts_with("struct variant ") => "an object with its parameters".into(),
        _ if tail == "struct" || tail.starts_with("struct ") => "an object".into(),
        _ if tail.starts_with("tuple variant ") || tail.starts_with("a tuple ") => {
            let digits = tail.chars().filter(char::is_ascii_digit).collect::<String>();
            format!("a list of {digits}")
        }
        _ => tail.to_string(),
    }
}

/// The candidate that `name` was probably meant to be: at most a third of its letters wrong (an exchange of neighbours
/// counts once), or one the beginning or the end of the other. Case does not count.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const LONGEST: usize = 64;
    const SHORTEST_PART: usize = 3;
    let length = name.chars().count();
    if length > LONGEST {
        return None;
    }
    let name = name.to_lowercase();
    let distance = |candidate: &str| {
        let lower = candidate.to_lowercase();
        let letters = candidate.chars().count();
        let distance = strsim::damerau_levenshtein(&name, &lower);
        let part = length.min(letters) >= SHORTEST_PART
            && (name.starts_with(&lower)
                || lower.starts_with(&name)
                || name.ends_with(&lower)
                || lower.ends_with(&name));
        (part || distance <= length.max(letters) / 3).then_some(distance)
    };
    let near = candidates
        .into_iter()
        .filter_map(|candidate| Some((distance(candidate)?, candidate)));
    near.min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(message: &str, plain: &str, found: Option<&str>, allowed: &[&str]) {
        let explained = explain(message);
        assert_eq!((explained.message.as_str(), explained.found.as_deref()), (plain, found));
        assert_eq!(explained.allowed, allowed);
    }

    #[test]
    fn lists_of_names_are_taken_out() {
        check(
            "unknown field `x`, expected one of `a`, `b`, `c`",
            "unknown field `x`",
            Some("x"),
            &["a", "b", "c"],
        );
        check(
            "unknown variant `x`, expected `a` or `b`",
            "unknown name `x`",
            Some("x"),
            &["a", "b"],
        );
        check(
            "unknown field `x`, expected `a`",
            "unknown field `x`",
            Some("x"),
            &["a"],
        );
        check(
            "unknown field `x`, there are no fields",
            "unknown field `x`: nothing is allowed here",
            Some("x"),
            &[],
        );
        check("no name, expected one of `a`, `b`", "no name", None, &["a", "b"]);
    }

    #[test]
    fn hostile_names_do_not_confuse() {
        check(
            "unknown field `a`, expected `b`, expected `c`",
            "unknown field `a`, expected `b`",
            Some("a`, expected `b"),
            &["c"],
        );
        check("unknown field ``, expected `c`", "unknown field ``", Some(""), &["c"]);
    }

    #[test]
    fn types_are_those_of_json() {
        check(
            "invalid type: map, expected u32",
            "invalid type: an object, expected a whole number from 0 to 4294967295",
            None,
            &[],
        );
        check(
            "invalid type: floating point `1.5`, expected usize",
            "invalid type: 1.5, expected a whole number from 0",
            None,
            &[],
        );
        check(
            "invalid type: string \"a: b\", expected f64",
            "invalid type: string \"a: b\", expected a number",
            None,
            &[],
        );
        check(
            "invalid type: null, expected struct P2c",
            "invalid type: null, expected an object",
            None,
            &[],
        );
        check(
            "invalid type: boolean `true`, expected a sequence",
            "invalid type: true, expected a list",
            None,
            &[],
        );
        check(
            "invalid length 1, expected struct Tier with 3 elements",
            "invalid type: a list, expected an object",
            None,
            &[],
        );
        check("missing field `a`", "missing field `a`", None, &[]);
    }

    #[track_caller]
    fn check_nearest(name: &str, candidates: &[&str], expected: Option<&str>) {
        assert_eq!(nearest(name, candidates.iter().copied()), expected);
    }

    #[test]
    fn the_nearest_name_is_found() {
        check_nearest("weights", &["choices", "weight"], Some("weight"));
        check_nearest("p3c", &["p2c", "round_robin"], Some("p2c"));
        check_nearest("chioces", &["choices"], Some("choices"));
        check_nearest("Round-Robin", &["random", "round_robin"], Some("round_robin"));
        check_nearest("least", &["least_busy", "last"], Some("last"));
        check_nearest("peak", &["peak_ewma"], Some("peak_ewma"));
        check_nearest("max_tries", &["max", "tries"], Some("tries"));
    }

    #[test]
    fn what_is_far_is_not_suggested() {
        check_nearest("abc", &["xyz", "abxy"], None);
        check_nearest("pe", &["peak_ewma"], None);
        check_nearest("", &["a"], None);
        check_nearest(&"a".repeat(65), &["a"], None);
        check_nearest("a", &[], None);
    }
}
