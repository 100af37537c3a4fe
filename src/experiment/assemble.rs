//! From what an experiment says to scenarios that run: the one place where names, units and plug-ins are checked together.
//!
//! What passes here runs; the engine cannot fail. Each mistake is reported at its place in the file.

mod assumptions;
mod cautions;
mod client;
mod drawn;
pub(in crate::experiment) mod fleet;
mod groups;
mod metrics;
mod objectives;
mod quality;
mod resampled;
mod sources;
mod traffic;
mod window;

use std::cell::RefCell;
use std::sync::Arc;

use super::domain::Domain;
use super::file::{ClientSpec, Experiment, PolicyEntry};
use super::format;
use super::load::Loaded;
use crate::client::host::Connections;
use crate::client::{Client, Timeouts};
use crate::engine::scenario::{Account, Deployment, PoolOf, Scenario};
use crate::form::build::{Built, Known, Names, Refusal, Wrong};
use crate::form::diagnose::{self, Seg};
use crate::form::exchange::Exchange;
use crate::form::layers::Origin;
use crate::form::units::{Count, Fraction, Precision};
use crate::kernel::calendar::Calendar;
use crate::kernel::time::{Span, Time};
use crate::provider::faults::Silence;
use crate::routing::PolicySpec;
use crate::stats::interval::Confidence;
use crate::words::{Code, Metric, ModelNote, Start, Unit};
use assumptions::assumptions;
use cautions::cautions;
use client::{budgeted, client};
use fleet::{Pools, accounts, check_accounts, deployment, domain, exchange, known, pools};
use groups::groups;
use metrics::{Measures, measures};
use objectives::objectives;
use quality::quality;
use traffic::{asked, check_origins, traffic, users};
use window::{check_load, max_in_system, window};

pub(crate) use groups::settings as settings_of_groups;
pub use metrics::{Measure, Source};
pub(super) use quality::is_asked_for;

/// An experiment, checked.
#[derive(Debug)]
#[non_exhaustive]
pub struct Plan {
    /// One scenario a policy, in order.
    pub scenarios: Vec<Scenario>,
    /// The kind of each policy.
    pub kinds: Vec<String>,
    /// The metrics of the report, in its order.
    pub metrics: Vec<Measure>,
    /// The objectives that must hold.
    pub objectives: Vec<Objective>,
    /// Where the models come from.
    pub models: Vec<ModelNote>,
    /// Whether the traffic is a recorded one.
    pub is_recorded: bool,
    /// The number of replications, to begin with where `until` asks for a precision.
    pub replications: u64,
    /// How well figures are to be known: half of an interval as a share of the figure.
    pub until: Vec<(Metric, f64)>,
    /// The most replications that this may take.
    pub at_most: u64,
    /// The seed that every draw is made from.
    pub seed: u64,
    /// How the replications start. The length of their warm-up is in the scenarios' windows.
    pub start: Start,
    /// The level of every interval.
    pub confidence: Confidence,
    /// The smallest relative difference between two policies that matters.
    pub matters: f64,
    /// The currency of all money, if it is not the dollar.
    pub currency: Option<Billing>,
    /// How the worth of answers is assumed to hang together, as "independent answers" says it.
    pub assumes: String,
    /// Where the model of each provider holds, in the order of the fleet; nothing for one that does not say.
    pub domains: Vec<Option<Domain>>,
    /// What makes sense and is probably not what was meant, in sentences.
    pub cautions: Vec<String>,
    /// What is not modelled and would change the figures, in clauses: it stands beside every verdict.
    pub assumptions: Vec<String>,
}

/// A currency, and what each provider takes of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Billing {
    /// The code of the currency.
    pub code: Code,
    /// Units of the currency for one US dollar.
    pub per_dollar: f64,
    /// The rate `per_dollar`, in the form that costs are computed with.
    pub rate: Exchange,
    /// Units of the currency that each provider takes for one dollar of its prices, in order.
    pub billed_at: Vec<f64>,
}

