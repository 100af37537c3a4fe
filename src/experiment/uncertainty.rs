//! How far the parameters of a fitted model are known: laws refitted to resampled measurements, and how many requests shares are of.
//!
//! A law that was fitted to 159 probes is one of many that these probes allow. `simcap fit` writes some of the others into the
//! model, each fitted to as many values drawn from the measured ones as those are worth when autocorrelation is taken into account
//! (the m out of n bootstrap: Bickel, Goetze and van Zwet, *Statistica Sinica* 7, 1997). A share of failures counted over
//! n requests has Jeffreys' posterior, Beta(k + ½, n − k + ½) (Brown, Cai and DasGupta, *Statistical Science* 16, 2001). A
//! replication takes one of the possible parameters, which all policies of it share ([`crate::kernel::chance::Parameters`]).
//! Left out: the uncertainty of quotas, slots, prefill and load, and that of the choice of a family. Where none of n requests
//! failed, nothing says in which way one would: what Beta(½, n + ½) leaves open is taken for errors of the server (500).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use statrs::distribution::{Beta, ContinuousCDF, Normal};

use crate::form::laws::LawSpec;
use crate::form::units::{Duration, Fraction};
use crate::provider::faults::Random;

/// Possible parameters where the file lists none: for shares of failures alone.
pub const DRAWS: usize = 24;

/// Other parameters that a variant may have, as far as the measurements tell that it was fitted to. Absent: they are taken to be exact.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Uncertainty {
    /// Laws that `ttft` may as well be, all equally likely. Default: it is exact.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ttft: Vec<LawSpec<Duration>>,
    /// Laws that `tps` may as well be, all equally likely. Default: it is exact.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tps: Vec<LawSpec<f64>>,
    /// The number of requests that the shares of `faults` were counted over. Default: they are exact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<u64>,
}

impl Uncertainty {
    /// Whether nothing is said of it.
    pub fn is_none(&self) -> bool {
        *self == Uncertainty::default()
    }

    /// How many possible parameters there are.
    pub fn many(&self) -> usize {
        match self.ttft.len().max(self.tps.len()) {
            0 => DRAWS,
            many => many,
        }
    }

    /// Shares of failures number `draw` that `faults` may have. They are the same for every seed: the draw of a replication is which of
    /// them it takes. Draws in a row are spread evenly over the posterior, so that the few that a run takes are not by chance all small,
    /// as most of a skewed one's are.
    pub fn faults(&self, faults: &Random, draw: usize) -> Random {
        let Some(n) = self.requests.filter(|n| *n > 0) else {
            return faults.clone();
        };
        let (mut sum, mut seen) = (0.0, 0);
        let drawn = faults.with_shares(|way, share| {
            let n = n as f64;
            let failed = (share.get() * n).round().min(n);
            let drawn = at(failed + 0.5, n - failed + 0.5, place(way, draw)).unwrap_or(share);
            sum += drawn.get();
            seen += 1;
            drawn
        });
        if seen == 0 {
            let mut unseen = faults.clone();
            let share = at(0.5, n as f64 + 0.5, place(0, draw));
            unseen.server_error.add(share.unwrap_or_default());
            return unseen;
        }
        // Shares that together are all requests, or nearly, leave no room for others.
        if sum > 1.0 { faults.clone() } else { drawn }
    }
}

/// Where draw number `draw` of way number `way` lies, 0 to 1: multiples of an irrational number, another one for each way, of which any few
/// in a row are spread evenly (Weyl's sequence).
fn place(way: u64, draw: usize) -> f64 {
    const GOLDEN: f64 = 0.618_033_988_749_894_9;
    let step = GOLDEN * (way + 1) as f64;
    (0.5 + step.fract() * draw as f64).fract()
}

/// The quantile of Beta(`a`, `b`), to nine digits: others may hang on the processor. By halving; where both are large, as of a normal, since
/// the continued fraction of the distribution function then comes to no end.
fn at(a: f64, b: f64, share: f64) -> Option<Fraction> {
    const LARGE: f64 = 100.0;
    let round = |x: f64| Fraction::new((x.clamp(0.0, 1.0) * 1e9).round() / 1e9);
    if a.min(b) > LARGE {
        let mean = a / (a + b);
        let deviation = (mean * (1.0 - mean) / (a + b + 1.0)).sqrt();
        return round(mean + deviation * Normal::standard().inverse_cdf(share));
    }
    let law = Beta::new(a, b).ok()?;
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if law.cdf(middle) < share {
            low = middle;
        } else {
            high = middle;
        }
    }
    round(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing(share: f64) -> Random {
        Random {
            server_error: Fraction::new(share).unwrap().into(),
            ..Random::default()
        }
    }

    /// Six of 300: Beta(6.5, 294.5) has the mean 0.02159 and the standard deviation 0.00836.
    #[test]
    fn shares_have_jeffreys_posterior() {
        let of = Uncertainty {
            requests: Some(300),
            ..Uncertainty::default()
        };
        let drawn: Vec<f64> = (0..4000)
            .map(|draw| of.faults(&failing(0.02), draw).server_error.share().get())
            .collect();
        let mean = drawn.iter().sum::<f64>() / 4000.0;
        let deviation = (drawn.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 3999.0).sqrt();
        assert!(
            (mean - 0.02159).abs() < 0.0005 && (deviation - 0.00836).abs() < 0.0004,
            "{mean} {deviation}"
        );
    }

    #[test]
    fn what_never_failed_may_fail_all_the_same() {
        let of = Uncertainty {
            requests: Some(400),
            ..Uncertainty::default()
        };
        let mut drawn: Vec<f64> = (0..4000)
            .map(|draw| of.faults(&Random::default(), draw).server_error.share().get())
            .collect();
        drawn.sort_by(f64::total_cmp);
        // scipy.stats.beta(0.5, 400.5).ppf([0.5, 0.975]): 0.000568, 0.006256.
        assert!((drawn[2000] - 0.000_568).abs() < 0.000_01, "{}", drawn[2000]);
        assert!((drawn[3900] - 0.006_256).abs() < 0.000_05, "{}", drawn[3900]);
    }

    /// `scipy.stats.beta(a, b).ppf(q)`, the last two within the error of the normal.
    #[test]
    fn quantiles_agree_with_scipy() {
        for (a, b, q, expected, within) in [
            (6.5, 294.5, 0.975, 0.0407557591, 1e-8),
            (3.5, 1_000_000.0, 0.025, 0.0000008449, 1e-8),
            (90.5, 200_000.0, 0.5, 0.0004506320, 1e-8),
            (5000.5, 1_000_000.0, 0.975, 0.0051141142, 1e-6),
            (150.5, 250.5, 0.025, 0.3285956361, 1e-3),
        ] {
            let found = at(a, b, q).unwrap().get();
            assert!((found - expected).abs() < within, "{a} {b} {q}: {found}");
        }
    }

    /// Of any five in a row one is in the least and one in the greatest quarter.
    #[test]
    fn draws_in_a_row_are_spread() {
        for from in 0..100 {
            let five: Vec<f64> = (from..from + 5).map(|draw| place(0, draw)).collect();
            assert!(
                five.iter().any(|x| *x < 0.25) && five.iter().any(|x| *x > 0.75),
                "{five:?}"
            );
        }
    }

    #[test]
    fn what_is_exact_stays() {
        let exact = Uncertainty::default();
        assert!(exact.is_none() && exact.faults(&failing(0.02), 3) == failing(0.02) && exact.many() == DRAWS);
    }
}
