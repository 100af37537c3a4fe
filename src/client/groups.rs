//! Named groups: what callers ask for, each with retries, timeouts, a breaker and fallbacks of its own.
//!
//! A request begins at the group that its class asks for. There the group's strategy chooses among the members and the group's retry
//! rule decides, both as if the group were all there is. When that rule gives up, the group's fallbacks follow in their order, each
//! with its tries all its own, and with its own fallbacks in turn before the next of the list; a group that the request has been at
//! is passed over. `most` bounds how deep these lists may lie inside one another. A prompt that is too long and an answer that the
//! content filter refused have lists of their own, where a group has them.
//!
//! Source: LiteLLM, `litellm/router.py` (`async_function_with_fallbacks`) and `router_utils/fallback_event_handlers.py`
//! (`run_async_fallback`).

mod each;
mod settings;

pub use each::{ByGroup, OfGroup, Watch};
pub use settings::{GroupChanges, GroupSettings, GroupTimeouts, GroupTimeoutsChanges};

use super::Timeouts;
use super::limiter::Limiter;
use crate::kernel::time::Time;
use crate::words::{Outcome, Outcomes};

/// The most named groups.
pub const MOST_GROUPS: usize = 256;

/// The most lists of fallbacks inside one another.
pub const MOST_DEPTH: usize = 8;

/// The named groups of a client.
#[derive(Debug)]
pub struct Groups {
    /// The groups, in the file's order; at most [`MOST_GROUPS`].
    pub of: Vec<Group>,
    /// The group that each class asks for.
    pub entry: Vec<u8>,
    /// The most lists of fallbacks that may lie inside one another, at most [`MOST_DEPTH`].
    pub most: usize,
    /// Whether the caller of a request that every group failed is told of the first group's failure instead of the last's.
    pub tells_first: bool,
}

/// A named group, as it runs.
#[derive(Debug)]
pub struct Group {
    /// The group's name in the experiment.
    pub name: String,
    /// Whether each provider is a member.
    pub members: Vec<bool>,
    /// The timeouts of attempts at each provider.
    pub timeouts: Vec<Timeouts>,
    /// The breakers of the members.
    pub watch: Watch,
    /// The limits that a request must pass when it comes to the group, all or none.
    pub limiters: Vec<Box<dyn Limiter>>,
    /// The most requests at the group at once; `u32::MAX` for no cap.
    pub max_in_flight: u32,
    /// The failures after which a fallback follows.
    pub on: Outcomes,
    /// The fallbacks: after any failure, after a prompt that is too long, after an answer that the content filter refused.
    pub chains: [Vec<u8>; 3],
}

impl Group {
    /// Whether requests that come to the group must pass limits.
    pub fn is_limited(&self) -> bool {
        self.max_in_flight != u32::MAX || !self.limiters.is_empty()
    }
}

/// The number of the list of fallbacks that follows `outcome`: that after a prompt that is too long, that after an answer that the
/// content filter refused, or the one after anything else.
fn list_after(outcome: Outcome) -> u8 {
    if outcome == Outcome::ContextExceeded {
        1
    } else if outcome == Outcome::ContentFiltered {
        2
    } else {
        0
    }
}

/// The way of a request through its groups.
#[derive(Clone, Copy, Debug)]
pub struct Trail {
    /// The groups that it has been at, a bit each.
    been: [u64; MOST_GROUPS / 64],
    /// The lists that it is in, the innermost last: the group whose list it is, which list, and the next place in it.
    lists: [(u8, u8, u8); MOST_DEPTH],
    depth: u8,
    /// When the limits of the group that it is at let it pass, [`Time::NEVER`] if they have not; and how many were inside then.
    pub entered: Time,
    /// The number of requests that were at the group when it was let in, itself included.
    pub beside: u32,
}

impl Trail {
    /// The way of a request that has not been anywhere.
    pub const NONE: Trail = Trail {
        been: [0; MOST_GROUPS / 64],
        lists: [(0, 0, 0); MOST_DEPTH],
        depth: 0,
        entered: Time::NEVER,
        beside: 0,
    };

    fn has_been_at(&self, group: u8) -> bool {
        self.been[usize::from(group) / 64] & (1 << (group % 64)) != 0
    }
}

