//! Prequal: probe a few, keep what they said, send to the fastest that is not crowded.
//!
//! With each attempt it sends `probes` probes to different providers at random. An answer says how many requests are in
//! flight there (RIF) and how long a request takes at about that many; it can be used from `rtt` later. The `pool`
//! keeps the newest answer of each provider; when it is full the oldest goes, and so does whatever is older than
//! `max_age`.
//!
//! - An answer is *hot* if its RIF is above the `q_rif` quantile of the last 128. Of the cold ones the lowest latency
//!   wins; if all are hot, the lowest RIF (hot-cold lexicographic rule).
//! - The answer used gets 1 more RIF. It may be used b = max(1, (1+`delta`) / ((1−m/n)·`probes` − `removes`)) times, m
//!   the size of the pool among n providers, a fraction by chance; `max_reuse` times where that has no value, which is
//!   so as long as n ≤ 1.5·m with the defaults.
//! - After each choice `removes` answers are removed, the oldest and the worst by turns; the worst is the hot one with
//!   the highest RIF, else the slowest.
//! - With fewer than two answers that can be used it chooses at random.
//! - A failure removes what is known of its provider, so that one that fails fast does not look idle.
//!
//! RIF is the number of calls there, in line or under way, when the probe is sent. With one gateway its own count says
//! it, since no provider of language models answers probes; with `client.gateways` the replica itself must, and counts
//! the calls of all of them. Latency is the median of those of the last 32 answers to this gateway in the last `recent`
//! that were sent beside nearly as many (within 1, else the nearest number there is); without any it is 0. A probe
//! costs nothing.
//!
//! Keeps the pool, the last 128 RIFs and, for each provider, its last 32 answers.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `probes` | 3 | 0 to 16 |
//! | `pool` | 16 | 1 to 64 |
//! | `max_age` | 1 s | above 0 |
//! | `removes` | 1 | 0 to 16 |
//! | `delta` | 1 | 0 or more |
//! | `max_reuse` | 16 | 1 or more |
//! | `q_rif` | 0.84 | 0 to 1 |
//! | `rtt` | 1 ms | 0 or more |
//! | `recent` | 10 s | above 0 |
//! | `measures` | `end` | `end`, `first_token` |
//!
//! Sources: Wydrowski, Kleinberg, Rumble and Archer, "Load is not what you should balance: Introducing Prequal", NSDI
//! 2024; where the paper leaves it open, `prequal-core` and `prequal-server` (one answer a provider, the worst, two
//! answers at least, `max_reuse`, failures). Known faults: with a `q_rif` of 0.84 it herds near capacity onto those
//! that looked fast, whose answers tell of it late (the crate takes 0.6 for that reason; with 0 only RIF counts); below
//! about one request in `max_age` every answer is too old and the choice is random; answers that take longer than a
//! stretch of slowness tell of it when it is over. Left out: probes while there is no traffic; at most 256 probes are
//! under way, further ones are not sent. Prequal's servers know the latencies of all clients' calls; here each gateway
//! knows its own.
//!
//! ```json
//! { "prequal": { "probes": 3, "q_rif": 0.84, "rtt": "1ms", "measures": "first_token" } }
//! ```

mod latencies;
mod pool;

use rand::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::latencies::Latencies;
use self::pool::{Answer, History, Pool};
use super::{BuildPolicy, Call, Fleet, Measures, Members, Policy, taking_part};
use crate::form::build::{Built, Names, Refusal};
use crate::form::units::{Duration, Fraction};
use crate::kernel::chance::{Purpose, Stream, index, unit};
use crate::kernel::time::{Span, Time};
use crate::words::{Ended, Outcome};

/// The most probes for one attempt, and removals after one.
const MOST: f64 = 16.0;
/// The most probes under way at once.
const AWAY: usize = 256;

