//! One quota of any kind: a ledger that knows its window, and a rule that knows what an attempt costs.

use std::fmt;

use super::charge::Counting;
use super::{Limit, Spent, Unit};
use crate::kernel::time::{Span, Time};
use crate::words::{Ask, Left};

/// The memory of a quota: how much was charged when, and what that leaves.
pub(super) trait Ledger: Clone + fmt::Debug + Send + Sync + 'static {
    /// The earliest time at which `need` fits if nothing else is charged: `now` if it does already, [`Time::NEVER`] if
    /// it never can.
    fn ready_at(&mut self, now: Time, need: u64) -> Time;

    /// Charges `amount` at `now`, whether it fits or not.
    fn charge(&mut self, now: Time, amount: u64);

    /// Corrects a charge of `was`, made at `since`, to `is`, at `now`.
    fn correct(&mut self, now: Time, since: Time, was: u64, is: u64);

    /// What is left, and when the quota is whole again.
    fn left(&mut self, now: Time) -> Left;
}

/// A quota: the rule by which attempts are counted, and the ledger that remembers them.
#[derive(Clone, Debug)]
pub(super) struct Counted<L> {
    pub(super) counting: Counting,
    pub(super) ledger: L,
    pub(super) per_minute: Option<u64>,
    /// How much it lets through at once, and how long until all of that may be used again.
    pub(super) window: (u64, Span),
    /// All that was charged since the start, as corrected since.
    pub(super) used: u64,
}

impl<L: Ledger> Limit for Counted<L> {
    #[inline]
    fn ready_at(&mut self, now: Time, ask: &Ask) -> Time {
        let need = if self.counting.at_end {
            1
        } else {
            self.counting.reserved(ask)
        };
        self.ledger.ready_at(now, need)
    }

    #[inline]
    fn charge(&mut self, now: Time, ask: &Ask) {
        if !self.counting.at_end {
            let reserved = self.counting.reserved(ask);
            self.used += reserved;
            self.ledger.charge(now, reserved);
        }
    }

    #[inline]
    fn settle(&mut self, now: Time, spent: &Spent) {
        let settled = self.counting.settled(&spent.ask, &spent.usage);
        if self.counting.at_end {
            self.used += settled;
            self.ledger.charge(now, settled);
            return;
        }
        let reserved = self.counting.reserved(&spent.ask);
        if settled != reserved {
            self.used = (self.used + settled).saturating_sub(reserved);
            self.ledger.correct(now, spent.since, reserved, settled);
        }
    }

    fn listens(&self) -> bool {
        self.counting.listens()
    }

    fn unit(&self) -> Unit {
        self.counting.unit
    }

    fn left(&mut self, now: Time) -> Option<Left> {
        Some(self.ledger.left(now))
    }

    fn per_minute(&self) -> Option<u64> {
        self.per_minute
    }

    fn window(&self) -> Option<(u64, Span)> {
        Some(self.window)
    }

    fn used(&self, _now: Time) -> u128 {
        u128::from(self.used)
    }

    fn most(&self, over: Span) -> Option<u128> {
        let (limit, window) = self.window;
        let most = u128::from(limit).checked_mul(u128::from(over.nanos()))?;
        most.checked_div(u128::from(window.nanos()))
    }

    fn fresh(&self) -> Box<dyn Limit> {
        Box::new(self.clone())
    }
}

/// Converts `limit` in every `window` nanoseconds to a rate per minute.
pub(super) fn by_the_minute(limit: u64, window: u64) -> u64 {
    let minute = u128::from(limit) * 60_000_000_000 / u128::from(window.max(1));
    u64::try_from(minute).unwrap_or(u64::MAX)
}

/// Converts `limit` in every `window` to a rate per minute, for windows of at most an hour; `None` for longer ones. A
/// daily quota is not published by the minute, and a client that weighs providers by their minutes would take a
/// thousand requests a day for none.
pub(super) fn minutely(limit: u64, window: u64) -> Option<u64> {
    (window <= 3_600_000_000_000).then(|| by_the_minute(limit, window))
}
