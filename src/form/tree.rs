//! A JSON value in memory, and the one deserialiser that reads every type from it.
//!
//! serde compiles a type's reading code anew for each deserialiser that it meets, and a streaming parser wrapped by a tracker of
//! paths is a large one: hundreds of types made it a third of all generated code. So one instance of the parser makes a
//! [`Tree`] of the text, and [`read`] takes types out of the tree with a deserialiser without type parameters.
//!
//! A tree keeps members in the order of the text, equal keys included, so the first mistake in the file is the one
//! reported. It keeps no positions: a [`Mistake`] gathers its path on its way out, and the caller, which has the text,
//! looks the place up ([`super::diagnose`]). A list in place of an object with fields is refused: serde would take one
//! as the fields in order. Left out: keys that are numbers, and 128-bit numbers.

use std::fmt;
use std::slice;

use serde::de::{
    self, Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Expected, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::Value;

use super::diagnose::Seg;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    /// The value `null`.
    Null,
    /// The value `true` or `false`.
    Truth(bool),
    /// A whole number from 0.
    Unsigned(u64),
    /// A whole number below 0.
    Negative(i64),
    /// Any other number.
    Float(f64),
    /// A string of characters.
    Text(String),
    /// A list of values.
    List(Vec<Tree>),
    /// An object: its members as they stand in the text.
    Object(Vec<(String, Tree)>),
}

/// A value that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.message)]
pub struct Mistake(Box<Said>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Said {
    message: String,
    /// The innermost step first.
    path: Vec<Seg>,
    of_key: bool,
}

impl Mistake {
    /// What is wrong, in serde's words.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Where it is, from the outermost value.
    pub fn path(&self) -> Vec<Seg> {
        self.0.path.iter().rev().cloned().collect()
    }

    /// This mistake at another place: `path` from the outermost value.
    #[must_use]
    pub fn moved_to(mut self, path: &[Seg]) -> Mistake {
        self.0.path = path.iter().rev().cloned().collect();
        self
    }

    /// Whether the last key of the path is the mistake, and not the value under it.
    pub fn is_of_key(&self) -> bool {
        self.0.of_key
    }

    #[cold]
    fn under_key(mut self, key: &str) -> Mistake {
        self.0.path.push(Seg::Key(key.to_owned()));
        self
    }

    #[cold]
    fn under_index(mut self, index: usize) -> Mistake {
        self.0.path.push(Seg::Index(index));
        self
    }

    #[cold]
    fn of_key(mut self, key: &str) -> Mistake {
        self.0.of_key = true;
        self.under_key(key)
    }
}

impl de::Error for Mistake {
    #[cold]
    fn custom<T: fmt::Display>(message: T) -> Mistake {
        Mistake(Box::new(Said {
            message: message.to_string(),
            path: Vec::new(),
            of_key: false,
        }))
    }

    #[cold]
    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Mistake {
        de::Error::custom(format_args!("invalid type: {}, expected {expected}", Found(found)))
    }

    #[cold]
    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Mistake {
        de::Error::custom(format_args!("invalid value: {}, expected {expected}", Found(found)))
    }
}

/// What was found, as JSON has it: serde would call `null` a unit value and round numbers as Rust does.
struct Found<'a>(Unexpected<'a>);

impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Unexpected::Unit => f.write_str("null"),
            Unexpected::Float(x) => write!(f, "floating point `{}`", Value::from(x)),
            found => found.fmt(f),
        }
    }
}

/// A `T` from `tree`.
///
/// # Errors
/// If it is not a `T`.
pub fn read<T: DeserializeOwned>(tree: &Tree) -> Result<T, Mistake> {
    T::deserialize(Reader(tree))
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Tree, D::Error> {
        deserializer.deserialize_any(Grower)
    }
}

struct Grower;

