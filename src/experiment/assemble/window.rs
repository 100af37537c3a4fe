//! How long a replication is: the simulated time, what of it is counted, and whether its traffic can be simulated at all.
//!
//! A trace ends when its last request arrives, and counts from its start; anything else warms up for a tenth of its
//! duration unless the plan says otherwise.

use std::sync::Arc;

use crate::engine::run::{DEFAULT_MAX_IN_SYSTEM, MOST_IN_SYSTEM};
use crate::engine::scenario::Window;
use crate::experiment::file::Experiment;
use crate::experiment::load::Loaded;
use crate::form::build::{Built, Names, Refusal};
use crate::form::units::Count;
use crate::kernel::time::{Span, Time};

pub(super) fn window(loaded: &Loaded, names: &Names<'_>) -> Built<Window> {
    let plan = &loaded.experiment.plan;
    let replayed = loaded.trace.as_ref().and_then(|rows| {
        let mut arrivals = loaded
            .experiment
            .traffic
            .arrivals
            .as_dyn()
            .build(Some(Arc::clone(rows)), names)
            .ok()?;
        let key = crate::kernel::chance::Chance::new(0, 0).request(0);
        let last = std::iter::from_fn(|| arrivals.next(key)).last()?;
        Some(last.at.since(Time::ZERO) + Span::from_nanos(1))
    });
    let length = match (plan.duration, replayed) {
        (Some(duration), Some(whole)) => duration.span().min(whole),
        (Some(duration), None) => duration.span(),
        (None, Some(whole)) if whole < Span::from_secs(1) => {
            let text = format!("`duration` is missing, and the trace lasts {whole}: too short to count by");
            return Err(Refusal::new(text));
        }
        (None, Some(whole)) => whole,
        (None, None) => return Err(Refusal::new("`duration` is missing: how long to simulate, like \"1h\"")),
    };
    let default_warmup = if replayed.is_some() {
        Span::ZERO
    } else {
        Span::from_nanos(length.nanos() / 10)
    };
    let warmup = plan.warmup.map_or(default_warmup, |w| w.span());
    // Ten years: beyond it sums of nanoseconds over replications could overflow.
    if length == Span::ZERO || length > Span::from_secs(10 * 366 * 86_400) {
        return Err(Refusal::new(format!("{length} is not between 1ns and ten years")).at("duration"));
    }
    if warmup >= length {
        return Err(Refusal::new(format!("a warm-up of {warmup} leaves nothing of {length} to count")).at("warmup"));
    }
    Ok(Window {
        warmup: Time::ZERO + warmup,
        end: Time::ZERO + length,
    })
}

/// The most requests in the system at once.
pub(super) fn max_in_system(spec: &Experiment) -> Built<u64> {
    let most = spec.plan.max_in_system.map_or(DEFAULT_MAX_IN_SYSTEM, Count::get);
    if most > MOST_IN_SYSTEM {
        return Err(Refusal::new(format!(
            "{most} requests in the system: at most {MOST_IN_SYSTEM} can be asked for"
        )));
    }
    Ok(most)
}

/// Refuses traffic that no computer gets through: with gaps below the clock's nanosecond, time would even stand still.
pub(super) fn check_load(loaded: &Loaded, window: Window) -> Built<()> {
    const MOST: f64 = 1e11;
    const FASTEST: f64 = 1e7;
    let arrivals = &loaded.experiment.traffic.arrivals;
    // How much a closed loop asks for is up to the answers: users without a thought may be few a second.
    let Some(rate) = arrivals.as_dyn().rate().filter(|_| !arrivals.as_dyn().follows_ends()) else {
        return Ok(());
    };
    let requests = rate * window.end.seconds();
    let text = if rate > FASTEST {
        format!("{rate:.1e} requests a second: at most {FASTEST:.0e} are simulated")
    } else if requests > MOST {
        format!("{requests:.1e} requests a replication: at most {MOST:.0e} are simulated")
    } else {
        return Ok(());
    };
    Err(Refusal::new(text)
        .at(arrivals.as_dyn().rate_field())
        .at(arrivals.name())
        .at("arrivals")
        .at("traffic"))
}
