//! A canary: a share of users, or of requests, goes by one policy and the rest by another.
//!
//! The side is a stable hash of the user, or of the request: the canary's if it falls into `share`. Every attempt at a
//! request has the same side, whichever user or request it is by. With `otherwise` a request whose side has no open
//! provider goes to the other side for that attempt.
//!
//! As published (in an article on an e-commerce migration) the hash differs in every process, so that "the same user,
//! the same side" holds in one process only. With `processes` P each request lands on one of P at random and the side
//! is by user and process: a user sees both sides with probability 1 − s^P − (1 − s)^P for a share s. With 1 it is
//! mended.
//!
//! Keeps nothing itself; both sides learn from every attempt.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `share` | required | 0 to 1 |
//! | `canary`, `stable` | required | any policy |
//! | `by` | `user` | `user` (needs `users` in `traffic`), `request` |
//! | `processes` | 1 | 1 or more; only by user |
//! | `otherwise` | `fail` | `fail`, `other_side` (not with a policy that keeps account of single requests) |
//!
//! Source: a published article on an e-commerce migration: hash(id) mod 100 below 10, for 72 h, by user. Known faults:
//! as published, with several processes: 34 % of users see both sides of a 10 % canary on 4. The share is of users:
//! where some ask more often than others that of requests may be far from it.
//!
//! ```json
//! { "canary": { "share": "10%", "canary": { "single": { "provider": "new" } }, "stable": { "single": { "provider": "old" } },
//!     "processes": 4, "otherwise": "other_side" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::branches::{Branches, Wrap, inside};
use super::{BuildPolicy, By, Call, Fleet, Policy, PolicySpec};
use crate::form::build::{Built, Names, Refusal};
use crate::form::units::{Count, Fraction};
use crate::kernel::chance::{hash, index, threshold};

/// The keys that make sides unrelated to other hashes of the same users; those of process n follow.
const SIDES: u64 = 1 << 32;
const PROCESSES: u64 = 2;

/// A canary: a share goes by one policy, the rest by another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Canary {
    /// The share of users, or requests, that goes by `canary`.
    pub share: Fraction,
    /// The policy for the share that is the canary's.
    pub canary: Box<PolicySpec>,
    /// The policy for the others.
    pub stable: Box<PolicySpec>,
    /// What keeps its side: users or requests. Default: `user`.
    #[serde(default)]
    pub by: By,
    /// The number of processes whose hashes differ. Default: 1.
    #[serde(default = "one")]
    pub processes: Count,
    /// The side to which a request goes when its own has no open provider. Default: `fail`.
    #[serde(default)]
    pub otherwise: Spill,
}

const fn one() -> Count {
    Count::new(1).expect("1 is a count")
}

/// The side to which a request goes when its own has no open provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Spill {
    /// Neither side: the request fails.
    #[default]
    Fail,
    /// The other side takes the request.
    OtherSide,
}

impl BuildPolicy for Canary {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        self.by.check(names)?;
        if self.by == By::Request && self.processes != one() {
            let text = "requests are new to every process: only the sides of users differ by process";
            return Err(Refusal::new(text).at("processes"));
        }
        let processes = u32::try_from(self.processes.get())
            .map_err(|_| Refusal::new(format!("{} processes: at most {}", self.processes, u32::MAX)).at("processes"))?;
        let sides = Branches::new([
            inside(&self.canary, names).map_err(|r| r.at("canary"))?,
            inside(&self.stable, names).map_err(|r| r.at("stable"))?,
        ]);
        let wants = sides.wants();
        if self.otherwise == Spill::OtherSide && (wants.notes || wants.judges || wants.falls_back) {
            let text = "a policy inside keeps account of each request, which must therefore keep its side";
            return Err(Refusal::new(text).at("otherwise"));
        }
        Ok(Running {
            sides,
            by: self.by,
            below: (self.share < Fraction::ONE).then(|| threshold(self.share.get())),
            processes,
            spills: self.otherwise == Spill::OtherSide,
        }
        .wrapped())
    }
}

const CANARY: usize = 0;
const STABLE: usize = 1;

#[derive(Debug)]
struct Running {
    /// The two sides: canary, then stable.
    sides: Branches,
    by: By,
    /// The bound below which a hash is the canary's; `None` if every one is.
    below: Option<u64>,
    processes: u32,
    spills: bool,
}

impl Running {
    #[inline]
    fn side(&self, call: &Call) -> usize {
        let process = match self.processes {
            1 => 0,
            // Mixed anew: the policies inside use the draw itself.
            several => index(hash(call.draw_once(), PROCESSES), several as usize),
        };
        let hash = hash(self.by.number(call), SIDES + process as u64);
        if self.below.is_none_or(|below| hash < below) {
            CANARY
        } else {
            STABLE
        }
    }
}

impl Wrap for Running {
    fn inside(&self) -> &Branches {
        &self.sides
    }

    fn inside_mut(&mut self) -> &mut Branches {
        &mut self.sides
    }

