//! Is B lower or higher than A? A paired comparison, replication by replication.
//!
//! Replications of two scenarios share their random numbers, so what each adds to A's error it largely adds to B's as well, and the
//! difference is known better than either figure. Its interval is put together from the two figures' own intervals and the
//! correlation of what replications add to them (MOVER: Zou and Donner, *Statistics in Medicine* 27, 2008), which takes intervals that
//! reach further to one side, as those of percentiles and of rare events do. For means over replications with Student t
//! intervals it is exactly the paired t interval (Law, *Simulation Modeling and Analysis*, ch. 11).
//!
//! There is a difference when the interval excludes zero, and otherwise the comparison is inconclusive. Of many comparisons at
//! once, [`holm`] says which stand. Left out: equivalence within a margin. Whether lower is better depends on the figure and is not
//! decided here.

use super::sorting;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::critical::{Confidence, two_sided};
use super::interval::Estimate;

/// The conclusion that the paired interval allows about B relative to A.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// B is lower: the whole interval of `B - A` is below zero.
    Lower,
    /// B is higher: the whole interval of `B - A` is above zero.
    Higher,
    /// The interval holds zero, or there is no interval.
    CannotTell,
    /// There are at least two pairs, and A and B agree exactly in every one.
    Same,
}

/// A figure to be compared: its estimate, and what each replication adds to its error.
///
/// The residuals are on any scale, since only their correlation with those of the other side counts; a positive one means a larger
/// figure. All sides have those of the same replications in the same order.
#[derive(Clone, Debug, PartialEq)]
pub struct Side {
    /// The figure with its interval.
    pub estimate: Estimate,
    /// What each replication adds to the figure's error.
    pub residuals: Vec<f64>,
}

impl Side {
    /// The mean of one figure per replication.
    pub fn of_replications(values: &[f64], confidence: Confidence) -> Side {
        let estimate = Estimate::of_replications(values.iter().copied().map(Some), confidence);
        Side {
            residuals: values.iter().map(|v| v - estimate.value).collect(),
            estimate,
        }
    }
}

impl Side {
    /// The sum of figures of the same replications, each times its weight, with its interval: put together from theirs and how what
    /// replications add to them hangs together, as differences are.
    pub fn sum(terms: &[(f64, Side)]) -> Side {
        let scaled: Vec<Scaled> = terms.iter().map(|(weight, side)| Scaled::of(*weight, side)).collect();
        let value: f64 = scaled.iter().map(|term| term.value).sum();
        let apart = |reach: fn(&Scaled) -> Option<f64>| {
            let mut square = 0.0;
            for x in &scaled {
                for y in &scaled {
                    square += correlation(&x.residuals, &y.residuals) * reach(x)? * reach(y)?;
                }
                // What has no spread goes with nothing, and still with itself.
                let own = correlation(&x.residuals, &x.residuals);
                square += (1.0 - own) * reach(x)? * reach(x)?;
            }
            Some(square.max(0.0).sqrt()).filter(|reach| reach.is_finite() && value.is_finite())
        };
        let estimates = || terms.iter().map(|(_, side)| &side.estimate);
        let is_endless = value == f64::INFINITY
            && (terms.iter()).any(|(weight, side)| *weight > 0.0 && side.estimate.lo == Some(f64::INFINITY));
        let count = scaled.iter().map(|term| term.residuals.len()).min().unwrap_or(0);
        Side {
            estimate: Estimate {
                value,
                lo: if is_endless {
                    Some(value)
                } else {
                    apart(|term| term.down).map(|reach| value - reach)
                },
                hi: apart(|term| term.up).map(|reach| value + reach),
                n: estimates().map(|of| of.n).min().unwrap_or(0),
                undefined: estimates().map(|of| of.undefined).max().unwrap_or(0),
            },
            residuals: (0..count)
                .map(|k| scaled.iter().map(|term| term.residuals[k]).sum())
                .collect(),
        }
    }
}

/// A term of a sum.
struct Scaled {
    /// The figure times its weight.
    value: f64,
    /// How far its interval reaches down and up.
    down: Option<f64>,
    up: Option<f64>,
    /// What replications add to it, on the scale of that reach.
    residuals: Vec<f64>,
}

