//! Spend per window: so much money or so many tokens an hour, a day or a month (30 days), over all providers or some.
//!
//! A budget is exhausted from the moment its window's spend is at or above it until the window ends (LiteLLM 1.109.1,
//! `router_strategy/budget_limiter.py`: `current_spend >= max_budget`). Then, by `on_exhausted`:
//!
//! - `reject`: a request that arrives is turned away, and what is under way is not tried again. With `providers`, these
//!   are not used (LiteLLM's provider budgets): a request fails only when no other is left.
//! - `queue`: a request that arrives waits for the next window, at most the admission's longest wait. A request that is
//!   in goes on.
//! - `cheapest`: of its providers only the cheapest is used, by price of an input and an output token together; what a
//!   policy would send to the others goes there, and so does a request for which a group has no provider left (the
//!   article on the multi-model router: everything to the cheapest).
//!
//! How long each was spent is among what binds.
//!
//! Several budgets hold at once: what one bars is barred. Left out: budgets by key, user or tag, calendars and time zones,
//! counters shared between gateways (LiteLLM syncs them every second, so that each overshoots by itself).
//!
//! ```json
//! { "per": "day", "money": "$100", "on_exhausted": "cheapest", "alerts": [0.5, 0.75, 0.9] }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Alert, Allowance, Budget, Budgets, Progress, Verdict};
use crate::form::build::{Built, Names, Refusal};
use crate::form::units::{Count, Fraction, Money};
use crate::kernel::clock::BoundClock;
use crate::kernel::time::{Span, Time};
use crate::words::{Ask, Ended};

/// A budget for each of the windows that follow one another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BudgetSpec {
    /// The length of a window.
    pub per: Per,
    /// The most money in one window. Give this, `tokens` or both; the first to be spent counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub money: Option<Money>,
    /// The most tokens in one window, input and output as billed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Count>,
    /// What happens once the budget is spent, for the rest of the window. Default: `reject`.
    #[serde(default)]
    pub on_exhausted: OnExhausted,
    /// The providers whose bills count, and which alone are barred. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub providers: Option<Vec<String>>,
    /// The shares of the budget, above 0, of which the report says when they were first passed. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<Fraction>,
}

/// The length of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// A window of an hour.
    Hour,
    /// A window of 24 hours.
    Day,
    /// A window of 30 days.
    Month,
}

impl Per {
    const fn span(self) -> Span {
        match self {
            Per::Hour => Span::from_secs(3600),
            Per::Day => Span::from_secs(86_400),
            Per::Month => Span::from_secs(30 * 86_400),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Per::Hour => "hour",
            Per::Day => "day",
            Per::Month => "month",
        }
    }
}

/// What happens when a budget is spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnExhausted {
    /// No further request is let in, or none goes to the budget's providers.
    #[default]
    Reject,
    /// Requests wait for the next window.
    Queue,
    /// Only the cheapest of the budget's providers is used.
    Cheapest,
}

/// Makes all budgets of a client. Amounts are converted to the currency that bills are in.
///
/// # Errors
/// If a budget limits nothing, names no provider, queues for some providers only, does nothing when it is spent, or
/// cannot tell which provider is cheapest.
pub fn build(specs: &[BudgetSpec], names: &Names<'_>) -> Built<Budgets> {
    let mut windows = Vec::new();
    let mut budgets = Budgets::default();
    for (i, spec) in specs.iter().enumerate() {
        let window = one(spec, names).map_err(|r| r.at(i))?;
        let budget = title(spec);
        budgets.alerts.extend(spec.alerts.iter().map(|share| Alert {
            budget: budget.clone(),
            share: share.get(),
        }));
        budgets.allowances.push(Allowance {
            budget,
            window: window.length,
            money: spec.money.map(|_| window.money),
            tokens: spec.tokens.map(|_| window.tokens),
            counts: window.counts.clone(),
            stops_all: window.at_the_door.is_some(),
        });
        windows.push(window);
    }
    if !windows.is_empty() {
        budgets.running = Some(Box::new(Running {
            barred: vec![false; names.providers.len()],
            any_barred: false,
            instead: None,
            origin: names.origin,
            next_window: Time::ZERO,
            passed: vec![None; budgets.alerts.len()],
            budgets: windows,
        }));
    }
    Ok(budgets)
}

