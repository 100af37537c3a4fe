//! Where the warm-up ends, and whether the system settles at all.
//!
//! [`WarmUp::of`] is MSER-5: cut where the standard error of what remains is least, over means of five observations
//! (White, *Simulation* 69, 1997; Spratt, thesis, University of Virginia 1998). Like Hoad, Robinson and Davies (2010), it
//! does not look at the last five batches, where the statistic is small by chance, and gives up when more than half would
//! go. [`Trend::of`] asks the next question: does a series still grow, as the number in an overloaded system does? It
//! is a t-test of the least-squares slope through some ten batch means.
//!
//! Batches matter, because a queue's history is autocorrelated. On the second half of simulated M/M/1 queues (2,000
//! service times from empty, 200 observations) the raw slope at 95 % calls 11 to 49 % of stable runs growing. Batch
//! means at 99 % do so in 0 to 3 % of runs up to load 0.9 and in 15 % at 0.95, which such a run is too short for; they
//! find 87 % of runs at load 1.1 and all at 1.3 (`trend_errors` in `tests/oracle/stats.py`). Left out: periodic input,
//! which has no single level to settle at.

use super::interval::Confidence;
use super::moments::Moments;

/// Observations per batch of the truncation rule.
const BATCH: usize = 5;
/// Batches at the end that are not candidates for a cut.
const TAIL: usize = 5;
/// Fewest batches from which a cut can be determined.
const ENOUGH: usize = 2 * TAIL;
/// Fewest batches through which the trend is drawn, if there are as many observations; at most twice as many.
const TREND_BATCHES: usize = 10;
/// Fewest observations from which a trend can be determined.
const TREND_ENOUGH: usize = 5;

/// Where the initial transient of a series ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WarmUp {
    /// The series is steady once the first `cut` observations are dropped; at most half of them.
    Steady {
        /// The number of observations to drop, a multiple of five.
        cut: usize,
    },
    /// More than half of the series would have to go, or it holds a number that is not finite: the series was not seen
    /// to settle.
    NotSteady,
    /// The series has fewer than 50 observations, too few to decide.
    TooShort,
}

impl WarmUp {
    /// Applies MSER-5 to a series of observations in the order of time. An incomplete batch at the end is ignored.
    pub fn of(series: &[f64]) -> WarmUp {
        let batches: Vec<f64> = means(series, BATCH).collect();
        if batches.len() < ENOUGH {
            return WarmUp::TooShort;
        }
        let mut kept = Moments::new();
        let mut best: Option<(f64, usize)> = None;
        // From the end to the front, so that one pass sees every possible remainder.
        for (index, &mean) in batches.iter().enumerate().rev() {
            kept.add(mean);
            let left = kept.n() as f64;
            let score = kept.sum_of_squares() / (left * left);
            // Of equal scores the one that keeps more wins. NaN never does.
            if kept.n() as usize >= TAIL && best.map_or(!score.is_nan(), |(least, _)| score <= least) {
                best = Some((score, index));
            }
        }
        match best {
            Some((_, index)) if 2 * index <= batches.len() && series.iter().all(|x| x.is_finite()) => {
                WarmUp::Steady { cut: index * BATCH }
            }
            _ => WarmUp::NotSteady,
        }
    }
}

/// How many observations a transient at the start of `series` lasts, by [`WarmUp::of`]; 0 if what would be cut differs from
/// the rest by less than 2 % or six standard errors, because the rule now and then cuts plain noise. `None` if the
/// series was not seen to settle.
pub fn transient(series: &[f64]) -> Option<usize> {
    match WarmUp::of(series) {
        WarmUp::Steady { cut } => Some(if differs(series, cut) { cut } else { 0 }),
        WarmUp::NotSteady if differs(series, series.len() / 2) => None,
        WarmUp::NotSteady | WarmUp::TooShort => Some(0),
    }
}

/// Two stretches whose means differ by less than this share are called level.
const NOTABLE: f64 = 0.02;
/// A difference of fewer standard errors than this is also called level; neighbours are autocorrelated, which widens the true error.
const BEYOND_NOISE: f64 = 6.0;

