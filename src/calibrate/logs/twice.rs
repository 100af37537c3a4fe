//! Duplicates: several files that cover the same requests.
//!
//! The same file given twice is refused. Tools also write a summary beside the single requests, and one of all stages
//! beside each stage's (AIPerf, inference-perf): a user who gives a whole folder would count these requests twice. A
//! summary covers the same requests if it counts equally many successes and its mean times are theirs, to a tenth of a
//! percent. Then it is left out and noted. Left out: a summary of a part of the requests that another file has, which
//! cannot be recognised.

use super::ReadError;
use super::gather::ENDPOINT;
use crate::calibrate::log::{Log, Observation, Stage};
use crate::words::Outcome;

/// Largest relative difference of two means of the same requests, which rounding causes.
const SAME: f64 = 1e-3;
/// Requests from which on a match is not a coincidence.
const ENOUGH: u64 = 10;

/// Refuses a file that was given twice.
pub(super) fn refuse(logs: &[Log]) -> Result<(), ReadError> {
    let sources: Vec<_> = logs.iter().flat_map(|log| &log.sources).collect();
    for (i, source) in sources.iter().enumerate() {
        if let Some(first) = sources[..i].iter().find(|other| other.sha256 == source.sha256) {
            return Err(ReadError::Twice {
                file: source.file.clone(),
                first: first.file.clone(),
            });
        }
    }
    Ok(())
}

/// The number of successes, and their mean times: to the first token, and whole.
#[derive(Clone, Copy, Debug)]
struct Of {
    successes: u64,
    ttft: Option<f64>,
    e2e: Option<f64>,
}

impl Of {
    fn stage(stage: &Stage) -> Of {
        Of {
            successes: stage.successes,
            ttft: stage.ttft.as_ref().and_then(|s| s.mean),
            e2e: stage.e2e.as_ref().and_then(|s| s.mean),
        }
    }

    fn requests<'a>(requests: impl Iterator<Item = &'a Observation> + Clone) -> Of {
        let good = requests.filter(|o| o.outcome == Outcome::Success);
        let mean = |of: fn(&Observation) -> Option<f64>| {
            let (n, sum) = good
                .clone()
                .filter_map(of)
                .fold((0_u64, 0.0), |(n, sum), x| (n + 1, sum + x));
            (n > 0).then(|| sum / n as f64)
        };
        Of {
            successes: good.clone().count() as u64,
            ttft: mean(|o| o.ttft.seen()),
            e2e: mean(|o| o.e2e.seen()),
        }
    }

    /// The totals of several parts.
    fn sum(parts: &[Of]) -> Of {
        let successes = parts.iter().map(|part| part.successes).sum::<u64>();
        let mean = |of: fn(&Of) -> Option<f64>| {
            let sum: Option<f64> = parts.iter().map(|part| Some(of(part)? * part.successes as f64)).sum();
            sum.map(|sum| sum / successes.max(1) as f64)
        };
        Of {
            successes,
            ttft: mean(|part| part.ttft),
            e2e: mean(|part| part.e2e),
        }
    }

    /// Whether both cover the same requests: every mean that both have is equal, and there is one.
    fn is_same(self, other: Of) -> bool {
        let both = [self.ttft.zip(other.ttft), self.e2e.zip(other.e2e)];
        let mut both = both.into_iter().flatten().peekable();
        self.successes == other.successes
            && self.successes >= ENOUGH
            && both.peek().is_some()
            && both.all(|(a, b)| (a - b).abs() <= SAME * a.abs().max(b.abs()))
    }
}

/// Whether these may be the same target: not every file names it.
fn alike(a: &str, b: &str) -> bool {
    a == b || a == ENDPOINT || b == ENDPOINT
}

/// Removes summaries of requests that other files have one by one from the logs. Returns notes on them.
pub(super) fn drop_summaries(logs: &mut [Log]) -> Vec<String> {
    let mut notes = Vec::new();
    let mut gone: Vec<(usize, usize)> = Vec::new();
    for (i, log) in logs.iter().enumerate() {
        for (place, stage) in log.stages.iter().enumerate() {
            if let Some(in_full) = whose(logs, i, place, stage) {
                let how = match in_full.as_slice() {
                    [only] => format!("the single requests in {only}"),
                    several => format!("{} other summaries", several.len()),
                };
                notes.push(format!("{}: left out, a summary of {how}", stage.name));
                gone.push((i, place));
            }
        }
    }
    for (i, place) in gone.into_iter().rev() {
        let log = &mut logs[i];
        log.stages.remove(place);
        // A target without any measurements is removed.
        if log.stages.is_empty() && log.observations.is_empty() {
            log.targets.clear();
        }
    }
    notes
}

