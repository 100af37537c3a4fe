//! A line for each user, class, key or value of a tag: identities take turns, and none waits behind another's requests.
//!
//! Each identity has a queue of its own, with all that `queue` can do: capacity, order, shedding, CoDel, deadlines. The lines take turns
//! (round robin over the identities that wait, as llm-d's flow control does it between flows): a line that had its turn goes to the end,
//! and one whose head may not go yet, because the identity is over a limit of its own, keeps its turn and is passed over. So an identity
//! that floods the gateway waits in its own line, and a limiter for each (`each` of `limiters`, with `"over": "wait"`) holds up no other.
//!
//! Requests without the tag share one line. A line that is empty is forgotten. A limiter of all is taken by the first head that it lets
//! pass: where it counts tokens, small requests of others may pass a large one that waits for it. `capacity` is of each line, so that
//! there is no bound on all of them, and none among what binds.
//!
//! Left out: weights between identities (`weighted_fair` has them between priorities).
//!
//! ```json
//! { "each": { "per": "user", "queue": { "capacity": 2, "max_wait": "2s" } } }
//! ```

use std::collections::{BTreeMap, VecDeque};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::queue::Queue;
use super::{Admission, BuildAdmission, Next, Offer};
use crate::client::gate::Gate;
use crate::client::identity::{Identity, Whose};
use crate::form::build::{Built, Names};
use crate::kernel::chance::Key;
use crate::kernel::time::{Span, Time};
use crate::words::Ask;

/// A line for each identity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Each {
    /// What tells identities apart: `user`, `class`, `tag.NAME`, or `key`, which is short for `tag.key`.
    pub per: Identity,
    /// The line that each of them has. Default: no bound, by priority.
    #[serde(default)]
    pub queue: Queue,
}

impl BuildAdmission for Each {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Admission>> {
        Ok(Box::new(Running {
            whose: self.per.build(None, names).map_err(|r| r.at("per"))?,
            new: self.queue.build(names).map_err(|r| r.at("queue"))?,
            spare: self.queue.build(names).map_err(|r| r.at("queue"))?,
            lines: BTreeMap::new(),
            turns: VecDeque::new(),
            stands: BTreeMap::new(),
        }))
    }
}

/// The line of requests that have no identity.
const THE_REST: u32 = u32::MAX;

#[derive(Debug)]
struct Running {
    whose: Whose,
    /// A line as it begins; and one that is empty, for the next identity that has none.
    new: Box<dyn Admission>,
    spare: Box<dyn Admission>,
    /// The lines in which requests wait, by identity.
    lines: BTreeMap<u32, Box<dyn Admission>>,
    /// The identities of these, the next turn first.
    turns: VecDeque<u32>,
    /// The identity of each request that waits, by slot.
    stands: BTreeMap<u32, u32>,
}

impl Running {
    /// The request in `slot` has left the line of identity `number`.
    fn left(&mut self, slot: u32, number: u32) {
        self.stands.remove(&slot);
        if self.lines.get(&number).is_some_and(|line| line.waiting() == 0) {
            self.lines.remove(&number);
            self.turns.retain(|&other| other != number);
        }
    }
}

impl Admission for Running {
    fn offer(&mut self, now: Time, slot: u32, ask: &Ask, gate: &mut Gate) -> Offer {
        let number = self.whose.of_ask(ask).unwrap_or(THE_REST);
        let line = match self.lines.get_mut(&number) {
            Some(line) => line,
            None => &mut self.spare,
        };
        let offer = line.offer(now, slot, ask, gate);
        if !matches!(offer, Offer::Wait | Offer::WaitInsteadOf(_)) {
            return offer;
        }
        if self.spare.waiting() > 0 {
            let empty = self.new.fresh(Key::NONE);
            self.lines.insert(number, std::mem::replace(&mut self.spare, empty));
            self.turns.push_back(number);
        }
        self.stands.insert(slot, number);
        if let Offer::WaitInsteadOf(other) = offer {
            self.stands.remove(&other);
        }
        offer
    }

    fn next(&mut self, now: Time, gate: &mut Gate) -> Next {
        let (mut until, mut held) = (Time::NEVER, false);
        for turn in 0..self.turns.len() {
            let number = self.turns[turn];
            let Some(line) = self.lines.get_mut(&number) else {
                continue;
            };
            match line.next(now, gate) {
                Next::Enter(slot) => {
                    self.turns.remove(turn);
                    self.turns.push_back(number);
                    self.left(slot, number);
                    return Next::Enter(slot);
                }
                Next::Shed(slot) => {
                    self.left(slot, number);
                    return Next::Shed(slot);
                }
                Next::Rejected(slot) => {
                    self.left(slot, number);
                    return Next::Rejected(slot);
                }
                // No line is empty: the gate is full, for all of them.
                Next::NoRequest => return Next::NoRequest,
                Next::Held => held = true,
                Next::Until(at) => until = until.min(at),
            }
        }
        match (until, held) {
            (Time::NEVER, true) => Next::Held,
            (Time::NEVER, false) => Next::NoRequest,
            (at, _) => Next::Until(at),
        }
    }

