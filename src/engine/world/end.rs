//! What follows a failed try: a retry, a fallback or the end; and the end of a request, the only way out of the system.

use crate::client::limiter::Done;
use crate::client::retry::{At, Failed, Next, To};
use crate::engine::event::Event;
use crate::engine::lens::Seen;
use crate::engine::tally::Ending;
use crate::engine::watch::{self, What};
use crate::kernel::time::{Span, Time};
use crate::routing::Restriction;
use crate::words::Outcome;
use crate::words::UNRATED;

use super::judge::KEPT;
use super::{Place, UNJUDGED, World};

impl World<'_> {
    /// Handles a try that failed at `provider`, or for which no provider was available: the request retries or gives up
    /// here.
    pub(super) fn failed(&mut self, slot: u32, outcome: Outcome, retry_after: Option<Span>, provider: Option<usize>) {
        self.retry_over(slot);
        if self.is_impatient && self.is_left(slot) {
            // An attempt without a first token ends in `abandon`: this answer had begun, unless a judge was to see it first.
            let unseen = self.wants.judges;
            return self.end_left(slot, if unseen { Outcome::Abandoned } else { outcome });
        }
        let request = &self.requests[slot];
        let failed = Failed {
            now: self.now,
            outcome,
            attempts: request.tries,
            provider,
            group: usize::from(request.group),
            retry_after,
        };
        let key = request.key.attempt(u64::from(request.attempts.saturating_sub(1)));
        let (deadline, mut memory) = (request.deadline, request.memory);
        let restriction = Restriction {
            members: self.scenario.client.members(request.group),
            barred: self.budget.as_mut().and_then(|b| b.barred(self.now, &request.ask)),
            excluded: &[],
        };
        let fleet = self.gateways[usize::from(request.gateway)]
            .fleet(request.group, self.now)
            .within(&restriction);
        // What the budget had denied before; only stories ask for it.
        let denied = self.watch.is_some().then(|| self.retry.denied());
        // A prompt that is too long for the model stays so on every retry; the model of another group may take it.
        let next = if outcome == Outcome::ContextExceeded {
            Next::STOP
        } else {
            self.retry.next(&failed, &fleet, key, &mut memory)
        };
        if denied.is_some_and(|before| self.retry.denied() > before) {
            self.note(slot, |_| What::Denied);
        }
        let request = &mut self.requests[slot];
        request.memory = memory;
        request.place = Place::Between;
        request.failure = outcome;
        request.hedge_at = Time::NEVER;
        match next {
            Next::Again { after, to } => {
                request.to = to;
                let same = to == To::Same;
                if let (true, Some(p)) = (same, provider) {
                    // A hedge may have gone to another provider since.
                    request.provider = p as u32;
                }
                request.retrying = self.retry_listens;
                request.retry_of = provider.map_or(u32::MAX, |p| p as u32);
                let own = self.gateway_takes(slot);
                let after = after + own;
                self.note(slot, |_| What::TriesAgain { outcome, after, same });
                self.push_unless_late(slot, self.now + after, deadline, Event::TryAgain(slot));
            }
            Next::GiveUp { after, told } if after > Span::ZERO => {
                request.failure = told.unwrap_or(outcome);
                self.note(slot, |_| What::GivesUp { outcome, after });
                self.push_unless_late(slot, self.now + after, deadline, Event::Resolve(slot));
            }
            Next::GiveUp { told, .. } => {
                request.failure = told.unwrap_or(outcome);
                self.resolve(slot);
            }
        }
    }

    /// If the last try of the request in `slot` was a retry that the retry rule watches, tells the rule that it is
    /// over.
    #[inline]
    pub(super) fn retry_over(&mut self, slot: u32) {
        let request = &mut self.requests[slot];
        if self.retry_listens && request.retrying {
            request.retrying = false;
            self.retry.over(At {
                group: usize::from(request.group),
                provider: (request.retry_of != u32::MAX).then_some(request.retry_of as usize),
            });
        }
    }

    /// Ends the tries of the request in `slot` at its group of providers: it falls back, or ends.
    pub(super) fn resolve(&mut self, slot: u32) {
        let fallback = &self.scenario.client.fallback;
        let request = &mut self.requests[slot];
        let failure = request.failure;
        let first = *request.first_failure.get_or_insert(failure);
        if self.wants.falls_back && failure != Outcome::TimeoutTotal && self.takes_a_detour(slot) {
            return;
        }
        let request = &mut self.requests[slot];
        let next = match &self.scenario.client.groups {
            _ if failure == Outcome::TimeoutTotal => None,
            Some(groups) => groups.next(&mut self.trails[slot as usize], request.group, failure),
            None if usize::from(request.fallbacks) >= fallback.most => None,
            None => fallback
                .next(usize::from(request.group), failure)
                .map(|group| group as u8),
        };
        match next {
            Some(group) => {
                if !self.gates.is_empty() {
                    self.leave_group(slot, failure);
                }
                let request = &mut self.requests[slot];
                request.group = group;
                request.fallbacks = request.fallbacks.saturating_add(1);
                request.notes = 0;
                self.note(slot, |_| What::FallsBack(group));
                self.start_over(slot);
            }
            None if request.kept != u32::MAX && failure != Outcome::TimeoutTotal => {
                request.provider = request.kept;
                request.quality = request.kept_quality;
                request.supposed = request.kept_supposed;
                if request.supposed {
                    self.supposed[slot as usize].swap(0, KEPT);
                }
                let ttft = self.now.since(request.arrived);
                self.finish_request(slot, Outcome::Success, ttft);
                self.admit();
            }
            None => {
                let groups = self.scenario.client.groups.as_ref();
                let tells_first =
                    groups.map_or(fallback.tells_first, |g| g.tells_first) && failure != Outcome::TimeoutTotal;
                self.end(slot, if tells_first { first } else { failure }, Span::ZERO);
                self.admit();
            }
        }
    }

    /// Asks the policy whether it sends the request in `slot` elsewhere. Returns whether it does: then it is under way.
    #[inline(never)]
    fn takes_a_detour(&mut self, slot: u32) -> bool {
        let request = &mut self.requests[slot];
        if request.detours == u8::MAX {
            return false;
        }
        let call = request.call(false);
        let goes = self.gateways[usize::from(request.gateway)].policy.fall_back(&call);
        request.notes = call.notes.get();
        if goes {
            request.detours += 1;
            self.note(slot, |_| What::Detour);
            self.start_over(slot);
        }
        goes
    }

    /// Routes the request in `slot` as if for the first time.
    fn start_over(&mut self, slot: u32) {
        let request = &mut self.requests[slot];
        request.tries = 0;
        request.to = To::Anew;
        request.memory = 0;
        if request.arrived >= self.scenario.window.warmup {
            self.tally.effort.fallbacks += 1;
        }
        let deadline = request.deadline;
        match self.gateway_takes(slot) {
            Span::ZERO => self.route(slot),
            own => self.push_unless_late(slot, self.now + own, deadline, Event::TryAgain(slot)),
        }
    }

    /// The gateway's own time before the next attempt at the request in `slot`.
    #[inline]
    fn gateway_takes(&self, slot: u32) -> Span {
        let Some(own) = &self.scenario.client.gateway_time else {
            return Span::ZERO;
        };
        let request = &self.requests[slot];
        own.between(request.key.attempt(u64::from(request.attempts)))
    }

    /// Ends the request in `slot`: the only way out of the system.
    #[inline(never)]
    pub(super) fn end(&mut self, slot: u32, outcome: Outcome, ttft: Span) {
        self.finish_request(slot, outcome, ttft);
    }

    /// What a watcher is told of the end of the request in `slot`.
    pub(super) fn ending(&self, slot: u32, outcome: Outcome, ttft: Span) -> What {
        let request = &self.requests[slot];
        What::Ended(watch::Ending {
            ask: request.ask,
            arrived: request.arrived,
            outcome,
            ttft,
            waited: request.waited,
            cost: request.cost,
            shadow: request.shadow,
        })
    }

    #[inline(always)]
    pub(super) fn finish_request(&mut self, slot: u32, outcome: Outcome, ttft: Span) {
        self.retry_over(slot);
        if !self.gates.is_empty() {
            self.leave_group(slot, outcome);
        }
        let request = &mut self.requests[slot];
        request.hedge_at = Time::NEVER;
        if request.entered != Time::NEVER {
            self.gate.leave(self.now, || Done {
                now: self.now,
                entered: request.entered,
                outcome,
                ask: request.ask,
                in_flight: request.beside,
            });
        }
        let e2e = self.now.since(request.arrived);
        let succeeded = outcome == Outcome::Success;
        if let Some(bin) = self.tally.series.bin() {
            bin.cost += u128::from(request.cost);
            if succeeded {
                bin.successes += 1;
                bin.e2e += u128::from(e2e.nanos());
            } else {
                bin.failures += 1;
            }
        }
        for incident in &mut self.tally.incidents {
            incident.note_request(self.now, succeeded);
        }
        let window = self.scenario.window;
        let seen = Seen {
            class: request.ask.class,
            tags: request.ask.tags,
            arrived: request.arrived,
            provider: request.provider,
            output: request.ask.output,
            is_hit: false,
        };
        let quality = if !succeeded {
            UNRATED
        } else if request.quality != UNJUDGED {
            request.quality
        } else {
            self.scenario.fleet[request.provider as usize].provider.quality[usize::from(request.ask.class)]
        };
        let hit = if succeeded && !self.stores.is_empty() {
            self.answered(slot, quality)
        } else {
            None
        };
        let (request, seen) = (
            &self.requests[slot],
            Seen {
                is_hit: hit.is_some(),
                ..seen
            },
        );
        if succeeded && self.now >= window.warmup && self.now < window.end {
            let good = &self.scenario.good[usize::from(request.ask.class)];
            let is_good = good.holds(ttft, e2e, request.waited, request.ask.output);
            self.tally.serve(is_good);
            if !self.tally.lenses.is_empty() {
                self.tally.see_served(&self.scenario.lenses, &seen, self.now, is_good);
            }
        }
        if request.arrived >= window.warmup {
            let ending = Ending {
                outcome,
                ttft,
                e2e,
                waited: request.waited,
                cost: request.cost,
                quality,
                hit,
            };
            self.tally.finish(&request.ask, &ending);
            if self.wants.judges && quality != UNRATED {
                self.suppose(slot, seen.class, quality);
            }
            if !self.tally.lenses.is_empty() {
                self.tally.see_end(&self.scenario.lenses, &seen, &ending);
            }
        }
        self.note(slot, |world| world.ending(slot, outcome, ttft));
        if self.follows_ends {
            self.follow(slot, outcome, ttft);
        }
        self.requests.remove(slot);
    }
}
