//! Error rates, and which of them become faults of the model.
//!
//! Rates are shares of the requests that were sent, with Wilson's interval. A timeout is not a fault here: it is a
//! right-censored latency, which the law of TTFT has taken in, unless it lies so far beyond every answer that it is a
//! hang ([`super::hangs`]); a timeout with no token after the first is a stalled answer. A 429 belongs to the quotas if
//! those can be determined, and is otherwise a random refusal.

use crate::stats::sorting;
use std::fmt;

use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use super::hangs::may_be;
use crate::calibrate::log::{Observation, Totals};
use crate::form::units::Fraction;
use crate::provider::faults::Random;
use crate::stats::critical::Confidence;
use crate::stats::interval::wilson;
use crate::words::{Outcome, Outcomes};

/// The frequency of one outcome other than success.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ErrorRate {
    /// The outcome in question.
    pub outcome: Outcome,
    /// The number of requests with this outcome.
    pub many: u64,
    /// The number of requests sent.
    pub of: u64,
    /// The lower end of the rate's 95 % Wilson interval.
    pub low: f64,
    /// The upper end of the rate's 95 % Wilson interval.
    pub high: f64,
    /// What it becomes in the model.
    #[schemars(with = "String")]
    pub becomes: Becomes,
}

/// What a way to end becomes in a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Becomes {
    /// The quotas answer for it.
    Limits,
    /// The fault of this name ([`crate::words::Row::fault`]).
    Fault(&'static str),
    /// A latency of which a lower bound is known.
    Censored,
    /// Nothing: what the request asks for decides it.
    Nothing,
}

impl fmt::Display for Becomes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Becomes::Limits => f.write_str("limits"),
            Becomes::Fault(name) => write!(f, "faults.{name}"),
            Becomes::Censored => f.write_str("a censored latency"),
            Becomes::Nothing => f.write_str("nothing: it is the request's own"),
        }
    }
}

impl Serialize for Becomes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl ErrorRate {
    /// The share of requests with this outcome.
    pub fn rate(&self) -> f64 {
        self.many as f64 / self.of as f64
    }
}

/// Whether the request was sent, and not called off by the client.
pub(super) fn was_sent(outcome: Outcome) -> bool {
    // The timeout of the whole request is the client's own too, and mostly that of a request that was sent.
    outcome == Outcome::TimeoutTotal || !Outcomes::NOT_COUNTED.contains(outcome)
}

/// The rates, most frequent first. `quotas`: quotas were found that explain the 429s; `hangs`: requests that timed out
/// would never have been answered. Of the steps in `totals` the observations are a sample.
pub(super) fn rates(
    observations: &[&Observation],
    totals: &[Totals],
    quotas: bool,
    hangs: bool,
) -> (Vec<ErrorRate>, u64) {
    let standing_for = standing_for(observations, totals);
    let count = |is: &dyn Fn(Outcome) -> bool| -> u64 {
        let these = observations.iter().zip(&standing_for).filter(|(o, _)| is(o.outcome));
        these.map(|(_, many)| many).sum::<f64>().round() as u64
    };
    let sent = count(&was_sent);
    let mut rates: Vec<ErrorRate> = Outcome::ALL
        .into_iter()
        .filter(|outcome| *outcome != Outcome::Success && was_sent(*outcome))
        .filter_map(|outcome| {
            let many = count(&|o| o == outcome);
            let (low, high) = wilson(many, sent, Confidence::P95);
            (many > 0).then(|| ErrorRate {
                outcome,
                many,
                of: sent,
                low,
                high,
                becomes: becomes(outcome, quotas, hangs),
            })
        })
        .collect();
    sorting::by_key(&mut rates, |rate| std::cmp::Reverse(rate.many));
    (rates, sent)
}

/// For how many requests each observation stands: one, unless its step keeps a sample.
pub(super) fn standing_for(observations: &[&Observation], totals: &[Totals]) -> Vec<f64> {
    let kept = |step: u32, good: bool| {
        let of = observations
            .iter()
            .filter(|o| o.step == step && o.outcome != Outcome::Cancelled);
        of.filter(|o| (o.outcome == Outcome::Success) == good).count() as u64
    };
    let kept: Vec<(&Totals, [u64; 2])> = totals
        .iter()
        .map(|t| (t, [kept(t.step, true), kept(t.step, false)]))
        .collect();
    let weight = |o: &&Observation| {
        let of_step = kept.iter().find(|(totals, _)| totals.step == o.step);
        of_step.map_or(1.0, |(totals, kept)| totals.weight(o.outcome, *kept))
    };
    observations.iter().map(weight).collect()
}