/// Whether the mean of the first `cut` observations differs from that of the others, notably and beyond noise.
fn differs(series: &[f64], cut: usize) -> bool {
    let (before, after) = series.split_at(cut.min(series.len()));
    let (before, after): (Moments, Moments) = (before.iter().copied().collect(), after.iter().copied().collect());
    match (before.mean(), after.mean(), after.variance()) {
        (Some(early), Some(late), Some(variance)) => {
            let error = (variance / before.n() as f64 + variance / after.n() as f64).sqrt();
            (early - late).abs() > NOTABLE * late.abs() && (early - late).abs() > BEYOND_NOISE * error
        }
        _ => false,
    }
}

/// The direction of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The slope is significantly positive.
    Growing,
    /// The slope is significantly negative.
    Shrinking,
    /// The slope is not significant, or the series holds a number that is not finite.
    Flat,
    /// The series has fewer than five observations, too few to decide.
    TooShort,
}

/// The straight line through a series, and whether its slope can be told from zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trend {
    /// How much the line rises from the start to the end of the series, in the unit of the observations. The rises of
    /// independent replications make an estimate of their own, which autocorrelation cannot mislead.
    pub rise: f64,
    /// The mean of the series: a rise that is significant but small against it is of no concern.
    pub mean: f64,
    /// Whether the slope is significant.
    pub direction: Direction,
}

impl Trend {
    /// Fits the trend of observations taken at equal steps of time; drop the warm-up (or simply the first half) before.
    /// An incomplete batch is dropped from the front.
    pub fn of(series: &[f64], confidence: Confidence) -> Trend {
        let size = (series.len() / TREND_BATCHES).max(1);
        let ys: Vec<f64> = means(&series[series.len() % size..], size).collect();
        let n = ys.len() as f64;
        let level: Moments = ys.iter().copied().collect();
        let mean = level.mean().unwrap_or(0.0);
        if series.len() < TREND_ENOUGH {
            return Trend {
                rise: 0.0,
                mean,
                direction: Direction::TooShort,
            };
        }
        let centred = || {
            ys.iter()
                .enumerate()
                .map(|(i, y)| (i as f64 - (n - 1.0) / 2.0, y - mean))
        };
        let sxx: f64 = centred().map(|(x, _)| x * x).sum();
        let slope = centred().map(|(x, y)| x * y).sum::<f64>() / sxx;
        let residual: f64 = centred().map(|(x, y)| (y - slope * x) * (y - slope * x)).sum();
        let reach = confidence.t(ys.len() - 2) * (residual / (n - 2.0) / sxx).sqrt();
        let direction = if slope > reach {
            Direction::Growing
        } else if slope < -reach {
            Direction::Shrinking
        } else {
            Direction::Flat
        };
        Trend {
            rise: slope * n,
            mean,
            direction,
        }
    }
}

