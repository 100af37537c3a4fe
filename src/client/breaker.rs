//! Circuit breakers: rules by which a caller stops asking a provider that fails.

mod consecutive;
mod envoy_outlier;
mod finagle_accrual;
mod gobreaker;
mod health_score;
mod helicone;
mod hystrix;
mod kong;
mod litellm_cooldown;
mod never;
mod openings;
mod polly;
mod portkey;
mod resilience4j;
mod rollback;
mod smg;
#[cfg(test)]
mod statuses;
#[cfg(test)]
mod testing;

pub use consecutive::Consecutive;
pub use envoy_outlier::EnvoyOutlier;
pub use finagle_accrual::FinagleAccrual;
pub use gobreaker::Gobreaker;
pub use health_score::HealthScore;
pub use helicone::Helicone;
pub use hystrix::Hystrix;
pub use kong::Kong;
pub use litellm_cooldown::{LitellmCooldown, Version};
pub use never::Never;
pub use polly::Polly;
pub use portkey::Portkey;
pub use resilience4j::{Resilience4j, WindowType};
pub use rollback::Rollback;
pub use smg::Smg;

use crate::form::own::Own;
use crate::form::registry::registry;
use std::fmt;

use crate::form::build::{Built, Names};
use crate::kernel::chance::Key;
use crate::kernel::time::{Span, Time};
use crate::words::Ended;

/// A breaker in front of one provider, as it runs.
pub trait Breaker: fmt::Debug + Send + Sync {
    /// Whether a call may go through at `now`. Asking changes nothing.
    fn permits(&self, now: Time) -> bool;

    /// Called when a call goes through. The ticket that it returns must be given back with the end of the call.
    fn sent(&mut self, now: Time) -> Ticket;

    /// Called when the call that `ticket` was given for has ended.
    fn record(&mut self, ticket: Ticket, ended: &Ended);

    /// `true` only if `permits` will stay true until the next `record`, whatever the time and however many calls are
    /// sent. Returning `false` is always correct, only slower.
    #[inline]
    fn is_closed(&self) -> bool {
        false
    }

    /// The time for which the breaker has been open, up to `now`. Half-open does not count, nor do calls that were let
    /// through before and still wait for a connection.
    fn time_open(&self, now: Time) -> Span;

    /// The number of times that the breaker has opened.
    fn trips(&self) -> u64;

    /// A copy in its initial state, for one replication. `own` is the randomness of its own choices.
    fn fresh(&self, own: Key) -> Box<dyn Breaker>;
}

/// A breaker that watches a whole fleet, as it runs: it keeps out a provider because of how it does beside the others,
/// or keeps out at most so many at once.
pub trait FleetBreaker: fmt::Debug + Send + Sync {
    /// Whether a call to `provider` may go through at `now`. Asking changes nothing.
    fn permits(&self, provider: usize, now: Time) -> bool;

    /// Whether `provider` counts as one that does badly at `now`, although calls may go through because too many others do. Asking
    /// changes nothing.
    fn is_out(&self, provider: usize, now: Time) -> bool {
        !self.permits(provider, now)
    }

    /// Called when a call to `provider` goes through. The ticket that it returns must be given back with the end
    /// of the call.
    fn sent(&mut self, provider: usize, now: Time) -> Ticket;

    /// Called when the call that `ticket` was given for has ended.
    fn record(&mut self, ticket: Ticket, ended: &Ended);

    /// The time for which `provider` has been kept out, up to `now`; half-open does not count.
    fn time_open(&self, provider: usize, now: Time) -> Span;

    /// The number of times that `provider` has been kept out.
    fn trips(&self, provider: usize) -> u64;

    /// A copy in its initial state, for one replication. `own` is the randomness of its own choices.
    fn fresh(&self, own: Key) -> Box<dyn FleetBreaker>;
}

/// The breakers that watch the providers: one for each, or one for all.
#[derive(Debug)]
pub enum Guard {
    /// One breaker for each provider: copies of this one.
    Each(Box<dyn Breaker>),
    /// One breaker for the whole fleet.
    Fleet(Box<dyn FleetBreaker>),
}

