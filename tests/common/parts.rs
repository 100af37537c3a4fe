//! Every registered part, in an experiment where it may act: the example of its page, put where a part of its kind stands.
//!
//! Nothing here is listed by the names of parts: what is registered is walked. A kind has a place and something in place of
//! which its parts are tried.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use serde_json::{Value, json};
use simcap::experiment::assemble::{Plan, assemble};
use simcap::experiment::kinds::PartKind;
use simcap::experiment::load::{Loaded, from_text};
use simcap::form::own::OwnParts;
use simcap::kernel::time::Span;
use simcap::traffic::arrivals::Row;

/// What traffic meets the part, and for how long: a part that needs a rush, a long run or a pause has one of these.
pub(crate) const STAGES: [(&str, &str); 4] = [("60/s", "100s"), ("2500/s", "4s"), ("0.1/s", "24h"), ("2/h", "20d")];

/// An experiment on three providers that fail now and then, without a part of any kind that has to be looked at.
pub(crate) fn stage((rate, duration): (&str, &str)) -> Value {
    json!({
        "name": "part",
        "traffic": {
            "arrivals": { "poisson": { "rate": rate } },
            "classes": { "chat": class(3), "code": class(1) },
            "users": { "count": 50 },
        },
        "providers": { "a": provider(0), "b": provider(1), "c": provider(2) },
        "client": { "timeouts": { "attempt": "40s", "total": "60s" } },
        "policies": [ { "name": "it", "policy": "round_robin" } ],
        "plan": { "duration": duration, "warmup": "0s", "replications": 2 },
    })
}

fn class(share: u32) -> Value {
    json!({
        "share": share, "priority": share, "max_output": 900,
        "input": { "uniform": { "min": 500, "max": 3000 } },
        "output": { "uniform": { "min": 100, "max": 900 } },
        "tags": { "plan": "pro", "region": "eu" },
    })
}

/// One of the providers, which differ in price and speed, and of which each is out for a tenth of the time in turn.
fn provider(i: u64) -> Value {
    json!({
        "ttft": { "lognormal": { "median": format!("{}ms", 150 + 150 * i), "sigma": 0.6 } },
        "tps": { "constant": 100 },
        "quality": { "chat": 0.9, "code": 0.9 },
        "context_window": 128_000,
        // The first is not the cheapest.
        "prices": { "per_token": {
            "input": format!("${}/Mtok", (7 * i + 3) % 5 + 1), "output": format!("${}/Mtok", 4 * ((7 * i + 3) % 5 + 1)),
        } },
        "faults": [
            { "random": { "server_error": 0.1, "overloaded": 0.1, "rate_limited": 0.05 } },
            { "outage": { "from": format!("{}s", 2 + 5 * i), "for": "3s", "answer": "unavailable" } },
        ],
    })
}

/// Puts `part`, or if there is none something neutral, where parts of `kind` stand.
pub(crate) fn put(experiment: &mut Value, kind: &str, part: Option<&Value>) {
    let of_all = |experiment: &mut Value, field: &str, value: &Value| {
        for provider in experiment["providers"].as_object_mut().unwrap().values_mut() {
            provider[field] = value.clone();
        }
    };
    let client = |experiment: &mut Value, field: &str, value: Option<Value>| {
        if let Some(value) = value {
            experiment["client"][field] = value;
        }
    };
    let listed = part.map_or(json!([]), |part| json!([part]));
    let given = part.cloned();
    match kind {
        "arrivals" => {
            if part.is_some_and(|part| part.to_string().contains("\"trace\"")) {
                for class in experiment["traffic"]["classes"].as_object_mut().unwrap().values_mut() {
                    class
                        .as_object_mut()
                        .unwrap()
                        .retain(|field, _| field != "input" && field != "output");
                }
            }
            let traffic = &mut experiment["traffic"];
            let source = match traffic.get("streams") {
                Some(_) => &mut traffic["streams"]["one"],
                None => traffic,
            };
            let has_users = |part: &Value| {
                ["\"users\"", "\"starts\""]
                    .iter()
                    .any(|own| part.to_string().contains(own))
            };
            if part.is_some_and(has_users) {
                source.as_object_mut().unwrap().remove("users");
            }
            let neutral = source["arrivals"]["poisson"]["rate"].clone();
            source["arrivals"] = given.unwrap_or(json!({ "regular": { "rate": neutral } }));
        }
        "law" => of_all(experiment, "ttft", &given.unwrap_or(json!({ "constant": "123ms" }))),
        "load" => of_all(experiment, "load", &listed),
        "limit" => of_all(experiment, "limits", &listed),
        "fault" => of_all(experiment, "faults", &listed),
        "price" => of_all(
            experiment,
            "prices",
            &given.unwrap_or(json!({ "per_request": { "price": "$1" } })),
        ),
        "prompt_cache" => {
            if let Some(part) = part {
                of_all(experiment, "prompt_cache", part);
            }
        }
        "response_cache" => {
            let classes = experiment["traffic"]["classes"].as_object_mut().unwrap();
            for class in classes.values_mut() {
                class["prompts"] = json!({ "count": 30 });
            }
            client(experiment, kind, given.map(|store| json!({ "hits": store })));
        }
        "admission" => {
            client(experiment, "max_in_flight", Some(json!(20)));
            let neutral = json!({ "queue": { "capacity": 3 } });
            client(experiment, "admission", Some(given.unwrap_or(neutral)));
        }
        "limiter" => client(experiment, "limiters", Some(listed)),
        "retry_budget" => {
            // Envoy's counts waits, and answers only until they begin.
            let often = json!({ "fixed": { "tries": 4, "wait": "5s" } });
            client(experiment, "retry", Some(often));
            client(experiment, "retry_budget", given);
        }
        "breaker" | "retry" | "hedge" => client(experiment, kind, given),
        "policy" => {
            client(
                experiment,
                "retry",
                Some(json!({ "fixed": { "tries": 3, "wait": "10ms" } })),
            );
            let first = experiment["providers"].as_object().unwrap().keys().next().cloned();
            let neutral = json!({ "single": { "provider": first } });
            experiment["policies"][0]["policy"] = given.unwrap_or(neutral);
        }
        other => panic!("tests/common/parts.rs does not know where a part of kind `{other}` stands"),
    }
}

