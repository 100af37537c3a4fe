//! The parts that the concurrency limiters share: the number of requests inside, and what an ended call counts for.

use super::Ready;
use crate::form::build::{Built, Refusal};
use crate::form::outcomes::OutcomeList;
use crate::words::{Outcome, Outcomes};

/// The outcomes by which a provider says that it is overloaded: a 429, 503 or 529, and no answer in time.
pub(super) const OVERLOAD: Outcomes = Outcomes::TIMEOUTS.and(Outcomes::of(&[
    Outcome::RateLimited,
    Outcome::Unavailable,
    Outcome::Overloaded,
]));

/// The outcomes listed, or those of overload if there is no list.
pub(super) fn or_overload(list: Option<&OutcomeList>) -> Outcomes {
    list.map_or(OVERLOAD, OutcomeList::set)
}

/// The number of requests inside.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Slots(u32);

impl Slots {
    /// Whether one more may come in under `limit`.
    #[inline]
    pub(super) fn ready(self, limit: u32) -> Ready {
        if self.0 < limit {
            Ready::Now
        } else {
            Ready::WhenOneLeaves
        }
    }

    /// Whether none is inside.
    #[inline]
    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Counts one more request inside.
    #[inline]
    pub(super) fn enter(&mut self) {
        self.0 += 1;
    }

    /// Counts one request out. Requests that were let in past the limiters were never counted.
    #[inline]
    pub(super) fn leave(&mut self) {
        self.0 = self.0.saturating_sub(1);
    }
}

/// The bounds of a limit, and the value with which it starts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) initial: u32,
    pub(super) min: u32,
    pub(super) max: u32,
}

impl Bounds {
    /// Checks that the bounds can hold a limit: 1 ≤ min ≤ initial ≤ max.
    pub(super) fn check(self) -> Built<Bounds> {
        let Bounds { initial, min, max } = self;
        if min == 0 {
            return Err(Refusal::new("min is 0, and must be at least 1: nothing would get through").at("min"));
        }
        if max < min {
            return Err(Refusal::new(format!("max is {max}, below the min of {min}")).at("max"));
        }
        if !(min..=max).contains(&initial) {
            let text = format!("initial is {initial}, and must lie between min and max, {min} and {max}");
            return Err(Refusal::new(text).at("initial"));
        }
        Ok(self)
    }
}

/// The number of requests that `limiter`, with none inside, lets in at `now`.
#[cfg(test)]
pub(super) fn limit_of(limiter: &mut dyn super::Limiter, now: crate::kernel::time::Time) -> u32 {
    let (ask, mut free) = (crate::words::Ask::default(), 0);
    while limiter.ready(now, &ask) == Ready::Now {
        limiter.take(now, &ask);
        free += 1;
    }
    (0..free).for_each(|_| limiter.give_back());
    free
}
