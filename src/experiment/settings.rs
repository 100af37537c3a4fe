//! Values of an experiment that a command line changes: `--set path=value`.
//!
//! A path is written as errors write it: `plan.duration`, `policies[0].client`, `providers["gpt-4.1"].connections`. An element that
//! has a name may be told by it (`policies[tiered]`), `*` is the only member of an object, and `traffic.rate` is the rate of the arrivals, if
//! they have one; `traffic.streams.NAME.rate` is that of a stream, and `traffic.scale` a factor on all traffic, whatever its kind. Several paths with commas between
//! them move together: `a,b=5` puts 5 at both, and `a,b=[5,7s]` each value at its own. A value is JSON, or else the text as it is (`40/s`). It is written at its place in the file's text; a member that is not there is put into
//! the object that would have it. So what is then read is a file like any other, whose mistakes have their lines. Left out: taking a member away, for
//! which a value of `null` serves where the form has one.

use serde::de::IgnoredAny;
use serde_json::Value;

use super::axis::list;
use crate::form::comments::blank_comments;
use crate::form::diagnose::{self, Seg, nearest};

/// Objects whose members have names of the user's: what is set within one that is not there is a name misspelt.
const NAMED: [&str; 5] = ["providers", "accounts", "hosts", "streams", "classes"];

/// How all traffic is changed, whatever its kind.
const SCALE: &str = "traffic.scale=2 is twice all of it";

/// A value, and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The path as it was written.
    path: String,
    steps: Vec<Step>,
    /// The value as JSON.
    value: String,
    /// Of several paths, each with its value; else none.
    each: Vec<Setting>,
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// The member, or the element of this name or number.
    Named(String),
    /// The only member.
    Only,
}

/// Why a setting says nothing, or nothing that the experiment has a place for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("--set {setting}: {why}")]
pub struct Unsettled {
    setting: String,
    why: String,
}

impl Unsettled {
    pub(super) fn new(setting: &str, why: String) -> Unsettled {
        Unsettled {
            setting: setting.to_owned(),
            why,
        }
    }

    /// Why, without what was written.
    pub fn why(&self) -> &str {
        &self.why
    }
}

impl std::str::FromStr for Setting {
    type Err = Unsettled;

    /// Reads `path=value`.
    fn from_str(text: &str) -> Result<Setting, Unsettled> {
        let (path, value) =
            split(text).ok_or_else(|| Unsettled::new(text, "a path, `=` and a value, like plan.duration=1h".into()))?;
        Setting::new(path, value)
    }
}

/// The text on both sides of the first `=` outside brackets.
pub(super) fn split(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0_u32;
    let at = text.char_indices().find(|&(_, c)| {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == '=' && depth == 0
    });
    at.map(|(at, _)| (text[..at].trim(), text[at + 1..].trim()))
}

/// Whether both are the same path, however they are written, or have one in common.
pub(crate) fn is_same_path(one: &str, other: &str) -> bool {
    let others: Vec<_> = list(other).iter().map(|path| steps(path)).collect();
    list(one).iter().any(|path| others.contains(&steps(path)))
}

/// The value of each of so many paths: the values of a list of as many, else the value itself.
fn values(value: &str, count: usize) -> Vec<String> {
    let inside = value.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match inside.map(list) {
        Some(values) if values.len() == count => values,
        _ => vec![value.to_owned(); count],
    }
}

fn steps(path: &str) -> Option<Vec<Step>> {
    let step = |text: &str| match text.trim().trim_matches('"') {
        "" => None,
        "*" => Some(Step::Only),
        name => Some(Step::Named(name.to_owned())),
    };
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix('[') {
            let (name, behind) = inside.split_once(']')?;
            steps.push(step(name)?);
            rest = behind;
        } else {
            let name = rest.strip_prefix('.').filter(|_| !steps.is_empty()).unwrap_or(rest);
            let end = name.find(['.', '[']).unwrap_or(name.len());
            steps.push(step(&name[..end])?);
            rest = &name[end..];
        }
    }
    (!steps.is_empty()).then_some(steps)
}