impl Scaled {
    fn of(weight: f64, side: &Side) -> Scaled {
        let of = &side.estimate;
        let down = of.lo.map(|lo| weight.abs() * (of.value - lo));
        let up = of.hi.map(|hi| weight.abs() * (hi - of.value));
        let (down, up) = if weight < 0.0 { (up, down) } else { (down, up) };
        let reach = down.zip(up).map_or(0.0, |(down, up)| f64::midpoint(down, up));
        let mean = side.residuals.iter().sum::<f64>() / side.residuals.len() as f64;
        let squares = side.residuals.iter().map(|r| (r - mean) * (r - mean));
        let spread = squares.sum::<f64>().sqrt();
        let is_known = spread > 0.0 && reach.is_finite();
        let scale = if is_known {
            weight.signum() * reach / spread
        } else {
            0.0
        };
        Scaled {
            value: weight * of.value,
            down,
            up,
            residuals: side.residuals.iter().map(|r| scale * r).collect(),
        }
    }
}

/// The difference `B - A`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paired {
    /// The difference of the two figures, with its interval; not a number where either is infinite; its `n` is that of the side that fewer replications define, its
    /// `undefined` that of the side that more do not.
    pub difference: Estimate,
    /// The difference as a share of the size of A (-0.1 is 10 % lower); `None` without a figure, or when A is zero.
    pub relative: Option<f64>,
    /// The conclusion that the interval allows.
    pub verdict: Verdict,
    /// The probability of a difference at least as far from zero if there were none; 1 where it cannot be known.
    pub p: f64,
}

impl Paired {
    /// Compares two figures whose intervals are of the same level, `confidence`.
    pub fn compare(a: &Side, b: &Side, confidence: Confidence) -> Paired {
        let (from, to) = (&a.estimate, &b.estimate);
        let n = from.n.min(to.n);
        let value = to.value - from.value;
        let rho = correlation(&a.residuals, &b.residuals);
        let apart = |x: Option<f64>, y: Option<f64>| {
            let (x, y) = x.zip(y)?;
            Some((x * x + y * y - 2.0 * rho * x * y).max(0.0).sqrt()).filter(|reach| reach.is_finite())
        };
        let down = |of: &Estimate| of.lo.map(|lo| of.value - lo);
        let up = |of: &Estimate| of.hi.map(|hi| hi - of.value);
        let (below, above) = (apart(down(to), up(from)), apart(up(to), down(from)));
        let is_same = from.value == to.value && a.residuals == b.residuals && n > 1;
        let finite = value.is_finite();
        let difference = Estimate {
            value: if finite { value } else { f64::NAN },
            lo: below
                .filter(|_| finite)
                .map(|reach| value - if is_same { 0.0 } else { reach }),
            hi: above
                .filter(|_| finite)
                .map(|reach| value + if is_same { 0.0 } else { reach }),
            n,
            undefined: from.undefined.max(to.undefined),
        };
        let is_endless = |of: &Estimate| of.lo == Some(f64::INFINITY);
        let verdict = match (difference.lo, difference.hi) {
            _ if is_same => Verdict::Same,
            // Two figures without any spread, as medians of one bucket are.
            (Some(lo), Some(hi)) if n > 1 && lo == 0.0 && hi == 0.0 => Verdict::Same,
            _ if is_endless(to) && from.hi.is_some() => Verdict::Higher,
            _ if is_endless(from) && to.hi.is_some() => Verdict::Lower,
            (_, Some(hi)) if hi < 0.0 => Verdict::Lower,
            (Some(lo), _) if lo > 0.0 => Verdict::Higher,
            _ => Verdict::CannotTell,
        };
        // The end that is nearer to zero, by how many of its own errors it is away.
        let reach = if value > 0.0 { below } else { above };
        let p = match reach.filter(|_| n > 1 && finite) {
            Some(reach) if reach > 0.0 => two_sided(value.abs() / reach * confidence.t(n - 1), n - 1),
            Some(_) if value != 0.0 => 0.0,
            _ if matches!(verdict, Verdict::Lower | Verdict::Higher) => 0.0,
            _ => 1.0,
        };
        Paired {
            difference,
            relative: Some(value / from.value.abs()).filter(|share| share.is_finite()),
            verdict,
            p,
        }
    }
}

