//! `simcap diff`: what changes from one configuration of a gateway to another, in words and simulated.
//!
//! Both are simulated under the same assumptions, seed, times and requests: the longer of the two warm-ups that pilots find is both's.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, ValueEnum};

use super::explain::FailOn;
use super::run::{Stop, whole};
use super::{Done, Exit, Failure, print, style};
use crate::decide::join;
use crate::experiment::assemble::{Plan, assemble};
use crate::experiment::caveats;
use crate::experiment::estimate::estimate;
use crate::experiment::load::{Loaded, from_text};
use crate::experiment::pilot::warmed;
use crate::gateways::diff::{Simulated, alike, diff, json, level, markdown, text};
use crate::gateways::import::{Assumptions, Beside, built_in_prices, experiment};
use crate::gateways::{self, Gateway, source};
use crate::import::source::{MOST_OF_JSON, read};
use crate::kernel::time::{Span, Time};
use crate::stats::sorting;

/// Arguments of `simcap diff`.
#[derive(Debug, Args)]
pub(super) struct Diff {
    /// The configuration before (YAML or JSON)
    old: PathBuf,
    /// The configuration after
    new: PathBuf,
    /// Simulate both with these assumptions (`simcap import` writes such a file); objectives in it are judged
    #[arg(long, value_name = "ASSUMPTIONS")]
    with: Option<PathBuf>,
    /// The product of both [default: as their keys tell]
    #[arg(long, value_name = "NAME")]
    product: Option<String>,
    /// How to print it
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// Exit with 1 if there is a new warning of this level or above
    #[arg(long, visible_alias = "level", value_name = "LEVEL", default_value = "error")]
    fail_on: FailOn,
    /// Replications [default: as the assumptions say]
    #[arg(long, value_name = "N", requires = "with", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    replications: Option<u64>,
    /// Seed [default: as the assumptions say]
    #[arg(long, value_name = "N", requires = "with")]
    seed: Option<u64>,
    /// Threads [default: one a core]; results do not depend on it
    #[arg(long, value_name = "N", requires = "with", value_parser = clap::value_parser!(u64).range(1..=1024))]
    threads: Option<u64>,
}

/// How to print a difference.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Text,
    Json,
    Markdown,
}

impl Diff {
    pub(super) fn run(self) -> Done {
        let open = |path: &Path| gateways::read(&source::open(path)?, self.product.as_deref());
        let (old, new) = (open(&self.old)?, open(&self.new)?);
        let prices = built_in_prices();
        let found = diff(&old, &new, &prices)?;
        let simulated = match &self.with {
            Some(with) => Some(self.simulate(&old, &new, with)?),
            None => None,
        };
        let shown = match self.format {
            Format::Text => text(&found, simulated.as_ref(), &style()),
            Format::Json => json(&found, simulated.as_ref()),
            Format::Markdown => markdown(&found, simulated.as_ref()),
        };
        print(&shown)?;
        let fails =
            simulated.as_ref().is_some_and(Simulated::fails) || self.fail_on.fails(found.raised.iter().copied());
        Ok(if fails { Exit::ObjectiveFailed } else { Exit::Fine })
    }

    fn simulate(&self, old: &Gateway, new: &Gateway, with: &Path) -> Result<Simulated, Failure> {
        let stop = Stop::watch(None);
        let file = with.display().to_string();
        let bytes = read(with, MOST_OF_JSON).map_err(|why| Failure::Input(format!("{file}: {why}")))?;
        let given = String::from_utf8_lossy(&bytes);
        let prices = built_in_prices();
        let [of_old, of_new] = [old, new].map(|gateway| Assumptions::of(gateway, &prices));
        let beside = |other: &Assumptions, called| Beside {
            other: other.clone(),
            called,
        };
        // Names in the file are those of the one before; the one after is known by them.
        let own = sorting::map(of_old.providers.keys().map(|name| (name.clone(), name.clone())));
        let both = (
            of_old.clone().read_beside(&file, &given, &beside(&of_new, own))?,
            of_new
                .clone()
                .read_beside(&file, &given, &beside(&of_old, alike(old, new)))?,
        );
        let (mut of_old, mut of_new) = both;
        let mut notes = level(&mut of_old, &mut of_new);
        notes.extend(costs(&of_old, &of_new));
        let made = |gateway: &Gateway, assumed: &Assumptions, path: &Path| -> Result<Loaded, Failure> {
            let mut of = experiment(gateway, assumed, &super::import::name(path));
            // Of two products too, what is compared has one name.
            of["policies"][0]["name"] = serde_json::json!(new.product.name);
            Ok(from_text(&path.display().to_string(), &format!("{of:#}\n"))?)
        };
        let mut sides = [made(old, &of_old, &self.old)?, made(new, &of_new, &self.new)?];
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(self.threads.unwrap_or(0) as usize)
            .build()
            .context("cannot start the threads")?;
        let planned = |loaded: &Loaded| -> Result<Plan, Failure> {
            let mut plan = assemble(loaded)?;
            plan.replications = self.replications.unwrap_or(plan.replications);
            plan.seed = self.seed.unwrap_or(plan.seed);
            estimate(loaded, &plan, super::threads(self.threads)).check(loaded)?;
            Ok(pool.install(|| warmed(loaded, plan, &stop.control))?)
        };
        let warm_up = |plan: &Plan| {
            plan.scenarios
                .first()
                .map_or(Span::ZERO, |s| s.window.warmup.since(Time::ZERO))
        };
        let plans = [planned(&sides[0])?, planned(&sides[1])?];
        let longest = warm_up(&plans[0]).max(warm_up(&plans[1]));
        let [old, new] = &mut sides;
        let mut reports = Vec::new();
        for (loaded, plan) in [old, new].into_iter().zip(plans) {
            let plan = if warm_up(&plan) == longest {
                plan
            } else {
                loaded.experiment.plan.warmup = Some(longest.into());
                planned(loaded)?
            };
            reports.push(whole(loaded, plan, &pool, &stop)?);
        }
        let (Some(new), Some(old)) = (reports.pop(), reports.pop()) else {
            return Err(anyhow::anyhow!("nothing was simulated").into());
        };
        let joined = join(&old, &new, ["before", "after"]).map_err(|apart| Failure::Input(apart.to_string()))?;
        Ok(Simulated {
            old,
            new,
            joined,
            notes,
        })
    }
}

/// What costs hang on besides what is compared: providers of which either configuration has the price of another model than the file of
/// assumptions, and invented prices.
fn costs(old: &Assumptions, new: &Assumptions) -> Vec<String> {
    let mut notes = Vec::new();
    for of in [old, new] {
        let swapped = of.because.iter().filter_map(|(what, why)| {
            let name = what.strip_prefix("providers.")?;
            let why = why
                .as_str()
                .filter(|why| why.contains(", since what the file says is of "))?;
            Some(format!("{name}: {}", why.trim_start_matches("assumed: ")))
        });
        notes.extend(swapped);
    }
    let mut unpriced: Vec<&str> = [old, new].into_iter().flat_map(Assumptions::unpriced).collect();
    unpriced.sort_unstable();
    unpriced.dedup();
    notes.extend(caveats::unpriced(&unpriced));
    notes
}