/// The files that have in full the requests which this stage of log `i` summarises.
fn whose(logs: &[Log], i: usize, place: usize, stage: &Stage) -> Option<Vec<String>> {
    let name = |log: &Log, target: u16| log.targets.get(usize::from(target)).cloned().unwrap_or_default();
    let own = name(&logs[i], stage.target);
    let of = Of::stage(stage);
    for log in logs {
        for target in 0..log.targets.len() as u16 {
            if !alike(&own, &name(log, target)) {
                continue;
            }
            let requests = log.observations.iter().filter(|o| o.target == target);
            let mut steps: Vec<u32> = requests.clone().map(|o| o.step).collect();
            steps.sort_unstable();
            steps.dedup();
            let of_step = |step: &u32| of.is_same(Of::requests(requests.clone().filter(|o| o.step == *step)));
            if of.is_same(Of::requests(requests.clone())) || steps.iter().any(of_step) {
                return Some(vec![log.sources.first().map_or(String::new(), |s| s.file.clone())]);
            }
        }
    }
    // Is it the sum of all others of its target?
    let mut others = Vec::new();
    for (j, log) in logs.iter().enumerate() {
        for (k, other) in log.stages.iter().enumerate() {
            if (j, k) != (i, place) && name(log, other.target) == own {
                others.push((other.name.clone(), Of::stage(other)));
            }
        }
    }
    let parts: Vec<Of> = others.iter().map(|(_, of)| *of).collect();
    (parts.len() > 1 && of.is_same(Of::sum(&parts))).then(|| others.into_iter().map(|(name, _)| name).collect())
}

#[cfg(test)]
mod tests {
    use super::super::gather::observed;
    use super::super::join;
    use super::*;
    use crate::calibrate::log::{Source, Summary, Timing};

    fn file(name: &str) -> Vec<Source> {
        vec![Source {
            file: name.into(),
            format: "test".into(),
            sha256: name.into(),
        }]
    }

    /// `n` requests of step `step` that take 1 s, 2 s, … each, a fifth of it to the first token.
    fn requests(name: &str, n: usize, step: u32) -> Log {
        let one = |i: usize| Observation {
            step,
            ttft: Timing::Seen(0.2 * i as f64),
            e2e: Timing::Seen(i as f64),
            ..observed(0, Outcome::Success)
        };
        Log {
            sources: file(name),
            targets: vec![ENDPOINT.into()],
            observations: (1..=n).map(one).collect(),
            ..Log::default()
        }
    }

    fn summary(name: &str, target: &str, successes: u64, mean: f64) -> Log {
        let of = |mean: f64| {
            Some(Summary {
                mean: Some(mean),
                quantiles: Vec::new(),
            })
        };
        Log {
            sources: file(name),
            targets: vec![target.into()],
            stages: vec![Stage {
                name: name.into(),
                successes,
                ttft: of(0.2 * mean),
                e2e: of(mean),
                ..Stage::default()
            }],
            ..Log::default()
        }
    }

    #[test]
    fn the_same_file_twice_is_refused() {
        let error = join(vec![requests("a", 3, 0), requests("b", 3, 0), requests("a", 3, 0)]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a: byte for byte the same as a: everything in it would count twice\n  \
             give each log once; a run measured again has times of its own"
        );
    }

    /// The mean of 1 to 20 is 10.5.
    #[test]
    fn a_summary_beside_its_requests_is_left_out() {
        let joined = join(vec![requests("r", 20, 0), summary("s", "gpt", 20, 10.5)]).unwrap();
        assert_eq!((joined.stages.len(), joined.observations.len()), (0, 20));
        assert_eq!(joined.targets, [ENDPOINT]);
        assert_eq!(joined.notes, ["s: left out, a summary of the single requests in r"]);
        // Other requests: another number, another mean, another target.
        for (other, named) in [
            (summary("s", ENDPOINT, 21, 10.5), ENDPOINT),
            (summary("s", ENDPOINT, 20, 10.6), ENDPOINT),
            (summary("s", "gpt", 20, 10.5), "other"),
        ] {
            let mut requests = requests("r", 20, 0);
            requests.targets = vec![named.into()];
            let joined = join(vec![requests, other]).unwrap();
            assert_eq!((joined.stages.len(), joined.notes.len()), (1, 0));
        }
    }

    /// inference-perf numbers the stage of each request.
    #[test]
    fn so_is_one_of_a_single_step() {
        let mut both = requests("r", 20, 0);
        both.observations.extend(requests("r", 30, 1).observations);
        let stages = [summary("s0", ENDPOINT, 20, 10.5), summary("s1", ENDPOINT, 30, 15.5)];
        let joined = join([vec![both], stages.into()].concat()).unwrap();
        assert_eq!((joined.stages.len(), joined.notes.len()), (0, 2));
    }

    #[test]
    fn and_one_of_all_stages_beside_each() {
        let parts = [summary("s0", ENDPOINT, 20, 1.0), summary("s1", ENDPOINT, 60, 3.0)];
        let whole = summary("all", ENDPOINT, 80, 2.5);
        let joined = join([parts.to_vec(), vec![whole]].concat()).unwrap();
        let left: Vec<_> = joined.stages.iter().map(|s| s.successes).collect();
        assert_eq!(left, [20, 60]);
        assert_eq!(joined.notes, ["all: left out, a summary of 2 other summaries"]);
    }
}
