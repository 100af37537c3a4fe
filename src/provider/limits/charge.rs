//! What an attempt costs a quota: how much is reserved when it starts, and how the end corrects that.
//!
//! Providers differ here more than in their windows. OpenAI and Azure's standard deployments reserve input and
//! `max_tokens` and never correct it; Anthropic and Azure's provisioned deployments correct the reservation afterwards;
//! Envoy AI Gateway and LiteLLM's TPM check admit requests while usage is below the limit, and charge the real usage
//! when the answer is there, so that all requests then under way exceed it together. Azure's provisioned deployments weigh a token
//! of output as several of input (`output_weight`), and cached input as none.
//!
//! ```json
//! { "reserve": "max_tokens", "reconcile": true, "cached_weight": 0, "failed_requests": false }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Unit;
use crate::form::build::{Built, Refusal};
use crate::form::units::{Count, Fraction};
use crate::words::{Ask, Usage};

/// What an attempt costs a quota. A refused attempt costs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Charge {
    /// When the attempt is charged. Default: `start`.
    pub at: At,
    /// How much is charged at the start. Default: `max_tokens`.
    pub reserve: Reserve,
    /// Whether the end corrects what was reserved to what was used. Default: no.
    pub reconcile: bool,
    /// The weight of an input token, 0 to 1,000. Default: 1.
    pub input_weight: Weight,
    /// The weight of an output token, 0 to 1,000, where the quota counts output. Default: 1.
    pub output_weight: Weight,
    /// The weight of an input token that came from the prompt cache, as a share of `input_weight`, 0 to 1. Default: 1.
    pub cached_weight: Fraction,
    /// Whether an attempt that got no answer counts, with what was reserved for it. Default: yes.
    pub failed_requests: bool,
}

impl Default for Charge {
    fn default() -> Charge {
        Charge {
            at: At::Start,
            reserve: Reserve::MaxTokens,
            reconcile: false,
            input_weight: Weight::ONE,
            output_weight: Weight::ONE,
            cached_weight: Fraction::ONE,
            failed_requests: true,
        }
    }
}

/// The weight of a token in a quota: a number from 0 to 1,000, to the millionth.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Weight(#[schemars(range(min = 0, max = 1000))] f64);

impl Weight {
    /// A token counts as one.
    pub const ONE: Weight = Weight(1.0);

    fn millionths(self, field: &str) -> Built<u64> {
        if (0.0..=1000.0).contains(&self.0) {
            return Ok((self.0 * 1e6 + 0.5) as u64);
        }
        let text = format!("a weight of {}: must be 0 to 1000", self.0);
        Err(Refusal::new(text).at(field).at("charge"))
    }
}

/// The time at which an attempt is charged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum At {
    /// At its start, with what is reserved for it.
    #[default]
    Start,
    /// At its end, with what it used; an attempt may start while anything at all is left.
    End,
}

/// How many tokens are reserved for an attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reserve {
    /// The input plus `max_tokens`. Without `max_tokens` the provider is assumed to guess the output right.
    #[default]
    MaxTokens,
    /// The input only.
    Input,
    /// A fixed number of tokens, whatever its size.
    Estimate(Count),
}

impl Charge {
    /// Whether every field has its default.
    pub fn is_default(&self) -> bool {
        *self == Charge::default()
    }

