//! The plan of a calibration run as a person writes it: the endpoints, the sizes of requests, their rate, and the
//! budget.
//!
//! It is read from JSON (`simcap calibrate PLAN.json`, several targets side by side) or made from command-line
//! arguments, whose names a plan may use too ([`super::short`]). Keys are named by their environment variable and are never part of it. [`super::plan`] checks it.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::prompts::{Language, Prefix};
use crate::form::laws::LawSpec;
use crate::form::named::Named;
use crate::form::units::{Count, Duration, Money, Rate, TokenPrice};
use crate::provider::pricing::PerToken;

/// The plan of a calibration run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanSpec {
    /// The file's JSON Schema, for editors; ignored.
    #[serde(rename = "$schema", default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// The name of the run and of its result folder: letters, digits, `-`, `_` and `.`.
    #[schemars(length(max = 100), regex(pattern = r"^[A-Za-z0-9_-][A-Za-z0-9_.-]*$"))]
    pub name: String,
    /// The endpoints, by name. All get the same probes at the same times.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub targets: Named<TargetSpec>,
    /// The classes of probes, by name.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub classes: Named<ClassSpec>,
    /// Instead of `classes`: the path, relative to this file, of an experiment whose classes and token lengths are
    /// used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment: Option<String>,
    /// The pattern in which probes are sent to each target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<LoadSpec>,
    /// The number of probes for each target, warm-up not included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<Count>,
    /// How long probes are sent, warm-up not included. With `requests` too, whichever ends first counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Duration>,
    /// The number of warm-up probes for each target, of which no model is made. Default: 0.
    #[serde(default)]
    pub warmup: u32,
    /// Whether answers are streamed; otherwise there is no time to first token. Default: true.
    #[serde(default = "yes")]
    pub stream: bool,
    /// Whether prompts share their beginning. Default: "unique".
    #[serde(default)]
    pub prefix: Prefix,
    /// The language of the prompts. Default: "en".
    #[serde(default)]
    pub language: Language,
    /// The longest waits for an answer.
    #[serde(default)]
    pub timeouts: TimeoutSpec,
    /// The most that the run may cost, over all targets together.
    pub max_cost: Money,
    /// The 95th percentile of the prober's own delay above which the figures are not to be trusted. Default: 10ms.
    #[serde(default = "ten_ms")]
    pub dispatch_bound: Duration,
    /// The seed of the schedule and of the lengths. Default: 0.
    #[serde(default)]
    pub seed: u64,
    /// For a plan of one target, in place of `targets`: its address up to `/chat/completions`. It is called after the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// The model to request of `base_url`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The environment variable that holds the API key of `base_url`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key_env: Option<String>,
    /// The price of input of `base_url`, like "$0.42/Mtok". Default: that of the built-in price table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_input: Option<TokenPrice>,
    /// The price of output of `base_url`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_output: Option<TokenPrice>,
    /// For a plan of one class, in place of `classes`: the law of the number of input tokens, or a number. Default: 200.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "some_law")]
    #[schemars(schema_with = "law_schema")]
    pub input: Option<LawSpec<f64>>,
    /// For a plan of one class: the law of the most output tokens, or a number. Default: 64.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "some_law")]
    #[schemars(schema_with = "law_schema")]
    pub output: Option<LawSpec<f64>>,
    /// In place of `load`: open loop at this rate, like "3/s".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// In place of `load`: closed loop with so many probes at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Count>,
    /// In place of `load`: open loop at one rate after the other, until the endpoint refuses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ladder: Option<Vec<Rate>>,
    /// In place of `load`: whatever it takes to find these limits, `slots` and `quota`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub find: Option<Vec<Limit>>,
    /// The spacing of probes of `rate` or `ladder`. Default: "poisson".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// The length of each step of `ladder`. Default: 30s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<Duration>,
    /// The most probes at once that `find` tries. Default: 128.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<Count>,
    /// The longest window of a quota that `find` looks for. Default: 60s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Duration>,
    /// The most refusals beyond a quota that `find` causes. Default: 300.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_refusals: Option<Count>,
    /// The longest wait for a connection, in place of `timeouts.connect`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_timeout: Option<Duration>,
    /// The longest wait for the first token, in place of `timeouts.ttft`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttft_timeout: Option<Duration>,
    /// The longest wait for each further token, in place of `timeouts.idle`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<Duration>,
    /// The longest duration of the whole answer, in place of `timeouts.total`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_timeout: Option<Duration>,
}

/// An endpoint to probe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetSpec {
    /// The address up to `/chat/completions`: `https://api.example.com/v1`.
    pub base_url: String,
    /// The model to request.
    pub model: String,
    /// The environment variable that holds the API key. Default: no key is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key_env: Option<String>,
    /// The header that holds the key; in `authorization` after "Bearer". Default: "authorization"; Azure's is
    /// "api-key".
    #[serde(default = "authorization")]
    pub key_header: String,
    /// A file of certificates (PEM) to trust in place of the public ones, for endpoints with a private certificate
    /// authority. In a plan the path is relative to the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
    /// The endpoint's prices. Default: those of the model in the built-in price table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prices: Option<PerToken>,
    /// The field of the body that limits the output. Default: "max_tokens".
    #[serde(default)]
    pub max_tokens_field: MaxTokensField,
    /// Further fields of the request's body, such as {"temperature": 0}.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub extra_body: Map<String, Value>,
}

/// The field of the body that limits the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MaxTokensField {
    /// The field `max_tokens`, which most endpoints use.
    #[default]
    MaxTokens,
    /// The field `max_completion_tokens`, which OpenAI's reasoning models require.
    MaxCompletionTokens,
}

