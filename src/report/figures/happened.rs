//! When something happened to the system under a policy, for the plots over time.
//!
//! A moment is the mean over the replications in which it came. Told are ejections, returns and recoveries of scheduled outages, milestones of
//! the policy, watched shares of budgets and budgets that were spent. Left out: policies without a colour, and what the report knows only of single replications,
//! as every cooldown of a breaker.

use super::shortened;
use crate::report::chart::{Colour, Mark, Series};
use crate::report::{PolicyReport, Report, Unit, format};
use crate::stats::interval::Estimate;

/// One series of ticks for each policy that has a colour and of which something is known to have happened before `end`.
pub(super) fn ticks(report: &Report, end: f64) -> Vec<Series> {
    let named = report.colours().into_iter().zip(&report.policies);
    let each = named.filter_map(|(colour, policy)| {
        let mut moments = moments(policy);
        moments.retain(|(at, _)| (0.0..=end).contains(at));
        (!moments.is_empty()).then_some(Series {
            colour: Colour::Policy(colour?),
            name: String::new(),
            mark: Mark::Ticks(moments),
        })
    });
    each.collect()
}

fn moments(policy: &PolicyReport) -> Vec<(f64, String)> {
    // Of what never came the mean is not a number, and no tick is within the plot.
    let after = |from: f64, time: &Estimate| from + time.value;
    let incidents = policy.incidents.iter().flat_map(|incident| {
        [
            (after(incident.from, &incident.time_to_eject), "ejected".to_owned()),
            (after(incident.until, &incident.time_to_recover), "recovered".to_owned()),
            (
                after(
                    incident.until,
                    incident.time_to_return.as_ref().unwrap_or(&Estimate::NONE),
                ),
                format!("{} back", shortened(&incident.provider, 18)),
            ),
        ]
    });
    let milestones = policy
        .milestones
        .iter()
        .map(|milestone| (milestone.at.value, shortened(&milestone.what, 28)));
    let alerts = policy.alerts.iter().map(|alert| {
        let budget = shortened(&alert.budget, 18);
        let said = match alert.share >= 1.0 {
            true => format!("spent: {budget}"),
            false => format!("{} of {budget}", format::tick(Unit::Share, alert.share)),
        };
        (alert.at.value, said)
    });
    incidents.chain(milestones).chain(alerts).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sample's outage begins at 240 s and ends at 330 s; the second policy never recovers.
    #[test]
    fn an_outage_is_marked_where_it_was_met_and_where_it_was_over() {
        let report = crate::report::sample::sample();
        let of = |place: usize| match &ticks(&report, 600.0)[place].mark {
            Mark::Ticks(moments) => moments.clone(),
            _ => Vec::new(),
        };
        assert_eq!(of(0)[..2], [(241.4, "ejected".into()), (344.0, "recovered".into())]);
        assert_eq!(of(1)[0], (301.0, "ejected".into()));
        assert!(of(1).iter().all(|(_, what)| what != "recovered"));
    }
}
