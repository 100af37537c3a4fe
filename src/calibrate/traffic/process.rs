//! The process around the rate of a trace: which one, by how its draws compare with the trace.
//!
//! Four are tried. Poisson; gamma and Weibull gaps, whose variation is that of greatest likelihood (or, where the clock is too coarse for gaps,
//! that of the counts); and two states that take turns ([`Bursts`]). Gaps are looked at on the clock that goes with the rate, so that a busy hour is
//! not taken for a burst. Each candidate is then drawn as a run draws it, [`DRAWS`] times at the times of the trace, and asked for what the trace
//! was asked for: the variation of its gaps and the index of dispersion of its counts.
//!
//! The rule: the candidate of fewest parameters of whose draws the trace could be one in all of these; if there is none, the one
//! whose figures are nearest in ratio. AIC is shown beside, and does not decide: it is ruled by the shortest gaps, and queues by the longer windows.

use schemars::JsonSchema;
use serde::Serialize;

use super::bursts::{self, Bursts};
use super::counts::{self, Stretches};
use super::rate::{Course, four, rate};
use super::{SECOND, WINDOWS, draw};
use crate::calibrate::fit::{Family, Params, Sample};
use crate::calibrate::log::Timing;
use crate::form::build::{Built, Refusal};
use crate::stats::moments::Moments;
use crate::traffic::arrivals::{ArrivalsSpec, Gamma, Poisson, Weibull};

/// Draws of a candidate: between the least and the greatest of 39 lies a further one in 95 of 100 cases.
pub(super) const DRAWS: u64 = 39;
/// From how many standard deviations of the logarithm on a figure is not one of a draw: 1 in 100 is, if logarithms are normal.
const FAR: f64 = 2.6;
/// Gaps beyond which the likelihood needs no more.
const MOST_GAPS: usize = 40_000;
/// Requests of the trace up to which candidates are drawn.
const MOST_DRAWN: usize = 200_000;

/// What is asked of the trace and of draws alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// The coefficient of variation of gaps.
    GapCv,
    /// The index of dispersion in windows of so many seconds.
    Dispersion(u64),
}

impl Asked {
    /// What a trace may be asked whose clock tells times apart from `finest` nanoseconds on, in these stretches.
    pub(super) fn all(stretches: &Stretches, finest: u64, are_gaps_known: bool) -> Vec<Asked> {
        let wide = |seconds: &u64| {
            let width = seconds * SECOND as u64;
            width >= finest && counts::whole(stretches, width) >= counts::FEWEST
        };
        let gaps = are_gaps_known.then_some(Asked::GapCv);
        let windows = WINDOWS.into_iter().filter(wide).map(Asked::Dispersion);
        gaps.into_iter().chain(windows).collect()
    }

    /// The figure of these times, where they are enough to tell it.
    pub(super) fn of(self, times: &[u64], stretches: &Stretches) -> Option<f64> {
        match self {
            Asked::GapCv => counts::gap_cv(times, stretches),
            Asked::Dispersion(seconds) => counts::dispersion(times, stretches, seconds * SECOND as u64),
        }
    }

    /// The name of the figure in reports.
    pub(super) fn name(self) -> String {
        match self {
            Asked::GapCv => "CV of gaps".to_owned(),
            Asked::Dispersion(seconds) => format!("dispersion, {seconds} s"),
        }
    }
}

/// A process that was tried.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Candidate {
    /// The name of the process.
    pub process: &'static str,
    /// The parameters of the process, in words.
    pub parameters: String,
    /// The number of parameters.
    pub many: usize,
    /// Akaike's information criterion of the gaps, where they are known.
    pub aic: Option<f64>,
    /// The figures of its draws: names, and medians.
    pub figures: Vec<(String, f64)>,
    /// Whether the trace could be one of its draws in every figure.
    pub could_be: bool,
    /// How far its figures are from the trace's: the root of the mean square of the logarithms of their ratios.
    pub off: f64,
    /// Whether it was taken.
    pub taken: bool,
}

/// The processes that were tried, and the one that was taken.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    pub(super) candidates: Vec<Candidate>,
    /// The process that was taken, at the mean rate of the trace.
    pub(super) taken: ArrivalsSpec,
    /// The reason, in a clause.
    pub(super) why: String,
    /// The trace's own figures.
    pub(super) own: Vec<(String, f64)>,
}

/// What is known of a trace's clock for its gaps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fineness {
    /// The nanoseconds from which on times are told apart.
    pub(super) finest: u64,
    /// Whether gaps can be told at all.
    pub(super) are_gaps_known: bool,
}

/// A candidate before it is drawn.
struct Trial {
    name: &'static str,
    parameters: String,
    many: usize,
    log_likelihood: Option<f64>,
    spec: ArrivalsSpec,
}

