//! Arrivals whose rate follows a curve over time: another process, run on a clock that goes as fast as the curve is high.
//!
//! If N is a process of one arrival per unit of its own time, and Λ(t) the curve's sum up to t, then N(Λ(t)) comes at the curve's rate.
//! Of a Poisson process it makes the non-homogeneous one, exactly (Çinlar 1975, by inversion); of another process, one as bursty as that
//! about the curve (Gerhardt and Nelson, *INFORMS Journal on Computing* 21, 2009). The curve is made of straight pieces, so that its sum is
//! inverted in closed form. Before the plan's time begins, its rate is that at the beginning.

use std::sync::Arc;

use super::{Arrival, Arrivals, ArrivalsSpec, Renewal};
use crate::form::build::{Built, Names, Refusal};
use crate::kernel::chance::Key;
use crate::kernel::law::Exponential;
use crate::kernel::sampler::Sampler;
use crate::kernel::time::{Span, Time};
use crate::words::Course;

/// The fastest rate that is simulated, in requests a second.
pub(super) const FASTEST: f64 = 1e7;

/// The logarithm of how many times as high a rate becomes by growing: ten thousand.
const MOST_GROWTH: f64 = 9.210_340_371_976_184;

/// A straight piece of a curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Piece {
    /// How long it is, above 0.
    pub(super) lasts: Span,
    /// Requests a second at its beginning and at its end.
    pub(super) from: f64,
    pub(super) to: f64,
}

/// A rate over time. There is at least one piece.
#[derive(Clone, Debug)]
pub(super) struct Curve {
    pub(super) pieces: Arc<[Piece]>,
    /// Whether it begins anew after its last piece; otherwise the last rate stays.
    pub(super) repeats: bool,
    /// How far into it the plan's time begins.
    pub(super) begins: Span,
    /// The rate a second at which all of it grows exponentially from there on; 0 where it does not.
    pub(super) grows: f64,
    /// What it is called where a report says why a run is not level: "the hours of the week".
    pub(super) what: &'static str,
}

impl Curve {
    /// The length of all pieces together.
    pub(super) fn length(pieces: &[Piece]) -> Span {
        Span::from_nanos(pieces.iter().map(|piece| piece.lasts.nanos()).sum())
    }

    /// The mean rate over all pieces, in requests a second.
    pub(super) fn mean(pieces: &[Piece]) -> f64 {
        let area = |piece: &Piece| (piece.from + piece.to) / 2.0 * piece.lasts.seconds();
        pieces.iter().map(area).sum::<f64>() / Curve::length(pieces).seconds()
    }

    /// Arrivals at this rate that otherwise go as `over` does, or as a Poisson process.
    pub(super) fn arrivals(self, over: Option<&ArrivalsSpec>, names: &Names<'_>) -> Built<Box<dyn Arrivals>> {
        let (inner, mean) = inner(over, names)?;
        Ok(Box::new(Running {
            inner,
            per_nano: mean / 1e9,
            origin: names.origin,
            now: Time::ZERO,
            seen: Time::ZERO,
            at: self.place(),
            times: self.times(self.place(), 0.0),
            curve: self,
        }))
    }

    /// The piece in which the plan's time begins, and how far into it.
    fn place(&self) -> (usize, Span) {
        let length = Curve::length(&self.pieces).nanos();
        let mut left = if self.repeats {
            self.begins.nanos() % length
        } else {
            self.begins.nanos()
        };
        for (i, piece) in self.pieces.iter().enumerate() {
            if left < piece.lasts.nanos() {
                return (i, Span::from_nanos(left));
            }
            left -= piece.lasts.nanos();
        }
        (self.pieces.len(), Span::ZERO)
    }

    /// By how much it has grown at the beginning and at the end of the piece there, `since` seconds after the plan's time began.
    fn times(&self, (piece, into): (usize, Span), since: f64) -> (f64, f64) {
        let Some(piece) = self.pieces.get(piece).filter(|_| self.grows != 0.0) else {
            return (1.0, 1.0);
        };
        let begins = since - into.seconds();
        let at = |seconds: f64| libm::exp((self.grows * seconds).min(MOST_GROWTH));
        (at(begins), at(begins + piece.lasts.seconds()))
    }

    /// The rate there, in requests a nanosecond.
    fn rate(&self, (piece, into): (usize, Span), times: (f64, f64)) -> f64 {
        let per_second = match (self.pieces.get(piece), self.pieces.last()) {
            (Some(piece), _) => {
                let (from, to) = (piece.from * times.0, piece.to * times.1);
                from + (to - from) * into.nanos() as f64 / piece.lasts.nanos() as f64
            }
            (None, Some(last)) => last.to,
            (None, None) => 0.0,
        };
        per_second / 1e9
    }
}

