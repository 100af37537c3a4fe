//! Plug-ins that may be written without their names: a value alone, or parameters that say by themselves of what they are.

use std::marker::PhantomData;

use serde::de::value::{MapAccessDeserializer, StringDeserializer};
use serde::de::{self, DeserializeOwned, DeserializeSeed, MapAccess, Unexpected};

use super::{Parameters, Registered, SpecVisitor};
use crate::form::tree::{self, Mistake, Tree};

/// How plug-ins of a kind may be written without their names.
#[derive(Debug)]
pub struct Bare {
    /// The plug-in that a number stands for, or a text that begins like one.
    pub alone: &'static str,
    /// The plug-ins whose parameters may stand where the name and the parameters would.
    pub objects: &'static [&'static str],
    /// Which of `objects` has a first parameter of this name.
    pub with: fn(&str) -> Option<&'static str>,
}

/// The plug-in that `value` stands for, if one may be written so.
pub(super) fn alone<S: Registered, E: de::Error>(
    value: Tree,
    found: Unexpected<'_>,
    expected: &SpecVisitor<S>,
) -> Result<S, E> {
    let Some(bare) = S::BARE else {
        return Err(E::invalid_type(found, expected));
    };
    let error = PhantomData;
    S::read_bare(bare.alone, Alone { value, error })
}

/// Parameters that stand for the whole plug-in.
struct Alone<E> {
    value: Tree,
    error: PhantomData<E>,
}

impl<E: de::Error> Parameters for Alone<E> {
    type Error = E;

    fn read<T: DeserializeOwned>(self) -> Result<T, E> {
        tree::read(&self.value).map_err(|mistake: Mistake| E::custom(mistake.message()))
    }
}

/// An object with a name that was already read in its place.
#[derive(Debug)]
pub struct Whole<A> {
    /// The first name of the object.
    pub first: Option<String>,
    /// The rest of the object.
    pub map: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Whole<A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        match self.first.take() {
            Some(first) => seed.deserialize(StringDeserializer::new(first)).map(Some),
            None => self.map.next_key_seed(seed),
        }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

/// The parameters of a plug-in without its name.
pub(super) struct Unnamed<'de, A> {
    pub(super) whole: Whole<A>,
    pub(super) lifetime: PhantomData<&'de ()>,
}

impl<'de, A: MapAccess<'de>> Parameters for Unnamed<'de, A> {
    type Error = A::Error;

    fn read<T: DeserializeOwned>(self) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(self.whole))
    }
}
