//! Hystrix's circuit breaker: opens when, at one of its looks, too many of the last ten seconds' calls had failed.
//!
//! Each `snapshot_interval` (of the clock) it looks at the calls that ended in the `rolling_window` up to then: with at least
//! `request_volume_threshold` of them, and a share of at least `error_threshold_percentage` failures, it opens. Nothing happens
//! between looks. Open: nothing goes through for `sleep_window`; the next call then makes it half-open. Half-open: nothing else goes
//! through. The next call that ends, also one from before, closes it with nothing counted, or opens it again; a trial that
//! the client calls off opens it again, too.
//!
//! `failures` are what the command throws. Default: any failure.
//!
//! Source: Netflix/Hystrix 1.5.18, `HystrixCircuitBreaker.java`, `HealthCountsStream.java`, `HystrixCommandProperties.java`. Left out:
//! its thread pools and semaphores, whose rejections count as failures there.
//!
//! ```json
//! { "hystrix": { "request_volume_threshold": 20, "error_threshold_percentage": "50%", "sleep_window": "5s" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::openings::{Openings, Seen, over_openings};
use super::{Breaker, BuildBreaker, Guard, Ticket};
use crate::form::build::{Built, Names, Refusal, at_least_one};
use crate::form::outcomes::OutcomeList;
use crate::form::units::{Duration, Fraction};
use crate::kernel::time::{Span, Time};
use crate::words::{Ended, Outcomes};

/// Opens on the share of failures, looked at once each interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Hystrix {
    /// The calls in the window from which on the share counts, at least 1. Default: 20.
    #[schemars(range(min = 1))]
    pub request_volume_threshold: u32,
    /// The share of failures that opens it. Default: 50%.
    pub error_threshold_percentage: Fraction,
    /// The time for which it stays open. Default: 5s.
    pub sleep_window: Duration,
    /// The window in which calls are counted: a multiple of `snapshot_interval`, at most 100 times it. Default: 10s.
    pub rolling_window: Duration,
    /// The time between two looks at the window, above 0. Default: 500ms.
    pub snapshot_interval: Duration,
    /// The outcomes of a call that are failures. Default: all but a success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failures: Option<OutcomeList>,
}

impl Default for Hystrix {
    fn default() -> Self {
        Hystrix {
            request_volume_threshold: 20,
            error_threshold_percentage: Fraction::new(0.5).unwrap_or_default(),
            sleep_window: Duration::from(Span::from_secs(5)),
            rolling_window: Duration::from(Span::from_secs(10)),
            snapshot_interval: Duration::from(Span::from_millis(500)),
            failures: None,
        }
    }
}

/// The most looks in a window.
const MOST: u64 = 100;

impl BuildBreaker for Hystrix {
    fn build(&self, _names: &Names<'_>) -> Built<Guard> {
        at_least_one(&[("request_volume_threshold", self.request_volume_threshold)])?;
        let (window, tick) = (self.rolling_window.span(), self.snapshot_interval.span());
        if tick == Span::ZERO {
            return Err(Refusal::new("snapshot_interval is 0s, and must be longer").at("snapshot_interval"));
        }
        let buckets = window.nanos() / tick.nanos();
        if window.nanos() % tick.nanos() != 0 || !(1..=MOST).contains(&buckets) {
            let text =
                format!("a rolling_window of {window} is not 1 to {MOST} times snapshot_interval, which is {tick}");
            return Err(Refusal::new(text).at("rolling_window"));
        }
        Ok(Guard::Each(Box::new(Running {
            volume: u64::from(self.request_volume_threshold),
            share: self.error_threshold_percentage.get(),
            sleep: self.sleep_window.span(),
            tick,
            failures: self.failures.as_ref().map_or(Outcomes::ANY_FAILURE, OutcomeList::set),
            buckets: vec![Bucket::default(); buckets as usize],
            newest: 0,
            opens_at: Time::NEVER,
            state: State::Closed,
            trial: Ticket::default(),
            openings: Openings::default(),
        })))
    }
}

#[derive(Clone, Debug)]
struct Running {
    volume: u64,
    share: f64,
    sleep: Span,
    tick: Span,
    failures: Outcomes,
    /// The calls that ended between two looks, by the number of that interval, as a ring.
    buckets: Vec<Bucket>,
    /// The number of the last interval in which a call ended.
    newest: u64,
    /// The look that will open it unless another call ends before.
    opens_at: Time,
    state: State,
    /// The ticket of the last trial; 0 before the first.
    trial: Ticket,
    openings: Openings,
}

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    calls: u64,
    failures: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Open,
    HalfOpen,
}

impl Running {
    fn bucket(&mut self, number: u64) -> &mut Bucket {
        let at = number % self.buckets.len() as u64;
        &mut self.buckets[at as usize]
    }

    fn count(&mut self, now: Time, failed: bool) {
        let number = now.nanos() / self.tick.nanos();
        let passed = (number - self.newest).min(self.buckets.len() as u64);
        for ahead in 0..passed {
            *self.bucket(number - ahead) = Bucket::default();
        }
        self.newest = number;
        let bucket = self.bucket(number);
        bucket.calls += 1;
        bucket.failures += u64::from(failed);
    }

