//! What the hot path draws from: a law compiled to a table, the values of a sample, or a constant, which uses no random bits.

use std::sync::Arc;

use super::chance::{Key, Purpose};
use super::law::Law;
use super::table::Table;

/// A law made ready for drawing. Cheap to clone: copies share the table.
#[derive(Clone, Debug)]
pub enum Sampler {
    /// A constant value.
    Constant(f64),
    /// A quantile table.
    Table(Arc<Table>),
    /// Values in order, at least one, each as likely as the others.
    Values(Arc<[f64]>),
}

impl Sampler {
    /// A sampler of `law`.
    pub fn of(law: &dyn Law) -> Sampler {
        Sampler::Table(Arc::new(Table::new(law)))
    }

    /// The value for `key` and `purpose`.
    #[inline]
    pub fn draw(&self, key: Key, purpose: Purpose) -> f64 {
        match self {
            Sampler::Constant(value) => *value,
            Sampler::Table(table) => table.at(key.draw(purpose)),
            Sampler::Values(values) => one_of(values, key.draw(purpose)),
        }
    }

    /// The value for 64 uniform bits, for callers that have a stream of them.
    #[inline]
    pub fn at(&self, draw: u64) -> f64 {
        match self {
            Sampler::Constant(value) => *value,
            Sampler::Table(table) => table.at(draw),
            Sampler::Values(values) => one_of(values, draw),
        }
    }

    /// The value for `key` and `purpose` (see [`Sampler::draw`]), rounded to a whole count of at least `least`.
    #[inline]
    pub fn count(&self, key: Key, purpose: Purpose, least: u32) -> u32 {
        ((self.draw(key, purpose) + 0.5) as u32).max(least)
    }
}

/// The value that 64 uniform bits choose, non-decreasing in them.
#[inline]
fn one_of(values: &[f64], draw: u64) -> f64 {
    let place = (u128::from(draw) * values.len() as u128) >> 64;
    values[place as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every value of a sample of three has a third of the bits, from the least to the greatest.
    #[test]
    fn a_sample_is_drawn_evenly_and_in_order() {
        let sampler = Sampler::Values([1.0, 2.0, 9.0].into());
        let third = u64::MAX / 3;
        let drawn = [0, third, third + 1, 2 * third, 2 * third + 1, u64::MAX].map(|draw| sampler.at(draw));
        assert_eq!(drawn, [1.0, 1.0, 2.0, 2.0, 9.0, 9.0]);
    }
}
