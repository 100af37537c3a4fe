//! A least-recently-used order over small integers.
//!
//! A doubly linked list in an array, with one link for each number: every operation takes constant time, nothing is
//! hashed, and memory grows with the largest number ever used.

/// The link past either end of the list, and of a number that is not in it.
const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Link {
    newer: u32,
    older: u32,
    listed: bool,
}

const OUT: Link = Link {
    newer: NONE,
    older: NONE,
    listed: false,
};

/// Numbers below 2³² − 1 in the order of their last use.
#[derive(Clone, Debug)]
pub struct Lru {
    links: Vec<Link>,
    newest: u32,
    oldest: u32,
    len: usize,
}

impl Default for Lru {
    fn default() -> Self {
        Lru {
            links: Vec::new(),
            newest: NONE,
            oldest: NONE,
            len: 0,
        }
    }
}

impl Lru {
    /// An empty list with room for the numbers below `end`.
    pub fn below(end: u32) -> Lru {
        Lru {
            links: vec![OUT; end as usize],
            ..Lru::default()
        }
    }

    /// How many numbers are in the list.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the list is empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether `number` is in the list.
    #[inline]
    pub fn contains(&self, number: u32) -> bool {
        self.links.get(number as usize).is_some_and(|link| link.listed)
    }

    /// Marks `number` as the most recently used, and adds it if it was not in the list.
    #[inline]
    pub fn touch(&mut self, number: u32) {
        if self.newest == number {
            return;
        }
        if !self.remove(number) && self.links.len() <= number as usize {
            self.links.resize(number as usize + 1, OUT);
        }
        self.links[number as usize] = Link {
            newer: NONE,
            older: self.newest,
            listed: true,
        };
        match self.links.get_mut(self.newest as usize) {
            Some(before) => before.newer = number,
            None => self.oldest = number,
        }
        self.newest = number;
        self.len += 1;
    }

    /// Removes `number`. Returns whether it was in the list.
    pub fn remove(&mut self, number: u32) -> bool {
        if !self.contains(number) {
            return false;
        }
        let Link { newer, older, .. } = self.links[number as usize];
        match self.links.get_mut(newer as usize) {
            Some(link) => link.older = older,
            None => self.newest = older,
        }
        match self.links.get_mut(older as usize) {
            Some(link) => link.newer = newer,
            None => self.oldest = newer,
        }
        self.links[number as usize] = OUT;
        self.len -= 1;
        true
    }

    /// The least recently used number.
    #[inline]
    pub fn oldest(&self) -> Option<u32> {
        (self.oldest != NONE).then_some(self.oldest)
    }

    /// Removes and returns the least recently used number.
    #[inline]
    pub fn pop_oldest(&mut self) -> Option<u32> {
        let oldest = self.oldest;
        self.remove(oldest).then_some(oldest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Against a list that is searched from end to end.
        #[test]
        fn it_is_the_list_that_is_searched(steps in proptest::collection::vec((0_u8..4, 0_u32..12), 0..200)) {
            let (mut lru, mut list) = (Lru::default(), Vec::new());
            for (what, number) in steps {
                prop_assert_eq!(lru.oldest(), list.first().copied());
                match what {
                    0 => prop_assert_eq!(lru.pop_oldest(), (!list.is_empty()).then(|| list.remove(0))),
                    1 => {
                        prop_assert_eq!(lru.remove(number), list.contains(&number));
                        list.retain(|&n| n != number);
                    }
                    _ => {
                        lru.touch(number);
                        list.retain(|&n| n != number);
                        list.push(number);
                    }
                }
                prop_assert_eq!((lru.len(), lru.is_empty()), (list.len(), list.is_empty()));
                prop_assert!((0..12).all(|n| lru.contains(n) == list.contains(&n)));
            }
        }
    }
}
