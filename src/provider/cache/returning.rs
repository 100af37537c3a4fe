//! A prompt cache that remembers users: a user's prompt begins as that user's earlier ones did.
//!
//! The cache has the beginning of a user's prompt if that user's last prompt was read here and got its first token, at
//! most `ttl` ago. A use renews the time (`refresh`); without that it runs from when the prompt was written, and the
//! first prompt after it writes the beginning anew. What is refused, hangs or fails before its first token leaves
//! nothing in the cache.
//!
//! How much of the input that is, is given in one of three ways. `history`: as much as was said before, where the traffic has
//! `conversations` or `agents`: of the last prompt that was read here, what the next one begins with (and of its answer, with `answers`, as
//! servers do that cache what they write: vLLM, SGLang). `share` of it, where traffic has only users: each prompt
//! is the previous one and something new. With both, all that is not found is written, for the next turn. Or its first `prefix`
//! tokens, as with a document or instructions of the user's own: only those are written. `common` tokens at the
//! beginning, as of a system prompt, are the same for all users: the cache has them if any user's prompt was read here
//! within `ttl`.
//!
//! What is found is rounded down to whole steps of `granularity` tokens, and is nothing if that is below `min_tokens`;
//! a prompt with less to keep than `min_tokens` is not kept. The cache keeps the beginnings of at most `capacity`
//! users, and evicts the least recently used. `ttft` multiplies the time to first token wherever anything is found;
//! `prefill` leaves out what is found.
//!
//! Anthropic: entries live for 5 minutes, or an hour for a higher write price, and are renewed at no cost by each use;
//! an entry is available from when the answer that wrote it begins; 1,024 tokens and more for most models, a granularity of
//! one token. OpenAI: 1,024 tokens and more in steps of 128, kept for 5 to 10 minutes without use, off-peak up to an hour
//! (prompt-caching guides of both, 2025 and 2026). Neither publishes a capacity.
//!
//! Leaves out the content of prompts: two users share only `common`, and a user has one conversation at a time.
//!
//! ```json
//! { "returning": { "share": "80%", "common": 1024, "ttl": "5m", "granularity": 1 } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildCache, Cache, Found, OPENAI_STEP, factor, one, openai_least};
use crate::form::build::{Built, Names, Refusal};
use crate::form::units::{Count, Duration, Fraction, Part};
use crate::kernel::chance::Key;
use crate::kernel::lru::Lru;
use crate::kernel::time::{Span, Time};
use crate::words::Ask;

/// A prompt cache that remembers users.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Returning {
    /// The share of a returning user's input that was in the earlier prompt, 0 to 1; give this, `prefix` or `history`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<Fraction>,
    /// The number of tokens at the beginning of every input of a user that stay the same; give this, `share` or `history`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<Count>,
    /// Whether the cache goes by what was said before in the traffic's conversations and agent runs; instead of `share` or `prefix`.
    /// Default: false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub history: bool,
    /// With `history`, whether answers are kept too, and not only prompts. Default: false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub answers: bool,
    /// The number of tokens at the beginning of every input that are the same for all users. Default: 0.
    #[serde(default)]
    pub common: u32,
    /// How long an entry lives. Default: 5 minutes.
    #[serde(default = "five_minutes")]
    pub ttl: Duration,
    /// Whether a use renews the life of an entry. Default: true.
    #[serde(default = "yes")]
    pub refresh: bool,
    /// The most users whose beginnings are kept; the least recently used goes first. Default: unbounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Count>,
    /// The fewest tokens that are kept or found. Default: 1,024.
    #[serde(default = "openai_least")]
    pub min_tokens: u32,
    /// The step, in tokens, to which the tokens found are rounded down. Default: 128.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granularity: Option<Count>,
    /// Factor on the time to first token where anything is found, network not included: above 0 and at most 1. Default:
    /// 1.
    #[serde(default = "one")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1))]
    pub ttft: f64,
}

fn five_minutes() -> Duration {
    Duration::from(Span::from_secs(300))
}

fn yes() -> bool {
    true
}

