//! What a client keeps for each provider: its breaker, and its connections.
//!
//! A host has a bounded pool of connections, one held for each attempt from when it is sent until it ends. Whoever finds
//! none free waits in line, first come first served, as the pools of aiohttp (`limit_per_host`) and httpx do.
//! The breaker is asked before the wait and not again after it: a call in line goes even if the breaker has opened.

use std::collections::VecDeque;

use super::breaker::Breaker;
use super::gate::BoundClock;
use crate::kernel::time::Time;

/// A provider, seen from the client.
#[derive(Debug)]
pub struct Host {
    /// Its breaker.
    pub breaker: Box<dyn Breaker>,
    connections: u32,
    in_use: u32,
    waiting: VecDeque<u32>,
    full: BoundClock,
}

impl Host {
    /// A host with all of its `connections` free; `u32::MAX` for no bound.
    pub fn new(breaker: Box<dyn Breaker>, connections: u32) -> Host {
        Host {
            breaker,
            connections,
            in_use: 0,
            waiting: VecDeque::new(),
            full: BoundClock::default(),
        }
    }

    /// Whether its breaker lets a call through.
    #[inline]
    pub fn is_open_to_calls(&self, now: Time) -> bool {
        self.breaker.permits(now)
    }

    /// Attempts under way.
    #[inline]
    pub fn in_use(&self) -> u32 {
        self.in_use
    }

    /// Requests that wait for a connection.
    #[inline]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The most attempts at once; `u32::MAX` for no bound.
    pub fn connections(&self) -> u32 {
        self.connections
    }

    /// Takes a connection for the request in `slot`, or puts it in line. Returns whether it got one.
    #[inline]
    pub fn connect(&mut self, now: Time, slot: u32) -> bool {
        if self.in_use < self.connections {
            self.in_use += 1;
            if self.in_use == self.connections {
                self.full.enter(now);
            }
            true
        } else {
            self.waiting.push_back(slot);
            false
        }
    }

    /// Gives a connection back. It goes to whoever waits longest, whose slot is returned.
    #[inline]
    pub fn disconnect(&mut self, now: Time) -> Option<u32> {
        let next = self.waiting.pop_front();
        if next.is_none() {
            if self.in_use == self.connections {
                self.full.leave(now);
            }
            self.in_use -= 1;
        }
        next
    }

    /// The request in `slot` no longer waits.
    pub fn give_up(&mut self, slot: u32) {
        if let Some(place) = self.waiting.iter().position(|&waiting| waiting == slot) {
            self.waiting.remove(place);
        }
    }

    /// How long all connections were in use.
    pub fn time_full(&self) -> &BoundClock {
        &self.full
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::breaker::BreakerSpec;
    use crate::kernel::time::Span;

    #[test]
    fn a_freed_connection_goes_to_the_longest_wait() {
        let breaker = BreakerSpec::default().as_dyn().build().unwrap();
        let (mut host, at) = (Host::new(breaker, 1), Time::from_nanos);
        assert!(host.connect(at(0), 1));
        assert!(!host.connect(at(1), 2) && !host.connect(at(2), 3) && !host.connect(at(3), 4));
        host.give_up(2);
        assert_eq!(host.disconnect(at(4)), Some(3));
        assert_eq!((host.in_use(), host.waiting()), (1, 1));
        assert_eq!(host.disconnect(at(5)), Some(4));
        assert_eq!(host.disconnect(at(6)), None);
        assert_eq!((host.in_use(), host.time_full().total(at(9))), (0, Span::from_nanos(6)));
    }
}
