//! Everything to one provider.
//!
//! The baseline of every comparison. With its breaker open, requests fail: there is nowhere else.
//!
//! Keeps nothing.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `provider` | required | a provider |
//!
//! Source: every comparison with "before"; Portkey's `strategy: single`.
//!
//! Known faults: one outage hits every request; retries go where the last attempt failed.
//!
//! ```json
//! { "single": { "provider": "premium" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildPolicy, Call, Fleet, Policy, Wants};
use crate::form::build::{Built, Names};

/// One provider for everything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Single {
    /// The name of the provider.
    pub provider: String,
}

impl BuildPolicy for Single {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        let provider = names.provider(&self.provider).map_err(|r| r.at("provider"))?;
        Ok(Box::new(Running { provider }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    provider: usize,
}

impl Policy for Running {
    #[inline]
    fn choose(&mut self, _call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        fleet.is_open_to_calls(self.provider).then_some(self.provider)
    }

    fn wants(&self) -> Wants {
        Wants::NOTHING
    }

    fn fresh(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;

    #[test]
    fn it_has_one_answer_or_none() {
        let mut policy = policy(r#"{"single": {"provider": "b"}}"#);
        assert_eq!(counts(&mut *policy, &hosts(&[]), 0, 10), [0, 10, 0, 0]);
        assert_eq!(counts(&mut *policy, &hosts(&[1]), 0, 10), [0, 0, 0, 10]);
    }

    #[test]
    fn an_unknown_provider_is_refused_with_the_names_there_are() {
        let refusal = build(r#"{"single": {"provider": "d"}}"#).err().unwrap();
        assert_eq!(refusal.allowed, ["a", "b", "c"]);
    }
}
