//! The client: what a careful caller wraps round a request, namely admission control, limits, timeouts, breakers and
//! retries.
//!
//! Nothing here sees the event set. Each part answers a question; the engine schedules what follows.

// A match on outcomes that has a wildcard takes a new outcome for whatever stands there.
#![cfg_attr(not(test), deny(clippy::wildcard_enum_match_arm))]

pub mod admission;
pub mod breaker;
pub mod budget;
pub mod fallback;
pub mod gate;
pub mod gateway_time;
pub mod groups;
pub mod hedge;
pub mod host;
pub mod identity;
pub mod levels;
pub mod limiter;
mod litellm;
pub mod response_cache;
pub mod retry;
pub mod retry_budget;
pub mod view;

use crate::kernel::time::Span;
use crate::provider::endpoint::Answer;
use crate::provider::latency::Patience;
use crate::words::{Ask, Outcome};

/// The client of a scenario.
#[derive(Debug)]
#[non_exhaustive]
pub struct Client {
    /// The admission discipline, by which requests are let in.
    pub admission: Box<dyn admission::Admission>,
    /// The client's own rate limits, all charged once for each request, when it is let in.
    pub limiters: Vec<Box<dyn limiter::Limiter>>,
    /// The most requests in flight; `u32::MAX` for no cap. A request counts from when it is let in until it ends,
    /// back-off included, as under a semaphore held for the whole call.
    pub max_in_flight: u32,
    /// The number of gateways side by side, each with a policy and breakers of its own.
    pub gateways: u16,
    /// How old what policies know may be, if it is not what is.
    pub age: Option<Age>,
    /// The time that the gateways themselves take, if they take any.
    pub gateway_time: Option<gateway_time::GatewayTime>,
    /// The gateway's response caches, if it has any.
    pub response_caches: response_cache::Caches,
    /// The timeouts of attempts and requests.
    pub timeouts: Timeouts,
    /// The longest wait for a connection.
    pub pool_timeout: Span,
    /// The longest input that is sent, in tokens: older input is cut off. `u32::MAX` for no limit.
    pub input_window: u32,
    /// The retry rule: what to do after a failure.
    pub retry: Box<dyn retry::Retry>,
    /// The hedging rule: when to send a second copy; `None` for never.
    pub hedge: Option<Box<dyn hedge::Hedge>>,
    /// The fallback groups: where to go when a group of providers has failed.
    pub fallback: fallback::Fallback,
    /// The named groups, if the policy has them: their retry rules are in `retry`, and their breakers stand in for `breaker`.
    pub groups: Option<groups::Groups>,
    /// The breakers that watch the providers.
    pub breaker: breaker::Guard,
    /// The budgets on spend, if there are any.
    pub budget: Option<Box<dyn budget::Budget>>,
    /// Each of the budgets, as the report speaks of it.
    pub allowances: Vec<budget::Allowance>,
    /// The shares of the budgets that are watched.
    pub alerts: Vec<budget::Alert>,
    /// What of all this is for each identity ([`Client::name_rules`]).
    pub rules: identity::Rules,
}

impl Client {
    /// Notes what of the client is for each identity, once all parts of it are there.
    pub fn name_rules(&mut self) {
        let mut rules = identity::Rules::default();
        let mut of_limiters = |place: &str, limiters: &[Box<dyn limiter::Limiter>]| -> Vec<Option<u16>> {
            let numbered = limiters.iter().enumerate();
            let noted = numbered.map(|(i, limiter)| {
                let (whose, what) = limiter.tells_apart()?;
                rules.add(format!("{place}limiters[{i}]"), what, whose)
            });
            noted.collect()
        };
        let limiters = of_limiters("", &self.limiters);
        let groups = self.groups.iter().flat_map(|groups| &groups.of);
        let groups = groups.map(|group| of_limiters(&format!("{}: ", group.name), &group.limiters));
        let groups = groups.collect();
        let budgets = self.allowances.iter().enumerate();
        let budgets = budgets.map(|(i, allowance)| {
            let whose = allowance.each.as_ref()?;
            rules.add(format!("budgets[{i}]"), "budget", whose)
        });
        let budgets = budgets.collect();
        let lines = self.admission.tells_apart();
        let lines = lines.and_then(|whose| rules.add("admission".to_owned(), "line", whose));
        self.rules = identity::Rules {
            limiters,
            groups,
            budgets,
            lines,
            ..rules
        };
    }

