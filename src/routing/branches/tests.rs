//! That a policy inside another hears of everything.

use std::sync::{Arc, Mutex};

use super::*;
use crate::kernel::time::{Span, Time};
use crate::routing::testing::{call, hosts};
use crate::words::Outcome;

/// A policy that wants everything and writes down what it was asked and told.
#[derive(Clone, Debug, Default)]
struct Spy(Arc<Mutex<Vec<&'static str>>>);

impl Spy {
    fn note(&self, what: &'static str) {
        self.0.lock().unwrap().push(what);
    }
}

#[deny(
    clippy::missing_trait_methods,
    reason = "a method that is not here is one of which nothing shows that it is passed on"
)]
impl Policy for Spy {
    fn choose(&mut self, _call: &Call, _fleet: &Fleet<'_>) -> Option<usize> {
        self.note("choose");
        Some(1)
    }

    fn wants(&self) -> Wants {
        Wants {
            learns: true,
            headers: true,
            grades: 9,
            mirrors: true,
            judges: true,
            falls_back: true,
            notes: true,
            ends: true,
        }
    }

    fn learn(&mut self, _ended: &Ended) {
        self.note("learn");
    }

    fn read(&mut self, _ended: &Ended, _headers: &Headers) {
        self.note("read");
    }

    fn sent(&mut self, _call: &Call, _provider: usize) {
        self.note("sent");
    }

    fn ended(&mut self, _ended: &Ended) {
        self.note("ended");
    }

    fn mirror(&mut self, _call: &Call, _fleet: &Fleet<'_>) -> Option<usize> {
        self.note("mirror");
        Some(2)
    }

    fn judge(&mut self, _call: &Call) -> Option<Judge> {
        self.note("judge");
        Some(Judge {
            takes_good: 1.0,
            takes_bad: 0.0,
            hard: 0.0,
            looks: Span::ZERO,
            cost: 7,
            keeps: true,
        })
    }

    fn fall_back(&mut self, _call: &Call) -> bool {
        self.note("fall_back");
        true
    }

    fn turns_away(&mut self, _call: &Call) -> Option<(Outcome, Option<Span>)> {
        self.note("turns_away");
        Some((Outcome::RateLimited, None))
    }

    fn milestones(&self) -> Vec<Milestone> {
        self.note("milestones");
        vec![Milestone {
            what: "inside".to_owned(),
            at: None,
        }]
    }

    fn courses(&self) -> Vec<Course> {
        self.note("courses");
        vec![Course::repeats("inside", Span::from_secs(60))]
    }

    fn fresh(&self) -> Box<dyn Policy> {
        self.note("fresh");
        Box::new(self.clone())
    }
}

/// The least that a policy around another says of itself.
#[derive(Debug)]
struct Plain(Branches);

impl Wrap for Plain {
    fn inside(&self) -> &Branches {
        &self.0
    }

    fn inside_mut(&mut self) -> &mut Branches {
        &mut self.0
    }

    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        self.0.choose(0, call, fleet)
    }

    fn fresh(&self) -> Self {
        Plain(self.0.fresh())
    }
}

#[test]
fn a_policy_inside_another_hears_of_everything_and_is_asked_everything() {
    let spy = Spy::default();
    let mut outer = Plain(Branches::new([Box::new(spy.clone()) as Box<dyn Policy>])).wrapped();
    assert_eq!(outer.wants(), spy.wants());
    let (hosts, call) = (hosts(&[]), call(0, 0));
    let fleet = Fleet::new(&hosts, None, Time::ZERO);
    let ended = Ended::new(Time::ZERO, 0, Outcome::Success);
    assert_eq!(outer.choose(&call, &fleet), Some(1));
    outer.sent(&call, 1);
    outer.learn(&ended);
    outer.read(&ended, &Headers::default());
    outer.ended(&ended);
    assert_eq!(outer.mirror(&call, &fleet), Some(2));
    assert_eq!(outer.judge(&call).map(|judge| judge.cost), Some(7));
    assert!(outer.fall_back(&call));
    assert_eq!(outer.turns_away(&call), Some((Outcome::RateLimited, None)));
    assert_eq!((outer.milestones().len(), outer.courses().len()), (1, 1));
    outer.fresh();
    let told = [
        "choose",
        "sent",
        "learn",
        "read",
        "ended",
        "mirror",
        "judge",
        "fall_back",
        "turns_away",
        "milestones",
        "courses",
        "fresh",
    ];
    assert_eq!(*spy.0.lock().unwrap(), told);
}
