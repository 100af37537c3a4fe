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
use crate::provider::endpoint::Answer;
use crate::request::Outcome;

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

impl Timeouts {
    /// How an attempt that would end in `answer` ends for the client, and when, counted from when it was sent, with
    /// `left` of the request's whole time left. At equal times the answer comes first, then the first-token timeout,
    /// the attempt's and the request's.
    #[inline]
    pub fn cut(&self, answer: &Answer, left: Span) -> (Outcome, Span) {
        let mut end = (answer.outcome, answer.ends);
        if answer.first_token.min(answer.ends) > self.ttft && self.ttft < end.1 {
            end = (Outcome::TimeoutTtft, self.ttft);
        }
        if self.attempt < end.1 {
            end = (Outcome::TimeoutAttempt, self.attempt);
        }
        if left < end.1 {
            end = (Outcome::TimeoutTotal, left);
        }
        end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// First token at 3, end at 10; the timeouts in seconds, 0 for none.
    #[test]
    fn the_earliest_timeout_wins_and_the_answer_wins_ties() {
        let secs = |s: u64| if s == 0 { Span::FOREVER } else { Span::from_secs(s) };
        let good = Answer {
            outcome: Outcome::Success,
            first_token: secs(3),
            ends: secs(10),
            retry_after: None,
            admitted: true,
        };
        let error = Answer {
            outcome: Outcome::ServerError,
            first_token: Span::FOREVER,
            ends: secs(3),
            ..good
        };
        let hang = Answer {
            outcome: Outcome::TimeoutTotal,
            first_token: Span::FOREVER,
            ends: Span::FOREVER,
            ..good
        };
        for (answer, ttft, attempt, left, outcome, at) in [
            (good, 0, 0, 0, Outcome::Success, 10),
            (good, 3, 10, 10, Outcome::Success, 10),
            (good, 2, 9, 1, Outcome::TimeoutTotal, 1),
            (good, 2, 9, 4, Outcome::TimeoutTtft, 2),
            (good, 3, 9, 12, Outcome::TimeoutAttempt, 9),
            (error, 3, 3, 3, Outcome::ServerError, 3),
            (error, 2, 5, 5, Outcome::TimeoutTtft, 2),
            (hang, 0, 7, 9, Outcome::TimeoutAttempt, 7),
            (hang, 4, 4, 4, Outcome::TimeoutTtft, 4),
        ] {
            let timeouts = Timeouts {
                ttft: secs(ttft),
                attempt: secs(attempt),
                total: Span::FOREVER,
            };
            assert_eq!(
                timeouts.cut(&answer, secs(left)),
                (outcome, secs(at)),
                "{answer:?} {timeouts:?} {left}"
            );
        }
    }
}
