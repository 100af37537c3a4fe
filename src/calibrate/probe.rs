//! The records of live probes: one JSON object a line, in a file that is only ever appended to.
//!
//! The first line describes the run ([`Line::Run`]). Each probe has two: one before it is sent, with its worst-case
//! cost, so that a crash forgets no money, and one when it has ended. All times are integer microseconds: `due` counts
//! from the run's start, everything else from when the request was sent. Nothing here can hold a key.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::provider::pricing::PerToken;
use crate::words::Outcome;

/// The format that the first line names.
pub const FORMAT: &str = "simcap.probes/1";

/// A line of `probes.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Line {
    /// The description of the run. A resumed run adds another.
    Run(Run),
    /// A probe that is about to be sent.
    Sending(Sending),
    /// A probe that has ended.
    Probe(Box<Probe>),
}

/// The description of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The format of the file, always `simcap.probes/1`.
    pub format: String,
    /// The version of simcap that made the run.
    pub version: String,
    /// When the run began, in microseconds since 1970 (UTC).
    pub unix_us: u64,
    /// The seed of the schedule and the prompts.
    pub seed: u64,
    /// SHA-256 of the plan; a run can only be resumed with the same plan.
    pub plan: String,
    /// The names of the targets.
    pub targets: Vec<String>,
    /// The prices of each target, by which the run counts costs. Absent in older files.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub prices: BTreeMap<String, PerToken>,
    /// The endpoint of each target: the model and the address that it was asked of. Absent in older files.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub endpoints: BTreeMap<String, String>,
}

/// A probe that is about to be sent. If it never ends, because its program was killed, it is taken to have cost this
/// much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sending {
    /// The number of the probe in the plan.
    pub id: u64,
    /// The most that it can cost by the plan's prices, in pico-dollars.
    pub worst_pd: u64,
}

/// A probe that has ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// The number of the probe in the plan, from 0.
    pub id: u64,
    /// The name of the target.
    pub target: String,
    /// The class of the probe.
    pub class: String,
    /// Whether it belongs to the warm-up, of which no model is made.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub warmup: bool,
    /// The step of load that it belongs to, from 0.
    #[serde(default)]
    pub step: u32,
    /// Whether a stream was requested.
    pub stream: bool,
    /// When the probe was due, in microseconds from the run's start.
    pub due_us: u64,
    /// Microseconds from when it was due until it was sent: the prober's own delay.
    pub dispatch_us: u64,
    /// Probes of this run to this target in flight when it was sent, itself included.
    pub in_flight: u32,
    /// Input tokens that the plan asked for.
    pub input_planned: u32,
    /// The `max_tokens` that was sent.
    pub max_output: u32,
    /// How the connection was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<Connection>,
    /// Microseconds to the last byte of the response's head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers_us: Option<u64>,
    /// Microseconds to the first byte of the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_byte_us: Option<u64>,
    /// Microseconds to the first reasoning token, if there was reasoning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_reasoning_us: Option<u64>,
    /// Microseconds to the first content token; a role or an empty piece does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_content_us: Option<u64>,
    /// Microseconds to the last token, reasoning or content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_token_us: Option<u64>,
    /// Microseconds to the end, whatever the outcome.
    pub end_us: u64,
    /// Times between chunks that carry tokens: pairs (lower edge of the bucket in microseconds, count); buckets are a
    /// thirty-second of their power of two wide.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<(u64, u32)>,
    /// The number of chunks that carried tokens; a chunk is not a token.
    #[serde(default)]
    pub chunks: u32,
    /// Tokens as the endpoint counted them; absent if it did not report them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// The outcome of the probe.
    pub outcome: Ending,
    /// The HTTP status, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The error in few words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The time after which a refusal allows a retry, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_us: Option<u64>,
    /// The quotas as the headers stated them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quotas: Option<Quotas>,
    /// The cost by the plan's prices, in pico-dollars.
    #[serde(default)]
    pub cost_pd: u64,
}

/// The outcome of a probe: an [`Outcome`] that a client can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Ending(pub Outcome);

impl Default for Ending {
    fn default() -> Ending {
        Ending(Outcome::Success)
    }
}

/// How a connection was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Connection {
    /// Whether an existing connection was reused: then the other figures are 0.
    pub reused: bool,
    /// Microseconds for the name lookup.
    pub dns_us: u64,
    /// Microseconds for the TCP handshake.
    pub tcp_us: u64,
    /// Microseconds for the TLS handshake.
    pub tls_us: u64,
}

/// Tokens as an endpoint counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// Input tokens: those of the prompt.
    pub input: u32,
    /// Input tokens read from the prompt cache.
    #[serde(default)]
    pub cached: u32,
    /// Output tokens: those of the answer, reasoning included.
    pub output: u32,
    /// Output tokens of reasoning.
    #[serde(default)]
    pub reasoning: u32,
}

/// What the headers of an answer say of quotas (`x-ratelimit-*`, `anthropic-ratelimit-*`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Quotas {
    /// The quota of requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<Quota>,
    /// The quota of tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Quota>,
    /// The quota of input tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<Quota>,
    /// The quota of output tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<Quota>,
}

/// The state of one quota, as headers state it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// The size of the quota.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// The remaining part of the quota.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining: Option<u64>,
    /// When the quota is whole again, in microseconds from the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset_us: Option<u64>,
}
