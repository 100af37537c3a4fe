//! Where the prompt is believed to be cached, unless load is uneven: `cache_aware` of SGLang's router and SMG.
//!
//! If the load, the client's calls under way, is uneven, the provider with the fewest takes the call. It is when the
//! largest exceeds the smallest by more than `balance_abs_threshold` and is more than `balance_rel_threshold` times it.
//! Otherwise the provider takes it that has the longest beginning of the prompt, if that is more than `cache_threshold` of
//! the input; otherwise the one with the smallest tree of beginnings. Wherever it goes, it is believed to be cached
//! from then on.
//!
//! A beginning is a user here: all prompts of a user begin with the same `prefix` tokens, by default all of them, and are
//! where the last one went. A tree is as large as the number of users last sent to a provider. In SMG a beginning may be in
//! several trees, of which the one used last counts; so it is here.
//!
//! - As published, load counts also at providers that take no calls, so that an idle one that is down makes load uneven
//!   for as long as it is down; a user that is cached at one that takes no calls goes to the first that does, all of
//!   them to the same, and is not noted there; a retry goes back where the last attempt failed.
//! - `mended`: only providers that take calls count and are chosen, a user that is cached at another goes to the
//!   smallest tree and is noted there, and a retry goes to the fewest calls elsewhere if it can.
//!
//! Keeps one provider and one time for each user: for `ttl` if it is given, else until `max_users` others have asked.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `cache_threshold` | 50 % | 0 to 100 % |
//! | `balance_abs_threshold` | 32 | 0 or more |
//! | `balance_rel_threshold` | 1.1 | 0 or more |
//! | `otherwise` | `smallest_tree` | `smallest_tree`, `fewest_calls` |
//! | `prefix` | the whole input | at least 1 |
//! | `max_users` | any number | at least 1 |
//! | `ttl` | for ever | above 0 |
//! | `mended` | false | |
//!
//! Source: SMG `model_gateway/src/policies/cache_aware.rs`, formerly sglang-router. Its newer versions take the fewest calls
//! where they say the smallest tree (`otherwise`). It drops what was used longest ago every 30 s once its trees exceed
//! `max_tree_size` characters; `max_users` drops it at once. `ttl` is ours: a provider that sells by the token says how long
//! it keeps a prompt, and a worker of one's own does not. Left out: the mode in which workers report what they have cached.
//!
//! Known faults: those above; up to 32 calls are queued at one provider while others are idle; a beginning counts as cached
//! from when it is sent, though the call may fail.
//!
//! ```json
//! { "cache_affine": { "balance_abs_threshold": 8, "prefix": 2000, "ttl": "5m", "mended": true } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildPolicy, Call, Fleet, Members, Policy, Wants, lowest, taking_part, users};
use crate::form::build::{Built, Names, Refusal};
use crate::form::units::{Count, Duration, Fraction};
use crate::kernel::lru::Lru;
use crate::kernel::time::{Span, Time};

/// Cache-aware routing: a prompt goes where it is believed to be cached, unless load is uneven.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CacheAffine {
    /// The providers that take part; of equals the first here wins. Default: every provider, in the experiment's order.
    pub providers: Members,
    /// The share of the input that must be believed cached. Default: 50 %.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_threshold: Option<Fraction>,
    /// The number of calls by which the largest load must exceed the smallest to be uneven. Default: 32.
    pub balance_abs_threshold: u32,
    /// The multiple of the smallest load that the largest must exceed to be uneven, 0 or more. Default: 1.1.
    #[schemars(range(min = 0))]
    pub balance_rel_threshold: f64,
    /// The rule for a prompt that is cached nowhere. Default: `smallest_tree`.
    pub otherwise: Uncached,
    /// The number of tokens that all prompts of a user begin with. Default: the whole input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<Count>,
    /// The number of users that are remembered; the user that asked longest ago is forgotten. Default: any number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_users: Option<Count>,
    /// The time after a user's last prompt for which it is believed cached. Default: for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Duration>,
    /// Whether its faults are mended. Default: false.
    pub mended: bool,
}

