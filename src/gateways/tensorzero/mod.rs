//! TensorZero's configuration: functions whose variants are drawn, and models whose providers are asked in turn.
//!
//! - A function draws a variant by `candidate_variants` or by `weight`s, all equally if neither is said; when it has failed another one, without
//!   those tried already; and when all have, `fallback_variants` in order (with `weight`s, those without one). A weight of 0 is never drawn.
//! - One try of a variant asks each provider of its model's `routing` once, in order and without a wait; after a try that failed it waits
//!   d + U(0, d), d = min(1 s × 2ⁿ, `max_delay_s`), up to `num_retries` times. Any failure is tried again, a 400 too.
//! - When all have failed the caller is told a 502, whatever the providers said; a rate limit of the gateway is a 429.
//! - A request to a provider ends after `timeouts.non_streaming.total_ms`, or the `gateway`'s 15 minutes; a stream after `streaming.ttft_ms` if
//!   its first token has not come, and after `streaming.total_ms`. Those of models and variants bound all that they hold.
//!
//! Callers ask for a function, or for a model that no function has. Source: tensorzero/tensorzero 7a6159a, `crates/tensorzero-core/src/`
//! (`model.rs`, `utils/retries.rs`, `experimentation/`), `crates/tensorzero-error`, and its documentation. Left out: variants that make several
//! calls (best of n, mixture), namespaces, files that a glob joins, the cache that single requests switch on.

mod cases;
mod keys;
mod limits;
mod times;

use serde_json::{Map, Value, json};

use super::ledger;
use super::model::{Gateway, Group, Member, Product};
use super::source::Config;
use super::tree::{Entry, Node, Place, Value as Is};
use super::warning::{self, Warning};
pub(super) use keys::KEYS;
use times::{OfStreams, Targets, seconds};

/// TensorZero as a product that is read.
pub static PRODUCT: Product = Product {
    name: "tensorzero",
    title: "TensorZero",
    held: "from source (7a6159a)",
};

/// The seconds after which any request to a provider ends.
const TIMEOUT: f64 = 900.0;

/// The kinds of variant that make one call.
const PLAIN: [&str; 3] = [
    "chat_completion",
    "experimental_dynamic_in_context_learning",
    "experimental_chain_of_thought",
];

/// Whether the first document has this product's keys.
pub(super) fn fits(config: &Config) -> bool {
    config.first().is_some_and(|root| {
        let of = |key: &str| root.get(key).map_or(&[][..], Node::entries);
        let routed = of("models").iter().any(|model| model.value.get("routing").is_some());
        routed
            || of("functions")
                .iter()
                .any(|function| function.value.get("variants").is_some_and(Node::is_map))
    })
}

/// A model: the providers of its `routing`, and what bounds one try of them all.
#[derive(Clone, Debug, Default)]
struct Model {
    chain: Vec<Member>,
    total: Option<f64>,
    /// The timeouts of streams, of each provider of the chain.
    streams: Vec<OfStreams>,
}

/// A variant of a function.
#[derive(Clone, Debug)]
struct Variant {
    name: String,
    weight: f64,
    model: Model,
    retries: u64,
    max_delay: f64,
    total: Option<f64>,
}

/// The variants of a function: those that are drawn, and those after them.
#[derive(Debug, Default)]
struct Drawn {
    candidates: Vec<Variant>,
    fallbacks: Vec<Variant>,
}

struct Reading<'a> {
    root: &'a Node,
    timeout: f64,
    warnings: Vec<Warning>,
    left_out: Vec<String>,
}

