//! The standard normal law: the quantile and the upper tail that the lognormal needs.
//!
//! The quantile is Wichura's algorithm AS 241 (PPND16; Applied Statistics 37, 1988), a ratio of two polynomials for
//! each of three ranges, good to about 1 part in 10^16. The tail is `erfc`.

use std::f64::consts::FRAC_1_SQRT_2;

use super::Tail;

// Coefficients of AS 241, the highest power first. Range by the distance from the median: up to 0.425 in p, then up
// to 5 in sqrt(-ln p), then beyond.
const CENTRE_TOP: [f64; 8] = [
    2509.0809287301227,
    33430.57558358813,
    67265.7709270087,
    45921.95393154987,
    13731.69376550946,
    1971.5909503065513,
    133.14166789178438,
    3.3871328727963665,
];
const CENTRE_BOTTOM: [f64; 8] = [
    5226.495278852546,
    28729.085735721943,
    39307.89580009271,
    21213.794301586597,
    5394.196021424751,
    687.1870074920579,
    42.31333070160091,
    1.0,
];
const NEAR_TOP: [f64; 8] = [
    0.0007745450142783414,
    0.022723844989269184,
    0.2417807251774506,
    1.2704582524523684,
    3.6478483247632045,
    5.769497221460691,
    4.630337846156546,
    1.4234371107496835,
];
const NEAR_BOTTOM: [f64; 8] = [
    1.0507500716444169e-09,
    0.0005475938084995345,
    0.015198666563616457,
    0.14810397642748008,
    0.6897673349851,
    1.6763848301838038,
    2.053191626637759,
    1.0,
];
const FAR_TOP: [f64; 8] = [
    2.0103343992922881e-07,
    2.7115555687434876e-05,
    0.0012426609473880784,
    0.026532189526576124,
    0.29656057182850487,
    1.7848265399172913,
    5.463784911164114,
    6.657904643501103,
];
const FAR_BOTTOM: [f64; 8] = [
    2.0442631033899397e-15,
    1.421511758316446e-07,
    1.8463183175100548e-05,
    0.0007868691311456133,
    0.014875361290850615,
    0.1369298809227358,
    0.599832206555888,
    1.0,
];

/// How many standard deviations above the mean a place in the normal law lies.
pub(super) fn quantile(at: Tail) -> f64 {
    match at {
        Tail::Lower(p) => -above(p),
        Tail::Upper(p) => above(p),
    }
}

/// P(Z > z).
pub(super) fn sf(z: f64) -> f64 {
    0.5 * libm::erfc(z * FRAC_1_SQRT_2)
}

/// The value, at least 0, that mass `p` lies above.
fn above(p: f64) -> f64 {
    let q = 0.5 - p;
    if q <= 0.425 {
        let r = 0.180625 - q * q;
        return q * polynomial(&CENTRE_TOP, r) / polynomial(&CENTRE_BOTTOM, r);
    }
    let r = (-libm::log(p)).sqrt();
    if r <= 5.0 {
        polynomial(&NEAR_TOP, r - 1.6) / polynomial(&NEAR_BOTTOM, r - 1.6)
    } else {
        polynomial(&FAR_TOP, r - 5.0) / polynomial(&FAR_BOTTOM, r - 5.0)
    }
}

/// A polynomial by Horner's rule.
fn polynomial(coefficients: &[f64; 8], x: f64) -> f64 {
    coefficients.iter().fold(0.0, |sum, coefficient| sum * x + coefficient)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Literals: `scipy.special.ndtri(p)`, from tests/oracle/laws.py.
    #[test]
    fn quantiles_agree_with_scipy_in_all_three_ranges() {
        let expected = [
            (0.4, -0.2533471031357997),
            (0.075, -1.4395314709384563),
            (0.01, -2.3263478740408408),
            (1e-06, -4.753424308822899),
            (1e-11, -6.706023155495137),
            (1e-12, -7.034483825301131),
            (5e-20, -9.088950100825436),
        ];
        for (p, z) in expected {
            assert!(
                (quantile(Tail::Lower(p)) / z - 1.0).abs() < 1e-14,
                "{p}: {}",
                quantile(Tail::Lower(p))
            );
            assert_eq!(quantile(Tail::Upper(p)), -quantile(Tail::Lower(p)));
        }
        assert_eq!(quantile(Tail::Lower(0.5)), 0.0);
    }
}