    /// The first look at which what is counted now opens it: as old calls leave, the share may still grow.
    fn next_opening(&mut self) -> Time {
        let mut calls: u64 = self.buckets.iter().map(|b| b.calls).sum();
        let mut failures: u64 = self.buckets.iter().map(|b| b.failures).sum();
        for later in 1..=self.buckets.len() as u64 {
            if calls < self.volume {
                break;
            }
            if failures as f64 >= self.share * calls as f64 {
                return Time::from_nanos((self.newest + later).saturating_mul(self.tick.nanos()));
            }
            // The oldest comes next to the newest in the ring.
            let oldest = *self.bucket(self.newest + later);
            calls -= oldest.calls;
            failures -= oldest.failures;
        }
        Time::NEVER
    }

    /// Makes up for a look before `now` that opened it.
    fn settle(&mut self, now: Time) {
        if self.opens_at <= now {
            self.open(self.opens_at);
        }
    }

    fn open(&mut self, now: Time) {
        self.openings.open(now, now + self.sleep);
        self.state = State::Open;
        self.opens_at = Time::NEVER;
    }
}

impl Breaker for Running {
    #[inline]
    fn permits(&self, now: Time) -> bool {
        match self.state {
            State::Closed => now < self.opens_at || now >= self.opens_at + self.sleep,
            State::Open => !self.openings.is_open(now),
            State::HalfOpen => false,
        }
    }

    #[inline]
    fn sent(&mut self, now: Time) -> Ticket {
        self.settle(now);
        if self.state == State::Open && !self.openings.is_open(now) {
            self.state = State::HalfOpen;
            self.trial = Ticket(self.trial.0.wrapping_add(1).max(1));
            return self.trial;
        }
        Ticket::default()
    }

    #[inline]
    fn record(&mut self, ticket: Ticket, ended: &Ended) {
        self.settle(ended.now);
        let seen = Seen::of(ended.outcome, self.failures);
        match (seen, self.state) {
            (Seen::Nothing, State::HalfOpen) if ticket == self.trial => self.open(ended.now),
            (Seen::Nothing, _) => {}
            (Seen::Success, State::HalfOpen) => {
                self.state = State::Closed;
                self.buckets.fill(Bucket::default());
            }
            (Seen::Failure, State::HalfOpen) => {
                self.count(ended.now, true);
                self.open(ended.now);
            }
            (_, state) => {
                self.count(ended.now, seen == Seen::Failure);
                if state == State::Closed {
                    self.opens_at = self.next_opening();
                }
            }
        }
    }

    over_openings!(openings);
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Watch, at};
    use super::*;
    use crate::words::Outcome;

    fn watch(volume: u32) -> Watch {
        Watch::new(
            &format!(r#"{{"hystrix": {{"request_volume_threshold": {volume}}}}}"#),
            1,
        )
    }

    #[test]
    fn it_opens_at_a_look_and_not_before() {
        let mut it = watch(4);
        assert_eq!(it.run(0, 0, 50, "ssFFFFFF."), "ooooooooo");
        assert_eq!((it.permits(0, at(499)), it.permits(0, at(500))), (true, false));
        // One of two is enough, one of three is not, nor are three calls.
        let open_at_500 = |calls: &str| {
            let mut it = watch(4);
            it.run(0, 0, 50, calls);
            !it.permits(0, at(500))
        };
        assert_eq!(["FsFs", "FssFss", "FFF"].map(open_at_500), [true, false, false]);
    }

    #[test]
    fn the_share_grows_as_old_successes_leave_the_window() {
        // Six successes in the first half second, four failures in the third second: four of ten, and at 10.5 s four of four.
        let mut it = watch(4);
        it.run(0, 0, 50, "ssssss");
        it.run(0, 2_000, 50, "FFFF");
        assert_eq!((it.permits(0, at(10_499)), it.permits(0, at(10_500))), (true, false));
        // They leave, too: at 12.5 s there would be nothing.
        let mut few = watch(5);
        few.run(0, 0, 50, "ssssss");
        few.run(0, 2_000, 50, "FFFF");
        assert!(
            [10_500, 12_499, 12_500, 60_000]
                .iter()
                .all(|&ms| few.permits(0, at(ms)))
        );
    }

    #[test]
    fn one_trial_closes_it_or_opens_it_again() {
        let mut it = watch(4);
        it.run(0, 0, 0, "FFFF");
        assert_eq!((it.permits(0, at(5_499)), it.permits(0, at(5_500))), (false, true));
        let trial = it.sent(0, at(6_000));
        assert!(!it.permits(0, at(60_000)), "a second trial");
        it.record(trial, &Ended::new(at(7_000), 0, Outcome::ServerError));
        assert_eq!((it.permits(0, at(11_999)), it.permits(0, at(12_000))), (false, true));
        // One that is called off opens it again.
        it.call(0, at(12_000), Outcome::Cancelled);
        assert_eq!((it.permits(0, at(16_999)), it.permits(0, at(17_000))), (false, true));
        // A success closes it with nothing counted.
        assert_eq!(it.run(0, 17_000, 10, "sFFF"), "oooo");
        assert!(it.permits(0, at(17_500)));
        assert_eq!((it.trips(0), it.time_open(0, at(20_000))), (3, Span::from_secs(15)));
    }
}