    #[inline]
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        let side = self.side(call);
        match self.sides.choose(side, call, fleet) {
            None if self.spills => self.sides.choose(CANARY + STABLE - side, call, fleet),
            chosen => chosen,
        }
    }

    fn handler(&mut self, call: &Call) -> Option<usize> {
        Some(self.side(call))
    }

    fn fresh(&self) -> Self {
        Running {
            sides: self.sides.fresh(),
            ..*self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use crate::kernel::time::Time;

    const USERS: u32 = 5000;

    fn canary(parameters: &str) -> Box<dyn Policy> {
        let json = format!(
            r#"{{"canary": {{"share": "10%", "canary": {{"single": {{"provider": "a"}}}}, "stable": {{"single": {{"provider": "b"}}}}{parameters}}}}}"#
        );
        build_over(&json, &["a", "b", "c"], Some(USERS)).unwrap()
    }

    /// Of 100 requests of each user, which share came to a; by user.
    fn canaries(policy: &mut dyn Policy) -> Vec<f64> {
        let hosts = hosts(&[]);
        let fleet = Fleet::new(&hosts, None, Time::ZERO);
        let mut to_a = |user: u32, nth: u64| {
            let id = 100 * u64::from(user) + nth;
            policy.choose(&Call { user, ..call(id, 0) }, &fleet) == Some(0)
        };
        (0..USERS)
            .map(|user| (0..100).filter(|&nth| to_a(user, nth)).count() as f64 / 100.0)
            .collect()
    }

    fn mixed(shares: &[f64]) -> f64 {
        shares.iter().filter(|&&share| share > 0.0 && share < 1.0).count() as f64 / shares.len() as f64
    }

    /// Of 5,000 users, the standard deviation of a share of 0.1 is 0.0042.
    #[test]
    fn in_one_process_every_user_stays_on_one_side() {
        let shares = canaries(&mut *canary(""));
        assert_eq!(mixed(&shares), 0.0);
        let share = shares.iter().sum::<f64>() / f64::from(USERS);
        assert!((share - 0.1).abs() < 4.0 * 0.0042, "{share}");
    }

    /// 1 − s^P − (1 − s)^P, with standard deviations of 0.0067 and 0.0054. Whoever asks 100 times misses one of 4 processes with
    /// a probability of 1e-12.
    #[test]
    fn in_several_processes_users_see_both_sides() {
        for (processes, sd) in [(4, 0.0067), (2, 0.0054)] {
            let shares = canaries(&mut *canary(&format!(r#", "processes": {processes}"#)));
            let expected = 1.0 - 0.1_f64.powi(processes) - 0.9_f64.powi(processes);
            let both = mixed(&shares);
            assert!(
                (both - expected).abs() < 4.0 * sd,
                "{processes}: {both}, expected {expected}"
            );
            let share = shares.iter().sum::<f64>() / f64::from(USERS);
            assert!(
                (share - 0.1).abs() < 4.0 * 0.0042,
                "the share is met nevertheless: {share}"
            );
        }
    }

    /// Of 100,000 requests the standard deviation of a share of 0.1 is 0.001.
    #[test]
    fn by_request_the_share_is_of_requests_and_a_retry_keeps_its_side() {
        let mut policy = canary(r#", "by": "request""#);
        let hosts = hosts(&[]);
        let fleet = Fleet::new(&hosts, None, Time::ZERO);
        let mut to_a = 0;
        for id in 0..100_000 {
            let mut call = call(id, 0);
            let first = policy.choose(&call, &fleet);
            (call.attempt, call.last) = (call.request.attempt(1), first);
            assert_eq!(policy.choose(&call, &fleet), first);
            to_a += u64::from(first == Some(0));
        }
        assert!(to_a.abs_diff(10_000) < 400, "{to_a}");
    }

    /// What is inside draws as it would alone: of a canary half of whose requests go to a the standard deviation is 0.005.
    #[test]
    fn the_side_tells_nothing_of_what_the_policy_inside_draws() {
        for (by, processes) in [("request", 1), ("user", 4)] {
            let json = format!(
                r#"{{"canary": {{"share": "10%", "canary": "simple_shuffle", "stable": {{"single": {{"provider": "c"}}}},
                "by": "{by}", "processes": {processes}}}}}"#
            );
            let mut policy = build_over(&json, &["a", "b", "c"], Some(200_000)).unwrap();
            let [a, b, _, _] = counts(&mut *policy, &hosts(&[]), 0, 200_000);
            // A third of 20,000 each; four standard deviations are 267.
            assert!(a.abs_diff(6667) < 400 && b.abs_diff(6667) < 400, "{by}: {a} {b}");
        }
    }

    #[test]
    fn a_side_with_nobody_open_fails_or_goes_to_the_other() {
        let hosts = hosts(&[0]);
        let fleet = Fleet::new(&hosts, None, Time::ZERO);
        for (otherwise, expected) in [("fail", None), ("other_side", Some(1))] {
            let mut policy = canary(&format!(r#", "otherwise": "{otherwise}""#));
            let to: Vec<_> = (0..200)
                .map(|user| policy.choose(&Call { user, ..call(0, 0) }, &fleet))
                .collect();
            assert!(to.contains(&expected) && to.contains(&Some(1)), "{otherwise}");
            assert_eq!(to.contains(&None), otherwise == "fail");
        }
    }

    #[test]
    fn shares_of_nothing_and_of_all_are_exact() {
        for (share, expected) in [(0, [0, 0, 300, 0]), (1, [300, 0, 0, 0])] {
            let json = format!(
                r#"{{"canary": {{"share": {share}, "by": "request", "canary": {{"single": {{"provider": "a"}}}}, "stable": {{"single": {{"provider": "c"}}}}}}}}"#
            );
            assert_eq!(counts(&mut *policy(&json), &hosts(&[]), 0, 300), expected);
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let sides = r#""share": 0.1, "canary": "p2c", "stable": "p2c""#;
        let refused = |more: &str| {
            let json = format!(r#"{{"canary": {{{sides}{more}}}}}"#);
            build_over(&json, &["a"], None).err().unwrap()
        };
        assert_eq!(
            refused("").message,
            "there are no users to tell apart: give `users` in `traffic`, like {\"count\": 1000}"
        );
        assert_eq!(
            refused(r#", "by": "request", "processes": 2"#).message,
            "requests are new to every process: only the sides of users differ by process"
        );
    }
}
