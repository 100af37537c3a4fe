//! How long a plan warms up, where it does not say so itself: found by a pilot.
//!
//! The pilot is a few short replications of every policy that start empty, with a seed of their own. They are made four times as long until
//! they are long enough to tell how long the system remembers. A policy then needs the longest of
//!
//! - five correlation times of the requests in the system ([`Correlation`]): what is left of the empty start falls about as
//!   the correlation does, to less than a hundredth;
//! - the time that all but one in a thousand requests take, which is how long an empty system without queues takes to fill;
//! - the time that all but one in a thousand conversations or agent runs take, if the traffic has any: only then do as many turns come
//!   as always will;
//! - the transient of latency, errors and cost per request in the mean over the pilot's replications
//!   ([`transient`]: MSER-5), which is what caches, breakers and policies that learn take.
//!
//! The longest that any policy needs is used for all, so that replications stay paired. Whatever the plan's time holds
//! (scheduled faults, budgets, stages of a rollout) lies behind the pilot's end: it is warm-up throughout.
//!
//! Its cost is bounded: beyond 20,000 arrivals a replication it takes no more than a tenth of the run's work, and what it finds is at
//! most a quarter of the plan's duration, or a tenth where requests pile up without end. [`Start::Cut`] says that it came to that.
//! Measured on M/M/1 (`tests/warm_up.rs`): what is counted has no bias that can be told from noise where the duration is long enough for
//! the warm-up to be granted; `decide/steady.rs` has the table.
//! Left out: memory that shows in none of these figures, such as a quota of a day that is half used.

use crate::engine::replicate::replicate;
use crate::engine::run::{Control, Halt};
use crate::engine::scenario::{Scenario, Window};
use crate::engine::series::{BINS, Bin, Series};
use crate::engine::tally::Tally;
use crate::form::diagnose;
use crate::kernel::chance::{Chance, Purpose};
use crate::kernel::time::{Span, Time};
use crate::stats::correlation::Correlation;
use crate::stats::histogram::Histogram;
use crate::stats::warmup::transient;
use crate::words::Start;

use super::assemble::{Plan, assemble_after};
use super::load::Loaded;

/// Replications of the pilot.
const REPLICATIONS: u64 = 4;
/// Correlation times that a warm-up lasts.
const TIMES: f64 = 5.0;
/// Correlation times that a pilot must last for one to be read off it.
const ENOUGH: f64 = 30.0;
/// Times that the slowest requests, conversations or agent runs take for which a pilot must last.
const ENOUGH_SLOW: f64 = 4.0;
/// Arrivals that a replication of the pilot must have.
const FEW: u64 = 500;
/// Arrivals of a replication that may always be simulated, whatever their share of the run's work.
const FREE: u64 = 20_000;
/// The share of the run's work that a pilot may take.
const WORK: f64 = 0.1;
/// How much longer the next round is.
const LONGER: u64 = 4;
/// The first round's share of the plan's duration: 4⁻⁶.
const FIRST: u64 = 4096;
/// Where a pilot's plan begins: out of reach, and after whole weeks, so that the pilot has the hours that the plan begins with.
const BEYOND: Span = Span::from_secs(470 * 7 * 86_400);

/// What a policy needs, or that it cannot be said yet.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Need {
    /// Seconds of warm-up.
    Enough(f64),
    /// More than a pilot of this length can tell.
    More,
    /// Requests pile up without end.
    PilesUp,
}

/// `plan` with the warm-up that it needs: that which a pilot finds, if `plan` leaves it to one, and its own otherwise.
///
/// Parts are made anew, with the same seed and number of replications. A pilot that `control` stops finds nothing.
///
/// # Errors
/// If `loaded` makes no sense, which it did when `plan` was made of it.
pub fn warmed(loaded: &Loaded, plan: Plan, control: &Control) -> Result<Plan, diagnose::Error> {
    if plan.start != Start::Unpiloted {
        return Ok(plan);
    }
    let Some(counted) = plan.scenarios.first().map(|s| s.window.counted()) else {
        return Ok(plan);
    };
    let pilot = assemble_after(loaded, BEYOND)?;
    let found = find(pilot.scenarios, plan.seed, plan.replications, counted, control);
    loaded.scripts.iter().for_each(|(_, program)| program.forget_trouble());
    let Some((warmup, start)) = found else {
        return Ok(plan);
    };
    let warm = assemble_after(loaded, warmup)?;
    Ok(Plan {
        start,
        seed: plan.seed,
        replications: plan.replications,
        ..warm
    })
}

/// The warm-up that the slowest of `scenarios` needs; nothing if it was stopped.
fn find(
    mut scenarios: Vec<Scenario>,
    seed: u64,
    replications: u64,
    counted: Span,
    control: &Control,
) -> Option<(Span, Start)> {
    let seed = Chance::new(seed, 0).surroundings(0).draw(Purpose::Pilot);
    let work = WORK * replications as f64 * counted.seconds() / REPLICATIONS as f64;
    let mut length = Span::from_nanos((counted.nanos() / FIRST).max(BINS as u64));
    let mut needs: Vec<Need> = Vec::new();
    while !scenarios.is_empty() {
        scenarios.iter_mut().for_each(|s| s.window = whole(length));
        let runs = replicate(&scenarios, seed, REPLICATIONS, control);
        let longer = length.times(LONGER);
        let mut open = Vec::new();
        for (scenario, runs) in scenarios.into_iter().zip(runs) {
            if runs.contains(&Err(Halt::Stopped)) {
                return None;
            }
            let Ok(tallies) = runs.into_iter().collect::<Result<Vec<Tally>, Halt>>() else {
                needs.push(Need::PilesUp);
                continue;
            };
            let seen = Seen::of(&tallies, length);
            let ends = longer > counted.times(LONGER) || (longer.seconds() > work && seen.arrivals > FREE);
            match seen.need {
                Need::More | Need::PilesUp if !ends => open.push(scenario),
                need => needs.push(need),
            }
        }
        (scenarios, length) = (open, longer);
    }
    Some(longest(&needs, counted))
}

