//! `simcap check`: everything that `run` checks, and no simulation.

use std::path::PathBuf;

use clap::Args;

use super::{Done, Exit, note_unused, print, traces};
use crate::experiment::assemble::assemble;
use crate::experiment::load::load_priced;
use crate::report::format;
use crate::routing::own::OwnPolicies;

/// Arguments of `simcap check`.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// The experiment
    file: PathBuf,
    /// The trace that the experiment replays, or the folder it is in [default: the environment's SIMCAP_TRACES]
    #[arg(long, value_name = "PATH")]
    trace: Option<PathBuf>,
    /// A price table in place of the one built in, in the form of LiteLLM's model_prices_and_context_window.json
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
}

impl Check {
    pub(super) fn run(self, own: &OwnPolicies) -> Done {
        let mut loaded = load_priced(&self.file, &traces(self.trace), self.prices.as_deref())?;
        loaded.own = own.clone();
        note_unused(&loaded, self.prices.as_deref());
        let plan = assemble(&loaded)?;
        let spec = &loaded.experiment;
        let seconds = plan.scenarios.first().map_or(0.0, |s| s.window.end.seconds());
        let each = match (&loaded.trace, spec.traffic.arrivals.as_dyn().rate()) {
            (Some(rows), _) => rows.len() as f64,
            (None, rate) => rate.unwrap_or(0.0) * seconds,
        };
        let requests = (each * plan.replications as f64 * plan.scenarios.len() as f64) as u64;
        print(&format!(
            "{}: fine. {} policies on {} providers and {} classes; {} replications of {} each, about {} requests in all.\n",
            loaded.file,
            spec.policies.len(),
            spec.providers.len(),
            spec.traffic.classes.len(),
            plan.replications,
            format::span(seconds),
            format::count(requests),
        ))?;
        plan.cautions
            .iter()
            .try_for_each(|caution| print(&format!("note: {caution}\n")))?;
        Ok(Exit::Fine)
    }
}
