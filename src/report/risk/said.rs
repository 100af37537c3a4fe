//! What follows from a study of risk, in sentences: the answer and what moves it first, then what one month is like and what may fail.

use super::{End, Input, OfPolicy, Risk, Share};
use crate::report::sweep::Point;
use crate::report::text::clean;
use crate::report::{Metric, Unit, format};
use crate::stats::interval::Estimate;

/// A probability in whole percent; close to 0 and to 1 with the digits that tell it from them.
fn percent(share: f64) -> String {
    match (0.01..0.99).contains(&share) {
        true => format!("{:.0} %", 100.0 * share),
        false => format::share(share),
    }
}

/// Ends of inputs at which another policy is the answer that are told, at most.
const TURNS: usize = 3;

/// An end of an input, and by how much it changes a figure.
type Change<'a> = (&'a End, f64);

impl Input {
    /// The end that lowers the tornado's metric of policy number `lead` the most, and the one that raises it the most, of those that do.
    pub(crate) fn extremes(&self, lead: usize) -> (Option<Change<'_>>, Option<Change<'_>>) {
        let changes = self.ends.iter().filter_map(|end| Some((end, *end.changes.get(lead)?)));
        let low = changes.clone().filter(|(_, change)| *change < 0.0);
        let high = changes.filter(|(_, change)| *change > 0.0);
        (
            low.reduce(|a, b| if b.1 < a.1 { b } else { a }),
            high.reduce(|a, b| if b.1 > a.1 { b } else { a }),
        )
    }

    /// How far the tornado's metric of policy number `lead` goes from one end of the input to the other, the file's own value between them.
    pub(crate) fn swing(&self, lead: usize) -> f64 {
        let (low, high) = self.extremes(lead);
        let change = |of: Option<(&End, f64)>| of.map_or(0.0, |(_, change)| change);
        change(high) - change(low)
    }
}

impl End {
    /// Whether what it changes of policy number `lead` is more than chance.
    pub(crate) fn is_told(&self, lead: usize) -> bool {
        let reach = self.reaches.get(lead).copied().flatten();
        let change = self.changes.get(lead).copied().unwrap_or(0.0);
        change != 0.0 && reach.is_some_and(|reach| change.abs() > reach)
    }
}

impl Risk {
    /// Whether policies are compared by what they cost.
    pub(super) fn is_of_money(&self) -> bool {
        self.metrics
            .first()
            .is_some_and(|metric| metric.unit() == Unit::Dollars)
    }

    /// The name of a metric in a sentence.
    fn name_of(&self, metric: usize) -> String {
        match self.metrics.get(metric) {
            Some(metric) if *metric == Metric::COST_PER_MONTH => "monthly cost".to_owned(),
            Some(metric) => metric.title_in(self.currency),
            None => String::new(),
        }
    }

    /// What an end changes of the leader's figure, with a question mark where that may be chance.
    pub(crate) fn change_at(&self, end: &End, change: f64) -> String {
        let doubt = if end.is_told(self.lead()) { "" } else { "?" };
        format!("{}{doubt}", self.change(change))
    }

    /// A change of the tornado's metric, with its sign.
    pub(crate) fn change(&self, change: f64) -> String {
        let Some(metric) = self.metrics.get(self.moved) else {
            return String::new();
        };
        let unit = metric.unit_in(self.currency);
        format::difference_parts(unit, &Estimate::symmetric(change, None, 1, 0)).0
    }

    /// Draws of all, with what their number leaves open.
    fn of_draws(&self, share: &Share) -> String {
        let many = match share.held == share.of {
            true => format!("all {}", format::count(share.of)),
            false => share.words(),
        };
        format!("{many} draws ({} to {})", percent(share.lo), percent(share.hi))
    }

    /// Fills in what follows.
    pub(crate) fn tell(&mut self) {
        let mut sentences = vec![self.answer()];
        sentences.extend(self.lost());
        sentences.extend(self.month());
        sentences.extend(self.missed());
        sentences.extend(self.turns());
        if self.untold > 0 {
            sentences.push(format!(
                "In {} of the draws the runs cannot tell of {}, whose figure counts then: more --replications would.",
                format::count(self.untold),
                clean(&self.leader)
            ));
        }
        if self.draws.len() < self.planned {
            sentences.push(format!(
                "Interrupted after {} of {} draws.",
                self.draws.len(),
                self.planned
            ));
        }
        self.sentences = sentences;
    }

