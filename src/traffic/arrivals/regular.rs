//! Regular arrivals: one at every multiple of a constant interval.
//!
//! Constant-rate load generators send these (vegeta, wrk2), and they are the D of the queue D/M/c.
//!
//! ```json
//! { "regular": { "rate": "10/s" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Arrival, Arrivals, ArrivalsSpec, BuildArrivals};
use crate::form::build::{Built, Names};
use crate::form::units::Rate;
use crate::kernel::chance::Key;
use crate::kernel::time::Time;
use crate::traffic::rows::Rows;

/// Arrivals with constant gaps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Regular {
    /// Rate of arrivals, like "10/s".
    pub rate: Rate,
}

impl BuildArrivals for Regular {
    fn build(&self, _trace: Option<Rows>, _names: &Names<'_>) -> Built<Box<dyn Arrivals>> {
        Ok(Box::new(Running {
            count: self.rate.count(),
            period: self.rate.per().nanos(),
            sent: 0,
        }))
    }

    fn rate(&self) -> Option<f64> {
        Some(self.rate.per_second())
    }

    fn scaled(&self, factor: f64) -> Option<ArrivalsSpec> {
        let rate = self.rate.times(factor)?;
        Some(Regular { rate }.into())
    }
}

#[derive(Clone, Debug)]
struct Running {
    count: u64,
    period: u64,
    sent: u64,
}

impl Arrivals for Running {
    /// The n-th arrival is at n × period / count exactly, so that rounding does not add up.
    fn next(&mut self, _key: Key) -> Option<Arrival> {
        self.sent += 1;
        let at = u128::from(self.sent) * u128::from(self.period) / u128::from(self.count);
        Some(Arrival::at(Time::from_nanos(at as u64)))
    }

    fn fresh(&self, _own: Key) -> Box<dyn Arrivals> {
        Box::new(self.clone())
    }
}
