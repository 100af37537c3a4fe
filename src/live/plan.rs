//! A checked calibration plan: every probe with its time and lengths, and what it may cost.
//!
//! All of it is known before anything is sent, and one seed always plans the same probes, so that a run can state its
//! cost first and be resumed later. A class's `output` is sent as `max_tokens`.

mod finding;
mod target;

use std::collections::BTreeMap;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::client::Timeouts;
use super::money;
use super::prompts::Prompts;
use super::spec::{ClassSpec, Limit, LoadSpec, MaxTokensField, PlanSpec, Schedule, TargetSpec};
use crate::experiment::assemble::check_name;
use crate::form::build::{Built, Names, Refusal};
use crate::form::diagnose::Seg;
use crate::form::units::{Money, Rate};
use crate::kernel::chance::{Chance, Purpose, unit};
use crate::kernel::sampler::Sampler;
use crate::provider::pricing::PerToken;
use crate::stats::sorting;
use crate::traffic::arrivals::{Arrivals, BuildArrivals, Poisson, Regular};

pub use finding::{Beyond, Finding};
use finding::{MOST_BEYOND, WINDOWS, of_level};
pub use target::Target;
use target::target;

/// The most probes of a run, for each target.
const MOST_PROBES: usize = 1_000_000;

/// The most tokens of a prompt or an answer.
const MOST_TOKENS: f64 = 2_000_000.0;

/// The most probes at once in a closed loop.
const MOST_AT_ONCE: u64 = 1000;

/// A plan that can be carried out.
#[derive(Debug)]
pub struct Plan {
    /// The specification that it was made from.
    pub spec: PlanSpec,
    /// The endpoints to probe.
    pub targets: Vec<Target>,
    /// The names of the classes.
    pub classes: Vec<String>,
    /// The probes of each target, in order of time.
    pub slots: Vec<Slot>,
    /// The pattern in which probes are sent.
    pub mode: Mode,
    /// The longest waits for an answer.
    pub timeouts: Timeouts,
    /// The most that the run may cost, in pico-dollars.
    pub max_cost: u64,
    /// SHA-256 of all that determines the probes: a run can only be resumed with the same hash.
    pub hash: String,
    /// Remarks that a reader of the figures must know.
    pub notes: Vec<String>,
}

/// A planned probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The probe's number among those of its target.
    pub n: u64,
    /// The probe's step of a ladder, or 0.
    pub step: u32,
    /// When the probe is due, from the start; zero in a closed loop.
    pub due: Duration,
    /// The index of the probe's class.
    pub class: usize,
    /// The number of words in its prompt.
    pub input: u32,
    /// The most tokens of its answer.
    pub output: u32,
    /// Whether the probe belongs to the warm-up.
    pub warmup: bool,
}

/// The pattern in which probes are sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Mode {
    /// Open loop: probes are sent by the clock.
    Open,
    /// Closed loop with this many probes at once, for at most this long if there is a bound.
    Closed(u64, Option<Duration>),
    /// Open loop at these rising rates, in probes a second.
    Ladder(Vec<f64>),
    /// Closed loops and a rate beyond, until the endpoint's capacity is known.
    Find(Finding),
}

impl PlanSpec {
    /// Checks the specification and plans every probe.
    ///
    /// # Errors
    /// At the first field that is invalid.
    pub fn plan(&self) -> Built<Plan> {
        self.expanded()?.planned()
    }

    /// Plans every probe of a plan in its long form.
    fn planned(self) -> Built<Plan> {
        check_name(&self.name).map_err(|r| r.at("name"))?;
        let named = |kind: &str, empty: bool| match empty {
            true => Err(Refusal::new(format!("none: there must be at least one {kind}"))),
            false => Ok(()),
        };
        named("target", self.targets.is_empty()).map_err(|r| r.at("targets"))?;
        named("class", self.classes.is_empty()).map_err(|r| r.at("classes"))?;
        let mut notes = Vec::new();
        let targets = self
            .targets
            .iter()
            .map(|(name, spec)| target(name, spec, &mut notes).map_err(|r| r.at(name).at("targets")))
            .collect::<Built<Vec<_>>>()?;
        let Some(load) = &self.load else {
            return Err(Refusal::new(
                "say `rate`, `concurrency`, `ladder` or `find`, or `load`: how probes come",
            ));
        };
        let (slots, mode) = self.slots(load)?;
        Ok(Plan {
            targets,
            classes: self.classes.names(),
            slots,
            mode,
            timeouts: self.checked_timeouts()?,
            max_cost: u64::try_from(self.max_cost.picodollars()).unwrap_or(u64::MAX),
            hash: self.hash(),
            notes,
            spec: self,
        })
    }

