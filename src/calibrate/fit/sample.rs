//! A sample with right-censored values, of which only a lower bound is known.
//!
//! A timeout says that the latency is larger than the wait. Leaving it out makes a slow endpoint look fast; taking it
//! for a value makes a law end there. So it is kept as right-censored, and the distribution of such a sample is
//! estimated by the method of Kaplan and Meier (JASA 53, 1958), which gives the ordinary distribution function where
//! nothing is censored.

use crate::calibrate::log::Timing;

/// Uncensored values and bounds of censored ones, both in rising order. All are positive and finite.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    seen: Vec<f64>,
    beyond: Vec<f64>,
}

impl Sample {
    /// The sample of the known timings; [`Timing::Unknown`] is left out, and so are values that are not above 0.
    pub fn of(timings: impl IntoIterator<Item = Timing>) -> Sample {
        let (mut seen, mut beyond) = (Vec::new(), Vec::new());
        for timing in timings {
            match timing {
                Timing::Seen(x) if x > 0.0 && x.is_finite() => seen.push(x),
                Timing::AtLeast(x) if x > 0.0 && x.is_finite() => beyond.push(x),
                Timing::Seen(_) | Timing::AtLeast(_) | Timing::Unknown => {}
            }
        }
        Sample::new(seen, beyond)
    }

    /// A sample of uncensored values and bounds; none may be 0 or less.
    pub(super) fn new(mut seen: Vec<f64>, mut beyond: Vec<f64>) -> Sample {
        seen.sort_by(f64::total_cmp);
        beyond.sort_by(f64::total_cmp);
        Sample { seen, beyond }
    }

    /// The uncensored values, in rising order.
    pub fn seen(&self) -> &[f64] {
        &self.seen
    }

    /// The bounds of the censored values, in rising order.
    pub fn beyond(&self) -> &[f64] {
        &self.beyond
    }

    /// The number of values, censored or not.
    pub fn len(&self) -> usize {
        self.seen.len() + self.beyond.len()
    }

    /// Whether the sample has no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The least uncensored value; infinite if there is none.
    pub fn least(&self) -> f64 {
        self.seen.first().copied().unwrap_or(f64::INFINITY)
    }

    /// Whether all uncensored values are equal, to nine digits.
    pub fn is_constant(&self) -> bool {
        match (self.seen.first(), self.seen.last()) {
            (Some(least), Some(most)) => *most <= least * (1.0 + 1e-9),
            _ => true,
        }
    }

    /// The mean of the uncensored values.
    pub fn mean_seen(&self) -> f64 {
        self.seen.iter().sum::<f64>() / self.seen.len() as f64
    }

    /// The sample above a floor: `shift` is subtracted from every value. A bound at or below the floor is no longer
    /// informative and is dropped.
    pub(super) fn above(&self, shift: f64) -> Sample {
        let off = |values: &[f64]| values.iter().map(|x| x - shift).filter(|x| *x > 0.0).collect();
        Sample {
            seen: off(&self.seen),
            beyond: off(&self.beyond),
        }
    }

    /// The Kaplan–Meier estimate of the distribution function.
    pub fn curve(&self) -> Curve {
        Curve::of(&self.seen, &self.beyond, true)
    }

    /// The Kaplan–Meier estimate of the distribution function of the bounds themselves.
    pub(super) fn curve_of_bounds(&self) -> Curve {
        Curve::of(&self.beyond, &self.seen, false)
    }
}

/// A step distribution function, by Kaplan and Meier.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Pairs (value, share at or below it), rising in both.
    steps: Vec<(f64, f64)>,
}

impl Curve {
    /// The curve of `events`, with `losses` that leave before their event. Where both fall on one value, `events_first`
    /// says which came first: a latency at its own bound counts as uncensored.
    fn of(events: &[f64], losses: &[f64], events_first: bool) -> Curve {
        let mut steps: Vec<(f64, f64)> = Vec::with_capacity(events.len());
        let mut surviving = 1.0;
        let mut at_risk = events.len() + losses.len();
        let mut lost = 0;
        let mut i = 0;
        while i < events.len() {
            let x = events[i];
            let gone = |loss: f64| if events_first { loss < x } else { loss <= x };
            while lost < losses.len() && gone(losses[lost]) {
                lost += 1;
                at_risk -= 1;
            }
            let many = events[i..].iter().take_while(|e| **e == x).count();
            surviving *= (at_risk - many) as f64 / at_risk as f64;
            at_risk -= many;
            i += many;
            steps.push((x, 1.0 - surviving));
        }
        Curve { steps }
    }

    /// The least value with at least this share at or below it; `None` where the estimate does not reach that far.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let place = self.steps.partition_point(|(_, below)| *below < share - 1e-12);
        self.steps.get(place).map(|(x, _)| *x)
    }

    /// The steps: pairs (value, share at or below it).
    pub fn steps(&self) -> &[(f64, f64)] {
        &self.steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The six-patient example of any text on survival: events at 1, 3, 4; bounds at 2, 3, 5.
    /// S(1) = 5/6; at 3 four are at risk: S = 5/6 · 3/4; at 4 two: S = 5/6 · 3/4 · 1/2.
    #[test]
    fn kaplan_and_meier_by_hand() {
        let curve = Sample::new(vec![1.0, 3.0, 4.0], vec![2.0, 3.0, 5.0]).curve();
        let wanted = [(1.0, 1.0 / 6.0), (3.0, 1.0 - 0.625), (4.0, 1.0 - 0.3125)];
        for ((x, below), (wx, wbelow)) in curve.steps().iter().zip(wanted) {
            assert!((x - wx).abs() < 1e-15 && (below - wbelow).abs() < 1e-15, "{x} {below}");
        }
        assert_eq!((curve.quantile(0.5), curve.quantile(0.9)), (Some(4.0), None));
    }

    #[test]
    fn without_bounds_it_is_the_share_of_the_sample() {
        let sample = Sample::of([4.0, 1.0, 2.0, 2.0].map(Timing::Seen));
        assert_eq!(sample.curve().steps(), [(1.0, 0.25), (2.0, 0.75), (4.0, 1.0)]);
        assert_eq!(sample.curve().quantile(0.75), Some(2.0));
    }

    #[test]
    fn what_is_unknown_or_no_time_at_all_is_left_out() {
        let sample = Sample::of([
            Timing::Seen(0.0),
            Timing::Unknown,
            Timing::AtLeast(3.0),
            Timing::Seen(f64::NAN),
        ]);
        assert_eq!((sample.seen().len(), sample.beyond()), (0, &[3.0][..]));
    }
}