    fn remove(&mut self, slot: u32) {
        let Some(&number) = self.stands.get(&slot) else { return };
        if let Some(line) = self.lines.get_mut(&number) {
            line.remove(slot);
        }
        self.left(slot, number);
    }

    fn waiting(&self) -> usize {
        self.stands.len()
    }

    fn capacity(&self) -> Option<usize> {
        None
    }

    fn max_wait(&self) -> Span {
        self.new.max_wait()
    }

    fn tells_apart(&self) -> Option<&Whose> {
        self.new.capacity().map(|_| &self.whose)
    }

    fn fresh(&self, own: Key) -> Box<dyn Admission> {
        Box::new(Running {
            whose: self.whose.clone(),
            new: self.new.fresh(own),
            spare: self.new.fresh(own),
            lines: BTreeMap::new(),
            turns: VecDeque::new(),
            stands: BTreeMap::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::limiter::{Done, LimiterSpec};

    fn lines(json: &str) -> Box<dyn Admission> {
        let spec: Each = serde_json::from_str(json).unwrap();
        let names = Names {
            users: Some(10),
            ..Names::default()
        };
        spec.build(&names).unwrap()
    }

    fn of(user: u32) -> Ask {
        Ask { user, ..Ask::default() }
    }

    /// One at a time may go. Six of user 1 come, then two of user 2 and one of user 3.
    fn scene(json: &str) -> (Box<dyn Admission>, Gate) {
        let (mut lines, mut gate, now) = (lines(json), Gate::new(Vec::new(), 1), Time::ZERO);
        assert_eq!(lines.offer(now, 0, &of(1), &mut gate), Offer::Enter);
        for (slot, user) in [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2), (6, 3)] {
            assert_eq!(lines.offer(now, slot, &of(user), &mut gate), Offer::Wait);
        }
        (lines, gate)
    }

    fn order(lines: &mut dyn Admission, gate: &mut Gate) -> Vec<u32> {
        let now = Time::ZERO;
        let mut went = Vec::new();
        while lines.waiting() > 0 {
            assert_eq!(lines.next(now, gate), Next::NoRequest);
            gate.leave(now, || Done::at(now));
            match lines.next(now, gate) {
                Next::Enter(slot) => went.push(slot),
                other => panic!("{other:?}"),
            }
        }
        went
    }

    #[test]
    fn identities_take_turns() {
        let (mut lines, mut gate) = scene(r#"{"per": "user"}"#);
        assert_eq!(order(&mut *lines, &mut gate), [1, 4, 6, 2, 5, 3]);
    }

    #[test]
    fn a_request_that_gives_up_leaves_its_line() {
        let (mut lines, mut gate) = scene(r#"{"per": "user"}"#);
        lines.remove(4);
        lines.remove(6);
        assert_eq!(order(&mut *lines, &mut gate), [1, 5, 2, 3]);
    }

    #[test]
    fn a_full_line_is_one_identitys() {
        let (mut lines, mut gate) = scene(r#"{"per": "user", "queue": {"capacity": 3}}"#);
        let now = Time::ZERO;
        assert_eq!(lines.offer(now, 7, &of(1), &mut gate), Offer::Shed);
        assert_eq!(lines.offer(now, 8, &of(2), &mut gate), Offer::Wait);
        assert_eq!(lines.waiting(), 7);
    }

    /// User 1 is over a limit of its own for ten seconds: user 2, behind it, goes.
    #[test]
    fn one_that_is_held_back_holds_up_no_other() {
        let limiter = r#"{"each": {"per": "user", "over": "wait", "limiter": {"token_bucket": {"unit": "requests", "rate": "6/min", "burst": 1}}}}"#;
        let names = Names {
            users: Some(10),
            ..Names::default()
        };
        let limiter: LimiterSpec = serde_json::from_str(limiter).unwrap();
        let mut gate = Gate::new(vec![limiter.as_dyn().build(&names).unwrap()], u32::MAX);
        let (mut lines, now) = (lines(r#"{"per": "user"}"#), Time::ZERO);
        let ten = now + Span::from_secs(10);
        assert_eq!(lines.offer(now, 0, &of(1), &mut gate), Offer::Enter);
        assert_eq!(lines.offer(now, 1, &of(1), &mut gate), Offer::Wait);
        assert_eq!(lines.next(now, &mut gate), Next::Until(ten));
        assert_eq!(lines.offer(now, 2, &of(2), &mut gate), Offer::Enter);
        assert_eq!(lines.next(ten, &mut gate), Next::Enter(1));
        assert_eq!(lines.waiting(), 0);
    }
}
