//! What a log's schedule is made of: stretches that have nothing to do with each other, each with a client that pauses or does not,
//! and quotas whose windows begin where the log says.
//!
//! Two stretches are apart by more than the longest window of a quota, and a minute at the least: by then every line is empty and every
//! window is a new one, so that each is simulated alone. A client pauses if it sent next to nothing in the times that refusals told it
//! to wait (simcap's probes do in a closed loop, but do not on a ladder). A window's beginning is looked for at every 240th part of
//! its length: where the fewest answers contradict it, which are refusals in a window that is not full, answers in one that is, and a
//! Retry-After that ends at another time. Where several are as good, which is all of them if nothing was refused, the replications
//! are spread over them. Left out: windows of tokens, whose charges a log does not tell, so that any beginning is as good.

use crate::calibrate::log::{Observation, Timing};
use crate::experiment::model::ModelSpec;
use crate::form::build::Names;
use crate::provider::limits::{LimitSpec, Unit};
use crate::stats::sorting;
use crate::words::Outcome;

/// Seconds without a request that divide stretches at the least.
const APART: f64 = 60.0;

/// Beginnings of a window that are tried.
const PLACES: u32 = 240;

/// Beginnings that the replications are spread over at the most.
const SPREAD: usize = 8;

/// The most that was sent while a client that pauses should have waited, as a share of what its rate would have been.
const NEXT_TO_NOTHING: f64 = 0.1;

/// Seconds by which a Retry-After and a window's end may differ all the same: the way of the answer.
const SLACK: f64 = 0.1;

/// The longest window whose beginning is looked for, in seconds.
const LONGEST: f64 = 3600.0;

/// When a request was sent, if the log says.
pub(super) fn sent(o: &Observation) -> Option<f64> {
    Some(o.at? + o.dispatch.unwrap_or(0.0))
}

/// The stretches of a schedule, in order of time; all of it is one if it has no times.
pub(super) fn stretches<'a>(schedule: &[&'a Observation], spec: &ModelSpec) -> Vec<Vec<&'a Observation>> {
    let times: Option<Vec<f64>> = schedule.iter().map(|o| sent(o)).collect();
    let Some(times) = times else {
        return vec![schedule.to_vec()];
    };
    let apart = longest_window(spec).max(APART);
    let mut order: Vec<usize> = (0..schedule.len()).collect();
    sorting::by(&mut order, |a, b| times[*a].total_cmp(&times[*b]));
    let mut all: Vec<Vec<&Observation>> = Vec::new();
    let mut ends = f64::NEG_INFINITY;
    for i in order {
        let o = schedule[i];
        match all.last_mut() {
            Some(stretch) if times[i] - ends <= apart => stretch.push(o),
            _ => all.push(vec![o]),
        }
        ends = ends.max(times[i] + lasts(o));
    }
    all
}

/// How long a request lasted at the least, in seconds.
pub(super) fn lasts(o: &Observation) -> f64 {
    match o.e2e {
        Timing::Seen(s) | Timing::AtLeast(s) => s,
        Timing::Unknown => 0.0,
    }
}

/// The longest window of the model's quotas, in seconds; 0 if none has one.
fn longest_window(spec: &ModelSpec) -> f64 {
    let built = (spec.limits.iter()).filter_map(|limit| limit.as_dyn().build_all(&Names::default()).ok());
    let windows = built.flatten().filter_map(|limit| Some(limit.window()?.1.seconds()));
    windows.fold(0.0, f64::max)
}

