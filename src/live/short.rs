//! Short forms of a plan: the names that the arguments of `simcap calibrate` have, for a plan of one endpoint and one class.
//!
//! `"base_url"` and `"model"` are a target that is called after the model, `"input"` and `"output"` a class `all`, and `"rate"`,
//! `"concurrency"`, `"ladder"` or `"find"` the load. [`PlanSpec::expanded`] puts what they say where the long form has it, so
//! that both are the same plan. A short form beside the long one that says the same is refused, and so is one that says
//! nothing because what it belongs to is not there.

use super::spec::{ClassSpec, LoadSpec, MaxTokensField, PlanSpec, Schedule, TargetSpec, most_at_once, most_refusals};
use crate::form::build::{Built, Refusal};
use crate::form::laws::LawSpec;
use crate::kernel::time::Span;
use crate::provider::pricing::PerToken;

/// Words of each prompt where nothing else is said.
pub const INPUT: f64 = 200.0;

/// Tokens of each answer where nothing else is said.
pub const OUTPUT: f64 = 64.0;

/// How long each rate of a ladder lasts where nothing else is said.
pub fn step() -> crate::form::units::Duration {
    Span::from_secs(30).into()
}

impl PlanSpec {
    /// This plan in its long form.
    ///
    /// # Errors
    /// At a short form that stands beside the long one, or without what it belongs to.
    pub fn expanded(&self) -> Built<PlanSpec> {
        let mut plan = self.clone();
        plan.target()?;
        plan.load_form()?;
        if plan.input.is_some() || plan.output.is_some() {
            let field = if plan.input.is_some() { "input" } else { "output" };
            refuse(field, "classes", !plan.classes.is_empty() || plan.experiment.is_some())?;
        }
        if plan.classes.is_empty() && plan.experiment.is_none() {
            let law = |law: Option<LawSpec<f64>>, usual| law.unwrap_or(LawSpec::always(usual));
            let class = ClassSpec {
                share: 1.0,
                input: law(plan.input.take(), INPUT),
                output: law(plan.output.take(), OUTPUT),
            };
            plan.classes = [("all".to_owned(), class)].into_iter().collect();
        }
        let timeouts = &mut plan.timeouts;
        for (short, long) in [
            (plan.connect_timeout.take(), &mut timeouts.connect),
            (plan.ttft_timeout.take(), &mut timeouts.ttft),
            (plan.idle_timeout.take(), &mut timeouts.idle),
            (plan.total_timeout.take(), &mut timeouts.total),
        ] {
            *long = short.unwrap_or(*long);
        }
        Ok(plan)
    }

    fn target(&mut self) -> Built<()> {
        let Some(base_url) = self.base_url.take() else {
            let alone = [
                ("model", self.model.is_some()),
                ("api_key_env", self.api_key_env.is_some()),
                ("price_input", self.price_input.is_some()),
                ("price_output", self.price_output.is_some()),
            ];
            return match alone.into_iter().find(|(_, is)| *is) {
                Some((name, _)) => Err(Refusal::new("it belongs to `base_url`, which is not there").at(name)),
                None => Ok(()),
            };
        };
        refuse("base_url", "targets", !self.targets.is_empty())?;
        let Some(model) = self.model.take() else {
            return Err(Refusal::new("say `model` too: what to ask the endpoint for").at("base_url"));
        };
        let prices = match (self.price_input.take(), self.price_output.take()) {
            (None, None) => None,
            (Some(input), Some(output)) => Some(PerToken::new(input, output)),
            (Some(_), None) => return Err(Refusal::new("say `price_output` too").at("price_input")),
            (None, Some(_)) => return Err(Refusal::new("say `price_input` too").at("price_output")),
        };
        let target = TargetSpec {
            base_url,
            model,
            api_key_env: self.api_key_env.take(),
            key_header: "authorization".into(),
            ca_file: None,
            prices,
            max_tokens_field: MaxTokensField::default(),
            extra_body: serde_json::Map::new(),
        };
        self.targets = [(called_after(&target.model), target)].into_iter().collect();
        Ok(())
    }