/// The rule for a prompt that is cached nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Uncached {
    /// The provider to which the fewest users were last sent takes the prompt.
    #[default]
    SmallestTree,
    /// The provider with the fewest calls takes the prompt.
    FewestCalls,
}

impl Default for CacheAffine {
    fn default() -> Self {
        CacheAffine {
            providers: Members::default(),
            cache_threshold: None,
            balance_abs_threshold: 32,
            balance_rel_threshold: 1.1,
            otherwise: Uncached::default(),
            prefix: None,
            max_users: None,
            ttl: None,
            mended: false,
        }
    }
}

impl BuildPolicy for CacheAffine {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        let users = users(names)?;
        let relative = self.balance_rel_threshold;
        if !(relative >= 0.0 && relative.is_finite()) {
            let text = format!("a threshold of {relative}: must be 0 or more");
            return Err(Refusal::new(text).at("balance_rel_threshold"));
        }
        if self.ttl.is_some_and(|ttl| ttl.span() == Span::ZERO) {
            return Err(Refusal::new("0s: must be longer than nothing").at("ttl"));
        }
        Ok(Box::new(Running {
            order: taking_part(&self.providers, names)?,
            threshold: self.cache_threshold.map_or(0.5, |share| share.get()),
            absolute: self.balance_abs_threshold,
            relative,
            otherwise: self.otherwise,
            prefix: self.prefix.map_or(f64::INFINITY, |tokens| tokens.get() as f64),
            ttl: self.ttl.map_or(Span::FOREVER, Duration::span),
            mended: self.mended,
            trees: Trees {
                most: (self.max_users).map_or(usize::MAX, |most| usize::try_from(most.get()).unwrap_or(usize::MAX)),
                homes: vec![Home::NOWHERE; users as usize],
                sizes: vec![0; names.providers.len()],
                order: self.max_users.map_or_else(Lru::default, |_| Lru::below(users)),
            },
        }))
    }
}

/// The provider to which a user's last prompt went, and when.
#[derive(Clone, Copy, Debug)]
struct Home {
    provider: u32,
    at: Time,
}

impl Home {
    const NOWHERE: Home = Home {
        provider: u32::MAX,
        at: Time::ZERO,
    };
}

/// The providers at which users are believed to be cached.
#[derive(Clone, Debug)]
struct Trees {
    most: usize,
    homes: Vec<Home>,
    /// The number of users at each provider.
    sizes: Vec<u32>,
    /// The users by when they last asked; not used if all are remembered.
    order: Lru,
}

impl Trees {
    fn insert(&mut self, user: u32, provider: usize, now: Time) {
        let home = Home {
            provider: provider as u32,
            at: now,
        };
        self.leave(user);
        self.sizes[provider] += 1;
        self.homes[user as usize] = home;
        if self.most != usize::MAX {
            self.order.touch(user);
            if self.order.len() > self.most
                && let Some(out) = self.order.pop_oldest()
            {
                self.leave(out);
                self.homes[out as usize] = Home::NOWHERE;
            }
        }
    }

    fn leave(&mut self, user: u32) {
        let before = self.homes[user as usize].provider as usize;
        if let Some(size) = self.sizes.get_mut(before) {
            *size -= 1;
        }
    }

    /// The provider that `user` is at, if that was noted at most `ttl` ago.
    fn home(&self, user: u32, now: Time, ttl: Span) -> Option<usize> {
        let home = self.homes[user as usize];
        let known = home.provider != u32::MAX && now.since(home.at) <= ttl;
        known.then_some(home.provider as usize)
    }
}

#[derive(Clone, Debug)]
struct Running {
    order: Vec<usize>,
    threshold: f64,
    absolute: u32,
    relative: f64,
    otherwise: Uncached,
    prefix: f64,
    ttl: Span,
    mended: bool,
    trees: Trees,
}

