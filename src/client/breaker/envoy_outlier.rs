//! Envoy's outlier detection: hosts that do badly are ejected for a time, but never too many of them.
//!
//! Rules at each answer: `consecutive_5xx`, and `consecutive_gateway_failure` (502, 503, 504), both of answers in a row. Timeouts count as a
//! 504, a connection that fails or breaks off as a 503; with `split_external_local_origin_errors` these have counters of their own
//! (`consecutive_local_origin_failure`), and a call that was connected and then timed out is first a success there and then a failure.
//! A 429 is an answer like any other below 500: **rate limiting is never seen**. What the client ends by itself counts for nothing.
//!
//! Rules at each `interval`, of the calls since the last: among at least `success_rate_minimum_hosts` hosts not ejected with
//! `success_rate_request_volume` calls each, those below mean − `success_rate_stdev_factor`/1000 standard deviations; and where there are
//! `failure_percentage_minimum_hosts` with `failure_percentage_request_volume` calls, those that fail in `failure_percentage_threshold` of them.
//!
//! A host that a rule finds is ejected with the probability `enforcing_…`, unless more than `max_ejection_percent` of
//! the hosts would then be out. **With the 10 % of the default no host of a fleet below ten is ever ejected**, as in
//! Envoy since 1.27; before it was one at least: `always_eject_one_host`. It is out for `base_ejection_time` × the
//! number of its ejections so far (which falls by one with each interval it stays in), at most `max_ejection_time`,
//! plus jitter, and comes back at the first interval after that with its counters of answers in a row at zero. There is
//! no half-open.
//!
//! Panic: if less than `panic_threshold` of the hosts of a level are in, and the levels together cannot take all calls, those that come
//! to the level go to all of its hosts. A level can take a share of `overprovisioning` × the share of its hosts that are in, at most
//! all; without `levels` there is one. Ejected time goes on in the figures.
//!
//! The cluster is the whole fleet, whatever its fallback groups are.
//!
//! Source: `source/common/upstream/outlier_detection_impl.cc` (2024), `outlier_detection.proto`. Left out: active health checks and
//! extensions.
//!
//! ```json
//! { "envoy_outlier": { "consecutive_5xx": 5, "max_ejection_percent": "50%" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod levels;
mod rates;

use levels::Levels;
use rates::{Rate, Volume};

use super::openings::{Openings, Seen, over_openings};
use super::{BuildBreaker, FleetBreaker, Guard, Ticket};
use crate::form::build::{Built, Names, Refusal};
use crate::form::units::{Duration, Fraction};
use crate::kernel::chance::{Key, Purpose, index, unit};
use crate::kernel::time::{Span, Time};
use crate::words::{Ended, Outcome, Outcomes};

