//! One provider as it runs: its model's figures, with the experiment's own in their place where it gives any.
//!
//! What is overridden is noted for the report, beside what the model assumes.

use super::drawn::drawn;
use super::sources::{taken, without_model};
use crate::client::host::Connections;
use crate::engine::scenario::{Account, Deployment, PoolOf};
use crate::experiment::domain::Domain;
use crate::experiment::file::{AccountSpec, Experiment, PoolsSpec, ProviderSpec};
use crate::experiment::load::Loaded;
use crate::experiment::model::{ModelSpec, cache, loads, prefill};
use crate::form::build::{Built, Known, Names, Refusal, number};
use crate::form::exchange::Exchange;
use crate::form::units::Count;
use crate::kernel::sampler::Sampler;
use crate::kernel::time::Span;
use crate::provider::Provider;
use crate::provider::cache::Cache;
use crate::provider::faults::{BuildFault, Fault, Random};
use crate::provider::latency::{Latency, Response, Streaming};
use crate::provider::limits::{Limit, LimitSpec, Unit};
use crate::provider::load::Load;
use crate::provider::pricing::exchange::Exchanged;
use crate::provider::pricing::{BuildPrice, Price};
use crate::words::UNRATED;
use crate::words::{ModelNote, Standing};

pub(super) fn deployment(
    loaded: &Loaded,
    name: &str,
    spec: &ProviderSpec,
    names: &Names<'_>,
    pool: usize,
) -> Built<(Deployment, Option<ModelNote>)> {
    let model = match &spec.model {
        None if spec.variant.is_some() => {
            return Err(Refusal::new("a variant of no model: give `model` too").at("variant"));
        }
        None => None,
        Some(called) => Some(variant(loaded, called, spec.variant.as_deref())?),
    };
    let (chosen, model) = model.unzip();
    let network = spec
        .network
        .or(model.map(|m| m.network))
        .map_or(Span::ZERO, |n| n.span());
    let network = Sampler::Constant(network.nanos() as f64);
    let quotas: Vec<Box<dyn Limit>> = match (&spec.limits, model) {
        (Some(own), _) => limits(own, names)?,
        (None, Some(m)) => limits(&m.limits, names)?,
        (None, None) => Vec::new(),
    };
    let faults: Vec<Box<dyn Fault>> = match (&spec.faults, model) {
        (Some(own), _) => own
            .iter()
            .enumerate()
            .map(|(i, f)| f.as_dyn().build(names).map_err(|r| r.at(f.name()).at(i).at("faults")))
            .collect::<Built<_>>()?,
        (None, Some(m)) => vec![m.faults.build(names)?],
        (None, None) => Vec::new(),
    };
    let price: Box<dyn Price> = match (&spec.prices, model) {
        (Some(own), _) => {
            let built = own.as_dyn().build(&loaded.prices, names);
            built.map_err(|r| r.at(own.name()).at("prices"))?
        }
        (None, Some(m)) => m.prices.build(&loaded.prices, names)?,
        (None, None) => {
            return Err(Refusal::new(
                "`prices` is missing, and there is no model to take it from: give one, like {\"per_token\": {\"input\": \"$1/Mtok\", \"output\": \"$4/Mtok\"}}",
            ));
        }
    };
    let price = in_currency(loaded, spec, price)?;
    let drawn = match model {
        Some(m) => drawn(spec, m, model_number(loaded, name, spec), &network, names)?,
        None => None,
    };
    let context = spec.context_window.or(model.and_then(|m| m.context_window));
    let provider = Provider {
        name: name.to_owned(),
        latency: latency(spec, model, &network, names)?,
        load: load(spec, model, names)?,
        cache: prompt_cache(spec, model, names)?,
        network,
        limits: quotas,
        account: match &spec.account {
            Some(name) => {
                Some(defined("account", name, &loaded.experiment.accounts.names()).map_err(|r| r.at("account"))?)
            }
            None => None,
        },
        faults,
        drawn,
        price,
        hung_up: spec.hung_up,
        context_window: context.map_or(u64::MAX, |c| c.get()),
        retry_after: spec.retry_after,
        quality: quality(spec, model, names)?,
    };
    let limits = match (&spec.limits, model) {
        (Some(own), _) => &own[..],
        (None, Some(m)) => &m.limits,
        (None, None) => &[],
    };
    let taken = taken(loaded, spec.prices.as_ref(), limits)?;
    let note = chosen.zip(model).map(|(chosen, m)| ModelNote {
        provider: name.to_owned(),
        model: chosen,
        source: m.source.clone(),
        assumed: m
            .assumed
            .iter()
            .map(|(field, why)| (field.to_owned(), why.clone()))
            .collect(),
        overrides: overrides(spec),
        published: taken.clone(),
        measured: None,
        calibration: Some(standing(m, spec)),
    });
    let note = note.or_else(|| without_model(name, "no model", taken));
    Ok((Deployment { provider, pool }, note))
}

