//! A request's way through the named groups, and the limits that it passes at each.

use crate::client::gate::{Blocked, Gate};
use crate::client::groups::{Group, Groups, Trail};
use crate::client::limiter::Done;
use crate::kernel::chance::Key;
use crate::kernel::time::Time;
use crate::words::Outcome;

use super::World;

/// The most limiters of a group whose randomness stays apart from the next group's.
const LIMITERS_EACH: u64 = 1 << 16;

/// The gates of the groups, empty if none has limits. `own` is the randomness of their limiters.
pub(super) fn gates(groups: Option<&Groups>, own: Key) -> Vec<Option<Gate>> {
    let Some(groups) = groups.filter(|groups| groups.are_limited()) else {
        return Vec::new();
    };
    let gate = |(g, group): (usize, &Group)| {
        let first = 1 + g as u64 * LIMITERS_EACH;
        let limiters = group.limiters.iter().enumerate();
        let limiters = limiters
            .map(|(i, limiter)| limiter.fresh(own.part(first + i as u64)))
            .collect();
        group.is_limited().then(|| Gate::new(limiters, group.max_in_flight))
    };
    groups.of.iter().enumerate().map(gate).collect()
}

impl World<'_> {
    /// Forgets the groups that the request in `slot` before has been at.
    #[inline(never)]
    pub(super) fn set_out(&mut self, slot: u32) {
        if self.trails.len() <= slot as usize {
            self.trails.resize(slot as usize + 1, Trail::NONE);
        }
        self.trails[slot as usize] = Trail::NONE;
    }

    /// Whether the request in `slot` is at its group, or passes the limits of it now. If not, it has been answered with the gateway's
    /// own 429.
    #[inline(never)]
    pub(super) fn enters_group(&mut self, slot: u32) -> bool {
        let request = &mut self.requests[slot];
        let trail = &mut self.trails[slot as usize];
        let Some(gate) = &mut self.gates[usize::from(request.group)] else {
            return true;
        };
        if trail.entered != Time::NEVER {
            return true;
        }
        let (group, tells_apart) = (request.group, !self.scenario.client.rules.all.is_empty());
        let Err(blocked) = gate.enter(self.now, &request.ask) else {
            trail.entered = self.now;
            trail.beside = gate.in_flight();
            if tells_apart {
                self.asked_at_group(slot, group, false);
            }
            return true;
        };
        let retry_after = match blocked {
            Blocked::Until(at) => Some(at.since(self.now)),
            Blocked::Full | Blocked::Held | Blocked::Rejected | Blocked::Never => None,
        };
        request.tries += 1;
        if tells_apart {
            self.asked_at_group(slot, group, true);
        }
        self.failed(slot, Outcome::RateLimited, retry_after, None);
        false
    }

    /// The request in `slot` leaves its group, if the limits of that let it in: it failed there, or has ended.
    #[inline(never)]
    pub(super) fn leave_group(&mut self, slot: u32, outcome: Outcome) {
        let Some(trail) = self.trails.get_mut(slot as usize) else {
            return;
        };
        let request = &self.requests[slot];
        let entered = std::mem::replace(&mut trail.entered, Time::NEVER);
        let Some(gate) = self.gates[usize::from(request.group)]
            .as_mut()
            .filter(|_| entered != Time::NEVER)
        else {
            return;
        };
        gate.leave(self.now, || Done {
            now: self.now,
            entered,
            outcome,
            ask: request.ask,
            in_flight: trail.beside,
        });
    }
}
