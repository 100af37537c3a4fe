//! The figures of a run: for each target, and for each step of a ladder.
//!
//! Latencies count from when a probe was due, so that the prober's own delay is in them; quantiles have intervals from
//! order statistics, and are left out where the sample is too small for one ([`crate::stats::order`]). Warm-up probes
//! are not counted. A ladder's slow-down begins at the first step whose median TTFT is [`SLOWER`] times that of the
//! first step, with disjoint intervals.

use std::collections::BTreeMap;

use super::journal::Kept;
use super::money::Dollars;
use super::plan::{Finding, Mode, Plan};
use super::run::Fate;
use crate::calibrate::probe::Probe;
use crate::report::table::{Cell, Table, Tone};
use crate::report::{Unit, format};
use crate::stats::critical::Confidence;
use crate::stats::interval::wilson;
use crate::stats::order::{Quantile, quantile};
use crate::words::Outcome;

/// The ratio of medians from which on a step counts as slowed down.
pub const SLOWER: f64 = 1.5;

/// The figures of a run.
#[derive(Debug)]
pub struct Summary {
    /// A table of the targets.
    pub targets: Table,
    /// The name of each target of a ladder or a search for capacity, and a table of its steps.
    pub ladders: Vec<(String, Table)>,
    /// Remarks in sentences: errors, onsets, what was left out.
    pub notes: Vec<String>,
    /// The 95th percentile of the prober's own delay, in seconds.
    pub dispatch_p95: Option<f64>,
    /// Whether any probe succeeded.
    pub any_success: bool,
    /// Probes that were not sent because of the bound on cost.
    pub unaffordable: u64,
}

/// Summarises what `kept` holds of `plan`; `fates` says what else became of its targets.
pub fn summarise(plan: &Plan, kept: &Kept, fates: &[Fate]) -> Summary {
    let probes = &kept.probes;
    let counted: Vec<&Probe> = probes.iter().filter(|probe| !probe.warmup).collect();
    let mut targets = Table::new("target");
    for (group, title) in [
        ("", "probes"),
        ("", "ok"),
        ("TTFT from when due", "p50"),
        ("TTFT from when due", "p95"),
        ("TTFT from when due", "p99"),
        ("TPOT", "p50"),
        ("TPOT", "p95"),
        ("E2E from when due", "p50"),
        ("E2E from when due", "p95"),
        ("tokens", "in"),
        ("tokens", "out"),
        ("", "cost"),
        ("", "dispatch p95"),
    ] {
        targets.column(group, title);
    }
    let mut notes = Vec::new();
    let mut ladders = Vec::new();
    for (i, target) in plan.targets.iter().enumerate() {
        let own: Vec<&Probe> = counted.iter().copied().filter(|p| p.target == target.name).collect();
        targets.row(&target.name, row(&own, probes, &target.name));
        told(&target.name, &own, fates.get(i), &mut notes);
        match &plan.mode {
            Mode::Ladder(rates) => {
                ladders.push((target.name.clone(), ladder(&target.name, &own, rates, plan, &mut notes)));
            }
            Mode::Find(finding) => ladders.push((target.name.clone(), levels(&own, finding))),
            Mode::Open | Mode::Closed(..) => {}
        }
    }
    billed(plan, kept, &mut notes);
    let mut dispatch: Vec<u64> = counted.iter().map(|probe| probe.dispatch_us).collect();
    Summary {
        targets,
        ladders,
        notes,
        dispatch_p95: rank(&mut dispatch, 0.95).map(seconds),
        any_success: probes.iter().any(|probe| probe.outcome.0 == Outcome::Success),
        unaffordable: fates.iter().map(|fate| fate.unaffordable).sum(),
    }
}

