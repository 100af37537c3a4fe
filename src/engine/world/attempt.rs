//! Attempts: the choice of a provider for each, and how each ends.

use crate::client::cut;
use crate::client::host::Connected;
use crate::client::retry::To;
use crate::engine::event::{Event, MOST_SLOTS};
use crate::engine::incident::Passed;
use crate::engine::lens::Seen;
use crate::engine::watch::{By, Choice, Fate, What};
use crate::kernel::time::{Span, Time};
use crate::provider::endpoint::Answer;
use crate::provider::limits::Spent;
use crate::routing::{Fleet, Grounds, Restriction};
use crate::words::{Ask, Ended, Outcome, Spending, Usage};

use super::age::as_seen;
use super::gateway::watching;
use super::{Attempt, Gateway, MOST_COPIES, Place, Request, Stage, Way, World};

impl World<'_> {
    /// Begins the next try of the request in `slot`: at the provider that the policy chooses, or in line for it.
    #[inline]
    pub(super) fn route(&mut self, slot: u32) {
        if self.wants.mirrors && !self.requests[slot].mirrored {
            return self.route_with_copy(slot);
        }
        if !self.gates.is_empty() && !self.enters_group(slot) {
            return;
        }
        let request = &mut self.requests[slot];
        request.tries += 1;
        request.place = Place::Out;
        if !self.dispatch(slot, false) {
            // Without a provider to send it to, it does not count as a try.
            let ask = &self.requests[slot].ask;
            let barred = self.budget.as_mut().is_some_and(|b| b.barred(self.now, ask).is_some());
            if !barred {
                let request = &self.requests[slot];
                let policy = &mut self.gateways[usize::from(request.gateway)].policy;
                if let Some((outcome, retry_after)) = policy.turns_away(&request.call(false)) {
                    return self.failed(slot, outcome, retry_after, None);
                }
            }
            self.requests[slot].tries -= 1;
            let outcome = if barred {
                Outcome::BudgetExhausted
            } else {
                Outcome::BreakerOpen
            };
            self.failed(slot, outcome, None, None);
        }
    }

    /// Chooses a provider for the request in `slot` and sends it there, or puts it in line for a connection. Returns
    /// whether a provider was chosen. If its connection pool refuses the attempt, the failure has already been handled;
    /// a refused *hedge* returns `false`.
    #[inline(always)]
    pub(super) fn dispatch(&mut self, slot: u32, hedge: bool) -> bool {
        let request = &self.requests[slot];
        let call = request.call(hedge);
        let gateway = usize::from(request.gateway);
        let group = request.group;
        let Gateway {
            hosts,
            guard,
            of_groups,
            policy,
        } = &mut self.gateways[gateway];
        let mut fleet = Fleet::new(hosts, watching(of_groups, guard.as_deref(), group), self.now);
        if !self.everybody.is_empty() {
            fleet = fleet.beside(&self.everybody);
        }
        fleet = as_seen(fleet, self.aged.as_ref(), gateway);
        let grounds = Grounds::default();
        if self.watch.is_some() {
            fleet = fleet.heard_by(&grounds);
        }
        let (mut instead, mut order): (Option<usize>, &[usize]) = (None, &[]);
        let (mut taken, restriction) = ([0; MOST_COPIES], &mut Restriction::default());
        let (elsewhere, within) = (request.to == To::Elsewhere && !hedge, fleet);
        if self.may_restrict || hedge || elsewhere {
            if let (true, Some(last)) = (elsewhere, call.last) {
                taken[0] = last as u32;
                restriction.excluded = &taken[..1];
            } else if hedge && self.hedge.as_ref().is_some_and(|h| h.elsewhere()) {
                for (to, &copy) in taken.iter_mut().zip(request.copies.slots()) {
                    *to = self.attempts[copy].way.provider;
                }
                restriction.excluded = &taken[..request.copies.count()];
            }
            let client = &self.scenario.client;
            restriction.members = client.members(group);
            if group > 0 && client.groups.is_none() {
                order = &client.fallback.groups[usize::from(group)].order;
            }
            instead = self.budget.as_mut().and_then(|b| b.instead(self.now));
            restriction.barred = self.budget.as_mut().and_then(|b| b.barred(self.now, &request.ask));
            fleet = fleet.within(restriction);
        }
        let same = call
            .last
            .filter(|&last| request.to == To::Same && !hedge && fleet.is_open_to_calls(last));
        // If the policy returns `None`, fall back to the fallback group's own order, then to the provider that a spent
        // budget redirects to.
        let others = || {
            let named = order.iter().copied().find(|&p| fleet.is_open_to_calls(p));
            let named = named.map(|p| (p, By::Group));
            named.or_else(|| instead.filter(|&p| fleet.breaker_permits(p)).map(|p| (p, By::Budget)))
        };
        let by_policy = |p| (p, By::Policy);
        let chosen = (same.map(|p| (p, By::Retry))).or_else(|| policy.choose(&call, &fleet).map(by_policy));
        let everywhere = Restriction {
            excluded: &[],
            ..*restriction
        };
        // Where the policy would take no other, the last one it is.
        let mut again = || elsewhere.then(|| policy.choose(&call, &within.within(&everywhere)).map(by_policy));
        let chosen = chosen.or_else(|| again().flatten()).or_else(others);
        if let Some(watch) = &mut self.watch {
            let (call, fleet, grounds) = (&call, &fleet, &grounds);
            watch.choose(
                slot,
                &Choice {
                    call,
                    fleet,
                    grounds,
                    chosen,
                },
            );
        }
        let Some((provider, _)) = chosen else {
            return false;
        };
        if self.wants.ends {
            match &mut self.aged {
                Some(aged) if aged.delays_own() => call.ticket.set(aged.sent(gateway, &call, provider)),
                _ => policy.sent(&call, provider),
            }
        }
        let ticket = self.gateways[gateway].sent(group, provider, self.now);
        let request = &mut self.requests[slot];
        request.notes = call.notes.get();
        let number = request.attempts;
        request.attempts += 1;
        request.provider = provider as u32;
        let way = Way {
            request: slot,
            provider: provider as u32,
            number,
            hedge,
            ticket,
        };
        let pool = self.scenario.fleet[provider].pool;
        // Beyond this number an event's payload cannot hold the slot.
        let connected = if self.attempts.len() >= MOST_SLOTS {
            Connected::Refused
        } else {
            self.connect(pool)
        };
        match connected {
            Connected::Now => {
                let attempt = self.attempts.claim(Attempt::BLANK);
                self.requests[slot].copies.add(attempt);
                if self.wants.ends {
                    self.keep_ticket(attempt, call.ticket.get());
                }
                self.send(attempt, way);
            }
            Connected::InLine => {
                let request = &mut self.requests[slot];
                let until = (self.now + self.scenario.client.pool_timeout).min(request.deadline);
                let attempt = self.attempts.insert(Attempt {
                    way,
                    stage: Stage::InLine,
                    outcome: Outcome::QueueTimeout,
                    beside: 0,
                    since: self.now,
                    until,
                    answer: Answer::NOTHING,
                });
                request.copies.add(attempt);
                self.stand_in_line(pool, attempt);
                if self.wants.ends {
                    self.keep_ticket(attempt, call.ticket.get());
                }
                self.gateways[gateway].hosts[provider].in_line += 1;
                self.note(slot, |_| What::InLine(way.sending()));
                if until != Time::NEVER {
                    self.events.push(until, Event::LineOver(attempt).pack());
                }
            }
            Connected::Refused => {
                self.note(slot, |_| What::Refused(way.sending()));
                let refused = Ended::new(self.now, provider, Outcome::Shed);
                self.gateways[gateway].record(group, ticket, &refused);
                self.show_breakers();
                if self.wants.ends {
                    self.never_connected(way, Outcome::Shed, call.ticket.get());
                }
                if hedge {
                    self.requests[slot].attempts -= 1;
                    return false;
                }
                self.failed(slot, Outcome::Shed, None, Some(provider));
            }
        }
        true
    }

    /// Frees the slot of an attempt. Events that still refer to it find it called off.
    #[inline]
    pub(super) fn forget(&mut self, slot: u32) {
        self.attempts[slot].stage = Stage::CalledOff;
        self.attempts.remove(slot);
    }

    #[inline(never)]
    pub(super) fn send_waiting(&mut self, slot: u32, way: Way) {
        self.send(slot, way);
    }

    /// Sends the attempt in `slot`, which holds a connection, to its provider.
    #[inline(always)]
    pub(super) fn send(&mut self, slot: u32, way: Way) {
        let request = &self.requests[way.request];
        let p = way.provider as usize;
        let provider = &self.scenario.fleet[p].provider;
        let key = request.key.attempt(u64::from(way.number));
        let (left, first_token_in) = match self.is_impatient {
            false => (request.deadline.since(self.now), Span::FOREVER),
            true => self.has_left(request),
        };
        let timeouts = self.scenario.client.timeouts_of(request.group, p);
        let patience = timeouts.patience(&request.ask, left);
        let account = provider.account.map(|a| &mut self.accounts[a]);
        let attempt = &mut self.attempts[slot];
        self.endpoints[p].answer(
            provider,
            account,
            self.now,
            &request.ask,
            &patience,
            key,
            &mut attempt.answer,
        );
        if attempt.answer.last_token == Span::FOREVER && attempt.answer.outcome == Outcome::Success {
            self.tally.clipped += u64::from(request.arrived >= self.scenario.window.warmup);
        }
        let (mut outcome, mut lasts) = cut(&attempt.answer, &patience, request.ask.output);
        if lasts > first_token_in && attempt.answer.first_token > first_token_in {
            (outcome, lasts) = (Outcome::Abandoned, first_token_in);
        }
        self.endpoints[p].stay(self.now, lasts);
        attempt.way = way;
        attempt.stage = Stage::Away;
        attempt.outcome = outcome;
        attempt.since = self.now;
        let host = &mut self.gateways[usize::from(request.gateway)].hosts[p];
        attempt.beside = host.in_flight;
        host.in_flight += 1;
        if let Some(all) = self.everybody.get_mut(p) {
            attempt.beside = *all;
            *all += 1;
        }
        self.tally.series.send(p);
        if way.number > 0 && request.arrived >= self.scenario.window.warmup {
            let effort = &mut self.tally.effort;
            effort.hedges += u64::from(way.hedge);
            effort.retries += u64::from(!way.hedge && request.tries > 1);
        }
        self.events.push(self.now + lasts, Event::AttemptEnds(slot).pack());
        self.note(way.request, |world| {
            let (wait, faulty) = world.endpoints[p].told();
            let answer = world.attempts[slot].answer;
            What::Sent(way.sending(), Fate { answer, wait, faulty })
        });
        if self.wants.mirrors && self.requests[way.request].shadow {
            return;
        }
        if self.wants.headers {
            self.keep_headers(slot, way);
        }
        if self.retry_listens {
            self.retry
                .sent(self.now, way.number, usize::from(self.requests[way.request].group));
        }
        if self.over_at_headers {
            self.expect_headers(slot, lasts);
        }
        if self.hedge.is_some() {
            if !way.hedge {
                self.plan_hedge(way.request);
            } else if self.races_for_first_token() {
                self.expect_first_token(slot);
            }
        }
    }

    #[inline]
    pub(super) fn attempt_ends(&mut self, slot: u32) {
        let Attempt {
            way, stage, outcome, ..
        } = self.attempts[slot];
        if stage == Stage::CalledOff {
            self.attempts.remove(slot);
            return;
        }
        if self.wants.mirrors && self.requests[way.request].shadow {
            return self.mirror_ends(slot, outcome);
        }
        if outcome == Outcome::Abandoned {
            return self.abandon(slot);
        }
        if outcome == Outcome::Success && self.hedge.is_some() {
            self.leave_lines(way.request, slot);
        }
        self.close(slot, outcome);
        let attempt = &self.attempts[slot];
        let (sent, first_token) = (attempt.since, attempt.answer.first_token);
        let retry_after = attempt.answer.retry_after_of(outcome);
        self.forget(slot);
        let request = &mut self.requests[way.request];
        request.copies.remove(slot);
        if outcome == Outcome::Success {
            let ttft = (sent + first_token).since(request.arrived);
            request.provider = way.provider;
            if way.hedge && request.arrived >= self.scenario.window.warmup {
                self.tally.effort.hedges_won += 1;
            }
            self.call_off_rivals(way.request, slot);
            if self.wants.judges && self.is_looked_at(way) {
                return;
            }
            self.finish_request(way.request, Outcome::Success, ttft);
            self.admit();
        } else if request.copies.count() == 0 {
            let p = way.provider as usize;
            self.failed(way.request, outcome, retry_after, Some(p));
        } else if let Some(hedge) = &mut self.hedge
            && request.copies.count() < MOST_COPIES
            // The timeout of the whole request ends every copy: another one would be sent only to be cut off.
            && self.now < request.deadline
            && hedge.on_failure(self.now, request.hedges)
        {
            self.send_copy(way.request);
        }
    }

    /// Ends the attempt in `slot` with `outcome`: bills it, frees its place at the provider and its connection, and
    /// reports it to whatever learns from attempts.
    #[inline(always)]
    pub(super) fn close(&mut self, slot: u32, outcome: Outcome) {
        let served = !self.wants.mirrors || !self.requests[self.attempts[slot].way.request].shadow;
        let attempt = &self.attempts[slot];
        let answer = &attempt.answer;
        let (way, since, beside, oversized) = (attempt.way, attempt.since, attempt.beside, answer.oversized);
        let p = way.provider as usize;
        let provider = &self.scenario.fleet[p].provider;
        let took = self.now.since(since);
        let Request { ask, notes, .. } = &self.requests[way.request];
        let billed = answer.billed(outcome, took, ask.output, provider.hung_up);
        let mut ended = Ended {
            now: self.now,
            provider: p,
            outcome,
            first_token: answer.first_token,
            took,
            retry_after: answer.retry_after_of(outcome),
            usage: Usage {
                input: 0,
                cached: 0,
                written: 0,
                output: 0,
            },
            cost: 0,
            class: ask.class,
            user: ask.user,
            tags: ask.tags,
            priority: ask.priority,
            input: ask.input,
            max_output: ask.max_output,
            attempt: way.number,
            beside,
            grade: None,
            notes: *notes,
            ticket: 0,
            connected: true,
            hedge: way.hedge,
            mirrored: !served,
        };
        if let Some(output) = billed {
            ended.usage.input = ask.input;
            ended.usage.output = output;
            ended.usage.cached = answer.cached;
            ended.usage.written = answer.cache_written;
            ended.cost = provider.price.of(&ended.usage, self.now);
        }
        if answer.admitted {
            let account = provider.account.map(|a| &mut self.accounts[a]);
            self.endpoints[p].leave(account, self.now, || Spent {
                ask: Ask {
                    cached: answer.cached,
                    ..*ask
                },
                since,
                usage: ended.usage,
            });
        }
        let Request { gateway, group, .. } = self.requests[way.request];
        let gateway = &mut self.gateways[usize::from(gateway)];
        gateway.hosts[p].in_flight -= 1;
        if let Some(all) = self.everybody.get_mut(p) {
            *all -= 1;
        }
        if !served {
            // A mirrored copy: nothing learns from it.
        } else if self.tally.incidents.is_empty() {
            gateway.record(group, way.ticket, &ended);
        } else {
            self.record_in_incidents(way, &ended);
        }
        self.show_breakers();
        self.note(way.request, |_| What::Closed(ended));
        if let Some(next) = self.disconnect(self.scenario.fleet[p].pool, outcome) {
            let waiting = self.attempts[next];
            self.no_longer_in_line(&waiting);
            self.send_waiting(next, waiting.way);
        }
        if self.listened_to && served {
            self.tell(slot, way, &ended);
        }
        if self.wants.ends {
            self.tell_end(slot, way, &ended);
        }
        let request = &mut self.requests[way.request];
        request.cost = request.cost.saturating_add(ended.cost);
        let window = self.scenario.window;
        if outcome == Outcome::RateLimited
            && let Some(bin) = self.tally.series.bin()
        {
            bin.limited += 1;
        }
        let tally = &mut self.tally.providers[p];
        if request.arrived >= window.warmup {
            tally.outcomes[outcome.index()] += 1;
            tally.oversized += u64::from(oversized);
            tally.cost += u128::from(ended.cost);
            let purpose = Spending::of(&ended).index();
            tally.spent[purpose] += u128::from(ended.cost);
            tally.input += u128::from(ended.usage.input);
            tally.cached += u128::from(ended.usage.cached);
            tally.output += u128::from(ended.usage.output);
            if !ended.mirrored {
                self.tally.classes[usize::from(request.ask.class)].spent[purpose] += u128::from(ended.cost);
            }
        }
        let counted = self.now.min(window.end).since(since.max(window.warmup));
        tally.busy += u128::from(counted.nanos());
        if !self.tally.lenses.is_empty() && request.arrived >= window.warmup {
            let seen = Seen {
                is_hit: false,
                class: request.ask.class,
                tags: request.ask.tags,
                arrived: request.arrived,
                provider: way.provider,
                output: request.ask.output,
            };
            let lenses = &self.scenario.lenses;
            self.tally.see_attempt(lenses, &seen, outcome, ended.cost, !served);
        }
    }

    /// Reports the end of the attempt in `slot` to the policy, the retry rule, the hedging rule and the budgets that
    /// learn from it.
    fn tell(&mut self, slot: u32, way: Way, ended: &Ended) {
        let graded = (self.wants.grades > 0).then(|| self.graded(slot, ended));
        let gateway = usize::from(self.requests[way.request].gateway);
        let learns = graded.as_ref().or_else(|| self.wants.learns.then_some(ended));
        if self.aged.as_ref().is_none_or(|aged| !aged.delays_own()) {
            let policy = &mut self.gateways[gateway].policy;
            if let Some(learns) = learns {
                policy.learn(learns);
            }
            if self.wants.headers {
                policy.read(ended, &self.headers[slot as usize]);
            }
        }
        if self.aged.is_some() {
            if let Some(learns) = learns {
                self.learn_late(gateway, learns, None);
            }
            if self.wants.headers {
                self.learn_late(gateway, ended, Some(slot));
            }
        }
        if self.retry_listens {
            self.retry.ended(ended, usize::from(self.requests[way.request].group));
        }
        if let Some(hedge) = &mut self.hedge {
            hedge.ended(ended);
        }
        if let Some(budget) = &mut self.budget {
            budget.spent(ended);
        }
    }

    /// Ends an attempt that is called off (see [`World::close`]).
    #[inline(never)]
    pub(super) fn close_called_off(&mut self, slot: u32) {
        self.close(slot, Outcome::Cancelled);
    }

    /// Records the end of an attempt with its gateway (see [`Gateway::record`]), and in the outages that are known
    /// beforehand.
    #[cold]
    fn record_in_incidents(&mut self, way: Way, ended: &Ended) {
        let mut incidents = std::mem::take(&mut self.tally.incidents);
        for incident in &mut incidents {
            incident.begin(self.now, |p, at| self.permits(p, at));
        }
        let group = self.requests[way.request].group;
        self.gateway_of(way).record(group, way.ticket, ended);
        let passed = Passed {
            provider: ended.provider,
            sent: Time::from_nanos(self.now.nanos() - ended.took.nanos()),
            outcome: ended.outcome,
        };
        for incident in &mut incidents {
            incident.note(self.now, &passed, |p, at| self.permits(p, at));
        }
        self.tally.incidents = incidents;
    }

    /// The gateway at which the attempt's request arrived.
    #[inline]
    pub(super) fn gateway_of(&mut self, way: Way) -> &mut Gateway {
        &mut self.gateways[usize::from(self.requests[way.request].gateway)]
    }

    /// Whether any gateway's breaker of provider `p` lets calls through at `now`.
    fn permits(&self, p: usize, now: Time) -> bool {
        self.gateways.iter().any(|g| g.permits(self.scenario, p, now))
    }
}
