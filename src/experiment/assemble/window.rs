//! How long a replication is: the simulated time, what of it is counted, and whether its traffic can be simulated at all.
//!
//! The plan's time begins when the warm-up is over, and its duration is counted whole. A trace ends when its last request arrives, and
//! with the longest of them whatever other streams there are; it has no past, so that a warm-up is only there if the plan gives one, and then is the trace's beginning. Anything else warms up
//! for the time that the plan gives or, without one, a pilot finds ([`crate::experiment::pilot`]). A trace that is put together anew from
//! its stretches has no end: it is counted for as long as the plan says or, where that is left out, as long as the trace is.

use crate::engine::run::{DEFAULT_MAX_IN_SYSTEM, MOST_IN_SYSTEM};
use crate::engine::scenario::Window;
use crate::experiment::file::{Experiment, Origin};
use crate::experiment::load::Loaded;
use crate::form::build::{Built, Names, Refusal};
use crate::form::units::Count;
use crate::kernel::time::{Span, Time};
use crate::traffic::arrivals::ArrivalsSpec;
use crate::words::Start;

/// Ten years: beyond it sums of nanoseconds over replications could overflow.
const LONGEST: Span = Span::from_secs(10 * 366 * 86_400);

/// The window, and how it starts: after `warmup` or, without one, as the plan says.
pub(super) fn window(loaded: &Loaded, names: &Names<'_>, warmup: Option<Span>) -> Built<(Window, Start)> {
    let plan = &loaded.experiment.plan;
    // The longest, if several streams replay one.
    let replays = loaded.experiment.traffic.origins().filter_map(|origin| {
        let rows = loaded
            .trace_of(origin.arrivals)
            .filter(|_| origin.arrivals.as_dyn().ends())?;
        let mut arrivals = origin.arrivals.as_dyn().build(Some(rows), names).ok()?;
        let key = crate::kernel::chance::Chance::new(0, 0).request(0);
        let last = std::iter::from_fn(|| arrivals.next(key)).last()?;
        Some(last.at.since(Time::ZERO) + Span::from_nanos(1))
    });
    let replayed = replays.max();
    let (warmup, start) = match (warmup, plan.warmup.map(|w| w.span()), replayed) {
        (Some(warmup), ..) => (warmup, Start::Given),
        (None, Some(Span::ZERO), _) => (Span::ZERO, Start::Empty),
        (None, Some(given), _) => (given, Start::Given),
        (None, None, Some(_)) => (Span::ZERO, Start::Replayed),
        (None, None, None) => (Span::ZERO, Start::Unpiloted),
    };
    if warmup > LONGEST {
        return Err(Refusal::new(format!("a warm-up of {warmup}: at most ten years")).at("warmup"));
    }
    if let Some(whole) = replayed.filter(|&whole| warmup >= whole) {
        let text = format!("a warm-up of {warmup} leaves nothing of the trace, which lasts {whole}, to count");
        return Err(Refusal::new(text).at("warmup"));
    }
    let replayed = replayed.map(|whole| Span::from_nanos(whole.nanos() - warmup.nanos()));
    let length = match (plan.duration, replayed) {
        (Some(duration), Some(whole)) => duration.span().min(whole),
        (Some(duration), None) => duration.span(),
        (None, Some(whole)) if whole < Span::from_secs(1) => {
            let text = format!("`duration` is missing, and the trace lasts {whole}: too short to count by");
            return Err(Refusal::new(text));
        }
        (None, Some(whole)) => whole,
        (None, None) => {
            let missing = || Refusal::new("`duration` is missing: how long to simulate, like \"1h\"");
            resampled(loaded).ok_or_else(missing)?
        }
    };
    if length == Span::ZERO || length > LONGEST {
        return Err(Refusal::new(format!("{length} is not between 1ns and ten years")).at("duration"));
    }
    let origin = Time::ZERO + warmup;
    let window = Window {
        warmup: origin,
        end: origin + length,
    };
    Ok((window, start))
}

/// How long the longest trace is that is put together anew from its stretches, and stands for a stretch of traffic of its own length.
fn resampled(loaded: &Loaded) -> Option<Span> {
    let lengths = loaded.experiment.traffic.origins().filter_map(|origin| {
        let rows = loaded.trace_of(origin.arrivals)?;
        match origin.arrivals {
            ArrivalsSpec::replay(replay) => replay.resample.and(Some(replay.recorded(&rows).lasts)),
            _ => None,
        }
    });
    lengths
        .filter(|lasts| (Span::from_secs(1)..=LONGEST).contains(lasts))
        .max()
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
    // How much a closed loop asks for is up to the answers: users without a thought may be few a second.
    let open = |origin: &Origin<'_>| {
        origin
            .arrivals
            .as_dyn()
            .rate()
            .filter(|_| !origin.arrivals.as_dyn().is_closed())
    };
    let origins = loaded.experiment.traffic.origins();
    let rates: Vec<(f64, Origin<'_>)> = origins.filter_map(|origin| Some((open(&origin)?, origin))).collect();
    let rate: f64 = rates.iter().map(|(rate, _)| rate).sum();
    let Some((_, origin)) = rates.iter().max_by(|(a, _), (b, _)| a.total_cmp(b)) else {
        return Ok(());
    };
    // As the plan says: a pilot's scenarios begin out of reach and never get there.
    let warmup = loaded.experiment.plan.warmup.map_or(Span::ZERO, |w| w.span());
    let requests = rate * (warmup + window.counted()).seconds();
    let text = if rate > FASTEST {
        format!("{rate:.1e} requests a second: at most {FASTEST:.0e} are simulated")
    } else if requests > MOST {
        format!("{requests:.1e} requests a replication: at most {MOST:.0e} are simulated")
    } else {
        return Ok(());
    };
    let field = origin.arrivals.as_dyn().rate_field();
    Err(origin.at_arrivals(Refusal::new(text).at(field)).at("traffic"))
}