/// What a curve is laid over, and its mean rate a second.
fn inner(over: Option<&ArrivalsSpec>, names: &Names<'_>) -> Built<(Box<dyn Arrivals>, f64)> {
    let Some(over) = over else {
        let law = Exponential::new(1e9, 0.0).map_err(Refusal::of)?;
        let gap = Sampler::of(&law);
        return Ok((Box::new(Renewal { gap, now: Time::ZERO }), 1.0));
    };
    let here = |r: Refusal| r.at(over.name()).at("over");
    let view = over.as_dyn();
    let rate = view.rate().filter(|_| !view.follows_ends() && view.trace().is_none());
    let Some(rate) = rate else {
        return Err(here(Refusal::new(format!(
            "`{}` has no rate that a curve could change: allowed are poisson, regular, gamma, weibull and mmpp",
            over.name()
        ))));
    };
    let inner = view.build(None, names).map_err(here)?;
    if inner.course().is_some() {
        return Err(here(Refusal::new(format!("`{}` is a curve itself", over.name()))));
    }
    Ok((inner, rate))
}

#[derive(Debug)]
struct Running {
    inner: Box<dyn Arrivals>,
    /// The mean rate of `inner` in its own time.
    per_nano: f64,
    curve: Curve,
    /// When the plan's time begins.
    origin: Time,
    now: Time,
    /// The last arrival of `inner`, in its own time.
    seen: Time,
    /// The piece that `now` is in, and how far into it; behind the last one if that does not repeat.
    at: (usize, Span),
    /// By how much the rate has grown at the beginning and at the end of that piece.
    times: (f64, f64),
}

impl Running {
    /// How long it takes from `now` on until the curve has summed up to `left`, at a rate that does not change.
    fn level(rate: f64, left: f64) -> Span {
        // A conversion of what is larger than any span gives the largest.
        Span::from_nanos((left / rate + 0.5) as u64)
    }
}

impl Arrivals for Running {
    fn next(&mut self, key: Key) -> Option<Arrival> {
        let arrival = self.inner.next(key)?;
        let mut left = arrival.at.since(self.seen).nanos() as f64 * self.per_nano;
        self.seen = arrival.at;
        if self.now < self.origin {
            let rate = self.curve.rate(self.at, self.times);
            let before = self.origin.since(self.now);
            if rate * before.nanos() as f64 >= left {
                self.now += Running::level(rate, left);
                return Some(Arrival {
                    at: self.now,
                    ..arrival
                });
            }
            left -= rate * before.nanos() as f64;
            self.now = self.origin;
        }
        while let Some(piece) = self.curve.pieces.get(self.at.0) {
            let rest = Span::from_nanos(piece.lasts.nanos() - self.at.1.nanos());
            let (from, to) = (self.curve.rate(self.at, self.times), piece.to * self.times.1 / 1e9);
            let area = (from + to) / 2.0 * rest.nanos() as f64;
            if area >= left && area > 0.0 {
                let slope = (to - from) / rest.nanos() as f64;
                // The smaller root of the parabola, in the form that does not lose figures.
                let root = (from * from + 2.0 * slope * left).max(0.0).sqrt();
                let goes = if left > 0.0 { 2.0 * left / (from + root) } else { 0.0 };
                let goes = Span::from_nanos((goes + 0.5) as u64).min(rest);
                self.now += goes;
                self.at.1 += goes;
                return Some(Arrival {
                    at: self.now,
                    ..arrival
                });
            }
            left -= area;
            self.now += rest;
            if self.now == Time::NEVER {
                return None;
            }
            self.at = (self.at.0 + 1, Span::ZERO);
            if self.at.0 == self.curve.pieces.len() && self.curve.repeats {
                self.at.0 = 0;
            }
            if self.curve.grows != 0.0 {
                self.times = self.curve.times(self.at, self.now.since(self.origin).seconds());
            }
        }
        let rate = self.curve.rate(self.at, self.times);
        if rate == 0.0 {
            return None;
        }
        self.now += Running::level(rate, left);
        (self.now < Time::NEVER).then_some(Arrival {
            at: self.now,
            ..arrival
        })
    }

    fn course(&self) -> Option<Course> {
        let length = Curve::length(&self.curve.pieces);
        if self.curve.grows != 0.0 {
            return Some(Course::grows(self.curve.what));
        }
        Some(if self.curve.repeats {
            Course::repeats(self.curve.what, length)
        } else {
            let until = Span::from_nanos(length.nanos().saturating_sub(self.curve.begins.nanos()));
            Course::once(self.curve.what, self.origin, self.origin + until)
        })
    }

