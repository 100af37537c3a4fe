//! Probability laws of nonnegative quantities: exact quantiles, distribution functions and means.
//!
//! A law is asked for a value by [`Tail`], the mass that lies below or above it, so that the far upper tail keeps the
//! full precision that `1 - p` would lose. Laws are exact and slow; to draw from one, compile it into a
//! [`Table`](crate::kernel::table::Table). All maths goes through `libm`, so a law gives the same bits on every
//! machine. Units are the caller's. Negative values, dependence between draws, and fitting a law to data are left out.

use std::fmt::Debug;

use thiserror::Error;

#[cfg(test)]
pub(crate) mod check;
mod constant;
mod empirical;
mod exponential;
mod gamma;
mod lognormal;
mod mixture;
mod normal;
mod pareto;
mod sample;
mod uniform;
mod weibull;

pub use constant::Constant;
pub use empirical::Empirical;
pub use exponential::Exponential;
pub use gamma::Gamma;
pub use lognormal::Lognormal;
pub use mixture::Mixture;
pub use pareto::Pareto;
pub use sample::Sample;
pub use uniform::Uniform;
pub use weibull::Weibull;

/// A place in a law, by the probability mass on its near side, in (0, 0.5]. Both forms of 0.5 are the median.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tail {
    /// This much mass lies below.
    Lower(f64),
    /// This much mass lies above.
    Upper(f64),
}

/// The law of a nonnegative random quantity X.
pub trait Law: Debug + Send + Sync {
    /// The value at a place in the law, at least 0: for the lower tail the least x with P(X <= x) >= p, for the upper
    /// tail the least x with P(X > x) <= p. A mass outside (0, 0.5] gives a value without meaning, never a panic.
    fn quantile(&self, at: Tail) -> f64;

    /// P(X <= x), precise also where it is near 0.
    fn cdf(&self, x: f64) -> f64;

    /// P(X > x), precise also where it is near 0.
    fn sf(&self, x: f64) -> f64;

    /// The expected value; `f64::INFINITY` where it diverges.
    fn mean(&self) -> f64;

    /// All its values with their probabilities, the least value first, where it has single values only; `None` where it has others.
    fn atoms(&self) -> Option<Vec<(f64, f64)>> {
        None
    }
}

/// The rule that a law's parameters broke.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum LawError {
    /// A parameter is zero, negative, infinite or NaN.
    #[error("{name} must be above 0 and finite, but is {value}")]
    NotPositive {
        /// The parameter's name.
        name: &'static str,
        /// The value that was given.
        value: f64,
    },
    /// A parameter is negative, infinite or NaN.
    #[error("{name} must be at least 0 and finite, but is {value}")]
    Negative {
        /// The parameter's name.
        name: &'static str,
        /// The value that was given.
        value: f64,
    },
    /// A parameter is NaN or outside the range in which the law's algorithm holds.
    #[error("{name} must be from {least} to {most}, but is {value}")]
    OutOfRange {
        /// The parameter's name.
        name: &'static str,
        /// The value that was given.
        value: f64,
        /// The smallest legal value.
        least: f64,
        /// The largest legal value.
        most: f64,
    },
    /// The range of a uniform law is empty: its lower end is not below its upper end.
    #[error("low ({low}) must be below high ({high})")]
    EmptyRange {
        /// The lower end of the range.
        low: f64,
        /// The upper end of the range.
        high: f64,
    },
    /// A mixture has no part with a weight above 0.
    #[error("a mixture needs a part with a weight above 0")]
    NoParts,
    /// Empirical knots do not run from p = 0 to p = 1.
    #[error("the first knot must be at p = 0 and the last at p = 1")]
    KnotEnds,
    /// An empirical knot's p is not above the one before it, or its value is below the one before it.
    #[error("knot {index} must have a higher p, and no lower a value, than the knot before it")]
    KnotOrder {
        /// The index of the knot, counted from 0.
        index: usize,
    },
}

/// How many standard deviations above the mean the value of a normal law lies below which mass `p`, in (0, 1), lies.
pub fn normal_quantile(p: f64) -> f64 {
    normal::quantile(if p <= 0.5 { Tail::Lower(p) } else { Tail::Upper(1.0 - p) })
}

/// The mass of a normal law more than `z` standard deviations above its mean.
pub fn normal_sf(z: f64) -> f64 {
    normal::sf(z)
}

impl Tail {
    /// -ln P(X > x) at this place: the quantile of the exponential law of mean 1.
    fn hazard(self) -> f64 {
        match self {
            Tail::Lower(p) => -libm::log1p(-p),
            Tail::Upper(p) => -libm::log(p),
        }
    }
}

/// Lets a finite value above 0 pass; NaN fails.
pub(crate) fn positive(name: &'static str, value: f64) -> Result<f64, LawError> {
    if value > 0.0 && value < f64::INFINITY {
        Ok(value)
    } else {
        Err(LawError::NotPositive { name, value })
    }
}

/// Lets a finite value of at least 0 pass; NaN fails.
pub(crate) fn nonnegative(name: &'static str, value: f64) -> Result<f64, LawError> {
    if (0.0..f64::INFINITY).contains(&value) {
        Ok(value)
    } else {
        Err(LawError::Negative { name, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every law must refuse NaN, a negative and an infinite value in each of its parameters.
    #[test]
    fn illegal_parameters_fail() {
        for bad in [f64::NAN, -1.0, f64::INFINITY] {
            assert!(Constant::new(bad).is_err());
            assert!(Uniform::new(bad, 2.0).is_err() && Uniform::new(1.0, bad).is_err());
            assert!(Exponential::new(bad, 0.0).is_err() && Exponential::new(1.0, bad).is_err());
            assert!(Lognormal::new(bad, 1.0, 0.0).is_err() && Lognormal::new(1.0, bad, 0.0).is_err());
            assert!(Lognormal::new(1.0, 1.0, bad).is_err());
            assert!(Gamma::new(bad, 1.0, 0.0).is_err() && Gamma::new(1.0, bad, 0.0).is_err());
            assert!(Gamma::new(1.0, 1.0, bad).is_err());
            assert!(Weibull::new(bad, 1.0, 0.0).is_err() && Weibull::new(1.0, bad, 0.0).is_err());
            assert!(Weibull::new(1.0, 1.0, bad).is_err());
            assert!(Pareto::new(bad, 1.0).is_err() && Pareto::new(1.0, bad).is_err());
            assert!(Empirical::new(vec![(0.0, bad), (1.0, 2.0)]).is_err());
            assert!(Empirical::new(vec![(0.0, 1.0), (0.5, bad), (1.0, 2.0)]).is_err());
            assert!(Empirical::new(vec![(0.0, 1.0), (bad, 1.0), (1.0, 2.0)]).is_err());
        }
    }

    #[test]
    fn an_error_says_the_rule() {
        let error = Exponential::new(0.0, 0.0).unwrap_err();
        assert_eq!(error.to_string(), "mean must be above 0 and finite, but is 0");
    }
}
