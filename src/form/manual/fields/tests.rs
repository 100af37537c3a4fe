//! That a schema is read for what it says.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::*;
use crate::form::named::Named;
use crate::form::units::{Duration, Fraction};

/// Something with fields of every form.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct All {
    /// How long it takes. Default: 5s. More of it.
    wait: Option<Duration>,
    /// How many there are.
    #[schemars(range(min = 1, max = 1000))]
    count: u32,
    /// Which of two it is.
    #[serde(default)]
    which: Which,
    /// What is inside, by name.
    #[serde(default)]
    inner: Named<Inner>,
    /// Itself again, or nothing.
    again: Option<Box<All>>,
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Which {
    /// This one here.
    #[default]
    This,
    /// That one there.
    That,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Inner {
    /// The shares of it.
    #[schemars(length(min = 1))]
    shares: Vec<Fraction>,
}

fn told(field: &Field) -> String {
    let Field {
        path,
        is_required,
        form,
        range,
        default,
        says,
        choices,
    } = field;
    let required = if *is_required { " required" } else { "" };
    format!(
        "{path}{required}: {form} | {range:?} | {default:?} | {says} | {}",
        choices.len()
    )
}

#[test]
fn every_form_is_told() {
    let schema = schemars::schema_for!(All).to_value();
    let all: Vec<String> = fields(&schema, &schema, Depth::All).iter().map(told).collect();
    assert_eq!(
        all,
        [
            "count required: a whole number | Some(\"1 to 1,000\") | None | How many there are. | 0",
            "again: an object | None | None | Itself again, or nothing. | 0",
            "inner: an object of names, each with an object | None | None | What is inside, by name. | 0",
            "inner.*.shares required: a list, each a fraction like 0.7 | Some(\"at least 1\") | None | The shares of it. | 0",
            "wait: a duration like \"250ms\" | None | Some(\"5s\") | How long it takes. More of it. | 0",
            "which: one of `this`, `that` | None | Some(\"this\") | Which of two it is. | 2",
        ]
    );
    assert_eq!(fields(&schema, &schema, Depth::Own).len(), 5);
}

#[test]
fn a_field_is_reached_over_names() {
    let schema = schemars::schema_for!(All).to_value();
    let inner = step(&schema, "inner", &schema).unwrap();
    assert_eq!(steps(inner, &schema), (".*".to_owned(), vec!["shares"]));
    assert_eq!(
        said(step(inner, "shares", &schema).unwrap(), &schema),
        "The shares of it."
    );
    assert!(step(inner, "count", &schema).is_none());
}
