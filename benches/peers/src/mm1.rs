//! The M/M/1 queue that every engine runs, and the table of the engines.
//!
//! Poisson arrivals at rate 0.9, one server, exponential service of mean 1, first come first served. What happens to a
//! customer is written once, in [`Shop`]: two draws, a place in a queue, one record in a histogram. An engine only
//! decides when [`Shop::arrive`] and [`Shop::depart`] are called, so a row's time above the others is the engine's own.
//! To add an engine, write `mm1/<name>.rs` with `pub fn run(customers: u64, seed: u64) -> Outcome`, name the module and
//! add its line to [`ENGINES`].

mod bare_heap;
mod desque;
mod lindley;
mod nexosim;
mod shop;
mod simcap_engine;
mod simcap_kernel;
mod simpy;
mod two_clocks;

use std::cmp::Ordering;
use std::time::Duration;

use self::shop::{Draws, Shop};
use crate::histogram::Histogram;

/// Arrivals per unit of time; the server serves 1.
pub const ARRIVAL_RATE: f64 = 0.9;
/// The mean time from arrival to departure: 1 / (mu - lambda).
pub const MEAN_SOJOURN: f64 = 1.0 / (1.0 - ARRIVAL_RATE);

/// Every engine, the floors first. Ratios are taken against [`BASE`].
pub const ENGINES: &[Engine] = &[
    inside("by hand, Lindley recursion", "none", lindley::run),
    inside("by hand, two clocks", "two numbers", two_clocks::run),
    inside(BASE, "std binary heap", bare_heap::run),
    inside(
        "simcap kernel, its event set",
        "4-ary heap, cursor",
        simcap_kernel::run_shared,
    ),
    own(inside(
        "simcap kernel, all its own",
        "4-ary heap, cursor",
        simcap_kernel::run_own,
    )),
    inside("desque 0.4", "std heap of boxes", desque::run),
    inside("nexosim 1.0, one thread", "std heap in a mutex", nexosim::run),
    own(inside("simcap, whole engine", "4-ary heap, cursor", simcap_engine::run)),
    outside("SimPy, store", "heapq of tuples", simpy::run_store),
    outside("SimPy, resource", "heapq of tuples", simpy::run_resource),
];
/// The name of the row that is 1.0.
pub const BASE: &str = "by hand, heap (bare loop)";

/// One row of the table.
pub struct Engine {
    /// What it is.
    pub name: &'static str,
    /// How it keeps the events to come.
    pub pending: &'static str,
    /// Whether it draws by itself, and so meets other customers than the rows that share [`Shop`].
    pub own_draws: bool,
    /// It serves one customer for this many that the bare loop serves, so that no row takes all the time.
    pub share: u64,
    /// How to start it.
    pub run: Run,
}

/// How an engine is started, with the number of customers and the seed.
pub enum Run {
    /// In this thread, whose CPU time is then taken.
    Inside(fn(u64, u64) -> Outcome),
    /// In a process of its own, which reports its CPU time; or why it cannot run.
    Outside(RunOutside),
}

/// What starts an engine elsewhere.
type RunOutside = fn(u64, u64) -> Result<(Outcome, Duration), String>;

/// What a run found, to show that all did the same work.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// Number of customers served.
    pub customers: u64,
    /// Mean time from arrival to departure.
    pub mean_sojourn: f64,
    /// The 99th percentile of the sojourn time, from the histogram.
    pub p99_sojourn: f64,
}

/// An instant that can be ordered, for engines that want their own type of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct At(pub f64);

/// An engine in this process.
const fn inside(name: &'static str, pending: &'static str, run: fn(u64, u64) -> Outcome) -> Engine {
    Engine {
        name,
        pending,
        own_draws: false,
        share: 1,
        run: Run::Inside(run),
    }
}

/// An engine with draws of its own.
const fn own(engine: Engine) -> Engine {
    Engine {
        own_draws: true,
        ..engine
    }
}

/// An engine in a process of its own, slow enough to be given a twentieth of the work.
const fn outside(name: &'static str, pending: &'static str, run: RunOutside) -> Engine {
    Engine {
        name,
        pending,
        own_draws: true,
        share: 20,
        run: Run::Outside(run),
    }
}

impl From<&Histogram> for Outcome {
    fn from(sojourns: &Histogram) -> Outcome {
        Outcome {
            customers: sojourns.total(),
            mean_sojourn: sojourns.mean(),
            p99_sojourn: sojourns.quantile(0.99),
        }
    }
}

impl Eq for At {}

impl PartialOrd for At {
    #[inline]
    fn partial_cmp(&self, other: &At) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for At {
    #[inline]
    fn cmp(&self, other: &At) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// The standard error of the mean sojourn of `customers` customers in a row, whose times are far from independent: the
/// asymptotic variance of M/M/1 waiting times (Whitt, "Planning queueing simulations", 1989), mean service 1.
pub fn standard_error(customers: u64) -> f64 {
    let rho = ARRIVAL_RATE;
    let idle = 1.0 - rho;
    let variance = rho * (2.0 + rho * (5.0 - rho * (4.0 - rho))) / (idle * idle * idle * idle);
    libm::sqrt(variance / customers as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recursion_agrees_with_theory() {
        let outcome = lindley::run(4_000_000, 7);
        assert!(
            (outcome.mean_sojourn - MEAN_SOJOURN).abs() < 3.0 * standard_error(4_000_000),
            "{outcome:?}"
        );
        // A sojourn is exponential, so its 99th percentile is ln 100 = 4.605 means.
        assert!(
            (outcome.p99_sojourn / (MEAN_SOJOURN * 4.605) - 1.0).abs() < 0.08,
            "{outcome:?}"
        );
    }

    #[test]
    fn engines_that_draw_by_themselves_agree_with_theory() {
        for engine in ENGINES.iter().filter(|engine| engine.own_draws) {
            if let Run::Inside(run) = engine.run {
                let outcome = run(1_000_000, 3);
                // Arrivals in a fixed time vary by the root of their number.
                assert!(outcome.customers.abs_diff(1_000_000) < 4_000, "{}", engine.name);
                assert!(
                    (outcome.mean_sojourn - MEAN_SOJOURN).abs() < 3.0 * standard_error(1_000_000),
                    "{}: {outcome:?}",
                    engine.name
                );
                assert!(
                    (outcome.p99_sojourn / (MEAN_SOJOURN * 4.605) - 1.0).abs() < 0.15,
                    "{}: {outcome:?}",
                    engine.name
                );
            }
        }
    }

    #[test]
    fn engines_in_this_process_serve_the_same_customers() {
        let expected = lindley::run(20_000, 3);
        for engine in ENGINES.iter().filter(|engine| !engine.own_draws) {
            if let Run::Inside(run) = engine.run {
                let outcome = run(20_000, 3);
                assert_eq!(outcome.customers, 20_000, "{}", engine.name);
                // Engines may round time to nanoseconds, 1e-9 of a mean service.
                assert!(
                    (outcome.mean_sojourn - expected.mean_sojourn).abs() < 1e-4,
                    "{}: {outcome:?}",
                    engine.name
                );
            }
        }
    }
}
