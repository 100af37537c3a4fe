//! Mean and variance of a stream of figures, in one pass.
//!
//! Single values are added by the recurrence of Welford (Technometrics 4, 1962), whole streams by the pairwise formula of
//! Chan, Golub and LeVeque (1979); neither cancels where the textbook "mean of squares" does. Left out: higher moments.
//!
//! The result of a fixed sequence of additions and merges is the same everywhere, but rounding depends on that sequence:
//! a caller that wants equal bits from any number of threads must merge in a fixed order, such as that of replications.

/// The number, mean and variance of the values seen.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moments {
    n: u64,
    mean: f64,
    /// Sum of squared deviations from the mean.
    squares: f64,
}

impl Moments {
    /// Moments of an empty stream.
    pub fn new() -> Moments {
        Moments::default()
    }

    /// Adds one value; a value that is not finite spoils mean and variance for good.
    #[inline]
    pub fn add(&mut self, value: f64) {
        self.n += 1;
        let off = value - self.mean;
        self.mean += off / self.n as f64;
        self.squares += off * (value - self.mean);
    }

    /// Adds all that `other` has seen.
    pub fn merge(&mut self, other: &Moments) {
        if other.n == 0 {
            return;
        }
        if self.n == 0 {
            *self = *other;
            return;
        }
        let (mine, theirs) = (self.n as f64, other.n as f64);
        let off = other.mean - self.mean;
        self.n += other.n;
        self.mean += off * (theirs / self.n as f64);
        self.squares += other.squares + off * off * (mine * (theirs / self.n as f64));
    }

    /// How many values were seen.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// The mean; `None` when nothing was seen.
    pub fn mean(&self) -> Option<f64> {
        (self.n > 0).then_some(self.mean)
    }

    /// The sample variance, with denominator `n - 1`; `None` for fewer than two values.
    pub fn variance(&self) -> Option<f64> {
        (self.n > 1).then(|| self.squares / (self.n - 1) as f64)
    }

    /// The standard error of the mean, as if the values were independent; `None` for fewer than two values.
    pub fn standard_error(&self) -> Option<f64> {
        self.variance().map(|variance| (variance / self.n as f64).sqrt())
    }

    /// Sum of squared deviations from the mean; 0 when nothing was seen.
    pub fn sum_of_squares(&self) -> f64 {
        self.squares
    }
}

impl FromIterator<f64> for Moments {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Moments {
        let mut moments = Moments::new();
        values.into_iter().for_each(|value| moments.add(value));
        moments
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn close(a: f64, b: f64, scale: f64) -> bool {
        (a - b).abs() <= 1e-12 * scale
    }

    #[test]
    fn a_small_spread_on_a_large_offset_survives() {
        // The deviations are -6, -3, 3, 6: squares sum to 90, over 3 is 30.
        let moments: Moments = [4.0, 7.0, 13.0, 16.0].iter().map(|x| x + 1e9).collect();
        assert_eq!((moments.mean(), moments.variance()), (Some(1e9 + 10.0), Some(30.0)));
    }

    #[test]
    fn the_standard_error_shrinks_with_the_root_of_n() {
        let moments: Moments = [4.0, 7.0, 13.0, 16.0].into_iter().collect();
        assert_eq!(moments.standard_error(), Some(7.5_f64.sqrt()));
    }

    #[test]
    fn too_few_values_have_no_figures() {
        let one: Moments = [3.0].into_iter().collect();
        assert_eq!(
            (Moments::new().mean(), one.mean(), one.variance()),
            (None, Some(3.0), None)
        );
    }

    proptest! {
        #[test]
        fn merging_agrees_with_adding_one_by_one(
            a in prop::collection::vec(-1e3..1e3_f64, 0..40),
            b in prop::collection::vec(-1e3..1e3_f64, 0..40),
        ) {
            let whole: Moments = a.iter().chain(&b).copied().collect();
            let mut merged: Moments = a.into_iter().collect();
            merged.merge(&b.into_iter().collect());
            prop_assert_eq!(merged.n(), whole.n());
            prop_assert!(close(merged.mean, whole.mean, 1e3));
            prop_assert!(close(merged.squares, whole.squares, 1e8));
        }
    }
}
