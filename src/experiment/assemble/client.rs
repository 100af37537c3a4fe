//! The client as it runs: admission, limiters, timeouts, retries and breaker. A timeout that is not given never ends.

use std::borrow::Cow;

use crate::client::budget;
use crate::client::fallback::{Fallback, Group};
use crate::client::identity::Rules;
use crate::client::response_cache::{Caches, ResponseCache};
use crate::client::retry::{Retry, RetrySpec};
use crate::client::retry_budget::Budgeted;
use crate::client::{Adaptive, Age, Client, Timeouts};
use crate::experiment::file::{ClientSpec, FallbackSpec, Tells, TimeoutsSpec};
use crate::form::build::{Built, Names, Refusal};
use crate::form::patience::{AdaptiveTimeout, AttemptTimeout};
use crate::form::units::Duration;
use crate::kernel::time::Span;
use crate::words::{Outcome, Outcomes};

/// The most gateways.
const MOST_GATEWAYS: u16 = 1000;

pub(super) fn client(spec: &ClientSpec, names: &Names<'_>) -> Built<Client> {
    let fallback = match &spec.fallback {
        None => Fallback::default(),
        Some(fallback) => groups(fallback, names).map_err(|r| r.at("fallback"))?,
    };
    let members = fallback.members_of_each();
    let falls_back: Vec<bool> = (1..=members.len()).map(|next| next < members.len()).collect();
    let names = &Names {
        groups: &members,
        falls_back: &falls_back,
        ..*names
    };
    let mut limiters = Vec::new();
    for (i, limiter) in spec.limiters.iter().enumerate() {
        limiters.push(
            limiter
                .as_dyn()
                .build(names)
                .map_err(|r| r.at(limiter.name()).at(i).at("limiters"))?,
        );
    }
    let budgets = budget::build(&spec.budgets, names).map_err(|r| r.at("budgets"))?;
    let timeouts = timeouts(&spec.timeouts, names).map_err(|r| r.at("timeouts"))?;
    Ok(Client {
        admission: spec
            .admission
            .as_dyn()
            .build(names)
            .map_err(|r| r.at(spec.admission.name()).at("admission"))?,
        limiters,
        max_in_flight: spec
            .max_in_flight
            .map_or(u32::MAX, |c| u32::try_from(c.get()).unwrap_or(u32::MAX)),
        gateways: match spec.gateways.unwrap_or(1) {
            gateways @ 1..=MOST_GATEWAYS => gateways,
            other => {
                let text = format!("{other} gateways: must be 1 to {MOST_GATEWAYS}");
                return Err(Refusal::new(text).at("gateways"));
            }
        },
        age: age(spec)?,
        gateway_time: (spec.gateway_time.as_ref())
            .map(|time| time.build(names).map_err(|r| r.at("gateway_time")))
            .transpose()?,
        response_caches: Caches::one(response_cache(spec, names)?),
        timeouts,
        pool_timeout: or_forever(spec.timeouts.connection),
        input_window: spec
            .input_window
            .map_or(u32::MAX, |c| u32::try_from(c.get()).unwrap_or(u32::MAX)),
        hedge: match &spec.hedge {
            None => None,
            Some(hedge) => Some(
                hedge
                    .as_dyn()
                    .build(names)
                    .map_err(|r| r.at(hedge.name()).at("hedge"))?,
            ),
        },
        fallback,
        groups: None,
        budget: budgets.running,
        allowances: budgets.allowances,
        alerts: budgets.alerts,
        rules: Rules::default(),
        retry: retry(spec, names)?,
        breaker: spec
            .breaker
            .as_dyn()
            .build(names)
            .map_err(|r| r.at(spec.breaker.name()).at("breaker"))?,
    })
}

/// The shortest time between two moments at which what policies know is brought up to date.
const SHORTEST: Span = Span::from_millis(1);

/// How old what policies know may be.
fn age(spec: &ClientSpec) -> Built<Option<Age>> {
    let (field, every) = match (spec.refresh, spec.sync) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            let text =
                "everything that policies know is refreshed with `refresh`, that of other gateways too: leave this out";
            return Err(Refusal::new(text).at("sync"));
        }
        (Some(every), None) => ("refresh", every.span()),
        (None, Some(every)) => ("sync", every.span()),
    };
    if every < SHORTEST {
        let text = format!("every {every}: must be at least {SHORTEST}; for knowing at once, leave it out");
        return Err(Refusal::new(text).at(field));
    }
    if field == "sync" && spec.gateways.unwrap_or(1) < 2 {
        let text = "there is one gateway, and no other to tell anything: give `gateways`";
        return Err(Refusal::new(text).at("sync"));
    }
    Ok(Some(match field {
        "sync" => Age::Synced(every),
        _ => Age::Refreshed(every),
    }))
}

/// The response cache that `spec` has, if it has one.
pub(super) fn response_cache(spec: &ClientSpec, names: &Names<'_>) -> Built<Option<ResponseCache>> {
    let built = spec.response_cache.as_ref().map(|cache| cache.build(names));
    built.transpose().map_err(|r| r.at("response_cache"))
}

fn or_forever(timeout: Option<Duration>) -> Span {
    timeout.map_or(Span::FOREVER, |timeout| timeout.span())
}

