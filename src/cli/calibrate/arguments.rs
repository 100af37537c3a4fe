//! A plan from the command line's arguments: one target, one class, or the classes of an experiment.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::{Map, Value};

use super::super::{Failure, traces};
use crate::experiment::load::load;
use crate::form::diagnose;
use crate::form::laws::LawSpec;
use crate::form::named::Named;
use crate::form::units::{Count, Duration, Money, Rate, TokenPrice};
use crate::live::prompts::{Language, Prefix};
use crate::live::short;
use crate::live::spec::{
    self, ClassSpec, Limit, LoadSpec, MaxTokensField, PlanSpec, Schedule, TargetSpec, TimeoutSpec,
};
use crate::provider::pricing::PerToken;

/// The endpoint that is asked, and how.
#[derive(Debug, Args)]
#[command(next_help_heading = "Target")]
pub(super) struct Target {
    /// The endpoint, up to /chat/completions, like https://api.example.com/v1
    #[arg(long, value_name = "URL", requires = "model")]
    base_url: Option<String>,
    /// The model to ask for
    #[arg(long, requires = "base_url")]
    model: Option<String>,
    /// What the target and the run are called [default: after the model]
    #[arg(long, requires = "base_url")]
    name: Option<String>,
    /// The environment variable that holds the API key [default: no key is sent]
    #[arg(long, value_name = "NAME", requires = "base_url")]
    api_key_env: Option<String>,
    /// A file of certificates (PEM) to trust in place of the public ones
    #[arg(long, value_name = "FILE", requires = "base_url")]
    ca_file: Option<String>,
    /// The price of input, like '$0.42/Mtok', or 0 [default: the built-in price table's]
    #[arg(long, allow_hyphen_values = true, value_name = "PRICE", value_parser = price, requires = "base_url")]
    price_input: Option<TokenPrice>,
    /// The price of output [default: 0 where input is 0]
    #[arg(long, allow_hyphen_values = true, value_name = "PRICE", value_parser = price, requires = "price_input")]
    price_output: Option<TokenPrice>,
    /// The price of input from the prompt cache [default: that of input]
    #[arg(long, allow_hyphen_values = true, value_name = "PRICE", value_parser = price, requires = "price_input")]
    price_cached: Option<TokenPrice>,
    /// Send max_completion_tokens in place of max_tokens
    #[arg(long, requires = "base_url")]
    max_completion_tokens: bool,
    /// Further fields of each request, like '{"temperature": 0}'
    #[arg(long, value_name = "JSON", value_parser = object, requires = "base_url")]
    extra_body: Option<Map<String, Value>>,
}

/// When to ask.
#[derive(Debug, Args)]
#[command(next_help_heading = "Load")]
pub(super) struct Load {
    /// Open loop: so many a time, like 2/s, whatever became of those before
    #[arg(long, allow_hyphen_values = true, requires = "base_url", conflicts_with_all = ["concurrency", "ladder", "find"])]
    rate: Option<Rate>,
    /// How probes are spread over time
    #[arg(long, value_enum, default_value_t = Spread::Poisson)]
    schedule: Spread,
    /// Closed loop: so many at once
    #[arg(
        long,
        allow_hyphen_values = true,
        value_name = "N",
        requires = "base_url",
        conflicts_with_all = ["ladder", "find"]
    )]
    concurrency: Option<Count>,
    /// Rates one after the other, until the endpoint refuses, like 1/s,2/s,4/s
    #[arg(
        long,
        value_name = "RATES",
        value_delimiter = ',',
        requires = "base_url",
        conflicts_with = "find"
    )]
    ladder: Vec<Rate>,
    /// Look for what the endpoint takes: closed loops of 1, 2, 4, … at once until more bring no more; for a quota then beyond
    /// that rate for 2.5 windows, without pausing on a 429
    #[arg(
        long,
        value_name = "LIMITS",
        value_enum,
        value_delimiter = ',',
        requires = "base_url"
    )]
    find: Vec<Find>,
    /// The most at once that --find tries
    #[arg(long, value_name = "N", default_value_t = spec::most_at_once(), requires = "find")]
    at_most: Count,
    /// The longest window of a quota that --find looks for
    #[arg(long, value_name = "TIME", default_value_t = spec::minute(), requires = "find")]
    window: Duration,
    /// The most refusals that --find causes beyond a quota
    #[arg(long, value_name = "N", default_value_t = spec::most_refusals(), requires = "find")]
    max_refusals: Count,
    /// How long each rate of a ladder lasts
    #[arg(long, value_name = "TIME", default_value = "30s")]
    step: Duration,
    /// How many probes
    #[arg(long, allow_hyphen_values = true, value_name = "N", requires = "base_url")]
    requests: Option<Count>,
    /// How long to send probes
    #[arg(long, value_name = "TIME", requires = "base_url")]
    duration: Option<Duration>,
    /// Probes before these, which warm up and are left out of the figures
    #[arg(long, value_name = "N", default_value_t = 0)]
    warmup: u32,
    /// The p95 of the probe's own delay above which the run measured the probe
    #[arg(long, value_name = "TIME", default_value = "10ms")]
    dispatch_bound: Duration,
    /// Seed of schedule and lengths
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