/// Something that must hold, checked.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Objective {
    /// The metric that is bounded.
    pub metric: Metric,
    /// The bound, in the metric's unit.
    pub bound: f64,
    /// Whether the bound is an upper one.
    pub at_most: bool,
    /// Indices of the policies it is asked of.
    pub policies: Vec<usize>,
}

/// Checks `loaded` and makes its scenarios. They start empty where the plan leaves the warm-up to a pilot, until
/// [`warmed`](super::pilot::warmed) has run it.
///
/// # Errors
/// At what makes no sense, with its place in the file; further mistakes in the plan, of providers and of policies are told with the first.
pub fn assemble(loaded: &Loaded) -> Result<Plan, diagnose::Error> {
    checked(loaded, None)
}

/// Checks `loaded` and makes its scenarios, with a warm-up of this length whatever the plan says. With none, the plan's time is a
/// replication's from its start, as it is for a server that simulates in real time.
///
/// # Errors
/// At what makes no sense, with its place in the file; further mistakes in the plan, of providers and of policies are told with the first.
pub fn assemble_after(loaded: &Loaded, warmup: Span) -> Result<Plan, diagnose::Error> {
    checked(loaded, Some(warmup))
}

fn checked(loaded: &Loaded, warmup: Option<Span>) -> Result<Plan, diagnose::Error> {
    plan(loaded, warmup).map_err(|refusal| refusal.error(&loaded.file, &loaded.text))
}

fn plan(loaded: &Loaded, warmup: Option<Span>) -> Built<Plan> {
    let mut wrong = Wrong::default();
    whole(loaded, warmup, &mut wrong).map_err(|refusal| wrong.and(refusal))
}