/// The timeouts, all but the one for a free connection.
pub(super) fn timeouts(spec: &TimeoutsSpec, names: &Names<'_>) -> Built<Timeouts> {
    check_timeouts(spec, names)?;
    let (attempt, adaptive) = match &spec.attempt {
        None => (Span::FOREVER, None),
        Some(AttemptTimeout::Fixed(timeout)) => (timeout.span(), None),
        Some(AttemptTimeout::Adaptive(timeout)) => {
            let built = adaptive(timeout, names).map_err(|r| r.at("attempt"))?;
            (timeout.base.span(), Some(built))
        }
    };
    Ok(Timeouts {
        connect: or_forever(spec.connect),
        ttft: or_forever(spec.ttft),
        idle: or_forever(spec.idle),
        attempt,
        adaptive,
        total: or_forever(spec.total),
    })
}

/// Refuses timeouts that can never be met, and a timeout of a wait that never occurs.
fn check_timeouts(timeouts: &TimeoutsSpec, names: &Names<'_>) -> Built<()> {
    let attempt = match &timeouts.attempt {
        Some(AttemptTimeout::Fixed(timeout)) => Some(*timeout),
        _ => None,
    };
    let given = [
        ("connection", timeouts.connection),
        ("connect", timeouts.connect),
        ("ttft", timeouts.ttft),
        ("idle", timeouts.idle),
        ("attempt", attempt),
        ("total", timeouts.total),
    ];
    for (field, timeout) in given {
        if timeout.is_some_and(|t| t.span() == Span::ZERO) {
            let other = match field {
                "connection" => "to shed an attempt that finds none free, give \"line\": 0 beside `connections`",
                _ => "for no timeout, leave it out",
            };
            return Err(Refusal::new(format!("a timeout of 0s: must be longer; {other}")).at(field));
        }
    }
    if timeouts.connection.is_some() && names.known.iter().all(|known| known.connections == u32::MAX) {
        let text =
            "a timeout for a free connection, and no provider bounds its `connections`: no attempt waits for one";
        return Err(Refusal::new(text.to_owned() + "; give a provider or a host `connections`").at("connection"));
    }
    Ok(())
}

fn adaptive(spec: &AdaptiveTimeout, names: &Names<'_>) -> Built<Adaptive> {
    if spec.base.span() == Span::ZERO && spec.per_1000_max_tokens.span() == Span::ZERO {
        return Err(Refusal::new(
            "a timeout of 0s: must be longer; for no timeout, leave it out",
        ));
    }
    let mut by_class = vec![1.0; names.classes.len()];
    for (name, &factor) in spec.by_class.iter() {
        let here = |r: Refusal| r.at(name).at("by_class");
        let class = names.class(name).map_err(here)?;
        if !(factor > 0.0 && factor <= 1000.0) {
            let text = format!("a factor of {factor}: must be above 0 and at most 1000");
            return Err(here(Refusal::new(text)));
        }
        by_class[class] = factor;
    }
    Ok(Adaptive {
        per_1000: spec.per_1000_max_tokens.span(),
        by_class,
    })
}

/// The retry rule, under its budget if there is one.
fn retry(spec: &ClientSpec, names: &Names<'_>) -> Built<Box<dyn Retry>> {
    let given = match &spec.retry_budget {
        None => Cow::Borrowed(&spec.retry),
        Some(_) => spec.retry.under_budget(),
    };
    let rule = given
        .as_dyn()
        .build(names)
        .map_err(|r| r.at(spec.retry.name()).at("retry"))?;
    let rule = budgeted(rule, spec, names)?;
    if spec.retry_budget.is_some() && matches!(spec.retry, RetrySpec::never(_)) {
        let text = "a budget of retries, and `retry` is `never`: nothing is tried again; give `retry` too";
        return Err(Refusal::new(text).at("retry_budget"));
    }
    Ok(rule)
}

/// The rule `rule` under the budget that `spec` has, if it has one.
pub(super) fn budgeted(rule: Box<dyn Retry>, spec: &ClientSpec, names: &Names<'_>) -> Built<Box<dyn Retry>> {
    let Some(budget) = &spec.retry_budget else {
        return Ok(rule);
    };
    let budget = budget
        .as_dyn()
        .build(names)
        .map_err(|r| r.at(budget.name()).at("retry_budget"))?;
    Ok(Box::new(Budgeted::new(rule, budget)))
}

fn groups(spec: &FallbackSpec, names: &Names<'_>) -> Built<Fallback> {
    if !(1..=32).contains(&spec.groups.len()) {
        let text = format!("{} groups: must be 1 to 32", spec.groups.len());
        return Err(Refusal::new(text).at("groups"));
    }
    let mut groups = Vec::new();
    for (i, group) in spec.groups.iter().enumerate() {
        let here = |r: Refusal| r.at(i).at("groups");
        if group.providers.is_empty() {
            return Err(here(Refusal::new("a group without providers").at("providers")));
        }
        let numbers = names
            .each_provider(&group.providers)
            .map_err(|r| here(r.at("providers")))?;
        let mut members = vec![false; names.providers.len()];
        for &number in &numbers {
            members[number] = true;
        }
        let on = match &group.on {
            Some(list) => list.some().map_err(|r| here(r.at("on")))?,
            None => Outcomes::RETRYABLE.and(Outcomes::of(&[
                Outcome::BreakerOpen,
                Outcome::QueueTimeout,
                Outcome::Shed,
            ])),
        };
        groups.push(Group {
            members,
            order: numbers,
            on,
        });
    }
    if spec.most == 0 {
        let text = "no request would ever fall back: must be at least 1; without `fallback` there is one group of all";
        return Err(Refusal::new(text).at("most"));
    }
    Ok(Fallback {
        groups,
        tells_first: spec.tells == Tells::First,
        most: usize::from(spec.most),
    })
}
