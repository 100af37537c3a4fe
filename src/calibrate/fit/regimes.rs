//! Departures from a single law: outliers, a change of level, a drift, the time of day.
//! A drift is a trend over time, by Theil and Sen's line ([`super::line`]).
//!
//! Logarithms of latency are examined in order of time. Outliers lie more than 3.5 scaled median deviations from the
//! median (Iglewicz and Hoaglin, How to Detect and Handle Outliers, 1993). Changes of level are found by Pettitt's test
//! (Applied Statistics 28, 1979), applied again on either side of each one found, with the statistic shrunk for
//! autocorrelation. Hours of the day are compared by Kruskal and Wallis (JASA 47, 1952), where there are ten hours of
//! at least ten values. Nothing is left out of the laws for any of this: rare slow answers are what a p99 consists of.

use crate::stats::sorting;
use schemars::JsonSchema;
use serde::Serialize;

use super::line::Slope;
use super::serial::Serial;
use super::special::chi_square_above;

/// The fewest values on either side of a change.
const SHORTEST: usize = 20;
/// The probability of chance below which a change is reported.
const BELIEVED: f64 = 0.01;
/// The factor over the time of all values from which on a trend is told.
const WORTH_A_WORD: f64 = 1.1;
/// The fewest hours of the day with enough values for a comparison.
const HOURS: usize = 10;

/// The departures found in one series.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Regimes {
    /// Values far above the rest.
    pub slow_outliers: usize,
    /// Values far below the rest.
    pub fast_outliers: usize,
    /// Stretches of constant level, if there are several.
    pub stretches: Vec<Stretch>,
    /// The trend over the time of the values, if they have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<Drift>,
    /// The comparison of hours of the day, if they differ.
    pub hours: Option<Hours>,
}

/// A trend over time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Drift {
    /// What the values are multiplied by from the first to the last.
    pub factor: f64,
    /// The lower end of the factor's 95 % interval.
    pub low: f64,
    /// The upper end of the factor's 95 % interval.
    pub high: f64,
    /// Seconds from the first value to the last.
    pub seconds: f64,
}

/// A stretch of constant level.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Stretch {
    /// The index of the stretch's first value, from 0.
    pub from: usize,
    /// The number of values in the stretch.
    pub values: usize,
    /// The median of the stretch's values.
    pub median: f64,
}

/// A significant difference between hours of the day (UTC).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Hours {
    /// The slowest hour, 0 to 23.
    pub slowest: u32,
    /// The median latency in the slowest hour.
    pub slowest_median: f64,
    /// The fastest hour, 0 to 23.
    pub fastest: u32,
    /// The median latency in the fastest hour.
    pub fastest_median: f64,
    /// The probability of such a difference by chance.
    pub p: f64,
}

impl Regimes {
    /// The departures in values in order of time, each with its moment in seconds since 1970 if that is known; `time`
    /// is their integrated autocorrelation time.
    pub fn of(values: &[(f64, Option<f64>)], time: f64) -> Regimes {
        let logs: Vec<f64> = values.iter().map(|(x, _)| libm::log(*x)).collect();
        let middle = median(&logs);
        let spread = 1.4826 * median(&logs.iter().map(|y| (y - middle).abs()).collect::<Vec<_>>());
        let far = |sign: f64| {
            logs.iter()
                .filter(|y| spread > 0.0 && sign * (**y - middle) > 3.5 * spread)
                .count()
        };
        let mut cuts = Vec::new();
        changes(&logs, 0, time, &mut cuts);
        cuts.sort_unstable();
        let ends: Vec<usize> = [0]
            .into_iter()
            .chain(cuts.iter().copied())
            .chain([logs.len()])
            .collect();
        let stretch = |pair: &[usize]| Stretch {
            from: pair[0],
            values: pair[1] - pair[0],
            median: libm::exp(median(&logs[pair[0]..pair[1]])),
        };
        Regimes {
            slow_outliers: far(1.0),
            fast_outliers: far(-1.0),
            stretches: if cuts.is_empty() {
                Vec::new()
            } else {
                ends.windows(2).map(stretch).collect()
            },
            drift: drift(values, &logs),
            hours: hours(values),
        }
    }
}

