//! Formulas against arithmetic on paper, and what is wrong with some.

use super::quantity::quantity;
use super::*;

fn of(formula: &str) -> Result<Value, String> {
    value(formula, &|name| match name {
        "tokens" => Ok(Value::exact(140e6, Dimension::NUMBER)),
        "seen" => Ok(Value {
            lo: 2.0,
            value: 3.0,
            hi: 4.0,
            of: Dimension::NUMBER,
        }),
        name => Err(unknown(name, ["tokens", "seen"].into_iter())),
    })
}

fn number(formula: &str) -> f64 {
    of(formula).unwrap_or_else(|why| panic!("{formula}: {why}")).value
}

/// By hand.
#[test]
fn formulas_have_the_values_that_paper_has() {
    for (formula, expected) in [
        ("1 + 2 * 3", 7.0),
        ("(1 + 2) * 3", 9.0),
        ("10 - 4 - 3", 3.0),
        ("16 / 4 / 2", 2.0),
        ("-2 * -(3)", 6.0),
        ("2 × 6 ÷ 3 − 1", 3.0),
        ("500k * 280", 140e6),
        ("tokens * $2.80/Mtok", 392.0),
        ("50 / 45ms", 50.0 / 0.045),
        ("1200/s * 45ms", 54.0),
        ("$4800 / $1028/30d", 4800.0 / 1028.0 * 30.0 * 86_400.0),
        ("20% * 15", 3.0),
        ("min(3, 2, 5) + max(1, 4)", 6.0),
        ("1_000 / tokens", 1_000.0 / 140e6),
        ("0.5/2", 0.25),
    ] {
        let found = number(formula);
        assert!((found / expected - 1.0).abs() < 1e-12, "{formula}: {found}");
    }
}

#[test]
fn what_is_counted_differently_is_not_added() {
    for (formula, expected) in [
        ("$1 + 1s", "time added to money"),
        ("2 - 1s", "time taken from a number"),
        ("max($1, 2/s)", "a number over time compared with money"),
        ("1 + $1/30d", "money over time added to a number"),
        ("1s * 1s + 1", "a number added to time to the power of 2"),
    ] {
        assert_eq!(of(formula).unwrap_err(), expected, "{formula}");
    }
    assert_eq!(of("$5 / 1s * 2s").unwrap().of.unit(), Some(Unit::Dollars));
    assert_eq!(of("$5 / 1s").unwrap().of.unit(), None);
}

#[test]
fn intervals_go_through_end_by_end() {
    let interval = |formula: &str| {
        let value = of(formula).unwrap();
        (value.lo, value.value, value.hi)
    };
    assert_eq!(interval("12 / seen"), (3.0, 4.0, 6.0));
    assert_eq!(interval("10 - seen"), (6.0, 7.0, 8.0));
    assert_eq!(interval("-2 * seen"), (-8.0, -6.0, -4.0));
    assert_eq!(interval("min(seen, 3.5)"), (2.0, 3.0, 3.5));
    assert_eq!(interval("1 / (seen - 2.5)"), (f64::NEG_INFINITY, 2.0, f64::INFINITY));
}

#[test]
fn mistakes_say_where_they_are() {
    let deep = format!("{}1{}", "(".repeat(40), ")".repeat(40));
    for (formula, expected) in [
        ("", "it ends where a number should be"),
        ("1 +", "it ends where a number should be"),
        ("* 2", "`*` at the beginning: expected a number, a name or a bracket"),
        ("2 2", "`2` behind `2`: expected an operator"),
        ("(1 + 2", "a bracket is not closed"),
        ("(1 ; 2)", "`;` behind `(1`: expected `)`"),
        ("1 / (2 - 2)", "a division by zero"),
        (
            "token * 2",
            "there is no number `token` before this one; did you mean `tokens`?",
        ),
        ("xyz", "there is no number `xyz` before this one"),
        ("min 3", "`min` without brackets: write min(a, b)"),
        (
            &deep,
            "more than 32 brackets and signs within each other: give parts names",
        ),
        (
            &"-".repeat(100),
            "more than 32 brackets and signs within each other: give parts names",
        ),
    ] {
        assert_eq!(of(formula).unwrap_err(), expected, "{formula}");
    }
    for formula in ["1.2.3", "$", ".5", "5q", "1e999", "$1/q", "9.", "$-1", "1G%"] {
        assert!(of(formula).is_err(), "{formula}");
    }
    assert!(of(&"1+".repeat(600)).unwrap_err().contains("1000 characters"));
}

#[test]
fn a_published_figure_is_as_exact_as_it_is_written() {
    let half = |text: &str| quantity(text).map(|(value, half)| (value.value, half));
    assert_eq!(half("$392000"), Some((392_000.0, 0.5)));
    assert_eq!(half("$0.036"), Some((0.036, 0.0005)));
    assert_eq!(half("12.5k"), Some((12_500.0, 50.0)));
    assert_eq!(half("320ms"), Some((0.32, 0.0005)));
    assert_eq!(half("1200/s"), Some((1200.0, 0.5)));
    assert_eq!(half("-5"), Some((-5.0, 0.5)));
    assert_eq!(half("1 + 2"), None);
    assert_eq!(half("x"), None);
}

#[test]
fn names_are_words_that_formulas_do_not_have() {
    assert_eq!(check_name("gpt_41"), Ok(()));
    for name in ["", "4o", "gpt-4", "max", "a b"] {
        assert!(check_name(name).is_err(), "{name}");
    }
}
