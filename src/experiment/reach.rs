//! Which part of the traffic each provider's model can answer for, before anything is simulated.
//!
//! What a policy sends where is not known yet; what all of the traffic is, is. So it is told which share of it a provider may be sent
//! before it is outside of what its model was measured over: by rate, by requests in flight (Little's law, at the mean time of an
//! answer when nothing waits) and, where the model has no quota, by the requests in a minute. Lengths are drawn from the traffic. Left
//! out: retries, bursts and hours, which `run` sees.

use super::assemble::Plan;
use super::domain::{BEYOND, Domain, NO_HOURS, Range, minutes, number};
use super::estimate::Estimate;
use crate::kernel::chance::Chance;
use crate::traffic::Source;
use crate::words::Ask;

/// Requests that lengths are drawn for.
const DRAWN: usize = 2000;

/// The share of requests of other lengths that is worth a word.
const SOME: f64 = 0.05;

/// A sentence for each provider that not all of the traffic of `plan` may be sent to, and for each whose model knows other lengths.
pub fn notes(plan: &Plan, estimate: &Estimate) -> Vec<String> {
    let Some(scenario) = plan.scenarios.first() else {
        return Vec::new();
    };
    // The traffic is the same under every policy, but for closed loops.
    let busiest = estimate.policies.iter().max_by(|a, b| a.rate.total_cmp(&b.rate));
    let asks = if plan.domains.iter().any(Option::is_some) {
        lengths(plan)
    } else {
        Vec::new()
    };
    let mut said = super::caveats::sentences(plan);
    let lasts = scenario.window.counted().seconds();
    for (deployment, domain) in scenario.fleet.iter().zip(&plan.domains) {
        let Some(domain) = domain else { continue };
        let name = &deployment.provider.name;
        said.extend(domain.shorter_than(lasts).map(|lasted| {
            format!(
                "this is of {}, and the model of {name} was measured over {}: {NO_HOURS}",
                minutes(lasts),
                minutes(lasted)
            )
        }));
        if let Some(policy) = busiest {
            said.extend(of_load(name, domain, policy.rate, policy.lasts));
        }
        let input = share_outside(&asks, domain.fitted.input, |ask| ask.input);
        let output = share_outside(&asks, domain.fitted.output, |ask| ask.output);
        let both = input
            .map(|s| (s, "input"))
            .into_iter()
            .chain(output.map(|s| (s, "output")));
        said.extend(both.map(|((share, longer, range), what)| {
            let errs = match what {
                "input" => domain.other_inputs(longer),
                _ => "its decode speed was not measured over such answers",
            };
            format!(
                "{} % of the requests have {what} outside of the {} to {} tokens that the model of {name} was measured over: {errs}",
                number(100.0 * share),
                range.least,
                range.most
            )
        }));
    }
    said
}

/// What share of so many requests a second, each of which lasts so many seconds, the provider may be sent.
fn of_load(name: &str, domain: &Domain, rate: f64, lasts: f64) -> Option<String> {
    let on = &domain.fitted;
    let whole = [
        (on.rate.map(|r| r.most), rate),
        (on.in_flight.map(|r| f64::from(r.most)), rate * lasts),
        (on.per_minute.filter(|_| domain.no_quota).map(f64::from), 60.0 * rate),
    ];
    let shares = whole.into_iter().filter_map(|(most, all)| Some(most? / all));
    let share = shares.reduce(f64::min).filter(|share| share * BEYOND < 1.0)?;
    Some(format!(
        "a policy that sends {name} more than {} % of this traffic ({}/s) asks it for what its model was never measured at ({}): it {}",
        number(100.0 * share),
        number(rate),
        domain.measured_to(),
        domain.beyond_load()
    ))
}

/// Requests of the traffic.
fn lengths(plan: &Plan) -> Vec<Ask> {
    let Some(scenario) = plan.scenarios.first() else {
        return Vec::new();
    };
    let chance = Chance::new(0, 0);
    let mut source = Source::new(&scenario.traffic, chance, chance.surroundings(0));
    let mut ask = Ask::default();
    (0..DRAWN).map_while(|_| source.next(&mut ask).map(|_| ask)).collect()
}

/// The share of `asks` beyond `range` by more than a tenth, whether most of those are above it, and the range; nothing if they are few.
fn share_outside(asks: &[Ask], range: Option<Range>, of: fn(&Ask) -> u32) -> Option<(f64, bool, Range)> {
    let range = range?;
    let many = |is: &dyn Fn(f64) -> bool| asks.iter().filter(|ask| is(f64::from(of(ask)))).count();
    let above = many(&|x| x > BEYOND * f64::from(range.most));
    let below = many(&|x| BEYOND * x < f64::from(range.least));
    let share = (above + below) as f64 / asks.len().max(1) as f64;
    (share >= SOME).then_some((share, above >= below, range))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::domain::{FittedOn, Rates};

    fn domain(no_quota: bool) -> Domain {
        Domain {
            fitted: FittedOn {
                rate: Some(Rates { least: 1.0, most: 4.0 }),
                in_flight: Some(Range { least: 1, most: 9 }),
                per_minute: Some(180),
                ..FittedOn::default()
            },
            no_load: true,
            no_quota,
            no_prefill: true,
            no_cache: true,
            unfailing: None,
            starts: None,
        }
    }

    /// Of 40 requests a second of 2 s each: 4/40 by rate, 9/80 in flight, 180/2400 in a minute.
    #[test]
    fn the_share_is_the_least_that_any_figure_allows() {
        let said = |no_quota, rate| of_load("a", &domain(no_quota), rate, 2.0);
        let of_minute = said(true, 40.0).unwrap();
        assert!(
            of_minute.starts_with("a policy that sends a more than 7.5 % of this traffic (40/s)"),
            "{of_minute}"
        );
        let of_rate = said(false, 40.0).unwrap();
        assert!(
            of_rate.contains("more than 10 %") && of_rate.ends_with("likely too good"),
            "{of_rate}"
        );
        assert_eq!(said(true, 2.0), None);
    }

    #[test]
    fn lengths_count_from_a_tenth_beyond_on() {
        let asks: Vec<Ask> = [320, 331, 500, 280, 272]
            .map(|input| Ask {
                input,
                ..Ask::default()
            })
            .into();
        let range = Range { least: 300, most: 300 };
        let (share, longer, _) = share_outside(&asks, Some(range), |ask| ask.input).unwrap();
        assert!((share - 0.6).abs() < 1e-12 && longer);
        assert_eq!(share_outside(&asks, None, |ask| ask.input), None);
        assert_eq!(share_outside(&asks[..1], Some(range), |ask| ask.input), None);
    }
}
