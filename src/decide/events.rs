//! The events of one replication: what its tally has of incidents, budgets, alerts and milestones, and the course of its breakers.

use crate::engine::scenario::Scenario;
use crate::engine::story::{Happening, Turn};
use crate::engine::tally::Tally;
use crate::kernel::time::{Span, Time};
use crate::report::events::{Event, Kind};
use crate::report::format;
use crate::stats::sorting;

/// What happened under the policy of `scenario` in replication number `replication`, whose tally this is, in the order of time; of
/// equals, what begins comes before what follows from it.
pub fn events(scenario: &Scenario, replication: u64, tally: &Tally, course: &[Happening]) -> Vec<Event> {
    let origin = scenario.window.warmup;
    let provider = |number: usize| Some(scenario.fleet[number].provider.name.clone());
    let mut all: Vec<(Time, Event)> = Vec::new();
    let mut add = |at: Time, what, provider, gateway, about| {
        let event = Event {
            policy: scenario.name.clone(),
            replication,
            at: at.seconds_after(origin),
            what,
            provider,
            gateway,
            about,
        };
        all.push((at, event));
    };
    let after = |from: Time, nanos: u128| from + Span::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
    for incident in &tally.incidents {
        let who = || provider(incident.provider);
        add(incident.from, Kind::IncidentBegan, who(), None, String::new());
        if incident.ejected > 0 {
            add(
                after(incident.from, incident.to_eject),
                Kind::Ejected,
                who(),
                None,
                String::new(),
            );
        }
        if incident.until != Time::NEVER {
            add(incident.until, Kind::IncidentEnded, who(), None, String::new());
        }
        if incident.recovered > 0 {
            add(
                after(incident.until, incident.to_recover),
                Kind::Recovered,
                who(),
                None,
                String::new(),
            );
        }
    }
    let client = &scenario.client;
    for (allowance, of) in client.allowances.iter().zip(&tally.budgets) {
        if of.spent > 0 {
            add(
                after(origin, of.time),
                Kind::BudgetSpent,
                None,
                None,
                allowance.budget.clone(),
            );
        }
    }
    for (alert, of) in client.alerts.iter().zip(&tally.alerts) {
        if of.passed > 0 {
            let about = format!("{} of {}", format::share(alert.share), alert.budget);
            add(after(origin, of.time), Kind::Alert, None, None, about);
        }
    }
    for (milestone, of) in scenario.policy.milestones().into_iter().zip(&tally.milestones) {
        if of.passed > 0 {
            add(after(origin, of.time), Kind::Milestone, None, None, milestone.what);
        }
    }
    for happening in course {
        let kind = match happening.turn {
            Turn::Opened => Kind::BreakerOpened,
            Turn::Returned => Kind::BreakerReturned,
            Turn::Closed => Kind::BreakerClosed,
        };
        let gateway = (client.gateways > 1).then_some(happening.gateway);
        add(happening.at, kind, provider(happening.provider), gateway, String::new());
    }
    sorting::by_key(&mut all, |(at, _)| *at);
    all.into_iter().map(|(_, event)| event).collect()
}
