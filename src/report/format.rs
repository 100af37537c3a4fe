//! Figures as people read them: "1.24 s", "320 ms", "$1,234", "0.42 %", three significant digits, "–" for what is undefined.
//!
//! A figure and the reach of its interval share one unit and one decimal place, chosen by the larger of the two, so that they can
//! be compared at a glance. An interval that reaches about as far to either side is `± 0.03`, another one `−0.02 +0.11`, and one
//! without an upper end `−0.02 +?`. Differences carry their sign, and differences of shares are in percentage points. Left out: other
//! locales (another currency than the dollar goes by its code), and rounding of files: JSON and CSV hold every digit.

use super::{Code, Unit};
use crate::stats::interval::Estimate;
use crate::words::grouped;
use std::fmt;

/// Stands for a figure that does not exist.
pub const NONE: &str = "–";

/// Stands for the time of what did not happen.
pub const NEVER: &str = "never";

/// A figure in its unit: `1.24 s`, `0.42 %`, `12.3/s`, `$1,234`. `–` if it is not finite.
pub fn value(unit: Unit, x: f64) -> String {
    if !x.is_finite() {
        return NONE.into();
    }
    let x = silent(unit, x);
    Scale::of(unit, x).signed(x, false)
}

/// Stands for a time that is larger than any number: too many requests never got their answer.
pub const ENDLESS: &str = "never";

/// How far an interval reaches to either side of its figure, in the figure's unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spread {
    /// About as far to either side.
    Even(String),
    /// So far down, where it reaches down at all; and up.
    Uneven(Option<String>, Up),
}

/// How far an interval reaches up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Up {
    /// The figure is its upper end.
    Nothing,
    /// The upper end lies so far up.
    By(String),
    /// There is no upper end.
    Open,
}

impl Spread {
    /// In a narrow column: `±0.03`, `−0.02 +0.11`.
    pub fn tight(&self) -> String {
        match self {
            Spread::Even(reach) => format!("±{reach}"),
            Spread::Uneven(down, up) => {
                let down = down.as_ref().map(|down| format!("−{down}"));
                let up = match up {
                    Up::Nothing => None,
                    Up::By(up) => Some(format!("+{up}")),
                    Up::Open => Some("+?".into()),
                };
                [down, up].into_iter().flatten().collect::<Vec<_>>().join(" ")
            }
        }
    }
}

/// As in a sentence: `± 0.03`, `−0.02 +0.11`.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Spread::Even(reach) => write!(f, "± {reach}"),
            Spread::Uneven(..) => f.write_str(&self.tight()),
        }
    }
}

/// A figure with the reach of its interval: `1.24 s ± 0.03`. Without an interval, the figure alone.
pub fn plus_minus(unit: Unit, estimate: &Estimate) -> String {
    joined(parts(unit, estimate))
}

/// A signed difference with the reach of its interval: `+0.12 s ± 0.03`, `−0.3 pp ± 0.1`.
pub fn difference(unit: Unit, estimate: &Estimate) -> String {
    joined(difference_parts(unit, estimate))
}

/// A figure and, apart, the reach of its interval in the same unit: `1.24 s` and `± 0.03`.
pub fn parts(unit: Unit, estimate: &Estimate) -> (String, Option<Spread>) {
    let estimate = &quiet(unit, estimate);
    split(Scale::of_estimate(unit, estimate), estimate, false)
}

/// The text of a signed difference and the reach of its interval, as [`parts`] gives them: `+0.12 s` and `± 0.03`.
pub fn difference_parts(unit: Unit, estimate: &Estimate) -> (String, Option<Spread>) {
    let estimate = &quiet(unit, estimate);
    let mut scale = Scale::of_estimate(unit, estimate);
    if unit == Unit::Share {
        scale.after = " pp";
    }
    split(scale, estimate, true)
}

/// A share of 1 as a percentage: `0.42 %`. Close to 1 it keeps the digits that tell it from 1: `99.97 %`.
pub fn share(x: f64) -> String {
    value(Unit::Share, x)
}

/// A signed relative change: `+12.3 %`. `–` if it is not finite.
pub fn relative(x: f64) -> String {
    if !x.is_finite() {
        return NONE.into();
    }
    let x = silent(Unit::Share, x);
    Scale::of(Unit::Share, x).signed(x, true)
}

