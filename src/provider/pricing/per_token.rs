//! Priced by the token, input and output apart: how every public provider sells.
//!
//! ```json
//! { "per_token": { "input": "$3/Mtok", "output": "$15/Mtok", "cached_input": "$0.30/Mtok" } }
//! ```
//!
//! `cached_input` is kept with the prices and billed once prompt caching is modelled; until then every input token is
//! billed at `input`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildPrice, Price};
use crate::request::Ask;
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
            output: self.output.picodollars(),
        })
    }
}

#[derive(Clone, Debug)]
struct Running {
    input: u64,
    output: u64,
}

impl Price for Running {
    #[inline]
    fn of(&self, ask: &Ask, written: u32) -> u64 {
        u64::from(ask.input)
            .saturating_mul(self.input)
            .saturating_add(u64::from(written).saturating_mul(self.output))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1,000 × $3/M + 200 × $15/M = $0.006.
    #[test]
    fn input_and_output_are_billed_at_their_own_price() {
        let spec: PerToken = serde_json::from_str(r#"{"input": "$3/Mtok", "output": "$15/Mtok"}"#).unwrap();
        let ask = Ask {
            input: 1000,
            ..Ask::default()
        };
        assert_eq!(spec.build().of(&ask, 200), 6_000_000_000);
        assert_eq!(spec.build().of(&ask, 0), 3_000_000_000);
    }
}
