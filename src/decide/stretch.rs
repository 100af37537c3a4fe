//! Traffic with a course that the run sees in part, or that is over before the run is: its figures are of that stretch, and a verdict by night is none
//! by day.

use std::fmt::Display;

use crate::experiment::assemble::Plan;
use crate::experiment::load::Loaded;
use crate::kernel::time::{Span, Time};
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

/// What to say, if the run goes on behind the last of equal steps, which a schedule that was fitted to a trace has: the last rate stays.
pub(super) fn behind(loaded: &Loaded, plan: &Plan) -> Option<String> {
    const SEVERAL: usize = 4;
    const SLIGHT: f64 = 0.05;
    let end = plan.scenarios.first()?.window.end.since(Time::ZERO).seconds();
    let origins = loaded.experiment.traffic.origins();
    let planned = origins.filter_map(|origin| origin.arrivals.as_dyn().planned());
    let ends = planned.filter_map(|planned| {
        let [.., before, last] = planned.at[..] else {
            return None;
        };
        let each = last.seconds() - before.seconds();
        let is_equal = |two: &[Span]| (two[1].seconds() - two[0].seconds() - each).abs() < 1e-3 * each;
        let are_equal = planned.at.len() >= SEVERAL && planned.at.windows(2).all(is_equal);
        are_equal.then_some(last.seconds() + each)
    });
    let over = ends.filter(|over| end - over > SLIGHT * end).min_by(f64::total_cmp)?;
    Some(format!(
        "the last rate of the schedule stays from {} on, for {} of the run: a trace that it was fitted to says nothing of that. Give `every`, or a \
         `plan.duration` of no more",
        format::span(over),
        format::share((end - over) / end)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::assemble::assemble;
    use crate::experiment::load::from_text;

    fn said(schedule: &str, duration: &str) -> Option<String> {
        let text = format!(
            r#"{{ "name": "x", "traffic": {{ "arrivals": {{ "schedule": {schedule} }},
                "classes": {{ "c": {{ "input": 1, "output": 1 }} }} }},
            "providers": {{ "p": {{ "response": "1s", "prices": {{ "per_request": {{ "price": "$0" }} }} }} }},
            "policies": [ {{ "name": "one", "policy": {{ "single": {{ "provider": "p" }} }} }} ],
            "plan": {{ "duration": "{duration}" }} }}"#
        );
        let loaded = from_text("x.json", &text).unwrap();
        behind(&loaded, &assemble(&loaded).unwrap())
    }

    #[test]
    fn a_run_behind_the_last_of_equal_steps_is_said_to_be() {
        let step = |at: u32, rate: u32| format!(r#"{{ "at": "{at}s", "rate": "{rate}/s" }}"#);
        let steps = |each: [u32; 4]| each.map(|at| step(at, 1 + at / 60)).join(", ");
        let equal = steps([0, 60, 120, 180]);
        let long = said(&format!(r#"{{ "points": [{equal}] }}"#), "16min").unwrap();
        assert!(
            long.starts_with("the last rate of the schedule stays from 4 min on, for 75.0 % of the run"),
            "{long}"
        );
        for (schedule, duration) in [
            (format!(r#"{{ "points": [{equal}] }}"#), "4min"),
            (format!(r#"{{ "points": [{equal}], "every": "4min" }}"#), "16min"),
            (format!(r#"{{ "points": [{}] }}"#, steps([0, 60, 90, 180])), "16min"),
        ] {
            assert_eq!(said(&schedule, duration), None, "{schedule}");
        }
    }
}
