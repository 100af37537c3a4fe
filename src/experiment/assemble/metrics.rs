//! The metrics of an experiment: those that every report has, and those that its objectives, its ranking and its plan ask for;
//! and what must be counted for them.
//!
//! A scope's names are looked up here, once. Classes and tags are read from what is counted by class anyway, where that holds the
//! quantity; for everything else a lens is set up. Scopes that make no sense for a quantity are refused with what to ask instead.

use crate::engine::lens::{Lens, Lenses};
use crate::engine::scenario::{Good, Window};
use crate::experiment::file::{Experiment, PolicyEntry, WindowSpec};
use crate::form::build::{Built, Refusal, Tagged, number};
use crate::form::layers::Change;
use crate::form::named::Named;
use crate::kernel::time::{Span, Time};
use crate::routing::{ModelGroup, PolicySpec};
use crate::words::Metric;
use crate::words::metric::{Key, Lies, MISS, MOST_TAG_VALUES, OTHER, Times};

use super::Objective;

/// The most metrics that a plan may ask for.
const MOST: usize = 256;

/// A metric of a report, and where its figures are counted.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    /// The metric that is reported.
    pub metric: Metric,
    /// What its figures are taken from.
    pub source: Source,
}

/// What of a tally a figure is taken from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Everything that is counted.
    All,
    /// The tallies of these classes, by number.
    Classes(Vec<usize>),
    /// The tally of this lens, by number.
    Lens(usize),
}

/// Everything that is measured.
#[derive(Debug)]
pub(super) struct Measures {
    /// The metrics of the report, in order.
    pub(super) asked: Vec<Measure>,
    /// What is counted apart for them.
    pub(super) lenses: Lenses,
    /// Whether the time for each token is counted by class.
    pub(super) counts_tpot: bool,
    /// What makes a success of each class a good one.
    pub(super) good: Vec<Good>,
}

/// Looks up every metric that `spec` asks for. `objectives` are the checked ones, in the file's order.
pub(super) fn measures(
    spec: &Experiment,
    tags: &[Tagged],
    window: Window,
    objectives: &[Objective],
) -> Built<Measures> {
    let all = ScopeNames::of(spec, tags, window)?;
    let mut asked: Vec<Measure> = Metric::standard()
        .map(|(metric, _)| Measure {
            metric,
            source: Source::All,
        })
        .collect();
    let (mut lenses, mut bounds) = (Vec::new(), Vec::new());
    let has_dialogues = spec.traffic.has_dialogues();
    let mut ask = |metric: &Metric| -> Built<Part> {
        let part = all.part(metric)?;
        if metric.is_of_dialogues() && !has_dialogues {
            let text = format!("`{metric}`: the traffic has neither `conversations` nor `agents`");
            return Err(Refusal::new(text));
        }
        if metric.is_of_dialogues() && part.hits.is_some() {
            let text = format!(
                "`{metric}`: some turns of a dialogue may be hits and others not. Ask for it of a class, or of all"
            );
            return Err(Refusal::new(text));
        }
        if asked.iter().all(|known| known.metric != *metric) {
            asked.push(Measure {
                metric: metric.clone(),
                source: source(metric, &part, window, &mut lenses),
            });
        }
        Ok(part)
    };
    for (i, objective) in objectives.iter().enumerate() {
        let part = ask(&objective.metric).map_err(|r| r.at("metric").at(i).at("objectives"))?;
        bounds.push((objective, part));
    }
    // Beside percentiles over hits and misses together stand those of misses.
    if spec.policies.iter().any(|entry| has_cache(spec, entry)) {
        for metric in [Metric::TTFT_P95, Metric::E2E_P95] {
            ask(&metric.within(Key::Cache, MISS))?;
        }
    }
    if has_dialogues {
        for metric in &Metric::OF_DIALOGUES {
            ask(metric)?;
        }
    }
    if let Some(metric) = &spec.rank_by {
        ask(metric).map_err(|r| r.at("rank_by"))?;
    }
    if spec.plan.metrics.len() > MOST {
        let text = format!("{} metrics: at most {MOST} may be asked for", spec.plan.metrics.len());
        return Err(Refusal::new(text).at("metrics").at("plan"));
    }
    for (name, _) in spec.plan.until.iter() {
        let metric: Metric = name
            .parse()
            .map_err(|why| Refusal::of(why).at(name).at("until").at("plan"))?;
        ask(&metric).map_err(|r| r.at(name).at("until").at("plan"))?;
    }
    for (i, metric) in spec.plan.metrics.iter().enumerate() {
        ask(metric).map_err(|r| r.at(i).at("metrics").at("plan"))?;
    }
    let is_tpot = |asked: &Measure| asked.metric.row().lies == Lies::Times(Times::Tpot);
    Ok(Measures {
        counts_tpot: asked.iter().any(|a| is_tpot(a) && !matches!(a.source, Source::Lens(_))),
        lenses: Lenses::new(lenses, all.classes.len()),
        good: (0..all.classes.len()).map(|class| good(&bounds, class)).collect(),
        asked,
    })
}

