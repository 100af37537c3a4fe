//! An axis of a sweep: a path of an experiment and the values that it takes, one after the other.
//!
//! `plan.seed=1,2,3` is a list, whose commas inside brackets and quotation marks belong to a value. `traffic.rate=10..200/s:20` is a range: twenty
//! values at equal distances, both ends among them, with the unit of its upper end; `:20log` makes them equal factors. Values have six
//! significant digits. `a,b=[1,10],[2,20]` moves two paths together, and `a,b=1,2` both to the same values. A sweep goes over every combination of the values of its axes, the last axis fastest.

use super::settings::{Setting, Unsettled, split};

/// The most points of a sweep.
pub const MOST_POINTS: usize = 10_000;

/// A path and its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    /// The path as it was written.
    pub path: String,
    /// The values as they are written, at least one.
    pub values: Vec<String>,
}

impl std::str::FromStr for Axis {
    type Err = Unsettled;

    /// Reads `path=values`.
    fn from_str(text: &str) -> Result<Axis, Unsettled> {
        let wrong = |why: String| Unsettled::new(text, why);
        let (path, values) =
            split(text).ok_or_else(|| wrong("a path, `=` and values, like traffic.rate=10..200/s:20".into()))?;
        let values = match range(values) {
            Some(values) => values.map_err(wrong)?,
            None => list(values),
        };
        if values.len() > MOST_POINTS {
            return Err(wrong(format!("{} values: at most {MOST_POINTS}", values.len())));
        }
        if values.iter().any(String::is_empty) {
            return Err(wrong("a value is missing between two commas".into()));
        }
        Setting::new(path, &values[0]).map_err(|error| wrong(error.why().to_owned()))?;
        Ok(Axis {
            path: path.to_owned(),
            values,
        })
    }
}

impl Axis {
    /// The paths that move together: mostly one.
    pub fn paths(&self) -> Vec<String> {
        list(&self.path)
    }
}

/// A path and the range of a number in which something is looked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Range {
    /// The path as it was written.
    pub path: String,
    /// The smallest value, above 0.
    pub low: f64,
    /// The largest value.
    pub high: f64,
    /// Whether values are whole numbers: those of both ends are, and have no unit.
    pub is_whole: bool,
    /// What stands before a number, and behind: a currency, a unit.
    around: (String, String),
}

impl std::str::FromStr for Range {
    type Err = String;

    /// Reads `path=low..high`.
    fn from_str(text: &str) -> Result<Range, String> {
        let wrong = |why: &str| why.to_owned();
        let form = "a path, `=` and a range above 0 with its unit, like providers[a].connections=10..200 or limits.rpm=100..5000/min";
        let (path, values) = split(text).ok_or_else(|| wrong(form))?;
        let (low, high) = values.split_once("..").ok_or_else(|| wrong(form))?;
        let before = if high.trim().starts_with('$') { "$" } else { "" };
        let bare = |text: &str| text.trim().trim_start_matches('$').trim().to_owned();
        let (low, high) = (bare(low), bare(high));
        let end = high
            .find(|c: char| !(c.is_ascii_digit() || c == '.'))
            .unwrap_or(high.len());
        let (high, unit) = high.split_at(end);
        let low = low.strip_suffix(unit).unwrap_or(&low);
        let number = |text: &str| text.parse::<f64>().ok().filter(|x| x.is_finite() && *x > 0.0);
        let (from, to) = number(low).zip(number(high)).ok_or_else(|| wrong(form))?;
        if from >= to {
            return Err(wrong("the first must be the smaller one"));
        }
        let is_whole = before.is_empty() && unit.is_empty() && from.fract() == 0.0 && to.fract() == 0.0;
        let range = Range {
            path: path.to_owned(),
            low: from,
            high: to,
            is_whole,
            around: (before.to_owned(), unit.to_owned()),
        };
        Setting::new(path, &range.written(from)).map_err(|error| wrong(error.why()))?;
        Ok(range)
    }
}

impl Range {
    /// A value as the file has it: a whole number, or six significant digits with the unit.
    pub fn written(&self, x: f64) -> String {
        let x = if self.is_whole { (x - 1e-6).ceil() } else { x };
        format!("{}{}{}", self.around.0, six_digits(x), self.around.1)
    }
}

/// The values between the commas that are in no bracket and no string.
pub(super) fn list(text: &str) -> Vec<String> {
    let (mut depth, mut quoted) = (0_i32, false);
    let mut values = vec![String::new()];
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            '[' | '{' if !quoted => depth += 1,
            ']' | '}' if !quoted => depth -= 1,
            _ => {}
        }
        match values.last_mut() {
            Some(last) if c != ',' || depth > 0 || quoted => last.push(c),
            _ => values.push(String::new()),
        }
    }
    values.iter().map(|value| value.trim().to_owned()).collect()
}

/// The values of a range; `None` if the text is none.
fn range(text: &str) -> Option<Result<Vec<String>, String>> {
    let (low, rest) = text.split_once("..")?;
    let low: f64 = low.trim().parse().ok()?;
    let (high, count) = rest.rsplit_once(':').unwrap_or((rest, ""));
    let end = high
        .find(|c: char| !(c.is_ascii_digit() || ".-+".contains(c)))
        .unwrap_or(high.len());
    let (number, unit) = high.split_at(end);
    let high: f64 = number.trim().parse().ok()?;
    Some(between(low, high, unit.trim(), count.trim()))
}

