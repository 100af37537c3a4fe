//! Where objectives just hold, from three points close together: of each the crossing of its mean margin, and of all the least.

use super::point::Seen;
use crate::stats::critical::Confidence;
use crate::stats::crossing::{Crossing, Line, crossing};

/// The three points that make lines, and how far the outer are from the middle one.
pub(super) struct Three {
    pub(super) below: Seen,
    pub(super) middle: Seen,
    pub(super) above: Seen,
    pub(super) reach: f64,
}

/// A root by three points: of the objective that binds, and the interval of the least root of all.
pub(super) struct Root {
    /// The load in the middle.
    pub(super) middle: f64,
    /// By how much the load is more than in the middle.
    pub(super) at: f64,
    pub(super) interval: Option<(f64, f64)>,
    pub(super) objective: Option<usize>,
}

/// The root around `middle`, the load of the point in the middle.
pub(super) fn root(three: &Three, middle: f64, confidence: Confidence) -> Root {
    let mut least: Option<(usize, Crossing)> = None;
    let (mut lo, mut hi) = (Some(f64::INFINITY), Some(f64::INFINITY));
    let mut fails_flat = false;
    for (i, weighed) in three.middle.weighed.iter().enumerate() {
        let found = crossing(&lines(three, i), confidence);
        let Some(found) = found else {
            fails_flat |= weighed.margin().is_some_and(|margin| margin < 0.0);
            continue;
        };
        match found.interval {
            Some((from, to)) => {
                lo = lo.map(|lo| lo.min(from));
                hi = hi.map(|hi| hi.min(to));
            }
            // Far from its bound, an objective without an end to its interval does not bind.
            None if found.at > 5.0 * three.reach => {}
            None => (lo, hi) = (None, None),
        }
        if least.as_ref().is_none_or(|(_, known)| found.at < known.at) {
            least = Some((weighed.objective, found));
        }
    }
    let width = 4.0 * three.reach;
    match least {
        _ if fails_flat => Root {
            middle,
            at: -width,
            interval: None,
            objective: None,
        },
        None => Root {
            middle,
            at: width,
            interval: None,
            objective: None,
        },
        Some((objective, found)) => Root {
            middle,
            at: found.at,
            interval: lo.zip(hi).filter(|(lo, hi)| lo.is_finite() && hi.is_finite()),
            objective: Some(objective),
        },
    }
}

/// Each replication's line of its margins of objective number `i`: through the middle of the three and its neighbour on the side of the
/// root, or the one that is there. Near the limit of a queue margins bend, and a line through the outer two would lie beside the middle.
fn lines(three: &Three, i: usize) -> Vec<Line> {
    let kept = |seen: &Seen| -> Vec<(f64, f64)> {
        let of = seen.weighed.get(i).filter(|_| seen.outgrown.is_none());
        of.map_or(Vec::new(), |weighed| weighed.kept.clone())
    };
    let (below, middle, above) = (kept(&three.below), kept(&three.middle), kept(&three.above));
    let whole = middle.iter().map(|kept| kept.1).sum::<f64>() / middle.len().max(1) as f64;
    let margin = |of: &[(f64, f64)], r: usize| of.get(r).map(|kept| kept.0 / whole);
    let holds = middle.iter().map(|kept| kept.0).sum::<f64>() >= 0.0;
    let line = |r: usize| {
        let at_zero = margin(&middle, r)?;
        let slope = match (margin(&below, r), margin(&above, r)) {
            (_, Some(above)) if holds => (above - at_zero) / three.reach,
            (Some(below), _) => (at_zero - below) / three.reach,
            (None, Some(above)) => (above - at_zero) / three.reach,
            (None, None) => return None,
        };
        Some(Line { at_zero, slope })
    };
    (0..middle.len()).filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::point::Excess;
    use crate::study::point::tests::seen;

    #[test]
    fn lines_go_to_the_side_of_the_root_or_to_the_point_that_is_there() {
        let mut three = Three {
            below: seen(0.9, &[2.0]),
            middle: seen(1.0, &[1.5]),
            above: seen(1.1, &[-1.0]),
            reach: 0.1,
        };
        let line = lines(&three, 0);
        assert!(
            (line[0].at_zero - 0.15).abs() < 1e-12 && (line[0].slope + 2.5).abs() < 1e-12,
            "{line:?}"
        );
        three.above.outgrown = Some(Excess::Growing);
        let line = lines(&three, 0);
        assert!((line[0].slope + 0.5).abs() < 1e-12, "{line:?}");
    }
}