/// Whether a policy has a response cache anywhere.
fn has_cache(spec: &Experiment, entry: &PolicyEntry) -> bool {
    let of_group = |group: &ModelGroup| {
        let own = group.client.as_ref();
        own.is_some_and(|own| matches!(own.response_cache, Change::To(_)))
    };
    let of_groups = match &entry.policy {
        PolicySpec::model_groups(named) => named.groups.iter().any(|(_, group)| of_group(group)),
        _ => false,
    };
    of_groups || entry.effective(&spec.client).response_cache.is_some()
}

/// The part of the traffic that a scope takes in.
#[derive(Debug)]
struct Part {
    /// The classes that are counted; `None` for all.
    classes: Option<Vec<usize>>,
    /// Whether each combination of the traffic's tags is counted; `None` for all.
    tags: Option<Vec<bool>>,
    provider: Option<usize>,
    /// Whether those are counted that the response cache answered, or all others; `None` for both.
    hits: Option<bool>,
    /// The stretch of time that is counted; `None` for all of it.
    span: Option<(Time, Time)>,
}

/// Where the figures of a metric are taken from; a lens that they need is added to `lenses`, or is there.
fn source(metric: &Metric, part: &Part, window: Window, lenses: &mut Vec<Lens>) -> Source {
    let lies = metric.row().lies;
    let is_narrow = part.tags.is_some() || part.provider.is_some() || part.hits.is_some();
    match (&part.classes, is_narrow, part.span) {
        (None, false, None) => return Source::All,
        (Some(classes), false, None) if lies.in_classes() => return Source::Classes(classes.clone()),
        _ => {}
    }
    let (from, until) = part.span.unwrap_or((window.warmup, window.end));
    let is_same = |known: &Lens| {
        (&known.classes, &known.tags, known.provider, known.hits)
            == (&part.classes, &part.tags, part.provider, part.hits)
            && (known.from, known.until) == (from, until)
    };
    let at = lenses.iter().position(is_same).unwrap_or_else(|| {
        lenses.push(Lens {
            classes: part.classes.clone(),
            tags: part.tags.clone(),
            provider: part.provider,
            hits: part.hits,
            from,
            until,
            times: [false; Times::COUNT],
            dialogues: false,
        });
        lenses.len() - 1
    });
    match lies {
        Lies::Dialogues | Lies::Times(Times::Dialogue) => lenses[at].dialogues = true,
        Lies::Times(times) => lenses[at].times[times.index()] = true,
        Lies::Requests | Lies::Ratings | Lies::Bills | Lies::Served | Lies::Attempts | Lies::Hits => {}
    }
    Source::Lens(at)
}

