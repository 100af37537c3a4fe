//! The quotas of an endpoint: from its headers, or from when it refuses.
//!
//! A header says how much there is, how much is left and when it is whole again. What is missing over the time until then is how
//! fast it refills, as a bucket that refills all the time would (OpenAI's and Anthropic's documented rule); a window that ends at
//! once gives another figure at each answer, and then the limit is taken as a minute's.
//! Without headers: once requests are refused, those that are let in are what the quota lets through. So between the first 429 and
//! the last the rate of the others is the quota's, and what was let in before the first beyond that rate is its burst. What it
//! counts, requests or tokens, cannot be told apart from this when requests are alike.

use schemars::JsonSchema;
use serde::Serialize;

use super::regimes::median;
use crate::calibrate::log::Observation;
use crate::calibrate::probe::{Quota, Quotas};
use crate::provider::limits::{LimitSpec, TokenBucket, Unit};
use crate::request::Outcome;
use crate::spec::units::Count;

/// 429s that an estimate from onsets needs, and seconds that they must span.
const ENOUGH: (usize, f64) = (5, 10.0);

/// A quota, as far as it can be told.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct QuotaFound {
    /// What it counts.
    pub unit: Unit,
    /// The most that can be used at once.
    pub burst: u64,
    /// How much comes back in a minute.
    pub per_minute: f64,
    /// How that is known.
    pub from: String,
}

/// What refusals say of when to come back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct RetryAfter {
    /// 429s.
    pub refusals: usize,
    /// Of these, with a time to come back.
    pub with: usize,
    /// The median of that, in seconds.
    pub median: Option<f64>,
    /// Whether every one is a whole number of seconds.
    pub whole_seconds: bool,
}

/// The quotas: those of the headers, or else one from onsets.
pub(super) fn found(observations: &[&Observation]) -> Vec<QuotaFound> {
    type Of = fn(&Quotas) -> Option<Quota>;
    let units: [(Unit, Of); 4] = [
        (Unit::Requests, |q| q.requests),
        (Unit::Tokens, |q| q.tokens),
        (Unit::InputTokens, |q| q.input_tokens),
        (Unit::OutputTokens, |q| q.output_tokens),
    ];
    let told: Vec<QuotaFound> = units
        .into_iter()
        .filter_map(|(unit, of)| {
            let said: Vec<Quota> = observations.iter().filter_map(|o| of(o.quotas.as_ref()?)).collect();
            from_headers(unit, &said)
        })
        .collect();
    if told.is_empty() {
        from_onsets(observations).into_iter().collect()
    } else {
        told
    }
}

fn from_headers(unit: Unit, said: &[Quota]) -> Option<QuotaFound> {
    let burst = said.iter().rev().find_map(|q| q.limit)?;
    let refill = |q: &Quota| {
        let missing = burst.checked_sub(q.remaining?).filter(|m| *m > 0)?;
        let reset = q.reset_us.filter(|us| *us > 0)?;
        Some(missing as f64 * 6e7 / reset as f64)
    };
    let mut rates: Vec<f64> = said.iter().filter_map(refill).collect();
    rates.sort_by(f64::total_cmp);
    let (low, high) = (rates.get(rates.len() / 10), rates.get(rates.len() * 9 / 10));
    let steady = matches!((low, high), (Some(low), Some(high)) if *high < 1.5 * low) && rates.len() >= 5;
    let (per_minute, from) = if steady {
        (
            median(&rates),
            format!("headers of {} answers: limit and time until it is whole", said.len()),
        )
    } else {
        let why = "headers: the limit; how fast it refills varies too much from answer to answer, so by the minute";
        (burst as f64, why.to_owned())
    };
    Some(QuotaFound {
        unit,
        burst,
        per_minute,
        from,
    })
}

fn from_onsets(observations: &[&Observation]) -> Option<QuotaFound> {
    let mut sent: Vec<(f64, bool)> = observations
        .iter()
        .map(|o| Some((o.at? + o.dispatch.unwrap_or(0.0), o.outcome == Outcome::RateLimited)))
        .collect::<Option<_>>()?;
    sent.sort_by(|a, b| a.0.total_cmp(&b.0));
    let refused = sent.iter().filter(|(_, refused)| *refused).count();
    let start = sent.first()?.0;
    let first = sent.iter().find(|(_, refused)| *refused)?.0;
    let last = sent.iter().rfind(|(_, refused)| *refused)?.0;
    if refused < ENOUGH.0 || last - first < ENOUGH.1 {
        return None;
    }
    let let_in = |from: f64, to: f64| {
        sent.iter()
            .filter(|(at, refused)| !refused && *at >= from && *at < to)
            .count()
    };
    let between = let_in(first, last);
    let rate = between as f64 / (last - first);
    let burst = (let_in(start, first) as f64 - rate * (first - start)).round().max(1.0);
    let off = if between > 0 {
        196.0 / (between as f64).sqrt()
    } else {
        100.0
    };
    Some(QuotaFound {
        unit: Unit::Requests,
        burst: burst as u64,
        per_minute: 60.0 * rate,
        from: format!(
            "{refused} refusals over {:.0} s: {between} requests let in between, ±{off:.0} %",
            last - first
        ),
    })
}

/// What refusals say of when to come back; nothing if there are none.
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
    /// As a model has it. Nothing if it would let nothing through.
    pub fn limit(&self) -> Option<LimitSpec> {
        let per_minute = self.per_minute.round() as u64;
        let rate = match per_minute {
            0 => format!("{}/h", (60.0 * self.per_minute).round() as u64),
            n => format!("{n}/min"),
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
        assert!(found[0].burst.abs_diff(30) <= 1, "{found:?}");
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
