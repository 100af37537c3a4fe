//! A closed loop: a fixed number of users, who each send their next request a think time after the last one has ended.
//!
//! What load generators with a fixed number of virtual users do (k6, Locust, wrk, `oha -c`), and what a room of people at chat
//! windows or a pool of workers is like. The model is the machine repairman's, or M/M/c//N if everything is exponential: with
//! N users, a mean think time Z and a mean response time R, the throughput is X = N / (R + Z) (the interactive response time
//! law; Denning and Buzen 1978). So the load follows the answers: a provider that slows down is asked less, and what open
//! arrivals would show as a growing queue does not show here. Schroeder, Wierman and Harchol-Balter (NSDI 2006) measure how
//! far the two are apart.
//!
//! A user thinks first, from the start or from its place in `ramp`, then asks, waits until the request has ended, whether it
//! succeeded or failed, thinks, and asks again. Each turn has the class, the lengths and the think time that are keyed by its
//! user and its number: two policies meet the same users with the same turns, at other times. A request that ends in the
//! moment it is sent (shed, or with every breaker open) is followed after 1 ms at the earliest, lest a user without think time
//! asks for ever at one instant. No user is impatient beyond the client's timeouts, and none leaves.
//!
//! ```json
//! { "closed_loop": { "users": 40, "think": { "exponential": { "mean": "5s" } } } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Arrival, Arrivals, ArrivalsSpec, BuildArrivals, Turn, times};
use crate::form::build::{Built, Names, Refusal};
use crate::form::laws::LawSpec;
use crate::form::units::{Count, Duration};
use crate::kernel::chance::{Key, Purpose};
use crate::kernel::sampler::Sampler;
use crate::kernel::time::{Span, Time};
use crate::traffic::rows::Rows;
use crate::words::Finished;

/// Users who ask again after an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClosedLoop {
    /// How many users there are, at most a million.
    #[schemars(extend("maximum" = 1_000_000))]
    pub users: Count,
    /// How long a user thinks between the end of a request and its next one.
    pub think: LawSpec<Duration>,
    /// The time over which users begin, one after the other at equal distances. Default: all begin at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp: Option<Duration>,
}

const MOST: u64 = 1_000_000;

/// The least pause after a request that took no time.
const AT_LEAST: Span = Span::from_nanos(1_000_000);

impl BuildArrivals for ClosedLoop {
    fn build(&self, _trace: Option<Rows>, names: &Names<'_>) -> Built<Box<dyn Arrivals>> {
        let users = self.users.get();
        if users > MOST {
            return Err(Refusal::new(format!("{users} users: must be 1 to {MOST}")).at("users"));
        }
        Ok(Box::new(Running {
            users: users as u32,
            think: self.think.sampler(names).map_err(|r| r.at("think"))?,
            ramp: self.ramp.map_or(Span::ZERO, Duration::span),
            own: Key::NONE,
            first: Vec::new(),
        }))
    }

    /// The most: what users would ask for if answers took no time.
    fn rate(&self) -> Option<f64> {
        let think = self.think.law(&Names::default()).ok()?.mean() / 1e9;
        (think > 0.0).then(|| self.users.get() as f64 / think)
    }

    fn follows_ends(&self) -> bool {
        true
    }

    fn users(&self) -> Option<u32> {
        u32::try_from(self.users.get()).ok()
    }

    fn scaled(&self, factor: f64) -> Option<ArrivalsSpec> {
        let users = times(self.users, factor)?;
        Some(ClosedLoop { users, ..self.clone() }.into())
    }

    fn step(&self) -> f64 {
        1.0 / self.users.get() as f64
    }
}

#[derive(Clone, Debug)]
struct Running {
    users: u32,
    think: Sampler,
    ramp: Span,
    own: Key,
    /// The first turns still to come, the next one last.
    first: Vec<(Time, u32)>,
}

impl Running {
    /// How long its user thinks before `turn`.
    fn thinks(&self, turn: Turn) -> Span {
        let nanos = self.think.draw(self.own.part(turn.id()), Purpose::Gap);
        Span::from_nanos((nanos + 0.5) as u64)
    }
}

