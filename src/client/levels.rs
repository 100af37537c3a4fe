//! Envoy's levels of priority: what share of all calls each takes, by how many of its hosts are well.
//!
//! A level can take min(100 %, overprovisioning × the share of its hosts that are well), in whole percent. The first takes what it can, the
//! next what is left; what all together cannot take is spread in proportion. With Envoy's factor of 140 % half of a level's hosts are
//! enough for 70 % of all calls, and three of ten may be out before 2 % go to the next (measured on 1.40: 70/30 and 98/2). Where no
//! host is well at all, levels take their shares of all hosts.
//!
//! Source: `source/common/upstream/load_balancer_base.cc` (`recalculatePerPriorityState`, `distributeLoad`,
//! `recalculateLoadInTotalPanic`). Left out: degraded hosts, health by weight.

/// The most levels.
pub const MOST_LEVELS: usize = 8;

/// Envoy's overprovisioning factor by default, in percent.
pub const OVERPROVISIONING: u32 = 140;

/// The hosts of a level, and those of them that are well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// The number of hosts.
    pub hosts: u32,
    /// The number of hosts that are well, at most `hosts`.
    pub well: u32,
}

/// Percent of all calls, by level.
pub type Shares = [u32; MOST_LEVELS];

impl Level {
    /// The share of all calls that the level can take, in percent, at most 100. `overprovisioning` is in percent too.
    pub fn takes(self, overprovisioning: u32) -> u32 {
        match self.hosts {
            0 => 0,
            hosts => (u64::from(overprovisioning) * u64::from(self.well) / u64::from(hosts)).min(100) as u32,
        }
    }
}

/// The share of all calls that each level gets, where each can take so much; `None` where none can take any.
pub fn shares(takes: &[u32]) -> Option<Shares> {
    let total = takes.iter().sum::<u32>().min(100);
    if total == 0 {
        return None;
    }
    let (mut shares, mut left) = ([0; MOST_LEVELS], 100);
    for (share, takes) in shares.iter_mut().zip(takes) {
        *share = (takes * 100 / total).min(left);
        left -= *share;
    }
    // What rounding leaves goes to the first that takes any.
    let first = takes.iter().position(|&takes| takes > 0)?;
    shares[first] += left;
    Some(shares)
}

/// The share of all calls that each level gets where all of their hosts are asked, well or not.
pub fn by_hosts(levels: &[Level]) -> Option<Shares> {
    let total: u64 = levels.iter().map(|level| u64::from(level.hosts)).sum();
    let first = levels.iter().position(|level| level.hosts > 0)?;
    let (mut shares, mut left) = ([0; MOST_LEVELS], 100);
    for (share, level) in shares.iter_mut().zip(levels) {
        *share = (100 * u64::from(level.hosts) / total) as u32;
        left -= *share;
    }
    shares[first] += left;
    Some(shares)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(well: u32, hosts: u32) -> Level {
        Level { hosts, well }
    }

    fn of(levels: &[Level]) -> Vec<u32> {
        let takes: Vec<u32> = levels.iter().map(|level| level.takes(OVERPROVISIONING)).collect();
        let shares = shares(&takes).or_else(|| by_hosts(levels)).unwrap();
        shares[..levels.len()].to_vec()
    }

    /// The first two rows were measured on Envoy 1.40; the others are the table in its documentation of priority levels.
    #[test]
    fn a_level_takes_what_its_hosts_can_and_the_next_the_rest() {
        for (levels, shares) in [
            (vec![level(2, 4), level(2, 2)], vec![70, 30]),
            (vec![level(7, 10), level(10, 10)], vec![98, 2]),
            (vec![level(10, 10), level(10, 10)], vec![100, 0]),
            (vec![level(72, 100), level(72, 100)], vec![100, 0]),
            (vec![level(71, 100), level(71, 100)], vec![99, 1]),
            (vec![level(50, 100), level(50, 100)], vec![70, 30]),
            (vec![level(25, 100), level(100, 100)], vec![35, 65]),
            (vec![level(25, 100), level(25, 100)], vec![50, 50]),
            (vec![level(0, 4), level(1, 1)], vec![0, 100]),
            // Together 60 %, in proportion; what rounding leaves goes to the first.
            (vec![level(1, 7), level(2, 7)], vec![34, 66]),
            // Nothing is well: by the number of hosts.
            (vec![level(0, 3), level(0, 1)], vec![75, 25]),
        ] {
            assert_eq!(of(&levels), shares, "{levels:?}");
        }
    }

    #[test]
    fn levels_without_hosts_get_nothing() {
        assert_eq!(of(&[level(0, 0), level(1, 2)]), [0, 100]);
        assert_eq!(by_hosts(&[]), None);
        assert_eq!(shares(&[]), None);
    }
}
