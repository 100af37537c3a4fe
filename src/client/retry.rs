//! Retry rules: what a client does after a failed attempt, which is to give up, or to try again after a wait.

mod bifrost;
mod envoy;
mod exponential;
mod fixed;
mod litellm;
mod never;
mod openai_sdk;
mod portkey;
mod resilience4j_retry;
mod tensorzero;

pub use bifrost::Bifrost;
pub use envoy::Envoy;
pub use exponential::{Exponential, Jitter, JitterOn, RetryAfterRule, TriesBy};
pub use fixed::Fixed;
pub use litellm::{Litellm, RetryPolicy};
pub use never::Never;
pub use openai_sdk::OpenaiSdk;
pub use portkey::{Build, Portkey};
pub use resilience4j_retry::Resilience4jRetry;
pub use tensorzero::Tensorzero;

use crate::form::own::Own;
use crate::form::registry::registry;
use std::borrow::Cow;
use std::fmt;

use crate::client::view::Fleet;
use crate::form::build::{Built, Names, Refusal};
use crate::form::outcomes::OutcomeList;
use crate::kernel::chance::{Key, Purpose, unit};
use crate::kernel::time::{Span, Time};
use crate::words::{Ended, Outcome, Outcomes};

/// A retry rule, as it runs.
pub trait Retry: fmt::Debug + Send + Sync {
    /// Decides what follows a failed attempt. `fleet` is as the next attempt would find it. `memory` is what the rule
    /// keeps for this request: 0 at first and after each fallback, then what it was left at.
    fn next(&mut self, failed: &Failed, fleet: &Fleet<'_>, key: Key, memory: &mut u64) -> Next;

    /// Called when attempt number `attempt` (from 0) of a request at named group `group` is sent. Budgets listen.
    fn sent(&mut self, _now: Time, _attempt: u32, _group: usize) {}

    /// Called when an attempt of a request at named group `group` has ended. Budgets that count what is under way listen.
    fn ended(&mut self, _ended: &Ended, _group: usize) {}

    /// Called when a try that the rule asked for is over: it has failed or was answered, or its request ended
    /// before it could be made. `after` is where the failure was that it followed.
    fn over(&mut self, _after: At) {}

    /// Whether a try is over for the rule as soon as its answer begins, instead of when that ends.
    fn over_at_headers(&self) -> bool {
        false
    }

    /// Whether the rule listens to [`Retry::sent`], [`Retry::ended`] and [`Retry::over`].
    fn listens(&self) -> bool {
        false
    }

    /// The number of tries that the rule has denied for want of a budget.
    fn denied(&self) -> u64 {
        0
    }

    /// A copy in its initial state, for one replication.
    fn fresh(&self) -> Box<dyn Retry>;
}

/// The decision that follows a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another try is made.
    Again {
        /// The wait before the try.
        after: Span,
        /// The provider to which it goes.
        to: To,
    },
    /// No more tries are made; a fallback may follow.
    GiveUp {
        /// The wait until the caller knows of the failure: some clients sleep after their last try, too.
        after: Span,
        /// What is made of the failure, if that is something else than it was.
        told: Option<Outcome>,
    },
}

impl Next {
    /// Another try after `after`, for which the policy chooses again.
    pub const fn anew(after: Span) -> Next {
        Next::Again { after, to: To::Anew }
    }

    /// No more tries, and the caller knows after `after`.
    pub const fn give_up(after: Span) -> Next {
        Next::GiveUp { after, told: None }
    }

    /// No more tries, at once.
    pub const STOP: Next = Next::give_up(Span::ZERO);
}

/// The provider to which one further try goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum To {
    /// Where the policy says, which is asked again.
    #[default]
    Anew,
    /// The provider of the last attempt if its breaker lets the try through; otherwise where the policy says.
    Same,
    /// Another provider than that of the last attempt if the policy would take one; otherwise where it says.
    Elsewhere,
}

/// The place of a failure: the named group that the request was at, and the provider that failed it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct At {
    /// The number of the named group; 0 where there are none.
    pub group: usize,
    /// The provider of the failed attempt, if there was one.
    pub provider: Option<usize>,
}

/// A failed attempt, as a retry rule sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed {
    /// The time at which the attempt failed.
    pub now: Time,
    /// The outcome of the attempt; never [`Outcome::Success`].
    pub outcome: Outcome,
    /// The number of attempts made since the last fallback, this one included and hedges not; 0 if there was no
    /// provider for the first one.
    pub attempts: u32,
    /// The provider at which it was made, if there was one.
    pub provider: Option<usize>,
    /// The number of the named group that the request is at; 0 where there are none.
    pub group: usize,
    /// The Retry-After that came with the failure.
    pub retry_after: Option<Span>,
}

impl Failed {
    /// The place of the failure.
    pub const fn at(&self) -> At {
        At {
            group: self.group,
            provider: self.provider,
        }
    }

    /// A first attempt that failed at `now` and about which nothing else is known.
    pub const fn new(now: Time, outcome: Outcome) -> Failed {
        Failed {
            now,
            outcome,
            attempts: 1,
            provider: None,
            group: 0,
            retry_after: None,
        }
    }
}

