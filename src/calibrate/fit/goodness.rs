//! Goodness of fit: the distance of a law from its sample, and the probability of a larger one by chance.
//!
//! The distance is that of Kolmogorov and Smirnov, to the Kaplan–Meier curve where values are censored (Barr and
//! Davidson, Technometrics 15, 1973); without censoring that of Anderson and Darling too, which weighs the tails. A law
//! that was fitted to the sample is nearer to it than the tables of either test assume, so the p-value is bootstrapped:
//! samples of the same size are drawn from the law, the family is fitted to each anew, and p is the share of them that
//! lie at least as far from their own fit (Stute, González Manteiga and Presedo Quindimil, Metrika 40, 1993). Bounds
//! are drawn too, from the Kaplan–Meier curve of the sample's bounds (Efron, JASA 76, 1981). The p-value assumes
//! independent values; the seed makes it repeatable.

use rand::Rng;
use rayon::prelude::*;
use serde::Serialize;

use super::family::{Family, Params};
use super::sample::Sample;
use crate::kernel::chance::{Chance, Purpose, unit};
use crate::kernel::law::Law;
use crate::kernel::sampler::Sampler;

/// The default number of refits of a bootstrap: p-values are precise to half a percent.
pub const REFITS: usize = 199;
/// The fewest refits, to which the number is reduced for samples of more than a thousand values.
const FEWEST: usize = 49;
/// The most values of a sample that the test uses; a larger sample is thinned evenly.
const MOST_VALUES: usize = 4000;

/// Distances of a law from its sample, and their p-values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Goodness {
    /// Kolmogorov and Smirnov's distance: the largest difference of the two distribution functions.
    pub ks: f64,
    /// Bootstrapped p-value of the Kolmogorov–Smirnov distance.
    pub ks_p: Option<f64>,
    /// Anderson and Darling's distance; `None` with censored values.
    pub ad: Option<f64>,
    /// Bootstrapped p-value of the Anderson–Darling distance.
    pub ad_p: Option<f64>,
    /// The number of refits behind the p-values.
    pub refits: usize,
}

/// The Kolmogorov–Smirnov distance of `law` from the sample.
pub(super) fn kolmogorov(law: &dyn Law, sample: &Sample) -> f64 {
    let mut before = 0.0;
    let mut most: f64 = 0.0;
    for (x, after) in sample.curve().steps() {
        let expected = law.cdf(*x);
        most = most.max((expected - before).abs()).max((after - expected).abs());
        before = *after;
    }
    most
}

/// The Anderson–Darling distance of `law` from a sample without censoring.
fn anderson(law: &dyn Law, sample: &Sample) -> Option<f64> {
    if !sample.beyond().is_empty() {
        return None;
    }
    let n = sample.seen().len();
    let masses = |x: &f64| (libm::log(law.cdf(*x).max(1e-300)), libm::log(law.sf(*x).max(1e-300)));
    let logs: Vec<(f64, f64)> = sample.seen().iter().map(masses).collect();
    let sum: f64 = (0..n)
        .map(|i| (2 * i + 1) as f64 * (logs[i].0 + logs[n - 1 - i].1))
        .sum();
    Some(-(n as f64) - sum / n as f64)
}

