//! What a trace shows, in figures, and what of it misleads.

use schemars::JsonSchema;
use serde::Serialize;

use super::counts;
use super::lengths::{self, TOGETHER};
use super::turns::{Turns, turns};
use super::who::{Who, who};
use super::{SECOND, WINDOWS};
use crate::import::trace::Trace;
use crate::kernel::calendar::{has_days, minute_of};
use crate::report::Unit;
use crate::report::format::{self, count, share, span};

const MINUTE: u64 = 60_000_000_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The lengths of a bin of the course, of which the shortest is taken that leaves at most [`BINS`].
const BIN: [u64; 11] = [
    1_000_000_000,
    5_000_000_000,
    10_000_000_000,
    30_000_000_000,
    MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    30 * MINUTE,
    HOUR,
    3 * HOUR,
    DAY,
];
/// The most bins of the course.
const BINS: u64 = 72;

/// The lags of autocorrelation, in windows.
const LAGS: [usize; 4] = [1, 2, 10, 60];

/// A trace in figures.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Description {
    /// The name of the file.
    pub file: String,
    /// The form that the file was recognised as; absent where columns were given.
    pub form: Option<String>,
    /// The number of rows in the file.
    pub rows: u64,
    /// The number of requests that are described.
    pub requests: u64,
    /// The number of rows without an answer, which are left out.
    pub failed: u64,
    /// The number of rows of other values than `--only` asks for, which are left out.
    pub others: u64,
    /// The number of rows that cannot be read, which are left out.
    pub bad: u64,
    /// The number of rows that repeat the time and the lengths of another.
    pub duplicates: u64,
    /// The minute of the first request, in UTC, where the trace has dates.
    pub starts: Option<String>,
    /// The minute of the last request.
    pub ends: Option<String>,
    /// Seconds from the first request to the last.
    pub seconds: f64,
    /// Mean requests a second.
    pub rate: f64,
    /// The step of the clock in seconds: what is finer cannot be told.
    pub clock: f64,
    /// Seconds of a bin of `course`.
    pub bin: f64,
    /// Requests a second in each bin from the first request on.
    pub course: Vec<f64>,
    /// Mean requests a second in each hour of the day: UTC where the trace has dates, counted from the first request where not. Of a day and more.
    pub hours: Option<Vec<f64>>,
    /// The busiest hour, counted from the first request. Of two hours and more.
    pub busiest_hour: Option<Extreme>,
    /// The quietest hour.
    pub quietest_hour: Option<Extreme>,
    /// The busiest minute.
    pub peak_minute: Option<Extreme>,
    /// The busiest second.
    pub peak_second: Option<Extreme>,
    /// The coefficient of variation of gaps between requests: 1 for a Poisson process. Absent where the clock is too coarse.
    pub gap_cv: Option<f64>,
    /// The index of dispersion of counts, by the width of windows.
    pub dispersion: Vec<Dispersed>,
    /// The autocorrelation of counts a second and a minute.
    pub correlation: Vec<Correlated>,
    /// The input tokens of the requests.
    pub input: Lengths,
    /// The output tokens of the requests.
    pub output: Lengths,
    /// The rank correlation (Spearman) of input and output.
    pub together: Option<f64>,
    /// Whose requests they are, where columns are given that say so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub who: Option<Who>,
    /// The conversations that they are turns of, where a column is given that says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turns: Option<Turns>,
    /// What it means for a model, in a sentence.
    pub means: String,
    /// What misleads, in sentences.
    pub warnings: Vec<String>,
}

/// A stretch of time with most or fewest requests.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Extreme {
    /// Seconds from the first request to its beginning.
    pub from: f64,
    /// The number of requests in it.
    pub requests: u64,
}

/// How counts in windows disperse.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Dispersed {
    /// The width of the windows in seconds.
    pub seconds: u64,
    /// The variance of the counts over their mean: 1 for a Poisson process. Absent where there are fewer than ten windows, or they are finer than the clock.
    pub index: Option<f64>,
    /// The lower end of what a Poisson process of as many windows has in 95 of 100 cases.
    pub low: f64,
    /// The upper end of it.
    pub high: f64,
    /// The index about the rate's own course: within every 20 neighbouring windows, about the straight line through them. 1 for a Poisson process
    /// whose rate moves more slowly than that.
    pub about_course: Option<f64>,
    /// Whether that is no more than a Poisson process's, as far as chance allows, or next to nothing of what is above it in all.
    #[serde(skip)]
    pub(super) is_calm: bool,
}

