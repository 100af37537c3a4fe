//! Further mistakes beside the first: what stands at it is taken out of the tree, and what is left is read again.
//!
//! What follows from taking something out is not a mistake of the file. So of an object that something was taken out of, only a missing
//! field that never stood there counts, and where a name was wrong not even that; for anything else it is taken out as a whole, in silence. Left out: what can only be
//! judged with the file as a whole, such as a name that nothing bears.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;

use super::locate::{Seg, Shown};
use crate::form::tree::{self, Mistake, Tree};

/// The most mistakes of one file that are told.
pub(super) const MOST_MISTAKES: usize = 20;

/// The most times that a tree is read: beside those for each mistake, some for what follows from them.
const MOST_READINGS: usize = 80;

/// `first` and what else is wrong with `tree` as a `T`, with the paths that it has there.
pub(super) fn mistakes<T: DeserializeOwned>(tree: &Tree, first: Mistake) -> Vec<Mistake> {
    let mut left = tree.clone();
    let mut taken = Taken::default();
    let mut found = vec![first.clone()];
    let mut latest = first;
    for _ in 0..MOST_READINGS {
        if !taken.take(&mut left, &latest) {
            break;
        }
        let Err(next) = tree::read::<T>(&left) else { break };
        let place = taken.original(&next.path());
        if !taken.explains(&next, &place) {
            found.push(next.clone().moved_to(&place));
        }
        if found.len() == MOST_MISTAKES {
            break;
        }
        latest = next;
    }
    found
}

/// What was taken out of a tree.
#[derive(Debug, Default)]
struct Taken {
    /// The paths in the original tree, and whether a key there was the mistake.
    places: Vec<(Vec<Seg>, bool)>,
    /// The elements of lists, by the lists' original paths.
    elements: BTreeMap<String, BTreeSet<usize>>,
}

impl Taken {
    /// Takes what stands at `mistake` out of `tree`, which this has been taken out of; the outermost value cannot be.
    fn take(&mut self, tree: &mut Tree, mistake: &Mistake) -> bool {
        let path = &mistake.path()[..];
        let Some((last, outside)) = path.split_last() else {
            return false;
        };
        let original = self.original(path);
        let Some(holder) = inside(tree, outside) else {
            return false;
        };
        match (holder, last, original.split_last()) {
            (Tree::Object(members), Seg::Key(key), _) => {
                let Some(at) = members.iter().position(|(name, _)| name == key) else {
                    return false;
                };
                members.remove(at);
            }
            (Tree::List(items), Seg::Index(index), Some((Seg::Index(was), list))) if *index < items.len() => {
                items.remove(*index);
                self.elements.entry(Shown(list).to_string()).or_default().insert(*was);
            }
            _ => return false,
        }
        self.places.push((original, mistake.is_of_key()));
        true
    }

    /// The path that `path` of what is left had in the original tree.
    fn original(&self, path: &[Seg]) -> Vec<Seg> {
        let mut original: Vec<Seg> = Vec::with_capacity(path.len());
        for seg in path {
            let seg = match seg {
                Seg::Key(key) => Seg::Key(key.clone()),
                Seg::Index(index) => {
                    let gone = self.elements.get(&Shown(&original).to_string());
                    let mut left = (0..).filter(|i| gone.is_none_or(|gone| !gone.contains(i)));
                    Seg::Index(left.nth(*index).unwrap_or(*index))
                }
            };
            original.push(seg);
        }
        original
    }

    /// Whether `mistake`, which is at `place` of the original tree, may follow from what was taken out of what stands there.
    fn explains(&self, mistake: &Mistake, place: &[Seg]) -> bool {
        let is_inside = |taken: &&(Vec<Seg>, bool)| taken.0.len() > place.len() && taken.0.starts_with(place);
        let mut inside = self.places.iter().filter(is_inside).peekable();
        if inside.peek().is_none() {
            return false;
        }
        let missing = mistake.message().strip_prefix("missing field `");
        // A field with a wrong name may be the one that is missing.
        missing.and_then(|rest| rest.split('`').next()).is_none_or(|field| {
            inside.any(|(taken, of_key)| {
                taken[place.len()] == Seg::from(field) || *of_key && taken.len() == place.len() + 1
            })
        })
    }
}

/// What stands at `path` of `tree`.
fn inside<'t>(tree: &'t mut Tree, path: &[Seg]) -> Option<&'t mut Tree> {
    path.iter().try_fold(tree, |tree, seg| match (tree, seg) {
        (Tree::Object(members), Seg::Key(key)) => {
            members.iter_mut().find(|(name, _)| name == key).map(|(_, value)| value)
        }
        (Tree::List(items), Seg::Index(index)) => items.get_mut(*index),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::super::parse;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Shop {
        name: String,
        shelves: Vec<Shelf>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Shelf {
        width: u32,
        height: u32,
    }

    /// Line and path of each mistake of `text`.
    fn told(text: &str) -> Vec<String> {
        let error = parse::<Shop>("shop.json", text).unwrap_err();
        let all = std::iter::once(&*error).chain(&error.also);
        all.map(|one| format!("{} {}: {}", one.line, one.path, one.message))
            .collect()
    }

    #[test]
    fn what_is_right_is_read() {
        let shop: Shop = parse(
            "shop.json",
            r#"{ "name": "x", "shelves": [ { "width": 1, "height": 2 } ] }"#,
        )
        .unwrap();
        assert_eq!((shop.name.as_str(), shop.shelves.len()), ("x", 1));
        assert_eq!((shop.shelves[0].width, shop.shelves[0].height), (1, 2));
    }

    #[test]
    fn every_mistake_is_told_at_its_own_place() {
        let text = "{ \"nmae\": 1,\n\"name\": \"x\", \"shelves\": [\n{ \"width\": \"1\", \"height\": 2 },\n{ \"widht\": 1, \"width\": 1, \"height\": -1 },\n{ \"width\": 1 },\n7 ] }";
        assert_eq!(
            told(text),
            [
                "1 nmae: unknown field `nmae`",
                "3 shelves[0].width: invalid type: string \"1\", expected a whole number from 0 to 4294967295",
                "4 shelves[1].widht: unknown field `widht`",
                "4 shelves[1].height: invalid value: -1, expected a whole number from 0 to 4294967295",
                "5 shelves[2]: missing field `height`",
                "6 shelves[3]: invalid type: 7, expected an object",
            ]
        );
    }

    #[test]
    fn what_follows_from_a_mistake_is_not_told() {
        assert_eq!(
            told(r#"{ "nmae": "x", "shelves": [] }"#),
            ["1 nmae: unknown field `nmae`"]
        );
        assert_eq!(told(r#"{ "name": 1, "shelves": [] }"#).len(), 1);
        assert_eq!(told(r#"{ "name": 1, "shelves": 2 }"#).len(), 2);
        // Of an object with a mistake in it, a field that is missing behind it is not looked for.
        assert_eq!(told(r#"{ "shelves": [ { "width": "a" } ] }"#).len(), 2);
        assert_eq!(told("[]").len(), 1);
    }

    #[test]
    fn so_many_are_told_and_no_more() {
        let shelves = vec![r#"{ "width": null, "height": 1 }"#; 50].join(",\n");
        let error =
            parse::<Shop>("shop.json", &format!("{{ \"name\": \"x\", \"shelves\": [{shelves}] }}")).unwrap_err();
        assert_eq!(error.also.len() + 1, super::MOST_MISTAKES);
        assert!(
            error.to_string().ends_with("20 mistakes are told; there may be more"),
            "{error}"
        );
    }
}
