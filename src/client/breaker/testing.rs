//! Breakers in virtual time, for the tests of each: calls that end at once, or later.

use crate::client::breaker::{Breaker, BreakerSpec, FleetBreaker, Guard, Ticket};
use crate::form::build::{Built, Names};
use crate::kernel::chance::Chance;
use crate::kernel::time::{Span, Time};
use crate::words::{Ended, Outcome};

/// The time `millis` milliseconds after the start.
pub(super) fn at(millis: u64) -> Time {
    Time::ZERO + Span::from_millis(millis)
}

/// The outcome that a letter of a script stands for.
pub(super) fn outcome(letter: char) -> Outcome {
    match letter {
        's' => Outcome::Success,
        'F' => Outcome::ServerError,
        'B' => Outcome::BadGateway,
        'U' => Outcome::Unavailable,
        'G' => Outcome::GatewayTimeout,
        'r' => Outcome::RateLimited,
        't' => Outcome::TimeoutAttempt,
        'q' => Outcome::RequestTimeout,
        'C' => Outcome::ConnectionError,
        'a' => Outcome::Unauthorized,
        'c' => Outcome::ContextExceeded,
        'Q' => Outcome::QueueTimeout,
        'x' => Outcome::Cancelled,
        _ => panic!("no outcome for {letter}"),
    }
}

/// The breakers of a fleet.
#[derive(Debug)]
pub(super) struct Watch {
    each: Vec<Box<dyn Breaker>>,
    all: Option<Box<dyn FleetBreaker>>,
}

/// The guard that `json` builds for providers p0, p1 and so on, in fallback groups if there are any.
pub(super) fn build(json: &str, providers: usize, groups: &[Vec<usize>]) -> Built<Guard> {
    build_falling_back(json, providers, groups, &[])
}

fn build_falling_back(json: &str, providers: usize, groups: &[Vec<usize>], falls_back: &[bool]) -> Built<Guard> {
    let providers: Vec<String> = (0..providers).map(|i| format!("p{i}")).collect();
    let spec: BreakerSpec = serde_json::from_str(json).unwrap();
    spec.as_dyn().build(&Names {
        providers: &providers,
        groups,
        falls_back,
        ..Names::default()
    })
}

impl Watch {
    /// The breakers of so many providers, which form one group.
    pub(super) fn new(json: &str, providers: usize) -> Watch {
        Watch::in_groups(json, providers, &[])
    }

    /// The breakers of so many providers in fallback groups.
    pub(super) fn in_groups(json: &str, providers: usize, groups: &[Vec<usize>]) -> Watch {
        Watch::falling_back(json, providers, groups, &[])
    }

    /// The breakers of so many providers in groups, each of which has a fallback or has none.
    pub(super) fn falling_back(json: &str, providers: usize, groups: &[Vec<usize>], falls_back: &[bool]) -> Watch {
        let guard = build_falling_back(json, providers, groups, falls_back).unwrap();
        let own = |i: usize| Chance::new(1, 0).surroundings(1).part(i as u64);
        Watch {
            each: (0..providers).filter_map(|i| guard.of_one(own(i))).collect(),
            all: guard.of_all(own(0)),
        }
    }

    pub(super) fn permits(&self, provider: usize, now: Time) -> bool {
        match &self.all {
            Some(all) => all.permits(provider, now),
            None => self.each[provider].permits(now),
        }
    }

    pub(super) fn is_closed(&self, provider: usize) -> bool {
        self.each.get(provider).is_some_and(|breaker| breaker.is_closed())
    }

    /// The providers that a call may go to, a letter each: `o`, or `x` for those that are kept out.
    pub(super) fn open_to_calls(&self, providers: usize, now: Time) -> String {
        (0..providers)
            .map(|p| if self.permits(p, now) { 'o' } else { 'x' })
            .collect()
    }

    pub(super) fn sent(&mut self, provider: usize, now: Time) -> Ticket {
        match &mut self.all {
            Some(all) => all.sent(provider, now),
            None => self.each[provider].sent(now),
        }
    }

    pub(super) fn record(&mut self, ticket: Ticket, ended: &Ended) {
        match &mut self.all {
            Some(all) => all.record(ticket, ended),
            None => self.each[ended.provider].record(ticket, ended),
        }
    }

    pub(super) fn trips(&self, provider: usize) -> u64 {
        match &self.all {
            Some(all) => all.trips(provider),
            None => self.each[provider].trips(),
        }
    }

    pub(super) fn time_open(&self, provider: usize, now: Time) -> Span {
        match &self.all {
            Some(all) => all.time_open(provider, now),
            None => self.each[provider].time_open(now),
        }
    }

    /// Makes a call that ends at once.
    pub(super) fn call(&mut self, provider: usize, now: Time, outcome: Outcome) {
        let ticket = self.sent(provider, now);
        self.record(ticket, &Ended::new(now, provider, outcome));
    }

    /// Makes calls to `provider` that end at once, the first at `from` and `gap` milliseconds between them, a letter
    /// each (`.` makes no call). Returns for each whether one was permitted; it is made only then.
    pub(super) fn run(&mut self, provider: usize, from: u64, gap: u64, calls: &str) -> String {
        let mut seen = String::new();
        for (i, letter) in calls.chars().enumerate() {
            let now = at(from + gap * i as u64);
            let permitted = self.permits(provider, now);
            seen.push(if permitted { 'o' } else { 'x' });
            if permitted && letter != '.' {
                self.call(provider, now, outcome(letter));
            }
        }
        seen
    }
}
