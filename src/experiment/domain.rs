//! Where a fitted model holds: what it was measured over, and what those measurements could not show.
//!
//! `simcap fit` writes [`FittedOn`] into the model. An experiment that asks a provider for more is outside of it, and its figures
//! there are extrapolated; [`Domain`] says so in words, and which way that errs: a model that saw no saturation answers at any rate as
//! fast as at the measured ones, one that saw no quota refuses nothing. A model that says nothing of what it was measured over
//! has no domain, and nothing is said of it. Left out: rates and requests in flight below the measured ones, where latency, if
//! anything, comes out too high.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::calibration::LogFile;
use crate::form::named::Named;
use crate::form::units::{Duration, Fraction};

/// By how much a figure must be beyond what was measured to be worth a word: measured rates vary by chance.
pub const BEYOND: f64 = 1.1;

/// Seconds of a day.
const DAY: f64 = 86_400.0;

/// What a model that was measured over less than a day leaves out of one.
pub const NO_HOURS: &str = "it knows no time of day and no drift, so the spread of a day is likely too small";

/// The measurements that a variant was fitted to, and what they could not tell.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FittedOn {
    /// The name that the measured endpoint has in them. Default: not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub target: String,
    /// The files of measurements that the variant was fitted to.
    pub files: Vec<LogFile>,
    /// The share of each target's observations that was held out of the fit, by the rule of `calibrate::split`.
    pub held_out: Fraction,
    /// The number of requests that the variant was fitted to. Default: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<u64>,
    /// The independent values that a law rests on, autocorrelation taken into account, by field of the model (`ttft`, `tps`).
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub independent: Named<f64>,
    /// The minute in which the measurement began, in UTC, as in `2026-11-28T16:05Z`. Default: not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub from: String,
    /// The time from the first request to the last. Default: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasted: Option<Duration>,
    /// Input tokens of the requests that the variant was fitted to. Default: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Range>,
    /// Output tokens of the requests that the variant was fitted to. Default: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Range>,
    /// Requests in flight when each of them was sent, itself included. Default: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<Range>,
    /// Requests a second of the steps of load that the variant was fitted to. Default: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rates>,
    /// The lowest rate at which a step of load was beyond saturation, and therefore not fitted, in requests a second. Default: no step
    /// was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub saturated: Option<f64>,
    /// The most requests within one minute that no quota refused. Default: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_minute: Option<u32>,
    /// What TTFT was multiplied by from the first request to the last, along its trend. Default: no trend was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub drift: Option<f64>,
    /// The share of all input tokens that the provider found in its prompt cache. Default: none, or not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached: Option<Fraction>,
    /// What the measurements could not tell, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cannot_tell: Vec<String>,
}

/// From the least to the most, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// The least value.
    pub least: u32,
    /// The greatest value.
    pub most: u32,
}

/// Rates from the lowest to the highest, in requests a second.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rates {
    /// The lowest rate.
    #[schemars(extend("minimum" = 0))]
    pub least: f64,
    /// The highest rate.
    #[schemars(extend("minimum" = 0))]
    pub most: f64,
}

impl Range {
    /// The range of these values; nothing if there are none.
    pub fn of(values: impl IntoIterator<Item = u32>) -> Option<Range> {
        values.into_iter().fold(None, |range: Option<Range>, x| {
            Some(Range {
                least: range.map_or(x, |r| r.least.min(x)),
                most: range.map_or(x, |r| r.most.max(x)),
            })
        })
    }

    /// Whether `x` lies in it.
    pub const fn holds(self, x: u32) -> bool {
        self.least <= x && x <= self.most
    }

    /// In words: `300`, or `100 to 2000`.
    fn in_words(self) -> String {
        if self.least == self.most {
            self.least.to_string()
        } else {
            format!("{} to {}", self.least, self.most)
        }
    }
}

impl Rates {
    /// The range of these rates; nothing if there are none.
    pub fn of(rates: impl IntoIterator<Item = f64>) -> Option<Rates> {
        rates.into_iter().fold(None, |range: Option<Rates>, x| {
            Some(Rates {
                least: range.map_or(x, |r| r.least.min(x)),
                most: range.map_or(x, |r| r.most.max(x)),
            })
        })
    }
}

/// Where the model of one provider of an experiment holds.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Domain {
    /// What the model was fitted on.
    pub fitted: FittedOn,
    /// Whether the provider is the same at any load.
    pub no_load: bool,
    /// Whether the provider refuses nothing for its number.
    pub no_quota: bool,
    /// Whether a longer prompt takes no longer.
    pub no_prefill: bool,
    /// Whether the provider has no prompt cache.
    pub no_cache: bool,
    /// The number of requests that shares of failures were counted over, where none failed.
    pub unfailing: Option<u64>,
    /// The minute of the week at which the plan starts, where it says so.
    pub starts: Option<usize>,
}

