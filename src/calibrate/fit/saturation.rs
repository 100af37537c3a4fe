//! Which steps of load were more than the endpoint could take.
//!
//! There the latency is the queue's and grows with the time of the test: no law meets it (of 18 saturated stages of
//! inference-perf's KubeCon runs every family misses by 62 % or more), so such steps are left to a model of the load. Two
//! signs: fewer than 97 % of the requests that were asked for came back in the time, or the requests in flight and the TTFT both
//! rise with significance during the step, by half their mean at least, over 30 s or more (GuideLLM 0.8.1 looks for the same two
//! slopes). The first sign needs a step of ten times its median answer, or the last answers alone would trip it.

use schemars::JsonSchema;
use serde::Serialize;

use crate::calibrate::log::{Observation, Stage, Timing};
use crate::stats::critical::Confidence;
use crate::stats::warmup::{Direction, Trend};

/// The share of the rate asked for that must be achieved.
pub(super) const ACHIEVED: f64 = 0.97;
/// Requests that a step must have for its slopes to be looked at.
const ENOUGH: usize = 30;
/// Seconds that a step must last for that.
const LONG_ENOUGH: f64 = 30.0;

/// One step of load.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Step {
    /// Its name: a number, or that of a summary.
    pub name: String,
    /// Requests in it.
    pub requests: u64,
    /// Requests a second that were asked for.
    pub requested: Option<f64>,
    /// Requests a second that came back.
    pub achieved: Option<f64>,
    /// Why it is left out of the laws; nothing if it is not.
    pub saturated: Option<String>,
}

/// A step of single requests, in order of time.
pub(super) fn of_step(number: u32, observations: &[&Observation]) -> Step {
    let due: Vec<f64> = observations.iter().filter_map(|o| o.at).collect();
    // Whoever gave up is done too: timeouts alone are no queue, and one that grows shows in the slopes.
    let ended = |o: &&Observation| match o.e2e {
        Timing::Seen(e2e) | Timing::AtLeast(e2e) => Some(o.at? + o.dispatch.unwrap_or(0.0) + e2e),
        Timing::Unknown => None,
    };
    let ends: Vec<f64> = observations.iter().filter_map(ended).collect();
    let span = |times: &[f64]| {
        let least = times.iter().copied().fold(f64::INFINITY, f64::min);
        times.iter().copied().fold(f64::NEG_INFINITY, f64::max) - least
    };
    let rate = |times: &[f64]| (times.len() >= 2 && span(times) > 0.0).then(|| (times.len() - 1) as f64 / span(times));
    let (requested, achieved) = (rate(&due), rate(&ends));
    let mut e2e: Vec<f64> = observations.iter().filter_map(|o| o.e2e.seen()).collect();
    e2e.sort_by(f64::total_cmp);
    let median = e2e.get(e2e.len() / 2).copied().unwrap_or(f64::INFINITY);
    let whole = due.len() == observations.len() && observations.len() >= ENOUGH;
    let long = whole && span(&due) >= LONG_ENOUGH;
    let short_of = |asked: f64, got: f64| got < ACHIEVED * asked && span(&due) >= 10.0 * median;
    let saturated = match (requested, achieved) {
        (Some(asked), Some(got)) if whole && short_of(asked, got) => Some(too_slow(asked, got)),
        _ if long && both_grow(observations) => Some("requests in flight and TTFT both rise during it".to_owned()),
        _ => None,
    };
    Step {
        name: format!("step {number}"),
        requests: observations.len() as u64,
        requested,
        achieved,
        saturated,
    }
}

/// A step of which a summary is left.
pub(super) fn of_stage(stage: &Stage) -> Step {
    let saturated = match (stage.requested_rate, stage.achieved_rate) {
        (Some(asked), Some(got)) if got < ACHIEVED * asked => Some(too_slow(asked, got)),
        _ => None,
    };
    Step {
        name: stage.name.clone(),
        requests: stage.successes + stage.failures,
        requested: stage.requested_rate,
        achieved: stage.achieved_rate,
        saturated,
    }
}

fn too_slow(asked: f64, got: f64) -> String {
    format!(
        "{got:.3} requests/s of {asked:.3} asked for: {:.0} %",
        100.0 * got / asked
    )
}

fn both_grow(observations: &[&Observation]) -> bool {
    let grows = |series: Vec<f64>| {
        let trend = Trend::of(&series, Confidence::P95);
        series.len() >= ENOUGH && trend.direction == Direction::Growing && trend.rise > 0.5 * trend.mean
    };
    let in_flight = observations.iter().filter_map(|o| o.in_flight.map(f64::from)).collect();
    let ttft = observations.iter().filter_map(|o| o.ttft.seen()).collect();
    grows(in_flight) && grows(ttft)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::logs::gather::observed;
    use crate::request::Outcome;

    /// Requests every 0.1 s, answered after `e2e(i)`.
    fn step(n: usize, e2e: impl Fn(f64) -> f64) -> Step {
        let observations: Vec<Observation> = (0..n)
            .map(|i| Observation {
                at: Some(0.1 * i as f64),
                in_flight: Some((10.0 * e2e(i as f64)) as u32),
                ttft: Timing::Seen(e2e(i as f64)),
                e2e: Timing::Seen(e2e(i as f64)),
                ..observed(0, Outcome::Success)
            })
            .collect();
        of_step(0, &observations.iter().collect::<Vec<_>>())
    }

    #[test]
    fn a_step_that_keeps_up_is_not_saturated() {
        let step = step(600, |_| 0.5);
        assert_eq!(step.saturated, None);
        assert!((step.achieved.unwrap() - 10.0).abs() < 1e-9, "{step:?}");
    }

    /// Each answer 11 ms later than the one before, at one every 100 ms: 10 / 1.11 a second come back.
    #[test]
    fn answers_that_fall_behind_are() {
        let step = step(600, |i| 0.5 + 0.011 * i);
        assert_eq!(
            step.saturated.as_deref(),
            Some("9.009 requests/s of 10.000 asked for: 90 %")
        );
    }

    /// A slower queue: 98 % come back, but both slopes show.
    #[test]
    fn slopes_are_seen_before_the_rate_falls() {
        let step = step(600, |i| 0.5 + 0.0015 * i);
        assert_eq!(
            step.saturated.as_deref(),
            Some("requests in flight and TTFT both rise during it")
        );
    }
}
