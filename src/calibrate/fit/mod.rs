//! Fitting: from a log to a provider model, with the evidence for it.
//!
//! TTFT and decode speed each get a law: [`Family`]s are fitted by maximum likelihood, with a timeout as a
//! right-censored value, and one is chosen by AIC and a bootstrapped test ([`choose`]). Autocorrelation widens every
//! interval ([`Serial`]). What no law can express is reported beside it: steps of load beyond saturation are left out;
//! changes of level, outliers and hours that differ are named, and so is what the measurements cannot determine. Errors
//! become faults, refusals quotas. `simcap validate` checks the model against what [`super::split`] held out.

mod choose;
pub mod compare;
mod empirical;
mod errors;
mod evidence;
mod family;
mod gamma;
mod gather;
mod goodness;
mod hangs;
mod line;
mod load;
mod lognormal;
mod measured_over;
mod mixture;
mod model;
mod onset;
mod optimum;
#[cfg(feature = "plots")]
pub mod page;
mod percentiles;
mod quantile_table;
mod quotas;
mod redraw;
mod regimes;
mod report;
mod sample;
mod saturation;
mod serial;
mod shift;
mod slots;
mod special;
mod speed;
mod tail;
mod text;
mod told;
mod unknown;
mod weibull;

use thiserror::Error;

pub use choose::{Candidate, Choice, Parameter, choose};
pub use errors::ErrorRate;
pub use evidence::{Ends, Evidence};
pub use family::{Family, Fitted, Params};
pub use goodness::{Goodness, REFITS, goodness};
pub use line::Slope;
pub use load::LoadCurve;
pub use mixture::Two;
pub(super) use model::numbers;
pub use model::{Given, VARIANT};
pub use percentiles::Percentile;
pub use quantile_table::{Mean, TableFit, averaged, through};
pub use quotas::{QuotaFound, RetryAfter};
pub use regimes::{Drift, Hours, Regimes, Stretch};
pub use report::{Effect, FitReport, Quantity};
pub use sample::{Curve, Sample};
pub use saturation::Step;
pub use serial::Serial;
pub use slots::SlotsFound;
pub use tail::Tailed;
pub use text::terminal;

use self::speed::Speeds;
use super::log::{Log, Observation, Stage, Totals};
use super::split;
use crate::experiment::model::ModelFile;
use crate::form::diagnose::nearest;
use crate::words::Outcome;

/// The options of a fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The target to fit; required if the log has several.
    pub target: Option<String>,
    /// The name of the model; that of the target if empty.
    pub name: String,
    /// The only family to fit, for TTFT and decode speed alike; `None` for all.
    pub family: Option<Family>,
    /// The seed of the bootstrap.
    pub seed: u64,
    /// Refits behind each p-value; 0 for no p-values.
    pub refits: usize,
    /// Parts of the model that are given rather than measured.
    pub given: Given,
}

/// The reason why nothing can be fitted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FitError {
    /// There are several targets, and the options name none.
    #[error("the log has {} targets, and a model is of one: name it with --target\n  targets: {}", .0.len(), .0.join(", "))]
    WhichTarget(Vec<String>),
    /// The log has no target of this name.
    #[error("\"{found}\" is not a target of the log{meant}\n  targets: {}", .targets.join(", "))]
    NoSuchTarget {
        /// The name that was asked for.
        found: String,
        /// The nearest name, in a clause.
        meant: String,
        /// The names of the log's targets.
        targets: Vec<String>,
    },
    /// No TTFT was measured.
    #[error("no TTFT of {0} was seen: a model needs the time to the first token, from a stream")]
    NoTtft(String),
    /// TTFT was measured, but what is left of it makes no law.
    #[error("no law for the TTFT of {0}: {1}")]
    TooLittle(String, String),
    /// Every step of load is saturated.
    #[error("every step of load of {0} is beyond saturation, where no law holds: measure at a lower rate\n  {1}")]
    AllSaturated(String, String),
}

