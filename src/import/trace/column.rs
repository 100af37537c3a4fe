//! The numbers of one column, of any file that has the form of a trace: what a law says that is measured.
//!
//! Every row has one, finite and 0 or more: a row that has none is refused, since leaving it out would change the law.

use std::borrow::Cow;
use std::io::{self, BufReader};

use super::records::Records;
use super::{TraceError, forms, packed};
use crate::form::diagnose::quoted;
use crate::form::laws::MOST_VALUES;

/// Reads the column called `name`.
///
/// # Errors
/// If there is no such column or it is there twice, a row has no number of 0 or more there, there are no rows or more than
/// [`MOST_VALUES`], or `source` fails.
pub fn column(source: impl io::Read, name: &str) -> Result<Vec<f64>, TraceError> {
    let mut values = Vec::new();
    packed(&mut BufReader::new(source), &mut |records| {
        take(records, name, &mut values)
    })?;
    Ok(values)
}

fn take(records: &mut dyn Records, name: &str, values: &mut Vec<f64>) -> Result<(), TraceError> {
    let column = forms::column(records.header()?, name, true)?;
    // Where both a comma and a point may be the decimal one, what only ever stands before three digits may part thousands.
    let (mut has_points, mut are_thousands) = (false, records.has_decimal_commas());
    while let Some(line) = records.next()? {
        let wrong = |what: String| TraceError::Row { line, what };
        if values.len() == MOST_VALUES {
            return Err(wrong(format!("a column of more than {MOST_VALUES} values")));
        }
        let found: Cow<'_, str> = records.text(&column);
        if are_thousands && found.contains('.') {
            has_points = true;
            are_thousands = is_in_thousands(found.trim());
        }
        let read = if records.has_decimal_commas() && !found.contains('.') {
            found.trim().replacen(',', ".", 1).parse::<f64>()
        } else {
            found.trim().parse::<f64>()
        };
        match read {
            Ok(value) if value >= 0.0 && value.is_finite() => values.push(value),
            _ => {
                let found = match found.trim() {
                    "" => "nothing".to_owned(),
                    found => format!("\"{}\"", quoted(found)),
                };
                return Err(wrong(format!(
                    "{}: {found} is not a number of 0 or more",
                    quoted(&column.name)
                )));
            }
        }
    }
    if values.is_empty() {
        return Err(TraceError::Empty);
    }
    if has_points && are_thousands {
        return Err(TraceError::Source(format!(
            "{}: every point stands before three digits, between cells that semicolons part: of thousands or of fractions? Write the \
             numbers without it, or fractions with a comma",
            quoted(&column.name)
        )));
    }
    Ok(())
}

/// Whether a number is written as one whose thousands are parted by points: `1.234`, and not `0.537`.
fn is_in_thousands(text: &str) -> bool {
    let mut parts = text.split('.');
    let first = parts.next().unwrap_or_default();
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let begins = (1..=3).contains(&first.len()) && is_number(first) && !first.starts_with('0');
    begins && parts.all(|part| part.len() == 3 && is_number(part))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn of(text: &str, name: &str) -> Result<Vec<f64>, String> {
        column(text.as_bytes(), name).map_err(|error| error.to_string())
    }

    #[test]
    fn columns_of_tables_and_of_objects_are_read_packed_or_not() {
        let csv = "id,output_tokens,ok\na,12,1\nb,0,1\nc,2.5e2,0\n";
        assert_eq!(of(csv, "output_tokens"), Ok(vec![12.0, 0.0, 250.0]));
        assert_eq!(of(&csv.replace(',', ";"), "Output_Tokens"), Ok(vec![12.0, 0.0, 250.0]));
        let lines = "{\"usage\": {\"output\": 12}}\n{\"usage\": {\"output\": \"7\"}}\n";
        assert_eq!(of(lines, "usage.output"), Ok(vec![12.0, 7.0]));
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(csv.as_bytes()).unwrap();
        let packed = gzip.finish().unwrap();
        assert_eq!(column(&packed[..], "ok").unwrap(), [1.0, 1.0, 0.0]);
    }

    #[test]
    fn between_semicolons_a_comma_is_decimal_and_a_point_may_part_thousands() {
        assert_eq!(of("a;b\n1;0,537\n2;1\n", "b"), Ok(vec![0.537, 1.0]));
        assert_eq!(of("a;b\n1;0.537\n2;1.250\n", "b"), Ok(vec![0.537, 1.25]));
        assert_eq!(of("a,b\n1,1.234\n", "b"), Ok(vec![1.234]));
        let error = of("a;b\n0,5;1.234\n1,5;2.000\n", "b").unwrap_err();
        assert!(
            error.starts_with("b: every point stands before three digits"),
            "{error}"
        );
    }

    #[test]
    fn what_is_no_number_is_refused_by_line_and_column() {
        for (text, message) in [
            ("a,b\n1,2\n3,\n", "line 3: b: nothing is not a number of 0 or more"),
            ("a,b\n1,x\n", "line 2: b: \"x\" is not a number of 0 or more"),
            ("a,b\n1,-2\n", "line 2: b: \"-2\" is not a number of 0 or more"),
            ("a,b\n1,NaN\n", "line 2: b: \"NaN\" is not a number of 0 or more"),
            ("a,b\n1,1e999\n", "line 2: b: \"1e999\" is not a number of 0 or more"),
            ("a,b\n1,2,3\n", "line 2: a row of 3 cells under a header of 2"),
            ("but,c\n1,2\n", "no column `b`; the header has: but, c"),
            ("b,b\n1,2\n", "the header has 2 columns `b`: which is meant?"),
            ("a,b\n", "no rows under the header"),
            ("", "it is empty"),
            (
                "{\"b\": 1}\n{\"a\": 1}\n",
                "line 2: b: nothing is not a number of 0 or more",
            ),
            ("{\"b\": [1]}\n", "line 1: b: \"[1]\" is not a number of 0 or more"),
            ("[{\"b\": 1}, 3]", "line 1: it is not a JSON object"),
        ] {
            assert_eq!(of(text, "b").unwrap_err(), message, "{text}");
        }
    }
}
