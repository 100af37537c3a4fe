//! The gates of a rollout: bounds on figures of the new side's last attempts, beside the old side's.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::form::build::{Built, Refusal};
use crate::form::units::{Duration, Fraction};
use crate::words::{Ended, Outcome, Outcomes};

/// The gates of a rollout, which the new side must pass.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gates {
    /// The gate on the share of failures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_rate: Option<ErrorRateGate>,
    /// The gate on a percentile of the time to the first token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttft: Option<LatencyGate>,
    /// The gate on a percentile of the time to the end of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e2e: Option<LatencyGate>,
}

/// A bound on the share of failures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ErrorRateGate {
    /// The largest share of failures. Give this, `times_old` or both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<Fraction>,
    /// The largest share of failures, as a multiple of the old side's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times_old: Option<f64>,
    /// The number of last attempts that count, 1 to 10000. Default: 100.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 10_000))]
    pub window: u32,
    /// The number of attempts needed for a judgement. Default: the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub min_requests: Option<u32>,
}

/// A bound on a percentile of a latency.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LatencyGate {
    /// The percentile as a share, above 0. Default: 0.95.
    #[serde(default = "p95")]
    pub percentile: Fraction,
    /// The largest value of the percentile. Give this, `times_old` or both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<Duration>,
    /// The largest value, as a multiple of the old side's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times_old: Option<f64>,
    /// The number of last attempts that count, 1 to 10000. Default: 100.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 10_000))]
    pub window: u32,
    /// The number of attempts needed for a judgement. Default: the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub min_requests: Option<u32>,
}

fn hundred() -> u32 {
    100
}

fn p95() -> Fraction {
    Fraction::new(0.95).unwrap_or(Fraction::ONE)
}

/// The largest window, in attempts.
const MOST: u32 = 10_000;

impl Gates {
    /// The gates as they run.
    pub(super) fn build(&self) -> Built<Vec<Gate>> {
        let mut gates = Vec::new();
        if let Some(gate) = &self.error_rate {
            let at_most = gate.at_most.map(Fraction::get);
            let limits = (at_most, gate.times_old);
            let built = Gate::new(Figure::Failures, limits, gate.window, gate.min_requests);
            gates.push(built.map_err(|r| r.at("error_rate"))?);
        }
        for (name, gate, figure) in [
            ("ttft", &self.ttft, Figure::Ttft as fn(f64) -> Figure),
            ("e2e", &self.e2e, Figure::E2e as fn(f64) -> Figure),
        ] {
            let Some(gate) = gate else { continue };
            let percentile = gate.percentile.get();
            if percentile == 0.0 {
                let refusal = Refusal::new("a percentile of 0: must be above 0");
                return Err(refusal.at("percentile").at(name));
            }
            let at_most = gate.at_most.map(|d| d.span().nanos() as f64);
            let limits = (at_most, gate.times_old);
            let built = Gate::new(figure(percentile), limits, gate.window, gate.min_requests);
            gates.push(built.map_err(|r| r.at(name))?);
        }
        Ok(gates)
    }
}

/// The figure that a gate looks at.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Figure {
    /// The share of failures.
    Failures,
    /// This percentile of the time to the first token, in nanoseconds.
    Ttft(f64),
    /// This percentile of the time to the end, in nanoseconds.
    E2e(f64),
}

/// A gate, as it runs.
#[derive(Debug)]
pub(super) struct Gate {
    figure: Figure,
    /// The absolute bound; infinite where there is none.
    at_most: f64,
    times_old: f64,
    min_requests: usize,
    new: Recent,
    old: Recent,
}

impl Gate {
    fn new(figure: Figure, limits: (Option<f64>, Option<f64>), window: u32, min_requests: Option<u32>) -> Built<Gate> {
        let (at_most, times_old) = limits;
        if at_most.is_none() && times_old.is_none() {
            let text = "a gate that lets everything through: give `at_most`, `times_old` or both";
            return Err(Refusal::new(text));
        }
        if let Some(times) = times_old.filter(|&times| !(times > 0.0 && times.is_finite())) {
            return Err(Refusal::new(format!("{times} times: must be above 0")).at("times_old"));
        }
        if !(1..=MOST).contains(&window) {
            let text = format!("a window of {window}: must be 1 to {MOST}");
            return Err(Refusal::new(text).at("window"));
        }
        let least = min_requests.unwrap_or(window);
        if !(1..=window).contains(&least) {
            let text = format!("a minimum of {least}: must be 1 to {window}, the window");
            return Err(Refusal::new(text).at("min_requests"));
        }
        let window = window as usize;
        Ok(Gate {
            figure,
            at_most: at_most.unwrap_or(f64::INFINITY),
            times_old: times_old.unwrap_or(f64::INFINITY),
            min_requests: least as usize,
            new: Recent::new(window),
            old: Recent::new(window),
        })
    }

