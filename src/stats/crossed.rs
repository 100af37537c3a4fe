//! How the spread of a figure over points and replications splits into what the points differ by and what chance does in one replication.
//!
//! Every point meets the same replications (common random numbers), so that points and replications are crossed: a figure is a mean, plus an effect
//! of its point, plus one of its replication, plus what is left. The variance of the points' effects is (mean square of points − mean square of the
//! rest) / replications, unbiased for random effects (Searle, Casella and McCulloch, *Variance Components*, 4.3). The one-way estimate, which would subtract the
//! spread within points instead, takes the replications' part away too, although it is the same at every point. The chance of one replication is
//! that spread within points, which holds both. Left out: points with different numbers of replications.

/// The two parts of a variance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Split {
    /// The variance of what points differ by; below 0 where chance makes it look so.
    pub points: f64,
    /// The variance of one replication at one point.
    pub chance: f64,
}

impl Split {
    /// The split of figures by point, of each by replication; nothing unless there are two points and replications at least, as many at each, all
    /// finite.
    pub fn of(points: &[&[f64]]) -> Option<Split> {
        let (p, r) = (points.len(), points.first()?.len());
        let is_sound = p > 1
            && r > 1
            && points
                .iter()
                .all(|of| of.len() == r && of.iter().all(|x| x.is_finite()));
        if !is_sound {
            return None;
        }
        let (count, each) = (p as f64, r as f64);
        let rows: Vec<f64> = points.iter().map(|of| of.iter().sum::<f64>() / each).collect();
        let columns: Vec<f64> = (0..r)
            .map(|j| points.iter().map(|of| of[j]).sum::<f64>() / count)
            .collect();
        let mean = rows.iter().sum::<f64>() / count;
        let square = |x: f64| x * x;
        let between = each * rows.iter().map(|row| square(row - mean)).sum::<f64>() / (count - 1.0);
        let cells = || {
            points
                .iter()
                .zip(&rows)
                .flat_map(|(of, row)| of.iter().zip(&columns).map(move |(x, column)| (x, row, column)))
        };
        let rest = cells()
            .map(|(x, row, column)| square(x - row - column + mean))
            .sum::<f64>();
        let within = cells().map(|(x, row, _)| square(x - row)).sum::<f64>();
        Some(Split {
            points: (between - rest / (count - 1.0) / (each - 1.0)) / each,
            chance: within / count / (each - 1.0),
        })
    }

    /// The share of the points in the variance of one replication at a point that is drawn anew; nothing where nothing varies.
    pub fn share(&self) -> Option<f64> {
        let points = self.points.max(0.0);
        let whole = points + self.chance;
        (whole > 0.0).then(|| points / whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::SmallRng;
    use rand::{RngExt, SeedableRng};

    /// Points at −1, 0 and 1 (variance 1) and replications at 0, 3 (variance 4.5), which add up: nothing is left.
    #[test]
    fn what_adds_up_splits_exactly() {
        let split = Split::of(&[&[-1.0, 2.0], &[0.0, 3.0], &[1.0, 4.0]]).unwrap();
        assert!(
            (split.points - 1.0).abs() < 1e-12 && (split.chance - 4.5).abs() < 1e-12,
            "{split:?}"
        );
        assert!((split.share().unwrap() - 1.0 / 5.5).abs() < 1e-12);
    }

    /// By hand: rows 2 and 6, columns 3 and 5, mean 4, the rest ±1: mean squares of 16 and 4, and (16 − 4) / 2 = 6; within points 8 / 2 = 4.
    #[test]
    fn what_is_left_is_subtracted() {
        let split = Split::of(&[&[2.0, 2.0], &[4.0, 8.0]]).unwrap();
        assert!(
            (split.points - 6.0).abs() < 1e-12 && (split.chance - 4.0).abs() < 1e-12,
            "{split:?}"
        );
    }

    #[test]
    fn too_little_splits_into_nothing() {
        for points in [
            &[][..],
            &[&[1.0, 2.0][..]],
            &[&[1.0], &[2.0]],
            &[&[1.0, 2.0], &[1.0]],
            &[&[1.0, 2.0], &[f64::NAN, 1.0]],
        ] {
            assert_eq!(Split::of(points), None);
        }
        assert_eq!(Split::of(&[&[1.0, 1.0], &[1.0, 1.0]]).unwrap().share(), None);
    }

    /// Effects of variance 4 (points), 9 (replications) and 1 (the rest), uniform: over 4,000 samples of 6 × 5 the mean estimates are 4 and 10
    /// within four of their standard errors. The one-way estimate would be 4 − 9 / 5.
    #[test]
    fn both_parts_are_unbiased() {
        let mut random = SmallRng::seed_from_u64(11);
        let mut draw = |variance: f64| (12.0 * variance).sqrt() * (random.random::<f64>() - 0.5);
        let (mut sums, mut squares) = ([0.0; 2], [0.0; 2]);
        for _ in 0..4000 {
            let columns: Vec<f64> = (0..5).map(|_| draw(9.0)).collect();
            let rows: Vec<Vec<f64>> = (0..6)
                .map(|_| {
                    let row = draw(4.0);
                    columns.iter().map(|column| row + column + draw(1.0)).collect()
                })
                .collect();
            let split = Split::of(&rows.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
            for (i, x) in [split.points, split.chance].into_iter().enumerate() {
                sums[i] += x;
                squares[i] += x * x;
            }
        }
        for (i, expected) in [4.0, 10.0].into_iter().enumerate() {
            let mean = sums[i] / 4000.0;
            let error = ((squares[i] / 4000.0 - mean * mean) / 4000.0).sqrt();
            assert!((mean - expected).abs() < 4.0 * error, "{i}: {mean} ± {error}");
        }
    }
}
