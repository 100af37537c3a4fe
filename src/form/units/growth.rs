//! Growth: by which share something becomes more in a time, compounded: `"5%/month"`.
//!
//! A month is 30 days and a year twelve of these, as for costs.

use std::fmt;

use super::{Quantity, quantity};

/// By which share of itself something grows, or shrinks, in a week, a month or a year.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Growth {
    percent: f64,
    per: Per,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Per {
    Week,
    Month,
    Year,
}

impl Per {
    const ALL: [Per; 3] = [Per::Week, Per::Month, Per::Year];

    const fn name(self) -> &'static str {
        match self {
            Per::Week => "week",
            Per::Month => "month",
            Per::Year => "year",
        }
    }

    const fn days(self) -> f64 {
        match self {
            Per::Week => 7.0,
            Per::Month => 30.0,
            Per::Year => 360.0,
        }
    }
}

impl Growth {
    /// The rate of the exponential, a second: after t seconds there is e^(rate × t) times as much.
    pub fn a_second(self) -> f64 {
        libm::log1p(self.percent / 100.0) / (self.per.days() * 86_400.0)
    }
}

impl Quantity for Growth {
    const NAME: &'static str = "a growth";
    const GRAMMAR: &'static str =
        "a percentage from -90% to 10000% and one of week, month and year, like \"5%/month\" or \"-20%/year\"";
    const PATTERN: &'static str = r"^[+-]?[0-9]+(_[0-9]+)*(\.[0-9]+)?%/(week|month|year)$";
    const EXAMPLES: &'static [&'static str] = &["5%/month", "60%/year"];

    fn read(text: &str) -> Result<Growth, String> {
        let (share, time) = text.split_once('/').ok_or("it says no time")?;
        let per = Per::ALL.into_iter().find(|per| per.name() == time.trim());
        let per = per.ok_or_else(|| format!("unknown time `{}`", time.trim()))?;
        let number = share.trim().strip_suffix('%').ok_or("it is no percentage")?;
        let number = number.trim().replace('_', "");
        let is_plain = number
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b"+-.".contains(&byte));
        let percent: f64 = number
            .parse()
            .ok()
            .filter(|_| is_plain)
            .ok_or("it does not begin with a number")?;
        match (-90.0..=10_000.0).contains(&percent) {
            true => Ok(Growth { percent, per }),
            false => Err("it is not from -90% to 10000%".into()),
        }
    }
}

quantity!(Growth);

impl fmt::Display for Growth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%/{}", self.percent, self.per.name())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, check_refused};
    use super::*;

    #[test]
    fn growths_are_read() {
        check::<Growth>("\"5%/month\"", "5%/month");
        check::<Growth>("\"+1.5% / week\"", "1.5%/week");
        check::<Growth>("\"-20%/year\"", "-20%/year");
    }

    /// Doubled every month, there is four times as much after 60 days and 4,096 times as much after a year of twelve months.
    #[test]
    fn growth_is_compounded() {
        let after = |text: &str, days: f64| libm::exp(text.parse::<Growth>().unwrap().a_second() * days * 86_400.0);
        for (text, days, times) in [
            ("100%/month", 60.0, 4.0),
            ("100%/month", 360.0, 4096.0),
            ("-50%/year", 720.0, 0.25),
            ("21%/week", 3.5, 1.1),
        ] {
            assert!((after(text, days) / times - 1.0).abs() < 1e-9, "{text}");
        }
    }

    #[test]
    fn others_are_refused() {
        for (json, found, why) in [
            ("\"5%\"", "\"5%\"", "it says no time"),
            ("\"5/month\"", "\"5/month\"", "it is no percentage"),
            ("\"5%/day\"", "\"5%/day\"", "unknown time `day`"),
            ("\"-95%/year\"", "\"-95%/year\"", "it is not from -90% to 10000%"),
            ("\"nan%/year\"", "\"nan%/year\"", "it does not begin with a number"),
            ("5", "the number 5", "it has no unit"),
        ] {
            check_refused::<Growth>(json, &format!("{found} is not a growth: {why}"));
        }
    }
}
