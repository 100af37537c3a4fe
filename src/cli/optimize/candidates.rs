//! The candidates of `simcap optimize`: every combination of values with every policy, and what the file says as it is.

use serde_json::Value;

use super::OptimizeArgs;
use crate::cli::Failure;
use crate::experiment::assemble::{Plan, assemble};
use crate::experiment::axis::{Axis, points};
use crate::experiment::load::{LoadError, Loaded, Source, Traces};
use crate::experiment::settings::Setting;
use crate::form::comments::blank_comments;
use crate::form::diagnose::nearest;
use crate::form::own::OwnParts;
use crate::report::format;
use crate::study::alone;
use crate::words::{Aim, Metric};

/// The most candidates.
const MOST: usize = 1_000;

/// Where experiments come from.
type Origin = (Source, Traces, OwnParts);

/// Every candidate, by number.
pub(super) struct Candidates {
    from: Origin,
    base: Loaded,
    /// What commands call the file.
    file: String,
    axes: Vec<Axis>,
    /// The values on the axes, nothing for those of the file itself; and the policy.
    all: Vec<(Option<Vec<String>>, String)>,
    today: Option<usize>,
    /// The first policy of the file.
    first: String,
    metrics: Vec<Metric>,
    /// The combination of values that was loaded last.
    last: Option<(Option<Vec<String>>, Loaded)>,
}