impl Guard {
    /// The breaker of one provider, if each has its own, in its initial state.
    pub fn of_one(&self, own: Key) -> Option<Box<dyn Breaker>> {
        match self {
            Guard::Each(breaker) => Some(breaker.fresh(own)),
            Guard::Fleet(_) => None,
        }
    }

    /// The breaker of all, if there is one for all, in its initial state.
    pub fn of_all(&self, own: Key) -> Option<Box<dyn FleetBreaker>> {
        match self {
            Guard::Each(_) => None,
            Guard::Fleet(breaker) => Some(breaker.fresh(own)),
        }
    }
}

/// The number of the breaker's state in which a call was sent, so that a call from before it opened is not taken for
/// one of its trials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ticket(pub u32);

/// The parameters of a breaker, as the file gives them.
pub trait BuildBreaker {
    /// Checks the parameters and makes the breaker.
    fn build(&self, names: &Names<'_>) -> Built<Guard>;

    /// What should be known of the breaker before a run, in a fleet of so many providers: that it can never open.
    fn caution(&self, _providers: usize) -> Option<String> {
        None
    }
}

impl BuildBreaker for Own {
    fn build(&self, names: &Names<'_>) -> Built<Guard> {
        self.make("breaker", names)
    }
}

registry! {
    /// The circuit breaker, which keeps calls from a provider that fails.
    pub enum BreakerSpec as BuildBreaker, kind breaker in "breaker/" of Guard {
        never => Never,
        consecutive => Consecutive,
        litellm_cooldown => LitellmCooldown,
        resilience4j => Resilience4j,
        envoy_outlier => EnvoyOutlier,
        polly => Polly,
        gobreaker => Gobreaker,
        helicone => Helicone,
        rollback => Rollback,
        health_score => HealthScore,
        hystrix => Hystrix,
        finagle_accrual => FinagleAccrual,
        portkey => Portkey,
        kong => Kong,
        smg => Smg,
        own in "../form/own.rs" => Own,
    }
}

impl Default for BreakerSpec {
    /// The default: without a breaker.
    fn default() -> Self {
        BreakerSpec::never(Never::default())
    }
}

#[cfg(test)]
mod tests {
    //! What holds of every breaker, whatever happens to it.

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::testing::{self, Watch, at, outcome};
    use super::*;

    /// Further settings than those that the pages show, with short times and small numbers.
    const FURTHER: [&str; 18] = [
        r#"{"consecutive": {"failures": 2, "open_for": "2s"}}"#,
        r#""litellm_cooldown""#,
        r#"{"litellm_cooldown": {"allowed_fails": 1}}"#,
        r#"{"resilience4j": {"sliding_window_size": 4, "permitted_calls_in_half_open": 2, "wait_duration_in_open_state": "2s"}}"#,
        r#"{"resilience4j": {"sliding_window_type": "time_based", "sliding_window_size": 5, "minimum_number_of_calls": 3, "permitted_calls_in_half_open": 2, "wait_duration_in_open_state": "2s", "max_wait_in_half_open": "1s"}}"#,
        r#"{"resilience4j": {"sliding_window_size": 3, "wait_duration_in_open_state": "2s", "max_wait_in_half_open": "500s", "automatic_transition": true}}"#,
        r#"{"envoy_outlier": {"interval": "1s", "max_ejection_percent": "100%", "panic_threshold": "0%", "consecutive_5xx": 2, "max_ejection_time_jitter": "1s"}}"#,
        r#"{"envoy_outlier": {"interval": "3s", "max_ejection_percent": "100%", "split_external_local_origin_errors": true, "success_rate_minimum_hosts": 2, "success_rate_request_volume": 2, "success_rate_stdev_factor": 900, "failure_percentage_minimum_hosts": 1, "failure_percentage_request_volume": 1, "enforcing_failure_percentage": "50%"}}"#,
        r#"{"polly": {"minimum_throughput": 3, "break_duration": "2s"}}"#,
        r#"{"gobreaker": {"consecutive_failures": 1, "timeout": "2s", "interval": "5s", "max_requests": 2}}"#,
        r#"{"helicone": {"minimum": 3, "window": "10s", "interval": "2s"}}"#,
        r#"{"rollback": {"window": 4, "close_after": "2s"}}"#,
        r#"{"health_score": {"probe_after": "2s"}}"#,
        r#"{"hystrix": {"request_volume_threshold": 2, "sleep_window": "2s", "rolling_window": "3s"}}"#,
        r#"{"finagle_accrual": {"consecutive_failures": 2, "mark_dead_for": "500ms", "mark_dead_for_max": "2s"}}"#,
        r#"{"portkey": {"failure_threshold": 2, "failure_threshold_percentage": "90%", "minimum_requests": 1}}"#,
        r#"{"kong": {"max_fails": 2, "fail_timeout": "2s"}}"#,
        r#"{"smg": {"failure_threshold": 2, "timeout": "2s"}}"#,
    ];

