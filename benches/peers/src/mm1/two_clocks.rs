//! The M/M/1 with its two possible events in two variables: what a set of pending events costs when it costs nothing.

use super::{Outcome, Shop};

/// Serves this number of customers.
pub fn run(customers: u64, seed: u64) -> Outcome {
    let (mut shop, mut arrival) = Shop::open(customers, seed);
    let mut departure = f64::INFINITY;
    while !shop.is_done() {
        if arrival < departure {
            let now = arrival;
            let next = shop.arrive(now);
            arrival = next.arrival.map_or(f64::INFINITY, |delay| now + delay);
            departure = next.departure.map_or(departure, |delay| now + delay);
        } else {
            let now = departure;
            departure = shop.depart(now).map_or(f64::INFINITY, |delay| now + delay);
        }
    }
    shop.outcome()
}
