//! Budgets as they run: what each window has spent, and what is barred for it.

use super::each::OfEach;
use super::{Budget, OnExhausted, Progress, Verdict};
use crate::kernel::clock::BoundClock;
use crate::kernel::time::{Span, Time};
use crate::words::{Ask, Ended};

/// One budget, as it runs.
#[derive(Clone, Debug)]
pub(super) struct Window {
    pub(super) length: Span,
    pub(super) ends: Time,
    pub(super) money: u128,
    pub(super) tokens: u64,
    /// The money in pico-dollars and the tokens spent in this window.
    pub(super) spent: (u128, u64),
    /// What each identity has spent, if each has the budget to itself.
    pub(super) each: Option<OfEach>,
    /// The most of each in a window so far.
    pub(super) most: (u128, u64),
    pub(super) first_spent: Option<Time>,
    pub(super) time_spent: BoundClock,
    /// The providers whose bills count; `bars` are those that are barred once the budget is spent.
    pub(super) counts: Vec<bool>,
    pub(super) bars: Vec<bool>,
    /// The provider that takes everything once the budget is spent.
    pub(super) instead: Option<usize>,
    /// What happens to a request that arrives once the budget is spent.
    pub(super) at_the_door: Option<OnExhausted>,
    /// The watched shares, in millionths.
    pub(super) alerts: Vec<u64>,
}

impl Window {
    /// Whether a budget of all requests together is spent.
    fn is_exhausted(&self) -> bool {
        self.each.is_none() && (self.spent.0 >= self.money || self.spent.1 >= self.tokens)
    }

    /// Whether the budget is spent for `ask`: that of all requests, or of its identity.
    fn is_exhausted_for(&mut self, ask: &Ask) -> bool {
        let most = (self.money, self.tokens);
        match &mut self.each {
            Some(each) => each.is_exhausted(ask, most),
            None => self.is_exhausted(),
        }
    }

    /// Whether at least so many millionths of the budget are spent.
    fn has_passed(&self, millionths: u64) -> bool {
        let part = u128::from(millionths);
        let reached = |spent: u128, limit: u128| spent.saturating_mul(1_000_000) >= limit.saturating_mul(part);
        (self.money != u128::MAX && reached(self.spent.0, self.money))
            || (self.tokens != u64::MAX && reached(u128::from(self.spent.1), u128::from(self.tokens)))
    }

    fn roll(&mut self, now: Time) {
        if now >= self.ends {
            self.time_spent.leave(self.ends);
            let over = now.since(self.ends).nanos() / self.length.nanos();
            self.ends = self.ends + Span::from_nanos(self.length.nanos().saturating_mul(over)) + self.length;
            self.spent = (0, 0);
            if let Some(each) = &mut self.each {
                each.clear();
            }
        }
    }

    /// Charges an attempt that has ended. Returns whether the budget has just been spent, for all or for the first identity of which
    /// that is so.
    fn charge(&mut self, ended: &Ended, tokens: u64) -> bool {
        let spent = match &mut self.each {
            None => {
                let before = self.is_exhausted();
                self.spent.0 = self.spent.0.saturating_add(u128::from(ended.cost));
                self.spent.1 = self.spent.1.saturating_add(tokens);
                (self.spent, !before && self.is_exhausted())
            }
            Some(each) => {
                let before = each.is_any_exhausted();
                let (spent, newly) = each.charge(ended, tokens, (self.money, self.tokens));
                (spent, newly && !before)
            }
        };
        let ((money, tokens), newly) = spent;
        self.most = (self.most.0.max(money), self.most.1.max(tokens));
        if newly {
            self.first_spent.get_or_insert(ended.now);
            self.time_spent.enter(ended.now);
        }
        newly
    }
}

/// All budgets of a client, as they run.
#[derive(Clone, Debug)]
pub(super) struct Running {
    pub(super) budgets: Vec<Window>,
    /// The providers that may not be used until something is spent or a window ends.
    pub(super) barred: Vec<bool>,
    pub(super) any_barred: bool,
    /// Whether a budget for each identity bars providers; and those that are barred for the request that was last asked about.
    pub(super) bars_some: bool,
    pub(super) barred_for: Vec<bool>,
    /// The provider that takes everything until something is spent or a window ends.
    pub(super) instead: Option<usize>,
    /// The beginning of the first window: before it nothing is charged.
    pub(super) origin: Time,
    /// The time at which the next window ends.
    pub(super) next_window: Time,
    /// The time at which each watched share was passed, budget by budget.
    pub(super) passed: Vec<Option<Time>>,
}

