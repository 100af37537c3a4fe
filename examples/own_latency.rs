//! A latency law of your own, in a program that is the whole `simcap` command besides.
//!
//! Answers come from a server that batches: a request waits for the next of the ticks that are `period` apart, and then for a
//! time that is the same for all. So the time to first token is uniform over one period, above a floor. The law implements
//! [`Law`]: quantiles, distribution function and mean, in nanoseconds.
//!
//! ```sh
//! cargo run --release --example own_latency -- run examples/own_latency.json
//! ```
//!
//! prints the figures of a provider with this law and of one whose law is exponential with the same mean: the medians and the tails
//! of TTFT differ, the means do not. The whole report is written to `reports/own_latency/report.html`.

use std::process::ExitCode;

use clap::Parser;
use simcap::cli::Cli;
use simcap::form::build::{Built, Names, Refusal};
use simcap::form::own::OwnParts;
use simcap::form::units::Duration;
use simcap::kernel::law::{Law, Tail};

/// The time to first token of a server that begins a batch every `period` nanoseconds, and takes `floor` for it.
#[derive(Clone, Copy, Debug)]
struct Ticks {
    period: f64,
    floor: f64,
}

impl Law for Ticks {
    fn quantile(&self, at: Tail) -> f64 {
        let below = match at {
            Tail::Lower(p) => p,
            Tail::Upper(p) => 1.0 - p,
        };
        self.floor + self.period * below
    }

    fn cdf(&self, x: f64) -> f64 {
        ((x - self.floor) / self.period).clamp(0.0, 1.0)
    }

    fn sf(&self, x: f64) -> f64 {
        1.0 - self.cdf(x)
    }

    fn mean(&self) -> f64 {
        self.floor + self.period / 2.0
    }
}

pub(crate) fn ticks(parameters: &serde_json::Value, _names: &Names<'_>) -> Built<Box<dyn Law>> {
    let read = |field: &'static str| -> Built<f64> {
        let duration = serde_json::from_value::<Duration>(parameters[field].clone());
        let duration = duration.map_err(|error| Refusal::of(error).at(field))?;
        Ok(duration.span().nanos() as f64)
    };
    let (period, floor) = (read("period")?, read("floor")?);
    if period <= 0.0 {
        return Err(Refusal::new("a period of 0s: must be longer").at("period"));
    }
    Ok(Box::new(Ticks { period, floor }))
}

fn main() -> ExitCode {
    Cli::parse().run_with(&OwnParts::default().law("ticks", ticks))
}