/// A class of probes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClassSpec {
    /// The class's share of all probes; only proportions matter. Default: 1.
    #[serde(default = "one")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub share: f64,
    /// The law of the number of input tokens, approximately: a word is taken for a token.
    #[serde(deserialize_with = "law")]
    #[schemars(schema_with = "law_schema")]
    pub input: LawSpec<f64>,
    /// The law of the most output tokens, sent as `max_tokens`.
    #[serde(deserialize_with = "law")]
    #[schemars(schema_with = "law_schema")]
    pub output: LawSpec<f64>,
}

/// The pattern in which probes are sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum LoadSpec {
    /// Open loop: probes are sent by the clock, whatever became of earlier ones; latency counts from when a probe was
    /// due.
    Open {
        /// The rate of probes, like "5/s".
        rate: Rate,
        /// The spacing of probes. Default: "poisson".
        #[serde(default)]
        schedule: Schedule,
    },
    /// Closed loop: a fixed number of probes at once, each sent as soon as the one before it has ended.
    Closed {
        /// The number of probes at once, at most 1000.
        concurrency: Count,
    },
    /// Whatever it takes to find the endpoint's capacity: closed loops of 1, 2, 4, … at once until more at once bring no more;
    /// then, for a quota, a rate above that for 2.5 windows, without pausing on a 429.
    Find {
        /// What to look for. A quota is looked for beyond the slots, so it includes them. Default: both.
        #[serde(default = "both")]
        what: Vec<Limit>,
        /// The most probes at once that are tried, at most 1000. Default: 128.
        #[serde(default = "most_at_once")]
        at_most: Count,
        /// The longest window of a quota that is looked for. Default: 60s.
        #[serde(default = "minute")]
        window: Duration,
        /// The most refusals beyond the quota. Default: 300.
        #[serde(default = "most_refusals")]
        max_refusals: Count,
    },
    /// Open loop at one rate after the other, until the endpoint refuses.
    Ladder {
        /// The rates in rising order, like "1/s".
        rates: Vec<Rate>,
        /// The length of the step at each rate.
        step: Duration,
        /// The spacing of probes. Default: "poisson".
        #[serde(default)]
        schedule: Schedule,
    },
}

/// A limit of an endpoint that probes can find.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// The most requests that are served at once.
    Slots,
    /// The most requests in a window of time.
    Quota,
}

/// The spacing of probes in an open loop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// Exponential gaps, as many independent users would cause.
    #[default]
    Poisson,
    /// Constant gaps, as load generators send.
    Fixed,
}

/// The longest waits for each part of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TimeoutSpec {
    /// The longest wait for a connection: name lookup, TCP, TLS. Default: 10s.
    pub connect: Duration,
    /// The longest wait for the first token of a stream, from when the probe was sent. Default: 60s.
    pub ttft: Duration,
    /// The longest wait for each further token. Default: 30s.
    pub idle: Duration,
    /// The longest duration of the whole answer. Default: 300s.
    pub total: Duration,
}

impl Default for TimeoutSpec {
    fn default() -> TimeoutSpec {
        TimeoutSpec {
            connect: seconds(10),
            ttft: seconds(60),
            idle: seconds(30),
            total: seconds(300),
        }
    }
}

fn seconds(n: u64) -> Duration {
    crate::kernel::time::Span::from_secs(n).into()
}

/// What is looked for where nothing else is said.
pub fn both() -> Vec<Limit> {
    vec![Limit::Slots, Limit::Quota]
}

/// The most probes at once that are tried where nothing else is said.
pub fn most_at_once() -> Count {
    const { Count::new(128).expect("not 0") }
}

/// The most refusals beyond a quota where nothing else is said.
pub fn most_refusals() -> Count {
    const { Count::new(300).expect("not 0") }
}

/// The window that is looked for where nothing else is said.
pub fn minute() -> Duration {
    seconds(60)
}

/// A law of a number of tokens, for which the number itself may stand where all are equal.
fn law<'de, D: Deserializer<'de>>(deserializer: D) -> Result<LawSpec<f64>, D::Error> {
    struct NumberOrLaw;

    impl<'de> Visitor<'de> for NumberOrLaw {
        type Value = LawSpec<f64>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a number, or an object with the name of a law and its parameters")
        }

        fn visit_u64<E>(self, n: u64) -> Result<LawSpec<f64>, E> {
            Ok(LawSpec::always(n as f64))
        }

        fn visit_i64<E>(self, n: i64) -> Result<LawSpec<f64>, E> {
            Ok(LawSpec::always(n as f64))
        }

        fn visit_f64<E>(self, x: f64) -> Result<LawSpec<f64>, E> {
            Ok(LawSpec::always(x))
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<LawSpec<f64>, A::Error> {
            LawSpec::deserialize(MapAccessDeserializer::new(map))
        }
    }

    deserializer.deserialize_any(NumberOrLaw)
}

fn some_law<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<LawSpec<f64>>, D::Error> {
    law(deserializer).map(Some)
}

fn law_schema(generator: &mut SchemaGenerator) -> Schema {
    let law = generator.subschema_for::<LawSpec<f64>>();
    json_schema!({ "anyOf": [{ "type": "number", "minimum": 0 }, law] })
}

fn ten_ms() -> Duration {
    crate::kernel::time::Span::from_millis(10).into()
}

fn yes() -> bool {
    true
}

fn one() -> f64 {
    1.0
}

fn authorization() -> String {
    "authorization".to_owned()
}