    /// Whether each provider is in group `group`; `None` if there are no groups.
    #[inline]
    pub fn members(&self, group: u8) -> Option<&[bool]> {
        match &self.groups {
            Some(groups) => Some(&groups.at(group).members),
            None => self.fallback.members(usize::from(group)),
        }
    }

    /// The timeouts of an attempt at provider `p` for a request at group `group`.
    #[inline]
    pub fn timeouts_of(&self, group: u8, p: usize) -> &Timeouts {
        match &self.groups {
            Some(groups) => &groups.at(group).timeouts[p],
            None => &self.timeouts,
        }
    }
}

/// How old what policies know of load may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// All of it is as it was at the last refresh: load signals that are scraped, a cache that is read now and then. The time is that
    /// between two refreshes, above 0.
    Refreshed(Span),
    /// What other gateways count, or have learned, is as it was when they last told one another: shared counters. The time is that
    /// between two such moments, above 0.
    Synced(Span),
}

/// The timeouts of a client; [`Span::FOREVER`] for no limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Timeouts {
    /// The longest wait for a new connection, from when an attempt was sent.
    pub connect: Span,
    /// The longest wait for the first token of an attempt, from when it was sent.
    pub ttft: Span,
    /// The longest wait for each further token.
    pub idle: Span,
    /// The longest duration of one attempt, from when it was sent.
    pub attempt: Span,
    /// The time that is added to the timeout of an attempt for what is asked, if any is.
    pub adaptive: Option<Adaptive>,
    /// The longest duration of the whole request, from its arrival, waits and retries included.
    pub total: Span,
}

/// The growth of an attempt's timeout with what is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Adaptive {
    /// The time that is added for each 1,000 of `max_tokens`.
    pub per_1000: Span,
    /// The factor for each class, by which the timeout is multiplied.
    pub by_class: Vec<f64>,
}

impl Adaptive {
    /// The timeout of an attempt at `ask`, where `base` is that for an answer without tokens.
    fn timeout(&self, base: Span, ask: &Ask) -> Span {
        let tokens = u128::from(ask.max_output.unwrap_or(0));
        let longer = u128::from(self.per_1000.nanos()) * tokens / 1000;
        let whole = base + Span::from_nanos(u64::try_from(longer).unwrap_or(u64::MAX));
        Span::from_nanos((whole.nanos() as f64 * self.by_class[usize::from(ask.class)]) as u64)
    }
}

impl Timeouts {
    /// The patience with an attempt at `ask`, with `left` of the request's whole time left.
    #[inline]
    pub fn patience(&self, ask: &Ask, left: Span) -> Patience {
        Patience {
            connect: self.connect,
            ttft: self.ttft,
            idle: self.idle,
            attempt: match &self.adaptive {
                None => self.attempt,
                Some(adaptive) => adaptive.timeout(self.attempt, ask),
            },
            total: left,
        }
    }
}

/// The outcome and the end of an attempt at `output` tokens that would end in `answer`, as the client sees it, counted
/// from when it was sent. At equal times the answer comes first, then the timeout for the connection, the first token,
/// a further token, the attempt and the request.
#[inline]
pub fn cut(answer: &Answer, patience: &Patience, output: u32) -> (Outcome, Span) {
    // Nearly always the answer comes before any timeout.
    if answer.ends != Span::FOREVER
        && answer.first_token <= patience.ttft
        && answer.ends <= patience.attempt
        && answer.ends <= patience.total
        && patience.idle == Span::FOREVER
    {
        return (answer.outcome, answer.ends);
    }
    cut_short(answer, patience, output)
}

