//! Samples made from observations, with the linear effect of input length on TTFT taken out.

use super::Options;
use super::choose::choose;
use super::line::Slope;
use super::percentiles::{Percentile, SHOWN};
use super::quantile_table::{LEAST, Mean, TableFit, averaged, through};
use super::redraw;
use super::regimes::{Regimes, median, spearman};
use super::report::{Effect, Quantity};
use super::sample::Sample;
use super::serial::Serial;
use super::speed::Shown;
use crate::calibrate::log::{Observation, Stage, Summary, Timing};

/// Pairs (share at or below, value).
type Quantiles = Vec<(f64, f64)>;

/// The share of the median TTFT that the spread of inputs must explain before a model has a prefill speed.
const WORTH_A_SPEED: f64 = 0.05;

/// The law of a quantity, from timings in order of time, each with its moment in seconds since 1970 if that is known.
pub(super) fn quantity(
    name: &'static str,
    timings: &[(Timing, Option<f64>)],
    options: &Options,
    notes: &mut Vec<String>,
) -> Option<Quantity> {
    let sample = Sample::of(timings.iter().map(|(timing, _)| *timing));
    let known = |timing: &Timing| match timing {
        Timing::Seen(x) | Timing::AtLeast(x) if *x > 0.0 && x.is_finite() => Some(*x),
        Timing::Seen(_) | Timing::AtLeast(_) | Timing::Unknown => None,
    };
    let in_time: Vec<(f64, Option<f64>)> = timings
        .iter()
        .filter_map(|(timing, unix)| Some((known(timing)?, *unix)))
        .collect();
    let serial = Serial::of(&in_time.iter().map(|(x, _)| libm::log(*x)).collect::<Vec<_>>());
    let choice = choose(&sample, options.family, options.seed, options.refits)?;
    let serial_effective = serial.effective;
    let percentile = |share: f64| Percentile::of(&sample, share, serial_effective, choice.params.quantile(share));
    let quantity = Quantity {
        name,
        seen: sample.seen().len(),
        censored: sample.beyond().len(),
        serial: Some(serial),
        percentiles: SHOWN.map(percentile).to_vec(),
        regimes: Regimes::of(&in_time, serial.time),
        candidates: choice.candidates,
        tables: Vec::new(),
        taken: choice.family,
        why: choice.why,
        refits: choice.family.map_or(Vec::new(), |family| {
            redraw::refits(family, &choice.params, &sample, serial_effective, options.seed)
        }),
        params: choice.params,
        sample,
    };
    let title = quantity.title();
    notes.extend(choice.cautions.into_iter().map(|caution| format!("{title}: {caution}")));
    Some(quantity)
}

/// The law of a quantity through the quantiles of several summaries, each weighted by its requests.
pub(super) fn of_table(name: &'static str, seen: usize, table: &[(f64, f64)], mean: Option<Mean>) -> Option<Quantity> {
    let tables: Vec<TableFit> = through(table, mean);
    let best = tables.first()?.clone();
    let why = match (table.len(), mean) {
        (LEAST, Some(mean)) => format!(
            "through two quantiles, and of the families of two parameters the one whose mean is nearest to the measured: off by \
             {:.1} %. Nothing checks its shape: more percentiles, or single requests, would",
            100.0 * (mean.of(&best.params) / mean.value - 1.0).abs()
        ),
        (LEAST, None) => {
            "through two quantiles, with no mean to choose among families by: nothing checks its shape".to_owned()
        }
        (many, _) => format!(
            "the least worst error over {many} quantiles, {:.1} %: single values are not left, so there is no likelihood",
            100.0 * best.worst_error
        ),
    };
    let percentile = |(share, measured): &(f64, f64)| Percentile {
        measured: Some(*measured),
        low: None,
        high: None,
        ..Percentile::of(&Sample::default(), *share, 0.0, best.params.quantile(*share))
    };
    Some(Quantity {
        name,
        seen,
        censored: 0,
        serial: None,
        candidates: Vec::new(),
        taken: Some(best.family),
        why,
        percentiles: table.iter().map(percentile).collect(),
        regimes: Regimes::default(),
        tables,
        params: best.params,
        refits: Vec::new(),
        sample: Sample::default(),
    })
}