/// A round figure, as on an axis, without needless zeros: `1 s`, `25 %`, `$400`.
pub fn tick(unit: Unit, x: f64) -> String {
    if !x.is_finite() {
        return NONE.into();
    }
    let x = silent(unit, x);
    let mut scale = Scale::of(unit, x);
    let digits = fixed(x.abs() / scale.factor, scale.decimals);
    // Cents go in pairs.
    if !matches!(unit, Unit::Dollars | Unit::Money(_)) || digits.ends_with(".00") {
        let kept = trimmed(&digits);
        scale.decimals = kept.find('.').map_or(0, |point| kept.len() - point - 1);
    }
    scale.signed(x, false)
}

/// A count with thousands separators: `1,234,567`.
pub fn count(n: u64) -> String {
    grouped(&n.to_string())
}

/// A length of time in round units, without needless digits: `30 s`, `2 h`, `1.5 days`.
pub fn span(seconds: f64) -> String {
    if !seconds.is_finite() {
        return NONE.into();
    }
    let (factor, name) = match seconds.abs() {
        s if s >= 2.0 * 86_400.0 => (86_400.0, " days"),
        s if s >= 2.0 * 3600.0 => (3600.0, " h"),
        s if s >= 120.0 => (60.0, " min"),
        s if s >= 1.0 || s == 0.0 => (1.0, " s"),
        _ => (1e-3, " ms"),
    };
    format!("{}{name}", trimmed(&fixed(seconds / factor, 2)))
}

/// How a figure and its the reach of its interval are both written.
#[derive(Clone, Copy)]
struct Scale {
    before: Before,
    after: &'static str,
    /// The figure is divided by this.
    factor: f64,
    /// Digits after the point.
    decimals: usize,
}

/// What stands before a figure.
#[derive(Clone, Copy)]
enum Before {
    Nothing,
    Dollar,
    Code(Code),
}

impl fmt::Display for Before {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Before::Nothing => Ok(()),
            Before::Dollar => f.write_str("$"),
            Before::Code(code) => write!(f, "{code}\u{a0}"),
        }
    }
}

impl Scale {
    /// The scale at which `x`, which is finite, reads well.
    fn of(unit: Unit, x: f64) -> Scale {
        let size = x.abs();
        let (after, factor) = match unit {
            Unit::Seconds => {
                // Rounding first keeps 0.9996 s from being 1000 ms.
                let (factor, after) = match rounded(size) {
                    s if s >= 36_000.0 => (3600.0, " h"),
                    s if s >= 600.0 => (60.0, " min"),
                    s if s >= 1.0 || s == 0.0 => (1.0, " s"),
                    s if s >= 1e-3 => (1e-3, " ms"),
                    _ => (1e-6, " µs"),
                };
                (after, factor)
            }
            Unit::Share => (" %", 0.01),
            Unit::PerSecond => ("/s", 1.0),
            Unit::Dollars | Unit::Money(_) => ("", 1.0),
            Unit::Number => ("", 1.0),
        };
        let shown = size / factor;
        let digits = decimals(shown, 3);
        let decimals = match unit {
            _ if shown == 0.0 => 0,
            Unit::Share if shown > 99.9 && shown < 100.0 => decimals(100.0 - shown, 1).max(2),
            Unit::Share if shown >= 100.0 => 0,
            Unit::Share | Unit::Dollars | Unit::Money(_) if shown < 0.1 => decimals(shown, 2),
            Unit::Share => digits.min(2),
            Unit::Dollars | Unit::Money(_) if rounded(shown) < 100.0 => 2,
            _ => digits,
        };
        Scale {
            before: match unit {
                Unit::Dollars => Before::Dollar,
                Unit::Money(code) => Before::Code(code),
                _ => Before::Nothing,
            },
            after,
            factor,
            decimals,
        }
    }

    /// The scale for a figure and the reach of its interval together.
    fn of_estimate(unit: Unit, estimate: &Estimate) -> Scale {
        // A figure far below its own uncertainty has no digit worth a smaller unit.
        let uncertain = match reach(estimate) {
            (Some(down), Some(up)) => down.min(up),
            (down, up) => down.or(up).unwrap_or(0.0),
        };
        let size = if uncertain > estimate.value.abs() {
            uncertain
        } else {
            estimate.value
        };
        Scale::of(unit, if size.is_finite() { size } else { 0.0 })
    }

