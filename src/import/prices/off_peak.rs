//! LiteLLM's `off_peak_pricing`: other prices in some hours of UTC, or of some days of the week.
//!
//! `hours_utc` is one stretch or a list of them; `windows` is a list of such hours, each with `weekdays`: numbers from 1 for
//! Monday, or names. They hold together. `weekday_timezone` is the zone whose days these are: read where the zone keeps no
//! summer time, which the calendar of an experiment does not know either; another is named as not read, and days are then those of
//! UTC, which is also what LiteLLM makes of a zone that it does not know. Rates are those of the entry itself.

use serde_json::{Map, Value};

use super::{CACHED, Entry, INPUT, OUTPUT, WRITE};
use crate::form::build::{Built, Refusal};
use crate::form::diagnose::quoted;
use crate::form::units::{DAYS, Duration};
use crate::kernel::time::Span;
use crate::provider::pricing::{Hours, OffPeak};

/// The name of the field.
pub(super) const FIELD: &str = "off_peak_pricing";

/// Zones without summer time, with the hours that they are ahead of UTC (IANA time zone database, 2025b).
const ZONES: [(&str, u64); 9] = [
    ("UTC", 0),
    ("Etc/UTC", 0),
    ("Asia/Shanghai", 8),
    ("Asia/Hong_Kong", 8),
    ("Asia/Singapore", 8),
    ("Asia/Taipei", 8),
    ("Asia/Seoul", 9),
    ("Asia/Tokyo", 9),
    ("Asia/Dubai", 4),
];

/// The prices of other hours that `entry` has, if any; what of them is not read is added to `unread`.
///
/// # Errors
/// If hours, days or a price cannot be read.
pub(super) fn off_peak(entry: &Entry<'_>, unread: &mut Vec<String>) -> Built<Option<OffPeak>> {
    let here = |r: Refusal| r.at(FIELD);
    let fields = match entry.0.get(FIELD) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Object(fields)) if fields.is_empty() => return Ok(None),
        Some(Value::Object(fields)) => fields,
        Some(other) => {
            let text = format!(
                "{} are not prices by the hour: must be an object",
                quoted(&other.to_string())
            );
            return Err(here(Refusal::new(text)));
        }
    };
    let mut when = Vec::new();
    if let Some(hours) = fields.get("hours_utc") {
        when.extend(stretches(hours, None).map_err(|r| here(r.at("hours_utc")))?);
    }
    for (i, window) in list(fields, "windows").iter().enumerate() {
        let inside = |r: Refusal| here(r.at(i).at("windows"));
        let days = window.get("weekdays").map(days).transpose();
        let days = days.map_err(|r| inside(r.at("weekdays")))?;
        let hours = window.get("hours_utc").unwrap_or(&Value::Null);
        when.extend(stretches(hours, days.as_deref()).map_err(|r| inside(r.at("hours_utc")))?);
    }
    if when.is_empty() {
        unread.push(format!("`{FIELD}` without hours"));
        return Ok(None);
    }
    let rates = fields
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let rates = Entry(&rates);
    let price = |field: &str| rates.price(field).map_err(here);
    let off_peak = OffPeak {
        when,
        ahead: zone(fields, unread),
        input: price(INPUT)?,
        output: price(OUTPUT)?,
        cached_input: match price(CACHED)? {
            None => entry.cached_by_rule(price(INPUT)?),
            given => given,
        },
        cache_write: price(WRITE)?.filter(|_| entry.writes()),
    };
    let known = ["hours_utc", "windows", "weekday_timezone", INPUT, OUTPUT, CACHED, WRITE];
    let others = fields.keys().filter(|name| !known.contains(&name.as_str()));
    unread.extend(others.map(|name| format!("`{FIELD}.{name}`")));
    let prices = [
        off_peak.input,
        off_peak.output,
        off_peak.cached_input,
        off_peak.cache_write,
    ];
    Ok(prices.iter().any(Option::is_some).then_some(off_peak))
}

fn list<'a>(fields: &'a Map<String, Value>, name: &str) -> &'a [Value] {
    fields.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The stretches in a text or a list of texts.
fn stretches(value: &Value, days: Option<&[String]>) -> Built<Vec<Hours>> {
    let one = |text: &Value| match text.as_str() {
        Some(hours) => Ok(Hours {
            hours: hours.to_owned(),
            days: days.map(<[String]>::to_vec),
        }),
        None => {
            let text = format!(
                "{} are not hours: must be like \"16:30-00:30\"",
                quoted(&text.to_string())
            );
            Err(Refusal::new(text))
        }
    };
    match value {
        Value::Array(all) => all.iter().map(one).collect(),
        one_alone => Ok(vec![one(one_alone)?]),
    }
}

/// The days in a list of numbers from 1 for Monday, or of names.
fn days(value: &Value) -> Built<Vec<String>> {
    let day = |day: &Value| match (day.as_u64(), day.as_str()) {
        (Some(number @ 1..=7), _) => Ok(DAYS[number as usize - 1].to_owned()),
        (None, Some(name)) => Ok(name.to_owned()),
        _ => {
            let text = format!(
                "{} is not a day of the week: must be 1 for Monday to 7, or a name like \"monday\"",
                quoted(&day.to_string())
            );
            Err(Refusal::new(text))
        }
    };
    value
        .as_array()
        .ok_or_else(|| Refusal::new("days of the week must be a list, like [6, 7]"))?
        .iter()
        .map(day)
        .collect()
}

