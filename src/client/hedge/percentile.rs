//! A further copy once a request takes longer than most others of its class did lately (Finagle's
//! `BackupRequestFilter.scala` and `WindowedPercentileHistogram`; tower's hedge).
//!
//! Observed is what decides the race: times to first token, or to the end. As in Finagle, successes, timeouts and attempts
//! that were called off count, copies among them; other failures are fast and would pull the delay down. The observations
//! of the last `window` are kept in ten parts of it, and whenever one is over the delay becomes their `percentile`, at
//! least `at_least`. Until there are `min_samples` of a class there is no copy of its requests. Values are told apart to
//! 3 %, with even steps between.
//!
//! What a copy cuts short is observed cut short, so where copies win often the delay sinks a little below its percentile.
//!
//! Finagle's filter with a `maxExtraLoad` of 1 % is percentile 99, budget 1 %; it always allows some copies a second
//! besides, which is left out.
//!
//! ```json
//! { "percentile": { "percentile": "95%", "window": "30s", "budget": "5%" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildHedge, Hedge, Race, bounded, check_most};
use crate::client::retry_budget::Leaky;
use crate::form::build::{Built, Names, Refusal, at_least_one};
use crate::form::units::{Duration, Fraction};
use crate::kernel::time::{Span, Time};
use crate::words::{Ended, Outcome, Outcomes};

/// A further copy of a request after a percentile of recent times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Percentile {
    /// The percentile of recent times after which a copy follows, above 0 and below 1. Default: 95%.
    pub percentile: Fraction,
    /// The observations of a class from which on its requests get copies, at least 1. Default: 100.
    #[schemars(range(min = 1))]
    pub min_samples: u32,
    /// The window in which observations count, at least 10ms; the delay is found anew every tenth of it. Default: 30s.
    pub window: Duration,
    /// The shortest delay before a copy. Default: 1ms.
    pub at_least: Duration,
    /// The most copies besides the first attempt, from 1 to 3. Default: 1.
    #[schemars(range(min = 1, max = 3))]
    pub most: u32,
    /// Whether a copy must go to another provider than those under way. Default: yes.
    pub elsewhere: bool,
    /// The event that decides the race. Default: `first_token`.
    pub race: Race,
    /// Whether another copy follows at once when one of several fails. Default: no.
    pub on_failure: bool,
    /// The most copies, as a share of the tries of the last 10 s. Default: no bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<Fraction>,
}

impl Default for Percentile {
    fn default() -> Percentile {
        Percentile {
            percentile: Fraction::new(0.95).unwrap_or(Fraction::ONE),
            min_samples: 100,
            window: Duration::from(Span::from_secs(30)),
            at_least: Duration::from(Span::from_millis(1)),
            most: 1,
            elsewhere: true,
            race: Race::FirstToken,
            on_failure: false,
            budget: None,
        }
    }
}

impl BuildHedge for Percentile {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Hedge>> {
        check_most(self.most)?;
        let q = self.percentile.get();
        if q <= 0.0 || q >= 1.0 {
            let text = format!("percentile is {}, and must lie above 0 and below 1", self.percentile);
            return Err(Refusal::new(text).at("percentile"));
        }
        at_least_one(&[("min_samples", self.min_samples)])?;
        if self.window.span() < Span::from_millis(10) {
            let text = format!("window is {}, and must be at least 10ms", self.window);
            return Err(Refusal::new(text).at("window"));
        }
        Ok(Box::new(Running {
            spec: self.clone(),
            part: Span::from_nanos(self.window.span().nanos() / PARTS as u64),
            part_ends: Time::ZERO,
            classes: names.classes.iter().map(|_| Recent::default()).collect(),
            budget: self.budget.map(bounded),
            denied: 0,
        }))
    }
}

/// The number of parts of the window.
const PARTS: usize = 10;
/// Values below 2^LOWEST ns share the first bucket, those from 2^HIGHEST ns on the last.
const LOWEST: u32 = 16;
const HIGHEST: u32 = 48;
/// The buckets for each doubling, as a power of two.
const STEPS: u32 = 5;
const BUCKETS: usize = ((HIGHEST - LOWEST) << STEPS) as usize;

