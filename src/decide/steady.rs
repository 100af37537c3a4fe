//! Whether a system settled: do its queues stop growing, was the warm-up long enough for what it remembers, and is it level?
//!
//! Three looks at replications over time, each of which compares replications with one another, because neighbouring bins of one
//! are not independent:
//!
//! - **Growth.** The rise of the requests in the system over the counted time, in each replication; with queues somewhere, one that is
//!   certain (99 %), notable and goes on from quarter to quarter is an overload, which has no steady state. Where nothing can queue, a
//!   rise follows latency and is not an overload.
//! - **Memory.** The correlation time τ of the requests in the system ([`Correlation`]). What is left after a warm-up of length W
//!   biases the mean over a counted time D by about (τ / D)·e^(−W/τ) of its level: above [`LEFT`] the warm-up was too short.
//! - **Level.** Latency, errors and cost per request in each quarter of the time against the whole, replication by replication: one that
//!   differs for certain (99.99 %) and notably shows a system that changes while it is counted.
//!
//! Where the experiment itself schedules a change, or begins empty on purpose, only growth is looked for; a replayed trace changes as
//! it did. On M/M/1 queues of 20 replications, 40 runs each (`the_errors_of_the_verdict` in `tests/warm_up.rs`), so many are
//! called unsettled after a pilot's warm-up and from empty, where the mean number in the system has this bias:
//!
//! | load | service times counted | warm | its bias | from empty | its bias |
//! |---|---|---|---|---|---|
//! | 0.5 | 9,000 | 0 of 40 | +1.0 % | 0 of 40 | +0.2 % |
//! | 0.8 | 9,000 | 0 of 40 | +0.4 % | 0 of 40 | +0.1 % |
//! | 0.9 | 9,000 | 0 of 40 | +0.3 % | 15 of 40 | −0.4 % |
//! | 0.95 | 9,000 | 3 of 40 | +0.5 % | 40 of 40 | −3.1 % |
//! | 0.5 | 40 | 9 of 40 | −5.0 % | 40 of 40 | −11.8 % |
//! | 0.8 | 300 | 9 of 40 | −1.9 % | 40 of 40 | −8.6 % |
//! | 0.9 | 1,000 | 18 of 40 | −2.2 % | 40 of 40 | −9.7 % |
//! | 0.95 | 4,000 | 23 of 40 | −0.5 % | 40 of 40 | −9.0 % |
//! | 1.05, 1.2 | 9,000 | 40 of 40 | overloaded | 40 of 40 | overloaded |
//!
//! Left out: a single replication's memory, which cannot be told from its noise: there MSER-5 on latency decides.

use crate::engine::scenario::{Scenario, Window};
use crate::engine::series::{BINS, Bin, Series};
use crate::engine::tally::Tally;
use crate::experiment::assemble::Plan;
use crate::report::{Steady, format};
use crate::stats::correlation::Correlation;
use crate::stats::interval::Confidence;
use crate::stats::moments::Moments;
use crate::stats::warmup::{Direction, Trend, transient};

/// A rise smaller than this share of the mean level is not called growth, however certain it is.
const NOTABLE_RISE: f64 = 0.1;
/// The largest share of a level that the start may still bias it by.
const LEFT: f64 = 0.02;
/// A quarter that differs from the whole by less than this share is called level.
const NOTABLE: f64 = 0.05;
/// A share of errors that differs by less than this is called level.
const NOTABLE_ERRORS: f64 = 0.002;
/// The parts of the counted time that are compared with the whole.
const PARTS: usize = 4;
/// Replications from which a quarter's difference can be certain.
const ENOUGH: u64 = 5;

/// Why a run is not level of its own accord.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Story {
    /// Nothing is known beforehand.
    None,
    /// Something changes at a certain time: an outage, the time of day, a stage of a rollout.
    Scheduled,
    /// A budget was spent, and its windows are whole: what comes after is not as what comes before.
    Budgeted,
    /// The plan asks for an empty start.
    Empty,
    /// The traffic is a recorded one.
    Replayed,
}

impl Story {
    /// The same, or what the budgets of a policy make of it.
    pub(super) fn with_budgets(self, sum: &Tally) -> Story {
        match self {
            Story::None if sum.budgets.iter().any(|budget| budget.spent > 0) => Story::Budgeted,
            Story::None | Story::Scheduled | Story::Budgeted | Story::Empty | Story::Replayed => self,
        }
    }
}

/// What is looked at over time, besides the requests in the system.
#[derive(Clone, Copy, Debug)]
enum Figure {
    Latency,
    Errors,
    Cost,
}

