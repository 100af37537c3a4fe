//! A router of LLM requests written by hand for one scenario: the floor under what a simulator of routing can cost.
//!
//! A request arrives (Poisson), has a class, lognormal token counts and a tier that a fallible classifier picks; its
//! provider's request and token buckets delay it; it fails or not; the first token comes after a lognormal time, the rest
//! at a constant pace. A failed request is tried once more, at the next provider. Each draw is one SplitMix64 mix of a key
//! made from seed and request (Steele, Lea and Flood, 2014), so a request meets the same fate in any order of events.
//! It leaves out everything that makes a simulator one: configuration, policies to choose from, time series, traces.

mod scenario;

use std::array;

use self::scenario::{ATTEMPTS, Bucket, FAULT_DELAY, PROVIDERS};
pub use self::scenario::{LOADS, Load, Model};
use crate::heap::Heap;
use crate::histogram::Histogram;

/// Slots fit into the low 20 bits of an event's key, microseconds into the rest.
const SLOT_BITS: u32 = 20;
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// What a run recorded; times in seconds, of requests that were served.
pub struct Outcome {
    /// Requests that arrived.
    pub requests: u64,
    /// Those that no attempt served.
    pub failed: u64,
    /// From arrival to the first token.
    pub ttft: Histogram,
    /// From arrival to the last token.
    pub e2e: Histogram,
    /// Spent waiting for the buckets, over all attempts.
    pub wait: Histogram,
    /// The bill of all attempts.
    pub dollars: f64,
}

/// A request in flight.
#[derive(Clone, Copy)]
struct Flight {
    key: u64,
    came: f64,
    waited: f64,
    first_token: f64,
    input: f64,
    output: f64,
    provider: u8,
    attempt: u8,
    faulty: bool,
}

/// What a draw is for: its offset in the request's key.
#[derive(Clone, Copy)]
#[repr(u64)]
enum Purpose {
    Gap = 1,
    Class,
    Tier,
    Input,
    Output,
    /// The first of two per attempt.
    Fault,
    Ttft,
}

/// The state of a run.
struct Router<'a> {
    model: &'a Model,
    buckets: [(Bucket, Bucket); PROVIDERS],
    flights: Vec<Flight>,
    free: Vec<u32>,
    pending: Heap,
    outcome: Outcome,
}

/// Routes `requests` of the `model`.
pub fn run(model: &Model, requests: u64, seed: u64) -> Outcome {
    let mut router = Router::new(model);
    let mut to_come = requests;
    let mut key = request_key(seed, to_come);
    let mut arrival = model.gap.draw(draw(key, Purpose::Gap));
    loop {
        match router.pending.peek() {
            Some(event) if to_come == 0 || event >> SLOT_BITS <= micros(arrival) => {
                router.pending.pop();
                router.finish(event);
            }
            _ if to_come > 0 => {
                router.arrive(arrival, key);
                to_come -= 1;
                key = request_key(seed, to_come);
                arrival += model.gap.draw(draw(key, Purpose::Gap));
            }
            _ => break,
        }
    }
    router.outcome.requests = requests;
    router.outcome
}

