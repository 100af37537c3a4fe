//! Laws fitted to published quantiles, where no single values are available.
//!
//! Least squares on the logarithms of the quantiles, so that an error of 5 % counts the same at p50 and at p99. There
//! is no likelihood, hence no AIC: the family of the least worst error is taken, and a family needs more quantiles than
//! it has parameters. Two quantiles alone, which is what vLLM's benchmark keeps unless told otherwise, are met by any family of two
//! parameters: of these the one is taken whose mean is nearest to the measured one, and the lognormal where there is none. Stages at several loads below saturation are averaged quantile by quantile, weighted by their
//! requests (Ratcliff, Psychological Bulletin 86, 1979), which keeps the shape where stages differ in scale alone.

use crate::stats::sorting;
use schemars::JsonSchema;
use serde::Serialize;

use super::family::{Family, Params};
use super::optimum::climb_blind;
use crate::calibrate::log::Summary;

/// A family fitted to a table of quantiles.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct TableFit {
    /// The family of the law.
    pub family: Family,
    /// The mean relative error over the quantiles.
    pub mean_error: f64,
    /// The largest relative error.
    pub worst_error: f64,
    /// The parameters in the form that a model file needs.
    #[serde(skip)]
    #[schemars(skip)]
    pub params: Params,
}

/// Summaries and their weights as one table: the shares that all have in common, at weighted means of the logarithms.
pub fn averaged(summaries: &[(f64, &Summary)]) -> Vec<(f64, f64)> {
    let Some((_, first)) = summaries.first() else {
        return Vec::new();
    };
    let total: f64 = summaries.iter().map(|(weight, _)| weight).sum();
    let at = |share: f64| -> Option<f64> {
        let mut sum = 0.0;
        for (weight, summary) in summaries {
            let (_, value) = summary.quantiles.iter().find(|(s, _)| (s - share).abs() < 1e-9)?;
            if *value <= 0.0 {
                return None;
            }
            sum += weight * libm::log(*value);
        }
        Some(libm::exp(sum / total))
    };
    let inner = first
        .quantiles
        .iter()
        .map(|(share, _)| *share)
        .filter(|s| *s > 0.0 && *s < 1.0);
    inner.filter_map(|share| Some((share, at(share)?))).collect()
}

/// The mean of a sample that is known by its quantiles otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mean {
    /// The mean of the values themselves, or of their inverses.
    pub value: f64,
    /// Whether it is the mean of the inverses: a time per token where the law is of speeds.
    pub of_inverse: bool,
}

impl Mean {
    /// The mean that a law has, as this one is formed.
    pub(super) fn of(self, params: &Params) -> f64 {
        const PARTS: u32 = 4_000;
        let at = |i: u32| params.quantile((f64::from(i) + 0.5) / f64::from(PARTS));
        let values = (0..PARTS).map(at);
        values.map(|x| if self.of_inverse { 1.0 / x } else { x }).sum::<f64>() / f64::from(PARTS)
    }
}

/// The least number of quantiles that a law can be fitted to.
pub(super) const LEAST: usize = 2;

/// Fits every family to these quantiles (pairs of share and value, shares strictly between 0 and 1), the best first. Of two
/// quantiles that is the family of two parameters whose mean is the nearest to `mean`.
pub fn through(table: &[(f64, f64)], mean: Option<Mean>) -> Vec<TableFit> {
    const FAMILIES: [Family; 6] = [
        Family::Lognormal,
        Family::Gamma,
        Family::Weibull,
        Family::ShiftedLognormal,
        Family::ShiftedGamma,
        Family::ShiftedWeibull,
    ];
    let enough = |family: &Family| match table.len() {
        LEAST if mean.is_none() => *family == Family::Lognormal,
        LEAST => family.parameters() == LEAST,
        many => many > family.parameters(),
    };
    let mut fits: Vec<TableFit> = FAMILIES
        .into_iter()
        .filter(enough)
        .filter_map(|f| one(f, table))
        .collect();
    let misses = |fit: &TableFit| match mean {
        Some(mean) if table.len() == LEAST => (mean.of(&fit.params) / mean.value - 1.0).abs(),
        Some(_) | None => fit.worst_error,
    };
    sorting::by(&mut fits, |a, b| misses(a).total_cmp(&misses(b)));
    fits
}

