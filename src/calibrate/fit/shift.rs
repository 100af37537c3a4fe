//! A floor under a law: the local maximum of the profile likelihood.
//!
//! With a free floor the likelihood has no maximum: as the floor nears the least value, that of the lognormal grows
//! without bound, and so do those of gamma and Weibull where their shape is below 1. The remedies are known. The
//! estimate is the *local* maximum of the likelihood away from there (Cohen, JASA 46, 1951; Griffiths, Applied
//! Statistics 29, 1980; Smith, Biometrika 72, 1985, for the Weibull), found here on a grid that is even in the
//! logarithm of the distance from the least value, then by golden-section search. Where there is no local maximum the
//! floor is held as far from the least value as an exponential of the sample's spread would have its least value,
//! (median − least) / (n ln 2), and the result says so. A latency cannot have a floor below 0: that is the other end of
//! the search.

use super::optimum::golden;
use super::sample::Sample;

/// Floors that are tried before the search narrows.
const GRID: usize = 32;

/// A floor with the law above it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Floor<T> {
    pub(super) shift: f64,
    pub(super) above: T,
    /// Whether there was no local maximum, and the floor is held at a bound.
    pub(super) held: bool,
}

/// The floor of greatest likelihood; `fit` gives the law of a sample above a floor, `value` its log-likelihood there.
pub(super) fn fit<T: Copy>(
    sample: &Sample,
    fit: impl Fn(&Sample) -> Option<T>,
    value: impl Fn(&T, &Sample) -> f64,
) -> Option<Floor<T>> {
    let (least, n) = (sample.least(), sample.seen().len());
    let median = *sample.seen().get(n / 2)?;
    let margin = ((median - least) / (n as f64 * std::f64::consts::LN_2)).max(1e-9 * least);
    let (far, near) = (libm::log(least), libm::log(margin));
    let floor = |log_distance: f64| (least - libm::exp(log_distance)).max(0.0);
    let profile = |log_distance: f64| {
        let above = sample.above(floor(log_distance));
        fit(&above).map_or(f64::NEG_INFINITY, |law| value(&law, &above))
    };
    if near >= far {
        return None;
    }
    let step = (far - near) / (GRID - 1) as f64;
    let at = |i: usize| far - step * i as f64;
    let values: Vec<f64> = (0..GRID).map(|i| profile(at(i))).collect();
    let peak = (1..GRID - 1)
        .filter(|i| values[*i] >= values[i - 1] && values[*i] > values[i + 1])
        .max_by(|a, b| values[*a].total_cmp(&values[*b]));
    let (log_distance, held) = match peak {
        Some(i) if values[i] >= values[0] => (golden(at(i + 1), at(i - 1), 1e-7, profile), false),
        _ if values[0] >= values[GRID - 1] => (far, false),
        Some(i) => (golden(at(i + 1), at(i - 1), 1e-7, profile), false),
        None => (near, true),
    };
    let shift = if log_distance == far { 0.0 } else { floor(log_distance) };
    let above = fit(&sample.above(shift))?;
    Some(Floor { shift, above, held })
}
