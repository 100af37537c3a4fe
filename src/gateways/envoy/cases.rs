//! What becomes of a request of Envoy AI Gateway when backends fail, in closed form.
//!
//! A retry goes to another backend of the level if there is one (the predicate `previous_hosts`); with `numAttemptsPerPriority` n, after
//! every n attempts to the next level. Otherwise the level is chosen by health alone, which one request does not change. Source: Envoy
//! Gateway's `retry` and Envoy's `previous_priorities`, of which `numAttemptsPerPriority` is the update frequency.

use super::Policy;
use crate::gateways::model::Case;

impl Policy {
    /// All that may happen in a group of `members`, of which `first` are on the first of `levels`; an attempt hangs for `hung` seconds, and
    /// a request whose attempts all do for `most`.
    pub(super) fn cases(&self, members: usize, first: usize, levels: usize, hung: f64, most: f64) -> Vec<Case> {
        let several = members > 1;
        let all = |one, many| if several { many } else { one };
        let mut cases = Vec::new();
        if several {
            for (when, code) in [("one answers 429", 429), ("one answers 500", 500)] {
                cases.push(self.one_fails(when, code, first, levels));
            }
        }
        cases.extend([
            self.case(
                all("it answers 429", "all answer 429"),
                429,
                "the caller is told the last 429; nobody is left out for it",
            ),
            self.case(
                all("it answers 500", "all answer 500"),
                500,
                "the caller is told the last 500",
            ),
            self.case(
                all("it answers 503", "all answer 503"),
                503,
                "the caller is told the last 503",
            ),
        ]);
        let timed = self.retries_of(504);
        let attempts = ((most / hung).ceil() as u64).clamp(1, timed + 1);
        cases.push(Case::new(
            all("it hangs", "all hang"),
            attempts,
            (most, most),
            "the caller is told a 504",
        ));
        cases
    }

    /// What becomes of a request whose first attempt meets one of the first level's `first` backends that fails, while the others are well.
    fn one_fails(&self, when: &'static str, code: u64, first: usize, levels: usize) -> Case {
        let retries = self.retries_of(code);
        let told = format!("the caller is told the {code}");
        let (attempts, then) = match self.per_level {
            _ if retries == 0 => (1, format!("{told}: it is not tried again")),
            Some(1) if levels > 1 => (2, "the next level answers".to_owned()),
            // A host that was tried is drawn again only if five draws find no other.
            _ if first > 1 => (2, "another of its level answers".to_owned()),
            Some(n) if levels > 1 && n.max(1) <= retries => (n.max(1) + 1, "the next level answers".to_owned()),
            Some(_) | None if levels > 1 => (
                retries + 1,
                format!("it is alone on its level, where retries stay until it is ejected; {told}"),
            ),
            Some(_) | None => (retries + 1, told),
        };
        Case::new(when, attempts, (0.0, self.waits(attempts - 1)), then)
    }

    fn case(&self, when: &'static str, code: u64, then: &str) -> Case {
        let retries = self.retries_of(code);
        Case::new(when, retries + 1, (0.0, self.waits(retries)), then)
    }
}