/// Whether the client of this stretch waits as long as refusals tell it.
pub(super) fn pauses(stretch: &[&Observation]) -> bool {
    let mut times: Vec<f64> = stretch.iter().filter_map(|o| sent(o)).collect();
    times.sort_by(f64::total_cmp);
    let (Some(first), Some(last)) = (times.first(), times.last()) else {
        return false;
    };
    let rate = times.len() as f64 / (last - first).max(1.0);
    // Pauses may overlap; each second of them counts once.
    let told = stretch
        .iter()
        .filter(|o| o.outcome == Outcome::RateLimited)
        .filter_map(|o| {
            let answered = sent(o)? + lasts(o) + SLACK;
            // A Retry-After is rounded up to a whole second, and the client may have come back at any time before.
            Some((answered, answered + o.retry_after? - 1.0)).filter(|(from, until)| until > from)
        });
    let mut told: Vec<(f64, f64)> = told.collect();
    sorting::by(&mut told, |a, b| a.0.total_cmp(&b.0));
    let (mut seconds, mut many, mut upto) = (0.0, 0usize, f64::NEG_INFINITY);
    for (from, until) in told {
        let (from, until) = (from.max(upto), until.min(*last));
        if until > from {
            seconds += until - from;
            many += times.partition_point(|t| *t < until) - times.partition_point(|t| *t <= from);
            upto = until;
        }
    }
    seconds > 0.0 && (many as f64) < NEXT_TO_NOTHING * rate * seconds
}

/// How long before the first request of `stretch` windows may have begun, in seconds: the likeliest, spread evenly; a single 0 if the
/// model has no window.
pub(super) fn leads(stretch: &[&Observation], all: &[&Observation], spec: &ModelSpec) -> Vec<f64> {
    let windows: Vec<Window> = spec.limits.iter().filter_map(Window::of).collect();
    let Some(longest) = windows.iter().map(|w| w.seconds).reduce(f64::max) else {
        return vec![0.0];
    };
    let first = stretch.iter().filter_map(|o| sent(o)).fold(f64::INFINITY, f64::min);
    if !first.is_finite() {
        return vec![0.0];
    }
    let mut times: Vec<(f64, &Observation)> = all.iter().filter_map(|o| Some((sent(o)?, *o))).collect();
    sorting::by(&mut times, |a, b| a.0.total_cmp(&b.0));
    let places: Vec<(f64, usize)> = (0..PLACES)
        .map(|place| {
            let lead = longest * f64::from(place) / f64::from(PLACES);
            // Windows go on by the clock from stretch to stretch: whatever was refused in any of them says where they begin.
            let against = windows.iter().map(|w| w.contradictions(&times, first - lead)).sum();
            (lead, against)
        })
        .collect();
    let fewest = places.iter().map(|(_, against)| *against).min();
    let best: Vec<f64> = (places.iter())
        .filter(|(_, against)| Some(*against) == fewest)
        .map(|(lead, _)| *lead)
        .collect();
    let many = best.len().min(SPREAD);
    (0..many).map(|i| best[(2 * i + 1) * best.len() / (2 * many)]).collect()
}

/// A quota by fixed windows.
#[derive(Clone, Copy, Debug)]
struct Window {
    seconds: f64,
    /// The most requests in one; nothing if it counts something else.
    limit: Option<u64>,
}

impl Window {
    fn of(limit: &LimitSpec) -> Option<Window> {
        let LimitSpec::fixed_window(window) = limit else {
            return None;
        };
        let seconds = window.window.span().seconds();
        (seconds <= LONGEST).then(|| Window {
            seconds,
            limit: (window.unit == Unit::Requests).then(|| window.limit.get()),
        })
    }

    /// How many answers contradict that one of the windows begins at `origin`; `times` are when requests were sent, rising.
    fn contradictions(self, times: &[(f64, &Observation)], origin: f64) -> usize {
        let Some(limit) = self.limit else { return 0 };
        let (mut number, mut used, mut against) = (f64::NEG_INFINITY, 0, 0);
        for &(at, o) in times {
            let place = ((at - origin) / self.seconds).floor();
            if place > number {
                (number, used) = (place, 0);
            }
            if o.outcome != Outcome::RateLimited {
                against += usize::from(used >= limit);
                used += 1;
                continue;
            }
            // What the fit takes for the limit may be a few too many.
            against += usize::from(20 * used < 19 * limit);
            let left = origin + (place + 1.0) * self.seconds - at - lasts(o);
            let is_end = |told: f64| told >= left - SLACK && told <= left + 1.0 + SLACK;
            against += usize::from(o.retry_after.is_some_and(|told| !is_end(told)));
        }
        against
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::logs::gather::observed;
    use crate::form::diagnose::parse;

    fn spec() -> ModelSpec {
        let text = r#"{ "source": "a test", "ttft": { "constant": "100ms" }, "tps": { "constant": 50 }, "network": "0s",
            "prices": { "input": "$1/Mtok", "output": "$1/Mtok" }, "faults": {},
            "limits": [{ "fixed_window": { "unit": "requests", "limit": 100, "window": "1m" } }] }"#;
        parse("spec.json", text).unwrap()
    }

