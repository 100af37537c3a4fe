//! A tariff in another currency: what a provider takes for each dollar of its list price.
//!
//! A relay that charges 1 yuan where the list says 1 dollar, beside an official price of 7.3 yuan for it, is cheaper by the
//! rate of exchange alone. All money of such an experiment is counted in its currency, in millionths of a millionth.

use super::Price;
use crate::form::exchange::Exchange;
use crate::kernel::time::Span;
use crate::words::Usage;

/// A tariff billed at a rate of exchange.
#[derive(Debug)]
pub struct Exchanged {
    /// The tariff in dollars.
    pub price: Box<dyn Price>,
    /// What is taken for a dollar.
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
    fn of(&self, usage: &Usage) -> u64 {
        self.short(self.price.of(usage))
    }

    fn standing(&self, for_so_long: Span) -> u128 {
        self.at.of(self.price.standing(for_so_long))
    }

    fn per_token(&self) -> Option<(u64, u64)> {
        let (input, output) = self.price.per_token()?;
        Some((self.short(input), self.short(output)))
    }
}