fn between(low: f64, high: f64, unit: &str, count: &str) -> Result<Vec<String>, String> {
    let (number, is_log) = match count.strip_suffix("log") {
        Some(number) => (number, true),
        None => (count, false),
    };
    let steps: usize = (number.parse().ok())
        .filter(|n| (2..=MOST_POINTS).contains(n))
        .ok_or_else(|| format!("how many values? `{low}..{high}{unit}:20` has twenty"))?;
    if high <= low {
        return Err(format!(
            "a range from {low} to {high}: the first must be the smaller one"
        ));
    }
    if is_log && low <= 0.0 {
        return Err("equal factors need a range above 0".into());
    }
    let at = |i: usize| {
        let part = i as f64 / (steps - 1) as f64;
        if is_log {
            low * libm::pow(high / low, part)
        } else {
            low + (high - low) * part
        }
    };
    Ok((0..steps).map(|i| format!("{}{unit}", six_digits(at(i)))).collect())
}

/// A number in at most six significant digits, without an exponent.
pub(super) fn six_digits(x: f64) -> String {
    if x == 0.0 {
        return "0".into();
    }
    let before = libm::floor(libm::log10(x.abs())) as i32;
    let decimals = usize::try_from(5 - before).unwrap_or(0).min(12);
    let text = format!("{x:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// Every combination of values, the last axis fastest.
///
/// # Errors
/// If there are more than [`MOST_POINTS`].
pub fn points(axes: &[Axis]) -> Result<Vec<Vec<String>>, String> {
    let count = axes
        .iter()
        .try_fold(1_usize, |all, axis| all.checked_mul(axis.values.len()));
    if count.is_none_or(|count| count > MOST_POINTS) {
        return Err(format!("more than {MOST_POINTS} points"));
    }
    let mut points = vec![Vec::new()];
    for axis in axes {
        let with = |point: &Vec<String>| {
            let point = point.clone();
            axis.values
                .iter()
                .map(move |value| [point.as_slice(), std::slice::from_ref(value)].concat())
        };
        points = points.iter().flat_map(with).collect();
    }
    Ok(points)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<String> {
        text.parse::<Axis>().unwrap().values
    }

    #[test]
    fn a_range_is_searched_in_whole_numbers_or_with_a_unit() {
        let range = |text: &str| text.parse::<Range>().unwrap();
        let whole = range("providers[a].connections=10..200");
        assert_eq!((whole.low, whole.high, whole.is_whole), (10.0, 200.0, true));
        assert_eq!((whole.written(17.2), whole.written(17.0)), ("18".into(), "17".into()));
        let rate = range("a.rate = 100..5000/min");
        assert_eq!(
            (rate.is_whole, rate.written(123.456_789)),
            (false, "123.457/min".into())
        );
        assert_eq!(range("a=$0.5..$20").written(1.5), "$1.5");
        assert_eq!(range("a=5s..90s").written(60.0), "60s");
        for wrong in ["a", "a=5", "a=5..", "a=0..5", "a=5..2", "a=-1..2", "=1..2", "a=1..x"] {
            assert!(wrong.parse::<Range>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn lists_and_ranges() {
        assert_eq!(values("plan.seed=1, 2,3"), ["1", "2", "3"]);
        assert_eq!(values("a.b=0..1:5"), ["0", "0.25", "0.5", "0.75", "1"]);
        assert_eq!(values("traffic.rate=10..40/s:4"), ["10/s", "20/s", "30/s", "40/s"]);
        assert_eq!(values("traffic.rate=1..100/s:3log"), ["1/s", "10/s", "100/s"]);
        assert_eq!(values("a=1..3:4"), ["1", "1.66667", "2.33333", "3"]);
        assert_eq!(
            values(r#"policies[x].policy={"a":[1,2]},random"#),
            [r#"{"a":[1,2]}"#, "random"]
        );
        assert_eq!(values("file=../x"), ["../x"], "a path is no range");
        let two = "a[x,y],b=[1,10],[2,20]".parse::<Axis>().unwrap();
        assert_eq!(
            (two.paths(), two.values),
            (
                vec!["a[x,y]".into(), "b".into()],
                vec!["[1,10]".into(), "[2,20]".into()]
            )
        );
    }

    #[test]
    fn what_is_no_axis_is_refused() {
        for (text, why) in [
            ("a=1..3", "how many values? `1..3:20` has twenty"),
            ("a=3..1:4", "a range from 3 to 1: the first must be the smaller one"),
            ("a=0..1:4log", "equal factors need a range above 0"),
            ("a=1,,2", "a value is missing between two commas"),
            ("a", "a path, `=` and values, like traffic.rate=10..200/s:20"),
        ] {
            assert_eq!(text.parse::<Axis>().unwrap_err().why(), why);
        }
    }

    #[test]
    fn every_combination_is_a_point() {
        let axes = ["a=1,2", "b=x,y"].map(|text| text.parse::<Axis>().unwrap());
        assert_eq!(points(&axes).unwrap(), [["1", "x"], ["1", "y"], ["2", "x"], ["2", "y"]]);
        let large = "a=1..2:200".parse::<Axis>().unwrap();
        assert!(points(&[large.clone(), large]).is_err());
    }
}
