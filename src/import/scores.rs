//! Scores of several models' answers to the same requests, from CSV: which were good, column by column.
//!
//! One row a request, one column a model, as the header names them; a score of ½ or more is a good answer. An empty field means that
//! there was none. Columns that are not asked for are not read, so that a file may say more of each request.

use std::io::Read;

use super::source::Rows;

/// The scores of one file, as far as they were asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scores {
    /// The columns, by name, in the order of the file.
    pub columns: Vec<String>,
    /// By row, whether each column's answer was good; `None` where there is no answer.
    pub rows: Vec<Vec<Option<bool>>>,
}

/// Why scores cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unread(String);

/// The score from which an answer is good.
const GOOD: f64 = 0.5;

/// Reads the columns that `wants` names.
///
/// # Errors
/// If it is not CSV, a column comes twice, or a field is not a number.
pub fn read<R: Read>(source: &mut Rows<R>, wants: impl Fn(&str) -> bool) -> Result<Scores, Unread> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(source);
    let header = reader.headers().map_err(|e| Unread(e.to_string()))?.clone();
    let places: Vec<usize> = (0..header.len()).filter(|&i| wants(&header[i])).collect();
    let columns: Vec<String> = places.iter().map(|&i| header[i].to_owned()).collect();
    for (i, column) in columns.iter().enumerate() {
        if columns[..i].contains(column) {
            return Err(Unread(format!("two columns are called `{column}`")));
        }
    }
    let mut rows = Vec::new();
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(|e| Unread(e.to_string()))? {
        let line = record.position().map_or(0, csv::Position::line);
        let score = |(&place, column): (&usize, &String)| match record.get(place).unwrap_or_default() {
            "" => Ok(None),
            field => match field.parse::<f64>() {
                Ok(score) if score.is_finite() => Ok(Some(score >= GOOD)),
                _ => Err(Unread(format!(
                    "line {line}, column `{column}`: {:?} is not a score: must be a number, 0 to 1, or empty",
                    field.chars().take(100).collect::<String>()
                ))),
            },
        };
        rows.push(places.iter().zip(&columns).map(score).collect::<Result<Vec<_>, _>>()?);
    }
    Ok(Scores { columns, rows })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Scores, Unread> {
        read(&mut Rows::of(text.as_bytes(), 1000), |name| name != "prompt")
    }

    #[test]
    fn scores_become_good_and_bad_and_what_is_empty_is_neither() {
        let scores = of("prompt,a,b\nx,1,0.5\ny,0.49,\nz,-0.2,1.0\n").unwrap();
        assert_eq!(scores.columns, ["a", "b"]);
        assert_eq!(
            scores.rows,
            [[Some(true), Some(true)], [Some(false), None], [Some(false), Some(true)]]
        );
    }

    #[test]
    fn what_is_not_a_score_is_refused_at_its_place() {
        for (text, message) in [
            ("a,a\n1,1\n", "two columns are called `a`"),
            (
                "a,b\n1,0\n1,good\n",
                "line 3, column `b`: \"good\" is not a score: must be a number, 0 to 1, or empty",
            ),
        ] {
            assert_eq!(of(text).unwrap_err().to_string(), message);
        }
        assert!(of("a,b\n1\n").is_err());
    }
}