/// The recent observations of one class.
#[derive(Clone, Debug, Default)]
struct Recent {
    /// The counts of each part; none until the first observation.
    counts: Vec<[u32; BUCKETS]>,
    /// The part that is being written.
    now: usize,
    /// The counts of all parts together, and how many that are.
    sums: Vec<u64>,
    total: u64,
    /// The delay, if there were enough observations when the last part ended.
    delay: Option<Span>,
}

/// The bucket in which `span` falls.
#[inline]
fn bucket(span: Span) -> usize {
    let nanos = span.nanos().clamp(1 << LOWEST, (1 << HIGHEST) - 1);
    let top = nanos.ilog2();
    let within = (nanos >> (top - STEPS)) as usize & ((1 << STEPS) - 1);
    (((top - LOWEST) as usize) << STEPS) + within
}

/// The beginning of a bucket, in nanoseconds.
fn begins(bucket: usize) -> u64 {
    let (doubling, within) = (bucket >> STEPS, bucket & ((1 << STEPS) - 1));
    ((1 << STEPS) + within as u64) << (doubling as u32 + LOWEST - STEPS)
}

impl Recent {
    #[inline]
    fn observe(&mut self, span: Span) {
        if self.counts.is_empty() {
            self.counts = vec![[0; BUCKETS]; PARTS];
            self.sums = vec![0; BUCKETS];
        }
        let bucket = bucket(span);
        self.counts[self.now][bucket] += 1;
        self.sums[bucket] += 1;
        self.total += 1;
    }

    /// Called when a part is over: finds the delay, and forgets the oldest part.
    fn turn(&mut self, spec: &Percentile) {
        self.delay = None;
        if self.total == 0 {
            return;
        }
        if self.total >= u64::from(spec.min_samples) {
            let rank = spec.percentile.get() * self.total as f64;
            let mut below = 0.0;
            for (bucket, &here) in self.sums.iter().enumerate() {
                let here = here as f64;
                if here > 0.0 && below + here >= rank {
                    let (from, to) = (begins(bucket), begins(bucket + 1));
                    let into = ((to - from) as f64 * (rank - below) / here) as u64;
                    self.delay = Some(Span::from_nanos(from + into).max(spec.at_least.span()));
                    break;
                }
                below += here;
            }
        }
        self.now = (self.now + 1) % PARTS;
        for (sum, part) in self.sums.iter_mut().zip(&mut self.counts[self.now]) {
            let gone = u64::from(std::mem::take(part));
            *sum -= gone;
            self.total -= gone;
        }
    }
}

#[derive(Clone, Debug)]
struct Running {
    spec: Percentile,
    part: Span,
    part_ends: Time,
    classes: Vec<Recent>,
    budget: Option<Leaky>,
    denied: u64,
}

impl Running {
    #[inline]
    fn turn(&mut self, now: Time) {
        if now < self.part_ends {
            return;
        }
        // Parts in which nothing happened are over too; after as many as the window has, nothing is left.
        let over = if self.part_ends == Time::ZERO {
            1
        } else {
            1 + now.since(self.part_ends).nanos() / self.part.nanos()
        };
        for _ in 0..over.min(PARTS as u64 + 1) {
            self.classes.iter_mut().for_each(|c| c.turn(&self.spec));
        }
        self.part_ends = Time::from_nanos((now.nanos() / self.part.nanos() + 1).saturating_mul(self.part.nanos()));
    }
}

impl Hedge for Running {
    fn wait(&mut self, now: Time, class: usize) -> Option<Span> {
        self.turn(now);
        if let Some(budget) = &mut self.budget {
            budget.deposit(now);
        }
        self.classes[class].delay
    }

    fn fire(&mut self, now: Time, sent: u32) -> bool {
        if sent >= self.spec.most {
            return false;
        }
        let covered = self.budget.as_mut().is_none_or(|b| b.withdraw(now));
        self.denied += u64::from(!covered);
        covered
    }

    fn wait_again(&mut self, _now: Time, class: usize, sent: u32) -> Option<Span> {
        if sent < self.spec.most {
            self.classes[class].delay
        } else {
            None
        }
    }

    fn on_failure(&mut self, now: Time, sent: u32) -> bool {
        self.spec.on_failure && self.fire(now, sent)
    }