    fn answer(&self) -> String {
        let leader = clean(&self.leader);
        let moves = self.moves();
        let Some(led) = self.led().filter(|_| !self.draws.is_empty()) else {
            return format!("No draw was finished; {moves}.");
        };
        let is_choice = self.policies.len() > 1;
        let what = match (self.is_of_money(), self.objectives.is_empty()) {
            (true, false) => "the cheapest that meets every objective",
            (true, true) => "the cheapest",
            (false, false) => "the best that meets every objective",
            (false, true) => "the best",
        };
        let met = |share: &Share| match share.held {
            0 => "in no draw".to_owned(),
            _ => format!("in {}", self.of_draws(share)),
        };
        match (led.all, is_choice, self.is_met) {
            (Some(all), _, false) => format!(
                "No policy meets every objective at the file's own values; {leader} does {}; {moves}.",
                met(&all)
            ),
            (Some(all), false, true) => format!("{leader} meets every objective {}; {moves}.", met(&all)),
            (None, false, _) => format!("{leader}: {moves}."),
            (_, true, _) => {
                let instead = self.instead(led);
                format!("{leader} is {what} {}{instead}; {moves}.", met(&led.cheapest))
            }
        }
    }

    /// Which other policies are the answer in draws, and in how many none is.
    fn instead(&self, led: &OfPolicy) -> String {
        let others = self
            .policies
            .iter()
            .filter(|of| of.name != led.name && of.cheapest.held > 0);
        let mut said: Vec<String> = others
            .map(|of| format!("{} in {}", clean(&of.name), of.cheapest.held))
            .collect();
        if self.nowhere > 0 {
            said.push(format!("none is in {}", self.nowhere));
        }
        match said.is_empty() {
            true => String::new(),
            false => format!(", {}", said.join(", ")),
        }
    }

    /// Which input moves the leader most.
    fn moves(&self) -> String {
        let lead = self.lead();
        if !self.inputs.iter().any(|input| input.swing(lead) > 0.0) {
            return format!("none of the inputs moves its {}", self.name_of(0));
        }
        let told = |input: &&Input| input.ends.iter().any(|end| end.is_told(lead));
        let Some(input) = self.inputs.iter().find(told) else {
            return format!(
                "what moves its {} is not told from chance by so few replications (--replications)",
                self.name_of(self.moved)
            );
        };
        let (low, high) = input.extremes(lead);
        let at = |of: Option<(&End, f64)>| {
            of.map(|(end, change)| format!("{} at {}", self.change_at(end, change), clean(&end.value)))
        };
        let ends: Vec<String> = [at(low), at(high)].into_iter().flatten().collect();
        let unmoved = match self.moved {
            0 => String::new(),
            _ => format!("none of the inputs moves its {}; ", self.name_of(0)),
        };
        format!(
            "{unmoved}what moves its {} most: {} ({})",
            self.name_of(self.moved),
            clean(&input.path),
            ends.join(", ")
        )
    }

    /// In how many draws the leader has no figures, which are then those of the others.
    fn lost(&self) -> Option<String> {
        let has = |point: &&Point| point.policies.iter().any(|of| of.name == self.leader);
        let lost = self.draws.len() - self.draws.iter().filter(has).count();
        (lost > 0).then(|| {
            format!(
                "In {lost} of {} draws requests piled up under {} beyond the simulator's bound: its quantiles and months are those of the others, \
                 and too good.",
                self.draws.len(),
                clean(&self.leader)
            )
        })
    }

