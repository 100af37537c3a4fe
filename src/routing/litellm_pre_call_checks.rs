//! LiteLLM's pre-call check of the context window: only deployments that can read the whole prompt, and a strategy among them.
//!
//! Out is every deployment whose maximum of input tokens is below the input of the call; `policy` chooses among the others. If
//! none is left the call fails at once, without an attempt. `mended`: the `max_tokens` of the call count as well, as they do for the provider.
//! Keeps nothing itself.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `max_input_tokens` | the provider's context window | 1 or more, by provider |
//! | `policy` | `simple_shuffle` | a policy |
//! | `mended` | false | |
//!
//! Source: LiteLLM, `router.py`, `_pre_call_checks` (007bd43), which runs with `enable_pre_call_checks`. Left out: its checks of the
//! region, of unsupported parameters, and of `rpm`.
//!
//! Known faults: as published the prompt alone is counted, so that a call goes to a deployment where prompt and answer together do
//! not fit, which answers 400.
//!
//! ```json
//! { "litellm_pre_call_checks": { "max_input_tokens": { "small": "8k" }, "policy": "least_busy" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::branches::{Filter, Filtered, Wrap, inside};
use super::{BuildPolicy, Call, Fleet, Members, Policy, PolicySpec, SimpleShuffle, taking_part};
use crate::form::build::{Built, Names};
use crate::form::named::Named;
use crate::form::units::Count;

/// Only deployments that can read the whole prompt take part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LitellmPreCallChecks {
    /// The providers that take part. Default: every provider.
    pub providers: Members,
    /// The most input tokens of deployments. Default: what each provider takes.
    pub max_input_tokens: Named<Count>,
    /// The strategy among those left. Default: `simple_shuffle`.
    pub policy: Box<PolicySpec>,
    /// Whether the tokens that the answer may have count too. Default: false, as published.
    pub mended: bool,
}

impl Default for LitellmPreCallChecks {
    fn default() -> Self {
        LitellmPreCallChecks {
            providers: Members::default(),
            max_input_tokens: Named::default(),
            policy: Box::new(SimpleShuffle::default().into()),
            mended: false,
        }
    }
}

impl BuildPolicy for LitellmPreCallChecks {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        let order = taking_part(&self.providers, names)?;
        let mut most: Vec<u64> = (0..names.providers.len())
            .map(|p| names.known.get(p).map_or(u64::MAX, |known| known.context_window))
            .collect();
        for (name, tokens) in self.max_input_tokens.iter() {
            most[names.provider(name).map_err(|r| r.at(name).at("max_input_tokens"))?] = tokens.get();
        }
        let inner = inside(&self.policy, names).map_err(|r| r.at("policy"))?;
        let windows = Windows {
            order,
            most,
            mended: self.mended,
        };
        Ok(Filtered::new(windows, inner, names).wrapped())
    }
}

#[derive(Clone, Debug)]
struct Windows {
    order: Vec<usize>,
    most: Vec<u64>,
    mended: bool,
}

impl Filter for Windows {
    fn filter(&self, call: &Call, fleet: &Fleet<'_>, left: &mut [bool]) {
        let output = call.max_output.filter(|_| self.mended).unwrap_or(0);
        let tokens = u64::from(call.input) + u64::from(output);
        for &p in &self.order {
            left[p] = fleet.is_open_to_calls(p) && tokens <= self.most[p];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::super::{Call, Fleet};
    use crate::form::build::Known;
    use crate::kernel::time::Time;

    /// a reads 100 tokens, b 200 and c 1,000.
    fn goes(more: &str, input: u32, max_output: Option<u32>, closed: &[usize]) -> Option<usize> {
        let known = [100, 200, 300].map(|context_window| Known {
            context_window,
            ..Known::default()
        });
        let json = format!(
            r#"{{"litellm_pre_call_checks": {{"policy": "chain", "max_input_tokens": {{"c": 1000}} {more}}}}}"#
        );
        let mut policy = build_asking(&json, &known, &[]).unwrap();
        let call = Call {
            input,
            max_output,
            ..call(0, 0)
        };
        policy.choose(&call, &Fleet::new(&hosts(closed), None, Time::ZERO))
    }

    #[test]
    fn whoever_cannot_read_the_prompt_is_out() {
        assert_eq!(goes("", 100, None, &[]), Some(0));
        assert_eq!(goes("", 101, None, &[]), Some(1));
        assert_eq!(goes("", 101, None, &[1]), Some(2));
        assert_eq!(goes("", 1000, None, &[]), Some(2));
        assert_eq!(goes("", 1001, None, &[]), None);
        assert_eq!(goes(r#", "providers": ["a", "b"]"#, 201, None, &[]), None);
    }

    #[test]
    fn the_answer_counts_only_when_mended() {
        assert_eq!(goes("", 100, Some(900), &[]), Some(0));
        assert_eq!(goes(r#", "mended": true"#, 100, Some(900), &[]), Some(2));
        assert_eq!(goes(r#", "mended": true"#, 100, Some(901), &[]), None);
    }

    /// A filter inside a filter: the inner one leaves out whom the outer one does.
    #[test]
    fn filters_add_up() {
        let json = r#"{"litellm_pre_call_checks": {"max_input_tokens": {"a": 100},
            "policy": {"litellm_pre_call_checks": {"max_input_tokens": {"b": 100}, "policy": "chain"}}}}"#;
        let mut policy = build_asking(json, &[], &[]).unwrap();
        let mut goes = |input| {
            let call = Call { input, ..call(0, 0) };
            policy.choose(&call, &Fleet::new(&hosts(&[]), None, Time::ZERO))
        };
        assert_eq!([goes(100), goes(101)], [Some(0), Some(2)]);
    }
}