/// The plan; what can be checked apart from the rest is put to `wrong`, which is empty where the plan is one.
fn whole(loaded: &Loaded, warmup: Option<Span>, wrong: &mut Wrong) -> Built<Plan> {
    let spec = &loaded.experiment;
    format::check(spec)?;
    check_name(&spec.name).map_err(|r| r.at("name"))?;
    let (providers, classes) = (spec.providers.names(), spec.traffic.classes.names());
    check_counts(spec)?;
    let currency = currency(spec).map_err(|r| r.at("currency"))?;
    let names = Names {
        providers: &providers,
        classes: &classes,
        users: users(loaded),
        exchange: currency.as_ref().map(|c| c.rate),
        calendar: Calendar::starting(spec.plan.starts.unwrap_or_default().after_monday()),
        extras: &[&loaded.own, &loaded.scripts, &loaded.columns],
        ..Names::default()
    };
    check_origins(&spec.traffic).map_err(|r| r.at("traffic"))?;
    let (window, start) = window(loaded, &names, warmup).map_err(|r| r.at("plan"))?;
    let names = Names {
        origin: window.warmup,
        calendar: names.calendar.before(window.warmup.since(Time::ZERO)),
        ..names
    };
    let traffic = Arc::new(traffic(loaded, &names).map_err(|r| r.at("traffic"))?);
    let names = Names {
        tags: traffic.tags.as_ref().map_or(&[], |tags| &tags.named),
        called: &traffic.called,
        ..names
    };
    let confidence = match spec.plan.confidence {
        None => Confidence::default(),
        Some(level) => {
            let level = Confidence::new(level).map_err(|e| Refusal::of(e).at("confidence").at("plan"));
            wrong.keep(level).unwrap_or_default()
        }
    };
    let matters = spec.plan.matters.map_or(MATTERS, Fraction::get);
    if matters > 0.5 {
        let text = format!("a difference of {matters}: it is at most 0.5");
        wrong.keep::<()>(Err(Refusal::new(text).at("matters").at("plan")));
    }
    if !(1..=100_000).contains(&spec.plan.replications) {
        let text = format!("{} replications: must be 1 to 100000", spec.plan.replications);
        wrong.keep::<()>(Err(Refusal::new(text).at("replications").at("plan")));
    }
    let until = wrong.keep(until(spec).map_err(|r| r.at("plan")));
    let max_in_system = wrong.keep(max_in_system(spec).map_err(|r| r.at("max_in_system").at("plan")));
    check_load(loaded, window)?;
    if providers.is_empty() {
        return Err(Refusal::new("there must be at least one provider").at("providers"));
    }
    let accounts = accounts(spec, &names)?;
    let Pools { pools, used, clusters } = pools(spec)?;
    let mut fleet = Vec::new();
    let (mut models, mut domains) = (Vec::new(), Vec::new());
    let mut silent: [Option<&str>; 3] = [None; 3];
    for ((name, provider), &pool) in spec.providers.iter().zip(&used) {
        let made = deployment(loaded, name, provider, &names, pool).map_err(|r| r.at(name).at("providers"));
        let Some((built, note)) = wrong.keep(made) else {
            continue;
        };
        for (first, silence) in silent.iter_mut().zip(Silence::ALL) {
            if built.provider.faults.iter().any(|f| f.leaves(silence)) {
                first.get_or_insert(name);
            }
        }
        let domain = domain(loaded, provider, &built.provider);
        models.extend(note.map(|note| ModelNote {
            measured: domain.as_ref().and_then(Domain::sentence),
            ..note
        }));
        domains.push(domain);
        fleet.push(built);
    }
    if fleet.len() < providers.len() {
        // What refers to providers by their numbers would be refused for no reason of its own.
        wrong.end()?;
    }
    check_accounts(spec)?;
    models.extend(sources::of_accounts(loaded, spec)?);
    let known: Vec<Known> = fleet.iter().map(|d| known(d, &accounts, &pools)).collect();
    let asks = asked(loaded, &names).map_err(|r| r.at("traffic"))?;
    let names = Names {
        known: &known,
        asks: &asks,
        ..names
    };
    let fleet: Arc<[Deployment]> = fleet.into();
    let (pools, accounts): (Arc<[PoolOf]>, Arc<[Account]>) = (pools.into(), accounts.into());
    let clusters: Arc<[Connections]> = clusters.into();
    if spec.policies.is_empty() {
        return Err(Refusal::new("there must be at least one policy").at("policies"));
    }
    let mut objectives = objectives(&spec.objectives, &spec.policies)?;
    if let Some(currency) = &currency {
        let of_money = objectives.iter_mut().filter(|o| o.metric.unit() == Unit::Dollars);
        of_money.for_each(|o| o.bound *= currency.per_dollar);
    }
    let Measures {
        asked: metrics,
        lenses,
        counts_tpot,
        good,
    } = measures(spec, names.tags, window, &objectives)?;
    let (ties, assumes) = quality(loaded, &names).map_err(|r| r.at("quality"))?;
    // What is missing has been refused above.
    let (until, at_most) = until.unwrap_or_default();
    let max_in_system = max_in_system.unwrap_or_default();
    let scenario = |i: usize, entry: &PolicyEntry| -> Built<Scenario> {
        let here = |r: Refusal| r.at(i).at("policies");
        if entry.name.trim().is_empty() {
            return Err(here(Refusal::new("a policy without a name").at("name")));
        }
        if spec.policies[..i].iter().any(|other| other.name == entry.name) {
            return Err(here(
                Refusal::new(format!("a second policy named `{}`", entry.name)).at("name"),
            ));
        }
        let named = match &entry.policy {
            PolicySpec::model_groups(named) => Some(named),
            _ => None,
        };
        // Of named groups each checks its own members against its own timeouts.
        let mut built = client_of(spec, i, &names, if named.is_some() { &[None; 3] } else { &silent })?;
        if let Some(named) = named {
            let client = entry.effective(&spec.client);
            if client.fallback.is_some() {
                let text = "`model_groups` has fallbacks of its own: switch the client's off with `\"fallback\": null`";
                return Err(here(Refusal::new(text).at("model_groups").at("policy")));
            }
            let named =
                groups(named, &client, spec, &fleet, &names).map_err(|r| here(r.at("model_groups").at("policy")))?;
            built.groups = Some(named.groups);
            built.response_caches = named.caches;
            built.retry = budgeted(named.rule, &client, &names).map_err(|r| r.at("client"))?;
        }
        built.name_rules();
        let groups = built.fallback.members_of_each();
        let noted = RefCell::new(Vec::new());
        let policy = entry
            .policy
            .as_dyn()
            .build(&Names {
                groups: &groups,
                names_groups: named.is_some(),
                noted: Some(&noted),
                ..names
            })
            .map_err(|r| here(r.at(entry.policy.name()).at("policy")))?;
        let may_use = may_use(noted.into_inner(), &groups, fleet.len());
        Ok(Scenario {
            name: entry.name.clone(),
            traffic: Arc::clone(&traffic),
            fleet: Arc::clone(&fleet),
            pools: Arc::clone(&pools),
            clusters: Arc::clone(&clusters),
            accounts: Arc::clone(&accounts),
            client: built,
            policy,
            may_use,
            ties: ties.clone(),
            good: good.clone(),
            window,
            max_in_system,
            counts_tpot,
            lenses: lenses.clone(),
        })
    };
    let each = spec.policies.iter().enumerate();
    let each = each.filter_map(|(i, entry)| wrong.keep(scenario(i, entry)));
    let scenarios: Vec<Scenario> = each.collect();
    wrong.end()?;
    let assumptions = assumptions(loaded, &fleet, &models, &scenarios);
    let cautions = cautions(loaded, &fleet, window);
    Ok(Plan {
        is_recorded: !loaded.traces.is_empty(),
        scenarios,
        kinds: spec.policies.iter().map(|p| p.policy.kind()).collect(),
        metrics,
        objectives,
        assumptions,
        models,
        domains,
        replications: spec.plan.replications,
        until,
        at_most,
        seed: spec.plan.seed,
        start,
        confidence,
        matters,
        currency,
        assumes,
        cautions: [loaded.notes.clone(), cautions].concat(),
    })
}

