//! A Markov-modulated Poisson process of two states, by how counts disperse.
//!
//! With the mean rate λ, the share π of time in the busy state, the difference Δ of the two rates and the rate r at which states are forgotten
//! (the sum of those at which each is left), the index of dispersion in windows of t is 1 + A (1 − (1 − e^(−rt)) / (rt)) with
//! A = 2 π (1 − π) Δ² / (λ r) (Fischer and Meier-Hellstern, *Performance Evaluation* 18, 1993). A and r are those of the least squares of
//! its logarithm over windows of many widths; of the shares of time that are left possible the one is taken under which the gaps are likeliest, by
//! the forward recursion over states (Meier-Hellstern, *European Journal of Operational Research* 29, 1987).

use super::SECOND;
use super::counts::{self, Stretches};
use super::rate::{four, rate};
use crate::form::units::Duration;
use crate::kernel::time::Span;
use crate::traffic::arrivals::{Mmpp, MmppState};

/// Widths of windows, each so much wider than the one before.
const WIDER: f64 = 1.6;
/// Fewer windows of a width are not heeded.
const WINDOWS: u64 = 25;

/// The process: a quiet and a busy state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bursts {
    /// Requests a second in the quiet state, and in the busy one.
    pub(super) rates: [f64; 2],
    /// Seconds that each state lasts on average.
    pub(super) stays: [f64; 2],
}

/// What the counts of a process show: width of windows in seconds, and index of dispersion.
pub(super) fn curve(times: &[u64], stretches: &Stretches, finest: u64) -> Vec<(f64, f64)> {
    let mut curve = Vec::new();
    let mut width = finest.max(100_000_000) as f64;
    while counts::whole(stretches, width as u64) >= WINDOWS && curve.len() < 40 {
        if let Some(index) = counts::dispersion(times, stretches, width as u64) {
            curve.push((width / SECOND, index));
        }
        width *= WIDER;
    }
    curve
}

impl Bursts {
    /// The process of mean rate `mean` a second whose index of dispersion follows `curve`; `None` if that shows no bursts. `gaps` are lists of
    /// neighbouring gaps in seconds; without any the busy state has as much time as it can, up to a half.
    pub(super) fn through(curve: &[(f64, f64)], mean: f64, gaps: &[Vec<f64>]) -> Option<Bursts> {
        let most = curve.iter().map(|(_, index)| index - 1.0).fold(0.0, f64::max);
        if curve.len() < 3 || most < 0.05 {
            return None;
        }
        let (narrow, wide) = (curve.first()?.0, curve.last()?.0);
        let misfit = |a: f64, r: f64| -> f64 {
            let of = |&(t, index): &(f64, f64)| {
                let x = r * t;
                let off = libm::log(1.0 + a * (1.0 + libm::expm1(-x) / x)) - libm::log(index.max(0.2));
                off * off
            };
            curve.iter().map(of).sum()
        };
        // A grid, and then a finer one about the best of it.
        let (mut a, mut r) = ((most * 0.3, most * 12.0), (0.1 / wide, 4.0 / narrow));
        let mut best = (f64::INFINITY, most, 1.0 / wide);
        for _ in 0..4 {
            for i in 0..=40 {
                for k in 0..=40 {
                    let at = |(lo, hi): (f64, f64), i: i32| lo * libm::pow(hi / lo, f64::from(i) / 40.0);
                    let (a, r) = (at(a, i), at(r, k));
                    let off = misfit(a, r);
                    if off < best.0 {
                        best = (off, a, r);
                    }
                }
            }
            let near = |(lo, hi): (f64, f64), at: f64| {
                let reach = libm::pow(hi / lo, 0.1);
                (at / reach, at * reach)
            };
            (a, r) = (near(a, best.1), near(r, best.2));
        }
        let (_, a, r) = best;
        let variance = a * mean * r / 2.0;
        // Close to all of the time there would be nothing left to tell the quiet state by.
        let busiest = (mean * mean / (mean * mean + variance)).min(0.98);
        let of_share = |share: f64| {
            let apart = (variance / (share * (1.0 - share))).sqrt();
            Bursts {
                rates: [(mean - share * apart).max(0.0), mean + (1.0 - share) * apart],
                stays: [1.0 / (r * share), 1.0 / (r * (1.0 - share))],
            }
        };
        if gaps.iter().all(Vec::is_empty) {
            return Some(of_share(busiest.min(0.5)));
        }
        let tried = [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05].map(|part| of_share(busiest * part));
        tried
            .into_iter()
            .max_by(|a, b| a.log_likelihood(gaps).total_cmp(&b.log_likelihood(gaps)))
    }

