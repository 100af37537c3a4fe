//! The gateway's own time: what it takes before a call is sent, and between a failure and the next attempt.
//!
//! It is part of a request's latency and of no provider's. What is let in waits for `call`; a retry, a fallback and a group that has
//! no provider open wait for `between`, besides any back-off. Source: LiteLLM 1.106.2 in process takes some 10 ms before a call and 15 ms
//! between a failure and the next attempt (5th to 95th percentile 12 to 40). Left out: that it grows with load.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::form::build::{Built, Names};
use crate::form::laws::LawSpec;
use crate::form::units::Duration;
use crate::kernel::chance::{Key, Purpose};
use crate::kernel::sampler::Sampler;
use crate::kernel::time::Span;

/// The time that the gateway itself takes of each request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GatewayTimeSpec {
    /// The time before the first attempt. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<LawSpec<Duration>>,
    /// The time between a failure and the next attempt, besides any back-off. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub between: Option<LawSpec<Duration>>,
}

/// The gateway's own time, as it runs.
#[derive(Debug)]
pub struct GatewayTime {
    call: Sampler,
    between: Sampler,
}

impl GatewayTimeSpec {
    /// Checks the laws and makes them ready for drawing.
    ///
    /// # Errors
    /// If a parameter of a law is out of range.
    pub fn build(&self, names: &Names<'_>) -> Built<GatewayTime> {
        let sampler = |law: &Option<LawSpec<Duration>>, field| match law {
            None => Ok(Sampler::Constant(0.0)),
            Some(law) => law.sampler(names).map_err(|r| r.at(field)),
        };
        Ok(GatewayTime {
            call: sampler(&self.call, "call")?,
            between: sampler(&self.between, "between")?,
        })
    }
}

impl GatewayTime {
    /// The time before the first attempt at the request of key `request`.
    pub fn call(&self, request: Key) -> Span {
        Span::from_nanos(self.call.draw(request, Purpose::Gateways) as u64)
    }

    /// The time before the attempt of key `attempt`, which follows a failure.
    pub fn between(&self, attempt: Key) -> Span {
        Span::from_nanos(self.between.draw(attempt, Purpose::Gateways) as u64)
    }
}