/// Envoy's outlier detection: ejection of hosts that do badly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EnvoyOutlier {
    /// The number of 5xx in a row that ejects a host; 0: never. Default: 5.
    pub consecutive_5xx: u32,
    /// The number of 502, 503 and 504 in a row that ejects a host; 0: never. Default: 5.
    pub consecutive_gateway_failure: u32,
    /// The number of failures in a row before an answer that ejects a host, if these are split off; 0: never. Default:
    /// 5.
    pub consecutive_local_origin_failure: u32,
    /// Whether failures before an answer are counted apart. Default: false.
    pub split_external_local_origin_errors: bool,
    /// The time between evaluations of the rates, at which hosts also come back; at least 1ms. Default: 10s.
    pub interval: Duration,
    /// The length of a host's first ejection. Default: 30s.
    pub base_ejection_time: Duration,
    /// The longest ejection, before jitter. Default: 300s, or `base_ejection_time` if that is longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_ejection_time: Option<Duration>,
    /// The largest random addition to an ejection, in whole milliseconds. Default: 0s.
    pub max_ejection_time_jitter: Duration,
    /// The largest share of hosts ejected at once. Default: 10%.
    pub max_ejection_percent: Fraction,
    /// Whether one host may be ejected however small that share is. Default: false.
    pub always_eject_one_host: bool,
    /// The number of hosts with enough calls that makes success rates comparable. Default: 5.
    pub success_rate_minimum_hosts: u32,
    /// The calls in an interval from which on a host's success rate counts. Default: 100.
    pub success_rate_request_volume: u32,
    /// The standard deviations below the mean at which a host is ejected, in thousandths. Default: 1900.
    pub success_rate_stdev_factor: u32,
    /// The share of failures at which a host is ejected. Default: 85%.
    pub failure_percentage_threshold: Fraction,
    /// The number of hosts with enough calls from which on `failure_percentage_threshold` applies. Default: 5.
    pub failure_percentage_minimum_hosts: u32,
    /// The calls in an interval from which on a host's failure percentage counts. Default: 50.
    pub failure_percentage_request_volume: u32,
    /// The probability that `consecutive_5xx` ejects. Default: 100%.
    pub enforcing_consecutive_5xx: Fraction,
    /// The probability that `consecutive_gateway_failure` ejects. Default: 0%.
    pub enforcing_consecutive_gateway_failure: Fraction,
    /// The probability that `consecutive_local_origin_failure` ejects. Default: 100%.
    pub enforcing_consecutive_local_origin_failure: Fraction,
    /// The probability that a low success rate ejects. Default: 100%.
    pub enforcing_success_rate: Fraction,
    /// The probability that a low success rate before an answer ejects, if these are split off. Default: 100%.
    pub enforcing_local_origin_success_rate: Fraction,
    /// The probability that a high failure percentage ejects. Default: 0%.
    pub enforcing_failure_percentage: Fraction,
    /// The probability that a high failure percentage before an answer ejects, if these are split off. Default: 0%.
    pub enforcing_failure_percentage_local_origin: Fraction,
    /// The share of hosts in below which calls go to all; 0%: never. Default: 50%.
    pub panic_threshold: Fraction,
    /// The hosts by priority, lowest first, as the policy `priority` has them: panic is looked at by level. Default: all on one level.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<Vec<String>>,
    /// The factor by which the hosts of a level are more than it needs, 1 to 100: Envoy's `overprovisioning_factor` / 100. Default: 1.4.
    #[schemars(range(min = 1, max = 100))]
    pub overprovisioning: f64,
}

impl Default for EnvoyOutlier {
    fn default() -> Self {
        let share = |value| Fraction::new(value).unwrap_or_default();
        let secs = |n| Duration::from(Span::from_secs(n));
        EnvoyOutlier {
            consecutive_5xx: 5,
            consecutive_gateway_failure: 5,
            consecutive_local_origin_failure: 5,
            split_external_local_origin_errors: false,
            interval: secs(10),
            base_ejection_time: secs(30),
            max_ejection_time: None,
            max_ejection_time_jitter: secs(0),
            max_ejection_percent: share(0.1),
            always_eject_one_host: false,
            success_rate_minimum_hosts: 5,
            success_rate_request_volume: 100,
            success_rate_stdev_factor: 1900,
            failure_percentage_threshold: share(0.85),
            failure_percentage_minimum_hosts: 5,
            failure_percentage_request_volume: 50,
            enforcing_consecutive_5xx: Fraction::ONE,
            enforcing_consecutive_gateway_failure: Fraction::ZERO,
            enforcing_consecutive_local_origin_failure: Fraction::ONE,
            enforcing_success_rate: Fraction::ONE,
            enforcing_local_origin_success_rate: Fraction::ONE,
            enforcing_failure_percentage: Fraction::ZERO,
            enforcing_failure_percentage_local_origin: Fraction::ZERO,
            panic_threshold: share(0.5),
            levels: Vec::new(),
            overprovisioning: 1.4,
        }
    }
}

/// The value of Envoy's `DEFAULT_MAX_EJECTION_TIME_MS`.
const MAX_EJECTION: Span = Span::from_secs(300);
/// The longest jitter, so that its milliseconds are drawn without bias.
const MAX_JITTER: Span = Span::from_secs(86_400);

