//! A staged rollout from one policy to another, with gates that roll it back.
//!
//! From `from` on a growing share of the users (or of the requests) goes by the policy `new`, the others by `old`. A
//! stage is over when it has held for `hold` and at least `min_requests` attempts of it have been judged; then the next
//! one begins. After the last one the rollout is finished, and no attempt is judged any more; a last stage without
//! `hold` goes on for ever.
//!
//! - The first to move: a user (or request) with a hash below the share. The hash is stable, so a user that has moved
//!   stays moved as the share grows. A request stays where it began, but that after a rollback its next try goes to
//!   `old`.
//! - What is judged: each attempt by the side that sent it, whichever providers the sides share. A success or one of
//!   `failures` counts; what the client brought about itself (called off, no connection, the timeout of the whole
//!   request) does not.
//! - A gate looks at the last `window` attempts of the new side, whatever stage they are from, once it has `min_requests` of them:
//!   the share of failures, or a percentile (nearest rank) of the time to the first token or of the whole. It fails above `at_most`, and
//!   above `times_old` × the same figure of the old side's last attempts, once there are as many. A timeout counts as long
//!   as it took; other failures have no time.
//! - The first gate that fails: `roll_back` sends everything back to `old`, for good; `{ "retry_after": … }` does so and begins
//!   again with the first stage after that time, with nothing counted; `pause` leaves the share as it is while a
//!   gate fails, and the stage's `hold` begins anew when none does. A rollback is complete `rollback_takes` after the gate failed.
//!
//! Keeps the last `window` figures of each side for each gate, and of each request the side it went by. Milestones: each stage,
//! the end, each gate that failed, and the rollback (or pause), each when it was first passed.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `old`, `new` | required | policies that keep no notes of a request |
//! | `stages` | required | at least one, shares rising |
//! | `stages[].share` | required | above 0 |
//! | `stages[].hold` | for ever | 0 or more; only the last may leave it out |
//! | `stages[].min_requests` | 0 | 0 or more |
//! | `gates.error_rate`, `gates.ttft`, `gates.e2e` | none | with `at_most`, `times_old` or both |
//! | `gates.*.window` | 100 | 1 to 10000 |
//! | `gates.*.min_requests` | the window | 1 to the window |
//! | `gates.ttft.percentile`, `gates.e2e.percentile` | 0.95 | above 0 |
//! | `failures` | `["retryable"]` | outcomes |
//! | `on_failure` | `roll_back` | `roll_back`, `pause`, `{ "retry_after": duration }` |
//! | `rollback_takes` | 0 s | 0 or more |
//! | `by` | `user` | `user`, `request` |
//! | `from` | 0 s | 0 or more |
//! | `salt` | 0 | a whole number |
//!
//! Sources: published articles on an e-commerce migration (10 % by hash, the same user on the same side), on a
//! migration in stages (10 % for 7 days, then 25, 50, 75, 100 % over 7 days; above 5 % errors in the last 100 requests
//! everything goes back; as published never again: one stage of 100 %), and on latency-based routing (5, 25, 50, 100 %;
//! rollback in under 5 minutes).
//!
//! Known faults: a gate that looks after each attempt looks often, so that chance alone fails it far more often than
//! one look would; with few requests it may see too few to judge before the share grows, unless `min_requests` of the
//! stage holds it; at 100 % the old side's figures stand still; a request for which a side has no provider is seen by
//! no gate; a user's side is the same in every replication, so where few users ask most, it matters whose hash is low:
//! try another `salt`.
//!
//! ```json
//! { "rollout": {
//!     "old": { "single": { "provider": "old" } }, "new": { "single": { "provider": "new" } },
//!     "stages": [ { "share": "5%", "hold": "1d", "min_requests": 500 }, { "share": "25%", "hold": "1d" },
//!                 { "share": "50%", "hold": "1d" }, { "share": "100%" } ],
//!     "gates": { "error_rate": { "at_most": "5%" }, "ttft": { "percentile": 0.95, "times_old": 1.2, "window": 500 } },
//!     "rollback_takes": "5m" } }
//! ```