/// The outcomes that another try cannot mend: faults of the request, and what the client itself has given up. A rule
/// without a list of its own gives up then.
pub const HOPELESS: Outcomes = Outcomes::ANY_FAILURE
    .and(Outcomes::NOT_COUNTED)
    .without(Outcomes::RETRYABLE)
    .without(Outcomes::of(&[Outcome::Cancelled, Outcome::Abandoned]));

/// The outcomes after which there is nothing that could be tried again: nothing was sent, or the time is up.
const NOTHING_TRIED: [Outcome; 3] = [Outcome::BreakerOpen, Outcome::BudgetExhausted, Outcome::TimeoutTotal];

/// The provider to which the next try goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Where {
    /// The next try goes where the policy says, which is asked again.
    #[default]
    Anew,
    /// The next try goes to the same provider if its breaker lets it; otherwise where the policy says.
    Same,
    /// The next try goes to another provider than the last one if the policy would take one; otherwise where it says.
    Elsewhere,
    /// HAProxy's `option redispatch`: tries go to the same provider, but every n-th retry elsewhere; −n: the retries whose number
    /// is a multiple of the n-th from the last, so that −1 is the last one. Not 0, and at most the number of retries.
    Redispatch(i32),
}

impl Where {
    /// Checks that a rule of so many tries has the retry that is meant.
    fn check(self, tries: u32) -> Built<()> {
        let Where::Redispatch(n) = self else { return Ok(()) };
        if n != 0 && n.unsigned_abs() < tries {
            return Ok(());
        }
        let retries = tries.saturating_sub(1);
        let text = format!("redispatch is {n}, of {retries} retries: must be 1 to {retries}, or as much below 0");
        Err(Refusal::new(text).at("where"))
    }

    /// Where the try after failure number `failures` (from 1) goes, under a rule of so many tries.
    fn of(self, failures: u32, tries: u32) -> To {
        match self {
            Where::Anew => To::Anew,
            Where::Same => To::Same,
            Where::Elsewhere => To::Elsewhere,
            Where::Redispatch(n) => {
                let every = match n {
                    1.. => n.unsigned_abs(),
                    _ => tries.saturating_sub(n.unsigned_abs()).max(1),
                };
                if failures.is_multiple_of(every) {
                    To::Elsewhere
                } else {
                    To::Same
                }
            }
        }
    }
}

/// The most tries that a rule may be given.
const MOST_TRIES: u32 = 100;

/// Refuses more retries than a rule may make.
fn check_retries(retries: u32, field: &'static str) -> Built<()> {
    if retries < MOST_TRIES {
        return Ok(());
    }
    let text = format!("{field} is {retries}, and must not exceed {}", MOST_TRIES - 1);
    Err(Refusal::new(text).at(field))
}

/// Refuses a number of tries, the first included, that a rule cannot make.
fn check_tries(tries: u32, field: &'static str) -> Built<()> {
    if (1..=MOST_TRIES).contains(&tries) {
        return Ok(());
    }
    let text = format!("{field} is {tries}, and must lie between 1 and {MOST_TRIES}");
    Err(Refusal::new(text).at(field))
}

/// The outcomes that `list` names as worth another try.
fn listed(list: &OutcomeList) -> Built<Outcomes> {
    let set = list.some()?;
    match NOTHING_TRIED.into_iter().find(|&o| set.contains(o)) {
        None => Ok(set),
        Some(outcome) => Err(Refusal::new(format!(
            "after `{}` there is nothing that could be tried again",
            outcome.name()
        ))),
    }
}

/// A uniform part of `whole`, drawn by `key`.
#[inline]
fn part(whole: Span, key: Key) -> Span {
    scaled(whole, unit(key.draw(Purpose::Jitter)))
}

/// The value of `span` times `factor`, rounded down.
#[inline]
fn scaled(span: Span, factor: f64) -> Span {
    Span::from_nanos((span.nanos() as f64 * factor) as u64)
}

/// The value of `base` times `factor` to the power of `n`, at most `max`.
#[inline]
fn grown(base: Span, factor: f64, n: u32, max: Span) -> Span {
    if factor == 2.0 {
        return base.times(1 << n.min(62)).min(max);
    }
    let mut wait = base.nanos() as f64;
    for _ in 0..n {
        wait *= factor;
    }
    Span::from_nanos(wait as u64).min(max)
}

/// The parameters of a retry rule, as the file gives them.
pub trait BuildRetry {
    /// Checks the parameters and makes the rule.
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Retry>>;
}

impl BuildRetry for Own {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Retry>> {
        self.make("retry", names)
    }
}

registry! {
    /// The retry rule, which decides what follows a failed attempt.
    pub enum RetrySpec as BuildRetry, kind retry in "retry/" of Box<dyn Retry> {
        never => Never,
        fixed => Fixed,
        exponential => Exponential,
        litellm => Litellm,
        portkey => Portkey,
        bifrost => Bifrost,
        tensorzero => Tensorzero,
        envoy => Envoy,
        resilience4j_retry => Resilience4jRetry,
        openai_sdk => OpenaiSdk,
        own in "../form/own.rs" => Own,
    }
}

