//! Money in US dollars: amounts (`"$100"`), prices of tokens (`"$0.42/Mtok"`) and of time (`"$1/h"`), in whole pico-dollars.
//!
//! A millionth of a dollar per million tokens is one pico-dollar per token, so every published price is a whole
//! number and every bill an exact sum. Other currencies are the reader's to convert.

use super::decimal::{Decimal, Misfit, show, split_suffix};
use super::duration::{Duration, nanos};
use super::{Quantity, quantity};
use crate::kernel::time::Span;
use std::fmt;

const PICO: u128 = 1_000_000_000_000;

/// A trillion dollars, above which no file's amount lies: what is below can be written with 24 digits.
const LARGEST: u128 = PICO * PICO;

/// An amount of money, zero or more, in whole pico-dollars. A file's is below a trillion dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(u128);

impl Money {
    /// The amount of `picodollars`.
    pub const fn from_picodollars(picodollars: u128) -> Money {
        Money(picodollars)
    }

    /// The amount in pico-dollars.
    pub const fn picodollars(self) -> u128 {
        self.0
    }

    /// The amount in dollars, rounded to a float.
    pub fn dollars(self) -> f64 {
        self.0 as f64 / PICO as f64
    }
}

impl Quantity for Money {
    const NAME: &'static str = "an amount of money";
    const GRAMMAR: &'static str = "`$` and a number (k, M, G allowed), like \"$100\" or \"$1.2k\"";
    const PATTERN: &'static str = r"^\$[0-9]+(_[0-9]+)*(\.[0-9]+)?[kMG]?$";
    const EXAMPLES: &'static [&'static str] = &["$100", "$0.002", "$1200"];

    fn read(text: &str) -> Result<Money, String> {
        let (number, rest) = split_dollars(text)?;
        let (factor, rest) = split_suffix(rest);
        if !rest.is_empty() {
            return Err(format!("unknown suffix `{rest}`"));
        }
        match number.times(PICO * factor).map_err(clause)? {
            LARGEST.. => Err(clause(Misfit::TooLarge)),
            picodollars => Ok(Money(picodollars)),
        }
    }
}

quantity!(Money);

impl fmt::Display for Money {
    /// Dollars without suffix: `$1200`, `$0.002`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${}", show(self.0, 12))
    }
}

/// What one token costs, zero or more, in whole pico-dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenPrice(u64);

impl TokenPrice {
    /// The price of `picodollars` a token.
    pub const fn from_picodollars(picodollars: u64) -> TokenPrice {
        TokenPrice(picodollars)
    }

    /// Pico-dollars per token.
    pub const fn picodollars(self) -> u64 {
        self.0
    }
}

impl Quantity for TokenPrice {
    const NAME: &'static str = "a price of tokens";
    const GRAMMAR: &'static str = "`$`, a number and one of /tok, /ktok, /Mtok, like \"$0.42/Mtok\"";
    const PATTERN: &'static str = r"^\$[0-9]+(_[0-9]+)*(\.[0-9]+)?/(tok|ktok|Mtok)$";
    const EXAMPLES: &'static [&'static str] = &["$0.42/Mtok", "$15/Mtok"];

    fn read(text: &str) -> Result<TokenPrice, String> {
        let (number, unit) = split_dollars(text)?;
        let factor = match unit {
            "/tok" => PICO,
            "/ktok" => PICO / 1_000,
            "/Mtok" => PICO / 1_000_000,
            "" => return Err("it does not say for how many tokens".into()),
            _ => return Err(format!("unknown unit `{unit}`")),
        };
        let picodollars = number.times(factor).map_err(clause)?;
        u64::try_from(picodollars)
            .map(TokenPrice)
            .map_err(|_| clause(Misfit::TooLarge))
    }
}

quantity!(TokenPrice);

impl fmt::Display for TokenPrice {
    /// Always per million tokens, as price lists have it: `$0.42/Mtok`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${}/Mtok", show(u128::from(self.0), 6))
    }
}

/// What something costs by the time: so many pico-dollars in so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MoneyRate {
    picodollars: u128,
    nanos: u64,
}

impl MoneyRate {
    /// Pico-dollars for `units` of it over `span`, rounded down.
    pub fn picodollars_over(self, span: Span, units: u64) -> u128 {
        let price = self.picodollars.saturating_mul(u128::from(units));
        let (per, span) = (u128::from(self.nanos), u128::from(span.nanos()));
        let whole = (price / per).saturating_mul(span);
        whole.saturating_add(price % per * span / per)
    }
}

