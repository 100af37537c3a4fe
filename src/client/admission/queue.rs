//! A bounded queue: a request that cannot pass waits in line, and the line moves as soon as it may.
//!
//! By default strict priority between classes (lower numbers first), first come first served within one; `order` knows
//! other rules. The head of the line waits for exactly what it needs, so no request behind it overtakes it with a
//! smaller need. A request that arrives with none ahead of it is the head: it goes at once if the gate lets it pass,
//! even if others wait behind it and the line is full. A request larger than a limiter can ever let pass is shed. This
//! is the concurrency control of the customer-service benchmark article as it should be: both buckets taken together,
//! the queue really consulted, no polling.
//!
//! `shed` chooses which request is shed from a full line. Besides, a line may drop a request that comes to its head too
//! late to be done in time (`deadline`), or while the queueing delay stays above a target (`codel`).
//!
//! ```json
//! { "queue": { "capacity": 5000, "order": "priority", "shed": "drop_lowest", "max_wait": "30s" } }
//! ```

mod codel;
mod order;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Admission, BuildAdmission, Next, Offer};
use crate::client::gate::{Blocked, Gate};
use crate::form::build::{Built, Names, Refusal};
use crate::form::units::{Duration, Places};
use crate::kernel::chance::Key;
use crate::kernel::time::{Span, Time};
use crate::words::Ask;

use codel::Codel;
use order::Order;

/// A queue in front of the gate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// The most requests that may wait; 0 refuses at once what may not pass. Default: no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Places>,
    /// The order in which requests leave the line. Default: `priority`.
    #[serde(default)]
    pub order: Order,
    /// The request that is shed when one more comes than may wait. Default: `reject`.
    #[serde(default)]
    pub shed: Shed,
    /// CoDel: drop from the line while the queueing delay stays above target. It goes by the wait of the request that
    /// is let in next: with an `order` other than `fifo` that says little of those at the back, so the waits of late
    /// priorities stay unbounded (give `max_wait` too), and under `lifo` it hardly ever drops. Default: off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codel: Option<Codel>,
    /// Drop a request that comes to the head of the line too late to be done in time. Default: off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Deadline>,
    /// The longest wait, after which a request is given up. Default: no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_wait: Option<Duration>,
}

/// The request that is shed when one more comes than may wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Shed {
    /// The request that arrives is shed.
    #[default]
    Reject,
    /// The request that has waited longest is shed.
    DropOldest,
    /// The newest request of the lowest priority (the highest number) is shed; the arriving one, if none is of lower
    /// priority than it.
    DropLowest,
}

/// The time within which a request is worth sending.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Deadline {
    /// The time from the beginning of its wait within which a request must be done.
    pub within: Duration,
    /// The time that a request is expected to take once it is let in; at most `within`.
    pub expected: Duration,
}

impl BuildAdmission for Queue {
    fn build(&self, _names: &Names<'_>) -> Built<Box<dyn Admission>> {
        let codel = self.codel.map(|c| c.build()).transpose();
        let patience = self.deadline.map(|d| d.patience()).transpose();
        Ok(Box::new(Running {
            lines: self.order.build().map_err(|r| r.at("order"))?,
            capacity: self.capacity.map(|c| usize::try_from(c.get()).unwrap_or(usize::MAX)),
            shed: self.shed,
            codel: codel.map_err(|r| r.at("codel"))?,
            patience: patience.map_err(|r| r.at("deadline"))?.unwrap_or(Span::FOREVER),
            max_wait: self.max_wait.map_or(Span::FOREVER, |d| d.span()),
        }))
    }
}

impl Deadline {
    /// The longest wait that leaves time enough.
    fn patience(&self) -> Built<Span> {
        if self.expected.span() > self.within.span() {
            let text = format!(
                "expected is {}, longer than the {} within which",
                self.expected, self.within
            );
            return Err(Refusal::new(text + " a request must be done: all would be dropped").at("expected"));
        }
        Ok(self.within.span() - self.expected.span())
    }
}

#[derive(Clone, Debug)]
struct Running {
    lines: order::Lines,
    capacity: Option<usize>,
    shed: Shed,
    codel: Option<codel::Control>,
    /// The longest wait after which the deadline can still be met; a request that comes to the head later is dropped.
    patience: Span,
    max_wait: Span,
}

impl Running {
    /// Called when a request has left the line: tells CoDel if the line is empty.
    #[inline]
    fn left(&mut self) {
        if let Some(codel) = &mut self.codel
            && self.lines.waiting() == 0
        {
            codel.emptied();
        }
    }

