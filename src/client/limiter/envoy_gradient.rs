//! Envoy's adaptive concurrency: the gradient controller (`gradient_controller.cc` of the HTTP filter `adaptive_concurrency`).
//!
//! Each `update_interval` with at least one sample: with `s` the `percentile` of the samples, `m` the latency that was measured
//! as the least, and `L` the limit,
//!
//! ```text
//! g = max(0.5, min(2, m·(1 + buffer)/s));  L ← max(min, min(max, ⌊L·g + √(L·g)⌋))
//! ```
//!
//! `m` is measured at the start, then each `min_rtt_interval` and up to `jitter` of it more, and at once when `L` has been set from
//! `min` to `min` five times in a row: the limit is `min` until `min_rtt_requests` calls that were let in since have been done, `m` is the
//! percentile of theirs, and `L` is what it was before. Latencies are whole microseconds in the bins of Envoy's histogram.
//!
//! The latency is that of the whole call since it was let in: waits for a connection, retries and back-off included. Every end
//! is a sample, errors and timeouts of an attempt too, which Envoy answers itself; but not the timeout of the whole request,
//! where the caller has gone. Envoy turns away what it has no slot for; here the admission decides, and a line that waits
//! notices that the limit has grown when the next call is done or arrives. Left out: `fixed_value`.
//!
//! ```json
//! { "envoy_gradient": { "update_interval": "1s", "min_rtt_interval": "5m" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::latencies::Latencies;
use super::slots::{Bounds, Slots};
use super::{BuildLimiter, Done, Limiter, Ready};
use crate::form::build::{Built, Names, Refusal, at_least_one};
use crate::form::units::{Duration, Fraction};
use crate::kernel::chance::{Key, Purpose};
use crate::kernel::time::{Span, Time};
use crate::words::{Ask, Outcome};

/// The number of times in a row that the limit may be set from `min` to `min` before the least latency is measured
/// anew.
const AT_MIN: u32 = 5;

/// Envoy's gradient controller: a concurrency limit that compares the latency now with the least that was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EnvoyGradient {
    /// The interval at which the limit is set, at least 1ms. Default: 100ms, as in Envoy's example.
    pub update_interval: Duration,
    /// The highest limit, at least `min`. Default: 1000.
    pub max: u32,
    /// The percentile of the samples that counts as their latency, as a share. Default: 0.5.
    pub percentile: Fraction,
    /// The time until the least latency is measured again, at least 1ms. Default: 60s, as in Envoy's example.
    pub min_rtt_interval: Duration,
    /// The number of calls in a measurement of the least latency, at least 1. Default: 50.
    #[schemars(range(min = 1))]
    pub min_rtt_requests: u32,
    /// The limit during a measurement, and the lowest limit, at least 1. Default: 3.
    #[schemars(range(min = 1))]
    pub min: u32,
    /// The largest random addition to `min_rtt_interval`, as a share of it. Default: 0.15.
    pub jitter: Fraction,
    /// The latency that is still good above the least latency, as a share of it. Default: 0.25.
    pub buffer: Fraction,
}

impl Default for EnvoyGradient {
    fn default() -> Self {
        let fraction = |value| Fraction::new(value).unwrap_or(Fraction::ZERO);
        EnvoyGradient {
            update_interval: Duration::from(Span::from_millis(100)),
            max: 1000,
            percentile: fraction(0.5),
            min_rtt_interval: Duration::from(Span::from_secs(60)),
            min_rtt_requests: 50,
            min: 3,
            jitter: fraction(0.15),
            buffer: fraction(0.25),
        }
    }
}

