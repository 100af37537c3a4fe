//! A histogram in a file: its exact sum, its maximum, and the buckets that hold something as pairs of (how many buckets after
//! the last one, count).
//!
//! Neighbouring buckets are mostly filled together, so the distances are small numbers, which a format with variable-length
//! integers writes in a byte. The number of values is not written: it is the sum of the counts.

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};

use super::{BUCKETS, Histogram, index_of};

/// Sum, maximum, and for each bucket that holds something its distance from the one before (from the first bucket, of the
/// first) and its count.
type Written = (u128, u64, Vec<(u32, u64)>);

impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut last = 0;
        let steps = self.filled().map(|(index, n)| {
            let step = (index - last) as u32;
            last = index;
            (step, n)
        });
        let written: Written = (self.sum, self.max, steps.collect());
        written.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Histogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Histogram, D::Error> {
        let (sum, max, mut buckets) = Written::deserialize(deserializer)?;
        let (mut count, mut index) = (0_u64, 0_usize);
        for (i, (step, n)) in buckets.iter_mut().enumerate() {
            if (i > 0 && *step == 0) || *n == 0 {
                return Err(D::Error::custom(
                    "a histogram with a bucket that comes twice, or is empty",
                ));
            }
            index = index.saturating_add(*step as usize);
            count = count
                .checked_add(*n)
                .filter(|_| index < BUCKETS)
                .ok_or_else(|| D::Error::custom("a histogram with more buckets or values than there can be"))?;
            *step = index as u32;
        }
        if count > 0 && index != index_of(max) {
            return Err(D::Error::custom("a histogram whose maximum is not in its last bucket"));
        }
        Ok(Histogram {
            counts: Vec::new(),
            packed: buckets,
            count,
            sum,
            max,
        })
    }
}
