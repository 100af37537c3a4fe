//! From what an experiment says to scenarios that run: the one place where names, units and plug-ins are checked together.
//!
//! What passes here runs; the engine cannot fail. Each mistake is reported at its place in the file.

mod client;
mod fleet;
mod objectives;
mod traffic;
mod window;

use std::sync::Arc;

use super::build::{Built, Known, Names, Refusal};
use super::diagnose;
use super::load::Loaded;
use crate::engine::scenario::{Account, Deployment, PoolOf, Scenario};
use crate::kernel::time::Span;
use crate::report::{Metric, ModelNote};
use crate::stats::interval::Confidence;
use client::client;
use fleet::{accounts, deployment, known, pools};
use objectives::{good, objectives};
use traffic::traffic;
use window::{check_load, window};

/// An experiment, checked.
#[derive(Debug)]
pub struct Plan {
    /// One scenario a policy, in order.
    pub scenarios: Vec<Scenario>,
    /// The kind of each policy.
    pub kinds: Vec<String>,
    /// What must hold.
    pub objectives: Vec<Objective>,
    /// Where the models come from.
    pub models: Vec<ModelNote>,
    /// How many replications.
    pub replications: u64,
    /// The seed.
    pub seed: u64,
    /// The level of every interval.
    pub confidence: Confidence,
}

/// Something that must hold, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Objective {
    /// The figure.
    pub metric: Metric,
    /// Its bound, in the figure's unit.
    pub bound: f64,
    /// Whether it must stay below the bound, rather than above.
    pub at_most: bool,
    /// Indices of the policies it is asked of.
    pub policies: Vec<usize>,
}

/// Checks `loaded` and makes its scenarios.
///
/// # Errors
/// At the first thing that makes no sense, with its place in the file.
pub fn assemble(loaded: &Loaded) -> Result<Plan, diagnose::Error> {
    plan(loaded).map_err(|refusal| refusal.error(&loaded.file, &loaded.text))
}

fn plan(loaded: &Loaded) -> Built<Plan> {
    let spec = &loaded.experiment;
    check_name(&spec.name).map_err(|r| r.at("name"))?;
    let (providers, classes) = (spec.providers.names(), spec.traffic.classes.names());
    let names = Names {
        providers: &providers,
        classes: &classes,
        known: &[],
        groups: &[],
    };
    let traffic = Arc::new(traffic(loaded).map_err(|r| r.at("traffic"))?);
    let window = window(loaded).map_err(|r| r.at("plan"))?;
    let confidence = match spec.plan.confidence {
        None => Confidence::default(),
        Some(level) => Confidence::new(level).map_err(|e| Refusal::of(e).at("confidence").at("plan"))?,
    };
    if !(1..=100_000).contains(&spec.plan.replications) {
        let text = format!("{} replications: must be 1 to 100000", spec.plan.replications);
        return Err(Refusal::new(text).at("replications").at("plan"));
    }
    check_load(loaded, window)?;
    if providers.is_empty() {
        return Err(Refusal::new("there must be at least one provider").at("providers"));
    }
    let accounts = accounts(spec)?;
    let (pools, used) = pools(spec)?;
    let mut fleet = Vec::new();
    let mut models = Vec::new();
    let mut may_hang = None;
    for ((name, provider), &pool) in spec.providers.iter().zip(&used) {
        let (built, note) = deployment(loaded, name, provider, &names, pool).map_err(|r| r.at(name).at("providers"))?;
        if built.provider.faults.iter().any(|f| f.may_hang()) {
            may_hang.get_or_insert(name);
        }
        fleet.push(built);
        models.extend(note);
    }
    let known: Vec<Known> = fleet.iter().map(|d| known(d, &accounts, &pools)).collect();
    let names = Names { known: &known, ..names };
    let fleet: Arc<[Deployment]> = fleet.into();
    let (pools, accounts): (Arc<[PoolOf]>, Arc<[Account]>) = (pools.into(), accounts.into());
    if spec.policies.is_empty() {
        return Err(Refusal::new("there must be at least one policy").at("policies"));
    }
    let objectives = objectives(&spec.objectives, &spec.policies)?;
    let good = good(&objectives);
    let mut scenarios = Vec::new();
    for (i, entry) in spec.policies.iter().enumerate() {
        let here = |r: Refusal| r.at(i).at("policies");
        if spec.policies[..i].iter().any(|other| other.name == entry.name) {
            return Err(here(
                Refusal::new(format!("a second policy named `{}`", entry.name)).at("name"),
            ));
        }
        let policy = entry
            .policy
            .as_dyn()
            .build(&names)
            .map_err(|r| here(r.at(entry.policy.name()).at("policy")))?;
        let built = match &entry.client {
            Some(own) => client(own, &names).map_err(|r| here(r.at("client")))?,
            None => client(&spec.client, &names).map_err(|r| r.at("client"))?,
        };
        let timeouts = &built.timeouts;
        if let Some(provider) = may_hang
            && [timeouts.ttft, timeouts.attempt, timeouts.total]
                .iter()
                .all(|&t| t == Span::FOREVER)
        {
            let text = format!(
                "provider `{provider}` may hang, and the client has no timeout that would end it: give \"ttft\", \"attempt\" or \"total\""
            );
            let refusal = Refusal::new(text).at("timeouts").at("client");
            return Err(if entry.client.is_some() { here(refusal) } else { refusal });
        }
        scenarios.push(Scenario {
            name: entry.name.clone(),
            traffic: Arc::clone(&traffic),
            fleet: Arc::clone(&fleet),
            pools: Arc::clone(&pools),
            accounts: Arc::clone(&accounts),
            client: built,
            policy,
            good,
            window,
        });
    }
    Ok(Plan {
        scenarios,
        kinds: spec.policies.iter().map(|p| p.policy.name().to_owned()).collect(),
        objectives,
        models,
        replications: spec.plan.replications,
        seed: spec.plan.seed,
        confidence,
    })
}

fn check_name(name: &str) -> Built<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.starts_with('.') || name.len() > 100 || !name.chars().all(plain) {
        return Err(Refusal::new(format!(
            "`{name}` cannot name a folder: use at most 100 letters, digits, `-`, `_` and `.`, with no `.` at the start"
        )));
    }
    Ok(())
}
