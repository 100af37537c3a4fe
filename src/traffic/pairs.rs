//! Input and output drawn together: the lengths of a trace's requests, each pair as likely as the next.
//!
//! Input and output hang together where laws of their own would not know it: long prompts of a summary get short answers, long questions get
//! long ones. A pair that is drawn is one that was measured (the bootstrap of Efron, *Annals of Statistics* 7, 1979), so that the joint law is
//! the trace's own; no length lies between two that occurred, or beyond the longest. When requests come is another matter: that is `arrivals`.
//!
//! Left out: what one request's lengths have to do with those of the next, which `replay` keeps.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::arrivals::{Reading, Row, TraceColumns};
use crate::form::named::Named;
use crate::kernel::chance::{Key, Purpose, index};

/// The trace whose lengths requests have, and how it is read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PairsSpec {
    /// The trace: a path relative to the experiment, or a file name that is looked up in `--trace` and SIMCAP_TRACES.
    pub trace: String,
    /// The columns of a trace whose form is not a known one. Default: those of the form that its header shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<TraceColumns>,
    /// Values that rows must have, by column: `{ "Model": "GPT-4" }`. Default: all rows are taken.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub only: Named<String>,
    /// The number of rows that may be wrong: they are left out and counted. Default: 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skip_bad_rows: u64,
}

fn is_zero(value: &u64) -> bool {
    *value == 0
}

impl PairsSpec {
    /// How the trace's file is read.
    pub fn reading(&self) -> Reading {
        let only = self
            .only
            .iter()
            .map(|(column, value)| (column.to_owned(), value.clone()));
        Reading {
            columns: self.columns.clone(),
            only: only.collect(),
            keep: None,
            skip_bad_rows: self.skip_bad_rows,
        }
    }
}

/// Lengths of requests.
#[derive(Clone, Debug)]
pub struct Pairs(Arc<[Row]>);

impl Pairs {
    /// The lengths of these rows; `None` if there are none.
    pub fn of(rows: Arc<[Row]>) -> Option<Pairs> {
        (!rows.is_empty()).then_some(Pairs(rows))
    }

    /// Input and output tokens of the request that `key` belongs to.
    #[inline]
    pub fn pick(&self, key: Key) -> (u32, u32) {
        let row = self.0[index(key.draw(Purpose::Input), self.0.len())];
        (row.input, row.output)
    }

    /// Mean input and output tokens.
    pub fn means(&self) -> (f64, f64) {
        let mean = |of: fn(&Row) -> u32| {
            let sum: u64 = self.0.iter().map(|row| u64::from(of(row))).sum();
            sum as f64 / self.0.len() as f64
        };
        (mean(|row| row.input), mean(|row| row.output))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::chance::Chance;
    use crate::kernel::time::Span;

    /// Of three pairs each comes a third of the time (a standard deviation of 0.0027 over 30,000 draws), and no other pair.
    #[test]
    fn pairs_that_occurred_are_drawn_evenly() {
        let rows = [(10, 900), (20, 5), (3000, 40)].map(|(input, output)| Row {
            at: Span::ZERO,
            input,
            output,
        });
        let pairs = Pairs::of(rows.into()).unwrap();
        assert_eq!(pairs.means(), (1010.0, 315.0));
        let mut drawn = [0.0; 3];
        for id in 0..30_000 {
            let pair = pairs.pick(Chance::new(1, 0).request(id));
            let place = rows.iter().position(|row| (row.input, row.output) == pair).unwrap();
            drawn[place] += 1.0 / 30_000.0;
        }
        assert!(
            drawn.iter().all(|share| (share - 1.0 / 3.0_f64).abs() < 0.01),
            "{drawn:?}"
        );
        assert!(Pairs::of(Arc::new([])).is_none());
    }
}
