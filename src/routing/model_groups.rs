//! Named groups, as a gateway has them: what callers ask for, each with providers, a strategy and fallbacks of its own.
//!
//! A class of traffic asks for a name (its `asks`): a group, one of its aliases, or what a group whose name holds `*` covers, the
//! longest such name first. In the group its strategy chooses among the members, and the retry rule, the timeouts and the breaker
//! are the group's: those of the policy's client, with what `client` changes, and with what `targets` changes for one member. When
//! the retry rule has given up, `fallbacks` follow in order, each with its own tries, and with its own fallbacks before the next of
//! the list; a group that the request has been at is passed over. A breaker's counts are the group's own: a provider in two groups
//! has a breaker in each. What strategies learn of a provider they learn in every group.
//!
//! Keeps what its strategies keep, and the way of each request through the groups until it ends.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `groups` | required | 1 to 256, by name |
//! | `max_fallbacks` | 5 | 1 to 8 lists of fallbacks inside one another |
//! | `tells` | `first` | `first`, `last` |
//!
//! Each group has what follows.
//!
//! | of a group | default | range |
//! |---|---|---|
//! | `providers` | required | its members |
//! | `policy` | `simple_shuffle` | any policy, over the members |
//! | `aliases` | none | further names of the group |
//! | `fallbacks` | none | groups |
//! | `context_window_fallbacks`, `content_policy_fallbacks` | `fallbacks` | groups; `[]` for none |
//! | `on` | any failure | outcomes, at least one |
//! | `limiters`, `max_in_flight` | none | limits of the group besides the client's: one request too many is the gateway's own 429 |
//! | `retry_budget` | none | a bound on the group's retries, all requests together, besides the client's |
//! | `client`, `targets` | nothing changed | `retry`, `breaker`, `timeouts`; of the group as a whole `response_cache` |
//!
//! Sources: LiteLLM 1.109, `router.py` (`async_function_with_fallbacks`); Bifrost and Portkey for the settings of one target.
//!
//! Known faults: every group makes all of its own retries, so that they multiply along a chain of fallbacks; a group of one
//! provider has nowhere to go while that fails.
//!
//! ```json
//! { "model_groups": { "groups": {
//!     "chat": { "providers": ["azure-eu", "azure-us"], "policy": { "simple_shuffle": { "weights": { "azure-eu": 3, "azure-us": 1 } } },
//!               "aliases": ["gpt-4"], "fallbacks": ["code"] },
//!     "code": { "providers": ["claude"], "client": { "retry": { "fixed": { "tries": 2, "wait": "1s" } }, "timeouts": { "attempt": "20s" } } } } } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::branches::{Branches, Wrap, inside};
use super::{BuildPolicy, Call, Fleet, Policy, PolicySpec, SimpleShuffle};
use crate::client::fallback::Tells;
use crate::client::groups::GroupChanges;
use crate::client::limiter::LimiterSpec;
use crate::client::retry_budget::RetryBudgetSpec;
use crate::form::build::{Built, Names, Refusal};
use crate::form::named::Named;
use crate::form::outcomes::OutcomeList;
use crate::form::units::Count;

/// Named groups of providers, of which each class of traffic asks for one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelGroups {
    /// The groups, by the names that callers ask for; `*` in a name stands for any text.
    #[schemars(extend("minProperties" = 1, "maxProperties" = 256))]
    pub groups: Named<ModelGroup>,
    /// The most lists of fallbacks inside one another, 1 to 8. Default: 5.
    #[serde(default = "five")]
    #[schemars(range(min = 1, max = 8))]
    pub max_fallbacks: u8,
    /// The group whose failure the caller is told of when every group has failed. Default: `first`.
    #[serde(default = "first")]
    pub tells: Tells,
}

