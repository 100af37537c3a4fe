//! A ceiling on the tokens that a provider decodes in a second, shared by all attempts in service.
//!
//! The speed is min(own speed, `tokens` / n), with n the attempts in service when this one begins, itself included: the
//! equal share of processor sharing. A share is kept to the answer's end, so that the ceiling holds exactly while the
//! number in service stays the same, and is exceeded for a while when it grows fast.
//!
//! Leaves out the time to the first token. Waiting attempts count as in service unless `slots` come before this in the
//! list.
//!
//! ```json
//! { "throughput": { "tokens": "20k/s" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildLoad, Full, Load, Stay};
use crate::form::build::{Built, Names};
use crate::form::units::Rate;
use crate::kernel::clock::SpanClock;
use crate::kernel::time::{Span, Time};
use crate::provider::latency::{Service, Start};
use crate::words::Ask;

/// A ceiling on the tokens that are decoded in a second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Throughput {
    /// The most output tokens in a second, of all answers together, like "20k/s".
    pub tokens: Rate,
}

impl BuildLoad for Throughput {
    fn build(&self, _names: &Names<'_>) -> Built<Box<dyn Load>> {
        Ok(Box::new(Running {
            per_token: self.tokens.per().nanos() as f64 / self.tokens.count() as f64,
            slowed_from: None,
            full: SpanClock::default(),
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    /// The time that a token takes the whole provider, in nanoseconds.
    per_token: f64,
    /// When the work of the most recent attempt begins, if the ceiling slows it down.
    slowed_from: Option<Time>,
    /// The time during which the ceiling slows an answer down.
    full: SpanClock,
}

impl Load for Running {
    #[inline]
    fn slow(&mut self, start: &Start<'_>, service: Service, ask: &Ask) -> Service {
        let sharing = f64::from(start.in_service) + 1.0;
        let least = f64::from(ask.output.saturating_sub(1)) * self.per_token * sharing;
        let least = Span::from_nanos((least + 0.5) as u64);
        let own = service.last_token - service.first_token;
        self.slowed_from = (least > own).then(|| start.begins());
        Service {
            last_token: service.first_token + own.max(least),
            ..service
        }
    }

    #[inline]
    fn stay(&mut self, stay: &Stay) {
        if let Some(from) = self.slowed_from.take() {
            self.full.add(stay.came, from, stay.done.min(stay.left));
        }
    }

    fn full(&self, now: Time) -> Option<Full> {
        Some(Full {
            limit: None,
            time: self.full.total(now),
        })
    }

    fn needs_decoding(&self) -> bool {
        true
    }

    fn fresh(&self) -> Box<dyn Load> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::load::tests::{ALONE, SERVICE};

    /// 101 tokens, the first after 1 s and the last after 3 (50 a second), under a ceiling of 200 a second.
    #[test]
    fn the_ceiling_is_shared_once_own_speeds_pass_it() {
        let spec: Throughput = serde_json::from_str(r#"{ "tokens": "12k/min" }"#).unwrap();
        let mut ceiling = spec.build(&Names::default()).unwrap();
        for (others, decoding) in [(0, 2000), (3, 2000), (4, 2500), (7, 4000), (399, 200_000)] {
            let start = Start {
                in_service: others,
                ..ALONE
            };
            let ask = Ask {
                output: 101,
                ..Ask::default()
            };
            let slowed = ceiling.slow(&start, SERVICE, &ask);
            assert_eq!(slowed.first_token, SERVICE.first_token);
            assert_eq!(slowed.last_token - slowed.first_token, Span::from_millis(decoding));
        }
    }
}
