//! The most requests that an endpoint serves at once, from how long requests waited that found it full.
//!
//! If `c` are served at once and the others wait in order, a request is begun when fewer than `c` of those before it are left,
//! and their ends are in the log. So every `c` says how long each request waited, and what is left of its TTFT must be what
//! requests see that find the endpoint nearly empty. Too few slots explain away more than was waited, too many leave the
//! queue in the TTFT; between them the number is found, with those that a rank-sum test (Mann and Whitney 1947, 95 %) does not
//! tell from it as bounds. Where nothing waited there is a lower bound alone: fewer slots would have shown.
//!
//! The rest must also spread as widely as the TTFTs of the empty endpoint: where load slows all requests alike, no number
//! of slots makes that so, and none is given. Requests refused by a quota, and failures without a token, take no
//! slot. Other clients of the endpoint are not seen: what they hold is missing from the number.

use crate::stats::sorting;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

use schemars::JsonSchema;
use serde::Serialize;

use super::quotas::sent_at;
use crate::calibrate::log::{Observation, Timing};
use crate::words::Outcome;

/// The fewest answers of an endpoint that is nearly empty, and of one that is full.
const ENOUGH: usize = 30;

/// The two-sided 95 % point of the normal law.
const Z95: f64 = 1.96;

/// The most that the spread of what is left of TTFT may differ from that of the empty endpoint, as a factor.
const ALIKE: f64 = 2.0;

/// The share of a step's requests that must find the endpoint full for the step to be beyond saturation.
pub(super) const FULL: f64 = 0.3;

/// The most requests that are served at once, as far as waits show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SlotsFound {
    /// The number that explains the waits best; `null` if nothing waited.
    pub slots: Option<u32>,
    /// The least number that does not contradict them.
    pub least: u32,
    /// The greatest number that does not contradict them; `null` if nothing waited.
    pub most: Option<u32>,
    /// The evidence, in words.
    pub from: String,
}

impl SlotsFound {
    /// The number, its bounds and the evidence, for a model's notes.
    pub(super) fn note(&self) -> String {
        match (self.slots, self.most) {
            (Some(slots), Some(most)) if self.least == most => format!("{slots} slots, from the {}", self.from),
            (Some(slots), Some(most)) => format!("{slots} slots ({} to {most}), from the {}", self.least, self.from),
            (Some(_), None) | (None, _) => format!("{} slots or more: {}", self.least, self.from),
        }
    }
}

/// A request that took a slot, or waited for one.
struct Taken {
    sent: f64,
    end: f64,
    ttft: Option<f64>,
    /// Requests there when it was sent, itself included.
    there: u32,
}

/// The slots that `observations`, all that were sent to the endpoint, show.
pub(super) fn found(observations: &[&Observation]) -> Option<SlotsFound> {
    let taken = taken(observations)?;
    let answered = |t: &&Taken| t.ttft.is_some();
    let mut levels: Vec<u32> = taken.iter().filter(answered).map(|t| t.there).collect();
    levels.sort_unstable();
    // The fewest at once that enough answers were seen of are nearly an empty endpoint.
    let calm = *levels.get(ENOUGH.max(levels.len() / 20))?;
    // Beyond this, too few would have found the endpoint full.
    let beyond = levels
        .len()
        .checked_sub(ENOUGH)
        .and_then(|place| levels.get(place))?
        .checked_sub(1)?;
    if beyond <= calm {
        return None;
    }
    let mut alone: Vec<f64> = taken
        .iter()
        .filter(|t| t.there <= calm)
        .filter_map(|t| t.ttft)
        .collect();
    alone.sort_by(f64::total_cmp);
    let score = |slots: u32| rank_sum(&left(&taken, slots), &alone);
    // The score rises with the slots: the first number that is not too few, and the first that is too many.
    let least = first(calm, beyond + 1, |slots| score(slots) > -Z95);
    let too_many = first(least.min(beyond), beyond + 1, |slots| score(slots) > Z95);
    let at_most = taken.iter().map(|t| t.there).max().unwrap_or(0);
    if too_many > beyond {
        // The queue was never long enough to rule any number out.
        let from = format!("up to {at_most} at once, and none waited for a slot");
        return (least > calm).then_some(SlotsFound {
            slots: None,
            least: least.min(at_most),
            most: None,
            from,
        });
    }
    if least <= calm {
        return None;
    }
    // A client hears of an end a little after the slot is free, so that none may be accepted: then the truth is one of the two
    // between which the score changes its sign.
    let (least, most) = match too_many > least {
        true => (least, too_many - 1),
        false => (too_many.saturating_sub(1).max(calm), too_many),
    };
    let nearest = (least..=most).min_by(|a, b| score(*a).abs().total_cmp(&score(*b).abs()))?;
    let rest = left(&taken, nearest);
    let spread = spread(&rest)? / spread(&alone)?;
    if !(1.0 / ALIKE..=ALIKE).contains(&spread) {
        return None;
    }
    Some(SlotsFound {
        slots: Some(nearest),
        least,
        most: Some(most),
        from: format!(
            "waits of {} requests that found them taken, of up to {at_most} at once: without the wait their TTFT is that of {} \
             that found {calm} or fewer there",
            rest.len(),
            alone.len()
        ),
    })
}