/// The number of a provider's model: that of the first provider of the same one.
fn model_number(loaded: &Loaded, name: &str, spec: &ProviderSpec) -> u64 {
    let same = |other: &ProviderSpec| (&other.model, &other.variant) == (&spec.model, &spec.variant);
    let all = loaded.experiment.providers.iter();
    let first = all.take_while(|(other, provider)| *other != name && !same(provider));
    first.count() as u64
}

/// Where the model of `provider`, which `spec` says, holds; nothing if it does not say, or the experiment brings its own times.
pub(super) fn domain(loaded: &Loaded, spec: &ProviderSpec, provider: &Provider) -> Option<Domain> {
    let model = variant(loaded, spec.model.as_deref()?, spec.variant.as_deref()).ok()?.1;
    let has_own_times = spec.response.is_some() || (spec.ttft.is_some() && spec.tps.is_some());
    let fitted = model.fitted_on.clone().filter(|_| !has_own_times)?;
    Some(Domain {
        fitted,
        no_load: provider.load.is_empty(),
        no_quota: provider.limits.is_empty() && provider.account.is_none(),
        no_prefill: spec.prefill.or(model.prefill).is_none(),
        no_cache: provider.cache.is_none(),
        unfailing: (model.uncertainty.requests).filter(|_| spec.faults.is_none() && model.faults == Random::default()),
        starts: (loaded.experiment.plan.starts).map(|starts| (starts.after_monday().seconds() / 60.0) as usize),
    })
}

/// Whether the model was validated against measurements. What the experiment changes of it was not.
fn standing(model: &ModelSpec, spec: &ProviderSpec) -> Standing {
    let changed = if overrides(spec).is_empty() {
        ""
    } else {
        "; without the changes of this experiment"
    };
    match &model.calibration {
        None => Standing::Uncalibrated,
        Some(calibration) => Standing::Calibrated(calibration.sentence() + changed),
    }
}

/// The tariff in the experiment's currency.
fn in_currency(loaded: &Loaded, spec: &ProviderSpec, price: Box<dyn Price>) -> Built<Box<dyn Price>> {
    let Some(currency) = &loaded.experiment.currency else {
        return match spec.billed_at {
            Some(_) => Err(Refusal::new("`billed_at` without a `currency` of the experiment").at("billed_at")),
            None => Ok(price),
        };
    };
    let at = exchange(spec.billed_at.unwrap_or(currency.per_dollar)).map_err(|r| r.at("billed_at"))?;
    Ok(Box::new(Exchanged { price, at }))
}

/// A rate of exchange, checked.
pub(super) fn exchange(per_dollar: f64) -> Built<Exchange> {
    Exchange::new(per_dollar).ok_or_else(|| {
        Refusal::new(format!(
            "{per_dollar} for a dollar: must be at least 0.000001 and at most 1000000"
        ))
    })
}

