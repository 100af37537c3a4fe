//! Measurements of any tool, in one form.
//!
//! Tools differ in their definitions of TTFT and the time between tokens, and in their units. A reader turns a tool's
//! file into a [`Log`]: times in seconds from when a request was *sent*, so that the delay of the measuring client is
//! separate ([`Observation::dispatch`]); TPOT without the first token, (e2e − ttft) / (output tokens − 1). Reports that
//! keep percentiles alone are [`Stage`]s.

use std::collections::BTreeMap;

use super::probe::Quotas;
use crate::experiment::calibration::LogFile;
use crate::provider::pricing::PerToken;
use crate::words::Outcome;

/// The measurements of one or several files.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Log {
    /// The files, in the order in which they were given.
    pub sources: Vec<Source>,
    /// The names of the measured targets: an endpoint, or a model at one.
    pub targets: Vec<String>,
    /// The prices of targets, by name, where a file states them.
    pub prices: BTreeMap<String, PerToken>,
    /// What a target is, by its name, where a file states it: the model and the address.
    pub endpoints: BTreeMap<String, String>,
    /// Requests that a gateway's response cache answered, by target, where a file tells them apart: no others are counted with them.
    pub cache_hits: BTreeMap<String, u64>,
    /// Single requests, in order of time where it is known and otherwise in order of the file.
    pub observations: Vec<Observation>,
    /// Warm-up requests: no law is made of them, but they used quotas.
    pub warmups: Vec<Observation>,
    /// Summaries of many requests.
    pub stages: Vec<Stage>,
    /// How many requests there were in steps of which a sample was kept, so many of each way to end.
    pub totals: Vec<Totals>,
    /// Remarks of the reader of a file: rows left out and why, figures that could not be determined.
    pub notes: Vec<String>,
}

impl Log {
    /// Sets the prices of a target; `true` if it replaces different ones.
    pub fn set_prices(&mut self, target: &str, prices: PerToken) -> bool {
        let changed = self.prices.get(target).is_some_and(|before| *before != prices);
        self.prices.insert(target.to_owned(), prices);
        changed
    }

    /// The files in the form of a model file.
    pub fn files(&self) -> Vec<LogFile> {
        let file = |source: &Source| LogFile {
            name: source.file.clone(),
            sha256: source.sha256.clone(),
        };
        self.sources.iter().map(file).collect()
    }
}

/// A file that measurements come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The path, as the caller gave it.
    pub file: String,
    /// The format in words: "GuideLLM 0.8.1 JSON".
    pub format: String,
    /// SHA-256 of the content, in hexadecimal.
    pub sha256: String,
}

/// The requests of a step of which the log keeps a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Totals {
    /// The index of the target in [`Log::targets`].
    pub target: u16,
    /// The step of load.
    pub step: u32,
    /// Requests that succeeded.
    pub successful: u64,
    /// Requests that failed.
    pub failed: u64,
    /// Requests that the client called off, which say nothing of the endpoint.
    pub cancelled: u64,
    /// Requests a second, of whatever end; `None` if it is not known.
    pub rate: Option<f64>,
}

impl Totals {
    /// The requests that were sent and not called off.
    pub fn sent(&self) -> u64 {
        self.successful + self.failed
    }

    /// For how many requests one of this outcome stands, where the log keeps as many successes and failures as `kept` says.
    pub fn weight(&self, outcome: Outcome, kept: [u64; 2]) -> f64 {
        let of = |all: u64, kept: u64| all as f64 / kept.max(1) as f64;
        if outcome == Outcome::Success {
            of(self.successful, kept[0])
        } else if outcome == Outcome::Cancelled {
            1.0
        } else {
            of(self.failed, kept[1])
        }
    }
}

/// A duration, if it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Timing {
    /// A duration in seconds.
    Seen(f64),
    /// A right-censored duration: the wait was given up after this many seconds. A timeout is a censored latency, not a
    /// missing one.
    AtLeast(f64),
    /// Not recorded, or it never began.
    #[default]
    Unknown,
}

impl Timing {
    /// The duration in seconds, if it was seen to its end.
    pub fn seen(self) -> Option<f64> {
        match self {
            Timing::Seen(seconds) => Some(seconds),
            Timing::AtLeast(_) | Timing::Unknown => None,
        }
    }
}

/// The measurement of one request.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// The index of the target in [`Log::targets`].
    pub target: u16,
    /// When it was due, in seconds from the first request of its file; `None` if the file has no times.
    pub at: Option<f64>,
    /// When it was due by the clock, in seconds since 1970 (UTC), if the file states that.
    pub unix: Option<f64>,
    /// Seconds from when it was due until it was sent: the measuring client's own delay.
    pub dispatch: Option<f64>,
    /// The step of load that it belongs to, from 0; 0 if there are none.
    pub step: u32,
    /// Requests of the same client in flight when it was sent, itself included.
    pub in_flight: Option<u32>,
    /// Input tokens, as the endpoint counts them; of a request that failed never 0, which says that they are not known.
    pub input: Option<u32>,
    /// Input tokens that the endpoint found in its prompt cache.
    pub cached: Option<u32>,
    /// Output tokens, as the endpoint counts them, reasoning included; not known of a request that failed, whatever its file says.
    pub output: Option<u32>,
    /// Output tokens of reasoning.
    pub reasoning: Option<u32>,
    /// Pieces of the stream that carried tokens: a piece may hold several.
    pub chunks: Option<u32>,
    /// Time from sending to the first content token (or reasoning token, if that came first).
    pub ttft: Timing,
    /// Time per output token after the first, in seconds.
    pub tpot: Option<f64>,
    /// Time from sending to the end.
    pub e2e: Timing,
    /// The outcome of the request.
    pub outcome: Outcome,
    /// The time after which a refusal allowed a retry, in seconds.
    pub retry_after: Option<f64>,
    /// The quotas as the headers of the answer stated them.
    pub quotas: Option<Quotas>,
}

/// A summary of many requests at one load.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stage {
    /// The index of the target in [`Log::targets`].
    pub target: u16,
    /// The name of the stage: file and number.
    pub name: String,
    /// The requested rate, in requests a second.
    pub requested_rate: Option<f64>,
    /// The achieved rate in requests a second: sent, or answered where only that is known.
    pub achieved_rate: Option<f64>,
    /// The number of requests that succeeded.
    pub successes: u64,
    /// The number of requests that failed.
    pub failures: u64,
    /// Time to first token, in seconds.
    pub ttft: Option<Summary>,
    /// Time per output token after the first, in seconds.
    pub tpot: Option<Summary>,
    /// Time of the whole request, in seconds.
    pub e2e: Option<Summary>,
    /// Input tokens of a request.
    pub input: Option<Summary>,
    /// Output tokens of a request.
    pub output: Option<Summary>,
}

/// A summary of a sample.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// The mean of the sample.
    pub mean: Option<f64>,
    /// Pairs (share of values at or below, value), in order of share; 0 is the least and 1 the most.
    pub quantiles: Vec<(f64, f64)>,
}
