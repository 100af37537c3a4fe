//! What a run says of a month: the figure, a bound, or the reason why it says nothing.
//!
//! A month is thirty days. What a run costs, times the number of such runs in a month, is what a month costs only if the run
//! covers what gives its parts a course: windows of budgets, quotas by the day, the time of day, prices by the hour, and what
//! comes once (an outage, a roll-out). A run *covers* a period if it counts whole ones, give or take 2 % of the run.
//!
//! - Something that comes once is in a month as often as in a run of thirty days: a shorter run that it falls into says nothing.
//! - A budget or a quota that a whole window would not reach at the run's rate has no part in it. One that it would: a budget that
//!   stops everything lets through, in each window of a month, its own amount and what is under way when it is spent. That is
//!   a bound, and is given as one. Any other says nothing.
//! - Capacity that is reserved costs the same in every hour, whatever else is so.
//!
//! Tokens are weighed for quotas as they are billed, and twice, because quotas reserve more than is used. Left out: quotas of
//! an hour and less once the run is as long as they are.

use std::fmt::Write as _;

use super::alike::Alike;
use super::figures::MONTH_DAYS;
use super::passes::Pooled;
use crate::client::budget::Allowance;
use crate::engine::scenario::Scenario;
use crate::engine::tally::{BudgetTally, ProviderTally, Tally};
use crate::experiment::assemble::{Measure, Source};
use crate::kernel::time::{Span, Time};
use crate::provider::limits::{Limit, Unit};
use crate::report::{Code, Measured, format};
use crate::words::metric::Quantity;
use crate::words::{Course, Lasts};

const HOUR: Span = Span::from_secs(3600);
/// The month that is spoken of.
const MONTH: Span = Span::from_secs(MONTH_DAYS as u64 * 86_400);
/// The part of a limit from which on a window at the run's rate may reach it.
const NEAR: f64 = 0.9;

/// What the runs of one policy say of its month.
#[derive(Debug)]
pub(super) struct Month {
    says: Says,
    /// Why figures by request are not those of a month either.
    partial: Option<String>,
    /// By lens, whether it looks at all the time that is counted.
    whole: Vec<bool>,
    /// What figures of it take to be alike.
    alike: Alike,
}

/// What is said of the cost of a month.
#[derive(Debug)]
enum Says {
    /// The cost of the run, as often as it fits into a month.
    Figure,
    /// At most that, what is billed for attempts taken times `attempts`.
    AtMost { attempts: f64, why: String },
    /// Nothing, and why.
    Nothing(String),
}

/// A budget or a quota that a whole window may reach, of which the run does not count whole ones.
struct Cap<'a> {
    what: String,
    window: Span,
    /// The budget, if it is one that stops everything.
    stops: Option<(&'a Allowance, &'a BudgetTally)>,
}

impl Month {
    /// What `scenario` says of a month by the sum of its replications.
    pub(super) fn of(scenario: &Scenario, sum: &Tally) -> Month {
        let counted = scenario.window.counted();
        let caps = caps(scenario, sum, counted);
        let partial = caps.first().map(|cap| cap.partial(counted));
        let says = match hindrance(scenario, counted) {
            _ if sum.requests() == 0 && sum.cost() == 0 => Says::Nothing("no request came".into()),
            Some(why) => Says::Nothing(why),
            None => bound(&caps, sum, counted),
        };
        let (from, until) = (scenario.window.warmup, scenario.window.end);
        let whole = scenario
            .lenses
            .iter()
            .map(|lens| lens.from <= from && lens.until >= until);
        Month {
            says,
            partial,
            whole: whole.collect(),
            alike: Alike::of(scenario, sum),
        }
    }

    /// What the cost of attempts is taken times, beside the number of such runs in a month; nothing if nothing is said.
    pub(super) fn attempts(&self) -> Option<f64> {
        match &self.says {
            Says::Figure => Some(1.0),
            Says::AtMost { attempts, .. } => Some(*attempts),
            Says::Nothing(_) => None,
        }
    }

    /// Whether a month is said to cost what the runs cost, as often as they fit into it.
    pub(super) fn is_figure(&self) -> bool {
        matches!(self.says, Says::Figure)
    }

    /// Why figures by request are not those of a month: a budget or a quota of which the run sees a part of a window.
    pub(super) fn partial(&self) -> Option<&str> {
        self.partial.as_deref()
    }

    /// Corrects every figure of a month that `pooled` has gathered for `measures`, in their order.
    pub(super) fn correct(&self, measures: &[Measure], pooled: &mut Pooled) {
        for (i, measure) in measures.iter().enumerate() {
            if !self.is_corrected(measure) {
                continue;
            }
            let attempts = match measure.metric.quantity() {
                // A bound on what is spent bounds nothing of what is saved.
                Quantity::SavedPerMonth if !matches!(self.says, Says::Figure) => None,
                _ => self.attempts(),
            };
            let factor = attempts.map(|attempts| {
                let (all, standing) = parts(&pooled.tally, &measure.source);
                if all > 0.0 {
                    (attempts * (all - standing) + standing) / all
                } else {
                    1.0
                }
            });
            pooled.gathered.correct(i, factor);
        }
    }