impl Running {
    #[inline]
    fn roll(&mut self, now: Time) {
        if now >= self.next_window {
            for budget in &mut self.budgets {
                budget.roll(now);
            }
            self.next_window = self.budgets.iter().map(|b| b.ends).min().unwrap_or(Time::NEVER);
            self.bar();
        }
    }

    fn bar(&mut self) {
        self.barred.fill(false);
        self.instead = None;
        for budget in self.budgets.iter().filter(|b| b.is_exhausted()) {
            for (barred, &bars) in self.barred.iter_mut().zip(&budget.bars) {
                *barred |= bars;
            }
            self.instead = self.instead.or(budget.instead);
        }
        self.any_barred = self.barred.contains(&true);
    }

    /// The providers that are barred for `ask`: by budgets of all requests, and by those of its own identity.
    #[inline(never)]
    fn barred_with_own(&mut self, ask: &Ask) -> Option<&[bool]> {
        self.barred_for.copy_from_slice(&self.barred);
        let mut any = self.any_barred;
        for budget in self.budgets.iter_mut().filter(|budget| budget.each.is_some()) {
            if budget.bars.contains(&true) && budget.is_exhausted_for(ask) {
                any = true;
                for (barred, &bars) in self.barred_for.iter_mut().zip(&budget.bars) {
                    *barred |= bars;
                }
            }
        }
        any.then_some(&self.barred_for[..])
    }
}

impl Budget for Running {
    fn offer(&mut self, now: Time, ask: &Ask) -> Verdict {
        self.roll(now);
        let mut verdict = Verdict::Pass;
        for budget in &mut self.budgets {
            if budget.at_the_door.is_none() || !budget.is_exhausted_for(ask) {
                continue;
            }
            match (budget.at_the_door, verdict) {
                (Some(OnExhausted::Reject), _) => {
                    if let Some(each) = &mut budget.each {
                        each.turn_away(ask);
                    }
                    return Verdict::Reject;
                }
                (Some(OnExhausted::Queue), Verdict::Wait(until)) => verdict = Verdict::Wait(until.max(budget.ends)),
                (Some(OnExhausted::Queue), _) => verdict = Verdict::Wait(budget.ends),
                _ => {}
            }
        }
        verdict
    }

    #[inline]
    fn barred(&mut self, now: Time, ask: &Ask) -> Option<&[bool]> {
        self.roll(now);
        if self.bars_some {
            return self.barred_with_own(ask);
        }
        self.any_barred.then_some(&self.barred[..])
    }

    fn refused(&self, ask: &Ask) -> Option<(usize, u32)> {
        let mut each = self.budgets.iter().enumerate();
        each.find_map(|(i, budget)| Some((i, budget.each.as_ref()?.refused(ask)?)))
    }

    fn instead(&mut self, now: Time) -> Option<usize> {
        self.roll(now);
        self.instead.filter(|&p| !self.barred[p])
    }

    fn spent(&mut self, ended: &Ended) {
        if ended.now < self.origin {
            return;
        }
        self.roll(ended.now);
        let tokens = u64::from(ended.usage.input) + u64::from(ended.usage.output);
        let (mut watched, mut newly_exhausted) = (0, false);
        for budget in &mut self.budgets {
            if budget.counts[ended.provider] {
                newly_exhausted |= budget.charge(ended, tokens);
                for (i, &share) in budget.alerts.iter().enumerate() {
                    let passed = &mut self.passed[watched + i];
                    if passed.is_none() && budget.has_passed(share) {
                        *passed = Some(ended.now);
                    }
                }
            }
            watched += budget.alerts.len();
        }
        if newly_exhausted {
            self.bar();
        }
    }

    fn alerts(&self) -> &[Option<Time>] {
        &self.passed
    }

    fn progress(&mut self, now: Time) -> Vec<Progress> {
        self.roll(now);
        let progress = |budget: &Window| Progress {
            first_spent: budget.first_spent,
            is_spent: match &budget.each {
                Some(each) => each.is_any_exhausted(),
                None => budget.is_exhausted(),
            },
            time_spent: budget.time_spent.total(now),
            most: budget.most,
        };
        self.budgets.iter().map(progress).collect()
    }

    fn fresh(&self) -> Box<dyn Budget> {
        Box::new(self.clone())
    }
}
