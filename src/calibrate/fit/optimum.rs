//! Small maximisers for likelihoods of one to five parameters.
//!
//! BFGS with a backtracking line search (Nocedal and Wright, Numerical Optimization, algorithm 6.1 with the Armijo
//! rule), and golden-section search. Both depend on values alone, without a random start: one sample always gives one
//! answer. Parameters that must stay positive are passed as logarithms.

/// The most steps of a search: far more than smooth likelihoods need.
const MOST_STEPS: usize = 400;

/// A maximum: its place and its value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peak<const N: usize> {
    pub(super) at: [f64; N],
    pub(super) value: f64,
}

/// Finds a maximum of `f`, which returns a value and its gradient, uphill from `start`. Where the value is not finite,
/// `f` is taken to be out of bounds.
pub(super) fn climb<const N: usize>(start: [f64; N], f: impl Fn(&[f64; N]) -> (f64, [f64; N])) -> Peak<N> {
    let (mut value, mut slope) = f(&start);
    let mut at = start;
    let mut inverse = identity::<N>(1.0 / norm(&slope).max(1.0));
    for step in 0..MOST_STEPS {
        let mut way: [f64; N] = std::array::from_fn(|i| dot(&inverse[i], &slope));
        let mut rise = dot(&way, &slope);
        if rise.is_nan() || rise <= 0.0 {
            inverse = identity(1.0 / norm(&slope).max(1.0));
            way = std::array::from_fn(|i| inverse[i][i] * slope[i]);
            rise = dot(&way, &slope);
        }
        // The gain that is left, to second order, is half of this.
        if rise.is_nan() || rise <= 1e-13 * (1.0 + value.abs()) {
            break;
        }
        let mut length = 1.0;
        let found = loop {
            let next: [f64; N] = std::array::from_fn(|i| at[i] + length * way[i]);
            let (v, g) = f(&next);
            if v.is_finite() && v >= value + 1e-4 * length * rise {
                break Some((next, v, g));
            }
            length *= 0.5;
            if length < 1e-14 {
                break None;
            }
        };
        let Some((next, v, g)) = found else { break };
        let s: [f64; N] = std::array::from_fn(|i| next[i] - at[i]);
        let y: [f64; N] = std::array::from_fn(|i| slope[i] - g[i]);
        let sy = dot(&s, &y);
        if sy > 0.0 {
            if step == 0 {
                inverse = identity(sy / dot(&y, &y));
            }
            update(&mut inverse, &s, &y, sy);
        }
        (at, value, slope) = (next, v, g);
    }
    Peak { at, value }
}

/// Finds a maximum uphill from `start` without a gradient, which is replaced by central differences.
pub(super) fn climb_blind<const N: usize>(start: [f64; N], f: impl Fn(&[f64; N]) -> f64) -> Peak<N> {
    climb(start, |at| {
        let slope = std::array::from_fn(|i| {
            let h = 1e-5 * (1.0 + at[i].abs());
            let beside = |by: f64| {
                let mut there = *at;
                there[i] += by;
                f(&there)
            };
            (beside(h) - beside(-h)) / (2.0 * h)
        });
        (f(at), slope)
    })
}

/// The place of a maximum of `f` between `a` and `b`, by golden-section search: a local one if there are several.
pub(super) fn golden(mut a: f64, mut b: f64, tolerance: f64, f: impl Fn(f64) -> f64) -> f64 {
    const SHARE: f64 = 0.618_033_988_749_894_9;
    let (mut c, mut d) = (b - SHARE * (b - a), a + SHARE * (b - a));
    let (mut fc, mut fd) = (f(c), f(d));
    while (b - a).abs() > tolerance {
        if fc > fd {
            (b, d, fd) = (d, c, fc);
            c = b - SHARE * (b - a);
            fc = f(c);
        } else {
            (a, c, fc) = (c, d, fd);
            d = a + SHARE * (b - a);
            fd = f(d);
        }
    }
    0.5 * (a + b)
}

/// The BFGS update of the inverse Hessian of the negative.
fn update<const N: usize>(inverse: &mut [[f64; N]; N], s: &[f64; N], y: &[f64; N], sy: f64) {
    let hy: [f64; N] = std::array::from_fn(|i| dot(&inverse[i], y));
    let scale = (1.0 + dot(y, &hy) / sy) / sy;
    for i in 0..N {
        for j in 0..N {
            inverse[i][j] += scale * s[i] * s[j] - (hy[i] * s[j] + s[i] * hy[j]) / sy;
        }
    }
}

fn identity<const N: usize>(scale: f64) -> [[f64; N]; N] {
    std::array::from_fn(|i| std::array::from_fn(|j| if i == j { scale } else { 0.0 }))
}

fn dot<const N: usize>(a: &[f64; N], b: &[f64; N]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn norm<const N: usize>(a: &[f64; N]) -> f64 {
    dot(a, a).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The negative of Rosenbrock's function has its only maximum, 0, at (1, 1).
    #[test]
    fn a_bent_ridge_is_climbed_to_its_top() {
        let f = |x: &[f64; 2]| -(100.0 * (x[1] - x[0] * x[0]).powi(2) + (1.0 - x[0]).powi(2));
        let g = |x: &[f64; 2]| {
            let bend = x[1] - x[0] * x[0];
            (f(x), [400.0 * x[0] * bend + 2.0 * (1.0 - x[0]), -200.0 * bend])
        };
        for peak in [climb([-1.2, 1.0], g), climb_blind([-1.2, 1.0], f)] {
            assert!(
                (peak.at[0] - 1.0).abs() < 1e-4 && (peak.at[1] - 1.0).abs() < 1e-4,
                "{peak:?}"
            );
        }
    }

    #[test]
    fn golden_section_finds_the_top_of_a_parabola() {
        assert!((golden(0.0, 10.0, 1e-9, |x| -(x - 3.25) * (x - 3.25)) - 3.25).abs() < 1e-7);
    }
}