    /// Whether the figure is of a month as it comes. One of a named window asks for a month that is like the window throughout.
    fn is_corrected(&self, measure: &Measure) -> bool {
        let is_whole = match measure.source {
            Source::All | Source::Classes(_) => true,
            Source::Lens(lens) => self.whole[lens],
        };
        is_whole
            && matches!(
                measure.metric.quantity(),
                Quantity::CostPerMonth | Quantity::SavedPerMonth
            )
    }

    /// Says of each figure what it leaves out of a month, and what it takes to be alike in it; `code` is the currency, if not the dollar.
    pub(super) fn note(&self, measures: &[Measure], measured: &mut [Measured], code: Option<Code>) {
        for (measure, measured) in measures.iter().zip(measured) {
            let why = match measure.metric.quantity() {
                Quantity::CostPerMonth | Quantity::SavedPerMonth if self.is_corrected(measure) => match &self.says {
                    Says::Figure => None,
                    Says::AtMost { why, .. } | Says::Nothing(why) => Some(why),
                },
                Quantity::ErrorRate
                | Quantity::Share
                | Quantity::CacheHits
                | Quantity::CostPer1k
                | Quantity::CostPer1kAnswers
                | Quantity::Throughput
                | Quantity::Goodput
                | Quantity::DialogueFailures
                | Quantity::CostPerDialogue => self.partial.as_ref(),
                Quantity::CostPerMonth
                | Quantity::SavedPerMonth
                | Quantity::Ttft
                | Quantity::E2e
                | Quantity::Wait
                | Quantity::Tpot
                | Quantity::AttemptsPerRequest
                | Quantity::DialogueTime
                | Quantity::TurnsPerDialogue
                | Quantity::Quality
                | Quantity::Attempts => None,
            };
            let is_told = matches!(self.says, Says::Figure | Says::AtMost { .. }) && self.is_corrected(measure);
            let alike = is_told.then(|| self.alike.note(measured, code)).flatten();
            let why: Vec<String> = why.cloned().into_iter().chain(alike).collect();
            if why.is_empty() {
                continue;
            }
            let why = why.join("; ");
            measured.note = Some(match measured.note.take() {
                Some(own) if measured.estimate.value.is_finite() => format!("{why}; {own}"),
                Some(_) | None => why,
            });
        }
    }
}

/// All that a part of the traffic costs, and what of it is reserved capacity.
fn parts(sum: &Tally, source: &Source) -> (f64, f64) {
    let (all, standing) = match source {
        Source::All => (sum.cost(), sum.providers.iter().map(|p| p.reserved).sum()),
        Source::Classes(some) => (some.iter().map(|&class| sum.classes[class].cost).sum(), 0),
        &Source::Lens(lens) => {
            let lens = &sum.lenses[lens];
            (lens.cost + lens.reserved, lens.reserved)
        }
    };
    (all as f64, standing as f64)
}

/// Whether a run that counts so long counts whole periods.
pub(super) fn covers(counted: Span, period: Span) -> bool {
    let over = counted.nanos() % period.nanos().max(1);
    counted >= period && over <= counted.nanos() / 50
}

/// Why a run that counts so long says nothing of a month, if something besides budgets and quotas stands against it.
fn hindrance(scenario: &Scenario, counted: Span) -> Option<String> {
    let mut courses: Vec<(Course, Option<&str>)> = Vec::new();
    for deployment in scenario.fleet.iter() {
        let provider = &deployment.provider;
        let of = provider.faults.iter().filter_map(|fault| fault.course());
        courses.extend(of.chain(provider.price.course()).map(|c| (c, Some(&*provider.name))));
    }
    courses.extend(scenario.policy.courses().into_iter().map(|course| (course, None)));
    let of_streams = scenario.traffic.streams.iter();
    courses.extend(of_streams.filter_map(|stream| Some((stream.arrivals.course()?, stream.name.as_deref()))));
    let named = |course: &Course, of: Option<&str>| match of {
        Some(provider) => format!("{} of {provider}", course.what),
        None => course.what.clone(),
    };
    let falls_in = |from: Time, until: Time| from < scenario.window.end && until > scenario.window.warmup;
    let mut longest: Option<(Span, String)> = None;
    for (course, of) in &courses {
        match course.lasts {
            Lasts::Once(from, until) if falls_in(from, until) && !covers(counted, MONTH) => {
                let times = (MONTH.seconds() / counted.seconds()).round();
                if times < 2.0 {
                    return Some(format!(
                        "there is {} in the {} that are counted, which are not whole months of 30 days: count whole ones",
                        named(course, *of),
                        format::span(counted.seconds()),
                    ));
                }
                return Some(format!(
                    "there is {} in the {} that are counted, and a month of these would have {}",
                    named(course, *of),
                    format::span(counted.seconds()),
                    format::count(times as u64),
                ));
            }
            Lasts::Grows if !covers(counted, MONTH) => {
                return Some(format!(
                    "with {} no month is like another, and the run counts {}: count whole ones of 30 days, of which the mean is told",
                    named(course, *of),
                    format::span(counted.seconds()),
                ));
            }
            Lasts::Repeats(period) if !covers(counted, period) => {
                if longest.as_ref().is_none_or(|(longest, _)| period > *longest) {
                    longest = Some((period, named(course, *of)));
                }
            }
            Lasts::Once(..) | Lasts::Repeats(_) | Lasts::Grows => {}
        }
    }
    longest.map(|(period, what)| {
        format!(
            "{what} repeats every {}, and the run counts {} of that: count whole ones",
            period_in_words(period),
            held(counted, period)
        )
    })
}

