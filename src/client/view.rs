//! The view of a policy: the request as it would go over the wire, and what the client keeps for each provider.
//!
//! Nothing here says how a provider is modelled.

use std::cell::{Cell, RefCell};

use super::breaker::FleetBreaker;
use super::host::Host;
use crate::kernel::chance::{Key, Purpose};
use crate::kernel::time::Time;
use crate::words::{Outcome, Unit};

/// One attempt to be routed, as the client knows it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Call {
    /// The class of the request. A policy that has to guess it draws its guess with [`Call::draw`].
    pub class: usize,
    /// The number of the user that asks, from 0; where the traffic has no `users`, the number of the request.
    pub user: u32,
    /// The priority of the request; lower numbers go first.
    pub priority: u8,
    /// The input of the request, in tokens.
    pub input: u32,
    /// The `max_tokens` sent along, if any.
    pub max_output: Option<u32>,
    /// The number of attempts already made at this request.
    pub attempts: u32,
    /// The provider to which the last attempt went, if there was one.
    pub last: Option<usize>,
    /// The failure of the last try; [`Outcome::Success`] if none has failed.
    pub failure: Outcome,
    /// The number of answers to this request that a judge has turned down.
    pub rejected: u32,
    /// The number of the named group that the request is at; 0 where there are none.
    pub group: usize,
    /// Whether this is a further copy of a request that is under way.
    pub hedge: bool,
    /// Whether this is a mirrored copy: its answer is not waited for.
    pub mirrored: bool,
    /// The randomness of the request.
    pub request: Key,
    /// The randomness of this attempt.
    pub attempt: Key,
    /// The policy's own memory for this request: 0 at first, then what it last put there. It belongs to one policy: of
    /// several inside one another only one may use it ([`crate::routing::Wants::notes`]).
    pub notes: Cell<u64>,
    /// The policy's own memory for this attempt: 0 at first. What `Policy::sent` leaves here comes back in
    /// [`crate::words::Ended::ticket`]. It belongs to one policy, like [`Call::notes`].
    pub ticket: Cell<u64>,
}

impl Call {
    /// The first attempt at a request of `class`, keyed by `request`, about which nothing else is known.
    pub const fn new(class: usize, request: Key) -> Call {
        Call {
            class,
            user: 0,
            priority: 1,
            input: 0,
            max_output: None,
            attempts: 0,
            last: None,
            failure: Outcome::Success,
            rejected: 0,
            group: 0,
            hedge: false,
            mirrored: false,
            request,
            attempt: request,
            notes: Cell::new(0),
            ticket: Cell::new(0),
        }
    }

    /// A uniform draw for this attempt's choice.
    #[inline]
    pub fn draw(&self) -> u64 {
        self.attempt.draw(Purpose::Route)
    }

    /// A uniform draw for the whole request, the same at every attempt.
    #[inline]
    pub fn draw_once(&self) -> u64 {
        self.request.draw(Purpose::Route)
    }
}

/// The state that the client keeps for each provider, read-only.
#[derive(Clone, Copy, Debug)]
pub struct Fleet<'a> {
    hosts: &'a [Host],
    guard: Option<&'a dyn FleetBreaker>,
    now: Time,
    restriction: Option<&'a Restriction<'a>>,
    only: Option<&'a [bool]>,
    everybody: Option<&'a [u32]>,
    sight: Option<Sight<'a>>,
    heard: Option<&'a Grounds>,
}

/// What policies say that they go by while they choose, for the story of a request.
#[derive(Debug, Default)]
pub struct Grounds(RefCell<Vec<Ground>>);

/// A figure that a policy goes by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ground {
    /// What the figure is, in words: "mean latency".
    pub what: &'static str,
    /// The provider that it is of, by number.
    pub provider: usize,
    /// What it is counted in.
    pub unit: Unit,
    /// The figure, in that unit.
    pub value: f64,
}