/// What this way to end becomes in a model: the fault that makes it, but for quotas and for timeouts that are the tail of a law.
fn becomes(outcome: Outcome, quotas: bool, hangs: bool) -> Becomes {
    match outcome.row().fault {
        Some(_) if outcome == Outcome::RateLimited && quotas => Becomes::Limits,
        Some(_) if may_be(outcome) && !hangs => Becomes::Censored,
        Some(name) => Becomes::Fault(name),
        None => Becomes::Nothing,
    }
}

/// The faults of a model with these rates.
pub(super) fn faults(rates: &[ErrorRate]) -> Random {
    let mut faults = Random::default();
    for rate in rates {
        // Six decimals: measurements are not more precise.
        let share = Fraction::new((rate.rate() * 1e6).round() / 1e6).unwrap_or(Fraction::ZERO);
        if let Becomes::Fault(name) = rate.becomes
            && let Some(way) = faults.way_mut(name)
        {
            // Several endings may be the same fault.
            way.add(share);
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::logs::gather::observed;

    #[test]
    fn rates_are_of_what_was_sent() {
        use Outcome::{Cancelled, RateLimited, ServerError, Success, TimeoutTtft};
        let outcomes = [
            Success,
            Success,
            Success,
            ServerError,
            RateLimited,
            RateLimited,
            TimeoutTtft,
            Cancelled,
        ];
        let observations: Vec<Observation> = outcomes.map(|o| observed(0, o)).to_vec();
        let (found, sent) = rates(&observations.iter().collect::<Vec<_>>(), &[], false, false);
        assert_eq!(sent, 7);
        let told: Vec<(Outcome, u64, String)> = (found.iter())
            .map(|r| (r.outcome, r.many, r.becomes.to_string()))
            .collect();
        assert_eq!(
            told,
            [
                (RateLimited, 2, "faults.rate_limited".to_owned()),
                (ServerError, 1, "faults.server_error".to_owned()),
                (TimeoutTtft, 1, "a censored latency".to_owned()),
            ]
        );
        let faults = faults(&found);
        assert!((faults.rate_limited.share().get() - 0.285714).abs() < 1e-12 && faults.hang.is_never());
    }

    /// 3,888 answers and 112 failures of which 100 each are kept, 75 of the latter a 503: 84 of 4,000.
    #[test]
    fn rates_of_a_sample_are_those_of_its_totals() {
        use Outcome::{ServerError, Success, Unavailable};
        let rows = [(Success, 100), (Unavailable, 75), (ServerError, 25)];
        let rows: Vec<Observation> = rows.into_iter().flat_map(|(o, n)| vec![observed(0, o); n]).collect();
        let totals = Totals {
            target: 0,
            step: 0,
            successful: 3888,
            failed: 112,
            cancelled: 0,
            rate: None,
        };
        let (found, sent) = rates(&rows.iter().collect::<Vec<_>>(), &[totals], false, false);
        let told: Vec<_> = found.iter().map(|r| (r.outcome, r.many, r.of)).collect();
        assert_eq!(
            (sent, &told[..]),
            (4000, &[(Unavailable, 84, 4000), (ServerError, 28, 4000)][..])
        );
    }

    /// Whatever a request that was sent ends in becomes the fault that makes it again, or is said to become none.
    #[test]
    fn every_outcome_that_a_fault_makes_becomes_that_fault() {
        for outcome in Outcome::ALL
            .into_iter()
            .filter(|&o| was_sent(o) && o != Outcome::Success)
        {
            let seen = observed(0, outcome);
            let (found, _) = rates(&[&seen], &[], false, true);
            let expected = match outcome.row().fault {
                Some(name) => format!("faults.{name}"),
                None => "nothing: it is the request's own".to_owned(),
            };
            assert_eq!(found[0].becomes.to_string(), expected);
            let mut faults = faults(&found);
            if let Some(name) = outcome.row().fault {
                assert_eq!(faults.way_mut(name).unwrap().share(), Fraction::ONE, "{outcome:?}");
            }
        }
        let limited = observed(0, Outcome::RateLimited);
        assert_eq!(rates(&[&limited], &[], true, false).0[0].becomes, Becomes::Limits);
    }
}
