//! Is B lower or higher than A? A paired comparison, replication by replication.
//!
//! Replications of two scenarios share their random numbers, so a replication's difference `B - A` has far less noise than
//! either figure. The Student t interval of the mean difference decides (Law, *Simulation Modeling and Analysis*, ch.
//! 11): there is a difference when the interval excludes zero, and otherwise the comparison is inconclusive. Left out:
//! corrections for many comparisons at once, and equivalence within a margin. Whether lower is better depends on the
//! figure and is not decided here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::interval::{Confidence, Estimate};

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

/// The difference `B - A` by replication.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Paired {
    /// The mean of `B - A`; its `n` counts the pairs used, its `undefined` the replications where either side lacks the
    /// figure.
    pub difference: Estimate,
    /// The mean difference as a share of the size of A's mean over the same pairs (-0.1 is 10 % lower); `None` without pairs, or
    /// when that mean is zero.
    pub relative: Option<f64>,
    /// The conclusion that the interval allows.
    pub verdict: Verdict,
}

impl Paired {
    /// Compares two columns of figures, both indexed by replication. Only replications that have both figures, and both
    /// finite, are used; the tail of the longer column has no partner.
    pub fn compare(a: &[Option<f64>], b: &[Option<f64>], confidence: Confidence) -> Paired {
        let pairs = (0..a.len().max(b.len())).map(|index| Some((finite_at(a, index)?, finite_at(b, index)?)));
        let difference = Estimate::of_replications(pairs.clone().map(|pair| pair.map(|(a, b)| b - a)), confidence);
        let base = Estimate::of_replications(pairs.clone().map(|pair| pair.map(|(a, _)| a)), confidence);
        let verdict = match (difference.lo(), difference.hi()) {
            (Some(_), Some(_)) if pairs.flatten().all(|(a, b)| a == b) => Verdict::Same,
            (_, Some(hi)) if hi < 0.0 => Verdict::Lower,
            (Some(lo), _) if lo > 0.0 => Verdict::Higher,
            _ => Verdict::CannotTell,
        };
        let relative = Some(difference.mean / base.mean.abs()).filter(|share| share.is_finite());
        Paired {
            difference,
            relative,
            verdict,
        }
    }
}

/// The figure of one replication, if it has one.
fn finite_at(column: &[Option<f64>], index: usize) -> Option<f64> {
    column.get(index).copied().flatten().filter(|value| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{SeedableRng, rngs::SmallRng};
    use rand_distr::{Distribution, Exp1, StandardNormal};

    // Two instruments on the same six parts.
    const A: [f64; 6] = [30.02, 29.99, 30.11, 29.97, 30.01, 29.99];
    const B: [f64; 6] = [29.89, 29.93, 29.72, 29.98, 30.02, 29.98];

    fn compare(a: &[f64], b: &[f64]) -> Paired {
        let some = |column: &[f64]| column.iter().copied().map(Some).collect::<Vec<_>>();
        Paired::compare(&some(a), &some(b), Confidence::P95)
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-8 * b.abs()
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
            let Estimate { mean: found, n, .. } = paired.difference;
            assert!(close(found, mean) && n == 6 && paired.verdict == verdict, "{paired:?}");
            assert!(close(paired.difference.lo().unwrap(), lo) && close(paired.difference.hi().unwrap(), hi));
            assert!(close(paired.relative.unwrap(), relative));
        }
    }

    #[test]
    fn only_replications_with_both_figures_count() {
        let a = [Some(1.0), None, Some(3.0), Some(4.0), Some(f64::NAN)];
        let b = [Some(2.0), Some(9.0), None, Some(6.0), Some(1.0), Some(1.0)];
        let Paired {
            difference, relative, ..
        } = Paired::compare(&a, &b, Confidence::P95);
        assert_eq!(
            (difference.mean, difference.n, difference.undefined, relative),
            (1.5, 2, 4, Some(0.6))
        );
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
            (none.verdict, none.relative, none.difference.undefined),
            (Verdict::CannotTell, None, 1)
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
            held += i32::from(difference.lo().unwrap() <= 0.3 && 0.3 <= difference.hi().unwrap());
        }
        assert!((1870..=1930).contains(&held), "{held} of 2000");
    }
}
