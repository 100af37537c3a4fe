//! What a search found, in the form that is shown: values of the lever become what it is counted in, and sentences say what follows.

use super::binds::limits;
use super::end::{End, Found};
use super::point::{Excess, Seen};
use super::search::HARDLY_ANY;
use crate::kernel::calendar::{date, days_of};
use crate::report::capacity::{Binding, Capacities, Capacity, Ended, Looked};
use crate::report::{Goal, Judgement, Metric, PolicyReport, Report, format};
use crate::stats::interval::Estimate;
use crate::stats::sorting;

/// What values of the lever are counted in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Count {
    /// Factors on the traffic, which are shown as requests a second: so many at 1; nothing where it is what came that says it.
    Traffic(Option<f64>),
    /// Numbers as the file has them; whole ones if so.
    Number(bool),
}

/// The reports of one policy that go with an answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beside<'a> {
    /// That of a run at the value that was found.
    pub there: Option<&'a Report>,
    /// That of a run of what the file says, where the lever is traffic.
    pub today: Option<&'a Report>,
}

impl Count {
    /// A value of the lever as it is counted.
    fn of(self, points: &[Seen], value: f64) -> f64 {
        match self {
            Count::Traffic(Some(rate)) => rate * value,
            Count::Number(true) => (value - 1e-6).ceil(),
            Count::Number(false) => value,
            Count::Traffic(None) => {
                let rates = points.iter().filter(|seen| seen.rate.is_finite());
                let distance = |seen: &Seen| libm::log(seen.value / value).abs();
                let near = rates.reduce(|a, b| if distance(b) < distance(a) { b } else { a });
                near.map_or(f64::NAN, |near| near.rate * value / near.value)
            }
        }
    }
}

