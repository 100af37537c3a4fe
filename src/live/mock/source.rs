//! The providers that are served: models by name, each as a provider, or the providers of an experiment.
//!
//! Both sources go through [`assemble`], so that a provider here is built as it is for a simulation.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::fleet::MOST_OUTPUT;
use crate::engine::scenario::{Account, Deployment};
use crate::experiment::assemble::assemble_after;
use crate::experiment::load::{LoadError, Loaded, find_model, with_models};
use crate::experiment::model::{BUILT_IN, ModelFile};
use crate::form::build::Names;
use crate::form::diagnose::{self, nearest};
use crate::form::laws::LawSpec;
use crate::form::named::Named;
use crate::form::own::OwnParts;
use crate::kernel::sampler::Sampler;
use crate::kernel::time::Span;

/// The providers to be served, and the accounts that they share.
#[derive(Clone, Debug)]
pub struct Providers {
    pub(super) deployments: Arc<[Deployment]>,
    pub(super) accounts: Arc<[Account]>,
}

impl Providers {
    /// The names that requests may give as their `model`, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.deployments.iter().map(|d| d.provider.name.as_str())
    }
}

/// The reason why something cannot be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceError {
    /// A model does not exist, or is named twice.
    Named(String),
    /// A file cannot be read or is invalid.
    Load(LoadError),
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SourceError::Named(text) => f.write_str(text),
            SourceError::Load(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SourceError {}

impl From<LoadError> for SourceError {
    fn from(error: LoadError) -> Self {
        SourceError::Load(error)
    }
}

impl From<diagnose::Error> for SourceError {
    fn from(error: diagnose::Error) -> Self {
        SourceError::Load(error.into())
    }
}

/// A model as the caller named it.
struct Asked {
    file: ModelFile,
    variant: String,
}

/// The models that `asked` names, as an experiment in the working folder would: `NAME` or the path of a file, either with
/// `@VARIANT`; without that, in the variant `variant`, or its own default. A model is served under its name; under
/// `NAME@VARIANT` if there is another of that name.
///
/// # Errors
/// If a model does not exist, is invalid, has no such variant, or is named twice.
pub fn from_models(asked: &[String], variant: Option<&str>) -> Result<Providers, SourceError> {
    let mut models = Vec::new();
    for asked in asked {
        models.push(one(asked, variant)?);
    }
    let named = |name: &str| models.iter().filter(|m| m.file.model == name).count();
    let mut providers: Vec<(String, Value)> = Vec::new();
    let mut files = BTreeMap::new();
    for Asked { file, variant } in &models {
        let name = match named(&file.model) {
            1 => file.model.clone(),
            _ => format!("{}@{variant}", file.model),
        };
        if files.insert(name.clone(), file.clone()).is_some() {
            return Err(SourceError::Named(format!("the model `{name}` is named twice")));
        }
        providers.push((name.clone(), json!({ "model": name, "variant": variant })));
    }
    let Some((first, _)) = providers.first() else {
        return Err(SourceError::Named("there is no model to serve".to_owned()));
    };
    let policy = json!({ "name": "first", "policy": { "single": { "provider": first } } });
    let providers: Named<Value> = providers.into_iter().collect();
    let providers = serde_json::to_string(&providers).unwrap_or_default();
    // A model may hang, which an experiment without timeouts may not.
    let experiment = format!(
        r#"{{ "name": "mock", "providers": {providers}, "policies": [{policy}],
            "traffic": {{
                "arrivals": {{ "poisson": {{ "rate": "1/s" }} }},
                "classes": {{ "all": {{ "input": {{ "constant": 1 }}, "output": {{ "constant": 1 }} }} }},
                "users": {{ "count": 1000000 }}
            }},
            "client": {{ "timeouts": {{ "total": "1h" }} }},
            "plan": {{ "duration": "1s" }} }}"#
    );
    from_experiment(&with_models("the models", &experiment, files)?)
}

/// The providers of an experiment, each under its name there, with the changes that the experiment makes to its model.
///
/// # Errors
/// If the experiment is invalid.
pub fn from_experiment(loaded: &Loaded) -> Result<Providers, SourceError> {
    // The mock's time is the plan's from its first second on.
    let plan = assemble_after(loaded, Span::ZERO)?;
    let Some(scenario) = plan.scenarios.first() else {
        return Err(SourceError::Named("the experiment has no policy".to_owned()));
    };
    Ok(Providers {
        deployments: Arc::clone(&scenario.fleet),
        accounts: Arc::clone(&scenario.accounts),
    })
}