    fn ended(&mut self, ended: &Ended) {
        self.turn(ended.now);
        let first_token =
            (self.spec.race == Race::FirstToken && ended.first_token <= ended.took).then_some(ended.first_token);
        let counts = ended.outcome == Outcome::Success
            || ended.outcome == Outcome::Cancelled
            || Outcomes::TIMEOUTS.contains(ended.outcome);
        if counts || first_token.is_some() {
            self.classes[usize::from(ended.class)].observe(first_token.unwrap_or(ended.took));
        }
    }

    fn race(&self) -> Race {
        self.spec.race
    }

    fn elsewhere(&self) -> bool {
        self.spec.elsewhere
    }

    fn denied(&self) -> u64 {
        self.denied
    }

    fn fresh(&self) -> Box<dyn Hedge> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::hedge::testing::hedge;

    fn at(secs: f64) -> Time {
        Time::ZERO + Span::from_seconds_f64(secs)
    }

    /// An attempt of class `class` that ended at `now` with a first token after `first` seconds.
    fn ended(now: f64, class: u16, outcome: Outcome, first: f64) -> Ended {
        Ended {
            first_token: if outcome == Outcome::Success {
                Span::from_seconds_f64(first)
            } else {
                Span::FOREVER
            },
            took: Span::from_seconds_f64(2.0 * first),
            class,
            ..Ended::new(at(now), 0, outcome)
        }
    }

    fn seconds(delay: Option<Span>) -> Option<f64> {
        delay.map(Span::seconds)
    }

    /// First tokens from 10 ms to 1 s, evenly: the 95th percentile is 950 ms, found when the first part of 3 s is over.
    #[test]
    fn the_delay_is_the_percentile_of_the_window_and_found_when_a_part_is_over() {
        let mut rule = hedge(r#""percentile""#);
        assert_eq!(rule.wait(at(0.0), 0), None);
        (1..=100).for_each(|i| rule.ended(&ended(1.0, 0, Outcome::Success, f64::from(i) / 100.0)));
        assert_eq!(rule.wait(at(2.9), 0), None);
        let delay = seconds(rule.wait(at(3.0), 0)).unwrap();
        assert!((delay - 0.95).abs() < 0.03, "{delay}");
        assert_eq!(rule.wait(at(3.0), 1), None, "the other class has seen nothing");
        assert_eq!(seconds(rule.wait(at(29.9), 0)), Some(delay));
        assert_eq!(rule.wait(at(33.1), 0), None, "forgotten");
    }

    #[test]
    fn it_takes_enough_samples_and_a_shortest_delay() {
        let mut rule = hedge(r#"{"percentile": {"min_samples": 20, "at_least": "50ms"}}"#);
        let feed = |rule: &mut Box<dyn Hedge>, class, n| {
            (0..n).for_each(|_| rule.ended(&ended(1.0, class, Outcome::Success, 0.001)));
        };
        feed(&mut rule, 0, 19);
        feed(&mut rule, 1, 20);
        assert_eq!(rule.wait(at(3.0), 0), None);
        assert_eq!(seconds(rule.wait(at(3.0), 1)), Some(0.05));
    }

    /// Timeouts and attempts called off count for as long as they lasted; other failures do not count.
    #[test]
    fn fast_failures_do_not_pull_the_delay_down() {
        let mut rule = hedge(r#"{"percentile": {"percentile": "50%", "min_samples": 4}}"#);
        for outcome in [Outcome::ServerError, Outcome::RateLimited, Outcome::ConnectionError] {
            (0..100).for_each(|_| rule.ended(&ended(1.0, 0, outcome, 0.001)));
        }
        for outcome in [Outcome::TimeoutTtft, Outcome::Cancelled] {
            (0..2).for_each(|_| rule.ended(&ended(1.0, 0, outcome, 0.5)));
        }
        let delay = seconds(rule.wait(at(3.0), 0)).unwrap();
        assert!((delay - 1.0).abs() < 0.04, "{delay}");
    }

    #[test]
    fn buckets_meet() {
        for bucket_of in [0, 1, 31, 32, 500, BUCKETS - 1] {
            let (from, to) = (begins(bucket_of), begins(bucket_of + 1));
            assert_eq!(bucket(Span::from_nanos(from)), bucket_of);
            assert_eq!(bucket(Span::from_nanos(to - 1)), bucket_of);
        }
        assert_eq!((bucket(Span::ZERO), bucket(Span::FOREVER)), (0, BUCKETS - 1));
    }
}
