//! What `run` and `compare` do when they are asked to stop, by what they are at.
//!
//! While files are read nothing is lost: they end at once. While replications run, those that are finished are reported. While
//! the report is made, what can be had in a moment is still written (all but the page), and then they end; the replications
//! are in their file.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use super::super::{Exit, signals};
use crate::engine::run::Control;

/// What is said where nothing is finished.
pub(super) const NOTHING: &str = "interrupted before any replication was finished: there is nothing to report";

/// How long a report that is being made may still take.
const MOMENT: Duration = Duration::from_millis(700);

/// What the command is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Stage {
    Reading,
    Simulating,
    Reporting,
}

/// Where a command stands, and whether it was asked to stop.
#[derive(Debug, Default)]
pub(in crate::cli) struct Stop {
    /// What the simulation looks at.
    pub(in crate::cli) control: Control,
    stage: AtomicU8,
    hurry: AtomicBool,
}

impl Stop {
    /// Watches for signals from now on. `go_on` says how a run is taken up again whose report was not made to its end, if it
    /// can be.
    pub(in crate::cli) fn watch(go_on: Option<String>) -> Arc<Stop> {
        let stop = Arc::new(Stop::default());
        let asked = Arc::clone(&stop);
        signals::watch(move || asked.asked(go_on));
        stop
    }

    /// Called when replications begin.
    pub(in crate::cli) fn simulate(&self) {
        self.stage.store(Stage::Simulating as u8, Ordering::SeqCst);
    }

    /// Called when replications are over and the report is made.
    pub(super) fn report(&self) {
        self.stage.store(Stage::Reporting as u8, Ordering::SeqCst);
    }

    /// Whether it was asked to stop while the report was made: only what takes no time is still to be done.
    pub(super) fn hurries(&self) -> bool {
        self.hurry.load(Ordering::SeqCst)
    }

    fn asked(&self, go_on: Option<String>) {
        let stage = self.stage.load(Ordering::SeqCst);
        if stage == Stage::Reading as u8 {
            end(NOTHING);
        }
        if stage == Stage::Simulating as u8 {
            self.control.stop.store(true, Ordering::Relaxed);
            tell!("stopping: what is finished is reported; once more ends it at once");
            return;
        }
        self.hurry.store(true, Ordering::SeqCst);
        std::thread::sleep(MOMENT);
        match go_on {
            Some(command) => end(&format!(
                "interrupted while the report was made; the replications are kept. Go on with: {command}"
            )),
            None => end("interrupted while the report was made"),
        }
    }
}

fn end(why: &str) -> ! {
    tell!("error: {why}");
    std::process::exit(Exit::Runtime as i32)
}
