//! Arrivals and the classes of requests among them, checked.
//!
//! Shares are weights: they need not add up to 1. A replayed trace has its own lengths, so that a class of which nothing else comes may
//! not state any.

mod kept;

use crate::experiment::file::{ClassSpec, Origin, TrafficSpec};
use crate::experiment::load::Loaded;
use crate::form::build::{Asked, Built, Names, Refusal};
use crate::form::hidden::Called;
use crate::form::laws::LawSpec;
use crate::form::named::Named;
use crate::kernel::chance::threshold;
use crate::kernel::sampler::Sampler;
use crate::traffic::pairs::Pairs;
use crate::traffic::stream::{MOST_STREAMS, Mark, Stream};
use crate::traffic::tags::{self, OfStream, Tags};
use crate::traffic::users::Users;
use crate::traffic::{Class, Traffic};

/// Refuses traffic of which it is not said whence it comes, or twice.
pub(super) fn check_origins(spec: &TrafficSpec) -> Built<()> {
    match (&spec.arrivals, spec.streams.len()) {
        (None, 0) => Err(Refusal::new(
            "`arrivals` is missing: when requests come, like {\"poisson\": {\"rate\": \"5/s\"}}, or `streams` that have arrivals of their own",
        )),
        (None, count) if count > MOST_STREAMS => {
            Err(Refusal::new(format!("{count} streams: at most {MOST_STREAMS}")).at("streams"))
        }
        (Some(_), 1..) => Err(Refusal::new(
            "beside `streams`, which have arrivals of their own: make this a stream too",
        )
        .at("arrivals")),
        (None, _) if spec.users.is_some() => Err(Refusal::new(
            "beside `streams`, which have users of their own: give these to the streams they ask in",
        )
        .at("users")),
        (None, _) if spec.streams.names().iter().any(|name| name.trim().is_empty()) => {
            Err(Refusal::new("a stream without a name").at("streams"))
        }
        _ => Ok(()),
    }
}

pub(super) fn traffic(loaded: &Loaded, names: &Names<'_>) -> Built<Traffic> {
    let spec = &loaded.experiment.traffic;
    let count = spec.classes.len();
    if count == 0 || count > 1000 {
        return Err(Refusal::new(format!("{count} classes: must be 1 to 1000")).at("classes"));
    }
    let origins: Vec<Origin<'_>> = spec.origins().collect();
    let marks = Mark::all(&spec.streams.names()).map_err(|r| r.at("streams"))?;
    let shares = shares(loaded, spec, &origins)?;
    let mut streams = Vec::new();
    let are_users_told = self::users(loaded).is_some();
    let mut users = 0_u32;
    let mut called = Vec::new();
    for (i, origin) in origins.iter().enumerate() {
        let first = are_users_told.then_some(users);
        let built = stream(loaded, origin, marks.get(i).copied(), &shares, first, names)?;
        if let Some(known) = loaded.kept_of(origin.arrivals).and_then(|kept| kept.users.as_ref()) {
            called.push(Called {
                first: users,
                names: known.iter().cloned().collect(),
            });
        }
        users = users.saturating_add(of_origin(loaded, origin).unwrap_or(1));
        streams.push(built);
    }
    let mut classes = Vec::new();
    for (i, (name, class)) in spec.classes.iter().enumerate() {
        // Another day's rows may say any class.
        let sends = |(stream, origin): &(&Stream, &Origin<'_>)| {
            says_classes(loaded, origin) || stream.classes.iter().any(|&(_, class)| usize::from(class) == i)
        };
        let mut senders = streams.iter().zip(&origins).filter(sends).peekable();
        let here = |r: Refusal| r.at(name).at("classes");
        if senders.peek().is_none() {
            return Err(here(Refusal::new("no stream has requests of this class")));
        }
        let replayed = senders.all(|(_, origin)| origin.arrivals.as_dyn().trace().is_some());
        classes.push(one_class(name, class, loaded.pairs_of(class), replayed, names).map_err(here)?);
        if let Some((tag, _)) = class.tags.iter().find(|(tag, _)| spec.tags.get(tag).is_some()) {
            let text = format!("the class has a tag `{tag}`, and so has all traffic: give it in one place");
            return Err(here(Refusal::new(text).at(tag).at("tags")));
        }
        let of_streams = |tag: &str| {
            let mut streams = spec.streams.iter();
            tag == tags::STREAM && !spec.streams.is_empty()
                || streams.any(|(_, stream)| stream.tags.get(tag).is_some())
                || loaded
                    .kept
                    .values()
                    .any(|kept| kept.tags.iter().any(|(kept, _)| kept == tag))
        };
        if let Some((tag, _)) = class.tags.iter().find(|(tag, _)| of_streams(tag)) {
            let text = format!("the class has a tag `{tag}`, and so have the streams: give it in one place");
            return Err(here(Refusal::new(text).at(tag).at("tags")));
        }
    }
    let none = Named::default();
    let of_streams: Vec<OfStream<'_>> = (origins.iter().enumerate())
        .map(|(i, origin)| OfStream {
            named: origin.name.zip(marks.get(i).copied()),
            own: origin
                .name
                .and_then(|name| Some(&spec.streams.get(name)?.tags))
                .unwrap_or(&none),
            kept: loaded.kept_of(origin.arrivals).map_or(&[], |kept| &kept.tags),
            of_users: of_origin(loaded, origin).is_some(),
        })
        .collect();
    let tags = Tags::build(&spec.tags, &of_streams)?;
    for (stream, origin) in streams.iter_mut().zip(&origins) {
        stream.kept = kept::identified(loaded, origin, tags.as_ref(), names)?;
    }
    Ok(Traffic {
        streams,
        classes,
        tags,
        users: self::users(loaded),
        called,
    })
}

