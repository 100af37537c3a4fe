//! The values of a column of a file as they are, each as likely as the others: measured lengths or times, without a curve through them.
//!
//! The file is a CSV (with commas, semicolons or tabs) or JSON (an object a line, or a list), packed with gzip or zstd or not, and lies where the
//! experiment says, from its folder, or below SIMCAP_TRACES as a trace may. Points part the names of members within members (`usage.output`). Every row must have a
//! number of 0 or more there. A column of times is of seconds unless `unit` says otherwise; with a column of numbers it is left out.
//! What was not measured does not occur: the largest value is the column's. `empirical` joins values by straight lines, and reads them
//! from the experiment itself; a class's `pairs` draw both lengths of a request together. Stands in experiments: a model's file is
//! whole by itself.
//!
//! ```json
//! { "column": { "file": "measured.csv", "column": "ttft_ms", "unit": "ms" } }
//! ```

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildLaw, Magnitude, refusal};
use crate::form::build::{Built, Names, Refusal};
use crate::form::units::TimeUnit;
use crate::kernel::law::{self, Law};
use crate::kernel::sampler::Sampler;

/// The most values of a column.
pub const MOST: usize = 10_000_000;

/// The values of a column of a file, each as likely as the others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, bound = "")]
pub struct Column<Q: Magnitude> {
    /// The file, from the experiment's folder, or below SIMCAP_TRACES.
    pub file: String,
    /// The column that has the values, 1 to 10,000,000.
    pub column: String,
    /// What the numbers count, where they are times. Default: `s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<TimeUnit>,
    #[serde(skip)]
    of: PhantomData<Q>,
}

/// The columns that laws of an experiment name, by file and column, each with its values in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<Packed>", into = "Vec<Packed>")]
pub struct Columns(BTreeMap<(String, String), Arc<[f64]>>);

/// File and column, and every value with how often it is there.
type Packed = (String, String, Vec<(f64, u32)>);

impl From<Columns> for Vec<Packed> {
    fn from(columns: Columns) -> Vec<Packed> {
        let pack = |((file, column), values): ((String, String), Arc<[f64]>)| {
            let runs = values.chunk_by(|a, b| a == b);
            (file, column, runs.map(|run| (run[0], run.len() as u32)).collect())
        };
        columns.0.into_iter().map(pack).collect()
    }
}

impl From<Vec<Packed>> for Columns {
    fn from(packed: Vec<Packed>) -> Columns {
        let mut columns = Columns::default();
        for (file, column, runs) in packed {
            let all = runs
                .into_iter()
                .flat_map(|(value, many)| std::iter::repeat_n(value, many as usize));
            columns.insert(file, column, Columns::ordered(all.take(MOST).collect()));
        }
        columns
    }
}

impl Columns {
    /// Values in order.
    pub fn ordered(mut values: Vec<f64>) -> Arc<[f64]> {
        values.sort_unstable_by(f64::total_cmp);
        values.into()
    }

    /// Gives the column its values, which are in order.
    pub fn insert(&mut self, file: String, column: String, values: Arc<[f64]>) {
        self.0.insert((file, column), values);
    }

    /// Whether the column has its values.
    pub fn has(&self, file: &str, column: &str) -> bool {
        self.0.contains_key(&(file.to_owned(), column.to_owned()))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of values that differ, of all columns together.
    pub fn distinct(&self) -> usize {
        let of_one = |values: &Arc<[f64]>| values.chunk_by(|a, b| a == b).count();
        self.0.values().map(of_one).sum()
    }
}

impl<Q: Magnitude> Column<Q> {
    /// The values in order, in nanoseconds or plain numbers.
    fn values(&self, names: &Names<'_>) -> Built<Arc<[f64]>> {
        let factor = match (Q::SECOND, self.unit) {
            (None, Some(_)) => return Err(Refusal::new("these are no times: leave this out").at("unit")),
            (None, None) => 1.0,
            (Some(second), unit) => second / unit.unwrap_or_default().of_a_second() as f64,
        };
        let Some(columns) = names.extra::<Columns>() else {
            let text = "a column of a file stands in an experiment alone: a model has `empirical` quantiles instead";
            return Err(Refusal::new(text));
        };
        let key = (self.file.clone(), self.column.clone());
        let not_read = || Refusal::new(format!("`{}` was not read", self.file)).at("file");
        let values = columns.0.get(&key).ok_or_else(not_read)?;
        if factor == 1.0 {
            return Ok(Arc::clone(values));
        }
        Ok(values.iter().map(|value| value * factor).collect())
    }
}

impl<Q: Magnitude> BuildLaw for Column<Q> {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Law>> {
        Ok(Box::new(law::Sample::new(self.values(names)?).map_err(refusal)?))
    }