impl Candidates {
    /// The candidates that are asked for, each of which makes sense.
    pub(super) fn of(
        args: &OptimizeArgs,
        from: Origin,
        base: &Loaded,
        plan: &Plan,
        metrics: &[Aim],
    ) -> Result<Candidates, Failure> {
        let names = policies(args, plan)?;
        let first = base.experiment.policies.first().map(|entry| entry.name.clone());
        let first = first.unwrap_or_default();
        let known = plan.metrics.iter().map(|measure| &measure.metric);
        let mut missing: Vec<Metric> = Vec::new();
        for (_, metric) in metrics.iter().flat_map(Aim::terms) {
            if !known.clone().any(|known| known == metric) && !missing.contains(metric) {
                missing.push(metric.clone());
            }
        }
        let mut base = base.clone();
        base.experiment.plan.metrics.extend(missing.iter().cloned());
        let mut candidates = Candidates {
            from,
            file: args.file.display().to_string(),
            base,
            axes: args.axes.clone(),
            all: Vec::new(),
            today: None,
            first,
            metrics: missing,
            last: None,
        };
        let combinations = points(&args.axes).map_err(|why| Failure::Input(format!("--set: {why}")))?;
        let count = combinations.len() * names.len();
        if count > MOST {
            return Err(Failure::Input(format!(
                "{} candidates: at most {} are looked at; take fewer values, or name policies with --policy",
                format::count(count as u64),
                format::count(MOST as u64)
            )));
        }
        for values in combinations {
            let values = (!args.axes.is_empty()).then_some(values);
            let loaded = candidates.loaded(values.as_ref())?;
            assemble(&loaded)?;
            // The file may say these values itself.
            let is_today = loaded.experiment == candidates.base.experiment;
            for name in &names {
                if is_today && *name == candidates.first {
                    candidates.today = Some(candidates.all.len());
                }
                candidates.all.push((values.clone(), name.clone()));
            }
        }
        if candidates.today.is_none() && names.contains(&candidates.first) {
            candidates.today = Some(candidates.all.len());
            candidates.all.push((None, candidates.first.clone()));
        }
        Ok(candidates)
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The number of what the file says, with its first policy.
    pub(super) fn today(&self) -> Option<usize> {
        self.today
    }

    /// The paths on which candidates differ.
    pub(super) fn axes(&self) -> Vec<String> {
        let several = self.axes.iter().filter(|axis| axis.values.len() > 1);
        several.map(|axis| axis.path.clone()).collect()
    }

    /// The pairs of candidates that differ in nothing but the value on axis number `axis`.
    pub(super) fn along(&self, axis: usize) -> Vec<(usize, usize)> {
        let differ_there = |a: &(Option<Vec<String>>, String), b: &(Option<Vec<String>>, String)| {
            let (Some(left), Some(right)) = (&a.0, &b.0) else {
                return false;
            };
            let mut pairs = left.iter().zip(right).enumerate();
            a.1 == b.1 && pairs.all(|(place, (left, right))| (left == right) != (place == axis))
        };
        let mut found = Vec::new();
        for (i, a) in self.all.iter().enumerate() {
            let others = self.all.iter().enumerate().skip(i + 1);
            found.extend(others.filter(|(_, b)| differ_there(a, b)).map(|(j, _)| (i, j)));
        }
        found
    }

    /// What the file says, with its first policy alone.
    pub(super) fn base(&self) -> Loaded {
        alone(self.base.clone(), &self.first)
    }

    /// The experiment of candidate number `i`, with its policy alone.
    pub(super) fn at(&mut self, i: usize) -> Result<Loaded, LoadError> {
        let (values, name) = self.all[i].clone();
        if self.last.as_ref().is_none_or(|(known, _)| *known != values) {
            let loaded = self.loaded(values.as_ref())?;
            self.last = Some((values, loaded));
        }
        let loaded = self
            .last
            .as_ref()
            .map_or_else(|| self.base.clone(), |(_, loaded)| loaded.clone());
        Ok(alone(loaded, &name))
    }

    /// The experiment with these values.
    fn loaded(&mut self, values: Option<&Vec<String>>) -> Result<Loaded, LoadError> {
        let settings = self.settings(values)?;
        let (source, traces, own) = &mut self.from;
        let mut loaded = super::asked_of_all(source.load(&settings, traces, None, own.clone())?);
        loaded.experiment.plan.metrics.extend(self.metrics.iter().cloned());
        Ok(loaded)
    }

    fn settings(&self, values: Option<&Vec<String>>) -> Result<Vec<Setting>, LoadError> {
        let settings = settled(&self.axes, values);
        let settings = settings.into_iter().map(|(path, value)| Setting::new(path, value));
        settings
            .collect::<Result<_, _>>()
            .map_err(|error| LoadError::Set(error.to_string()))
    }

    /// What the candidates are called, how each is run, and how the file as it is.
    pub(super) fn named(&self) -> (Vec<String>, Vec<String>, String) {
        let several = |values: &Vec<String>| {
            let shown = self.axes.iter().zip(values);
            let shown = shown
                .filter(|(axis, _)| axis.values.len() > 1)
                .map(|(_, value)| value.clone());
            shown.collect::<Vec<_>>()
        };
        let name = |(values, policy): &(Option<Vec<String>>, String)| match values {
            None if self.axes().is_empty() => policy.clone(),
            None => format!("{policy} as it is"),
            Some(values) => std::iter::once(policy.clone())
                .chain(several(values))
                .collect::<Vec<_>>()
                .join(" · "),
        };
        let command = |(values, _): &(Option<Vec<String>>, String)| {
            let set = settled(&self.axes, values.as_ref()).into_iter();
            let set = set.map(|(path, value)| format!(" --set {}", quoted(&format!("{path}={value}"))));
            format!("simcap run {}{}", quoted(&self.file), set.collect::<String>())
        };
        let names = self.all.iter().map(name).collect();
        let commands = self.all.iter().map(&command).collect();
        (names, commands, command(&(None, String::new())))
    }
}

/// What is set: each path with its value, and of the file itself those that have one value alone.
pub(super) fn settled<'a>(axes: &'a [Axis], values: Option<&'a Vec<String>>) -> Vec<(&'a str, &'a str)> {
    let of = |(i, axis): (usize, &'a Axis)| {
        let value = match values {
            Some(values) => values.get(i),
            None => axis.values.first().filter(|_| axis.values.len() == 1),
        };
        Some((axis.path.as_str(), value?.as_str()))
    };
    axes.iter().enumerate().filter_map(of).collect()
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-=:,%+".contains(c);
    if word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// The policies that may be chosen: those that are asked for, or all.
fn policies(args: &OptimizeArgs, plan: &Plan) -> Result<Vec<String>, Failure> {
    let names: Vec<&str> = plan.scenarios.iter().map(|scenario| &*scenario.name).collect();
    for name in &args.policy {
        if !names.contains(&name.as_str()) {
            let near = nearest(name, names.iter().copied()).map(|near| format!("; did you mean {near}?"));
            return Err(Failure::Input(format!(
                "--policy {name}: there is no such policy, but {}{}",
                names.join(", "),
                near.unwrap_or_default()
            )));
        }
    }
    let chosen = names
        .iter()
        .filter(|name| args.policy.is_empty() || args.policy.iter().any(|wanted| wanted == *name));
    Ok(chosen.map(|name| (*name).to_owned()).collect())
}

/// The text of the experiment with the values of candidate `i` and its policy alone, of which every objective is asked.
pub(super) fn best_file(candidates: &mut Candidates, i: usize) -> Result<String, Failure> {
    let (values, policy) = candidates.all[i].clone();
    let text = candidates.loaded(values.as_ref())?.text;
    let tree: Value =
        serde_json::from_str(&blank_comments(&text)).map_err(|error| Failure::Input(error.to_string()))?;
    let is_it = |entry: &&Value| entry.get("name").and_then(Value::as_str) == Some(&policy);
    let list = |name: &str| tree.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let own: Vec<Value> = list("policies").iter().filter(is_it).cloned().collect();
    // It is the only policy, and was held against all of them.
    let mut objectives = list("objectives");
    for objective in objectives.iter_mut().filter_map(Value::as_object_mut) {
        objective.remove("policies");
    }
    let mut text = text;
    let wrong = |error: crate::experiment::settings::Unsettled| Failure::Input(error.to_string());
    let mut settings = vec![("policies", Value::from(own))];
    if tree.get("objectives").is_some() {
        settings.push(("objectives", Value::from(objectives)));
    }
    for (path, value) in settings {
        let setting = Setting::new(path, &format!("{value:#}")).map_err(wrong)?;
        text = setting.put(&text).map_err(wrong)?;
    }
    Ok(text)
}
