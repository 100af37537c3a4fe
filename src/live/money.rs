//! The budget of a run: no probe is sent that could take the bill over the bound.
//!
//! Before a probe is sent its worst-case cost is reserved: one token for every byte of the prompt (no tokenizer makes
//! more of them), and every token of `max_tokens` written. When it ends, the cost of its usage replaces the
//! reservation. An answer that was accepted and reports no usage counts at its worst case, because it may have been
//! billed; a refusal (any status but 2xx) and a connection that never came about cost nothing.

use std::fmt;

use crate::calibrate::probe::{Probe, Usage};
use crate::kernel::time::Time;
use crate::provider::pricing::Price;
use crate::words::{self, Outcome, Outcomes};

/// The most tokens that a chat template adds to a prompt.
const TEMPLATE: u32 = 64;

/// The bound, the amount spent, and the amount reserved for probes under way, in pico-dollars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ledger {
    cap: u64,
    spent: u64,
    reserved: u64,
}

impl Ledger {
    /// A ledger with a bound of `cap` and `spent` already spent, in pico-dollars.
    pub fn new(cap: u64, spent: u64) -> Ledger {
        Ledger {
            cap,
            spent,
            reserved: 0,
        }
    }

    /// Reserves a worst case, if all worst cases together stay within the bound.
    pub fn reserve(&mut self, worst: u64) -> Reserved {
        let sum = self.spent.saturating_add(self.reserved).saturating_add(worst);
        if sum <= self.cap {
            self.reserved += worst;
            Reserved::Yes
        } else if self.reserved > 0 {
            Reserved::NotNow
        } else {
            Reserved::Never
        }
    }

    /// Replaces the reservation of a probe by its cost.
    pub fn settle(&mut self, worst: u64, cost: u64) {
        self.reserved = self.reserved.saturating_sub(worst);
        self.spent = self.spent.saturating_add(cost);
    }

    /// The amount spent so far, in pico-dollars.
    pub fn spent(&self) -> u64 {
        self.spent
    }
}

/// Whether a probe is affordable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// Affordable; the worst case is reserved.
    Yes,
    /// Not affordable while the probes under way may still cost as much as is reserved for them.
    NotNow,
    /// Not affordable although no probe is under way: it could take the bill over the bound.
    Never,
}

/// The most that a probe can cost, in pico-dollars.
pub fn worst(tariff: &dyn Price, prompt_bytes: usize, max_output: u32) -> u64 {
    let input = u32::try_from(prompt_bytes).unwrap_or(u32::MAX).saturating_add(TEMPLATE);
    let at = |cached, written| {
        let usage = words::Usage {
            input,
            cached,
            written,
            output: max_output,
        };
        tariff.of(&usage, Time::ZERO)
    };
    at(0, 0).max(at(input, 0)).max(at(0, input))
}

/// The cost of this usage, in pico-dollars.
pub fn cost(tariff: &dyn Price, usage: &Usage) -> u64 {
    let usage = words::Usage {
        input: usage.input,
        cached: usage.cached,
        written: 0,
        output: usage.output,
    };
    tariff.of(&usage, Time::ZERO)
}

/// Ends of which the endpoint never heard.
const UNSENT: Outcomes = Outcomes::of(&[Outcome::ConnectionError, Outcome::TimeoutConnect]);

/// What a probe that has ended counts for, whose worst case was reserved.
pub fn billed(tariff: &dyn Price, probe: &Probe, worst: u64) -> u64 {
    match (&probe.usage, probe.status) {
        (Some(usage), _) => cost(tariff, usage),
        (None, Some(200..300)) => worst,
        (None, Some(_)) => 0,
        // It may have arrived.
        (None, None) => {
            if UNSENT.contains(probe.outcome.0) {
                0
            } else {
                worst
            }
        }
    }
}

/// An amount in pico-dollars that displays in dollars: `$0.0123`.
#[derive(Clone, Copy, Debug)]
pub struct Dollars(pub u64);

impl fmt::Display for Dollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use crate::report::Unit;
        use crate::report::format;
        f.write_str(&format::value(Unit::Dollars, self.0 as f64 / 1e12))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::probe::Ending;

    fn tariff() -> impl Price {
        let spec = r#"{ "input": "$1/Mtok", "output": "$10/Mtok", "cached_input": "$0.1/Mtok" }"#;
        let spec: crate::provider::pricing::PerToken = serde_json::from_str(spec).unwrap();
        spec.tariff().unwrap()
    }

    #[test]
    fn reservations_keep_the_bound() {
        let mut ledger = Ledger::new(100, 40);
        assert_eq!(ledger.reserve(61), Reserved::Never);
        assert_eq!(ledger.reserve(30), Reserved::Yes);
        assert_eq!(ledger.reserve(31), Reserved::NotNow);
        assert_eq!(ledger.reserve(30), Reserved::Yes);
        assert_eq!(ledger.reserve(1), Reserved::NotNow);
        ledger.settle(30, 5);
        assert_eq!(ledger.spent(), 45);
        assert_eq!(ledger.reserve(25), Reserved::Yes);
        ledger.settle(55, 200);
        assert_eq!((ledger.spent(), ledger.reserve(0)), (245, Reserved::Never));
    }

    /// A million pico-dollars a token of input, ten of output: by hand.
    #[test]
    fn a_worst_case_takes_bytes_for_tokens() {
        assert_eq!(worst(&tariff(), 100, 5), 164_000_000 + 50_000_000);
        let usage = Usage {
            input: 10,
            cached: 4,
            output: 2,
            reasoning: 1,
        };
        assert_eq!(cost(&tariff(), &usage), 6_000_000 + 400_000 + 20_000_000);
    }

    #[test]
    fn what_may_have_been_billed_counts_in_full() {
        let billed = |status, outcome| {
            let probe = Probe {
                status,
                outcome: Ending(outcome),
                ..Probe::default()
            };
            billed(&tariff(), &probe, 77)
        };
        assert_eq!(billed(Some(200), Outcome::Truncated), 77);
        assert_eq!(billed(Some(200), Outcome::Success), 77);
        assert_eq!(billed(None, Outcome::TimeoutTtft), 77);
        assert_eq!(billed(Some(429), Outcome::RateLimited), 0);
        assert_eq!(billed(Some(500), Outcome::ServerError), 0);
        assert_eq!(billed(None, Outcome::ConnectionError), 0);
    }
}
