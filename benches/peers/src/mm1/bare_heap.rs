//! The M/M/1 written by hand over the standard library's binary heap: what one writes without a framework, and the row
//! that the others are compared with.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::{At, Outcome, Shop};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Arrival,
    Departure,
}

/// Serves this number of customers.
pub fn run(customers: u64, seed: u64) -> Outcome {
    let (mut shop, first) = Shop::open(customers, seed);
    let mut pending = BinaryHeap::from([Reverse((At(first), Kind::Arrival))]);
    while let Some(Reverse((At(now), kind))) = pending.pop() {
        match kind {
            Kind::Arrival => {
                let next = shop.arrive(now);
                if let Some(delay) = next.arrival {
                    pending.push(Reverse((At(now + delay), Kind::Arrival)));
                }
                if let Some(delay) = next.departure {
                    pending.push(Reverse((At(now + delay), Kind::Departure)));
                }
            }
            Kind::Departure => {
                if let Some(delay) = shop.depart(now) {
                    pending.push(Reverse((At(now + delay), Kind::Departure)));
                }
            }
        }
    }
    shop.outcome()
}
