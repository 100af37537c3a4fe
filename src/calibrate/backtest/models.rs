//! What the log's targets are in the experiment, and models of them that are fitted to its first part.
//!
//! A target is a provider if they, or the provider's model, have the same name; a name without a slash also if it is the last part of
//! the other. A provider is one target alone: that of its own name before that of its model's. A target whose answers show no first token is fitted by the times of whole answers, whatever their lengths.

use super::Target;
use crate::calibrate::fit::{self, Given, Options};
use crate::calibrate::log::{Log, Observation};
use crate::experiment::file::ProviderSpec;
use crate::experiment::load::Loaded;
use crate::experiment::model::ModelFile;
use crate::form::diagnose::nearest;
use crate::form::units::TokenPrice;
use crate::kernel::calendar::date;
use crate::provider::pricing::{PerToken, PriceSpec};
use crate::words::Outcome;

/// The providers that each target of the log is, in the order of targets.
pub(super) fn matched(loaded: &Loaded, log: &Log, given: &[(String, String)]) -> Result<Vec<Vec<String>>, String> {
    let names = loaded.experiment.providers.names();
    for (provider, target) in given {
        if !names.contains(provider) {
            return Err(unknown("--provider", "provider of the experiment", provider, &names));
        }
        if !log.targets.contains(target) {
            return Err(unknown("--provider", "target of the log", target, &log.targets));
        }
    }
    let mut all = vec![Vec::new(); log.targets.len()];
    for (name, spec) in loaded.experiment.providers.iter() {
        let said = given.iter().find(|(provider, _)| provider == name);
        let near: Vec<(Likeness, usize)> = match said {
            Some((_, target)) => (log.targets.iter().enumerate())
                .filter(|(_, known)| *known == target)
                .map(|(i, _)| (Likeness::Name, i))
                .collect(),
            None => (log.targets.iter().enumerate())
                .filter_map(|(i, target)| Some((likeness(target, name, spec, loaded)?, i)))
                .collect(),
        };
        let Some(best) = near.iter().map(|(likeness, _)| *likeness).min() else {
            continue;
        };
        let likely: Vec<usize> = near.iter().filter(|(of, _)| *of == best).map(|(_, i)| *i).collect();
        let [target] = likely[..] else {
            let names: Vec<&str> = likely.iter().map(|i| log.targets[*i].as_str()).collect();
            return Err(format!(
                "the provider \"{name}\" may be any of the log's targets {}: say which by --provider {name}={}",
                names.join(", "),
                names[0]
            ));
        };
        all[target].push(name.to_owned());
    }
    if all.iter().all(Vec::is_empty) {
        return Err(format!(
            "none of the log's targets is a provider of the experiment: the log has {}; the experiment has {}. Say which is which by \
             --provider NAME=TARGET",
            log.targets.join(", "),
            names.join(", ")
        ));
    }
    Ok(all)
}

fn unknown(flag: &str, what: &str, found: &str, known: &[String]) -> String {
    let near = nearest(found, known.iter().map(String::as_str));
    let near = near.map_or_else(String::new, |near| format!(", did you mean \"{near}\"?"));
    format!(
        "{flag}: \"{found}\" is not a {what}{near}\n  known: {}",
        known.join(", ")
    )
}

/// What a target and a provider have in common, the most telling first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Likeness {
    /// Both have the same name.
    Name,
    /// The last part of the name.
    PartOfName,
    /// The target is called as the provider's model is.
    Model,
    /// The target is called as the last part of the provider's model is, or the other way round.
    PartOfModel,
}

fn likeness(target: &str, name: &str, spec: &ProviderSpec, loaded: &Loaded) -> Option<Likeness> {
    let model = spec.model.as_deref();
    let file = model
        .and_then(|model| loaded.models.get(model))
        .map(|file| file.model.as_str());
    let last = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
    let is_part = |known: &str| known.contains('/') != target.contains('/') && last(known) == last(target);
    let models = || [model, file].into_iter().flatten();
    if name == target {
        Some(Likeness::Name)
    } else if is_part(name) {
        Some(Likeness::PartOfName)
    } else if models().any(|known| known == target) {
        Some(Likeness::Model)
    } else {
        models().any(is_part).then_some(Likeness::PartOfModel)
    }
}

