//! What LiteLLM does when something fails, in closed form.
//!
//! With r retries and n deployments in the group (1.109.1, `async_function_with_retries`, `should_retry_this_error`, `cooldown_handlers.py`):
//!
//! - n = 1: r + 1 attempts, a sleep of min(8, max(`retry_after`, 0.5 × 2ᵏ)) + U(0, 0.75) s after each, the last one included; with
//!   r = 0 one attempt and no sleep. A Retry-After of up to 60 s goes in the place of a sleep.
//! - n > 1: r + 1 attempts without a sleep while a deployment is healthy; with none healthy it ends at once.
//! - A 429 cools its deployment at once where the rules by share hold and n > 1; then n attempts are the most.
//!   Tries that a retry policy grants beyond these wait first ([`super::waits`]).
//! - A 400, 404 or 422 is not tried again; a 401 or 403 only where n > 1 or a retry policy says so. All of them fall back.
//! - Each group that a request falls back to does all of this anew, and its own fallbacks follow; a group already tried is
//!   skipped; the walk is `max_fallbacks` deep. When all have failed the caller is told of the first group's failure.
//!
//! Levels of `order` count as fallbacks of a group to itself.

use super::Reading;
use super::deployments::Deployment;
use super::policy::level_sizes;
use super::settings::{Cooling, Settings, TIMEOUT, Version};
use super::waits::{Granted, JITTER, sleep};
use crate::gateways::model::{Case, Group};

/// The kinds of failure by the names that a retry policy has.
const LIMITED: &str = "rate_limit_error_retries";
const SERVER: &str = "internal_server_error_retries";
const TIMED_OUT: &str = "timeout_error_retries";
const REFUSED: &str = "authentication_error_retries";
/// The retries of every kind that the policy does not name.
const DEFAULT: &str = "default_retries";

const KINDS: [&str; 4] = [LIMITED, SERVER, TIMED_OUT, REFUSED];

pub(super) fn work_out(reading: &Reading<'_>, group: &mut Group) {
    group.chain = chain(reading, &group.name);
    let of_chain: Vec<Alone<'_>> = group.chain.iter().map(|name| Alone::of(reading, name)).collect();
    let in_all = |kind: &str| -> u64 { of_chain.iter().map(|alone| alone.whole(kind).0).sum() };
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
            let sleeps = of_chain.iter().map(|alone| alone.whole(kind).1);
            let seconds = sleeps.fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1));
            let then = format!("{}: the caller is told {}'s {told}", group.chain.join(", "), group.name);
            group
                .cases
                .push(Case::new(when, in_all(kind), seconds, then).of_the_chain());
        }
        let least: f64 = of_chain
            .iter()
            .map(|alone| alone.levels as f64 * alone.hanging().0)
            .sum();
        let seconds = (least, group.worst_seconds);
        let then = "the same with a timeout";
        group
            .cases
            .push(Case::new("everything hangs", in_all(TIMED_OUT), seconds, then).of_the_chain());
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
    /// The shortest cooldown of the deployments, in seconds.
    cooldown: f64,
    has_fallback: bool,
}

