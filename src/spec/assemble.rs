//! From what an experiment says to scenarios that run: the one place where names, units and plug-ins are checked together.
//!
//! What passes here runs; the engine cannot fail. Each mistake is reported at its place in the file.

use std::sync::Arc;

use super::build::{Built, Names, Refusal};
use super::diagnose;
use super::experiment::{ClassSpec, ClientSpec, ObjectiveSpec, PolicyEntry, ProviderSpec};
use super::load::Loaded;
use super::model::ModelSpec;
use crate::client::{Client, Timeouts};
use crate::engine::scenario::{Deployment, Good, Scenario, Window};
use crate::kernel::sampler::Sampler;
use crate::kernel::time::{Span, Time};
use crate::provider::faults::{BuildFault, Fault};
use crate::provider::latency::{Latency, Response, Streaming};
use crate::provider::limits::Limit;
use crate::provider::pricing::{BuildPrice, Price};
use crate::provider::{Provider, UNRATED};
use crate::report::{Metric, ModelNote};
use crate::stats::interval::Confidence;
use crate::traffic::{Class, Traffic};

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
    };
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
    let traffic = Arc::new(traffic(loaded).map_err(|r| r.at("traffic"))?);
    if providers.is_empty() {
        return Err(Refusal::new("there must be at least one provider").at("providers"));
    }
    let mut fleet = Vec::new();
    let mut models = Vec::new();
    let mut may_hang = None;
    for (name, provider) in spec.providers.iter() {
        let (built, note) = deployment(loaded, name, provider, &names).map_err(|r| r.at(name).at("providers"))?;
        if built.provider.faults.iter().any(|f| f.may_hang()) {
            may_hang.get_or_insert(name);
        }
        fleet.push(built);
        models.extend(note);
    }
    let fleet: Arc<[Deployment]> = fleet.into();
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
            Some(own) => client(own).map_err(|r| here(r.at("client")))?,
            None => client(&spec.client).map_err(|r| r.at("client"))?,
        };
        let timeouts = built.timeouts;
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

fn window(loaded: &Loaded) -> Built<Window> {
    let plan = &loaded.experiment.plan;
    let replayed = loaded.trace.as_ref().and_then(|rows| {
        let mut arrivals = loaded
            .experiment
            .traffic
            .arrivals
            .as_dyn()
            .build(Some(Arc::clone(rows)))
            .ok()?;
        let key = crate::kernel::chance::Chance::new(0, 0).request(0);
        let last = std::iter::from_fn(|| arrivals.next(key)).last()?;
        Some(last.at.since(Time::ZERO) + Span::from_nanos(1))
    });
    let length = match (plan.duration, replayed) {
        (Some(duration), Some(whole)) => duration.span().min(whole),
        (Some(duration), None) => duration.span(),
        (None, Some(whole)) => whole,
        (None, None) => return Err(Refusal::new("`duration` is missing: how long to simulate, like \"1h\"")),
    };
    let default_warmup = if replayed.is_some() {
        Span::ZERO
    } else {
        Span::from_nanos(length.nanos() / 10)
    };
    let warmup = plan.warmup.map_or(default_warmup, |w| w.span());
    // Ten years: beyond it sums of nanoseconds over replications could overflow.
    if length == Span::ZERO || length > Span::from_secs(10 * 366 * 86_400) {
        return Err(Refusal::new(format!("{length} is not between 1ns and ten years")).at("duration"));
    }
    if warmup >= length {
        return Err(Refusal::new(format!("a warm-up of {warmup} leaves nothing of {length} to count")).at("warmup"));
    }
    Ok(Window {
        warmup: Time::ZERO + warmup,
        end: Time::ZERO + length,
    })
}

/// Refuses traffic that no computer gets through: with gaps below the clock's nanosecond, time would even stand still.
fn check_load(loaded: &Loaded, window: Window) -> Built<()> {
    const MOST: f64 = 1e11;
    let arrivals = &loaded.experiment.traffic.arrivals;
    let Some(rate) = arrivals.as_dyn().rate() else {
        return Ok(());
    };
    let requests = rate * window.end.seconds();
    if requests <= MOST {
        return Ok(());
    }
    let text = format!("{requests:.1e} requests a replication: at most {MOST:.0e} are simulated");
    Err(Refusal::new(text)
        .at("rate")
        .at(arrivals.name())
        .at("arrivals")
        .at("traffic"))
}