    /// The checked way to count in `unit`, of which `limit` fit at once.
    pub(super) fn counting(&self, unit: Unit, limit: u64) -> Built<Counting> {
        if unit == Unit::Concurrent {
            return Err(Refusal::new(
                "requests at once are not a rate: give `concurrent` (of a provider) or `max_in_flight` (of a client) instead",
            )
            .at("unit"));
        }
        let here = |field: &str, text: String| Err(Refusal::new(text).at(field).at("charge"));
        if let Reserve::Estimate(estimate) = self.reserve {
            if unit == Unit::Requests {
                return here("reserve", "an estimate is of tokens; this limit counts requests".into());
            }
            if estimate.get() > limit {
                return here(
                    "reserve",
                    format!("an estimate of {estimate} never fits a limit of {limit}"),
                );
            }
        }
        if self.at == At::End {
            if self.reconcile {
                return here("reconcile", "what is charged at the end needs no correction".into());
            }
            if self.reserve != Reserve::MaxTokens {
                return here("reserve", "what is charged at the end is not reserved".into());
            }
        }
        let weighs = self.input_weight != Weight::ONE || self.output_weight != Weight::ONE;
        if unit == Unit::Requests && weighs {
            let field = if self.input_weight == Weight::ONE {
                "output_weight"
            } else {
                "input_weight"
            };
            return here(field, "a weight is of tokens; this limit counts requests".into());
        }
        let input = self.input_weight.millionths("input_weight")?;
        let output = self.output_weight.millionths("output_weight")?;
        if unit != Unit::Requests && input == 0 && output == 0 {
            return here("output_weight", "nothing counts: a weight must be above 0".into());
        }
        Ok(Counting {
            unit,
            at_end: self.at == At::End,
            reserve: self.reserve,
            reconcile: self.reconcile,
            input_millionths: input,
            // Of a millionth of a token, the nearest.
            cached_millionths: (self.cached_weight.get() * input as f64 + 0.5) as u64,
            output_millionths: output,
            failed_requests: self.failed_requests,
        })
    }
}

/// A checked [`Charge`] for one unit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counting {
    pub(super) unit: Unit,
    pub(super) at_end: bool,
    reserve: Reserve,
    reconcile: bool,
    input_millionths: u64,
    cached_millionths: u64,
    output_millionths: u64,
    failed_requests: bool,
}

impl Counting {
    /// Whether the end of an attempt changes anything.
    pub(super) fn listens(&self) -> bool {
        self.at_end || self.reconcile || !self.failed_requests
    }

    /// How much is reserved for `ask` when it starts.
    #[inline]
    pub(super) fn reserved(&self, ask: &Ask) -> u64 {
        let output = match self.reserve {
            Reserve::MaxTokens => ask.max_output.unwrap_or(ask.output),
            Reserve::Input => 0,
            Reserve::Estimate(estimate) => return estimate.get(),
        };
        self.amount(ask.input, ask.cached, output)
    }

    /// How much an attempt has cost when it has ended: what was reserved, or what was used.
    #[inline]
    pub(super) fn settled(&self, ask: &Ask, usage: &Usage) -> u64 {
        let answered = usage.input > 0 || usage.output > 0;
        if !answered && !self.failed_requests {
            0
        } else if self.at_end || (answered && self.reconcile) {
            self.amount(usage.input, usage.cached, usage.output)
        } else {
            self.reserved(ask)
        }
    }