    fn fresh(&self, own: Key) -> Box<dyn Arrivals> {
        Box::new(Running {
            inner: self.inner.fresh(own),
            curve: self.curve.clone(),
            ..*self
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::kernel::chance::Chance;

    /// The arrivals of one replication in `0..seconds`, in seconds.
    pub(in super::super) fn times(process: &dyn Arrivals, replication: u64, seconds: f64) -> Vec<f64> {
        let chance = Chance::new(1, replication);
        let mut arrivals = process.fresh(chance.surroundings(4));
        let next = |n| Some(arrivals.next(chance.request(n))?.at.seconds());
        (0..).map_while(next).take_while(|t| *t < seconds).collect()
    }

    fn curve(pieces: &[(u64, f64, f64)], repeats: bool) -> Curve {
        let piece = |&(lasts, from, to): &(u64, f64, f64)| Piece {
            lasts: Span::from_secs(lasts),
            from,
            to,
        };
        Curve {
            pieces: pieces.iter().map(piece).collect(),
            repeats,
            begins: Span::ZERO,
            grows: 0.0,
            what: "a curve",
        }
    }

    /// With one arrival at every whole of the sum, arrivals are where the sum is whole: for a rate of t/5 the sum is t²/10, so that the
    /// n-th comes at √(10 n).
    #[test]
    fn a_ramp_is_inverted_exactly() {
        let over: ArrivalsSpec = serde_json::from_str(r#"{ "regular": { "rate": "1/s" } }"#).unwrap();
        let built = curve(&[(100, 0.0, 20.0)], false)
            .arrivals(Some(&over), &Names::default())
            .unwrap();
        let found = times(&*built, 0, 100.0);
        assert_eq!(found.len(), 999);
        for (n, at) in found.iter().enumerate() {
            let expected = (10.0 * (n + 1) as f64).sqrt();
            assert!((at - expected).abs() < 1e-6, "{n}: {at} {expected}");
        }
        // Beyond the end the last rate stays: 20 a second.
        assert!((times(&*built, 0, 110.0).len() as f64 - 1199.0).abs() <= 1.0);
    }

    /// Counts of a Poisson process over any stretch have the curve's sum as their mean and as their variance.
    #[test]
    fn counts_over_a_curve_are_poissons() {
        let built = curve(&[(10, 2.0, 8.0), (5, 20.0, 20.0), (5, 0.0, 0.0)], true)
            .arrivals(None, &Names::default())
            .unwrap();
        let all: Vec<Vec<f64>> = (0..2000).map(|r| times(&*built, r, 60.0)).collect();
        for (from, until, mean) in [
            (0.0, 10.0, 50.0),
            (30.0, 35.0, 100.0),
            (35.0, 40.0, 0.0),
            (42.0, 44.0, 7.6),
        ] {
            let counts: Vec<f64> = (all.iter())
                .map(|times| times.iter().filter(|t| (from..until).contains(*t)).count() as f64)
                .collect();
            let found = counts.iter().sum::<f64>() / 2000.0;
            let variance = counts.iter().map(|x| (x - found).powi(2)).sum::<f64>() / 1999.0;
            assert!(
                (found - mean).abs() <= 3.5 * (mean / 2000.0).sqrt(),
                "{from}: {found} for {mean}"
            );
            assert!((variance - mean).abs() <= 0.12 * mean, "{from}: {variance} for {mean}");
        }
    }

    /// A curve over gaps twice as irregular as Poisson's has about four times the variance in its counts.
    #[test]
    fn a_curve_over_bursts_is_as_bursty() {
        let over: ArrivalsSpec = serde_json::from_str(r#"{ "gamma": { "rate": "3/s", "cv": 2 } }"#).unwrap();
        let built = curve(&[(50, 10.0, 30.0)], true)
            .arrivals(Some(&over), &Names::default())
            .unwrap();
        let counts: Vec<f64> = (0..1500).map(|r| times(&*built, r, 50.0).len() as f64).collect();
        let mean = counts.iter().sum::<f64>() / 1500.0;
        let variance = counts.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 1499.0;
        assert!((mean / 1000.0 - 1.0).abs() < 0.01, "{mean}");
        assert!((variance / mean - 4.0).abs() < 0.6, "{variance} {mean}");
    }

    /// The curve begins with the plan's time; until then the rate is that of its beginning.
    #[test]
    fn a_warm_up_comes_before_the_curve() {
        let over: ArrivalsSpec = serde_json::from_str(r#"{ "regular": { "rate": "1/s" } }"#).unwrap();
        let names = Names {
            origin: Time::ZERO + Span::from_secs(100),
            ..Names::default()
        };
        let built = curve(&[(10, 1.0, 1.0), (10, 9.0, 9.0)], true)
            .arrivals(Some(&over), &names)
            .unwrap();
        let found = times(&*built, 0, 120.5);
        let within = |from: f64, until: f64| found.iter().filter(|t| (from..until).contains(*t)).count();
        assert_eq!(
            (within(0.5, 100.5), within(100.5, 110.5), within(110.5, 119.95)),
            (100, 14, 85)
        );
    }

    #[test]
    fn what_has_no_rate_to_change_is_refused() {
        for over in [
            r#"{ "closed_loop": { "users": 3, "think": { "constant": "1s" } } }"#,
            r#"{ "schedule": { "points": [ { "at": "0s", "rate": "1/s" } ] } }"#,
        ] {
            let over: ArrivalsSpec = serde_json::from_str(over).unwrap();
            let curve = curve(&[(10, 1.0, 1.0)], true);
            assert!(curve.arrivals(Some(&over), &Names::default()).is_err(), "{over:?}");
        }
    }
}
