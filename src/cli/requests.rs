//! `simcap requests`: the stories of single requests, and every request, attempt and event as rows.
//!
//! Nothing is kept while an experiment is run. The replication that is asked about is simulated again, and takes the course that it took
//! then; so the command needs the experiment alone, not its result.

mod export;
mod gather;
#[cfg(feature = "hdr")]
mod hdr;

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, ValueEnum};

use super::run::{Simulate, Stop};
use super::{Done, Exit, Failure, print, style};
use crate::engine::story::Rank;
use crate::experiment::assemble::Plan;
use crate::experiment::settings::Setting;
use crate::form::own::OwnParts;
use crate::form::units::Fraction;
use crate::report::story::{Story, text, trace};
use crate::report::{format, write};
use crate::words::Outcome;
use gather::{Gathered, Wanted};

/// How many requests are told of where their number is not given.
const SOME: usize = 10;

/// Arguments of `simcap requests`.
#[derive(Debug, Args)]
pub(super) struct Requests {
    /// The experiment (JSON; comments are allowed)
    file: PathBuf,
    /// Change a value of the experiment before it is run, as in `simcap run`; may be given several times
    #[arg(long = "set", value_name = "PATH=VALUE")]
    set: Vec<Setting>,
    /// Only this policy [default: all for --id and for files, else the first]
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// The replication, from 0 [default: the first; for files all]
    #[arg(long, value_name = "N")]
    replication: Option<u64>,
    /// The request of this number; may be given several times
    #[arg(long, value_name = "N", conflicts_with_all = ["worst", "outcome", "class", "user", "by", "first"])]
    id: Vec<u64>,
    /// The worst so many: those that failed, the longest first, then the slowest; with `--outcome success` the slowest that were answered
    /// [default: 1 where nothing else is asked for]
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "10", value_parser = clap::value_parser!(u32).range(1..=1000))]
    worst: Option<u32>,
    /// What makes a request bad: its whole time, or that to its first token; one that failed takes for ever [default: e2e]
    #[arg(long, value_enum, requires = "worst")]
    by: Option<By>,
    /// The first so many to end [default: 10]
    #[arg(long, value_name = "N", conflicts_with = "worst", value_parser = clap::value_parser!(u32).range(1..=1000))]
    first: Option<u32>,
    /// Only requests that ended so, such as timeout_total
    #[arg(long, value_name = "OUTCOME")]
    outcome: Option<String>,
    /// Only requests of this class
    #[arg(long, value_name = "CLASS")]
    class: Option<String>,
    /// Only requests of this user
    #[arg(long, value_name = "N")]
    user: Option<u32>,
    /// Print the stories as JSON
    #[arg(long)]
    json: bool,
    /// Write the stories to this file too, as a trace that ui.perfetto.dev and chrome://tracing open
    #[arg(long, value_name = "FILE")]
    perfetto: Option<PathBuf>,
    /// Write a row for each counted request to this file: CSV, or Parquet if it ends in .parquet (feature `parquet`)
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
    /// Write a row for each attempt at a counted request to this file, of the same kinds
    #[arg(long, value_name = "FILE")]
    attempts: Option<PathBuf>,
    /// Write the times of all successes to this interval log of HdrHistogram (feature `hdr`)
    #[arg(long, value_name = "FILE")]
    hdr: Option<PathBuf>,
    /// Take only this share of the requests for the two files, such as 1%: the same ones under every policy
    #[arg(long, value_name = "SHARE")]
    sample: Option<Fraction>,
    /// Write what happened to the system (incidents, breakers, budgets, milestones) to this CSV file
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
    /// Seed [default: as the file says]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Threads [default: one a core]; stories do not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1024))]
    threads: Option<u64>,
    /// The trace that the experiment replays, or the folder it is in [default: the environment's SIMCAP_TRACES]
    #[arg(long, value_name = "PATH")]
    trace: Option<PathBuf>,
    /// A price table in place of the one built in, in the form of LiteLLM's model_prices_and_context_window.json
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
}

/// What makes a request bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum By {
    E2e,
    Ttft,
}