impl BuildCache for Returning {
    fn build(&self, _names: &Names<'_>) -> Built<Box<dyn Cache>> {
        let tokens = |count: Count| u32::try_from(count.get()).unwrap_or(u32::MAX);
        let own = match (self.share, self.prefix, self.history) {
            (Some(share), None, false) => Own::Share(share.into()),
            (None, Some(prefix), false) => Own::Prefix(tokens(prefix)),
            (None, None, true) => Own::History { answers: self.answers },
            (Some(_), Some(_), _) => {
                return Err(Refusal::new("`prefix` beside `share`: give one or the other").at("prefix"));
            }
            (_, _, true) => {
                let text = "beside `share` or `prefix`: give one or the other";
                return Err(Refusal::new(text).at("history"));
            }
            (None, None, false) => {
                let text = "what a user's prompts have in common is missing: give `share`, a share of the input, `prefix`, \
                            a number of tokens, or `history`, what the traffic's conversations send again";
                return Err(Refusal::new(text));
            }
        };
        if self.answers && !self.history {
            return Err(Refusal::new("goes with `history`, which is not given").at("answers"));
        }
        if let Own::Prefix(prefix) = own {
            if prefix < self.min_tokens {
                let text = format!(
                    "{prefix} tokens are fewer than `min_tokens` of {}: never kept",
                    self.min_tokens
                );
                return Err(Refusal::new(text).at("prefix"));
            }
            if prefix < self.common {
                let text = format!(
                    "{} tokens are more than the `prefix` of {prefix} that begins with them",
                    self.common
                );
                return Err(Refusal::new(text).at("common"));
            }
        }
        if self.common > 0 && self.common < self.min_tokens {
            let text = format!(
                "{} tokens are fewer than `min_tokens` of {}: never kept",
                self.common, self.min_tokens
            );
            return Err(Refusal::new(text).at("common"));
        }
        if self.ttl.span() == Span::ZERO {
            return Err(Refusal::new("0s: must be longer than nothing").at("ttl"));
        }
        Ok(Box::new(Running {
            ttft: factor(self.ttft)?,
            own,
            common: self.common,
            ttl: self.ttl.span(),
            refresh: self.refresh,
            capacity: (self.capacity).map_or(usize::MAX, |most| usize::try_from(most.get()).unwrap_or(usize::MAX)),
            least: self.min_tokens,
            step: self.granularity.map_or(OPENAI_STEP, tokens).max(1),
            everybody: Kept::NOTHING,
            users: Vec::new(),
            order: Lru::default(),
        }))
    }
}

/// How much of a user's input was in the prompt before.
#[derive(Clone, Copy, Debug)]
enum Own {
    Share(Part),
    Prefix(u32),
    History { answers: bool },
}

impl Own {
    /// What is found of `ask`, of whose user `kept` tokens are kept.
    fn found(self, ask: &Ask, kept: u32) -> u32 {
        match self {
            Own::Share(share) => share.of(ask.input),
            Own::Prefix(prefix) => prefix.min(ask.input),
            Own::History { .. } => ask.resent.min(kept),
        }
    }

    /// What the next prompt of the user of `ask` may find of it, where that is remembered.
    fn leaves(self, ask: &Ask) -> u32 {
        match self {
            Own::Share(_) | Own::Prefix(_) => 0,
            Own::History { answers: false } => ask.input,
            Own::History { answers: true } => ask.input.saturating_add(ask.output),
        }
    }

    /// The number of tokens of an input that are kept after it was read.
    fn kept(self, input: u32) -> u32 {
        match self {
            Own::Share(_) | Own::History { .. } => input,
            Own::Prefix(prefix) => prefix.min(input),
        }
    }
}

/// The life of an entry: from the first time to the second, both included.
#[derive(Clone, Copy, Debug)]
struct Kept {
    from: Time,
    until: Time,
    /// The tokens that are kept, where that is not the same for all.
    tokens: u32,
}

impl Kept {
    const NOTHING: Kept = Kept {
        from: Time::NEVER,
        until: Time::ZERO,
        tokens: 0,
    };

    fn is_there(self, now: Time) -> bool {
        self.from <= now && now <= self.until
    }

    /// The entry is read at `now`; if it was not available, it is from `first_token` on.
    fn read(&mut self, now: Time, first_token: Time, ttl: Span, refresh: bool) {
        if self.is_there(now) {
            if refresh {
                self.until = now + ttl;
            }
            return;
        }
        // An attempt under way may write it sooner.
        self.from = if self.from > now {
            self.from.min(first_token)
        } else {
            first_token
        };
        self.until = now + ttl;
    }
}

#[derive(Clone, Debug)]
struct Running {
    own: Own,
    common: u32,
    ttl: Span,
    refresh: bool,
    capacity: usize,
    least: u32,
    step: u32,
    ttft: f64,
    everybody: Kept,
    users: Vec<Kept>,
    /// The users in the order of their last use; not maintained if the capacity is unbounded.
    order: Lru,
}