/// The precision that is asked for, by metric, and the most replications that it may take.
fn until(spec: &Experiment) -> Built<(Vec<(Metric, f64)>, u64)> {
    let plan = &spec.plan;
    let one = |(name, precision): (&str, &Precision)| {
        let metric: Metric = name.parse().map_err(|why| Refusal::of(why).at(name).at("until"))?;
        Ok((metric, precision.get()))
    };
    let until: Vec<(Metric, f64)> = plan.until.iter().map(one).collect::<Built<_>>()?;
    let most = match plan.at_most.map(Count::get) {
        Some(most) if until.is_empty() => {
            let text =
                format!("{most} replications at most, and no precision that would ask for more: give `until` too");
            return Err(Refusal::new(text).at("at_most"));
        }
        Some(most) if most < plan.replications || most > 100_000 => {
            let text = format!("{most}: must be {} (`replications`) to 100000", plan.replications);
            return Err(Refusal::new(text).at("at_most"));
        }
        Some(most) => most,
        None => plan.replications.saturating_mul(50).min(100_000),
    };
    if !until.is_empty() && plan.replications < 2 {
        let text = "one replication has no interval: begin with two or more";
        return Err(Refusal::new(text).at("replications"));
    }
    Ok((until, most))
}

/// Whether a policy may send to each of so many providers: those that it names and those of the groups that requests fall back along, or
/// all where it names none.
fn may_use(named: Vec<usize>, groups: &[Vec<usize>], count: usize) -> Vec<bool> {
    let mut may = vec![named.is_empty() && groups.is_empty(); count];
    for provider in named.into_iter().chain(groups.iter().flatten().copied()) {
        may[provider] = true;
    }
    may
}

/// The smallest relative difference between two policies that matters, unless the plan says otherwise.
const MATTERS: f64 = 0.01;