impl BuildBreaker for EnvoyOutlier {
    fn build(&self, names: &Names<'_>) -> Built<Guard> {
        let (interval, base) = (self.interval.span(), self.base_ejection_time.span());
        if interval < Span::from_millis(1) {
            let text = format!("interval is {interval}, and must be at least 1ms");
            return Err(Refusal::new(text).at("interval"));
        }
        let longest = (self.max_ejection_time).map_or(MAX_EJECTION.max(base), |d| d.span());
        if longest < base {
            let text = format!("{longest} is less than base_ejection_time, which is {base}");
            return Err(Refusal::new(text).at("max_ejection_time"));
        }
        let jitter = self.max_ejection_time_jitter.span();
        if jitter > MAX_JITTER {
            let text = format!("a jitter of {jitter}: must not exceed {MAX_JITTER}");
            return Err(Refusal::new(text).at("max_ejection_time_jitter"));
        }
        let levels = Levels::new(&self.levels, self.overprovisioning, names)?;
        Ok(Guard::Fleet(Box::new(Running {
            levels,
            rules: Rules {
                in_a_row: [
                    (self.consecutive_5xx, self.enforcing_consecutive_5xx.get()),
                    (
                        self.consecutive_gateway_failure,
                        self.enforcing_consecutive_gateway_failure.get(),
                    ),
                    (
                        self.consecutive_local_origin_failure,
                        self.enforcing_consecutive_local_origin_failure.get(),
                    ),
                ],
                split: self.split_external_local_origin_errors,
                interval,
                base,
                longest,
                jitter,
                most_out: self.max_ejection_percent.get(),
                always_one: self.always_eject_one_host,
                success_rate: Volume {
                    hosts: self.success_rate_minimum_hosts as usize,
                    calls: self.success_rate_request_volume,
                },
                stdev_factor: f64::from(self.success_rate_stdev_factor) / 1000.0,
                failure_percentage: Volume {
                    hosts: self.failure_percentage_minimum_hosts as usize,
                    calls: self.failure_percentage_request_volume,
                },
                failure_threshold: self.failure_percentage_threshold.get(),
                enforcing_success_rate: [
                    self.enforcing_success_rate.get(),
                    self.enforcing_local_origin_success_rate.get(),
                ],
                enforcing_failure_percentage: [
                    self.enforcing_failure_percentage.get(),
                    self.enforcing_failure_percentage_local_origin.get(),
                ],
                panic: self.panic_threshold.get(),
            },
            own: None,
            hosts: vec![Host::default(); names.providers.len()],
            out: 0,
            next_sweep: Time::ZERO + interval,
        })))
    }

    fn caution(&self, providers: usize) -> Option<String> {
        // The share that `found` computes for the first host to be ejected.
        let one = 100.0 / providers as f64;
        let may = one <= 100.0 * self.max_ejection_percent.get() || self.always_eject_one_host;
        (!may).then(|| {
            let tenths = |percent: f64| (percent * 10.0).round() / 10.0;
            let (one, most) = (tenths(one), tenths(100.0 * self.max_ejection_percent.get()));
            format!(
                "envoy_outlier can never eject a provider: one of {providers} providers is {one}% of them, and max_ejection_percent is {most}%; \
                 raise it, or set always_eject_one_host"
            )
        })
    }
}

#[derive(Clone, Copy, Debug)]
struct Rules {
    /// The limits for 5xx, gateway failures and local ones: the number in a row, and the probability that it ejects.
    in_a_row: [(u32, f64); 3],
    split: bool,
    interval: Span,
    base: Span,
    longest: Span,
    jitter: Span,
    most_out: f64,
    always_one: bool,
    success_rate: Volume,
    stdev_factor: f64,
    failure_percentage: Volume,
    failure_threshold: f64,
    /// The probabilities for answers, and for what happens before them.
    enforcing_success_rate: [f64; 2],
    enforcing_failure_percentage: [f64; 2],
    panic: f64,
}

