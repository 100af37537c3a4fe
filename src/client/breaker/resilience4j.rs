//! resilience4j's circuit breaker: opens on the share of failures, or of slow calls, in a sliding window.
//!
//! Closed: each call that ends goes into a window of the last `sliding_window_size` calls, or seconds (whole ones of the clock). Once it
//! holds `minimum_number_of_calls` (no more than the window, if that counts calls), it opens when the failures reach
//! `failure_rate_threshold` or the calls that took longer than `slow_call_duration_threshold` reach `slow_call_rate_threshold`.
//! Open: nothing goes through for `wait_duration_in_open_state`; then the next call makes it half-open, or time by itself with
//! `automatic_transition`. Half-open: `permitted_calls_in_half_open` calls go through, no more; once as many have ended (or the minimum, if
//! that is less) the same two rates open it again or close it, with a window that is empty. With a
//! `max_wait_in_half_open` it opens by itself after that time.
//!
//! Calls are counted in whatever state they end: those from before it opened may decide a half-open one. What is ignored, or ended by the
//! client itself, counts for nothing and gives its permission back.
//!
//! Which ends are failures is `record`, as recordExceptions: anything else then is a success, but for `ignore`. Default, as there: every
//! exception, that is everything but a success.
//!
//! Source: resilience4j 2, `CircuitBreakerConfig.java`, `CircuitBreakerStateMachine.java`, `CircuitBreakerMetrics.java`. Left
//! out: waits that grow with the number of openings, and the states that a person sets.
//!
//! ```json
//! { "resilience4j": { "sliding_window_size": 20, "minimum_number_of_calls": 10, "record": ["5xx", "timeout"] } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::openings::{ANY_FAILURE, Openings, Seen};
use super::{Breaker, BuildBreaker, Guard, Ticket};
use crate::kernel::chance::Key;
use crate::kernel::time::{Span, Time};
use crate::request::{Ended, Outcomes};
use crate::spec::build::{Built, Names, Refusal};
use crate::spec::outcomes::OutcomeList;
use crate::spec::units::{Duration, Fraction};

/// Opens on rates in a sliding window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Resilience4j {
    /// What the window is of. Default: `count_based`.
    pub sliding_window_type: WindowType,
    /// Calls, or seconds, in the window, from 1 to 100000. Default: 100.
    pub sliding_window_size: u32,
    /// Calls from which on rates are looked at, at least 1. Default: 100.
    pub minimum_number_of_calls: u32,
    /// Share of failures that opens it, above 0. Default: 50%.
    pub failure_rate_threshold: Fraction,
    /// Share of slow calls that opens it, above 0. Default: 100%.
    pub slow_call_rate_threshold: Fraction,
    /// A call that takes longer is slow. Default: 60s.
    pub slow_call_duration_threshold: Duration,
    /// Calls that half-open lets through, at least 1. Default: 10.
    pub permitted_calls_in_half_open: u32,
    /// How long it stays half-open at most; 0s: no limit. Default: 0s.
    pub max_wait_in_half_open: Duration,
    /// How long it stays open. Default: 60s.
    pub wait_duration_in_open_state: Duration,
    /// Whether it becomes half-open without a call. Default: false.
    pub automatic_transition: bool,
    /// Which ends of a call are failures. Default: all but a success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<OutcomeList>,
    /// Which ends of a call count for nothing; goes before `record`. Default: none.
    #[serde(skip_serializing_if = "OutcomeList::is_empty")]
    pub ignore: OutcomeList,
}

/// What a sliding window is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WindowType {
    /// The last so many calls.
    #[default]
    CountBased,
    /// The calls of the last so many seconds.
    TimeBased,
}

