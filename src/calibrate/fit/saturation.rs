//! Saturation: the steps of load that were more than the endpoint could take.
//!
//! Beyond saturation the latency is the queue's and grows with the time of the test: no law fits it (of 18 saturated
//! stages of inference-perf's KubeCon runs every family misses by 62 % or more), so such steps are left to a model of
//! the load. There are three signs. Fewer than 97 % of the answers are back when the last request has had the time that
//! nine in ten took in the first quarter of the step, and later requests take longer than earlier ones (rank
//! correlation, 1 %; without that condition, the first sign appears by chance in one of five short steps of a slow
//! endpoint that keeps up). Or the requests in flight and the TTFT both rise significantly during the step, by half
//! their mean at least, over 30 s or more (GuideLLM 0.8.1 looks for the same two slopes). Or more requests fail or are
//! given up than at lower rates, by more than 3 % and with disjoint Wilson intervals: a server that rejects what it
//! cannot take answers the others in time. A step in which three requests in ten found every slot taken is beyond saturation
//! too ([`super::slots`]): a closed loop achieves whatever rate it asks for, and its queue does not grow.

use crate::stats::sorting;
use schemars::JsonSchema;
use serde::Serialize;

use super::regimes::spearman;
use crate::calibrate::log::{Observation, Stage};
use crate::stats::critical::Confidence;
use crate::stats::interval::wilson;
use crate::stats::warmup::{Direction, Trend};
use crate::words::{Outcome, Outcomes};

/// The share of the requested rate that must be achieved.
pub(super) const ACHIEVED: f64 = 0.97;
/// The fewest requests of a step whose slopes are examined.
const ENOUGH: usize = 30;
/// The shortest step whose slopes are examined, in seconds.
const LONG_ENOUGH: f64 = 30.0;

/// One step of load.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Step {
    /// The name of the step: a number, or the name of a summary.
    pub name: String,
    /// The number of requests in the step.
    pub requests: u64,
    /// How long its requests were sent for, in seconds; `null` if their times are not known.
    pub lasts: Option<f64>,
    /// The requested rate, in requests a second.
    pub requested: Option<f64>,
    /// The achieved rate, in requests a second.
    pub achieved: Option<f64>,
    /// The reason why the step is left out of the laws; `null` if it is not.
    pub saturated: Option<String>,
}

/// A step of single requests, in order of time.
pub(super) fn of_step(number: u32, observations: &[&Observation]) -> Step {
    let due: Vec<f64> = observations.iter().filter_map(|o| o.at).collect();
    let first = due.iter().copied().fold(f64::INFINITY, f64::min);
    let last = due.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let lasts = last - first;
    let requested = (due.len() >= 2 && lasts > 0.0).then(|| (due.len() - 1) as f64 / lasts);
    // Requests that were given up say nothing here: timeouts alone are not a queue, and a growing queue shows in the
    // slopes.
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
        (Some(asked), Some(got)) if whole && got < ACHIEVED * asked && takes_longer(&answers) => {
            Some(too_slow(asked, got))
        }
        _ if whole && lasts >= LONG_ENOUGH && both_grow(observations) => {
            Some("requests in flight and TTFT both rise during it".to_owned())
        }
        _ => None,
    };
    Step {
        name: format!("step {number}"),
        requests: observations.len() as u64,
        lasts: (lasts > 0.0).then_some(lasts),
        requested,
        achieved,
        saturated,
    }
}

/// How long the last answers may take: as long as nine in ten of the first quarter took, before a queue could have
/// grown.
fn patience(answers: &[(f64, f64)]) -> f64 {
    let mut early: Vec<f64> = answers[..(answers.len() / 4).max(10)]
        .iter()
        .map(|(_, e2e)| *e2e)
        .collect();
    early.sort_by(f64::total_cmp);
    early[early.len() * 9 / 10]
}

