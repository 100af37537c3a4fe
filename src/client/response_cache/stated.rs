//! A share of hits that is stated: each request finds an answer with a fixed probability.
//!
//! For a cache whose hits are counted in a log or assumed, whatever its keys, size and times are: all of that is in the share. Each request
//! of a class is a hit with that probability, independently of the others and of how many answers there are; the answer is the last
//! that the class was given. Until a class has been given one there is nothing to find. Left out: the age of answers, and that hits come
//! together where a prompt is asked often.
//!
//! ```json
//! { "stated": { "share": "20%" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildStore, Kept, Lookup, Store};
use crate::form::build::{Built, Names};
use crate::form::per_class::PerClass;
use crate::form::units::Fraction;
use crate::kernel::chance::{Purpose, threshold};
use crate::kernel::time::Time;

/// A share of requests that are answered from the cache.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stated {
    /// The share of requests that find an answer: one for all, or by class.
    pub share: PerClass<Fraction>,
}

impl BuildStore for Stated {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Store>> {
        let shares = self.share.by_class(names).map_err(|r| r.at("share"))?;
        let class = |share: Fraction| Class {
            // A share of 1 is every request.
            below: (share < Fraction::ONE).then(|| threshold(share.get())),
            last: None,
        };
        Ok(Box::new(Running(shares.into_iter().map(class).collect())))
    }
}

#[derive(Clone, Copy, Debug)]
struct Class {
    /// A draw below this is a hit; `None` if every draw is.
    below: Option<u64>,
    last: Option<Kept>,
}

#[derive(Clone, Debug)]
struct Running(Vec<Class>);

impl Store for Running {
    fn find(&mut self, _now: Time, lookup: &Lookup) -> Option<Kept> {
        let class = &self.0[lookup.class];
        let draw = lookup.key.draw(Purpose::ResponseCache);
        class.last.filter(|_| class.below.is_none_or(|below| draw < below))
    }

    fn keep(&mut self, lookup: &Lookup, answer: Kept) {
        self.0[lookup.class].last = Some(answer);
    }

    fn knows_ages(&self) -> bool {
        false
    }

    fn fresh(&self) -> Box<dyn Store> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::chance::Chance;

    #[test]
    fn hits_are_as_many_as_stated_and_begin_with_an_answer() {
        let classes = ["x", "y"].map(String::from);
        let names = Names {
            classes: &classes,
            ..Names::default()
        };
        let spec: Stated = serde_json::from_str(r#"{ "share": { "x": 0.2, "y": 1 } }"#).unwrap();
        let mut store = spec.build(&names).unwrap();
        let answer = Kept {
            given: Time::ZERO,
            cost: 7,
            quality: 9,
        };
        let lookup = |class, id| Lookup {
            class,
            prompt: None,
            key: Chance::new(1, 0).request(id),
        };
        assert_eq!(store.find(Time::ZERO, &lookup(1, 0)), None);
        store.keep(&lookup(0, 0), answer);
        assert_eq!(store.find(Time::ZERO, &lookup(1, 0)), None, "of another class");
        store.keep(&lookup(1, 1), answer);
        let hits = |store: &mut Box<dyn Store>, class| {
            let found = (0..20_000).filter_map(|id| store.find(Time::ZERO, &lookup(class, id)));
            found.inspect(|found| assert_eq!(*found, answer)).count()
        };
        // Of 20,000 with probability 0.2 the standard deviation is 57.
        let found = hits(&mut store, 0);
        assert!((3770..4230).contains(&found), "{found}");
        assert_eq!(hits(&mut store, 1), 20_000);
    }
}