/// The law of output lengths that `text` gives: a number of tokens, or a law in the form of a model file. Draws are
/// limited to a range of one to a million tokens.
///
/// # Errors
/// If `text` is neither, with the place of the mistake.
pub fn output_law(text: &str) -> Result<Sampler, SourceError> {
    const HERE: &str = "--output";
    let spec: LawSpec<f64> = match text.trim().parse::<u32>() {
        Ok(tokens) if (1..=MOST_OUTPUT).contains(&tokens) => LawSpec::always(f64::from(tokens)),
        Ok(tokens) => {
            let text = format!("{HERE}: {tokens} tokens: must be 1 to {MOST_OUTPUT}");
            return Err(SourceError::Named(text));
        }
        Err(_) => diagnose::parse(HERE, text)?,
    };
    Ok(spec
        .sampler(&Names::default())
        .map_err(|refusal| refusal.error(HERE, text))?)
}

fn one(asked: &str, fallback: Option<&str>) -> Result<Asked, SourceError> {
    let (called, variant) = match asked.rsplit_once('@') {
        Some((called, variant)) if !variant.ends_with(".json") => (called, Some(variant)),
        _ => (asked, fallback),
    };
    // A file of the working folder stands for the experiment, whose folder is where models are looked for.
    let Some((file, _)) = find_model(Path::new("-"), called, &OwnParts::default())? else {
        let names = BUILT_IN.map(|(name, _)| name);
        let near = nearest(called, names).map_or(String::new(), |near| format!("; did you mean `{near}`?"));
        return Err(SourceError::Named(format!(
            "there is no model `{called}`: no models/{called}.json in this folder or above it, and none built in{near}\n   built in: {}",
            names.join(", ")
        )));
    };
    let variant = variant.unwrap_or(&file.default).to_owned();
    if file.variants.get(&variant).is_none() {
        let names = file.variants.names();
        return Err(SourceError::Named(format!(
            "the model `{}` has no variant `{variant}`; it has: {}",
            file.model,
            names.join(", ")
        )));
    }
    Ok(Asked { file, variant })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(asked: &[&str], variant: Option<&str>) -> Result<Vec<String>, String> {
        let asked: Vec<String> = asked.iter().map(|&a| a.to_owned()).collect();
        let providers = from_models(&asked, variant).map_err(|e| e.to_string())?;
        Ok(providers.names().map(str::to_owned).collect())
    }

    #[test]
    fn a_model_is_served_under_its_name_and_two_of_one_name_under_their_variants() {
        assert_eq!(names(&["gpt-4.1"], None).unwrap(), ["gpt-4.1"]);
        assert_eq!(names(&["gpt-4.1@r3"], None).unwrap(), ["gpt-4.1"]);
        assert_eq!(
            names(&["gpt-4.1", "deepseek-v3.2", "gpt-4.1@r3"], None).unwrap(),
            ["gpt-4.1@r0", "deepseek-v3.2", "gpt-4.1@r3"]
        );
        assert_eq!(names(&["gpt-4.1", "gpt-4.1@r0"], Some("r2")).unwrap().len(), 2);
    }

    #[test]
    fn what_is_not_there_is_refused_with_what_is() {
        assert_eq!(
            names(&["gpt-4.1@r9"], None).unwrap_err(),
            "the model `gpt-4.1` has no variant `r9`; it has: r0, r1, r2, r3"
        );
        assert_eq!(
            names(&["gpt-4.1", "gpt-4.1@r0"], None).unwrap_err(),
            "the model `gpt-4.1@r0` is named twice"
        );
        assert_eq!(
            output_law("0").unwrap_err().to_string(),
            "--output: 0 tokens: must be 1 to 1000000"
        );
        let error = output_law("many").unwrap_err().to_string();
        assert!(error.starts_with("--output:1:1: "), "{error}");
        let error = output_law(r#"{"lognormal": {"median": 100, "sigma": -1}}"#)
            .unwrap_err()
            .to_string();
        assert!(error.contains("sigma"), "{error}");
    }
}