/// A named group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelGroup {
    /// The members of the group.
    #[schemars(length(min = 1))]
    pub providers: Vec<String>,
    /// The strategy, which chooses among the members. Default: `simple_shuffle`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Box<PolicySpec>>,
    /// Further names that callers may ask for. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// The groups to which a request goes that this one has failed, in order. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fallbacks: Vec<String>,
    /// The groups that follow a prompt that is too long, in order. Default: `fallbacks`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_window_fallbacks: Option<Vec<String>>,
    /// The groups that follow an answer that the content filter refused, in order. Default: `fallbacks`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_policy_fallbacks: Option<Vec<String>>,
    /// The failures after which a fallback follows. Default: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<OutcomeList>,
    /// The rate limits of the group, besides the client's. A request that may not pass when it comes is answered with the gateway's own
    /// 429. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limiters: Vec<LimiterSpec>,
    /// The most requests at the group at once, back-off included; one more is answered with the gateway's own 429. Default: no cap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_in_flight: Option<Count>,
    /// How many retries at the group all requests together may make, besides what the client's own budget allows. Default: no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_budget: Option<RetryBudgetSpec>,
    /// What the group changes about the policy's client. Default: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<GroupChanges>,
    /// What holds for single members instead of what the group says, by provider. Default: nothing.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub targets: Named<GroupChanges>,
}

fn five() -> u8 {
    5
}

fn first() -> Tells {
    Tells::First
}

impl BuildPolicy for ModelGroups {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        if !names.names_groups {
            let text =
                "named groups have clients of their own, so they are a policy by themselves and stand in no other";
            return Err(Refusal::new(text));
        }
        let mut branches = Vec::new();
        for (name, group) in self.groups.iter() {
            let here = |r: Refusal| r.at(name).at("groups");
            let members = names
                .each_provider(&group.providers)
                .map_err(|r| here(r.at("providers")))?;
            let inner = Names {
                members: Some(&members),
                groups: std::slice::from_ref(&members),
                names_groups: false,
                ..*names
            };
            let policy = match &group.policy {
                None => SimpleShuffle::default().build(&inner),
                Some(policy) => inside(policy, &inner).map_err(|r| r.at("policy")),
            };
            branches.push(policy.map_err(here)?);
        }
        Ok(Running {
            strategies: Branches::new(branches),
        }
        .wrapped())
    }
}

#[derive(Debug)]
struct Running {
    strategies: Branches,
}

impl Wrap for Running {
    fn inside(&self) -> &Branches {
        &self.strategies
    }

    fn inside_mut(&mut self) -> &mut Branches {
        &mut self.strategies
    }

    fn handler(&mut self, call: &Call) -> Option<usize> {
        Some(call.group)
    }

    #[inline]
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        self.strategies.choose(call.group, call, fleet)
    }

    fn fresh(&self) -> Self {
        Running {
            strategies: self.strategies.fresh(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::form::build::Names;
    use crate::routing::PolicySpec;

    fn groups(json: &str) -> String {
        format!(r#"{{"model_groups": {{"groups": {{{json}}}}}}}"#)
    }

    #[test]
    fn each_group_chooses_among_its_members() {
        let providers = ["a", "b", "c"].map(str::to_owned);
        let spec: PolicySpec = serde_json::from_str(&groups(
            r#""x": {"providers": ["c", "a"], "policy": "round_robin"}, "y": {"providers": ["b"]}"#,
        ))
        .unwrap();
        let names = Names {
            providers: &providers,
            names_groups: true,
            ..Names::default()
        };
        let mut policy = spec.as_dyn().build(&names).unwrap();
        let hosts = hosts(&[]);
        let fleet = super::Fleet::new(&hosts, None, crate::kernel::time::Time::ZERO);
        let mut chosen = |group| policy.choose(&super::Call { group, ..call(0, 0) }, &fleet);
        assert_eq!([0, 0, 0, 1].map(&mut chosen), [Some(2), Some(0), Some(2), Some(1)]);
    }

    #[test]
    fn a_strategy_knows_the_members_alone() {
        let json = groups(r#""x": {"providers": ["c", "a"], "policy": {"single": {"provider": "b"}}}"#);
        let providers = ["a", "b", "c"].map(str::to_owned);
        let names = Names {
            providers: &providers,
            names_groups: true,
            ..Names::default()
        };
        let spec: PolicySpec = serde_json::from_str(&json).unwrap();
        let refusal = spec.as_dyn().build(&names).err().unwrap();
        assert_eq!(refusal.message, "there is no member of the group `b`");
        assert_eq!(refusal.allowed, ["c", "a"]);
    }

    #[test]
    fn groups_inside_another_policy_are_refused() {
        let inner = groups(r#""x": {"providers": ["a"]}"#);
        let refusal = build(&format!(r#"{{"tree": {{"fallback": {{"targets": [{inner}, "b"]}}}}}}"#))
            .err()
            .unwrap();
        assert!(refusal.message.contains("stand in no other"), "{}", refusal.message);
    }
}
