//! The quotas of an endpoint: from its headers, or from its refusals.
//!
//! A header says how large a quota is, how much is left and when it is whole again, which determines how it comes back
//! ([`told`]). Where that is inconsistent, or there are no headers, refusals are used: once requests are refused, the
//! admitted ones are what the quota lets through ([`onset`]). Whether it counts requests or tokens cannot be determined
//! from refusals when requests are of equal size. Intervals are bounds: a value outside them contradicts an answer.

use crate::stats::sorting;
use schemars::JsonSchema;
use serde::Serialize;

use super::onset::{self, Kind, Sent, USUAL};
use super::regimes::median;
use super::told::{self, Comes, Said};
use crate::calibrate::log::Observation;
use crate::calibrate::probe::{Quota, Quotas};
use crate::form::units::{Count, Duration};
use crate::kernel::time::Span;
use crate::provider::limits::{Begins, FixedWindow, LimitSpec, TokenBucket, Unit};
use crate::words::{Outcome, Outcomes};

/// A quota, as far as it can be determined.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct QuotaFound {
    /// The unit that the quota counts.
    pub unit: Unit,
    /// Seconds of a window after which all of it is available again; `null` for a bucket that refills continuously.
    pub window: Option<f64>,
    /// The most that can be used at once.
    pub burst: u64,
    /// Lower and upper bound of the burst; `null` if unknown.
    pub burst_interval: Option<[u64; 2]>,
    /// How much comes back in a minute.
    pub per_minute: f64,
    /// Lower and upper bound of the rate per minute; `null` if unknown.
    pub per_minute_interval: Option<[f64; 2]>,
    /// The evidence for the quota, in words.
    pub from: String,
}

/// What refusals say about when to come back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct RetryAfter {
    /// The number of 429s.
    pub refusals: usize,
    /// The number of 429s with a time to come back.
    pub with: usize,
    /// The median time to come back, in seconds.
    pub median: Option<f64>,
    /// Whether every time to come back is a whole number of seconds.
    pub whole_seconds: bool,
}

/// The quotas that `observations`, all that were sent to the endpoint, show: from headers, or else one from refusals.
pub(super) fn found(observations: &[&Observation]) -> Vec<QuotaFound> {
    type Of = fn(&Quotas) -> Option<Quota>;
    let units: [(Unit, Of); 4] = [
        (Unit::Requests, |q| q.requests),
        (Unit::Tokens, |q| q.tokens),
        (Unit::InputTokens, |q| q.input_tokens),
        (Unit::OutputTokens, |q| q.output_tokens),
    ];
    let sent_at = sent_at(observations);
    let told: Vec<QuotaFound> = units
        .into_iter()
        .filter_map(|(unit, of)| {
            let said = observations
                .iter()
                .filter_map(|o| Some((sent_at(o), of(o.quotas.as_ref()?)?)));
            from_headers(unit, &said.collect::<Vec<_>>(), observations)
        })
        .collect();
    if told.is_empty() {
        from_onsets(observations).into_iter().collect()
    } else {
        told
    }
}

/// When each was sent, in seconds: by the clock if all have that time, since several files have different origins.
pub(super) fn sent_at(observations: &[&Observation]) -> impl Fn(&Observation) -> Option<f64> + use<> {
    let by_clock = observations.iter().all(|o| o.unix.is_some());
    move |o| {
        let due = if by_clock { o.unix } else { o.at };
        Some(due? + o.dispatch.unwrap_or(0.0))
    }
}