    #[inline]
    fn amount(&self, input: u32, cached: u32, output: u32) -> u64 {
        // At most 2^32 tokens at a weight of 10^9 millionths each: 64 bits hold four such products.
        let cached = u64::from(cached.min(input));
        let input = (u64::from(input) - cached) * self.input_millionths + cached * self.cached_millionths;
        let output = u64::from(output) * self.output_millionths;
        match self.unit {
            Unit::Requests | Unit::Concurrent => 1,
            Unit::Tokens => (input + output) / 1_000_000,
            Unit::InputTokens => input / 1_000_000,
            Unit::OutputTokens => output / 1_000_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counting(unit: Unit, charge: &str) -> Counting {
        let charge: Charge = serde_json::from_str(charge).unwrap();
        charge.counting(unit, 1_000_000).unwrap()
    }

    const ASK: Ask = Ask {
        user: 0,
        id: 0,
        class: 0,
        priority: 1,
        input: 1000,
        output: 100,
        max_output: Some(400),
        cached: 600,
        tags: 0,
        resent: 0,
    };
    const USAGE: Usage = Usage {
        input: 1000,
        cached: 600,
        written: 0,
        output: 100,
    };

    /// For 1,000 tokens of input, 600 of them cached, 400 allowed and 100 written: what is reserved, and what is charged in the end
    /// if it is answered and if it is not.
    #[test]
    fn what_each_rule_reserves_and_settles() {
        use Unit::*;
        let rows = [
            (Requests, "{}", [1, 1, 1]),
            (Requests, r#"{"failed_requests": false}"#, [1, 1, 0]),
            (Tokens, "{}", [1400, 1400, 1400]),
            (Tokens, r#"{"reconcile": true}"#, [1400, 1100, 1400]),
            (
                Tokens,
                r#"{"reconcile": true, "failed_requests": false}"#,
                [1400, 1100, 0],
            ),
            (Tokens, r#"{"reserve": "input"}"#, [1000, 1000, 1000]),
            (
                Tokens,
                r#"{"reserve": "input", "cached_weight": "50%"}"#,
                [700, 700, 700],
            ),
            (Tokens, r#"{"reserve": {"estimate": 500}}"#, [500, 500, 500]),
            (
                Tokens,
                r#"{"reserve": {"estimate": 500}, "reconcile": true}"#,
                [500, 1100, 500],
            ),
            (
                InputTokens,
                r#"{"cached_weight": 0, "reconcile": true}"#,
                [400, 400, 400],
            ),
            (OutputTokens, r#"{"reconcile": true}"#, [400, 100, 400]),
            (OutputTokens, r#"{"reserve": "input", "reconcile": true}"#, [0, 100, 0]),
        ];
        for (unit, charge, expected) in rows {
            let counting = counting(unit, charge);
            let found = [
                counting.reserved(&ASK),
                counting.settled(&ASK, &USAGE),
                counting.settled(&ASK, &Usage::default()),
            ];
            assert_eq!(found, expected, "{unit:?} {charge}");
        }
    }

    /// Azure's example for gpt-4.1, where a token of output counts as four of input and cached input as nothing: 400 + 4 × 400
    /// when it starts, and 400 + 4 × 100 in the end.
    #[test]
    fn tokens_of_different_kinds_may_weigh_differently() {
        let ptu = counting(
            Unit::Tokens,
            r#"{"reconcile": true, "cached_weight": 0, "output_weight": 4}"#,
        );
        assert_eq!(
            [
                ptu.reserved(&ASK),
                ptu.settled(&ASK, &USAGE),
                ptu.settled(&ASK, &Usage::default())
            ],
            [2000, 800, 2000]
        );
        let half = counting(
            Unit::Tokens,
            r#"{"input_weight": 0.5, "cached_weight": "50%", "output_weight": 1.5}"#,
        );
        assert_eq!(half.reserved(&ASK), 200 + 150 + 600);
        let most = Ask {
            input: u32::MAX,
            max_output: Some(u32::MAX),
            cached: 0,
            ..ASK
        };
        let heavy = counting(Unit::Tokens, r#"{"input_weight": 1000, "output_weight": 1000}"#);
        assert_eq!(heavy.reserved(&most), 2000 * u64::from(u32::MAX));
        for (unit, charge, message) in [
            (
                Unit::Tokens,
                r#"{"output_weight": 1001}"#,
                "a weight of 1001: must be 0 to 1000",
            ),
            (
                Unit::Tokens,
                r#"{"input_weight": -1}"#,
                "a weight of -1: must be 0 to 1000",
            ),
            (
                Unit::Tokens,
                r#"{"input_weight": 0, "output_weight": 0}"#,
                "nothing counts: a weight must be above 0",
            ),
            (
                Unit::Requests,
                r#"{"output_weight": 4}"#,
                "a weight is of tokens; this limit counts requests",
            ),
        ] {
            let charge: Charge = serde_json::from_str(charge).unwrap();
            assert_eq!(charge.counting(unit, 1000).unwrap_err().message, message);
        }
    }

    #[test]
    fn at_the_end_the_usage_is_charged_whatever_was_allowed() {
        let tokens = counting(Unit::Tokens, r#"{"at": "end", "cached_weight": 0}"#);
        assert_eq!(tokens.settled(&ASK, &USAGE), 500);
        assert_eq!(tokens.settled(&ASK, &Usage::default()), 0);
        let requests = counting(Unit::Requests, r#"{"at": "end"}"#);
        assert_eq!(requests.settled(&ASK, &Usage::default()), 1);
    }
}
