//! The M/M/1 in simcap's kernel: its set of events alone, and then everything of its own.
//!
//! In both forms arrivals are not events: they come sorted, so a cursor is merged with the set, which then holds the
//! one departure that is pending. The first form shares [`Shop`] with the other rows and so meets the same customers:
//! what it takes beyond them is the set's. The second draws from tables by each customer's key, counts integer
//! nanoseconds and keeps simcap's own histogram of three digits; its customers are other ones. Leaves out all that a
//! request is beyond a customer: that is the row of the whole engine.

use std::collections::VecDeque;

use simcap::kernel::chance::{Chance, Key, Purpose};
use simcap::kernel::law::Exponential;
use simcap::kernel::queue::EventQueue;
use simcap::kernel::sampler::Sampler;
use simcap::kernel::time::{Span, Time};
use simcap::stats::histogram::Histogram;

use super::{ARRIVAL_RATE, Outcome, Shop};

/// One unit of the queue's time is one second.
const UNIT: f64 = 1e9;
/// What the one kind of event carries.
const DEPARTURE: u32 = 0;

/// Serves `customers` of the shared shop.
pub fn run_shared(customers: u64, seed: u64) -> Outcome {
    let (mut shop, first) = Shop::open(customers, seed);
    let mut pending = EventQueue::with_capacity(1);
    let mut arrival = Time::ZERO + span(first);
    loop {
        if arrival < pending.next_time() {
            let now = arrival;
            let next = shop.arrive(now.seconds());
            arrival = next.arrival.map_or(Time::NEVER, |delay| now + span(delay));
            if let Some(delay) = next.departure {
                pending.push(now + span(delay), DEPARTURE);
            }
        } else if let Some((now, _)) = pending.pop() {
            if let Some(delay) = shop.depart(now.seconds()) {
                pending.push(now + span(delay), DEPARTURE);
            }
        } else {
            return shop.outcome();
        }
    }
}

/// Serves `customers` with nothing that is not simcap's.
///
/// # Panics
///
/// If a mean is not positive, which would be a mistake in this file.
pub fn run_own(customers: u64, seed: u64) -> Outcome {
    let law = |mean| Sampler::of(&Exponential::new(mean, 0.0).expect("the mean is positive"));
    let mut desk = Desk {
        service: law(UNIT),
        present: VecDeque::new(),
        pending: EventQueue::with_capacity(1),
        sojourns: Histogram::new(),
    };
    let gap = law(UNIT / ARRIVAL_RATE);
    let chance = Chance::new(seed, 0);
    let mut id = 0;
    let mut key = chance.request(id);
    let mut arrival = Time::ZERO + draw(&gap, key, Purpose::Gap);
    loop {
        if arrival < desk.pending.next_time() {
            desk.arrive(arrival, key);
            id += 1;
            key = chance.request(id);
            arrival = if id < customers {
                arrival + draw(&gap, key, Purpose::Gap)
            } else {
                Time::NEVER
            };
        } else if !desk.depart() {
            return outcome(&desk.sojourns);
        }
    }
}

/// The server, its queue and its records.
struct Desk {
    service: Sampler,
    /// When each customer in the shop arrived; the first of them is being served.
    present: VecDeque<(Time, Key)>,
    pending: EventQueue,
    sojourns: Histogram,
}

impl Desk {
    #[inline]
    fn arrive(&mut self, now: Time, key: Key) {
        self.present.push_back((now, key));
        if self.present.len() == 1 {
            self.serve(now, key);
        }
    }

    /// The pending departure happens, if there is one.
    #[inline]
    fn depart(&mut self) -> bool {
        let Some((now, _)) = self.pending.pop() else {
            return false;
        };
        if let Some((came, _)) = self.present.pop_front() {
            self.sojourns.record(now.since(came));
        }
        if let Some(&(_, key)) = self.present.front() {
            self.serve(now, key);
        }
        true
    }

    #[inline]
    fn serve(&mut self, now: Time, key: Key) {
        self.pending
            .push(now + draw(&self.service, key, Purpose::Ttft), DEPARTURE);
    }
}

/// What a histogram of sojourns holds, in units.
pub fn outcome(sojourns: &Histogram) -> Outcome {
    let units = |span: Option<Span>| span.map_or(f64::NAN, Span::seconds);
    Outcome {
        customers: sojourns.count(),
        mean_sojourn: units(sojourns.mean()),
        p99_sojourn: units(sojourns.quantile(0.99)),
    }
}

#[inline]
fn draw(law: &Sampler, key: Key, purpose: Purpose) -> Span {
    Span::from_nanos((law.draw(key, purpose) + 0.5) as u64)
}

#[inline]
fn span(units: f64) -> Span {
    Span::from_nanos((units * UNIT + 0.5) as u64)
}