/// The requests that took a slot, in the order in which they were sent; `None` if their times are not known.
fn taken(observations: &[&Observation]) -> Option<Vec<Taken>> {
    let sent_at = sent_at(observations);
    let no_slot = |o: &Observation| {
        o.outcome == Outcome::RateLimited || (o.outcome != Outcome::Success && o.ttft == Timing::Unknown)
    };
    let one = |o: &&Observation| {
        let (Timing::Seen(lasts) | Timing::AtLeast(lasts)) = o.e2e else {
            return None;
        };
        let sent = sent_at(o)?;
        Some(Taken {
            sent,
            end: sent + lasts,
            ttft: o.ttft.seen(),
            there: 0,
        })
    };
    let mut all: Vec<Taken> = observations
        .iter()
        .filter(|o| !no_slot(o))
        .map(one)
        .collect::<Option<_>>()?;
    sorting::by(&mut all, |a, b| a.sent.total_cmp(&b.sent));
    let mut ends: BinaryHeap<Reverse<Ordered>> = BinaryHeap::new();
    for t in &mut all {
        while ends.peek().is_some_and(|Reverse(end)| end.0 <= t.sent) {
            ends.pop();
        }
        ends.push(Reverse(Ordered(t.end)));
        t.there = u32::try_from(ends.len()).unwrap_or(u32::MAX);
    }
    Some(all)
}

/// What is left of the TTFTs of requests that found all of so many slots taken, without their wait.
fn left(taken: &[Taken], slots: u32) -> Vec<f64> {
    // The latest ends of the requests so far, as many as there are slots: when the first of them ends, one is free.
    let mut ends: BinaryHeap<Reverse<Ordered>> = BinaryHeap::new();
    let mut left = Vec::new();
    for t in taken {
        if ends.len() as u64 == u64::from(slots) {
            let free = ends.peek().map_or(t.sent, |Reverse(end)| end.0);
            if t.there > slots
                && let Some(ttft) = t.ttft
            {
                left.push(ttft - (free - t.sent).max(0.0));
            }
            if t.end > free {
                ends.pop();
                ends.push(Reverse(Ordered(t.end)));
            }
        } else {
            ends.push(Reverse(Ordered(t.end)));
        }
    }
    left.sort_by(f64::total_cmp);
    left
}

