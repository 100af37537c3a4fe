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

/// A latency model, as it runs: what one provider needs for one attempt.
///
/// It answers at the start of the attempt and cannot be asked again, so what it returns is decided then.
pub trait Latency: fmt::Debug + Send + Sync {
    /// The service that the attempt keyed by `key` gets if it starts like this.
    fn serve(&mut self, start: &Start<'_>, ask: &Ask, key: Key) -> Service;

    /// How much of that the attempt keyed by `key` spends on the network, where load has no say.
    fn network(&self, _key: Key) -> Span {
        Span::ZERO
    }

    /// A copy in its initial state, for one replication.
    fn fresh(&self) -> Box<dyn Latency>;
}

/// How an attempt starts at a provider.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Start<'a> {
    /// When.
    pub now: Time,
    /// How long it waits there before its work begins.
    pub wait: Span,
    /// How many others are in service then.
    pub in_service: u32,
    /// What slows everybody down.
    pub weather: Weather,
    /// Of the time to the first token, what is spent on the network; only where there is a load that asks.
    pub network: Span,
    /// How long the caller waits.
    pub patience: &'a Patience,
}

impl Start<'_> {
    /// When its work begins.
    #[inline]
    pub fn begins(&self) -> Time {
        self.now + self.wait
    }
}

/// How long the caller of an attempt waits before it hangs up, from when it was sent; [`Span::FOREVER`] for no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For a connection.
    pub connect: Span,
    /// For the first token.
    pub ttft: Span,
    /// For each further token.
    pub idle: Span,
    /// For the whole attempt.
    pub attempt: Span,
    /// For what is left of the whole request.
    pub total: Span,
}

/// When an answer's first and last token reach the caller, counted from when the attempt was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    /// To the first token.
    pub first_token: Span,
    /// To the last token; never before the first.
    pub last_token: Span,
}
