//! What a report says class by class.
//!
//! A class's metrics are gathered with those of the plan, after them; its share of the requests is asked for with the rest of the report.

use crate::engine::scenario::Scenario;
use crate::engine::tally::ClassTally;
use crate::experiment::assemble::{Measure, Plan, Source};
use crate::report::{ClassReport, Metric};
use crate::stats::interval::Estimate;
use crate::stats::quantile::Of;

use super::measured::Gathered;
use super::passes::{Each, Figure};

/// The metrics that every report has of each class.
const OF_CLASS: [Metric; 5] = [
    Metric::TTFT_P95,
    Metric::E2E_P95,
    Metric::ERROR_RATE,
    Metric::COST_PER_1K,
    Metric::QUALITY,
];

/// What is measured of each class, class by class.
pub(super) fn measures(scenario: &Scenario) -> impl Iterator<Item = Measure> {
    let classes = 0..scenario.traffic.classes.len();
    classes.flat_map(|class| {
        OF_CLASS.map(|metric| Measure {
            metric,
            source: Source::Classes(vec![class]),
        })
    })
}

/// The metrics of class number `i`, in the order of [`OF_CLASS`]: of the requests that have one, and over all where those are more.
fn of_class(plan: &Plan, gathered: &Gathered, i: usize) -> [(Estimate, Option<Estimate>); 5] {
    let first = plan.metrics.len() + i * OF_CLASS.len();
    std::array::from_fn(|k| {
        let estimate = |of| gathered.estimate(first + k, of, plan.confidence);
        let of_all = (gathered.endless(first + k) > 0.0).then(|| estimate(Of::Everything));
        (estimate(Of::Values), of_all)
    })
}

/// Puts the metrics of classes anew, once it is known what the models' measurements leave open.
pub(super) fn measure(plan: &Plan, gathered: &Gathered, classes: &mut [ClassReport]) {
    for (i, class) in classes.iter_mut().enumerate() {
        [
            (class.ttft_p95, class.ttft_p95_of_all),
            (class.e2e_p95, class.e2e_p95_of_all),
            (class.error_rate, _),
            (class.cost_per_1k, _),
            (class.quality, _),
        ] = of_class(plan, gathered, i);
    }
}

/// What the report says of each class; its metrics hold what the models' measurements leave open only after [`measure`].
pub(super) fn classes(plan: &Plan, scenario: &Scenario, gathered: &Gathered, each: Each<'_>) -> Vec<ClassReport> {
    let one = |(i, name): (usize, &str)| {
        let requests = |c: &ClassTally| c.outcomes.iter().sum::<u64>() as f64;
        let [ttft, e2e, errors, cost, quality] = of_class(plan, gathered, i);
        ClassReport {
            name: name.to_owned(),
            share: each(&|t| Figure::Share(requests(&t.classes[i]), t.requests() as f64)),
            ttft_p95: ttft.0,
            ttft_p95_of_all: ttft.1,
            e2e_p95: e2e.0,
            e2e_p95_of_all: e2e.1,
            error_rate: errors.0,
            cost_per_1k: cost.0,
            quality: quality.0,
        }
    };
    scenario
        .traffic
        .classes
        .iter()
        .map(|c| c.name.as_str())
        .enumerate()
        .map(one)
        .collect()
}