/// Fits a model to the part of `log` that is for fitting.
///
/// # Errors
/// If the target is ambiguous, or has nothing to fit.
pub fn fit(log: &Log, options: &Options) -> Result<(FitReport, ModelFile), FitError> {
    let (number, target) = target(log, options.target.as_deref())?;
    let (for_fit, _) = split::held_out(log, options.given.held_out);
    let of = |log: &Log| -> Vec<Observation> {
        log.observations
            .iter()
            .filter(|o| o.target == number)
            .cloned()
            .collect()
    };
    let (all, for_fit) = (of(log), of(&for_fit));
    let stages: Vec<&Stage> = log.stages.iter().filter(|s| s.target == number).collect();
    let totals: Vec<Totals> = log.totals.iter().filter(|t| t.target == number).copied().collect();
    let mut notes = log.notes.clone();

    let numbers: std::collections::BTreeSet<u32> = all.iter().map(|o| o.step).collect();
    let in_step = |step: u32| -> Vec<&Observation> { all.iter().filter(|o| o.step == step).collect() };
    let in_steps: Vec<Vec<&Observation>> = numbers.iter().map(|n| in_step(*n)).collect();
    let mut of_steps: Vec<(u32, Step)> = numbers
        .iter()
        .zip(&in_steps)
        .map(|(n, of)| (*n, saturation::of_step(*n, of)))
        .collect();
    let mut each: Vec<&mut Step> = of_steps.iter_mut().map(|(_, step)| step).collect();
    saturation::turning_away(&mut each, &in_steps);
    for (n, step) in &mut of_steps {
        if let Some(all) = totals.iter().find(|t| t.step == *n) {
            (step.requests, step.requested) = (all.sent(), all.rate);
        }
    }
    // Warm-up requests took slots and used quotas all the same.
    let warmups = log.warmups.iter().filter(|o| o.target == number);
    let everything: Vec<&Observation> = warmups.chain(&all).collect();
    let slots = slots::found(&everything).filter(|_| options.given.slots.is_none());
    let served = options.given.slots.or(slots.as_ref().and_then(|found| found.slots));
    if let Some(served) = served {
        for ((_, step), of) in of_steps.iter_mut().zip(&in_steps) {
            let there: Vec<u32> = of.iter().filter_map(|o| o.in_flight).collect();
            let full = there.iter().filter(|n| **n > served).count() as f64 / of.len().max(1) as f64;
            saturation::waiting(step, full, served, there.into_iter().max().unwrap_or(0));
        }
    }
    let of_stages: Vec<Step> = stages.iter().map(|s| saturation::of_stage(s)).collect();
    let full: Vec<u32> = of_steps
        .iter()
        .filter(|(_, s)| s.saturated.is_some())
        .map(|(n, _)| *n)
        .collect();
    let below = |o: &&Observation| !full.contains(&o.step);
    let wait = hangs::beyond_the_tail(&all.iter().filter(below).collect::<Vec<_>>());
    let mut fitted: Vec<Observation> = for_fit.iter().filter(below).map(|o| hangs::without(o, wait)).collect();
    let waited = gather::without_waits(&mut fitted, served);
    if waited > 0 {
        notes.push(format!(
            "{waited} requests found every slot taken: their wait is the queue's, and their TTFT not in the law"
        ));
    }
    let used: Vec<&Observation> = fitted.iter().collect();
    if let Some(wait) = wait {
        notes.push(format!(
            "timeouts, of {wait:.1} s or more, are far beyond every answer: they are hangs, a fault, and not in the law of TTFT"
        ));
    }
    let calm: Vec<&Stage> = stages
        .iter()
        .zip(&of_stages)
        .filter(|(_, step)| step.saturated.is_none())
        .map(|(s, _)| *s)
        .collect();
    let ends = in_steps.iter().map(|of| Ends::of_step(of, &totals));
    let ends: Vec<Ends> = ends.chain(stages.iter().map(|s| Ends::of_stage(s))).collect();
    let steps: Vec<Step> = of_steps.into_iter().map(|(_, step)| step).chain(of_stages).collect();
    if !steps.is_empty() && steps.iter().all(|s| s.saturated.is_some()) {
        let why: Vec<String> = steps
            .iter()
            .filter_map(|s| Some(format!("{}: {}", s.name, s.saturated.as_ref()?)))
            .collect();
        return Err(FitError::AllSaturated(target, why.join("\n  ")));
    }

    let mut quantities = Vec::new();
    let (mut prefill, mut concurrency, mut load) = (None, None, None);
    let mut no_speed = None;
    if used.iter().any(|o| o.ttft.seen().is_some()) {
        let logs = |series: Vec<f64>| Serial::of(&series.iter().map(|x| libm::log(*x)).collect::<Vec<_>>()).time;
        let time = logs(used.iter().filter_map(|o| o.ttft.seen()).filter(|x| *x > 0.0).collect());
        let (timings, effect) = gather::ttfts(&used, time);
        prefill = effect;
        quantities.extend(gather::quantity("ttft", &timings, options, &mut notes));
        let speeds = Speeds::of(&used);
        notes.extend(speeds.notes());
        let speed = gather::quantity("tps", &speeds.timings, options, &mut notes);
        if speed.is_some() {
            concurrency = gather::concurrency(&used, time);
            notes.extend(gather::together(&used));
        }
        no_speed = speed.is_none().then(|| speeds.missing());
        quantities.extend(speed);
        if !calm.is_empty() {
            notes.push(format!(
                "{} summaries are not fitted, as there are single requests",
                calm.len()
            ));
        }
    } else {
        let many = calm.iter().map(|s| s.successes as usize).sum();
        load = LoadCurve::of(&calm, options.given.slots);
        let (ttft, tps) = match &load {
            Some(load) => load.alone(&calm),
            None => gather::tables(&calm),
        };
        // A mean of several loads is none of a law without the effect of load.
        let of_all = load.is_none();
        let mean = |of, inverse| gather::mean(&calm, of, inverse).filter(|_| of_all);
        quantities.extend(gather::of_table("ttft", many, &ttft, mean(|s| s.ttft.as_ref(), false)));
        match speed::believable(tps) {
            Ok(tps) => quantities.extend(gather::of_table("tps", many, &tps, mean(|s| s.tpot.as_ref(), true))),
            Err(why) => no_speed = Some(why),
        }
    }
    if !quantities.iter().any(|q| q.name == "ttft") {
        let seen = all.iter().filter(|o| o.ttft.seen().is_some()).count();
        return Err(unknown::no_ttft(target, seen, waited, &stages));
    }

    let quotas = quotas::found(&everything);
    // What a step beyond saturation rejects is due to its load, and not a fault at every load.
    let below: Vec<&Observation> = all.iter().filter(below).collect();
    let (errors, sent) = errors::rates(&below, &totals, !quotas.is_empty(), wait.is_some());
    let name = if options.name.is_empty() {
        target.clone()
    } else {
        options.name.clone()
    };
    let mut report = FitReport {
        name,
        target,
        files: log
            .sources
            .iter()
            .map(|s| format!("{} ({})", s.file, s.format))
            .collect(),
        requests: all.len(),
        held_out: all.len() - for_fit.len(),
        quantities,
        prefill,
        concurrency,
        load,
        steps,
        sent,
        errors,
        retry_after: quotas::retry_after(&everything),
        quotas,
        slots,
        notes,
        per_minute: measured_over::per_minute(&everything),
        cannot_tell: Vec::new(),
        evidence: Evidence {
            inputs: gather::over_input(&used),
            ends,
        },
    };
    unknown::tell(&mut report, &used, no_speed, !totals.is_empty());
    let model = model::model(&report, log, &used, &options.given);
    Ok((report, model))
}

