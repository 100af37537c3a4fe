//! Lists put in order, by one copy of the sort for all types.
//!
//! The standard library's stable sort is some five kilobytes of program for every type and comparison that it is used with, and
//! forty lists that are sorted once a report do not need forty of them. These sort positions, through a reference to the comparison,
//! and then move the elements: slower, by a small factor, than what they stand for. What is sorted often, or is long, uses
//! the standard library.

use std::cmp::Ordering;
use std::collections::BTreeMap;

/// Puts `items` in the order of `compare`; those that compare equal stay as they are to each other.
pub fn by<T>(items: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    let mut places: Vec<usize> = (0..items.len()).collect();
    sort(&mut places, &|a, b| compare(&items[a], &items[b]));
    // `places[i]` is where the element for `i` is; each cycle of these moves is gone round once.
    for first in 0..items.len() {
        let mut to = first;
        while places[to] != first {
            let from = std::mem::replace(&mut places[to], to);
            items.swap(to, from);
            to = from;
        }
        places[to] = to;
    }
}

/// Puts `items` in the order of their `key`; those of the same key stay as they are to each other.
pub fn by_key<T, K: Ord>(items: &mut [T], key: impl Fn(&T) -> K) {
    by(items, |a, b| key(a).cmp(&key(b)));
}

/// A map of `pairs`, put in one after the other; of pairs with one key the last stays. To collect them would sort them first.
pub fn map<K: Ord, V>(pairs: impl Iterator<Item = (K, V)>) -> BTreeMap<K, V> {
    let mut map = BTreeMap::new();
    map.extend(pairs);
    map
}

/// The one copy.
fn sort(places: &mut [usize], compare: &dyn Fn(usize, usize) -> Ordering) {
    places.sort_by(|&a, &b| compare(a, b));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_the_order_of_the_standard_library(given in prop::collection::vec((0_u8..9, any::<u16>()), 0..200)) {
            let (mut ours, mut theirs) = (given.clone(), given);
            by_key(&mut ours, |&(key, _)| key);
            theirs.sort_by_key(|&(key, _)| key);
            prop_assert_eq!(&ours, &theirs);
            by(&mut ours, |a, b| b.1.cmp(&a.1));
            theirs.sort_by_key(|&(_, second)| std::cmp::Reverse(second));
            prop_assert_eq!(ours, theirs);
        }
    }
}
