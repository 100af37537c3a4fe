//! A published router by task: a model for each kind of task, chance by weights for the rest, and what the caller asks for.
//!
//! Each class belongs to a task, or to none: then it is `general`. A keyword classifier reads the task and is wrong
//! sometimes (`misread`, a probability for each wrong task; drawn once for each request). In this order, the first that says
//! something decides:
//!
//! 1. the provider that the class asks for by name (`provider`);
//! 2. a `cost_budget` of the class below `cost_below`: the provider `cheapest`;
//! 3. the task's provider;
//! 4. for `general`, a random choice by `weights`, drawn anew at each attempt.
//!
//! As published nothing else counts. The table of models has a typical latency and a maximum context, and a request may
//! carry a latency budget, but no rule reads them; the cost budget is compared with a constant, not with what the request
//! would cost; and if the chosen provider is closed to calls the request fails, and its retries go there again.
//!
//! Mended, a request is estimated at its input × `estimate.characters` / 4 + `estimate.extra` tokens to read and
//! `estimate.output` times that to write, at most its `max_tokens`. Out are the providers that are closed to calls, and
//! where any other is left, in this order: those whose context is too small, the one that did not answer the last
//! attempt, those whose price for the estimate is above the cost budget, those whose typical latency is above the
//! latency budget. If the last two leave none, the cost budget takes the cheapest for the estimate and the latency
//! budget the fastest. Of those left, the task's wins; for `general`, or if that is out, chance decides by `weights`,
//! and if none left has one, the experiment's order. The provider asked for by name wins over all of this unless it is
//! closed to calls or has just failed.
//!
//! Keeps nothing.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `tasks.*.provider`, `tasks.*.classes` | none | a class belongs to one task at most |
//! | `weights` | required | 0 or more, one above 0 |
//! | `cheapest` | required | a provider |
//! | `cost_below` | $1 | |
//! | `misread` | never | 0 to 1, by class and task |
//! | `mended` | false | |
//! | `latency` | none | by provider; needed by a latency budget, when mended |
//! | `max_context` | the provider's own | 1 or more, by provider; when mended |
//! | `estimate.characters` | 4 | above 0; when mended |
//! | `estimate.extra` | 100 | 0 or more; when mended |
//! | `estimate.output` | 2 | 0 or more; when mended |
//!
//! Source: a published article on a load balancer with a multi-model router, which prints the tasks, weights, estimate,
//! threshold and inputs, and the first four rules. What the latency budget and the maximum context do is not printed:
//! that they do nothing as published, and all that is mended, is chosen here. The daily budget that goes with it is the
//! client's (`budgets`, `on_exhausted: cheapest`).
//!
//! Known faults: as published, all those above. The keywords themselves are left out: a simulated request has no text.
//! `estimate.characters` says how many characters a token of the input really has, which the router takes to be 4.
//!
//! ```json
//! { "task_router": {
//!     "tasks": { "code": { "provider": "small", "classes": ["coding"] }, "writing": { "provider": "large", "classes": ["essays"] } },
//!     "weights": { "large": 0.2, "medium": 0.65, "small": 0.15 },
//!     "cheapest": "small",
//!     "misread": { "essays": { "general": 0.1 } },
//!     "mended": true,
//!     "latency": { "large": "55ms", "medium": "45ms", "small": "40ms" },
//!     "max_context": { "small": "64k" } } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reading::{Misread, Reading, readings};
use super::wheel::Wheel;
use super::{BuildPolicy, Call, Fleet, Policy, Wants, lowest, prices, weight};
use crate::form::build::{Asked, Built, Names, Refusal};
use crate::form::named::Named;
use crate::form::units::{Count, Duration, Money};
use crate::kernel::time::Span;

/// The name of the task of a class that belongs to none.
const GENERAL: &str = "general";
const DOLLAR: Money = Money::from_picodollars(1_000_000_000_000);

/// A router by task: a model for each kind of task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskRouter {
    /// The tasks by name. A class that belongs to none is `general`. Default: none.
    #[serde(default)]
    pub tasks: Named<Task>,
    /// The weight of each provider for a `general` request; only proportions matter.
    pub weights: Named<f64>,
    /// The provider that gets the requests with a small cost budget.
    pub cheapest: String,
    /// The cost budget below which the cheapest provider is taken. Default: $1.
    #[serde(default = "one_dollar")]
    pub cost_below: Money,
    /// The probability for a class that it is read as each other task. Default: never misread.
    #[serde(default)]
    pub misread: Named<Misread>,
    /// Whether its faults are mended. Default: false.
    #[serde(default)]
    pub mended: bool,
    /// The typical latency of providers, held against a latency budget; only when mended. Default: none.
    #[serde(default)]
    pub latency: Named<Duration>,
    /// The most tokens that providers read and write; only when mended. Default: what each provider takes.
    #[serde(default)]
    pub max_context: Named<Count>,
    /// The estimate of a request's tokens; only when mended. Default: as published.
    #[serde(default)]
    pub estimate: Estimate,
}