mod gates;

pub use gates::{ErrorRateGate, Gates, LatencyGate};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::gates::Gate;
use super::branches::{Branches, Wrap, inside};
use super::consistent_hash::By;
use super::{BuildPolicy, Call, Fleet, Milestone, Policy, PolicySpec, Wants};
use crate::form::build::{Built, Names, Refusal};
use crate::form::outcomes::OutcomeList;
use crate::form::units::{Duration, Fraction};
use crate::kernel::chance::{Key, Purpose, threshold};
use crate::kernel::time::{Span, Time};
use crate::words::{Course, Ended, Outcome, Outcomes};

/// A staged rollout from one policy to another, with gates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rollout {
    /// The policy that is left.
    pub old: Box<PolicySpec>,
    /// The policy that takes over.
    pub new: Box<PolicySpec>,
    /// The stages: how much goes to the new policy, and for how long; each stage more than the one before.
    pub stages: Vec<Stage>,
    /// The gates, which the new side must pass. Default: none.
    #[serde(default)]
    pub gates: Gates,
    /// The outcomes of an attempt that are failures. Default: `["retryable"]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failures: Option<OutcomeList>,
    /// What follows when a gate fails. Default: `roll_back`.
    #[serde(default)]
    pub on_failure: AfterGate,
    /// The time from the failure of a gate until nothing new goes to the new side. Default: 0s.
    #[serde(default)]
    pub rollback_takes: Duration,
    /// What is moved, users or requests. Default: `user`.
    #[serde(default)]
    pub by: By,
    /// The beginning of the first stage, in the plan's time: 0s, when counting begins. Default: 0s.
    #[serde(default)]
    pub from: Duration,
    /// The salt of the hash: another one moves others first. Default: 0.
    #[serde(default)]
    pub salt: u64,
}

/// One stage of a rollout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// The share of the users (or requests) on the new side.
    pub share: Fraction,
    /// The shortest length of the stage. Default, for the last one only: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Duration>,
    /// The number of attempts of the new side that must have been judged before the next stage. Default: 0.
    #[serde(default)]
    pub min_requests: u64,
}

/// What follows when a gate fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AfterGate {
    /// Everything goes back to the old side, for good.
    #[default]
    RollBack,
    /// The share stays as it is while a gate fails.
    Pause,
    /// Everything goes back to the old side, and the first stage begins again after this time.
    RetryAfter(Duration),
}

impl BuildPolicy for Rollout {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        let branch = |field: &'static str, spec: &PolicySpec| {
            let policy = inside(spec, names).map_err(|r| r.at(field))?;
            if policy.wants().notes {
                let text = format!(
                    "`{}` keeps notes of each request, and so does the rollout: only one of them can",
                    spec.name()
                );
                return Err(Refusal::new(text).at(field));
            }
            Ok(policy)
        };
        let failures = OutcomeList::set_or(self.failures.as_ref(), Outcomes::RETRYABLE, "failures")?;
        if failures.contains(Outcome::Cancelled) {
            return Err(Refusal::new("an attempt that was called off is not a failure").at("failures"));
        }
        let running = Running {
            branches: Branches::new([branch("old", &self.old)?, branch("new", &self.new)?]),
            stages: self.steps().map_err(|r| r.at("stages"))?,
            gates: self.gates.build().map_err(|r| r.at("gates"))?,
            failures,
            on_failure: self.on_failure,
            takes: self.rollback_takes.span(),
            by: self.by,
            salt: Key::NONE.part(1).part(self.salt).draw(Purpose::Route),
            from: names.origin + self.from.span(),
            state: State::before(names.origin + self.from.span()),
            passed: Vec::new(),
        };
        Ok(running.fresh().wrapped())
    }
}

