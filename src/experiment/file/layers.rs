//! What a policy changes about the experiment's client: the table of which settings it replaces whole and which field by field.

use std::borrow::Cow;

use super::{ClientSpec, FallbackSpec, PolicyEntry, TimeoutsSpec};
use crate::client::admission::AdmissionSpec;
use crate::client::breaker::BreakerSpec;
use crate::client::budget::BudgetSpec;
use crate::client::gateway_time::GatewayTimeSpec;
use crate::client::hedge::HedgeSpec;
use crate::client::limiter::LimiterSpec;
use crate::client::response_cache::ResponseCacheSpec;
use crate::client::retry::RetrySpec;
use crate::client::retry_budget::RetryBudgetSpec;
use crate::form::layers::layers;
use crate::form::patience::AttemptTimeout;
use crate::form::units::{Count, Duration};

layers! {
    /// What a policy changes about the experiment's client. What is left out is inherited from it, `null` switches a part off, and a
    /// part that is given replaces the experiment's whole, except `timeouts`, which change one by one.
    pub struct ClientChanges over ClientSpec {
        replaced {
            /// How requests are let in, in place of the experiment's `admission`. `null`: an unbounded queue by priority.
            admission: AdmissionSpec,
            /// The client's own rate limits, in place of the experiment's whole list. `null`: none.
            limiters: Vec<LimiterSpec>,
            /// The most requests in flight, from when they are let in until they end. `null`: no cap.
            max_in_flight: Count,
            /// How many gateways run side by side. `null`: one.
            #[schemars(range(min = 1, max = 1000))]
            gateways: u16,
            /// How often what policies know of load is brought up to date. `null`: they know at once.
            refresh: Duration,
            /// How often several gateways tell one another their counts. `null`: never.
            sync: Duration,
            /// The time that the gateway itself takes, in place of the experiment's. `null`: none.
            gateway_time: GatewayTimeSpec,
            /// The gateway's response cache, in place of the experiment's. `null`: none.
            response_cache: ResponseCacheSpec,
            /// The retry rule, in place of the experiment's. `null`: nothing is tried again.
            retry: RetrySpec,
            /// How many retries all requests together may make. `null`: no bound.
            retry_budget: RetryBudgetSpec,
            /// When to send a second copy of a request that takes long, in place of the experiment's rule. `null`: never.
            hedge: HedgeSpec,
            /// A circuit breaker for each provider, in place of the experiment's. `null`: none.
            breaker: BreakerSpec,
            /// Where a request goes when its providers have failed it, in place of the experiment's groups. `null`: nowhere.
            fallback: FallbackSpec,
            /// What may be spent in a time, in place of the experiment's whole list. `null`: no bound.
            budgets: Vec<BudgetSpec>,
            /// The longest input that is sent, in tokens. `null`: no limit.
            input_window: Count,
        }
        layered {
            /// How long the client waits: each timeout that is given changes, the others are inherited. `null`: no timeout at all.
            timeouts: TimeoutsChanges,
        }
    }
}

layers! {
    /// What a policy changes about the experiment's timeouts, each above 0. What is left out is inherited; `null` switches a timeout
    /// off.
    pub struct TimeoutsChanges over TimeoutsSpec {
        replaced {
            /// The longest wait for a free connection, where some provider bounds its `connections`. `null`: no timeout.
            connection: Duration,
            /// The connect timeout: the longest wait for an answer to the attempt to connect. `null`: no timeout.
            connect: Duration,
            /// The longest wait for the first token of an attempt. `null`: no timeout.
            ttft: Duration,
            /// The idle timeout: the longest wait for each further token. `null`: no timeout.
            idle: Duration,
            /// The longest time that one attempt may take: a duration, or an object for one that grows with what is asked. `null`: no
            /// timeout.
            attempt: AttemptTimeout,
            /// The longest time that the whole request may take, from its arrival, waits and retries included. `null`: no timeout.
            total: Duration,
        }
        layered {}
    }
}

impl PolicyEntry {
    /// The client that the policy runs under: what it changes, over the experiment's, `below`.
    pub fn effective<'a>(&self, below: &'a ClientSpec) -> Cow<'a, ClientSpec> {
        match &self.client {
            None => Cow::Borrowed(below),
            Some(changes) => Cow::Owned(changes.over(below)),
        }
    }
}