fn one(spec: &BudgetSpec, names: &Names<'_>) -> Built<Window> {
    if spec.money.is_none() && spec.tokens.is_none() {
        return Err(Refusal::new(
            "a budget of nothing in particular: give `money`, `tokens` or both",
        ));
    }
    if spec.money.is_some_and(|m| m.picodollars() == 0) {
        return Err(Refusal::new("$0: a budget must be above nothing").at("money"));
    }
    if let Some(i) = spec.alerts.iter().position(|share| share.get() == 0.0) {
        return Err(
            Refusal::new("a share of 0 is passed before anything is spent: must be above 0")
                .at(i)
                .at("alerts"),
        );
    }
    let numbers = match &spec.providers {
        None => (0..names.providers.len()).collect(),
        Some(some) if some.is_empty() => {
            return Err(Refusal::new("a budget for no provider: name one, or leave it out for all").at("providers"));
        }
        Some(some) => names.each_provider(some).map_err(|r| r.at("providers"))?,
    };
    let mut bars = vec![false; names.providers.len()];
    for &number in &numbers {
        bars[number] = true;
    }
    let (counts, mut instead) = (bars.clone(), None);
    match (spec.on_exhausted, &spec.providers) {
        (OnExhausted::Queue, Some(_)) => {
            let text = "`queue` holds every request up, whichever provider would serve it: leave `providers` out";
            return Err(Refusal::new(text).at("on_exhausted"));
        }
        (OnExhausted::Queue, None) => bars.fill(false),
        (OnExhausted::Cheapest, _) if numbers.len() == 1 && spec.alerts.is_empty() => {
            let text = format!(
                "`cheapest` does nothing here: `{}` is alone and goes on being used; name more `providers`, or give `reject`",
                names.providers[numbers[0]]
            );
            return Err(Refusal::new(text).at("on_exhausted"));
        }
        (OnExhausted::Cheapest, _) => {
            let number = cheapest(&numbers, names)?;
            bars[number] = false;
            instead = Some(number);
        }
        (OnExhausted::Reject, _) => {}
    }
    let money = |m: Money| names.money(m);
    Ok(Window {
        length: spec.per.span(),
        ends: names.origin + spec.per.span(),
        money: spec.money.map_or(u128::MAX, money),
        tokens: spec.tokens.map_or(u64::MAX, Count::get),
        spent: (0, 0),
        most: (0, 0),
        first_spent: None,
        time_spent: BoundClock::default(),
        counts,
        bars,
        instead,
        at_the_door: match (spec.on_exhausted, &spec.providers) {
            (OnExhausted::Reject, None) => Some(OnExhausted::Reject),
            (OnExhausted::Queue, _) => Some(OnExhausted::Queue),
            _ => None,
        },
        alerts: spec
            .alerts
            .iter()
            .map(|share| (share.get() * 1e6 + 0.5) as u64)
            .collect(),
    })
}

/// The cheapest of the providers `among`; of equals, the first.
fn cheapest(among: &[usize], names: &Names<'_>) -> Built<usize> {
    let mut best: Option<(u64, usize)> = None;
    for &number in among {
        let Some((input, output)) = names.known.get(number).and_then(|known| known.price) else {
            let text = format!(
                "`{}` has no price by the token, so it is not known whether it is the cheapest",
                names.providers[number]
            );
            return Err(Refusal::new(text).at("on_exhausted"));
        };
        let price = input.saturating_add(output);
        if best.is_none_or(|(least, _)| price < least) {
            best = Some((price, number));
        }
    }
    best.map(|(_, number)| number)
        .ok_or_else(|| Refusal::new("there is no provider").at("on_exhausted"))
}

/// A budget in words: "$100 a day".
fn title(spec: &BudgetSpec) -> String {
    let amounts = [
        spec.money.map(|m| m.to_string()),
        spec.tokens.map(|t| format!("{t} tokens")),
    ];
    let amounts: Vec<String> = amounts.into_iter().flatten().collect();
    let per = spec.per.name();
    let whose = match &spec.providers {
        Some(names) => format!(" on {}", names.join(", ")),
        None => String::new(),
    };
    let article = if per == "hour" { "an" } else { "a" };
    format!("{} {article} {per}{whose}", amounts.join(" or "))
}

/// One budget, as it runs.
#[derive(Clone, Debug)]
struct Window {
    length: Span,
    ends: Time,
    money: u128,
    tokens: u64,
    /// The money in pico-dollars and the tokens spent in this window.
    spent: (u128, u64),
    /// The most of each in a window so far.
    most: (u128, u64),
    first_spent: Option<Time>,
    time_spent: BoundClock,
    /// The providers whose bills count; `bars` are those that are barred once the budget is spent.
    counts: Vec<bool>,
    bars: Vec<bool>,
    /// The provider that takes everything once the budget is spent.
    instead: Option<usize>,
    /// What happens to a request that arrives once the budget is spent.
    at_the_door: Option<OnExhausted>,
    /// The watched shares, in millionths.
    alerts: Vec<u64>,
}

impl Window {
    fn is_exhausted(&self) -> bool {
        self.spent.0 >= self.money || self.spent.1 >= self.tokens
    }

