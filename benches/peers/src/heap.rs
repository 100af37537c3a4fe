//! A 4-ary min-heap of `u64` keys: the set of pending events of the bare router.
//!
//! Four children share one cache line of 8-byte keys, and the tree is half as deep as a binary one (LaMarca and Ladner,
//! "The influence of caches on the performance of heaps", 1996). It leaves out cancelling and changing keys.

/// Keys in heap order, the least at index 0.
pub struct Heap {
    keys: Vec<u64>,
}

impl Heap {
    /// An empty heap with room for `capacity` keys.
    pub fn with_capacity(capacity: usize) -> Heap {
        Heap {
            keys: Vec::with_capacity(capacity),
        }
    }

    /// The least key, if there is one.
    #[inline]
    pub fn peek(&self) -> Option<u64> {
        self.keys.first().copied()
    }

    /// Adds `key` to the heap.
    #[inline]
    pub fn push(&mut self, key: u64) {
        let mut hole = self.keys.len();
        self.keys.push(key);
        while hole > 0 {
            let parent = (hole - 1) / 4;
            if self.keys[parent] <= key {
                break;
            }
            self.keys[hole] = self.keys[parent];
            hole = parent;
        }
        self.keys[hole] = key;
    }

    /// Takes out the least key.
    #[inline]
    pub fn pop(&mut self) -> Option<u64> {
        let last = self.keys.pop()?;
        let Some(&least) = self.keys.first() else {
            return Some(last);
        };
        let mut hole = 0;
        loop {
            let first = 4 * hole + 1;
            let Some(child) = self.least_child(first) else {
                break;
            };
            if self.keys[child] >= last {
                break;
            }
            self.keys[hole] = self.keys[child];
            hole = child;
        }
        self.keys[hole] = last;
        Some(least)
    }

    /// The index of the least key among the up to four from `first` on.
    #[inline]
    fn least_child(&self, first: usize) -> Option<usize> {
        if let Some(&[a, b, c, d]) = self.keys.get(first..first + 4) {
            // Two independent comparisons, then one: no chain of three.
            let (left, left_at) = if b < a { (b, first + 1) } else { (a, first) };
            let (right, right_at) = if d < c { (d, first + 3) } else { (c, first + 2) };
            return Some(if right < left { right_at } else { left_at });
        }
        (first..self.keys.len()).min_by_key(|&child| self.keys[child])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_out_as_a_sort_would_put_them() {
        for size in [0_u64, 1, 2, 5, 6, 21, 1000] {
            let mut keys: Vec<u64> = (0..size).map(|i| i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56).collect();
            let mut heap = Heap::with_capacity(4);
            keys.iter().for_each(|&key| heap.push(key));
            keys.sort_unstable();
            assert_eq!(std::iter::from_fn(|| heap.pop()).collect::<Vec<_>>(), keys);
        }
    }
}
