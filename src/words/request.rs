//! What is asked of a provider, and what a client sees of an attempt that has ended.

use super::Outcome;
use crate::kernel::time::{Span, Time};

/// The quality of a class that a model has no figure for.
pub const UNRATED: u32 = u32::MAX;

/// One request as traffic makes it: what a client could read off it, and the number that keys its draws.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// The number of the request in the replication: of its arrival, from 0, or what its user and its turn make; with named streams, beside
    /// what marks the stream.
    pub id: u64,
    /// The index of the class of the request.
    pub class: u16,
    /// The user behind the request, counted from 0 over all streams; where a stream has no users, a number for each of its requests.
    pub user: u32,
    /// The priority of the request: lower numbers go first.
    pub priority: u8,
    /// Input tokens of the request.
    pub input: u32,
    /// Output tokens that the model will write if nothing stops it.
    pub output: u32,
    /// The `max_tokens` that the client sends, if it does. Never below `output`.
    pub max_output: Option<u32>,
    /// Input tokens that the provider finds in its prompt cache: 0 until it has looked.
    pub cached: u32,
    /// The values of the traffic's tags, all in one number (`crate::form::build::Tagged`); 0 where it has none.
    pub tags: u32,
    /// Input tokens at the beginning that are the conversation's last prompt and its answer, as far as they are sent again: what a prompt
    /// cache may know. 0 for a request that continues nothing.
    pub resent: u32,
}

/// What an attempt has used, as the provider counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Input tokens read, cached ones included.
    pub input: u32,
    /// Input tokens of these that came from the provider's prompt cache.
    pub cached: u32,
    /// Input tokens of these that were written to the prompt cache, if there is one.
    pub written: u32,
    /// Output tokens written.
    pub output: u32,
}

/// An attempt that has ended, as the client sees it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Ended {
    /// When the attempt ended.
    pub now: Time,
    /// The index of the provider that the attempt went to.
    pub provider: usize,
    /// The outcome of the attempt.
    pub outcome: Outcome,
    /// Time from sending to the first token; [`Span::FOREVER`] if none came.
    pub first_token: Span,
    /// Time from sending to the end; zero if it never got a connection.
    pub took: Span,
    /// The Retry-After that came with it.
    pub retry_after: Option<Span>,
    /// What was used and billed; nothing if it was not answered.
    pub usage: Usage,
    /// Pico-dollars billed.
    pub cost: u64,
    /// The class of the attempt's request.
    pub class: u16,
    /// The user behind the request, as in [`Ask::user`].
    pub user: u32,
    /// The values of the traffic's tags, as in [`Ask::tags`].
    pub tags: u32,
    /// The priority of the request, as in [`Ask::priority`].
    pub priority: u8,
    /// Input tokens that were sent, whatever was billed.
    pub input: u32,
    /// The `max_tokens` that was sent along, if any.
    pub max_output: Option<u32>,
    /// The number of the attempt among those at its request, from 0.
    pub attempt: u32,
    /// The client's other attempts under way there when it was sent, those of all its gateways: with several of them it takes
    /// a provider that says so.
    pub beside: u32,
    /// Whether the answer was a good one; `None` if it was not graded.
    pub grade: Option<bool>,
    /// What the policy keeps of its request ([`crate::routing::Call::notes`]).
    pub notes: u64,
    /// What the policy keeps of this attempt (`Call::ticket`), told by `Policy::ended` alone: 0 elsewhere.
    pub ticket: u64,
    /// Whether it got a connection, and so was sent. If not, it was refused or gave up in line.
    pub connected: bool,
    /// Whether it was a further copy of a request under way.
    pub hedge: bool,
    /// Whether it was a mirrored copy, whose answer was not waited for.
    pub mirrored: bool,
}

impl Ended {
    /// An attempt at `provider` that ended at `now` and of which nothing else is known.
    pub const fn new(now: Time, provider: usize, outcome: Outcome) -> Ended {
        Ended {
            now,
            provider,
            outcome,
            first_token: Span::FOREVER,
            took: Span::ZERO,
            retry_after: None,
            usage: Usage {
                input: 0,
                cached: 0,
                written: 0,
                output: 0,
            },
            cost: 0,
            class: 0,
            user: 0,
            tags: 0,
            priority: 0,
            input: 0,
            max_output: None,
            attempt: 0,
            beside: 0,
            grade: None,
            notes: 0,
            ticket: 0,
            connected: true,
            hedge: false,
            mirrored: false,
        }
    }

    /// Seconds from sending to the first token, if one came.
    #[inline]
    pub fn ttft(&self) -> Option<f64> {
        (self.first_token <= self.took).then(|| self.first_token.seconds())
    }
}

/// A request that has ended, as its user sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finished {
    /// When the request ended.
    pub now: Time,
    /// When the request arrived.
    pub arrived: Time,
    /// What was asked: what was cut off the input because it was too long to be sent is gone.
    pub ask: Ask,
    /// The outcome of the request.
    pub outcome: Outcome,
    /// Time from arrival to first token, of a success.
    pub ttft: Span,
}

/// What rate-limit headers say (`x-ratelimit-*`, `anthropic-ratelimit-*`): of the requests, and of the tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    /// The quota of requests.
    pub requests: Option<Left>,
    /// The quota of tokens, of whichever kind has the least left.
    pub tokens: Option<Left>,
}

/// What is left of one quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// The size of the quota.
    pub limit: u64,
    /// What is left of the quota.
    pub remaining: u64,
    /// Time until the quota is whole again.
    pub reset: Span,
}
