//! A quota inferred from its refusals: the parameters that explain every admission and every refusal.
//!
//! A bucket of B that gains r a second, full at the start, has a deficit D that need not be observed: it grows by one
//! with each admission and shrinks by r a second down to zero. An admitted request found D + 1 ≤ B, a refused one
//! D + 1 > B. So every rate has a gap between the largest D + 1 that was admitted and the smallest that was refused: where
//! the gap is not negative, that rate explains everything, with any B in between. That determines the rate to within
//! one request over the whole time in which there were refusals, and the burst to within one; both are bounds and not
//! estimates. The client does not see when the server decides, only that it was within the time that a refusal takes to
//! come back: by that time × the rate the gap may be negative.
//!
//! Fixed windows are searched for among the usual lengths: within each, all requests are admitted up to the limit and
//! none after. Refusals that neither explains do not come from a quota if they are randomly ordered (Wald and
//! Wolfowitz's runs test); otherwise the rate that was admitted meanwhile is all that can be determined.

use crate::stats::critical::Confidence;
use crate::stats::moments::Moments;
use crate::stats::sorting;

/// Refusals that a window needs; that chance would put them where its limit is reached, each time, is out of the
/// question.
const ENOUGH: usize = 5;
/// Refusals that any other explanation needs.
const ENOUGH_BUT_FOR_WINDOWS: usize = 8;
/// The largest error of a bucket's level that is accepted, as a share of the range in which it was observed. Of 1,000
/// series with eight refusals or more by chance none had a rate that needed less than 0.2.
const SLACK: f64 = 0.15;
/// The largest share of a window's admissions that may be so near its end that they may belong to the next one.
const DOUBTFUL: f64 = 0.15;
/// The largest ratio of the highest rate to the lowest for which a rate is reported.
const WIDEST: f64 = 3.0;
/// Usual lengths of a window, in seconds.
pub(super) const USUAL: [f64; 12] = [
    1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 300.0, 600.0, 3600.0, 86_400.0,
];
/// Admissions that are tried as the beginning of a window, and positions within it.
const TRIED: usize = 40;
const PLACES: u32 = 200;
/// Seconds of refusals below which a quota that neither a bucket nor a window explains is not reported.
const LONG_ENOUGH: f64 = 10.0;

/// A request: when it was sent, in seconds, and whether it was refused.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sent {
    pub(super) at: f64,
    pub(super) refused: bool,
}

/// A quota that explains the refusals.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Onset {
    /// The kind of quota.
    pub(super) kind: Kind,
    /// Requests a second: the lower bound, the likely value and the upper bound.
    pub(super) rate: [f64; 3],
    /// The burst, or the limit of a window: the lower bound, the likely value and the upper bound.
    pub(super) burst: [f64; 3],
    /// How much of the explanation depends on when decisions were made, as a share of the range of the level; 0 is
    /// best.
    pub(super) slack: f64,
}

/// The kinds of explanation of refusals.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// A bucket that refills continuously.
    Bucket,
    /// A fixed window of this many seconds.
    Window(f64),
    /// Neither of them, although the refusals are not random.
    Roughly,
}

/// The quota that explains `sent`, in order of time, if a decision is made within `delay` seconds of sending. `None` if
/// the refusals may be random, or if these requests do not suffice.
pub(super) fn of(sent: &[Sent], delay: f64) -> Option<Onset> {
    let refusals = sent.iter().filter(|s| s.refused).count();
    let with = |many: usize, find: &dyn Fn() -> Option<Onset>| (refusals >= many).then(find).flatten();
    let width = |onset: &Onset| onset.rate[2] / onset.rate[0];
    let sharp = [
        with(ENOUGH_BUT_FOR_WINDOWS, &|| bucket(sent, delay)),
        with(ENOUGH, &|| window(sent, delay)),
    ];
    sharp
        .into_iter()
        .flatten()
        .min_by(|a, b| width(a).total_cmp(&width(b)))
        .or_else(|| with(ENOUGH_BUT_FOR_WINDOWS, &|| roughly(sent)))
        .filter(|onset| width(onset) <= WIDEST)
}

/// The deficits that a rate implies, in requests.
#[derive(Clone, Copy, Debug)]
struct Gap {
    /// The largest D + 1 that was admitted.
    admitted: f64,
    /// The smallest D + 1 that was refused.
    refused: f64,
    /// The difference between the largest and the smallest of all.
    range: f64,
}

impl Gap {
    fn at(sent: &[Sent], rate: f64) -> Gap {
        let (mut deficit, mut last) = (0.0, sent.first().map_or(0.0, |s| s.at));
        let (mut admitted, mut refused) = (0.0_f64, f64::INFINITY);
        let mut most = 0.0_f64;
        for s in sent {
            let unbounded = deficit - rate * (s.at - last);
            deficit = f64::max(unbounded, 0.0);
            last = s.at;
            most = most.max(deficit);
            if s.refused {
                // A full bucket refuses no request: the error is at least as large as the gain since it was full.
                refused = refused.min(unbounded + 1.0);
            } else {
                admitted = admitted.max(deficit + 1.0);
                deficit += 1.0;
            }
        }
        Gap {
            admitted,
            refused,
            range: most,
        }
    }

