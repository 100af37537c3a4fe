//! A law given by points of its quantile function, joined by straight lines, such as a published percentile table.
//!
//! The last knot is the largest value there is: nothing is extrapolated beyond it.

use super::{Law, LawError, Tail, nonnegative};

/// Quantile knots, joined linearly.
#[derive(Clone, Debug, PartialEq)]
pub struct Empirical {
    knots: Vec<Knot>,
}

/// A value and the masses below and above it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Knot {
    below: f64,
    above: f64,
    value: f64,
}

impl Empirical {
    /// The law through `knots`, each a (p, value). Two neighbours of one value are a jump of the distribution there.
    ///
    /// # Errors
    /// If a value is negative, infinite or NaN; if the first p is not 0 or the last not 1; if p does not rise strictly
    /// or a value falls.
    pub fn new(knots: Vec<(f64, f64)>) -> Result<Empirical, LawError> {
        let (Some(&(first, _)), Some(&(last, _))) = (knots.first(), knots.last()) else {
            return Err(LawError::KnotEnds);
        };
        if first != 0.0 || last != 1.0 {
            return Err(LawError::KnotEnds);
        }
        for &(_, value) in &knots {
            nonnegative("knot value", value)?;
        }
        for (index, pair) in knots.windows(2).enumerate() {
            // NaN compares as not above anything.
            let rises = pair[1].0 > pair[0].0 && pair[1].1 >= pair[0].1;
            if !rises {
                return Err(LawError::KnotOrder { index: index + 1 });
            }
        }
        let knots = knots
            .into_iter()
            .map(|(p, value)| Knot {
                below: p,
                above: 1.0 - p,
                value,
            })
            .collect();
        Ok(Empirical { knots })
    }

    /// The two neighbouring knots that hold the first knot for which `passed` is false, and the one before it.
    fn segment(&self, passed: impl Fn(&Knot) -> bool) -> (Knot, Knot) {
        let next = self.knots.partition_point(passed).clamp(1, self.knots.len() - 1);
        (self.knots[next - 1], self.knots[next])
    }
}

impl Law for Empirical {
    fn quantile(&self, at: Tail) -> f64 {
        match at {
            Tail::Lower(p) => {
                let (a, b) = self.segment(|knot| knot.below < p);
                a.value + (b.value - a.value) * ((p - a.below) / (b.below - a.below))
            }
            Tail::Upper(p) => {
                let (a, b) = self.segment(|knot| knot.above > p);
                b.value - (b.value - a.value) * ((p - b.above) / (a.above - b.above))
            }
        }
    }

    fn cdf(&self, x: f64) -> f64 {
        let (a, b) = self.segment(|knot| knot.value <= x);
        a.below + (b.below - a.below) * along(a, b, x)
    }

    fn sf(&self, x: f64) -> f64 {
        let (a, b) = self.segment(|knot| knot.value <= x);
        b.above + (a.above - b.above) * (1.0 - along(a, b, x))
    }

    fn mean(&self) -> f64 {
        self.knots
            .windows(2)
            .map(|pair| (pair[1].below - pair[0].below) * (pair[0].value + pair[1].value) / 2.0)
            .sum()
    }
}

/// How far `x` is on the way from `a` to `b`, from 0 to 1.
fn along(a: Knot, b: Knot, x: f64) -> f64 {
    if x >= b.value {
        1.0
    } else if x < a.value {
        0.0
    } else {
        (x - a.value) / (b.value - a.value)
    }
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    fn law() -> Empirical {
        Empirical::new(vec![(0.0, 0.2), (0.5, 0.9), (0.9, 2.0), (0.99, 6.5), (1.0, 30.0)]).unwrap()
    }

    #[test]
    fn agrees_with_scipy() {
        check::agrees(
            &law(),
            1e-9,
            check::Oracle {
                mean: 1.42,
                masses: [
                    (0.3, 0.07142857142857141, 0.9285714285714286),
                    (1.5, 0.7181818181818181, 0.28181818181818186),
                    (29.9, 0.9999574468085106, 4.25531914893618e-05),
                ],
                quantiles: [
                    0.20000140000000002,
                    0.21400000000000002,
                    0.9000000000000009,
                    4.5,
                    6.500000000000022,
                    27.650000000000002,
                    29.999997649999997,
                ],
            },
        );
    }

    #[test]
    fn draws_never_change() {
        check::pins(
            &law(),
            [
                0x3fc9_9999_9999_f334,
                0x3fd9_d87b_ffa8_994d,
                0x3ff3_97ef_5248_4733,
                0x403d_ffff_fffb_6900,
            ],
        );
    }

    #[test]
    fn equal_values_are_a_jump() {
        let law = Empirical::new(vec![(0.0, 1.0), (0.25, 2.0), (0.75, 2.0), (1.0, 4.0)]).unwrap();
        assert_eq!(
            [law.cdf(1.5), law.cdf(2.0), law.cdf(3.0), law.cdf(4.0)],
            [0.125, 0.75, 0.875, 1.0]
        );
        assert_eq!(
            [law.sf(0.5), law.sf(2.0), law.sf(3.0), law.sf(4.0)],
            [1.0, 0.25, 0.125, 0.0]
        );
        let values = [
            Tail::Lower(0.125),
            Tail::Lower(0.3),
            Tail::Upper(0.3),
            Tail::Upper(0.125),
        ];
        assert_eq!(values.map(|at| law.quantile(at)), [1.5, 2.0, 2.0, 3.0]);
    }

    #[test]
    fn knots_must_be_in_order() {
        assert_eq!(Empirical::new(vec![]), Err(LawError::KnotEnds));
        assert_eq!(Empirical::new(vec![(0.0, 1.0), (0.9, 2.0)]), Err(LawError::KnotEnds));
        let flat = vec![(0.0, 1.0), (0.5, 1.0), (0.5, 2.0), (1.0, 3.0)];
        assert_eq!(Empirical::new(flat), Err(LawError::KnotOrder { index: 2 }));
        assert_eq!(
            Empirical::new(vec![(0.0, 2.0), (1.0, 1.0)]),
            Err(LawError::KnotOrder { index: 1 })
        );
    }
}