/// What makes a success of `class` a good one: of each scope that it is in, the loosest bound on each time. A bound on a median
/// is not meant for every request; the one on the highest percentile most nearly is.
fn good(bounds: &[(&Objective, Part)], class: usize) -> Good {
    let mut good = Good::ANY;
    let binds = |(objective, part): &&(&Objective, Part)| {
        let is_in = part.classes.as_ref().is_none_or(|some| some.contains(&class));
        objective.metric.bounds_goodput() && objective.at_most && is_in
    };
    let binding = || bounds.iter().filter(binds).map(|(objective, _)| objective);
    for objective in binding() {
        let (scope, row) = (objective.metric.scope(), objective.metric.row());
        let same = |o: &&&Objective| o.metric.scope() == scope && o.metric.row().lies == row.lies;
        let loosest = binding().filter(same).map(|o| Span::from_seconds_f64(o.bound)).max();
        if let (Lies::Times(times), Some(loosest)) = (row.lies, loosest) {
            let longest = &mut good.longest[times.index()];
            *longest = (*longest).min(loosest);
        }
    }
    good
}

/// The names that scopes may use.
struct ScopeNames<'a> {
    classes: Vec<String>,
    providers: Vec<String>,
    windows: Vec<String>,
    spans: Vec<(Time, Time)>,
    tags: Vec<(&'a str, Tag<'a>)>,
    /// The tags of the traffic, which do not hang on classes.
    of_traffic: &'a [Tagged],
}

/// A tag: its values that are kept apart, and which of them each class has.
#[derive(Default)]
struct Tag<'a> {
    values: Vec<&'a str>,
    of_class: Vec<Option<usize>>,
}

impl<'a> ScopeNames<'a> {
    fn of(spec: &'a Experiment, of_traffic: &'a [Tagged], window: Window) -> Built<ScopeNames<'a>> {
        let classes = &spec.traffic.classes;
        let mut tags: Vec<(&str, Tag<'_>)> = Vec::new();
        for (_, class) in classes.iter() {
            for (name, _) in class.tags.iter() {
                if tags.iter().all(|(known, _)| *known != name) {
                    tags.push((name, Tag::default()));
                }
            }
        }
        for (name, tag) in &mut tags {
            for (_, class) in classes.iter() {
                let value = class.tags.get(name).map(String::as_str).filter(|value| *value != OTHER);
                let kept = value.and_then(|value| tag.keep(value));
                tag.of_class.push(kept);
            }
        }
        Ok(ScopeNames {
            classes: classes.names(),
            providers: spec.providers.names(),
            windows: spec.plan.windows.names(),
            spans: spans(&spec.plan.windows, window).map_err(|r| r.at("windows").at("plan"))?,
            tags,
            of_traffic,
        })
    }

    /// What the scope of `metric` takes in.
    fn part(&self, metric: &Metric) -> Built<Part> {
        let mut part = Part {
            classes: None,
            tags: None,
            provider: None,
            hits: None,
            span: None,
        };
        for (key, value) in metric.scope().iter() {
            match key {
                Key::Class => part.restrict(&[number("class", value, &self.classes)?]),
                Key::Tag(name) => match self.of_traffic.iter().find(|tag| tag.name == *name) {
                    Some(tag) => part.restrict_tags(tag, value, self.of_traffic)?,
                    None => part.restrict(&self.tagged(name, value)?),
                },
                Key::Provider => {
                    if let Some(why) = metric.row().not_of_provider {
                        return Err(Refusal::new(format!("`{metric}`: {why}")));
                    }
                    part.provider = Some(number("provider", value, &self.providers)?);
                }
                Key::Cache => {
                    part.hits = Some(number("value of `cache`:", value, &["miss", "hit"].map(str::to_owned))? == 1)
                }
                Key::Window => part.span = Some(self.spans[number("window", value, &self.windows)?]),
            }
        }
        if part.classes.as_ref().is_some_and(Vec::is_empty) {
            return Err(Refusal::new(format!("`{metric}`: no class is in all of this scope")));
        }
        Ok(part)
    }

