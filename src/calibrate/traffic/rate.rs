//! The rate of a trace over time, as `run` takes it: level, in steps, or by the hour of the day.
//!
//! From two days on it is a `profile`: a level for each hour of the day (in UTC, or of the trace's own days where it has no dates), with its
//! own levels for weekends and a factor for each day from a week on where dates are known. Levels are found so that the profile's straight
//! lines between them have the mean rate of each hour.
//!
//! Below that it is a `schedule` of equal steps, of which there are as many as the least quasi-BIC says: the deviance of the counts, over
//! their dispersion from one 48th of the trace to the next, plus ln 48 for each step. So what changes no more than neighbouring stretches
//! do anyway stays level, and is left to the process around it.

use super::SECOND;
use super::counts::{self, Stretches};
use crate::form::units::{Duration, Rate};
use crate::kernel::calendar::has_days;
use crate::kernel::time::Span;
use crate::traffic::arrivals::{ArrivalsSpec, Between, Point, Profile, Schedule};

const HOUR: u64 = 3_600_000_000_000;
const DAY: u64 = 24 * HOUR;
const WEEK: u64 = 7 * DAY;

/// From so many days on there are hours of a day.
const HOURS_FROM: f64 = 2.0;

/// From so many days on, with dates, there are days of a week.
const DAYS_FROM: f64 = 7.0;
/// The parts of a shorter trace by which steps are chosen.
const PARTS: u64 = 48;
/// The numbers of steps that are tried.
const STEPS: [usize; 9] = [1, 2, 3, 4, 6, 8, 12, 16, 24];
/// Fewer requests a part leave the rate level.
const FEWEST_A_PART: u64 = 5;

/// A rate over time.
#[derive(Clone, Debug)]
pub(super) enum Course {
    /// A rate that stays as it is, in requests a second.
    Level(f64),
    /// Equal steps over the whole span.
    Steps {
        /// How long each is, in nanoseconds.
        each: u64,
        /// Requests a second in each.
        rates: Vec<f64>,
    },
    /// Hours of the day, and days of the week where they are told apart.
    Hours {
        /// Requests a second in the middle of each hour of the week, from Monday on.
        levels: Vec<f64>,
        /// How far into the week the first request came, in nanoseconds.
        begins: u64,
        /// The profile, with nothing laid under it.
        profile: Box<Profile>,
        /// The hours of the day in which it is off the trace's mean, on weekdays where they are told apart: the hour, the trace's rate and its own.
        off: Vec<(usize, f64, f64)>,
    },
}

/// What is known of a trace's clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// The span of the whole trace, in nanoseconds.
    pub(super) span: u64,
    /// How far into the week (UTC, from Monday on) it begins, in nanoseconds, where that is known.
    pub(super) into_week: Option<u64>,
}

impl Course {
    /// The rate of the arrivals at `times` within the stretches of a trace.
    pub(super) fn fit(times: &[u64], stretches: &Stretches, clock: Clock) -> Course {
        if has_days(Span::from_nanos(clock.span).seconds(), HOURS_FROM) {
            hours(times, stretches, clock)
        } else {
            steps(times, stretches, clock.span)
        }
    }

    /// The arrivals of `over` at this rate.
    pub(super) fn arrivals(&self, over: ArrivalsSpec) -> ArrivalsSpec {
        // A Poisson process is what a curve is laid over if nothing is said.
        let under = Some(Box::new(over.clone())).filter(|over| over.name() != "poisson");
        match self {
            Course::Level(_) => over,
            Course::Steps { each, rates } => ArrivalsSpec::from(Schedule {
                points: (0..)
                    .zip(rates)
                    .map(|(i, of)| Point {
                        at: Duration::from(Span::from_nanos(each * i)),
                        rate: rate(*of),
                    })
                    .collect(),
                between: Some(Between::Steps),
                every: None,
                over: under,
            }),
            Course::Hours { profile, .. } => ArrivalsSpec::from(Profile {
                over: under,
                ..(**profile).clone()
            }),
        }
    }

    /// How far into the week it begins, in nanoseconds; 0 where it does not go by the week.
    pub(super) fn begins(&self) -> u64 {
        match self {
            Course::Level(_) | Course::Steps { .. } => 0,
            Course::Hours { begins, .. } => *begins,
        }
    }