/// How counts hang together with those of later windows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Correlated {
    /// The width of the windows in seconds.
    pub seconds: u64,
    /// The lag in windows.
    pub lag: usize,
    /// The autocorrelation. Absent where there are fewer than four times as many windows.
    pub value: Option<f64>,
    /// What independent counts stay below, in size, in 95 of 100 cases.
    pub chance: f64,
}

/// Lengths of requests in tokens.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Lengths {
    /// The mean number of tokens.
    pub mean: f64,
    /// The coefficient of variation.
    pub cv: f64,
    /// The median number of tokens.
    pub p50: u32,
    /// The 95th percentile.
    pub p95: u32,
    /// The 99th percentile.
    pub p99: u32,
    /// The greatest number of tokens.
    pub max: u32,
    /// The share of requests that have exactly the greatest length.
    pub at_max: f64,
}

impl Lengths {
    fn of(mut all: Vec<u32>) -> Lengths {
        all.sort_unstable();
        let moments: crate::stats::moments::Moments = all.iter().map(|x| f64::from(*x)).collect();
        let mean = lengths::mean(&all);
        let max = all.last().copied().unwrap_or(0);
        Lengths {
            mean,
            cv: moments.variance().unwrap_or(0.0).sqrt() / mean.max(1e-9),
            p50: lengths::quantile(&all, 0.5),
            p95: lengths::quantile(&all, 0.95),
            p99: lengths::quantile(&all, 0.99),
            max,
            at_max: (all.len() - all.partition_point(|x| *x < max)) as f64 / all.len().max(1) as f64,
        }
    }
}

/// What an index of dispersion may be off Poisson's before it matters, however well it is known.
const AS_GOOD: f64 = 0.1;

/// The share of what is above Poisson's variance that may be about the rate's course and is still laid to the course, which jumps.
const OF_COURSE: f64 = 0.05;

/// From which share of requests on a greatest length is called a cap.
const CAP: f64 = 0.002;

/// Describes the trace that was read from `file`.
pub fn describe(file: &str, trace: &Trace) -> Description {
    let times: Vec<u64> = trace.rows.iter().map(|row| row.at.nanos()).collect();
    let pairs: Vec<(u32, u32)> = trace.rows.iter().map(|row| (row.input, row.output)).collect();
    let last = times.last().copied().unwrap_or(0);
    let whole = [(0, last)];
    let facts = &trace.facts;
    let requests = times.len() as u64;
    let seconds = last as f64 / SECOND;
    let finest = facts.step.map_or(facts.resolution.nanos(), |step| step.nanos());
    let bin = BIN
        .into_iter()
        .find(|bin| last / bin < BINS)
        .unwrap_or((last / BINS + 1).div_ceil(DAY) * DAY);
    let mut course = Vec::new();
    counts::walk(&times, &whole, bin, &mut |n, _| {
        course.push(f64::from(n) * SECOND / bin as f64)
    });
    let begins = facts.starts.map(|starts| starts.rem_euclid(i128::from(DAY)) as u64);
    let extreme = |width: u64| {
        let (most, at) = counts::most(&times, &whole, width);
        (last >= 2 * width && width >= finest).then(|| Extreme {
            from: (at * width) as f64 / SECOND,
            requests: u64::from(most),
        })
    };
    let mut quietest: Option<Extreme> = None;
    let mut number = 0_u64;
    counts::walk(&times, &whole, HOUR, &mut |n, _| {
        if quietest.is_none_or(|least| u64::from(n) < least.requests) {
            quietest = Some(Extreme {
                from: (number * HOUR) as f64 / SECOND,
                requests: u64::from(n),
            });
        }
        number += 1;
    });
    let dispersed = |seconds: u64| {
        let width = seconds * SECOND as u64;
        let (low, high) = counts::poisson_range(counts::whole(&whole, width));
        let about = counts::about_course(&times, &whole, width).filter(|_| width >= finest);
        let index = counts::dispersion(&times, &whole, width).filter(|_| width >= finest);
        // What a jump of the rate adds about its course is little beside what it adds about the mean.
        let of_course = 1.0 + OF_COURSE * (index.unwrap_or(1.0) - 1.0);
        let is_calm = about.is_some_and(|(about, windows)| {
            let (_, high) = counts::poisson_range(windows);
            about <= high.max(1.0 + AS_GOOD).max(of_course)
        });
        Dispersed {
            seconds,
            about_course: about.map(|(index, _)| index),
            is_calm,
            index,
            low,
            high,
        }
    };
    let correlated = |seconds: u64| {
        let width = seconds * SECOND as u64;
        let windows = counts::whole(&whole, width).max(1) as f64;
        let values = if width >= finest {
            counts::correlations(&times, (0, last), width, &LAGS)
        } else {
            vec![None; LAGS.len()]
        };
        let each = values.into_iter().zip(LAGS).map(move |(value, lag)| Correlated {
            seconds,
            lag,
            value,
            chance: 1.96 / windows.sqrt(),
        });
        each.collect::<Vec<_>>()
    };
    let minute = |at: u64| {
        let unix = (facts.starts? + i128::from(at)) as f64 / SECOND;
        Some(minute_of(unix))
    };
    let mut description = Description {
        file: file.to_owned(),
        form: facts.form.map(str::to_owned),
        who: who(trace, seconds),
        turns: None,
        rows: facts.read,
        requests,
        failed: facts.failed,
        others: facts.others,
        bad: facts.bad,
        duplicates: facts.duplicates,
        starts: minute(0),
        ends: minute(last),
        seconds,
        // As many gaps as there are, each as long as the others on average.
        rate: if last > 0 { (requests - 1) as f64 / seconds } else { 0.0 },
        clock: finest as f64 / SECOND,
        bin: bin as f64 / SECOND,
        course,
        hours: (last >= DAY).then(|| hours(&times, last, begins.unwrap_or(0))),
        busiest_hour: extreme(HOUR),
        quietest_hour: quietest.filter(|_| last >= 2 * HOUR),
        peak_minute: extreme(MINUTE),
        peak_second: extreme(SECOND as u64),
        gap_cv: counts::gap_cv(&times, &whole).filter(|_| facts.step.is_none()),
        dispersion: WINDOWS.into_iter().map(dispersed).collect(),
        correlation: [1, 60].into_iter().flat_map(correlated).collect(),
        input: Lengths::of(pairs.iter().map(|pair| pair.0).collect()),
        output: Lengths::of(pairs.iter().map(|pair| pair.1).collect()),
        together: lengths::together(&pairs),
        means: String::new(),
        warnings: Vec::new(),
    };
    description.means = means(&description).0;
    description.warnings = warnings(&description, trace);
    description
}