impl Running {
    fn is_uneven(&self, fleet: &Fleet<'_>) -> bool {
        let counts = |p: usize| !self.mended || fleet.is_open_to_calls(p);
        let loads = || self.order.iter().filter(|&&p| counts(p)).map(|&p| fleet.load(p));
        let (Some(least), Some(most)) = (loads().min(), loads().max()) else {
            return false;
        };
        most - least > self.absolute && f64::from(most) > f64::from(least) * self.relative
    }

    fn fewest_calls(&self, fleet: &Fleet<'_>, takes: impl Fn(usize) -> bool) -> Option<usize> {
        lowest(&self.order, |p| takes(p).then(|| fleet.load(p)))
    }

    fn uncached(&self, fleet: &Fleet<'_>, takes: impl Fn(usize) -> bool) -> Option<usize> {
        match self.otherwise {
            Uncached::SmallestTree => lowest(&self.order, |p| takes(p).then(|| self.trees.sizes[p])),
            Uncached::FewestCalls => self.fewest_calls(fleet, takes),
        }
    }
}

impl Policy for Running {
    #[inline]
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        let takes = |p: usize| fleet.is_open_to_calls(p);
        let input = f64::from(call.input);
        let home = if self.prefix.min(input) > self.threshold * input {
            self.trees.home(call.user, fleet.now(), self.ttl)
        } else {
            None
        };
        let retry =
            (call.last.filter(|_| self.mended)).and_then(|last| self.fewest_calls(fleet, |p| p != last && takes(p)));
        let chosen = if retry.is_some() {
            retry
        } else if self.is_uneven(fleet) {
            self.fewest_calls(fleet, takes)
        } else {
            match home {
                Some(home) if takes(home) => Some(home),
                // The provider to which it goes instead is not noted.
                Some(_) if !self.mended => return self.order.iter().copied().find(|&p| takes(p)),
                _ => self.uncached(fleet, takes),
            }
        };
        if let Some(provider) = chosen {
            self.trees.insert(call.user, provider, fleet.now());
        }
        chosen
    }

    fn wants(&self) -> Wants {
        Wants::NOTHING
    }

    fn fresh(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use crate::client::host::Host;

    fn loaded(closed: &[usize], in_flight: [u32; 3]) -> Vec<Host> {
        let mut hosts = hosts(closed);
        for (host, n) in hosts.iter_mut().zip(in_flight) {
            host.in_flight = n;
        }
        hosts
    }

    fn goes(policy: &mut dyn Policy, hosts: &[Host], seconds: u64, user: u32) -> Option<usize> {
        let call = Call {
            user,
            input: 1000,
            ..call(0, 0)
        };
        policy.choose(&call, &Fleet::new(hosts, None, Time::ZERO + Span::from_secs(seconds)))
    }

    #[test]
    fn users_go_to_the_smallest_tree_and_stay() {
        let (mut policy, hosts) = (policy(r#""cache_affine""#), hosts(&[]));
        let mut go = |user| goes(&mut *policy, &hosts, 0, user).unwrap();
        assert_eq!([5, 6, 7, 8].map(&mut go), [0, 1, 2, 0]);
        assert_eq!([7, 6, 5, 8, 9].map(&mut go), [2, 1, 0, 0, 1]);
    }

    /// SMG: more than 32 apart, and the largest more than 1.1 times the smallest.
    #[test]
    fn uneven_load_goes_to_the_shortest_queue() {
        for (loads, to) in [
            ([32, 0, 5], 0),
            ([33, 0, 5], 1),
            ([400, 367, 399], 0),
            ([363, 330, 350], 0),
            ([364, 330, 350], 1),
        ] {
            let mut policy = policy(r#""cache_affine""#);
            assert_eq!(goes(&mut *policy, &hosts(&[]), 0, 1), Some(0));
            assert_eq!(goes(&mut *policy, &loaded(&[], loads), 0, 1), Some(to), "{loads:?}");
            assert_eq!(goes(&mut *policy, &hosts(&[]), 0, 1), Some(to), "and it is noted there");
        }
    }

    #[test]
    fn a_beginning_of_half_the_input_is_too_short() {
        for (prefix, again) in [(500, 1), (501, 0)] {
            let mut policy = policy(&format!(
                r#"{{"cache_affine": {{"prefix": {prefix}, "otherwise": "fewest_calls"}}}}"#
            ));
            assert_eq!(goes(&mut *policy, &hosts(&[]), 0, 1), Some(0));
            assert_eq!(
                goes(&mut *policy, &loaded(&[], [1, 0, 1]), 0, 1),
                Some(again),
                "{prefix}"
            );
        }
    }

    #[test]
    fn it_is_believed_for_a_time_and_of_so_many() {
        let mut policy = policy(r#"{"cache_affine": {"ttl": "10s", "max_users": 2, "otherwise": "fewest_calls"}}"#);
        let (first, later) = (hosts(&[]), loaded(&[], [1, 0, 0]));
        assert_eq!(goes(&mut *policy, &first, 0, 1), Some(0));
        assert_eq!(goes(&mut *policy, &later, 10, 1), Some(0), "and renewed");
        assert_eq!(goes(&mut *policy, &later, 21, 1), Some(1));
        assert_eq!(goes(&mut *policy, &first, 21, 2), Some(0));
        assert_eq!(goes(&mut *policy, &first, 21, 3), Some(0));
        assert_eq!(goes(&mut *policy, &first, 22, 1), Some(0), "1 was forgotten for 3");
        assert_eq!(goes(&mut *policy, &later, 22, 3), Some(0));
    }

    #[test]
    fn a_provider_that_is_down() {
        // (whether mended, where 9 and 10 go while their b is down, where they go when it is back)
        for (mended, down, back) in [(false, [0, 0], [1, 1]), (true, [0, 2], [0, 2])] {
            let mut policy = policy(&format!(r#"{{"cache_affine": {{"mended": {mended}}}}}"#));
            let all = hosts(&[]);
            for user in [8, 9, 7, 6, 10, 5] {
                goes(&mut *policy, &all, 0, user);
            }
            let without = hosts(&[1]);
            assert_eq!(
                [9, 10].map(|u| goes(&mut *policy, &without, 0, u).unwrap()),
                down,
                "{mended}"
            );
            assert_eq!(
                [9, 10].map(|u| goes(&mut *policy, &all, 0, u).unwrap()),
                back,
                "{mended}"
            );
        }
    }

    #[test]
    fn one_that_is_down_and_idle_makes_load_uneven_unless_mended() {
        for (mended, to) in [(false, 2), (true, 0)] {
            let mut policy = policy(&format!(r#"{{"cache_affine": {{"mended": {mended}}}}}"#));
            goes(&mut *policy, &hosts(&[]), 0, 1);
            assert_eq!(
                goes(&mut *policy, &loaded(&[1], [40, 0, 35]), 0, 1),
                Some(to),
                "{mended}"
            );
            assert_eq!(goes(&mut *policy, &hosts(&[0, 1, 2]), 0, 1), None);
        }
    }

    #[test]
    fn a_retry_goes_back_unless_mended() {
        for (mended, to) in [(false, 0), (true, 2)] {
            let mut policy = policy(&format!(r#"{{"cache_affine": {{"mended": {mended}}}}}"#));
            let hosts = loaded(&[], [0, 3, 2]);
            goes(&mut *policy, &hosts, 0, 1);
            let retry = Call {
                user: 1,
                input: 1000,
                last: Some(0),
                ..call(0, 0)
            };
            assert_eq!(
                policy.choose(&retry, &Fleet::new(&hosts, None, Time::ZERO)),
                Some(to),
                "{mended}"
            );
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (parameters, refusal) in [
            (
                r#"{"balance_rel_threshold": -1}"#,
                Refusal::new("a threshold of -1: must be 0 or more").at("balance_rel_threshold"),
            ),
            (
                r#"{"ttl": "0s"}"#,
                Refusal::new("0s: must be longer than nothing").at("ttl"),
            ),
        ] {
            let json = format!(r#"{{"cache_affine": {parameters}}}"#);
            assert_eq!(build(&json).unwrap_err(), refusal);
        }
    }
}