/// Adds remarks on money that the table does not show.
fn billed(plan: &Plan, kept: &Kept, notes: &mut Vec<String>) {
    let lost = kept.lost;
    if lost.probes > 0 {
        notes.push(format!(
            "{} probes were under way when an earlier part of this run was killed: they count at the most that they can have \
             cost, {}, and were due again",
            format::count(lost.probes),
            Dollars(lost.worst_pd)
        ));
    }
    let costs = kept.probes.iter().map(|probe| probe.cost_pd);
    let spent = costs.fold(lost.worst_pd, u64::saturating_add);
    if spent > plan.max_cost {
        let wordy = |probe: &&Probe| probe.usage.is_some_and(|usage| usage.output > probe.max_output);
        let why = match kept.probes.iter().filter(wordy).count() {
            0 => String::new(),
            n => format!(": by their usage {n} answers are longer than the max_tokens that they were given"),
        };
        notes.push(format!(
            "{} were billed, more than the bound of {}{why}",
            Dollars(spent),
            Dollars(plan.max_cost)
        ));
    }
}

fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

/// The value at the rank of a quantile, however few the values.
fn rank(values: &mut [u64], q: f64) -> Option<u64> {
    values.sort_unstable();
    let rank = (q * values.len() as f64).ceil() as usize;
    values.get(rank.saturating_sub(1)).copied()
}

fn confidence() -> Confidence {
    Confidence::default()
}

/// The quantile, with its interval, of the values of the probes that have one.
fn estimated(probes: &[&Probe], of: impl Fn(&Probe) -> Option<u64>, q: f64) -> Option<Quantile<u64>> {
    let mut values: Vec<u64> = probes.iter().filter_map(|probe| of(probe)).collect();
    values.sort_unstable();
    quantile(&values, q, confidence())
}

/// A cell with a quantile and its interval, or the reason why there is none.
fn cell(found: Option<Quantile<u64>>) -> Cell {
    let text = |us: u64| format::value(Unit::Seconds, seconds(us));
    match found {
        Some(q) => Cell::new(text(q.value)).tail(format!("[{}, {}]", text(q.lo), text(q.hi))),
        None => Cell::new("not estimable").tone(Tone::Dim),
    }
}

fn succeeded(probe: &Probe) -> bool {
    probe.outcome.0 == Outcome::Success
}

fn ttft(probe: &Probe) -> Option<u64> {
    probe
        .first_content_us
        .filter(|_| succeeded(probe))
        .map(|us| us + probe.dispatch_us)
}

fn e2e(probe: &Probe) -> Option<u64> {
    succeeded(probe).then_some(probe.end_us + probe.dispatch_us)
}

/// Time per output token after the first in microseconds, by the tokens of usage; reasoning tokens count too.
fn tpot(probe: &Probe) -> Option<u64> {
    let first = [probe.first_content_us, probe.first_reasoning_us]
        .into_iter()
        .flatten()
        .min()?;
    let after = u64::from(probe.usage?.output.checked_sub(1)?);
    let took = probe.last_token_us?.checked_sub(first)?;
    (succeeded(probe) && after > 0).then(|| took / after)
}

fn row(own: &[&Probe], all: &[Probe], name: &str) -> Vec<Cell> {
    let ok = own.iter().filter(|probe| succeeded(probe)).count() as u64;
    let tokens = |of: fn(&crate::calibrate::probe::Usage) -> u32| {
        let sum = own
            .iter()
            .filter_map(|probe| probe.usage.as_ref())
            .map(|usage| u64::from(of(usage)))
            .sum();
        Cell::new(format::count(sum))
    };
    // Warm-up probes are billed too.
    let cost = all
        .iter()
        .filter(|probe| probe.target == name)
        .map(|probe| probe.cost_pd);
    let mut dispatch: Vec<u64> = own.iter().map(|probe| probe.dispatch_us).collect();
    let (lo, hi) = wilson(ok, own.len() as u64, confidence());
    vec![
        Cell::new(format::count(own.len() as u64)),
        Cell::new(format::count(ok)).tail(format!("[{}, {}]", format::share(lo), format::share(hi))),
        cell(estimated(own, ttft, 0.5)),
        cell(estimated(own, ttft, 0.95)),
        cell(estimated(own, ttft, 0.99)),
        cell(estimated(own, tpot, 0.5)),
        cell(estimated(own, tpot, 0.95)),
        cell(estimated(own, e2e, 0.5)),
        cell(estimated(own, e2e, 0.95)),
        tokens(|usage| usage.input),
        tokens(|usage| usage.output),
        Cell::new(Dollars(cost.fold(0, u64::saturating_add)).to_string()),
        Cell::new(
            rank(&mut dispatch, 0.95).map_or(format::NONE.into(), |us| format::value(Unit::Seconds, seconds(us))),
        ),
    ]
}

