//! A recorded trace, request by request: real arrival times with real token lengths.
//!
//! The trace fixes arrivals and lengths, so every replication meets the same ones and only the providers' side varies:
//! the intervals then say nothing of how another hour of traffic would differ. `speed` 2 plays the trace in half its
//! time, which doubles the rate and keeps its shape. Rows that share a time arrive together, in the order of the file.
//!
//! ```json
//! { "replay": { "trace": "AzureLLMInferenceTrace_conv.csv", "speed": 2.0 } }
//! ```

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Arrival, Arrivals, BuildArrivals};
use crate::form::build::{Built, Names, Refusal};
use crate::kernel::chance::Key;
use crate::kernel::time::{Span, Time};

/// A trace and how fast to play it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// The trace: a path relative to the experiment, or a file name that is looked up in `--trace` and SIMCAP_TRACES.
    pub trace: String,
    /// Factor on the recorded rate, from 0.001 to 10000: 2 plays the trace twice as fast. Default: 1.
    #[serde(default = "one")]
    pub speed: f64,
}

fn one() -> f64 {
    1.0
}

/// One request of a recorded trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The time of arrival, counted from the first row.
    pub at: Span,
    /// The number of input tokens.
    pub input: u32,
    /// The number of output tokens.
    pub output: u32,
}

impl BuildArrivals for Replay {
    fn build(&self, trace: Option<Arc<[Row]>>, _names: &Names<'_>) -> Built<Box<dyn Arrivals>> {
        if !(1e-3..=1e4).contains(&self.speed) {
            return Err(
                Refusal::new(format!("speed is {}, and must lie between 0.001 and 10000", self.speed)).at("speed"),
            );
        }
        let rows = trace.ok_or_else(|| Refusal::new("the trace was not loaded").at("trace"))?;
        Ok(Box::new(Running {
            rows,
            speed: self.speed,
            next: 0,
        }))
    }

    fn rate(&self) -> Option<f64> {
        None
    }

    fn trace(&self) -> Option<&str> {
        Some(&self.trace)
    }
}

#[derive(Clone, Debug)]
struct Running {
    rows: Arc<[Row]>,
    speed: f64,
    next: usize,
}

impl Arrivals for Running {
    fn next(&mut self, _key: Key) -> Option<Arrival> {
        let row = self.rows.get(self.next)?;
        self.next += 1;
        let at = if self.speed == 1.0 {
            row.at.nanos()
        } else {
            (row.at.nanos() as f64 / self.speed) as u64
        };
        Some(Arrival {
            at: Time::from_nanos(at),
            tokens: Some((row.input, row.output)),
            turn: None,
        })
    }

    fn fresh(&self, _own: Key) -> Box<dyn Arrivals> {
        Box::new(self.clone())
    }
}
