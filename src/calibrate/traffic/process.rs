//! The process around the rate of a trace: which one, by how its draws compare with the trace.
//!
//! Four are tried. Poisson; gamma and Weibull gaps, whose variation is that of greatest likelihood ([`Gaps`]; or, where the clock is too coarse for gaps,
//! that of the counts); and two states that take turns ([`Bursts`]). Gaps are looked at on the clock that goes with the rate, so that a busy hour is
//! not taken for a burst. Each candidate is then drawn as a run draws it, [`DRAWS`] times at the times of the trace, and asked for what the trace
//! was asked for: the variation of its gaps and the index of dispersion of its counts.
//!
//! The rule: of the candidates of whose draws the trace could be one in all of these, taken together, or whose medians are all within 5 % of it, that of
//! fewest parameters, unless the gaps are very much likelier under another of them; if there is none, the one whose figures are nearest in ratio. Where
//! dispersion does not hold AIC does not decide: it is ruled by the shortest gaps, and queues by the longer windows. Dispersion is also held
//! against draws about the rate's own course, which steps of the rate do not hide.

use schemars::JsonSchema;
use serde::Serialize;

use super::bursts::{self, Bursts};
use super::counts::{self, Stretches};
use super::gaps::{Gaps, Shape};
use super::rate::{Course, four, rate};
use super::{SECOND, WINDOWS, draw};
use crate::form::build::{Built, Refusal};
use crate::stats::moments::Moments;
use crate::stats::sorting;
use crate::traffic::arrivals::{ArrivalsSpec, Gamma, Poisson, Weibull};