    /// The request that gives up its place in the full line to `ask`, if there is one.
    fn drop_for(&mut self, ask: &Ask) -> Option<u32> {
        let (spot, waiting) = match self.shed {
            Shed::Reject => return None,
            Shed::DropOldest => self.lines.oldest()?,
            Shed::DropLowest => self.lines.lowest().filter(|(_, w)| w.ask.priority > ask.priority)?,
        };
        let slot = waiting.slot;
        self.lines.take(spot, false);
        Some(slot)
    }
}

impl Admission for Running {
    #[inline]
    fn offer(&mut self, now: Time, slot: u32, ask: &Ask, gate: &mut Gate) -> Offer {
        if self.lines.is_first(now, ask) {
            match gate.enter(now, ask) {
                Ok(()) => {
                    self.lines.passed_by(ask);
                    return Offer::Enter;
                }
                // In line, a request that can never pass would hold up all behind it.
                Err(Blocked::Never | Blocked::Rejected) => return Offer::Rejected,
                Err(Blocked::Full | Blocked::Held | Blocked::Until(_)) => {}
            }
        }
        if gate.never_passes(now, ask) {
            return Offer::Rejected;
        }
        let offer = if self.capacity.is_some_and(|c| self.lines.waiting() >= c) {
            match self.drop_for(ask) {
                Some(other) => Offer::WaitInsteadOf(other),
                None => return Offer::Shed,
            }
        } else {
            Offer::Wait
        };
        self.lines.push(now, slot, ask);
        offer
    }

    #[inline]
    fn next(&mut self, now: Time, gate: &mut Gate) -> Next {
        let Some((spot, &order::Waiting { slot, ask, since, .. })) = self.lines.next(now) else {
            return Next::NoRequest;
        };
        let waited = now.since(since);
        let next = if waited > self.patience {
            Next::Shed(slot)
        } else {
            match gate.check(now, &ask) {
                Ok(()) => {
                    let left = self.lines.waiting() - 1;
                    if (self.codel.as_mut()).is_some_and(|codel| codel.drops(now, waited, left)) {
                        Next::Shed(slot)
                    } else {
                        gate.pass(now, &ask);
                        Next::Enter(slot)
                    }
                }
                Err(Blocked::Full) => return Next::NoRequest,
                Err(Blocked::Held) => return Next::Held,
                Err(Blocked::Until(at)) => return Next::Until(at),
                Err(Blocked::Never | Blocked::Rejected) => Next::Rejected(slot),
            }
        };
        self.lines.take(spot, matches!(next, Next::Enter(_)));
        self.left();
        next
    }

    fn remove(&mut self, slot: u32) {
        self.lines.remove(slot);
        self.left();
    }

    fn waiting(&self) -> usize {
        self.lines.waiting()
    }

    fn capacity(&self) -> Option<usize> {
        self.capacity
    }

    fn max_wait(&self) -> Span {
        self.max_wait
    }

    fn fresh(&self, _own: Key) -> Box<dyn Admission> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::limiter::Done;
    use crate::client::limiter::LimiterSpec;

    fn queue(json: &str) -> Box<dyn Admission> {
        serde_json::from_str::<Queue>(json)
            .unwrap()
            .build(&Names::default())
            .unwrap()
    }

    fn ask(priority: u8) -> Ask {
        Ask {
            priority,
            ..Ask::default()
        }
    }

    /// One in flight; then four of priorities 2, 1, 0, 1 wait, and the fifth is shed.
    fn order_of(json: &str) -> (Vec<u32>, Offer) {
        let (mut queue, mut gate, now) = (queue(json), Gate::new(Vec::new(), 1), Time::ZERO);
        assert_eq!(queue.offer(now, 9, &ask(2), &mut gate), Offer::Enter);
        for (slot, priority) in [(1, 2), (2, 1), (3, 0), (4, 1)] {
            assert_eq!(queue.offer(now, slot, &ask(priority), &mut gate), Offer::Wait);
        }
        let fifth = queue.offer(now, 5, &ask(0), &mut gate);
        let mut left = Vec::new();
        while queue.waiting() > 0 {
            assert_eq!(queue.next(now, &mut gate), Next::NoRequest);
            gate.leave(now, || Done::at(now));
            if let Next::Enter(slot) = queue.next(now, &mut gate) {
                left.push(slot);
            }
        }
        (left, fifth)
    }