    /// Requests a second at a time of the trace.
    pub(super) fn at(&self, time: u64) -> f64 {
        match self {
            Course::Level(rate) => *rate,
            Course::Steps { each, rates } => rates[((time / each) as usize).min(rates.len() - 1)],
            Course::Hours { levels, begins, .. } => {
                let (hour, into) = middle(begins + time);
                let (from, to) = (levels[hour], levels[(hour + 1) % levels.len()]);
                from + (to - from) * into as f64 / HOUR as f64
            }
        }
    }

    /// The times as a clock has them that goes faster the higher the rate is, and as fast as the trace's own on average; in nanoseconds.
    pub(super) fn operational(&self, times: &[u64], mean: f64) -> Vec<u64> {
        let mut seen = 0;
        let mut gone = 0.0;
        let step = |gone: &mut f64, seen: &mut u64, until: u64| {
            while *seen < until {
                let next = self.next_corner(*seen).min(until);
                // Straight between corners, of which none lies between.
                let inside = next - 1;
                let mean_rate = f64::midpoint(self.at(*seen), self.at(inside.max(*seen)));
                *gone += mean_rate * (next - *seen) as f64;
                *seen = next;
            }
        };
        let of = |at: &u64| {
            step(&mut gone, &mut seen, *at);
            (gone / mean) as u64
        };
        times.iter().map(of).collect()
    }

    /// The next time at which the rate changes its course.
    fn next_corner(&self, after: u64) -> u64 {
        match self {
            Course::Level(_) => u64::MAX,
            Course::Steps { each, rates } => {
                let next = after / each + 1;
                if next >= rates.len() as u64 {
                    u64::MAX
                } else {
                    next * each
                }
            }
            Course::Hours { begins, .. } => {
                let (_, into) = middle(begins + after);
                after + HOUR - into
            }
        }
    }

    /// What it is, in words.
    pub(super) fn says(&self) -> String {
        use crate::report::format::span;
        match self {
            Course::Level(_) => {
                "a level rate: parts of the trace differ no more than neighbouring ones do anyway".to_owned()
            }
            Course::Steps { each, rates } => format!(
                "a rate in {} steps of {}: it moves further over the trace than from one 48th of it to the next",
                rates.len(),
                span(*each as f64 / SECOND)
            ),
            Course::Hours { profile, .. } => match (&profile.days, &profile.weekend) {
                (None, _) => "a rate by the hour of the day".to_owned(),
                (Some(_), _) => {
                    "a rate by the hour of the day, with weekends of their own and a factor for each day".to_owned()
                }
            },
        }
    }
}

/// The hour of the week whose middle a time of the week is behind, and how far.
fn middle(time: u64) -> (usize, u64) {
    let shifted = (time % WEEK + WEEK - HOUR / 2) % WEEK;
    ((shifted / HOUR) as usize, shifted % HOUR)
}

/// A rate as a file writes it; nothing where none come.
pub(super) fn rate(per_second: f64) -> Option<Rate> {
    format!("{:.9}/s", four(per_second)).parse().ok()
}

/// To four significant digits: what is counted is known no better.
pub(super) fn four(x: f64) -> f64 {
    format!("{x:.3e}").parse().unwrap_or(x)
}

