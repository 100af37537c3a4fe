//! Any small damage to a good file: it is either still good, or the mistake has a place.

use proptest::prelude::*;

use super::{GOOD, said_of};

/// What takes the place of a span.
fn patch() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[-+0-9.eE]{1,6}",
        r#"[\[\]{}:,"\\/* \n]{1,4}"#,
        r#""[0-9a-z$%/.]{0,8}""#,
        Just("null".to_owned()),
        Just("{}".to_owned()),
        Just("[]".to_owned()),
        any::<char>().prop_map(String::from),
    ]
}

/// The byte ranges of the numbers in the good file, in quotes or not.
fn numbers() -> Vec<(usize, usize)> {
    let digits = |c: char| c.is_ascii_digit() || c == '.';
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = GOOD[at..].find(|c: char| c.is_ascii_digit()).map(|i| at + i) {
        at = GOOD[start..].find(|c| !digits(c)).map_or(GOOD.len(), |i| start + i);
        found.push((start, at));
    }
    found
}

/// Panics unless nothing is wrong with `text` or what is says where.
fn check(text: &str) -> Result<(), TestCaseError> {
    let said = said_of(text);
    if said == "nothing is wrong" {
        return Ok(());
    }
    let mut place = said.splitn(4, ':');
    prop_assert_eq!(place.next(), Some("shop.json"));
    for number in [place.next(), place.next()] {
        let number = number.and_then(|n| n.parse::<usize>().ok());
        prop_assert!(number.is_some_and(|n| n > 0), "{}", said);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn a_replaced_span_has_a_place(at in 0..GOOD.len(), length in 0_usize..40, patch in patch()) {
        let end = (at + length).min(GOOD.len());
        check(&format!("{}{patch}{}", &GOOD[..at], &GOOD[end..]))?;
    }

    #[test]
    fn a_span_given_twice_has_a_place(at in 0..GOOD.len(), length in 1_usize..200) {
        let end = (at + length).min(GOOD.len());
        check(&format!("{}{}", &GOOD[..end], &GOOD[at..]))?;
    }

    #[test]
    fn a_replaced_number_has_a_place(which in any::<prop::sample::Index>(), to in "-?[0-9]{1,12}(\\.[0-9]{1,3})?") {
        let numbers = numbers();
        let (start, end) = numbers[which.index(numbers.len())];
        check(&format!("{}{to}{}", &GOOD[..start], &GOOD[end..]))?;
    }
}
