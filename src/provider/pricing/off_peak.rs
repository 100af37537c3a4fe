//! Other prices in certain hours, or on certain days of the week.
//!
//! An attempt is billed by when it ends, as DeepSeek's price page had it ("the completion timestamp") and LiteLLM computes it. Hours
//! are of UTC, from the first up to the second, over midnight where the second is not later, and all day where both are the same. A
//! day of the week is the one of the moment in question, on a calendar that may be ahead of UTC: from 22:00 to 02:00 on
//! Mondays is two stretches, both on the calendar's Monday. Left out: calendars with summer time.
//!
//! Source: LiteLLM's `off_peak_pricing`, as its 1.110.2 reads it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::form::build::{Built, Refusal};
use crate::form::units::{Duration, TokenPrice, minutes, weekday};
use crate::kernel::calendar::{Calendar, DAY_MINUTES, WEEK_MINUTES};
use crate::kernel::time::{Span, Time};

/// Other prices in certain hours.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OffPeak {
    /// The hours in which they hold: in one of these.
    #[schemars(length(min = 1))]
    pub when: Vec<Hours>,
    /// How far the calendar that days of the week are of is ahead of UTC: "8h" in Shanghai. Default: 0s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ahead: Option<Duration>,
    /// The price of each input token. Default: that of other hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<TokenPrice>,
    /// The price of each output token. Default: that of other hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<TokenPrice>,
    /// The price of each input token read from the cache. Default: that of other hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_input: Option<TokenPrice>,
    /// The price of each input token written to the cache. Default: that of other hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<TokenPrice>,
}

/// Hours of certain days.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// From when to when, in UTC: "16:30-00:30"; "00:00-00:00" is all day.
    pub hours: String,
    /// The days of the week: "monday" or "mon". Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<Vec<String>>,
}

impl OffPeak {
    /// The minutes of the week in which the prices hold.
    ///
    /// # Errors
    /// If there are none, or hours or a day cannot be read.
    pub(super) fn minutes(&self) -> Built<Minutes> {
        if self.when.is_empty() {
            return Err(Refusal::new("no hours: give one or more, like {\"hours\": \"16:30-00:30\"}").at("when"));
        }
        let ahead = self.ahead.map_or(Span::ZERO, |ahead| ahead.span());
        if ahead >= Span::from_secs(86_400) {
            return Err(Refusal::new(format!("a calendar {ahead} ahead of UTC: must be below 24h")).at("ahead"));
        }
        let ahead = (ahead.nanos() / 60_000_000_000) as usize;
        let mut all = Minutes([0; WORDS]);
        for (i, hours) in self.when.iter().enumerate() {
            let here = |r: Refusal| r.at(i).at("when");
            let (from, until) = hours.stretch().map_err(here)?;
            let days = hours.numbers().map_err(here)?;
            for minute in 0..WEEK_MINUTES {
                let time = minute % DAY_MINUTES;
                let is_in = if from < until {
                    from <= time && time < until
                } else {
                    from <= time || time < until
                };
                if is_in && days[(minute + ahead) % WEEK_MINUTES / DAY_MINUTES] {
                    all.0[minute / 64] |= 1 << (minute % 64);
                }
            }
        }
        Ok(all)
    }
}

impl Hours {
    /// Minutes since midnight at which it begins and ends.
    fn stretch(&self) -> Built<(usize, usize)> {
        let read = || {
            let (from, until) = self.hours.split_once('-')?;
            Some((minutes(from.trim())?.into(), minutes(until.trim())?.into()))
        };
        read().ok_or_else(|| {
            let text = format!(
                "`{}` are not hours: must be two times of day, like \"16:30-00:30\"",
                self.hours
            );
            Refusal::new(text).at("hours")
        })
    }

    fn numbers(&self) -> Built<[bool; 7]> {
        let Some(days) = &self.days else { return Ok([true; 7]) };
        let mut all = [false; 7];
        for (i, day) in days.iter().enumerate() {
            let number = weekday(day).ok_or_else(|| {
                let text = format!("`{day}` is not a day of the week: must be one like \"monday\" or \"mon\"");
                Refusal::new(text).at(i).at("days")
            })?;
            all[usize::from(number)] = true;
        }
        Ok(all)
    }
}

const WORDS: usize = WEEK_MINUTES.div_ceil(64);

/// A set of minutes of the week.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Minutes([u64; WORDS]);

