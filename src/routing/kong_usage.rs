//! The lowest usage so far: Kong's `lowest-usage`.
//!
//! Adds up what each provider has used, as `tokens_count_strategy` says, when an answer has come, and takes the lowest
//! sum, the first of equals. A retry does not go where the last attempt failed. What is billed of a failure counts too.
//!
//! Keeps one sum a provider: since the start, for no window is documented, or in each `window` of the clock.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `tokens_count_strategy` | `total_tokens` | `total_tokens`, `prompt_tokens`, `completion_tokens`, `cost` |
//! | `window` | none | above 0 |
//!
//! Source: Kong `ai-proxy-advanced`, `balancer.algorithm` `lowest-usage`, as documented for 3.8 to 3.13 (`cost` since
//! 3.10). The plug-in's source is closed: how long it counts, that equals go to the first, and that weights play no
//! part are readings of a page that does not say. Known faults: calls under way are not seen, so a burst herds onto
//! one; a provider that comes back after an outage gets everything until its sum has caught up, unless there is a
//! `window`; one that fails uses nothing and draws everything. Left out: `llm-accuracy`.
//!
//! ```json
//! { "kong_usage": { "tokens_count_strategy": "cost", "window": "1h" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildPolicy, Call, Fleet, Members, Policy, lowest, taking_part};
use crate::form::build::{Built, Names, Refusal};
use crate::form::units::Duration;
use crate::kernel::time::{Span, Time};
use crate::words::{Ended, Unit};

/// The lowest usage so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KongUsage {
    /// The providers that take part; of equals the first here wins. Default: every provider, in the experiment's order.
    pub providers: Members,
    /// The usage that is counted. Default: `total_tokens`.
    pub tokens_count_strategy: TokensCount,
    /// The window after which all counts begin anew. Default: none, for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<Duration>,
}

/// The usage that Kong counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokensCount {
    /// The input and output tokens.
    #[default]
    TotalTokens,
    /// The input tokens alone.
    PromptTokens,
    /// The output tokens alone.
    CompletionTokens,
    /// The money that is billed.
    Cost,
}

impl BuildPolicy for KongUsage {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        if self.window.is_some_and(|w| w.span() == Span::ZERO) {
            return Err(Refusal::new("0s: must be longer than nothing").at("window"));
        }
        Ok(Box::new(Running {
            order: taking_part(&self.providers, names)?,
            counts: self.tokens_count_strategy,
            window: self.window.map_or(Span::FOREVER, Duration::span),
            turn: 0,
            used: vec![0; names.providers.len()],
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    order: Vec<usize>,
    counts: TokensCount,
    window: Span,
    /// The number of the current window.
    turn: u64,
    used: Vec<u64>,
}

impl Running {
    #[inline]
    fn turn(&mut self, now: Time) {
        let turn = now.nanos() / self.window.nanos();
        if turn != self.turn {
            self.turn = turn;
            self.used.fill(0);
        }
    }
}

impl Policy for Running {
    #[inline]
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        self.turn(fleet.now());
        let used = |p: usize| {
            fleet.tell(p, || ("used so far", Unit::Number, self.used[p] as f64));
            fleet.is_open_to_calls(p).then(|| self.used[p])
        };
        lowest(&self.order, |p| used(p).filter(|_| call.last != Some(p))).or_else(|| lowest(&self.order, used))
    }

    #[inline]
    fn learn(&mut self, ended: &Ended) {
        self.turn(ended.now);
        let (prompt, completion) = (u64::from(ended.usage.input), u64::from(ended.usage.output));
        self.used[ended.provider] += match self.counts {
            TokensCount::TotalTokens => prompt + completion,
            TokensCount::PromptTokens => prompt,
            TokensCount::CompletionTokens => completion,
            TokensCount::Cost => ended.cost,
        };
    }

    fn fresh(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use crate::words::Outcome;

    /// a: 10 in, 90 out, $5; b: 60, 20, $4; c: 30, 60, $9.
    fn next(parameters: &str, seconds: u64) -> Option<usize> {
        let mut policy = policy(&format!(r#"{{"kong_usage": {{{parameters}}}}}"#));
        for (p, input, output, cost) in [(0, 10, 90, 5), (1, 60, 20, 4), (2, 30, 60, 9)] {
            let mut ended = Ended::new(Time::ZERO, p, Outcome::Success);
            (ended.usage.input, ended.usage.output, ended.cost) = (input, output, cost);
            policy.learn(&ended);
        }
        choose_at(&mut *policy, &hosts(&[]), Time::ZERO + Span::from_secs(seconds))
    }

    #[test]
    fn what_is_counted_decides() {
        assert_eq!(next("", 0), Some(1), "100, 80, 90");
        assert_eq!(next(r#""tokens_count_strategy": "prompt_tokens""#, 0), Some(0));
        assert_eq!(next(r#""tokens_count_strategy": "completion_tokens""#, 0), Some(1));
        assert_eq!(next(r#""tokens_count_strategy": "cost""#, 0), Some(1));
    }

    #[test]
    fn sums_are_for_ever_unless_there_is_a_window() {
        assert_eq!(next("", 1_000_000), Some(1));
        assert_eq!(next(r#""window": "1h""#, 3599), Some(1));
        assert_eq!(next(r#""window": "1h""#, 3600), Some(0), "all begin anew");
    }

    #[test]
    fn a_retry_goes_elsewhere_if_there_is_an_elsewhere() {
        let mut policy = policy(r#""kong_usage""#);
        let mut retry = |closed: &[usize]| {
            let call = Call {
                last: Some(0),
                ..call(0, 0)
            };
            policy.choose(&call, &Fleet::new(&hosts(closed), None, Time::ZERO))
        };
        assert_eq!(retry(&[]), Some(1));
        assert_eq!(retry(&[1, 2]), Some(0));
        assert_eq!(retry(&[0, 1, 2]), None);
    }
}