/// What a log shows of the capacity of one of its targets, in sentences: slots and quotas, or why none are known.
pub fn capacity(log: &Log, target: &str) -> Vec<String> {
    let Some(number) = log.targets.iter().position(|name| name == target) else {
        return Vec::new();
    };
    let all = log.warmups.iter().chain(&log.observations);
    let of: Vec<&Observation> = all.filter(|o| usize::from(o.target) == number).collect();
    let slots = match slots::found(&of) {
        Some(found) => found.note(),
        None => "no slots are seen: nothing waited that shows a number".to_owned(),
    };
    let quotas: Vec<String> = quotas::found(&of).iter().map(text::of_quota).collect();
    let refused = of.iter().filter(|o| o.outcome == Outcome::RateLimited).count();
    let none = if refused == 0 {
        "no quota is seen: nothing was refused".to_owned()
    } else {
        format!("no quota can be told from {refused} refusals")
    };
    let quotas = if quotas.is_empty() { vec![none] } else { quotas };
    std::iter::once(slots).chain(quotas).collect()
}

/// The target that is meant: its number and name.
fn target(log: &Log, asked: Option<&str>) -> Result<(u16, String), FitError> {
    let names = &log.targets;
    let place = match asked {
        Some(asked) => names
            .iter()
            .position(|n| n == asked)
            .ok_or_else(|| FitError::NoSuchTarget {
                found: asked.to_owned(),
                meant: nearest(asked, names.iter().map(String::as_str))
                    .map_or(String::new(), |name| format!("; did you mean \"{name}\"?")),
                targets: names.clone(),
            })?,
        None if names.len() == 1 => 0,
        None => return Err(FitError::WhichTarget(names.clone())),
    };
    Ok((place as u16, names[place].clone()))
}

#[cfg(test)]
mod tests;
