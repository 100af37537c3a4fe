//! The range of a field and its default: from the keywords of its schema, and from the sentence `Default: …` of its description.

use serde_json::{Number, Value};

use super::{Shape, chain, shape};
use crate::words::grouped;

/// The bounds at `site`: of its value, or of how many there are.
pub(super) fn range(site: &Value, schema: &Value) -> Option<String> {
    let chain = chain(site, schema);
    if matches!(shape(site, schema), Shape::Quantity(..)) && !chain[0]["maximum"].is_number() {
        return None;
    }
    let bound = |keyword: &str| chain.iter().find_map(|value| value[keyword].as_number()).cloned();
    let number = |keyword: &str| bound(keyword).map(|number| commas(&number));
    let (least, most) = (number("minimum"), number("maximum"));
    match (least, number("exclusiveMinimum"), most) {
        (Some(least), _, Some(most)) => return Some(format!("{least} to {most}")),
        (_, Some(above), Some(most)) => return Some(format!("above {above}, at most {most}")),
        (Some(least), _, None) => return Some(format!("{least} or more")),
        (_, Some(above), None) => return Some(format!("above {above}")),
        (None, None, Some(most)) => return Some(format!("at most {most}")),
        (None, None, None) => {}
    }
    [("minItems", "maxItems"), ("minProperties", "maxProperties")]
        .into_iter()
        .find_map(|(least, most)| match (number(least), number(most)) {
            (Some(least), Some(most)) => Some(format!("{least} to {most} of them")),
            (Some(least), None) => Some(format!("at least {least}")),
            (None, Some(most)) => Some(format!("at most {most} of them")),
            (None, None) => None,
        })
}

/// A number with commas between its thousands.
fn commas(number: &Number) -> String {
    let whole = number.as_u64().or_else(|| {
        number
            .as_f64()
            .filter(|x| x.fract() == 0.0 && (0.0..1e15).contains(x))
            .map(|x| x as u64)
    });
    whole.map_or_else(|| number.to_string(), |whole| grouped(&whole.to_string()))
}

/// The schema's default at `site`, if it is a plain value.
pub(super) fn default(site: &Value, schema: &Value) -> Option<String> {
    let given = chain(site, schema).into_iter().find_map(|value| value.get("default"))?;
    match given {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(given.to_string()),
        Value::Null | Value::String(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A description without its sentence `Default: …`, and what that says.
pub(super) fn without_default(said: &str) -> (String, Option<String>) {
    const MARK: &str = "Default: ";
    let Some(at) = said
        .rfind(MARK)
        .filter(|&at| at == 0 || said[..at].ends_with(". ") || said[..at].ends_with(") "))
    else {
        return (said.to_owned(), None);
    };
    let after = &said[at + MARK.len()..];
    let end = after.find(". ").map_or(after.len(), |end| end + 1);
    let (default, rest) = after.split_at(end);
    let left = format!("{}{}", &said[..at], rest.trim_start());
    (
        left.trim_end().to_owned(),
        Some(default.trim_end_matches('.').to_owned()),
    )
}