impl Default for Resilience4j {
    fn default() -> Self {
        Resilience4j {
            sliding_window_type: WindowType::CountBased,
            sliding_window_size: 100,
            minimum_number_of_calls: 100,
            failure_rate_threshold: Fraction::new(0.5).unwrap_or_default(),
            slow_call_rate_threshold: Fraction::ONE,
            slow_call_duration_threshold: Duration::from(Span::from_secs(60)),
            permitted_calls_in_half_open: 10,
            max_wait_in_half_open: Duration::from(Span::ZERO),
            wait_duration_in_open_state: Duration::from(Span::from_secs(60)),
            automatic_transition: false,
            record: None,
            ignore: OutcomeList::default(),
        }
    }
}

/// The largest window.
const MOST: u32 = 100_000;

impl BuildBreaker for Resilience4j {
    fn build(&self, _names: &Names<'_>) -> Built<Guard> {
        let size = self.sliding_window_size;
        if !(1..=MOST).contains(&size) {
            let text = format!("a window of {size}: must be 1 to {MOST}");
            return Err(Refusal::new(text).at("sliding_window_size"));
        }
        for (key, value) in [
            ("minimum_number_of_calls", self.minimum_number_of_calls),
            ("permitted_calls_in_half_open", self.permitted_calls_in_half_open),
        ] {
            if value == 0 {
                return Err(Refusal::new(format!("{key} is 0, and must be at least 1")).at(key));
            }
        }
        for (key, value) in [
            ("failure_rate_threshold", self.failure_rate_threshold),
            ("slow_call_rate_threshold", self.slow_call_rate_threshold),
        ] {
            if value == Fraction::ZERO {
                return Err(Refusal::new(format!("{key} is 0, and must be more")).at(key));
            }
        }
        let calls = self.sliding_window_type == WindowType::CountBased;
        let max_wait = self.max_wait_in_half_open.span();
        Ok(Guard::Each(Box::new(Running {
            rules: Rules {
                minimum: if calls {
                    self.minimum_number_of_calls.min(size)
                } else {
                    self.minimum_number_of_calls
                },
                minimum_of_trials: self.minimum_number_of_calls.min(self.permitted_calls_in_half_open),
                failure_rate: self.failure_rate_threshold.get(),
                slow_rate: self.slow_call_rate_threshold.get(),
                slow: self.slow_call_duration_threshold.span(),
                trials: self.permitted_calls_in_half_open,
                max_wait: if max_wait == Span::ZERO {
                    Span::FOREVER
                } else {
                    max_wait
                },
                open_for: self.wait_duration_in_open_state.span(),
                automatic: self.automatic_transition,
                failures: self.record.as_ref().map_or(ANY_FAILURE, OutcomeList::set),
                ignored: self.ignore.set(),
            },
            window: if calls {
                Window::Calls {
                    ring: vec![Call::default(); size as usize],
                    next: 0,
                    sum: Sum::default(),
                }
            } else {
                Window::Seconds {
                    buckets: vec![Sum::default(); size as usize],
                    second: 0,
                    sum: Sum::default(),
                }
            },
            phase: Phase {
                state: State::Closed,
                openings: Openings::default(),
            },
        })))
    }
}

#[derive(Clone, Copy, Debug)]
struct Rules {
    minimum: u32,
    minimum_of_trials: u32,
    failure_rate: f64,
    slow_rate: f64,
    slow: Span,
    trials: u32,
    max_wait: Span,
    open_for: Span,
    automatic: bool,
    failures: Outcomes,
    ignored: Outcomes,
}

#[derive(Clone, Debug)]
struct Running {
    rules: Rules,
    window: Window,
    phase: Phase,
}

#[derive(Clone, Copy, Debug)]
struct Phase {
    state: State,
    openings: Openings,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed,
    Open,
    HalfOpen { permissions: u32, sum: Sum, until: Time },
}

/// How some calls ended.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    calls: u32,
    failures: u32,
    slow: u32,
}

impl Sum {
    fn add(&mut self, call: Call) {
        self.calls = self.calls.saturating_add(1);
        self.failures += u32::from(call.failed);
        self.slow += u32::from(call.slow);
    }
}

/// How one call ended.
#[derive(Clone, Copy, Debug, Default)]
struct Call {
    failed: bool,
    slow: bool,
}

