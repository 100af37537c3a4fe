//! Latencies of one sampling window, in the bins of Envoy's histogram (circllhist): two decimal digits, and a quantile
//! interpolated within its bin.

/// The bins of a decade, and the decades from 1 µs to 100 hours.
const DECADE: usize = 90;
const DECADES: usize = 12;

/// A histogram of whole microseconds.
#[derive(Clone, Debug)]
pub(super) struct Latencies {
    bins: Box<[u32]>,
    count: u32,
    /// The first and the last bin in use: none if the first lies above the last.
    first: usize,
    last: usize,
}

impl Latencies {
    pub(super) fn new() -> Latencies {
        Latencies {
            bins: vec![0; DECADE * DECADES].into_boxed_slice(),
            count: 0,
            first: usize::MAX,
            last: 0,
        }
    }

    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// Counts `micros`; 0 counts as 1, and what lasts longer than the last bin falls into that.
    #[inline]
    pub(super) fn add(&mut self, micros: u64) {
        let (mut decade, mut power) = (0, 1);
        while decade + 1 < DECADES && micros >= power * 10 {
            power *= 10;
            decade += 1;
        }
        let tenths = u128::from(micros.max(1)) * 10 / u128::from(power);
        let bin = decade * DECADE + (tenths.clamp(10, 99) as usize - 10);
        self.bins[bin] = self.bins[bin].saturating_add(1);
        self.count = self.count.saturating_add(1);
        self.first = self.first.min(bin);
        self.last = self.last.max(bin);
    }

    /// The `q`-quantile in whole microseconds, at least 1; `None` if there are no latencies.
    pub(super) fn quantile(&self, q: f64) -> Option<u64> {
        if self.count == 0 {
            return None;
        }
        let wanted = q * f64::from(self.count);
        let (mut below, mut bin) = (0.0, self.first);
        let mut upto = f64::from(self.bins[bin]);
        while bin < self.last && upto < wanted {
            bin += 1;
            below = upto;
            upto += f64::from(self.bins[bin]);
        }
        let mut width = 0.1;
        for _ in 0..bin / DECADE {
            width *= 10.0;
        }
        let left = width * (bin % DECADE + 10) as f64;
        let within = if upto > below {
            (wanted - below) / (upto - below)
        } else {
            0.0
        };
        // Powers of ten from 0.1 on are a hair off: a whole number may not lose its last unit for that.
        Some((left + within * width + 1e-6) as u64)
    }

    pub(super) fn clear(&mut self) {
        if self.count > 0 {
            self.bins[self.first..=self.last].fill(0);
        }
        self.count = 0;
        self.first = usize::MAX;
        self.last = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: ten of 1,234 µs are in [1200, 1300), whose middle is their median; one of 5 s on top moves it to 11/20.
    #[test]
    fn a_quantile_lies_within_its_bin() {
        let mut it = Latencies::new();
        assert_eq!(it.quantile(0.5), None);
        (0..10).for_each(|_| it.add(1_234));
        assert_eq!(it.quantile(0.5), Some(1_250));
        it.add(5_000_000);
        assert_eq!((it.quantile(0.5), it.quantile(1.0)), (Some(1_255), Some(5_100_000)));
        it.clear();
        assert_eq!((it.count(), it.quantile(0.5)), (0, None));
        it.add(0);
        it.add(u64::MAX);
        assert_eq!(it.quantile(0.25), Some(1));
    }
}