    /// Five requests a second from `from` on for a minute, at a window that begins at 25 s and at every minute from then: 100 are
    /// answered in each, and the others told when the window ends, in whole seconds.
    fn log(from: f64, heeds: bool) -> Vec<Observation> {
        let (mut window, mut used, mut free) = (f64::NEG_INFINITY, 0, 0.0);
        let mut all = Vec::new();
        for i in 0..300 {
            let at = from + 0.2 * f64::from(i) + 0.01;
            let place = ((at - 25.0) / 60.0).floor();
            if place > window {
                (window, used) = (place, 0);
            }
            if heeds && at < free {
                continue;
            }
            let mut o = observed(0, Outcome::Success);
            (o.at, o.e2e) = (Some(at), Timing::Seen(0.001));
            if used < 100 {
                used += 1;
            } else {
                let left = (25.0 + 60.0 * (place + 1.0) - at).ceil();
                (o.outcome, o.retry_after) = (Outcome::RateLimited, Some(left));
                free = at + left;
            }
            all.push(o);
        }
        all
    }

    #[test]
    fn what_is_a_window_apart_is_simulated_alone() {
        let (one, other) = (log(0.0, false), log(200.0, false));
        let all: Vec<&Observation> = other.iter().chain(&one).collect();
        let found = stretches(&all, &spec());
        assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [300, 300]);
        assert_eq!(sent(found[0][0]), Some(0.01));
        let near = log(100.0, false);
        let all: Vec<&Observation> = one.iter().chain(&near).collect();
        assert_eq!(stretches(&all, &spec()).len(), 1);
        let timeless = observed(0, Outcome::Success);
        assert_eq!(stretches(&[&timeless, &timeless], &spec()).len(), 1);
    }

    #[test]
    fn a_client_that_waits_is_told_from_one_that_does_not() {
        let of = |heeds| {
            let log = log(0.0, heeds);
            pauses(&log.iter().collect::<Vec<_>>())
        };
        assert!(of(true) && !of(false));
        let calm = log(0.0, true);
        assert!(!pauses(&calm.iter().take(50).collect::<Vec<_>>()));
    }

    /// The first request is 35.01 s into a window, to a quarter of a second and the second that a Retry-After is rounded up to.
    #[test]
    fn the_window_begins_where_the_refusals_say() {
        for heeds in [true, false] {
            let log = log(0.0, heeds);
            let all: Vec<&Observation> = log.iter().collect();
            let leads = leads(&all, &all, &spec());
            assert!(!leads.is_empty() && leads.len() <= SPREAD);
            assert!(
                leads.iter().all(|lead| (lead - 35.01).abs() < 1.3),
                "{heeds}: {leads:?}"
            );
        }
    }

    #[test]
    fn without_refusals_any_beginning_is_as_good() {
        let log = log(0.0, true);
        let few: Vec<&Observation> = log.iter().take(50).collect();
        assert_eq!(
            leads(&few, &few, &spec()),
            [3.75, 11.25, 18.75, 26.25, 33.75, 41.25, 48.75, 56.25]
        );
        let no_window = ModelSpec {
            limits: Vec::new(),
            ..spec()
        };
        assert_eq!(leads(&few, &few, &no_window), [0.0]);
    }
}