    /// The classes with this value of this tag.
    fn tagged(&self, name: &str, value: &str) -> Built<Vec<usize>> {
        let Some((_, tag)) = self.tags.iter().find(|(known, _)| *known == name) else {
            let of_classes = self.tags.iter().map(|(name, _)| (*name).to_owned());
            let names: Vec<String> = of_classes
                .chain(self.of_traffic.iter().map(|tag| tag.name.clone()))
                .collect();
            if names.is_empty() {
                let text = format!("there is no tag `{name}`: no class has `tags`");
                return Err(Refusal::new(text));
            }
            return Err(Refusal::unknown("tag", name, &names));
        };
        let kept = tag.values.iter().position(|known| *known == value);
        if kept.is_none() && value != OTHER {
            let values: Vec<String> = tag.values.iter().chain(&[OTHER]).map(|v| (*v).to_owned()).collect();
            let refusal = Refusal::unknown(&format!("value of the tag `{name}`:"), value, &values);
            return Err(if values.len() > MOST_TAG_VALUES {
                Refusal {
                    message: format!(
                        "`{value}` is not among the first {MOST_TAG_VALUES} values of the tag `{name}`: the rest is `{OTHER}`"
                    ),
                    ..refusal
                }
            } else {
                refusal
            });
        }
        let has = |(class, own): (usize, &Option<usize>)| (*own == kept).then_some(class);
        Ok(tag.of_class.iter().enumerate().filter_map(has).collect())
    }
}

impl<'a> Tag<'a> {
    /// The place of a value among those that are kept apart, if there is room for it.
    fn keep(&mut self, value: &'a str) -> Option<usize> {
        let known = self.values.iter().position(|known| *known == value);
        known.or_else(|| {
            (self.values.len() < MOST_TAG_VALUES).then(|| {
                self.values.push(value);
                self.values.len() - 1
            })
        })
    }
}

impl Part {
    /// Keeps only those of the classes that are also among `some`.
    fn restrict(&mut self, some: &[usize]) {
        let both = match self.classes.take() {
            None => some.to_vec(),
            Some(classes) => classes.into_iter().filter(|class| some.contains(class)).collect(),
        };
        self.classes = Some(both);
    }

    /// Keeps only requests with this `value` of `tag`, one of all the tags of the traffic.
    fn restrict_tags(&mut self, tag: &Tagged, value: &str, all: &[Tagged]) -> Built<()> {
        let wanted = number(&format!("value of the tag `{}`:", tag.name), value, &tag.values)? as u32;
        let combinations: usize = all.iter().map(|tag| tag.values.len()).product();
        let before = self.tags.take().unwrap_or_else(|| vec![true; combinations]);
        let both = before
            .iter()
            .zip(0..)
            .map(|(&before, tags)| before && tag.of(tags) == wanted);
        self.tags = Some(both.collect());
        Ok(())
    }
}

/// What is counted of each window.
fn spans(windows: &Named<WindowSpec>, window: Window) -> Built<Vec<(Time, Time)>> {
    let length = window.counted();
    let one = |(name, spec): (&str, &WindowSpec)| {
        let from = spec.from.map_or(Span::ZERO, |d| d.span());
        let until = spec.until.map_or(length, |d| d.span());
        let refuse = |text: String, field: &'static str| {
            let refusal = Refusal::new(text);
            let given = match field {
                "from" => spec.from.is_some(),
                _ => spec.until.is_some(),
            };
            Err(if given { refusal.at(field) } else { refusal }.at(name))
        };
        if until > length {
            return refuse(
                format!("the window ends at {until}, after the plan's end at {length}"),
                "until",
            );
        }
        if from >= until {
            return refuse(
                format!("the window begins at {from}, not before its end at {until}"),
                "from",
            );
        }
        Ok((window.warmup + from, window.warmup + until))
    };
    windows.iter().map(one).collect()
}
