//! Two different providers at random, for the policies that compare two.

use super::{Call, Fleet};
use crate::kernel::chance::{Purpose, index};

/// Two of `order` that are open, every ordered pair of them equally likely; the same one twice if there is only one.
///
/// Two are drawn out of all. Only if one of them is closed are the open ones counted and two drawn out of those, by draws
/// of their own: the first ones are known to have met a closed one, and would favour its neighbour. So the pair is
/// uniform either way, and costs nothing while all are open.
#[inline]
pub(super) fn pair(order: &[usize], call: &Call, fleet: &Fleet<'_>) -> Option<(usize, usize)> {
    let (one, other) = two(order.len(), call)?;
    let drawn = (order[one], order[other]);
    if fleet.is_open_to_calls(drawn.0) && fleet.is_open_to_calls(drawn.1) {
        return Some(drawn);
    }
    let open = || order.iter().copied().filter(|&p| fleet.is_open_to_calls(p));
    let (one, other) = two_by(AGAIN, open().count(), call)?;
    Some((open().nth(one)?, open().nth(other)?))
}

/// Two different numbers below `n`, or 0 twice if that is all there is.
#[inline]
pub(super) fn two(n: usize, call: &Call) -> Option<(usize, usize)> {
    two_by(FIRST, n, call)
}

/// The parts of an attempt's randomness that draw a pair, and those that draw it again.
const FIRST: [u64; 2] = [0, 1];
const AGAIN: [u64; 2] = [2, 3];

#[inline]
fn two_by(parts: [u64; 2], n: usize, call: &Call) -> Option<(usize, usize)> {
    if n < 2 {
        return (n == 1).then_some((0, 0));
    }
    let [one, other] = parts.map(|part| call.attempt.part(part).draw(Purpose::Route));
    let (one, other) = (index(one, n), index(other, n - 1));
    Some((one, other + usize::from(other >= one)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use crate::kernel::time::Time;

    /// Four standard deviations of a sixth of 60,000 are 366.
    #[test]
    fn every_pair_of_open_ones_is_equally_likely() {
        let count = |closed: &[usize]| {
            let hosts = hosts(closed);
            let fleet = Fleet::new(&hosts, None, Time::ZERO);
            let mut counts = [[0_u32; 3]; 3];
            for id in 0..60_000 {
                let (one, other) = pair(&[0, 1, 2], &call(id, 0), &fleet).unwrap();
                counts[one][other] += 1;
            }
            counts
        };
        for (one, row) in count(&[]).into_iter().enumerate() {
            for (other, n) in row.into_iter().enumerate() {
                assert!(
                    if one == other { n == 0 } else { n.abs_diff(10_000) < 366 },
                    "{one} {other}: {n}"
                );
            }
        }
        let of_two = count(&[1]);
        assert!(of_two[0][2].abs_diff(30_000) < 500 && of_two[0][2] + of_two[2][0] == 60_000);
        assert_eq!(count(&[0, 1])[2][2], 60_000);
    }

    #[test]
    fn among_nobody_there_is_no_pair() {
        let closed = hosts(&[0, 1, 2]);
        assert_eq!(
            pair(&[0, 1, 2], &call(0, 0), &Fleet::new(&closed, None, Time::ZERO)),
            None
        );
    }
}
