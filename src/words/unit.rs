//! What figures are counted in.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The code of a currency, like CNY.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Code([u8; 3]);

impl Code {
    /// The code of these three capital letters.
    pub fn new(code: &str) -> Option<Code> {
        let letters: [u8; 3] = code.as_bytes().try_into().ok()?;
        letters.iter().all(u8::is_ascii_uppercase).then_some(Code(letters))
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|&letter| write!(f, "{}", char::from(letter)))
    }
}

impl TryFrom<String> for Code {
    type Error = String;

    fn try_from(code: String) -> Result<Code, String> {
        Code::new(&code).ok_or_else(|| format!("`{code}` is not three capital letters"))
    }
}

impl From<Code> for String {
    fn from(code: Code) -> String {
        code.to_string()
    }
}

/// What a figure is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unit {
    /// Seconds of simulated time.
    Seconds,
    /// A share, from 0 to 1.
    Share,
    /// A rate per second.
    PerSecond,
    /// Money in US dollars.
    Dollars,
    /// Money in another currency.
    Money(Code),
    /// A plain number.
    Number,
}

/// The `digits`, which may have a fraction, with commas between the thousands of the whole: `1,234.5`.
pub fn grouped(digits: &str) -> String {
    let (whole, fraction) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let mut out = String::with_capacity(digits.len() + whole.len() / 3);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out + fraction
}
