//! Whether a system settled: was the warm-up long enough, and did its queues stop growing?
//!
//! Two looks at the series averaged over replications. MSER-5 (White 1997) on the mean end-to-end time finds where the
//! transient ends; a trend in the number of requests in the system after the warm-up, by its rise in each replication,
//! tells an overloaded system, which has no steady state. Neither applies to a replayed trace, whose load changes as it
//! did; and where an outage or a slow-down is scheduled, or a budget is spent, only the second does: the system is not meant to be
//! level.

use crate::engine::scenario::Window;
use crate::engine::series::{BINS, Bin, Series};
use crate::engine::tally::Tally;
use crate::report::Steady;
use crate::stats::interval::{Confidence, Estimate};
use crate::stats::moments::Moments;
use crate::stats::warmup::{Direction, Trend, WarmUp};

/// A rise smaller than this share of the mean level is not called growth, however certain it is.
const NOTABLE_RISE: f64 = 0.1;
/// Two stretches whose means differ by less than this share are called level.
const NOTABLE_DRIFT: f64 = 0.02;
/// A difference of fewer standard errors than this is also called level; neighbouring bins are autocorrelated, which
/// widens the true error.
const BEYOND_NOISE: f64 = 6.0;

/// Why a run is not level of its own accord.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Story {
    /// Nothing is known beforehand.
    None,
    /// A provider has an outage or a slow-down at a certain time.
    Scheduled,
    /// A budget was spent, and its windows are whole: what comes after is not as what comes before.
    Budgeted,
    /// The traffic is a recorded one.
    Replayed,
}

impl Story {
    /// The same, or what the budgets of a policy make of it.
    pub(super) fn with_budgets(self, sum: &Tally) -> Story {
        match self {
            Story::None if sum.budgets.iter().any(|budget| budget.spent > 0) => Story::Budgeted,
            Story::None | Story::Scheduled | Story::Budgeted | Story::Replayed => self,
        }
    }
}

/// How the requests in the system of one replication rise after the warm-up.
pub(super) fn trend(window: Window, series: &Series) -> Trend {
    Trend::of(&level(window, series), Confidence::P99)
}

/// The requests in the system at the end of each bin after the warm-up.
fn level(window: Window, series: &Series) -> Vec<f64> {
    let bins = &series.bins()[first(window, series)..];
    bins.iter().map(|b| b.in_system as f64).collect()
}

/// The first bin after the warm-up.
fn first(window: Window, series: &Series) -> usize {
    (window.warmup.nanos().div_ceil(series.width().nanos()) as usize).min(BINS)
}

/// The verdict on the replications of one scenario, `pooled` being the sum of their series and `trends` the [`trend`] of each.
pub(super) fn verdict(story: Story, window: Window, pooled: &Series, trends: &[Trend]) -> Steady {
    let settled = |why: String| Steady { settled: true, why };
    let unsettled = |why: String| Steady { settled: false, why };
    if story == Story::Replayed {
        return settled("a replayed trace: its load varies as recorded, and no steady state is claimed".into());
    }
    let width = pooled.width().nanos();
    let first = first(window, pooled);
    let rise = Estimate::of_replications(trends.iter().map(|t| Some(t.rise)), Confidence::P99);
    let mean = trends.iter().map(|t| t.mean).sum::<f64>() / trends.len().max(1) as f64;
    let grows = rises_throughout(&level(window, pooled))
        && match rise.lo {
            Some(lo) => lo > 0.0 && rise.value > NOTABLE_RISE * mean && rise.value >= 1.0,
            None => trends.iter().all(|t| t.direction == Direction::Growing) && rise.value > NOTABLE_RISE * mean,
        };
    if grows {
        return unsettled(format!(
            "overloaded: the requests in the system still rise, by {:.0} over the counted time ({mean:.0} on average), so its \
             figures depend on how long it is run",
            rise.value
        ));
    }
    let e2e = filled(pooled);
    if e2e.is_empty() {
        return unsettled("no request succeeded: there is no time to judge by".into());
    }
    if story == Story::Scheduled {
        return settled("queues do not grow; incidents are scheduled, so no steady state is claimed".into());
    }
    if story == Story::Budgeted {
        return settled(
            "queues do not grow; a budget is spent before its window is over, so no steady state is claimed".into(),
        );
    }
    let seconds = |bins: usize| bins as f64 * width as f64 / 1e9;
    match WarmUp::of(&e2e) {
        WarmUp::Steady { cut } if cut > first && drifts(&e2e, first, cut) => unsettled(format!(
            "the transient seems to last {:.0} s and the warm-up only {:.0} s: give a longer `warmup`",
            seconds(cut),
            window.warmup.seconds()
        )),
        WarmUp::NotSteady if drifts(&e2e, first, first + (e2e.len().saturating_sub(first)) / 2) => {
            unsettled("end-to-end time never becomes level (MSER-5): run longer".into())
        }
        WarmUp::TooShort => unsettled("too few requests to tell whether it settled: run longer".into()),
        WarmUp::Steady { .. } | WarmUp::NotSteady => {
            settled("end-to-end time is level after the warm-up and queues do not grow".into())
        }
    }
}