/// Chooses the process around `course`; `times` are those of the trace.
pub(super) fn choose(
    times: &[u64],
    stretches: &Stretches,
    course: &Course,
    fineness: Fineness,
    seed: u64,
) -> Built<Choice> {
    let mean = counts::within(times, stretches) as f64 / counts::seconds(stretches).max(1e-9);
    let (times, stretches) = counts::beginning(times, stretches, MOST_DRAWN);
    let stretches = stretches.as_slice();
    let asked = Asked::all(stretches, fineness.finest, fineness.are_gaps_known);
    let known = |asked: &Asked| Some((*asked, asked.of(times, stretches)?));
    let own: Vec<(Asked, f64)> = asked.iter().filter_map(known).collect();
    let trials = trials(times, stretches, course, mean, fineness)?;
    let mut candidates = Vec::new();
    for trial in &trials {
        candidates.push(tried(trial, course, stretches, &own, seed)?);
    }
    let fewest = candidates
        .iter()
        .enumerate()
        .filter(|(_, of)| of.could_be && !own.is_empty());
    let fewest = fewest.min_by_key(|(_, of)| of.many).map(|(i, _)| i);
    let nearest = || {
        candidates
            .iter()
            .enumerate()
            .min_by(|a, b| a.1.off.total_cmp(&b.1.off))
            .map(|(i, _)| i)
    };
    let (place, why) = match (fewest, nearest()) {
        (Some(place), _) => (
            place,
            "the fewest parameters of those of whose draws the trace could be one".to_owned(),
        ),
        (None, Some(place)) if !own.is_empty() => {
            let off = libm::exp(candidates[place].off) - 1.0;
            let percent = crate::report::format::share(off);
            let why = format!(
                "the nearest in dispersion and in the variation of gaps, though {percent} off in the mean; the trace could be a draw of none"
            );
            (place, why)
        }
        (None, _) => (0, "too few requests to tell processes apart".to_owned()),
    };
    candidates[place].taken = true;
    Ok(Choice {
        candidates,
        taken: trials[place].spec.clone(),
        why,
        own: own.into_iter().map(|(asked, x)| (asked.name(), x)).collect(),
    })
}

fn trials(times: &[u64], stretches: &Stretches, course: &Course, mean: f64, fineness: Fineness) -> Built<Vec<Trial>> {
    let per_second = rate(mean).ok_or_else(|| Refusal::new("its rate is too low to be written"))?;
    let operational = course.operational(times, mean);
    let ends: Vec<u64> = stretches.iter().flat_map(|(from, until)| [*from, *until]).collect();
    let ends = course.operational(&ends, mean);
    let level: Vec<(u64, u64)> = ends.chunks_exact(2).map(|two| (two[0], two[1])).collect();
    let gaps = if fineness.are_gaps_known {
        gaps(&operational, &level)
    } else {
        Vec::new()
    };
    let sample = Sample::of(gaps.iter().flatten().map(|gap| Timing::Seen(*gap)));
    let n = sample.len() as f64;
    let poisson = |mean: f64| -n * (libm::log(mean) + 1.0);
    let seen = |log_likelihood: f64| (n > 0.0).then_some(log_likelihood);
    let mut trials = vec![Trial {
        name: "poisson",
        parameters: String::new(),
        many: 1,
        log_likelihood: seen(poisson(sample.mean_seen())),
        spec: ArrivalsSpec::from(Poisson { rate: per_second }),
    }];
    let curve = bursts::curve(&operational, &level, fineness.finest);
    // Without gaps their variation is that of the counts: what the index tends to is its square.
    let by_counts = curve.get(curve.len() / 2).map(|(_, index)| index.max(0.01).sqrt());
    for (family, name, widest) in [(Family::Gamma, "gamma", 4.0), (Family::Weibull, "weibull", 6.0)] {
        let fitted = family.fit(&sample, None).map(|fitted| fitted.params);
        let cv = match &fitted {
            Some(Params::Gamma { shape, .. }) => Some(1.0 / shape.sqrt()),
            Some(Params::Weibull { shape, .. }) => Some(weibull_cv(*shape)),
            _ if gaps.is_empty() => by_counts,
            _ => None,
        };
        let Some(cv) = cv.filter(|cv| cv.is_finite()) else {
            continue;
        };
        let cv = four(cv.clamp(0.05, widest));
        let spec = if family == Family::Gamma {
            ArrivalsSpec::from(Gamma { rate: per_second, cv })
        } else {
            ArrivalsSpec::from(Weibull { rate: per_second, cv })
        };
        trials.push(Trial {
            name,
            parameters: format!("cv {cv}"),
            many: 2,
            log_likelihood: fitted.and_then(|params| seen(params.log_likelihood(&sample))),
            spec,
        });
    }
    if let Some(bursts) = Bursts::through(&curve, mean, &gaps) {
        use crate::report::format::{span, value};
        let unit = crate::report::Unit::PerSecond;
        let of = |i: usize| format!("{} for {}", value(unit, bursts.rates[i]), span(four(bursts.stays[i])));
        trials.push(Trial {
            name: "mmpp",
            parameters: format!("{}, {}", of(0), of(1)),
            many: 4,
            log_likelihood: seen(bursts.log_likelihood(&gaps)),
            spec: ArrivalsSpec::from(bursts.spec()),
        });
    }
    Ok(trials)
}