    /// The logarithm of the likelihood of these gaps.
    pub(super) fn log_likelihood(&self, gaps: &[Vec<f64>]) -> f64 {
        let [quiet, busy] = self.rates;
        let (up, down) = (1.0 / self.stays[0], 1.0 / self.stays[1]);
        // exp(Cx) of C = Q − Λ by its two eigenvalues, which are real, apart and negative.
        let (c00, c11) = (-up - quiet, -down - busy);
        let middle = f64::midpoint(c00, c11);
        let root = (((c00 - c11) / 2.0) * ((c00 - c11) / 2.0) + up * down).sqrt();
        let (slow, fast) = (middle + root, middle - root);
        let start = {
            let share = self.stays[1] / (self.stays[0] + self.stays[1]);
            let of = [(1.0 - share) * quiet, share * busy];
            [of[0] / (of[0] + of[1]), of[1] / (of[0] + of[1])]
        };
        let mut sum = 0.0;
        for list in gaps {
            let mut state = start;
            for &x in list {
                let (s, f) = (libm::exp(slow * x), libm::exp(fast * x));
                // exp(Cx) = α + β C.
                let beta = (s - f) / (slow - fast);
                let alpha = s - beta * slow;
                let after = [
                    (state[0] * (alpha + beta * c00) + state[1] * beta * down).max(0.0) * quiet,
                    (state[0] * beta * up + state[1] * (alpha + beta * c11)).max(0.0) * busy,
                ];
                let density = after[0] + after[1];
                if density.is_nan() || density <= 0.0 {
                    return f64::NEG_INFINITY;
                }
                sum += libm::log(density);
                state = [after[0] / density, after[1] / density];
            }
        }
        sum
    }

    /// As a file writes it.
    pub(super) fn spec(&self) -> Mmpp {
        let state = |i: usize| MmppState {
            rate: rate(self.rates[i]),
            stay: Duration::from(Span::from_nanos((four(self.stays[i]) * SECOND).round().max(1e6) as u64)),
        };
        Mmpp {
            states: vec![state(0), state(1)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::traffic::draw;
    use crate::traffic::arrivals::ArrivalsSpec;

    const TRUTH: Bursts = Bursts {
        rates: [2.0, 20.0],
        stays: [6.0, 2.0],
    };

    fn drawn() -> (Vec<u64>, Vec<Vec<f64>>) {
        let spec = ArrivalsSpec::from(TRUTH.spec());
        let times = draw::times(&spec, 1, 0, 6000 * 1_000_000_000).unwrap();
        let gaps = times.windows(2).map(|two| (two[1] - two[0]) as f64 / SECOND).collect();
        (times, vec![gaps])
    }

    /// Two states of rates a and b, left at p and q: the index tends to 1 + 2 (a − b)² p q / ((p + q)² (a q + b p)).
    #[test]
    fn the_curve_of_a_process_gives_it_back() {
        let (times, gaps) = drawn();
        let curve = curve(&times, &[(0, 6000 * 1_000_000_000)], 100);
        let (p, q): (f64, f64) = (1.0 / 6.0, 1.0 / 2.0);
        let tends = 1.0 + 2.0 * 18.0 * 18.0 * p * q / ((p + q) * (p + q) * (2.0 * q + 20.0 * p));
        let wide = curve.iter().find(|(t, _)| *t > 30.0).unwrap().1;
        assert!((wide / tends - 1.0).abs() < 0.2, "{wide} {tends}");
        let found = Bursts::through(&curve, 6.5, &gaps).unwrap();
        for (found, truth) in found
            .rates
            .iter()
            .chain(&found.stays)
            .zip(TRUTH.rates.iter().chain(&TRUTH.stays))
        {
            assert!((found / truth - 1.0).abs() < 0.3, "{found} {truth}");
        }
    }

    /// Of states that are alike the likelihood is Poisson's: n ln λ − λ Σ x.
    #[test]
    fn without_a_difference_the_likelihood_is_poissons() {
        let alike = Bursts {
            rates: [3.0, 3.0],
            stays: [5.0, 1.0],
        };
        let gaps = vec![vec![0.1, 0.7, 0.2], vec![1.1]];
        let wanted = 4.0 * libm::log(3.0) - 3.0 * 2.1;
        assert!((alike.log_likelihood(&gaps) - wanted).abs() < 1e-9);
    }

    #[test]
    fn the_truth_is_likelier_than_its_neighbours() {
        let (_, gaps) = drawn();
        let truth = TRUTH.log_likelihood(&gaps);
        for rates in [[1.0, 20.0], [2.0, 30.0], [4.0, 14.0]] {
            assert!(truth > Bursts { rates, ..TRUTH }.log_likelihood(&gaps), "{rates:?}");
        }
    }

    #[test]
    fn what_does_not_burst_has_no_such_process() {
        assert_eq!(
            Bursts::through(&[(1.0, 1.01), (2.0, 0.99), (4.0, 1.02)], 5.0, &[]),
            None
        );
    }
}