/// The budgets and the quotas that a whole window may reach, of which the run does not count whole ones: budgets first.
fn caps<'a>(scenario: &'a Scenario, sum: &'a Tally, counted: Span) -> Vec<Cap<'a>> {
    let mut caps = Vec::new();
    for (allowance, tally) in scenario.client.allowances.iter().zip(&sum.budgets) {
        if !covers(counted, allowance.window)
            && (tally.spent > 0 || allowance.each.is_none() && may_be_spent(allowance, sum))
        {
            caps.push(Cap {
                what: format!("its budget of {}", allowance.budget),
                window: allowance.window,
                stops: allowance.stops_all.then_some((allowance, tally)),
            });
        }
    }
    let mut quotas = |whose: &str, limits: &[Box<dyn Limit>], on: &dyn Fn(usize) -> bool| {
        let attempts = (sum.providers.iter().enumerate()).filter_map(|(i, provider)| on(i).then_some(provider));
        let attempts: Vec<&ProviderTally> = attempts.collect();
        for limit in limits {
            let Some((most, window)) = limit.window() else { continue };
            let is_seen = counted >= window && (window <= HOUR || covers(counted, window));
            if !is_seen && used(limit.unit(), &attempts) * windows(window, sum) >= NEAR * most as f64 {
                caps.push(Cap {
                    what: format!(
                        "the quota of {} {} {} of {whose}",
                        format::count(most),
                        limit.unit().words(),
                        each(window)
                    ),
                    window,
                    stops: None,
                });
            }
        }
    };
    for (i, deployment) in scenario.fleet.iter().enumerate() {
        let provider = &deployment.provider;
        quotas(&provider.name, &provider.limits, &|other| other == i);
    }
    for (i, account) in scenario.accounts.iter().enumerate() {
        quotas(&account.name, &account.limits, &|p| {
            scenario.fleet[p].provider.account == Some(i)
        });
    }
    caps
}

/// What attempts used of a quota, as far as their bills say: tokens twice, because quotas reserve more than is used.
fn used(unit: Unit, providers: &[&ProviderTally]) -> f64 {
    let sum = |of: &dyn Fn(&ProviderTally) -> u128| providers.iter().map(|p| of(p)).sum::<u128>() as f64;
    match unit {
        Unit::Requests => sum(&|p| p.outcomes.iter().map(|&n| u128::from(n)).sum()),
        Unit::Tokens => 2.0 * sum(&|p| p.input + p.output),
        Unit::InputTokens => 2.0 * sum(&|p| p.input),
        Unit::OutputTokens => 2.0 * sum(&|p| p.output),
        Unit::Concurrent => 0.0,
    }
}

/// How many times what is counted, over all replications, fits into `window`.
fn windows(window: Span, sum: &Tally) -> f64 {
    window.nanos() as f64 / sum.counted as f64
}

/// Whether a whole window at the run's rate comes near the budget.
fn may_be_spent(allowance: &Allowance, sum: &Tally) -> bool {
    let (money, tokens) = spend(allowance, sum);
    let reaches = |spend: f64, most: f64| spend * windows(allowance.window, sum) >= NEAR * most;
    allowance.money.is_some_and(|most| reaches(money, most as f64))
        || allowance.tokens.is_some_and(|most| reaches(tokens, most as f64))
}

/// What was spent of a budget, in pico-dollars and in tokens, by all replications while they counted.
fn spend(allowance: &Allowance, sum: &Tally) -> (f64, f64) {
    let counting = sum
        .providers
        .iter()
        .zip(&allowance.counts)
        .filter(|(_, counts)| **counts);
    let (money, tokens) = counting.fold((0, 0), |(money, tokens), (p, _)| {
        (money + p.cost, tokens + p.input + p.output)
    });
    (money as f64, tokens as f64)
}

