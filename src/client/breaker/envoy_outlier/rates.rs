//! The rules of outlier detection that look at rates, at each interval: hosts whose success rate lies far below the others', and hosts that
//! fail in too many of their calls.

use super::{Host, Rules, Running};
use crate::kernel::time::Time;

/// What makes rates comparable: enough hosts with enough calls each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Volume {
    pub(super) hosts: usize,
    pub(super) calls: u32,
}

/// Calls of an interval, and those that went well.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rate {
    calls: u32,
    successes: u32,
}

impl Rate {
    pub(super) fn add(&mut self, success: bool) {
        self.calls = self.calls.saturating_add(1);
        self.successes = self.successes.saturating_add(u32::from(success));
    }

    /// The success rate in percent, as Envoy's sums are.
    fn percent(self) -> f64 {
        f64::from(self.successes) * 100.0 / f64::from(self.calls)
    }
}

impl Running {
    /// Applies the two rules of rates.
    pub(super) fn look_at(&mut self, kind: usize, at: Time) {
        let Rules {
            success_rate,
            failure_percentage,
            ..
        } = self.rules;
        let n = self.hosts.len();
        if n < success_rate.hosts && n < failure_percentage.hosts {
            return;
        }
        // A host that is ejected on the way was still in when the rules looked.
        let comparable = |it: &Host, calls: u32| !it.ejected && it.last[kind].calls >= calls.max(1);
        let (mut hosts, mut sum) = (0_usize, 0.0);
        for it in self.hosts.iter().filter(|it| comparable(it, success_rate.calls)) {
            hosts += 1;
            sum += it.last[kind].percent();
        }
        let judged = (self.hosts.iter()).filter(|it| comparable(it, failure_percentage.calls));
        let judges = judged.count() >= failure_percentage.hosts.max(1);
        if hosts >= success_rate.hosts.max(1) {
            let mean = sum / hosts as f64;
            let squares = (self.hosts.iter())
                .filter(|it| comparable(it, success_rate.calls))
                .map(|it| (it.last[kind].percent() - mean) * (it.last[kind].percent() - mean));
            let stdev = (squares.sum::<f64>() / hosts as f64).sqrt();
            let threshold = mean - self.rules.stdev_factor * stdev;
            for host in 0..n {
                let it = &self.hosts[host];
                if comparable(it, success_rate.calls) && it.last[kind].percent() < threshold {
                    self.found(host, at, self.rules.enforcing_success_rate[kind]);
                }
            }
        }
        if judges {
            for host in 0..n {
                let it = &self.hosts[host];
                let failed = 100.0
                    - if it.last[kind].calls == 0 {
                        100.0
                    } else {
                        it.last[kind].percent()
                    };
                if comparable(it, failure_percentage.calls) && failed >= 100.0 * self.rules.failure_threshold {
                    self.found(host, at, self.rules.enforcing_failure_percentage[kind]);
                }
            }
        }
    }
}