/// Makes a gateway of a file.
pub(super) fn read(config: &Config) -> Gateway {
    let nothing = Node {
        at: Place::default(),
        value: Is::Map(Vec::new()),
    };
    let root = config.first().unwrap_or(&nothing);
    let timeout = root
        .find("gateway.global_outbound_http_timeout_ms")
        .and_then(Node::number);
    let timeout = timeout.filter(|ms| *ms > 0.0).map_or(TIMEOUT, |ms| ms / 1e3);
    let mut reading = Reading {
        root,
        timeout,
        warnings: Vec::new(),
        left_out: Vec::new(),
    };
    let mut of_targets = Targets::default();
    let mut groups = Vec::new();
    let mut used: Vec<String> = Vec::new();
    for function in root.get("functions").map_or(&[][..], Node::entries) {
        let drawn = reading.function(function, &mut used);
        if drawn.candidates.is_empty() && drawn.fallbacks.is_empty() {
            reading
                .left_out
                .push(format!("{} (no variant that makes one call)", function.key));
            continue;
        }
        groups.push(reading.group(&function.key, function.at, &drawn, &mut of_targets));
    }
    for model in root.get("models").map_or(&[][..], Node::entries) {
        if used.contains(&model.key) {
            continue;
        }
        let alone = Variant {
            name: model.key.clone(),
            weight: 1.0,
            model: reading.model(&model.key, model.at),
            retries: 0,
            max_delay: 10.0,
            total: None,
        };
        let drawn = Drawn {
            candidates: vec![alone],
            fallbacks: Vec::new(),
        };
        groups.push(reading.group(&model.key, model.at, &drawn, &mut of_targets));
    }
    let slow = groups
        .iter()
        .max_by(|a: &&Group, b| a.worst_seconds.total_cmp(&b.worst_seconds));
    if let Some(worst) = slow.filter(|group| group.worst_seconds > 600.0) {
        let hanging = match worst.hanging_attempts() {
            1 => "1 attempt that hangs".to_owned(),
            n => format!("{n} attempts that hang"),
        };
        let what = format!("{hanging}; OpenAI's libraries wait 10 min by default");
        let warning = Warning::new("timeout-longer-than-the-callers", &worst.name, Some(worst.at));
        reading.warnings.push(warning.saying(what));
    }
    let mut client = Map::new();
    client.insert("retry".to_owned(), json!("never"));
    client.insert("timeouts".to_owned(), json!({ "attempt": format!("{timeout}s") }));
    let mut facts = Map::new();
    let streams = !of_targets.of_streams.is_empty();
    for (name, of) in [
        ("of_targets", of_targets.all),
        ("of_targets_that_stream", of_targets.of_streams),
    ] {
        if !of.is_empty() {
            facts.insert(name.to_owned(), Value::Object(of));
        }
    }
    let rules = limits::read(root);
    if !rules.limiters.is_empty() {
        client.insert("limiters".to_owned(), Value::Array(rules.limiters));
        // What is over a limit is refused, and does not wait.
        client.insert("admission".to_owned(), json!({ "queue": { "capacity": 0 } }));
    }
    if !rules.budgets.is_empty() {
        facts.insert("budgets".to_owned(), Value::Array(rules.budgets));
    }
    let names: Vec<&str> = groups
        .iter()
        .flat_map(|group| &group.members)
        .map(|member| member.name.as_str())
        .collect();
    let mut ask = vec![
        "arrivals, by function".to_owned(),
        "tokens of input and output, by function".to_owned(),
        format!(
            "latency, faults and quotas of {}",
            super::show::some(names.into_iter(), ", ")
        ),
    ];
    if streams {
        ask.push("which functions stream".to_owned());
    }
    warning::sort(&mut reading.warnings);
    Gateway {
        product: &PRODUCT,
        version: "2026.4 (7a6159a)".to_owned(),
        files: config.files.clone(),
        ledger: ledger::of(root, KEYS),
        groups,
        aliases: Vec::new(),
        client,
        facts,
        cache: None,
        replicas: 1,
        warnings: reading.warnings,
        limits: rules.said,
        left_out: reading.left_out,
        ask,
    }
}

