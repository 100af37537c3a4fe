//! The event set: what happens next, earliest first, equal times in the order in which they were scheduled.
//!
//! A 4-ary heap of 16-byte keys (time, serial number, payload), so that an event is moved whole and never looked up.
//! Nothing is ever cancelled: the code that schedules keeps one pending event per subject and takes the earlier of two
//! ends beforehand. Arrivals do not belong here: they come sorted, and the engine merges them by a cursor, which halves
//! the heap's work.
//!
//! The order is total: time, then serial number. Serial numbers have 36 bits; after 2³⁶ events in one replication
//! ties would be broken the other way round once, still the same way on every machine.

use super::time::Time;

const PAYLOAD_BITS: u32 = 28;
const SERIAL_MASK: u64 = (1 << (64 - PAYLOAD_BITS)) - 1;
const ARITY: usize = 4;

/// The largest payload an event can carry.
pub const MAX_PAYLOAD: u32 = (1 << PAYLOAD_BITS) - 1;

/// Pending events, each a time and a 28-bit payload.
#[derive(Clone, Debug, Default)]
pub struct EventQueue {
    heap: Vec<u128>,
    serial: u64,
}

impl EventQueue {
    /// An empty queue with room for `capacity` pending events before it allocates.
    pub fn with_capacity(capacity: usize) -> EventQueue {
        EventQueue {
            heap: Vec::with_capacity(capacity),
            serial: 0,
        }
    }

    /// How many events are pending.
    #[inline]
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether nothing is pending.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// When the next event is due, or [`Time::NEVER`].
    #[inline]
    pub fn next_time(&self) -> Time {
        self.heap.first().map_or(Time::NEVER, |&key| time_of(key))
    }

    /// Schedules an event. O(log n), constant on average for times drawn near the end of the queue.
    ///
    /// `payload` must not exceed [`MAX_PAYLOAD`]; higher bits are lost (and caught in debug builds).
    #[inline]
    pub fn push(&mut self, at: Time, payload: u32) {
        debug_assert!(payload <= MAX_PAYLOAD, "payload {payload} does not fit");
        let low = ((self.serial & SERIAL_MASK) << PAYLOAD_BITS) | u64::from(payload & MAX_PAYLOAD);
        self.serial = self.serial.wrapping_add(1);
        let key = (u128::from(at.nanos()) << 64) | u128::from(low);
        self.heap.push(key);
        sift_up(&mut self.heap, key);
    }

    /// Takes the earliest event. O(log n).
    #[inline]
    pub fn pop(&mut self) -> Option<(Time, u32)> {
        let last = self.heap.pop()?;
        let earliest = match self.heap.first() {
            None => last,
            Some(&top) => {
                sift_down(&mut self.heap, last);
                top
            }
        };
        Some((time_of(earliest), earliest as u32 & MAX_PAYLOAD))
    }
}

#[inline]
fn time_of(key: u128) -> Time {
    Time::from_nanos((key >> 64) as u64)
}

/// Moves `key`, which belongs into the last place, towards the root until its parent is smaller.
#[inline]
fn sift_up(heap: &mut [u128], key: u128) {
    let mut hole = heap.len() - 1;
    while hole > 0 {
        let parent = (hole - 1) / ARITY;
        if heap[parent] <= key {
            break;
        }
        heap[hole] = heap[parent];
        hole = parent;
    }
    heap[hole] = key;
}

/// Puts `key` in the place of the root, and moves it down until all its children are larger.
#[inline]
fn sift_down(heap: &mut [u128], key: u128) {
    let len = heap.len();
    let mut hole = 0;
    loop {
        let first = hole * ARITY + 1;
        let (child, smallest) = if let Some(&[a, b, c, d]) = heap.get(first..first + ARITY) {
            // A tournament of four without branches that depend on the data.
            let (i, left) = if b < a { (1, b) } else { (0, a) };
            let (j, right) = if d < c { (3, d) } else { (2, c) };
            if right < left {
                (first + j, right)
            } else {
                (first + i, left)
            }
        } else if first < len {
            let mut best = (first, heap[first]);
            for (i, &other) in heap.iter().enumerate().skip(first + 1) {
                if other < best.1 {
                    best = (i, other);
                }
            }
            best
        } else {
            break;
        };
        if key <= smallest {
            break;
        }
        heap[hole] = smallest;
        hole = child;
    }
    heap[hole] = key;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Against a stable sort: the definition of "earliest first, ties in order of scheduling".
        #[test]
        fn events_leave_in_order_of_time_then_of_scheduling(times in prop::collection::vec(0u64..50, 0..200)) {
            let mut queue = EventQueue::default();
            for (i, &t) in times.iter().enumerate() {
                queue.push(Time::from_nanos(t), i as u32);
            }
            let mut expected: Vec<(u64, u32)> = times.iter().enumerate().map(|(i, &t)| (t, i as u32)).collect();
            expected.sort_by_key(|&(t, _)| t);
            let left: Vec<_> = std::iter::from_fn(|| queue.pop()).map(|(t, p)| (t.nanos(), p)).collect();
            prop_assert_eq!(left, expected);
        }

        /// Pushes between pops, as a simulation makes them: never back in time.
        #[test]
        fn time_never_goes_backwards(delays in prop::collection::vec((0u64..1000, any::<bool>()), 1..300)) {
            let mut queue = EventQueue::with_capacity(4);
            let mut now = Time::ZERO;
            for (delay, take) in delays {
                queue.push(Time::from_nanos(now.nanos() + delay), 1);
                if take {
                    let (t, _) = queue.pop().ok_or(TestCaseError::fail("a pushed event is there"))?;
                    prop_assert!(t >= now);
                    now = t;
                }
            }
        }
    }

    #[test]
    fn an_empty_queue_has_no_next_time() {
        let mut queue = EventQueue::default();
        assert_eq!((queue.next_time(), queue.pop()), (Time::NEVER, None));
        queue.push(Time::from_nanos(3), MAX_PAYLOAD);
        assert_eq!((queue.len(), queue.next_time()), (1, Time::from_nanos(3)));
        assert_eq!(queue.pop(), Some((Time::from_nanos(3), MAX_PAYLOAD)));
        assert!(queue.is_empty());
    }
}
