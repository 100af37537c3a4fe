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

use super::openings::{Openings, Seen};
use super::{Breaker, BuildBreaker, Guard, Ticket};
use crate::form::build::{Built, Names, Refusal, at_least_one};
use crate::form::outcomes::OutcomeList;
use crate::form::units::{Duration, Fraction};
use crate::kernel::chance::Key;
use crate::kernel::time::{Span, Time};
use crate::words::{Ended, Outcomes};

/// Opens on the share of failures or of slow calls in a sliding window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Resilience4j {
    /// Whether the window holds calls or seconds. Default: `count_based`.
    pub sliding_window_type: WindowType,
    /// The number of calls, or of seconds, in the window, from 1 to 100000. Default: 100.
    #[schemars(range(min = 1, max = 100_000))]
    pub sliding_window_size: u32,
    /// The calls from which on the rates count, at least 1. Default: 100.
    #[schemars(range(min = 1))]
    pub minimum_number_of_calls: u32,
    /// The share of failures that opens it, above 0. Default: 50%.
    pub failure_rate_threshold: Fraction,
    /// The share of slow calls that opens it, above 0. Default: 100%.
    pub slow_call_rate_threshold: Fraction,
    /// The duration above which a call is slow. Default: 60s.
    pub slow_call_duration_threshold: Duration,
    /// The calls that half-open lets through, at least 1. Default: 10.
    #[schemars(range(min = 1))]
    pub permitted_calls_in_half_open: u32,
    /// The longest time for which it stays half-open; 0s: no limit. Default: 0s.
    pub max_wait_in_half_open: Duration,
    /// The time for which it stays open. Default: 60s.
    pub wait_duration_in_open_state: Duration,
    /// Whether it becomes half-open by itself, without a call. Default: false.
    pub automatic_transition: bool,
    /// The outcomes of a call that are failures. Default: all but a success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<OutcomeList>,
    /// The outcomes of a call that count for nothing; this goes before `record`. Default: none.
    #[serde(skip_serializing_if = "OutcomeList::is_empty")]
    pub ignore: OutcomeList,
}

/// Whether a sliding window holds calls or seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WindowType {
    /// The last `sliding_window_size` calls.
    #[default]
    CountBased,
    /// The calls of the last `sliding_window_size` seconds.
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
        at_least_one(&[
            ("minimum_number_of_calls", self.minimum_number_of_calls),
            ("permitted_calls_in_half_open", self.permitted_calls_in_half_open),
        ])?;
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
                failures: self.record.as_ref().map_or(Outcomes::ANY_FAILURE, OutcomeList::set),
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

/// How a number of calls ended.
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
    /// The calls as a ring, the oldest at `next` once it is full.
    Calls { ring: Vec<Call>, next: usize, sum: Sum },
    /// One sum for each second, by its number modulo their count; `second` is the last one.
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

    /// The `phase` as time alone has changed it by `now`, without a call.
    #[inline]
    fn settled(&self, mut phase: Phase, now: Time) -> Phase {
        loop {
            let opened_until = phase.openings.until();
            match phase.state {
                State::Open if self.automatic && now >= opened_until => {
                    // The breaker goes to and fro by itself, as often as it fits.
                    let period = self.open_for + self.max_wait;
                    let times = now.since(opened_until).nanos() / period.nanos().max(1);
                    phase.openings.repeat(times, period);
                    phase.state = self.half_open(phase.openings.until());
                }
                State::HalfOpen { until, .. } if now >= until && until != Time::NEVER => {
                    phase.openings.open(until, until + self.open_for);
                    phase.state = State::Open;
                }
                State::Closed | State::Open | State::HalfOpen { .. } => return phase,
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

    #[inline]
    fn is_closed(&self) -> bool {
        matches!(self.phase.state, State::Closed)
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
mod tests;
