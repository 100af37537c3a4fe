//! The reading of a request by a classifier, for the policies that go by one: right most of the time, wrong as often as
//! said.

use super::Call;
use crate::form::build::{Built, Names, Refusal};
use crate::form::named::Named;
use crate::form::units::Fraction;
use crate::kernel::chance::{Purpose, threshold};

/// The classes that a class is mistaken for, and how often.
pub type Misread = Named<Fraction>;

/// The readings of the requests of one class. The reading is drawn once for each request, so that retries read the
/// same.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    /// The draws below which a request reads as each wrong kind; rising.
    wrong: Vec<(u64, usize)>,
    /// The kind that the class really is.
    home: usize,
}

impl Reading {
    /// The kind that the request of `call` is taken for.
    #[inline]
    pub(super) fn of(&self, call: &Call) -> usize {
        if self.wrong.is_empty() {
            return self.home;
        }
        let draw = call.request.draw(Purpose::Classify);
        let wrong = self.wrong.iter().find(|&&(below, _)| draw < below);
        wrong.map_or(self.home, |&(_, elsewhere)| elsewhere)
    }
}

/// The readings of every class, each of which is at its `home` among the `kinds`, whose general name is `kind`.
pub(super) fn readings(
    misread: &Named<Misread>,
    homes: &[usize],
    kind: &str,
    kinds: &[String],
    names: &Names<'_>,
) -> Built<Vec<Reading>> {
    let here = |class: &str, r: Refusal| r.at(class).at("misread");
    for class in misread.names() {
        names.class(&class).map_err(|r| here(&class, r))?;
    }
    let classes = names.classes.iter().zip(homes);
    classes
        .map(|(class, &home)| reading(misread.get(class), home, kind, kinds).map_err(|r| here(class, r)))
        .collect()
}

fn reading(misread: Option<&Misread>, home: usize, kind: &str, kinds: &[String]) -> Built<Reading> {
    let mut wrong = Vec::new();
    let mut sum = 0.0;
    for (name, share) in misread.into_iter().flat_map(Named::iter) {
        let index =
            (kinds.iter().position(|k| k == name)).ok_or_else(|| Refusal::unknown(kind, name, kinds).at(name))?;
        if index == home {
            let text = format!("`{name}` is this class's own {kind}; give only the wrong ones");
            return Err(Refusal::new(text).at(name));
        }
        sum += share.get();
        wrong.push((threshold(sum), index));
    }
    if sum > 1.0 + 1e-9 {
        return Err(Refusal::new(format!("the probabilities add up to {sum}, more than 1")));
    }
    Ok(Reading { wrong, home })
}
