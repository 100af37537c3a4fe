//! `simcap check`: everything that `run` checks, and no simulation.

mod effective;

use std::path::PathBuf;

use clap::Args;

use super::{Done, Exit, lines, note_unused, print, traces};
use crate::experiment::assemble::assemble;
use crate::experiment::estimate::{Estimate, estimate};
use crate::experiment::load::Source;
use crate::experiment::reach;
use crate::experiment::settings::Setting;
use crate::experiment::uncertain_inputs;
use crate::form::own::OwnParts;
use crate::report::format;
use crate::report::text::escaped;
use crate::words::Start;

/// Arguments of `simcap check`.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// The experiment file; `-` reads it from standard input
    file: PathBuf,
    /// Change a value of the experiment first, as in `simcap run`; may be given several times
    #[arg(long = "set", value_name = "PATH=VALUE")]
    set: Vec<Setting>,
    /// The trace that the experiment replays, or the folder it is in [default: the environment's SIMCAP_TRACES]
    #[arg(long, value_name = "PATH")]
    trace: Option<PathBuf>,
    /// A price table in place of the one built in, in the form of LiteLLM's model_prices_and_context_window.json
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
    /// Print the client that each policy runs under, and where each of its settings comes from, instead of the estimate
    #[arg(long)]
    effective: bool,
}

/// A number of things, by their name.
fn number(n: u64, one: &str, several: &str) -> String {
    let name = if n == 1 { one } else { several };
    format!("{n} {name}")
}

impl Check {
    pub(super) fn run(self, own: &OwnParts) -> Done {
        let (mut source, traces) = (Source::read(&self.file)?, traces(self.trace));
        let prices = self.prices.as_deref();
        let loaded = source.load(&self.set, &traces, prices, own.clone())?;
        note_unused(&loaded, prices);
        let plan = assemble(&loaded)?;
        // A value that is set may lie beyond what the file says to be possible.
        if self.set.is_empty() {
            uncertain_inputs::inputs(&loaded, &[], &mut |with| {
                source.load(with, &traces, prices, own.clone())
            })?;
        }
        let spec = &loaded.experiment;
        if self.effective {
            print(&escaped(&effective::policies(spec)))?;
            return Ok(Exit::Fine);
        }
        let seconds = plan.scenarios.first().map_or(0.0, |s| s.window.counted().seconds());
        let estimate = estimate(&loaded, &plan, super::threads(None));
        estimate.check(&loaded)?;
        let each: f64 = estimate.policies.iter().map(|p| p.requests).sum();
        let requests = format::count((each * plan.replications as f64) as u64);
        let at_most = match spec.traffic.follows_ends() || spec.traffic.changes_once() {
            true => "at most ",
            false => "",
        };
        let warmup = plan.scenarios.first().map_or(0.0, |s| s.window.warmup.seconds());
        let start = match plan.start {
            Start::Unpiloted => " after a warm-up that a pilot will find".to_owned(),
            start => format!(" {}", start.in_words(&format::span(warmup))),
        };
        let fine = format!(
            "{}: fine. {} on {} and {}; {} of {} each{start}, {at_most}about {requests} requests in all.",
            loaded.file,
            number(spec.policies.len() as u64, "policy", "policies"),
            number(spec.providers.len() as u64, "provider", "providers"),
            number(spec.traffic.classes.len() as u64, "class", "classes"),
            number(plan.replications, "replication", "replications"),
            format::span(seconds),
        );
        print(&lines("", &fine))?;
        print(&in_words(&estimate))?;
        let mut warnings = estimate.warnings();
        warnings.extend(uncertain_inputs::sentence(&loaded));
        warnings.extend(reach::notes(&plan, &estimate));
        if !plan.assumptions.is_empty() {
            print(&lines("not modelled: ", &plan.assumptions.join("; ")))?;
        }
        (plan.cautions.iter().chain(&warnings)).try_for_each(|caution| print(&lines("note: ", caution)))?;
        Ok(Exit::Fine)
    }
}

/// What a plan will take, and which policy most of it: about so much, within a factor of two or three.
fn in_words(estimate: &Estimate) -> String {
    /// Policies that are told one by one.
    const SHOWN: usize = 20;
    let all = format!(
        "{} of memory on {}, about {} of CPU on one core; with each provider sent the same share:",
        format_bytes(estimate.memory),
        match estimate.threads {
            1 => "one thread".to_owned(),
            n => format!("{n} threads"),
        },
        format::span(rounded(estimate.seconds)),
    );
    let mut text = lines("estimate: ", &all);
    for policy in estimate.policies.iter().take(SHOWN) {
        let one = format!(
            "{}: about {} requests a replication, about {} in the system at once (at most {})",
            policy.name,
            format::count(rounded(policy.requests) as u64),
            format::count(rounded(policy.in_system).ceil() as u64),
            format::count(policy.most),
        );
        text += &lines("  ", &one);
    }
    if estimate.policies.len() > SHOWN {
        text += &format!("  and {} policies more\n", estimate.policies.len() - SHOWN);
    }
    text
}

fn format_bytes(bytes: f64) -> String {
    match bytes {
        x if x < 1e7 => "less than 10 MB".to_owned(),
        x if x < 1e9 => format!("about {} MB", rounded(x / 1e6)),
        x => format!("about {} GB", rounded(x / 1e9)),
    }
}

/// To two digits, which is more than an estimate has.
fn rounded(x: f64) -> f64 {
    if x <= 0.0 {
        return x;
    }
    let scale = libm::pow(10.0, libm::floor(libm::log10(x)) - 1.0);
    let digits = (x / scale).round();
    if scale >= 1.0 {
        digits * scale
    } else {
        digits / (1.0 / scale).round()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_have_two_digits() {
        assert_eq!(
            [0.0, 0.0123, 1.26, 86_400.0, 360_000.0].map(rounded),
            [0.0, 0.012, 1.3, 86_000.0, 360_000.0]
        );
        assert_eq!(
            [3e6, 1.234e8, 3.3e9].map(format_bytes),
            ["less than 10 MB", "about 120 MB", "about 3.3 GB"]
        );
    }
}
