//! Exact decimal numbers at the head of a quantity: `1.5` of `1.5s`, never through a float.
//!
//! A number is digits, `_` between digits, and at most one point with digits on both sides. No sign, no exponent:
//! a quantity that needs them wants another unit. Up to 24 significant digits, which leaves room in 128 bits for any
//! unit.

/// A number of the form `digits / 10^places`, with no trailing zero after the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    pub(super) digits: u128,
    pub(super) places: u32,
}

/// Why a decimal times a unit is not a whole number that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Misfit {
    /// More than 128 bits.
    TooLarge,
    /// A fraction is left over.
    TooFine,
}

const MAX_DIGITS: u32 = 24;

impl Decimal {
    /// Splits `text` into the number at its head and the rest.
    ///
    /// # Errors
    /// What is wrong with the number, as a clause that follows "is not a duration: ".
    pub(super) fn split(text: &str) -> Result<(Decimal, &str), String> {
        match text.as_bytes() {
            [] => return Err("it is empty".into()),
            [b'-', ..] => return Err("it may not be negative".into()),
            [first, ..] if !first.is_ascii_digit() => return Err("it does not begin with a number".into()),
            _ => {}
        }
        let bytes = text.as_bytes();
        let mut number = Decimal { digits: 0, places: 0 };
        let mut at = 0;
        let mut past_point = false;
        while let Some(&byte) = bytes.get(at) {
            let digit_follows = bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
            match byte {
                b'0'..=b'9' => number.push(byte - b'0', past_point)?,
                b'_' if digit_follows && !past_point => {}
                b'.' if digit_follows && !past_point => past_point = true,
                b',' if digit_follows && !past_point => {
                    return Err("its thousands are told apart by `_` or by nothing, like 200_000 or 200k".into());
                }
                b'_' | b'.' => return Err(format!("the `{}` in its number is out of place", char::from(byte))),
                _ => break,
            }
            at += 1;
        }
        number.trim();
        Ok((number, &text[at..]))
    }

    /// The number times `unit`, if that is whole.
    pub(super) fn times(self, mut unit: u128) -> Result<u128, Misfit> {
        let mut places = self.places;
        while places > 0 && unit.is_multiple_of(10) {
            places -= 1;
            unit /= 10;
        }
        if self.digits == 0 {
            return Ok(0);
        }
        let scaled = self.digits.checked_mul(unit).ok_or(Misfit::TooLarge)?;
        match 10_u128.checked_pow(places) {
            Some(ten) if scaled.is_multiple_of(ten) => Ok(scaled / ten),
            _ => Err(Misfit::TooFine),
        }
    }

    fn push(&mut self, digit: u8, past_point: bool) -> Result<(), String> {
        if self.digits >= 10_u128.pow(MAX_DIGITS - 1) {
            return Err(format!("its number has more than {MAX_DIGITS} digits"));
        }
        self.digits = self.digits * 10 + u128::from(digit);
        self.places += u32::from(past_point);
        Ok(())
    }

    fn trim(&mut self) {
        while self.places > 0 && self.digits.is_multiple_of(10) {
            self.digits /= 10;
            self.places -= 1;
        }
    }
}

/// Takes a count suffix (`k`, `M` or `G`) off the head of `rest`.
pub(super) fn split_suffix(rest: &str) -> (u128, &str) {
    let factor = match rest.as_bytes().first() {
        Some(b'k') => 1_000,
        Some(b'M') => 1_000_000,
        Some(b'G') => 1_000_000_000,
        _ => return (1, rest),
    };
    (factor, &rest[1..])
}

/// `value / 10^places` in decimal, without trailing zeros.
pub(super) fn show(value: u128, places: u32) -> String {
    let ten = 10_u128.pow(places);
    let (whole, part) = (value / ten, value % ten);
    if part == 0 {
        return whole.to_string();
    }
    let part = format!("{part:0width$}", width = places as usize);
    format!("{whole}.{}", part.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, digits: u128, places: u32, rest: &str) {
        assert_eq!(Decimal::split(text), Ok((Decimal { digits, places }, rest)));
    }

    #[track_caller]
    fn check_refused(text: &str, reason: &str) {
        assert_eq!(Decimal::split(text), Err(reason.to_string()));
    }

    #[test]
    fn numbers_are_read_exactly() {
        check("1.50s", 15, 1, "s");
        check("200_000", 200_000, 0, "");
        check("0.000", 0, 0, "");
        check("007x", 7, 0, "x");
        check("1e3", 1, 0, "e3");
        check("123456789012345678901234", 123_456_789_012_345_678_901_234, 0, "");
    }

    #[test]
    fn odd_numbers_are_refused() {
        check_refused("", "it is empty");
        check_refused("-1", "it may not be negative");
        check_refused(".5", "it does not begin with a number");
        check_refused("+5", "it does not begin with a number");
        check_refused("٣", "it does not begin with a number");
        check_refused("1.", "the `.` in its number is out of place");
        check_refused("1.2.3", "the `.` in its number is out of place");
        check_refused("1__0", "the `_` in its number is out of place");
        check_refused("0.1_0", "the `_` in its number is out of place");
        check_refused("1234567890123456789012345", "its number has more than 24 digits");
    }

    #[test]
    fn a_product_is_whole_or_refused() {
        let times = |text: &str, unit| Decimal::split(text).unwrap().0.times(unit);
        assert_eq!(times("1.5", 1_000), Ok(1_500));
        assert_eq!(times("0.0004", 1_000), Err(Misfit::TooFine));
        assert_eq!(times("0.125", 8), Ok(1));
        assert_eq!(
            times("1.00000000000000000000001", 1_000_000_000_000_000_000_000),
            Err(Misfit::TooFine)
        );
        assert_eq!(
            times("999999999999999999999999", 1_000_000_000_000_000),
            Err(Misfit::TooLarge)
        );
        assert_eq!(times(&format!("0.{}1", "0".repeat(99)), 1_000), Err(Misfit::TooFine));
    }

    #[test]
    fn shown_without_trailing_zeros() {
        assert_eq!(show(1_500, 3), "1.5");
        assert_eq!(show(2_000, 3), "2");
        assert_eq!(show(5, 12), "0.000000000005");
        assert_eq!(show(0, 6), "0");
    }
}
