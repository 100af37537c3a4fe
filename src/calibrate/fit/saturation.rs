//! Which steps of load were more than the endpoint could take.
//!
//! There the latency is the queue's and grows with the time of the test: no law meets it (of 18 saturated stages of
//! inference-perf's KubeCon runs every family misses by 62 % or more), so such steps are left to a model of the load. Two
//! signs: fewer than 97 % of the answers are back when the last request has had the time that nine in ten took in the first quarter of
//! the step; or the requests in flight and the TTFT both rise with significance during it, by half their mean at least, over 30 s
//! or more (GuideLLM 0.8.1 looks for the same two slopes).

use schemars::JsonSchema;
use serde::Serialize;

use crate::calibrate::log::{Observation, Stage};
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
    let first = due.iter().copied().fold(f64::INFINITY, f64::min);
    let last = due.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let lasts = last - first;
    let requested = (due.len() >= 2 && lasts > 0.0).then(|| (due.len() - 1) as f64 / lasts);
    // Whoever gave up says nothing here: timeouts alone are no queue, and one that grows shows in the slopes.
    let answers: Vec<(f64, f64)> = observations
        .iter()
        .filter_map(|o| Some((o.at? + o.dispatch.unwrap_or(0.0), o.e2e.seen()?)))
        .collect();
    let kept_up = (answers.len() >= ENOUGH).then(|| {
        let deadline = last + patience(&answers);
        let back = answers.iter().filter(|(at, e2e)| at + e2e <= deadline).count();
        back as f64 / answers.len() as f64
    });
    let achieved = requested.zip(kept_up).map(|(asked, share)| asked * share);
    let whole = due.len() == observations.len() && observations.len() >= ENOUGH;
    let saturated = match (requested, achieved) {
        (Some(asked), Some(got)) if whole && got < ACHIEVED * asked => Some(too_slow(asked, got)),
        _ if whole && lasts >= LONG_ENOUGH && both_grow(observations) => {
            Some("requests in flight and TTFT both rise during it".to_owned())
        }
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

/// How long the last answers may take: as long as nine in ten of the first quarter took, before a queue could have grown.
fn patience(answers: &[(f64, f64)]) -> f64 {
    let mut early: Vec<f64> = answers[..(answers.len() / 4).max(10)]
        .iter()
        .map(|(_, e2e)| *e2e)
        .collect();
    early.sort_by(f64::total_cmp);
    early[early.len() * 9 / 10]
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
    use crate::calibrate::log::Timing;
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

    /// Each answer 11 ms later than the one before, at one every 100 ms. Nine in ten of the first 150 took up to 1.985 s, so
    /// what is back by 61.885 s counts: numbers 0 to 553 of 600, or 92 %.
    #[test]
    fn answers_that_fall_behind_are() {
        let step = step(600, |i| 0.5 + 0.011 * i);
        assert_eq!(
            step.saturated.as_deref(),
            Some("9.233 requests/s of 10.000 asked for: 92 %")
        );
    }

    /// A slower queue: 99 % come back, but both slopes show.
    #[test]
    fn slopes_are_seen_before_the_rate_falls() {
        let step = step(600, |i| 0.5 + 0.0015 * i);
        assert_eq!(
            step.saturated.as_deref(),
            Some("requests in flight and TTFT both rise during it")
        );
    }
}
