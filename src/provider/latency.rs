//! How long an answer takes: to its first token, and to its last.

mod response;
mod streaming;

pub use response::Response;
pub use streaming::Streaming;

use std::fmt;

use crate::kernel::chance::Key;
use crate::kernel::time::{Span, Time};
use crate::request::Ask;

/// A latency model, as it runs: what one provider needs for one attempt.
///
/// It answers at the start of the attempt and cannot be asked again, so what it returns is decided then; a model that
/// depends on load reads it from `in_service`.
pub trait Latency: fmt::Debug + Send + Sync {
    /// The service that the attempt keyed by `key` gets if it starts at `now` beside `in_service` others.
    fn serve(&mut self, now: Time, in_service: u32, ask: &Ask, key: Key) -> Service;

    /// A copy in its initial state, for one replication.
    fn fresh(&self) -> Box<dyn Latency>;
}

/// When an answer's first and last token reach the caller, counted from when the attempt was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    /// To the first token.
    pub first_token: Span,
    /// To the last token; never before the first.
    pub last_token: Span,
}