/// The trend of `logs`, the values' logarithms, over their moments: the median of the slopes of all pairs, whose interval is widened by the
/// autocorrelation that is left when the trend is taken out.
fn drift(values: &[(f64, Option<f64>)], logs: &[f64]) -> Option<Drift> {
    let first = values.first()?.1?;
    let points: Option<Vec<(f64, f64)>> = (values.iter().zip(logs))
        .map(|((_, unix), y)| Some(((*unix)? - first, *y)))
        .collect();
    let points = points.filter(|points| points.len() >= 2 * SHORTEST)?;
    let seconds = points.last()?.0;
    let plain = Slope::of(&points, 1.0)?;
    let left: Vec<f64> = points.iter().map(|(x, y)| y - plain.slope * x).collect();
    let slope = Slope::of(&points, Serial::of(&left).time)?;
    let factor = |slope: f64| libm::exp(slope * seconds);
    let drift = Drift {
        factor: factor(slope.slope),
        low: factor(slope.low),
        high: factor(slope.high),
        seconds,
    };
    let is_large = (slope.slope * seconds).abs() >= libm::log(WORTH_A_WORD);
    (slope.is_significant() && is_large).then_some(drift)
}

/// Finds changes of level, by binary segmentation.
fn changes(logs: &[f64], from: usize, time: f64, cuts: &mut Vec<usize>) {
    let n = logs.len();
    if n < 2 * SHORTEST {
        return;
    }
    let ranks = ranks(logs);
    let (mut sum, mut best, mut place) = (0.0, 0.0, 0);
    for t in 1..n {
        // Mann and Whitney's score of the values before against those after.
        sum += ranks[t - 1];
        let score = (2.0 * sum - t as f64 * (n + 1) as f64).abs();
        if t >= SHORTEST && n - t >= SHORTEST && score > best {
            (best, place) = (score, t);
        }
    }
    let n = n as f64;
    let p = 2.0 * libm::exp(-6.0 * best * best / (n * n * n + n * n) / time.max(1.0));
    if place > 0 && p < BELIEVED {
        // Less autocorrelation is left once a change of level is removed, so keeping the time errs on the safe side.
        cuts.push(from + place);
        changes(&logs[..place], from, time, cuts);
        changes(&logs[place..], from + place, time, cuts);
    }
}

fn hours(values: &[(f64, Option<f64>)]) -> Option<Hours> {
    let mut by_hour: Vec<Vec<usize>> = vec![Vec::new(); 24];
    for (i, (_, unix)) in values.iter().enumerate() {
        by_hour[((*unix)?.rem_euclid(86_400.0) / 3600.0) as usize % 24].push(i);
    }
    let full: Vec<(u32, Vec<usize>)> = (0..24).zip(by_hour).filter(|(_, places)| places.len() >= 10).collect();
    if full.len() < HOURS {
        return None;
    }
    let kept: Vec<f64> = full
        .iter()
        .flat_map(|(_, places)| places.iter().map(|i| values[*i].0))
        .collect();
    let ranks = ranks(&kept);
    let n = kept.len() as f64;
    let mut place = 0;
    let mut sum = 0.0;
    for (_, places) in &full {
        let total: f64 = ranks[place..place + places.len()].iter().sum();
        sum += total * total / places.len() as f64;
        place += places.len();
    }
    let statistic = 12.0 / (n * (n + 1.0)) * sum - 3.0 * (n + 1.0);
    let p = chi_square_above(statistic, (full.len() - 1) as f64);
    let median_of = |places: &[usize]| median(&places.iter().map(|i| values[*i].0).collect::<Vec<_>>());
    let medians: Vec<(u32, f64)> = full.iter().map(|(hour, places)| (*hour, median_of(places))).collect();
    let slowest = medians.iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let fastest = medians.iter().min_by(|a, b| a.1.total_cmp(&b.1))?;
    (p < BELIEVED).then_some(Hours {
        slowest: slowest.0,
        slowest_median: slowest.1,
        fastest: fastest.0,
        fastest_median: fastest.1,
        p,
    })
}

/// Ranks from 1; ties get their mean rank.
pub(super) fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    sorting::by(&mut order, |a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut i = 0;
    while i < order.len() {
        let many = order[i..]
            .iter()
            .take_while(|j| values[**j] == values[order[i]])
            .count();
        for place in &order[i..i + many] {
            ranks[*place] = (i + 1) as f64 + (many - 1) as f64 / 2.0;
        }
        i += many;
    }
    ranks
}