/// A value as JSON: what is none is text.
fn as_json(value: &str) -> String {
    if serde_json::from_str::<IgnoredAny>(value).is_ok() {
        value.to_owned()
    } else {
        Value::from(value).to_string()
    }
}

impl Setting {
    /// The path as it was written, and the value as JSON.
    #[cfg(feature = "cli")]
    pub(crate) fn written(&self) -> (&str, &str) {
        (&self.path, &self.value)
    }

    /// The value at that path.
    ///
    /// # Errors
    /// If the path is none.
    pub fn new(path: &str, value: &str) -> Result<Setting, Unsettled> {
        let paths = list(path);
        if paths.len() > 1 {
            let each = paths.iter().zip(values(value, paths.len()));
            let each: Vec<Setting> = each
                .map(|(path, value)| Setting::one(path, &value))
                .collect::<Result<_, _>>()?;
            return Ok(Setting {
                path: path.to_owned(),
                steps: Vec::new(),
                value: as_json(value),
                each,
            });
        }
        Setting::one(path, value)
    }

    fn one(path: &str, value: &str) -> Result<Setting, Unsettled> {
        let steps = steps(path).ok_or_else(|| {
            let why = "no path: steps with dots between them, like policies[0].client";
            Unsettled::new(&format!("{path}={value}"), why.into())
        })?;
        Ok(Setting {
            path: path.to_owned(),
            steps,
            value: as_json(value),
            each: Vec::new(),
        })
    }

    /// The text of an experiment with the value at its place.
    ///
    /// # Errors
    /// If the text is not JSON, or has no place of that path.
    pub fn put(&self, text: &str) -> Result<String, Unsettled> {
        if !self.each.is_empty() {
            return self.each.iter().try_fold(text.to_owned(), |text, one| one.put(&text));
        }
        let wrong = |why: String| Unsettled {
            setting: format!("{}={}", self.path, self.value),
            why,
        };
        let plain = blank_comments(text);
        let tree: Value =
            serde_json::from_str(&plain).map_err(|error| wrong(format!("the file is no JSON: {error}")))?;
        let (path, at, missing) = self.find(&tree).map_err(wrong)?;
        if !missing.is_empty() {
            if let (Some(members), [Step::Named(name), _, ..]) = (at.as_object(), &missing[..])
                && is_of_names(&path)
                && !members.is_empty()
            {
                return Err(wrong(no_such(&path, name, members.keys())));
            }
            let is_empty = at.as_object().is_some_and(serde_json::Map::is_empty);
            return self.put_in(text, &plain, &path, is_empty, &missing).map_err(wrong);
        }
        let start = diagnose::offset(&plain, &path, false);
        let mut values = serde_json::Deserializer::from_str(&plain[start..]).into_iter::<IgnoredAny>();
        values.next();
        let end = start + values.byte_offset();
        Ok(format!("{}{}{}", &text[..start], self.value, &text[end..]))
    }

    /// The value that the text has at the path itself, or at the first of several; nothing if it says nothing there.
    ///
    /// # Errors
    /// If the text is not JSON, or has no place of that path.
    pub fn own(&self, text: &str) -> Result<Option<Value>, Unsettled> {
        if let Some(first) = self.each.first() {
            return first.own(text);
        }
        let wrong = |why: String| Unsettled::new(&self.path, why);
        let tree: Value = serde_json::from_str(&blank_comments(text))
            .map_err(|error| wrong(format!("the file is no JSON: {error}")))?;
        let (_, at, missing) = self.find(&tree).map_err(wrong)?;
        Ok(missing.is_empty().then(|| at.clone()))
    }

