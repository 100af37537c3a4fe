//! The rate of exchange between the dollar and the currency of an experiment.

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
