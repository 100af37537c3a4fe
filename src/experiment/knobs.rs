//! The numbers of an experiment that a reader may want to turn, with their places in its text.
//!
//! A knob is a number that stands in the file, plain (`70`) or with what surrounds it (`$4k`, `2.4M/30d`), or the price of a model
//! that the file only names. It is changed by writing another number at its place, so that everything else in the file, comments
//! included, stays as it is. Which members are knobs is one table; what is in none of its rows (names, the plan, shapes of
//! laws) is left alone.

use crate::stats::sorting;
use serde::Serialize;
use serde_json::Value;

use super::load::Loaded;
use crate::form::comments::blank_comments;
use crate::form::diagnose::{self, Seg};

/// What a knob is about: the headings under which they are shown, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Subject {
    /// How much traffic there is, of which classes, and how long its requests are.
    Traffic,
    /// What policies weigh and at which values they decide.
    Policies,
    /// Prices of providers.
    Prices,
    /// Quotas, connections and capacity of providers.
    Capacity,
    /// Timeouts, retries, limiters and breakers of the client.
    Client,
    /// How often providers fail.
    Faults,
    /// The bounds of objectives.
    Objectives,
}

/// A number of the experiment's text.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Knob {
    /// The JSON path, as errors write it.
    pub path: String,
    /// What it is about.
    pub subject: Subject,
    /// Where it stands in the text: the byte it begins at and the one after its end. Equal if something is put in there.
    pub at: (usize, usize),
    /// What stands before the number in the value: a quotation mark, a currency.
    pub before: String,
    /// The number that stands there, in the unit behind it.
    pub number: f64,
    /// What stands behind the number: its unit and a quotation mark.
    pub after: String,
    /// For what the text does not say itself: the member of which the number is a part, and which is put in with it.
    pub within: Option<Within>,
}

/// A member that the text lacks, since what it says comes from a model.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Within {
    /// What is put in before the member's value, with its name.
    pub before: String,
    /// The value, as the model has it.
    pub value: Value,
    /// Where in the value the knob is: members by name, elements by number.
    pub steps: Vec<String>,
    /// What is put in behind the value.
    pub after: String,
}

/// Which members are knobs: the first row that a path fits says what about. `*` is one step, `**` all that follow, if any do.
const RULES: [(&[&str], Subject); 20] = [
    (&["traffic", "scale"], Subject::Traffic),
    (&["traffic", "arrivals", "**"], Subject::Traffic),
    (&["traffic", "streams", "*", "arrivals", "**"], Subject::Traffic),
    (&["traffic", "streams", "*", "classes", "*"], Subject::Traffic),
    (&["traffic", "classes", "*", "share"], Subject::Traffic),
    (&["traffic", "classes", "*", "input", "**"], Subject::Traffic),
    (&["traffic", "classes", "*", "output", "**"], Subject::Traffic),
    (&["policies", "*", "policy", "**"], Subject::Policies),
    (&["policies", "*", "client", "**"], Subject::Client),
    (&["providers", "*", "prices", "**"], Subject::Prices),
    (&["providers", "*", "limits", "**"], Subject::Capacity),
    (&["providers", "*", "connections"], Subject::Capacity),
    (&["providers", "*", "line"], Subject::Capacity),
    (&["providers", "*", "load", "**"], Subject::Capacity),
    (&["accounts", "**"], Subject::Capacity),
    (&["hosts", "**"], Subject::Capacity),
    (&["client", "**"], Subject::Client),
    (&["providers", "*", "faults", "**"], Subject::Faults),
    (&["objectives", "*", "at_most"], Subject::Objectives),
    (&["objectives", "*", "at_least"], Subject::Objectives),
];

/// Shapes of laws: what they mean is not seen in a slider.
const SHAPES: [&str; 3] = ["sigma", "shape", "alpha"];

/// The knobs of `loaded`, by subject and within one in the order of the file.
pub fn knobs(loaded: &Loaded) -> Vec<Knob> {
    let plain = blank_comments(&loaded.text);
    let Ok(tree) = serde_json::from_str::<Value>(&plain) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    walk(&plain, &tree, &mut Vec::new(), &mut found);
    modelled(&plain, loaded, &mut found);
    sorting::by_key(&mut found, |knob| (knob.subject, knob.at));
    found
}

fn walk(text: &str, value: &Value, path: &mut Vec<Seg>, found: &mut Vec<Knob>) {
    match value {
        Value::Object(members) => {
            for (name, inner) in members {
                path.push(Seg::from(name.as_str()));
                walk(text, inner, path, found);
                path.pop();
            }
        }
        Value::Array(elements) => {
            for (i, inner) in elements.iter().enumerate() {
                path.push(Seg::from(i));
                walk(text, inner, path, found);
                path.pop();
            }
        }
        Value::Number(_) | Value::String(_) => found.extend(knob(text, path)),
        Value::Null | Value::Bool(_) => {}
    }
}

