//! Logs that keep a sample of their requests, so many of each way to end: shares of what stands in them mean nothing.
//!
//! GuideLLM's `--sample-requests` keeps at most that many requests of each way to end and says elsewhere how many there were
//! (`GenerativeRequestsAccumulator.get_sampled`, 0.4 to 0.8.1). Within a way to end the sample is drawn evenly, so each law
//! could be made of it, but failures stand there out of proportion: as many of them as are too many lose their times, or a
//! timeout that was rare would be a common one in the law of TTFT. Rates come from the totals. What depends on arrivals
//! (times, requests in flight, order) went with the requests that were not kept.

use crate::calibrate::log::{Log, Observation, Timing, Totals};
use crate::words::Outcome;

/// How a request ended, as far as a sample is drawn by it: 0 for an answer, 1 if it was called off, 2 for a failure.
fn stratum(outcome: Outcome) -> usize {
    if outcome == Outcome::Success {
        0
    } else if outcome == Outcome::Cancelled {
        1
    } else {
        2
    }
}

/// Makes the requests of a step what they are by `totals`, of which they are a sample; without effect if none is missing.
pub(super) fn weigh(observations: &mut [Observation], totals: Totals, log: &mut Log) {
    let all = [totals.successful, totals.cancelled, totals.failed];
    let mut kept = [0_u64; 3];
    for o in observations.iter() {
        kept[stratum(o.outcome)] += 1;
    }
    if kept.iter().zip(all).all(|(kept, all)| *kept >= all) {
        return;
    }
    let share = |i: usize| kept[i] as f64 / all[i].max(kept[i]).max(1) as f64;
    let least = (0..3).filter(|i| kept[*i] > 0).map(share).fold(1.0, f64::min);
    let mut passed = [0.0_f64; 3];
    for o in observations.iter_mut() {
        let i = stratum(o.outcome);
        // Every so many-th keeps its times, the first of them half a step in.
        let before = (passed[i] + 0.5).floor();
        passed[i] += least / share(i);
        if (passed[i] + 0.5).floor() == before {
            (o.ttft, o.e2e, o.tpot) = (Timing::Unknown, Timing::Unknown, None);
        }
        o.at = None;
    }
    log.notes.push(format!(
        "the report keeps a sample of its requests, {} of {}: rates of failures are from its totals ({} failed), and what hangs \
         on arrivals (saturation, drift, requests in flight) cannot be told; without a limit to the sample it could",
        kept.iter().sum::<u64>(),
        all.iter().sum::<u64>(),
        totals.failed
    ));
    log.totals.push(totals);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::logs::gather::observed;

    fn sample(good: usize, bad: usize) -> Vec<Observation> {
        let of = |outcome| Observation {
            at: Some(1.0),
            e2e: Timing::Seen(1.0),
            ..observed(0, outcome)
        };
        let good = std::iter::repeat_n(of(Outcome::Success), good);
        good.chain(std::iter::repeat_n(of(Outcome::TimeoutTotal), bad))
            .collect()
    }

    fn totals(successful: u64, failed: u64) -> Totals {
        Totals {
            target: 0,
            step: 0,
            successful,
            failed,
            cancelled: 0,
            rate: None,
        }
    }

    /// 100 of 3,888 answers and 100 of 112 failures: 112 × 100 / 3,888 = 2.88 failures for as many answers.
    #[test]
    fn failures_keep_their_times_in_proportion() {
        let (mut rows, mut log) = (sample(100, 100), Log::default());
        weigh(&mut rows, totals(3888, 112), &mut log);
        let timed = |outcome| {
            rows.iter()
                .filter(|o| o.outcome == outcome && o.e2e != Timing::Unknown)
                .count()
        };
        assert_eq!((timed(Outcome::Success), timed(Outcome::TimeoutTotal)), (100, 3));
        assert!(rows.iter().all(|o| o.at.is_none()));
        assert_eq!((log.totals.len(), log.notes.len()), (1, 1));
    }

    #[test]
    fn a_report_of_all_is_as_it_was() {
        let (mut rows, mut log) = (sample(5, 2), Log::default());
        let before = rows.clone();
        weigh(&mut rows, totals(5, 2), &mut log);
        assert_eq!((rows, log), (before, Log::default()));
    }
}
