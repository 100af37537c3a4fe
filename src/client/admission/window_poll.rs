//! A sliding window that is polled: over the limit a request sleeps about as long as the window and asks again, as a
//! published relay client does (in an article on latency-based routing: 1,000 requests a minute, a sleep of
//! (limit/current)·60 s·U(0.5, 1.5)).
//!
//! `current` is the number of requests in the window. Only requests that are let in are noted, so none asks in vain
//! with more than the limit in it: the factor limit/current is 1. There is no line, so luck decides which request is
//! next, and priorities count for nothing. A cap on requests in flight and the limiters are asked after the window, all
//! at once; a request that they hold up sleeps in the same way.
//!
//! ```json
//! { "window_poll": { "limit": 1000, "window": "1m" } }
//! ```

use std::collections::VecDeque;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Admission, BuildAdmission, Next, Offer};
use crate::client::gate::{Blocked, Gate};
use crate::form::build::{Built, Names, Refusal};
use crate::form::units::{Count, Duration};
use crate::kernel::chance::{Key, Purpose, unit};
use crate::kernel::time::{Span, Time};
use crate::words::Ask;

/// A polled sliding window: a request over the limit sleeps about a window and asks again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WindowPoll {
    /// The most requests that the window may hold, 1 to 1,000,000.
    #[schemars(extend("maximum" = 1_000_000))]
    pub limit: Count,
    /// The length of the window, at least 1ms. Default: 1m.
    #[serde(default = "minute")]
    pub window: Duration,
    /// The longest wait, after which a request is given up. Default: no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_wait: Option<Duration>,
}

fn minute() -> Duration {
    Duration::from(Span::from_secs(60))
}

impl BuildAdmission for WindowPoll {
    fn build(&self, _names: &Names<'_>) -> Built<Box<dyn Admission>> {
        if self.limit.get() > 1_000_000 {
            let text = format!("limit is {}, and must not exceed 1000000", self.limit.get());
            return Err(Refusal::new(text).at("limit"));
        }
        if self.window.span() < Span::from_millis(1) {
            return Err(Refusal::new(format!("window is {}, and must be at least 1ms", self.window)).at("window"));
        }
        Ok(Box::new(Running {
            noted: VecDeque::new(),
            limit: self.limit.get() as usize,
            window: self.window.span(),
            max_wait: self.max_wait.map_or(Span::FOREVER, |d| d.span()),
            own: None,
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    /// The times at which the requests in the window came, oldest first.
    noted: VecDeque<Time>,
    limit: usize,
    window: Span,
    max_wait: Span,
    own: Option<Key>,
}

impl Running {
    fn sleep(&self, now: Time, ask: &Ask) -> Offer {
        let spread = self.own.map_or(1.0, |own| {
            0.5 + unit(own.part(ask.id).part(now.nanos()).draw(Purpose::Throttle))
        });
        Offer::Sleep(now + Span::from_seconds_f64(self.window.seconds() * spread))
    }
}

impl Admission for Running {
    fn offer(&mut self, now: Time, _slot: u32, ask: &Ask, gate: &mut Gate) -> Offer {
        while (self.noted.front()).is_some_and(|&first| now.since(first) >= self.window) {
            self.noted.pop_front();
        }
        if self.noted.len() >= self.limit {
            return self.sleep(now, ask);
        }
        match gate.enter(now, ask) {
            Ok(()) => {
                self.noted.push_back(now);
                Offer::Enter
            }
            Err(Blocked::Never | Blocked::Rejected) => Offer::Rejected,
            Err(Blocked::Full | Blocked::Held | Blocked::Until(_)) => self.sleep(now, ask),
        }
    }

    fn next(&mut self, _now: Time, _gate: &mut Gate) -> Next {
        Next::NoRequest
    }

    fn remove(&mut self, _slot: u32) {}

    fn waiting(&self) -> usize {
        0
    }

    fn capacity(&self) -> Option<usize> {
        None
    }

    fn max_wait(&self) -> Span {
        self.max_wait
    }

    fn fresh(&self, own: Key) -> Box<dyn Admission> {
        Box::new(Running {
            own: Some(own),
            ..self.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::chance::Chance;

    fn sleeps(json: &str) -> Vec<Option<f64>> {
        let spec: WindowPoll = serde_json::from_str(json).unwrap();
        // Without a key of its own it takes the middle of the spread.
        let (mut it, mut gate) = (spec.build(&Names::default()).unwrap(), Gate::new(Vec::new(), u32::MAX));
        [0, 10, 20, 30, 59, 60, 61, 70]
            .map(|s| {
                let now = Time::ZERO + Span::from_secs(s);
                match it.offer(now, 0, &Ask::default(), &mut gate) {
                    Offer::Enter => None,
                    Offer::Sleep(until) => Some(until.since(now).seconds()),
                    other => panic!("{other:?}"),
                }
            })
            .to_vec()
    }

    /// By hand, two a minute. Those at 0 and 10 are held until 60 and 70.
    #[test]
    fn over_the_limit_it_sleeps_about_a_window() {
        let full = Some(60.0);
        let passed = [None, None, full, full, full, None, full, None];
        assert_eq!(sleeps(r#"{"limit": 2}"#), passed);
    }

    /// A sleep is uniform on 30 to 90 s, and each asking draws anew.
    #[test]
    fn sleeps_are_spread_from_half_a_window_to_one_and_a_half() {
        let spec: WindowPoll = serde_json::from_str(r#"{"limit": 1}"#).unwrap();
        let own = Chance::new(1, 0).surroundings(0);
        let (mut it, mut gate) = (
            spec.build(&Names::default()).unwrap().fresh(own),
            Gate::new(Vec::new(), u32::MAX),
        );
        assert_eq!(it.offer(Time::ZERO, 0, &Ask::default(), &mut gate), Offer::Enter);
        let n = 20_000;
        let all: Vec<f64> = (0..n)
            .map(|i| {
                let now = Time::from_nanos(i % 100);
                let ask = Ask {
                    id: i / 100,
                    ..Ask::default()
                };
                match it.offer(now, 0, &ask, &mut gate) {
                    Offer::Sleep(until) => until.since(now).seconds(),
                    other => panic!("{other:?}"),
                }
            })
            .collect();
        let mean = all.iter().sum::<f64>() / n as f64;
        assert!(all.iter().all(|s| (30.0..=90.0).contains(s)));
        // The standard deviation of the mean is 60/√(12·20000) = 0.12 s.
        assert!((mean - 60.0).abs() < 0.5, "{mean}");
    }
}
