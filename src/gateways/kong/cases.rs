//! What Kong does when something fails, in closed form.
//!
//! After a failure of `failover_criteria` up to `retries` more tries follow at once, each a choice of the balancer; without
//! `non_idempotent` a POST is tried once. If one target fails and the others are well: a balancer by load, latency or usage does not go
//! where the last attempt failed, so that the second try is another's; one in turn or by a hash goes on to whatever is next, which
//! under load may be the same again; one by priority stays on its level. `read_timeout` bounds an attempt that hangs.

use serde_json::{Value, json};

use crate::gateways::model::Case;

/// What of a balancer decides what follows a failure.
pub(super) struct Balancer<'a> {
    pub(super) algorithm: &'a str,
    /// The targets of the first level: all, unless they are asked by priority.
    pub(super) targets: usize,
    pub(super) retries: u64,
    /// The outcomes that are tried again.
    pub(super) on: &'a [Value],
    /// The seconds of `read_timeout`.
    pub(super) reads: f64,
    /// How many failures leave a target out, and for how many seconds, if any do.
    pub(super) breaker: Option<(u64, f64)>,
}

/// The failures that are told, with their outcome, and how they are called of one target, of all, and of the only one.
const FAILURES: [(&str, &str, &str, &str); 4] = [
    ("429", "one answers 429", "all answer 429", "it answers 429"),
    ("500", "one answers 500", "all answer 500", "it answers 500"),
    ("503", "one answers 503", "all answer 503", "it answers 503"),
    ("504", "one hangs", "all hang", "it hangs"),
];

impl Balancer<'_> {
    fn tries(&self, code: &str) -> u64 {
        let named = match code {
            "504" => json!("timeout_ttft"),
            code => json!(code.parse::<u64>().unwrap_or(0)),
        };
        if self.on.contains(&named) { self.retries + 1 } else { 1 }
    }

    /// Whether a retry goes elsewhere for certain.
    fn leaves_out_the_last(&self) -> bool {
        matches!(self.algorithm, "lowest-usage" | "lowest-latency" | "least-connections")
    }

    /// How a target that fails is left out.
    fn out(&self, code: &str) -> String {
        // What fails over is what counts as a failure.
        match self.breaker.filter(|_| self.tries(code) > 1) {
            Some((fails, s)) => format!("left out for {s} s after {fails} failures"),
            None => "never left out".to_owned(),
        }
    }

    /// The cases of a group, the most attempts, and the longest time in seconds.
    pub(super) fn cases(&self) -> (Vec<Case>, u64, f64) {
        let seconds = |code: &str, tries: u64| if code == "504" { self.reads * tries as f64 } else { 0.0 };
        let mut cases = Vec::new();
        for (code, one, ..) in FAILURES.iter().filter(|_| self.targets > 1) {
            let tries = self.tries(code);
            let (attempts, then) = match (tries, self.leaves_out_the_last()) {
                (1, _) => (1, format!("the caller is told the {code}, since it does not fail over")),
                (_, true) => (
                    2,
                    "another answers: a retry does not go where the last failed".to_owned(),
                ),
                (tries, false) => (
                    tries,
                    format!(
                        "the next by the balancer answers, which may be the same again; if all tries meet it, the caller is told the {code}"
                    ),
                ),
            };
            let then = format!("{then}; it is {}", self.out(code));
            let least = seconds(code, if attempts > 1 { 1 } else { attempts });
            let most = if self.leaves_out_the_last() {
                least
            } else {
                seconds(code, attempts)
            };
            cases.push(Case::new(one, attempts, (least, most), then));
        }
        for (code, _, all, alone) in FAILURES {
            let tries = self.tries(code);
            let when = if self.targets > 1 { all } else { alone };
            let s = seconds(code, tries);
            cases.push(Case::new(when, tries, (s, s), format!("the caller is told a {code}")));
        }
        let most = cases.iter().map(|case| case.attempts).max().unwrap_or(1);
        (cases, most, seconds("504", self.tries("504")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cases(algorithm: &str, on: &[Value]) -> Vec<Case> {
        let balancer = Balancer {
            algorithm,
            targets: 2,
            retries: 3,
            on,
            reads: 10.0,
            breaker: Some((4, 15.0)),
        };
        balancer.cases().0
    }

    fn one<'a>(cases: &'a [Case], when: &str) -> (u64, (f64, f64), &'a str) {
        let case = cases.iter().find(|case| case.when == when).unwrap();
        (case.attempts, case.seconds, &case.then)
    }

    #[test]
    fn whether_one_that_fails_is_met_again_is_the_balancers_to_say() {
        let on = [json!(429), json!("timeout_ttft")];
        let by_load = cases("least-connections", &on);
        let (attempts, seconds, then) = one(&by_load, "one answers 429");
        assert_eq!((attempts, seconds), (2, (0.0, 0.0)));
        assert!(then.starts_with("another answers") && then.ends_with("it is left out for 15 s after 4 failures"));
        assert_eq!(one(&by_load, "one hangs").1, (10.0, 10.0));
        let in_turn = cases("round-robin", &on);
        assert_eq!(one(&in_turn, "one answers 429").0, 4);
        assert_eq!(one(&in_turn, "one hangs").1, (10.0, 40.0));
        // What is not listed is the caller's at once.
        let (attempts, _, then) = one(&in_turn, "one answers 500");
        assert_eq!(attempts, 1);
        assert!(then.ends_with("it is never left out"), "{then}");
        assert_eq!(one(&in_turn, "all hang").1, (40.0, 40.0));
    }
}