    fn sampler(&self, names: &Names<'_>) -> Built<Sampler> {
        let values = self.values(names)?;
        law::Sample::new(Arc::clone(&values)).map_err(refusal)?;
        Ok(Sampler::Values(values))
    }
}

#[cfg(test)]
mod tests {
    use super::super::LawSpec;
    use super::*;
    use crate::form::units::Duration;
    use crate::kernel::law::Tail;

    fn columns(values: &[f64]) -> Columns {
        let mut columns = Columns::default();
        columns.insert("a.csv".to_owned(), "x".to_owned(), Columns::ordered(values.to_vec()));
        columns
    }

    fn sampler<Q: Magnitude>(json: &str, columns: &Columns) -> Built<Sampler> {
        let spec: LawSpec<Q> = serde_json::from_str(json).unwrap_or_else(|e| panic!("{json}: {e}"));
        let names = Names {
            extras: &[columns],
            ..Names::default()
        };
        let median = spec.law(&names)?.quantile(Tail::Lower(0.5));
        let sampler = spec.sampler(&names)?;
        assert_eq!(median, sampler.at((1 << 63) - 1));
        Ok(sampler)
    }

    #[test]
    fn times_have_a_unit_and_numbers_have_none() {
        let columns = columns(&[250.0, 0.5, 2.0]);
        for (unit, middle) in [
            ("", 2e9),
            (r#", "unit": "s""#, 2e9),
            (r#", "unit": "ms""#, 2e6),
            (r#", "unit": "ns""#, 2.0),
        ] {
            let json = format!(r#"{{ "column": {{ "file": "a.csv", "column": "x"{unit} }} }}"#);
            assert_eq!(sampler::<Duration>(&json, &columns).unwrap().at(1 << 63), middle);
            let of_numbers = sampler::<f64>(&json, &columns);
            match unit {
                "" => assert_eq!(of_numbers.unwrap().at(u64::MAX), 250.0),
                _ => assert_eq!(of_numbers.unwrap_err().message, "these are no times: leave this out"),
            }
        }
    }

    #[test]
    fn what_was_not_read_is_refused_where_it_stands() {
        let json = r#"{ "column": { "file": "a.csv", "column": "y" } }"#;
        let refused = sampler::<f64>(json, &columns(&[1.0])).unwrap_err();
        assert_eq!(refused.message, "`a.csv` was not read");
        let spec: LawSpec<f64> = serde_json::from_str(json).unwrap();
        let refused = spec.law(&Names::default()).err().unwrap();
        assert!(
            refused.message.contains("a model has `empirical` quantiles"),
            "{}",
            refused.message
        );
    }

    #[test]
    fn columns_are_the_same_after_they_were_packed() {
        let columns = columns(&[3.0, 1.0, 3.0, 0.1 + 0.2]);
        let packed = serde_json::to_string(&columns).unwrap();
        assert_eq!(packed, r#"[["a.csv","x",[[0.30000000000000004,1],[1.0,1],[3.0,2]]]]"#);
        assert_eq!(serde_json::from_str::<Columns>(&packed).unwrap(), columns);
        assert_eq!(columns.distinct(), 3);
    }
}