/// How far ahead of UTC the calendar is whose days are meant.
fn zone(fields: &Map<String, Value>, unread: &mut Vec<String>) -> Option<Duration> {
    let zone = fields.get("weekday_timezone")?.as_str()?;
    match ZONES.iter().find(|(name, _)| *name == zone) {
        Some(&(_, 0)) => None,
        Some(&(_, hours)) => Some(Duration::from(Span::from_secs(3600 * hours))),
        None => {
            unread.push(format!("`{FIELD}.weekday_timezone` ({})", quoted(zone)));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::table;
    use super::*;
    use crate::form::build::Names;
    use crate::kernel::time::Time;
    use crate::provider::pricing::listed::{Prices, Table};
    use crate::provider::pricing::{BuildPrice, Price};
    use crate::words::Usage;

    fn prices(off_peak: &str, provider: &str) -> Built<Prices> {
        let text = format!(
            r#"{{ "m": {{ "litellm_provider": "{provider}", "input_cost_per_token": 4e-06, "output_cost_per_token": 8e-06,
                "input_cost_per_token_above_1k_tokens": 6e-06, "off_peak_pricing": {off_peak} }} }}"#
        );
        table(&serde_json::from_str(&text).unwrap()).map(|mut table| table.models.remove("m").unwrap())
    }

    /// Micro-dollars for so much input, cached input and output, so many hours after Monday, 00:00 UTC.
    fn bill(prices: &Prices, hours: u64, input: u32, cached: u32, output: u32) -> u64 {
        let price: Box<dyn Price> = prices.standard.build(&Table::default(), &Names::default()).unwrap();
        let usage = Usage {
            input,
            cached,
            written: 0,
            output,
        };
        price.of(&usage, Time::ZERO + Span::from_secs(3600 * hours)) / 1_000_000
    }

    #[test]
    fn hours_of_every_day_and_windows_of_some_hold_together() {
        let prices = prices(
            r#"{ "hours_utc": ["10:00-11:00", "12:00-13:00"], "windows": [ { "hours_utc": "22:00-02:00", "weekdays": [1, "sat"] } ],
                "weekday_timezone": "UTC", "input_cost_per_token": 1e-06 }"#,
            "deepseek",
        )
        .unwrap();
        assert!(prices.unread.is_empty(), "{:?}", prices.unread);
        // Monday's 0, 1, 22 and 23, each day's 10 and 12, and Saturday's.
        let cheap = [0, 1, 10, 12, 22, 23, 34, 36, 58, 60];
        for hour in 0..72 {
            let each = if cheap.contains(&hour) { 1 } else { 4 };
            assert_eq!(bill(&prices, hour, 1000, 0, 0), 1000 * each, "hour {hour}");
            // Output has no other price.
            assert_eq!(bill(&prices, hour, 0, 0, 10), 80, "hour {hour}");
        }
        assert_eq!(bill(&prices, 5 * 24 + 23, 1000, 0, 0), 1000);
        // What is given holds above a threshold too.
        assert_eq!(
            (bill(&prices, 0, 2000, 0, 0), bill(&prices, 5, 2000, 0, 0)),
            (2000, 12_000)
        );
    }

    /// Shanghai is eight hours ahead: its Monday begins on Sunday, 16:00 UTC.
    #[test]
    fn days_are_those_of_the_zone() {
        let of = |zone: &str| {
            prices(
                &format!(
                    r#"{{ "windows": [ {{ "hours_utc": "00:00-00:00", "weekdays": ["Monday"] }} ], "weekday_timezone": "{zone}",
                        "input_cost_per_token": 1e-06 }}"#
                ),
                "deepseek",
            )
            .unwrap()
        };
        let cheap = |prices: &Prices| -> Vec<u64> { (0..168).filter(|&h| bill(prices, h, 1, 0, 0) == 1).collect() };
        assert_eq!(cheap(&of("Asia/Shanghai")), (0..16).chain(160..168).collect::<Vec<_>>());
        let summer = of("America/New_York");
        assert_eq!(cheap(&summer), (0..24).collect::<Vec<_>>());
        assert_eq!(
            summer.unread,
            ["`off_peak_pricing.weekday_timezone` (America/New_York)"]
        );
    }

    /// As LiteLLM has it: cached input without a price of its own is half of whatever input costs at the time.
    #[test]
    fn a_provider_s_rule_holds_in_these_hours_too() {
        let prices = prices(
            r#"{ "hours_utc": "14:00-00:00", "input_cost_per_token": 1e-06, "output_cost_per_reasoning_token": 2e-06 }"#,
            "fireworks_ai",
        )
        .unwrap();
        assert_eq!(
            (bill(&prices, 0, 1000, 1000, 0), bill(&prices, 14, 1000, 1000, 0)),
            (2000, 500)
        );
        assert_eq!(prices.unread, ["`off_peak_pricing.output_cost_per_reasoning_token`"]);
    }

    #[test]
    fn what_is_no_schedule_is_refused_at_its_place() {
        for (off_peak, path, message) in [
            ("7", vec![], "7 are not prices by the hour: must be an object"),
            (
                r#"{ "hours_utc": 1630 }"#,
                vec!["hours_utc".into()],
                "1630 are not hours: must be like \"16:30-00:30\"",
            ),
            (
                r#"{ "windows": [ { "hours_utc": "00:00-00:00", "weekdays": [8] } ] }"#,
                vec!["windows".into(), 0.into(), "weekdays".into()],
                "8 is not a day of the week: must be 1 for Monday to 7, or a name like \"monday\"",
            ),
        ] {
            let refusal = prices(off_peak, "deepseek").unwrap_err();
            assert_eq!(refusal.message, message);
            assert_eq!(
                refusal.path,
                [vec!["m".into(), FIELD.into()], path].concat(),
                "{off_peak}"
            );
        }
    }
}
