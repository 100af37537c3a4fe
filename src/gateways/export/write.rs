//! Values as a file writes them: in the quotes that stood there, plain where that is safe, as JSON among JSON.

use saphyr_parser::ScalarStyle;
use serde_json::Value;

/// How a value is to be written where none stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// As YAML: plain where that is safe.
    Yaml,
    /// As JSON: texts in double quotes.
    Json,
}

impl Manner {
    /// That of a mapping whose keys are written so.
    pub(super) fn of(style: ScalarStyle) -> Manner {
        match style {
            ScalarStyle::DoubleQuoted => Manner::Json,
            ScalarStyle::Plain | ScalarStyle::SingleQuoted | ScalarStyle::Literal | ScalarStyle::Folded => Manner::Yaml,
        }
    }

    /// A value on one line.
    pub(super) fn write(self, value: &Value) -> String {
        match value {
            Value::String(text) if self == Manner::Yaml && is_plain(text) => text.clone(),
            Value::Array(items) => {
                let items: Vec<String> = items.iter().map(|item| self.write(item)).collect();
                format!("[{}]", items.join(", "))
            }
            Value::Object(of) => {
                let pair = |(key, value): (&String, &Value)| format!("{}: {}", self.key(key), self.write(value));
                let pairs: Vec<String> = of.iter().map(pair).collect();
                format!("{{{}}}", pairs.join(", "))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                bare(value).unwrap_or_else(|| value.to_string())
            }
        }
    }

    /// A key of a mapping.
    pub(super) fn key(self, key: &str) -> String {
        self.write(&Value::String(key.to_owned()))
    }
}

/// A number without a needless point; nothing for another value.
fn bare(value: &Value) -> Option<String> {
    let number = value.as_f64()?;
    let is_whole = number.fract() == 0.0 && number.abs() < 1e15;
    Some(if is_whole {
        format!("{}", number as i64)
    } else {
        value.to_string()
    })
}

/// A value in the place of a scalar that was written so; nothing for a block of text.
pub(super) fn in_place(value: &Value, style: ScalarStyle, manner: Manner) -> Option<String> {
    let text = || match value {
        Value::String(text) => text.clone(),
        other => Manner::Json.write(other),
    };
    match style {
        ScalarStyle::Plain => Some(manner.write(value)),
        ScalarStyle::SingleQuoted => Some(format!("'{}'", text().replace('\'', "''"))),
        ScalarStyle::DoubleQuoted => Some(Value::String(text()).to_string()),
        ScalarStyle::Literal | ScalarStyle::Folded => None,
    }
}

/// Whether a text is itself when it stands without quotes, in any version of YAML.
fn is_plain(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let means_something = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"]
        .iter()
        .any(|known| text.eq_ignore_ascii_case(known));
    let is_name = text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(word);
    (is_name && !means_something) || is_time(text)
}

/// Whether a text is digits and a unit of time, which no version of YAML takes for a number: `15s`, `0.25s`, `100ms`.
fn is_time(text: &str) -> bool {
    let number = ["ms", "s", "m", "h"].iter().find_map(|unit| text.strip_suffix(unit));
    number.is_some_and(|number| {
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        number.split('.').count() < 3 && number.split('.').all(digits)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn texts_that_mean_something_else_are_quoted() {
        let yaml = |value: Value| Manner::Yaml.write(&value);
        assert_eq!(yaml(json!("simple-shuffle")), "simple-shuffle");
        assert_eq!(yaml(json!("1e3")), "\"1e3\"");
        assert_eq!(yaml(json!("no")), "\"no\"");
        assert_eq!(yaml(json!("15s")), "15s");
        assert_eq!(yaml(json!("0.25s")), "0.25s");
        assert_eq!(yaml(json!("1.2.3s")), "\"1.2.3s\"");
        assert_eq!(yaml(json!("a: b")), "\"a: b\"");
        assert_eq!(yaml(json!([1, "x", 2.50])), "[1, x, 2.5]");
        assert_eq!(yaml(json!({ "g": ["x"] })), "{g: [x]}");
        assert_eq!(Manner::Json.write(&json!({ "g": 30.0 })), "{\"g\": 30}");
    }

    #[test]
    fn quotes_stay() {
        let of = |value, style| in_place(&value, style, Manner::Yaml);
        assert_eq!(of(json!(10), ScalarStyle::SingleQuoted).as_deref(), Some("'10'"));
        assert_eq!(of(json!("it's"), ScalarStyle::SingleQuoted).as_deref(), Some("'it''s'"));
        assert_eq!(of(json!(10), ScalarStyle::DoubleQuoted).as_deref(), Some("\"10\""));
        assert_eq!(of(json!(10), ScalarStyle::Literal), None);
    }
}