/// Adds remarks on one target.
fn told(name: &str, own: &[&Probe], fate: Option<&Fate>, notes: &mut Vec<String>) {
    let mut errors: BTreeMap<Outcome, (u64, Option<&str>)> = BTreeMap::new();
    for probe in own.iter().filter(|probe| !succeeded(probe)) {
        let entry = errors.entry(probe.outcome.0).or_insert((0, probe.error.as_deref()));
        entry.0 += 1;
    }
    for (outcome, (count, words)) in errors {
        let words = words.map(|words| format!(" (the first: {words})")).unwrap_or_default();
        notes.push(format!("{name}: {count} × {}{words}", outcome.name()));
    }
    if let Some(first) = estimated(
        own,
        |probe| probe.first_reasoning_us.map(|us| us + probe.dispatch_us),
        0.5,
    ) {
        notes.push(format!(
            "{name}: reasoning begins before content, after {} at the median; TTFT is that of content",
            format::value(Unit::Seconds, seconds(first.value))
        ));
    }
    let answered: Vec<&&Probe> = own.iter().filter(|probe| succeeded(probe)).collect();
    let silent = answered.iter().filter(|probe| probe.usage.is_none()).count();
    if silent > 0 {
        notes.push(format!(
            "{name}: {silent} answers said nothing of usage: they count at the most that they may have cost, and have no TPOT"
        ));
    }
    let sums = answered.iter().filter_map(|probe| Some((probe.usage?, probe)));
    let (planned, counted, chunks, output) = sums.fold((0, 0, 0, 0), |(p, c, k, o), (usage, probe)| {
        let chunks = k + u64::from(probe.chunks);
        (
            p + u64::from(probe.input_planned),
            c + u64::from(usage.input),
            chunks,
            o + u64::from(usage.output),
        )
    });
    if planned > 0 && counted.abs_diff(planned) * 10 > planned {
        notes.push(format!(
            "{name}: {} input tokens by usage where {} were planned (a word was taken for a token; usage is the truth)",
            format::count(counted),
            format::count(planned)
        ));
    }
    if chunks > 0 && chunks != output {
        notes.push(format!(
            "{name}: {} chunks carried {} output tokens: a chunk is not a token here",
            format::count(chunks),
            format::count(output)
        ));
    }
    let Some(fate) = fate else { return };
    if fate.skipped > 0 {
        notes.push(format!(
            "{name}: {} probes were not sent, because they were due while a 429 asked for a pause",
            format::count(fate.skipped)
        ));
    }
    if fate.unaffordable > 0 {
        notes.push(format!(
            "{name}: {} probes were not sent, because they could have taken the bill over the bound (until it has ended a probe \
             counts at its worst: a token for each byte of its prompt, and all of its max_tokens)",
            format::count(fate.unaffordable)
        ));
    }
    fate.found
        .iter()
        .for_each(|found| notes.push(format!("{name}: {found}")));
    if let Some(why) = &fate.left_alone {
        notes.push(format!("{name}: left alone before its time: {why}"));
    }
}

