//! The choice of a law: the one of least AIC, tested by its distance from the sample.
//!
//! AIC (Akaike, IEEE TAC 19, 1974) charges two units for a parameter, BIC (Schwarz, Annals of Statistics 6, 1978) ln n.
//! The rule: of the families within two units of the least AIC, which the data cannot distinguish (Burnham and
//! Anderson, Model Selection, 2002), the one with the fewest parameters, and of those the one of greatest likelihood.
//! If its goodness-of-fit test rejects it at 5 %, the best by AIC that is not rejected and at most ten units worse. If
//! all are rejected and the sample is large enough for its own p99, the sample's own quantiles; else the best by AIC,
//! with a caution that it is rejected. A family needs ten uncensored values for each of its parameters.

use crate::stats::sorting;
use schemars::JsonSchema;
use serde::Serialize;

use super::family::{Family, Fitted, Params};
use super::goodness::{Goodness, goodness};
use super::sample::Sample;
use crate::stats::critical::Confidence;
use crate::stats::interval::min_samples_for_quantile;

/// Uncensored values that each parameter needs.
pub(super) const VALUES_FOR_A_PARAMETER: usize = 10;
/// Differences of AIC up to which two families count as equally good.
const AS_GOOD: f64 = 2.0;
/// Differences of AIC up to which a family still has some support.
const SOME_SUPPORT: f64 = 10.0;
/// A law is rejected below this p-value.
const REJECTED: f64 = 0.05;

/// A family with its maximum-likelihood law.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Candidate {
    /// The family of the law.
    pub family: Family,
    /// Names and values of the law's parameters, times in seconds and speeds in tokens per second; `mu` and `sigma` are
    /// of the logarithm.
    pub parameters: Vec<Parameter>,
    /// The log-likelihood of the sample under the law.
    pub log_likelihood: f64,
    /// Akaike's information criterion (AIC).
    pub aic: f64,
    /// The Bayesian information criterion (BIC).
    pub bic: f64,
    /// The distances of the law from the sample, with p-values.
    pub goodness: Goodness,
    /// Whether the floor is held at a bound, because the likelihood has no maximum below the least value.
    pub floor_held: bool,
    /// The parameters in the form that a model file needs.
    #[serde(skip)]
    #[schemars(skip)]
    pub params: Params,
}

/// A parameter of a law.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Parameter {
    /// The name of the parameter.
    pub name: &'static str,
    /// The value of the parameter.
    pub value: f64,
}

/// A chosen law, with the candidates.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// The families that could be fitted, best AIC first.
    pub candidates: Vec<Candidate>,
    /// The law that was chosen.
    pub params: Params,
    /// The family of the chosen law; `None` for a constant.
    pub family: Option<Family>,
    /// The reason for the choice, in a sentence.
    pub why: String,
    /// Cautions about the chosen law, in sentences.
    pub cautions: Vec<String>,
}

/// Fits every family and chooses one, tested by `refits` refits; with `only`, chooses that. `None` if all values are
/// censored or there are none.
pub fn choose(sample: &Sample, only: Option<Family>, seed: u64, refits: usize) -> Option<Choice> {
    let first = *sample.seen().first()?;
    let constant = |why: &str| Choice {
        candidates: Vec::new(),
        params: Params::Constant(sample.curve().quantile(0.5).unwrap_or(first)),
        family: None,
        why: why.to_owned(),
        cautions: Vec::new(),
    };
    if sample.is_constant() {
        return Some(constant("every value is the same"));
    }
    let mut candidates: Vec<Candidate> = Family::PARAMETRIC
        .into_iter()
        .filter(|family| only == Some(*family) || sample.seen().len() >= VALUES_FOR_A_PARAMETER * family.parameters())
        .filter_map(|family| candidate(family, family.fit(sample, None)?, sample, seed, refits))
        .collect();
    sorting::by(&mut candidates, |a, b| a.aic.total_cmp(&b.aic));
    if let Some(only) = only {
        return asked(sample, only, candidates);
    }
    let Some(best) = candidates.first() else {
        let why = format!(
            "{} values seen are too few for any family, which wants {VALUES_FOR_A_PARAMETER} for each parameter: their median",
            sample.seen().len()
        );
        return Some(constant(&why));
    };
    let passes = |c: &Candidate| c.goodness.ks_p.is_none_or(|p| p >= REJECTED);
    let simplest = candidates
        .iter()
        .filter(|c| c.aic <= best.aic + AS_GOOD)
        .min_by(|a, b| {
            let parameters = a.family.parameters().cmp(&b.family.parameters());
            parameters.then(a.aic.total_cmp(&b.aic))
        })?;
    let taken = |c: &Candidate, why: String| Choice {
        params: c.params.clone(),
        family: Some(c.family),
        why,
        cautions: Vec::new(),
        candidates: candidates.clone(),
    };
    if passes(simplest) {
        let why = if simplest.family == best.family {
            "the least AIC, and not rejected".to_owned()
        } else {
            let apart = simplest.aic - best.aic;
            format!("AIC within {apart:.1} of the least, with fewer parameters, and not rejected")
        };
        return Some(taken(simplest, why));
    }
    if let Some(next) = candidates
        .iter()
        .find(|c| passes(c) && c.aic <= best.aic + SOME_SUPPORT)
    {
        let why = format!(
            "the best by AIC that is not rejected, {:.1} from the least",
            next.aic - best.aic
        );
        return Some(taken(next, why));
    }
    let enough = min_samples_for_quantile(0.99, Confidence::P95);
    let own = Family::Empirical
        .fit(sample, None)
        .filter(|_| sample.seen().len() as u64 >= enough);
    let Some(own) = own else {
        let mut choice = taken(best, "the least AIC".to_owned());
        choice.cautions.push(rejected(best));
        return Some(choice);
    };
    let mut choice = taken(
        best,
        format!(
            "every family is rejected, and {} values are enough for p99",
            sample.len()
        ),
    );
    choice.params = own.params;
    choice.family = Some(Family::Empirical);
    choice
        .cautions
        .push("the sample's own quantiles end at its largest value: nothing slower will be drawn".to_owned());
    Some(choice)
}

