//! Counts of arrivals in equal windows: how they disperse, how they hang together, and how gaps vary.
//!
//! The index of dispersion for counts is their variance over their mean (Cox and Lewis, *The Statistical Analysis of Series of Events*,
//! 1966): 1 for a Poisson process at any width of windows; for independent gaps it tends to the square of their coefficient of variation as
//! windows grow. Autocorrelation at lag k is Σ (c(i) − m)(c(i+k) − m) / Σ (c(i) − m)², over all windows.
//!
//! Windows lie within stretches of time, from whose beginnings they are counted, and only whole ones do; variances are about the mean over all
//! stretches. One pass, without a list of windows: a trace may span years.

use super::SECOND;
use crate::stats::moments::Moments;

/// Stretches of time, from and until, in nanoseconds, in their order.
pub(super) type Stretches = [(u64, u64)];

/// Windows beyond which nothing is counted: it would take long and tell nothing.
const MOST_WINDOWS: u64 = 40_000_000;

/// Fewer windows say nothing of their variance.
pub(super) const FEWEST: u64 = 10;

/// Calls `each` with the arrivals in every whole window of `width`; `times` are in rising order. Whether a window is the first of its
/// stretch is its second argument.
pub(super) fn walk(times: &[u64], stretches: &Stretches, width: u64, each: &mut dyn FnMut(u32, bool)) {
    if whole(stretches, width) > MOST_WINDOWS {
        return;
    }
    for &(from, until) in stretches {
        let mut next = times.partition_point(|at| *at < from);
        let mut ends = from;
        while until - ends >= width {
            let is_first = ends == from;
            ends += width;
            let begins = next;
            while times.get(next).is_some_and(|at| *at < ends) {
                next += 1;
            }
            each((next - begins) as u32, is_first);
        }
    }
}

/// How many whole windows of `width` there are.
pub(super) fn whole(stretches: &Stretches, width: u64) -> u64 {
    stretches.iter().map(|(from, until)| (until - from) / width).sum()
}

/// The arrivals within the stretches.
pub(super) fn within(times: &[u64], stretches: &Stretches) -> u64 {
    let below = |bound: u64| times.partition_point(|at| *at < bound) as u64;
    stretches.iter().map(|(from, until)| below(*until) - below(*from)).sum()
}

/// The first `most` of the times, and the stretches as far as these go.
pub(super) fn beginning<'a>(times: &'a [u64], stretches: &Stretches, most: usize) -> (&'a [u64], Vec<(u64, u64)>) {
    let Some(last) = times.get(most) else {
        return (times, stretches.to_vec());
    };
    let kept = stretches.iter().copied().filter(|(from, _)| from < last);
    let kept = kept.map(|(from, until)| (from, until.min(*last)));
    (&times[..most], kept.collect())
}

/// The length of all stretches, in seconds.
pub(super) fn seconds(stretches: &Stretches) -> f64 {
    stretches.iter().map(|(from, until)| until - from).sum::<u64>() as f64 / SECOND
}

/// The index of dispersion of counts in windows of `width`; `None` of too few windows, or where nothing comes.
pub(super) fn dispersion(times: &[u64], stretches: &Stretches, width: u64) -> Option<f64> {
    let mut moments = Moments::new();
    walk(times, stretches, width, &mut |count, _| moments.add(f64::from(count)));
    let mean = moments.mean().filter(|mean| *mean > 0.0 && moments.n() >= FEWEST)?;
    Some(moments.variance()? / mean)
}

/// Neighbouring windows whose course is taken for a straight line.
const TOGETHER: usize = 20;

/// The index of dispersion of counts in windows of `width` about the rate's own course, and how many windows' worth of evidence it has: within
/// every 20 neighbouring windows the variance about the straight line through them. A rate that moves over a day is not a burst. `None` as for
/// [`dispersion`].
pub(super) fn about_course(times: &[u64], stretches: &Stretches, width: u64) -> Option<(f64, u64)> {
    let (mut squares, mut free, mut sum, mut windows) = (0.0, 0_u64, 0.0, 0_u64);
    let mut some: Vec<f64> = Vec::with_capacity(TOGETHER);
    let mut close = |some: &mut Vec<f64>| {
        if some.len() as u64 >= FEWEST {
            let n = some.len() as f64;
            let (middle, mean) = ((n - 1.0) / 2.0, some.iter().sum::<f64>() / n);
            let place = |i: usize| i as f64 - middle;
            let both: f64 = some.iter().enumerate().map(|(i, x)| place(i) * (x - mean)).sum();
            let slope = both / (n * (n * n - 1.0) / 12.0);
            let off = |(i, x): (usize, &f64)| {
                let off = x - mean - slope * place(i);
                off * off
            };
            squares += some.iter().enumerate().map(off).sum::<f64>();
            free += some.len() as u64 - 2;
            sum += n * mean;
            windows += some.len() as u64;
        }
        some.clear();
    };
    walk(times, stretches, width, &mut |count, is_first| {
        if is_first || some.len() == TOGETHER {
            close(&mut some);
        }
        some.push(f64::from(count));
    });
    close(&mut some);
    let mean = sum / windows.max(1) as f64;
    (mean > 0.0).then(|| (squares / free as f64 / mean, free + 1))
}

