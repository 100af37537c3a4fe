//! The retry rules and the breakers of groups: each group has its own, and a member of it may have its own again.

use crate::client::breaker::{Breaker, FleetBreaker, Guard, Ticket};
use crate::client::retry::{Failed, Next, Retry};
use crate::client::view::Fleet;
use crate::kernel::chance::Key;
use crate::kernel::time::{Span, Time};
use crate::words::Ended;

/// A retry rule for each group, and for members with one of their own.
#[derive(Debug)]
pub struct ByGroup {
    rules: Vec<Box<dyn Retry>>,
    /// By group: the number of its rule, and that of each provider's.
    which: Vec<(usize, Vec<usize>)>,
}

impl ByGroup {
    /// The rules `rules`; `which` says by group which one is the group's, and which one each provider has there.
    pub fn new(rules: Vec<Box<dyn Retry>>, which: Vec<(usize, Vec<usize>)>) -> ByGroup {
        ByGroup { rules, which }
    }
}

impl Retry for ByGroup {
    fn next(&mut self, failed: &Failed, fleet: &Fleet<'_>, key: Key, memory: &mut u64) -> Next {
        let (of_group, of_provider) = &self.which[failed.group];
        let rule = failed.provider.map_or(*of_group, |p| of_provider[p]);
        self.rules[rule].next(failed, fleet, key, memory)
    }

    fn sent(&mut self, now: Time, attempt: u32) {
        self.rules.iter_mut().for_each(|rule| rule.sent(now, attempt));
    }

    fn ended(&mut self, ended: &Ended) {
        self.rules.iter_mut().for_each(|rule| rule.ended(ended));
    }

    fn over(&mut self) {
        self.rules.iter_mut().for_each(|rule| rule.over());
    }

    fn listens(&self) -> bool {
        self.rules.iter().any(|rule| rule.listens())
    }

    fn denied(&self) -> u64 {
        self.rules.iter().map(|rule| rule.denied()).sum()
    }

    fn fresh(&self) -> Box<dyn Retry> {
        Box::new(ByGroup {
            rules: self.rules.iter().map(|rule| rule.fresh()).collect(),
            which: self.which.clone(),
        })
    }
}

/// The breakers of one group: one for each member, or one for all that have none of their own.
#[derive(Debug, Default)]
pub struct Watch {
    /// The breaker of all, which knows the members as a fleet of their own.
    all: Option<Box<dyn FleetBreaker>>,
    /// The own breaker of each provider, where it has one.
    each: Vec<Option<Box<dyn Breaker>>>,
    /// The place of each provider among the members.
    places: Vec<usize>,
}

impl Watch {
    /// The breakers by `guard`, which was built for `members` alone, numbers among so many `providers`.
    pub fn new(providers: usize, members: &[usize], guard: Guard) -> Watch {
        let mut watch = Watch {
            all: None,
            each: (0..providers).map(|_| None).collect(),
            places: vec![0; providers],
        };
        for (place, &p) in members.iter().enumerate() {
            watch.places[p] = place;
            watch.each[p] = guard.of_one(Key::NONE);
        }
        watch.all = guard.of_all(Key::NONE);
        watch
    }

    /// Gives provider `p` a breaker of its own.
    pub fn give(&mut self, p: usize, breaker: Box<dyn Breaker>) {
        self.each[p] = Some(breaker);
    }
}

impl FleetBreaker for Watch {
    fn is_out(&self, provider: usize, now: Time) -> bool {
        match (&self.each[provider], &self.all) {
            (Some(each), _) => !each.permits(now),
            (None, Some(all)) => all.is_out(self.places[provider], now),
            (None, None) => false,
        }
    }

    #[inline]
    fn permits(&self, provider: usize, now: Time) -> bool {
        match (&self.each[provider], &self.all) {
            (Some(each), _) => each.permits(now),
            (None, Some(all)) => all.permits(self.places[provider], now),
            (None, None) => true,
        }
    }

    fn sent(&mut self, provider: usize, now: Time) -> Ticket {
        match (&mut self.each[provider], &mut self.all) {
            (Some(each), _) => each.sent(now),
            (None, Some(all)) => all.sent(self.places[provider], now),
            (None, None) => Ticket::default(),
        }
    }

    fn record(&mut self, ticket: Ticket, ended: &Ended) {
        match (&mut self.each[ended.provider], &mut self.all) {
            (Some(each), _) => each.record(ticket, ended),
            (None, Some(all)) => {
                let provider = self.places[ended.provider];
                all.record(ticket, &Ended { provider, ..*ended });
            }
            (None, None) => {}
        }
    }

    fn time_open(&self, provider: usize, now: Time) -> Span {
        match (&self.each[provider], &self.all) {
            (Some(each), _) => each.time_open(now),
            (None, Some(all)) => all.time_open(self.places[provider], now),
            (None, None) => Span::ZERO,
        }
    }

    fn trips(&self, provider: usize) -> u64 {
        match (&self.each[provider], &self.all) {
            (Some(each), _) => each.trips(),
            (None, Some(all)) => all.trips(self.places[provider]),
            (None, None) => 0,
        }
    }

    fn fresh(&self, own: Key) -> Box<dyn FleetBreaker> {
        let each = |(p, each): (usize, &Option<Box<dyn Breaker>>)| Some(each.as_ref()?.fresh(own.part(p as u64)));
        Box::new(Watch {
            all: self.all.as_ref().map(|all| all.fresh(own)),
            each: self.each.iter().enumerate().map(each).collect(),
            places: self.places.clone(),
        })
    }
}
