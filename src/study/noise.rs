//! What of a response is more than noise: whether load changes anything, or the lack of it, and whether it turns.

use super::binds::HARDLY;
use super::point::Seen;
use crate::decide::Weighed;
use crate::stats::critical::Confidence;

/// Whether no objective is nearer to its bound or further from it at `other` than at `one`, beyond noise and a thousandth.
pub(super) fn is_flat(one: &Seen, other: &Seen) -> bool {
    let mut pairs = one.weighed.iter().zip(&other.weighed);
    pairs.all(|(a, b)| match (a.margin(), b.margin()) {
        (Some(x), Some(y)) => (x - y).abs() <= 1e-3 + 4.0 * (error(a) + error(b)),
        _ => true,
    })
}

/// The number of an objective that fails however little comes, by points of which each has half the load of the one before: at the last three
/// it fails beyond noise while hardly a limit is reached, and neither half nor a quarter of the load brings its figure any nearer to the bound.
pub(super) fn never(points: &[Seen]) -> Option<usize> {
    let [.., one, half, quarter] = points else { return None };
    let is_idle = |seen: &Seen| seen.outgrown.is_none() && seen.reached < HARDLY;
    if ![one, half, quarter].into_iter().all(is_idle) {
        return None;
    }
    let fails = |weighed: &Weighed| beyond(weighed, -1.0, Confidence::P95);
    // What is saturated has the same margin at every load, and not the same figure.
    let same = |a: &Weighed, b: &Weighed| {
        let (x, y) = (a.estimate.value, b.estimate.value);
        let reach = |of: &Weighed| {
            of.estimate
                .hi
                .zip(of.estimate.lo)
                .map_or(0.0, |(hi, lo)| (hi - lo) / 2.0)
        };
        x.is_finite() && y.is_finite() && (x - y).abs() <= reach(a) + reach(b) + 0.01 * y.abs()
    };
    let all = (one.weighed.iter()).zip(half.weighed.iter().zip(&quarter.weighed));
    let of = |(a, (b, c)): &(&Weighed, (&Weighed, &Weighed))| {
        [*a, *b, *c].into_iter().all(fails) && same(a, b) && same(b, c) && same(a, c)
    };
    all.into_iter().find(of).map(|(a, _)| a.objective)
}

/// Whether an objective fails beyond noise, or requests pile up.
pub(super) fn fails_for_sure(seen: &Seen, confidence: Confidence) -> bool {
    seen.outgrown.is_some() || (seen.weighed.iter()).any(|weighed| beyond(weighed, -1.0, confidence))
}

/// Whether every objective holds beyond noise.
pub(super) fn holds_for_sure(seen: &Seen, confidence: Confidence) -> bool {
    seen.outgrown.is_none() && (seen.weighed.iter()).all(|weighed| beyond(weighed, 1.0, confidence))
}

/// Whether a margin, taken times `side`, is above 0 beyond noise.
fn beyond(weighed: &Weighed, side: f64, confidence: Confidence) -> bool {
    let n = weighed.kept.len();
    let margin = side * weighed.margin().unwrap_or(f64::NAN);
    n > 1 && margin > confidence.t(n - 1) * error(weighed)
}

/// The standard error of a margin.
fn error(weighed: &Weighed) -> f64 {
    let n = weighed.kept.len() as f64;
    let whole = weighed.kept.iter().map(|kept| kept.1).sum::<f64>() / n;
    let margin = weighed.margin().unwrap_or(f64::NAN);
    let square = |kept: &(f64, f64)| (kept.0 - margin * kept.1) * (kept.0 - margin * kept.1);
    let squares = weighed.kept.iter().map(square).sum::<f64>();
    (squares / (n - 1.0) / n).sqrt() / whole
}

/// The loads of two points, of which the one with less load fails and the other passes, both beyond noise.
pub(super) fn turns(points: &[(f64, Seen)], confidence: Confidence) -> Option<(f64, f64)> {
    // There are many pairs of points.
    let confidence = confidence.shared_by(points.len());
    let fails = |seen: &Seen| seen.outgrown.is_none() && fails_for_sure(seen, confidence);
    let passes = |seen: &Seen| holds_for_sure(seen, confidence);
    let least = points.iter().filter(|(_, seen)| fails(seen)).map(|(load, _)| *load);
    let least = least.reduce(f64::min)?;
    let most = points.iter().filter(|(_, seen)| passes(seen)).map(|(load, _)| *load);
    let most = most.reduce(f64::max)?;
    (least < most).then_some((least, most))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::point::tests::seen;

    #[test]
    fn what_fails_however_little_comes_is_noticed() {
        let points = |figures: [f64; 3], kept: &[f64], reached: f64| {
            figures.map(|figure| {
                let mut point = seen(1.0, kept);
                point.weighed[0].estimate.value = figure;
                point.reached = reached;
                point
            })
        };
        let fails = [-1.0, -1.1, -1.05];
        assert_eq!(never(&points([2.0, 2.01, 2.0], &fails, 0.0)), Some(0));
        assert_eq!(never(&points([9.0, 4.0, 2.0], &fails, 0.0)), None, "it gets better");
        assert_eq!(
            never(&points([2.0, 2.01, 2.0], &fails, 0.5)),
            None,
            "a limit is reached"
        );
        assert_eq!(never(&points([2.0, 2.01, 2.0], &[-1.0, 0.9, -1.0], 0.0)), None, "noise");
        assert_eq!(never(&points([2.0, 2.01, 2.0], &fails, 0.0)[1..]), None, "two are few");
    }

    #[test]
    fn a_response_that_turns_is_noticed_beyond_noise_alone() {
        let points = |far: &[f64]| {
            [(0.0, &[1.0, 1.1][..]), (0.7, &[-1.0, -1.01]), (1.4, far)]
                .map(|(load, kept)| (load, seen(libm::exp(load), kept)))
        };
        assert_eq!(turns(&points(&[1.0, 1.01]), Confidence::P95), Some((0.7, 1.4)));
        assert_eq!(turns(&points(&[1.0, -0.9]), Confidence::P95), None, "noise");
        assert_eq!(turns(&points(&[-1.0, -1.1]), Confidence::P95), None);
    }
}
