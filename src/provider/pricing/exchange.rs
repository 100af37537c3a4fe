//! A tariff in another currency: the provider charges a fixed amount for each dollar of its list price.
//!
//! A relay that charges 1 yuan for a list price of 1 dollar, beside an official rate of 7.3 yuan, is cheaper by the
//! exchange rate alone. All money of such an experiment is counted in its currency, in millionths of a millionth.

use super::Price;
use crate::form::exchange::Exchange;
use crate::kernel::time::{Span, Time};
use crate::words::{Course, Usage};

/// A tariff billed at a rate of exchange.
#[derive(Debug)]
pub struct Exchanged {
    /// The tariff in dollars.
    pub price: Box<dyn Price>,
    /// The amount charged for each dollar.
    pub at: Exchange,
}

impl Exchanged {
    #[inline]
    fn short(&self, picodollars: u64) -> u64 {
        u64::try_from(self.at.of(u128::from(picodollars))).unwrap_or(u64::MAX)
    }
}

impl Price for Exchanged {
    #[inline]
    fn of(&self, usage: &Usage, at: Time) -> u64 {
        self.short(self.price.of(usage, at))
    }

    fn standing(&self, for_so_long: Span, may_be_used: bool) -> u128 {
        self.at.of(self.price.standing(for_so_long, may_be_used))
    }

    fn course(&self) -> Option<Course> {
        self.price.course()
    }

    fn per_token(&self) -> Option<(u64, u64)> {
        let (input, output) = self.price.per_token()?;
        Some((self.short(input), self.short(output)))
    }
}
