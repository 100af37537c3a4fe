//! Other laws that the measurements allow: the family that was taken, fitted to resampled values.
//!
//! Each resample has as many values as the measured ones are worth, autocorrelation taken into account, drawn from them with
//! replacement (the m out of n bootstrap: Bickel, Goetze and van Zwet, *Statistica Sinica* 7, 1997): blocks, which keep the
//! autocorrelation, would say the same of a mean and need a length besides. Left out: the sample's own quantiles as a law, which
//! would fill the model file, and more than 4,000 values, whose fit is exact beside everything else.

use rand::Rng;
use rayon::prelude::*;

use super::family::{Family, Params};
use super::sample::Sample;
use crate::experiment::uncertainty::DRAWS;
use crate::kernel::chance::{Chance, Purpose, index};

/// The most values of a resample.
const MOST: usize = 4000;

/// Laws of `family`, to which `params` belongs, fitted to resamples of `sample`, whose values are worth `effective` independent ones.
pub(super) fn refits(family: Family, params: &Params, sample: &Sample, effective: f64, seed: u64) -> Vec<Params> {
    let many = (effective.round() as usize).clamp(2, sample.len().clamp(2, MOST));
    if family == Family::Empirical || sample.is_empty() {
        return Vec::new();
    }
    let (seen, beyond) = (sample.seen(), sample.beyond());
    (0..DRAWS as u64)
        .into_par_iter()
        .filter_map(|draw| {
            let mut stream = Chance::new(seed, draw)
                .request(family as u64)
                .stream(Purpose::Parameters);
            let (mut values, mut bounds) = (Vec::with_capacity(many), Vec::new());
            for _ in 0..many {
                let at = index(stream.next_u64(), sample.len());
                match at.checked_sub(seen.len()) {
                    None => values.push(seen[at]),
                    Some(at) => bounds.push(beyond[at]),
                }
            }
            let fitted = family.fit(&Sample::new(values, bounds), Some(params))?.params;
            fitted.law().is_ok().then_some(fitted)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::sampler::Sampler;

    /// Of n values the mean of the logarithm has the standard error σ/√n, and σ itself σ/√(2n): 0.05 and 0.0354 from 100 values
    /// of σ = 0.5. Over 40 samples of 24 refits each, their spread is known to 3 %.
    #[test]
    fn refits_are_as_far_apart_as_the_parameters_are_uncertain() {
        let truth = Params::Lognormal {
            shift: 0.0,
            mu: -1.0,
            sigma: 0.5,
        };
        let sampler = Sampler::of(&*truth.law().unwrap());
        let (mut of_mu, mut of_sigma) = (0.0, 0.0);
        for i in 0..40 {
            let mut stream = Chance::new(5, i).request(0).stream(Purpose::Gap);
            let values: Vec<f64> = (0..400).map(|_| sampler.at(stream.next_u64())).collect();
            let sample = Sample::new(values, vec![]);
            let fitted = Family::Lognormal.fit(&sample, None).unwrap().params;
            // Four hundred values that are worth a hundred.
            let refitted = refits(Family::Lognormal, &fitted, &sample, 100.0, i);
            assert_eq!(refitted.len(), DRAWS);
            let parts = |which: fn(&Params) -> f64| {
                let all: Vec<f64> = refitted.iter().map(which).collect();
                let mean = all.iter().sum::<f64>() / all.len() as f64;
                all.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (all.len() - 1) as f64
            };
            of_mu += parts(|p| match p {
                Params::Lognormal { mu, .. } => *mu,
                other => panic!("{other:?}"),
            }) / 40.0;
            of_sigma += parts(|p| match p {
                Params::Lognormal { sigma, .. } => *sigma,
                other => panic!("{other:?}"),
            }) / 40.0;
        }
        assert!((of_mu.sqrt() - 0.05).abs() < 0.006, "{}", of_mu.sqrt());
        assert!((of_sigma.sqrt() - 0.0354).abs() < 0.006, "{}", of_sigma.sqrt());
    }

    #[test]
    fn quantiles_of_the_sample_have_none() {
        let sample = Sample::new((1..500).map(f64::from).collect(), vec![]);
        let fitted = Family::Empirical.fit(&sample, None).unwrap().params;
        assert!(refits(Family::Empirical, &fitted, &sample, 499.0, 1).is_empty());
    }
}
