//! How long a process remembers: the lag at which its autocorrelation falls below 1/e.
//!
//! [`Correlation`] takes the same process from several independent replications and measures the deviation of each from their mean at
//! the same time, so that neither a transient nor a daily rhythm that all have in common counts as memory, and the estimate is not
//! drawn towards 0 by the subtraction of a mean over time, as that of one series is. With x̄ the mean over n replications at a time,
//!
//! c(k) = Σ over times t of [ Σ over replications x(t)·x(t+k) − n·x̄(t)·x̄(t+k) ] / (times with a t+k)
//!
//! and the correlation at lag k is c(k) / c(0): the factor (n − 1)/n of centring is the same at every lag. The time is read off
//! between lags by a straight line. For an exponential autocorrelation it is the time constant; a queue's falls fast first and slowly later
//! (Whitt, "Planning queueing simulations", Management Science 35, 1989), so that a multiple of it has to be waited for.
//!
//! Sums are of integers: replications may be added in any order. Left out: lags beyond half of the series, of which too few
//! pairs are seen; a process that is still correlated there has no time.

/// The sums that the autocorrelation of a process is computed from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Correlation {
    replications: u64,
    /// Σ x(t) over replications, by time.
    sums: Vec<u64>,
    /// Σ x(t)·x(t + k) over replications and times, by lag.
    products: Vec<u128>,
}

impl Correlation {
    /// Adds a replication: the process at equal steps of time, as many as in the others.
    pub fn add(&mut self, series: &[u64]) {
        let lags = series.len() / 2;
        self.sums.resize(series.len(), 0);
        self.products.resize(lags, 0);
        self.replications += 1;
        for (sum, x) in self.sums.iter_mut().zip(series) {
            *sum += x;
        }
        for (lag, product) in self.products.iter_mut().enumerate() {
            let pairs = series.iter().zip(&series[lag..]);
            *product += pairs.map(|(&a, &b)| u128::from(a) * u128::from(b)).sum::<u128>();
        }
    }

    /// The correlation time in steps; 0 for a process that does not vary. `None` if it stays correlated for half of the series, or there
    /// are fewer than two replications to tell.
    pub fn time(&self) -> Option<f64> {
        let level = libm::exp(-1.0);
        if self.replications < 2 {
            return None;
        }
        let variance = self.covariance(0)?;
        if variance <= 0.0 {
            return Some(0.0);
        }
        let mut last = 1.0;
        for lag in 1..self.products.len() {
            let now = self.covariance(lag)? / variance;
            if now < level {
                return Some((lag - 1) as f64 + (last - level) / (last - now));
            }
            last = now;
        }
        None
    }

    /// The mean over times of the covariance at `lag`, times the number of replications.
    fn covariance(&self, lag: usize) -> Option<f64> {
        let pairs = self.sums.iter().zip(self.sums.get(lag..)?);
        let of_means: u128 = pairs.map(|(&a, &b)| u128::from(a) * u128::from(b)).sum();
        let (n, times) = (u128::from(self.replications), (self.sums.len() - lag) as f64);
        // Both are exact, so that a process that is the same in all replications has exactly no variance.
        let sum = (n * self.products.get(lag)?) as i128 - of_means as i128;
        Some(sum as f64 / n as f64 / times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::chance::{Chance, Purpose, unit};

    /// x(t+1) = a·x(t) + noise has the autocorrelation aᵏ: 1/e at 1 / −ln a. A rhythm and a transient in common change nothing.
    #[test]
    fn an_autoregressive_process_has_its_time_constant() {
        for (a, common) in [(0.9, 0.0), (0.8, 0.0), (0.9, 500.0)] {
            let mut it = Correlation::default();
            for replication in 0..400 {
                let key = |t: usize| Chance::new(7, replication).request(t as u64);
                let mut x = 0.0;
                let mut series = Vec::new();
                for t in 0..420 {
                    x = a * x + unit(key(t).draw(Purpose::Gap)) - 0.5;
                    if t >= 300 {
                        let both = common * ((t % 24) as f64 + 1000.0 / (t as f64 - 299.0));
                        series.push((10_000.0 + 1000.0 * x + both) as u64);
                    }
                }
                it.add(&series);
            }
            let (found, true_time) = (it.time().unwrap(), -1.0 / libm::log(a));
            assert!((found / true_time - 1.0).abs() < 0.1, "{a}: {found} for {true_time}");
        }
    }

    #[test]
    fn what_does_not_vary_forgets_at_once_and_a_drift_never() {
        let mut constant = Correlation::default();
        let mut drifts = Correlation::default();
        for replication in 0..3u64 {
            constant.add(&[7; 20]);
            drifts.add(&(0..20).map(|t| t * replication).collect::<Vec<_>>());
        }
        assert_eq!((constant.time(), drifts.time()), (Some(0.0), None));
        let mut alone = Correlation::default();
        alone.add(&[1, 2, 3, 4]);
        assert_eq!(alone.time(), None);
    }
}
