//! What a person sees while probes are sent: how many, how fast, how slow the answers, what went wrong, what it has cost.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::calibrate::probe::Probe;
use crate::live::money::Dollars;
use crate::live::plan::Plan;
use crate::live::run::Control;
use crate::report::{Unit, format};
use crate::words::Outcome;

/// Of how many of the latest answers the view speaks.
const LATEST: usize = 200;

/// The view of progress, if there is a terminal to show it on.
#[derive(Debug)]
pub(super) struct View {
    bar: Option<ProgressBar>,
    bound: u64,
    began: Instant,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    ended: u64,
    errors: u64,
    /// Times to first token of the latest answers, in microseconds.
    ttft: Vec<u64>,
    next: usize,
}

impl View {
    pub(super) fn new(probes: u64, plan: &Plan, terminal: bool) -> View {
        let bar = terminal.then(|| {
            let bar = ProgressBar::with_draw_target(Some(probes), ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len}\n{msg}") {
                bar.set_style(style);
            }
            bar
        });
        #[allow(
            clippy::disallowed_methods,
            reason = "the command line tells a person how fast it goes"
        )]
        let began = Instant::now();
        View {
            bar,
            bound: plan.max_cost,
            began,
            seen: Mutex::default(),
        }
    }

    /// Takes note of a probe that has ended.
    pub(super) fn ended(&self, probe: &Probe) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.ended += 1;
        seen.errors += u64::from(probe.outcome.0 != Outcome::Success);
        if let Some(ttft) = probe.first_content_us {
            let next = seen.next % LATEST;
            if next < seen.ttft.len() {
                seen.ttft[next] = ttft;
            } else {
                seen.ttft.push(ttft);
            }
            seen.next += 1;
        }
    }

    fn draw(&self, bar: &ProgressBar, control: &Control) {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        bar.set_position(seen.ended);
        let mut sorted = seen.ttft.clone();
        sorted.sort_unstable();
        let quantile = |q: f64| {
            let rank = (q * sorted.len() as f64).ceil() as usize;
            let value = sorted.get(rank.saturating_sub(1)).map(|&us| us as f64 / 1e6);
            value.map_or(format::NONE.to_owned(), |seconds| format::value(Unit::Seconds, seconds))
        };
        let rate = seen.ended as f64 / self.began.elapsed().as_secs_f64().max(1e-3);
        bar.set_message(format!(
            "{} · {} in flight · TTFT p50 {} p95 {} (latest) · {} errors · {} of {}",
            format::value(Unit::PerSecond, rate),
            control.in_flight.load(Ordering::Relaxed),
            quantile(0.5),
            quantile(0.95),
            seen.errors,
            Dollars(control.spent.load(Ordering::Relaxed)),
            Dollars(self.bound),
        ));
    }
}

/// Does `work` beside the view.
pub(super) fn beside<T>(view: &View, control: &Control, work: impl FnOnce() -> T) -> T {
    let Some(bar) = &view.bar else { return work() };
    let done = AtomicBool::new(false);
    let result = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                view.draw(bar, control);
                std::thread::sleep(Duration::from_millis(200));
            }
        });
        let result = work();
        done.store(true, Ordering::Relaxed);
        result
    });
    bar.finish_and_clear();
    result
}