    /// Those that, once open, stay so for good.
    const FOR_GOOD: [&str; 2] = [r#""rollback""#, r#""health_score""#];

    /// Every registered breaker as its page shows it, and the others above; and from where on they stay open for good.
    fn all() -> (Vec<String>, usize) {
        let pages = BreakerSpec::PAGES.iter().filter(|page| page.name != "own");
        let shown = pages.map(|page| {
            let page = crate::form::manual::read(page.name, page.group, page.source);
            let mut json = page.example().unwrap().join("\n");
            // The fleet of these tests is p0, p1, p2.
            while let Err(refusal) = testing::build(&json, 3, &[]) {
                json = json.replace(&format!("\"{}\"", refusal.found.unwrap()), "\"p0\"");
            }
            json
        });
        let mut all: Vec<String> = shown.chain(FURTHER.map(String::from)).collect();
        let for_good = all.len();
        all.extend(FOR_GOOD.map(String::from));
        (all, for_good)
    }

    proptest! {
        /// Steps are a provider, milliseconds since the step before, how a call ends, and after how many later steps.
        #[test]
        fn time_open_never_exceeds_time_and_nobody_is_out_for_ever(
            which in 0..all().0.len(),
            steps in vec((0..3_usize, 0..2_000_u64, prop::sample::select(&['s', 'F', 'F', 'B', 'r', 't', 'C', 'a', 'c', 'Q', 'x']), 0..4_usize), 1..120),
        ) {
            let (all, for_good) = all();
            let mut watch = Watch::new(&all[which], 3);
            let mut under_way: Vec<(usize, usize, Ticket, char)> = Vec::new();
            let (mut now, mut before) = (0, [(Span::ZERO, 0); 3]);
            let mut settle = |watch: &mut Watch, under_way: &mut Vec<(usize, usize, Ticket, char)>, step: usize, now: u64| {
                for &(_, provider, ticket, letter) in under_way.iter().filter(|w| w.0 <= step) {
                    watch.record(ticket, &Ended { retry_after: now.is_multiple_of(2).then_some(Span::from_secs(now % 5)), ..Ended::new(at(now), provider, outcome(letter)) });
                }
                under_way.retain(|w| w.0 > step);
                for (p, before) in before.iter_mut().enumerate() {
                    let (open, trips) = (watch.time_open(p, at(now)), watch.trips(p));
                    assert!(open <= Span::from_millis(now) && open >= before.0 && trips >= before.1, "{open} {trips} {before:?}");
                    assert!(trips > 0 || open == Span::ZERO);
                    *before = (open, trips);
                }
            };
            for (step, &(provider, gap, letter, lasts)) in steps.iter().enumerate() {
                now += gap;
                settle(&mut watch, &mut under_way, step, now);
                let permitted = watch.permits(provider, at(now));
                let seen = format!("{watch:?}");
                prop_assert_eq!(permitted, watch.permits(provider, at(now)));
                prop_assert_eq!(seen, format!("{watch:?}"));
                if watch.is_closed(provider) {
                    for ahead in [0, 1, 500, 2_000, 10_000, 1_000_000_000] {
                        prop_assert!(watch.permits(provider, at(now + ahead)));
                    }
                }
                if permitted {
                    let closed = watch.is_closed(provider);
                    let ticket = watch.sent(provider, at(now));
                    prop_assert!(!closed || watch.is_closed(provider));
                    under_way.push((step + lasts, provider, ticket, letter));
                }
            }
            settle(&mut watch, &mut under_way, usize::MAX, now);
            if which < for_good {
                let later = at(now + 3_600_000);
                prop_assert_eq!(watch.open_to_calls(3, later), "ooo");
            }
        }
    }
}