impl Cache for Running {
    #[inline]
    fn look(&mut self, now: Time, ask: &Ask, _key: Key) -> Found {
        let user = self.users.get(ask.user as usize).filter(|user| user.is_there(now));
        let own = user.map_or(0, |user| self.own.found(ask, user.tokens));
        let common = if self.everybody.is_there(now) {
            self.common.min(ask.input)
        } else {
            0
        };
        let found = own.max(common) / self.step * self.step;
        let cached = if found < self.least { 0 } else { found };
        let kept = self.own.kept(ask.input);
        Found {
            cached,
            written: if kept < self.least {
                0
            } else {
                kept.saturating_sub(cached)
            },
        }
    }

    #[inline]
    fn read(&mut self, now: Time, ask: &Ask, first_token: Time) {
        let kept = self.own.kept(ask.input);
        if kept < self.least {
            return;
        }
        if self.common > 0 && ask.input >= self.common {
            self.everybody.read(now, first_token, self.ttl, self.refresh);
        }
        let user = ask.user as usize;
        if self.users.len() <= user {
            self.users.resize(user + 1, Kept::NOTHING);
        }
        self.users[user].read(now, first_token, self.ttl, self.refresh);
        self.users[user].tokens = self.own.leaves(ask);
        if self.capacity != usize::MAX {
            self.order.touch(ask.user);
            if self.order.len() > self.capacity
                && let Some(out) = self.order.pop_oldest()
            {
                self.users[out as usize] = Kept::NOTHING;
            }
        }
    }

    fn ttft_factor(&self) -> f64 {
        self.ttft
    }

    fn needs_users(&self) -> bool {
        true
    }

    fn fresh(&self) -> Box<dyn Cache> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::chance::{Chance, Purpose, unit};

    fn cache(json: &str) -> Box<dyn Cache> {
        serde_json::from_str::<Returning>(json)
            .unwrap()
            .build(&Names::default())
            .unwrap()
    }

    fn at(seconds: f64) -> Time {
        Time::ZERO + Span::from_seconds_f64(seconds)
    }

    /// What is found of a prompt of `input` tokens by `user`, which is then read, its first token after `wait`.
    fn ask(cache: &mut dyn Cache, seconds: f64, user: u32, input: u32, wait: f64) -> (u32, u32) {
        let ask = Ask {
            user,
            input,
            ..Ask::default()
        };
        let found = cache.look(at(seconds), &ask, Chance::new(1, 0).request(0));
        cache.read(at(seconds), &ask, at(seconds + wait));
        (found.cached, found.written)
    }

    #[test]
    fn a_use_renews_the_time_unless_it_does_not() {
        for (refresh, fourth) in [(true, 1000), (false, 0)] {
            let mut cache = cache(&format!(
                r#"{{ "prefix": 1000, "min_tokens": 0, "granularity": 1, "ttl": "10s", "refresh": {refresh} }}"#
            ));
            assert_eq!(ask(&mut *cache, 0.0, 7, 5000, 0.0), (0, 1000), "never seen");
            assert_eq!(ask(&mut *cache, 8.0, 7, 5000, 0.0), (1000, 0));
            assert_eq!(ask(&mut *cache, 9.0, 8, 5000, 0.0), (0, 1000), "another user");
            assert_eq!(
                ask(&mut *cache, 18.0, 7, 5000, 0.0).0,
                fourth,
                "renewed at 8: {refresh}"
            );
            assert_eq!(ask(&mut *cache, 28.0, 7, 5000, 0.0).0, 1000, "at most, not less than");
            assert_eq!(ask(&mut *cache, 60.0, 7, 5000, 0.0).0, 0);
        }
    }