fn from_headers(unit: Unit, said: &[(Option<f64>, Quota)], observations: &[&Observation]) -> Option<QuotaFound> {
    let burst = said.iter().rev().find_map(|(_, q)| q.limit)?;
    let answer = |(at, q): &(Option<f64>, Quota)| {
        let remaining = q.remaining.filter(|_| q.limit.is_none_or(|limit| limit == burst))?;
        Some(Said {
            at: *at,
            missing: burst.checked_sub(remaining).filter(|m| *m > 0)?,
            is_left: remaining > 0,
            reset_us: q.reset_us.filter(|us| *us > 0)?,
        })
    };
    let answers: Vec<Said> = said.iter().filter_map(answer).collect();
    let told = |window, per_minute: [f64; 3], from: String| QuotaFound {
        unit,
        window,
        burst,
        burst_interval: Some([burst, burst]),
        per_minute: per_minute[1],
        per_minute_interval: Some([per_minute[0], per_minute[2]]),
        from,
    };
    let assumed = |window: Option<f64>, per_minute: f64, from: &str| QuotaFound {
        per_minute_interval: None,
        ..told(window, [per_minute; 3], from.to_owned())
    };
    let by_the_minute = |seconds: f64| burst as f64 * 60.0 / seconds;
    Some(match told::comes(&answers) {
        Some(Comes::Back(rate)) => told(
            None,
            rate.map(|r| 60.0 * r),
            format!(
                "headers of {} answers: the limit and the time until it is whole",
                answers.len()
            ),
        ),
        Some(Comes::Anew([low, seconds, high])) => told(
            Some(seconds),
            [high, seconds, low].map(by_the_minute),
            format!(
                "headers of {} answers: the limit and when it starts anew",
                answers.len()
            ),
        ),
        Some(Comes::AnewOnce(least)) => {
            let window = USUAL
                .into_iter()
                .filter(|w| [1.0, 10.0, 60.0, 3600.0, 86_400.0].contains(w));
            let window = window.into_iter().find(|w| *w >= least).unwrap_or(least);
            let why = "headers: the limit, and the end of one window: how long it is was not seen, so the least that is usual";
            assumed(Some(window), by_the_minute(window), why)
        }
        None => match from_onsets(observations).filter(|_| unit == Unit::Requests) {
            Some(onset) => QuotaFound {
                burst,
                burst_interval: Some([burst, burst]),
                from: format!("headers: the limit; how fast it comes back from {}", onset.from),
                ..onset
            },
            None => assumed(
                None,
                burst as f64,
                "headers: the limit; what they say of how fast it comes back does not fit together, so by the minute",
            ),
        },
    })
}

/// Outcomes that may not be charged to a quota: the endpoint fails before it checks the quota.
fn may_be_free(outcome: Outcome) -> bool {
    const FREE: Outcomes =
        Outcomes::SERVER_ERRORS.and(Outcomes::of(&[Outcome::ConnectionError, Outcome::TimeoutConnect]));
    FREE.contains(outcome)
}

fn from_onsets(observations: &[&Observation]) -> Option<QuotaFound> {
    let sent_at = sent_at(observations);
    let mut sent: Vec<(Outcome, Sent)> = observations
        .iter()
        .filter(|o| super::errors::was_sent(o.outcome))
        .map(|o| {
            let refused = o.outcome == Outcome::RateLimited;
            Some((
                o.outcome,
                Sent {
                    at: sent_at(o)?,
                    refused,
                },
            ))
        })
        .collect::<Option<_>>()?;
    sorting::by(&mut sent, |a, b| a.1.at.total_cmp(&b.1.at));
    let all: Vec<Sent> = sent.iter().map(|(_, s)| *s).collect();
    let charged = |(outcome, sent): &(Outcome, Sent)| (!may_be_free(*outcome)).then_some(*sent);
    let charged: Vec<Sent> = sent.iter().filter_map(charged).collect();
    let delay = answered_within(observations);
    // Some servers charge failures and some do not: the better explanation counts.
    let either = [onset::of(&all, delay), onset::of(&charged, delay)]
        .into_iter()
        .flatten();
    let onset = either.min_by(|a, b| a.slack.total_cmp(&b.slack))?;
    let refused: Vec<f64> = all.iter().filter(|s| s.refused).map(|s| s.at).collect();
    let over = refused.last()? - refused.first()?;
    let why = match onset.kind {
        Kind::Bucket => "a bucket that refills all the time explains each one",
        Kind::Window(_) => "a window that starts anew explains each one",
        Kind::Roughly => "no bucket and no window explains each one, so this is the rate let in meanwhile",
    };
    Some(QuotaFound {
        unit: Unit::Requests,
        window: match onset.kind {
            Kind::Window(seconds) => Some(seconds),
            Kind::Bucket | Kind::Roughly => None,
        },
        burst: (onset.burst[1].round() as u64).max(1),
        burst_interval: Some(whole(onset.burst)),
        per_minute: 60.0 * onset.rate[1],
        per_minute_interval: Some([60.0 * onset.rate[0], 60.0 * onset.rate[2]]),
        from: format!("{} refusals over {over:.0} s: {why}", refused.len()),
    })
}

