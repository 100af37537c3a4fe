//! What LiteLLM does when something fails, in closed form.
//!
//! With r retries and n deployments in the group (1.109.1, `async_function_with_retries`, `should_retry_this_error`, `cooldown_handlers.py`):
//!
//! - n = 1: r + 1 attempts, a sleep of min(8, max(`retry_after`, 0.5 × 2ᵏ)) + U(0, 0.75) s after each, the last one included; with
//!   r = 0 one attempt and no sleep. A Retry-After of up to 60 s goes in the place of a sleep.
//! - n > 1: r + 1 attempts without a sleep while a deployment is healthy; with none healthy it ends at once.
//! - A 429 cools its deployment at once where the rules by share hold and n > 1; then n attempts are the most.
//! - A 400, 404 or 422 is not tried again; a 401 or 403 only where n > 1. All of them fall back.
//! - Each group that a request falls back to does all of this anew, and its own fallbacks follow; a group already tried is
//!   skipped; the walk is `max_fallbacks` deep. When all have failed the caller is told of the first group's failure.
//!
//! Levels of `order` count as fallbacks of a group to itself.

use super::Reading;
use super::policy::level_sizes;
use super::settings::{Cooling, Settings, TIMEOUT};
use crate::gateways::model::{Case, Group};

/// The largest addition to a sleep, in seconds.
const JITTER: f64 = 0.75;

/// The kinds of failure by the names that a retry policy has.
const LIMITED: &str = "rate_limit_error_retries";
const SERVER: &str = "internal_server_error_retries";
const TIMED_OUT: &str = "timeout_error_retries";
const REFUSED: &str = "authentication_error_retries";

pub(super) fn work_out(reading: &Reading<'_>, group: &mut Group) {
    group.chain = chain(reading, &group.name);
    let of_chain: Vec<Alone<'_>> = group.chain.iter().map(|name| Alone::of(reading, name)).collect();
    group.worst_attempts = of_chain
        .iter()
        .map(|alone| alone.attempts(TIMED_OUT) * alone.levels)
        .sum();
    let hanging = of_chain.iter().map(|alone| alone.levels as f64 * alone.hanging().1);
    group.worst_seconds = hanging.sum();
    if group.members.is_empty() || group.facts.contains_key("complexity") {
        return;
    }
    let first = Alone::of(reading, &group.name);
    group.cases = first.cases(reading, group);
    if group.chain.len() > 1 {
        let sleeps = of_chain
            .iter()
            .map(|alone| alone.sleeps(SERVER))
            .fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1));
        let attempts = of_chain.iter().map(|alone| alone.attempts(SERVER) * alone.levels).sum();
        group.cases.push(Case {
            when: "everything answers 500",
            attempts,
            seconds: sleeps,
            then: format!("{}: the caller is told {}'s 500", group.chain.join(", "), group.name),
        });
        group.cases.push(Case {
            when: "everything hangs",
            attempts: group.worst_attempts,
            seconds: (group.worst_seconds, group.worst_seconds),
            then: "the same with a timeout".to_owned(),
        });
    }
}

/// The groups that a request for `name` may go through.
fn chain(reading: &Reading<'_>, name: &str) -> Vec<String> {
    fn visit(reading: &Reading<'_>, name: &str, depth: u64, chain: &mut Vec<String>) {
        let mut depth = depth;
        if depth >= reading.settings.max_fallbacks {
            return;
        }
        for target in reading.fallbacks(name) {
            if !chain.contains(&target) {
                chain.push(target.clone());
                depth += 1;
                visit(reading, &target, depth, chain);
            }
        }
    }
    let mut found = vec![name.to_owned()];
    visit(reading, name, 0, &mut found);
    found
}

/// One group by itself.
struct Alone<'a> {
    settings: &'a Settings,
    members: u64,
    levels: u64,
    retries: u64,
    timeout: f64,
    has_fallback: bool,
}