impl RetrySpec {
    /// The rule under a budget of retries that takes the place of a bound of its own.
    pub fn under_budget(&self) -> Cow<'_, RetrySpec> {
        let RetrySpec::envoy(rule) = self else {
            return Cow::Borrowed(self);
        };
        Cow::Owned(RetrySpec::envoy(Envoy {
            max_retries: None,
            ..rule.clone()
        }))
    }
}

impl Default for RetrySpec {
    /// The default: without retries.
    fn default() -> Self {
        RetrySpec::never(Never::default())
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! One request that fails again and again, for the tests of every rule.

    use super::*;
    use crate::client::breaker::BreakerSpec;
    use crate::client::host::Host;
    use crate::form::build::Names;
    use crate::kernel::chance::Chance;

    /// The rule that `json` describes.
    pub(crate) fn rule(json: &str) -> Box<dyn Retry> {
        let spec: RetrySpec = serde_json::from_str(json).unwrap();
        spec.as_dyn().build(&Names::default()).unwrap()
    }

    /// The reason for which the rule that `json` describes is refused.
    pub(crate) fn refusal(json: &str) -> String {
        let spec: RetrySpec = serde_json::from_str(json).unwrap();
        spec.as_dyn().build(&Names::default()).unwrap_err().message
    }

    /// Makes `n` hosts, of which those in `open` have an open breaker.
    pub(crate) fn hosts(n: usize, open: &[usize]) -> Vec<Host> {
        let spec: BreakerSpec = serde_json::from_str(r#"{"consecutive": {"failures": 1}}"#).unwrap();
        let host = |i| {
            let guard = spec.as_dyn().build(&Names::default()).unwrap();
            let mut breaker = guard.of_one(Chance::new(1, 0).surroundings(0)).unwrap();
            if open.contains(&i) {
                let ticket = breaker.sent(Time::ZERO);
                breaker.record(ticket, &Ended::new(Time::ZERO, i, Outcome::ServerError));
            }
            Host::behind(Some(breaker))
        };
        (0..n).map(host).collect()
    }

    /// The decisions after each of `failures` (outcome, and Retry-After in seconds) of request `id` over `hosts`.
    pub(crate) fn decisions(
        rule: &mut dyn Retry,
        hosts: &[Host],
        failures: &[(Outcome, Option<f64>)],
        id: u64,
    ) -> Vec<Next> {
        let request = Chance::new(1, 0).request(id);
        let mut memory = 0;
        let mut one = |(i, &(outcome, after)): (usize, &(Outcome, Option<f64>))| {
            let failed = Failed {
                attempts: i as u32 + 1,
                provider: Some(0),
                retry_after: after.map(Span::from_seconds_f64),
                ..Failed::new(Time::ZERO, outcome)
            };
            let fleet = Fleet::new(hosts, None, Time::ZERO);
            rule.next(&failed, &fleet, request.attempt(i as u64), &mut memory)
        };
        failures.iter().enumerate().map(&mut one).collect()
    }

    /// The decisions over two healthy hosts in words: `2.5s anew`, `0s same`, `stop`, `stop after 1s`.
    pub(crate) fn told(json: &str, failures: &[(Outcome, Option<f64>)]) -> Vec<String> {
        decisions(&mut *rule(json), &hosts(2, &[]), failures, 0)
            .iter()
            .map(in_words)
            .collect()
    }

    /// One decision in words.
    pub(crate) fn in_words(next: &Next) -> String {
        match next {
            Next::Again { after, to } => format!("{}s {}", after.seconds(), format!("{to:?}").to_lowercase()),
            Next::GiveUp { told: Some(told), .. } => format!("stop as {}", told.name()),
            Next::GiveUp { after: Span::ZERO, .. } => "stop".into(),
            Next::GiveUp { after, .. } => format!("stop after {}s", after.seconds()),
        }
    }

    /// Asserts that the wait after the last of `failures` fills `least` to `most` seconds evenly, over 4,000 requests.
    pub(crate) fn assert_uniform(json: &str, failures: &[(Outcome, Option<f64>)], least: f64, most: f64) {
        let mut rule = rule(json);
        let hosts = hosts(1, &[]);
        let mut waits: Vec<f64> = (0..4000)
            .filter_map(|id| match decisions(&mut *rule, &hosts, failures, id).last() {
                Some(Next::Again { after, .. } | Next::GiveUp { after, .. }) => Some(after.seconds()),
                None => None,
            })
            .collect();
        waits.sort_by(f64::total_cmp);
        let width = most - least;
        assert!(
            waits[0] >= least - 1e-9 && *waits.last().unwrap() <= most + 1e-9,
            "{json}"
        );
        // The quartiles of 4,000 uniform draws lie within 2.8 % of their places, at four standard deviations.
        for quarter in [0.25, 0.5, 0.75] {
            let found = waits[(4000.0 * quarter) as usize];
            assert!(
                (found - least - width * quarter).abs() < 0.032 * width,
                "{json}: quantile {quarter} is {found}"
            );
        }
    }
}
