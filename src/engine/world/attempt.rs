//! Attempts: to which provider, how they end, and what follows; and the end of a request, the only way out.

use crate::client::retry::Failed;
use crate::engine::event::Event;
use crate::engine::tally::Ending;
use crate::kernel::time::Span;
use crate::provider::endpoint::Answer;
use crate::request::Outcome;
use crate::routing::{Call, Fleet, Seen};

use super::{Attempt, Place, World};

impl World<'_> {
    /// Chooses a provider for the request in `slot` and sends it there, or puts it in line for a connection.
    #[inline]
    pub(super) fn route(&mut self, slot: u32) {
        let request = &mut self.requests[slot];
        let call = Call {
            class: usize::from(request.ask.class),
            priority: request.ask.priority,
            input: request.ask.input,
            max_output: request.ask.max_output,
            attempts: request.attempts,
            last: (request.attempts > 0).then_some(request.provider as usize),
            request: request.key,
            attempt: request.key.attempt(u64::from(request.attempts)),
        };
        let Some(provider) = self.policy.choose(&call, &Fleet::new(&self.hosts, self.now)) else {
            return self.failed(slot, Outcome::BreakerOpen, None);
        };
        request.provider = provider as u32;
        let host = &mut self.hosts[provider];
        request.ticket = host.breaker.sent(self.now);
        if host.connect(self.now, slot) {
            self.send(slot);
        } else {
            request.place = Place::InLine;
            self.start_wait(slot, self.scenario.client.pool_timeout);
        }
    }

    /// Sends the request in `slot`, which holds a connection, to its provider.
    #[inline]
    fn send(&mut self, slot: u32) {
        let request = &mut self.requests[slot];
        let p = request.provider as usize;
        let provider = &self.scenario.fleet[p].provider;
        let key = request.key.attempt(u64::from(request.attempts));
        request.attempts += 1;
        request.place = Place::Away;
        let answer = self.endpoints[p].answer(provider, self.now, &request.ask, key);
        let (outcome, lasts) = self
            .scenario
            .client
            .timeouts
            .cut(&answer, request.deadline.since(self.now));
        // An answer is billed up to where the caller hung up; refusals, failures and hangs are not.
        let (input, written) = match (answer.outcome, outcome) {
            (Outcome::Success, Outcome::Success) => (request.ask.input, request.ask.output),
            (Outcome::Success, _) => (request.ask.input, written_by(&answer, request.ask.output, lasts)),
            _ => (0, 0),
        };
        let charge = if answer.outcome == Outcome::Success {
            provider.price.of(&request.ask, written)
        } else {
            0
        };
        let attempt = Attempt {
            request: slot,
            provider: request.provider,
            outcome,
            admitted: answer.admitted,
            sent: self.now,
            first_token: answer.first_token,
            retry_after: answer.retry_after,
            input,
            written,
            charge,
        };
        self.tally.series.send(p);
        let attempt = self.attempts.insert(attempt);
        self.events.push(self.now + lasts, Event::AttemptEnds(attempt).pack());
    }

    #[inline]
    pub(super) fn attempt_ends(&mut self, slot: u32) {
        let attempt = self.attempts[slot];
        self.attempts.remove(slot);
        let p = attempt.provider as usize;
        if attempt.admitted {
            self.endpoints[p].leave();
        }
        let took = self.now.since(attempt.sent);
        let host = &mut self.hosts[p];
        host.breaker
            .record(self.now, self.requests[attempt.request].ticket, attempt.outcome);
        if let Some(next) = host.disconnect(self.now) {
            self.stop_wait(next);
            self.send(next);
        }
        let succeeded = attempt.outcome == Outcome::Success;
        self.policy.learn(&Seen {
            now: self.now,
            provider: p,
            outcome: attempt.outcome,
            ttft: (attempt.first_token <= took).then(|| attempt.first_token.seconds()),
            took: took.seconds(),
        });
        let request = &mut self.requests[attempt.request];
        request.cost = request.cost.saturating_add(attempt.charge);
        let window = self.scenario.window;
        if request.arrived >= window.warmup {
            let provider = &mut self.tally.providers[p];
            provider.outcomes[attempt.outcome.index()] += 1;
            provider.cost += u128::from(attempt.charge);
            provider.input += u128::from(attempt.input);
            provider.output += u128::from(attempt.written);
        }
        let counted = self.now.min(window.end).since(attempt.sent.max(window.warmup));
        self.tally.providers[p].busy += u128::from(counted.nanos());
        if succeeded {
            let ttft = (attempt.sent + attempt.first_token).since(request.arrived);
            self.end(attempt.request, Outcome::Success, ttft);
            self.admit();
        } else {
            self.failed(attempt.request, attempt.outcome, attempt.retry_after);
        }
    }

    /// An attempt has failed, or there was nobody to make it at: the request tries again or ends.
    fn failed(&mut self, slot: u32, outcome: Outcome, retry_after: Option<Span>) {
        let request = &self.requests[slot];
        let failed = Failed {
            outcome,
            attempts: request.attempts,
            retry_after,
        };
        let key = request.key.attempt(u64::from(request.attempts.saturating_sub(1)));
        let deadline = request.deadline;
        match self.scenario.client.retry.delay(&failed, key) {
            Some(wait) => {
                self.requests[slot].place = Place::Between;
                self.push_unless_late(slot, self.now + wait, deadline, Event::TryAgain(slot));
            }
            None => {
                self.end(slot, outcome, Span::ZERO);
                self.admit();
            }
        }
    }

    /// The request in `slot` ends: the only way out of the system.
    #[inline]
    pub(super) fn end(&mut self, slot: u32, outcome: Outcome, ttft: Span) {
        let request = &self.requests[slot];
        if request.entered {
            self.gate.leave(self.now);
        }
        let e2e = self.now.since(request.arrived);
        let succeeded = outcome == Outcome::Success;
        if let Some(bin) = self.tally.series.bin() {
            if succeeded {
                bin.successes += 1;
                bin.e2e += u128::from(e2e.nanos());
            } else {
                bin.failures += 1;
            }
        }
        let window = self.scenario.window;
        if succeeded && self.now >= window.warmup && self.now < window.end {
            self.tally.serve(ttft, e2e, &self.scenario.good);
        }
        if request.arrived >= window.warmup {
            let quality = if succeeded {
                self.scenario.fleet[request.provider as usize].provider.quality[usize::from(request.ask.class)]
            } else {
                0
            };
            let ending = Ending {
                outcome,
                ttft,
                e2e,
                waited: request.waited,
                cost: request.cost,
                quality,
            };
            self.tally.finish(&request.ask, &ending);
        }
        self.requests.remove(slot);
    }
}

/// Output tokens written when the caller hangs up after `lasts`, at a steady speed between the first and the last.
fn written_by(answer: &Answer, output: u32, lasts: Span) -> u32 {
    if lasts < answer.first_token || output == 0 {
        return 0;
    }
    let decoding = u128::from((answer.ends - answer.first_token).nanos()).max(1);
    let passed = u128::from((lasts - answer.first_token).nanos());
    1 + (u128::from(output - 1) * passed / decoding).min(u128::from(output - 1)) as u32
}