/// The median; 0 without values.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    match n {
        0 => 0.0,
        n if n % 2 == 1 => sorted[n / 2],
        _ => 0.5 * (sorted[n / 2 - 1] + sorted[n / 2]),
    }
}

/// The rank correlation (Spearman, 1904); `None` where one side does not vary.
pub(super) fn spearman(pairs: &[(f64, f64)]) -> Option<f64> {
    let (a, b): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
    let (a, b) = (ranks(&a), ranks(&b));
    let middle = (pairs.len() + 1) as f64 / 2.0;
    let sum = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| (x - middle) * (y - middle)).sum::<f64>();
    let scale = (sum(&a, &a) * sum(&b, &b)).sqrt();
    (scale > 0.0).then(|| sum(&a, &b) / scale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::chance::hash;

    /// Values between 0.9 and 1.1 times `level`, without autocorrelation.
    fn noisy(n: usize, level: impl Fn(usize) -> f64) -> Vec<(f64, Option<f64>)> {
        (0..n)
            .map(|i| {
                (
                    level(i) * (0.9 + 0.2 * (hash(i as u64, 1) >> 11) as f64 / 2f64.powi(53)),
                    None,
                )
            })
            .collect()
    }

    /// Values that grow by half within 200 s, and values that only differ by chance.
    #[test]
    fn a_trend_is_told_with_its_size() {
        let timed = |growth: f64| -> Vec<(f64, Option<f64>)> {
            let values = noisy(200, |i| libm::pow(growth, i as f64 / 199.0));
            (values.iter().enumerate())
                .map(|(i, (x, _))| (*x, Some(1e9 + i as f64)))
                .collect()
        };
        let drift = Regimes::of(&timed(1.5), 1.0).drift.unwrap();
        assert!((drift.factor - 1.5).abs() < 0.05 && drift.seconds == 199.0, "{drift:?}");
        assert!(drift.low < drift.factor && drift.factor < drift.high && drift.low > 1.3);
        assert_eq!(Regimes::of(&timed(1.0), 1.0).drift, None);
        let timeless: Vec<(f64, Option<f64>)> = timed(1.5).iter().map(|(x, _)| (*x, None)).collect();
        assert_eq!(Regimes::of(&timeless, 1.0).drift, None);
    }

    #[test]
    fn a_change_of_level_is_found_where_it_is() {
        let found = Regimes::of(&noisy(200, |i| if i < 120 { 0.5 } else { 0.8 }), 1.0);
        let cuts: Vec<usize> = found.stretches.iter().map(|s| s.from).collect();
        assert_eq!(cuts, [0, 120]);
        assert!((found.stretches[1].median / 0.8 - 1.0).abs() < 0.03, "{found:?}");
        assert_eq!(Regimes::of(&noisy(200, |_| 0.5), 1.0).stretches, []);
    }

    #[test]
    fn slow_answers_are_counted() {
        let found = Regimes::of(&noisy(100, |i| if i % 50 == 7 { 5.0 } else { 0.5 }), 1.0);
        assert_eq!((found.slow_outliers, found.fast_outliers), (2, 0));
    }

    #[test]
    fn an_hour_that_is_slow_is_named() {
        let mut values = noisy(480, |i| if i / 20 == 14 { 0.8 } else { 0.5 });
        values
            .iter_mut()
            .enumerate()
            .for_each(|(i, v)| v.1 = Some(180.0 * i as f64));
        let hours = Regimes::of(&values, 1.0).hours.unwrap();
        assert_eq!(hours.slowest, 14);
        values
            .iter_mut()
            .for_each(|v| v.0 = if v.0 > 0.7 { v.0 / 1.6 } else { v.0 });
        assert_eq!(Regimes::of(&values, 1.0).hours, None);
    }

    /// `scipy.stats.spearmanr([1, 2, 3, 4, 5], [5, 6, 7, 8, 7])`.
    #[test]
    fn ranks_correlate_as_scipy_says() {
        let rho = spearman(&[(1.0, 5.0), (2.0, 6.0), (3.0, 7.0), (4.0, 8.0), (5.0, 7.0)]).unwrap();
        assert!((rho - 0.8207826816681233).abs() < 1e-12, "{rho}");
    }
}
