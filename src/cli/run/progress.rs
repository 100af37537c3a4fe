//! What a person sees while replications run: how far they are, and in the end how fast it went.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::engine::run::Control;
use crate::experiment::assemble::Plan;
use crate::report::format;

/// Does `work` beside a progress bar, if standard error is a terminal. `requests` counts the simulated ones.
pub(super) fn beside(plan: &Plan, control: &Control, requests: &AtomicU64, work: impl FnOnce()) {
    if !std::io::stderr().is_terminal() {
        return work();
    }
    let each = plan.scenarios.first().map_or(0, |s| s.window.end.nanos());
    let total = each
        .saturating_mul(plan.scenarios.len() as u64)
        .saturating_mul(plan.replications);
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {percent:>3} %  {eta} left") {
        bar.set_style(style);
    }
    #[allow(
        clippy::disallowed_methods,
        reason = "the command line tells a person how long it took"
    )]
    let began = Instant::now();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                bar.set_position(control.simulated.load(Ordering::Relaxed));
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        work();
        done.store(true, Ordering::Relaxed);
    });
    bar.finish_and_clear();
    let requests = requests.load(Ordering::Relaxed);
    let seconds = began.elapsed().as_secs_f64();
    tell!(
        "{} requests in {seconds:.1} s ({:.1} million/s)",
        format::count(requests),
        requests as f64 / seconds / 1e6
    );
}