/// The client of policy number `number`. A mistake is told where the file says what is wrong: in the policy's changes, or in the
/// experiment's client; what that one may say by itself and the changes may not inherit, at the changes.
fn client_of(spec: &Experiment, number: usize, names: &Names<'_>, silent: &[Option<&str>; 3]) -> Built<Client> {
    let checked = |spec: &ClientSpec| {
        let built = client(spec, names)?;
        check_silence(&built.timeouts, silent)?;
        Ok(built)
    };
    let shared = |r: Refusal| r.at("client");
    let entry = &spec.policies[number];
    let Some(changes) = &entry.client else {
        return checked(&spec.client).map_err(shared);
    };
    checked(&changes.over(&spec.client)).map_err(|refusal| {
        let here = |r: Refusal| r.at("client").at(number).at("policies");
        if changes.origin(&refusal.path) != Origin::Inherited {
            return here(refusal);
        }
        if let Err(of_all) = checked(&spec.client) {
            return shared(of_all);
        }
        let part = match refusal.path.first() {
            Some(Seg::Key(part)) => part.as_str(),
            Some(Seg::Index(_)) | None => "client",
        };
        here(Refusal::new(format!(
            "`{part}` is inherited from the experiment's client, and here: {}; `\"{part}\": null` switches it off",
            refusal.message
        )))
    })
}

/// Bounds the number of each thing that an experiment lists: more is a mistake, and costs memory before anything is
/// simulated.
fn check_counts(spec: &Experiment) -> Built<()> {
    for (count, most, field) in [
        (spec.providers.len(), 10_000, "providers"),
        (spec.accounts.len(), 10_000, "accounts"),
        (spec.hosts.len(), 10_000, "hosts"),
        (spec.policies.len(), 1_000, "policies"),
        (spec.objectives.len(), 10_000, "objectives"),
    ] {
        if count > most {
            return Err(Refusal::new(format!("{count} {field}: at most {most}")).at(field));
        }
    }
    Ok(())
}

fn currency(spec: &Experiment) -> Built<Option<Billing>> {
    let Some(currency) = &spec.currency else {
        return Ok(None);
    };
    let code = Code::new(&currency.code).ok_or_else(|| {
        let text = format!(
            "`{}` is not the code of a currency: must be three capital letters, like \"CNY\"",
            currency.code
        );
        Refusal::new(text).at("code")
    })?;
    let rate = exchange(currency.per_dollar).map_err(|r| r.at("per_dollar"))?;
    let billed_at = spec
        .providers
        .iter()
        .map(|(_, p)| p.billed_at.unwrap_or(currency.per_dollar));
    Ok(Some(Billing {
        code,
        per_dollar: currency.per_dollar,
        rate,
        billed_at: billed_at.collect(),
    }))
}

/// Checks that whatever a provider may leave without an end is ended by a timeout. `silent` names the first provider of each
/// kind of silence.
fn check_silence(timeouts: &Timeouts, silent: &[Option<&str>; 3]) -> Built<()> {
    for (&provider, silence) in silent.iter().zip(Silence::ALL) {
        let (does, first, also) = match silence {
            Silence::Unreachable => (
                "be unreachable",
                timeouts.connect.min(timeouts.ttft),
                "\"connect\", \"ttft\"",
            ),
            Silence::Unanswered => ("hang", timeouts.ttft, "\"ttft\""),
            Silence::Stalled => ("stall in an answer", timeouts.idle, "\"idle\""),
        };
        let earliest = first.min(timeouts.attempt).min(timeouts.total);
        if let Some(provider) = provider
            && earliest == Span::FOREVER
        {
            let text = format!(
                "provider `{provider}` may {does}, and the client has no timeout that would end it: give {also}, \"attempt\" or \"total\""
            );
            return Err(Refusal::new(text).at("timeouts"));
        }
    }
    Ok(())
}

/// Checks that `name` can name a folder.
pub(crate) fn check_name(name: &str) -> Built<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.starts_with('.') || name.len() > 100 || !name.chars().all(plain) {
        return Err(Refusal::new(format!(
            "`{name}` cannot name a folder: use at most 100 letters, digits, `-`, `_` and `.`, with no `.` at the start"
        )));
    }
    Ok(())
}