    /// The error of the level, in either direction, with which the rate explains everything.
    fn slack(&self) -> f64 {
        f64::max(self.admitted - self.refused, 0.0) / 2.0
    }

    /// The error as a share of the range; a range of less than half a request is not informative.
    fn share(&self) -> f64 {
        if self.range < 0.5 {
            return f64::INFINITY;
        }
        self.slack() / self.range
    }
}

fn bucket(sent: &[Sent], delay: f64) -> Option<Onset> {
    const POINTS: usize = 200;
    // Two requests that are sent within the delay of each other may be decided in either order. The order of two
    // admissions makes no difference, but a refusal may be due to an admission that was sent after it.
    let mut sent: Vec<Sent> = sent.to_vec();
    sent.iter_mut().filter(|s| s.refused).for_each(|s| s.at += delay);
    sorting::by(&mut sent, |a, b| a.at.total_cmp(&b.at));
    let sent = &sent[..];
    let first = sent.iter().position(|s| s.refused)?;
    let last = sent.iter().rposition(|s| s.refused)?;
    let lasts = sent[last].at - sent[first].at;
    let between = sent[first..last].iter().filter(|s| !s.refused).count().max(1);
    if lasts <= 0.0 {
        return None;
    }
    // A grid of rates in constant ratios, refined about the best of them.
    let rough = between as f64 / lasts;
    let (mut low, mut high) = (rough / 10.0, rough * 10.0);
    let mut best = rough;
    for _ in 0..5 {
        let step = libm::log(high / low) / POINTS as f64;
        let rates: Vec<f64> = (0..=POINTS).map(|i| low * libm::exp(step * i as f64)).collect();
        let shares: Vec<f64> = rates.iter().map(|r| Gap::at(sent, *r).share()).collect();
        let least = shares.iter().copied().fold(f64::INFINITY, f64::min);
        let is_best = |share: &f64| *share <= least + 1e-12;
        let (from, to) = (shares.iter().position(is_best)?, shares.iter().rposition(is_best)?);
        let middle = (from + to) / 2;
        best = rates[if is_best(&shares[middle]) { middle } else { from }];
        (low, high) = (rates[from.saturating_sub(2)], rates[(to + 2).min(POINTS)]);
    }
    let gap = Gap::at(sent, best);
    if gap.share() > SLACK {
        return None;
    }
    let allowed = f64::max(best * delay, 2.0 * gap.slack()) + 1e-6;
    let explains = |rate: f64| {
        let gap = Gap::at(sent, rate);
        gap.slack() <= allowed && gap.share() <= 1.5 * SLACK
    };
    let (low, high) = (edge(best, -1.0, explains), edge(best, 1.0, explains));
    let ends = [low, high].map(|rate| Gap::at(sent, rate));
    let least = ends.iter().map(|g| g.admitted.min(g.refused) - allowed);
    let most = ends.iter().map(|g| g.refused.max(g.admitted) + allowed);
    Some(Onset {
        kind: Kind::Bucket,
        rate: [low, best, high],
        burst: [
            least.fold(f64::INFINITY, f64::min),
            f64::midpoint(gap.admitted, gap.refused),
            most.fold(0.0, f64::max),
        ],
        slack: gap.share(),
    })
}

/// The furthest rate from `best` in direction `sign` with which everything is still explained; the search ends at three
/// times `best`, or a third of it.
fn edge(best: f64, sign: f64, explains: impl Fn(f64) -> bool) -> f64 {
    const STEP: f64 = 0.01;
    let at = |distance: f64| best * libm::exp(sign * distance);
    let steps = (1..=110).map(|i| STEP * f64::from(i));
    let mut inside = steps.filter(|d| explains(at(*d))).fold(0.0, f64::max);
    let mut outside = inside + STEP;
    for _ in 0..30 {
        let middle = f64::midpoint(inside, outside);
        if explains(at(middle)) {
            inside = middle;
        } else {
            outside = middle;
        }
    }
    // The first rate that does not explain everything: the bound lies before it.
    at(outside)
}

fn window(sent: &[Sent], delay: f64) -> Option<Onset> {
    // Try windows from longest to shortest: if most short windows saw no request, a short window also fits.
    USUAL
        .into_iter()
        .rev()
        .find_map(|length| of_length(sent, delay, length))
}

