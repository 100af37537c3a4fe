//! Events that hang together through one common factor: the one-factor Gaussian copula.
//!
//! Each event has a standard normal score, `loading`·z + √(1 − `loading`²)·e, of a factor z that all events share and an e of its
//! own; it happens where the score lies below the quantile of its probability, which is therefore kept exactly. Two events with
//! loadings a and b have the (tetrachoric) correlation a·b: at 0 they are independent, at 1 the likelier one happens whenever the
//! other does. The factor is told by its rank `u`, uniform over (0, 1); the events are the likelier the lower it is.
//!
//! Sources: Vasicek, "The Distribution of Loan Portfolio Value" (2002), for the probability given the factor; Drezner and
//! Wesolowsky (1990), "On the computation of the bivariate normal integral", for that of two events; Harman and Jones (1966),
//! "Factor analysis by minimizing residuals", for loadings from correlations. Left out: negative loadings, and more than one
//! factor.

use std::f64::consts::TAU;

use super::law::{normal_quantile, normal_sf};

/// Nodes and weights of Gauss and Legendre's rule of eight points over (−1, 1), the positive half.
const LEGENDRE: [(f64, f64); 4] = [
    (0.183_434_642_495_649_8, 0.362_683_783_378_362),
    (0.525_532_409_916_329, 0.313_706_645_877_887_3),
    (0.796_666_477_413_626_7, 0.222_381_034_453_374_48),
    (0.960_289_856_497_536_3, 0.101_228_536_290_376_26),
];

/// A factor further out than this is left out: less than 10^−15 lies beyond.
const FAR: f64 = 8.0;

/// The probability of an event of probability `p` where the factor has rank `u`.
///
/// All are from 0 to 1, and `u` lies strictly between.
#[inline]
pub fn given(p: f64, loading: f64, u: f64) -> f64 {
    if loading <= 0.0 || p <= 0.0 || p >= 1.0 {
        return p;
    }
    if loading >= 1.0 {
        return if u < p { 1.0 } else { 0.0 };
    }
    at(normal_quantile(p), loading, normal_quantile(u))
}

/// The mean of [`given`] over the ranks from `from` to `to`, which is what [`given`] says of a narrow stretch.
pub fn mean_given(p: f64, loading: f64, from: f64, to: f64) -> f64 {
    if loading <= 0.0 || p <= 0.0 || p >= 1.0 {
        return p;
    }
    if loading >= 1.0 {
        return ((p - from) / (to - from)).clamp(0.0, 1.0);
    }
    let quantile = normal_quantile(p);
    let z = |u: f64| {
        if u <= 0.0 {
            -FAR
        } else if u >= 1.0 {
            FAR
        } else {
            normal_quantile(u)
        }
    };
    let (low, high) = (z(from), z(to));
    let density = |z: f64| libm::exp(-0.5 * z * z) / TAU.sqrt();
    // Panels of at most a quarter: what is steep is then still smooth.
    let panels = ((high - low) / 0.25).ceil().max(1.0);
    let sum: f64 = (0..panels as usize)
        .map(|i| {
            let edge = |i: usize| low + (high - low) * i as f64 / panels;
            integral(edge(i), edge(i + 1), |z| density(z) * at(quantile, loading, z))
        })
        .sum();
    (sum / (to - from)).clamp(0.0, 1.0)
}

/// The probability of an event whose score must lie below `quantile`, where the factor is `z`.
#[inline]
fn at(quantile: f64, loading: f64, z: f64) -> f64 {
    normal_sf((loading * z - quantile) / (1.0 - loading * loading).sqrt())
}

/// The probability that two events of probabilities `p` and `q` both happen, whose scores have this correlation, −1 to 1.
pub fn both(p: f64, q: f64, correlation: f64) -> f64 {
    if p <= 0.0 || q <= 0.0 || p >= 1.0 || q >= 1.0 {
        return p.clamp(0.0, 1.0) * q.clamp(0.0, 1.0);
    }
    if correlation >= 1.0 {
        return p.min(q);
    }
    if correlation <= -1.0 {
        return (p + q - 1.0).max(0.0);
    }
    let (h, k) = (normal_quantile(p), normal_quantile(q));
    let end = libm::asin(correlation);
    let density = |angle: f64| {
        let (sine, cosine) = (libm::sin(angle), libm::cos(angle));
        libm::exp((h * k * sine - 0.5 * (h * h + k * k)) / (cosine * cosine))
    };
    const PANELS: usize = 24;
    let edge = |i: usize| end * i as f64 / PANELS as f64;
    let sum: f64 = (0..PANELS).map(|i| integral(edge(i), edge(i + 1), density)).sum();
    (p * q + sum / TAU).clamp(0.0, p.min(q))
}

/// The correlation of the scores of two events of probabilities `p` and `q` that both happen with probability `both_happen`: the
/// tetrachoric correlation, −1 to 1. What no correlation gives is taken for the nearest that one does; `None` if an event is
/// certain or impossible, since then nothing is told.
pub fn correlation(p: f64, q: f64, both_happen: f64) -> Option<f64> {
    let told = |p: f64| p > 0.0 && p < 1.0;
    if !(told(p) && told(q) && both_happen.is_finite()) {
        return None;
    }
    if both_happen >= p.min(q) {
        return Some(1.0);
    }
    if both_happen <= (p + q - 1.0).max(0.0) {
        return Some(-1.0);
    }
    let (mut low, mut high) = (-1.0, 1.0);
    for _ in 0..50 {
        let middle = 0.5 * (low + high);
        if both(p, q, middle) < both_happen {
            low = middle;
        } else {
            high = middle;
        }
    }
    Some(0.5 * (low + high))
}

