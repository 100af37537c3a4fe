//! Agent runs: loops of model calls and tools, each run a unit that succeeds or fails.
//!
//! Runs begin as `starts` says and have `calls` model calls. The first call's input is the `system` prompt with the tools' descriptions, and a
//! task of its class's input law. After each answer but the last its tools run side by side: the next call follows when the slowest of
//! `tools.side_by_side` is done (each takes `tools.latency`), and its input is what was said before (`history`) and the results, each of
//! `tools.result` tokens. A call that failed is sent again as `after_failure` says, or the run has failed.
//!
//! A run is a user of its own, for policies and prompt caches that remember users, and all its calls have one class. Calls are requests
//! like any other; of whole runs there are metrics of their own: `dialogue_time`, `dialogue_failures`, `turns_per_dialogue`,
//! `cost_per_dialogue`.
//!
//! Left out: agents that call other agents side by side (model calls of one run follow one another), and tools that fail.
//!
//! ```json
//! { "agents": { "starts": { "poisson": { "rate": "30/m" } }, "calls": { "mean": 8, "sd": 5 }, "system": 3000,
//!     "tools": { "side_by_side": { "mean": 1.5, "sd": 1 }, "latency": { "p50": "400ms", "p95": "3s" }, "result": { "p50": 300, "p95": 2000 } },
//!     "history": { "summary": { "above": 60000, "to": 4000 } }, "after_failure": { "share": 1, "after": "2s", "most": 2 } } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dialogue::{self, AsksAgain, Between, History, Parts, of_dialogues};
use super::{Arrivals, ArrivalsSpec, BuildArrivals};
use crate::form::build::{Built, Names, Refusal};
use crate::form::laws::LawSpec;
use crate::form::units::Duration;
use crate::traffic::rows::Rows;

/// Runs of agents: model calls with tools between them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Agents {
    /// When runs begin: a process that goes by the clock, such as `poisson` or `profile`.
    pub starts: Box<ArrivalsSpec>,
    /// How many model calls a run has, 1 to 1,024, if none fails for good.
    pub calls: LawSpec<f64>,
    /// The tools that run between two calls.
    pub tools: Tools,
    /// Input tokens of the system prompt and the descriptions of tools, which every call begins with. Default: 0.
    #[serde(default)]
    pub system: u32,
    /// What is sent again of what was said before: `"whole"`, `"none"`, `{ "window": TOKENS }` or
    /// `{ "summary": { "above": TOKENS, "to": TOKENS } }`. Default: the whole.
    #[serde(default)]
    pub history: History,
    /// Whether the agent sends a call again that failed. Default: the run has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_failure: Option<AsksAgain>,
}

/// The tools that a model call asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tools {
    /// How many tools run at once after a call, 1 to 64. Default: one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side_by_side: Option<LawSpec<f64>>,
    /// How long each tool takes.
    pub latency: LawSpec<Duration>,
    /// Tokens of each tool's result.
    pub result: LawSpec<f64>,
}

impl Tools {
    fn build(&self, names: &Names<'_>) -> Built<Between> {
        let one = LawSpec::always(1.0);
        let calls = self.side_by_side.as_ref().unwrap_or(&one);
        Ok(Between::Tools {
            calls: calls.tokens(names).map_err(|r: Refusal| r.at("side_by_side"))?,
            latency: self.latency.sampler(names).map_err(|r| r.at("latency"))?,
            result: self.result.tokens(names).map_err(|r| r.at("result"))?,
        })
    }
}

impl BuildArrivals for Agents {
    fn build(&self, _trace: Option<Rows>, names: &Names<'_>) -> Built<Box<dyn Arrivals>> {
        let again = self.after_failure.as_ref().map(|again| again.build(names));
        let parts = Parts {
            turns: dialogue::turns(&self.calls, "calls", names)?,
            between: self.tools.build(names).map_err(|r| r.at("tools"))?,
            system: self.system,
            history: self.history,
            patience: None,
            again: again.transpose().map_err(|r| r.at("after_failure"))?,
        };
        parts.over(dialogue::starts(&self.starts, names)?)
    }

    of_dialogues!(Agents, calls);
}
