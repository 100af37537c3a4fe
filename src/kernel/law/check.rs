//! What the tests of all laws share: comparison with scipy, with samples of another crate, and with pinned draws.

use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand_distr::Distribution;

use super::{Law, Tail};
use crate::kernel::table::Table;

/// The places at which [`Oracle::quantiles`] are given.
pub(crate) const TAILS: [Tail; 7] = [
    Tail::Lower(1e-6),
    Tail::Lower(0.01),
    Tail::Lower(0.5),
    Tail::Upper(0.05),
    Tail::Upper(0.01),
    Tail::Upper(0.001),
    Tail::Upper(1e-9),
];

/// The draws whose values [`pins`] compares: both extremes and two ordinary ones.
const DRAWS: [u64; 4] = [0, 0x2545_f491_4f6c_dd1d, 0x9e37_79b9_7f4a_7c15, u64::MAX];

/// The values that tests/oracle/laws.py prints for a law.
pub(crate) struct Oracle {
    pub(crate) mean: f64,
    /// Triples of x, P(X <= x) and P(X > x).
    pub(crate) masses: [(f64, f64, f64); 3],
    /// The quantiles at [`TAILS`].
    pub(crate) quantiles: [f64; 7],
}

/// Panics unless the law agrees with the oracle to a relative error.
pub(crate) fn agrees(law: &dyn Law, within: f64, oracle: Oracle) {
    let near = |what: &str, is: f64, should: f64| {
        assert!(
            (is - should).abs() <= within * should,
            "{what} of {law:?} is {is}, should be {should}"
        );
    };
    near("mean", law.mean(), oracle.mean);
    for (x, below, above) in oracle.masses {
        near(&format!("cdf({x})"), law.cdf(x), below);
        near(&format!("sf({x})"), law.sf(x), above);
    }
    for (at, value) in TAILS.into_iter().zip(oracle.quantiles) {
        near(&format!("{at:?}"), law.quantile(at), value);
    }
}

/// Panics unless samples of another crate's law pass a Kolmogorov-Smirnov test at the level 0.001.
pub(crate) fn fits(law: &dyn Law, theirs: impl Distribution<f64>) {
    const N: usize = 20_000;
    let mut samples: Vec<f64> = theirs
        .sample_iter(SmallRng::seed_from_u64(20_240_607))
        .take(N)
        .collect();
    samples.sort_by(f64::total_cmp);
    let n = N as f64;
    let distance = samples
        .iter()
        .enumerate()
        .map(|(i, &x)| {
            (law.cdf(x) - i as f64 / n)
                .abs()
                .max((law.cdf(x) - (i + 1) as f64 / n).abs())
        })
        .fold(0.0, f64::max);
    assert!(distance * n.sqrt() < 1.95, "{law:?}: distance {distance}");
}

/// Panics unless draws from the law's table have these very bits: to change them is to change every result.
pub(crate) fn pins(law: &dyn Law, bits: [u64; 4]) {
    let table = Table::new(law);
    let drawn = DRAWS.map(|u| table.at(u));
    assert_eq!(drawn.map(f64::to_bits), bits, "{law:?} drew {drawn:?}");
}
