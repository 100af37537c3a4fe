//! Formulas: arithmetic over quantities and names, as claims about published figures need it.
//!
//! ```text
//! sum      = product { ("+" | "-") product }
//! product  = factor { ("*" | "/") factor }
//! factor   = "-" factor | "(" sum ")" | ("min" | "max") "(" sum { "," sum } ")" | name | quantity
//! name     = a letter or "_", then letters, digits and "_"
//! quantity = ["$"] number [ "k" | "M" | "G" | "%" | unit of time ] [ "/" ( [ number ] unit of time | "tok" | "ktok" | "Mtok" ) ]
//! ```
//!
//! `140M * $2.80/Mtok`, `50 / 45ms`, `1 - relay / official`. What stands without spaces around its `/` and ends in a unit is one quantity:
//! `$392 / $2.80/Mtok` is a number of tokens. `×`, `÷` and `−` serve as well.
//!
//! A value has powers of money and of time, so that dollars added to seconds are a mistake and not a number. It also has the interval
//! that it lies in: a point for what is written, that of the run for what was simulated. Intervals go through arithmetic end by end
//! (Moore, *Interval Analysis*, 1966), which holds whatever the ends have to do with each other, and is wide where one figure stands twice
//! in a formula. Left out: powers, comparisons and functions, and tokens as a unit: they are counted.

mod quantity;

use super::diagnose::nearest;
use crate::words::Unit;
use quantity::{is_quantity, quantity_end, read};

pub use quantity::quantity;

/// The most brackets and signs within each other.
const DEEPEST: u32 = 32;
/// The longest formula, in bytes.
pub const LONGEST: usize = 1_000;

/// What a value is counted in: the power of money and that of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dimension {
    money: i16,
    time: i16,
}

impl Dimension {
    /// That of a plain number.
    pub const NUMBER: Dimension = Dimension { money: 0, time: 0 };

    /// That of figures in `unit`. Money of another currency than the dollar is a number.
    pub fn of(unit: Unit) -> Dimension {
        let (money, time) = match unit {
            Unit::Seconds => (0, 1),
            Unit::PerSecond => (0, -1),
            Unit::Dollars => (1, 0),
            Unit::Share | Unit::Money(_) | Unit::Number => (0, 0),
        };
        Dimension { money, time }
    }

    /// The unit that figures of this kind are shown in, if there is one.
    pub fn unit(self) -> Option<Unit> {
        match (self.money, self.time) {
            (0, 0) => Some(Unit::Number),
            (0, 1) => Some(Unit::Seconds),
            (0, -1) => Some(Unit::PerSecond),
            (1, 0) => Some(Unit::Dollars),
            _ => None,
        }
    }

    /// The kind in words: "money over time".
    pub fn words(self) -> String {
        let power = |name: &str, power: i16| match power {
            1 => name.to_owned(),
            power => format!("{name} to the power of {power}"),
        };
        match (self.money, self.time) {
            (0, 0) => "a number".to_owned(),
            (0, -1) => "a number over time".to_owned(),
            (1, -1) => "money over time".to_owned(),
            (money, 0) => power("money", money),
            (0, time) => power("time", time),
            (money, time) => format!("{} and {}", power("money", money), power("time", time)),
        }
    }

    fn with(self, other: Dimension, sign: i16) -> Dimension {
        Dimension {
            money: self.money.saturating_add(other.money.saturating_mul(sign)),
            time: self.time.saturating_add(other.time.saturating_mul(sign)),
        }
    }
}

/// The value of a formula: dollars, seconds and what follows from them, and the interval that it lies in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Value {
    /// The lower end of its interval.
    pub lo: f64,
    /// The value itself; NaN if there is none.
    pub value: f64,
    /// The upper end of its interval.
    pub hi: f64,
    /// What it is counted in.
    pub of: Dimension,
}

impl Value {
    /// A value that is known.
    pub fn exact(value: f64, of: Dimension) -> Value {
        Value {
            lo: value,
            value,
            hi: value,
            of,
        }
    }

    fn combine(self, other: Value, of: Dimension, with: impl Fn(f64, f64) -> f64) -> Value {
        let ends = [
            with(self.lo, other.lo),
            with(self.lo, other.hi),
            with(self.hi, other.lo),
            with(self.hi, other.hi),
        ];
        // Infinity less itself, or times 0, may be anything.
        let is_open = ends.iter().any(|end| end.is_nan());
        Value {
            lo: if is_open {
                f64::NEG_INFINITY
            } else {
                ends.into_iter().fold(f64::INFINITY, f64::min)
            },
            value: with(self.value, other.value),
            hi: if is_open {
                f64::INFINITY
            } else {
                ends.into_iter().fold(f64::NEG_INFINITY, f64::max)
            },
            of,
        }
    }

    fn times(self, other: Value) -> Value {
        self.combine(other, self.of.with(other.of, 1), |a, b| a * b)
    }

    fn over(self, other: Value) -> Result<Value, String> {
        if other.value == 0.0 {
            return Err("a division by zero".to_owned());
        }
        let of = self.of.with(other.of, -1);
        let mut value = self.combine(other, of, |a, b| a / b);
        if other.lo <= 0.0 && other.hi >= 0.0 {
            (value.lo, value.hi) = (f64::NEG_INFINITY, f64::INFINITY);
        }
        Ok(value)
    }

    fn negated(self) -> Value {
        Value {
            lo: -self.hi,
            value: -self.value,
            hi: -self.lo,
            of: self.of,
        }
    }
}

