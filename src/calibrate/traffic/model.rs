//! The `traffic` of an experiment, fitted to a trace, and what it is worth.
//!
//! Fitted twice: to every second stretch of the trace, to be held against the stretches between; and to all of it, which is the model that is
//! written. A stretch is a twentieth of the trace, and at most twenty minutes, so that each hour of a day is in both parts.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::cautions::cautions;
use super::counts::{self, Stretches};
use super::describe::{self, Description};
use super::held_out::{self, Check, Whole};
use super::lengths::{self, Class, LawFound};
use super::process::{self, Asked, Candidate, Fineness};
use super::rate::{Clock, Course};
use super::{SECOND, bursts, draw, who};
use crate::experiment::file::{ClassSpec, TrafficSpec};
use crate::form::build::Refusal;
use crate::form::manual::pretty::pretty;
use crate::form::named::Named;
use crate::form::tree::Tree;
use crate::form::units::DAYS;
use crate::import::trace::Trace;
use crate::kernel::calendar::{minute_of, minute_of_week};
use crate::kernel::chance::{Chance, Purpose, unit};
use crate::traffic::arrivals::ArrivalsSpec;

/// Stretches of a trace, of which every second is held out.
const STRETCHES: u64 = 20;
/// The longest stretch.
const LONGEST: u64 = 20 * 60 * 1_000_000_000;
/// Requests below which no model is made.
const FEWEST: usize = 100;

/// A model of a trace's traffic, with its evidence.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Model {
    /// The `traffic` object of an experiment.
    pub traffic: Value,
    /// The `plan.starts` under which its hours are the trace's own, where it goes by them.
    pub starts: Option<String>,
    /// What the rate does over time, in words.
    pub rate: String,
    /// The processes that were tried around it.
    pub processes: Vec<Candidate>,
    /// The trace's own figures, as those of the processes.
    pub own: Vec<(String, f64)>,
    /// The reason for the process.
    pub why: String,
    /// The laws of lengths.
    pub laws: Vec<LawFound>,
    /// Seconds of a stretch, of which every second was held out.
    pub stretch: f64,
    /// What was held out, beside the model that was fitted to the rest.
    pub checks: Vec<Check>,
    /// The mean lengths and the rank correlation of the whole trace, beside those of the model that is written.
    pub whole: Vec<Whole>,
    /// Where it does not hold and what it leaves out, in sentences.
    pub cautions: Vec<String>,
    /// The model's rate at the ends of the description's bins, for the picture: (seconds, requests a second).
    #[serde(skip)]
    #[schemars(skip)]
    pub(super) course: Vec<(f64, f64)>,
    /// Widths of windows, the trace's index of dispersion, and that of the model's draws: least, median, greatest.
    #[serde(skip)]
    #[schemars(skip)]
    pub(super) dispersion: Vec<(f64, f64, [f64; 3])>,
    /// Lengths of the trace and of the model, each in rising order: input and output.
    #[serde(skip)]
    #[schemars(skip)]
    pub(super) lengths: [[Vec<u32>; 2]; 2],
}

impl Model {
    /// The `traffic` object as a file of its own. Ends in a newline.
    pub fn traffic_text(&self) -> String {
        let tree: Option<Tree> = serde_json::from_str(&self.traffic.to_string()).ok();
        tree.map(|tree| pretty(&tree, 0, 0, 100) + "\n").unwrap_or_default()
    }
}

/// A model of a part of a trace.
pub(super) struct Part {
    pub(super) course: Course,
    pub(super) choice: process::Choice,
    arrivals: ArrivalsSpec,
    classes: Vec<Class>,
}