/// What caps leave to be said.
fn bound(caps: &[Cap<'_>], sum: &Tally, counted: Span) -> Says {
    // Pico-dollars for the attempts of all replications.
    let attempts: u128 = sum.providers.iter().map(|p| p.cost).sum();
    let in_a_month = attempts as f64 * windows(MONTH, sum);
    let mut least: Option<(f64, &Cap<'_>)> = None;
    for cap in caps {
        let Some((allowance, tally)) = cap.stops else {
            return Says::Nothing(cap.partial(counted));
        };
        let (money, tokens) = spend(allowance, sum);
        let of_money = (allowance.money).map(|most| most.max(tally.most_money) as f64);
        let of_tokens = (allowance.tokens)
            .map(|most| most.max(tally.most_tokens) as f64 * money / tokens)
            .filter(|bound| bound.is_finite());
        let Some(window) = of_money.into_iter().chain(of_tokens).reduce(f64::min) else {
            return Says::Nothing(cap.partial(counted));
        };
        let bound = window * (MONTH.nanos() as f64 / cap.window.nanos() as f64);
        // Without a spent budget, the run's own rate is a bound too.
        let bound = if tally.spent > 0 { bound } else { bound.min(in_a_month) };
        if least.as_ref().is_none_or(|(least, _)| bound < *least) {
            least = Some((bound, cap));
        }
    }
    match least {
        None => Says::Figure,
        Some((_, cap)) if in_a_month <= 0.0 => Says::Nothing(cap.partial(counted)),
        Some((bound, cap)) => Says::AtMost {
            attempts: bound / in_a_month,
            why: cap.at_most(counted),
        },
    }
}

impl Cap<'_> {
    /// Why figures are not those of a month.
    fn partial(&self, counted: Span) -> String {
        let mut why = format!(
            "the run counts {} of a window of {}",
            held(counted, self.window),
            self.what
        );
        if let Some((_, tally)) = self.stops
            && tally.spent > 0
        {
            let after = tally.time as f64 / 1e9 / tally.spent as f64;
            let _ = write!(why, ", which was spent after {}", clock(after));
        }
        why + ": whole windows have another figure"
    }

    /// What bounds the figure.
    fn at_most(&self, counted: Span) -> String {
        format!(
            "at most: what {} and the attempts under way when it is spent let through; the run counts {} of a window",
            self.what,
            held(counted, self.window)
        )
    }
}

/// How much of a period a run counts: `1/24`, `4.2 %`, `1.5`.
fn held(counted: Span, period: Span) -> String {
    let part = counted.seconds() / period.seconds();
    let times = (1.0 / part).round();
    if part >= 1.0 {
        format!("{:.2}", part)
            .trim_end_matches('0')
            .trim_end_matches('.')
            .to_owned()
    } else if (part * times - 1.0).abs() < 1e-6 {
        format!("1/{times}")
    } else {
        format::tick(crate::report::Unit::Share, part)
    }
}

/// For each of a period, in words: `a day`, `in 5 h`.
fn each(period: Span) -> String {
    match period_in_words(period).as_str() {
        "hour" => "an hour".to_owned(),
        word @ ("day" | "week") => format!("a {word}"),
        other => format!("in {other}"),
    }
}

/// A period in words: a day and an hour are called so.
fn period_in_words(period: Span) -> String {
    match period.nanos() / 1_000_000_000 {
        86_400 => "day".to_owned(),
        3600 => "hour".to_owned(),
        604_800 => "week".to_owned(),
        _ => format::span(period.seconds()),
    }
}

/// A time of a run to the second: `16 min 40 s`.
pub(super) fn clock(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60);
    match (hours, minutes) {
        (0, 0) => format::span(seconds),
        (0, _) => format!("{minutes} min {rest} s"),
        _ => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_periods_are_covered_and_many_of_them() {
        let day = Span::from_secs(86_400);
        let hours = |h: u64| Span::from_secs(3600 * h);
        let covered = [1, 23, 24, 25, 36, 48, 49, 24 * 60 + 12].map(|h| covers(hours(h), day));
        assert_eq!(covered, [false, false, true, false, false, true, false, true]);
    }

    #[test]
    fn parts_of_a_window_are_told_as_a_person_would() {
        let hours = |h: u64| Span::from_secs(3600 * h);
        assert_eq!(held(hours(1), hours(24)), "1/24");
        assert_eq!(held(hours(36), hours(24)), "1.5");
        assert_eq!(held(hours(5), hours(24)), "20.8 %");
        assert_eq!([1000.0, 8.5, 7260.0].map(clock), ["16 min 40 s", "8.5 s", "2 h 1 min"]);
    }
}