    #[test]
    fn priorities_go_first_and_within_one_the_longest_wait() {
        assert_eq!(order_of(r#"{"capacity": 4}"#), (vec![3, 2, 4, 1], Offer::Shed));
        assert_eq!(
            order_of(r#"{"capacity": 4, "order": "fifo"}"#),
            (vec![1, 2, 3, 4], Offer::Shed)
        );
    }

    #[test]
    fn a_line_without_places_refuses_at_once() {
        for shed in ["reject", "drop_oldest", "drop_lowest"] {
            let (mut queue, mut gate) = (
                queue(&format!(r#"{{"capacity": 0, "shed": "{shed}"}}"#)),
                Gate::new(Vec::new(), 1),
            );
            let mut come = |slot, gate: &mut Gate| queue.offer(Time::ZERO, slot, &ask(0), gate);
            assert_eq!(come(0, &mut gate), Offer::Enter);
            assert_eq!(come(1, &mut gate), Offer::Shed, "{shed}");
            gate.leave(Time::ZERO, || Done::at(Time::ZERO));
            assert_eq!(come(2, &mut gate), Offer::Enter);
        }
    }

    /// A bucket of ten tokens, a token a second.
    fn bucket() -> Gate {
        let spec = r#"{"token_bucket": {"unit": "input_tokens", "rate": "1/s", "burst": 10}}"#;
        let spec: LimiterSpec = serde_json::from_str(spec).unwrap();
        Gate::new(vec![spec.as_dyn().build(&Names::default()).unwrap()], 5)
    }

    /// Ten of ten tokens are taken, eight are awaited and the line is full; three are there when one of two comes.
    #[test]
    fn whoever_arrives_first_in_line_goes_at_once_if_it_may() {
        let (mut queue, mut gate) = (queue(r#"{"capacity": 1}"#), bucket());
        let sized = |priority, input| Ask { input, ..ask(priority) };
        let later = Time::from_nanos(3_000_000_000);
        assert_eq!(queue.offer(Time::ZERO, 0, &sized(1, 10), &mut gate), Offer::Enter);
        assert_eq!(queue.offer(Time::ZERO, 1, &sized(1, 8), &mut gate), Offer::Wait);
        assert_eq!(queue.offer(later, 2, &sized(1, 2), &mut gate), Offer::Shed);
        assert_eq!(queue.offer(later, 3, &sized(0, 2), &mut gate), Offer::Enter);
    }

    #[test]
    fn what_no_limiter_will_ever_pass_is_shed_behind_others_too() {
        let (mut queue, mut gate, now) = (queue("{}"), bucket(), Time::ZERO);
        let sized = |input| Ask { input, ..ask(0) };
        assert_eq!(queue.offer(now, 0, &sized(10), &mut gate), Offer::Enter);
        assert_eq!(queue.offer(now, 1, &sized(1), &mut gate), Offer::Wait);
        assert_eq!(queue.offer(now, 2, &sized(11), &mut gate), Offer::Rejected);
    }

    #[test]
    fn who_gives_up_leaves_the_line() {
        let (mut queue, mut gate, now) = (queue("{}"), Gate::new(Vec::new(), 1), Time::ZERO);
        for slot in 0..4 {
            queue.offer(now, slot, &ask(0), &mut gate);
        }
        queue.remove(2);
        gate.leave(now, || Done::at(now));
        assert_eq!(queue.next(now, &mut gate), Next::Enter(1));
        gate.leave(now, || Done::at(now));
        assert_eq!((queue.next(now, &mut gate), queue.waiting()), (Next::Enter(3), 0));
    }

    /// In flight 9. Then, a second apart, these (slot, priority) come; the last of them finds the line full. Who was dropped for
    /// it, and who then goes when, one a second.
    fn scene(json: &str, come: &[(u32, u8)]) -> (Offer, Vec<u32>) {
        let (mut queue, mut gate, at) = (queue(json), Gate::new(Vec::new(), 1), |s: usize| {
            Time::ZERO + Span::from_secs(s as u64)
        });
        assert_eq!(queue.offer(at(0), 9, &ask(0), &mut gate), Offer::Enter);
        let mut last = Offer::Enter;
        for (i, &(slot, priority)) in come.iter().enumerate() {
            last = queue.offer(at(i), slot, &ask(priority), &mut gate);
        }
        let mut went = Vec::new();
        for second in come.len().. {
            if queue.waiting() == 0 {
                break;
            }
            gate.leave(at(second), || Done::at(at(second)));
            while let Next::Enter(slot) | Next::Shed(slot) = queue.next(at(second), &mut gate) {
                went.push(slot);
            }
        }
        (last, went)
    }

    #[test]
    fn each_order_takes_whom_it_says() {
        let come = [(1, 2), (2, 0), (3, 1), (4, 0), (5, 2), (6, 1)];
        let order = |order: &str| scene(&format!(r#"{{"order": {order}}}"#), &come).1;
        assert_eq!(order(r#""priority""#), [2, 4, 3, 6, 1, 5]);
        assert_eq!(order(r#""fifo""#), [1, 2, 3, 4, 5, 6]);
        assert_eq!(order(r#""lifo""#), [6, 5, 4, 3, 2, 1]);
        // Weights 2, 1, 1: turns end at 1, 2 for priority 0 and at 2, 4 for 1 and 2; at equal ends the lower number goes.
        assert_eq!(order(r#"{"weighted_fair": {"weights": [2, 1]}}"#), [2, 4, 3, 1, 6, 5]);
        // Gone at 6 s, 7 s, …; they came at 0, 1, … 5 s. At 7 s the third has waited five: 0; the first a step: 1. At 8 s two: 0.
        assert_eq!(order(r#"{"aging": {"step": "4s"}}"#), [2, 3, 1, 4, 6, 5]);
    }

    #[test]
    fn a_full_line_sheds_whom_it_says() {
        let come = [(1, 1), (2, 2), (3, 2), (4, 1)];
        let shed = |shed: &str, come: &[(u32, u8)]| scene(&format!(r#"{{"capacity": 3, "shed": "{shed}"}}"#), come);
        assert_eq!(shed("reject", &come), (Offer::Shed, vec![1, 2, 3]));
        assert_eq!(shed("drop_oldest", &come), (Offer::WaitInsteadOf(1), vec![4, 2, 3]));
        assert_eq!(shed("drop_lowest", &come), (Offer::WaitInsteadOf(3), vec![1, 4, 2]));
        let low = [(1, 1), (2, 2), (3, 2), (4, 2)];
        assert_eq!(shed("drop_lowest", &low), (Offer::Shed, vec![1, 2, 3]));
    }

    /// Two come at 0 and one at 2 s; each must be let in within 10 − 4 s.
    #[test]
    fn who_cannot_be_done_in_time_is_dropped_at_the_head() {
        let json = r#"{"order": "fifo", "deadline": {"within": "10s", "expected": "4s"}}"#;
        let (mut queue, mut gate) = (queue(json), Gate::new(Vec::new(), 1));
        let at = |s: u64| Time::ZERO + Span::from_secs(s);
        for (second, slot) in [(0, 9), (0, 1), (0, 2), (2, 3)] {
            queue.offer(at(second), slot, &ask(0), &mut gate);
        }
        gate.leave(at(6), || Done::at(at(6)));
        assert_eq!(queue.next(at(6), &mut gate), Next::Enter(1));
        assert_eq!(queue.next(at(6), &mut gate), Next::NoRequest);
        assert_eq!(queue.next(at(7), &mut gate), Next::Shed(2));
        assert_eq!(queue.next(at(7), &mut gate), Next::NoRequest);
        gate.leave(at(8), || Done::at(at(8)));
        assert_eq!(queue.next(at(8), &mut gate), Next::Enter(3));
    }

    /// Weights 5, 3, 2 and every priority always waiting: of every ten turns five, three and two.
    #[test]
    fn turns_are_shared_exactly_by_weight() {
        let json = r#"{"order": {"weighted_fair": {"weights": [5, 3, 2]}}}"#;
        let (mut queue, mut gate, now) = (queue(json), Gate::new(Vec::new(), 1), Time::ZERO);
        queue.offer(now, 9, &ask(0), &mut gate);
        for _ in 0..2 {
            (0..3).for_each(|p| assert_eq!(queue.offer(now, u32::from(p), &ask(p), &mut gate), Offer::Wait));
        }
        for _ in 0..20 {
            let mut turns = [0; 3];
            for _ in 0..10 {
                gate.leave(now, || Done::at(now));
                let Next::Enter(slot) = queue.next(now, &mut gate) else {
                    panic!("a request waits");
                };
                turns[slot as usize] += 1;
                assert_eq!(queue.offer(now, slot, &ask(slot as u8), &mut gate), Offer::Wait);
            }
            assert_eq!(turns, [5, 3, 2]);
        }
    }
}