/// Fits a model to the trace that `description` describes; `seed` is that of all draws.
///
/// # Errors
/// If it has too few requests, or all of one time.
pub fn fit(trace: &Trace, description: &Description, seed: u64) -> Result<Model, String> {
    let rows = trace.rows.all()?;
    let span = rows.last().map_or(0, |row| row.at.nanos());
    if rows.len() < FEWEST || span < STRETCHES {
        return Err(format!(
            "{} requests over {} make no model: {FEWEST} at least, at different times",
            rows.len(),
            crate::report::format::span(description.seconds)
        ));
    }
    let refused = |refusal: Refusal| format!("the fitted model does not build: {}", refusal.message);
    // Ties are only of the clock: within its step any time is as good as another.
    let fineness = Fineness {
        is_bursty: describe::is_too_bursty_for_poisson(description),
        finest: trace.facts.step.unwrap_or(trace.facts.resolution).nanos().max(1),
        are_gaps_known: trace.facts.step.is_none(),
    };
    let mut times: Vec<u64> = rows.iter().map(|row| row.at.nanos()).collect();
    if fineness.are_gaps_known && times.windows(2).any(|two| two[0] == two[1]) {
        apart(&mut times, fineness.finest, seed);
    }
    let clock = Clock {
        span,
        into_week: trace.facts.starts.and_then(into_week),
    };
    let each = (span / STRETCHES).min(LONGEST);
    let stretch = |i: u64| (i * each, ((i + 1) * each).min(span));
    let parts: Vec<(u64, u64)> = (0..span.div_ceil(each)).map(stretch).collect();
    let every_second = |from: usize| -> Vec<(u64, u64)> { parts.iter().copied().skip(from).step_by(2).collect() };
    let (fitted, held) = (every_second(0), every_second(1));
    let whole = [(0, span)];
    let pairs = |stretches: &Stretches| -> Vec<(u32, u32)> {
        let of = |&(from, until): &(u64, u64)| {
            let place = |at: u64| times.partition_point(|time| *time < at);
            rows[place(from)..place(until)]
                .iter()
                .map(|row| (row.input, row.output))
        };
        stretches.iter().flat_map(of).collect()
    };
    let labelled = trace.kept.as_ref().and_then(who::labels);
    let classes = |stretches: &Stretches, pairs: &[(u32, u32)]| match &labelled {
        None => lengths::classes(pairs, description.together, seed),
        Some((labels, names)) => {
            let of = |&(from, until): &(u64, u64)| {
                let place = |at: u64| times.partition_point(|time| *time < at);
                // The last row stands at the very end.
                let end = if until == span { labels.len() } else { place(until) };
                labels[place(from)..end].iter().copied()
            };
            let labels: Vec<u32> = stretches.iter().flat_map(of).collect();
            lengths::by_label(pairs, &labels, names, seed)
        }
    };
    let part = |stretches: &Stretches, pairs: &[(u32, u32)]| -> Result<Part, String> {
        let course = Course::fit(&times, stretches, clock);
        let choice = process::choose(&times, stretches, &course, fineness, seed).map_err(refused)?;
        Ok(Part {
            arrivals: course.arrivals(choice.taken.clone()),
            classes: classes(stretches, pairs),
            course,
            choice,
        })
    };
    let tried = part(&fitted, &pairs(&fitted))?;
    let asked = Asked::all(&held, fineness.finest, fineness.are_gaps_known);
    let mut checks = held_out::arrivals(
        &times,
        &held,
        (tried.course.begins(), &tried.arrivals),
        (&asked, fineness.finest),
        seed,
    )
    .map_err(refused)?;
    checks.extend(held_out::lengths(&pairs(&held), &tried.classes, seed).map_err(refused)?);
    let all: Vec<(u32, u32)> = rows.iter().map(|row| (row.input, row.output)).collect();
    let taken = part(&whole, &all)?;
    let drawn = draw::pairs(&taken.classes, seed, 50_000).map_err(refused)?;
    let compared = held_out::whole(&all, &taken.classes, &drawn).map_err(refused)?;
    let mut traffic = traffic(&taken)?;
    if let (Some(who), Some(says)) = (&description.who, traffic.as_object_mut()) {
        says.extend(who::of_model(who));
    }
    let by_hours = matches!(taken.course, Course::Hours { .. });
    let cautions = cautions(&checks, &compared, (&tried, &taken), description.who.is_some());
    let laws = taken.classes.iter().flat_map(|class| {
        [("input", &class.input), ("output", &class.output)].map(|(side, law)| LawFound {
            of: if taken.classes.len() == 1 {
                side.to_owned()
            } else {
                format!("{side} of {}", class.name)
            },
            family: law.family.to_owned(),
            why: law.why.clone(),
        })
    });
    Ok(Model {
        traffic,
        starts: trace.facts.starts.filter(|_| by_hours).map(week_time),
        rate: taken.course.says(),
        laws: laws.collect(),
        stretch: each as f64 / SECOND,
        checks,
        cautions,
        course: drawn_course(&taken.course, span),
        dispersion: dispersion(&times, span, &taken, fineness, seed).map_err(refused)?,
        lengths: [draw::sides(&all), draw::sides(&drawn)],
        whole: compared,
        processes: taken.choice.candidates,
        own: taken.choice.own,
        why: taken.choice.why,
    })
}

