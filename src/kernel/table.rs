//! A sampler of any [`Law`]: its quantile function, tabulated on a log-linear grid and joined by straight lines.
//!
//! The idea is that of the HDR histogram's buckets, applied to the mass p of either tail: each octave of p, from
//! [1/4, 1/2) outward, is split into 64 equal cells. The relative spacing of knots is thus at most h = 1/64 however
//! rare the value, and a draw costs two loads and no transcendental function.
//!
//! Error: knots are exact, and between them at most h²/8 · p² |Q''(p)|. For an exponential upper tail p² Q'' is the
//! mean, so a draw is at most 3.1e-5 means off; for a power tail of index a it is the value times (1 + 1/a)/a. A jump
//! of the law is smeared over the one cell that holds it. Left out: masses below 2^-41 (one draw in 10^12) give the
//! quantile at 2^-41, so a table has no infinite tail.

use super::law::{Law, Tail};

/// Cells an octave, as a power of two.
const CELL_BITS: u32 = 6;
const CELLS: usize = 1 << CELL_BITS;
const OCTAVES: usize = 40;
/// Knots a side; neighbouring cells share one.
const SIDE: usize = OCTAVES * CELLS + 1;
const KNOTS: usize = 2 * SIDE;

/// A law compiled for drawing; 40 KiB.
///
/// ```
/// use simcap::kernel::{law::Exponential, table::Table};
///
/// let table = Table::new(&Exponential::new(2.0, 0.0)?);
/// let median = 2.0 * std::f64::consts::LN_2;
/// assert!((table.at(u64::MAX / 2) - median).abs() < 1e-9);
/// # Ok::<(), simcap::kernel::law::LawError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Table {
    /// Each side's knots from the outermost (p = 2^-41) to the median, the lower side first.
    knots: Box<[f64; KNOTS]>,
}

impl Table {
    /// Tabulates `law`, at 5,122 quantiles. Values too large for a float become the largest float.
    pub fn new(law: &dyn Law) -> Table {
        let mut knots = Box::new([0.0; KNOTS]);
        // A law's own rounding may swap neighbours by a bit, so each knot is held to the one below it. The second half
        // goes down the upper side, whose knots lie mirrored.
        let mut floor = 0.0_f64;
        for i in 0..SIDE {
            floor = law.quantile(Tail::Lower(mass(i))).max(floor).min(f64::MAX);
            knots[i] = floor;
        }
        for i in (0..SIDE).rev() {
            floor = law.quantile(Tail::Upper(mass(i))).max(floor).min(f64::MAX);
            knots[SIDE + i] = floor;
        }
        Table { knots }
    }

    /// The value at 64 random bits: the quantile at (u + 1/2) / 2^64, non-decreasing in `u`. `u` and `!u` are
    /// antithetic: they lie at the same mass of opposite tails.
    #[inline]
    pub fn at(&self, u: u64) -> f64 {
        // All ones for the upper half, where the bits are flipped to count mass from the top.
        let side = ((u as i64) >> 63) as u64;
        // The tail mass in units of 2^-65; odd, so never 0, and not below the outermost knot at 2^-41.
        let mass = (((u ^ side) << 1) | 1).max(1 << 24);
        let octave = mass.leading_zeros();
        // The leading one drops out; the next bits are the cell, the rest the way through it.
        let rest = (mass << octave) << 1;
        let cell = (rest >> (64 - CELL_BITS)) as usize;
        // With the exponent of 1.0, the top 52 bits of the rest are a float in [1, 2).
        let way = f64::from_bits(((rest << CELL_BITS) >> 12) | 1.0_f64.to_bits()) - 1.0;
        let start = (side as usize) & SIDE;
        let index = start + (OCTAVES - 1 - octave as usize) * CELLS + cell;
        // At most 2 * SIDE - 2, which the compiler can see. The way is below 1 by enough to outdo both roundings, so
        // that a value never passes the cell's far knot.
        let (from, to) = (self.knots[index], self.knots[index + 1]);
        from + (to - from) * way
    }
}

/// The tail mass at the `i`th knot from the outermost, exact.
fn mass(i: usize) -> f64 {
    let octave = f64::from_bits(((1023 - 41 + i / CELLS) as u64) << 52);
    octave * (1.0 + (i % CELLS) as f64 / CELLS as f64)
}

#[cfg(test)]
mod tests {
    use super::super::law::{Constant, Empirical, Exponential, Gamma, Lognormal, Mixture, Pareto, Uniform, Weibull};
    use super::*;

    /// The place that 64 random bits stand for, by the definition of `at`.
    fn place(u: u64) -> Tail {
        let mass = |w: u64| (w as f64 + 0.5) / 18_446_744_073_709_551_616.0;
        if u >> 63 == 0 {
            Tail::Lower(mass(u))
        } else {
            Tail::Upper(mass(!u))
        }
    }

