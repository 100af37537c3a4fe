//! The experiment file, as a person writes it.
//!
//! Every field says its unit in its value ("35/s", "10m", "$0.42/Mtok"); unknown fields are refused. What it says is
//! checked and turned into scenarios by [`super::assemble`].

mod plan;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::client::admission::AdmissionSpec;
use crate::client::breaker::BreakerSpec;
use crate::client::budget::BudgetSpec;
use crate::client::hedge::HedgeSpec;
use crate::client::limiter::LimiterSpec;
use crate::client::retry::RetrySpec;
use crate::client::retry_budget::RetryBudgetSpec;
use crate::form::laws::LawSpec;
use crate::form::named::Named;
use crate::form::outcomes::OutcomeList;
use crate::form::patience::AttemptTimeout;
use crate::form::units::{Count, Duration, Fraction, Money};
use crate::provider::RetryAfter;
use crate::provider::cache::CacheSpec;
use crate::provider::faults::FaultSpec;
use crate::provider::limits::LimitSpec;
use crate::provider::load::LoadSpec;
use crate::provider::pricing::{HungUp, PriceSpec};
use crate::routing::PolicySpec;
use crate::traffic::arrivals::ArrivalsSpec;
use crate::traffic::users::UsersSpec;
use crate::words::Metric;

pub use plan::{ObjectiveSpec, PlanSpec, WindowSpec};

/// An experiment: traffic, providers, a client, policies to compare, objectives, and how to run it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// The file's JSON Schema, for editors; ignored.
    #[serde(rename = "$schema", default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// Its name, which names the folder of its report: letters, digits, `-`, `_` and `.`.
    #[schemars(length(max = 100), regex(pattern = r"^[A-Za-z0-9_-][A-Za-z0-9_.-]*$"))]
    pub name: String,
    /// What it is about, which figures are published and which assumed. Shown in the report.
    #[serde(default)]
    pub about: String,
    /// The currency that bills are in. Default: US dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<CurrencySpec>,
    /// Who asks, when, and for how much.
    pub traffic: TrafficSpec,
    /// The fleet, by name.
    #[schemars(extend("minProperties" = 1))]
    pub providers: Named<ProviderSpec>,
    /// Accounts whose quotas several providers share, by name.
    #[serde(default)]
    pub accounts: Named<AccountSpec>,
    /// Hosts whose connections several providers share, by name.
    #[serde(default)]
    pub hosts: Named<HostSpec>,
    /// What a caller wraps round a request. Default: nothing.
    #[serde(default)]
    pub client: ClientSpec,
    /// The policies to compare; the first is the baseline.
    #[schemars(length(min = 1))]
    pub policies: Vec<PolicyEntry>,
    /// The metric that the policies are ranked by. Default: no ranking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank_by: Option<Metric>,
    /// What must hold.
    #[serde(default)]
    pub objectives: Vec<ObjectiveSpec>,
    /// How to run it.
    pub plan: PlanSpec,
}

/// The currency that bills are in. Prices and amounts in the file stay in dollars, and are turned into it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CurrencySpec {
    /// Its code: three capital letters, like "CNY".
    #[schemars(regex(pattern = r"^[A-Z]{3}$"))]
    pub code: String,
    /// Units of it for one dollar.
    #[schemars(range(min = 0.000_001, max = 1_000_000))]
    pub per_dollar: f64,
}

/// Who asks, when, and for how much.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrafficSpec {
    /// When requests come.
    pub arrivals: ArrivalsSpec,
    /// What they are, by name.
    #[schemars(extend("minProperties" = 1, "maxProperties" = 1000))]
    pub classes: Named<ClassSpec>,
    /// Who asks: for policies and caches that know a user again. Default: every request is somebody else's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<UsersSpec>,
}

/// A kind of request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClassSpec {
    /// Its share of all requests; only proportions matter. May be left out if there is one class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub share: Option<f64>,
    /// Its priority in queues: lower goes first, 0 to 15. Default: 1.
    #[serde(default = "standard")]
    #[schemars(range(max = 15))]
    pub priority: u8,
    /// Input tokens. Left out with a replayed trace, which has its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<LawSpec<f64>>,
    /// Output tokens. Left out with a replayed trace, which has its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<LawSpec<f64>>,
    /// The `max_tokens` that the client sends: output is cut there, and quotas reserve that much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_output: Option<Count>,
    /// What the client says of such a request besides: `"plan": "free"`, `"region": "eu"`. For policies that go by it.
    #[serde(default)]
    pub tags: Named<String>,
    /// The most that one such request should cost, as the caller asks. For policies that go by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_budget: Option<Money>,
    /// How long one such request should take, as the caller asks. For policies that go by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_budget: Option<Duration>,
    /// The provider that the caller asks for by name, whatever a policy thinks. For policies that allow it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
}

