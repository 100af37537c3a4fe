//! Laws as quantile tables: one uniform number in, one table look-up, no logarithm and no exponential per draw.
//!
//! Each half of the law has 64 knots per octave of its tail mass, so the tails are as fine as the middle; between knots
//! the quantile is linear in the mass. The bits of the tail mass as an `f64` are the position: the exponent and the first
//! six fraction bits name the knot, the rest is the way to the next. It leaves out laws other than the two below.

/// Fraction bits that name a knot: 2^6 = 64 knots per octave.
const KNOT_BITS: u32 = 6;
/// Octaves of tail mass, from 1/2 down to 2^-64.
const OCTAVES: u32 = 63;
/// One more than the knots of all octaves: the middle of the law; and one more again, so that it has a neighbour.
const KNOTS: usize = ((OCTAVES as usize) << KNOT_BITS) + 2;
const FRACTION: u64 = (1 << (52 - KNOT_BITS)) - 1;
const ONE: u64 = 1023 << 52;

/// A law that can be drawn from: quantiles by rising tail mass, those of the lower tail, then those of the upper.
pub struct Law {
    knots: Box<[[f64; KNOTS]; 2]>,
}

/// The quantiles of the standard normal law at every knot of the lower tail, from which lognormal laws are made.
pub struct NormalKnots(Vec<f64>);

impl Law {
    /// The exponential law with this `mean`.
    pub fn exponential(mean: f64) -> Law {
        Law::from_tails(|_, mass| -mean * libm::log1p(-mass), |_, mass| -mean * libm::log(mass))
    }

    /// The lognormal law with this `median`, and `sigma` the standard deviation of its logarithm.
    pub fn lognormal(normal: &NormalKnots, median: f64, sigma: f64) -> Law {
        Law::from_tails(
            |knot, _| median * libm::exp(sigma * normal.0[knot]),
            |knot, _| median * libm::exp(-sigma * normal.0[knot]),
        )
    }

    /// The draw that belongs to the uniform number `bits`: the lowest bit picks the tail, the rest its mass.
    #[inline]
    pub fn draw(&self, bits: u64) -> f64 {
        // A signed integer converts in one instruction; the 1 keeps the mass from being zero.
        let mass = ((bits >> 1 | 1) as i64 as f64).to_bits() - ONE;
        let knot = (mass >> (52 - KNOT_BITS)) as usize;
        let way = f64::from_bits(ONE | (mass & FRACTION) << KNOT_BITS) - 1.0;
        let knots = &self.knots[(bits & 1) as usize];
        let from = knots[knot];
        from + way * (knots[knot + 1] - from)
    }

    fn from_tails(lower: impl Fn(usize, f64) -> f64, upper: impl Fn(usize, f64) -> f64) -> Law {
        let mut knots = Box::new([[0.0; KNOTS]; 2]);
        for knot in 0..KNOTS {
            let at = knot.min(KNOTS - 2);
            knots[0][knot] = lower(at, mass_at(at));
            knots[1][knot] = upper(at, mass_at(at));
        }
        Law { knots }
    }
}

impl NormalKnots {
    /// Finds every knot by bisection on the error function.
    pub fn new() -> NormalKnots {
        NormalKnots(
            (0..KNOTS)
                .map(|knot| normal_quantile(mass_at(knot.min(KNOTS - 2))))
                .collect(),
        )
    }
}

/// The tail mass at `knot`: 2^-64 at knot 0, 1/2 at the last.
fn mass_at(knot: usize) -> f64 {
    libm::ldexp(f64::from_bits(((knot as u64) << (52 - KNOT_BITS)) + ONE), -64)
}

/// The standard normal quantile of a `mass` of at most 1/2.
fn normal_quantile(mass: f64) -> f64 {
    let (mut low, mut high) = (-10.0, 0.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if 0.5 * libm::erfc(-middle * std::f64::consts::FRAC_1_SQRT_2) < mass {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The uniform number whose share of the unit interval, counted from the lower end, is `q`.
    fn bits_of(q: f64) -> u64 {
        let tail = |mass: f64| (libm::ldexp(mass, 64) as u64).min(u64::MAX >> 1) << 1;
        if q <= 0.5 { tail(q) } else { tail(1.0 - q) | 1 }
    }

    #[test]
    fn exponential_quantiles_follow_the_logarithm() {
        let law = Law::exponential(2.0);
        for q in [1e-9, 0.01, 0.3, 0.499_999, 0.500_001, 0.77, 0.99, 0.999_999] {
            let exact = -2.0 * libm::log1p(-q);
            assert!((law.draw(bits_of(q)) / exact - 1.0).abs() < 1e-4, "q = {q}");
        }
    }

    // scipy.stats.lognorm(s=0.8, scale=300).ppf([1e-6, 0.025, 0.5, 0.9, 0.9999])
    #[test]
    fn lognormal_quantiles_are_those_of_scipy() {
        let law = Law::lognormal(&NormalKnots::new(), 300.0, 0.8);
        let scipy = [
            (1e-06, 6.692871652778099),
            (0.025, 62.54030863531522),
            (0.5, 300.0),
            (0.9, 836.3303805747006),
            (0.9999, 5878.139992361346),
        ];
        for (q, exact) in scipy {
            assert!((law.draw(bits_of(q)) / exact - 1.0).abs() < 1e-4, "q = {q}");
        }
    }

    #[test]
    fn the_ends_of_the_unit_interval_are_finite() {
        let law = Law::exponential(1.0);
        assert!(law.draw(0) > 0.0 && law.draw(1) < 45.0);
        assert!((law.draw(u64::MAX) / std::f64::consts::LN_2 - 1.0).abs() < 1e-6);
    }
}
