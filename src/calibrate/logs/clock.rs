//! One clock for several files: each file's times count from its own first request, and those of a joined log from the first of all.
//!
//! Where every request has its time by the clock, that is the one clock. Where some have none, nothing says when the files were
//! measured, and they are laid one after another, an hour apart: laid on each other they would make a load that never was.

use crate::calibrate::log::{Log, Observation, Timing};

/// Seconds between files that do not say when they were measured: longer than what one leaves in a usual quota.
const APART: f64 = 3600.0;

/// Times of all requests by the clock, from the first one.
pub(super) fn by_unix(log: &mut Log) {
    let times = log.observations.iter().filter_map(|o| o.unix);
    let first = times.fold(f64::INFINITY, f64::min);
    for observation in log.observations.iter_mut().chain(&mut log.warmups) {
        // One without a time in its file has none here.
        observation.at = observation.at.and(observation.unix).map(|unix| unix - first);
    }
}

/// Times of each log from its own first request become times from that of the first log, the logs in their order.
pub(super) fn one_after_another(logs: &mut [Log]) {
    let mut begins = 0.0;
    for log in logs {
        let all = || log.observations.iter().chain(&log.warmups);
        let lasts = all().filter_map(end).fold(0.0, f64::max);
        let has_times = all().any(|o| o.at.is_some());
        if has_times && begins > 0.0 {
            log.notes.push(
                "not every request has its time by the clock: taken to follow the file before, an hour later"
                    .to_owned(),
            );
        }
        for observation in log.observations.iter_mut().chain(&mut log.warmups) {
            observation.at = observation.at.map(|at| at + begins);
        }
        if has_times {
            begins += lasts + APART;
        }
    }
}

fn end(o: &Observation) -> Option<f64> {
    let lasts = match o.e2e {
        Timing::Seen(s) | Timing::AtLeast(s) => s,
        Timing::Unknown => 0.0,
    };
    Some(o.at? + o.dispatch.unwrap_or(0.0) + lasts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::logs::gather::observed;
    use crate::calibrate::logs::join;
    use crate::words::Outcome;

    /// Two requests 10 s apart, the first of them at `unix` by the clock.
    fn log(unix: Option<f64>) -> Log {
        let at = |at: f64| Observation {
            at: Some(at),
            unix: unix.map(|unix| unix + at),
            e2e: Timing::Seen(2.0),
            ..observed(0, Outcome::Success)
        };
        Log {
            targets: vec!["a".into()],
            observations: vec![at(0.0), at(10.0)],
            warmups: vec![at(-5.0)],
            ..Log::default()
        }
    }

    fn times(logs: Vec<Log>) -> (Vec<f64>, Vec<f64>, usize) {
        let joined = join(logs).unwrap();
        let of = |all: &[Observation]| all.iter().filter_map(|o| o.at).collect();
        (of(&joined.observations), of(&joined.warmups), joined.notes.len())
    }

    #[test]
    fn files_with_a_clock_keep_their_distance() {
        let found = times(vec![log(Some(1_000.0)), log(Some(700.0))]);
        assert_eq!(found, (vec![0.0, 10.0, 300.0, 310.0], vec![295.0, -5.0], 0));
    }

    #[test]
    fn files_without_one_follow_each_other_and_that_is_said() {
        // The first is over 12 s after its first request.
        let found = times(vec![log(None), log(Some(700.0))]);
        assert_eq!(found, (vec![0.0, 10.0, 3612.0, 3622.0], vec![-5.0, 3607.0], 1));
    }

    #[test]
    fn a_file_alone_is_left_as_it_is() {
        assert_eq!(times(vec![log(Some(700.0))]), (vec![0.0, 10.0], vec![-5.0], 0));
    }
}
