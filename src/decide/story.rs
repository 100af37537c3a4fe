//! From what the engine saw of a request to a story with names: whole numbers are handed on, none is computed.

use crate::engine::scenario::Scenario;
use crate::engine::story::{self as seen, Part, Turn};
use crate::engine::tally::Hit;
use crate::engine::watch::{By, Held};
use crate::experiment::assemble::Plan;
use crate::experiment::kinds::page_of;
use crate::experiment::load::Loaded;
use crate::kernel::time::{Span, Time};
use crate::report::story::{Attempt, Glance, Ground, Nanos, Pico, Place, Stay, Step, Story};
use crate::report::{Unit, format};
use crate::routing::{self, KeptOut, PolicySpec};
use crate::words::Outcome;

/// Gives names to what was seen under one policy in one replication.
#[derive(Debug)]
pub struct Telling<'a> {
    plan: &'a Plan,
    scenario: &'a Scenario,
    kind: &'a str,
    goes_by: String,
    replication: u64,
}

impl<'a> Telling<'a> {
    /// Of policy number `policy` of `plan`, made from `loaded`, in this replication.
    pub fn new(loaded: &Loaded, plan: &'a Plan, policy: usize, replication: u64) -> Telling<'a> {
        let spec = loaded.experiment.policies.get(policy).map(|given| given.policy.name());
        let page = PolicySpec::PAGES
            .iter()
            .find(|page| Some(page.name) == spec && page.name != "own");
        Telling {
            plan,
            scenario: &plan.scenarios[policy],
            kind: &plan.kinds[policy],
            goes_by: page.map_or_else(String::new, |page| page_of(page).title),
            replication,
        }
    }

    fn provider(&self, number: usize) -> String {
        self.scenario.fleet[number].provider.name.clone()
    }

    /// The story with names. What its providers' breakers did meanwhile is taken from `course`.
    pub fn tell(&self, of: &seen::Story, course: &[seen::Happening]) -> Story {
        let ask = of.ending.ask;
        let window = self.scenario.window;
        let (arrived, from) = (of.arrived, window.warmup);
        let since = |at: Time| Nanos(at.since(arrived).nanos());
        let judging = of.steps.iter().map(|(_, step)| match step {
            seen::Step::Looked { cost, .. } => *cost,
            _ => 0,
        });
        let mut steps: Vec<Step> = (of.steps.iter())
            .map(|(at, step)| self.step(of, since(*at), step))
            .collect();
        self.add_course(of, course, &mut steps);
        Story {
            policy: self.scenario.name.clone(),
            kind: self.kind.to_owned(),
            goes_by: self.goes_by.clone(),
            replication: self.replication,
            id: ask.id,
            mirrored: of.arrival.shadow,
            counted: of.ending.arrived >= from,
            class: self.scenario.traffic.classes[usize::from(ask.class)].name.clone(),
            stream: (self.scenario.traffic.stream_of(&ask)).and_then(|stream| stream.name.clone()),
            user: self
                .scenario
                .traffic
                .users
                .is_some_and(|users| ask.user < users)
                .then_some(ask.user),
            turn: (self.scenario.traffic.turn_of(&ask)).map(|turn| turn.number),
            tags: self.scenario.traffic.tags_of(&ask),
            priority: ask.priority,
            gateway: (self.scenario.client.gateways > 1).then_some(of.arrival.gateway),
            input: ask.input,
            cut_off: of.arrival.whole_input.saturating_sub(ask.input),
            output: ask.output,
            max_output: ask.max_output,
            arrived: arrived.seconds_after(from),
            timeout: (of.arrival.deadline != Time::NEVER).then(|| since(of.arrival.deadline)),
            outcome: of.ending.outcome,
            e2e: since(of.ended),
            ttft: (of.ending.outcome == Outcome::Success && !of.arrival.shadow).then(|| nanos(of.ending.ttft)),
            cost: Pico(of.ending.cost),
            judging: Pico(judging.sum()),
            currency: self.plan.currency.as_ref().map(|billing| billing.code),
            stays: (of.stays.iter())
                .map(|stay| Stay {
                    place: place(stay.part),
                    from: since(stay.from),
                    until: since(stay.until),
                })
                .collect(),
            steps,
            attempts: of.attempts.iter().map(|attempt| self.attempt(attempt, since)).collect(),
        }
    }

    fn attempt(&self, of: &seen::Attempt, since: impl Fn(Time) -> Nanos) -> Attempt {
        let (queue, prefill, decode) = of.parts();
        let usage = of.ended.map(|ended| ended.usage).unwrap_or_default();
        Attempt {
            provider: self.provider(of.sending.provider),
            hedge: of.sending.hedge,
            made: since(of.made),
            sent: of.sent.map(&since),
            over: since(of.over),
            outcome: of.outcome,
            faulty: of.fate.is_some_and(|fate| fate.faulty),
            connection: nanos(of.sent.unwrap_or(of.over).since(of.made)),
            queue: nanos(queue),
            prefill: nanos(prefill),
            decode: nanos(decode),
            billed: [usage.input, usage.cached, usage.written, usage.output],
            cost: Pico(of.ended.map_or(0, |ended| ended.cost)),
            reserved: self.scenario.fleet[of.sending.provider].provider.bills_by_the_hour(),
        }
    }

    fn step(&self, of: &seen::Story, at: Nanos, step: &seen::Step) -> Step {
        let plain = |what, text: String| Step {
            at,
            what,
            text,
            provider: None,
            attempt: None,
            seen: Vec::new(),
            went_by: Vec::new(),
        };
        let of_attempt = |what, index: usize, text: String| Step {
            provider: Some(self.provider(of.attempts[index].sending.provider)),
            attempt: Some(index + 1),
            ..plain(what, text)
        };
        let name = |index: usize| self.provider(of.attempts[index].sending.provider);
        match *step {
            seen::Step::Found { after, hit } => plain("cache_hit", found(after, &hit)),
            seen::Step::Missed => plain("cache_miss", "the response cache has no answer for it".into()),
            seen::Step::Asleep(Held::Budget) => plain("asleep", "a budget is spent: waits for its next window".into()),
            seen::Step::Asleep(Held::Limiter) => plain("asleep", "a limiter holds it back: asks again later".into()),
            seen::Step::Asleep(Held::Pace) => plain("paced", "let in, and paced: goes at a set time".into()),
            seen::Step::Queued(queued) => {
                let others = format::count(queued.saturating_sub(1) as u64);
                plain("queued", format!("stands in the admission queue with {others} others"))
            }
            seen::Step::Limited(rule, identity) => {
                let rule = &self.scenario.client.rules.all[usize::from(rule)];
                let name = rule.whose.name(identity);
                plain(
                    "limited",
                    format!("{} ({}) turns it away: {name} is over it", rule.place, rule.what),
                )
            }
            seen::Step::LetIn => plain("let_in", "is let in".into()),
            seen::Step::Chose(index) => self.choice(at, &of.choices[index]),
            seen::Step::InLine(index) => of_attempt(
                "in_line",
                index,
                format!(
                    "attempt {} stands in line for a connection to {}",
                    index + 1,
                    name(index)
                ),
            ),
            seen::Step::Sent(index) => {
                of_attempt("sent", index, format!("attempt {} goes to {}", index + 1, name(index)))
            }
            seen::Step::Over(index) => of_attempt("over", index, self.end(index, of)),
            seen::Step::TriesAgain { after, same } => {
                let whence = if same { ", at the same provider" } else { "" };
                let wait = if after == Span::ZERO {
                    "at once".to_owned()
                } else {
                    format!("after {after}")
                };
                plain("tries_again", format!("tries again {wait}{whence}"))
            }
            seen::Step::Denied => plain(
                "retry_denied",
                "the budget of retries is spent: it may not try again".into(),
            ),
            seen::Step::GivesUp { after } => plain("gives_up", format!("gives up; its caller is told after {after}")),
            seen::Step::FallsBack(group) => plain(
                "falls_back",
                match &self.scenario.client.groups {
                    Some(groups) => format!("falls back to {}", groups.at(group).name),
                    None => format!("falls back to group {} of providers", u32::from(group) + 1),
                },
            ),
            seen::Step::Detour => plain("falls_back", "the policy sends it elsewhere".into()),
            seen::Step::Looked { looks, .. } => plain("judged", format!("a judge looks at the answer for {looks}")),
            seen::Step::TurnedDown => plain("turned_down", "the judge turns the answer down".into()),
        }
    }

    fn choice(&self, at: Nanos, of: &seen::Chosen) -> Step {
        let copy = if of.hedge { " for a further copy" } else { "" };
        let provider = of.chosen.map(|(number, _)| self.provider(number));
        let text = match (&provider, of.chosen) {
            (Some(name), Some((_, By::Policy))) => format!("{} chooses {name}{copy}", self.kind),
            (Some(name), Some((_, By::Retry))) => format!("the retry rule stays at {name}"),
            (Some(name), Some((_, By::Group))) => {
                format!("the order of its group names {name}{copy}: the policy takes none of it")
            }
            (Some(name), Some((_, By::Budget))) => format!("a spent budget sends it to {name}{copy}"),
            (None, _) | (_, None) => format!("{} finds no provider that takes it{copy}", self.kind),
        };
        let glance = |(number, seen): (usize, &seen::Glance)| Glance {
            provider: self.provider(number),
            in_flight: seen.in_flight,
            in_line: seen.in_line,
            breaker_open: !seen.permits,
            left_out: seen.kept_out.map(|why| in_words(why, of.hedge)),
        };
        Step {
            at,
            what: "choice",
            text,
            provider,
            attempt: None,
            seen: of.seen.iter().enumerate().map(glance).collect(),
            went_by: of.grounds.iter().map(|ground| self.ground(ground)).collect(),
        }
    }

    /// A figure that the policy went by.
    fn ground(&self, of: &routing::Ground) -> Ground {
        let text = match of.unit {
            _ if of.value == f64::INFINITY => format::ENDLESS.to_owned(),
            Unit::Number if of.value.fract() == 0.0 && of.value >= 0.0 => format::count(of.value as u64),
            unit => format::value(unit, of.value),
        };
        Ground {
            what: of.what,
            provider: self.provider(of.provider),
            value: of.value,
            text,
        }
    }

    /// How an attempt ended, and why as far as that is known.
    fn end(&self, index: usize, story: &seen::Story) -> String {
        let of = &story.attempts[index];
        let is_left = story.ending.outcome == Outcome::Abandoned && of.over == story.ended;
        let number = index + 1;
        let name = of.outcome.name();
        let (Some(ended), Some(fate)) = (of.ended, of.fate) else {
            return match of.outcome {
                Outcome::Shed => format!("attempt {number} finds no connection free and is turned away"),
                _ => format!("attempt {number} leaves the line without a connection: {name}"),
            };
        };
        let late = of.outcome != fate.answer.outcome || fate.answer.ends > ended.took;
        let why = match of.outcome {
            Outcome::Success => String::new(),
            Outcome::Cancelled if is_left => " (its user left)".into(),
            Outcome::Cancelled => " (another copy was first)".into(),
            Outcome::RateLimited if !fate.faulty => match fate.answer.oversized {
                true => " (larger than its quota ever holds)".into(),
                false => " (its quota is used up)".into(),
            },
            _ if fate.faulty && late => " (a fault struck it, and the client gave up)".into(),
            _ if fate.faulty => " (a fault struck it)".into(),
            _ if late => " (the client gave up)".into(),
            _ => String::new(),
        };
        let retry_after = match ended.retry_after {
            Some(wait) => format!(", Retry-After {wait}"),
            None => String::new(),
        };
        let token = match ended.first_token <= ended.took {
            true => format!(", first token after {}", ended.first_token),
            false => String::new(),
        };
        format!("attempt {number} ends: {name}{why}{token}{retry_after}")
    }

    /// Adds what the breakers of the request's providers did while it was under way.
    fn add_course(&self, of: &seen::Story, course: &[seen::Happening], steps: &mut Vec<Step>) {
        let is_its = |h: &&seen::Happening| {
            h.gateway == usize::from(of.arrival.gateway)
                && of.arrived <= h.at
                && h.at <= of.ended
                && of.attempts.iter().any(|a| a.sending.provider == h.provider)
        };
        for happening in course.iter().filter(is_its) {
            let at = Nanos(happening.at.since(of.arrived).nanos());
            let name = self.provider(happening.provider);
            let (what, text) = match happening.turn {
                Turn::Opened => (
                    "breaker_opened",
                    format!("the breaker of {name} opens: its cooldown begins"),
                ),
                Turn::Returned => (
                    "breaker_returned",
                    format!("the breaker of {name} lets calls through again"),
                ),
                Turn::Closed => ("breaker_closed", format!("the breaker of {name} closes")),
            };
            // After what happened at the same time: an attempt ends, and then its breaker opens.
            let place = steps
                .iter()
                .position(|step| step.at > at || step.at == at && step.what == "tries_again");
            let step = Step {
                at,
                what,
                text,
                provider: Some(name),
                attempt: None,
                seen: Vec::new(),
                went_by: Vec::new(),
            };
            steps.insert(place.unwrap_or(steps.len()), step);
        }
    }
}

fn nanos(span: Span) -> Nanos {
    Nanos(span.nanos())
}

/// What kept a provider from the call, in words; `hedge` says that a further copy of a request under way was asked for.
const fn in_words(why: KeptOut, hedge: bool) -> &'static str {
    match (why, hedge) {
        (KeptOut::Group, _) => "not in its group",
        (KeptOut::Budget, _) => "barred by a budget",
        (KeptOut::Copy, true) => "has a copy of it",
        (KeptOut::Copy, false) => "has just failed it",
        (KeptOut::Policy, _) => "left out by the policy",
    }
}

/// What the response cache had.
fn found(after: Span, hit: &Hit) -> String {
    let age = hit.age.map_or(String::new(), |age| format!(", {age} old"));
    let wrong = if hit.is_wrong {
        ", and wrong for this request"
    } else {
        ""
    };
    format!("the response cache has an answer{age}{wrong}: given after {after}")
}

const fn place(part: Part) -> Place {
    match part {
        Part::Cache => Place::Cache,
        Part::HeldBack => Place::HeldBack,
        Part::Queued => Place::Queued,
        Part::InLine => Place::Connection,
        Part::AtProvider => Place::Provider,
        Part::BackingOff => Place::BackOff,
        Part::Judged => Place::Judge,
    }
}
