//! Warnings of many runs of one experiment: each once, however often it was said, with at how many points.
//!
//! Two warnings are one if they differ in numbers alone. The first wording stays; what stood earlier in its report comes first, since
//! reports tell the most important first.

use serde::Serialize;

use super::format;
use crate::stats::sorting;

/// A warning that one or several points gave.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Repeated {
    /// The warning, as the first of the points gave it.
    pub text: String,
    /// At how many points it was given.
    pub points: usize,
    /// The first of those points.
    pub first: String,
    /// The place among the warnings of a report: the least of all points.
    #[serde(skip)]
    place: usize,
}

impl Repeated {
    /// Notes the warnings of the point called `point`.
    pub fn note(all: &mut Vec<Repeated>, point: &str, warnings: impl Iterator<Item = String>) {
        let mut here: Vec<String> = Vec::new();
        for (place, text) in warnings.enumerate() {
            let kind = without_numbers(&text);
            if here.contains(&kind) {
                continue;
            }
            match all.iter_mut().find(|known| without_numbers(&known.text) == kind) {
                Some(known) => {
                    known.points += 1;
                    known.place = known.place.min(place);
                }
                None => all.push(Repeated {
                    text,
                    points: 1,
                    first: point.to_owned(),
                    place,
                }),
            }
            here.push(kind);
        }
        sorting::by_key(all, |known| known.place);
    }

    /// The warning, and at how many of so many points it was given.
    pub fn sentence(&self, of: usize) -> String {
        let (points, all) = (format::count(self.points as u64), format::count(of as u64));
        match (self.points, of) {
            (_, 1) => self.text.clone(),
            (1, _) => format!("{} (at {} alone)", self.text, self.first),
            _ => format!("{} (at {points} of {all} points; first at {})", self.text, self.first),
        }
    }
}

/// What a warning says without its numbers and their units.
fn without_numbers(text: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut after_number = false;
    for word in text.split_whitespace() {
        let is_number = word.contains(|c: char| c.is_ascii_digit());
        let is_unit = after_number && word.trim_matches(|c: char| !c.is_alphanumeric()).chars().count() <= 4;
        if !is_number && !is_unit {
            kept.push(word);
        }
        after_number = is_number;
    }
    kept.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_in_numbers_alone_is_one_warning() {
        let mut all = Vec::new();
        let mut note = |point: &str, warnings: &[&str]| {
            Repeated::note(&mut all, point, warnings.iter().map(|text| (*text).to_owned()));
        };
        note("1/s", &["p: about 13 % of what queues is missing"]);
        note(
            "2/s",
            &[
                "partial: 2 of 5 replications",
                "p: about 7.5 % of what queues is missing",
            ],
        );
        note(
            "3/s",
            &[
                "p: about 1.2 s of what queues is missing",
                "p: about 9 % of what queues is missing",
            ],
        );
        let said: Vec<String> = all.iter().map(|known| known.sentence(3)).collect();
        assert_eq!(
            said,
            [
                "p: about 13 % of what queues is missing (at 3 of 3 points; first at 1/s)",
                "partial: 2 of 5 replications (at 2/s alone)",
            ]
        );
    }
}