impl Grounds {
    /// What was said so far; a figure that was said twice of a provider stands there once.
    pub fn take(&self) -> Vec<Ground> {
        let mut all: Vec<Ground> = Vec::new();
        for ground in self.0.take() {
            let is_same = |known: &&mut Ground| known.what == ground.what && known.provider == ground.provider;
            match all.iter_mut().find(is_same) {
                Some(known) => *known = ground,
                None => all.push(ground),
            }
        }
        all
    }
}

/// What of the load at each provider a policy sees, where that is not the client's own counts as they are now.
#[derive(Clone, Copy, Debug)]
pub enum Sight<'a> {
    /// The calls under way and those in line as they were at a moment.
    Of(&'a [(u32, u32)]),
    /// Besides the gateway's own, the calls under way that others had at a moment.
    Besides(&'a [u32]),
}

/// The reasons, besides breakers, that keep providers out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Restriction<'a> {
    /// Whether each provider is in the group that the request is at; `None` if all are.
    pub members: Option<&'a [bool]>,
    /// Whether a budget bars each provider; `None` if it bars none.
    pub barred: Option<&'a [bool]>,
    /// The providers that have a copy of the request already, where another must go elsewhere.
    pub excluded: &'a [u32],
}

impl Restriction<'_> {
    #[inline]
    fn allows(&self, index: usize) -> bool {
        self.against(index).is_none()
    }

    #[inline]
    fn against(&self, index: usize) -> Option<KeptOut> {
        if self.members.is_some_and(|m| !m[index]) {
            Some(KeptOut::Group)
        } else if self.barred.is_some_and(|b| b[index]) {
            Some(KeptOut::Budget)
        } else if self.excluded.contains(&(index as u32)) {
            Some(KeptOut::Copy)
        } else {
            None
        }
    }
}

/// A reason, besides breakers, that keeps a provider out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptOut {
    /// It is not in the group that the request is at.
    Group,
    /// A budget bars it.
    Budget,
    /// It has a copy of the request, or had the attempt that failed, and another must go elsewhere.
    Copy,
    /// A policy leaves the choice to another inside it, without this provider.
    Policy,
}

