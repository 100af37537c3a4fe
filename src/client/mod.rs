//! What a careful caller wraps round a request: a way in, limits, timeouts, breakers and retries.
//!
//! Nothing here sees the event set. Each part answers a question; the engine schedules what follows.

pub mod admission;
pub mod breaker;
pub mod gate;
pub mod host;
pub mod limiter;
pub mod retry;

use crate::kernel::time::Span;

/// The client of a scenario.
#[derive(Debug)]
pub struct Client {
    /// The way in.
    pub admission: Box<dyn admission::Admission>,
    /// The client's own rate limits, all charged once for each request, when it is let in.
    pub limiters: Vec<Box<dyn limiter::Limiter>>,
    /// The most requests in flight; `u32::MAX` for no cap. A request counts from when it is let in until it ends,
    /// back-off included, as under a semaphore held for the whole call.
    pub max_in_flight: u32,
    /// How long to wait for what.
    pub timeouts: Timeouts,
    /// The longest wait for a connection.
    pub pool_timeout: Span,
    /// What to do after a failure.
    pub retry: Box<dyn retry::Retry>,
    /// The breaker of each provider.
    pub breaker: Box<dyn breaker::Breaker>,
}

/// How long a client waits; [`Span::FOREVER`] for no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For the first token of an attempt, from when it was sent.
    pub ttft: Span,
    /// For the whole of one attempt, from when it was sent.
    pub attempt: Span,
    /// For the whole request, from its arrival, waits and retries included.
    pub total: Span,
}