impl Figure {
    const ALL: [Figure; 3] = [Figure::Latency, Figure::Errors, Figure::Cost];

    fn name(self) -> &'static str {
        match self {
            Figure::Latency => "end-to-end time",
            Figure::Errors => "the share of errors",
            Figure::Cost => "the cost of a request",
        }
    }

    /// The figure of some bins together.
    fn of(self, bins: &[Bin]) -> Option<f64> {
        let mut sum = Bin::default();
        bins.iter().for_each(|bin| sum.merge(bin));
        match self {
            Figure::Latency => sum.e2e_mean(),
            Figure::Errors => sum.error_share(),
            Figure::Cost => sum.cost_each(),
        }
    }

    /// The least difference from `whole` that is worth a word.
    fn notable(self, whole: f64) -> f64 {
        match self {
            Figure::Latency | Figure::Cost => NOTABLE * whole,
            Figure::Errors => (NOTABLE * whole).max(NOTABLE_ERRORS),
        }
    }
}

/// What the replications of one policy were like over time.
#[derive(Clone, Debug, Default)]
pub(super) struct Course {
    correlation: Correlation,
    /// How much the requests in the system rose in each replication.
    rises: Moments,
    /// Whether they rose beyond doubt in every one.
    all_grow: bool,
    level: Moments,
    /// The difference of each part from the whole, by figure, and the whole.
    parts: [[Moments; PARTS]; Figure::ALL.len()],
    wholes: [Moments; Figure::ALL.len()],
}

impl Course {
    /// Notes a replication.
    pub(super) fn add(&mut self, series: &Series) {
        let in_system: Vec<u64> = series.bins().iter().map(|b| b.in_system).collect();
        self.correlation.add(&in_system);
        let trend = Trend::of(&level(series), Confidence::P99);
        self.all_grow = trend.direction == Direction::Growing && (self.all_grow || self.rises.n() == 0);
        self.rises.add(trend.rise);
        self.level.add(trend.mean);
        for figure in Figure::ALL {
            let Some(whole) = figure.of(series.bins()) else {
                continue;
            };
            self.wholes[figure as usize].add(whole);
            let parts = series.bins().chunks(BINS / PARTS);
            for (part, bins) in self.parts[figure as usize].iter_mut().zip(parts) {
                if let Some(value) = figure.of(bins) {
                    part.add(value - whole);
                }
            }
        }
    }

    /// How much the requests in the system rise, if they do so for certain, notably and from quarter to quarter of `pooled`.
    fn growth(&self, pooled: &Series) -> Option<f64> {
        let (rise, mean) = (self.rises.mean()?, self.level.mean()?);
        let certain = match reach(&self.rises, Confidence::P99) {
            Some(reach) => rise > reach && rise >= 1.0,
            None => self.all_grow,
        };
        (certain && rise > NOTABLE_RISE * mean && rises_throughout(&level(pooled))).then_some(rise)
    }

    /// The first figure that differs in a part of the time, with that part, its value there and the whole.
    fn drift(&self) -> Option<(Figure, usize, f64, f64)> {
        let sure = Confidence::new(0.9999).unwrap_or(Confidence::P99);
        let all = Figure::ALL
            .into_iter()
            .flat_map(|f| (0..PARTS).map(move |part| (f, part)));
        all.filter_map(|(figure, part)| {
            let (difference, whole) = (&self.parts[figure as usize][part], self.wholes[figure as usize].mean()?);
            let (mean, reach) = (difference.mean()?, reach(difference, sure)?);
            let differs = difference.n() >= ENOUGH && mean.abs() > reach.max(figure.notable(whole));
            differs.then_some((figure, part, whole + mean, whole))
        })
        .next()
    }
}

/// The half width of the interval of a mean over replications.
fn reach(of: &Moments, confidence: Confidence) -> Option<f64> {
    Some(confidence.t(of.n() as usize - 1) * of.standard_error()?)
}

/// The requests in the system at the end of each bin.
fn level(series: &Series) -> Vec<f64> {
    series.bins().iter().map(|b| b.in_system as f64).collect()
}

/// Whether there is anything in `scenario` that requests can queue for.
fn can_queue(scenario: &Scenario) -> bool {
    let client = &scenario.client;
    client.max_in_flight != u32::MAX
        || !client.limiters.is_empty()
        || scenario.pools.iter().any(|pool| pool.connections.most != u32::MAX)
        || scenario.fleet.iter().any(|d| !d.provider.load.is_empty())
}

