//! Autocorrelation: the effective sample size of a series.
//!
//! Autocorrelated values tell less than independent ones: n values are worth n / τ, where τ = 1 + 2 Σ ρ(k) is the
//! integrated autocorrelation time (Sokal, Monte Carlo Methods in Statistical Mechanics, 1996). The sum ends by Geyer's
//! rule, at the first pair ρ(2k) + ρ(2k+1) that is not positive (Statistical Science 7, 1992). For a first-order
//! process τ is (1 + ρ) / (1 − ρ). Latencies are taken as logarithms, so that one slow answer does not hide the rest.
//! Censored values count at their bound.

/// The autocorrelation of a series in order of time.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, schemars::JsonSchema)]
pub struct Serial {
    /// Autocorrelation at lag 1, from −1 to 1.
    pub lag_1: f64,
    /// Integrated autocorrelation time, in values; at least 1.
    pub time: f64,
    /// Effective sample size: the number of independent values that the series is worth.
    pub effective: f64,
}

impl Serial {
    /// The autocorrelation of values in order of time. Fewer than ten, or all equal ones, count as independent.
    pub fn of(values: &[f64]) -> Serial {
        let n = values.len();
        let independent = Serial {
            lag_1: 0.0,
            time: 1.0,
            effective: n as f64,
        };
        let mean = values.iter().sum::<f64>() / n as f64;
        let from_mean: Vec<f64> = values.iter().map(|x| x - mean).collect();
        let variance: f64 = from_mean.iter().map(|d| d * d).sum();
        // A difference in the twelfth digit alone is rounding.
        if n < 10 || variance.is_nan() || variance <= 1e-24 * n as f64 * (1.0 + mean * mean) {
            return independent;
        }
        let rho = |k: usize| from_mean.iter().zip(&from_mean[k..]).map(|(a, b)| a * b).sum::<f64>() / variance;
        let lag_1 = rho(1);
        let mut time = -1.0;
        let mut least = f64::INFINITY;
        for pair in 0..n / 4 {
            let sum = if pair == 0 {
                1.0 + lag_1
            } else {
                rho(2 * pair) + rho(2 * pair + 1)
            };
            if sum <= 0.0 {
                break;
            }
            // Geyer's pairs fall; noise that rises again is cut off.
            least = least.min(sum);
            time += 2.0 * least;
        }
        let time = time.max(1.0);
        Serial {
            lag_1,
            time,
            effective: n as f64 / time,
        }
    }

    /// Whether the lag-1 autocorrelation is significant at 95 % (±1.96 / √n; Bartlett, 1946).
    pub fn is_correlated(&self) -> bool {
        self.lag_1 > 1.96 / (self.effective * self.time).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::chance::{Chance, Purpose};
    use rand_distr::{Distribution, StandardNormal};

    /// x' = ρ x + noise: τ is (1 + ρ) / (1 − ρ), which is 1, 3 and 9 here.
    #[test]
    fn a_first_order_process_is_worth_what_the_closed_form_says() {
        for (rho, tau) in [(0.0, 1.0), (0.5, 3.0), (0.8, 9.0)] {
            let mut stream = Chance::new(5, 0).request(0).stream(Purpose::Gap);
            let mut x = 0.0;
            let series: Vec<f64> = (0..20_000)
                .map(|_| {
                    let noise: f64 = StandardNormal.sample(&mut stream);
                    x = rho * x + noise;
                    x
                })
                .collect();
            let serial = Serial::of(&series);
            assert!((serial.time / tau - 1.0).abs() < 0.15, "{rho}: {serial:?}");
            assert!((serial.lag_1 - rho).abs() < 0.03, "{rho}: {serial:?}");
        }
    }
}
