//! Runs a replication again and gathers the stories that are asked for.

use crate::stats::sorting;
use std::sync::Mutex;

use anyhow::anyhow;
use rayon::prelude::*;

use super::super::Failure;
use crate::decide::Telling;
use crate::engine::run::{Control, Halt, run_watched};
use crate::engine::story::{self, Course, Rank, Search, Teller};
use crate::engine::watch::Both;
use crate::experiment::assemble::Plan;
use crate::experiment::load::Loaded;
use crate::report::story::Story;
use crate::words::{Ask, Outcome};

/// The requests that are asked for.
#[derive(Clone, Debug)]
pub(super) enum Wanted {
    /// Those of these numbers.
    Numbers(Vec<u64>),
    /// Those that a search finds.
    Search {
        rank: Rank,
        most: usize,
        outcome: Option<Outcome>,
        class: Option<usize>,
        user: Option<u32>,
    },
}

/// What is told of one policy.
#[derive(Debug)]
pub(super) struct Gathered {
    pub(super) policy: usize,
    /// The stories, in the order in which their requests were asked for or found.
    pub(super) stories: Vec<Story>,
    /// How many requests were like those searched for, told of or not.
    pub(super) matching: Option<u64>,
    /// How many requests arrived.
    pub(super) arrivals: u64,
    /// Why the replication did not end, if it did not.
    pub(super) halt: Option<Halt>,
}

/// What there is to tell of each of `policies`, side by side.
pub(super) fn gather(
    loaded: &Loaded,
    plan: &Plan,
    policies: &[usize],
    replication: u64,
    wanted: &Wanted,
    control: &Control,
) -> Result<Vec<Gathered>, Failure> {
    let one = |&policy: &usize| of_policy(loaded, plan, policy, replication, wanted, control);
    policies.par_iter().map(one).collect()
}

fn of_policy(
    loaded: &Loaded,
    plan: &Plan,
    policy: usize,
    replication: u64,
    wanted: &Wanted,
    control: &Control,
) -> Result<Gathered, Failure> {
    let scenario = &plan.scenarios[policy];
    let (ids, matching) = match wanted {
        Wanted::Numbers(ids) => (ids.clone(), None),
        Wanted::Search {
            rank,
            most,
            outcome,
            class,
            user,
        } => {
            let mut search = Search::new(*rank, *most, scenario.window.warmup);
            (search.outcome, search.class, search.user) = (*outcome, *class, *user);
            let done = run_watched(scenario, plan.seed, replication, control, Some(&mut search));
            not_stopped(done.err())?;
            let ids: Vec<u64> = search.found.iter().map(|found| found.id).collect();
            (ids, Some(search.matching))
        }
    };
    let mut course = Course::new(usize::from(scenario.client.gateways), scenario.fleet.len());
    let told: Mutex<Vec<story::Story>> = Mutex::default();
    let arrivals = std::cell::Cell::new(0);
    let is_wanted = |ask: &Ask| {
        arrivals.set(arrivals.get() + 1);
        ids.contains(&ask.id)
    };
    let mut listener = |story| told.lock().map(|mut told| told.push(story)).is_ok();
    let mut teller = Teller::new(&is_wanted, true, &mut listener);
    let done = run_watched(
        scenario,
        plan.seed,
        replication,
        control,
        Some(&mut Both(&mut teller, &mut course)),
    );
    let halt = not_stopped(done.err())?;
    drop(teller);
    let mut told = told.into_inner().unwrap_or_default();
    sorting::by_key(&mut told, |story| ids.iter().position(|&id| id == story.ending.ask.id));
    let telling = Telling::new(loaded, plan, policy, replication);
    Ok(Gathered {
        policy,
        stories: told
            .iter()
            .map(|story| telling.tell(story, &course.happenings))
            .collect(),
        matching,
        arrivals: arrivals.get(),
        halt,
    })
}

/// Why a replication did not end, unless it was stopped: then nothing is told.
pub(super) fn not_stopped(halt: Option<Halt>) -> Result<Option<Halt>, Failure> {
    match halt {
        Some(Halt::Stopped) => Err(anyhow!("interrupted: nothing is told, and no file is written").into()),
        other => Ok(other),
    }
}