/// The knob at `path`, if a rule names it and it is a number.
fn knob(text: &str, path: &[Seg]) -> Option<Knob> {
    if matches!(path.last(), Some(Seg::Key(key)) if SHAPES.contains(&key.as_str())) {
        return None;
    }
    let subject = RULES.iter().find(|(rule, _)| fits(rule, path))?.1;
    let start = diagnose::offset(text, path, false);
    let written = written(text, start)?;
    let (before, number, after) = split(written)?;
    Some(Knob {
        path: diagnose::shown(path),
        subject,
        at: (start, start + written.len()),
        before: before.to_owned(),
        number,
        after: after.to_owned(),
        within: None,
    })
}

/// The prices and quotas of models that the text does not override: a member of its own for each provider.
fn modelled(text: &str, loaded: &Loaded, found: &mut Vec<Knob>) {
    for (name, provider) in loaded.experiment.providers.iter() {
        let model = provider.model.as_ref().and_then(|model| loaded.models.get(model));
        let variant = model.and_then(|model| model.variants.get(provider.variant.as_ref().unwrap_or(&model.default)));
        let Some(spec) = variant else {
            continue;
        };
        let path = [Seg::from("providers"), Seg::from(name)];
        // Behind the brace.
        let place = diagnose::offset(text, &path, false) + 1;
        let place = (place, diagnose::shown(&path));
        if provider.prices.is_none() {
            let within = Within {
                before: " \"prices\": { \"per_token\": ".to_owned(),
                value: serde_json::to_value(&spec.prices).unwrap_or_default(),
                steps: Vec::new(),
                after: " },".to_owned(),
            };
            put_in(&place, "prices.per_token", Subject::Prices, &within, found);
        }
        if provider.limits.is_none() {
            let within = Within {
                before: " \"limits\": ".to_owned(),
                value: serde_json::to_value(&spec.limits).unwrap_or_default(),
                steps: Vec::new(),
                after: ",".to_owned(),
            };
            put_in(&place, "limits", Subject::Capacity, &within, found);
        }
    }
}

/// The knobs of what is put in at `place`, as the member `name` of the path there.
fn put_in(place: &(usize, String), name: &str, subject: Subject, within: &Within, found: &mut Vec<Knob>) {
    let mut leaves = Vec::new();
    numbers(&within.value, &mut Vec::new(), &mut leaves);
    for (steps, text) in leaves {
        let Some((before, number, after)) = split(&text) else {
            continue;
        };
        let path = steps.iter().map(|step| match step.parse::<usize>() {
            Ok(element) => format!("[{element}]"),
            Err(_) => format!(".{step}"),
        });
        found.push(Knob {
            path: format!("{}.{name}{}", place.1, path.collect::<String>()),
            subject,
            at: (place.0, place.0),
            before: before.to_owned(),
            number,
            after: after.to_owned(),
            within: Some(Within {
                steps,
                ..within.clone()
            }),
        });
    }
}

/// The numbers and strings in `value`, as they are written, and where they are.
fn numbers(value: &Value, steps: &mut Vec<String>, found: &mut Vec<(Vec<String>, String)>) {
    let mut step = |name: String, inner: &Value| {
        steps.push(name);
        numbers(inner, steps, found);
        steps.pop();
    };
    match value {
        Value::Object(members) => members.iter().for_each(|(name, inner)| step(name.clone(), inner)),
        Value::Array(elements) => (elements.iter().enumerate()).for_each(|(i, inner)| step(i.to_string(), inner)),
        Value::Number(_) | Value::String(_) => found.push((steps.clone(), value.to_string())),
        Value::Null | Value::Bool(_) => {}
    }
}

fn fits(rule: &[&str], path: &[Seg]) -> bool {
    let tail = rule.last() == Some(&"**");
    let fixed = rule.len() - usize::from(tail);
    let long_enough = if tail { path.len() >= fixed } else { path.len() == fixed };
    let step = |(step, seg): (&&str, &Seg)| match seg {
        Seg::Key(key) => *step == "*" || step == key,
        Seg::Index(_) => *step == "*",
    };
    long_enough && rule.iter().take(fixed).zip(path).all(step)
}

/// The number or the string that begins at `start`, as it is written.
fn written(text: &str, start: usize) -> Option<&str> {
    let rest = text.get(start..)?;
    let length = match rest.strip_prefix('"') {
        // A number has no escapes.
        Some(inside) => inside.find('"')? + 2,
        None => rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '-' | '+'))?,
    };
    rest.get(..length)
}