impl Rollout {
    fn steps(&self) -> Built<Vec<Step>> {
        if self.stages.is_empty() {
            return Err(Refusal::new("there must be at least one stage"));
        }
        let mut steps: Vec<Step> = Vec::new();
        let mut before = 0.0;
        for (i, stage) in self.stages.iter().enumerate() {
            let share = stage.share.get();
            if share <= before {
                let text = format!("a share of {share}: must be above {before}, that of the stage before");
                let text = if i == 0 {
                    "a share of 0: must be above 0".into()
                } else {
                    text
                };
                return Err(Refusal::new(text).at("share").at(i));
            }
            if stage.hold.is_none() && i + 1 < self.stages.len() {
                let text = "a stage that is never over: give `hold` to all but the last";
                return Err(Refusal::new(text).at(i));
            }
            before = share;
            steps.push(Step {
                share,
                below: threshold(share),
                hold: stage.hold.map_or(Span::FOREVER, |d| d.span()),
                min_requests: stage.min_requests,
            });
        }
        Ok(steps)
    }
}

#[derive(Clone, Debug)]
struct Step {
    share: f64,
    /// The hash below which a user or request is on the new side.
    below: u64,
    hold: Span,
    min_requests: u64,
}

/// The sides that a request may go by: the number of the branch, and one less than its note.
const OLD: usize = 0;
const NEW: usize = 1;

/// The progress of a rollout.
#[derive(Clone, Copy, Debug)]
struct State {
    /// The stage that it is at; `None` while everything goes to the old side.
    stage: Option<usize>,
    /// The time of the next change by itself: the first stage begins, or this one is over. [`Time::NEVER`] while
    /// something else must come first.
    due: Time,
    /// The beginning of the stage's hold; `judged` counts the attempts judged since.
    since: Time,
    judged: u64,
    /// The time at which a rollback under way is complete; [`Time::NEVER`] if there is none.
    back_at: Time,
    paused: bool,
    finished: bool,
}

impl State {
    /// The state in which everything goes to the old side until `from`.
    const fn before(from: Time) -> State {
        State {
            stage: None,
            due: from,
            since: Time::ZERO,
            judged: 0,
            back_at: Time::NEVER,
            paused: false,
            finished: false,
        }
    }
}

#[derive(Debug)]
struct Running {
    branches: Branches,
    stages: Vec<Step>,
    gates: Vec<Gate>,
    failures: Outcomes,
    on_failure: AfterGate,
    takes: Span,
    by: By,
    salt: u64,
    from: Time,
    state: State,
    /// The times of the milestones: each stage, the end, each gate, the rollback or pause.
    passed: Vec<Option<Time>>,
}

impl Running {
    /// The side that `call` goes by: where its request began, but never the new one while everything goes to the old.
    #[inline]
    fn side(&self, call: &Call) -> usize {
        let Some(stage) = self.state.stage else { return OLD };
        match call.notes.get() {
            0 => {
                let key = match self.by {
                    By::User => Key::NONE.part(self.salt).part(u64::from(call.user) + 1),
                    By::Request => call.request.part(self.salt),
                };
                usize::from(key.draw(Purpose::Route) < self.stages[stage].below)
            }
            note => note as usize - 1,
        }
    }

    fn pass(&mut self, milestone: usize, at: Time) {
        self.passed[milestone].get_or_insert(at);
    }

    /// Makes happen what is due by `now`, at the time when it was due.
    #[inline]
    fn advance(&mut self, now: Time) {
        // `Time::NEVER` means "not scheduled", even if `now` has saturated to it.
        while self.state.due.min(self.state.back_at) <= now && now != Time::NEVER {
            if self.state.back_at <= now {
                self.roll_back();
                continue;
            }
            let at = self.state.due;
            let next = self.state.stage.map_or(0, |stage| stage + 1);
            if next == self.stages.len() {
                self.state.finished = true;
                self.state.due = Time::NEVER;
                self.pass(next, at);
                continue;
            }
            self.state.stage = Some(next);
            self.state.since = at;
            self.state.judged = 0;
            self.pass(next, at);
            self.set_due(at);
        }
    }

    /// Sets the end of the stage, if nothing but time stands against it.
    fn set_due(&mut self, now: Time) {
        let State {
            stage, since, judged, ..
        } = self.state;
        let Some(step) = stage.map(|stage| &self.stages[stage]) else {
            return;
        };
        let is_held_up = self.state.paused || self.state.finished || self.state.back_at != Time::NEVER;
        self.state.due = if is_held_up || judged < step.min_requests {
            Time::NEVER
        } else {
            (since + step.hold).max(now)
        };
    }

