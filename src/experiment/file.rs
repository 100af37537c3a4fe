//! The experiment file, as a person writes it.
//!
//! Every field says its unit in its value ("35/s", "10m", "$0.42/Mtok"); unknown fields are refused. What it says is
//! checked and turned into scenarios by [`super::assemble`].

mod layers;
mod plan;
mod quality;
mod traffic;
mod uncertain;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::client::admission::AdmissionSpec;
use crate::client::breaker::BreakerSpec;
use crate::client::budget::BudgetSpec;
use crate::client::gateway_time::GatewayTimeSpec;
use crate::client::hedge::HedgeSpec;
use crate::client::limiter::LimiterSpec;
use crate::client::response_cache::ResponseCacheSpec;
use crate::client::retry::RetrySpec;
use crate::client::retry_budget::RetryBudgetSpec;
use crate::form::laws::LawSpec;
use crate::form::named::Named;
use crate::form::outcomes::OutcomeList;
use crate::form::patience::AttemptTimeout;
use crate::form::units::{Count, Duration, Fraction};
use crate::provider::RetryAfter;
use crate::provider::cache::CacheSpec;
use crate::provider::faults::FaultSpec;
use crate::provider::limits::LimitSpec;
use crate::provider::load::LoadSpec;
use crate::provider::pricing::{HungUp, PriceSpec, bare};
use crate::routing::PolicySpec;
use crate::words::Metric;

pub use crate::client::fallback::Tells;
pub use layers::{ClientChanges, TimeoutsChanges};
pub use plan::{ObjectiveSpec, PlanSpec, WindowSpec};
pub use quality::{ObservedSpec, QualitySpec};
pub use traffic::{ClassSpec, Origin, StreamSpec, TrafficSpec};
pub use uncertain::UncertainSpec;

/// An experiment: traffic, providers, a client, policies to compare, objectives, and how to run it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// The file's JSON Schema, for editors; ignored.
    #[serde(rename = "$schema", default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// The version of the format that the file is written in: what its fields mean. Default: the present one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["simcap.experiment/2", "simcap.experiment/1", null]))]
    pub format: Option<String>,
    /// The name of the experiment, which names the folder of its report: letters, digits, `-`, `_` and `.`.
    #[schemars(length(max = 100), regex(pattern = r"^[A-Za-z0-9_-][A-Za-z0-9_.-]*$"))]
    pub name: String,
    /// What the experiment is about, which figures are published and which assumed. Shown in the report.
    #[serde(default)]
    pub about: String,
    /// The configuration of a gateway that `simcap import` made the experiment of; nothing hangs on it but what `simcap export` says.
    /// Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported: Option<Imported>,
    /// The currency that bills are in. Default: US dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<CurrencySpec>,
    /// The requests: when they arrive, of which classes and users, and how large they are.
    pub traffic: TrafficSpec,
    /// The providers of the fleet, by name.
    #[schemars(extend("minProperties" = 1))]
    pub providers: Named<ProviderSpec>,
    /// Accounts whose quotas several providers share, by name.
    #[serde(default)]
    pub accounts: Named<AccountSpec>,
    /// Hosts whose connections several providers share, by name.
    #[serde(default)]
    pub hosts: Named<HostSpec>,
    /// How far a request that is difficult for one model is difficult for the others, which policies that judge answers hang on.
    /// Default: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<QualitySpec>,
    /// The client that all requests pass: its queue, limits, timeouts, retries and breakers. A policy may change parts of it.
    /// Default: an unbounded queue and nothing else.
    #[serde(default)]
    pub client: ClientSpec,
    /// The policies to compare; the first is the baseline.
    #[schemars(length(min = 1))]
    pub policies: Vec<PolicyEntry>,
    /// The metric that the policies are ranked by. Default: no ranking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank_by: Option<Metric>,
    /// The objectives: bounds on metrics that must hold.
    #[serde(default)]
    pub objectives: Vec<ObjectiveSpec>,
    /// Inputs that are not known exactly, by path as `--set` takes it: `{ "traffic.rate": { "between": ["25/s", "45/s"] } }`. A run takes what
    /// the file has there, which must be one of the values that are possible; `simcap risk` carries all of them through. Default: all are known.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub uncertain: Named<UncertainSpec>,
    /// How the experiment is run and measured.
    pub plan: PlanSpec,
}

