//! What all quantities have in common, and the two checks that each one's table uses.

use super::*;
use crate::kernel::time::Span;
use proptest::prelude::*;
use proptest::string::string_regex;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::str::FromStr;

/// `json` reads as a quantity whose canonical string is `canonical`, which reads as the same.
#[track_caller]
pub(super) fn check<Q>(json: &str, canonical: &str)
where
    Q: Quantity + DeserializeOwned + FromStr<Err = UnitError> + PartialEq + fmt::Debug,
{
    let value: Q = serde_json::from_str(json).unwrap();
    assert_eq!(value.to_string(), canonical);
    assert_eq!(canonical.parse(), Ok(value));
}

/// `json` is refused with `message` and then what to write.
#[track_caller]
pub(super) fn check_refused<Q: Quantity + DeserializeOwned + fmt::Debug>(json: &str, message: &str) {
    let error = serde_json::from_str::<Q>(json).unwrap_err();
    let position = format!(" at line {} column {}", error.line(), error.column());
    let found = error.to_string();
    assert_eq!(
        found.strip_suffix(&position).unwrap_or(&found),
        format!("{message}; write {}", Q::GRAMMAR)
    );
}

#[test]
fn a_whole_message() {
    assert_eq!(
        Duration::from_str("10x").unwrap_err().to_string(),
        r#""10x" is not a duration: unknown unit `x`; write a number and one of ns, us, ms, s, m, h, d, like "250ms""#,
    );
    assert_eq!(
        serde_json::from_str::<Money>("[1]").unwrap_err().to_string(),
        "invalid type: sequence, expected an amount of money: `$` and a number (k, M, G allowed), \
         like \"$100\" or \"$1.2k\" at line 1 column 1",
    );
}

#[test]
fn a_long_text_is_cut() {
    let message = Duration::from_str(&"é".repeat(1000)).unwrap_err().to_string();
    assert!(message.starts_with(&format!("\"{}\"… is not a duration", "é".repeat(40))));
}

#[track_caller]
fn check_schema<Q: Quantity + JsonSchema + DeserializeOwned + Serialize>(types: &[&str]) {
    let schema = schemars::schema_for!(Q).to_value();
    assert!(schema["description"].as_str().is_some_and(|text| text.ends_with('.')));
    let forms = schema["oneOf"]
        .as_array()
        .cloned()
        .unwrap_or_else(|| vec![schema.clone()]);
    assert_eq!(
        forms
            .iter()
            .map(|form| form["type"].as_str().unwrap())
            .collect::<Vec<_>>(),
        types
    );
    assert_eq!(forms.last().unwrap()["pattern"], Q::PATTERN);
    for example in schema["examples"].as_array().unwrap() {
        serde_json::from_value::<Q>(example.clone()).ok().unwrap();
    }
    for example in Q::EXAMPLES {
        assert_eq!(Q::read(example).ok().unwrap().to_string(), *example);
    }
}

#[test]
fn schemas_describe_what_is_read() {
    check_schema::<Duration>(&["string"]);
    check_schema::<Rate>(&["string"]);
    check_schema::<Money>(&["string"]);
    check_schema::<TokenPrice>(&["string"]);
    check_schema::<Fraction>(&["number", "string"]);
    check_schema::<Count>(&["integer", "string"]);
}

/// Strings of the pattern's language, which must read unless they are out of range for one of `reasons`.
fn language<Q: Quantity>() -> impl Strategy<Value = String> {
    string_regex(Q::PATTERN.trim_matches(['^', '$'])).unwrap()
}

const OUT_OF_RANGE: [&str; 12] = [
    "it is longer than 584 years",
    "it is not a whole number of nanoseconds",
    "it is not a whole number of pico-dollars",
    "it is not whole",
    "it is too large",
    "it is too small",
    "it has too many digits: nine behind the point are enough",
    "it is zero",
    "its time is zero",
    "it is above 1",
    "it is above 100%",
    "its number has more than 24 digits",
];

fn read_or_out_of_range<Q: Quantity + PartialEq + fmt::Debug>(text: &str) {
    match Q::read(text) {
        Ok(value) => assert_eq!(Q::read(&value.to_string()), Ok(value)),
        Err(reason) => assert!(OUT_OF_RANGE.contains(&reason.as_str()), "{text}: {reason}"),
    }
}

proptest! {
    #[test]
    fn the_patterns_are_the_languages(
        duration in language::<Duration>(),
        rate in language::<Rate>(),
        money in language::<Money>(),
        price in language::<TokenPrice>(),
        fraction in language::<Fraction>(),
        count in language::<Count>(),
    ) {
        read_or_out_of_range::<Duration>(&duration);
        read_or_out_of_range::<Rate>(&rate);
        read_or_out_of_range::<Money>(&money);
        read_or_out_of_range::<TokenPrice>(&price);
        read_or_out_of_range::<Fraction>(&fraction);
        read_or_out_of_range::<Count>(&count);
    }

    #[test]
    fn any_text_is_read_or_refused(text in r"[$]?[0-9._-]{0,30}[kMG%]?/?[0-9]{0,30}(s|ms|d|Mtok|.{0,3})") {
        let _ = (Duration::from_str(&text), Rate::from_str(&text), Money::from_str(&text));
        let _ = (TokenPrice::from_str(&text), Fraction::from_str(&text), Count::from_str(&text));
    }

    #[test]
    fn what_is_written_reads_as_the_same(
        nanos: u64,
        small in 0..1_000_000_u64,
        pico: u64,
        many: u128,
        share in 0.0..=1.0,
    ) {
        for nanos in [nanos, small, small.saturating_mul(30_000_000_000)] {
            let duration = Duration::from(Span::from_nanos(nanos));
            prop_assert_eq!(duration.to_string().parse(), Ok(duration));
        }
        // 24 digits of dollars and pico-dollars are all that a text may have.
        let (money, price) = (Money::from_picodollars(many % 10_u128.pow(24)), TokenPrice::from_picodollars(pico));
        prop_assert_eq!(money.to_string().parse(), Ok(money));
        prop_assert_eq!(price.to_string().parse(), Ok(price));
        let fraction = Fraction::new(share).unwrap();
        prop_assert_eq!(fraction.to_string().parse(), Ok(fraction));
        prop_assert_eq!(serde_json::from_str::<Fraction>(&serde_json::to_string(&fraction).unwrap()).unwrap(), fraction);
    }
}