/// Times within the step of the clock that they are in, so that none are the same but by chance.
fn apart(times: &mut [u64], step: u64, seed: u64) {
    let chance = Chance::new(seed, 0);
    for (number, at) in times.iter_mut().enumerate() {
        *at += (unit(chance.request(number as u64).draw(Purpose::Jitter)) * step as f64) as u64;
    }
    times.sort_unstable();
}

/// How far into the week (UTC, from Monday on) an instant is, in nanoseconds.
fn into_week(starts: i128) -> Option<u64> {
    const WEEK: i128 = 7 * 86_400_000_000_000;
    // 1970-01-01 was a Thursday.
    u64::try_from((starts + 3 * 86_400_000_000_000).rem_euclid(WEEK)).ok()
}

/// The minute of the week as a plan says it.
fn week_time(starts: i128) -> String {
    let minute = minute_of_week(&minute_of(starts as f64 / SECOND)).unwrap_or(0);
    format!("{} {:02}:{:02}", DAYS[minute / 1440 % 7], minute / 60 % 24, minute % 60)
}

/// The experiment's `traffic`, without what is as it is by default.
fn traffic(part: &Part) -> Result<Value, String> {
    let class = |of: &Class| ClassSpec {
        patience: None,
        share: (part.classes.len() > 1).then_some(of.share),
        priority: 1,
        input: Some(of.input.law.clone()),
        output: Some(of.output.law.clone()),
        pairs: None,
        max_output: None,
        prompts: None,
        tags: Named::default(),
        asks: None,
        cost_budget: None,
        latency_budget: None,
        provider: None,
    };
    let spec = TrafficSpec {
        scale: None,
        arrivals: Some(part.arrivals.clone()),
        streams: Named::default(),
        classes: part.classes.iter().map(|of| (of.name.clone(), class(of))).collect(),
        users: None,
        tags: Named::default(),
    };
    let mut value = serde_json::to_value(&spec).map_err(|error| error.to_string())?;
    if let Some(classes) = value.get_mut("classes").and_then(Value::as_object_mut) {
        for class in classes.values_mut().filter_map(Value::as_object_mut) {
            for default in ["priority", "tags"] {
                class.remove(default);
            }
        }
    }
    Ok(value)
}

/// The rate at so many places that a picture shows it.
fn drawn_course(course: &Course, span: u64) -> Vec<(f64, f64)> {
    const PLACES: u64 = 500;
    let at = |i: u64| (u128::from(span) * u128::from(i) / u128::from(PLACES)) as u64;
    (0..PLACES).map(|i| (at(i) as f64 / SECOND, course.at(at(i)))).collect()
}

