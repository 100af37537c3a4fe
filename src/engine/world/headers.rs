//! Headers: when an answer begins, for a retry rule that counts until then; and the rate limits that they tell, for a policy that reads them.

use crate::engine::event::Event;
use crate::kernel::time::Span;
use crate::words::Headers;

use super::{Stage, Way, World};

impl World<'_> {
    /// If the attempt in `slot`, which lasts so long, is a retry that the retry rule watches, schedules when its answer begins.
    #[inline(never)]
    pub(super) fn expect_headers(&mut self, slot: u32, lasts: Span) {
        let attempt = &self.attempts[slot];
        let begins = attempt.answer.first_token;
        if self.requests[attempt.way.request].retrying && !attempt.way.hedge && begins < lasts {
            self.events.push(self.now + begins, Event::Headers(slot).pack());
        }
    }

    /// Handles the beginning of the answer to the attempt in `slot`, a retry.
    pub(super) fn headers_come(&mut self, slot: u32) {
        let attempt = &self.attempts[slot];
        if attempt.stage == Stage::Away {
            self.retry_over(attempt.way.request);
        }
    }

    pub(super) fn keep_headers(&mut self, slot: u32, way: Way) {
        let p = way.provider as usize;
        let account = self.scenario.fleet[p].provider.account.map(|a| &mut self.accounts[a]);
        let headers = self.endpoints[p].headers(account, self.now);
        if self.headers.len() <= slot as usize {
            self.headers.resize(slot as usize + 1, Headers::default());
        }
        self.headers[slot as usize] = headers;
    }
}
