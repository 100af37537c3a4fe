//! What each policy asked of each provider, held against what the provider's model was fitted on.
//!
//! The busiest rate is that of the ten seconds or more of the run's course with the most attempts, over all replications, less three
//! standard deviations of their count, so that nothing is called busier than measured by chance alone. Requests in flight and tokens are means:
//! what is beyond the measured range on the average is beyond it most of the time. Everything is in the sums of tallies already. A line is
//! said once for each provider and kind, with the policies that it is true of. Left out: how a policy's lengths spread around their mean.

use std::collections::BTreeMap;

use crate::engine::scenario::Scenario;
use crate::engine::tally::Tally;
use crate::experiment::assemble::Plan;
use crate::experiment::domain::{BEYOND, Domain, Load, NO_HOURS, Range, number};
use crate::report::{Asked, Outside, format};

use super::passes::Pooled;

/// Names that are told one by one, and lines that are.
const NAMED: usize = 4;

/// Everything that a policy asks of a provider beyond what its model was fitted on; `all` are the sums by policy.
pub(super) fn outside(plan: &Plan, all: &[Pooled]) -> Vec<Outside> {
    let mut found = Vec::new();
    for (scenario, pooled) in plan.scenarios.iter().zip(all) {
        for (provider, domain) in plan.domains.iter().enumerate() {
            if let Some(domain) = domain {
                found.extend(of(scenario, provider, &pooled.tally, domain));
            }
        }
    }
    found
}

fn of(scenario: &Scenario, provider: usize, tally: &Tally, domain: &Domain) -> Vec<Outside> {
    let counts = &tally.providers[provider];
    if counts.outcomes.iter().sum::<u64>() == 0 {
        return Vec::new();
    }
    let load = load(provider, tally);
    let mut found = Vec::new();
    let mut add = |what: Asked, asked: f64, measured: f64, errs: String| {
        found.push(Outside {
            policy: scenario.name.clone(),
            provider: scenario.fleet[provider].provider.name.clone(),
            what,
            asked,
            measured,
            errs,
        });
    };
    let beyond = domain.beyond(load);
    let kinds = [
        (Asked::Rate, load.rate),
        (Asked::InFlight, load.in_flight),
        (Asked::PerMinute, load.per_minute),
    ];
    for ((what, asked), measured) in kinds.into_iter().zip(beyond) {
        if let Some(measured) = measured {
            add(what, asked, measured, domain.beyond_load());
        }
    }
    // An answer that came is billed whole; what is refused has no tokens.
    let answers = counts.outcomes[crate::words::Outcome::Success.index()] as f64;
    let mean = |tokens: u128| (answers > 0.0).then(|| tokens as f64 / answers);
    if let Some((asked, end)) = mean(counts.input).and_then(|asked| Some((asked, end(asked, domain.fitted.input?)?))) {
        add(Asked::Input, asked, end, domain.other_inputs(asked > end).to_owned());
    }
    if let Some((asked, end)) = mean(counts.output).and_then(|asked| Some((asked, end(asked, domain.fitted.output?)?)))
    {
        let errs = "its decode speed was not measured over such answers";
        add(Asked::Output, asked, end, errs.to_owned());
    }
    let counted = scenario.window.counted().seconds();
    if let Some(lasted) = domain.shorter_than(counted) {
        add(Asked::Hours, counted, lasted, NO_HOURS.to_owned());
    }
    found
}

/// The end of `range` that `x` is beyond, if it is.
fn end(x: f64, range: Range) -> Option<f64> {
    let (least, most) = (f64::from(range.least), f64::from(range.most));
    if x > BEYOND * most {
        Some(most)
    } else {
        (BEYOND * x < least).then_some(least)
    }
}

/// The load that provider number `provider` is under.
fn load(provider: usize, tally: &Tally) -> Load {
    let width = tally.series.width().seconds();
    let bins = tally.series.bins().len();
    let replications = (tally.counted as f64 / 1e9 / (width * bins as f64).max(1e-9))
        .round()
        .max(1.0);
    let surely = |n: u64| (n as f64 - 3.0 * (n as f64).sqrt()).max(0.0);
    let sent: Vec<u64> = (0..bins).map(|bin| tally.series.sent(bin)[provider]).collect();
    // A burst of less than ten seconds, as at the start of a closed loop, is in no measured rate either.
    let at_once = ((10.0 / width.max(1e-9)).ceil() as usize).clamp(1, bins.max(1));
    let busiest = sent
        .windows(at_once)
        .map(|bins| bins.iter().sum::<u64>())
        .max()
        .unwrap_or(0);
    let width = width * at_once as f64;
    let attempts: u64 = tally.providers[provider].outcomes.iter().sum();
    let seconds = tally.counted as f64 / 1e9;
    let mean = attempts as f64 / seconds.max(1e-9);
    let rate = (surely(busiest) / (width * replications).max(1e-9)).max(mean);
    Load {
        rate,
        // A shorter bin may be a part of a minute that is not as busy.
        per_minute: 60.0 * if width >= 60.0 { rate } else { mean },
        in_flight: tally.providers[provider].busy as f64 / tally.counted.max(1) as f64,
    }
}