/// The index of dispersion over windows of many widths, of the trace and of nine draws.
fn dispersion(
    times: &[u64],
    span: u64,
    part: &Part,
    fineness: Fineness,
    seed: u64,
) -> crate::form::build::Built<Vec<(f64, f64, [f64; 3])>> {
    const SHOWN: u64 = 9;
    let (times, whole) = counts::beginning(times, &[(0, span)], held_out::MOST);
    let until = whole.last().map_or(0, |(_, until)| *until);
    let own = bursts::curve(times, &whole, fineness.finest);
    let mut of_draws: Vec<Vec<f64>> = vec![Vec::new(); own.len()];
    for replication in 0..SHOWN {
        let drawn = draw::times_from(part.course.begins(), &part.arrivals, seed, replication, until)?;
        for (list, (seconds, _)) in of_draws.iter_mut().zip(&own) {
            list.push(counts::dispersion(&drawn, &whole, (seconds * SECOND) as u64).unwrap_or(f64::NAN));
        }
    }
    let each = own.iter().zip(&mut of_draws).map(|((seconds, index), list)| {
        let (least, median, most) = process::spread(list);
        (*seconds, *index, [least, median, most])
    });
    Ok(each.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::traffic::describe;
    use crate::import::trace;
    use crate::traffic::arrivals::{Reading, Row};

    /// A trace that was drawn from a model.
    fn drawn(arrivals: &str, until: u64) -> Trace {
        let spec: ArrivalsSpec = serde_json::from_str(arrivals).unwrap();
        let times = draw::times(&spec, 9, 3, until * 1_000_000_000).unwrap();
        let chance = Chance::new(4, 0);
        let gamma = crate::calibrate::fit::Params::Gamma {
            shift: 0.0,
            shape: 2.0,
            scale: 400.0,
        };
        let sampler = crate::kernel::sampler::Sampler::of(&*gamma.law().unwrap());
        let mut text = "TIMESTAMP,ContextTokens,GeneratedTokens\n".to_owned();
        for (i, at) in times.iter().enumerate() {
            let key = chance.request(i as u64);
            let (input, output) = (
                sampler.count(key, Purpose::Input, 1),
                sampler.count(key, Purpose::Output, 1),
            );
            text += &format!("{}.{:09},{input},{output}\n", at / 1_000_000_000, at % 1_000_000_000);
        }
        trace::read(text.as_bytes(), &Reading::default()).unwrap()
    }

    fn fitted(trace: &Trace) -> Model {
        fit(trace, &describe("x", trace), 1).unwrap()
    }

    #[test]
    fn a_poisson_trace_gives_a_poisson_model_that_holds() {
        let trace = drawn(r#"{ "poisson": { "rate": "4/s" } }"#, 3600);
        let model = fitted(&trace);
        let rate = model.traffic["arrivals"]["poisson"]["rate"].as_str().unwrap();
        let rate: crate::form::units::Rate = rate.parse().unwrap();
        assert!((rate.per_second() - 4.0).abs() < 0.15, "{rate}");
        assert!(model.checks.len() >= 12);
        let failed = model.checks.iter().filter(|check| !check.holds).count();
        // Each fails by chance once in twenty times.
        assert!(failed <= 2, "{:?}", model.checks);
        assert_eq!(model, fitted(&trace), "the same for a seed");
        let traffic: TrafficSpec = serde_json::from_value(model.traffic).unwrap();
        assert_eq!(traffic.classes.len(), 1);
    }

    #[test]
    fn steps_over_bursts_come_back() {
        let trace = drawn(
            r#"{ "schedule": { "points": [ { "at": "0s", "rate": "2/s" }, { "at": "1h", "rate": "8/s" } ], "over": { "gamma": { "rate": "1/s", "cv": 2 } } } }"#,
            7200,
        );
        let model = fitted(&trace);
        let schedule = &model.traffic["arrivals"]["schedule"];
        assert_eq!(
            schedule["points"].as_array().map(Vec::len),
            Some(2),
            "{}",
            model.traffic
        );
        let cv = schedule["over"]["gamma"]["cv"].as_f64().unwrap();
        assert!((cv - 2.0).abs() < 0.1, "{cv}");
    }

    /// Nine days from a Friday on: weekends are where they were, so that the rate holds.
    #[test]
    fn a_week_begins_on_its_own_day() {
        let spec: ArrivalsSpec =
            serde_json::from_str(r#"{ "profile": { "preset": "office", "mean": "2/min" } }"#).unwrap();
        let day = 86_400_000_000_000;
        let times = draw::times_from(4 * day, &spec, 2, 0, 9 * day).unwrap();
        // 1970-01-02 was a Friday.
        let head = "TIMESTAMP,ContextTokens,GeneratedTokens\n".to_owned();
        let line = |at: &u64| {
            let (day, second) = (2 + at / day, at / 1_000_000_000 % 86_400);
            let clock = format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
            format!(
                "1970-01-{day:02} {clock}.{:09},{},{}\n",
                at % 1_000_000_000,
                100 + at % 900,
                10 + at % 90
            )
        };
        let text: String = std::iter::once(head).chain(times.iter().map(line)).collect();
        let trace = trace::read(text.as_bytes(), &Reading::default()).unwrap();
        let model = fitted(&trace);
        assert!(
            model
                .starts
                .as_deref()
                .is_some_and(|starts| starts.starts_with("friday 00:0")),
            "{:?}",
            model.starts
        );
        assert!(model.checks[0].holds && model.checks[0].near, "{:?}", model.checks[0]);
        assert!(model.traffic["arrivals"]["profile"]["weekend"].is_array());
    }

    #[test]
    fn what_is_too_little_makes_no_model() {
        let rows = vec![
            Row {
                at: crate::kernel::time::Span::ZERO,
                input: 1,
                output: 1,
            };
            500
        ];
        let trace = Trace {
            rows: rows.into_iter().collect(),
            kept: None,
            notes: vec![],
            facts: trace::Facts::default(),
        };
        let refused = fit(&trace, &describe("x", &trace), 1).unwrap_err();
        assert!(refused.contains("make no model"), "{refused}");
    }

    /// 2023-11-16 was a Thursday: `date -u -d @1700158546`.
    #[test]
    fn the_start_is_a_minute_of_the_week() {
        let starts = 1_700_158_546_000_000_000;
        assert_eq!(week_time(starts), "thursday 18:15");
        assert_eq!(into_week(starts).unwrap() / 60_000_000_000, (3 * 24 + 18) * 60 + 15);
    }
}