/// The load that a provider is under.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Load {
    /// Requests a second at the busiest.
    pub rate: f64,
    /// Requests in a minute at the busiest.
    pub per_minute: f64,
    /// Mean number of requests in flight.
    pub in_flight: f64,
}

impl Domain {
    /// The figures of `load` that are beyond what was measured, each with the most that was: of the rate, of requests in flight, of
    /// requests in a minute where no quota was found.
    pub fn beyond(&self, load: Load) -> [Option<f64>; 3] {
        let over = |x: f64, most: Option<f64>| most.filter(|most| x > BEYOND * most);
        [
            over(load.rate, self.fitted.rate.map(|r| r.most)),
            over(load.in_flight, self.fitted.in_flight.map(|r| f64::from(r.most))),
            over(
                load.per_minute,
                self.fitted.per_minute.filter(|_| self.no_quota).map(f64::from),
            ),
        ]
    }

    /// What was measured of load, as the end of "its model was measured …"; empty if nothing is known of it.
    pub fn measured_to(&self) -> String {
        let rate = self.fitted.rate.map(|r| format!("to {}/s", number(r.most)));
        let in_flight = (self.fitted.in_flight).map(|r| format!("{} in flight", r.most));
        let both: Vec<String> = rate.into_iter().chain(in_flight).collect();
        both.join(" and ")
    }

    /// What the model says of load beyond that, and which way it errs.
    pub fn beyond_load(&self) -> String {
        let quota = || match self.fitted.per_minute {
            Some(most) => format!("no quota (to {most} in a minute)"),
            None => "no quota".to_owned(),
        };
        match (self.no_load, self.fitted.saturated, self.no_quota) {
            (true, None, true) => format!(
                "saw no saturation and {}: latency and 429s beyond that are guesses, likely too good",
                quota()
            ),
            (true, None, false) => "saw no saturation: latency beyond that is a guess, likely too good".to_owned(),
            (true, Some(at), of_quota) => {
                let also = if of_quota {
                    format!(", and saw {}: latency and 429s", quota())
                } else {
                    ": latency".to_owned()
                };
                format!(
                    "has no law of the saturation that was seen at {}/s{also} beyond that come out too good",
                    number(at)
                )
            }
            (false, _, true) => format!(
                "saw {}: its 429s beyond that are likely too few, and its law of load is extrapolated",
                quota()
            ),
            (false, _, false) => "has laws of load and of quotas, which are extrapolated beyond that".to_owned(),
        }
    }

    /// The seconds that the measurement lasted, where the experiment counts a day or more and the measurement is of less.
    pub fn shorter_than(&self, counted: f64) -> Option<f64> {
        let lasted = self.fitted.lasted?.span().seconds();
        (counted >= DAY && lasted < DAY).then_some(lasted)
    }

    /// Which way it errs where inputs are longer or shorter than the measured ones.
    pub fn other_inputs(&self, longer: bool) -> &'static str {
        match (self.no_prefill, longer) {
            (true, true) => "a longer prompt takes no longer in it: TTFT is likely too low",
            (true, false) => "a shorter prompt is no faster in it: TTFT is likely too high",
            (false, _) => "its prefill speed is extrapolated",
        }
    }

    /// What the model was measured over and what it did not see, in a sentence; nothing if little is known of it.
    pub fn sentence(&self) -> Option<String> {
        let on = &self.fitted;
        let mut parts = Vec::new();
        if let Some(rate) = on.rate {
            parts.push(if number(rate.least) == number(rate.most) {
                format!("{}/s", number(rate.most))
            } else {
                format!("{} to {}/s", number(rate.least), number(rate.most))
            });
        }
        parts.extend(on.in_flight.map(|r| format!("up to {} in flight", r.most)));
        parts.extend(on.input.map(|r| format!("{} tokens in", r.in_words())));
        parts.extend(on.output.map(|r| format!("{} out", r.in_words())));
        if parts.is_empty() {
            return None;
        }
        let mut text = format!("measured at {}", parts.join(", "));
        if let Some(requests) = on.requests {
            text += &format!(", on {requests} requests");
        }
        if let Some(lasted) = on.lasted {
            text += &format!(" over {}", minutes(lasted.span().seconds()));
        }
        if !on.from.is_empty() {
            text += &format!(" from {}", on.from);
        }
        let saturation = match on.saturated {
            Some(at) => Some(format!("saturated from {}/s on", number(at))),
            None => self.no_load.then(|| "saw no saturation".to_owned()),
        };
        let quota = self.no_quota.then(|| match on.per_minute {
            Some(most) => format!("saw no quota (to {most} in a minute)"),
            None => "saw no quota".to_owned(),
        });
        for part in saturation.into_iter().chain(quota) {
            text += "; ";
            text += &part;
        }
        Some(text)
    }
}