/// Summaries of TTFT, and of speeds from TPOT, as tables. A share with no whole request beyond it is left out: of 400 requests
/// p99.9 is about the greatest, and one late answer would bend the law.
pub(super) fn tables(stages: &[&Stage]) -> (Quantiles, Quantiles) {
    let all: f64 = stages.iter().map(|s| s.successes as f64).sum();
    let is_told = |share: f64| all == 0.0 || share.min(1.0 - share) * all >= 1.0 - 1e-9;
    let of = |summary: fn(&Stage) -> Option<&Summary>| {
        let with: Vec<(f64, &Summary)> = stages
            .iter()
            .filter_map(|s| Some((s.successes.max(1) as f64, summary(s)?)))
            .collect();
        let mut table = averaged(&with);
        table.retain(|(share, _)| is_told(*share));
        table
    };
    let speeds = of(|s| s.tpot.as_ref())
        .into_iter()
        .rev()
        .map(|(share, tpot)| (1.0 - share, 1.0 / tpot));
    (of(|s| s.ttft.as_ref()), speeds.collect())
}

/// The mean of summaries, weighted by their requests; `of_inverse` where the law is of the inverse.
pub(super) fn mean(stages: &[&Stage], summary: fn(&Stage) -> Option<&Summary>, of_inverse: bool) -> Option<Mean> {
    let (mut sum, mut weight) = (0.0, 0.0);
    for stage in stages {
        let many = stage.successes.max(1) as f64;
        sum += many * summary(stage)?.mean?;
        weight += many;
    }
    let value = Some(sum / weight).filter(|mean| *mean > 0.0 && mean.is_finite())?;
    Some(Mean { value, of_inverse })
}

/// The number of input tokens that were not cached.
fn fresh(o: &Observation) -> Option<f64> {
    Some(f64::from(o.input?.saturating_sub(o.cached.unwrap_or(0))))
}

/// The TTFT of each request as measured, against its uncached input.
pub(super) fn over_input(used: &[&Observation]) -> Vec<(f64, f64)> {
    used.iter().filter_map(|o| Some((fresh(o)?, o.ttft.seen()?))).collect()
}

/// Removes the TTFT of requests that were sent while all `slots` were taken, and returns how many: those include a
/// queueing delay, which the model's own queue produces.
pub(super) fn without_waits(observations: &mut [Observation], slots: Option<u32>) -> usize {
    let waited = |o: &&mut Observation| slots.zip(o.in_flight).is_some_and(|(slots, n)| n > slots);
    let mut many = 0;
    for o in observations.iter_mut().filter(waited) {
        o.ttft = Timing::Unknown;
        many += 1;
    }
    many
}