impl Minutes {
    fn has(&self, minute: usize) -> bool {
        self.0[minute / 64] >> (minute % 64) & 1 == 1
    }

    /// Whether `at` is in one of them.
    #[inline]
    pub(super) fn holds(&self, calendar: Calendar, at: Time) -> bool {
        self.has(calendar.minute(at))
    }

    /// After how long it begins anew: a day, or a week if days differ; nothing if it holds always or never.
    pub(super) fn period(&self) -> Option<Span> {
        let first = self.has(0);
        if (0..WEEK_MINUTES).all(|minute| self.has(minute) == first) {
            return None;
        }
        let daily = (0..WEEK_MINUTES).all(|minute| self.has(minute) == self.has(minute % DAY_MINUTES));
        Some(Span::from_secs(if daily { 86_400 } else { 7 * 86_400 }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes_of(json: &str) -> Built<Minutes> {
        serde_json::from_str::<OffPeak>(json).unwrap().minutes()
    }

    /// The hours of the week at whose beginning the prices hold.
    fn hours(json: &str) -> Vec<usize> {
        let minutes = minutes_of(json).unwrap();
        (0..168).filter(|h| minutes.has(h * 60)).collect()
    }

    #[test]
    fn hours_end_before_the_second_and_go_over_midnight() {
        let minutes = minutes_of(r#"{ "when": [{ "hours": "16:30-00:30" }] }"#).unwrap();
        let held = [0, 29, 30, 989, 990, 1439, 1440].map(|minute| minutes.has(minute));
        assert_eq!(held, [true, true, false, false, true, true, true]);
        assert_eq!((0..WEEK_MINUTES).filter(|&m| minutes.has(m)).count(), 7 * 8 * 60);
        assert_eq!(minutes.period(), Some(Span::from_secs(86_400)));
        let always = minutes_of(r#"{ "when": [{ "hours": "00:00-00:00" }] }"#).unwrap();
        assert!((0..WEEK_MINUTES).all(|m| always.has(m)) && always.period().is_none());
    }

    /// Weekdays but seven hours, and weekends as a whole: the week of a price that is dearer from 01:00 to 04:00 and from 06:00
    /// to 10:00 on weekdays.
    #[test]
    fn a_week_of_stretches() {
        let week = r#"{ "when": [
            { "hours": "10:00-01:00", "days": ["mon", "tue", "wed", "thu", "fri"] },
            { "hours": "04:00-06:00", "days": ["mon", "tue", "wed", "thu", "fri"] },
            { "hours": "00:00-00:00", "days": ["saturday", "Sunday"] } ] }"#;
        let expected = (0..168).filter(|h| h / 24 >= 5 || ![1, 2, 3, 6, 7, 8, 9].contains(&(h % 24)));
        assert_eq!(hours(week), expected.collect::<Vec<_>>());
        assert_eq!(minutes_of(week).unwrap().period(), Some(Span::from_secs(7 * 86_400)));
    }

    /// Monday in Seoul is from Sunday, 15:00 UTC, to Monday, 15:00 UTC: of 22:00 to 02:00 UTC, Sunday's last two hours and
    /// Monday's first two.
    #[test]
    fn days_are_of_their_own_calendar() {
        let seoul = r#"{ "ahead": "9h", "when": [{ "hours": "22:00-02:00", "days": ["monday"] }] }"#;
        assert_eq!(hours(seoul), [0, 1, 166, 167]);
        let utc = r#"{ "when": [{ "hours": "22:00-02:00", "days": ["monday"] }] }"#;
        assert_eq!(hours(utc), [0, 1, 22, 23]);
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for (json, message) in [
            (
                r#"{ "when": [] }"#,
                "no hours: give one or more, like {\"hours\": \"16:30-00:30\"}",
            ),
            (
                r#"{ "when": [{ "hours": "16:30" }] }"#,
                "`16:30` are not hours: must be two times of day, like \"16:30-00:30\"",
            ),
            (
                r#"{ "when": [{ "hours": "16:30-00:30", "days": ["holiday"] }] }"#,
                "`holiday` is not a day of the week: must be one like \"monday\" or \"mon\"",
            ),
            (
                r#"{ "ahead": "24h", "when": [{ "hours": "16:30-00:30" }] }"#,
                "a calendar 24h ahead of UTC: must be below 24h",
            ),
        ] {
            assert_eq!(minutes_of(json).unwrap_err().message, message);
        }
    }
}