    /// A hash of all that determines the probes; money, bounds and trusted certificates may change when a run is
    /// resumed.
    fn hash(&self) -> String {
        let untrusting = |(name, target): (&str, &TargetSpec)| {
            let target = TargetSpec {
                ca_file: None,
                ..target.clone()
            };
            (name.to_owned(), target)
        };
        let kept = PlanSpec {
            schema: None,
            max_cost: Money::default(),
            dispatch_bound: crate::kernel::time::Span::ZERO.into(),
            targets: self.targets.iter().map(untrusting).collect(),
            ..self.clone()
        };
        let text = serde_json::to_string(&kept).unwrap_or_default();
        let hash = Sha256::digest(text.as_bytes());
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn checked_timeouts(&self) -> Built<Timeouts> {
        let given = &self.timeouts;
        let read = |name: &str, duration: crate::form::units::Duration| match duration.span().nanos() {
            0..1_000_000 => Err(Refusal::new(format!("{duration}: must be at least 1ms"))
                .at(name)
                .at("timeouts")),
            nanos if nanos > 86_400_000_000_000 => Err(Refusal::new(format!("{duration}: must be at most 1d"))
                .at(name)
                .at("timeouts")),
            nanos => Ok(Duration::from_nanos(nanos)),
        };
        Ok(Timeouts {
            connect: read("connect", given.connect)?,
            ttft: read("ttft", given.ttft)?,
            idle: read("idle", given.idle)?,
            total: read("total", given.total)?,
        })
    }

    fn slots(&self, load: &LoadSpec) -> Built<(Vec<Slot>, Mode)> {
        let classes = self
            .classes
            .iter()
            .map(|(name, class)| lengths(class).map_err(|r| r.at(name).at("classes")))
            .collect::<Built<Vec<_>>>()?;
        let duration = self.duration.map(|d| Duration::from_nanos(d.span().nanos()));
        if self.duration.is_some_and(|d| d.span().nanos() == 0) {
            return Err(Refusal::new("0: must be above 0").at("duration"));
        }
        let wanted = self.requests.map(|n| n.get() as usize);
        let mut making = Making {
            classes: &classes,
            chance: Chance::new(self.seed, 0),
            warmup: u64::from(self.warmup),
            slots: Vec::new(),
        };
        let warmup = self.warmup as usize;
        let here = |r: Refusal| r.at(name_of(load)).at("load");
        let mode = match load {
            LoadSpec::Open { rate, schedule } => {
                let wanted = match (wanted, duration) {
                    (None, None) => {
                        return Err(Refusal::new("give `requests` or `duration`: how many probes there are"));
                    }
                    (wanted, _) => wanted.unwrap_or(MOST_PROBES + 1),
                };
                let here = |r: Refusal| here(r.at("rate"));
                let of = (*rate, *schedule);
                making.timed(of, Duration::ZERO, warmup, None, 0).map_err(here)?;
                let began = making.end();
                making.timed(of, began, wanted, duration, 0).map_err(here)?;
                Mode::Open
            }
            LoadSpec::Closed { concurrency } => {
                let wanted = wanted.ok_or_else(|| {
                    Refusal::new("a closed loop needs `requests`: how many there are hangs on the endpoint otherwise")
                })?;
                if !(1..=MOST_AT_ONCE).contains(&concurrency.get()) {
                    let text = format!("{concurrency}: must be from 1 to {MOST_AT_ONCE}");
                    return Err(here(Refusal::new(text).at("concurrency")));
                }
                making.untimed(wanted.saturating_add(warmup), 0).map_err(here)?;
                Mode::Closed(concurrency.get(), duration)
            }
            LoadSpec::Find {
                what,
                at_most,
                window,
                max_refusals,
            } => {
                if self.requests.is_some() || self.duration.is_some() {
                    return Err(Refusal::new(
                        "what is looked for says how many probes it takes: leave `requests` and `duration` out",
                    ));
                }
                if what.is_empty() {
                    return Err(here(Refusal::new("none: look for `slots`, `quota` or both").at("what")));
                }
                if !(2..=MOST_AT_ONCE).contains(&at_most.get()) {
                    let text = format!("{at_most}: must be from 2 to {MOST_AT_ONCE}");
                    return Err(here(Refusal::new(text).at("at_most")));
                }
                let seconds = window.span().seconds();
                if !(1.0..=3_600.0).contains(&seconds) {
                    return Err(here(
                        Refusal::new(format!("{window}: must be from 1s to 1h")).at("window"),
                    ));
                }
                let levels: Vec<u64> = (0..64).map(|i| 1 << i).take_while(|n| *n <= at_most.get()).collect();
                for (step, at_once) in levels.iter().enumerate() {
                    let warmup = if step == 0 { warmup } else { 0 };
                    making.untimed(of_level(*at_once) + warmup, step as u32).map_err(here)?;
                }
                let lasts = WINDOWS * seconds;
                let beyond = what.contains(&Limit::Quota).then(|| Beyond {
                    step: levels.len() as u32,
                    lasts: Duration::from_secs_f64(lasts),
                    refusals: max_refusals.get(),
                });
                if let Some(beyond) = &beyond {
                    making
                        .untimed((MOST_BEYOND * lasts).ceil() as usize, beyond.step)
                        .map_err(here)?;
                }
                Mode::Find(Finding { levels, beyond })
            }
            LoadSpec::Ladder { rates, step, schedule } => {
                if self.requests.is_some() || self.duration.is_some() {
                    return Err(Refusal::new(
                        "a ladder has its own end: leave `requests` and `duration` out",
                    ));
                }
                let per_second: Vec<f64> = rates.iter().map(|rate| rate.per_second()).collect();
                if rates.is_empty() || per_second.windows(2).any(|pair| pair[0] >= pair[1]) {
                    return Err(here(
                        Refusal::new("rates must rise, and there must be one at least").at("rates"),
                    ));
                }
                if step.span().nanos() == 0 {
                    return Err(here(Refusal::new("0: must be above 0").at("step")));
                }
                let step = Duration::from_nanos(step.span().nanos());
                for (i, rate) in rates.iter().enumerate() {
                    let here = |r: Refusal| here(r.at(i).at("rates"));
                    let of = (*rate, *schedule);
                    if i == 0 {
                        making.timed(of, Duration::ZERO, warmup, None, 0).map_err(here)?;
                    }
                    let began = making.warm() + step * i as u32;
                    making
                        .timed(of, began, MOST_PROBES + 1, Some(step), i as u32)
                        .map_err(here)?;
                }
                Mode::Ladder(per_second)
            }
        };
        if !making.slots.iter().any(|slot| !slot.warmup) {
            return Err(Refusal::new(
                "no probe is due in that time: ask for more time, or a higher rate",
            ));
        }
        Ok((making.slots, mode))
    }
}

impl Plan {
    /// Tokens of input and output of all probes to one target, as planned and at most.
    pub fn tokens(&self) -> (u64, u64) {
        let sum = |of: fn(&Slot) -> u32| self.slots.iter().map(|slot| u64::from(of(slot))).sum();
        (sum(|slot| slot.input), sum(|slot| slot.output))
    }

