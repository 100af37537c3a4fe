//! One endpoint at work: what becomes of an attempt that reaches it.
//!
//! In this order: whether it is down, its quotas (a 429 with Retry-After, uncharged), the context window (a 400 if input
//! and `max_tokens` exceed it), failures of its work, then service.
//! Everything is decided when the attempt arrives, so that the engine can take the earlier of the answer and the
//! client's timeouts and keep one pending event. What it reports is what the provider would do if nobody hung up.

use crate::kernel::chance::{Key, Purpose};
use crate::kernel::time::{Span, Time};
use crate::request::{Ask, Outcome};

use super::Provider;
use super::faults::{Failure, Fault};
use super::latency::Latency;
use super::limits::Limit;

/// How an attempt would end at the provider, counted from when it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Success, or the way it fails; for a hang, what it is if nothing else ends it.
    pub outcome: Outcome,
    /// To the first token; [`Span::FOREVER`] if there is none.
    pub first_token: Span,
    /// To the end of the answer; [`Span::FOREVER`] for a hang.
    pub ends: Span,
    /// The Retry-After of a 429, as the header would read.
    pub retry_after: Option<Span>,
    /// Whether it was let in, so that it occupies the provider until it leaves.
    pub admitted: bool,
}

/// The state of one provider in one replication.
#[derive(Debug)]
pub struct Endpoint {
    latency: Box<dyn Latency>,
    limits: Vec<Box<dyn Limit>>,
    faults: Vec<Box<dyn Fault>>,
    in_service: u32,
    /// How long its quota has refused, without overlaps, and until when that is counted.
    limited: Span,
    limited_until: Time,
}

impl Endpoint {
    /// The state of `provider` before the first request.
    pub fn new(provider: &Provider) -> Endpoint {
        Endpoint {
            latency: provider.latency.fresh(),
            limits: provider.limits.iter().map(|l| l.fresh()).collect(),
            faults: provider.faults.iter().map(|f| f.fresh()).collect(),
            in_service: 0,
            limited: Span::ZERO,
            limited_until: Time::ZERO,
        }
    }

    /// Decides the attempt keyed by `key` that reaches `provider` at `now`.
    pub fn answer(&mut self, provider: &Provider, now: Time, ask: &Ask, key: Key) -> Answer {
        let fault = |(i, f): (usize, &mut Box<dyn Fault>)| f.strike(now, key.part(i as u64));
        let failure = self.faults.iter_mut().enumerate().find_map(fault);
        let at_once = |outcome| Answer {
            outcome,
            ends: provider.network_time(key),
            ..Answer::nothing()
        };
        match failure {
            Some(Failure::Down) => return at_once(Outcome::ServerError),
            Some(Failure::Silent) => {
                return Answer {
                    outcome: Outcome::TimeoutAttempt,
                    ..Answer::nothing()
                };
            }
            _ => {}
        }
        let ready = self
            .limits
            .iter_mut()
            .map(|l| l.ready_at(now, ask))
            .max()
            .unwrap_or(now);
        if ready > now {
            return self.refuse(provider, now, ready, key);
        }
        let reserved = ask.max_output.unwrap_or(ask.output);
        if provider.context_window < u64::from(ask.input) + u64::from(reserved) {
            return at_once(Outcome::ContextExceeded);
        }
        for limit in &mut self.limits {
            limit.charge(now, ask);
        }
        self.in_service += 1;
        let admitted = |answer| Answer {
            admitted: true,
            ..answer
        };
        if failure == Some(Failure::Hang) {
            return admitted(Answer {
                outcome: Outcome::TimeoutAttempt,
                ..Answer::nothing()
            });
        }
        let service = self.latency.serve(now, self.in_service - 1, ask, key);
        admitted(match failure {
            Some(_) => Answer {
                outcome: Outcome::ServerError,
                ends: service.first_token,
                ..Answer::nothing()
            },
            None => Answer {
                outcome: Outcome::Success,
                first_token: service.first_token,
                ends: service.last_token,
                ..Answer::nothing()
            },
        })
    }

    /// An admitted attempt has left: answered, failed or given up by the caller.
    #[inline]
    pub fn leave(&mut self) {
        self.in_service -= 1;
    }

    /// How long the quota has refused whoever asked, up to `now`.
    pub fn limited(&self, now: Time) -> Span {
        self.limited - self.limited_until.since(now)
    }

    fn refuse(&mut self, provider: &Provider, now: Time, ready: Time, key: Key) -> Answer {
        if ready != Time::NEVER {
            let from = self.limited_until.max(now);
            self.limited += ready.since(from);
            self.limited_until = self.limited_until.max(ready);
        }
        Answer {
            outcome: Outcome::RateLimited,
            ends: provider.network_time(key),
            retry_after: provider.retry_after.header(ready.since(now)),
            ..Answer::nothing()
        }
    }
}

impl Answer {
    /// No answer, ever.
    const fn nothing() -> Answer {
        Answer {
            outcome: Outcome::Success,
            first_token: Span::FOREVER,
            ends: Span::FOREVER,
            retry_after: None,
            admitted: false,
        }
    }
}

impl Provider {
    /// How long a refusal takes to come back.
    #[inline]
    fn network_time(&self, key: Key) -> Span {
        Span::from_nanos((self.network.draw(key, Purpose::Network) + 0.5) as u64)
    }
}