impl<'a> Alone<'a> {
    fn of(reading: &'a Reading<'_>, name: &str) -> Alone<'a> {
        let settings = &reading.settings;
        let alias = reading
            .aliases
            .iter()
            .find(|(alias, _)| alias == name)
            .map(|(_, group)| group.as_str());
        let covers = |group: &str| {
            let (before, after) = group.split_once('*')?;
            (name.starts_with(before) && name.ends_with(after)).then_some(())
        };
        let mut deployments = reading.deployments(alias.unwrap_or(name));
        if deployments.is_empty() {
            let wild = reading.groups.iter().find(|(group, _)| covers(group).is_some());
            deployments = wild.map_or(&[], |(_, of)| of);
        }
        let own = match deployments {
            [one] => one.num_retries,
            _ => None,
        };
        let longest = deployments.iter().filter_map(|d| d.member.timeout).fold(0.0, f64::max);
        Alone {
            settings,
            members: deployments.len() as u64,
            levels: level_sizes(deployments).len().max(1) as u64,
            retries: own.unwrap_or(settings.num_retries),
            timeout: if longest > 0.0 {
                longest
            } else {
                settings.timeout.unwrap_or(TIMEOUT)
            },
            has_fallback: !reading.fallbacks(name).is_empty(),
        }
    }

    fn retries(&self, kind: &str) -> u64 {
        let by = self.settings.retries_by.iter().find(|(name, _)| *name == kind);
        by.map_or(self.retries, |(_, n)| *n)
    }

    /// The failures of this kind that a counter allows, and whether it does so for one alone without a fallback too.
    fn allowed(&self, kind: &str) -> (u64, bool) {
        self.settings.allowed(&kind.replace("_retries", "_allowed_fails"))
    }

    /// Whether failures of this kind ever leave a deployment out.
    fn cools(&self, kind: &str) -> bool {
        match self.settings.cooling {
            Cooling::Off => false,
            Cooling::ByShare => self.members > 1,
            Cooling::Counted => self.members > 1 || self.has_fallback || self.allowed(kind).1,
        }
    }

    /// The most attempts in the group if all of it fails in this way.
    fn attempts(&self, kind: &str) -> u64 {
        let tries = self.retries(kind) + 1;
        match self.settings.cooling {
            Cooling::ByShare if kind == LIMITED && self.members > 1 => tries.min(self.members),
            Cooling::Counted if self.cools(kind) => tries.min(self.members * (self.allowed(kind).0 + 1)),
            Cooling::Off | Cooling::ByShare | Cooling::Counted => tries,
        }
    }

    /// All sleeps of a request, at least and at most.
    fn sleeps(&self, kind: &str) -> (f64, f64) {
        let attempts = self.attempts(kind);
        if self.members > 1 || self.retries(kind) == 0 {
            return (0.0, 0.0);
        }
        // One that cools ends without the sleep after the last attempt.
        let ends_early = attempts <= self.retries(kind);
        let sleeps = if ends_early { attempts - 1 } else { attempts };
        let sleep = |k: u64| {
            f64::min(
                8.0,
                f64::max(self.settings.retry_after, 0.5 * libm::exp2(k.min(10) as f64)),
            )
        };
        let least: f64 = (0..sleeps).map(sleep).sum();
        (least, least + JITTER * sleeps as f64)
    }

    /// The time if every attempt hangs.
    fn hanging(&self) -> (f64, f64) {
        let waits = self.attempts(TIMED_OUT) as f64 * self.timeout;
        let (least, most) = self.sleeps(TIMED_OUT);
        (waits + least, waits + most)
    }

    fn cases(&self, reading: &Reading<'_>, group: &Group) -> Vec<Case> {
        let lasts = format!("{} s", reading.settings.cooldown);
        let next = match group.chain.get(1) {
            Some(next) => format!("goes to {next}"),
            None => "the caller is told".to_owned(),
        };
        let cooling = self.settings.cooling;
        let out = |kind: &str| match cooling {
            _ if !self.cools(kind) => "never left out: the next request tries it all again".to_owned(),
            Cooling::Counted => format!("left out for {lasts} at its failure {}", self.allowed(kind).0 + 1),
            Cooling::Off | Cooling::ByShare => {
                format!("left out for {lasts} once half of 5 or more calls of a minute fail")
            }
        };
        let left_out = out(SERVER);
        let limited_out = match cooling {
            Cooling::ByShare if self.members > 1 => format!("left out at once, for Retry-After or {lasts}"),
            Cooling::Off | Cooling::ByShare | Cooling::Counted => out(LIMITED),
        };
        let mut cases = Vec::new();
        let case = |when, attempts, seconds, then| Case {
            when,
            attempts,
            seconds,
            then,
        };
        if self.members > 1 {
            let tries = match cooling {
                Cooling::ByShare => 2.min(self.retries(LIMITED) + 1),
                Cooling::Off | Cooling::Counted => self.retries(LIMITED) + 1,
            };
            cases.push(case(
                "one answers 429",
                tries,
                (0.0, 0.0),
                format!("another answers; it is {limited_out}"),
            ));
            let then = format!("drawn anew each time, itself too; it is {left_out}");
            cases.push(case("one answers 500", self.retries(SERVER) + 1, (0.0, 0.0), then));
        }
        let all = |one, many| if self.members > 1 { many } else { one };
        let limited = (self.attempts(LIMITED), self.sleeps(LIMITED));
        let then = format!(
            "{next}{}; {limited_out}",
            if group.chain.len() > 1 { "" } else { " 429" }
        );
        cases.push(case(
            all("it answers 429", "all answer 429"),
            limited.0,
            limited.1,
            then,
        ));
        let then = format!("{next}{}; {left_out}", if group.chain.len() > 1 { "" } else { " 500" });
        cases.push(case(
            all("it answers 500", "all answer 500"),
            self.attempts(SERVER),
            self.sleeps(SERVER),
            then,
        ));
        let then = format!("{next}{}", if group.chain.len() > 1 { "" } else { " a timeout" });
        cases.push(case(
            all("it hangs", "all hang"),
            self.attempts(TIMED_OUT),
            self.hanging(),
            then,
        ));
        let then = match cooling {
            Cooling::Off => next,
            Cooling::ByShare => format!("{next}; left out at once for {lasts}"),
            Cooling::Counted => format!("{next}; {}", out(REFUSED)),
        };
        let tries = if self.members > 1 { self.retries(REFUSED) + 1 } else { 1 };
        let attempts = if self.members > 1 { tries.min(self.members) } else { 1 };
        cases.push(case("a key is refused (401)", attempts, (0.0, 0.0), then));
        cases
    }
}
