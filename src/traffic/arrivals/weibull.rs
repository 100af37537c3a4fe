//! Weibull arrivals: bursts by one number, with a heavier tail of pauses than gamma's.
//!
//! Independent gaps of a Weibull law, whose shape follows from the coefficient of variation: cv = 1 is Poisson, larger values bunch the
//! requests. ServeGen (Xiang et al., 2025) finds Weibull gaps to fit some clients of production traffic better than gamma.
//!
//! The shape k solves cv² = Γ(1 + 2/k) / Γ(1 + 1/k)² − 1, which falls as k grows.
//!
//! ```json
//! { "weibull": { "rate": "35/s", "cv": 2.0 } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Arrivals, ArrivalsSpec, BuildArrivals, Renewal};
use crate::form::build::{Built, Names, Refusal};
use crate::form::units::Rate;
use crate::kernel::law;
use crate::kernel::sampler::Sampler;
use crate::kernel::time::Time;
use crate::traffic::rows::Rows;

/// Arrivals with Weibull-distributed gaps: bursts, by one number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Weibull {
    /// Mean rate of arrivals, like "35/s".
    pub rate: Rate,
    /// Coefficient of variation of the gaps: standard deviation over mean, from 0.05 to 6.
    pub cv: f64,
}

/// The shape whose gaps have this coefficient of variation.
fn shape(cv: f64) -> f64 {
    let log_square = |k: f64| libm::lgamma(1.0 + 2.0 / k) - 2.0 * libm::lgamma(1.0 + 1.0 / k);
    let wanted = libm::log1p(cv * cv);
    let (mut low, mut high) = (0.1_f64, 100.0_f64);
    for _ in 0..200 {
        let middle = (low * high).sqrt();
        if log_square(middle) > wanted {
            low = middle;
        } else {
            high = middle;
        }
    }
    (low * high).sqrt()
}

impl BuildArrivals for Weibull {
    fn build(&self, _trace: Option<Rows>, _names: &Names<'_>) -> Built<Box<dyn Arrivals>> {
        if !(0.05..=6.0).contains(&self.cv) {
            return Err(Refusal::new(format!("cv is {}, and must lie between 0.05 and 6", self.cv)).at("cv"));
        }
        let shape = shape(self.cv);
        let scale = 1e9 / self.rate.per_second() / libm::tgamma(1.0 + 1.0 / shape);
        let law = law::Weibull::new(scale, shape, 0.0).map_err(Refusal::of)?;
        Ok(Box::new(Renewal {
            gap: Sampler::of(&law),
            now: Time::ZERO,
        }))
    }

    fn rate(&self) -> Option<f64> {
        Some(self.rate.per_second())
    }

    fn scaled(&self, factor: f64) -> Option<ArrivalsSpec> {
        let rate = self.rate.times(factor)?;
        Some(Weibull { rate, ..self.clone() }.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::chance::Chance;

    /// Shapes by scipy: `brentq(lambda k: weibull_min.std(k) / weibull_min.mean(k) - cv, 0.1, 100)`.
    #[test]
    fn shapes_are_scipys() {
        for (cv, expected) in SHAPES {
            assert!((shape(cv) / expected - 1.0).abs() < 1e-9, "{cv}: {}", shape(cv));
        }
    }

    const SHAPES: [(f64, f64); 4] = [
        (0.05, 24.94977517665578),
        (1.0, 1.0),
        (2.0, 0.5426925612864533),
        (6.0, 0.28615589407786624),
    ];

    #[test]
    fn gaps_have_the_mean_and_the_variation_that_are_asked_for() {
        let spec = Weibull {
            rate: "20/s".parse().unwrap(),
            cv: 1.8,
        };
        let mut arrivals = spec
            .build(None, &Names::default())
            .unwrap()
            .fresh(crate::kernel::chance::Key::NONE);
        let chance = Chance::new(5, 0);
        let times: Vec<f64> = (0..400_001)
            .map(|n| arrivals.next(chance.request(n)).unwrap().at.seconds())
            .collect();
        let gaps: Vec<f64> = times.windows(2).map(|w| w[1] - w[0]).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((mean * 20.0 - 1.0).abs() < 0.012, "{mean}");
        assert!((variance.sqrt() / mean / 1.8 - 1.0).abs() < 0.03, "{variance}");
    }
}