fn ladder(name: &str, own: &[&Probe], rates: &[f64], plan: &Plan, notes: &mut Vec<String>) -> Table {
    let mut table = Table::new("step");
    for (group, title) in [
        ("a second", "offered"),
        ("a second", "sent"),
        ("a second", "answered"),
        ("", "429"),
        ("", "other errors"),
        ("TTFT from when due", "p50"),
        ("TTFT from when due", "p95"),
    ] {
        table.column(group, title);
    }
    let within = match &plan.spec.load {
        Some(super::spec::LoadSpec::Ladder { step, .. }) => step.span().seconds(),
        Some(_) | None => 0.0,
    };
    let mut medians = Vec::new();
    let mut refused = None;
    for (i, rate) in rates.iter().enumerate() {
        let step: Vec<&Probe> = own.iter().copied().filter(|probe| probe.step == i as u32).collect();
        if step.is_empty() {
            break;
        }
        let count = |of: fn(Outcome) -> bool| step.iter().filter(|probe| of(probe.outcome.0)).count() as f64;
        let ok = count(|outcome| outcome == Outcome::Success);
        let limited = count(|outcome| outcome == Outcome::RateLimited);
        let all = step.len() as f64;
        // A step that ended early lasted as long as its probes.
        let times = step.iter().map(|probe| probe.due_us);
        let lasted = seconds(times.clone().max().unwrap_or(0) - times.min().unwrap_or(0));
        let lasted = if (all / rate) < within * 0.8 {
            lasted.max(1.0 / rate)
        } else {
            within
        };
        let per_second = |n: f64| Cell::new(format::value(Unit::PerSecond, n / lasted));
        let share = |n: f64| Cell::new(format::share(n / all));
        let median = estimated(&step, ttft, 0.5);
        table.row(
            &(i + 1).to_string(),
            [
                Cell::new(format::value(Unit::PerSecond, *rate)),
                per_second(all),
                per_second(ok),
                share(limited).tone(if limited > 0.0 { Tone::Bad } else { Tone::Plain }),
                share(all - ok - limited),
                cell(median),
                cell(estimated(&step, ttft, 0.95)),
            ],
        );
        if limited > 0.0 && refused.is_none() {
            refused = Some((*rate, limited / all));
        }
        medians.push((*rate, median));
    }
    let per_second = |rate: f64| format::value(Unit::PerSecond, rate);
    let short = if within < 60.0 {
        format!(
            "; steps of {} cannot show a quota by the minute, which is spent sooner or later at any rate above it: `--find quota` \
             or steps of 90 s show it",
            format::span(within)
        )
    } else {
        String::new()
    };
    notes.push(match refused {
        Some((rate, share)) => format!(
            "{name}: 429s begin at {} ({} of that step){short}",
            per_second(rate),
            format::share(share)
        ),
        None if !short.is_empty() => format!("{name}: no 429 at any step{short}"),
        None => format!("{name}: no 429 at any step"),
    });
    notes.push(match slow_down(&medians) {
        Some(rate) => format!(
            "{name}: slow-down begins at {}: the median TTFT is at least {SLOWER} times that of the first step, intervals apart",
            per_second(rate)
        ),
        None => format!("{name}: no step's median TTFT is {SLOWER} times that of the first step with their intervals apart"),
    });
    table
}