    /// Where the path leads in `tree`: the steps that are there, the value that they lead to, and the steps that it lacks.
    fn find<'t>(&self, tree: &'t Value) -> Result<(Vec<Seg>, &'t Value, Vec<Step>), String> {
        let mut path: Vec<Seg> = Vec::new();
        let mut at = tree;
        let steps = self.written_out(tree)?;
        for (i, step) in steps.iter().enumerate() {
            match (step, at) {
                (Step::Only, Value::Object(members)) if members.len() == 1 => {
                    let (name, inner) = members.iter().next().ok_or("nothing is there")?;
                    path.push(Seg::from(name.as_str()));
                    at = inner;
                }
                (Step::Only, _) => {
                    return Err(format!(
                        "`*` is the only member of an object, and {} is none of one",
                        place(&path)
                    ));
                }
                (Step::Named(name), Value::Object(members)) => match members.get(name) {
                    Some(inner) => {
                        path.push(Seg::from(name.as_str()));
                        at = inner;
                    }
                    None => return Ok((path, at, steps[i..].to_vec())),
                },
                (Step::Named(name), Value::Array(elements)) => {
                    let named = |element: &Value| element.get("name").and_then(Value::as_str) == Some(name);
                    let number = elements.iter().position(named).or_else(|| name.parse().ok());
                    let Some(number) = number.filter(|&n| n < elements.len()) else {
                        return Err(format!("{} has no `{name}`: {}", place(&path), known(elements)));
                    };
                    path.push(Seg::from(number));
                    at = &elements[number];
                }
                (Step::Named(name), _) => {
                    return Err(format!("{} is a value of its own, without a `{name}`", place(&path)));
                }
            }
        }
        Ok((path, at, Vec::new()))
    }

    /// The steps, with those of a short form written out: the rate of all traffic, or of one stream.
    fn written_out(&self, tree: &Value) -> Result<Vec<Step>, String> {
        let named = |name: &str| Step::Named(name.to_owned());
        // Some have several rates, or none; that outside of a spike may be left out.
        let rate = |of: &[Step], at: Option<&Value>| {
            let kind = at.and_then(|of| of.get("arrivals")?.as_object()?.iter().next());
            match kind {
                Some((kind, parameters)) if parameters.get("rate").is_none() && kind != "spike" => {
                    Err(format!("the {kind} arrivals have no `rate` of their own; {SCALE}"))
                }
                _ => Ok([of, &[named("arrivals"), Step::Only, named("rate")]].concat()),
            }
        };
        let traffic = tree.get("traffic");
        let streams = tree.pointer("/traffic/streams").and_then(Value::as_object);
        match &self.steps[..] {
            [traffic, short] if *traffic == named("traffic") && *short == named("rate") => match streams {
                None => {}
                Some(streams) if streams.len() == 1 => {
                    return rate(
                        &[traffic.clone(), named("streams"), Step::Only],
                        streams.values().next(),
                    );
                }
                Some(streams) => {
                    let names: Vec<&str> = streams.keys().map(String::as_str).collect();
                    let why = "each stream has a rate of its own: traffic.streams.NAME.rate, of";
                    return Err(format!("{why} {}; {SCALE}", names.join(", ")));
                }
            },
            [traffic, of, Step::Named(name), short]
                if *traffic == named("traffic")
                    && *of == named("streams")
                    && *short == named("rate")
                    && streams.is_some_and(|streams| streams.contains_key(name)) =>
            {
                return rate(&self.steps[..3], streams.and_then(|streams| streams.get(name)));
            }
            _ => {}
        }
        let is_short = self.steps == [named("traffic"), named("rate")];
        if is_short && tree.pointer("/traffic/arrivals").is_some() {
            return rate(&self.steps[..1], traffic);
        }
        Ok(self.steps.clone())
    }

    /// The text with a new member in the object at `path`, and within it what else is missing.
    fn put_in(
        &self,
        text: &str,
        plain: &str,
        path: &[Seg],
        is_empty: bool,
        missing: &[Step],
    ) -> Result<String, String> {
        let mut names = Vec::new();
        for step in missing {
            match step {
                Step::Named(name) => names.push(name.as_str()),
                Step::Only => return Err(format!("{} has no such member", place(path))),
            }
        }
        let Some((first, inner)) = names.split_first() else {
            return Ok(text.to_owned());
        };
        let nested = inner.iter().rev().fold(self.value.clone(), |value, name| {
            format!("{{ {}: {value} }}", Value::from(*name))
        });
        let inside = diagnose::offset(plain, path, false) + 1;
        let comma = if is_empty { "" } else { "," };
        Ok(format!(
            "{} {}: {nested}{comma}{}",
            &text[..inside],
            Value::from(*first),
            &text[inside..]
        ))
    }
}

