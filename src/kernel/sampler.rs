//! What the hot path draws from: a law compiled to a table, single values with their probabilities, the values of a sample, or a constant, which
//! uses no random bits.

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
    /// Values in order with the last of the 64-bit numbers that stand for each, the last of which is the greatest: a table would draw what lies between
    /// two of them.
    Steps(Arc<[(u64, f64)]>),
}

impl Sampler {
    /// A sampler of `law`.
    pub fn of(law: &dyn Law) -> Sampler {
        law.atoms()
            .and_then(steps)
            .unwrap_or_else(|| Sampler::Table(Arc::new(Table::new(law))))
    }

    /// The value for `key` and `purpose`.
    #[inline]
    pub fn draw(&self, key: Key, purpose: Purpose) -> f64 {
        match self {
            Sampler::Constant(value) => *value,
            Sampler::Table(table) => table.at(key.draw(purpose)),
            Sampler::Values(values) => one_of(values, key.draw(purpose)),
            Sampler::Steps(steps) => step(steps, key.draw(purpose)),
        }
    }

    /// The value for 64 uniform bits, for callers that have a stream of them.
    #[inline]
    pub fn at(&self, draw: u64) -> f64 {
        match self {
            Sampler::Constant(value) => *value,
            Sampler::Table(table) => table.at(draw),
            Sampler::Values(values) => one_of(values, draw),
            Sampler::Steps(steps) => step(steps, draw),
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

/// A sampler of single values with their probabilities, which sum to 1; nothing if there are none.
fn steps(atoms: Vec<(f64, f64)>) -> Option<Sampler> {
    let mut below = 0.0;
    let mut steps: Vec<(u64, f64)> = (atoms.into_iter())
        .map(|(value, mass)| {
            below += mass;
            // Below 1 it is less than 2^64, and beyond the conversion saturates.
            ((below * 2.0_f64.powi(64)) as u64, value)
        })
        .collect();
    steps.last_mut()?.0 = u64::MAX;
    Some(Sampler::Steps(steps.into()))
}

/// The value that 64 uniform bits choose, non-decreasing in them.
#[inline]
fn step(steps: &[(u64, f64)], draw: u64) -> f64 {
    let place = steps.partition_point(|(last, _)| *last < draw);
    steps[place].1
}

#[cfg(test)]
mod tests {
    use super::super::law::{Constant, Law, Mixture};
    use super::*;

    /// Values that are a quarter, a half and a quarter of a law, at the edges of a table's cells, and none between them.
    #[test]
    fn single_values_are_drawn_as_often_as_they_are_likely_and_nothing_between() {
        let part = |weight, value| (weight, Box::new(Constant::new(value).unwrap()) as Box<dyn Law>);
        let law = Mixture::new(vec![part(1.0, 180.0), part(2.0, 60.0), part(1.0, 20.0)]).unwrap();
        let sampler = Sampler::of(&law);
        let n = 1 << 16;
        let drawn: Vec<f64> = (0..n).map(|i| sampler.at(i << 48 | 1 << 47)).collect();
        let counts = [20.0, 60.0, 180.0].map(|value| drawn.iter().filter(|found| **found == value).count());
        assert_eq!(counts, [n as usize / 4, n as usize / 2, n as usize / 4]);
        assert!(drawn.is_sorted());
        assert_eq!((sampler.at(0), sampler.at(u64::MAX)), (20.0, 180.0));
    }

    /// Every value of a sample of three has a third of the bits, from the least to the greatest.
    #[test]
    fn a_sample_is_drawn_evenly_and_in_order() {
        let sampler = Sampler::Values([1.0, 2.0, 9.0].into());
        let third = u64::MAX / 3;
        let drawn = [0, third, third + 1, 2 * third, 2 * third + 1, u64::MAX].map(|draw| sampler.at(draw));
        assert_eq!(drawn, [1.0, 1.0, 2.0, 2.0, 9.0, 9.0]);
    }
}
