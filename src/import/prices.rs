//! Price tables in the form of LiteLLM's public `model_prices_and_context_window.json`: dollars a token, by model.
//!
//! Read of each entry: `input_cost_per_token`, `output_cost_per_token`, `cache_read_input_token_cost`,
//! `cache_creation_input_token_cost`, each also with `_above_{N}k_tokens` (long context), `_batches`, or both;
//! `off_peak_pricing` (`off_peak`); and `litellm_provider`. An entry without the first two is known but not sold by the token.
//! Numbers may be in scientific notation; 1.25e-06 is 1,250,000 pico-dollars exactly, and a price that is not a whole number
//! of pico-dollars is rounded to the nearest.
//!
//! As LiteLLM 1.109.1 has it: a price above a threshold holds for all tokens of the request once the input exceeds the
//! threshold (reaches it, for xAI); a price that is missing there stays as it is below the threshold. A cache price
//! that is missing is that of input, and half of it for Fireworks AI (`llms/fireworks_ai/cache_pricing.py`); so is a price of 0 for
//! writing to the cache that of input, which DeepSeek's entries have because nothing is billed beyond the input. A batch price that
//! is missing beside the others is half the standard one.
//!
//! What else an entry says of its price and may change a bill of text (`tiered_pricing` beside flat prices, another price of
//! reasoning tokens) is kept by name, so that a user of the price can be told. Left out without a word is what only other
//! requests meet: audio, images and video, searches and tools, the tiers `priority` and `flex`, caches of an hour.

mod off_peak;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::form::build::{Built, Refusal};
use crate::form::diagnose::quoted;
use crate::form::units::{Count, TokenPrice};
use crate::provider::pricing::listed::{Prices, Table};
use crate::provider::pricing::{LongContext, PerToken};

/// The file's content: the fields of each model, by model name.
pub type File = BTreeMap<String, BTreeMap<String, Value>>;

/// LiteLLM's own example of an entry.
const SAMPLE: &str = "sample_spec";

/// Reads the price table in `file`.
///
/// # Errors
/// If a price cannot be read; the first such price is named.
pub fn table(file: &File) -> Built<Table> {
    let mut table = Table::default();
    for (name, fields) in file.iter().filter(|(name, _)| *name != SAMPLE) {
        let entry = Entry(fields);
        match entry.prices().map_err(|r| r.at(name.as_str()))? {
            Some(prices) => {
                table.models.insert(name.clone(), prices);
            }
            None => {
                table.others.insert(name.clone());
            }
        }
    }
    if table.models.is_empty() {
        return Err(Refusal::new(
            "no model here has `input_cost_per_token` and `output_cost_per_token`: must be a price table like LiteLLM's model_prices_and_context_window.json",
        ));
    }
    Ok(table)
}

/// The fields of one model.
struct Entry<'a>(&'a BTreeMap<String, Value>);

const INPUT: &str = "input_cost_per_token";
const OUTPUT: &str = "output_cost_per_token";
const CACHED: &str = "cache_read_input_token_cost";
const WRITE: &str = "cache_creation_input_token_cost";
/// The fields that are read, with and without a threshold and for batches.
const READ: [&str; 4] = [INPUT, OUTPUT, CACHED, WRITE];
/// Words in the names of prices that only other requests than text by the standard API meet.
const OTHERS: [&str; 18] = [
    "audio",
    "image",
    "video",
    "character",
    "second",
    "pixel",
    "page",
    "search",
    "query",
    "priority",
    "flex",
    "1hr",
    "interpreter",
    "vector",
    "session",
    "computer_use",
    "citation",
    "dbu",
];
/// The provider whose cached input costs half where no price is listed.
const FIREWORKS: &str = "fireworks_ai";