/// The configuration of a gateway that an experiment was made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Imported {
    /// The configuration's file, as it was named.
    pub from: String,
    /// The SHA-256 of the file's text, in hexadecimal digits.
    pub sha256: String,
    /// The providers whose prices neither the configuration nor a table says, so that an invented price stands for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unpriced: Vec<String>,
    /// The keys of the configuration that bound requests and that the experiment does not have. They are told beside its figures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_modelled: Vec<String>,
}

/// The currency that bills are in. Prices and amounts in the file stay in dollars, and are turned into it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CurrencySpec {
    /// The code of the currency: three capital letters, like "CNY".
    #[schemars(regex(pattern = r"^[A-Z]{3}$"))]
    pub code: String,
    /// Units of the currency for one US dollar.
    #[schemars(range(min = 0.000_001, max = 1_000_000))]
    pub per_dollar: f64,
}

/// Quotas that several providers share: those of one account, organisation or region.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountSpec {
    /// The quotas of the account.
    pub limits: Vec<LimitSpec>,
}

/// The client's connections to one host, which several providers share.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostSpec {
    /// The most connections at once. Default: no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<Count>,
    /// The most attempts that may wait for a connection to the host; further ones are shed. Only beside `connections`.
    /// Default: no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Whether the providers share the connections, or each has its own under the bounds of all together. Default: `shared`.
    #[serde(default, skip_serializing_if = "PoolsSpec::is_shared")]
    pub pools: PoolsSpec,
}

/// The pools of a host that several providers use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PoolsSpec {
    /// One pool: a free connection serves whichever provider is next in line.
    #[default]
    Shared,
    /// A pool for each provider, with connections that stay its own when they are idle, and lines of its own: Envoy's HTTP/1 pools under
    /// the `max_connections` and `max_pending_requests` of their cluster.
    Each,
}

impl PoolsSpec {
    fn is_shared(&self) -> bool {
        *self == PoolsSpec::Shared
    }
}

/// A provider: a model, and what this experiment changes about it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProviderSpec {
    /// A model by name (`models/NAME.json` beside the experiment or above it, else built in), or the path of a model
    /// file. Without one, `prices` and either `response` or `ttft` and `tps` must be given here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The name of the model's variant. Default: the one that the model file names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// The most connections that the client has to the provider at once. Default: no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<Count>,
    /// The most attempts that may wait for a connection; further ones are shed. Only beside `connections`. Default: no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The host whose connections the provider uses, instead of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The account whose quotas the provider shares, besides its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Time to first token at the provider, network not included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttft: Option<LawSpec<Duration>>,
    /// Prefill speed in tokens per second: adds input that is not cached, divided by this, to every time to first
    /// token. Default: prefill takes no time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub prefill: Option<f64>,
    /// Decode speed in tokens per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tps: Option<LawSpec<f64>>,
    /// Network overhead of every answer and every refusal, on top of `ttft` or `response`. Default: the model's; without a model, none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Duration>,
    /// The whole answer's time at the provider, network not included, instead of `ttft` and `tps`: an endpoint that does not
    /// stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<LawSpec<Duration>>,
    /// What load does to the provider, applied in order; replaces the model's own. Default: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<Vec<LoadSpec>>,
    /// The prompt cache of the provider. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_cache: Option<CacheSpec>,
    /// The prices that the provider charges: a tariff, or prices by the token as `simcap models` prints them.
    #[serde(default, deserialize_with = "bare::read", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bare::schema")]
    pub prices: Option<PriceSpec>,
    /// Units of the experiment's currency that the provider takes for one dollar of its prices. Default: as many as a
    /// dollar costs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.000_001, max = 1_000_000))]
    pub billed_at: Option<f64>,
    /// What the provider bills when the caller hangs up on an answer. Default: `written`.
    #[serde(default)]
    pub hung_up: HungUp,
    /// The quotas of the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Vec<LimitSpec>>,
    /// The faults of the provider; replaces the model's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub faults: Option<Vec<FaultSpec>>,
    /// The most input and output tokens together that a request may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_window: Option<Count>,
    /// How the provider's 429s say when to come back. Default: `seconds`.
    #[serde(default)]
    pub retry_after: RetryAfter,
    /// Probability of a good answer, by class; adds to the model's own.
    #[serde(default)]
    pub quality: Named<Fraction>,
}

