//! Traffic with a course that the run sees in part: its figures are of that stretch, and a verdict by night is none by day.

use std::fmt::Display;

use crate::experiment::assemble::Plan;
use crate::kernel::time::Span;
use crate::report::format;
use crate::words::Lasts;

/// What to say, if the run is shorter than the course of its traffic; `starts` is when in the week it begins.
pub(super) fn warning(plan: &Plan, starts: &dyn Display) -> Option<String> {
    let scenario = plan.scenarios.first()?;
    let counted = scenario.window.counted();
    let courses = scenario
        .traffic
        .streams
        .iter()
        .filter_map(|stream| stream.arrivals.course());
    let longer = courses.filter_map(|course| match course.lasts {
        Lasts::Repeats(period) if counted < period => Some((period, course.what)),
        Lasts::Repeats(_) | Lasts::Once(..) | Lasts::Grows => None,
    });
    let (period, what) = longer.max_by_key(|(period, _)| *period)?;
    let length = |span: Span| format::span(span.seconds());
    Some(format!(
        "the run sees {} of the {} of {what}, from {starts} on (UTC): every figure and verdict is of that stretch alone. Give a \
         `plan.duration` of the whole, or of a profile's hours the busiest by `plan.starts`, which moves nothing else",
        length(counted),
        length(period)
    ))
}