impl<'a> Fleet<'a> {
    /// The fleet at `now`.
    #[inline]
    pub fn new(hosts: &'a [Host], guard: Option<&'a dyn FleetBreaker>, now: Time) -> Fleet<'a> {
        Fleet {
            hosts,
            guard,
            now,
            restriction: None,
            only: None,
            everybody: None,
            sight: None,
            heard: None,
        }
    }

    /// This fleet, where `heard` keeps what policies say that they go by.
    #[inline]
    #[must_use]
    pub fn heard_by(self, heard: &'a Grounds) -> Fleet<'a> {
        Fleet {
            heard: Some(heard),
            ..self
        }
    }

    /// What a policy goes by at provider `index`: what it is, its unit and the figure. Asked for only while the story of a request is
    /// told, so that it may cost something.
    #[inline]
    pub fn tell(&self, index: usize, ground: impl FnOnce() -> (&'static str, Unit, f64)) {
        if let Some(heard) = self.heard {
            let (what, unit, value) = ground();
            heard.0.borrow_mut().push(Ground {
                what,
                provider: index,
                unit,
                value,
            });
        }
    }

    /// This fleet, but only those providers that `restriction` allows.
    #[inline]
    #[must_use]
    pub fn within(self, restriction: &'a Restriction<'a>) -> Fleet<'a> {
        Fleet {
            restriction: Some(restriction),
            ..self
        }
    }

    /// This fleet, but only those providers that are `among` it: what a policy leaves to another inside it. It takes
    /// the place of an earlier one, so a provider that the earlier one leaves out must be out of this one too.
    #[inline]
    #[must_use]
    pub fn only(self, among: &'a [bool]) -> Fleet<'a> {
        Fleet {
            only: Some(among),
            ..self
        }
    }

    /// This fleet, where other gateways call the providers too: the argument holds the calls under way at each
    /// provider, of all gateways together.
    #[inline]
    #[must_use]
    pub fn beside(self, everybody: &'a [u32]) -> Fleet<'a> {
        Fleet {
            everybody: Some(everybody),
            ..self
        }
    }

    /// This fleet, but of its load only what is in `sight`.
    #[inline]
    #[must_use]
    pub fn seen(self, sight: Sight<'a>) -> Fleet<'a> {
        Fleet {
            sight: Some(sight),
            ..self
        }
    }

    /// The number of providers in the fleet.
    #[inline]
    pub fn len(&self) -> usize {
        self.hosts.len()
    }

    /// Whether there are no providers.
    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty()
    }

    /// The time at which the policy chooses.
    #[inline]
    pub fn now(&self) -> Time {
        self.now
    }

    /// Whether a call may go to provider `index`: its breaker lets it through, it is in the group that the request is at, no
    /// budget bars it, and no policy around this one leaves it out.
    #[inline]
    pub fn is_open_to_calls(&self, index: usize) -> bool {
        self.is_eligible(index) && self.breaker_permits(index)
    }

    /// Whether provider `index` could take the call but for its breaker.
    #[inline]
    pub fn is_eligible(&self, index: usize) -> bool {
        self.restriction.is_none_or(|r| r.allows(index)) && self.only.is_none_or(|among| among[index])
    }

    /// What keeps provider `index` from the call, breakers aside; nothing where [`Fleet::is_eligible`] holds.
    pub fn kept_out(&self, index: usize) -> Option<KeptOut> {
        let by_policy = || self.only.is_some_and(|among| !among[index]).then_some(KeptOut::Policy);
        self.restriction.and_then(|r| r.against(index)).or_else(by_policy)
    }

    /// Whether the breaker of provider `index` lets a call through.
    #[inline]
    pub fn breaker_permits(&self, index: usize) -> bool {
        let host = &self.hosts[index];
        if host.is_closed() {
            return true;
        }
        match (host.breaker(), self.guard) {
            (Some(breaker), _) => breaker.permits(self.now),
            (None, Some(guard)) => guard.permits(index, self.now),
            (None, None) => true,
        }
    }

    /// Whether provider `index` counts as doing well, whatever else keeps calls from it or lets them through.
    pub fn is_well(&self, index: usize) -> bool {
        let host = &self.hosts[index];
        match (host.breaker(), self.guard) {
            (Some(breaker), _) => host.is_closed() || breaker.permits(self.now),
            (None, Some(guard)) => !guard.is_out(index, self.now),
            (None, None) => true,
        }
    }

    /// The number of attempts that wait for a connection to provider `index`.
    #[inline]
    pub fn in_line(&self, index: usize) -> u32 {
        match self.sight {
            Some(Sight::Of(then)) => then[index].1,
            Some(Sight::Besides(_)) | None => self.hosts[index].in_line,
        }
    }

    /// The number of attempts under way at provider `index` or in line for it.
    #[inline]
    pub fn load(&self, index: usize) -> u32 {
        self.in_flight(index).saturating_add(self.in_line(index))
    }

    /// The number of the client's own attempts under way at provider `index`, those in line not counted. Where what policies see is
    /// refreshed only now and then, as of the last time, and of every gateway.
    #[inline]
    pub fn in_flight(&self, index: usize) -> u32 {
        match self.sight {
            None => self.hosts[index].in_flight,
            Some(Sight::Of(then)) => then[index].0,
            Some(Sight::Besides(others)) => self.hosts[index].in_flight.saturating_add(others[index]),
        }
    }

    /// The load as in [`Fleet::load`], but with the calls under way that provider `index` would count if asked: those
    /// of every gateway. Only for a policy that does ask, and says when the answer is in.
    #[inline]
    pub fn load_if_asked(&self, index: usize) -> u32 {
        let under_way = match (self.sight, self.everybody) {
            (Some(Sight::Of(_)), _) | (_, None) => self.in_flight(index),
            (_, Some(all)) => all[index],
        };
        under_way.saturating_add(self.in_line(index))
    }
}