/// The longest of what policies need in a plan that counts `counted`, as far as it is granted, and what it is to be called.
fn longest(needs: &[Need], counted: Span) -> (Span, Start) {
    let part = |of: u64| Span::from_nanos(counted.nanos() / of);
    let grant = |need: &Need| match *need {
        Need::Enough(seconds) if Span::from_seconds_f64(seconds) <= part(4) => {
            (rounded(seconds).min(part(4)), Start::Pilot)
        }
        Need::Enough(_) | Need::More => (part(4), Start::Cut),
        Need::PilesUp => (part(10), Start::Cut),
    };
    let granted = needs.iter().map(grant);
    let longer = |a: (Span, Start), b: (Span, Start)| {
        let start = if a.1 == Start::Cut { a.1 } else { b.1 };
        (a.0.max(b.0), start)
    };
    granted.fold((Span::ZERO, Start::Pilot), longer)
}

/// `seconds` rounded up to two digits.
fn rounded(seconds: f64) -> Span {
    if seconds <= 0.0 {
        return Span::ZERO;
    }
    let nanos = (seconds * 1e9).ceil() as u64;
    let step = 10u64.pow(nanos.max(10).ilog10() - 1);
    Span::from_nanos(nanos.div_ceil(step) * step)
}

/// What the replications of one policy showed.
struct Seen {
    /// The mean number of arrivals of a replication.
    arrivals: u64,
    need: Need,
}

impl Seen {
    fn of(tallies: &[Tally], length: Span) -> Seen {
        let mut correlation = Correlation::default();
        let mut series = Series::new(whole(length), 0);
        let (mut e2e, mut dialogues) = (Histogram::new(), Histogram::new());
        for tally in tallies {
            let in_system: Vec<u64> = tally.series.bins().iter().map(|b| b.in_system).collect();
            correlation.add(&in_system);
            series.merge(&tally.series);
            tally.classes.iter().for_each(|class| e2e.merge(&class.e2e));
            let of_classes = tally.classes.iter().filter_map(|class| class.dialogues.as_ref());
            of_classes.for_each(|of| dialogues.merge(&of.time));
        }
        let width = series.width().seconds();
        let arrivals = series.bins().iter().map(|b| b.arrivals).sum::<u64>() / tallies.len().max(1) as u64;
        let seconds = |span: Option<Span>| span.map_or(0.0, Span::seconds);
        let slow = seconds(e2e.quantile(0.999)).max(seconds(dialogues.quantile(0.999)));
        let courses = [Bin::e2e_mean, Bin::error_share, Bin::cost_each].map(|of| transient(&series.filled(of)));
        let need = match (correlation.time(), courses) {
            (Some(bins), [Some(a), Some(b), Some(c)])
                if arrivals >= FEW && bins * ENOUGH <= BINS as f64 && slow * ENOUGH_SLOW <= length.seconds() =>
            {
                let transient = a.max(b).max(c) as f64 * width;
                Need::Enough((TIMES * bins * width).max(slow).max(transient))
            }
            _ if piles_up(&series) => Need::PilesUp,
            _ => Need::More,
        };
        Seen { arrivals, need }
    }
}

/// All of a replication of this length.
fn whole(length: Span) -> Window {
    Window {
        warmup: Time::ZERO,
        end: Time::ZERO + length,
    }
}

/// Whether the requests in the system grow from quarter to quarter, and in proportion to time rather than to a level.
fn piles_up(series: &Series) -> bool {
    let quarter = |bins: &[Bin]| bins.iter().map(|b| b.in_system).sum::<u64>();
    let quarters: Vec<u64> = series.bins().chunks(BINS / 4).map(quarter).collect();
    quarters.windows(2).all(|pair| pair[1] > pair[0]) && quarters[3] as f64 > 1.8 * quarters[1] as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_is_granted_up_to_a_quarter() {
        let hour = Span::from_secs(3600);
        let granted = |needs: &[Need]| longest(needs, hour);
        let secs = Span::from_secs;
        assert_eq!(granted(&[]), (Span::ZERO, Start::Pilot));
        assert_eq!(
            granted(&[Need::Enough(0.0), Need::Enough(12.34)]),
            (secs(13), Start::Pilot)
        );
        assert_eq!(granted(&[Need::Enough(899.5)]), (secs(900), Start::Pilot));
        assert_eq!(
            granted(&[Need::Enough(901.0), Need::Enough(1.0)]),
            (secs(900), Start::Cut)
        );
        assert_eq!(granted(&[Need::PilesUp, Need::Enough(7.0)]), (secs(360), Start::Cut));
        assert_eq!(granted(&[Need::PilesUp, Need::More]), (secs(900), Start::Cut));
    }

    #[test]
    fn lengths_are_rounded_up_to_two_digits() {
        let said = [0.0, 1e-9, 0.01234, 1.0, 60.1, 3599.0].map(|s| rounded(s).to_string());
        assert_eq!(said, ["0s", "1ns", "13ms", "1s", "61s", "60m"]);
    }
}
