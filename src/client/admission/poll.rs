//! Polling: a request that cannot pass sleeps a while and asks again, as the concurrency control in the
//! customer-service benchmark article does.
//!
//! The sleep is `base × 2^min(in flight, ceiling)`: it grows with the number of requests in flight, not with how often
//! this one has asked, and there is no line, so luck decides which request is next, and priorities count for nothing.
//! The limits are asked one after the other, and what the first gave is lost when the second refuses. Modelled as
//! published, except that the cap on requests in flight is polled like a bucket, and counts as one in what binds.
//! `queue` is the mended form.
//!
//! ```json
//! { "poll": { "base": "100ms", "ceiling": 5 } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Admission, BuildAdmission, Next, Offer};
use crate::client::gate::{Blocked, Gate};
use crate::form::build::{Built, Names, Refusal};
use crate::form::units::Duration;
use crate::kernel::chance::Key;
use crate::kernel::time::{Span, Time};
use crate::words::Ask;

/// Polling: a request that cannot pass sleeps and asks again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Poll {
    /// The sleep with no request in flight, at least 1ms. Default: 100ms.
    #[serde(default = "tenth")]
    pub base: Duration,
    /// The most requests in flight for each of which the sleep doubles, 0 to 30. Default: 5.
    #[serde(default = "five")]
    #[schemars(range(max = 30))]
    pub ceiling: u32,
    /// The longest wait, after which a request is given up. Default: no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_wait: Option<Duration>,
}

fn tenth() -> Duration {
    Duration::from(Span::from_millis(100))
}

fn five() -> u32 {
    5
}

impl BuildAdmission for Poll {
    fn build(&self, _names: &Names<'_>) -> Built<Box<dyn Admission>> {
        if self.base.span() < Span::from_millis(1) {
            return Err(Refusal::new(format!("base is {}, and must be at least 1ms", self.base)).at("base"));
        }
        if self.ceiling > 30 {
            return Err(Refusal::new(format!("ceiling is {}, and must not exceed 30", self.ceiling)).at("ceiling"));
        }
        Ok(Box::new(Running {
            base: self.base.span(),
            ceiling: self.ceiling,
            max_wait: self.max_wait.map_or(Span::FOREVER, |d| d.span()),
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    base: Span,
    ceiling: u32,
    max_wait: Span,
}

impl Admission for Running {
    fn offer(&mut self, now: Time, _slot: u32, ask: &Ask, gate: &mut Gate) -> Offer {
        match gate.enter_piecemeal(now, ask) {
            Ok(()) => Offer::Enter,
            Err(Blocked::Never | Blocked::Rejected) => Offer::Rejected,
            Err(_) => Offer::Sleep(now + self.base.times(1 << gate.in_flight().min(self.ceiling))),
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

    fn fresh(&self, _own: Key) -> Box<dyn Admission> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 0.1 s × 2^min(n, 5) for n in flight and the cap reached.
    #[test]
    fn the_sleep_grows_with_the_requests_in_flight_and_stops_at_the_ceiling() {
        let spec: Poll = serde_json::from_str("{}").unwrap();
        for (in_flight, millis) in [(1, 200), (4, 1600), (5, 3200), (9, 3200)] {
            let (mut poll, mut gate) = (spec.build(&Names::default()).unwrap(), Gate::new(Vec::new(), in_flight));
            for _ in 0..in_flight {
                assert_eq!(poll.offer(Time::ZERO, 0, &Ask::default(), &mut gate), Offer::Enter);
            }
            let asleep = Offer::Sleep(Time::ZERO + Span::from_millis(millis));
            assert_eq!(poll.offer(Time::ZERO, 0, &Ask::default(), &mut gate), asleep);
        }
    }
}