/// What to ask.
#[derive(Debug, Args)]
#[command(next_help_heading = "Requests")]
pub(super) struct Ask {
    /// Words of each prompt: a number, or a law like '{"lognormal": {"median": 300, "sigma": 0.5}}' [default: 200]
    #[arg(long, value_name = "N|LAW", value_parser = law, conflicts_with = "experiment")]
    input: Option<LawSpec<f64>>,
    /// The max_tokens of each, likewise [default: 64]
    #[arg(long, value_name = "N|LAW", value_parser = law, conflicts_with = "experiment")]
    output: Option<LawSpec<f64>>,
    /// Take classes and token lengths from this experiment
    #[arg(long, value_name = "FILE")]
    experiment: Option<PathBuf>,
    /// Ask for whole answers instead of streams
    #[arg(long)]
    no_stream: bool,
    /// Whether prompts begin alike, for prompt caches
    #[arg(long, value_enum, default_value_t = Begin::Unique)]
    prefix: Begin,
    /// The prompts' language: mixed, en, de, fr, es, ru, zh, ja, ar, hi
    #[arg(long, default_value = "en", value_parser = language)]
    language: Language,
    /// How long to wait for a connection
    #[arg(long, value_name = "TIME", default_value_t = TimeoutSpec::default().connect)]
    connect_timeout: Duration,
    /// How long to wait for the first token
    #[arg(long, value_name = "TIME", default_value_t = TimeoutSpec::default().ttft)]
    ttft_timeout: Duration,
    /// How long to wait for each further token
    #[arg(long, value_name = "TIME", default_value_t = TimeoutSpec::default().idle)]
    idle_timeout: Duration,
    /// How long to wait for the whole answer
    #[arg(long, value_name = "TIME", default_value_t = TimeoutSpec::default().total)]
    total_timeout: Duration,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Spread {
    Poisson,
    Fixed,
}

/// What --find looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Find {
    /// The most requests that are served at once
    Slots,
    /// The most requests in a window of time; the slots too
    Quota,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Begin {
    Unique,
    Repeated,
}

impl Find {
    fn limit(self) -> Limit {
        match self {
            Find::Slots => Limit::Slots,
            Find::Quota => Limit::Quota,
        }
    }
}

fn price(text: &str) -> Result<TokenPrice, String> {
    match text {
        "0" | "$0" => Ok(TokenPrice::default()),
        _ => text
            .parse()
            .map_err(|error: crate::form::units::UnitError| error.to_string()),
    }
}

fn object(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text).map_err(|error| format!("must be a JSON object: {error}"))
}

fn law(text: &str) -> Result<LawSpec<f64>, String> {
    match text.parse::<f64>() {
        Ok(number) => Ok(LawSpec::always(number)),
        Err(_) => diagnose::parse("the law", text).map_err(|error| error.to_string()),
    }
}

fn language(text: &str) -> Result<Language, String> {
    serde_json::from_value(Value::from(text)).map_err(|error| error.to_string())
}

/// The argument that a field of the plan comes from, if it is one's.
pub(super) fn flag(field: &str) -> Option<&'static str> {
    const FLAGS: [(&str, &str); 21] = [
        ("name", "name"),
        ("base_url", "base-url"),
        ("model", "model"),
        ("extra_body", "extra-body"),
        ("rate", "rate"),
        ("concurrency", "concurrency"),
        ("rates", "ladder"),
        ("step", "step"),
        ("at_most", "at-most"),
        ("window", "window"),
        ("what", "find"),
        ("requests", "requests"),
        ("duration", "duration"),
        ("input", "input"),
        ("output", "output"),
        ("connect", "connect-timeout"),
        ("ttft", "ttft-timeout"),
        ("idle", "idle-timeout"),
        ("total", "total-timeout"),
        ("prices", "price-input"),
        ("ca_file", "ca-file"),
    ];
    FLAGS.iter().find(|(name, _)| *name == field).map(|(_, flag)| *flag)
}