fn cut_short(answer: &Answer, patience: &Patience, output: u32) -> (Outcome, Span) {
    let mut end = (answer.outcome, answer.ends);
    if answer.unreachable && patience.connect < end.1 {
        end = (Outcome::TimeoutConnect, patience.connect);
    }
    if answer.first_token.min(answer.ends) > patience.ttft && patience.ttft < end.1 {
        end = (Outcome::TimeoutTtft, patience.ttft);
    }
    if patience.idle != Span::FOREVER && answer.first_token < end.1 {
        let gap = (answer.last_token - answer.first_token).nanos() / u64::from(output.max(2) - 1);
        let silent_from = if gap > patience.idle.nanos() {
            answer.first_token
        } else {
            answer.stops
        };
        let hung_up = silent_from + patience.idle;
        if hung_up < end.1 {
            end = (Outcome::TimeoutIdle, hung_up);
        }
    }
    if patience.attempt < end.1 {
        end = (Outcome::TimeoutAttempt, patience.attempt);
    }
    if patience.total < end.1 {
        end = (Outcome::TimeoutTotal, patience.total);
    }
    end
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
            last_token: secs(10),
            ends: secs(10),
            ..Answer::NOTHING
        };
        let error = Answer {
            outcome: Outcome::ServerError,
            ends: secs(3),
            ..Answer::NOTHING
        };
        let hang = Answer::NOTHING;
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
            let patience = Patience {
                connect: Span::FOREVER,
                ttft: secs(ttft),
                idle: Span::FOREVER,
                attempt: secs(attempt),
                total: secs(left),
            };
            assert_eq!(
                cut(&answer, &patience, 8),
                (outcome, secs(at)),
                "{answer:?} {patience:?}"
            );
        }
    }

    /// The rule of an article on latency-based routing: 30 s and 10 s for each 1,000 of max_tokens, times the factor of
    /// the class.
    #[test]
    fn an_adaptive_timeout_grows_with_what_is_asked() {
        let timeouts = Timeouts {
            connect: Span::FOREVER,
            ttft: Span::FOREVER,
            idle: Span::FOREVER,
            attempt: Span::from_secs(30),
            adaptive: Some(Adaptive {
                per_1000: Span::from_secs(10),
                by_class: vec![1.0, 2.5],
            }),
            total: Span::FOREVER,
        };
        let waits = |class, max_output| {
            let ask = Ask {
                class,
                max_output,
                ..Ask::default()
            };
            timeouts.patience(&ask, Span::FOREVER).attempt.seconds()
        };
        assert_eq!(
            [waits(0, None), waits(0, Some(1500)), waits(1, Some(4000))],
            [30.0, 45.0, 175.0]
        );
    }

    /// First token at 3, seven more a second apart, or silence after the third.
    #[test]
    fn a_stream_that_falls_silent_runs_into_the_idle_timeout() {
        let secs = Span::from_secs;
        let stream = Answer {
            outcome: Outcome::Success,
            first_token: secs(3),
            last_token: secs(10),
            ends: secs(10),
            ..Answer::NOTHING
        };
        let stalled = Answer {
            outcome: Outcome::TimeoutAttempt,
            stops: secs(5),
            ends: Span::FOREVER,
            ..stream
        };
        let idle = |answer: &Answer, idle: u64, millis: u64| {
            let patience = Patience {
                connect: Span::FOREVER,
                ttft: Span::FOREVER,
                idle: Span::from_millis(idle),
                attempt: Span::FOREVER,
                total: Span::FOREVER,
            };
            let (outcome, after) = cut(answer, &patience, 8);
            assert_eq!(after, Span::from_millis(millis));
            outcome
        };
        assert_eq!(idle(&stream, 1000, 10_000), Outcome::Success);
        assert_eq!(idle(&stream, 900, 3_900), Outcome::TimeoutIdle);
        assert_eq!(idle(&stalled, 2000, 7_000), Outcome::TimeoutIdle);
        let unreachable = Answer {
            unreachable: true,
            ..Answer::NOTHING
        };
        let patience = Patience {
            connect: secs(10),
            ttft: secs(10),
            idle: Span::FOREVER,
            attempt: secs(30),
            total: Span::FOREVER,
        };
        assert_eq!(cut(&unreachable, &patience, 8), (Outcome::TimeoutConnect, secs(10)));
    }
}
