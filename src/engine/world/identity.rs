//! Requests that are turned away because their identity is over a limit of its own: counted, and told.

use crate::client::identity::{Rule, Rules};

use super::World;
use crate::engine::watch::What;

impl World<'_> {
    /// Counts the request in `slot`, which has arrived, for what is for each identity at the way in.
    #[inline(never)]
    pub(super) fn count_identity(&mut self, slot: u32) {
        let Rules {
            limiters,
            budgets,
            lines,
            ..
        } = &self.scenario.client.rules;
        for &rule in limiters.iter().chain(budgets).chain([lines]).flatten() {
            self.asks_of(rule, slot);
        }
    }

    /// Counts the request in `slot` for `rule`, if it has an identity there.
    fn asks_of(&mut self, rule: u16, slot: u32) {
        let request = &self.requests[slot];
        let number = self.rule(rule).whose.of_ask(&request.ask);
        if let Some(number) = number.filter(|_| request.arrived >= self.scenario.window.warmup) {
            self.tally.identities[usize::from(rule)].ask(number);
        }
    }

    fn rule(&self, number: u16) -> &Rule {
        &self.scenario.client.rules.all[usize::from(number)]
    }

    /// A limiter at the way in has turned the request in `slot` away.
    #[inline(never)]
    pub(super) fn limited_at_gate(&mut self, slot: u32) {
        let found = self.gate.refused(&self.requests[slot].ask);
        if let Some((limiter, identity)) = found {
            self.limited(slot, self.scenario.client.rules.limiters[limiter], identity);
        }
    }

    /// Counts the request in `slot` for what is for each identity at group `group`; `refused` says whether that turned it away.
    #[inline(never)]
    pub(super) fn asked_at_group(&mut self, slot: u32, group: u8, refused: bool) {
        let rules = &self.scenario.client.rules.groups[usize::from(group)];
        for &rule in rules.iter().flatten() {
            self.asks_of(rule, slot);
        }
        let gate = self.gates[usize::from(group)].as_ref().filter(|_| refused);
        let found = gate.and_then(|gate| gate.refused(&self.requests[slot].ask));
        if let Some((limiter, identity)) = found {
            self.limited(slot, rules[limiter], identity);
        }
    }

    /// A budget has turned the request in `slot` away.
    #[inline(never)]
    pub(super) fn limited_by_budget(&mut self, slot: u32) {
        let ask = &self.requests[slot].ask;
        let found = self.budget.as_ref().and_then(|budget| budget.refused(ask));
        if let Some((budget, identity)) = found {
            self.limited(slot, self.scenario.client.rules.budgets[budget], identity);
        }
    }

    /// The request in `slot` is shed from the line of its identity, or before it.
    #[inline(never)]
    pub(super) fn limited_in_line(&mut self, slot: u32) {
        let lines = self.scenario.client.rules.lines;
        let identity = lines.and_then(|rule| self.rule(rule).whose.of_ask(&self.requests[slot].ask));
        if let Some(identity) = identity {
            self.limited(slot, lines, identity);
        }
    }

    fn limited(&mut self, slot: u32, rule: Option<u16>, identity: u32) {
        let Some(rule) = rule else { return };
        if self.requests[slot].arrived >= self.scenario.window.warmup {
            self.tally.identities[usize::from(rule)].refuse(identity);
        }
        self.note(slot, |_| What::Limited { rule, identity });
    }
}