#[derive(Clone, Debug)]
enum Window {
    /// The calls, the oldest at `next` once the ring is full.
    Calls { ring: Vec<Call>, next: usize, sum: Sum },
    /// A sum for each second, by its number modulo their number; `second` is the last one.
    Seconds { buckets: Vec<Sum>, second: u64, sum: Sum },
}

impl Window {
    /// Adds a call, and sums up the window.
    fn add(&mut self, now: Time, call: Call) -> Sum {
        match self {
            Window::Calls { ring, next, sum } => {
                if sum.calls as usize == ring.len() {
                    let old = ring[*next];
                    sum.calls -= 1;
                    sum.failures -= u32::from(old.failed);
                    sum.slow -= u32::from(old.slow);
                }
                ring[*next] = call;
                *next = (*next + 1) % ring.len();
                sum.add(call);
                *sum
            }
            Window::Seconds { buckets, second, sum } => {
                let today = now.nanos() / 1_000_000_000;
                let size = buckets.len() as u64;
                for passed in (*second + 1..=today).take(buckets.len()) {
                    let bucket = &mut buckets[(passed % size) as usize];
                    sum.calls -= bucket.calls;
                    sum.failures -= bucket.failures;
                    sum.slow -= bucket.slow;
                    *bucket = Sum::default();
                }
                *second = today;
                buckets[(today % size) as usize].add(call);
                sum.add(call);
                *sum
            }
        }
    }

    fn clear(&mut self) {
        match self {
            Window::Calls { next, sum, .. } => (*next, *sum) = (0, Sum::default()),
            Window::Seconds { buckets, sum, .. } => {
                buckets.fill(Sum::default());
                *sum = Sum::default();
            }
        }
    }
}

impl Rules {
    /// Whether the rates of `sum` are too high.
    fn exceeded(&self, sum: Sum) -> bool {
        let reaches = |part: u32, rate: f64| f64::from(part) >= rate * f64::from(sum.calls);
        reaches(sum.failures, self.failure_rate) || reaches(sum.slow, self.slow_rate)
    }

    fn half_open(&self, now: Time) -> State {
        State::HalfOpen {
            permissions: self.trials,
            sum: Sum::default(),
            until: now + self.max_wait,
        }
    }

    /// What has become of `phase` by `now` without a call.
    #[inline]
    fn settled(&self, mut phase: Phase, now: Time) -> Phase {
        loop {
            let opened_until = phase.openings.until();
            match phase.state {
                State::Open if self.automatic && now >= opened_until => {
                    // To and fro by itself, as often as it fits.
                    let period = self.open_for + self.max_wait;
                    let times = now.since(opened_until).nanos() / period.nanos().max(1);
                    phase.openings.repeat(times, period);
                    phase.state = self.half_open(phase.openings.until());
                }
                State::HalfOpen { until, .. } if now >= until && until != Time::NEVER => {
                    phase.openings.open(until, until + self.open_for);
                    phase.state = State::Open;
                }
                _ => return phase,
            }
        }
    }
}

impl Running {
    fn open(&mut self, now: Time) {
        self.phase.openings.open(now, now + self.rules.open_for);
        self.phase.state = State::Open;
    }
}

impl Breaker for Running {
    #[inline]
    fn permits(&self, now: Time) -> bool {
        if let State::Closed = self.phase.state {
            return true;
        }
        let phase = self.rules.settled(self.phase, now);
        match phase.state {
            State::Closed => true,
            State::Open => !phase.openings.is_open(now),
            State::HalfOpen { permissions, .. } => permissions > 0,
        }
    }

    #[inline]
    fn sent(&mut self, now: Time) -> Ticket {
        self.phase = self.rules.settled(self.phase, now);
        if let State::Open = self.phase.state
            && !self.phase.openings.is_open(now)
        {
            self.phase.state = self.rules.half_open(now);
        }
        if let State::HalfOpen { permissions, .. } = &mut self.phase.state {
            *permissions = permissions.saturating_sub(1);
        }
        Ticket::default()
    }