impl Reading<'_> {
    fn undefined(&mut self, subject: String, at: Place) {
        let warning = Warning::new("undefined-target", subject, Some(at));
        self.warnings.push(warning.saying("TensorZero does not start with it"));
    }

    /// The model of that name, or that of a shorthand, `PROVIDER::MODEL`.
    fn model(&mut self, name: &str, at: Place) -> Model {
        let Some(node) = self.root.get("models").and_then(|models| models.get(name)) else {
            let Some((provider, model)) = name.split_once("::") else {
                self.undefined(name.to_owned(), at);
                return Model::default();
            };
            let member = Member {
                name: name.to_owned(),
                at,
                model: format!("{provider}/{model}"),
                price: Some(model.to_owned()),
                account: Some(provider.to_owned()),
                timeout: Some(self.timeout),
                ..Member::default()
            };
            return Model {
                chain: vec![member],
                total: None,
                streams: vec![OfStreams::default()],
            };
        };
        let routing = node.get("routing").map_or(&[][..], Node::items);
        let total = seconds(node);
        let (mut chain, mut streams) = (Vec::new(), Vec::new());
        for item in routing {
            let own = item.text().unwrap_or("");
            let Some(provider) = node.get("providers").and_then(|providers| providers.entry(own)) else {
                self.undefined(format!("models.{name}.routing: {own}"), item.at);
                continue;
            };
            chain.push(self.member(name, provider, routing.len() == 1, total));
            let own = OfStreams::of(&provider.value);
            streams.push(match routing.len() {
                1 => own.and(OfStreams::of(node)),
                _ => own,
            });
        }
        Model { chain, total, streams }
    }

    fn member(&self, model: &str, provider: &Entry, is_alone: bool, of_model: Option<f64>) -> Member {
        let of = |key: &str| provider.value.text_of(key);
        let kind = of("type").unwrap_or("provider");
        let called = of("model_name")
            .or(of("model_id"))
            .or(of("deployment_id"))
            .or(of("endpoint_id"));
        let location = |key: &str| {
            let node = provider.value.get(key)?;
            node.text().or_else(|| node.text_of("default")).map(str::to_owned)
        };
        let own = seconds(&provider.value).unwrap_or(self.timeout).min(self.timeout);
        let timeout = of_model.filter(|_| is_alone).map_or(own, |of_model| own.min(of_model));
        let local = matches!(kind, "vllm" | "sglang" | "tgi");
        Member {
            name: if is_alone {
                model.to_owned()
            } else {
                format!("{model}/{}", provider.key)
            },
            at: provider.at,
            model: format!("{kind}/{}", called.unwrap_or("")),
            price: called.filter(|_| kind != "azure").map(str::to_owned),
            own_price: cost(&provider.value),
            local,
            account: location("api_key_location")
                .or_else(|| location("credential_location"))
                .or(Some(kind.to_owned())),
            timeout: Some(timeout),
            ..Member::default()
        }
    }

    /// The variants of a function; the models that they have are added to `used`.
    fn function(&mut self, function: &Entry, used: &mut Vec<String>) -> Drawn {
        let mut all: Vec<Variant> = Vec::new();
        let mut weights: Vec<Option<f64>> = Vec::new();
        for entry in function.value.get("variants").map_or(&[][..], Node::entries) {
            let node = &entry.value;
            let kind = node.text_of("type").unwrap_or("chat_completion");
            if !PLAIN.contains(&kind) {
                self.left_out
                    .push(format!("{}.{} (of the type {kind})", function.key, entry.key));
                continue;
            }
            let Some(model) = node.entry("model") else { continue };
            let named = model.value.text().unwrap_or("");
            used.push(named.to_owned());
            let found = self.model(named, model.at);
            if found.chain.is_empty() {
                continue;
            }
            let retries = node.get("retries");
            weights.push(node.number_of("weight"));
            all.push(Variant {
                name: entry.key.clone(),
                weight: 1.0,
                model: found,
                retries: retries.and_then(|of| of.count_of("num_retries")).unwrap_or(0).min(99),
                max_delay: retries.and_then(|of| of.number_of("max_delay_s")).unwrap_or(10.0),
                total: seconds(node),
            });
        }
        match function.value.get("experimentation") {
            Some(said) => self.experiment(&function.key, said, &all),
            None if weights.iter().any(Option::is_some) => {
                let mut drawn = Drawn::default();
                for (variant, weight) in all.into_iter().zip(weights) {
                    match weight {
                        Some(weight) if weight > 0.0 => drawn.candidates.push(Variant { weight, ..variant }),
                        Some(_) => {}
                        None => drawn.fallbacks.push(variant),
                    }
                }
                drawn
            }
            None => Drawn {
                candidates: all,
                fallbacks: Vec::new(),
            },
        }
    }

    /// The variants as an experiment draws them.
    fn experiment(&mut self, function: &str, said: &Node, all: &[Variant]) -> Drawn {
        let mut find = |name: &str, weight: f64, at: Place| {
            let found = all.iter().find(|variant| variant.name == name).cloned();
            let left_out = self
                .left_out
                .iter()
                .any(|of| of.starts_with(&format!("{function}.{name} ")));
            if found.is_none() && !left_out {
                self.undefined(format!("functions.{function}.experimentation: {name}"), at);
            }
            found.map(|variant| Variant { weight, ..variant })
        };
        let mut drawn = Drawn::default();
        match said.get("candidate_variants") {
            Some(of) if of.is_map() => {
                for entry in of.entries() {
                    let weight = entry.value.number().unwrap_or(1.0);
                    drawn
                        .candidates
                        .extend(find(&entry.key, weight, entry.at).filter(|_| weight > 0.0));
                }
            }
            Some(of) => {
                for item in of.items() {
                    drawn.candidates.extend(find(item.text().unwrap_or(""), 1.0, item.at));
                }
            }
            None => {}
        }
        let mut repeated = Vec::new();
        for item in said.get("fallback_variants").map_or(&[][..], Node::items) {
            let name = item.text().unwrap_or("");
            let is_there = |all: &[Variant]| all.iter().any(|variant| variant.name == name);
            // A variant that was tried is not tried again.
            match is_there(&drawn.candidates) || is_there(&drawn.fallbacks) {
                true => repeated.push((name.to_owned(), item.at)),
                false => drawn.fallbacks.extend(find(name, 1.0, item.at)),
            }
        }
        let mut refuse = |of: String, at: Place, what: &str| {
            let warning = Warning::new(
                "does-not-start",
                format!("functions.{function}.experimentation{of}"),
                Some(at),
            );
            self.warnings.push(warning.saying(what));
        };
        for (name, at) in repeated {
            let what = "a variant may stand once, among `candidate_variants` or among `fallback_variants`";
            refuse(format!(": {name}"), at, what);
        }
        let of_weights = matches!(said.text_of("type"), Some("static" | "static_weights"));
        if of_weights && said.get("candidate_variants").is_none() {
            let never: Vec<&str> = all
                .iter()
                .map(|variant| variant.name.as_str())
                .filter(|name| drawn.fallbacks.iter().all(|of| of.name != *name))
                .collect();
            let what = match never[..] {
                [] => "`candidate_variants` is missing".to_owned(),
                _ => format!("`candidate_variants` is missing: {} is never drawn", never.join(", ")),
            };
            refuse(String::new(), said.at, &what);
        }
        // Without either, all are drawn.
        if said.get("candidate_variants").is_none() && drawn.fallbacks.is_empty() {
            drawn.candidates = all.to_vec();
        }
        drawn
    }

    fn group(&mut self, name: &str, at: Place, drawn: &Drawn, of_targets: &mut Targets) -> Group {
        let variants = || drawn.candidates.iter().chain(&drawn.fallbacks);
        let mut members: Vec<Member> = Vec::new();
        for variant in variants() {
            for (member, streams) in variant.model.chain.iter().zip(&variant.model.streams) {
                if !members.iter().any(|known| known.name == member.name) {
                    members.push(member.clone());
                }
                self.own(member, variant, *streams, of_targets);
            }
        }
        let several = drawn.candidates.len() > 1;
        let mut through = Vec::new();
        if several {
            let sum: f64 = drawn.candidates.iter().map(|variant| variant.weight).sum();
            let share = |variant: &Variant| format!("{} {:.0} %", variant.name, variant.weight / sum * 100.0);
            let shares = drawn.candidates.iter().map(share).collect::<Vec<_>>().join(", ");
            through.push(format!("a variant at random: {shares}"));
        }
        if variants().any(|variant| variant.model.chain.len() > 1) {
            through.push("its model's providers in order".to_owned());
        }
        let (attempts, _) = cases::all(drawn, false);
        let (_, worst_seconds) = cases::all(drawn, true);
        let tried_again = variants().any(|variant| variant.retries > 0);
        if tried_again && attempts as usize > 2 * members.len() && attempts > 4 {
            let what = format!("up to {attempts} attempts of one request");
            self.warnings
                .push(Warning::new("retries-multiply", name, Some(at)).saying(what));
        }
        Group {
            name: name.to_owned(),
            at,
            through,
            policy: policy(drawn),
            chain: vec![name.to_owned()],
            cases: cases::cases(drawn),
            worst_attempts: attempts,
            worst_seconds: worst_seconds.1,
            members,
            ..Group::default()
        }
    }

    /// The retries and the timeouts that a provider has of its own; of several variants with it those that last longest.
    fn own(&self, member: &Member, variant: &Variant, streams: OfStreams, of_targets: &mut Targets) {
        let timeout = member.timeout.filter(|own| *own < self.timeout);
        let whole = timeout.map(|timeout| json!({ "attempt": format!("{timeout}s") }));
        let of_stream = streams.part(self.timeout);
        if of_stream.is_some() || whole.is_some() {
            // What bounds a request that does not stream bounds no stream.
            of_targets.put(&member.name, variant, of_stream, true);
        }
        of_targets.put(&member.name, variant, whole, false);
    }
}

