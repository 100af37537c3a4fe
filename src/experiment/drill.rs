//! A drill: the experiment with something of it failing for a while, on purpose.
//!
//! What fails is a failure domain: a provider, or all providers of an account or of a host, whose credential, quota or network they share. How it
//! fails is one of a table. The drill has stretches of equal length: one in which all is well, one in which the domain fails, and two after it. Requests are
//! seen by when they arrive. Everything else is the experiment's own, with the same seed, so that a drill differs from the run in which
//! nothing fails by what the failure does and by nothing else.
//!
//! Left out: two domains that fail at once, and the experiment's own objectives, windows and metrics, which speak of another plan.

use crate::experiment::assemble::fleet::variant;
use crate::experiment::file::{Experiment, ProviderSpec, WindowSpec};
use crate::experiment::load::Loaded;
use crate::form::build::{Built, Refusal};
use crate::form::named::Named;
use crate::form::units::{Duration, Fraction};
use crate::kernel::time::Span;
use crate::provider::faults::{Answer, FaultSpec, Outage, SlowDown};
use crate::words::Metric;
use crate::words::metric::{Key, Quantity, Statistic};

/// Something that may fail as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// What it is called: `gpt`, or `account azure` and `host gateway` for several providers.
    pub name: String,
    /// The names of its providers.
    pub providers: Vec<String>,
}

/// How a domain fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failing {
    /// Every attempt is answered with a 500 at once.
    Errors,
    /// Every attempt is answered with a 429 at once.
    Refuses,
    /// First tokens take ten times as long, and the others come at a fifth of the speed.
    Slow,
    /// Attempts are accepted and never answered.
    Hangs,
}

impl Failing {
    /// Every way, in the order of tables.
    pub const ALL: [Failing; 4] = [Failing::Errors, Failing::Refuses, Failing::Slow, Failing::Hangs];

    /// The name of the way on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Failing::Errors => "500",
            Failing::Refuses => "429",
            Failing::Slow => "slow",
            Failing::Hangs => "hangs",
        }
    }

    /// What a domain does that fails so, in words that go on from its name.
    pub const fn verb(self) -> &'static str {
        match self {
            Failing::Errors => "answers 500",
            Failing::Refuses => "answers 429",
            Failing::Slow => "is slow",
            Failing::Hangs => "hangs",
        }
    }

    fn fault(self, from: Duration, lasts: Duration) -> FaultSpec {
        let outage = |answer| {
            FaultSpec::outage(Outage {
                from,
                lasts,
                answer,
                after: None,
                retry_after: None,
                share: Fraction::ONE,
            })
        };
        match self {
            Failing::Errors => outage(Answer::Refused),
            Failing::Refuses => outage(Answer::RateLimited),
            Failing::Hangs => outage(Answer::Hang),
            Failing::Slow => FaultSpec::slow_down(SlowDown {
                from,
                lasts,
                ttft: 10.0,
                speed: 0.2,
                delay: Duration::from(Span::ZERO),
            }),
        }
    }
}

/// Stretches of a drill: the failure is the second of them.
const STRETCHES: u64 = 4;

/// The name of the window in which the domain fails.
const WHILE: &str = "failing";

/// The name of the window after it.
const AFTER: &str = "after";

/// The metrics of a drill, in the order of its figures; the last is there where requests are turns of conversations or agent runs.
pub fn metrics(spec: &Experiment) -> Vec<Metric> {
    let within = |quantity, statistic, window: &str| {
        let metric = Metric::new(quantity, statistic).unwrap_or(Metric::ERROR_RATE);
        metric.within(Key::Window, window)
    };
    let mut all = vec![
        Metric::ERROR_RATE.within(Key::Window, WHILE),
        Metric::TTFT_P95.within(Key::Window, WHILE),
        Metric::E2E_P95.within(Key::Window, WHILE),
        within(Quantity::CostPer1k, Statistic::Whole, WHILE),
        Metric::ERROR_RATE.within(Key::Window, AFTER),
    ];
    if spec.traffic.has_dialogues() {
        all.push(within(Quantity::DialogueFailures, Statistic::Whole, WHILE));
    }
    all
}