/// Fits a model to `fitted` for each target that is a provider, and puts it into the experiment; what each is of, in words, in the order
/// of targets. Without anything to fit to, the experiment's own models stay.
pub(super) fn fit(
    loaded: &mut Loaded,
    log: &Log,
    fitted: &[&Observation],
    matched: &[Vec<String>],
    notes: &mut Vec<String>,
) -> Result<Vec<String>, String> {
    let mut words = vec!["the experiment's own".to_owned(); log.targets.len()];
    if fitted.is_empty() {
        return Ok(words);
    }
    let mut part = Log {
        observations: fitted.iter().map(|o| (*o).clone()).collect(),
        stages: Vec::new(),
        ..log.clone()
    };
    for (number, target) in log.targets.iter().enumerate() {
        let of = |o: &Observation| usize::from(o.target) == number;
        if matched[number].is_empty() || !part.observations.iter().any(of) {
            continue;
        }
        let good = |o: &&mut Observation| o.outcome == Outcome::Success && of(o);
        let streams = part
            .observations
            .iter_mut()
            .filter(good)
            .any(|o| o.ttft.seen().is_some());
        if !streams {
            for o in part.observations.iter_mut().filter(good) {
                (o.ttft, o.tpot) = (o.e2e, None);
            }
            notes.push(format!(
                "{target}: no answer of it was streamed, so that its model takes as long for a short answer as for a long one"
            ));
        }
        let first = part
            .observations
            .iter()
            .filter_map(|o| o.unix)
            .fold(f64::INFINITY, f64::min);
        let prices = matched[number].iter().find_map(|name| prices(loaded, name));
        let options = Options {
            target: Some(target.clone()),
            name: format!("fitted to {target}"),
            family: None,
            seed: 1,
            refits: 0,
            given: Given {
                date: if first.is_finite() {
                    date(libm::floor(first / 86_400.0) as i64)
                } else {
                    String::new()
                },
                prices: prices.unwrap_or_else(|| PerToken::new(TokenPrice::default(), TokenPrice::default())),
                assumed_prices: None,
                held_out: 0.0,
                slots: None,
            },
        };
        let (report, model) = fit::fit(&part, &options).map_err(|e| e.to_string())?;
        let few = report.requests < FEW;
        words[number] = format!(
            "fitted to {} requests{}",
            report.requests,
            if few { ", which are few" } else { "" }
        );
        for name in &matched[number] {
            put(loaded, name, &model);
        }
        loaded.models.insert(model.model.clone(), model);
    }
    Ok(words)
}

/// Fewer requests than this make a poor model.
const FEW: usize = 200;

/// The prices of the provider's present model, if it goes by them.
fn prices(loaded: &Loaded, provider: &str) -> Option<PerToken> {
    let spec = loaded.experiment.providers.get(provider)?;
    if let Some(PriceSpec::per_token(prices)) = &spec.prices {
        return Some(prices.clone());
    }
    variant(loaded, spec).map(|variant| variant.prices.clone())
}

fn variant<'a>(loaded: &'a Loaded, spec: &ProviderSpec) -> Option<&'a crate::experiment::model::ModelSpec> {
    let file = loaded.models.get(spec.model.as_deref()?)?;
    file.variants.get(spec.variant.as_deref().unwrap_or(&file.default))
}

/// Makes `model` the provider's: its times and faults; quotas, prices and the prompt cache stay what they were.
fn put(loaded: &mut Loaded, provider: &str, model: &ModelFile) {
    let before = loaded
        .experiment
        .providers
        .get(provider)
        .and_then(|spec| variant(loaded, spec))
        .cloned();
    let Some(spec) = loaded.experiment.providers.get_mut(provider) else {
        return;
    };
    spec.model = Some(model.model.clone());
    spec.variant = None;
    (spec.ttft, spec.tps, spec.response) = (None, None, None);
    (spec.prefill, spec.network, spec.load, spec.faults) = (None, None, None, None);
    if let Some(before) = before {
        if spec.limits.is_none() && !before.limits.is_empty() {
            spec.limits = Some(before.limits);
        }
        spec.prompt_cache = spec.prompt_cache.take().or(before.prompt_cache);
    }
}

/// What each target is, for the report.
pub(super) fn told(log: &Log, matched: &[Vec<String>], models: &[String]) -> Vec<Target> {
    let each = log.targets.iter().enumerate();
    each.map(|(number, name)| {
        let of = |o: &&Observation| usize::from(o.target) == number;
        Target {
            name: name.clone(),
            requests: log.observations.iter().filter(of).count() as u64,
            providers: matched[number].clone(),
            model: models[number].clone(),
        }
    })
    .collect()
}