impl Entry<'_> {
    fn prices(&self) -> Built<Option<Prices>> {
        let Some(standard) = self.tier(false)? else {
            return Ok(None);
        };
        let mut unread = self.unread();
        Ok(Some(Prices {
            standard: PerToken {
                off_peak: off_peak::off_peak(self, &mut unread)?,
                ..standard
            },
            batch: self.tier(true)?,
            unread,
        }))
    }

    /// The fields that say something of the price of text and are not read.
    fn unread(&self) -> Vec<String> {
        let is_read = |name: &str| {
            let name = name.strip_suffix("_batches").unwrap_or(name);
            let marked = |field: &str| {
                let mark = name.strip_prefix(field)?.strip_prefix("_above_")?;
                mark.strip_suffix("k_tokens")?.parse::<u64>().ok()
            };
            READ.iter().any(|field| name == *field || marked(field).is_some())
        };
        let says_nothing = |name: &str, value: &Value| match value {
            Value::Null => true,
            Value::Number(number) => {
                // A reasoning token at the price of any other is nothing special.
                let same = name.starts_with("output_cost_per_reasoning_token") && self.0.get(OUTPUT) == Some(value);
                same || number.as_f64() == Some(0.0)
            }
            Value::Bool(_) | Value::String(_) => false,
            Value::Array(all) => all.is_empty(),
            Value::Object(all) => all.is_empty(),
        };
        let is_of_price = |name: &str| name.contains("cost") || name.contains("pricing");
        let of_others = |name: &str| OTHERS.iter().any(|word| name.contains(word));
        let fields = self.0.iter().filter(|(name, value)| {
            is_of_price(name)
                && *name != off_peak::FIELD
                && !is_read(name)
                && !of_others(name)
                && !says_nothing(name, value)
        });
        fields.map(|(name, _)| format!("`{name}`")).collect()
    }

    fn is_of(&self, provider: &str) -> bool {
        self.0.get("litellm_provider").and_then(Value::as_str) == Some(provider)
    }

    /// The price of cached input that the provider's rule gives where none is listed, beside this price of input.
    fn cached_by_rule(&self, input: Option<TokenPrice>) -> Option<TokenPrice> {
        let half = |price: TokenPrice| TokenPrice::from_picodollars(price.picodollars().div_ceil(2));
        input.filter(|_| self.is_of(FIREWORKS)).map(half)
    }

    /// Whether writing to the cache has a price of its own.
    fn writes(&self) -> bool {
        let price = self.0.get(WRITE).and_then(Value::as_f64);
        price.is_some_and(|price| price > 0.0)
    }

    /// The standard prices, or those of the batch API.
    fn tier(&self, batch: bool) -> Built<Option<PerToken>> {
        let suffix = if batch { "_batches" } else { "" };
        let (Some(input), Some(output)) = (
            self.price(&format!("{INPUT}{suffix}"))?,
            self.price(&format!("{OUTPUT}{suffix}"))?,
        ) else {
            return Ok(None);
        };
        let cache_write = self.given(WRITE, batch)?.filter(|price| price.picodollars() > 0);
        let mut long_context = Vec::new();
        for (mark, above) in self.marks() {
            let price = |field: &str| self.given(&format!("{field}_above_{mark}k_tokens"), batch);
            let step = LongContext {
                above,
                input: price(INPUT)?,
                output: price(OUTPUT)?,
                cached_input: price(CACHED)?,
                cache_write: if cache_write.is_some() { price(WRITE)? } else { None },
            };
            let prices = [step.input, step.output, step.cached_input, step.cache_write];
            if prices.iter().any(Option::is_some) {
                long_context.push(step);
            }
        }
        Ok(Some(PerToken {
            cached_input: match self.given(CACHED, batch)? {
                None => self.cached_by_rule(Some(input)),
                given => given,
            },
            cache_write,
            long_context,
            ..PerToken::new(input, output)
        }))
    }

    /// The thresholds of long context in thousands of tokens, rising, each with the input that a request must exceed.
    fn marks(&self) -> Vec<(u64, Count)> {
        let reached = self.is_of("xai");
        let mark = |field: &String| {
            let thousands = READ
                .iter()
                .find_map(|read| field.strip_prefix(read)?.strip_prefix("_above_"))?;
            let thousands = thousands.strip_suffix("k_tokens")?;
            let thousands: u64 = thousands.parse().ok()?;
            let tokens = thousands.checked_mul(1000)?;
            Some((thousands, Count::new(tokens - u64::from(reached && tokens > 0))?))
        };
        let mut marks: Vec<_> = self.0.keys().filter_map(mark).collect();
        marks.sort_unstable();
        marks.dedup();
        marks
    }

    /// The price in `field`; for batches their own price, or else half the standard one.
    fn given(&self, field: &str, batch: bool) -> Built<Option<TokenPrice>> {
        let standard = self.price(field)?;
        if !batch {
            return Ok(standard);
        }
        let half = |price: TokenPrice| TokenPrice::from_picodollars(price.picodollars().div_ceil(2));
        Ok(self.price(&format!("{field}_batches"))?.or(standard.map(half)))
    }

    fn price(&self, field: &str) -> Built<Option<TokenPrice>> {
        /// The largest price accepted, in dollars a token.
        const LARGEST: f64 = 1e6;
        match self.0.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Number(n)) if n.as_f64().is_some_and(|x| (0.0..=LARGEST).contains(&x)) => {
                let dollars = n.as_f64().unwrap_or(0.0);
                Ok(Some(TokenPrice::from_picodollars((dollars * 1e12 + 0.5) as u64)))
            }
            Some(other) => {
                let text = format!(
                    "{} is not a price: must be a number of dollars a token, from 0 to 1000000, like 2.5e-06",
                    quoted(&other.to_string())
                );
                Err(Refusal::new(text).at(field))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::time::Time;
    use crate::provider::pricing::Price;
    use crate::words::Usage;

    fn read(text: &str) -> Built<Table> {
        table(&serde_json::from_str(text).unwrap())
    }

    fn bill(per_token: &PerToken, input: u32, cached: u32, output: u32) -> u64 {
        let usage = Usage {
            input,
            cached,
            written: 0,
            output,
        };
        per_token.tariff().unwrap().of(&usage, Time::ZERO)
    }

    #[test]
    fn scientific_notation_is_read_to_the_pico_dollar() {
        for (written, picodollars) in [
            ("1.25e-06", 1_250_000),
            ("2.8e-07", 280_000),
            ("1e-05", 10_000_000),
            ("5e-09", 5_000),
            ("0.0000003", 300_000),
            ("0", 0),
            ("1.41953125e-07", 141_953),
            ("2.9999900000000002e-06", 2_999_990),
        ] {
            let text = format!(r#"{{ "m": {{ "{INPUT}": {written}, "{OUTPUT}": 0 }} }}"#);
            let table = read(&text).unwrap();
            assert_eq!(table.models["m"].standard.input.picodollars(), picodollars, "{written}");
        }
    }

    #[test]
    fn a_missing_price_of_the_cache_is_that_of_input() {
        let plain = read(r#"{ "m": { "input_cost_per_token": 2e-06, "output_cost_per_token": 8e-06 } }"#).unwrap();
        assert_eq!(bill(&plain.models["m"].standard, 1000, 400, 0), 2_000_000_000);
        assert_eq!(plain.models["m"].batch, None);
        let free_write = read(
            r#"{ "m": { "input_cost_per_token": 2e-06, "output_cost_per_token": 8e-06, "cache_creation_input_token_cost": 0.0 } }"#,
        );
        assert_eq!(free_write.unwrap().models["m"].standard.cache_write, None);
    }

    #[test]
    fn marks_of_long_context_rise_and_xai_s_are_reached() {
        let entry = |provider: &str| {
            read(&format!(
                r#"{{ "m": {{ "litellm_provider": "{provider}", "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06,
                    "input_cost_per_token_above_200k_tokens": 2e-06, "output_cost_per_token_above_200k_tokens": 3e-06,
                    "input_cost_per_token_above_32k_tokens": 1.5e-06, "input_cost_per_token_above_200k_tokens_priority": 9e-06 }} }}"#
            ))
            .unwrap()
        };
        let (other, xai) = (entry("openai"), entry("xai"));
        let (other, xai) = (&other.models["m"].standard, &xai.models["m"].standard);
        for (input, one, another) in [
            (31_999, 31_999_000_000, 31_999_000_000),
            (32_000, 32_000_000_000, 48_000_000_000),
            (32_001, 48_001_500_000, 48_001_500_000),
            (200_000, 300_000_000_000, 400_000_000_000),
            (200_001, 400_002_000_000, 400_002_000_000),
        ] {
            assert_eq!(
                (bill(other, input, 0, 0), bill(xai, input, 0, 0)),
                (one, another),
                "{input}"
            );
        }
        // Only the last step gives a price of output.
        assert_eq!(bill(other, 32_001, 0, 1) - bill(other, 32_001, 0, 0), 2_000_000);
        assert_eq!(bill(other, 200_001, 0, 1) - bill(other, 200_001, 0, 0), 3_000_000);
    }

    #[test]
    fn batches_cost_what_is_listed_and_half_where_nothing_is() {
        let grok = read(
            r#"{ "m": { "input_cost_per_token": 1.25e-06, "output_cost_per_token": 2.5e-06, "cache_read_input_token_cost": 2e-07,
                "input_cost_per_token_batches": 1e-06, "output_cost_per_token_batches": 2e-06 } }"#,
        );
        let batch = grok.unwrap().models["m"].batch.clone().unwrap();
        assert_eq!(bill(&batch, 1000, 0, 100), 1_200_000_000);
        assert_eq!(bill(&batch, 1000, 1000, 0), 100_000_000);
    }

    /// Half of $0.9 a million for the 400 that are cached, also through the batch API and at half of its price.
    #[test]
    fn cached_input_costs_half_at_fireworks() {
        let entry = |more: &str| {
            let text = format!(
                r#"{{ "m": {{ "litellm_provider": "fireworks_ai", "input_cost_per_token": 9e-07, "output_cost_per_token": 9e-07{more} }} }}"#
            );
            read(&text).unwrap().models.remove("m").unwrap()
        };
        assert_eq!(bill(&entry("").standard, 1000, 400, 0), 600 * 900_000 + 400 * 450_000);
        let listed = entry(r#", "cache_read_input_token_cost": 1e-07"#);
        assert_eq!(bill(&listed.standard, 1000, 400, 0), 600 * 900_000 + 400 * 100_000);
        let batch = entry(r#", "input_cost_per_token_batches": 4e-07, "output_cost_per_token_batches": 4e-07"#);
        assert_eq!(bill(&batch.batch.unwrap(), 1000, 400, 0), 600 * 400_000 + 400 * 200_000);
    }

    /// What only images, searches or other tiers meet is no part of a bill of text; nor is a price that is no other.
    #[test]
    fn what_may_change_a_bill_and_is_not_read_is_kept_by_name() {
        let text = r#"{ "m": { "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06, "mode": "chat",
            "output_cost_per_reasoning_token": 3e-06, "tiered_pricing": [{ "range": [0, 1000] }], "input_cost_per_request": 0.005,
            "input_cost_per_token_above_200k_tokens_batches": 1e-06, "input_cost_per_audio_token": 1e-05,
            "search_context_cost_per_query": { "search_context_size_low": 0.03 }, "output_cost_per_token_priority": 4e-06,
            "cache_creation_input_token_cost_above_1hr": 2e-06, "input_cost_per_character": 0.0 },
            "plain": { "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06, "output_cost_per_reasoning_token": 2e-06 } }"#;
        let table = read(text).unwrap();
        assert_eq!(
            table.models["m"].unread,
            [
                "`input_cost_per_request`",
                "`output_cost_per_reasoning_token`",
                "`tiered_pricing`"
            ]
        );
        assert!(table.models["plain"].unread.is_empty());
    }

    /// A threshold that only output has is one as well.
    #[test]
    fn a_threshold_of_any_price_is_read() {
        let text = r#"{ "m": { "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06, "output_cost_per_token_above_1k_tokens": 3e-06 } }"#;
        let table = read(text).unwrap();
        let standard = &table.models["m"].standard;
        assert_eq!(
            (bill(standard, 1000, 0, 10), bill(standard, 1001, 0, 10)),
            (1_020_000_000, 1_031_000_000)
        );
    }

    #[test]
    fn what_is_no_price_is_refused_at_its_place() {
        let refusal = read(r#"{ "m": { "input_cost_per_token": "2$", "output_cost_per_token": 1 } }"#).unwrap_err();
        assert_eq!(
            refusal.message,
            "\"2$\" is not a price: must be a number of dollars a token, from 0 to 1000000, like 2.5e-06"
        );
        assert_eq!(refusal.path, ["m".into(), INPUT.into()]);
        assert!(read(r#"{ "m": { "input_cost_per_token": -1, "output_cost_per_token": 1 } }"#).is_err());
        assert!(read(r#"{ "m": { "mode": "chat" } }"#).is_err());
    }
}
