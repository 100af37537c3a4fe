//! How requests end, and what of that is a fault of the model's.
//!
//! Rates are of the requests that were sent, with Wilson's interval. A timeout is no fault here: it is a censored latency, and the
//! law of TTFT has taken it in, unless it lies so far beyond every answer that it is a hang ([`super::hangs`]); and one with no
//! token after the first is a stalled answer. A 429 belongs to the quotas if those
//! can be told, and else is a refusal by chance.

use schemars::JsonSchema;
use serde::Serialize;

use super::hangs::may_be;
use crate::calibrate::log::Observation;
use crate::form::units::Fraction;
use crate::provider::faults::Random;
use crate::stats::critical::Confidence;
use crate::stats::interval::wilson;
use crate::words::Outcome;

/// How often requests end in one way other than success.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ErrorRate {
    /// The way.
    pub outcome: Outcome,
    /// How many did.
    pub many: u64,
    /// Of so many sent.
    pub of: u64,
    /// The lower end of the rate's 95 % interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// What it becomes in the model.
    pub becomes: &'static str,
}

impl ErrorRate {
    /// The share of requests.
    pub fn rate(&self) -> f64 {
        self.many as f64 / self.of as f64
    }
}

/// Whether it was sent at all and left to end by itself.
pub(super) fn was_sent(outcome: Outcome) -> bool {
    use Outcome::{BreakerOpen, BudgetExhausted, Cancelled, QueueTimeout, Shed};
    !matches!(outcome, BreakerOpen | BudgetExhausted | Cancelled | QueueTimeout | Shed)
}

/// The rates, most frequent first; `quotas` if there are quotas that answer for the 429s, `hangs` if who timed out would never
/// have been answered.
pub(super) fn rates(observations: &[&Observation], quotas: bool, hangs: bool) -> (Vec<ErrorRate>, u64) {
    let sent = observations.iter().filter(|o| was_sent(o.outcome)).count() as u64;
    let mut rates: Vec<ErrorRate> = Outcome::ALL
        .into_iter()
        .filter(|outcome| *outcome != Outcome::Success && was_sent(*outcome))
        .filter_map(|outcome| {
            let many = observations.iter().filter(|o| o.outcome == outcome).count() as u64;
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
    rates.sort_by_key(|rate| std::cmp::Reverse(rate.many));
    (rates, sent)
}

/// What this way to end becomes in a model.
fn becomes(outcome: Outcome, quotas: bool, hangs: bool) -> &'static str {
    match outcome {
        Outcome::RateLimited if quotas => "limits",
        Outcome::RateLimited => "faults.rate_limited",
        Outcome::ServerError => "faults.server_error",
        Outcome::BadGateway => "faults.bad_gateway",
        Outcome::Unavailable => "faults.unavailable",
        Outcome::GatewayTimeout => "faults.gateway_timeout",
        Outcome::Overloaded => "faults.overloaded",
        Outcome::RequestTimeout => "faults.request_timeout",
        Outcome::ConnectionError => "faults.connection_error",
        Outcome::Truncated => "faults.truncated",
        Outcome::TimeoutIdle => "faults.stalled",
        Outcome::ContentFiltered => "faults.content_filtered",
        Outcome::Unauthorized => "faults.unauthorized",
        Outcome::TimeoutConnect => "faults.hang",
        _ if may_be(outcome) && hangs => "faults.hang",
        _ if may_be(outcome) => "a censored latency",
        _ => "nothing: it is the request's own",
    }
}

/// The faults that a model has by these rates.
pub(super) fn faults(rates: &[ErrorRate]) -> Random {
    let mut faults = Random::default();
    for rate in rates {
        // Six decimals: finer is no measurement.
        let share = Fraction::new((rate.rate() * 1e6).round() / 1e6).unwrap_or(Fraction::ZERO);
        let field = match rate.becomes {
            "faults.rate_limited" => &mut faults.rate_limited,
            "faults.server_error" => &mut faults.server_error,
            "faults.bad_gateway" => &mut faults.bad_gateway,
            "faults.unavailable" => &mut faults.unavailable,
            "faults.gateway_timeout" => &mut faults.gateway_timeout,
            "faults.overloaded" => &mut faults.overloaded,
            "faults.request_timeout" => &mut faults.request_timeout,
            "faults.connection_error" => &mut faults.connection_error,
            "faults.truncated" => &mut faults.truncated,
            "faults.stalled" => &mut faults.stalled,
            "faults.content_filtered" => &mut faults.content_filtered,
            "faults.unauthorized" => &mut faults.unauthorized,
            "faults.hang" => &mut faults.hang,
            _ => continue,
        };
        // Several endings may be the same fault.
        *field = Fraction::new(field.get() + share.get()).unwrap_or(Fraction::ONE);
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
        let (found, sent) = rates(&observations.iter().collect::<Vec<_>>(), false, false);
        assert_eq!(sent, 7);
        let told: Vec<(Outcome, u64, &str)> = found.iter().map(|r| (r.outcome, r.many, r.becomes)).collect();
        assert_eq!(
            told,
            [
                (RateLimited, 2, "faults.rate_limited"),
                (ServerError, 1, "faults.server_error"),
                (TimeoutTtft, 1, "a censored latency"),
            ]
        );
        let faults = faults(&found);
        assert!((faults.rate_limited.get() - 0.285714).abs() < 1e-12 && faults.hang == Fraction::ZERO);
    }
}