/// The experiment of `stage` with the part at its place, and with every provider and class that it names.
///
/// # Panics
/// If it is refused for anything but a provider or a class that is missing.
pub(crate) fn with_part(
    stage_of: (&str, &str),
    kind: &str,
    part: Option<&Value>,
    names: &Named,
) -> Result<Loaded, String> {
    let mut experiment = stage(stage_of);
    let fields = |names: &[String], make: &dyn Fn(u64) -> Value| -> Value {
        let numbered = names.iter().zip(0..);
        numbered.map(|(name, i)| (name.clone(), make(i))).collect()
    };
    if !names.providers.is_empty() {
        experiment["providers"] = fields(&names.providers, &provider);
    }
    if !names.classes.is_empty() {
        experiment["traffic"]["classes"] = fields(&names.classes, &|i| class(1 + i as u32));
    }
    let qualities: Value = (experiment["traffic"]["classes"].as_object().unwrap().keys())
        .map(|class| (class.clone(), json!(0.9)))
        .collect();
    for provider in experiment["providers"].as_object_mut().unwrap().values_mut() {
        provider["quality"] = qualities.clone();
    }
    put(&mut experiment, kind, part);
    let mut loaded = from_text("part.json", &experiment.to_string()).map_err(|error| error.to_string())?;
    loaded.own = own_parts();
    loaded
        .add_script("route.rhai", include_str!("../../examples/route.rhai"))
        .map_err(|error| error.to_string())?;
    loaded.add_column(
        "measured.csv",
        "ttft_ms",
        (1..=500).map(|i| f64::from(i * 7 % 500)).collect(),
    );
    let traces = loaded.experiment.traffic.origins();
    let traces = traces.filter_map(|origin| Some(origin.arrivals.as_dyn().trace()?.to_owned()));
    for trace in traces.collect::<Vec<String>>() {
        let row = |i: u64| Row {
            at: Span::from_millis(130 * i + 40 * (i % 7)),
            input: 700 + (i % 5) as u32,
            output: 100,
        };
        loaded.traces.insert(trace, (0..2000).map(row).collect());
    }
    Ok(loaded)
}

/// The providers and classes of an experiment; empty for those of [`stage`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Named {
    pub(crate) providers: Vec<String>,
    pub(crate) classes: Vec<String>,
}

/// The names that an experiment with `part` needs, found by what it is refused for; and the experiment.
pub(crate) fn staged(stage_of: (&str, &str), kind: &str, part: Option<&Value>) -> (Named, Plan) {
    let mut names = Named::default();
    loop {
        let loaded = with_part(stage_of, kind, part, &names).unwrap_or_else(|error| panic!("{kind} {part:?}: {error}"));
        let error = match assemble(&loaded) {
            Ok(plan) => return with_the_usual(stage_of, kind, part, names, plan),
            Err(error) => error,
        };
        let missing = |what: &str| {
            let rest = error.message.split_once(&format!("there is no {what} `"))?.1;
            Some(rest.split('`').next().unwrap_or_default().to_owned())
        };
        match (missing("provider"), missing("class")) {
            (Some(provider), _) => names.providers.push(provider),
            (_, Some(class)) => names.classes.push(class),
            _ => panic!("{kind} {part:?}: {error}"),
        }
    }
}

