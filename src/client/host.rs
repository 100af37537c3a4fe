//! The state that a client keeps for each provider, and the connections that providers of one host share.
//!
//! A pool of connections is bounded, one held for each attempt from when it is sent until it ends. An attempt that
//! finds none free waits in line, first come first served, as in the pools of aiohttp (`limit_per_host`) and httpx; if
//! the line is full, or there is none (LiteLLM 1.109's `max_parallel_requests`), it is turned away. The breaker is
//! asked before the wait and not again after it: a call in line goes even if the breaker has opened.

use std::collections::VecDeque;

use super::breaker::{Breaker, Ticket};
use crate::kernel::clock::BoundClock;
use crate::kernel::time::Time;
use crate::words::Ended;

/// A provider as its client sees it.
#[derive(Debug, Default)]
pub struct Host {
    breaker: Option<Box<dyn Breaker>>,
    /// The cached value of [`Breaker::is_closed`]: a policy that looks at every provider finds it here, without a call
    /// through a pointer.
    closed: bool,
    /// Attempts under way, those in line for a connection not counted.
    pub in_flight: u32,
    /// Attempts in line for a connection.
    pub in_line: u32,
}

impl Host {
    /// A provider behind its own breaker, or behind none.
    pub fn behind(breaker: Option<Box<dyn Breaker>>) -> Host {
        Host {
            closed: breaker.as_ref().is_some_and(|breaker| breaker.is_closed()),
            breaker,
            ..Host::default()
        }
    }

    /// The provider's own breaker; `None` if it has none, or if one breaker watches the whole fleet.
    #[inline]
    pub fn breaker(&self) -> Option<&dyn Breaker> {
        self.breaker.as_deref()
    }

    /// Whether the provider's own breaker is closed, and so lets calls through whatever the time.
    #[inline]
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Tells the provider's own breaker that a call goes to it; `None` if it has no breaker of its own.
    #[inline]
    pub fn sent(&mut self, now: Time) -> Option<Ticket> {
        self.breaker.as_mut().map(|breaker| breaker.sent(now))
    }

    /// Tells the provider's own breaker how a call ended; `false` if it has none.
    #[inline]
    pub fn record(&mut self, ticket: Ticket, ended: &Ended) -> bool {
        let Some(breaker) = &mut self.breaker else {
            return false;
        };
        breaker.record(ticket, ended);
        self.closed = breaker.is_closed();
        true
    }
}

/// The bounds on connections in the client's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    /// The most connections in use at once; `u32::MAX` for no bound.
    pub most: u32,
    /// The most attempts that may wait for a connection.
    pub line: u32,
}

impl Connections {
    /// Connections without any bound.
    pub const UNBOUNDED: Connections = Connections {
        most: u32::MAX,
        line: u32::MAX,
    };
}

/// A pool of connections at work.
#[derive(Debug)]
pub struct Pool {
    bound: Connections,
    in_use: u32,
    waiting: VecDeque<u32>,
    full: BoundClock,
    /// In a cluster: its number, and the connections that are kept to the host, in use or not.
    cluster: Option<usize>,
    open: u32,
}

/// The bounds that pools share, each of which is of one host: as Envoy counts `max_connections` and `max_pending_requests` over a
/// cluster whose HTTP/1 pools are each of a host.
///
/// A connection belongs to the host to which it was opened and stays open when its attempt is answered; one on which an attempt was cut
/// off is closed. So an attempt waits for a connection to its own host, although another host has an idle one; only a host without
/// any connection gets one beyond the bound. The line is counted over all pools. Left out: the time that opening takes, idle
/// timeouts (an hour, in Envoy), and `max_requests`, which a bound on connections of one attempt each makes as well.
#[derive(Debug)]
pub struct Cluster {
    bound: Connections,
    open: u32,
    waiting: u32,
}

impl Cluster {
    /// A cluster with no connection open.
    pub fn new(bound: Connections) -> Cluster {
        Cluster {
            bound,
            open: 0,
            waiting: 0,
        }
    }