fn one(family: Family, table: &[(f64, f64)]) -> Option<TableFit> {
    let least = table.iter().map(|(_, x)| *x).fold(f64::INFINITY, f64::min);
    let middle = table
        .iter()
        .min_by(|a, b| (a.0 - 0.5).abs().total_cmp(&(b.0 - 0.5).abs()))?
        .1;
    let floored = matches!(
        family,
        Family::ShiftedLognormal | Family::ShiftedGamma | Family::ShiftedWeibull
    );
    // The floor as a share of the least quantile, by its logit; the other two by their logarithms.
    let params = |at: &[f64; 3]| {
        let shift = if floored {
            least / (1.0 + libm::exp(-at[2]))
        } else {
            0.0
        };
        match family {
            Family::Lognormal | Family::ShiftedLognormal => Params::Lognormal {
                shift,
                mu: at[0],
                sigma: libm::exp(at[1]),
            },
            Family::Gamma | Family::ShiftedGamma => Params::Gamma {
                shift,
                shape: libm::exp(at[1]),
                scale: libm::exp(at[0] - at[1]),
            },
            Family::Weibull
            | Family::ShiftedWeibull
            | Family::TwoLognormals
            | Family::ParetoTail
            | Family::Empirical => Params::Weibull {
                shift,
                shape: libm::exp(at[1]),
                scale: libm::exp(at[0]),
            },
        }
    };
    let misfit = |at: &[f64; 3]| {
        let law = params(at);
        let errors = table.iter().map(|(share, x)| libm::log(law.quantile(*share) / x));
        // The search is for a maximum. Without a floor the third parameter needs a unique optimum.
        -errors.map(|e| e * e).sum::<f64>() - if floored { 0.0 } else { 1e-6 * at[2] * at[2] }
    };
    let best = [0.0, 2.0]
        .into_iter()
        .flat_map(|floor| [-1.5, 0.0, 1.5].map(|width| [libm::log(middle * 0.7), width, floor]))
        .map(|start| climb_blind(start, misfit))
        .filter(|peak| peak.value.is_finite())
        .max_by(|a, b| a.value.total_cmp(&b.value))?;
    let params = params(&best.at);
    let errors: Vec<f64> = table
        .iter()
        .map(|(share, x)| (params.quantile(*share) / x - 1.0).abs())
        .collect();
    Some(TableFit {
        family,
        mean_error: errors.iter().sum::<f64>() / errors.len() as f64,
        worst_error: errors.iter().copied().fold(0.0, f64::max),
        params,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A median of 150 ms and a p99 of 234 ms: sigma is ln(234 / 150) / 2.32635 = 0.19116, and the mean 0.15 exp(sigma² / 2) =
    /// 152.77 ms. scipy: the gamma and the Weibull law through the same two have means of 152.1 ms and 148.7 ms.
    #[test]
    fn two_quantiles_are_met_and_the_mean_chooses() {
        let table = [(0.5, 0.15), (0.99, 0.234)];
        let of = |value| Mean {
            value,
            of_inverse: false,
        };
        let alone = through(&table, None);
        assert_eq!((alone.len(), alone[0].family), (1, Family::Lognormal));
        let Params::Lognormal { sigma, .. } = alone[0].params else {
            panic!()
        };
        assert!((sigma - 0.19116).abs() < 1e-4, "{sigma}");
        assert!((of(0.153).of(&alone[0].params) - 0.15277).abs() < 2e-5);
        for (mean, family) in [
            (0.153, Family::Lognormal),
            (0.1521, Family::Gamma),
            (0.148, Family::Weibull),
        ] {
            let found = through(&table, Some(of(mean)));
            assert_eq!((found.len(), found[0].family), (3, family), "{found:?}");
            assert!(found[0].worst_error < 1e-3, "{found:?}");
        }
        assert!(through(&table[..1], Some(of(0.153))).is_empty());
    }

    /// Quantiles of a law give that law back: 300 ms + lognormal(150 ms, 0.5), `scipy.stats.lognorm(0.5, 0.3, 0.15).ppf`.
    #[test]
    fn quantiles_of_a_law_give_it_back() {
        let table = [
            (0.1, 0.37903252774440543),
            (0.25, 0.4070601064212237),
            (0.5, 0.45),
            (0.75, 0.510162316778153),
            (0.9, 0.5846929061002065),
            (0.99, 0.7800111011914442),
        ];
        let best = through(&table, None).remove(0);
        assert_eq!(best.family, Family::ShiftedLognormal);
        assert!(best.worst_error < 1e-3, "{best:?}");
        let Params::Lognormal { shift, sigma, .. } = best.params else {
            panic!()
        };
        assert!(
            (shift / 0.3 - 1.0).abs() < 0.02 && (sigma / 0.5 - 1.0).abs() < 0.03,
            "{shift} {sigma}"
        );
    }
}