/// The same with the providers of [`stage`] too, if the part takes them.
fn with_the_usual(stage_of: (&str, &str), kind: &str, part: Option<&Value>, names: Named, plan: Plan) -> (Named, Plan) {
    if names.providers.is_empty() {
        return (names, plan);
    }
    let mut more = names.clone();
    let usual = ["a", "b", "c"].map(String::from);
    more.providers
        .extend(usual.into_iter().filter(|usual| !names.providers.contains(usual)));
    let loaded = with_part(stage_of, kind, part, &more).and_then(|loaded| assemble(&loaded).map_err(|e| e.to_string()));
    match loaded {
        Ok(plan) => (more, plan),
        Err(_) => (names, plan),
    }
}

/// The part that an example of a kind says, made by the kind's own method of `OwnParts`: each kind's own parts are tried as any
/// other's.
macro_rules! own {
    ($($kind:ident: $Spec:ty = $json:literal, |$spec:ident, $names:ident| $build:expr;)+) => {
        /// For each kind a part called `least_recent`, which is what the page of `own` shows.
        pub(crate) fn own_parts() -> OwnParts {
            OwnParts::default()$(.$kind("least_recent", |_, $names| {
                let $spec: $Spec = serde_json::from_str($json).unwrap();
                $build
            }))+
        }

        /// The kinds that have such a part.
        pub(crate) const OWN_KINDS: &[&str] = &[$(stringify!($kind)),+];
    };
}

own! {
    arrivals: simcap::traffic::arrivals::ArrivalsSpec = r#"{ "gamma": { "rate": "9/s", "cv": 2 } }"#, |spec, names| spec.as_dyn().build(None, names);
    law: simcap::form::laws::LawSpec<simcap::form::units::Duration> = r#"{ "exponential": { "mean": "90ms" } }"#, |spec, names| spec.law(names);
    load: simcap::provider::load::LoadSpec = r#"{ "slots": { "servers": 3 } }"#, |spec, names| spec.as_dyn().build(names);
    prompt_cache: simcap::provider::cache::CacheSpec = r#"{ "random": { "hit": 0.5, "share": 0.5, "min_tokens": 100 } }"#, |spec, names| spec.as_dyn().build(names);
    limit: simcap::provider::limits::LimitSpec = r#"{ "concurrent": { "limit": 2 } }"#, |spec, names| Ok(spec.as_dyn().build_all(names)?.remove(0));
    fault: simcap::provider::faults::FaultSpec = r#"{ "random": { "server_error": 0.5 } }"#, |spec, names| spec.as_dyn().build(names);
    price: simcap::provider::pricing::PriceSpec = r#"{ "per_request": { "price": "$2" } }"#, |spec, names| spec.as_dyn().build(&Default::default(), names);
    response_cache: simcap::client::response_cache::StoreSpec = r#"{ "keyed": { "ttl": "3s" } }"#, |spec, names| spec.as_dyn().build(names);
    admission: simcap::client::admission::AdmissionSpec = r#"{ "poll": { "base": "50ms", "ceiling": 2 } }"#, |spec, names| spec.as_dyn().build(names);
    limiter: simcap::client::limiter::LimiterSpec = r#"{ "gcra": { "unit": "requests", "limit": 5, "window": "1s" } }"#, |spec, names| spec.as_dyn().build(names);
    breaker: simcap::client::breaker::BreakerSpec = r#"{ "consecutive": { "failures": 2 } }"#, |spec, names| spec.as_dyn().build(names);
    retry: simcap::client::retry::RetrySpec = r#"{ "fixed": { "tries": 2, "wait": "1s" } }"#, |spec, names| spec.as_dyn().build(names);
    retry_budget: simcap::client::retry_budget::RetryBudgetSpec = r#"{ "finagle": { "min_per_second": 0, "share": 0.01 } }"#, |spec, names| spec.as_dyn().build(names);
    hedge: simcap::client::hedge::HedgeSpec = r#"{ "fixed": { "delay": "200ms" } }"#, |spec, names| spec.as_dyn().build(names);
    policy: simcap::routing::PolicySpec = r#"{ "single": { "provider": "b" } }"#, |spec, names| spec.as_dyn().build(names);
}

/// Whether parts of this kind are exempt from acting: those that say by their name that they never do.
pub(crate) fn never_acts(name: &str) -> bool {
    name == "never"
}

/// Every kind with its examples.
pub(crate) fn examples() -> Vec<(PartKind, Vec<(&'static str, Value)>)> {
    let kinds = simcap::experiment::kinds::all().into_iter();
    kinds.map(|kind| (kind, kind.examples().collect())).collect()
}
