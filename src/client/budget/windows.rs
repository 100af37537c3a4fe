//! Spend per window: so much money or so many tokens an hour, a day, a week or a month (30 days), over all providers or some.
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
//! With `each` every user, class, key or value of a tag has the budget to itself: `reject` and `queue` then concern the requests of the
//! one that has spent it, and with `providers` these are barred for it alone (Bifrost's budget of a virtual key at a provider).
//!
//! Several budgets hold at once: what one bars is barred. Left out: calendars and time zones (windows begin with the plan's time: let it
//! start at midnight for days of the clock), the up to ten minutes for which LiteLLM's job leaves a spent key blocked past the window,
//! counters shared between gateways (LiteLLM syncs them every second, so that each overshoots by itself).
//!
//! ```json
//! { "per": "day", "money": "$100", "on_exhausted": "cheapest", "alerts": [0.5, 0.75, 0.9] }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::each::OfEach;
use super::running::{Running, Window};
use super::{Alert, Allowance, Budgets};
use crate::client::identity::Identity;
use crate::form::build::{Built, Names, Refusal};
use crate::form::units::{Count, Fraction, Money};
use crate::kernel::clock::BoundClock;
use crate::kernel::time::{Span, Time};

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
    /// What tells identities apart that have so much each: `user`, `class`, `tag.NAME`, or `key`, which is short for `tag.key`.
    /// Default: the budget is of all requests together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each: Option<Identity>,
    /// The only identities that have the budget, by name; users by number. Only beside `each`. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<Vec<String>>,
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
    /// A window of seven days.
    Week,
    /// A window of 30 days.
    Month,
}

impl Per {
    const fn span(self) -> Span {
        match self {
            Per::Hour => Span::from_secs(3600),
            Per::Day => Span::from_secs(86_400),
            Per::Week => Span::from_secs(7 * 86_400),
            Per::Month => Span::from_secs(30 * 86_400),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Per::Hour => "hour",
            Per::Day => "day",
            Per::Week => "week",
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
            stops_all: window.at_the_door.is_some() && window.each.is_none(),
            each: window.each.as_ref().map(|each| each.whose.clone()),
        });
        windows.push(window);
    }
    if !windows.is_empty() {
        budgets.running = Some(Box::new(Running {
            barred: vec![false; names.providers.len()],
            any_barred: false,
            bars_some: windows.iter().any(|w| w.each.is_some() && w.bars.contains(&true)),
            barred_for: vec![false; names.providers.len()],
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
    let each = match (&spec.each, &spec.of) {
        (None, Some(_)) => {
            let text = "names of identities, and nothing says what tells them apart: give `each` too";
            return Err(Refusal::new(text).at("of"));
        }
        (None, None) => None,
        (Some(each), of) => {
            let whose = each.build(of.as_deref(), names);
            let whose = whose.map_err(|r| if r.path.is_empty() { r.at("each") } else { r })?;
            Some(OfEach::new(whose))
        }
    };
    if each.is_some() && spec.on_exhausted == OnExhausted::Cheapest {
        let text = "`cheapest` is for the budget of all requests together: give `reject` or `queue` for each";
        return Err(Refusal::new(text).at("on_exhausted"));
    }
    if each.is_some() && !spec.alerts.is_empty() {
        let text = "shares are watched of a budget of all requests together: leave them out for each";
        return Err(Refusal::new(text).at("alerts"));
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
        each,
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
    let each = match (&spec.each, &spec.of) {
        (Some(each), None) => format!(" for each {each}"),
        (Some(each), Some(of)) => format!(" for {each} {}", of.join(", ")),
        (None, _) => String::new(),
    };
    format!("{} {article} {per}{whose}{each}", amounts.join(" or "))
}

#[cfg(test)]
mod tests;
