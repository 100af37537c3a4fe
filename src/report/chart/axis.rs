//! An axis laid out: where it begins and ends, and where its ticks are.
//!
//! Ticks are at 1, 2 or 5 times a power of ten (Heckbert, "Nice numbers for graph labels", *Graphics Gems*, 1990); on a
//! logarithmic axis as well, or at powers of ten alone when it is long. Left out: calendar steps, minor ticks.

use super::super::format;
use super::{Axis, Scale};

/// An axis with its ends and ticks, all in the plane of the drawing: logarithms on a logarithmic axis.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) lo: f64,
    pub(super) hi: f64,
    pub(super) ticks: Vec<(f64, String)>,
    log: bool,
}

impl Layout {
    /// Lays out an axis for these figures, with about so many ticks.
    pub(super) fn new(axis: &Axis, figures: impl Iterator<Item = f64>, wanted: usize) -> Layout {
        let log = axis.scale == Scale::Log;
        let (lo, hi) = axis.range.unwrap_or_else(|| extent(figures, log));
        match &axis.scale {
            Scale::Named(names) => Layout {
                lo,
                hi,
                ticks: names.clone(),
                log,
            },
            Scale::Log => {
                let ticks = powers(lo, hi, wanted);
                Layout {
                    lo: libm::log10(lo),
                    hi: libm::log10(hi),
                    ticks: ticks
                        .into_iter()
                        .map(|x| (libm::log10(x), format::tick(axis.unit, x)))
                        .collect(),
                    log,
                }
            }
            Scale::Linear => {
                let laid = |wanted: usize| {
                    let step = step(lo, hi, wanted);
                    let (lo, hi) = match axis.range {
                        None => (libm::floor(lo / step) * step, libm::ceil(hi / step) * step),
                        Some(ends) => ends,
                    };
                    let ticks = multiples(lo, hi, step).map(|x| (x, format::tick(axis.unit, x)));
                    Layout {
                        lo,
                        hi,
                        ticks: ticks.collect(),
                        log,
                    }
                };
                // Where ticks are closer than figures are written, there are fewer of them.
                let told_apart = |layout: &Layout| layout.ticks.windows(2).all(|two| two[0].1 != two[1].1);
                let mut fewer = (1..=wanted).rev().map(laid);
                fewer.find(told_apart).unwrap_or_else(|| laid(1))
            }
        }
    }

    /// A figure's place in the plane, if it has one there.
    pub(super) fn place(&self, x: f64) -> Option<f64> {
        let x = if !self.log {
            x
        } else if x > 0.0 {
            libm::log10(x)
        } else {
            f64::NAN
        };
        // Beyond the ends by more than the whole plot it would not fit into whole pixels.
        let room = self.hi - self.lo;
        x.is_finite().then(|| x.clamp(self.lo - room, self.hi + room))
    }
}

/// The least and the greatest figure, apart from each other.
fn extent(figures: impl Iterator<Item = f64>, log: bool) -> (f64, f64) {
    let (lo, hi) = figures
        .filter(|x| x.abs() < 1e15 && (if log { *x > 1e-12 } else { x.is_finite() }))
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), x| (lo.min(x), hi.max(x)));
    match (lo, hi) {
        (lo, hi) if lo > hi => {
            if log {
                (0.1, 1.0)
            } else {
                (0.0, 1.0)
            }
        }
        (lo, hi) if log && hi / lo < 1.2 => (lo / 1.2, hi * 1.2),
        (lo, hi) if hi - lo <= 1e-9 * hi.abs() => match hi {
            0.0 => (0.0, 1.0),
            _ => (lo - 0.1 * hi.abs(), hi + 0.1 * hi.abs()),
        },
        ends => ends,
    }
}