    /// The prices of each target, by name.
    pub fn prices(&self) -> BTreeMap<String, PerToken> {
        let prices = self.targets.iter();
        sorting::map(prices.map(|target| (target.name.clone(), target.prices.clone())))
    }

    /// What each target is, by name: the model and the address.
    pub fn endpoints(&self) -> BTreeMap<String, String> {
        let of = |target: &Target| {
            let address = target.spec.base_url.trim_end_matches('/');
            let mut what = format!("{} at {address}", target.spec.model);
            if !target.spec.extra_body.is_empty() {
                what += &format!(" with {}", serde_json::Value::Object(target.spec.extra_body.clone()));
            }
            (target.name.clone(), what)
        };
        sorting::map(self.targets.iter().map(of))
    }

    /// The cost of all probes to this target in pico-dollars if their prompts have as many tokens as words, and their
    /// answers the most tokens allowed.
    pub fn expected(&self, target: &Target) -> u64 {
        let each = self.slots.iter().map(|slot| {
            let usage = crate::calibrate::probe::Usage {
                input: slot.input,
                output: slot.output,
                ..Default::default()
            };
            money::cost(&*target.price, &usage)
        });
        each.fold(0, u64::saturating_add)
    }

    /// The body of a probe, and the bytes of its prompt.
    pub fn body(&self, target: &Target, slot: &Slot, prompts: &Prompts) -> (Vec<u8>, usize) {
        let prompt = prompts.text(slot.n, slot.input);
        let bytes = prompt.len();
        let field = match target.spec.max_tokens_field {
            MaxTokensField::MaxTokens => "max_tokens",
            MaxTokensField::MaxCompletionTokens => "max_completion_tokens",
        };
        let mut body = serde_json::json!({
            "model": target.spec.model,
            "messages": [{ "role": "user", "content": prompt }],
            field: slot.output,
            "stream": self.spec.stream,
        });
        if self.spec.stream {
            body["stream_options"] = serde_json::json!({ "include_usage": true });
        }
        for (name, value) in &target.spec.extra_body {
            body[name] = value.clone();
        }
        (body.to_string().into_bytes(), bytes)
    }
}

fn name_of(load: &LoadSpec) -> &'static str {
    match load {
        LoadSpec::Open { .. } => "open",
        LoadSpec::Closed { .. } => "closed",
        LoadSpec::Ladder { .. } => "ladder",
        LoadSpec::Find { .. } => "find",
    }
}

