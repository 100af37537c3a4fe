//! What a group says of its client, over the policy's; and what it says of one member, over its own.

use serde::Serialize;

use crate::client::breaker::BreakerSpec;
use crate::client::response_cache::ResponseCacheSpec;
use crate::client::retry::RetrySpec;
use crate::form::layers::layers;
use crate::form::patience::AttemptTimeout;
use crate::form::units::Duration;

/// The settings of a client that each group may have for itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct GroupSettings {
    /// The retry rule.
    pub retry: RetrySpec,
    /// The circuit breaker.
    pub breaker: BreakerSpec,
    /// The response cache; of the group as a whole, so that no member has one.
    pub response_cache: Option<ResponseCacheSpec>,
    /// The timeouts of one attempt.
    pub timeouts: GroupTimeouts,
}

/// The timeouts of one attempt, each above 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct GroupTimeouts {
    /// The connect timeout.
    pub connect: Option<Duration>,
    /// The longest wait for the first token.
    pub ttft: Option<Duration>,
    /// The longest wait for each further token.
    pub idle: Option<Duration>,
    /// The longest time that one attempt may take.
    pub attempt: Option<AttemptTimeout>,
}

layers! {
    /// What a group changes about the policy's client, or what holds for one of its members instead of what the group says. What is
    /// left out is inherited, and `null` switches a part off.
    pub struct GroupChanges over GroupSettings {
        replaced {
            /// The retry rule. `null`: nothing is tried again.
            retry: RetrySpec,
            /// The circuit breaker. `null`: none.
            breaker: BreakerSpec,
            /// The response cache of the group, apart from the policy's; not of single members. `null`: none.
            response_cache: ResponseCacheSpec,
        }
        layered {
            /// How long an attempt may take: each timeout that is given changes, the others are inherited. `null`: no timeout at all.
            timeouts: GroupTimeoutsChanges,
        }
    }
}

layers! {
    /// The timeouts of one attempt that change, each above 0. What is left out is inherited; `null` switches a timeout off.
    pub struct GroupTimeoutsChanges over GroupTimeouts {
        replaced {
            /// The connect timeout: the longest wait for an answer to the attempt to connect. `null`: no timeout.
            connect: Duration,
            /// The longest wait for the first token of an attempt. `null`: no timeout.
            ttft: Duration,
            /// The idle timeout: the longest wait for each further token. `null`: no timeout.
            idle: Duration,
            /// The longest time that one attempt may take: a duration, or an object for one that grows with what is asked. `null`: no
            /// timeout.
            attempt: AttemptTimeout,
        }
        layered {}
    }
}
