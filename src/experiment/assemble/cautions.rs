//! What makes sense in a file and is probably not what was meant, in sentences: `check` notes them, and `run` says them first.
//!
//! What begins only when the counted time is over, what closed loops mean for the figures, how little a short trace tells however often
//! it is drawn from, what the file may have meant before, and what the clients' breakers cannot do in this fleet. Left out: what only
//! a run shows.

use crate::engine::scenario::{Deployment, Window};
use crate::experiment::caveats;
use crate::experiment::file::{Experiment, PolicyEntry, TrafficSpec};
use crate::experiment::format;
use crate::experiment::load::Loaded;
use crate::kernel::time::{Span, Time};
use crate::provider::pricing::PriceSpec;
use crate::routing::PolicySpec;

use super::{groups, resampled, sources};

/// All that is to be said of the experiment that `loaded` is, on this `fleet`, of which `window` is counted.
pub(super) fn cautions(loaded: &Loaded, fleet: &[Deployment], window: Window) -> Vec<String> {
    let spec = &loaded.experiment;
    let of_format = format::notes(spec).into_iter();
    unpriced(spec)
        .into_iter()
        .chain(of_format)
        .chain(cut(spec, window))
        .chain(too_late(spec, fleet, window))
        .chain(closed(&spec.traffic))
        .chain(resampled::cautions(loaded, window))
        .chain(of_clients(spec))
        .chain(sources::unread(spec, &loaded.prices))
        .collect()
}

/// That a trace ends long before the plan would.
fn cut(spec: &Experiment, window: Window) -> Option<String> {
    let asked = spec.plan.duration?.span();
    let counted = window.counted();
    (counted.seconds() < 0.95 * asked.seconds()).then(|| {
        format!(
            "plan: the trace ends after {counted}, and the `duration` of {asked} with it: `\"loops\": true` in `replay` plays it again, and `resample` puts \
             together as much as is asked for"
        )
    })
}

/// That costs are invented, where prices are that an import found nowhere and that were not given since.
fn unpriced(spec: &Experiment) -> Option<String> {
    let names = spec.imported.as_ref().map(|imported| imported.unpriced.as_slice());
    let invented: Option<PriceSpec> = serde_json::from_value(caveats::invented_price()).ok();
    let is_invented = |name: &&str| spec.providers.get(name).is_some_and(|of| of.prices == invented);
    let names: Vec<&str> = names
        .unwrap_or_default()
        .iter()
        .map(String::as_str)
        .filter(is_invented)
        .collect();
    caveats::unpriced(&names)
}

/// What a closed loop does to the figures.
fn closed(traffic: &TrafficSpec) -> Option<String> {
    let origins = || traffic.origins();
    let closed = origins().filter(|origin| origin.arrivals.as_dyn().is_closed());
    let names: Vec<Option<&str>> = closed.map(|origin| origin.name).collect();
    let quoted: Vec<String> = names.iter().flatten().map(|name| format!("`{name}`")).collect();
    if names.is_empty() {
        return None;
    }
    if names.len() == origins().count() {
        return Some(
            "the arrivals are a closed loop: latency is measured from the send, and a user who waits sends nothing, so that a slow \
             provider lowers the offered load instead of growing a queue; policies meet the same users, turns and think times, but not \
             the same number of requests"
                .to_owned(),
        );
    }
    let (are, their, them) = match quoted.as_slice() {
        [one] => (format!("the stream {one} is a closed loop"), "its", "it"),
        several => (
            format!("the streams {} are closed loops", several.join(", ")),
            "their",
            "them",
        ),
    };
    Some(format!(
        "{are}: {their} latency is measured from the send, and a user who waits sends nothing, so that a slow provider lowers what {them} \
         offers instead of growing a queue; policies meet the same users, turns and think times of {them}, but not the same number of \
         requests"
    ))
}

/// What is to begin at a time of the plan that is not counted any more.
fn too_late(spec: &Experiment, fleet: &[Deployment], window: Window) -> Vec<String> {
    let counted = window.counted();
    let mut said = Vec::new();
    let mut say = |of: &str, what: String, is_one: bool| {
        let (does, it) = if is_one { ("does", "it") } else { ("do", "them") };
        said.push(format!(
            "{of}: {what} {does} not begin within the {} that are counted: nothing here says anything of {it}",
            counted
        ));
    };
    for origin in spec.traffic.origins() {
        let Some(planned) = origin.arrivals.as_dyn().planned() else {
            continue;
        };
        let late: Vec<Span> = planned.at.iter().copied().filter(|at| *at >= counted).collect();
        let Some(first) = late.first().copied() else {
            continue;
        };
        let of = origin.name.map(|name| format!(" of `{name}`")).unwrap_or_default();
        match (late.len(), planned.at.len()) {
            (1, 1) => say("traffic", format!("the {}{of} at {first}", planned.one), true),
            (1, _) => say("traffic", format!("the {}{of} at {first}", planned.one), true),
            (some, all) => say(
                "traffic",
                format!("{some} of {all} {}{of}, from the one at {first} on,", planned.several),
                false,
            ),
        }
    }
    for deployment in fleet {
        let provider = &deployment.provider;
        for stretch in provider.faults.iter().filter_map(|fault| fault.stretch()) {
            if stretch.from >= window.end && stretch.from < stretch.until && stretch.from < Time::NEVER {
                let at = stretch.from.since(window.warmup);
                say(
                    "providers",
                    format!("the {} of {} at {at}", stretch.what, provider.name),
                    true,
                );
            }
        }
    }
    for entry in &spec.policies {
        if let PolicySpec::rollout(rollout) = &entry.policy
            && rollout.from.span() >= counted
        {
            let at = rollout.from.span();
            say("policies", format!("the roll-out of {} at {at}", entry.name), true);
        }
    }
    said
}

/// What breakers cannot do in this fleet, and what named groups leave unused.
fn of_clients(spec: &Experiment) -> Vec<String> {
    let named = |entry: &PolicyEntry| matches!(entry.policy, PolicySpec::model_groups(_));
    let caution = |entry: &PolicyEntry| {
        let client = entry.effective(&spec.client);
        client.breaker.as_dyn().caution(spec.providers.len())
    };
    let has_own =
        |entry: &&PolicyEntry| !named(entry) && entry.client.as_ref().is_some_and(|own| !own.breaker.is_inherited());
    let mut sharing = spec.policies.iter().filter(|entry| !named(entry) && !has_own(entry));
    let shared = sharing.next().and_then(caution);
    let own = spec.policies.iter().filter(has_own).filter_map(|entry| {
        let caution = caution(entry)?;
        Some(format!("{}: {caution}", entry.name))
    });
    let of_groups = spec.policies.iter().flat_map(|entry| match &entry.policy {
        PolicySpec::model_groups(named) => groups::cautions(named, &entry.effective(&spec.client), &entry.name),
        _ => Vec::new(),
    });
    shared.into_iter().chain(own).chain(of_groups).collect()
}