/// The most arrivals in a window of `width`, and the number of that window.
pub(super) fn most(times: &[u64], stretches: &Stretches, width: u64) -> (u32, u64) {
    let (mut most, mut at, mut number) = (0, 0, 0);
    walk(times, stretches, width, &mut |count, _| {
        if count > most {
            (most, at) = (count, number);
        }
        number += 1;
    });
    (most, at)
}

/// The gaps between neighbours within a stretch, in nanoseconds.
pub(super) fn gaps<'a>(times: &'a [u64], stretches: &'a Stretches) -> impl Iterator<Item = u64> + 'a {
    stretches.iter().flat_map(|&(from, until)| {
        let begins = times.partition_point(|at| *at < from);
        let ends = times.partition_point(|at| *at < until);
        times[begins..ends].windows(2).map(|two| two[1] - two[0])
    })
}

/// The coefficient of variation of the gaps: standard deviation over mean. `None` of fewer than ten gaps.
pub(super) fn gap_cv(times: &[u64], stretches: &Stretches) -> Option<f64> {
    let mut moments = Moments::new();
    gaps(times, stretches).for_each(|gap| moments.add(gap as f64));
    let mean = moments.mean().filter(|mean| *mean > 0.0 && moments.n() >= FEWEST)?;
    Some(moments.variance()?.sqrt() / mean)
}

/// The autocorrelation of counts in windows of `width` at each of `lags`, in one stretch; `None` for a lag of more than a quarter of them.
pub(super) fn correlations(times: &[u64], stretch: (u64, u64), width: u64, lags: &[usize]) -> Vec<Option<f64>> {
    let longest = lags.iter().copied().max().unwrap_or(0);
    let mut last = std::collections::VecDeque::with_capacity(longest + 1);
    let (mut n, mut sum, mut squares) = (0_usize, 0.0, 0.0);
    let mut products = vec![0.0; lags.len()];
    // What the first windows sum up to, by their number, as far as the longest lag needs it.
    let mut head = vec![0.0];
    walk(times, &[stretch], width, &mut |count, _| {
        let x = f64::from(count);
        for (product, lag) in products.iter_mut().zip(lags) {
            if let Some(before) = last.get(lag - 1) {
                *product += x * before;
            }
        }
        last.push_front(x);
        last.truncate(longest);
        (n, sum, squares) = (n + 1, sum + x, squares + x * x);
        if n <= longest {
            head.push(sum);
        }
    });
    let mean = sum / n as f64;
    let variance = squares - n as f64 * mean * mean;
    let at = |(product, lag): (&f64, &usize)| {
        if variance <= 1e-9 * squares || n < 4 * lag || n < FEWEST as usize {
            return None;
        }
        let tail: f64 = last.iter().take(*lag).sum();
        // The sums of those that have one `lag` later, and of those that have one before.
        let (earlier, later) = (sum - tail, sum - head.get(*lag)?);
        Some((product - mean * (earlier + later) + (n - lag) as f64 * mean * mean) / variance)
    };
    products.iter().zip(lags).map(at).collect()
}