/// A window of `length` seconds that explains `sent`, if there is one.
fn of_length(sent: &[Sent], delay: f64, length: f64) -> Option<Onset> {
    // The window ends between a refusal and the admission that follows.
    let ends = sent.windows(2).filter(|pair| pair[0].refused && !pair[1].refused);
    let ends: Vec<[f64; 2]> = ends.map(|pair| [pair[0].at, pair[1].at]).collect();
    let (first, last) = (ends.first()?, ends.last()?);
    if last[1] - first[1] < 0.5 * length {
        return None;
    }
    // For a client that sends all the time, the window begins with an admission; a client that waits after refusals may
    // see it anywhere.
    let seen = ends.iter().step_by(ends.len().div_ceil(TRIED)).map(|end| end[1]);
    let anywhere = (0..PLACES).map(|i| first[1] - length * f64::from(i) / f64::from(PLACES));
    seen.chain(anywhere).find_map(|end| with_end(sent, delay, length, end))
}

/// A window of `length` seconds, if one ends at `end` or up to `delay` before.
fn with_end(sent: &[Sent], delay: f64, length: f64, end: f64) -> Option<Onset> {
    let begin = end - 1e-9 - delay / 2.0;
    let (mut used, mut number) = (0_u32, f64::NEG_INFINITY);
    let (mut admitted, mut refused) = (0_u32, u32::MAX);
    // The admissions that may belong to the next window as well, or to the one before.
    let (mut doubtful, mut most_doubtful) = (0_u32, 0_u32);
    for s in sent {
        let place = (s.at - begin) / length;
        if place.floor() != number {
            number = place.floor();
            (used, doubtful) = (0, 0);
        }
        let off = (place - place.round()).abs() * length;
        if off <= delay {
            doubtful += u32::from(!s.refused);
            most_doubtful = most_doubtful.max(doubtful);
        } else if s.refused {
            refused = refused.min(used);
        } else {
            admitted = admitted.max(used + 1);
        }
        used += u32::from(!s.refused);
        // More than can be doubtful, and neither gives way.
        if f64::from(admitted) - f64::from(refused) > 2.0 * DOUBTFUL * f64::from(admitted) {
            return None;
        }
    }
    let slack = f64::from(most_doubtful);
    let (least, most) = (f64::from(admitted), f64::from(refused));
    if refused == u32::MAX || least < 2.0 || least - most > 2.0 * slack || slack > DOUBTFUL * least {
        return None;
    }
    let burst = [
        least.min(most) - slack,
        ((least + most) / 2.0).ceil(),
        least.max(most) + slack,
    ];
    Some(Onset {
        kind: Kind::Window(length),
        rate: burst.map(|n| n / length),
        burst,
        slack: slack / least,
    })
}

/// The rate admitted between the first refusal and the last, if the refusals are not random: the mean of ten parts of
/// that time, with its interval.
fn roughly(sent: &[Sent]) -> Option<Onset> {
    const PARTS: usize = 10;
    if by_chance(sent) {
        return None;
    }
    let first = sent.iter().find(|s| s.refused)?.at;
    let last = sent.iter().rfind(|s| s.refused)?.at;
    let part = (last - first) / PARTS as f64;
    if last - first < LONG_ENOUGH {
        return None;
    }
    let mut counts = [0_u32; PARTS];
    for s in sent.iter().filter(|s| !s.refused && (first..last).contains(&s.at)) {
        counts[(((s.at - first) / part) as usize).min(PARTS - 1)] += 1;
    }
    let rates: Moments = counts.iter().map(|n| f64::from(*n) / part).collect();
    let (mean, error) = (rates.mean()?, rates.standard_error()?);
    let off = Confidence::P95.t(PARTS - 1) * error;
    let start = sent.first()?.at;
    let before = sent.iter().take_while(|s| !s.refused).count() as f64;
    let burst = |rate: f64| f64::max(before - rate * (first - start), 1.0);
    let rate = [f64::max(mean - off, 0.0), mean, mean + off];
    (mean > 0.0).then_some(Onset {
        kind: Kind::Roughly,
        rate,
        burst: [burst(rate[2]), burst(rate[1]), burst(rate[0])],
        slack: f64::INFINITY,
    })
}

/// Whether the order of refusals and admissions is random: the number of runs is within four standard deviations of its
/// mean.
fn by_chance(sent: &[Sent]) -> bool {
    let runs = 1 + sent.windows(2).filter(|p| p[0].refused != p[1].refused).count();
    let refused = sent.iter().filter(|s| s.refused).count() as f64;
    let admitted = sent.len() as f64 - refused;
    let n = refused + admitted;
    let mean = 1.0 + 2.0 * refused * admitted / n;
    let variance = (mean - 1.0) * (mean - 2.0) / (n - 1.0).max(1.0);
    (runs as f64 - mean).abs() <= 4.0 * f64::max(variance, 0.0).sqrt()
}

#[cfg(test)]
mod tests;
