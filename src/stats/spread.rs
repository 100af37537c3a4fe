//! How widely single values differ: between which ends the next one lies, beside how well their mean is known.
//!
//! Of n independent values from one distribution, a further one is as likely to fall into each of the n + 1 gaps that they leave,
//! whatever the distribution (David and Nagaraja, *Order Statistics*, 7.4). So it lies between the k-th smallest and the k-th largest with
//! probability (n + 1 − 2k) / (n + 1); between two ranks the value is interpolated, which keeps the probability for a uniform law and
//! nearly for others (Hyndman and Fan 1996, type 6). With too few values for a probability there is no interval. Left out: values that
//! hang on each other, and a law that is assumed, such as Student's interval for one more value of a normal one.

use super::sorting;

/// Values in rising order, of which a further one is to be foretold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spread {
    sorted: Vec<f64>,
}

impl Spread {
    /// The spread of these values, of which those that are not numbers are left out; infinite ones are kept.
    pub fn of(values: &[f64]) -> Spread {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
        sorting::by(&mut sorted, f64::total_cmp);
        Spread { sorted }
    }

    /// How many values there are.
    pub fn n(&self) -> usize {
        self.sorted.len()
    }

    /// The value below which a further one lies with probability `share`; nothing if there are too few values to say.
    pub fn below(&self, share: f64) -> Option<f64> {
        self.at_rank(share * (self.sorted.len() + 1) as f64)
    }

    /// The value below which the share `share` of what is possible lies, where values were drawn one from each equal part of it (a Latin
    /// hypercube): the k-th of n stands in the middle of its part, at (k − ½) / n (type 5 of Hyndman and Fan); nothing beyond the first and the last.
    pub fn of_parts(&self, share: f64) -> Option<f64> {
        self.at_rank(share * self.sorted.len() as f64 + 0.5)
    }

    /// The value at a rank, counted from 1, between two ranks interpolated; nothing beyond the first and the last.
    fn at_rank(&self, at: f64) -> Option<f64> {
        // Rounding must not take the least number of values that is enough.
        let at = at + 1e-9;
        let rank = at as usize;
        if rank == 0 || at > self.sorted.len() as f64 + 2e-9 {
            return None;
        }
        let (low, part) = (self.sorted[rank - 1], (at - rank as f64).max(0.0));
        match self.sorted.get(rank) {
            Some(&high) if part > 1e-6 && high > low => Some(if high.is_finite() {
                low + part * (high - low)
            } else {
                high
            }),
            _ => Some(low),
        }
    }

    /// The ends between which a further value lies with probability `share`, the rest being shared by both sides.
    pub fn middle(&self, share: f64) -> Option<(f64, f64)> {
        let tail = (1.0 - share) / 2.0;
        self.below(tail).zip(self.below(1.0 - tail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::SmallRng;
    use rand::{RngExt, SeedableRng};

    #[test]
    fn the_ends_are_order_statistics() {
        let of = |n: u32| Spread::of(&(1..=n).rev().map(f64::from).collect::<Vec<_>>());
        // 18 / 20 and 8 / 10: the extremes.
        assert_eq!(of(19).middle(0.9), Some((1.0, 19.0)));
        assert_eq!(of(18).middle(0.9), None);
        assert_eq!(of(9).middle(0.8), Some((1.0, 9.0)));
        assert_eq!(of(39).middle(0.9), Some((2.0, 38.0)));
        assert_eq!(of(3).below(0.5), Some(2.0));
        assert_eq!(Spread::default().below(0.5), None);
    }

    /// Of 20 values in the middles of 20 parts of 0 to 1 each share is itself; the first has no share below a fortieth.
    #[test]
    fn values_of_equal_parts_stand_in_their_middles() {
        let middles: Vec<f64> = (0..20).map(|k| (f64::from(k) + 0.5) / 20.0).collect();
        let spread = Spread::of(&middles);
        for share in [0.025, 0.1, 0.33, 0.5, 0.9, 0.975] {
            assert!((spread.of_parts(share).unwrap() - share).abs() < 1e-9, "{share}");
        }
        assert_eq!(
            [
                spread.of_parts(0.02),
                spread.of_parts(0.98),
                Spread::default().of_parts(0.5)
            ],
            [None; 3]
        );
        assert_eq!(Spread::of(&[1.0, f64::INFINITY]).of_parts(0.5), Some(f64::INFINITY));
    }

    #[test]
    fn what_has_no_value_is_left_out_and_what_has_no_end_is_kept() {
        let spread = Spread::of(&[3.0, f64::NAN, f64::INFINITY, 1.0]);
        assert_eq!(
            (spread.n(), spread.below(0.5), spread.below(0.75)),
            (3, Some(3.0), Some(f64::INFINITY))
        );
    }

    /// Of 20 values of a law with a heavy tail, over 20,000 samples: 90 % within half a point (2.4 standard deviations are 0.5).
    #[test]
    fn a_further_value_lies_between_as_often_as_is_said() {
        let mut random = SmallRng::seed_from_u64(7);
        let mut draw = || libm::pow(1.0 - random.random::<f64>(), -0.7);
        let mut held = 0;
        for _ in 0..20_000 {
            let values: Vec<f64> = (0..20).map(|_| draw()).collect();
            let (lo, hi) = Spread::of(&values).middle(0.9).unwrap();
            held += u32::from((lo..=hi).contains(&draw()));
        }
        assert!((17_900..=18_100).contains(&held), "{held}");
    }
}
