//! What gives a part of a scenario a course over time: an outage that comes once, a time of day, a quota by the day.
//!
//! A run that is shorter than the course of one of its parts does not stand for a month: what it cost, times the number of such
//! runs in a month, is not what a month costs. A part says its course, and the report says what that leaves of a month.

use crate::kernel::time::{Span, Time};

/// The course of a part over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Course {
    /// The part in words, with its article: "an outage", "the time of day".
    pub what: String,
    /// When it is as it was before.
    pub lasts: Lasts,
}

/// How long a course takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasts {
    /// It begins anew after so long.
    Repeats(Span),
    /// It comes once in a replication, between these times; [`Time::NEVER`] where no end is known.
    Once(Time, Time),
    /// It grows or shrinks steadily, and is never as it was.
    Grows,
}

impl Course {
    /// A course that begins anew after each `period`.
    pub fn repeats(what: impl Into<String>, period: Span) -> Course {
        Course {
            what: what.into(),
            lasts: Lasts::Repeats(period),
        }
    }

    /// Something that grows or shrinks steadily from the plan's beginning on.
    pub fn grows(what: impl Into<String>) -> Course {
        Course {
            what: what.into(),
            lasts: Lasts::Grows,
        }
    }

    /// Something that comes once.
    pub fn once(what: impl Into<String>, from: Time, until: Time) -> Course {
        Course {
            what: what.into(),
            lasts: Lasts::Once(from, until),
        }
    }
}