/// Dollars a token of input and of output, where the pointers of `cost` say which they are.
fn cost(provider: &Node) -> Option<(f64, f64)> {
    let rows = provider.get("cost").map_or(&[][..], Node::items);
    let of = |names: [&str; 2]| {
        let row = rows.iter().find(|row| {
            let pointer = row.text_of("pointer").or(row.text_of("pointer_nonstreaming"));
            pointer.is_some_and(|pointer| names.iter().any(|name| pointer.ends_with(name)))
        })?;
        row.number_of("cost_per_million")
            .map(|dollars| dollars / 1e6)
            .or(row.number_of("cost_per_unit"))
    };
    let input = of(["/prompt_tokens", "/input_tokens"])?;
    Some((input, of(["/completion_tokens", "/output_tokens"])?)).filter(|(a, b)| *a >= 0.0 && *b >= 0.0)
}

/// The place in a tree that a variant is.
fn leaf(variant: &Variant) -> Value {
    let names: Vec<&str> = variant.model.chain.iter().map(|member| member.name.as_str()).collect();
    match names[..] {
        [one] => json!(one),
        _ => json!({ "fallback": { "targets": names } }),
    }
}

fn policy(drawn: &Drawn) -> Value {
    let weighed = |variant: &Variant| {
        let mut of = match leaf(variant) {
            Value::Object(of) => of,
            name => [("provider".to_owned(), name)].into_iter().collect(),
        };
        of.insert("weight".to_owned(), json!(variant.weight));
        Value::Object(of)
    };
    let mut targets: Vec<Value> = match &drawn.candidates[..] {
        [] => Vec::new(),
        [one] => vec![leaf(one)],
        several => {
            let of: Vec<Value> = several.iter().map(weighed).collect();
            vec![json!({ "sample_without_replacement": { "targets": of } })]
        }
    };
    targets.extend(drawn.fallbacks.iter().map(leaf));
    let whole = match targets.len() {
        1 => targets.remove(0),
        _ => json!({ "fallback": { "targets": targets } }),
    };
    match whole.as_str() {
        Some(name) => json!({ "single": { "provider": name } }),
        None => json!({ "tree": whole }),
    }
}