/// The pools of connections: one for each provider that has its own or whose host has one for each, and one for each other host that is
/// used.
pub(super) struct Pools {
    pub(super) pools: Vec<PoolOf>,
    /// The number of the pool that each provider uses, in order.
    pub(super) used: Vec<usize>,
    /// The bounds of each cluster of pools.
    pub(super) clusters: Vec<Connections>,
}

/// The pools of connections that the experiment has.
pub(super) fn pools(spec: &Experiment) -> Built<Pools> {
    let bounds = |connections: Option<Count>, line: Option<u32>| Connections {
        most: connections.map_or(u32::MAX, |c| u32::try_from(c.get()).unwrap_or(u32::MAX)),
        line: line.unwrap_or(u32::MAX),
    };
    let hosts = spec.hosts.names();
    let mut of_host: Vec<Option<usize>> = vec![None; hosts.len()];
    let (mut pools, mut used, mut clusters) = (Vec::new(), Vec::new(), Vec::new());
    for (i, (name, provider)) in spec.providers.iter().enumerate() {
        let here = |r: Refusal| r.at(name).at("providers");
        let Some(host) = &provider.host else {
            check_line(provider.connections, provider.line).map_err(here)?;
            used.push(pools.len());
            pools.push(PoolOf {
                owner: i,
                connections: bounds(provider.connections, provider.line),
                cluster: None,
            });
            continue;
        };
        for (field, given) in [
            ("connections", provider.connections.is_some()),
            ("line", provider.line.is_some()),
        ] {
            if given {
                let text = format!("`{field}` beside `host`: give it to the host");
                return Err(here(Refusal::new(text).at(field)));
            }
        }
        let host_number = defined("host", host, &hosts).map_err(|r| here(r.at("host")))?;
        let host = spec.hosts.get(host).ok_or_else(|| Refusal::new("no such host"))?;
        let connections = bounds(host.connections, host.line);
        if host.pools == PoolsSpec::Each && host.connections.is_some() {
            let cluster = *of_host[host_number].get_or_insert(clusters.len());
            if cluster == clusters.len() {
                clusters.push(connections);
            }
            used.push(pools.len());
            pools.push(PoolOf {
                owner: i,
                connections,
                cluster: Some(cluster),
            });
            continue;
        }
        let pool = *of_host[host_number].get_or_insert(pools.len());
        if pool == pools.len() {
            pools.push(PoolOf {
                owner: i,
                connections,
                cluster: None,
            });
        }
        used.push(pool);
    }
    for ((name, host), of_host) in spec.hosts.iter().zip(&of_host) {
        let here = |r: Refusal| r.at(name).at("hosts");
        if of_host.is_none() {
            return Err(here(unused("host", name)));
        }
        check_line(host.connections, host.line).map_err(here)?;
        if host.pools == PoolsSpec::Each && host.connections.is_none() {
            let text = "pools of `each` provider share bounds, and there is none: give `connections` too";
            return Err(here(Refusal::new(text).at("pools")));
        }
    }
    Ok(Pools { pools, used, clusters })
}

/// Refuses an account that no provider is on. To be called when those that they name are known to be there.
pub(super) fn check_accounts(spec: &Experiment) -> Built<()> {
    let is_used = |name: &str| spec.providers.iter().any(|(_, p)| p.account.as_deref() == Some(name));
    match spec.accounts.iter().find(|(name, _)| !is_used(name)) {
        Some((name, _)) => Err(unused("account", name).at(name).at("accounts")),
        None => Ok(()),
    }
}

/// Refuses a bound on the line where no attempt ever waits.
fn check_line(connections: Option<Count>, line: Option<u32>) -> Built<()> {
    match (connections, line) {
        (None, Some(_)) => {
            let text =
                "`line` without `connections`: no attempt waits for a connection where there is no bound on them";
            Err(Refusal::new(text.to_owned() + "; give `connections` too").at("line"))
        }
        _ => Ok(()),
    }
}

