//! How an input lies among what is possible: a number between two ends, or one of some variants.

use serde_json::Value;

use super::MOST;
use crate::experiment::axis::six_digits;
use crate::form::build::{Built, Refusal};
use crate::form::diagnose::printable;

/// The most columns of a value where it is shown.
const SHOWN: usize = 28;

/// How an input lies among what is possible.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Law {
    /// A number: uniform, or triangular with its peak at the likeliest.
    Between {
        low: f64,
        high: f64,
        likely: Option<f64>,
        /// Both ends as they are written.
        ends: [Value; 2],
        is_whole: bool,
    },
    /// Values, and the share of what is possible up to the end of each.
    OneOf(Vec<(Value, f64)>),
}

/// A number with what stands before it and behind: a currency, a unit.
pub(super) fn parts(value: &Value) -> Option<(&str, f64, &str)> {
    let text = match value {
        Value::Number(number) => return Some(("", number.as_f64()?, "")),
        Value::String(text) => text.as_str(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    let start = text.find(|c: char| c.is_ascii_digit() || c == '-')?;
    let (before, rest) = text.split_at(start);
    let end = rest
        .find(|c: char| !(c.is_ascii_digit() || ".-".contains(c)))
        .unwrap_or(rest.len());
    let (number, after) = rest.split_at(end);
    let number: f64 = number.parse().ok()?;
    (matches!(before, "" | "$") && number.is_finite()).then_some((before, number, after))
}

/// The numbers and words that a value is made of, without the names of its members.
fn leaves(value: &Value) -> String {
    fn all(values: &mut dyn Iterator<Item = &Value>) -> String {
        values.map(leaves).collect::<Vec<_>>().join(" ")
    }
    match value {
        Value::String(text) => text.clone(),
        Value::Object(members) => all(&mut members.values()),
        Value::Array(elements) => all(&mut elements.iter()),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// A value as people write it, in a few columns: of a part of the file what it is made of, like `500ms 0.5` of a law.
pub(super) fn shown(value: &Value) -> String {
    let text = printable(&leaves(value));
    match text.char_indices().nth(SHOWN) {
        None => text,
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// A value like `end` with another number.
fn written(end: &Value, x: f64) -> Value {
    match parts(end) {
        Some((before, _, after)) if end.is_string() => Value::from(format!("{before}{}{after}", six_digits(x))),
        _ => serde_json::from_str(&six_digits(x)).unwrap_or(Value::Null),
    }
}

/// The quantile of a uniform law, or of a triangular one with its peak at `likely`.
fn quantile(low: f64, high: f64, likely: Option<f64>, u: f64) -> f64 {
    let width = high - low;
    match likely {
        None => low + u * width,
        Some(peak) if u * width < peak - low => low + (u * width * (peak - low)).sqrt(),
        Some(peak) => high - ((1.0 - u) * width * (high - peak)).sqrt(),
    }
}

impl Law {
    /// The law of a number between both `ends`.
    pub(super) fn between(ends: &[Value], likely: Option<&Value>) -> Built<Law> {
        let here = |text: String| Refusal::new(text).at("between");
        let [first, last] = ends else {
            let text = format!("{} values: must be the two ends, like [\"25/s\", \"45/s\"]", ends.len());
            return Err(here(text));
        };
        let number = |i: usize| {
            let why = || {
                format!(
                    "{} is no number with a unit, like \"25/s\", \"$4\" or 0.02",
                    shown(&ends[i])
                )
            };
            parts(&ends[i]).ok_or_else(|| Refusal::new(why()).at(i).at("between"))
        };
        let ((before, low, unit), (_, high, _)) = (number(0)?, number(1)?);
        let number_of_like = |value: &Value| {
            let (b, number, u) = parts(value)?;
            (b == before && u == unit && value.is_string() == first.is_string()).then_some(number)
        };
        if number_of_like(last).is_none() {
            let (first, last) = (shown(first), shown(last));
            return Err(here(format!(
                "{first} and {last} are written in two ways: give both in one unit"
            )));
        }
        if low > high {
            let (first, last) = (shown(first), shown(last));
            return Err(here(format!(
                "from {first} to {last}: the first must be the smaller one"
            )));
        }
        let peak = |value: &Value| match number_of_like(value) {
            Some(peak) if (low..=high).contains(&peak) => Ok(peak),
            _ => {
                let [value, first, last] = [value, first, last].map(shown);
                let text = format!("{value} does not lie between {first} and {last}, in their unit");
                Err(Refusal::new(text).at("likely"))
            }
        };
        Ok(Law::Between {
            low,
            high,
            likely: likely.map(peak).transpose()?,
            ends: [first.clone(), last.clone()],
            is_whole: false,
        })
    }

    /// The law of one of `values`, each as likely as its weight of all.
    pub(super) fn one_of(values: &[Value], weights: Option<&[f64]>) -> Built<Law> {
        if !(2..=MOST).contains(&values.len()) {
            let text = format!("{} variants: must be 2 to {MOST}", values.len());
            return Err(Refusal::new(text).at("one_of"));
        }
        if let Some(again) = (1..values.len()).find(|&i| values[..i].contains(&values[i])) {
            let text = format!("{} stands there twice", shown(&values[again]));
            return Err(Refusal::new(text).at(again).at("one_of"));
        }
        let equal = vec![1.0; values.len()];
        let weights = weights.unwrap_or(&equal);
        if weights.len() != values.len() {
            let text = format!("{} weights of {} variants: each has one", weights.len(), values.len());
            return Err(Refusal::new(text).at("weights"));
        }
        if let Some(i) = weights.iter().position(|weight| !(weight.is_finite() && *weight > 0.0)) {
            let text = format!("a weight of {}: must be above 0", weights[i]);
            return Err(Refusal::new(text).at(i).at("weights"));
        }
        let whole: f64 = weights.iter().sum();
        let mut upto = 0.0;
        let with_shares = values.iter().zip(weights).map(|(value, weight)| {
            upto += weight / whole;
            (value.clone(), upto)
        });
        Ok(Law::OneOf(with_shares.collect()))
    }

    /// The value below which the share `u`, 0 to 1, of what is possible lies.
    pub(super) fn value(&self, u: f64) -> Value {
        match self {
            Law::Between {
                low,
                high,
                likely,
                ends,
                is_whole,
            } => {
                // Every whole number has as much room as every other.
                let room = if *is_whole { 0.5 } else { 0.0 };
                let x = quantile(low - room, high + room, *likely, u);
                let x = if *is_whole { x.round().clamp(*low, *high) } else { x };
                written(&ends[1], x)
            }
            Law::OneOf(values) => {
                let found = values.iter().find(|(_, upto)| u < *upto).or(values.last());
                found.map_or(Value::Null, |(value, _)| value.clone())
            }
        }
    }

    /// Why `own`, which the file has itself, is none of what is possible; nothing if it is.
    pub(super) fn lacks(&self, own: &Value) -> Option<String> {
        match self {
            Law::Between { low, high, ends, .. } => match (parts(own), parts(&ends[1])) {
                (Some((_, own, after)), Some((_, _, unit))) => {
                    if after != unit {
                        return Some("whose unit is another than that of the ends: write both in one".to_owned());
                    }
                    let [first, last] = [&ends[0], &ends[1]].map(shown);
                    (!(*low..=*high).contains(&own))
                        .then(|| format!("which is not in {first} to {last}: what a run takes must be possible"))
                }
                _ => Some("which is no number: name a number within it, or give `one_of`".to_owned()),
            },
            Law::OneOf(values) => (!values.iter().any(|(value, _)| value == own))
                .then(|| "which is none of the variants: what a run takes must be possible".to_owned()),
        }
    }

    /// A value that only a field of fractions takes, where both ends are whole numbers without a unit.
    pub(super) fn fraction(&self) -> Option<Value> {
        match self {
            Law::Between { low, high, ends, .. } if ends.iter().all(Value::is_u64) && low < high => {
                Some(Value::from(low + 0.5))
            }
            Law::Between { .. } | Law::OneOf(_) => None,
        }
    }

    /// What is possible, in words: `25/s to 45/s, likeliest 30/s`.
    pub(super) fn in_words(&self) -> String {
        match self {
            Law::Between { ends, likely, .. } => {
                let likely = likely.map(|x| format!(", likeliest {}", shown(&written(&ends[1], x))));
                let [first, last] = [&ends[0], &ends[1]].map(shown);
                format!("{first} to {last}{}", likely.unwrap_or_default())
            }
            Law::OneOf(values) => {
                let mut before = 0.0;
                let one = |(value, upto): &(Value, f64)| {
                    let share = upto - before;
                    before = *upto;
                    format!("{} ({:.0} %)", shown(value), 100.0 * share)
                };
                values.iter().map(one).collect::<Vec<_>>().join(" or ")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn law(low: Value, high: Value, likely: Option<Value>) -> Law {
        Law::between(&[low, high], likely.as_ref()).unwrap()
    }

    #[test]
    fn a_share_is_a_value_in_the_form_of_the_ends() {
        for (law, u, value) in [
            (law(json!("25/s"), json!("45/s"), None), 0.25, json!("30/s")),
            (
                law(json!("$6/Mtok"), json!("$10/Mtok"), None),
                0.125,
                json!("$6.5/Mtok"),
            ),
            (law(json!(0.7), json!(1.3), None), 0.5, json!(1)),
            (law(json!("-3ms"), json!("1ms"), None), 0.5, json!("-1ms")),
            // A triangle over 0 to 10 with its peak at 4: up to 2 lie 2² / 40, beyond 7 lie 3² / 60.
            (law(json!("0s"), json!("10s"), Some(json!("4s"))), 0.1, json!("2s")),
            (law(json!("0s"), json!("10s"), Some(json!("4s"))), 0.85, json!("7s")),
        ] {
            assert_eq!(law.value(u), value, "{law:?}");
        }
    }

    #[test]
    fn whole_numbers_have_equal_shares_and_variants_their_weights() {
        let mut of = law(json!(1), json!(4), None);
        let Law::Between { is_whole, .. } = &mut of else {
            panic!()
        };
        *is_whole = true;
        let variants = Law::one_of(&[json!("a"), json!({ "b": 1 })], Some(&[3.0, 1.0])).unwrap();
        let count = |law: &Law, value: Value| {
            (0..100)
                .filter(|k| law.value((f64::from(*k) + 0.5) / 100.0) == value)
                .count()
        };
        assert_eq!([1, 2, 3, 4].map(|x| count(&of, json!(x))), [25; 4]);
        assert_eq!(
            (count(&variants, json!("a")), count(&variants, json!({ "b": 1 }))),
            (75, 25)
        );
        assert_eq!(variants.in_words(), "a (75 %) or 1 (25 %)");
    }

    #[test]
    fn what_the_file_has_must_be_possible() {
        let of = law(json!("25/s"), json!("45/s"), None);
        assert_eq!([of.lacks(&json!("25/s")), of.lacks(&json!("45/s"))], [None, None]);
        for (own, why) in [
            (json!("46/s"), "which is not in 25/s to 45/s"),
            (json!("1800/min"), "whose unit is another"),
            (json!({}), "which is no number"),
        ] {
            assert!(of.lacks(&own).unwrap().starts_with(why), "{own}");
        }
        let variants = Law::one_of(&[json!("a"), json!("b")], None).unwrap();
        assert!(variants.lacks(&json!("b")).is_none() && variants.lacks(&json!("c")).is_some());
    }
}
