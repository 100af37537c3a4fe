//! The way in, and every wait on it: asleep before the gate, in the admission queue, in line for a connection.

use crate::client::admission::{Next, Offer};
use crate::client::budget::Verdict;
use crate::engine::event::Event;
use crate::engine::watch::{Held, What};
use crate::kernel::time::{Span, Time};
use crate::words::Outcome;

use super::{Place, World};

impl World<'_> {
    #[inline]
    pub(super) fn ask_to_enter(&mut self, slot: u32) {
        if let Some(budget) = &mut self.budget {
            let ask = self.requests[slot].ask;
            match budget.offer(self.now, &ask) {
                Verdict::Pass => {}
                Verdict::Reject => {
                    self.limited_by_budget(slot);
                    return self.end(slot, Outcome::BudgetExhausted, Span::ZERO);
                }
                Verdict::Wait(until) => {
                    self.note(slot, |_| What::Asleep(Held::Budget));
                    let request = &self.requests[slot];
                    let give_up = (request.arrived + self.admission.max_wait()).min(request.deadline);
                    return self.sleep(slot, until, give_up, Event::AskAgain(slot));
                }
            }
        }
        let request = &mut self.requests[slot];
        match self.admission.offer(self.now, slot, &request.ask, &mut self.gate) {
            Offer::Enter => {
                self.entered(slot);
                self.note(slot, |_| What::LetIn);
                self.begin(slot);
            }
            Offer::Wait => self.stand_in_queue(slot),
            Offer::WaitInsteadOf(other) => {
                self.limited_in_line(other);
                self.shed_waiting(other);
                self.stand_in_queue(slot);
            }
            Offer::Sleep(until) => {
                let give_up = (request.arrived + self.admission.max_wait()).min(request.deadline);
                self.note(slot, |_| What::Asleep(Held::Limiter));
                self.sleep(slot, until, give_up, Event::AskAgain(slot));
            }
            Offer::EnterAt(at) => {
                let deadline = request.deadline;
                self.entered(slot);
                self.note(slot, |_| What::Asleep(Held::Pace));
                self.sleep(slot, at, deadline, Event::GoNow(slot));
            }
            Offer::Shed => {
                self.limited_in_line(slot);
                self.end(slot, Outcome::Shed, Span::ZERO);
            }
            Offer::Rejected => {
                self.note_rejection(slot);
                self.end(slot, Outcome::Shed, Span::ZERO);
            }
        }
    }

    /// Records that the gate has counted the request in `slot`.
    #[inline]
    fn entered(&mut self, slot: u32) {
        let request = &mut self.requests[slot];
        request.entered = self.now;
        request.beside = self.gate.in_flight();
        if self.limiter_rejects {
            self.limiter(self.limiter_holds, false);
        }
    }

    /// Records whether a limiter now holds a request back, and whether it last rejected one.
    #[inline]
    fn limiter(&mut self, holds: bool, rejects: bool) {
        self.limiter_holds = holds;
        self.limiter_rejects = rejects;
        if holds || rejects {
            self.limiter_binds.enter(self.now);
        } else {
            self.limiter_binds.leave(self.now);
        }
    }

    fn stand_in_queue(&mut self, slot: u32) {
        self.requests[slot].place = Place::Queued;
        self.queued += 1;
        self.note(slot, |world| What::Queued { queued: world.queued });
        let max_wait = self.admission.max_wait();
        self.start_wait(slot, max_wait);
        if self.admission.capacity() == Some(self.queued) {
            self.queue_full.enter(self.now);
        }
        // It may be the head now, and need less than the former head.
        self.admit();
    }

    /// Records that a limiter rejects the request in `slot`.
    #[cold]
    fn note_rejection(&mut self, slot: u32) {
        self.limiter(self.limiter_holds, true);
        self.limited_at_gate(slot);
        let request = &self.requests[slot];
        if request.arrived >= self.scenario.window.warmup && self.gate.never_passes(self.now, &request.ask) {
            self.tally.oversized += 1;
        }
    }

    /// Sheds the request in `slot` from the queue.
    fn shed_waiting(&mut self, slot: u32) {
        self.left_queue();
        self.stop_wait(slot);
        self.end(slot, Outcome::Shed, Span::ZERO);
    }

    fn sleep(&mut self, slot: u32, until: Time, give_up: Time, then: Event) {
        let request = &mut self.requests[slot];
        request.wait_since = self.now;
        request.place = Place::Asleep;
        if self.asleep == 0 {
            self.limiter(true, self.limiter_rejects);
        }
        self.asleep += 1;
        self.push_unless_late(slot, until, give_up, then);
    }

    pub(super) fn wake(&mut self, slot: u32) {
        self.stop_wait(slot);
        self.asleep -= 1;
        if self.asleep == 0 {
            self.limiter(false, self.limiter_rejects);
        }
    }

    /// Schedules `then` at `at`, or the end of the request at `give_up` if that is not later.
    pub(super) fn push_unless_late(&mut self, slot: u32, at: Time, give_up: Time, then: Event) {
        let (at, event) = if at >= give_up {
            (give_up, Event::GiveUp(slot))
        } else {
            (at, then)
        };
        self.events.push(at.max(self.now), event.pack());
    }

    #[inline]
    pub(super) fn start_wait(&mut self, slot: u32, at_most: Span) {
        let request = &mut self.requests[slot];
        request.wait_since = self.now;
        request.wait_until = (self.now + at_most).min(request.deadline);
        if request.wait_until != Time::NEVER {
            self.events.push(request.wait_until, Event::WaitOver(slot).pack());
        }
    }

    #[inline]
    pub(super) fn stop_wait(&mut self, slot: u32) {
        let request = &mut self.requests[slot];
        request.waited += self.now.since(request.wait_since);
        // One that slept is woken and then let in at the same moment: no wait is counted twice.
        request.wait_since = self.now;
        request.place = Place::Between;
    }

    /// Admits every request that may pass. One that is admitted and fails at once makes room for the next: the loop
    /// here handles that without recursion, because a long queue behind an open breaker would overflow the stack.
    #[inline]
    pub(super) fn admit(&mut self) {
        if self.admitting {
            return;
        }
        self.admitting = true;
        self.admit_all();
        self.admitting = false;
    }

    #[inline]
    fn admit_all(&mut self) {
        while self.queued > 0 {
            match self.admission.next(self.now, &mut self.gate) {
                Next::Enter(slot) => {
                    self.left_queue();
                    self.entered(slot);
                    self.go(slot);
                }
                Next::Shed(slot) => {
                    self.limited_in_line(slot);
                    self.shed_waiting(slot);
                }
                Next::Rejected(slot) => {
                    self.note_rejection(slot);
                    self.shed_waiting(slot);
                }
                Next::Held => return self.limiter(true, self.limiter_rejects),
                Next::Until(at) => {
                    self.limiter(true, self.limiter_rejects);
                    if at < self.admit_at {
                        self.admit_at = at;
                        self.events.push(at, Event::Admit.pack());
                    }
                    return;
                }
                Next::NoRequest => break,
            }
        }
        if self.asleep == 0 {
            self.limiter(false, self.limiter_rejects);
        }
    }

    fn left_queue(&mut self) {
        self.queue_full.leave(self.now);
        self.queued -= 1;
    }

    pub(super) fn go(&mut self, slot: u32) {
        self.stop_wait(slot);
        self.note(slot, |_| What::LetIn);
        self.begin(slot);
    }

    /// Begins the first try of the request in `slot`, when the gateway has taken its own time.
    #[inline]
    fn begin(&mut self, slot: u32) {
        let Some(own) = &self.scenario.client.gateway_time else {
            return self.route(slot);
        };
        let request = &self.requests[slot];
        let at = self.now + own.call(request.key);
        self.push_unless_late(slot, at, request.deadline, Event::TryAgain(slot));
    }

    pub(super) fn wait_over(&mut self, slot: u32) {
        let request = &self.requests[slot];
        if request.wait_until != self.now || request.place != Place::Queued {
            return;
        }
        let outcome = self.waited_out(slot);
        self.admission.remove(slot);
        self.left_queue();
        self.stop_wait(slot);
        self.end(slot, outcome, Span::ZERO);
        self.admit();
    }

    pub(super) fn give_up(&mut self, slot: u32) {
        if self.requests[slot].place == Place::Asleep {
            self.wake(slot);
        }
        let outcome = self.waited_out(slot);
        self.end(slot, outcome, Span::ZERO);
        self.admit();
    }
}