    /// The figure with its unit and sign; `plus` writes the plus sign too.
    fn signed(&self, x: f64, plus: bool) -> String {
        let digits = self.digits(x.abs());
        let is_zero = digits.bytes().all(|byte| matches!(byte, b'0' | b'.'));
        let sign = match (x < 0.0, plus) {
            _ if is_zero => "",
            (true, _) => "−",
            (false, true) => "+",
            (false, false) => "",
        };
        format!("{sign}{}{digits}{}", self.before, self.after)
    }

    /// How far an interval reaches, without its unit. What would round to 0 keeps its first digit, up to two places further.
    fn reach(&self, reach: f64) -> String {
        let shown = reach / self.factor;
        if shown == 0.0 {
            return "0".into();
        }
        let needed = decimals(shown, 1);
        let most = self.decimals + 2;
        if needed > most {
            return format!("<{}", fixed(0.1_f64.powi(most as i32), most));
        }
        if decimals(shown, 1) > self.decimals {
            fixed(shown, needed)
        } else {
            self.digits(reach)
        }
    }

    fn digits(&self, x: f64) -> String {
        grouped(&fixed(x / self.factor, self.decimals))
    }
}

/// `x`, or 0 if it is no more than what sums of floats leave where they should cancel.
fn silent(unit: Unit, x: f64) -> f64 {
    let least = match unit {
        Unit::Share => 1e-12,
        Unit::Seconds | Unit::PerSecond | Unit::Number => 1e-9,
        // Monthly sums are millions, whose last binary digits are larger.
        Unit::Dollars | Unit::Money(_) => 1e-7,
    };
    if x.abs() < least { 0.0 } else { x }
}

fn quiet(unit: Unit, estimate: &Estimate) -> Estimate {
    Estimate {
        value: silent(unit, estimate.value),
        lo: estimate.lo.map(|lo| silent(unit, lo)),
        hi: estimate.hi.map(|hi| silent(unit, hi)),
        ..*estimate
    }
}

/// How far the interval reaches down and up, where it has an end.
fn reach(estimate: &Estimate) -> (Option<f64>, Option<f64>) {
    let finite = |x: f64| Some(x.max(0.0)).filter(|x| x.is_finite());
    (
        estimate.lo.and_then(|lo| finite(estimate.value - lo)),
        estimate.hi.and_then(|hi| finite(hi - estimate.value)),
    )
}

/// The reach to one side may be so much larger than that to the other, and the interval is still called even, at the larger.
const EVEN: f64 = 2.0;

/// What is smaller than this share of the figure is no more than the width of a histogram's bucket or two.
const BUCKETS: f64 = 0.002;

fn spread(scale: Scale, estimate: &Estimate) -> Option<Spread> {
    let (down, up) = reach(estimate);
    let down = down?;
    // What reaches far beyond the figure has no use for the digits of it.
    let coarse = |x: f64| Scale {
        decimals: scale.decimals.min(decimals(x / scale.factor, 3)),
        ..scale
    };
    let reach = |x: f64| (x > 0.0).then(|| coarse(x).reach(x));
    let Some(up) = up else {
        return Some(Spread::Uneven(reach(down), Up::Open));
    };
    let (least, most) = (down.min(up), down.max(up));
    if most <= EVEN * least || most <= BUCKETS * estimate.value.abs() || scale.reach(least) == scale.reach(most) {
        return Some(Spread::Even(scale.reach(most)));
    }
    Some(Spread::Uneven(reach(down), reach(up).map_or(Up::Nothing, Up::By)))
}

fn split(scale: Scale, estimate: &Estimate, signed: bool) -> (String, Option<Spread>) {
    if estimate.value == f64::INFINITY {
        return (ENDLESS.into(), None);
    }
    if !estimate.value.is_finite() {
        return (NONE.into(), None);
    }
    // Nothing at all needs no decimals, however wide its interval.
    let figure = if estimate.value == 0.0 {
        Scale { decimals: 0, ..scale }
    } else {
        scale
    };
    (figure.signed(estimate.value, signed), spread(scale, estimate))
}

fn joined((figure, spread): (String, Option<Spread>)) -> String {
    match spread {
        Some(spread) => format!("{figure} {spread}"),
        None => figure,
    }
}

fn fixed(x: f64, decimals: usize) -> String {
    format!("{x:.decimals$}")
}

