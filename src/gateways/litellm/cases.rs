//! What LiteLLM does when something fails, in closed form.
//!
//! With r retries and n deployments in the group (1.109.1, `async_function_with_retries`, `should_retry_this_error`, `cooldown_handlers.py`):
//!
//! - n = 1: r + 1 attempts, a sleep of min(8, max(`retry_after`, 0.5 × 2ᵏ)) + U(0, 0.75) s after each, the last one included; with
//!   r = 0 one attempt and no sleep. A Retry-After of up to 60 s goes in the place of a sleep.
//! - n > 1: r + 1 attempts without a sleep while a deployment is healthy; with none healthy it ends at once.
//! - A 429 cools its deployment at once where the rules by share hold and n > 1; then n attempts are the most.
//!   Tries that a retry policy grants beyond these wait first; for how long is not worked out.
//! - A 400, 404 or 422 is not tried again; a 401 or 403 only where n > 1 or a retry policy says so. All of them fall back.
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

const KINDS: [&str; 4] = [LIMITED, SERVER, TIMED_OUT, REFUSED];

pub(super) fn work_out(reading: &Reading<'_>, group: &mut Group) {
    group.chain = chain(reading, &group.name);
    let of_chain: Vec<Alone<'_>> = group.chain.iter().map(|name| Alone::of(reading, name)).collect();
    let in_all = |kind: &str| -> u64 { of_chain.iter().map(|alone| alone.attempts(kind) * alone.levels).sum() };
    group.worst_attempts = KINDS.iter().map(|kind| in_all(kind)).max().unwrap_or(0);
    let hanging = of_chain.iter().map(|alone| alone.levels as f64 * alone.hanging().1);
    group.worst_seconds = hanging.sum();
    if group.members.is_empty() || group.facts.contains_key("complexity") {
        return;
    }
    let first = Alone::of(reading, &group.name);
    group.cases = first.cases(reading, group);
    if group.chain.len() > 1 {
        for (when, kind, told) in [
            ("everything answers 429", LIMITED, 429),
            ("everything answers 500", SERVER, 500),
        ] {
            let sleeps = of_chain.iter().map(|alone| alone.sleeps(kind));
            group.cases.push(Case {
                when,
                attempts: in_all(kind),
                seconds: sleeps.fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1)),
                then: format!("{}: the caller is told {}'s {told}", group.chain.join(", "), group.name),
            });
        }
        group.cases.push(Case {
            when: "everything hangs",
            attempts: in_all(TIMED_OUT),
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
    /// The retries by kind of failure: the group's own policy, or else that of all.
    retries_by: &'a [(&'static str, u64)],
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
        // A deployment without a timeout of its own has that of all.
        let of_all = settings.timeout.unwrap_or(TIMEOUT);
        let longest = deployments.iter().map(|d| d.member.timeout.unwrap_or(of_all));
        let longest = longest.fold(0.0, f64::max);
        let group = alias.unwrap_or(name);
        let own_policy = settings.retries_of_groups.iter().find(|(of, _)| of == group);
        Alone {
            settings,
            members: deployments.len() as u64,
            levels: level_sizes(deployments).len().max(1) as u64,
            retries: own.unwrap_or(settings.num_retries),
            retries_by: own_policy.map_or(&settings.retries_by, |(_, by)| by),
            timeout: if deployments.is_empty() { of_all } else { longest },
            has_fallback: !reading.fallbacks(name).is_empty(),
        }
    }

    fn retries(&self, kind: &str) -> u64 {
        let by = self.retries_by.iter().find(|(name, _)| *name == kind);
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

    /// The most attempts in one level of the group if all of it fails in this way.
    fn attempts(&self, kind: &str) -> u64 {
        // A key that is refused is not tried again with one deployment alone, unless a policy says so.
        let is_tried = kind != REFUSED || self.members > 1 || self.retries_by.iter().any(|(name, _)| *name == kind);
        let tries = if is_tried { self.retries(kind) + 1 } else { 1 };
        match self.settings.cooling {
            // It cools at once.
            Cooling::ByShare if [LIMITED, REFUSED].contains(&kind) && self.members > 1 => tries.min(self.members),
            Cooling::Counted if self.cools(kind) => tries.min(self.members * (self.allowed(kind).0 + 1)),
            Cooling::Off | Cooling::ByShare | Cooling::Counted => tries,
        }
    }

    /// All sleeps of a request, at least and at most.
    fn sleeps(&self, kind: &str) -> (f64, f64) {
        let attempts = self.attempts(kind);
        if self.members > 1 || self.retries(kind) == 0 || (kind == REFUSED && attempts == 1) {
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
            // What becomes of a request whose tries all meet the one that fails.
            let drawn = |kind: &str, told: u64| {
                let told = if group.chain.len() > 1 {
                    String::new()
                } else {
                    format!(" {told}")
                };
                match self.retries(kind) {
                    0 => format!("{next}{told}, since there is no retry"),
                    _ => format!("drawn anew each time, itself too; if all tries meet it, {next}{told}"),
                }
            };
            let (tries, then) = match cooling {
                // It cools at its first, so that the second try is another's.
                Cooling::ByShare if self.retries(LIMITED) > 0 => (2, "another answers".to_owned()),
                Cooling::ByShare | Cooling::Off | Cooling::Counted => (self.retries(LIMITED) + 1, drawn(LIMITED, 429)),
            };
            let then = format!("{then}; it is {limited_out}");
            cases.push(case("one answers 429", tries, (0.0, 0.0), then));
            let then = format!("{}; it is {left_out}", drawn(SERVER, 500));
            cases.push(case("one answers 500", self.retries(SERVER) + 1, (0.0, 0.0), then));
        }
        let all = |one, many| if self.members > 1 { many } else { one };
        // Each level of `order` does it all anew.
        let all_of_it = |kind: &str| self.attempts(kind) * self.levels;
        let limited = (all_of_it(LIMITED), self.sleeps(LIMITED));
        // With a policy for it LiteLLM tries on although none is healthy.
        let is_granted = self.retries_by.iter().any(|(name, _)| *name == LIMITED);
        let goes_on = cooling == Cooling::ByShare && self.members > 1 && self.retries(LIMITED) >= self.members;
        let then = format!(
            "{next}{}; {limited_out}{}",
            if group.chain.len() > 1 { "" } else { " 429" },
            if is_granted && goes_on {
                "; further tries of the retry policy wait first, which is not worked out"
            } else {
                ""
            }
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
            all_of_it(SERVER),
            self.sleeps(SERVER),
            then,
        ));
        let then = format!(
            "{next}{}; {}",
            if group.chain.len() > 1 { "" } else { " a timeout" },
            out(TIMED_OUT)
        );
        let (least, most) = self.hanging();
        let levels = self.levels as f64;
        cases.push(case(
            all("it hangs", "all hang"),
            all_of_it(TIMED_OUT),
            (least * levels, most * levels),
            then,
        ));
        let then = match cooling {
            Cooling::Off => next.clone(),
            Cooling::ByShare => format!("{next}; left out at once for {lasts}"),
            Cooling::Counted => format!("{next}; {}", out(REFUSED)),
        };
        let (attempts, sleeps) = (self.attempts(REFUSED), self.sleeps(REFUSED));
        cases.push(case("a key is refused (401)", attempts, sleeps, then));
        cases
    }
}
