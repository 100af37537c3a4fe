//! Users that left before an answer began, where they are more than a hundredth: a sentence for the first screen.

use crate::report::{PolicyReport, format};
use crate::words::Outcome;

/// A share of all requests up to this is not told.
const NOTABLE: f64 = 0.01;

/// How many policies are named.
const NAMED: usize = 4;

/// What to say, if anything.
pub(super) fn sentence(policies: &[PolicyReport]) -> Option<String> {
    let of_policy = |policy: &PolicyReport| {
        let left = policy
            .outcomes
            .iter()
            .find(|of| of.outcome == Outcome::Abandoned)?
            .share
            .value;
        let under = match policies.len() {
            1 => String::new(),
            _ => format!(" under {}", policy.name),
        };
        (left > NOTABLE).then(|| format!("{} of users{under}", format::share(left)))
    };
    let mut all: Vec<String> = policies.iter().filter_map(of_policy).collect();
    if all.is_empty() {
        return None;
    }
    if let Some(more) = all.len().checked_sub(NAMED).filter(|more| *more > 0) {
        all.truncate(NAMED);
        all.push(format!("more than 1 % under {more} more policies"));
    }
    Some(format!("{} left before the first token.", all.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::OutcomeShare;
    use crate::report::sample::sample;
    use crate::stats::interval::Estimate;

    #[test]
    fn the_share_is_told_from_a_hundredth_on() {
        let mut policies = sample().policies;
        assert_eq!(sentence(&policies), None);
        let mut left = |policy: usize, share: f64| {
            policies[policy].outcomes.push(OutcomeShare {
                outcome: Outcome::Abandoned,
                share: Estimate::symmetric(share, None, 10, 0),
            });
            sentence(&policies)
        };
        assert_eq!(left(0, 0.009), None);
        let names: Vec<String> = sample().policies.into_iter().map(|policy| policy.name).collect();
        assert_eq!(
            left(1, 0.042).unwrap(),
            format!("4.20 % of users under {} left before the first token.", names[1])
        );
        let both = left(2, 0.5).unwrap();
        assert!(
            both.contains("4.20 % of users under") && both.contains(", 50.0 % of users under"),
            "{both}"
        );
        assert_eq!(
            sentence(&policies[1..2]).unwrap(),
            "4.20 % of users left before the first token."
        );
    }
}
