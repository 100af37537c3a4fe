//! Priced by the token, input and output separately: how every public provider sells.
//!
//! An attempt costs its input at `input`, less what was read from the prompt cache, which costs `cached_input`, plus
//! its output at `output`, plus `per_request`. At a provider that has a prompt cache, what is written to it costs
//! `cache_write`, where that is billed separately (Anthropic: 1.25 times the input price); without a cache nothing is
//! written, and otherwise the cache says how much is. A cache price that is not given is that of input.
//!
//! Above a threshold of `long_context`, all tokens of the request cost that step's prices, the first ones too: once the
//! input (cached tokens included) exceeds it (Gemini above 200,000 tokens; Claude Haiku 5.5 above 100,000; GPT-5.4
//! above 272,000). What a step does not give stays as it is below the threshold. In the hours of `off_peak` what that gives holds in
//! place of the same price, at any length of input. `batch` is taken off every price of tokens. Source: the providers' price pages as LiteLLM 1.109.1 lists them (`model_prices_and_context_window.json`)
//! and applies them (`llm_cost_calc/utils.py`). Left out: other prices for audio, images and reasoning tokens, and for
//! caches that are kept for an hour.
//!
//! ```json
//! { "per_token": { "input": "$3/Mtok", "output": "$15/Mtok", "cached_input": "$0.30/Mtok", "cache_write": "$3.75/Mtok" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::listed::Table;
use super::off_peak::{Minutes, OffPeak};
use super::{BuildPrice, Price};
use crate::form::build::{Built, Names, Refusal};
use crate::form::units::{Count, Fraction, Money, TokenPrice};
use crate::kernel::calendar::Calendar;
use crate::kernel::time::Time;
use crate::words::{Course, Usage};

/// Prices by the token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PerToken {
    /// The price of each input token.
    pub input: TokenPrice,
    /// The price of each output token.
    pub output: TokenPrice,
    /// The price of each input token read from the provider's prompt cache. Default: that of `input`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_input: Option<TokenPrice>,
    /// The price of each input token written to the cache, at a provider that has one. Default: that of `input`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<TokenPrice>,
    /// Other prices for requests of long input, by rising threshold. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub long_context: Vec<LongContext>,
    /// The discount on every price of tokens, as batch APIs give it: "50%". Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<Fraction>,
    /// Other prices in certain hours, or on certain days of the week. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub off_peak: Option<OffPeak>,
    /// The price of each attempt that is billed, on top of its tokens. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_request: Option<Money>,
}

/// Prices of all tokens of a request whose input exceeds a threshold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LongContext {
    /// The threshold in input tokens, cached ones included; the prices hold for inputs above it.
    pub above: Count,
    /// The price of each input token. Default: that below the threshold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<TokenPrice>,
    /// The price of each output token. Default: that below the threshold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<TokenPrice>,
    /// The price of each input token read from the cache. Default: that below the threshold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_input: Option<TokenPrice>,
    /// The price of each input token written to the cache. Default: that below the threshold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<TokenPrice>,
}

impl BuildPrice for PerToken {
    fn build(&self, _table: &Table, names: &Names<'_>) -> Built<Box<dyn Price>> {
        let usual = self.tariff()?;
        let Some(off_peak) = &self.off_peak else {
            return Ok(Box::new(usual));
        };
        let here = |r: Refusal| r.at("off_peak");
        let prices = [
            off_peak.input,
            off_peak.output,
            off_peak.cached_input,
            off_peak.cache_write,
        ];
        if prices.iter().all(Option::is_none) {
            let text = "no price: give `input`, `output`, `cached_input` or `cache_write`, or leave `off_peak` out";
            return Err(here(Refusal::new(text)));
        }
        Ok(Box::new(ByTheHour {
            usual,
            off_peak: self.during(off_peak).tariff().map_err(here)?,
            minutes: off_peak.minutes().map_err(here)?,
            calendar: names.calendar,
        }))
    }
}

impl PerToken {
    /// Prices of input and output, and no others.
    pub fn new(input: TokenPrice, output: TokenPrice) -> PerToken {
        PerToken {
            input,
            output,
            cached_input: None,
            cache_write: None,
            long_context: Vec::new(),
            batch: None,
            off_peak: None,
            per_request: None,
        }
    }

    /// The prices that hold in the hours of `off_peak`: what it gives holds at any length of input.
    fn during(&self, off_peak: &OffPeak) -> PerToken {
        let step = |step: &LongContext| LongContext {
            above: step.above,
            input: step.input.filter(|_| off_peak.input.is_none()),
            output: step.output.filter(|_| off_peak.output.is_none()),
            cached_input: step.cached_input.filter(|_| off_peak.cached_input.is_none()),
            cache_write: step.cache_write.filter(|_| off_peak.cache_write.is_none()),
        };
        let changes = |step: &LongContext| {
            let prices = [step.input, step.output, step.cached_input, step.cache_write];
            prices.iter().any(Option::is_some)
        };
        PerToken {
            input: off_peak.input.unwrap_or(self.input),
            output: off_peak.output.unwrap_or(self.output),
            cached_input: off_peak.cached_input.or(self.cached_input),
            cache_write: off_peak.cache_write.or(self.cache_write),
            long_context: self.long_context.iter().map(step).filter(changes).collect(),
            off_peak: None,
            ..self.clone()
        }
    }