    #[inline]
    fn record(&mut self, _ticket: Ticket, ended: &Ended) {
        let now = ended.now;
        self.phase = self.rules.settled(self.phase, now);
        let seen = if self.rules.ignored.contains(ended.outcome) {
            Seen::Nothing
        } else {
            Seen::of(ended.outcome, self.rules.failures)
        };
        if seen == Seen::Nothing {
            if let State::HalfOpen { permissions, .. } = &mut self.phase.state {
                *permissions = permissions.saturating_add(1);
            }
            return;
        }
        let call = Call {
            failed: seen == Seen::Failure,
            slow: ended.took > self.rules.slow,
        };
        match &mut self.phase.state {
            State::Closed => {
                let sum = self.window.add(now, call);
                if sum.calls >= self.rules.minimum && self.rules.exceeded(sum) {
                    self.open(now);
                }
            }
            State::Open => {}
            State::HalfOpen { sum, .. } => {
                sum.add(call);
                let sum = *sum;
                if sum.calls >= self.rules.minimum_of_trials {
                    if self.rules.exceeded(sum) {
                        self.open(now);
                    } else {
                        self.phase.state = State::Closed;
                        self.window.clear();
                    }
                }
            }
        }
    }

    fn time_open(&self, now: Time) -> Span {
        self.rules.settled(self.phase, now).openings.time(now)
    }

    fn trips(&self) -> u64 {
        self.phase.openings.count()
    }

