//! Which policies are shown first and in colour where there are many.
//!
//! Those that meet every objective come before those of which it cannot be told, and those before the others; among equals the
//! ranking decides, else the cost; without objectives and ranking, errors do, to two digits, and then the cost. The baseline, the first of the experiment, is always among them,
//! and so is the policy that the answer names.

use crate::stats::sorting;

use super::{Judged, Metric, PolicyReport, Report, estimate};

/// The most policies that charts can tell apart.
const COLOURS: usize = 8;

/// How many of more policies are named in charts, the baseline among them.
const NAMED: usize = 6;

/// The figures that a short account shows of every experiment, in order; what is bounded or ranked by comes before them.
pub(super) static FIGURES: [Metric; 7] = [
    Metric::TTFT_P95,
    Metric::E2E_P95,
    Metric::ERROR_RATE,
    Metric::COST_PER_MONTH,
    Metric::COST_PER_1K,
    Metric::QUALITY,
    Metric::GOODPUT,
];

impl Report {
    /// The policy that the answer names: the cheapest that meets every objective, or the first of the ranking.
    pub(super) fn answer(&self) -> Option<&str> {
        let ranked = || Some(self.ranking.as_ref()?.rows.first()?.policy.as_str());
        self.scorecard.cheapest.as_deref().or_else(ranked)
    }

    /// The places of the leading policies, the best first, at most so many; the baseline stands last if it does not lead. All in
    /// the experiment's order if they are no more than that.
    pub fn leading(&self, most: usize) -> Vec<usize> {
        if self.policies.len() <= most {
            return (0..self.policies.len()).collect();
        }
        let mut leading = self.sorted();
        // The one that the answer names is always there.
        let named = (self.scorecard.cheapest.as_deref()).filter(|_| !self.scorecard.goals.is_empty());
        let is_named = |&p: &usize| named == Some(self.policies[p].name.as_str());
        if let Some(place) = leading.iter().position(is_named).filter(|place| *place >= most) {
            let answer = leading.remove(place);
            leading.insert(most.saturating_sub(1), answer);
        }
        leading.truncate(most);
        if !leading.contains(&0) {
            // The last makes room for it, unless it is the answer.
            let last = leading.len().saturating_sub(1);
            let place = if leading.last().is_some_and(is_named) {
                last.saturating_sub(1)
            } else {
                last
            };
            if place < leading.len() {
                leading.remove(place);
            }
            leading.push(0);
        }
        leading
    }

    /// The places of all policies in the one order that every table and chart of the page has: the experiment's, or where there are too many
    /// for the colours those with a colour first, and all from the best to the worst.
    pub fn order(&self) -> Vec<usize> {
        let everyone = 0..self.policies.len();
        if self.policies.len() <= COLOURS || self.joined.is_some() {
            return everyone.collect();
        }
        let mut order = self.leading(NAMED);
        let rest: Vec<usize> = self.sorted().into_iter().filter(|p| !order.contains(p)).collect();
        order.extend(rest);
        order
    }

    /// The places of all policies from the best to the worst.
    fn sorted(&self) -> Vec<usize> {
        let ranked = self.ranking.iter().flat_map(|ranking| &ranking.rows).enumerate();
        let places = sorting::map(ranked.map(|(place, row)| (row.policy.as_str(), place)));
        let place = |policy: &PolicyReport| places.get(policy.name.as_str()).copied().unwrap_or(usize::MAX);
        let of_1k = cost_of_1k(self.policies.iter());
        let mut order: Vec<(u64, usize, f64, usize)> = (self.policies.iter().enumerate())
            .map(|(p, policy)| (self.verdict(p, policy), place(policy), cost(policy, &of_1k), p))
            .collect();
        sorting::by(&mut order, |a, b| (a.0, a.1).cmp(&(b.0, b.1)).then(a.2.total_cmp(&b.2)));
        order.into_iter().map(|entry| entry.3).collect()
    }

    /// The number of each policy's colour in charts; none for those that are grey because there are too many. Of two results a policy has one
    /// colour in both, in the second that of `COLOURS` further on, which charts draw dashed and hollow.
    pub fn colours(&self) -> Vec<Option<usize>> {
        if let Some(joined) = &self.joined {
            return self.colours_of_two([0, 1].map(|of: usize| format!(" ({})", joined.each[of].experiment)));
        }
        if self.policies.len() <= COLOURS {
            return (0..self.policies.len()).map(Some).collect();
        }
        let mut colours = vec![None; self.policies.len()];
        for (colour, p) in self.leading(NAMED).into_iter().enumerate() {
            colours[p] = Some(colour);
        }
        colours
    }

    /// The colours of the policies of two results, whose names end in these.
    fn colours_of_two(&self, ends: [String; 2]) -> Vec<Option<usize>> {
        // The first result has no more policies than end so, and stands first.
        let own = |name: &str| {
            let of = ends.iter().position(|end| name.ends_with(end.as_str()))?;
            Some((name.strip_suffix(ends[of].as_str())?.to_owned(), of))
        };
        let named: Vec<_> = self.policies.iter().map(|policy| own(&policy.name)).collect();
        let mut known: Vec<&str> = Vec::new();
        let places: Vec<usize> = if named.len() > 2 * COLOURS {
            self.leading(NAMED)
        } else {
            (0..named.len()).collect()
        };
        for (name, _) in places.iter().filter_map(|&p| named[p].as_ref()) {
            if !known.contains(&name.as_str()) && known.len() < COLOURS {
                known.push(name);
            }
        }
        let colour = |(name, of): &(String, usize)| {
            let at = known.iter().position(|other| *other == name.as_str())?;
            Some(at + of * COLOURS)
        };
        named.iter().map(|one| one.as_ref().and_then(colour)).collect()
    }

