//! What a trace's rows say of whose requests they are, put in the experiment's terms: its classes, and the one number of all tags.

use std::sync::Arc;

use crate::experiment::file::Origin;
use crate::experiment::load::Loaded;
use crate::form::build::{Built, Names, Refusal};
use crate::form::diagnose::{nearest, quoted};
use crate::traffic::kept::{Identified, Kept, Said};
use crate::traffic::tags::Tags;

/// The rule for values that no other rule names.
const OTHERS: &str = "*";

/// The class of each value of the class's column.
fn classes(origin: &Origin<'_>, kept: &Kept, names: &Names<'_>) -> Built<Vec<u16>> {
    let reading = origin.arrivals.as_dyn().reading();
    let keep = reading.keep.unwrap_or_default();
    let here = |r: Refusal| origin.at_arrivals(r.at("keep"));
    for (value, class) in keep.classes.iter() {
        names.class(class).map_err(|r| here(r.at(value).at("classes")))?;
    }
    let values = kept.classes.as_deref().unwrap_or_default();
    let one = |value: &String| {
        let rule = keep.classes.get(value);
        let class = rule.unwrap_or(value);
        let known = names.classes.iter().position(|known| known == class);
        let others = || keep.classes.get(OTHERS).and_then(|class| names.class(class).ok());
        known.or_else(others).map(|class| class as u16).ok_or_else(|| {
            let near = nearest(value, names.classes.iter().map(String::as_str));
            let near = near.map_or_else(String::new, |near| format!("; did you mean `{}`?", quoted(near)));
            let count = values.iter().filter(|value| !names.classes.contains(value)).count();
            let several = if count > 1 { format!(", nor of {} other values", count - 1) } else { String::new() };
            here(
                Refusal::new(format!(
                    "the rows say `{}`, and there is no class of that name{several}{near}: the classes are {}; or say which it is, like \
                     \"classes\": {{ \"{}\": \"{}\" }}, with \"*\" for all others",
                    quoted(value),
                    listed(names.classes),
                    quoted(value),
                    quoted(names.classes.first().map_or("chat", String::as_str)),
                ))
                .at("class"),
            )
        })
    };
    values.iter().map(one).collect()
}

/// The first names of a list.
fn listed(names: &[String]) -> String {
    let first: Vec<String> = names
        .iter()
        .take(10)
        .map(|name| format!("`{}`", quoted(name)))
        .collect();
    first.join(", ") + if names.len() > 10 { ", …" } else { "" }
}

/// The classes that rows have, and how many have each.
pub(super) fn weights(loaded: &Loaded, origin: &Origin<'_>, names: &Names<'_>) -> Built<Vec<(u16, f64)>> {
    let Some(kept) = loaded.kept_of(origin.arrivals) else {
        return Ok(Vec::new());
    };
    let mut rows = vec![0_u64; names.classes.len()];
    for (class, count) in classes(origin, kept, names)?.into_iter().zip(kept.rows_by_class()) {
        rows[usize::from(class)] += count;
    }
    let some = (0..).zip(rows).filter(|(_, rows)| *rows > 0);
    Ok(some.map(|(class, rows)| (class, rows as f64)).collect())
}

/// What each request of `origin` carries by its row, if its trace keeps any of it.
pub(super) fn identified(
    loaded: &Loaded,
    origin: &Origin<'_>,
    tags: Option<&Tags>,
    names: &Names<'_>,
) -> Built<Option<Identified>> {
    let Some(kept) = loaded.kept_of(origin.arrivals) else {
        return Ok(None);
    };
    let classes = classes(origin, kept, names)?;
    // By tag and value, what it adds to the number of all tags.
    let adds = |(name, values): &(String, Vec<String>)| -> Vec<u32> {
        let tag = tags.and_then(|tags| tags.named.iter().find(|tag| tag.name == *name));
        let place = |value: &String| tag.map_or(0, |tag| tag.stride * tag.place(value).unwrap_or(0));
        values.iter().map(place).collect()
    };
    let adds: Vec<Vec<u32>> = kept.tags.iter().map(adds).collect();
    let said = |of: &[u32]| Said {
        user: kept.users.is_some().then_some(of[0]),
        class: kept.classes.is_some().then(|| classes[of[1] as usize]),
        tags: of[2..]
            .iter()
            .zip(&adds)
            .map(|(value, adds)| adds[*value as usize])
            .sum(),
    };
    Ok(Some(Identified {
        each: kept.each.iter().map(|of| said(of)).collect(),
        kept: Arc::clone(kept),
    }))
}