    /// The running form of the tariff, but for its hours.
    ///
    /// # Errors
    /// If the thresholds do not rise, a step changes no price, or a price less the discount is not a whole number of
    /// pico-dollars.
    pub fn tariff(&self) -> Built<Tariff> {
        let mut given = Given {
            input: self.input.picodollars(),
            output: self.output.picodollars(),
            cached: self.cached_input.map(TokenPrice::picodollars),
            write: self.cache_write.map(TokenPrice::picodollars),
        };
        let off = self.batch.map_or(0, |share| (share.get() * 1e6 + 0.5) as u64);
        let per_request = self
            .per_request
            .map_or(0, |m| u64::try_from(m.picodollars()).unwrap_or(u64::MAX));
        let mut tariff = Tariff {
            base: given.rates(off)?,
            steps: Vec::new(),
            per_request,
        };
        for (i, step) in self.long_context.iter().enumerate() {
            let here = |r: Refusal| r.at(i).at("long_context");
            if let Some(&(before, _)) = tariff.steps.last()
                && step.above.get() <= before
            {
                let text = format!("marks must rise: {} comes after {before}", step.above);
                return Err(here(Refusal::new(text).at("above")));
            }
            let prices = [step.input, step.output, step.cached_input, step.cache_write];
            if prices.iter().all(Option::is_none) {
                let text = "no price: give `input`, `output`, `cached_input` or `cache_write`, or leave this step out";
                return Err(here(Refusal::new(text)));
            }
            given.input = step.input.map_or(given.input, TokenPrice::picodollars);
            given.output = step.output.map_or(given.output, TokenPrice::picodollars);
            given.cached = step.cached_input.map(TokenPrice::picodollars).or(given.cached);
            given.write = step.cache_write.map(TokenPrice::picodollars).or(given.write);
            tariff.steps.push((step.above.get(), given.rates(off).map_err(here)?));
        }
        Ok(tariff)
    }
}

/// The prices given so far, in pico-dollars a token.
struct Given {
    input: u64,
    output: u64,
    cached: Option<u64>,
    write: Option<u64>,
}

impl Given {
    /// The rates after a discount of `off` millionths.
    fn rates(&self, off: u64) -> Built<Rates> {
        let less = |price: u64| {
            let millionths = u128::from(price) * u128::from(1_000_000 - off.min(1_000_000));
            if millionths.is_multiple_of(1_000_000) {
                return Ok((millionths / 1_000_000) as u64);
            }
            let text = format!(
                "{} less this is not a whole number of pico-dollars a token",
                TokenPrice::from_picodollars(price)
            );
            Err(Refusal::new(text).at("batch"))
        };
        Ok(Rates {
            input: less(self.input)?,
            output: less(self.output)?,
            cached: less(self.cached.unwrap_or(self.input))?,
            write: less(self.write.unwrap_or(self.input))?,
        })
    }
}

/// A running tariff by the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tariff {
    base: Rates,
    /// The thresholds in rising order, with the rates above each.
    steps: Vec<(u64, Rates)>,
    per_request: u64,
}

/// Prices in pico-dollars a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rates {
    input: u64,
    output: u64,
    cached: u64,
    write: u64,
}

/// A tariff with other prices in certain hours.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ByTheHour {
    usual: Tariff,
    off_peak: Tariff,
    minutes: Minutes,
    calendar: Calendar,
}

impl Price for ByTheHour {
    fn of(&self, usage: &Usage, at: Time) -> u64 {
        let tariff = match self.minutes.holds(self.calendar, at) {
            true => &self.off_peak,
            false => &self.usual,
        };
        tariff.of(usage, at)
    }

    fn course(&self) -> Option<Course> {
        let period = self.minutes.period()?;
        Some(Course::repeats("the price by the hour", period))
    }

    fn per_token(&self) -> Option<(u64, u64)> {
        self.usual.per_token()
    }
}

impl Price for Tariff {
    #[inline]
    fn of(&self, usage: &Usage, _at: Time) -> u64 {
        let input = u64::from(usage.input);
        if self.steps.is_empty() && usage.cached == 0 && usage.written == 0 {
            let (read, wrote) = (u128::from(input), u128::from(usage.output));
            let sum = read * u128::from(self.base.input) + wrote * u128::from(self.base.output);
            return u64::try_from(sum).map_or(u64::MAX, |sum| sum.saturating_add(self.per_request));
        }
        let above = self.steps.iter().rev().find(|&&(above, _)| input > above);
        let rates = above.map_or(&self.base, |(_, rates)| rates);
        let cached = u64::from(usage.cached).min(input);
        let written = u64::from(usage.written).min(input - cached);
        let part = |tokens: u64, price: u64| tokens.saturating_mul(price);
        part(input - cached - written, rates.input)
            .saturating_add(part(cached, rates.cached))
            .saturating_add(part(written, rates.write))
            .saturating_add(part(u64::from(usage.output), rates.output))
            .saturating_add(self.per_request)
    }