impl<'de> Visitor<'de> for Grower {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E: de::Error>(self, truth: bool) -> Result<Tree, E> {
        Ok(Tree::Truth(truth))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Tree, E> {
        Ok(Tree::Unsigned(number))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Tree, E> {
        Ok(Tree::Negative(number))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Tree, E> {
        Ok(Tree::Float(number))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Tree, E> {
        Ok(Tree::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Tree, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = object.next_entry()? {
            members.push(member);
        }
        Ok(Tree::Object(members))
    }
}

impl From<Value> for Tree {
    fn from(value: Value) -> Tree {
        match value {
            Value::Null => Tree::Null,
            Value::Bool(truth) => Tree::Truth(truth),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => Tree::Unsigned(number),
                (None, Some(number)) => Tree::Negative(number),
                (None, None) => Tree::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => Tree::Text(text),
            Value::Array(items) => Tree::List(items.into_iter().map(Tree::from).collect()),
            Value::Object(members) => Tree::Object(members.into_iter().map(|(k, v)| (k, Tree::from(v))).collect()),
        }
    }
}

#[derive(Clone, Copy)]
struct Reader<'t>(&'t Tree);

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Mistake;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.0 {
            Tree::Null => visitor.visit_unit(),
            Tree::Truth(truth) => visitor.visit_bool(*truth),
            Tree::Unsigned(number) => visitor.visit_u64(*number),
            Tree::Negative(number) => visitor.visit_i64(*number),
            Tree::Float(number) => visitor.visit_f64(*number),
            Tree::Text(text) => visitor.visit_str(text),
            Tree::List(items) => of_list(items, visitor),
            Tree::Object(members) => of_object(members, visitor),
        }
    }

    // What a type asks for by name, it gets or is refused: a visitor is compiled for that alone, where one that might be given anything is
    // compiled for eight kinds of values, hundreds of times.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        match self.0 {
            Tree::Object(members) => of_object(members, visitor),
            _ => Err(self.has_no_names(&visitor)),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.0 {
            Tree::Object(members) => of_object(members, visitor),
            _ => Err(self.is_not(&visitor)),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.0 {
            Tree::List(items) => of_list(items, visitor),
            _ => Err(self.is_not(&visitor)),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Mistake> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.0 {
            Tree::Text(text) => visitor.visit_str(text),
            _ => Err(self.is_not(&visitor)),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.0 {
            Tree::Truth(truth) => visitor.visit_bool(*truth),
            _ => Err(self.is_not(&visitor)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.0 {
            Tree::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        let (chosen, beside) = self.chosen()?;
        let value = visitor.visit_enum(chosen)?;
        beside.map_or(Ok(()), Err).map(|()| value)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char bytes byte_buf unit unit_struct identifier
    }
}

/// What `visitor` makes of a list, all of it.
fn of_list<'de, V: Visitor<'de>>(items: &[Tree], visitor: V) -> Result<V::Value, Mistake> {
    let mut left = items.iter();
    let value = visitor.visit_seq(Items {
        left: &mut left,
        length: items.len(),
    })?;
    match left.len() {
        0 => Ok(value),
        more => Err(too_many(items.len() - more)),
    }
}

/// What `visitor` makes of an object, all of it.
fn of_object<'de, V: Visitor<'de>>(members: &[(String, Tree)], visitor: V) -> Result<V::Value, Mistake> {
    let mut left = members.iter();
    let value = visitor.visit_map(Members {
        left: &mut left,
        last: None,
    })?;
    match left.next() {
        None => Ok(value),
        Some((key, _)) => Err(<Mistake as de::Error>::custom("a member too many").of_key(key)),
    }
}

impl<'t> Reader<'t> {
    /// The refusal of a value that is of another kind.
    #[cold]
    fn is_not(self, expected: &dyn Expected) -> Mistake {
        let found = match self.0 {
            Tree::Null => Unexpected::Unit,
            Tree::Truth(truth) => Unexpected::Bool(*truth),
            Tree::Unsigned(number) => Unexpected::Unsigned(*number),
            Tree::Negative(number) => Unexpected::Signed(*number),
            Tree::Float(number) => Unexpected::Float(*number),
            Tree::Text(text) => Unexpected::Str(text),
            Tree::List(_) => Unexpected::Seq,
            Tree::Object(_) => Unexpected::Map,
        };
        de::Error::invalid_type(found, expected)
    }

    /// The refusal of what is not an object with fields.
    #[cold]
    fn has_no_names(self, expected: &dyn Expected) -> Mistake {
        match self.0 {
            Tree::List(_) => de::Error::custom("invalid type: a list, expected an object with the names of its fields"),
            _ => self.is_not(expected),
        }
    }

    /// The variant that is named, and the refusal of a second name beside it.
    fn chosen(self) -> Result<(Variant<'t>, Option<Mistake>), Mistake> {
        match self.0 {
            Tree::Text(name) => Ok((Variant { name, value: None }, None)),
            Tree::Object(members) => {
                let Some((name, value)) = members.first() else {
                    return Err(de::Error::custom("an object without a name"));
                };
                let beside = members.get(1).map(|(other, _)| {
                    let error = format!("`{other}` stands beside `{name}`: give one name only");
                    <Mistake as de::Error>::custom(error).of_key(other)
                });
                let value = Some(value);
                Ok((Variant { name, value }, beside))
            }
            _ => Err(de::Error::custom(
                "expected a name, or an object with one name and its parameters",
            )),
        }
    }
}

/// The refusal of the value at `index` of a list that has more than its type.
#[cold]
fn too_many(index: usize) -> Mistake {
    <Mistake as de::Error>::custom("the list has too many values").under_index(index)
}

/// The values of a list that are still to be read.
struct Items<'a, 't> {
    left: &'a mut slice::Iter<'t, Tree>,
    length: usize,
}

impl<'de> SeqAccess<'de> for Items<'_, '_> {
    type Error = Mistake;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Mistake> {
        let index = self.length - self.left.len();
        let Some(item) = self.left.next() else { return Ok(None) };
        match seed.deserialize(Reader(item)) {
            Ok(value) => Ok(Some(value)),
            Err(mistake) => Err(mistake.under_index(index)),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left.len())
    }
}

/// The members of an object that are still to be read, and the one whose key was.
struct Members<'a, 't> {
    left: &'a mut slice::Iter<'t, (String, Tree)>,
    last: Option<&'t (String, Tree)>,
}

impl<'de> MapAccess<'de> for Members<'_, '_> {
    type Error = Mistake;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Mistake> {
        self.last = self.left.next();
        let Some((key, _)) = self.last else { return Ok(None) };
        match seed.deserialize(Key(key)) {
            Ok(value) => Ok(Some(value)),
            Err(mistake) => Err(mistake.of_key(key)),
        }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Mistake> {
        let Some((key, value)) = self.last else {
            return Err(de::Error::custom("a value without a key"));
        };
        seed.deserialize(Reader(value))
            .map_err(|mistake| mistake.under_key(key))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left.len())
    }
}

/// A key, or the name of a variant.
#[derive(Clone, Copy)]
struct Key<'t>(&'t str);

impl<'de> Deserializer<'de> for Key<'_> {
    type Error = Mistake;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_str(self.0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        visitor.visit_enum(Variant {
            name: self.0,
            value: None,
        })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map
        struct identifier ignored_any
    }
}

/// A variant: its name, and its value in the object form.
struct Variant<'t> {
    name: &'t str,
    value: Option<&'t Tree>,
}

impl Variant<'_> {
    fn value(&self, form: &str) -> Result<Reader<'_>, Mistake> {
        let bare = || <Mistake as de::Error>::invalid_type(Unexpected::UnitVariant, &form).under_key(self.name);
        self.value.map(Reader).ok_or_else(bare)
    }
}

impl<'de> EnumAccess<'de> for Variant<'_> {
    type Error = Mistake;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Mistake> {
        seed.deserialize(Key(self.name)).map(|value| (value, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = Mistake;

    fn unit_variant(self) -> Result<(), Mistake> {
        let nothing = self.value.map_or(Ok(()), |tree| <()>::deserialize(Reader(tree)));
        nothing.map_err(|mistake| mistake.under_key(self.name))
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Mistake> {
        seed.deserialize(self.value("newtype variant")?)
            .map_err(|mistake| mistake.under_key(self.name))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Mistake> {
        let value = self.value("tuple variant")?.deserialize_seq(visitor);
        value.map_err(|mistake| mistake.under_key(self.name))
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Mistake> {
        let value = self.value("struct variant")?.deserialize_struct("", fields, visitor);
        value.map_err(|mistake| mistake.under_key(self.name))
    }
}

#[cfg(test)]
mod tests;