/// The coefficient of variation of a Weibull law of this shape.
fn weibull_cv(shape: f64) -> f64 {
    let log = libm::lgamma(1.0 + 2.0 / shape) - 2.0 * libm::lgamma(1.0 + 1.0 / shape);
    libm::expm1(log).max(0.0).sqrt()
}

/// Lists of neighbouring gaps in seconds, of every stretch or of an even choice of them.
fn gaps(times: &[u64], stretches: &Stretches) -> Vec<Vec<f64>> {
    let every = (times.len() / MOST_GAPS).max(1).min(stretches.len().max(1));
    let mut lists = Vec::new();
    let mut left = MOST_GAPS;
    for &stretch in stretches.iter().step_by(every) {
        let list: Vec<f64> = counts::gaps(times, &[stretch])
            .take(left)
            .map(|gap| gap as f64 / SECOND)
            .collect();
        left -= list.len();
        lists.push(list);
    }
    lists
}

/// Draws a candidate, and holds its figures against the trace's.
fn tried(trial: &Trial, course: &Course, stretches: &Stretches, own: &[(Asked, f64)], seed: u64) -> Built<Candidate> {
    let spec = course.arrivals(trial.spec.clone());
    let until = stretches.last().map_or(0, |(_, until)| *until);
    let mut figures: Vec<Vec<f64>> = vec![Vec::new(); own.len()];
    for replication in 0..DRAWS {
        let times = draw::times_from(course.begins(), &spec, seed, replication, until)?;
        for (list, (asked, _)) in figures.iter_mut().zip(own) {
            list.push(asked.of(&times, stretches).unwrap_or(0.0));
        }
    }
    let (mut could_be, mut squares) = (true, 0.0);
    let mut medians = Vec::new();
    for (list, (asked, own)) in figures.iter_mut().zip(own) {
        let (_, median, _) = spread(list);
        let log = |x: f64| libm::log(x.max(1e-3));
        let logs: Moments = list.iter().map(|x| log(*x)).collect();
        let (mean, spread) = (logs.mean().unwrap_or(0.0), logs.variance().unwrap_or(0.0).sqrt());
        could_be &= (log(*own) - mean).abs() <= FAR * spread;
        let off = log(median) - log(*own);
        squares += off * off;
        medians.push((asked.name(), median));
    }
    Ok(Candidate {
        process: trial.name,
        parameters: trial.parameters.clone(),
        many: trial.many,
        aic: trial.log_likelihood.map(|log| 2.0 * trial.many as f64 - 2.0 * log),
        figures: medians,
        could_be,
        off: (squares / own.len().max(1) as f64).sqrt(),
        taken: false,
    })
}

/// The least, the median and the greatest.
pub(super) fn spread(figures: &mut [f64]) -> (f64, f64, f64) {
    figures.sort_unstable_by(f64::total_cmp);
    let at = |i: usize| figures.get(i).copied().unwrap_or(0.0);
    (at(0), at(figures.len() / 2), at(figures.len().saturating_sub(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000_000_000;

    fn chosen(json: &str, seed: u64) -> Choice {
        let spec: ArrivalsSpec = serde_json::from_str(json).unwrap();
        let times = draw::times(&spec, 5, seed, HOUR).unwrap();
        let mean = times.len() as f64 / 3600.0;
        let fineness = Fineness {
            finest: 1,
            are_gaps_known: true,
        };
        choose(&times, &[(0, HOUR)], &Course::Level(mean), fineness, 1).unwrap()
    }

    /// In most hours of it: now and then one is not like the others.
    #[test]
    fn each_process_is_known_again() {
        for (json, name) in [
            (r#"{ "poisson": { "rate": "5/s" } }"#, "poisson"),
            (r#"{ "gamma": { "rate": "5/s", "cv": 2 } }"#, "gamma"),
            (r#"{ "gamma": { "rate": "5/s", "cv": 0.4 } }"#, "gamma"),
            (
                r#"{ "mmpp": { "states": [ { "rate": "2/s", "stay": "30s" }, { "rate": "20/s", "stay": "10s" } ] } }"#,
                "mmpp",
            ),
        ] {
            let hours = (7..12).map(|seed| chosen(json, seed).taken.name());
            let taken: Vec<&str> = hours.collect();
            let right = taken.iter().filter(|taken| **taken == name).count();
            assert!(right >= 3, "{name}: {taken:?}");
        }
    }

    /// The variation of a Weibull law of shape 1 is 1, and of shape 1/2 √5.
    #[test]
    fn the_variation_of_weibull_gaps_is_by_its_shape() {
        assert!((weibull_cv(1.0) - 1.0).abs() < 1e-12);
        assert!((weibull_cv(0.5) - 5_f64.sqrt()).abs() < 1e-12);
    }
}