    /// Called when an attempt stands in the line of one of the pools.
    pub fn joins_line(&mut self) {
        self.waiting += 1;
    }

    /// Called when an attempt leaves a line before its turn.
    pub fn leaves_line(&mut self) {
        self.waiting -= 1;
    }
}

/// What becomes of an attempt that wants a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connected {
    /// The attempt has a connection.
    Now,
    /// The attempt may wait in line.
    InLine,
    /// The attempt is turned away.
    Refused,
}

impl Pool {
    /// A pool with all of its connections free.
    pub fn new(bound: Connections) -> Pool {
        Pool::in_cluster(bound, None)
    }

    /// A pool in the cluster of this number, if it is in one; then `bound` is the cluster's, over all of its pools.
    pub fn in_cluster(bound: Connections, cluster: Option<usize>) -> Pool {
        Pool {
            bound,
            in_use: 0,
            waiting: VecDeque::new(),
            full: BoundClock::default(),
            cluster,
            open: 0,
        }
    }

    /// The number of the cluster that the pool is in.
    #[inline]
    pub fn cluster(&self) -> Option<usize> {
        self.cluster
    }

    /// Takes a connection, if one is idle or may be opened, in a pool of `cluster`.
    pub fn connect_in(&mut self, cluster: &mut Cluster, now: Time) -> Connected {
        let may_open = cluster.open < cluster.bound.most || self.open == 0;
        if self.in_use == self.open && !may_open {
            self.full.enter(now);
            if cluster.waiting >= cluster.bound.line {
                return Connected::Refused;
            }
            return Connected::InLine;
        }
        if self.in_use == self.open {
            self.open += 1;
            cluster.open += 1;
        }
        self.in_use += 1;
        Connected::Now
    }

    /// Gives a connection back, in a pool of `cluster`; `closes` if it cannot be used again. A new one or the same goes to the attempt
    /// that has waited longest for this host, whose slot is returned.
    pub fn disconnect_in(&mut self, cluster: &mut Cluster, now: Time, closes: bool) -> Option<u32> {
        let next = self.waiting.pop_front();
        if next.is_some() {
            // In the place of one that closes, there is room for another.
            cluster.waiting -= 1;
            return next;
        }
        self.full.leave(now);
        self.in_use -= 1;
        if closes {
            self.open -= 1;
            cluster.open -= 1;
        }
        None
    }

    /// The number of connections in use.
    #[inline]
    pub fn in_use(&self) -> u32 {
        self.in_use
    }

    /// The number of attempts that wait for a connection.
    #[inline]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The most connections in use at once; `u32::MAX` for no bound.
    pub fn most(&self) -> u32 {
        self.bound.most
    }

    /// Takes a connection, if one is free.
    #[inline]
    pub fn connect(&mut self, now: Time) -> Connected {
        if self.in_use < self.bound.most {
            self.in_use += 1;
            if self.in_use == self.bound.most {
                self.full.enter(now);
            }
            Connected::Now
        } else if self.waiting.len() < self.bound.line as usize {
            Connected::InLine
        } else {
            Connected::Refused
        }
    }

    /// Puts the attempt in `slot`, which found no connection free, in line for one.
    pub fn stand_in_line(&mut self, slot: u32) {
        self.waiting.push_back(slot);
    }

    /// Gives a connection back. It goes to the attempt that has waited longest, whose slot is returned.
    #[inline]
    pub fn disconnect(&mut self, now: Time) -> Option<u32> {
        let next = self.waiting.pop_front();
        if next.is_none() {
            if self.in_use == self.bound.most {
                self.full.leave(now);
            }
            self.in_use -= 1;
        }
        next
    }

    /// Takes the attempt in `slot` out of the line.
    pub fn give_up(&mut self, slot: u32) {
        if let Some(place) = self.waiting.iter().position(|&waiting| waiting == slot) {
            self.waiting.remove(place);
        }
    }

