//! What the measurements of a model were like themselves, beside what they reach over: whether they drifted, found prompts in a cache,
//! were of other hours than an experiment's, and whether a failure was among them.
//!
//! Each is a sentence that `check` notes and `run` says on its first screen. A model that was fitted to nothing has none. A plan that
//! does not say when it starts is of no hour of the day; one of a day or more is of all of them. Left out: dates and seasons.

use super::assemble::Plan;
use super::domain::{Domain, number};
use crate::form::units::DAYS;
use crate::kernel::calendar::{WEEK_MINUTES, minute_of_week};
use crate::stats::critical::Confidence;
use crate::stats::interval::wilson;
use crate::words::metric::Quantity;

/// Seconds of a day.
const DAY: f64 = 86_400.0;

/// Minutes by which hours may be apart and yet be called the same.
const NEAR: usize = 60;

/// Sentences about the models of `plan` that say what they were measured over; where errors are judged, also of failures that were not seen.
pub fn sentences(plan: &Plan) -> Vec<String> {
    let judged = (plan.objectives.iter()).any(|o| matches!(o.metric.quantity(), Quantity::ErrorRate | Quantity::Share));
    let Some(scenario) = plan.scenarios.first() else {
        return Vec::new();
    };
    let lasts = scenario.window.counted().seconds();
    let fleet = scenario.fleet.iter().zip(&plan.domains);
    let of = fleet.filter_map(|(deployment, domain)| Some((&deployment.provider.name, domain.as_ref()?)));
    of.flat_map(|(name, domain)| {
        let all = [
            domain.drifting(name),
            domain.cached_input(name),
            domain.other_hours(name, lasts),
            domain.without_failure(name).filter(|_| judged),
        ];
        all.into_iter().flatten()
    })
    .collect()
}

impl Domain {
    /// That TTFT grew or fell while it was measured.
    fn drifting(&self, name: &str) -> Option<String> {
        let factor = self.fitted.drift?;
        let way = if factor > 1.0 { "grew" } else { "fell" };
        Some(format!(
            "TTFT of {name} {way} by {} % while its model was measured: the model is of all of that time, and of neither what it is by now \
             nor where it goes",
            number(100.0 * (factor - 1.0).abs())
        ))
    }

    /// That a part of the input was found in a prompt cache, which the model does not have.
    fn cached_input(&self, name: &str) -> Option<String> {
        let share = self.fitted.cached.filter(|_| self.no_cache)?;
        Some(format!(
            "{} % of the input of the requests to {name} was found in its prompt cache while its model was measured, and the model has \
             none: its TTFT is that of those prompts, and its cost that of none found",
            number(100.0 * share.get())
        ))
    }

    /// That the experiment, which counts so many seconds, is of hours that were not measured. One of a day or more is told of by what is
    /// outside of the model's domain.
    fn other_hours(&self, name: &str, lasts: f64) -> Option<String> {
        let starts = self.starts.filter(|_| lasts < DAY)?;
        let measured = minute_of_week(&self.fitted.from)?;
        let lasted = self.fitted.lasted?.span().seconds();
        let is_within = |minute: usize, from: usize, seconds: f64| {
            let reach = (seconds / 60.0) as usize + NEAR;
            (minute + WEEK_MINUTES - from) % WEEK_MINUTES <= reach
        };
        let meets = is_within(starts, measured, lasted) || is_within(measured, starts, lasts);
        (lasted < DAY && !meets).then(|| {
            format!(
                "the model of {name} was measured from {} to {} (UTC), and this is of {} to {}: how busy {name} is then is not in it",
                clock(measured),
                clock(measured + (lasted / 60.0).ceil() as usize),
                clock(starts),
                clock(starts + (lasts / 60.0).ceil() as usize)
            )
        })
    }

    /// That no request failed among those that its shares of failures were counted over.
    fn without_failure(&self, name: &str) -> Option<String> {
        let sent = self.unfailing?;
        let (_, most) = wilson(0, sent, Confidence::P95);
        Some(format!(
            "none of the {sent} requests that the model of {name} was fitted to failed: an error rate of up to {} % cannot be excluded",
            number(100.0 * most)
        ))
    }
}

/// A minute of the week, as in `friday 18:05`.
fn clock(minute: usize) -> String {
    let minute = minute % WEEK_MINUTES;
    format!("{} {:02}:{:02}", DAYS[minute / 1440], minute % 1440 / 60, minute % 60)
}

/// The price that stands for one that nothing tells, as a provider has it: $1 and $4 a million tokens.
pub fn invented_price() -> serde_json::Value {
    serde_json::json!({ "per_token": { "input": "$1/Mtok", "output": "$4/Mtok" } })
}

/// What costs are worth where prices of providers of these names stand in the place of ones that nothing tells; nothing where there are none.
pub fn unpriced(names: &[&str]) -> Option<String> {
    let it = if names.len() == 1 { "it" } else { "them" };
    (!names.is_empty()).then(|| {
        format!(
            "no price of {} is known: $1 and $4 a million tokens stand for {it}, and costs mean nothing until prices are given",
            names.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::domain::FittedOn;
    use crate::form::units::{Duration, Fraction};
    use crate::kernel::time::Span;

    /// 2026-11-28 is a Saturday.
    fn domain() -> Domain {
        Domain {
            fitted: FittedOn {
                from: "2026-11-28T16:05Z".into(),
                lasted: Some(Duration::from(Span::from_secs(600))),
                drift: Some(1.4),
                cached: Fraction::new(0.25),
                ..FittedOn::default()
            },
            no_load: true,
            no_quota: true,
            no_prefill: true,
            no_cache: true,
            unfailing: Some(400),
            starts: None,
        }
    }

    #[test]
    fn each_has_its_sentence() {
        assert!(
            domain()
                .drifting("a")
                .unwrap()
                .starts_with("TTFT of a grew by 40 % while")
        );
        assert!(domain().cached_input("a").unwrap().starts_with("25 % of the input"));
        // Wilson's upper end of 0 of 400: z²/(n + z²) = 3.8415/403.8415.
        let failures = domain().without_failure("a").unwrap();
        assert!(
            failures.starts_with("none of the 400 requests") && failures.contains("up to 0.95 %"),
            "{failures}"
        );
        let plain = Domain {
            fitted: FittedOn::default(),
            unfailing: None,
            ..domain()
        };
        assert_eq!(
            [plain.drifting("a"), plain.cached_input("a"), plain.without_failure("a")],
            [None, None, None]
        );
    }

    #[test]
    fn hours_are_told_where_the_plan_says_its_own() {
        let at = |starts: Option<usize>| {
            let domain = Domain { starts, ..domain() };
            domain.other_hours("a", 3600.0)
        };
        let saturday = 5 * 1440;
        assert_eq!(at(None), None);
        // From 15:00 to 16:00 is within an hour of 16:05 to 16:15, and so is 17:10.
        assert_eq!(at(Some(saturday + 900)), None);
        assert_eq!(at(Some(saturday + 1030)), None);
        assert_eq!(
            at(Some(4 * 1440 + 18 * 60)).unwrap(),
            "the model of a was measured from saturday 16:05 to saturday 16:15 (UTC), and this is of friday 18:00 to friday 19:00: how busy \
             a is then is not in it"
        );
    }
}