/// Draws of a candidate: between the least and the greatest of 39 lies a further one in 95 of 100 cases.
pub(super) const DRAWS: u64 = 39;
/// Up to which logarithm of its ratio a figure is near enough, however well it is known.
const NEAR: f64 = 0.05;
/// By how much AIC decides, whatever the number of parameters: very strong evidence (Kass and Raftery, *Journal of the American Statistical
/// Association* 90, 1995).
const BY_FAR: f64 = 10.0;
/// From which logarithm of its ratio on a figure that is off is told.
const TOLD: f64 = 0.1;
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

    /// The width of the windows in nanoseconds, where it is of windows.
    fn width(self) -> Option<u64> {
        match self {
            Asked::GapCv => None,
            Asked::Dispersion(seconds) => Some(seconds * SECOND as u64),
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
    /// Whether the trace could be one of its draws in all figures together, or is within 5 % of their medians in each.
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

/// What is known of a trace's gaps beforehand: by its clock, and by its description.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fineness {
    /// The nanoseconds from which on times are told apart.
    pub(super) finest: u64,
    /// Whether gaps can be told at all.
    pub(super) are_gaps_known: bool,
    /// Whether the description says that a Poisson process would be too calm.
    pub(super) is_bursty: bool,
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
    let widths = asked.iter().filter_map(|asked| asked.width());
    let about = widths.filter_map(|width| Some((width, counts::about_course(times, stretches, width)?.0)));
    let about: Vec<(u64, f64)> = about.collect();
    let seen = Seen {
        own: &own,
        about: &about,
    };
    for trial in &trials {
        candidates.push(tried(trial, course, stretches, &seen, seed)?);
    }
    let fewest = if own.is_empty() {
        None
    } else {
        likeliest(&candidates, fineness.is_bursty)
    };
    let nearest = || {
        candidates
            .iter()
            .enumerate()
            .min_by(|a, b| a.1.off.total_cmp(&b.1.off))
            .map(|(i, _)| i)
    };
    let (place, why) = match (fewest, nearest()) {
        (Some(place), _) => (place, reason(&candidates, place, &own)),
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

/// Of the candidates of whose draws the trace could be one, that of fewest parameters, and of as many the likeliest; but one whose AIC is
/// lower by [`BY_FAR`] goes before it. Of bursty traffic Poisson is taken only where no other holds: what is said of the trace is not unsaid.
fn likeliest(candidates: &[Candidate], is_bursty: bool) -> Option<usize> {
    let mut of: Vec<(usize, &Candidate)> = candidates.iter().enumerate().filter(|(_, of)| of.could_be).collect();
    // Where gaps are not known, the nearer one.
    let worth = |of: &Candidate| of.aic.unwrap_or(of.off);
    sorting::by(&mut of, |a, b| {
        a.1.many.cmp(&b.1.many).then(worth(a.1).total_cmp(&worth(b.1)))
    });
    if is_bursty && of.iter().any(|(_, of)| of.many > 1) {
        of.retain(|(_, of)| of.many > 1);
    }
    let mut of = of.into_iter();
    let first = of.next()?;
    let best = of.fold(first, |best, next| match (best.1.aic, next.1.aic) {
        (Some(one), Some(other)) if other < one - BY_FAR => next,
        _ => best,
    });
    Some(best.0)
}

/// The reason for a candidate of whose draws the trace could be one, with the figure that it is furthest off in.
fn reason(candidates: &[Candidate], place: usize, own: &[(Asked, f64)]) -> String {
    let taken = &candidates[place];
    let is_fewest = candidates.iter().all(|of| !of.could_be || of.many >= taken.many);
    let is_likelier = candidates.iter().all(|of| of.aic >= taken.aic || !of.could_be) && taken.aic.is_some();
    let mut why = match (is_fewest, is_likelier) {
        (true, _) => "the fewest parameters of those of whose draws the trace could be one".to_owned(),
        (false, false) => {
            "the fewest parameters of those that burst and of whose draws the trace could be one".to_owned()
        }
        (false, true) => "by far the likeliest by its gaps of those of whose draws the trace could be one".to_owned(),
    };
    let figures = taken.figures.iter().zip(own);
    let off = figures.map(|((name, model), (_, own))| (libm::log(model.max(1e-3) / own.max(1e-3)), name, model, own));
    if let Some((off, name, model, own)) = off.max_by(|a, b| a.0.abs().total_cmp(&b.0.abs()))
        && off.abs() > TOLD
    {
        let figure = |x: f64| crate::report::format::value(crate::report::Unit::Number, x);
        let than = if off < 0.0 { "calmer" } else { "wilder" };
        why += &format!(
            "; its draws are {than} than the trace in {name} ({} for {}), no more than chance allows",
            figure(*model),
            figure(*own)
        );
    }
    why
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
    let known = Gaps::of(gaps.iter().flatten().copied(), fineness.finest as f64 / SECOND);
    let mut trials = vec![Trial {
        name: "poisson",
        parameters: String::new(),
        many: 1,
        log_likelihood: known.as_ref().map(Gaps::exponential),
        spec: ArrivalsSpec::from(Poisson { rate: per_second }),
    }];
    let curve = bursts::curve(&operational, &level, fineness.finest);
    // Without gaps their variation is that of the counts: what the index tends to is its square.
    let by_counts = curve.get(curve.len() / 2).map(|(_, index)| index.max(0.01).sqrt());
    for (law, name, widest) in [(Shape::Gamma, "gamma", 4.0), (Shape::Weibull, "weibull", 6.0)] {
        let fitted = known.as_ref().map(|gaps| gaps.fit(law));
        let cv = match (fitted, law) {
            (Some((shape, _)), Shape::Gamma) => Some(1.0 / shape.sqrt()),
            (Some((shape, _)), Shape::Weibull) => Some(weibull_cv(shape)),
            (None, _) if gaps.is_empty() => by_counts,
            (None, _) => None,
        };
        let Some(cv) = cv.filter(|cv| cv.is_finite()) else {
            continue;
        };
        let cv = four(cv.clamp(0.05, widest));
        let spec = match law {
            Shape::Gamma => ArrivalsSpec::from(Gamma { rate: per_second, cv }),
            Shape::Weibull => ArrivalsSpec::from(Weibull { rate: per_second, cv }),
        };
        trials.push(Trial {
            name,
            parameters: format!("cv {cv}"),
            many: 2,
            log_likelihood: fitted.map(|(_, log_likelihood)| log_likelihood),
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
            log_likelihood: known
                .as_ref()
                .map(|known| known.of_densities(bursts.log_likelihood(&gaps))),
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
fn tried(trial: &Trial, course: &Course, stretches: &Stretches, seen: &Seen<'_>, seed: u64) -> Built<Candidate> {
    let spec = course.arrivals(trial.spec.clone());
    let until = stretches.last().map_or(0, |(_, until)| *until);
    let mut figures: Vec<Vec<f64>> = vec![Vec::new(); seen.own.len()];
    let mut about: Vec<Vec<f64>> = vec![Vec::new(); seen.about.len()];
    for replication in 0..DRAWS {
        let times = draw::times_from(course.begins(), &spec, seed, replication, until)?;
        for (list, (asked, _)) in figures.iter_mut().zip(seen.own) {
            list.push(asked.of(&times, stretches).unwrap_or(0.0));
        }
        for (list, (width, _)) in about.iter_mut().zip(seen.about) {
            list.push(counts::about_course(&times, stretches, *width).map_or(0.0, |(index, _)| index));
        }
    }
    let logs = |list: &[f64]| -> Vec<f64> { list.iter().map(|x| log(*x)).collect() };
    let all = figures.iter().chain(&about).map(|list| logs(list));
    let own = seen
        .own
        .iter()
        .map(|(_, x)| log(*x))
        .chain(seen.about.iter().map(|(_, x)| log(*x)));
    let is_among = is_among(&all.collect::<Vec<_>>(), &own.collect::<Vec<_>>());
    let (mut is_near, mut squares) = (true, 0.0);
    let mut medians = Vec::new();
    for (list, (asked, own)) in figures.iter_mut().zip(seen.own) {
        let (_, median, _) = spread(list);
        let off = log(median) - log(*own);
        is_near &= off.abs() <= NEAR;
        squares += off * off;
        medians.push((asked.name(), median));
    }
    Ok(Candidate {
        process: trial.name,
        parameters: trial.parameters.clone(),
        many: trial.many,
        aic: trial.log_likelihood.map(|log| 2.0 * trial.many as f64 - 2.0 * log),
        figures: medians,
        could_be: is_among || is_near,
        off: (squares / seen.own.len().max(1) as f64).sqrt(),
        taken: false,
    })
}

/// What a trace shows, that draws are held against.
struct Seen<'a> {
    /// The figures that are told.
    own: &'a [(Asked, f64)],
    /// Widths of windows in nanoseconds, and the index of dispersion about the rate's own course: what a course that moves does not hide.
    about: &'a [(u64, f64)],
}

fn log(x: f64) -> f64 {
    libm::log(x.max(1e-3))
}

/// Whether figures, all taken together, lie within the reach of the furthest of the draws: the sum of squares in standard deviations
/// of each figure. Of draws of the same process one in 40 is (Barnard's Monte Carlo test, 1963), however the figures hang together.
fn is_among(draws: &[Vec<f64>], own: &[f64]) -> bool {
    let moments: Vec<(f64, f64)> = draws
        .iter()
        .map(|list| {
            let moments: Moments = list.iter().copied().collect();
            let spread = moments.variance().unwrap_or(0.0).sqrt();
            (moments.mean().unwrap_or(0.0), spread.max(1e-9))
        })
        .collect();
    let far = |figures: &mut dyn Iterator<Item = f64>| -> f64 {
        let squares = figures.zip(&moments).map(|(x, (mean, spread))| {
            let z = (x - mean) / spread;
            z * z
        });
        squares.sum()
    };
    let many = draws.first().map_or(0, Vec::len);
    let furthest = (0..many).map(|i| far(&mut draws.iter().map(|list| list[i])));
    far(&mut own.iter().copied()) <= furthest.fold(0.0, f64::max)
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
            is_bursty: false,
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

    /// Three hours of it, which half an hour is drawn of: by the densities of its gaps, some of which are below a nanosecond, its variation was
    /// 2.29, and an mmpp nearer.
    #[test]
    fn bursts_below_the_clock_are_known_again() {
        let choice = chosen(r#"{ "gamma": { "rate": "20/s", "cv": 2.5 } }"#, 3);
        assert_eq!(choice.taken.name(), "gamma", "{choice:?}");
        let cv = serde_json::to_value(&choice.taken).unwrap()["gamma"]["cv"]
            .as_f64()
            .unwrap();
        assert!((cv / 2.5 - 1.0).abs() < 0.03, "{cv}");
    }

    fn candidate(many: usize, aic: Option<f64>, off: f64, could_be: bool) -> Candidate {
        Candidate {
            process: "it",
            parameters: String::new(),
            many,
            aic,
            figures: vec![("dispersion, 10 s".to_owned(), 1.2)],
            could_be,
            off,
            taken: false,
        }
    }

    #[test]
    fn of_those_that_hold_the_fewest_parameters_go_first_unless_gaps_are_far_likelier() {
        let of = |candidates: &[Candidate]| likeliest(candidates, false);
        assert_eq!(
            likeliest(&[candidate(1, None, 0.3, true), candidate(4, None, 0.1, true)], true),
            Some(1)
        );
        let known = |aic: f64, many: usize| candidate(many, Some(aic), 0.1, true);
        assert_eq!(of(&[known(10.0, 1), known(4.0, 2), known(3.0, 4)]), Some(0));
        assert_eq!(of(&[known(10.0, 1), known(-4.0, 2), known(-20.0, 4)]), Some(2));
        assert_eq!(of(&[known(10.0, 2), known(9.0, 2)]), Some(1));
        assert_eq!(
            of(&[candidate(2, None, 0.3, true), candidate(2, None, 0.1, true)]),
            Some(1)
        );
        assert_eq!(of(&[candidate(1, None, 0.1, false)]), None);
        let why = reason(&[candidate(1, None, 0.1, true)], 0, &[(Asked::Dispersion(10), 1.39)]);
        assert!(
            why.contains("calmer than the trace in dispersion, 10 s (1.20 for 1.39)"),
            "{why}"
        );
    }

    /// Of two figures that go together each may be two deviations off, but not one up and one down.
    #[test]
    fn figures_are_held_against_draws_together() {
        let draws: Vec<f64> = (0..39).map(|i| f64::from(i) / 39.0).collect();
        let both = [draws.clone(), draws];
        assert!(is_among(&both, &[0.9, 0.9]));
        assert!(!is_among(&both, &[0.5, 2.0]));
    }

    /// The variation of a Weibull law of shape 1 is 1, and of shape 1/2 √5.
    #[test]
    fn the_variation_of_weibull_gaps_is_by_its_shape() {
        assert!((weibull_cv(1.0) - 1.0).abs() < 1e-12);
        assert!((weibull_cv(0.5) - 5_f64.sqrt()).abs() < 1e-12);
    }
}