/// Prequal: the fastest provider that is not crowded, of those probed (hot-cold lexicographic rule).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Prequal {
    /// The providers that take part. Default: every provider.
    pub providers: Members,
    /// The probes for each attempt, 0 to 16; a fraction is spread evenly. Default: 3.
    pub probes: f64,
    /// The most answers kept in the probe pool, 1 to 64. Default: 16.
    #[schemars(range(min = 1, max = 64))]
    pub pool: u8,
    /// The largest age of an answer that may be used. Default: 1 s.
    pub max_age: Duration,
    /// The answers removed after each choice, 0 to 16; a fraction is spread evenly. Default: 1.
    pub removes: f64,
    /// The net growth δ in the paper's formula for the uses of an answer: 0 or more. Default: 1.
    pub delta: f64,
    /// The most uses of an answer, 1 or more. Default: 16.
    #[schemars(range(min = 1))]
    pub max_reuse: u32,
    /// The quantile of requests in flight (RIF) above which an answer is hot. Default: 0.84.
    pub q_rif: Fraction,
    /// The time after it was sent from which a probe's answer can be used. Default: 1 ms.
    pub rtt: Duration,
    /// The largest age of the answers that latencies are taken from. Default: 10 s.
    pub recent: Duration,
    /// The latency that is measured. Default: `end`.
    pub measures: Measures,
}

impl Default for Prequal {
    fn default() -> Self {
        Prequal {
            providers: Members::default(),
            probes: 3.0,
            pool: 16,
            max_age: Duration::from(Span::from_secs(1)),
            removes: 1.0,
            delta: 1.0,
            max_reuse: 16,
            q_rif: Fraction::new(0.84).unwrap_or(Fraction::ONE),
            rtt: Duration::from(Span::from_millis(1)),
            recent: Duration::from(Span::from_secs(10)),
            measures: Measures::End,
        }
    }
}

impl BuildPolicy for Prequal {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        for (field, value) in [("probes", self.probes), ("removes", self.removes)] {
            if !(0.0..=MOST).contains(&value) {
                return Err(Refusal::new(format!("{value}: must be 0 to {MOST}")).at(field));
            }
        }
        for (field, span) in [("max_age", self.max_age), ("recent", self.recent)] {
            if span.span() == Span::ZERO {
                return Err(Refusal::new("0s: must be longer than nothing").at(field));
            }
        }
        if !(1..=64).contains(&self.pool) {
            return Err(Refusal::new(format!("a pool of {}: must be 1 to 64", self.pool)).at("pool"));
        }
        if !(self.delta >= 0.0 && self.delta.is_finite()) {
            return Err(Refusal::new(format!("a delta of {}: must be 0 or more", self.delta)).at("delta"));
        }
        if self.max_reuse == 0 {
            return Err(Refusal::new("never: must be 1 or more").at("max_reuse"));
        }
        let order = taking_part(&self.providers, names)?;
        Ok(Box::new(Running {
            probes: Evenly::new(self.probes),
            removes: Evenly::new(self.removes),
            uses: self.uses(order.len()),
            q_rif: self.q_rif.get(),
            max_age: self.max_age.span(),
            rtt: self.rtt.span(),
            recent: self.recent.span(),
            measures: self.measures,
            pool: Pool::new(usize::from(self.pool)),
            history: History::NEW,
            away: vec![Answer::BLANK; AWAY],
            first_away: 0,
            number_away: 0,
            oldest_next: true,
            latencies: vec![Latencies::NEW; names.providers.len()],
            order,
        }))
    }
}

impl Prequal {
    /// The number of times that an answer of one of so many providers may be used.
    fn uses(&self, providers: usize) -> f64 {
        let kept = 1.0 - f64::from(self.pool) / providers as f64;
        let net = kept * self.probes - self.removes;
        let most = f64::from(self.max_reuse);
        if net > 0.0 {
            ((1.0 + self.delta) / net).clamp(1.0, most)
        } else {
            most
        }
    }
}

/// A number for each attempt that need not be whole, spread evenly.
#[derive(Clone, Copy, Debug)]
struct Evenly {
    each: f64,
    owed: f64,
}

impl Evenly {
    fn new(each: f64) -> Evenly {
        Evenly { each, owed: 0.0 }
    }

    #[inline]
    fn next(&mut self) -> usize {
        self.owed += self.each;
        let whole = self.owed as usize;
        self.owed -= whole as f64;
        whole
    }
}

#[derive(Clone, Debug)]
struct Running {
    order: Vec<usize>,
    probes: Evenly,
    removes: Evenly,
    uses: f64,
    q_rif: f64,
    max_age: Span,
    rtt: Span,
    recent: Span,
    measures: Measures,
    pool: Pool,
    history: History,
    /// The probes under way, in a ring, with the answers that they will bring.
    away: Vec<Answer>,
    first_away: usize,
    number_away: usize,
    oldest_next: bool,
    latencies: Vec<Latencies>,
}