impl BuildLimiter for EnvoyGradient {
    fn build(&self, _names: &Names<'_>) -> Built<Box<dyn Limiter>> {
        let bounds = Bounds {
            initial: self.min,
            min: self.min,
            max: self.max,
        };
        bounds.check()?;
        for (name, interval) in [
            ("update_interval", self.update_interval),
            ("min_rtt_interval", self.min_rtt_interval),
        ] {
            if interval.span() < Span::from_millis(1) {
                return Err(Refusal::new(format!("{name} is {interval}, and must be at least 1ms")).at(name));
            }
        }
        at_least_one(&[("min_rtt_requests", self.min_rtt_requests)])?;
        Ok(Box::new(Running {
            slots: Slots::default(),
            limit: self.min,
            deferred: Some(self.min),
            epoch: Time::ZERO,
            samples: Latencies::new(),
            least: 0,
            measured: 0,
            at_min: 0,
            next_update: Time::ZERO + self.update_interval.span(),
            next_measure: Time::NEVER,
            own: None,
            spec: self.clone(),
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    slots: Slots,
    limit: u32,
    /// The limit to go back to after a measurement of the least latency, while one runs.
    deferred: Option<u32>,
    /// The beginning of the last measurement: calls let in before it are not samples.
    epoch: Time,
    samples: Latencies,
    /// The least latency in microseconds; `measured` is how often it has been measured.
    least: u64,
    measured: u64,
    at_min: u32,
    next_update: Time,
    next_measure: Time,
    own: Option<Key>,
    spec: EnvoyGradient,
}

impl Running {
    /// Makes up for the timers that have fired up to `now`.
    #[inline]
    fn advance(&mut self, now: Time) {
        while self.next_update.min(self.next_measure) <= now && self.next_update != Time::NEVER {
            if self.next_measure <= self.next_update {
                self.measure(self.next_measure);
            } else {
                self.update(now);
            }
        }
    }

    /// Begins a measurement of the least latency at `at`. The timer of updates stops until that is done.
    fn measure(&mut self, at: Time) {
        self.deferred = Some(self.limit);
        self.set(self.spec.min);
        self.samples.clear();
        self.epoch = at;
        self.next_measure = Time::NEVER;
        self.next_update = Time::NEVER;
    }

    fn update(&mut self, now: Time) {
        let (at, every) = (self.next_update, self.spec.update_interval.span());
        // During a measurement the timer fires once for nothing, and starts again after it.
        if self.deferred.is_some() {
            self.next_update = Time::NEVER;
            return;
        }
        self.next_update = at + every;
        if let Some(latency) = self.latency() {
            self.set(self.after(latency));
            if self.at_min >= AT_MIN {
                self.next_measure = at;
            }
        } else {
            // Nothing happens at ticks without samples: on to the last one before the next event that may change the limit.
            let until = now.min(self.next_measure);
            let idle = until.since(self.next_update).nanos() / every.nanos();
            self.next_update += every.times(idle);
        }
    }

    fn latency(&mut self) -> Option<u64> {
        let latency = self.samples.quantile(self.spec.percentile.get());
        self.samples.clear();
        latency
    }

    /// The limit after a window of this latency, in microseconds.
    fn after(&self, latency: u64) -> u32 {
        let good = self.least as f64 + self.least as f64 * self.spec.buffer.get();
        let limit = f64::from(self.limit) * (good / latency as f64).clamp(0.5, 2.0);
        ((limit + limit.sqrt()) as u32).clamp(self.spec.min, self.spec.max)
    }

    fn set(&mut self, limit: u32) {
        let stays = self.deferred.is_none() && self.limit == self.spec.min && limit == self.spec.min;
        self.at_min = if stays { self.at_min + 1 } else { 0 };
        self.limit = limit;
    }

    /// Ends a measurement at `now`, when enough calls have been measured.
    fn measured(&mut self, now: Time, before: u32) {
        if let Some(latency) = self.latency() {
            self.least = latency;
        }
        self.set(before);
        self.deferred = None;
        self.measured += 1;
        let interval = self.spec.min_rtt_interval.span();
        let more = self.own.map_or(0, |own| {
            // The jitter is drawn in whole milliseconds below the share of the interval, rounded up.
            let range = (interval.nanos() as f64 / 1e6 * self.spec.jitter.get()).ceil() as u64;
            let draw = own.part(self.measured).draw(Purpose::Jitter);
            if range == 0 { 0 } else { draw % range }
        });
        self.next_measure = now + interval + Span::from_millis(1).times(more);
        self.next_update = now + self.spec.update_interval.span();
    }
}

impl Limiter for Running {
    #[inline]
    fn ready(&mut self, now: Time, _ask: &Ask) -> Ready {
        self.advance(now);
        self.slots.ready(self.limit)
    }

    #[inline]
    fn take(&mut self, _now: Time, _ask: &Ask) {
        self.slots.enter();
    }

    fn give_back(&mut self) {
        self.slots.leave();
    }

    fn leave(&mut self, done: &Done) {
        self.advance(done.now);
        self.slots.leave();
        let is_cut = matches!(done.outcome, Outcome::TimeoutTotal | Outcome::Abandoned);
        if is_cut || done.entered < self.epoch {
            return;
        }
        self.samples.add(done.now.since(done.entered).nanos() / 1000);
        if let Some(before) = self.deferred
            && self.samples.count() >= self.spec.min_rtt_requests
        {
            self.measured(done.now, before);
        }
    }

    fn listens(&self) -> bool {
        true
    }

    fn fresh(&self, own: Key) -> Box<dyn Limiter> {
        Box::new(Running {
            own: Some(own),
            ..self.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::slots::limit_of;
    use super::*;
    use crate::kernel::chance::Chance;

    const SPEC: &str =
        r#"{"update_interval": "1s", "max": 20, "min_rtt_interval": "10.5s", "min_rtt_requests": 3, "jitter": 0}"#;

    /// By hand from gradient_controller.cc. A lone latency counts as the middle of its bin of two digits: 100 ms as 105 ms. The
    /// first measurement ends at 0.3 s, so the limit is set at 1.3, 2.3, … and the next measurement begins at 10.8 s.
    #[test]
    fn the_limit_follows_the_gradient_window_by_window() {
        let mut it = serde_json::from_str::<EnvoyGradient>(SPEC)
            .unwrap()
            .build(&Names::default())
            .unwrap();
        let at = |ms: u64| Time::ZERO + Span::from_millis(ms);
        // When a call is done, how long it took, and the limit a while later.
        for (done, took, later, limit) in [
            (100, 100, 100, 3),
            (200, 100, 200, 3),
            (300, 100, 300, 3),
            // 3 · 131.25/205 = 1.92, and its root 1.39.
            (1_200, 200, 1_300, 3),
            // Never more than twice: 6 and 2.4.
            (2_000, 50, 2_299, 3),
            (2_299, 50, 2_300, 8),
            // 1.25 times: 10 and 3.2, 16.25 and 4.0, but at most 20.
            (3_000, 100, 3_300, 13),
            (4_000, 100, 4_300, 20),
            // A window without a sample changes nothing. Never less than half: 10 and 3.2, 6.5 and 2.5, 4.5 and 2.1, 3 and 1.7.
            (6_000, 1_000, 6_299, 20),
            (6_299, 1_000, 6_300, 13),
            (8_000, 1_000, 8_300, 9),
            (9_000, 1_000, 9_300, 6),
            (10_000, 1_000, 10_300, 4),
            // While the least is measured the limit is 3, and who was inside before is no sample.
            (10_900, 900, 10_900, 3),
            (11_200, 300, 11_200, 3),
            (11_200, 300, 11_200, 3),
            (11_200, 300, 11_200, 4),
            // 4 · ½ and 1.4: 3; then five times from 3 to 3, the last at 17.2 s: measured anew.
            (12_000, 1_000, 12_200, 3),
            (13_000, 1_000, 13_200, 3),
            (14_000, 1_000, 14_200, 3),
            (15_000, 1_000, 15_200, 3),
            (16_000, 1_000, 16_200, 3),
            (17_000, 1_000, 17_200, 3),
            (18_300, 1_000, 18_300, 3),
            (18_300, 1_000, 18_300, 3),
            (18_300, 1_000, 18_300, 3),
            // The least is 1.05 s now: 3.75 and 1.9.
            (19_000, 1_000, 19_300, 5),
        ] {
            it.leave(&Done {
                entered: at(done - took),
                ..Done::at(at(done))
            });
            assert_eq!(limit_of(&mut *it, at(later)), limit, "at {later} ms");
        }
        it.leave(&Done {
            outcome: Outcome::TimeoutTotal,
            ..Done::at(at(20_000))
        });
        assert_eq!(
            limit_of(&mut *it, at(40_000)),
            3,
            "no sample since, and the next measurement has begun"
        );
    }

    /// Up to 15 % of a minute more: whole milliseconds from 0 to 8,999.
    #[test]
    fn measurements_are_spread() {
        let spec = r#"{"min_rtt_requests": 1, "min": 1, "max": 9, "update_interval": "1s"}"#;
        let spec: EnvoyGradient = serde_json::from_str(spec).unwrap();
        let mut it = spec
            .build(&Names::default())
            .unwrap()
            .fresh(Chance::new(1, 0).surroundings(2));
        let mut now = Time::ZERO;
        let mut gaps = Vec::new();
        for _ in 0..100 {
            // The measurement ends; a fast window lifts the limit, until the next measurement lowers it.
            it.leave(&Done {
                entered: now,
                ..Done::at(now + Span::from_millis(100))
            });
            let began = now + Span::from_millis(100);
            now = began + Span::from_millis(500);
            it.leave(&Done::at(now));
            now = began + Span::from_millis(59_999);
            assert!(limit_of(&mut *it, now) > 1);
            while limit_of(&mut *it, now) > 1 {
                now += Span::from_millis(1);
            }
            gaps.push(now.since(began).seconds());
        }
        assert!(gaps.iter().all(|g| (60.0..69.0).contains(g)));
        let mean = gaps.iter().sum::<f64>() / 100.0;
        // The standard deviation of the mean is 9/√1200 = 0.26 s.
        assert!((mean - 64.5).abs() < 1.0, "{mean}");
    }
}
