//! A tariff in another currency: what a provider takes for each dollar of its list price.
//!
//! A relay that charges 1 yuan where the list says 1 dollar, beside an official price of 7.3 yuan for it, is cheaper by the
//! rate of exchange alone. All money of such an experiment is counted in its currency, in millionths of a millionth.

use super::Price;
use crate::kernel::time::Span;
use crate::request::Usage;

/// A rate of exchange: units of a currency for one dollar, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange(u64);

/// One dollar's worth in millionths.
const ONE: u64 = 1_000_000;

impl Exchange {
    /// The rate of `per_dollar` units for a dollar, to the millionth; [`None`] unless it is a millionth to a million.
    pub fn new(per_dollar: f64) -> Option<Exchange> {
        (1e-6..=1e6)
            .contains(&per_dollar)
            .then_some(Exchange((per_dollar * 1e6 + 0.5) as u64))
    }

    /// What so many pico-dollars come to, rounded to the nearest.
    #[inline]
    pub fn of(self, picodollars: u128) -> u128 {
        picodollars
            .saturating_mul(u128::from(self.0))
            .saturating_add(u128::from(ONE / 2))
            / u128::from(ONE)
    }
}

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