/// Puts the answer of the policy `name` behind those of `all`.
pub fn answer(all: &mut Capacities, name: &str, found: Found, goals: &[Goal], count: Count, beside: Beside<'_>) {
    let is_traffic = matches!(count, Count::Traffic(_));
    let estimate = |of: &dyn Fn(f64) -> f64| {
        let interval = found.interval.map(|(lo, hi)| (of(lo), of(hi)));
        Estimate {
            value: of(found.value),
            lo: interval.map(|(lo, _)| lo),
            hi: interval.map(|(_, hi)| hi),
            n: found.replications as usize,
            ..Estimate::NONE
        }
    };
    let policy = |report: &'_ Report| report.policies.iter().position(|policy| policy.name == name);
    let there = beside.there.and_then(|report| Some((report, policy(report)?)));
    let today = beside.today.and_then(|report| Some((report, policy(report)?)));
    let of = |found: Option<(&Report, usize)>, metric: &Metric| {
        let (report, _) = found?;
        let judged = |judgement: &&Judgement| judgement.policy == name && judgement.metric == *metric;
        report
            .objectives
            .iter()
            .find(judged)
            .map(|judgement| judgement.estimate)
    };
    let goal = found.objective.and_then(|number| goals.get(number));
    let objective = goal.map(|goal| Binding {
        goal: goal.clone(),
        there: of(there, &goal.metric).unwrap_or(Estimate::NONE),
        today: of(today, &goal.metric),
    });
    let growth = all.growth.map(libm::log1p).filter(|growth| *growth != 0.0);
    let months = growth
        .filter(|_| is_traffic)
        .map(|growth| estimate(&|value| libm::log(value) / growth));
    let used_up = months.and_then(|months| used_up(all.since.as_deref()?, months.value));
    let reported = |found: (&'_ Report, usize)| -> PolicyReport { found.0.policies[found.1].clone() };
    let (at, before) = (there.map(reported), today.map(reported));
    let ended = match &found.end {
        End::Found => Ended::Found,
        End::Unfelt => Ended::Unfelt,
        End::Beyond => Ended::Beyond,
        End::Nowhere | End::Unjudged(_) => Ended::Nowhere,
        End::Never(_) => Ended::Never,
        End::Outgrown(Excess::Refused(_)) => Ended::Outgrown,
        End::Outgrown(Excess::Growing) => Ended::Overloaded,
        End::Spent => Ended::Spent,
        End::Stopped => Ended::Interrupted,
    };
    let mut capacity = Capacity {
        policy: name.to_owned(),
        ended,
        capacity: estimate(&|value| count.of(&found.points, value)),
        times: is_traffic.then(|| estimate(&|value| value)),
        counted: all.counted_in.map(|of| estimate(&|value| of.today() * value)),
        months,
        used_up,
        objective,
        limits: at.map_or(Vec::new(), |at| {
            limits(&at, before.as_ref(), goal.map(|goal| &goal.metric))
        }),
        sentences: Vec::new(),
        warnings: Vec::new(),
        replications: found.replications,
        requests: found.requests,
        curve: curve(&found, count),
    };
    capacity.sentences = sentences(all, &capacity);
    let uneven = there.and_then(|(report, place)| uneven(report, &report.policies[place]));
    // Beside what is carried: a rate alone may be taken for that of the peak.
    capacity
        .sentences
        .splice(1..1, uneven.filter(|_| ended != Ended::Never));
    capacity.warnings = warnings(all, &capacity, &found, count, beside);
    all.policies.push(capacity);
}

/// The figure that binds at each value; of several points at one value that with the most replications.
fn curve(found: &Found, count: Count) -> Vec<Looked> {
    let mut all: Vec<(u64, Looked)> = Vec::new();
    for seen in &found.points {
        let worst = seen.worst().map(|(place, _)| place);
        let of = |number: usize| seen.weighed.iter().position(|weighed| weighed.objective == number);
        let place = found.objective.and_then(of).or(worst);
        let looked = Looked {
            at: count.of(&found.points, seen.value),
            figure: place.map_or(Estimate::NONE, |place| seen.weighed[place].estimate),
            holds: seen.holds(),
        };
        match all.last_mut() {
            Some((known, last)) if last.at == looked.at => {
                if seen.replications >= *known {
                    (*known, *last) = (seen.replications, looked);
                }
            }
            _ => all.push((seen.replications, looked)),
        }
    }
    let mut all: Vec<Looked> = all.into_iter().map(|(_, looked)| looked).collect();
    sorting::by(&mut all, |a, b| a.at.total_cmp(&b.at));
    all
}

/// What follows, a sentence for each thing.
fn sentences(all: &Capacities, capacity: &Capacity) -> Vec<String> {
    let mut said = vec![all.carries(capacity)];
    // One that fails at any traffic has been said.
    if let Some(Binding { goal, there, today }) =
        (capacity.objective.as_ref()).filter(|_| capacity.ended != Ended::Never)
    {
        let unit = goal.metric.unit_in(all.currency);
        let title = goal.metric.title_in(all.currency);
        let today = today.map(|today| format!("; today it is {}", format::plus_minus(unit, &today)));
        let does = if capacity.ended == Ended::Nowhere {
            "fails"
        } else {
            "binds"
        };
        said.push(format!(
            "{title} {} {does}: there it is {}{}.",
            goal.bound_in(all.currency),
            format::plus_minus(unit, there),
            today.unwrap_or_default()
        ));
        match &capacity.limits[..] {
            [] if capacity.ended != Ended::Found => {}
            [] => said.push(
                "No limit is reached there: it is the traffic itself, or providers under load, that moves the figure."
                    .to_owned(),
            ),
            [first, rest @ ..] => {
                let next = rest.first().map(|next| format!("; next is {}", next.short()));
                let before = match (first.reached_today, first.reached, first.used_today) {
                    (Some(today), Some(_), _) => format!(", today {}", format::share(today)),
                    (_, None, Some(today)) => format!(", today {}", format::share(today)),
                    _ => String::new(),
                };
                let next = next.unwrap_or_default();
                said.push(format!("What is reached there: {}{before}{next}.", first.short()));
            }
        }
    }
    if let (Some(months), Some(growth)) = (&capacity.months, all.growth) {
        let number = |x: f64| format::value(crate::words::Unit::Number, x);
        let span = match (months.lo, months.hi) {
            (Some(lo), Some(hi)) => format!(" ({} to {})", number(lo.min(hi)), number(hi.max(lo))),
            _ => String::new(),
        };
        said.push(if months.value > 0.0 {
            let at_least = if capacity.ended == Ended::Found {
                ""
            } else {
                "at least "
            };
            let day = capacity.used_up.as_ref().zip(all.since.as_ref());
            let on = day.map_or(String::new(), |(day, since)| {
                let not_before = if at_least.is_empty() { "about" } else { "not before" };
                format!(", {not_before} {day} if it grows since {since}")
            });
            format!(
                "With {} more a month that is used up after {at_least}{} months{span}{on}.",
                format::share(growth),
                number(months.value)
            )
        } else {
            "It is used up already.".to_owned()
        });
    }
    said
}

/// That the traffic of a run is far from even, and how much comes when most does: bins of a run's course differ by chance too, which many
/// replications leave little of.
fn uneven(report: &Report, policy: &PolicyReport) -> Option<String> {
    /// The share of the mean, and the errors of a bin's mean, by which the busiest bin must be above.
    const NOTABLE: f64 = 0.25;
    const SURE: f64 = 6.0;
    let until = |at: usize| policy.series.get(at).map_or(0.0, |bin| bin.until);
    let bins = policy.series.iter().enumerate();
    let bins = bins.map(|(at, bin)| (bin.arrivals, bin.until - if at > 0 { until(at - 1) } else { 0.0 }));
    let bins: Vec<(f64, f64)> = bins.filter(|(rate, wide)| rate.is_finite() && *wide > 0.0).collect();
    let (came, time) = (bins.iter()).fold((0.0, 0.0), |(came, time), (rate, wide)| {
        (came + rate * wide, time + wide)
    });
    let (busiest, wide) = bins.into_iter().reduce(|a, b| if b.0 > a.0 { b } else { a })?;
    let mean = came / time;
    let error = (mean / (wide * report.replications_finished as f64)).sqrt();
    let is_uneven = busiest > (1.0 + NOTABLE) * mean && busiest - mean > SURE * error;
    let rate = |x: f64| format::value(crate::words::Unit::PerSecond, x);
    is_uneven.then(|| {
        format!(
            "Traffic is uneven then: {} in the mean of the {} that are counted, {} in the busiest {}.",
            rate(mean),
            format::span(time),
            rate(busiest),
            format::span(wide)
        )
    })
}

/// The day so many months after another, a month being the twelfth part of a year; nothing beyond a century.
fn used_up(since: &str, months: f64) -> Option<String> {
    const DAYS: f64 = 365.2425 / 12.0;
    let is_near = (0.0..=1200.0).contains(&months);
    let days = days_of(since).filter(|_| is_near)?;
    Some(date(days + libm::round(months * DAYS) as i64))
}

/// What changes the verdict.
fn warnings(all: &Capacities, capacity: &Capacity, found: &Found, count: Count, beside: Beside<'_>) -> Vec<String> {
    let name = &capacity.policy;
    let mut said = Vec::new();
    let is_traffic = matches!(count, Count::Traffic(_));
    let value = |x: f64| format::value(all.unit, count.of(&found.points, x));
    if let Some((fails, holds)) = found.turns {
        said.push(format!(
            "{name}: the response is not monotone: at {} an objective fails, and at {} all hold again; the capacity is the first",
            value(fails),
            value(holds)
        ));
    }
    match &found.end {
        End::Found if found.interval.is_none() => said.push(format!(
            "{name}: no interval, because the replications cannot tell how the objective goes with the load: more or longer ones may"
        )),
        End::Found if !found.is_precise => said.push(format!(
            "{name}: the interval is wider than {} of the capacity: more requests (--budget) or longer replications make it narrower",
            format::share(all.precision)
        )),
        End::Outgrown(Excess::Refused(why)) => said.push(format!("{name}: beyond it is infeasible here: {why}")),
        End::Outgrown(Excess::Growing) => said.push(format!(
            "{name}: no objective feels the load: beyond this every objective still holds in a run of this length, while requests pile up and \
             wait ever longer. Give an objective on a time, such as e2e.p95"
        )),
        End::Unjudged(_) => said.push(format!("{name}: an objective has no value under it, so that nothing can be judged")),
        End::Nowhere if (found.points.first()).is_some_and(|seen| is_traffic && seen.requests < 4.0 * HARDLY_ANY) => {
            said.push(format!(
                "{name}: with less traffic a replication has hardly any requests: a longer `plan.duration` has more"
            ));
        }
        End::Found | End::Unfelt | End::Beyond | End::Nowhere | End::Never(_) | End::Spent | End::Stopped => {}
    }
    let there = (beside.there).and_then(|report| Some((report, report.policies.iter().find(|of| of.name == *name)?)));
    said.extend(there.and_then(|(report, policy)| super::burst::warning(all, capacity, report, policy)));
    if let Some(report) = beside.there.or(beside.today) {
        said.extend(report.told());
    }
    said
}