fn one_dollar() -> Money {
    DOLLAR
}

/// A kind of task, with its provider and classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// The provider that does the task.
    pub provider: String,
    /// The classes that belong to the task. Default: none, so that only a misreading leads here.
    #[serde(default)]
    pub classes: Vec<String>,
}

/// The estimate of a request's tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Estimate {
    /// The characters of a token of the input, above 0; the router takes it to be 4. Default: 4.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub characters: f64,
    /// The tokens added to the input. Default: 100.
    pub extra: u32,
    /// The output tokens for one token of input so estimated, 0 or more. Default: 2.
    #[schemars(range(min = 0))]
    pub output: f64,
}

impl Default for Estimate {
    fn default() -> Self {
        Estimate {
            characters: 4.0,
            extra: 100,
            output: 2.0,
        }
    }
}

impl BuildPolicy for TaskRouter {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        let (targets, homes) = self.tasks(names)?;
        let mut kinds = self.tasks.names();
        kinds.push(GENERAL.to_owned());
        let readings = readings(&self.misread, &homes, "task", &kinds, names)?;
        let mut weights = Vec::new();
        for (name, &value) in self.weights.iter() {
            let here = |r: Refusal| r.at(name).at("weights");
            weights.push((names.provider(name).map_err(here)?, weight(value).map_err(here)?));
        }
        let wheel = Wheel::new(weights.iter().copied());
        if wheel.is_empty() {
            return Err(Refusal::new("at least one weight must be above 0").at("weights"));
        }
        let cheapest = names.provider(&self.cheapest).map_err(|r| r.at("cheapest"))?;
        let below = u64::try_from(names.money(self.cost_below)).unwrap_or(u64::MAX);
        let nothing = Asked::default();
        let asks = |class: usize| names.asks.get(class).unwrap_or(&nothing);
        let mut order: Vec<usize> = (weights.iter().map(|&(p, _)| p))
            .chain(targets.iter().copied())
            .chain([cheapest])
            .chain((0..names.classes.len()).filter_map(|c| asks(c).provider))
            .collect();
        order.sort_unstable();
        order.dedup();
        let mended = if self.mended {
            Some(self.mend(&order, names)?)
        } else {
            None
        };
        let classes = (readings.into_iter().enumerate())
            .map(|(class, reading)| {
                let asked = asks(class);
                let small = asked.cost_budget.is_some_and(|most| most < below);
                Class {
                    reading,
                    forced: asked.provider,
                    published: asked.provider.or_else(|| small.then_some(cheapest)),
                    cost: asked.cost_budget.map(u128::from),
                    latency: asked.latency_budget,
                }
            })
            .collect();
        Ok(Box::new(Running {
            classes,
            targets,
            wheel,
            mended,
            left: vec![false; names.providers.len()],
        }))
    }
}

impl TaskRouter {
    /// The provider of each task, and the task of each class, numbered in order; `general` comes last.
    fn tasks(&self, names: &Names<'_>) -> Built<(Vec<usize>, Vec<usize>)> {
        let mut targets = Vec::new();
        let mut homes = vec![self.tasks.len(); names.classes.len()];
        for (t, (name, task)) in self.tasks.iter().enumerate() {
            let here = |r: Refusal| r.at(name).at("tasks");
            if name == GENERAL {
                return Err(here(Refusal::new(
                    "`general` is what belongs to no task, and goes by `weights`",
                )));
            }
            targets.push(names.provider(&task.provider).map_err(|r| here(r.at("provider")))?);
            for (i, class) in task.classes.iter().enumerate() {
                let there = |r: Refusal| here(r.at(i).at("classes"));
                let home = &mut homes[names.class(class).map_err(there)?];
                if let Some(other) = self.tasks.names().get(*home) {
                    let text = format!("class `{class}` is of task `{other}` already");
                    return Err(there(Refusal::new(text)));
                }
                *home = t;
            }
        }
        Ok((targets, homes))
    }