/// Places of [`Rules::in_a_row`].
const SERVER: usize = 0;
const GATEWAY: usize = 1;
const LOCAL: usize = 2;
/// Places of [`Host::rates`].
const ANSWERS: usize = 0;
const BEFORE: usize = 1;

#[derive(Clone, Debug)]
struct Running {
    rules: Rules,
    levels: Levels,
    own: Option<Key>,
    hosts: Vec<Host>,
    /// The number of hosts that are ejected.
    out: usize,
    next_sweep: Time,
}

#[derive(Clone, Copy, Debug, Default)]
struct Host {
    in_a_row: [u32; 3],
    /// The rates of this interval, for answers and for what happens before them; `last` are those of the interval
    /// before.
    rates: [Rate; 2],
    last: [Rate; 2],
    ejected: bool,
    openings: Openings,
    /// The multiple of the base by which the host's next ejection is longer.
    multiplier: u64,
    back_since: Time,
    /// The number of times that a rule has found the host.
    found: u64,
}

/// The failures before or instead of an answer: no connection, or one that broke.
const UNCONNECTED: Outcomes = Outcomes::of(&[Outcome::ConnectionError, Outcome::TimeoutConnect, Outcome::Truncated]);

impl Rules {
    /// The first sweep not before `at`.
    fn sweep_after(&self, at: Time) -> Time {
        let interval = self.interval.nanos();
        Time::from_nanos(at.nanos().div_ceil(interval).saturating_mul(interval))
    }
}

impl Running {
    /// A rule has found `host` at `now`: it is ejected if that is enforced and not too many are out.
    fn found(&mut self, host: usize, now: Time, enforcing: f64) {
        let percent = 100.0 * (self.out + 1) as f64 / self.hosts.len() as f64;
        let few = percent <= 100.0 * self.rules.most_out || (self.rules.always_one && self.out == 0);
        let it = &mut self.hosts[host];
        it.found += 1;
        let draw = |n: u64| match self.own {
            Some(own) => own.part(host as u64 + 1).part(2 * it.found + n).draw(Purpose::Eject),
            None => 0,
        };
        if it.ejected || !few || unit(draw(0)) >= enforcing {
            return;
        }
        if self.rules.base.times(it.multiplier) < self.rules.longest + self.rules.base {
            it.multiplier += 1;
        }
        let jitter = index(draw(1), (self.rules.jitter.nanos() / 1_000_000) as usize + 1);
        let lasts = self.rules.base.times(it.multiplier).min(self.rules.longest) + Span::from_millis(jitter as u64);
        let back = self
            .rules
            .sweep_after(now + lasts)
            .max(self.rules.sweep_after(now + Span::from_nanos(1)));
        it.ejected = true;
        it.openings.open(now, back);
        self.out += 1;
        self.levels.leaves(host);
    }

    /// Counts one more failure of a kind in a row.
    fn one_more(&mut self, host: usize, now: Time, kind: usize) {
        let (limit, enforcing) = self.rules.in_a_row[kind];
        let it = &mut self.hosts[host];
        it.in_a_row[kind] = it.in_a_row[kind].saturating_add(1);
        if it.in_a_row[kind] == limit && !it.ejected {
            self.found(host, now, enforcing);
            self.hosts[host].in_a_row[kind] = 0;
        }
    }

    /// Makes up for the sweeps that were due until `now`.
    #[inline]
    fn catch_up(&mut self, now: Time) {
        while self.next_sweep <= now && self.next_sweep != Time::NEVER {
            let at = self.next_sweep;
            self.sweep(at);
            // With no call since, nothing more happens before a host is back or has been in for another interval.
            let due = |h: &Host| match (h.ejected, h.multiplier) {
                (true, _) => h.openings.until(),
                (false, 0) => Time::NEVER,
                (false, _) => at,
            };
            let due = self.hosts.iter().map(due).min().unwrap_or(Time::NEVER);
            let after_now = self.rules.sweep_after(now + Span::from_nanos(1));
            self.next_sweep = due.min(after_now).max(at + self.rules.interval);
        }
    }

