//! What happens to a customer, written once for all engines: the draws, the queue, the record.

use std::collections::VecDeque;

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use rand_distr::{Distribution, Exp1};

use super::{ARRIVAL_RATE, Outcome};
use crate::histogram::Histogram;

/// Two streams of draws, one for each purpose, so that every engine meets the same customers.
pub struct Draws {
    gaps: Xoshiro256PlusPlus,
    services: Xoshiro256PlusPlus,
}

/// The queue and its records: all that happens to a customer, whatever the engine.
pub struct Shop {
    draws: Draws,
    /// When those in the shop came; the first of them is being served.
    present: VecDeque<f64>,
    sojourns: Histogram,
    to_come: u64,
}

/// What to schedule after an arrival, as delays from now.
pub struct Next {
    /// Until the next customer comes, unless this was the last.
    pub arrival: Option<f64>,
    /// Until this customer leaves, if the server was idle.
    pub departure: Option<f64>,
}

impl Draws {
    /// Both streams from one seed.
    pub fn new(seed: u64) -> Draws {
        let stream = |purpose| Xoshiro256PlusPlus::seed_from_u64(seed.wrapping_mul(2).wrapping_add(purpose));
        Draws {
            gaps: stream(0),
            services: stream(1),
        }
    }

    /// Time to the next arrival.
    #[inline]
    pub fn gap(&mut self) -> f64 {
        let draw: f64 = Exp1.sample(&mut self.gaps);
        draw * (1.0 / ARRIVAL_RATE)
    }

    /// Time at the server.
    #[inline]
    pub fn service(&mut self) -> f64 {
        Exp1.sample(&mut self.services)
    }
}

impl Shop {
    /// An empty shop that `customers` will come to, one at least; and when the first of them comes.
    pub fn open(customers: u64, seed: u64) -> (Shop, f64) {
        let mut draws = Draws::new(seed);
        let first = draws.gap();
        let shop = Shop {
            draws,
            present: VecDeque::new(),
            sojourns: Histogram::new(),
            to_come: customers,
        };
        (shop, first)
    }

    /// A customer comes.
    #[inline]
    pub fn arrive(&mut self, now: f64) -> Next {
        self.to_come -= 1;
        let arrival = if self.to_come > 0 { Some(self.draws.gap()) } else { None };
        self.present.push_back(now);
        let departure = if self.present.len() == 1 {
            Some(self.draws.service())
        } else {
            None
        };
        Next { arrival, departure }
    }

    /// The customer at the server leaves; gives the delay until the next one does, if anyone waits.
    #[inline]
    pub fn depart(&mut self, now: f64) -> Option<f64> {
        if let Some(came) = self.present.pop_front() {
            self.sojourns.record(now - came);
        }
        if self.present.is_empty() {
            None
        } else {
            Some(self.draws.service())
        }
    }

    /// Whether the last customer has left.
    #[inline]
    pub fn is_done(&self) -> bool {
        self.to_come == 0 && self.present.is_empty()
    }

    /// What was recorded.
    pub fn outcome(&self) -> Outcome {
        Outcome::from(&self.sojourns)
    }
}