/// A client: what a caller or gateway wraps round a request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientSpec {
    /// How requests are let in. Default: an unbounded queue by priority.
    #[serde(default)]
    pub admission: AdmissionSpec,
    /// The client's own rate limits.
    #[serde(default)]
    pub limiters: Vec<LimiterSpec>,
    /// The most requests in flight, from when they are let in until they end. Default: no cap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_in_flight: Option<Count>,
    /// How many gateways run side by side. Each request comes to one of them by chance, and each has a policy, breakers and
    /// counts of calls under way of its own, of which the others know nothing, unless `sync` says otherwise; whatever else is said here is of all of them
    /// together. Reports add up how often their breakers opened, take the mean of how long, and count a milestone as passed when
    /// every one has passed it. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub gateways: Option<u16>,
    /// How often what policies know of load is brought up to date: calls under way and in line, and what they are told of calls and
    /// their ends. Between two refreshes, which come at multiples of this in the plan's time, they know what was true at the last one:
    /// metrics that are scraped, a cache that is read now and then. Breakers, limits and budgets know at once. Of several gateways
    /// each then sees the calls under way of all. Default: policies know at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh: Option<Duration>,
    /// How often several `gateways` tell one another their calls under way and what their policies learn from: counters in a shared
    /// store. What is its own, each knows at once. Only beside `gateways`, and not beside `refresh`. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sync: Option<Duration>,
    /// The time that the gateway itself takes of each request. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_time: Option<GatewayTimeSpec>,
    /// The gateway's response cache: answers given before, given again without asking a provider. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_cache: Option<ResponseCacheSpec>,
    /// How long the client waits, for each of the things that it may wait for.
    #[serde(default)]
    pub timeouts: TimeoutsSpec,
    /// The retry rule: what to do after a failed attempt. Default: `never`.
    #[serde(default)]
    pub retry: RetrySpec,
    /// How many retries all requests together may make; only beside a `retry`. Default: no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_budget: Option<RetryBudgetSpec>,
    /// When to send a second copy of a request that takes long; the first answer wins. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hedge: Option<HedgeSpec>,
    /// A circuit breaker for each provider. Default: `never`.
    #[serde(default)]
    pub breaker: BreakerSpec,
    /// Where a request goes when its providers have failed it. Default: nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<FallbackSpec>,
    /// What may be spent in a time, and what happens then. Default: no bound.
    #[serde(default)]
    pub budgets: Vec<BudgetSpec>,
    /// The longest input that is sent, in tokens: of a longer one the oldest part is left out (a sliding window over the
    /// conversation). Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_window: Option<Count>,
}

/// Groups of providers, tried one after the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FallbackSpec {
    /// The groups in order. Inside one the policy chooses and the retry rule decides, each time anew.
    #[schemars(length(min = 1, max = 32))]
    pub groups: Vec<GroupSpec>,
    /// The most times that one request falls back, at least 1. Default: 5 (LiteLLM's `max_fallbacks`).
    #[serde(default = "five")]
    #[schemars(range(min = 1))]
    pub most: u8,
    /// The group whose failure the caller is told of when every group has failed. Default: `last`.
    #[serde(default)]
    pub tells: Tells,
}

/// Providers that are tried together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupSpec {
    /// The names of the providers in the group.
    #[schemars(length(min = 1))]
    pub providers: Vec<String>,
    /// The failures of an earlier group that bring a request here. Default: all that another try may mend, no provider
    /// to send it to, and no connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<OutcomeList>,
}

fn five() -> u8 {
    5
}

/// The timeouts of a client, each above 0. Default of each: no timeout.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimeoutsSpec {
    /// The longest wait for a free connection, where some provider bounds its `connections`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<Duration>,
    /// The connect timeout: the longest wait for an answer to the attempt to connect. Only a provider that cannot be
    /// reached lets it pass: `connection` is for the wait in the client's own pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect: Option<Duration>,
    /// The longest wait for the first token of an attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttft: Option<Duration>,
    /// The idle timeout: the longest wait for each further token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<Duration>,
    /// The longest time that one attempt may take: a duration, or an object for one that grows with what is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<AttemptTimeout>,
    /// The longest time that the whole request may take, from its arrival, waits and retries included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Duration>,
}

/// A policy to compare.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyEntry {
    /// The name of the policy in tables.
    pub name: String,
    /// The policy, by its name or as an object with its parameters.
    pub policy: PolicySpec,
    /// What the policy changes about the experiment's client: to compare breakers, limiters or retries. What is left out is
    /// inherited, and `null` switches a part off. Default: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientChanges>,
}
