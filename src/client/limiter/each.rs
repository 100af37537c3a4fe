//! A limiter for each user, class, key or value of a tag: each has its own, and one that is over it takes nothing from others.
//!
//! `per` says what tells identities apart: `user`, `class`, `tag.NAME` (of classes or of `traffic.tags`), or `key` for `tag.key`. Each
//! identity has the limiter inside as if it were alone. `of` names the only ones that are limited, so that limits that differ are
//! several of these. A request without the tag passes.
//!
//! A request over its limit is turned away at once, as every gateway does it that limits by key: LiteLLM's keys and teams, Envoy's
//! `Distinct` headers, Kong's consumers, Bifrost's virtual keys, Helicone's keys all answer 429. `"over": "wait"` holds it back as a
//! limiter of all would: then the queue should have a line for each identity too (`each` of `admission`), or one that is over its limit
//! holds up the others behind it.
//!
//! What is kept for an identity is made at its first request and dropped when it equals a new one. A limiter is asked when a request
//! comes to the head of its line. How many requests of which identity were turned away is in the report.
//!
//! ```json
//! { "each": { "per": "user", "limiter": { "token_bucket": { "unit": "requests", "rate": "20/min", "burst": 3 } } } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildLimiter, Done, Limiter, LimiterSpec, Ready};
use crate::client::identity::{Identity, Keyed, Whose};
use crate::form::build::{Built, Names, Refusal};
use crate::kernel::chance::Key;
use crate::kernel::time::Time;
use crate::words::Ask;

/// A limiter for each identity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Each {
    /// What tells identities apart: `user`, `class`, `tag.NAME`, or `key`, which is short for `tag.key`.
    pub per: Identity,
    /// The only identities that are limited, by name; users by number. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<Vec<String>>,
    /// The limiter that each of them has.
    pub limiter: Box<LimiterSpec>,
    /// What becomes of a request over its limit. Default: `refuse`.
    #[serde(default)]
    pub over: Over,
}

/// What becomes of a request over the limit of its identity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Over {
    /// The request is turned away at once.
    #[default]
    Refuse,
    /// The request waits as the admission says.
    Wait,
}

impl BuildLimiter for Each {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Limiter>> {
        if matches!(*self.limiter, LimiterSpec::each(_)) {
            let text = "a limiter of each of each: give two limiters instead";
            return Err(Refusal::new(text).at("limiter"));
        }
        let whose = self.per.build(self.of.as_deref(), names);
        let inner = self.limiter.as_dyn().build(names);
        let inner = inner.map_err(|r| r.at(self.limiter.name()).at("limiter"))?;
        Ok(Box::new(Running {
            whose: whose.map_err(|r| if r.path.is_empty() { r.at("per") } else { r })?,
            refuses: self.over == Over::Refuse,
            what: self.limiter.name(),
            new: inner,
            own: Key::NONE,
            states: Keyed::default(),
            refused: None,
            taken: None,
        }))
    }
}

#[derive(Debug)]
struct Running {
    whose: Whose,
    refuses: bool,
    what: &'static str,
    /// The limiter of an identity that has not asked yet.
    new: Box<dyn Limiter>,
    own: Key,
    states: Keyed<Box<dyn Limiter>>,
    /// The request that was last found to be over its limit, and whose it is.
    refused: Option<(u64, u32)>,
    /// The identity whose request was let in last.
    taken: Option<u32>,
}

impl Running {
    /// The limiter of identity `number`.
    #[inline]
    fn of(&mut self, now: Time, number: u32) -> &mut dyn Limiter {
        let Running { new, own, states, .. } = self;
        let make = || new.fresh(own.part(u64::from(number) + 1));
        &mut **states.at(number, make, |limiter| limiter.is_as_new(now))
    }
}

impl Limiter for Running {
    fn ready(&mut self, now: Time, ask: &Ask) -> Ready {
        let Some(number) = self.whose.of_ask(ask) else {
            return Ready::Now;
        };
        let answer = match self.of(now, number).ready(now, ask) {
            Ready::At(_) | Ready::WhenOneLeaves if self.refuses => Ready::Rejected,
            answer @ (Ready::Now | Ready::At(_) | Ready::WhenOneLeaves | Ready::Rejected | Ready::Never) => answer,
        };
        if matches!(answer, Ready::Rejected | Ready::Never) {
            self.refused = Some((ask.id, number));
        } else if self.refused(ask).is_some() {
            self.refused = None;
        }
        answer
    }

    fn take(&mut self, now: Time, ask: &Ask) {
        self.taken = self.whose.of_ask(ask);
        if let Some(number) = self.taken {
            self.of(now, number).take(now, ask);
        }
    }

    fn give_back(&mut self) {
        if let Some(state) = self.taken.take().and_then(|number| self.states.get_mut(number)) {
            state.give_back();
        }
    }

    fn turned_away(&mut self, now: Time) {
        let state = self.refused.and_then(|(_, number)| self.states.get_mut(number));
        if let Some(state) = state {
            state.turned_away(now);
        }
    }

    fn leave(&mut self, done: &Done) {
        if let Some(number) = self.whose.of_ask(&done.ask) {
            self.of(done.now, number).leave(done);
        }
    }

    fn listens(&self) -> bool {
        self.new.listens()
    }

