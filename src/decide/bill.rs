//! The bill of a policy by class, by provider and by what the money went to, each of which adds up to all that is billed.
//!
//! Of reserved capacity that part was idle which the provider's busiest quota left over on average over the counted time.
//! Reserved capacity and mirrored copies belong to no class, and have rows of their own among the classes; judging answers belongs to
//! no provider, and has one among the providers.

use super::figures::{MONTH_DAYS, PICO};
use super::month::Month;
use super::passes::{Each, Figure};
use crate::engine::scenario::Scenario;
use crate::engine::tally::{ProviderTally, Tally};
use crate::report::{Bill, BillRow, Billed, PurposeRow};
use crate::words::Spending;

/// Pico-dollars of a part of the bill: for attempts, and for capacity that is reserved.
type Part = (u128, u128);

/// Whose attempts a part of the bill by purpose is for.
#[derive(Clone, Copy)]
enum Of {
    All,
    Provider(usize),
    Class(usize),
}

/// What went to `purpose` at one provider.
fn one(p: &ProviderTally, purpose: Spending) -> Part {
    match purpose {
        Spending::Reserved => (0, p.reserved - p.idle),
        Spending::Idle => (0, p.idle),
        paid => (p.spent[paid.index()], 0),
    }
}

/// The bill of `scenario`; `pooled` says which rows have anything in them.
pub(super) fn bill(scenario: &Scenario, pooled: &Tally, month: &Month, each: Each<'_>) -> Bill {
    if pooled.cost() == 0 {
        return Bill::default();
    }
    let figures = |part: &dyn Fn(&Tally) -> Part| {
        let (attempts, standing) = part(pooled);
        (attempts + standing > 0).then(|| {
            let share = each(&|t| {
                let (attempts, standing) = part(t);
                Figure::Portion((attempts + standing) as f64, t.cost() as f64)
            });
            let cost_per_month = each(&|t| {
                let (attempts, standing) = part(t);
                let Some(factor) = month.attempts() else {
                    return Figure::Each(None);
                };
                let cost = (attempts as f64 * factor + standing as f64) / PICO;
                Figure::Ratio(cost * MONTH_DAYS * 86_400.0, t.counted as f64 / 1e9)
            });
            (share, cost_per_month)
        })
    };
    let row = |what, name: Option<&str>, part: &dyn Fn(&Tally) -> Part| {
        let (share, cost_per_month) = figures(part)?;
        Some(BillRow {
            what,
            name: name.map(str::to_owned),
            share,
            cost_per_month,
        })
    };
    let classes = scenario.traffic.classes.iter().enumerate();
    let by_class = classes.filter_map(|(i, class)| row(Billed::Class, Some(&class.name), &|t| (t.classes[i].cost, 0)));
    let reserved = row(Billed::Reserved, None, &|t| {
        (0, t.providers.iter().map(|p| p.reserved).sum())
    });
    let mirrored = row(Billed::Mirrored, None, &|t| (t.mirrored, 0));
    let by_class = by_class.chain(reserved).chain(mirrored).collect();
    let providers = scenario.fleet.iter().enumerate();
    let by_provider = providers.filter_map(|(i, deployment)| {
        let part = |t: &Tally| (t.providers[i].cost, t.providers[i].reserved);
        row(Billed::Provider, Some(&deployment.provider.name), &part)
    });
    let judging = row(Billed::Judging, None, &|t| (t.judging, 0));
    let purpose = |purpose: Spending, of: Of| {
        let (share, cost_per_month) = figures(&|t| match of {
            Of::Provider(i) => one(&t.providers[i], purpose),
            Of::Class(i) => (t.classes[i].spent.get(purpose.index()).copied().unwrap_or(0), 0),
            Of::All => t
                .providers
                .iter()
                .map(|p| one(p, purpose))
                .fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1)),
        })?;
        let (provider, class) = match of {
            Of::All => (None, None),
            Of::Provider(i) => (Some(scenario.fleet[i].provider.name.clone()), None),
            Of::Class(i) => (None, Some(scenario.traffic.classes[i].name.clone())),
        };
        Some(PurposeRow {
            purpose,
            provider,
            class,
            share,
            cost_per_month,
        })
    };
    let several = |count: usize| (0..count).filter(move |_| count > 1);
    let by_purpose = std::iter::once(Of::All)
        .chain(several(scenario.fleet.len()).map(Of::Provider))
        .chain(several(scenario.traffic.classes.len()).map(Of::Class));
    Bill {
        by_purpose: by_purpose
            .flat_map(|of| Spending::ALL.map(|p| (p, of)))
            .filter_map(|(p, of)| purpose(p, of))
            .collect(),
        by_class,
        by_provider: by_provider.chain(judging).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::replicate::replicate;
    use crate::engine::run::{Control, run};
    use crate::experiment::assemble::assemble;
    use crate::experiment::load::from_text;

    /// Of twelve requests a second eight, with 10 tokens each, go to a provider of 12,000 a minute, two of a second to one with room for
    /// five at once.
    const RESERVED: &str = r#"{
        "format": "simcap.experiment/2", "name": "reserved",
        "traffic": {
            "arrivals": { "regular": { "rate": "12/s" } },
            "classes": { "a": { "input": { "constant": 10 }, "output": { "constant": 5 } } }
        },
        "providers": {
            "rate": { "response": { "constant": "1s" }, "prices": { "reserved": { "price": "$0.37/h", "units": 7 } }, "limits": [
                { "fixed_window": { "unit": "requests", "limit": 10000, "window": "1m" } },
                { "fixed_window": { "unit": "input_tokens", "limit": 12000, "window": "1m" } }
            ] },
            "places": { "response": { "constant": "1s" }, "prices": { "reserved": { "price": "$1/h" } }, "limits": [ { "concurrent": { "limit": 5 } } ] },
            "open": { "response": { "constant": "1s" }, "prices": { "reserved": { "price": "$2/h" } } },
            "paid": { "response": { "constant": "1s" }, "prices": { "per_request": { "price": "$0.001" } } }
        },
        "policies": [{ "name": "one", "policy": { "smooth_round_robin": { "weights": { "rate": 8, "places": 2, "open": 1, "paid": 1 } } } }],
        "plan": { "duration": "1h", "warmup": "1m", "replications": 2 }
    }"#;

    #[test]
    fn capacity_is_used_or_idle_and_all_parts_add_up_to_the_bill() {
        let loaded = from_text("x.json", RESERVED).unwrap();
        let plan = assemble(&loaded).unwrap();
        let tally = run(&plan.scenarios[0], plan.seed, 0, &Control::default()).unwrap();
        let mut whole = 0;
        for provider in &tally.providers {
            let parts = Spending::ALL.map(|purpose| one(provider, purpose));
            let sum: u128 = parts.iter().map(|(attempts, standing)| attempts + standing).sum();
            assert_eq!(sum, provider.cost + provider.reserved);
            whole += sum;
        }
        assert_eq!(whole, tally.cost());
        let idle = [0, 1, 2].map(|i| tally.providers[i].idle as f64 / tally.providers[i].reserved as f64);
        // Of 200 tokens a second 80 are used, of 5 places 2; of what has no quota it cannot be told.
        for (found, expected) in idle.into_iter().zip([0.6, 0.6, 0.0]) {
            assert!((found - expected).abs() < 1e-3, "{found} {expected}");
        }
        let runs = replicate(&plan.scenarios, plan.seed, plan.replications, &Control::default());
        let report = crate::decide::report(&loaded, &plan, &runs);
        let quotas = report.policies[0].quotas.iter();
        let mut quotas: Vec<(String, f64)> = quotas.map(|quota| (quota.title(), quota.used.value)).collect();
        quotas.sort_by(|a, b| a.0.cmp(&b.0));
        for ((title, used), (expected, share)) in quotas.iter().zip([
            ("places: 5 requests at once", 0.4),
            ("rate: 10,000 requests a minute", 0.048),
            ("rate: 12,000 input tokens a minute", 0.4),
        ]) {
            assert_eq!(title, expected);
            assert!((used - share).abs() < 1e-3, "{title} {used}");
        }
        assert_eq!(quotas.len(), 3);
        let rows = report.policies[0].bill.totals();
        let sum: f64 = rows.clone().map(|row| row.share.value).sum();
        assert!((sum - 1.0).abs() < 1e-12, "{sum}");
        let idle = rows.filter(|row| row.purpose == Spending::Idle).count();
        let at = |row: &&PurposeRow| row.purpose == Spending::Idle && row.provider.is_some();
        assert_eq!(
            (idle, report.policies[0].bill.by_purpose.iter().filter(at).count()),
            (1, 2)
        );
    }
}