/// The refusal of a host or an account that no provider names.
fn unused(kind: &str, name: &str) -> Refusal {
    Refusal::new(format!(
        "no provider uses the {kind} `{name}`: give those on it \"{kind}\": \"{name}\", or leave it out"
    ))
}

/// The place of `name` among the experiment's hosts or accounts.
fn defined(kind: &str, name: &str, among: &[String]) -> Built<usize> {
    if among.is_empty() {
        return Err(Refusal::new(format!(
            "there is no {kind} `{name}`: none is defined; define it in `{kind}s`, beside `providers`"
        )));
    }
    number(kind, name, among)
}

/// The accounts, with their quotas.
pub(super) fn accounts(spec: &Experiment, names: &Names<'_>) -> Built<Vec<Account>> {
    let one = |(name, account): (&str, &AccountSpec)| {
        let limits = limits(&account.limits, names).map_err(|r| r.at(name).at("accounts"))?;
        Ok(Account {
            name: name.to_owned(),
            limits,
        })
    };
    spec.accounts.iter().map(one).collect()
}

fn limits(specs: &[LimitSpec], names: &Names<'_>) -> Built<Vec<Box<dyn Limit>>> {
    let mut limits = Vec::new();
    for (i, spec) in specs.iter().enumerate() {
        let built = spec.as_dyn().build_all(names);
        limits.extend(built.map_err(|r| r.at(spec.name()).at(i).at("limits"))?);
    }
    Ok(limits)
}

/// What a client knows of `provider` beforehand.
pub(super) fn known(deployment: &Deployment, accounts: &[Account], pools: &[PoolOf]) -> Known {
    let provider = &deployment.provider;
    let shared = provider.account.map_or(&[][..], |a| &accounts[a].limits[..]);
    let least = |unit: fn(Unit) -> bool| {
        let of = provider.limits.iter().chain(shared).filter(|l| unit(l.unit()));
        of.filter_map(|l| l.per_minute()).min()
    };
    Known {
        price: provider.price.per_token(),
        context_window: provider.context_window,
        requests_per_minute: least(|u| u == Unit::Requests),
        tokens_per_minute: least(|u| matches!(u, Unit::Tokens | Unit::InputTokens | Unit::OutputTokens)),
        connections: pools[deployment.pool].connections.most,
        quality: provider.quality.clone(),
    }
}

/// The variant of a model that the experiment asks for, and what to call it.
pub(in crate::experiment) fn variant<'a>(
    loaded: &'a Loaded,
    called: &str,
    variant: Option<&str>,
) -> Built<(String, &'a ModelSpec)> {
    let file = loaded
        .models
        .get(called)
        .ok_or_else(|| Refusal::new("the model was not loaded").at("model"))?;
    let name = variant.unwrap_or(&file.default);
    let model = file
        .variants
        .get(name)
        .ok_or_else(|| Refusal::unknown("variant", name, &file.variants.names()).at("variant"))?;
    Ok((format!("{} ({name})", file.model), model))
}

