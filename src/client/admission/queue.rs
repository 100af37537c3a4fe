//! A bounded queue: whoever cannot pass waits in line, and the line moves as soon as it may.
//!
//! Strict priority between classes (lower numbers first), first come first served within one. The head of the line waits
//! for exactly what it needs, so nobody behind it overtakes it with a smaller request. Whoever arrives with nobody ahead
//! is the head: it goes at once if the gate lets it pass, though others wait behind it and the line be full. A request
//! larger than a limiter can ever let pass is shed. This is R0's concurrency control as it should be: both buckets taken
//! together, the queue really consulted, no polling.
//!
//! ```json
//! { "queue": { "capacity": 5000, "order": "priority", "max_wait": "30s" } }
//! ```

use std::collections::VecDeque;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Admission, BuildAdmission, Next, Offer};
use crate::client::gate::{Blocked, Gate};
use crate::kernel::time::{Span, Time};
use crate::request::Ask;
use crate::spec::build::Built;
use crate::spec::units::{Count, Duration};

/// A queue in front of the gate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// The most that may wait; the next one is shed. Default: no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Count>,
    /// Who goes first. Default: `priority`.
    #[serde(default)]
    pub order: Order,
    /// Give up a request that has waited this long. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_wait: Option<Duration>,
}

/// Who goes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The lowest priority number, then the longest wait.
    #[default]
    Priority,
    /// The longest wait.
    Fifo,
}

impl BuildAdmission for Queue {
    fn build(&self) -> Built<Box<dyn Admission>> {
        Ok(Box::new(Running {
            lanes: Vec::new(),
            waiting: 0,
            capacity: self.capacity.map(|c| usize::try_from(c.get()).unwrap_or(usize::MAX)),
            by_priority: self.order == Order::Priority,
            max_wait: self.max_wait.map_or(Span::FOREVER, |d| d.span()),
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    /// One line a priority; grown when a priority first waits.
    lanes: Vec<VecDeque<(u32, Ask)>>,
    waiting: usize,
    capacity: Option<usize>,
    by_priority: bool,
    max_wait: Span,
}

impl Admission for Running {
    #[inline]
    fn offer(&mut self, now: Time, slot: u32, ask: &Ask, gate: &mut Gate) -> Offer {
        let lane = if self.by_priority { usize::from(ask.priority) } else { 0 };
        if self.lanes.iter().take(lane + 1).all(VecDeque::is_empty) {
            match gate.enter(now, ask) {
                Ok(()) => return Offer::Enter,
                // In line, one that can never pass would hold up all behind it.
                Err(Blocked::Never | Blocked::Rejected) => return Offer::Shed,
                Err(Blocked::Full | Blocked::Until(_)) => {}
            }
        }
        if self.capacity.is_some_and(|c| self.waiting >= c) || gate.never_passes(now, ask) {
            return Offer::Shed;
        }
        if self.lanes.len() <= lane {
            self.lanes.resize_with(lane + 1, VecDeque::new);
        }
        self.lanes[lane].push_back((slot, *ask));
        self.waiting += 1;
        Offer::Wait
    }

    #[inline]
    fn next(&mut self, now: Time, gate: &mut Gate) -> Next {
        if self.waiting == 0 {
            return Next::Nobody;
        }
        let Some(lane) = self.lanes.iter_mut().find(|lane| !lane.is_empty()) else {
            return Next::Nobody;
        };
        let Some(&(slot, ask)) = lane.front() else {
            return Next::Nobody;
        };
        match gate.enter(now, &ask) {
            Ok(()) => {
                lane.pop_front();
                self.waiting -= 1;
                Next::Enter(slot)
            }
            Err(Blocked::Full) => Next::Nobody,
            Err(Blocked::Until(at)) => Next::Until(at),
            Err(Blocked::Never | Blocked::Rejected) => {
                lane.pop_front();
                self.waiting -= 1;
                Next::Shed(slot)
            }
        }
    }

    fn remove(&mut self, slot: u32) {
        for lane in &mut self.lanes {
            // Who has waited too long is nearly always at the head.
            if let Some(place) = lane.iter().position(|&(waiting, _)| waiting == slot) {
                lane.remove(place);
                self.waiting -= 1;
                return;
            }
        }
    }

    fn waiting(&self) -> usize {
        self.waiting
    }

    fn capacity(&self) -> Option<usize> {
        self.capacity
    }

    fn max_wait(&self) -> Span {
        self.max_wait
    }

    fn fresh(&self) -> Box<dyn Admission> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::limiter::Done;
    use crate::client::limiter::LimiterSpec;

    fn queue(json: &str) -> Box<dyn Admission> {
        serde_json::from_str::<Queue>(json).unwrap().build().unwrap()
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
            assert_eq!(queue.next(now, &mut gate), Next::Nobody);
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

    /// A bucket of ten tokens, a token a second.
    fn bucket() -> Gate {
        let spec = r#"{"token_bucket": {"unit": "input_tokens", "rate": "1/s", "burst": 10}}"#;
        let spec: LimiterSpec = serde_json::from_str(spec).unwrap();
        Gate::new(vec![spec.as_dyn().build().unwrap()], 5)
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
        assert_eq!(queue.offer(now, 2, &sized(11), &mut gate), Offer::Shed);
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
}