impl Running {
    /// Sends this attempt's probes to different open providers.
    #[inline]
    fn probe(&mut self, fleet: &Fleet<'_>, chance: &mut Stream) {
        let n = self.order.len();
        let wanted = self.probes.next().min(n);
        let mut drawn = [0; MOST as usize];
        for i in 0..wanted {
            // Floyd's algorithm draws different numbers: each set of them is equally likely.
            let last = n - wanted + i;
            let at = index(chance.next_u64(), last + 1);
            drawn[i] = if drawn[..i].contains(&at) { last } else { at };
        }
        for &at in &drawn[..wanted] {
            let p = self.order[at];
            if self.number_away == AWAY {
                return;
            }
            if fleet.is_open_to_calls(p) {
                let rif = fleet.load_if_asked(p);
                self.away[(self.first_away + self.number_away) % AWAY] = Answer {
                    provider: p,
                    at: fleet.now() + self.rtt,
                    rif,
                    latency: self.latencies[p].at(rif, fleet.now(), self.recent),
                    uses: 0,
                };
                self.number_away += 1;
            }
        }
    }

    /// Takes in the answers that have come by `now`.
    #[inline]
    fn receive(&mut self, now: Time, chance: &mut Stream) {
        while self.number_away > 0 && self.away[self.first_away].at <= now {
            let mut answer = self.away[self.first_away];
            self.first_away = (self.first_away + 1) % AWAY;
            self.number_away -= 1;
            self.history.push(answer.rif);
            let whole = self.uses as u32;
            answer.uses = whole + u32::from(unit(chance.next_u64()) < self.uses - f64::from(whole));
            self.pool.insert(answer);
        }
    }

    /// Any provider that is open, by chance.
    #[inline]
    fn anybody(&self, fleet: &Fleet<'_>, chance: &mut Stream) -> Option<usize> {
        let drawn = self.order[index(chance.next_u64(), self.order.len())];
        if fleet.is_open_to_calls(drawn) {
            return Some(drawn);
        }
        let open = || self.order.iter().copied().filter(|&p| fleet.is_open_to_calls(p));
        match open().count() {
            0 => None,
            n => open().nth(index(chance.next_u64(), n)),
        }
    }
}

