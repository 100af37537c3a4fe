//! The ways of a request through a config's tree, and what failures cost on each.
//!
//! A `loadbalance` draws a target and a `conditional` names one, before anything fails; what they chose stays. So each way has one
//! target that is asked first, and where a `fallback` stands above it, targets that are asked only after a failure. If the first one
//! fails and the others are well, it is tried as often as its `retry` says, and then the next target of the innermost
//! fallback that goes on after such a failure answers. If all fail, every target of such fallbacks is tried; of a further target that
//! is itself a choice the dearest is counted.

use crate::gateways::model::Case;
use crate::gateways::show::some;
use crate::report::format::share;

/// What one failure costs: attempts, and seconds of waits and of timeouts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Cost {
    pub(super) attempts: u64,
    pub(super) seconds: f64,
}

/// What fails: the status that it has.
pub(super) const FAILURES: [u64; 4] = [429, 500, 408, 400];

/// How a failure is called: of the first target alone, if it is none of the request's own; of all targets; and where there is one.
const CALLED: [(Option<&str>, &str, &str); 4] = [
    (Some("the first answers 429"), "all answer 429", "it answers 429"),
    (Some("the first answers 500"), "all answer 500", "it answers 500"),
    (Some("the first hangs"), "all hang", "it hangs"),
    (None, "a malformed one (400)", "a malformed one (400)"),
];

/// What each failure costs.
pub(super) type Costs = [Cost; FAILURES.len()];

/// A way through the tree.
#[derive(Clone, Debug)]
pub(super) struct Way {
    /// The target that is asked first.
    entry: String,
    /// The share of the requests that go this way, of those that meet its conditions.
    part: f64,
    /// The conditions under which a request goes this way, in words.
    conditions: Vec<String>,
    /// The targets that are asked after a failure alone: the first few, and how many there are.
    spares: (Vec<String>, usize),
    /// The first one fails and the others are well.
    first: Costs,
    /// The targets of which one answers then, if any does.
    next: [Option<String>; FAILURES.len()],
    /// The cost if every target fails.
    all: Costs,
}

/// Spare targets that are named.
const FEW: usize = 4;

/// The way to a leaf.
pub(super) fn leaf(name: &str, costs: Costs) -> Vec<Way> {
    vec![Way {
        entry: name.to_owned(),
        part: 1.0,
        conditions: Vec::new(),
        spares: (Vec::new(), 0),
        first: costs,
        next: [const { None }; FAILURES.len()],
        all: costs,
    }]
}

/// The ways of a draw among targets, each with its weight.
pub(super) fn drawn(targets: Vec<(f64, Vec<Way>)>) -> Vec<Way> {
    let sum: f64 = targets.iter().map(|(weight, _)| weight.max(0.0)).sum();
    let parts = targets.into_iter().flat_map(|(weight, ways)| {
        let part = if sum > 0.0 { weight.max(0.0) / sum } else { 0.0 };
        ways.into_iter().map(move |way| Way {
            part: way.part * part,
            ..way
        })
    });
    parts.filter(|way| way.part > 0.0).collect()
}

/// The ways of what is chosen by conditions: the words of those that lead to a target, and its ways.
pub(super) fn chosen(targets: Vec<(Vec<String>, Vec<Way>)>) -> Vec<Way> {
    let each = targets.into_iter().flat_map(|(said, ways)| {
        let said = said.join(", or ");
        ways.into_iter().map(move |mut way| {
            way.conditions.insert(0, said.clone());
            way
        })
    });
    each.collect()
}

/// The ways of targets that are asked one after the other; `goes_on` says after which statuses.
pub(super) fn in_turn(targets: Vec<Vec<Way>>, goes_on: impl Fn(u64) -> bool) -> Vec<Way> {
    let mut targets = targets.into_iter();
    let mut ways = targets.next().unwrap_or_default();
    let later: Vec<Vec<Way>> = targets.collect();
    let Some(second) = later.first() else { return ways };
    let follows = some(second.iter().map(|way| way.entry.as_str()), " or ");
    let dearest: Vec<Costs> = later.iter().map(|ways| most(ways)).collect();
    // Choices inside a later target share what is behind them.
    let entries = || later.iter().flatten().map(|way| &way.entry);
    let behind = later.iter().filter_map(|ways| ways.first()).map(|way| way.spares.1);
    let count = entries().count() + behind.sum::<usize>();
    for way in &mut ways {
        let room = FEW.saturating_sub(way.spares.0.len());
        way.spares.0.extend(entries().take(room).cloned());
        way.spares.1 += count;
        for (number, _) in FAILURES.iter().enumerate().filter(|(_, code)| goes_on(**code)) {
            if way.next[number].is_none() {
                way.next[number] = Some(follows.clone());
                way.first[number].attempts += 1;
            }
            for costs in &dearest {
                way.all[number].attempts += costs[number].attempts;
                way.all[number].seconds += costs[number].seconds;
            }
        }
    }
    ways
}

/// The dearest of several ways, for each failure.
pub(super) fn most(ways: &[Way]) -> Costs {
    ways.iter().fold(Costs::default(), |mut most, way| {
        for (most, cost) in most.iter_mut().zip(&way.all) {
            most.attempts = most.attempts.max(cost.attempts);
            most.seconds = most.seconds.max(cost.seconds);
        }
        most
    })
}