fn latency(
    spec: &ProviderSpec,
    model: Option<&ModelSpec>,
    network: &Sampler,
    names: &Names<'_>,
) -> Built<Box<dyn Latency>> {
    if let Some(law) = &spec.response {
        for (field, given) in [
            ("ttft", spec.ttft.is_some()),
            ("tps", spec.tps.is_some()),
            ("prefill", spec.prefill.is_some()),
        ] {
            if given {
                return Err(Refusal::new(format!("`{field}` beside `response`: give one or the other")).at(field));
            }
        }
        return Ok(Box::new(Response {
            time: law.sampler(names).map_err(|r| r.at("response"))?,
            network: network.clone(),
        }));
    }
    let missing = |field: &str| {
        Refusal::new(format!(
            "`{field}` is missing, and there is no model to take it from: give `ttft` and `tps`, or `response`"
        ))
    };
    let ttft = match (&spec.ttft, model) {
        (Some(own), _) => own.sampler(names).map_err(|r| r.at("ttft"))?,
        (None, Some(m)) => m.ttft.sampler(names)?,
        (None, None) => return Err(missing("ttft")),
    };
    let tps = match (&spec.tps, model) {
        (Some(own), _) if own.law(names).is_ok_and(|law| law.mean() <= 0.0) => {
            return Err(Refusal::new("at 0 tokens a second no answer ever ends: must be above 0").at("tps"));
        }
        (Some(own), _) => own.sampler(names).map_err(|r| r.at("tps"))?,
        (None, Some(m)) => m.tps.sampler(names)?,
        (None, None) => return Err(missing("tps")),
    };
    Ok(Box::new(Streaming {
        ttft,
        prefill: prefill(spec.prefill.or(model.and_then(|m| m.prefill)))?,
        tps,
        network: network.clone(),
    }))
}

fn load(spec: &ProviderSpec, model: Option<&ModelSpec>, names: &Names<'_>) -> Built<Vec<Box<dyn Load>>> {
    let given = match (&spec.load, model) {
        (Some(own), _) => own,
        (None, Some(m)) => &m.load,
        (None, None) => return Ok(Vec::new()),
    };
    let load = loads(given, names)?;
    if spec.response.is_some()
        && let Some(i) = load.iter().position(|l| l.needs_decoding())
    {
        let name = given[i].name();
        let text = format!("`{name}` beside `response`: an answer that comes whole has no decode speed");
        return Err(Refusal::new(text).at(name).at(i).at("load"));
    }
    Ok(load)
}

fn prompt_cache(spec: &ProviderSpec, model: Option<&ModelSpec>, names: &Names<'_>) -> Built<Option<Box<dyn Cache>>> {
    let own = spec.prompt_cache.as_ref();
    let Some(given) = own.or(model.and_then(|m| m.prompt_cache.as_ref())) else {
        return Ok(None);
    };
    let built = cache(Some(given), names)?;
    if names.users.is_none() && built.as_ref().is_some_and(|c| c.needs_users()) {
        let text = format!(
            "`{}` goes by who asks, and the traffic has no users: give `users` in `traffic`, like {{\"count\": 1000}}",
            given.name()
        );
        let field = if own.is_some() { "prompt_cache" } else { "model" };
        return Err(Refusal::new(text).at(field));
    }
    Ok(built)
}

fn quality(spec: &ProviderSpec, model: Option<&ModelSpec>, names: &Names<'_>) -> Built<Vec<u32>> {
    for (class, _) in spec.quality.iter() {
        names.class(class).map_err(|r| r.at(class).at("quality"))?;
    }
    let of = |class: &String| {
        let share = spec
            .quality
            .get(class)
            .or_else(|| model.and_then(|m| m.quality.get(class)));
        share.map_or(UNRATED, |share| (share.get() * 1e6 + 0.5) as u32)
    };
    Ok(names.classes.iter().map(of).collect())
}

fn overrides(spec: &ProviderSpec) -> Vec<String> {
    [
        ("ttft", spec.ttft.is_some()),
        ("prefill", spec.prefill.is_some()),
        ("tps", spec.tps.is_some()),
        ("network", spec.network.is_some()),
        ("response", spec.response.is_some()),
        ("load", spec.load.is_some()),
        ("prompt_cache", spec.prompt_cache.is_some()),
        ("prices", spec.prices.is_some()),
        ("billed_at", spec.billed_at.is_some()),
        ("limits", spec.limits.is_some()),
        ("faults", spec.faults.is_some()),
        ("context_window", spec.context_window.is_some()),
        ("quality", !spec.quality.is_empty()),
    ]
    .into_iter()
    .filter(|&(_, given)| given)
    .map(|(field, _)| field.to_owned())
    .collect()
}