/// Whether a part of `scenario` changes by plan.
pub(super) fn changes(scenario: &Scenario) -> bool {
    let mut providers = scenario.fleet.iter().map(|d| &d.provider);
    let by_plan = providers.any(|provider| {
        let mut faults = provider.faults.iter();
        provider.price.course().is_some() || faults.any(|f| f.is_scheduled() || f.course().is_some())
    });
    by_plan
        || scenario
            .traffic
            .streams
            .iter()
            .any(|stream| stream.arrivals.course().is_some())
        || !scenario.policy.courses().is_empty()
        || !scenario.policy.milestones().is_empty()
}

/// The verdict on the replications of one scenario, `pooled` being the sum of their series.
pub(super) fn verdict(story: Story, scenario: &Scenario, pooled: &Series, course: &Course) -> Steady {
    judge(story, scenario.window, can_queue(scenario), pooled, course)
}

/// Whether requests pile up all the time, though nothing changes by plan: what such a run says of times and errors depends on how long it
/// is. A rise under recorded or scheduled traffic may be the traffic's own, and is not one of these.
pub(super) fn piles_up(plan: &Plan, number: usize, pooled: &Series, course: &Course) -> bool {
    let scenario = &plan.scenarios[number];
    !plan.is_recorded && can_queue(scenario) && !changes(scenario) && course.growth(pooled).is_some()
}

/// What is to be said of queues that do not grow because requests fail, or of a failure that goes on: the share of the last quarter's.
fn failing(pooled: &Series) -> String {
    /// A share below this is not told.
    const MANY: f64 = 0.2;
    let bins = pooled.bins();
    let last = &bins[bins.len() - bins.len() / 4..];
    let [good, bad] =
        [|bin: &Bin| bin.successes, |bin: &Bin| bin.failures].map(|of| last.iter().map(of).sum::<u64>() as f64);
    let share = bad / (good + bad);
    if share >= MANY {
        format!(", but {} of the last quarter's requests fail", format::share(share))
    } else {
        String::new()
    }
}

fn judge(story: Story, window: Window, can_queue: bool, pooled: &Series, course: &Course) -> Steady {
    let settled = |why: &str| Steady {
        settled: true,
        why: why.to_owned(),
    };
    let unsettled = |why: String| Steady { settled: false, why };
    if story == Story::Replayed {
        return settled("a replayed trace: its load varies as recorded, and no steady state is claimed");
    }
    if let Some(rise) = course.growth(pooled).filter(|_| can_queue) {
        let mean = course.level.mean().unwrap_or(0.0);
        return unsettled(format!(
            "overloaded: the requests in the system still rise, by {rise:.0} over the counted time ({mean:.0} on average), so its \
             figures depend on how long it is run"
        ));
    }
    if pooled
        .bins()
        .iter()
        .all(|bin| bin.arrivals + bin.successes + bin.failures == 0)
    {
        return unsettled("no request came: there is nothing to judge by".into());
    }
    if pooled.bins().iter().all(|bin| bin.successes == 0) {
        return unsettled("no request succeeded: there is no time to judge by".into());
    }
    match story {
        Story::Scheduled => {
            return settled(&format!(
                "queues do not grow{}; something changes by plan, so no steady state is claimed",
                failing(pooled)
            ));
        }
        Story::Budgeted => {
            return settled(
                "queues do not grow; a budget is spent before its window is over, so no steady state is claimed",
            );
        }
        Story::Empty => return settled("queues do not grow; it starts empty by plan, so no steady state is claimed"),
        Story::None | Story::Replayed => {}
    }
    if let Some(why) = remembers(window, pooled, course) {
        return unsettled(why);
    }
    if let Some((figure, part, there, whole)) = course.drift() {
        return unsettled(format!(
            "not level: {} differs by {:+.1} % from the whole in quarter {} of the counted time, so its figures depend on how long \
             it is run",
            figure.name(),
            (there / whole - 1.0) * 100.0,
            part + 1,
        ));
    }
    settled("latency, errors and cost are level, and queues do not grow")
}

