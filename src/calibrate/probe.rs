//! What a live probe writes down: one JSON object a line, in a file that is only ever appended to.
//!
//! The first line says what the run is ([`Line::Run`]). Each probe has two: one before it is sent, with what it may cost, so that
//! a crash forgets no money, and one when it has ended. All times are integer microseconds: `due` counts from the run's
//! start, everything else from when the request was sent. Nothing here can hold a key.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::provider::pricing::PerToken;
use crate::words::Outcome;

/// What the first line names as its format.
pub const FORMAT: &str = "simcap.probes/1";

/// A line of `probes.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Line {
    /// What the run is. A resumed run adds another.
    Run(Run),
    /// A probe that is about to be sent.
    Sending(Sending),
    /// One finished probe.
    Probe(Box<Probe>),
}

/// What a run is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// [`FORMAT`].
    pub format: String,
    /// The version of simcap that made it.
    pub version: String,
    /// When it began, in microseconds since 1970 (UTC).
    pub unix_us: u64,
    /// The seed of its schedule and prompts.
    pub seed: u64,
    /// SHA-256 of the plan, so that only the same plan goes on with it.
    pub plan: String,
    /// The targets' names.
    pub targets: Vec<String>,
    /// What each target costs, as the run counts it. Older files do not say.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub prices: BTreeMap<String, PerToken>,
}

/// A probe that is about to be sent. One that never ends, because whoever sent it was killed, is taken to have cost this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sending {
    /// Its number in the plan.
    pub id: u64,
    /// The most that it can cost by the plan's prices, in pico-dollars.
    pub worst_pd: u64,
}

/// One finished probe.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// Its number in the plan, from 0.
    pub id: u64,
    /// The target's name.
    pub target: String,
    /// Its class.
    pub class: String,
    /// Whether it only warms up: no model is made of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub warmup: bool,
    /// The step of load that it belongs to, from 0.
    #[serde(default)]
    pub step: u32,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// When it was due, from the run's start.
    pub due_us: u64,
    /// From then until it was sent: the probe's own delay.
    pub dispatch_us: u64,
    /// Probes of this run to the same target in flight when it was sent, itself included.
    pub in_flight: u32,
    /// Input tokens that the plan asked for.
    pub input_planned: u32,
    /// The `max_tokens` that was sent.
    pub max_output: u32,
    /// How the connection came to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<Connection>,
    /// To the last byte of the response's head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers_us: Option<u64>,
    /// To the first byte of the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_byte_us: Option<u64>,
    /// To the first reasoning token, if there was reasoning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_reasoning_us: Option<u64>,
    /// To the first content token: neither a role nor an empty piece is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_content_us: Option<u64>,
    /// To the last token, reasoning or content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_token_us: Option<u64>,
    /// To the end, whatever it was.
    pub end_us: u64,
    /// Times between chunks that carry tokens: pairs (lower edge of the bucket in microseconds, count); buckets are a
    /// thirty-second of their power of two wide.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<(u64, u32)>,
    /// Chunks that carried tokens: a chunk is not a token.
    #[serde(default)]
    pub chunks: u32,
    /// Tokens as the endpoint counted them; nothing if it did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// How it ended.
    pub outcome: Ending,
    /// The HTTP status, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What went wrong, in few words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What a refusal said of when to come back, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_us: Option<u64>,
    /// What the headers said of quotas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quotas: Option<Quotas>,
    /// What it cost by the plan's prices, in pico-dollars.
    #[serde(default)]
    pub cost_pd: u64,
}

/// How a probe ended: an [`Outcome`] that a client can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Ending(pub Outcome);

impl Default for Ending {
    fn default() -> Ending {
        Ending(Outcome::Success)
    }
}

/// How a connection came to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Connection {
    /// Whether it was there already: then the other figures are 0.
    pub reused: bool,
    /// Looking up the name.
    pub dns_us: u64,
    /// TCP.
    pub tcp_us: u64,
    /// TLS.
    pub tls_us: u64,
}

/// Tokens as an endpoint counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// Of the prompt.
    pub input: u32,
    /// Of these, from the prompt cache.
    #[serde(default)]
    pub cached: u32,
    /// Of the answer, reasoning included.
    pub output: u32,
    /// Of these, reasoning.
    #[serde(default)]
    pub reasoning: u32,
}

/// What the headers of an answer say of quotas (`x-ratelimit-*`, `anthropic-ratelimit-*`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Quotas {
    /// Of requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<Quota>,
    /// Of tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Quota>,
    /// Of input tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<Quota>,
    /// Of output tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<Quota>,
}

/// What the headers say of one quota.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// How much it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// What is left of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining: Option<u64>,
    /// When it is whole again, in microseconds from the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset_us: Option<u64>,
}