impl<'a> Alone<'a> {
    fn of(reading: &'a Reading<'_>, name: &str) -> Alone<'a> {
        let settings = &reading.settings;
        let group = reading.alias(name).unwrap_or(name);
        let number = reading.number(group).or_else(|| reading.number(name));
        let deployments: &[Deployment] = number.map_or(&[], |number| &reading.groups[number].1);
        let own = match deployments {
            [one] => one.num_retries,
            _ => None,
        };
        // A deployment without a timeout of its own has that of all.
        let of_all = settings.timeout.unwrap_or(TIMEOUT);
        let longest = deployments.iter().map(|d| d.member.timeout.unwrap_or(of_all));
        let longest = longest.fold(0.0, f64::max);
        let own_policy = settings.retries_of_groups.iter().find(|(of, _)| of == group);
        Alone {
            settings,
            members: deployments.len() as u64,
            levels: level_sizes(deployments).len().max(1) as u64,
            retries: own.unwrap_or(settings.num_retries),
            retries_by: own_policy.map_or(&settings.retries_by, |(_, by)| by),
            timeout: if deployments.is_empty() { of_all } else { longest },
            cooldown: deployments
                .iter()
                .map(|d| d.cooldown.unwrap_or(settings.cooldown))
                .fold(f64::INFINITY, f64::min),
            has_fallback: !reading.fallbacks(name).is_empty(),
        }
    }

    /// The retries that a policy grants to failures of this kind, whether or not a deployment is healthy.
    fn granted(&self, kind: &str) -> Option<u64> {
        let of = |name: &str| self.retries_by.iter().find(|(known, _)| *known == name);
        of(kind).or_else(|| of(DEFAULT)).map(|(_, retries)| *retries)
    }

    fn retries(&self, kind: &str) -> u64 {
        self.granted(kind).unwrap_or(self.retries)
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
            Cooling::Counted => {
                let is_always = self.settings.version != Version::V1_109;
                self.members > 1 || self.has_fallback || is_always || self.allowed(kind).1
            }
        }
    }

    /// The failures of this kind after which no deployment is healthy, if so few of one request lead to it.
    fn until_all_cool(&self, kind: &str) -> Option<u64> {
        match self.settings.cooling {
            // Each cools at its first.
            Cooling::ByShare if kind == REFUSED || (kind == LIMITED && self.members > 1) => Some(self.members),
            Cooling::Counted if self.cools(kind) => Some(self.members * (self.allowed(kind).0 + 1)),
            Cooling::Off | Cooling::ByShare | Cooling::Counted => None,
        }
    }

    /// The most attempts in one level of the group if all of it fails in this way, and its sleeps, at least and at most.
    fn walk(&self, kind: &str) -> (u64, (f64, f64)) {
        let granted = self.granted(kind);
        // A key that is refused is not tried again with one deployment alone, unless a policy says so.
        if kind == REFUSED && self.members < 2 && granted.is_none() {
            return (1, (0.0, 0.0));
        }
        let (retries, until) = (self.retries(kind), self.until_all_cool(kind));
        if let (Some(retries), Some(until)) = (granted, until) {
            let granted = Granted {
                retries,
                until_all_cool: until,
                alone: self.members < 2,
                cooldown: self.cooldown,
            };
            return granted.walk(self.settings.retry_after);
        }
        let attempts = until.map_or(retries + 1, |until| until.min(retries + 1));
        if self.members > 1 || retries == 0 {
            return (attempts, (0.0, 0.0));
        }
        // One that cools ends without the sleep after the last attempt.
        let sleeps = if attempts <= retries { attempts - 1 } else { attempts };
        let least: f64 = (0..sleeps).map(|k| sleep(k, self.settings.retry_after)).sum();
        (attempts, (least, least + JITTER * sleeps as f64))
    }

    /// Attempts and sleeps of all levels of `order`, each of which does it anew.
    fn whole(&self, kind: &str) -> (u64, (f64, f64)) {
        let (attempts, (least, most)) = self.walk(kind);
        let levels = self.levels as f64;
        (attempts * self.levels, (least * levels, most * levels))
    }

    /// The time if every attempt hangs.
    fn hanging(&self) -> (f64, f64) {
        let (attempts, (least, most)) = self.walk(TIMED_OUT);
        let waits = attempts as f64 * self.timeout;
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
        let case = |when, attempts, seconds, then: String| Case::new(when, attempts, seconds, then);
        if self.members > 1 {
            // What becomes of a request whose tries all meet the one that fails.
            let drawn = |kind: &str, told: &str| {
                let told = if group.chain.len() > 1 {
                    String::new()
                } else {
                    format!(" {told}")
                };
                match self.retries(kind) {
                    0 if self.levels > 1 => "its next `order` is asked, since there is no retry".to_owned(),
                    0 => format!("{next}{told}, since there is no retry"),
                    _ if self.levels > 1 => {
                        "chosen anew each time, itself too; if all tries meet it, its next `order` is asked".to_owned()
                    }
                    _ => format!("chosen anew each time, itself too; if all tries meet it, {next}{told}"),
                }
            };
            // The next level of `order` is asked once its tries are used up.
            let further = u64::from(self.levels > 1);
            let (tries, then) = match cooling {
                // It cools at its first, so that the second try is another's.
                Cooling::ByShare if self.retries(LIMITED) > 0 => (2, "another answers".to_owned()),
                Cooling::ByShare | Cooling::Off | Cooling::Counted => {
                    (self.retries(LIMITED) + 1 + further, drawn(LIMITED, "429"))
                }
            };
            let then = format!("{then}; it is {limited_out}");
            cases.push(case("one answers 429", tries, (0.0, 0.0), then));
            let then = format!("{}; it is {left_out}", drawn(SERVER, "500"));
            cases.push(case(
                "one answers 500",
                self.retries(SERVER) + 1 + further,
                (0.0, 0.0),
                then,
            ));
            let tries = self.retries(TIMED_OUT) + 1;
            let then = format!("{}; it is {}", drawn(TIMED_OUT, "a timeout"), out(TIMED_OUT));
            let seconds = (self.timeout, self.timeout * tries as f64);
            cases.push(case("one hangs", tries + further, seconds, then));
        }
        let all = |one, many| if self.members > 1 { many } else { one };
        let limited = self.whole(LIMITED);
        // With a policy for it LiteLLM tries on although none is healthy.
        let waits = self.granted(LIMITED).is_some() && self.until_all_cool(LIMITED).is_some() && limited.1.1 > 0.0;
        let then = format!(
            "{next}{}; {limited_out}{}",
            if group.chain.len() > 1 { "" } else { " 429" },
            if waits {
                "; the retry policy goes on while none is healthy, and each try waits for its back-off first"
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
            self.whole(SERVER).0,
            self.whole(SERVER).1,
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
            self.whole(TIMED_OUT).0,
            (least * levels, most * levels),
            then,
        ));
        let next = match self.levels {
            0 | 1 => next,
            _ => format!("its next `order` is asked; if that refuses too, {next}"),
        };
        let then = match cooling {
            Cooling::Off => next,
            Cooling::ByShare => format!("{next}; left out at once for {lasts}"),
            Cooling::Counted => format!("{next}; {}", out(REFUSED)),
        };
        let (attempts, sleeps) = self.whole(REFUSED);
        // Levels share what cools.
        let attempts = match (self.granted(REFUSED), self.until_all_cool(REFUSED)) {
            (None, Some(until)) => attempts.min(until),
            (Some(_), _) | (None, None) => attempts,
        };
        cases.push(case("a key is refused (401)", attempts, sleeps, then));
        cases
    }
}