    /// Sends everything to the old side.
    fn roll_back(&mut self) {
        let at = self.state.back_at;
        self.state = State::before(match self.on_failure {
            AfterGate::RetryAfter(wait) => at + wait.span(),
            AfterGate::RollBack | AfterGate::Pause => Time::NEVER,
        });
        for gate in &mut self.gates {
            gate.forget_new();
        }
        self.pass(self.passed.len() - 1, at);
    }

    /// Called when the gates have seen another attempt of the new side.
    fn judge(&mut self, now: Time) {
        let failed = self.gates.iter().position(Gate::fails);
        if let Some(gate) = failed {
            self.pass(self.stages.len() + 1 + gate, now);
        }
        match (self.on_failure, failed) {
            (AfterGate::Pause, Some(_)) => {
                self.state.paused = true;
                self.pass(self.passed.len() - 1, now);
            }
            (AfterGate::Pause, None) if self.state.paused => {
                self.state.paused = false;
                self.state.since = now;
            }
            (_, None) => {}
            (_, Some(_)) => self.state.back_at = now + self.takes,
        }
        self.set_due(now);
    }
}

impl Wrap for Running {
    fn inside(&self) -> &Branches {
        &self.branches
    }

    fn inside_mut(&mut self) -> &mut Branches {
        &mut self.branches
    }

    #[inline]
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        self.advance(fleet.now());
        let side = self.side(call);
        call.notes.set(side as u64 + 1);
        self.branches.choose(side, call, fleet)
    }

    fn wants(&self) -> Wants {
        Wants {
            learns: true,
            notes: true,
            ..self.branches.wants()
        }
    }

    fn learn(&mut self, ended: &Ended) {
        self.advance(ended.now);
        let Some(side) = (ended.notes as usize).checked_sub(1) else {
            return;
        };
        let failed = self.failures.contains(ended.outcome);
        let counts = failed || ended.outcome == Outcome::Success;
        if !counts || self.state.finished || (side == NEW && self.state.stage.is_none()) {
            return;
        }
        for gate in &mut self.gates {
            gate.note(side == NEW, ended, failed);
        }
        if side == NEW && self.state.back_at == Time::NEVER {
            self.state.judged += 1;
            self.judge(ended.now);
            self.advance(ended.now);
        }
    }

    fn mirror(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        self.advance(fleet.now());
        let side = self.side(call);
        self.branches.branch(side).mirror(call, fleet)
    }

    fn courses(&self) -> Vec<Course> {
        vec![Course::once("a roll-out", Time::ZERO, Time::NEVER)]
    }

    fn milestones(&self) -> Vec<Milestone> {
        // A float's own digits would show what it cannot hold: 7.000000000000001%.
        let percent = |step: &Step| (step.share * 1e6).round() / 1e4;
        let stages = self
            .stages
            .iter()
            .map(|step| format!("{}% on the new side", percent(step)));
        let gates = self.gates.iter().map(|gate| format!("gate {} fails", gate.name()));
        let last = if self.on_failure == AfterGate::Pause {
            "paused"
        } else {
            "rolled back"
        };
        let own = stages
            .chain(["finished".to_owned()])
            .chain(gates)
            .chain([last.to_owned()]);
        own.zip(&self.passed)
            .map(|(what, &at)| Milestone { what, at })
            .collect()
    }

    /// The branch that `call`, which has been sent somewhere, went by.
    fn handler(&mut self, call: &Call) -> Option<usize> {
        Some((call.notes.get() as usize).max(1) - 1)
    }

    fn fresh(&self) -> Self {
        Running {
            branches: self.branches.fresh(),
            stages: self.stages.clone(),
            gates: self.gates.iter().map(Gate::fresh).collect(),
            state: State::before(self.from),
            passed: vec![None; self.stages.len() + self.gates.len() + 2],
            ..*self
        }
    }
}

#[cfg(test)]
mod tests;
