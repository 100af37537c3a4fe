//! A provider that a policy never took back after its outage: a sentence for the first screen.
//!
//! Such a policy often fails the fewest requests of a run, which sees only the outage and what follows; from then on the provider's
//! capacity and price are lost to it.

use crate::report::{IncidentReport, PolicyReport, format};

/// How many policies are named.
const NAMED: usize = 3;

/// What to say of policies whose runs count `counted` seconds, if anything: of the first outage whose provider a policy asked during it, and
/// that in no replication answered anything that was sent after it.
pub(super) fn sentence<'a>(policies: impl IntoIterator<Item = &'a PolicyReport>, counted: f64) -> Option<String> {
    let is_lost = |incident: &&IncidentReport| {
        let back = incident.time_to_return.as_ref();
        incident.is_over(counted)
            && incident.leaked.value > 0.0
            && back.is_some_and(|back| back.n == 0 && back.undefined > 0)
    };
    let lost = |policy: &'a PolicyReport| Some((policy, policy.incidents.iter().find(is_lost)?));
    let all: Vec<(&PolicyReport, &IncidentReport)> = policies.into_iter().filter_map(lost).collect();
    let (_, first) = all.first()?;
    let alike = all.iter().filter(|(_, incident)| incident.provider == first.provider);
    let names: Vec<&str> = alike.map(|(policy, _)| policy.name.as_str()).collect();
    let more = match names.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(format!(
        "{}{more} {} not take {} back after its outage, in the {} that are left of the run.",
        names[..names.len().min(NAMED)].join(", "),
        if names.len() == 1 { "does" } else { "do" },
        first.provider,
        format::span(counted - first.until)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::sample;
    use crate::stats::interval::Estimate;

    fn of(change: impl FnOnce(&mut IncidentReport)) -> Option<String> {
        let mut policy = sample().policies.remove(0);
        policy.name = "p".into();
        let incident = &mut policy.incidents[0];
        incident.provider = "a".into();
        incident.until = 330.0;
        incident.leaked = Estimate::symmetric(12.0, None, 10, 0);
        incident.time_to_return = Some(never(0));
        change(incident);
        sentence([&policy], 600.0)
    }

    /// It came back in `n` of 10 replications.
    fn never(n: usize) -> Estimate {
        Estimate {
            n,
            undefined: 10 - n,
            ..Estimate::NONE
        }
    }

    #[test]
    fn a_provider_that_is_lost_for_good_is_named() {
        assert_eq!(
            of(|_| {}).unwrap(),
            "p does not take a back after its outage, in the 4.5 min that are left of the run."
        );
    }

    #[test]
    fn several_policies_are_named_together() {
        let mut policies = sample().policies;
        for policy in &mut policies {
            policy.incidents[0].time_to_return = Some(never(0));
            policy.incidents[0].leaked.value = 1.0;
        }
        let names: Vec<&str> = policies.iter().map(|policy| policy.name.as_str()).collect();
        let said = sentence(&policies, 600.0).unwrap();
        assert!(said.starts_with(&format!("{} do not take", names.join(", "))), "{said}");
        let five = policies.iter().cycle().take(5);
        assert!(sentence(five, 600.0).unwrap().contains(" and 2 more do not take"));
    }

    #[test]
    fn nothing_is_said_of_one_that_came_back_was_not_asked_or_is_not_seen_again() {
        assert_eq!(of(|it| it.time_to_return = Some(never(1))), None, "back once");
        assert_eq!(of(|it| it.leaked.value = 0.0), None, "not asked during the outage");
        assert_eq!(of(|it| it.until = 600.0), None, "the outage lasts to the end");
        assert_eq!(
            of(|it| it.time_to_return = None),
            None,
            "a result of an earlier version"
        );
    }
}