/// The value of a formula; `named` has those of its names.
///
/// # Errors
/// If it is not a formula, names something that `named` does not have, divides by zero, or adds what is not of a kind; the text says which.
pub fn value(formula: &str, named: &dyn Fn(&str) -> Result<Value, String>) -> Result<Value, String> {
    if formula.len() > LONGEST {
        return Err(format!(
            "a formula of more than {LONGEST} characters: give its parts names"
        ));
    }
    let mut reader = Reader {
        text: formula,
        at: 0,
        depth: 0,
        named,
    };
    let value = reader.sum()?;
    match reader.peek() {
        None => Ok(value),
        Some(found) => Err(reader.unexpected(found, "an operator")),
    }
}

/// Whether a name may be given to a number: letters, digits and `_`, not a digit first, and none of the words that formulas have.
///
/// # Errors
/// If it may not; the text says why.
pub fn check_name(name: &str) -> Result<(), String> {
    let is_word = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if name.is_empty() || !is_word || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(format!(
            "`{name}` cannot stand in a formula: must be letters, digits and _, and begin with none of the digits"
        ));
    }
    if ["min", "max"].contains(&name) {
        return Err(format!("`{name}` is a function of formulas: must be another name"));
    }
    Ok(())
}

/// That `name` is none of `known`, and which one may have been meant.
pub fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    match nearest(name, known) {
        Some(near) => format!("there is no number `{name}` before this one; did you mean `{near}`?"),
        None => format!("there is no number `{name}` before this one"),
    }
}

/// A formula as far as it has been read.
struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: u32,
    named: &'a dyn Fn(&str) -> Result<Value, String>,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// The next character that is not a space.
    fn peek(&mut self) -> Option<char> {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
        self.rest().chars().next()
    }

    fn take(&mut self, c: char) {
        self.at += c.len_utf8();
    }

    fn unexpected(&self, found: char, expected: &str) -> String {
        let before = self.text[..self.at].trim_end();
        match before {
            "" => format!("`{found}` at the beginning: expected {expected}"),
            before => format!("`{found}` behind `{before}`: expected {expected}"),
        }
    }

    fn sum(&mut self) -> Result<Value, String> {
        let mut value = self.product()?;
        while let Some(sign @ ('+' | '-' | '−')) = self.peek() {
            self.take(sign);
            let other = self.product()?;
            let other = if sign == '+' { other } else { other.negated() };
            let verb = if sign == '+' { "added to" } else { "taken from" };
            let of = same(other.of, value.of, verb)?;
            value = value.combine(other, of, |a, b| a + b);
        }
        Ok(value)
    }

    fn product(&mut self) -> Result<Value, String> {
        let mut value = self.factor()?;
        while let Some(sign @ ('*' | '×' | '/' | '÷')) = self.peek() {
            self.take(sign);
            let other = self.factor()?;
            value = match sign {
                '*' | '×' => value.times(other),
                _ => value.over(other)?,
            };
        }
        Ok(value)
    }

    fn factor(&mut self) -> Result<Value, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!(
                "more than {DEEPEST} brackets and signs within each other: give parts names"
            ));
        }
        let value = match self.peek() {
            None => Err("it ends where a number should be".to_owned()),
            Some(sign @ ('-' | '−')) => {
                self.take(sign);
                self.factor().map(Value::negated)
            }
            Some('(') => {
                self.take('(');
                let value = self.sum()?;
                self.close()?;
                Ok(value)
            }
            Some(c) if is_quantity(c) => {
                let text = &self.rest()[..quantity_end(self.rest()).max(1)];
                self.at += text.len();
                read(text)
            }
            Some(c) if c.is_ascii_alphabetic() || c == '_' => self.name(),
            Some(c) => Err(self.unexpected(c, "a number, a name or a bracket")),
        };
        self.depth -= 1;
        value
    }

    fn name(&mut self) -> Result<Value, String> {
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let name = &rest[..end.unwrap_or(rest.len())];
        self.at += name.len();
        let (is_min, is_max) = (name == "min", name == "max");
        if !(is_min || is_max) {
            return (self.named)(name);
        }
        match self.peek() {
            Some('(') => self.take('('),
            _ => return Err(format!("`{name}` without brackets: write {name}(a, b)")),
        }
        let mut value = self.sum()?;
        while self.peek() == Some(',') {
            self.take(',');
            let other = self.sum()?;
            let of = same(other.of, value.of, "compared with")?;
            let pick = |a: f64, b: f64| match (a.is_nan() || b.is_nan(), is_min) {
                (true, _) => f64::NAN,
                (false, true) => a.min(b),
                (false, false) => a.max(b),
            };
            value = Value {
                lo: pick(value.lo, other.lo),
                value: pick(value.value, other.value),
                hi: pick(value.hi, other.hi),
                of,
            };
        }
        self.close()?;
        Ok(value)
    }

    fn close(&mut self) -> Result<(), String> {
        match self.peek() {
            Some(')') => {
                self.take(')');
                Ok(())
            }
            Some(found) => Err(self.unexpected(found, "`)`")),
            None => Err("a bracket is not closed".to_owned()),
        }
    }
}

fn same(one: Dimension, other: Dimension, verb: &str) -> Result<Dimension, String> {
    if one == other {
        return Ok(one);
    }
    Err(format!("{} {verb} {}", one.words(), other.words()))
}

#[cfg(test)]
mod tests;