/// Mean requests a second in each hour of the day; `begins` is how far into a day the first request came.
fn hours(times: &[u64], last: u64, begins: u64) -> Vec<f64> {
    let mut seen = [(0_u64, 0.0); 24];
    let mut at = 0;
    while at < last {
        let next = (at + HOUR - (begins + at) % HOUR).min(last);
        let of = &mut seen[((begins + at) % DAY / HOUR) as usize];
        of.0 += counts::within(times, &[(at, next)]);
        of.1 += (next - at) as f64 / SECOND;
        at = next;
    }
    seen.map(|(count, seconds)| count as f64 / seconds).to_vec()
}

/// What it means for a model of arrivals, and whether that is that a Poisson process would be too calm.
fn means(it: &Description) -> (String, bool) {
    let known: Vec<&Dispersed> = it.dispersion.iter().filter(|of| of.index.is_some()).collect();
    let (Some(first), Some(last)) = (known.first(), known.last()) else {
        let said = "too few requests, or too coarse a clock, to tell how they bunch";
        return (said.to_owned(), false);
    };
    let above = |of: &&&Dispersed| of.index.is_some_and(|x| x > of.high && x > 1.1);
    let told = known.iter().find(|of| of.seconds == 10).or(known.first());
    let index = told.and_then(|of| of.index).unwrap_or(1.0);
    let seconds = told.map_or(0, |of| of.seconds);
    let figure = |x: f64| format::value(Unit::Number, x);
    if known
        .iter()
        .all(|of| of.index.is_some_and(|x| (of.low..=of.high).contains(&x)))
    {
        let said = format!(
            "as a Poisson process would have it: its variance over {seconds} s is {} times Poisson's, within what chance allows",
            figure(index)
        );
        return (said, false);
    }
    if known.iter().filter(above).count() == 0 {
        let said = format!(
            "more regular than a Poisson process: {} of its variance over {seconds} s; a Poisson model would overstate bursts",
            share(index)
        );
        return (said, false);
    }
    if known.iter().all(|of| of.is_calm) {
        let about = told.and_then(|of| of.about_course).unwrap_or(1.0);
        let beside = match about {
            x if x < 1.0 - AS_GOOD => ", calmer than Poisson's",
            x if x > 1.0 + AS_GOOD => ", so that nearly all of it is the course",
            _ => ", as chance allows",
        };
        let said = format!(
            "as a Poisson process around a rate that moves: {} times Poisson's variance over {seconds} s, and {} about its course{beside}; a model \
             needs the course, and no bursts",
            figure(index),
            figure(about)
        );
        return (said, false);
    }
    let (narrow, wide, at) = (first.index.unwrap_or(1.0), last.index.unwrap_or(1.0), last.seconds);
    let grows = wide > 3.0 * narrow && at > first.seconds;
    let slow = it.gap_cv.is_some_and(|cv| cv < 1.3) && narrow < 2.0;
    let tail = if grows && slow {
        format!(
            "neighbouring requests are nearly independent, but the rate moves over minutes ({} times over {at} s): a model needs its course",
            figure(wide)
        )
    } else if grows {
        format!(
            "bursts last: {} times over {at} s, so gaps of one law would understate them too",
            figure(wide)
        )
    } else {
        "a Poisson model would understate bursts".to_owned()
    };
    let said = format!(
        "bursty: {} times a Poisson process's variance over {seconds} s; {tail}",
        figure(index)
    );
    (said, !grows)
}

