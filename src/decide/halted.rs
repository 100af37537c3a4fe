//! Replications that outgrew their bound, told apart from the rest.
//!
//! A policy all of whose replications outgrew the bound has no figures: it is taken out of the plan and named. One of which some
//! are left stays, with a sentence that says which are missing, because those that are missing are its worst. Nothing here
//! depends on the order in which replications were run.

use crate::engine::replicate::{Finished, Only};
use crate::engine::run::Halt;
use crate::experiment::assemble::Plan;
use crate::kernel::time::Time;
use crate::report::format;

/// Takes out of `plan` every policy that outgrew its bound and finished no replication. Returns the `runs` of those that are
/// left, and a sentence for each policy that outgrew its bound, in the plan's order.
pub fn set_aside<'a, F: Finished>(plan: &mut Plan, runs: &'a F) -> (Only<'a, F>, Vec<String>) {
    let mut said = Vec::new();
    let mut kept = Vec::new();
    for (i, scenario) in plan.scenarios.iter().enumerate() {
        let result = |r| match runs.has(r, i) {
            true => Ok(()),
            false => Err(runs.halt(r, i).unwrap_or(Halt::Stopped)),
        };
        let results: Vec<Result<(), Halt>> = (0..runs.planned()).map(result).collect();
        let finished = results.iter().filter(|result| result.is_ok()).count();
        let sentence = sentence(&scenario.name, scenario.max_in_system, scenario.window.warmup, &results);
        if sentence.is_none() || finished > 0 {
            kept.push(i);
        }
        said.extend(sentence.map(|what| {
            if finished > 0 {
                format!("{what}: they are left out, so that its figures, and those compared with them, are too good")
            } else {
                format!("{what}: it has no figures")
            }
        }));
    }
    if kept.len() < plan.scenarios.len() {
        keep(&mut plan.scenarios, &kept);
        keep(&mut plan.kinds, &kept);
        for objective in &mut plan.objectives {
            let places = objective.policies.iter().map(|p| kept.iter().position(|k| k == p));
            objective.policies = places.flatten().collect();
        }
    }
    let only = Only {
        of: runs,
        scenarios: kept,
    };
    (only, said)
}

/// What became of the replications of the policy `name` that had more than `most` requests in the system, if any had; the plan's
/// time begins at `origin`.
fn sentence<T>(name: &str, most: u64, origin: Time, results: &[Result<T, Halt>]) -> Option<String> {
    let mut first = None;
    let mut numbers = Vec::new();
    for (number, result) in results.iter().enumerate() {
        if let Err(Halt::TooMany { at, in_system }) = result {
            numbers.push(number);
            first.get_or_insert((*at, *in_system));
        }
    }
    let (at, in_system) = first?;
    let which = if numbers.len() == results.len() {
        format!("all {} replications", results.len())
    } else {
        format!(
            "{} of {} replications ({})",
            numbers.len(),
            results.len(),
            listed(&numbers)
        )
    };
    let when = if at < origin {
        "in its warm-up".to_owned()
    } else {
        format!("after {} of simulated time", at.since(origin))
    };
    Some(format!(
        "{name}: {which} had more than {} requests in the system (`max_in_system`) and were ended, replication {} {when} with \
         {}",
        format::count(most),
        numbers[0],
        format::count(in_system)
    ))
}

/// The first few numbers.
fn listed(numbers: &[usize]) -> String {
    const SHOWN: usize = 5;
    let mut shown: Vec<String> = numbers.iter().take(SHOWN).map(usize::to_string).collect();
    if numbers.len() > SHOWN {
        shown.push(format!("{} more", numbers.len() - SHOWN));
    }
    shown.join(", ")
}

fn keep<T>(all: &mut Vec<T>, kept: &[usize]) {
    let mut i = 0;
    all.retain(|_| {
        i += 1;
        kept.contains(&(i - 1))
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::time::Span;

    fn too_many() -> Result<(), Halt> {
        Err(Halt::TooMany {
            at: Time::ZERO + Span::from_secs(10),
            in_system: 1_000_384,
        })
    }

    #[test]
    fn what_is_missing_is_named() {
        let results = [Ok(()), too_many(), Err(Halt::Stopped), too_many()];
        assert_eq!(
            sentence("slow", 1_000_000, Time::ZERO, &results).as_deref(),
            Some(
                "slow: 2 of 4 replications (1, 3) had more than 1,000,000 requests in the system (`max_in_system`) and were \
                 ended, replication 1 after 10s of simulated time with 1,000,384"
            )
        );
        let warm = sentence("slow", 1_000_000, Time::ZERO + Span::from_secs(11), &results);
        assert!(warm.unwrap().contains("replication 1 in its warm-up with"));
        assert_eq!(sentence("fast", 1, Time::ZERO, &[Ok(()), Err(Halt::Stopped)]), None);
    }

    #[test]
    fn many_numbers_are_counted() {
        assert_eq!(listed(&[1, 2, 3, 4, 5]), "1, 2, 3, 4, 5");
        assert_eq!(listed(&[1, 2, 3, 4, 5, 6, 7]), "1, 2, 3, 4, 5, 2 more");
    }
}