/// The means of consecutive full batches.
fn means(series: &[f64], size: usize) -> impl Iterator<Item = f64> + '_ {
    series
        .chunks_exact(size)
        .map(move |batch| batch.iter().sum::<f64>() / size as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng, rngs::SmallRng};

    /// Noise of mean 0 and a given half range on top of a curve.
    fn noisy(seed: u64, n: usize, half_range: f64, curve: impl Fn(f64) -> f64) -> Vec<f64> {
        let mut random = SmallRng::seed_from_u64(seed);
        (0..n)
            .map(|i| curve(i as f64) + half_range * (2.0 * random.random::<f64>() - 1.0))
            .collect()
    }

    fn cut(series: &[f64]) -> usize {
        match WarmUp::of(series) {
            WarmUp::Steady { cut } => cut,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn noise_round_a_constant_has_next_to_no_warm_up() {
        for seed in 0..20 {
            assert!(cut(&noisy(seed, 1000, 1.0, |_| 10.0)) <= 100, "seed {seed}");
        }
    }

    #[test]
    fn a_constant_has_no_warm_up_at_all() {
        assert_eq!(cut(&[0.1; 500]), 0);
    }

    #[test]
    fn a_transient_is_cut_near_its_end() {
        // Falls by a straight line until observation 200, where it is as small as the noise.
        for seed in 0..20 {
            let cut = cut(&noisy(seed, 2000, 0.5, |i| 10.0 + 20.0 * (1.0 - i / 200.0).max(0.0)));
            assert!((180..=260).contains(&cut), "seed {seed}: {cut}");
        }
    }

    #[test]
    fn a_step_is_cut_exactly() {
        let series: Vec<f64> = (0..300).map(|i| if i < 40 { 9.0 } else { 1.0 }).collect();
        assert_eq!(cut(&series), 40);
    }

    #[test]
    fn a_ramp_never_settles() {
        assert_eq!(WarmUp::of(&noisy(1, 1000, 5.0, |i| i)), WarmUp::NotSteady);
    }

    #[test]
    fn a_level_reached_only_after_half_the_run_is_not_steady() {
        let series = |step: usize| (0..300).map(|i| if i < step { 9.0 } else { 1.0 }).collect::<Vec<_>>();
        assert_eq!(WarmUp::of(&series(150)), WarmUp::Steady { cut: 150 });
        assert_eq!(WarmUp::of(&series(155)), WarmUp::NotSteady);
    }

    #[test]
    fn short_and_broken_series_are_not_called_steady() {
        assert_eq!(WarmUp::of(&[1.0; 49]), WarmUp::TooShort);
        let mut series = [1.0; 100];
        series[0] = f64::NAN;
        assert_eq!(WarmUp::of(&series), WarmUp::NotSteady);
        assert_eq!(WarmUp::of(&[f64::INFINITY; 100]), WarmUp::NotSteady);
    }

    #[test]
    fn the_line_agrees_with_scipy() {
        // python3 tests/oracle/stats.py trend
        let series = [3.0, 5.0, 4.0, 6.0, 8.0, 7.0, 9.0, 8.0, 11.0, 10.0];
        let trend = Trend::of(&series, Confidence::P95);
        assert!(
            (trend.rise - 8.060606060606062).abs() < 1e-12 && trend.mean == 7.1,
            "{trend:?}"
        );
        assert_eq!(trend.direction, Direction::Growing);
    }

    #[test]
    fn the_slope_is_judged_at_the_confidence_asked_for() {
        // scipy.stats.linregress(range(6), [1, 2, 1, 3, 3, 4]).pvalue is 0.0198.
        let at = |confidence| Trend::of(&[1.0, 2.0, 1.0, 3.0, 3.0, 4.0], confidence).direction;
        assert_eq!(
            (at(Confidence::P95), at(Confidence::P99)),
            (Direction::Growing, Direction::Flat)
        );
    }

    #[test]
    fn growth_and_decline_show_through_noise() {
        let direction = |slope: f64| Trend::of(&noisy(3, 203, 20.0, |i| slope * i), Confidence::P99).direction;
        assert_eq!([0.5, -0.5].map(direction), [Direction::Growing, Direction::Shrinking]);
    }

    #[test]
    fn noise_without_trend_is_rarely_called_a_trend() {
        let flat =
            |&seed: &u64| Trend::of(&noisy(seed, 200, 1.0, |_| 5.0), Confidence::P95).direction == Direction::Flat;
        // 1000 runs at 95 %: 950 expected, standard deviation 7.
        let count = (0..1000).filter(flat).count();
        assert!((925..=975).contains(&count), "{count}");
    }

    #[test]
    fn a_constant_is_flat_and_a_straight_line_is_not() {
        assert_eq!(Trend::of(&[0.1; 60], Confidence::P99).direction, Direction::Flat);
        let line: Vec<f64> = (0..60).map(f64::from).collect();
        assert_eq!(Trend::of(&line, Confidence::P99).direction, Direction::Growing);
    }

    #[test]
    fn short_and_broken_series_have_no_direction() {
        assert_eq!(Trend::of(&[], Confidence::P95).direction, Direction::TooShort);
        assert_eq!(
            Trend::of(&[1.0, 2.0, 3.0, 4.0], Confidence::P95).direction,
            Direction::TooShort
        );
        assert_eq!(
            Trend::of(&[1.0, f64::NAN, 3.0, 4.0, 9.0], Confidence::P95).direction,
            Direction::Flat
        );
    }
}