    /// What one month costs, told apart from how well the mean is known.
    fn month(&self) -> Option<String> {
        let led = self.led()?;
        let month = led.month?;
        let metric = self
            .metrics
            .iter()
            .position(|metric| *metric == Metric::COST_PER_MONTH)?;
        let unit = self.metrics[metric].unit_in(self.currency);
        let centre = self.centre.policies.iter().find(|policy| policy.name == self.leader)?;
        let leader = clean(&self.leader);
        let over = self.budget.zip(month.over_budget).map(|(budget, share)| {
            // What the number of draws leaves open stands beside the share of them.
            let mean = led
                .over_budget
                .map(|share| format!(" (its mean in {})", self.of_draws(&share)));
            let budget = format::value(unit, budget);
            format!(
                "; by these draws it is above {budget} with probability {}{}",
                percent(share),
                mean.unwrap_or_default()
            )
        });
        let over = over.unwrap_or_default();
        let [low, high] = [month.p10, month.p90].map(|end| format::value(unit, end));
        Some(match low == high {
            true => format!("One month of {leader} costs {low} whatever is drawn{over}."),
            false => format!(
                "One month of {leader} costs {low} to {high} in eight of ten cases, inputs drawn anew{over}. {}",
                match month.simulated > month.chance.max(0.2 * (month.p90 - month.p10)) {
                    true => format!(
                        "That is wider than a month is: the mean at the file's own values is known to {} only; more --replications narrow it.",
                        format::plus_minus(unit, &centre.figures[metric])
                    ),
                    false => format!(
                        "That is no error of the mean, which at the file's own values is {}.",
                        format::plus_minus(unit, &centre.figures[metric])
                    ),
                }
            ),
        })
    }

    /// The objective that the leader misses most often.
    fn missed(&self) -> Option<String> {
        let led = self.led()?;
        let held = self
            .objectives
            .iter()
            .zip(&led.holds)
            .filter_map(|(goal, share)| Some((goal, (*share)?)));
        let missing = held.filter(|(_, share)| share.held < share.of);
        let (goal, share) = missing.reduce(|a, b| if b.1.held < a.1.held { b } else { a })?;
        let misses = Share {
            held: share.of - share.held,
            of: share.of,
            lo: 1.0 - share.hi,
            hi: 1.0 - share.lo,
        };
        Some(format!(
            "{} misses {} {} in {}.",
            clean(&self.leader),
            goal.metric.title_in(self.currency),
            goal.bound_in(self.currency),
            self.of_draws(&misses)
        ))
    }

    /// The ends of inputs at which the answer is another one.
    fn turns(&self) -> Option<String> {
        let is_turned = |end: &&End| match self.is_met {
            true => end.cheapest.as_deref() != Some(&self.leader),
            false => end.cheapest.is_some(),
        };
        let turned = self.inputs.iter().flat_map(|input| {
            let path = clean(&input.path);
            input.ends.iter().filter(is_turned).map(move |end| (path.clone(), end))
        });
        let told = turned.clone().take(TURNS).map(|(path, end)| {
            let instead = end.cheapest.as_deref().map_or_else(|| "no policy".to_owned(), clean);
            format!("{path} = {}: {instead}", clean(&end.value))
        });
        let told: Vec<String> = told.collect();
        let more = match turned.count().saturating_sub(TURNS) {
            0 => String::new(),
            more => format!("; and at {more} ends more"),
        };
        let what = match (self.is_of_money(), self.objectives.is_empty()) {
            (true, false) => "is the cheapest that meets every objective",
            (true, true) => "is the cheapest",
            (false, _) => "is the best",
        };
        let no_other = self.inputs.iter().flat_map(|input| &input.ends).filter(is_turned);
        let another = match no_other.clone().all(|end| end.cheapest.is_some()) {
            true => "another",
            false => "another, or none,",
        };
        (!told.is_empty()).then(|| format!("By one input alone, {another} {what}: at {}{more}.", told.join("; at ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_within_its_reach_may_be_chance() {
        let end = |change: f64, reach: Option<f64>| End {
            value: "4/s".into(),
            changes: vec![change],
            reaches: vec![reach],
            cheapest: None,
            at: Point {
                values: Vec::new(),
                policies: Vec::new(),
                outgrown: None,
            },
        };
        assert!(end(-0.3, Some(0.2)).is_told(0) && end(0.3, Some(0.0)).is_told(0));
        for (change, reach) in [(0.3, Some(0.4)), (0.3, None), (0.0, Some(0.0))] {
            assert!(!end(change, reach).is_told(0), "{change} {reach:?}");
        }
    }
}