/// The correlation of two columns, 0 where either has no spread.
fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len().min(b.len()) as f64;
    let mean = |of: &[f64]| of.iter().sum::<f64>() / n;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut aa, mut ab, mut bb) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        let (x, y) = (x - mean_a, y - mean_b);
        aa += x * x;
        ab += x * y;
        bb += y * y;
    }
    let scale = (aa * bb).sqrt();
    if scale > 0.0 {
        (ab / scale).clamp(-1.0, 1.0)
    } else {
        0.0
    }
}

/// Which of several differences stand, given the probability of each if there were none: the chance that any of them is a false one is
/// at most what `confidence` leaves out, however they hang together (Holm, *Scandinavian Journal of Statistics* 6, 1979).
pub fn holm(ps: &[f64], confidence: Confidence) -> Vec<bool> {
    let mut order: Vec<usize> = (0..ps.len()).collect();
    sorting::by(&mut order, |&a, &b| ps[a].total_cmp(&ps[b]));
    let mut stands = vec![false; ps.len()];
    for (rank, &at) in order.iter().enumerate() {
        if ps[at] > 2.0 * confidence.tail() / (ps.len() - rank) as f64 {
            break;
        }
        stands[at] = true;
    }
    stands
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{SeedableRng, rngs::SmallRng};
    use rand_distr::{Distribution, Exp1, StandardNormal};

    // Two instruments on the same six parts.
    const A: [f64; 6] = [30.02, 29.99, 30.11, 29.97, 30.01, 29.99];
    const B: [f64; 6] = [29.89, 29.93, 29.72, 29.98, 30.02, 29.98];

    fn side(values: &[f64]) -> Side {
        Side::of_replications(values, Confidence::P95)
    }

    fn compare(a: &[f64], b: &[f64]) -> Paired {
        Paired::compare(&side(a), &side(b), Confidence::P95)
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-8 * b.abs()
    }

    /// Of means the interval of a sum is that of the mean of the sums.
    #[test]
    fn a_sum_of_means_is_the_mean_of_sums() {
        let sums: Vec<f64> = A.iter().zip(B).map(|(a, b)| 2.0 * a - 0.5 * b).collect();
        let (found, known) = (Side::sum(&[(2.0, side(&A)), (-0.5, side(&B))]), side(&sums));
        assert!(close(found.estimate.value, known.estimate.value));
        assert!(close(found.estimate.lo.unwrap(), known.estimate.lo.unwrap()));
        assert!(close(found.estimate.hi.unwrap(), known.estimate.hi.unwrap()));
        assert!(close(correlation(&found.residuals, &known.residuals), 1.0));
        assert_eq!((found.estimate.n, found.residuals.len()), (6, 6));
    }

    #[test]
    fn a_sum_with_what_never_ends_never_ends() {
        let endless = Side {
            estimate: Estimate {
                value: f64::INFINITY,
                lo: Some(f64::INFINITY),
                hi: None,
                n: 6,
                undefined: 0,
            },
            residuals: vec![0.0; 6],
        };
        let sum = Side::sum(&[(1.0, side(&A)), (3.0, endless)]);
        assert_eq!(
            (sum.estimate.value, sum.estimate.lo),
            (f64::INFINITY, Some(f64::INFINITY))
        );
        assert_eq!(
            Paired::compare(&side(&A), &sum, Confidence::P95).verdict,
            Verdict::Higher
        );
    }

    #[test]
    fn difference_and_verdict_agree_with_scipy() {
        // python3 tests/oracle/stats.py paired
        for (shift, mean, lo, hi, relative, verdict) in [
            (
                0.0,
                -0.095,
                -0.2567288938447377,
                0.06672889384473878,
                -0.0031650841246043462,
                Verdict::CannotTell,
            ),
            (
                -1.0,
                -1.095,
                -1.2567288938447378,
                -0.9332711061552613,
                -0.036481759120439765,
                Verdict::Lower,
            ),
            (
                1.0,
                0.905,
                0.7432711061552623,
                1.0667288938447388,
                0.03015159087123107,
                Verdict::Higher,
            ),
        ] {
            let paired = compare(&A, &B.map(|b| b + shift));
            let Estimate { value: found, n, .. } = paired.difference;
            assert!(close(found, mean) && n == 6 && paired.verdict == verdict, "{paired:?}");
            assert!(close(paired.difference.lo.unwrap(), lo) && close(paired.difference.hi.unwrap(), hi));
            assert!(close(paired.relative.unwrap(), relative));
        }
    }

    #[test]
    fn ends_at_unequal_distances_stay_so() {
        // Uncorrelated: the lower end is sqrt(1² + 4²) below, the upper sqrt(2² + 3²) above.
        let side = |value, lo, hi, residuals: [f64; 4]| Side {
            estimate: Estimate {
                value,
                lo: Some(lo),
                hi: Some(hi),
                n: 4,
                undefined: 0,
            },
            residuals: residuals.to_vec(),
        };
        let a = side(10.0, 7.0, 14.0, [1.0, -1.0, 1.0, -1.0]);
        let b = side(20.0, 19.0, 22.0, [1.0, 1.0, -1.0, -1.0]);
        let found = Paired::compare(&a, &b, Confidence::P95).difference;
        assert!(close(found.lo.unwrap(), 10.0 - 17f64.sqrt()) && close(found.hi.unwrap(), 10.0 + 13f64.sqrt()));
        let open = Side {
            estimate: Estimate { hi: None, ..b.estimate },
            ..b
        };
        let found = Paired::compare(&a, &open, Confidence::P95);
        assert_eq!((found.difference.hi, found.verdict), (None, Verdict::Higher));
    }

    #[test]
    fn what_is_infinite_is_higher_by_no_figure() {
        let endless = Side {
            estimate: Estimate {
                value: f64::INFINITY,
                lo: Some(f64::INFINITY),
                n: 6,
                ..Estimate::NONE
            },
            residuals: vec![0.0; 6],
        };
        let found = Paired::compare(&side(&A), &endless, Confidence::P95);
        assert!(found.difference.value.is_nan() && (found.verdict, found.p) == (Verdict::Higher, 0.0));
        let found = Paired::compare(&endless, &side(&A), Confidence::P95);
        assert_eq!((found.verdict, found.p), (Verdict::Lower, 0.0));
    }

    /// scipy.stats.ttest_rel(A, B + 1).pvalue and statsmodels' multipletests(method="holm").
    #[test]
    fn probabilities_and_what_stands_agree_with_scipy() {
        let p = compare(&A, &B.map(|b| b + 1.0)).p;
        assert!(close(p, 2.9282775723901338e-05), "{p}");
        let stands = holm(&[0.01, 0.04, 0.03, 0.005], Confidence::P95);
        assert_eq!(stands, [true, false, false, true]);
        assert_eq!(holm(&[0.06, 0.01], Confidence::P95), [false, true]);
        assert_eq!(holm(&[], Confidence::P95), [false; 0]);
    }

    #[test]
    fn identical_columns_are_the_same() {
        assert_eq!(compare(&A, &A).verdict, Verdict::Same);
    }

    #[test]
    fn a_constant_difference_needs_no_spread_to_be_seen() {
        assert_eq!(compare(&[1.0, 2.0, 3.0], &[1.5, 2.5, 3.5]).verdict, Verdict::Higher);
    }

    #[test]
    fn fewer_than_two_pairs_tell_nothing() {
        assert_eq!(compare(&[1.0], &[1.0]).verdict, Verdict::CannotTell);
        let none = compare(&[], &[1.0]);
        assert_eq!(
            (none.verdict, none.relative, none.difference.n),
            (Verdict::CannotTell, None, 0)
        );
    }

    #[test]
    fn a_base_of_zero_has_no_relative_difference() {
        assert_eq!(compare(&[1.0, -1.0], &[2.0, 0.0]).relative, None);
    }

    #[test]
    fn the_interval_holds_the_true_difference_as_often_as_it_says() {
        let mut random = SmallRng::seed_from_u64(20);
        let mut noise = || -> f64 { StandardNormal.sample(&mut random) };
        let mut weather = SmallRng::seed_from_u64(21);
        let mut held = 0;
        for _ in 0..2000 {
            let (mut a, mut b) = (vec![], vec![]);
            for _ in 0..10 {
                // What both share is skewed and far larger than what is their own.
                let shared: f64 = Distribution::<f64>::sample(&Exp1, &mut weather) * 50.0;
                a.push(shared + noise());
                b.push(shared + noise() + 0.3);
            }
            let difference = compare(&a, &b).difference;
            held += i32::from(difference.lo.unwrap() <= 0.3 && 0.3 <= difference.hi.unwrap());
        }
        assert!((1870..=1930).contains(&held), "{held} of 2000");
    }
}