impl<'a> Router<'a> {
    fn new(model: &'a Model) -> Router<'a> {
        Router {
            model,
            buckets: array::from_fn(|tier| (model.providers[tier].request_bucket, model.providers[tier].token_bucket)),
            flights: Vec::new(),
            free: Vec::new(),
            pending: Heap::with_capacity(1024),
            outcome: Outcome {
                requests: 0,
                failed: 0,
                ttft: Histogram::new(),
                e2e: Histogram::new(),
                wait: Histogram::new(),
                dollars: 0.0,
            },
        }
    }

    fn arrive(&mut self, now: f64, key: u64) {
        let model = self.model;
        let class = pick(&model.class_below, draw(key, Purpose::Class));
        let flight = Flight {
            key,
            came: now,
            waited: 0.0,
            first_token: now,
            input: model.input[class].draw(draw(key, Purpose::Input)),
            output: model.output[class].draw(draw(key, Purpose::Output)),
            provider: pick(&model.tier_below[class], draw(key, Purpose::Tier)) as u8,
            attempt: 0,
            faulty: false,
        };
        let slot = self.free.pop().unwrap_or_else(|| {
            self.flights.push(flight);
            self.flights.len() as u32 - 1
        });
        self.dispatch(now, slot, flight);
    }

    /// Sends an attempt: waits for both buckets, then fails or streams. Its end is the only event.
    #[inline]
    fn dispatch(&mut self, now: f64, slot: u32, mut flight: Flight) {
        let provider = &self.model.providers[flight.provider as usize];
        let (requests, tokens) = &mut self.buckets[flight.provider as usize];
        let sent = now
            .max(requests.take(now, 1.0))
            .max(tokens.take(now, flight.input + flight.output));
        flight.waited += sent - now;
        let nth = u64::from(flight.attempt) * 2;
        flight.faulty = draw_nth(flight.key, Purpose::Fault, nth) < self.model.fault_below;
        let end = if flight.faulty {
            sent + FAULT_DELAY
        } else {
            flight.first_token = sent + provider.ttft.draw(draw_nth(flight.key, Purpose::Ttft, nth));
            flight.first_token + flight.output * provider.seconds_per_token
        };
        self.flights[slot as usize] = flight;
        self.pending.push(micros(end) << SLOT_BITS | u64::from(slot));
    }

    fn finish(&mut self, event: u64) {
        let slot = (event & ((1 << SLOT_BITS) - 1)) as u32;
        let now = (event >> SLOT_BITS) as f64 * 1e-6;
        let mut flight = self.flights[slot as usize];
        if flight.faulty {
            flight.attempt += 1;
            if u64::from(flight.attempt) < ATTEMPTS {
                flight.provider = (flight.provider + 1) % PROVIDERS as u8;
                return self.dispatch(now, slot, flight);
            }
            self.outcome.failed += 1;
        } else {
            let provider = &self.model.providers[flight.provider as usize];
            self.outcome.ttft.record(flight.first_token - flight.came);
            self.outcome.e2e.record(now - flight.came);
            self.outcome.wait.record(flight.waited);
            self.outcome.dollars +=
                flight.input * provider.dollars_per_input + flight.output * provider.dollars_per_output;
        }
        self.free.push(slot);
    }
}

/// How many thresholds `bits` is not below: without a branch, since none could be predicted.
#[inline]
fn pick<const M: usize>(below: &[u64; M], bits: u64) -> usize {
    below.iter().map(|&threshold| usize::from(bits >= threshold)).sum()
}

#[inline]
fn micros(seconds: f64) -> u64 {
    (seconds * 1e6) as i64 as u64
}

#[inline]
fn request_key(seed: u64, request: u64) -> u64 {
    mix(seed ^ request.wrapping_mul(GOLDEN))
}

#[inline]
fn draw(key: u64, purpose: Purpose) -> u64 {
    draw_nth(key, purpose, 0)
}

#[inline]
fn draw_nth(key: u64, purpose: Purpose, nth: u64) -> u64 {
    mix(key.wrapping_add((purpose as u64 + nth).wrapping_mul(GOLDEN)))
}

/// The output function of SplitMix64.
#[inline]
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUESTS: u64 = 400_000;

    fn outcome() -> Outcome {
        run(&Model::new(&LOADS[0]), REQUESTS, 5)
    }

    #[test]
    fn every_request_is_served_or_failed() {
        let outcome = outcome();
        assert_eq!(outcome.e2e.total() + outcome.failed, REQUESTS);
    }

    #[test]
    fn a_request_fails_when_both_attempts_do() {
        // Binomial with p = 0.02^2: 160 of 400,000, standard deviation 12.6.
        assert!((outcome().failed as f64 - 160.0).abs() < 4.0 * 12.6);
    }

    #[test]
    fn the_bill_is_that_of_the_mean_tokens() {
        // Python: c = sum over classes k, tiers t of MIX[k] TIERS[k][t] (0.98 price(k, t) + 0.02 * 0.98 price(k, t + 1)),
        // price(k, t) = mean input * input price + mean output * output price, mean = median * exp(sigma^2 / 2).
        let exact = 0.0050587642093499925;
        let dollars = outcome().dollars / REQUESTS as f64;
        assert!((dollars / exact - 1.0).abs() < 0.01, "{dollars} against {exact}");
    }

    #[test]
    fn the_same_seed_gives_the_same_run() {
        assert_eq!(outcome().e2e.mean().to_bits(), outcome().e2e.mean().to_bits());
    }
}
