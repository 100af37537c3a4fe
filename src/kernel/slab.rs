//! Reusable slots that hold the requests and attempts in the system.
//!
//! A slot's number is small, stable while the slot is occupied, and reused last-in, first-out, so that recently used
//! slots stay in the cache. Memory grows with the largest number occupied at once, not with the total.

/// A growable array with a free list.
#[derive(Clone, Debug)]
pub struct Slab<T> {
    slots: Vec<T>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Slab {
            slots: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Slab<T> {
    /// Stores `value`; returns its slot.
    #[inline]
    pub fn insert(&mut self, value: T) -> u32 {
        match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = value;
                slot
            }
            None => {
                self.slots.push(value);
                (self.slots.len() - 1) as u32
            }
        }
    }

    /// Takes a slot for the caller to fill in place. It holds what was there before, or `blank` if it is new.
    #[inline]
    pub fn claim(&mut self, blank: T) -> u32 {
        match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.slots.push(blank);
                (self.slots.len() - 1) as u32
            }
        }
    }

    /// Frees `slot`, which the caller must not use again before it is handed out anew.
    #[inline]
    pub fn remove(&mut self, slot: u32) {
        self.free.push(slot);
    }

    /// How many slots are occupied.
    #[inline]
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether no slot is occupied.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The most slots that were ever occupied at once.
    pub fn peak(&self) -> usize {
        self.slots.len()
    }
}

impl<T> std::ops::Index<u32> for Slab<T> {
    type Output = T;
    #[inline]
    fn index(&self, slot: u32) -> &T {
        &self.slots[slot as usize]
    }
}

impl<T> std::ops::IndexMut<u32> for Slab<T> {
    #[inline]
    fn index_mut(&mut self, slot: u32) -> &mut T {
        &mut self.slots[slot as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_freed_slot_is_the_next_one_given() {
        let mut slab = Slab::default();
        let (a, b) = (slab.insert('a'), slab.insert('b'));
        assert_eq!((slab[a], slab[b], slab.len()), ('a', 'b', 2));
        slab.remove(a);
        assert_eq!(slab.insert('c'), a);
        assert_eq!((slab.peak(), slab.is_empty()), (2, false));
    }
}
