//! The end of a search over a lever with steps, as a number of servers or of users: the step itself, by looking at it and at its neighbours.

use super::super::end::End;
use super::super::noise::{fails_for_sure, holds_for_sure};
use super::super::point::{Fault, Seen, Warmth};
use super::Going;

/// The most steps to either side that are looked at.
const STEPS: usize = 8;
/// Of steps that are a smaller share of the value one more or less is none to speak of.
const SMALL: f64 = 0.005;

impl Going<'_, '_> {
    /// Of a lever with steps the step next to the root at which objectives hold while they fail one step further, with the interval of steps
    /// that the replications leave open: between two steps it has no values, and a line through points on several of them may cross zero
    /// beside the right one.
    pub(super) fn settle(&mut self, warmth: Option<Warmth>) -> Result<End, Fault> {
        let Some(root) = &self.last else { return Ok(End::Found) };
        let (step, load) = (self.how.step, root.middle + root.at);
        if self.how.step(load) < SMALL {
            return Ok(End::Found);
        }
        let at = self.how.value(load) / step;
        // The next step of more load, and the last step that holds by the root.
        let (worse, mut number) = match self.how.is_relief {
            true => (-1.0, (at - 1e-6).ceil()),
            false => (1.0, (at + 1e-6).floor()),
        };
        let mut found = None;
        for _ in 0..STEPS {
            let Some(holds) = self.is_at(number, warmth, |seen| seen.holds())? else {
                break;
            };
            if holds {
                found = Some(number);
                number += worse;
            } else if found.is_some() {
                break;
            } else {
                number -= worse;
            }
        }
        let Some(number) = found else { return Ok(End::Found) };
        let confidence = self.confidence;
        // With less load, as far as it is not certain that objectives hold; with more, as far as it is not that one fails.
        let (mut less, mut more) = (number, number);
        for _ in 0..STEPS {
            match self.is_at(less, warmth, |seen| holds_for_sure(seen, confidence))? {
                Some(false) => less -= worse,
                Some(true) | None => break,
            }
        }
        for _ in 0..STEPS {
            match self.is_at(more + worse, warmth, |seen| fails_for_sure(seen, confidence))? {
                Some(false) => more += worse,
                Some(true) | None => break,
            }
        }
        let (low, high) = self.how.range;
        let [one, other] = [less, more].map(|number| (number * step).clamp(low, high));
        self.settled = Some((number * step, (one.min(other), one.max(other))));
        Ok(End::Found)
    }

    /// Whether something holds at so many steps; nothing outside the range, or where that cannot be afforded.
    fn is_at(
        &mut self,
        number: f64,
        warmth: Option<Warmth>,
        holds: impl Fn(&Seen) -> bool,
    ) -> Result<Option<bool>, Fault> {
        let value = number * self.how.step;
        let load = self.how.load(value);
        let is_inside = value > 0.0 && (self.how.range.0..=self.how.range.1).contains(&value);
        if !is_inside || !self.affords(load, self.replications) {
            return Ok(None);
        }
        let seen = self.see(load, self.replications, warmth)?;
        Ok(Some(holds(&seen)))
    }
}