impl Requests {
    pub(super) fn run(self, own: &OwnParts) -> Done {
        if self.sample.is_some() && self.export.is_none() && self.attempts.is_none() {
            return Err(Failure::Input(
                "--sample is for the rows of --export and --attempts, and neither is given".into(),
            ));
        }
        let outputs = [&self.perfetto, &self.export, &self.attempts, &self.hdr, &self.events];
        if let Some(same) = outputs
            .into_iter()
            .flatten()
            .find(|out| write::is_same_file(out, &self.file))
        {
            return Err(Failure::Input(format!(
                "{} is the experiment itself: name another file",
                same.display()
            )));
        }
        let stop = Stop::watch(None);
        let simulate = Simulate {
            file: self.file.clone(),
            with: None,
            set: self.set.clone(),
            replications: None,
            seed: self.seed,
            threads: self.threads,
            trace: self.trace.clone(),
            prices: self.prices.clone(),
        };
        let (loaded, plan, pool) = simulate.plan(own, &stop)?;
        let wanted = self.wanted(&plan)?;
        let one_policy = (self.policy.as_deref()).map(|name| policy(&plan, name)).transpose()?;
        if let Some(replication) = self.replication.filter(|&r| r >= plan.replications) {
            return Err(Failure::Input(format!(
                "replication {replication}: {} has {}, from 0 to {}",
                loaded.file,
                plan.replications,
                plan.replications - 1
            )));
        }
        stop.simulate();
        let files = export::Files {
            loaded: &loaded,
            plan: &plan,
            policies: one_policy.map_or_else(|| (0..plan.scenarios.len()).collect(), |one| vec![one]),
            replications: self.replication.map_or(0..plan.replications, |one| one..one + 1),
            control: &stop.control,
        };
        if self.writes_rows() {
            pool.install(|| {
                let sample = self.sample.map_or(1.0, Fraction::get);
                let asked = export::Asked {
                    requests: self.export.as_deref(),
                    attempts: self.attempts.as_deref(),
                    happenings: self.events.as_deref(),
                    times: self.hdr.as_deref(),
                };
                files.write(&asked, sample)
            })?;
            if !self.asks_for_stories() {
                return Ok(Exit::Fine);
            }
        }
        let policies: Vec<usize> = match (one_policy, &wanted) {
            (Some(one), _) => vec![one],
            (None, Wanted::Numbers(_)) => (0..plan.scenarios.len()).collect(),
            (None, Wanted::Search { .. }) => {
                if plan.scenarios.len() > 1 {
                    tell!(
                        "note: under `{}`, the first of {} policies; --policy names another",
                        crate::report::text::clean(&plan.scenarios[0].name),
                        plan.scenarios.len()
                    );
                }
                vec![0]
            }
        };
        let replication = self.replication.unwrap_or(0);
        let gathered =
            pool.install(|| gather::gather(&loaded, &plan, &policies, replication, &wanted, &stop.control))?;
        self.show(&plan, &gathered)
    }

    fn writes_rows(&self) -> bool {
        self.export.is_some() || self.attempts.is_some() || self.events.is_some() || self.hdr.is_some()
    }

    /// Whether stories are asked for beside files of rows.
    fn asks_for_stories(&self) -> bool {
        !self.id.is_empty()
            || self.worst.is_some()
            || self.first.is_some()
            || self.outcome.is_some()
            || self.class.is_some()
            || self.user.is_some()
            || self.json
            || self.perfetto.is_some()
    }

    /// Which requests are asked for.
    fn wanted(&self, plan: &Plan) -> Result<Wanted, Failure> {
        if !self.id.is_empty() {
            return Ok(Wanted::Numbers(self.id.clone()));
        }
        let outcome = self.outcome.as_deref().map(outcome).transpose()?;
        let class = self.class.as_deref().map(|name| class(plan, name)).transpose()?;
        let is_any = outcome.is_none() && class.is_none() && self.user.is_none() && self.first.is_none();
        let (rank, most) = match (self.worst, self.first) {
            (Some(most), _) => (Some(self.by.unwrap_or(By::E2e)), most as usize),
            (None, Some(first)) => (None, first as usize),
            (None, None) if is_any => (Some(By::E2e), 1),
            (None, None) => (None, SOME),
        };
        if let Some(user) = self.user {
            let users = plan.scenarios.first().and_then(|s| s.traffic.users);
            if users.is_none() {
                return Err(Failure::Input(format!(
                    "--user {user}: the traffic has no `users` to tell apart"
                )));
            }
        }
        Ok(Wanted::Search {
            rank: match rank {
                Some(By::E2e) => Rank::E2e,
                Some(By::Ttft) => Rank::Ttft,
                None => Rank::First,
            },
            most,
            outcome,
            class,
            user: self.user,
        })
    }