/// What stands before the number that `written` holds, the number, and what stands behind it.
fn split(written: &str) -> Option<(&str, f64, &str)> {
    let start = written.find(|c: char| c.is_ascii_digit())?;
    let (before, rest) = written.split_at(start);
    if !matches!(before, "" | "\"" | "\"$") {
        return None;
    }
    let end = rest
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(rest.len());
    let (number, after) = rest.split_at(end);
    // "4.1-mini" and "2fast" are names; a unit has letters, a percent sign, and at most a number after a stroke.
    let is_unit = after
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '%' | '"' | ' '));
    let is_one_word = !after.trim_matches(['"', ' ']).contains(' ');
    (is_unit && is_one_word).then_some(())?;
    Some((before, number.parse().ok()?, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::load::from_text;

    const TEXT: &str = r#"{
      // The 5/s of a comment is none.
      "name": "7up",
      "traffic": {
        "arrivals": { "poisson": { "rate": "2.4M/30d" } },
        "classes": { "all": { "share": 70, "input": { "constant": 100 }, "output": { "constant": 50 } } }
      },
      "providers": { "a b": { "model": "gpt-4.1", "connections": 50 } },
      "policies": [ { "name": "only", "policy": { "weighted": { "weights": { "a b": 1.5 } } } } ],
      "objectives": [ { "metric": "cost_per_month", "at_most": "$4k" } ],
      "plan": { "duration": "20s", "replications": 4 }
    }"#;

    fn found() -> Vec<Knob> {
        knobs(&from_text("t.json", TEXT).unwrap())
    }

    #[test]
    fn numbers_are_found_with_what_surrounds_them() {
        let said: Vec<_> = found()
            .iter()
            .map(|k| format!("{} {}|{}|{}", k.path, k.before, k.number, k.after))
            .collect();
        assert_eq!(
            said,
            [
                "traffic.arrivals.poisson.rate \"|2.4|M/30d\"",
                "traffic.classes.all.share |70|",
                "traffic.classes.all.input.constant |100|",
                "traffic.classes.all.output.constant |50|",
                "policies[0].policy.weighted.weights[\"a b\"] |1.5|",
                "providers[\"a b\"].prices.per_token.cached_input \"$|0.5|/Mtok\"",
                "providers[\"a b\"].prices.per_token.input \"$|2|/Mtok\"",
                "providers[\"a b\"].prices.per_token.output \"$|8|/Mtok\"",
                // The quota of the model's file: 10,000 requests a minute.
                "providers[\"a b\"].limits[0].token_bucket.burst |10000|",
                "providers[\"a b\"].limits[0].token_bucket.rate \"|10|k/min\"",
                "providers[\"a b\"].connections |50|",
                "objectives[0].at_most \"$|4|k\"",
            ]
        );
    }

    #[test]
    fn each_stands_where_it_says() {
        for knob in found() {
            let there = &TEXT[knob.at.0..knob.at.1];
            match knob.within {
                None => assert_eq!(there, format!("{}{}{}", knob.before, knob.number, knob.after)),
                Some(_) => assert_eq!(there, ""),
            }
        }
    }

    #[test]
    fn what_a_model_says_is_put_in_and_reads() {
        let changed = |end: &str, to: Value| {
            let knob = found()
                .into_iter()
                .find(|k| k.path.ends_with(end) && k.within.is_some());
            let knob = knob.unwrap();
            let mut within = knob.within.unwrap();
            let pointer = format!("/{}", within.steps.join("/"));
            *within.value.pointer_mut(&pointer).unwrap() = to;
            let (head, tail) = TEXT.split_at(knob.at.0);
            let changed = format!("{head}{}{}{}{tail}", within.before, within.value, within.after);
            let loaded = from_text("t.json", &changed).unwrap();
            let provider = loaded.experiment.providers.iter().next().unwrap().1;
            let json = |value| serde_json::to_value(value).unwrap();
            (json(&provider.prices), serde_json::to_value(&provider.limits).unwrap())
        };
        let (prices, limits) = changed("output", Value::from("$9/Mtok"));
        assert_eq!(
            (&prices["per_token"]["output"], &prices["per_token"]["input"]),
            (&"$9/Mtok".into(), &"$2/Mtok".into())
        );
        assert!(limits.is_null());
        let (_, limits) = changed("token_bucket.rate", Value::from("9k/min"));
        // 9,000 a minute.
        assert_eq!(limits[0]["token_bucket"]["rate"].as_str(), Some("150/s"), "{limits}");
    }

    #[test]
    fn names_with_digits_are_no_numbers() {
        for name in ["\"4.1-mini\"", "\"a2\"", "\"-3\"", "\"\"", "\"2 fast cars\""] {
            assert_eq!(split(name), None, "{name}");
        }
    }
}
