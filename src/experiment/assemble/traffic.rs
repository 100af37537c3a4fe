//! Arrivals and the classes of requests among them, checked.
//!
//! Shares are weights: they need not add up to 1. A replayed trace has its own lengths, so that no class may state any.

use crate::experiment::file::{ClassSpec, TrafficSpec};
use crate::experiment::load::Loaded;
use crate::form::build::{Asked, Built, Names, Refusal};
use crate::form::laws::LawSpec;
use crate::kernel::sampler::Sampler;
use crate::traffic::tags::Tags;
use crate::traffic::{Class, Traffic};

pub(super) fn traffic(loaded: &Loaded, names: &Names<'_>) -> Built<Traffic> {
    let spec = &loaded.experiment.traffic;
    let arrivals = spec
        .arrivals
        .as_dyn()
        .build(loaded.trace.clone(), names)
        .map_err(|r| r.at(spec.arrivals.name()).at("arrivals"))?;
    let count = spec.classes.len();
    if count == 0 || count > 1000 {
        return Err(Refusal::new(format!("{count} classes: must be 1 to 1000")).at("classes"));
    }
    let mut total = 0.0;
    for (name, class) in spec.classes.iter() {
        match class.share {
            Some(share) if share > 0.0 && share.is_finite() => total += share,
            Some(share) => {
                return Err(Refusal::new(format!("a share of {share}: must be above 0"))
                    .at("share")
                    .at(name)
                    .at("classes"));
            }
            None if count == 1 => total += 1.0,
            None => {
                return Err(Refusal::new("`share` is missing: of several classes each has one")
                    .at(name)
                    .at("classes"));
            }
        }
    }
    let mut classes = Vec::new();
    let mut sum = 0.0;
    for (i, (name, class)) in spec.classes.iter().enumerate() {
        sum += class.share.unwrap_or(1.0);
        let up_to = if i + 1 == count {
            u64::MAX
        } else {
            crate::kernel::chance::threshold(sum / total)
        };
        let built =
            one_class(name, class, up_to, loaded.trace.is_some(), names).map_err(|r| r.at(name).at("classes"))?;
        classes.push(built);
    }
    if let (Some(_), Some(own)) = (&spec.users, spec.arrivals.as_dyn().users()) {
        let text = format!("`{}` has users of its own, {own}: leave this out", spec.arrivals.name());
        return Err(Refusal::new(text).at("users"));
    }
    let users = (spec.users.as_ref())
        .map(|users| users.build().map_err(|r| r.at("users")))
        .transpose()?;
    let has_users = users.is_some() || spec.arrivals.as_dyn().users().is_some();
    for (name, class) in spec.classes.iter() {
        if let Some((tag, _)) = class.tags.iter().find(|(tag, _)| spec.tags.get(tag).is_some()) {
            let text = format!("the class has a tag `{tag}`, and so has all traffic: give it in one place");
            return Err(Refusal::new(text).at(tag).at("tags").at(name).at("classes"));
        }
    }
    Ok(Traffic {
        arrivals,
        classes,
        users,
        tags: Tags::build(&spec.tags, has_users).map_err(|r| r.at("tags"))?,
    })
}

/// How many users the traffic has, if it has any.
pub(super) fn users(spec: &TrafficSpec) -> Option<u32> {
    let given = spec.users.as_ref().and_then(|u| u32::try_from(u.count.get()).ok());
    given.or_else(|| spec.arrivals.as_dyn().users())
}

/// What a client knows of the requests of each class beforehand.
pub(super) fn asked(loaded: &Loaded, names: &Names<'_>) -> Built<Vec<Asked>> {
    let classes = &loaded.experiment.traffic.classes;
    let one = |(name, class): (&str, &ClassSpec)| {
        let here = |r: Refusal| r.at(name).at("classes");
        let mean = |law: &Option<LawSpec<f64>>| Some(law.as_ref()?.law(names).ok()?.mean());
        let provider = (class.provider.as_deref())
            .map(|p| names.provider(p).map_err(|r| here(r.at("provider"))))
            .transpose()?;
        Ok(Asked {
            tags: class.tags.iter().map(|(k, v)| (k.to_owned(), v.clone())).collect(),
            tokens: mean(&class.input).zip(mean(&class.output)),
            max_output: class.max_output.and_then(|most| u32::try_from(most.get()).ok()),
            prompts: class.prompts.as_ref().map(|prompts| prompts.count.get() as u32),
            cost_budget: (class.cost_budget).map(|most| u64::try_from(names.money(most)).unwrap_or(u64::MAX)),
            latency_budget: class.latency_budget.map(|most| most.span()),
            provider,
        })
    };
    classes.iter().map(one).collect()
}

fn one_class(name: &str, class: &ClassSpec, up_to: u64, replayed: bool, names: &Names<'_>) -> Built<Class> {
    let tokens = |field: &'static str, law: &Option<LawSpec<f64>>| match law {
        Some(_) if replayed => Err(Refusal::new("the trace has its own lengths: leave this out").at(field)),
        Some(law) => law.tokens(names).map_err(|r| r.at(field)),
        None if replayed => Ok(Sampler::Constant(0.0)),
        None => Err(Refusal::new(format!(
            "`{field}` is missing: a law of tokens, like {{\"constant\": 300}}"
        ))),
    };
    if class.priority > 15 {
        return Err(Refusal::new(format!("priority {}: must be 0 to 15", class.priority)).at("priority"));
    }
    let max_output = match class.max_output {
        Some(most) => Some(u32::try_from(most.get()).map_err(|_| {
            Refusal::new(format!("{most} tokens: at most {} can be counted", u32::MAX)).at("max_output")
        })?),
        None => None,
    };
    Ok(Class {
        name: name.to_owned(),
        up_to,
        priority: class.priority,
        input: tokens("input", &class.input)?,
        output: tokens("output", &class.output)?,
        max_output,
        prompts: (class.prompts.as_ref())
            .map(|prompts| prompts.build().map_err(|r| r.at("prompts")))
            .transpose()?,
    })
}