/// Whether the description says that a Poisson process would be too calm.
pub(super) fn is_too_bursty_for_poisson(it: &Description) -> bool {
    means(it).1
}

impl Description {
    /// This description with the conversations of the trace, where what is kept of it as users are these.
    pub fn of_conversations(mut self, trace: &Trace) -> Description {
        self.turns = turns(trace);
        self.warnings.extend(self.turns.as_ref().and_then(Turns::caution));
        if let Some(who) = &mut self.who {
            who.users = None;
        }
        self
    }
}

fn warnings(it: &Description, trace: &Trace) -> Vec<String> {
    let facts = &trace.facts;
    let mut told = Vec::new();
    let spans = span(it.seconds.round());
    if !has_days(it.seconds, 1.0) {
        told.push(format!(
            "it spans {spans}, less than a day: how traffic changes over a day cannot be known from it"
        ));
    } else if !has_days(it.seconds, 7.0) {
        told.push(format!(
            "it spans {spans}, less than a week: weekends and the days of a week cannot be known from it"
        ));
    }
    if it.starts.is_none() && it.seconds >= 86_400.0 {
        told.push(
            "its times have no dates: hours are counted from its first request, whatever the hour was then".to_owned(),
        );
    }
    if facts.has_no_zone && it.seconds >= 86_400.0 {
        told.push(
            "its times name no zone and are taken for UTC: a local clock shifts the hours of day, and repeats one or leaves one out where \
             summer time ends or begins"
                .to_owned(),
        );
    }
    match facts.step {
        Some(step) => told.push(format!(
            "its clock goes in steps of {}: gaps, and counts in anything shorter, cannot be known; the requests of a step were spread over it evenly, which calms counts over a few steps too",
            span((step.seconds() * 100.0).round() / 100.0)
        )),
        None if facts.resolution.seconds() >= 1.0 && it.requests >= 20 => told.push(format!(
            "its times are multiples of {}: what happens within that, and gaps as short, cannot be known",
            span(facts.resolution.seconds())
        )),
        None => {}
    }
    if facts.duplicates as f64 > 0.001 * it.requests as f64 && facts.step.is_none() && facts.resolution.seconds() < 1.0
    {
        let many = count(facts.duplicates);
        told.push(format!(
            "{many} rows repeat the time and both lengths of another: were they logged twice?"
        ));
    }
    if it.failed > 0 {
        told.push(format!(
            "{} of {} rows have no answer and are left out: what they asked for was load too",
            count(it.failed),
            count(it.rows)
        ));
    }
    let capped = |name: &str, of: &Lengths| {
        (of.at_max > CAP && of.cv > 0.0 && it.requests >= 1000 && facts.counted_over.is_none()).then(|| {
            format!(
                "{} of requests have the greatest {name}, {} tokens: it was capped there",
                share(of.at_max),
                count(u64::from(of.max))
            )
        })
    };
    told.extend(capped("input", &it.input));
    told.extend(capped("output", &it.output));
    if let Some(rho) = it.together.filter(|rho| rho.abs() >= TOGETHER) {
        told.push(format!(
            "input and output go together (rank correlation {rho:.2}): a class that draws them apart would not keep that"
        ));
    }
    if it.requests < 1000 {
        told.push(format!(
            "{} requests are few: every figure is uncertain",
            count(it.requests)
        ));
    }
    // What the reader says of rows is said above, but for what is not heeded.
    let heeded = ["rows have no answer", "its times are in steps"];
    let other = trace
        .notes
        .iter()
        .filter(|note| !heeded.iter().any(|of| note.contains(of)));
    told.extend(other.cloned());
    told
}

#[cfg(test)]
mod tests;