/// The first number from `from` on, and below `to`, that `is` holds of, `to` if there is none; it holds of all after it.
fn first(from: u32, to: u32, is: impl Fn(u32) -> bool) -> u32 {
    let (mut low, mut high) = (from, to);
    while low < high {
        let middle = low + (high - low) / 2;
        if is(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

/// The rank-sum test of two sorted samples as a standard normal value: above 0 where the first is the greater.
fn rank_sum(a: &[f64], b: &[f64]) -> f64 {
    let (n, m) = (a.len() as f64, b.len() as f64);
    if a.is_empty() || b.is_empty() {
        return 0.0;
    }
    let mut wins = 0.0;
    for x in a {
        let (below, at) = (b.partition_point(|y| y < x), b.partition_point(|y| y <= x));
        wins += below as f64 + 0.5 * (at - below) as f64;
    }
    (wins - n * m / 2.0) / (n * m * (n + m + 1.0) / 12.0).sqrt()
}

/// The distance between the quartiles of a sorted sample.
fn spread(sorted: &[f64]) -> Option<f64> {
    let at = |share: usize| sorted.get(sorted.len() * share / 4).copied();
    Some(at(3)? - at(1)?).filter(|spread| *spread > 0.0)
}

/// A number that can be ordered: none here is NaN.
#[derive(Clone, Copy, PartialEq)]
struct Ordered(f64);

impl Eq for Ordered {}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Ordered) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ordered {
    fn cmp(&self, other: &Ordered) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::logs::gather::observed;
    use crate::kernel::chance::hash;

    /// Pseudo-random numbers in (0, 1).
    fn chance(seed: u64) -> impl FnMut() -> f64 {
        let mut n = 0;
        move || {
            n += 1;
            ((hash(n, seed) >> 11) as f64 + 0.5) / 2f64.powi(53)
        }
    }

    /// A TTFT of 0.1 s and a lognormal 0.15 s, and 1.5 s ± 10 % of tokens; `slow` is a factor on both by how many are there.
    fn service(uniform: &mut impl FnMut() -> f64) -> (f64, f64) {
        let normal = (-2.0 * libm::log(uniform())).sqrt() * libm::cos(std::f64::consts::TAU * uniform());
        (0.1 + 0.15 * libm::exp(0.5 * normal), 1.35 + 0.3 * uniform())
    }

    fn answer(sent: f64, ttft: f64, e2e: f64) -> Observation {
        Observation {
            at: Some(sent),
            ttft: Timing::Seen(ttft),
            e2e: Timing::Seen(e2e),
            ..observed(0, Outcome::Success)
        }
    }

    /// Closed loops of so many at once, `n` requests each, one after the other, served by `slots` in order.
    fn closed(seed: u64, loops: &[usize], n: usize, slots: usize) -> Vec<Observation> {
        let (mut uniform, mut log, mut begins) = (chance(seed), Vec::new(), 0.0_f64);
        for at_once in loops {
            let mut users = vec![begins; *at_once];
            let mut free = vec![begins; slots];
            for _ in 0..n {
                let user = (0..users.len()).min_by(|a, b| users[*a].total_cmp(&users[*b])).unwrap();
                let slot = (0..slots).min_by(|a, b| free[*a].total_cmp(&free[*b])).unwrap();
                let (ttft, rest) = service(&mut uniform);
                let (sent, begun) = (users[user], users[user].max(free[slot]));
                let end = begun + ttft + rest;
                (users[user], free[slot]) = (end, end);
                log.push(answer(sent, begun + ttft - sent, end - sent));
            }
            begins = users.into_iter().fold(0.0, f64::max) + 1.0;
        }
        log
    }

    fn of(log: &[Observation]) -> Option<SlotsFound> {
        found(&log.iter().collect::<Vec<_>>())
    }

    #[test]
    fn the_slots_are_found_from_the_waits() {
        for slots in [3, 12, 40] {
            let mut hit = 0;
            for seed in 0..20 {
                let found = of(&closed(seed, &[1, 2 * slots], 300, slots)).unwrap();
                let truth = slots as u32;
                assert!(found.slots.unwrap().abs_diff(truth) <= 1, "{slots}: {found:?}");
                hit += usize::from(found.least <= truth && found.most.is_some_and(|most| truth <= most));
            }
            assert!(hit >= 18, "{slots}: {hit} of 20");
        }
    }

    #[test]
    fn where_none_waited_there_is_a_lower_bound() {
        let found = of(&closed(1, &[1, 16], 300, 1000)).unwrap();
        assert_eq!((found.slots, found.most), (None, None), "{found:?}");
        assert!((14..=16).contains(&found.least), "{found:?}");
        assert_eq!(of(&closed(1, &[1], 300, 1000)), None);
        assert_eq!(
            of(&closed(1, &[16], 300, 8)),
            None,
            "nothing is known of the endpoint when it is empty"
        );
    }

    /// Every request takes longer by 15 % for each other one there: no number of slots explains that.
    #[test]
    fn a_server_that_slows_down_has_no_slots() {
        let mut uniform = chance(7);
        let mut log = Vec::new();
        for (step, at_once) in [1_u32, 24].into_iter().enumerate() {
            let mut users = vec![1e4 * step as f64; at_once as usize];
            let factor = 1.0 + 0.15 * f64::from(at_once - 1);
            for _ in 0..300 {
                let user = (0..users.len()).min_by(|a, b| users[*a].total_cmp(&users[*b])).unwrap();
                let (ttft, rest) = service(&mut uniform);
                log.push(answer(users[user], factor * ttft, factor * (ttft + rest)));
                users[user] += factor * (ttft + rest);
            }
        }
        assert_eq!(of(&log), None);
    }

    /// scipy.stats.mannwhitneyu([3, 4, 5, 9], [1, 2, 4, 6, 7], method="asymptotic", use_continuity=False): U = 12.5.
    #[test]
    fn the_rank_sum_is_scipys() {
        let z = rank_sum(&[3.0, 4.0, 5.0, 9.0], &[1.0, 2.0, 4.0, 6.0, 7.0]);
        assert!((z - 2.5 / (20.0_f64 * 10.0 / 12.0).sqrt()).abs() < 1e-12, "{z}");
    }
}