/// The whole numbers between the bounds. A quota of tokens that looks like one of requests may have none: then the
/// nearest ones outside.
fn whole([least, _, most]: [f64; 3]) -> [u64; 2] {
    let (inner, outer) = ((least.ceil(), most.floor()), (least.floor(), most.ceil()));
    let (low, high) = if inner.0 <= inner.1 { inner } else { outer };
    [low, high].map(|n| (n as u64).max(1))
}

/// Seconds within which nineteen of twenty refusals come back: a decision may be made that late after sending.
fn answered_within(observations: &[&Observation]) -> f64 {
    let refused = observations.iter().filter(|o| o.outcome == Outcome::RateLimited);
    let mut times: Vec<f64> = refused.filter_map(|o| o.e2e.seen()).collect();
    times.sort_by(f64::total_cmp);
    times.get(times.len() * 19 / 20).copied().unwrap_or(0.0)
}

/// What refusals say about when to come back; `None` without refusals.
pub(super) fn retry_after(observations: &[&Observation]) -> Option<RetryAfter> {
    let refusals = observations.iter().filter(|o| o.outcome == Outcome::RateLimited);
    let said: Vec<Option<f64>> = refusals.map(|o| o.retry_after).collect();
    let times: Vec<f64> = said.iter().filter_map(|t| *t).collect();
    (!said.is_empty()).then(|| RetryAfter {
        refusals: said.len(),
        with: times.len(),
        median: (!times.is_empty()).then(|| median(&times)),
        whole_seconds: !times.is_empty() && times.iter().all(|t| t.fract() == 0.0),
    })
}

impl QuotaFound {
    /// The evidence and the interval, for a model's notes.
    pub(super) fn note(&self) -> String {
        let form = match self.window {
            Some(_) => "a window that starts anew",
            None => "a bucket that refills all the time",
        };
        let between = match self.per_minute_interval {
            Some([low, high]) => format!("{low:.1} to {high:.1} a minute"),
            None => "assumed".to_owned(),
        };
        format!("{}; {between}, as {form}", self.from)
    }