impl Quantity for MoneyRate {
    const NAME: &'static str = "a price of time";
    const GRAMMAR: &'static str = "`$`, a number (k, M, G allowed), `/` and a time in s, min, h or day, \
        like \"$1/h\" or \"$730/30d\"";
    const PATTERN: &'static str = concat!(
        r"^\$[0-9]+(_[0-9]+)*(\.[0-9]+)?[kMG]?/",
        r"([0-9]+(_[0-9]+)*(\.[0-9]+)?)?(ns|us|ms|s|m|min|h|hour|d|day)$",
    );
    const EXAMPLES: &'static [&'static str] = &["$1/1h", "$730/30d"];

    fn read(text: &str) -> Result<MoneyRate, String> {
        let Some((amount, time)) = text.split_once('/') else {
            return Err(match split_dollars(text) {
                Ok(_) => "it has no time".into(),
                Err(what) => what,
            });
        };
        let picodollars = Money::read(amount)?.picodollars();
        let one = Decimal { digits: 1, places: 0 };
        let (number, unit) = if time.starts_with(|c: char| c.is_ascii_digit()) {
            Decimal::split(time)?
        } else {
            (one, time)
        };
        match nanos(number, unit)? {
            0 => Err("its time is zero".into()),
            nanos => Ok(MoneyRate { picodollars, nanos }),
        }
    }
}

quantity!(MoneyRate);

impl fmt::Display for MoneyRate {
    /// The amount and the time, as they were written: `$1/1h`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = Duration::from(Span::from_nanos(self.nanos));
        write!(f, "{}/{time}", Money(self.picodollars))
    }
}

fn split_dollars(text: &str) -> Result<(Decimal, &str), String> {
    match text.strip_prefix('$') {
        Some(amount) => Decimal::split(amount),
        None if text.starts_with("-$") => Err("it may not be negative".into()),
        None => Err("it does not begin with `$`".into()),
    }
}