/// A step of 1, 2 or 5 times a power of ten that makes about `wanted` of the way.
fn step(lo: f64, hi: f64, wanted: usize) -> f64 {
    let raw = (hi - lo) / wanted.max(1) as f64;
    let power = libm::exp10(libm::floor(libm::log10(raw)));
    let nice = match raw / power {
        lead if lead <= 1.0 => 1.0,
        lead if lead <= 2.0 => 2.0,
        lead if lead <= 5.0 => 5.0,
        _ => 10.0,
    };
    nice * power
}

fn multiples(lo: f64, hi: f64, step: f64) -> impl Iterator<Item = f64> {
    let slack = 1e-9 * step;
    let first = libm::ceil((lo - slack) / step);
    (0..100)
        .map(move |index| (first + f64::from(index)) * step)
        .take_while(move |x| *x <= hi + slack)
}

/// 1, 2 and 5 times powers of ten; 1 and 3 times, or powers of ten alone, when those crowd; equal steps when they are few.
fn powers(lo: f64, hi: f64, wanted: usize) -> Vec<f64> {
    let decades = libm::floor(libm::log10(lo)) as i32..=libm::ceil(libm::log10(hi)) as i32;
    let ticks = |leads: &[f64]| -> Vec<f64> {
        decades
            .clone()
            .flat_map(|power| leads.iter().map(move |lead| lead * libm::exp10(f64::from(power))))
            .filter(|x| (lo * 0.999..=hi * 1.001).contains(x))
            .collect()
    };
    let fine = ticks(&[1.0, 2.0, 5.0]);
    // How many ticks' room there is in a factor of ten.
    let room = wanted as f64 / (libm::log10(hi) - libm::log10(lo));
    match fine.len() {
        0..=2 => multiples(lo, hi, step(lo, hi, wanted.min(4))).collect(),
        _ if room * libm::log10(2.0) >= 1.0 => fine,
        _ if room * libm::log10(3.0) >= 1.0 => ticks(&[1.0, 3.0]),
        _ => {
            let whole = ticks(&[1.0]);
            let every = whole.len().div_ceil(wanted.max(1)).max(1);
            whole.into_iter().step_by(every).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::Unit;
    use super::*;

    fn labels(scale: Scale, figures: &[f64]) -> Vec<String> {
        let axis = Axis {
            label: String::new(),
            unit: Unit::Seconds,
            scale,
            range: None,
        };
        let layout = Layout::new(&axis, figures.iter().copied(), 7);
        layout.ticks.into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn no_two_ticks_have_one_label() {
        let close = labels(Scale::Linear, &[7.952, 7.979]);
        assert!(
            close.len() > 1 && close.windows(2).all(|two| two[0] != two[1]),
            "{close:?}"
        );
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(
            labels(Scale::Linear, &[0.0, 9.1]),
            ["0 s", "2 s", "4 s", "6 s", "8 s", "10 s"]
        );
        assert_eq!(
            labels(Scale::Log, &[0.09, 6.0]),
            ["100 ms", "200 ms", "500 ms", "1 s", "2 s", "5 s"]
        );
        assert_eq!(
            labels(Scale::Log, &[0.001, 20.0]),
            ["1 ms", "10 ms", "100 ms", "1 s", "10 s"]
        );
    }

    #[test]
    fn an_axis_of_one_figure_has_some_length_and_ticks() {
        for scale in [Scale::Linear, Scale::Log] {
            assert!(labels(scale.clone(), &[0.3]).len() >= 2, "{scale:?}");
            assert!(labels(scale, &[]).len() >= 2);
        }
    }

    #[test]
    fn what_a_logarithm_cannot_show_has_no_place() {
        let axis = Axis {
            label: String::new(),
            unit: Unit::Seconds,
            scale: Scale::Log,
            range: Some((0.1, 10.0)),
        };
        let layout = Layout::new(&axis, std::iter::empty(), 7);
        assert_eq!(
            [0.0, 1.0, 10.0, f64::NAN].map(|x| layout.place(x)),
            [None, Some(0.0), Some(1.0), None]
        );
    }
}
