//! What of a response is more than noise: whether load changes anything, and whether it turns.

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
    let beyond = |weighed: &Weighed, side: f64| {
        let n = weighed.kept.len();
        let margin = side * weighed.margin().unwrap_or(f64::NAN);
        n > 1 && margin > confidence.t(n - 1) * error(weighed)
    };
    let fails = |seen: &Seen| seen.outgrown.is_none() && seen.weighed.iter().any(|weighed| beyond(weighed, -1.0));
    let passes = |seen: &Seen| seen.outgrown.is_none() && seen.weighed.iter().all(|weighed| beyond(weighed, 1.0));
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