fn steps(times: &[u64], stretches: &Stretches, span: u64) -> Course {
    let total = counts::within(times, stretches);
    let level = Course::Level(total as f64 / counts::seconds(stretches).max(1e-9));
    let part = span.div_ceil(PARTS);
    // Whole seconds, where that makes little of a difference.
    let part = if part >= 60 * SECOND as u64 {
        part.next_multiple_of(SECOND as u64)
    } else {
        part
    };
    if total < FEWEST_A_PART * PARTS || part == 0 {
        return level;
    }
    // Requests and seconds of each part, as far as they are within the stretches.
    let parts: Vec<(f64, f64)> = (0..PARTS)
        .map(|i| exposed(times, stretches, i * part, (i + 1) * part))
        .collect();
    let seen: Vec<(f64, f64)> = parts.iter().copied().filter(|(_, seconds)| *seconds > 0.0).collect();
    let mean = seen.iter().map(|of| of.0).sum::<f64>() / seen.iter().map(|of| of.1).sum::<f64>();
    // Dispersion from one part to the next: half the mean square of what their rates differ by, over what it is for Poisson's counts.
    let differ = seen.windows(2).map(|two| {
        let off = two[1].0 / two[1].1 - two[0].0 / two[0].1;
        off * off / (mean / two[0].1 + mean / two[1].1)
    });
    let dispersion = (differ.sum::<f64>() / (seen.len().max(2) - 1) as f64).max(1.0);
    let score = |count: usize| -> (f64, Vec<f64>) {
        let each = PARTS as usize / count;
        let rates: Vec<f64> = (0..count)
            .map(|i| {
                let of = &parts[i * each..(i + 1) * each];
                let seconds: f64 = of.iter().map(|of| of.1).sum();
                if seconds > 0.0 {
                    of.iter().map(|of| of.0).sum::<f64>() / seconds
                } else {
                    mean
                }
            })
            .collect();
        let deviance = |(i, (count, seconds)): (usize, &(f64, f64))| {
            let expected = (rates[i / each] * seconds).max(1e-9);
            let log = if *count > 0.0 {
                count * libm::log(count / expected)
            } else {
                0.0
            };
            2.0 * (log - (count - expected))
        };
        let deviance: f64 = parts.iter().enumerate().map(deviance).sum();
        (deviance / dispersion + count as f64 * libm::log(PARTS as f64), rates)
    };
    let tried = STEPS.map(score);
    let best = tried.into_iter().min_by(|a, b| a.0.total_cmp(&b.0));
    match best {
        Some((_, rates)) if rates.len() > 1 => Course::Steps {
            each: part * PARTS / rates.len() as u64,
            rates: rates.into_iter().map(four).collect(),
        },
        Some(_) | None => level,
    }
}

/// The requests and the seconds from `from` to `until` that are within the stretches.
fn exposed(times: &[u64], stretches: &Stretches, from: u64, until: u64) -> (f64, f64) {
    let cut = |&(a, b): &(u64, u64)| (a.max(from), b.min(until));
    let both = stretches.iter().map(cut).filter(|(a, b)| a < b);
    let both: Vec<(u64, u64)> = both.collect();
    (counts::within(times, &both) as f64, counts::seconds(&both))
}

fn hours(times: &[u64], stretches: &Stretches, clock: Clock) -> Course {
    let begins = clock.into_week.unwrap_or(0);
    let by_day = clock.into_week.is_some() && has_days(Span::from_nanos(clock.span).seconds(), DAYS_FROM);
    // Requests and seconds of each hour of the week.
    let mut seen = vec![(0.0, 0.0); 168];
    for &(from, until) in stretches {
        let mut at = from;
        while at < until {
            let next = (at + HOUR - (begins + at) % HOUR).min(until);
            let of = &mut seen[((begins + at) % WEEK / HOUR) as usize];
            of.0 += counts::within(times, &[(at, next)]) as f64;
            of.1 += (next - at) as f64 / SECOND;
            at = next;
        }
    }
    let sum = |of: &mut dyn Iterator<Item = usize>| {
        of.fold((0.0, 0.0), |sum: (f64, f64), i| (sum.0 + seen[i].0, sum.1 + seen[i].1))
    };
    let overall = sum(&mut (0..168));
    let overall = overall.0 / overall.1;
    let mean = |(count, seconds): (f64, f64)| if seconds > 0.0 { count / seconds } else { overall };
    let means_of = |days: std::ops::Range<usize>| -> Vec<f64> {
        let of_hour = |hour: usize| mean(sum(&mut days.clone().map(|day| day * 24 + hour)));
        (0..24).map(of_hour).collect()
    };
    let of_days = |days: std::ops::Range<usize>| through(means_of(days));
    let (hours, weekend, days) = if by_day {
        let (hours, weekend) = (of_days(0..5), of_days(5..7));
        let factor = |day: usize| {
            let of = if day < 5 { &hours } else { &weekend };
            let expected: f64 = (0..24).map(|hour| of[hour] * seen[day * 24 + hour].1).sum();
            let found: f64 = (0..24).map(|hour| seen[day * 24 + hour].0).sum();
            if expected > 0.0 { four(found / expected) } else { 1.0 }
        };
        let days: Vec<f64> = (0..7).map(factor).collect();
        (hours, Some(weekend), Some(days))
    } else {
        (of_days(0..7), None, None)
    };
    let level = |i: usize| {
        let of = if i / 24 < 5 {
            &hours
        } else {
            weekend.as_ref().unwrap_or(&hours)
        };
        of[i % 24] * days.as_ref().map_or(1.0, |days| days[i / 24])
    };
    let levels: Vec<f64> = (0..168).map(level).collect();
    let mean = levels.iter().sum::<f64>() / 168.0;
    let profile = Profile {
        preset: None,
        hours: Some(hours),
        weekend,
        days,
        peak: None,
        trough: None,
        mean: rate(mean),
        growth: None,
        zone: None,
        over: None,
    };
    let own = means_of(if by_day { 0..5 } else { 0..7 });
    let off = (0..24).map(|hour| {
        (
            hour,
            own[hour],
            over_hour(profile.hours.as_deref().unwrap_or(&own), hour),
        )
    });
    Course::Hours {
        levels,
        begins,
        off: off
            .filter(|(_, own, model)| (own - model).abs() > OFF * overall.max(*own))
            .collect(),
        profile: Box::new(profile),
    }
}