/// What is said if the start still shows in the counted time.
fn remembers(window: Window, pooled: &Series, course: &Course) -> Option<String> {
    let (width, counted) = (pooled.width().seconds(), window.counted().seconds());
    let warmup = window.warmup.seconds();
    if course.rises.n() < 2 {
        let seconds = transient(&pooled.filled(Bin::e2e_mean)).map(|bins| bins as f64 * width);
        return match seconds {
            None => Some("end-to-end time never becomes level (MSER-5): run longer".into()),
            Some(0.0) => None,
            Some(seconds) => Some(format!(
                "the transient seems to last {seconds:.0} s after a warm-up of {warmup:.0} s: give a longer `warmup`"
            )),
        };
    }
    let Some(bins) = course.correlation.time() else {
        return Some(format!(
            "it changes so slowly that half of the counted time does not show how slowly, after a warm-up of {warmup:.0} s: give a \
             longer `duration`"
        ));
    };
    let time = bins * width;
    let left = time / counted * libm::exp(-warmup / time.max(1e-9));
    (left > LEFT).then(|| {
        format!(
            "the requests in the system are those of {time:.0} s before (correlation time), and the warm-up lasts {warmup:.0} s: \
             about {:.0} % of what queues is missing for it. Give a longer `warmup` or `duration`",
            left * 100.0
        )
    })
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
    use crate::kernel::chance::{Chance, Purpose, index};
    use crate::kernel::time::Time;

    /// Ten replications of 120 bins after a warm-up of 12, with this level of requests in the system, this mean time and so many
    /// of a hundred requests that fail, by bin.
    struct Run {
        story: Story,
        can_queue: bool,
        in_system: fn(usize) -> usize,
        e2e: fn(usize) -> u128,
        failures: fn(usize) -> u64,
    }

    const CALM: Run = Run {
        story: Story::None,
        can_queue: true,
        in_system: |_| 50,
        e2e: |_| 1000,
        failures: |_| 1,
    };

    impl Run {
        fn verdict(&self) -> Steady {
            let window = Window {
                warmup: Time::from_nanos(12_000),
                end: Time::from_nanos(132_000),
            };
            let mut pooled = Series::new(window, 1);
            let mut course = Course::default();
            for replication in 0..10 {
                let mut series = Series::new(window, 1);
                series.close_bin(0);
                for i in 0..BINS {
                    let noise = |n, part| {
                        let key = Chance::new(1, replication).request(i as u64);
                        index(key.part(part).draw(Purpose::Gap), n)
                    };
                    if let Some(bin) = series.bin() {
                        bin.failures = (self.failures)(i);
                        bin.successes = 100 - bin.failures;
                        bin.e2e = ((self.e2e)(i) + noise(50, 1) as u128) * u128::from(bin.successes);
                        bin.cost = 100;
                    }
                    series.close_bin((self.in_system)(i) + noise(5, 2));
                }
                course.add(&series);
                pooled.merge(&series);
            }
            judge(self.story, window, self.can_queue, &pooled, &course)
        }

        fn says(&self) -> String {
            let it = self.verdict();
            assert!(!it.settled, "{}", it.why);
            it.why
        }
    }

    #[test]
    fn a_level_series_has_settled() {
        let it = CALM.verdict();
        assert!(it.settled, "{}", it.why);
    }

    #[test]
    fn with_something_scheduled_only_growth_is_looked_for() {
        let jumps = Run {
            e2e: |i| if i > 60 { 5000 } else { 1000 },
            ..CALM
        };
        assert!(jumps.says().starts_with("not level: end-to-end time"));
        for story in [Story::Scheduled, Story::Budgeted, Story::Empty, Story::Replayed] {
            assert!(Run { story, ..jumps }.verdict().settled);
        }
        let grows = |story| Run {
            story,
            in_system: |i| 50 * i,
            ..CALM
        };
        assert!(!grows(Story::Scheduled).verdict().settled && grows(Story::Replayed).verdict().settled);
    }

    #[test]
    fn only_what_can_queue_is_overloaded() {
        let grows = Run {
            in_system: |i| 50 + 10 * i,
            ..CALM
        };
        assert!(grows.says().starts_with("overloaded"));
        let slower = Run {
            can_queue: false,
            ..grows
        };
        assert!(slower.verdict().settled);
    }

    #[test]
    fn a_recovery_from_an_outage_is_no_growth() {
        let it = Run {
            in_system: |i| if (30..60).contains(&i) { 0 } else { 50 },
            ..CALM
        };
        assert!(it.verdict().settled);
    }

    #[test]
    fn errors_for_half_of_the_time_are_not_level() {
        let burst = Run {
            failures: |i| if (30..90).contains(&i) { 9 } else { 1 },
            ..CALM
        };
        let said = burst.says();
        assert!(
            said.starts_with("not level: the share of errors differs by -80.0 % from the whole in quarter 1"),
            "{said}"
        );
    }
}
