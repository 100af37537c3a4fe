//! Readings at set times (the ends of bins, the start and the end of counting, with the clocks of all bounds), and the
//! tally at the end.

use super::World;
use crate::engine::tally::{Bound, Tally};
use crate::kernel::time::{Span, Time};
use crate::words::BoundKind;

/// What had been counted when the warm-up was over, which is in no figure.
#[derive(Debug, Default)]
pub(super) struct Before {
    /// The readings of the bounds' clocks.
    bounds: Vec<Bound>,
    /// Retries and hedges that a budget had denied.
    denied: u64,
    /// How often the breaker of each provider had opened.
    trips: Vec<u64>,
    /// What was taken of each quota.
    used: Vec<u128>,
}

/// Shares of quotas are taken in parts of this.
const BILLION: u128 = 1_000_000_000;

impl World<'_> {
    /// Completes the tally, once no event is pending.
    pub fn finish(mut self) -> Tally {
        if let Some(mut aged) = self.aged.take() {
            aged.tell(&mut self.gateways);
        }
        while self.next_mark != Time::NEVER {
            self.mark(self.next_mark);
        }
        debug_assert!(self.requests.is_empty(), "every arrival ends");
        self.tally.pack();
        self.tally.peak_in_system = if self.wants.mirrors {
            self.most_in_system
        } else {
            self.requests.peak()
        };
        let before = self.before.take().unwrap_or_default();
        self.tally.effort.denied = self.denied() - before.denied;
        let origin = self.scenario.window.warmup;
        if let Some(budget) = &self.budget {
            for (tally, at) in self.tally.alerts.iter_mut().zip(budget.alerts()) {
                tally.passed = u64::from(at.is_some());
                tally.time = at.map_or(0, |at| u128::from(at.since(origin).nanos()));
            }
        }
        // A milestone is passed when every gateway has passed it.
        let all: Vec<_> = self.gateways.iter().map(|g| g.policy.milestones()).collect();
        for (i, tally) in self.tally.milestones.iter_mut().enumerate() {
            let last = all.iter().map(|of| of[i].at.unwrap_or(Time::NEVER)).max();
            let last = last.filter(|&at| at != Time::NEVER);
            tally.passed = u64::from(last.is_some());
            tally.time = last.map_or(0, |at| u128::from(at.since(origin).nanos()));
        }
        let counted = self.scenario.window.counted();
        let mut all_used = self.tally.used.iter();
        for (i, provider) in self.tally.providers.iter_mut().enumerate() {
            let trips: u64 = self.gateways.iter().map(|g| g.trips(i)).sum();
            provider.trips = trips - before.trips.get(i).copied().unwrap_or(0);
            provider.reserved = self.scenario.fleet[i]
                .provider
                .price
                .standing(counted, self.scenario.may_use[i]);
            let limits = &self.scenario.fleet[i].provider.limits;
            let shares = limits.iter().zip(all_used.by_ref()).filter_map(|(limit, used)| {
                let most = limit.most(counted).filter(|most| *most > 0)?;
                Some((used.saturating_mul(BILLION) / most).min(BILLION))
            });
            let busiest = shares.max().unwrap_or(BILLION);
            provider.idle = provider.reserved
                - provider.reserved / BILLION * busiest
                - provider.reserved % BILLION * busiest / BILLION;
        }
        self.tally
    }

    /// When what policies know is next brought up to date.
    pub(super) fn next_tick(&self) -> Time {
        self.aged.as_ref().map_or(Time::NEVER, |aged| aged.at)
    }

    /// Takes the reading that is due at `next_mark`: the end of a bin, the start or the end of counting, what policies know. Nothing
    /// else happens before `to`.
    pub(super) fn mark(&mut self, to: Time) {
        let (mark, window) = (self.next_mark, self.scenario.window);
        if mark >= window.warmup && self.before.is_none() {
            self.before = Some(Before {
                bounds: self.bounds(mark),
                denied: self.denied(),
                used: self.used(mark),
                trips: (0..self.endpoints.len())
                    .map(|p| self.gateways.iter().map(|g| g.trips(p)).sum())
                    .collect(),
            });
        }
        if mark == self.tally.series.current_ends() {
            self.tally.series.close_bin(self.in_system());
        }
        if mark >= window.end && self.tally.bounds.is_empty() {
            self.note_budgets(mark);
            let mut bounds = self.bounds(mark);
            for (bound, before) in bounds.iter_mut().zip(self.before.iter().flat_map(|b| &b.bounds)) {
                bound.time -= before.time;
            }
            self.tally.bounds = bounds;
            let before = self.before.iter().flat_map(|b| &b.used);
            self.tally.used = self.used(mark);
            for (used, before) in self.tally.used.iter_mut().zip(before) {
                *used = used.saturating_sub(*before);
            }
            self.tally.in_system_at_end = self.in_system() as u64;
        }
        if mark == self.next_tick()
            && let Some(aged) = &mut self.aged
        {
            aged.tick(to, &mut self.gateways, &self.everybody);
        }
        let unless_passed = |t: Time| if t > mark { t } else { Time::NEVER };
        self.next_mark = self
            .tally
            .series
            .current_ends()
            .min(unless_passed(window.warmup))
            .min(unless_passed(window.end))
            .min(self.next_tick());
    }

    /// Notes what has become of each budget by `now`, the end of counting.
    fn note_budgets(&mut self, now: Time) {
        let Some(budget) = &mut self.budget else { return };
        for (tally, course) in self.tally.budgets.iter_mut().zip(budget.progress(now)) {
            tally.spent = u64::from(course.first_spent.is_some());
            tally.time = course
                .first_spent
                .map_or(0, |at| u128::from(at.since(self.scenario.window.warmup).nanos()));
            tally.shut = u64::from(course.is_spent);
            (tally.most_money, tally.most_tokens) = course.most;
        }
    }

    /// Retries and hedges that a budget has denied so far.
    fn denied(&self) -> u64 {
        self.retry.denied() + self.hedge.as_ref().map_or(0, |h| h.denied())
    }

    /// What was taken of each quota up to `now`, in the order of [`Tally::used`].
    fn used(&self, now: Time) -> Vec<u128> {
        let own = self.endpoints.iter().flat_map(|endpoint| endpoint.used_quotas(now));
        own.chain(self.accounts.iter().flat_map(|quotas| quotas.used(now)))
            .collect()
    }

    /// The readings of every bound's clock at `now`.
    fn bounds(&mut self, now: Time) -> Vec<Bound> {
        let bound = |what, provider, limit, time: Span| Bound {
            what,
            provider,
            limit,
            time: u128::from(time.nanos()),
        };
        let number = |cap: u32| (cap != u32::MAX).then_some(u64::from(cap));
        let mut all = Vec::new();
        if let Some(cap) = number(self.gate.cap()) {
            all.push(bound(
                BoundKind::InFlight,
                None,
                Some(cap),
                self.gate.time_full().total(now),
            ));
        }
        all.push(bound(BoundKind::Limiter, None, None, self.limiter_binds.total(now)));
        if let Some(capacity) = self.admission.capacity() {
            all.push(bound(
                BoundKind::Queue,
                None,
                Some(capacity as u64),
                self.queue_full.total(now),
            ));
        }
        let budgets = self.budget.as_mut().map(|budget| budget.progress(now));
        for course in budgets.into_iter().flatten() {
            all.push(bound(BoundKind::Budget, None, None, course.time_spent));
        }
        for (i, endpoint) in self.endpoints.iter().enumerate() {
            let pool = self.scenario.fleet[i].pool;
            if let Some(most) = number(self.pools[pool].most())
                && self.scenario.pools[pool].owner == i
            {
                all.push(bound(
                    BoundKind::Connections,
                    Some(i),
                    Some(most),
                    self.pools[pool].time_full().total(now),
                ));
            }
            for full in endpoint.full_load(now) {
                all.push(bound(BoundKind::Capacity, Some(i), full.limit, full.time));
            }
            all.push(bound(BoundKind::Quota, Some(i), None, endpoint.limited(now)));
            let account = self.scenario.fleet[i].provider.account.map(|a| &self.accounts[a]);
            for full in endpoint.full_quotas(account, now) {
                all.push(bound(BoundKind::Quota, Some(i), full.limit, full.time));
            }
            // With several gateways, the time is their mean.
            let open: u64 = self
                .gateways
                .iter()
                .map(|g| g.time_open(self.scenario, i, now).nanos())
                .sum();
            let open = Span::from_nanos(open / self.gateways.len() as u64);
            all.push(bound(BoundKind::Breaker, Some(i), None, open));
        }
        all
    }
}
