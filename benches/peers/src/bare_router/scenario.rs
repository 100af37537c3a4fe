//! The one scenario of the bare router: classes, tiers, tariffs, limits, with their laws tabulated.
//!
//! The figures are made up to resemble a customer-service bot on three tiers of models; only the cost of computing with
//! them is of interest.

use std::array;

use crate::quantile::{Law, NormalKnots};

pub(super) const CLASSES: usize = 4;
pub(super) const PROVIDERS: usize = 3;

/// The share of each class.
const MIX: [f64; CLASSES] = [0.50, 0.25, 0.15, 0.10];
/// The tier each class is sent to: mostly its own, at times one that the classifier mistook it for.
const TIERS: [[f64; PROVIDERS]; CLASSES] = [
    [0.90, 0.08, 0.02],
    [0.15, 0.80, 0.05],
    [0.05, 0.80, 0.15],
    [0.02, 0.13, 0.85],
];
/// Median and sigma of the input tokens of each class.
const INPUT: [(f64, f64); CLASSES] = [(250.0, 0.6), (800.0, 0.8), (2_000.0, 0.9), (4_000.0, 0.7)];
/// Median and sigma of the output tokens of each class.
const OUTPUT: [(f64, f64); CLASSES] = [(120.0, 0.7), (300.0, 0.8), (450.0, 0.8), (900.0, 0.9)];
/// The share of attempts that fail, at any provider.
const FAULTS: f64 = 0.02;
/// Seconds until a failed attempt says so.
pub(super) const FAULT_DELAY: f64 = 0.3;
/// Attempts a request has in all.
pub(super) const ATTEMPTS: u64 = 2;
/// The limits of a provider, as multiples of what it is sent on average.
const HEADROOM: f64 = 1.2;
/// Seconds of its limit that a bucket holds when full.
const BURST: f64 = 10.0;

/// Every load measured.
pub const LOADS: &[Load] = &[
    Load {
        name: "16.7 requests/s",
        rate: 1_000.0 / 60.0,
    },
    Load {
        name: "1,000 requests/s",
        rate: 1_000.0,
    },
];

/// How many requests come.
pub struct Load {
    /// What the table calls it.
    pub name: &'static str,
    /// Requests per second.
    pub rate: f64,
}

/// The scenario with its laws tabulated, made once and run many times.
pub struct Model {
    pub(super) gap: Law,
    pub(super) class_below: [u64; CLASSES - 1],
    pub(super) tier_below: [[u64; PROVIDERS - 1]; CLASSES],
    pub(super) input: [Law; CLASSES],
    pub(super) output: [Law; CLASSES],
    pub(super) fault_below: u64,
    pub(super) providers: [Provider; PROVIDERS],
}

/// A provider's speed, prices and limits.
pub(super) struct Provider {
    pub(super) ttft: Law,
    pub(super) seconds_per_token: f64,
    pub(super) dollars_per_input: f64,
    pub(super) dollars_per_output: f64,
    pub(super) request_bucket: Bucket,
    pub(super) token_bucket: Bucket,
}

/// A token bucket as the instant at which it will be full (the generic cell rate algorithm, ITU-T I.371).
#[derive(Clone, Copy)]
pub(super) struct Bucket {
    seconds_per_unit: f64,
    full_at: f64,
}

impl Model {
    /// The scenario under `load`, its limits in proportion.
    pub fn new(load: &Load) -> Model {
        let normal = NormalKnots::new();
        let lognormal = |(median, sigma)| Law::lognormal(&normal, median, sigma);
        // Median and sigma of TTFT; output tokens per second; dollars per million input and output tokens.
        let tariffs = [
            (0.35, 0.4, 140.0, 0.15, 0.60),
            (0.55, 0.5, 90.0, 1.0, 4.0),
            (0.9, 0.5, 60.0, 3.0, 15.0),
        ];
        let providers = array::from_fn(|tier| {
            let (median, sigma, speed, input, output) = tariffs[tier];
            let (requests, tokens) = demand(tier);
            Provider {
                ttft: lognormal((median, sigma)),
                seconds_per_token: 1.0 / speed,
                dollars_per_input: input * 1e-6,
                dollars_per_output: output * 1e-6,
                request_bucket: Bucket::new(HEADROOM * load.rate * requests),
                token_bucket: Bucket::new(HEADROOM * load.rate * tokens),
            }
        });
        Model {
            gap: Law::exponential(1.0 / load.rate),
            class_below: thresholds(&MIX),
            tier_below: TIERS.map(|row| thresholds(&row)),
            input: INPUT.map(lognormal),
            output: OUTPUT.map(lognormal),
            fault_below: share(FAULTS),
            providers,
        }
    }
}

impl Bucket {
    /// A full bucket that refills with `rate` units a second.
    fn new(rate: f64) -> Bucket {
        Bucket {
            seconds_per_unit: 1.0 / rate,
            full_at: 0.0,
        }
    }

    /// Takes `amount` units and says when they are there, which may be in the past.
    #[inline]
    pub(super) fn take(&mut self, now: f64, amount: f64) -> f64 {
        self.full_at = self.full_at.max(now) + amount * self.seconds_per_unit;
        self.full_at - BURST
    }
}

/// Requests and tokens that come to `tier` per request of the whole, retries aside.
fn demand(tier: usize) -> (f64, f64) {
    let mean = |(median, sigma): (f64, f64)| median * libm::exp(0.5 * sigma * sigma);
    (0..CLASSES).fold((0.0, 0.0), |(requests, tokens), class| {
        let share = MIX[class] * TIERS[class][tier];
        (
            requests + share,
            tokens + share * (mean(INPUT[class]) + mean(OUTPUT[class])),
        )
    })
}

/// Cumulative shares as thresholds for a uniform `u64`; the last is left out, being 1.
fn thresholds<const N: usize, const M: usize>(shares: &[f64; N]) -> [u64; M] {
    array::from_fn(|i| share(shares[..=i].iter().sum()))
}

fn share(probability: f64) -> u64 {
    libm::ldexp(probability, 64) as u64
}
