//! Hangs: requests that never answer, distinguished from those that would have answered late.
//!
//! A timeout is a right-censored latency, and the law takes it in as such. But a law whose tail reaches a timeout of 60
//! s also has values of 30 to 60 s: a tail that falls with 1/x leaves as many there as beyond, and every law in use
//! here falls faster. Where hardly any such value was seen beside the timeouts, they do not belong to a tail: these
//! requests hang, which is a fault.

use crate::calibrate::log::{Observation, Timing};
use crate::words::{Outcome, Outcomes};

/// The fewest timeouts from which hangs are inferred.
const ENOUGH: usize = 3;
/// The number of values within the upper half of the wait, for each timeout, from which on the timeouts count as a
/// tail.
const TAIL: f64 = 0.25;

/// Whether an attempt with this outcome may have been given up before its first token.
pub(super) fn may_be(outcome: Outcome) -> bool {
    const MAY_BE: Outcomes = Outcomes::of(&[Outcome::TimeoutTtft, Outcome::TimeoutAttempt, Outcome::TimeoutTotal]);
    MAY_BE.contains(outcome)
}

/// How long the caller waited in seconds, if it gave up before the first token.
fn gave_up(o: &Observation) -> Option<f64> {
    match o.ttft {
        Timing::AtLeast(waited) if may_be(o.outcome) => Some(waited),
        Timing::Seen(_) | Timing::AtLeast(_) | Timing::Unknown => None,
    }
}

/// The wait in seconds from which on a timeout is a hang and not part of the tail of TTFT; `None` if the timeouts
/// belong to the tail, or are too few to decide.
pub(super) fn beyond_the_tail(observations: &[&Observation]) -> Option<f64> {
    let waits: Vec<f64> = observations.iter().filter_map(|o| gave_up(o)).collect();
    let least = waits.iter().copied().fold(f64::INFINITY, f64::min);
    let late = |o: &&&Observation| o.ttft.seen().is_some_and(|x| x > 0.5 * least);
    let near = observations.iter().filter(late).count();
    (waits.len() >= ENOUGH && (near as f64) < TAIL * waits.len() as f64).then_some(least)
}

/// The observation `o` for the law of TTFT if timeouts are hangs: these say nothing about TTFT.
pub(super) fn without(o: &Observation, wait: Option<f64>) -> Observation {
    let hangs = wait.is_some() && gave_up(o).is_some();
    Observation {
        ttft: if hangs { Timing::Unknown } else { o.ttft },
        ..o.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::logs::gather::observed;

    fn log(seen: impl Fn(usize) -> f64, timeouts: usize) -> Vec<Observation> {
        let answer = |i: usize| Observation {
            ttft: Timing::Seen(seen(i)),
            ..observed(0, Outcome::Success)
        };
        let timeout = Observation {
            ttft: Timing::AtLeast(5.0),
            ..observed(0, Outcome::TimeoutTtft)
        };
        (0..500).map(answer).chain(vec![timeout; timeouts]).collect()
    }

    fn wait(log: &[Observation]) -> Option<f64> {
        beyond_the_tail(&log.iter().collect::<Vec<_>>())
    }

    #[test]
    fn timeouts_far_from_every_answer_are_hangs() {
        let far = |i: usize| 0.1 + 0.001 * (i % 100) as f64;
        assert_eq!(wait(&log(far, 10)), Some(5.0));
        assert_eq!(wait(&log(far, 2)), None);
        // The one slow answer of 500 makes no tail of ten.
        assert_eq!(wait(&log(|i| if i == 7 { 4.0 } else { far(i) }, 10)), Some(5.0));
    }

    /// A Pareto tail of 1/x from 0.1 s on: ten of 500 are beyond 5 s, and ten between 2.5 and 5 s.
    #[test]
    fn the_heaviest_tail_is_a_tail() {
        let tail = |i: usize| 0.1 * 510.0 / (510.0 - i as f64);
        assert_eq!(wait(&log(tail, 10)), None);
    }
}