    fn fresh(&self, _own: Key) -> Box<dyn Breaker> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Watch, at};
    use super::*;
    use crate::request::Outcome;

    fn watch(fields: &str) -> Watch {
        Watch::new(&format!(r#"{{"resilience4j": {{{fields}}}}}"#), 1)
    }

    #[test]
    fn rates_count_from_the_minimum_on_and_reach_the_threshold() {
        let small = r#""sliding_window_size": 4, "minimum_number_of_calls": 4"#;
        // 3 of 3 are too few to tell; 3 of 4 open it. 1 of 4 does not; 2 of the last 4 do.
        assert_eq!(watch(small).run(0, 0, 10, "FFFs."), "oooox");
        assert_eq!(watch(small).run(0, 0, 10, "FsssFF."), "oooooox");
        // The first failure has left the window when the second comes.
        assert_eq!(watch(small).run(0, 0, 10, "FssssF."), "ooooooo");
        // A minimum above the window is the window.
        let capped = r#""sliding_window_size": 4"#;
        assert_eq!(watch(capped).run(0, 0, 10, "FFFF."), "oooox");
        // Untouched, it takes a hundred calls.
        assert_eq!(watch("").run(0, 0, 10, &"F".repeat(101)).find('x'), Some(100));
    }

    #[test]
    fn a_window_of_seconds_forgets_by_the_clock() {
        let seconds = r#""sliding_window_type": "time_based", "sliding_window_size": 3, "minimum_number_of_calls": 3"#;
        // At 0, 1 and 2 s: three in three seconds. At 0, 1 and 3 s, the first is forgotten.
        assert_eq!(watch(seconds).run(0, 0, 1_000, "FFF."), "ooox");
        assert_eq!(watch(seconds).run(0, 0, 1_000, "FF.F."), "ooooo");
        // Seconds are those of the clock: 0.9 s counts as second 0, and is gone at 3.0 s.
        let mut edge = watch(seconds);
        edge.run(0, 900, 100, "FF");
        assert_eq!(edge.run(0, 3_000, 10, "F."), "oo");
        assert_eq!(edge.run(0, 3_500, 10, "F."), "ox");
    }

    #[test]
    fn slow_calls_open_it_too() {
        let mut it = watch(
            r#""sliding_window_size": 2, "slow_call_duration_threshold": "1s", "slow_call_rate_threshold": "50%""#,
        );
        let took = |millis| Ended {
            took: Span::from_millis(millis),
            ..Ended::new(at(5_000), 0, Outcome::Success)
        };
        // Exactly the threshold is not slow.
        for (millis, permitted) in [(1_000, true), (999, true), (1_001, false)] {
            it.record(Ticket::default(), &took(millis));
            assert_eq!(it.permits(0, at(5_000)), permitted, "{millis}");
        }
    }

    const TRIALS: &str =
        r#""sliding_window_size": 2, "permitted_calls_in_half_open": 3, "minimum_number_of_calls": 10"#;

    #[test]
    fn half_open_decides_after_as_many_calls_as_it_permits() {
        let mut it = watch(TRIALS);
        assert_eq!(it.run(0, 0, 1_000, "FF."), "oox");
        assert!(!it.permits(0, at(60_999)));
        let trials = [0; 3].map(|_| {
            assert!(it.permits(0, at(61_000)));
            it.sent(0, at(61_000))
        });
        assert!(!it.permits(0, at(61_000)), "a fourth trial");
        // 1 of 3 is below half: it closes, and the window is empty.
        for (trial, outcome, permitted) in [
            (trials[0], Outcome::ServerError, false),
            (trials[1], Outcome::Success, false),
            (trials[2], Outcome::Success, true),
        ] {
            it.record(trial, &Ended::new(at(62_000), 0, outcome));
            assert_eq!(it.permits(0, at(62_000)), permitted);
        }
        assert_eq!(it.run(0, 63_000, 1_000, "FF."), "oox");
        // 2 of 3 open it again, at once.
        assert_eq!(it.run(0, 130_000, 1_000, "FFs."), "ooox");
        // 1 to 61, 64 to 124, and from 132 on.
        assert_eq!((it.trips(0), it.time_open(0, at(140_000))), (3, Span::from_secs(128)));
    }

    #[test]
    fn a_trial_that_says_nothing_gives_its_permission_back() {
        let mut it = watch(TRIALS);
        it.run(0, 0, 1_000, "FF");
        assert_eq!(it.run(0, 100_000, 10, "QQxxQQss."), "ooooooooo");
        assert_eq!(it.trips(0), 1);
    }

    #[test]
    fn half_open_may_last_only_so_long() {
        let mut it = watch(&format!(r#"{TRIALS}, "max_wait_in_half_open": "5s""#));
        it.run(0, 0, 1_000, "FF");
        // A trial that never ends: half-open from 70 s, open again from 75 to 135 s.
        it.sent(0, at(70_000));
        let seen = [74_999, 75_000, 134_999, 135_000].map(|t| it.permits(0, at(t)));
        assert_eq!(seen, [true, false, false, true]);
        assert_eq!(it.time_open(0, at(200_000)), Span::from_secs(120));
    }

    #[test]
    fn time_alone_moves_it_with_automatic_transition() {
        let mut it = watch(&format!(
            r#"{TRIALS}, "max_wait_in_half_open": "40s", "automatic_transition": true"#
        ));
        // Opens at 1 s, and then each 100 s for 60 s.
        it.run(0, 0, 1_000, "FF");
        for (secs, permitted) in [
            (60, false),
            (61, true),
            (100, true),
            (101, false),
            (161, true),
            (1_000_060, false),
        ] {
            assert_eq!(it.permits(0, at(secs * 1_000)), permitted, "{secs}");
        }
        assert_eq!(it.time_open(0, at(1_001_000)), Span::from_secs(10 * 60));
        it.call(0, at(961_000), Outcome::Success);
        assert_eq!(it.trips(0), 10);
    }

    #[test]
    fn what_is_recorded_and_what_ignored_is_for_the_user_to_say() {
        // By default whatever is no success.
        assert_eq!(watch(r#""sliding_window_size": 2"#).run(0, 0, 10, "rc."), "oox");
        let chosen = r#""sliding_window_size": 2, "record": ["5xx"], "ignore": [429]"#;
        // A 429 is nothing, a 400 a success.
        assert_eq!(watch(chosen).run(0, 0, 10, "FrrrF."), "ooooox");
        assert_eq!(watch(chosen).run(0, 0, 10, "ccF."), "ooox");
    }
}
