//! How long an answer takes: to its first token, and to its last.

mod response;
mod streaming;

pub use response::Response;
pub use streaming::Streaming;

use std::fmt;

use crate::kernel::chance::Key;
use crate::kernel::time::{Span, Time};
use crate::words::Ask;

use super::faults::Weather;

/// A running latency model: what one provider needs for one attempt.
///
/// It is asked once, at the start of the attempt: what it returns is final.
pub trait Latency: fmt::Debug + Send + Sync {
    /// The service of the attempt keyed by `key`, given how it starts.
    fn serve(&mut self, start: &Start<'_>, ask: &Ask, key: Key) -> Service;

    /// How much of that service is network time, which load does not affect.
    fn network(&self, _key: Key) -> Span {
        Span::ZERO
    }

    /// A copy in its initial state, for one replication.
    fn fresh(&self) -> Box<dyn Latency>;
}

/// How an attempt starts at a provider.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Start<'a> {
    /// The time at which the attempt arrives.
    pub now: Time,
    /// How long it waits at the provider before its work begins.
    pub wait: Span,
    /// The number of other attempts in service when its work begins.
    pub in_service: u32,
    /// The slowness of the provider, for all requests alike.
    pub weather: Weather,
    /// The network's part of the time to first token; only set where a load model needs it.
    pub network: Span,
    /// The timeouts of the caller.
    pub patience: &'a Patience,
}

impl Start<'_> {
    /// The time at which the work begins.
    #[inline]
    pub fn begins(&self) -> Time {
        self.now + self.wait
    }
}

/// The caller's timeouts, counted from when the attempt was sent; [`Span::FOREVER`] for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// The longest wait for a connection.
    pub connect: Span,
    /// The longest wait for the first token.
    pub ttft: Span,
    /// The longest wait for each further token.
    pub idle: Span,
    /// The longest duration of the attempt.
    pub attempt: Span,
    /// What is left of the longest duration of the request.
    pub total: Span,
}

/// When an answer's first and last token reach the caller, counted from when the attempt was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    /// Time to the first token.
    pub first_token: Span,
    /// Time to the last token; never before the first.
    pub last_token: Span,
}

/// Rounds to whole nanoseconds. The cast saturates.
#[inline]
fn nanos(value: f64) -> Span {
    Span::from_nanos((value + 0.5) as u64)
}