impl Policy for Running {
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        let mut chance = call.attempt.stream(Purpose::Route);
        self.probe(fleet, &mut chance);
        self.receive(fleet.now(), &mut chance);
        self.pool.expire(fleet.now(), self.max_age);
        let hot = self.history.quantile(self.q_rif);
        let chosen = match self.pool.best(hot, |p| fleet.is_open_to_calls(p)) {
            Some(at) => Some(self.pool.take(at)),
            None => self.anybody(fleet, &mut chance),
        };
        for _ in 0..self.removes.next() {
            if self.oldest_next {
                self.pool.remove_oldest();
            } else {
                self.pool.remove_worst(hot);
            }
            self.oldest_next = !self.oldest_next;
        }
        chosen
    }

    #[inline]
    fn learn(&mut self, ended: &Ended) {
        if ended.outcome == Outcome::Success {
            let latency = self.measures.of(ended);
            self.latencies[ended.provider].push(ended.beside, latency, ended.now);
        } else if ended.outcome != Outcome::Cancelled {
            self.pool.forget(ended.provider);
        }
    }

    fn fresh(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    const AT_ONCE: &str = r#"{"prequal": {"rtt": "0s", "removes": 0}}"#;

    fn answered(policy: &mut dyn Policy, p: usize, millis: u64, beside: u32) {
        let mut ended = Ended::new(Time::ZERO, p, Outcome::Success);
        ended.took = Span::from_millis(millis);
        ended.first_token = Span::from_millis(1000 - millis);
        ended.beside = beside;
        policy.learn(&ended);
    }

    #[test]
    fn an_answer_may_be_used_as_often_as_the_paper_says() {
        let uses = |n: usize, removes: f64| {
            let spec = Prequal {
                removes,
                ..Prequal::default()
            };
            spec.uses(n)
        };
        // 100 providers: 2/(0.84·3 − 1) = 1.316; 1000 and no removal: 2/2.952 is below 1.
        assert!((uses(100, 1.0) - 2.0 / 1.52).abs() < 1e-12);
        assert_eq!(uses(1000, 0.0), 1.0);
        assert_eq!((uses(24, 1.0), uses(3, 1.0)), (16.0, 16.0), "more goes than comes");
    }

    #[test]
    fn probes_go_to_different_ones() {
        let mut policy = policy(AT_ONCE);
        answered(&mut *policy, 0, 300, 0);
        answered(&mut *policy, 1, 200, 0);
        answered(&mut *policy, 2, 400, 0);
        assert_eq!(
            counts(&mut *policy, &hosts(&[]), 0, 1),
            [0, 1, 0, 0],
            "all three were probed"
        );
    }

    #[test]
    fn the_fastest_wins_unless_it_is_crowded() {
        let mut crowded = hosts(&[]);
        (crowded[0].in_flight, crowded[1].in_flight) = (9, 1);
        let mut policy = policy(AT_ONCE);
        answered(&mut *policy, 0, 100, 9);
        answered(&mut *policy, 1, 900, 0);
        answered(&mut *policy, 2, 950, 0);
        // RIFs 9, 1 and 0: the 0.84 quantile of three is the second, 1.
        assert_eq!(counts(&mut *policy, &crowded, 0, 1), [0, 1, 0, 0]);
        crowded[0].in_flight = 1;
        assert_eq!(counts(&mut *policy, &crowded, 0, 1), [1, 0, 0, 0]);
    }

    #[test]
    fn an_answer_is_of_use_when_it_has_come_and_not_for_long() {
        let mut policy = policy(r#"{"prequal": {"rtt": "10ms", "removes": 0, "probes": 3}}"#);
        for p in 0..3 {
            answered(&mut *policy, p, 200 + 100 * p as u64, 0);
        }
        let mut shares = |at: u64, apart: u64| {
            let mut chosen = [0; 3];
            for id in 0..600 {
                let now = Time::ZERO + Span::from_millis(at + apart * id);
                chosen[choose_by(&mut *policy, &hosts(&[]), now, id).unwrap()] += 1;
            }
            chosen
        };
        // Four standard deviations of a third of 600 are 46.
        let before = shares(0, 0);
        assert!(
            before.iter().all(|n: &i32| (n - 200).abs() < 46),
            "nothing has come: {before:?}"
        );
        // The first use of each answer adds 1 to its RIF: one that has been used is hot beside the others.
        assert_ne!(shares(20, 0), before, "now it has");
        let stale = shares(10_000, 2_000);
        assert!(stale.iter().all(|n| (n - 200).abs() < 46), "too old: {stale:?}");
    }

    #[test]
    fn a_failure_makes_forget() {
        let mut policy = policy(r#"{"prequal": {"rtt": "0s", "removes": 0, "providers": ["a", "b"], "probes": 1}}"#);
        for id in 0..20 {
            choose_by(&mut *policy, &hosts(&[]), Time::ZERO, id);
        }
        policy.learn(&Ended::new(Time::ZERO, 0, Outcome::ServerError));
        let busy = {
            let mut hosts = hosts(&[]);
            hosts[1].in_flight = 50;
            hosts
        };
        let (mut other, mut same) = (0, 0);
        for id in 20..420 {
            policy.learn(&Ended::new(Time::ZERO, 0, Outcome::ServerError));
            match choose_by(&mut *policy, &busy, Time::ZERO, id) {
                Some(0) => same += 1,
                _ => other += 1,
            }
        }
        // It has an answer to go by only when it was probed just now; else the choice is random.
        assert!(other > 50 && same > 150, "{same} {other}");
    }

    #[test]
    fn the_closed_are_never_chosen() {
        let mut policy = policy(AT_ONCE);
        assert_eq!(counts(&mut *policy, &hosts(&[0, 2]), 0, 100), [0, 100, 0, 0]);
        assert_eq!(counts(&mut *policy, &hosts(&[0, 1, 2]), 0, 5), [0, 0, 0, 5]);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (json, path, message) in [
            (r#"{"probes": 17}"#, "probes", "17: must be 0 to 16"),
            (r#"{"pool": 0}"#, "pool", "a pool of 0: must be 1 to 64"),
            (r#"{"max_age": "0s"}"#, "max_age", "0s: must be longer than nothing"),
            (r#"{"delta": -1}"#, "delta", "a delta of -1: must be 0 or more"),
            (r#"{"max_reuse": 0}"#, "max_reuse", "never: must be 1 or more"),
        ] {
            let refusal = build(&format!(r#"{{"prequal": {json}}}"#)).err().unwrap();
            assert_eq!(refusal, Refusal::new(message).at(path));
        }
    }
}
