//! The age of what policies know: counts as they were at the last refresh, and news that reach a policy when the next one comes.
//!
//! One place stands between the engine and every policy, so that none has to know of it. At each tick the counts are taken as they are
//! before whatever happens then, and the news since the last tick are told in their order. A policy that is told late of a call hears of
//! its end late too, with what it left in the call's ticket.

use std::collections::BTreeMap;

use crate::client::Age;
use crate::kernel::time::{Span, Time};
use crate::routing::{Call, Fleet, Sight};
use crate::words::{Ended, Headers};

use super::{Gateway, World};

/// What policies know, and what they do not know yet.
#[derive(Debug)]
pub(super) struct Aged {
    age: Age,
    every: Span,
    /// The next tick.
    pub(super) at: Time,
    providers: usize,
    /// By gateway and provider, the calls under way and in line at the last tick.
    then: Vec<(u32, u32)>,
    /// By gateway and provider, the calls that other gateways had under way at the last tick.
    others: Vec<u32>,
    /// The news since then, with the gateway that they are from.
    news: Vec<(u16, News)>,
    /// What the policy left in the ticket of each call that it was told of and that is not over, by the number of the call.
    tickets: BTreeMap<u64, u64>,
    /// The number of the next call.
    next_call: u64,
}

/// Something that a policy is told.
#[derive(Debug)]
enum News {
    Learned(Ended),
    Read(Ended, Headers),
    Sent(Box<Call>, usize, u64),
    Ended(Ended),
}

impl Aged {
    /// What is known at the beginning of a replication whose plan begins at `origin`.
    pub(super) fn new(age: Age, origin: Time, gateways: usize, providers: usize) -> Aged {
        let (Age::Refreshed(every) | Age::Synced(every)) = age;
        let synced = matches!(age, Age::Synced(_));
        Aged {
            age,
            every,
            at: Time::from_nanos(match origin.nanos() % every.nanos() {
                0 => every.nanos(),
                part => part,
            }),
            providers,
            then: if synced {
                Vec::new()
            } else {
                vec![(0, 0); gateways * providers]
            },
            others: if synced {
                vec![0; gateways * providers]
            } else {
                Vec::new()
            },
            news: Vec::new(),
            tickets: BTreeMap::new(),
            next_call: 0,
        }
    }

    /// Whether a policy is told late of the calls of its own gateway.
    #[inline]
    pub(super) fn delays_own(&self) -> bool {
        matches!(self.age, Age::Refreshed(_))
    }

    /// The load that gateway number `gateway` sees.
    #[inline]
    pub(super) fn sight(&self, gateway: usize) -> Sight<'_> {
        let own = gateway * self.providers..(gateway + 1) * self.providers;
        match self.age {
            Age::Refreshed(_) => Sight::Of(&self.then[own]),
            Age::Synced(_) => Sight::Besides(&self.others[own]),
        }
    }

    /// `call` goes to `provider`: returns the number that stands for its ticket until the policy has been told.
    pub(super) fn sent(&mut self, gateway: usize, call: &Call, provider: usize) -> u64 {
        let number = self.next_call;
        self.next_call += 1;
        let call = Box::new(call.clone());
        self.news.push((gateway as u16, News::Sent(call, provider, number)));
        number
    }

    /// A call is over whose ticket is the number that [`Aged::sent`] gave it.
    pub(super) fn ended(&mut self, gateway: usize, ended: &Ended) {
        self.news.push((gateway as u16, News::Ended(*ended)));
    }

    /// An attempt is over that a policy learns from.
    pub(super) fn learned(&mut self, gateway: usize, ended: &Ended) {
        self.news.push((gateway as u16, News::Learned(*ended)));
    }

    /// The headers of an answer are there.
    pub(super) fn read(&mut self, gateway: usize, ended: &Ended, headers: &Headers) {
        self.news.push((gateway as u16, News::Read(*ended, *headers)));
    }

    /// A tick: takes the counts, and tells the news. The next one is the first after `to`, before which nothing happens.
    pub(super) fn tick(&mut self, to: Time, gateways: &mut [Gateway], everybody: &[u32]) {
        for (g, gateway) in gateways.iter().enumerate() {
            for (p, host) in gateway.hosts.iter().enumerate() {
                let at = g * self.providers + p;
                let all = everybody.get(p).copied().unwrap_or(host.in_flight);
                match self.age {
                    Age::Refreshed(_) => self.then[at] = (all, host.in_line),
                    Age::Synced(_) => self.others[at] = all - host.in_flight,
                }
            }
        }
        self.tell(gateways);
        let further = to.since(self.at).nanos() / self.every.nanos();
        self.at += self.every.times(further.saturating_add(1));
    }

    /// Tells the news.
    pub(super) fn tell(&mut self, gateways: &mut [Gateway]) {
        let synced = !self.delays_own();
        for (from, news) in self.news.drain(..) {
            let from = usize::from(from);
            if synced {
                for (_, other) in gateways.iter_mut().enumerate().filter(|(g, _)| *g != from) {
                    match &news {
                        News::Learned(ended) => other.policy.learn(ended),
                        News::Read(ended, headers) => other.policy.read(ended, headers),
                        News::Sent(..) | News::Ended(_) => {}
                    }
                }
                continue;
            }
            let policy = &mut gateways[from].policy;
            match news {
                News::Learned(ended) => policy.learn(&ended),
                News::Read(ended, headers) => policy.read(&ended, &headers),
                News::Sent(call, provider, number) => {
                    policy.sent(&call, provider);
                    self.tickets.insert(number, call.ticket.get());
                }
                News::Ended(ended) => {
                    let ticket = self.tickets.remove(&ended.ticket).unwrap_or(0);
                    policy.ended(&Ended { ticket, ..ended });
                }
            }
        }
    }
}

impl World<'_> {
    /// Tells the policy of gateway number `gateway` that a call of it is over: now, or with the next refresh.
    pub(super) fn tell_policy_end(&mut self, gateway: usize, ended: &Ended) {
        match &mut self.aged {
            Some(aged) if aged.delays_own() => aged.ended(gateway, ended),
            _ => self.gateways[gateway].policy.ended(ended),
        }
    }

    /// What the policy learns from the attempt `ended` at gateway number `gateway`: now, or with the next refresh; and the others'
    /// policies, if they are told.
    #[inline(never)]
    pub(super) fn learn_late(&mut self, gateway: usize, ended: &Ended, headers: Option<u32>) {
        let Some(aged) = &mut self.aged else { return };
        match headers {
            None => aged.learned(gateway, ended),
            Some(slot) => aged.read(gateway, ended, &self.headers[slot as usize]),
        }
    }
}

/// The fleet as gateway number `gateway` sees it.
#[inline]
pub(super) fn as_seen<'a>(fleet: Fleet<'a>, aged: Option<&'a Aged>, gateway: usize) -> Fleet<'a> {
    match aged {
        None => fleet,
        Some(aged) => fleet.seen(aged.sight(gateway)),
    }
}
