//! A policy of your own, in a program that is the whole `simcap` command besides.
//!
//! The policy takes providers in turns, and rests one that fails: `{ "own": { "name": "least_recent", "parameters": { "rest": "2s" } } }`
//! in the experiment. It implements [`Policy`], reads its parameters in a function, and is registered in `main` under its name.
//!
//! ```sh
//! cargo run --release --example own_policy -- run examples/own_policy.json
//! ```
//!
//! prints the figures of this policy and of two that are built in, each with its interval, and how they compare; the whole report
//! is written to `reports/own-policy/report.html`. Every other command works as well: `-- check examples/own_policy.json`, `-- --help`.

use std::process::ExitCode;

use clap::Parser;
use simcap::cli::Cli;
use simcap::form::build::{Built, Names, Refusal};
use simcap::form::own::OwnParts;
use simcap::form::units::Duration;
use simcap::kernel::time::{Span, Time};
use simcap::routing::{Call, Fleet, Policy};
use simcap::words::{Ended, Outcome};

/// Chooses the provider that was called the longest time ago; a provider that fails gets no calls for `rest`.
#[derive(Clone, Debug)]
struct LeastRecent {
    rest: Span,
    /// When each provider may be called again, and the turn in which it was called last.
    each: Vec<(Time, u64)>,
    turn: u64,
}

impl Policy for LeastRecent {
    fn choose(&mut self, _call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        let may = |&p: &usize| fleet.is_open_to_calls(p) && self.each[p].0 <= fleet.now();
        let chosen = (0..fleet.len()).filter(may).min_by_key(|&p| self.each[p].1)?;
        self.turn += 1;
        self.each[chosen].1 = self.turn;
        Some(chosen)
    }

    fn learn(&mut self, ended: &Ended) {
        if ended.outcome != Outcome::Success {
            self.each[ended.provider].0 = ended.now + self.rest;
        }
    }

    fn fresh(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }
}

pub(crate) fn least_recent(parameters: &serde_json::Value, names: &Names<'_>) -> Built<Box<dyn Policy>> {
    let rest = serde_json::from_value::<Duration>(parameters["rest"].clone());
    Ok(Box::new(LeastRecent {
        rest: rest.map_err(|e| Refusal::of(e).at("rest"))?.into(),
        each: vec![(Time::ZERO, 0); names.providers.len()],
        turn: 0,
    }))
}

fn main() -> ExitCode {
    Cli::parse().run_with(&OwnParts::default().policy("least_recent", least_recent))
}