/// The failure domains of an experiment: every provider, then every account and host that more than one provider is of.
pub fn domains(spec: &Experiment) -> Vec<Domain> {
    let mut all: Vec<Domain> = (spec.providers.names().into_iter())
        .map(|name| Domain {
            providers: vec![name.clone()],
            name,
        })
        .collect();
    let shared = |kind: &str, name: &str, of: fn(&ProviderSpec) -> Option<&str>| {
        let providers = spec.providers.iter().filter(|(_, provider)| of(provider) == Some(name));
        Domain {
            name: format!("{kind} {name}"),
            providers: providers.map(|(provider, _)| provider.to_owned()).collect(),
        }
    };
    let (accounts, hosts) = (spec.accounts.names(), spec.hosts.names());
    let of_accounts = accounts
        .iter()
        .map(|name| shared("account", name, |p| p.account.as_deref()));
    let of_hosts = hosts.iter().map(|name| shared("host", name, |p| p.host.as_deref()));
    all.extend(of_accounts.chain(of_hosts).filter(|domain| domain.providers.len() > 1));
    all
}

/// The experiment as a drill whose stretches last `lasts`; `failing` says what fails and how, if anything does.
///
/// # Errors
/// If a provider's model cannot be found.
pub fn drill(loaded: &Loaded, lasts: Span, failing: Option<(&Domain, Failing)>) -> Built<Loaded> {
    let mut drill = loaded.clone();
    let at = |stretches: u64| Duration::from(lasts.times(stretches));
    let window = |from: u64, until: u64| WindowSpec {
        from: Some(at(from)),
        until: Some(at(until)),
    };
    let spec = &mut drill.experiment;
    spec.objectives.clear();
    spec.rank_by = None;
    spec.plan.duration = Some(at(STRETCHES));
    spec.plan.windows = Named::from_iter([
        (WHILE.to_owned(), window(1, 2)),
        (AFTER.to_owned(), window(2, STRETCHES)),
    ]);
    spec.plan.metrics = metrics(spec);
    let Some((domain, how)) = failing else {
        return Ok(drill);
    };
    for name in &domain.providers {
        let provider = (drill.experiment.providers.get_mut(name))
            .ok_or_else(|| Refusal::new(format!("no provider `{name}`")).at("providers"))?;
        let own = match (&provider.faults, &provider.model) {
            (Some(own), _) => own.clone(),
            (None, Some(model)) => {
                let (_, model) = variant(loaded, model, provider.variant.as_deref())?;
                vec![FaultSpec::random(model.faults.clone())]
            }
            (None, None) => Vec::new(),
        };
        // What is scheduled strikes first: a provider that is down does not fail at random besides.
        let all = [how.fault(at(1), at(1))].into_iter().chain(own);
        provider.faults = Some(all.collect());
    }
    Ok(drill)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::assemble::assemble;
    use crate::experiment::load::from_text;

    const TEXT: &str = r#"{
        "name": "x",
        "traffic": { "arrivals": { "poisson": { "rate": "5/s" } }, "classes": { "all": { "input": 100, "output": 50 } } },
        "accounts": { "azure": { "limits": [] }, "lone": { "limits": [] } },
        "providers": {
            "a": { "model": "gpt-4.1", "account": "azure" },
            "b": { "model": "gpt-4.1", "account": "azure" },
            "c": { "model": "deepseek-v3.2", "account": "lone" }
        },
        "client": { "timeouts": { "attempt": "30s" } },
        "policies": [ { "name": "p", "policy": "round_robin" } ],
        "objectives": [ { "metric": "error_rate{window=night}", "at_most": "1%" } ],
        "plan": { "duration": "24h", "windows": { "night": { "from": "20h" } } }
    }"#;

    #[test]
    fn domains_are_providers_and_what_several_share() {
        let loaded = from_text("x.json", TEXT).unwrap();
        let names: Vec<String> = domains(&loaded.experiment).into_iter().map(|d| d.name).collect();
        assert_eq!(names, ["a", "b", "c", "account azure"]);
    }

    /// Every way at every domain is an experiment that can be assembled, and keeps what its model fails with at random.
    #[test]
    fn every_drill_is_a_sound_experiment() {
        let loaded = from_text("x.json", TEXT).unwrap();
        for domain in domains(&loaded.experiment) {
            for how in Failing::ALL {
                let drill = drill(&loaded, Span::from_secs(60), Some((&domain, how))).unwrap();
                let plan = assemble(&drill).unwrap();
                assert_eq!(plan.scenarios[0].window.counted(), Span::from_secs(240));
                let faults = |name: &str| {
                    drill
                        .experiment
                        .providers
                        .get(name)
                        .unwrap()
                        .faults
                        .as_ref()
                        .map(Vec::len)
                };
                let expected = |name: &str| domain.providers.iter().any(|p| p == name).then_some(2);
                assert_eq!(["a", "b", "c"].map(faults), ["a", "b", "c"].map(expected));
            }
        }
    }
}