/// The plan that the arguments make.
pub(super) fn spec(target: &Target, load: &Load, ask: &Ask, max_cost: Option<Money>) -> Result<PlanSpec, Failure> {
    let missing = |what: &str| Failure::Input(what.to_owned());
    let (Some(base_url), Some(model)) = (&target.base_url, &target.model) else {
        return Err(missing("give --base-url and --model, or a plan"));
    };
    let Some(max_cost) = max_cost else {
        return Err(missing(
            "give --max-cost, like --max-cost '$1': nothing is sent without a bound on what it may cost",
        ));
    };
    let schedule = match load.schedule {
        Spread::Poisson => Schedule::Poisson,
        Spread::Fixed => Schedule::Fixed,
    };
    let load_spec = match (load.rate, load.concurrency, load.ladder.as_slice()) {
        (Some(rate), _, _) => LoadSpec::Open { rate, schedule },
        (None, Some(concurrency), _) => LoadSpec::Closed { concurrency },
        (None, None, []) if !load.find.is_empty() => LoadSpec::Find {
            what: load.find.iter().map(|what| what.limit()).collect(),
            at_most: load.at_most,
            window: load.window,
            max_refusals: load.max_refusals,
        },
        (None, None, []) => {
            return Err(missing(
                "give --rate, --concurrency, --ladder or --find: how probes come",
            ));
        }
        (None, None, rates) => LoadSpec::Ladder {
            rates: rates.to_vec(),
            step: load.step,
            schedule,
        },
    };
    let name = target.name.clone().unwrap_or_else(|| short::called_after(model));
    let target = TargetSpec {
        base_url: base_url.clone(),
        model: model.clone(),
        api_key_env: target.api_key_env.clone(),
        key_header: "authorization".into(),
        ca_file: target.ca_file.clone(),
        prices: prices(target)?,
        max_tokens_field: if target.max_completion_tokens {
            MaxTokensField::MaxCompletionTokens
        } else {
            MaxTokensField::MaxTokens
        },
        extra_body: target.extra_body.clone().unwrap_or_default(),
    };
    Ok(PlanSpec {
        schema: None,
        targets: [(name.clone(), target)].into_iter().collect(),
        name,
        classes: classes(ask)?,
        experiment: None,
        load: Some(load_spec),
        requests: load.requests,
        duration: load.duration,
        warmup: load.warmup,
        stream: !ask.no_stream,
        prefix: match ask.prefix {
            Begin::Unique => Prefix::Unique,
            Begin::Repeated => Prefix::Repeated,
        },
        language: ask.language,
        timeouts: TimeoutSpec {
            connect: ask.connect_timeout,
            ttft: ask.ttft_timeout,
            idle: ask.idle_timeout,
            total: ask.total_timeout,
        },
        max_cost,
        dispatch_bound: load.dispatch_bound,
        seed: load.seed,
        base_url: None,
        model: None,
        api_key_env: None,
        price_input: None,
        price_output: None,
        input: None,
        output: None,
        rate: None,
        concurrency: None,
        ladder: None,
        find: None,
        schedule: None,
        step: None,
        at_most: None,
        window: None,
        max_refusals: None,
        connect_timeout: None,
        ttft_timeout: None,
        idle_timeout: None,
        total_timeout: None,
    })
}

fn prices(target: &Target) -> Result<Option<PerToken>, Failure> {
    let Some(input) = target.price_input else {
        return Ok(None);
    };
    let output = match target.price_output {
        Some(output) => output,
        // Where input is free, so is output.
        None if input == TokenPrice::default() => input,
        None => return Err(Failure::Input("give --price-output beside --price-input".into())),
    };
    Ok(Some(PerToken {
        cached_input: target.price_cached,
        ..PerToken::new(input, output)
    }))
}

fn classes(ask: &Ask) -> Result<Named<ClassSpec>, Failure> {
    let Some(file) = &ask.experiment else {
        let class = ClassSpec {
            share: 1.0,
            input: ask.input.clone().unwrap_or(LawSpec::always(short::INPUT)),
            output: ask.output.clone().unwrap_or(LawSpec::always(short::OUTPUT)),
        };
        return Ok([("all".to_owned(), class)].into_iter().collect());
    };
    classes_of(file)
}

/// The classes and token lengths of an experiment.
pub(super) fn classes_of(file: &Path) -> Result<Named<ClassSpec>, Failure> {
    let loaded = load(file, &traces(None))?;
    let one = |(name, class): (&str, &crate::experiment::file::ClassSpec)| {
        let (Some(input), Some(output)) = (&class.input, &class.output) else {
            return Err(Failure::Input(format!(
                "{}: the class `{name}` has no laws of `input` and `output` to take lengths from",
                file.display()
            )));
        };
        Ok((
            name.to_owned(),
            ClassSpec {
                share: class.share.unwrap_or(1.0),
                input: input.clone(),
                output: output.clone(),
            },
        ))
    };
    loaded.experiment.traffic.classes.iter().map(one).collect()
}