    /// The further knowledge of the mended router, about those in `order`.
    fn mend(&self, order: &[usize], names: &Names<'_>) -> Built<Mended> {
        let Estimate {
            characters,
            extra,
            output,
        } = self.estimate;
        let bad = |value: f64, field: &'static str, must: &str| {
            let text = format!("{value}: must be {must}");
            Err(Refusal::new(text).at(field).at("estimate"))
        };
        if !(characters > 0.0 && characters.is_finite()) {
            return bad(characters, "characters", "above 0");
        }
        if !(output >= 0.0 && output.is_finite()) {
            return bad(output, "output", "0 or more");
        }
        let count = names.providers.len();
        let mut contexts: Vec<u64> = (0..count)
            .map(|p| names.known.get(p).map_or(u64::MAX, |known| known.context_window))
            .collect();
        for (name, most) in self.max_context.iter() {
            contexts[names.provider(name).map_err(|r| r.at(name).at("max_context"))?] = most.get();
        }
        let mut latencies = vec![None; count];
        for (name, typical) in self.latency.iter() {
            latencies[names.provider(name).map_err(|r| r.at(name).at("latency"))?] = Some(typical.span());
        }
        let hurried = names.asks.iter().position(|asked| asked.latency_budget.is_some());
        if let (Some(class), Some(&p)) = (hurried, order.iter().find(|&&p| latencies[p].is_none())) {
            let (class, provider) = (&names.classes[class], &names.providers[p]);
            let text = format!("class `{class}` has a latency budget, and `{provider}` no typical latency here");
            return Err(Refusal::new(text).at("latency"));
        }
        Ok(Mended {
            order: order.to_vec(),
            prices: if names.asks.iter().any(|asked| asked.cost_budget.is_some()) {
                prices(order, names)?
            } else {
                Vec::new()
            },
            contexts,
            latencies: latencies.into_iter().map(Option::unwrap_or_default).collect(),
            read: characters / 4.0,
            extra: f64::from(extra),
            written: output,
        })
    }
}

/// The knowledge of the requests of a class.
#[derive(Clone, Debug)]
struct Class {
    reading: Reading,
    /// The provider that is asked for by name.
    forced: Option<usize>,
    /// The provider that gets them whatever the task, as published.
    published: Option<usize>,
    cost: Option<u128>,
    latency: Option<Span>,
}

#[derive(Clone, Debug)]
struct Mended {
    order: Vec<usize>,
    prices: Vec<(u64, u64)>,
    contexts: Vec<u64>,
    latencies: Vec<Span>,
    /// The tokens estimated for one of input; `extra` are those added, `written` those of output for one estimated.
    read: f64,
    extra: f64,
    written: f64,
}

#[derive(Clone, Debug)]
struct Running {
    classes: Vec<Class>,
    /// The provider of each task.
    targets: Vec<usize>,
    wheel: Wheel,
    mended: Option<Mended>,
    /// The providers that are left of a mended choice.
    left: Vec<bool>,
}

/// Takes the providers that do not `pass` out of `left`, unless that would leave none. Returns whether any passes.
fn narrow(left: &mut [bool], pass: impl Fn(usize) -> bool) -> bool {
    let anybody = (0..left.len()).any(|p| left[p] && pass(p));
    if anybody {
        for (p, left) in left.iter_mut().enumerate() {
            *left &= pass(p);
        }
    }
    anybody
}

impl Mended {
    fn choose(&self, left: &mut [bool], class: &Class, call: &Call, fleet: &Fleet<'_>) {
        left.fill(false);
        for &p in &self.order {
            left[p] = fleet.is_open_to_calls(p);
        }
        let input = (f64::from(call.input) * self.read + self.extra) as u64;
        let most = call.max_output.map_or(u64::MAX, u64::from);
        let output = ((input as f64 * self.written) as u64).min(most);
        narrow(left, |p| self.contexts[p] >= input + output);
        narrow(left, |p| call.last != Some(p));
        if let Some(most) = class.cost
            && !narrow(left, |p| self.price(p, input, output) <= most)
        {
            self.keep(left, |p| self.price(p, input, output));
        }
        if let Some(most) = class.latency
            && !narrow(left, |p| self.latencies[p] <= most)
        {
            self.keep(left, |p| self.latencies[p]);
        }
    }

    /// The price of that many tokens, in pico-dollars.
    fn price(&self, p: usize, input: u64, output: u64) -> u128 {
        let (read, written) = self.prices[p];
        u128::from(read) * u128::from(input) + u128::from(written) * u128::from(output)
    }

    /// Leaves only the one with the lowest score.
    fn keep<S: PartialOrd>(&self, left: &mut [bool], score: impl Fn(usize) -> S) {
        let best = lowest(&self.order, |p| left[p].then(|| score(p)));
        narrow(left, |p| Some(p) == best);
    }
}

impl Policy for Running {
    #[inline]
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        let class = &self.classes[call.class];
        let task = || self.targets.get(class.reading.of(call)).copied();
        let Some(mended) = &self.mended else {
            let Some(chosen) = class.published.or_else(task) else {
                return self
                    .wheel
                    .spin(call.draw(), |_| true)
                    .filter(|&p| fleet.is_open_to_calls(p));
            };
            return Some(chosen).filter(|&p| fleet.is_open_to_calls(p));
        };
        mended.choose(&mut self.left, class, call, fleet);
        let left = |p: usize| self.left[p];
        // The provider that is asked for by name wins over the budgets, as published.
        let forced = class
            .forced
            .filter(|&p| fleet.is_open_to_calls(p) && call.last != Some(p));
        let named = forced.or_else(|| task().filter(|&p| left(p)));
        (named.or_else(|| self.wheel.spin(call.draw(), left)))
            .or_else(|| mended.order.iter().copied().find(|&p| left(p)))
    }

    fn wants(&self) -> Wants {
        Wants::NOTHING
    }

    fn fresh(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests;
