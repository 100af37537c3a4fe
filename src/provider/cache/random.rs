//! A prompt cache that has part of the input with a fixed probability, for every user alike.
//!
//! An attempt finds `share` of its input with probability `hit`, rounded down to whole steps of `granularity` tokens; nothing
//! if that is below `min_tokens`. OpenAI and Azure cache prefixes of 1,024 tokens and more in steps of 128; Anthropic none
//! below 512 to 4,096 tokens, by model (1,024 for the Sonnets up to 4.5), with a granularity of 1; Gemini 1,024
//! (prompt-caching guides of the providers and of LiteLLM, 2025 and 2026).
//!
//! What is cached costs what `prices` say of it, counts in quotas as they say, and is not read again (`prefill`).
//! `ttft` is for cases where only the speed-up of the first token is known: it multiplies all of the time to first
//! token, `prefill` included. OpenAI's cookbook measured 7 % less at 1,024 tokens and 67 % less at 150,000 and more.
//!
//! What is not found is written to the cache. Leaves out which user wrote an entry, and how long it lasts: `returning`
//! has both.
//!
//! ```json
//! { "random": { "hit": "60%", "share": "80%", "min_tokens": 1024, "granularity": 128 } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildCache, Cache, Found, OPENAI_STEP, factor, one, openai_least};
use crate::form::build::{Built, Names};
use crate::form::units::{Count, Fraction, Part};
use crate::kernel::chance::{Key, Purpose, threshold};
use crate::kernel::time::Time;
use crate::words::Ask;

/// A cache with a fixed probability of a hit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Random {
    /// Probability of a cache hit, 0 to 1.
    pub hit: Fraction,
    /// The share of the input that a hit finds, 0 to 1.
    pub share: Fraction,
    /// The fewest tokens that a hit can find; with fewer it finds nothing. Default: 1,024.
    #[serde(default = "openai_least")]
    pub min_tokens: u32,
    /// The step, in tokens, to which the tokens found are rounded down. Default: 128.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granularity: Option<Count>,
    /// Factor on the time to first token of a hit, network not included: above 0 and at most 1. Default: 1.
    #[serde(default = "one")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1))]
    pub ttft: f64,
}

impl BuildCache for Random {
    fn build(&self, _names: &Names<'_>) -> Built<Box<dyn Cache>> {
        Ok(Box::new(Running {
            ttft: factor(self.ttft)?,
            certain: self.hit == Fraction::ONE,
            hit: threshold(self.hit.get()),
            share: self.share.into(),
            least: self.min_tokens,
            step: (self.granularity).map_or(OPENAI_STEP, |step| u32::try_from(step.get()).unwrap_or(u32::MAX)),
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    certain: bool,
    hit: u64,
    share: Part,
    least: u32,
    step: u32,
    ttft: f64,
}

impl Cache for Running {
    #[inline]
    fn look(&mut self, _now: Time, ask: &Ask, key: Key) -> Found {
        let nothing = Found {
            cached: 0,
            written: ask.input,
        };
        if !self.certain && key.draw(Purpose::Cache) >= self.hit {
            return nothing;
        }
        let found = self.share.of(ask.input) / self.step * self.step;
        if found < self.least {
            return nothing;
        }
        Found {
            cached: found,
            written: ask.input - found,
        }
    }

    fn ttft_factor(&self) -> f64 {
        self.ttft
    }

    fn fresh(&self) -> Box<dyn Cache> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::chance::Chance;

    fn found(spec: &str, input: u32, id: u64) -> u32 {
        let spec: Random = serde_json::from_str(spec).unwrap();
        let ask = Ask {
            input,
            ..Ask::default()
        };
        let key = Chance::new(1, 0).request(id);
        spec.build(&Names::default())
            .unwrap()
            .look(Time::ZERO, &ask, key)
            .cached
    }

    #[test]
    fn whole_steps_are_found_above_the_least() {
        let spec = r#"{ "hit": 1, "share": 1 }"#;
        for (input, tokens) in [
            (0, 0),
            (1023, 0),
            (1024, 1024),
            (1151, 1024),
            (1152, 1152),
            (2000, 1920),
        ] {
            assert_eq!(found(spec, input, 0), tokens, "of {input}");
        }
        let anthropic = r#"{ "hit": 1, "share": "75%", "granularity": 1 }"#;
        for (input, tokens) in [(1000, 0), (1365, 0), (1366, 1024), (2001, 1500)] {
            assert_eq!(found(anthropic, input, 0), tokens, "of {input}");
        }
    }

    /// 29 % of 12,800 tokens are 3,712, which are 29 whole steps; 58 % of 6,400 as many. A product of floats is one token less, and
    /// so a whole step.
    #[test]
    fn no_step_is_lost_to_rounding() {
        for (share, input) in [("29%", 12_800), ("58%", 6_400), ("0.29", 12_800)] {
            let spec = format!(r#"{{ "hit": 1, "share": "{share}" }}"#);
            assert_eq!(found(&spec, input, 0), 3_712, "{share} of {input}");
        }
    }

    /// Of 20,000 draws with probability 0.6 the standard deviation is 69.
    #[test]
    fn it_hits_as_often_as_it_says() {
        let hits = (0..20_000)
            .filter(|&id| found(r#"{ "hit": 0.6, "share": 1 }"#, 2000, id) > 0)
            .count();
        assert!((11_700..12_300).contains(&hits), "{hits}");
        assert!((0..1000).all(|id| found(r#"{ "hit": 0, "share": 1 }"#, 2000, id) == 0));
    }
}
