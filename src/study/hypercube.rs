//! Points of a Latin hypercube: of each input one value in every nth part of what is possible, put together by chance.
//!
//! With n points each input is seen in all of its range, however many inputs there are, and a mean over the points is known better than by
//! independent draws wherever inputs act mostly by themselves (McKay, Beckman and Conover, *Technometrics* 21, 1979; Stein, *Technometrics* 29,
//! 1987). Within its part a value lies anywhere. The draws of an input are keyed by the seed and the input's name: another input beside it changes nothing of them,
//! and no number of threads does. Left out: points that are spread evenly in several inputs together.

use rand::Rng;

use crate::kernel::chance::{Chance, Purpose, Stream, hash, index, inner_unit};

/// The shares, each strictly between 0 and 1, at which the inputs of these `names` are taken: by input, then by point.
pub fn hypercube(seed: u64, names: &[&str], points: usize) -> Vec<Vec<f64>> {
    let of = |name: &&str| {
        let mut stream = stream(seed, name);
        let mut parts: Vec<usize> = (0..points).collect();
        for last in (1..points).rev() {
            parts.swap(last, index(stream.next_u64(), last + 1));
        }
        let within = |part: usize| (part as f64 + inner_unit(stream.next_u64())) / points as f64;
        parts.into_iter().map(within).collect()
    };
    names.iter().map(of).collect()
}

/// The draws of the input of that name: those of a replication that no run reaches.
fn stream(seed: u64, name: &str) -> Stream {
    let of_name = name.bytes().fold(0, |known, byte| hash(u64::from(byte), known));
    Chance::new(seed, u64::MAX)
        .surroundings(of_name)
        .stream(Purpose::Parameters)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::spread::Spread;

    #[test]
    fn each_part_of_each_input_has_one_point() {
        for points in [1, 2, 24, 257] {
            for shares in hypercube(3, &["a", "b", "c"], points) {
                let mut parts: Vec<usize> = shares.iter().map(|u| (u * points as f64) as usize).collect();
                parts.sort_unstable();
                assert_eq!(parts, (0..points).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn an_input_keeps_its_draws_beside_others() {
        let alone = hypercube(7, &["b"], 24);
        let both = hypercube(7, &["a", "b"], 24);
        assert_eq!(alone[0], both[1]);
        assert_ne!(both[0], both[1]);
        assert_ne!(hypercube(8, &["b"], 24), alone);
    }

    /// P10 to P90 of 24 draws hold eight tenths of one input whatever the seed, and of the sum of two, whose law is a triangle, nearly so: as if the draws were
    /// independent it would be 0.768.
    #[test]
    fn ends_hold_what_they_say() {
        let ends = |values: &[f64]| {
            let spread = Spread::of(values);
            (spread.of_parts(0.1).unwrap(), spread.of_parts(0.9).unwrap())
        };
        let below = |s: f64| {
            if s < 1.0 {
                s * s / 2.0
            } else {
                1.0 - (2.0 - s) * (2.0 - s) / 2.0
            }
        };
        let (mut one, mut two) = (0.0, 0.0);
        for seed in 0..400 {
            let shares = hypercube(seed, &["a", "b"], 24);
            let (low, high) = ends(&shares[0]);
            assert!((high - low - 0.8).abs() < 2.0 / 24.0, "{seed}: {low} {high}");
            one += (high - low) / 400.0;
            let sums: Vec<f64> = shares[0].iter().zip(&shares[1]).map(|(a, b)| a + b).collect();
            let (low, high) = ends(&sums);
            two += (below(high) - below(low)) / 400.0;
        }
        assert!((one - 0.8).abs() < 0.01 && (0.77..0.81).contains(&two), "{one} {two}");
    }

    /// Of 400 seeds the correlations of two inputs over 24 points have a mean of 0 and a variance of 1 / 23: both within four standard errors.
    #[test]
    fn inputs_are_put_together_by_chance() {
        let correlations: Vec<f64> = (0..400)
            .map(|seed| {
                let both = hypercube(seed, &["a", "b"], 24);
                let centred = |i: usize| both[i].iter().map(|u| u - 0.5).collect::<Vec<f64>>();
                let (a, b) = (centred(0), centred(1));
                let product = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
                product(&a, &b) / (product(&a, &a) * product(&b, &b)).sqrt()
            })
            .collect();
        let mean = correlations.iter().sum::<f64>() / 400.0;
        let variance = correlations.iter().map(|x| x * x).sum::<f64>() / 400.0;
        assert!(mean.abs() < 4.0 * (1.0 / 23.0_f64 / 400.0).sqrt(), "{mean}");
        assert!(
            (variance * 23.0 - 1.0).abs() < 4.0 * (2.0 / 400.0_f64).sqrt(),
            "{variance}"
        );
    }
}
