//! The plan of a calibration run, as a person writes it: whom to ask, how much at a time, how often, and for how much money.
//!
//! The same in JSON (`simcap calibrate PLAN.json`, several targets side by side) and from the command line's arguments.
//! Keys are named by their environment variable and never stand in it. [`super::plan`] checks it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::prompts::{Language, Prefix};
use crate::form::laws::LawSpec;
use crate::form::named::Named;
use crate::form::units::{Count, Duration, Money, Rate};
use crate::provider::pricing::PerToken;

/// A calibration run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanSpec {
    /// The file's JSON Schema, for editors; ignored.
    #[serde(rename = "$schema", default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// Its name, which names the folder of its results: letters, digits, `-`, `_` and `.`.
    #[schemars(length(max = 100), regex(pattern = r"^[A-Za-z0-9_-][A-Za-z0-9_.-]*$"))]
    pub name: String,
    /// The endpoints, by name. All get the same probes at the same times.
    #[schemars(extend("minProperties" = 1))]
    pub targets: Named<TargetSpec>,
    /// What is asked, by class.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub classes: Named<ClassSpec>,
    /// In place of `classes`: the experiment file, beside this one, whose classes and token lengths are asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment: Option<String>,
    /// How probes come, for each target.
    pub load: LoadSpec,
    /// How many probes, for each target, beyond those that warm up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<Count>,
    /// For how long probes are sent, warm-up not included. Beside `requests`: whichever ends first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Duration>,
    /// The first probes of each target, of which no model is made. Default: 0.
    #[serde(default)]
    pub warmup: u32,
    /// Whether answers are streamed; without, there is no time to first token. Default: true.
    #[serde(default = "yes")]
    pub stream: bool,
    /// Whether prompts share their beginning. Default: "unique".
    #[serde(default)]
    pub prefix: Prefix,
    /// The prompts' language. Default: "en".
    #[serde(default)]
    pub language: Language,
    /// How long to wait.
    #[serde(default)]
    pub timeouts: TimeoutSpec,
    /// The most that the run may cost, over all targets.
    pub max_cost: Money,
    /// The 95th percentile of the probe's own delay above which the run measured the probe. Default: 10ms.
    #[serde(default = "ten_ms")]
    pub dispatch_bound: Duration,
    /// The seed of schedule and lengths. Default: 0.
    #[serde(default)]
    pub seed: u64,
}

/// An endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetSpec {
    /// Where it is, up to `/chat/completions`: `https://api.example.com/v1`.
    pub base_url: String,
    /// The model to ask for.
    pub model: String,
    /// The environment variable that holds the API key. Default: no key is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key_env: Option<String>,
    /// The header that the key goes into; in `authorization` after "Bearer". Default: "authorization"; Azure's is "api-key".
    #[serde(default = "authorization")]
    pub key_header: String,
    /// A file of certificates (PEM) to trust in place of the public ones, for an endpoint behind a company's own. A plan's lies
    /// beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
    /// What it costs. Default: as the price table that is built in lists the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prices: Option<PerToken>,
    /// The field that bounds the output. Default: "max_tokens".
    #[serde(default)]
    pub max_tokens_field: MaxTokensField,
    /// Further fields of the request's body: {"temperature": 0}.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub extra_body: Map<String, Value>,
}

/// The field of the body that bounds the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MaxTokensField {
    /// As most endpoints have it.
    #[default]
    MaxTokens,
    /// As OpenAI's reasoning models ask for it.
    MaxCompletionTokens,
}

/// A kind of probe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClassSpec {
    /// Its share of all probes; only proportions matter. Default: 1.
    #[serde(default = "one")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub share: f64,
    /// Input tokens, about (a word is taken for a token).
    pub input: LawSpec<f64>,
    /// Output tokens, at most: the `max_tokens` that is sent.
    pub output: LawSpec<f64>,
}

/// How probes come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum LoadSpec {
    /// By the clock, whatever became of those before: latency counts from the time that a probe was due.
    Open {
        /// How many in a time.
        rate: Rate,
        /// How they are spread. Default: "poisson".
        #[serde(default)]
        schedule: Schedule,
    },
    /// So many at once, each as soon as the one before it has ended.
    Closed {
        /// How many at once, at most 1000.
        concurrency: Count,
    },
    /// By the clock, at one rate after the other, until the endpoint refuses.
    Ladder {
        /// The rates, rising.
        rates: Vec<Rate>,
        /// How long each lasts.
        step: Duration,
        /// How probes are spread. Default: "poisson".
        #[serde(default)]
        schedule: Schedule,
    },
}

/// How probes are spread over time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// As many independent users would come.
    #[default]
    Poisson,
    /// At even distances.
    Fixed,
}

/// How long to wait for what.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TimeoutSpec {
    /// For a connection: name, TCP, TLS. Default: 10s.
    pub connect: Duration,
    /// For the first token of a stream, from when the probe was sent. Default: 60s.
    pub ttft: Duration,
    /// For each further token. Default: 30s.
    pub idle: Duration,
    /// For the whole answer. Default: 300s.
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