impl Way {
    /// Which requests go this way: `eu.0: where metadata.region is eu`.
    fn branch(&self) -> String {
        let mut who = Vec::new();
        if self.part < 1.0 {
            who.push(format!("{} of them", share(self.part)));
        }
        if !self.conditions.is_empty() {
            who.push(self.conditions.join(" and then "));
        }
        match who.is_empty() {
            true => self.entry.clone(),
            false => format!("{}: {}", self.entry, who.join(", ")),
        }
    }

    fn cases(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        let (spares, count) = (&self.spares.0, self.spares.1);
        let several = count > 0;
        let case = |when, cost: &Cost, then: String| Case::new(when, cost.attempts, (cost.seconds, cost.seconds), then);
        for (number, (first, ..)) in CALLED.iter().enumerate().filter(|_| several) {
            let Some(first) = first else { continue };
            let then = match &self.next[number] {
                Some(next) => format!("{next} answers"),
                None => format!(
                    "the caller is told the {}: `on_status_codes` does not name it",
                    FAILURES[number]
                ),
            };
            cases.push(case(first, &self.first[number], then));
        }
        if several {
            let more = match count.saturating_sub(spares.len()) {
                0 => String::new(),
                n => format!(" and {n} more"),
            };
            let then = format!(
                "no request meets it: {}{more} {} asked only after a failure",
                spares.join(", "),
                if count == 1 { "is" } else { "are" }
            );
            cases.push(Case::new("a further one fails", 1, (0.0, 0.0), then));
        }
        for (number, (_, all, alone)) in CALLED.iter().enumerate() {
            let when = if several { all } else { alone };
            let then = format!("the caller is told the last {}", FAILURES[number]);
            cases.push(case(when, &self.all[number], then));
        }
        cases
    }
}

/// What happens on each way when something fails; ways on which the same happens are told together.
pub(super) fn cases(ways: &[Way]) -> Vec<Case> {
    let mut told: Vec<(Vec<String>, Vec<Case>)> = Vec::new();
    for way in ways {
        let cases = way.cases();
        match told.iter_mut().find(|(_, known)| *known == cases) {
            Some((names, _)) => names.push(way.branch()),
            None => told.push((vec![way.branch()], cases)),
        }
    }
    let one = told.len() == 1;
    let each = told.into_iter().flat_map(|(names, cases)| {
        let branch = if one { String::new() } else { names.join("; ") };
        cases.into_iter().map(move |case| case.of_branch(&branch))
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, attempts: u64) -> Vec<Way> {
        let seconds = (attempts - 1) as f64;
        leaf(name, [Cost { attempts, seconds }; FAILURES.len()])
    }

    fn told(cases: &[Case]) -> Vec<(String, &'static str, u64, String)> {
        let one = |case: &Case| (case.branch.clone(), case.when, case.attempts, case.then.clone());
        cases.iter().map(one).collect()
    }

    #[test]
    fn a_draw_above_a_fallback_makes_two_ways_and_each_has_its_own_first() {
        // 70 % to a, then c; 30 % to b, alone.
        let left = in_turn(vec![of("a", 3), of("c", 2)], |code| code != 500);
        let ways = drawn(vec![(7.0, left), (3.0, of("b", 1))]);
        let cases = told(&cases(&ways));
        let find = |branch: &str, when: &str| {
            let found = cases.iter().find(|(of, w, ..)| of.starts_with(branch) && *w == when);
            found.map(|(.., attempts, then)| (*attempts, then.as_str()))
        };
        // Three at a, and the one that c answers.
        assert_eq!(find("a: 70.0 %", "the first answers 429"), Some((4, "c answers")));
        let told = "the caller is told the 500: `on_status_codes` does not name it";
        assert_eq!(find("a: 70.0 %", "the first answers 500"), Some((3, told)));
        assert_eq!(find("a: 70.0 %", "all answer 429").unwrap().0, 5);
        assert_eq!(find("a: 70.0 %", "all answer 500").unwrap().0, 3);
        assert_eq!(
            find("a: 70.0 %", "a further one fails").unwrap().1,
            "no request meets it: c is asked only after a failure"
        );
        assert_eq!(find("b: 30.0 %", "it answers 429").unwrap().0, 1);
        assert_eq!(find("b: 30.0 %", "the first answers 429"), None);
    }

    #[test]
    fn a_failure_that_the_inner_fallback_keeps_goes_on_by_the_outer_one() {
        let inner = in_turn(vec![of("a", 1), of("b", 1)], |code| code == 429);
        let ways = in_turn(vec![inner, of("c", 1)], |_| true);
        let cases = told(&cases(&ways));
        let then = |when: &str| {
            cases
                .iter()
                .find(|(_, w, ..)| *w == when)
                .map(|(.., n, then)| (*n, then.as_str()))
        };
        assert_eq!(then("the first answers 429"), Some((2, "b answers")));
        assert_eq!(then("the first answers 500"), Some((2, "c answers")));
        assert_eq!(then("all answer 429").unwrap().0, 3);
        assert_eq!(then("all answer 500").unwrap().0, 2);
    }

    #[test]
    fn ways_on_which_the_same_happens_are_told_once() {
        let ways = drawn(vec![(1.0, of("a", 2)), (1.0, of("b", 2)), (0.0, of("c", 9))]);
        assert_eq!(ways.len(), 2);
        assert!(cases(&ways).iter().all(|case| case.branch.is_empty()));
        let ways = chosen(vec![
            (vec!["if x".to_owned()], of("a", 2)),
            (vec!["else".to_owned()], of("b", 3)),
        ]);
        assert_eq!(cases(&ways)[0].branch, "a: if x");
    }
}