/// The closed loops of a search for capacity, and what went beyond them.
fn levels(own: &[&Probe], finding: &Finding) -> Table {
    let mut table = Table::new("step");
    for (group, title) in [
        ("", "at once"),
        ("", "probes"),
        ("", "answers a second"),
        ("", "429"),
        ("", "other errors"),
        ("TTFT from when due", "p50"),
        ("TTFT from when due", "p95"),
    ] {
        table.column(group, title);
    }
    let beyond = finding.beyond.iter().map(|beyond| (beyond.step, None));
    let levels = finding
        .levels
        .iter()
        .enumerate()
        .map(|(step, at_once)| (step as u32, Some(*at_once)));
    let mut row = 0;
    for (step, at_once) in levels.chain(beyond) {
        let of: Vec<&Probe> = own.iter().copied().filter(|probe| probe.step == step).collect();
        if of.is_empty() {
            continue;
        }
        row += 1;
        let count = |is: fn(Outcome) -> bool| of.iter().filter(|probe| is(probe.outcome.0)).count() as f64;
        let (ok, limited) = (count(|o| o == Outcome::Success), count(|o| o == Outcome::RateLimited));
        let all = of.len() as f64;
        // Little's law, as the search itself counts; beyond, by the clock.
        let times: Vec<f64> = of.iter().filter(|p| succeeded(p)).map(|p| seconds(p.end_us)).collect();
        let rate = match at_once {
            Some(at_once) => at_once as f64 * ok / times.iter().sum::<f64>(),
            None => {
                let due = of.iter().map(|probe| probe.due_us);
                ok / seconds(due.clone().max().unwrap_or(0) - due.min().unwrap_or(0)).max(1.0)
            }
        };
        table.row(
            &row.to_string(),
            [
                Cell::new(at_once.map_or("by the clock".into(), |n| n.to_string())),
                Cell::new(format::count(of.len() as u64)),
                Cell::new(format::value(Unit::PerSecond, rate)),
                Cell::new(format::share(limited / all)).tone(if limited > 0.0 { Tone::Bad } else { Tone::Plain }),
                Cell::new(format::share((all - ok - limited) / all)),
                cell(estimated(&of, ttft, 0.5)),
                cell(estimated(&of, ttft, 0.95)),
            ],
        );
    }
    table
}

/// The rate at which the slow-down begins, if there is one.
fn slow_down(medians: &[(f64, Option<Quantile<u64>>)]) -> Option<f64> {
    let (_, first) = medians.first()?;
    let first = (*first)?;
    let slower = |q: &Quantile<u64>| q.value as f64 >= SLOWER * first.value as f64 && q.lo > first.hi;
    let step = medians.iter().find(|(_, median)| median.as_ref().is_some_and(slower));
    step.map(|(rate, _)| *rate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::probe::Usage;

    #[test]
    fn tpot_is_by_usage_and_without_the_first_token() {
        let probe = Probe {
            first_content_us: Some(200_000),
            last_token_us: Some(500_000),
            chunks: 3,
            usage: Some(Usage {
                output: 31,
                ..Usage::default()
            }),
            ..Probe::default()
        };
        assert_eq!(tpot(&probe), Some(10_000));
        let thought = Probe {
            first_reasoning_us: Some(100_000),
            ..probe.clone()
        };
        assert_eq!(tpot(&thought), Some(13_333));
        assert_eq!(tpot(&Probe { usage: None, ..probe }), None);
    }

    #[test]
    fn latency_counts_from_when_it_was_due() {
        let probe = Probe {
            dispatch_us: 50,
            first_content_us: Some(100),
            end_us: 200,
            ..Probe::default()
        };
        assert_eq!((ttft(&probe), e2e(&probe)), (Some(150), Some(250)));
    }

    #[test]
    fn a_slow_down_needs_both_distance_and_certainty() {
        let q = |value, lo, hi| Some(Quantile { value, lo, hi });
        let first = (1.0, q(100, 90, 110));
        assert_eq!(
            slow_down(&[first, (2.0, q(149, 140, 160)), (4.0, q(150, 111, 200))]),
            Some(4.0)
        );
        assert_eq!(slow_down(&[first, (2.0, q(200, 110, 300))]), None);
        assert_eq!(slow_down(&[first, (2.0, None)]), None);
        assert_eq!(slow_down(&[(1.0, None), (2.0, q(200, 150, 300))]), None);
    }

    #[test]
    fn ranks_of_few_values() {
        assert_eq!(rank(&mut [], 0.95), None);
        assert_eq!(rank(&mut [7], 0.95), Some(7));
        assert_eq!(rank(&mut (1..=100).rev().collect::<Vec<_>>(), 0.95), Some(95));
    }
}
