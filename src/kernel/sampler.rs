//! What the hot path draws from: a law compiled to a table, or a constant, which uses no random bits.

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
        }
    }

    /// The value for 64 uniform bits, for callers that have a stream of them.
    #[inline]
    pub fn at(&self, draw: u64) -> f64 {
        match self {
            Sampler::Constant(value) => *value,
            Sampler::Table(table) => table.at(draw),
        }
    }

    /// The value for `key` and `purpose` (see [`Sampler::draw`]), rounded to a whole count of at least `least`.
    #[inline]
    pub fn count(&self, key: Key, purpose: Purpose, least: u32) -> u32 {
        ((self.draw(key, purpose) + 0.5) as u32).max(least)
    }
}