/// Whether requests that were sent later take longer.
fn takes_longer(answers: &[(f64, f64)]) -> bool {
    // One-sided, at 1 %.
    const SIGNIFICANT: f64 = 2.326;
    spearman(answers).is_some_and(|rho| rho * ((answers.len() - 1) as f64).sqrt() > SIGNIFICANT)
}

/// Marks those of `steps` in which more is rejected or given up than in unsaturated steps of lower rates; `of` are
/// their observations.
pub(super) fn turning_away(steps: &mut [&mut Step], of: &[Vec<&Observation>]) {
    let lost = |o: &&&Observation| is_lost(o.outcome);
    let counts: Vec<(u64, u64)> = of
        .iter()
        .map(|of| (of.iter().filter(lost).count() as u64, of.len() as u64))
        .collect();
    let rate = |step: &Step| step.requested.unwrap_or(f64::INFINITY);
    // Which rate is the lower cannot be told of steps without times.
    let mut by_rate: Vec<usize> = (0..steps.len()).filter(|i| steps[*i].requested.is_some()).collect();
    sorting::by(&mut by_rate, |a, b| rate(steps[*a]).total_cmp(&rate(steps[*b])));
    let (mut below, mut of_below) = (0, 0);
    for i in by_rate {
        let (many, of) = counts[i];
        let more = many as f64 / of.max(1) as f64 - below as f64 / of_below.max(1) as f64;
        let differ = wilson(many, of, Confidence::P95).0 > wilson(below, of_below, Confidence::P95).1;
        if of_below > 0 && more > 1.0 - ACHIEVED && differ {
            let why = format!(
                "{:.0} % fail or are given up, of {:.0} % at lower rates",
                100.0 * many as f64 / of as f64,
                100.0 * below as f64 / of_below as f64
            );
            steps[i].saturated.get_or_insert(why);
        }
        if steps[i].saturated.is_none() {
            (below, of_below) = (below + many, of_below + of);
        }
    }
}

/// Marks the step as beyond saturation if `full`, the share of its requests that found all of `slots` taken, is too large for
/// its TTFT to be that of the endpoint; `at_once` is the most that were under way.
pub(super) fn waiting(step: &mut Step, full: f64, slots: u32, at_once: u32) {
    if full > super::slots::FULL {
        let why = format!(
            "{:.0} % of its requests waited for a slot: up to {at_once} at once, {slots} served",
            100.0 * full
        );
        step.saturated.get_or_insert(why);
    }
}

/// Whether load may have caused this outcome.
fn is_lost(outcome: Outcome) -> bool {
    const LOST: Outcomes = Outcomes::SERVER_ERRORS.and(Outcomes::of(&[
        Outcome::TimeoutTtft,
        Outcome::TimeoutIdle,
        Outcome::TimeoutAttempt,
        Outcome::TimeoutTotal,
    ]));
    LOST.contains(outcome)
}