/// The loadings, 0 to 1, whose products come nearest to the `correlations` of every two of `n` events (least squares; a matrix row by
/// row, of which the diagonal is not looked at). One event has none, and two share theirs equally.
pub fn loadings(correlations: &[f64], n: usize) -> Vec<f64> {
    let others = |i: usize| (0..n).filter(move |&j| j != i);
    let pairs = (n * n.saturating_sub(1)) as f64;
    let mean: f64 = (0..n)
        .flat_map(|i| others(i).map(move |j| correlations[i * n + j]))
        .sum::<f64>()
        / pairs.max(1.0);
    let mut all = vec![mean.clamp(0.0, 1.0).sqrt(); n];
    if n < 3 {
        return all;
    }
    // One after the other, each the best given the rest: the sum of squares falls with every step.
    for _ in 0..1000 {
        for i in 0..n {
            let (top, bottom) = others(i).fold((0.0, 0.0), |(top, bottom), j| {
                (top + correlations[i * n + j] * all[j], bottom + all[j] * all[j])
            });
            all[i] = if bottom > 0.0 {
                (top / bottom).clamp(0.0, 1.0)
            } else {
                0.0
            };
        }
    }
    all
}

/// The integral of a smooth function.
fn integral(from: f64, to: f64, of: impl Fn(f64) -> f64) -> f64 {
    let (middle, half) = (0.5 * (from + to), 0.5 * (to - from));
    let sum: f64 = LEGENDRE
        .iter()
        .map(|&(x, weight)| weight * (of(middle - half * x) + of(middle + half * x)))
        .sum();
    sum * half
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64, within: f64) {
        assert!((found - expected).abs() <= within, "{found} not {expected}");
    }

    /// Literals: `scipy.stats.multivariate_normal.cdf([ndtri(p), ndtri(q)], cov=[[1, r], [r, 1]])`, from tests/oracle/copula.py.
    #[test]
    fn two_events_agree_with_scipy() {
        for (p, q, r, expected) in SCIPY {
            near(both(p, q, r), expected, 1e-7);
            near(correlation(p, q, expected).unwrap(), r, 1e-4);
        }
        near(both(0.3, 0.8, 0.0), 0.24, 1e-15);
        assert_eq!(both(0.3, 0.8, 1.0), 0.3);
        near(both(0.3, 0.8, -1.0), 0.1, 1e-15);
        // Of two fair coins: a quarter and the arc over a full turn.
        near(both(0.5, 0.5, 0.5), 1.0 / 3.0, 1e-14);
    }

    const SCIPY: [(f64, f64, f64, f64); 5] = [
        (0.681, 0.806, 0.679, 0.628412406353),
        (0.5, 0.25, 0.2, 0.150447507018),
        (0.99, 0.9, 0.9, 0.899890095203),
        (0.02, 0.6, 0.4, 0.0181308169195),
        (0.7, 0.72, -0.5, 0.4495466167),
    ];

    #[test]
    fn what_tells_nothing_gives_no_correlation_and_what_cannot_be_the_nearest() {
        assert_eq!(correlation(1.0, 0.5, 0.5), None);
        assert_eq!(correlation(0.4, 0.5, 0.41), Some(1.0));
        assert_eq!(correlation(0.4, 0.5, 0.0), Some(-1.0));
    }

    /// The probability stays what it is over all ranks, however much it hangs on them, and two events given the factor are
    /// independent: their product over all ranks is that of the bivariate law.
    #[test]
    fn over_all_ranks_a_probability_is_itself_and_a_product_is_the_bivariate_law() {
        let cells = 400;
        let edge = |i: usize| i as f64 / f64::from(cells);
        for loading in [0.0, 0.3, 0.632, 0.8, 0.95, 1.0] {
            for (p, q) in [(0.681, 0.806), (0.5, 0.02), (0.99, 0.3)] {
                let each = |p: f64| move |i: usize| mean_given(p, loading, edge(i), edge(i + 1));
                let mean = |of: &dyn Fn(usize) -> f64| (0..cells as usize).map(of).sum::<f64>() / f64::from(cells);
                near(mean(&each(p)), p, 1e-9);
                near(
                    mean(&|i| each(p)(i) * each(q)(i)),
                    both(p, q, loading * loading),
                    if loading < 1.0 { 1e-4 } else { 1e-9 },
                );
            }
        }
    }

    #[test]
    fn the_ends_are_no_correlation_and_the_whole() {
        assert_eq!(given(0.3, 0.0, 0.9), 0.3);
        assert_eq!((given(0.3, 1.0, 0.29), given(0.3, 1.0, 0.31)), (1.0, 0.0));
        assert_eq!((given(0.0, 0.5, 0.1), given(1.0, 0.5, 0.9)), (0.0, 1.0));
        assert!(given(0.6, 0.7, 0.1) > 0.6 && given(0.6, 0.7, 0.9) < 0.6);
    }

    #[test]
    fn loadings_are_found_again() {
        let truth = [0.9, 0.7, 0.5, 0.3];
        let products: Vec<f64> = truth.iter().flat_map(|a| truth.map(|b| a * b)).collect();
        for (found, expected) in loadings(&products, 4).into_iter().zip(truth) {
            near(found, expected, 1e-9);
        }
        assert_eq!(loadings(&[1.0, 0.49, 0.49, 1.0], 2), [0.7, 0.7]);
        assert_eq!(loadings(&[1.0, -0.2, -0.2, 1.0], 2), [0.0, 0.0]);
        assert_eq!(loadings(&[1.0], 1), [0.0]);
    }
}
