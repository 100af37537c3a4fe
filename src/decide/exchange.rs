//! How much of a difference in cost is exchange rate alone: what it would be if every provider took as many units of the
//! currency for a dollar of its prices as a dollar costs.

use super::figures::{MONTH_DAYS, PICO};
use super::month::Month;
use super::passes::Pooled;
use crate::experiment::assemble::{Billing, Plan};
use crate::report::{Currency, Exchange, Metric, format};

/// The currency of a report, with what the providers' own rates do to its comparisons.
pub(super) fn currency(billing: &Billing, plan: &Plan, pooled: &[Pooled], months: &[Month]) -> Currency {
    let fleet = plan.scenarios.first().map_or(&[][..], |s| &s.fleet[..]);
    let own_rates = billing.billed_at.iter().any(|&at| at != billing.per_dollar);
    let costs = pooled.iter().zip(months);
    let costs: Vec<Option<(f64, f64)>> = costs.map(|(policy, month)| monthly(billing, policy, month)).collect();
    let exchange = match costs.first() {
        Some(&Some((base, base_at_one))) if own_rates => (plan.scenarios.iter().zip(&costs).skip(1))
            .filter_map(|(scenario, cost)| Some((scenario, (*cost)?)))
            .map(|(scenario, (cost, at_one))| Exchange {
                policy: scenario.name.clone(),
                baseline: plan.scenarios[0].name.clone(),
                difference: cost - base,
                at_one_rate: at_one - base_at_one,
                relative: (base > 0.0).then(|| cost / base - 1.0),
                relative_at_one_rate: (base_at_one > 0.0).then(|| at_one / base_at_one - 1.0),
            })
            .collect(),
        _ => Vec::new(),
    };
    Currency {
        code: billing.code,
        per_dollar: billing.per_dollar,
        billed_at: fleet
            .iter()
            .zip(&billing.billed_at)
            .filter(|&(_, &at)| at != billing.per_dollar)
            .map(|(deployment, &at)| (deployment.provider.name.clone(), at))
            .collect(),
        exchange,
    }
}

/// The mean cost of a month, as billed and if every provider took the same, if anything is said of a month.
fn monthly(billing: &Billing, pooled: &Pooled, month: &Month) -> Option<(f64, f64)> {
    let attempts = month.attempts()?;
    let counted = pooled.seconds;
    let a_month = |pico: f64| pico / PICO / counted * MONTH_DAYS * 86_400.0;
    let (mut billed, mut at_one) = (0.0, 0.0);
    for (provider, at) in pooled.tally.providers.iter().zip(&billing.billed_at) {
        let cost = provider.cost as f64 * attempts + provider.reserved as f64;
        billed += cost;
        at_one += cost * (billing.per_dollar / at);
    }
    Some(if counted > 0.0 {
        (a_month(billed), a_month(at_one))
    } else {
        (0.0, 0.0)
    })
}

/// A sentence for each comparison that the providers' own rates change.
pub(super) fn sentences(currency: &Currency) -> Vec<String> {
    let unit = Metric::COST_PER_MONTH.unit_in(Some(currency.code));
    let one = |e: &Exchange| {
        let (relative, at_one) = (e.relative?, e.relative_at_one_rate?);
        let alone = e.difference - e.at_one_rate;
        (alone.abs() > 1e-9 * e.difference.abs().max(e.at_one_rate.abs())).then(|| {
            format!(
                "{} against {}: cost differs by {}; at one rate of exchange, {} {} for a dollar of every price, it would by {}: {} a month is exchange rate alone",
                e.policy,
                e.baseline,
                format::relative(relative),
                currency.per_dollar,
                currency.code,
                format::relative(at_one),
                format::value(unit, alone.abs()),
            )
        })
    };
    currency.exchange.iter().filter_map(one).collect()
}
