//! What a model was measured over, for the model file: rates, requests in flight, lengths, hours; and what was not seen there.
//!
//! The rate of a step of load is that of its requests; steps beyond saturation are not in the laws, and the slowest of them is
//! told apart. How many requests a minute went unrefused is counted over every window of 60 s that begins with a request, whatever
//! steps they are of: a step of 20 s at 8 requests a second has not shown that 480 are answered in a minute.

use super::model::Given;
use super::model::{duration, six};
use super::report::FitReport;
use crate::calibrate::log::{Log, Observation};
use crate::experiment::domain::{FittedOn, Range, Rates};
use crate::form::units::Fraction;
use crate::kernel::calendar::minute_of;
use crate::words::Outcome;

/// The longest time over which quotas by the minute look, in seconds.
const MINUTE: f64 = 60.0;

/// The provenance of a fit to the observations in `used`, which are those of `log` that the laws are of.
pub(super) fn fitted_on(report: &FitReport, log: &Log, used: &[&Observation], given: &Given) -> FittedOn {
    let rates = |saturated: bool| {
        let steps = report
            .steps
            .iter()
            .filter(move |step| step.saturated.is_some() == saturated);
        steps.filter_map(|step| step.requested.or(step.achieved)).map(six)
    };
    let (first, last) = ends(used.iter().filter_map(|o| o.unix));
    let (begins, stops) = ends(used.iter().filter_map(|o| o.at));
    let independent = report.quantities.iter().filter_map(|quantity| {
        let serial = quantity.serial.as_ref()?;
        Some((quantity.name.to_owned(), serial.effective.round()))
    });
    FittedOn {
        target: report.target.clone(),
        files: log.files(),
        held_out: Fraction::new(given.held_out).unwrap_or(Fraction::ZERO),
        requests: (!used.is_empty()).then_some(used.len() as u64),
        independent: independent.collect(),
        from: if first <= last { minute_of(first) } else { String::new() },
        lasted: (begins <= stops).then(|| duration((stops - begins).round())),
        input: Range::of(used.iter().filter_map(|o| o.input)),
        output: Range::of(used.iter().filter_map(|o| o.output)),
        in_flight: Range::of(used.iter().filter_map(|o| o.in_flight)),
        rate: Rates::of(rates(false)),
        saturated: rates(true).reduce(f64::min).filter(|rate| *rate > 0.0),
        per_minute: report.per_minute,
        drift: (report.quantities.iter())
            .find(|quantity| quantity.name == "ttft")
            .and_then(|ttft| ttft.regimes.drift)
            .map(|drift| six(drift.factor)),
        cached: cached(used),
        cannot_tell: report.cannot_tell.clone(),
    }
}

/// The share of the input of `used` that was found in a prompt cache; nothing below a hundredth.
fn cached(used: &[&Observation]) -> Option<Fraction> {
    const SOME: f64 = 0.01;
    let told = used.iter().filter_map(|o| Some((o.input?, o.cached?)));
    let (all, found) = told.fold((0.0, 0.0), |(all, found), (input, cached)| {
        (all + f64::from(input), found + f64::from(cached))
    });
    let share = found / all;
    Fraction::new((share * 1e4).round() / 1e4).filter(|_| share >= SOME)
}

/// The least and the greatest of some times; the former above the latter if there are none.
fn ends(times: impl Iterator<Item = f64>) -> (f64, f64) {
    times.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), x| (a.min(x), b.max(x)))
}

/// The most requests that were sent within a minute and not refused; nothing if not every request has a time.
pub(super) fn per_minute(sent: &[&Observation]) -> Option<u32> {
    let taken = sent.iter().filter(|o| o.outcome != Outcome::RateLimited);
    let times: Option<Vec<f64>> = taken.map(|o| Some(o.at? + o.dispatch.unwrap_or(0.0))).collect();
    let mut times = times.filter(|times| !times.is_empty())?;
    times.sort_by(f64::total_cmp);
    let mut from = 0;
    let mut most = 0;
    for (i, at) in times.iter().enumerate() {
        while at - times[from] >= MINUTE {
            from += 1;
        }
        most = most.max(i - from + 1);
    }
    u32::try_from(most).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::logs::gather::observed;

    fn at(seconds: f64, outcome: Outcome) -> Observation {
        Observation {
            at: Some(seconds),
            ..observed(0, outcome)
        }
    }

    /// One a second for 50 s, then five a second for 20 s: the last minute has the 20 s and 40 s before them.
    #[test]
    fn the_busiest_minute_is_of_what_was_not_refused() {
        let slow = (0..50).map(|i| at(f64::from(i), Outcome::Success));
        let fast = (0..100).map(|i| at(50.0 + f64::from(i) / 5.0, Outcome::Success));
        let refused = (0..30).map(|i| at(60.0 + f64::from(i) / 10.0, Outcome::RateLimited));
        let all: Vec<Observation> = slow.chain(fast).chain(refused).collect();
        let all: Vec<&Observation> = all.iter().collect();
        // Up to 69.8 s: those from 10 s on, of which the slow ones are 40.
        assert_eq!(per_minute(&all), Some(140));
        assert_eq!(per_minute(&all[..50]), Some(50));
        assert_eq!(per_minute(&[]), None);
        let timeless = observed(0, Outcome::Success);
        assert_eq!(per_minute(&[&timeless]), None);
    }
}