fn standard() -> u8 {
    1
}

/// Quotas that several providers share: those of one account, organisation or region.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountSpec {
    /// The quotas.
    pub limits: Vec<LimitSpec>,
}

/// The client's connections to one host, which several providers share.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostSpec {
    /// The most at once. Default: no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<Count>,
    /// The most attempts that may wait for one; further ones are shed. Only beside `connections`. Default: no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

/// A provider: a model, and what this experiment changes about it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProviderSpec {
    /// A model by name (`models/NAME.json` beside the experiment or above it, else built in), or the path of a model
    /// file. Without one, `prices` and either `response` or `ttft` and `tps` must be given here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Which of the model's variants. Default: the one it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// The client's most connections to it at once. Default: no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<Count>,
    /// The most attempts that may wait for a connection; further ones are shed. Only beside `connections`. Default: no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The host whose connections it uses, instead of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The account whose quotas it shares, besides its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Time to first token, network not included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttft: Option<LawSpec<Duration>>,
    /// How fast it reads a prompt, in tokens per second: adds input that is not cached, divided by this, to every time to
    /// first token. Default: no time for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub prefill: Option<f64>,
    /// Decode speed in tokens per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tps: Option<LawSpec<f64>>,
    /// Network overhead of every answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Duration>,
    /// The whole answer's time, instead of `ttft` and `tps`: an endpoint that does not stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<LawSpec<Duration>>,
    /// What load does to it, applied in order; replaces the model's own. Default: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<Vec<LoadSpec>>,
    /// Its prompt cache. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_cache: Option<CacheSpec>,
    /// What it charges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prices: Option<PriceSpec>,
    /// Units of the experiment's currency that it takes for one dollar of its prices. Default: as many as a dollar costs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.000_001, max = 1_000_000))]
    pub billed_at: Option<f64>,
    /// What it bills when the caller hangs up on an answer. Default: `written`.
    #[serde(default)]
    pub hung_up: HungUp,
    /// Its quotas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Vec<LimitSpec>>,
    /// How it fails; replaces the model's own failures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub faults: Option<Vec<FaultSpec>>,
    /// The most input and output tokens together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_window: Option<Count>,
    /// How its 429s say when to come back. Default: `seconds`.
    #[serde(default)]
    pub retry_after: RetryAfter,
    /// Probability of a good answer, by class; adds to the model's own.
    #[serde(default)]
    pub quality: Named<Fraction>,
}

/// What a caller wraps round a request.
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
    /// counts of calls under way of its own, of which the others know nothing; whatever else is said here is of all of them
    /// together. Reports add up how often their breakers opened, take the mean of how long, and count a milestone as passed when
    /// every one has passed it. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub gateways: Option<u16>,
    /// How long to wait for what.
    #[serde(default)]
    pub timeouts: TimeoutsSpec,
    /// What to do after a failed attempt. Default: `never`.
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
    /// Whose failure the caller is told of when every group has failed. Default: `last`.
    #[serde(default)]
    pub tells: Tells,
}

/// Providers that are tried together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupSpec {
    /// Which.
    #[schemars(length(min = 1))]
    pub providers: Vec<String>,
    /// Which failures of an earlier group bring a request here. Default: whatever another try may mend, nobody to send it to,
    /// and no connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<OutcomeList>,
}

/// Whose failure a caller is told of when every group has failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tells {
    /// The first group's (Bifrost).
    First,
    /// The last group's.
    #[default]
    Last,
}

fn five() -> u8 {
    5
}

/// How long to wait for what, always longer than nothing. Each default: for ever.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimeoutsSpec {
    /// For a free connection, where some provider bounds its `connections`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<Duration>,
    /// For an answer to the attempt to connect. Only a provider that cannot be reached lets it pass: `connection` is for the
    /// wait in the client's own pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect: Option<Duration>,
    /// For the first token of an attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttft: Option<Duration>,
    /// For each further token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<Duration>,
    /// For one attempt: a duration, or an object for one that grows with what is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<AttemptTimeout>,
    /// For the whole request, from its arrival, waits and retries included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Duration>,
}

/// A policy to compare.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyEntry {
    /// Its name in tables.
    pub name: String,
    /// The policy.
    pub policy: PolicySpec,
    /// A client of its own, instead of the experiment's: to compare breakers, limiters or retries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientSpec>,
}