/// The family that was asked for; where it cannot be fitted, the best that can, with a caution.
fn asked(sample: &Sample, only: Family, candidates: Vec<Candidate>) -> Option<Choice> {
    let found = candidates.iter().find(|c| c.family == only);
    let own = || {
        Family::Empirical
            .fit(sample, None)
            .filter(|_| only == Family::Empirical)
    };
    let (params, family, why, caution) = match (found, own()) {
        (Some(found), _) => {
            let p = found.goodness.ks_p;
            let caution = p.is_some_and(|p| p < REJECTED).then(|| rejected(found));
            (found.params.clone(), only, "asked for".to_owned(), caution)
        }
        (None, Some(own)) => (own.params, only, "asked for".to_owned(), None),
        (None, None) => {
            let best = candidates.first()?;
            let why = format!("the least AIC, as {} cannot be fitted to this sample", only.name());
            (best.params.clone(), best.family, why, None)
        }
    };
    Some(Choice {
        params,
        family: Some(family),
        why,
        cautions: caution.into_iter().collect(),
        candidates,
    })
}

fn rejected(candidate: &Candidate) -> String {
    let p = candidate.goodness.ks_p.unwrap_or(f64::NAN);
    format!(
        "the {} law is itself rejected (p = {p:.3}): its percentiles are near the sample's, or not, as the table shows",
        candidate.family.name()
    )
}

fn candidate(family: Family, fitted: Fitted, sample: &Sample, seed: u64, refits: usize) -> Option<Candidate> {
    let log_likelihood = fitted.params.log_likelihood(sample);
    let k = family.charged() as f64;
    let n = sample.len() as f64;
    let goodness = goodness(family, &fitted.params, sample, seed, refits)?;
    log_likelihood.is_finite().then(|| Candidate {
        family,
        parameters: fitted
            .params
            .named()
            .into_iter()
            .map(|(name, value)| Parameter { name, value })
            .collect(),
        log_likelihood,
        aic: 2.0 * k - 2.0 * log_likelihood,
        bic: k * libm::log(n) - 2.0 * log_likelihood,
        goodness,
        floor_held: fitted.floor_held,
        params: fitted.params,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::chance::{Chance, Purpose};
    use crate::kernel::sampler::Sampler;
    use rand::Rng;

    fn drawn(truth: &Params, n: usize) -> Sample {
        let sampler = Sampler::of(&*truth.law().unwrap());
        let mut stream = Chance::new(3, 0).request(1).stream(Purpose::Ttft);
        Sample::new((0..n).map(|_| sampler.at(stream.next_u64())).collect(), vec![])
    }

    /// Clear cases: a floor that a plain law cannot have, a slow mode that one law cannot have, and a plain one.
    #[test]
    fn the_true_family_is_taken() {
        use super::super::mixture::Two;
        for (truth, family) in [
            (
                Params::Lognormal {
                    shift: 0.0,
                    mu: -1.0,
                    sigma: 0.8,
                },
                Family::Lognormal,
            ),
            (
                Params::Lognormal {
                    shift: 0.5,
                    mu: -2.0,
                    sigma: 0.9,
                },
                Family::ShiftedLognormal,
            ),
            (
                Params::Weibull {
                    shift: 0.0,
                    shape: 4.0,
                    scale: 1.0,
                },
                Family::Weibull,
            ),
            (
                Params::Two(Two {
                    weight: 0.85,
                    mu: [-1.0, 1.5],
                    sigma: [0.2, 0.4],
                }),
                Family::TwoLognormals,
            ),
        ] {
            let choice = choose(&drawn(&truth, 300), None, 1, 99).unwrap();
            assert_eq!(
                choice.family,
                Some(family),
                "{truth:?}: {} {:?}",
                choice.why,
                choice.candidates
            );
        }
    }

    #[test]
    fn few_values_leave_the_larger_families_out_and_say_so() {
        let truth = Params::Lognormal {
            shift: 0.0,
            mu: 0.0,
            sigma: 1.0,
        };
        let choice = choose(&drawn(&truth, 25), None, 1, 0).unwrap();
        assert!(choice.candidates.iter().all(|c| c.family.parameters() == 2) && choice.candidates.len() == 3);
        let choice = choose(&drawn(&truth, 19), None, 1, 0).unwrap();
        assert_eq!((choice.family, choice.candidates.len()), (None, 0));
        assert!(choice.why.starts_with("19 values seen are too few"), "{}", choice.why);
    }
}