/// The TTFTs in order of time, each with its moment; the prefill time is taken out of them if it is a measurable part.
pub(super) fn ttfts(used: &[&Observation], time: f64) -> (Vec<(Timing, Option<f64>)>, Option<Effect>) {
    let points = over_input(used);
    let whole = |o: &&Observation| (o.ttft, o.unix);
    let as_they_are = || used.iter().map(whole).collect();
    let Some(slope) = Slope::of(&points, time) else {
        return (as_they_are(), None);
    };
    let mut inputs: Vec<f64> = points.iter().map(|p| p.0).collect();
    inputs.sort_by(f64::total_cmp);
    let spread = inputs[inputs.len() * 9 / 10] - inputs[inputs.len() / 10];
    let typical = median(&points.iter().map(|p| p.1).collect::<Vec<_>>());
    let share = slope.slope * spread / typical;
    // No TTFT may fall below a tenth of itself.
    let most = points
        .iter()
        .filter(|p| p.0 > 0.0)
        .map(|p| 0.9 * p.1 / p.0)
        .fold(f64::INFINITY, f64::min);
    let all_known = used.iter().all(|o| o.ttft.seen().is_none() || fresh(o).is_some());
    let worth = slope.low > 0.0 && share >= WORTH_A_SPEED;
    let says = |why: &str| {
        format!(
            "{:+.3} ms of TTFT for 1,000 input tokens (95 %: {:+.3} to {:+.3}): {why}",
            1e6 * slope.slope,
            1e6 * slope.low,
            1e6 * slope.high
        )
    };
    let effect = |why: &str, in_model: bool| {
        Some(Effect {
            slope,
            says: says(why),
            in_model,
        })
    };
    if !worth {
        let why = if slope.is_significant() {
            "too little beside the median to have in the model"
        } else {
            "not to be told from none"
        };
        return (as_they_are(), effect(why, false));
    }
    if !all_known || slope.slope > most {
        let why = if all_known {
            "some answers came sooner than that allows"
        } else {
            "not every request says its input"
        };
        return (as_they_are(), effect(&format!("{why}, so it stays in the law"), false));
    }
    // The input of a censored request may be unknown: the median input is assumed.
    let usual = inputs[inputs.len() / 2];
    let less = |o: &Observation, x: f64| x - slope.slope * fresh(o).unwrap_or(usual);
    let out = |o: &&Observation| {
        let timing = match o.ttft {
            Timing::Seen(x) => Timing::Seen(less(o, x)),
            Timing::AtLeast(x) => Timing::AtLeast(less(o, x)),
            Timing::Unknown => Timing::Unknown,
        };
        (timing, o.unix)
    };
    let why = format!("{:.0} tokens/s, taken out of the law of TTFT", 1.0 / slope.slope);
    (used.iter().map(out).collect(), effect(&why, true))
}

fn speed(o: &Observation) -> Option<f64> {
    match Shown::by(o) {
        Shown::Speed(speed) => Some(speed),
        Shown::AtOnce | Shown::TooShort | Shown::Untimed => None,
    }
}

/// The effect of requests in flight on the decode speed. `None` where the former do not vary or are unknown.
pub(super) fn concurrency(used: &[&Observation], time: f64) -> Option<Effect> {
    let points: Vec<(f64, f64)> = used
        .iter()
        .filter_map(|o| Some((f64::from(o.in_flight?), libm::log(speed(o)?))))
        .collect();
    let slope = Slope::of(&points, time)?;
    let percent = |x: f64| 100.0 * libm::expm1(x);
    let verdict = if !slope.is_significant() {
        "not to be told from none"
    } else if slope.slope < 0.0 {
        "slower with load; the law is of the load that was measured, and a model of the load (`load`) is not fitted"
    } else {
        "faster with load, which a queue does not cause: time of day, or a cache"
    };
    Some(Effect {
        slope,
        says: format!(
            "{:+.2} % of decode speed for each further request in flight (95 %: {:+.2} to {:+.2}): {verdict}",
            percent(slope.slope),
            percent(slope.low),
            percent(slope.high)
        ),
        in_model: false,
    })
}

/// A remark if TTFT and decode speed are correlated, which a simulation that draws them independently would miss.
pub(super) fn together(used: &[&Observation]) -> Option<String> {
    let pairs: Vec<(f64, f64)> = used.iter().filter_map(|o| Some((o.ttft.seen()?, speed(o)?))).collect();
    let rho = spearman(&pairs)?;
    // Twice the standard error, and large enough to matter.
    (pairs.len() >= 20 && rho.abs() > 2.0 / (pairs.len() as f64).sqrt() && rho.abs() > 0.3).then(|| {
        format!("TTFT and decode speed go together (rank correlation {rho:+.2}); a simulation draws them independently")
    })
}