/// A step of which only a summary is available.
pub(super) fn of_stage(stage: &Stage) -> Step {
    let saturated = match (stage.requested_rate, stage.achieved_rate) {
        (Some(asked), Some(got)) if got < ACHIEVED * asked => Some(too_slow(asked, got)),
        _ => None,
    };
    Step {
        name: stage.name.clone(),
        requests: stage.successes + stage.failures,
        lasts: None,
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
    use crate::kernel::chance::hash;

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

    /// Pseudo-random numbers in (0, 1).
    fn chance(seed: u64) -> impl FnMut() -> f64 {
        let mut n = 0;
        move || {
            n += 1;
            ((hash(n, seed) >> 11) as f64 + 0.5) / 2f64.powi(53)
        }
    }

    /// A Poisson stream of `rate` requests a second for `lasts` seconds, each served for 0.19 s and a lognormal time,
    /// by this number of `slots` in order of arrival; without `slots`, all at once.
    fn served(seed: u64, rate: f64, lasts: f64, slots: Option<usize>, median: f64) -> Step {
        let mut uniform = chance(seed);
        let mut free = vec![0.0_f64; slots.unwrap_or(1)];
        let (mut at, mut observations) = (0.0, Vec::new());
        while at < lasts {
            let normal = (-2.0 * libm::log(uniform())).sqrt() * libm::cos(std::f64::consts::TAU * uniform());
            let takes = 0.19 + median * libm::exp(0.3 * normal);
            let next = (0..free.len()).min_by(|a, b| free[*a].total_cmp(&free[*b])).unwrap();
            let begins = if slots.is_some() { free[next].max(at) } else { at };
            free[next] = begins + takes;
            observations.push(Observation {
                at: Some(at),
                ttft: Timing::Seen(begins + takes - 0.19 - at),
                e2e: Timing::Seen(begins + takes - at),
                ..observed(0, Outcome::Success)
            });
            at -= libm::log(uniform()) / rate;
        }
        of_step(0, &observations.iter().collect::<Vec<_>>())
    }

    /// Answers of 5 s in steps of 10 s: of 100 steps one in five has fewer than 97 % back, but no queue.
    #[test]
    fn a_slow_endpoint_that_keeps_up_is_not_saturated() {
        let steps: Vec<Step> = (0..100).map(|seed| served(seed, 6.4, 10.0, None, 5.0)).collect();
        let behind = |s: &&Step| s.achieved < s.requested.map(|asked| ACHIEVED * asked);
        assert!(steps.iter().filter(behind).count() >= 10);
        let saturated = steps.iter().filter(|s| s.saturated.is_some()).count();
        assert!(saturated <= 3, "{saturated} of 100");
    }

    /// Two slots serve 6.8 a second. 60 a second for 20 s are no problem for a server without slots.
    #[test]
    fn short_steps_beyond_capacity_are_seen_and_long_ones_below_it_are_not() {
        let saturated = |rate, lasts, slots| {
            let steps = (0..50).map(|seed| served(seed, rate, lasts, slots, 0.1));
            steps.filter(|s| s.saturated.is_some()).count()
        };
        assert_eq!(saturated(60.0, 20.0, None), 0);
        assert!(saturated(3.0, 15.0, Some(2)) <= 3);
        assert!(saturated(10.0, 7.0, Some(2)) >= 47);
        assert!(saturated(13.0, 15.0, Some(2)) >= 49);
    }

    /// Steps of a hundred requests each, of which these numbers fail.
    fn failing(shares: &[usize], outcome: Outcome) -> Vec<bool> {
        let steps: Vec<Vec<Observation>> = shares
            .iter()
            .enumerate()
            .map(|(number, failed)| {
                let of = |i: usize| Observation {
                    at: Some(i as f64 / (number + 1) as f64),
                    e2e: Timing::Seen(0.3),
                    ..observed(0, if i < *failed { outcome } else { Outcome::Success })
                };
                (0..100).map(of).collect()
            })
            .collect();
        let of: Vec<Vec<&Observation>> = steps.iter().map(|step| step.iter().collect()).collect();
        let mut steps: Vec<Step> = of.iter().map(|of| of_step(0, of)).collect();
        turning_away(&mut steps.iter_mut().collect::<Vec<_>>(), &of);
        steps.iter().map(|s| s.saturated.is_some()).collect()
    }

    #[test]
    fn a_server_that_turns_away_what_it_cannot_take_is_saturated() {
        use Outcome::{Overloaded, RateLimited, TimeoutTtft};
        assert_eq!(failing(&[0, 1, 36], Overloaded), [false, false, true]);
        assert_eq!(failing(&[1, 2, 20, 60], TimeoutTtft), [false, false, true, true]);
        // As many at every rate are faults, and refusals come from a quota.
        assert_eq!(failing(&[2, 3, 4], TimeoutTtft), [false, false, false]);
        assert_eq!(failing(&[0, 1, 36], RateLimited), [false, false, false]);
        assert_eq!(failing(&[36], Overloaded), [false]);
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