fn traffic(loaded: &Loaded) -> Built<Traffic> {
    let spec = &loaded.experiment.traffic;
    let arrivals = spec
        .arrivals
        .as_dyn()
        .build(loaded.trace.clone())
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
        let built = one_class(name, class, up_to, loaded.trace.is_some()).map_err(|r| r.at(name).at("classes"))?;
        classes.push(built);
    }
    Ok(Traffic { arrivals, classes })
}

fn one_class(name: &str, class: &ClassSpec, up_to: u64, replayed: bool) -> Built<Class> {
    let tokens = |field: &'static str, law: &Option<super::laws::LawSpec<f64>>| match law {
        Some(_) if replayed => Err(Refusal::new("the trace has its own lengths: leave this out").at(field)),
        Some(law) => law.sampler().map_err(|r| r.at(field)),
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
    })
}

fn deployment(
    loaded: &Loaded,
    name: &str,
    spec: &ProviderSpec,
    names: &Names<'_>,
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
    let limits: Vec<Box<dyn Limit>> = match (&spec.limits, model) {
        (Some(own), _) => own
            .iter()
            .enumerate()
            .map(|(i, l)| l.as_dyn().build().map_err(|r| r.at(l.name()).at(i).at("limits")))
            .collect::<Built<_>>()?,
        (None, Some(m)) => m.limits.iter().map(|l| l.as_dyn().build()).collect::<Built<_>>()?,
        (None, None) => Vec::new(),
    };
    let faults: Vec<Box<dyn Fault>> = match (&spec.faults, model) {
        (Some(own), _) => own
            .iter()
            .enumerate()
            .map(|(i, f)| f.as_dyn().build().map_err(|r| r.at(f.name()).at(i).at("faults")))
            .collect::<Built<_>>()?,
        (None, Some(m)) => vec![m.faults.build()?],
        (None, None) => Vec::new(),
    };
    let price: Box<dyn Price> = match (&spec.prices, model) {
        (Some(own), _) => own.as_dyn().build(),
        (None, Some(m)) => m.prices.build(),
        (None, None) => {
            return Err(Refusal::new(
                "`prices` is missing, and there is no model to take it from: give one, like {\"per_token\": {\"input\": \"$1/Mtok\", \"output\": \"$4/Mtok\"}}",
            ));
        }
    };
    let context = spec.context_window.or(model.and_then(|m| m.context_window));
    let connections = match spec.connections {
        Some(count) => u32::try_from(count.get()).unwrap_or(u32::MAX),
        None => u32::MAX,
    };
    let provider = Provider {
        name: name.to_owned(),
        latency: latency(spec, model, &network)?,
        network,
        limits,
        faults,
        price,
        context_window: context.map_or(u64::MAX, |c| c.get()),
        retry_after: spec.retry_after,
        quality: quality(spec, model, names)?,
    };
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
    });
    Ok((Deployment { provider, connections }, note))
}

