//! What happened to the whole system in one replication, in the order of time: incidents, breakers, budgets, milestones.
//!
//! The words are those of the report: what it says of incidents, alerts, budgets and milestones on average over replications stands here
//! once for each time that it happened.

use serde::Serialize;

use super::csv::text;
use super::story::rows;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// The name of the policy.
    pub policy: String,
    /// The replication, from 0.
    pub replication: u64,
    /// Seconds from the start of counting; negative in the warm-up.
    pub at: f64,
    /// What happened then.
    pub what: Kind,
    /// The provider that it happened to, if to one.
    pub provider: Option<String>,
    /// The gateway at which it happened, from 0, if there are several.
    pub gateway: Option<usize>,
    /// Which budget or milestone it is about, if about one.
    pub about: String,
}

/// The kinds of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An outage that is known beforehand began.
    IncidentBegan,
    /// Such an outage ended.
    IncidentEnded,
    /// A breaker first kept calls from its provider in an outage.
    Ejected,
    /// The system had recovered after an outage.
    Recovered,
    /// A breaker opened: a cooldown began.
    BreakerOpened,
    /// A breaker let calls through again, on trial or for good.
    BreakerReturned,
    /// A breaker closed after it had let calls through on trial.
    BreakerClosed,
    /// A budget was first spent.
    BudgetSpent,
    /// A watched share of a budget was first passed.
    Alert,
    /// The policy passed a milestone.
    Milestone,
}

impl Kind {
    /// The name of the kind in files.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::IncidentBegan => "incident_began",
            Kind::IncidentEnded => "incident_ended",
            Kind::Ejected => "ejected",
            Kind::Recovered => "recovered",
            Kind::BreakerOpened => "breaker_opened",
            Kind::BreakerReturned => "breaker_returned",
            Kind::BreakerClosed => "breaker_closed",
            Kind::BudgetSpent => "budget_spent",
            Kind::Alert => "alert",
            Kind::Milestone => "milestone",
        }
    }
}

/// The columns of a row for each event.
pub const COLUMNS: [(&str, rows::Kind); 7] = [
    ("policy", rows::Kind::Text),
    ("replication", rows::Kind::Count),
    ("at", rows::Kind::Number),
    ("event", rows::Kind::Text),
    ("provider", rows::Kind::Text),
    ("gateway", rows::Kind::Count),
    ("about", rows::Kind::Text),
];

/// The row of an event.
pub fn row(event: &Event) -> [String; COLUMNS.len()] {
    [
        text(&event.policy),
        event.replication.to_string(),
        format!("{:.9}", event.at),
        event.what.name().to_owned(),
        event.provider.as_deref().map(text).unwrap_or_default(),
        event.gateway.map(|gateway| gateway.to_string()).unwrap_or_default(),
        text(&event.about),
    ]
}