impl Arrivals for Running {
    fn next(&mut self, _key: Key) -> Option<Arrival> {
        let (at, user) = self.first.pop()?;
        Some(Arrival {
            at,
            tokens: None,
            turn: Some(Turn { user, number: 0 }),
            row: None,
        })
    }

    fn follows_ends(&self) -> bool {
        true
    }

    fn after(&mut self, ended: &Finished) -> Option<Arrival> {
        let turn = Turn::of(ended.ask.id)?.next();
        let mut pause = self.thinks(turn);
        if ended.now == ended.arrived {
            pause = pause.max(AT_LEAST);
        }
        Some(Arrival {
            at: ended.now + pause,
            tokens: None,
            turn: Some(turn),
            row: None,
        })
    }

    fn fresh(&self, own: Key) -> Box<dyn Arrivals> {
        let mut fresh = Running { own, ..self.clone() };
        let begins = |user: u32| {
            let place = u128::from(self.ramp.nanos()) * u128::from(user) / u128::from(self.users);
            Time::ZERO + Span::from_nanos(place as u64)
        };
        let first = |user| (begins(user) + fresh.thinks(Turn { user, number: 0 }), user);
        let mut order: Vec<(Time, u32)> = (0..self.users).map(first).collect();
        order.sort_unstable_by(|a, b| b.cmp(a));
        fresh.first = order;
        Box::new(fresh)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::chance::Chance;
    use crate::words::{Ask, Outcome};

    fn running(json: &str) -> Box<dyn Arrivals> {
        let spec: ClosedLoop = serde_json::from_str(json).unwrap();
        let own = Chance::new(1, 0).surroundings(4);
        spec.build(None, &Names::default()).unwrap().fresh(own)
    }

    fn after(arrivals: &mut dyn Arrivals, turn: Turn, arrived: u64, now: u64) -> Arrival {
        let ask = Ask {
            id: turn.id(),
            ..Ask::default()
        };
        let ended = Finished {
            now: Time::from_nanos(now),
            arrived: Time::from_nanos(arrived),
            ask,
            outcome: Outcome::Success,
            ttft: Span::ZERO,
        };
        arrivals.after(&ended).unwrap()
    }

    /// 3 users over 3 s, each 1 s of thought: at 1, 2 and 3 s, and none comes before it has thought.
    #[test]
    fn users_begin_along_the_ramp_and_then_wait_for_their_answers() {
        let mut users = running(r#"{ "users": 3, "think": { "constant": "1s" }, "ramp": "3s" }"#);
        let first: Vec<_> = std::iter::from_fn(|| users.next(Key::NONE))
            .map(|a| (a.at.nanos(), a.turn.unwrap()))
            .collect();
        let turn = |user, number| Turn { user, number };
        let second = 1_000_000_000;
        assert_eq!(
            first,
            [(second, turn(0, 0)), (2 * second, turn(1, 0)), (3 * second, turn(2, 0))]
        );
        let next = after(&mut *users, turn(1, 0), 2 * second, 5 * second);
        assert_eq!((next.at.nanos(), next.turn), (6 * second, Some(turn(1, 1))));
    }

    #[test]
    fn a_turn_has_its_think_time_whatever_came_before_it() {
        let json = r#"{ "users": 2, "think": { "exponential": { "mean": "1s" } } }"#;
        let (mut one, mut other) = (running(json), running(json));
        let turn = Turn { user: 1, number: 7 };
        let pause = |users: &mut dyn Arrivals, now: u64| after(users, turn, 0, now).at.nanos() - now;
        let first = pause(&mut *one, 10);
        after(&mut *other, Turn { user: 0, number: 3 }, 0, 5);
        assert_eq!(pause(&mut *other, 99_999), first);
        let later = after(&mut *one, Turn { user: 1, number: 8 }, 0, 10).at.nanos() - 10;
        assert_ne!(later, first, "another turn, another thought");
    }

    #[test]
    fn a_request_that_took_no_time_is_not_repeated_at_once() {
        let mut users = running(r#"{ "users": 1, "think": { "constant": "0s" } }"#);
        let turn = Turn { user: 0, number: 0 };
        assert_eq!(after(&mut *users, turn, 5, 5).at.nanos(), 1_000_005);
        assert_eq!(after(&mut *users, turn, 4, 5).at.nanos(), 5);
    }
}
