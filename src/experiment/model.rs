//! Provider models: one file a model, with named variants where published figures contradict each other.
//!
//! A variant is a complete model with its source. Where reports disagree by an order of magnitude both are kept and
//! neither is averaged: the experiment names the world it believes in. What is not published is `assumed`, and says why.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::calibration::Calibration;
use super::domain::FittedOn;
use super::uncertainty::Uncertainty;
use crate::form::build::{Built, Names, Refusal};
use crate::form::laws::LawSpec;
use crate::form::named::Named;
use crate::form::units::{Count, Duration, Fraction};
use crate::provider::cache::{Cache, CacheSpec};
use crate::provider::faults::{BuildFault, Random};
use crate::provider::limits::LimitSpec;
use crate::provider::load::{Load, LoadSpec};
use crate::provider::pricing::listed::Table;
use crate::provider::pricing::{BuildPrice, PerToken};

/// A model file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// The file's JSON Schema; ignored.
    #[serde(rename = "$schema", default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// The model's name.
    pub model: String,
    /// A description of the model.
    #[serde(default)]
    pub about: String,
    /// The variant that an experiment gets if it names none.
    pub default: String,
    /// The variants of the model, by name.
    #[schemars(extend("minProperties" = 1))]
    pub variants: Named<ModelSpec>,
}

impl ModelFile {
    /// Checks that every variant builds, from simcap's parts and those that `names` brings, and that the default is one of them.
    ///
    /// # Errors
    /// At the first that does not, with its path in the model file.
    pub fn check(&self, names: &Names<'_>) -> Built<()> {
        if self.variants.get(&self.default).is_none() {
            return Err(Refusal::unknown("variant", &self.default, &self.variants.names()).at("default"));
        }
        for (name, variant) in self.variants.iter() {
            variant.check(names).map_err(|r| r.at(name).at("variants"))?;
        }
        Ok(())
    }
}

/// One variant: a complete model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// The source of the figures.
    pub source: String,
    /// The date at which the figures were taken.
    #[serde(default)]
    pub date: String,
    /// Time to first token at the provider, network not included.
    pub ttft: LawSpec<Duration>,
    /// How well the law of TTFT fits what was published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fit: Option<Fit>,
    /// Decode speed in tokens per second, after the first token.
    pub tps: LawSpec<f64>,
    /// Prefill speed in tokens per second. Default: prefill takes no time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub prefill: Option<f64>,
    /// Network overhead of every answer.
    pub network: Duration,
    /// What load does to the provider, applied in order. Default: nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub load: Vec<LoadSpec>,
    /// The prompt cache of the provider. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_cache: Option<CacheSpec>,
    /// Prices by the token.
    pub prices: PerToken,
    /// The most input and output tokens together. Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_window: Option<Count>,
    /// The provider's quotas. Default: none.
    #[serde(default)]
    pub limits: Vec<LimitSpec>,
    /// The random faults of the provider.
    pub faults: Random,
    /// Probability of a good answer, by class.
    #[serde(default)]
    pub quality: Named<Fraction>,
    /// What is assumed and why, by field.
    #[serde(default)]
    pub assumed: Named<String>,
    /// The measurements that the variant was fitted to. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fitted_on: Option<FittedOn>,
    /// Other parameters that the variant may have, as far as those measurements tell. Default: its parameters are exact.
    #[serde(default, skip_serializing_if = "Uncertainty::is_none")]
    pub uncertainty: Uncertainty,
    /// How well the variant predicted measurements that it was not fitted to. Default: it was not validated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
}

impl ModelSpec {
    fn check(&self, names: &Names<'_>) -> Built<()> {
        self.ttft.law(names).map_err(|r| r.at("ttft"))?;
        self.tps.law(names).map_err(|r| r.at("tps"))?;
        for (i, limit) in self.limits.iter().enumerate() {
            limit
                .as_dyn()
                .build_all(names)
                .map_err(|r| r.at(limit.name()).at(i).at("limits"))?;
        }
        let prices = self.prices.build(&Table::default(), names);
        prices.map_err(|r| r.at("prices"))?;
        self.faults.build(names).map_err(|r| r.at("faults"))?;
        for (i, law) in self.uncertainty.ttft.iter().enumerate() {
            law.law(names).map_err(|r| r.at(i).at("ttft").at("uncertainty"))?;
        }
        for (i, law) in self.uncertainty.tps.iter().enumerate() {
            law.law(names).map_err(|r| r.at(i).at("tps").at("uncertainty"))?;
        }
        prefill(self.prefill)?;
        loads(&self.load, names)?;
        cache(self.prompt_cache.as_ref(), names)?;
        Ok(())
    }
}

/// Nanoseconds that a prompt token takes to read.
pub(super) fn prefill(speed: Option<f64>) -> Built<f64> {
    match speed {
        None => Ok(0.0),
        Some(speed) if speed > 0.0 && speed.is_finite() => Ok(1e9 / speed),
        Some(speed) => Err(Refusal::new(format!("{speed} tokens a second: must be above 0")).at("prefill")),
    }
}