/// A positive number for people: two or three digits of it.
pub fn number(x: f64) -> String {
    let digits = match x {
        x if x < 10.0 => 2,
        x if x < 100.0 => 1,
        _ => 0,
    };
    let text = format!("{x:.digits$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A length of time for people, to the minute, the hour or the day.
pub(super) fn minutes(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s if s < 129_600.0 => format!("{:.0} h", s / 3600.0),
        s => format!("{:.0} days", s / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain() -> Domain {
        Domain {
            fitted: FittedOn {
                requests: Some(412),
                from: "2026-11-28T16:05Z".into(),
                lasted: Some(Duration::from(crate::kernel::time::Span::from_secs(150))),
                input: Some(Range { least: 300, most: 300 }),
                output: Some(Range { least: 80, most: 120 }),
                in_flight: Some(Range { least: 1, most: 9 }),
                rate: Some(Rates { least: 1.0, most: 4.03 }),
                per_minute: Some(230),
                ..FittedOn::default()
            },
            no_load: true,
            no_quota: true,
            no_prefill: true,
            no_cache: true,
            unfailing: None,
            starts: None,
        }
    }

    #[test]
    fn a_range_is_of_the_least_and_the_most() {
        assert_eq!(Range::of([]), None);
        let range = Range::of([5, 2, 9]).unwrap();
        assert_eq!((range.least, range.most), (2, 9));
        assert!(range.holds(2) && range.holds(9) && !range.holds(10));
        assert_eq!(Rates::of([2.5, 0.5]), Some(Rates { least: 0.5, most: 2.5 }));
    }

    #[test]
    fn the_sentence_says_what_was_measured_and_what_was_not_seen() {
        assert_eq!(
            domain().sentence().unwrap(),
            "measured at 1 to 4.03/s, up to 9 in flight, 300 tokens in, 80 to 120 out, on 412 requests over 2 min from \
             2026-11-28T16:05Z; saw no saturation; saw no quota (to 230 in a minute)"
        );
        let unknown = Domain {
            fitted: FittedOn::default(),
            ..domain()
        };
        assert_eq!(unknown.sentence(), None);
    }

    /// 4.03/s and 9 in flight were measured, and 230 in a minute: a tenth more is not told from them.
    #[test]
    fn beyond_is_more_than_a_tenth_above_what_was_measured() {
        let load = |rate: f64, in_flight| Load {
            rate,
            per_minute: 60.0 * rate,
            in_flight,
        };
        assert_eq!(domain().beyond(load(4.2, 9.8)), [None; 3]);
        assert_eq!(domain().beyond(load(4.3, 9.8)), [None, None, Some(230.0)]);
        assert_eq!(domain().beyond(load(42.0, 63.0)), [Some(4.03), Some(9.0), Some(230.0)]);
        let with_quota = Domain {
            no_quota: false,
            ..domain()
        };
        assert_eq!(with_quota.beyond(load(4.3, 1.0)), [None; 3]);
        let unknown = Domain {
            fitted: FittedOn::default(),
            ..domain()
        };
        assert_eq!(unknown.beyond(load(1e6, 1e6)), [None; 3]);
    }

    #[test]
    fn what_was_not_seen_says_which_way_it_errs() {
        assert_eq!(
            domain().beyond_load(),
            "saw no saturation and no quota (to 230 in a minute): latency and 429s beyond that are guesses, likely too good"
        );
        let mut seen = domain();
        seen.fitted.saturated = Some(6.0);
        assert!(
            seen.beyond_load()
                .starts_with("has no law of the saturation that was seen at 6/s, and saw no quota")
        );
        seen.no_load = false;
        assert!(seen.beyond_load().contains("429s beyond that are likely too few"));
        seen.no_quota = false;
        assert!(seen.beyond_load().ends_with("extrapolated beyond that"));
    }

    #[test]
    fn numbers_have_two_or_three_digits() {
        assert_eq!(
            [0.5, 4.0, 4.03, 42.0, 42.37, 700.0].map(number),
            ["0.5", "4", "4.03", "42", "42.4", "700"]
        );
        assert_eq!(
            [30.0, 150.0, 7200.0, 172_800.0].map(minutes),
            ["30 s", "2 min", "2 h", "2 days"]
        );
    }
}