    fn show(&self, plan: &Plan, gathered: &[Gathered]) -> Done {
        let stories: Vec<Story> = gathered.iter().flat_map(|of| of.stories.iter().cloned()).collect();
        for of in gathered {
            self.note(plan, of)?;
        }
        if let Some(file) = &self.perfetto {
            write_file(file, trace::render(&stories).as_bytes())?;
        }
        if self.json {
            let text = serde_json::to_string_pretty(&stories).context("cannot write the stories as JSON")?;
            print(&(text + "\n"))?;
        } else {
            let width = style().width;
            let all: Vec<String> = stories.iter().map(|story| text::render(story, width)).collect();
            print(&all.join("\n"))?;
        }
        let outgrown = gathered.iter().filter_map(|of| of.halt.as_ref());
        let mut exit = Exit::Fine;
        for halt in outgrown {
            tell!("error: {halt}: only requests that ended before are told of");
            exit = Exit::Runtime;
        }
        Ok(exit)
    }

    /// Says of one policy what its stories do not.
    fn note(&self, plan: &Plan, of: &Gathered) -> Result<(), Failure> {
        let name = crate::report::text::clean(&plan.scenarios[of.policy].name);
        // Only one replication is looked at.
        let within = match plan.replications {
            0 | 1 => String::new(),
            all => format!(
                ", in replication {} of {all}, numbered from 0",
                self.replication.unwrap_or(0)
            ),
        };
        let told = |id| of.stories.iter().any(|story: &Story| story.id == id);
        match &of.matching {
            None => {
                if let Some(id) = self.id.iter().find(|&&id| !told(id))
                    && of.halt.is_none()
                {
                    return Err(Failure::Input(format!(
                        "under `{name}` there is no request {id}: it has {} arrivals, warm-up included, numbered from 0 unless they follow the ends of others",
                        format::count(of.arrivals)
                    )));
                }
            }
            Some(0) => {
                let others = plan
                    .scenarios
                    .iter()
                    .map(|s| s.name.as_str())
                    .filter(|other| *other != name);
                let others: Vec<&str> = others.take(8).collect();
                let more = match others.is_empty() {
                    true => String::new(),
                    false => format!("; --policy looks under another: {}", others.join(", ")),
                };
                tell!(
                    "note: no request like that under `{name}`{within}{}",
                    crate::report::text::clean(&more)
                );
            }
            Some(matching) if *matching > of.stories.len() as u64 => tell!(
                "note: {} of the {} requests under `{name}` that are asked for{within}",
                of.stories.len(),
                format::count(*matching)
            ),
            Some(_) => {}
        }
        Ok(())
    }
}

/// The number of the policy of this name.
fn policy(plan: &Plan, name: &str) -> Result<usize, Failure> {
    let names: Vec<String> = plan.scenarios.iter().map(|s| s.name.clone()).collect();
    find("policy", name, &names)
}

fn class(plan: &Plan, name: &str) -> Result<usize, Failure> {
    let classes = plan.scenarios.first().map_or(&[][..], |s| &s.traffic.classes);
    let names: Vec<String> = classes.iter().map(|class| class.name.clone()).collect();
    find("class", name, &names)
}

fn outcome(name: &str) -> Result<Outcome, Failure> {
    let names = Outcome::ALL.map(|outcome| outcome.name().to_owned());
    find("outcome", name, &names).map(|place| Outcome::ALL[place])
}

/// The place of `name` among `names`.
fn find(what: &str, name: &str, names: &[String]) -> Result<usize, Failure> {
    let found = names.iter().position(|n| n == name);
    found.ok_or_else(|| {
        let said = format!("--{what}: there is no {what} `{name}`; there are: {}", names.join(", "));
        Failure::Input(crate::report::text::clean(&said))
    })
}

/// Writes a file so that it is whole or not there.
fn write_file(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut streamed = write::Streamed::create(file).with_context(|| format!("cannot write {}", file.display()))?;
    let done = std::io::Write::write_all(&mut streamed, bytes).and_then(|()| streamed.finish());
    Ok(done.with_context(|| format!("cannot write {}", file.display()))?)
}
