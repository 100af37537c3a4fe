//! Lists where objects should be: what serde takes in silence for the fields in the order of their declaration.
//!
//! What was read is written out again, which gives objects where the type has fields; wherever the file has a list
//! there, it is one without names. Lists that the type has (a range as a pair) are lists both times.

use serde::Serialize;
use serde_json::Value;

use super::Seg;

/// The path of the first list of `json` that `read`, which was read from it, has an object for.
pub(super) fn find_list<T: Serialize>(json: &str, read: &T) -> Option<Vec<Seg>> {
    let given: Value = serde_json::from_str(json).ok()?;
    let written = serde_json::to_value(read).ok()?;
    let mut path = Vec::new();
    differs(&given, &written, &mut path).then_some(path)
}

/// Whether `given` has a list for an object of `written`; `path` then leads to it. As deep as the parser allows.
fn differs(given: &Value, written: &Value, path: &mut Vec<Seg>) -> bool {
    let mut inside = |step: Seg, given: &Value, written: &Value| {
        path.push(step);
        let found = differs(given, written, path);
        if !found {
            path.pop();
        }
        found
    };
    match (given, written) {
        (Value::Array(_), Value::Object(_)) => true,
        (Value::Array(given), Value::Array(written)) => {
            let mut pairs = given.iter().zip(written).enumerate();
            pairs.any(|(i, (given, written))| inside(Seg::Index(i), given, written))
        }
        (Value::Object(given), Value::Object(written)) => {
            let mut members = given.iter();
            members.any(|(key, given)| {
                let same = written.get(key);
                same.is_some_and(|written| inside(Seg::Key(key.clone()), given, written))
            })
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Serialize, Deserialize)]
    struct Point {
        x: u32,
        range: (u32, u32),
    }

    #[track_caller]
    fn check(json: &str, expected: Option<&[Seg]>) {
        let read: Vec<Point> = serde_json::from_str(json).unwrap();
        assert_eq!(find_list(json, &read).as_deref(), expected);
    }

    #[test]
    fn a_list_of_fields_is_found_and_a_pair_is_none() {
        check(r#"[{"x": 1, "range": [2, 3]}]"#, None);
        check(r#"[{"x": 1, "range": [2, 3]}, [1, [2, 3]]]"#, Some(&[Seg::Index(1)]));
    }
}