    /// How good a verdict on policy number `p` is, 0 being the best.
    fn verdict(&self, p: usize, policy: &PolicyReport) -> u64 {
        let row = self.scorecard.rows.get(p).filter(|_| !self.scorecard.goals.is_empty());
        match row.map(|row| row.overall) {
            Some(Judged::Pass) => 0,
            Some(Judged::Undecided) => 1,
            Some(Judged::Fail) => 2,
            None if self.ranking.is_some() => 0,
            // Of what is not a number nothing good is known.
            None => {
                let errors = estimate(policy, &Metric::ERROR_RATE).value.max(0.0);
                // To two digits, in millionths.
                let millionths = errors * 1e6;
                let digit = libm::pow(10.0, (libm::floor(libm::log10(millionths.max(1.0))) - 1.0).max(0.0));
                ((millionths / digit).round() * digit) as u64
            }
        }
    }
}

/// Where policies fail shares of requests that are this far apart, costs are told by the answer: what fails is billed less, or not at all.
const APART: f64 = 0.005;

/// What the costs of these policies are compared by where nothing is said of a month: 1,000 requests, or where notably more fail under one of
/// them than under another, 1,000 answers.
pub(crate) fn cost_of_1k<'a>(policies: impl Iterator<Item = &'a PolicyReport> + Clone) -> Metric {
    let errors = (policies.clone()).map(|policy| estimate(policy, &Metric::ERROR_RATE).value);
    let errors = errors.filter(|errors| errors.is_finite());
    let ends = errors.fold((f64::INFINITY, 0.0_f64), |(least, most), x| (least.min(x), most.max(x)));
    let differ = ends.1 - ends.0 >= APART;
    // A result of an earlier version does not have it.
    let is_known = |policy: &PolicyReport| {
        let mut metrics = policy.metrics.iter();
        metrics.any(|of| of.metric == Metric::COST_PER_1K_ANSWERS)
    };
    match differ && policies.clone().all(is_known) {
        true => Metric::COST_PER_1K_ANSWERS,
        false => Metric::COST_PER_1K,
    }
}

/// What a policy costs, by the month or else by `of_1k`; without an end if that is not known.
fn cost(policy: &PolicyReport, of_1k: &Metric) -> f64 {
    let terms = [&Metric::COST_PER_MONTH, of_1k];
    let known = terms
        .map(|metric| estimate(policy, metric).value)
        .into_iter()
        .find(|value| value.is_finite());
    known.unwrap_or(f64::INFINITY)
}

#[cfg(test)]
mod tests {
    use super::super::sample::{ranked, sample};
    use super::*;

    #[test]
    fn few_are_all_in_order_and_of_many_the_best_lead_with_the_baseline() {
        // Undecided, pass, fail.
        let report = sample();
        assert_eq!(report.leading(3), [0, 1, 2]);
        assert_eq!(report.leading(2), [1, 0]);
        assert_eq!(report.leading(1), [0]);
        let mut equal = ranked();
        equal.scorecard.goals.clear();
        // Ranked from the last to the first.
        assert_eq!(equal.leading(2), [2, 0]);
    }

    /// What fails is cheaper: where policies do not fail alike, costs are of what is answered.
    #[test]
    fn costs_are_by_the_answer_where_shares_that_fail_differ() {
        let mut report = sample();
        assert_eq!(cost_of_1k(report.policies.iter()), Metric::COST_PER_1K);
        let errors = |policy: &mut PolicyReport, value: f64| {
            let mut metrics = policy.metrics.iter_mut();
            metrics
                .find(|of| of.metric == Metric::ERROR_RATE)
                .unwrap()
                .estimate
                .value = value;
        };
        errors(&mut report.policies[1], 0.02);
        assert_eq!(cost_of_1k(report.policies.iter()), Metric::COST_PER_1K_ANSWERS);
        assert_eq!(
            cost_of_1k(report.policies[1..2].iter()),
            Metric::COST_PER_1K,
            "one alone"
        );
        report.policies[0]
            .metrics
            .retain(|of| of.metric != Metric::COST_PER_1K_ANSWERS);
        assert_eq!(
            cost_of_1k(report.policies.iter()),
            Metric::COST_PER_1K,
            "of an earlier version"
        );
    }

    #[test]
    fn too_many_for_the_colours_are_grey_but_for_the_leaders() {
        let mut report = sample();
        assert_eq!(report.colours(), [Some(0), Some(1), Some(2)]);
        for more in 0..6 {
            let mut policy = report.policies[2].clone();
            policy.name = format!("more-{more}");
            report.policies.push(policy);
        }
        report.scorecard.goals.clear();
        let colours = report.colours();
        let order = report.order();
        assert_eq!(order.len(), report.policies.len());
        assert!(order[..NAMED].iter().all(|&p| colours[p].is_some()), "{order:?}");
        assert_eq!(colours.iter().flatten().count(), NAMED);
        assert!(colours[0].is_some(), "the baseline");
    }
}
