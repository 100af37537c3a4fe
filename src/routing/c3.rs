//! C3: the lowest response time, with queues punished by their cube.
//!
//! Takes the lowest score R − 1/μ + q̂³/μ, where q̂ = 1 + `clients`·outstanding + q; of equals the one with fewer
//! calls, then the first. Each success moves three averages by `alpha`: new = `alpha`·value + (1−`alpha`)·old.
//!
//! In C3 the server sends its queue and its service time along with each answer. A provider of language models does
//! not, so a client has to make do with what it sees itself:
//!
//! - R: the time of an answer (`measures`), as in C3.
//! - 1/μ: that time divided by the calls that were there while it took it, by Little's law: how often this client's
//!   calls come out of there.
//! - q: how many other calls of this client were under way there when it was sent; with `client.gateways` those of all
//!   of them, which the replica itself has to report, as C3's do.
//! - outstanding: this client's calls there now, under way or in line.
//!
//! So the queues of other clients are seen only through R and 1/μ; `clients` stands for how many there are that do the
//! same, gateways included. A provider without an answer has a score of 0 and is tried first. Failures teach nothing.
//!
//! Keeps three averages a provider, for ever: there is no decay with time.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `alpha` | 0.9 | above 0, up to 1 |
//! | `clients` | 1 | 0 or more |
//! | `measures` | `end` | `end`, `first_token` |
//!
//! Sources: Suresh, Canini, Schmid and Feldmann, "C3: Cutting Tail Latency in Cloud Data Stores via Adaptive Replica
//! Selection", NSDI 2015; `org.apache.cassandra.c3.ScoreTracker` (`alpha`). Known faults: a provider that was slow once
//! and is left alone keeps its score until the others' queues make up for it; until its first answer a provider may get
//! several calls at once; one that fails fast keeps the score that it had. Left out: C3's other half, the rate control
//! of each client (a CUBIC law for each server, with backpressure); a limiter of the client takes its place.
//!
//! ```json
//! { "c3": { "clients": 1, "measures": "first_token" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildPolicy, Call, Fleet, Measures, Members, Policy, lowest, taking_part};
use crate::form::build::{Built, Names, Refusal};
use crate::words::{Ended, Outcome, Unit};

/// The lowest cubic score of response time and queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct C3 {
    /// The providers that take part; of equals the first here wins. Default: every provider, in the experiment's order.
    pub providers: Members,
    /// The weight of a new value in its average: above 0, up to 1. Default: 0.9.
    pub alpha: f64,
    /// The number of clients, 0 or more, by which the outstanding calls are multiplied. Default: 1.
    pub clients: f64,
    /// The response time that is measured. Default: `end`.
    pub measures: Measures,
}

impl Default for C3 {
    fn default() -> Self {
        C3 {
            providers: Members::default(),
            alpha: 0.9,
            clients: 1.0,
            measures: Measures::End,
        }
    }
}

impl BuildPolicy for C3 {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        if !(self.alpha > 0.0 && self.alpha <= 1.0) {
            let message = format!("a weight of {}: must be above 0, up to 1", self.alpha);
            return Err(Refusal::new(message).at("alpha"));
        }
        if !(self.clients >= 0.0 && self.clients.is_finite()) {
            return Err(Refusal::new(format!("{} clients: must be 0 or more", self.clients)).at("clients"));
        }
        Ok(Box::new(Running {
            order: taking_part(&self.providers, names)?,
            alpha: self.alpha,
            clients: self.clients,
            measures: self.measures,
            tracks: vec![Track::default(); names.providers.len()],
        }))
    }
}

/// The averages of one provider.
#[derive(Clone, Copy, Debug, Default)]
struct Track {
    /// The average response time, in seconds.
    response: f64,
    /// The average service time, in seconds.
    service: f64,
    queue: f64,
}

#[derive(Clone, Debug)]
struct Running {
    order: Vec<usize>,
    alpha: f64,
    clients: f64,
    measures: Measures,
    tracks: Vec<Track>,
}

impl Policy for Running {
    #[inline]
    fn choose(&mut self, _call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        lowest(&self.order, |p| {
            if !fleet.is_open_to_calls(p) {
                return None;
            }
            let Track {
                response,
                service,
                queue,
            } = self.tracks[p];
            let outstanding = fleet.load(p);
            let q = 1.0 + self.clients * f64::from(outstanding) + queue;
            let score = response - service + q * q * q * service;
            fleet.tell(p, || ("score", Unit::Number, score));
            Some((score, outstanding))
        })
    }