/// `x`, 0 or more, to three significant digits.
fn rounded(x: f64) -> f64 {
    format!("{x:.2e}").parse().unwrap_or(x)
}

/// How many digits after the point show `significant` digits of `x`.
fn decimals(x: f64, significant: usize) -> usize {
    let written = format!("{x:.*e}", significant - 1);
    let exponent: i32 = written
        .rsplit_once('e')
        .and_then(|(_, exponent)| exponent.parse().ok())
        .unwrap_or(0);
    (significant as i32 - 1 - exponent).clamp(0, 12) as usize
}

/// Without zeros at the end of a fraction.
fn trimmed(digits: &str) -> &str {
    if digits.contains('.') {
        digits.trim_end_matches('0').trim_end_matches('.')
    } else {
        digits
    }
}

/// A level of confidence without needless digits: `95 %`, `99.9 %`.
pub fn level(confidence: f64) -> String {
    if !confidence.is_finite() {
        return NONE.into();
    }
    format!("{} %", trimmed(&fixed(confidence * 100.0, 4)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(mean: f64, half_width: Option<f64>) -> Estimate {
        Estimate::symmetric(mean, half_width, 10, 0)
    }

    #[test]
    fn what_reaches_far_beyond_a_figure_has_no_use_for_its_digits() {
        let of = |value, hi| Estimate {
            value,
            lo: Some(0.0),
            hi: Some(hi),
            n: 2,
            undefined: 0,
        };
        let said = |value, hi| plus_minus(Unit::Share, &of(value, hi));
        assert_eq!(said(0.000_023, 0.8977), "0.0023 % −0.0023 +89.8");
        assert_eq!(said(0.000_023, 0.000_09), "0.0023 % −0.0023 +0.0067");
    }

    #[test]
    fn figures_read_as_people_write_them() {
        for (unit, x, text) in [
            (Unit::Seconds, 1.2378, "1.24 s"),
            (Unit::Seconds, 0.32, "320 ms"),
            (Unit::Seconds, 0.9996, "1.00 s"),
            (Unit::Seconds, 0.000_452, "452 µs"),
            (Unit::Seconds, 0.0, "0 s"),
            (Unit::Seconds, 754.0, "12.6 min"),
            (Unit::Seconds, 86_400.0, "24.0 h"),
            (Unit::Seconds, -0.5, "−500 ms"),
            (Unit::Share, 0.0042, "0.42 %"),
            (Unit::Share, 0.000_38, "0.038 %"),
            (Unit::Share, 0.1234, "12.3 %"),
            (Unit::Share, 0.9997, "99.97 %"),
            (Unit::Share, 0.999_999, "99.9999 %"),
            (Unit::Share, 1.0, "100 %"),
            (Unit::Share, 0.0, "0 %"),
            (Unit::Dollars, 1234.4, "$1,234"),
            (Unit::Dollars, 1_234_567.0, "$1,234,567"),
            (Unit::Dollars, 4.2, "$4.20"),
            (Unit::Dollars, 99.996, "$100"),
            (Unit::Dollars, 0.00421, "$0.0042"),
            (Unit::PerSecond, 12.34, "12.3/s"),
            (Unit::Number, 1.0321, "1.03"),
            (Unit::Number, f64::NAN, "–"),
            (Unit::Seconds, f64::INFINITY, "–"),
        ] {
            assert_eq!(value(unit, x), text, "{unit:?} {x}");
        }
    }

    #[test]
    fn a_half_width_is_in_the_figures_own_unit() {
        for (unit, mean, half_width, text) in [
            (Unit::Seconds, 1.2378, Some(0.0312), "1.24 s ± 0.03"),
            (Unit::Seconds, 1.2378, Some(0.0042), "1.24 s ± 0.004"),
            (Unit::Seconds, 1.2378, Some(1e-9), "1.24 s ± <0.0001"),
            (Unit::Seconds, 1.2378, Some(0.0), "1.24 s ± 0"),
            (Unit::Seconds, 1.2378, None, "1.24 s"),
            (Unit::Seconds, 0.0002, Some(0.3), "0 ms ± 300"),
            (Unit::Dollars, 41_234.0, Some(1234.0), "$41,234 ± 1,234"),
            (Unit::Share, 0.0042, Some(0.0011), "0.42 % ± 0.11"),
            (Unit::Share, f64::NAN, Some(0.1), "–"),
        ] {
            assert_eq!(plus_minus(unit, &estimate(mean, half_width)), text);
        }
    }

    #[test]
    fn an_interval_that_reaches_further_to_one_side_shows_both() {
        for (lo, hi, text) in [
            (1.22, 1.35, "1.24 s −0.02 +0.11"),
            (1.2, 1.29, "1.24 s ± 0.05"),
            (1.2399, 1.2412, "1.24 s ± 0.001"),
            (1.2399, 1.244, "1.24 s −0.0001 +0.004"),
            (1.24, 1.3, "1.24 s +0.06"),
            (1.1, 1.24, "1.24 s −0.14"),
            (1.1, f64::INFINITY, "1.24 s −0.14 +?"),
            (0.5, 99.0, "1.24 s −0.74 +97.8"),
        ] {
            let estimate = Estimate {
                lo: Some(lo),
                hi: Some(hi).filter(|hi| hi.is_finite()),
                ..estimate(1.24, None)
            };
            assert_eq!(plus_minus(Unit::Seconds, &estimate), text);
        }
        let endless = estimate(f64::INFINITY, None);
        assert_eq!(plus_minus(Unit::Seconds, &endless), "never");
    }

    #[test]
    fn a_difference_carries_its_sign() {
        for (unit, mean, half_width, text) in [
            (Unit::Seconds, 0.1234, Some(0.03), "+123 ms ± 30"),
            (Unit::Seconds, -1.5, Some(0.25), "−1.50 s ± 0.25"),
            (Unit::Dollars, -1234.0, Some(50.0), "−$1,234 ± 50"),
            (Unit::Share, -0.003, Some(0.001), "−0.30 pp ± 0.10"),
            (Unit::Number, 0.0, Some(0.0), "0 ± 0"),
        ] {
            assert_eq!(difference(unit, &estimate(mean, half_width)), text);
        }
    }

    #[test]
    fn what_floats_leave_of_nothing_is_0() {
        for (unit, noise, text) in [
            (Unit::Share, 3e-16, "0 pp ± 0"),
            (Unit::Seconds, -4e-14, "0 s ± 0"),
            (Unit::PerSecond, 2e-13, "0/s ± 0"),
            (Unit::Dollars, -4e-9, "$0 ± 0"),
            (Unit::Number, 1e-15, "0 ± 0"),
        ] {
            let noise = estimate(noise, Some(2.0 * noise.abs()));
            assert_eq!(difference(unit, &noise), text);
            assert_eq!(plus_minus(unit, &noise), text.replace("pp", "%"));
            assert_eq!(value(unit, noise.value), text.replace(" ± 0", "").replace("pp", "%"));
        }
        assert_eq!([-2e-16, 3e-12].map(relative), ["0 %", "+0.00000000030 %"]);
        assert_eq!(tick(Unit::Share, -5e-17), "0 %");
    }

    #[test]
    fn ticks_have_no_needless_zeros() {
        for (unit, x, text) in [
            (Unit::Seconds, 1.0, "1 s"),
            (Unit::Seconds, 0.2, "200 ms"),
            (Unit::Share, 0.25, "25 %"),
            (Unit::Share, 0.005, "0.5 %"),
            (Unit::Dollars, 2000.0, "$2,000"),
            (Unit::Dollars, 2.5, "$2.50"),
            (Unit::Dollars, 5.0, "$5"),
            (Unit::Number, 0.0, "0"),
        ] {
            assert_eq!(tick(unit, x), text);
        }
    }

    #[test]
    fn spans_have_no_needless_digits() {
        for (seconds, text) in [
            (30.0, "30 s"),
            (600.0, "10 min"),
            (7200.0, "2 h"),
            (5400.0, "90 min"),
            (216_000.0, "2.5 days"),
            (0.25, "250 ms"),
            (0.0, "0 s"),
        ] {
            assert_eq!(span(seconds), text);
        }
    }

    #[test]
    fn counts_are_grouped_and_changes_signed() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(
            [0.123, -0.05, 0.0, f64::NAN].map(relative),
            ["+12.3 %", "−5.00 %", "0 %", "–"]
        );
    }

    #[test]
    fn levels_have_no_needless_digits() {
        assert_eq!([0.95, 0.999, 0.57, 1.0].map(level), ["95 %", "99.9 %", "57 %", "100 %"]);
    }
}
