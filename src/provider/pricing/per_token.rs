//! Priced by the token, input and output apart: how every public provider sells.
//!
//! ```json
//! { "per_token": { "input": "$3/Mtok", "output": "$15/Mtok", "cached_input": "$0.30/Mtok" } }
//! ```
//!
//! Without `cached_input`, input from the prompt cache costs as much as any.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildPrice, Price};
use crate::request::Usage;
use crate::spec::units::TokenPrice;

/// Prices by the token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PerToken {
    /// For each input token.
    pub input: TokenPrice,
    /// For each output token.
    pub output: TokenPrice,
    /// For each input token read from the provider's prompt cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_input: Option<TokenPrice>,
}

impl BuildPrice for PerToken {
    fn build(&self) -> Box<dyn Price> {
        Box::new(Running {
            input: self.input.picodollars(),
            cached: self.cached_input.unwrap_or(self.input).picodollars(),
            output: self.output.picodollars(),
        })
    }
}

#[derive(Clone, Debug)]
struct Running {
    input: u64,
    cached: u64,
    output: u64,
}

impl Price for Running {
    #[inline]
    fn of(&self, usage: &Usage) -> u64 {
        let cached = u64::from(usage.cached);
        (u64::from(usage.input) - cached)
            .saturating_mul(self.input)
            .saturating_add(cached.saturating_mul(self.cached))
            .saturating_add(u64::from(usage.output).saturating_mul(self.output))
    }

    fn per_token(&self) -> Option<(u64, u64)> {
        Some((self.input, self.output))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1,000 × $3/M + 200 × $15/M = $0.006.
    #[test]
    fn input_and_output_are_billed_at_their_own_price() {
        let spec: PerToken = serde_json::from_str(r#"{"input": "$3/Mtok", "output": "$15/Mtok"}"#).unwrap();
        let usage = |output, cached| Usage {
            input: 1000,
            cached,
            output,
        };
        assert_eq!(spec.build().of(&usage(200, 0)), 6_000_000_000);
        assert_eq!(spec.build().of(&usage(0, 0)), 3_000_000_000);
        assert_eq!(spec.build().of(&usage(0, 600)), 3_000_000_000);
    }
}
