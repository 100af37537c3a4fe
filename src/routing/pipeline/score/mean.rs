//! The mean of recent samples: an exponentially weighted moving average, or the plain mean of the last few.

use crate::form::build::{Built, Refusal};
use crate::form::units::Fraction;

/// The most samples of a window.
const MOST: u32 = 1000;

/// A mean of recent samples.
#[derive(Clone, Debug)]
pub(super) enum Mean {
    Fading {
        alpha: f64,
        value: Option<f64>,
    },
    /// The last samples in a ring, the next of which goes to `at`.
    Window {
        samples: Vec<f64>,
        most: usize,
        at: usize,
    },
}

impl Mean {
    /// An empty mean: of the last `window` samples, or an exponentially weighted one with `alpha`, else `default`, for
    /// the newest.
    pub(super) fn new(alpha: Option<Fraction>, window: Option<u32>, default: f64) -> Built<Mean> {
        match (alpha, window) {
            (Some(_), Some(_)) => Err(Refusal::new("stands beside `alpha`: give one of them").at("window")),
            (None, Some(window)) if window == 0 || window > MOST => {
                Err(Refusal::new(format!("{window} samples: must be 1 to {MOST}")).at("window"))
            }
            (None, Some(window)) => Ok(Mean::Window {
                samples: Vec::with_capacity(window as usize),
                most: window as usize,
                at: 0,
            }),
            (alpha, None) => {
                let alpha = alpha.map_or(default, |alpha| alpha.get());
                if alpha == 0.0 {
                    return Err(Refusal::new("0: nothing would ever be learnt; must be above 0").at("alpha"));
                }
                Ok(Mean::Fading { alpha, value: None })
            }
        }
    }

    pub(super) fn add(&mut self, sample: f64) {
        match self {
            Mean::Fading { alpha, value } => {
                *value = Some(value.map_or(sample, |old| old + *alpha * (sample - old)));
            }
            Mean::Window { samples, most, at } if samples.len() == *most => {
                samples[*at] = sample;
                *at = (*at + 1) % *most;
            }
            Mean::Window { samples, .. } => samples.push(sample),
        }
    }

    pub(super) fn get(&self) -> Option<f64> {
        match self {
            Mean::Fading { value, .. } => *value,
            Mean::Window { samples, .. } if samples.is_empty() => None,
            Mean::Window { samples, .. } => Some(samples.iter().sum::<f64>() / samples.len() as f64),
        }
    }

    /// An empty mean with room for its samples: a clone of a vector has none.
    pub(super) fn fresh(&self) -> Mean {
        match *self {
            Mean::Fading { alpha, .. } => Mean::Fading { alpha, value: None },
            Mean::Window { most, .. } => Mean::Window {
                samples: Vec::with_capacity(most),
                most,
                at: 0,
            },
        }
    }
}