/// The mean end-to-end time of each bin; where nothing ended, that of the bin before. What comes before the first end takes
/// its value.
fn filled(series: &Series) -> Vec<f64> {
    let mean = |b: &Bin| (b.successes > 0).then(|| b.e2e as f64 / b.successes as f64);
    let Some(mut last) = series.bins().iter().find_map(mean) else {
        return Vec::new();
    };
    let carry = |b: &Bin| {
        last = mean(b).unwrap_or(last);
        last
    };
    series.bins().iter().map(carry).collect()
}

/// Whether the mean from `first` to `cut` differs from the mean after it, notably and beyond the noise of bins. MSER alone
/// now and then cuts plain noise.
fn drifts(series: &[f64], first: usize, cut: usize) -> bool {
    let (Some(before), Some(after)) = (series.get(first..cut), series.get(cut..)) else {
        return false;
    };
    let (before, after): (Moments, Moments) = (before.iter().copied().collect(), after.iter().copied().collect());
    match (before.mean(), after.mean(), after.variance()) {
        (Some(early), Some(late), Some(variance)) => {
            let error = (variance / before.n() as f64 + variance / after.n() as f64).sqrt();
            (early / late - 1.0).abs() > NOTABLE_DRIFT && (early - late).abs() > BEYOND_NOISE * error
        }
        _ => false,
    }
}

/// Whether each quarter of a series is higher than the one before: a queue that never ends grows all the time, one that
/// recovers from an outage only once.
fn rises_throughout(series: &[f64]) -> bool {
    let quarters: Vec<f64> = series
        .chunks(series.len().div_ceil(4).max(1))
        .map(|q| q.iter().sum::<f64>() / q.len() as f64)
        .collect();
    quarters.windows(2).all(|pair| pair[1] > pair[0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::time::Time;

    /// A series of 120 bins, warm-up 12, with this level of requests in the system and this mean time, by bin.
    fn run(in_system: impl Fn(usize) -> usize, e2e: impl Fn(usize) -> u128) -> Steady {
        run_of(Story::None, in_system, e2e)
    }

    fn run_of(story: Story, in_system: impl Fn(usize) -> usize, e2e: impl Fn(usize) -> u128) -> Steady {
        let window = Window {
            warmup: Time::from_nanos(12_000),
            end: Time::from_nanos(120_000),
        };
        let mut series = Series::new(window.end, 1);
        for i in 0..BINS {
            if let Some(bin) = series.bin() {
                bin.successes = 100;
                bin.e2e = e2e(i) * 100;
            }
            series.close_bin(in_system(i));
        }
        verdict(story, window, &series, &[trend(window, &series); 3])
    }

    /// A little noise that repeats: no trend, no transient.
    fn noise(i: usize) -> usize {
        [3, 0, 2, 1, 4][i % 5]
    }

    #[test]
    fn with_something_scheduled_only_growth_is_looked_for() {
        let jumps = |i: usize| if i > 60 { 5000 } else { 1000 };
        assert!(!run(|i| 50 + noise(i), jumps).settled);
        assert!(run_of(Story::Scheduled, |i| 50 + noise(i), jumps).settled);
        assert!(run_of(Story::Budgeted, |i| 50 + noise(i), jumps).settled);
        assert!(!run_of(Story::Scheduled, |i| 50 * i, jumps).settled);
        assert!(run_of(Story::Replayed, |i| 50 * i, jumps).settled);
    }

    #[test]
    fn a_level_series_has_settled() {
        assert!(run(|i| 50 + noise(i), |i| 1000 + noise(i) as u128).settled);
    }

    #[test]
    fn a_growing_queue_is_named_as_overload() {
        let verdict = run(|i| 50 + 10 * i + noise(i), |i| 1000 + 100 * i as u128);
        assert!(
            !verdict.settled && verdict.why.starts_with("overloaded"),
            "{}",
            verdict.why
        );
    }

    #[test]
    fn a_recovery_from_an_outage_is_no_growth() {
        let level = |i: usize| if (30..60).contains(&i) { 0 } else { 50 } + noise(i);
        assert!(run(level, |i| 1000 + noise(i) as u128).settled);
    }

    #[test]
    fn a_transient_longer_than_the_warm_up_is_named() {
        let verdict = run(
            |i| 50 + noise(i),
            |i| if i < 30 { 3000 } else { 1000 } + noise(i) as u128,
        );
        assert!(!verdict.settled && verdict.why.contains("transient"), "{}", verdict.why);
    }

    #[test]
    fn a_transient_within_the_warm_up_is_not() {
        assert!(
            run(
                |i| 50 + noise(i),
                |i| if i < 10 { 3000 } else { 1000 } + noise(i) as u128
            )
            .settled
        );
    }
}