    fn sweep(&mut self, at: Time) {
        for (host, it) in self.hosts.iter_mut().enumerate() {
            if it.ejected && !it.openings.is_open(at) {
                it.ejected = false;
                it.in_a_row = [0; 3];
                it.back_since = at;
                self.out -= 1;
                self.levels.returns(host);
            }
            it.last = std::mem::take(&mut it.rates);
        }
        self.look_at(ANSWERS, at);
        self.look_at(BEFORE, at);
        for it in &mut self.hosts {
            if !it.ejected && at.since(it.back_since) >= self.rules.interval {
                it.multiplier = it.multiplier.saturating_sub(1);
            }
        }
    }

    fn lets_through(&self, provider: usize) -> bool {
        !self.hosts[provider].ejected || self.levels.panics_at(provider, self.rules.panic)
    }

    /// What `ask` finds at `now`, with the sweeps that are due.
    fn at<T>(&self, now: Time, ask: impl Fn(&Running) -> T) -> T {
        if now < self.next_sweep {
            return ask(self);
        }
        // A sweep is due that no call has brought about yet.
        let mut then = self.clone();
        then.catch_up(now);
        ask(&then)
    }

    /// Counts an answer with this status, or what stands for one.
    fn answer(&mut self, host: usize, now: Time, outcome: Outcome) {
        let gateway = matches!(
            outcome,
            Outcome::BadGateway | Outcome::Unavailable | Outcome::GatewayTimeout
        );
        let failed = Outcomes::SERVER_ERRORS.contains(outcome);
        self.hosts[host].rates[ANSWERS].add(!failed);
        if gateway {
            self.one_more(host, now, GATEWAY);
        } else {
            self.hosts[host].in_a_row[GATEWAY] = 0;
        }
        if failed {
            self.one_more(host, now, SERVER);
        } else {
            self.hosts[host].in_a_row[SERVER] = 0;
        }
    }

    /// Counts what happened before there was an answer.
    fn before_answer(&mut self, host: usize, now: Time, success: bool) {
        self.hosts[host].rates[BEFORE].add(success);
        if success {
            self.hosts[host].in_a_row[LOCAL] = 0;
        } else {
            self.one_more(host, now, LOCAL);
        }
    }
}

impl FleetBreaker for Running {
    #[inline]
    fn permits(&self, provider: usize, now: Time) -> bool {
        self.at(now, |it| it.lets_through(provider))
    }

    fn is_out(&self, provider: usize, now: Time) -> bool {
        self.at(now, |it| it.hosts[provider].ejected)
    }

    #[inline]
    fn sent(&mut self, _provider: usize, now: Time) -> Ticket {
        self.catch_up(now);
        Ticket::default()
    }

    #[inline]
    fn record(&mut self, _ticket: Ticket, ended: &Ended) {
        let (now, host, outcome) = (ended.now, ended.provider, ended.outcome);
        self.catch_up(now);
        let timed_out = Outcomes::TIMEOUTS.contains(outcome) && outcome != Outcome::TimeoutConnect;
        match (Seen::of(outcome, UNCONNECTED), self.rules.split) {
            (Seen::Nothing, _) => {}
            (Seen::Failure, false) => self.answer(host, now, Outcome::Unavailable),
            (Seen::Failure, true) => self.before_answer(host, now, false),
            (Seen::Success, false) if timed_out => self.answer(host, now, Outcome::GatewayTimeout),
            (Seen::Success, false) => self.answer(host, now, outcome),
            (Seen::Success, true) => {
                self.before_answer(host, now, true);
                if timed_out {
                    self.before_answer(host, now, false);
                } else {
                    self.answer(host, now, outcome);
                }
            }
        }
    }

    over_openings!(each hosts; own);
}

#[cfg(test)]
mod tests;