/// What a reader must know of it first: a line for each provider and kind.
pub(super) fn sentences(plan: &Plan, outside: &[Outside]) -> Vec<String> {
    let mut groups: BTreeMap<(usize, Kind), Vec<&Outside>> = BTreeMap::new();
    let fleet = plan.scenarios.first().map_or(&[][..], |s| &s.fleet[..]);
    for one in outside {
        let place = fleet.iter().position(|d| d.provider.name == one.provider);
        groups
            .entry((place.unwrap_or(0), kind(one.what)))
            .or_default()
            .push(one);
    }
    let lines: Vec<String> = (groups.iter())
        .filter_map(|((provider, _), group)| sentence(plan.domains.get(*provider)?.as_ref()?, group))
        .collect();
    let more = lines.len().saturating_sub(2 * NAMED);
    let rest = (more > 0).then(|| {
        format!("{more} more of providers outside of what their models were measured over: `outside` of the result")
    });
    lines.into_iter().take(2 * NAMED).chain(rest).collect()
}

/// A kind of figures, which are told in one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Load,
    Lengths,
    Hours,
}

fn kind(what: Asked) -> Kind {
    match what {
        Asked::Rate | Asked::InFlight | Asked::PerMinute => Kind::Load,
        Asked::Input | Asked::Output => Kind::Lengths,
        Asked::Hours => Kind::Hours,
    }
}

fn sentence(domain: &Domain, group: &[&Outside]) -> Option<String> {
    let first = group.first()?;
    let mut policies: Vec<&str> = group.iter().map(|one| one.policy.as_str()).collect();
    policies.dedup();
    let asks = if policies.len() == 1 { "asks" } else { "ask" };
    let names = match policies.len().saturating_sub(NAMED) {
        0 => policies.join(", "),
        more => format!("{} and {more} more", policies[..NAMED].join(", ")),
    };
    let name = &first.provider;
    let of = |what: Asked| group.iter().filter(move |one| one.what == what);
    let most = |what: Asked| of(what).map(|one| one.asked).reduce(f64::max);
    Some(match kind(first.what) {
        Kind::Load => {
            let rate = most(Asked::Rate).map(|x| format!("{}/s", number(x)));
            let in_flight = most(Asked::InFlight).map(|x| format!("{} in flight", number(x)));
            let by_minute = most(Asked::PerMinute).filter(|_| rate.is_none());
            let by_minute = by_minute.map(|x| format!("{} in a minute", number(x)));
            let asked: Vec<String> = rate.into_iter().chain(in_flight).chain(by_minute).collect();
            format!(
                "{names} {asks} {name} for up to {}; its model was measured {} and {}",
                asked.join(" and "),
                domain.measured_to(),
                first.errs
            )
        }
        Kind::Lengths => {
            let farthest = |what: Asked| {
                let far = |one: &&&Outside| (one.asked / one.measured).max(one.measured / one.asked.max(1e-9));
                of(what).max_by(|a, b| far(a).total_cmp(&far(b)))
            };
            let input = farthest(Asked::Input).map(|x| (x, "input"));
            let output = farthest(Asked::Output).map(|x| (x, "output"));
            let both = || input.iter().chain(&output);
            let asked: Vec<String> = both().map(|(x, what)| format!("{} {what}", number(x.asked))).collect();
            let side = |x: &Outside| if x.asked > x.measured { "at most" } else { "at least" };
            let known: Vec<String> = both()
                .map(|(x, _)| format!("{} {}", side(x), number(x.measured)))
                .collect();
            let errs: Vec<&str> = both().map(|(x, _)| x.errs.as_str()).collect();
            format!(
                "{names} {asks} {name} for answers of {} tokens on the average; its model was measured with {}: {}",
                asked.join(" and "),
                known.join(" and "),
                errs.join("; ")
            )
        }
        Kind::Hours => format!(
            "{names} {asks} {name} for {}; its model was measured over {}: {}",
            format::span(first.asked),
            format::span(first.measured),
            first.errs
        ),
    })
}