    /// The name of the gate in the file.
    pub(super) fn name(&self) -> &'static str {
        match self.figure {
            Figure::Failures => "error_rate",
            Figure::Ttft(_) => "ttft",
            Figure::E2e(_) => "e2e",
        }
    }

    /// Notes an attempt that one of the sides sent and that has ended, well or `failed`.
    pub(super) fn note(&mut self, is_new: bool, ended: &Ended, failed: bool) {
        let in_vain = Outcomes::TIMEOUTS.contains(ended.outcome).then_some(ended.took);
        let figure = match self.figure {
            Figure::Failures => Some(u64::from(failed)),
            Figure::Ttft(_) => {
                let first = (ended.first_token <= ended.took).then_some(ended.first_token);
                first.or(in_vain).map(|t| t.nanos())
            }
            Figure::E2e(_) => {
                let whole = (ended.outcome == Outcome::Success).then_some(ended.took);
                whole.or(in_vain).map(|t| t.nanos())
            }
        };
        if let Some(figure) = figure {
            let side = if is_new { &mut self.new } else { &mut self.old };
            side.push(figure);
        }
    }

    /// Whether the new side's figure is above its bound.
    pub(super) fn fails(&self) -> bool {
        let Some(new) = self.figure_of(&self.new) else {
            return false;
        };
        let above_old = || self.figure_of(&self.old).is_some_and(|old| new > self.times_old * old);
        new > self.at_most || (self.times_old.is_finite() && above_old())
    }

    /// The figure of `side`, if there are enough attempts.
    fn figure_of(&self, side: &Recent) -> Option<f64> {
        if side.len() < self.min_requests {
            return None;
        }
        Some(match self.figure {
            Figure::Failures => side.share_of_ones(),
            Figure::Ttft(percentile) | Figure::E2e(percentile) => side.percentile(percentile),
        })
    }

    /// Forgets the new side's attempts.
    pub(super) fn forget_new(&mut self) {
        self.new.clear();
    }

    /// The gate in its initial state.
    pub(super) fn fresh(&self) -> Gate {
        Gate {
            new: Recent::new(self.new.window),
            old: Recent::new(self.old.window),
            ..*self
        }
    }
}

/// The last few values, in order of time and in order of size. It allocates when it is made and never again.
#[derive(Debug)]
struct Recent {
    window: usize,
    /// The values in order of time; the oldest is at `next` once it is full.
    ring: Vec<u64>,
    next: usize,
    sorted: Vec<u64>,
}

impl Recent {
    fn new(window: usize) -> Recent {
        Recent {
            window,
            ring: Vec::with_capacity(window),
            next: 0,
            sorted: Vec::with_capacity(window),
        }
    }

    fn len(&self) -> usize {
        self.sorted.len()
    }

    fn push(&mut self, value: u64) {
        if self.ring.len() < self.window {
            self.ring.push(value);
        } else {
            let oldest = std::mem::replace(&mut self.ring[self.next], value);
            let after = self.sorted.partition_point(|&v| v <= oldest);
            self.sorted.remove(after - 1);
            self.next = (self.next + 1) % self.window;
        }
        let after = self.sorted.partition_point(|&v| v <= value);
        self.sorted.insert(after, value);
    }

    fn share_of_ones(&self) -> f64 {
        let ones = self.len() - self.sorted.partition_point(|&v| v == 0);
        ones as f64 / self.len() as f64
    }

    /// The percentile by nearest rank.
    fn percentile(&self, percentile: f64) -> f64 {
        // The product of floats may lie a hair above the whole number that it stands for.
        let rank = (percentile * self.len() as f64 - 1e-9).ceil() as usize;
        self.sorted[rank.clamp(1, self.len()) - 1] as f64
    }

    fn clear(&mut self) {
        self.ring.clear();
        self.sorted.clear();
        self.next = 0;
    }
}