    #[inline]
    fn learn(&mut self, ended: &Ended) {
        if ended.outcome != Outcome::Success {
            return;
        }
        let beside = f64::from(ended.beside);
        let took = self.measures.of(ended).seconds();
        let track = &mut self.tracks[ended.provider];
        let into = |average: &mut f64, value: f64| *average += self.alpha * (value - *average);
        into(&mut track.response, took);
        into(&mut track.service, took / (1.0 + beside));
        into(&mut track.queue, beside);
    }

    fn fresh(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use crate::kernel::time::{Span, Time};

    fn answered(policy: &mut dyn Policy, p: usize, millis: u64, beside: u32) {
        let mut ended = Ended::new(Time::ZERO, p, Outcome::Success);
        ended.took = Span::from_millis(millis);
        ended.beside = beside;
        policy.learn(&ended);
    }

    fn winner(policy: &mut dyn Policy, in_flight: [u32; 3]) -> Option<usize> {
        let mut hosts = hosts(&[]);
        for (host, n) in hosts.iter_mut().zip(in_flight) {
            host.in_flight = n;
        }
        choose_at(policy, &hosts, Time::ZERO)
    }

    #[test]
    fn the_untried_come_first_the_idlest_of_them() {
        let mut policy = policy(r#""c3""#);
        answered(&mut *policy, 0, 100, 0);
        assert_eq!(winner(&mut *policy, [0, 1, 0]), Some(2));
        assert_eq!(winner(&mut *policy, [0, 1, 1]), Some(1));
    }

    /// The paper's point: 4 ms and 20 ms of service. A linear score evens out at queues of 5 to 1, the cubic one at the
    /// cube root of 5: 1.71 times.
    #[test]
    fn queues_count_by_their_cube() {
        let mut policy = policy(r#"{"c3": {"providers": ["a", "b"], "alpha": 1}}"#);
        answered(&mut *policy, 0, 4, 0);
        answered(&mut *policy, 1, 20, 0);
        // q̂ of 1 there is 20 ms; 4 ms cubed by q̂ of 2 is 32.
        assert_eq!(winner(&mut *policy, [0, 0, 0]), Some(0));
        assert_eq!(winner(&mut *policy, [1, 0, 0]), Some(1));
        // 10 and 6: 1.67 and a 5.3 ms difference of R; 11 and 6 is 1.71.
        assert_eq!(winner(&mut *policy, [11, 6, 0]), Some(1), "12³·4 = 6912, 7³·20 = 6860");
        assert_eq!(winner(&mut *policy, [10, 6, 0]), Some(0), "11³·4 = 5324");
    }

    #[test]
    fn by_littles_law_service_is_the_time_shared_by_those_who_were_there() {
        let mut policy = policy(r#"{"c3": {"providers": ["a", "b"], "alpha": 1, "clients": 0}}"#);
        answered(&mut *policy, 0, 400, 3);
        answered(&mut *policy, 1, 100, 0);
        // a: 0.4 − 0.1 + 4³·0.1 = 6.7; b: 0.1.
        assert_eq!(winner(&mut *policy, [0, 0, 0]), Some(1));
        answered(&mut *policy, 0, 400, 0);
        answered(&mut *policy, 1, 400, 1);
        // a: 0.4; b: 0.4 − 0.2 + 8·0.2 = 1.8.
        assert_eq!(winner(&mut *policy, [0, 0, 0]), Some(0));
    }

    #[test]
    fn a_new_value_weighs_nine_tenths_and_a_failure_nothing() {
        let mut policy = policy(r#"{"c3": {"providers": ["a", "b"]}}"#);
        answered(&mut *policy, 0, 1000, 0);
        answered(&mut *policy, 0, 100, 0);
        answered(&mut *policy, 1, 205, 0);
        // 0.9·0.1 + 0.1·0.9 = 0.18; 0.9·0.205 = 0.1845.
        assert_eq!(winner(&mut *policy, [0, 0, 0]), Some(0));
        let mut failed = Ended::new(Time::ZERO, 1, Outcome::ServerError);
        failed.took = Span::from_millis(1);
        policy.learn(&failed);
        assert_eq!(winner(&mut *policy, [0, 0, 0]), Some(0));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let refusal = build(r#"{"c3": {"alpha": 0}}"#).err().unwrap();
        assert_eq!(
            refusal,
            Refusal::new("a weight of 0: must be above 0, up to 1").at("alpha")
        );
        let refusal = build(r#"{"c3": {"clients": -1}}"#).err().unwrap();
        assert_eq!(refusal, Refusal::new("-1 clients: must be 0 or more").at("clients"));
    }
}
