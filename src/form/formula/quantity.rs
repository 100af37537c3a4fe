//! Quantities as formulas have them: money, times, rates, prices of tokens, shares and numbers.

use super::{Dimension, Value};
use crate::form::units::{Money, seconds};
use crate::words::Unit;

/// The value of a text that is one quantity, and half a unit of the last digit that is written of it; nothing if the text is more, or less.
pub fn quantity(text: &str) -> Option<(Value, f64)> {
    let (text, sign) = match text.trim().strip_prefix(['-', '−']) {
        Some(rest) => (rest, -1.0),
        None => (text.trim(), 1.0),
    };
    if !text.starts_with(is_quantity) || quantity_end(text) != text.len() {
        return None;
    }
    let found = read(text).ok()?;
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let digits = text[start..]
        .find(|c: char| !is_digit(c))
        .map_or(text.len(), |end| start + end);
    let decimals = text[start..digits]
        .find('.')
        .map_or(0, |point| digits - start - point - 1);
    let one = read(&format!("{}1{}", &text[..start], &text[digits..])).ok()?;
    let half = 0.5 * one.value * libm::pow(10.0, -(decimals as f64));
    Some((Value::exact(sign * found.value, found.of), half))
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit() || c == '.' || c == '_'
}

pub(super) fn is_quantity(c: char) -> bool {
    c == '$' || c.is_ascii_digit() || c == '.'
}

/// What prices of tokens are for.
const TOKENS: [(&str, f64); 3] = [("tok", 1.0), ("ktok", 1e3), ("Mtok", 1e6)];

/// What stands below the `/` of a quantity, if it is a unit: so many seconds or tokens.
fn below(unit: &str) -> Option<(f64, Dimension)> {
    if let Some((_, tokens)) = TOKENS.iter().find(|(name, _)| *name == unit) {
        return Some((*tokens, Dimension::NUMBER));
    }
    let time = if unit.starts_with(|c: char| c.is_ascii_digit()) {
        seconds(unit)
    } else {
        seconds(&format!("1{unit}"))
    };
    time.map(|time| (time, Dimension::of(Unit::Seconds)))
}

/// Where the quantity at the head of `text` ends.
pub(super) fn quantity_end(text: &str) -> usize {
    let run = |from: usize, is: &dyn Fn(char) -> bool| {
        let rest = text.get(from..).unwrap_or_default();
        rest.find(|c| !is(c)).map_or(text.len(), |end| from + end)
    };
    let number = run(usize::from(text.starts_with('$')), &is_digit);
    let end = run(number, &|c| c.is_ascii_alphanumeric() || c == '_' || c == '%');
    if !text[end..].starts_with('/') {
        return end;
    }
    let whole = run(run(end + 1, &is_digit), &|c| c.is_ascii_alphanumeric() || c == '_');
    if below(&text[end + 1..whole]).is_some() {
        whole
    } else {
        end
    }
}

/// The value of a quantity.
pub(super) fn read(text: &str) -> Result<Value, String> {
    let wrong = || format!("`{text}` is not a quantity: write one like 500k, 20%, 45ms, $392, $2.80/Mtok or 1200/s");
    let (above, under) = match text.split_once('/') {
        Some((above, under)) => (above, below(under).ok_or_else(wrong)?),
        None => (text, (1.0, Dimension::NUMBER)),
    };
    let above = if above.starts_with('$') {
        let money: Money = above.parse().map_err(|why| format!("{why}"))?;
        Value::exact(money.dollars(), Dimension::of(Unit::Dollars))
    } else if let Some(time) = seconds(above) {
        Value::exact(time, Dimension::of(Unit::Seconds))
    } else {
        let (digits, times) = match above.as_bytes().last() {
            Some(b'k') => (&above[..above.len() - 1], 1e3),
            Some(b'M') => (&above[..above.len() - 1], 1e6),
            Some(b'G') => (&above[..above.len() - 1], 1e9),
            // The nearest number to the decimal, and not a product of two.
            Some(b'%') => (&above[..above.len() - 1], 0.01),
            _ => (above, 1.0),
        };
        let is_number = !digits.is_empty()
            && digits.chars().all(is_digit)
            && !digits.starts_with(['.', '_'])
            && !digits.ends_with(['.', '_']);
        let number: Option<f64> = digits.replace('_', "").parse().ok().filter(|_| is_number);
        let number = number.filter(|number| number.is_finite()).ok_or_else(wrong)?;
        let value = if times < 1.0 { number / 100.0 } else { number * times };
        Value::exact(value, Dimension::NUMBER)
    };
    above.over(Value::exact(under.0, under.1))
}