    /// The time for which all connections were in use.
    pub fn time_full(&self) -> &BoundClock {
        &self.full
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::time::Span;

    #[test]
    fn a_freed_connection_goes_to_the_longest_wait() {
        let one = Connections {
            most: 1,
            ..Connections::UNBOUNDED
        };
        let (mut pool, at) = (Pool::new(one), Time::from_nanos);
        assert_eq!(pool.connect(at(0)), Connected::Now);
        for slot in 2..=4 {
            assert_eq!(pool.connect(at(slot)), Connected::InLine);
            pool.stand_in_line(slot as u32);
        }
        pool.give_up(2);
        assert_eq!(pool.disconnect(at(4)), Some(3));
        assert_eq!((pool.in_use(), pool.waiting()), (1, 1));
        assert_eq!(pool.disconnect(at(5)), Some(4));
        assert_eq!(pool.disconnect(at(6)), None);
        assert_eq!((pool.in_use(), pool.time_full().total(at(9))), (0, Span::from_nanos(6)));
    }

    /// Measured on Envoy 1.40: six connections over three hosts settle 2/2/2, and a request waits at its host although others are idle.
    #[test]
    fn pools_of_one_host_each_share_the_bounds_of_their_cluster() {
        let bound = Connections { most: 6, line: 2 };
        let mut cluster = Cluster::new(bound);
        let mut pools: Vec<Pool> = (0..3).map(|_| Pool::in_cluster(bound, Some(0))).collect();
        let at = Time::from_nanos;
        for pool in &mut pools {
            assert_eq!(pool.connect_in(&mut cluster, at(0)), Connected::Now);
            assert_eq!(pool.connect_in(&mut cluster, at(0)), Connected::Now);
        }
        // All of the second and third host's are idle again; the first host's are not.
        for pool in &mut pools[1..] {
            assert_eq!(pool.disconnect_in(&mut cluster, at(1), false), None);
            assert_eq!(pool.disconnect_in(&mut cluster, at(1), false), None);
        }
        for slot in [7, 8] {
            assert_eq!(pools[0].connect_in(&mut cluster, at(2)), Connected::InLine);
            pools[0].stand_in_line(slot);
            cluster.joins_line();
        }
        // The line is the cluster's: a third one has no place in it, at whatever host; an idle connection needs none.
        assert_eq!(pools[0].connect_in(&mut cluster, at(2)), Connected::Refused);
        assert_eq!(pools[1].connect_in(&mut cluster, at(2)), Connected::Now);
        assert_eq!(pools[0].disconnect_in(&mut cluster, at(3), false), Some(7));
        pools[0].give_up(8);
        cluster.leaves_line();
        // A connection that closes leaves room for any host.
        assert_eq!(pools[0].disconnect_in(&mut cluster, at(4), true), None);
        assert_eq!(pools[1].connect_in(&mut cluster, at(5)), Connected::Now);
        assert_eq!(pools[1].connect_in(&mut cluster, at(5)), Connected::Now);
        assert_eq!(pools[1].connect_in(&mut cluster, at(5)), Connected::InLine);
    }

    #[test]
    fn a_host_without_a_connection_gets_one_beyond_the_bound() {
        let bound = Connections { most: 1, line: 0 };
        let mut cluster = Cluster::new(bound);
        let mut pools: Vec<Pool> = (0..2).map(|_| Pool::in_cluster(bound, Some(0))).collect();
        assert_eq!(pools[0].connect_in(&mut cluster, Time::ZERO), Connected::Now);
        assert_eq!(pools[1].connect_in(&mut cluster, Time::ZERO), Connected::Now);
        assert_eq!(pools[1].connect_in(&mut cluster, Time::ZERO), Connected::Refused);
    }

    #[test]
    fn a_full_line_turns_away() {
        let bound = Connections { most: 1, line: 1 };
        let mut pool = Pool::new(bound);
        assert_eq!(pool.connect(Time::ZERO), Connected::Now);
        assert_eq!(pool.connect(Time::ZERO), Connected::InLine);
        pool.stand_in_line(2);
        assert_eq!(pool.connect(Time::ZERO), Connected::Refused);
    }
}
