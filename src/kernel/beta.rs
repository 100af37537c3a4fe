//! Draws from gamma and beta laws whose parameters change from draw to draw, for which no table can be made.
//!
//! Gamma by Marsaglia and Tsang (2000), with their power of a uniform for shapes below 1; the normal draws it needs by
//! Marsaglia's polar method. All maths goes through `libm`.

use rand::Rng;

use super::chance::{Stream, unit};

/// A uniform draw in (0, 1).
fn uniform(stream: &mut Stream) -> f64 {
    unit(stream.next_u64()) + 0.5 / 9_007_199_254_740_992.0
}

/// A standard normal draw.
fn normal(stream: &mut Stream) -> f64 {
    loop {
        let (x, y) = (2.0 * uniform(stream) - 1.0, 2.0 * uniform(stream) - 1.0);
        let s = x * x + y * y;
        if s > 0.0 && s < 1.0 {
            return x * libm::sqrt(-2.0 * libm::log(s) / s);
        }
    }
}

/// A draw from the gamma law of this shape and scale 1.
pub fn gamma(shape: f64, stream: &mut Stream) -> f64 {
    if shape < 1.0 {
        let power = libm::log(uniform(stream)) / shape;
        return gamma(shape + 1.0, stream) * libm::exp(power);
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / libm::sqrt(9.0 * d);
    loop {
        let x = normal(stream);
        let root = 1.0 + c * x;
        if root <= 0.0 {
            continue;
        }
        let v = root * root * root;
        if libm::log(uniform(stream)) < 0.5 * x * x + d * (1.0 - v + libm::log(v)) {
            return d * v;
        }
    }
}

/// A draw from the beta law of these parameters, both above 0.
pub fn beta(a: f64, b: f64, stream: &mut Stream) -> f64 {
    let (x, y) = (gamma(a, stream), gamma(b, stream));
    if x + y > 0.0 {
        x / (x + y)
    } else {
        // Both so small that they vanish: all mass is at the ends.
        f64::from(u8::from(uniform(stream) * (a + b) < a))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::chance::{Chance, Purpose};
    use crate::kernel::law::{Gamma, Law};

    const N: u64 = 100_000;

    fn draws(draw: impl Fn(&mut Stream) -> f64) -> Vec<f64> {
        let of = |id| draw(&mut Chance::new(1, 0).request(id).stream(Purpose::Route));
        let mut all: Vec<f64> = (0..N).map(of).collect();
        all.sort_by(f64::total_cmp);
        all
    }

    /// Kolmogorov and Smirnov: 99.99 % of samples lie within 2.23/sqrt(n).
    fn assert_law(what: &str, sorted: &[f64], cdf: impl Fn(f64) -> f64) {
        let n = sorted.len() as f64;
        let furthest = sorted
            .iter()
            .enumerate()
            .map(|(i, &x)| (cdf(x) - (i as f64 + 0.5) / n).abs());
        let furthest = furthest.fold(0.0, f64::max);
        assert!(furthest < 2.23 / n.sqrt(), "{what}: {furthest}");
    }

    #[test]
    fn gammas_follow_their_law() {
        for shape in [0.3, 1.0, 2.5, 400.0] {
            let law = Gamma::new(shape, shape, 0.0).unwrap();
            let sorted = draws(|stream| gamma(shape, stream));
            assert_law(&format!("shape {shape}"), &sorted, |x| law.cdf(x));
        }
    }

    /// Beta(a, 1) is x^a, Beta(1, b) is 1 − (1 − x)^b, Beta(2, 2) is 3x² − 2x³.
    #[test]
    fn betas_follow_their_law() {
        assert_law("3, 1", &draws(|s| beta(3.0, 1.0, s)), |x| x * x * x);
        assert_law("1, 5", &draws(|s| beta(1.0, 5.0, s)), |x| 1.0 - (1.0 - x).powi(5));
        assert_law("2, 2", &draws(|s| beta(2.0, 2.0, s)), |x| x * x * (3.0 - 2.0 * x));
    }

    #[test]
    fn tiny_parameters_give_ends() {
        let ones = draws(|s| beta(1e-300, 3e-300, s)).iter().filter(|&&x| x == 1.0).count();
        // Four standard deviations of a share of 1/4.
        assert!((ones as f64 - 25_000.0).abs() < 550.0, "{ones}");
    }
}
