//! A quota per clock-aligned window: a counter that starts again at each full minute.
//!
//! What Azure OpenAI, Groq and LiteLLM's own counters do. Two bursts either side of the boundary can together pass twice
//! the limit in a moment; a request refused near the end of a window waits only until the boundary. A refused request is
//! not charged.
//!
//! ```json
//! { "fixed_window": { "unit": "tokens", "limit": "300k", "window": "1m" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildLimit, Limit, Unit};
use crate::kernel::time::{Span, Time};
use crate::request::Ask;
use crate::spec::build::{Built, Refusal};
use crate::spec::units::{Count, Duration};

/// A counter that is reset at each multiple of the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FixedWindow {
    /// What it counts.
    pub unit: Unit,
    /// How much fits into one window.
    pub limit: Count,
    /// The window's length; windows start at multiples of it.
    pub window: Duration,
}

impl BuildLimit for FixedWindow {
    fn build(&self) -> Built<Box<dyn Limit>> {
        if self.window.span() == Span::ZERO {
            return Err(Refusal::new("a window must be longer than nothing").at("window"));
        }
        Ok(Box::new(Running {
            unit: self.unit,
            limit: self.limit.get(),
            window: self.window.span().nanos(),
            used: 0,
            started: Time::ZERO,
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    unit: Unit,
    limit: u64,
    window: u64,
    used: u64,
    started: Time,
}

impl Running {
    fn turn(&mut self, now: Time) {
        if now.since(self.started).nanos() >= self.window {
            self.started = Time::from_nanos(now.nanos() - now.nanos() % self.window);
            self.used = 0;
        }
    }
}

impl Limit for Running {
    #[inline]
    fn ready_at(&mut self, now: Time, ask: &Ask) -> Time {
        self.turn(now);
        let need = self.unit.reserved(ask);
        if need > self.limit {
            Time::NEVER
        } else if self.used + need <= self.limit {
            now
        } else {
            self.started + Span::from_nanos(self.window)
        }
    }

    #[inline]
    fn charge(&mut self, _now: Time, ask: &Ask) {
        self.used += self.unit.reserved(ask);
    }

    fn unit(&self) -> Unit {
        self.unit
    }

    fn per_minute(&self) -> Option<u64> {
        let minute = u128::from(self.limit) * 60_000_000_000 / u128::from(self.window);
        Some(u64::try_from(minute).unwrap_or(u64::MAX))
    }

    fn fresh(&self) -> Box<dyn Limit> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit() -> Box<dyn Limit> {
        let spec: FixedWindow = serde_json::from_str(r#"{"unit": "requests", "limit": 2, "window": "1m"}"#).unwrap();
        spec.build().unwrap()
    }

    const SECOND: u64 = 1_000_000_000;

    /// Two before the boundary and two after it: four within two seconds, as the real thing allows.
    #[test]
    fn both_sides_of_a_boundary_are_open() {
        let (mut limit, ask) = (limit(), Ask::default());
        let mut passed = Vec::new();
        for t in [58, 59, 59, 60, 61, 61] {
            let now = Time::from_nanos(t * SECOND);
            if limit.ready_at(now, &ask) == now {
                limit.charge(now, &ask);
                passed.push(t);
            }
        }
        assert_eq!(passed, [58, 59, 60, 61]);
        let refused = limit.ready_at(Time::from_nanos(61 * SECOND), &ask);
        assert_eq!(refused, Time::from_nanos(120 * SECOND));
    }

    #[test]
    fn what_never_fits_never_becomes_ready() {
        let spec = FixedWindow {
            unit: Unit::InputTokens,
            ..serde_json::from_str(r#"{"unit": "requests", "limit": 2, "window": "1m"}"#).unwrap()
        };
        let mut limit = spec.build().unwrap();
        assert_eq!(
            limit.ready_at(
                Time::ZERO,
                &Ask {
                    input: 3,
                    ..Ask::default()
                }
            ),
            Time::NEVER
        );
    }
}
