//! A model against the part of the trace that it was not fitted to.
//!
//! Stretches of the trace are left out by turns and the model is fitted to the others. What the left-out ones show then stands beside what
//! the model's own draws show at the same times: it holds where both are within 5 % of each other (or a token), or where the trace's figure
//! lies among those of the draws; a percentile of lengths, where the model's lies in the interval of the trace's (order statistics, 95 %).
//! That interval takes lengths for independent, which errs towards "no". So it is with the rank correlation of input and output, which may be 0.05 off.
//!
//! The model that is written is fitted to all of the trace: its mean lengths and its rank correlation stand beside those of the whole trace, because
//! a bill goes by them and chance allows much of a part.

use schemars::JsonSchema;
use serde::Serialize;

use super::counts::{self, Stretches};
use super::lengths::{self, Class, OFF};
use super::process::{Asked, DRAWS, spread};
use super::{SECOND, draw};
use crate::form::build::{Built, Names};
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
    /// Whether the two are within 5 % of each other, or a token apart at most; a correlation, 0.05.
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

/// Seconds of the windows of which the busiest is compared.
const MOST_IN: u64 = 10;

/// Checks of when requests come, by a clock whose finest step is so many nanoseconds.
pub(super) fn arrivals(
    times: &[u64],
    stretches: &Stretches,
    (begins, spec): (u64, &ArrivalsSpec),
    (asked, finest): (&[Asked], u64),
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
    let top = |times: &[u64]| f64::from(counts::most(times, stretches, MOST_IN * SECOND as u64).0);
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
    // Within a step of the clock nothing is known.
    if finest <= MOST_IN * SECOND as u64 {
        add(format!("most in {MOST_IN} s"), top(times), &mut tops);
    }
    Ok(checks)
}

/// Keeps the draws of the check apart from those that the process was chosen by.
const SALT: u64 = 0x5ead_0ff5;

/// Checks of how long requests are.
pub(super) fn lengths(pairs: &[(u32, u32)], classes: &[Class], seed: u64) -> Built<Vec<Check>> {
    let drawn_pairs = draw::pairs(classes, seed, LENGTHS)?;
    let drawn = draw::sides(&drawn_pairs);
    let mut checks = Vec::new();
    for ((side, own), drawn) in ["input", "output"].into_iter().zip(draw::sides(pairs)).zip(&drawn) {
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
    if let Some(own) = lengths::together(pairs) {
        let model = lengths::together(&drawn_pairs).unwrap_or(0.0);
        let (low, high) = correlation_range(own, pairs.len());
        let inside = (low..=high).contains(&model);
        checks.push(Check::of(CORRELATED.to_owned(), own, model, (low, high), 0.05, inside));
    }
    Ok(checks)
}

/// What a rank correlation of so many pairs may really be, in 95 of 100 cases: Fisher's transformation, whose variance is 1.06/(n − 3) for ranks
/// (Fieller, Hartley and Pearson, *Biometrika* 44, 1957).
fn correlation_range(rho: f64, pairs: usize) -> (f64, f64) {
    let z = libm::atanh(rho.clamp(-0.999_999, 0.999_999));
    let reach = Confidence::P95.z() * (1.06 / (pairs as f64 - 3.0).max(1.0)).sqrt();
    (libm::tanh(z - reach), libm::tanh(z + reach))
}

/// The name of the rank correlation of input and output.
pub(super) const CORRELATED: &str = "rank correlation";

/// A figure of the whole trace beside that of the model that is written.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Whole {
    /// The name of the figure.
    pub figure: String,
    /// The figure of the trace.
    pub trace: f64,
    /// The figure of the model.
    pub model: f64,
}

/// The mean lengths and the rank correlation of the whole trace and of the model of all of it, of which `drawn` are pairs. Means are those of the
/// laws themselves, which draws of a long tail would miss.
pub(super) fn whole(pairs: &[(u32, u32)], classes: &[Class], drawn: &[(u32, u32)]) -> Built<Vec<Whole>> {
    let names = Names::default();
    let (mut shares, mut means) = (0.0, [0.0; 2]);
    for class in classes {
        shares += class.share;
        for (mean, law) in means.iter_mut().zip([&class.input, &class.output]) {
            *mean += class.share * law.law.law(&names)?.mean();
        }
    }
    let own = [|pair: &(u32, u32)| pair.0, |pair: &(u32, u32)| pair.1];
    let own = own.map(|of: fn(&(u32, u32)) -> u32| {
        pairs.iter().map(|pair| u64::from(of(pair))).sum::<u64>() as f64 / pairs.len().max(1) as f64
    });
    let mut all: Vec<Whole> = Vec::new();
    for (side, (trace, sum)) in ["input", "output"].into_iter().zip(own.into_iter().zip(means)) {
        all.push(Whole {
            figure: format!("{side} mean"),
            trace,
            model: sum / shares,
        });
    }
    if let Some(trace) = lengths::together(pairs) {
        all.push(Whole {
            figure: CORRELATED.to_owned(),
            trace,
            model: lengths::together(drawn).unwrap_or(0.0),
        });
    }
    Ok(all)
}

impl Whole {
    /// How far the model is off where that matters: a mean by more than 2 % and half a token, a correlation by more than 0.05.
    pub(super) fn misses(&self) -> Option<String> {
        let off = (self.model - self.trace).abs();
        if self.figure == CORRELATED {
            return (off > 0.05).then(|| format!("{} ({:.2} for {:.2})", self.figure, self.model, self.trace));
        }
        let ratio = crate::report::format::relative(self.model / self.trace - 1.0);
        (off > (0.02 * self.trace).max(0.5)).then(|| format!("{} ({ratio})", self.figure))
    }
}