/// The shares of the classes, which each has that comes from somewhere that has no weights of its own.
fn shares(loaded: &Loaded, spec: &TrafficSpec, origins: &[Origin<'_>]) -> Built<Vec<f64>> {
    let needed = (origins.iter()).any(|origin| origin.classes.is_none() && !says_classes(loaded, origin));
    let share = |(name, class): (&str, &ClassSpec)| match class.share {
        Some(_) if !needed => Err(Refusal::new(
            "where requests come from says how many are of which class: leave this out",
        )
        .at("share")
        .at(name)),
        Some(share) if share > 0.0 && share.is_finite() => Ok(share),
        Some(share) => Err(Refusal::new(format!("a share of {share}: must be above 0"))
            .at("share")
            .at(name)),
        None if spec.classes.len() == 1 || !needed => Ok(1.0),
        None => Err(Refusal::new("`share` is missing: of several classes each has one").at(name)),
    };
    spec.classes
        .iter()
        .map(|class| share(class).map_err(|r| r.at("classes")))
        .collect()
}

/// The stream of `origin`, with users from number `first_user` on, if users are told apart in any stream: then one without users is a
/// single user, a service.
fn stream(
    loaded: &Loaded,
    origin: &Origin<'_>,
    mark: Option<Mark>,
    shares: &[f64],
    first_user: Option<u32>,
    names: &Names<'_>,
) -> Built<Stream> {
    let arrivals = origin.arrivals.as_dyn();
    let built = arrivals
        .build(loaded.trace_of(origin.arrivals), names)
        .map_err(|r| origin.at_arrivals(r))?;
    let mut weights: Vec<(u16, f64)> = Vec::new();
    match origin.classes {
        None if says_classes(loaded, origin) => weights.extend(kept::weights(loaded, origin, names)?),
        Some(_) if says_classes(loaded, origin) => {
            return Err(origin.at(Refusal::new("the trace's rows say their classes: leave this out").at("classes")));
        }
        None => weights.extend((0..).zip(shares.iter().copied())),
        Some(own) => {
            for (name, &weight) in own.iter() {
                let here = |r: Refusal| origin.at(r.at("classes"));
                let class = names.class(name).map_err(|r| here(r.at(name)))?;
                if !(weight > 0.0 && weight.is_finite()) {
                    return Err(here(
                        Refusal::new(format!("a weight of {weight}: must be above 0")).at(name),
                    ));
                }
                weights.push((class as u16, weight));
            }
        }
    }
    let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
    let mut sum = 0.0;
    let mut classes: Vec<(u64, u16)> = (weights.iter())
        .map(|&(class, weight)| {
            sum += weight;
            (threshold(sum / total), class)
        })
        .collect();
    if let Some((up_to, _)) = classes.last_mut() {
        *up_to = u64::MAX;
    }
    if let (Some(_), Some(own)) = (origin.users, arrivals.users()) {
        let text = format!(
            "`{}` has users of its own, {own}: leave this out",
            origin.arrivals.name()
        );
        return Err(origin.at(Refusal::new(text).at("users")));
    }
    let known = loaded.kept_of(origin.arrivals).and_then(|kept| kept.users.as_ref());
    if let (Some(_), Some(_)) = (origin.users, known) {
        return Err(origin.at(Refusal::new("the trace's rows say their users: leave this out").at("users")));
    }
    let users = match (origin.users, of_origin(loaded, origin), first_user) {
        (Some(users), ..) => Some(users.build().map_err(|r| origin.at(r.at("users")))?),
        (None, None, Some(_)) => Some(Users::one()),
        (None, Some(_), _) | (None, None, None) => None,
    };
    let unknown = || mark.map_or(0, Mark::beyond_users);
    Ok(Stream {
        mark,
        name: origin.name.map(str::to_owned),
        dialogues: built.dialogues(),
        arrivals: built,
        classes,
        first_user: first_user.unwrap_or_else(unknown),
        users,
        kept: None,
    })
}

/// How many users the traffic has, if it has any: a stream without users counts for one.
pub(super) fn users(loaded: &Loaded) -> Option<u32> {
    let of_each = || (loaded.experiment.traffic.origins()).map(|origin| of_origin(loaded, &origin));
    of_each().find_map(|users| users)?;
    of_each().map(|users| users.unwrap_or(1)).reduce(u32::saturating_add)
}

/// How many users `origin` has, if it has any: those that its trace's rows say, or those that the file gives.
fn of_origin(loaded: &Loaded, origin: &Origin<'_>) -> Option<u32> {
    let kept = loaded.kept_of(origin.arrivals).and_then(|kept| kept.users.as_ref());
    kept.map(|users| users.len() as u32).or_else(|| origin.users())
}

/// Whether the rows of the trace that `origin` replays say their classes.
fn says_classes(loaded: &Loaded, origin: &Origin<'_>) -> bool {
    loaded
        .kept_of(origin.arrivals)
        .is_some_and(|kept| kept.classes.is_some())
}

/// What a client knows of the requests of each class beforehand.
pub(super) fn asked(loaded: &Loaded, names: &Names<'_>) -> Built<Vec<Asked>> {
    let classes = &loaded.experiment.traffic.classes;
    let one = |(name, class): (&str, &ClassSpec)| {
        let here = |r: Refusal| r.at(name).at("classes");
        let mean = |law: &Option<LawSpec<f64>>| Some(law.as_ref()?.law(names).ok()?.mean());
        let provider = (class.provider.as_deref())
            .map(|p| names.provider(p).map_err(|r| here(r.at("provider"))))
            .transpose()?;
        Ok(Asked {
            tags: class.tags.iter().map(|(k, v)| (k.to_owned(), v.clone())).collect(),
            tokens: match loaded.pairs_of(class) {
                Some(pairs) => Some(pairs.means()),
                None => mean(&class.input).zip(mean(&class.output)),
            },
            max_output: class.max_output.and_then(|most| u32::try_from(most.get()).ok()),
            prompts: class.prompts.as_ref().map(|prompts| prompts.count.get() as u32),
            cost_budget: (class.cost_budget).map(|most| u64::try_from(names.money(most)).unwrap_or(u64::MAX)),
            latency_budget: class.latency_budget.map(|most| most.span()),
            provider,
        })
    };
    classes.iter().map(one).collect()
}

fn one_class(name: &str, class: &ClassSpec, pairs: Option<Pairs>, replayed: bool, names: &Names<'_>) -> Built<Class> {
    match &class.pairs {
        Some(_) if replayed => return Err(Refusal::new("the trace has its own lengths: leave this out").at("pairs")),
        Some(_) if pairs.is_none() => return Err(Refusal::new("the trace was not loaded").at("trace").at("pairs")),
        Some(_) | None => {}
    }
    let tokens = |field: &'static str, law: &Option<LawSpec<f64>>| match law {
        Some(_) if replayed => Err(Refusal::new("the trace has its own lengths: leave this out").at(field)),
        Some(_) if pairs.is_some() => Err(Refusal::new("`pairs` has both lengths: leave this out").at(field)),
        None if pairs.is_some() => Ok(Sampler::Constant(0.0)),
        Some(law) => law.tokens(names).map_err(|r| r.at(field)),
        None if replayed => Ok(Sampler::Constant(0.0)),
        None => Err(Refusal::new(format!(
            "`{field}` is missing: a law of tokens, like {{\"constant\": 300}}"
        ))),
    };
    if class.priority > 15 {
        return Err(Refusal::new(format!("priority {}: must be 0 to 15", class.priority)).at("priority"));
    }
    let max_output = match class.max_output {
        Some(most) => Some(u32::try_from(most.get()).map_err(|_| {
            Refusal::new(format!("{most} tokens: at most {} can be counted", u32::MAX)).at("max_output")
        })?),
        None => None,
    };
    Ok(Class {
        name: name.to_owned(),
        priority: class.priority,
        input: tokens("input", &class.input)?,
        output: tokens("output", &class.output)?,
        max_output,
        pairs,
        prompts: (class.prompts.as_ref())
            .map(|prompts| prompts.build().map_err(|r| r.at("prompts")))
            .transpose()?,
        patience: (class.patience.as_ref())
            .map(|law| law.sampler(names).map_err(|r| r.at("patience")))
            .transpose()?,
    })
}