    fn load_form(&mut self) -> Built<()> {
        let short = [
            ("rate", self.rate.is_some()),
            ("concurrency", self.concurrency.is_some()),
            ("ladder", self.ladder.is_some()),
            ("find", self.find.is_some()),
        ];
        let mut said = short.into_iter().filter(|(_, is)| *is).map(|(name, _)| name);
        let (first, second) = (said.next(), said.next());
        if let (Some(first), Some(second)) = (first, second) {
            return Err(Refusal::new(format!("`{first}` is there too: probes come in one way")).at(second));
        }
        if let Some(first) = first {
            refuse(first, "load", self.load.is_some())?;
        }
        for (name, is, of) in [
            ("schedule", self.schedule.is_some(), &["rate", "ladder"][..]),
            ("step", self.step.is_some(), &["ladder"]),
            ("at_most", self.at_most.is_some(), &["find"]),
            ("window", self.window.is_some(), &["find"]),
            ("max_refusals", self.max_refusals.is_some(), &["find"]),
        ] {
            if is && !first.is_some_and(|first| of.contains(&first)) {
                let of: Vec<String> = of.iter().map(|name| format!("`{name}`")).collect();
                let what = format!("it belongs to {}, which is not there", of.join(" or "));
                return Err(Refusal::new(what).at(name));
            }
        }
        let schedule: Schedule = self.schedule.take().unwrap_or_default();
        let load = match (
            self.rate.take(),
            self.concurrency.take(),
            self.ladder.take(),
            self.find.take(),
        ) {
            (Some(rate), ..) => LoadSpec::Open { rate, schedule },
            (None, Some(concurrency), ..) => LoadSpec::Closed { concurrency },
            (None, None, Some(rates), _) => LoadSpec::Ladder {
                rates,
                step: self.step.take().unwrap_or_else(step),
                schedule,
            },
            (None, None, None, Some(what)) => LoadSpec::Find {
                what,
                at_most: self.at_most.take().unwrap_or_else(most_at_once),
                window: self.window.take().unwrap_or_else(super::spec::minute),
                max_refusals: self.max_refusals.take().unwrap_or_else(most_refusals),
            },
            (None, None, None, None) => return Ok(()),
        };
        self.load = Some(load);
        Ok(())
    }
}

/// The model's name as that of a target or a folder: whatever is not a letter, a digit, `-`, `_` or `.` becomes a hyphen.
pub fn called_after(model: &str) -> String {
    let allowed = |c: char| {
        if c.is_ascii_alphanumeric() || "-_.".contains(c) {
            c
        } else {
            '-'
        }
    };
    let name: String = model.chars().take(100).map(allowed).collect();
    name.trim_start_matches('.').to_owned()
}

/// Refuses the short form where the long one is there too.
fn refuse(short: &'static str, long: &str, is_there: bool) -> Built<()> {
    match is_there {
        true => Err(Refusal::new(format!("`{long}` says it too: leave one of them out")).at(short)),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn spec(plan: &Value) -> PlanSpec {
        crate::form::diagnose::parse("plan.json", &plan.to_string()).unwrap_or_else(|e| panic!("{e}"))
    }

    fn with(mut plan: Value, more: Value) -> Value {
        plan.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        plan
    }

    fn short() -> Value {
        json!({ "name": "mine", "base_url": "http://127.0.0.1:1/v1", "model": "m", "input": 300, "max_cost": "$1",
                "price_input": "$1/Mtok", "price_output": "$2/Mtok", "ttft_timeout": "9s" })
    }

    #[test]
    fn a_short_plan_is_the_long_one() {
        let long = |load: Value| {
            spec(&json!({
                "name": "mine",
                "targets": { "m": { "base_url": "http://127.0.0.1:1/v1", "model": "m",
                                       "prices": { "input": "$1/Mtok", "output": "$2/Mtok" } } },
                "classes": { "all": { "input": 300, "output": 64 } },
                "timeouts": { "ttft": "9s" }, "max_cost": "$1", "load": load
            }))
        };
        for (said, load) in [
            (json!({ "rate": "3/s" }), json!({ "open": { "rate": "3/s" } })),
            (
                json!({ "rate": "3/s", "schedule": "fixed" }),
                json!({ "open": { "rate": "3/s", "schedule": "fixed" } }),
            ),
            (json!({ "concurrency": 4 }), json!({ "closed": { "concurrency": 4 } })),
            (
                json!({ "ladder": ["1/s", "2/s"] }),
                json!({ "ladder": { "rates": ["1/s", "2/s"], "step": "30s" } }),
            ),
            (
                json!({ "find": ["slots"], "at_most": 16 }),
                json!({ "find": { "what": ["slots"], "at_most": 16 } }),
            ),
        ] {
            assert_eq!(
                spec(&with(short(), said)).expanded().unwrap(),
                long(load).expanded().unwrap()
            );
        }
        assert_eq!(
            long(json!({ "find": {} })).load,
            spec(&with(short(), json!({ "find": ["slots", "quota"] })))
                .expanded()
                .unwrap()
                .load
        );
    }

    #[test]
    fn what_is_said_twice_or_belongs_to_nothing_is_refused() {
        for (more, place, what) in [
            (
                json!({ "rate": "3/s", "concurrency": 2 }),
                "concurrency",
                "`rate` is there too: probes come in one way",
            ),
            (
                json!({ "rate": "3/s", "load": { "closed": { "concurrency": 2 } } }),
                "rate",
                "`load` says it too: leave one of them out",
            ),
            (
                json!({ "rate": "3/s", "step": "9s" }),
                "step",
                "it belongs to `ladder`, which is not there",
            ),
            (
                json!({ "rate": "3/s", "classes": { "a": { "input": 1, "output": 1 } } }),
                "input",
                "`classes` says it too: leave one of them out",
            ),
            (
                json!({ "rate": "3/s", "targets": { "a": { "base_url": "http://x/v1", "model": "m" } } }),
                "base_url",
                "`targets` says it too: leave one of them out",
            ),
        ] {
            let refusal = spec(&with(short(), more)).expanded().unwrap_err();
            assert_eq!((refusal.path.len(), &*refusal.message), (1, what));
            assert!(format!("{:?}", refusal.path).contains(place), "{:?}", refusal.path);
        }
    }
}