fn clause(misfit: Misfit) -> String {
    match misfit {
        Misfit::TooLarge => "it is too large".into(),
        Misfit::TooFine => "it is not a whole number of pico-dollars".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, check_refused};
    use super::*;

    #[test]
    fn amounts_are_exact() {
        let picodollars = |text: &str| text.parse::<Money>().unwrap().picodollars();
        assert_eq!(picodollars("$100"), 100_000_000_000_000);
        assert_eq!(picodollars("$0.002"), 2_000_000_000);
        assert_eq!(picodollars("$1.2k"), 1_200_000_000_000_000);
        assert_eq!("$0.1".parse::<Money>().unwrap().dollars(), 0.1);
    }

    #[test]
    fn prices_are_exact() {
        let picodollars = |text: &str| text.parse::<TokenPrice>().unwrap().picodollars();
        assert_eq!(picodollars("$0.42/Mtok"), 420_000);
        assert_eq!(picodollars("$0.03/ktok"), 30_000_000);
        assert_eq!(picodollars("$1/tok"), 1_000_000_000_000);
        assert_eq!(picodollars("$0.000001/Mtok"), 1);
    }

    #[test]
    fn time_is_charged_to_the_pico_dollar() {
        let over = |text: &str, seconds: u64, units: u64| {
            let rate: MoneyRate = text.parse().unwrap();
            rate.picodollars_over(Span::from_secs(seconds), units)
        };
        assert_eq!(over("$1/h", 3600, 1), 1_000_000_000_000);
        assert_eq!(over("$1/h", 1, 1), 277_777_777);
        assert_eq!(over("$1/h", 3600, 50), 50_000_000_000_000);
        assert_eq!(over("$730/30d", 86_400, 3), 73_000_000_000_000);
        assert_eq!(over("$0/s", 1, 1), 0);
        assert_eq!(over("$999G/ns", 18_000_000_000, u64::MAX), u128::MAX);
        check::<MoneyRate>("\"$1/h\"", "$1/1h");
        check::<MoneyRate>("\"$1.50/min\"", "$1.5/1m");
        check::<MoneyRate>("\"$0.73k/30d\"", "$730/30d");
    }

    #[test]
    fn odd_prices_of_time_are_refused() {
        check_refused::<MoneyRate>("1", "the number 1 is not a price of time: it has no unit");
        check_refused::<MoneyRate>("\"$1\"", "\"$1\" is not a price of time: it has no time");
        check_refused::<MoneyRate>("\"1/h\"", "\"1/h\" is not a price of time: it does not begin with `$`");
        check_refused::<MoneyRate>("\"$1/0h\"", "\"$1/0h\" is not a price of time: its time is zero");
        check_refused::<MoneyRate>("\"$1/week\"", "\"$1/week\" is not a price of time: unknown unit `week`");
    }

    #[test]
    fn money_has_a_canonical_string() {
        check::<Money>("\"$100\"", "$100");
        check::<Money>("\"$0.0020\"", "$0.002");
        check::<Money>("\"$1.2k\"", "$1200");
        check::<Money>("\"$3M\"", "$3000000");
        check::<Money>("\"$1_000\"", "$1000");
        check::<Money>("\"$0\"", "$0");
        check::<Money>("\"$999.999999999G\"", "$999999999999");
        check::<TokenPrice>("\"$0.42/Mtok\"", "$0.42/Mtok");
        check::<TokenPrice>("\"$0.03/ktok\"", "$30/Mtok");
        check::<TokenPrice>("\"$1/tok\"", "$1000000/Mtok");
        check::<TokenPrice>("\"$0/Mtok\"", "$0/Mtok");
    }

    #[test]
    fn odd_amounts_are_refused() {
        check_refused::<Money>("100", "the number 100 is not an amount of money: it has no unit");
        check_refused::<Money>(
            "\"100\"",
            "\"100\" is not an amount of money: it does not begin with `$`",
        );
        check_refused::<Money>("\"$\"", "\"$\" is not an amount of money: it is empty");
        check_refused::<Money>("\"-$5\"", "\"-$5\" is not an amount of money: it may not be negative");
        check_refused::<Money>("\"$-5\"", "\"$-5\" is not an amount of money: it may not be negative");
        check_refused::<Money>("\"$1K\"", "\"$1K\" is not an amount of money: unknown suffix `K`");
        check_refused::<Money>(
            "\"$1,000\"",
            "\"$1,000\" is not an amount of money: its thousands are told apart by `_` or by nothing, like 200_000 or 200k",
        );
        check_refused::<Money>("\"€5\"", "\"€5\" is not an amount of money: it does not begin with `$`");
        check_refused::<Money>(
            "\"$ 5\"",
            "\"$ 5\" is not an amount of money: it does not begin with a number",
        );
        check_refused::<Money>(
            "\"$0.0000000000001\"",
            "\"$0.0000000000001\" is not an amount of money: it is not a whole number of pico-dollars",
        );
        check_refused::<Money>("\"$1000G\"", "\"$1000G\" is not an amount of money: it is too large");
    }

    #[test]
    fn odd_prices_are_refused() {
        check_refused::<TokenPrice>("0.42", "the number 0.42 is not a price of tokens: it has no unit");
        check_refused::<TokenPrice>(
            "\"0.42/Mtok\"",
            "\"0.42/Mtok\" is not a price of tokens: it does not begin with `$`",
        );
        check_refused::<TokenPrice>(
            "\"$0.42\"",
            "\"$0.42\" is not a price of tokens: it does not say for how many tokens",
        );
        check_refused::<TokenPrice>(
            "\"$1/mtok\"",
            "\"$1/mtok\" is not a price of tokens: unknown unit `/mtok`",
        );
        check_refused::<TokenPrice>(
            "\"$1k/tok\"",
            "\"$1k/tok\" is not a price of tokens: unknown unit `k/tok`",
        );
        check_refused::<TokenPrice>(
            "\"-$1/tok\"",
            "\"-$1/tok\" is not a price of tokens: it may not be negative",
        );
        check_refused::<TokenPrice>(
            "\"$/tok\"",
            "\"$/tok\" is not a price of tokens: it does not begin with a number",
        );
        check_refused::<TokenPrice>(
            "\"$0.0000001/Mtok\"",
            "\"$0.0000001/Mtok\" is not a price of tokens: it is not a whole number of pico-dollars",
        );
        check_refused::<TokenPrice>(
            "\"$18446745/tok\"",
            "\"$18446745/tok\" is not a price of tokens: it is too large",
        );
    }
}