    fn tells_apart(&self) -> Option<(&Whose, &'static str)> {
        Some((&self.whose, self.what))
    }

    fn refused(&self, ask: &Ask) -> Option<u32> {
        self.refused.filter(|(id, _)| *id == ask.id).map(|(_, number)| number)
    }

    fn fresh(&self, own: Key) -> Box<dyn Limiter> {
        Box::new(Running {
            whose: self.whose.clone(),
            refuses: self.refuses,
            what: self.what,
            new: self.new.fresh(own),
            own,
            states: Keyed::default(),
            refused: None,
            taken: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::time::Span;

    fn limiter(json: &str) -> Box<dyn Limiter> {
        let spec: LimiterSpec = serde_json::from_str(json).unwrap();
        let classes = ["a", "b"].map(String::from);
        let names = Names {
            users: Some(1000),
            classes: &classes,
            ..Names::default()
        };
        spec.as_dyn().build(&names).unwrap()
    }

    fn of(id: u64, user: u32) -> Ask {
        Ask {
            id,
            user,
            input: 10 + (id % 7) as u32,
            output: 5,
            ..Ask::default()
        }
    }

    /// The kinds of limiter that go by time, each inside.
    const KINDS: [&str; 6] = [
        r#"{ "token_bucket": { "unit": "requests", "rate": "6/min", "burst": 2 } }"#,
        r#"{ "token_bucket": { "unit": "tokens", "rate": "90/min", "burst": 40 } }"#,
        r#"{ "fixed_window": { "unit": "requests", "limit": 3, "window": "20s" } }"#,
        r#"{ "sliding_window": { "unit": "requests", "limit": 3, "window": "20s" } }"#,
        r#"{ "sliding_counter": { "unit": "tokens", "limit": 60, "window": "20s" } }"#,
        r#"{ "gcra": { "unit": "requests", "limit": 3, "window": "20s" } }"#,
    ];

    /// Which of `asks`, a time and a request each, `limiter` lets in.
    fn admitted(limiter: &mut dyn Limiter, asks: &[(Time, Ask)]) -> Vec<u64> {
        let mut in_ = Vec::new();
        for (now, ask) in asks {
            if limiter.ready(*now, ask) == Ready::Now {
                limiter.take(*now, ask);
                in_.push(ask.id);
            }
        }
        in_
    }

    /// Requests of 300 users at times drawn once, with so many identities that states are dropped meanwhile: each identity's are let in
    /// exactly as by a limiter of its own that meets no others.
    #[test]
    fn each_identity_has_it_as_if_it_were_alone() {
        let draw = |id: u64| crate::kernel::chance::hash(id, 1);
        let asks: Vec<(Time, Ask)> = (0..6000)
            .map(|id| (Time::from_nanos(id * 20_000_000), of(id, (draw(id) % 300) as u32)))
            .collect();
        for kind in KINDS {
            let mut all = limiter(&format!(r#"{{ "each": {{ "per": "user", "limiter": {kind} }} }}"#));
            let together = admitted(&mut *all, &asks);
            let mut alone = Vec::new();
            for user in 0..300 {
                let own: Vec<(Time, Ask)> = asks.iter().filter(|(_, ask)| ask.user == user).copied().collect();
                alone.extend(admitted(&mut *limiter(kind), &own));
            }
            alone.sort_unstable();
            assert_eq!(together, alone, "{kind}");
            assert!(
                together.len() > 600 && together.len() < 5900,
                "{kind}: {}",
                together.len()
            );
        }
    }

    #[test]
    fn over_the_limit_it_refuses_or_holds_back() {
        let bucket = KINDS[0];
        let (now, later) = (Time::ZERO, Time::ZERO + Span::from_secs(10));
        for (over, expected) in [("refuse", Ready::Rejected), ("wait", Ready::At(later))] {
            let json = format!(r#"{{ "each": {{ "per": "user", "limiter": {bucket}, "over": "{over}" }} }}"#);
            let mut limiter = limiter(&json);
            let asks: Vec<(Time, Ask)> = (0..2).map(|id| (now, of(id, 7))).collect();
            assert_eq!(admitted(&mut *limiter, &asks).len(), 2);
            let third = of(2, 7);
            assert_eq!(limiter.ready(now, &third), expected);
            assert_eq!(limiter.refused(&third), (expected == Ready::Rejected).then_some(7));
            assert_eq!(limiter.ready(now, &of(3, 8)), Ready::Now, "another has its own");
            assert_eq!(limiter.refused(&of(3, 8)), None);
        }
    }

    #[test]
    fn a_cap_is_counted_for_each_and_given_back() {
        let mut limiter = limiter(r#"{ "each": { "per": "user", "limiter": { "concurrent": { "limit": 1 } } } }"#);
        let now = Time::ZERO;
        limiter.take(now, &of(0, 1));
        assert_eq!(limiter.ready(now, &of(1, 1)), Ready::Rejected);
        assert_eq!(limiter.ready(now, &of(2, 2)), Ready::Now);
        limiter.take(now, &of(2, 2));
        limiter.give_back();
        assert_eq!(limiter.ready(now, &of(3, 2)), Ready::Now);
        limiter.leave(&Done {
            ask: of(0, 1),
            ..Done::at(now)
        });
        assert_eq!(limiter.ready(now, &of(4, 1)), Ready::Now);
    }
}