    /// 10,000 draws: half of them ordinary, half spread over the octaves of both tails down to 2^-40.
    fn draws() -> impl Iterator<Item = u64> {
        (0..10_000_u64).map(|i| {
            let u = i.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let flip = if u >> 63 == 0 { 0 } else { u64::MAX };
            let depth = if i % 2 == 0 { 0 } else { i / 2 % 39 };
            // Keeps the leading one of the tail mass at or above its 24th bit.
            (((u ^ flip) >> depth) | (1 << 23)) ^ flip
        })
    }

    /// Panics if any of the 10,000 draws is further from the exact quantile than `of_value` of it plus `absolute`.
    fn close(law: &dyn Law, of_value: f64, absolute: f64) {
        let table = Table::new(law);
        for u in draws() {
            let (drawn, exact) = (table.at(u), law.quantile(place(u)));
            let limit = of_value * exact + absolute;
            assert!(
                (drawn - exact).abs() <= limit,
                "{law:?} at {:?}: {drawn}, exactly {exact}",
                place(u)
            );
        }
    }

    /// h²/8, the bound on the error in units of p² Q''.
    const BOUND: f64 = 1.0 / (64.0 * 64.0 * 8.0);

    #[test]
    fn a_constant_is_exact() {
        close(&Constant::new(0.3).unwrap(), 0.0, 0.0);
    }

    #[test]
    fn straight_lines_are_exact_up_to_rounding() {
        close(&Uniform::new(2.0, 5.0).unwrap(), 1e-15, 0.0);
    }

    #[test]
    fn an_exponential_is_off_by_the_bound_times_its_mean() {
        close(&Exponential::new(2.0, 0.5).unwrap(), 0.0, 2.0 * BOUND);
    }

    /// (1 + 1/1.5) / 1.5, and a little for the cell's far end, where p² Q'' is larger.
    #[test]
    fn a_power_tail_is_off_by_a_share_of_the_value() {
        close(
            &Pareto::new(2.0, 1.5).unwrap(),
            1.05 * BOUND * (1.0 + 1.0 / 1.5) / 1.5,
            0.0,
        );
    }

    #[test]
    fn curved_laws_are_off_by_one_part_in_ten_thousand_at_most() {
        close(&Lognormal::new(0.8, 1.2, 0.1).unwrap(), 1e-4, 0.0);
        close(&Gamma::new(3.0, 2.5, 0.2).unwrap(), 1e-4, 0.0);
        close(&Weibull::new(3.0, 0.7, 0.25).unwrap(), 1e-4, 0.0);
    }

    /// Its upper tail is that of an exponential of mean 20. Near 0 its values span hundreds of decades: there only the
    /// absolute error is small.
    #[test]
    fn a_gamma_of_small_shape_is_off_as_its_tail_is() {
        close(&Gamma::new(1.0, 0.05, 0.0).unwrap(), 0.0, 1.05 * 20.0 * BOUND);
    }

    /// A corner is cut by at most a quarter of a cell's mass times the change of slope of the quantile function.
    #[test]
    fn cornered_laws_are_close() {
        let knots = vec![(0.0, 0.2), (0.5, 0.9), (0.9, 2.0), (0.99, 6.5), (1.0, 30.0)];
        // Worst at p = 0.01: (2350 - 50) / 4 / 8192 of 6.5.
        close(&Empirical::new(knots).unwrap(), 0.0108, 0.0);
        let fast = Lognormal::new(0.8, 0.5, 0.0).unwrap();
        let slow = Exponential::new(10.0, 2.0).unwrap();
        close(
            &Mixture::new(vec![(0.9, Box::new(fast)), (0.1, Box::new(slow))]).unwrap(),
            4e-3,
            0.0,
        );
    }

    #[test]
    fn values_never_fall_as_bits_rise() {
        let table = Table::new(&Gamma::new(1.0, 4.0, 0.0).unwrap());
        // All 64-bit patterns of one or two set bits, their complements and neighbours: every cell edge is near one.
        let mut bits: Vec<u64> = (0..64)
            .flat_map(|a| (0..64).map(move |b| (1_u64 << a) | (1 << b)))
            .flat_map(|u| [u, !u, u - 1, !(u - 1), u.wrapping_add(1)])
            .chain(draws())
            .collect();
        bits.sort_unstable();
        let values: Vec<f64> = bits.iter().map(|&u| table.at(u)).collect();
        assert!(values.is_sorted());
    }

    #[test]
    fn complements_are_antithetic() {
        let table = Table::new(&Uniform::new(0.0, 1.0).unwrap());
        assert!(draws().all(|u| (table.at(u) + table.at(!u) - 1.0).abs() < 1e-15));
    }

    #[test]
    fn the_extremes_are_the_outermost_knots() {
        let law = Lognormal::new(1.0, 2.0, 0.0).unwrap();
        let (table, rare) = (Table::new(&law), 1.0 / (1_u64 << 41) as f64);
        assert_eq!(table.at(0), law.quantile(Tail::Lower(rare)));
        assert_eq!(table.at(u64::MAX), law.quantile(Tail::Upper(rare)));
    }

    #[test]
    fn an_overflowing_law_still_draws_numbers() {
        let table = Table::new(&Pareto::new(1e300, 0.01).unwrap());
        assert!(draws().all(|u| table.at(u).is_finite()));
    }
}