    /// The quota in the form of a model file. `None` if it would let nothing through.
    pub fn limit(&self) -> Option<LimitSpec> {
        if let Some(seconds) = self.window {
            return Some(LimitSpec::fixed_window(FixedWindow {
                begins: Begins::Clock,
                unit: self.unit,
                limit: Count::new(self.burst)?,
                window: Duration::from(Span::from_nanos((seconds * 1e9).round() as u64)),
                charge: Default::default(),
            }));
        }
        let whole = self.per_minute.round();
        let rate = if (whole - self.per_minute).abs() < 0.005 * self.per_minute {
            format!("{}/min", whole as u64)
        } else {
            format!("{}/h", (60.0 * self.per_minute).round() as u64)
        };
        Some(LimitSpec::token_bucket(TokenBucket {
            unit: self.unit,
            rate: rate.parse().ok()?,
            burst: Count::new(self.burst),
            charge: Default::default(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::logs::gather::observed;

    fn quotas(requests: Quota) -> Option<Quotas> {
        Some(Quotas {
            requests: Some(requests),
            ..Quotas::default()
        })
    }

    /// 1,000 a minute: 60 missing are back in 3.6 s.
    #[test]
    fn headers_say_limit_and_refill() {
        let observations: Vec<Observation> = (1..=20)
            .map(|missing| Observation {
                quotas: quotas(Quota {
                    limit: Some(1000),
                    remaining: Some(1000 - missing),
                    reset_us: Some(missing * 60_000),
                }),
                ..observed(0, Outcome::Success)
            })
            .collect();
        let found = found(&observations.iter().collect::<Vec<_>>());
        assert_eq!((found.len(), found[0].unit, found[0].burst), (1, Unit::Requests, 1000));
        assert!((found[0].per_minute - 1000.0).abs() < 1e-9);
        assert!(found[0].limit().is_some());
    }

    /// Five requests a second against a bucket of 30 that refills at one a second: let in are 30, and then one each second.
    #[test]
    fn onsets_say_burst_and_rate() {
        let (mut level, mut observations): (f64, Vec<Observation>) = (30.0, Vec::new());
        for i in 0..600 {
            level = (level + 0.2).min(30.0);
            let refused = level < 1.0;
            level -= if refused { 0.0 } else { 1.0 };
            let outcome = if refused {
                Outcome::RateLimited
            } else {
                Outcome::Success
            };
            observations.push(Observation {
                at: Some(0.2 * f64::from(i)),
                ..observed(0, outcome)
            });
        }
        let found = found(&observations.iter().collect::<Vec<_>>());
        assert!((found[0].per_minute / 60.0 - 1.0).abs() < 0.03, "{found:?}");
        assert_eq!(found[0].burst, 30, "{found:?}");
        let ([low, high], [least, most]) = (found[0].per_minute_interval.unwrap(), found[0].burst_interval.unwrap());
        assert!(low <= 60.0 && 60.0 <= high && least <= 30 && 30 <= most, "{found:?}");
    }

    /// The outcome of requests, four a second for 60 s, at a bucket of 20 that gains two a second. In part of each ten
    /// seconds they fail, `charged` for it or not.
    fn refused(fail: u32, charged: bool) -> Vec<Observation> {
        let (mut level, mut observations): (f64, Vec<Observation>) = (20.0, Vec::new());
        for i in 0..240 {
            level = (level + 0.5).min(20.0);
            let fails = i % 40 < fail;
            let outcome = if fails && !charged {
                Outcome::ServerError
            } else if level < 1.0 {
                Outcome::RateLimited
            } else {
                level -= 1.0;
                if fails { Outcome::ServerError } else { Outcome::Success }
            };
            observations.push(Observation {
                at: Some(0.25 * f64::from(i)),
                ..observed(0, outcome)
            });
        }
        observations
    }

    #[test]
    fn failures_that_cost_nothing_are_told_from_those_that_do() {
        for (fail, charged) in [(0, true), (8, false), (8, true)] {
            let observations = refused(fail, charged);
            let found = found(&observations.iter().collect::<Vec<_>>());
            assert!((found[0].per_minute - 120.0).abs() < 2.5, "{fail} {charged}: {found:?}");
            assert_eq!(found[0].burst, 20, "{fail} {charged}: {found:?}");
        }
    }

    /// Warm-up requests took five of the twenty: without them it would be a burst of fifteen or so.
    #[test]
    fn whoever_warmed_up_has_been_charged_too() {
        let observations = refused(0, true);
        let all = found(&observations.iter().collect::<Vec<_>>());
        let rest = found(&observations.iter().skip(10).collect::<Vec<_>>());
        assert!(all[0].burst == 20 && rest[0].burst < 18, "{all:?} {rest:?}");
    }

    #[test]
    fn a_window_is_a_limit_of_its_own() {
        let observations: Vec<Observation> = (0..240)
            .map(|i| Observation {
                at: Some(0.25 * f64::from(i)),
                ..observed(
                    0,
                    if i % 40 < 20 {
                        Outcome::Success
                    } else {
                        Outcome::RateLimited
                    },
                )
            })
            .collect();
        let found = found(&observations.iter().collect::<Vec<_>>());
        let Some(LimitSpec::fixed_window(window)) = found[0].limit() else {
            panic!("{found:?}")
        };
        assert_eq!((window.limit.get(), window.window.span()), (20, Span::from_secs(10)));
        assert_eq!(found[0].per_minute_interval, Some([120.0, 120.0]));
    }

    #[test]
    fn a_few_refusals_say_nothing() {
        let observations: Vec<Observation> = (0..4)
            .map(|i| Observation {
                at: Some(f64::from(i) * 10.0),
                ..observed(0, Outcome::RateLimited)
            })
            .collect();
        assert_eq!(found(&observations.iter().collect::<Vec<_>>()), []);
    }
}