fn arrivals(rate: Rate, schedule: Schedule) -> Built<Box<dyn Arrivals>> {
    if rate.count() == 0 {
        return Err(Refusal::new("0: must be above 0"));
    }
    match schedule {
        Schedule::Poisson => Poisson { rate }.build(None, &Names::default()),
        Schedule::Fixed => Regular { rate }.build(None, &Names::default()),
    }
}

/// A class with its laws compiled for drawing.
struct Lengths {
    share: f64,
    input: Sampler,
    output: Sampler,
}

fn lengths(class: &ClassSpec) -> Built<Lengths> {
    if !(class.share.is_finite() && class.share > 0.0) {
        return Err(Refusal::new(format!("{}: must be above 0", class.share)).at("share"));
    }
    let tokens = |field: &'static str, law: &crate::form::laws::LawSpec<f64>| {
        law.sampler(&Names::default()).map_err(|r| r.at(Seg::from(field)))
    };
    Ok(Lengths {
        share: class.share,
        input: tokens("input", &class.input)?,
        output: tokens("output", &class.output)?,
    })
}

/// The slots planned so far.
struct Making<'a> {
    classes: &'a [Lengths],
    chance: Chance,
    warmup: u64,
    slots: Vec<Slot>,
}

impl Making<'_> {
    /// When the last slot is due.
    fn end(&self) -> Duration {
        self.slots.last().map_or(Duration::ZERO, |slot| slot.due)
    }

    /// When the last warm-up slot is due.
    fn warm(&self) -> Duration {
        let warm = self.slots.iter().take_while(|slot| slot.warmup).last();
        warm.map_or(Duration::ZERO, |slot| slot.due)
    }

    /// Adds at most `wanted` slots from `began` on, none later than `within` after it.
    fn timed(
        &mut self,
        (rate, schedule): (Rate, Schedule),
        began: Duration,
        wanted: usize,
        within: Option<Duration>,
        step: u32,
    ) -> Built<()> {
        let mut process = arrivals(rate, schedule)?;
        for _ in 0..wanted {
            let key = self.chance.request(self.slots.len() as u64);
            let Some(arrival) = process.next(key) else { break };
            let after = Duration::from_nanos(arrival.at.nanos());
            if within.is_some_and(|within| after > within) {
                break;
            }
            self.push(began + after, step)?;
        }
        Ok(())
    }

    fn untimed(&mut self, wanted: usize, step: u32) -> Built<()> {
        (0..wanted).try_for_each(|_| self.push(Duration::ZERO, step))
    }

    fn push(&mut self, due: Duration, step: u32) -> Built<()> {
        let n = self.slots.len() as u64;
        if self.slots.len() >= MOST_PROBES {
            return Err(Refusal::new(format!(
                "more than {MOST_PROBES} probes for each target: ask for fewer"
            )));
        }
        let key = self.chance.request(n);
        let total: f64 = self.classes.iter().map(|class| class.share).sum();
        let mut left = unit(key.draw(Purpose::Class)) * total;
        let class = self.classes.iter().position(|class| {
            left -= class.share;
            left < 0.0
        });
        let class = class.unwrap_or(self.classes.len() - 1);
        let lengths = &self.classes[class];
        let tokens = |law: &Sampler, purpose| law.draw(key, purpose).clamp(1.0, MOST_TOKENS).round() as u32;
        self.slots.push(Slot {
            n,
            step,
            due,
            class,
            input: tokens(&lengths.input, Purpose::Input),
            output: tokens(&lengths.output, Purpose::Output),
            warmup: n < self.warmup,
        });
        Ok(())
    }
}