/// By what share of its own rate, or of the mean rate if that is more, an hour may be off before it is told.
const OFF: f64 = 0.05;

/// The mean over an hour of straight lines between levels in the middles of hours.
fn over_hour(levels: &[f64], hour: usize) -> f64 {
    let n = levels.len();
    (levels[(hour + n - 1) % n] + 6.0 * levels[hour] + levels[(hour + 1) % n]) / 8.0
}

/// Levels in the middles of hours such that straight lines between them have these means over the hours, as far as none is below 0: of
/// three neighbours a, b, c the mean over the middle hour is (a + 6 b + c) / 8.
fn through(means: Vec<f64>) -> Vec<f64> {
    let n = means.len();
    let mut levels = means.clone();
    for _ in 0..30 {
        let before = levels.clone();
        for i in 0..n {
            levels[i] = (before[i] + means[i] - over_hour(&before, i)).max(0.0);
        }
    }
    // What is cut at 0 is more than the mean asks for: the others make it up.
    let (wanted, found): (f64, f64) = (means.iter().sum(), levels.iter().sum());
    let factor = if found > 0.0 { wanted / found } else { 1.0 };
    levels.into_iter().map(|level| four(level * factor)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::traffic::draw;

    const MINUTE: u64 = 60_000_000_000;

    fn drawn(json: &str, until: u64) -> Vec<u64> {
        let spec: ArrivalsSpec = serde_json::from_str(json).unwrap();
        draw::times(&spec, 3, 0, until).unwrap()
    }

    fn clock(span: u64) -> Clock {
        Clock {
            span,
            into_week: Some(0),
        }
    }

    #[test]
    fn a_level_rate_stays_level_and_steps_are_found() {
        let times = drawn(r#"{ "poisson": { "rate": "5/s" } }"#, 60 * MINUTE);
        assert!(matches!(
            Course::fit(&times, &[(0, 60 * MINUTE)], clock(60 * MINUTE)),
            Course::Level(_)
        ));
        let json =
            r#"{ "schedule": { "points": [ { "at": "0s", "rate": "3/s" }, { "at": "30min", "rate": "9/s" } ] } }"#;
        let times = drawn(json, 60 * MINUTE);
        let Course::Steps { each, rates } = Course::fit(&times, &[(0, 60 * MINUTE)], clock(60 * MINUTE)) else {
            panic!("no steps");
        };
        assert_eq!((each, rates.len()), (30 * MINUTE, 2));
        assert!(
            (rates[0] - 3.0).abs() < 0.15 && (rates[1] - 9.0).abs() < 0.3,
            "{rates:?}"
        );
    }

    /// Bursts that come and go are not taken for steps: they are as large from one part to the next as over the whole.
    #[test]
    fn bursts_are_left_to_the_process() {
        let json =
            r#"{ "mmpp": { "states": [ { "rate": "1/s", "stay": "40s" }, { "rate": "20/s", "stay": "10s" } ] } }"#;
        let times = drawn(json, 60 * MINUTE);
        assert!(matches!(
            Course::fit(&times, &[(0, 60 * MINUTE)], clock(60 * MINUTE)),
            Course::Level(_)
        ));
    }

    /// What an office's profile draws over two weeks gives its hours, its weekend and its mean again.
    #[test]
    fn a_profile_of_the_week_is_found_again() {
        let spec: ArrivalsSpec =
            serde_json::from_str(r#"{ "profile": { "preset": "office", "mean": "2/s" } }"#).unwrap();
        let times = draw::times(&spec, 3, 0, 2 * WEEK).unwrap();
        let course = Course::fit(&times, &[(0, 2 * WEEK)], clock(2 * WEEK));
        let again = draw::times(
            &course.arrivals(ArrivalsSpec::from(super::super::poisson(2.0))),
            4,
            0,
            2 * WEEK,
        )
        .unwrap();
        assert!((again.len() as f64 / times.len() as f64 - 1.0).abs() < 0.01);
        for hour in [3, 10, 12, 20, 5 * 24 + 10, 6 * 24 + 3] {
            let of = |times: &[u64]| counts::within(times, &[(hour * HOUR, (hour + 1) * HOUR)]) as f64;
            let (a, b) = (of(&times), of(&again));
            assert!((a - b).abs() < 5.0 * (a + b).sqrt(), "{hour}: {a} {b}");
        }
    }

    /// On the clock that goes with the rate, what came by steps is as level as a Poisson process.
    #[test]
    fn operational_time_takes_the_course_out() {
        let json =
            r#"{ "schedule": { "points": [ { "at": "0s", "rate": "1/s" }, { "at": "30min", "rate": "20/s" } ] } }"#;
        let times = drawn(json, 60 * MINUTE);
        let course = Course::fit(&times, &[(0, 60 * MINUTE)], clock(60 * MINUTE));
        let level = course.operational(&times, times.len() as f64 / 3600.0);
        assert!(level.is_sorted());
        let until = course.operational(&[60 * MINUTE], times.len() as f64 / 3600.0)[0];
        assert!((until as f64 / (60.0 * MINUTE as f64) - 1.0).abs() < 0.01, "{until}");
        let found = counts::dispersion(&level, &[(0, until)], 10_000_000_000).unwrap();
        let (low, high) = counts::poisson_range(360);
        assert!((low..=high).contains(&found), "{found}");
    }

    /// Between an hour of nothing and one of much a straight line goes below 0: what is cut there does not add to the mean.
    #[test]
    fn levels_keep_the_mean_where_the_rate_jumps() {
        let means: Vec<f64> = (0..24)
            .map(|hour| if (8..18).contains(&hour) { 0.33 } else { 0.005 })
            .collect();
        let levels = through(means.clone());
        let sum = |all: &[f64]| all.iter().sum::<f64>();
        assert!(levels.iter().all(|level| *level >= 0.0), "{levels:?}");
        assert!((sum(&levels) / sum(&means) - 1.0).abs() < 1e-3, "{levels:?}");
    }

    /// Ten hours of much and fourteen of little: the hours beside a jump are told, and no others.
    #[test]
    fn hours_beside_a_jump_are_told() {
        let day = 24 * 60 * MINUTE;
        let mut times = Vec::new();
        let mut at = 0;
        while at < 3 * day {
            times.push(at);
            at += if (8..18).contains(&(at % day / HOUR)) {
                MINUTE / 20
            } else {
                2 * MINUTE
            };
        }
        let Course::Hours { off, .. } = Course::fit(&times, &[(0, 3 * day)], clock(3 * day)) else {
            panic!("no hours");
        };
        let hours: Vec<usize> = off.iter().map(|of| of.0).collect();
        assert!(hours.contains(&7) && hours.contains(&18), "{off:?}");
        assert!(!hours.contains(&12) && !hours.contains(&2), "{off:?}");
    }
}