/// Builds what load does to a provider.
pub(super) fn loads(specs: &[LoadSpec], names: &Names<'_>) -> Built<Vec<Box<dyn Load>>> {
    let one = |(i, l): (usize, &LoadSpec)| l.as_dyn().build(names).map_err(|r| r.at(l.name()).at(i).at("load"));
    specs.iter().enumerate().map(one).collect()
}

/// The prompt cache, if there is one.
pub(super) fn cache(spec: Option<&CacheSpec>, names: &Names<'_>) -> Built<Option<Box<dyn Cache>>> {
    let one = |c: &CacheSpec| c.as_dyn().build(names).map_err(|r| r.at(c.name()).at("prompt_cache"));
    spec.map(one).transpose()
}

/// A fit of TTFT and its misfit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fit {
    /// The percentiles that were published.
    pub published: Percentiles,
    /// The percentiles that the law gives, network included.
    pub fitted: Percentiles,
    /// The largest relative error over the published percentiles.
    pub worst_error: f64,
    /// Further remarks on the fit.
    #[serde(default)]
    pub note: String,
}

/// Percentiles of TTFT as a client sees it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Percentiles {
    /// The median (50th percentile).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50: Option<Duration>,
    /// The 95th percentile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95: Option<Duration>,
    /// The 99th percentile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99: Option<Duration>,
    /// The mean value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<Duration>,
}

/// The price table that comes with the program.
pub const BUILT_IN_PRICES: &str = include_str!("../../models/prices.json");

/// Where that table comes from.
pub const BUILT_IN_PRICES_SOURCE: &str = "the price table of LiteLLM 1.109.1, as taken on 2026-11-21";

/// The models that come with the program, by name.
pub const BUILT_IN: [(&str, &str); 7] = [
    ("deepseek-v3.2", include_str!("../../models/deepseek-v3.2.json")),
    ("gpt-4.1", include_str!("../../models/gpt-4.1.json")),
    ("claude-sonnet-4.5", include_str!("../../models/claude-sonnet-4.5.json")),
    ("gemini-2.5-flash", include_str!("../../models/gemini-2.5-flash.json")),
    ("relay-fast", include_str!("../../models/relay-fast.json")),
    ("llama-3.3-70b", include_str!("../../models/llama-3.3-70b.json")),
    ("qwen2.5-72b", include_str!("../../models/qwen2.5-72b.json")),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::diagnose::parse;
    use crate::kernel::law::Tail;

    fn files() -> impl Iterator<Item = ModelFile> {
        BUILT_IN.into_iter().map(|(name, text)| {
            let file: ModelFile = parse(name, text).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(file.model, name);
            assert!(
                file.variants.get(&file.default).is_some(),
                "{name} has no variant {}",
                file.default
            );
            file
        })
    }

    /// What `fitted` claims is what the law gives with the network added, to the rounding of the file.
    #[test]
    fn the_stated_fits_are_what_the_laws_give() {
        let mut compared = 0;
        for file in files() {
            for (name, variant) in file.variants.iter() {
                let (law, network) = (
                    variant.ttft.law(&Names::default()).unwrap(),
                    variant.network.span().nanos() as f64,
                );
                let Some(fit) = &variant.fit else { continue };
                for (stated, tail) in [
                    (fit.fitted.p50, Tail::Lower(0.5)),
                    (fit.fitted.p95, Tail::Upper(0.05)),
                    (fit.fitted.p99, Tail::Upper(0.01)),
                ] {
                    let Some(stated) = stated else { continue };
                    let (given, stated) = (law.quantile(tail) + network, stated.span().nanos() as f64);
                    assert!(
                        (given / stated - 1.0).abs() < 2e-3,
                        "{} {name}: {given} {stated}",
                        file.model
                    );
                    compared += 1;
                }
            }
        }
        assert!(compared >= 40, "{compared}");
    }

    /// What `simcap models` prints can be copied into an experiment.
    #[test]
    fn prices_in_an_experiment_may_be_those_of_a_model_file() {
        use crate::experiment::file::ProviderSpec;
        use crate::provider::pricing::PriceSpec;
        for (name, text) in BUILT_IN {
            let printed: serde_json::Value = parse(name, text).unwrap_or_else(|e| panic!("{e}"));
            let file: ModelFile = parse(name, text).unwrap_or_else(|e| panic!("{e}"));
            for (variant, model) in file.variants.iter() {
                let prices = &printed["variants"][variant]["prices"];
                let provider = format!("{{ \"model\": \"{name}\", \"prices\": {prices} }}");
                let read: ProviderSpec = parse("provider", &provider).unwrap_or_else(|e| panic!("{e}"));
                assert_eq!(
                    read.prices,
                    Some(PriceSpec::per_token(model.prices.clone())),
                    "{name} {variant}"
                );
            }
        }
    }

    #[test]
    fn every_variant_builds() {
        for file in files() {
            for (_, variant) in file.variants.iter() {
                variant.ttft.sampler(&Names::default()).unwrap();
                variant.tps.sampler(&Names::default()).unwrap();
                for limit in &variant.limits {
                    limit.as_dyn().build_all(&Names::default()).unwrap();
                }
            }
        }
    }
}
