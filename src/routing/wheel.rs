//! Chance in proportion to weights, for the policies that want it.
//!
//! While all are open, cumulative sums and a binary search find the choice; otherwise the open ones are gone through in
//! order. Both take the same draw to the same choice when all are open.

use super::Fleet;
use crate::kernel::chance::unit;
use crate::words::Unit;

/// A roulette wheel: providers, each with a slice in proportion to its weight.
#[derive(Clone, Debug)]
pub(super) struct Wheel {
    /// The providers with a weight above 0.
    slices: Vec<(usize, f64)>,
    /// The end of each provider's slice.
    ends: Vec<f64>,
}

impl Wheel {
    /// A wheel with a slice for each weight above 0.
    pub(super) fn new(weights: impl IntoIterator<Item = (usize, f64)>) -> Wheel {
        let slices: Vec<_> = weights.into_iter().filter(|&(_, weight)| weight > 0.0).collect();
        let mut end = 0.0;
        let ends = slices
            .iter()
            .map(|&(_, weight)| {
                end += weight;
                end
            })
            .collect();
        Wheel { slices, ends }
    }

    /// Whether no provider has a weight.
    pub(super) fn is_empty(&self) -> bool {
        self.slices.is_empty()
    }

    /// Says the weights, by which chance decides.
    #[inline]
    pub(super) fn tell(&self, fleet: &Fleet<'_>) {
        for &(p, weight) in &self.slices {
            fleet.tell(p, || ("weight, by chance", Unit::Number, weight));
        }
    }

    /// The choice of `draw` among those that are `open`; `None` if none of them has a weight.
    #[inline]
    pub(super) fn spin(&self, draw: u64, open: impl Fn(usize) -> bool) -> Option<usize> {
        if self.slices.iter().all(|&(provider, _)| open(provider)) {
            let total = self.ends.last()?;
            let at = unit(draw) * total;
            let slice = self.ends.partition_point(|&end| end <= at);
            return Some(self.slices[slice.min(self.slices.len() - 1)].0);
        }
        self.spin_some(draw, open)
    }

    fn spin_some(&self, draw: u64, open: impl Fn(usize) -> bool) -> Option<usize> {
        let open = |&&(provider, _): &&(usize, f64)| open(provider);
        let total: f64 = self.slices.iter().filter(open).map(|&(_, weight)| weight).sum();
        let mut left = unit(draw) * total;
        let mut chosen = None;
        for &(provider, weight) in self.slices.iter().filter(open) {
            chosen = Some(provider);
            left -= weight;
            if left < 0.0 {
                break;
            }
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::chance::{Chance, Purpose};

    #[test]
    fn the_search_and_the_walk_choose_alike() {
        let wheel = Wheel::new([(0, 70.0), (1, 0.0), (2, 20.0), (3, 0.1), (4, 1e-9), (5, 9.9)]);
        for id in 0..20_000 {
            let draw = Chance::new(1, 0).request(id).draw(Purpose::Route);
            assert_eq!(wheel.spin(draw, |_| true), wheel.spin_some(draw, |_| true), "{draw}");
        }
        assert_eq!(wheel.spin(u64::MAX, |_| true), Some(5));
        assert_eq!(wheel.spin(0, |_| true), Some(0));
    }

    #[test]
    fn a_wheel_of_nobody_chooses_nobody() {
        assert_eq!(Wheel::new([(0, 0.0)]).spin(7, |_| true), None);
        assert_eq!(Wheel::new([(0, 1.0)]).spin(7, |_| false), None);
    }
}