/// The variant of a model that the experiment asks for, and what to call it.
fn variant<'a>(loaded: &'a Loaded, called: &str, variant: Option<&str>) -> Built<(String, &'a ModelSpec)> {
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

fn latency(spec: &ProviderSpec, model: Option<&ModelSpec>, network: &Sampler) -> Built<Box<dyn Latency>> {
    if let Some(law) = &spec.response {
        for (field, given) in [("ttft", spec.ttft.is_some()), ("tps", spec.tps.is_some())] {
            if given {
                return Err(Refusal::new(format!("`{field}` beside `response`: give one or the other")).at(field));
            }
        }
        return Ok(Box::new(Response {
            time: law.sampler().map_err(|r| r.at("response"))?,
        }));
    }
    let missing = |field: &str| {
        Refusal::new(format!(
            "`{field}` is missing, and there is no model to take it from: give `ttft` and `tps`, or `response`"
        ))
    };
    let ttft = match (&spec.ttft, model) {
        (Some(own), _) => own.sampler().map_err(|r| r.at("ttft"))?,
        (None, Some(m)) => m.ttft.sampler()?,
        (None, None) => return Err(missing("ttft")),
    };
    let tps = match (&spec.tps, model) {
        (Some(own), _) => own.sampler().map_err(|r| r.at("tps"))?,
        (None, Some(m)) => m.tps.sampler()?,
        (None, None) => return Err(missing("tps")),
    };
    Ok(Box::new(Streaming {
        ttft,
        tps,
        network: network.clone(),
    }))
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
        ("tps", spec.tps.is_some()),
        ("network", spec.network.is_some()),
        ("response", spec.response.is_some()),
        ("prices", spec.prices.is_some()),
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

fn client(spec: &ClientSpec) -> Built<Client> {
    let mut limiters = Vec::new();
    for (i, limiter) in spec.limiters.iter().enumerate() {
        limiters.push(
            limiter
                .as_dyn()
                .build()
                .map_err(|r| r.at(limiter.name()).at(i).at("limiters"))?,
        );
    }
    let or_forever = |d: Option<super::units::Duration>| d.map_or(Span::FOREVER, |d| d.span());
    Ok(Client {
        admission: spec
            .admission
            .as_dyn()
            .build()
            .map_err(|r| r.at(spec.admission.name()).at("admission"))?,
        limiters,
        max_in_flight: spec
            .max_in_flight
            .map_or(u32::MAX, |c| u32::try_from(c.get()).unwrap_or(u32::MAX)),
        timeouts: Timeouts {
            ttft: or_forever(spec.timeouts.ttft),
            attempt: or_forever(spec.timeouts.attempt),
            total: or_forever(spec.timeouts.total),
        },
        pool_timeout: or_forever(spec.timeouts.connection),
        retry: spec
            .retry
            .as_dyn()
            .build()
            .map_err(|r| r.at(spec.retry.name()).at("retry"))?,
        breaker: spec
            .breaker
            .as_dyn()
            .build()
            .map_err(|r| r.at(spec.breaker.name()).at("breaker"))?,
    })
}

fn objectives(specs: &[ObjectiveSpec], policies: &[PolicyEntry]) -> Built<Vec<Objective>> {
    let names: Vec<String> = policies.iter().map(|p| p.name.clone()).collect();
    let mut all = Vec::new();
    for (i, spec) in specs.iter().enumerate() {
        let here = |r: Refusal| r.at(i).at("objectives");
        let (field, target, at_most) = match (&spec.at_most, &spec.at_least) {
            (Some(target), None) => ("at_most", target, true),
            (None, Some(target)) => ("at_least", target, false),
            (None, None) => return Err(here(Refusal::new("no bound: give `at_most` or `at_least`"))),
            (Some(_), Some(_)) => {
                let text = "`at_least` beside `at_most`: give one, and the other in an objective of its own";
                return Err(here(Refusal::new(text).at("at_least")));
            }
        };
        let bound = target
            .value(spec.metric.unit())
            .map_err(|text| here(Refusal::new(text).at(field)))?;
        let asked = match &spec.policies {
            None => (0..names.len()).collect(),
            Some(some) => {
                let find = |(j, name): (usize, &String)| {
                    let unknown = || Refusal::unknown("policy", name, &names).at(j).at("policies");
                    names.iter().position(|n| n == name).ok_or_else(|| here(unknown()))
                };
                some.iter().enumerate().map(find).collect::<Built<_>>()?
            }
        };
        all.push(Objective {
            metric: spec.metric,
            bound,
            at_most,
            policies: asked,
        });
    }
    Ok(all)
}

/// A success is a good one if it keeps to the tightest bound on each latency, whatever percentile that was set for.
fn good(objectives: &[Objective]) -> Good {
    let tightest = |metrics: [Metric; 4]| {
        objectives
            .iter()
            .filter(|o| o.at_most && metrics.contains(&o.metric))
            .map(|o| Span::from_seconds_f64(o.bound))
            .min()
            .unwrap_or(Span::FOREVER)
    };
    Good {
        ttft: tightest([Metric::TtftP50, Metric::TtftP95, Metric::TtftP99, Metric::TtftMean]),
        e2e: tightest([Metric::E2eP50, Metric::E2eP95, Metric::E2eP99, Metric::E2eMean]),
    }
}