    fn per_token(&self) -> Option<(u64, u64)> {
        Some((self.base.input, self.base.output))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tariff(text: &str) -> Tariff {
        serde_json::from_str::<PerToken>(text).unwrap().tariff().unwrap()
    }

    fn usage(input: u32, cached: u32, written: u32, output: u32) -> Usage {
        Usage {
            input,
            cached,
            written,
            output,
        }
    }

    const HAIKU: &str = r#"{ "input": "$0.1/Mtok", "output": "$0.5/Mtok", "cached_input": "$0.01/Mtok", "cache_write": "$0.125/Mtok",
        "long_context": [{ "above": "100k", "input": "$0.5/Mtok", "output": "$2.5/Mtok", "cached_input": "$0.05/Mtok", "cache_write": "$0.625/Mtok" }] }"#;
    const GEMINI: &str = r#"{ "input": "$1.25/Mtok", "output": "$10/Mtok", "cached_input": "$0.125/Mtok",
        "long_context": [{ "above": "200k", "input": "$2.5/Mtok", "output": "$15/Mtok", "cached_input": "$0.25/Mtok" }] }"#;

    /// Published prices (LiteLLM 1.109.1) times tokens, by hand, in pico-dollars.
    #[test]
    fn bills_are_what_the_price_lists_say() {
        let sonnet =
            r#"{ "input": "$3/Mtok", "output": "$15/Mtok", "cached_input": "$0.3/Mtok", "cache_write": "$3.75/Mtok" }"#;
        let plain = r#"{ "input": "$3/Mtok", "output": "$15/Mtok" }"#;
        let batch = r#"{ "input": "$2/Mtok", "output": "$8/Mtok", "cached_input": "$0.5/Mtok", "batch": "50%" }"#;
        let surcharge = r#"{ "input": "$1/Mtok", "output": "$1/Mtok", "per_request": "$0.005" }"#;
        for (tariff_of, usage, picodollars) in [
            (plain, usage(1000, 0, 0, 200), 6_000_000_000),
            (plain, usage(1000, 0, 0, 0), 3_000_000_000),
            // A cache price that is not given is that of input.
            (plain, usage(1000, 600, 400, 0), 3_000_000_000),
            // 600 × $0.3/M + 400 × $3.75/M, and without a cache 400 × $3/M.
            (sonnet, usage(1000, 600, 400, 0), 1_680_000_000),
            (sonnet, usage(1000, 600, 0, 0), 1_380_000_000),
            // At the threshold, and one above it: then all tokens cost more.
            (HAIKU, usage(100_000, 0, 0, 1000), 10_500_000_000),
            (HAIKU, usage(100_001, 0, 0, 1000), 52_500_500_000),
            (HAIKU, usage(100_001, 100_000, 1, 0), 5_000_625_000),
            (GEMINI, usage(200_000, 0, 0, 100), 251_000_000_000),
            (GEMINI, usage(200_001, 0, 0, 100), 501_502_500_000),
            // Cached tokens count towards the threshold.
            (GEMINI, usage(300_000, 300_000, 0, 0), 75_000_000_000),
            // (1,000 × $2/M + 100 × $8/M + 400 × ($0.5 − $2)/M) / 2
            (batch, usage(1000, 400, 0, 100), 1_100_000_000),
            (surcharge, usage(1, 0, 0, 1), 5_002_000_000),
            (surcharge, usage(0, 0, 0, 0), 5_000_000_000),
        ] {
            assert_eq!(
                tariff(tariff_of).of(&usage, Time::ZERO),
                picodollars,
                "{tariff_of} {usage:?}"
            );
        }
    }

    #[test]
    fn a_step_changes_what_it_gives_and_keeps_the_rest() {
        let steps = tariff(
            r#"{ "input": "$1/Mtok", "output": "$2/Mtok", "long_context": [
                { "above": 10, "input": "$3/Mtok" }, { "above": 20, "output": "$4/Mtok" } ] }"#,
        );
        // Cached input tokens cost as much as other input, above each threshold too.
        assert_eq!(steps.of(&usage(10, 5, 0, 1), Time::ZERO), 12_000_000);
        assert_eq!(steps.of(&usage(11, 5, 0, 1), Time::ZERO), 35_000_000);
        assert_eq!(steps.of(&usage(21, 5, 0, 1), Time::ZERO), 67_000_000);
        assert_eq!(steps.per_token(), Some((1_000_000, 2_000_000)));
    }

    #[test]
    fn no_bill_overflows() {
        let dear = tariff(r#"{ "input": "$18446744/tok", "output": "$18446744/tok" }"#);
        assert_eq!(dear.of(&usage(u32::MAX, 0, 0, u32::MAX), Time::ZERO), u64::MAX);
    }
}