    /// Anthropic: "a cache entry only becomes available after the first response begins".
    #[test]
    fn it_is_there_from_the_first_token_on() {
        let mut cache = cache(r#"{ "prefix": 2000, "granularity": 1, "ttl": "10s" }"#);
        assert_eq!(ask(&mut *cache, 0.0, 0, 3000, 2.0), (0, 2000));
        assert_eq!(
            ask(&mut *cache, 1.0, 0, 3000, 5.0),
            (0, 2000),
            "the first is still being read"
        );
        assert_eq!(
            ask(&mut *cache, 2.0, 0, 3000, 5.0),
            (2000, 0),
            "and the second wrote it no later"
        );
    }

    #[test]
    fn what_is_found_and_what_is_written() {
        // (input, first time, second time).
        for (spec, rows) in [
            (
                r#"{ "share": "80%" }"#,
                &[
                    (1000, (0, 0), (0, 0)),
                    (1200, (0, 1200), (0, 1200)),
                    (2000, (0, 2000), (1536, 464)),
                ][..],
            ),
            (
                // 29 whole steps, of which a product of floats has one less.
                r#"{ "share": "29%" }"#,
                &[(12_800, (0, 12_800), (3712, 9088))],
            ),
            (
                r#"{ "prefix": 1500, "granularity": 1 }"#,
                &[
                    (1023, (0, 0), (0, 0)),
                    (1200, (0, 1200), (1200, 0)),
                    (2000, (0, 1500), (1500, 0)),
                ],
            ),
        ] {
            for &(input, first, second) in rows {
                let mut cache = cache(spec);
                assert_eq!(ask(&mut *cache, 0.0, 0, input, 0.0), first, "{spec}: {input}");
                assert_eq!(ask(&mut *cache, 1.0, 0, input, 0.0), second, "{spec}: {input}");
            }
        }
    }

    #[test]
    fn what_is_common_is_there_for_everybody() {
        let mut cache = cache(r#"{ "share": "90%", "common": 1024, "granularity": 1 }"#);
        assert_eq!(ask(&mut *cache, 0.0, 0, 2000, 0.0), (0, 2000));
        assert_eq!(ask(&mut *cache, 1.0, 1, 2000, 0.0), (1024, 976), "of another user");
        assert_eq!(ask(&mut *cache, 2.0, 1, 2000, 0.0), (1800, 200));
        assert_eq!(
            ask(&mut *cache, 400.0, 1, 2000, 0.0),
            (0, 2000),
            "the entry has expired"
        );
    }

    #[test]
    fn whoever_used_theirs_longest_ago_goes_first() {
        let mut cache = cache(r#"{ "prefix": 2000, "granularity": 1, "capacity": 2 }"#);
        let mut found = |user| ask(&mut *cache, 1.0, user, 2000, 0.0).0 > 0;
        assert_eq!([0, 1, 0].map(&mut found), [false, false, true]);
        assert!(!found(2), "1 goes");
        assert_eq!([0, 2, 1].map(&mut found), [true, true, false]);
    }

    /// Hits of `n` Poisson requests of one user, 1 a second.
    fn hit_rate(json: &str, n: u64) -> f64 {
        let mut cache = cache(json);
        let mut seconds = 0.0;
        let hits = (0..n).filter(|&id| {
            seconds -= libm::log(unit(Chance::new(3, 0).request(id).draw(Purpose::Gap)));
            ask(&mut *cache, seconds, 0, 2000, 0.0).0 > 0
        });
        hits.count() as f64 / n as f64
    }

    /// With renewal a request hits if the one before was at most τ ago: 1 − e^(−λτ). Without, each write is followed by
    /// λτ hits in the mean: λτ/(1 + λτ). Of 40,000 requests the standard deviation of the first share is 0.0025; of
    /// the second, over cycles of which each has a Poisson number of hits, 0.002.
    #[test]
    fn poisson_requests_hit_as_the_closed_forms_say() {
        for tau in [0.5, 1.0, 2.0] {
            let spec = |refresh| format!(r#"{{ "prefix": 1500, "ttl": "{tau}s", "refresh": {refresh} }}"#);
            let (renewed, written) = (hit_rate(&spec(true), 40_000), hit_rate(&spec(false), 40_000));
            assert!((renewed - (1.0 - libm::exp(-tau))).abs() < 0.01, "{tau}: {renewed}");
            assert!((written - tau / (1.0 + tau)).abs() < 0.01, "{tau}: {written}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (json, path, message) in [
            (
                "{}",
                None,
                "what a user's prompts have in common is missing: give `share`, a share of the input, `prefix`, a number of tokens, or `history`, what the traffic's conversations send again",
            ),
            (
                r#"{ "share": 0.5, "prefix": 2000 }"#,
                Some("prefix"),
                "`prefix` beside `share`: give one or the other",
            ),
            (
                r#"{ "prefix": 1000 }"#,
                Some("prefix"),
                "1000 tokens are fewer than `min_tokens` of 1024: never kept",
            ),
            (
                r#"{ "prefix": 2000, "common": 3000 }"#,
                Some("common"),
                "3000 tokens are more than the `prefix` of 2000 that begins with them",
            ),
            (
                r#"{ "share": 0.5, "common": 500 }"#,
                Some("common"),
                "500 tokens are fewer than `min_tokens` of 1024: never kept",
            ),
            (
                r#"{ "share": 0.5, "ttl": "0s" }"#,
                Some("ttl"),
                "0s: must be longer than nothing",
            ),
            (
                r#"{ "share": 0.5, "ttft": 0 }"#,
                Some("ttft"),
                "a factor of 0: must be above 0 and at most 1",
            ),
        ] {
            let refusal = serde_json::from_str::<Returning>(json)
                .unwrap()
                .build(&Names::default())
                .unwrap_err();
            assert_eq!(refusal.message, message);
            assert_eq!(
                refusal.path,
                path.map(Into::into).into_iter().collect::<Vec<_>>(),
                "{json}"
            );
        }
    }
}
