//! What was measured, in one form, whoever measured it.
//!
//! Tools differ in what they call TTFT or the time between tokens, and in their units. A reader turns a tool's file into a
//! [`Log`]: times in seconds from when a request was *sent*, so that what the measuring client waited before is apart
//! ([`Observation::dispatch`]); TPOT without the first token, (e2e − ttft) / (output tokens − 1).
//! Reports that keep percentiles alone are [`Stage`]s.

use std::collections::BTreeMap;

use super::probe::Quotas;
use crate::experiment::calibration::LogFile;
use crate::provider::pricing::PerToken;
use crate::words::Outcome;

/// The measurements of one or several files.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Log {
    /// The files, in order.
    pub sources: Vec<Source>,
    /// What was measured, by name: an endpoint, or a model at one.
    pub targets: Vec<String>,
    /// What targets cost, by name, where a file says.
    pub prices: BTreeMap<String, PerToken>,
    /// Single requests, in order of time where it is known and otherwise in order of the file.
    pub observations: Vec<Observation>,
    /// Requests that only warmed up: no law is of them, but they took from quotas.
    pub warmups: Vec<Observation>,
    /// Summaries of many requests.
    pub stages: Vec<Stage>,
    /// What the reader of a file must say of it: rows left out and why, figures that could not be told.
    pub notes: Vec<String>,
}

impl Log {
    /// Says what a target costs; `true` if something else was said before.
    pub fn set_prices(&mut self, target: &str, prices: PerToken) -> bool {
        let changed = self.prices.get(target).is_some_and(|before| *before != prices);
        self.prices.insert(target.to_owned(), prices);
        changed
    }

    /// The files, as a model file names them.
    pub fn files(&self) -> Vec<LogFile> {
        let file = |source: &Source| LogFile {
            name: source.file.clone(),
            sha256: source.sha256.clone(),
        };
        self.sources.iter().map(file).collect()
    }
}

/// Where measurements come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The file, as the caller named it.
    pub file: String,
    /// Its format in words: "GuideLLM 0.8.1 JSON".
    pub format: String,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

/// How long something took, if that is known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Timing {
    /// So many seconds.
    Seen(f64),
    /// More than so many seconds: whoever waited gave up (a timeout is a censored latency, not a missing one).
    AtLeast(f64),
    /// Nobody wrote it down, or it never began.
    #[default]
    Unknown,
}

impl Timing {
    /// The seconds, if it was seen to its end.
    pub fn seen(self) -> Option<f64> {
        match self {
            Timing::Seen(seconds) => Some(seconds),
            Timing::AtLeast(_) | Timing::Unknown => None,
        }
    }
}

/// One request, as it was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// Which target, by place in [`Log::targets`].
    pub target: u16,
    /// When it was due, in seconds from the first of its file; nothing if the file has no times.
    pub at: Option<f64>,
    /// When that was by the clock, in seconds since 1970 (UTC), if the file says.
    pub unix: Option<f64>,
    /// Seconds from when it was due until it was sent: the measuring client's own delay.
    pub dispatch: Option<f64>,
    /// The step of load that it belongs to, from 0; 0 if there are none.
    pub step: u32,
    /// Requests of the same client in flight when it was sent, itself included.
    pub in_flight: Option<u32>,
    /// Input tokens, as the endpoint counts.
    pub input: Option<u32>,
    /// Of these, tokens that it found in its prompt cache.
    pub cached: Option<u32>,
    /// Output tokens, as the endpoint counts, reasoning included.
    pub output: Option<u32>,
    /// Of these, tokens of reasoning.
    pub reasoning: Option<u32>,
    /// Pieces of the stream that carried tokens: a piece may hold several.
    pub chunks: Option<u32>,
    /// From sent to the first content token (or reasoning token, if that came first).
    pub ttft: Timing,
    /// Seconds for each token after the first.
    pub tpot: Option<f64>,
    /// From sent to the end.
    pub e2e: Timing,
    /// How it ended.
    pub outcome: Outcome,
    /// What a refusal said of when to come back, in seconds.
    pub retry_after: Option<f64>,
    /// What the headers of the answer said of quotas.
    pub quotas: Option<Quotas>,
}

/// Many requests at one load, of which only a summary is left.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stage {
    /// Which target, by place in [`Log::targets`].
    pub target: u16,
    /// Its name: file and number.
    pub name: String,
    /// Requests a second that were asked for.
    pub requested_rate: Option<f64>,
    /// Requests a second that were sent, or answered where that is all that is known.
    pub achieved_rate: Option<f64>,
    /// Requests that succeeded.
    pub successes: u64,
    /// Requests that failed.
    pub failures: u64,
    /// Time to first token, in seconds.
    pub ttft: Option<Summary>,
    /// Seconds for each token after the first.
    pub tpot: Option<Summary>,
    /// The whole request, in seconds.
    pub e2e: Option<Summary>,
    /// Input tokens.
    pub input: Option<Summary>,
    /// Output tokens.
    pub output: Option<Summary>,
}

/// What is left of a sample.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Its mean.
    pub mean: Option<f64>,
    /// Pairs (share of values at or below, value), in order of share; 0 is the least and 1 the most.
    pub quantiles: Vec<(f64, f64)>,
}
