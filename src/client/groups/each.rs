//! The retry rules and the breakers of groups: each group has its own, and a member of it may have its own again.

use crate::client::breaker::{Breaker, FleetBreaker, Guard, Ticket};
use crate::client::retry::{At, Failed, Next, Retry};
use crate::client::retry_budget::RetryBudget;
use crate::client::view::Fleet;
use crate::kernel::chance::Key;
use crate::kernel::time::{Span, Time};
use crate::words::Ended;

/// A retry rule for each group, and for members with one of their own; and a budget for each group that has one.
#[derive(Debug)]
pub struct ByGroup {
    rules: Vec<Box<dyn Retry>>,
    of: Vec<OfGroup>,
    denied: u64,
}

/// The retries of one group.
#[derive(Debug)]
pub struct OfGroup {
    /// The number of the group's rule.
    pub rule: usize,
    /// The number of the rule that each provider has in the group.
    pub of_providers: Vec<usize>,
    /// The budget of all of them together.
    pub budget: Option<Box<dyn RetryBudget>>,
}

impl OfGroup {
    fn rule(&self, provider: Option<usize>) -> usize {
        provider.map_or(self.rule, |p| self.of_providers[p])
    }

    /// The numbers of the group's rules, each once.
    fn rules(&self) -> impl Iterator<Item = usize> {
        let own = self.of_providers.iter().copied().filter(|&rule| rule != self.rule);
        std::iter::once(self.rule).chain(own)
    }
}

impl ByGroup {
    /// The rules `rules`; `of` says by group which ones it has.
    pub fn new(rules: Vec<Box<dyn Retry>>, of: Vec<OfGroup>) -> ByGroup {
        ByGroup { rules, of, denied: 0 }
    }
}

impl Retry for ByGroup {
    fn next(&mut self, failed: &Failed, fleet: &Fleet<'_>, key: Key, memory: &mut u64) -> Next {
        let group = &mut self.of[failed.group];
        let rule = &mut self.rules[group.rule(failed.provider)];
        let next = rule.next(failed, fleet, key, memory);
        if let (Next::Again { .. }, Some(budget)) = (next, &mut group.budget)
            && !budget.withdraw(failed.now)
        {
            self.denied += 1;
            rule.over(failed.at());
            return Next::STOP;
        }
        next
    }

    fn sent(&mut self, now: Time, attempt: u32, group: usize) {
        let of = &mut self.of[group];
        if let Some(budget) = &mut of.budget {
            budget.sent(now, attempt);
        }
        for rule in of.rules() {
            self.rules[rule].sent(now, attempt, group);
        }
    }

    fn ended(&mut self, ended: &Ended, group: usize) {
        let of = &mut self.of[group];
        if let Some(budget) = &mut of.budget {
            budget.ended();
        }
        for rule in of.rules() {
            self.rules[rule].ended(ended, group);
        }
    }

    fn over(&mut self, after: At) {
        let of = &mut self.of[after.group];
        if let Some(budget) = &mut of.budget {
            budget.over();
        }
        self.rules[of.rule(after.provider)].over(after);
    }

    fn over_at_headers(&self) -> bool {
        let of_budget = |of: &OfGroup| of.budget.as_ref().is_some_and(|budget| budget.over_at_headers());
        self.rules.iter().any(|rule| rule.over_at_headers()) || self.of.iter().any(of_budget)
    }

    fn listens(&self) -> bool {
        self.rules.iter().any(|rule| rule.listens()) || self.of.iter().any(|of| of.budget.is_some())
    }

    fn denied(&self) -> u64 {
        self.denied + self.rules.iter().map(|rule| rule.denied()).sum::<u64>()
    }

    fn fresh(&self) -> Box<dyn Retry> {
        let of = |of: &OfGroup| OfGroup {
            rule: of.rule,
            of_providers: of.of_providers.clone(),
            budget: of.budget.as_ref().map(|budget| budget.fresh()),
        };
        Box::new(ByGroup {
            rules: self.rules.iter().map(|rule| rule.fresh()).collect(),
            of: self.of.iter().map(of).collect(),
            denied: 0,
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
