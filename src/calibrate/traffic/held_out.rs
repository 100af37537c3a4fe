//! A model against the part of the trace that it was not fitted to.
//!
//! Stretches of the trace are left out by turns and the model is fitted to the others. What the left-out ones show then stands beside what
//! the model's own draws show at the same times: it holds where both are within 5 % of each other (or a token), or where the trace's figure
//! lies among those of the draws; a percentile of lengths, where the model's lies in the interval of the trace's (order statistics, 95 %).
//! That interval takes lengths for independent, which errs towards "no".

use schemars::JsonSchema;
use serde::Serialize;

use super::counts::{self, Stretches};
use super::lengths::{self, Class, OFF};
use super::process::{Asked, DRAWS, spread};
use super::{SECOND, draw};
use crate::form::build::Built;
use crate::stats::critical::Confidence;
use crate::stats::order;
use crate::traffic::arrivals::ArrivalsSpec;

/// Lengths that are drawn to be compared.
const LENGTHS: usize = 200_000;
/// Requests of a draw beyond which there are fewer draws.
const MANY: usize = 1_000_000;
/// Requests up to which draws go.
pub(super) const MOST: usize = 5_000_000;

/// A figure of what was held out beside the model's.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Check {
    /// The name of the figure.
    pub figure: String,
    /// The figure of what was held out.
    pub held_out: f64,
    /// The figure of the model: the median of its draws.
    pub model: f64,
    /// The lower end of what chance allows.
    pub low: f64,
    /// The upper end of what chance allows.
    pub high: f64,
    /// Whether the two are within 5 % of each other, or a token apart at most.
    pub near: bool,
    /// Whether they are so, or no further apart than chance allows.
    pub holds: bool,
}

impl Check {
    fn of(figure: String, held_out: f64, model: f64, (low, high): (f64, f64), slack: f64, inside: bool) -> Check {
        let near = (held_out - model).abs() <= (OFF * held_out.abs()).max(slack);
        Check {
            figure,
            held_out,
            model,
            low,
            high,
            near,
            holds: near || inside,
        }
    }
}

/// Checks of when requests come.
pub(super) fn arrivals(
    times: &[u64],
    stretches: &Stretches,
    (begins, spec): (u64, &ArrivalsSpec),
    asked: &[Asked],
    seed: u64,
) -> Built<Vec<Check>> {
    let (times, stretches) = counts::beginning(times, stretches, MOST);
    let stretches = stretches.as_slice();
    let until = stretches.last().map_or(0, |(_, until)| *until);
    let draws = if times.len() > MANY { 9 } else { DRAWS };
    let seconds = counts::seconds(stretches);
    let own: Vec<(Asked, f64)> = asked
        .iter()
        .filter_map(|asked| Some((*asked, asked.of(times, stretches)?)))
        .collect();
    let (mut rates, mut tops) = (Vec::new(), Vec::new());
    let mut figures: Vec<Vec<f64>> = vec![Vec::new(); own.len()];
    let top = |times: &[u64]| f64::from(counts::most(times, stretches, 10 * SECOND as u64).0);
    for replication in 0..draws {
        let drawn = draw::times_from(begins, spec, seed ^ SALT, replication, until)?;
        rates.push(counts::within(&drawn, stretches) as f64 / seconds);
        tops.push(top(&drawn));
        for (list, (asked, _)) in figures.iter_mut().zip(&own) {
            list.push(asked.of(&drawn, stretches).unwrap_or(0.0));
        }
    }
    let mut checks = Vec::new();
    let mut add = |name: String, own: f64, list: &mut Vec<f64>| {
        let (least, median, most) = spread(list);
        checks.push(Check::of(
            name,
            own,
            median,
            (least, most),
            0.0,
            (least..=most).contains(&own),
        ));
    };
    add(
        "requests a second".to_owned(),
        counts::within(times, stretches) as f64 / seconds,
        &mut rates,
    );
    for ((asked, x), list) in own.iter().zip(&mut figures) {
        add(asked.name(), *x, list);
    }
    add("most in 10 s".to_owned(), top(times), &mut tops);
    Ok(checks)
}

/// Keeps the draws of the check apart from those that the process was chosen by.
const SALT: u64 = 0x5ead_0ff5;

/// Checks of how long requests are.
pub(super) fn lengths(pairs: &[(u32, u32)], classes: &[Class], seed: u64) -> Built<Vec<Check>> {
    let drawn = draw::lengths(classes, seed, LENGTHS)?;
    let mut checks = Vec::new();
    let sides = [
        ("input", pairs.iter().map(|pair| pair.0).collect::<Vec<u32>>()),
        ("output", pairs.iter().map(|pair| pair.1).collect()),
    ];
    for ((side, mut own), drawn) in sides.into_iter().zip(&drawn) {
        own.sort_unstable();
        if own.is_empty() {
            continue;
        }
        let moments: crate::stats::moments::Moments = own.iter().map(|x| f64::from(*x)).collect();
        let (mean, model) = (lengths::mean(&own), lengths::mean(drawn));
        let reach = Confidence::P95.z() * moments.standard_error().unwrap_or(0.0);
        let range = (mean - reach, mean + reach);
        checks.push(Check::of(
            format!("{side} mean"),
            mean,
            model,
            range,
            1.0,
            (range.0..=range.1).contains(&model),
        ));
        for (name, share) in [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)] {
            let Some(found) = order::quantile(&own, share, Confidence::P95) else {
                continue;
            };
            let model = lengths::quantile(drawn, share);
            let inside = (found.lo..=found.hi).contains(&model);
            let range = (f64::from(found.lo), f64::from(found.hi));
            let name = format!("{side} {name}");
            checks.push(Check::of(
                name,
                f64::from(found.value),
                f64::from(model),
                range,
                1.0,
                inside,
            ));
        }
    }
    Ok(checks)
}
