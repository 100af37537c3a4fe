//! Which observations a model is fitted to, and which are held out to check it.
//!
//! A target's observations, in their order, fall into contiguous blocks of 20 (or a tenth of them, if that is fewer),
//! and blocks alternate: both parts then span the whole time, and autocorrelated neighbours mostly stay in one part.
//! Nothing is random: the log and the share determine the blocks.

use std::collections::BTreeMap;

use super::log::{Log, Observation};

/// The rule in words, for a model file.
pub const RULE: &str = "alternating blocks of 20 observations of a target, or a tenth of them if that is fewer";

/// Divides a log into a part for fitting and a part that is held out, which is `share` of the blocks (0 to 1).
/// Summaries cannot be divided and stay with the first part.
pub fn held_out(log: &Log, share: f64) -> (Log, Log) {
    let mut counts: BTreeMap<u16, usize> = BTreeMap::new();
    for observation in &log.observations {
        *counts.entry(observation.target).or_default() += 1;
    }
    let mut seen: BTreeMap<u16, usize> = BTreeMap::new();
    let is_held = |o: &&Observation| {
        let block = (counts.get(&o.target).copied().unwrap_or(0) / 10).clamp(1, 20);
        let place = seen.entry(o.target).or_default();
        let number = (*place / block) as f64;
        *place += 1;
        // Blocks before this one that are held out, with the half that puts the first in the middle of its stretch.
        let before = |blocks: f64| (blocks * share.clamp(0.0, 1.0) + 0.5 + 1e-9).floor();
        before(number + 1.0) > before(number)
    };
    let (held, fit): (Vec<&Observation>, Vec<&Observation>) = log.observations.iter().partition(is_held);
    let part = |observations: Vec<&Observation>, stages| Log {
        sources: log.sources.clone(),
        targets: log.targets.clone(),
        prices: log.prices.clone(),
        endpoints: log.endpoints.clone(),
        cache_hits: log.cache_hits.clone(),
        observations: observations.into_iter().cloned().collect(),
        warmups: log.warmups.clone(),
        stages,
        totals: log.totals.clone(),
        notes: log.notes.clone(),
    };
    (part(fit, log.stages.clone()), part(held, Vec::new()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::logs::gather::observed;
    use crate::words::Outcome;

    fn log(per_target: &[usize]) -> Log {
        let mut log = Log::default();
        for (target, &n) in per_target.iter().enumerate() {
            log.targets.push(format!("t{target}"));
            for i in 0..n {
                let mut o = observed(target as u16, Outcome::Success);
                o.at = Some(i as f64);
                log.observations.push(o);
            }
        }
        log
    }

    fn times(log: &Log, target: u16) -> Vec<usize> {
        let of = log.observations.iter().filter(|o| o.target == target);
        of.filter_map(|o| o.at).map(|at| at as usize).collect()
    }

    #[test]
    fn blocks_of_twenty_alternate() {
        let (fit, held) = held_out(&log(&[200]), 0.5);
        let expected: Vec<usize> = (0..200).filter(|i| (i / 20) % 2 == 0).collect();
        assert_eq!(times(&held, 0), expected);
        assert_eq!(fit.observations.len(), 100);
    }

    #[test]
    fn every_target_gives_its_share_however_short() {
        let (fit, held) = held_out(&log(&[1000, 30]), 0.3);
        assert_eq!((times(&held, 0).len(), times(&held, 1).len()), (300, 9));
        assert_eq!((times(&fit, 0).len(), times(&fit, 1).len()), (700, 21));
    }

    #[test]
    fn none_and_all_are_shares_too() {
        assert_eq!(held_out(&log(&[55]), 0.0).1.observations.len(), 0);
        assert_eq!(held_out(&log(&[55]), 1.0).0.observations.len(), 0);
    }

    #[test]
    fn both_parts_span_the_time() {
        let (fit, held) = held_out(&log(&[600]), 0.3);
        for part in [times(&fit, 0), times(&held, 0)] {
            assert!(part[0] < 60 && part[part.len() - 1] > 540, "{part:?}");
        }
    }
}
