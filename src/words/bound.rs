//! The kinds of limit that a run can be at.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A kind of bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BoundKind {
    /// The client's cap on requests in flight.
    InFlight,
    /// The client's own limiters: a request was held back by one.
    Limiter,
    /// The capacity of the client's queue.
    Queue,
    /// The client's connections to a provider.
    Connections,
    /// A provider's quota: a further attempt would have got a 429.
    Quota,
    /// A provider's own capacity: all its slots were taken, or answers were slowed down to its throughput.
    Capacity,
    /// The breaker of a provider was open.
    Breaker,
    /// A budget was spent, and its window not over.
    Budget,
}

impl BoundKind {
    /// The name of the bound in reports for people.
    pub const fn title(self) -> &'static str {
        match self {
            BoundKind::InFlight => "requests in flight",
            BoundKind::Limiter => "the client's limiter",
            BoundKind::Queue => "the client's queue",
            BoundKind::Connections => "connections",
            BoundKind::Quota => "quota",
            BoundKind::Capacity => "the provider's capacity",
            BoundKind::Breaker => "breaker",
            BoundKind::Budget => "the client's budget",
        }
    }
}