    /// Whether at least so many millionths of the budget are spent.
    fn has_passed(&self, millionths: u64) -> bool {
        let part = u128::from(millionths);
        let reached = |spent: u128, limit: u128| spent.saturating_mul(1_000_000) >= limit.saturating_mul(part);
        (self.money != u128::MAX && reached(self.spent.0, self.money))
            || (self.tokens != u64::MAX && reached(u128::from(self.spent.1), u128::from(self.tokens)))
    }

    fn roll(&mut self, now: Time) {
        if now >= self.ends {
            self.time_spent.leave(self.ends);
            let over = now.since(self.ends).nanos() / self.length.nanos();
            self.ends = self.ends + Span::from_nanos(self.length.nanos().saturating_mul(over)) + self.length;
            self.spent = (0, 0);
        }
    }
}

/// All budgets of a client, as they run.
#[derive(Clone, Debug)]
struct Running {
    budgets: Vec<Window>,
    /// The providers that may not be used until something is spent or a window ends.
    barred: Vec<bool>,
    any_barred: bool,
    /// The provider that takes everything until something is spent or a window ends.
    instead: Option<usize>,
    /// The beginning of the first window: before it nothing is charged.
    origin: Time,
    /// The time at which the next window ends.
    next_window: Time,
    /// The time at which each watched share was passed, budget by budget.
    passed: Vec<Option<Time>>,
}

impl Running {
    #[inline]
    fn roll(&mut self, now: Time) {
        if now >= self.next_window {
            for budget in &mut self.budgets {
                budget.roll(now);
            }
            self.next_window = self.budgets.iter().map(|b| b.ends).min().unwrap_or(Time::NEVER);
            self.bar();
        }
    }

    fn bar(&mut self) {
        self.barred.fill(false);
        self.instead = None;
        for budget in self.budgets.iter().filter(|b| b.is_exhausted()) {
            for (barred, &bars) in self.barred.iter_mut().zip(&budget.bars) {
                *barred |= bars;
            }
            self.instead = self.instead.or(budget.instead);
        }
        self.any_barred = self.barred.contains(&true);
    }
}

impl Budget for Running {
    fn offer(&mut self, now: Time, _ask: &Ask) -> Verdict {
        self.roll(now);
        let mut verdict = Verdict::Pass;
        for budget in self.budgets.iter().filter(|b| b.is_exhausted()) {
            match (budget.at_the_door, verdict) {
                (Some(OnExhausted::Reject), _) => return Verdict::Reject,
                (Some(OnExhausted::Queue), Verdict::Wait(until)) => verdict = Verdict::Wait(until.max(budget.ends)),
                (Some(OnExhausted::Queue), _) => verdict = Verdict::Wait(budget.ends),
                _ => {}
            }
        }
        verdict
    }

    #[inline]
    fn barred(&mut self, now: Time) -> Option<&[bool]> {
        self.roll(now);
        self.any_barred.then_some(&self.barred[..])
    }

    fn instead(&mut self, now: Time) -> Option<usize> {
        self.roll(now);
        self.instead.filter(|&p| !self.barred[p])
    }

    fn spent(&mut self, ended: &Ended) {
        if ended.now < self.origin {
            return;
        }
        self.roll(ended.now);
        let tokens = u64::from(ended.usage.input) + u64::from(ended.usage.output);
        let (mut watched, mut newly_exhausted) = (0, false);
        for budget in &mut self.budgets {
            if budget.counts[ended.provider] {
                let before = budget.is_exhausted();
                budget.spent.0 = budget.spent.0.saturating_add(u128::from(ended.cost));
                budget.spent.1 = budget.spent.1.saturating_add(tokens);
                budget.most = (budget.most.0.max(budget.spent.0), budget.most.1.max(budget.spent.1));
                if !before && budget.is_exhausted() {
                    newly_exhausted = true;
                    budget.first_spent.get_or_insert(ended.now);
                    budget.time_spent.enter(ended.now);
                }
                for (i, &share) in budget.alerts.iter().enumerate() {
                    let passed = &mut self.passed[watched + i];
                    if passed.is_none() && budget.has_passed(share) {
                        *passed = Some(ended.now);
                    }
                }
            }
            watched += budget.alerts.len();
        }
        if newly_exhausted {
            self.bar();
        }
    }

    fn alerts(&self) -> &[Option<Time>] {
        &self.passed
    }

    fn progress(&mut self, now: Time) -> Vec<Progress> {
        self.roll(now);
        let progress = |budget: &Window| Progress {
            first_spent: budget.first_spent,
            is_spent: budget.is_exhausted(),
            time_spent: budget.time_spent.total(now),
            most: budget.most,
        };
        self.budgets.iter().map(progress).collect()
    }

    fn fresh(&self) -> Box<dyn Budget> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests;