/// The distances of a law of `family` that was fitted to `sample`, with p-values of `refits` (fewer
/// for more than a thousand values); 0 for none.
pub fn goodness(family: Family, params: &Params, sample: &Sample, seed: u64, refits: usize) -> Option<Goodness> {
    let law = params.law().ok()?;
    let (ks, ad) = (kolmogorov(&*law, sample), anderson(&*law, sample));
    let without = Goodness {
        ks,
        ks_p: None,
        ad,
        ad_p: None,
        refits: 0,
    };
    if refits == 0 || family == Family::Empirical {
        return Some(without);
    }
    let sample = &thinned(sample);
    // A thinned sample has distances of its own.
    let (of_ks, of_ad) = (kolmogorov(&*law, sample), anderson(&*law, sample));
    let refits = (refits * 1000 / sample.len().max(1)).clamp(FEWEST.min(refits), refits);
    let sampler = Sampler::of(&*law);
    let bounds = (!sample.beyond().is_empty()).then(|| sample.curve_of_bounds());
    let further: Vec<(bool, bool)> = (0..refits as u64)
        .into_par_iter()
        .filter_map(|replication| {
            let key = Chance::new(seed, replication).request(family as u64);
            let (mut values, mut waits) = (key.stream(Purpose::Ttft), key.stream(Purpose::Jitter));
            let (mut seen, mut beyond) = (Vec::with_capacity(sample.len()), Vec::new());
            for _ in 0..sample.len() {
                let x = sampler.at(values.next_u64());
                let bound = bounds.as_ref().and_then(|curve| curve.quantile(unit(waits.next_u64())));
                match bound {
                    Some(bound) if x > bound => beyond.push(bound),
                    _ => seen.push(x),
                }
            }
            let drawn = Sample::new(seen, beyond);
            let refitted = family.fit(&drawn, Some(params))?.params.law().ok()?;
            let ks = kolmogorov(&*refitted, &drawn) >= of_ks;
            // With censored values there is no such distance, except for a draw that happens to have none.
            let ad = of_ad.is_some_and(|of| anderson(&*refitted, &drawn).is_some_and(|a| a >= of));
            Some((ks, ad))
        })
        .collect();
    let p = |far: usize| (far + 1) as f64 / (further.len() + 1) as f64;
    Some(Goodness {
        ks_p: Some(p(further.iter().filter(|f| f.0).count())),
        ad_p: ad.map(|_| p(further.iter().filter(|f| f.1).count())),
        refits: further.len(),
        ..without
    })
}

/// The sample, or of a large one an evenly thinned part, which has the same distribution.
fn thinned(sample: &Sample) -> Sample {
    let every = sample.len().div_ceil(MOST_VALUES).max(1);
    let some = |values: &[f64]| values.iter().skip(every / 2).step_by(every).copied().collect();
    Sample::new(some(sample.seen()), some(sample.beyond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.stats.kstest(x, "expon").statistic` and the formula of `scipy.stats.anderson` with the parameters given:
    /// shape 1 and scale 1 is the exponential.
    #[test]
    fn the_distances_agree_with_scipy() {
        let sample = Sample::new(vec![0.1, 0.35, 0.9, 1.2, 2.8], vec![]);
        let law = Params::Gamma {
            shift: 0.0,
            shape: 1.0,
            scale: 1.0,
        }
        .law()
        .unwrap();
        assert!((kolmogorov(&*law, &sample) - 0.19343034025940086).abs() < 1e-12);
        assert!((anderson(&*law, &sample).unwrap() - 0.1887659942665021).abs() < 1e-9);
    }

    /// Under the null the p-values are uniform: of 40 samples drawn from the family itself about half are below a half.
    #[test]
    fn p_values_are_uniform_under_the_null() {
        let truth = Params::Lognormal {
            shift: 0.0,
            mu: -1.0,
            sigma: 0.5,
        };
        let sampler = Sampler::of(&*truth.law().unwrap());
        let ps: Vec<f64> = (0..40)
            .map(|i| {
                let mut stream = Chance::new(77, i).request(0).stream(Purpose::Gap);
                let sample = Sample::new((0..80).map(|_| sampler.at(stream.next_u64())).collect(), vec![]);
                let fitted = Family::Lognormal.fit(&sample, None).unwrap();
                goodness(Family::Lognormal, &fitted.params, &sample, i, REFITS)
                    .unwrap()
                    .ks_p
                    .unwrap()
            })
            .collect();
        let below = |p: f64| ps.iter().filter(|x| **x < p).count();
        // Binomial(40, 1/2) is within 11..=29 and Binomial(40, 1/20) below 8 but for 4 in 1000.
        assert!((11..=29).contains(&below(0.5)) && below(0.05) < 8, "{ps:?}");
    }
}