/// What the index of dispersion of so many windows of a Poisson process lies between in 95 of 100 cases: χ² by Wilson and Hilferty (1931).
pub(super) fn poisson_range(windows: u64) -> (f64, f64) {
    const Z: f64 = 1.959_963_985;
    let nu = windows.saturating_sub(1).max(1) as f64;
    let (centre, reach) = (1.0 - 2.0 / (9.0 * nu), Z * (2.0 / (9.0 * nu)).sqrt());
    let cube = |x: f64| x.max(0.0) * x.max(0.0) * x.max(0.0);
    (cube(centre - reach), cube(centre + reach))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::traffic::draw;
    use crate::traffic::arrivals::ArrivalsSpec;

    fn drawn(json: &str, seconds: u64) -> (Vec<u64>, (u64, u64)) {
        let spec: ArrivalsSpec = serde_json::from_str(json).unwrap();
        let until = seconds * 1_000_000_000;
        (draw::times(&spec, 1, 0, until).unwrap(), (0, until))
    }

    #[test]
    fn counts_are_those_of_whole_windows() {
        let times = [0, 3, 20, 31, 41, 99];
        let mut seen = Vec::new();
        walk(&times, &[(0, 45), (90, 100)], 10, &mut |count, first| {
            seen.push((count, first))
        });
        assert_eq!(seen, [(2, true), (0, false), (1, false), (1, false), (1, true)]);
        assert_eq!((whole(&[(0, 45), (90, 100)], 10), within(&times, &[(0, 45)])), (5, 5));
        assert_eq!(most(&times, &[(0, 45)], 10), (2, 0));
        assert_eq!(gaps(&times, &[(0, 45), (90, 100)]).collect::<Vec<_>>(), [3, 17, 11, 10]);
    }

    /// numpy: `c = [1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4]; d = c - 2.5; (d[k:] * d[:-k]).sum() / (d * d).sum()` for k = 1 and 2.
    #[test]
    fn autocorrelation_is_that_of_numpy() {
        let counts = [1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4_u64];
        let times: Vec<u64> = (0..)
            .zip(counts)
            .flat_map(|(i, c)| (0..c).map(move |k| 10 * i + k))
            .collect();
        let found = correlations(&times, (0, 120), 10, &[1, 2, 4]);
        let wanted = [Some(-0.05), Some(-0.5), None];
        for (found, wanted) in found.iter().zip(wanted) {
            match (found, wanted) {
                (Some(a), Some(b)) => assert!((a - b).abs() < 1e-12, "{a} {b}"),
                (a, b) => assert_eq!(*a, b),
            }
        }
    }

    /// Of a Poisson process 1 at any width, within the range that it has by chance.
    #[test]
    fn a_poisson_process_has_an_index_of_one() {
        let (times, stretch) = drawn(r#"{ "poisson": { "rate": "20/s" } }"#, 4000);
        for width in [1, 10, 60] {
            let found = dispersion(&times, &[stretch], width * 1_000_000_000).unwrap();
            let (low, high) = poisson_range(4000 / width);
            assert!((low..=high).contains(&found), "{width}: {found} of {low} to {high}");
        }
        let cv = gap_cv(&times, &[stretch]).unwrap();
        assert!((cv - 1.0).abs() < 0.02, "{cv}");
        let lag = correlations(&times, stretch, 1_000_000_000, &[1])[0].unwrap();
        assert!(lag.abs() < 3.0 / 4000_f64.sqrt(), "{lag}");
    }

    /// A Poisson process whose rate goes up and down by a factor of nine over a day: its counts disperse as a rate that moves makes them, by
    /// w·var(λ)/mean(λ) above 1, and about their course not at all. Bursts of half a minute are none of the course.
    #[test]
    fn a_course_over_a_day_is_no_burst() {
        let day = r#"{ "profile": { "hours": [1,1,1,1,2,3,5,7,9,9,9,9,9,9,9,9,9,8,7,5,3,2,1,1], "mean": "5/s" } }"#;
        let (times, stretch) = drawn(day, 2 * 86_400);
        for width in [1, 10, 60] {
            let nanos = width * 1_000_000_000;
            let (found, windows) = about_course(&times, &[stretch], nanos).unwrap();
            let (low, high) = poisson_range(windows);
            assert!(
                (low - 0.03..high + 0.03).contains(&found),
                "{width}: {found} of {low} to {high}"
            );
        }
        assert!(dispersion(&times, &[stretch], 60_000_000_000).unwrap() > 10.0);
        let bursts =
            r#"{ "mmpp": { "states": [ { "rate": "2/s", "stay": "30s" }, { "rate": "20/s", "stay": "10s" } ] } }"#;
        let (times, stretch) = drawn(bursts, 20_000);
        let (found, _) = about_course(&times, &[stretch], 10_000_000_000).unwrap();
        let whole = dispersion(&times, &[stretch], 10_000_000_000).unwrap();
        assert!(found > 0.7 * whole, "{found} {whole}");
    }

    /// Independent gaps of coefficient of variation c: the index tends to c² (renewal theory).
    #[test]
    fn gamma_gaps_tend_to_the_square_of_their_variation() {
        for (cv, wanted) in [(2.0, 4.0), (0.5, 0.25)] {
            let json = format!(r#"{{ "gamma": {{ "rate": "20/s", "cv": {cv} }} }}"#);
            let (times, stretch) = drawn(&json, 40_000);
            let found = dispersion(&times, &[stretch], 40_000_000_000).unwrap();
            // Of 1,000 windows the index has a standard error of 4.5 %.
            assert!((found / wanted - 1.0).abs() < 0.15, "{cv}: {found}");
            assert!((gap_cv(&times, &[stretch]).unwrap() / cv - 1.0).abs() < 0.02);
        }
        let (times, stretch) = drawn(r#"{ "regular": { "rate": "10/s" } }"#, 1000);
        assert!(dispersion(&times, &[stretch], 1_000_000_000).unwrap() < 0.01);
    }

    /// 95 % of χ² with 99 degrees of freedom over 99: scipy 1.17.1, `chi2.ppf([0.025, 0.975], 99) / 99`.
    #[test]
    fn the_range_of_a_poisson_process_is_that_of_chi_square() {
        let (low, high) = poisson_range(100);
        assert!(
            (low - 0.740_9).abs() < 0.002 && (high - 1.297_2).abs() < 0.002,
            "{low} {high}"
        );
    }
}
