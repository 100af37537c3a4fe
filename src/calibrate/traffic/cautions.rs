//! What must be known of a fitted model of traffic: where it does not hold, and what it leaves out.

use super::held_out::{self, Check, Whole};
use super::model::Part;
use super::rate::Course;
use crate::report::{Unit, format};

/// Where the model does not hold, and what it leaves out.
pub(super) fn cautions(
    checks: &[Check],
    whole: &[Whole],
    (tried, taken): (&Part, &Part),
    says_who: bool,
) -> Vec<String> {
    let mut told = Vec::new();
    let missed: Vec<String> = whole.iter().filter_map(Whole::misses).collect();
    if !missed.is_empty() {
        told.push(format!(
            "the model that is written misses the whole trace in: {}; what a run bills goes by its means",
            missed.join(", ")
        ));
    }
    let failed: Vec<String> = checks
        .iter()
        .filter(|check| !check.holds)
        .map(|check| {
            if check.figure == held_out::CORRELATED {
                return format!("{} ({:.2} for {:.2})", check.figure, check.model, check.held_out);
            }
            let ratio = format::relative(check.model / check.held_out - 1.0);
            format!("{} ({ratio})", check.figure)
        })
        .collect();
    if !failed.is_empty() {
        told.push(format!(
            "it does not hold for what was held out in: {}",
            failed.join(", ")
        ));
    }
    let names = |part: &Part| (part.choice.taken.name(), std::mem::discriminant(&part.course));
    if names(tried) != names(taken) {
        told.push(format!(
            "of half of the trace another model was made than of all of it ({}, and {}): the checks are of the first",
            tried.arrivals_in_words(),
            taken.arrivals_in_words()
        ));
    }
    match &taken.course {
        Course::Steps { .. } => told.push(
            "its steps are those of this trace: another stretch of time has others, and after the last one its rate stays".to_owned(),
        ),
        Course::Hours { off, .. } if !off.is_empty() => {
            let rate = |x: &f64| format::value(Unit::PerSecond, *x);
            let hours = off.iter().take(4).map(|(hour, own, model)| format!("{hour} ({} for {})", rate(model), rate(own)));
            let more = match off.len().saturating_sub(4) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            told.push(format!(
                "its rate is off in these hours of the day: {}{more}: it goes in straight lines from the middle of one hour to that of the next, and the \
                 trace's jumps",
                hours.collect::<Vec<_>>().join(", ")
            ));
        }
        Course::Hours { .. } | Course::Level(_) => {}
    }
    told.push(match says_who {
        true => {
            "users, classes and tags are drawn each by itself: whose requests are of which class or team is lost, and so are conversations and \
             prompts that come back"
        }
        false => "requests are independent of each other but for their times: no users, conversations or prompts that come back",
    }
    .to_owned());
    told
}

impl Part {
    fn arrivals_in_words(&self) -> String {
        let course = match self.course {
            Course::Level(_) => "level",
            Course::Steps { .. } => "steps",
            Course::Hours { .. } => "hours",
        };
        format!("{course} over {}", self.choice.taken.name())
    }
}
