//! A quota that the client keeps with a provider's arithmetic: the same ledgers, but the caller knows less.
//!
//! It cannot foresee the output: without `max_tokens` it counts none. When the request has ended it knows what was used
//! (but nothing of the provider's cache), if it was answered: that is what `charge` with `reconcile` or `at: end` goes by.

use super::{Done, Limiter, Ready};
use crate::kernel::chance::Key;
use crate::kernel::time::{Span, Time};
use crate::provider::limits::{Limit, Spent};
use crate::words::{Ask, Outcome, Usage};

/// A quota that the client keeps itself.
#[derive(Debug)]
pub(super) struct Counted(pub(super) Box<dyn Limit>);

/// The request `ask` as a caller knows it: without `max_tokens` nothing of its output.
#[inline]
fn known(ask: &Ask) -> Ask {
    Ask { output: 0, ..*ask }
}

impl Limiter for Counted {
    #[inline]
    fn ready(&mut self, now: Time, ask: &Ask) -> Ready {
        Ready::from(now, self.0.ready_at(now, &known(ask)))
    }

    #[inline]
    fn take(&mut self, now: Time, ask: &Ask) {
        self.0.charge(now, &known(ask));
    }

    fn leave(&mut self, done: &Done) {
        let usage = if done.outcome == Outcome::Success {
            Usage {
                input: done.ask.input,
                cached: 0,
                written: 0,
                output: done.ask.output,
            }
        } else {
            Usage::default()
        };
        let spent = Spent {
            ask: known(&done.ask),
            since: done.entered,
            usage,
        };
        self.0.settle(done.now, &spent);
    }

    fn listens(&self) -> bool {
        self.0.listens()
    }

    fn is_as_new(&mut self, now: Time) -> bool {
        self.0.left(now).is_some_and(|left| left.reset == Span::ZERO)
    }

    fn fresh(&self, _own: Key) -> Box<dyn Limiter> {
        Box::new(Counted(self.0.fresh()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::limiter::LimiterSpec;
    use crate::form::build::Names;

    /// A hundred tokens a minute, and answers of 60 that no caller foresaw. Charged at the end, as LiteLLM's TPM check
    /// does it, the second answer closes the minute; a failure costs nothing.
    #[test]
    fn it_learns_the_output_when_the_answer_is_there() {
        let spec: LimiterSpec = serde_json::from_str(
            r#"{"fixed_window": {"unit": "tokens", "limit": 100, "window": "1m", "charge": {"at": "end"}}}"#,
        )
        .unwrap();
        let mut limiter = spec.as_dyn().build(&Names::default()).unwrap();
        assert!(limiter.listens());
        let ask = Ask {
            input: 10,
            output: 50,
            ..Ask::default()
        };
        let mut now = Time::ZERO;
        let mut seen = Vec::new();
        for outcome in [Outcome::Success, Outcome::ServerError, Outcome::Success] {
            limiter.take(now, &ask);
            let entered = now;
            now += Span::from_secs(1);
            limiter.leave(&Done {
                now,
                entered,
                outcome,
                ask,
                in_flight: 1,
            });
            seen.push(limiter.ready(now, &ask));
        }
        assert_eq!(
            seen,
            [Ready::Now, Ready::Now, Ready::At(Time::from_nanos(60_000_000_000))]
        );
    }
}
