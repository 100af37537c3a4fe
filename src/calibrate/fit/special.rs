//! Functions that likelihoods need: the normal law's logarithms and hazard, digamma and trigamma.
//!
//! All through `libm`, so that a fit gives the same digits on every machine. Digamma and trigamma are the asymptotic series
//! (Abramowitz and Stegun 6.3.18 and 6.4.12) above 10, and the recurrence below.

use std::f64::consts::FRAC_1_SQRT_2;

use crate::kernel::law::{Gamma, Law};

/// ½ ln 2π.
pub(super) const HALF_LN_2PI: f64 = 0.918_938_533_204_672_8;

/// ln of the standard normal density.
pub(super) fn log_phi(z: f64) -> f64 {
    -0.5 * z * z - HALF_LN_2PI
}

/// ln of the standard normal mass above `z`.
pub(super) fn log_above(z: f64) -> f64 {
    if z < 30.0 {
        libm::log(0.5 * libm::erfc(z * FRAC_1_SQRT_2))
    } else {
        // Mills' ratio to three terms (Abramowitz and Stegun 26.2.12): 1e-8 of it at 30.
        let w = 1.0 / (z * z);
        log_phi(z) - libm::log(z) + libm::log1p(-w * (1.0 - 3.0 * w))
    }
}

/// The standard normal hazard: density over the mass above.
pub(super) fn hazard(z: f64) -> f64 {
    libm::exp(log_phi(z) - log_above(z))
}

/// ψ, the derivative of ln Γ, of a positive number.
pub(super) fn digamma(mut x: f64) -> f64 {
    let mut below = 0.0;
    while x < 10.0 {
        below -= 1.0 / x;
        x += 1.0;
    }
    let w = 1.0 / (x * x);
    let series = w * (1.0 / 12.0 - w * (1.0 / 120.0 - w * (1.0 / 252.0 - w * (1.0 / 240.0 - w / 132.0))));
    below + libm::log(x) - 0.5 / x - series
}

/// ψ′ of a positive number.
pub(super) fn trigamma(mut x: f64) -> f64 {
    let mut below = 0.0;
    while x < 10.0 {
        below += 1.0 / (x * x);
        x += 1.0;
    }
    let w = 1.0 / (x * x);
    let series = w * (1.0 / 6.0 - w * (1.0 / 30.0 - w * (1.0 / 42.0 - w * (1.0 / 30.0 - w * 5.0 / 66.0))));
    below + (1.0 + 0.5 / x + series) / x
}

/// P(X > x) of chi-square with `df` degrees of freedom.
pub(super) fn chi_square_above(x: f64, df: f64) -> f64 {
    Gamma::new(df, df / 2.0, 0.0).map_or(f64::NAN, |law| law.sf(x))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.special.digamma`, `polygamma(1, x)`, `scipy.stats.norm.logsf`, `scipy.stats.chi2.sf`.
    #[test]
    fn they_agree_with_scipy() {
        let close = |a: f64, b: f64, within: f64| assert!((a / b - 1.0).abs() < within, "{a} {b}");
        close(digamma(0.1), -10.423754940411076, 1e-13);
        close(digamma(3.7), 1.1671535393615113, 1e-12);
        close(trigamma(0.1), 101.43329915079276, 1e-13);
        close(trigamma(3.7), 0.31003786, 1e-7);
        close(log_above(-2.0), -0.023012909328963486, 1e-12);
        close(log_above(5.0), -15.064998393988727, 1e-12);
        close(log_above(40.0), -804.6084420137538, 1e-9);
        close(chi_square_above(15.0, 7.0), 0.03599940476342879, 1e-12);
    }
}