/// Whether the members at `path` have names of the user's.
fn is_of_names(path: &[Seg]) -> bool {
    matches!(path.last(), Some(Seg::Key(key)) if NAMED.contains(&key.as_str()))
}

/// That nothing at `path` has that name, and what has.
fn no_such<'a>(path: &[Seg], name: &str, known: impl Iterator<Item = &'a String> + Clone) -> String {
    let near = nearest(name, known.clone().map(String::as_str)).map(|near| format!(", did you mean `{near}`?"));
    let known: Vec<&str> = known.map(String::as_str).collect();
    format!(
        "{} has no `{name}`{} It has {}",
        place(path),
        near.unwrap_or_else(|| ".".into()),
        known.join(", ")
    )
}

/// A path in words.
fn place(path: &[Seg]) -> String {
    if path.is_empty() {
        "the file".into()
    } else {
        format!("`{}`", diagnose::shown(path))
    }
}

/// How elements may be told.
fn known(elements: &[Value]) -> String {
    let names: Vec<&str> = elements.iter().filter_map(|e| e.get("name")?.as_str()).collect();
    match (names.is_empty(), elements.len()) {
        (_, 0) => "it is empty".into(),
        (true, count) => format!("0 to {}", count - 1),
        (false, count) => format!("0 to {}, or {}", count - 1, names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{
  // A rate of 5/s.
  "traffic": { "arrivals": { "poisson": { "rate": "5/s" } } },
  "providers": { "gpt-4.1": {}, "b": { "connections": 5 } },
  "policies": [ { "name": "one" }, { "name": "two", "policy": "random" } ],
  "plan": { "duration": "1h" }
}"#;

    fn set(setting: &str) -> Result<Value, String> {
        let setting: Setting = setting.parse().map_err(|error: Unsettled| error.to_string())?;
        let text = setting.put(TEXT).map_err(|error| error.to_string())?;
        assert!(text.contains("// A rate of 5/s."), "{text}");
        Ok(serde_json::from_str(&blank_comments(&text)).unwrap())
    }

    #[test]
    fn a_name_that_is_misspelt_makes_nothing_new() {
        let wrong = set("providers[gpt-4.l].connections=7").unwrap_err();
        assert!(
            wrong.contains("`providers` has no `gpt-4.l`, did you mean `gpt-4.1`? It has"),
            "{wrong}"
        );
        // One that is given whole is new, and what is missing within one is put in.
        assert_eq!(
            set(r#"providers[c]={"connections": 7}"#).unwrap()["providers"]["c"]["connections"],
            7
        );
        assert_eq!(set("providers[b].load.x=7").unwrap()["providers"]["b"]["load"]["x"], 7);
    }

    #[test]
    fn several_paths_move_together() {
        let both = set("plan.duration, traffic.rate = 7").unwrap();
        let at = |of: &Value, pointer: &str| of.pointer(pointer).unwrap().clone();
        let rate = "/traffic/arrivals/poisson/rate";
        assert_eq!((at(&both, "/plan/duration"), at(&both, rate)), (7.into(), 7.into()));
        let each = set("plan.duration,traffic.rate=[2h, 9/s]").unwrap();
        assert_eq!(
            (at(&each, "/plan/duration"), at(&each, rate)),
            ("2h".into(), "9/s".into())
        );
        // A list of another length is one value, and a comma inside brackets parts no paths.
        let list = set("plan.duration,traffic.rate=[1,2,3]").unwrap();
        assert_eq!(at(&list, rate), serde_json::json!([1, 2, 3]));
        assert!(set("providers[a,b].x=1").unwrap_err().contains("`a,b`"));
        assert!(set("plan.duration,=1").is_err() && set("plan.duration,providers[x].y=1").is_err());
        for (one, other, same) in [
            ("a.b,c", "c", true),
            ("c", "d,c", true),
            ("a,b", "c,d", false),
            ("a[x]", "a.x", true),
        ] {
            assert_eq!(is_same_path(one, other), same, "{one} {other}");
        }
    }

    #[test]
    fn a_value_goes_where_its_path_says() {
        for (setting, pointer, value) in [
            ("plan.duration=2h", "/plan/duration", Value::from("2h")),
            (
                "traffic.rate=40/s",
                "/traffic/arrivals/poisson/rate",
                Value::from("40/s"),
            ),
            (
                "traffic.arrivals.*.rate=4/s",
                "/traffic/arrivals/poisson/rate",
                Value::from("4/s"),
            ),
            ("providers[b].connections=7", "/providers/b/connections", Value::from(7)),
            (
                r#"providers["gpt-4.1"].connections=7"#,
                "/providers/gpt-4.1/connections",
                Value::from(7),
            ),
            (
                "policies[two].policy=single",
                "/policies/1/policy",
                Value::from("single"),
            ),
            (
                "policies[0].client.timeouts.total=9s",
                "/policies/0/client/timeouts/total",
                Value::from("9s"),
            ),
            (
                r#"policies[1].policy={"a":[1]}"#,
                "/policies/1/policy/a/0",
                Value::from(1),
            ),
            ("plan.seed = 3", "/plan/seed", Value::from(3)),
        ] {
            let found = set(setting).unwrap();
            assert_eq!(found.pointer(pointer), Some(&value), "{setting}: {found}");
        }
    }

    #[test]
    fn a_stream_has_a_rate_of_its_own() {
        let set = |streams: &str, setting: &str| {
            let text = format!(r#"{{ "traffic": {{ "streams": {{ {streams} }} }} }}"#);
            let setting: Setting = setting.parse().unwrap();
            let text = setting.put(&text).map_err(|error| error.why().to_owned())?;
            let found: Value = serde_json::from_str(&text).unwrap();
            let rate = found.pointer("/traffic/streams/a/arrivals/poisson/rate");
            Ok::<Value, String>(rate.unwrap().clone())
        };
        let one = r#""a": { "arrivals": { "poisson": { "rate": "5/s" } } }"#;
        let two = format!(r#"{one}, "b": {{ "arrivals": {{ "poisson": {{ "rate": "6/s" }} }} }}"#);
        assert_eq!(set(&two, "traffic.streams.a.rate=40/s").unwrap(), "40/s");
        assert_eq!(set(one, "traffic.rate=40/s").unwrap(), "40/s");
        assert_eq!(
            set(&two, "traffic.rate=40/s").unwrap_err(),
            "each stream has a rate of its own: traffic.streams.NAME.rate, of a, b; traffic.scale=2 is twice all of it"
        );
        let profile = r#""a": { "arrivals": { "profile": { "peak": "5/s" } } }"#;
        assert_eq!(
            set(profile, "traffic.streams.a.rate=40/s").unwrap_err(),
            "the profile arrivals have no `rate` of their own; traffic.scale=2 is twice all of it"
        );
    }

    #[test]
    fn what_has_no_place_is_refused() {
        for (setting, why) in [
            (
                "plan.duration",
                "--set plan.duration: a path, `=` and a value, like plan.duration=1h",
            ),
            (
                "policies[three].policy=x",
                "--set policies[three].policy=\"x\": `policies` has no `three`: 0 to 1, or one, two",
            ),
            (
                "plan.duration.x=1",
                "--set plan.duration.x=1: `plan.duration` is a value of its own, without a `x`",
            ),
            (
                "providers.*.x=1",
                "--set providers.*.x=1: `*` is the only member of an object, and `providers` is none of one",
            ),
        ] {
            assert_eq!(set(setting).unwrap_err(), why);
        }
    }
}