impl Groups {
    /// The group to which a request goes that group `now` has failed with `outcome`; `None` if there is no further one.
    pub fn next(&self, trail: &mut Trail, now: u8, outcome: Outcome) -> Option<u8> {
        trail.been[usize::from(now) / 64] |= 1 << (now % 64);
        let depth = usize::from(trail.depth);
        if depth < self.most && self.of[usize::from(now)].on.contains(outcome) {
            trail.lists[depth] = (now, list_after(outcome), 0);
            trail.depth += 1;
        }
        while let Some(top) = usize::from(trail.depth).checked_sub(1) {
            let (group, chain, place) = trail.lists[top];
            let list = &self.of[usize::from(group)].chains[usize::from(chain)];
            let Some(&next) = list.get(usize::from(place)) else {
                trail.depth -= 1;
                continue;
            };
            trail.lists[top].2 += 1;
            if !trail.has_been_at(next) {
                return Some(next);
            }
        }
        None
    }

    /// The numbers of the groups that provider `p` is in.
    pub fn with(&self, p: usize) -> impl Iterator<Item = usize> {
        (0..self.of.len()).filter(move |&g| self.of[g].members[p])
    }

    /// Whether any group has limits.
    pub fn are_limited(&self) -> bool {
        self.of.iter().any(Group::is_limited)
    }

    /// The group of number `group`.
    #[inline]
    pub fn at(&self, group: u8) -> &Group {
        &self.of[usize::from(group)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Groups 0, 1, 2, … with these lists after any failure; after a prompt that is too long group 0 has `too_long`.
    fn groups(lists: &[&[u8]], too_long: &[u8], most: usize) -> Groups {
        let group = |(i, list): (usize, &&[u8])| Group {
            name: i.to_string(),
            members: Vec::new(),
            timeouts: Vec::new(),
            watch: Watch::default(),
            limiters: Vec::new(),
            max_in_flight: u32::MAX,
            on: Outcomes::ANY_FAILURE.and(Outcomes::NOT_COUNTED),
            chains: [
                list.to_vec(),
                if i == 0 { too_long } else { list }.to_vec(),
                list.to_vec(),
            ],
        };
        Groups {
            of: lists.iter().enumerate().map(group).collect(),
            entry: vec![0],
            most,
            tells_first: true,
        }
    }

    /// The groups that a request passes if every one fails it so.
    fn way(groups: &Groups, outcome: Outcome) -> Vec<u8> {
        let (mut trail, mut way) = (Trail::NONE, vec![0]);
        while let Some(next) = groups.next(&mut trail, way[way.len() - 1], outcome) {
            way.push(next);
        }
        way
    }

    #[test]
    fn a_fallbacks_own_fallbacks_come_before_the_next_of_the_list() {
        let nested = groups(&[&[1, 3], &[2], &[], &[]], &[], 5);
        assert_eq!(way(&nested, Outcome::Unavailable), [0, 1, 2, 3]);
    }

    /// The chain of a public configuration: each of two falls back to the other, the first to a third one as well.
    #[test]
    fn a_group_that_was_tried_is_passed_over() {
        let circle = groups(&[&[1, 2], &[0], &[]], &[], 5);
        assert_eq!(way(&circle, Outcome::RateLimited), [0, 1, 2]);
    }

    #[test]
    fn lists_lie_so_deep_inside_one_another_and_no_deeper() {
        let line = |most| groups(&[&[1, 4], &[2], &[3], &[], &[]], &[], most);
        assert_eq!(way(&line(1), Outcome::ServerError), [0, 1, 4]);
        assert_eq!(way(&line(2), Outcome::ServerError), [0, 1, 2, 4]);
        assert_eq!(way(&line(5), Outcome::ServerError), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_prompt_that_is_too_long_has_a_list_of_its_own() {
        let two = groups(&[&[1], &[], &[]], &[2], 5);
        assert_eq!(way(&two, Outcome::ContextExceeded), [0, 2]);
        assert_eq!(way(&two, Outcome::BadRequest), [0, 1]);
        assert_eq!(way(&two, Outcome::ContentFiltered), [0, 1]);
    }
}
